//! Content of a message of HTTP/2 while it comes (RFC 9113 section 8.1.1).
//!
//! It must not know which message it belongs to.
//!
//! Invariant: what is kept ends at the first byte that may be missing.

use crate::proto::http1_stream::Bodies;

/// How the content of a message stands.
#[derive(Default)]
pub(super) struct Content {
    /// Whether it is kept.
    pub(super) keeps: bool,
    /// Whether the head before it was read to its end.
    pub(super) is_whole: bool,
    /// Whether the sender ended it.
    pub(super) has_ended: bool,
    /// Bytes kept before bytes of the connection were lost, which may have been of this message.
    certain: Option<usize>,
}

impl Content {
    pub(super) const fn new(keeps: bool, is_whole: bool) -> Self {
        Self { keeps, is_whole, has_ended: false, certain: None }
    }

    /// Notes that bytes may be missing.
    pub(super) fn doubt(&mut self, kept: usize) {
        if !self.has_ended {
            self.certain.get_or_insert(kept);
        }
    }

    /// Adds content; gives how much of it was kept.
    pub(super) fn add(
        &mut self,
        bodies: Bodies,
        body: &mut Vec<u8>,
        length: &mut u64,
        bytes: &[u8],
        room: usize,
    ) -> usize {
        *length = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.keeps &= bytes.len() <= room;
        if !self.keeps || self.has_ended {
            return 0;
        }
        let before = body.len();
        bodies.keep(body, bytes);
        body.len().saturating_sub(before)
    }

    /// Whether so much came as its head declares, and for certain.
    pub(super) fn has_all(&self, declared: Option<u64>, length: u64) -> bool {
        self.is_whole && self.certain.is_none() && declared == Some(length)
    }

    /// Ends it with the length that its head declares, and gives how many bytes are missing at least.
    pub(super) fn close(self, declared: Option<u64>, body: &mut Vec<u8>, length: &mut u64) -> u64 {
        let Some(certain) = self.certain else { return 0 };
        if self.has_ended && declared == Some(*length) {
            return 0;
        }
        body.truncate(certain);
        let lost = declared.map_or(1, |declared| declared.saturating_sub(*length)).max(1);
        *length = length.saturating_add(lost);
        lost
    }
}
