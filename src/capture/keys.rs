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
    is_late: Cell<bool>,
}

impl Keys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the keys of a text.
    pub(super) fn add(&self, text: &[u8]) -> KeyLogRead {
        let mut log = self.log.borrow_mut();
        let before = log.len();
        let read = log.read(text);
        let has_more = log.len() > before || read.dropped > 0;
        self.is_late.set(self.is_late.get() || self.has_begun.get() && has_more);
        read
    }

    /// Adds the keys of a file; how many there are, and whether the file is longer than is read.
    pub(super) fn read(&self, source: &mut Source) -> std::io::Result<(KeyLogRead, bool)> {
        let mut text = Vec::new();
        let most = u64::try_from(limits::KEY_LOG_TEXT).unwrap_or(u64::MAX);
        source.take(most).read_to_end(&mut text)?;
        let is_longer = text.len() >= limits::KEY_LOG_TEXT;
        Ok((self.add(&text), is_longer))
    }

    /// Notes that packets are read which keys could open.
    pub(super) fn begin(&self) {
        self.has_begun.set(true);
    }

    /// Whether keys came behind packets that they may open; asking makes ready for reading once more.
    pub fn take_late(&self) -> bool {
        self.has_begun.set(false);
        self.is_late.take()
    }

    /// What is known.
    pub(super) fn log(&self) -> Ref<'_, KeyLog> {
        self.log.borrow()
    }
}

impl fmt::Debug for Keys {
    /// Keys are counted and not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("connections", &self.log.borrow().len())
            .finish_non_exhaustive()
    }
}
