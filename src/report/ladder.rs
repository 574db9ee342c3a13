//! The sign-in, step by step: what each line of it says, and between whom it went.
//!
//! One rung for each step with its time, what became of it and where it stands; the step at which the
//! sign-in broke is marked. It must not judge, since the mark follows what the attempt says decided, and
//! it must not know how a rung is drawn.
//!
//! Invariant: at most one rung is marked, and none when nothing went wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::{ReportInput, clock, result_words, step_words, titled};
use crate::entra::{HostRole, hosts};
use crate::evidence::{Evidence, EvidenceRef, Exchange, HostName, NoResponse, Stage, Unseen, Via};
use crate::signin::{
    Expected, Side, SignInAttempt, Step, StepKind, StepResult, Traffic, TrafficKind,
};
use crate::time::Timestamp;

/// How a line of a report is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// It went wrong.
    Bad,
    /// It is open, or not sure.
    Doubt,
    /// It says little.
    Faint,
    /// It went well.
    Good,
}

impl Mood {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Doubt => "doubt",
            Self::Faint => "faint",
            Self::Good => "good",
        }
    }
}

/// Who takes part in a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The browser or program.
    Client,
    /// What forwards its requests.
    Proxy,
    /// The sign-in service with its scripts.
    Service,
    /// The pages and calls of MFA.
    Mfa,
    /// The organisation's own sign-in.
    IdentityProvider,
    /// What the user wants to open.
    Application,
}

impl Lane {
    /// All of them, from the client on.
    pub const ALL: [Self; 6] = [
        Self::Client,
        Self::Proxy,
        Self::Service,
        Self::Mfa,
        Self::IdentityProvider,
        Self::Application,
    ];

    /// Its name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Client => "client",
            Self::IdentityProvider => "identity provider",
            Self::Mfa => "MFA",
            Self::Proxy => "proxy",
            Self::Service => "sign-in service",
        }
    }

    /// Who answers a step.
    fn of(kind: StepKind, host: &str) -> Self {
        match kind {
            StepKind::ExternalMethod
            | StepKind::MfaBegin
            | StepKind::MfaCode
            | StepKind::MfaFinish
            | StepKind::MfaPage
            | StepKind::MfaPoll
            | StepKind::Passkey
            | StepKind::PhoneSignIn => Self::Mfa,
            StepKind::AppReturn | StepKind::Resource => Self::Application,
            StepKind::FederationRedirect | StepKind::SeamlessSso => Self::IdentityProvider,
            _ => match hosts::host(host).map(|row| row.role) {
                Some(HostRole::Federation) => Self::IdentityProvider,
                Some(HostRole::Graph | HostRole::Resource) => Self::Application,
                _ => Self::Service,
            },
        }
    }
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It was answered, or is not known not to have been.
    Answered,
    /// No further than the proxy.
    Proxy,
    /// Nothing came back.
    Unanswered,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Rung {
    /// Seconds since the start; empty where the capture has no time.
    pub at: String,
    /// Whether the sign-in broke here.
    pub marked: bool,
    /// What became of it, in one or two words.
    pub result: &'static str,
    /// How that is meant.
    pub mood: Mood,
    /// What it was, without its places.
    pub words: String,
    /// The same in as few words as there are.
    pub title: &'static str,
    /// Where it stands.
    pub refs: Vec<EvidenceRef>,
    /// Who was asked.
    pub lane: Lane,
    /// Whether the request went through a proxy.
    pub by_proxy: bool,
    /// How far it came.
    pub reach: Reach,
}

/// The steps of an attempt.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// What the times count from, in words.
    pub note: String,
    /// Whether the capture begins in the middle of it.
    pub begins_here: bool,
    /// Whether the capture ends in the middle of it.
    pub ends_here: bool,
    /// What was done.
    pub rungs: Vec<Rung>,
    /// What was needed next and left no step of its own.
    pub undone: Option<Rung>,
}

impl Ladder {
    /// The ladder of an attempt; none where it has no step.
    pub fn of(
        report: &ReportInput<'_>,
        attempt: &SignInAttempt,
        with_telemetry: bool,
    ) -> Option<Self> {
        let shown = |step: &&Step| {
            with_telemetry || step.kind != StepKind::Telemetry || is_broken(step.result)
        };
        let steps: Vec<&Step> = attempt.steps.iter().filter(shown).collect();
        if steps.is_empty() && attempt.blockage.is_none() {
            return None;
        }
        let start = attempt.first.or_else(|| steps.iter().find_map(|step| step.at));
        let note = match start {
            Some(start) => format!("Seconds after {}.", clock(start)),
            None => "The capture has no times; the steps are in its order.".to_owned(),
        };
        let is_followed = report.verdict.attempt == Some(attempt.id);
        let side = if is_followed { report.verdict.side } else { attempt.side };
        let went_well = side == Side::NothingWrong && attempt.overridden_by.is_none();
        let mark = if went_well { None } else { broken(attempt, &steps) };
        let usual = usual_host(&steps);
        let exchanges = by_place(report.evidence, &steps);
        let rungs = steps
            .iter()
            .enumerate()
            .map(|(index, step)| {
                let look = Look {
                    start,
                    host: Some(&step.host).filter(|host| usual != Some(*host)),
                    marked: mark == Some(index),
                };
                rung(report.evidence, &exchanges, step, look)
            })
            .collect();
        Some(Self {
            note,
            begins_here: attempt.unseen.contains(&Unseen::CaptureStarted),
            ends_here: attempt.unseen.contains(&Unseen::CaptureEnded),
            rungs,
            undone: undone(report, attempt),
        })
    }

    /// The rungs in order, with what was not done behind them.
    pub fn all(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().chain(&self.undone)
    }
}

/// How one step is to be told.
#[derive(Clone, Copy)]
struct Look<'a> {
    /// What times count from.
    start: Option<Timestamp>,
    /// Its host, where it is not the usual one.
    host: Option<&'a HostName>,
    /// Whether the sign-in broke here.
    marked: bool,
}

/// The host of most steps, of equals the first.
fn usual_host<'a>(steps: &[&'a Step]) -> Option<&'a HostName> {
    let mut counts: BTreeMap<&HostName, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(&step.host).or_default() += 1;
    }
    // The last of equal maxima wins, so the steps are looked at backwards.
    steps.iter().rev().map(|step| &step.host).max_by_key(|host| counts.get(host).copied())
}

/// The exchanges that steps stand on, by their places.
fn by_place<'a>(evidence: &'a Evidence, steps: &[&Step]) -> BTreeMap<EvidenceRef, &'a Exchange> {
    let mut wanted: Vec<EvidenceRef> =
        steps.iter().flat_map(|step| step.refs.iter().copied()).collect();
    wanted.sort_unstable();
    evidence
        .exchanges
        .iter()
        .filter(|exchange| wanted.binary_search(&exchange.at).is_ok())
        .map(|exchange| (exchange.at, exchange))
        .collect()
}

fn rung(
    evidence: &Evidence,
    exchanges: &BTreeMap<EvidenceRef, &Exchange>,
    step: &Step,
    look: Look<'_>,
) -> Rung {
    let Look { start, host, marked } = look;
    let (title, detail) = titled(step.kind, &step.detail);
    let mut words = title.to_owned();
    if let Some(host) = host {
        let _ = write!(words, " at {host}");
    }
    if !detail.is_empty() {
        words.push_str(": ");
        words.push_str(detail);
    }
    if step.count > 1 {
        let _ = write!(words, ", {}\u{a0}times", step.count);
    }
    let its: Vec<&Exchange> =
        step.refs.iter().filter_map(|place| exchanges.get(place).copied()).collect();
    let fails_at_proxy = |one: &&Exchange| {
        matches!(one.response, Err(NoResponse::Failed { stage: Stage::Proxy, .. }))
            || one.via == Via::Proxy && matches!(one.status(), Some(407))
    };
    Rung {
        at: start.zip(step.at).map(|(start, at)| relative(start, at)).unwrap_or_default(),
        marked,
        result: result_words(step.result),
        mood: match step.result {
            StepResult::Failed | StepResult::NoResponse => Mood::Bad,
            StepResult::Interrupt | StepResult::Pending => Mood::Doubt,
            StepResult::Ok => Mood::Good,
            StepResult::Unknown => Mood::Faint,
        },
        words,
        title,
        refs: step.refs.clone(),
        lane: Lane::of(step.kind, step.host.as_str()),
        by_proxy: its.iter().any(|one| is_by_proxy(evidence, one) || fails_at_proxy(one)),
        reach: if is_broken(step.result) && its.iter().any(fails_at_proxy) {
            Reach::Proxy
        } else if step.result == StepResult::NoResponse
            || step.result == StepResult::Failed && !step.is_answered
        {
            Reach::Unanswered
        } else {
            Reach::Answered
        },
    }
}

/// Whether a request is known to have gone through a proxy.
pub fn is_by_proxy(evidence: &Evidence, exchange: &Exchange) -> bool {
    let connection = exchange.connection.and_then(|id| evidence.connection(id));
    exchange.via == Via::Proxy
        || connection.and_then(|one| one.wire.as_ref()).is_some_and(|wire| wire.is_proxied)
}

/// What the attempt needed next and could not do, where that left no step of its own.
fn undone(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Option<Rung> {
    let blockage = attempt.blockage.as_ref()?;
    if attempt.steps.iter().any(|step| step.kind == blockage.step) {
        return None;
    }
    let hosts: Vec<&str> = blockage.hosts.iter().map(HostName::as_str).collect();
    let its: Vec<&Exchange> =
        blockage.exchanges.iter().filter_map(|id| report.evidence.exchange(*id)).collect();
    let title = step_words(blockage.step);
    Some(Rung {
        at: String::new(),
        marked: true,
        result: "NOT DONE",
        mood: Mood::Bad,
        words: format!("{title}: no traffic got through to {}", hosts.join(", ")),
        title,
        refs: its.iter().map(|exchange| exchange.at).collect(),
        lane: Lane::of(blockage.step, hosts.first().copied().unwrap_or_default()),
        by_proxy: its.iter().any(|one| is_by_proxy(report.evidence, one)),
        reach: Reach::Unanswered,
    })
}

/// The step at which the attempt broke.
fn broken(attempt: &SignInAttempt, steps: &[&Step]) -> Option<usize> {
    let cites = |step: &Step, wanted: &[EvidenceRef]| {
        step.refs.iter().any(|reference| wanted.contains(reference))
    };
    if let Some(blockage) = &attempt.blockage {
        // A blocked step that never came is a line of its own.
        return steps.iter().rposition(|step| step.kind == blockage.step);
    }
    steps
        .iter()
        .rposition(|step| is_broken(step.result) && cites(step, &attempt.decided_by))
        .or_else(|| steps.iter().rposition(|step| cites(step, &attempt.decided_by)))
        .or_else(|| steps.iter().rposition(|step| is_broken(step.result)))
}

const fn is_broken(result: StepResult) -> bool {
    matches!(result, StepResult::Failed | StepResult::NoResponse)
}

/// Time since the start: `+12.3`, from an hour on `+1:02:03`.
pub fn relative(start: Timestamp, at: Timestamp) -> String {
    let (sign, length) = if at < start { ('-', start.since(at)) } else { ('+', at.since(start)) };
    // What is shown as zero has no direction.
    let sign = if length.as_millis() < 100 { '+' } else { sign };
    let seconds = length.as_secs();
    if seconds < 3600 {
        return format!("{sign}{seconds}.{}", length.subsec_millis() / 100);
    }
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// One request that had to follow the MFA page, and what of it is in the capture.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whether it is there, in one or two words.
    pub result: &'static str,
    /// How that is meant.
    pub mood: Mood,
    /// What it is, without its places.
    pub words: String,
    /// Where it stands.
    pub refs: Vec<EvidenceRef>,
}

/// What had to follow, with the name of the list; none where nothing had to.
pub fn due(attempt: &SignInAttempt) -> Option<(&'static str, Vec<Due>)> {
    if attempt.expected.is_empty() {
        return None;
    }
    let posed = attempt.expected.iter().any(|one| one.kind.is_of_challenge());
    let title = if posed { "What had to follow the MFA page" } else { "What had to follow" };
    Some((title, attempt.expected.iter().map(one_due).collect()))
}

fn one_due(one: &Expected) -> Due {
    let (result, mood) = match one.traffic {
        Traffic::Absent(_) => ("NEVER CAME", Mood::Bad),
        Traffic::Failed => ("FAILED", Mood::Bad),
        Traffic::NotDue => ("not due", Mood::Faint),
        Traffic::Seen => ("seen", Mood::Good),
        Traffic::Unknown(_) => ("not known", Mood::Doubt),
    };
    let mut words = one.kind.words().to_owned();
    match one.traffic {
        Traffic::Absent(proof) => {
            words.push_str("; the capture went on until ");
            words.push_str(&clock(proof.window().last()));
            words.push_str(" at least and shows none");
        }
        Traffic::Failed => {
            if let Some(host) = &one.host {
                words.push_str(" at ");
                words.push_str(host.as_str());
            }
        }
        Traffic::NotDue | Traffic::Seen => {}
        Traffic::Unknown(unseen) => words.push_str(why(one.kind, unseen)),
    }
    let refs = match one.traffic {
        Traffic::NotDue => Vec::new(),
        _ => one.refs.clone(),
    };
    Due { result, mood, words, refs }
}

/// Why a capture cannot tell of a request that is not in it.
const fn why(kind: TrafficKind, unseen: Unseen) -> &'static str {
    match (kind, unseen) {
        (TrafficKind::Script, Unseen::NotShown) => {
            ": not in the capture; a cache may have served it"
        }
        (_, Unseen::BodiesMissing) => ": the contents that would tell are not in the capture",
        (_, Unseen::CaptureEnded) => ": the capture ends before it would be missed",
        (_, Unseen::CaptureStarted) => ": the capture begins too late",
        (_, Unseen::Encrypted) => ": the connections are encrypted",
        (_, Unseen::NotShown) => ": the client is not seen long enough after it",
        (_, Unseen::RecordsLost) => ": part of the capture could not be read",
        (_, Unseen::Timeless) => ": the capture has no times",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn times_are_relative() {
        let at = |milliseconds| Timestamp::from_milliseconds(milliseconds).unwrap();
        assert_eq!(relative(at(0), at(12_345)), "+12.3");
        assert_eq!(relative(at(1000), at(0)), "-1.0");
        assert_eq!(relative(at(50), at(0)), "+0.0");
        assert_eq!(relative(at(0), at(3_723_000)), "+1:02:03");
    }

    #[test]
    fn one_rung_is_marked_at_most_and_none_when_all_went_well() {
        for case in samples::all() {
            let report = case.report();
            let Some(attempt) = report.attempt() else { continue };
            let Some(ladder) = Ladder::of(&report, attempt, true) else { continue };
            let marked = ladder.all().filter(|rung| rung.marked).count();
            assert!(marked <= 1);
            if case.verdict.side == Side::NothingWrong {
                assert_eq!(marked, 0);
            }
        }
    }

    #[test]
    fn each_step_is_between_two() {
        assert_eq!(Lane::of(StepKind::MfaPoll, "login.microsoftonline.com"), Lane::Mfa);
        assert_eq!(Lane::of(StepKind::Password, "login.microsoftonline.com"), Lane::Service);
        assert_eq!(Lane::of(StepKind::Other, "acme.okta.com"), Lane::IdentityProvider);
        assert_eq!(Lane::of(StepKind::AppReturn, "portal.contoso.example"), Lane::Application);
    }
}
