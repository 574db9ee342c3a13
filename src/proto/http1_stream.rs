//! HTTP/1 in clear on the bytes of a connection, both sides, as they come.
//!
//! It follows RFC 9112 (messages, framing, chunks), RFC 9110 sections 9.3.6 and 15 (`CONNECT`, interim
//! responses) and 7.8 (`Upgrade`). Requests are paired with responses in order; where the capture lost
//! a part, the way is found again where a frame begins with a message. It must not know a host, a
//! product or what a page says.
//!
//! Invariants: the events do not depend on how the bytes of a frame are split; everything held is
//! bounded ([`HttpStream::held`]); when a tunnel was granted, no byte behind that answer is taken.

mod client;
mod framing;
mod message;
mod server;
mod side;

use std::collections::VecDeque;
use std::fmt;
use std::mem;

use framing::Body;
pub(in crate::proto) use message::{Bodies, cut};
pub use message::{Broken, ClearExchange, ClearRequest, ClearResponse, Extent, is_ocsp};
use side::{Side, State};
pub use side::{probe_request, probe_response};

use crate::limits;
use crate::proto::early::Early;
use crate::proto::http1::Fields;
use crate::proto::{Mark, Peer, Probe};

/// What a stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// A response is complete, or one that will never be; for `CONNECT` and upgrades its head is.
    Exchange(Box<ClearExchange>),
    /// A side sent something else where a message had to begin; told once for each side.
    NotHttp {
        /// The side.
        from: Peer,
        /// The frame.
        mark: Mark,
    },
}

/// Where events go.
pub type Events<'a> = &'a mut dyn FnMut(HttpEvent);

/// A connection that carries HTTP/1 in clear.
#[derive(Default)]
pub struct HttpStream {
    client: Side,
    server: Side,
    /// Requests without a response, the oldest first.
    waiting: VecDeque<Pending>,
    /// Bytes held by them.
    waiting_bytes: usize,
    /// The exchange whose response is being read.
    current: Option<Current>,
    /// The number of the request whose body is being read.
    open: Option<u64>,
    /// Requests so far.
    requests: u64,
    /// Requests told before their response because too many waited.
    overtaken: u64,
    /// Whether responses may have been lost since the last one.
    unpaired: bool,
    /// How many requests there were when the capture lost a part of the client that may hold more.
    blurred: Option<u64>,
    /// The request for a tunnel or an upgrade that is no longer waited for.
    released: Option<u64>,
    early: Early,
    inside: Option<Inside>,
    bodies: Bodies,
    /// Whether a message may begin at the start of each piece, not only of each frame.
    by_piece: bool,
}

/// A request that waits.
struct Pending {
    number: u64,
    keeps: bool,
    asks: Asks,
    request: ClearRequest,
}

/// An exchange whose response is being read.
struct Current {
    request: Option<Pending>,
    keeps: bool,
    response: ClearResponse,
}

/// What a request asks the connection to become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Tunnel,
    Upgrade,
}

/// What the connection became.
#[derive(Clone, PartialEq, Eq)]
enum Inside {
    Tunnel(String),
    Upgrade(String),
}

impl HttpStream {
    /// A connection at its start, or where the capture met it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps up to so many bytes of each body that is JSON, XML, a form, a page, text or a script.
    ///
    /// Without it the bound is `limits::STREAM_BODY`, and forms, pages and JSON of the server are kept.
    #[must_use]
    pub fn with_bodies(mut self, limit: usize) -> Self {
        self.bodies = Bodies::up_to(limit);
        self
    }

    /// Gives bytes of one side in stream order, and returns how many were taken.
    ///
    /// Fewer than given were taken when the connection stopped being HTTP there: the rest belongs to
    /// what is inside, behind [`HttpStream::take_early`].
    pub fn data(&mut self, from: Peer, bytes: &[u8], mark: Mark, out: Events<'_>) -> usize {
        let mut starts = match from {
            Peer::Client => self.client.enter(mark),
            Peer::Server => self.server.enter(mark),
        };
        starts |= self.by_piece;
        let mut rest = bytes;
        while !rest.is_empty() && self.inside.is_none() {
            let used = match from {
                Peer::Client => self.client_bytes(rest, mark, starts, out),
                Peer::Server => self.server_bytes(rest, mark, starts, out),
            };
            // Without progress the side was lost or let go, and the next step takes what there is.
            starts &= used == 0;
            rest = rest.get(used..).unwrap_or_default();
        }
        bytes.len().saturating_sub(rest.len())
    }

    /// Passes over bytes of one side that the capture lost.
    pub fn gap(&mut self, from: Peer, length: u64, mark: Mark, out: Events<'_>) {
        if self.inside.is_some() || length == 0 {
            return;
        }
        match from {
            Peer::Client if self.holds_back() => self.early.lose(length),
            Peer::Client => self.client_gap(length, mark, out),
            Peer::Server => self.server_gap(length, mark, out),
        }
    }

    /// Passes over bytes of one side of which nobody knows how many there are: a record of TLS is
    /// missing, say.
    ///
    /// The way is found again where a piece begins with a message: from now on what is given at once
    /// is one piece. In a body `lost` then counts what is missing at least.
    pub fn lost(&mut self, from: Peer, mark: Mark, out: Events<'_>) {
        if self.inside.is_some() {
            return;
        }
        self.by_piece = true;
        match from {
            Peer::Client => {
                if self.holds_back() {
                    // What waits for the answer stands before the hole.
                    if self.is_tunnel_used() {
                        self.enter_tunnel(out);
                        self.early.lose(1);
                        return;
                    }
                    self.let_go(out);
                }
                if self.inside.is_none() {
                    self.client_lost(mark, out);
                }
            }
            Peer::Server => self.server_lost(mark, out),
        }
    }

    /// Ends one side.
    pub fn end(&mut self, from: Peer, mark: Mark, out: Events<'_>) {
        if self.inside.is_some() {
            return;
        }
        match from {
            Peer::Client => self.cut_client(mark, out),
            Peer::Server => {
                if self.server.state == State::Body(Body::UntilEnd)
                    && let Some(current) = &mut self.current
                {
                    current.response.complete = true;
                }
                self.cut_server(mark, out);
            }
        }
    }

    /// Tells what is pending at the end of the capture, or of what is known of the connection.
    pub fn finish(&mut self, out: Events<'_>) {
        // Each round reads at least one request that was held back.
        for _ in 0..=limits::STREAM_WAITING {
            if self.inside.is_some() || self.early.is_empty() {
                break;
            }
            if self.is_tunnel_used() {
                self.enter_tunnel(out);
            } else {
                self.let_go(out);
            }
        }
        if self.inside.is_some() {
            return;
        }
        if let Some(mark) = self.client.last() {
            self.cut_client(mark, out);
        }
        if let Some(mark) = self.server.last() {
            self.cut_server(mark, out);
        }
        self.tell_waiting(0, out);
    }

    /// The authority of the tunnel, once it was granted, or once the client used it where the answer
    /// was not captured.
    pub fn tunnel(&self) -> Option<&str> {
        match &self.inside {
            Some(Inside::Tunnel(authority)) => Some(authority),
            _ => None,
        }
    }

    /// The protocol that the connection changed to, as the server named it.
    pub fn upgraded(&self) -> Option<&str> {
        match &self.inside {
            Some(Inside::Upgrade(protocol)) => Some(protocol),
            _ => None,
        }
    }

    /// What the client sent into the tunnel, or after the change of protocol, before it was granted.
    pub fn take_early(&mut self) -> Early {
        if self.inside.is_some() { mem::take(&mut self.early) } else { Early::default() }
    }

    /// Bytes held; less than a mebibyte and four bodies, next to nothing between exchanges.
    pub fn held(&self) -> usize {
        let current = self.current.as_ref().map_or(0, |current| {
            let request = current.request.as_ref().map_or(0, |pending| pending.request.held());
            current.response.held().saturating_add(request)
        });
        [self.client.held(), self.server.held(), self.waiting_bytes, self.early.held()]
            .into_iter()
            .fold(current, usize::saturating_add)
    }
}

impl HttpStream {
    /// Whether what the client sends has to wait for the answer to its last request: only that tells
    /// what it belongs to.
    fn holds_back(&self) -> bool {
        let asks = self
            .waiting
            .back()
            .is_some_and(|last| last.asks != Asks::Nothing && self.released != Some(last.number));
        asks && !matches!(self.client.state, State::Body(_))
    }

    /// Whether the client asked for a tunnel and then sent what can only be inside it.
    fn is_tunnel_used(&self) -> bool {
        self.waiting.back().is_some_and(|last| last.asks == Asks::Tunnel)
            && probe_request(self.early.start()) == Probe::No
    }

    /// Takes the tunnel for granted although its answer is missing.
    fn enter_tunnel(&mut self, out: Events<'_>) {
        let authority = self.waiting.back().map(|last| last.request.target.clone());
        self.tell_current(out);
        self.tell_waiting(0, out);
        self.inside = authority.map(Inside::Tunnel);
    }

    /// No longer waits for the answer to the last request, and reads what was held back.
    fn let_go(&mut self, out: Events<'_>) {
        self.released = self.waiting.back().map(|last| last.number);
        self.read_early(out);
    }

    /// Reads what was held back as requests.
    fn read_early(&mut self, out: Events<'_>) {
        let early = mem::take(&mut self.early);
        let mut last = None;
        for (bytes, mark) in early.pieces() {
            let used = self.data(Peer::Client, bytes, mark, out);
            if self.inside.is_some() {
                self.early.push(bytes.get(used..).unwrap_or_default(), mark);
            }
            last = Some(mark);
        }
        match last.or(self.client.last()) {
            _ if early.lost() == 0 => {}
            Some(mark) if self.inside.is_none() => {
                self.gap(Peer::Client, early.lost(), mark, out);
            }
            _ => self.early.lose(early.lost()),
        }
    }

    /// The oldest request that waits.
    fn next_waiting(&mut self) -> Option<Pending> {
        let pending = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(pending.request.held());
        Some(pending)
    }

    /// Tells the oldest requests as unanswered until so many are left.
    fn tell_waiting(&mut self, left: usize, out: Events<'_>) {
        while self.waiting.len() > left {
            let Some(pending) = self.next_waiting() else { break };
            tell(Some(pending.request), None, out);
        }
    }

    /// Tells the exchange whose response was being read.
    fn tell_current(&mut self, out: Events<'_>) {
        if let Some(current) = self.current.take() {
            tell(current.request.map(|pending| pending.request), Some(current.response), out);
        }
    }
}

fn tell(request: Option<ClearRequest>, response: Option<ClearResponse>, out: Events<'_>) {
    let exchange = ClearExchange { request, response, unread: None, broken: None };
    out(HttpEvent::Exchange(Box::new(exchange)));
}

/// Tells once for a side that it sends something else, and loses the way on it.
fn tell_garbage(side: &mut Side, from: Peer, mark: Mark, out: Events<'_>) {
    if !mem::replace(&mut side.told, true) {
        out(HttpEvent::NotHttp { from, mark });
    }
}

/// The length that a head declares; a list of equal ones is sent by some (RFC 9110 section 8.6).
fn content_length(fields: &Fields<'_>) -> Option<u64> {
    fields.first("content-length")?.split(',').next()?.trim().parse().ok()
}

/// Whether a transfer coding other than the obsolete `identity` is named.
fn is_transfer_coded(fields: &Fields<'_>) -> bool {
    fields.first("transfer-encoding").is_some_and(|value| {
        let value = value.trim();
        !value.is_empty() && !value.eq_ignore_ascii_case("identity")
    })
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStream")
            .field("client", &self.client.state)
            .field("server", &self.server.state)
            .field("waiting", &self.waiting.len())
            .field("responding", &self.current.is_some())
            .field("early", &self.early)
            .field("inside", &self.inside.is_some())
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// Entry for fuzzing: any bytes as pieces of both sides, holes and ends.
#[doc(hidden)]
pub fn fuzz_http1_stream(bytes: &[u8]) {
    let more = bytes.first().is_some_and(|kind| kind & 0x40 != 0);
    let mut stream = HttpStream::new();
    if more {
        stream = stream.with_bodies(limits::STREAM_BODY.saturating_mul(2));
    }
    let bound = BOUND.saturating_add(stream.bodies.more().saturating_mul(4));
    let mut events = 0_u32;
    let mut out = |_| events = events.saturating_add(1);
    let mut frame = std::num::NonZeroU64::MIN;
    let mut rest = bytes;
    while let [kind, length, behind @ ..] = rest {
        let from = if kind & 1 == 0 { Peer::Client } else { Peer::Server };
        let mark = Mark { frame, at: crate::time::Timestamp::from_nanoseconds(0) };
        let (piece, next) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        match kind >> 1 & 7 {
            0 => stream.gap(from, u64::from(*length), mark, &mut out),
            1 => stream.end(from, mark, &mut out),
            2 => stream.gap(from, u64::MAX, mark, &mut out),
            3 => stream.lost(from, mark, &mut out),
            _ => {
                let taken = stream.data(from, piece, mark, &mut out);
                let inside = stream.tunnel().is_some() || stream.upgraded().is_some();
                assert!(taken == piece.len() || inside, "what is HTTP is taken");
            }
        }
        if kind & 0x80 == 0 {
            frame = frame.saturating_add(1);
        }
        rest = if matches!(kind >> 1 & 7, 0..=3) { behind } else { next };
        assert!(stream.held() < bound, "what is held is bounded");
    }
    stream.finish(&mut out);
    assert!(stream.waiting.is_empty() && stream.current.is_none(), "all is told");
}

/// Bytes that a connection may hold at the very most.
const BOUND: usize = 1 << 20;

#[cfg(test)]
mod tests;
