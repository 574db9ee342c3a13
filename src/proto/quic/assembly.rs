//! Puts a TLS message together from CRYPTO frames that come in any order (RFC 9000 section 19.6).
//!
//! It must not know keys or packets, nor what the message says.
//!
//! Invariants: `pieces` are sorted, do not touch, and lie within `bytes`; `bytes` are at most
//! [`limits::QUIC_CRYPTO`]; of bytes that come twice the first stay.

use std::ops::Range;

use crate::limits;
use crate::proto::Mark;

/// The beginning of the handshake of one side.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    bytes: Vec<u8>,
    pieces: Vec<Range<usize>>,
    /// The frames that the first and the last piece came in, in the order of the capture.
    seen: Option<(Mark, Mark)>,
}

/// A whole message, and the frames it came in.
pub(super) type Message = (Vec<u8>, Mark, Mark);

/// What is known of the message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Some of it is missing.
    Missing,
    /// It cannot be a message of the expected type.
    Wrong,
    /// All of it is there.
    Whole,
}

impl Assembly {
    /// Bytes that it holds.
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes a piece; what lies beyond the bounds is left out.
    pub(super) fn insert(&mut self, offset: u64, data: &[u8], mark: Mark) {
        let Ok(start) = usize::try_from(offset) else { return };
        let room = limits::QUIC_CRYPTO.saturating_sub(start);
        let data = data.get(..room).unwrap_or(data);
        let end = start.saturating_add(data.len());
        if start == end {
            return;
        }
        // The pieces that the new one overlaps or touches.
        let low = self.pieces.partition_point(|piece| piece.end < start);
        let high = self.pieces.partition_point(|piece| piece.start <= end);
        if low == high && self.pieces.len() >= limits::QUIC_PIECES {
            return;
        }
        let touched = self.pieces.get(low..high).unwrap_or_default();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut at = start;
        for piece in touched {
            fill(&mut self.bytes, start, data, at..piece.start.min(end));
            at = at.max(piece.end);
        }
        fill(&mut self.bytes, start, data, at..end);
        let joined = touched.first().map_or(start, |piece| piece.start.min(start))
            ..touched.last().map_or(end, |piece| piece.end.max(end));
        self.pieces.splice(low..high, [joined]);
        let (first, _) = self.seen.unwrap_or((mark, mark));
        self.seen = Some((first, mark));
    }

    /// Whether the message that begins the handshake is there; `kind` is its type (RFC 8446 section 4).
    pub(super) fn progress(&self, kind: u8) -> Progress {
        let Some(end) = self.pieces.first().filter(|piece| piece.start == 0).map(|piece| piece.end)
        else {
            return Progress::Missing;
        };
        match (self.bytes.get(..end).unwrap_or_default(), self.length()) {
            ([first, ..], _) if *first != kind => Progress::Wrong,
            (_, Some(length)) if length > limits::QUIC_CRYPTO => Progress::Wrong,
            (read, Some(length)) if read.len() >= length => Progress::Whole,
            _ => Progress::Missing,
        }
    }

    /// The length of the message, its header included, once that is there.
    fn length(&self) -> Option<usize> {
        let first = self.pieces.first().filter(|piece| piece.start == 0 && piece.end >= HEADER)?;
        let [_, a, b, c] = *self.bytes.get(..first.end)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?.checked_add(HEADER)
    }

    /// Gives the message away when it is whole; nothing of it is kept.
    pub(super) fn take(&mut self) -> Option<Message> {
        let length = self.length()?;
        let Self { mut bytes, seen, .. } = std::mem::take(self);
        bytes.truncate(length);
        bytes.shrink_to_fit();
        let (first, last) = seen?;
        Some((bytes, first, last))
    }
}

/// Copies the part of `data`, which belongs at `start`, that belongs in `range`.
fn fill(bytes: &mut [u8], start: usize, data: &[u8], range: Range<usize>) {
    let from = range.start.saturating_sub(start)..range.end.saturating_sub(start);
    if let (Some(to), Some(from)) = (bytes.get_mut(range), data.get(from)) {
        to.copy_from_slice(from);
    }
}

/// Bytes of the header of a TLS message.
const HEADER: usize = 4;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn mark(frame: usize) -> Mark {
        let frame = NonZeroU64::new(u64::try_from(frame).unwrap()).unwrap();
        Mark { frame, at: Timestamp::from_nanoseconds(0) }
    }

    fn message(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![1, 0, high, low];
        bytes.extend((0..length).map(|at| at.to_be_bytes()[1]));
        bytes
    }

    #[test]
    fn what_is_no_message_of_the_type() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.progress(1), Progress::Missing);
        assembly.insert(0, b"", mark(1));
        assert_eq!(assembly.progress(1), Progress::Missing);
        assembly.insert(0, b"\x02", mark(1));
        assert_eq!(assembly.progress(1), Progress::Wrong);
        let mut assembly = Assembly::default();
        assembly.insert(0, b"\x01\x01\0\0", mark(1));
        assert_eq!(assembly.progress(1), Progress::Wrong);
    }

    #[test]
    fn the_bounds_hold() {
        let mut assembly = Assembly::default();
        assembly.insert(u64::MAX, b"a", mark(1));
        assembly.insert(1 << 40, b"a", mark(1));
        assert_eq!(assembly.held(), 0);
        assembly.insert(u64::try_from(limits::QUIC_CRYPTO).unwrap() - 1, b"ab", mark(1));
        assert_eq!(assembly.bytes.len(), limits::QUIC_CRYPTO);
        let mut assembly = Assembly::default();
        for at in 0..4096 {
            assembly.insert(2 * at, b"a", mark(1));
        }
        assert_eq!(assembly.pieces.len(), limits::QUIC_PIECES);
        // What fills a hole is still taken.
        assembly.insert(1, b"a", mark(1));
        assert_eq!(assembly.pieces.len(), limits::QUIC_PIECES - 1);
    }

    #[test]
    fn the_first_copy_stays() {
        let mut assembly = Assembly::default();
        assembly.insert(2, b"\0\x04", mark(2));
        assembly.insert(5, b"b", mark(3));
        assembly.insert(0, b"\x01\0XXaXcX", mark(4));
        assert_eq!(assembly.progress(1), Progress::Whole);
        assert_eq!(assembly.take().unwrap(), (b"\x01\0\0\x04abcX".to_vec(), mark(2), mark(4)));
        assert_eq!((assembly.held(), assembly.take()), (0, None));
    }

    proptest! {
        #[test]
        fn any_order_overlap_and_repetition(
            length in 1_u16..600,
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 1_usize..200), 0..40),
            order in any::<u64>(),
        ) {
            let want = message(length);
            let mut pieces: Vec<_> = cuts
                .iter()
                .map(|(at, size)| {
                    let at = at.index(want.len());
                    at..at.saturating_add(*size).min(want.len())
                })
                .chain((0..want.len()).step_by(50).map(|at| at..at.saturating_add(50).min(want.len())))
                .collect();
            // An order that depends on nothing but the number.
            pieces.sort_by_key(|piece| {
                let seed = u64::try_from(piece.start.saturating_mul(1000).saturating_add(piece.end)).unwrap();
                seed.wrapping_mul(order | 1).rotate_left(17)
            });
            let mut assembly = Assembly::default();
            let mut covered = vec![false; want.len()];
            for (piece, frame) in pieces.into_iter().zip(1..) {
                covered[piece.clone()].fill(true);
                let offset = u64::try_from(piece.start).unwrap();
                assembly.insert(offset, &want[piece], mark(frame));
                let whole = covered.iter().all(|covered| *covered);
                prop_assert_eq!(assembly.progress(1) == Progress::Whole, whole);
                prop_assert!(assembly.pieces.windows(2).all(|two| two[0].end < two[1].start));
            }
            prop_assert_eq!(assembly.take().unwrap().0, want);
        }
    }
}
