//! Puts the payload of one side in order.

use super::Sequence;
use crate::limits;
use crate::proto::Mark;
use crate::time::Timestamp;

/// Bytes ahead beyond which a segment does not belong to the stream.
const FAR: u32 = 16 << 20;

/// Bytes held by all streams together.
#[derive(Debug, Default)]
pub struct Pool {
    /// Invariant: the sum of what all streams hold, `<= limits::REASSEMBLY`.
    used: usize,
}

impl Pool {
    /// Bytes held.
    pub const fn used(&self) -> usize {
        self.used
    }

    fn takes(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        if used > limits::REASSEMBLY {
            return false;
        }
        self.used = used;
        true
    }

    fn gives(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

/// A piece of a stream, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes, and the frame they came with.
    Data(&'a [u8], Mark),
    /// So many bytes that the capture does not hold, and the frame behind them.
    Gap(u64, Mark),
}

#[derive(Debug)]
struct Held {
    sequence: Sequence,
    /// Bytes on the wire; `bytes` may be fewer.
    length: u32,
    bytes: Box<[u8]>,
    mark: Mark,
}

/// One side of a stream.
///
/// Invariants: `held` is in order of its sequence numbers and lies behind `next`; it has at most
/// `limits::HELD_SEGMENTS` segments and `limits::HELD_BYTES` bytes, all of which are in the pool.
#[derive(Debug, Default)]
pub struct Reassembly {
    next: Option<Sequence>,
    held: Vec<Held>,
    held_bytes: usize,
}

impl Reassembly {
    /// Says where the stream begins.
    pub fn start(&mut self, at: Sequence) {
        if self.next.is_none() {
            self.next = Some(at);
        }
    }

    /// Whether something waits for a hole to be filled.
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Since when something waits for a hole to be filled.
    pub fn waits_since(&self) -> Option<Timestamp> {
        self.held.first().map(|held| held.mark.at)
    }

    /// Takes a segment, of which `length` bytes were on the wire.
    pub fn segment(
        &mut self,
        sequence: Sequence,
        payload: &[u8],
        length: u32,
        mark: Mark,
        pool: &mut Pool,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.since(next);
        if ahead > 0 {
            if ahead.unsigned_abs() <= FAR {
                self.hold(sequence, payload, length, mark, pool, out);
            }
            return;
        }
        self.take(sequence, payload, length, mark, out);
        self.drain(pool, out);
    }

    /// Gives out what of a segment is new; it begins at or before `next`.
    fn take(
        &mut self,
        sequence: Sequence,
        payload: &[u8],
        length: u32,
        mark: Mark,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let Some(next) = self.next else { return };
        let known = next.since(sequence).max(0).unsigned_abs();
        if known >= length {
            return;
        }
        let fresh = usize::try_from(known).ok().and_then(|known| payload.get(known..));
        let fresh = fresh.unwrap_or_default();
        if !fresh.is_empty() {
            out(Piece::Data(fresh, mark));
        }
        let here = u32::try_from(payload.len()).unwrap_or(u32::MAX).max(known);
        let cut = length.saturating_sub(here);
        if cut > 0 {
            out(Piece::Gap(u64::from(cut), mark));
        }
        self.next = Some(sequence.plus(length));
    }

    fn hold(
        &mut self,
        sequence: Sequence,
        payload: &[u8],
        length: u32,
        mark: Mark,
        pool: &mut Pool,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let place = self.held.partition_point(|held| held.sequence.since(sequence) < 0);
        if let Some(known) = self.held.get(place)
            && known.sequence == sequence
            && known.length >= length
        {
            return;
        }
        loop {
            let full = self.held.len() >= limits::HELD_SEGMENTS
                || self.held_bytes.saturating_add(payload.len()) > limits::HELD_BYTES;
            if !full && pool.takes(payload.len()) {
                break;
            }
            if self.held.is_empty() {
                // There is no room at all: what lies before is given up at once.
                self.jump(sequence, mark, out);
                self.take(sequence, payload, length, mark, out);
                return;
            }
            self.skip(pool, out);
            if self.next.is_some_and(|next| sequence.since(next) <= 0) {
                self.take(sequence, payload, length, mark, out);
                self.drain(pool, out);
                return;
            }
        }
        self.held_bytes = self.held_bytes.saturating_add(payload.len());
        let place = self.held.partition_point(|held| held.sequence.since(sequence) < 0);
        self.held.insert(place, Held { sequence, length, bytes: payload.into(), mark });
    }

    fn jump(&mut self, to: Sequence, mark: Mark, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some(next) = self.next {
            let missing = to.since(next);
            if missing > 0 {
                out(Piece::Gap(u64::from(missing.unsigned_abs()), mark));
                self.next = Some(to);
            }
        }
    }

    /// Gives up the first hole.
    fn skip(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some(first) = self.held.first() {
            let (to, mark) = (first.sequence, first.mark);
            self.jump(to, mark, out);
            self.drain(pool, out);
        }
    }

    /// Gives out what follows without a hole.
    fn drain(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.held.first()) {
            if first.sequence.since(next) > 0 {
                break;
            }
            let held = self.held.remove(0);
            self.held_bytes = self.held_bytes.saturating_sub(held.bytes.len());
            pool.gives(held.bytes.len());
            self.take(held.sequence, &held.bytes, held.length, held.mark, out);
        }
    }

    /// Gives up the holes that the other side acknowledged: it has got what the capture has not.
    pub fn acknowledged(&mut self, ack: Sequence, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        while let Some(first) = self.held.first() {
            if ack.since(first.sequence) <= 0 {
                break;
            }
            self.skip(pool, out);
        }
    }

    /// Gives up all holes: no more will come.
    pub fn finish(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        while !self.held.is_empty() {
            self.skip(pool, out);
        }
    }

    /// Lets go of what is held, unread.
    pub fn abandon(&mut self, pool: &mut Pool) {
        for held in self.held.drain(..) {
            pool.gives(held.bytes.len());
        }
        self.held_bytes = 0;
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test support")]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;

    fn mark(frame: u64) -> Mark {
        Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
    }

    /// What comes out, gaps as zeros.
    fn collect(segments: &[(u32, &[u8], u32)], start: u32) -> (Vec<u8>, u64) {
        let (mut stream, mut pool) = (Reassembly::default(), Pool::default());
        let (mut bytes, mut gaps) = (Vec::new(), 0);
        stream.start(Sequence(start));
        let mut out = |piece: Piece<'_>| match piece {
            Piece::Data(data, _) => bytes.extend_from_slice(data),
            Piece::Gap(length, _) => {
                gaps += length;
                bytes.resize(bytes.len() + usize::try_from(length).unwrap(), 0);
            }
        };
        for (index, (at, data, length)) in segments.iter().enumerate() {
            let frame = mark(u64::try_from(index).unwrap() + 1);
            stream.segment(Sequence(*at), data, *length, frame, &mut pool, &mut out);
        }
        stream.finish(&mut pool, &mut out);
        assert_eq!(pool.used(), 0);
        (bytes, gaps)
    }

    #[test]
    fn a_cut_segment_leaves_a_gap() {
        let (bytes, gaps) = collect(&[(5, b"abc", 5), (10, b"xyz", 3)], 5);
        assert_eq!((bytes.as_slice(), gaps), (&b"abc\0\0xyz"[..], 2));
    }

    #[test]
    fn what_is_acknowledged_is_not_waited_for() {
        let (mut stream, mut pool) = (Reassembly::default(), Pool::default());
        let mut seen = Vec::new();
        let mut out = |piece: Piece<'_>| {
            seen.push(match piece {
                Piece::Data(data, mark) => (u64::try_from(data.len()).unwrap(), mark.frame.get()),
                Piece::Gap(length, _) => (length, 0),
            });
        };
        stream.start(Sequence(0));
        stream.segment(Sequence(10), b"abc", 3, mark(1), &mut pool, &mut out);
        stream.acknowledged(Sequence(10), &mut pool, &mut out);
        stream.acknowledged(Sequence(13), &mut pool, &mut out);
        assert_eq!(seen, [(10, 0), (3, 1)]);
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_bytes(
            start in any::<u32>(),
            cuts in proptest::collection::vec(1_usize..40, 1..30),
            order in proptest::collection::vec(any::<u16>(), 60),
            overlap in 0_usize..20,
        ) {
            let total: usize = cuts.iter().sum();
            let data: Vec<u8> = (0..total).map(|at| u8::try_from(at % 251 + 1).unwrap()).collect();
            let mut segments = Vec::new();
            let mut at = 0;
            for cut in &cuts {
                let end = (at + cut + overlap).min(total);
                let sequence = start.wrapping_add(u32::try_from(at).unwrap());
                segments.push((sequence, &data[at..end], u32::try_from(end - at).unwrap()));
                at += cut;
            }
            let twice = segments.clone();
            segments.extend(twice);
            let mut keyed: Vec<_> = segments.into_iter().zip(order).collect();
            keyed.sort_by_key(|(_, key)| *key);
            let shuffled: Vec<_> = keyed.into_iter().map(|(one, _)| one).collect();
            let (bytes, gaps) = collect(&shuffled, start);
            prop_assert_eq!(gaps, 0);
            prop_assert_eq!(bytes, data);
        }
    }
}
