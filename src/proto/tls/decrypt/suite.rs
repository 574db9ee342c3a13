//! Cipher suites that can be opened.
//!
//! It follows the registry of TLS cipher suites of IANA, and with it RFC 4162, 5246, 5288, 5289, 5487,
//! 5932, 6367, 6655, 7251, 7905 and 8446, and RFC 2246 section 6.3.1 and A.5 (export suites). How keys are
//! exchanged does not matter here, so most rows are ranges.
//!
//! Invariant: a suite that is not wholly understood is not in the table.

use super::schedule::Hash;

/// What a suite protects records with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) bulk: Bulk,
    /// The hash function of TLS 1.2 and later.
    pub(super) hash: Hash,
}

/// The cipher itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Cbc(MacKind),
    Aes128Ccm,
    Aes128Ccm8,
    Aes128Gcm,
    Aes256Cbc(MacKind),
    Aes256Ccm,
    Aes256Ccm8,
    Aes256Gcm,
    Camellia128Cbc(MacKind),
    Camellia256Cbc(MacKind),
    ChaCha20,
    /// DES with a key of 40 bits.
    Des40Cbc,
    DesCbc,
    IdeaCbc,
    /// Nothing is encrypted.
    Null(MacKind),
    Rc4(MacKind),
    /// RC4 with a key of 40 bits.
    Rc4With40,
    SeedCbc,
    TripleDesCbc,
}

/// The code that keeps records from being changed, where the cipher itself does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacKind {
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

impl Suite {
    /// The suite with this number, in a connection of TLS 1.3 or not.
    pub(super) const fn find(number: u16, is_13: bool) -> Option<Self> {
        if is_13 {
            let (bulk, hash) = match number {
                0x1301 => (Bulk::Aes128Gcm, Hash::Sha256),
                0x1302 => (Bulk::Aes256Gcm, Hash::Sha384),
                0x1303 => (Bulk::ChaCha20, Hash::Sha256),
                0x1304 => (Bulk::Aes128Ccm, Hash::Sha256),
                0x1305 => (Bulk::Aes128Ccm8, Hash::Sha256),
                _ => return None,
            };
            return Some(Self { bulk, hash });
        }
        match Self::of_mac(number) {
            None => Self::aead(number),
            found => found,
        }
    }

    /// Suites up to TLS 1.2 whose cipher proves nothing itself.
    const fn of_mac(number: u16) -> Option<Self> {
        use self::Bulk::{
            Aes128Cbc, Aes256Cbc, Camellia128Cbc, Camellia256Cbc, Des40Cbc, DesCbc, IdeaCbc, Null,
            Rc4, Rc4With40, SeedCbc, TripleDesCbc,
        };
        use self::MacKind::{Md5, Sha1, Sha256, Sha384};
        let (bulk, hash) = match number {
            0x0001 => (Null(Md5), Hash::Sha256),
            0x0002 | 0x002c..=0x002e | 0xc001 | 0xc006 | 0xc00b | 0xc010 | 0xc015 | 0xc039 => {
                (Null(Sha1), Hash::Sha256)
            }
            0x003b | 0x00b0 | 0x00b4 | 0x00b8 | 0xc03a => (Null(Sha256), Hash::Sha256),
            0x00b1 | 0x00b5 | 0x00b9 | 0xc03b => (Null(Sha384), Hash::Sha384),
            0x0003 | 0x0017 | 0x002b => (Rc4With40, Hash::Sha256),
            0x0004 | 0x0018 | 0x0024 => (Rc4(Md5), Hash::Sha256),
            0x0005 | 0x0020 | 0x0066 | 0x008a | 0x008e | 0x0092 | 0xc002 | 0xc007 | 0xc00c
            | 0xc011 | 0xc016 | 0xc033 => (Rc4(Sha1), Hash::Sha256),
            0x0007 | 0x0021 => (IdeaCbc, Hash::Sha256),
            0x0008 | 0x000b | 0x000e | 0x0011 | 0x0014 | 0x0019 | 0x0026 => {
                (Des40Cbc, Hash::Sha256)
            }
            0x0009 | 0x000c | 0x000f | 0x0012 | 0x0015 | 0x001a | 0x001e => (DesCbc, Hash::Sha256),
            0x0041..=0x0046 => (Camellia128Cbc(Sha1), Hash::Sha256),
            0x0084..=0x0089 => (Camellia256Cbc(Sha1), Hash::Sha256),
            0x00ba..=0x00bf
            | 0xc072
            | 0xc074
            | 0xc076
            | 0xc078
            | 0xc094
            | 0xc096
            | 0xc098
            | 0xc09a => (Camellia128Cbc(Sha256), Hash::Sha256),
            0x00c0..=0x00c5 => (Camellia256Cbc(Sha256), Hash::Sha256),
            0xc073 | 0xc075 | 0xc077 | 0xc079 | 0xc095 | 0xc097 | 0xc099 | 0xc09b => {
                (Camellia256Cbc(Sha384), Hash::Sha384)
            }
            0x0096..=0x009b => (SeedCbc, Hash::Sha256),
            0x000a
            | 0x000d
            | 0x0010
            | 0x0013
            | 0x0016
            | 0x001b
            | 0x001f
            | 0x008b
            | 0x008f
            | 0x0093
            | 0xc003
            | 0xc008
            | 0xc00d
            | 0xc012
            | 0xc017
            | 0xc01a..=0xc01c
            | 0xc034 => (TripleDesCbc, Hash::Sha256),
            0x002f..=0x0034
            | 0x008c
            | 0x0090
            | 0x0094
            | 0xc004
            | 0xc009
            | 0xc00e
            | 0xc013
            | 0xc018
            | 0xc01d..=0xc01f
            | 0xc035 => (Aes128Cbc(Sha1), Hash::Sha256),
            0x0035..=0x003a
            | 0x008d
            | 0x0091
            | 0x0095
            | 0xc005
            | 0xc00a
            | 0xc00f
            | 0xc014
            | 0xc019
            | 0xc020..=0xc022
            | 0xc036 => (Aes256Cbc(Sha1), Hash::Sha256),
            0x003c
            | 0x003e..=0x0040
            | 0x0067
            | 0x006c
            | 0x00ae
            | 0x00b2
            | 0x00b6
            | 0xc023
            | 0xc025
            | 0xc027
            | 0xc029
            | 0xc037 => (Aes128Cbc(Sha256), Hash::Sha256),
            0x003d | 0x0068..=0x006b | 0x006d => (Aes256Cbc(Sha256), Hash::Sha256),
            0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => {
                (Aes256Cbc(Sha384), Hash::Sha384)
            }
            _ => return None,
        };
        Some(Self { bulk, hash })
    }

    /// Suites of TLS 1.2 whose cipher proves the text too.
    const fn aead(number: u16) -> Option<Self> {
        use self::Bulk::{
            Aes128Ccm, Aes128Ccm8, Aes128Gcm, Aes256Ccm, Aes256Ccm8, Aes256Gcm, ChaCha20,
        };
        let (bulk, hash) = match number {
            0x009c | 0x009e | 0x00a0 | 0x00a2 | 0x00a4 | 0x00a6 | 0x00a8 | 0x00aa | 0x00ac
            | 0xc02b | 0xc02d | 0xc02f | 0xc031 | 0xc0b0 | 0xd001 => (Aes128Gcm, Hash::Sha256),
            0x009d | 0x009f | 0x00a1 | 0x00a3 | 0x00a5 | 0x00a7 | 0x00a9 | 0x00ab | 0x00ad
            | 0xc02c | 0xc02e | 0xc030 | 0xc032 | 0xc0b1 | 0xd002 => (Aes256Gcm, Hash::Sha384),
            0xc09c | 0xc09e | 0xc0a4 | 0xc0a6 | 0xc0ac | 0xc0b2 | 0xd005 => {
                (Aes128Ccm, Hash::Sha256)
            }
            0xc09d | 0xc09f | 0xc0a5 | 0xc0a7 | 0xc0ad => (Aes256Ccm, Hash::Sha256),
            0xc0b3 => (Aes256Ccm, Hash::Sha384),
            0xc0a0 | 0xc0a2 | 0xc0a8 | 0xc0aa | 0xc0ae | 0xd003 => (Aes128Ccm8, Hash::Sha256),
            0xc0a1 | 0xc0a3 | 0xc0a9 | 0xc0ab | 0xc0af => (Aes256Ccm8, Hash::Sha256),
            0xcca8..=0xccae => (ChaCha20, Hash::Sha256),
            _ => return None,
        };
        Some(Self { bulk, hash })
    }
}

impl Bulk {
    /// Bytes of the key.
    pub(super) const fn key(self) -> usize {
        match self {
            Self::Null(_) => 0,
            Self::Des40Cbc | Self::DesCbc => 8,
            Self::Aes128Cbc(_)
            | Self::Aes128Ccm
            | Self::Aes128Ccm8
            | Self::Aes128Gcm
            | Self::Camellia128Cbc(_)
            | Self::IdeaCbc
            | Self::Rc4(_)
            | Self::Rc4With40
            | Self::SeedCbc => 16,
            Self::Aes256Cbc(_)
            | Self::Aes256Ccm
            | Self::Aes256Ccm8
            | Self::Aes256Gcm
            | Self::Camellia256Cbc(_)
            | Self::ChaCha20 => 32,
            Self::TripleDesCbc => 24,
        }
    }

    /// Bytes of the secret that an export suite makes its key of.
    pub(super) const fn export(self) -> Option<usize> {
        match self {
            Self::Des40Cbc | Self::Rc4With40 => Some(5),
            _ => None,
        }
    }

    /// The code behind the text, where the cipher itself proves nothing.
    pub(super) const fn mac(self) -> Option<MacKind> {
        match self {
            Self::Aes128Cbc(mac)
            | Self::Aes256Cbc(mac)
            | Self::Camellia128Cbc(mac)
            | Self::Camellia256Cbc(mac)
            | Self::Null(mac)
            | Self::Rc4(mac) => Some(mac),
            Self::Des40Cbc | Self::DesCbc | Self::IdeaCbc | Self::SeedCbc | Self::TripleDesCbc => {
                Some(MacKind::Sha1)
            }
            Self::Rc4With40 => Some(MacKind::Md5),
            _ => None,
        }
    }

    /// Bytes of a block, for CBC.
    pub(super) const fn block(self) -> Option<usize> {
        match self {
            Self::Aes128Cbc(_)
            | Self::Aes256Cbc(_)
            | Self::Camellia128Cbc(_)
            | Self::Camellia256Cbc(_)
            | Self::SeedCbc => Some(16),
            Self::Des40Cbc | Self::DesCbc | Self::IdeaCbc | Self::TripleDesCbc => Some(8),
            _ => None,
        }
    }
}

impl MacKind {
    /// Bytes of the code, and of its key.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_names() {
        let mut known = 0;
        let mut wrong = Vec::new();
        for number in 0..=u16::MAX {
            let name = crate::proto::tls::cipher_name(number).unwrap_or_default();
            let is_13 = number >> 8 == 0x13;
            let long = name.ends_with("SHA384");
            let mac = match name.rsplit('_').next() {
                Some("MD5") => MacKind::Md5,
                Some("SHA") => MacKind::Sha1,
                Some("SHA256") => MacKind::Sha256,
                _ => MacKind::Sha384,
            };
            let has = |part: &str| name.contains(part);
            let bulk = if has("AES_128_GCM") {
                Some(Bulk::Aes128Gcm)
            } else if has("AES_256_GCM") {
                Some(Bulk::Aes256Gcm)
            } else if has("AES_128_CCM_8") {
                Some(Bulk::Aes128Ccm8)
            } else if has("AES_256_CCM_8") {
                Some(Bulk::Aes256Ccm8)
            } else if has("AES_128_CCM") {
                Some(Bulk::Aes128Ccm)
            } else if has("AES_256_CCM") {
                Some(Bulk::Aes256Ccm)
            } else if has("AES_128_CBC") {
                Some(Bulk::Aes128Cbc(mac))
            } else if has("AES_256_CBC") {
                Some(Bulk::Aes256Cbc(mac))
            } else if has("CHACHA20_POLY1305") {
                Some(Bulk::ChaCha20)
            } else if has("CAMELLIA_128_CBC") {
                Some(Bulk::Camellia128Cbc(mac))
            } else if has("CAMELLIA_256_CBC") {
                Some(Bulk::Camellia256Cbc(mac))
            } else if has("WITH_NULL_") && !name.ends_with("NULL") {
                Some(Bulk::Null(mac))
            } else if has("RC4_128") {
                Some(Bulk::Rc4(mac))
            } else if has("RC4_40_MD5") {
                Some(Bulk::Rc4With40)
            } else if has("3DES_EDE_CBC_SHA") {
                Some(Bulk::TripleDesCbc)
            } else if has("DES40_CBC_SHA") || has("DES_CBC_40_SHA") {
                Some(Bulk::Des40Cbc)
            } else if has("_DES_CBC_SHA") && !has("EXPORT1024") {
                Some(Bulk::DesCbc)
            } else if has("IDEA_CBC_SHA") {
                Some(Bulk::IdeaCbc)
            } else if has("SEED_CBC_SHA") {
                Some(Bulk::SeedCbc)
            } else {
                None
            };
            let hash = if long { Hash::Sha384 } else { Hash::Sha256 };
            let expected = bulk.map(|bulk| Suite { bulk, hash });
            if Suite::find(number, is_13) != expected {
                wrong.push(format!("{number:04x} {name}"));
            }
            known += u32::from(expected.is_some());
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(known > 220, "{known}");
    }
}
