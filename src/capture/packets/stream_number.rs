//! Numbers of streams as Wireshark counts them.
//!
//! A conversation of TCP or UDP gets the next number when its first packet is seen. Of TCP, a SYN
//! with another sequence number than the one that its sender opened with begins a new one on the
//! same addresses and ports; a header that an ICMP error quotes opens or joins one too. UDP has
//! numbers of its own.
//!
//! Invariants: a number, once given, outlives the flow, so that a flow that comes back keeps it; at
//! most `limits::STREAM_NUMBERS` conversations are remembered, and later ones have no number.

use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table};

use crate::limits;
use crate::proto::tcp::Sequence;

/// No live flow.
pub(super) const NONE: u32 = u32::MAX;
/// A flow that was given up for want of room, and is not followed again.
pub(super) const GONE: u32 = u32::MAX - 1;

/// What is remembered of a conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    hash: u64,
    pub(super) number: u32,
    /// The place of its live flow.
    pub(super) slot: u32,
    /// The sequence numbers that its sides began with: of the lower address, and of the higher.
    base: [u32; 2],
    known: [bool; 2],
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
        match table.entry(hash, |entry| entry.hash == hash, |entry| entry.hash) {
            hash_table::Entry::Occupied(known) => Some(known.into_mut()),
            hash_table::Entry::Vacant(vacant) => {
                let number = *next;
                *next = next.saturating_add(1);
                if is_full {
                    return None;
                }
                let entry = Entry { hash, number, slot: NONE, base: [0; 2], known: [false; 2] };
                Some(vacant.insert(entry).into_mut())
            }
        }
    }

    /// The conversation of a UDP datagram.
    pub(super) fn datagram(&mut self, pair: &Pair) -> Option<&mut Entry> {
        let hash = self.hash(pair);
        Self::entry(&mut self.table, &mut self.next, hash, limits::DATAGRAM_STREAM_NUMBERS)
    }

    /// The conversation of a TCP segment, and whether it has just begun on addresses and ports that
    /// another one had.
    pub(super) fn segment(&mut self, pair: &Pair, header: &Header) -> Option<(&mut Entry, bool)> {
        let own = usize::from(header.source != pair.low);
        let hash = self.hash(pair);
        let entry = Self::entry(&mut self.table, &mut self.next, hash, limits::STREAM_NUMBERS)?;
        let mut reused = false;
        let opens = header.is_syn && header.acknowledgement.is_none();
        let base = entry.base.get(own).copied().zip(entry.known.get(own).copied());
        if opens && base.is_some_and(|(base, known)| known && base != header.sequence.0) {
            entry.number = self.next;
            self.next = self.next.saturating_add(1);
            entry.known = [false; 2];
            reused = true;
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
        Some((entry, reused))
    }

    /// Says where the live flow of a conversation is.
    pub(super) fn bind(&mut self, pair: &Pair, slot: u32) {
        let hash = self.hash(pair);
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.hash == hash) {
            entry.slot = slot;
        }
    }

    /// Says that the flow of a conversation is no longer live: its place is `NONE` or `GONE` now.
    pub(super) fn release(&mut self, pair: &Pair, slot: u32, now: u32) {
        let hash = self.hash(pair);
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.hash == hash)
            && entry.slot == slot
        {
            entry.slot = now;
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
        numbers.segment(&pair, &header).unwrap().0.number
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
