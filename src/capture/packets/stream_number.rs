//! Numbers of streams as Wireshark counts them.
//!
//! A conversation of TCP or UDP gets the next number when its first packet is seen. Of TCP, a SYN
//! with another sequence number than the one that its sender opened with begins a new one on the
//! same addresses and ports; a header that an ICMP error quotes opens or joins one too, and what a
//! SOCKS proxy at its registered port carries takes a number beside that of the connection to it. UDP
//! has numbers of its own.
//!
//! Invariants: a number, once given, outlives the flow, so that a flow that comes back keeps it; at
//! most `limits::STREAM_NUMBERS` conversations are remembered, and later ones have no number.

use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table};

use crate::limits;
use crate::proto::tcp::Sequence;

/// No live flow.
pub(super) const NONE: u32 = 0xffff;
/// A flow that was given up for want of room, and is not followed again.
pub(super) const GONE: u32 = NONE - 1;

/// What is remembered of a conversation: there are very many, so that it has no byte too many.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its hash, in two parts so that nothing need be aligned to eight bytes.
    hash: [u32; 2],
    number: u32,
    /// The sequence numbers that its sides began with: of the lower address, and of the higher.
    base: [u32; 2],
    known: [bool; 2],
    /// The place of its live flow.
    slot: u16,
}

impl Entry {
    fn hash(&self) -> u64 {
        let [high, low] = self.hash;
        u64::from(high) << 32 | u64::from(low)
    }

    fn place(&self) -> u32 {
        u32::from(self.slot)
    }
}

fn halves(hash: u64) -> [u32; 2] {
    let low = u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    [u32::try_from(hash >> 32).unwrap_or(u32::MAX), low]
}

fn small(slot: u32) -> u16 {
    u16::try_from(slot).unwrap_or(u16::MAX)
}

/// A conversation with a live flow of which all is known that its next segments are compared with.
#[derive(Clone, Copy, Debug)]
struct Live {
    hash: u64,
    number: u32,
    slot: u32,
}

/// The conversation that a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u32,
    /// The place of its live flow, which is over where the conversation is a new one.
    pub(super) slot: u32,
    /// Whether it has just begun on addresses and ports that another one had.
    pub(super) is_reused: bool,
}

/// Two ends in an order that does not depend on who sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) low: SocketAddr,
    pub(super) high: SocketAddr,
}

impl Pair {
    pub(super) fn of(one: SocketAddr, other: SocketAddr) -> Self {
        // The order need only be one: numbers are compared faster than addresses as bytes.
        let key = |at: &SocketAddr| match at.ip() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), at.port()),
            IpAddr::V6(ip) => (ip.to_bits(), at.port()),
        };
        let is_in_order = key(&one) <= key(&other);
        if is_in_order { Self { low: one, high: other } } else { Self { low: other, high: one } }
    }
}

/// The numbers of one transport protocol.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    table: HashTable<Entry>,
    /// Few, so that a processor has them at hand, and nearly every segment belongs to one of them.
    /// Invariant: each has an equal entry in the table, with both sides known.
    live: HashTable<Live>,
    state: DefaultHashBuilder,
    next: u32,
}

/// The TCP header that a number is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: Sequence,
    pub(super) acknowledgement: Option<Sequence>,
    pub(super) is_syn: bool,
}

impl Numbers {
    fn hash(&self, pair: &Pair) -> u64 {
        let Pair { low, high } = pair;
        let ports = u64::from(low.port()) << 16 | u64::from(high.port());
        // As few and as long numbers as possible: this is done for every frame.
        match (low.ip(), high.ip()) {
            (IpAddr::V4(low), IpAddr::V4(high)) => {
                let ends = u64::from(low.to_bits()) << 32 | u64::from(high.to_bits());
                self.state.hash_one((ends, ports))
            }
            (low, high) => self.state.hash_one((low, high, ports)),
        }
    }

    /// What is remembered of a conversation; of a new one when there is room.
    fn entry<'a>(
        table: &'a mut HashTable<Entry>,
        next: &mut u32,
        hash: u64,
        most: usize,
    ) -> Option<&'a mut Entry> {
        let is_full = table.len() >= most;
        let halves = halves(hash);
        match table.entry(hash, |entry| entry.hash == halves, Entry::hash) {
            hash_table::Entry::Occupied(known) => Some(known.into_mut()),
            hash_table::Entry::Vacant(vacant) => {
                let number = *next;
                *next = next.saturating_add(1);
                if is_full {
                    return None;
                }
                let (base, known) = ([0; 2], [false; 2]);
                let entry = Entry { hash: halves, number, base, known, slot: small(NONE) };
                Some(vacant.insert(entry).into_mut())
            }
        }
    }

    /// The number of the conversation of a UDP datagram, and the place of its flow.
    pub(super) fn datagram(&mut self, pair: &Pair) -> Option<(u32, u32)> {
        let hash = self.hash(pair);
        let most = limits::DATAGRAM_STREAM_NUMBERS;
        let entry = Self::entry(&mut self.table, &mut self.next, hash, most)?;
        Some((entry.number, entry.place()))
    }

    /// The conversation of a TCP segment.
    pub(super) fn segment(&mut self, pair: &Pair, header: &Header) -> Option<Found> {
        let hash = self.hash(pair);
        if !header.is_syn
            && let Some(live) = self.live.find(hash, |live| live.hash == hash)
        {
            return Some(Found { number: live.number, slot: live.slot, is_reused: false });
        }
        let own = usize::from(header.source != pair.low);
        let entry = Self::entry(&mut self.table, &mut self.next, hash, limits::STREAM_NUMBERS)?;
        let (slot, mut is_reused) = (entry.place(), false);
        let opens = header.is_syn && header.acknowledgement.is_none();
        let base = entry.base.get(own).copied().zip(entry.known.get(own).copied());
        if opens && base.is_some_and(|(base, known)| known && base != header.sequence.0) {
            entry.number = self.next;
            self.next = self.next.saturating_add(1);
            entry.known = [false; 2];
            entry.slot = small(NONE);
            is_reused = true;
        }
        let sides = if own == 0 { [0, 1] } else { [1, 0] };
        let first = if header.is_syn {
            header.sequence
        } else {
            Sequence(header.sequence.0.wrapping_sub(1))
        };
        let other = header.acknowledgement.map(|ack| Sequence(ack.0.wrapping_sub(1)));
        for (side, base) in sides.into_iter().zip([Some(first), other]) {
            if let (Some(base), Some(slot), Some(known)) =
                (base, entry.base.get_mut(side), entry.known.get_mut(side))
                && !*known
            {
                (*slot, *known) = (base.0, true);
            }
        }
        let found = Found { number: entry.number, slot, is_reused };
        let lives = slot < GONE && !is_reused && entry.known == [true; 2];
        if is_reused {
            self.forget(hash, slot);
        } else if lives && !header.is_syn {
            let live = Live { hash, number: found.number, slot };
            self.live.insert_unique(hash, live, |live| live.hash);
        }
        Some(found)
    }

    /// Leaves out a number that Wireshark gives to what travels in a tunnel.
    pub(super) const fn skip(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    /// Says where the live flow of a conversation is.
    pub(super) fn bind(&mut self, pair: &Pair, slot: u32) {
        let hash = self.hash(pair);
        let halves = halves(hash);
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.hash == halves) {
            entry.slot = small(slot);
        }
    }

    /// Says that the flow of a conversation is no longer live: its place is `NONE` or `GONE` now.
    pub(super) fn release(&mut self, pair: &Pair, slot: u32, now: u32) {
        let hash = self.hash(pair);
        let halves = halves(hash);
        self.forget(hash, slot);
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.hash == halves)
            && entry.place() == slot
        {
            entry.slot = small(now);
        }
    }

    fn forget(&mut self, hash: u64, slot: u32) {
        if let Ok(live) = self.live.find_entry(hash, |live| live.hash == hash && live.slot == slot)
        {
            live.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(from: &str, to: &str, sequence: u32, ack: Option<u32>, is_syn: bool) -> Header {
        Header {
            source: from.parse().unwrap(),
            destination: to.parse().unwrap(),
            sequence: Sequence(sequence),
            acknowledgement: ack.map(Sequence),
            is_syn,
        }
    }

    fn number(numbers: &mut Numbers, header: Header) -> u32 {
        let pair = Pair::of(header.source, header.destination);
        numbers.segment(&pair, &header).unwrap().number
    }

    #[test]
    fn a_new_first_number_begins_a_new_stream() {
        let mut numbers = Numbers::default();
        let (a, b) = ("10.0.0.1:1000", "10.0.0.2:443");
        assert_eq!(number(&mut numbers, header(a, b, 100, None, true)), 0);
        assert_eq!(number(&mut numbers, header(a, b, 100, None, true)), 0);
        assert_eq!(number(&mut numbers, header(b, a, 500, Some(101), true)), 0);
        assert_eq!(number(&mut numbers, header("10.0.0.1:1001", b, 1, None, true)), 1);
        assert_eq!(number(&mut numbers, header(a, b, 900, None, true)), 2);
        assert_eq!(number(&mut numbers, header(b, a, 501, Some(901), false)), 2);
        assert_eq!(numbers.next, 3);
    }

    #[test]
    fn a_stream_in_its_middle_is_joined() {
        let mut numbers = Numbers::default();
        let (a, b) = ("[2001:db8::1]:1000", "[2001:db8::2]:443");
        assert_eq!(number(&mut numbers, header(b, a, 7, Some(9), false)), 0);
        assert_eq!(number(&mut numbers, header(a, b, 9, Some(7), false)), 0);
        // The acknowledgement told with what its side had begun.
        assert_eq!(number(&mut numbers, header(a, b, 8, None, true)), 0);
        assert_eq!(number(&mut numbers, header(a, b, 100, None, true)), 1);
    }
}
