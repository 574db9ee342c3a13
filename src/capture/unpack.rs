//! Decompression of whole files and of members: gzip, zstd, bzip2, xz, deflate.
//!
//! A stream made here charges every byte it produces to the budget of its input and stops when the
//! budget or the ratio is used up. It must not know what is inside.
//!
//! Invariant: an error of a stream is a [`StreamError`] or an error of the system, never the text of
//! a decoder.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::source::{ReadSeek, Source, StreamError, as_u64};
use crate::limits::{self, Budget};

/// Bytes of compressed data read at once.
const PIECE: usize = 64 << 10;
/// Bytes asked of a decoder at once: one that meets damage loses what it has made in that call.
const STEP: usize = 16 << 10;
/// Memory that a decoder of xz may take, in KiB: its window and a little more.
const XZ_MEMORY: u32 = 66 << 10;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Bzip2,
    Deflate,
    Gzip,
    Stored,
    Xz,
    Zstd,
}

impl Codec {
    /// The codec of a file, by its first bytes.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// The codec of a member of a zip, by the number of its method (APPNOTE 4.4.5).
    pub(super) const fn of_method(method: u16) -> Option<Self> {
        match method {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflate),
            12 => Some(Self::Bzip2),
            93 => Some(Self::Zstd),
            95 => Some(Self::Xz),
            _ => None,
        }
    }

    /// Its name in reports.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Bzip2 => "bzip2",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Stored => "stored",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }

    /// What the stream holds, charged to the budget as it comes.
    pub(super) fn expand(self, stream: impl Read + Send + 'static, budget: Budget) -> Expanded {
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted { stream, consumed: Arc::clone(&consumed) };
        let stream: Box<dyn Read + Send> = match self {
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(counted)),
            Self::Deflate => Box::new(flate2::read::DeflateDecoder::new(counted)),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(
                PIECE, counted,
            ))),
            Self::Stored => Box::new(counted),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
                BufReader::with_capacity(PIECE, counted),
                true,
                XZ_MEMORY,
            )),
            Self::Zstd => Box::new(Zstd::Between(Rewound {
                magic: [0; 4],
                left: 0,
                stream: BufReader::with_capacity(PIECE, counted),
            })),
        };
        Expanded { stream, consumed, produced: 0, budget }
    }
}

/// A stream of expanded bytes.
pub(super) struct Expanded {
    stream: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
    produced: u64,
    budget: Budget,
}

impl Read for Expanded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = buffer.len().min(STEP);
        let piece = buffer.get_mut(..piece).unwrap_or_default();
        let count = as_u64(self.stream.read(piece).map_err(plain)?);
        self.produced = self.produced.saturating_add(count);
        let consumed = self.consumed.load(Ordering::Relaxed);
        if !self.budget.charge(count) {
            return Err(StreamError::Expanded.into());
        }
        if !self.budget.allows_ratio(consumed, self.produced) {
            return Err(StreamError::Overblown.into());
        }
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

/// The error of a decoder in our words.
pub(super) fn plain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted
        || error.raw_os_error().is_some()
        || StreamError::of(&error).is_some()
    {
        return error;
    }
    // Decoders wrap the error of the stream below them.
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    if let Some(known) = inner.and_then(StreamError::of) {
        return known.into();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => StreamError::EndsEarly.into(),
        io::ErrorKind::OutOfMemory => StreamError::Expanded.into(),
        _ => StreamError::Damaged.into(),
    }
}

/// A stream that counts what was taken from it.
struct Counted<R> {
    stream: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.consumed.fetch_add(as_u64(count), Ordering::Relaxed);
        Ok(count)
    }
}

/// A file of zstd frames, one behind the other (RFC 8878 section 3).
enum Zstd<R: Read> {
    Between(Rewound<R>),
    Inside(Box<StreamingDecoder<Rewound<R>, FrameDecoder>>),
    Ended,
}

/// A stream of which the magic number of the next frame was read ahead.
struct Rewound<R> {
    magic: [u8; 4],
    left: usize,
    stream: BufReader<R>,
}

impl<R: Read> Read for Rewound<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.stream.read(buffer);
        }
        let begin = self.magic.len().saturating_sub(self.left);
        let count = self.magic.get(begin..).unwrap_or_default().read(buffer)?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

impl<R: Read> Zstd<R> {
    /// Goes on to the next frame; at the end of the file there is none.
    fn next(mut source: Rewound<R>) -> io::Result<Self> {
        loop {
            if source.stream.fill_buf()?.is_empty() {
                return Ok(Self::Ended);
            }
            source.stream.read_exact(&mut source.magic)?;
            if matches!(source.magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18]) {
                let mut length = [0; 4];
                source.stream.read_exact(&mut length)?;
                let length = u64::from(u32::from_le_bytes(length));
                io::copy(&mut source.stream.by_ref().take(length), &mut io::sink())?;
                continue;
            }
            source.left = source.magic.len();
            return match StreamingDecoder::new_with_max_window_size(source, limits::ARCHIVE_WINDOW)
            {
                Ok(decoder) => Ok(Self::Inside(Box::new(decoder))),
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                    Err(StreamError::Expanded.into())
                }
                Err(_) => Err(StreamError::Damaged.into()),
            };
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::Between(source) => *self = Self::next(source)?,
                Self::Inside(mut decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        *self = Self::Inside(decoder);
                        return Ok(count);
                    }
                    *self = Self::Between(decoder.into_inner());
                }
            }
        }
    }
}

/// A source that several streams read one after the other.
#[derive(Clone)]
pub(super) struct SharedSource(Arc<Mutex<Source>>);

impl SharedSource {
    pub(super) fn new(source: Source) -> Self {
        Self(Arc::new(Mutex::new(source)))
    }

    /// Does something with the source itself.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Source) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Read for SharedSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|source| source.read(buffer))
    }
}

/// A reader at random that several members share.
#[derive(Clone)]
pub(super) struct SharedSeek(Arc<Mutex<Box<dyn ReadSeek>>>);

impl SharedSeek {
    pub(super) fn new(reader: Box<dyn ReadSeek>) -> Self {
        Self(Arc::new(Mutex::new(reader)))
    }

    fn with<T>(&self, f: impl FnOnce(&mut dyn ReadSeek) -> T) -> T {
        f(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Read for SharedSeek {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|reader| reader.read(buffer))
    }
}

impl Seek for SharedSeek {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.with(|reader| reader.seek(to))
    }
}

/// The bytes of one member where they lie in the archive.
pub(super) struct Section {
    pub(super) reader: SharedSeek,
    pub(super) at: u64,
    pub(super) left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let space = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(space) = buffer.get_mut(..space).filter(|space| !space.is_empty()) else {
            return Ok(0);
        };
        let at = self.at;
        let count = self.reader.with(|reader| {
            reader.seek(SeekFrom::Start(at))?;
            reader.read(space)
        })?;
        self.at = self.at.saturating_add(as_u64(count));
        self.left = self.left.saturating_sub(as_u64(count));
        Ok(count)
    }
}

/// The next bytes of a shared source, as many as a member has.
pub(super) struct Part {
    pub(super) source: SharedSource,
    pub(super) left: Arc<AtomicU64>,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        let space = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(space) = buffer.get_mut(..space).filter(|space| !space.is_empty()) else {
            return Ok(0);
        };
        let count = self.source.read(space)?;
        if count == 0 {
            return Err(StreamError::EndsEarly.into());
        }
        self.left.store(left.saturating_sub(as_u64(count)), Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{GIB, MIB};

    fn expand(codec: Codec, bytes: Vec<u8>, budget: &Budget) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        codec.expand(io::Cursor::new(bytes), budget.share()).read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let level = flate2::Compression::default();
        flate2::read::GzEncoder::new(bytes, level).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn codecs_are_told_apart_and_expand() {
        let budget = Budget::new(GIB, 1000);
        let hello = [gzip(b"hel"), gzip(b"lo")].concat();
        assert_eq!(Codec::of(&hello), Some(Codec::Gzip));
        assert_eq!(expand(Codec::Gzip, hello, &budget).unwrap(), b"hello");
        // A skippable frame, then two frames with raw blocks.
        let frame = |text: &[u8]| {
            let mut frame = b"\x28\xb5\x2f\xfd\x20".to_vec();
            frame.push(u8::try_from(text.len()).unwrap());
            let size = u32::try_from(text.len() << 3 | 1).unwrap();
            frame.extend(&size.to_le_bytes()[..3]);
            frame.extend(text);
            frame
        };
        let skip = b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec();
        let zstd = [skip, frame(b"hel"), frame(b"lo")].concat();
        assert_eq!(Codec::of(&zstd), Some(Codec::Zstd));
        assert_eq!(expand(Codec::Zstd, zstd, &budget).unwrap(), b"hello");
        assert_eq!(budget.left(), GIB - 10);
        let coded = [
            (
                Codec::Bzip2,
                "QlpoOTFBWSZTWWQRsAsAAACBAAJEIAAhmBmBYXckU4UJBkEbALBCWmg5MUFZJlNZxSvYOQAAAAEAAASgACEAgrF3JFOFCQxSvYOQ",
            ),
            (
                Codec::Xz,
                "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQACaGVsAAD2v1o9z7DJjgABGwMLL7kQH7bzfQEAAAAABFla/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQABbG8AAAAnjbqaDXaMBgABGgLcLqV+H7bzfQEAAAAABFla",
            ),
        ];
        for (codec, text) in coded {
            let bytes = data_encoding::BASE64.decode(text.as_bytes()).unwrap();
            assert_eq!(Codec::of(&bytes), Some(codec));
            assert_eq!(expand(codec, bytes, &budget).unwrap(), b"hello");
        }
    }

    #[test]
    fn bounds_and_damage_are_told_apart() {
        let kind = |result: io::Result<Vec<u8>>| {
            StreamError::of(&result.map(|bytes| bytes.len()).unwrap_err())
        };
        let bomb = gzip(&vec![0; 8 << 20]);
        let ratio = Budget::new(GIB, 100);
        assert_eq!(kind(expand(Codec::Gzip, bomb.clone(), &ratio)), Some(StreamError::Overblown));
        assert!(!ratio.is_exhausted());
        let small = Budget::new(MIB, 10_000);
        assert_eq!(kind(expand(Codec::Gzip, bomb.clone(), &small)), Some(StreamError::Expanded));
        let budget = Budget::new(GIB, 10_000);
        let cut = bomb[..bomb.len() / 2].to_vec();
        assert_eq!(kind(expand(Codec::Gzip, cut, &budget)), Some(StreamError::EndsEarly));
        let numbers: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut broken = gzip(&numbers);
        for byte in &mut broken[400..440] {
            *byte ^= 0x55;
        }
        assert_eq!(kind(expand(Codec::Gzip, broken, &budget)), Some(StreamError::Damaged));
    }
}
