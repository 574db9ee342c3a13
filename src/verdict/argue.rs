//! What speaks against a verdict, and what was looked at and set aside.
//!
//! A failure that decided nothing is named with its place, so that a reader who finds it in the
//! capture knows that it was seen. It must not rank: the cause is chosen already.
//!
//! Invariant: a finding is the cause, a reason beside it, its consequence, or set aside; never two.

use std::collections::{BTreeMap, BTreeSet};

use super::Statement;
use crate::evidence::{Evidence, EvidenceRef, HostName, Opened, Transport};
use crate::finding::{Family, Finding, Piece, Refs, Text};
use crate::signin::{MfaState, Outcome, Side, SignIn, SignInAttempt, StepKind, StepResult};

/// Hosts named in one statement.
const NAMED: usize = 5;
/// Places cited for one statement.
const PLACES: usize = 8;

/// What speaks against the verdict.
pub(super) fn against(
    evidence: &Evidence,
    signin: &SignIn,
    attempt: &SignInAttempt,
    findings: &[Finding],
    cause: Option<&Finding>,
) -> Vec<Statement> {
    let mut out: Vec<Statement> = attempt
        .doubts
        .iter()
        .map(|doubt| Statement { text: Text::of(doubt), refs: None })
        .collect();
    out.extend(doubting(findings, cause).map(|finding| Statement {
        text: finding.summary.clone(),
        refs: Some(finding.refs.clone()),
    }));
    out.extend(answers_of_the_host(evidence, signin, attempt));
    out
}

/// Findings about the capture that put the kind of cause in doubt; one told milder than its rule's
/// severity does not.
pub(super) fn doubting<'a>(
    findings: &'a [Finding],
    cause: Option<&Finding>,
) -> impl Iterator<Item = &'a Finding> {
    let family = cause.map(|cause| cause.meta.family);
    findings.iter().filter(move |finding| {
        finding.severity >= finding.meta.severity
            && family.is_some_and(|one| finding.meta.doubts.contains(&one))
    })
}

/// A host that is called unreachable and answers other requests is not blocked as a whole.
fn answers_of_the_host(
    evidence: &Evidence,
    signin: &SignIn,
    attempt: &SignInAttempt,
) -> Option<Statement> {
    let blockage = attempt.blockage.as_ref().filter(|_| attempt.side == Side::Network)?;
    let host = blockage.hosts.first()?;
    let first = blockage.exchanges.first().filter(|id| signin.failures.contains_key(id))?;
    let good: Vec<(bool, EvidenceRef)> = evidence
        .numbered()
        .filter(|(id, exchange)| {
            exchange.host() == host
                && exchange.is_answered()
                && (exchange.request.url.scheme != crate::evidence::Scheme::Authority
                    || exchange.is_hidden())
                && !signin.failures.contains_key(id)
        })
        .map(|(id, exchange)| (id > *first, exchange.at))
        .collect();
    let after = good.iter().filter(|(after, _)| *after).count();
    let refs = Refs::all(good.iter().rev().map(|(_, at)| *at).take(PLACES))?;
    let text = Text::default()
        .with(host)
        .with(" answered ")
        .with(number(good.len()))
        .with(if good.len() == 1 { " other request" } else { " other requests" });
    let text = match after {
        0 => text.with(" before the failure"),
        after => text.with(", ").with(number(after)).with(" of them after the failure"),
    };
    Some(Statement { text: text.with(": it is not cut off as a whole"), refs: Some(refs) })
}

/// What the facts exclude, and failures that decided nothing.
pub(super) fn set_aside(
    evidence: &Evidence,
    signin: &SignIn,
    attempt: &SignInAttempt,
    findings: &[Finding],
) -> Vec<Statement> {
    let mut out = Vec::new();
    out.extend(network_excluded(attempt));
    out.extend(method_excluded(attempt));
    out.extend(not_decisive(evidence, signin, findings));
    out.extend(overridden(signin, attempt));
    out
}

/// Failures that decided nothing.
pub(super) fn not_decisive(
    evidence: &Evidence,
    signin: &SignIn,
    findings: &[Finding],
) -> Vec<Statement> {
    let mut out: Vec<Statement> = findings
        .iter()
        .filter(|finding| {
            (Family::Dns..=Family::Net).contains(&finding.meta.family)
                && !finding.decisive
                && finding.masked_by.is_none()
        })
        .map(statement)
        .collect();
    out.extend(elsewhere(evidence, signin, findings));
    out.extend(quic(evidence));
    out
}

/// QUIC that got no answer at a host that TCP reached: browsers do without it.
fn quic(evidence: &Evidence) -> Option<Statement> {
    let wires = || evidence.connections.iter().filter(|one| one.in_scope && one.wire.is_some());
    let over_tcp: BTreeSet<&HostName> = wires()
        .filter(|one| one.transport == Transport::Tcp)
        .filter(|one| matches!(one.opened, Opened::Established { .. } | Opened::MidStream))
        .filter_map(|one| one.server_name.as_ref())
        .collect();
    let unanswered = wires().filter(|one| {
        one.transport == Transport::Quic
            && matches!(one.opened, Opened::Unanswered { .. })
            && one.server_name.as_ref().is_some_and(|name| over_tcp.contains(name))
    });
    let refs = Refs::all(unanswered.map(|one| one.at).take(PLACES))?;
    let words = "QUIC without an answer: TCP was used instead, so that no harm was done";
    Some(Statement { text: Text::of(words), refs: Some(refs) })
}

fn statement(finding: &Finding) -> Statement {
    let text = Text::of("not decisive (")
        .with(Piece::Literal(finding.meta.id.0))
        .with("): ")
        .with_text(&finding.summary);
    Statement { text, refs: Some(finding.refs.clone()) }
}

/// The service's own answers show that its traffic came through to the end.
fn network_excluded(attempt: &SignInAttempt) -> Option<Statement> {
    let told = !matches!(
        attempt.outcome,
        Outcome::MfaAbandoned | Outcome::MfaNoAnswer | Outcome::Undetermined
    );
    if !told || matches!(attempt.side, Side::CannotTell | Side::Network) {
        return None;
    }
    let answered = attempt.steps.iter().rev().find(|step| {
        matches!(
            step.kind,
            StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaFinish | StepKind::MfaPoll
        ) && step.result != StepResult::NoResponse
    })?;
    let refs = Refs::all(answered.refs.last().copied());
    let words = "the network: the service's own MFA answers reached the client to the end";
    Some(Statement { text: Text::of(words), refs })
}

fn method_excluded(attempt: &SignInAttempt) -> Option<Statement> {
    let passed = attempt.steps.iter().rfind(|step| {
        matches!(step.kind, StepKind::MfaFinish | StepKind::MfaPoll)
            && attempt.mfa == MfaState::Passed
    })?;
    let refs = Refs::all(passed.refs.last().copied());
    Some(Statement { text: Text::of("the method: MFA was passed"), refs })
}

/// Failures at hosts that have no part in signing in, taken together.
fn elsewhere(evidence: &Evidence, signin: &SignIn, findings: &[Finding]) -> Option<Statement> {
    let told: BTreeSet<&HostName> =
        findings.iter().filter_map(|finding| finding.host.as_ref()).collect();
    let mut hosts: BTreeMap<&HostName, EvidenceRef> = BTreeMap::new();
    let mut count = 0_usize;
    for id in signin.failures.keys() {
        let Some(exchange) = evidence.exchange(*id) else { continue };
        let host = exchange.host();
        if told.contains(host) {
            continue;
        }
        count = count.saturating_add(1);
        hosts.entry(host).or_insert(exchange.at);
    }
    let refs = Refs::all(hosts.values().copied().take(PLACES))?;
    let mut text = Text::of("not decisive: ")
        .with(number(count))
        .with(if count == 1 { " request" } else { " requests" })
        .with(" failed, and no step of this sign-in stopped there (");
    for (position, host) in hosts.keys().take(NAMED).enumerate() {
        text = text.with(if position == 0 { "" } else { ", " }).with(*host);
    }
    let text = match hosts.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => text.with(" and ").with(number(more)).with(" more)"),
        None => text.with(")"),
    };
    Some(Statement { text, refs: Some(refs) })
}

/// Attempts that step aside for this one.
fn overridden<'a>(
    signin: &'a SignIn,
    attempt: &'a SignInAttempt,
) -> impl Iterator<Item = Statement> + 'a {
    signin.attempts.iter().filter(|one| one.overridden_by == Some(attempt.id)).filter_map(|one| {
        let text = Text::of("an earlier attempt, which ended as ")
            .with(one.outcome.as_str())
            .with(": this one followed it");
        Some(Statement { text, refs: Some(Refs::all(one.decided_by.iter().copied())?) })
    })
}

fn number(count: usize) -> Piece {
    Piece::Number(u64::try_from(count).unwrap_or(u64::MAX))
}
