//! The end of the report: what is missing, the ids, the inputs, and what could not be read.
//!
//! It holds what is copied elsewhere: the mail that asks for the next capture, the queries for the
//! sign-in log, the hashes. It must not repeat the verdict.
//!
//! Invariant: what is to be copied stands on whole lines without marks around it.

use std::fmt::Write as _;

use super::page::{Page, Tone};
use super::{Detail, fact, says_no_capture};
use crate::evidence::{Diagnostic, Format, Input, KeyCoverage, named};
use crate::report::model::{
    ReportInput, clock, counted, format_words, is_unread, record_words, sentence, size,
};
use crate::report::sign_in_log::SignInLog;
use crate::signin::{Guid, Joined, Side};
use crate::verdict::{CaptureKind, NextCapture};

/// The line around what is to be pasted.
pub(super) const RULE: &str =
    "------------------------------------------------------------------------";

/// Writes what the capture cannot show, and the mail that asks for the next one.
pub(super) fn missing(page: &mut Page, report: &ReportInput<'_>) {
    unseen(page, report);
    if let Some(next) = &report.verdict.next_capture {
        mail(page, report, next);
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
    page.text(0, &format!("mfatrace {}. {}", report.tool_version, footer(report)), Tone::Faint);
}

const fn footer(report: &ReportInput<'_>) -> &'static str {
    match report.redaction {
        crate::evidence::Redaction::None => {
            "All times are UTC. User names are shown in full; no secret is in this report."
        }
        crate::evidence::Redaction::Secrets => {
            "All times are UTC. User names are masked; no secret is in this report."
        }
        crate::evidence::Redaction::Strict => {
            "All times are UTC. Users have numbers for names; no secret is in this report."
        }
    }
}

/// The whole report when no input is a capture: a line for each.
pub(super) fn without_capture(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    if report.evidence.inputs.is_empty() {
        page.text(0, "Nothing was given that could be read.", Tone::Doubt);
    }
    for input in &report.evidence.inputs {
        let told: Vec<&Diagnostic> = report
            .evidence
            .diagnostics
            .iter()
            .filter(|one| one.input == Some(input.id) && !says_no_capture(one.code))
            .collect();
        let words = match (&input.looks_like, told.first()) {
            _ if input.format == Format::KeyLog => format!(
                "{}: keys, and no capture that they open. Give the packet capture beside them.",
                input.name
            ),
            (Some(like), _) => format!("{}: not a capture. It looks like {like}", input.name),
            (None, Some(one)) => format!("{}: not read. {}", input.name, about(input, one)),
            (None, None) => format!(
                "{}: not a capture that mfatrace reads (HAR, Fiddler archive, pcap, pcapng).",
                input.name
            ),
        };
        let words = named(&words, report.redaction);
        page.text(0, &words, Tone::Doubt);
        if detail != Detail::Brief
            && let Some(hash) = &input.sha256
        {
            page.text(2, &format!("SHA-256, {}:", size(input.bytes)), Tone::Faint);
            page.whole(2, hash);
        }
    }
}

/// The text of a diagnostic without the name that stands before it already.
fn about<'a>(input: &Input, diagnostic: &'a Diagnostic) -> &'a str {
    let text = diagnostic.text.as_str();
    text.strip_prefix(input.name.as_str()).map_or(text, |rest| rest.trim_start_matches([':', ' ']))
}

fn unseen(page: &mut Page, report: &ReportInput<'_>) {
    if report.verdict.unseen.is_empty() {
        return;
    }
    page.heading("What this capture cannot show");
    for text in &report.verdict.unseen {
        page.row(&[("  o", Tone::Faint)], 4, &sentence(text, report.redaction), Tone::Plain);
    }
}

fn mail(page: &mut Page, report: &ReportInput<'_>, next: &NextCapture) {
    page.heading("The next capture, to paste into a mail");
    page.whole(0, RULE);
    page.text(0, "Hello,", Tone::Plain);
    page.blank();
    let intro = match (next.kind, report.verdict.side) {
        (CaptureKind::Password, _) => {
            "the archive we have is protected by a password, and without it nothing can be read."
        }
        (_, Side::CannotTell) => {
            "the recording we have does not show why the sign-in did not get through multifactor \
             authentication. Please take one more."
        }
        _ => {
            "the recording we have does not prove why the sign-in did not get through multifactor \
             authentication. Please take one more."
        }
    };
    page.text(0, intro, Tone::Plain);
    page.blank();
    let missing = sentence(&next.missing, report.redaction);
    let system = match (next.browser, next.is_assumed) {
        (_, true) => "Windows (not named in the recording; please tell us if it is another)".into(),
        (Some(browser), false) => format!("{}, {}", next.system.name(), browser.name()),
        (None, false) => next.system.name().to_owned(),
    };
    let password = next.kind == CaptureKind::Password;
    let rows = [
        ("Missing:", missing.as_str()),
        ("System:", system.as_str()),
        ("Tool:", next.tool),
        ("Start:", next.start),
        ("Stop:", next.stop),
    ];
    for (label, text) in rows.into_iter().filter(|(label, _)| !password || *label == "Missing:") {
        page.row(&[(label, Tone::Plain)], 10, text, Tone::Plain);
    }
    page.blank();
    for (number, step) in (1_usize..).zip(&next.steps) {
        let mut lines = step.lines();
        let words = lines.next().unwrap_or_default();
        page.row(&[(&format!("{number:>2}."), Tone::Plain)], 4, words, Tone::Plain);
        for command in lines {
            page.whole(6, command);
        }
    }
    if !next.reminder.is_empty() {
        page.blank();
        page.text(0, next.reminder, Tone::Plain);
    }
    page.whole(0, RULE);
}

fn ids(page: &mut Page, report: &ReportInput<'_>, brief: bool) {
    let Some(attempt) = report.attempt() else { return };
    let log = SignInLog::of(report);
    page.heading("Ids for the sign-in log");
    guids(page, "Correlation", &log.correlation_ids, usize::MAX);
    guids(page, "Request", &log.request_ids, if brief { 3 } else { 10 });
    if let Some(tenant) = &attempt.tenant {
        fact(page, "  Tenant", tenant);
    }
    if let Some(application) = &attempt.application {
        fact(page, "  Application", application.as_str());
    }
    if let Some(resource) = &attempt.resource {
        fact(page, "  Resource", resource);
    }
    guids(page, "Policy", &attempt.policy_ids, usize::MAX);
    if brief {
        return;
    }
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

fn guids(page: &mut Page, label: &str, ids: &[Guid], most: usize) {
    let mut label = format!("  {label}");
    for id in ids.iter().take(most) {
        fact(page, &label, id.as_str());
        label.clear();
    }
    if let Some(more) = ids.len().checked_sub(most).filter(|more| *more > 0) {
        fact(page, "", &format!("and {more} more (all are in the JSON report)"));
    }
}

fn inputs(page: &mut Page, report: &ReportInput<'_>) {
    page.heading("Inputs");
    for input in &report.evidence.inputs {
        page.name(
            &[(&format!("  {}", input.id.0), Tone::Faint)],
            5,
            &named(&input.name, report.redaction),
        );
        page.text(5, &described(report, input), Tone::Plain);
        if let Some((first, last)) = input.first.zip(input.last) {
            page.text(5, &format!("{} to {}", clock(first), clock(last)), Tone::Plain);
        }
        let keys = report.evidence.coverage.of(input.id).and_then(|one| one.wire.as_ref()?.keys);
        if let Some(keys) = keys {
            page.text(5, &opened_by(keys), Tone::Plain);
        }
        for one in report.signin.joined.iter().filter(|one| one.packets == input.id) {
            page.text(5, &same_traffic(one), Tone::Plain);
        }
        for (label, hash) in [
            ("SHA-256:", &input.sha256),
            ("SHA-256 of the file it came in:", &input.container_sha256),
        ] {
            if let Some(hash) = hash {
                page.text(5, label, Tone::Faint);
                page.whole(5, hash);
            }
        }
    }
}

/// How many connections keys opened, and why others stayed closed.
fn opened_by(keys: KeyCoverage) -> String {
    let all = keys.opened.saturating_add(keys.closed());
    let mut words = format!("keys opened {} of {all} TLS connections", keys.opened);
    for (count, why) in [
        (keys.no_secret, "without a secret"),
        (keys.mid_stream, "without a whole handshake in the capture"),
        (keys.unsupported, "with a cipher that is not supported"),
        (keys.failed, "with a secret that does not fit"),
    ] {
        if count > 0 {
            let _ = write!(words, "; {count} {why}");
        }
    }
    if keys.dark > 0 {
        let _ = write!(words, "; {} of their data stayed closed", size(keys.dark));
    }
    words
}

/// That the requests of another input are in the packets of this one, and how far the clocks differ.
fn same_traffic(one: &Joined) -> String {
    let ahead = one.ahead.unsigned_abs();
    let by = format!("{}.{:03} s", ahead / 1_000, ahead % 1_000);
    let clock = match one.ahead {
        0 => "both clocks agree".to_owned(),
        1.. => format!("its clock is {by} ahead"),
        _ => format!("its clock is {by} behind"),
    };
    format!(
        "shows the traffic of input {} ({} connections found); {clock}",
        one.requests.0, one.pairs
    )
}

fn described(report: &ReportInput<'_>, input: &Input) -> String {
    let why = |one: &Diagnostic| one.input == Some(input.id) && is_unread(one.code);
    if input.records == 0 && report.evidence.diagnostics.iter().any(why) {
        return "not read; see below why".to_owned();
    }
    let mut words = format_words(input.format).to_owned();
    if let Some(like) = &input.looks_like {
        let _ = write!(words, "; it looks like {like}");
    }
    if let Some(producer) = &input.producer {
        let _ = write!(words, " written by {}", named(producer, report.redaction));
    }
    if input.format != Format::Unrecognised {
        let _ = write!(words, ", {}", counted(input.records, record_words(input.format)));
    }
    let _ = write!(words, ", {}", size(input.bytes));
    if !input.container.is_empty() {
        let _ = write!(words, ", packed as {}", input.container.join(" in "));
    }
    words
}

fn diagnostics(page: &mut Page, report: &ReportInput<'_>) {
    let told: Vec<&Diagnostic> =
        report.evidence.diagnostics.iter().filter(|one| !says_no_capture(one.code)).collect();
    if told.is_empty() {
        return;
    }
    page.heading("What could not be read");
    for one in told {
        let mut words = String::new();
        if let Some(input) = one.input {
            let _ = write!(words, "input {}", input.0);
            if let Some(offset) = one.offset {
                let _ = write!(words, ", byte {offset}");
            }
            words.push_str(": ");
        }
        words.push_str(&named(&one.text, report.redaction));
        let _ = write!(words, " ({})", one.code.as_str());
        page.row(&[("  o", Tone::Faint)], 4, &words, Tone::Plain);
    }
}
