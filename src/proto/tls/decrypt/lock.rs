//! What opens the records of one side at one time, and which number the next of them has.
//!
//! It follows RFC 8446 sections 5.3, 7.2 and 7.3. It must not know where keys come from.
//!
//! Invariant: a number is believed only once a record proved it.

use std::borrow::Cow;
use std::ops::Range;

use super::cipher::{Cipher, Credit, Sealed};
use super::inflate::Inflater;
use super::schedule::expand;
use super::session::{label_prefix, next_secret, record_form};
use super::suite::Suite;
use crate::limits;

/// A cipher with the number of the next record.
pub(super) struct Lock {
    pub(super) stage: Stage,
    cipher: Cipher,
    pub(super) number: u64,
    /// The secret of TLS 1.3 that the next one follows from.
    secret: Vec<u8>,
    /// What the last record that opened had for a number, and what it wrote itself.
    last: Option<(u64, u64)>,
    /// What undoes the compression of the records.
    inflater: Option<Inflater>,
}

/// Which of the keys of a side it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Data of the client before its handshake is over.
    Early,
    Handshake,
    /// Data, by how often the keys were renewed.
    Traffic(u32),
    /// All of it up to TLS 1.2, by the handshake that made the keys.
    Old(u32),
}

impl Stage {
    /// The stages that may come next, in order.
    pub(super) const fn following(self) -> &'static [Self] {
        match self {
            Self::Early => &[Self::Handshake, Self::Traffic(0)],
            Self::Handshake => &[Self::Traffic(0)],
            Self::Old(_) | Self::Traffic(_) => &[],
        }
    }
}

impl Lock {
    /// The lock that a secret of TLS 1.3 makes.
    pub(super) fn new(stage: Stage, suite: Suite, draft: u8, secret: &[u8]) -> Option<Self> {
        if secret.len() != suite.hash.length() {
            return None;
        }
        let mut key = vec![0; suite.bulk.key()];
        let mut iv = [0; 12];
        let prefix = label_prefix(draft);
        expand(suite.hash, secret, [prefix, "key"], &mut key)?;
        expand(suite.hash, secret, [prefix, "iv"], &mut iv)?;
        let cipher = Cipher::aead(suite.bulk, &key, iv, record_form(draft))?;
        Some(Self { stage, cipher, number: 0, secret: secret.to_vec(), last: None, inflater: None })
    }

    /// The lock that the keys of a handshake up to TLS 1.2 make.
    pub(super) fn old(generation: u32, cipher: Cipher, is_compressed: bool) -> Self {
        let stage = Stage::Old(generation);
        let inflater = is_compressed.then(Inflater::new);
        Self { stage, cipher, number: 0, secret: Vec::new(), last: None, inflater }
    }

    /// The lock after a KeyUpdate.
    pub(super) fn renewed(&self, suite: Suite, draft: u8) -> Option<Self> {
        let Stage::Traffic(number) = self.stage else { return None };
        let secret = next_secret(suite.hash, &self.secret, draft)?;
        Self::new(Stage::Traffic(number.checked_add(1)?), suite, draft, &secret)
    }

    /// Opens a record. Where `missing` bytes may be lost in front of it, later numbers are tried too.
    /// It gives the number and where the text is.
    pub(super) fn open(
        &mut self,
        record: Sealed<'_>,
        missing: Option<u64>,
        credit: &mut Credit,
    ) -> Option<(u64, Range<usize>)> {
        let written = self.cipher.written(record.body);
        let next = self.number;
        let opened = if let Some(missing) = missing {
            // Senders that count in what they write tell how many records are missing.
            let told = self
                .last
                .zip(written)
                .and_then(|((number, before), now)| number.checked_add(now.checked_sub(before)?));
            let far = missing
                .checked_div(self.cipher.longest())
                .filter(|records| *records > limits::TLS_TRIALS / 2);
            let near = next..=next.saturating_add(limits::TLS_TRIALS);
            let far = far.map(|records| next.saturating_add(records.max(limits::TLS_TRIALS + 1)));
            let far = far.map(|far| far..=far.saturating_add(limits::TLS_TRIALS));
            let told = told.filter(|number| *number > next);
            let numbers = told.into_iter().chain(near).chain(far.into_iter().flatten());
            self.cipher.open(record, numbers, credit)
        } else {
            self.cipher.open(record, std::iter::once(next), credit)
        };
        let (number, text) = opened?;
        credit.earn(text.len());
        if number != next {
            self.lose_text();
        }
        self.number = number.saturating_add(1);
        self.last = written.map(|written| (number, written));
        Some((number, text))
    }

    /// Undoes the compression of a record that was opened; `None` where that cannot be done.
    pub(super) fn inflate<'a>(&mut self, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match &mut self.inflater {
            Some(inflater) => inflater.inflate(text).map(Cow::Owned),
            None => Some(Cow::Borrowed(text)),
        }
    }

    /// Takes note that one record with a body of so many bytes was missed.
    pub(super) fn miss(&mut self, length: u16) {
        self.number = self.number.saturating_add(1);
        self.cipher.miss(length);
        self.lose_text();
    }

    /// Takes note that an unknown number of records was missed.
    pub(super) fn lose(&mut self) {
        self.cipher.lose();
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.inflater.as_ref().map_or(0, Inflater::held).saturating_add(self.cipher.held())
    }

    /// What was missed or does not open is missing in the compressed text too.
    fn lose_text(&mut self) {
        if let Some(inflater) = &mut self.inflater {
            inflater.lose();
        }
    }
}
