//! The contract of the command line, against the built program.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(feature = "cli")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use mfatrace::analyze::{rule_metas, rules_fed_by};
use mfatrace::report::explain::{Books, everything};
use proptest::prelude::*;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfatrace"));
    command.stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file that is no capture, in a folder of its own.
fn note() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.txt");
    std::fs::write(&path, "nothing of a capture\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn help_and_version_succeed() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = out(&help);
    assert!(text.contains("Examples:") && text.contains("Exit codes:"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for option in [
        "--format",
        "--output",
        "--evidence",
        "--lines",
        "--redact",
        "--user",
        "--attempt",
        "--since",
        "--until",
        "--color",
        "--verbose",
        "--quiet",
        "--no-hash",
        "--max-input",
        "--max-expanded",
        "--max-buffered",
        "--max-body",
        "--max-entry",
        "--max-ratio",
        "--max-depth",
        "--timeout",
        "--password-file",
        "--fail-on",
        "--exit-by-verdict",
    ] {
        assert!(text.contains(option), "{option}");
    }
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(out(&version).trim(), format!("mfatrace {}", env!("CARGO_PKG_VERSION")));
    for command in ["compare", "explain", "rules", "schema", "serve", "completions", "man"] {
        assert!(text.contains(&format!("\n  {command} ")), "{command}");
        let help = run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        let text = out(&help);
        assert!(text.contains("Examples:"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn wrong_usage_is_two() {
    for args in [
        &[] as &[&str],
        &["--no-such-option"],
        &["x", "--format", "yaml"],
        &["x", "--max-input", "many"],
        &["x", "--max-ratio", "0"],
        &["x", "--max-depth", "-1"],
        &["x", "--timeout", "0"],
        &["x", "--fail-on", "firewall"],
        &["x", "--since", "yesterday"],
        &["-", "-"],
        &["x", "-q", "-v"],
        &["x", "--password-file", "no/such/file"],
        &["explain"],
        &["explain", "50074", "--format", "markdown"],
        &["rules", "CAP001"],
        &["--format", "json", "rules"],
        &["--format", "json", "compare", "a.har", "b.har"],
        &["compare", "a.har"],
        &["compare", "a.har", "b.har", "--format", "csv"],
        &["x", "--format", "json", "--lines", "findings"],
        &["--format", "json", "schema"],
        &["schema", "--of", "yaml"],
        &["completions"],
        &["completions", "cmd"],
        &["man", "rule"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(out(&output).is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_missing_file_is_told_and_the_others_are_read() {
    let output = run(&["no/such/file.saz"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(out(&output).is_empty());
    assert!(err(&output).starts_with("mfatrace: no/such/file.saz: "), "{}", err(&output));

    let output = run(&["no/such/file.saz", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["diagnostics"][0]["code"], "not-opened");

    let (_folder, path) = note();
    let output = run(&["no/such/file.saz", &path]);
    assert_eq!(output.status.code(), Some(4));
    assert!(out(&output).contains("note.txt"));
    assert!(err(&output).contains("no/such/file.saz"));
}

#[test]
fn a_file_that_is_no_capture_is_a_result() {
    let (_folder, path) = note();
    let output = run(&[&path]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("not a capture"), "{}", out(&output));
    assert_eq!(run(&[&path, "--exit-by-verdict"]).status.code(), Some(13));
    assert_eq!(run(&[&path, "--fail-on", "undetermined"]).status.code(), Some(1));
    assert_eq!(run(&[&path, "--fail-on", "network,mfa_denied"]).status.code(), Some(0));
}

#[test]
fn json_is_one_document_and_the_same_each_time() {
    let (_folder, path) = note();
    let output = run(&[&path, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "mfatrace/1");
    assert!(json.get("evidence").is_none());
    assert_eq!(output.stdout, run(&[&path, "--format", "json"]).stdout);
    let output = run(&[&path, "--format", "json", "--evidence"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["evidence"]["exchanges"].is_array());
}

#[test]
fn a_report_goes_to_a_file_but_never_over_a_capture() {
    let (folder, path) = note();
    let report = folder.path().join("report.txt");
    let output = run(&[&path, "-o", report.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    assert!(std::fs::read_to_string(&report).unwrap().contains("not a capture"));
    assert_eq!(run(&[&path, "-o", &path]).status.code(), Some(2));
    assert!(std::fs::read_to_string(&path).unwrap().contains("nothing of a capture"));
}

#[test]
fn colours_come_when_asked_for() {
    let (_folder, path) = note();
    assert!(!out(&run(&[&path])).contains('\u{1b}'), "no terminal, no colour");
    let always = program().args([&path, "--color", "always"]).env("NO_COLOR", "1").output();
    assert!(out(&always.unwrap()).contains('\u{1b}'), "an option is stronger than NO_COLOR");
    assert!(!out(&run(&[&path, "--color", "never"])).contains('\u{1b}'));
    let json = run(&[&path, "--color", "always", "--format", "json"]);
    assert!(!out(&json).contains('\u{1b}'));
}

#[cfg(unix)]
#[test]
fn a_name_may_hold_anything() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"a\xff\x1b[31m.har");
    let missing = program().arg(folder.path().join(name)).output().unwrap();
    assert_eq!(missing.status.code(), Some(3));
    assert!(!err(&missing).contains('\u{1b}'));
    std::fs::write(folder.path().join(name), "x").unwrap();
    let there = program().arg(folder.path().join(name)).output().unwrap();
    assert_eq!(there.status.code(), Some(0));
    assert!(!out(&there).contains('\u{1b}'));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let (_folder, path) = note();
    let mut child = program().arg(&path).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Every name that can be asked for: codes, result values, alerts, failure texts, rules and so on.
fn all_names() -> Vec<String> {
    everything(&Books { rules: &rule_metas(), fed: &rules_fed_by })
}

/// Names to ask for at once: a command line of Windows has at most 32767 characters.
const AT_ONCE: usize = 400;

#[test]
fn everything_that_has_a_name_is_explained_whole() {
    let names = all_names();
    let answers: Vec<serde_json::Value> = names.chunks(AT_ONCE).flat_map(answers).collect();
    assert_eq!(answers.len(), names.len());
    for (answer, name) in answers.iter().zip(&names) {
        assert_eq!(answer["what"], **name);
        let entries = answer["entries"].as_array().unwrap();
        assert!(!entries.is_empty(), "{name}");
        for entry in entries {
            for field in ["meaning", "wire_sign", "look_alike", "next_step", "source", "matter"] {
                assert!(entry[field].as_str().unwrap().len() > 5, "{name}: {field}");
            }
            assert_eq!(entry["as_of"], "2026-11-24", "{name}");
            assert_eq!(
                entry["verified"].as_bool().unwrap(),
                !entry["source"].as_str().unwrap().starts_with("unverified"),
                "{name}"
            );
        }
    }
    for id in rule_metas().iter().map(|meta| meta.id.0) {
        assert!(names.iter().any(|name| name == id), "{id}");
    }
}

/// What is said to names.
fn answers(names: &[String]) -> Vec<serde_json::Value> {
    let output = program().args(["explain", "--format", "json"]).args(names).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(output.stderr.is_empty());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json.get("schema").unwrap(), "mfatrace-explain/1");
    json.get("answers").unwrap().as_array().unwrap().clone()
}

#[test]
fn explanations_fit_eighty_columns() {
    let ask = |names: &[String]| out(&program().arg("explain").args(names).output().unwrap());
    let text: String = all_names().chunks(AT_ONCE).map(ask).collect();
    for line in text.lines() {
        assert!(line.chars().count() <= 80 || line.contains("://"), "{line}");
    }
    for label in ["Meaning", "Wire sign", "Look-alike", "Next step", "Matter of", "Source", "As of"]
    {
        let entries = text.matches("\nKind          ").count();
        let shown = text.matches(&format!("\n{label:<14}")).count();
        assert_eq!(shown, entries, "{label}");
    }
}

#[test]
fn a_failure_text_names_the_rule_it_feeds() {
    let output = run(&["explain", "net::ERR_NAME_NOT_RESOLVED"]);
    assert!(out(&output).contains("\nFeeds rule    DNS001\n"), "{}", out(&output));
    assert_eq!(output.stdout, run(&["explain", "net::ERR_NAME_NOT_RESOLVED"]).stdout);
}

#[test]
fn what_is_several_things_is_shown_as_all() {
    let text = out(&run(&["explain", "AccessPassExpired"]));
    assert!(
        text.contains("AADSTS130504: AccessPassExpired") && text.contains("\nAccessPassExpired\n")
    );
    let text = out(&run(&["explain", "tls", "alert", "48", "policy-page", "12"]));
    assert!(text.contains("TLS alert 48: unknown_ca"));
    assert!(text.contains("iErrorDescription 12") && text.contains("iErrorTitle 12"));
}

#[test]
fn an_unknown_name_is_wrong_usage_and_the_others_are_explained() {
    let output = run(&["explain", "PhoneAppDenyed", "50074"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).starts_with("AADSTS50074: "));
    let said = err(&output);
    assert_eq!(said.lines().count(), 1);
    assert!(said.starts_with("mfatrace: 'PhoneAppDenyed' is not known; near it: PhoneAppDenied"));
    let output = run(&["explain", "PhoneAppDenyed", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["answers"][0]["entries"].as_array().unwrap().len(), 0);
    assert_eq!(json["answers"][0]["nearest"][0], "PhoneAppDenied");
}

#[test]
fn nothing_that_a_terminal_acts_on_comes_back() {
    let hostile = "a\u{1b}]0;owned\u{7}\u{202e}zas\u{9b}31m\nAADSTS";
    for format in ["text", "json"] {
        let output = run(&["explain", hostile, "--format", format]);
        assert_eq!(output.status.code(), Some(2));
        let said = format!("{}{}", out(&output), err(&output));
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{said:?}");
        assert_eq!(err(&output).lines().count(), 1);
    }
}

#[test]
fn a_file_named_like_a_command_is_reached_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["explain", "rules"] {
        std::fs::write(folder.path().join(name), "nothing of a capture\n").unwrap();
        let path = format!("./{name}");
        let output = program().arg(&path).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).contains("not a capture"), "{}", out(&output));
    }
}

#[test]
fn the_rules_are_listed_in_three_forms() {
    let text = out(&run(&["rules"]));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json: serde_json::Value =
        serde_json::from_slice(&run(&["rules", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["schema"], "mfatrace-rules/1");
    let page = out(&run(&["rules", "--format", "markdown"]));
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/rules.md");
    assert_eq!(page, std::fs::read_to_string(manual).unwrap());
    for (index, meta) in rule_metas().iter().enumerate() {
        assert!(text.contains(&format!("\n{}  {} ", meta.id, meta.name)), "{}", meta.id);
        assert_eq!(json["rules"][index]["id"], meta.id.0);
        assert_eq!(json["rules"][index]["docs"].as_array().unwrap().len(), 6);
    }
}

#[test]
fn a_closed_pipe_is_no_error_of_explain() {
    let mut child = program().args(["explain", "50074"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_question_breaks_the_program(what in "[^\0]{1,40}", number in any::<u64>()) {
        let number = number.to_string();
        let output = run(&["explain", "--format", "json", "--", &what, &number]);
        prop_assert!(matches!(output.status.code(), Some(0 | 2)), "{:?}", output);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        prop_assert!(json["answers"].as_array().is_some_and(|answers| !answers.is_empty()));
    }
}

/// A header, and frames of three bytes.
const PACKETS: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0\
    \0\xf1\x53\x65\x05\0\0\0\x03\0\0\0\x03\0\0\0abc\x01\xf1\x53\x65\x05\0\0\0\x03\0\0\0\x03\0\0\0abc";

#[test]
fn every_form_of_report_is_made_and_the_same_each_time() {
    let capture = "captures/browser/script-host-reset.saz";
    for (format, begins) in [
        ("csv", "message,datetime,timestamp_desc,"),
        ("json", "{\n  \"schema\": \"mfatrace/1\""),
        ("ndjson", "{\"schema\":\"mfatrace/1\""),
        ("sarif", "{\n  \"$schema\": \"https://docs.oasis-open.org/sarif/"),
        ("text", "Network: "),
    ] {
        let output = run(&[capture, "--format", format]);
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert!(out(&output).starts_with(begins), "{format}: {}", out(&output));
        assert_eq!(output.stdout, run(&[capture, "--format", format]).stdout, "{format}");
        assert!(output.stderr.is_empty(), "{format}: no progress without a terminal");
    }
    let output = run(&[capture, "--format", "ndjson", "--lines", "findings"]);
    let text = out(&output);
    assert!(text.lines().count() > 2);
    assert!(text.lines().all(|line| line.starts_with("{\"schema\":\"mfatrace-finding/1\"")));
}

#[cfg(unix)]
#[test]
fn the_bytes_of_a_name_are_kept() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.har"));
    std::fs::write(&path, "x").unwrap();
    let output = program().args(["--format", "json"]).arg(&path).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let bytes = json["inputs"][0]["name_bytes"].as_str().unwrap();
    let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).unwrap();
    assert_eq!(bytes, path.as_os_str().as_bytes());
}

#[test]
fn shells_are_helped() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c mfatrace"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef mfatrace"),
    ] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = out(&output);
        assert!(script.contains(sign) && script.contains("keylog"), "{shell}: {script}");
        assert!(script.contains("explain"), "{shell}");
    }
    let pages = ["compare", "explain", "man", "schema", "serve", "triage"];
    for page in std::iter::once(None).chain(pages.map(Some)) {
        let args: Vec<&str> = std::iter::once("man").chain(page).collect();
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{page:?}");
        let text = out(&output);
        let title = page.map_or("mfatrace 1".to_owned(), |page| format!("mfatrace-{page} 1"));
        assert!(text.contains(&format!(".TH {title}")), "{page:?}: {text}");
        assert!(text.contains("Examples:") && text.contains(".SH OPTIONS"), "{page:?}: {text}");
    }
    let unknown = run(&["man", "rule"]);
    assert!(
        err(&unknown).contains("the commands are compare, explain, triage, rules"),
        "{unknown:?}"
    );
}

#[test]
fn packets_from_the_standard_input_are_read() {
    let mut child = program()
        .args(["-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PACKETS).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"]["outcome"], "no_sign_in");
    assert_eq!(report["verdict"]["confidence"], "low");
    assert_eq!(report["verdict"]["side"], "cannot_tell");
    assert_eq!(report["inputs"][0]["format"], "pcap");
    assert_eq!(report["inputs"][0]["counts"]["records"], 2);
    assert!(report["verdict"]["next_capture"].is_object(), "{report}");
}

#[test]
fn packets_beside_a_trace_without_sign_in_are_both_named() {
    let folder = tempfile::tempdir().unwrap();
    let [packets, trace] = ["a.pcap", "b.har"].map(|name| folder.path().join(name));
    std::fs::write(&packets, PACKETS).unwrap();
    let entry = r#"{"request":{"method":"GET","url":"https://contoso.example/"},"response":{"status":200}}"#;
    std::fs::write(&trace, format!("{{\"log\":{{\"entries\":[{entry}]}}}}")).unwrap();
    let [packets, trace] = [packets, trace].map(|path| path.to_str().unwrap().to_owned());
    let told = out(&run(&[&trace, &packets])).split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "Neither the 1 request nor the 2 frames of the packet capture have to do with";
    assert!(told.contains(words), "{told}");
    assert!(out(&run(&[&trace])).contains("did not go to the sign-in service"));
}

#[test]
fn keys_may_come_beside_behind_and_by_option() {
    let capture = "captures/keyed/push-denied-tls13-h1.pcap";
    let keys = "captures/keyed/push-denied-tls13-h1.pcap.keylog";
    let first = |arguments: &[&str]| {
        let output = run(arguments);
        out(&output).lines().next().unwrap_or_default().to_owned()
    };
    let denied = first(&[capture, "--keylog", keys]);
    assert!(denied.starts_with("User: "), "{denied}");
    for arguments in [[capture, keys], [keys, capture]] {
        assert_eq!(first(&arguments), denied, "{arguments:?}");
    }
    assert!(first(&[capture]).starts_with("Cannot tell: "));
    let missing = run(&[capture, "--keylog", "no/such/keys.log"]);
    assert_eq!(missing.status.code(), Some(4));
    let wrong = run(&[capture, "--keylog", "Cargo.toml"]);
    assert!(out(&wrong).contains("no secret of TLS is in it"));
}
