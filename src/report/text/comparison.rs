//! A comparison for people: the sentence for the ticket, both sides, the steps side by side, what else
//! differs.
//!
//! It lays out what the comparison says and adds no statement of its own. It must not decide what
//! differs.
//!
//! Invariants: the first line answers; every value that has a place shows it, under the name of its
//! side; a line is never wider than the page.

use std::fmt::Write as _;

use super::page::{Page, Tone};
use super::{Detail, fact};
use crate::evidence::{EvidenceRef, HostName};
use crate::finding::Text;
use crate::report::comparison::{
    Comparison, Difference, Level, Mark, Relation, Row, Side, StepView, Value,
};
use crate::report::model::{
    bracket, clock, format_words, glued, headline, is_unread, mfa_words, places, result_words,
    sentence, titled,
};
use crate::signin::StepResult;

/// Columns before the words of a row: sign, result on each side.
const INDENT: usize = 28;
/// Columns of one result.
const CELL: usize = 12;
/// Columns before a value of a difference.
const VALUE: usize = 14;
/// Places named behind one value.
const PLACES: usize = 3;
/// Rows shown at the beginning and at the end of a long comparison.
const SHOWN: usize = 20;

/// Writes the comparison.
pub fn write(comparison: &Comparison<'_>, colour: bool, detail: Detail) -> String {
    let mut page = Page::new(colour);
    let tone = match comparison.relation {
        Relation::Alike => Tone::Good,
        Relation::NotComparable | Relation::OtherWay => Tone::Doubt,
        Relation::Parted => Tone::Bad,
    };
    let say = |text: &Text| sentence(text, comparison.working.report.redaction);
    page.text(0, &say(&comparison.headline), tone);
    for note in &comparison.notes {
        page.blank();
        page.row(&[("! ", Tone::Doubt)], 2, &say(note), Tone::Plain);
    }
    if detail == Detail::Brief {
        return page.finish();
    }
    let [first, second] = comparison.labels.map(capital);
    page.blank();
    side(&mut page, &first, &comparison.working);
    side(&mut page, &second, &comparison.failing);
    parting(&mut page, comparison);
    steps(&mut page, comparison, detail);
    differences(&mut page, comparison);
    closing(&mut page, comparison);
    page.finish()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn side(page: &mut Page, label: &str, side: &Side<'_>) {
    let report = side.report;
    let mut label = label;
    let bare = report.is_without_capture();
    let inputs = report.evidence.inputs.iter();
    for input in inputs.filter(|input| bare || input.format.is_capture()) {
        let unread =
            report.evidence.diagnostics.iter().any(|one| {
                one.input == Some(input.id) && is_unread(one.code) && input.records == 0
            });
        let what = if unread { "could not be read" } else { format_words(input.format) };
        let name = crate::evidence::named(&input.name, report.redaction);
        fact(page, label, &format!("{name}, {what}"));
        label = "";
    }
    if bare {
        return;
    }
    let verdict = report.verdict;
    let mut words = format!("{}: {}", headline(verdict.side, verdict.outcome), verdict.outcome);
    if let Some(cause) = verdict.cause {
        let _ = write!(words, ", {cause}");
    }
    if verdict.outcome != crate::signin::Outcome::NoSignIn {
        let _ = write!(words, ", confidence {}", verdict.confidence.as_str());
    }
    fact(page, label, &words);
    let Some(attempt) = report.attempt() else { return };
    fact(page, "", &format!("MFA {}", mfa_words(attempt.mfa)));
    let mut words = format!("attempt {} of {}", attempt.id, report.signin.attempts.len());
    if let Some(first) = attempt.first {
        let _ = write!(words, ", began {}", glued(&clock(first)));
    }
    if let Some(user) = &side.user {
        let _ = write!(words, ", {}", user.shown(report.redaction));
    }
    fact(page, "", &words);
    if side.level == Level::Connections {
        fact(page, "", "what was said is not readable: connections only");
    }
}

/// Places of one side, in words.
fn cited(side: &Side<'_>, refs: &[EvidenceRef]) -> String {
    places(refs.iter().copied(), super::several(&side.report), PLACES)
}

fn value(side: &Side<'_>, value: &Value) -> String {
    let words = sentence(&value.text, side.report.redaction);
    format!("{words}{}", bracket(&cited(side, &value.refs)))
}

fn parting(page: &mut Page, comparison: &Comparison<'_>) {
    let Some(parting) = &comparison.parting else { return };
    page.heading("Where they part");
    let [first, second] = comparison.labels;
    for (label, side, what) in [
        (first, &comparison.working, &parting.working),
        (second, &comparison.failing, &parting.failing),
    ] {
        let label = format!("  {label}");
        page.row(&[(&label, Tone::Faint)], VALUE, &value(side, what), Tone::Plain);
    }
    let words = sentence(&parting.connection, comparison.failing.report.redaction);
    page.row(&[], VALUE, &words, Tone::Plain);
}

const fn sign(mark: Mark) -> (&'static str, Tone) {
    match mark {
        Mark::Alike => ("  = ", Tone::Faint),
        Mark::Follows => ("  : ", Tone::Faint),
        Mark::Minor => ("  . ", Tone::Faint),
        Mark::OtherWay => ("  ~ ", Tone::Doubt),
        Mark::Parts => ("  ! ", Tone::Bad),
        Mark::Unknown => ("  ? ", Tone::Doubt),
    }
}

fn steps(page: &mut Page, comparison: &Comparison<'_>, detail: Detail) {
    if comparison.rows.is_empty() {
        return;
    }
    page.heading("Step by step");
    let used: Vec<&str> = [
        (Mark::Alike, "= alike"),
        (Mark::Minor, ". of no weight"),
        (Mark::OtherWay, "~ another way"),
        (Mark::Parts, "! parts"),
        (Mark::Unknown, "? not shown"),
        (Mark::Follows, ": follows from it"),
    ]
    .into_iter()
    .filter(|(mark, _)| comparison.rows.iter().any(|row| row.mark == *mark))
    .map(|(_, words)| words)
    .collect();
    page.text(2, &format!("{}; places: {}.", used.join(", "), order(comparison)), Tone::Faint);
    let [first, second] = comparison.labels;
    let head = format!("    {first:<CELL$}{second:<CELL$}");
    page.row(&[(&head, Tone::Faint)], INDENT, "", Tone::Plain);
    let parted = comparison.parting.as_ref().and_then(|one| one.row);
    let most = match detail {
        Detail::Full => usize::MAX,
        Detail::Brief | Detail::Normal => SHOWN,
    };
    let number = comparison.rows.len();
    let left_out = number.saturating_sub(most.saturating_mul(2));
    let mut told = None;
    for (index, row) in comparison.rows.iter().enumerate() {
        if left_out > 0 && index == most {
            let text = format!("... {left_out} steps are left out here (--verbose shows them) ...");
            page.row(&[("", Tone::Plain)], INDENT, &text, Tone::Faint);
        }
        let inside = index >= most && index < most.saturating_add(left_out);
        if !inside || parted == Some(index) {
            // A reason that holds of the rows behind it as well is told once.
            let note = row.note.as_ref().filter(|note| told != Some(*note));
            told = row.note.as_ref().or(told);
            one_row(page, comparison, row, note, parted == Some(index));
        }
    }
}

fn order(comparison: &Comparison<'_>) -> String {
    let [first, second] = comparison.labels;
    format!("{first} | {second}")
}

fn cell(view: Option<&StepView>) -> (String, Tone) {
    let (word, tone) = match view.map(|view| view.result) {
        None => ("-", Tone::Faint),
        Some(result) => {
            let tone = match result {
                StepResult::Failed | StepResult::NoResponse => Tone::Bad,
                StepResult::Interrupt | StepResult::Pending => Tone::Doubt,
                StepResult::Ok => Tone::Good,
                StepResult::Unknown => Tone::Faint,
            };
            (result_words(result), tone)
        }
    };
    (format!("{word:<CELL$}"), tone)
}

fn one_row(
    page: &mut Page,
    comparison: &Comparison<'_>,
    row: &Row,
    note: Option<&Text>,
    parted: bool,
) {
    let Some(view) = row.working.as_ref().or(row.failing.as_ref()) else { return };
    let (title, detail) = titled(view.kind, &view.detail);
    let mut words = title.to_owned();
    match (&row.working, &row.failing) {
        (Some(one), Some(other)) if one.detail != other.detail && row.mark != Mark::Alike => {
            let _ = write!(words, ": {} | {}", or_dash(&one.detail), or_dash(&other.detail));
        }
        _ if !detail.is_empty() => {
            let _ = write!(words, ": {detail}");
        }
        _ => {}
    }
    let at = |side: &Side<'_>, view: Option<&StepView>| {
        view.map_or_else(
            || "-".to_owned(),
            |view| {
                let all = match view.refs.as_slice() {
                    // Of many requests the first and the last show where to look.
                    [first, .., last] if view.refs.len() > 2 => vec![*first, *last],
                    refs => refs.to_vec(),
                };
                cited(side, &all)
            },
        )
    };
    let both = format!(
        "{} | {}",
        at(&comparison.working, row.working.as_ref()),
        at(&comparison.failing, row.failing.as_ref())
    );
    words.push_str(&bracket(&both));
    if let Some(note) = note {
        let _ = write!(words, "; {}", sentence(note, comparison.working.report.redaction));
    }
    let (mark, tone) = sign(row.mark);
    let (one, one_tone) = cell(row.working.as_ref());
    let (other, other_tone) = cell(row.failing.as_ref());
    let mark = if parted { ">>! " } else { mark };
    page.row(
        &[(mark, tone), (&one, one_tone), (&other, other_tone)],
        INDENT,
        &words,
        if parted { Tone::Strong } else { Tone::Plain },
    );
}

const fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn differences(page: &mut Page, comparison: &Comparison<'_>) {
    if comparison.differences.is_empty() {
        return;
    }
    page.heading("What else differs");
    let mut area = None;
    for one in &comparison.differences {
        if area != Some(one.area) {
            page.text(2, one.area.words(), Tone::Strong);
            area = Some(one.area);
        }
        difference(page, comparison, one);
    }
}

fn difference(page: &mut Page, comparison: &Comparison<'_>, one: &Difference) {
    const HOSTS: usize = 4;
    let mut name = one.name.to_owned();
    let hosts: Vec<&str> = one.hosts.iter().take(HOSTS).map(HostName::as_str).collect();
    if !hosts.is_empty() {
        let _ = write!(name, ": {}", hosts.join(", "));
    }
    if let Some(more) = one.hosts.len().checked_sub(HOSTS).filter(|more| *more > 0) {
        let _ = write!(name, " and {more} more");
    }
    page.text(4, &name, Tone::Plain);
    let [first, second] = comparison.labels;
    for (label, side, what) in
        [(first, &comparison.working, &one.working), (second, &comparison.failing, &one.failing)]
    {
        let label = format!("      {label}");
        page.row(&[(&label, Tone::Faint)], VALUE + 2, &value(side, what), Tone::Plain);
    }
}

fn closing(page: &mut Page, comparison: &Comparison<'_>) {
    if !comparison.not_compared.is_empty() {
        page.heading("Not compared");
        for text in &comparison.not_compared {
            let words = sentence(text, comparison.working.report.redaction);
            page.row(&[("  - ", Tone::Faint)], 4, &words, Tone::Plain);
        }
    }
    page.blank();
    let words = format!(
        "mfatrace {}. Times, ids, tokens, users, data centres and numbers of polls differ by nature \
         and are not listed. Each capture alone: mfatrace CAPTURE.",
        comparison.working.report.tool_version
    );
    page.text(0, &words, Tone::Faint);
}
