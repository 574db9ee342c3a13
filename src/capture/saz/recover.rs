//! Members of an archive that lost its directory, as a download that broke off has.
//!
//! The local headers (APPNOTE 4.3.7) are followed from the first one on. A member whose length
//! stands behind it only (4.3.9) is measured by finding that record. Nothing is inflated here.
//!
//! Invariants: the walk only goes forward, so it ends; a record counts as the end of a member only
//! when the length in it is the length found.

use std::io::{self, Read, Seek, SeekFrom};

use crate::limits;

/// A member found by its local header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// Where its header begins.
    pub(super) header: u64,
    /// The length of its data; `None` when the input ends before it does.
    pub(super) compressed: Option<u64>,
    /// The checksum of a record behind the data.
    pub(super) checksum: Option<u32>,
    /// Whether lengths and checksum stand behind the data.
    pub(super) has_descriptor: bool,
    /// Whether it is protected.
    pub(super) encrypted: bool,
}

/// Follows the local headers.
pub(super) fn walk<R: Read + Seek>(reader: &mut R) -> io::Result<Vec<Located>> {
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < limits::ARCHIVE_MEMBERS {
        reader.seek(SeekFrom::Start(at))?;
        let Some((mut member, data)) = header(reader, at) else { break };
        let next = if member.has_descriptor {
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
        found.push(member);
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    Ok(found)
}

/// The header that begins here, and where its data begins.
fn header(reader: &mut impl Read, at: u64) -> Option<(Located, u64)> {
    let mut fixed = [0; 30];
    reader.read_exact(&mut fixed).ok()?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return None;
    }
    let flags = short(&fixed, 6)?;
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
    let compressed = (!has_descriptor).then_some(compressed);
    let member =
        Located { name, header: at, compressed, checksum: None, has_descriptor, encrypted };
    Some((member, data))
}

/// The compressed length of a Zip64 field (APPNOTE 4.5.3): it follows the expanded one.
fn long_length(mut extra: &[u8]) -> Option<u64> {
    loop {
        let (id, length) = (short(extra, 0)?, usize::from(short(extra, 2)?));
        let field = extra.get(4..)?.get(..length)?;
        if id == 1 {
            let bytes = field.get(8..16).or_else(|| field.get(..8))?;
            return Some(u64::from_le_bytes(bytes.try_into().ok()?));
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
}
