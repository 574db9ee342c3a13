//! What the README shows is what the program prints.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::path::Path;
use std::process::Command;

/// The command in the comment above a block of output, and the block.
fn example(readme: &str) -> (Vec<String>, String) {
    let (_, rest) = readme.split_once("<!-- output of: mfatrace ").unwrap();
    let (command, rest) = rest.split_once(" -->").unwrap();
    let (_, rest) = rest.split_once("```text\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    (command.split_whitespace().map(str::to_owned).collect(), block.to_owned())
}

#[test]
fn the_example_is_real_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (arguments, shown) = example(&readme);
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(&arguments)
        .current_dir(root)
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(shown.lines().count() > 20, "the README shows too little of it");
    if std::env::var_os("UPDATE").is_some() && !printed.starts_with(&shown) {
        let beginning = printed.split("\nNoted").next().unwrap();
        let new = readme.replace(&format!("```text\n{shown}"), &format!("```text\n{beginning}"));
        std::fs::write(&path, new).unwrap();
        return;
    }
    assert!(printed.starts_with(&shown), "UPDATE=1 rewrites the README; printed:\n{printed}");
}

#[test]
fn the_commands_of_the_readme_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let capture = readme.split("cargo run --release -- ").nth(1).unwrap();
    let capture = capture.split_whitespace().next().unwrap();
    assert!(root.join(capture).is_file(), "{capture}");
    assert!(root.join(".ci/check.sh").is_file());
}

/// A picture cannot be compared byte for byte; its words can: they are those of the report that it is made of.
#[test]
fn the_picture_is_of_a_report_that_says_what_its_words_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (words, rest) = readme.split_once("![HTML report: ").unwrap().1.split_once("](").unwrap();
    let (path, rest) = rest.split_once(')').unwrap();
    let picture = std::fs::read(root.join(path)).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() < 400_000, "{path}");
    let command = rest.split_once("made of: mfatrace ").unwrap().1.lines().next().unwrap();
    let (command, _) = command.split_once(" -o ").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(command.split_whitespace())
        .current_dir(root)
        .output()
        .unwrap();
    let html = String::from_utf8(output.stdout).unwrap();
    let (_, summary) = words.split_once(", ").unwrap();
    let (summary, _) = summary.split_once(" Below it").unwrap();
    assert!(html.contains(summary), "{summary}");
    let script = rest.split_once("by: node ").unwrap().1.split_whitespace().next().unwrap();
    assert!(root.join(script).is_file(), "{script}");
}
