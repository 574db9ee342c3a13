//! Codes that prove what a record says, where the cipher itself does not.
//!
//! It follows RFC 5246 section 6.2.3.1 and RFC 2104. It must not know ciphers.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::suite::MacKind;
use crate::proto::tls::record::HEADER;

/// The key of a code.
pub(super) enum MacKey {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
}

impl MacKey {
    pub(super) fn new(kind: MacKind, key: &[u8]) -> Option<Self> {
        Some(match kind {
            MacKind::Md5 => Self::Md5(KeyInit::new_from_slice(key).ok()?),
            MacKind::Sha1 => Self::Sha1(KeyInit::new_from_slice(key).ok()?),
            MacKind::Sha256 => Self::Sha256(KeyInit::new_from_slice(key).ok()?),
            MacKind::Sha384 => Self::Sha384(KeyInit::new_from_slice(key).ok()?),
        })
    }

    /// Bytes of the code.
    pub(super) const fn length(&self) -> usize {
        match self {
            Self::Md5(_) => MacKind::Md5.length(),
            Self::Sha1(_) => MacKind::Sha1.length(),
            Self::Sha256(_) => MacKind::Sha256.length(),
            Self::Sha384(_) => MacKind::Sha384.length(),
        }
    }

    /// Whether the code proves all parts.
    pub(super) fn proves(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        fn run<M: Mac + Clone>(key: &M, parts: &[&[u8]], code: &[u8]) -> bool {
            let mut mac = key.clone();
            for part in parts {
                mac.update(part);
            }
            mac.verify_slice(code).is_ok()
        }
        match self {
            Self::Md5(key) => run(key, parts, code),
            Self::Sha1(key) => run(key, parts, code),
            Self::Sha256(key) => run(key, parts, code),
            Self::Sha384(key) => run(key, parts, code),
        }
    }
}

/// What is proven beside the text up to TLS 1.2: its number, type, version and length.
pub(super) fn proven(number: u64, header: [u8; HEADER], length: usize) -> Option<[u8; 13]> {
    let [kind, major, minor, ..] = header;
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let mut bytes = [0; 13];
    let parts = number.to_be_bytes().into_iter().chain([kind, major, minor, high, low]);
    bytes.iter_mut().zip(parts).for_each(|(slot, byte)| *slot = byte);
    Some(bytes)
}
