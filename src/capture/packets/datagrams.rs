//! Datagrams of UDP: lookups, QUIC, and what hides other traffic.
//!
//! Invariant: at most `limits::QUIC_FLOWS` flows are followed; of everything else a datagram leaves
//! no more than its number.

use std::net::SocketAddr;

use super::lookups::Talk;
use super::stream_number::{Numbers, Pair};
use super::table::Around;
use crate::evidence::{LookupTransport, StreamNumber, Tunnel};
use crate::proto::Mark;
use crate::proto::dns::{self, DnsMessage};

/// Ports of the protocols that are read or counted here (IANA).
mod port {
    pub(super) const DNS: u16 = 53;
    pub(super) const MDNS: u16 = 5353;
    pub(super) const LLMNR: u16 = 5355;
    pub(super) const DNS_OVER_TLS: u16 = 853;
    pub(super) const HTTPS: u16 = 443;
    pub(super) const IKE: u16 = 500;
    pub(super) const IKE_NAT: u16 = 4500;
    pub(super) const OPENVPN: u16 = 1194;
    pub(super) const WIREGUARD: u16 = 51_820;
    pub(super) const L2TP: u16 = 1701;
    /// Its messages have the form of lookups, and its names are of another kind.
    pub(super) const NETBIOS: u16 = 137;
}

/// A datagram with what is around it.
#[derive(Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) hop_limit: u8,
    pub(super) payload: &'a [u8],
    pub(super) length: u32,
    pub(super) mark: Mark,
}

/// The datagrams of one input.
#[derive(Default)]
pub(super) struct Datagrams {
    numbers: Numbers,
}

impl Datagrams {
    /// Takes a datagram, and says what of other traffic it hides.
    pub(super) fn take(
        &mut self,
        datagram: &Datagram<'_>,
        is_copy: bool,
        around: &mut Around<'_>,
    ) -> Option<Tunnel> {
        let pair = Pair::of(datagram.source, datagram.destination);
        let number = self.numbers.datagram(&pair).map(|entry| entry.number);
        if is_copy {
            return None;
        }
        let ports = [datagram.source.port(), datagram.destination.port()];
        let has = |port: u16| ports.contains(&port);
        let transport = match () {
            () if has(port::DNS) => Some(LookupTransport::Udp),
            () if has(port::MDNS) => Some(LookupTransport::Mdns),
            () if has(port::LLMNR) => Some(LookupTransport::Llmnr),
            () => None,
        };
        if let Some(transport) = transport {
            let talk = Talk {
                from: datagram.source,
                to: datagram.destination,
                transport,
                stream: number.map(StreamNumber),
                input: around.input,
            };
            let marks = (datagram.mark, datagram.mark);
            if let Some(message) = dns::parse_at_port(datagram.payload) {
                around.lookups.message(&message, &talk, marks, around.into, around.scope);
            }
            return None;
        }
        let tunnel = hides(datagram, &has);
        if has(port::NETBIOS) {
            return None;
        }
        if tunnel.is_none()
            && datagram.payload.len() <= SHORT
            && let Some(message) = dns::parse(datagram.payload).filter(is_whole_lookup)
        {
            let talk = Talk {
                from: datagram.source,
                to: datagram.destination,
                transport: LookupTransport::Udp,
                stream: number.map(StreamNumber),
                input: around.input,
            };
            let marks = (datagram.mark, datagram.mark);
            around.lookups.message(&message, &talk, marks, around.into, around.scope);
        }
        tunnel
    }

    /// The number of the conversation that an ICMP error quotes.
    pub(super) fn quoted(&mut self, source: SocketAddr, destination: SocketAddr) {
        let _ = self.numbers.datagram(&Pair::of(source, destination));
    }
}

/// Bytes of the longest datagram that is taken for a lookup at another port (RFC 1035 section 2.3.4).
const SHORT: usize = 512;

/// Whether a message at another port than that of name servers leaves no doubt.
fn is_whole_lookup(message: &DnsMessage) -> bool {
    message.complete
        && message.questions == 1
        && message.opcode == 0
        && message.question.as_ref().is_some_and(|question| question.qclass == 1)
}

/// What a datagram hides, by its port and first bytes.
fn hides(datagram: &Datagram<'_>, has: &dyn Fn(u16) -> bool) -> Option<Tunnel> {
    let payload = datagram.payload;
    if payload.len() < 16 {
        return None;
    }
    let is_wireguard = matches!(payload, [1..=4, 0, 0, 0, ..]) && has(port::WIREGUARD);
    // DTLS as VPN clients use it beside TLS: its versions are counted down from 0xfeff.
    let is_dtls = matches!(payload, [20..=25, 0xfe, 0xfd | 0xff, ..]) && has(port::HTTPS);
    if has(port::DNS_OVER_TLS) {
        return Some(Tunnel::DnsOverTls);
    }
    let known = [port::IKE, port::IKE_NAT, port::OPENVPN, port::L2TP].into_iter().any(has);
    (is_wireguard || is_dtls || known).then_some(Tunnel::Vpn)
}

impl Datagrams {
    /// Ends the capture.
    pub(super) fn finish(&mut self, around: &mut Around<'_>) {
        let _ = around;
    }
}
