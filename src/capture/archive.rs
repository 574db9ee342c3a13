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

use super::directory::{self, Bridge, Listing, Located, Short};
use super::look::Looks;
use super::open::{Others, Place, Sought, Walk};
use super::saz::{self, SazReader};
use super::source::{ReadSeek, Source, StreamError, as_u64};
use super::unpack::{Codec, Part, Section, SharedSeek, SharedSource};
use crate::evidence::{DiagnosticCode, Likeness, shown};
use crate::limits;

/// Bytes of one block of a tar.
const BLOCK: usize = 512;
/// Bytes kept of a long name or an extended header of a tar.
const TAR_EXTENSION: u64 = 64 << 10;
/// Folders with sessions of Fiddler that are read in one archive; each reads its directory again.
const SESSION_FOLDERS: usize = 16;
/// Where a Fiddler archive has its sessions.
const SESSIONS: &str = "raw";
/// Characters kept of a name in a diagnostic.
const NAME: usize = 200;

/// The members of a zip, and how to get at them.
struct Members {
    shared: SharedSeek,
    listing: Listing,
    /// Folders with sessions of Fiddler.
    sessions: Vec<SessionFolder>,
}

/// A folder with sessions of Fiddler.
struct SessionFolder {
    name: String,
    /// Bytes of its members as they are packed.
    bytes: u64,
    is_met: bool,
}

/// Whether a member belongs to a Fiddler archive that was unpacked.
enum Sessions {
    /// It does not.
    None,
    /// To one that was not met before: the folder with its sessions, and its size.
    First(String, u64),
    /// To one that is read.
    More,
}

impl Members {
    /// All members; `None` of what has none.
    fn open(reader: Box<dyn ReadSeek>, room: usize) -> io::Result<Option<Self>> {
        let mut shared = SharedSeek::new(reader);
        let listing = directory::list(&mut shared, room)?;
        Ok(listing.map(|listing| Self { shared, listing, sessions: Vec::new() }))
    }

    /// Names as they are compared, and sizes.
    fn names(&self) -> impl Iterator<Item = (String, u64)> {
        let members = self.listing.members.iter();
        members.map(|member| (plain_name(member), member.compressed.unwrap_or(0)))
    }

    /// Finds the folders with sessions of Fiddler; whether there were more than are read.
    fn find_sessions(&mut self) -> bool {
        let mut folders: Vec<SessionFolder> = Vec::new();
        let mut is_full = false;
        for (name, _) in self.names() {
            let Some(folder) = saz::folder_of_request(&name) else { continue };
            if folders.iter().any(|known| known.name == folder) {
                continue;
            }
            if folders.len() < SESSION_FOLDERS || folder == SESSIONS {
                folders.push(SessionFolder { name: folder.to_owned(), bytes: 0, is_met: false });
            } else {
                is_full = true;
            }
        }
        for (name, bytes) in self.names() {
            let of = |folder: &&mut SessionFolder| saz::is_of_folder(&name, &folder.name);
            if let Some(folder) = folders.iter_mut().find(of) {
                folder.bytes = folder.bytes.saturating_add(bytes);
            }
        }
        self.sessions = folders;
        is_full
    }

    /// Whether it is a Fiddler archive, whatever else may be in it.
    fn is_saz(&self) -> bool {
        self.sessions.iter().any(|folder| folder.name == SESSIONS)
    }

    /// Whether a Fiddler archive holds nothing else.
    fn is_only_saz(&self) -> bool {
        self.names().all(|(name, _)| name.ends_with('/') || saz::is_of_folder(&name, SESSIONS))
    }

    /// Whether a member belongs to a Fiddler archive that was unpacked; the first is told from others.
    fn sessions_of(&mut self, plain_name: &str) -> Sessions {
        let of = |folder: &&mut SessionFolder| saz::is_of_folder(plain_name, &folder.name);
        let Some(folder) = self.sessions.iter_mut().find(of) else { return Sessions::None };
        // The archive itself is read by whoever met it.
        if std::mem::replace(&mut folder.is_met, true) || folder.name == SESSIONS {
            return Sessions::More;
        }
        Sessions::First(folder.name.clone(), folder.bytes)
    }
}

impl Walk<'_, '_> {
    /// Reads a zip: a Fiddler archive, or members one by one.
    pub(super) fn zip(&mut self, place: &Place, mut source: Source) -> Option<Looks> {
        source = self.hashed(place, source);
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
        let looks = self.zip_at_hand(place, source, limit);
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
    fn zip_at_hand(&mut self, place: &Place, mut source: Source, limit: u64) -> Option<Looks> {
        let first = self.inputs.len();
        let damaged = || StreamError::Damaged.into();
        // Archives in archives are all listed at once.
        let room = limits::ARCHIVE_MEMBERS.saturating_sub(self.listed);
        let opened = source.take_seekable(limit).and_then(|reader| Members::open(reader, room));
        let mut members = match opened.and_then(|members| members.ok_or_else(damaged)) {
            Ok(members) => members,
            Err(error) => return Some(self.damaged_zip(place, source, &error)),
        };
        if self.sought == Sought::Captures && members.find_sessions() {
            let text = format!(
                "more than {SESSION_FOLDERS} folders with sessions of Fiddler; the first are read"
            );
            self.say(DiagnosticCode::LimitReached, place, &text);
        }
        // A Fiddler archive is a capture itself, and not a container.
        if members.is_saz() {
            source.give_back(Box::new(members.shared.clone()));
            let of_root = SazReader { folder: Some(SESSIONS) };
            if members.is_only_saz() {
                drop(members);
                return self.read(place, source, &of_root);
            }
            let hash = self.read_hashed(place, source, &of_root);
            if !self.is_too_deep(place) {
                let is_short = members.listing.short.is_some();
                self.zip_members(place, members);
                self.share_hash(place, first, hash);
                if is_short {
                    self.mark_truncated(first);
                }
            }
            return None;
        }
        if self.is_too_deep(place) {
            let looks = Looks::new("a zip archive that is not opened", Likeness::Archive);
            if !place.is_member {
                self.unrecognised(place, source, &looks);
            }
            return Some(looks);
        }
        let short = members.listing.short;
        let others = self.zip_members(place, members);
        if let Some(short) = short {
            let is_damaged = short == Short::NoDirectory;
            if is_damaged && !self.has_found(first) && others.protected == 0 {
                return Some(self.damaged_zip(place, source, &damaged()));
            }
            self.say(short.code(), place, short.text());
            // What was lost belongs to the same case, and may tell more of it.
            self.mark_truncated(first);
        }
        self.conclude(place, source, first, "a zip archive", &others)
    }

    /// A zip of which nothing can be read.
    fn damaged_zip(&mut self, place: &Place, mut source: Source, error: &io::Error) -> Looks {
        let looks = Looks::new("a zip archive that is damaged or not complete", Likeness::Damaged);
        let id = (!place.is_member).then(|| self.add_unrecognised(place, &mut source, &looks));
        let damaged = StreamError::Damaged.into();
        let why = if StreamError::of(error).is_some() { error } else { &damaged };
        self.report_stream(id, place, why);
        if let Some(id) = id {
            self.complete(id, source);
        }
        looks
    }

    fn zip_members(&mut self, place: &Place, mut members: Members) -> Others {
        let mut others = Others::default();
        let listed = members.listing.members.len();
        self.listed = self.listed.saturating_add(listed);
        for member in std::mem::take(&mut members.listing.members) {
            if self.is_over(place) {
                break;
            }
            let name = member.shown_name();
            if member.is_folder() || is_noise(&name) {
                continue;
            }
            match members.sessions_of(&plain_name(&member)) {
                Sessions::None => {}
                Sessions::More => continue,
                Sessions::First(folder, bytes) => {
                    let reader = Box::new(members.shared.clone());
                    let inside = place.member("zip", above_sessions(&name));
                    self.read(
                        &inside,
                        Source::seeking(reader, bytes),
                        &SazReader { folder: Some(&folder) },
                    );
                    continue;
                }
            }
            let inside = place.member("zip", &name);
            if member.is_protected() {
                match self.decrypt(members.shared.clone(), &member) {
                    Ok(Some(bytes)) => {
                        let held = as_u64(bytes.len());
                        self.held = self.held.saturating_add(held);
                        let source = Source::stream(Box::new(io::Cursor::new(bytes)));
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
            let Some(at) = member.data(&mut members.shared) else {
                self.bad_member(place, "a member cannot be found where the archive says it is");
                continue;
            };
            let Some(codec) = Codec::of_method(member.method) else {
                let text =
                    "the compression of this member is not supported; pack it again as usual zip";
                self.bad_member(&inside, text);
                continue;
            };
            let left = member.compressed.unwrap_or(u64::MAX);
            let section = Section { reader: members.shared.clone(), at, left };
            let stream = codec.expand(section, self.budget.share());
            others.note(self.visit(&inside, Source::stream(Box::new(stream))));
        }
        self.listed = self.listed.saturating_sub(listed);
        others
    }

    /// The bytes of a protected member, with the first password that fits; `None` when none does.
    fn decrypt(&mut self, reader: SharedSeek, member: &Located) -> io::Result<Option<Vec<u8>>> {
        let mut bridge = Bridge::new(reader);
        let packed = member.compressed.unwrap_or(u64::MAX);
        for password in self.options.passwords {
            let Ok(file) = member.open(&mut bridge, Some(password.as_bytes())) else { continue };
            let mut held = Vec::new();
            let room = limits::HELD.saturating_sub(self.held).min(self.options.limits.buffered);
            let limit = self.budget.left().min(room).saturating_add(1);
            // ZipCrypto takes one wrong password of 256: then the checksum is wrong at the end. What was made until
            // then was made.
            let is_read = file.take(limit).read_to_end(&mut held).is_ok();
            let length = as_u64(held.len());
            if !self.budget.charge(length) {
                return Err(StreamError::Expanded.into());
            }
            if length >= limit {
                return Err(StreamError::TooLong.into());
            }
            if !self.budget.allows_ratio(packed, length) {
                return Err(StreamError::Overblown.into());
            }
            if is_read {
                return Ok(Some(held));
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
            let text = "stopped; the members left are not read";
            self.say(DiagnosticCode::Cancelled, place, text);
            return true;
        }
        false
    }

    fn bad_member(&mut self, place: &Place, why: &str) {
        self.say(DiagnosticCode::ArchiveMember, place, why);
    }

    fn say(&mut self, code: DiagnosticCode, place: &Place, what: &str) {
        let text = format!("{}: {what}", shown(&place.name, NAME));
        self.into.diagnose(code, None, &text);
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
        // It may turn out to hold no capture, and then it is told of by itself.
        let source = if place.is_member { source } else { self.hashed(place, source) };
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
                    let source = Source::stream(Box::new(part));
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

/// A name as names are compared: what is no UTF-8 in it does not matter.
fn plain_name(member: &Located) -> String {
    saz::plain_name(&String::from_utf8_lossy(&member.name))
}

/// The folder that a Fiddler archive was unpacked to, by one of its members.
fn above_sessions(name: &str) -> &str {
    let separators = ['/', '\\'];
    let above = name.rsplit_once(separators).map_or(name, |(above, _)| above);
    match above.rsplit_once(separators) {
        Some((folder, raw)) if raw.eq_ignore_ascii_case(SESSIONS) => folder,
        _ => above,
    }
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
    fn extended_headers_are_read() {
        let records = pax(b"11 path=a/\n12 size=123\nx");
        assert_eq!(records, [(b"path".as_slice(), b"a/".as_slice()), (b"size", b"123")]);
        assert!(pax(b"99999 path=a").is_empty());
    }
}
