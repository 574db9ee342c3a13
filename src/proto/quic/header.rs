//! Takes the packets of a datagram apart, as far as they are not encrypted.
//!
//! It follows RFC 8999 (what all versions share), RFC 9000 section 17.2 (long headers) and RFC 9369
//! section 3.2 (other types in version 2). It must not know keys.
//!
//! Invariant: each packet taken is at least one byte long, so a datagram ends.

use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};
use nom::{IResult, Parser};

/// The first version: RFC 9000.
pub(super) const VERSION_1: u32 = 1;
/// RFC 9369.
pub(super) const VERSION_2: u32 = 0x6b33_43cf;

/// What a long header is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The beginning of the handshake; keys can be derived from the packet.
    Initial,
    /// Data before the handshake.
    ZeroRtt,
    /// The rest of the handshake.
    Handshake,
    /// The server wants the client to come again with a token.
    Retry,
}

/// A packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// One with a long header of a known version.
    Long(Long<'a>),
    /// One with a long header of a version that is not known; it takes the rest of the datagram.
    Other(u32),
    /// One with a short header; it takes the rest of the datagram.
    Short,
    /// The server knows other versions only.
    VersionNegotiation,
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Long<'a> {
    pub(super) kind: Kind,
    pub(super) version: u32,
    /// The identifier of the connection that the receiver chose, or is to have.
    pub(super) destination: &'a [u8],
    /// The packet from its first byte to its last.
    pub(super) bytes: &'a [u8],
    /// Where the packet number begins; it is protected from there on.
    pub(super) number_at: usize,
    /// Whether the datagram ends before the packet does.
    pub(super) cut: bool,
}

impl Long<'_> {
    /// Whether it says of itself that it is QUIC.
    pub(super) fn has_fixed_bit(&self) -> bool {
        self.bytes.first().is_some_and(|flags| flags & FIXED != 0)
    }
}

/// Whether a version is one whose packets can be read.
pub(super) const fn is_known(version: u32) -> bool {
    matches!(version, VERSION_1 | VERSION_2 | 0xff00_001d..=0xff00_0022)
}

/// A number of one, two, four or eight bytes (RFC 9000 section 16).
pub(super) fn number(input: &[u8]) -> IResult<&[u8], u64> {
    let (_, first) = be_u8(input)?;
    match first >> 6 {
        0 => be_u8.map(u64::from).parse(input),
        1 => be_u16.map(|value| u64::from(value & 0x3fff)).parse(input),
        2 => be_u32.map(|value| u64::from(value & 0x3fff_ffff)).parse(input),
        _ => be_u64.map(|value| value & 0x3fff_ffff_ffff_ffff).parse(input),
    }
}

/// An identifier of a connection; no known version has longer ones (RFC 9000 section 17.2).
fn identifier(input: &[u8]) -> IResult<&[u8], &[u8]> {
    length_data(verify(be_u8, |length| *length <= 20)).parse(input)
}

/// The packet that `datagram` begins with, and what comes after it.
///
/// The bit that is set in nearly all packets may be clear in later ones (RFC 9287), so what comes
/// after a packet is padding only when it is all zeros.
pub(super) fn packet(datagram: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    if *datagram.first()? & LONG == 0 {
        let fits = datagram.len() >= SHORTEST && datagram.iter().any(|byte| *byte != 0);
        return fits.then_some((Packet::Short, &[]));
    }
    let (body, version) = version(datagram.get(1..)?).ok()?;
    if version == 0 {
        let (_, versions) = version_list(body).ok()?;
        return versions.then_some((Packet::VersionNegotiation, &[]));
    }
    if !is_known(version) {
        return any_identifiers(body).is_ok().then_some((Packet::Other(version), &[]));
    }
    let (after, long) = long(datagram, version).ok()?;
    Some((Packet::Long(long), after))
}

fn version(input: &[u8]) -> IResult<&[u8], u32> {
    be_u32(input)
}

/// RFC 8999 section 5.1: versions to come may have longer identifiers.
fn any_identifiers(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    (length_data(be_u8), length_data(be_u8)).parse(input)
}

/// Whether what follows the zero of a version negotiation makes sense (RFC 9000 section 17.2.1).
fn version_list(input: &[u8]) -> IResult<&[u8], bool> {
    let (versions, _) = any_identifiers(input)?;
    let (versions, remainder) = versions.as_chunks::<4>();
    // RFC 9000 section 15: some are made up, to keep receivers honest.
    let plausible = |version: u32| is_known(version) || version & 0x0f0f_0f0f == 0x0a0a_0a0a;
    let any = versions.iter().any(|version| plausible(u32::from_be_bytes(*version)));
    Ok((&[], any && remainder.is_empty()))
}

fn long(datagram: &[u8], version: u32) -> IResult<&[u8], Long<'_>> {
    let (body, flags) = be_u8(datagram)?;
    let (body, (_, destination, _)) = (take(4_usize), identifier, identifier).parse(body)?;
    // RFC 9369 section 3.2: version 2 counts the types from another start.
    let kind = match ((flags >> 4) & 3, version == VERSION_2) {
        (0, false) | (1, true) => Kind::Initial,
        (1, false) | (2, true) => Kind::ZeroRtt,
        (2, false) | (3, true) => Kind::Handshake,
        _ => Kind::Retry,
    };
    let mut long = Long { kind, version, destination, bytes: datagram, number_at: 0, cut: false };
    if kind == Kind::Retry {
        return Ok((&[], long));
    }
    let body = match kind {
        Kind::Initial => length_data(number).parse(body)?.0,
        _ => body,
    };
    let (body, length) = number(body)?;
    long.number_at = datagram.len().saturating_sub(body.len());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let end = long.number_at.saturating_add(length);
    match datagram.split_at_checked(end) {
        Some((bytes, after)) => Ok((after, Long { bytes, ..long })),
        None => Ok((&[], Long { cut: true, ..long })),
    }
}

/// The bit of a long header.
const LONG: u8 = 0x80;
/// The bit that tells QUIC from other protocols (RFC 9000 section 17.2).
const FIXED: u8 = 0x40;
/// The shortest packet there can be: flags, four bytes of number and data, sixteen of proof.
const SHORTEST: usize = 21;
