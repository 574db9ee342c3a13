//! The live TCP connections.
//!
//! Every connection gets a record; what it holds is looked into while there is room. A record ends
//! when its connection is over or idle, when the oldest must give way, or with the capture.
//!
//! Invariants: at most `limits::LIVE_FLOWS` records, of which at most `limits::LIVE_CONTENTS` have
//! content; time is that of the capture, never of a clock.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use super::content::Content;
use super::context::{Context, Cover, Fate};
use super::finish::{Maker, Why, decryption, is_one_sided};
use super::flow::{Flow, Icmp, Segment, Side, flag};
use super::inside::Told;
use super::lookups::Lookups;
use super::slab::Slab;
use super::stream_number::{Found, GONE, Header, NONE, Numbers, Pair};
use crate::capture::Scope;
use crate::evidence::{Decryption, EvidenceBuilder, InputId, KeyCoverage, StreamNumber};
use crate::limits::{self, Budget};
use crate::proto::Peer;
use crate::proto::tcp::{Pool, Sequence};
use crate::proto::tls::KeyLog;
use crate::time::Timestamp;

/// Stragglers of a connection that is over come within this time.
const OVER: Duration = Duration::from_secs(10);
/// A client asks again for so long (Linux for about 127 s).
const ASKING: Duration = Duration::from_secs(130);
/// A connection without a word for so long is not followed any longer.
const IDLE: Duration = Duration::from_mins(5);
/// The registered port of SOCKS, the only one at which Wireshark looks for it by itself.
const SOCKS: u16 = 1080;
/// Contents kept for the next connections.
const SPARE: usize = 64;
/// Segments between two looks for what is over.
const TURN: u32 = 1 << 16;

/// Where flows end up.
pub(super) struct Around<'a> {
    pub(super) into: &'a mut EvidenceBuilder,
    pub(super) lookups: &'a mut Lookups,
    pub(super) scope: &'a Scope,
    pub(super) input: InputId,
    pub(super) keys: &'a KeyLog,
    /// What bodies may still expand to.
    pub(super) budget: &'a Budget,
    /// Bytes kept of a body of a sign-in host.
    pub(super) bodies: u64,
}

impl Around<'_> {
    /// What reading a flow needs.
    fn context(&mut self, flow: &Flow, fate: Fate) -> Context<'_> {
        let [_, server] = &flow.sides;
        Context {
            into: self.into,
            lookups: self.lookups,
            scope: self.scope,
            input: self.input,
            client: flow.client,
            server: flow.server,
            stream: flow.number.map(StreamNumber),
            fate,
            lacks: if is_one_sided(flow) { Some(NonZeroU64::MAX) } else { server.lacks() },
            keys: self.keys,
            budget: self.budget,
            bodies: self.bodies,
            cover: Cover::default(),
        }
    }
}

/// The live connections of one input.
#[derive(Default)]
pub(super) struct Table {
    numbers: Numbers,
    /// Invariant: a place is in `free` if and only if it is empty.
    flows: Slab<Flow>,
    free: Vec<u32>,
    pool: Pool,
    /// Places of flows with content, the oldest first; some may have lost it since.
    contents: VecDeque<u32>,
    with_content: usize,
    /// Contents of connections that are over, for the next ones.
    #[expect(clippy::vec_box, reason = "they go from box to box")]
    spare: Vec<Box<Content>>,
    /// The sum of the weights of all flows.
    weight: usize,
    /// Flows that came to their end, in that order, each with the frame that it began in: its place
    /// may hold another one by now.
    over: VecDeque<(u32, NonZeroU64)>,
    turn: u32,
    now: Option<Timestamp>,
    /// Before this time no flow is idle for too long.
    due: Option<Timestamp>,
    /// The highest number that a flow had.
    highest: Option<u32>,
    /// Connections that began in the capture, and that were there before.
    pub(super) opened: u64,
    pub(super) mid_stream: u64,
    /// Connections that were given up for want of room, and whose payload was.
    pub(super) evicted: u64,
    pub(super) unread: u64,
    /// Connections of which only one side was captured although the other sent, and of both.
    pub(super) one_sided: u64,
    pub(super) two_sided: u64,
    pub(super) missing: u64,
    pub(super) copies: u64,
    /// What keys made of connections, where there are keys.
    pub(super) opened_by_keys: Option<KeyCoverage>,
}

fn place(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

impl Table {
    /// Takes a segment; a copy only counts for its number.
    pub(super) fn segment(
        &mut self,
        segment: &Segment<'_>,
        is_copy: bool,
        around: &mut Around<'_>,
    ) -> Option<u32> {
        self.now = Some(self.now.map_or(segment.mark.at, |now| now.max(segment.mark.at)));
        self.turn = self.turn.saturating_add(1);
        if self.turn >= TURN {
            self.sweep(around);
        }
        let pair = Pair::of(segment.source, segment.destination);
        let header = Header {
            source: segment.source,
            destination: segment.destination,
            sequence: segment.sequence,
            acknowledgement: segment.ack(),
            is_syn: segment.has(flag::SYN),
        };
        let Some(Found { number, slot, is_reused }) = self.numbers.segment(&pair, &header) else {
            self.unknown(segment);
            return None;
        };
        let number = Some(number);
        if is_copy {
            self.copies = self.copies.saturating_add(1);
            if segment.is_dropped
                && let Some(flow) = self.flows.get_mut(place(slot))
            {
                let (count, _) =
                    &mut **flow.dropped.get_or_insert_with(|| Box::new((0, segment.mark)));
                *count = count.saturating_add(1);
            }
            return number;
        }
        if is_reused && slot != NONE {
            self.end(slot, Why::CaptureEnd, around);
        }
        // Where there are more flows than room, each that came back would push out another one.
        if slot == GONE && !is_reused && !segment.has(flag::SYN) {
            return number;
        }
        let live = if is_reused { NONE } else { slot };
        let known = self.flows.get(place(live)).is_some();
        let slot = if known { live } else { self.begin(segment, number, &pair, around)? };
        self.take(slot, segment, around);
        self.end_over(around);
        number
    }

    /// Counts a connection beyond those that are remembered, which nobody follows.
    fn unknown(&mut self, segment: &Segment<'_>) {
        if segment.has(flag::SYN) && !segment.has(flag::ACK) {
            self.opened = self.opened.saturating_add(1);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    /// Makes a record for a new flow; `None` for a straggler of one that is over.
    fn begin(
        &mut self,
        segment: &Segment<'_>,
        number: Option<u32>,
        pair: &Pair,
        around: &mut Around<'_>,
    ) -> Option<u32> {
        let opens = segment.has(flag::SYN);
        let is_again = self.was_known(number);
        if !opens && segment.length == 0 && is_again {
            return None;
        }
        let mut flow = Flow { is_again, ..Flow::new(segment, number) };
        flow.hint = around.lookups.name_of(flow.server.ip()).map(|name| {
            let in_scope = around.scope.covers(name.as_str(), "/");
            (name.clone(), in_scope)
        });
        if is_again {
            // It was counted when it was seen first.
        } else if flow.has_syn {
            self.opened = self.opened.saturating_add(1);
        } else {
            self.mid_stream = self.mid_stream.saturating_add(1);
        }
        if self.free.is_empty() && self.flows.len() >= limits::LIVE_FLOWS {
            if self.turn >= TURN / 8 {
                self.sweep(around);
            }
            if self.free.is_empty() {
                self.evict(around);
            }
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.flows.put(place(slot), flow);
            slot
        } else {
            u32::try_from(self.flows.push(flow)).ok()?
        };
        self.numbers.bind(pair, slot);
        self.highest = self.highest.max(number);
        Some(slot)
    }

    /// Whether the conversation with this number was followed before.
    fn was_known(&self, number: Option<u32>) -> bool {
        number.is_some_and(|number| self.highest.is_some_and(|highest| number <= highest))
    }

    fn take(&mut self, slot: u32, segment: &Segment<'_>, around: &mut Around<'_>) {
        let Some(flow) = self.flows.get_mut(place(slot)) else { return };
        let (was_over, had_syn) = (flow.is_over, flow.has_syn);
        let is_new = flow.take(segment);
        if flow.has_syn && !had_syn && !flow.is_again {
            self.opened = self.opened.saturating_add(1);
            self.mid_stream = self.mid_stream.saturating_sub(1);
        }
        if !was_over && flow.is_over {
            self.over.push_back((slot, flow.seen.first.frame));
        }
        if is_new && flow.content.is_none() && !flow.is_blind {
            flow.content = self.spare.pop().or_else(|| Some(Box::new(Content::new())));
            self.with_content = self.with_content.saturating_add(1);
            self.contents.push_back(slot);
        }
        if is_new || flow.waits || segment.has(flag::FIN) {
            let fate = if segment.has(flag::FIN) { fate(flow) } else { Fate::Open };
            let mut context = around.context(flow, fate);
            flow.look(segment, &mut self.pool, &mut context);
            let port = flow.server.port();
            let (is_settled, held, has_entered) =
                flow.content.as_mut().map_or((false, 0, false), |content| {
                    (content.is_settled(), content.held(), content.take_entered())
                });
            if has_entered && port == SOCKS {
                self.numbers.skip();
            }
            if is_settled {
                self.close_content(slot, around);
            } else {
                self.weight = self.weight.saturating_sub(flow.weight).saturating_add(held);
                flow.weight = held;
            }
        }
        if self.with_content > limits::LIVE_CONTENTS || self.weight > limits::CONTENT_BYTES {
            self.close_contents(around);
        }
    }

    /// Stops looking into the connections that were looked into first; those in scope go last.
    fn close_contents(&mut self, around: &mut Around<'_>) {
        let mut spared = self.contents.len();
        let is_high = |table: &Self| {
            table.with_content > limits::LIVE_CONTENTS / 2
                || table.weight > limits::CONTENT_BYTES / 2
        };
        while is_high(self) {
            let Some(slot) = self.contents.pop_front() else { break };
            let Some(flow) = self.flows.get_mut(place(slot)) else { continue };
            let Some(content) = &flow.content else { continue };
            if content.scope() == Some(true) && spared > 0 {
                spared = spared.saturating_sub(1);
                self.contents.push_back(slot);
                continue;
            }
            self.unread = self.unread.saturating_add(1);
            self.close_content(slot, around);
        }
        // What was told by connections takes room too.
        if self.weight > limits::CONTENT_BYTES / 2 {
            self.evict(around);
        }
    }

    /// Stops looking into a connection, and keeps what it told.
    fn close_content(&mut self, slot: u32, around: &mut Around<'_>) {
        let told = self.conclude(slot, around);
        if let Some(flow) = self.flows.get_mut(place(slot)) {
            flow.is_blind = true;
            flow.weight = told.as_ref().map_or(0, Told::weight);
            self.weight = self.weight.saturating_add(flow.weight);
            flow.told = told.map(Box::new);
        }
    }

    /// Takes what the content of a flow told.
    fn conclude(&mut self, slot: u32, around: &mut Around<'_>) -> Option<Told> {
        let flow = self.flows.get_mut(place(slot))?;
        let mut inside = flow.content.take()?;
        flow.waits = false;
        self.with_content = self.with_content.saturating_sub(1);
        self.weight = self.weight.saturating_sub(std::mem::take(&mut flow.weight));
        let mut context = around.context(flow, fate(flow));
        let told = inside.finish(&mut self.pool, &mut context);
        if self.spare.len() < SPARE {
            inside.renew();
            self.spare.push(inside);
        }
        Some(told)
    }

    /// Attributes an ICMP error to the flow that it quotes, and gives its number.
    pub(super) fn icmp(&mut self, header: &Header, icmp: Icmp) -> Option<u32> {
        let pair = Pair::of(header.source, header.destination);
        let Found { number, slot, .. } = self.numbers.segment(&pair, header)?;
        if let Some(flow) = self.flows.get_mut(place(slot))
            && flow.icmp.as_ref().is_none_or(|known| known.kind < icmp.kind)
        {
            flow.icmp = Some(Box::new(icmp));
        }
        Some(number)
    }

    fn end(&mut self, slot: u32, why: Why, around: &mut Around<'_>) {
        let told = self.conclude(slot, around);
        let Some(mut flow) = self.flows.take(place(slot)) else { return };
        self.free.push(slot);
        self.weight = self.weight.saturating_sub(flow.weight);
        let now = if why == Why::Evicted { GONE } else { NONE };
        self.numbers.release(&Pair::of(flow.client, flow.server), slot, now);
        let told = told.or_else(|| flow.told.take().map(|told| *told)).unwrap_or_default();
        if !flow.is_again {
            self.count_keys(&told);
        }
        let [client, server] = flow.sides.each_ref().map(|side| &side.track);
        let is_one_sided = is_one_sided(&flow);
        if is_one_sided || client.segments > 0 && server.segments > 0 {
            let counter = if is_one_sided { &mut self.one_sided } else { &mut self.two_sided };
            *counter = counter.saturating_add(1);
        }
        for track in [client, server] {
            self.missing = self.missing.saturating_add(track.missing);
            self.copies = self.copies.saturating_add(u64::from(track.copies));
        }
        let Around { into, scope, input, .. } = around;
        let mut maker = Maker { into, scope, input: *input };
        maker.add(&flow, told, why);
    }

    /// Counts what keys made of a connection.
    fn count_keys(&mut self, told: &Told) {
        let Some((access, dark)) = told.access else { return };
        let all = self.opened_by_keys.get_or_insert_default();
        let count = match decryption(access) {
            Decryption::Untried => return,
            Decryption::Failed => &mut all.failed,
            Decryption::MidStream => &mut all.mid_stream,
            Decryption::NoSecret => &mut all.no_secret,
            Decryption::Opened => {
                all.dark = all.dark.saturating_add(dark);
                &mut all.opened
            }
            Decryption::Unsupported => &mut all.unsupported,
        };
        *count = count.saturating_add(1);
    }

    /// Ends flows that came to their end some time ago, the first of them first: at once they would
    /// take their memory from the next ones, and all together at last they would leave it in pieces.
    fn end_over(&mut self, around: &mut Around<'_>) {
        while let Some((slot, first)) = self.over.front().copied() {
            let flow = self.flows.get(place(slot));
            if let Some(flow) = flow.filter(|flow| flow.seen.first.frame == first) {
                let quiet = self.now.map(|now| now.since(flow.seen.last.at));
                let is_due = quiet.is_some_and(|quiet| quiet > OVER);
                if !is_due && self.over.len() <= limits::LINGERING_FLOWS {
                    return;
                }
                self.end(slot, Why::Idle, around);
            }
            self.over.pop_front();
        }
    }

    /// Ends what is quiet.
    fn sweep(&mut self, around: &mut Around<'_>) {
        self.turn = 0;
        let Some(now) = self.now else { return };
        // All are looked at only when one may be over: each look at one is a jump in memory.
        if self.due.is_none_or(|due| now >= due) {
            let mut due = now.plus(ASKING);
            for index in 0..self.flows.len() {
                let Some(flow) = self.flows.get(index) else { continue };
                let last = flow.seen.last.at;
                let limit = match () {
                    () if flow.has_syn && flow.agreed.is_none() => ASKING,
                    () => IDLE,
                };
                if now.since(last) <= limit {
                    due = due.min(last.plus(limit));
                } else if let Ok(slot) = u32::try_from(index) {
                    self.end(slot, Why::Idle, around);
                }
            }
            self.due = Some(due);
        }
        if self.contents.len() > limits::LIVE_CONTENTS.saturating_mul(2) {
            let flows = &self.flows;
            self.contents
                .retain(|slot| flows.get(place(*slot)).is_some_and(|flow| flow.content.is_some()));
        }
    }

    /// Makes room: of all flows the eighth part that was quiet for the longest time ends.
    fn evict(&mut self, around: &mut Around<'_>) {
        let mut all: Vec<(bool, NonZeroU64, u32)> = self
            .flows
            .iter()
            .filter_map(|(index, flow)| {
                let scope = flow.content.as_ref().and_then(|content| content.scope());
                let in_scope =
                    scope.unwrap_or(flow.hint.as_ref().is_some_and(|(_, in_scope)| *in_scope));
                Some((in_scope, flow.seen.last.frame, u32::try_from(index).ok()?))
            })
            .collect();
        let count = all.len() / 8;
        if count > 0 && count < all.len() {
            all.select_nth_unstable(count);
        }
        let mut gone: Vec<_> = all.into_iter().take(count.max(1)).collect();
        gone.sort_unstable();
        for (_, _, slot) in gone {
            self.evicted = self.evicted.saturating_add(1);
            self.end(slot, Why::Evicted, around);
        }
    }

    /// Ends everything: the capture is over.
    pub(super) fn finish(&mut self, around: &mut Around<'_>) {
        for index in 0..self.flows.len() {
            if let Ok(slot) = u32::try_from(index)
                && self.flows.get(index).is_some()
            {
                self.end(slot, Why::CaptureEnd, around);
            }
        }
    }
}

/// A server that has a request and says nothing for so long does not answer it.
const SILENCE: Duration = Duration::from_secs(8);

/// How a flow ended for what its client had asked last.
fn fate(flow: &Flow) -> Fate {
    let [client, server] = &flow.sides;
    let asked = client.payload.map(|run| run.last.at);
    let answered = server.payload.map(|run| run.last.at);
    if asked.is_none() || answered > asked {
        return Fate::Open;
    }
    let by = flow.reset.map(|reset| reset.by);
    // What ends a session of TLS is sent last and asks for nothing.
    let request = client.last_request.map(|mark| mark.at).filter(|at| Some(*at) > answered);
    let left = client.fin.or(flow.reset.map(|reset| reset.mark)).map(|mark| mark.at);
    let is_given_up =
        request.or(asked).zip(left).is_some_and(|(asked, left)| left.since(asked) >= SILENCE);
    let is_first = |one: &Side, other: &Side| {
        one.fin.is_some_and(|fin| other.fin.is_none_or(|other| fin <= other))
    };
    match asked {
        Some(_) if is_first(server, client) => Fate::Cut,
        Some(_) if by == Some(Peer::Server) => Fate::Reset,
        Some(_) if by == Some(Peer::Client) || client.fin.is_some() => {
            if is_given_up {
                Fate::Silent
            } else {
                Fate::Left
            }
        }
        Some(asked) if flow.seen.last.at.since(asked) >= SILENCE => Fate::Silent,
        _ => Fate::Open,
    }
}

impl Header {
    /// The header that an ICMP error quotes.
    pub(super) const fn quoted(
        source: std::net::SocketAddr,
        destination: std::net::SocketAddr,
        sequence: u32,
    ) -> Self {
        Self {
            source,
            destination,
            sequence: Sequence(sequence),
            acknowledgement: None,
            is_syn: false,
        }
    }
}
