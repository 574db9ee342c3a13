//! Fragments of IP datagrams, put together.
//!
//! It follows RFC 791 section 3.2, RFC 815 and RFC 8200 section 4.5. Where fragments overlap, the
//! first copy wins. It must not know what a datagram holds.
//!
//! Invariants: at most [`limits::DATAGRAMS`] are under way, none longer than a datagram can be and
//! none of more than [`limits::FRAGMENTS`] fragments; one older than [`limits::FRAGMENT_AGE`] is
//! forgotten; `covered` is in order, without overlaps and without neighbours that touch.

use std::net::IpAddr;
use std::time::Duration;

use crate::limits;
use crate::time::Timestamp;

/// Which datagram a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) id: u32,
    /// Of IPv4 only: fragments of IPv6 may differ in it (RFC 8200 section 4.5).
    pub(super) protocol: Option<u8>,
    pub(super) vlan: Option<u16>,
}

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) offset: u32,
    pub(super) more: bool,
    pub(super) protocol: u8,
    pub(super) bytes: &'a [u8],
}

/// The datagrams that are under way.
#[derive(Debug, Default)]
pub(super) struct Defragmenter {
    /// In the order in which they began.
    live: Vec<Datagram>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    /// The latest time seen.
    clock: Option<Timestamp>,
    forgotten: u64,
}

/// A datagram under way.
#[derive(Debug)]
struct Datagram {
    key: Key,
    since: Timestamp,
    bytes: Vec<u8>,
    covered: Vec<(u32, u32)>,
    fragments: u32,
    end: Option<u32>,
    protocol: u8,
}

/// What came of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It lies where no datagram reaches, or is empty.
    Bad,
    /// It completes a datagram; give the bytes back when done.
    Complete {
        /// What the datagram is.
        protocol: u8,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// More are needed.
    Held,
}

impl Defragmenter {
    /// Takes a fragment.
    pub(super) fn take(&mut self, key: Key, piece: Piece<'_>, at: Timestamp) -> Outcome {
        self.expire(at);
        let end = u32::try_from(piece.bytes.len()).ok().and_then(|n| piece.offset.checked_add(n));
        let Some(end) = end.filter(|end| *end > piece.offset && *end <= DATAGRAM) else {
            return Outcome::Bad;
        };
        let at = if let Some(at) = self.live.iter().rposition(|one| one.key == key) {
            at
        } else {
            if self.live.len() >= limits::DATAGRAMS {
                self.forget(0);
            }
            let bytes = self.spare.pop().unwrap_or_default();
            self.live.push(Datagram::new(key, at, bytes));
            self.live.len().saturating_sub(1)
        };
        let Some(datagram) = self.live.get_mut(at) else { return Outcome::Bad };
        datagram.add(piece, end);
        if datagram.is_complete() {
            let mut datagram = self.live.remove(at);
            let end = datagram.end.and_then(|end| usize::try_from(end).ok()).unwrap_or(usize::MAX);
            datagram.bytes.truncate(end);
            return Outcome::Complete { protocol: datagram.protocol, bytes: datagram.bytes };
        }
        if datagram.fragments >= limits::FRAGMENTS {
            self.forget(at);
        }
        Outcome::Held
    }

    /// Takes back the bytes of a datagram.
    pub(super) fn give_back(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len().saturating_add(self.live.len()) < limits::DATAGRAMS {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Datagrams that were given up.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Datagrams that are under way.
    pub(super) fn pending(&self) -> usize {
        self.live.len()
    }

    fn expire(&mut self, at: Timestamp) {
        let clock = self.clock.map_or(at, |clock| clock.max(at));
        self.clock = Some(clock);
        let is_old = |one: &Datagram| clock.since(one.since) > AGE;
        while self.live.first().is_some_and(is_old) {
            self.forget(0);
        }
    }

    fn forget(&mut self, at: usize) {
        if at < self.live.len() {
            let datagram = self.live.remove(at);
            self.forgotten = self.forgotten.saturating_add(1);
            self.give_back(datagram.bytes);
        }
    }
}

impl Datagram {
    const fn new(key: Key, since: Timestamp, bytes: Vec<u8>) -> Self {
        Self { key, since, bytes, covered: Vec::new(), fragments: 0, end: None, protocol: 0 }
    }

    /// Adds what a fragment has and no other had.
    fn add(&mut self, piece: Piece<'_>, end: u32) {
        self.fragments = self.fragments.saturating_add(1);
        if piece.offset == 0 {
            self.protocol = piece.protocol;
        }
        if !piece.more && self.end.is_none() {
            self.end = Some(end);
        }
        // The parts of this fragment that lie between what is there.
        let mut from = piece.offset;
        let first = self.covered.partition_point(|(_, stop)| *stop <= piece.offset);
        let mut at = first;
        while from < end {
            let next = self.covered.get(at).copied().filter(|(start, _)| *start < end);
            let to = next.map_or(end, |(start, _)| start.max(from));
            copy(&mut self.bytes, piece, from, to);
            from = next.map_or(end, |(_, stop)| stop);
            at = at.saturating_add(1);
        }
        self.cover(piece.offset, end);
    }

    /// Marks a range, and joins those that touch it.
    fn cover(&mut self, mut from: u32, mut to: u32) {
        let first = self.covered.partition_point(|(_, stop)| *stop < from);
        let mut last = first;
        while let Some(&(start, stop)) = self.covered.get(last).filter(|(start, _)| *start <= to) {
            from = from.min(start);
            to = to.max(stop);
            last = last.saturating_add(1);
        }
        self.covered.splice(first..last, [(from, to)]);
    }

    fn is_complete(&self) -> bool {
        let reached = self.covered.first().filter(|(start, _)| *start == 0).map(|(_, stop)| *stop);
        reached.zip(self.end).is_some_and(|(reached, end)| reached >= end)
    }
}

/// Copies the bytes of a fragment between two offsets of the datagram.
fn copy(bytes: &mut Vec<u8>, piece: Piece<'_>, from: u32, to: u32) {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    let within = at(from.saturating_sub(piece.offset))..at(to.saturating_sub(piece.offset));
    let Some(source) = piece.bytes.get(within) else { return };
    if bytes.len() < at(to) {
        bytes.resize(at(to), 0);
    }
    if let Some(target) = bytes.get_mut(at(from)..at(to)) {
        target.copy_from_slice(source);
    }
}

/// Bytes of a datagram (RFC 791 section 3.1).
const DATAGRAM: u32 = 65_535;
const AGE: Duration = limits::FRAGMENT_AGE;
