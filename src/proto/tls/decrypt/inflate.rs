//! Undoes the compression of records.
//!
//! It follows RFC 3749 and RFC 5246 section 6.2.2: one zlib stream (RFC 1950) of a side runs through
//! all records of one key. It must not know keys.
//!
//! Invariants: a record gives at most 2^14 bytes; once a record is missing or damaged the stream is
//! lost and gives nothing more.

use flate2::{Decompress, FlushDecompress, Status};

use crate::limits;

/// The stream of one side under one key.
pub(super) struct Inflater {
    stream: Option<Box<Decompress>>,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self { stream: Some(Box::new(Decompress::new(true))) }
    }

    /// Takes note that a record is missing.
    pub(super) fn lose(&mut self) {
        self.stream = None;
    }

    /// Bytes that are held.
    pub(super) const fn held(&self) -> usize {
        if self.stream.is_some() { limits::TLS_INFLATER } else { 0 }
    }

    /// The text of a record; `None` where it cannot be known.
    pub(super) fn inflate(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        let text = self.stream.as_mut().and_then(|stream| inflate(stream, packed));
        if text.is_none() {
            self.lose();
        }
        text
    }
}

fn inflate(stream: &mut Decompress, packed: &[u8]) -> Option<Vec<u8>> {
    if packed.is_empty() {
        return Some(Vec::new());
    }
    let start = stream.total_in();
    // The byte more tells a text that is too long.
    let mut text = Vec::with_capacity(TEXT + 1);
    let status = stream.decompress_vec(packed, &mut text, FlushDecompress::Sync).ok()?;
    let taken = stream.total_in().checked_sub(start)?;
    let is_whole = usize::try_from(taken).ok()? == packed.len() && status != Status::BufError;
    (is_whole && text.len() <= TEXT).then_some(text)
}

/// Bytes of the longest text of a record.
const TEXT: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn packed(compress: &mut Compress, text: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len().saturating_add(100));
        compress.compress_vec(text, &mut bytes, flush).unwrap();
        bytes
    }

    #[test]
    fn one_stream_runs_through_all_records() {
        let mut compress = Compress::new(Compression::best(), true);
        let mut inflater = Inflater::new();
        for text in [&b"one line, one line"[..], b"", b"one line, one line", &[7; TEXT]] {
            let bytes = packed(&mut compress, text, FlushCompress::Sync);
            assert_eq!(inflater.inflate(&bytes).unwrap(), text);
        }
        assert!(inflater.held() > 32 << 10);
        // One that ends is whole; nothing may follow.
        let last = packed(&mut compress, b"end", FlushCompress::Finish);
        assert_eq!(inflater.inflate(&last).unwrap(), b"end");
        assert_eq!(inflater.inflate(b""), Some(Vec::new()));
        assert_eq!(inflater.inflate(b"more"), None);
        assert_eq!(inflater.held(), 0);
    }

    #[test]
    fn what_is_too_long_or_damaged_ends_the_stream() {
        let mut compress = Compress::new(Compression::best(), true);
        let whole = packed(&mut compress, b"some text", FlushCompress::Sync);
        let long = packed(&mut compress, &vec![0; TEXT + 1], FlushCompress::Sync);
        let huge = packed(&mut compress, &vec![0; 1 << 20], FlushCompress::Sync);
        let mut wrong = whole.clone();
        wrong[0] ^= 0x0f;
        for bad in [&*long, &*huge, &*wrong] {
            let mut inflater = Inflater::new();
            if bad != wrong {
                assert!(inflater.inflate(&whole).is_some());
            }
            assert_eq!(inflater.inflate(bad), None);
            assert_eq!(inflater.inflate(&whole), None, "the stream is lost");
        }
    }
}
