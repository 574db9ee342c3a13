//! The end of the report: what is missing, the ids, the inputs, and what could not be read.
//!
//! It holds what is copied elsewhere: the mail that asks for the next capture, the queries for the
//! sign-in log, the hashes. It must not repeat the verdict.
//!
//! Invariant: what is to be copied stands on whole lines without marks around it.

use super::page::{Page, Tone};
use super::{Detail, values};
use crate::report::model::{ReportInput, size};
use crate::report::sheet::{Line, Sheet};
use crate::report::story;

/// The line around what is to be pasted.
pub(super) const RULE: &str =
    "------------------------------------------------------------------------";

/// How what is to be pasted is set.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// Columns before a label.
    before: &'static str,
    /// Columns before a value.
    value: usize,
    /// Columns of a mark.
    mark: usize,
}

/// How the block for another team is set.
pub(super) const HANDOVER: Setting = Setting { before: "  ", value: 14, mark: 1 };
/// How a mail is set.
const MAIL: Setting = Setting { before: "", value: 10, mark: 3 };

/// Writes what is pasted elsewhere, between two lines.
pub(super) fn pasted(page: &mut Page, sheet: &Sheet, setting: Setting) {
    page.whole(0, RULE);
    for line in sheet.lines() {
        match line {
            Line::Blank => page.blank(),
            Line::Code { depth, text } => page.whole(*depth, text),
            Line::Fact { label, text } => {
                let label = format!("{}{label}", setting.before);
                page.row(&[(&label, Tone::Plain)], setting.value, text, Tone::Plain);
            }
            Line::Head(text) => page.text(0, text, Tone::Strong),
            Line::Item { mark, text } => {
                let mark = format!("{}{mark:>width$}", setting.before, width = setting.mark);
                let indent = mark.len().saturating_add(1);
                page.row(&[(&mark, Tone::Plain)], indent, text, Tone::Plain);
            }
            Line::Note(text) => page.text(6, text, Tone::Faint),
            Line::Text { depth, text } => page.text(*depth, text, Tone::Plain),
        }
    }
    page.whole(0, RULE);
}

/// Writes what the capture cannot show, and the mail that asks for the next one.
pub(super) fn missing(page: &mut Page, report: &ReportInput<'_>) {
    let unseen = story::unseen(report);
    if !unseen.is_empty() {
        page.heading("What this capture cannot show");
        for text in &unseen {
            page.row(&[("  o", Tone::Faint)], 4, text, Tone::Plain);
        }
    }
    if let Some(next) = &report.verdict.next_capture {
        page.heading("The next capture, to paste into a mail");
        pasted(page, &Sheet::mail(report, next), MAIL);
    }
}

/// How much of the ids is still to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// All of them, with the queries.
    All,
    /// A few, as a healthy sign-in needs.
    Few,
    /// They stand further up.
    Told,
}

/// Writes the closing sections.
pub(super) fn write(page: &mut Page, report: &ReportInput<'_>, told: Ids) {
    if told != Ids::Told {
        ids(page, report, told == Ids::Few);
    }
    inputs(page, report);
    diagnostics(page, report);
    page.blank();
    page.text(0, &story::footer(report), Tone::Faint);
}

/// The whole report when no input is a capture: a line for each.
pub(super) fn without_capture(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let told = story::without_capture(report);
    if told.is_empty() {
        page.text(0, "Nothing was given that could be read.", Tone::Doubt);
    }
    for (input, words) in told {
        page.text(0, &words, Tone::Doubt);
        if detail != Detail::Brief
            && let Some(hash) = &input.sha256
        {
            page.text(2, &format!("SHA-256, {}:", size(input.bytes)), Tone::Faint);
            page.whole(2, hash);
        }
    }
}

fn ids(page: &mut Page, report: &ReportInput<'_>, brief: bool) {
    let Some(ids) = story::ids(report, if brief { 3 } else { 10 }) else { return };
    page.heading("Ids for the sign-in log");
    for (label, all) in &ids.facts {
        values(page, &format!("  {label}"), all);
    }
    if brief {
        return;
    }
    let log = ids.log;
    page.blank();
    for (number, step) in (1_usize..).zip(&log.portal) {
        page.row(&[(&format!("  {number}."), Tone::Faint)], 5, step, Tone::Plain);
    }
    if let Some(kql) = &log.kql {
        page.blank();
        page.text(2, "Log Analytics (KQL):", Tone::Faint);
        for line in kql.lines() {
            page.whole(4, line);
        }
    }
    if !log.graph.is_empty() {
        page.blank();
        let below = format!("Microsoft Graph, below https://{}/v1.0/auditLogs/:", log.graph_host);
        page.text(2, &below, Tone::Faint);
        for request in &log.graph {
            page.whole(4, request.strip_prefix("/auditLogs/").unwrap_or(request));
        }
    }
}

fn inputs(page: &mut Page, report: &ReportInput<'_>) {
    page.heading("Inputs");
    for input in story::inputs(report) {
        page.name(&[(&format!("  {}", input.number), Tone::Faint)], 5, &input.name);
        for line in &input.lines {
            page.text(5, line, Tone::Plain);
        }
        for (label, hash) in &input.hashes {
            page.text(5, label, Tone::Faint);
            page.whole(5, hash);
        }
    }
}

fn diagnostics(page: &mut Page, report: &ReportInput<'_>) {
    let told = story::diagnostics(report);
    if told.is_empty() {
        return;
    }
    page.heading("What could not be read");
    for words in &told {
        page.row(&[("  o", Tone::Faint)], 4, words, Tone::Plain);
    }
}
