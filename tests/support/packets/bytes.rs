//! Numbers and lengths in network order.

use super::random::Random;

/// What the messages are put together with.
pub(crate) trait Put {
    fn u8(&mut self, value: u8);
    fn u16(&mut self, value: u16);
    fn u24(&mut self, value: usize);
    fn u32(&mut self, value: u32);
    fn put(&mut self, bytes: &[u8]);
    /// What `inside` writes, behind its length in one byte.
    fn sized8(&mut self, inside: impl FnOnce(&mut Vec<u8>));
    /// What `inside` writes, behind its length in two bytes.
    fn sized16(&mut self, inside: impl FnOnce(&mut Vec<u8>));
    /// What `inside` writes, behind its length in three bytes.
    fn sized24(&mut self, inside: impl FnOnce(&mut Vec<u8>));
}

impl Put for Vec<u8> {
    fn u8(&mut self, value: u8) {
        self.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.extend(value.to_be_bytes());
    }

    fn u24(&mut self, value: usize) {
        self.extend(&(value as u32).to_be_bytes()[1..]);
    }

    fn u32(&mut self, value: u32) {
        self.extend(value.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn sized8(&mut self, inside: impl FnOnce(&mut Self)) {
        let bytes = built(inside);
        self.u8(u8::try_from(bytes.len()).unwrap());
        self.put(&bytes);
    }

    fn sized16(&mut self, inside: impl FnOnce(&mut Self)) {
        let bytes = built(inside);
        self.u16(u16::try_from(bytes.len()).unwrap());
        self.put(&bytes);
    }

    fn sized24(&mut self, inside: impl FnOnce(&mut Self)) {
        let bytes = built(inside);
        self.u24(bytes.len());
        self.put(&bytes);
    }
}

/// The bytes that a closure writes.
pub(crate) fn built(inside: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    inside(&mut bytes);
    bytes
}

/// Bytes that look encrypted.
pub(crate) fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 4);
    while bytes.len() < length {
        bytes.u32(random.number());
    }
    bytes.truncate(length);
    bytes
}
