//! HTTP/2 on the bytes of a connection, both sides, as they come: exchanges as HTTP/1 has them.
//!
//! It follows RFC 9113 (frames, streams), RFC 7541 (HPACK, in `hpack`) and RFC 8441 (`CONNECT` with a
//! protocol). The bytes may be those of a connection in clear or what TLS carried. It must not know
//! which, nor a host, a product or what a page says.
//!
//! A connection that began before the capture, or of which bytes are missing, is read from the next
//! frame that a piece begins with: records of TLS mostly begin with one. Fields that name what was sent
//! before cannot be read then. A method or a target of which that is so is `?`. A response whose status
//! cannot be read is not told as a response; [`ClearExchange::unread`] says where it stands.
//!
//! Invariants: the events do not depend on how bytes are split into pieces, but for where the way is
//! looked for again; everything held is bounded ([`Http2Stream::held`]); time is linear in the bytes.

mod content;
mod frame;
mod head;
mod hpack;
mod huffman;
mod static_table;
mod streams;

use std::fmt;

use frame::{Frames, Part};
use head::Head;
use hpack::Decoder;
use streams::Streams;

pub use self::hpack::fuzz_hpack;
use crate::limits;
pub use crate::proto::http1_stream::Broken;
use crate::proto::http1_stream::{Bodies, ClearExchange, ClearRequest, Extent};
use crate::proto::{Mark, Peer, Probe};

/// What a connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Http2Event {
    /// A stream is over, or will never be; for `CONNECT` that was granted its head is.
    Exchange(Box<ClearExchange>),
    /// A side takes no more streams.
    GoAway {
        /// The side.
        from: Peer,
        /// The highest stream of the other side that it may have processed.
        last_stream: u32,
        /// Why: an error code of RFC 9113 section 7.
        code: u32,
        /// The frame.
        mark: Mark,
    },
}

/// Where events go.
pub type Events<'a> = &'a mut dyn FnMut(Http2Event);

/// A connection that carries HTTP/2.
pub struct Http2Stream {
    client: Side,
    server: Side,
    streams: Streams,
}

/// One side of a connection.
struct Side {
    frames: Frames,
    /// For the header blocks that it sends.
    decoder: Decoder,
    /// The frame that gave bytes last.
    last: Option<Mark>,
}

impl Default for Http2Stream {
    fn default() -> Self {
        Self {
            client: Side::new(Peer::Client),
            server: Side::new(Peer::Server),
            streams: Streams::default(),
        }
    }
}

impl Http2Stream {
    /// A connection at its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the connection was there before the capture.
    pub fn start_mid_stream(&mut self) {
        for side in [&mut self.client, &mut self.server] {
            side.frames.lose();
            side.decoder.forget();
        }
        self.streams.miss();
    }

    /// Keeps up to so many bytes of each body that is JSON, XML, a form, a page, text or a script.
    ///
    /// Without it the bound is `limits::STREAM_BODY`, and forms, pages and JSON of the server are kept.
    #[must_use]
    pub fn with_bodies(mut self, limit: usize) -> Self {
        self.streams.bodies = Bodies::up_to(limit);
        self
    }

    /// Begins with the request by which a connection of HTTP/1 became this one: its answer comes on
    /// stream 1 (RFC 7540 section 3.2).
    #[must_use]
    pub fn with_upgraded(mut self, request: ClearRequest) -> Self {
        self.streams.upgraded(request);
        self
    }

    /// Whether a client begins HTTP/2 so.
    pub fn probe(client_start: &[u8]) -> Probe {
        frame::probe_preface(client_start)
    }

    /// Whether a server begins HTTP/2 so.
    pub fn probe_server(start: &[u8]) -> Probe {
        frame::probe_settings(start)
    }

    /// Gives bytes of one side in stream order; where the way is lost, a frame is looked for at the
    /// start of what is given at once.
    pub fn data(&mut self, from: Peer, bytes: &[u8], mark: Mark, out: Events<'_>) {
        if bytes.is_empty() {
            return;
        }
        if self.side(from).frames.is_without_preface(bytes) {
            self.gap(from, mark, out);
        }
        self.side(from).last = Some(mark);
        self.side(from).frames.find(bytes);
        let mut rest = bytes;
        loop {
            let frames = &mut self.side(from).frames;
            if rest.is_empty() && !frames.is_due() {
                break;
            }
            let (used, part) = frames.step(rest, mark);
            rest = rest.get(used..).unwrap_or_default();
            if let Some(part) = part {
                self.take(from, part, mark, out);
            }
        }
    }

    /// Passes over bytes of one side of which nobody knows how many there are.
    pub fn gap(&mut self, from: Peer, mark: Mark, out: Events<'_>) {
        self.cut(from, mark, out);
        self.side(from).decoder.forget();
        self.streams.doubt(from);
    }

    /// Ends one side.
    pub fn end(&mut self, from: Peer, mark: Mark, out: Events<'_>) {
        self.cut(from, mark, out);
        if from == Peer::Server {
            self.streams.tell_all(out);
        }
    }

    /// Tells what is pending at the end of the capture, or of what is known of the connection.
    pub fn finish(&mut self, out: Events<'_>) {
        for from in [Peer::Client, Peer::Server] {
            if let Some(mark) = self.side(from).last {
                self.cut(from, mark, out);
            }
        }
        self.streams.tell_all(out);
    }

    /// Bytes held: at most two mebibytes and four bodies, mostly the tables of HPACK.
    pub fn held(&self) -> usize {
        [&self.client, &self.server]
            .into_iter()
            .flat_map(|side| [side.frames.held(), side.decoder.held()])
            .fold(self.streams.held(), usize::saturating_add)
            .saturating_add(self.streams.own())
    }

    const fn side(&mut self, from: Peer) -> &mut Side {
        match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }

    /// Loses the way on one side, and reads what there is of a header block.
    fn cut(&mut self, from: Peer, mark: Mark, out: Events<'_>) {
        let side = self.side(from);
        let mark = side.last.unwrap_or(mark);
        if let Some(block) = side.frames.lose() {
            self.take(from, Part::Block(block), mark, out);
        }
    }

    fn take(&mut self, from: Peer, part: Part<'_>, mark: Mark, out: Events<'_>) {
        match part {
            Part::Block(block) => {
                let head = Head::read(&mut self.side(from).decoder, &block);
                let extent = Extent { first: block.first, head: mark, last: mark };
                let (id, ends) = (block.stream, block.ends);
                match (from, block.promised) {
                    (Peer::Client, _) => self.streams.request(id, head, ends, extent, out),
                    (Peer::Server, Some(id)) => self.streams.promise(id, head, extent, out),
                    (Peer::Server, None) => self.streams.response(id, head, ends, extent, out),
                }
            }
            Part::BlockLost => {
                self.side(from).decoder.forget();
                if from == Peer::Client {
                    self.streams.miss();
                }
            }
            Part::Content { stream, bytes, ends } => {
                self.streams.content(from, stream, bytes, mark);
                if ends {
                    self.streams.end(from, stream, mark, out);
                }
            }
            Part::GoAway { last, code } => self.streams.go_away(from, last, code, mark, out),
            Part::Reset { stream, code } => self.streams.reset(from, stream, code, mark, out),
            Part::Setting { id, value } => {
                let other = self.side(from.other());
                match id {
                    HEADER_TABLE_SIZE => other.decoder.allow(value),
                    MAX_FRAME_SIZE => other.frames.allow(value),
                    _ => {}
                }
            }
        }
    }
}

impl Side {
    fn new(from: Peer) -> Self {
        Self { frames: Frames::new(from), decoder: Decoder::default(), last: None }
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").field("held", &self.held()).finish_non_exhaustive()
    }
}

/// The name of an error code (RFC 9113 section 7).
pub fn error_name(code: u32) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|code| ERRORS.get(code)).copied()
}

/// Parameters of `SETTINGS` (RFC 9113 section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 0x01;
const MAX_FRAME_SIZE: u16 = 0x05;

/// Error codes from 0x00 on.
const ERRORS: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Entry for fuzzing: any bytes as pieces of both sides, holes and ends.
#[doc(hidden)]
pub fn fuzz_http2(bytes: &[u8]) {
    let mut stream = Http2Stream::new();
    match bytes.first() {
        Some(kind) if kind & 0x40 != 0 => stream.start_mid_stream(),
        Some(kind) if kind & 0x20 != 0 => stream = stream.with_bodies(2 * limits::STREAM_BODY),
        _ => {}
    }
    let bound = BOUND.saturating_add(stream.streams.most());
    let mut events = 0_u32;
    let mut out = |_| events = events.saturating_add(1);
    let mut frame = std::num::NonZeroU64::MIN;
    let mut rest = bytes;
    while let [kind, length, behind @ ..] = rest {
        let from = if kind & 1 == 0 { Peer::Client } else { Peer::Server };
        let mark = Mark { frame, at: crate::time::Timestamp::from_nanoseconds(0) };
        let (piece, next) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        rest = behind;
        match kind >> 1 & 15 {
            0 => stream.gap(from, mark, &mut out),
            1 => stream.end(from, mark, &mut out),
            _ => {
                stream.data(from, piece, mark, &mut out);
                rest = next;
            }
        }
        if kind & 0x80 == 0 {
            frame = frame.saturating_add(1);
        }
        assert!(stream.held() < bound, "what is held is bounded");
    }
    stream.finish(&mut out);
    assert!(stream.streams.held() == 0, "all is told");
}

/// Bytes that a connection may hold beside its messages: a header block and a table of each side, the
/// text of which may be three times as long as it was sent, and its streams.
const BOUND: usize = (1 << 20) + limits::HTTP2_STREAMS * streams::STREAM;

#[cfg(test)]
mod tests;
