//! What the program writes is what its schemas say, and nothing else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use mfatrace::analyze::{Analysis, Selection};
use mfatrace::evidence::Redaction;
use mfatrace::report::schema::Published;
use mfatrace::report::triage::routing::Words;
use mfatrace::report::triage::summary::Summary;
use mfatrace::report::triage::{Attachment, Beside, Record, RecordOptions};
use mfatrace::report::{ReportInput, comparison, json, ndjson};
use serde_json::Value;

use support::schema::{Field, Schemas, breakages};

fn report(analysis: &Analysis, with_evidence: bool) -> ReportInput<'_> {
    ReportInput { with_evidence, ..analysis.report("0.1.0") }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The standard output of the program as JSON.
fn printed(args: &[&str]) -> Value {
    parsed(&told(args))
}

/// The standard output of the program; the exit code says nothing of its form.
fn told(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(args)
        .current_dir(support::root())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Reports of what the corpus does not hold: odd names, packed files, keys, several inputs.
fn odd_reports() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let captures = support::root().join("captures");
    let saz = std::fs::read(captures.join("browser/push-denied.saz")).unwrap();
    let packed = folder.path().join("packed.zip");
    let members = vec![("inside.saz".to_owned(), saz.clone())];
    std::fs::write(&packed, support::archive::zip(&members, "")).unwrap();
    let mail = folder.path().join("mail.eml");
    std::fs::write(&mail, "From: a@contoso.example\r\nSubject: x\r\n\r\nhello\r\n").unwrap();
    let mut all = vec![packed, mail, folder.path().join("missing.har")];
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let name = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.saz"));
        std::fs::write(&name, &saz).unwrap();
        all.push(name);
    }
    let mut documents = Vec::new();
    for path in all {
        let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
            .arg(path)
            .args(["--format", "json", "--evidence"])
            .output()
            .unwrap();
        documents.push(parsed(std::str::from_utf8(&output.stdout).unwrap()));
    }
    let packets = "captures/keyed/push-denied-tls13-h1.pcap";
    let keys = "captures/keyed/push-denied-tls13-h1.pcap.keylog";
    documents.push(printed(&[packets, keys, "--format", "json", "--evidence"]));
    documents
}

/// The record of an analysis, as triage writes it.
fn record(analysis: &Analysis, name: &str, with_report: bool) -> Record {
    let words = Words::builtin();
    let redaction = Redaction::Secrets;
    let options =
        RecordOptions { redaction, options: "ab", words: &words, with_report, version: "0.1.0" };
    let attachment = Attachment {
        path: format!("/in/{name}"),
        path_bytes: with_report.then(|| "AAAA".to_owned()),
        tree_path: name.to_owned(),
        sha256: Some("ab".repeat(32)),
        bytes: Some(1),
    };
    let mut record = Record::of(&report(analysis, false), &attachment, None, options);
    if with_report {
        record.member = Some("inside.har".to_owned());
        record.beside.push(Beside {
            path: "/in/a.pcap".to_owned(),
            tree_path: "a.pcap".to_owned(),
            member: Some("a.pcap".to_owned()),
            sha256: Some("cd".repeat(32)),
            bytes: Some(2),
            format: Some("pcap".to_owned()),
        });
    }
    record
}

fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(parsed)
}

/// Documents that between them fill what there is to fill: the shortest that fills a field.
#[derive(Default)]
struct Rich {
    documents: Vec<Value>,
    filled: BTreeMap<Field, (usize, usize)>,
}

impl Rich {
    fn take(&mut self, schemas: &Schemas, document: Value, length: usize) {
        let number = self.documents.len();
        let mut is_needed = false;
        for field in schemas.filled(&document) {
            let best = self.filled.entry(field).or_insert((usize::MAX, number));
            // A little shorter is not worth another document.
            if length < best.0 / 2 {
                *best = (length, number);
                is_needed = true;
            }
        }
        self.documents.push(if is_needed { document } else { Value::Null });
    }

    /// The documents that are the shortest for some field, with those fields.
    fn chosen(&self) -> BTreeMap<usize, BTreeSet<&Field>> {
        let mut chosen: BTreeMap<usize, BTreeSet<&Field>> = BTreeMap::new();
        for (field, (_, number)) in &self.filled {
            chosen.entry(*number).or_default().insert(field);
        }
        chosen
    }
}

/// Each broken copy of a document must be refused; what was not is returned.
fn accepted_though_broken(schemas: &Schemas, rich: &Rich) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut count = 0_u32;
    for (number, fields) in rich.chosen() {
        let document = &rich.documents[number];
        for (what, broken) in breakages(schemas, document, &fields) {
            count += 1;
            if schemas.is_valid(&broken) {
                wrong.push(what);
            }
        }
    }
    assert!(count > 20, "nothing was broken");
    wrong
}

/// Fields that a document has because another one has the same object, and never fills: a comparison
/// cites what was said and not how it was read.
const NEVER: &[(Published, &str, &str)] = &[
    (Published::Compare, "reference", "byte"),
    #[cfg(not(unix))]
    (Published::Report, "input", "name_bytes"),
];

fn check(published: Published, rich: &Rich, schemas: &Schemas) {
    let is_never = |field: &Field| NEVER.contains(&(published, &*field.object, &*field.name));
    let empty: Vec<Field> = schemas
        .fields()
        .into_iter()
        .filter(|field| !rich.filled.contains_key(field) && !is_never(field))
        .collect();
    assert!(empty.is_empty(), "{published:?}: no document fills {empty:#?}");
    let wrong = accepted_though_broken(schemas, rich);
    assert!(wrong.is_empty(), "{published:?}: these pass: {wrong:#?}");
}

#[test]
fn every_report_of_the_corpus_is_valid_and_no_broken_one() {
    let reports = Schemas::of(Published::Report);
    let findings = Schemas::of(Published::Finding);
    let records = Schemas::of(Published::Triage);
    let (mut rich, mut rich_findings) = (Rich::default(), Rich::default());
    let (mut rich_records, mut summary) = (Rich::default(), Summary::default());
    let mut take = |document: Value, name: &str| {
        let length = document.to_string().len();
        reports.expect_valid(name, &document);
        rich.take(&reports, document, length);
    };
    let mut run = |analysis: &Analysis, name: &str| {
        take(parsed(&json::write(&report(analysis, false))), name);
        take(parsed(&json::write(&report(analysis, true))), name);
        for line in lines(&ndjson::findings(&report(analysis, false))) {
            findings.expect_valid(name, &line);
            let length = line.to_string().len();
            rich_findings.take(&findings, line, length);
        }
        let record = record(analysis, name, name.ends_with("push-denied.saz"));
        summary.add(&record);
        let line = record.line();
        let mut document = parsed(&line);
        records.expect_valid(name, &document);
        if let Some(report) = document.get_mut("report") {
            // It is of a schema of its own.
            reports.expect_valid(name, report);
            *report = Value::Object(serde_json::Map::new());
        }
        rich_records.take(&records, document, line.len());
        let again: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(again.line(), line, "a record is read as it was written");
    };
    for row in support::manifest() {
        run(&support::run_row(&row), &row.path);
    }
    let other = support::root().join("README.md");
    run(&support::run(&[other], &[]), "other/README.md");
    for (number, document) in odd_reports().into_iter().enumerate() {
        take(document, &format!("odd {number}"));
    }
    let args = ["captures/browser/script-host-reset.saz", "--format", "ndjson", "--lines"];
    for line in lines(&told(&[&args[..], &["findings"]].concat())) {
        findings.expect_valid("the program", &line);
        rich_findings.take(&findings, line, 1);
    }
    check(Published::Report, &rich, &reports);
    check(Published::Finding, &rich_findings, &findings);
    check(Published::Triage, &rich_records, &records);
    let summaries = Schemas::of(Published::TriageSummary);
    let mut rich_summary = Rich::default();
    summary.miss(1);
    let document = parsed(&summary.json("0.1.0"));
    summaries.expect_valid("the summary", &document);
    rich_summary.take(&summaries, document, 1);
    check(Published::TriageSummary, &rich_summary, &summaries);
}

#[test]
fn every_list_of_rules_and_explanation_is_valid_and_no_broken_one() {
    use mfatrace::analyze::{rule_metas, rules_fed_by};
    use mfatrace::report::explain::{Books, everything};
    let schemas = Schemas::of(Published::Rules);
    let mut rich = Rich::default();
    let document = printed(&["rules", "--format", "json"]);
    schemas.expect_valid("rules", &document);
    rich.take(&schemas, document, 1);
    check(Published::Rules, &rich, &schemas);

    let schemas = Schemas::of(Published::Explain);
    let mut rich = Rich::default();
    let mut names = everything(&Books { rules: &rule_metas(), fed: &rules_fed_by });
    names.push("PhoneAppDenyed".to_owned());
    let args: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = printed(&[&["explain", "--format", "json", "--"], &args[..]].concat());
    schemas.expect_valid("explain", &all);
    // Each answer as a document of its own, so that the broken ones are small.
    let Value::Array(answers) = all["answers"].take() else { panic!("no answers") };
    for answer in answers {
        let length = answer.to_string().len();
        all["answers"] = Value::Array(vec![answer]);
        rich.take(&schemas, all.clone(), length);
    }
    check(Published::Explain, &rich, &schemas);
}

#[test]
fn comparisons_are_valid_and_no_broken_one() {
    use mfatrace::compare::{compare, follow_success};
    let schemas = Schemas::of(Published::Compare);
    let mut rich = Rich::default();
    let rows = support::sample();
    let good = |path: &&str| rows.iter().find(|row| row.path == **path).unwrap();
    let working = ["browser/push-approved.saz", "browser/push-approved.devtools.har"];
    for working in working.iter().map(good) {
        let working = follow_success(support::run_row(working), &Selection::default());
        for row in &rows {
            let failing = support::run_row(row);
            let text = comparison::json(&compare(&working, &failing, Redaction::Secrets, "0.1.0"));
            let document = parsed(&text);
            schemas.expect_valid(&row.path, &document);
            rich.take(&schemas, document, text.len());
        }
    }
    let packets: Vec<_> = support::manifest()
        .iter()
        .filter(|row| row.path.starts_with("lab/"))
        .map(|row| (row.path.clone(), support::run_row(row)))
        .collect();
    for (path, failing) in &packets {
        let working = &packets[0].1;
        let text = comparison::json(&compare(working, failing, Redaction::Secrets, "0.1.0"));
        let document = parsed(&text);
        schemas.expect_valid(path, &document);
        rich.take(&schemas, document, text.len());
    }
    let args = ["compare", "captures/browser/push-approved.saz"];
    let args = [&args[..], &["captures/browser/push-denied.saz", "--format", "json"]].concat();
    let document = printed(&args);
    schemas.expect_valid("the program", &document);
    let length = document.to_string().len();
    rich.take(&schemas, document, length);
    check(Published::Compare, &rich, &schemas);
}

#[test]
fn the_program_prints_what_is_published() {
    for published in Published::ALL {
        let document = printed(&["schema", "--of", published.as_str()]);
        assert_eq!(document, parsed(published.text()));
        assert!(jsonschema::draft202012::meta::is_valid(&document), "{published:?}");
    }
    assert_eq!(printed(&["schema"]), parsed(Published::Report.text()));
}
