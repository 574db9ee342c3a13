//! What the network team needs: which hosts, when, from where, what came and what should have come.
//!
//! Facts of one host are gathered from the requests that stopped the sign-in and from its
//! connections; what is to be allowed comes from the host table. It must not guess: an address that
//! may be the proxy's is not called the server's.
//!
//! Invariants: hosts stand in the order in which they were tried; each list is free of repeats.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use super::check::{Check, Wanted, checks};
use crate::entra::hosts::{Actor, Listed as InList, Serves};
use crate::entra::{self, Fault, HostRole, HostRow, StepKind, failures, hosts, vendors};
use crate::evidence::{
    Connection, EvidenceRef, Exchange, ExchangeId, HostName, Scheme, Via, named,
};
use crate::report::model::{ReportInput, step_words};
use crate::signin::{
    Client, FailureKind, Outcome, Phase, SignInAttempt, failure_name, interceptor, proxy,
};
use crate::time::Timestamp;

/// The public list that the endpoint sets are from.
const LIST: List = List {
    name: "Microsoft 365 endpoints, worldwide",
    version: "2022072800",
    source: "MicrosoftDocs/microsoft-365-docs, includes/office-365-worldwide-endpoints.md",
    note: "The numbers of the sets are stable; hosts and address ranges grow. Compare with the list \
           of today: https://aka.ms/o365endpoints",
};

/// The sets that bear on a sign-in: number, category, whether required, ports, fixed address ranges
/// (protocol notes 1.2).
const SETS: &[(u16, &str, bool, &[u16], &[&str])] = &[
    (17, "Default", true, &[80, 443], &[]),
    (56, "Allow", true, &[80, 443], &["20.190.128.0/18", "40.126.0.0/18"]),
    (59, "Default", true, &[80, 443], &[]),
    (69, "Default", true, &[443], &[]),
    (84, "Default", true, &[80, 443], &[]),
    (89, "Default", true, &[80, 443], &[]),
    (97, "Default", false, &[80, 443], &[]),
    (116, "Default", false, &[80, 443], &[]),
    (125, "Default", true, &[80, 443], &[]),
];

/// Hosts for which commands are given.
const CHECKED: usize = 8;

/// The public list, with its version.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct List {
    /// Its name.
    pub name: &'static str,
    /// The version that the host table was made from.
    pub version: &'static str,
    /// Where that version is.
    pub source: &'static str,
    /// What to know about its age.
    pub note: &'static str,
}

/// The block for the network team.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkHandover {
    /// The hosts that could not be reached, the one tried first in front.
    pub hosts: Vec<HostFacts>,
    /// What to allow.
    pub allow: Vec<Allow>,
    /// What to leave out of inspection and proxy sign-in.
    pub exempt: Vec<Exempt>,
    /// The public list behind it.
    pub list: List,
    /// How to test it, before and after.
    pub checks: Vec<Check>,
}

/// What is known of one host.
#[derive(Clone, Debug, Serialize)]
pub struct HostFacts {
    /// Its name.
    pub host: HostName,
    /// The port asked for.
    pub port: u16,
    /// Addresses of the server that the capture holds.
    pub servers: Vec<IpAddr>,
    /// What is odd about these addresses.
    pub server_notes: Vec<String>,
    /// How the requests went: `direct`, `proxy` or `unknown`.
    pub via: &'static str,
    /// Addresses of the proxy, as `host:port` or an address alone.
    pub proxies: Vec<String>,
    /// Addresses of the client, those of the computer itself left out.
    pub clients: Vec<IpAddr>,
    /// The processes that sent the requests.
    pub programs: Vec<String>,
    /// When the first of the failed requests was sent.
    pub first: Option<Timestamp>,
    /// When the last of them was sent.
    pub last: Option<Timestamp>,
    /// How many failed.
    pub requests: usize,
    /// The steps of the sign-in that needed them.
    pub steps: Vec<StepKind>,
    /// The same in words.
    pub needed_for: Vec<&'static str>,
    /// What was seen.
    pub seen: Vec<Seen>,
    /// Issuers of the certificates that came.
    pub certificate_issuers: Vec<String>,
    /// What should have come.
    pub expected: Vec<&'static str>,
    /// Where the host stands in the public list.
    pub listed: Option<Listed>,
    /// Other hosts that can stand in for it.
    pub alternatives: Vec<StandIn>,
    /// Where the requests stand.
    #[serde(serialize_with = "crate::report::json::refs")]
    pub refs: Vec<EvidenceRef>,
    /// A cleaned path that was asked for.
    #[serde(skip)]
    path: Option<String>,
}

/// One kind of failure at a host.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Its published name.
    pub fault: &'static str,
    /// It in plain words.
    pub words: String,
    /// The capture's own name for it.
    pub error: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The product that signed the answer or the certificate.
    pub product: Option<&'static str>,
    /// Whether the capture leaves no other reading.
    pub certain: bool,
    /// How often.
    pub count: usize,
    /// Where it stands.
    #[serde(serialize_with = "crate::report::json::refs")]
    pub refs: Vec<EvidenceRef>,
}

/// A place in the public list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Number of the set.
    pub endpoint_set: u16,
    /// Its category, where the notes give it.
    pub category: Option<&'static str>,
    /// Whether the set is required.
    pub required: Option<bool>,
}

/// Another host of the same use.
#[derive(Clone, Debug, Serialize)]
pub struct StandIn {
    /// Its name.
    pub host: &'static str,
    /// Whether it failed too.
    pub failed: bool,
}

/// What to allow of one endpoint set.
#[derive(Clone, Debug, Serialize)]
pub struct Allow {
    /// The set; none for a host that is in no set.
    pub listed: Option<Listed>,
    /// Host names and patterns.
    pub hosts: Vec<String>,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Fixed address ranges of the set.
    pub address_ranges: &'static [&'static str],
}

/// A host to leave out of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exempt {
    /// Host name or pattern.
    pub host: String,
    /// Out of what: `tls_inspection`, `proxy_authentication`.
    pub from: Vec<&'static str>,
    /// Why.
    pub why: &'static str,
}

impl NetworkHandover {
    pub(super) fn of(report: &ReportInput<'_>, attempt: &SignInAttempt, client: &Client) -> Self {
        let names = names(report, attempt);
        let hosts: Vec<HostFacts> = names
            .iter()
            .map(|host| Gathered::of(report, attempt, host).facts(report, &names))
            .collect();
        let checks = hosts.iter().take(CHECKED).flat_map(|one| one.checks(client)).collect();
        Self { allow: allow(&hosts), exempt: exempt(&hosts), list: LIST, checks, hosts }
    }
}

/// The hosts in question, the one tried first in front.
fn names(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Vec<HostName> {
    let blocked = attempt.blockage.iter().flat_map(|blockage| &blockage.hosts);
    let decisive =
        report.findings.iter().filter(|one| one.decisive).filter_map(|one| one.host.as_ref());
    let mut names: Vec<HostName> = Vec::new();
    for host in blocked.chain(&report.verdict.hosts).chain(decisive) {
        if !names.contains(host) {
            names.push(host.clone());
        }
    }
    names
}

/// What the evidence holds about one host of an attempt.
struct Gathered<'a> {
    host: &'a HostName,
    attempt: &'a SignInAttempt,
    /// The requests that failed, in order.
    failed: Vec<(ExchangeId, &'a Exchange)>,
    /// Its connections.
    connections: Vec<&'a Connection>,
}

impl<'a> Gathered<'a> {
    fn of(report: &ReportInput<'a>, attempt: &'a SignInAttempt, host: &'a HostName) -> Self {
        let blocking: BTreeSet<ExchangeId> =
            attempt.blockage.iter().flat_map(|one| one.exchanges.iter().copied()).collect();
        let network = |id: &ExchangeId| {
            report
                .signin
                .failures
                .get(id)
                .is_some_and(|failure| failure.side == crate::signin::FailureSide::Network)
        };
        let during = |at: Option<Timestamp>| {
            at.zip(attempt.first).is_none_or(|(at, first)| at >= first)
                && at.zip(attempt.last).is_none_or(|(at, last)| at <= last)
        };
        let failed = report
            .evidence
            .numbered()
            .filter(|(_, exchange)| exchange.host() == host)
            .filter(|(id, exchange)| {
                blocking.contains(id) || network(id) && during(exchange.started())
            })
            .collect();
        let connections = report
            .evidence
            .connections
            .iter()
            .filter(|one| one.server_name.as_ref() == Some(host))
            .collect();
        Self { host, attempt, failed, connections }
    }

    fn facts(&self, report: &ReportInput<'_>, names: &[HostName]) -> HostFacts {
        let exchanges = || self.failed.iter().map(|(_, exchange)| *exchange);
        let row = hosts::host(self.host.as_str());
        let via = if exchanges().any(|one| one.via == Via::Proxy) {
            Via::Proxy
        } else if exchanges().any(|one| one.via == Via::Direct) {
            Via::Direct
        } else {
            Via::Unknown
        };
        let proxied = via == Via::Proxy;
        let addresses = exchanges().filter_map(|one| one.server);
        let connected =
            self.connections.iter().filter_map(|one| one.server).map(|server| server.ip());
        let mut proxies: Vec<String> =
            exchanges().filter_map(proxy).map(|(host, port)| format!("{host}:{port}")).collect();
        let mut servers: Vec<IpAddr> = Vec::new();
        if proxied {
            proxies.extend(addresses.map(|address| address.to_string()));
        } else {
            servers.extend(addresses.chain(connected));
        }
        let steps = unique(exchanges().filter_map(|one| step(one, self.attempt)));
        let needed_for = unique(steps.iter().map(|step| self.purpose(*step, row)));
        let servers = unique(servers);
        HostFacts {
            host: self.host.clone(),
            port: exchanges()
                .map(|one| one.request.url.port)
                .find(|port| *port != 0)
                .unwrap_or(443),
            server_notes: servers.iter().filter_map(|one| odd(*one, row)).collect(),
            servers,
            via: match via {
                Via::Direct => "direct",
                Via::Proxy => "proxy",
                Via::Unknown => "unknown",
            },
            proxies: unique(proxies),
            clients: unique(
                self.connections
                    .iter()
                    .filter_map(|one| one.client)
                    .map(|client| client.ip())
                    .filter(|client| !client.is_loopback()),
            ),
            programs: unique(
                exchanges()
                    .filter_map(|one| one.process.as_deref())
                    .map(|name| super::super::json::captured(name, report.redaction)),
            ),
            first: exchanges().filter_map(Exchange::started).min(),
            last: exchanges().filter_map(Exchange::started).max(),
            requests: self.failed.len(),
            expected: expected(row, &steps),
            seen: self.seen(report),
            steps,
            needed_for,
            certificate_issuers: unique(self.issuers().map(|issuer| {
                let short: String = issuer.chars().take(ISSUER).collect();
                named(&super::super::model::harmless(&short), report.redaction).into_owned()
            })),
            listed: row.and_then(listed),
            alternatives: hosts::alternatives(self.host.as_str())
                .iter()
                .map(|other| StandIn {
                    host: other,
                    failed: names.iter().any(|name| name.as_str() == *other),
                })
                .collect(),
            refs: unique(exchanges().map(|one| one.at)),
            path: exchanges()
                .filter(|one| one.request.url.scheme != Scheme::Authority)
                .map(|one| one.request.url.path.to_string())
                .find(|path| path.len() > 1),
        }
    }

    /// Issuers of the certificates that came for the host, the capture tool's own left out.
    fn issuers(&self) -> impl Iterator<Item = &str> {
        self.connections
            .iter()
            .filter_map(|one| one.tls.as_ref()?.certificate.as_ref())
            .map(|certificate| certificate.issuer.as_str())
            .filter(|issuer| !issuer.is_empty() && !vendors::is_capture_tool_issuer(issuer))
    }

    fn purpose(&self, step: StepKind, row: Option<&HostRow>) -> &'static str {
        match row.map(|row| (row.role, row.serves)) {
            Some((HostRole::SigninCdn, Some(Serves::Script))) => "scripts of the sign-in pages",
            Some((HostRole::SigninCdn, _)) => "pictures and styles of the sign-in pages",
            None if self.is_application() => "the application itself, after the sign-in",
            _ => step_words(step),
        }
    }

    fn is_application(&self) -> bool {
        self.attempt.blockage.as_ref().is_some_and(|one| one.phase == Phase::AfterMfa)
    }

    fn seen(&self, report: &ReportInput<'_>) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        for (id, exchange) in &self.failed {
            let failure = report.signin.failures.get(id);
            let (fault, words) = match failure {
                Some(failure) => fault(failure.kind),
                None => unnamed(exchange),
            };
            let error = failure_name(exchange)
                .map(|name| super::super::json::captured(&name, report.redaction));
            let one = Seen {
                fault,
                words,
                error,
                status: exchange.status(),
                product: failure.and_then(|failure| failure.vendor),
                certain: failure.is_some_and(|failure| failure.certain),
                count: 1,
                refs: vec![exchange.at],
            };
            let same = seen.iter_mut().find(|known| {
                (known.fault, &known.error, known.status, known.product)
                    == (one.fault, &one.error, one.status, one.product)
            });
            match same {
                Some(known) => {
                    known.count = known.count.saturating_add(1);
                    known.refs.push(exchange.at);
                }
                None => seen.push(one),
            }
        }
        for connection in &self.connections {
            let Some(vendor) = interceptor(connection) else { continue };
            let known = seen
                .iter_mut()
                .find(|one| one.fault == "tls_inspection" && one.product == Some(vendor.name));
            match known {
                Some(known) => {
                    known.count = known.count.saturating_add(1);
                    known.refs.push(connection.at);
                }
                None => seen.push(Seen {
                    fault: "tls_inspection",
                    words: "the certificate is not the service's own: the connection is decrypted \
                            on the way"
                        .to_owned(),
                    error: None,
                    status: None,
                    product: Some(vendor.name),
                    certain: vendor.is_verified(),
                    count: 1,
                    refs: vec![connection.at],
                }),
            }
        }
        // A request that came back well is no failure where the certificate tells more.
        if seen.iter().any(|one| one.fault == "tls_inspection") {
            seen.retain(|one| one.fault != "answered");
        }
        seen
    }
}

/// Characters shown of an issuer.
const ISSUER: usize = 160;

fn unique<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut out = Vec::new();
    for one in all {
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

/// The step that a request stands for; a tunnel and a file of a page stand for the one that waited.
fn step(exchange: &Exchange, attempt: &SignInAttempt) -> Option<StepKind> {
    let url = &exchange.request.url;
    let known = entra::endpoint(url.host.as_str(), &exchange.request.method, &url.path)
        .filter(|_| url.scheme != Scheme::Authority)
        .map(|row| row.step)
        .filter(|step| *step != StepKind::Other);
    known.or_else(|| attempt.blockage.as_ref().map(|blockage| blockage.step))
}

/// A failure by its published name and in words.
fn fault(kind: FailureKind) -> (&'static str, String) {
    let (name, words) = match kind {
        FailureKind::BlockPage => {
            ("block_page", "a page of a proxy, filter or portal came in place of the answer")
        }
        FailureKind::Fault(fault) => {
            let meaning = failures::failures()
                .find(|row| row.fault == fault)
                .map(|row| row.meaning)
                .unwrap_or_default();
            return (fault.as_str(), lower(meaning));
        }
        FailureKind::ProxyAuthentication => (
            "proxy_authentication",
            "the proxy asked for credentials, and none that it accepts came",
        ),
        FailureKind::ProxyRefused => ("proxy_refused", "the proxy refused to connect to the host"),
        FailureKind::ProxyUpstream => {
            ("proxy_upstream", "the proxy answered that it could not reach the host")
        }
        FailureKind::Service { .. } => ("service", "the answer was an error of a server"),
        FailureKind::Unnamed => ("unnamed", "the request failed, and the capture does not say why"),
    };
    (name, words.to_owned())
}

fn unnamed(exchange: &Exchange) -> (&'static str, String) {
    match exchange.status() {
        Some(_) => {
            ("answered", "an answer came, and the sign-in could not go on with it".to_owned())
        }
        None => ("no_answer", "no answer came".to_owned()),
    }
}

/// A sentence as a part of another one.
fn lower(sentence: &str) -> String {
    let mut characters = sentence.trim_end_matches('.').chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// What is odd about the address of a server.
fn odd(address: IpAddr, row: Option<&HostRow>) -> Option<String> {
    if let Some(vendor) = vendors::answer_address(address).filter(|vendor| vendor.is_usable()) {
        return Some(format!("{address} is an address of {}", vendor.name));
    }
    let IpAddr::V4(v4) = address else { return None };
    let service = row.filter(|row| row.endpoint_set == Some(56))?;
    if !matches!(service.role, HostRole::Sts | HostRole::StsAlias | HostRole::DeviceCert) {
        return None;
    }
    let bits = u32::from(v4) >> 14;
    let inside = [[20, 190, 128, 0], [40, 126, 0, 0]]
        .into_iter()
        .any(|start| u32::from(std::net::Ipv4Addr::from(start)) >> 14 == bits);
    (!inside).then(|| {
        format!(
            "{address} is outside the ranges of set 56 in that version of the list; the ranges \
             grow, so this is a hint only"
        )
    })
}

/// What should have come.
fn expected(row: Option<&HostRow>, steps: &[StepKind]) -> Vec<&'static str> {
    const ISSUED: &str = "a certificate issued by DigiCert or Microsoft";
    let json = |step: &StepKind| {
        matches!(step, StepKind::MfaBegin | StepKind::MfaPoll | StepKind::CredentialType)
    };
    match row.map(|row| (row.role, row.serves)) {
        Some((HostRole::Sts | HostRole::StsAlias, _)) if steps.iter().any(json) => {
            vec!["JSON of the sign-in service with the header x-ms-request-id, not a page", ISSUED]
        }
        Some((HostRole::Sts | HostRole::StsAlias, _)) => {
            vec!["an answer of the sign-in service with the header x-ms-request-id", ISSUED]
        }
        Some((HostRole::SigninCdn, Some(Serves::Script))) => {
            vec!["a script (status 200, content type of a script, not a page)", ISSUED]
        }
        Some((HostRole::DeviceCert, _)) => vec![
            "the service's own TLS connection, in which it asks for the client certificate",
            ISSUED,
        ],
        Some((HostRole::Federation, _)) => {
            vec!["an answer of the identity or MFA provider that the sign-in was sent to"]
        }
        Some(_) => vec!["an answer of the service", ISSUED],
        None => vec!["an answer of the host itself"],
    }
}

/// The place of a host in the public list, which is that of the worldwide cloud.
fn listed(row: &HostRow) -> Option<Listed> {
    let endpoint_set = row.endpoint_set.filter(|_| row.clouds.contains(&"worldwide"))?;
    let set = SETS.iter().find(|(number, ..)| *number == endpoint_set);
    Some(Listed {
        endpoint_set,
        category: set.map(|(_, category, ..)| *category),
        required: set.map(|(_, _, required, ..)| *required),
    })
}

/// The rows of the list that a sign-in in a browser needs.
fn of_sign_in(row: &HostRow) -> bool {
    row.needed_by == Actor::Browser
        && row.listed_required == InList::Yes
        && row.is_verified()
        && !row.is_path()
        && matches!(
            row.role,
            HostRole::CrlOcsp
                | HostRole::DeviceCert
                | HostRole::MfaRegistration
                | HostRole::SigninCdn
                | HostRole::Sts
                | HostRole::StsAlias
        )
}

fn allow(facts: &[HostFacts]) -> Vec<Allow> {
    let mut out: Vec<Allow> = Vec::new();
    // What only is inspected gets through already.
    let facts: Vec<&HostFacts> = facts.iter().filter(|one| !one.is_inspected_only()).collect();
    let mut sets: BTreeSet<u16> =
        facts.iter().filter_map(|one| one.listed).map(|listed| listed.endpoint_set).collect();
    let revoked = |one: &Seen| one.fault == Fault::CertRevoked.as_str();
    if facts.iter().any(|one| one.seen.iter().any(revoked)) {
        sets.extend([84, 125]);
    }
    for number in sets {
        let rows = hosts::patterns()
            .filter(|row| row.endpoint_set == Some(number) && row.clouds.contains(&"worldwide"));
        // The hosts that failed stand in front, also those that the list does not require.
        let failed = facts
            .iter()
            .filter(|one| one.listed.is_some_and(|listed| listed.endpoint_set == number))
            .map(|one| one.host.as_str().to_owned());
        let listed = rows.filter(|row| of_sign_in(row)).map(|row| row.pattern.to_owned());
        let names = unique(failed.chain(listed));
        let set = SETS.iter().find(|(known, ..)| *known == number);
        out.push(Allow {
            listed: Some(Listed {
                endpoint_set: number,
                category: set.map(|(_, category, ..)| *category),
                required: set.map(|(_, _, required, ..)| *required),
            }),
            hosts: names,
            // Sign-in needs TLS alone; lists of revoked certificates come without.
            ports: if matches!(number, 84 | 125) { vec![80, 443] } else { vec![443] },
            address_ranges: set.map_or(&[], |(.., ranges)| ranges),
        });
    }
    for one in facts.iter().filter(|one| one.listed.is_none()) {
        out.push(Allow {
            listed: None,
            hosts: vec![one.host.as_str().to_owned()],
            ports: vec![one.port],
            address_ranges: &[],
        });
    }
    out
}

/// Whether a fault can come of an inspection of TLS.
fn by_inspection(fault: &str) -> bool {
    let tls =
        [Fault::ClientCert, Fault::Ech, Fault::TlsHandshake, Fault::TlsProtocol, Fault::TlsVersion];
    matches!(fault, "block_page" | "tls_inspection")
        || Fault::parse(fault).is_some_and(|fault| fault.is_certificate() || tls.contains(&fault))
}

fn exempt(facts: &[HostFacts]) -> Vec<Exempt> {
    let mut out: Vec<Exempt> = Vec::new();
    let mut add = |host: String, from: &'static str, why: &'static str| match out
        .iter_mut()
        .find(|one| one.host == host)
    {
        Some(known) if !known.from.contains(&from) => known.from.push(from),
        Some(_) => {}
        None => out.push(Exempt { host, from: vec![from], why }),
    };
    for one in facts {
        let name = one.host.as_str();
        let seen = |test: &dyn Fn(&str) -> bool| one.seen.iter().any(|seen| test(seen.fault));
        let certificates = hosts::is_certificate_host(name);
        if seen(&|fault| matches!(fault, "proxy_authentication" | "proxy_auth")) {
            let why = "failed here because the proxy asks for a sign-in";
            add(name.to_owned(), "proxy_authentication", why);
        }
        if certificates || seen(&by_inspection) {
            let why = if certificates {
                "asks for a client certificate, which no inspection can pass on"
            } else {
                "failed here in a way that an inspection or filter causes"
            };
            add(name.to_owned(), "tls_inspection", why);
            let cloud = hosts::cloud(name).unwrap_or("worldwide");
            let asking = hosts::patterns().filter(|row| {
                row.clouds.contains(&cloud)
                    && row.is_verified()
                    && (row.role == HostRole::DeviceCert || row.serves == Some(Serves::Certificate))
            });
            for row in asking {
                let why = "asks for a client certificate, which no inspection can pass on";
                add(row.pattern.to_owned(), "tls_inspection", why);
            }
        }
    }
    out
}

impl HostFacts {
    /// Whether the host is reached, and only its certificate is another one.
    fn is_inspected_only(&self) -> bool {
        !self.seen.is_empty() && self.seen.iter().all(|one| one.fault == "tls_inspection")
    }

    fn checks(&self, client: &Client) -> Vec<Check> {
        let name = |one: &Seen| {
            matches!(
                Fault::parse(one.fault),
                Some(Fault::NameMissing | Fault::NameLookupFailed | Fault::AddressInvalid)
            )
        };
        let wanted = Wanted {
            connection: !self.is_inspected_only()
                && self.seen.iter().all(|one| one.status.is_none_or(|status| status >= 500)),
            name: self.seen.iter().any(name) || !self.server_notes.is_empty(),
            proxied: self.via == "proxy" || self.seen.iter().any(|one| by_proxy(one.fault)),
            proxy: self.proxies.iter().map(String::as_str).find(|proxy| proxy.contains(':')),
            path: self.path.as_deref(),
        };
        checks(client.system, &self.host, self.port, wanted)
    }
}

/// Whether a fault tells that a proxy was asked.
fn by_proxy(fault: &str) -> bool {
    matches!(fault, "proxy_authentication" | "proxy_refused" | "proxy_upstream")
        || matches!(
            Fault::parse(fault),
            Some(
                Fault::ProxyAuth
                    | Fault::ProxyCert
                    | Fault::ProxyRefusedConnect
                    | Fault::ProxyUnreachable
            )
        )
}

/// What is wanted, in one sentence.
pub(super) fn request(handover: &NetworkHandover, attempt: &SignInAttempt) -> String {
    let names: Vec<&str> = handover.hosts.iter().map(|one| one.host.as_str()).collect();
    let hosts = match names.as_slice() {
        [] => "the hosts of the sign-in".to_owned(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    };
    let first = handover.hosts.first().and_then(|one| one.seen.first());
    let product = handover
        .hosts
        .iter()
        .flat_map(|one| &one.seen)
        .find_map(|seen| seen.product)
        .unwrap_or("the proxy or filter");
    let fault = first.map_or("", |seen| seen.fault);
    let inspected =
        handover.hosts.iter().any(|one| one.seen.iter().any(|seen| seen.fault == "tls_inspection"));
    let wish = match (fault, Fault::parse(fault)) {
        _ if inspected => format!("exempt {hosts} from TLS inspection by {product}"),
        ("block_page", _) => format!("allow {hosts} in {product}"),
        ("proxy_authentication", _) | (_, Some(Fault::ProxyAuth)) => {
            format!("let the clients reach {hosts} without a sign-in at the proxy")
        }
        ("proxy_refused" | "proxy_upstream", _) | (_, Some(Fault::ProxyRefusedConnect)) => {
            format!("let the proxy connect to {hosts}")
        }
        (_, Some(Fault::ProxyUnreachable | Fault::PacFailed | Fault::ProxyCert)) => {
            format!("make the proxy reachable that the clients use for {hosts}")
        }
        (_, Some(Fault::NameMissing | Fault::NameLookupFailed | Fault::AddressInvalid)) => {
            format!("make the clients' name servers resolve {hosts}")
        }
        (_, Some(Fault::Offline | Fault::NetworkChanged | Fault::Suspended)) => {
            format!("find out why the computer had no network when it asked for {hosts}")
        }
        (_, Some(Fault::BlockedByAdministrator)) => {
            format!("take {hosts} off the block list that the browsers get by policy")
        }
        (_, Some(Fault::LocalFirewall)) => {
            format!("let the clients' own firewall or security software pass {hosts}")
        }
        (_, Some(fault)) if fault.is_certificate() => format!(
            "check who answers TLS for {hosts} and let the service's own certificate through"
        ),
        (_, Some(Fault::Reset | Fault::ClosedWithoutAnswer | Fault::Incomplete)) => {
            format!("find out what cuts the connections to {hosts} and let them through")
        }
        (_, Some(Fault::ConnectTimeout | Fault::Timeout)) => {
            format!("find out why connections to {hosts} get no answer and let them through")
        }
        (_, Some(Fault::ConnectRefused | Fault::Unreachable | Fault::ConnectFailed)) => {
            format!("find out what refuses connections to {hosts} and let them through")
        }
        _ => format!("find out why requests to {hosts} fail and let them through"),
    };
    let harm = match (attempt.outcome, attempt.blockage.as_ref().map(|one| one.phase)) {
        (Outcome::BlockedByPolicy, _) => {
            "Until then the service does not see the device, and a policy refuses the sign-in."
        }
        (Outcome::RegistrationRequired, _) => {
            "Until then users cannot register for multifactor authentication."
        }
        (_, Some(Phase::AfterMfa)) => {
            "The sign-in itself works; until then users do not reach the application."
        }
        (_, Some(Phase::AfterChallenge)) => {
            "Until then users cannot complete multifactor authentication in Microsoft Entra ID."
        }
        _ => "Until then users cannot sign in with Microsoft Entra ID.",
    };
    format!("Please {wish}. {harm}")
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;
    use crate::report::handover::Handover;

    fn network() -> NetworkHandover {
        Handover::of(&samples::network().report()).unwrap().network.unwrap()
    }

    #[test]
    fn a_host_has_its_facts() {
        let network = network();
        let one = &network.hosts[0];
        assert_eq!((one.host.as_str(), one.port, one.requests), ("aadcdn.msauth.net", 443, 3));
        assert_eq!(one.servers[0].to_string(), "192.0.2.7");
        assert_eq!(one.needed_for, ["scripts of the sign-in pages"]);
        assert_eq!(one.listed.unwrap().endpoint_set, 59);
        assert_eq!(one.seen[0].count, 3);
        assert_eq!(one.seen[0].error.as_deref(), Some("ConnectionReset"));
        assert!(one.certificate_issuers[0].starts_with("CN=Contoso"));
        assert!(!one.certificate_issuers[0].contains('\u{202e}'));
        assert!(one.alternatives[0].failed);
        assert!(one.first < one.last);
    }

    #[test]
    fn what_to_allow_is_out_of_the_list() {
        let network = network();
        let set = &network.allow[0];
        assert_eq!(set.listed.unwrap().category, Some("Default"));
        assert!(set.hosts.iter().any(|host| host == "*.msauth.net"), "{:?}", set.hosts);
        assert!(set.hosts.iter().all(|host| !host.contains("events.data")));
        assert_eq!(set.ports, [443]);
        for (number, ..) in SETS {
            assert!(
                hosts::patterns().any(|row| row.endpoint_set == Some(*number)) || *number == 116
            );
        }
        assert!(hosts::patterns().any(|row| row.source.contains(LIST.version)));
    }

    #[test]
    fn certificate_hosts_are_left_out_of_inspection() {
        let case = samples::inspected_device();
        let handover = Handover::of(&case.report()).unwrap();
        assert!(
            handover.request.contains("from TLS inspection by Zscaler"),
            "{}",
            handover.request
        );
        let network = handover.network.unwrap();
        let exempt: Vec<&str> = network.exempt.iter().map(|one| one.host.as_str()).collect();
        assert!(exempt.contains(&"device.login.microsoftonline.com"), "{exempt:?}");
        assert!(exempt.contains(&"enterpriseregistration.windows.net"), "{exempt:?}");
        assert!(exempt.iter().all(|host| !host.ends_with(".us")));
    }

    #[test]
    fn addresses_that_are_odd_are_noted() {
        let row = hosts::host("login.microsoftonline.com");
        assert!(odd("20.190.160.14".parse().unwrap(), row).is_none());
        assert!(odd("40.126.63.255".parse().unwrap(), row).is_none());
        assert!(odd("40.126.64.0".parse().unwrap(), row).unwrap().contains("hint only"));
        assert!(odd("10.0.0.1".parse().unwrap(), hosts::host("aadcdn.msauth.net")).is_none());
    }

    #[test]
    fn no_query_and_no_secret_is_handed_over() {
        for case in samples::all() {
            let Some(handover) = Handover::of(&case.report()) else { continue };
            let text = serde_json::to_string(&handover).unwrap();
            assert!(!text.contains("hunter2") && !text.contains("alice.example"), "{text}");
        }
    }
}
