//! The sign-in, step by step, as lines.
//!
//! One line for each step with its time, what became of it and where it stands; the step at which
//! the sign-in broke is marked. It must not judge: the mark follows what the attempt says decided.
//!
//! Invariant: at most one step is marked, and none when nothing went wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::page::{Page, Tone};
use super::{Detail, bracket};
use crate::evidence::{EvidenceRef, HostName, Unseen};
use crate::report::model::{ReportInput, clock, places, result_words, step_words, titled};
use crate::signin::{Side, SignInAttempt, Step, StepKind, StepResult};
use crate::time::Timestamp;

/// Columns before the words of a step.
const INDENT: usize = 25;
/// Steps shown at the beginning and at the end of a long attempt.
const SHOWN: usize = 20;

/// Writes the ladder of one attempt.
pub(super) fn write(
    page: &mut Page,
    report: &ReportInput<'_>,
    attempt: &SignInAttempt,
    detail: Detail,
) {
    let quiet = |step: &Step| {
        step.kind == StepKind::Telemetry && !is_broken(step.result) && detail != Detail::Full
    };
    let steps: Vec<&Step> = attempt.steps.iter().filter(|step| !quiet(step)).collect();
    if steps.is_empty() && attempt.blockage.is_none() {
        return;
    }
    let start = attempt.first.or_else(|| steps.iter().find_map(|step| step.at));
    page.heading("The sign-in, step by step");
    if let Some(start) = start {
        page.text(2, &format!("Seconds after {}.", clock(start)), Tone::Faint);
    } else {
        page.text(2, "The capture has no times; the steps are in its order.", Tone::Faint);
    }
    if attempt.unseen.contains(&Unseen::CaptureStarted) {
        page.row(&[("", Tone::Plain)], INDENT, "-- the capture begins here --", Tone::Faint);
    }
    let mark = if report.verdict.side == Side::NothingWrong && !has_overridden(report) {
        None
    } else {
        broken(attempt, &steps)
    };
    let usual = usual_host(&steps);
    let left_out = match detail {
        Detail::Full => 0,
        Detail::Brief | Detail::Normal => steps.len().saturating_sub(2 * SHOWN),
    };
    for (index, step) in steps.iter().enumerate() {
        if left_out > 0 && index == SHOWN {
            let text = format!("... {left_out} steps are left out here (--verbose shows them) ...");
            page.row(&[("", Tone::Plain)], INDENT, &text, Tone::Faint);
        }
        let inside = index >= SHOWN && index < SHOWN.saturating_add(left_out);
        if !inside || mark == Some(index) {
            let host = Some(&step.host).filter(|host| usual != Some(*host));
            one(page, report, step, Look { start, host, marked: mark == Some(index) });
        }
    }
    never_reached(page, report, attempt);
    if attempt.unseen.contains(&Unseen::CaptureEnded) {
        page.row(&[("", Tone::Plain)], INDENT, "-- the capture ends here --", Tone::Faint);
    }
}

/// How one step is to look.
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

fn one(page: &mut Page, report: &ReportInput<'_>, step: &Step, look: Look<'_>) {
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
    words.push_str(&bracket(&places(step.refs.iter().copied(), super::several(report), 4)));
    let at = start.zip(step.at).map(|(start, at)| relative(start, at)).unwrap_or_default();
    let tone = match step.result {
        StepResult::Failed | StepResult::NoResponse => Tone::Bad,
        StepResult::Interrupt | StepResult::Pending => Tone::Doubt,
        StepResult::Ok => Tone::Good,
        StepResult::Unknown => Tone::Faint,
    };
    let cells = [
        (if marked { ">>" } else { "  " }, Tone::Bad),
        (&*format!("{at:>10}  "), Tone::Faint),
        (result_words(step.result), tone),
    ];
    page.row(&cells, INDENT, &words, if marked { Tone::Strong } else { Tone::Plain });
}

/// What the attempt needed next and could not do, where that left no step of its own.
fn never_reached(page: &mut Page, report: &ReportInput<'_>, attempt: &SignInAttempt) {
    let Some(blockage) = &attempt.blockage else { return };
    if attempt.steps.iter().any(|step| step.kind == blockage.step) {
        return;
    }
    let hosts: Vec<&str> = blockage.hosts.iter().map(HostName::as_str).collect();
    let refs = blockage
        .exchanges
        .iter()
        .filter_map(|id| report.evidence.exchange(*id))
        .map(|exchange| exchange.at);
    let words = format!(
        "{}: no traffic got through to {}{}",
        step_words(blockage.step),
        hosts.join(", "),
        bracket(&places(refs, super::several(report), 4))
    );
    let cells = [(">>", Tone::Bad), ("            ", Tone::Plain), ("NOT DONE", Tone::Bad)];
    page.row(&cells, INDENT, &words, Tone::Strong);
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

/// Whether the attempt that the verdict follows stepped aside itself.
fn has_overridden(report: &ReportInput<'_>) -> bool {
    report.attempt().is_some_and(|attempt| attempt.overridden_by.is_some())
}

/// Time since the start: `+12.3`, from an hour on `+1:02:03`.
fn relative(start: Timestamp, at: Timestamp) -> String {
    let (sign, length) = if at < start { ('-', start.since(at)) } else { ('+', at.since(start)) };
    let seconds = length.as_secs();
    if seconds < 3600 {
        return format!("{sign}{seconds}.{}", length.subsec_millis() / 100);
    }
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_relative() {
        let at = |milliseconds| Timestamp::from_milliseconds(milliseconds).unwrap();
        assert_eq!(relative(at(0), at(12_345)), "+12.3");
        assert_eq!(relative(at(1000), at(0)), "-1.0");
        assert_eq!(relative(at(0), at(3_723_000)), "+1:02:03");
    }
}
