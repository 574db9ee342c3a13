//! The code of text in HPACK (RFC 7541 section 5.2 and appendix B).
//!
//! The code is canonical: within one length the codes go up in the order of the symbols, and each length
//! goes on where the one before ended. So the symbols of each length are all that has to be known. It
//! must not know what a text is for.
//!
//! Invariant: what comes out is at most 8/5 of what goes in, since no code has fewer than five bits.

/// Undoes the code; `None` when the bits hold its end mark, or do not end as they must.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut bits = Bits { bytes, bit: 0 };
    loop {
        let start = bits.bit;
        let Some(symbol) = bits.symbol() else {
            // Fewer than eight bits are left, all of them set.
            return bits.is_padding(start).then_some(out);
        };
        out.push(symbol);
    }
}

/// Bits still to be read.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The number of the next one.
    bit: usize,
}

impl Bits<'_> {
    fn next(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.bit >> 3)?;
        let shift = 7_u32.saturating_sub(u32::try_from(self.bit & 7).unwrap_or(0));
        self.bit = self.bit.saturating_add(1);
        Some(u32::from(byte).wrapping_shr(shift) & 1)
    }

    /// The next symbol; `None` where no code is whole, or where the end mark stands.
    fn symbol(&mut self) -> Option<u8> {
        let (mut code, mut first, mut length) = (0_u32, 0_u32, 0_u32);
        for (bits, symbols) in SYMBOLS {
            while length < *bits {
                code = code.wrapping_shl(1) | self.next()?;
                first = first.wrapping_shl(1);
                length = length.saturating_add(1);
            }
            let place = usize::try_from(code.checked_sub(first)?).ok()?;
            if let Some(symbol) = symbols.get(place) {
                return Some(*symbol);
            }
            first = first.saturating_add(u32::try_from(symbols.len()).unwrap_or(u32::MAX));
        }
        None
    }

    /// Whether the bits from one on are fewer than eight and all set.
    fn is_padding(&self, start: usize) -> bool {
        let left = self.bytes.len().saturating_mul(8).saturating_sub(start);
        let last = self.bytes.last().copied().unwrap_or_default();
        left < 8 && usize::try_from(last.trailing_ones()).is_ok_and(|ones| ones >= left)
    }
}

/// The symbols by the length of their code in bits; the end mark is the last code of 30 bits.
const SYMBOLS: &[(u32, &[u8])] = &[
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (22, b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9"),
    (23, b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef"),
    (24, b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (28, b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9"),
    (30, b"\n\r\x16"),
];
