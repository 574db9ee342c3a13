//! What was wrong with a request whose contents are encrypted, by the connection or the lookup that
//! stands for it.
//!
//! The facts of packets get the names that browsers' errors get, so that one rule fits both. It must
//! not say whether a failure mattered.
//!
//! Invariant: nothing is called unanswered where the capture could not have shown the answer: it has
//! to go on for a while, and to show packets of the other side at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::failure::{Failure, FailureKind, FailureSide};
use super::machines::{Machines, may_be_one};
use crate::entra::{Fault, HostRole, hosts, vendors};
use crate::evidence::{
    Answer, Closed, Connection, ConnectionId, Evidence, Exchange, HostName, IcmpKind,
    InputCoverage, NameLookup, NamedBy, NoResponse, Opened, Peer, Protocol, REQUEST_BYTES, Spoken,
    StallReport, TlsHandshake, Transport, Wire as Facts,
};
use crate::time::{Span, Timestamp};

/// A client that asked once and was heard no more is given so long before it counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(3);
/// A client asks again after this time at the earliest (RFC 6298 section 2.1).
const RETRY: Duration = Duration::from_millis(900);
/// A ClientHello is sent again and again for so long before it counts as lost.
const HELLO: Duration = Duration::from_secs(2);
/// A server that has a request is given so long before its silence counts.
const SILENCE: Duration = Duration::from_secs(8);
/// A client that leaves a handshake before this time was not kept waiting: browsers open connections
/// that they do not use.
const RACING: Duration = Duration::from_secs(3);
/// A name that was found so long before a failed lookup is still known.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Lookups looked at of one name.
const LOOKUPS: usize = 256;
/// Repetitions after which bytes count as not getting through.
const TRIES: u16 = 2;
/// How soon after the server's words a client leaves that does not like them.
const LEAVES: Duration = Duration::from_secs(2);
/// Connections that must have been left so; a browser may have no use for one or two.
const LEFT: usize = 3;
/// The same where the certificate is in clear and not for the host: no client that checks goes on.
const LEFT_WRONG: usize = 2;
/// A packet shorter than this passes everywhere (RFC 8200 section 5).
const SHORT: u32 = 1_200;
/// The alert that ends a session (RFC 8446 section 6.1).
const CLOSE_NOTIFY: u8 = 0;
/// What a server need not think about comes so soon behind a round trip.
const READY: Duration = Duration::from_millis(20);
/// Two tickets of usual servers and the settings of HTTP/2 take no more; an answer of the sign-in service has
/// longer headers.
const TICKETS: u64 = 900;
/// A request of a sign-in is no shorter; what opens HTTP/2 is.
const LONG_REQUEST: u64 = 400;
/// A server that resets a connection so long after the last request does so because it is idle.
const KEPT_ALIVE: Duration = Duration::from_secs(20);

/// What all connections and lookups of a case tell together.
pub(super) struct Wire<'a> {
    evidence: &'a Evidence,
    machines: &'a Machines,
    /// When lookups of a name gave an address, and by whom.
    found: BTreeMap<&'a HostName, Vec<Found>>,
    /// Lookups by their names.
    lookups: BTreeMap<&'a HostName, Vec<&'a NameLookup>>,
    /// Connections that the client left again and again as soon as it had seen the server's words.
    left: BTreeSet<ConnectionId>,
    /// When tests for a captive portal were sent elsewhere, and when they were answered as they should.
    portal: Vec<(Timestamp, bool)>,
}

/// A lookup that gave an address.
#[derive(Clone, Copy, Debug)]
struct Found {
    at: Timestamp,
    resolver: Option<IpAddr>,
    client: Option<IpAddr>,
}

const fn found(fault: Fault, certain: bool) -> Failure {
    let (kind, side) = (FailureKind::Fault(fault), FailureSide::Network);
    Failure { kind, side, vendor: None, certain }
}

impl<'a> Wire<'a> {
    pub(super) fn new(evidence: &'a Evidence, machines: &'a Machines) -> Self {
        let mut found: BTreeMap<&HostName, Vec<Found>> = BTreeMap::new();
        let mut lookups: BTreeMap<&HostName, Vec<&NameLookup>> = BTreeMap::new();
        let servers = evidence.lookups.iter().filter(|one| one.transport.is_server());
        for lookup in servers.filter(|one| one.in_scope) {
            let all = lookups.entry(&lookup.name).or_default();
            if all.len() < LOOKUPS {
                all.push(lookup);
            }
            let good = match &lookup.answer {
                Answer::Addresses(all) => all.iter().any(|address| !vendors::is_sink(*address)),
                Answer::Cut | Answer::Empty | Answer::Failed(_) | Answer::None => false,
            };
            if let (true, Some(at)) = (good, lookup.asked) {
                let resolver = lookup.resolver.map(|resolver| resolver.ip());
                let client = machines.of_lookup(lookup);
                let times = found.entry(&lookup.name).or_default();
                // Of many the last counts.
                if times.len() >= LOOKUPS {
                    times.pop();
                }
                times.push(Found { at, resolver, client });
            }
        }
        let tests = evidence.exchanges.iter().filter(|exchange| {
            hosts::host(exchange.host().as_str())
                .is_some_and(|row| row.role == HostRole::ConnectivityCheck)
        });
        let portal = tests
            .filter_map(|exchange| {
                let status = exchange.status()?;
                let sent = exchange.response.as_ref().ok().and_then(|one| one.location.as_ref());
                let elsewhere = sent.is_some_and(|to| to.host != *exchange.host());
                Some((exchange.started()?, status == 511 || status / 100 == 3 && elsewhere))
            })
            .collect();
        let left = left(evidence, machines);
        Self { evidence, machines, found, lookups, left, portal }
    }

    /// What was wrong, if anything was.
    pub(super) fn failure(&self, exchange: &Exchange) -> Option<Failure> {
        let coverage = self.evidence.coverage.of(exchange.at.input)?;
        if let Some(lookup) = exchange.lookup.and_then(|id| self.evidence.lookup(id)) {
            return self.of_lookup(lookup, coverage);
        }
        let connection = self.evidence.connection(exchange.connection?)?;
        let facts = connection.wire.as_deref()?;
        let answered = matches!(exchange.response, Err(NoResponse::Hidden { answered: true }));
        match connection.transport {
            // Where QUIC does not get through, TCP is used.
            Transport::Quic | Transport::Udp => None,
            Transport::Tcp => {
                let left = exchange.connection.is_some_and(|id| self.left.contains(&id));
                of_connection(connection, facts, coverage, answered)
                    .or_else(|| left.then(|| found(Fault::CertInvalid, false)))
            }
        }
        .map(|found| match exchange.started() {
            Some(at) if self.is_in_portal(at) => {
                Failure { kind: FailureKind::CaptivePortal, ..found }
            }
            _ => found,
        })
    }

    /// Whether a network wanted its user to log in at a time: the last test for that before it, or one
    /// soon after it, was sent elsewhere.
    fn is_in_portal(&self, at: Timestamp) -> bool {
        let before = self.portal.iter().rfind(|(time, _)| *time <= at);
        let soon =
            || self.portal.iter().find(|(time, _)| at.plus(REMEMBERED) >= *time && *time > at);
        before.or_else(soon).is_some_and(|(_, elsewhere)| *elsewhere)
    }

    fn of_lookup(&self, lookup: &'a NameLookup, coverage: &InputCoverage) -> Option<Failure> {
        let asked = lookup.asked?;
        let good = self.found.get(&lookup.name).map(Vec::as_slice).unwrap_or_default();
        let client = self.machines.of_lookup(lookup);
        let good: Vec<_> = good
            .iter()
            .filter(|one| one.at.plus(REMEMBERED) >= asked && may_be_one(one.client, client))
            .collect();
        let own = lookup.resolver.map(|resolver| resolver.ip());
        // Another name server may have known it; a client that was told no, and asks again, believes
        // that. One that was told nothing takes the answer of the other.
        let believed = lookup.answer != Answer::None && self.is_asked_again(lookup);
        if good.iter().any(|one| one.resolver == own) || !good.is_empty() && !believed {
            return None;
        }
        // Many names have addresses of the other version only.
        if lookup.kind == Some(28) && !self.is_asked_for_both(lookup) {
            return None;
        }
        let certain = good.is_empty();
        match &lookup.answer {
            Answer::Addresses(all) if all.iter().all(|address| vendors::is_sink(*address)) => {
                Some(found(Fault::AddressInvalid, true))
            }
            Answer::Addresses(_) | Answer::Cut => None,
            Answer::Failed(3) => Some(found(Fault::NameMissing, certain)),
            Answer::Failed(_) => Some(found(Fault::NameLookupFailed, certain)),
            // A name may have addresses of version 6 alone, not of version 4 alone without them.
            Answer::Empty => {
                self.is_empty_for_four(lookup).then(|| found(Fault::NameMissing, false))
            }
            Answer::None => {
                let one_sided = coverage.wire.as_ref().is_none_or(|wire| wire.is_one_sided);
                let waited =
                    lookup.unreachable || waited(coverage, asked) >= PATIENCE || lookup.tries > 2;
                (!one_sided && waited)
                    .then(|| found(Fault::NameNoAnswer, lookup.unreachable || lookup.tries > 1))
            }
        }
    }

    /// Lookups of the same name by the same computer, as far as computers are told apart.
    fn alike(&self, lookup: &'a NameLookup) -> impl Iterator<Item = &'a NameLookup> + '_ {
        let all = self.lookups.get(&lookup.name).map(Vec::as_slice).unwrap_or_default();
        let client = self.machines.of_lookup(lookup);
        all.iter().copied().filter(move |one| may_be_one(self.machines.of_lookup(one), client))
    }

    /// Whether the addresses of version 4 were asked for too, and not found either.
    fn is_asked_for_both(&self, lookup: &'a NameLookup) -> bool {
        self.alike(lookup).any(|one| {
            one.kind == Some(1) && !matches!(one.answer, Answer::Addresses(_) | Answer::Cut)
        })
    }

    /// Whether the same client asked the same name server for the name again, and again in vain.
    fn is_asked_again(&self, lookup: &'a NameLookup) -> bool {
        let again = |one: &NameLookup| {
            one.name == lookup.name
                && one.kind == lookup.kind
                && one.answer == lookup.answer
                && one
                    .asked
                    .zip(lookup.asked)
                    .is_some_and(|(one, other)| one.max(other).since(one.min(other)) >= PATIENCE)
        };
        lookup.kind != Some(28) && self.alike(lookup).any(again)
    }

    fn is_empty_for_four(&self, lookup: &'a NameLookup) -> bool {
        self.alike(lookup).any(|one| one.kind == Some(1) && one.answer == Answer::Empty)
    }
}

/// The connections of a client to a host.
#[derive(Default)]
struct Talks {
    /// Whether any was used.
    used: bool,
    /// How many of those left showed a certificate for other names.
    wrong: usize,
    /// Those that the client left, and when.
    left: Vec<(ConnectionId, Timestamp)>,
}

/// Connections of hosts that a client left again and again as soon as it had the server's part of the
/// handshake, and never used: clients that do not accept a certificate mostly leave without a word.
fn left(evidence: &Evidence, machines: &Machines) -> BTreeSet<ConnectionId> {
    let mut by_host: BTreeMap<_, Talks> = BTreeMap::new();
    for (number, connection) in (0..).zip(&evidence.connections) {
        let Some(name) = connection.server_name.as_ref().filter(|_| connection.in_scope) else {
            continue;
        };
        let client = machines.of_connection(connection);
        let Talks { used, wrong, left } = by_host.entry((name, client)).or_default();
        let tls = connection.tls.as_deref();
        *used |= tls.is_some_and(|tls| tls.completed == Some(true) && !connection.is_unused());
        if let Some(at) = tls.and_then(|tls| is_left(connection, tls)) {
            let certificate = tls.and_then(|tls| tls.certificate.as_ref());
            let named = connection.named_by != Some(NamedBy::Lookup);
            let other = certificate.is_some_and(|one| !one.is_for(name.as_str()));
            *wrong += usize::from(named && other);
            left.push((ConnectionId(number), at));
        }
    }
    let again = |left: &[(ConnectionId, Timestamp)]| {
        let apart = left.first().zip(left.last()).map(|(first, last)| last.1.since(first.1));
        left.len() >= LEFT && apart >= Some(RETRY)
    };
    by_host
        .into_values()
        .filter(|one| !one.used && (one.wrong >= LEFT_WRONG || again(&one.left)))
        .flat_map(|one| one.left)
        .map(|(id, _)| id)
        .collect()
}

/// When a client left a handshake of which it had seen the certificate, or whatever stands for it, that
/// nothing is known to be wrong with.
fn is_left(connection: &Connection, tls: &TlsHandshake) -> Option<Timestamp> {
    let facts = connection.wire.as_deref()?;
    let established = matches!(connection.opened, Opened::Established { .. });
    let flight = facts.payload[1].map(Span::last).filter(|_| established)?;
    let by_client = facts.reset.filter(|reset| reset.by == Peer::Client).map(|reset| reset.time);
    let at = [by_client, facts.ended[0]].into_iter().flatten().min()?;
    let by_server = facts.ended[1].is_some_and(|end| end <= at);
    let expected = tls
        .certificate
        .as_ref()
        .is_some_and(|certificate| vendors::is_expected_issuer(&certificate.issuer));
    let silent = tls.server_hello.is_some()
        && tls.alerts.is_empty()
        && !tls.certificate_requested
        && tls.resumed != Some(true)
        && connection.is_unused();
    let stalled = facts.stall.iter().flatten().any(|stall| stall.tries > 0);
    let soon = at.since(flight) < LEAVES && !stalled;
    (silent && soon && !by_server && !expected).then_some(at)
}

/// How long the capture went on after a time.
pub(super) fn waited(coverage: &InputCoverage, from: Timestamp) -> Duration {
    coverage.span.map_or(Duration::ZERO, |span| span.last().since(from))
}

/// Whether a capture lacks bytes of a connection that its ends got: what follows on them may be there.
fn lacks(connection: &Connection) -> bool {
    let facts = connection.wire.as_deref();
    facts.is_some_and(|facts| facts.traffic.iter().any(|traffic| traffic.missing > 0))
}

/// Whether a capture is known to lack packets that were on the line.
pub(super) fn is_lossy(coverage: &InputCoverage) -> bool {
    coverage.wire.as_ref().is_some_and(|wire| wire.dropped > 0 || wire.missing > 0)
}

fn of_connection(
    connection: &Connection,
    facts: &Facts,
    coverage: &InputCoverage,
    answered: bool,
) -> Option<Failure> {
    let one_sided =
        facts.is_one_sided || coverage.wire.as_ref().is_none_or(|wire| wire.is_one_sided);
    match connection.opened {
        Opened::Unanswered { .. } if facts.dropped.is_some() => {
            Some(found(Fault::LocalFirewall, true))
        }
        Opened::Unanswered { tries } => {
            // A try that another one followed was given time; the last one may have had none.
            let asked = facts.asked?;
            let counts = match tries {
                // A client asks again: where it did not, it may have had no need to, or the capture
                // that lacks other packets lacks the answer.
                0 | 1 => waited(coverage, asked.first()) >= PATIENCE && !is_lossy(coverage),
                2 => asked.length() >= RETRY,
                _ => asked.length() >= RETRY.saturating_mul(2),
            };
            (counts && !one_sided).then(|| found(Fault::ConnectTimeout, tries > 1))
        }
        Opened::Refused => Some(found(Fault::ConnectRefused, true)),
        Opened::Unreachable { .. } => {
            let kind = facts.icmp.map(|icmp| icmp.kind);
            match kind {
                Some(IcmpKind::Prohibited) => Some(found(Fault::Prohibited, true)),
                Some(IcmpKind::Port) => Some(found(Fault::ConnectRefused, true)),
                _ => Some(found(Fault::Unreachable, true)),
            }
        }
        Opened::Established { .. } | Opened::MidStream if one_sided => None,
        Opened::Established { .. } if !answered => {
            let tls = connection.tls.as_deref();
            tls.map_or_else(
                || before_hello(facts).filter(|_| !lacks(connection)),
                |tls| in_handshake(connection, facts, tls, coverage),
            )
        }
        Opened::Established { .. } | Opened::MidStream if answered => {
            let found = after_answer(connection, facts, coverage);
            found.or_else(|| after_tickets(connection, facts, coverage))
        }
        Opened::Established { .. } | Opened::MidStream => None,
    }
}

/// The client sent something that never arrived, before its TLS could be read.
fn before_hello(facts: &Facts) -> Option<Failure> {
    // Cut as soon as it stood, before the client said a word.
    let [client_end, server_end] = facts.ended;
    let reset = facts.reset.filter(|reset| reset.by == Peer::Server).map(|reset| reset.time);
    let cut = reset.or(server_end.filter(|_| client_end.is_none_or(|at| Some(at) >= server_end)));
    if let (Some(at), Some(asked)) = (cut, facts.asked)
        && facts.payload == [None, None]
        && at.since(asked.last()) < Duration::from_secs(1)
    {
        return Some(found(Fault::HandshakeCut, false));
    }
    let [client, _] = facts.stall;
    let stalled = client.is_some_and(|stall| stall.tries >= TRIES);
    (stalled && facts.protocol != Protocol::Nothing).then(|| found(Fault::Stalled, false))
}

fn in_handshake(
    connection: &Connection,
    facts: &Facts,
    tls: &TlsHandshake,
    coverage: &InputCoverage,
) -> Option<Failure> {
    if let Some((Peer::Server, text, _)) = &tls.plain_text {
        return Some(plain_text(text));
    }
    if let Some(found) = tls.alerts.iter().find_map(|alert| by_alert(tls, alert)) {
        return Some(found);
    }
    let [client_stall, _] = facts.stall;
    let stalled = client_stall.filter(|stall| stall.tries >= TRIES);
    let [client_payload, server_payload] = facts.payload;
    let sent = client_payload?;
    if tls.completed == Some(true) {
        return after_handshake(facts, tls, coverage);
    }
    // The rest of the handshake may be in what the capture lacks; what is sent in vain is not.
    let is_whole = !lacks(connection);
    // What the server does after the client has ended its side cuts nothing.
    let reset = facts.reset.filter(|reset| reset.by == Peer::Server).map(|reset| reset.time);
    let cut_by_server = is_whole
        && [reset, facts.ended[1]]
            .into_iter()
            .flatten()
            .any(|at| facts.ended[0].is_none_or(|client| at <= client));
    if tls.server_hello.is_none() {
        if let Some(stall) = stalled {
            if stall.longest > SHORT && stall.passed <= SHORT && stall.bytes > stall.longest {
                // No packet of this length ever got through: the way is too narrow for it.
                return Some(found(Fault::Stalled, true));
            }
            if stall.span.length() < HELLO {
                return None;
            }
            let certain = stall.longest > SHORT || stall.tries > TRIES;
            return Some(found(Fault::HelloLost, certain));
        }
        // Or it said goodbye in clear, and the client was the first to close.
        let goodbye = |alert: &crate::evidence::Alert| {
            alert.from == Peer::Server && alert.description == CLOSE_NOTIFY
        };
        if cut_by_server || is_whole && tls.alerts.iter().any(goodbye) {
            return Some(found(Fault::HandshakeCut, true));
        }
        // Of the server's first words the end is there and the beginning is not.
        let fault = match server_payload {
            Some(_) if !facts.is_proxied => Fault::Stalled,
            // Of a proxy its answer came.
            _ => Fault::HandshakeStalled,
        };
        let waited = is_whole && kept_waiting(connection, coverage, sent.last());
        return waited.then(|| found(fault, true));
    }
    if stalled.is_some() {
        return Some(found(Fault::Stalled, true));
    }
    if cut_by_server {
        // A server that asked for a certificate of the client may close without one.
        let fault = if tls.certificate_requested { Fault::ClientCert } else { Fault::HandshakeCut };
        return Some(found(fault, !tls.certificate_requested));
    }
    let flight = server_payload.map_or(sent.last(), Span::last);
    let client_left =
        facts.reset.is_some_and(|reset| reset.by == Peer::Client) || facts.ended[0].is_some();
    let alerted = is_whole && tls.inferred_alert.is_some_and(|(by, _)| by == Peer::Client);
    if client_left && alerted {
        return Some(found(Fault::CertUntrusted, false));
    }
    // A record of the server of which the end never came: the client could not go on with it.
    if is_whole && facts.torn[1] && kept_waiting(connection, coverage, flight) {
        return Some(found(Fault::HandshakeStalled, true));
    }
    if client_left || !is_whole {
        // Without a word of it: it may just as well have had no use for the connection.
        return None;
    }
    kept_waiting(connection, coverage, flight).then(|| found(Fault::HandshakeStalled, false))
}

/// Whether the client waited in vain from a time on.
fn kept_waiting(connection: &Connection, coverage: &InputCoverage, from: Timestamp) -> bool {
    let end = connection.span.map_or(from, Span::last);
    let gone = connection.closed != Closed::CaptureEnd && connection.closed != Closed::Idle;
    let waited = if gone { end.since(from) } else { waited(coverage, from) };
    waited >= if gone { RACING } else { SILENCE }
}

/// The handshake is over, and no answer came.
fn after_handshake(facts: &Facts, tls: &TlsHandshake, coverage: &InputCoverage) -> Option<Failure> {
    let [client, server] = tls.application;
    if client == 0 {
        return None;
    }
    let [stall, _] = facts.stall;
    let open = facts.ended[0].is_none() && facts.waiting >= REQUEST_BYTES;
    if let Some(stall) = stall.filter(|stall| stall.tries > TRIES && open) {
        return stalled(&stall, coverage);
    }
    if server == 0 && facts.reset.is_some_and(|reset| reset.by == Peer::Server) {
        return Some(found(Fault::Reset, true));
    }
    // The request was acknowledged, and nothing followed for longer than a client may stay silent.
    let gone = facts.ended[0].or(facts.reset.map(|reset| reset.time));
    let asked = facts.last_request.filter(|asked| {
        facts.payload[1].is_some_and(|said| *asked >= said.last())
            && facts.ended[1].is_none_or(|end| gone.is_some_and(|gone| gone < end))
    })?;
    let ignored = gone.map_or_else(|| waited(coverage, asked), |at| at.since(asked));
    let counts =
        server == 0 && facts.waiting >= REQUEST_BYTES && ignored >= KEPT_ALIVE && !is_torn(facts);
    counts.then(|| found(Fault::Timeout, false))
}

/// Bytes that never got through; sure where that went on for long, or the capture went on after it.
fn stalled(stall: &StallReport, coverage: &InputCoverage) -> Option<Failure> {
    let long = stall.span.length() >= SILENCE;
    let sure = long || waited(coverage, stall.span.last()) >= PATIENCE;
    (stall.span.length() >= PATIENCE).then(|| found(Fault::Stalled, sure))
}

/// Data went both ways, and then the connection broke while an answer was due or half there.
fn after_answer(
    connection: &Connection,
    facts: &Facts,
    coverage: &InputCoverage,
) -> Option<Failure> {
    let [client, server] = facts.payload;
    let (client, server) = (client?, server?);
    let [_, torn] = facts.torn;
    // A client that said goodbye waits for nothing, and what keeps a connection going is no request.
    let farewell = connection.tls.as_ref().is_some_and(|tls| matches!(tls.farewell, [true, _]));
    let [client_end, server_end] = facts.ended;
    let closing = server_end.is_some_and(|at| at <= client.last());
    let due =
        client.last() > server.last() && facts.waiting >= REQUEST_BYTES && !farewell && !closing;
    let [stall, _] = facts.stall;
    if let Some(stall) = stall.filter(|stall| stall.tries > TRIES) {
        // What the server still said as the bytes were first sent, tickets of TLS 1.3, is no answer to
        // them. A client that gave up after that says goodbye too, which arrives no more than the rest.
        let from = stall.span.first();
        let request = stall.bytes >= REQUEST_BYTES && !closing;
        let silent = server.last() <= from.plus(PATIENCE);
        let end = client_end.unwrap_or(stall.span.last());
        let held = request && silent && end.since(from) >= SILENCE;
        let counts = due && client_end.is_none() || held;
        return counts.then(|| stalled(&stall, coverage)).flatten();
    }
    let gone = client_end.or(facts.reset.map(|reset| reset.time));
    if let Some(asked) = facts.last_request.filter(|asked| *asked > server.last()) {
        let ignored = match gone {
            Some(at) => at.since(asked),
            None => waited(coverage, asked),
        };
        if ignored >= KEPT_ALIVE && facts.waiting >= REQUEST_BYTES && !closing && !is_torn(facts) {
            return Some(found(Fault::Timeout, torn));
        }
    }
    if let Some(reset) = facts.reset.filter(|reset| reset.by == Peer::Server) {
        let soon = reset.time.since(client.last()) < KEPT_ALIVE && client_end.is_none();
        return (torn || due && soon).then(|| found(Fault::Reset, true));
    }
    if torn && server_end.is_some_and(|at| client_end.is_none_or(|client| at <= client)) {
        return Some(found(Fault::Incomplete, true));
    }
    if let Some(at) = server_end.filter(|at| client_end.is_none_or(|client| *at <= client)) {
        let soon = at.since(client.last()) < KEPT_ALIVE;
        return (due && soon).then(|| found(Fault::ClosedWithoutAnswer, true));
    }
    // The request was acknowledged, or half answered, and the client left after it waited in vain.
    let left = client_end.or(facts.reset.map(|reset| reset.time));
    let end = match left {
        Some(left) => left.since(client.last().max(server.last())),
        None => waited(coverage, client.last().max(server.last())),
    };
    let gave_up = connection.closed != Closed::Fin || server_end > client_end;
    ((torn || due) && left.is_some() && gave_up && end >= SILENCE && !is_torn(facts))
        .then(|| found(Fault::Timeout, torn))
}

/// A request of TLS 1.3 that the sign-in service left without an answer: all that came after it came as
/// soon as only what is ready does, and is no longer than tickets and the settings of HTTP/2 are.
fn after_tickets(
    connection: &Connection,
    facts: &Facts,
    coverage: &InputCoverage,
) -> Option<Failure> {
    let tls = connection.tls.as_deref()?;
    let Opened::Established { rtt: Some(rtt) } = connection.opened else { return None };
    let [Some(asked), said] = tls.spoken else { return None };
    let name = connection.server_name.as_ref()?;
    let ready = tls.checked?.last().plus(rtt).plus(READY);
    let is_ready = |said: Spoken| said.bytes <= TICKETS && said.span.last() <= ready;
    if asked.bytes < LONG_REQUEST
        || !said.is_none_or(is_ready)
        || !hosts::is_sign_in_service(name.as_str())
        || lacks(connection)
        || is_lossy(coverage)
    {
        return None;
    }
    let asked = asked.span.last();
    let [client_end, server_end] = facts.ended;
    let reset = facts.reset.filter(|reset| reset.by == Peer::Server);
    if let Some(reset) = reset.filter(|_| client_end.is_none()) {
        return (reset.time.since(asked) < KEPT_ALIVE).then(|| found(Fault::Reset, false));
    }
    let gone = client_end.or(facts.reset.map(|reset| reset.time));
    let closing = server_end.is_some_and(|end| gone.is_none_or(|gone| end <= gone));
    let ignored = gone.map_or_else(|| waited(coverage, asked), |gone| gone.since(asked));
    (!closing && ignored >= KEPT_ALIVE).then(|| found(Fault::Timeout, false))
}

/// Whether bytes of the server are missing from the capture: the answer may be among them.
fn is_torn(facts: &Facts) -> bool {
    facts.traffic.get(1).is_some_and(|server| server.missing > 0)
}

/// The fault that a fatal alert names (RFC 8446 section 6, RFC 5246 section 7.2).
fn by_alert(tls: &TlsHandshake, alert: &crate::evidence::Alert) -> Option<Failure> {
    // The end of a session, and a client that changed its mind.
    if matches!(alert.description, CLOSE_NOTIFY | 90 | 100) {
        return None;
    }
    let fault = match (alert.from, alert.description) {
        (Peer::Client, 42 | 46 | 48) => Fault::CertUntrusted,
        (Peer::Client, 43) => Fault::CertInvalid,
        (Peer::Client, 44) => Fault::CertRevoked,
        (Peer::Client, 45) => Fault::CertDate,
        (_, 70 | 71 | 86) => Fault::TlsVersion,
        (Peer::Server, 41 | 42 | 43 | 44 | 45 | 46 | 48 | 116) => Fault::ClientCert,
        (Peer::Server, 40) if tls.certificate_requested => Fault::ClientCert,
        _ => Fault::TlsHandshake,
    };
    Some(found(fault, true))
}

/// What came in clear where TLS belongs: a page of something on the way, or something unknown.
fn plain_text(text: &crate::evidence::Secret<Box<[u8]>>) -> Failure {
    let page = super::expose::bytes(text);
    let vendor = vendors::block_page(&page)
        .filter(|row| row.is_usable() && !row.is_microsoft())
        .map(|row| row.name);
    let kind = FailureKind::Fault(Fault::TlsPlainText);
    Failure { kind, side: FailureSide::Network, vendor, certain: true }
}
