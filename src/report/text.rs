//! The report for people: the answer first, then what proves it, then what to do.
//!
//! Plain text of 80 columns that reads well in a terminal, a mail and a ticket; colours only when
//! asked for. It must not decide what is shown as the cause: it follows the verdict.
//!
//! Invariants: the first line answers the question; every statement about a capture that has a
//! citation shows it; ids, URLs and queries stand on lines of their own and are never broken.

mod closing;
pub mod comparison;
pub mod explain;
mod handover;
mod ladder;
mod page;
pub mod rules;
mod traffic;

use std::fmt::Write as _;

use self::closing::Ids;
use self::page::{GLUE, Page, Tone};
use super::handover::{Handover, Team};
use super::model::{
    ReportInput, answer_words, cited, clock, confidence_sentence, guide_words, mfa_words, sentence,
};
use crate::evidence::DiagnosticCode;
use crate::finding::{Family, Finding, Severity};
use crate::signin::{Side, SignInAttempt};
use crate::verdict::{GuideAnswer, Statement};

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The answer alone.
    Brief,
    /// Everything, with long lists shortened.
    #[default]
    Normal,
    /// Everything in full.
    Full,
}

/// Columns of the labels of facts.
const LABEL: usize = 14;
/// Statements and findings of one kind that are shown.
const STATEMENTS: usize = 12;
/// Hosts named at the head.
const HOSTS: usize = 6;
/// Places named behind one statement.
const PLACES: usize = 6;
/// Attempts listed beside the one that the verdict follows.
const OTHERS: usize = 10;

/// Writes the report.
pub fn write(report: &ReportInput<'_>, colour: bool, detail: Detail) -> String {
    let mut page = Page::new(colour);
    if report.is_without_capture() {
        closing::without_capture(&mut page, report, detail);
        return page.finish();
    }
    headline(&mut page, report);
    if detail == Detail::Brief {
        return page.finish();
    }
    facts(&mut page, report);
    why(&mut page, report, detail);
    if let Some(attempt) = report.attempt() {
        ladder::write(&mut page, report, attempt, detail);
        if report.verdict.side != Side::NothingWrong || detail == Detail::Full {
            traffic::write(&mut page, report, attempt);
        }
    }
    let healthy = report.verdict.side == Side::NothingWrong;
    let brief = healthy && detail != Detail::Full;
    let cannot_tell = report.verdict.side == Side::CannotTell;
    if cannot_tell {
        closing::missing(&mut page, report);
    }
    others(&mut page, report, detail);
    findings(&mut page, report, detail);
    if report.attempt().is_some() && !brief {
        guide(&mut page, report);
    }
    let handover = Handover::of(report).filter(|_| !brief);
    if let Some(handover) = &handover {
        handover::write(&mut page, report, handover);
    }
    if !cannot_tell && !brief {
        closing::missing(&mut page, report);
    }
    // The block for the identity team holds the ids and the queries already.
    let told = handover.is_some_and(|one| one.team == Team::Identity);
    closing::write(
        &mut page,
        report,
        if told {
            Ids::Told
        } else if brief {
            Ids::Few
        } else {
            Ids::All
        },
    );
    page.finish()
}

/// Whether a place needs the number of its input.
fn several(report: &ReportInput<'_>) -> bool {
    report.evidence.inputs.iter().filter(|input| input.format.is_capture()).count() > 1
}

/// Places behind a text, in square brackets that are not torn from their first number.
fn bracket(places: &str) -> String {
    if places.is_empty() {
        return String::new();
    }
    let glued = if places.len() <= 30 {
        places.replace(' ', &GLUE.to_string())
    } else {
        places.replacen(' ', &GLUE.to_string(), 1)
    };
    format!(" [{glued}]")
}

fn headline(page: &mut Page, report: &ReportInput<'_>) {
    let verdict = report.verdict;
    let summary = sentence(&verdict.summary, report.redaction);
    let summary = if summary.is_empty() { verdict.outcome.sentence() } else { summary.as_str() };
    let tone = match verdict.side {
        Side::NothingWrong => Tone::Good,
        Side::CannotTell => Tone::Doubt,
        _ => Tone::Bad,
    };
    let word = super::model::headline(verdict.side, verdict.outcome);
    page.text(0, &format!("{word}: {summary}"), tone);
}

fn fact(page: &mut Page, label: &str, text: &str) {
    page.row(&[(label, Tone::Faint)], LABEL, text, Tone::Plain);
}

fn facts(page: &mut Page, report: &ReportInput<'_>) {
    let verdict = report.verdict;
    page.blank();
    fact(page, "Outcome", verdict.outcome.as_str());
    let words = confidence_sentence(verdict.side, verdict.outcome, verdict.confidence);
    fact(page, "Confidence", &format!("{}. {words}", verdict.confidence.as_str()));
    if let Some(cause) = verdict.cause {
        let name = report.findings.iter().find(|one| one.meta.id == cause);
        let name = name.map(|one| format!(" ({})", one.meta.name)).unwrap_or_default();
        fact(page, "Cause", &format!("{cause}{name}"));
    }
    let mut label = "Host";
    let hosts = verdict
        .host
        .iter()
        .chain(verdict.hosts.iter().filter(|host| Some(*host) != verdict.host.as_ref()));
    for host in hosts.clone().take(HOSTS) {
        fact(page, label, host.as_str());
        label = "";
    }
    if let Some(more) = hosts.count().checked_sub(HOSTS).filter(|more| *more > 0) {
        fact(page, "", &format!("and {more} more (all are in the JSON report)"));
    }
    let Some(attempt) = report.attempt() else { return };
    fact(page, "MFA", mfa_words(attempt.mfa));
    let codes = codes(attempt);
    if !codes.is_empty() {
        fact(page, "Codes", &codes);
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
    fact(page, "Attempt", &words);
}

/// Words that are not to be torn apart.
fn glued(words: &str) -> String {
    words.replace(' ', &GLUE.to_string())
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

fn why(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let verdict = report.verdict;
    let groups: [(&str, &str, Tone, &[Statement]); 3] = [
        ("+", "+ for", Tone::Good, &verdict.evidence_for),
        ("-", "- against", Tone::Bad, &verdict.evidence_against),
        ("x", "x ruled out", Tone::Faint, &verdict.ruled_out),
    ];
    let legend: Vec<&str> = groups
        .iter()
        .filter(|(.., statements)| !statements.is_empty())
        .map(|(_, words, ..)| *words)
        .collect();
    if legend.is_empty() {
        return;
    }
    page.heading(&format!("Why ({})", legend.join(", ")));
    let most = if detail == Detail::Full { usize::MAX } else { STATEMENTS };
    for (sign, _, tone, statements) in groups {
        for statement in statements.iter().take(most) {
            let mut words = sentence(&statement.text, report.redaction);
            let cited = cited(statement.refs.as_ref(), several(report), PLACES);
            words.push_str(&bracket(&cited.unwrap_or_default()));
            page.row(&[("  ", Tone::Plain), (sign, tone)], 4, &words, Tone::Plain);
        }
        left_out(page, 4, statements.len(), most);
    }
}

/// Says how many of a list are not shown.
fn left_out(page: &mut Page, indent: usize, number: usize, most: usize) {
    if let Some(more) = number.checked_sub(most).filter(|more| *more > 0) {
        page.text(indent, &format!("and {more} more (--verbose shows them)"), Tone::Faint);
    }
}

fn others(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let followed = report.verdict.attempt;
    let others: Vec<&SignInAttempt> =
        report.signin.attempts.iter().filter(|one| Some(one.id) != followed).collect();
    if others.is_empty() {
        return;
    }
    page.heading("Other attempts in this capture");
    let most = if detail == Detail::Full { others.len() } else { OTHERS };
    for attempt in others.iter().take(most) {
        let number = format!("{:>3}", attempt.id.0);
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
        page.row(&[(&number, Tone::Faint)], 5, &words, Tone::Plain);
    }
    if let Some(more) = others.len().checked_sub(most).filter(|more| *more > 0) {
        page.text(5, &format!("and {more} more"), Tone::Faint);
    }
    page.text(2, "Follow another one with --attempt NUMBER.", Tone::Faint);
}

fn findings(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let most = if detail == Detail::Full { usize::MAX } else { STATEMENTS };
    let decisive: Vec<&Finding> = report.findings.iter().filter(|one| one.decisive).collect();
    // Failures that decided nothing stand above, among what was ruled out.
    let network = |one: &Finding| {
        (Family::Dns..=Family::Net).contains(&one.meta.family) && one.masked_by.is_none()
    };
    let (loud, informative): (Vec<&Finding>, Vec<&Finding>) = report
        .findings
        .iter()
        .filter(|one| !one.decisive && (!network(one) || one.severity != Severity::Info))
        .partition(|one| one.severity != Severity::Info);
    if !decisive.is_empty() {
        page.heading("Findings that decided");
        for finding in decisive.iter().take(most) {
            full(page, report, finding);
        }
        left_out(page, 10, decisive.len(), most);
    }
    if !loud.is_empty() {
        page.heading("Also found, not the cause");
        for finding in loud.iter().take(most) {
            full(page, report, finding);
        }
        left_out(page, 10, loud.len(), most);
    }
    if informative.is_empty() {
        return;
    }
    page.heading("Noted");
    let mut told: Vec<(&Finding, usize)> = Vec::new();
    for finding in informative {
        match told.iter_mut().find(|(one, _)| one.meta.id == finding.meta.id) {
            Some((_, more)) if detail != Detail::Full => *more = more.saturating_add(1),
            _ => told.push((finding, 0)),
        }
    }
    for (finding, more) in told {
        let mut words = summary(report, finding);
        if more > 0 {
            let _ = write!(words, " and {more} more like it");
        }
        if let Some(rule) = finding.masked_by {
            let _ = write!(words, "; follows from {rule}");
        }
        let id = format!("  {}", finding.meta.id);
        page.row(&[(&id, Tone::Faint)], 10, &words, Tone::Plain);
    }
}

fn summary(report: &ReportInput<'_>, finding: &Finding) -> String {
    let cited = cited(Some(&finding.refs), several(report), PLACES).unwrap_or_default();
    format!("{}{}", sentence(&finding.summary, report.redaction), bracket(&cited))
}

fn full(page: &mut Page, report: &ReportInput<'_>, finding: &Finding) {
    let tone = match finding.severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubt,
        Severity::Info => Tone::Faint,
    };
    let id = format!("  {}", finding.meta.id);
    let head = format!(
        "{}, {}, confidence {}",
        finding.meta.name,
        finding.severity.as_str(),
        finding.confidence.as_str()
    );
    page.row(&[(&id, tone)], 10, &head, Tone::Faint);
    page.text(10, &summary(report, finding), Tone::Plain);
    let advice = match &finding.advice {
        Some(advice) => sentence(advice, report.redaction),
        None => finding.meta.advice.to_owned(),
    };
    if !advice.is_empty() {
        page.text(10, &format!("To do: {advice}"), Tone::Plain);
    }
}

fn guide(page: &mut Page, report: &ReportInput<'_>) {
    page.heading("The five causes of the AADSTS50074 guide");
    for one in &report.verdict.guide {
        let tone = match one.answer {
            GuideAnswer::Contradicted => Tone::Good,
            GuideAnswer::NotVisible => Tone::Faint,
            GuideAnswer::Supported => Tone::Bad,
        };
        let cells = [("  ", Tone::Plain), (answer_words(one.answer), tone)];
        page.row(&cells, LABEL + 2, guide_words(one.cause), Tone::Strong);
        let cited = cited(one.refs.as_ref(), several(report), PLACES).unwrap_or_default();
        let text = format!("{}{}", sentence(&one.text, report.redaction), bracket(&cited));
        if !text.is_empty() {
            page.text(LABEL + 2, &text, Tone::Plain);
        }
        let next = sentence(&one.next, report.redaction);
        if !next.is_empty() && one.answer != GuideAnswer::Contradicted {
            page.text(LABEL + 2, &format!("Next: {next}"), Tone::Plain);
        }
    }
}

/// Whether a diagnostic repeats what the line of its input says already.
fn says_no_capture(code: DiagnosticCode) -> bool {
    matches!(code, DiagnosticCode::NotRecognised)
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::super::model::acts;
    use super::super::samples::{self, Case};
    use super::*;
    use crate::evidence::Redaction;

    fn plain(case: &Case, detail: Detail) -> String {
        write(&case.report(), false, detail)
    }

    /// A command is never broken, so that it can be pasted.
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("curl")
    }

    #[test]
    fn every_line_fits() {
        for case in samples::all() {
            for detail in [Detail::Brief, Detail::Normal, Detail::Full] {
                let text = plain(&case, detail);
                for line in text.lines() {
                    assert!(line.width() <= page::WIDTH || is_command(line), "{line}");
                    assert_eq!(line, line.trim_end());
                }
                assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
                assert!(!text.contains("\n\n\n"), "{text}");
            }
        }
    }

    #[test]
    fn no_secret_no_user_and_nothing_a_terminal_acts_on() {
        for case in samples::all() {
            let text = plain(&case, Detail::Full);
            assert!(!text.contains("hunter2") && !text.contains("alice.example"), "{text}");
            assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{text}");
        }
    }

    #[test]
    fn colour_adds_escapes_and_nothing_else() {
        for case in samples::all() {
            let coloured = write(&case.report(), true, Detail::Normal);
            let mut stripped = String::new();
            let mut pieces = coloured.split("\u{1b}[");
            stripped.push_str(pieces.next().unwrap());
            for piece in pieces {
                stripped.push_str(piece.split_once('m').unwrap().1);
            }
            assert_eq!(stripped, plain(&case, Detail::Normal));
        }
    }

    #[test]
    fn the_first_line_answers() {
        let first = |case: &Case| plain(case, Detail::Brief).lines().next().unwrap().to_owned();
        assert!(first(&samples::completed()).starts_with("Nothing wrong: MFA was asked for"));
        assert!(first(&samples::network()).starts_with("Network: "));
        assert!(first(&samples::undetermined()).starts_with("Cannot tell: "));
        assert!(first(&samples::unrecognised()).starts_with("RE: sign-in.msg: not a capture."));
    }

    #[test]
    fn a_long_sign_in_is_shortened_and_its_break_kept() {
        let mut case = samples::denied();
        let attempt = &mut case.signin.attempts[0];
        let page = attempt.steps[0].clone();
        let denied = attempt.steps[5].clone();
        attempt.steps = vec![page; 100];
        attempt.steps[50] = denied;
        let text = plain(&case, Detail::Normal);
        assert!(text.contains("60 steps are left out"), "{text}");
        assert_eq!(text.matches(">>").count(), 1);
        assert!(!plain(&case, Detail::Full).contains("left out"));
    }

    #[test]
    fn places_name_the_input_where_there_are_several() {
        let mut case = samples::denied();
        let mut second = case.evidence.inputs[0].clone();
        second.id = crate::evidence::InputId(1);
        second.name = format!("{}.saz", "long-name-".repeat(12));
        case.evidence.inputs.push(second);
        let text = plain(&case, Detail::Normal);
        assert!(text.contains("[input 0 session 23]"), "{text}");
        assert!(text.lines().all(|line| line.width() <= page::WIDTH), "{text}");
    }

    #[test]
    fn the_block_for_the_other_team_is_whole() {
        let block = |case: &Case| {
            let text = plain(case, Detail::Normal);
            let (_, rest) = text.split_once(" team, to paste\n").unwrap();
            rest.split(closing::RULE).nth(1).unwrap().to_owned()
        };
        let network = block(&samples::network());
        for word in ["Please ", "aadcdn.msauth.net, TCP 443", "set 59", "Test-NetConnection"] {
            assert!(network.contains(word), "{word}: {network}");
        }
        assert!(network.contains("This is the most likely reason"), "{network}");
        assert!(!network.contains("?x="), "{network}");
        let policy = block(&samples::policy());
        for word in ["AADSTS53003", "conditionalAccess/policies/", "mv-expand", "Asked of you"] {
            assert!(policy.contains(word), "{word}: {policy}");
        }
        // The ids stand in the block and not a second time behind it.
        assert!(!plain(&samples::policy(), Detail::Normal).contains("Ids for the sign-in log"));
        for case in [samples::completed(), samples::undetermined(), samples::no_sign_in()] {
            assert!(!plain(&case, Detail::Full).contains("team, to paste"));
        }
    }

    #[test]
    fn users_are_shown_as_asked() {
        let case = samples::denied();
        let mut report = case.report();
        report.redaction = Redaction::Strict;
        assert!(write(&report, false, Detail::Normal).contains("user-1"));
        report.redaction = Redaction::None;
        assert!(write(&report, false, Detail::Normal).contains("alice.example@contoso.com"));
    }

    #[test]
    fn the_reports_read_as_they_were_read() {
        insta::assert_snapshot!("completed", plain(&samples::completed(), Detail::Normal));
        insta::assert_snapshot!("denied", plain(&samples::denied(), Detail::Normal));
        insta::assert_snapshot!("network", plain(&samples::network(), Detail::Normal));
        insta::assert_snapshot!("policy", plain(&samples::policy(), Detail::Normal));
        insta::assert_snapshot!("undetermined", plain(&samples::undetermined(), Detail::Normal));
        insta::assert_snapshot!("no_sign_in", plain(&samples::no_sign_in(), Detail::Normal));
        insta::assert_snapshot!("unrecognised", plain(&samples::unrecognised(), Detail::Normal));
    }
}
