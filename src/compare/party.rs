//! One of the two sign-ins, made fit to be set beside another: its steps with repetitions folded.
//!
//! Polls fold into one step with their last answer, as do tries that follow one another; telemetry and
//! what has no part in the sign-in is left out, unless it is what the verdict rests on. It must not
//! know the other sign-in.
//!
//! Invariant: steps are in the order of the attempt; what a verdict rests on is among them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::align::Key;
use crate::analyze::{Analysis, HostRole, host_role};
use crate::evidence::{
    Evidence, EvidenceRef, Exchange, ExchangeId, HostName, Scheme, Unseen, Vantage,
};
use crate::report::comparison::{Level, StepView};
use crate::report::model::is_unread;
use crate::signin::{
    Blockage, FailureKind, MfaState, Outcome, Side, SignInAttempt, Step, StepKind, StepResult,
};
use crate::time::{Span, Timestamp};

/// How long before its first request an attempt's connections may have been opened.
const BEFORE: Duration = Duration::from_secs(30);
/// How long after its last request what follows may still belong to it.
const AFTER: Duration = Duration::from_secs(30);

/// One side.
pub(super) struct Party<'a> {
    pub(super) analysis: &'a Analysis,
    pub(super) attempt: Option<&'a SignInAttempt>,
    pub(super) level: Level,
    pub(super) beats: Vec<Beat>,
    /// When what belongs to the attempt happened; none where the capture has no times.
    window: Option<Span>,
}

/// A stage, repetitions folded.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pub(super) view: StepView,
    /// The MFA method that it is about.
    pub(super) method: Option<String>,
    /// When it began, and when the last of it ended.
    pub(super) at: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    /// Whether the verdict rests on it.
    pub(super) decided: bool,
    /// Whether it did what it was for: it says so, or the sign-in went on as only that allows.
    pub(super) good: bool,
    /// Whether a fault on the way ended it, and not an answer of the service.
    pub(super) is_fault: bool,
    /// Where it was seen: a browser and a wire have different names for one fault.
    pub(super) vantage: Option<Vantage>,
}

impl Beat {
    pub(super) fn key(&self) -> Key {
        let role = host_role(&self.view.host).map_or(0, |role| 1 + role as u16);
        Key { kind: self.view.kind as u16, role, good: self.good }
    }
}

/// Whether a step did what it was for, or led on to a question.
pub(super) const fn is_good(result: StepResult) -> bool {
    matches!(result, StepResult::Interrupt | StepResult::Ok)
}

/// Whether a step failed.
pub(super) const fn is_bad(result: StepResult) -> bool {
    matches!(result, StepResult::Failed | StepResult::NoResponse)
}

impl<'a> Party<'a> {
    pub(super) fn new(analysis: &'a Analysis) -> Self {
        let attempt = analysis.verdict.attempt.and_then(|id| analysis.signin.attempt(id));
        let by_ref: BTreeMap<EvidenceRef, &Exchange> =
            analysis.evidence.exchanges.iter().map(|one| (one.at, one)).collect();
        let level = level(analysis, attempt, &by_ref);
        let beats = match attempt {
            Some(attempt) if level == Level::Requests => beats(analysis, attempt, &by_ref),
            _ => Vec::new(),
        };
        let window = attempt
            .and_then(|one| one.first.zip(one.last))
            .filter(|_| level == Level::Requests)
            .map(|(first, last)| Span::new(first.minus(BEFORE), last.plus(AFTER)));
        Self { analysis, attempt, level, beats, window }
    }

    pub(super) fn evidence(&self) -> &'a Evidence {
        &self.analysis.evidence
    }

    /// Whether the sign-in worked; `None` where the capture does not tell.
    pub(super) fn worked(&self) -> Option<bool> {
        let verdict = &self.analysis.verdict;
        match verdict.outcome {
            Outcome::NoSignIn | Outcome::Undetermined | Outcome::Unreadable => None,
            _ => Some(verdict.side == Side::NothingWrong),
        }
    }

    /// Whether nothing of its inputs could be read.
    pub(super) fn is_unread(&self) -> bool {
        let evidence = self.evidence();
        evidence.inputs.iter().all(|input| {
            let told = evidence.diagnostics.iter().filter(|one| one.input == Some(input.id));
            input.records == 0 && told.map(|one| one.code).any(is_unread)
        })
    }

    /// Whether something at this time belongs to the attempt.
    pub(super) fn covers(&self, at: Option<Timestamp>) -> bool {
        let Some((window, at)) = self.window.zip(at) else { return true };
        window.first() <= at && at <= window.last()
    }

    /// The exchanges of the attempt's time, those that another input tells of left out.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = (ExchangeId, &'a Exchange)> {
        let echoes = &self.analysis.signin.echoes;
        self.evidence()
            .numbered()
            .filter(move |(id, one)| !echoes.contains(id) && self.covers(one.started()))
    }

    /// Whether the capture may lack something of what it could have shown.
    pub(super) fn is_whole(&self) -> bool {
        let lost = |one: &crate::evidence::InputCoverage| {
            one.truncated
                || one.records_lost > 0
                || one.is_tunnels_only()
                || one.wire.as_ref().is_some_and(|wire| {
                    wire.is_one_sided || wire.keys.is_some_and(|keys| keys.closed() > 0)
                })
        };
        let late = self.attempt.is_some_and(|one| {
            one.unseen.iter().any(|why| {
                matches!(why, Unseen::CaptureStarted | Unseen::Encrypted | Unseen::RecordsLost)
            })
        });
        !late && !self.evidence().coverage.inputs.iter().any(lost)
    }

    /// Whether MFA was asked for; `None` where the capture does not tell.
    pub(super) fn was_asked(&self) -> Option<bool> {
        match self.attempt?.mfa {
            MfaState::Unknown => None,
            state => Some(state != MfaState::NotAsked),
        }
    }
}

/// How much of the sign-in the capture shows.
fn level(
    analysis: &Analysis,
    attempt: Option<&SignInAttempt>,
    by_ref: &BTreeMap<EvidenceRef, &Exchange>,
) -> Level {
    let Some(attempt) = attempt else {
        let sealed = analysis.signin.seen && analysis.signin.attempts.is_empty();
        return if sealed { Level::Connections } else { Level::Nothing };
    };
    let is_read = |at: &EvidenceRef| {
        by_ref
            .get(at)
            .is_some_and(|one| !one.is_hidden() && one.request.url.scheme != Scheme::Authority)
    };
    let read = attempt.steps.iter().flat_map(|step| &step.refs).any(is_read)
        || attempt
            .blockage
            .iter()
            .flat_map(|blockage| &blockage.exchanges)
            .filter_map(|id| analysis.evidence.exchange(*id))
            .any(|exchange| is_read(&exchange.at));
    if read { Level::Requests } else { Level::Connections }
}

fn beats(
    analysis: &Analysis,
    attempt: &SignInAttempt,
    by_ref: &BTreeMap<EvidenceRef, &Exchange>,
) -> Vec<Beat> {
    let stopped: Vec<EvidenceRef> = attempt
        .blockage
        .iter()
        .flat_map(|blockage| &blockage.exchanges)
        .filter_map(|id| analysis.evidence.exchange(*id))
        .map(|exchange| exchange.at)
        .collect();
    let unborn = attempt
        .blockage
        .as_ref()
        .filter(|blockage| attempt.steps.iter().all(|step| step.kind != blockage.step));
    let rests = |step: &Step| {
        step.refs.iter().any(|at| stopped.contains(at) || attempt.decided_by.contains(at))
    };
    let mut beats: Vec<Beat> = Vec::new();
    for step in &attempt.steps {
        let decided = rests(step) && (is_bad(step.result) || stopped.is_empty());
        let foreign = match step.kind {
            // A page that reports its own failure is heard.
            StepKind::Telemetry => !attempt.decided_by.iter().any(|at| step.refs.contains(at)),
            // What kept a step from being made stands for that step.
            StepKind::Other => !decided || !is_bad(step.result) || unborn.is_some(),
            _ => false,
        };
        if foreign {
            continue;
        }
        // A page stands in the answer to the step before it, and took no time of its own.
        let last = step.refs.last().copied();
        let own = beats.last().is_none_or(|before| before.view.refs.last().copied() != last);
        let exchange = last.and_then(|at| by_ref.get(&at)).copied();
        let span = exchange.and_then(|exchange| exchange.span);
        let kind = match (step.kind, &attempt.blockage) {
            (StepKind::Other, Some(blockage)) => stands_for(step, blockage.step, &beats),
            (kind, _) => kind,
        };
        let beat = Beat {
            view: StepView {
                kind,
                result: step.result,
                detail: step.detail.clone(),
                host: step.host.clone(),
                count: step.count,
                took: span.map(Span::length).filter(|_| own),
                refs: step.refs.clone(),
            },
            method: method(step),
            at: step.at,
            ended: span.map(Span::last).or(step.at),
            decided,
            good: false,
            is_fault: false,
            vantage: None,
        };
        fold(&mut beats, beat);
    }
    if let Some(beat) = unborn.and_then(|blockage| not_done(analysis, blockage)) {
        fold(&mut beats, beat);
    }
    let by_id: BTreeMap<EvidenceRef, ExchangeId> =
        analysis.evidence.numbered().map(|(id, exchange)| (exchange.at, id)).collect();
    let mut goes_on = false;
    for beat in beats.iter_mut().rev() {
        let passed = matches!(beat.view.result, StepResult::Pending) && goes_on;
        beat.good = is_good(beat.view.result) || passed;
        let behind = matches!(beat.view.kind, StepKind::AppReturn | StepKind::MfaFinish);
        goes_on |= beat.good && behind;
        let failure = beat
            .view
            .refs
            .iter()
            .rev()
            .find_map(|at| analysis.signin.failures.get(by_id.get(at)?))
            .filter(|_| is_bad(beat.view.result));
        beat.is_fault =
            failure.is_some_and(|failure| !matches!(failure.kind, FailureKind::Service { .. }));
        let input = beat.view.refs.first().map(|at| at.input);
        let coverage = input.and_then(|input| analysis.evidence.coverage.of(input));
        beat.vantage = coverage.map(|coverage| coverage.vantage);
    }
    beats
}

/// The step that a request without one was made for: a tunnel that failed says no more than its host.
fn stands_for(step: &Step, stopped: StepKind, beats: &[Beat]) -> StepKind {
    if host_role(&step.host) == Some(HostRole::SigninCdn) {
        return StepKind::Other;
    }
    if let Some(kind) = by_host(&step.host) {
        return kind;
    }
    // A page that polls, or whose last request to the host failed, asks for the same once more.
    let again = |last: &Beat| {
        last.view.result == StepResult::Pending
            || is_bad(last.view.result) && last.view.host == step.host
    };
    match beats.last() {
        Some(last) if again(last) => last.view.kind,
        _ if beats.iter().all(|beat| beat.view.kind != stopped) => stopped,
        _ => StepKind::Other,
    }
}

/// The step that a host has no other use for.
fn by_host(host: &HostName) -> Option<StepKind> {
    match host_role(host)? {
        HostRole::DeviceCert => Some(StepKind::DeviceCertificate),
        HostRole::MfaRegistration => Some(StepKind::Registration),
        _ => None,
    }
}

/// Adds a stage; tries that follow one another are one, with the end of the last.
fn fold(beats: &mut Vec<Beat>, beat: Beat) {
    let Some(last) = beats.last_mut().filter(|last| last.view.kind == beat.view.kind) else {
        beats.push(beat);
        return;
    };
    // Failures of several hosts that stand in for one another are told with the first.
    let together = beat.view.kind == StepKind::Other;
    // What the capture does not show of the last of them says nothing of the step.
    let told = matches!(last.view.result, StepResult::Pending | StepResult::Unknown);
    let untold = beat.view.result == StepResult::Unknown && !told;
    last.view.count = last.view.count.saturating_add(beat.view.count);
    last.view.refs.extend(beat.view.refs);
    last.ended = beat.ended.or(last.ended);
    last.decided |= beat.decided;
    last.method = beat.method.or(last.method.take());
    if !together && !untold {
        last.view.result = beat.view.result;
        last.view.detail = if beat.view.detail.is_empty() && is_good(beat.view.result) {
            std::mem::take(&mut last.view.detail)
        } else {
            beat.view.detail
        };
        last.view.host = beat.view.host;
        last.view.took = beat.view.took;
    }
}

/// The step that could not be made, where it left none of its own.
fn not_done(analysis: &Analysis, blockage: &Blockage) -> Option<Beat> {
    let first = blockage.exchanges.first()?;
    let exchange = analysis.evidence.exchange(*first)?;
    let failure = analysis.signin.failures.get(first);
    let refs: Vec<EvidenceRef> = blockage
        .exchanges
        .iter()
        .filter_map(|id| analysis.evidence.exchange(*id))
        .map(|exchange| exchange.at)
        .collect();
    let host = blockage.hosts.first().unwrap_or_else(|| exchange.host()).clone();
    Some(Beat {
        view: StepView {
            kind: by_host(&host).unwrap_or(blockage.step),
            result: StepResult::NoResponse,
            detail: failure.map(crate::signin::Failure::words).unwrap_or_default(),
            host,
            count: u32::try_from(refs.len()).unwrap_or(u32::MAX),
            took: None,
            refs,
        },
        method: None,
        at: exchange.started(),
        ended: exchange.ended(),
        decided: true,
        good: false,
        is_fault: false,
        vantage: None,
    })
}

/// The method that a step of MFA names: the first word of what is said of it.
fn method(step: &Step) -> Option<String> {
    if !matches!(step.kind, StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaPoll)
        || is_bad(step.result) && step.detail.contains("page of")
    {
        return None;
    }
    let word = step.detail.split(' ').next()?;
    let known = crate::analyze::is_method(word);
    known.then(|| word.to_owned())
}

/// Whether hosts of this kind say something of a sign-in when they are asked by one side alone.
pub(super) const fn is_telling(role: HostRole) -> bool {
    matches!(
        role,
        HostRole::DeviceCert
            | HostRole::Federation
            | HostRole::MfaRegistration
            | HostRole::Passkey
            | HostRole::SeamlessSso
            | HostRole::Sspr
    )
}
