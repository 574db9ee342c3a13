//! A case of several inputs: requests of one and packets of another are joined, and both are used.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mfatrace::evidence::{Connection, Evidence, Locator, Redaction};
use mfatrace::time::Timestamp;
use serde_json::{Value, json};

/// A packet capture of the corpus.
fn packets(name: &str) -> PathBuf {
    support::root().join("captures/packets").join(name)
}

/// The connections of a capture that have a name and a time, in order.
fn connections(path: &Path) -> Vec<Connection> {
    let analysis = support::run(std::slice::from_ref(&path.to_path_buf()), &[]);
    let named = |one: &Connection| one.server_name.is_some() && one.span.is_some();
    analysis.evidence.connections.into_iter().filter(named).collect()
}

/// What a browser whose clock is behind by `behind` writes of these connections: the last request to
/// the sign-in host fails without a reason, the others are answered.
fn trace(connections: &[Connection], behind: Duration, failed: bool) -> Value {
    let entries: Vec<Value> = connections
        .iter()
        .map(|one| {
            let host = one.server_name.as_ref().unwrap().as_str();
            let at = one.span.unwrap().first().as_nanoseconds();
            let at = at - i64::try_from(behind.as_nanos()).unwrap();
            let path = if host.starts_with("login.") {
                "/common/oauth2/v2.0/authorize?client_id=4765445b-32c6-49b0-83e6-1d93765276ca"
            } else {
                "/"
            };
            let is_failed = failed && host.starts_with("login.");
            let answer = json!({
                "status": if is_failed { 0 } else { 200 }, "statusText": "", "httpVersion": "",
                "cookies": [], "headers": [], "redirectURL": "", "headersSize": -1,
                "bodySize": -1, "content": { "size": 0, "mimeType": "text/html", "text": "" },
            });
            json!({
                "startedDateTime": Timestamp::from_nanoseconds(at).to_string(),
                "time": 20, "timings": {}, "cache": {}, "response": answer,
                "request": { "method": "GET", "url": format!("https://{host}{path}"),
                    "httpVersion": "HTTP/2", "cookies": [], "headers": [], "queryString": [],
                    "headersSize": -1, "bodySize": 0 },
            })
        })
        .collect();
    json!({ "log": { "version": "1.2", "creator": { "name": "WebInspector", "version": "537.36" },
        "entries": entries } })
}

fn written(folder: &Path, trace: &Value) -> PathBuf {
    let path = folder.join("trace.har");
    std::fs::write(&path, trace.to_string()).unwrap();
    path
}

fn kinds(
    evidence: &Evidence,
    refs: impl Iterator<Item = mfatrace::evidence::EvidenceRef>,
) -> [bool; 2] {
    let mut found = [false; 2];
    for one in refs {
        assert!(evidence.inputs.iter().any(|input| input.id == one.input));
        match one.at {
            Locator::HarEntry(_) => found[0] = true,
            Locator::Frames { .. } => found[1] = true,
            _ => {}
        }
    }
    found
}

#[test]
fn packets_name_the_failure_that_a_trace_leaves_unnamed() {
    let folder = tempfile::tempdir().unwrap();
    let capture = packets("login-syn-unanswered.pcap");
    let behind = Duration::from_millis(7_250);
    let har = written(folder.path(), &trace(&connections(&capture), behind, true));
    let alone = support::run(std::slice::from_ref(&har), &[]);
    assert_ne!(alone.verdict.cause.map(|rule| rule.0), Some("TCP001"));
    let both = support::run(&[har, capture], &[]);
    let joined = both.signin.joined.first().unwrap();
    assert!(joined.ahead.abs_diff(7_250) < 1_000, "{joined:?}");
    assert!(joined.pairs >= 3, "{joined:?}");
    assert_eq!(both.verdict.side.as_str(), "network");
    assert_eq!(both.verdict.cause.map(|rule| rule.0), Some("TCP001"));
    let cause = both.findings.iter().find(|finding| finding.meta.id.0 == "TCP001").unwrap();
    assert_eq!(kinds(&both.evidence, cause.refs.iter()), [true, true], "both inputs are cited");
}

#[test]
fn a_healthy_pair_of_inputs_accuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let capture = packets("healthy-push.pcap");
    let har = written(folder.path(), &trace(&connections(&capture), Duration::ZERO, false));
    let both = support::run(&[har, capture], &[]);
    assert_eq!(both.signin.joined.first().map(|one| one.ahead.abs() < 1_000), Some(true));
    assert_ne!(both.verdict.side.as_str(), "network");
}

#[test]
fn inputs_of_other_days_are_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let capture = packets("login-syn-unanswered.pcap");
    let days = Duration::from_hours(72);
    let har = written(folder.path(), &trace(&connections(&capture), days, true));
    let both = support::run(&[har, capture], &[]);
    assert!(both.signin.joined.is_empty(), "{:?}", both.signin.joined);
}

#[test]
fn the_first_line_names_a_contradiction() {
    let capture = support::root().join("captures/cases/browser-fails-packets-reach.zip");
    let both = support::run(&[capture], &[]);
    let summary = both.verdict.summary.shown(Redaction::Secrets);
    assert!(summary.contains("the packets of the same moment show the host reached"), "{summary}");
}

#[test]
fn a_contradiction_asks_for_one_sign_in_recorded_by_both() {
    for name in ["browser-fails-packets-reach", "browser-answered-packets-dead"] {
        let capture = support::root().join(format!("captures/cases/{name}.zip"));
        let next = support::run(&[capture], &[]).verdict.next_capture.unwrap();
        let missing = next.missing.shown(Redaction::Secrets);
        assert!(missing.contains("at the same time"), "{name}: {missing}");
        assert!(next.steps[0].contains("the same sign-in"), "{name}: {:?}", next.steps);
        let steps = next.steps.concat();
        assert!(steps.contains("HAR") && (steps.contains("pktmon") || steps.contains("tcpdump")));
    }
}
