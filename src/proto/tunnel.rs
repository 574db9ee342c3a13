//! Packets and frames inside packets.
//!
//! It follows RFC 2784, RFC 2890 and RFC 2637 section 4.1 (GRE), RFC 3378 (Ethernet in IP), RFC 2661
//! section 3.1 (L2TP), RFC 7348 section 5 (VXLAN), RFC 8926 section 3.4 (Geneve), RFC 4380 section
//! 5.1.1 (Teredo), RFC 7510 (MPLS in UDP); ERSPAN and WCCP as their maker describes them. It must not
//! know what the packet inside holds.
//!
//! Invariant: what is handed on is a part of what was given.

use super::ip::number;
use super::layers::Seen;
use super::link::{Found, Walk, be16, from};
use super::segment::Tunnel;

/// The packet inside a packet of a protocol; `None` when the protocol is no tunnel.
pub(super) fn in_ip<'a>(
    walk: &mut Walk,
    protocol: u8,
    bytes: &'a [u8],
) -> Option<(Tunnel, Found<'a>)> {
    Some(match protocol {
        number::IPV4 | number::IPIP => (Tunnel::IpInIp, Ok(bytes)),
        number::IPV6 => (Tunnel::SixIn, Ok(bytes)),
        number::GRE => (Tunnel::Gre, gre(walk, bytes)),
        number::ETHERIP => (Tunnel::EtherIp, from(bytes, 2).and_then(|rest| walk.ethernet(rest))),
        number::ETHERNET => (Tunnel::EtherIp, walk.ethernet(bytes)),
        number::MPLS => (Tunnel::Mpls, walk.mpls(bytes)),
        _ => return None,
    })
}

/// The packet inside a datagram, by its ports; `None` when they are those of no tunnel.
pub(super) fn in_udp<'a>(
    walk: &mut Walk,
    source: u16,
    destination: u16,
    bytes: &'a [u8],
) -> Option<(Tunnel, Found<'a>)> {
    Some(match (source, destination) {
        (_, 4789) => (Tunnel::Vxlan, vxlan(walk, bytes)),
        (_, 6081) => (Tunnel::Geneve, geneve(walk, bytes)),
        (_, 6635) => (Tunnel::Mpls, walk.mpls(bytes)),
        (1701, _) | (_, 1701) => (Tunnel::L2tp, l2tp(walk, bytes)),
        (3544, _) | (_, 3544) => (Tunnel::Teredo, teredo(bytes)),
        _ => return None,
    })
}

fn gre<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let flags = be16(bytes, 0).ok_or(Seen::Malformed)?;
    let kind = be16(bytes, 2).ok_or(Seen::Malformed)?;
    // Routing was given up by RFC 2784.
    if flags & 0x4000 != 0 {
        return Err(Seen::Control);
    }
    // A checksum; a key; a sequence number; and the acknowledgment of PPTP.
    let fields = match flags & 7 {
        0 => flags & 0xb000,
        1 => flags & 0x3080,
        _ => return Err(Seen::Control),
    };
    let has_sequence = flags & 0x1000 != 0;
    let mut rest = from(bytes, 4)?;
    for _ in 0..fields.count_ones() {
        rest = from(rest, 4)?;
    }
    match kind {
        // ERSPAN: the first type has no header, the second has no type but this one.
        0x88be => walk.ethernet(if has_sequence { from(rest, 8)? } else { rest }),
        0x22eb => {
            let options = rest.get(11).is_some_and(|byte| byte & 1 == 1);
            walk.ethernet(from(rest, if options { 20 } else { 12 })?)
        }
        // WCCP: its second version puts a header of its own before the packet.
        0x883e => match rest.first() {
            Some(byte) if byte >> 4 == 4 => Ok(rest),
            _ => from(rest, 4),
        },
        0 => Err(Seen::Control),
        kind => walk.ether_type(kind, rest),
    }
}

fn vxlan<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    match bytes {
        [flags, ..] if flags & 0x08 != 0 => walk.ethernet(from(bytes, 8)?),
        _ => Err(Seen::Control),
    }
}

fn geneve<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let &[head, _, high, low, ..] = bytes else { return Err(Seen::Malformed) };
    if head >> 6 != 0 {
        return Err(Seen::Control);
    }
    let options = usize::from(head & 0x3f).saturating_mul(4);
    walk.ether_type(u16::from_be_bytes([high, low]), from(bytes, options.saturating_add(8))?)
}

fn l2tp<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let flags = be16(bytes, 0).ok_or(Seen::Malformed)?;
    // A message of control, or another version.
    if flags & 0x8000 != 0 || flags & 0x000f != 2 {
        return Err(Seen::Control);
    }
    let has_length = flags & 0x4000 != 0;
    let has_sequence = flags & 0x0800 != 0;
    let mut at = 6_usize;
    at = at.saturating_add(if has_length { 2 } else { 0 });
    at = at.saturating_add(if has_sequence { 4 } else { 0 });
    if flags & 0x0200 != 0 {
        let pad = be16(bytes, at).ok_or(Seen::Malformed)?;
        at = at.saturating_add(2).saturating_add(pad.into());
    }
    walk.ppp_framed(from(bytes, at)?)
}

fn teredo(bytes: &[u8]) -> Found<'_> {
    let mut rest = bytes;
    if let &[0, 1, client, value, ..] = rest {
        let fields = usize::from(client).saturating_add(value.into());
        rest = from(rest, fields.saturating_add(13))?;
    }
    if rest.starts_with(&[0, 0]) {
        rest = from(rest, 8)?;
    }
    match rest.first() {
        Some(byte) if byte >> 4 == 6 => Ok(rest),
        _ => Err(Seen::Control),
    }
}
