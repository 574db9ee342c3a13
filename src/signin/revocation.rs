//! Whether the servers that tell the status of certificates could be asked (RFC 5280, RFC 6960).
//!
//! They are asked in clear, by the system and not by the page, and no step of a sign-in goes to them:
//! what became of that is put together here out of lookups, connections and requests. It must not say
//! whether that mattered, and it knows no rule.
//!
//! Invariants: nothing is called silent where the capture could not have shown the answer; of one host
//! the first failure stands for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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

/// What kept the status of a certificate from being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unasked {
    /// The connection was cut.
    Cut,
    /// The name could not be resolved.
    Name,
    /// A page came in place of the status.
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
pub struct StatusFailure<'a> {
    /// Its name.
    pub host: &'a HostName,
    /// What kept it from answering.
    pub how: Unasked,
    /// From the first try to the last sign of it.
    pub span: Option<Span>,
    /// Where the tries stand.
    pub places: Vec<EvidenceRef>,
}

/// What became of asking for the status of certificates.
#[derive(Clone, Debug, Default)]
pub struct StatusServers<'a> {
    /// Whether one of them told what it was asked for.
    pub answered: bool,
    /// Those that did not, by name.
    pub failed: Vec<StatusFailure<'a>>,
}

impl<'a> StatusServers<'a> {
    /// Looks at all that has to do with these servers.
    pub(crate) fn of(evidence: &'a Evidence, failures: &BTreeMap<ExchangeId, Failure>) -> Self {
        let mut found = Found::default();
        found.exchanges(evidence, failures);
        found.connections(evidence);
        found.lookups(evidence);
        let Found { good, bad, .. } = found;
        let failed = bad.into_values().filter(|one| !good.contains(one.host)).collect();
        Self { answered: !good.is_empty(), failed }
    }

    /// Those that failed while something else went on.
    pub fn during(&self, span: Span) -> impl Iterator<Item = &StatusFailure<'a>> {
        self.failed.iter().filter(move |one| {
            one.span.is_some_and(|own| own.first() <= span.last() && own.last() >= span.first())
        })
    }
}

#[derive(Default)]
struct Found<'a> {
    good: BTreeSet<&'a HostName>,
    bad: BTreeMap<&'a HostName, StatusFailure<'a>>,
}

impl<'a> Found<'a> {
    fn fail(&mut self, host: &'a HostName, how: Unasked, span: Option<Span>, at: EvidenceRef) {
        if self.bad.len() >= KEPT && !self.bad.contains_key(host) {
            return;
        }
        let one = self.bad.entry(host).or_insert_with(|| StatusFailure {
            host,
            how,
            span,
            places: Vec::new(),
        });
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
            if exchange.is_hidden()
                || !hosts::tells_certificate_status(url.host.as_str(), Some(&url.path))
            {
                continue;
            }
            match of_exchange(exchange, failures.get(&id)) {
                Some(Ok(())) => {
                    self.good.insert(&url.host);
                }
                Some(Err(how)) => self.fail(&url.host, how, exchange.span, exchange.at),
                None => {}
            }
        }
    }

    /// Connections that came to nothing, and those whose request was left without an answer.
    fn connections(&mut self, evidence: &'a Evidence) {
        for connection in &evidence.connections {
            let Some(host) = connection.server_name.as_ref() else { continue };
            if !hosts::tells_certificate_status(host.as_str(), None) {
                continue;
            }
            let Some(coverage) = evidence.coverage.of(connection.at.input) else { continue };
            if let Some(how) = of_connection(connection, coverage) {
                let end = connection.wire.as_ref().and_then(|wire| wire.asked).map(Span::last);
                let span = connection.span.map(|span| match end {
                    // Who asks and hears nothing waits on after it asked last.
                    Some(end) if how == Unasked::Silent => span.extended(end.plus(SILENCE)),
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
                self.fail(&lookup.name, Unasked::Name, Some(span), lookup.at);
            }
        }
    }
}

/// What an exchange gave: a status, nothing of use, or no sign of either.
fn of_exchange(exchange: &Exchange, failure: Option<&Failure>) -> Option<Result<(), Unasked>> {
    if let Some(failure) = failure {
        return Some(Err(by_failure(failure.kind)));
    }
    match &exchange.response {
        Ok(response) if exchange.request.method.as_ref() == "CONNECT" => {
            (response.status >= 400).then_some(Err(Unasked::Status(response.status)))
        }
        Ok(response) => Some(of_response(response)),
        Err(NoResponse::Failed { .. }) => Some(Err(Unasked::Other)),
        Err(_) => None,
    }
}

fn of_response(response: &Response) -> Result<(), Unasked> {
    match response.status {
        200..=299 if is_page(response) => Err(Unasked::Page),
        // A list that has not changed is told as such.
        200..=299 | 304 => Ok(()),
        // A status server sends nobody elsewhere; a portal or a filter does.
        300..=399 => Err(Unasked::Page),
        status => Err(Unasked::Status(status)),
    }
}

const fn by_failure(kind: FailureKind) -> Unasked {
    match kind {
        FailureKind::BlockPage | FailureKind::CaptivePortal => Unasked::Page,
        FailureKind::Fault(fault) => match fault {
            Fault::AddressInvalid
            | Fault::NameLookupFailed
            | Fault::NameMissing
            | Fault::NameNoAnswer => Unasked::Name,
            Fault::ConnectRefused | Fault::LocalFirewall | Fault::Prohibited => Unasked::Refused,
            Fault::ConnectTimeout | Fault::Timeout | Fault::Unreachable => Unasked::Silent,
            Fault::ClosedWithoutAnswer | Fault::HandshakeCut | Fault::Reset => Unasked::Cut,
            _ => Unasked::Other,
        },
        FailureKind::ProxyAuthentication => Unasked::Status(407),
        FailureKind::Service { status } => Unasked::Status(status),
        FailureKind::ProxyRefused | FailureKind::ProxyUpstream | FailureKind::Unnamed => {
            Unasked::Other
        }
    }
}

fn of_connection(connection: &Connection, coverage: &InputCoverage) -> Option<Unasked> {
    let facts = connection.wire.as_deref()?;
    if facts.is_proxied
        || facts.is_one_sided
        || coverage.wire.as_ref().is_none_or(|wire| wire.is_one_sided)
    {
        return None;
    }
    let asked = facts.asked.map(Span::first);
    match connection.opened {
        Opened::Refused => Some(Unasked::Refused),
        Opened::Unreachable { .. } => Some(Unasked::Silent),
        Opened::Unanswered { tries } => {
            let counts = tries > 1 || asked.is_some_and(|at| waited(coverage, at) >= PATIENCE);
            counts.then_some(Unasked::Silent)
        }
        Opened::Established { .. } | Opened::MidStream => {
            let [client, server] = facts.payload;
            let sent = client.filter(|_| server.is_none())?;
            let [client_end, server_end] = facts.ended;
            let reset = facts.reset.is_some_and(|reset| reset.by == Peer::Server);
            if reset || server_end.is_some_and(|at| client_end.is_none_or(|client| at <= client)) {
                return Some(Unasked::Cut);
            }
            let left = client_end.or(facts.reset.map(|reset| reset.time));
            let silent =
                left.map_or_else(|| waited(coverage, sent.last()), |left| left.since(sent.last()));
            (silent >= SILENCE).then_some(Unasked::Silent)
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
