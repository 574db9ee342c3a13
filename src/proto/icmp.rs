//! Errors of ICMP and `ICMPv6`, and the packets that they quote.
//!
//! It follows RFC 792 (errors), RFC 1191 section 4 (the size that fits), RFC 4443 sections 2 and 3
//! (`ICMPv6`). It must not know which flow a quote belongs to.
//!
//! Invariant: an error without a packet that can be named is no error here.

use std::net::IpAddr;

use super::ip::{self, number};
use super::link::{be16, be32};
use super::segment::{IcmpError, Quoted};

/// Reads an error; `None` for other messages and for errors that quote nothing.
pub(super) fn error(bytes: &[u8], from: IpAddr, is_v6: bool) -> Option<IcmpError> {
    let (head, quote) = bytes.split_at_checked(8)?;
    let [kind, code, ..] = *head.first_chunk::<8>()?;
    let mtu = match (is_v6, kind, code) {
        (false, UNREACHABLE, FRAGMENTATION_NEEDED) => be16(head, 6).filter(|size| *size != 0),
        (true, PACKET_TOO_BIG_V6, _) => be32(head, 4).and_then(|size| u16::try_from(size).ok()),
        (false, UNREACHABLE | QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER, _)
        | (true, UNREACHABLE_V6..=PARAMETER_V6, _) => None,
        _ => return None,
    };
    let packet = ip::packet(quote, 0)?;
    let begins = packet.fragment.is_none_or(|fragment| fragment.offset == 0);
    let has_ports = begins && matches!(packet.protocol, number::TCP | number::UDP);
    let body = if has_ports { packet.payload } else { &[] };
    let is_tcp = packet.protocol == number::TCP;
    Some(IcmpError {
        is_v6,
        kind,
        code,
        mtu,
        from,
        quoted: Quoted {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            ports: be16(body, 0).zip(be16(body, 2)),
            sequence: be32(body, 4).filter(|_| is_tcp),
        },
        quoted_tcp_header: is_tcp && body.len() >= 20,
    })
}

const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const QUENCH: u8 = 4;
const REDIRECT: u8 = 5;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER: u8 = 12;
const UNREACHABLE_V6: u8 = 1;
const PACKET_TOO_BIG_V6: u8 = 2;
const PARAMETER_V6: u8 = 4;
