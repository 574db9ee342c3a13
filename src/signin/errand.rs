//! What the system asks for by itself, and whether it got that: the status of certificates (RFC 5280,
//! RFC 6960), and the script that names the proxies.
//!
//! Both are asked for in clear, by the system and not by the page, and no step of a sign-in goes there:
//! what became of it is put together here out of lookups, connections and requests. It must not say
//! whether that mattered, and it knows no rule.
//!
//! Invariants: nothing is called silent where the capture could not have shown the answer; of one host
//! the first failure stands for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::expose;
use super::failure::{Failure, FailureKind, is_page};
use super::hidden::waited;
use crate::entra::{Fault, hosts, vendors};
use crate::evidence::{
    Answer, Connection, Evidence, EvidenceRef, Exchange, ExchangeId, HostName, InputCoverage,
    NameLookup, NoResponse, Opened, Peer, Response,
};
use crate::time::{Span, Timestamp};

/// A server that was asked and says nothing for so long does not answer.
const SILENCE: Duration = Duration::from_secs(8);
/// One that was asked to open a connection, or a name server, is given less.
const PATIENCE: Duration = Duration::from_secs(3);
/// Failures kept of one case.
const KEPT: usize = 64;

/// What kept a server from giving what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The connection was cut.
    Cut,
    /// The name could not be resolved.
    Name,
    /// A page came in place of what was asked for.
    Page,
    /// The connection was refused.
    Refused,
    /// Nothing answered.
    Silent,
    /// The answer was an error.
    Status(u16),
    /// It failed for another reason.
    Other,
}

/// A server that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet<'a> {
    /// Its name.
    pub host: &'a HostName,
    /// What kept it from answering.
    pub how: Why,
    /// From the first try to the last sign of it.
    pub span: Option<Span>,
    /// Where the tries stand.
    pub places: Vec<EvidenceRef>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The script that names the proxies.
    Script,
    /// The status of certificates.
    Status,
}

/// What became of asking for one of these things.
#[derive(Clone, Debug, Default)]
pub struct Errand<'a> {
    /// Whether a server gave what it was asked for.
    pub answered: bool,
    /// Those that did not, by name.
    pub failed: Vec<Unmet<'a>>,
}

impl<'a> Errand<'a> {
    /// What became of asking for the status of certificates.
    pub(crate) fn status(evidence: &'a Evidence, failures: &BTreeMap<ExchangeId, Failure>) -> Self {
        let mut found = Found::of(Want::Status, evidence, failures);
        found.lookups(evidence);
        found.told()
    }

    /// What became of asking for the script that names the proxies.
    ///
    /// That the name by which one is looked for does not exist is how most networks say that there
    /// is none.
    pub(crate) fn script(evidence: &'a Evidence, failures: &BTreeMap<ExchangeId, Failure>) -> Self {
        Found::of(Want::Script, evidence, failures).told()
    }

    /// When the first of them failed, where the capture has times.
    pub fn first_failed(&self) -> Option<Timestamp> {
        self.failed.iter().filter_map(|one| one.span).map(Span::first).min()
    }

    /// Those that failed while something else went on.
    pub fn during(&self, span: Span) -> impl Iterator<Item = &Unmet<'a>> {
        self.failed.iter().filter(move |one| {
            one.span.is_some_and(|own| own.first() <= span.last() && own.last() >= span.first())
        })
    }
}

struct Found<'a> {
    want: Want,
    good: BTreeSet<&'a HostName>,
    bad: BTreeMap<&'a HostName, Unmet<'a>>,
}

impl Want {
    /// Whether a host serves nothing else.
    fn is_host(self, host: &HostName) -> bool {
        match self {
            Self::Script => is_wpad(host),
            Self::Status => hosts::tells_certificate_status(host.as_str(), None),
        }
    }

    fn is_exchange(self, exchange: &Exchange) -> bool {
        let url = &exchange.request.url;
        match self {
            Self::Script => {
                let path = url.path.to_ascii_lowercase();
                let kind = exchange.response.as_ref().ok();
                let kind = kind.and_then(|one| expose::header(&one.headers, "content-type"));
                path.ends_with("/wpad.dat")
                    || path.rsplit_once('.').is_some_and(|(_, kind)| kind == "pac")
                    || kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(SCRIPT))
            }
            Self::Status => hosts::tells_certificate_status(url.host.as_str(), Some(&url.path)),
        }
    }
}

/// The media type of a script that names the proxies.
const SCRIPT: &str = "application/x-ns-proxy-autoconfig";

/// Whether a host is the one that clients look for to find such a script, in whatever domain.
fn is_wpad(host: &HostName) -> bool {
    host.as_str().split('.').next() == Some("wpad")
}

impl<'a> Found<'a> {
    /// What connections and requests tell.
    fn of(want: Want, evidence: &'a Evidence, failures: &BTreeMap<ExchangeId, Failure>) -> Self {
        let mut found = Self { want, good: BTreeSet::new(), bad: BTreeMap::new() };
        found.exchanges(evidence, failures);
        found.connections(evidence);
        found
    }

    fn told(self) -> Errand<'a> {
        let Self { good, bad, .. } = self;
        let failed = bad.into_values().filter(|one| !good.contains(one.host)).collect();
        Errand { answered: !good.is_empty(), failed }
    }

    fn fail(&mut self, host: &'a HostName, how: Why, span: Option<Span>, at: EvidenceRef) {
        if self.bad.len() >= KEPT && !self.bad.contains_key(host) {
            return;
        }
        let one =
            self.bad.entry(host).or_insert_with(|| Unmet { host, how, span, places: Vec::new() });
        one.span = match (one.span, span) {
            (Some(known), Some(new)) => Some(known.extended(new.first()).extended(new.last())),
            (known, new) => known.or(new),
        };
        if one.places.len() < KEPT {
            one.places.push(at);
        }
    }

    /// Requests that can be read: of a browser or Fiddler, or in clear.
    fn exchanges(&mut self, evidence: &'a Evidence, failures: &BTreeMap<ExchangeId, Failure>) {
        for (id, exchange) in evidence.numbered() {
            let url = &exchange.request.url;
            if exchange.is_hidden() || !self.want.is_exchange(exchange) {
                continue;
            }
            match self.of_exchange(exchange, failures.get(&id)) {
                Some(Ok(())) => {
                    self.good.insert(&url.host);
                }
                Some(Err(how)) => self.fail(&url.host, how, exchange.span, exchange.at),
                None => {}
            }
        }
    }

    /// What an exchange gave: what was asked for, nothing of use, or no sign of either.
    fn of_exchange(
        &self,
        exchange: &Exchange,
        failure: Option<&Failure>,
    ) -> Option<Result<(), Why>> {
        if let Some(failure) = failure {
            let why = by_failure(failure.kind);
            let normal = why == Why::Name && self.want == Want::Script && is_wpad(exchange.host());
            return (!normal).then_some(Err(why));
        }
        match &exchange.response {
            Ok(response) if exchange.request.method.as_ref() == "CONNECT" => {
                (response.status >= 400).then_some(Err(Why::Status(response.status)))
            }
            Ok(response) => self.of_response(response),
            Err(NoResponse::Failed { .. }) => Some(Err(Why::Other)),
            Err(_) => None,
        }
    }

    fn of_response(&self, response: &Response) -> Option<Result<(), Why>> {
        match response.status {
            200..=299 if is_page(response) => Some(Err(Why::Page)),
            // What has not changed is told as such.
            200..=299 | 304 => Some(Ok(())),
            // A script may have moved; a status server sends nobody elsewhere, but a portal does.
            300..=399 => (self.want == Want::Status).then_some(Err(Why::Page)),
            status => Some(Err(Why::Status(status))),
        }
    }

    /// Connections that came to nothing, and those whose request was left without an answer.
    fn connections(&mut self, evidence: &'a Evidence) {
        for connection in &evidence.connections {
            let Some(host) = connection.server_name.as_ref() else { continue };
            if !self.want.is_host(host) {
                continue;
            }
            let Some(coverage) = evidence.coverage.of(connection.at.input) else { continue };
            if let Some(how) = of_connection(connection, coverage) {
                let end = connection.wire.as_ref().and_then(|wire| wire.asked).map(Span::last);
                let span = connection.span.map(|span| match end {
                    // Who asks and hears nothing waits on after it asked last.
                    Some(end) if how == Why::Silent => span.extended(end.plus(SILENCE)),
                    _ => span,
                });
                self.fail(host, how, span, connection.at);
            }
        }
    }

    /// Lookups without an address, where no other lookup of the name gave one.
    fn lookups(&mut self, evidence: &'a Evidence) {
        let of_servers = || {
            evidence.lookups.iter().filter(|one| {
                one.transport.is_server()
                    && one.is_for_address()
                    && hosts::tells_certificate_status(one.name.as_str(), None)
            })
        };
        let found: BTreeSet<&HostName> = of_servers()
            .filter(|one| match &one.answer {
                Answer::Addresses(all) => all.iter().any(|address| !vendors::is_sink(*address)),
                Answer::Cut => true,
                Answer::Empty | Answer::Failed(_) | Answer::None => false,
            })
            .map(|one| &one.name)
            .collect();
        for lookup in of_servers().filter(|one| !found.contains(&one.name)) {
            let Some(coverage) = evidence.coverage.of(lookup.at.input) else { continue };
            if let Some(span) = of_lookup(lookup, coverage) {
                self.fail(&lookup.name, Why::Name, Some(span), lookup.at);
            }
        }
    }
}

const fn by_failure(kind: FailureKind) -> Why {
    match kind {
        FailureKind::BlockPage | FailureKind::CaptivePortal => Why::Page,
        FailureKind::Fault(fault) => match fault {
            Fault::AddressInvalid
            | Fault::NameLookupFailed
            | Fault::NameMissing
            | Fault::NameNoAnswer => Why::Name,
            Fault::ConnectRefused | Fault::LocalFirewall | Fault::Prohibited => Why::Refused,
            Fault::ConnectTimeout | Fault::Timeout | Fault::Unreachable => Why::Silent,
            Fault::ClosedWithoutAnswer | Fault::HandshakeCut | Fault::Reset => Why::Cut,
            _ => Why::Other,
        },
        FailureKind::ProxyAuthentication => Why::Status(407),
        FailureKind::Service { status } => Why::Status(status),
        FailureKind::ProxyRefused | FailureKind::ProxyUpstream | FailureKind::Unnamed => Why::Other,
    }
}

fn of_connection(connection: &Connection, coverage: &InputCoverage) -> Option<Why> {
    let facts = connection.wire.as_deref()?;
    if facts.is_proxied
        || facts.is_one_sided
        || coverage.wire.as_ref().is_none_or(|wire| wire.is_one_sided)
    {
        return None;
    }
    let asked = facts.asked.map(Span::first);
    match connection.opened {
        Opened::Refused => Some(Why::Refused),
        Opened::Unreachable { .. } => Some(Why::Silent),
        Opened::Unanswered { tries } => {
            let counts = tries > 1 || asked.is_some_and(|at| waited(coverage, at) >= PATIENCE);
            counts.then_some(Why::Silent)
        }
        Opened::Established { .. } | Opened::MidStream => {
            let [client, server] = facts.payload;
            let sent = client.filter(|_| server.is_none())?;
            let [client_end, server_end] = facts.ended;
            let reset = facts.reset.is_some_and(|reset| reset.by == Peer::Server);
            if reset || server_end.is_some_and(|at| client_end.is_none_or(|client| at <= client)) {
                return Some(Why::Cut);
            }
            let left = client_end.or(facts.reset.map(|reset| reset.time));
            let silent =
                left.map_or_else(|| waited(coverage, sent.last()), |left| left.since(sent.last()));
            (silent >= SILENCE).then_some(Why::Silent)
        }
    }
}

/// From the question to the end of the wait for it, where the lookup failed.
fn of_lookup(lookup: &NameLookup, coverage: &InputCoverage) -> Option<Span> {
    let asked = lookup.asked?;
    let answered = |took: Option<Duration>| asked.plus(took.unwrap_or_default());
    let end: Timestamp = match &lookup.answer {
        Answer::Addresses(_) | Answer::Failed(_) => answered(lookup.took),
        // Many hosts have no address of version 6.
        Answer::Empty if lookup.kind == Some(1) => answered(lookup.took),
        Answer::None => {
            let one_sided = coverage.wire.as_ref().is_none_or(|wire| wire.is_one_sided);
            let silent = lookup.tries > 1 || waited(coverage, asked) >= PATIENCE;
            let end = lookup.asked_last.unwrap_or(asked).plus(PATIENCE);
            (silent && !one_sided).then_some(end)?
        }
        Answer::Cut | Answer::Empty => return None,
    };
    Some(Span::new(asked, end))
}

/// Whether a certificate was refused because its status could not be told, or may have been: the
/// client says so, or says nothing but that it refused (`certificate_unknown`) a certificate that is
/// one of the service's own.
pub(crate) fn is_refused_unchecked(evidence: &Evidence, id: ExchangeId, failure: &Failure) -> bool {
    const CERTIFICATE_UNKNOWN: u8 = 46;
    match failure.kind {
        FailureKind::Fault(Fault::CertRevoked) => true,
        FailureKind::Fault(Fault::CertUntrusted) => {
            let connection = evidence.exchange(id).and_then(|one| one.connection);
            let connection = connection.and_then(|number| evidence.connection(number));
            connection.and_then(|one| one.tls.as_deref()).is_some_and(|tls| {
                let unknown = tls.alerts.iter().any(|alert| {
                    alert.from == Peer::Client && alert.description == CERTIFICATE_UNKNOWN
                });
                let issuer = tls.certificate.as_ref().map(|one| one.issuer.as_str());
                unknown && issuer.is_some_and(vendors::is_expected_issuer)
            })
        }
        _ => false,
    }
}
