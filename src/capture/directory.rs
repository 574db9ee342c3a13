//! Members of a zip that its listing by name does not give.
//!
//! An archive that lost its directory, as a download that broke off has: the local headers (APPNOTE
//! 4.3.7) are followed from the first one on, and a member whose length stands behind it only
//! (4.3.9) is measured by finding that record. And an archive in which several members have one
//! name: its directory (4.3.12) is read once more. Nothing is inflated here.
//!
//! Invariants: a walk only goes forward, so it ends; a record counts as the end of a member only
//! when the length in it is the length found.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::read::{ZipFile, ZipReadOptions};
use zip::result::{ZipError, ZipResult};

use crate::limits;

/// A member found by its local header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// Where its header begins.
    pub(super) header: u64,
    /// Where its data begins.
    pub(super) data: u64,
    /// How it is compressed, by its number in the format (APPNOTE 4.4.5).
    pub(super) method: u16,
    /// The length of its data; `None` when the input ends before it does.
    pub(super) compressed: Option<u64>,
    /// The checksum of a record behind the data.
    pub(super) checksum: Option<u32>,
    /// Whether lengths and checksum stand behind the data.
    pub(super) has_descriptor: bool,
    /// Whether it is protected.
    pub(super) encrypted: bool,
}

impl Located {
    /// Opens it in the archive that it was found in.
    ///
    /// # Errors
    ///
    /// As the library has them: a password that is missing or wrong, a method it does not know, a
    /// header that is damaged.
    pub(super) fn open<'r, R: Read + Seek>(
        &self,
        reader: &'r mut R,
        password: Option<&'r [u8]>,
    ) -> ZipResult<ZipFile<'r, R>> {
        reader.seek(SeekFrom::Start(self.header))?;
        let mut options = ZipReadOptions::new().password(password);
        if self.has_descriptor {
            options = options.override_compressed_size(self.compressed.unwrap_or(u64::MAX));
            options = match self.checksum {
                Some(checksum) => options.override_crc(checksum),
                None => options.ignore_crc32(true),
            };
        }
        zip::read::read_zipfile_from_stream_with_options(reader, options)?
            .ok_or(ZipError::FileNotFound)
    }
}

/// The members that a listing by name leaves out, each with the place of its entry in the directory:
/// of several with one name it gives the last.
///
/// # Errors
///
/// When the archive cannot be read, or says something else than a moment ago.
pub(super) fn unlisted<R: Read + Seek>(
    reader: &mut R,
    archive: &ZipArchive<R>,
) -> io::Result<Vec<(u64, Located)>> {
    if !archive.has_duplicate_names() {
        return Ok(Vec::new());
    }
    let listed: HashSet<u64> = (0..archive.len())
        .filter_map(|index| Some(archive.by_index_data(index).ok()?.central_header_start()))
        .collect();
    let mut found = Vec::new();
    let mut at = archive.central_directory_start();
    for _ in 0..limits::ARCHIVE_MEMBERS {
        reader.seek(SeekFrom::Start(at))?;
        let Some(entry) = entry(reader) else { break };
        if !listed.contains(&at) {
            let begin = entry.header.checked_add(archive.offset());
            let begin = begin.ok_or(io::ErrorKind::InvalidData)?;
            reader.seek(SeekFrom::Start(begin))?;
            // The directory knows the lengths, also of a member that has them behind it only.
            if let Some(member) = header(reader, begin) {
                let (compressed, checksum) = (Some(entry.compressed), Some(entry.checksum));
                found.push((at, Located { compressed, checksum, ..member }));
            }
        }
        at = at.checked_add(entry.length).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(found)
}

/// What an entry of the directory says about a member.
struct Entry {
    header: u64,
    compressed: u64,
    checksum: u32,
    /// Bytes of the entry itself.
    length: u64,
}

/// The entry of the directory that begins here.
fn entry(reader: &mut impl Read) -> Option<Entry> {
    let mut fixed = [0; 46];
    reader.read_exact(&mut fixed).ok()?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (name, extra, comment) = (short(&fixed, 28)?, short(&fixed, 30)?, short(&fixed, 32)?);
    let mut skipped = vec![0; usize::from(name)];
    reader.read_exact(&mut skipped).ok()?;
    let mut extras = vec![0; usize::from(extra)];
    reader.read_exact(&mut extras).ok()?;
    // The Zip64 field (APPNOTE 4.5.3) has only what does not fit, in this order.
    let mut wide = wide_field(&extras).unwrap_or_default();
    let mut widened = |at| -> Option<u64> {
        let narrow = long(&fixed, at)?;
        if narrow != u32::MAX {
            return Some(u64::from(narrow));
        }
        let (first, rest) = wide.split_first_chunk::<8>()?;
        wide = rest;
        Some(u64::from_le_bytes(*first))
    };
    let (_expanded, compressed, header) = (widened(24)?, widened(20)?, widened(42)?);
    let length = [46, u64::from(name), u64::from(extra), u64::from(comment)].iter().sum();
    Some(Entry { header, compressed, checksum: long(&fixed, 16)?, length })
}

/// Follows the local headers.
pub(super) fn walk<R: Read + Seek>(reader: &mut R) -> io::Result<Vec<Located>> {
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < limits::ARCHIVE_MEMBERS {
        reader.seek(SeekFrom::Start(at))?;
        let Some(mut member) = header(reader, at) else { break };
        let next = if member.has_descriptor {
            match descriptor(reader, member.data)? {
                Some(end) => {
                    member.compressed = Some(end.length);
                    member.checksum = Some(end.checksum);
                    Some(end.next)
                }
                None => None,
            }
        } else {
            member.data.checked_add(member.compressed.unwrap_or(0))
        };
        found.push(member);
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    Ok(found)
}

/// The member whose header begins here.
fn header(reader: &mut impl Read, at: u64) -> Option<Located> {
    let mut fixed = [0; 30];
    reader.read_exact(&mut fixed).ok()?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return None;
    }
    let (flags, method) = (short(&fixed, 6)?, short(&fixed, 8)?);
    let compressed = u64::from(long(&fixed, 18)?);
    let (name_length, extra_length) = (short(&fixed, 26)?, short(&fixed, 28)?);
    let mut name = vec![0; usize::from(name_length)];
    reader.read_exact(&mut name).ok()?;
    let mut extra = vec![0; usize::from(extra_length)];
    reader.read_exact(&mut extra).ok()?;
    let compressed =
        if compressed == u64::from(u32::MAX) { long_length(&extra)? } else { compressed };
    let data = at
        .checked_add(30)?
        .checked_add(u64::from(name_length))?
        .checked_add(u64::from(extra_length))?;
    let has_descriptor = flags & 0x8 != 0;
    let encrypted = flags & 0x1 != 0;
    Some(Located {
        name,
        header: at,
        data,
        method,
        compressed: (!has_descriptor).then_some(compressed),
        checksum: None,
        has_descriptor,
        encrypted,
    })
}

/// The compressed length of a Zip64 field (APPNOTE 4.5.3): it follows the expanded one.
fn long_length(extra: &[u8]) -> Option<u64> {
    let field = wide_field(extra)?;
    let bytes = field.get(8..16).or_else(|| field.get(..8))?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The Zip64 field among the extra fields of a header.
fn wide_field(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (id, length) = (short(extra, 0)?, usize::from(short(extra, 2)?));
        let field = extra.get(4..)?.get(..length)?;
        if id == 1 {
            return Some(field);
        }
        extra = extra.get(4..)?.get(length..)?;
    }
}

/// The end of a member that a record behind it tells.
struct End {
    length: u64,
    checksum: u32,
    next: u64,
}

/// Finds the record behind the data that begins at `data`: one whose length is its distance.
fn descriptor<R: Read + Seek>(reader: &mut R, data: u64) -> io::Result<Option<End>> {
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
            if let Some(end) = buffer.get(at..).and_then(|rest| record(rest, length, data)) {
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
fn record(bytes: &[u8], length: u64, data: u64) -> Option<End> {
    if !bytes.starts_with(b"PK\x07\x08") {
        return None;
    }
    let checksum = long(bytes, 4)?;
    let short_form = u64::from(long(bytes, 8)?) == length;
    let wide = || Some(u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?));
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
    Some(End { length, checksum, next: data.checked_add(length)?.checked_add(size)? })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk::<2>().copied()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk::<4>().copied()?))
}

/// Bytes read at a time while looking for a record.
const CHUNK: u64 = 64 * limits::KIB;
/// Bytes of the longest record, and the signature that follows it.
const RECORD: usize = 26;

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::capture::source::as_u64;

    #[test]
    fn members_with_and_without_a_record_behind_them() {
        let text = vec![b'x'; 100_000];
        let options = zip::write::SimpleFileOptions::default();
        let mut known = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["raw/1_c.txt", "raw/1_s.txt"] {
            known.start_file(name, options).unwrap();
            known.write_all(&text).unwrap();
        }
        let known = known.finish().unwrap().into_inner();
        let found = walk(&mut Cursor::new(&known)).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].name, b"raw/1_s.txt");
        assert!(!found[1].has_descriptor && found[1].compressed.is_some());
        let mut streamed = zip::ZipWriter::new_stream(Vec::new());
        for name in ["raw/1_c.txt", "raw/1_s.txt"] {
            streamed.start_file(name, options).unwrap();
            streamed.write_all(&text).unwrap();
        }
        let streamed = streamed.finish().unwrap().into_inner();
        let again = walk(&mut Cursor::new(&streamed)).unwrap();
        assert_eq!(again.len(), 2);
        assert!(again[1].has_descriptor);
        assert_eq!(again[1].compressed, found[1].compressed);
        assert_eq!(walk(&mut Cursor::new(b"no archive")).unwrap(), []);
        for cut in 0..streamed.len() {
            walk(&mut Cursor::new(&streamed[..cut])).unwrap();
        }
    }

    /// A header of the directory, the numbers of which stand in its Zip64 field.
    fn wide_entry(name: &[u8], length: u64, header: u64) -> Vec<u8> {
        let mut entry = b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0".to_vec();
        entry.extend([0xff; 8]);
        entry.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        entry.extend(28_u16.to_le_bytes());
        entry.extend([0; 10]);
        entry.extend([0xff; 4]);
        entry.extend(name);
        entry.extend([1, 0, 24, 0]);
        for number in [length, length, header] {
            entry.extend(number.to_le_bytes());
        }
        entry
    }

    #[test]
    fn members_that_share_their_name_are_found_in_the_directory() {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for text in [b"first".as_slice(), b"second", b"third"] {
            directory.extend(wide_entry(b"x", as_u64(text.len()), as_u64(bytes.len())));
            bytes.extend(b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0");
            bytes.extend([u32::try_from(text.len()).unwrap(); 2].map(u32::to_le_bytes).concat());
            bytes.extend([1, 0, 0, 0, b'x']);
            bytes.extend(text);
        }
        let start = bytes.len();
        bytes.extend(&directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0\x03\0\x03\0");
        bytes.extend(
            [directory.len(), start].map(|n| u32::try_from(n).unwrap().to_le_bytes()).concat(),
        );
        bytes.extend([0, 0]);
        let mut reader = Cursor::new(&bytes);
        let archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let found = unlisted(&mut reader, &archive).unwrap();
        let texts: Vec<&[u8]> = found
            .iter()
            .map(|(_, member)| {
                let begin = usize::try_from(member.data).unwrap();
                &bytes[begin..][..usize::try_from(member.compressed.unwrap()).unwrap()]
            })
            .collect();
        assert_eq!(texts, [b"first".as_slice(), b"second"]);
    }
}
