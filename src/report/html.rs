//! The report as one HTML file: to look at, to print, to attach to a ticket.
//!
//! The words are those of the other reports; this module adds pictures made of the evidence, and buttons
//! that copy what Fiddler and Wireshark take. It must not load anything: style, script and pictures are in
//! the file, and its policy forbids everything else.
//!
//! Invariants: whatever stems from a capture is escaped by the templates, which escape every value but the
//! style and the script; these two are named in the policy by the hashes of their very bytes; long lists
//! are shortened, and what is left out is counted and said.

mod blocks;
mod lanes;
mod places;
mod waterfall;

use askama::Template;

use self::blocks::{Block, blocks, plain};
use self::lanes::{BESIDE, FOLLOWED, Head, LadderView};
use self::places::Places;
use self::waterfall::Waterfall;
use super::handover::{Handover, Team};
use super::inline;
use super::ladder::{Ladder, due};
use super::model::{ReportInput, acts, sentence};
use super::sheet::Sheet;
use super::story::{self, Ids, LINES, OTHERS, PLACES, REQUESTS, STATEMENTS};
use crate::finding::{Finding, Refs};
use crate::signin::{Side, SignInAttempt};

const STYLE: &str = include_str!("templates/report.css");
const SCRIPT: &str = include_str!("templates/report.js");

/// Writes the report.
pub fn write(report: &ReportInput<'_>) -> String {
    let (style, script) = (inline::text(STYLE), inline::text(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        inline::source(&style),
        inline::source(&script)
    );
    let (word, summary) = answer(report);
    let document = Document {
        policy,
        title: format!("{word}: {summary}"),
        mood: story::mood(report.verdict.side).as_str(),
        word,
        summary,
        body: Body::of(report),
        footer: story::footer(report),
        style,
        script,
    };
    // A template of ours that writes to memory cannot fail.
    let text = document.render().unwrap_or_default();
    text.chars().map(|c| if c != '\n' && acts(c) { '?' } else { c }).collect()
}

/// The word and the sentence at the top.
fn answer(report: &ReportInput<'_>) -> (&'static str, String) {
    if !report.is_without_capture() {
        return story::answer(report);
    }
    let mut told = story::without_capture(report).into_iter().map(|(_, words)| words);
    let first = told.next().unwrap_or_else(|| "Nothing was given that could be read.".to_owned());
    ("No capture", first)
}

#[derive(Template)]
#[template(path = "report.html", config = "src/report/templates/askama.toml")]
struct Document {
    policy: String,
    title: String,
    mood: &'static str,
    word: &'static str,
    summary: String,
    body: Body,
    footer: String,
    style: String,
    script: String,
}

/// What stands below the answer.
struct Body {
    facts: Vec<story::Fact>,
    arguments: Vec<Argument>,
    next: Vec<story::NextStep>,
    ladder: Option<LadderView>,
    due: Option<(&'static str, Vec<Told>)>,
    waterfall: Option<Waterfall>,
    others: Vec<Other>,
    others_more: usize,
    groups: Vec<Group>,
    noted: Vec<Noted>,
    noted_more: usize,
    handover: Option<Pasted>,
    mail: Option<Pasted>,
    guide: Vec<Told>,
    ids: Option<IdsView>,
    unseen: Vec<String>,
    coverage: Vec<(u32, Vec<String>)>,
    inputs: Vec<story::InputWords>,
    inputs_more: usize,
    diagnostics: Vec<String>,
    diagnostics_more: usize,
    not_captures: Vec<String>,
}

/// Statements that argue alike.
struct Argument {
    words: &'static str,
    mood: &'static str,
    told: Vec<(String, Places)>,
    more: usize,
}

/// A result with words, places and what to do.
struct Told {
    result: &'static str,
    mood: &'static str,
    head: &'static str,
    words: String,
    places: Places,
    next: String,
}

/// Another attempt.
struct Other {
    number: u32,
    words: String,
    ladder: Option<LadderView>,
}

/// Findings of one kind.
struct Group {
    title: &'static str,
    cards: Vec<Card>,
    more: usize,
}

/// A finding.
struct Card {
    id: &'static str,
    head: String,
    mood: &'static str,
    words: String,
    places: Places,
    advice: String,
}

/// A finding in one line.
struct Noted {
    id: &'static str,
    words: String,
    places: Places,
}

/// What is pasted elsewhere.
struct Pasted {
    title: &'static str,
    blocks: Vec<Block>,
    text: String,
}

/// Ids and queries.
struct IdsView {
    facts: Vec<story::Fact>,
    portal: Vec<String>,
    queries: Vec<(String, String)>,
}

impl Body {
    fn of(report: &ReportInput<'_>) -> Self {
        let attempt = report.attempt();
        let healthy = report.verdict.side == Side::NothingWrong;
        let found = story::found(report, true);
        let handover = Handover::of(report);
        let others = story::others(report);
        let [decided, beside, _] = story::FOUND;
        let groups = [(decided, &found.decisive), (beside, &found.loud)];
        let without = report.is_without_capture();
        let facts = if without { Vec::new() } else { story::facts(report) };
        let told = if without { story::without_capture(report) } else { Vec::new() };
        let (inputs, inputs_more) = some(story::inputs(report), LINES);
        let (diagnostics, diagnostics_more) = some(story::diagnostics(report), LINES);
        let (noted, noted_more) = some(found.noted, STATEMENTS);
        Self {
            facts,
            arguments: arguments(report),
            next: story::next_steps(report),
            ladder: attempt.and_then(|one| ladder(report, one, FOLLOWED)),
            due: attempt.filter(|_| !healthy).and_then(due).map(|(title, all)| {
                let told = |one: super::ladder::Due| Told {
                    result: one.result,
                    mood: one.mood.as_str(),
                    head: "",
                    words: one.words,
                    places: Places::of(report, one.refs, PLACES),
                    next: String::new(),
                };
                (title, all.into_iter().map(told).collect())
            }),
            waterfall: Waterfall::of(report, attempt),
            others: others
                .iter()
                .take(OTHERS)
                .map(|one| Other {
                    number: one.id.0,
                    words: story::attempt_words(report, one),
                    ladder: ladder(report, one, BESIDE),
                })
                .collect(),
            others_more: others.len().saturating_sub(OTHERS),
            groups: groups
                .into_iter()
                .filter(|(_, all)| !all.is_empty())
                .map(|(title, all)| Group {
                    title,
                    cards: all.iter().take(STATEMENTS).map(|one| card(report, one)).collect(),
                    more: all.len().saturating_sub(STATEMENTS),
                })
                .collect(),
            noted: noted.into_iter().map(|one| noted_line(report, one)).collect(),
            noted_more,
            ids: ids(report, handover.as_ref()),
            handover: handover.map(|one| Pasted::of(one.title(), &one.sheet(report))),
            mail: report.verdict.next_capture.as_ref().map(|next| {
                Pasted::of("The next capture, to paste into a mail", &Sheet::mail(report, next))
            }),
            guide: if attempt.is_some() { guide(report) } else { Vec::new() },
            unseen: story::unseen(report),
            coverage: story::coverage(report),
            inputs,
            inputs_more,
            diagnostics,
            diagnostics_more,
            not_captures: told.into_iter().skip(1).map(|(_, words)| words).collect(),
        }
    }
}

impl Pasted {
    fn of(title: &'static str, sheet: &Sheet) -> Self {
        Self { title, blocks: blocks(sheet), text: plain(sheet) }
    }
}

/// Some of a list, and how many more there are.
fn some<T>(mut all: Vec<T>, most: usize) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    (all, more)
}

fn ladder(report: &ReportInput<'_>, attempt: &SignInAttempt, most: usize) -> Option<LadderView> {
    Ladder::of(report, attempt, false).map(|one| LadderView::of(report, &one, most))
}

fn cited(report: &ReportInput<'_>, refs: Option<&Refs>) -> Places {
    Places::of(report, refs.into_iter().flat_map(Refs::iter), PLACES)
}

fn arguments(report: &ReportInput<'_>) -> Vec<Argument> {
    story::arguments(report)
        .into_iter()
        .map(|one| Argument {
            words: one.words,
            mood: one.mood.as_str(),
            told: one
                .statements
                .iter()
                .take(STATEMENTS)
                .map(|statement| {
                    let words = sentence(&statement.text, report.redaction);
                    (words, cited(report, statement.refs.as_ref()))
                })
                .collect(),
            more: one.statements.len().saturating_sub(STATEMENTS),
        })
        .collect()
}

fn card(report: &ReportInput<'_>, finding: &Finding) -> Card {
    Card {
        id: finding.meta.id.0,
        head: story::finding_head(finding),
        mood: story::severity_mood(finding.severity).as_str(),
        words: sentence(&finding.summary, report.redaction),
        places: cited(report, Some(&finding.refs)),
        advice: story::advice(report, finding),
    }
}

fn noted_line(report: &ReportInput<'_>, finding: &Finding) -> Noted {
    let mut words = sentence(&finding.summary, report.redaction);
    if let Some(rule) = finding.masked_by {
        words.push_str("; follows from ");
        words.push_str(rule.0);
    }
    Noted { id: finding.meta.id.0, words, places: cited(report, Some(&finding.refs)) }
}

fn guide(report: &ReportInput<'_>) -> Vec<Told> {
    story::guide(report)
        .into_iter()
        .map(|one| Told {
            result: one.answer,
            mood: one.mood.as_str(),
            head: one.cause,
            words: one.text,
            places: cited(report, one.refs),
            next: one.next,
        })
        .collect()
}

/// The ids and queries; those that the block for the identity team holds already are not repeated.
fn ids(report: &ReportInput<'_>, handover: Option<&Handover>) -> Option<IdsView> {
    let Ids { facts, log } = story::ids(report, REQUESTS)?;
    if handover.is_some_and(|one| one.team == Team::Identity) {
        return Some(IdsView { facts, portal: Vec::new(), queries: Vec::new() });
    }
    let mut queries = Vec::new();
    if let Some(kql) = log.kql {
        queries.push(("Log Analytics (KQL):".to_owned(), kql));
    }
    if !log.graph.is_empty() {
        let below = format!("Microsoft Graph, below https://{}/v1.0:", log.graph_host);
        queries.push((below, log.graph.join("\n")));
    }
    Some(IdsView { facts, portal: log.portal, queries })
}
