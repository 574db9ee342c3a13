//! Timelines and logs of findings are what the tools that read them expect, for every capture.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use mfatrace::analyze::Analysis;
use mfatrace::report::{ReportInput, csv as timeline, sarif};
use mfatrace::time::Timestamp;
use serde_json::Value;

fn report(analysis: &Analysis) -> ReportInput<'_> {
    analysis.report("0.1.0")
}

/// The rows behind the header, each as long as it, and the header.
fn rows(text: &str) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    (header, reader.records().map(|row| row.unwrap()).collect())
}

/// What Timesketch and Timeline Explorer need of a timeline.
fn expect_timeline(name: &str, analysis: &Analysis) {
    let text = timeline::write(&report(analysis));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{name}: lines end with CR LF");
    let (header, rows) = rows(&text);
    assert_eq!(
        header.iter().take(3).collect::<Vec<_>>(),
        ["message", "datetime", "timestamp_desc"]
    );
    let column = |name: &str| header.iter().position(|one| one == name).unwrap();
    let (at, stamp, place) = (column("datetime"), column("timestamp"), column("at"));
    let mut before = i64::MIN;
    for row in &rows {
        for cell in row {
            let first = cell.trim_start().chars().next().unwrap_or('a');
            assert!(!"=+-@\t\r".contains(first), "{name}: {cell}");
            assert!(!cell.chars().any(char::is_control), "{name}: {cell:?}");
        }
        assert!(!row[0].is_empty() && !row[2].is_empty() && !row[place].is_empty(), "{name}");
        if row[at].is_empty() {
            before = i64::MAX;
            continue;
        }
        assert!(row[at].ends_with("+00:00") && row[at].len() == 32, "{name}: {}", &row[at]);
        let (parsed, offset) = Timestamp::parse(&row[at]).unwrap();
        let micro = parsed.as_nanoseconds() / 1000;
        assert_eq!((offset, micro.to_string()), (Some(0), row[stamp].to_owned()), "{name}");
        assert!(before <= micro, "{name}: in order of time, without a time last");
        before = micro;
    }
}

#[test]
fn every_capture_gives_a_timeline() {
    for row in support::sample() {
        expect_timeline(&row.path, &support::run_row(&row));
    }
}

#[test]
fn every_capture_gives_a_valid_log_of_findings() {
    let schema = support::root().join("tests/support/sarif/sarif-schema-2.1.0.json");
    // A bracket of its patterns that closes nothing: strict readers of patterns refuse it.
    let schema = std::fs::read_to_string(schema).unwrap().replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let mut flows = 0;
    for row in support::manifest() {
        let analysis = support::run_row(&row);
        let log: Value = serde_json::from_str(&sarif::write(&report(&analysis))).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&log)
            .take(5)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", row.path);
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), analysis.findings.len(), "{}", row.path);
        flows += results.iter().filter(|one| one.get("codeFlows").is_some()).count();
    }
    assert!(flows > 100, "{flows}");
    // The schema would say so.
    let mut broken: Value = serde_json::json!({ "version": "2.1.0", "runs": [{ "tool": {} }] });
    assert!(!validator.is_valid(&broken));
    broken["runs"][0]["tool"] = serde_json::json!({ "driver": { "name": "x" } });
    assert!(validator.is_valid(&broken));
}
