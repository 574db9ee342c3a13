//! The only way this module touches bytes of a message: every read is checked against what is there.
//!
//! Lengths follow RFC 8446 section 3. A message that was cut is read as far as it goes, so blocks
//! may come back shorter than they announce themselves.
//!
//! Invariant: a read that does not fit takes nothing.

/// Bytes still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// A block behind its length, and whether all of it was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_whole: bool,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<u32> {
        self.array().map(|[high, mid, low]| u32::from_be_bytes([0, high, mid, low]))
    }

    /// A block behind one byte of length.
    pub(super) fn block8(&mut self) -> Option<Block<'a>> {
        let length = self.u8()?;
        Some(self.block(usize::from(length)))
    }

    /// A block behind two bytes of length.
    pub(super) fn block16(&mut self) -> Option<Block<'a>> {
        let length = self.u16()?;
        Some(self.block(usize::from(length)))
    }

    /// A block behind three bytes of length.
    pub(super) fn block24(&mut self) -> Option<Block<'a>> {
        let length = self.u24()?;
        Some(self.block(usize::try_from(length).unwrap_or(usize::MAX)))
    }

    fn block(&mut self, length: usize) -> Block<'a> {
        let (bytes, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        Block { bytes, is_whole: bytes.len() == length }
    }
}

/// The numbers of two bytes that a block is made of; an odd byte at the end is left out.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

/// Whether a number is a placeholder that keeps peers tolerant (RFC 8701 section 2).
pub(super) const fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}
