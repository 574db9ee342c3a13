//! The sentences of a comparison: where two sign-ins part, and how they relate.
//!
//! They are written to be pasted into a ticket: what the one did, what the other had in its place, and
//! what the verdict says of that. It must not decide anything.
//!
//! Invariant: a sign-in is called the working or the failing one only where the captures show that it
//! worked, or that it did not.

use super::party::{Beat, is_bad};
use super::rows::{Gap, Marked, why};
use crate::evidence::{HostName, Unseen};
use crate::finding::{Piece, Text};
use crate::report::comparison::{Level, Mark, StepView, Value};
use crate::report::model::{step_words, titled};
use crate::signin::{SCRIPT, StepKind, StepResult};
use crate::verdict::Verdict;

/// What the two sides are called.
pub(super) type Labels = [&'static str; 2];

/// What the two sides are called: by what they are where that is seen, else by their order.
pub(super) fn labels(worked: [Option<bool>; 2]) -> Labels {
    match worked {
        [Some(true), Some(false) | None] => ["working", "failing"],
        _ => ["first", "second"],
    }
}

/// A step with its article.
pub(super) fn step(view: &StepView) -> Text {
    match view.kind {
        StepKind::Other if view.detail.starts_with(SCRIPT) => {
            Text::of("the script of the page at ").with(&view.host)
        }
        StepKind::Other => Text::of("a needed request to ").with(&view.host),
        StepKind::Telemetry => Text::of("a report of the page about its own failure"),
        kind => Text::of("the ").with(step_words(kind)),
    }
}

/// What is said of a step, in brackets; empty where nothing is.
fn bracket(view: &StepView) -> Text {
    let detail = match view.kind {
        StepKind::Other => titled(view.kind, &view.detail).1,
        _ => &view.detail,
    };
    if detail.is_empty() {
        return Text::default();
    }
    Text::of(" (").with(Piece::Captured(detail.to_owned())).with(")")
}

/// Whether a step is that a page is shown.
const fn is_page(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::Consent
            | StepKind::ErrorPage
            | StepKind::KeepSignedIn
            | StepKind::MfaPage
            | StepKind::PolicyPage
            | StepKind::Registration
            | StepKind::ResetPassword
            | StepKind::Telemetry
    )
}

/// What became of a step.
pub(super) fn did(view: &StepView) -> Text {
    match view.result {
        StepResult::Failed => Text::of("failed").with_text(&bracket(view)),
        StepResult::NoResponse => Text::of("got no answer").with_text(&bracket(view)),
        StepResult::Interrupt | StepResult::Ok if is_page(view.kind) => {
            Text::of("was shown").with_text(&bracket(view))
        }
        StepResult::Interrupt => Text::of("led to the next question").with_text(&bracket(view)),
        StepResult::Ok => Text::of("went through").with_text(&bracket(view)),
        StepResult::Pending => Text::of("stayed without a final answer").with_text(&bracket(view)),
        StepResult::Unknown => Text::of("is not shown"),
    }
}

/// How far both go together.
fn so_far(rows: &[Marked<'_>], until: usize) -> Text {
    let before = rows.get(..until).unwrap_or_default();
    let is_pair = |row: &Marked<'_>| row.working.is_some() && row.failing.is_some();
    let Some(last) = before.iter().rposition(is_pair) else {
        let is_dark = before.iter().any(|row| row.mark == Mark::Unknown);
        return Text::of(if is_dark {
            "One of the captures does not show how its sign-in begins; later, "
        } else {
            "The sign-ins part at once: "
        });
    };
    let Some(beat) = before.get(last).and_then(|row| row.working) else {
        return Text::default();
    };
    let (common, own) = before.split_at(last.saturating_add(1));
    let is_detour = |row: &Marked<'_>| row.mark == Mark::OtherWay;
    // Other methods on offer are no other way, nor is it one that the last answer led elsewhere.
    let led = |(index, row): (usize, &Marked<'_>)| {
        let beat = row.working.or(row.failing);
        let counts = beat.is_some_and(|beat| {
            beat.view.kind != StepKind::MfaPage && (index != last || beat.method.is_some())
        });
        is_detour(row) && counts
    };
    let (start, end) = match (common.iter().enumerate().any(led), own.iter().any(is_detour)) {
        (true, _) => ("Both sign-ins get, by different ways, as far as ", "; then "),
        (false, true) => ("Both sign-ins go alike up to ", " and from there different ways: "),
        (false, false) => ("Both sign-ins go alike up to ", "; then "),
    };
    Text::of(start).with_text(&step(&beat.view)).with(end)
}

/// What both sides have at a place, as values and as a sentence.
pub(super) struct Told {
    pub(super) working: Value,
    pub(super) failing: Value,
    pub(super) sentence: Text,
}

/// Where the steps part.
pub(super) fn parting(rows: &[Marked<'_>], at: usize, labels: Labels) -> Option<Told> {
    let row = rows.get(at)?;
    let [one, other] = labels;
    let start = so_far(rows, at);
    let before = rows.get(..at).unwrap_or_default();
    let apart = |row: &Marked<'_>| row.working.is_none() || row.failing.is_none();
    let at_once = before.iter().all(|row| apart(row) && row.mark != Mark::Unknown);
    Some(match (row.working, row.failing) {
        (Some(working), Some(failing)) => Told {
            working: value(working),
            failing: value(failing),
            sentence: start
                .with_text(&step(&working.view))
                .with(" ")
                .with_text(&did(&working.view))
                .with(" in the ")
                .with(one)
                .with(" one and ")
                .with_text(&did(&failing.view))
                .with(" in the ")
                .with(other)
                .with(" one."),
        },
        (Some(working), None) => {
            let place = in_place(rows, at, |row| row.failing.filter(|_| row.working.is_none()));
            let (failing, lack) = lacks(place, row.gap, other);
            Told {
                working: value(working),
                failing,
                sentence: goes_on(start, working, one, at_once).with_text(&lack),
            }
        }
        (None, Some(failing)) => {
            let place = in_place(rows, at, |row| row.working.filter(|_| row.failing.is_none()));
            let (working, lack) = lacks(place, row.gap, one);
            Told {
                working,
                failing: value(failing),
                sentence: goes_on(start, failing, other, at_once).with_text(&lack),
            }
        }
        (None, None) => return None,
    })
}

fn value(beat: &Beat) -> Value {
    let text = Text::default().with_text(&step(&beat.view)).with(" ").with_text(&did(&beat.view));
    Value { text, refs: beat.view.refs.clone() }
}

/// What one side does that the other does not.
fn goes_on(start: Text, beat: &Beat, label: &'static str, at_once: bool) -> Text {
    let text = start.with("the ").with(label).with(" one ");
    let view = &beat.view;
    match view.kind {
        kind if is_page(kind) => {
            text.with("gets ").with_text(&step(view)).with_text(&bracket(view))
        }
        _ if beat.good && at_once => text.with("begins with ").with_text(&step(view)),
        _ if beat.good => text.with("goes on to ").with_text(&step(view)),
        _ => text.with("comes to ").with_text(&step(view)).with(", which ").with_text(&did(view)),
    }
}

/// What a side has where the other has a step of its own.
fn lacks(place: Option<&Beat>, gap: Option<Gap>, label: &'static str) -> (Value, Text) {
    if let Some(beat) = place {
        let view = &beat.view;
        let text = Text::of(", and in the ").with(label).with(" one ");
        let text = text.with_text(&step(view)).with(" ");
        let text = match view.kind {
            kind if is_page(kind) => text.with("comes in its place").with_text(&bracket(view)),
            _ if is_bad(view.result) => text.with_text(&did(view)),
            _ => text.with("comes in its place").with_text(&bracket(view)),
        };
        return (value(beat), text.with("."));
    }
    let none = |words| Value { text: Text::of(words), refs: Vec::new() };
    let text = Text::of(", and the ").with(label).with(" one ");
    match gap {
        Some(Gap::Unknown(unseen)) => (
            Value { text: Text::of("not shown: ").with(why(unseen)), refs: Vec::new() },
            Text::of("; whether the ")
                .with(label)
                .with(" one does is not in its capture (")
                .with(why(unseen))
                .with(")."),
        ),
        Some(Gap::Proven) => (
            none("never came; the capture would have shown it"),
            text.with("never does; its capture would have shown it."),
        ),
        Some(Gap::Ended) | None => (none("does not come"), text.with("does not.")),
    }
}

/// The step that stands on the other side between the same neighbours: one that failed, else the first.
fn in_place<'a>(
    rows: &[Marked<'a>],
    at: usize,
    alone: impl Fn(&Marked<'a>) -> Option<&'a Beat>,
) -> Option<&'a Beat> {
    let is_pair = |row: &Marked<'_>| row.working.is_some() && row.failing.is_some();
    let (before, behind) = rows.split_at(at.min(rows.len()));
    let before = before.iter().rev().take_while(|row| !is_pair(row));
    let region = || before.clone().chain(behind.iter().take_while(|row| !is_pair(row)));
    let found = |wanted: &dyn Fn(&Marked<'_>) -> bool| {
        // Those before were walked backwards.
        let all: Vec<&Beat> = region().filter(|row| wanted(row)).filter_map(&alone).collect();
        all.first().copied()
    };
    found(&|row| row.mark == Mark::Parts && row.is_decided())
        .or_else(|| found(&|row| row.mark == Mark::Parts))
        .or_else(|| found(&|row| matches!(row.mark, Mark::OtherWay | Mark::Unknown)))
}

/// Where only connections tell.
pub(super) fn at_host(
    host: &HostName,
    working: Value,
    failing: Value,
    labels: Labels,
    start: &Text,
) -> Told {
    let [one, other] = labels;
    let clause = |value: &Value, label: &'static str| {
        let text = Text::of("in the ").with(label).with(" one ");
        let failed = !value.refs.is_empty() && value.text != Text::of("answered");
        text.with(if failed { "it failed: " } else { "it " }).with_text(&value.text)
    };
    let sentence = start
        .clone()
        .with(" The sign-ins part at ")
        .with(host)
        .with(": ")
        .with_text(&clause(&working, one))
        .with(", ")
        .with_text(&clause(&failing, other))
        .with(".");
    Told { working, failing, sentence }
}

/// That the requests of a side did not get through at all.
pub(super) fn none_through(label: &'static str) -> Text {
    Text::of("No request of the ").with(label).with(" one got through to the sign-in service.")
}

/// That no more than connections can be compared, and whose capture that lies in.
pub(super) fn only_connections(labels: Labels, levels: [Level; 2]) -> Text {
    let [one, other] = labels;
    let sides = match levels.map(|level| level == Level::Connections) {
        [true, true] => Text::of("either sign-in"),
        [true, false] => Text::of("the ").with(one).with(" one"),
        [false, _] => Text::of("the ").with(other).with(" one"),
    };
    let text = Text::of("Only connections can be compared, since no request of ");
    text.with_text(&sides).with(" can be read.")
}

/// What a verdict says, as the end of a headline.
pub(super) fn summary(verdict: &Verdict) -> Text {
    if verdict.summary.0.is_empty() {
        return Text::of(verdict.outcome.sentence());
    }
    verdict.summary.clone()
}

/// Names in a row; of more than four the first three and how many more.
pub(super) fn enumerated(names: &[&'static str]) -> Text {
    const MOST: usize = 4;
    in_a_row(names, if names.len() > MOST { MOST.saturating_sub(1) } else { names.len() })
}

/// All names in a row: `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[&'static str]) -> Text {
    in_a_row(names, names.len())
}

fn in_a_row(names: &[&'static str], shown: usize) -> Text {
    let mut text = Text::default();
    for (index, name) in names.iter().take(shown).enumerate() {
        let last = index.saturating_add(1) == names.len();
        text = match (index, last) {
            (0, _) => text,
            (_, true) => text.with(" and "),
            (_, false) => text.with(", "),
        };
        text = text.with(*name);
    }
    match names.len().saturating_sub(shown) {
        0 => text,
        more => text.with(" and ").with(more as u64).with(" more"),
    }
}

/// Whether a gap only says that the capture cannot tell.
pub(super) const fn is_unknown(gap: Option<Gap>) -> Option<Unseen> {
    match gap {
        Some(Gap::Unknown(unseen)) => Some(unseen),
        _ => None,
    }
}
