//! HPACK: fields of a header block, and the table that both sides keep (RFC 7541).
//!
//! One decoder reads what one side sends. It must not know what a field means, nor how a block came.
//!
//! The table may have begun before the capture, or changed in what the capture lost. Then what was
//! inserted since is still known under its right index, since indices count from the newest entry, and
//! every other index gives a field that is not known. How large the table of the sender may be is not
//! needed to be exact: a sender names no entry that it dropped, so keeping an entry for longer does
//! no harm. That is why the order of `SETTINGS` and their acknowledgement need not be known either.
//!
//! Invariants: `size` is the sum of the sizes of `entries`, at most [`limits::HPACK_TABLE`]; decoding is
//! linear in the block, however often it names a long entry.

use std::collections::VecDeque;

use nom::bytes::complete::take;
use nom::error::Error;
use nom::number::complete::u8 as byte;
use nom::{IResult, Parser};

use super::huffman;
use super::static_table::FIELDS;
use crate::limits;

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The newest is first.
    entries: VecDeque<Entry>,
    /// Bytes of them as RFC 7541 section 4.1 counts.
    size: usize,
    /// Bytes of text that they hold.
    text: usize,
    /// What the table may hold at most.
    room: usize,
    /// Whether the table of the sender may have older entries than these.
    has_older: bool,
}

/// An entry; its name is not known when it was that of an entry that is not known.
struct Entry {
    name: Option<Box<str>>,
    value: Box<str>,
    size: usize,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Entry").field(&self.name).field(&self.value.len()).finish()
    }
}

/// A field; what is not known of it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) value: Option<&'a str>,
}

/// The block cannot be read on, so that what it did to the table is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, text: 0, room: DEFAULT_SIZE, has_older: false }
    }
}

impl Decoder {
    /// Notes that the table may have changed in a way that is not known.
    pub(super) fn forget(&mut self) {
        *self = Self { room: limits::HPACK_TABLE, has_older: true, ..Self::default() };
    }

    /// Notes what the reader of this side allows (`SETTINGS_HEADER_TABLE_SIZE`).
    ///
    /// The sender should say when it uses more, and some do not; it must say when it uses less.
    pub(super) fn allow(&mut self, size: u32) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.room = self.room.max(size).min(limits::HPACK_TABLE);
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.text.saturating_add(self.entries.len().saturating_mul(size_of::<Entry>()))
    }

    /// Reads a header block up to its end or to its damage.
    pub(super) fn decode(
        &mut self,
        block: &[u8],
        out: &mut dyn FnMut(Field<'_>),
    ) -> Result<(), Damaged> {
        let mut rest = block;
        while !rest.is_empty() {
            let Ok((next, instruction)) = instruction(rest) else {
                self.forget();
                return Err(Damaged);
            };
            rest = next;
            match instruction {
                Instruction::Indexed(index) => {
                    if let Ok(field) = self.field(index) {
                        out(field);
                    } else {
                        self.forget();
                        out(Field { name: None, value: None });
                    }
                }
                Instruction::Literal { name, value, is_kept } => {
                    self.literal(name, &value, is_kept, out);
                }
                Instruction::Size(size) => self.resize(size),
            }
        }
        Ok(())
    }

    fn literal(&mut self, name: Name, value: &Text, is_kept: bool, out: &mut dyn FnMut(Field<'_>)) {
        let (name, length) = match name {
            Name::New(name) => (Some(name.shown), name.length),
            Name::Indexed(index) => {
                let known = self.field(index).map(|field| field.name.map(Box::<str>::from));
                let name = known.unwrap_or_else(|Damaged| {
                    self.forget();
                    None
                });
                let length = name.as_deref().map_or(0, str::len);
                (name, length)
            }
        };
        out(Field { name: name.as_deref(), value: Some(&value.shown) });
        if is_kept {
            let size = ENTRY.saturating_add(length).saturating_add(value.length);
            self.insert(Entry { name, value: value.shown.clone(), size });
        }
    }

    /// What an index stands for; it is wrong when no table can have it.
    fn field(&self, index: usize) -> Result<Field<'_>, Damaged> {
        let place = index.checked_sub(1).ok_or(Damaged)?;
        if let Some((name, value)) = FIELDS.get(place) {
            return Ok(Field { name: Some(name), value: Some(value) });
        }
        match self.entries.get(place.saturating_sub(FIELDS.len())) {
            Some(entry) => Ok(Field { name: entry.name.as_deref(), value: Some(&entry.value) }),
            None if self.has_older => Ok(Field { name: None, value: None }),
            None => Err(Damaged),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.evict(self.room.saturating_sub(entry.size));
        if entry.size > self.room {
            // RFC 7541 section 4.4: it empties the table and is not in it.
            self.has_older |= self.room == limits::HPACK_TABLE;
            self.evict(0);
            return;
        }
        self.size = self.size.saturating_add(entry.size);
        self.text = self.text.saturating_add(entry.text());
        self.entries.push_front(entry);
    }

    fn evict(&mut self, room: usize) {
        while self.size > room {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(entry.size);
            self.text = self.text.saturating_sub(entry.text());
            // The table of the sender may be larger than what is kept here.
            self.has_older |= self.room == limits::HPACK_TABLE;
        }
    }

    /// RFC 7541 section 6.3.
    fn resize(&mut self, size: usize) {
        self.room = size.min(limits::HPACK_TABLE);
        self.evict(self.room);
        if size == 0 {
            // Whatever was there is gone.
            self.has_older = false;
        }
    }
}

impl Entry {
    fn text(&self) -> usize {
        self.name.as_deref().map_or(0, str::len).saturating_add(self.value.len())
    }
}

/// What stands in a block (RFC 7541 section 6).
enum Instruction {
    Indexed(usize),
    Literal { name: Name, value: Text, is_kept: bool },
    Size(usize),
}

enum Name {
    Indexed(usize),
    New(Text),
}

/// A text, cut at [`limits::HEADER_VALUE`], and how long it was.
struct Text {
    shown: Box<str>,
    length: usize,
}

fn instruction(input: &[u8]) -> IResult<&[u8], Instruction> {
    let (_, first) = byte(input)?;
    if first & 0x80 != 0 {
        return integer(7).map(Instruction::Indexed).parse(input);
    }
    if first & 0xe0 == 0x20 {
        return integer(5).map(Instruction::Size).parse(input);
    }
    // With indexing it is kept; without, or never, it is not.
    let is_kept = first & 0x40 != 0;
    let (rest, index) = integer(if is_kept { 6 } else { 4 })(input)?;
    let (rest, name) = match index {
        0 => text.map(Name::New).parse(rest)?,
        index => (rest, Name::Indexed(index)),
    };
    let (rest, value) = text(rest)?;
    Ok((rest, Instruction::Literal { name, value, is_kept }))
}

/// An integer in the low bits of a byte, and of more where they are all set (RFC 7541 section 5.1).
fn integer(bits: u32) -> impl Fn(&[u8]) -> IResult<&[u8], usize> {
    move |input| {
        let full = 1_usize.wrapping_shl(bits).saturating_sub(1);
        let (mut rest, first) = byte(input)?;
        let mut value = usize::from(first) & full;
        if value < full {
            return Ok((rest, value));
        }
        // Four more bytes are enough for any length or index that can be right.
        for shift in [0_u32, 7, 14, 21] {
            let (next, more) = byte(rest)?;
            rest = next;
            value = value.saturating_add(usize::from(more & 0x7f).wrapping_shl(shift));
            if more & 0x80 == 0 {
                return Ok((rest, value));
            }
        }
        Err(damage(input))
    }
}

/// RFC 7541 section 5.2.
fn text(input: &[u8]) -> IResult<&[u8], Text> {
    let (_, first) = byte(input)?;
    let (rest, length) = integer(7)(input)?;
    let (rest, raw) = take(length)(rest)?;
    if first & 0x80 == 0 {
        return Ok((rest, shown(raw)));
    }
    match huffman::decode(raw) {
        Some(decoded) => Ok((rest, shown(&decoded))),
        None => Err(damage(input)),
    }
}

fn shown(raw: &[u8]) -> Text {
    let part = raw.get(..limits::HEADER_VALUE).unwrap_or(raw);
    Text { shown: String::from_utf8_lossy(part).into(), length: raw.len() }
}

fn damage(input: &[u8]) -> nom::Err<Error<&[u8]>> {
    nom::Err::Error(Error { input, code: nom::error::ErrorKind::Verify })
}

/// Bytes of the table before anything else is said (RFC 9113 section 6.5.2).
const DEFAULT_SIZE: usize = 4096;
/// Bytes that an entry counts for beside its text (RFC 7541 section 4.1).
const ENTRY: usize = 32;

/// Entry for fuzzing: header blocks of any bytes, each behind its length.
#[doc(hidden)]
pub fn fuzz_hpack(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    let mut rest = bytes;
    while let [length, behind @ ..] = rest {
        if *length == u8::MAX {
            decoder.allow(u32::MAX);
        }
        let (block, next) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        let mut fields = 0_usize;
        let outcome = decoder.decode(block, &mut |_| fields = fields.saturating_add(1));
        assert!(fields <= block.len(), "each field takes a byte at least");
        assert!(outcome.is_ok() || decoder.entries.is_empty(), "damage ends what is known");
        let sum = |entry: &Entry| entry.size;
        assert_eq!(decoder.entries.iter().map(sum).sum::<usize>(), decoder.size, "sizes add up");
        assert!(decoder.size <= limits::HPACK_TABLE, "the table is bounded");
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|two| pair(two).unwrap()).collect()
    }

    /// Fields as `name: value`, with `?` for what is not known.
    fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
        let mut told = Vec::new();
        let shown = |text: Option<&str>| text.unwrap_or("?").to_owned();
        let result = decoder.decode(block, &mut |field| {
            told.push(format!("{}: {}", shown(field.name), shown(field.value)));
        });
        if result == Err(Damaged) {
            told.push("damaged".to_owned());
        }
        told
    }

    fn one(block: &str) -> Vec<String> {
        read(&mut Decoder::default(), &hex(block))
    }

    #[test]
    fn fields_alone() {
        // RFC 7541 appendix C.2.
        let block = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
        assert_eq!(one(block), ["custom-key: custom-header"]);
        assert_eq!(one("040c 2f73 616d 706c 652f 7061 7468"), [":path: /sample/path"]);
        assert_eq!(one("1008 7061 7373 776f 7264 0673 6563 7265 74"), ["password: secret"]);
        assert_eq!(one("82"), [":method: GET"]);
    }

    #[test]
    fn requests_one_after_the_other() {
        let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
        let second = [&first[..], &["cache-control: no-cache"]].concat();
        let third = [
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ];
        // RFC 7541 appendices C.3 and C.4.
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::default();
            let mut sizes = Vec::new();
            let mut told = Vec::new();
            for block in blocks {
                told.push(read(&mut decoder, &hex(block)));
                sizes.push(decoder.size);
            }
            assert_eq!(told, [first.to_vec(), second.clone(), third.to_vec()]);
            assert_eq!(sizes, [57, 110, 164]);
        }
    }

    #[test]
    fn responses_with_eviction() {
        // RFC 7541 appendices C.5 and C.6.
        for blocks in [
            [
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                "4803 3330 37c1 c0bf",
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
            ],
            [
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ],
        ] {
            let mut decoder = Decoder::default();
            assert_eq!(read(&mut decoder, &hex("3fe101")), [""; 0]);
            let mut sizes = Vec::new();
            let mut told = Vec::new();
            for block in blocks {
                told.push(read(&mut decoder, &hex(block)));
                sizes.push(decoder.size);
            }
            let date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
            let rest = ["cache-control: private", date, "location: https://www.example.com"];
            assert_eq!(told[0], [&[":status: 302"], &rest[..]].concat());
            assert_eq!(told[1], [&[":status: 307"], &rest[..]].concat());
            let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
            let last = date.replace(":21 ", ":22 ");
            let third = [":status: 200", rest[0], &last, rest[2], "content-encoding: gzip", cookie];
            assert_eq!(told[2], third);
            assert_eq!(sizes, [222, 222, 215]);
        }
    }

    #[test]
    fn a_table_that_is_not_known_becomes_known_again() {
        let mut decoder = Decoder::default();
        decoder.forget();
        // An old entry, a field named by one, a new entry, and that entry again.
        assert_eq!(read(&mut decoder, b"\x82\xc0"), [":method: GET", "?: ?"]);
        assert_eq!(read(&mut decoder, b"\x7f\x01\x01x\x44\x02/a"), ["?: x", ":path: /a"]);
        assert_eq!(read(&mut decoder, b"\xbe\xbf\xc0"), [":path: /a", "?: x", "?: ?"]);
        // A table without room has nothing that is not known.
        assert_eq!(read(&mut decoder, b"\x20\x3f\xe1\x1f"), [""; 0]);
        assert_eq!(read(&mut decoder, b"\x44\x02/b\xbe"), [":path: /b", ":path: /b"]);
        assert_eq!(read(&mut decoder, b"\xbf\xbe"), ["?: ?", "?: ?"]);
    }

    #[test]
    fn damage_is_told() {
        for block in [
            &b"\xff"[..],
            b"\xff\xff\xff\xff\xff\xff\xff",
            b"\x40\x05ab",
            b"\x40",
            b"\x44\x81\x00",
            // The end mark, and padding that is too long or not set.
            b"\x44\x84\xff\xff\xff\xff",
            b"\x44\x82\x1f\xff",
            b"\x44\x81\x18",
        ] {
            assert_eq!(read(&mut Decoder::default(), block), ["damaged"], "{block:?}");
        }
        assert_eq!(one("80"), ["?: ?"]);
        assert_eq!(one("44811f"), [":path: a"]);
    }

    #[test]
    fn entries_are_bounded() {
        let mut decoder = Decoder::default();
        decoder.allow(u32::MAX);
        let long = "x".repeat(5000);
        let mut block = b"\x44\x7f\x89\x26".to_vec();
        block.extend_from_slice(long.as_bytes());
        for _ in 0..100 {
            assert_eq!(read(&mut decoder, &block).len(), 1);
            assert!(decoder.size <= limits::HPACK_TABLE);
            assert_eq!(decoder.held() / 5000, decoder.entries.len());
        }
        assert!(decoder.has_older);
    }

    proptest! {
        #[test]
        fn what_another_encoder_writes_is_read(
            blocks in proptest::collection::vec(
                proptest::collection::vec((0_u8..5, "[ -~]{0,40}"), 0..12), 1..12,
            ),
        ) {
            const NAMES: [&str; 5] = [":path", "x-a", "content-type", ":status", "x-some-thing"];
            let mut encoder = fluke_hpack::Encoder::new();
            let mut decoder = Decoder::default();
            for block in blocks {
                let fields: Vec<_> =
                    block.iter().map(|(name, value)| (NAMES[usize::from(*name)], value)).collect();
                let bytes = encoder.encode(
                    fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
                );
                let want: Vec<_> =
                    fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                prop_assert_eq!(read(&mut decoder, &bytes), want);
            }
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::default();
            for _ in 0..3 {
                let told = read(&mut decoder, &bytes);
                prop_assert!(told.len() <= bytes.len().saturating_add(1));
                let size = decoder.entries.iter().map(|entry| entry.size).sum::<usize>();
                prop_assert!(size == decoder.size && size <= decoder.room);
                let text = decoder.entries.iter().map(Entry::text).sum::<usize>();
                prop_assert_eq!(text, decoder.text);
            }
        }
    }
}
