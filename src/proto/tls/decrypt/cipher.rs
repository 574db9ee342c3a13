//! Opens records.
//!
//! It follows RFC 8446 section 5.2 and 5.3, RFC 5246 section 6.2.3, RFC 4346 and RFC 2246 section
//! 6.2.3.2 (CBC of TLS 1.1 and 1.0), RFC 5288 and 6655 (GCM and CCM), RFC 7905 (`ChaCha20`), and
//! RFC 7366 (encrypt-then-MAC). Stream ciphers have a file of their own. Which number a record has is
//! tried out as the caller says.
//!
//! Invariants: what it gives was proven to be what the sender wrote; work done in vain is charged.

use std::ops::Range;

use aes::cipher::{Array, BlockCipherDecrypt, BlockModeDecrypt, BlockSizeUser, InnerIvInit, Iv};
use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit};
use camellia::{Camellia128, Camellia256};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use des::{Des, TdesEde3};
use idea::Idea;

use super::mac::{MacKey, proven};
use super::seed::Seed;
use super::stream::Stream;
use super::suite::Bulk;
use crate::limits;
use crate::proto::tls::record::HEADER;

/// What opens the records of one side under one key.
pub(super) enum Cipher {
    Aead { cipher: Box<dyn Aead + Send + Sync>, iv: [u8; 12], form: Form },
    Cbc(Box<Cbc>),
    Stream(Box<Stream>),
}

/// Where the nonce of a record comes from, and what is proven beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The number of the record, mixed into the key's own; the header of TLS 1.3 is proven.
    Header,
    /// The same with nothing proven beside the text: drafts before 25.
    Nothing,
    /// The number, mixed in as well; number, type, version and length are proven.
    Number,
    /// Eight bytes in front of the text, behind four of the key; the same are proven.
    Written,
}

/// A record as it came.
pub(super) struct Sealed<'a> {
    pub(super) header: [u8; HEADER],
    pub(super) body: &'a mut [u8],
    /// Bytes of the stream that may be missing in front of it.
    pub(super) missing: u64,
}

/// What may be tried in vain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    left: u64,
    /// What was tried in vain since it was asked for.
    tried: u64,
    /// Whether there is less of it because of what other connections tried.
    is_lowered: bool,
}

/// A cipher that proves what it decrypts.
pub(super) trait Aead {
    /// Bytes of the proof.
    fn tag(&self) -> usize;
    /// Decrypts a text that a proof follows; where it fails the text stays as it is.
    fn open(&self, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> Option<()>;
}

/// A cipher that destroys the text when the proof fails.
struct Spoiling<A>(A);

/// A block cipher in CBC mode and the code that proves its texts.
pub(super) struct Cbc {
    blocks: Blocks,
    mac: MacKey,
    /// Whether the proof is behind the encrypted text and not inside it.
    is_mac_last: bool,
    vector: Vector,
    /// The number of the record whose vector is known, where a proof does not tell.
    vector_for: u64,
}

/// Where the vector of a record comes from.
#[derive(Clone, Copy)]
enum Vector {
    /// It is the end of the record before.
    Chained([u8; 16]),
    /// The same, and that record was missed.
    Lost,
    /// It stands in front of the text.
    Written,
}

enum Blocks {
    Aes128(Aes128),
    Aes256(Aes256),
    Camellia128(Camellia128),
    Camellia256(Camellia256),
    Des(Des),
    Idea(Idea),
    Seed(Seed),
    TripleDes(TdesEde3),
}

/// What a CBC cipher is made of.
pub(super) struct CbcParts<'a> {
    pub(super) key: &'a [u8],
    pub(super) mac: &'a [u8],
    /// The first vector, where each record's is the end of the one before.
    pub(super) chained: Option<&'a [u8]>,
    pub(super) is_mac_last: bool,
}

impl Cipher {
    /// A cipher that is no CBC.
    pub(super) fn aead(bulk: Bulk, key: &[u8], iv: [u8; 12], form: Form) -> Option<Self> {
        fn boxed<A: Aead + KeyInit + Send + Sync + 'static>(
            key: &[u8],
        ) -> Option<Box<dyn Aead + Send + Sync>> {
            Some(Box::new(<A as KeyInit>::new_from_slice(key).ok()?))
        }
        fn spoiling<A>(key: &[u8]) -> Option<Box<dyn Aead + Send + Sync>>
        where
            A: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static,
        {
            Some(Box::new(Spoiling(<A as KeyInit>::new_from_slice(key).ok()?)))
        }
        let cipher = match bulk {
            Bulk::Aes128Ccm => spoiling::<Ccm<Aes128, U16, U12>>(key)?,
            Bulk::Aes128Ccm8 => spoiling::<Ccm<Aes128, U8, U12>>(key)?,
            Bulk::Aes128Gcm => boxed::<Aes128Gcm>(key)?,
            Bulk::Aes256Ccm => spoiling::<Ccm<Aes256, U16, U12>>(key)?,
            Bulk::Aes256Ccm8 => spoiling::<Ccm<Aes256, U8, U12>>(key)?,
            Bulk::Aes256Gcm => boxed::<Aes256Gcm>(key)?,
            Bulk::ChaCha20 => boxed::<ChaCha20Poly1305>(key)?,
            _ => return None,
        };
        Some(Self::Aead { cipher, iv, form })
    }

    /// A CBC cipher.
    pub(super) fn cbc(bulk: Bulk, parts: &CbcParts<'_>) -> Option<Self> {
        let blocks = match bulk {
            Bulk::Aes128Cbc(_) => Blocks::Aes128(Aes128::new_from_slice(parts.key).ok()?),
            Bulk::Aes256Cbc(_) => Blocks::Aes256(Aes256::new_from_slice(parts.key).ok()?),
            Bulk::Camellia128Cbc(_) => {
                Blocks::Camellia128(Camellia128::new_from_slice(parts.key).ok()?)
            }
            Bulk::Camellia256Cbc(_) => {
                Blocks::Camellia256(Camellia256::new_from_slice(parts.key).ok()?)
            }
            Bulk::Des40Cbc | Bulk::DesCbc => Blocks::Des(Des::new_from_slice(parts.key).ok()?),
            Bulk::IdeaCbc => Blocks::Idea(Idea::new_from_slice(parts.key).ok()?),
            Bulk::SeedCbc => Blocks::Seed(Seed::new(parts.key)?),
            Bulk::TripleDesCbc => Blocks::TripleDes(TdesEde3::new_from_slice(parts.key).ok()?),
            _ => return None,
        };
        let mac = MacKey::new(bulk.mac()?, parts.mac)?;
        let block = bulk.block()?;
        let chained = parts.chained.and_then(|iv| last_block(iv, block));
        let vector = chained.map_or(Vector::Written, Vector::Chained);
        let is_mac_last = parts.is_mac_last;
        Some(Self::Cbc(Box::new(Cbc { blocks, mac, is_mac_last, vector, vector_for: 0 })))
    }

    /// The number that the sender wrote into a record itself. Most senders count with it.
    pub(super) fn written(&self, body: &[u8]) -> Option<u64> {
        match self {
            Self::Aead { form: Form::Written, .. } => {
                body.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
            }
            _ => None,
        }
    }

    /// Bytes that the longest record has, its header included.
    pub(super) fn longest(&self) -> u64 {
        let around = match self {
            Self::Aead { cipher, form, .. } => {
                let tag = u64::try_from(cipher.tag()).unwrap_or(0);
                tag.saturating_add(if *form == Form::Written { 8 } else { 1 })
            }
            Self::Cbc(_) => 16 + 48 + 256,
            Self::Stream(stream) => u64::try_from(stream.proof()).unwrap_or(0),
        };
        around.saturating_add((1 << 14) + 5)
    }

    /// Takes note that a record with a body of so many bytes was missed.
    pub(super) fn miss(&mut self, length: u16) {
        match self {
            Self::Aead { .. } => {}
            Self::Cbc(cbc) => cbc.lose_vector(),
            Self::Stream(stream) => stream.miss(length),
        }
    }

    /// Takes note that an unknown number of records was missed.
    pub(super) fn lose(&mut self) {
        if let Self::Cbc(cbc) = self {
            cbc.lose_vector();
        }
    }

    /// Bytes that are held.
    pub(super) const fn held(&self) -> usize {
        match self {
            Self::Aead { .. } | Self::Cbc(_) => 0,
            Self::Stream(stream) => stream.held(),
        }
    }

    /// Opens a record that has one of these numbers. It gives the number and where the text is.
    pub(super) fn open(
        &mut self,
        record: Sealed<'_>,
        numbers: impl Iterator<Item = u64>,
        credit: &mut Credit,
    ) -> Option<(u64, Range<usize>)> {
        match self {
            Self::Aead { cipher, iv, form } => {
                open_aead(&**cipher, *iv, *form, record, numbers, credit)
            }
            Self::Cbc(cbc) => cbc.open(record, numbers, credit),
            Self::Stream(stream) => stream.open(record, numbers, credit),
        }
    }
}

impl Credit {
    pub(super) const fn new() -> Self {
        Self { left: limits::TLS_TRIAL_BYTES, tried: 0, is_lowered: false }
    }

    pub(super) const fn is_spent(self) -> bool {
        self.left == 0
    }

    /// Pays for a trial of so many bytes.
    pub(super) fn pay(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(TRIAL_COST);
        self.left = self.left.saturating_sub(bytes);
        self.tried = self.tried.saturating_add(bytes);
    }

    /// Takes what so many bytes that were opened are worth.
    pub(super) fn earn(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(0).saturating_mul(4);
        self.left = self.left.saturating_add(bytes).min(limits::TLS_TRIAL_BYTES);
    }

    /// Whether it is spent because other connections tried much.
    pub(super) const fn is_spent_by_others(self) -> bool {
        self.is_spent() && self.is_lowered
    }

    /// Lowers it, where all connections together tried much.
    pub(super) fn lower(&mut self) {
        self.left = self.left.min(limits::TLS_LAST_TRIAL_BYTES);
        self.is_lowered = true;
    }

    /// What was tried in vain since this was asked.
    pub(super) const fn take_tried(&mut self) -> u64 {
        std::mem::replace(&mut self.tried, 0)
    }
}

fn open_aead(
    cipher: &(dyn Aead + Send + Sync),
    iv: [u8; 12],
    form: Form,
    record: Sealed<'_>,
    numbers: impl Iterator<Item = u64>,
    credit: &mut Credit,
) -> Option<(u64, Range<usize>)> {
    let Sealed { header, body, .. } = record;
    let start = if form == Form::Written { WRITTEN } else { 0 };
    let (written, text) = body.split_at_mut_checked(start)?;
    let length = text.len().checked_sub(cipher.tag())?;
    for number in numbers {
        if credit.is_spent() {
            return None;
        }
        let mut nonce = iv;
        let mixed = if form == Form::Written {
            let own = nonce.iter_mut().skip(4);
            own.zip(written.iter()).for_each(|(slot, byte)| *slot = *byte);
            0
        } else {
            number
        };
        let slots = nonce.iter_mut().skip(4);
        slots.zip(mixed.to_be_bytes()).for_each(|(slot, byte)| *slot ^= byte);
        let opened = match form {
            Form::Header => cipher.open(&nonce, &header, text),
            Form::Nothing => cipher.open(&nonce, &[], text),
            Form::Number | Form::Written => {
                cipher.open(&nonce, &proven(number, header, length)?, text)
            }
        };
        if opened.is_some() {
            return Some((number, start..start.saturating_add(length)));
        }
        credit.pay(text.len());
    }
    None
}

impl<A: AeadInOut<NonceSize = U12>> Aead for A {
    fn tag(&self) -> usize {
        tag_length::<A>()
    }

    fn open(&self, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> Option<()> {
        let length = text.len().checked_sub(tag_length::<A>())?;
        let (text, tag) = text.split_at_mut_checked(length)?;
        let tag = Array::try_from(&*tag).ok()?;
        self.decrypt_inout_detached(&Array(*nonce), extra, text.into(), &tag).ok()
    }
}

const fn tag_length<A: AeadInOut>() -> usize {
    size_of::<aes_gcm::aead::Tag<A>>()
}

impl<A: AeadInOut<NonceSize = U12>> Aead for Spoiling<A> {
    fn tag(&self) -> usize {
        tag_length::<A>()
    }

    fn open(&self, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> Option<()> {
        let mut copy = text.to_vec();
        Aead::open(&self.0, nonce, extra, &mut copy)?;
        text.copy_from_slice(&copy);
        Some(())
    }
}

impl Cbc {
    fn open(
        &mut self,
        record: Sealed<'_>,
        mut numbers: impl Iterator<Item = u64>,
        credit: &mut Credit,
    ) -> Option<(u64, Range<usize>)> {
        let Sealed { header, body, .. } = record;
        let block = self.blocks.size();
        let proof = if self.is_mac_last { self.mac.length() } else { 0 };
        let end = body.len().checked_sub(proof)?;
        let (sealed, code) = body.split_at_mut_checked(end)?;
        let start = if matches!(self.vector, Vector::Written) { block } else { 0 };
        let (before, text) = sealed.split_at_mut_checked(start)?;
        if text.is_empty() || !text.len().is_multiple_of(block) {
            return None;
        }
        let mut vector = match self.vector {
            Vector::Chained(vector) => Some(vector),
            Vector::Lost => None,
            Vector::Written => last_block(before, block),
        };
        if !matches!(self.vector, Vector::Written) {
            // The vector of the next record follows from this one, whether it opens or not.
            self.vector = Vector::Chained(last_block(text, block)?);
        }
        let found = if self.is_mac_last {
            let signed: [&[u8]; 2] = [before, text];
            let Some(found) = self.find(&mut numbers, header, signed, code, credit) else {
                self.lose_vector();
                return None;
            };
            // The proof does not include the vector where that is the end of the record before.
            vector = vector.filter(|_| start > 0 || found == self.vector_for);
            self.vector_for = found.saturating_add(1);
            Some(found)
        } else {
            None
        };
        self.blocks.decrypt(&vector?, text)?;
        let padding = usize::from(*text.last()?).saturating_add(1);
        let rest = text.len().checked_sub(padding)?;
        let (text, pad) = text.split_at_checked(rest)?;
        if pad.iter().any(|byte| usize::from(*byte).saturating_add(1) != padding) {
            credit.pay(text.len());
            return None;
        }
        let (number, length) = if let Some(number) = found {
            (number, text.len())
        } else {
            let length = text.len().checked_sub(self.mac.length())?;
            let (text, code) = text.split_at_checked(length)?;
            (self.find(&mut numbers, header, [text, &[]], code, credit)?, length)
        };
        Some((number, start..start.saturating_add(length)))
    }

    /// Forgets the vector of the next record, where that is the end of the one before.
    const fn lose_vector(&mut self) {
        if !matches!(self.vector, Vector::Written) {
            self.vector = Vector::Lost;
        }
    }

    /// The number with which the code proves the bytes.
    fn find(
        &self,
        numbers: impl Iterator<Item = u64>,
        header: [u8; HEADER],
        parts: [&[u8]; 2],
        code: &[u8],
        credit: &mut Credit,
    ) -> Option<u64> {
        let length = parts.iter().map(|part| part.len()).sum();
        for number in numbers {
            if credit.is_spent() {
                return None;
            }
            let [first, second] = parts;
            if self.mac.proves(&[&proven(number, header, length)?, first, second], code) {
                return Some(number);
            }
            credit.pay(length);
        }
        None
    }
}

impl Blocks {
    const fn size(&self) -> usize {
        match self {
            Self::Aes128(_)
            | Self::Aes256(_)
            | Self::Camellia128(_)
            | Self::Camellia256(_)
            | Self::Seed(_) => 16,
            Self::Des(_) | Self::Idea(_) | Self::TripleDes(_) => 8,
        }
    }

    fn decrypt(&self, iv: &[u8; 16], text: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes128(cipher) => decrypt(cipher, iv, text),
            Self::Aes256(cipher) => decrypt(cipher, iv, text),
            Self::Camellia128(cipher) => decrypt(cipher, iv, text),
            Self::Camellia256(cipher) => decrypt(cipher, iv, text),
            Self::Des(cipher) => decrypt(cipher, iv, text),
            Self::Idea(cipher) => decrypt(cipher, iv, text),
            Self::Seed(cipher) => decrypt(cipher, iv, text),
            Self::TripleDes(cipher) => decrypt(cipher, iv, text),
        }
    }
}

fn decrypt<C: BlockCipherDecrypt + Clone>(cipher: &C, iv: &[u8], text: &mut [u8]) -> Option<()>
where
    cbc::Decryptor<C>:
        BlockModeDecrypt + BlockSizeUser<BlockSize = C::BlockSize> + InnerIvInit<Inner = C>,
{
    let size = C::block_size();
    let iv = Iv::<cbc::Decryptor<C>>::try_from(iv.get(..size)?).ok()?;
    let mut mode = cbc::Decryptor::inner_iv_init(cipher.clone(), &iv);
    let (blocks, _) = Array::<u8, C::BlockSize>::slice_as_chunks_mut(text);
    mode.decrypt_blocks(blocks);
    Some(())
}

/// The last block, at the start of what it gives.
fn last_block(bytes: &[u8], size: usize) -> Option<[u8; 16]> {
    let bytes = bytes.get(bytes.len().checked_sub(size)?..)?;
    let mut block = [0; 16];
    block.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    Some(block)
}

/// Bytes that GCM and CCM of TLS 1.2 write in front of the text.
const WRITTEN: usize = 8;
/// What a trial costs beside its bytes.
const TRIAL_COST: u64 = 256;
