//! JA4, the fingerprint of a TLS client, and nothing else of that family.
//!
//! It follows `technical_details/JA4.md` of <https://github.com/FoxIO-LLC/ja4>; that method is under
//! the BSD 3-clause licence. It must not know what client a fingerprint belongs to.
//!
//! Invariant: the text is ASCII and 36 characters long, whatever the hello holds.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::reader::is_grease;

/// What carried the hello; it is the first letter of the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// CRYPTO frames of QUIC.
    Quic,
    /// Records over TCP.
    Tcp,
}

/// What a fingerprint is made of, in the order of the hello, placeholders included.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) legacy_version: u16,
    /// The highest of `supported_versions`.
    pub(super) highest: Option<u16>,
    pub(super) ciphers: SmallVec<[u16; 64]>,
    pub(super) extensions: SmallVec<[u16; 32]>,
    pub(super) signature_algorithms: SmallVec<[u16; 32]>,
    /// The first protocol of the list.
    pub(super) protocol: Option<&'a [u8]>,
}

/// Characters of a fingerprint.
const LENGTH: usize = 36;
/// Characters of each of its two hashes.
const HASH: usize = 12;

/// A fingerprint. Every connection has one, so that it lies where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ja4([u8; LENGTH]);

impl Ja4 {
    /// Its text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fingerprint.
pub(super) fn ja4(carrier: Carrier, parts: Parts<'_>) -> Ja4 {
    let Parts { mut ciphers, mut extensions, signature_algorithms: mut algorithms, .. } = parts;
    ciphers.retain(|number| !is_grease(*number));
    extensions.retain(|number| !is_grease(*number));
    algorithms.retain(|number| !is_grease(*number));
    let carrier = match carrier {
        Carrier::Quic => b'q',
        Carrier::Tcp => b't',
    };
    let version = version_code(parts.highest.unwrap_or(parts.legacy_version));
    let named = if extensions.contains(&SERVER_NAME) { b'd' } else { b'i' };
    let (ciphers_seen, extensions_seen) = (ciphers.len(), extensions.len());
    let [first, last] = protocol_code(parts.protocol.unwrap_or_default());
    ciphers.sort_unstable();
    extensions.retain(|extension| !matches!(*extension, SERVER_NAME | PROTOCOLS));
    extensions.sort_unstable();
    let [version_one, version_two] = version;
    let [ciphers_ten, ciphers_one] = two_digits(ciphers_seen);
    let [extensions_ten, extensions_one] = two_digits(extensions_seen);
    let head = [
        carrier,
        version_one,
        version_two,
        named,
        ciphers_ten,
        ciphers_one,
        extensions_ten,
        extensions_one,
        first,
        last,
    ];
    let mut text = [b'_'; LENGTH];
    let parts = [(0, &head[..]), (11, &hash(&ciphers, &[])), (24, &hash(&extensions, &algorithms))];
    for (at, part) in parts {
        for (to, from) in text.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    }
    Ja4(text)
}

fn version_code(version: u16) -> [u8; 2] {
    match version {
        0x0002 => *b"s2",
        0x0300 => *b"s3",
        0x0301 => *b"10",
        0x0302 => *b"11",
        0x0303 => *b"12",
        0x0304 => *b"13",
        0xfeff => *b"d1",
        0xfefd => *b"d2",
        0xfefc => *b"d3",
        _ => *b"00",
    }
}

/// The first and the last character of a protocol, or of its hexadecimal form.
fn protocol_code(protocol: &[u8]) -> [u8; 2] {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last];
    }
    [digit(first >> 4), digit(*last)]
}

/// A hexadecimal digit.
fn digit(nibble: u8) -> u8 {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    DIGITS.get(usize::from(nibble & 0x0f)).copied().unwrap_or(b'0')
}

/// The two decimal digits of a count, which are never more.
fn two_digits(count: usize) -> [u8; 2] {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    [digit(count / 10), digit(count % 10)]
}

/// The first digits of the SHA-256 of a list, and of what is set behind it; zeros when the list is empty.
fn hash(list: &[u16], behind: &[u16]) -> [u8; HASH] {
    let mut text = [b'0'; HASH];
    if list.is_empty() {
        return text;
    }
    // Put together first: this is done for every connection.
    let mut whole: SmallVec<[u8; 512]> = SmallVec::new();
    for (numbers, first) in [(list, None), (behind, Some(b'_'))] {
        for (index, number) in numbers.iter().enumerate() {
            let sign = if index == 0 { first.unwrap_or_default() } else { b',' };
            let [high, low] = number.to_be_bytes();
            let text = [sign, digit(high >> 4), digit(high), digit(low >> 4), digit(low)];
            let is_bare = index == 0 && first.is_none();
            whole.extend_from_slice(text.get(usize::from(is_bare)..).unwrap_or_default());
        }
    }
    if let Some(first) = Sha256::digest(&whole).first_chunk::<{ HASH / 2 }>() {
        HEXLOWER.encode_mut(first, &mut text);
    }
    text
}

/// The extensions that the fingerprint tells apart (RFC 6066, RFC 7301).
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    /// The example of the description.
    fn example() -> Parts<'static> {
        Parts {
            legacy_version: 0x0303,
            highest: Some(0x0304),
            ciphers: smallvec![
                0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: smallvec![
                0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
                0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signature_algorithms: smallvec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ],
            protocol: Some(b"h2"),
        }
    }

    #[test]
    fn the_example_of_the_description() {
        assert_eq!(ja4(Carrier::Tcp, example()).as_str(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(ja4(Carrier::Quic, example()).as_str(), "q13d1516h2_8daaf6152771_e5627efa2ab1");
        let bare = Parts { signature_algorithms: smallvec![0x2a2a], ..example() };
        assert_eq!(ja4(Carrier::Tcp, bare).as_str(), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn what_is_missing_is_zeros() {
        let nothing = Parts { legacy_version: 0x0300, ..Parts::default() };
        assert_eq!(ja4(Carrier::Tcp, nothing).as_str(), "ts3i000000_000000000000_000000000000");
    }

    #[test]
    fn odd_protocols() {
        let code =
            |protocol: &[u8]| protocol_code(protocol).map(char::from).iter().collect::<String>();
        assert_eq!(code(b"http/1.1"), "h1");
        assert_eq!(code(b"h"), "hh");
        assert_eq!(code(b"\xab"), "ab");
        assert_eq!(code(b"\xab\xcd"), "ad");
        assert_eq!(code(b"0\xab"), "3b");
        assert_eq!(code(b"01\xab\xcd"), "3d");
        assert_eq!(code(b"0\xab\xcd1"), "01");
        assert_eq!(code(b""), "00");
    }
}
