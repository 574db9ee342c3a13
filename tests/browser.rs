//! The HTML report in a real browser: nothing of a capture runs, everything is reached by keyboard, it fits a
//! phone and prints.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(feature = "cli")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use mfatrace::analyze::Analysis;
use mfatrace::report::html;
use serde_json::{Value, json};

/// Captures of each kind of verdict and of input; the first [`WHOLE`] are gone through with the keyboard.
const CAPTURES: &[&str] = &[
    "browser/push-denied.saz",
    "packets/login-dropped-by-system.pcapng",
    "policy/blocked-after-mfa.devtools.har",
    "browser/script-host-reset.saz",
    "healthy/no-sign-in.saz",
    "keyed/call-unanswered-tls12-h1-proxy.pcapng",
    "cases/recorded-twice.zip",
];

/// Captures that are looked at in every way.
const WHOLE: usize = 3;

/// A document for the browser; a `whole` look goes through it with the keyboard, in both
/// colours, and prints it.
fn write(folder: &Path, number: usize, name: &str, document: &str, whole: bool) -> Value {
    let path = folder.join(format!("{number}.html"));
    std::fs::write(&path, document).unwrap();
    json!({"name": name, "path": path, "whole": whole})
}

fn document(analysis: &Analysis) -> String {
    html::write(&analysis.report("0"))
}

/// What is not there, as a failure where it is required and as a printed reason elsewhere.
#[expect(clippy::print_stdout, reason = "says why a test did nothing")]
fn lacks(what: &str) {
    assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "{what}");
    println!("skipped: {what}");
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// What a browser tells of documents; `None` with the reason printed where there is no browser.
fn browse(folder: &Path, documents: &[Value], axe: Option<&Path>) -> Option<Vec<Value>> {
    for program in ["chromium", "node"] {
        if !runs(program) {
            lacks(&format!("{program} is missing"));
            return None;
        }
    }
    let config = folder.join("config.json");
    std::fs::write(&config, json!({"documents": documents, "axe": axe}).to_string()).unwrap();
    let script = support::root().join("tests/browser/drive.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(&config)
        .env("STANDIN_CHROMIUM", "chromium")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn axe() -> Option<PathBuf> {
    let path = support::root().join("tests/browser/node_modules/axe-core/axe.min.js");
    if path.is_file() {
        return Some(path);
    }
    lacks("axe-core is missing: npm ci --prefix tests/browser");
    None
}

/// What no page may show.
fn check(answer: &Value) {
    let name = &answer["name"];
    for list in ["violations", "exceptions", "requests", "overflow", "axe"] {
        assert_eq!(answer[list], json!([]), "{name}: {list}");
    }
    assert_eq!((&answer["owned"], &answer["dialogs"]), (&json!("undefined"), &json!(0)), "{name}");
    assert_eq!(answer["landmarks"], json!([1, 1, 1, 1]), "{name}");
    let walk = &answer["walk"];
    assert_eq!(walk["all"], walk["reached"], "{name}: {walk}");
    for copied in walk["copied"].as_array().into_iter().flatten() {
        let done = (&copied["same"], &copied["told"], &copied["seen"]);
        assert_eq!(done, (&json!(true), &json!("Copied."), &json!(true)), "{name}: {copied}");
        assert!(copied["label"].as_str().is_some_and(|label| label.len() > 3), "{name}: {copied}");
    }
    let pages = answer.get("pages").and_then(Value::as_u64);
    assert!(pages.is_none_or(|pages| (1..60).contains(&pages)), "{name}: {pages:?} pages");
}

#[test]
fn reports_can_be_read_by_everyone() {
    let folder = tempfile::tempdir().unwrap();
    let rows = support::manifest();
    let mut documents = Vec::new();
    for (number, path) in CAPTURES.iter().enumerate() {
        let row = rows.iter().find(|row| row.path == *path).unwrap_or_else(|| panic!("{path}"));
        let text = document(&support::run_row(row));
        documents.push(write(folder.path(), number, path, &text, number < WHOLE));
    }
    let axe = axe();
    let Some(answers) = browse(folder.path(), &documents, axe.as_deref()) else { return };
    assert_eq!(answers.len(), CAPTURES.len());
    answers.iter().for_each(check);
    let walks: Vec<&Value> = answers.iter().filter_map(|answer| answer.get("walk")).collect();
    let copies = |walk: &&Value| walk["copied"].as_array().is_some_and(|all| !all.is_empty());
    assert!(walks.len() == WHOLE && walks.iter().all(copies), "a page without a button");
}

#[test]
fn nothing_of_a_hostile_capture_runs() {
    let folder = tempfile::tempdir().unwrap();
    let all = support::hostile::analyses();
    // Each payload once, and one of the captures of the corpus with all that it has.
    let mut documents: Vec<Value> = all
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < support::hostile::PAYLOADS.len() || index % 5 == 0)
        .map(|(index, (name, analysis))| {
            write(folder.path(), index, name, &document(analysis), index < WHOLE)
        })
        .collect();
    // Without the templates' care the policy alone would stop it, and this test sees that it does.
    let careless = document(&all[0].1).replace(
        "</main>",
        "<script>globalThis.owned=1</script><p onclick=\"owned=1\" style=\"color:red\">x</p></main>",
    );
    documents.push(write(folder.path(), 1000, "careless", &careless, false));
    let Some(mut answers) = browse(folder.path(), &documents, None) else { return };
    let careless = answers.pop().unwrap();
    assert_eq!(careless["owned"], "undefined");
    assert!(careless["violations"].as_array().unwrap().len() >= 2, "{careless}");
    answers.iter().for_each(check);
}
