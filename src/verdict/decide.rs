//! Puts the verdict together.

use super::choose::{Selection, choose};
use super::{Statement, Verdict, argue, confidence, guide, next_capture, summary};
use crate::evidence::{DiagnosticCode, Evidence, EvidenceRef, Exchange, Input, Unseen};
use crate::finding::{self, Confidence, Family, Finding, Piece, Refs, RuleMeta, Severity, Text};
use crate::signin::{AttemptId, GuideCause, Outcome, Side, SignIn, SignInAttempt, Veil};

/// Decides a case, and marks the findings that its outcome rests on.
pub fn decide(
    evidence: &Evidence,
    signin: &SignIn,
    findings: &mut [Finding],
    selection: &Selection,
) -> Verdict {
    let verdict = match choose(signin, selection) {
        Some(attempt) => of_attempt(evidence, signin, findings, attempt),
        None => without_attempt(evidence, signin, findings),
    };
    finding::sort(findings);
    verdict
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
    mask(findings, cause);
    let cause = cause.and_then(|number| findings.get(number));
    let hosts = attempt
        .blockage
        .as_ref()
        .filter(|_| matches!(attempt.side, Side::Network | Side::Application))
        .map(|blockage| blockage.hosts.clone())
        .unwrap_or_default();
    let doubted = argue::doubting(findings, cause).next().is_some();
    let confidence = confidence::confidence(evidence, attempt, cause, doubted);
    let refs = Refs::all(attempt.decided_by.iter().copied());
    let mut evidence_for = Vec::new();
    if let Some(statement) = challenge(attempt) {
        evidence_for.push(statement);
    }
    if let Some(cause) = cause {
        let beside = findings.iter().filter(|one| one.decisive && !std::ptr::eq(*one, cause));
        evidence_for.extend(std::iter::once(cause).chain(beside).map(|finding| Statement {
            text: finding.summary.clone(),
            refs: Some(finding.refs.clone()),
        }));
    } else if let Some(refs) = refs {
        evidence_for
            .push(Statement { text: Text::of(summary::fact(attempt.outcome)), refs: Some(refs) });
    }
    let evidence_against = argue::against(evidence, signin, attempt, findings, cause);
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
        summary: summary::beside(
            summary::summary(attempt, cause, confidence),
            findings.iter().find(|one| attempt.side == Side::NothingWrong && is_beside(one, index)),
        ),
        evidence_for,
        evidence_against,
        ruled_out: argue::set_aside(evidence, signin, attempt, findings),
        guide: guide::answers(evidence, Some(attempt)),
        unseen,
        next_capture: next,
    }
}

/// Whether a finding tells of trouble that a sign-in which went through had all the same.
fn is_beside(finding: &Finding, attempt: Option<usize>) -> bool {
    finding.attempt == attempt
        && finding.severity >= Severity::Warning
        && finding.meta.side == Some(Side::Application)
        && finding.meta.family != Family::Cap
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
    if attempt.side == Side::CannotTell {
        return None;
    }
    if !blocked.is_empty() {
        let mut cited: Vec<(usize, &Finding)> = findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| usable(finding))
            .filter(|(_, finding)| finding.meta.family < Family::Sts)
            .filter(|(_, finding)| finding.refs.iter().any(|one| blocked.contains(&one)))
            .collect();
        // What follows from another one that cites all of it is not where it began.
        let all = cited.clone();
        cited.retain(|(_, finding)| {
            !all.iter().any(|(_, other)| {
                other.meta.masks.contains(&finding.meta.id)
                    && finding
                        .refs
                        .iter()
                        .filter(|one| blocked.contains(one))
                        .all(|one| other.refs.contains(one))
            })
        });
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
            [Family::Prx, Family::Sts, Family::Mfa]
        }
        Outcome::PreventedByClient => [Family::Net, Family::Sts, Family::Mfa],
        _ => [Family::Mfa, Family::Sts, Family::Net],
    };
    wanted.into_iter().find_map(|family| {
        findings.iter().position(|finding| {
            finding.meta.family == family
                && finding.attempt == index
                && usable(&finding)
                // A failure of the network is the cause only of what it stopped.
                && (family >= Family::Net || finding.meta.side == Some(attempt.side))
        })
    })
}

/// Marks what is a consequence of a reason: each rule says which others follow from it.
fn mask(findings: &mut [Finding], cause: Option<usize>) {
    // What follows from the cause is told to follow from it, and not from what decided beside it.
    let first = cause.and_then(|number| findings.get(number)).into_iter();
    let reasons: Vec<(&'static RuleMeta, Option<usize>)> = first
        .chain(findings.iter().filter(|finding| finding.decisive))
        .map(|finding| (finding.meta, finding.attempt))
        .collect();
    for (number, finding) in findings.iter_mut().enumerate() {
        let follows = reasons.iter().find(|(meta, attempt)| {
            meta.masks.contains(&finding.meta.id) && *attempt == finding.attempt
        });
        if let Some((meta, _)) = follows.filter(|_| Some(number) != cause) {
            finding.masked_by = Some(meta.id);
            finding.decisive = false;
            finding.severity = Severity::Info;
        }
    }
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

fn unseen(attempt: &SignInAttempt) -> Vec<Text> {
    let mut unseen: Vec<Text> =
        attempt.unseen.iter().map(|one| Text::of(unseen_words(*one))).collect();
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

const fn unseen_words(unseen: Unseen) -> &'static str {
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
    /// Packets, none of which belong to a sign-in, and requests of other captures.
    Packets { frames: u64, requests: u64 },
    /// Only the part before the damage.
    Part,
    /// An archive that no password opened.
    Protected,
    /// Requests, none of them of a sign-in.
    Requests(u64),
    /// Connections to the sign-in service that work and cannot be read.
    Sealed,
    /// Tunnels to the sign-in service.
    Tunnels,
    /// Packets that something hides a sign-in from.
    Veiled(Veil),
}

/// Records of these inputs that could not be read: a sign-in may have been among them.
fn records_lost(evidence: &Evidence, inputs: &[&Input]) -> u64 {
    let lost = |input: &&Input| evidence.coverage.of(input.id).map_or(0, |one| one.records_lost);
    inputs.iter().map(lost).sum()
}

/// The verdict when no attempt was found.
fn without_attempt(evidence: &Evidence, signin: &SignIn, findings: &mut [Finding]) -> Verdict {
    let captures = evidence.inputs.iter().filter(|input| input.format.is_capture());
    let (packets, others): (Vec<_>, Vec<_>) = captures.partition(|input| input.format.is_packets());
    let records = |inputs: &[&Input]| inputs.iter().map(|input| input.records).sum::<u64>();
    let (frames, requests) = (records(&packets), records(&others));
    let closed = evidence.diagnostics.iter().any(|one| one.code == DiagnosticCode::Encrypted);
    let cut = evidence.coverage.inputs.iter().any(|one| one.truncated);
    let sealed = || {
        let mut all = signin.encrypted.iter().filter_map(|id| evidence.exchange(*id));
        all.all(Exchange::is_hidden)
    };
    let lost = records_lost(evidence, &others);
    let seen = if !signin.encrypted.is_empty() {
        if sealed() { Seen::Sealed } else { Seen::Tunnels }
    } else if packets.is_empty() && others.is_empty() {
        Seen::NoCapture
    } else if closed && evidence.exchanges.is_empty() {
        Seen::Protected
    } else if let Some((veil, _)) = signin.veils.first() {
        Seen::Veiled(*veil)
    } else if cut || (lost > 0 && lost.saturating_mul(10) >= requests) {
        Seen::Part
    } else if !packets.is_empty() {
        Seen::Packets { frames, requests }
    } else {
        Seen::Requests(requests)
    };
    let (outcome, confidence) = match seen {
        Seen::Sealed | Seen::Tunnels if cut => (Outcome::Unreadable, Confidence::Medium),
        Seen::Sealed | Seen::Tunnels => (Outcome::Unreadable, Confidence::High),
        Seen::NoCapture | Seen::Part | Seen::Protected | Seen::Veiled(_) => {
            (Outcome::Undetermined, Confidence::Low)
        }
        // What was open before the capture may have been anything.
        Seen::Packets { .. } => {
            let wires = evidence.coverage.inputs.iter().filter_map(|one| one.wire.as_ref());
            let (mut opened, mut before) = (0_u64, 0_u64);
            for wire in wires {
                opened = opened.saturating_add(wire.opened);
                before = before.saturating_add(wire.mid_stream);
            }
            let confidence = match (opened, before) {
                (1.., 0) => Confidence::High,
                _ => Confidence::Low,
            };
            (Outcome::NoSignIn, confidence)
        }
        Seen::Requests(1..) if lost == 0 => (Outcome::NoSignIn, Confidence::High),
        Seen::Requests(_) => (Outcome::NoSignIn, Confidence::Low),
    };
    for finding in findings.iter_mut() {
        finding.decisive = false;
    }
    let refs = Refs::all(
        signin.encrypted.iter().filter_map(|id| evidence.exchange(*id)).map(|exchange| exchange.at),
    );
    let words = match seen {
        Seen::Sealed => {
            "connections to the sign-in service were made and used: the network let them through"
        }
        _ => "tunnels to the sign-in service were opened and not decrypted",
    };
    let mut evidence_for: Vec<Statement> = refs
        .map(|refs| Statement { text: Text::of(words), refs: Some(refs) })
        .into_iter()
        .collect();
    if let Seen::Veiled(_) = seen {
        evidence_for.extend(signin.veils.iter().map(|(veil, at)| Statement {
            text: summary::veil(*veil),
            refs: Some(Refs::one(*at)),
        }));
    }
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
        ruled_out: argue::not_decisive(evidence, signin, findings),
        guide: guide::answers(evidence, None),
        unseen: match seen {
            Seen::Sealed | Seen::Tunnels | Seen::Veiled(Veil::MidStream | Veil::Underway) => {
                let keys = next_capture::unfit_keys(evidence, signin).map(|(words, _)| words);
                let all = [Some(unseen_words(Unseen::Encrypted)), keys];
                all.into_iter().flatten().map(Text::of).collect()
            }
            Seen::Veiled(Veil::Reports | Veil::Returned) => {
                vec![Text::of(unseen_words(Unseen::CaptureStarted))]
            }
            Seen::Veiled(Veil::SentOn) => vec![Text::of(unseen_words(Unseen::CaptureEnded))],
            Seen::Veiled(_) => {
                vec![Text::of("what travels where this capture does not reach")]
            }
            _ => Vec::new(),
        },
        next_capture: Some(next_capture::next_capture(evidence, signin, None)),
    }
}

/// The order in which reports show the causes of the guide.
pub(super) const GUIDE: [GuideCause; 5] = GuideCause::IN_GUIDE_ORDER;
