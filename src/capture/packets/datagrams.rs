//! Datagrams of UDP: lookups, QUIC, and what hides other traffic.
//!
//! Invariant: at most `limits::QUIC_FLOWS` flows are followed; of everything else a datagram leaves
//! no more than its number.

use std::net::SocketAddr;
use std::time::Duration;

use super::finish::{Place, version};
use super::flow::Run;
use super::lookups::Talk;
use super::stream_number::{NONE, Numbers, Pair};
use super::table::Around;
use crate::evidence::{
    Closed, Connection, Hello, HostName, LookupTransport, NamedBy, Opened, Protocol, Stream,
    StreamNumber, TlsHandshake, Traffic, Transport, Tunnel, Wire,
};
use crate::limits;
use crate::proto::community_id::community_id;
use crate::proto::dns::{self, DnsMessage};
use crate::proto::quic::{self, QuicFlow};
use crate::proto::tls::{Carrier, ClientHello, Ech, Seen, ServerHello};
use crate::proto::{Mark, Peer};
use crate::time::Span;

/// Ports of the protocols that are read or counted here (IANA).
mod port {
    pub(super) const DNS: u16 = 53;
    pub(super) const MDNS: u16 = 5353;
    pub(super) const LLMNR: u16 = 5355;
    pub(super) const DNS_OVER_TLS: u16 = 853;
    pub(super) const HTTPS: u16 = 443;
    pub(super) const IKE: u16 = 500;
    pub(super) const IKE_NAT: u16 = 4500;
    pub(super) const OPENVPN: u16 = 1194;
    pub(super) const WIREGUARD: u16 = 51_820;
    pub(super) const L2TP: u16 = 1701;
    /// Its messages have the form of lookups, and its names are of another kind.
    pub(super) const NETBIOS: u16 = 137;
}

/// A datagram with what is around it.
#[derive(Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) hop_limit: u8,
    pub(super) payload: &'a [u8],
    pub(super) length: u32,
    pub(super) mark: Mark,
}

/// The datagrams of one input.
#[derive(Default)]
pub(super) struct Datagrams {
    numbers: Numbers,
    /// Flows that began as QUIC; invariant: `free` holds the empty places.
    flows: Vec<Option<Box<Live>>>,
    free: Vec<u32>,
    turn: u32,
}

impl Datagrams {
    /// Takes a datagram, and says what of other traffic it hides.
    pub(super) fn take(
        &mut self,
        datagram: &Datagram<'_>,
        is_copy: bool,
        around: &mut Around<'_>,
    ) -> Option<Tunnel> {
        let pair = Pair::of(datagram.source, datagram.destination);
        let entry = self.numbers.datagram(&pair);
        let number = entry.map(|(number, _)| number);
        if is_copy {
            return None;
        }
        if let Some((number, slot)) = entry
            && self.is_quic(datagram, number, slot, &pair, around)
        {
            return None;
        }
        let ports = [datagram.source.port(), datagram.destination.port()];
        let has = |port: u16| ports.contains(&port);
        let transport = match () {
            () if has(port::DNS) => Some(LookupTransport::Udp),
            () if has(port::MDNS) => Some(LookupTransport::Mdns),
            () if has(port::LLMNR) => Some(LookupTransport::Llmnr),
            () => None,
        };
        if let Some(transport) = transport {
            let talk = Talk {
                from: datagram.source,
                to: datagram.destination,
                transport,
                stream: number.map(StreamNumber),
                input: around.input,
            };
            let marks = (datagram.mark, datagram.mark);
            if let Some(message) = dns::parse_at_port(datagram.payload) {
                around.lookups.message(&message, &talk, marks, around.into, around.scope);
            }
            return None;
        }
        let tunnel = hides(datagram, &has);
        if has(port::NETBIOS) {
            return None;
        }
        if tunnel.is_none()
            && datagram.payload.len() <= SHORT
            && let Some(message) = dns::parse(datagram.payload).filter(is_whole_lookup)
        {
            let talk = Talk {
                from: datagram.source,
                to: datagram.destination,
                transport: LookupTransport::Udp,
                stream: number.map(StreamNumber),
                input: around.input,
            };
            let marks = (datagram.mark, datagram.mark);
            around.lookups.message(&message, &talk, marks, around.into, around.scope);
        }
        tunnel
    }

    /// The number of the conversation that an ICMP error quotes.
    pub(super) fn quoted(&mut self, source: SocketAddr, destination: SocketAddr) {
        let _ = self.numbers.datagram(&Pair::of(source, destination));
    }
}

/// Bytes of the longest datagram that is taken for a lookup at another port (RFC 1035 section 2.3.4).
const SHORT: usize = 512;

/// Whether a message at another port than that of name servers leaves no doubt.
fn is_whole_lookup(message: &DnsMessage) -> bool {
    message.complete
        && message.questions == 1
        && message.opcode == 0
        && message.question.as_ref().is_some_and(|question| question.qclass == 1)
}

/// What a datagram hides, by its port and first bytes.
fn hides(datagram: &Datagram<'_>, has: &dyn Fn(u16) -> bool) -> Option<Tunnel> {
    let payload = datagram.payload;
    if payload.len() < 16 {
        return None;
    }
    let is_wireguard = matches!(payload, [1..=4, 0, 0, 0, ..]) && has(port::WIREGUARD);
    // DTLS as VPN clients use it beside TLS: its versions are counted down from 0xfeff.
    let is_dtls = matches!(payload, [20..=25, 0xfe, 0xfd | 0xff, ..]) && has(port::HTTPS);
    if has(port::DNS_OVER_TLS) {
        return Some(Tunnel::DnsOverTls);
    }
    let known = [port::IKE, port::IKE_NAT, port::OPENVPN, port::L2TP].into_iter().any(has);
    (is_wireguard || is_dtls || known).then_some(Tunnel::Vpn)
}

impl Datagrams {
    /// Whether a datagram is part of a QUIC connection that was seen to begin; it is read then.
    fn is_quic(
        &mut self,
        datagram: &Datagram<'_>,
        number: u32,
        slot: u32,
        pair: &Pair,
        around: &mut Around<'_>,
    ) -> bool {
        let place = |slot: u32| usize::try_from(slot).unwrap_or(usize::MAX);
        if slot != NONE
            && let Some(Some(live)) = self.flows.get_mut(place(slot))
        {
            live.take(datagram);
            return true;
        }
        if datagram.payload.len() < LONG_HEADER || !quic::probe(datagram.payload) {
            return false;
        }
        self.turn = self.turn.saturating_add(1);
        if self.turn >= TURN {
            self.sweep(datagram.mark, around);
        }
        if self.free.is_empty() && self.flows.len() >= limits::QUIC_FLOWS {
            self.sweep(datagram.mark, around);
            if self.free.is_empty() {
                return false;
            }
        }
        let hint = around.lookups.name_of(datagram.destination.ip()).cloned();
        let mut live = Box::new(Live::new(datagram, number, hint));
        live.take(datagram);
        let slot = if let Some(slot) = self.free.pop() {
            if let Some(free) = self.flows.get_mut(place(slot)) {
                *free = Some(live);
            }
            slot
        } else {
            self.flows.push(Some(live));
            u32::try_from(self.flows.len().saturating_sub(1)).unwrap_or(NONE)
        };
        self.numbers.bind(pair, slot);
        true
    }

    /// Ends what has been quiet for long.
    fn sweep(&mut self, mark: Mark, around: &mut Around<'_>) {
        self.turn = 0;
        for index in 0..self.flows.len() {
            let quiet = |live: &Live| mark.at.since(live.seen.last.at) > IDLE;
            let over = self.flows.get(index).and_then(Option::as_deref).is_some_and(quiet);
            if over {
                self.end(index, Closed::Idle, around);
            }
        }
    }

    fn end(&mut self, index: usize, closed: Closed, around: &mut Around<'_>) {
        let Some(live) = self.flows.get_mut(index).and_then(Option::take) else { return };
        if let Ok(slot) = u32::try_from(index) {
            self.free.push(slot);
            self.numbers.release(&Pair::of(live.client, live.server), slot, NONE);
        }
        let connection = live.connection(closed, around);
        around.into.add_connection(connection);
    }

    /// Ends the capture.
    pub(super) fn finish(&mut self, around: &mut Around<'_>) {
        for index in 0..self.flows.len() {
            self.end(index, Closed::CaptureEnd, around);
        }
    }
}

/// Bytes of the shortest datagram that can begin a connection: a long header (RFC 9000 section 17.2).
const LONG_HEADER: usize = 7;
/// A connection is given up after this time without a word (STYLE; RFC 9000 section 10.1 lets the
/// sides agree on any).
const IDLE: Duration = Duration::from_mins(1);
/// Connections that begin between two looks for what is over.
const TURN: u32 = 256;

/// A live QUIC connection.
struct Live {
    client: SocketAddr,
    server: SocketAddr,
    number: u32,
    seen: Run,
    sides: [(Option<Run>, Traffic); 2],
    hint: Option<HostName>,
    flow: QuicFlow,
    hello: Option<(Box<ClientHello>, Mark, Mark)>,
    server_hello: Option<Mark>,
    version: Option<u16>,
}

impl Live {
    fn new(datagram: &Datagram<'_>, number: u32, hint: Option<HostName>) -> Self {
        Self {
            client: datagram.source,
            server: datagram.destination,
            number,
            seen: Run { first: datagram.mark, last: datagram.mark },
            sides: [(None, Traffic::default()), (None, Traffic::default())],
            hint,
            flow: QuicFlow::new(),
            hello: None,
            server_hello: None,
            version: None,
        }
    }

    fn take(&mut self, datagram: &Datagram<'_>) {
        let from = if datagram.source == self.client { Peer::Client } else { Peer::Server };
        let [client, server] = &mut self.sides;
        let (run, traffic) = if from == Peer::Client { client } else { server };
        Run::add(run, datagram.mark);
        traffic.segments = traffic.segments.saturating_add(1);
        traffic.with_payload = traffic.with_payload.saturating_add(1);
        traffic.bytes = traffic.bytes.saturating_add(u64::from(datagram.length));
        traffic.hop_limit.get_or_insert(datagram.hop_limit);
        self.seen.last = datagram.mark;
        self.flow.datagram(from, datagram.payload, datagram.mark);
        if self.hello.is_none()
            && let Some((bytes, first, last)) = self.flow.take_client_hello()
        {
            self.hello = read_hello(&bytes, first, last);
        }
        if self.server_hello.is_none()
            && let Some((bytes, first, last)) = self.flow.take_server_hello()
        {
            self.server_hello = Some(last);
            let seen = seen(&bytes, first, last);
            self.version = bytes
                .get(HEADER..)
                .and_then(|body| ServerHello::parse(body, seen))
                .map(|hello| hello.version);
        }
    }

    fn connection(self, closed: Closed, around: &mut Around<'_>) -> Connection {
        let number = StreamNumber(self.number);
        let stream = Some(Stream { transport: Transport::Quic, number });
        let place = Place { input: around.input, stream };
        let facts = self.flow.facts();
        let sni = self.hello.as_ref().and_then(|(hello, ..)| hello.sni.as_deref());
        let name = sni.and_then(|sni| around.into.host(sni));
        let (name, named_by) = match name {
            Some(name) => (Some(name), Some(NamedBy::ServerName)),
            None => (self.hint.clone(), self.hint.as_ref().map(|_| NamedBy::Lookup)),
        };
        let in_scope = name.as_ref().is_some_and(|name| around.scope.covers(name.as_str(), "/"));
        let both = facts.client.one_rtt.is_some() && facts.server.one_rtt.is_some();
        let [(client, client_traffic), (server, server_traffic)] = self.sides;
        let span = |run: Run| Span::new(run.first.at, run.last.at);
        let answered = facts.server.initial > 0
            || facts.server.handshake > 0
            || facts.server.short > 0
            || facts.retry.is_some();
        let opened = if answered {
            let rtt = client.zip(server).map(|(asked, came)| came.first.at.since(asked.first.at));
            Opened::Established { rtt }
        } else {
            Opened::Unanswered { tries: u8::try_from(facts.client.initial).unwrap_or(u8::MAX) }
        };
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let tls = self.hello.as_ref().map(|(hello, first, last)| {
            Box::new(TlsHandshake {
                version: self.version.and_then(version),
                offered: version(hello.highest_version()),
                offered_ciphers: hello.ciphers,
                completed: Some(both),
                hello: Some(Hello {
                    length: hello.length,
                    segments: hello.segments,
                    is_post_quantum: hello.has_post_quantum_share(),
                    has_encrypted_hello: hello.ech != Ech::None,
                    at: place.frames(first.frame, last.frame),
                }),
                server_hello: self.server_hello.map(|mark| place.at(mark)),
                application: [count(facts.client.short), count(facts.server.short)],
                ..TlsHandshake::default()
            })
        });
        let ja4 = self.hello.as_ref().and_then(|(hello, ..)| hello.ja4.as_ref());
        let wire = Wire {
            traffic: [client_traffic, server_traffic],
            tries: u8::try_from(facts.client.initial).unwrap_or(u8::MAX),
            asked: client.map(span),
            is_one_sided: false,
            icmp: None,
            reset: None,
            ended: [None; 2],
            waiting: 0,
            last_request: None,
            payload: [client.map(span), server.map(span)],
            dropped: None,
            stall: [None; 2],
            is_proxied: false,
            torn: [false; 2],
            is_read: false,
            protocol: Protocol::Quic,
            polls: None,
            community_id: community_id(UDP, self.client, self.server).into(),
            ja4: ja4.map(|ja4| ja4.as_str().into()),
        };
        let (first, last) = (self.seen.first, self.seen.last);
        Connection {
            transport: Transport::Quic,
            stream: Some(number),
            client: Some(self.client),
            server: Some(self.server),
            server_name: name,
            named_by,
            opened,
            closed: if facts.connection_close.is_some() { Closed::Fin } else { closed },
            tls,
            wire: Some(Box::new(wire)),
            in_scope,
            span: Some(Span::new(first.at, last.at)),
            at: place.frames(first.frame, last.frame),
        }
    }
}

/// Bytes before the body of a handshake message (RFC 8446 section 4).
const HEADER: usize = 4;
/// The number of UDP among the protocols of IP.
const UDP: u8 = 17;

fn seen(bytes: &[u8], first: Mark, last: Mark) -> Seen {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let segments = if first.frame == last.frame { 1 } else { 2 };
    Seen { first, mark: last, segments, length, is_whole: true }
}

fn read_hello(bytes: &[u8], first: Mark, last: Mark) -> Option<(Box<ClientHello>, Mark, Mark)> {
    let seen = seen(bytes, first, last);
    let hello = ClientHello::parse(bytes.get(HEADER..)?, Carrier::Quic, seen)?;
    Some((Box::new(hello), first, last))
}
