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
mod ladder;
mod page;
pub mod rules;
pub mod triage;

use std::fmt::Write as _;

use self::closing::Ids;
use self::page::{Page, Tone};
use super::handover::{Handover, Team};
use super::ladder::Mood;
use super::model::{ReportInput, bracket, cited, sentence, several};
use super::story;
use crate::finding::Finding;
use crate::signin::Side;

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
            ladder::write_due(&mut page, report, attempt);
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
        page.heading(handover.title());
        closing::pasted(&mut page, &handover.sheet(report), closing::HANDOVER);
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

fn headline(page: &mut Page, report: &ReportInput<'_>) {
    let (word, summary) = story::answer(report);
    page.text(0, &format!("{word}: {summary}"), toned(story::mood(report.verdict.side)));
}

/// The look of what is meant so.
const fn toned(mood: Mood) -> Tone {
    match mood {
        Mood::Bad => Tone::Bad,
        Mood::Doubt => Tone::Doubt,
        Mood::Faint => Tone::Faint,
        Mood::Good => Tone::Good,
    }
}

fn fact(page: &mut Page, label: &str, text: &str) {
    page.row(&[(label, Tone::Faint)], LABEL, text, Tone::Plain);
}

/// A name and its values, the name before the first.
fn values(page: &mut Page, label: &str, all: &[String]) {
    let mut label = label;
    for one in all {
        fact(page, label, one);
        label = "";
    }
}

fn facts(page: &mut Page, report: &ReportInput<'_>) {
    page.blank();
    for (label, all) in story::facts(report) {
        values(page, label, &all);
    }
}

fn why(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let arguments = story::arguments(report);
    if arguments.is_empty() {
        return;
    }
    let legend: Vec<String> =
        arguments.iter().map(|one| format!("{} {}", one.sign, one.words)).collect();
    page.heading(&format!("Why ({})", legend.join(", ")));
    let most = if detail == Detail::Full { usize::MAX } else { STATEMENTS };
    for argument in arguments {
        for statement in argument.statements.iter().take(most) {
            let mut words = sentence(&statement.text, report.redaction);
            let cited = cited(statement.refs.as_ref(), several(report), PLACES);
            words.push_str(&bracket(&cited.unwrap_or_default()));
            let cells = [("  ", Tone::Plain), (argument.sign, toned(argument.mood))];
            page.row(&cells, 4, &words, Tone::Plain);
        }
        left_out(page, 4, argument.statements.len(), most);
    }
}

/// Says how many of a list are not shown.
fn left_out(page: &mut Page, indent: usize, number: usize, most: usize) {
    if let Some(more) = number.checked_sub(most).filter(|more| *more > 0) {
        page.text(indent, &format!("and {more} more (--verbose shows them)"), Tone::Faint);
    }
}

fn others(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let others = story::others(report);
    if others.is_empty() {
        return;
    }
    page.heading("Other attempts in this capture");
    let most = if detail == Detail::Full { others.len() } else { OTHERS };
    for attempt in others.iter().take(most) {
        let number = format!("{:>3}", attempt.id.0);
        let words = story::attempt_words(report, attempt);
        page.row(&[(&number, Tone::Faint)], 5, &words, Tone::Plain);
    }
    if let Some(more) = others.len().checked_sub(most).filter(|more| *more > 0) {
        page.text(5, &format!("and {more} more"), Tone::Faint);
    }
    page.text(2, "Follow another one with --attempt NUMBER.", Tone::Faint);
}

fn findings(page: &mut Page, report: &ReportInput<'_>, detail: Detail) {
    let most = if detail == Detail::Full { usize::MAX } else { STATEMENTS };
    let found = story::found(report, detail == Detail::Full);
    let [decided, beside, noted] = story::FOUND;
    for (title, group) in [(decided, &found.decisive), (beside, &found.loud)] {
        if !group.is_empty() {
            page.heading(title);
            for finding in group.iter().take(most) {
                full(page, report, finding);
            }
            left_out(page, 10, group.len(), most);
        }
    }
    if found.noted.is_empty() {
        return;
    }
    page.heading(noted);
    let mut told: Vec<(&Finding, usize)> = Vec::new();
    for finding in found.noted {
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
    let id = format!("  {}", finding.meta.id);
    let tone = toned(story::severity_mood(finding.severity));
    page.row(&[(&id, tone)], 10, &story::finding_head(finding), Tone::Faint);
    page.text(10, &summary(report, finding), Tone::Plain);
    let advice = story::advice(report, finding);
    if !advice.is_empty() {
        page.text(10, &format!("To do: {advice}"), Tone::Plain);
    }
}

fn guide(page: &mut Page, report: &ReportInput<'_>) {
    page.heading(story::GUIDE);
    for one in story::guide(report) {
        let cells = [("  ", Tone::Plain), (one.answer, toned(one.mood))];
        page.row(&cells, LABEL + 2, one.cause, Tone::Strong);
        let cited = cited(one.refs, several(report), PLACES).unwrap_or_default();
        let text = format!("{}{}", one.text, bracket(&cited));
        if !text.is_empty() {
            page.text(LABEL + 2, &text, Tone::Plain);
        }
        if !one.next.is_empty() {
            page.text(LABEL + 2, &format!("Next: {}", one.next), Tone::Plain);
        }
    }
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
