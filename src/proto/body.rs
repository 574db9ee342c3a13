//! Message bodies: content codings undone under a cap, and text in its character set.
//!
//! It follows RFC 9110 section 8.4 (codings), RFC 1952 (gzip), RFC 1950 and 1951 (deflate), RFC 7932
//! (brotli), RFC 8878 and 9659 (zstd). It must not know what a body says.
//!
//! Invariants: the result is no longer than the cap; every byte that a decoder produces is charged to
//! the budget; a stream that breaks gives what came before the break.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::limits::{self, Budget};

/// A body after its content codings were undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the end is missing because the cap, the budget or the ratio was reached.
    pub cut: bool,
    /// Whether it was the ratio of what came out to what went in.
    pub overblown: bool,
    /// Whether the coding is unknown or the stream is broken; the bytes are then what came before
    /// the break, or the coded bytes themselves when nothing came.
    pub damaged: bool,
}

/// Undoes the codings of a `Content-Encoding` field, the last one first.
///
/// At most `cap` bytes come back. A gzip body may have several members, a deflate body may come with
/// or without its zlib wrapper, and a body that is no longer coded comes back as it is.
pub fn decode(bytes: &[u8], content_encoding: &str, cap: u64, budget: &mut Budget) -> Decoded {
    let mut codings = content_encoding.split(',').map(str::trim).filter(|coding| {
        !coding.is_empty() && !["identity", "none"].iter().any(|no| coding.eq_ignore_ascii_case(no))
    });
    let mut decoded: Option<Decoded> = None;
    let mut count = 0_usize;
    while let Some(coding) = codings.next_back() {
        count = count.saturating_add(1);
        let (input, cut) = match &decoded {
            Some(inner) => (inner.bytes.as_slice(), inner.cut),
            None => (bytes, false),
        };
        let Some(coding) = Coding::parse(coding).filter(|_| count <= limits::CODINGS) else {
            return Decoded { damaged: true, ..raw(input, cap) };
        };
        let mut next = undo(coding, input, cap, budget);
        // The end of a coded stream that we cut ourselves is missing, not broken.
        next.damaged &= !cut;
        next.cut |= cut;
        next.overblown |= decoded.as_ref().is_some_and(|inner| inner.overblown);
        let broken = next.damaged;
        decoded = Some(next);
        if broken {
            break;
        }
    }
    decoded.unwrap_or_else(|| raw(bytes, cap))
}

/// Undoes the coding of a body of which nobody says how it is coded; `None` where it is not found out.
///
/// A coding is taken for the right one if the whole body can be decoded and is text then.
pub fn decode_unnamed(bytes: &[u8], cap: u64, budget: &mut Budget) -> Option<Decoded> {
    ["", "gzip", "zstd", "deflate", "br"]
        .into_iter()
        .map(|coding| decode(bytes, coding, cap, budget))
        .find(|decoded| !decoded.damaged && begins_as_text(&decoded.bytes))
}

/// Whether bytes are text, of which the last character may be cut.
fn begins_as_text(bytes: &[u8]) -> bool {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    end > 0 && is_text(bytes.get(..end).unwrap_or_default())
}

/// The text of a body: byte order mark, then the `charset` of the content type, then UTF-8.
pub fn charset<'a>(bytes: &'a [u8], content_type: &str) -> Cow<'a, str> {
    let named = charset_parameter(content_type)
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
    named.unwrap_or(encoding_rs::UTF_8).decode(bytes).0
}

/// The value of the `charset` parameter (RFC 9110 section 8.3.2).
fn charset_parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(|c| matches!(c, '"' | '\''));
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}

/// A content coding of the registry (RFC 9110 section 18.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

impl Coding {
    fn parse(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }
}

/// How a decoder stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A bound was met.
    Bound,
    /// The data is not valid.
    Broken,
    /// The stream is complete.
    Complete,
    /// The data ends too early.
    Early,
}

/// The bytes as they are, cut at the cap.
fn raw(bytes: &[u8], cap: u64) -> Decoded {
    let end = usize::try_from(cap).unwrap_or(usize::MAX);
    match bytes.get(..end) {
        Some(head) if head.len() < bytes.len() => {
            Decoded { bytes: head.to_vec(), cut: true, ..Decoded::default() }
        }
        _ => Decoded { bytes: bytes.to_vec(), ..Decoded::default() },
    }
}

fn undo(coding: Coding, input: &[u8], cap: u64, budget: &mut Budget) -> Decoded {
    if input.is_empty() {
        return Decoded::default();
    }
    if budget.is_exhausted() {
        return Decoded { cut: true, ..Decoded::default() };
    }
    let mut sink = Sink { out: Vec::new(), cap, compressed: input.len(), overblown: false, budget };
    let end = match coding {
        Coding::Brotli => brotli(input, &mut sink),
        Coding::Deflate => deflate(input, &mut sink),
        Coding::Gzip => gzip(input, &mut sink),
        Coding::Zstd => zstd(input, &mut sink),
    };
    let (bytes, overblown) = (sink.out, sink.overblown);
    // Some tools store the decoded text and leave the field in place.
    let plain = end == End::Broken && is_text(input);
    if (bytes.is_empty() && matches!(end, End::Broken | End::Early)) || plain {
        return Decoded { damaged: true, ..raw(input, cap) };
    }
    let damaged = matches!(end, End::Broken | End::Early);
    Decoded { bytes, cut: end == End::Bound, overblown, damaged }
}

/// Whether the bytes read as text from the first to the last; coded bytes hardly ever do.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()))
}

/// Where decoded bytes go, and what bounds them.
struct Sink<'a> {
    out: Vec<u8>,
    cap: u64,
    compressed: usize,
    overblown: bool,
    budget: &'a mut Budget,
}

impl Sink<'_> {
    /// Takes all that a decoder gives.
    fn drain(&mut self, decoder: &mut impl Read) -> End {
        loop {
            let before = self.out.len();
            let held = u64::try_from(before).unwrap_or(u64::MAX);
            // One byte more than the cap tells a full body from a cut one.
            let room = self.cap.saturating_add(1).saturating_sub(held);
            let result = decoder.by_ref().take(room.min(STEP)).read_to_end(&mut self.out);
            let produced = self.out.len().saturating_sub(before);
            let total = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
            let charged = self.budget.charge(u64::try_from(produced).unwrap_or(u64::MAX));
            if total > self.cap {
                self.out.truncate(usize::try_from(self.cap).unwrap_or(usize::MAX));
                return End::Bound;
            }
            let compressed = u64::try_from(self.compressed).unwrap_or(u64::MAX);
            self.overblown = !self.budget.allows_ratio(compressed, total);
            if !charged || self.overblown {
                return End::Bound;
            }
            match result {
                Ok(_) if produced == 0 => return End::Complete,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return End::Early,
                Err(_) => return End::Broken,
            }
        }
    }
}

/// RFC 1952 section 2.2: members follow each other; what follows the last one is padding.
fn gzip(input: &[u8], sink: &mut Sink<'_>) -> End {
    let mut rest = input;
    loop {
        let mut decoder = GzDecoder::new(rest);
        match sink.drain(&mut decoder) {
            End::Complete => {}
            end => return end,
        }
        rest = decoder.into_inner();
        if !rest.starts_with(&[0x1f, 0x8b]) {
            return End::Complete;
        }
    }
}

/// RFC 9110 section 8.4.1.2: the zlib wrapper belongs there, and some senders leave it out.
fn deflate(input: &[u8], sink: &mut Sink<'_>) -> End {
    if input.starts_with(&[0x1f, 0x8b]) {
        return gzip(input, sink);
    }
    if is_zlib(input) {
        let end = sink.drain(&mut ZlibDecoder::new(input));
        if end != End::Broken || !sink.out.is_empty() {
            return end;
        }
    }
    let mut decoder = DeflateDecoder::new(input);
    sink.drain(&mut decoder)
}

/// RFC 1950 section 2.2: method 8, and a header that is a multiple of 31.
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

/// RFC 7932 section 9.1; the reserved window code, used by a private extension for windows of up to
/// a gibibyte, is refused.
fn brotli(input: &[u8], sink: &mut Sink<'_>) -> End {
    if input.first().is_some_and(|byte| byte & 0x7f == 0x11) {
        return End::Broken;
    }
    let mut source = Fused { rest: input, ran_out: false };
    let mut decoder = brotli_decompressor::Decompressor::new(&mut source, 4096);
    let end = sink.drain(&mut decoder);
    drop(decoder);
    if end == End::Broken && source.ran_out { End::Early } else { end }
}

/// RFC 8878 section 3.1: frames, data and skippable, follow each other.
fn zstd(input: &[u8], sink: &mut Sink<'_>) -> End {
    let mut source = Fused { rest: input, ran_out: false };
    loop {
        while let Some(length) = skippable(source.rest) {
            source.rest = source.rest.get(length..).unwrap_or_default();
        }
        if !source.rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            // Padding behind a frame is no damage; anything else in place of the first one is.
            return if source.rest.len() < input.len() { End::Complete } else { End::Broken };
        }
        let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(
            &mut source,
            limits::ZSTD_WINDOW,
        );
        let Ok(mut decoder) = decoder else {
            return if source.ran_out { End::Early } else { End::Broken };
        };
        match sink.drain(&mut decoder) {
            End::Complete => {}
            End::Broken if source.ran_out => return End::Early,
            end => return end,
        }
    }
}

/// The whole length of a skippable frame (RFC 8878 section 3.1.2), if one begins here.
fn skippable(input: &[u8]) -> Option<usize> {
    let (magic, rest) = input.split_first_chunk::<4>()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    let matches = u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(8)?;
    matches.then_some(length)
}

/// A slice that remembers that more was asked of it than it holds.
struct Fused<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl Read for Fused<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ran_out |= self.rest.is_empty() && !buffer.is_empty();
        self.rest.read(buffer)
    }
}

impl BufRead for Fused<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.ran_out |= self.rest.is_empty();
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest.consume(amount);
    }
}

/// Entry for fuzzing: any bytes under each coding, within a cap.
#[doc(hidden)]
pub fn fuzz_body(bytes: &[u8]) {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
        let mut budget = Budget::new(limits::MIB, 1000);
        let decoded = decode(bytes, coding, 4 * limits::KIB, &mut budget);
        assert!(decoded.bytes.len() <= 4096, "the cap holds");
    }
}

/// Bytes taken of a decoder between two looks at the bounds.
const STEP: u64 = 64 * limits::KIB;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use proptest::prelude::*;

    use super::*;

    const TEXT: &[u8] = b"{\"error\":\"interaction_required\",\"error_codes\":[50076]}";
    // `TEXT` as another program's brotli and zstd encoders write it.
    const BROTLI: &[u8] = &[
        0x8b, 0x1a, 0x80, 0x7b, 0x22, 0x65, 0x72, 0x72, 0x6f, 0x72, 0x22, 0x3a, 0x22, 0x69, 0x6e,
        0x74, 0x65, 0x72, 0x61, 0x63, 0x74, 0x69, 0x6f, 0x6e, 0x5f, 0x72, 0x65, 0x71, 0x75, 0x69,
        0x72, 0x65, 0x64, 0x22, 0x2c, 0x22, 0x65, 0x72, 0x72, 0x6f, 0x72, 0x5f, 0x63, 0x6f, 0x64,
        0x65, 0x73, 0x22, 0x3a, 0x5b, 0x35, 0x30, 0x30, 0x37, 0x36, 0x5d, 0x7d, 0x03,
    ];
    const ZSTD: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0xb1, 0x01, 0x00, 0x7b, 0x22, 0x65, 0x72, 0x72, 0x6f,
        0x72, 0x22, 0x3a, 0x22, 0x69, 0x6e, 0x74, 0x65, 0x72, 0x61, 0x63, 0x74, 0x69, 0x6f, 0x6e,
        0x5f, 0x72, 0x65, 0x71, 0x75, 0x69, 0x72, 0x65, 0x64, 0x22, 0x2c, 0x22, 0x65, 0x72, 0x72,
        0x6f, 0x72, 0x5f, 0x63, 0x6f, 0x64, 0x65, 0x73, 0x22, 0x3a, 0x5b, 0x35, 0x30, 0x30, 0x37,
        0x36, 0x5d, 0x7d, 0x08, 0xef, 0x15, 0xc5,
    ];

    #[test]
    fn a_coding_that_nobody_names_is_found_out() {
        let found = |bytes: &[u8]| {
            let decoded = decode_unnamed(bytes, 4 * limits::KIB, &mut budget());
            decoded.map(|decoded| decoded.bytes)
        };
        for bytes in [TEXT, BROTLI, ZSTD, &gzipped(TEXT)] {
            assert_eq!(found(bytes).as_deref(), Some(TEXT));
        }
        // The end of the last one is missing, and what is there is no text.
        for bytes in [&b""[..], b"\xff\xfe\x01", &BROTLI[..BROTLI.len() / 2], &[0; 40]] {
            assert_eq!(found(bytes), None, "{bytes:?}");
        }
        assert_eq!(
            found("caf\u{e9}".as_bytes().get(..4).unwrap()).as_deref(),
            Some(&b"caf\xc3"[..])
        );
    }

    fn budget() -> Budget {
        Budget::new(limits::GIB, 1000)
    }

    fn run(bytes: &[u8], coding: &str) -> Decoded {
        decode(bytes, coding, limits::MIB, &mut budget())
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn zlibbed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn whole(bytes: &[u8]) -> Decoded {
        Decoded { bytes: bytes.to_vec(), ..Decoded::default() }
    }

    #[test]
    fn undoes_each_coding() {
        assert_eq!(run(TEXT, ""), whole(TEXT));
        assert_eq!(run(TEXT, "identity"), whole(TEXT));
        assert_eq!(run(&gzipped(TEXT), "GZip"), whole(TEXT));
        assert_eq!(run(&gzipped(TEXT), "x-gzip"), whole(TEXT));
        assert_eq!(run(&zlibbed(TEXT), "deflate"), whole(TEXT));
        assert_eq!(run(&deflated(TEXT), "deflate"), whole(TEXT));
        assert_eq!(run(&gzipped(TEXT), "deflate"), whole(TEXT));
        assert_eq!(run(BROTLI, "br"), whole(TEXT));
        assert_eq!(run(ZSTD, "zstd"), whole(TEXT));
        assert_eq!(run(b"", "gzip"), whole(b""));
    }

    #[test]
    fn undoes_lists_backwards_and_members_in_turn() {
        assert_eq!(run(&gzipped(&deflated(TEXT)), "deflate, gzip"), whole(TEXT));
        let members = [gzipped(b"one "), gzipped(b"two")].concat();
        assert_eq!(run(&members, "gzip"), whole(b"one two"));
        let padded = [gzipped(b"one"), vec![0; 7]].concat();
        assert_eq!(run(&padded, "gzip"), whole(b"one"));
        let frames = [ZSTD, &[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], ZSTD].concat();
        assert_eq!(run(&frames, "zstd"), whole(&[TEXT, TEXT].concat()));
        let many = ["gzip"; 9].join(",");
        assert!(run(&gzipped(TEXT), &many).damaged);
    }

    #[test]
    fn a_body_that_is_not_coded_stays() {
        for coding in ["gzip", "deflate", "br", "zstd", "sdch", "aws-chunked"] {
            let decoded = run(TEXT, coding);
            assert_eq!((decoded.bytes.as_slice(), decoded.damaged), (TEXT, true), "{coding}");
        }
    }

    #[test]
    fn what_came_before_the_break_stays() {
        let text: Vec<u8> =
            (0..200_000_u64).flat_map(|n| (n * n % 977).to_string().into_bytes()).collect();
        for (bytes, coding) in [(gzipped(&text), "gzip"), (zlibbed(&text), "deflate")] {
            let decoded = run(&bytes[..bytes.len() / 2], coding);
            assert!(decoded.damaged && !decoded.cut, "{coding}");
            assert!(decoded.bytes.len() > 1000 && text.starts_with(&decoded.bytes), "{coding}");
        }
        let decoded = run(&BROTLI[..BROTLI.len() - 4], "br");
        assert!(decoded.damaged && TEXT.starts_with(&decoded.bytes[..1]));
        let mut wrong_sum = gzipped(TEXT);
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 0xff;
        let decoded = run(&wrong_sum, "gzip");
        assert_eq!((decoded.bytes.as_slice(), decoded.damaged), (TEXT, true));
    }

    #[test]
    fn bounds_hold() {
        let mut budget = budget();
        let bomb = gzipped(&vec![0; 64 << 20]);
        let decoded = decode(&bomb, "gzip", 1000, &mut budget);
        assert_eq!((decoded.bytes.len(), decoded.cut, decoded.damaged), (1000, true, false));
        assert!(budget.left() > limits::GIB - limits::MIB);
        let decoded = decode(&bomb, "gzip", limits::GIB, &mut budget);
        assert!(decoded.cut && decoded.overblown && !budget.is_exhausted());
        let after = decode(&gzipped(TEXT), "gzip", 1000, &mut budget);
        assert_eq!((after.bytes.as_slice(), after.cut), (TEXT, false));
        let exact = decode(&gzipped(b"12345"), "gzip", 5, &mut Budget::new(100, 1000));
        assert_eq!(exact, whole(b"12345"));
        // A window of a gibibyte is asked for.
        assert!(run(&[0x11, 0x1e, 0, 0, 0], "br").damaged);
    }

    #[test]
    fn text_in_its_character_set() {
        assert_eq!(charset(b"caf\xe9", "text/html; Charset=\"ISO-8859-1\""), "caf\u{e9}");
        assert_eq!(charset("caf\u{e9}".as_bytes(), "text/html"), "caf\u{e9}");
        assert_eq!(charset(b"\xff\xfea\0", "text/html; charset=utf-8"), "a");
        assert_eq!(charset(b"\xef\xbb\xbfa", ""), "a");
        assert_eq!(charset(b"a\xff", "text/html; charset=nonsense"), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_bytes_under_any_coding(bytes in proptest::collection::vec(any::<u8>(), 0..400),
                                      coding in "(gzip|deflate|br|zstd|,| )*") {
            let decoded = decode(&bytes, &coding, 300, &mut budget());
            prop_assert!(decoded.bytes.len() <= 300);
        }

        #[test]
        fn any_cut_gives_a_beginning(cut in 0_usize..200) {
            for (bytes, coding) in [(gzipped(TEXT), "gzip"), (BROTLI.to_vec(), "br"),
                                    (ZSTD.to_vec(), "zstd"), (deflated(TEXT), "deflate")] {
                let cut = cut.min(bytes.len());
                let decoded = run(&bytes[..cut], coding);
                let is_raw = decoded.bytes == bytes[..cut];
                prop_assert!(is_raw || TEXT.starts_with(&decoded.bytes));
            }
        }
    }
}
