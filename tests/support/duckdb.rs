//! The command `duckdb`, and what it answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The command: the one that `tests/duckdb/requirements.txt` pins, else one of the machine; `None` with the
/// reason printed, or a failure where it is required.
pub(crate) fn command() -> Option<PathBuf> {
    let pinned = super::root().join("tests/duckdb/python/duckdb_cli/duckdb");
    let candidates = [pinned, PathBuf::from("duckdb")];
    let runs = |path: &PathBuf| {
        Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(runs);
    if found.is_none() {
        let how = "duckdb is missing: see tests/duckdb/requirements.txt";
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "{how}");
        println!("skipped: {how}");
    }
    found
}

/// What a query over the files of a folder gives, a JSON object for each row.
pub(crate) fn ask(duckdb: &Path, folder: &Path, query: &str) -> Vec<Value> {
    let output = Command::new(duckdb)
        .args(["-batch", "-init", "/dev/null", "-c"])
        .arg(format!("COPY ({query}) TO 'answer.ndjson' (FORMAT json)"))
        .current_dir(folder)
        .env("TZ", "Asia/Kolkata")
        .output()
        .unwrap();
    assert!(output.status.success(), "{query}\n{}", String::from_utf8_lossy(&output.stderr));
    let answer = std::fs::read_to_string(folder.join("answer.ndjson")).unwrap();
    answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
