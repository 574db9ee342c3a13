//! The import law, the bans and the sizes that the house rests on.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of the crate. `finding` may import the vocabulary of `entra`, so that a
/// rule's side and cause are typed.
const LAW: &[(&str, &[&str])] = &[
    (
        "analyze",
        &[
            "capture", "entra", "evidence", "finding", "limits", "report", "rules", "signin",
            "time", "verdict",
        ],
    ),
    ("capture", &["evidence", "limits", "proto", "time"]),
    (
        "cli",
        &[
            "analyze", "compare", "evidence", "finding", "limits", "report", "signin", "time",
            "triage", "verdict", "web",
        ],
    ),
    (
        "compare",
        &["analyze", "evidence", "finding", "limits", "report", "signin", "time", "verdict"],
    ),
    ("entra", &[]),
    ("evidence", &["limits", "time"]),
    ("finding", &["entra", "evidence", "time"]),
    ("limits", &[]),
    ("manual", &[]),
    ("proto", &["limits", "time"]),
    ("report", &["entra", "evidence", "finding", "signin", "time", "verdict"]),
    ("rules", &["entra", "evidence", "finding", "signin", "time"]),
    ("signin", &["entra", "evidence", "time"]),
    ("time", &[]),
    ("triage", &["analyze", "evidence", "limits", "report", "time"]),
    ("verdict", &["evidence", "finding", "signin", "time"]),
    ("web", &["analyze", "evidence", "finding", "limits", "report", "signin", "time", "verdict"]),
];

/// Modules of the standard library that only some files may name. Of `std::net` the types of addresses
/// are data and free; its sockets are not.
const BANNED_MODULES: &[&str] = &["fs", "process", "thread"];
/// Names that only some files may use.
const BANNED: &[&str] =
    &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "SystemTime", "Instant"];

/// Names that the server may use: its port and its connections are its own, and its timers are told as points
/// in time. No result depends on them.
const OF_THE_SERVER: &[&str] = &["TcpStream", "TcpListener", "Instant"];

/// Where those may be named.
const ALLOWED: &[&str] = &[
    "src/capture/source.rs",
    "src/capture/source/",
    "src/cli/",
    "src/main.rs",
    // Folders are listed and workers are started; no clock is looked at.
    "src/triage/find.rs",
    "src/triage/worker.rs",
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The code of a file: comments gone, and its module of tests at the end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn module(name: &str) -> &str {
    let rest = name.strip_prefix("src/").unwrap_or(name);
    rest.split(['/', '.']).next().unwrap_or_default()
}

/// The names that stand first behind a path such as `crate::`, groups in braces included.
fn names_behind(code: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    for part in code.split(path).skip(1) {
        let Some(group) = part.strip_prefix('{') else {
            found.push(word(part));
            continue;
        };
        let mut depth = 0_u32;
        let mut name = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => found.push(word(&std::mem::take(&mut name))),
                c if depth == 0 => name.push(c),
                _ => {}
            }
        }
        found.push(word(&name));
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The modules that a text names through `crate::`.
fn imports(code: &str) -> Vec<String> {
    names_behind(code, "crate::")
}

#[test]
fn modules_import_what_the_law_allows() {
    let law: BTreeMap<&str, &[&str]> = LAW.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        let here = module(&name);
        if matches!(here, "lib" | "main") {
            continue;
        }
        let allowed = law.get(here).unwrap_or_else(|| panic!("{name}: no law for this module"));
        for import in imports(&code(&text)) {
            if import != here
                && law.contains_key(import.as_str())
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_climbs_out_of_its_module() {
    for (name, text) in all_sources() {
        let depth = name.matches('/').count();
        let climbs = code(&text).contains("super::super::super");
        let out = depth <= 2 && code(&text).contains("super::super::");
        assert!(!climbs && !out, "{name}: name it through crate::");
    }
}

#[test]
fn the_law_catches_a_breach() {
    assert_eq!(
        imports("use crate::{time, capture::Scope};\nlet x = crate::rules::find;"),
        ["time", "capture", "rules"]
    );
    assert_eq!(imports("use crate::{a::{b, c}, d};"), ["a", "d"]);
    assert_eq!(imports("// nothing"), Vec::<String>::new());
    assert_eq!(names_behind("use std::{fs, io::{self, Read}};", "std::"), ["fs", "io"]);
}

#[test]
fn files_clocks_threads_and_processes_stay_at_the_edge() {
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        if ALLOWED.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        let code = code(&text);
        for module in names_behind(&code, "std::") {
            if BANNED_MODULES.contains(&module.as_str()) {
                wrong.push(format!("{name} names std::{module}"));
            }
        }
        for banned in BANNED {
            let may = name.starts_with("src/web/") && OF_THE_SERVER.contains(banned);
            if code.contains(banned) && !may {
                wrong.push(format!("{name} names {banned}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_of_a_size_that_can_be_read() {
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        let lines = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
        if lines > 900 && !name.ends_with("tests.rs") {
            wrong.push(format!("{name}: {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "split these: {wrong:#?}");
}

#[test]
fn every_entry_for_fuzzing_has_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut wanted = Vec::new();
    for (name, text) in all_sources() {
        for part in text.split("#[doc(hidden)]\npub fn fuzz_").skip(1) {
            let entry = part.split('(').next().unwrap_or_default().to_owned();
            let path = folder.join(format!("targets/{entry}.rs"));
            let target = fs::read_to_string(&path).unwrap_or_default();
            let calls = format!("::fuzz_{entry}(bytes)");
            assert!(target.contains(&calls), "{name}: no target calls fuzz_{entry}");
            let path = format!("name = \"{entry}\"\npath = \"targets/{entry}.rs\"");
            assert!(manifest.contains(&path), "{name}: the manifest lacks {entry}");
            wanted.push(entry);
        }
    }
    let is_entry = |line: &&str| line.trim_start().starts_with("pub fn fuzz_");
    let count = all_sources().iter().map(|(_, text)| text.lines().filter(is_entry).count()).sum();
    assert_eq!(wanted.len(), count, "an entry is hidden in the documentation");
    assert_eq!(fs::read_dir(folder.join("targets")).unwrap().count(), count);
}

#[test]
fn only_the_command_line_prints_and_exits() {
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        if name.starts_with("src/cli/") {
            continue;
        }
        let code = code(&text);
        for banned in ["println!", "eprintln!", "print!(", "process::exit", "stdout()", "stderr()"]
        {
            if code.contains(banned) {
                wrong.push(format!("{name} uses {banned}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_module_is_a_shell_or_a_drawer() {
    for (name, text) in all_sources() {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !matches!(stem.as_str(), "utils" | "common" | "helpers" | "misc"),
            "{name}: name it for what it is"
        );
        assert!(text.starts_with("//!"), "{name}: a module says what it is for");
        assert!(!code(&text).trim().is_empty() || text.contains("include_str!"), "{name} is empty");
    }
}
