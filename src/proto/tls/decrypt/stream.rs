//! Opens records of stream ciphers, and those that are not encrypted but proven.
//!
//! It follows RFC 5246 section 6.2.3.1. One key stream runs through all records of a side, headers
//! left out: where bytes are missing, each number that the next record may have says how many
//! headers are among them, and so where in the key stream it begins.
//!
//! Invariant: key stream is dropped only up to the end of a record that was opened or is known to be
//! missing; at most [`limits::TLS_KEY_STREAM`] bytes of it and a record are held.

use std::ops::Range;

use rc4::{KeyInit, Rc4, StreamCipher};

use super::cipher::{Credit, Sealed};
use super::mac::{MacKey, proven};
use super::suite::Bulk;
use crate::limits;
use crate::proto::tls::record::HEADER;

/// A stream cipher, or none, with the code that proves its texts.
pub(super) struct Stream {
    cipher: Option<Rc4>,
    mac: MacKey,
    /// The number of the record at which the key stream stands.
    number: u64,
    /// What was made of the key stream from there on.
    ahead: Vec<u8>,
}

impl Stream {
    pub(super) fn new(bulk: Bulk, key: &[u8], mac: &[u8]) -> Option<Self> {
        let cipher = match bulk {
            Bulk::Null(_) => None,
            Bulk::Rc4(_) | Bulk::Rc4With40 => Some(Rc4::new_from_slice(key).ok()?),
            _ => return None,
        };
        let mac = MacKey::new(bulk.mac()?, mac)?;
        Some(Self { cipher, mac, number: 0, ahead: Vec::new() })
    }

    /// Bytes of the proof.
    pub(super) const fn proof(&self) -> usize {
        self.mac.length()
    }

    /// Bytes that are held.
    pub(super) const fn held(&self) -> usize {
        self.ahead.capacity()
    }

    /// Takes note that a record with a body of so many bytes was missed.
    pub(super) fn miss(&mut self, length: u16) {
        self.pass(self.number, usize::from(length));
    }

    /// Opens a record that has one of these numbers.
    pub(super) fn open(
        &mut self,
        record: Sealed<'_>,
        numbers: impl Iterator<Item = u64>,
        credit: &mut Credit,
    ) -> Option<(u64, Range<usize>)> {
        let Sealed { header, body, missing } = record;
        let length = body.len().checked_sub(self.proof())?;
        let missing = usize::try_from(missing).ok()?;
        for number in numbers {
            let Some(start) = self.start(number, missing) else { continue };
            if credit.is_spent() {
                return None;
            }
            let end = start.checked_add(body.len())?;
            let mut text = body.to_vec();
            let mask = self.key_stream(end).get(start..).unwrap_or_default();
            text.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            let (plain, code) = text.split_at_checked(length)?;
            if self.mac.proves(&[&proven(number, header, length)?, plain], code) {
                body.copy_from_slice(&text);
                self.pass(number, end);
                return Some((number, 0..length));
            }
            credit.pay(body.len());
        }
        None
    }

    /// Where in the key stream a record begins if it has this number.
    fn start(&self, number: u64, missing: usize) -> Option<usize> {
        if self.cipher.is_none() {
            return Some(0);
        }
        let passed = usize::try_from(number.checked_sub(self.number)?).ok()?;
        if number == 0 {
            // What is missing is older than the key.
            return Some(0);
        }
        let start = missing.checked_sub(passed.checked_mul(HEADER)?)?;
        // Each of those records has a proof at least.
        let least = passed.checked_mul(self.proof())?;
        let is_likely = start >= least && (passed > 0 || start == 0);
        (is_likely && start <= limits::TLS_KEY_STREAM).then_some(start)
    }

    /// The key stream up to a place; it is empty where nothing is encrypted.
    fn key_stream(&mut self, end: usize) -> &[u8] {
        let known = self.ahead.len();
        if let Some(cipher) = self.cipher.as_mut().filter(|_| known < end) {
            self.ahead.resize(end, 0);
            let fresh = self.ahead.get_mut(known..).unwrap_or_default();
            cipher.apply_keystream(fresh);
        }
        &self.ahead
    }

    /// Drops key stream up to the end of a record with this number.
    fn pass(&mut self, number: u64, end: usize) {
        self.number = number.saturating_add(1);
        if let Some(cipher) = &mut self.cipher {
            if let Some(short) = end.checked_sub(self.ahead.len()) {
                let mut skipped = vec![0; short];
                cipher.apply_keystream(&mut skipped);
                self.ahead = Vec::new();
            } else {
                self.ahead.drain(..end);
            }
        }
    }
}
