//! The keys of a case: those given by the user, and those that captures and archives bring along.
//!
//! Keys may come behind the packets that they open. Whether that happened is noted here, so that the
//! inputs can be read once more. It must not know what a key opens.
//!
//! Invariant: no key is ever shown; what is kept is bounded by the key log itself.

use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::io::Read;

use super::source::Source;
use crate::limits;
use crate::proto::tls::{KeyLog, KeyLogRead};

/// The keys of a case, while its inputs are read.
#[derive(Default)]
pub struct Keys {
    log: RefCell<KeyLog>,
    /// Whether packets that keys could open were read.
    has_begun: Cell<bool>,
    /// Secrets that came behind such packets.
    late: Cell<u64>,
}

impl Keys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the keys of a text.
    pub(super) fn add(&self, text: &[u8]) -> KeyLogRead {
        let read = self.log.borrow_mut().read(text);
        if self.has_begun.get() {
            self.late.set(self.late.get().saturating_add(u64::from(read.new)));
        }
        read
    }

    /// Adds the keys of a file; how many there are, and whether the file is longer than is read.
    ///
    /// It may be long and the keys of the capture stand at its end, so it is read in pieces of lines.
    pub(super) fn read(&self, source: &mut Source) -> std::io::Result<(KeyLogRead, bool)> {
        let mut source = source.take(limits::KEY_LOG_TEXT);
        let mut piece = Vec::with_capacity(limits::KEY_LOG_PIECE);
        let mut sum = KeyLogRead::default();
        let mut is_wide = None;
        loop {
            let room = limits::KEY_LOG_PIECE.saturating_sub(piece.len());
            let room = u64::try_from(room).unwrap_or(u64::MAX);
            source.by_ref().take(room).read_to_end(&mut piece)?;
            let is_last = piece.len() < limits::KEY_LOG_PIECE;
            let is_wide = *is_wide.get_or_insert_with(|| KeyLog::is_wide(&piece));
            let end = if is_last { piece.len() } else { end_of_lines(&piece, is_wide) };
            let read = self.add(piece.get(..end).unwrap_or(&piece));
            sum.add(read);
            piece.drain(..end.min(piece.len()));
            if is_last {
                return Ok((sum, source.limit() == 0));
            }
        }
    }

    /// Notes that packets are read which keys could open.
    pub(super) fn begin(&self) {
        self.has_begun.set(true);
    }

    /// How many secrets came behind packets that they may open; asking makes ready for reading once
    /// more.
    pub fn take_late(&self) -> u64 {
        self.has_begun.set(false);
        self.log().forget_trials();
        self.late.take()
    }

    /// What is known.
    pub(super) fn log(&self) -> Ref<'_, KeyLog> {
        self.log.borrow()
    }
}

/// Where the last whole line ends; all of it where there is none.
fn end_of_lines(text: &[u8], is_wide: bool) -> usize {
    let Some(at) = memchr::memrchr(b'\n', text) else { return text.len() };
    let end = at.saturating_add(1);
    // The other byte of the character may be behind it.
    if is_wide { end.next_multiple_of(2).min(text.len()) } else { end }
}

impl fmt::Debug for Keys {
    /// Keys are counted and not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("connections", &self.log.borrow().len())
            .finish_non_exhaustive()
    }
}

const _: () = assert!(limits::KEY_LOG_PIECE.is_multiple_of(2), "no character is cut");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_key_log_is_read() {
        let line = |number: u32| format!("CLIENT_RANDOM {number:064x} {}\r\n", "ab".repeat(48));
        let text: String = (0..60_000).map(line).collect();
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        let forms: [Vec<u8>; 4] = [
            text.clone().into_bytes(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ];
        for form in forms {
            assert!(form.len() > 8 * limits::KEY_LOG_PIECE);
            let keys = Keys::new();
            let (read, is_longer) = keys.read(&mut Source::bytes(form)).unwrap();
            assert_eq!((read.secrets, read.malformed, is_longer), (60_000, 0, false));
            let mut last = [0; 32];
            last[28..].copy_from_slice(&59_999_u32.to_be_bytes());
            assert!(keys.log().knows(&last));
        }
    }

    #[test]
    fn what_has_no_lines_is_read_to_its_end() {
        let keys = Keys::new();
        let bytes = vec![b'x'; 3 * limits::KEY_LOG_PIECE + 7];
        let (read, is_longer) = keys.read(&mut Source::bytes(bytes)).unwrap();
        assert_eq!((read.secrets, is_longer), (0, false));
        assert!(read.malformed > 0);
        let (read, _) = keys.read(&mut Source::bytes(Vec::new())).unwrap();
        assert_eq!(read, KeyLogRead::default());
    }

    #[test]
    fn keys_are_late_behind_packets_and_when_they_are_new() {
        let keys = Keys::new();
        let session = format!("RSA Session-ID:00aa Master-Key:{}\n", "ef".repeat(48));
        let add = |text: &str| keys.add(text.as_bytes()).secrets;
        let random = format!("CLIENT_RANDOM {} {}\n", "01".repeat(32), "ab".repeat(48));
        assert_eq!((add(&random), keys.take_late()), (1, 0), "in time");
        keys.begin();
        assert_eq!((add(&random), keys.take_late()), (1, 0), "known");
        keys.begin();
        assert_eq!((add(&session), add(&random), keys.take_late()), (1, 1, 1));
        assert_eq!(keys.take_late(), 0);
    }
}
