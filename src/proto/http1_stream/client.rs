//! The side of the client: requests and their bodies.
//!
//! It follows RFC 9112 sections 3 and 6.3. It must not know what a request wants, but for a tunnel or
//! another protocol.
//!
//! Invariants: a request waits from the end of its head, so that it can be answered before its body
//! was sent; the request whose body is read is the last one that waits or the one being answered.

use super::framing::{Body, End};
use super::message::{ClearRequest, Extent};
use super::side::{Collected, State};
use super::{Asks, Events, HttpStream, Pending};
use super::{content_length, is_transfer_coded, tell_garbage};
use crate::limits;
use crate::proto::http1::{self, Fields};
use crate::proto::{Mark, Peer};

impl HttpStream {
    /// Takes bytes of the client; none only when its state changed.
    pub(super) fn client_bytes(
        &mut self,
        bytes: &[u8],
        mark: Mark,
        starts: bool,
        out: Events<'_>,
    ) -> usize {
        if self.holds_back() {
            return self.hold(bytes, mark, out);
        }
        match self.client.state {
            State::Body(mut body) => {
                let step = body.step(bytes);
                self.client.state = State::Body(body);
                self.request_content(step.content, 0, mark, step.end);
                step.used
            }
            State::Head => self.client_head(bytes, mark, out),
            State::Lost if starts => {
                self.client.state = State::Head;
                self.client.resync = true;
                0
            }
            State::Lost => bytes.len(),
        }
    }

    /// Passes over bytes of the client that the capture lost.
    pub(super) fn client_gap(&mut self, length: u64, mark: Mark, out: Events<'_>) {
        match self.client.state {
            State::Body(mut body) => {
                let (lost, end) = body.skip(length);
                self.client.state = State::Body(body);
                self.request_content(&[], lost, mark, end);
                if end == End::Broken {
                    self.blurred = Some(self.requests);
                }
            }
            State::Head => self.lose_client(mark, out),
            State::Lost => self.blurred = Some(self.requests),
        }
    }

    /// Loses the way between two requests.
    fn lose_client(&mut self, mark: Mark, out: Events<'_>) {
        self.cut_client(mark, out);
        self.client.state = State::Lost;
        self.blurred = Some(self.requests);
    }

    /// Passes over bytes of the client of which nobody knows how many there are.
    pub(super) fn client_lost(&mut self, mark: Mark, out: Events<'_>) {
        match self.client.state {
            State::Body(body) => {
                let (lost, end) = body.lose();
                self.request_content(&[], lost, mark, end);
                self.blurred = Some(self.requests);
            }
            State::Head => self.lose_client(mark, out),
            State::Lost => self.blurred = Some(self.requests),
        }
    }

    /// Ends what the client was sending.
    pub(super) fn cut_client(&mut self, mark: Mark, out: Events<'_>) {
        let last = self.client.last().unwrap_or(mark);
        if let Some((head, first)) = self.client.leftover(Peer::Client) {
            self.request_head(&head, false, Extent { first, head: last, last }, out);
        }
        self.client.state = State::Head;
        self.client.resync = false;
        self.open = None;
    }

    /// Keeps bytes until it is known what they belong to.
    fn hold(&mut self, bytes: &[u8], mark: Mark, out: Events<'_>) -> usize {
        let taken = self.early.push(bytes, mark);
        let used = self.is_tunnel_used();
        if used && (taken == 0 || self.server.state == State::Lost) {
            self.enter_tunnel(out);
        } else if taken == 0 {
            self.let_go(out);
        }
        taken
    }

    fn client_head(&mut self, bytes: &[u8], mark: Mark, out: Events<'_>) -> usize {
        let (used, found) = self.client.collect(Peer::Client, bytes, mark);
        match found {
            Collected::Garbage(first) => {
                self.client.state = State::Lost;
                // A body may be longer than its head says.
                if !self.client.resync && self.client.ended != Some(first) {
                    tell_garbage(&mut self.client, Peer::Client, mark, out);
                }
                self.client.resync = false;
            }
            Collected::Head(head, first) => {
                self.request_head(&head, true, Extent { first, head: mark, last: mark }, out);
            }
            Collected::Long(head, first) => {
                self.request_head(&head, false, Extent { first, head: mark, last: mark }, out);
            }
            Collected::More => {}
        }
        used
    }

    /// Reads a head; one that is not whole does not tell where its message ends.
    fn request_head(&mut self, head: &[u8], whole: bool, extent: Extent, out: Events<'_>) {
        self.client.resync = false;
        self.client.state = State::Lost;
        self.open = None;
        let Some(head) = http1::request(head) else { return };
        let mut request = ClearRequest::new(&head, extent);
        let body = request_body(&head.fields);
        request.complete = whole && body.is_none();
        let most = limits::STREAM_WAITING_BYTES.saturating_add(self.bodies.more());
        if self.waiting_bytes.saturating_add(request.held()) > most {
            request.headers = Vec::new();
        }
        if self.waiting.len() >= limits::STREAM_WAITING {
            self.overtaken = self.overtaken.saturating_add(1);
            self.tell_waiting(limits::STREAM_WAITING.saturating_sub(1), out);
        }
        self.requests = self.requests.saturating_add(1);
        self.waiting_bytes = self.waiting_bytes.saturating_add(request.held());
        let room = self.waiting_bytes <= most;
        self.waiting.push_back(Pending {
            number: self.requests,
            keeps: room && self.bodies.keeps_request(head.fields.first("content-type")),
            asks: asks(&head),
            request,
        });
        if whole {
            self.open = body.map(|_| self.requests);
            self.client.state = body.map_or(State::Head, State::Body);
        }
    }

    /// Adds content to the request whose body is read.
    fn request_content(&mut self, content: &[u8], lost: u64, mark: Mark, end: End) {
        let bodies = self.bodies;
        if let Some((request, keeps, waits)) = self.open_request() {
            let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
            request.body_length = request.body_length.saturating_add(length).saturating_add(lost);
            request.lost = request.lost.saturating_add(lost);
            request.extent.last = mark;
            request.complete = end == End::Done;
            let before = request.body.len();
            if keeps && request.lost == 0 {
                bodies.keep(&mut request.body, content);
            }
            let kept = request.body.len().saturating_sub(before);
            if waits {
                self.waiting_bytes = self.waiting_bytes.saturating_add(kept);
            }
        }
        match end {
            End::Broken => self.client.state = State::Lost,
            End::Done => {
                self.client.state = State::Head;
                self.client.ended = Some(mark);
            }
            End::More => return,
        }
        self.open = None;
    }

    /// The request whose body is read, whether its content is kept, and whether it still waits; `None`
    /// when its response was told already.
    fn open_request(&mut self) -> Option<(&mut ClearRequest, bool, bool)> {
        let number = self.open?;
        let waiting = self.waiting.back_mut().map(|pending| (pending, true));
        let current = self.current.as_mut().and_then(|current| current.request.as_mut());
        waiting
            .into_iter()
            .chain(current.map(|pending| (pending, false)))
            .find(|(pending, _)| pending.number == number)
            .map(|(pending, waits)| (&mut pending.request, pending.keeps, waits))
    }
}

/// RFC 9112 section 6.3: a request without a length has no body.
fn request_body(fields: &Fields<'_>) -> Option<Body> {
    if fields.is_chunked() {
        return Some(Body::CHUNKED);
    }
    if is_transfer_coded(fields) {
        return Some(Body::UntilEnd);
    }
    content_length(fields).and_then(Body::of_length)
}

fn asks(head: &http1::RequestHead<'_>) -> Asks {
    if head.method == "CONNECT" {
        return Asks::Tunnel;
    }
    match head.fields.first("upgrade") {
        Some(protocol) if !protocol.trim().is_empty() => Asks::Upgrade,
        _ => Asks::Nothing,
    }
}
