//! Bytes of a HAR as they come: UTF-8, or UTF-16 turned into it, with a way to put bytes back.
//!
//! It knows encodings and offsets and nothing of JSON.
//!
//! Invariants: `offset` is a position in the input as it lies on disk, whatever the encoding; the
//! first bytes after a byte order mark are the first bytes that are handed out.

use std::io::{self, BufRead};

use crate::capture::source::{Source, as_u64};

/// Bytes that come in order and know where they stand.
pub(super) trait Feed {
    /// The next bytes; empty at the end.
    fn fill(&mut self) -> io::Result<&[u8]>;
    /// Takes bytes that were seen.
    fn consume(&mut self, count: usize);
    /// Where the next byte stands in the input.
    fn offset(&self) -> u64;
}

impl Feed for Source {
    fn fill(&mut self) -> io::Result<&[u8]> {
        self.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        BufRead::consume(self, count);
    }

    fn offset(&self) -> u64 {
        Self::offset(self)
    }
}

/// The encoding of a text, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextEncoding {
    Utf16Be,
    Utf16Le,
    Utf8,
}

/// The encoding and the length of the byte order mark.
pub(super) fn encoding(head: &[u8]) -> (TextEncoding, usize) {
    match head {
        [0xef, 0xbb, 0xbf, ..] => (TextEncoding::Utf8, 3),
        [0xff, 0xfe, ..] => (TextEncoding::Utf16Le, 2),
        [0xfe, 0xff, ..] => (TextEncoding::Utf16Be, 2),
        // Without a mark: JSON begins with ASCII characters (RFC 4627 section 3).
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => (TextEncoding::Utf16Le, 0),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => (TextEncoding::Utf16Be, 0),
        _ => (TextEncoding::Utf8, 0),
    }
}

/// UTF-16 read as UTF-8.
pub(super) struct Utf16<'a> {
    source: &'a mut Source,
    decoder: encoding_rs::Decoder,
    text: String,
    at: usize,
    offset: u64,
    ended: bool,
}

impl<'a> Utf16<'a> {
    /// The rest of a source behind its byte order mark.
    pub(super) fn new(source: &'a mut Source, big_endian: bool) -> Self {
        let encoding = if big_endian { encoding_rs::UTF_16BE } else { encoding_rs::UTF_16LE };
        Self {
            offset: source.offset(),
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            text: String::new(),
            at: 0,
            ended: false,
        }
    }
}

impl Feed for Utf16<'_> {
    fn fill(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.text.len() && !self.ended {
            let raw = self.source.fill_buf()?;
            // A piece of this size keeps the text small, whatever the source holds.
            let raw = raw.get(..1 << 18).unwrap_or(raw);
            let count = raw.len();
            self.ended = count == 0;
            self.at = 0;
            self.text.clear();
            if let Some(needed) = self.decoder.max_utf8_buffer_length(count) {
                self.text.reserve(needed);
            }
            let _ = self.decoder.decode_to_string(raw, &mut self.text, count == 0);
            BufRead::consume(self.source, count);
        }
        Ok(self.text.as_bytes().get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        let bytes = self.text.as_bytes();
        let end = self.at.saturating_add(count).min(bytes.len());
        for byte in bytes.get(self.at..end).unwrap_or_default() {
            // Two bytes for each character, four for each that takes four in UTF-8.
            let size = match byte {
                0x80..=0xbf => 0,
                0xf0.. => 4,
                _ => 2,
            };
            self.offset = self.offset.saturating_add(size);
        }
        self.at = end;
    }

    fn offset(&self) -> u64 {
        // Half a character at the end of the file becomes a whole one.
        self.offset.min(self.source.offset())
    }
}

/// A feed that takes bytes back.
pub(super) struct Returnable<F> {
    feed: F,
    returned: Vec<u8>,
    at: usize,
}

impl<F: Feed> Returnable<F> {
    pub(super) const fn new(feed: F) -> Self {
        Self { feed, returned: Vec::new(), at: 0 }
    }

    /// Puts bytes before those that come next.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        let left = self.returned.get(self.at..).unwrap_or_default();
        self.returned = [bytes, left].concat();
        self.at = 0;
    }
}

impl<F: Feed> Feed for Returnable<F> {
    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.at < self.returned.len() {
            return Ok(self.returned.get(self.at..).unwrap_or_default());
        }
        self.feed.fill()
    }

    fn consume(&mut self, count: usize) {
        if self.at < self.returned.len() {
            self.at = self.at.saturating_add(count).min(self.returned.len());
            if self.at == self.returned.len() {
                self.returned = Vec::new();
                self.at = 0;
            }
            return;
        }
        self.feed.consume(count);
    }

    /// Exact for UTF-8; bytes that were put back count as one each.
    fn offset(&self) -> u64 {
        let left = self.returned.len().saturating_sub(self.at);
        self.feed.offset().saturating_sub(as_u64(left))
    }
}

impl<F: Feed + ?Sized> Feed for &mut F {
    fn fill(&mut self) -> io::Result<&[u8]> {
        (**self).fill()
    }

    fn consume(&mut self, count: usize) {
        (**self).consume(count);
    }

    fn offset(&self) -> u64 {
        (**self).offset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn encodings_are_told_apart() {
        assert_eq!(encoding(&utf16("{\"", false)), (TextEncoding::Utf16Le, 0));
        assert_eq!(encoding(&utf16("{\"", true)), (TextEncoding::Utf16Be, 0));
        assert_eq!(encoding(b"\xef\xbb\xbf{"), (TextEncoding::Utf8, 3));
        assert_eq!(encoding(b"{\""), (TextEncoding::Utf8, 0));
        assert_eq!(encoding(b""), (TextEncoding::Utf8, 0));
    }

    #[test]
    fn utf16_keeps_the_offsets_of_the_file() {
        let text = "aä\u{1f600}b";
        for big_endian in [false, true] {
            let mut source = Source::bytes(utf16(text, big_endian)).with_chunk(3);
            let mut feed = Utf16::new(&mut source, big_endian);
            let (mut read, mut offsets) = (Vec::new(), Vec::new());
            while let Some(byte) = feed.fill().unwrap().first().copied() {
                offsets.push(feed.offset());
                read.push(byte);
                feed.consume(1);
            }
            assert_eq!(String::from_utf8(read).unwrap(), text);
            assert_eq!(offsets, [0, 2, 4, 4, 8, 8, 8, 8]);
            assert_eq!(feed.offset(), 10);
        }
    }

    #[test]
    fn half_a_character_at_the_end_is_in_the_file() {
        let mut source = Source::bytes(b"\xdc\x00\x20\x00\xa6".to_vec());
        let mut feed = Utf16::new(&mut source, true);
        while !feed.fill().unwrap().is_empty() {
            let length = feed.fill().unwrap().len();
            feed.consume(length);
        }
        assert_eq!(feed.offset(), 5);
    }

    #[test]
    fn bytes_can_be_put_back() {
        let mut feed = Returnable::new(Source::bytes(b"cd".to_vec()));
        feed.put_back(b"ab");
        assert_eq!(feed.fill().unwrap(), b"ab");
        feed.consume(1);
        feed.put_back(b"x");
        assert_eq!(feed.fill().unwrap(), b"xb");
        feed.consume(2);
        assert_eq!(feed.fill().unwrap(), b"cd");
        assert_eq!(feed.offset(), 0);
    }
}
