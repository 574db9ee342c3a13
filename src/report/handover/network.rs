//! What the network team needs: which hosts, when, from where, what came and what should have come.
//!
//! Facts of one host are gathered from the requests that stopped the sign-in and from its
//! connections; what is to be allowed comes from the host table. It must not guess: an address that
//! may be the proxy's is not called the server's.
//!
//! Invariants: hosts stand in the order in which they were tried; each list is free of repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::check::{Check, Wanted, checks};
use super::list::{Allow, Exempt, LIST, List, Listed, allow, exempt, listed};
use super::proxy::proxies;
use crate::entra::hosts::Serves;
use crate::entra::{self, Fault, HostRole, HostRow, StepKind, failures, hosts, vendors};
use crate::evidence::{
    Author, Connection, EvidenceRef, Exchange, ExchangeId, HostName, Scheme, Via,
};
#[cfg(test)]
use crate::report::forms;
use crate::report::json::captured;
use crate::report::model::{ReportInput, certificate_name, program, step_words};
use crate::signin::{
    Client, FailureKind, FailureSide, Phase, SignInAttempt, failure_name, interceptor,
};
use crate::time::Timestamp;

/// Hosts for which commands are given.
const CHECKED: usize = 8;

/// The block for the network team.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "network_handover"))]
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
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "host"))]
pub struct HostFacts {
    /// Its name.
    pub host: HostName,
    /// The port asked for.
    pub port: u16,
    /// Addresses of the server that the capture holds for these requests.
    #[cfg_attr(test, schemars(with = "Vec<forms::Address>"))]
    pub servers: Vec<IpAddr>,
    /// What is odd about these addresses.
    pub server_notes: Vec<String>,
    /// How the requests went: `direct`, `proxy` or `unknown`.
    #[cfg_attr(test, schemars(with = "forms::Via"))]
    pub via: &'static str,
    /// Names and addresses of the proxy, as `host:port` or an address alone.
    pub proxies: Vec<String>,
    /// Addresses of the client, those of the computer itself left out.
    #[cfg_attr(test, schemars(with = "Vec<forms::Address>"))]
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
    #[cfg_attr(test, schemars(with = "Vec<crate::report::json::RefJson>"))]
    pub refs: Vec<EvidenceRef>,
    /// A cleaned path that was asked for.
    #[serde(skip)]
    path: Option<String>,
    /// Whether an address of it is one that the host should not have.
    #[serde(skip)]
    pub(super) has_odd_address: bool,
}

/// One kind of failure at a host.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "seen"))]
pub struct Seen {
    /// Its published name.
    #[cfg_attr(test, schemars(with = "forms::FaultName"))]
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
    #[cfg_attr(test, schemars(with = "Vec<crate::report::json::RefJson>"))]
    pub refs: Vec<EvidenceRef>,
}

/// Another host of the same use.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "stand_in"))]
pub struct StandIn {
    /// Its name.
    pub host: &'static str,
    /// Whether it failed too.
    pub failed: bool,
}

impl NetworkHandover {
    pub(super) fn of(report: &ReportInput<'_>, attempt: &SignInAttempt, client: &Client) -> Self {
        let names = names(report, attempt);
        let mut gathered = Gathered::all(report, attempt, &names);
        let hosts: Vec<HostFacts> = names
            .iter()
            .filter_map(|host| gathered.remove(host))
            .map(|one| one.facts(report, &names))
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
    unique(blocked.chain(&report.verdict.hosts).chain(decisive)).into_iter().cloned().collect()
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
    /// What the evidence holds about each of the hosts.
    fn all(
        report: &ReportInput<'a>,
        attempt: &'a SignInAttempt,
        names: &'a [HostName],
    ) -> BTreeMap<&'a HostName, Self> {
        let mut all: BTreeMap<&HostName, Self> = names
            .iter()
            .map(|host| (host, Self { host, attempt, failed: Vec::new(), connections: Vec::new() }))
            .collect();
        let blocking: BTreeSet<ExchangeId> =
            attempt.blockage.iter().flat_map(|one| one.exchanges.iter().copied()).collect();
        let by_network = |id: &ExchangeId| {
            let failure = report.signin.failures.get(id);
            failure.is_some_and(|failure| failure.side == FailureSide::Network)
        };
        let during = |at: Option<Timestamp>| {
            at.zip(attempt.first).is_none_or(|(at, first)| at >= first)
                && at.zip(attempt.last).is_none_or(|(at, last)| at <= last)
        };
        for (id, exchange) in report.evidence.numbered() {
            let Some(one) = all.get_mut(exchange.host()) else { continue };
            if blocking.contains(&id) || by_network(&id) && during(exchange.started()) {
                one.failed.push((id, exchange));
            }
        }
        for connection in &report.evidence.connections {
            let name = connection.server_name.as_ref();
            if let Some(one) = name.and_then(|name| all.get_mut(name)) {
                one.connections.push(connection);
            }
        }
        all
    }

    fn facts(&self, report: &ReportInput<'_>, names: &[HostName]) -> HostFacts {
        let exchanges = || self.failed.iter().map(|(_, exchange)| *exchange);
        let row = hosts::host(self.host.as_str());
        let seen = self.seen(report);
        let asked_proxy = seen.iter().any(|one| by_proxy(one.fault));
        let via = if asked_proxy || exchanges().any(|one| one.via == Via::Proxy) {
            Via::Proxy
        } else if exchanges().any(|one| one.via == Via::Direct) {
            Via::Direct
        } else {
            Via::Unknown
        };
        let through = via == Via::Proxy;
        let addresses = exchanges().filter_map(|one| one.server);
        let connected =
            self.connections.iter().filter_map(|one| one.server).map(|server| server.ip());
        let proxies = if through { proxies(report.evidence, exchanges()) } else { Vec::new() };
        let mut servers: Vec<IpAddr> = Vec::new();
        if !through {
            servers.extend(addresses);
        }
        // The address of another request to the host need not be that of those that failed.
        let others = if through || !servers.is_empty() { Vec::new() } else { unique(connected) };
        let mut server_notes: Vec<String> = others
            .iter()
            .map(|one| format!("{one} was used by other requests to the host in this capture"))
            .collect();
        let steps = unique(exchanges().filter_map(|one| step(one, self.attempt)));
        let needed_for = unique(steps.iter().map(|step| self.purpose(*step, row)));
        let servers = unique(servers);
        server_notes.extend(servers.iter().chain(&others).filter_map(|one| odd(*one, row)));
        HostFacts {
            host: self.host.clone(),
            port: exchanges()
                .map(|one| one.request.url.port)
                .find(|port| *port != 0)
                .unwrap_or(443),
            has_odd_address: server_notes.len() > others.len(),
            server_notes,
            servers,
            via: match via {
                Via::Direct => "direct",
                Via::Proxy => "proxy",
                Via::Unknown => "unknown",
            },
            proxies,
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
                    .map(|name| program(name, report.redaction)),
            ),
            first: exchanges().filter_map(Exchange::started).min(),
            last: exchanges().filter_map(Exchange::started).max(),
            requests: self.failed.len(),
            expected: expected(row, &steps, self.is_application()),
            seen,
            steps,
            needed_for,
            certificate_issuers: unique(self.issuers().map(|issuer| {
                let short: String = issuer.chars().take(ISSUER).collect();
                certificate_name(&short, report.redaction)
            })),
            listed: row.and_then(listed),
            alternatives: hosts::alternatives(self.host.as_str())
                .iter()
                .map(|other| StandIn {
                    host: other,
                    failed: names.iter().any(|name| name.as_str() == *other),
                })
                .collect(),
            refs: exchanges().map(|one| one.at).collect(),
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
        let mut seen = Folded::default();
        for (id, exchange) in &self.failed {
            let failure = report.signin.failures.get(id);
            let (fault, words) = match failure {
                Some(failure) => fault(failure.kind),
                None => unnamed(exchange),
            };
            seen.add(Seen {
                fault,
                words,
                error: failure_name(exchange).map(|name| captured(&name, report.redaction)),
                status: exchange.status().filter(|_| is_from_network(exchange)),
                product: failure.and_then(|failure| failure.vendor),
                certain: failure.is_some_and(|failure| failure.certain),
                count: 1,
                refs: vec![exchange.at],
            });
        }
        for connection in &self.connections {
            let Some(vendor) = interceptor(connection) else { continue };
            let words =
                "the certificate is not the service's own: the connection is decrypted on the way";
            seen.add(Seen {
                fault: "tls_inspection",
                words: words.to_owned(),
                error: None,
                status: None,
                product: Some(vendor.name),
                certain: vendor.is_verified(),
                count: 1,
                refs: vec![connection.at],
            });
        }
        let mut seen = seen.all;
        // A request that came back well is no failure where the certificate tells more.
        if seen.iter().any(|one| one.fault == "tls_inspection") {
            seen.retain(|one| one.fault != "answered");
        }
        seen
    }
}

/// What tells one kind of failure from another.
type Kind = (&'static str, Option<String>, Option<u16>, Option<&'static str>);

/// Failures, those of one kind folded, in the order in which the kinds were seen.
#[derive(Default)]
struct Folded {
    all: Vec<Seen>,
    /// Positions in `all`.
    known: BTreeMap<Kind, usize>,
}

impl Folded {
    fn add(&mut self, one: Seen) {
        let kind = (one.fault, one.error.clone(), one.status, one.product);
        if let Some(known) = self.known.get(&kind).and_then(|index| self.all.get_mut(*index)) {
            known.count = known.count.saturating_add(1);
            known.refs.extend(one.refs);
        } else {
            self.known.insert(kind, self.all.len());
            self.all.push(one);
        }
    }
}

/// Characters shown of an issuer.
const ISSUER: usize = 160;

/// The same in order, without repeats.
pub(super) fn unique<T: Clone + Ord>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut known = BTreeSet::new();
    all.into_iter().filter(|one| known.insert(one.clone())).collect()
}

/// The step that a request stands for; a tunnel and a file of a page stand for the one that waited.
fn step(exchange: &Exchange, attempt: &SignInAttempt) -> Option<StepKind> {
    let url = &exchange.request.url;
    if hosts::host(url.host.as_str()).is_some_and(|row| row.role == HostRole::MfaRegistration) {
        return Some(StepKind::Registration);
    }
    let known = entra::endpoint(url.host.as_str(), &exchange.request.method, &url.path)
        .filter(|_| url.scheme != Scheme::Authority)
        .map(|row| row.step)
        .filter(|step| *step != StepKind::Other);
    known.or_else(|| attempt.blockage.as_ref().map(|blockage| blockage.step))
}

/// Whether an answer came over the network: the capture tool answers by itself too.
fn is_from_network(exchange: &Exchange) -> bool {
    exchange.response.as_ref().is_ok_and(|response| response.author == Author::Network)
}

/// A failure by its published name and in words.
fn fault(kind: FailureKind) -> (&'static str, String) {
    let (name, words) = match kind {
        FailureKind::BlockPage => {
            ("block_page", "a page of a proxy or filter came in place of the answer")
        }
        FailureKind::CaptivePortal => {
            ("captive_portal", "the network asked for a log-in of its own in place of the answer")
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
fn expected(row: Option<&HostRow>, steps: &[StepKind], is_application: bool) -> Vec<&'static str> {
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
        None if is_application => vec!["an answer of the application"],
        None if steps.contains(&StepKind::ExternalMethod) => {
            vec!["the page of the external MFA provider"]
        }
        None if steps.contains(&StepKind::FederationRedirect) => {
            vec!["the sign-in page of the organisation's own identity provider"]
        }
        None => vec!["an answer of the host itself"],
    }
}

impl HostFacts {
    /// Whether the host is reached, and only its certificate is another one.
    pub(super) fn is_inspected_only(&self) -> bool {
        !self.seen.is_empty() && self.seen.iter().all(|one| one.fault == "tls_inspection")
    }

    /// Whether the computer had no network at all.
    pub(super) fn is_offline_only(&self) -> bool {
        let offline = |one: &Seen| {
            matches!(
                Fault::parse(one.fault),
                Some(Fault::NetworkChanged | Fault::Offline | Fault::Suspended)
            )
        };
        !self.seen.is_empty() && self.seen.iter().all(offline)
    }

    fn checks(&self, client: &Client) -> Vec<Check> {
        let name = |one: &Seen| {
            matches!(
                Fault::parse(one.fault),
                Some(
                    Fault::NameMissing
                        | Fault::NameLookupFailed
                        | Fault::NameNoAnswer
                        | Fault::AddressInvalid
                )
            )
        };
        let policy = Fault::BlockedByAdministrator.as_str();
        let wanted = Wanted {
            browser_policy: !self.seen.is_empty()
                && self.seen.iter().all(|one| one.fault == policy),
            connection: !self.is_inspected_only()
                && self.seen.iter().all(|one| one.status.is_none_or(|status| status >= 500)),
            name: self.seen.iter().any(name) || self.has_odd_address,
            proxied: self.via == "proxy",
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
        assert!(one.servers.is_empty(), "that of another connection is no address of these");
        assert!(one.server_notes[0].starts_with("192.0.2.7 was used"), "{:?}", one.server_notes);
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
        assert!(exempt.iter().all(|host| !host.contains("microsoftonline.us")));
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
