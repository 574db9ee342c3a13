//! Headers of TLS records, and where a stream of them can begin.
//!
//! It follows RFC 8446 section 5.1, RFC 5246 section 6.2.1, and appendix E.2 of the latter for the
//! hello that SSL 2.0 left behind.
//!
//! Invariant: what is no header is never taken for one silently; the caller decides what to do.

use super::Probe;
/// Kinds of records.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION: u8 = 23;
const HEARTBEAT: u8 = 24;
/// Bytes of a header.
pub(super) const HEADER: usize = 5;
/// Bytes of a body; old versions allow 2048 more than a plain text may have.
const MAX_BODY: u16 = (1 << 14) + 2048;
/// Bytes of the shortest alert that encryption leaves: one block of the oldest ciphers.
const SHORTEST_SEALED_ALERT: u16 = 10;
/// Bytes of the longest: TLS 1.3 may pad it, but nobody does.
const LONGEST_SEALED_ALERT: u16 = 256;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) length: u16,
}

impl Header {
    /// Reads a header; `None` when the bytes are none.
    pub(super) fn read(bytes: [u8; HEADER]) -> Option<Self> {
        let [kind, major, minor, high, low] = bytes;
        let length = u16::from_be_bytes([high, low]);
        let known = (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind);
        (known && major == 3 && minor <= 4 && length <= MAX_BODY).then_some(Self { kind, length })
    }

    /// Whether a record with this header is likely at a place where one need not begin.
    fn is_likely(self) -> bool {
        match self.kind {
            CHANGE_CIPHER_SPEC => self.length == 1,
            ALERT => {
                self.length == 2
                    || (SHORTEST_SEALED_ALERT..=LONGEST_SEALED_ALERT).contains(&self.length)
            }
            HANDSHAKE => self.length >= 4,
            APPLICATION => self.length > 0,
            _ => false,
        }
    }
}

/// Whether bytes that begin a side's stream are TLS, or the hello of SSL 2.0 form that older clients
/// begin with.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    let Some(first) = bytes.first() else { return Probe::Unsure };
    if first & 0x80 != 0 {
        return probe_ssl2(bytes);
    }
    if let Some(head) = bytes.first_chunk::<HEADER>() {
        return match Header::read(*head) {
            Some(header) if header.length > 0 => Probe::Certain,
            _ => Probe::No,
        };
    }
    let kind = (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(first);
    let fits = kind
        && bytes.get(1).is_none_or(|major| *major == 3)
        && bytes.get(2).is_none_or(|minor| *minor <= 4);
    if fits { Probe::Unsure } else { Probe::No }
}

/// The same for the SSL 2.0 form: a length with its highest bit set, a type, a version.
fn probe_ssl2(bytes: &[u8]) -> Probe {
    let at = |index: usize| bytes.get(index).copied();
    if at(2).is_some_and(|kind| kind != SSL2_CLIENT_HELLO) {
        return Probe::No;
    }
    let (Some(high), Some(low)) = (at(3), at(4)) else {
        return if matches!(at(3), None | Some(0 | 3)) { Probe::Unsure } else { Probe::No };
    };
    let version = u16::from_be_bytes([high, low]);
    if !is_ssl2_version(version) || ssl2_length(bytes) < SSL2_SHORTEST {
        return Probe::No;
    }
    let Some(lengths) = bytes.get(5..11) else { return Probe::Unsure };
    let sum: u32 = super::reader::numbers(lengths).map(u32::from).sum();
    let ciphers = u16::from_be_bytes([at(5).unwrap_or(0), at(6).unwrap_or(0)]);
    let fits = sum.saturating_add(SSL2_SHORTEST) == ssl2_length(bytes) && ciphers.is_multiple_of(3);
    if fits { Probe::Certain } else { Probe::No }
}

/// Whether the first five bytes of a side are a message of SSL 2.0 form: a hello of either side.
pub(super) fn is_ssl2(head: [u8; HEADER], from_client: bool) -> bool {
    let [length, _, kind, high, low] = head;
    let version = u16::from_be_bytes([high, low]);
    let known = if from_client {
        kind == SSL2_CLIENT_HELLO && is_ssl2_version(version)
    } else {
        // A session id that was met or not, and a kind of certificate.
        kind == SSL2_SERVER_HELLO && high <= 1 && low <= 1
    };
    length & 0x80 != 0 && ssl2_length(&head) >= SSL2_SHORTEST && known
}

/// The length that the first two bytes give, they themselves not counted.
pub(super) fn ssl2_length(bytes: &[u8]) -> u32 {
    match bytes {
        [high, low, ..] => u32::from(u16::from_be_bytes([high & 0x7f, *low])),
        _ => 0,
    }
}

const fn is_ssl2_version(version: u16) -> bool {
    matches!(version, 2 | 0x0300..=0x0304)
}

/// Whether a piece of a stream that lost its place begins with a record.
pub(super) fn resumes(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<HEADER>().copied().and_then(Header::read) else {
        return false;
    };
    let next = usize::from(header.length).saturating_add(HEADER);
    header.is_likely() && bytes.get(next..).is_none_or(may_begin)
}

/// Whether bytes, as far as they go, may be a header.
fn may_begin(bytes: &[u8]) -> bool {
    match bytes.first_chunk::<HEADER>() {
        Some(head) => Header::read(*head).is_some(),
        None => {
            bytes.is_empty()
                || (bytes.first().is_some_and(|first| first & 0x80 == 0)
                    && probe(bytes) != Probe::No)
        }
    }
}

/// Types of messages of SSL 2.0.
const SSL2_CLIENT_HELLO: u8 = 1;
const SSL2_SERVER_HELLO: u8 = 4;
/// Bytes of a hello of SSL 2.0 without what its three lengths announce.
const SSL2_SHORTEST: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_every_prefix() {
        let record = [22, 3, 1, 2, 0, 1];
        for cut in 0..5 {
            assert_eq!(probe(&record[..cut]), Probe::Unsure, "{cut}");
        }
        assert_eq!(probe(&record), Probe::Certain);
        for other in [b"HTTP/1.1".as_slice(), b"GET", b"\x16\x04", &[22, 3, 1, 0xff, 0], b"SSH-"] {
            assert_eq!(probe(other), Probe::No, "{other:?}");
        }
        let old = [0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 47];
        for cut in 0..11 {
            assert_eq!(probe(&old[..cut]), Probe::Unsure, "{cut}");
        }
        assert_eq!(probe(&old), Probe::Certain);
        assert_eq!(probe(&[0x80, 29, 1, 3, 1, 0, 3, 0, 0, 0, 16]), Probe::No);
    }

    #[test]
    fn finds_its_place_again() {
        assert!(resumes(&[23, 3, 3, 0, 2, 9, 9]));
        assert!(resumes(&[23, 3, 3, 0, 2, 9, 9, 23, 3]));
        assert!(resumes(&[23, 3, 3, 0x40, 0, 1]));
        assert!(!resumes(&[23, 3, 3, 0, 2, 9, 9, 99]));
        assert!(!resumes(&[23, 3, 3, 0]));
        assert!(!resumes(&[20, 3, 3, 0, 9, 1]));
    }
}
