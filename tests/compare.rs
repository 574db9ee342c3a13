//! Two sign-ins side by side: what is the same comes out as the same, and what parts parts in the right
//! place.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(feature = "cli")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use mfatrace::analyze::{Analysis, Selection};
use mfatrace::compare::{compare, follow_success};
use mfatrace::evidence::Redaction;
use mfatrace::report::comparison::{Comparison, Level, Mark, Relation, json};
use mfatrace::report::text::{Detail, comparison as text};
use serde_json::Value;
use support::{Row, manifest, root, run_row};

const REDACTIONS: [Redaction; 3] = [Redaction::Secrets, Redaction::Strict, Redaction::None];

fn row(path: &str) -> Row {
    manifest().into_iter().find(|row| row.path == path).unwrap()
}

fn analysis(path: &str) -> Analysis {
    run_row(&row(path))
}

fn compared<'a>(working: &'a Analysis, failing: &'a Analysis) -> Comparison<'a> {
    compare(working, failing, Redaction::Secrets, "0")
}

fn headline(comparison: &Comparison<'_>) -> String {
    comparison.headline.shown(Redaction::Secrets)
}

/// What differs by area and name, with both values.
fn facts(comparison: &Comparison<'_>) -> Vec<(String, String, String)> {
    let value = |value: &mfatrace::report::comparison::Value| value.text.shown(Redaction::Strict);
    comparison
        .differences
        .iter()
        .map(|one| (one.name.to_owned(), value(&one.working), value(&one.failing)))
        .collect()
}

#[test]
fn no_capture_differs_from_itself() {
    for row in manifest() {
        let analysis = run_row(&row);
        let comparison = compared(&analysis, &analysis);
        let same = matches!(comparison.relation, Relation::Alike | Relation::NotComparable);
        assert!(same, "{}: {}", row.path, headline(&comparison));
        assert!(comparison.differences.is_empty(), "{}: {:?}", row.path, facts(&comparison));
        assert!(comparison.rows.iter().all(|one| one.mark == Mark::Alike), "{}", row.path);
        assert!(comparison.parting.is_none(), "{}", row.path);
        let seen = analysis.signin.attempts.iter().any(|one| !one.steps.is_empty());
        assert!(!seen || comparison.relation == Relation::Alike, "{}", row.path);
    }
}

/// Sessions of `captures/keyed` of which the packets lack the part that would be compared.
const DARK: &[&str] = &["starts-at-polls-tls13-h1"];

#[test]
fn packets_and_the_har_of_one_session_are_the_same() {
    let rows = manifest();
    let (mut sessions, mut dark) = (0, 0);
    for har in rows.iter().filter(|row| row.path.starts_with("keyed/") && is_har(row)) {
        let name = har.path.trim_end_matches(".har");
        let packets = rows.iter().find(|row| {
            row.path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest != ".har")
        });
        let packets = packets.unwrap();
        let (one, other) = (run_row(har), run_row(packets));
        sessions += 1;
        if DARK.iter().any(|dark| name.ends_with(dark)) {
            assert_eq!(compared(&one, &other).relation, Relation::NotComparable);
            dark += 1;
            continue;
        }
        for (one, other) in [(&one, &other), (&other, &one)] {
            let comparison = compared(one, other);
            assert_eq!(comparison.relation, Relation::Alike, "{name}: {}", headline(&comparison));
            assert!(comparison.differences.is_empty(), "{name}: {:?}", facts(&comparison));
            let marks = || comparison.rows.iter().map(|row| row.mark);
            assert!(marks().all(|mark| matches!(mark, Mark::Alike | Mark::Unknown)), "{name}");
            assert_eq!(comparison.working.level, Level::Requests, "{name}");
        }
    }
    assert!(sessions >= 40 && dark == DARK.len());
}

fn is_har(row: &Row) -> bool {
    row.path.strip_suffix(".har").is_some()
}

/// One recording in several layouts: the format of a capture is no difference.
#[test]
fn one_story_in_several_formats_is_the_same() {
    let rows = manifest();
    let story = |row: &Row| {
        let name = row.path.strip_prefix("browser/")?.split('.').next()?;
        (!row.path.contains(".late.")).then(|| name.to_owned())
    };
    let mut pairs = 0;
    for (index, one) in rows.iter().enumerate() {
        let Some(name) = story(one) else { continue };
        for other in rows.iter().skip(index + 1).filter(|row| story(row).as_ref() == Some(&name)) {
            // Firefox and mitmproxy have sessions of their own: another browser, another day.
            let own =
                |row: &Row| row.path.contains(".firefox.") || row.path.contains(".mitmproxy.");
            if own(one) || own(other) || one.outcome != other.outcome {
                continue;
            }
            let (first, second) = (run_row(one), run_row(other));
            let comparison = compared(&first, &second);
            let names = format!("{} {}", one.path, other.path);
            // A written archive has certificates of its own.
            let differs: Vec<_> =
                facts(&comparison).into_iter().filter(|(name, ..)| name != "certificate").collect();
            assert!(differs.is_empty(), "{names}: {differs:?}");
            let same = |mark| matches!(mark, Mark::Alike | Mark::Unknown);
            assert!(comparison.rows.iter().all(|row| same(row.mark)), "{names}");
            pairs += 1;
        }
    }
    assert!(pairs >= 20, "{pairs}");
}

/// A mixed bag of captures, of which each pair is compared.
const BAG: &[&str] = &[
    "application/cookies-disabled.saz",
    "application/ropc.charles.har",
    "application/silent-no-session.saz",
    "browser/begin-block-page.devtools.har",
    "browser/not-registered.playwright.har",
    "browser/page-left.saz",
    "browser/push-approved.devtools.har",
    "browser/push-denied.saz",
    "browser/script-host-reset.firefox.har",
    "challenge/external-not-returned.saz",
    "challenge/two-users.devtools.har",
    "challenge/wrong-code-sms.devtools.har",
    "healthy/device-claim.saz",
    "healthy/federated-cloud-mfa.saz",
    "healthy/no-sign-in.saz",
    "healthy/passkey.devtools.har",
    "healthy/sms-typed-late.saz",
    "keyed/polls-reset-tls13-h2.pcap",
    "keyed/push-approved-tls13-h2.pcapng",
    "keyed/script-host-key-missing-tls13-h2.pcapng",
    "lab/healthy-tls13.pcap",
    "network/federation-unreachable.saz",
    "network/proxy-down.saz",
    "network/proxy-sign-in-refused.saz",
    "network/script-hosts-handshake-cut.mitmproxy.har",
    "packets/interception-trusted-tls12.pcap",
    "packets/proxy-407-no-credentials.pcap",
    "packets/script-hosts-reset.pcap",
    "policy/blocked-after-mfa.saz",
    "policy/device-not-compliant.devtools.har",
    "unclear/bodies-missing.devtools.har",
    "unclear/ends-at-prompt.saz",
    "unclear/starts-after-challenge.saz",
    "unclear/tunnels-only.saz",
];

type Flat = Vec<(Mark, Option<String>, Option<String>)>;

/// The rows with their sides, in one order of what stands between two pairs.
fn flat(comparison: &Comparison<'_>, turned: bool) -> Flat {
    let mut rows: Flat = comparison
        .rows
        .iter()
        .map(|row| {
            let view = |view: &Option<mfatrace::report::comparison::StepView>| {
                view.as_ref().map(|view| format!("{view:?}"))
            };
            let (one, other) = (view(&row.working), view(&row.failing));
            if turned { (row.mark, other, one) } else { (row.mark, one, other) }
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn every_pair_mirrors_fits_the_page_and_shows_no_secret() {
    let all: Vec<Analysis> = BAG.iter().map(|path| analysis(path)).collect();
    for (index, one) in all.iter().enumerate() {
        for (place, other) in all.iter().enumerate() {
            let name = format!("{} {}", BAG[index], BAG[place]);
            let (straight, turned) = (compared(one, other), compared(other, one));
            assert_eq!(flat(&straight, false), flat(&turned, true), "{name}");
            let swapped: Vec<_> =
                facts(&turned).into_iter().map(|(name, one, other)| (name, other, one)).collect();
            assert_eq!(facts(&straight), swapped, "{name}");
            assert_eq!(straight.relation, turned.relation, "{name}");
            let place = |comparison: &Comparison<'_>| {
                let parting = comparison.parting.as_ref()?;
                Some((parting.row.map(|row| comparison.rows[row].mark), parting.host.clone()))
            };
            assert_eq!(place(&straight), place(&turned), "{name}");
            for redaction in REDACTIONS {
                let comparison = compare(one, other, redaction, "0");
                let document = json(&comparison);
                assert_eq!(document, json(&compare(one, other, redaction, "0")), "{name}");
                let value: Value = serde_json::from_str(&document).unwrap();
                assert_eq!(value["schema"], "mfatrace-compare/1");
                let shown = text::write(&comparison, false, Detail::Full);
                // A name of a file is never broken.
                let named = |line: &str| line.contains(root().to_str().unwrap());
                let fits = |line: &str| line.chars().count() <= 80 || named(line);
                assert!(shown.lines().all(fits), "{name}: {shown}");
                for output in [&document, &shown] {
                    assert!(!output.contains("FAKESECRET"), "{name}: {output}");
                    let named =
                        output.contains("@contoso.example") && redaction == Redaction::Strict;
                    assert!(!named, "{name}: {output}");
                }
                assert!(!headline(&comparison).is_empty() && headline(&comparison).ends_with('.'));
            }
        }
    }
}

/// A sign-in that worked is never told to stop, and one that failed never to be without a difference.
#[test]
fn what_worked_and_what_failed_differ() {
    let all: Vec<Analysis> = BAG.iter().map(|path| analysis(path)).collect();
    for (index, one) in all.iter().enumerate() {
        for (place, other) in all.iter().enumerate() {
            let comparison = compared(one, other);
            let name = format!("{} {}: {}", BAG[index], BAG[place], headline(&comparison));
            let worked = [comparison.working.worked, comparison.failing.worked];
            if worked == [Some(true), Some(true)] {
                assert!(comparison.parting.is_none(), "{name}");
            }
            if worked == [Some(true), Some(false)] {
                assert_ne!(comparison.relation, Relation::Alike, "{name}");
                assert!(
                    comparison
                        .notes
                        .iter()
                        .all(|note| { !note.shown(Redaction::Strict).contains("wrong way round") })
                );
                assert_eq!(comparison.labels, ["working", "failing"], "{name}");
            }
            if worked == [Some(false), Some(true)] {
                let notes = comparison.notes.iter().map(|note| note.shown(Redaction::Strict));
                assert!(notes.into_iter().any(|note| note.contains("wrong way round")), "{name}");
            }
        }
    }
}

/// Where pairs must part: the kind of step on the working side, and on the failing side.
#[test]
fn the_first_difference_is_the_right_one() {
    for (working, failing, one, other) in [
        ("browser/push-approved.devtools.har", "browser/push-denied.saz", "mfa_poll", "mfa_poll"),
        ("browser/push-approved.saz", "browser/script-host-reset.saz", "mfa_begin", "other"),
        (
            "browser/push-approved.saz",
            "browser/begin-block-page.devtools.har",
            "mfa_begin",
            "mfa_begin",
        ),
        (
            "browser/push-approved.saz",
            "browser/not-registered.devtools.har",
            "mfa_page",
            "registration",
        ),
        (
            "healthy/federated-cloud-mfa.saz",
            "browser/not-registered.devtools.har",
            "mfa_page",
            "registration",
        ),
        ("browser/push-approved.saz", "policy/blocked-after-mfa.saz", "mfa_finish", "mfa_finish"),
        (
            "healthy/federated-cloud-mfa.saz",
            "network/federation-unreachable.saz",
            "federation_redirect",
            "federation_redirect",
        ),
        (
            "keyed/push-approved-tls13-h2.pcapng",
            "keyed/polls-reset-tls12-h1.har",
            "mfa_poll",
            "mfa_poll",
        ),
        (
            "keyed/push-approved-tls13-h2.har",
            "keyed/push-denied-tls12-h2.pcapng",
            "mfa_poll",
            "mfa_poll",
        ),
        (
            "healthy/sms-typed-late.saz",
            "challenge/wrong-code-sms.devtools.har",
            "mfa_code",
            "mfa_code",
        ),
        (
            "browser/push-approved.saz",
            "browser/sign-in-host-refused.devtools.har",
            "authorize",
            "authorize",
        ),
    ] {
        let (a, b) = (analysis(working), analysis(failing));
        let comparison = compared(&a, &b);
        let name = format!("{working} {failing}: {}", headline(&comparison));
        assert_eq!(comparison.relation, Relation::Parted, "{name}");
        let parting = comparison.parting.as_ref().unwrap();
        assert!(parting.decides, "{name}");
        let document: Value = serde_json::from_str(&json(&comparison)).unwrap();
        let refs = |side: &str| document["parting"][side]["refs"].as_array().unwrap().len();
        assert!(refs("working") > 0 && refs("failing") > 0, "{name}");
        let row = &document["steps"][parting.row.unwrap()];
        assert_eq!(row["working"]["kind"], one, "{name}");
        let there = row["failing"]["kind"].as_str();
        let in_place = || {
            let steps = document["steps"].as_array().unwrap();
            steps.iter().find(|step| step["mark"] == "parts" && step["working"].is_null())
        };
        let there = there.or_else(|| in_place()?["failing"]["kind"].as_str());
        assert_eq!(there, Some(other), "{name}");
    }
}

#[test]
fn connections_are_compared_where_nothing_can_be_read() {
    let (working, failing) =
        (analysis("lab/healthy-tls13.pcap"), analysis("packets/script-hosts-reset.pcap"));
    let comparison = compared(&working, &failing);
    assert!(comparison.rows.is_empty());
    let host = comparison.parting.as_ref().unwrap().host.as_ref().unwrap();
    assert_eq!(host.as_str(), "aadcdn.msauth.net");
    let har = analysis("browser/push-approved.devtools.har");
    let comparison = compared(&har, &working);
    assert_eq!(comparison.failing.level, Level::Connections);
    assert!(comparison.parting.is_none(), "{}", headline(&comparison));
    assert!(headline(&comparison).starts_with("Only connections can be compared"));
}

#[test]
fn what_a_capture_would_not_have_shown_is_no_difference() {
    let working = analysis("browser/push-approved.devtools.har");
    let failing = analysis("unclear/ends-at-prompt.devtools.har");
    let comparison = compared(&working, &failing);
    assert!(comparison.rows.iter().all(|row| row.mark != Mark::Parts));
    assert!(headline(&comparison).contains("is not in its capture"), "{}", headline(&comparison));
    assert!(!comparison.parting.as_ref().unwrap().is_proven);
}

#[test]
fn what_waits_when_a_capture_ends_is_not_called_a_stop() {
    let working = analysis("browser/push-approved.devtools.har");
    let failing = analysis("unclear/ends-while-polling.devtools.har");
    let comparison = compared(&working, &failing);
    assert!(comparison.rows.iter().all(|row| row.mark != Mark::Parts));
    assert!(!comparison.parting.as_ref().unwrap().is_proven);
}

/// A capture of the corpus with texts replaced, analysed.
fn changed(path: &str, changes: &[(&str, &str)]) -> Analysis {
    let mut text = std::fs::read_to_string(root().join("captures").join(path)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.har");
    std::fs::write(&file, text).unwrap();
    support::run(&[file], &[])
}

#[test]
fn settings_of_client_and_request_are_told_and_noise_is_not() {
    let path = "challenge/wrong-code-sms.devtools.har";
    let same = changed(path, &[]);
    let ids = |from: &str, to: &str| facts(&compared(&same, &changed(path, &[(from, to)])));
    let one = |from: &str, to: &str| {
        let all = ids(from, to);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    };
    let told = |name: &str, a: &str, b: &str| (name.to_owned(), a.to_owned(), b.to_owned());
    assert_eq!(one("Edg/142", "Edg/120"), told("browser", "Edge 142", "Edge 120"));
    assert_eq!(one("Windows NT 10.0", "Macintosh"), told("system", "Windows", "macOS"));
    let prompt = one("response_type=", "prompt=login&response_type=");
    assert_eq!(prompt, told("prompt", "none", "login"));
    let hint = one("response_type=", "domain_hint=contoso.example&response_type=");
    assert_eq!(hint, told("domain hint", "none", "contoso.example"));
    // A version of the week, another day, another user.
    assert!(ids("Edg/142.0.0.0", "Edg/142.0.1.7").is_empty());
    assert!(ids("2030-01-15T", "2030-02-20T").is_empty());
    assert!(ids("adele.vance", "lee.gu").is_empty());
}

#[test]
fn only_far_slower_steps_are_told() {
    let path = "browser/push-approved.devtools.har";
    let text = std::fs::read_to_string(root().join("captures").join(path)).unwrap();
    let mut archive: Value = serde_json::from_str(&text).unwrap();
    let fast = support::run(&[root().join("captures").join(path)], &[]);
    let mut slow = |entry: usize, milliseconds: f64| {
        let entry = &mut archive["log"]["entries"][entry];
        entry["time"] = milliseconds.into();
        entry["timings"] = serde_json::json!({ "send": 0, "wait": milliseconds, "receive": 0 });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slow.har");
        std::fs::write(&file, archive.to_string()).unwrap();
        facts(&compared(&fast, &support::run(&[file], &[])))
    };
    // The poll waits on purpose.
    assert!(slow(8, 9_000.0).is_empty());
    assert!(slow(5, 1_500.0).is_empty());
    let found = slow(5, 9_000.0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "time taken");
    assert!(found[0].2.starts_with("9.0 s for the password"), "{found:?}");
}

#[test]
fn of_the_first_capture_the_attempt_that_worked_is_taken() {
    let both = analysis("challenge/two-users.devtools.har");
    let before = both.verdict.attempt;
    let followed = follow_success(both, &Selection::default());
    let success =
        followed.signin.attempts.iter().any(|one| one.outcome.as_str() == "mfa_completed");
    assert_eq!(success, followed.verdict.side.as_str() == "nothing_wrong");
    let denied = analysis("browser/push-denied.saz");
    let attempt = denied.verdict.attempt;
    assert_eq!(follow_success(denied, &Selection::default()).verdict.attempt, attempt);
    let asked = Selection { attempt: before.map(|id| id.0), ..Selection::default() };
    let both = analysis("challenge/two-users.devtools.har");
    assert_eq!(follow_success(both, &asked).verdict.attempt, before);
}

#[test]
fn the_comparisons_read_as_they_were_read() {
    for (name, working, failing) in [
        ("denied", "browser/push-approved.devtools.har", "browser/push-denied.saz"),
        ("script_host", "browser/push-approved.saz", "browser/script-host-reset.saz"),
        ("block_page", "browser/push-approved.saz", "browser/begin-block-page.devtools.har"),
        ("proxy", "browser/push-approved.devtools.har", "network/proxy-sign-in-refused.saz"),
        ("registration", "healthy/federated-cloud-mfa.saz", "browser/not-registered.devtools.har"),
        ("policy", "keyed/push-approved-tls13-h2.pcapng", "policy/blocked-after-mfa.saz"),
        ("packets", "browser/push-approved.devtools.har", "packets/script-hosts-reset.pcap"),
        ("encrypted", "browser/push-approved.devtools.har", "lab/healthy-tls13.pcap"),
        ("same_session", "keyed/push-approved-tls13-h2.har", "keyed/push-approved-tls13-h2.pcapng"),
        ("cut_short", "browser/push-approved.devtools.har", "unclear/ends-at-prompt.saz"),
        ("wrong_way_round", "browser/push-denied.saz", "browser/push-approved.devtools.har"),
        ("nothing", "browser/push-approved.devtools.har", "healthy/no-sign-in.saz"),
        ("interception", "lab/healthy-tls12.pcap", "packets/interception-trusted-tls12.pcap"),
    ] {
        let text = out(&program(&[working, failing]));
        insta::assert_snapshot!(name, text);
    }
}

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfatrace"));
    command.current_dir(root().join("captures")).stdin(Stdio::null());
    command.arg("compare").args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const WORKING: &str = "browser/push-approved.devtools.har";
const FAILING: &str = "browser/push-denied.saz";

#[test]
fn the_command_compares() {
    let output = program(&[WORKING, FAILING]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).starts_with("Both sign-ins go alike up to the start of MFA; then"));
    assert_eq!(output.stdout, program(&[WORKING, FAILING]).stdout);
    let brief = out(&program(&[WORKING, FAILING, "-q"]));
    assert!(out(&output).starts_with(&brief) && !brief.contains("Step by step"));
    let document: Value =
        serde_json::from_slice(&program(&[WORKING, FAILING, "--format", "json"]).stdout).unwrap();
    assert_eq!(document["relation"], "parted");
    assert_eq!(document["failing"]["outcome"], "mfa_denied");
    assert!(document["working"]["inputs"][0]["sha256"].is_string());
    let strict = out(&program(&[WORKING, FAILING, "--redact", "strict"]));
    assert!(strict.contains("user-1") && !strict.contains("a***e"), "{strict}");
}

#[test]
fn keys_open_both_sides() {
    let packets = "keyed/push-denied-tls13-h1.pcap";
    let keys = format!("{packets}.keylog");
    let output = program(&[WORKING, packets, "--keylog", &keys]);
    assert!(out(&output).contains("the poll for the MFA result"), "{}", out(&output));
    let output = program(&[WORKING, packets]);
    assert!(out(&output).starts_with("Only connections can be compared"), "{}", out(&output));
}

#[test]
fn attempts_are_chosen() {
    let both = "challenge/two-users.devtools.har";
    let attempts = ["--working-attempt", "2", "--failing-attempt", "1"];
    let output = program(&[&[both, both], &attempts[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let document = program(&[&[both, both, "--format", "json"], &attempts[..]].concat());
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(
        (&document["working"]["attempt"], &document["failing"]["attempt"]),
        (&Value::from(2), &Value::from(1))
    );
    let none = program(&[both, both, "--failing-attempt", "9"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(err(&none).contains("no attempt 9; its attempts are 1, 2"), "{}", err(&none));
    let none = program(&[both, both, "--user", "nobody@contoso.example"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(!err(&none).contains("nobody"), "{}", err(&none));
}

#[test]
fn wrong_use_and_unread_sides_are_told() {
    for arguments in [
        &[WORKING] as &[&str],
        &[WORKING, FAILING, "--format", "html"],
        &["-", "-"],
        &[WORKING, FAILING, WORKING],
        &[WORKING, FAILING, "-q", "-v"],
        &[WORKING, FAILING, "-o", FAILING],
        &[WORKING, FAILING, "-o", WORKING],
    ] {
        let output = program(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(out(&output).is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let formats = err(&program(&[WORKING, FAILING, "--format", "html"]));
    assert!(formats.contains("text") && formats.contains("json"), "{formats}");

    let output = program(&[WORKING, "no/such/file.saz"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(out(&output).starts_with("The second capture could not be read"), "{}", out(&output));
    assert!(err(&output).contains("nothing of the failing side could be read"));
    let output = program(&["no/such/file.saz", FAILING]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("nothing of the working side could be read"));

    let output = program(&["no/such/one.saz", "no/such/other.saz"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(out(&output).is_empty());
    let output = program(&["no/such/one.saz", "no/such/other.saz", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["relation"], "not_comparable");
}

#[test]
fn the_readme_shows_what_is_printed() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("## What it compares").unwrap();
    let block = rest.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let output = program(&["browser/push-approved.saz", "browser/script-host-reset.saz", "-q"]);
    assert_eq!(block, out(&output));
}

#[test]
fn the_comparison_goes_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("comparison.txt");
    let output = program(&[WORKING, FAILING, "-o", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    let shown = std::fs::read_to_string(&path).unwrap();
    assert_eq!(shown, out(&program(&[WORKING, FAILING])));
}
