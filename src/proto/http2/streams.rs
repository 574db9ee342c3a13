//! Streams of HTTP/2 as exchanges (RFC 9113 sections 5.1, 6.4, 6.6, 6.8, 8.1 and 8.5).
//!
//! It must not know frames or HPACK: heads and content come here by the number of their stream.
//!
//! Invariants: at most `limits::HTTP2_STREAMS` are followed; `bytes` is what they hold, at most
//! [`Streams::most`] and one head; an exchange is told once, when both sides ended it, when one gave
//! it up, or when nothing more of it can come.

use std::collections::{BTreeMap, VecDeque};

use super::content::Content;
use super::head::Head;
use super::{Events, Http2Event};
use crate::limits;
use crate::proto::http1_stream::{
    Bodies, Broken, ClearExchange, ClearRequest, ClearResponse, Extent,
};
use crate::proto::{Mark, Peer};

/// The streams of a connection.
#[derive(Default)]
pub(super) struct Streams {
    open: BTreeMap<u32, Stream>,
    /// Bytes held by them.
    bytes: usize,
    pub(super) bodies: Bodies,
    /// The highest stream that the client opened.
    highest: u32,
    /// Whether requests may be missing.
    misses: bool,
    /// Streams that were given up lately.
    reset: VecDeque<u32>,
    /// What each side said last when it gave up the connection: the highest stream that it takes.
    goaway: [Option<(u32, Broken)>; 2],
    told: [u32; 2],
}

/// One stream.
#[derive(Default)]
struct Stream {
    request: Option<ClearRequest>,
    response: Option<ClearResponse>,
    /// Where a response stands that cannot be read.
    unread: Option<Extent>,
    asked: Content,
    answered: Content,
}

impl Streams {
    /// Bytes held.
    pub(super) const fn held(&self) -> usize {
        self.bytes
    }

    /// Bytes that the streams take beside what they hold.
    pub(super) fn own(&self) -> usize {
        self.open.len().saturating_mul(STREAM)
    }

    /// Bytes that are held at most, beside one head.
    pub(super) const fn most(&self) -> usize {
        limits::HTTP2_HELD.saturating_add(self.bodies.more().saturating_mul(4))
    }

    /// Notes that bytes of one side are missing.
    pub(super) fn doubt(&mut self, from: Peer) {
        if from == Peer::Client {
            self.miss();
        }
        for stream in self.open.values_mut() {
            match (from, &stream.request, &stream.response) {
                (Peer::Client, Some(request), _) => stream.asked.doubt(request.body.len()),
                (Peer::Server, _, Some(response)) => stream.answered.doubt(response.body.len()),
                _ => {}
            }
        }
    }

    /// Notes that a request may be missing.
    pub(super) const fn miss(&mut self) {
        self.misses = true;
    }

    /// Takes a head of the client.
    pub(super) fn request(
        &mut self,
        id: u32,
        head: Head,
        ends: bool,
        extent: Extent,
        out: Events<'_>,
    ) {
        let known = self.open.get(&id).is_some_and(|stream| stream.request.is_some());
        let begins = head.is_request();
        if begins && known {
            // The number is used again, which is wrong.
            self.tell(id, None, out);
        }
        if begins {
            self.begin(id, head, ends, extent, out);
            self.highest = self.highest.max(id);
        } else if let Some(stream) = self.open.get_mut(&id)
            && let Some(request) = &mut stream.request
        {
            request.extent.last = extent.last;
        }
        if ends {
            self.end(Peer::Client, id, extent.last, out);
        } else {
            self.tell_over(id, out);
        }
        let refused = self.goaway.get(side(Peer::Server)).copied().flatten();
        if let Some((last, broken)) = refused
            && begins
            && id > last
        {
            self.give_up(id, broken, out);
        }
    }

    /// Takes a request that the server promises to answer.
    pub(super) fn promise(&mut self, id: u32, head: Head, extent: Extent, out: Events<'_>) {
        if self.open.contains_key(&id) {
            self.tell(id, None, out);
        }
        self.begin(id, head, true, extent, out);
        if let Some(stream) = self.open.get_mut(&id) {
            stream.asked.has_ended = true;
            if let Some(request) = &mut stream.request {
                request.complete = stream.asked.is_whole;
            }
        }
    }

    /// Takes a request that was made before the connection became HTTP/2.
    pub(super) fn upgraded(&mut self, request: ClearRequest) {
        self.highest = self.highest.max(1);
        self.bytes = self.bytes.saturating_add(request_bytes(&request));
        let mut asked = Content::new(false, true);
        asked.has_ended = true;
        let stream = Stream { request: Some(request), asked, ..Stream::default() };
        self.open.insert(1, stream);
    }

    /// Takes a head of the server.
    pub(super) fn response(
        &mut self,
        id: u32,
        head: Head,
        ends: bool,
        extent: Extent,
        out: Events<'_>,
    ) {
        let status = head.status();
        if matches!(status, Some(100..=199)) {
            return;
        }
        if !self.open.contains_key(&id) {
            let late = self.reset.contains(&id) || id <= self.highest && !self.misses;
            if status.is_none() || late {
                return;
            }
            self.make_room(0, out);
            self.open.insert(id, Stream::default());
        }
        let (bodies, room) = (self.bodies, self.most().saturating_sub(self.bytes));
        let Some(stream) = self.open.get_mut(&id) else { return };
        match (&mut stream.response, status) {
            (Some(response), _) => response.extent.last = extent.last,
            (None, None) => stream.unread(extent),
            (None, Some(status)) => {
                let is_whole = head.is_whole;
                let mut response = head.into_response(status, extent);
                if response_bytes(&response) > room {
                    let fields = u32::try_from(response.headers.len()).unwrap_or(u32::MAX);
                    response.unread = response.unread.saturating_add(fields);
                    response.headers = Vec::new();
                }
                let kind = response.header("content-type");
                let keeps = bodies.keeps_response(kind);
                stream.answered = Content::new(keeps, is_whole);
                stream.unread = None;
                self.bytes = self.bytes.saturating_add(response_bytes(&response));
                let is_tunnel = (200..300).contains(&status)
                    && stream.request.as_ref().is_some_and(|request| request.method == "CONNECT");
                response.complete = is_tunnel;
                stream.response = Some(response);
                if is_tunnel {
                    // What follows belongs to the inside, as in HTTP/1.
                    self.tell(id, None, out);
                    self.remember(id);
                    return;
                }
            }
        }
        if ends {
            self.end(Peer::Server, id, extent.last, out);
        }
    }

    /// Adds content to a message.
    pub(super) fn content(&mut self, from: Peer, id: u32, bytes: &[u8], mark: Mark) {
        let (bodies, room) = (self.bodies, self.most().saturating_sub(self.bytes));
        let Some(stream) = self.open.get_mut(&id) else { return };
        let kept = match (from, &mut stream.request, &mut stream.response) {
            (Peer::Client, Some(request), _) => {
                request.extent.last = mark;
                let (body, length) = (&mut request.body, &mut request.body_length);
                stream.asked.add(bodies, body, length, bytes, room)
            }
            (Peer::Server, _, Some(response)) => {
                response.extent.last = mark;
                let (body, length) = (&mut response.body, &mut response.body_length);
                stream.answered.add(bodies, body, length, bytes, room)
            }
            (Peer::Server, _, None) => {
                stream.unread(Extent { first: mark, head: mark, last: mark });
                0
            }
            (Peer::Client, None, _) => 0,
        };
        self.bytes = self.bytes.saturating_add(kept);
    }

    /// Ends one side of a stream.
    pub(super) fn end(&mut self, from: Peer, id: u32, mark: Mark, out: Events<'_>) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        match from {
            Peer::Client => {
                stream.asked.has_ended = true;
                if let Some(request) = &mut stream.request {
                    request.extent.last = mark;
                    request.complete = stream.asked.is_whole;
                }
            }
            Peer::Server => {
                stream.answered.has_ended = true;
                match &mut stream.response {
                    Some(response) => {
                        response.extent.last = mark;
                        response.complete = stream.answered.is_whole;
                    }
                    None => stream.unread(Extent { first: mark, head: mark, last: mark }),
                }
            }
        }
        self.tell_over(id, out);
    }

    /// Takes `RST_STREAM`.
    pub(super) fn reset(&mut self, by: Peer, id: u32, code: u32, mark: Mark, out: Events<'_>) {
        let Some(stream) = self.open.get(&id) else { return };
        // RFC 9113 section 8.1: a server that answered asks so not to send the rest of the request.
        let answered = stream.answered.has_ended && code == NO_ERROR;
        let broken = Broken { by, code, is_connection: false, mark };
        if answered {
            self.tell(id, None, out);
        } else {
            self.give_up(id, broken, out);
        }
        self.remember(id);
    }

    /// Takes `GOAWAY`: streams of the other side above the last are not processed.
    pub(super) fn go_away(&mut self, by: Peer, last: u32, code: u32, mark: Mark, out: Events<'_>) {
        let broken = Broken { by, code, is_connection: true, mark };
        let before = self.goaway.get_mut(side(by)).and_then(|place| place.replace((last, broken)));
        let is_new = before.is_none_or(|(known, broken)| (known, broken.code) != (last, code));
        if let Some(told) = self.told.get_mut(side(by))
            && is_new
            && *told < limits::HTTP2_GOAWAYS
        {
            *told = told.saturating_add(1);
            out(Http2Event::GoAway { from: by, last_stream: last, code, mark });
        }
        if !is_new {
            return;
        }
        let odd = u32::from(by == Peer::Server);
        let above = self.open.range(last.saturating_add(1)..).map(|(id, _)| *id);
        let refused: Vec<_> = above.filter(|id| id & 1 == odd).collect();
        for id in refused {
            self.give_up(id, broken, out);
        }
    }

    /// Tells whatever is pending.
    pub(super) fn tell_all(&mut self, out: Events<'_>) {
        while let Some((&id, _)) = self.open.first_key_value() {
            self.tell(id, None, out);
        }
    }

    /// Begins a stream with a request.
    fn begin(&mut self, id: u32, head: Head, ends: bool, extent: Extent, out: Events<'_>) {
        let is_whole = head.is_whole;
        let mut request = head.into_request(extent);
        if self.bytes.saturating_add(request_bytes(&request)) > self.most() {
            let fields = u32::try_from(request.headers.len()).unwrap_or(u32::MAX);
            request.unread = request.unread.saturating_add(fields);
            request.headers = Vec::new();
        }
        if !self.open.contains_key(&id) {
            self.make_room(request_bytes(&request), out);
        }
        let keeps = !ends && self.bodies.keeps_request(request.header("content-type"));
        self.bytes = self.bytes.saturating_add(request_bytes(&request));
        let stream = self.open.entry(id).or_default();
        stream.asked = Content::new(keeps, is_whole);
        stream.request = Some(request);
    }

    /// Tells the oldest streams until another one has room.
    fn make_room(&mut self, bytes: usize, out: Events<'_>) {
        while self.open.len() >= limits::HTTP2_STREAMS
            || self.bytes.saturating_add(bytes) > self.most() && !self.open.is_empty()
        {
            let Some((&id, _)) = self.open.first_key_value() else { break };
            self.tell(id, None, out);
        }
    }

    /// Tells a stream if both sides ended it.
    fn tell_over(&mut self, id: u32, out: Events<'_>) {
        let Some(stream) = self.open.get(&id) else { return };
        // A response may be captured before its request.
        let early = !self.misses && id > self.highest && id & 1 == 1;
        let asked = stream.asked.has_ended || stream.request.is_none() && !early;
        if asked && stream.answered.has_ended {
            self.tell(id, None, out);
        }
    }

    fn give_up(&mut self, id: u32, broken: Broken, out: Events<'_>) {
        self.tell(id, Some(broken), out);
        self.remember(id);
    }

    fn tell(&mut self, id: u32, broken: Option<Broken>, out: Events<'_>) {
        let Some(stream) = self.open.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(stream.held());
        let Stream { mut request, mut response, unread, asked, answered } = stream;
        let is_head = request.as_ref().is_some_and(|request| request.method == "HEAD");
        if let Some(request) = &mut request {
            let length = request.header("content-length").and_then(|text| text.parse().ok());
            request.lost = asked.close(length, &mut request.body, &mut request.body_length);
        }
        if let Some(response) = &mut response {
            let bare = is_head || matches!(response.status, 204 | 304);
            let length = response.header("content-length").and_then(|text| text.parse().ok());
            let length = if bare { Some(0) } else { length };
            // A client that has all content may give up the stream before the server ends it.
            let is_left = broken.is_none_or(|broken| broken.by == Peer::Client);
            response.complete |= is_left && answered.has_all(length, response.body_length);
            response.lost = answered.close(length, &mut response.body, &mut response.body_length);
        }
        if request.is_some() || response.is_some() {
            let exchange = ClearExchange { request, response, unread, broken };
            out(Http2Event::Exchange(Box::new(exchange)));
        }
    }

    fn remember(&mut self, id: u32) {
        if self.reset.len() >= limits::HTTP2_RESET {
            self.reset.pop_front();
        }
        self.reset.push_back(id);
    }
}

impl Stream {
    /// Bytes held by it.
    fn held(&self) -> usize {
        let request = self.request.as_ref().map_or(0, request_bytes);
        request.saturating_add(self.response.as_ref().map_or(0, response_bytes))
    }

    /// Notes a part of a response that cannot be read.
    fn unread(&mut self, extent: Extent) {
        self.unread.get_or_insert(extent).last = extent.last;
    }
}

/// Bytes held by a request, what holds its fields together included: they may be short and many.
fn request_bytes(request: &ClearRequest) -> usize {
    request.held().saturating_add(request.headers.len().saturating_mul(FIELD))
}

fn response_bytes(response: &ClearResponse) -> usize {
    response.held().saturating_add(response.headers.len().saturating_mul(FIELD))
}

const fn side(peer: Peer) -> usize {
    match peer {
        Peer::Client => 0,
        Peer::Server => 1,
    }
}

/// Bytes of a stream in a tree whose nodes are half full.
pub(super) const STREAM: usize = 2 * size_of::<(u32, Stream)>();
/// Bytes of a field beside its text.
const FIELD: usize = size_of::<(String, String)>();
/// `NO_ERROR` of RFC 9113 section 7.
const NO_ERROR: u32 = 0;
