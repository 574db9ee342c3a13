//! The parts of a report in words: the answer, what argues for it, what was found and what to do.
//!
//! Text, Markdown and HTML are set from these, so that they tell one story. It must not know how a part
//! is set, and it adds nothing to the verdict.
//!
//! Invariants: each statement that has a place brings it along; a list that is shortened says by how
//! many, here or in the report that shortens it.

mod closing;

use std::fmt::Write as _;

pub use self::closing::{
    Ids, InputWords, coverage, diagnostics, footer, ids, inputs, without_capture,
};
use super::handover::Handover;
use super::ladder::Mood;
use super::model::{
    ReportInput, answer_words, clock, confidence_sentence, glued, guide_words, headline, mfa_words,
    sentence,
};
use crate::finding::{Family, Finding, Refs, Severity};
use crate::signin::{Side, SignInAttempt};
use crate::verdict::{CaptureKind, GuideAnswer, Statement};

/// Statements and findings of one kind that HTML and Markdown show, which stay short as these say.
pub(super) const STATEMENTS: usize = 40;
/// Places named behind one statement.
pub(super) const PLACES: usize = 6;
/// Attempts shown beside the one that the verdict follows.
pub(super) const OTHERS: usize = 12;
/// Request ids shown.
pub(super) const REQUESTS: usize = 10;
/// Lines shown of what could not be read, inputs, and other lists.
pub(super) const LINES: usize = 60;
/// Hosts named at the head.
const HOSTS: usize = 6;

/// The answer: whose matter it is, and one sentence.
pub fn answer(report: &ReportInput<'_>) -> (&'static str, String) {
    let verdict = report.verdict;
    let summary = sentence(&verdict.summary, report.redaction);
    let summary = if summary.is_empty() { verdict.outcome.sentence().to_owned() } else { summary };
    (headline(verdict.side, verdict.outcome), summary)
}

/// How the answer is meant.
pub const fn mood(side: Side) -> Mood {
    match side {
        Side::NothingWrong => Mood::Good,
        Side::CannotTell => Mood::Doubt,
        _ => Mood::Bad,
    }
}

/// A name with its values.
pub type Fact = (&'static str, Vec<String>);

/// The facts at the head.
pub fn facts(report: &ReportInput<'_>) -> Vec<Fact> {
    let verdict = report.verdict;
    let words = confidence_sentence(verdict.side, verdict.outcome, verdict.confidence);
    let mut facts = vec![
        ("Outcome", vec![verdict.outcome.as_str().to_owned()]),
        ("Confidence", vec![format!("{}. {words}", verdict.confidence.as_str())]),
    ];
    if let Some(cause) = verdict.cause {
        let name = report.findings.iter().find(|one| one.meta.id == cause);
        let name = name.map(|one| format!(" ({})", one.meta.name)).unwrap_or_default();
        facts.push(("Cause", vec![format!("{cause}{name}")]));
    }
    let all = verdict
        .host
        .iter()
        .chain(verdict.hosts.iter().filter(|host| Some(*host) != verdict.host.as_ref()));
    let mut hosts: Vec<String> = all.clone().take(HOSTS).map(ToString::to_string).collect();
    if let Some(more) = all.count().checked_sub(HOSTS).filter(|more| *more > 0) {
        hosts.push(format!("and {more} more (all are in the JSON report)"));
    }
    if !hosts.is_empty() {
        facts.push(("Host", hosts));
    }
    let Some(attempt) = report.attempt() else { return facts };
    facts.push(("MFA", vec![mfa_words(attempt.mfa).to_owned()]));
    let codes = codes(attempt);
    if !codes.is_empty() {
        facts.push(("Codes", vec![codes]));
    }
    let mut words = format!("{} of {}", attempt.id, report.signin.attempts.len());
    if let Some(first) = attempt.first {
        let _ = write!(words, ", began {}", glued(&clock(first)));
    }
    if let Some(user) = &attempt.user {
        let _ = write!(words, ", {}", user.shown(report.redaction));
    }
    if let Some(client) = attempt.client {
        let _ = write!(words, ", computer {client}");
    }
    facts.push(("Attempt", vec![words]));
    facts
}

/// The codes of an attempt in order, each once.
fn codes(attempt: &SignInAttempt) -> String {
    let mut seen: Vec<(u32, bool)> = Vec::new();
    for error in &attempt.errors {
        match seen.iter_mut().find(|(code, _)| *code == error.code) {
            Some((_, equivalent)) => *equivalent &= error.equivalent,
            None => seen.push((error.code, error.equivalent)),
        }
    }
    let shown: Vec<String> = seen
        .iter()
        .map(|(code, equivalent)| match equivalent {
            true => format!("AADSTS{code} (the page says it without the number)"),
            false => format!("AADSTS{code}"),
        })
        .collect();
    shown.join(", ")
}

/// Statements that argue alike.
#[derive(Clone, Copy, Debug)]
pub struct Argument<'a> {
    /// One character that stands for it.
    pub sign: &'static str,
    /// What it does.
    pub words: &'static str,
    /// How it is meant.
    pub mood: Mood,
    /// The statements.
    pub statements: &'a [Statement],
}

/// What argues for the verdict, against it, and what was ruled out; those without a statement left out.
pub fn arguments<'a>(report: &ReportInput<'a>) -> Vec<Argument<'a>> {
    let verdict = report.verdict;
    let all = [
        ("+", "for", Mood::Good, &*verdict.evidence_for),
        ("-", "against", Mood::Bad, &*verdict.evidence_against),
        ("x", "ruled out", Mood::Faint, &*verdict.ruled_out),
    ];
    all.into_iter()
        .filter(|(.., statements)| !statements.is_empty())
        .map(|(sign, words, mood, statements)| Argument { sign, words, mood, statements })
        .collect()
}

/// The attempts that the verdict does not follow.
pub fn others<'a>(report: &ReportInput<'a>) -> Vec<&'a SignInAttempt> {
    let followed = report.verdict.attempt;
    report.signin.attempts.iter().filter(|one| Some(one.id) != followed).collect()
}

/// An attempt in one line, without its number.
pub fn attempt_words(report: &ReportInput<'_>, attempt: &SignInAttempt) -> String {
    let mut words = attempt.outcome.as_str().to_owned();
    if let Some(first) = attempt.first {
        let _ = write!(words, ", {}", glued(&clock(first)));
    }
    if let Some(user) = &attempt.user {
        let _ = write!(words, ", {}", user.shown(report.redaction));
    }
    if let Some(later) = attempt.overridden_by {
        let _ = write!(words, ", replaced by attempt {later}");
    }
    words
}

/// Findings by what they did to the sign-in.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// What decided.
    pub decisive: Vec<&'a Finding>,
    /// What may have hurt and did not decide.
    pub loud: Vec<&'a Finding>,
    /// What is worth knowing.
    pub noted: Vec<&'a Finding>,
}

/// The findings, sorted. Failures that decided nothing stand among what was ruled out, and only a whole
/// report tells them again.
pub fn found<'a>(report: &ReportInput<'a>, is_whole: bool) -> Found<'a> {
    let network = |one: &Finding| {
        (Family::Dns..=Family::Net).contains(&one.meta.family) && one.masked_by.is_none()
    };
    let (decisive, rest): (Vec<&Finding>, Vec<&Finding>) =
        report.findings.iter().partition(|one| one.decisive);
    let (loud, noted) = rest
        .into_iter()
        .filter(|one| is_whole || !network(one) || one.severity != Severity::Info)
        .partition(|one| one.severity != Severity::Info);
    Found { decisive, loud, noted }
}

/// The names of the groups of findings.
pub const FOUND: [&str; 3] = ["Findings that decided", "Also found, not the cause", "Noted"];

/// What a finding is: its name, effect and confidence.
pub fn finding_head(finding: &Finding) -> String {
    format!(
        "{}, {}, confidence {}",
        finding.meta.name,
        finding.severity.as_str(),
        finding.confidence.as_str()
    )
}

/// How the effect of a finding is meant.
pub const fn severity_mood(severity: Severity) -> Mood {
    match severity {
        Severity::Error => Mood::Bad,
        Severity::Info => Mood::Faint,
        Severity::Warning => Mood::Doubt,
    }
}

/// What to do about a finding; empty where there is nothing.
pub fn advice(report: &ReportInput<'_>, finding: &Finding) -> String {
    match &finding.advice {
        Some(advice) => sentence(advice, report.redaction),
        None => finding.meta.advice.to_owned(),
    }
}

/// The name of the part with the five causes.
pub const GUIDE: &str = "The five causes of the AADSTS50074 guide";

/// The answer to one cause of the guide.
#[derive(Clone, Debug)]
pub struct GuideWords<'a> {
    /// The cause.
    pub cause: &'static str,
    /// The answer, in one or two words.
    pub answer: &'static str,
    /// How it is meant.
    pub mood: Mood,
    /// Why.
    pub text: String,
    /// Where that stands.
    pub refs: Option<&'a Refs>,
    /// What to do about it; empty where there is nothing.
    pub next: String,
}

/// The five causes of the guide, answered.
pub fn guide<'a>(report: &ReportInput<'a>) -> Vec<GuideWords<'a>> {
    let one = |one: &'a crate::verdict::CauseAnswer| GuideWords {
        cause: guide_words(one.cause),
        answer: answer_words(one.answer),
        mood: match one.answer {
            GuideAnswer::Contradicted => Mood::Good,
            GuideAnswer::NotVisible => Mood::Faint,
            GuideAnswer::Supported => Mood::Bad,
        },
        text: sentence(&one.text, report.redaction),
        refs: one.refs.as_ref(),
        next: match one.answer {
            GuideAnswer::Contradicted => String::new(),
            _ => sentence(&one.next, report.redaction),
        },
    };
    report.verdict.guide.iter().map(one).collect()
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// What leads to the words; empty where they stand alone.
    pub lead: &'static str,
    /// What to do.
    pub words: String,
}

/// What to do next, the most telling first, each once.
pub fn next_steps(report: &ReportInput<'_>) -> Vec<NextStep> {
    let mut steps: Vec<NextStep> = Vec::new();
    let mut add = |lead: &'static str, words: String| {
        if !words.is_empty() && steps.iter().all(|one| one.words != words) {
            steps.push(NextStep { lead, words });
        }
    };
    for finding in found(report, false).decisive {
        add("", advice(report, finding));
    }
    if let Some(handover) = Handover::of(report) {
        add("", handover.wish());
    }
    if report.attempt().is_some() {
        for one in report.verdict.guide.iter().filter(|one| one.answer == GuideAnswer::Supported) {
            add("", sentence(&one.next, report.redaction));
        }
    }
    if report.verdict.side == Side::CannotTell
        && let Some(next) = &report.verdict.next_capture
    {
        add("What is missing: ", sentence(&next.missing, report.redaction));
        if next.kind != CaptureKind::Password {
            add("Take one more capture, with ", next.tool.to_owned());
        }
    }
    steps
}

/// What the capture cannot show.
pub fn unseen(report: &ReportInput<'_>) -> Vec<String> {
    report.verdict.unseen.iter().map(|text| sentence(text, report.redaction)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn each_finding_is_in_one_group() {
        for case in samples::all() {
            let report = case.report();
            let found = found(&report, true);
            let all = found.decisive.len() + found.loud.len() + found.noted.len();
            assert_eq!(all, case.findings.len());
        }
    }

    #[test]
    fn next_steps_do_not_repeat_and_are_there_where_something_is_wrong() {
        for case in samples::all() {
            let report = case.report();
            let steps = next_steps(&report);
            for (index, step) in steps.iter().enumerate() {
                assert!(!step.words.is_empty() && !steps[..index].contains(step), "{steps:?}");
            }
            if report.attempt().is_some() && case.verdict.side != Side::NothingWrong {
                assert!(!steps.is_empty(), "{:?}", case.verdict.outcome);
            }
        }
    }
}
