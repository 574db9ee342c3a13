//! The members of a zip: by its directory, and where that is lost by their own headers.
//!
//! The directory at the end (APPNOTE 4.3.12) is read entry by entry, so that members of one name are each there. An
//! archive that lost it, as a download that broke off has: the local headers (4.3.7) are followed from the first one
//! on, and a member whose length stands behind it only (4.3.9) is measured by finding that record. The listing of the
//! `zip` crate is not used: it makes room for as many entries as an archive claims. Nothing is inflated here.
//!
//! Invariants: what is held is bounded, and grows with what was read and never with what is claimed; a walk only goes
//! forward, so it ends; a record counts as the end of a member only when the length in it is the length found.

mod member;

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

pub(super) use self::member::{Bridge, Located};
use super::source::as_u64;
use crate::evidence::DiagnosticCode;
use crate::limits;

/// What an archive holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The members, in order.
    pub(super) members: Vec<Located>,
    /// The comment of the archive.
    pub(super) comment: Vec<u8>,
    /// Why there may be more members than these.
    pub(super) short: Option<Short>,
}

/// Why a listing may lack members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// There was no directory.
    NoDirectory,
    /// There are more than are listed.
    Full,
}

impl Short {
    /// What that is for a reader.
    pub(super) const fn code(self) -> DiagnosticCode {
        match self {
            Self::NoDirectory => DiagnosticCode::Truncated,
            Self::Full => DiagnosticCode::LimitReached,
        }
    }

    /// The same in words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::NoDirectory => {
                "the archive has no directory at its end, as after a download that broke off; its members \
                 were found one after the other, and later ones are lost"
            }
            Self::Full => "the archive has more members than are listed; the first are read",
        }
    }
}

/// Members as they are found, within bounds.
struct Found {
    members: Vec<Located>,
    /// How many more there may be, and how many more bytes of names.
    room: usize,
    names: u64,
    is_full: bool,
    /// Where the last member ends, of those that are walked along.
    end: u64,
}

impl Found {
    fn within(room: usize) -> Self {
        let names = as_u64(room).saturating_mul(limits::ARCHIVE_NAME);
        Self { members: Vec::new(), room, names, is_full: false, end: 0 }
    }

    fn add(&mut self, member: Located) {
        let names = self.names.checked_sub(as_u64(member.name.len()));
        match names.filter(|_| self.members.len() < self.room) {
            Some(names) => {
                self.names = names;
                self.members.push(member);
            }
            None => self.is_full = true,
        }
    }

    fn short(&self) -> Option<Short> {
        self.is_full.then_some(Short::Full)
    }
}

/// Lists up to so many members of an archive; without a directory, by their headers. `None` where there are none.
pub(super) fn list<R: Read + Seek>(reader: &mut R, room: usize) -> io::Result<Option<Listing>> {
    let listing = directory(reader, room)?;
    let (listing, begin) = match listing {
        Some((listing, begin)) => (Some(listing), begin),
        None => (None, 0),
    };
    let is_empty = listing.as_ref().is_none_or(|listing| listing.members.is_empty());
    // Where members begin in front of what the directory knows of, it is that of an archive behind another one, or of
    // one inside an archive that broke off: then members reach behind its beginning.
    if !is_empty && (begin == 0 || !is_at(reader, 0, b"PK\x03\x04")?) {
        return Ok(listing);
    }
    // Also what says that it is empty may have members.
    let found = walk(reader, room)?;
    if found.members.is_empty() || (!is_empty && found.end <= begin) {
        return Ok(listing);
    }
    let short = found.short().or(Some(Short::NoDirectory));
    Ok(Some(Listing { members: found.members, comment: Vec::new(), short }))
}

/// Whether these bytes are there.
fn is_at<R: Read + Seek>(reader: &mut R, at: u64, wanted: &[u8]) -> io::Result<bool> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(at.min(length)))?;
    let mut bytes = Vec::new();
    reader.by_ref().take(as_u64(wanted.len())).read_to_end(&mut bytes)?;
    Ok(bytes == wanted)
}

/// The end of central directory record (APPNOTE 4.3.16): where the directory is.
struct EndRecord {
    /// Where the directory ends.
    place: u64,
    /// Its length and place, as they are claimed.
    size: u64,
    offset: u64,
    entries: u64,
}

/// Lists an archive by its directory, if that is there as a whole, and tells where the archive begins.
fn directory<R: Read + Seek>(reader: &mut R, room: usize) -> io::Result<Option<(Listing, u64)>> {
    let length = reader.seek(SeekFrom::End(0))?;
    let begin = length.saturating_sub(TAIL);
    reader.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    reader.by_ref().take(TAIL).read_to_end(&mut tail)?;
    let mut empty = None;
    let mut tried: usize = 0;
    // The signature may stand in the comment as well, or be that of an archive inside.
    for at in memchr::memmem::rfind_iter(&tail, b"PK\x05\x06") {
        if tried >= CANDIDATES {
            break;
        }
        let Some(end) = end(reader, &tail, at, begin)? else { continue };
        let behind = tail.get(at.saturating_add(20)..).unwrap_or_default();
        let comment = behind.get(2..).unwrap_or_default();
        let length = usize::from(short(behind, 0).unwrap_or(0));
        let comment = comment.get(..length).unwrap_or_default().to_vec();
        // Bytes in front of the archive are not counted in the place that it claims; a wrong length is met too.
        let by_length = end.place.checked_sub(end.size);
        let places = [by_length, Some(end.offset).filter(|place| by_length != Some(*place))];
        for place in places.into_iter().flatten().filter(|place| *place <= end.place) {
            let before = place.saturating_sub(end.offset);
            let found = entries(reader, place, before, &end, room)?;
            if !found.is_full && as_u64(found.members.len()) < end.entries {
                tried = tried.saturating_add(usize::from(!found.members.is_empty()));
                continue;
            }
            let short = found.short();
            let listing = Listing { members: found.members, comment: comment.clone(), short };
            if !listing.members.is_empty() {
                return Ok(Some((listing, before)));
            }
            empty = Some((listing, 0));
        }
    }
    Ok(empty)
}

/// What the record at the end (APPNOTE 4.3.16) says, with its Zip64 form (4.3.14) where its numbers are too small.
fn end<R: Read + Seek>(
    reader: &mut R,
    tail: &[u8],
    at: usize,
    begin: u64,
) -> io::Result<Option<EndRecord>> {
    let record = tail.get(at..).unwrap_or_default();
    let narrow = || {
        let (entries, size, offset) = (short(record, 10)?, long(record, 12)?, long(record, 16)?);
        // A record whose comment broke off is none: who knows what else did.
        record.get(22..)?.get(..usize::from(short(record, 20)?))?;
        Some((entries, size, offset))
    };
    let Some((entries, size, offset)) = narrow() else { return Ok(None) };
    let place = begin.saturating_add(as_u64(at));
    let is_wide = entries == u16::MAX || size == u32::MAX || offset == u32::MAX;
    let locator = at.checked_sub(20).and_then(|at| tail.get(at..)).unwrap_or_default();
    if is_wide && locator.starts_with(b"PK\x06\x07") {
        // Where it is claimed to be, or right in front of its locator.
        let claimed = wide(locator, 8).unwrap_or(u64::MAX);
        let places = [Some(claimed), place.checked_sub(20 + 56)];
        // No system lets a reader go as far as some claim.
        for place in places.into_iter().flatten().filter(|claimed| *claimed < place) {
            reader.seek(SeekFrom::Start(place))?;
            let mut record = Vec::new();
            reader.by_ref().take(56).read_to_end(&mut record)?;
            let wide = || Some((wide(&record, 32)?, wide(&record, 40)?, wide(&record, 48)?));
            if record.starts_with(b"PK\x06\x06")
                && let Some((entries, size, offset)) = wide()
            {
                return Ok(Some(EndRecord { place, size, offset, entries }));
            }
        }
    }
    let (size, offset) = (u64::from(size), u64::from(offset));
    Ok(Some(EndRecord { place, size, offset, entries: entries.into() }))
}

/// The entries of a directory that begins here, up to the first that is none.
fn entries<R: Read + Seek>(
    reader: &mut R,
    place: u64,
    before: u64,
    end: &EndRecord,
    room: usize,
) -> io::Result<Found> {
    let mut found = Found::within(room);
    reader.seek(SeekFrom::Start(place))?;
    let length = end.place.saturating_sub(place);
    let mut stream = BufReader::new(reader.by_ref().take(length));
    while !found.is_full
        && let Some(member) = entry(&mut stream, before)
    {
        found.add(member);
    }
    Ok(found)
}

/// The member that the entry of a directory tells of, which begins here.
fn entry(reader: &mut impl BufRead, before: u64) -> Option<Located> {
    let mut fixed = [0; 46];
    reader.read_exact(&mut fixed).ok()?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (flags, method) = (short(&fixed, 8)?, short(&fixed, 10)?);
    let [name, extra, comment] = [short(&fixed, 28)?, short(&fixed, 30)?, short(&fixed, 32)?];
    let mut name = vec![0; usize::from(name)];
    reader.read_exact(&mut name).ok()?;
    let mut extras = vec![0; usize::from(extra)];
    reader.read_exact(&mut extras).ok()?;
    io::copy(&mut reader.take(comment.into()), &mut io::sink()).ok()?;
    // The Zip64 field (APPNOTE 4.5.3) has only what does not fit, in this order.
    let mut rest = field(&extras, 1).unwrap_or_default();
    let mut widened = |at| -> Option<u64> {
        let narrow = long(&fixed, at)?;
        if narrow != u32::MAX {
            return Some(u64::from(narrow));
        }
        let (first, behind) = rest.split_first_chunk::<8>()?;
        rest = behind;
        Some(u64::from_le_bytes(*first))
    };
    let (expanded, compressed, header) = (widened(24)?, widened(20)?, widened(42)?);
    Some(Located {
        name: unicode_name(&extras, &name).unwrap_or(name).into_boxed_slice(),
        header: header.checked_add(before)?,
        method,
        flags,
        time: *fixed.get(12..)?.first_chunk()?,
        compressed: Some(compressed),
        expanded: Some(expanded),
        checksum: Some(long(&fixed, 16)?),
        aes: aes(&extras),
    })
}

/// The name in UTF-8 that stands beside one in another code page (APPNOTE 4.6.9), if it is of the same name.
fn unicode_name(extras: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = field(extras, 0x7075)?.split_first()?;
    let (checksum, text) = rest.split_first_chunk::<4>()?;
    let mut crc = flate2::Crc::new();
    crc.update(name);
    let is_of_it = *version == 1 && crc.sum() == u32::from_le_bytes(*checksum);
    (is_of_it && std::str::from_utf8(text).is_ok()).then(|| text.to_vec())
}

/// Follows the local headers.
fn walk<R: Read + Seek>(reader: &mut R, room: usize) -> io::Result<Found> {
    let mut found = Found::within(room);
    let length = reader.seek(SeekFrom::End(0))?;
    // One that was once in parts has a mark in front (APPNOTE 8.5.4).
    let mut at = if is_at(reader, 0, b"PK\x07\x08")? { 4 } else { 0 };
    while !found.is_full && at < length {
        reader.seek(SeekFrom::Start(at))?;
        let Some((mut member, data)) = header(reader, at) else { break };
        let next = if member.has_descriptor() {
            match descriptor(reader, data)? {
                Some(end) => {
                    member.compressed = Some(end.length);
                    member.checksum = Some(end.checksum);
                    Some(end.next)
                }
                None => None,
            }
        } else {
            data.checked_add(member.compressed.unwrap_or(0))
        };
        found.add(member);
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    found.end = at;
    Ok(found)
}

/// The member whose header begins here, and where its data begins.
fn header(reader: &mut impl Read, at: u64) -> Option<(Located, u64)> {
    let mut fixed = [0; LOCAL];
    reader.read_exact(&mut fixed).ok()?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return None;
    }
    let (flags, method) = (short(&fixed, 6)?, short(&fixed, 8)?);
    let (compressed, expanded) = (long(&fixed, 18)?, long(&fixed, 22)?);
    let (name_length, extra_length) = (short(&fixed, 26)?, short(&fixed, 28)?);
    let mut name = vec![0; usize::from(name_length)];
    reader.read_exact(&mut name).ok()?;
    let mut extra = vec![0; usize::from(extra_length)];
    reader.read_exact(&mut extra).ok()?;
    let compressed =
        if compressed == u32::MAX { long_length(&extra)? } else { u64::from(compressed) };
    let long_expanded = || wide(field(&extra, 1)?, 0);
    let expanded = if expanded == u32::MAX { long_expanded() } else { Some(u64::from(expanded)) };
    let data = at
        .checked_add(as_u64(LOCAL))?
        .checked_add(u64::from(name_length))?
        .checked_add(u64::from(extra_length))?;
    let is_told = flags & 0x8 == 0;
    let member = Located {
        name: unicode_name(&extra, &name).unwrap_or(name).into_boxed_slice(),
        header: at,
        method,
        flags,
        time: *fixed.get(10..)?.first_chunk()?,
        compressed: is_told.then_some(compressed),
        expanded: expanded.filter(|_| is_told),
        checksum: is_told.then_some(long(&fixed, 14)?),
        aes: aes(&extra),
    };
    Some((member, data))
}

/// The field that tells how a member is protected with AES.
fn aes(extras: &[u8]) -> Option<[u8; 7]> {
    field(extras, 0x9901)?.first_chunk().copied()
}

/// The compressed length of a Zip64 field (APPNOTE 4.5.3): it follows the expanded one.
fn long_length(extra: &[u8]) -> Option<u64> {
    let field = field(extra, 1)?;
    wide(field, 8).or_else(|| wide(field, 0))
}

/// One of the extra fields of a header (APPNOTE 4.5), by its number.
fn field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (id, length) = (short(extra, 0)?, usize::from(short(extra, 2)?));
        let field = extra.get(4..)?.get(..length)?;
        if id == wanted {
            return Some(field);
        }
        extra = extra.get(4..)?.get(length..)?;
    }
}

/// The data descriptor (APPNOTE 4.3.9) behind a member: how long it is.
struct Descriptor {
    length: u64,
    checksum: u32,
    next: u64,
}

/// Finds the record behind the data that begins at `data`: one whose length is its distance.
fn descriptor<R: Read + Seek>(reader: &mut R, data: u64) -> io::Result<Option<Descriptor>> {
    reader.seek(SeekFrom::Start(data))?;
    let mut buffer = Vec::new();
    let mut base = data;
    loop {
        let before = buffer.len();
        reader.by_ref().take(CHUNK).read_to_end(&mut buffer)?;
        let last = buffer.len() == before;
        let mut from = 0;
        while let Some(position) =
            buffer.get(from..).and_then(|rest| memchr::memmem::find(rest, b"PK"))
        {
            let at = from.saturating_add(position);
            let length =
                base.saturating_sub(data).saturating_add(u64::try_from(at).unwrap_or(u64::MAX));
            // One that is not there as a whole yet is looked at with what follows.
            let rest = buffer.get(at..).filter(|rest| last || rest.len() >= RECORD);
            if let Some(end) = rest.and_then(|rest| record(rest, length, data)) {
                return Ok(Some(end));
            }
            from = at.saturating_add(1);
        }
        if last {
            return Ok(None);
        }
        // A record may lie across the border.
        let keep = buffer.len().saturating_sub(RECORD);
        buffer.drain(..keep);
        base = base.saturating_add(u64::try_from(keep).unwrap_or(0));
    }
}

/// A record with its signature, in its short or its long form, for data of this length.
fn record(bytes: &[u8], length: u64, data: u64) -> Option<Descriptor> {
    if !bytes.starts_with(b"PK\x07\x08") {
        return None;
    }
    let checksum = long(bytes, 4)?;
    let short_form = u64::from(long(bytes, 8)?) == length;
    let wide = || wide(bytes, 8);
    let size: u64 = if bytes.get(12..16).is_some_and(|high| high == [0; 4])
        && wide() == Some(length)
        && bytes.get(24..26).is_none_or(|next| next == b"PK")
    {
        24
    } else if short_form {
        16
    } else {
        return None;
    };
    Some(Descriptor { length, checksum, next: data.checked_add(length)?.checked_add(size)? })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk::<2>().copied()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk::<4>().copied()?))
}

fn wide(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk::<8>().copied()?))
}

/// Bytes of a local header without name and fields.
const LOCAL: usize = 30;
/// Bytes in which the record at the end lies, with the longest comment and the locator in front of it.
const TAIL: u64 = 20 + 22 + 65_535;
/// Directories that are read in vain, of those that records in it tell of: each may cost a long walk.
const CANDIDATES: usize = 4;
/// Bytes read at a time while looking for a record.
const CHUNK: u64 = 64 * limits::KIB;
/// Bytes of the longest record, and the signature that follows it.
const RECORD: usize = 26;

#[cfg(test)]
mod tests;
