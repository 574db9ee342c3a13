//! Frames of HTTP/2 on the bytes of one side (RFC 9113 sections 3.4, 4 and 6).
//!
//! Content passes through; only header blocks are put together, with their `CONTINUATION` frames. It
//! must not know what a block or a body says.
//!
//! Invariants: what comes out does not depend on how the bytes are split, but for where the way is
//! looked for again; a block is at most [`limits::STREAM_HEAD`] long; each step but the end of a frame
//! uses a byte.

use nom::number::complete::{be_u8, be_u24, be_u32};
use nom::{IResult, Parser};

use crate::limits;
use crate::proto::{Mark, Peer, Probe};

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// What a step through the bytes gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A header block is whole, or all there will be of it.
    Block(Block),
    /// A header block that is not there.
    BlockLost,
    /// Content of a stream, and whether the stream ends on this side.
    Content { stream: u32, bytes: &'a [u8], ends: bool },
    /// `GOAWAY`.
    GoAway { last: u32, code: u32 },
    /// `RST_STREAM`.
    Reset { stream: u32, code: u32 },
    /// One parameter of `SETTINGS`.
    Setting { id: u16, value: u32 },
}

/// A header block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// The stream that is promised.
    pub(super) promised: Option<u32>,
    /// Whether the stream ends on this side.
    pub(super) ends: bool,
    pub(super) bytes: Vec<u8>,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
    /// Where its first frame begins.
    pub(super) first: Mark,
}

/// Where the reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the payload of a frame: `left` bytes of it to come, the last `padding` of them padding.
    Frame { header: Header, left: u32, padding: u32, fixed: usize },
    /// In the head of a frame.
    Header,
    /// Somewhere: a frame is looked for where pieces begin.
    Lost,
    /// In the preface of the client.
    Preface,
}

/// The frames of one side.
pub(super) struct Frames {
    from: Peer,
    state: State,
    /// Bytes that are read together: a head, or the fixed part of a payload.
    small: [u8; PREFACE.len()],
    filled: usize,
    /// Whether a first frame was seen.
    has_begun: bool,
    /// Where the frame begins.
    begin: Option<Mark>,
    /// The header block that goes on.
    block: Option<Block>,
    /// The highest stream so far.
    highest: u32,
    /// Payload that the other side takes (`SETTINGS_MAX_FRAME_SIZE`).
    largest: u32,
}

impl Frames {
    /// A side at the start of its connection.
    pub(super) const fn new(from: Peer) -> Self {
        let state = match from {
            Peer::Client => State::Preface,
            Peer::Server => State::Header,
        };
        Self {
            from,
            state,
            small: [0; PREFACE.len()],
            filled: 0,
            has_begun: false,
            begin: None,
            block: None,
            highest: 0,
            largest: DEFAULT_LARGEST,
        }
    }

    /// Notes what the other side takes in one frame.
    pub(super) fn allow(&mut self, payload: u32) {
        self.largest = payload.clamp(DEFAULT_LARGEST, MAX_LARGEST);
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.bytes.capacity())
    }

    /// Whether a step without bytes is due: the end of a frame.
    pub(super) const fn is_due(&self) -> bool {
        matches!(self.state, State::Frame { left: 0, .. })
    }

    /// Loses the way, and gives what there is of a header block.
    pub(super) fn lose(&mut self) -> Option<Block> {
        self.state = State::Lost;
        self.filled = 0;
        self.begin = None;
        self.has_begun = true;
        self.block.take().map(|block| Block { is_whole: false, ..block })
    }

    /// Looks for a frame at the start of a piece, if the way is lost.
    pub(super) fn find(&mut self, piece: &[u8]) {
        if self.state != State::Lost {
            return;
        }
        if self.from == Peer::Client && piece.starts_with(PREFACE) {
            self.state = State::Preface;
        } else if self.is_chain(piece) {
            self.state = State::Header;
        }
    }

    /// Whether this piece is where the preface had to begin, and does not.
    pub(super) fn is_without_preface(&self, piece: &[u8]) -> bool {
        self.state == State::Preface && self.filled == 0 && probe_preface(piece) == Probe::No
    }

    /// Takes bytes up to the next thing to tell; the first value is how many.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8], mark: Mark) -> (usize, Option<Part<'a>>) {
        match self.state {
            State::Frame { header, left: 0, .. } => (0, self.end(header)),
            State::Frame { header, left, padding, fixed } if fixed > 0 => {
                let used = self.fill(bytes, fixed);
                let left = left.saturating_sub(length(used));
                self.state = State::Frame { header, left, padding, fixed };
                (used, if self.filled < fixed { None } else { self.fixed(header, left) })
            }
            State::Frame { header, left, padding, .. } => {
                let content = left.saturating_sub(padding);
                let most = if content > 0 { content } else { left };
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                let part = bytes.get(..most).unwrap_or(bytes);
                let left = left.saturating_sub(length(part.len()));
                self.state = State::Frame { header, left, padding, fixed: 0 };
                let told = if content > 0 { self.content(header, part) } else { None };
                (part.len(), told)
            }
            State::Header => {
                self.begin.get_or_insert(mark);
                let used = self.fill(bytes, HEADER);
                (used, if self.filled < HEADER { None } else { self.header() })
            }
            State::Lost => (bytes.len(), None),
            State::Preface => {
                let used = self.fill(bytes, PREFACE.len());
                let seen = self.small.get(..self.filled).unwrap_or_default();
                if !PREFACE.starts_with(seen) {
                    self.lose();
                    return (used, Some(Part::BlockLost));
                }
                if self.filled == PREFACE.len() {
                    self.state = State::Header;
                    self.filled = 0;
                }
                (used, None)
            }
        }
    }

    /// Collects bytes that are read together.
    fn fill(&mut self, bytes: &[u8], want: usize) -> usize {
        let room = self.small.get_mut(self.filled..want).unwrap_or_default();
        let used = room.len().min(bytes.len());
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.filled = self.filled.saturating_add(used);
        used
    }

    /// Reads the head of a frame.
    fn header(&mut self) -> Option<Part<'static>> {
        self.filled = 0;
        let header = Header::read(&self.small)?;
        if self.from == Peer::Server && !self.has_begun && header.kind != SETTINGS {
            self.lose();
            return Some(Part::BlockLost);
        }
        self.has_begun = true;
        // Clients may number streams as they like, but a plausible frame is judged by usual ones.
        self.highest = self.highest.max(header.stream);
        let fixed = header.fixed();
        let left = header.length;
        // A payload that is too short for what must be in it has nothing to tell.
        let fixed = if length(fixed) > left { 0 } else { fixed };
        let padding = if fixed == 0 && header.fixed() > 0 { left } else { 0 };
        self.state = State::Frame { header, left, padding, fixed };
        let goes_on = self.block.as_ref().map(|block| block.stream);
        match header.kind {
            CONTINUATION if goes_on == Some(header.stream) => None,
            CONTINUATION => Some(self.lose_block()),
            HEADERS | PUSH_PROMISE => {
                let lost = goes_on.map(|_| self.lose_block());
                self.block = self.begin.map(|first| Block {
                    stream: header.stream,
                    promised: None,
                    ends: header.kind == HEADERS && header.has(END_STREAM),
                    bytes: Vec::new(),
                    is_whole: fixed == header.fixed(),
                    first,
                });
                lost
            }
            _ => goes_on.map(|_| self.lose_block()),
        }
    }

    fn lose_block(&mut self) -> Part<'static> {
        self.block = None;
        Part::BlockLost
    }

    /// Reads the fixed part of a payload.
    fn fixed(&mut self, header: Header, left: u32) -> Option<Part<'static>> {
        self.filled = 0;
        let number = |at: usize| {
            let four = self.small.get(at..).and_then(|rest| rest.first_chunk());
            u32::from_be_bytes(four.copied().unwrap_or_default())
        };
        let [first, second, ..] = self.small;
        let padding = if header.is_padded() { u32::from(first) } else { 0 };
        let broken = padding > left;
        let padding = padding.min(left);
        // Parameters come one behind the other.
        let fixed = if header.kind == SETTINGS && left >= 6 { 6 } else { 0 };
        self.state = State::Frame { header, left, padding, fixed };
        if let Some(block) = &mut self.block {
            block.is_whole &= !broken;
            if header.kind == PUSH_PROMISE {
                block.promised = Some(number(usize::from(header.is_padded())) & STREAM);
            }
        }
        match header.kind {
            RST_STREAM => Some(Part::Reset { stream: header.stream, code: number(0) }),
            GOAWAY => Some(Part::GoAway { last: number(0) & STREAM, code: number(4) }),
            SETTINGS => {
                Some(Part::Setting { id: u16::from_be_bytes([first, second]), value: number(2) })
            }
            _ => None,
        }
    }

    /// Takes content of a frame.
    fn content<'a>(&mut self, header: Header, bytes: &'a [u8]) -> Option<Part<'a>> {
        match header.kind {
            DATA => Some(Part::Content { stream: header.stream, bytes, ends: false }),
            HEADERS | PUSH_PROMISE | CONTINUATION => {
                let block = self.block.as_mut()?;
                let room = limits::STREAM_HEAD.saturating_sub(block.bytes.len());
                block.is_whole &= bytes.len() <= room;
                block.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                None
            }
            _ => None,
        }
    }

    /// Ends a frame.
    fn end(&mut self, header: Header) -> Option<Part<'static>> {
        self.state = State::Header;
        self.filled = 0;
        self.begin = None;
        match header.kind {
            DATA if header.has(END_STREAM) => {
                Some(Part::Content { stream: header.stream, bytes: &[], ends: true })
            }
            HEADERS | PUSH_PROMISE | CONTINUATION if header.has(END_HEADERS) => {
                self.block.take().map(Part::Block)
            }
            _ => None,
        }
    }

    /// Whether a piece begins with a frame, and every frame that begins in it is a likely one.
    fn is_chain(&self, piece: &[u8]) -> bool {
        let mut rest = piece;
        let mut count = 0_u32;
        while let Some(header) = Header::read(rest) {
            if !self.is_likely(header, count == 0) {
                return false;
            }
            count = count.saturating_add(1);
            let whole = usize::try_from(header.length).unwrap_or(usize::MAX).saturating_add(HEADER);
            rest = rest.get(whole..).unwrap_or_default();
        }
        count > 0
    }

    fn is_likely(&self, header: Header, is_first: bool) -> bool {
        let Header { length, kind, flags, stream } = header;
        let usual = if self.highest == 0 { USUAL_STREAMS } else { STREAMS_AHEAD };
        let known = stream <= self.highest.saturating_add(usual);
        let on_stream = stream != 0 && known;
        let odd = stream & 1 == 1;
        let (allowed, right) = match kind {
            DATA => (END_STREAM | PADDED, on_stream && (length > 0 || header.has(END_STREAM))),
            HEADERS => {
                let opened = odd || self.from == Peer::Server;
                (
                    END_STREAM | END_HEADERS | PADDED | PRIORITY_FLAG,
                    on_stream && opened && length > 0,
                )
            }
            PRIORITY => (0, stream != 0 && length == 5),
            RST_STREAM => (0, on_stream && length == 4),
            SETTINGS => {
                (ACK, stream == 0 && length.is_multiple_of(6) && (length == 0) == header.has(ACK))
            }
            PUSH_PROMISE => (END_HEADERS | PADDED, on_stream && self.from == Peer::Server),
            PING => (ACK, stream == 0 && length == 8),
            GOAWAY => (0, stream == 0 && length >= 8),
            WINDOW_UPDATE => (0, known && length == 4),
            CONTINUATION => (END_HEADERS, on_stream && !is_first),
            ALTSVC | ORIGIN | PRIORITY_UPDATE => (0, known),
            _ => return false,
        };
        right && flags & !allowed == 0 && length <= self.largest
    }
}

impl Header {
    /// RFC 9113 section 4.1; the reserved bit is left out.
    fn read(bytes: &[u8]) -> Option<Self> {
        let read: IResult<&[u8], _> = (be_u24, be_u8, be_u8, be_u32).parse(bytes);
        let (_, (length, kind, flags, stream)) = read.ok()?;
        Some(Self { length, kind, flags, stream: stream & STREAM })
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    const fn is_padded(self) -> bool {
        matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) && self.has(PADDED)
    }

    /// Bytes at the start of the payload that are read together.
    fn fixed(self) -> usize {
        let padded = usize::from(self.is_padded());
        match self.kind {
            GOAWAY => 8,
            HEADERS if self.has(PRIORITY_FLAG) => padded.saturating_add(5),
            DATA | HEADERS => padded,
            PUSH_PROMISE => padded.saturating_add(4),
            RST_STREAM => 4,
            SETTINGS if self.length >= 6 => 6,
            _ => 0,
        }
    }
}

/// Whether a client begins HTTP/2 so (RFC 9113 section 3.4).
pub(super) fn probe_preface(start: &[u8]) -> Probe {
    if start.starts_with(PREFACE) {
        return Probe::Certain;
    }
    if PREFACE.starts_with(start) { Probe::Unsure } else { Probe::No }
}

/// Whether a server begins HTTP/2 so: with `SETTINGS` that acknowledge nothing.
pub(super) fn probe_settings(start: &[u8]) -> Probe {
    let mut bytes = [0; HEADER];
    for (place, byte) in bytes.iter_mut().zip(start) {
        *place = *byte;
    }
    let [high, mid, low, kind, flags, stream @ ..] = bytes;
    let length = u32::from_be_bytes([0, high, mid, low]);
    let seen = |count: usize| start.len() >= count;
    let wrong = length > MAX_SETTINGS
        || seen(3) && !length.is_multiple_of(6)
        || seen(4) && kind != SETTINGS
        || flags != 0
        || stream != [0; 4];
    match wrong {
        true => Probe::No,
        false if seen(HEADER) => Probe::Certain,
        false => Probe::Unsure,
    }
}

fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What a client sends first (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of the head of a frame.
const HEADER: usize = 9;
/// The bits of a stream identifier.
const STREAM: u32 = 0x7fff_ffff;
/// Payload of a frame before anything else is said (RFC 9113 section 6.5.2).
const DEFAULT_LARGEST: u32 = 16_384;
/// Payload of a frame at the very most (RFC 9113 section 4.2).
const MAX_LARGEST: u32 = 0x00ff_ffff;
/// Bytes of the first `SETTINGS` of a server: a hundred parameters; real ones have up to eight.
const MAX_SETTINGS: u32 = 600;
/// Streams that a connection may have had before the capture.
const USUAL_STREAMS: u32 = 1 << 24;
/// Streams that may have been opened in what was lost.
const STREAMS_AHEAD: u32 = 4096;

// Types of frames: RFC 9113 section 6, RFC 7838 section 4, RFC 8336, RFC 9218 section 7.1.
const DATA: u8 = 0x00;
const HEADERS: u8 = 0x01;
const PRIORITY: u8 = 0x02;
const RST_STREAM: u8 = 0x03;
const SETTINGS: u8 = 0x04;
const PUSH_PROMISE: u8 = 0x05;
const PING: u8 = 0x06;
const GOAWAY: u8 = 0x07;
const WINDOW_UPDATE: u8 = 0x08;
const CONTINUATION: u8 = 0x09;
const ALTSVC: u8 = 0x0a;
const ORIGIN: u8 = 0x0c;
const PRIORITY_UPDATE: u8 = 0x10;

// Flags.
const ACK: u8 = 0x01;
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY_FLAG: u8 = 0x20;
