//! Every capture of the corpus gives the outcome, side, host and findings that its label says.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mfatrace::analyze::Analysis;
use mfatrace::finding::Severity;

/// The verdict, the steps and the findings of one capture in a few lines.
fn compact(analysis: &Analysis) -> String {
    let verdict = &analysis.verdict;
    let mut text = String::new();
    writeln!(
        text,
        "{} {} host={} cause={} confidence={}",
        verdict.outcome,
        verdict.side,
        verdict.host.as_ref().map_or("-", |host| host.as_str()),
        verdict.cause.map_or("-", |cause| cause.0),
        verdict.confidence.as_str(),
    )
    .unwrap();
    for attempt in &analysis.signin.attempts {
        let steps: Vec<String> = attempt
            .steps
            .iter()
            .map(|step| {
                let times = if step.count > 1 { format!("x{}", step.count) } else { String::new() };
                format!("{}:{}{times}", step.kind.as_str(), step.result.as_str())
            })
            .collect();
        let flow = attempt.flow.as_str();
        writeln!(text, "  {} {flow} {} {}", attempt.id, attempt.outcome, steps.join(" ")).unwrap();
    }
    let rules: BTreeSet<String> = analysis
        .findings
        .iter()
        .map(|finding| format!("{}:{}", finding.meta.id.0, finding.severity.as_str()))
        .collect();
    writeln!(text, "  {}", rules.into_iter().collect::<Vec<_>>().join(" ")).unwrap();
    text
}

/// Whether a rule, or one of a family, is among those found.
fn names(found: &BTreeSet<&str>, rule_or_family: &str) -> bool {
    found.iter().any(|rule| rule.starts_with(rule_or_family))
}

#[test]
fn labels_hold() {
    let rows = support::manifest();
    let mut wrong = Vec::new();
    for row in &rows {
        let analysis = support::run_row(row);
        let verdict = &analysis.verdict;
        let mfa = analysis
            .verdict
            .attempt
            .and_then(|id| analysis.signin.attempt(id))
            .map(|attempt| attempt.mfa.as_str().to_owned());
        let host = verdict.host.as_ref().map(|host| host.as_str().to_owned());
        let got = (verdict.outcome.as_str(), verdict.side.as_str());
        let mut bad = got != (row.outcome.as_str(), row.side.as_str());
        bad |= row.host.is_some() && host != row.host;
        bad |= row.mfa.is_some() && mfa.is_some() && mfa != row.mfa;
        let found: BTreeSet<&str> =
            analysis.findings.iter().map(|finding| finding.meta.id.0).collect();
        // What is worth knowing is no alarm: a look-alike may be told as information.
        let alarms: BTreeSet<&str> = analysis
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Info)
            .map(|finding| finding.meta.id.0)
            .collect();
        let missing: Vec<&String> = row.expect.iter().filter(|rule| !names(&found, rule)).collect();
        let forbidden: Vec<&String> =
            row.forbid.iter().filter(|rule| names(&alarms, rule)).collect();
        if bad || !missing.is_empty() || !forbidden.is_empty() {
            wrong.push(format!(
                "{}\n    {}\n    want {} {} host={:?} mfa={:?}\n    got  {} {} host={host:?} mfa={mfa:?} \
                 missing={missing:?} forbidden={forbidden:?}",
                row.path, row.story, row.outcome, row.side, row.host, row.mfa, got.0, got.1
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn files_are_the_ones_that_were_labelled() {
    use sha2::Digest as _;
    for row in support::manifest() {
        let bytes = std::fs::read(support::root().join("captures").join(&row.path)).unwrap();
        let hash = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&bytes));
        assert_eq!(hash, row.sha256, "{}", row.path);
    }
}

#[test]
fn verdicts_are_as_reviewed() {
    let mut by_family: BTreeMap<String, String> = BTreeMap::new();
    for row in support::manifest() {
        let family = row.path.split('/').next().unwrap_or_default().to_owned();
        let text = compact(&support::run_row(&row));
        let _ = write!(by_family.entry(family).or_default(), "{}\n  {text}", row.path);
    }
    for (family, text) in by_family {
        insta::assert_snapshot!(family, text);
    }
}

#[test]
fn a_healthy_capture_has_no_network_verdict_and_no_error() {
    for row in support::manifest().iter().filter(|row| row.side == "nothing_wrong") {
        let analysis = support::run_row(row);
        assert_ne!(analysis.verdict.side.as_str(), "network", "{}", row.path);
        let standing = |finding: &&mfatrace::finding::Finding| finding.severity == Severity::Error;
        let errors: Vec<_> = analysis.findings.iter().filter(standing).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", row.path);
    }
}

/// Captures with two faults: the one that did not decide, by a host or a rule.
const BESIDE: &[(&str, &str)] = &[
    ("challenge/denied-among-noise", "browser.events.data.microsoft.com"),
    ("challenge/device-probe-failed-wrong-code", "device.login.microsoftonline.com"),
    ("challenge/first-root-dead-then-left", "aadcdn.msauth.net"),
    ("challenge/one-poll-reset-then-denied", "TCP003"),
    ("challenge/pictures-blocked-no-answer", "aadcdn.msauthimages.net"),
    ("challenge/registration-telemetry-blocked", "browser.events.data.microsoft.com"),
    ("challenge/telemetry-proxy-sign-in-phone-unreachable", "browser.events.data.microsoft.com"),
    ("network/begin-block-page-session-pull-refused", "login.live.com"),
    ("network/finish-block-page-one-poll-busy", "STS003"),
    ("network/polls-reset-telemetry-certificate", "browser.events.data.microsoft.com"),
    ("network/proxy-once-script-hosts-unresolved", "PRX002"),
    ("network/registration-host-dead-session-pull-blocked", "login.live.com"),
    ("policy/passed-blocked-telemetry-blocked", "browser.events.data.microsoft.com"),
];

#[test]
fn what_did_not_decide_is_named_and_set_aside() {
    let rows = support::manifest();
    for (story, other) in BESIDE {
        let of_story = |row: &&support::Row| row.path.starts_with(&format!("{story}."));
        assert!(rows.iter().any(|row| of_story(&row)), "{story}");
        for row in rows.iter().filter(of_story) {
            let analysis = support::run_row(row);
            let about = |finding: &&mfatrace::finding::Finding| {
                finding.meta.id.0 == *other
                    || finding.host.as_ref().is_some_and(|host| host.as_str() == *other)
            };
            let found: Vec<_> = analysis.findings.iter().filter(about).collect();
            assert!(!found.is_empty(), "{}: nothing is said of {other}", row.path);
            for finding in found {
                assert!(!finding.decisive, "{}: {} decided", row.path, finding.meta.id);
                assert_ne!(analysis.verdict.cause, Some(finding.meta.id), "{}", row.path);
            }
        }
    }
}
