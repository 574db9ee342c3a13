//! The report as Markdown for a ticket: 25 lines that say it, and everything else folded below.
//!
//! The words are those of the other reports; the sign-in is drawn as a Mermaid diagram too. It must not
//! rest on how a site renders: where nothing is rendered it still reads as text.
//!
//! Invariants: the part that is not folded has at most [`TOP`] lines; whatever stems from a capture passes
//! through `escape`, so that it is neither Markdown nor HTML nor Mermaid; what is left out is counted.

mod diagram;
pub(super) mod escape;

use std::fmt::Write as _;

use self::diagram::diagram;
use self::escape::{code, fenced, words};
use super::handover::{Handover, Team};
use super::ladder::{Ladder, Rung, due};
use super::model::{ReportInput, cited, places, sentence, several};
use super::sheet::{Line, Sheet};
use super::story::{self, Argument, Ids, LINES, OTHERS, PLACES, REQUESTS, STATEMENTS};
use crate::evidence::EvidenceRef;
use crate::finding::{Finding, Refs};
use crate::signin::{Side, SignInAttempt};
use crate::verdict::Statement;

/// Lines that are not folded.
pub const TOP: usize = 25;
/// Next steps at the top.
const NEXT: usize = 4;
/// Arguments at the top: for, against, ruled out.
const ARGUMENTS: [usize; 3] = [2, 1, 1];
/// Steps that are shown of the attempt that the verdict follows.
const FOLLOWED: usize = 120;
/// Steps that are shown of another one.
const BESIDE: usize = 16;

/// Writes the report.
pub fn write(report: &ReportInput<'_>) -> String {
    if report.is_without_capture() {
        return without_capture(report);
    }
    let mut out = top(report);
    let attempt = report.attempt();
    if arguments_shown(report) < arguments_of(report) {
        fold(&mut out, "Why, in full", &why(report));
    }
    if let Some(attempt) = attempt {
        fold(&mut out, "The sign-in, step by step", &sign_in(report, attempt, FOLLOWED));
        if report.verdict.side != Side::NothingWrong
            && let Some((title, body)) = followed(report, attempt)
        {
            fold(&mut out, title, &body);
        }
    }
    fold(&mut out, "Findings", &findings(report));
    fold(&mut out, "Other attempts in this capture", &others(report));
    let handover = Handover::of(report);
    if let Some(handover) = &handover {
        fold(&mut out, handover.title(), &pasted(&handover.sheet(report)));
    }
    if let Some(next) = &report.verdict.next_capture {
        let mail = pasted(&Sheet::mail(report, next));
        fold(&mut out, "The next capture, to paste into a mail", &mail);
    }
    if attempt.is_some() {
        fold(&mut out, story::GUIDE, &guide(report));
    }
    fold(&mut out, "Ids for the sign-in log", &ids(report, handover.as_ref()));
    fold(&mut out, "What the capture can and cannot show", &coverage(report));
    fold(&mut out, "Inputs", &inputs(report));
    let _ = writeln!(out, "\n{}", words(&story::footer(report)));
    // One empty line parts two blocks.
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out
}

fn without_capture(report: &ReportInput<'_>) -> String {
    let told = story::without_capture(report);
    if told.is_empty() {
        return "### Nothing was given that could be read.\n".to_owned();
    }
    let (told, more) = some(told, LINES);
    let mut out = String::new();
    for (input, text) in told {
        let _ = writeln!(out, "- {}", words(&text));
        if let Some(hash) = &input.sha256 {
            let _ = writeln!(out, "  SHA-256: {}", code(hash));
        }
    }
    push_more(&mut out, more);
    out
}

/// The part that is not folded.
fn top(report: &ReportInput<'_>) -> String {
    let (word, summary) = story::answer(report);
    let mut out = format!("### {}: {}\n\n", words(word), words(&summary));
    for (label, values) in story::facts(report) {
        let values: Vec<String> = values.iter().map(|one| words(one)).collect();
        let _ = writeln!(out, "- **{label}:** {}", values.join(", "));
    }
    let mut head = |title: &str, lines: &[String], number: usize| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n**{title}**");
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
        if let Some(more) = number.checked_sub(lines.len()).filter(|more| *more > 0) {
            let _ = writeln!(out, "- and {more} more, below");
        }
    };
    let steps = story::next_steps(report);
    let next: Vec<String> = (1_usize..)
        .zip(steps.iter().take(NEXT))
        .map(|(number, step)| format!("{number}. {}{}", step.lead, words(&step.words)))
        .collect();
    head("What to do next", &next, steps.len());
    let arguments = story::arguments(report);
    let argued: Vec<String> = arguments
        .iter()
        .flat_map(|argument| {
            let shown = argument.statements.iter().take(most(argument));
            shown.map(|one| (argument.words, one))
        })
        .map(|(how, one)| statement(report, how, one))
        .collect();
    head("Why", &argued, arguments_of(report));
    if let Some(Ids { facts, .. }) = story::ids(report, 2) {
        let shown: Vec<String> = facts
            .iter()
            .filter(|(label, _)| matches!(*label, "Correlation" | "Request" | "Tenant"))
            .filter_map(|(label, values)| Some(format!("{label} {}", code(values.first()?))))
            .collect();
        if !shown.is_empty() {
            let _ = writeln!(out, "\n**Ids:** {}", shown.join(", "));
        }
    }
    out
}

/// How many arguments of one kind the top has.
fn most(argument: &Argument<'_>) -> usize {
    match (argument.words, ARGUMENTS) {
        ("for", [most, ..]) | ("against", [_, most, _]) | (_, [.., most]) => most,
    }
}

fn arguments_shown(report: &ReportInput<'_>) -> usize {
    story::arguments(report).iter().map(|one| one.statements.len().min(most(one))).sum()
}

fn arguments_of(report: &ReportInput<'_>) -> usize {
    story::arguments(report).iter().map(|one| one.statements.len()).sum()
}

/// A part that is folded; nothing where it is empty.
fn fold(out: &mut String, title: &str, body: &str) {
    if !body.trim().is_empty() {
        let _ = write!(
            out,
            "\n<details><summary>{}</summary>\n\n{}\n\n</details>\n",
            words(title),
            body.trim_end()
        );
    }
}

/// Some of a list, and how many more there are.
fn some<T>(mut all: Vec<T>, most: usize) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    (all, more)
}

fn push_more(out: &mut String, more: usize) {
    if more > 0 {
        let _ = writeln!(out, "\nand {more} more; all are in the JSON report");
    }
}

/// Places behind a text, in round brackets.
fn at(report: &ReportInput<'_>, refs: Option<&Refs>) -> String {
    let cited = cited(refs, several(report), PLACES).unwrap_or_default();
    if cited.is_empty() { String::new() } else { format!(" ({cited})") }
}

fn named(report: &ReportInput<'_>, refs: &[EvidenceRef]) -> String {
    places(refs.iter().copied(), several(report), PLACES)
}

fn statement(report: &ReportInput<'_>, how: &str, one: &Statement) -> String {
    format!("- *{how}:* {}", cited_statement(report, one))
}

/// A statement with its places.
pub(super) fn cited_statement(report: &ReportInput<'_>, one: &Statement) -> String {
    let text = sentence(&one.text, report.redaction);
    format!("{}{}", words(&text), at(report, one.refs.as_ref()))
}

fn why(report: &ReportInput<'_>) -> String {
    let mut out = String::new();
    for argument in story::arguments(report) {
        for one in argument.statements.iter().take(STATEMENTS) {
            let _ = writeln!(out, "{}", statement(report, argument.words, one));
        }
        push_more(&mut out, argument.statements.len().saturating_sub(STATEMENTS));
    }
    out
}

/// The steps of an attempt, so many of them; drawn too where the verdict follows it.
fn sign_in(report: &ReportInput<'_>, attempt: &SignInAttempt, most: usize) -> String {
    let Some(ladder) = Ladder::of(report, attempt, false) else { return String::new() };
    let mut out = String::new();
    if report.verdict.attempt == Some(attempt.id) {
        out.push_str(&fenced(&diagram(&ladder), "mermaid"));
    }
    let _ = writeln!(out, "\n{}\n", words(&ladder.note));
    out.push_str("| | Time | Result | Step | Where |\n|---|---|---|---|---|\n");
    let all: Vec<&Rung> = ladder.all().collect();
    let left_out = all.len().saturating_sub(most);
    for (index, rung) in all.iter().enumerate() {
        let inside = index >= most / 2 && index < (most / 2).saturating_add(left_out);
        if inside && !rung.marked {
            continue;
        }
        let mut text = words(&rung.words);
        let mut sign = "";
        if rung.marked {
            (sign, text) = ("**broke here**", format!("**{text}**"));
        }
        let place = named(report, &rung.refs);
        let _ = writeln!(out, "| {sign} | {} | {} | {text} | {place} |", rung.at, rung.result);
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "\n{left_out} steps are left out in the middle; all are in the JSON report"
        );
    }
    for (is_so, edge) in [(ladder.begins_here, "begins"), (ladder.ends_here, "ends")] {
        if is_so {
            let _ = writeln!(out, "\nThe capture {edge} inside of this sign-in.");
        }
    }
    out
}

fn followed(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Option<(&'static str, String)> {
    let (title, all) = due(attempt)?;
    let mut out = "| Is it there? | What | Where |\n|---|---|---|\n".to_owned();
    for one in all {
        let place = named(report, &one.refs);
        let _ = writeln!(out, "| {} | {} | {place} |", one.result, words(&one.words));
    }
    Some((title, out))
}

fn findings(report: &ReportInput<'_>) -> String {
    let found = story::found(report, true);
    let [decided, beside, noted] = story::FOUND;
    let mut out = String::new();
    for (title, group) in [(decided, &found.decisive), (beside, &found.loud)] {
        if group.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n**{title}**\n");
        for finding in group.iter().take(STATEMENTS) {
            let head = words(&story::finding_head(finding));
            let _ = writeln!(out, "- **{}** {head}", finding.meta.id);
            let _ = writeln!(out, "  - {}", told(report, finding));
            let advice = story::advice(report, finding);
            if !advice.is_empty() {
                let _ = writeln!(out, "  - To do: {}", words(&advice));
            }
        }
        push_more(&mut out, group.len().saturating_sub(STATEMENTS));
    }
    if !found.noted.is_empty() {
        let _ = writeln!(out, "\n**{noted}**\n");
        for finding in found.noted.iter().take(STATEMENTS) {
            let _ = write!(out, "- **{}** {}", finding.meta.id, told(report, finding));
            match finding.masked_by {
                Some(rule) => writeln!(out, "; follows from {rule}"),
                None => writeln!(out),
            }
            .unwrap_or_default();
        }
        push_more(&mut out, found.noted.len().saturating_sub(STATEMENTS));
    }
    out
}

fn told(report: &ReportInput<'_>, finding: &Finding) -> String {
    let text = sentence(&finding.summary, report.redaction);
    format!("{}{}", words(&text), at(report, Some(&finding.refs)))
}

fn others(report: &ReportInput<'_>) -> String {
    let (others, more) = some(story::others(report), OTHERS);
    let mut out = String::new();
    for attempt in others {
        let line = words(&story::attempt_words(report, attempt));
        let _ = writeln!(out, "\n**Attempt {}:** {line}", attempt.id);
        out.push_str(&sign_in(report, attempt, BESIDE));
    }
    push_more(&mut out, more);
    out
}

fn guide(report: &ReportInput<'_>) -> String {
    let mut out = "| Cause | Answer | Why | Next |\n|---|---|---|---|\n".to_owned();
    for one in story::guide(report) {
        let text = format!("{}{}", words(&one.text), at(report, one.refs));
        let _ = writeln!(out, "| {} | {} | {text} | {} |", one.cause, one.answer, words(&one.next));
    }
    out
}

/// What is pasted elsewhere; lists, facts and code as Markdown has them.
fn pasted(sheet: &Sheet) -> String {
    let mut out = String::new();
    let mut open: Option<String> = None;
    let mut last = "";
    for line in sheet.lines() {
        if let Line::Code { text, .. } = line {
            let block = open.get_or_insert_default();
            block.push_str(text);
            block.push('\n');
            continue;
        }
        if let Some(block) = open.take() {
            let _ = write!(out, "\n{}", fenced(block.trim_end(), ""));
        }
        match line {
            Line::Blank | Line::Code { .. } => out.push('\n'),
            Line::Fact { label, text } => {
                if !label.is_empty() {
                    last = label.trim_end_matches(':');
                }
                let _ = writeln!(out, "- {last}: {}", words(text));
            }
            Line::Head(text) => {
                let _ = writeln!(out, "\n**{}**\n", words(text));
            }
            Line::Item { mark, text } => {
                let _ = writeln!(out, "{mark} {}", words(text));
            }
            Line::Note(text) | Line::Text { text, .. } => {
                let _ = writeln!(out, "\n{}\n", words(text));
            }
        }
    }
    if let Some(block) = open {
        let _ = write!(out, "\n{}", fenced(block.trim_end(), ""));
    }
    out
}

fn ids(report: &ReportInput<'_>, handover: Option<&Handover>) -> String {
    let Some(Ids { facts, log }) = story::ids(report, REQUESTS) else { return String::new() };
    let mut out = String::new();
    for (label, values) in facts {
        for value in values {
            let _ = writeln!(out, "- {label}: {}", code(&value));
        }
    }
    if handover.is_some_and(|one| one.team == Team::Identity) {
        out.push_str("\nThe queries stand in the block for the identity team.\n");
        return out;
    }
    out.push('\n');
    for (number, step) in (1_usize..).zip(&log.portal) {
        let _ = writeln!(out, "{number}. {}", words(step));
    }
    if let Some(kql) = &log.kql {
        let _ = write!(out, "\nLog Analytics (KQL):\n\n{}", fenced(kql, "kusto"));
    }
    if !log.graph.is_empty() {
        let below = code(&format!("https://{}/v1.0", log.graph_host));
        let _ = write!(
            out,
            "\nMicrosoft Graph, below {below}:\n\n{}",
            fenced(&log.graph.join("\n"), "")
        );
    }
    out
}

fn coverage(report: &ReportInput<'_>) -> String {
    let mut out = String::new();
    for text in story::unseen(report) {
        let _ = writeln!(out, "- It cannot show: {}", words(&text));
    }
    for (number, lines) in story::coverage(report) {
        for line in lines {
            let _ = writeln!(out, "- Input {number}: {}", words(&line));
        }
    }
    out
}

fn inputs(report: &ReportInput<'_>) -> String {
    let (inputs, more) = some(story::inputs(report), LINES);
    let mut out = String::new();
    for input in inputs {
        let _ = writeln!(out, "- Input {}: {}", input.number, words(&input.name));
        for line in &input.lines {
            let _ = writeln!(out, "  - {}", words(line));
        }
        for (label, hash) in &input.hashes {
            let _ = writeln!(out, "  - {label} {}", code(hash));
        }
    }
    push_more(&mut out, more);
    let (told, more) = some(story::diagnostics(report), LINES);
    if !told.is_empty() {
        out.push_str("\n**What could not be read**\n\n");
        for text in told {
            let _ = writeln!(out, "- {}", words(&text));
        }
        push_more(&mut out, more);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_top_is_short_and_the_rest_is_folded() {
        for case in samples::all() {
            let text = write(&case.report());
            let top = text.split("<details>").next().unwrap();
            assert!(top.lines().count() <= TOP, "{top}");
            assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        }
    }

    #[test]
    fn the_report_reads_as_it_was_read() {
        insta::assert_snapshot!("network", write(&samples::network().report()));
        insta::assert_snapshot!("undetermined", write(&samples::undetermined().report()));
    }
}
