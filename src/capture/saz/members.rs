//! Members of the archive: listing, decryption and reading under a cap.
//!
//! Members are read in place, and only as far as the caller asks; declared sizes are hints that bound
//! nothing. What is inside is not looked at.
//!
//! Invariants: every byte that inflating produces is charged to the budget; a password is believed
//! only after a whole member read with it matched its checksum.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::CompressionMethod;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::capture::directory::{self, Bridge, Listing, Short};
use crate::limits::{self, Budget};

/// What is read from: bytes that can be gone back in.
pub(super) trait Seekable: Read + Seek {}
impl<T: Read + Seek + ?Sized> Seekable for T {}

/// A reader whose jumps cost nothing while they stay near.
///
/// The parts of a session lie next to each other, so most of what is asked for is at hand.
pub(super) struct Window<'a> {
    inner: &'a mut dyn Seekable,
    buffer: Box<[u8]>,
    /// Where in the input the buffer begins, and how many bytes of it are filled.
    start: u64,
    filled: usize,
    at: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(inner: &'a mut dyn Seekable) -> Self {
        let buffer = vec![0; WINDOW].into_boxed_slice();
        Self { inner, buffer, start: 0, filled: 0, at: 0 }
    }

    fn at_hand(&self) -> Option<&[u8]> {
        let skip = usize::try_from(self.at.checked_sub(self.start)?).ok()?;
        self.buffer.get(..self.filled)?.get(skip..).filter(|rest| !rest.is_empty())
    }
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at_hand().is_none() {
            self.filled = 0;
            self.start = self.at;
            self.inner.seek(SeekFrom::Start(self.at))?;
            self.filled = self.inner.read(&mut self.buffer)?;
        }
        let mut rest = self.at_hand().unwrap_or_default();
        let count = rest.read(into)?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.inner.seek(SeekFrom::End(0))?.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Why a member cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Its header or its data is not valid.
    Damaged,
    /// It is protected, and no password fits.
    Encrypted,
    /// A method that is not supported, by its number in the format.
    Method(u16),
}

/// A member opened for reading, and what was read of it.
pub(super) struct Member<'m, 'a> {
    file: ZipFile<'m, Bridge<Window<'a>>>,
    /// Set when it is left.
    is_left: Rc<Cell<bool>>,
    /// The bytes read so far.
    pub(super) bytes: Vec<u8>,
    /// The size it declares, as a hint.
    pub(super) declared: u64,
    /// Whether its end was reached.
    pub(super) ended: bool,
    /// Whether its data broke off or did not match its checksum.
    pub(super) damaged: bool,
    /// Whether it expanded to far more than went into it, and was left for that.
    pub(super) overblown: bool,
    /// Its compressed size; `None` of one that is stored as it is.
    compressed: Option<u64>,
}

impl Member<'_, '_> {
    /// Reads on until `end` bytes are there, the member ends, or the budget does.
    pub(super) fn read_to(&mut self, end: u64, budget: &mut Budget) {
        while !self.ended && !self.damaged && !self.overblown && !budget.is_exhausted() {
            let held = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
            let wanted = end.saturating_sub(held).min(STEP);
            if wanted == 0 {
                break;
            }
            let before = self.bytes.len();
            let result = self.file.by_ref().take(wanted).read_to_end(&mut self.bytes);
            let produced = self.bytes.len().saturating_sub(before);
            let produced = u64::try_from(produced).unwrap_or(u64::MAX);
            budget.charge(produced);
            if let Some(compressed) = self.compressed {
                let held = held.saturating_add(produced);
                self.overblown = !budget.allows_ratio(compressed, held);
            }
            self.damaged = result.is_err();
            self.ended = result.is_ok() && produced < wanted;
        }
    }
}

impl Drop for Member<'_, '_> {
    fn drop(&mut self) {
        self.is_left.set(true);
    }
}

/// All members of an archive.
pub(super) struct Members<'a> {
    reader: Bridge<Window<'a>>,
    listing: Listing,
    passwords: Vec<&'a [u8]>,
    believed: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    /// Lists the members; `None` of what has none.
    pub(super) fn open(
        reader: &'a mut dyn Seekable,
        passwords: &'a [String],
    ) -> io::Result<Option<Self>> {
        let mut reader = Window::new(reader);
        let passwords = passwords.iter().map(String::as_bytes).collect();
        let listing = directory::list(&mut reader, limits::ARCHIVE_MEMBERS)?;
        let reader = Bridge::new(reader);
        Ok(listing.map(|listing| Self { reader, listing, passwords, believed: None }))
    }

    /// Why there may be more members.
    pub(super) const fn short(&self) -> Option<Short> {
        self.listing.short
    }

    /// Number of members.
    pub(super) const fn len(&self) -> usize {
        self.listing.members.len()
    }

    /// Names of the members in the order of their numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.listing.members.iter().map(|member| String::from_utf8_lossy(&member.name))
    }

    /// The comment of the archive.
    pub(super) fn comment(&self) -> String {
        String::from_utf8_lossy(&self.listing.comment).into_owned()
    }

    /// Whether a member is protected, and its compressed size.
    fn protection(&self, index: usize) -> (bool, u64) {
        let member = self.listing.members.get(index);
        member.map_or((false, 0), |one| (one.is_protected(), one.compressed.unwrap_or(u64::MAX)))
    }

    /// Finds the password among those given, on the smallest of the protected members.
    ///
    /// A weak scheme lets one wrong password in 256 pass its own check, so a member is read whole.
    pub(super) fn find_password(&mut self, candidates: &[usize], budget: &mut Budget) {
        let mut protected: Vec<(u64, usize)> = candidates
            .iter()
            .map(|index| (self.protection(*index), *index))
            .filter(|((encrypted, _), _)| *encrypted)
            .map(|((_, size), index)| (size, index))
            .collect();
        protected.sort_unstable();
        for (_, index) in protected.into_iter().take(TRIED_MEMBERS) {
            for password in self.passwords.clone() {
                if self.fits(index, password, budget) {
                    self.believed = Some(password);
                    return;
                }
            }
        }
    }

    fn fits(&mut self, index: usize, password: &'a [u8], budget: &mut Budget) -> bool {
        let Ok(mut member) = self.open_with(index, Some(password)) else { return false };
        member.read_to(limits::SAZ_PASSWORD_MEMBER, budget);
        member.ended && !member.damaged
    }

    /// Opens a member with the password that was found.
    pub(super) fn member(&mut self, index: usize) -> Result<Member<'_, 'a>, Unreadable> {
        let (encrypted, _) = self.protection(index);
        if encrypted && self.believed.is_none() {
            return Err(Unreadable::Encrypted);
        }
        self.open_with(index, self.believed)
    }

    fn open_with(
        &mut self,
        index: usize,
        password: Option<&'a [u8]>,
    ) -> Result<Member<'_, 'a>, Unreadable> {
        let member = self.listing.members.get(index).ok_or(Unreadable::Damaged)?;
        let is_left = self.reader.leaver();
        let file = member.open(&mut self.reader, password);
        let file = file.map_err(|error| match error {
            ZipError::InvalidPassword
            | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Unreadable::Encrypted,
            ZipError::CompressionMethodNotSupported(method) => Unreadable::Method(method),
            _ => Unreadable::Damaged,
        })?;
        Ok(Member {
            declared: file.size(),
            compressed: (file.compression() != CompressionMethod::Stored)
                .then(|| file.compressed_size()),
            file,
            is_left,
            bytes: Vec::new(),
            ended: false,
            damaged: false,
            overblown: false,
        })
    }
}

/// Bytes held of the input around the place read last.
const WINDOW: usize = 64 * 1024;
/// Bytes inflated between two looks at the budget.
const STEP: u64 = 64 * limits::KIB;
/// Members on which passwords are tried.
const TRIED_MEMBERS: usize = 3;
