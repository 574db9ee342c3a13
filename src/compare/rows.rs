//! Which rows of the aligned steps differ, and whether the difference stops a sign-in.
//!
//! A step that one side lacks counts only where its capture would have shown it, and not where what came
//! before explains it. It must not put anything into sentences but the reason of a gap.
//!
//! Invariant: the mark of a row does not depend on which side is called the working one.

use super::align::{Pair, align};
use super::party::{Beat, Party, is_bad, is_good};
use crate::evidence::{Absence, Unseen};
use crate::finding::Text;
use crate::limits::COMPARED_SILENCE;
use crate::report::comparison::{Mark, Row};
use crate::signin::{StepKind, StepResult, Traffic, TrafficKind};

/// A row with what it is made of.
pub(super) struct Marked<'a> {
    pub(super) working: Option<&'a Beat>,
    pub(super) failing: Option<&'a Beat>,
    pub(super) mark: Mark,
    pub(super) gap: Option<Gap>,
}

/// Why one side has no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The capture would have shown it.
    Proven,
    /// An earlier step of that side ended the sign-in.
    Ended,
    /// The capture cannot tell.
    Unknown(Unseen),
}

impl Marked<'_> {
    /// The row as it is reported.
    pub(super) fn row(&self) -> Row {
        Row {
            mark: self.mark,
            working: self.working.map(|beat| beat.view.clone()),
            failing: self.failing.map(|beat| beat.view.clone()),
            note: self.gap.and_then(note),
        }
    }

    /// Whether the verdict of either side rests on it.
    pub(super) fn is_decided(&self) -> bool {
        [self.working, self.failing].into_iter().flatten().any(|beat| beat.decided)
    }
}

fn note(gap: Gap) -> Option<Text> {
    match gap {
        Gap::Ended => None,
        Gap::Proven => Some(Text::of("the capture would have shown it")),
        Gap::Unknown(unseen) => Some(Text::of(why(unseen))),
    }
}

/// Why a capture cannot tell of a step that is not in it.
pub(super) const fn why(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::BodiesMissing => "contents that would tell were not saved",
        Unseen::CaptureEnded => "the capture ends before it would be missed",
        Unseen::CaptureStarted => "the capture begins too late",
        Unseen::Encrypted => "connections of it are encrypted",
        Unseen::NotShown => "the client is not seen long enough behind it",
        Unseen::RecordsLost => "part of the capture could not be read",
        Unseen::Timeless => "the capture has no times",
    }
}

/// Steps that sessions, settings and versions of the pages bring about: alone they stop nothing.
const fn is_minor(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::AccountChoice
            | StepKind::Continue
            | StepKind::CredentialType
            | StepKind::Discovery
            | StepKind::HomeRealm
            | StepKind::KeepSignedIn
            | StepKind::Logout
            | StepKind::Other
            | StepKind::SeamlessSso
            | StepKind::Telemetry
    )
}

/// Steps that stand for a stop when one side alone has them.
const fn is_stop(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::ErrorPage
            | StepKind::PolicyPage
            | StepKind::Registration
            | StepKind::ResetPassword
    )
}

/// Aligns the steps of both sides and marks what differs.
pub(super) fn rows<'a>(working: &'a Party<'_>, failing: &'a Party<'_>) -> Vec<Marked<'a>> {
    let keys = |party: &Party<'_>| party.beats.iter().map(Beat::key).collect::<Vec<_>>();
    let pairs = align(&keys(working), &keys(failing));
    let both_worked = working.worked() == Some(true) && failing.worked() == Some(true);
    pairs
        .iter()
        .enumerate()
        .map(|(number, (one, other))| {
            let one = one.and_then(|at| working.beats.get(at));
            let other = other.and_then(|at| failing.beats.get(at));
            let mut marked = Marked { working: one, failing: other, mark: Mark::Alike, gap: None };
            match (one, other) {
                (Some(one), Some(other)) => marked.mark = together(one, other),
                (Some(beat), None) => {
                    let gap = gap(failing, &pairs, number, |row| row.1, beat);
                    marked.mark = alone(beat, working, gap);
                    marked.gap = Some(gap);
                }
                (None, Some(beat)) => {
                    let gap = gap(working, &pairs, number, |row| row.0, beat);
                    marked.mark = alone(beat, failing, gap);
                    marked.gap = Some(gap);
                }
                (None, None) => {}
            }
            if both_worked && marked.mark == Mark::Parts {
                marked.mark = Mark::OtherWay;
            }
            marked
        })
        .collect()
}

/// The mark of a step that both have.
fn together(one: &Beat, other: &Beat) -> Mark {
    let (a, b) = (one.view.result, other.view.result);
    if a == StepResult::Unknown || b == StepResult::Unknown {
        return if is_good(a) || is_good(b) || a == b { Mark::Alike } else { Mark::Unknown };
    }
    if is_good(a) != is_good(b) {
        return if is_minor(one.view.kind) && !(one.decided || other.decided) {
            Mark::Minor
        } else {
            Mark::Parts
        };
    }
    if !is_good(a) {
        let same = a == b && words(one) == words(other);
        return if same { Mark::Alike } else { Mark::OtherWay };
    }
    let methods = one.method.is_some() && other.method.is_some() && one.method != other.method;
    let page = |beat: &Beat| words(beat).into_iter().find(|word| is_page(word)).map(str::to_owned);
    let pages = page(one).zip(page(other)).is_some_and(|(one, other)| one != other);
    let offered = one.view.kind == StepKind::MfaPage && sorted(one) != sorted(other);
    if methods || pages || offered { Mark::OtherWay } else { Mark::Alike }
}

/// What is said of a step, without codes that differ from one session to the next.
fn words(beat: &Beat) -> Vec<&str> {
    beat.view.detail.split(' ').filter(|word| !word.is_empty()).collect()
}

fn sorted(beat: &Beat) -> Vec<&str> {
    let mut all: Vec<&str> = beat.view.detail.split(", ").collect();
    all.sort_unstable();
    all
}

/// Whether a word is the id of a page.
fn is_page(word: &str) -> bool {
    crate::analyze::is_page(word)
}

/// The mark of a step that one side alone has.
fn alone(beat: &Beat, own: &Party<'_>, gap: Gap) -> Mark {
    let again = own
        .beats
        .iter()
        .take_while(|before| !std::ptr::eq(*before, beat))
        .any(|before| before.view.kind == beat.view.kind);
    if is_bad(beat.view.result) && beat.decided || is_stop(beat.view.kind) {
        return Mark::Parts;
    }
    match gap {
        _ if is_minor(beat.view.kind) || again => Mark::Minor,
        Gap::Unknown(_) => Mark::Unknown,
        Gap::Ended | Gap::Proven if is_bad(beat.view.result) => Mark::OtherWay,
        Gap::Ended | Gap::Proven => Mark::Parts,
    }
}

/// Why a side has no counterpart of a step of the other.
fn gap(
    lacking: &Party<'_>,
    pairs: &[Pair],
    number: usize,
    own: impl Fn(&Pair) -> Option<usize>,
    missing: &Beat,
) -> Gap {
    let (before, behind) = pairs.split_at(number.min(pairs.len()));
    let last = before.iter().rev().find_map(&own).and_then(|at| lacking.beats.get(at));
    let next = behind.iter().find_map(&own).and_then(|at| lacking.beats.get(at));
    let Some(attempt) = lacking.attempt else { return Gap::Unknown(Unseen::Encrypted) };
    // What decided stands before it, or in its place.
    let ends = |beat: &Beat| beat.decided && (is_bad(beat.view.result) || is_stop(beat.view.kind));
    let ended = lacking
        .beats
        .iter()
        .take_while(|beat| next.is_none_or(|next| !std::ptr::eq(*beat, next)))
        .chain(next)
        .any(ends);
    if ended && lacking.worked() == Some(false) {
        return Gap::Ended;
    }
    if let Some(traffic) = kind_of(missing.view.kind)
        && let Some(expected) = attempt.expected.iter().find(|one| one.kind == traffic)
    {
        match expected.traffic {
            Traffic::Absent(_) => return Gap::Proven,
            Traffic::Unknown(unseen) => return Gap::Unknown(unseen),
            Traffic::Failed | Traffic::NotDue | Traffic::Seen => {}
        }
    }
    if lacking.worked().is_none() {
        return Gap::Unknown(attempt.unseen.first().copied().unwrap_or(Unseen::NotShown));
    }
    if !lacking.is_whole() {
        let told = attempt.unseen.first().copied();
        let closed = lacking.evidence().coverage.inputs.iter().any(|one| {
            one.wire.as_ref().and_then(|wire| wire.keys).is_some_and(|keys| keys.closed() > 0)
        });
        let usual = if closed { Unseen::Encrypted } else { Unseen::RecordsLost };
        return Gap::Unknown(told.unwrap_or(usual));
    }
    let Some(from) = last.and_then(|beat| beat.ended) else {
        return if next.is_some() { Gap::Proven } else { Gap::Unknown(Unseen::Timeless) };
    };
    let input = last.and_then(|beat| beat.view.refs.last()).map(|at| at.input);
    let Some(input) = input else { return Gap::Unknown(Unseen::Timeless) };
    let length = match next.and_then(|next| next.at) {
        Some(until) => until.since(from),
        // The sign-in came to its end without it.
        None if lacking.worked() == Some(true) => return Gap::Proven,
        None => COMPARED_SILENCE,
    };
    match lacking.evidence().coverage.absent(input, from, length) {
        Absence::Proven(_) => Gap::Proven,
        Absence::Present => Gap::Unknown(Unseen::NotShown),
        Absence::Unknown(unseen) => Gap::Unknown(unseen),
    }
}

/// The request of the chain behind the MFA page that a step stands for.
const fn kind_of(step: StepKind) -> Option<TrafficKind> {
    Some(match step {
        StepKind::MfaBegin => TrafficKind::Begin,
        StepKind::MfaCode => TrafficKind::Code,
        StepKind::MfaFinish => TrafficKind::Finish,
        StepKind::MfaPoll => TrafficKind::Poll,
        _ => return None,
    })
}
