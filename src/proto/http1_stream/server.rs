//! The side of the server: responses, their bodies, and the requests they answer.
//!
//! It follows RFC 9112 sections 4, 6.3 and 9.3.2 (pipelining), RFC 9110 sections 9.3.6 and 15.2. It must
//! not know what a status means, but for the framing and for what the connection becomes.
//!
//! Invariant: a response takes the oldest request that waits; only behind a hole, where responses
//! may be missing, and behind a response that nobody asked for yet, it takes the newest.

use super::framing::{Body, End};
use super::message::{ClearResponse, Extent};
use super::side::{Collected, State};
use super::{Asks, Current, Events, HttpStream, Inside, Pending};
use super::{content_length, is_transfer_coded, tell_garbage};
use crate::proto::http1::{self, Fields};
use crate::proto::{Mark, Peer};

impl HttpStream {
    /// Takes bytes of the server; none only when its state changed or the connection did.
    pub(super) fn server_bytes(
        &mut self,
        bytes: &[u8],
        mark: Mark,
        starts: bool,
        out: Events<'_>,
    ) -> usize {
        match self.server.state {
            State::Body(mut body) => {
                let step = body.step(bytes);
                self.server.state = State::Body(body);
                self.response_content(step.content, 0, mark, step.end, out);
                step.used
            }
            State::Head => self.server_head(bytes, mark, out),
            State::Lost if starts => {
                self.server.state = State::Head;
                self.server.resync = true;
                0
            }
            State::Lost => bytes.len(),
        }
    }

    /// Passes over bytes of the server that the capture lost.
    pub(super) fn server_gap(&mut self, length: u64, mark: Mark, out: Events<'_>) {
        match self.server.state {
            State::Body(mut body) => {
                let (lost, end) = body.skip(length);
                self.server.state = State::Body(body);
                self.unpaired |= end == End::Broken;
                self.response_content(&[], lost, mark, end, out);
            }
            State::Head => {
                let has_begun = self.cut_server_head(mark, out);
                if self.inside.is_none() {
                    self.lose_server(out);
                }
                // What is missing begins with the answer to the oldest request.
                let is_plain = |pending: &Pending| pending.asks == Asks::Nothing;
                if !has_begun && self.waiting.front().is_some_and(is_plain) {
                    self.tell_waiting(self.waiting.len().saturating_sub(1), out);
                }
                self.unpaired = true;
            }
            State::Lost => self.unpaired = true,
        }
    }

    /// Passes over bytes of the server of which nobody knows how many there are.
    pub(super) fn server_lost(&mut self, mark: Mark, out: Events<'_>) {
        self.unpaired = true;
        match self.server.state {
            State::Body(body) => {
                let (lost, end) = body.lose();
                self.response_content(&[], lost, mark, end, out);
            }
            State::Head => self.server_gap(1, mark, out),
            State::Lost => {}
        }
    }

    /// Ends what the server was sending.
    pub(super) fn cut_server(&mut self, mark: Mark, out: Events<'_>) {
        self.cut_server_head(mark, out);
        self.tell_current(out);
        self.server.state = State::Head;
        self.server.resync = false;
    }

    /// Reads what there is of a head; whether there was something.
    fn cut_server_head(&mut self, mark: Mark, out: Events<'_>) -> bool {
        let last = self.server.last().unwrap_or(mark);
        let Some((head, first)) = self.server.leftover(Peer::Server) else { return false };
        self.response_head(&head, false, Extent { first, head: last, last }, out);
        true
    }

    /// Loses the way; a tunnel that the client already uses was granted in what is lost.
    fn lose_server(&mut self, out: Events<'_>) {
        self.server.state = State::Lost;
        self.server.resync = false;
        if self.is_tunnel_used() {
            self.enter_tunnel(out);
        }
    }

    fn server_head(&mut self, bytes: &[u8], mark: Mark, out: Events<'_>) -> usize {
        let (used, found) = self.server.collect(Peer::Server, bytes, mark);
        match found {
            Collected::Garbage(first) => {
                // Without a request that waits it is a body whose start was not captured; one may
                // also be longer than its head says.
                let body = self.waiting.is_empty() || self.server.ended == Some(first);
                let told = self.server.resync || body;
                self.lose_server(out);
                if self.inside.is_some() {
                    return 0;
                }
                if !told {
                    tell_garbage(&mut self.server, Peer::Server, mark, out);
                }
            }
            Collected::Head(head, first) => {
                self.response_head(&head, true, Extent { first, head: mark, last: mark }, out);
            }
            Collected::Long(head, first) => {
                self.response_head(&head, false, Extent { first, head: mark, last: mark }, out);
            }
            Collected::More => {}
        }
        used
    }

    /// Reads a head; one that is not whole does not tell where its message ends.
    fn response_head(&mut self, head: &[u8], whole: bool, extent: Extent, out: Events<'_>) {
        self.server.resync = false;
        self.server.state = if whole { State::Head } else { State::Lost };
        let Some(head) = http1::response(head) else { return };
        let Some(status) = head.status else { return };
        if matches!(status, 100 | 102..=199) {
            return;
        }
        self.tell_current(out);
        let request = self.pair(out);
        let asked = request.as_ref().map_or(Asks::Nothing, |pending| pending.asks);
        let mut response = ClearResponse::new(status, &head, extent);
        let inside = match (&request, status) {
            (Some(Pending { asks: Asks::Tunnel, request, .. }), 200..=299) => {
                Some(Inside::Tunnel(request.target.clone()))
            }
            (_, 101) => {
                let protocol = head.fields.first("upgrade").unwrap_or_default();
                Some(Inside::Upgrade(protocol.trim().to_owned()))
            }
            _ => None,
        };
        let method = request.as_ref().map_or("", |pending| pending.request.method.as_str());
        let body = response_body(method, status, &head.fields).filter(|_| inside.is_none());
        response.complete = whole && body.is_none();
        let keeps = self.bodies.keeps_response(head.fields.first("content-type"));
        self.current = Some(Current { request, keeps, response });
        if inside.is_some() {
            self.tell_current(out);
            self.tell_waiting(0, out);
            self.inside = inside;
            return;
        }
        if whole {
            match body {
                Some(body) => self.server.state = State::Body(body),
                None => self.tell_current(out),
            }
        }
        if asked != Asks::Nothing && !self.holds_back() {
            self.read_early(out);
        }
    }

    /// The request that a response answers.
    fn pair(&mut self, out: Events<'_>) -> Option<Pending> {
        if std::mem::take(&mut self.unpaired) {
            self.overtaken = 0;
            // Where a later request may be lost as well, it may be that one which is answered.
            let newest = self.waiting.back().map(|pending| pending.number);
            let is_sure = newest.is_some() && newest != self.blurred;
            self.tell_waiting(usize::from(is_sure), out);
        } else if let Some(left) = self.overtaken.checked_sub(1) {
            self.overtaken = left;
            return None;
        }
        let request = self.next_waiting();
        // The request may come later, out of its order; then it is answered already.
        self.unpaired = request.is_none() && self.requests > 0;
        request
    }

    /// Adds content to the response that is read.
    fn response_content(
        &mut self,
        content: &[u8],
        lost: u64,
        mark: Mark,
        end: End,
        out: Events<'_>,
    ) {
        if let Some(current) = &mut self.current {
            let response = &mut current.response;
            let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
            response.body_length = response.body_length.saturating_add(length).saturating_add(lost);
            response.lost = response.lost.saturating_add(lost);
            response.complete = end == End::Done;
            response.extent.last = mark;
            if current.keeps && response.lost == 0 {
                self.bodies.keep(&mut response.body, content);
            }
        }
        match end {
            // More of it may come; the next message or the end tells it.
            End::Broken => self.lose_server(out),
            End::Done => {
                self.server.state = State::Head;
                self.server.ended = Some(mark);
                self.tell_current(out);
            }
            End::More => {}
        }
    }
}

/// RFC 9112 section 6.3.
fn response_body(method: &str, status: u16, fields: &Fields<'_>) -> Option<Body> {
    if method == "HEAD" || matches!(status, 204 | 304) {
        return None;
    }
    if fields.is_chunked() {
        return Some(Body::CHUNKED);
    }
    if is_transfer_coded(fields) {
        return Some(Body::UntilEnd);
    }
    match content_length(fields) {
        Some(length) => Body::of_length(length),
        None => Some(Body::UntilEnd),
    }
}
