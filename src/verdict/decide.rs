//! Puts the verdict together.

use super::choose::{Selection, choose};
use super::{Statement, Verdict, confidence, guide, next_capture, summary};
use crate::evidence::{DiagnosticCode, Evidence, EvidenceRef, Format, Unseen};
use crate::finding::{Confidence, Family, Finding, Piece, Refs, Severity, Text};
use crate::signin::{
    AttemptId, GuideCause, MfaState, Outcome, Side, SignIn, SignInAttempt, StepKind,
};

/// Decides a case, and marks the findings that its outcome rests on.
pub fn decide(
    evidence: &Evidence,
    signin: &SignIn,
    findings: &mut [Finding],
    selection: &Selection,
) -> Verdict {
    match choose(signin, selection) {
        Some(attempt) => of_attempt(evidence, signin, findings, attempt),
        None => without_attempt(evidence, signin, findings),
    }
}

fn of_attempt(
    evidence: &Evidence,
    signin: &SignIn,
    findings: &mut [Finding],
    attempt: &SignInAttempt,
) -> Verdict {
    let index = signin.attempts.iter().position(|one| one.id == attempt.id);
    let blocked = blocked(evidence, attempt);
    let cause = cause_of(findings, attempt, index, &blocked);
    for (number, finding) in findings.iter_mut().enumerate() {
        // Of a host and its stand-in both failures decided.
        let together = cause.is_some()
            && attempt.blockage.is_some()
            && (Family::Dns..=Family::Net).contains(&finding.meta.family)
            && finding.severity >= Severity::Warning
            && finding.refs.iter().any(|one| blocked.contains(&one));
        // One code is told by the rule of the code and by the rule of what it means.
        let same = cause.is_some()
            && finding.attempt == index
            && finding.meta.family >= Family::Sts
            && finding.severity == Severity::Error
            && finding.refs.iter().any(|one| attempt.decided_by.contains(&one));
        finding.decisive = Some(number) == cause || together || same;
    }
    let cause = cause.and_then(|number| findings.get(number));
    let hosts = attempt
        .blockage
        .as_ref()
        .filter(|_| matches!(attempt.side, Side::Network | Side::Application))
        .map(|blockage| blockage.hosts.clone())
        .unwrap_or_default();
    let confidence = confidence::confidence(evidence, attempt, cause);
    let refs = Refs::all(attempt.decided_by.iter().copied());
    let mut evidence_for = Vec::new();
    if let Some(statement) = challenge(attempt) {
        evidence_for.push(statement);
    }
    if let Some(cause) = cause {
        evidence_for
            .push(Statement { text: cause.summary.clone(), refs: Some(cause.refs.clone()) });
    } else if let Some(refs) = refs {
        evidence_for
            .push(Statement { text: Text::of(summary::fact(attempt.outcome)), refs: Some(refs) });
    }
    let evidence_against = attempt
        .doubts
        .iter()
        .map(|doubt| Statement { text: Text::of(doubt), refs: None })
        .chain(overridden(signin, attempt))
        .collect();
    let next = next_capture::wanted(evidence, signin, attempt, confidence);
    let mut unseen = unseen(attempt);
    if signin.dropped > 0 {
        unseen.push(
            Text::default()
                .with(signin.dropped)
                .with(" requests of further attempts were not followed"),
        );
    }
    Verdict {
        side: attempt.side,
        outcome: attempt.outcome,
        attempt: Some(attempt.id),
        cause: cause.map(|finding| finding.meta.id),
        host: hosts.first().cloned(),
        hosts,
        confidence,
        summary: summary::summary(attempt, confidence),
        evidence_for,
        evidence_against,
        ruled_out: ruled_out(attempt, findings, index),
        guide: guide::answers(evidence, Some(attempt)),
        unseen,
        next_capture: next,
    }
}

/// Where the exchanges stand that stopped the attempt.
fn blocked(evidence: &Evidence, attempt: &SignInAttempt) -> Vec<EvidenceRef> {
    attempt
        .blockage
        .iter()
        .flat_map(|blockage| &blockage.exchanges)
        .filter_map(|id| evidence.exchange(*id))
        .map(|exchange| exchange.at)
        .collect()
}

/// The finding that names the cause: it cites what stopped the attempt, and comes first in the chain.
fn cause_of(
    findings: &[Finding],
    attempt: &SignInAttempt,
    index: Option<usize>,
    blocked: &[EvidenceRef],
) -> Option<usize> {
    let first_host = attempt.blockage.as_ref().and_then(|blockage| blockage.hosts.first());
    let usable = |finding: &&Finding| {
        finding.severity >= Severity::Warning && finding.meta.family != Family::Cap
    };
    if !blocked.is_empty() {
        let mut cited: Vec<(usize, &Finding)> = findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| usable(finding))
            .filter(|(_, finding)| finding.meta.family < Family::Sts)
            .filter(|(_, finding)| finding.refs.iter().any(|one| blocked.contains(&one)))
            .collect();
        cited.sort_by_key(|(_, finding)| {
            (finding.host.as_ref() != first_host, finding.meta.family, finding.refs.first())
        });
        if let Some((number, _)) = cited.first() {
            return Some(*number);
        }
    }
    let wanted = match attempt.outcome {
        Outcome::CompletedWithoutMfa | Outcome::MfaCompleted | Outcome::Undetermined => {
            return None;
        }
        Outcome::BlockedByPolicy | Outcome::OtherError | Outcome::MfaServiceFailed => {
            [Family::Sts, Family::Mfa]
        }
        Outcome::PreventedByClient => [Family::Net, Family::Sts],
        _ => [Family::Mfa, Family::Sts],
    };
    wanted.into_iter().find_map(|family| {
        findings.iter().position(|finding| {
            finding.meta.family == family && finding.attempt == index && usable(&finding)
        })
    })
}

/// The question that was posed.
fn challenge(attempt: &SignInAttempt) -> Option<Statement> {
    let error =
        attempt.errors.iter().find(|error| matches!(error.code, 50_074 | 50_076 | 50_079))?;
    let text = if error.equivalent {
        Text::of("the MFA page was shown, which the service logs as ").with(Piece::Code(50_074))
    } else {
        Text::of("MFA was asked for: ").with(Piece::Code(error.code))
    };
    let text = match error.at {
        Some(at) => text.with(" at ").with(at),
        None => text,
    };
    Some(Statement { text, refs: Some(Refs::one(error.reference)) })
}

/// Attempts that step aside for this one.
fn overridden<'a>(
    signin: &'a SignIn,
    attempt: &'a SignInAttempt,
) -> impl Iterator<Item = Statement> + 'a {
    signin.attempts.iter().filter(|one| one.overridden_by == Some(attempt.id)).filter_map(|one| {
        let text = Text::of("an earlier attempt ended as ")
            .with(one.outcome.as_str())
            .with(" and was followed by this one");
        Some(Statement { text, refs: Some(Refs::all(one.decided_by.iter().copied())?) })
    })
}

/// What the facts exclude.
fn ruled_out(
    attempt: &SignInAttempt,
    findings: &[Finding],
    index: Option<usize>,
) -> Vec<Statement> {
    let mut out = Vec::new();
    let answered = attempt
        .steps
        .iter()
        .rev()
        .find(|step| {
            matches!(
                step.kind,
                StepKind::MfaPoll | StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaFinish
            ) && step.result != crate::signin::StepResult::NoResponse
        })
        .and_then(|step| Refs::all(step.refs.last().copied()));
    let told = !matches!(
        attempt.outcome,
        Outcome::MfaNoAnswer | Outcome::Undetermined | Outcome::MfaAbandoned
    );
    let other_side = !matches!(attempt.side, Side::Network | Side::CannotTell);
    if let Some(refs) = answered.filter(|_| other_side && told) {
        let words = "the network: the service's own MFA answers reached the client to the end";
        out.push(Statement { text: Text::of(words), refs: Some(refs) });
    }
    if attempt.mfa == MfaState::Passed {
        let refs = Refs::all(
            attempt
                .steps
                .iter()
                .rfind(|step| matches!(step.kind, StepKind::MfaFinish | StepKind::MfaPoll))
                .and_then(|step| step.refs.last().copied()),
        );
        out.push(Statement { text: Text::of("the method: MFA was passed"), refs });
    }
    for finding in findings.iter().filter(|finding| {
        !finding.decisive
            && (Family::Dns..=Family::Net).contains(&finding.meta.family)
            && finding.attempt.is_none_or(|attempt| Some(attempt) != index)
    }) {
        let text = Text::of("not decisive (")
            .with(Piece::Literal(finding.meta.id.0))
            .with("): ")
            .with_text(&finding.summary);
        out.push(Statement { text, refs: Some(finding.refs.clone()) });
    }
    out
}

fn unseen(attempt: &SignInAttempt) -> Vec<Text> {
    let mut unseen: Vec<Text> = attempt.unseen.iter().map(|one| Text::of(words(*one))).collect();
    let open = matches!(
        attempt.outcome,
        Outcome::MfaAbandoned | Outcome::MfaNoAnswer | Outcome::Undetermined
    );
    if open && attempt.was_asked() {
        unseen.push(Text::of(
            "the way between the service and the phone is in no capture of a computer",
        ));
    }
    unseen
}

const fn words(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::BodiesMissing => "answers of the sign-in service that the capture does not hold",
        Unseen::CaptureEnded => "what came after the end of the capture",
        Unseen::CaptureStarted => "what came before the capture began",
        Unseen::Encrypted => "the contents of the encrypted connections",
        Unseen::NotShown => "how it ended: the capture goes on and shows no end of it",
        Unseen::RecordsLost => "the part of the capture that could not be read",
        Unseen::Timeless => "when things happened: the capture has no times",
    }
}

/// What a case without an attempt holds.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    /// Nothing that is a capture.
    NoCapture,
    /// Only the part before the damage.
    Part,
    /// An archive that no password opened.
    Protected,
    /// Requests, none of them of a sign-in.
    Requests(u64),
    /// Tunnels to the sign-in service.
    Tunnels,
}

/// The verdict when no attempt was found.
fn without_attempt(evidence: &Evidence, signin: &SignIn, findings: &mut [Finding]) -> Verdict {
    let captures = evidence.inputs.iter().filter(|input| input.format != Format::Unrecognised);
    let records: u64 = captures.clone().map(|input| input.records).sum();
    let any_capture = captures.count() > 0;
    let closed = evidence.diagnostics.iter().any(|one| one.code == DiagnosticCode::Encrypted);
    let cut = evidence.coverage.inputs.iter().any(|one| one.truncated);
    let seen = if !signin.encrypted.is_empty() {
        Seen::Tunnels
    } else if !any_capture {
        Seen::NoCapture
    } else if closed && evidence.exchanges.is_empty() {
        Seen::Protected
    } else if cut {
        Seen::Part
    } else {
        Seen::Requests(records)
    };
    let (outcome, confidence) = match seen {
        Seen::Tunnels if cut => (Outcome::Unreadable, Confidence::Medium),
        Seen::Tunnels => (Outcome::Unreadable, Confidence::High),
        Seen::NoCapture | Seen::Part | Seen::Protected => (Outcome::Undetermined, Confidence::Low),
        Seen::Requests(0) => (Outcome::NoSignIn, Confidence::Low),
        Seen::Requests(_) => (Outcome::NoSignIn, Confidence::High),
    };
    for finding in findings.iter_mut() {
        finding.decisive = false;
    }
    let refs = Refs::all(
        signin.encrypted.iter().filter_map(|id| evidence.exchange(*id)).map(|exchange| exchange.at),
    );
    let evidence_for = refs
        .map(|refs| Statement {
            text: Text::of("tunnels to the sign-in service were opened and not decrypted"),
            refs: Some(refs),
        })
        .into_iter()
        .collect();
    Verdict {
        side: Side::CannotTell,
        outcome,
        attempt: None::<AttemptId>,
        cause: None,
        host: None,
        hosts: Vec::new(),
        confidence,
        summary: summary::without_attempt(seen),
        evidence_for,
        evidence_against: Vec::new(),
        ruled_out: Vec::new(),
        guide: guide::answers(evidence, None),
        unseen: if outcome == Outcome::Unreadable {
            vec![Text::of(words(Unseen::Encrypted))]
        } else {
            Vec::new()
        },
        next_capture: Some(next_capture::next_capture(evidence, signin, None)),
    }
}

/// The order in which reports show the causes of the guide.
pub(super) const GUIDE: [GuideCause; 5] = GuideCause::IN_GUIDE_ORDER;
