//! What the inputs of a case say against each other.
//!
//! A trace says that a host could not be reached and the packets of the same time show it reached, or the
//! other way round; two traces hold the same answer with another status; two inputs share no moment. Each
//! is named with a place on either side. It must not say which input is right.
//!
//! Invariant: what is said of packets rests on a join, so that the clocks and the hosts agree.

use std::collections::BTreeMap;

use super::failure::{Failure, FailureKind, FailureSide};
use super::{Joined, expose};
use crate::entra::{Fault, hosts};
use crate::evidence::{
    Evidence, EvidenceRef, Exchange, ExchangeId, HostName, InputId, Scheme, Via,
};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// How far a request and a connection at its time may lie apart.
const NEAR: i64 = 3 * SECOND;
/// How long before and after a request a failed connection explains it.
const AROUND: i64 = 30 * SECOND;
/// How far apart two inputs are that share no moment; less may be the clocks.
const APART: i64 = 900 * SECOND;
/// Requests that packets must contradict, or connections.
const TWICE: usize = 2;
/// Disagreements told.
const MOST: usize = 64;

/// In which way two inputs disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisagreementKind {
    /// A request was answered, and the packets show no way to its host.
    AnsweredAndUnreachable,
    /// Two inputs hold the same answer with another status.
    AnswersDiffer,
    /// A request could not be sent, and the packets show its host reached at that time.
    FailedAndReached,
    /// The inputs share no moment.
    NoCommonTime,
}

/// Two inputs that disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// In which way.
    pub kind: DisagreementKind,
    /// The host that it is about.
    pub host: Option<HostName>,
    /// A place in either input.
    pub refs: [EvidenceRef; 2],
    /// Whether something else in the inputs explains it, so that both may be right.
    pub is_explained: bool,
}

fn start(exchange: &Exchange) -> Option<i64> {
    exchange.started().map(crate::time::Timestamp::as_nanoseconds)
}

/// Finds where inputs disagree. A failure that packets contradict is no longer certain and nobody's.
pub(super) fn disagreements(
    evidence: &Evidence,
    joined: &[Joined],
    named: &BTreeMap<ExchangeId, ExchangeId>,
    failures: &mut BTreeMap<ExchangeId, Failure>,
) -> Vec<Disagreement> {
    let mut all = Vec::new();
    for join in joined {
        let found = failed_and_reached(evidence, join, named, failures);
        for (id, one) in found {
            if !one.is_explained
                && let Some(failure) = failures.get_mut(&id)
            {
                *failure = Failure { side: FailureSide::Unknown, certain: false, ..*failure };
            }
            all.push(one);
        }
        all.extend(answered_and_unreachable(evidence, join, failures));
    }
    all.extend(answers_differ(evidence));
    all.extend(without_common_time(evidence));
    all.truncate(MOST);
    all
}

/// Whether a failure says that the host was not reached at all.
const fn is_unreached(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Fault(
            Fault::ConnectFailed
                | Fault::ConnectRefused
                | Fault::ConnectTimeout
                | Fault::NameLookupFailed
                | Fault::NameMissing
                | Fault::NameNoAnswer
                | Fault::Unreachable
        )
    )
}

/// What packets show of one host: connections by their begin.
fn hidden<'a>(
    evidence: &'a Evidence,
    packets: InputId,
    host: &'a HostName,
) -> impl Iterator<Item = (ExchangeId, &'a Exchange, i64)> {
    evidence
        .numbered()
        .filter(move |(_, one)| one.is_hidden() && one.at.input == packets && one.host() == host)
        .filter_map(|(id, one)| Some((id, one, start(one)?)))
}

fn failed_and_reached(
    evidence: &Evidence,
    join: &Joined,
    named: &BTreeMap<ExchangeId, ExchangeId>,
    failures: &BTreeMap<ExchangeId, Failure>,
) -> Vec<(ExchangeId, Disagreement)> {
    let ahead = join.ahead.saturating_mul(1_000_000);
    let of_trace = failures.iter().filter(|(id, failure)| {
        let of_trace = evidence.exchange(**id).is_some_and(|one| one.at.input == join.requests);
        of_trace && is_unreached(failure) && failure.side == FailureSide::Network
    });
    let mut found = Vec::new();
    for (id, _) in of_trace.take(MOST) {
        let Some(exchange) = evidence.exchange(*id) else { continue };
        let Some(at) = start(exchange).map(|at| at.saturating_add(ahead)) else { continue };
        let host = exchange.host();
        let reached = hidden(evidence, join.packets, host).find(|(other, one, begun)| {
            let end = one.ended().map_or(*begun, crate::time::Timestamp::as_nanoseconds);
            let around = begun.saturating_sub(NEAR)..=end.saturating_add(NEAR);
            one.is_answered() && !failures.contains_key(other) && around.contains(&at)
        });
        let Some((_, one, _)) = reached else { continue };
        let is_explained = named.contains_key(id)
            || hidden(evidence, join.packets, host).any(|(other, _, begun)| {
                failures.contains_key(&other) && begun.saturating_sub(at).abs() <= AROUND
            });
        let refs = [exchange.at, one.at];
        let (kind, host) = (DisagreementKind::FailedAndReached, Some(host.clone()));
        found.push((*id, Disagreement { kind, host, refs, is_explained }));
    }
    found
}

fn answered_and_unreachable(
    evidence: &Evidence,
    join: &Joined,
    failures: &BTreeMap<ExchangeId, Failure>,
) -> Vec<Disagreement> {
    let mut answered: BTreeMap<&HostName, (usize, &Exchange)> = BTreeMap::new();
    for (id, one) in evidence.numbered() {
        let counts = one.at.input == join.requests
            && !one.is_hidden()
            && one.request.url.scheme == Scheme::Https
            && one.response.is_ok()
            && one.via != Via::Proxy
            && !one.from_cache
            && !failures.contains_key(&id)
            && hosts::is_sign_in_service(one.host().as_str());
        if counts {
            answered.entry(one.host()).or_insert((0, one)).0 += 1;
        }
    }
    let mut found = Vec::new();
    for (host, (count, exchange)) in answered {
        let mut bad = 0_usize;
        let mut first = None;
        let mut is_reached = false;
        for (id, one, _) in hidden(evidence, join.packets, host) {
            is_reached |= one.is_answered();
            if failures.get(&id).is_some_and(is_unreached) {
                bad = bad.saturating_add(1);
                first = first.or(Some(one.at));
            }
        }
        if let Some(at) = first.filter(|_| count >= TWICE && bad >= TWICE) {
            let (kind, host) = (DisagreementKind::AnsweredAndUnreachable, Some(host.clone()));
            let refs = [exchange.at, at];
            found.push(Disagreement { kind, host, refs, is_explained: is_reached });
        }
    }
    found
}

/// Answers with one id of the service and two statuses.
fn answers_differ(evidence: &Evidence) -> Vec<Disagreement> {
    let mut known: BTreeMap<&str, &Exchange> = BTreeMap::new();
    let mut found = Vec::new();
    for exchange in evidence.exchanges.iter().filter(|one| !one.is_hidden()) {
        let Ok(response) = &exchange.response else { continue };
        let Some(id) = expose::header(&response.headers, "x-ms-request-id") else { continue };
        let first = *known.entry(id).or_insert(exchange);
        let differs = first.at.input != exchange.at.input
            && first.host() == exchange.host()
            && first.request.url.path == exchange.request.url.path
            && first.status() != exchange.status();
        if differs && found.len() < MOST {
            found.push(Disagreement {
                kind: DisagreementKind::AnswersDiffer,
                host: Some(exchange.host().clone()),
                refs: [first.at, exchange.at],
                is_explained: false,
            });
        }
    }
    found
}

/// Inputs that hold something of a sign-in each, and no moment in common.
fn without_common_time(evidence: &Evidence) -> Vec<Disagreement> {
    let mut spans: BTreeMap<InputId, (i64, i64, EvidenceRef)> = BTreeMap::new();
    for exchange in &evidence.exchanges {
        if !hosts::is_sign_in_service(exchange.host().as_str()) {
            continue;
        }
        let Some(at) = start(exchange) else { continue };
        let end = exchange.ended().map_or(at, crate::time::Timestamp::as_nanoseconds);
        let span = spans.entry(exchange.at.input).or_insert((at, end, exchange.at));
        *span = (span.0.min(at), span.1.max(end), span.2);
    }
    let mut found = Vec::new();
    let mut rest = spans.values();
    while let Some(one) = rest.next() {
        for other in rest.clone() {
            let gap = one.0.saturating_sub(other.1).max(other.0.saturating_sub(one.1));
            if gap > APART && found.len() < MOST {
                found.push(Disagreement {
                    kind: DisagreementKind::NoCommonTime,
                    host: None,
                    refs: [one.2, other.2],
                    is_explained: false,
                });
            }
        }
    }
    found
}
