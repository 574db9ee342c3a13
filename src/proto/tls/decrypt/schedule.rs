//! How keys follow from secrets.
//!
//! It follows RFC 8446 section 7.1 (HKDF-Expand-Label), RFC 5246 sections 5 and 8.1, RFC 2246
//! section 5 (the pseudorandom function of TLS 1.0 and 1.1), and RFC 7627 section 4 (extended master
//! secret). It must not know records or messages.
//!
//! Invariant: nothing here keeps a secret.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384};

/// The hash function that makes the keys of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// MD5 and SHA-1 together, before TLS 1.2.
    Both,
    Sha256,
    Sha384,
}

impl Hash {
    /// Bytes of a secret of TLS 1.3 that was made with it.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Both => 36,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// A secret of 48 bytes up to TLS 1.2.
pub(super) type Master = [u8; 48];

/// HKDF-Expand-Label without a context; `prefix` is what drafts changed.
pub(super) fn expand(hash: Hash, secret: &[u8], label: [&str; 2], out: &mut [u8]) -> Option<()> {
    let label = label.concat();
    let mut info = u16::try_from(out.len()).ok()?.to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).ok()?);
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    match hash {
        Hash::Both => None,
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, out).ok(),
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, out).ok(),
    }
}

/// The pseudorandom function; `seeds` begin with the label.
pub(super) fn prf(hash: Hash, secret: &[u8], seeds: &[&[u8]], out: &mut [u8]) -> Option<()> {
    out.fill(0);
    match hash {
        Hash::Both => {
            // Each half has the byte in the middle, where their number is odd.
            let half = secret.len().div_ceil(2);
            let first = secret.get(..half)?;
            let second = secret.get(secret.len().checked_sub(half)?..)?;
            stretch::<Hmac<Md5>>(first, seeds, out)?;
            stretch::<Hmac<Sha1>>(second, seeds, out)
        }
        Hash::Sha256 => stretch::<Hmac<Sha256>>(secret, seeds, out),
        Hash::Sha384 => stretch::<Hmac<Sha384>>(secret, seeds, out),
    }
}

/// `P_hash` of RFC 5246 section 5, mixed into what `out` holds.
fn stretch<M: Mac + KeyInit + Clone>(secret: &[u8], seeds: &[&[u8]], out: &mut [u8]) -> Option<()> {
    let keyed = <M as KeyInit>::new_from_slice(secret).ok()?;
    let feed = |mac: &mut M| seeds.iter().for_each(|seed| mac.update(seed));
    let mut round = keyed.clone();
    feed(&mut round);
    let mut round = round.finalize().into_bytes();
    let mut rest = out;
    while !rest.is_empty() {
        let mut mac = keyed.clone();
        mac.update(&round);
        feed(&mut mac);
        let block = mac.finalize().into_bytes();
        let count = block.len().min(rest.len());
        let (now, later) = rest.split_at_mut_checked(count)?;
        now.iter_mut().zip(&block).for_each(|(byte, mask)| *byte ^= mask);
        rest = later;
        let mut mac = keyed.clone();
        mac.update(&round);
        round = mac.finalize().into_bytes();
    }
    Some(())
}

/// The hash of the messages of a handshake, as far as they came.
#[derive(Clone)]
pub(super) enum Transcript {
    Both(Md5, Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
}

impl Transcript {
    pub(super) fn new(hash: Hash) -> Self {
        match hash {
            Hash::Both => Self::Both(Md5::new(), Sha1::new()),
            Hash::Sha256 => Self::Sha256(Sha256::new()),
            Hash::Sha384 => Self::Sha384(Sha384::new()),
        }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Both(one, other) => {
                one.update(bytes);
                other.update(bytes);
            }
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
        }
    }

    pub(super) fn end(self) -> Vec<u8> {
        match self {
            Self::Both(one, other) => {
                let mut hash = one.finalize().to_vec();
                hash.extend_from_slice(&other.finalize());
                hash
            }
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha384(hash) => hash.finalize().to_vec(),
        }
    }
}
