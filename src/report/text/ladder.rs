//! The sign-in, step by step, as lines.
//!
//! It must not judge: what a line says and which one is marked is told by the ladder.
//!
//! Invariant: a long attempt is shortened in its middle, and the step at which it broke is kept.

use super::page::{Page, Tone};
use super::{Detail, toned};
use crate::report::ladder::{Ladder, Rung, due};
use crate::report::model::{ReportInput, bracket, places, several};
use crate::signin::SignInAttempt;

/// Columns before the words of a step.
const INDENT: usize = 25;
/// Columns before the words of what had to follow.
const DUE: usize = 14;
/// Steps shown at the beginning and at the end of a long attempt.
const SHOWN: usize = 20;
/// Places named behind one step.
const PLACES: usize = 4;

/// Writes the ladder of one attempt.
pub(super) fn write(
    page: &mut Page,
    report: &ReportInput<'_>,
    attempt: &SignInAttempt,
    detail: Detail,
) {
    let Some(ladder) = Ladder::of(report, attempt, detail == Detail::Full) else { return };
    page.heading("The sign-in, step by step");
    page.text(2, &ladder.note, Tone::Faint);
    if ladder.begins_here {
        page.row(&[("", Tone::Plain)], INDENT, "-- the capture begins here --", Tone::Faint);
    }
    let left_out = match detail {
        Detail::Full => 0,
        Detail::Brief | Detail::Normal => ladder.rungs.len().saturating_sub(2 * SHOWN),
    };
    for (index, rung) in ladder.rungs.iter().enumerate() {
        if left_out > 0 && index == SHOWN {
            let text = format!("... {left_out} steps are left out here (--verbose shows them) ...");
            page.row(&[("", Tone::Plain)], INDENT, &text, Tone::Faint);
        }
        let inside = index >= SHOWN && index < SHOWN.saturating_add(left_out);
        if !inside || rung.marked {
            one(page, report, rung);
        }
    }
    if let Some(rung) = &ladder.undone {
        one(page, report, rung);
    }
    if ladder.ends_here {
        page.row(&[("", Tone::Plain)], INDENT, "-- the capture ends here --", Tone::Faint);
    }
}

fn one(page: &mut Page, report: &ReportInput<'_>, rung: &Rung) {
    let cited = bracket(&places(rung.refs.iter().copied(), several(report), PLACES));
    let cells = [
        (if rung.marked { ">>" } else { "  " }, Tone::Bad),
        (&*format!("{:>10}  ", rung.at), Tone::Faint),
        (rung.result, toned(rung.mood)),
    ];
    let tone = if rung.marked { Tone::Strong } else { Tone::Plain };
    page.row(&cells, INDENT, &format!("{}{cited}", rung.words), tone);
}

/// Writes what had to follow the MFA page, where a challenge was posed on one.
pub(super) fn write_due(page: &mut Page, report: &ReportInput<'_>, attempt: &SignInAttempt) {
    let Some((title, all)) = due(attempt) else { return };
    page.heading(title);
    for one in all {
        let cited = bracket(&places(one.refs.iter().copied(), several(report), PLACES));
        let cells = [("  ", Tone::Plain), (one.result, toned(one.mood))];
        page.row(&cells, DUE, &format!("{}{cited}", one.words), Tone::Plain);
    }
}
