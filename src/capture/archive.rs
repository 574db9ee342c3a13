//! Zip and tar: from one member to the next.
//!
//! Members are read where they lie; only one that is protected with a password is held in memory.
//! Nothing here knows what a capture is.
//!
//! Invariants: a size that the archive declares bounds what is read of it and allocates nothing;
//! names are cleaned before they are kept, and nothing is written to disk.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::READERS;
use super::look::Looks;
use super::open::{Others, Place, Sought, Walk};
use super::source::{Source, StreamError, as_u64};
use super::unpack::{Codec, Part, Section, SharedSeek, SharedSource, plain};
use crate::evidence::{DiagnosticCode, Format, Likeness, shown};
use crate::limits;

/// Bytes of one block of a tar.
const BLOCK: usize = 512;
/// Bytes kept of a long name or an extended header of a tar.
const TAR_EXTENSION: u64 = 64 << 10;
/// Characters kept of a name in a diagnostic.
const NAME: usize = 200;

/// What the directory of a zip says about one member.
struct Member {
    name: String,
    is_folder: bool,
    is_protected: bool,
    codec: Option<Codec>,
    at: Option<u64>,
    size: u64,
}

impl Walk<'_, '_> {
    /// Reads a zip: a Fiddler archive, or members one by one.
    pub(super) fn zip(&mut self, place: &Place, mut source: Source, head: &[u8]) -> Option<Looks> {
        let buffered = self.options.limits.buffered;
        let nested = place.depth > 0;
        let room = limits::HELD.saturating_sub(self.held);
        let limit = if nested { buffered.min(room) } else { buffered };
        if let Err(error) = source.seekable(limit)
            && StreamError::of(&error) == Some(StreamError::TooLong)
        {
            return Some(self.too_large(place, source, &error));
        }
        let size = if nested { source.length().unwrap_or(0) } else { 0 };
        self.held = self.held.saturating_add(size);
        let looks = self.zip_at_hand(place, source, head, limit);
        self.held = self.held.saturating_sub(size);
        looks
    }

    /// A zip that had to be held in memory, and could not.
    fn too_large(&mut self, place: &Place, mut source: Source, error: &io::Error) -> Looks {
        let looks =
            Looks::new("a zip archive that is too large to be held in memory", Likeness::Archive);
        let id = (!place.is_member).then(|| self.add_unrecognised(place, &mut source, &looks));
        if place.depth > 0 {
            self.report_held(id, place);
        } else {
            self.report_stream(id, place, error);
        }
        looks
    }

    /// The same for a zip that can be read at random.
    fn zip_at_hand(
        &mut self,
        place: &Place,
        mut source: Source,
        head: &[u8],
        limit: u64,
    ) -> Option<Looks> {
        let listed = source.seekable(limit).map_err(ZipError::Io).and_then(ZipArchive::new);
        let is_saz = match listed {
            Ok(archive) => archive.file_names_raw().any(is_session),
            Err(_) => has_session(head),
        };
        let is_saz = is_saz && self.sought == Sought::Captures;
        if is_saz && let Some(reader) = READERS.iter().find(|reader| reader.format() == Format::Saz)
        {
            return self.read(place, source, *reader);
        }
        if self.is_too_deep(place) {
            let looks = Looks::new("a zip archive that is not opened", Likeness::Archive);
            if !place.is_member {
                self.unrecognised(place, source, &looks);
            }
            return Some(looks);
        }
        let first = self.inputs.len();
        let opened = source.take_seekable(limit).map_err(ZipError::Io).and_then(|reader| {
            let shared = SharedSeek::new(reader);
            Ok((ZipArchive::new(shared.clone())?, shared))
        });
        match opened {
            Ok((mut archive, shared)) => {
                let others = self.zip_members(place, &mut archive, &shared);
                self.conclude(place, source, first, "a zip archive", &others)
            }
            Err(error) => {
                let looks =
                    Looks::new("a zip archive that is damaged or not complete", Likeness::Damaged);
                let id =
                    (!place.is_member).then(|| self.add_unrecognised(place, &mut source, &looks));
                let damaged = StreamError::Damaged.into();
                let why = match &error {
                    ZipError::Io(error) if StreamError::of(error).is_some() => error,
                    _ => &damaged,
                };
                self.report_stream(id, place, why);
                if let Some(id) = id {
                    self.complete(id, source);
                }
                Some(looks)
            }
        }
    }

    fn zip_members(
        &mut self,
        place: &Place,
        archive: &mut ZipArchive<SharedSeek>,
        shared: &SharedSeek,
    ) -> Others {
        let mut others = Others::default();
        for index in 0..archive.len().min(limits::ARCHIVE_MEMBERS) {
            if self.is_over(place) {
                break;
            }
            let Some(member) = member(archive, index) else {
                self.bad_member(place, "a member cannot be found where the archive says it is");
                continue;
            };
            if member.is_folder || is_noise(&member.name) {
                continue;
            }
            let inside = place.member("zip", &member.name);
            if member.is_protected {
                match self.decrypt(archive, index) {
                    Ok(Some(bytes)) => {
                        let held = as_u64(bytes.len());
                        self.held = self.held.saturating_add(held);
                        let source = self.wrapped(io::Cursor::new(bytes));
                        others.note(self.visit(&inside, source));
                        self.held = self.held.saturating_sub(held);
                    }
                    Ok(None) => others.protected = others.protected.saturating_add(1),
                    Err(error) if StreamError::of(&error) == Some(StreamError::TooLong) => {
                        self.report_held(None, &inside);
                    }
                    Err(error) => self.report_stream(None, &inside, &error),
                }
                continue;
            }
            let (Some(codec), Some(at)) = (member.codec, member.at) else {
                let text =
                    "the compression of this member is not supported; pack it again as usual zip";
                self.bad_member(&inside, text);
                continue;
            };
            let section = Section { reader: shared.clone(), at, left: member.size };
            let source = self.wrapped(codec.expand(section, self.budget.share()));
            others.note(self.visit(&inside, source));
        }
        others
    }

    /// The bytes of a protected member, with the first password that fits; `None` when none does.
    fn decrypt(
        &mut self,
        archive: &mut ZipArchive<SharedSeek>,
        index: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        for password in self.options.passwords {
            let Ok(file) = archive.by_index_decrypt(index, password.as_bytes()) else { continue };
            let mut held = Vec::new();
            let room = limits::HELD.saturating_sub(self.held).min(self.options.limits.buffered);
            let limit = self.budget.left().min(room).saturating_add(1);
            // ZipCrypto takes one wrong password of 256: then the checksum is wrong at the end.
            match file.take(limit).read_to_end(&mut held).map_err(plain) {
                Ok(_) if as_u64(held.len()) < limit => {
                    self.budget.charge(as_u64(held.len()));
                    return Ok(Some(held));
                }
                Ok(_) if self.budget.charge(as_u64(held.len())) => {
                    return Err(StreamError::TooLong.into());
                }
                Ok(_) => return Err(StreamError::Expanded.into()),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Whether nothing more may be read; says so once.
    fn is_over(&mut self, place: &Place) -> bool {
        if self.budget.is_exhausted() {
            self.report_stream(None, place, &StreamError::Expanded.into());
            return true;
        }
        if self.options.is_cancelled() {
            let text =
                format!("{}: stopped; the members left are not read", shown(&place.name, NAME));
            self.into.diagnose(DiagnosticCode::Cancelled, None, &text);
            return true;
        }
        false
    }

    fn bad_member(&mut self, place: &Place, why: &str) {
        let text = format!("{}: {why}", shown(&place.name, NAME));
        self.into.diagnose(DiagnosticCode::ArchiveMember, None, &text);
    }

    /// Reads a tar, member by member.
    pub(super) fn tar(&mut self, place: &Place, source: Source) -> Option<Looks> {
        if self.is_too_deep(place) {
            let looks = Looks::new("a tar archive that is not opened", Likeness::Archive);
            if !place.is_member {
                self.unrecognised(place, source, &looks);
            }
            return Some(looks);
        }
        let first = self.inputs.len();
        let shared = SharedSource::new(source);
        let mut others = Others::default();
        if let Err(error) = self.tar_members(place, &shared, &mut others) {
            self.report_stream(None, place, &error);
        }
        let source = shared.with(|source| std::mem::replace(source, Source::bytes(Vec::new())));
        self.conclude(place, source, first, "a tar archive", &others)
    }

    fn tar_members(
        &mut self,
        place: &Place,
        shared: &SharedSource,
        others: &mut Others,
    ) -> io::Result<()> {
        let mut long_name: Option<Vec<u8>> = None;
        let mut long_size: Option<u64> = None;
        for _ in 0..limits::ARCHIVE_MEMBERS {
            if self.is_over(place) {
                return Ok(());
            }
            let mut block = Vec::with_capacity(BLOCK);
            shared.clone().take(as_u64(BLOCK)).read_to_end(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            if !is_tar(&block) {
                return Err(StreamError::Damaged.into());
            }
            let header = tar::Header::from_byte_slice(&block);
            let declared = header.entry_size().map_err(|_| StreamError::Damaged)?;
            let kind = header.entry_type();
            let size = if kind.is_file() { long_size.take().unwrap_or(declared) } else { declared };
            let left = Arc::new(AtomicU64::new(size));
            let part = Part { source: shared.clone(), left: Arc::clone(&left) };
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                let mut extension = Vec::new();
                part.take(TAR_EXTENSION).read_to_end(&mut extension)?;
                if kind.is_gnu_longname() {
                    extension.retain(|byte| *byte != 0);
                    long_name = Some(extension);
                } else {
                    for (key, value) in pax(&extension) {
                        match key {
                            b"path" => long_name = Some(value.to_vec()),
                            b"size" => {
                                let text = std::str::from_utf8(value).unwrap_or_default();
                                long_size = text.parse().ok();
                            }
                            _ => {}
                        }
                    }
                }
            } else if kind.is_file() {
                let name = long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
                let name = String::from_utf8_lossy(&name);
                if !is_noise(&name) {
                    let source = self.wrapped(part);
                    others.note(self.visit(&place.member("tar", &name), source));
                }
            } else if !kind.is_pax_global_extensions() {
                long_name = None;
            }
            // What the member's reader left, and the padding to a whole block.
            let rest = left.load(Ordering::Relaxed);
            let whole = size.checked_next_multiple_of(as_u64(BLOCK)).unwrap_or(u64::MAX);
            let padding = whole.saturating_sub(size);
            let skipped = rest.saturating_add(padding);
            let gone = io::copy(&mut shared.clone().take(skipped), &mut io::sink())?;
            if gone < rest {
                return Err(StreamError::EndsEarly.into());
            }
        }
        Ok(())
    }
}

/// One member of a zip, if it can be found.
fn member(archive: &mut ZipArchive<SharedSeek>, index: usize) -> Option<Member> {
    let file = archive.by_index_raw(index).ok()?;
    let name = match file.name() {
        Ok(name) => name.into_owned(),
        Err(_) => String::from_utf8_lossy(file.name_raw()).into_owned(),
    };
    Some(Member {
        name,
        is_folder: file.is_dir(),
        is_protected: file.encrypted(),
        codec: codec(file.compression()),
        at: file.data_start(),
        size: file.compressed_size(),
    })
}

fn codec(method: CompressionMethod) -> Option<Codec> {
    match method {
        CompressionMethod::STORE => Some(Codec::Stored),
        CompressionMethod::DEFLATE => Some(Codec::Deflate),
        CompressionMethod::BZIP2 => Some(Codec::Bzip2),
        CompressionMethod::ZSTD => Some(Codec::Zstd),
        CompressionMethod::XZ => Some(Codec::Xz),
        _ => None,
    }
}

/// Whether a member is a session of a Fiddler archive: `raw/12_c.txt`.
fn is_session(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let behind = name.strip_prefix(b"raw").and_then(|rest| match rest {
        [b'/' | b'\\', rest @ ..] => Some(rest),
        _ => None,
    });
    let number = behind.and_then(|rest| rest.strip_suffix(b"_c.txt"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Whether the head of a zip, the directory of which is missing, holds a session.
fn has_session(head: &[u8]) -> bool {
    memchr::memmem::find_iter(head, b"PK\x03\x04").any(|at| {
        let name = at.checked_add(30).and_then(|begin| head.get(begin..));
        let name = name.map(|rest| rest.get(..24).unwrap_or(rest)).unwrap_or_default();
        let end = memchr::memmem::find(name, b"_c.txt").and_then(|end| end.checked_add(6));
        end.and_then(|end| name.get(..end)).is_some_and(is_session)
    })
}

/// What the system of the packer put in and nobody asked for.
fn is_noise(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.starts_with("__MACOSX") || last.starts_with("._") || last == ".DS_Store"
}

/// Whether a block is the header of a tar member: its checksum says so.
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.get(..BLOCK) else { return false };
    let sum = block.iter().enumerate().fold(0_u32, |sum, (index, byte)| {
        // The field of the checksum itself counts as blanks (POSIX pax, ustar interchange format).
        let byte = if (148..156).contains(&index) { b' ' } else { *byte };
        sum.saturating_add(u32::from(byte))
    });
    let named = block.first().is_some_and(|byte| *byte != 0);
    named && tar::Header::from_byte_slice(block).cksum().is_ok_and(|known| known == sum)
}

/// The records of an extended header: `length key=value\n`.
fn pax(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut records = Vec::new();
    while let Some(blank) = memchr::memchr(b' ', bytes) {
        let digits = bytes.get(..blank).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(length) = digits.and_then(|digits| digits.parse::<usize>().ok()) else { break };
        let Some(record) = bytes.get(blank.saturating_add(1)..length) else { break };
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(equals) = memchr::memchr(b'=', record) {
            let value = record.get(equals.saturating_add(1)..).unwrap_or_default();
            records.push((record.get(..equals).unwrap_or_default(), value));
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_told_by_name() {
        assert!(is_session(b"raw/1_c.txt"));
        assert!(is_session(b"RAW\\0012_c.txt"));
        assert!(!is_session(b"raw/1_s.txt"));
        assert!(!is_session(b"x/raw/1_c.txt"));
        let mut head = b"PK\x03\x04".to_vec();
        head.extend([0; 26]);
        head.extend(b"raw/01_c.txtGET");
        assert!(has_session(&head));
    }

    #[test]
    fn extended_headers_are_read() {
        let records = pax(b"11 path=a/\n12 size=123\nx");
        assert_eq!(records, [(b"path".as_slice(), b"a/".as_slice()), (b"size", b"123")]);
        assert!(pax(b"99999 path=a").is_empty());
    }
}
