//! One member of a zip, and how it is opened.
//!
//! What the directory says of it counts, and not what its own header says. The `zip` crate takes off what protects a member
//! and how it is packed. Nothing here looks for members.
//!
//! Invariant: nothing is read of a member once it is left.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::read::{ZipFile, ZipReadOptions};
use zip::result::{ZipError, ZipResult};

use super::{LOCAL, short};
use crate::capture::source::as_u64;

/// A member, as an archive tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::capture) struct Located {
    /// Its name.
    pub(in crate::capture) name: Box<[u8]>,
    /// Where its header begins.
    pub(super) header: u64,
    /// How it is compressed, by its number in the format (APPNOTE 4.4.5).
    pub(in crate::capture) method: u16,
    /// Its general purpose bits (4.4.4).
    pub(super) flags: u16,
    /// Date and time, as the format has them (4.4.6): the check of a password may need them.
    pub(super) time: [u8; 4],
    /// The length of its data; `None` when the input ends before it does.
    pub(in crate::capture) compressed: Option<u64>,
    /// The length of what it expands to, as it claims.
    pub(super) expanded: Option<u64>,
    /// Its checksum.
    pub(super) checksum: Option<u32>,
    /// How it is protected with AES, as its field tells (APPNOTE 4.5.2, 0x9901).
    pub(super) aes: Option<[u8; 7]>,
}

/// What members are opened through: the header that a member should have, and then its data.
///
/// The local header of a member may say something else than the directory, which is what other programs go by.
pub(in crate::capture) struct Bridge<R> {
    header: Vec<u8>,
    at: usize,
    reader: R,
    /// Whether nothing more is to be read of the member that was opened last: the library reads what is left of one,
    /// to get to the next.
    is_left: Rc<Cell<bool>>,
}

impl<R> Bridge<R> {
    pub(in crate::capture) fn new(reader: R) -> Self {
        Self { header: Vec::new(), at: 0, reader, is_left: Rc::default() }
    }

    /// What is set when the member that was opened last is left.
    pub(in crate::capture) fn leaver(&self) -> Rc<Cell<bool>> {
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
    pub(in crate::capture) const fn is_protected(&self) -> bool {
        self.flags & 0x1 != 0
    }

    /// Whether lengths and checksum stand behind the data.
    pub(super) const fn has_descriptor(&self) -> bool {
        self.flags & 0x8 != 0
    }

    /// Opens it in the archive that it was found in.
    ///
    /// # Errors
    ///
    /// As the library has them: a password that is missing or wrong, a method it does not know, a
    /// header that is not where it should be.
    pub(in crate::capture) fn open<'r, R: Read + Seek>(
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
    pub(in crate::capture) fn data(&self, reader: &mut (impl Read + Seek)) -> Option<u64> {
        let mut fixed = [0; LOCAL];
        reader.seek(SeekFrom::Start(self.header)).ok()?;
        reader.read_exact(&mut fixed).ok()?;
        let lengths = [u64::from(short(&fixed, 26)?), u64::from(short(&fixed, 28)?)];
        let begin = self.header.checked_add(as_u64(LOCAL))?;
        let is_header = fixed.starts_with(b"PK\x03\x04");
        is_header.then(|| begin.checked_add(lengths.iter().sum()))?
    }

    /// Whether it is a folder.
    pub(in crate::capture) fn is_folder(&self) -> bool {
        matches!(&*self.name, [.., b'/' | b'\\'])
    }

    /// The name as a text: UTF-8, or else of the code page of the IBM PC (APPNOTE D.1).
    pub(in crate::capture) fn shown_name(&self) -> Cow<'_, str> {
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
pub(super) const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
