//! What the bytes of a connection are: found out from the first of them, then read as they come.
//!
//! A protocol may hold another one: a proxy that grants a tunnel is followed by what travels in the
//! tunnel, and TLS that keys open by what was said in it. Nothing here knows a host.
//!
//! Invariant: what is held is bounded by the readers in `proto`.

use super::clear;
use super::context::{Context, Cover};
use super::lookups::Talk;
use super::opening::Opening;
use crate::evidence::{HostName, LookupTransport, NamedBy, Protocol};
use crate::limits;
use crate::proto::dns::{self, DnsOverTcp};
use crate::proto::http1_stream::{HttpEvent, HttpStream, probe_request, probe_response};
use crate::proto::http2::{Http2Event, Http2Stream};
use crate::proto::socks::{Socks, SocksHost, SocksState};
use crate::proto::tcp::Piece;
use crate::proto::tls::{Access, CertificateFacts, ClientHello, TlsFacts, TlsStream};
use crate::proto::{Mark, Peer, Probe};

/// Ports of name servers, and of those that are asked over the link.
const DNS: [u16; 2] = [53, 5353];
/// Ports at which TLS is spoken from the first byte.
const TLS: [u16; 4] = [443, 853, 993, 8443];

/// Records of application data from each side behind which a connection of TLS is in full swing: in
/// TLS 1.3 the end of the handshake looks like them.
const SETTLED: u64 = 2;

/// What is spoken.
#[expect(clippy::large_enum_variant, reason = "most are TLS, and a box more is a jump more")]
enum Layer {
    Dns(Box<[DnsOverTcp; 2]>),
    Http(Box<HttpStream>),
    Http2(Box<Http2Stream>),
    Other,
    Socks(Box<Socks>),
    Tls(TlsStream),
    /// Not known yet: the first bytes of each side, with their frames.
    Undecided([Vec<u8>; 2], Option<Mark>),
}

/// What a connection was found to hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Box<TlsFacts>>,
    pub(super) name: Option<(HostName, NamedBy)>,
    pub(super) is_proxied: bool,
    /// Whether the last record of TLS of each side is there in part only.
    pub(super) torn: [bool; 2],
    /// What keys made of its records, and bytes that they left closed; `None` where there are no keys.
    pub(super) access: Option<(Access, u64)>,
    /// Whether requests were read that had been encrypted.
    pub(super) is_read: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Inside {
    layer: Layer,
    /// Whether what is still to come tells nothing that anyone needs.
    is_settled: bool,
    /// Whether a tunnel of SOCKS was entered just now.
    has_entered: bool,
    depth: usize,
    protocol: Protocol,
    is_mid_stream: bool,
    name: Option<(HostName, NamedBy)>,
    /// Whether the name is one of a sign-in.
    in_scope: bool,
    is_proxied: bool,
    /// How many hellos and certificates were read, and the bytes they take.
    known: (usize, usize),
    /// What is inside of TLS, where there are keys.
    opening: Option<Box<Opening>>,
}

impl Told {
    /// Bytes that it takes beside itself.
    pub(super) fn weight(&self) -> usize {
        self.tls.as_deref().map_or(0, |facts| size_of::<TlsFacts>().saturating_add(weight(facts)))
    }
}

/// Bytes that facts about a handshake take beside themselves: what a hostile peer can make long.
fn weight(facts: &TlsFacts) -> usize {
    let hello = |hello: &ClientHello| {
        let names = hello.alpn.iter().map(|name| name.len().saturating_add(size_of::<String>()));
        let lists = [&hello.versions, &hello.groups, &hello.shares];
        let numbers = lists.into_iter().map(|list| list.capacity().saturating_mul(2));
        names.chain(numbers).fold(size_of::<ClientHello>(), usize::saturating_add)
    };
    let certificate = |one: &CertificateFacts| {
        let names =
            one.names.iter().map(|name| name.capacity().saturating_add(size_of::<String>()));
        let own = size_of::<CertificateFacts>()
            .saturating_add(one.subject.capacity())
            .saturating_add(one.issuer.capacity());
        // The parts of names that are kept once more are no longer than those.
        names.fold(own.saturating_mul(2), usize::saturating_add)
    };
    let hellos = facts.client_hellos.iter().map(hello);
    hellos.chain(facts.certificates.iter().map(certificate)).fold(0, usize::saturating_add)
}

impl Inside {
    /// An inside that lies behind so many proxies.
    pub(super) const fn new(depth: usize) -> Self {
        Self {
            layer: Layer::Undecided([Vec::new(), Vec::new()], None),
            is_settled: false,
            has_entered: false,
            depth,
            protocol: Protocol::Nothing,
            is_mid_stream: false,
            name: None,
            in_scope: false,
            is_proxied: false,
            known: (0, 0),
            opening: None,
        }
    }

    /// Makes it that of a connection that begins.
    pub(super) fn renew(&mut self) {
        self.layer = Layer::Undecided([Vec::new(), Vec::new()], None);
        self.is_settled = false;
        self.has_entered = false;
        self.depth = 0;
        self.protocol = Protocol::Nothing;
        self.is_mid_stream = false;
        self.name = None;
        self.in_scope = false;
        self.is_proxied = false;
        self.known = (0, 0);
        self.opening = None;
    }

    /// Says whether its connection was seen to open.
    pub(super) const fn begins(&mut self, has_syn: bool) {
        self.is_mid_stream = !has_syn;
    }

    /// Whether what is still to come tells nothing that anyone needs.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether there is a name so far, and if so, whether it is one of a sign-in.
    pub(super) fn scope(&self) -> Option<bool> {
        self.name.as_ref().map(|_| self.in_scope)
    }

    /// Whether a tunnel of SOCKS was entered since this was asked.
    pub(super) const fn take_entered(&mut self) -> bool {
        std::mem::replace(&mut self.has_entered, false)
    }

    /// Bytes that its layer takes beside what is held of it.
    pub(super) const fn own(&self) -> usize {
        match self.layer {
            Layer::Dns(_) => size_of::<[DnsOverTcp; 2]>(),
            Layer::Http(_) => size_of::<HttpStream>(),
            Layer::Http2(_) => size_of::<Http2Stream>(),
            Layer::Other | Layer::Tls(_) | Layer::Undecided(..) => 0,
            Layer::Socks(_) => size_of::<Socks>(),
        }
    }

    /// Bytes that are held of it.
    pub(super) fn held(&mut self) -> usize {
        let opening = self.opening.as_mut().map_or(0, |opening| opening.held());
        let Self { layer, known, .. } = self;
        let own = match layer {
            Layer::Dns(sides) => {
                let [client, server] = &**sides;
                client.held().saturating_add(server.held())
            }
            Layer::Http(stream) => stream.held(),
            Layer::Http2(stream) => stream.held(),
            Layer::Other => 0,
            Layer::Socks(_) => limits::SOCKS_HELD.saturating_add(limits::EARLY_BYTES),
            Layer::Tls(stream) => {
                let facts = stream.facts();
                let count = facts.client_hellos.len().saturating_add(facts.certificates.len());
                if known.0 != count {
                    *known = (count, weight(facts));
                }
                stream.held().saturating_add(known.1)
            }
            Layer::Undecided(sides, _) => {
                sides.iter().map(Vec::capacity).fold(0, usize::saturating_add)
            }
        };
        own.saturating_add(opening)
    }

    pub(super) fn piece(&mut self, peer: Peer, piece: Piece<'_>, context: &mut Context<'_>) {
        match piece {
            Piece::Data(bytes, mark) => self.data(peer, bytes, mark, context),
            Piece::Gap(length, mark) => self.gap(peer, length, mark, context),
        }
    }

    pub(super) fn data(&mut self, peer: Peer, bytes: &[u8], mark: Mark, context: &mut Context<'_>) {
        let mut rest = bytes;
        // Each round either takes all or enters a tunnel, of which there are few.
        for _ in 0..=limits::PROXIES {
            let taken = match &mut self.layer {
                Layer::Dns(sides) => {
                    let [client, server] = &mut **sides;
                    let (reader, talk) = match peer {
                        Peer::Client => (client, Talk::from_client(context)),
                        Peer::Server => (server, Talk::from_server(context)),
                    };
                    let Context { into, lookups, scope, .. } = context;
                    reader.data(rest, mark, &mut |message, first, last| {
                        if let Some(message) = dns::parse_at_port(message) {
                            lookups.message(&message, &talk, (first, last), into, scope);
                        }
                    });
                    rest.len()
                }
                Layer::Http(stream) => {
                    let taken = stream.data(peer, rest, mark, &mut |event| http1(event, context));
                    self.take_name(context);
                    taken
                }
                Layer::Http2(stream) => {
                    stream.data(peer, rest, mark, &mut |event| http2(event, context));
                    self.take_name(context);
                    rest.len()
                }
                Layer::Other => rest.len(),
                Layer::Socks(socks) => socks.data(peer, rest, mark),
                Layer::Tls(stream) => {
                    stream.data(peer, rest, mark);
                    self.read_name(context);
                    if let (Layer::Tls(stream), Some(opening)) =
                        (&mut self.layer, &mut self.opening)
                    {
                        let cover = Cover {
                            is_opened: true,
                            is_proxied: self.is_proxied,
                            name: self.name.as_ref().map(|(name, _)| name.clone()),
                            ..Cover::default()
                        };
                        opening.data(peer, rest, mark, cover, stream, context);
                    }
                    self.settle();
                    rest.len()
                }
                Layer::Undecided(..) => {
                    self.decide(peer, rest, mark, context);
                    rest.len()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
            if rest.is_empty() || !self.enter(context) {
                return;
            }
        }
    }

    /// Finds out what is spoken, by the first bytes.
    fn decide(&mut self, peer: Peer, bytes: &[u8], mark: Mark, context: &mut Context<'_>) {
        let Layer::Undecided(held, first) = &mut self.layer else { return };
        let earliest = *first.get_or_insert(mark);
        let [client, server] = held;
        let own = match peer {
            Peer::Client => client,
            Peer::Server => server,
        };
        let joined = (!own.is_empty()).then(|| {
            own.extend_from_slice(bytes.get(..limits::UNDECIDED).unwrap_or(bytes));
            std::mem::take(own)
        });
        let start = joined.as_deref().unwrap_or(bytes);
        let port = context.server.port();
        // Most are TLS, and the others need not be asked then.
        let by_tls = TlsStream::probe(start);
        let (by_http, by_http2) = match peer {
            _ if by_tls == Probe::Certain => (Probe::No, Probe::No),
            Peer::Client => (probe_request(start), Http2Stream::probe(start)),
            Peer::Server => (probe_response(start), Http2Stream::probe_server(start)),
        };
        let (layer, protocol) = if DNS.contains(&port) && self.depth == 0 {
            let sides = Box::new([DnsOverTcp::new(), DnsOverTcp::new()]);
            (Layer::Dns(sides), Protocol::Dns)
        } else if by_tls == Probe::Certain {
            let mut stream = TlsStream::new();
            if self.is_mid_stream {
                stream.start_mid_stream();
            }
            self.try_keys(context);
            (Layer::Tls(stream), Protocol::Tls)
        } else if by_http2 == Probe::Certain && (peer == Peer::Client || context.cover.is_opened) {
            let stream = Http2Stream::new().with_bodies(bodies(context));
            (Layer::Http2(Box::new(stream)), Protocol::Http)
        } else if by_http == Probe::Certain && by_http2 == Probe::No {
            let stream = if context.cover.is_opened {
                HttpStream::new().with_bodies(bodies(context))
            } else {
                HttpStream::new()
            };
            (Layer::Http(Box::new(stream)), Protocol::Http)
        } else if peer == Peer::Client && is_socks(start, port) && !self.is_mid_stream {
            (Layer::Socks(Box::default()), Protocol::Socks)
        } else if [by_tls, by_http, by_http2].contains(&Probe::Unsure)
            && start.len() < limits::UNDECIDED
        {
            let kept = start.to_vec();
            if let Layer::Undecided([client, server], _) = &mut self.layer {
                match peer {
                    Peer::Client => *client = kept,
                    Peer::Server => *server = kept,
                }
            }
            return;
        } else if self.is_mid_stream && TLS.contains(&port) {
            let mut stream = TlsStream::new();
            stream.start_mid_stream();
            (Layer::Tls(stream), Protocol::Tls)
        } else {
            (Layer::Other, Protocol::Unknown)
        };
        self.layer = layer;
        // Inside a tunnel that holds nothing known the proxy stays what was spoken.
        if self.depth == 0 || protocol != Protocol::Unknown {
            self.protocol = protocol;
        }
        if matches!(self.layer, Layer::Other) {
            self.is_settled = self.depth == 0;
        } else {
            let mark = if joined.is_some() { earliest } else { mark };
            self.data(peer, start, mark, context);
        }
    }

    /// Enters the tunnel that was granted; `false` where there is none.
    fn enter(&mut self, context: &mut Context<'_>) -> bool {
        let (name, early) = match &mut self.layer {
            Layer::Http(stream) => {
                let authority = stream.tunnel().map(str::to_owned);
                let early = stream.take_early();
                (authority.and_then(|text| clear::authority(&text, context)), early)
            }
            Layer::Socks(socks) if socks.state() == SocksState::Granted => {
                self.has_entered = true;
                let name = socks.facts().target.as_ref().and_then(|target| match &target.host {
                    SocksHost::Name(name) => context.into.host(name),
                    SocksHost::Address(address) => context.into.host(&address.to_string()),
                });
                (name, socks.take_early())
            }
            _ => return false,
        };
        if self.depth >= limits::PROXIES {
            self.layer = Layer::Other;
            return false;
        }
        self.depth = self.depth.saturating_add(1);
        self.is_proxied = true;
        self.opening = None;
        if let Some(name) = name {
            self.call(name, NamedBy::Request, context);
        }
        self.layer = Layer::Undecided([Vec::new(), Vec::new()], None);
        for (bytes, mark) in early.pieces() {
            self.data(Peer::Client, bytes, mark, context);
        }
        true
    }

    /// Gives it a name.
    fn call(&mut self, name: HostName, by: NamedBy, context: &Context<'_>) {
        self.in_scope = context.scope.covers(name.as_str(), "/");
        self.name = Some((name, by));
    }

    /// Takes the name that a request gave.
    fn take_name(&mut self, context: &mut Context<'_>) {
        if let Some(name) = context.cover.asked.take() {
            self.call(name, NamedBy::Request, context);
        }
    }

    fn read_name(&mut self, context: &mut Context<'_>) {
        let Layer::Tls(stream) = &self.layer else { return };
        if matches!(self.name, Some((_, NamedBy::ServerName))) {
            return;
        }
        let sni = stream.facts().client_hellos.iter().find_map(|hello| hello.sni.as_deref());
        if let Some(name) = sni.and_then(|sni| context.into.host(sni)) {
            self.call(name, NamedBy::ServerName, context);
        }
    }

    /// Finds out whether a connection of TLS tells no more: its handshake is over, data went both
    /// ways, and its name belongs to no sign-in.
    fn settle(&mut self) {
        let Layer::Tls(stream) = &self.layer else { return };
        let Some((_, NamedBy::ServerName)) = &self.name else { return };
        let data = &stream.facts().application;
        let least = data.client.count.min(data.server.count);
        let is_read = self.opening.as_ref().is_some_and(|opening| !opening.is_hopeless());
        if least >= SETTLED && !self.in_scope && !is_read && stream.is_handshake_over() {
            self.is_settled = true;
        }
    }

    fn gap(&mut self, peer: Peer, length: u64, mark: Mark, context: &mut Context<'_>) {
        match &mut self.layer {
            Layer::Dns(sides) => {
                let [client, server] = &mut **sides;
                match peer {
                    Peer::Client => client.gap(),
                    Peer::Server => server.gap(),
                }
            }
            Layer::Http(stream) => {
                stream.gap(peer, length, mark, &mut |event| http1(event, context));
            }
            Layer::Http2(stream) => stream.gap(peer, mark, &mut |event| http2(event, context)),
            Layer::Socks(socks) => socks.gap(peer, length),
            Layer::Tls(stream) => {
                stream.gap(peer, length, mark);
                if let Some(opening) = &mut self.opening {
                    opening.gap(peer, length, mark, stream, context);
                }
            }
            Layer::Other => {}
            Layer::Undecided(..) => self.is_mid_stream = true,
        }
    }

    pub(super) fn end(&mut self, peer: Peer, mark: Mark, context: &mut Context<'_>) {
        match &mut self.layer {
            Layer::Http(stream) => stream.end(peer, mark, &mut |event| http1(event, context)),
            Layer::Http2(stream) => stream.end(peer, mark, &mut |event| http2(event, context)),
            _ => {}
        }
        self.take_name(context);
        if let Some(opening) = &mut self.opening {
            opening.end(peer, mark, context);
        }
    }

    /// Passes over plain text of unknown length that is missing.
    pub(super) fn lost(&mut self, peer: Peer, mark: Mark, context: &mut Context<'_>) {
        match &mut self.layer {
            Layer::Http(stream) => stream.lost(peer, mark, &mut |event| http1(event, context)),
            Layer::Http2(stream) => stream.gap(peer, mark, &mut |event| http2(event, context)),
            Layer::Undecided(..) => self.is_mid_stream = true,
            Layer::Dns(_) | Layer::Other | Layer::Socks(_) | Layer::Tls(_) => {
                self.gap(peer, 1, mark, context);
            }
        }
    }

    /// Makes ready to open records, where there are keys.
    fn try_keys(&mut self, context: &Context<'_>) {
        if !context.keys.is_empty() && self.opening.is_none() && self.depth <= limits::PROXIES {
            let depth = self.depth.saturating_add(1);
            self.opening = Some(Box::new(Opening::new(depth, self.is_mid_stream)));
        }
    }

    /// The protocol that the handshake around it agreed on, for what began before it could be read.
    pub(super) fn expect_http2(&mut self, context: &Context<'_>) {
        if matches!(self.layer, Layer::Undecided(..)) {
            let mut stream = Http2Stream::new().with_bodies(bodies(context));
            stream.start_mid_stream();
            self.layer = Layer::Http2(Box::new(stream));
            self.protocol = Protocol::Http;
        }
    }

    /// Whether bytes were lost before it was known what they are.
    pub(super) const fn is_lost(&self) -> bool {
        self.is_mid_stream && matches!(self.layer, Layer::Undecided(..))
    }

    pub(super) fn finish(&mut self, context: &mut Context<'_>) -> Told {
        match &mut self.layer {
            Layer::Http(stream) => stream.finish(&mut |event| http1(event, context)),
            Layer::Http2(stream) => stream.finish(&mut |event| http2(event, context)),
            Layer::Socks(socks) => clear::socks(socks.facts(), context),
            _ => {}
        }
        self.take_name(context);
        let opened = self.opening.take().map(|opening| opening.finish(context));
        // A tunnel that was used although its grant was not captured; other requests enter nothing.
        if !matches!(&self.layer, Layer::Http(stream) if stream.tunnel().is_none()) {
            self.enter(context);
        }
        let is_wanted = !context.into.is_full_of_others() || self.in_scope || self.name.is_none();
        let (tls, torn) = match &mut self.layer {
            Layer::Tls(stream) => {
                // Of a connection that is not read to its end the last record is not known.
                let is_read = !self.is_settled;
                let torn = [Peer::Client, Peer::Server].map(|peer| is_read && stream.is_torn(peer));
                // Of a connection that will only be counted nobody asks more.
                (is_wanted.then(|| Box::new(stream.take_facts())), torn)
            }
            _ => (None, [false; 2]),
        };
        Told {
            protocol: self.protocol,
            tls,
            name: self.name.take(),
            is_proxied: self.is_proxied,
            torn,
            access: opened.map(|(access, dark, _)| (access, dark)),
            is_read: opened.is_some_and(|(_, _, is_read)| is_read),
        }
    }
}

/// Bytes kept of each body of the connection.
fn bodies(context: &Context<'_>) -> usize {
    let name = context.cover.name.as_ref();
    let in_scope = name.is_none_or(|name| context.scope.covers(name.as_str(), "/"));
    let wanted = usize::try_from(context.bodies).unwrap_or(usize::MAX);
    if context.cover.is_opened && in_scope { wanted } else { wanted.min(limits::STREAM_BODY) }
}

/// Takes what a connection of HTTP/1 tells.
fn http1(event: HttpEvent, context: &mut Context<'_>) {
    match event {
        HttpEvent::Exchange(exchange) => clear::add(*exchange, context),
        HttpEvent::NotHttp { .. } => {}
    }
}

/// Takes what a connection of HTTP/2 tells.
fn http2(event: Http2Event, context: &mut Context<'_>) {
    match event {
        Http2Event::Exchange(exchange) => clear::add(*exchange, context),
        // What it left undone is told with each exchange.
        Http2Event::GoAway { .. } => {}
    }
}

/// Whether a client begins a negotiation with a SOCKS proxy (RFC 1928 section 3; version 4 has no
/// standard).
fn is_socks(bytes: &[u8], port: u16) -> bool {
    match bytes {
        [5, methods, rest @ ..] => {
            *methods > 0 && rest.len() == usize::from(*methods) && rest.iter().all(|one| *one < 10)
        }
        [4, 1, _, _, _, _, _, _, .., 0] => port == 1080,
        _ => false,
    }
}

impl Talk {
    fn from_client(context: &Context<'_>) -> Self {
        Self {
            from: context.client,
            to: context.server,
            transport: LookupTransport::Tcp,
            stream: context.stream,
            input: context.input,
        }
    }

    fn from_server(context: &Context<'_>) -> Self {
        Self { from: context.server, to: context.client, ..Self::from_client(context) }
    }
}
