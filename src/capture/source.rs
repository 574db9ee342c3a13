//! Streams of bytes: files, standard input, members of archives, and bytes in memory.
//!
//! A [`Source`] hands out bytes once, in order, and knows how far it is; it can be looked into
//! before it is read, and be read by seeking instead. It must not know any format.
//!
//! Invariants: `offset` is what was consumed; a hash covers every byte of the input whatever was
//! read of it; `at <= end <= chunk.len()`, and what lies between `at` and `end` is still to come.

mod kept;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

pub use self::kept::Kept;

/// Bytes read at once.
const CHUNK: usize = 128 << 10;
/// Bytes read at first: enough to recognise a format, cheap for a member that is none.
const FIRST_CHUNK: usize = 64 << 10;
/// Bytes read at once by a reader that seeks.
const SEEK_CHUNK: usize = 32 << 10;
/// Chunks that may wait to be hashed.
const HASH_QUEUE: usize = 2;

/// What can be read at random.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Why a stream ended before its end; carried inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Decompression met damage.
    #[error("the compressed data is damaged")]
    Damaged,
    /// The compressed data ends early.
    #[error("the compressed data ends early")]
    EndsEarly,
    /// More was expanded than the limits allow.
    #[error("more was expanded than the limit allows")]
    Expanded,
    /// A stream expanded to far more than went into it.
    #[error("it expands to far more than a capture does (--max-ratio); its end is not read")]
    Overblown,
    /// More would have to be held in memory than the limits allow.
    #[error("the stream is too long to be held in memory")]
    TooLong,
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl StreamError {
    /// The stream error inside an error of reading, if it is one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

/// Where the bytes come from.
enum Inner {
    /// Nothing more comes: all of it is in the chunk.
    Done,
    File(Counted<File>),
    Seekable(Box<dyn ReadSeek>),
    Stream(Box<dyn Read + Send>),
}

/// What is read, with a count of it for whoever shows how far the reading is.
struct Counted<R> {
    inner: R,
    counter: Option<Arc<AtomicU64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(counter) = &self.counter {
            counter.fetch_add(as_u64(count), Ordering::Relaxed);
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Bytes in memory, shared with whoever hashes them.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// One stream of bytes.
pub struct Source {
    inner: Inner,
    path: Option<PathBuf>,
    chunk: Arc<Vec<u8>>,
    at: usize,
    end: usize,
    size: usize,
    offset: u64,
    length: Option<u64>,
    limit: Option<u64>,
    limited: bool,
    hash: Option<Hash>,
    kept: Option<Kept>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("offset", &self.offset)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Source {
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            path: None,
            chunk: Arc::new(Vec::new()),
            at: 0,
            end: 0,
            size: CHUNK,
            offset: 0,
            length: None,
            limit: None,
            limited: false,
            hash: None,
            kept: None,
        }
    }

    /// A file.
    pub fn file(path: &Path) -> io::Result<Self> {
        // Windows would say of a folder that access to it is denied.
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // A pipe or a device has a path and neither a length nor a second reading.
        if !metadata.is_file() {
            return Ok(Self::new(Inner::Stream(Box::new(file))));
        }
        let mut source = Self::new(Inner::File(Counted { inner: file, counter: None }));
        source.length = Some(metadata.len());
        source.path = Some(path.to_owned());
        Ok(source)
    }

    /// Standard input.
    pub fn stdin() -> Self {
        Self::new(Inner::Stream(Box::new(io::stdin())))
    }

    /// A stream that is read once.
    pub fn stream(stream: Box<dyn Read + Send>) -> Self {
        Self::new(Inner::Stream(stream))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::shared(Arc::new(bytes))
    }

    /// Bytes in memory that others hold too.
    pub fn shared(bytes: Arc<Vec<u8>>) -> Self {
        let mut source = Self::new(Inner::Done);
        source.length = Some(as_u64(bytes.len()));
        source.end = bytes.len();
        source.chunk = bytes;
        source
    }

    /// The same source that leaves its bytes behind. To be called before anything is read.
    #[must_use]
    pub fn keeping(mut self, kept: &Kept) -> Self {
        self.kept = Some(kept.clone());
        self
    }

    /// The same source that counts the bytes it reads from outside. To be called before anything is read.
    #[must_use]
    pub fn counting(mut self, counter: &Arc<AtomicU64>) -> Self {
        match std::mem::replace(&mut self.inner, Inner::Done) {
            Inner::File(file) => {
                let counter = Some(Arc::clone(counter));
                self.inner = Inner::File(Counted { counter, ..file });
            }
            Inner::Stream(inner) => {
                let counter = Some(Arc::clone(counter));
                self.inner = Inner::Stream(Box::new(Counted { inner, counter }));
            }
            other => self.inner = other,
        }
        self
    }

    /// Whether it cannot be opened and read once more.
    pub const fn is_once(&self) -> bool {
        matches!(self.inner, Inner::Stream(_))
    }

    /// The same source with a bound on the bytes read; past it the source ends.
    #[must_use]
    pub fn with_limit(mut self, limit: Option<u64>) -> Self {
        self.limit = limit;
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok())
            && limit < self.rest().len()
        {
            self.end = self.at.saturating_add(limit);
            self.limited = true;
        }
        self
    }

    /// The same source, hashed while it is read. To be called before anything is read; what is read at random
    /// already is not hashed.
    #[must_use]
    pub fn with_hash(mut self) -> Self {
        let is_in_order = !matches!(self.inner, Inner::Seekable(_));
        if self.offset == 0 && self.hash.is_none() && is_in_order {
            let (mut hash, bytes) = (Hash::start(), self.at..self.end);
            hash.add(&self.chunk, bytes);
            self.hash = Some(hash);
        }
        self
    }

    /// Bytes consumed so far.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The length of the whole, where it is known before reading.
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the source ended at its limit rather than at its end.
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// The next bytes without consuming them: `n`, or fewer where the stream ends or breaks.
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.rest().len() < n {
            let missing = n.saturating_sub(self.rest().len());
            match self.append(missing.max(FIRST_CHUNK)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if self.rest().is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        let rest = self.rest();
        Ok(rest.get(..n).unwrap_or(rest))
    }

    /// All bytes that are at hand, at least `n` of them unless the stream ends; none are consumed.
    pub(super) fn window(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.rest().len() < n {
            let missing = n.saturating_sub(self.rest().len());
            match self.append(self.size.max(missing)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if self.rest().is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(self.rest())
    }

    fn rest(&self) -> &[u8] {
        self.chunk.get(self.at..self.end).unwrap_or_default()
    }

    /// Reads up to `wanted` more bytes behind those that are left; gives how many came.
    fn append(&mut self, wanted: usize) -> io::Result<usize> {
        let wanted = self.within_limit(wanted);
        let kept = self.rest().len();
        let stream: &mut dyn Read = match &mut self.inner {
            Inner::Done | Inner::Seekable(_) => return Ok(0),
            Inner::File(file) => file,
            Inner::Stream(stream) => stream,
        };
        if wanted == 0 {
            self.limited |= stream.read(&mut [0])? > 0;
            if let Some(kept) = self.kept.take_if(|_| self.limited) {
                kept.forget();
            }
            return Ok(0);
        }
        // The hasher may still hold the chunk; then a new one takes its place.
        let end = kept.saturating_add(wanted);
        if let Some(chunk) = Arc::get_mut(&mut self.chunk) {
            chunk.copy_within(self.at..self.end, 0);
            if chunk.len() < end {
                chunk.resize(end, 0);
            }
        } else {
            let mut fresh = vec![0; end];
            let old = self.chunk.get(self.at..self.end).unwrap_or_default();
            if let Some(space) = fresh.get_mut(..old.len()) {
                space.copy_from_slice(old);
            }
            self.chunk = Arc::new(fresh);
        }
        (self.at, self.end) = (0, kept);
        let Some(chunk) = Arc::get_mut(&mut self.chunk) else { return Ok(0) };
        let mut filled = kept;
        let mut outcome = Ok(());
        while let Some(space) = chunk.get_mut(filled..end).filter(|space| !space.is_empty()) {
            match stream.read(space) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count).min(end),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.end = filled;
        if let Some(hash) = &mut self.hash {
            hash.add(&self.chunk, kept..filled);
        }
        if let Some(kept_bytes) = &self.kept {
            kept_bytes.add(self.chunk.get(kept..filled).unwrap_or_default());
        }
        let came = filled.saturating_sub(kept);
        if let Err(error) = outcome {
            // What came before the error is given first; the error comes with every later call.
            let broken = Broken::new(&error);
            if let Some(kept) = self.kept.take() {
                kept.forget();
            }
            self.inner = Inner::Stream(Box::new(broken));
            return if came > 0 { Ok(came) } else { Err(error) };
        }
        Ok(came)
    }

    fn within_limit(&self, wanted: usize) -> usize {
        let Some(limit) = self.limit else { return wanted };
        let read = self.offset.saturating_add(as_u64(self.rest().len()));
        usize::try_from(limit.saturating_sub(read)).map_or(wanted, |left| wanted.min(left))
    }

    /// Makes the rest readable at random; a stream is held in memory, up to `limit` bytes of it.
    ///
    /// To be called before anything is consumed; what was looked at is there again.
    pub fn seekable(&mut self, limit: u64) -> io::Result<&mut dyn ReadSeek> {
        if !matches!(self.inner, Inner::Seekable(_)) {
            self.inner = Inner::Seekable(self.open_seekable(limit)?);
        }
        match &mut self.inner {
            Inner::Seekable(reader) => Ok(reader),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn open_seekable(&mut self, limit: u64) -> io::Result<Box<dyn ReadSeek>> {
        if self.offset > 0 {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        let inner = std::mem::replace(&mut self.inner, Inner::Done);
        match inner {
            // All of it is in memory already, and is there once.
            Inner::Done if self.at == 0 && self.end == self.chunk.len() && self.kept.is_none() => {
                if as_u64(self.end) > limit {
                    return Err(StreamError::TooLong.into());
                }
                Ok(Box::new(Cursor::new(Shared(Arc::clone(&self.chunk)))))
            }
            Inner::File(mut file) => {
                // The hash restarts as a pass of its own: what is read by seeking comes in no order.
                if self.hash.take().is_some()
                    && let Some(path) = self.path.clone()
                {
                    self.hash = Some(Hash::of_file(path));
                }
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(BufReader::with_capacity(SEEK_CHUNK, file)))
            }
            other => {
                self.inner = other;
                // What is held here is kept as a whole, and so it is once in memory.
                let kept = self.kept.take();
                if let Some(kept) = &kept {
                    kept.forget();
                }
                let mut whole = Vec::new();
                loop {
                    let rest = self.rest();
                    whole.extend_from_slice(rest);
                    // The bound on the input counts from what was consumed.
                    self.consume(rest.len());
                    if as_u64(whole.len()) > limit {
                        return Err(StreamError::TooLong.into());
                    }
                    if self.append(self.size)? == 0 {
                        break;
                    }
                }
                (self.at, self.end, self.offset) = (0, whole.len(), 0);
                self.chunk = Arc::new(whole);
                self.length = Some(as_u64(self.rest().len()));
                if let Some(kept) = kept.filter(|_| !self.limited) {
                    kept.hold(&self.chunk);
                }
                Ok(Box::new(Cursor::new(Shared(Arc::clone(&self.chunk)))))
            }
        }
    }

    /// The reader at random by itself; the source stays behind for its hash.
    pub(super) fn take_seekable(&mut self, limit: u64) -> io::Result<Box<dyn ReadSeek>> {
        self.seekable(limit)?;
        match std::mem::replace(&mut self.inner, Inner::Done) {
            Inner::Seekable(reader) => Ok(reader),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What is read at random in a larger whole and has these many bytes of it; it gives no hash.
    pub(super) fn seeking(reader: Box<dyn ReadSeek>, bytes: u64) -> Self {
        let mut source = Self::new(Inner::Seekable(reader));
        source.length = Some(bytes);
        source
    }

    /// The same source, read at random by this, which is what was taken of it.
    pub(super) fn give_back(&mut self, reader: Box<dyn ReadSeek>) {
        self.inner = Inner::Seekable(reader);
    }

    /// Bytes of the whole: its length, or what was read of it.
    pub fn size(&self) -> u64 {
        self.length.unwrap_or_else(|| self.offset.saturating_add(as_u64(self.rest().len())))
    }

    /// Reads what is left and gives the hash of the whole, lower case hexadecimal.
    ///
    /// `None` when no hash was asked for, or when the source cannot be read to its end.
    pub fn finish_hash(&mut self) -> Option<String> {
        self.finish_hash_unless(&|| false)
    }

    /// The same, unless reading has to end before it is done.
    pub fn finish_hash_unless(&mut self, is_over: &dyn Fn() -> bool) -> Option<String> {
        self.hash.as_ref()?;
        loop {
            if is_over() {
                return None;
            }
            let rest = self.rest().len();
            self.consume(rest);
            match self.append(self.size) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        let hash = self.hash.take()?;
        if self.limited { None } else { hash.finish() }
    }

    /// The same source with chunks of this size, to test that they do not matter.
    #[cfg(test)]
    pub(super) const fn with_chunk(mut self, size: usize) -> Self {
        self.size = size;
        self
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() {
            let first = if self.offset == 0 { FIRST_CHUNK.min(self.size) } else { self.size };
            self.append(first)?;
        }
        // Bytes in memory come in pieces too, so that a reader sees the same whatever the source.
        let rest = self.rest();
        Ok(rest.get(..self.size).unwrap_or(rest))
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.rest().len());
        self.at = self.at.saturating_add(n);
        self.offset = self.offset.saturating_add(as_u64(n));
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Inner::Seekable(reader) = &mut self.inner {
            return reader.read(buffer);
        }
        let mut from = self.fill_buf()?;
        let count = from.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// A stream that failed, and says so every time.
struct Broken(io::ErrorKind, Option<StreamError>);

impl Broken {
    fn new(error: &io::Error) -> Self {
        Self(error.kind(), StreamError::of(error))
    }
}

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.1.map_or_else(|| self.0.into(), io::Error::from))
    }
}

/// A chunk, and what of it is to be hashed.
type Piece = (Arc<Vec<u8>>, Range<usize>);

/// A hash that is computed on a thread of its own.
struct Hash {
    sender: Option<SyncSender<Piece>>,
    thread: JoinHandle<Option<String>>,
}

impl Hash {
    fn start() -> Self {
        let (sender, receiver) = sync_channel::<Piece>(HASH_QUEUE);
        let thread = std::thread::spawn(move || {
            let mut hasher = Sha256::new();
            for (chunk, range) in receiver {
                hasher.update(chunk.get(range).unwrap_or_default());
            }
            Some(hexadecimal(&hasher.finalize()))
        });
        Self { sender: Some(sender), thread }
    }

    fn of_file(path: PathBuf) -> Self {
        let thread = std::thread::spawn(move || {
            let mut file = File::open(path).ok()?;
            let mut hasher = Sha256::new();
            let mut buffer = vec![0; CHUNK];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Some(hexadecimal(&hasher.finalize())),
                    Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return None,
                }
            }
        });
        Self { sender: None, thread }
    }

    fn add(&mut self, chunk: &Arc<Vec<u8>>, range: Range<usize>) {
        if let Some(sender) = &self.sender
            && !range.is_empty()
        {
            // It fails only when the thread is gone, and then `finish` gives no hash.
            let _ = sender.send((Arc::clone(chunk), range));
        }
    }

    fn finish(mut self) -> Option<String> {
        self.sender = None;
        self.thread.join().ok().flatten()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A length as an offset; no machine has more than 64 bits of either.
pub(super) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
