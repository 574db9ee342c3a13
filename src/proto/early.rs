//! Bytes that a client sent into a tunnel before the proxy granted it.
//!
//! Clients may not wait for the answer, and captures may hold a packet before the one it answers. The
//! bytes are kept with their frames, so that what is inside the tunnel is read from its first byte.
//! Nothing here knows what asked for the tunnel.
//!
//! Invariants: at most `limits::EARLY_BYTES` in at most `limits::EARLY_PIECES`; what comes after a
//! hole is never joined to what came before it.

use std::fmt;

use crate::limits;
use crate::proto::Mark;

/// What was sent early.
#[derive(Default)]
pub struct Early {
    pieces: Vec<(Mark, Vec<u8>)>,
    length: usize,
    lost: u64,
}

impl Early {
    /// Keeps as many of the bytes as there is room for, and says how many.
    pub(super) fn push(&mut self, bytes: &[u8], mark: Mark) -> usize {
        if self.lost > 0 {
            // Behind a hole only the length matters.
            self.lose(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            return bytes.len();
        }
        let room = limits::EARLY_BYTES.saturating_sub(self.length);
        let taken = bytes.get(..room).unwrap_or(bytes);
        if taken.is_empty() {
            return 0;
        }
        let full = self.pieces.len() >= limits::EARLY_PIECES;
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == mark => piece.extend_from_slice(taken),
            _ if full => return 0,
            _ => self.pieces.push((mark, taken.to_vec())),
        }
        self.length = self.length.saturating_add(taken.len());
        taken.len()
    }

    /// Notes bytes that the capture lost.
    pub(super) const fn lose(&mut self, length: u64) {
        self.lost = self.lost.saturating_add(length);
    }

    /// The first bytes, up to the end of their frame.
    pub(super) fn start(&self) -> &[u8] {
        self.pieces.first().map_or(&[], |(_, piece)| piece)
    }

    /// The bytes in the order they were sent, each piece with its frame.
    pub fn pieces(&self) -> impl Iterator<Item = (&[u8], Mark)> {
        self.pieces.iter().map(|(mark, piece)| (piece.as_slice(), *mark))
    }

    /// Bytes that were sent after these pieces and are missing.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether nothing was sent.
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.lost == 0
    }

    /// Bytes held.
    pub(super) const fn held(&self) -> usize {
        self.length
    }
}

impl fmt::Debug for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Early")
            .field("pieces", &self.pieces.len())
            .field("length", &self.length)
            .field("lost", &self.lost)
            .finish()
    }
}
