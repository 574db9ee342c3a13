//! A live TCP connection: what its segments tell while they pass.
//!
//! It must not know what a host means; what its bytes are is told by [`Content`].
//!
//! Invariant: its size is fixed but for its content, which is only there where somebody may need it.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use super::content::Content;
use super::context::Context;
use super::inside::Told;
use crate::evidence::{HostName, IcmpKind, REQUEST_BYTES};
use crate::proto::tcp::{Kind, Pool, Sequence, Track, Unit};
use crate::proto::{Mark, Peer};
use crate::time::Timestamp;

/// Flags of a TCP header (RFC 9293 section 3.1).
pub(super) mod flag {
    pub(in crate::capture::packets) const FIN: u16 = 0x01;
    pub(in crate::capture::packets) const SYN: u16 = 0x02;
    pub(in crate::capture::packets) const RST: u16 = 0x04;
    pub(in crate::capture::packets) const ACK: u16 = 0x10;
}

/// A segment with what is around it.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) hop_limit: u8,
    pub(super) ip_id: Option<u16>,
    pub(super) sequence: Sequence,
    pub(super) acknowledgement: Sequence,
    pub(super) flags: u16,
    pub(super) window: u16,
    pub(super) payload: &'a [u8],
    /// Bytes of payload on the wire.
    pub(super) length: u32,
    /// Whether the system dropped it.
    pub(super) is_dropped: bool,
    pub(super) mark: Mark,
}

impl Segment<'_> {
    pub(super) const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn ack(&self) -> Option<Sequence> {
        self.has(flag::ACK).then_some(self.acknowledgement)
    }
}

/// First and last of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: Mark,
    pub(super) last: Mark,
}

impl Run {
    pub(super) fn add(slot: &mut Option<Self>, mark: Mark) {
        match slot {
            Some(run) => run.last = mark,
            None => *slot = Some(Self { first: mark, last: mark }),
        }
    }
}

/// What one side did.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) track: Track,
    /// Bytes of payload since the other side sent some, and when a segment of the size of a request
    /// came last.
    pub(super) since_other: u32,
    pub(super) hop_limit: Option<u8>,
    pub(super) payload: Option<Run>,
    pub(super) last_request: Option<Mark>,
    pub(super) fin: Option<Mark>,
    /// The last frame that showed that the capture lacks bytes of this side which the other side got,
    /// and the last one of this side that the capture cut.
    pub(super) missed: Option<NonZeroU64>,
    pub(super) cut: Option<NonZeroU64>,
}

impl Side {
    /// The last frame that showed that the capture lacks bytes of this side.
    pub(super) fn lacks(&self) -> Option<NonZeroU64> {
        self.missed.filter(|_| self.track.missing > 0).max(self.cut)
    }
}

/// An ICMP error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Icmp {
    pub(super) kind: IcmpKind,
    pub(super) code: u8,
    pub(super) from: std::net::IpAddr,
    pub(super) mtu: Option<u32>,
    pub(super) mark: Mark,
}

/// A reset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    pub(super) by: Peer,
    pub(super) hop_limit: u8,
    pub(super) mark: Mark,
}

/// How often a small request got a small answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beat {
    pub(super) count: u32,
    pub(super) last: Option<Timestamp>,
    /// Sum of the times between two, in milliseconds.
    pub(super) sum: u64,
}

/// A live TCP connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Flow {
    pub(super) client: SocketAddr,
    pub(super) number: Option<u32>,
    /// Whether its first packet asked for it.
    pub(super) has_syn: bool,
    /// Whether the connection was followed before, given up, and came back: then it is counted already.
    pub(super) is_again: bool,
    /// Whether it has come to its end, by a reset or by both sides, so that only stragglers can follow.
    pub(super) is_over: bool,
    /// Whether its content holds bytes that wait for others.
    pub(super) waits: bool,
    /// Whether its content was given up for want of room, and what it told until then.
    pub(super) is_blind: bool,
    pub(super) tries: u8,
    pub(super) content: Option<Box<Content>>,
    /// Bytes that its content holds, or that what it told takes, as far as they are counted.
    pub(super) weight: usize,
    pub(super) seen: Run,
    pub(super) beat: Beat,
    pub(super) sides: [Side; 2],
    pub(super) server: SocketAddr,
    /// Frames in which the client asked, and the server agreed.
    pub(super) asked: Option<Run>,
    pub(super) agreed: Option<Mark>,
    pub(super) reset: Option<Reset>,
    /// What few connections have takes no room in the others.
    pub(super) icmp: Option<Box<Icmp>>,
    pub(super) dropped: Option<Box<(u32, Mark)>>,
    /// The name that the client had looked up for the address, and whether it is one of a sign-in.
    pub(super) hint: Option<(HostName, bool)>,
    pub(super) told: Option<Box<Told>>,
}

/// A capture may hold packets out of order by this much: what opens a connection behind what follows,
/// what fills a hole behind what acknowledges it, what is answered behind its answer.
pub(super) const LATE: Duration = Duration::from_millis(50);

/// Ports below this are those of services (RFC 6335 section 6).
const SYSTEM_PORTS: u16 = 1024;
/// Ports at which proxies and other servers listen above those.
const SERVERS: [u16; 12] = [1080, 1433, 3128, 3389, 5061, 8000, 8080, 8081, 8443, 8888, 9000, 9443];

/// Which side opened the connection: by its SYN, or else by the ports.
pub(super) fn opener(segment: &Segment<'_>) -> (SocketAddr, SocketAddr) {
    let (from, to) = (segment.source, segment.destination);
    if segment.has(flag::SYN) {
        return if segment.has(flag::ACK) { (to, from) } else { (from, to) };
    }
    let is_server = |at: SocketAddr| at.port() < SYSTEM_PORTS || SERVERS.contains(&at.port());
    match (is_server(from), is_server(to)) {
        (true, false) => (to, from),
        (false, true) => (from, to),
        _ if from.port() < to.port() => (to, from),
        _ => (from, to),
    }
}

impl Flow {
    pub(super) fn new(segment: &Segment<'_>, number: Option<u32>) -> Self {
        let (client, server) = opener(segment);
        let opens = segment.has(flag::SYN);
        Self {
            client,
            server,
            number,
            has_syn: opens && !segment.has(flag::RST),
            is_again: false,
            is_over: false,
            waits: false,
            asked: None,
            agreed: None,
            tries: 0,
            seen: Run { first: segment.mark, last: segment.mark },
            sides: [Side::default(), Side::default()],
            reset: None,
            icmp: None,
            dropped: None,
            beat: Beat::default(),
            hint: None,
            content: None,
            is_blind: false,
            told: None,
            weight: 0,
        }
    }

    /// The name that the client had looked up for the address.
    pub(super) fn hinted(&self) -> Option<&HostName> {
        self.hint.as_ref().map(|(name, _)| name)
    }

    const fn side_mut(&mut self, peer: Peer) -> &mut Side {
        let [client, server] = &mut self.sides;
        match peer {
            Peer::Client => client,
            Peer::Server => server,
        }
    }

    pub(super) fn sender(&self, segment: &Segment<'_>) -> Peer {
        if segment.source == self.client { Peer::Client } else { Peer::Server }
    }

    /// Takes a segment; `true` when its payload is new, so that its content is to be looked at.
    pub(super) fn take(&mut self, segment: &Segment<'_>) -> bool {
        let peer = self.sender(segment);
        let mark = segment.mark;
        self.seen.last = mark;
        if segment.is_dropped {
            let (count, _) = &mut **self.dropped.get_or_insert_with(|| Box::new((0, mark)));
            *count = count.saturating_add(1);
        }
        let unit = Unit {
            sequence: segment.sequence,
            length: segment.length,
            is_syn: segment.has(flag::SYN),
            is_fin: segment.has(flag::FIN),
            ip_id: segment.ip_id,
            signature: u64::from(segment.acknowledgement.0) << 32
                | u64::from(segment.flags) << 16
                | u64::from(segment.window),
            at: mark.at,
        };
        let side = self.side_mut(peer);
        side.hop_limit.get_or_insert(segment.hop_limit);
        let kind = if segment.has(flag::RST) { Kind::Empty } else { side.track.segment(&unit) };
        if matches!(kind, Kind::Copy | Kind::Foreign) {
            return false;
        }
        if segment.payload.len() < usize::try_from(segment.length).unwrap_or(usize::MAX) {
            self.side_mut(peer).cut = Some(mark.frame);
        }
        if let Some(ack) = segment.ack().filter(|_| !segment.has(flag::RST)) {
            let other = self.side_mut(peer.other());
            let before = other.track.missing;
            other.track.acknowledge(ack);
            if other.track.missing > before {
                other.missed = Some(mark.frame);
            }
        }
        if segment.has(flag::SYN) {
            self.opens(segment, peer);
        }
        if segment.has(flag::RST) {
            if self.reset.is_none() {
                self.reset = Some(Reset { by: peer, hop_limit: segment.hop_limit, mark });
                self.is_over = true;
            }
            return false;
        }
        if segment.has(flag::FIN) {
            self.side_mut(peer).fin.get_or_insert(mark);
            self.is_over |= self.sides.iter().all(|side| side.fin.is_some());
        }
        let side = self.side_mut(peer);
        if segment.length == 0 || matches!(kind, Kind::KeepAlive) {
            return false;
        }
        if kind != Kind::Repeated {
            Run::add(&mut side.payload, mark);
            side.since_other = side.since_other.saturating_add(segment.length);
            if segment.length >= REQUEST_BYTES {
                side.last_request = Some(mark);
            }
            self.side_mut(peer.other()).since_other = 0;
            self.beats(peer, segment);
        }
        true
    }

    fn opens(&mut self, segment: &Segment<'_>, peer: Peer) {
        // It may have been captured a little behind what came after it.
        let is_opener = segment.has(flag::ACK) == (peer == Peer::Server);
        if is_opener && segment.mark.at.since(self.seen.first.at) <= LATE {
            self.has_syn = true;
        }
        if segment.has(flag::ACK) {
            if peer == Peer::Server {
                self.agreed.get_or_insert(segment.mark);
            }
            return;
        }
        if peer == Peer::Client {
            self.tries = self.tries.saturating_add(1);
            Run::add(&mut self.asked, segment.mark);
        }
    }

    /// Counts short requests that follow each other slowly.
    fn beats(&mut self, peer: Peer, segment: &Segment<'_>) {
        const SHORT: u32 = 4_096;
        if peer == Peer::Server {
            return;
        }
        let at = segment.mark.at;
        if let Some(last) = self.beat.last {
            let between = u64::try_from(at.since(last).as_millis()).unwrap_or(u64::MAX);
            if segment.length <= SHORT && (700..=15_000).contains(&between) {
                self.beat.count = self.beat.count.saturating_add(1);
                self.beat.sum = self.beat.sum.saturating_add(between);
            } else if between > 15_000 {
                self.beat = Beat::default();
            }
        }
        self.beat.last = Some(at);
    }

    /// Looks at the payload of a segment that was taken.
    pub(super) fn look(
        &mut self,
        segment: &Segment<'_>,
        pool: &mut Pool,
        context: &mut Context<'_>,
    ) {
        let peer = self.sender(segment);
        let first = [self.sides[0].track.isn(), self.sides[1].track.isn()];
        let has_syn = self.has_syn;
        let Some(inside) = self.content.as_mut() else { return };
        inside.open(first, has_syn);
        inside.segment(peer, segment, pool, context);
        self.waits = inside.is_waiting();
    }
}
