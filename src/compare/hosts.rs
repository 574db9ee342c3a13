//! Which hosts the two sign-ins reached, and what the ways to them were like.
//!
//! Addresses count by their kind, certificates by who issued them, versions as they are; names of data
//! centres, serial numbers and addresses of one kind are noise. It must not know the steps.
//!
//! Invariants: a difference is told only where both captures show the fact; that a host was not asked
//! only of a capture that lacks nothing it could have shown.

use std::collections::{BTreeMap, BTreeSet};

use super::party::{Party, is_telling};
use crate::analyze::{
    self, Address, HostRole, Issuer, address, host_role, is_picture_host, stand_ins,
};
use crate::evidence::{Connection, EvidenceRef, Exchange, HostName, Scheme, TlsVersion, Via};
use crate::finding::{Piece, Text};
use crate::limits::{COMPARED_HOSTS, COMPARED_PLACES};
use crate::report::comparison::{Area, Difference, Level, Value};
use crate::time::Timestamp;

/// What one capture shows of one host.
#[derive(Debug, Default)]
pub(super) struct Host {
    role: Option<HostRole>,
    first: Option<Timestamp>,
    answered: Vec<EvidenceRef>,
    failed: Vec<EvidenceRef>,
    /// The last failure in words.
    fault: Option<String>,
    /// Order of the last answer, of the first failure and of the last.
    good: Option<usize>,
    first_bad: Option<usize>,
    bad: Option<usize>,
    /// Tunnels that a proxy granted, and requests beside them: where those can be read, they tell.
    tunnels: Vec<(usize, EvidenceRef)>,
    has_requests: bool,
    /// Whether a host that can stand in for it answered behind its first failure.
    stood_in: bool,
    addresses: BTreeMap<Address, Vec<EvidenceRef>>,
    versions: BTreeMap<TlsVersion, Vec<EvidenceRef>>,
    issuers: BTreeMap<Shown, Vec<EvidenceRef>>,
    /// Handshakes in which the server asked for a certificate of the client, and those that are seen
    /// so well that it did not.
    certificate_asked: Vec<EvidenceRef>,
    certificate_not_asked: Vec<EvidenceRef>,
}

/// An issuer as it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Expected,
    Product(&'static str),
    Other(String),
}

impl Host {
    /// Whether it failed to the end.
    fn is_dead(&self) -> bool {
        self.bad.is_some() && self.bad > self.good && !self.stood_in
    }

    fn is_asked(&self) -> bool {
        self.good.is_some() || self.bad.is_some()
    }

    fn reached(&self) -> Value {
        match &self.fault {
            Some(words) if self.is_dead() => {
                Value { text: Text(vec![Piece::Own(words.clone())]), refs: self.failed.clone() }
            }
            _ if self.good.is_some() => {
                Value { text: Text::of("answered"), refs: few(&self.answered) }
            }
            _ => not_asked(),
        }
    }
}

/// What is said of a host that a capture does not hold.
pub(super) fn not_asked() -> Value {
    Value { text: Text::of("was not asked"), refs: Vec::new() }
}

/// The first of many places: one proves that a host answers.
fn few(refs: &[EvidenceRef]) -> Vec<EvidenceRef> {
    refs.iter().take(1).copied().collect()
}

fn add(refs: &mut Vec<EvidenceRef>, at: EvidenceRef) {
    if refs.len() < COMPARED_PLACES && !refs.contains(&at) {
        refs.push(at);
    }
}

/// What one capture shows of the hosts of its sign-in.
#[derive(Debug)]
pub(super) struct Hosts {
    all: BTreeMap<HostName, Host>,
    /// Hosts that stopped the sign-in when they failed.
    blocked: BTreeSet<HostName>,
    /// Requests that went through a proxy, and those that did not.
    proxied: Vec<EvidenceRef>,
    direct: Vec<EvidenceRef>,
}

impl Hosts {
    pub(super) fn of(party: &Party<'_>) -> Self {
        let mut own: BTreeSet<&HostName> = party.beats.iter().map(|beat| &beat.view.host).collect();
        own.extend(party.attempt.iter().flat_map(|one| &one.blockage).flat_map(|one| &one.hosts));
        let matters = |host: &HostName| {
            own.contains(host)
                || host_role(host).is_some_and(|role| {
                    is_telling(role)
                        || matches!(role, HostRole::Sts | HostRole::StsAlias)
                        || role == HostRole::SigninCdn && !is_picture_host(host)
                })
        };
        let blocked = party.attempt.iter().flat_map(|one| &one.blockage);
        let blocked = blocked.flat_map(|one| &one.hosts).cloned().collect();
        let mut hosts =
            Self { all: BTreeMap::new(), blocked, proxied: Vec::new(), direct: Vec::new() };
        for (order, (id, exchange)) in party.exchanges().enumerate() {
            let name = exchange.host();
            if !matters(name) || hosts.is_full(name) {
                continue;
            }
            hosts.way(party, exchange);
            let host = hosts.all.entry(name.clone()).or_default();
            host.role = host_role(name);
            host.first = host.first.or(exchange.started());
            let through =
                party.wire(exchange).is_some_and(is_proxied) || exchange.via == Via::Proxy;
            if let Some(server) = exchange.server.filter(|_| !through) {
                add(host.addresses.entry(address(server)).or_default(), exchange.at);
            }
            let is_tunnel = exchange.request.url.scheme == Scheme::Authority;
            if let Some(failure) = party.analysis.signin.failures.get(&id) {
                add(&mut host.failed, exchange.at);
                host.fault = Some(failure.words());
                host.first_bad = host.first_bad.or(Some(order));
                host.bad = Some(order);
                host.has_requests |= !is_tunnel;
            } else if is_tunnel && exchange.is_answered() {
                host.tunnels.push((order, exchange.at));
            } else if exchange.is_answered() {
                host.has_requests = true;
                add(&mut host.answered, exchange.at);
                host.good = Some(order);
            }
        }
        for connection in &party.evidence().connections {
            let Some(name) = connection.server_name.as_ref().filter(|name| matters(name)) else {
                continue;
            };
            if !party.covers(connection.span.map(crate::time::Span::first)) || hosts.is_full(name) {
                continue;
            }
            hosts.all.entry(name.clone()).or_default().learn(connection);
        }
        for host in hosts.all.values_mut().filter(|host| !host.has_requests) {
            for (order, at) in std::mem::take(&mut host.tunnels) {
                add(&mut host.answered, at);
                host.good = Some(order);
            }
        }
        hosts.stand_in();
        hosts
    }

    fn is_full(&self, name: &HostName) -> bool {
        self.all.len() >= COMPARED_HOSTS && !self.all.contains_key(name)
    }

    fn way(&mut self, party: &Party<'_>, exchange: &Exchange) {
        let wire = party.wire(exchange);
        let proxied = exchange.via == Via::Proxy || wire.is_some_and(is_proxied);
        let direct = exchange.via == Via::Direct || wire.is_some_and(|one| one.wire.is_some());
        if proxied {
            add(&mut self.proxied, exchange.at);
        } else if direct {
            add(&mut self.direct, exchange.at);
        }
    }

    fn stand_in(&mut self) {
        let good: BTreeMap<String, usize> = self
            .all
            .iter()
            .filter_map(|(name, host)| Some((name.as_str().to_owned(), host.good?)))
            .collect();
        for (name, host) in &mut self.all {
            host.stood_in = stand_ins(name)
                .iter()
                .any(|other| good.get(*other).is_some_and(|good| Some(*good) > host.first_bad));
        }
    }

    /// Whether a name of the sign-in service answered.
    pub(super) fn has_service(&self) -> bool {
        let service = |host: &Host| matches!(host.role, Some(HostRole::Sts | HostRole::StsAlias));
        self.all.values().any(|host| service(host) && host.good.is_some())
    }

    /// Whether the host failed to the end.
    pub(super) fn is_dead(&self, name: &HostName) -> bool {
        self.all.get(name).is_some_and(Host::is_dead)
    }

    /// What became of the host.
    pub(super) fn reached(&self, name: &HostName) -> Option<Value> {
        self.all.get(name).filter(|host| host.is_asked()).map(Host::reached)
    }

    /// The first host that stopped the sign-in here and did not fail there; one that answered there
    /// comes first.
    pub(super) fn first_dead(&self, other: &Self) -> Option<&HostName> {
        let mut dead: Vec<(bool, Option<Timestamp>, &HostName)> = self
            .all
            .iter()
            .filter(|(name, host)| {
                self.blocked.contains(*name) && host.is_dead() && !other.is_dead(name)
            })
            .map(|(name, host)| (other.reached(name).is_none(), host.first, name))
            .collect();
        dead.sort_unstable();
        dead.first().map(|(.., name)| *name)
    }
}

impl Host {
    fn learn(&mut self, connection: &Connection) {
        let at = connection.at;
        if let Some(server) = connection.server.filter(|_| !is_proxied(connection))
            && connection.wire.is_some()
        {
            add(self.addresses.entry(address(server.ip())).or_default(), at);
        }
        let Some(tls) = &connection.tls else { return };
        // Between a capture tool and the client other versions hold than behind it.
        if let Some(version) = tls.version.filter(|_| !tls.by_capture_tool) {
            add(self.versions.entry(version).or_default(), at);
        }
        if let Some(certificate) = &tls.certificate {
            let shown = match analyze::issuer(&certificate.issuer) {
                Issuer::CaptureTool => None,
                Issuer::Expected => Some(Shown::Expected),
                Issuer::Product(name) => Some(Shown::Product(name)),
                Issuer::Other => Some(Shown::Other(certificate.issuer.clone())),
            };
            if let Some(shown) = shown {
                add(self.issuers.entry(shown).or_default(), at);
            }
        }
        if connection.wire.is_some() && tls.certificate_requested {
            add(&mut self.certificate_asked, at);
        } else if connection.wire.is_some()
            && tls.certificate.is_some()
            && tls.completed == Some(true)
        {
            add(&mut self.certificate_not_asked, at);
        }
    }
}

fn is_proxied(connection: &Connection) -> bool {
    connection.wire.as_ref().is_some_and(|wire| wire.is_proxied)
}

impl<'a> Party<'a> {
    fn wire(&self, exchange: &Exchange) -> Option<&'a Connection> {
        self.evidence().connection(exchange.connection?)
    }
}

/// Both sides with the times up to which their sign-ins go alike; what comes behind follows from that.
pub(super) struct Sides<'a> {
    pub(super) working: &'a Party<'a>,
    pub(super) failing: &'a Party<'a>,
    pub(super) working_hosts: &'a Hosts,
    pub(super) failing_hosts: &'a Hosts,
    pub(super) cut: [Option<Timestamp>; 2],
}

/// What differs of hosts and the ways to them.
pub(super) fn differences(sides: &Sides<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    reached(sides, &mut found);
    asked(sides, &mut found);
    proxy(sides, &mut found);
    ways(sides, &mut found);
    grouped(found)
}

/// Hosts that answered on one side and failed on the other.
fn reached(sides: &Sides<'_>, found: &mut Vec<Difference>) {
    let (working, failing) = (sides.working_hosts, sides.failing_hosts);
    for (name, one) in &working.all {
        let Some(other) = failing.all.get(name) else { continue };
        if one.is_asked() && other.is_asked() && one.is_dead() != other.is_dead() {
            found.push(Difference {
                area: Area::Hosts,
                name: "hosts reached",
                hosts: vec![name.clone()],
                working: one.reached(),
                failing: other.reached(),
            });
        }
    }
}

/// Kinds of hosts that one side asked and the other did not.
fn asked(sides: &Sides<'_>, found: &mut Vec<Difference>) {
    let by_role = |hosts: &Hosts, cut: Option<Timestamp>| {
        let mut roles: BTreeMap<HostRole, Vec<(HostName, Vec<EvidenceRef>)>> = BTreeMap::new();
        for (name, host) in &hosts.all {
            let Some(role) = host.role.filter(|role| is_telling(*role) && host.is_asked()) else {
                continue;
            };
            let late = cut.zip(host.first).is_some_and(|(cut, first)| first > cut);
            let refs = few(if host.answered.is_empty() { &host.failed } else { &host.answered });
            // That it was asked late is as good as asked for the other side.
            roles.entry(role).or_default().extend((!late).then(|| (name.clone(), refs)));
        }
        roles
    };
    let working = by_role(sides.working_hosts, sides.cut[0]);
    let failing = by_role(sides.failing_hosts, sides.cut[1]);
    let some = |refs: &[EvidenceRef]| Value { text: Text::of("was asked"), refs: refs.to_vec() };
    for (role, hosts) in &working {
        for (name, refs) in hosts {
            if !failing.contains_key(role) && sides.failing.is_whole() {
                found.push(Difference {
                    area: Area::Hosts,
                    name: "hosts asked",
                    hosts: vec![name.clone()],
                    working: some(refs),
                    failing: not_asked(),
                });
            }
        }
    }
    for (role, hosts) in &failing {
        for (name, refs) in hosts {
            if !working.contains_key(role) && sides.working.is_whole() {
                found.push(Difference {
                    area: Area::Hosts,
                    name: "hosts asked",
                    hosts: vec![name.clone()],
                    working: not_asked(),
                    failing: some(refs),
                });
            }
        }
    }
}

fn proxy(sides: &Sides<'_>, found: &mut Vec<Difference>) {
    let way = |hosts: &Hosts| {
        if !hosts.proxied.is_empty() {
            return Some((true, few(&hosts.proxied)));
        }
        (!hosts.direct.is_empty()).then(|| (false, few(&hosts.direct)))
    };
    let (Some(one), Some(other)) = (way(sides.working_hosts), way(sides.failing_hosts)) else {
        return;
    };
    let value = |(proxied, refs): &(bool, Vec<EvidenceRef>)| Value {
        text: Text::of(if *proxied { "through a proxy" } else { "direct" }),
        refs: refs.clone(),
    };
    if one.0 != other.0 {
        found.push(Difference {
            area: Area::Network,
            name: "use of a proxy",
            hosts: Vec::new(),
            working: value(&one),
            failing: value(&other),
        });
    }
}

/// Addresses, versions, issuers and requests for certificates of hosts that both sides asked.
fn ways(sides: &Sides<'_>, found: &mut Vec<Difference>) {
    for (name, one) in &sides.working_hosts.all {
        let Some(other) = sides.failing_hosts.all.get(name) else { continue };
        let mut tell = |what: &'static str, values: Option<(Value, Value)>| {
            if let Some((working, failing)) = values {
                found.push(Difference {
                    area: Area::Network,
                    name: what,
                    hosts: vec![name.clone()],
                    working,
                    failing,
                });
            }
        };
        tell("address", apart(&one.addresses, &other.addresses, |kind| Text::of(kind.words())));
        tell("TLS version", apart(&one.versions, &other.versions, |one| Text::of(one.as_str())));
        tell("certificate", apart(&one.issuers, &other.issuers, issuer));
        tell("client certificate", certificate(one, other));
    }
}

fn issuer(shown: &Shown) -> Text {
    match shown {
        Shown::Expected => Text::of("of an issuer that belongs there"),
        Shown::Product(name) => Text::of("of ").with(Piece::Literal(name)),
        Shown::Other(name) => Text::of("of ").with(Piece::Issuer(name.clone())),
    }
}

/// Two sets without a common member, both known.
fn apart<T: Ord>(
    one: &BTreeMap<T, Vec<EvidenceRef>>,
    other: &BTreeMap<T, Vec<EvidenceRef>>,
    words: impl Fn(&T) -> Text,
) -> Option<(Value, Value)> {
    if one.is_empty() || other.is_empty() || one.keys().any(|key| other.contains_key(key)) {
        return None;
    }
    let value = |set: &BTreeMap<T, Vec<EvidenceRef>>| {
        let mut text = Text::default();
        for (index, key) in set.keys().enumerate() {
            if index > 0 {
                text = text.with(", ");
            }
            text = text.with_text(&words(key));
        }
        Value { text, refs: set.values().flat_map(|refs| few(refs)).collect() }
    };
    Some((value(one), value(other)))
}

fn certificate(one: &Host, other: &Host) -> Option<(Value, Value)> {
    let value = |host: &Host| {
        if !host.certificate_asked.is_empty() {
            let refs = few(&host.certificate_asked);
            return Some((true, Value { text: Text::of("asked for"), refs }));
        }
        (!host.certificate_not_asked.is_empty()).then(|| {
            let refs = few(&host.certificate_not_asked);
            (false, Value { text: Text::of("not asked for"), refs })
        })
    };
    let (one, other) = (value(one)?, value(other)?);
    (one.0 != other.0).then_some((one.1, other.1))
}

/// One difference for all hosts of which the same holds.
fn grouped(found: Vec<Difference>) -> Vec<Difference> {
    let mut out: Vec<Difference> = Vec::new();
    for one in found {
        let same = out.iter_mut().find(|known| {
            known.area == one.area
                && known.name == one.name
                && known.working.text == one.working.text
                && known.failing.text == one.failing.text
        });
        match same {
            Some(known) => {
                known.hosts.extend(one.hosts);
                for at in one.working.refs {
                    add(&mut known.working.refs, at);
                }
                for at in one.failing.refs {
                    add(&mut known.failing.refs, at);
                }
            }
            None => out.push(one),
        }
    }
    out
}

/// What a capture shows of the ways to hosts, by name: what only one of two shows is not compared.
pub(super) fn shown(hosts: &Hosts, party: &Party<'_>) -> [(&'static str, bool); 4] {
    let any = |has: fn(&Host) -> bool| hosts.all.values().any(has);
    let through = !hosts.proxied.is_empty() || !hosts.direct.is_empty();
    let some = party.level > Level::Nothing;
    [
        ("whether a proxy was used", some && through),
        ("addresses of hosts", some && any(|host| !host.addresses.is_empty())),
        ("TLS versions", some && any(|host| !host.versions.is_empty())),
        ("certificates", some && any(|host| !host.issuers.is_empty())),
    ]
}
