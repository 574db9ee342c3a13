//! Every output of an analysis, and what may be shown in none.

use mfatrace::analyze::Analysis;
use mfatrace::compare::compare;
use mfatrace::evidence::Redaction;
use mfatrace::report::text::Detail;
use mfatrace::report::triage::routing::Words;
use mfatrace::report::triage::summary::Summary;
use mfatrace::report::triage::table::Table;
use mfatrace::report::triage::{Attachment, Record, RecordOptions};
use mfatrace::report::{
    ReportInput, comparison, csv, html, json, markdown, ndjson, sarif, text, triage,
};

use super::canary::Search;

const REDACTIONS: [Redaction; 3] = [Redaction::Secrets, Redaction::Strict, Redaction::None];

/// Every form of report, with its name.
pub(crate) fn outputs(analysis: &Analysis, all: bool) -> Vec<(String, Redaction, String)> {
    let mut outputs = vec![("debug".to_owned(), Redaction::Secrets, format!("{analysis:?}"))];
    for redaction in REDACTIONS {
        let report =
            |with_evidence| ReportInput { redaction, with_evidence, ..analysis.report("0") };
        let mut add = |name: String, text: String| outputs.push((name, redaction, text));
        add(format!("json with evidence, {redaction:?}"), json::write(&report(true)));
        let full = text::write(&report(true), false, Detail::Full);
        add(format!("full text, {redaction:?}"), full);
        add(format!("csv, {redaction:?}"), csv::write(&report(true)));
        add(format!("sarif, {redaction:?}"), sarif::write(&report(true)));
        if all {
            add(format!("ndjson, {redaction:?}"), ndjson::write(&report(true)));
            add(format!("ndjson of findings, {redaction:?}"), ndjson::findings(&report(true)));
        }
        add(format!("html, {redaction:?}"), html::write(&report(true)));
        add(format!("markdown, {redaction:?}"), markdown::write(&report(true)));
        add(format!("triage, {redaction:?}"), triaged(&report(false)));
        let comparison = compare(analysis, analysis, redaction, "0");
        add(format!("comparison as json, {redaction:?}"), comparison::json(&comparison));
        let compared = text::comparison::write(&comparison, false, Detail::Full);
        add(format!("comparison as text, {redaction:?}"), compared);
        if all {
            add(format!("json, {redaction:?}"), json::write(&report(false)));
            for detail in [Detail::Brief, Detail::Normal, Detail::Full] {
                let text = text::write(&report(false), true, detail);
                add(format!("{detail:?} text in colour, {redaction:?}"), text);
            }
        }
    }
    outputs
}

/// What triage makes of a case: the record with its comment and its mail, and what is made of records.
fn triaged(report: &ReportInput<'_>) -> String {
    let words = Words::builtin();
    let redaction = report.redaction;
    let options =
        RecordOptions { redaction, options: "", words: &words, with_report: true, version: "0" };
    let attachment = Attachment { path: "/a/b".into(), tree_path: "a/b".into(), ..<_>::default() };
    let record = Record::of(report, &attachment, None, options);
    let mut summary = Summary::default();
    summary.add(&record);
    let mail = record.mail.as_ref().map_or("", |mail| mail.body.as_str());
    [
        record.line().as_str(),
        record.comment.as_str(),
        mail,
        &triage::csv::row(&record),
        &Table::new(160).row(&record),
        &summary.line("0"),
        &text::triage::write(&summary.document("0"), true),
    ]
    .concat()
}

/// What any output shows.
pub(crate) fn leaks(search: &Search, analysis: &Analysis) -> Vec<String> {
    let outputs = outputs(analysis, true);
    outputs.iter().flat_map(|(name, how, text)| found(search, name, *how, text)).collect()
}

/// What is found and may not be: a user is named where that was asked for.
pub(crate) fn found(search: &Search, output: &str, how: Redaction, text: &str) -> Vec<String> {
    let mut found = search.found(output, text);
    found.retain(|one| how != Redaction::None || !one.starts_with("user: "));
    found
}

/// Fails where anything was found.
pub(crate) fn none(mut leaks: Vec<String>) {
    leaks.sort();
    leaks.dedup_by(|one, other| one.split(':').next() == other.split(':').next());
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}
