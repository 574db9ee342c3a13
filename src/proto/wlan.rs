//! Frames of 802.11, and what capture tools put before them.
//!
//! It follows IEEE 802.11 section 9.2 (frame format) and the description of radiotap; the headers of
//! Prism, AVS and PPI are those of the registry of link types. It must not know keys: a body that
//! does not begin with LLC is encrypted or is none of a packet.
//!
//! Invariant: only data frames lead on, and of a frame sent in parts only the first.

use super::layers::Seen;
use super::link::{Found, Walk, be32, from, le16, le32, size};

/// A frame of 802.11; `is_padded` says that its header is filled up to four bytes.
pub(super) fn frame<'a>(walk: &mut Walk, bytes: &'a [u8], is_padded: bool) -> Found<'a> {
    let &[control, flags, ..] = bytes else { return Err(Seen::Malformed) };
    // Data; the third bit of its subtype says that it holds none.
    if control & 0x0c != 0x08 || control & 0x40 != 0 {
        return Err(Seen::Control);
    }
    let has_quality = control & 0x80 != 0;
    let mut length = 24_usize;
    if flags & (TO_DS | FROM_DS) == TO_DS | FROM_DS {
        length = length.saturating_add(6);
    }
    if has_quality {
        length = length.saturating_add(2);
        if flags & ORDER != 0 {
            length = length.saturating_add(4);
        }
    }
    let part = le16(bytes, 22).ok_or(Seen::Malformed)? & 0x0f;
    if part != 0 {
        return Err(Seen::Control);
    }
    if is_padded {
        length = length.next_multiple_of(4);
    }
    let body = from(bytes, length)?;
    // Systems that decrypt a frame may leave the flag in place, and the counter before the body.
    let counter = if flags & PROTECTED != 0 && !is_llc(body) { COUNTER } else { 0 };
    let body = from(body, counter)?;
    if flags & PROTECTED != 0 && !is_llc(body) {
        return Err(Seen::Control);
    }
    walk.llc(body)
}

/// Radiotap: a header of little-endian fields, as many as its bits say.
pub(super) fn radiotap<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let length = usize::from(le16(bytes, 2).ok_or(Seen::Malformed)?);
    let rest = from(bytes, length)?;
    let present = le32(bytes, 4).ok_or(Seen::Malformed)?;
    let mut at = 8_usize;
    let mut word = present;
    while word & 0x8000_0000 != 0 {
        word = le32(bytes, at).ok_or(Seen::Malformed)?;
        at = at.saturating_add(4);
    }
    if present & 1 != 0 {
        at = at.next_multiple_of(8).saturating_add(8);
    }
    let flags = if present & 2 != 0 { bytes.get(at).copied().unwrap_or(0) } else { 0 };
    frame(walk, rest, flags & RADIOTAP_PADDED != 0)
}

/// The header of Prism cards, in the order of the machine that captured; some put that of AVS there.
pub(super) fn prism<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let start = be32(bytes, 0).ok_or(Seen::Malformed)?;
    if start & 0xffff_f000 == AVS {
        return avs(walk, bytes);
    }
    let told = be32(bytes, 4).ok_or(Seen::Malformed)?;
    frame(walk, from(bytes, size(told.min(told.swap_bytes())))?, false)
}

/// The header of AVS.
pub(super) fn avs<'a>(walk: &mut Walk, bytes: &'a [u8]) -> Found<'a> {
    let length = be32(bytes, 4).ok_or(Seen::Malformed)?;
    frame(walk, from(bytes, size(length))?, false)
}

/// Whether a body begins with SNAP.
fn is_llc(body: &[u8]) -> bool {
    body.starts_with(&[0xaa, 0xaa, 0x03])
}

const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// Bytes of the packet number of CCMP, which TKIP has as well.
const COUNTER: usize = 8;
/// The flag of radiotap for a header filled up to four bytes.
const RADIOTAP_PADDED: u8 = 0x20;
/// How the header of AVS begins.
const AVS: u32 = 0x8021_1000;
