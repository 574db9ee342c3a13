//! Puts the payload of one side in order.
//!
//! A capture may hold packets a little out of order: what a segment answers may come behind it, and so
//! may the packet that says where the stream begins. A segment is kept back until both are there, or
//! until whoever uses this has waited long enough.

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

/// A segment as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The number of its first byte.
    pub sequence: Sequence,
    /// Its bytes, as far as they were captured.
    pub payload: &'a [u8],
    /// Bytes on the wire.
    pub length: u32,
    /// What its sender has got of the other side.
    pub ack: Option<Sequence>,
    /// The frame.
    pub mark: Mark,
}

#[derive(Debug)]
struct Held {
    sequence: Sequence,
    /// Bytes on the wire; `bytes` may be fewer.
    length: u32,
    ack: Option<Sequence>,
    bytes: Box<[u8]>,
    mark: Mark,
}

/// One side of a stream.
///
/// Invariants: `held` is in order of its sequence numbers; it has at most `limits::HELD_SEGMENTS`
/// segments and `limits::HELD_BYTES` bytes, all of which are in the pool.
#[derive(Debug, Default)]
pub struct Reassembly {
    /// What comes next; `None` until it is known where the stream begins.
    next: Option<Sequence>,
    /// How far the other side was read; `None` where nobody waits for it.
    heard: Option<Sequence>,
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

    /// What comes next; `None` until it is known where the stream begins.
    pub const fn next(&self) -> Option<Sequence> {
        self.next
    }

    /// Says how far the other side was read: what answers more than that is kept back.
    pub const fn hear(&mut self, other: Option<Sequence>) {
        self.heard = other;
    }

    /// Whether something is held.
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Since when something waits for a hole to be filled.
    pub fn waits_since(&self) -> Option<Timestamp> {
        let (first, next) = (self.held.first()?, self.next?);
        (first.sequence.since(next) > 0).then_some(first.mark.at)
    }

    /// Since when something is kept back that would come next: it is not known that it does, or what
    /// it answers was not read.
    pub fn kept_since(&self) -> Option<Timestamp> {
        let first = self.held.first()?;
        let is_next = self.next.is_none_or(|next| first.sequence.since(next) <= 0);
        is_next.then_some(first.mark.at)
    }

    /// How far it was read, or where what is held begins: what answers more comes after that.
    pub fn reaches(&self) -> Option<Sequence> {
        self.next.or_else(|| self.first_held())
    }

    /// The first byte that is held.
    pub fn first_held(&self) -> Option<Sequence> {
        self.held.first().map(|held| held.sequence)
    }

    /// Whether a segment answers what was not read; the end of the other side takes one number.
    fn is_early(&self, ack: Option<Sequence>) -> bool {
        ack.zip(self.heard).is_some_and(|(ack, heard)| {
            let ahead = ack.since(heard);
            ahead > 1 && ahead.unsigned_abs() <= FAR
        })
    }

    /// Takes a segment.
    pub fn segment(
        &mut self,
        arrival: &Arrival<'_>,
        pool: &mut Pool,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let ahead = self.next.map(|next| arrival.sequence.since(next));
        match ahead {
            Some(ahead) if ahead > 0 && ahead.unsigned_abs() > FAR => {}
            Some(ahead) if ahead <= 0 && !self.is_early(arrival.ack) => {
                self.take(arrival.sequence, arrival.payload, arrival.length, arrival.mark, out);
                self.drain(pool, out);
            }
            Some(_) | None => self.hold(arrival, pool, out),
        }
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
        let next = *self.next.get_or_insert(sequence);
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

    fn hold(&mut self, arrival: &Arrival<'_>, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        let Arrival { sequence, payload, length, ack, mark } = *arrival;
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
        self.held.insert(place, Held { sequence, length, ack, bytes: payload.into(), mark });
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

    /// Gives up the first hole, and what the first segment waits for.
    fn skip(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some(first) = self.held.first() {
            let (to, mark) = (first.sequence, first.mark);
            self.jump(to, mark, out);
            self.take_first(pool, out);
            self.drain(pool, out);
        }
    }

    fn take_first(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        if self.held.is_empty() {
            return;
        }
        let held = self.held.remove(0);
        self.held_bytes = self.held_bytes.saturating_sub(held.bytes.len());
        pool.gives(held.bytes.len());
        self.take(held.sequence, &held.bytes, held.length, held.mark, out);
    }

    /// Gives out what follows without a hole, and need not be kept back.
    pub fn drain(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.held.first()) {
            if first.sequence.since(next) > 0 || self.is_early(first.ack) {
                break;
            }
            self.take_first(pool, out);
        }
    }

    /// Gives out what was kept back for too long.
    pub fn release(&mut self, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        if self.kept_since().is_some() {
            self.take_first(pool, out);
            self.drain(pool, out);
        }
    }

    /// Gives up the holes that the other side acknowledged: it has got what the capture has not. What
    /// stands behind them may still answer what was not read.
    pub fn acknowledged(&mut self, ack: Sequence, pool: &mut Pool, out: &mut dyn FnMut(Piece<'_>)) {
        while self.waits_since().is_some()
            && let Some((to, mark)) = self.held.first().map(|first| (first.sequence, first.mark))
            && ack.since(to) > 0
        {
            self.jump(to, mark, out);
            self.drain(pool, out);
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

    fn arrival(at: u32, payload: &[u8], length: u32, ack: Option<u32>, mark: Mark) -> Arrival<'_> {
        Arrival { sequence: Sequence(at), payload, length, ack: ack.map(Sequence), mark }
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
            stream.segment(&arrival(*at, data, *length, None, frame), &mut pool, &mut out);
        }
        stream.finish(&mut pool, &mut out);
        assert_eq!(pool.used(), 0);
        (bytes, gaps)
    }

    #[test]
    fn what_answers_is_kept_back_behind_a_hole_too() {
        let (mut stream, mut pool) = (Reassembly::default(), Pool::default());
        stream.start(Sequence(0));
        stream.hear(Some(Sequence(500)));
        let mut seen = Vec::new();
        stream.segment(&arrival(10, b"ab", 2, Some(700), mark(1)), &mut pool, &mut |_| {});
        stream.acknowledged(Sequence(12), &mut pool, &mut |piece| {
            seen.push(matches!(piece, Piece::Gap(10, _)));
        });
        assert_eq!(seen, [true], "the hole is given up, what answers is not read");
        stream.hear(Some(Sequence(700)));
        stream.drain(&mut pool, &mut |piece| {
            seen.push(matches!(piece, Piece::Data(b"ab", _)));
        });
        assert_eq!((seen, pool.used()), (vec![true, true], 0));
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
        stream.segment(&arrival(10, b"abc", 3, None, mark(1)), &mut pool, &mut out);
        stream.acknowledged(Sequence(10), &mut pool, &mut out);
        stream.acknowledged(Sequence(13), &mut pool, &mut out);
        assert_eq!(seen, [(10, 0), (3, 1)]);
    }

    #[test]
    fn what_answers_the_unread_is_kept_back() {
        let (mut stream, mut pool) = (Reassembly::default(), Pool::default());
        let mut seen = Vec::new();
        let mut out = |piece: Piece<'_>| {
            if let Piece::Data(data, _) = piece {
                seen.extend_from_slice(data);
            }
        };
        stream.start(Sequence(0));
        stream.hear(Some(Sequence(100)));
        stream.segment(&arrival(0, b"ab", 2, Some(101), mark(1)), &mut pool, &mut out);
        stream.segment(&arrival(2, b"cd", 2, Some(150), mark(2)), &mut pool, &mut out);
        stream.segment(&arrival(4, b"ef", 2, Some(150), mark(3)), &mut pool, &mut out);
        assert!(stream.kept_since().is_some() && stream.waits_since().is_none());
        stream.acknowledged(Sequence(6), &mut pool, &mut out);
        assert!(stream.is_waiting());
        stream.hear(Some(Sequence(150)));
        stream.drain(&mut pool, &mut out);
        assert_eq!((seen.as_slice(), pool.used()), (&b"abcdef"[..], 0));
    }

    #[test]
    fn a_stream_begins_where_it_is_said_to() {
        let (mut stream, mut pool) = (Reassembly::default(), Pool::default());
        let mut seen = Vec::new();
        let mut out = |piece: Piece<'_>| {
            if let Piece::Data(data, _) = piece {
                seen.extend_from_slice(data);
            }
        };
        stream.segment(&arrival(12, b"cd", 2, None, mark(1)), &mut pool, &mut out);
        stream.segment(&arrival(10, b"ab", 2, None, mark(2)), &mut pool, &mut out);
        assert_eq!(stream.first_held(), Some(Sequence(10)));
        stream.start(Sequence(10));
        stream.drain(&mut pool, &mut out);
        let mut late = Reassembly::default();
        late.segment(&arrival(7, b"ef", 2, None, mark(3)), &mut pool, &mut out);
        late.release(&mut pool, &mut out);
        assert_eq!((seen.as_slice(), pool.used()), (&b"abcdef"[..], 0));
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
