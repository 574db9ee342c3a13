//! The summary of triage for people: what there was, where it goes, and what fails in many tickets.
//!
//! It must not count anything itself.
//!
//! Invariant: what is missing or was lost is said in front.

use std::fmt::Write as _;

use super::LABEL;
use super::page::{Page, Tone};
use crate::report::model::counted;
use crate::report::triage::summary::{Count, Document, Failing, MANY, Repeated};

/// Names of one kind that are shown.
const NAMES: usize = 8;
/// Names that stand out, and faults that do so.
const OUT: usize = 10;
const AGAIN: usize = 5;

/// Writes a summary.
pub fn write(summary: &Document, colour: bool) -> String {
    let mut page = Page::new(colour);
    let tickets = counted(summary.tickets, ("ticket", "tickets"));
    let files = counted(summary.files, ("file", "files"));
    let records = counted(summary.records, ("record", "records"));
    page.text(0, &format!("{records} of {files} in {tickets}"), Tone::Strong);
    if summary.missing > 0 {
        let files = counted(summary.missing, ("file has", "files have"));
        page.text(0, &format!("{files} no record."), Tone::Bad);
    }
    if summary.worker_lost > 0 {
        let records = counted(summary.worker_lost, ("file was", "files were"));
        page.text(0, &format!("{records} not read to the end: the process was lost."), Tone::Bad);
    }
    page.blank();
    row(&mut page, "Queue", &summary.queues, 0);
    row(&mut page, "Side", &summary.sides, 0);
    row(&mut page, "Outcome", &summary.outcomes, 0);
    row(&mut page, "Cause", &summary.causes, summary.others.causes);
    row(&mut page, "Host", &all(&summary.hosts), summary.others.hosts);
    row(&mut page, "Issuer", &all(&summary.issuers), summary.others.issuers);
    row(&mut page, "Code", &summary.codes, 0);
    row(&mut page, "Format", &summary.formats, 0);
    if summary.mails > 0 {
        let mails = counted(summary.mails, ("mail to a customer is", "mails to customers are"));
        page.row(&[("Mail", Tone::Faint)], LABEL, &format!("{mails} ready"), Tone::Plain);
    }
    stands_out(&mut page, summary);
    page.finish()
}

fn all(failing: &[Failing]) -> Vec<Count> {
    failing.iter().map(|one| Count { name: one.name.clone(), records: one.records }).collect()
}

/// Names with their numbers, the first of them.
fn row(page: &mut Page, label: &str, counts: &[Count], others: u64) {
    if counts.is_empty() {
        return;
    }
    let mut words = named(counts, NAMES);
    let rest = counts.iter().skip(NAMES).fold(others, |sum, one| sum.saturating_add(one.records));
    if rest > 0 {
        let _ = write!(words, ", others {rest}");
    }
    page.row(&[(label, Tone::Faint)], LABEL, &words, Tone::Plain);
}

fn named(counts: &[Count], most: usize) -> String {
    let shown: Vec<String> =
        counts.iter().take(most).map(|one| format!("{}\u{a0}{}", one.name, one.records)).collect();
    shown.join(", ")
}

/// What fails in many tickets.
fn stands_out(page: &mut Page, summary: &Document) {
    let of = counted(summary.tickets, ("ticket", "tickets"));
    let mut lines = Vec::new();
    let many = |all: &[Failing]| -> Vec<Failing> {
        all.iter().filter(|one| one.tickets >= MANY).take(OUT).cloned().collect()
    };
    for one in many(&summary.hosts) {
        let causes = named(&one.causes, 4);
        lines.push(format!("{} fails in {} of {of}: {causes}", one.name, one.tickets));
    }
    for one in many(&summary.issuers) {
        let causes = named(&one.causes, 4);
        lines.push(format!(
            "certificates of {} decided in {} of {of}: {causes}",
            one.name, one.tickets
        ));
    }
    let again = summary.fingerprints.iter().filter(|one| one.tickets >= MANY);
    lines.extend(again.take(AGAIN).map(|one| repeated(one, &of)));
    if lines.is_empty() {
        return;
    }
    page.heading(&format!("What fails in {MANY} tickets or more"));
    for line in lines {
        page.row(&[("  -", Tone::Faint)], 4, &line, Tone::Plain);
    }
}

/// A fault that is there again, by what its records have in common.
fn repeated(one: &Repeated, of: &str) -> String {
    let print = &one.fingerprint;
    let mut words = format!("fingerprint {}: {}", print.id, print.cause);
    if let Some(host) = &print.host {
        let _ = write!(words, " at {host}");
    }
    if let Some(code) = print.code {
        let _ = write!(words, ", AADSTS{code}");
    }
    if let Some(issuer) = &print.issuer {
        let _ = write!(words, ", issuer {issuer}");
    }
    let _ = write!(words, ", in {} of {of}", one.tickets);
    words
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::report::triage::samples;
    use crate::report::triage::summary::Summary;

    #[test]
    fn what_fails_in_many_tickets_is_told() {
        let mut summary = Summary::default();
        for ticket in 0..4 {
            summary.add(&samples::network(&format!("{ticket}/a.saz")));
            summary.add(&samples::inspected(&format!("{ticket}/b.saz")));
            summary.add(&samples::picture(&format!("{ticket}/c.png")));
        }
        summary.add(&samples::denied("9/a.saz"));
        summary.add(&samples::undetermined("10/a.har"));
        summary.add(&samples::worker_lost("x.pcap"));
        summary.miss(2);
        let text = write(&summary.document("0"), false);
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_stands_out_where_tickets_differ() {
        let mut summary = Summary::default();
        summary.add(&samples::network("1/a.saz"));
        summary.add(&samples::network("2/a.saz"));
        let text = write(&summary.document("0"), false);
        assert!(text.starts_with("2 records of 2 files in 2 tickets\n"), "{text}");
        assert!(!text.contains("What fails"), "{text}");
        assert_eq!(write(&Summary::default().document("0"), false).lines().count(), 2);
    }
}
