//! The members of a zip: by its directory, and where that is lost by their own headers.
//!
//! The directory at the end (APPNOTE 4.3.12) is read entry by entry, so that members of one name are each there. An
//! archive that lost it, as a download that broke off has: the local headers (4.3.7) are followed from the first one
//! on, and a member whose length stands behind it only (4.3.9) is measured by finding that record. The `zip` crate
//! opens what is found here, by what the directory says of it; its own listing makes room for as many entries as an archive claims to have. Nothing is
//! inflated here.
//!
//! Invariants: what is held is bounded, and grows with what was read and never with what is claimed; a walk only goes
//! forward, so it ends; a record counts as the end of a member only when the length in it is the length found.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::read::{ZipFile, ZipReadOptions};
use zip::result::{ZipError, ZipResult};

use super::source::as_u64;
use crate::evidence::DiagnosticCode;
use crate::limits;

/// A member, as an archive tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Its name.
    pub(super) name: Box<[u8]>,
    /// Where its header begins.
    header: u64,
    /// How it is compressed, by its number in the format (APPNOTE 4.4.5).
    pub(super) method: u16,
    /// Its general purpose bits (4.4.4).
    flags: u16,
    /// Date and time, as the format has them (4.4.6): the check of a password may need them.
    time: [u8; 4],
    /// The length of its data; `None` when the input ends before it does.
    pub(super) compressed: Option<u64>,
    /// The length of what it expands to, as it claims.
    expanded: Option<u64>,
    /// Its checksum.
    checksum: Option<u32>,
    /// How it is protected with AES, as its field tells (APPNOTE 4.5.2, 0x9901).
    aes: Option<[u8; 7]>,
}

/// What members are opened through: the header that a member should have, and then its data.
///
/// The local header of a member may say something else than the directory, which is what other programs go by.
pub(super) struct Bridge<R> {
    header: Vec<u8>,
    at: usize,
    reader: R,
    /// Whether nothing more is to be read of the member that was opened last: the library reads what is left of one,
    /// to get to the next.
    is_left: Rc<Cell<bool>>,
}

impl<R> Bridge<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { header: Vec::new(), at: 0, reader, is_left: Rc::default() }
    }

    /// What is set when the member that was opened last is left.
    pub(super) fn leaver(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.is_left)
    }
}

impl<R: Read> Read for Bridge<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_left.get() {
            return Ok(0);
        }
        let mut header = self.header.get(self.at..).unwrap_or_default();
        if header.is_empty() {
            return self.reader.read(buffer);
        }
        let count = header.read(buffer)?;
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

impl Located {
    /// Whether it is protected.
    pub(super) const fn is_protected(&self) -> bool {
        self.flags & 0x1 != 0
    }

    /// Whether lengths and checksum stand behind the data.
    const fn has_descriptor(&self) -> bool {
        self.flags & 0x8 != 0
    }

    /// Opens it in the archive that it was found in.
    ///
    /// # Errors
    ///
    /// As the library has them: a password that is missing or wrong, a method it does not know, a
    /// header that is not where it should be.
    pub(super) fn open<'r, R: Read + Seek>(
        &self,
        bridge: &'r mut Bridge<R>,
        password: Option<&'r [u8]>,
    ) -> ZipResult<ZipFile<'r, Bridge<R>>> {
        let data = self.data(&mut bridge.reader).ok_or(ZipError::FileNotFound)?;
        bridge.reader.seek(SeekFrom::Start(data))?;
        (bridge.header, bridge.at) = (self.local_header(), 0);
        bridge.is_left.set(false);
        let mut options = ZipReadOptions::new().password(password);
        // The library takes the lengths from here where they stand behind the data, and from the header elsewhere.
        options = options.override_compressed_size(self.compressed.unwrap_or(u64::MAX));
        options = match self.checksum {
            Some(checksum) => options.override_crc(checksum),
            None => options.ignore_crc32(true),
        };
        if let Some(expanded) = self.expanded {
            options = options.override_uncompressed_size(expanded);
        }
        zip::read::read_zipfile_from_stream_with_options(bridge, options)?
            .ok_or(ZipError::FileNotFound)
    }

    /// The local header (APPNOTE 4.3.7) that says what is known of the member, without its name.
    fn local_header(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        // The Zip64 field has both lengths there (4.5.3).
        fields.extend([1, 0, 16, 0]);
        fields.extend(self.expanded.unwrap_or(0).to_le_bytes());
        fields.extend(self.compressed.unwrap_or(u64::MAX).to_le_bytes());
        if let Some(aes) = &self.aes {
            fields.extend([0x01, 0x99, 7, 0]);
            fields.extend(aes);
        }
        let mut header = b"PK\x03\x04\x33\0".to_vec();
        header.extend(self.flags.to_le_bytes());
        header.extend(self.method.to_le_bytes());
        header.extend(self.time);
        header.extend(self.checksum.unwrap_or(0).to_le_bytes());
        header.extend([0xff; 8]);
        header.extend([0, 0]);
        header.extend(u16::try_from(fields.len()).unwrap_or(0).to_le_bytes());
        header.extend(fields);
        header
    }

    /// Where its data begins; `None` where its header is not there.
    pub(super) fn data(&self, reader: &mut (impl Read + Seek)) -> Option<u64> {
        let mut fixed = [0; LOCAL];
        reader.seek(SeekFrom::Start(self.header)).ok()?;
        reader.read_exact(&mut fixed).ok()?;
        let lengths = [u64::from(short(&fixed, 26)?), u64::from(short(&fixed, 28)?)];
        let begin = self.header.checked_add(as_u64(LOCAL))?;
        let is_header = fixed.starts_with(b"PK\x03\x04");
        is_header.then(|| begin.checked_add(lengths.iter().sum()))?
    }

    /// Whether it is a folder.
    pub(super) fn is_folder(&self) -> bool {
        matches!(&*self.name, [.., b'/' | b'\\'])
    }

    /// The name as a text: UTF-8, or else of the code page of the IBM PC (APPNOTE D.1).
    pub(super) fn shown_name(&self) -> Cow<'_, str> {
        if let Ok(name) = std::str::from_utf8(&self.name) {
            return name.into();
        }
        let letter = |byte: &u8| match usize::from(*byte).checked_sub(0x80) {
            None => char::from(*byte),
            Some(high) => CP437.chars().nth(high).unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        self.name.iter().map(letter).collect::<String>().into()
    }
}

/// The upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

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

/// Where a directory is, as a record at the end tells.
struct End {
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
) -> io::Result<Option<End>> {
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
                return Ok(Some(End { place, size, offset, entries }));
            }
        }
    }
    let (size, offset) = (u64::from(size), u64::from(offset));
    Ok(Some(End { place, size, offset, entries: entries.into() }))
}

/// The entries of a directory that begins here, up to the first that is none.
fn entries<R: Read + Seek>(
    reader: &mut R,
    place: u64,
    before: u64,
    end: &End,
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

/// The end of a member that a record behind it tells.
struct MemberEnd {
    length: u64,
    checksum: u32,
    next: u64,
}

/// Finds the record behind the data that begins at `data`: one whose length is its distance.
fn descriptor<R: Read + Seek>(reader: &mut R, data: u64) -> io::Result<Option<MemberEnd>> {
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
fn record(bytes: &[u8], length: u64, data: u64) -> Option<MemberEnd> {
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
    Some(MemberEnd { length, checksum, next: data.checked_add(length)?.checked_add(size)? })
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
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    fn walked(bytes: &[u8]) -> Vec<Located> {
        walk(&mut Cursor::new(bytes), 100).unwrap().members
    }

    fn listed(bytes: &[u8]) -> Option<Listing> {
        list(&mut Cursor::new(bytes), limits::ARCHIVE_MEMBERS).unwrap()
    }

    /// Members as they were written, and as they were streamed.
    fn archives(members: &[(&str, &[u8])]) -> [Vec<u8>; 2] {
        let options = SimpleFileOptions::default();
        let mut known = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut streamed = zip::ZipWriter::new_stream(Vec::new());
        for (name, bytes) in members {
            known.start_file(*name, options).unwrap();
            known.write_all(bytes).unwrap();
            streamed.start_file(*name, options).unwrap();
            streamed.write_all(bytes).unwrap();
        }
        [known.finish().unwrap().into_inner(), streamed.finish().unwrap().into_inner()]
    }

    #[test]
    fn members_with_and_without_a_record_behind_them() {
        let text = vec![b'x'; 100_000];
        let [known, streamed] = archives(&[("raw/1_c.txt", &text), ("raw/1_s.txt", &text)]);
        let found = walked(&known);
        assert_eq!(found.len(), 2);
        assert_eq!(&*found[1].name, b"raw/1_s.txt");
        assert!(!found[1].has_descriptor() && found[1].compressed.is_some());
        let again = walked(&streamed);
        assert_eq!(again.len(), 2);
        assert!(again[1].has_descriptor());
        assert_eq!(again[1].compressed, found[1].compressed);
        assert_eq!(walked(b"no archive"), []);
        for cut in 0..streamed.len() {
            walked(&streamed[..cut]);
            listed(&streamed[..cut]);
        }
    }

    #[test]
    fn a_directory_is_found_and_read_as_a_whole() {
        let members: &[(&str, &[u8])] = &[("a", b"12"), ("b/", b""), ("c.txt", b"345")];
        for bytes in archives(members) {
            let plain = listed(&bytes).unwrap();
            assert_eq!(plain.short, None);
            let names: Vec<_> = plain.members.iter().map(Located::shown_name).collect();
            assert_eq!(names, ["a", "b/", "c.txt"]);
            // Bytes in front, and signatures in the comment.
            let mut more = b"something before it".to_vec();
            more.extend(&bytes);
            let comment =
                b"PK\x05\x06 is no end, and PK\x05\x06 neither: it is too short PK\x05\x06";
            let at = more.len() - 2;
            more[at..].copy_from_slice(&u16::try_from(comment.len()).unwrap().to_le_bytes());
            more.extend(comment);
            let listing = listed(&more).unwrap();
            assert_eq!((listing.members.len(), listing.comment.as_slice()), (3, &comment[..]));
            let mut reader = Bridge::new(Cursor::new(&more));
            for (member, (_, want)) in listing.members.iter().zip(members) {
                let mut text = Vec::new();
                member.open(&mut reader, None).unwrap().read_to_end(&mut text).unwrap();
                assert_eq!(text, *want);
            }
            // A part of a directory is none: members are found by their headers.
            let second = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
            let mut torn = bytes.clone();
            torn[second] = b'x';
            let listing = listed(&torn).unwrap();
            assert_eq!((listing.members.len(), listing.short), (3, Some(Short::NoDirectory)));
        }
        let [empty, _] = archives(&[]);
        assert_eq!(
            listed(&empty).unwrap(),
            Listing { members: vec![], comment: vec![], short: None }
        );
        assert_eq!(listed(b""), None);
        // One that claims to be empty behind one that is not.
        let [full, _] = archives(members);
        assert_eq!(listed(&[full, empty].concat()).unwrap().members.len(), 3);
    }

    /// An entry of a directory, the numbers of which stand in its Zip64 field.
    fn wide_entry(name: &[u8], length: usize, header: usize) -> Vec<u8> {
        let mut entry = b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0".to_vec();
        entry.extend([0xff; 8]);
        entry.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        entry.extend(28_u16.to_le_bytes());
        entry.extend([0; 10]);
        entry.extend([0xff; 4]);
        entry.extend(name);
        entry.extend([1, 0, 24, 0]);
        for number in [length, length, header] {
            entry.extend(as_u64(number).to_le_bytes());
        }
        entry
    }

    /// The records at the end of an archive of Zip64.
    fn wide_end(entries: u64, size: usize, start: usize) -> Vec<u8> {
        let mut end = b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        for number in [entries, entries, as_u64(size), as_u64(start)] {
            end.extend(number.to_le_bytes());
        }
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend(as_u64(start.saturating_add(size)).to_le_bytes());
        end.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
        end.extend([0xff; 12]);
        end.extend([0, 0]);
        end
    }

    #[test]
    fn wide_numbers_and_names_that_are_shared() {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        let texts: [&[u8]; 3] = [b"first", b"second", b"third"];
        for text in texts {
            directory.extend(wide_entry(b"x", text.len(), bytes.len()));
            bytes.extend(b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0");
            bytes.extend([u32::try_from(text.len()).unwrap(); 2].map(u32::to_le_bytes).concat());
            bytes.extend([1, 0, 0, 0, b'x']);
            bytes.extend(text);
        }
        let start = bytes.len();
        bytes.extend(&directory);
        bytes.extend(wide_end(3, directory.len(), start));
        for before in [b"".as_slice(), b"something before it"] {
            let bytes = [before, &bytes].concat();
            let listing = listed(&bytes).unwrap();
            assert_eq!(listing.short, None);
            let found: Vec<&[u8]> = listing
                .members
                .iter()
                .map(|member| {
                    let begin = member.data(&mut Cursor::new(&bytes)).unwrap();
                    let begin = usize::try_from(begin).unwrap();
                    &bytes[begin..][..usize::try_from(member.compressed.unwrap()).unwrap()]
                })
                .collect();
            assert_eq!(found, texts);
        }
    }

    #[test]
    fn what_an_archive_claims_makes_no_room() {
        // As many entries as no memory holds, in a directory that is as long as it says.
        let zeros = vec![0; 1 << 20];
        for entries in [u64::MAX, 1 << 40, as_u64(zeros.len()) / 46] {
            let bytes = [zeros.clone(), wide_end(entries, zeros.len(), 0)].concat();
            assert_eq!(listed(&bytes), None);
        }
        // More of them than are listed, all of one member.
        let member = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let count = limits::ARCHIVE_MEMBERS + 1;
        let directory = wide_entry(b"", 0, 0).repeat(count);
        let end = wide_end(as_u64(count), directory.len(), member.len());
        let listing = listed(&[member.as_slice(), &directory, &end].concat()).unwrap();
        assert_eq!(listing.members.len(), limits::ARCHIVE_MEMBERS);
        assert_eq!(listing.short, Some(Short::Full));
        // And long names.
        let entry = wide_entry(&vec![b'n'; 65_535], 0, 0);
        let directory = entry.repeat(600);
        let end = wide_end(600, directory.len(), member.len());
        let listing = listed(&[member.as_slice(), &directory, &end].concat()).unwrap();
        assert!(listing.members.len() < 520 && listing.short == Some(Short::Full));
    }

    #[test]
    fn what_the_directory_says_of_a_member_counts() {
        let text = b"text of a member, text of a member".as_slice();
        let [known, _] = archives(&[("a", text), ("b", text)]);
        // Of the local header of the first: bits, method, checksum, lengths, and a name that is one byte of a field.
        let changes: [(usize, &[u8]); 5] =
            [(6, &[1, 0]), (8, &[99, 0]), (14, &[0; 12]), (18, &[0xff; 8]), (26, &[0, 0, 1, 0])];
        for (at, bytes) in changes {
            let mut archive = known.clone();
            archive[at..at + bytes.len()].copy_from_slice(bytes);
            let listing = listed(&archive).unwrap();
            let mut bridge = Bridge::new(Cursor::new(&archive));
            for member in &listing.members {
                let mut read = Vec::new();
                member.open(&mut bridge, None).unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read, text, "{at}");
            }
        }
    }

    #[test]
    fn an_archive_inside_one_that_broke_off_is_a_member_of_it() {
        let [inner, _] = archives(&[("x", b"1"), ("y", b"2")]);
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in [("a", b"3".as_slice()), ("in.zip", &inner)] {
            writer.start_file(name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        let whole = writer.finish().unwrap().into_inner();
        let directory = memchr::memmem::rfind(&whole, b"PK\x01\x02").unwrap();
        for cut in [directory, directory + 20, whole.len() - 30, whole.len() - 1] {
            let listing = listed(&whole[..cut]).unwrap();
            let names: Vec<_> = listing.members.iter().map(Located::shown_name).collect();
            assert_eq!(
                (names, listing.short),
                (vec!["a".into(), "in.zip".into()], Some(Short::NoDirectory))
            );
        }
        // Behind each other they are what other programs take them for.
        assert_eq!(listed(&[whole.clone(), inner].concat()).unwrap().members.len(), 2);
        assert_eq!(
            listed(&[b"PK\x07\x08".as_slice(), &whole[..directory]].concat())
                .unwrap()
                .members
                .len(),
            2
        );
    }

    #[test]
    fn a_wide_record_behind_a_member_may_lie_anywhere() {
        for length in 65_536 - 30..65_536 + 2 {
            let data = vec![b'x'; length];
            let mut bytes = b"PK\x03\x04\x2d\0\x08\0\0\0\0\0\x21\0".to_vec();
            bytes.extend([0; 12]);
            bytes.extend([1, 0, 0, 0, b'a']);
            bytes.extend(&data);
            bytes.extend(b"PK\x07\x08\0\0\0\0");
            bytes.extend([as_u64(length); 2].map(u64::to_le_bytes).concat());
            let [behind, _] = archives(&[("b", b"1")]);
            bytes.extend(&behind[..behind.len() - 22]);
            assert_eq!(walked(&bytes).len(), 2, "{length}");
        }
    }

    #[test]
    fn places_behind_every_end_are_nowhere() {
        let [known, _] = archives(&[("a", b"1"), ("b", b"2")]);
        let directory = memchr::memmem::find(&known, b"PK\x01\x02").unwrap();
        let end = memchr::memmem::find(&known, b"PK\x05\x06").unwrap();
        // The place of the directory, with and without Zip64, that of the wide record, and lengths of members.
        let mut claimed = known.clone();
        claimed[end + 16..end + 20].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
        let mut wide = known[..end].to_vec();
        wide.extend(wide_end(2, end - directory, usize::MAX - end + directory));
        let mut locator = wide.clone();
        locator[end + 56 + 8..end + 56 + 16].copy_from_slice(&[0xff; 8]);
        let mut torn = known[..directory].to_vec();
        torn[18..22].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
        for (bytes, members) in [(claimed, 2), (wide, 2), (locator, 2), (torn, 1)] {
            // A file, because only that refuses to be read where nothing can be.
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            assert_eq!(list(&mut file, 100).unwrap().unwrap().members.len(), members);
        }
    }

    #[test]
    fn names_of_other_code_pages_are_read() {
        let named = |name: &[u8], extras: &[u8]| {
            let mut bytes = b"PK\x01\x02".to_vec();
            bytes.extend([0; 24]);
            for length in [name.len(), extras.len()] {
                bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
            }
            bytes.extend([0; 14]);
            bytes.extend([name, extras].concat());
            entry(&mut bytes.as_slice(), 0).unwrap().shown_name().into_owned()
        };
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(named(b"M\x81ller\xff.har", b""), "Müller\u{a0}.har");
        assert_eq!(named("Müller.har".as_bytes(), b""), "Müller.har");
        let mut crc = flate2::Crc::new();
        crc.update(b"M?ller");
        let mut extras = b"\x07\0\x01\0x".to_vec();
        extras.extend(b"\x75\x70\x0c\0\x01");
        extras.extend(crc.sum().to_le_bytes());
        extras.extend("Müller".as_bytes());
        assert_eq!(named(b"M?ller", &extras), "Müller");
        // That of another name is left.
        assert_eq!(named(b"M!ller", &extras), "M!ller");
    }
}
