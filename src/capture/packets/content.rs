//! The two streams of a connection, put in order.
//!
//! Each side is read behind what it answers, and holes are waited for as long as a capture may be out
//! of order. It must not know what the bytes are.
//!
//! Invariant: what is held is bounded by the pool of the reassembly and by what is inside.

use std::time::Duration;

use super::context::Context;
use super::flow::{LATE, Segment, flag};
use super::inside::{Inside, Told};
use crate::proto::Peer;
use crate::proto::tcp::{Arrival, Pool, Reassembly, Sequence};
use crate::time::Timestamp;

/// How long a hole is waited for where the receiver answers: what it answers has to be read before
/// the answer.
const LATE_ANSWERED: Duration = Duration::from_millis(2);

/// The bytes of a connection: both streams, and what they hold.
pub(super) struct Content {
    streams: [Reassembly; 2],
    /// How little each side said it had got of the other.
    acked: [Option<Sequence>; 2],
    has_syn: bool,
    /// Whether what answers is read behind what it answers; in vain where a side was not captured.
    is_patient: bool,
    inside: Inside,
}

impl std::fmt::Debug for Content {
    /// No byte of the connection is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

impl Content {
    pub(super) fn new() -> Self {
        Self {
            streams: [Reassembly::default(), Reassembly::default()],
            acked: [None; 2],
            has_syn: false,
            is_patient: true,
            inside: Inside::new(0),
        }
    }

    /// Makes it one of a connection that begins.
    pub(super) fn renew(&mut self) {
        // Each by itself: as a whole it is long, and most of it is never looked at.
        self.streams = [Reassembly::default(), Reassembly::default()];
        self.acked = [None; 2];
        self.has_syn = false;
        self.is_patient = true;
        self.inside.renew();
    }

    /// Says where the streams begin, as far as that was seen.
    pub(super) fn open(&mut self, first: [Option<Sequence>; 2], has_syn: bool) {
        if self.streams.iter().all(|stream| stream.next().is_none()) {
            self.inside.begins(has_syn);
        }
        self.has_syn = has_syn;
        for (stream, first) in self.streams.iter_mut().zip(first) {
            if let Some(first) = first {
                stream.start(first.plus(1));
            }
        }
    }

    /// Whether bytes wait for others.
    pub(super) fn is_waiting(&self) -> bool {
        self.streams.iter().any(Reassembly::is_waiting)
    }

    /// Whether what is still to come tells nothing that anyone needs: data of another host's
    /// connection that are encrypted, or that nobody reads.
    pub(super) const fn is_settled(&self) -> bool {
        self.inside.is_settled()
    }

    /// Whether a tunnel of SOCKS was entered since this was asked.
    pub(super) const fn take_entered(&mut self) -> bool {
        self.inside.take_entered()
    }

    /// Bytes that are held of it, but for those that wait for holes to be filled.
    pub(super) fn held(&mut self) -> usize {
        self.inside.held()
    }

    /// Whether there is a name so far, and if so, whether it is one of a sign-in.
    pub(super) fn scope(&self) -> Option<bool> {
        self.inside.scope()
    }

    pub(super) fn segment(
        &mut self,
        peer: Peer,
        segment: &Segment<'_>,
        pool: &mut Pool,
        context: &mut Context<'_>,
    ) {
        let mark = segment.mark;
        let is_patient = self.is_patient;
        let Self { streams: [client, server], acked: [by_client, by_server], inside, .. } = self;
        let (own, other, acked) = match peer {
            Peer::Client => (client, server, by_client),
            Peer::Server => (server, client, by_server),
        };
        let late = if segment.length > 0 { LATE_ANSWERED } else { LATE };
        if let Some(ack) = segment.ack() {
            if acked.is_none_or(|least| ack.since(least) < 0) {
                *acked = Some(ack);
            }
            if other.waits_since().is_some_and(|since| mark.at.since(since) >= late) {
                other.acknowledged(ack, pool, &mut |piece| {
                    inside.piece(peer.other(), piece, context);
                });
            }
        }
        if segment.length > 0 {
            let arrival = Arrival {
                sequence: segment.sequence.plus(u32::from(segment.has(flag::SYN))),
                payload: segment.payload,
                length: segment.length,
                ack: segment.ack(),
                mark,
            };
            own.hear(other.reaches().filter(|_| is_patient));
            own.segment(&arrival, pool, &mut |piece| inside.piece(peer, piece, context));
        }
        if self.is_waiting() {
            self.turn_over(Some(mark.at), pool, context);
        }
        if segment.has(flag::FIN) {
            self.begin(peer, pool, context);
            let Self { streams: [client, server], inside, .. } = self;
            let own = if peer == Peer::Client { client } else { server };
            if !own.is_waiting() {
                inside.end(peer, mark, context);
            }
        }
    }

    /// Reads what need not wait any longer, each side after what it answers; without a time nothing is
    /// waited for.
    fn turn_over(&mut self, now: Option<Timestamp>, pool: &mut Pool, context: &mut Context<'_>) {
        loop {
            let mut has_turned = false;
            self.drain(pool, context);
            for peer in [Peer::Client, Peer::Server] {
                let stream = self.stream(peer);
                let is_begun = stream.next().is_some();
                let is_late = stream
                    .kept_since()
                    .is_some_and(|since| now.is_none_or(|now| now.since(since) >= LATE));
                let is_known = !is_begun && self.is_first(peer);
                if !is_late && !is_known {
                    continue;
                }
                has_turned = true;
                if is_begun {
                    self.is_patient = false;
                    break;
                }
                self.begin(peer, pool, context);
            }
            if !has_turned {
                return;
            }
        }
    }

    /// Gives out what follows on both sides without a hole.
    fn drain(&mut self, pool: &mut Pool, context: &mut Context<'_>) {
        let is_patient = self.is_patient;
        let Self { streams: [client, server], inside, .. } = self;
        loop {
            let before = [client.next(), server.next()];
            client.hear(server.reaches().filter(|_| is_patient));
            client.drain(pool, &mut |piece| inside.piece(Peer::Client, piece, context));
            server.hear(client.reaches().filter(|_| is_patient));
            server.drain(pool, &mut |piece| inside.piece(Peer::Server, piece, context));
            if before == [client.next(), server.next()] {
                return;
            }
        }
    }

    const fn stream(&self, peer: Peer) -> &Reassembly {
        let [client, server] = &self.streams;
        match peer {
            Peer::Client => client,
            Peer::Server => server,
        }
    }

    /// Whether what is held of a side is the first that it sent: the other had got nothing before it.
    fn is_first(&self, peer: Peer) -> bool {
        let [by_client, by_server] = self.acked;
        let acked = if peer == Peer::Client { by_server } else { by_client };
        let first = self.stream(peer).first_held();
        self.has_syn && first.is_some() && first == acked
    }

    /// Begins the stream of a side of which nobody said where it begins.
    fn begin(&mut self, peer: Peer, pool: &mut Pool, context: &mut Context<'_>) {
        let Some(first) = self.stream(peer).first_held() else { return };
        if self.stream(peer).next().is_some() {
            return;
        }
        let Self { streams: [client, server], acked: [by_client, by_server], inside, .. } = self;
        let (own, acked) = match peer {
            Peer::Client => (client, *by_server),
            Peer::Server => (server, *by_client),
        };
        // Of one that was seen to open what is before its first segment was lost.
        let start = acked.filter(|least| self.has_syn && first.since(*least) >= 0);
        own.start(start.unwrap_or(first));
        own.drain(pool, &mut |piece| inside.piece(peer, piece, context));
    }

    /// Ends it: what waits is read without what is missing.
    pub(super) fn finish(&mut self, pool: &mut Pool, context: &mut Context<'_>) -> Told {
        if self.is_waiting() {
            self.turn_over(None, pool, context);
        }
        let Self { streams: [client, server], inside, .. } = self;
        client.finish(pool, &mut |piece| inside.piece(Peer::Client, piece, context));
        server.finish(pool, &mut |piece| inside.piece(Peer::Server, piece, context));
        self.inside.finish(context)
    }
}
