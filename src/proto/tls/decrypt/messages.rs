//! Puts handshake messages together, in clear or opened.
//!
//! It follows RFC 8446 section 5.1: messages may be split over records and share them.
//!
//! Invariants: at most one message is held, of at most [`limits::TLS_MESSAGE`] bytes, and only while
//! it is incomplete; a message that is not wanted is passed over and never held.

use std::borrow::Cow;

use crate::limits;

/// The message that is incomplete.
#[derive(Debug, Default)]
pub(super) struct Messages {
    header: [u8; 4],
    /// Bytes of the header that are there: `0 <= have <= 4`.
    have: u8,
    /// Bytes of the message still to come.
    left: u32,
    held: Vec<u8>,
    /// Whether the message is passed over.
    discard: bool,
}

/// A whole message.
pub(super) struct Message<'a> {
    pub(super) header: [u8; 4],
    pub(super) body: Cow<'a, [u8]>,
}

impl Message<'_> {
    pub(super) const fn kind(&self) -> u8 {
        let [kind, ..] = self.header;
        kind
    }
}

impl Messages {
    /// Takes what the message needs of `rest`; it gives the message when it is whole and wanted.
    pub(super) fn take<'a>(
        &mut self,
        rest: &mut &'a [u8],
        is_wanted: impl Fn(u8) -> bool,
    ) -> Option<Message<'a>> {
        while self.have < 4 {
            let (byte, behind) = rest.split_first()?;
            if let Some(slot) = self.header.get_mut(usize::from(self.have)) {
                *slot = *byte;
            }
            self.have = self.have.saturating_add(1);
            *rest = behind;
            if self.have == 4 {
                let [kind, high, mid, low] = self.header;
                self.left = u32::from_be_bytes([0, high, mid, low]);
                self.discard = !is_wanted(kind) || self.left > limits::TLS_MESSAGE;
            }
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at_checked(count).unwrap_or((*rest, &[]));
        *rest = behind;
        self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        if self.left > 0 {
            if !self.discard {
                self.held.extend_from_slice(piece);
            }
            return None;
        }
        let body = if self.held.is_empty() {
            Cow::Borrowed(piece)
        } else {
            self.held.extend_from_slice(piece);
            Cow::Owned(std::mem::take(&mut self.held))
        };
        let message = (!self.discard).then_some(Message { header: self.header, body });
        self.reset();
        message
    }

    /// Forgets what is incomplete.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Bytes held.
    pub(super) const fn held(&self) -> usize {
        self.held.capacity()
    }
}
