//! IP packets and the headers of transports, on the crate `etherparse`.
//!
//! It follows RFC 791 and RFC 8200 (headers, section 4 for extension headers), RFC 4302 (AH), RFC 2675
//! (jumbograms), RFC 9293 section 3.1 (TCP), RFC 768 (UDP). `etherparse` takes headers apart; which
//! length holds where they disagree with what was captured is decided here, as is the walk along
//! extension headers, which in the crate goes on behind the header of a fragment.
//!
//! Invariant: a payload ends where the length of its packet says, or where the capture does, so that
//! no padding of a frame is taken for data; `missing` is what lies between the two.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, TcpSlice, UdpHeaderSlice, ip_number,
};

use super::link::size;
use super::segment::{TcpFlags, Transport};

/// A packet, its headers taken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// The time to live, or the hop limit.
    pub(super) ttl: u8,
    /// The identification of an IPv4 packet.
    pub(super) id: Option<u16>,
    /// What the payload is.
    pub(super) protocol: u8,
    /// Where in its datagram the payload belongs, when it is not all of it.
    pub(super) fragment: Option<Fragment>,
    /// What was captured of the payload.
    pub(super) payload: &'a [u8],
    /// Bytes of the payload that were not.
    pub(super) missing: u32,
}

/// The place of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: u32,
    /// Whether more follow.
    pub(super) more: bool,
}

/// Takes the headers off a packet of either version; `None` when there is none.
///
/// `lost` are bytes at the end of the frame that were not captured: only a packet that does not
/// tell its length asks for them.
pub(super) fn packet(bytes: &[u8], lost: u32) -> Option<Packet<'_>> {
    match bytes.first()? >> 4 {
        4 => v4(bytes, lost),
        6 => v6(bytes, lost),
        _ => None,
    }
}

fn v4(bytes: &[u8], lost: u32) -> Option<Packet<'_>> {
    let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
    let start = header.slice().len();
    let told = usize::from(header.total_len());
    // No length: the network card was to cut the packet up. One below the header is damage.
    let told = (told >= start).then_some(told);
    let (payload, missing) = window(bytes, start, told, lost)?;
    let protocol = header.protocol();
    let offset = u32::from(header.fragments_offset().value()) << 3;
    let more = header.more_fragments();
    let id = header.identification();
    let fragment = (offset != 0 || more).then_some(Fragment { id: id.into(), offset, more });
    let mut packet = Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        ttl: header.ttl(),
        id: Some(id),
        protocol: protocol.0,
        fragment,
        payload,
        missing,
    };
    if fragment.is_none() && protocol == ip_number::AUTH {
        packet = packet.without_extensions();
    }
    Some(packet)
}

fn v6(bytes: &[u8], lost: u32) -> Option<Packet<'_>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    let start = header.slice().len();
    let next = header.next_header();
    let told = match usize::from(header.payload_length()) {
        0 if next == ip_number::IPV6_HOP_BY_HOP => {
            let rest = bytes.get(start..)?;
            // A length beyond the frame says nothing.
            jumbo(rest).filter(|told| *told <= rest.len().saturating_add(size(lost)))
        }
        0 if matches!(next, ip_number::TCP | ip_number::UDP) => None,
        told => Some(told),
    };
    let told = told.map(|told| told.saturating_add(start));
    let (payload, missing) = window(bytes, start, told, lost)?;
    let packet = Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        ttl: header.hop_limit(),
        id: None,
        protocol: next.0,
        fragment: None,
        payload,
        missing,
    };
    Some(packet.without_extensions())
}

/// What lies between a header and the end of its packet, and what is missing of it.
fn window(bytes: &[u8], start: usize, told: Option<usize>, lost: u32) -> Option<(&[u8], u32)> {
    let Some(told) = told else { return Some((bytes.get(start..)?, lost)) };
    let end = told.min(bytes.len());
    let missing = u32::try_from(told.saturating_sub(end)).unwrap_or(u32::MAX);
    Some((bytes.get(start..end)?, missing))
}

/// The length that a header of hop-by-hop options tells for a jumbogram (RFC 2675 section 2).
fn jumbo(bytes: &[u8]) -> Option<usize> {
    let header = Ipv6RawExtHeaderSlice::from_slice(bytes).ok()?;
    let mut rest = header.payload();
    while let Some((&kind, after)) = rest.split_first() {
        if kind == 0 {
            rest = after;
            continue;
        }
        let (&length, after) = after.split_first()?;
        let (value, behind) = after.split_at_checked(usize::from(length))?;
        if kind == JUMBO {
            return usize::try_from(u32::from_be_bytes(*value.first_chunk()?)).ok();
        }
        rest = behind;
    }
    None
}

impl<'a> Packet<'a> {
    /// Whether it is of version 6.
    pub(super) const fn is_v6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// The datagram of which this was a fragment.
    pub(super) fn whole<'b>(&self, protocol: u8, payload: &'b [u8]) -> Packet<'b> {
        let Self { source, destination, ttl, id, .. } = *self;
        let fragment = None;
        let packet =
            Packet { source, destination, ttl, id, protocol, fragment, payload, missing: 0 };
        packet.without_extensions()
    }

    /// Passes over extension headers, up to the transport, to a fragment, or to what is missing.
    fn without_extensions(mut self) -> Self {
        while self.fragment.is_none() {
            let (next, length) = match IpNumber(self.protocol) {
                ip_number::AUTH => {
                    let Ok(header) = IpAuthHeaderSlice::from_slice(self.payload) else { break };
                    (header.next_header(), header.slice().len())
                }
                ip_number::IPV6_FRAG if self.is_v6() => {
                    let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(self.payload) else {
                        break;
                    };
                    let offset = u32::from(header.fragment_offset().value()) << 3;
                    let more = header.more_fragments();
                    self.fragment = header.is_fragmenting_payload().then_some(Fragment {
                        id: header.identification(),
                        offset,
                        more,
                    });
                    (header.next_header(), header.slice().len())
                }
                ip_number::IPV6_HOP_BY_HOP
                | ip_number::IPV6_ROUTE
                | ip_number::IPV6_DEST_OPTIONS
                | ip_number::MOBILITY
                | ip_number::SHIM6
                    if self.is_v6() =>
                {
                    let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(self.payload) else { break };
                    (header.next_header(), header.slice().len())
                }
                _ => break,
            };
            self.protocol = next.0;
            self.payload = self.payload.get(length..).unwrap_or_default();
        }
        self
    }

    /// Bytes of the payload on the wire.
    fn length(&self) -> u32 {
        length(self.payload).saturating_add(self.missing)
    }

    /// The payload as a segment of TCP; `None` when its header is not there.
    pub(super) fn tcp(&self) -> Option<Transport<'a>> {
        if let Ok(tcp) = TcpSlice::from_slice(self.payload) {
            let (head, payload) = self.payload.split_at_checked(tcp.header_len())?;
            return self.segment(&tcp, head.get(20..)?, payload, length(head));
        }
        // Options that were not captured to their end: the header is read as if it had none.
        let (fixed, options) = self.payload.split_first_chunk::<20>()?;
        let mut fixed = *fixed;
        let words = fixed.get_mut(12)?;
        let head = u32::from(*words >> 4) << 2;
        *words = (*words & 0x0f) | 0x50;
        if head < 20 || self.missing == 0 {
            return None;
        }
        self.segment(&TcpSlice::from_slice(&fixed).ok()?, options, &[], head)
    }

    fn segment(
        &self,
        tcp: &TcpSlice<'_>,
        options: &'a [u8],
        payload: &'a [u8],
        head: u32,
    ) -> Option<Transport<'a>> {
        let [.., high, low] = *tcp.header_slice().first_chunk::<14>()?;
        Some(Transport::Tcp {
            source_port: tcp.source_port(),
            destination_port: tcp.destination_port(),
            sequence: tcp.sequence_number(),
            acknowledgement: tcp.acknowledgment_number(),
            flags: TcpFlags(u16::from_be_bytes([high & 0x0f, low])),
            window: tcp.window_size(),
            options,
            payload,
            payload_length: self.length().checked_sub(head)?,
        })
    }

    /// The payload as a datagram of UDP; `None` when its header is not there.
    pub(super) fn udp(&self) -> Option<Transport<'a>> {
        let header = UdpHeaderSlice::from_slice(self.payload).ok()?;
        let room = self.length().saturating_sub(8);
        // No length, or one that cannot be: all there is (RFC 2675 section 4). The first of several
        // fragments cannot hold it.
        let told = u32::from(header.length()).checked_sub(8);
        let payload_length = match told {
            Some(told) if told <= room || self.fragment.is_some() => told,
            _ => room,
        };
        let payload = self.payload.get(8..)?;
        let captured = payload.len().min(size(payload_length));
        Some(Transport::Udp {
            source_port: header.source_port(),
            destination_port: header.destination_port(),
            payload: payload.get(..captured)?,
            payload_length,
        })
    }
}

/// A length in memory as one on the wire.
pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The protocol numbers that are told apart.
pub(super) mod number {
    pub(in crate::proto) const ICMP: u8 = 1;
    pub(in crate::proto) const IPV4: u8 = 4;
    pub(in crate::proto) const TCP: u8 = 6;
    pub(in crate::proto) const UDP: u8 = 17;
    pub(in crate::proto) const IPV6: u8 = 41;
    pub(in crate::proto) const GRE: u8 = 47;
    pub(in crate::proto) const ICMPV6: u8 = 58;
    /// KA9Q's IP in IP.
    pub(in crate::proto) const IPIP: u8 = 94;
    pub(in crate::proto) const ETHERIP: u8 = 97;
    pub(in crate::proto) const MPLS: u8 = 137;
    /// Ethernet after a routing header (RFC 8986).
    pub(in crate::proto) const ETHERNET: u8 = 143;
}

/// The option that tells the length of a jumbogram.
const JUMBO: u8 = 0xc2;
