//! Where the body of a message ends (RFC 9112 sections 6 and 7).
//!
//! It must not know what a body says; content is passed on as it stands on the wire, chunks undone.
//!
//! Invariants: a step on bytes uses at least one of them unless the framing is broken; no number that
//! a sender writes is added up without a bound.

use memchr::memchr;

/// The body of a message as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// In the content of a chunk, with so many bytes left; at least one.
    Chunk(u64),
    /// At the end of the line behind the content of a chunk.
    ChunkEnd,
    /// In the line with the size of a chunk.
    ChunkSize {
        /// The size so far.
        size: u64,
        /// Whether a digit was read.
        digits: bool,
        /// Whether the digits are over.
        over: bool,
        /// Bytes of the line.
        line: u16,
    },
    /// A length is known: bytes left, at least one.
    Length(u64),
    /// In the trailer section: bytes of the line and of the section.
    Trailer {
        /// Whether the line has something in it.
        filled: bool,
        /// Bytes of the section.
        total: u32,
    },
    /// The end of the stream ends it.
    UntilEnd,
}

/// What became of the body by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The bytes do not fit the framing.
    Broken,
    /// The body is over.
    Done,
    /// It goes on.
    More,
}

/// One step through the bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    /// Bytes used.
    pub(super) used: usize,
    /// Those of them that are content.
    pub(super) content: &'a [u8],
    /// What became of the body.
    pub(super) end: End,
}

impl Body {
    /// The body in chunks, at its start.
    pub(super) const CHUNKED: Self =
        Self::ChunkSize { size: 0, digits: false, over: false, line: 0 };

    /// The body of a known length; `None` when there is none.
    pub(super) const fn of_length(length: u64) -> Option<Self> {
        if length == 0 { None } else { Some(Self::Length(length)) }
    }

    /// Goes through bytes up to the next change of state.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match *self {
            Self::Chunk(left) => {
                let (content, left) = split(bytes, left);
                *self = if left == 0 { Self::ChunkEnd } else { Self::Chunk(left) };
                Step { used: content.len(), content, end: End::More }
            }
            Self::ChunkEnd => self.chunk_end(bytes),
            Self::ChunkSize { size, digits, over, line } => {
                self.chunk_size(bytes, size, digits, over, line)
            }
            Self::Length(left) => {
                let (content, left) = split(bytes, left);
                *self = Self::Length(left);
                let end = if left == 0 { End::Done } else { End::More };
                Step { used: content.len(), content, end }
            }
            Self::Trailer { filled, total } => self.trailer(bytes, filled, total),
            Self::UntilEnd => Step { used: bytes.len(), content: bytes, end: End::More },
        }
    }

    /// Passes over bytes that the capture lost: how many of them were content, and what became of
    /// the body. Broken means that the hole reaches over something that had to be read.
    pub(super) const fn skip(&mut self, length: u64) -> (u64, End) {
        match *self {
            Self::Chunk(left) if length <= left => {
                let left = left.saturating_sub(length);
                *self = if left == 0 { Self::ChunkEnd } else { Self::Chunk(left) };
                (length, End::More)
            }
            Self::Length(left) if length <= left => {
                let left = left.saturating_sub(length);
                *self = Self::Length(left);
                (length, if left == 0 { End::Done } else { End::More })
            }
            Self::Chunk(left) | Self::Length(left) => (left, End::Broken),
            Self::UntilEnd => (length, End::More),
            Self::ChunkEnd | Self::ChunkSize { .. } | Self::Trailer { .. } => (0, End::Broken),
        }
    }

    /// Passes over bytes of which nobody knows how many there are, as [`Body::skip`] does: only a
    /// body that the end of the stream ends goes on behind them.
    pub(super) const fn lose(self) -> (u64, End) {
        match self {
            Self::Chunk(left) | Self::Length(left) => (left, End::Broken),
            Self::UntilEnd => (1, End::More),
            Self::ChunkEnd | Self::ChunkSize { .. } | Self::Trailer { .. } => (0, End::Broken),
        }
    }

    fn chunk_end<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match bytes.first() {
            Some(b'\r') => nothing(1, End::More),
            Some(b'\n') => {
                *self = Self::CHUNKED;
                nothing(1, End::More)
            }
            _ => nothing(0, End::Broken),
        }
    }

    /// Extensions are passed over (RFC 9112 section 7.1.1).
    fn chunk_size<'a>(
        &mut self,
        bytes: &'a [u8],
        mut size: u64,
        mut digits: bool,
        mut over: bool,
        mut line: u16,
    ) -> Step<'a> {
        let mut used = 0_usize;
        for &byte in bytes {
            used = used.saturating_add(1);
            line = line.saturating_add(1);
            if byte == b'\n' {
                if !digits {
                    return nothing(used, End::Broken);
                }
                *self = match size {
                    0 => Self::Trailer { filled: false, total: 0 },
                    size => Self::Chunk(size),
                };
                return nothing(used, End::More);
            }
            let digit = char::from(byte).to_digit(16).filter(|_| !over);
            match (digit, byte) {
                (Some(digit), _) => {
                    let Some(next) =
                        size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)))
                    else {
                        return nothing(used, End::Broken);
                    };
                    (size, digits) = (next, true);
                }
                (None, b' ' | b'\t' | b'\r') if !digits => {}
                (None, b' ' | b'\t' | b'\r' | b';') if digits => over = true,
                (None, _) if over => {}
                (None, _) => return nothing(used, End::Broken),
            }
            if line >= MAX_LINE {
                return nothing(used, End::Broken);
            }
        }
        *self = Self::ChunkSize { size, digits, over, line };
        nothing(used, End::More)
    }

    /// Trailers are dropped (RFC 9112 section 7.1.2).
    fn trailer<'a>(&mut self, bytes: &'a [u8], filled: bool, total: u32) -> Step<'a> {
        let line = memchr(b'\n', bytes);
        let used = line.map_or(bytes.len(), |end| end.saturating_add(1));
        let total = total.saturating_add(u32::try_from(used).unwrap_or(u32::MAX));
        let read = bytes.get(..used).unwrap_or(bytes);
        let filled = filled || read.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        if line.is_some() && !filled {
            return nothing(used, End::Done);
        }
        if filled && total > MAX_TRAILER {
            return nothing(used, End::Broken);
        }
        *self = Self::Trailer { filled: filled && line.is_none(), total };
        nothing(used, End::More)
    }
}

const fn nothing<'a>(used: usize, end: End) -> Step<'a> {
    Step { used, content: &[], end }
}

/// The part of the bytes that still belongs to a run, and what is left of the run behind it.
fn split(bytes: &[u8], left: u64) -> (&[u8], u64) {
    let part = usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes);
    (part, left.saturating_sub(u64::try_from(part.len()).unwrap_or(u64::MAX)))
}

/// Bytes of a line with a chunk size and its extensions.
const MAX_LINE: u16 = 1024;
/// Bytes of a trailer section.
const MAX_TRAILER: u32 = 64 << 10;
