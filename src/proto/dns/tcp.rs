//! Messages in a TCP stream: each has its length before it (RFC 1035 section 4.2.2, RFC 7766 section 8).
//!
//! It must not know which side the stream came from, nor what a message says.
//!
//! Invariants: it holds at most one message that is not whole; when it cannot tell where a message
//! begins it gives up for good, and then holds nothing.

use crate::proto::Mark;

use super::looks_like_dns;

/// Takes the messages out of one side of a TCP stream.
#[derive(Debug)]
pub struct DnsOverTcp {
    /// A message that is not whole yet, with its length before it; at most 2 + 65535 bytes.
    held: Vec<u8>,
    /// Where the held bytes begin.
    first: Option<Mark>,
    lost: bool,
}

impl DnsOverTcp {
    /// The beginning of a stream.
    pub const fn new() -> Self {
        Self { held: Vec::new(), first: None, lost: false }
    }

    /// Takes more of the stream; `out` is called with each message and the frames that it began and
    /// ended in.
    pub fn data(&mut self, bytes: &[u8], mark: Mark, out: &mut dyn FnMut(&[u8], Mark, Mark)) {
        let mut rest = bytes;
        while !self.lost && !rest.is_empty() {
            if self.held.is_empty()
                && let Some((message, behind)) = split(rest)
            {
                self.message(message, mark, mark, out);
                rest = behind;
                continue;
            }
            let first = *self.first.get_or_insert(mark);
            let missing = missing(&self.held, rest);
            let (taken, behind) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.held.extend_from_slice(taken);
            rest = behind;
            if split(&self.held).is_some() {
                let held = std::mem::take(&mut self.held);
                self.first = None;
                if let Some((message, _)) = split(&held) {
                    self.message(message, first, mark, out);
                }
            }
        }
    }

    /// Bytes of the stream are missing: where the next message begins cannot be told.
    pub fn gap(&mut self) {
        *self = Self { lost: true, ..Self::new() };
    }

    /// Bytes held.
    pub const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Whether it gave up; then it does nothing any more.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Something that is no message says that the stream is none of DNS.
    fn message(
        &mut self,
        message: &[u8],
        first: Mark,
        last: Mark,
        out: &mut dyn FnMut(&[u8], Mark, Mark),
    ) {
        if looks_like_dns(message) {
            out(message, first, last);
        } else {
            self.gap();
        }
    }
}

impl Default for DnsOverTcp {
    fn default() -> Self {
        Self::new()
    }
}

/// The message that `bytes` begin with, and what comes after it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// How many bytes the held ones lack until their length, or the message itself, is whole.
fn missing(held: &[u8], rest: &[u8]) -> usize {
    let mut length = held.iter().chain(rest).take(LENGTH);
    let whole = match (length.next(), length.next()) {
        (Some(&high), Some(&low)) => {
            usize::from(u16::from_be_bytes([high, low])).saturating_add(LENGTH)
        }
        _ => LENGTH,
    };
    whole.saturating_sub(held.len())
}

/// Bytes of the length before a message.
const LENGTH: usize = 2;

/// Any bytes as a stream: cut in two or whole, the messages are the same.
pub(super) fn fuzz_dns_over_tcp(bytes: &[u8]) {
    use std::num::NonZeroU64;

    let mark = Mark { frame: NonZeroU64::MIN, at: crate::time::Timestamp::from_nanoseconds(0) };
    let take = |pieces: &[&[u8]]| {
        let mut stream = DnsOverTcp::new();
        let mut messages = Vec::new();
        for piece in pieces {
            stream.data(piece, mark, &mut |message, _, _| messages.push(message.to_vec()));
            assert!(stream.held.len() < 2 + (1 << 16), "one message at most is held");
        }
        messages
    };
    let (one, other) = bytes.split_at_checked(bytes.len() / 3).unwrap_or((bytes, &[]));
    assert_eq!(take(&[bytes]), take(&[one, other]), "a cut changes nothing");
}
