//! A sign-in of which only encrypted connections and lookups are seen.
//!
//! What was asked cannot be read, so that which host is needed is told by its role: the service itself,
//! one of the hosts of its scripts, the identity provider that the user was with. A host whose failure
//! a flow may do without stops nothing here.
//!
//! Invariant: a failure stands only if nothing got through to the same host, or to one that stands in
//! for it, at that time or later.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::dark;
use super::failure::{Failure, FailureKind, FailureSide};
use super::machines::{Machines, may_be_one};
use super::{
    AttemptId, Blockage, Flow, MfaState, Outcome, Phase, Side, SignInAttempt, Step, StepKind,
    StepResult, Veil,
};
use crate::entra::{self, ConcealerKind, Fault, HostRole, hosts};
use crate::evidence::{
    Answer, Connection, Evidence, EvidenceRef, Exchange, ExchangeId, HostName, Opened, Scheme,
    Tunnel,
};
use crate::time::{Span, Timestamp};

/// A client that needs a host tries again after this time at the earliest.
const AGAIN: Duration = Duration::from_secs(1);
/// A page that goes on so long after its scripts failed has them from elsewhere.
const GOES_ON: Duration = Duration::from_secs(3);
/// Packets in a tunnel above which it carries more than its own upkeep.
const BUSY: u64 = 50;
/// Failures cited of one attempt.
const CITED: usize = 200;
/// Steps shown of one attempt.
const STEPS: usize = 64;

/// What was seen of one host.
#[derive(Debug)]
struct Host<'a> {
    name: &'a HostName,
    role: HostRole,
    /// Whether the table names the host itself, and not all hosts of its domain.
    is_exact: bool,
    /// When connections that worked began, and when they were of use last.
    began: Vec<Timestamp>,
    good: Vec<Timestamp>,
    bad: Vec<Bad<'a>>,
    /// When its name was asked for and found, with the addresses cut off, so that nothing tells which
    /// connections are to it.
    found: Vec<Timestamp>,
    order: ExchangeId,
}

/// A request that failed.
#[derive(Clone, Copy, Debug)]
struct Bad<'a> {
    id: ExchangeId,
    exchange: &'a Exchange,
    failure: Failure,
    /// When it was known to fail.
    at: Timestamp,
}

impl Host<'_> {
    fn is_service(&self) -> bool {
        hosts::is_sign_in_service(self.name.as_str())
    }

    fn is_script(&self) -> bool {
        hosts::is_script_cdn(self.name.as_str())
    }

    fn is_good_after(&self, at: Timestamp) -> bool {
        self.good.iter().any(|good| *good >= at)
    }

    fn is_found_after(&self, at: Timestamp) -> bool {
        self.found.iter().any(|found| *found > at)
    }

    /// Its failures that nothing made good.
    ///
    /// One that is not certain, or at a host that had answered before, must have come twice: a client
    /// that needs the host tries again. A lookup that fails where the host was reached before says
    /// nothing of the way to it.
    fn standing(&self) -> Vec<&Bad<'_>> {
        let known = self.good.iter().min().copied();
        let all: Vec<&Bad<'_>> = self
            .bad
            .iter()
            .filter(|bad| bad.failure.side == FailureSide::Network && !self.is_good_after(bad.at))
            .filter(|bad| bad.exchange.lookup.is_none() || known.is_none_or(|good| good > bad.at))
            .filter(|bad| bad.exchange.lookup.is_none() || !self.is_found_after(bad.at))
            .collect();
        // What looks like an alert in place of the client's last word leaves little doubt.
        let refused = FailureKind::Fault(Fault::CertUntrusted);
        let sure = known.is_none()
            && !is_lone_break(&all)
            && all.iter().any(|bad| bad.failure.certain || bad.failure.kind == refused);
        let first = all.iter().filter_map(|bad| bad.exchange.started()).min();
        let last = all.iter().filter_map(|bad| bad.exchange.started()).max();
        let apart = first.zip(last).is_some_and(|(first, last)| last.since(first) >= AGAIN);
        let again = apart || known.is_none() && all.len() > 1;
        if sure || again { all } else { Vec::new() }
    }
}

/// What of a case is looked at: all of it, or what one computer did.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub evidence: &'a Evidence,
    pub failures: &'a BTreeMap<ExchangeId, Failure>,
    pub machines: &'a Machines,
    /// The computer, where one is told apart from others.
    pub client: Option<IpAddr>,
}

impl<'a> View<'a> {
    /// Encrypted requests.
    fn hidden(self) -> impl Iterator<Item = (ExchangeId, &'a Exchange)> {
        self.evidence.numbered().filter(move |(_, exchange)| {
            let of = || self.machines.of_exchange(self.evidence, exchange);
            exchange.is_hidden() && (self.client.is_none() || may_be_one(self.client, of()))
        })
    }

    /// Connections to the service.
    fn to_service(self) -> impl Iterator<Item = &'a Connection> {
        self.evidence.connections.iter().filter(move |connection| {
            connection
                .server_name
                .as_ref()
                .is_some_and(|name| hosts::is_sign_in_service(name.as_str()))
                && may_be_one(self.client, self.machines.of_connection(connection))
        })
    }
}

/// The attempts that encrypted traffic shows to have failed, one for each computer at most.
pub(super) fn attempts(
    evidence: &Evidence,
    failures: &BTreeMap<ExchangeId, Failure>,
    machines: &Machines,
) -> Vec<SignInAttempt> {
    let view = View { evidence, failures, machines, client: None };
    let all: Vec<_> = machines.addresses().collect();
    if all.is_empty() {
        return attempt(view).into_iter().collect();
    }
    let each = all.into_iter().map(|client| View { client: Some(client), ..view });
    each.filter_map(attempt)
        .zip(1..)
        .map(|(one, id)| SignInAttempt { id: AttemptId(id), ..one })
        .collect()
}

/// Whether all there is is one connection that was of use and then broke: a client goes on with another
/// one, and where none is seen the capture was over.
fn is_lone_break(all: &[&Bad<'_>]) -> bool {
    let [only] = all else { return false };
    only.exchange.is_answered()
        && matches!(
            only.failure.kind,
            FailureKind::Fault(Fault::ClosedWithoutAnswer | Fault::Incomplete | Fault::Reset)
        )
}

/// The attempt that encrypted traffic shows to have failed, where it shows one.
pub(super) fn attempt(view: View<'_>) -> Option<SignInAttempt> {
    let evidence = view.evidence;
    let hosts = seen(view);
    let standing = |host: &&Host<'_>| !host.standing().is_empty();
    let carried = evidence.coverage.inputs.iter().filter_map(|one| one.wire.as_ref()).any(|wire| {
        wire.tunnels.iter().any(|(tunnel, count, _)| *tunnel == Tunnel::Vpn && *count > BUSY)
    });
    if carried && hosts.iter().all(|host| host.good.is_empty()) {
        // What leaks beside a VPN is not what the client uses.
        return None;
    }
    let services = || hosts.iter().filter(|host| host.is_service());
    // A name of the service that only some programs use is stood in for by the others.
    let exact = services().any(|host| host.role == HostRole::Sts && host.is_exact);
    let main: Vec<&Host<'_>> =
        services().filter(|host| host.role == HostRole::Sts && (host.is_exact || !exact)).collect();
    let mut stopped: Vec<&Host<'_>> = main.iter().copied().filter(standing).collect();
    if stopped.is_empty() && main.is_empty() {
        let all: Vec<&Host<'_>> = services().collect();
        if all.iter().all(standing) {
            stopped = all;
        }
    }
    let mut doubts: Vec<&'static str> = Vec::new();
    let mut step = StepKind::Authorize;
    if stopped.is_empty() {
        let scripts: Vec<&Host<'_>> = hosts.iter().filter(|host| host.is_script()).collect();
        let dead = scripts.iter().filter(|host| standing(host)).count();
        let last = scripts.iter().flat_map(|host| host.standing()).map(|bad| bad.at).max();
        let goes_on = last.is_some_and(|last| asked_after(view, last.plus(GOES_ON)));
        let stood_in = last.is_some_and(|last| scripts.iter().any(|host| host.is_good_after(last)));
        let runs = last.is_some_and(|last| polls_after(view, last));
        // The page is older than the capture, and may have its scripts in connections that are so too.
        let opened = services().any(|host| !host.began.is_empty());
        let older = !opened
            && scripts
                .iter()
                .flat_map(|host| host.standing())
                .any(|bad| dark::is_older(evidence, bad.exchange.at.input, bad.at));
        if dead > 0 && dead == scripts.len() && !stood_in && !runs && !goes_on && !older {
            if scripts.len() == 1 {
                doubts.push(super::OTHER_ROOT);
            }
            stopped = scripts;
        }
    }
    if stopped.is_empty() {
        let with_service = services().any(|host| !host.good.is_empty());
        let providers = hosts.iter().filter(|host| host.role == HostRole::Federation);
        let reached = services().flat_map(|host| &host.began).min().copied();
        let after = |host: &&Host<'_>| {
            let bad = host.standing();
            let last = bad.iter().map(|bad| bad.at).max();
            let first = bad.iter().map(|bad| bad.at).min();
            first >= reached && !last.is_some_and(|at| asked_after(view, at.plus(GOES_ON)))
        };
        let dead: Vec<&Host<'_>> = providers.filter(standing).filter(after).collect();
        if with_service && !dead.is_empty() {
            doubts.push(
                "whether the user was sent there is not seen: the service's answer is encrypted",
            );
            step = StepKind::FederationRedirect;
            stopped = dead;
        }
    }
    if stopped.is_empty() {
        return None;
    }
    stopped.sort_by_key(|host| host.order);
    let mut bad: Vec<&Bad<'_>> = stopped.iter().flat_map(|host| host.standing()).collect();
    bad.sort_by_key(|bad| bad.id);
    bad.truncate(CITED);
    if bad.iter().all(|bad| !bad.failure.certain) {
        doubts.push("the capture does not name the fault exactly");
    }
    if stopped.iter().any(|host| !host.good.is_empty()) {
        doubts.push("the host answered before the failure");
    }
    let blockage = Blockage {
        step,
        phase: Phase::BeforeChallenge,
        hosts: stopped.iter().map(|host| host.name.clone()).collect(),
        exchanges: bad.iter().map(|bad| bad.id).collect(),
    };
    let decided_by = bad.iter().map(|bad| bad.exchange.at).collect();
    if view.client.is_some() {
        doubts.push("several computers are in the capture, and this is what one of them saw");
    }
    Some(made(view, blockage, decided_by, doubts))
}

/// Whether the service was sent something as long as a request after a time, and answered it.
fn asked_after(view: View<'_>, at: Timestamp) -> bool {
    view.to_service().any(|connection| {
        let wire = connection.wire.as_ref();
        let asked = wire.and_then(|wire| wire.last_request).filter(|asked| *asked > at);
        let answered = wire.and_then(|wire| wire.payload[1]).map(Span::last);
        asked.is_some_and(|asked| answered.is_some_and(|answered| answered > asked))
            && connection.tls.as_ref().is_some_and(|tls| tls.completed == Some(true))
    })
}

/// Whether the page of a sign-in was at work after a time: it asked the service again and again.
fn polls_after(view: View<'_>, at: Timestamp) -> bool {
    view.to_service()
        .any(|connection| polls(connection) && connection.span.is_some_and(|span| span.last() > at))
}

/// Whether a connection has the shape of a page that polls.
pub(super) fn polls(connection: &Connection) -> bool {
    connection.wire.as_ref().is_some_and(|wire| wire.polls.is_some())
}

/// Requests that only a sign-in makes and that are no step of one: a page's reports of itself, and an
/// application that sends the browser to sign in.
fn traces(evidence: &Evidence) -> Vec<(Veil, EvidenceRef)> {
    let mut found: Vec<(Veil, EvidenceRef)> = Vec::new();
    for exchange in evidence.exchanges.iter().filter(|one| !one.is_hidden()) {
        let url = &exchange.request.url;
        let step = |host: &str, method: &str, path: &str| {
            entra::endpoint(host, method, path)
                .filter(|_| hosts::is_sign_in_service(host))
                .map(|row| row.step)
        };
        let own = step(url.host.as_str(), &exchange.request.method, &url.path);
        let location = exchange.response.as_ref().ok().and_then(|one| one.location.as_ref());
        let sent = location.and_then(|to| step(to.host.as_str(), "GET", &to.path));
        let veil = match (own, sent) {
            (Some(StepKind::Telemetry), _) if url.scheme != Scheme::Authority => Veil::Reports,
            (_, Some(StepKind::Authorize)) => Veil::SentOn,
            _ => continue,
        };
        if !found.iter().any(|(known, _)| *known == veil) {
            found.push((veil, exchange.at));
        }
    }
    found
}

/// Ports at which proxies that a client names listen.
const PROXIES: [u16; 7] = [1080, 3128, 8000, 8080, 8081, 8888, 9090];

/// Whether a host calls itself the entrance of a VPN.
fn is_gateway(name: &HostName) -> bool {
    let first = name.as_str().split('.').next().unwrap_or_default();
    first
        .split(|c: char| c == '-' || c.is_ascii_digit())
        .any(|word| matches!(word, "anyconnect" | "globalprotect" | "sslvpn" | "vpn" | "vpngw"))
}

/// Whether a host is asked in sign-ins only: the service's own, or one that takes the certificate of a
/// user.
fn is_of_sign_in(host: &str) -> bool {
    let takes = || entra::endpoint(host, "GET", "/").map(|row| row.step);
    hosts::is_sign_in_service(host) || takes() == Some(StepKind::UserCertificate)
}

/// What keeps a capture of packets from showing a sign-in.
pub(super) fn veils(evidence: &Evidence) -> Vec<(Veil, EvidenceRef)> {
    let mut veils: Vec<(Veil, EvidenceRef)> = Vec::new();
    let hidden = evidence.exchanges.iter().filter(|exchange| exchange.is_hidden());
    let mut service = hidden.filter(|exchange| is_of_sign_in(exchange.host().as_str()));
    let looked_up = || evidence.lookups.iter().find(|one| is_of_sign_in(one.name.as_str()));
    if let Some(at) = service.next().map(|first| first.at).or_else(|| Some(looked_up()?.at)) {
        veils.push((Veil::Begun, at));
    }
    veils.extend(traces(evidence));
    for coverage in &evidence.coverage.inputs {
        let Some(wire) = &coverage.wire else { continue };
        if let Some(at) = wire.first_frame.filter(|_| wire.is_one_sided) {
            veils.push((Veil::OneSided, at));
        }
        for (tunnel, _, at) in &wire.tunnels {
            match tunnel {
                Tunnel::Vpn => veils.push((Veil::Vpn(None), *at)),
                Tunnel::LoopbackProxy => veils.push((Veil::LoopbackProxy, *at)),
                Tunnel::DnsOverTls => {}
            }
        }
    }
    let mut unnamed = None;
    let mut tunnelled = None;
    let mut named = false;
    let is_proxied = |one: &&Connection| one.wire.as_ref().is_some_and(|wire| wire.is_proxied);
    let proxies: BTreeSet<_> =
        evidence.connections.iter().filter(is_proxied).filter_map(|one| one.server).collect();
    for connection in evidence.connections.iter().filter(|one| one.wire.is_some()) {
        let failed = !matches!(connection.opened, Opened::Established { .. } | Opened::MidStream);
        let proxy = connection.server.is_some_and(|server| PROXIES.contains(&server.port()));
        if failed && proxy && !veils.iter().any(|(known, _)| *known == Veil::Proxy) {
            veils.push((Veil::Proxy, connection.at));
        }
        let Some(name) = &connection.server_name else {
            let to_service =
                connection.server.is_some_and(|server| hosts::is_sign_in_address(server.ip()));
            let veil = if is_underway(connection) { Veil::Underway } else { Veil::Begun };
            if to_service && !veils.iter().any(|(known, _)| *known == veil) {
                veils.push((veil, connection.at));
            }
            let both = || {
                let wire = connection.wire.as_ref();
                wire.is_some_and(|wire| wire.payload.iter().all(Option::is_some))
            };
            let old = connection.opened == Opened::MidStream;
            let tunnel = connection.server.is_some_and(|server| proxies.contains(&server));
            if old && both() && (proxy || tunnel) {
                // What a proxy was asked for before has no name, whatever has one now.
                tunnelled = tunnelled.or(Some(connection.at));
            }
            unnamed = unnamed.or((old && connection.tls.is_some()).then_some(connection.at));
            continue;
        };
        named |= connection.tls.is_some();
        let row = entra::concealer(name.as_str());
        let veil = match row.map(|row| (row.kind, row.name)) {
            Some((ConcealerKind::Vpn, name)) => Veil::Vpn(Some(name)),
            Some((ConcealerKind::ZeroTrust, name)) => Veil::ZeroTrust(name),
            None if is_gateway(name) => Veil::Vpn(None),
            None | Some((ConcealerKind::EncryptedDns, _)) => continue,
        };
        if !veils.iter().any(|(known, _)| *known == veil) {
            veils.push((veil, connection.at));
        }
    }
    if let Some(at) = tunnelled.or(unnamed.filter(|_| !named)) {
        veils.push((Veil::MidStream, at));
    }
    // What explains the others comes first.
    veils.sort_by_key(|(veil, _)| match veil {
        Veil::OneSided => 0,
        Veil::Underway => 1,
        Veil::Begun => 2,
        _ => 3,
    });
    veils
}

/// Whether a connection was there before the capture, and data went both ways in it.
fn is_underway(connection: &Connection) -> bool {
    let both =
        connection.wire.as_ref().is_some_and(|wire| wire.payload.iter().all(Option::is_some));
    connection.opened == Opened::MidStream && connection.tls.is_some() && both
}

/// What was seen of each host, by its hidden requests.
fn seen(view: View<'_>) -> Vec<Host<'_>> {
    let mut found: BTreeMap<&HostName, Host<'_>> = BTreeMap::new();
    for (id, exchange) in view.hidden() {
        let Some(row) = hosts::host(exchange.host().as_str()) else { continue };
        let role = row.role;
        let Some((start, end)) = exchange.started().zip(exchange.ended()) else { continue };
        let host = found.entry(exchange.host()).or_insert_with(|| Host {
            name: exchange.host(),
            role,
            is_exact: !row.pattern.starts_with('*'),
            began: Vec::new(),
            good: Vec::new(),
            bad: Vec::new(),
            found: Vec::new(),
            order: id,
        });
        match view.failures.get(&id) {
            Some(failure) => {
                let at = if exchange.is_answered() { end } else { start };
                host.bad.push(Bad { id, exchange, failure: *failure, at });
            }
            None if exchange.is_answered() => {
                host.began.push(start);
                host.good.push(end);
            }
            None => {}
        }
    }
    for lookup in &view.evidence.lookups {
        let own = view.client.is_none() || lookup.client.map(|at| at.ip()) == view.client;
        let is_found = own && lookup.answer == Answer::Cut;
        if let Some((host, at)) = found.get_mut(&lookup.name).zip(lookup.asked)
            && is_found
        {
            host.found.push(at);
        }
    }
    found.into_values().collect()
}

fn made(
    view: View<'_>,
    blockage: Blockage,
    decided_by: Vec<EvidenceRef>,
    doubts: Vec<&'static str>,
) -> SignInAttempt {
    let deciding: BTreeSet<ExchangeId> = blockage.exchanges.iter().copied().collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut times: Vec<Timestamp> = Vec::new();
    for (id, exchange) in view.hidden() {
        let failure = view.failures.get(&id);
        let counts = deciding.contains(&id);
        let service = hosts::is_sign_in_service(exchange.host().as_str());
        if !(counts || service && exchange.is_answered()) {
            continue;
        }
        times.extend(exchange.started());
        times.extend(exchange.ended());
        let result = match failure {
            Some(_) => StepResult::NoResponse,
            None => StepResult::Unknown,
        };
        let script = hosts::is_script_cdn(exchange.host().as_str());
        let kind = if counts && !script { blockage.step } else { StepKind::Other };
        let detail = match failure {
            Some(failure) if script => {
                format!("{}: {}", super::SCRIPT, super::wire::failure_words(failure.kind))
            }
            Some(failure) => super::wire::failure_words(failure.kind),
            None => "encrypted".to_owned(),
        };
        let is_room = steps.len() < STEPS;
        match steps.last_mut() {
            Some(last)
                if last.host == *exchange.host()
                    && last.result == result
                    && last.detail == detail =>
            {
                last.count = last.count.saturating_add(1);
                if last.refs.len() < CITED {
                    last.refs.push(exchange.at);
                }
            }
            _ if is_room => steps.push(Step {
                kind,
                at: exchange.started(),
                result,
                is_answered: false,
                detail,
                host: exchange.host().clone(),
                count: 1,
                refs: vec![exchange.at],
            }),
            _ => {}
        }
    }
    SignInAttempt {
        id: AttemptId(1),
        flow: Flow::Unknown,
        user: None,
        tenant: None,
        application: None,
        resource: None,
        correlation_ids: Vec::new(),
        request_ids: Vec::new(),
        policy_ids: Vec::new(),
        first: times.iter().min().copied(),
        last: times.iter().max().copied(),
        steps,
        errors: Vec::new(),
        outcome: Outcome::SignInPreventedByNetwork,
        side: Side::Network,
        mfa: MfaState::Unknown,
        methods: Vec::new(),
        result_value: None,
        deciding_code: None,
        policy_page: None,
        expected: Vec::new(),
        blockage: Some(blockage),
        meaning: None,
        next_step: None,
        supports: Vec::new(),
        decided_by,
        unseen: Vec::new(),
        doubts,
        is_other_program: false,
        is_look: false,
        note: None,
        return_host: None,
        client: view.client,
        overridden_by: None,
    }
}
