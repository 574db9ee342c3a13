//! Opens Initial packets: their keys follow from what the client calls the connection.
//!
//! It follows RFC 9001 section 5 and RFC 9369 section 3.3. The keys keep nobody out; they only make
//! sure that both sides speak the same version. It must not know what a packet holds.
//!
//! Invariant: what it gives was proven to be what the sender wrote.

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AeadInOut, Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::proto::Peer;

use super::header::{Long, VERSION_1, VERSION_2};

/// The keys of both sides.
pub(super) struct Keys {
    client: SideKeys,
    server: SideKeys,
}

/// The keys of one side (RFC 9001 section 5.1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SideKeys {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl Keys {
    /// The keys of a connection that the client called `destination` in its first packet.
    pub(super) fn derive(version: u32, destination: &[u8]) -> Option<Self> {
        let (_, secret) = Hkdf::<Sha256>::extract(Some(salt(version)?), destination);
        Some(Self {
            client: SideKeys::derive(version, &expand::<32>(&secret, "client in")?)?,
            server: SideKeys::derive(version, &expand::<32>(&secret, "server in")?)?,
        })
    }

    /// The keys that a side protects its packets with.
    pub(super) const fn of(&self, peer: Peer) -> &SideKeys {
        match peer {
            Peer::Client => &self.client,
            Peer::Server => &self.server,
        }
    }
}

impl SideKeys {
    fn derive(version: u32, secret: &[u8; 32]) -> Option<Self> {
        let secret = Hkdf::<Sha256>::from_prk(secret).ok()?;
        let [key, iv, header] = match version {
            VERSION_2 => ["quicv2 key", "quicv2 iv", "quicv2 hp"],
            _ => ["quic key", "quic iv", "quic hp"],
        };
        Some(Self {
            key: expand(&secret, key)?,
            iv: expand(&secret, iv)?,
            header: expand(&secret, header)?,
        })
    }

    /// The number of a packet and what it holds; `largest` is the largest number seen of its sender.
    pub(super) fn open(&self, packet: &Long<'_>, largest: Option<u64>) -> Option<(u64, Vec<u8>)> {
        let mut bytes = packet.bytes.to_vec();
        // RFC 9001 section 5.4.2: the sample lies where it would for the longest number.
        let protected = bytes.get(packet.number_at..)?;
        let sample = protected.get(LONGEST_NUMBER..)?.first_chunk::<16>()?;
        let mask = self.mask(sample);
        let [flags, number @ ..] = mask;
        let first = bytes.first_mut()?;
        *first ^= flags & 0x0f;
        let length = usize::from(*first & 0x03).saturating_add(1);
        let number_end = packet.number_at.saturating_add(length);
        let mut cut = 0;
        for (byte, mask) in bytes.get_mut(packet.number_at..number_end)?.iter_mut().zip(number) {
            *byte ^= mask;
            cut = cut << 8 | u64::from(*byte);
        }
        let number = whole_number(cut, length, largest);
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_be_bytes().into_iter().rev()) {
            *byte ^= number;
        }
        let mut payload = bytes.split_off(number_end);
        let cipher = Aes128Gcm::new(&self.key.into());
        cipher.decrypt_in_place(&nonce.into(), &bytes, &mut payload).ok()?;
        Some((number, payload))
    }

    /// RFC 9001 section 5.4.3; only five of the bytes are used.
    pub(super) fn mask(&self, sample: &[u8; 16]) -> [u8; 5] {
        let mut block = (*sample).into();
        Aes128::new(&self.header.into()).encrypt_block(&mut block);
        let mut mask = [0; 5];
        for (mask, byte) in mask.iter_mut().zip(block) {
            *mask = byte;
        }
        mask
    }
}

/// What a version mixes into its keys; `None` for one that is not known.
const fn salt(version: u32) -> Option<&'static [u8]> {
    match version {
        VERSION_1 | 0xff00_0021..=0xff00_0022 => Some(&[
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
            0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
        ]),
        VERSION_2 => Some(&[
            0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
            0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
        ]),
        // Drafts 29 to 32.
        0xff00_001d..=0xff00_0020 => Some(&[
            0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61,
            0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99,
        ]),
        _ => None,
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> Option<[u8; N]> {
    let mut info = u16::try_from(N).ok()?.to_be_bytes().to_vec();
    info.push(u8::try_from(PREFIX.len().saturating_add(label.len())).ok()?);
    info.extend_from_slice(PREFIX.as_bytes());
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = [0; N];
    secret.expand(&info, &mut out).ok()?;
    Some(out)
}

/// The number of a packet of which the last `length` bytes are `cut` (RFC 9000 appendix A.3).
fn whole_number(cut: u64, length: usize, largest: Option<u64>) -> u64 {
    let Some(expected) = largest.and_then(|largest| largest.checked_add(1)) else { return cut };
    let bits = u32::try_from(length.saturating_mul(8)).unwrap_or(32);
    let window = 1_u64.checked_shl(bits).unwrap_or(1 << 32);
    let near = (expected & !window.saturating_sub(1)) | cut;
    let half = window / 2;
    if near.saturating_add(half) <= expected {
        near.checked_add(window).filter(|&number| number < 1 << 62).unwrap_or(near)
    } else if near > expected.saturating_add(half) {
        near.checked_sub(window).unwrap_or(near)
    } else {
        near
    }
}

/// Bytes of the longest packet number.
const LONGEST_NUMBER: usize = 4;
/// What stands before each label (RFC 8446 section 7.1).
const PREFIX: &str = "tls13 ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_numbers() {
        // RFC 9000 appendix A.3.
        assert_eq!(whole_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(whole_number(7, 1, None), 7);
        assert_eq!(whole_number(0, 1, Some(255)), 256);
        assert_eq!(whole_number(0xff, 1, Some(256)), 255);
        assert_eq!(whole_number(3, 1, Some(u64::MAX)), 3);
    }
}
