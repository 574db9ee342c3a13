//! JA4, the fingerprint of a TLS client, and nothing else of that family.
//!
//! It follows `technical_details/JA4.md` of <https://github.com/FoxIO-LLC/ja4>; that method is under
//! the BSD 3-clause licence. It must not know what client a fingerprint belongs to.
//!
//! Invariant: the text is ASCII and 36 characters long, whatever the hello holds.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

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
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) signature_algorithms: Vec<u16>,
    /// The first protocol of the list.
    pub(super) protocol: Option<&'a [u8]>,
}

/// The fingerprint.
pub(super) fn ja4(carrier: Carrier, parts: Parts<'_>) -> String {
    let mut ciphers = without_grease(parts.ciphers);
    let mut extensions = without_grease(parts.extensions);
    let mut out = String::with_capacity(36);
    out.push(match carrier {
        Carrier::Quic => 'q',
        Carrier::Tcp => 't',
    });
    out.push_str(version_code(parts.highest.unwrap_or(parts.legacy_version)));
    out.push(if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' });
    let _ = write!(out, "{:02}{:02}", ciphers.len().min(99), extensions.len().min(99));
    out.extend(protocol_code(parts.protocol.unwrap_or_default()));
    ciphers.sort_unstable();
    extensions.retain(|extension| !matches!(*extension, SERVER_NAME | PROTOCOLS));
    extensions.sort_unstable();
    let algorithms = without_grease(parts.signature_algorithms);
    out.push('_');
    hash(&ciphers, &[], &mut out);
    out.push('_');
    hash(&extensions, &algorithms, &mut out);
    out
}

fn without_grease(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.retain(|number| !is_grease(*number));
    numbers
}

fn version_code(version: u16) -> &'static str {
    match version {
        0x0002 => "s2",
        0x0300 => "s3",
        0x0301 => "10",
        0x0302 => "11",
        0x0303 => "12",
        0x0304 => "13",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// The first and the last character of a protocol, or of its hexadecimal form.
fn protocol_code(protocol: &[u8]) -> [char; 2] {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else {
        return ['0', '0'];
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)];
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// The four digits of a number, behind a sign.
fn digits(before: u8, number: u16) -> [u8; 5] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |shift: u32| {
        let place = usize::from(number >> shift & 0x0f);
        DIGITS.get(place).copied().unwrap_or(b'0')
    };
    [before, digit(12), digit(8), digit(4), digit(0)]
}

/// Adds the first twelve digits of the SHA-256 of a list, and of what is set behind it; zeros when the list
/// is empty.
fn hash(list: &[u16], behind: &[u16], out: &mut String) {
    if list.is_empty() {
        return out.push_str("000000000000");
    }
    // Nothing is written down for it: this is done for every connection.
    let mut state = Sha256::new();
    for (numbers, first) in [(list, None), (behind, Some(b'_'))] {
        for (index, number) in numbers.iter().enumerate() {
            let text = digits(if index == 0 { first.unwrap_or(b',') } else { b',' }, *number);
            let is_bare = index == 0 && first.is_none();
            state.update(text.get(usize::from(is_bare)..).unwrap_or_default());
        }
    }
    HEXLOWER.encode_append(state.finalize().get(..6).unwrap_or_default(), out);
}

/// The extensions that the fingerprint tells apart (RFC 6066, RFC 7301).
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the description.
    fn example() -> Parts<'static> {
        Parts {
            legacy_version: 0x0303,
            highest: Some(0x0304),
            ciphers: vec![
                0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
                0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signature_algorithms: vec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ],
            protocol: Some(b"h2"),
        }
    }

    #[test]
    fn the_example_of_the_description() {
        assert_eq!(ja4(Carrier::Tcp, example()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(ja4(Carrier::Quic, example()), "q13d1516h2_8daaf6152771_e5627efa2ab1");
        let bare = Parts { signature_algorithms: vec![0x2a2a], ..example() };
        assert_eq!(ja4(Carrier::Tcp, bare), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn what_is_missing_is_zeros() {
        let nothing = Parts { legacy_version: 0x0300, ..Parts::default() };
        assert_eq!(ja4(Carrier::Tcp, nothing), "ts3i000000_000000000000_000000000000");
    }

    #[test]
    fn odd_protocols() {
        let code = |protocol: &[u8]| protocol_code(protocol).iter().collect::<String>();
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
