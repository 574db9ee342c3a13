//! The contract of the command line, against the built program.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(feature = "cli")]

use std::process::{Command, Output, Stdio};

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
