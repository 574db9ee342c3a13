//! From the bytes of one captured frame to its transport segments.
//!
//! The walk goes down through the link (`link`, `wlan`), IP (`ip`), fragments (`defragment`) and
//! tunnels (`tunnel`); what arrives at the bottom is a [`Segment`]. It must not know flows.
//!
//! Invariants: a frame gives at most one segment for each tunnel of UDP in it, and one more; tunnels
//! nest [`limits::TUNNELS`] deep at most; in the usual path nothing is allocated, and what is held
//! for fragments is bounded. What it claims to miss is no more than a record can hold.

use super::Mark;
use super::defragment::{Defragmenter, Key, Outcome, Piece};
use super::icmp;
use super::ip::{self, Packet, number};
use super::link::{Found, Walk};
use super::segment::{Encapsulation, Segment, Transport, Tunnel};
use super::tunnel;
use crate::limits;

/// What kind of frame it was, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// The address resolution protocol.
    Arp,
    /// A frame that the link has for itself, and others without an ether type.
    Control,
    /// A fragment of a packet that is not whole yet.
    Fragment,
    /// An IP packet, or the last fragment of one, of which a segment was told.
    Ip,
    /// It ends before its headers do, or they contradict each other.
    Malformed,
    /// Something that is not IP, by its ether type.
    Other(u16),
    /// A link type that is not decoded.
    Undecoded,
}

/// The layers between frames and segments, with the fragments that wait for others.
#[derive(Debug, Default)]
pub struct Layers {
    fragments: Defragmenter,
}

/// Takes segments.
type Out<'o> = dyn FnMut(&Segment<'_>) + 'o;

/// What the layers above a packet have to say about it.
#[derive(Clone, Copy)]
struct Above {
    mark: Mark,
    encapsulation: Encapsulation,
    /// Bytes that are missing at the end of what is above.
    missing: u32,
    was_fragmented: bool,
}

impl Layers {
    /// Layers that hold no fragment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a frame apart and tells its segments, outermost first.
    ///
    /// `link` is a number of the registry of link types, `original` the length on the wire.
    pub fn frame(
        &mut self,
        link: u32,
        data: &[u8],
        original: u32,
        mark: Mark,
        out: &mut dyn FnMut(&Segment<'_>),
    ) -> Seen {
        let mut walk = Walk::new(None);
        match walk.link(link, data) {
            Ok(packet) => {
                let encapsulation = Encapsulation { vlan: walk.vlan, ..Encapsulation::default() };
                let missing = original.min(limits::PACKET_RECORD).saturating_sub(ip::length(data));
                let above = Above { mark, encapsulation, missing, was_fragmented: false };
                self.packet(packet, &above, out)
            }
            Err(seen) => seen,
        }
    }

    /// Datagrams whose fragments did not all come: those given up, and those that still wait.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        let pending = u64::try_from(self.fragments.pending()).unwrap_or(u64::MAX);
        self.fragments.forgotten().saturating_add(pending)
    }

    fn packet(&mut self, bytes: &[u8], above: &Above, out: &mut Out<'_>) -> Seen {
        let Some(packet) = ip::packet(bytes, above.missing) else { return Seen::Malformed };
        let Some(fragment) = packet.fragment else { return self.transport(&packet, above, out) };
        if packet.missing > 0 {
            // It will never be whole; its beginning is worth having.
            if fragment.offset > 0 {
                return Seen::Fragment;
            }
            return self.transport(&packet, &Above { was_fragmented: true, ..*above }, out);
        }
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            id: fragment.id,
            protocol: (!packet.is_v6()).then_some(packet.protocol),
            vlan: above.encapsulation.vlan,
        };
        let piece = Piece {
            offset: fragment.offset,
            more: fragment.more,
            protocol: packet.protocol,
            bytes: packet.payload,
        };
        match self.fragments.take(key, piece, above.mark.at) {
            Outcome::Bad => Seen::Malformed,
            Outcome::Held => Seen::Fragment,
            Outcome::Complete { protocol, bytes } => {
                let above = Above { was_fragmented: true, missing: 0, ..*above };
                let seen = self.transport(&packet.whole(protocol, &bytes), &above, out);
                self.fragments.give_back(bytes);
                seen
            }
        }
    }

    fn transport(&mut self, packet: &Packet<'_>, above: &Above, out: &mut Out<'_>) -> Seen {
        let told = match packet.protocol {
            number::TCP => packet.tcp(),
            number::UDP => {
                let Some(datagram) = packet.udp() else { return Seen::Malformed };
                return self.datagram(packet, datagram, above, out);
            }
            number::ICMP if !packet.is_v6() => Some(icmp_message(packet)),
            number::ICMPV6 if packet.is_v6() => Some(icmp_message(packet)),
            protocol => {
                let mut walk = Walk::new(above.encapsulation.vlan);
                match tunnel::in_ip(&mut walk, protocol, packet.payload) {
                    Some((tunnel, found)) => {
                        return self.inside(packet, tunnel, found, walk, above, out);
                    }
                    None => Some(Transport::Other(protocol)),
                }
            }
        };
        let Some(layer) = told else { return Seen::Malformed };
        out(&segment(packet, layer, above));
        Seen::Ip
    }

    /// A datagram, and the packet inside it.
    fn datagram(
        &mut self,
        packet: &Packet<'_>,
        datagram: Transport<'_>,
        above: &Above,
        out: &mut Out<'_>,
    ) -> Seen {
        let mut walk = Walk::new(above.encapsulation.vlan);
        let inner = match datagram {
            Transport::Udp { source_port, destination_port, payload, .. } => {
                tunnel::in_udp(&mut walk, source_port, destination_port, payload)
            }
            _ => None,
        };
        out(&segment(packet, datagram, above));
        if let Some((tunnel, Ok(bytes))) = inner
            && let Some(below) = above.below(tunnel, walk, packet.missing)
        {
            self.packet(bytes, &below, out);
        }
        Seen::Ip
    }

    /// The packet inside a tunnel; where there is none, the tunnel is told.
    fn inside(
        &mut self,
        packet: &Packet<'_>,
        tunnel: Tunnel,
        found: Found<'_>,
        walk: Walk,
        above: &Above,
        out: &mut Out<'_>,
    ) -> Seen {
        match (found, above.below(tunnel, walk, packet.missing)) {
            (Ok(bytes), Some(below)) => self.packet(bytes, &below, out),
            (Err(Seen::Arp), _) => Seen::Arp,
            _ => {
                out(&segment(packet, Transport::Other(packet.protocol), above));
                Seen::Ip
            }
        }
    }
}

impl Above {
    /// The same for what is in a tunnel; `None` when there were too many.
    fn below(&self, tunnel: Tunnel, walk: Walk, missing: u32) -> Option<Self> {
        let depth = self.encapsulation.depth.checked_add(1).filter(|n| *n <= limits::TUNNELS)?;
        let encapsulation = Encapsulation { vlan: walk.vlan, tunnel: Some(tunnel), depth };
        Some(Self { encapsulation, missing, ..*self })
    }
}

fn icmp_message(packet: &Packet<'_>) -> Transport<'static> {
    icmp::error(packet.payload, packet.source, packet.is_v6())
        .map_or(Transport::Other(packet.protocol), Transport::Icmp)
}

fn segment<'a>(packet: &Packet<'_>, layer: Transport<'a>, above: &Above) -> Segment<'a> {
    Segment {
        source: packet.source,
        destination: packet.destination,
        ttl: packet.ttl,
        ip_id: packet.id,
        is_cut: packet.missing > 0,
        missing: packet.missing,
        was_fragmented: above.was_fragmented,
        layer,
        encapsulation: above.encapsulation,
    }
}

/// Entry for fuzzing: the first byte chooses a link type, the rest are frames, each behind a length of
/// two bytes.
#[doc(hidden)]
pub fn fuzz_layers(bytes: &[u8]) {
    use std::num::NonZeroU64;

    use crate::time::Timestamp;

    let Some((&choice, mut rest)) = bytes.split_first() else { return };
    let link = FUZZED.get(usize::from(choice)).copied().unwrap_or_else(|| choice.into());
    let mut layers = Layers::new();
    let mut at = 0_i64;
    while let Some((&[high, low], behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(behind.len());
        let (data, next) = behind.split_at(length);
        at = at.saturating_add(1_000_000);
        let mark = Mark { frame: NonZeroU64::MIN, at: Timestamp::from_nanoseconds(at) };
        layers.frame(link, data, ip::length(data), mark, &mut |segment| {
            assert_eq!(segment.is_cut, segment.missing > 0, "a cut segment misses something");
            assert!(segment.encapsulation.depth <= limits::TUNNELS, "tunnels are bounded");
            if let Transport::Tcp { payload, payload_length, .. }
            | Transport::Udp { payload, payload_length, .. } = &segment.layer
            {
                assert!(ip::length(payload) <= *payload_length, "no more than was on the wire");
            }
        });
        assert!(layers.fragments.pending() <= limits::DATAGRAMS, "datagrams are bounded");
        rest = next;
    }
}

/// Link types that are fuzzed more than others.
const FUZZED: &[u32] = &[
    1, 0, 9, 12, 50, 51, 101, 104, 105, 108, 109, 113, 117, 119, 127, 163, 166, 192, 204, 228, 239,
    258, 276,
];

#[cfg(test)]
mod tests;
