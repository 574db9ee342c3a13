//! Links, IPv4 (RFC 791), IPv6 (RFC 8200), UDP, and errors by ICMP (RFC 792, RFC 4443).

use std::net::IpAddr;

use super::bytes::Put as _;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP6: u8 = 58;

/// What lies around the IP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    /// Loopback of BSD and of Npcap.
    Null,
    Raw,
    /// Linux "any" device.
    Cooked,
    /// Ethernet with an 802.1Q tag.
    Vlan,
}

impl Link {
    /// By its name in a story.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "ethernet" => Self::Ethernet,
            "null" => Self::Null,
            "raw" => Self::Raw,
            "sll" => Self::Cooked,
            "vlan" => Self::Vlan,
            other => panic!("no link: {other}"),
        }
    }

    /// The number of its type in a file.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Ethernet | Self::Vlan => 1,
            Self::Null => 0,
            Self::Raw => 101,
            Self::Cooked => 113,
        }
    }

    /// A frame around a packet; `out` is from the computer that captures.
    pub(crate) fn wrap(self, out: bool, ip: &[u8]) -> Vec<u8> {
        let six = ip[0] >> 4 == 6;
        let kind: u16 = if six { 0x86dd } else { 0x0800 };
        let mut frame = Vec::with_capacity(ip.len() + 18);
        match self {
            Self::Ethernet | Self::Vlan => {
                let (to, from) = if out { (GATEWAY, COMPUTER) } else { (COMPUTER, GATEWAY) };
                frame.put(&to);
                frame.put(&from);
                if self == Self::Vlan {
                    frame.u16(0x8100);
                    frame.u16(120);
                }
                frame.u16(kind);
            }
            Self::Null => frame.put(&(if six { 30_u32 } else { 2 }).to_le_bytes()),
            Self::Raw => {}
            Self::Cooked => {
                frame.u16(if out { 4 } else { 0 });
                frame.u16(1);
                frame.u16(6);
                frame.put(if out { &COMPUTER } else { &GATEWAY });
                frame.u16(0);
                frame.u16(kind);
            }
        }
        frame.put(ip);
        // What comes in was filled up to the least length of Ethernet.
        if matches!(self, Self::Ethernet) && !out && frame.len() < 60 {
            frame.resize(60, 0);
        }
        frame
    }
}

/// The header of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) hops: u8,
    pub(crate) id: u16,
    pub(crate) whole: bool,
}

/// An IP packet.
pub(crate) fn packet(header: &Header, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + body.len());
    match (header.from, header.to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.put(&[0x45, 0]);
            bytes.u16((20 + body.len()) as u16);
            bytes.u16(header.id);
            bytes.u16(if header.whole { 0x4000 } else { 0 });
            bytes.put(&[header.hops, protocol, 0, 0]);
            bytes.put(&from.octets());
            bytes.put(&to.octets());
            let sum = folded(added(0, &bytes));
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            bytes.u32(0x6000_0000);
            bytes.u16(body.len() as u16);
            bytes.put(&[protocol, header.hops]);
            bytes.put(&from.octets());
            bytes.put(&to.octets());
        }
        _ => panic!("addresses of two families"),
    }
    bytes.put(body);
    bytes
}

/// A datagram with its checksum.
pub(crate) fn datagram(from: IpAddr, to: IpAddr, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [ports.0, ports.1, (8 + data.len()) as u16, 0] {
        bytes.u16(number);
    }
    bytes.put(data);
    seal(&mut bytes, 6, from, to, UDP);
    bytes
}

/// Writes the checksum with the pseudo header at `place`.
pub(crate) fn seal(bytes: &mut [u8], place: usize, from: IpAddr, to: IpAddr, protocol: u8) {
    let mut sum = u64::from(protocol) + bytes.len() as u64;
    for address in [from, to] {
        sum = match address {
            IpAddr::V4(four) => added(sum, &four.octets()),
            IpAddr::V6(six) => added(sum, &six.octets()),
        };
    }
    let mut sum = folded(added(sum, bytes));
    if sum == 0 && protocol == UDP {
        sum = 0xffff;
    }
    bytes[place..place + 2].copy_from_slice(&sum.to_be_bytes());
}

/// An error about a packet, which it quotes: type, code, number in the second half of the header.
pub(crate) fn error(kind: u8, code: u8, number: u32, router: IpAddr, about: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.u32(number);
    let mut quoted = about.to_vec();
    match router {
        IpAddr::V4(_) => {
            // As it came to the router: one hop on.
            quoted.truncate(20 + 8);
            quoted[8] -= 1;
            quoted[10..12].fill(0);
            let sum = folded(added(0, &quoted[..20]));
            quoted[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.put(&quoted);
            let sum = folded(added(0, &bytes));
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        IpAddr::V6(_) => {
            quoted[7] -= 1;
            bytes.put(&quoted);
            let mut source = [0; 16];
            source.copy_from_slice(&about[8..24]);
            seal(&mut bytes, 2, router, IpAddr::from(source), ICMP6);
        }
    }
    bytes
}

fn added(mut sum: u64, bytes: &[u8]) -> u64 {
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    sum
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const COMPUTER: [u8; 6] = [0x02, 0x15, 0x5d, 0x0a, 0x1e, 0x29];
const GATEWAY: [u8; 6] = [0x02, 0x1b, 0x17, 0x00, 0x01, 0x30];
