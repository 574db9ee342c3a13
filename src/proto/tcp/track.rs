//! Follows the sequence numbers of one side of a connection.

use std::num::NonZeroU64;
use std::time::Duration;

use super::Sequence;
use crate::time::Timestamp;

/// Within this time an identical segment with the same IP identification is a copy that the capture
/// took twice, as a mirrored port or a second component of the system does.
const COPY: Duration = Duration::from_millis(1);
/// A hole that is filled within this time was reordering; later it was a loss.
const REORDERED: Duration = Duration::from_millis(20);
/// A segment that lies further ahead than any window does not belong to the connection.
const FAR: i32 = 1 << 30;
/// Holes followed at once.
const HOLES: usize = 3;
/// Ranges remembered that came out of order.
const CAME_LATE: usize = 2;
/// Packets that a sender numbers one after the other: one whose number is lower by less than this was
/// sent before the other (RFC 6864 section 3 lets senders choose, and most count).
const NUMBERED: u16 = 1 << 10;
/// An odd number whose bits are spread evenly (the golden ratio, as of old).
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

/// One segment as the tracker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Its sequence number.
    pub sequence: Sequence,
    /// Bytes of payload on the wire.
    pub length: u32,
    /// Whether it opens the side.
    pub is_syn: bool,
    /// Whether it ends the side.
    pub is_fin: bool,
    /// The identification of its IP packet.
    pub ip_id: Option<u16>,
    /// Its acknowledgement, flags and window, to recognise copies.
    pub signature: u64,
    /// When it was captured.
    pub at: Timestamp,
}

impl Unit {
    /// A number that two segments share when all their parts are equal: each of very many connections
    /// remembers some, so that the parts themselves would take too much room.
    fn fingerprint(&self) -> NonZeroU64 {
        let id = self.ip_id.map_or(1 << 16, u64::from);
        let place = u64::from(self.sequence.0) << 32 | u64::from(self.length);
        let mixed = [place, self.signature, id].into_iter().fold(0_u64, |state, part| {
            let state = (state ^ part).wrapping_mul(MIXER);
            state ^ state >> 32
        });
        NonZeroU64::new(mixed).unwrap_or(NonZeroU64::MIN)
    }
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It holds no bytes of the stream.
    Empty,
    /// The same packet once more: the capture took it twice.
    Copy,
    /// It fills a hole.
    Late,
    /// It asks whether the other side is still there.
    KeepAlive,
    /// It brings bytes that were not seen.
    New,
    /// It does not belong here.
    Foreign,
    /// Its bytes were seen: it was sent again.
    Repeated,
}

/// What is missing, and what came out of order.
#[derive(Clone, Debug, Default)]
struct Gaps {
    holes: [Option<Hole>; HOLES],
    /// When a hole was found that there was no room for.
    crowded: Option<Timestamp>,
    /// Ranges that came out of order, the last one first: a sender that took them for lost sends them
    /// again.
    late: [Option<(Sequence, Sequence)>; CAME_LATE],
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    from: Sequence,
    to: Sequence,
    /// The identification of the packet behind it.
    ip_id: Option<u16>,
    /// `None` where an acknowledgement told of it.
    since: Option<Timestamp>,
    /// Whether the other side acknowledged what is missing, so that it is counted.
    is_acked: bool,
}

impl Hole {
    /// Whether what fills the hole was on its way when the packet behind the hole passed it by, and was
    /// not sent again: it came soon, or it has the number of an earlier packet.
    fn was_passed_by(&self, unit: &Unit) -> bool {
        let soon = self.since.is_none_or(|since| unit.at.since(since) <= REORDERED);
        let numbers = self.ip_id.zip(unit.ip_id).filter(|(behind, own)| *behind != 0 && *own != 0);
        let earlier =
            numbers.is_some_and(|(behind, own)| (1..NUMBERED).contains(&behind.wrapping_sub(own)));
        soon || earlier
    }
}

/// A segment that was seen last, to recognise its copy.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: NonZeroU64,
    at: Timestamp,
}

/// Bytes that were sent again and again and never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How often they were sent again.
    pub tries: u16,
    /// Bytes that wait for their acknowledgement.
    pub bytes: u32,
    /// The longest segment among them.
    pub longest: u32,
    /// When the first of them was sent.
    pub since: Timestamp,
    /// When one of them was sent last.
    pub until: Timestamp,
}

/// Where one side stands.
#[derive(Clone, Debug, Default)]
pub struct Track {
    recent: [Option<Seen>; 2],
    /// The end of what was sent so far.
    high: Option<Sequence>,
    /// What the other side has acknowledged.
    acked: Option<Sequence>,
    /// Holes are rare, so that their room is not taken where there are none.
    gaps: Option<Box<Gaps>>,
    longest: u32,
    tries: u16,
    waiting: Option<(Timestamp, Timestamp)>,
    /// Bytes of payload, each counted once.
    pub bytes: u64,
    /// Segments, those without payload included; copies are not counted.
    pub segments: u32,
    /// Segments with payload.
    pub with_payload: u32,
    /// Bytes that the other side acknowledged and that the capture never saw.
    pub missing: u64,
    /// The longest segment that was acknowledged.
    passed: u32,
    isn: Option<Sequence>,
    /// Segments that were sent again although they had been seen.
    pub repeated: u32,
    /// Segments that were lost on the way to the place of the capture, and came later.
    pub lost: u32,
    /// Segments that came out of order.
    pub reordered: u32,
    /// Segments that the capture took twice.
    pub copies: u32,
}

impl Track {
    /// The end of what was sent so far.
    pub const fn high(&self) -> Option<Sequence> {
        self.high
    }

    /// The first sequence number, where the side was seen to open.
    pub const fn isn(&self) -> Option<Sequence> {
        self.isn
    }

    /// The longest segment of payload that the other side acknowledged.
    pub const fn longest_passed(&self) -> u32 {
        self.passed
    }

    /// Takes a segment of this side.
    pub fn segment(&mut self, unit: &Unit) -> Kind {
        let fingerprint = unit.fingerprint();
        if self.is_copy(unit, fingerprint) {
            self.copies = self.copies.saturating_add(1);
            return Kind::Copy;
        }
        let [last, _] = self.recent;
        self.recent = [Some(Seen { fingerprint, at: unit.at }), last];
        self.segments = self.segments.saturating_add(1);
        if unit.length > 0 {
            self.with_payload = self.with_payload.saturating_add(1);
        }
        let start = unit.sequence.plus(u32::from(unit.is_syn));
        let end = start.plus(unit.length).plus(u32::from(unit.is_fin));
        if unit.is_syn {
            if self.isn.is_some_and(|isn| isn == unit.sequence) {
                return Kind::Repeated;
            }
            self.isn = Some(unit.sequence);
            self.high = Some(self.high.map_or(end, |high| high.max(end)));
            self.bytes = self.bytes.saturating_add(u64::from(unit.length));
            return if unit.length > 0 { Kind::New } else { Kind::Empty };
        }
        let Some(high) = self.high else {
            self.high = Some(end);
            self.bytes = self.bytes.saturating_add(u64::from(unit.length));
            self.wait(unit);
            return if unit.length > 0 { Kind::New } else { Kind::Empty };
        };
        let ahead = start.since(high);
        if !(-FAR..=FAR).contains(&ahead) {
            return Kind::Foreign;
        }
        if unit.length == 0 {
            if unit.is_fin {
                self.high = Some(high.max(end));
            }
            return if ahead == -1 { Kind::KeepAlive } else { Kind::Empty };
        }
        if unit.length == 1 && ahead == -1 {
            return Kind::KeepAlive;
        }
        if ahead >= 0 {
            if ahead > 0 {
                self.open_hole(Hole {
                    from: high,
                    to: start,
                    ip_id: unit.ip_id,
                    since: Some(unit.at),
                    is_acked: false,
                });
            }
            self.high = Some(end);
            self.bytes = self.bytes.saturating_add(u64::from(unit.length));
            self.wait(unit);
            return Kind::New;
        }
        if let Some(hole) = self.close_hole(start, end) {
            self.bytes = self.bytes.saturating_add(u64::from(unit.length));
            if hole.is_acked {
                // It was there all the time, and the capture has it behind its acknowledgement.
                let from = if start.since(hole.from) > 0 { start } else { hole.from };
                let to = if end.since(hole.to) < 0 { end } else { hole.to };
                let found = u64::from(to.since(from).max(0).unsigned_abs());
                self.missing = self.missing.saturating_sub(found);
            }
            if hole.was_passed_by(unit) {
                self.reordered = self.reordered.saturating_add(1);
                self.came_late(start, end);
            } else {
                self.lost = self.lost.saturating_add(1);
            }
            self.high = Some(high.max(end));
            return Kind::Late;
        }
        let fresh = end.since(high);
        if fresh > 0 {
            self.high = Some(end);
            self.bytes = self.bytes.saturating_add(u64::from(fresh.unsigned_abs()));
        }
        if self.is_out_of_order(unit, start, end) {
            self.reordered = self.reordered.saturating_add(1);
        } else {
            self.repeated = self.repeated.saturating_add(1);
        }
        if self.acked.is_none_or(|acked| end.since(acked) > 0) {
            self.tries = self.tries.saturating_add(1);
            self.longest = self.longest.max(unit.length);
            self.wait(unit);
        }
        Kind::Repeated
    }

    fn is_copy(&self, unit: &Unit, fingerprint: NonZeroU64) -> bool {
        self.recent.iter().flatten().any(|seen| {
            seen.fingerprint == fingerprint
                && unit.at.since(seen.at) <= COPY
                // Without payload and identification two equal segments may both be meant.
                && (unit.length > 0 || unit.is_syn || unit.is_fin || unit.ip_id.is_some_and(|id| id != 0))
        })
    }

    fn wait(&mut self, unit: &Unit) {
        if unit.length == 0 {
            return;
        }
        self.longest = self.longest.max(unit.length);
        self.waiting = Some(self.waiting.map_or((unit.at, unit.at), |(from, _)| (from, unit.at)));
    }

    /// Whether a segment of bytes that are not known to be missing is no repetition of something lost:
    /// there was no room to note that they are missing, or they came out of order and the sender took
    /// them for lost.
    fn is_out_of_order(&self, unit: &Unit, start: Sequence, end: Sequence) -> bool {
        let Some(gaps) = &self.gaps else { return false };
        let crowded = gaps.crowded.is_some_and(|at| unit.at.since(at) <= REORDERED);
        let unacked = self.acked.is_none_or(|acked| end.since(acked) > 0);
        crowded && unacked
            || gaps
                .late
                .iter()
                .flatten()
                .any(|(from, to)| start.since(*from) >= 0 && end.since(*to) <= 0)
    }

    /// Notes a range that came out of order.
    fn came_late(&mut self, start: Sequence, end: Sequence) {
        let gaps = self.gaps.get_or_insert_default();
        gaps.late.rotate_right(1);
        if let Some(first) = gaps.late.first_mut() {
            *first = Some((start, end));
        }
    }

    fn open_hole(&mut self, hole: Hole) {
        let gaps = self.gaps.get_or_insert_default();
        let holes = &mut gaps.holes;
        // Those that were acknowledged are mostly lost, and give way.
        let free = holes.iter().position(Option::is_none);
        let free =
            free.or_else(|| holes.iter().position(|hole| hole.is_some_and(|one| one.is_acked)));
        match free.and_then(|index| holes.get_mut(index)) {
            Some(free) => *free = Some(hole),
            None => gaps.crowded = hole.since,
        }
    }

    /// The hole that a segment lies in, made smaller by it.
    fn close_hole(&mut self, start: Sequence, end: Sequence) -> Option<Hole> {
        let place = self.gaps.as_mut()?.holes.iter_mut().find(|hole| {
            hole.is_some_and(|hole| start.since(hole.to) < 0 && end.since(hole.from) > 0)
        })?;
        let hole = (*place)?;
        *place = if start.since(hole.from) <= 0 && end.since(hole.to) < 0 {
            Some(Hole { from: end, ..hole })
        } else if start.since(hole.from) > 0 {
            Some(Hole { to: start, ..hole })
        } else {
            None
        };
        if start.since(hole.from) > 0 && end.since(hole.to) < 0 {
            self.open_hole(Hole { from: end, ..hole });
        }
        Some(hole)
    }

    /// Takes an acknowledgement by the other side.
    pub fn acknowledge(&mut self, ack: Sequence) {
        if self.high.is_none_or(|high| ack.since(high) > FAR || high.since(ack) > FAR) {
            return;
        }
        if self.acked.is_none_or(|acked| ack.since(acked) > 0) {
            self.acked = Some(ack);
            self.passed = self.passed.max(self.longest);
            if self.high.is_some_and(|high| high.since(ack) <= 0) {
                self.waiting = None;
                self.longest = 0;
            }
            self.tries = 0;
        }
        for place in self.gaps.iter_mut().flat_map(|gaps| gaps.holes.iter_mut()) {
            if let Some(hole) = place
                && !hole.is_acked
                && ack.since(hole.to) >= 0
            {
                let length = hole.to.since(hole.from);
                self.missing = self.missing.saturating_add(u64::from(length.max(0).unsigned_abs()));
                hole.is_acked = true;
            }
        }
        if let Some(high) = self.high {
            let beyond = ack.since(high);
            if beyond > 1 && self.isn.is_some() {
                self.missing = self.missing.saturating_add(u64::from(beyond.unsigned_abs()));
                self.high = Some(ack);
                let hole = Hole { from: high, to: ack, ip_id: None, since: None, is_acked: true };
                self.open_hole(hole);
            }
        }
    }

    /// Bytes that wait for an acknowledgement.
    pub fn outstanding(&self) -> u32 {
        let (Some(high), Some(acked)) = (self.high, self.acked.or(self.isn)) else { return 0 };
        high.since(acked).max(0).unsigned_abs()
    }

    /// What is sent again and again without an acknowledgement, where something is.
    pub fn stall(&self) -> Option<Stall> {
        let (since, until) = self.waiting?;
        let bytes = self.outstanding();
        (bytes > 0).then_some(Stall {
            tries: self.tries,
            bytes,
            longest: self.longest,
            since,
            until,
        })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test support")]
mod tests {
    use super::*;

    fn unit(sequence: u32, length: u32, milliseconds: i64) -> Unit {
        Unit {
            sequence: Sequence(sequence),
            length,
            is_syn: false,
            is_fin: false,
            ip_id: Some(u16::try_from(sequence & 0xffff).unwrap()),
            signature: 1,
            at: Timestamp::from_nanoseconds(milliseconds * 1_000_000),
        }
    }

    #[test]
    fn holes_are_told_apart() {
        let mut track = Track::default();
        assert_eq!(track.segment(&unit(1000, 100, 0)), Kind::New);
        assert_eq!(track.segment(&unit(1200, 100, 1)), Kind::New);
        assert_eq!(track.segment(&unit(1100, 100, 2)), Kind::Late);
        assert_eq!(track.reordered, 1);
        assert_eq!(track.segment(&unit(1400, 100, 3)), Kind::New);
        let again = Unit { ip_id: Some(9_000), ..unit(1300, 100, 300) };
        assert_eq!(track.segment(&again), Kind::Late);
        assert_eq!((track.lost, track.missing), (1, 0));
        assert_eq!(track.segment(&unit(1600, 100, 400)), Kind::New);
        track.acknowledge(Sequence(1700));
        assert_eq!((track.missing, track.bytes), (100, 600));
    }

    /// A path of two lines of which one is longer by some milliseconds.
    #[test]
    fn much_out_of_order_is_no_loss() {
        let mut track = Track::default();
        track.segment(&Unit { is_syn: true, ..unit(999, 0, 0) });
        // Each second segment comes twelve places later: more are missing at once than are followed.
        let mut come: Vec<(i64, u32)> = (0..200_u32)
            .map(|index| (i64::from(index) + if index % 2 == 1 { 12 } else { 0 }, index))
            .collect();
        come.sort_unstable();
        for (at, index) in come {
            let ip_id = Some(u16::try_from(7 + index).unwrap());
            track.segment(&Unit { ip_id, ..unit(1000 + 100 * index, 100, at) });
        }
        assert_eq!((track.lost, track.repeated), (0, 0), "{track:?}");
        assert!(track.reordered > 90, "{track:?}");
    }

    #[test]
    fn what_was_sent_earlier_is_no_loss_however_late() {
        let mut track = Track::default();
        let numbered = |sequence, id, at| Unit { ip_id: Some(id), ..unit(sequence, 100, at) };
        track.segment(&numbered(1000, 65_534, 0));
        track.segment(&numbered(1200, 1, 1));
        assert_eq!(track.segment(&numbered(1100, 65_535, 41)), Kind::Late);
        // The sender took it for lost.
        assert_eq!(track.segment(&numbered(1100, 2, 60)), Kind::Repeated);
        assert_eq!((track.reordered, track.lost, track.repeated), (2, 0, 0));
        // Sent again after its successors, with a number of its own.
        track.segment(&numbered(1400, 4, 61));
        assert_eq!(track.segment(&numbered(1300, 5, 300)), Kind::Late);
        assert_eq!(track.lost, 1);
        assert_eq!(track.segment(&numbered(1300, 6, 900)), Kind::Repeated);
        assert_eq!(track.repeated, 1);
    }

    #[test]
    fn what_comes_behind_its_acknowledgement_is_not_missing() {
        let mut track = Track::default();
        track.segment(&Unit { is_syn: true, ..unit(99, 0, 0) });
        track.acknowledge(Sequence(500));
        assert_eq!(track.missing, 400);
        for (at, length) in [(200, 100), (100, 100), (300, 200)] {
            assert_eq!(track.segment(&unit(at, length, 5)), Kind::Late);
        }
        assert_eq!((track.missing, track.repeated, track.reordered), (0, 0, 3));
    }

    #[test]
    fn copies_are_not_retransmissions() {
        let mut track = Track::default();
        track.segment(&unit(1, 10, 0));
        assert_eq!(track.segment(&unit(1, 10, 0)), Kind::Copy);
        let again = Unit { ip_id: Some(9), ..unit(1, 10, 0) };
        assert_eq!(track.segment(&again), Kind::Repeated);
        assert_eq!((track.copies, track.repeated), (1, 1));
    }

    #[test]
    fn what_is_never_acknowledged_stalls() {
        let mut track = Track::default();
        track.segment(&Unit { is_syn: true, ..unit(99, 0, 0) });
        track.acknowledge(Sequence(100));
        track.segment(&unit(100, 1400, 10));
        track.segment(&unit(1500, 300, 10));
        track.acknowledge(Sequence(1500));
        for (tries, at) in [(1, 300), (2, 900), (3, 2100)] {
            track.segment(&Unit { ip_id: Some(tries), ..unit(1500, 300, at) });
        }
        let stall = track.stall().unwrap();
        assert_eq!((stall.tries, stall.bytes), (3, 300));
        track.acknowledge(Sequence(1800));
        assert!(track.stall().is_none());
    }

    #[test]
    fn numbers_wrap() {
        let mut track = Track::default();
        assert_eq!(track.segment(&unit(u32::MAX - 9, 20, 0)), Kind::New);
        assert_eq!(track.segment(&unit(10, 20, 1)), Kind::New);
        assert_eq!(track.segment(&Unit { ip_id: None, ..unit(0, 10, 9) }), Kind::Repeated);
        assert_eq!(track.high(), Some(Sequence(30)));
    }
}
