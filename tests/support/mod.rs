//! What the integration tests share: the corpus and one way to analyse.
#![allow(dead_code, reason = "each test uses what it needs")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test support")]

pub(crate) mod archive;
pub(crate) mod browsing;
pub(crate) mod canary;
pub(crate) mod cuts;
pub(crate) mod duckdb;
pub(crate) mod exchange;
pub(crate) mod heap;
pub(crate) mod hostile;
pub(crate) mod json;
pub(crate) mod leaks;
pub(crate) mod memory;
pub(crate) mod random;
pub(crate) mod schema;
pub(crate) mod sealed;
pub(crate) mod signin;
pub(crate) mod traffic;
pub(crate) mod tshark;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mfatrace::analyze::{Analysis, AnalyzeOptions, CaseInput, Selection, analyze};
use mfatrace::limits::Limits;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One row of the manifest.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) outcome: String,
    pub(crate) side: String,
    pub(crate) host: Option<String>,
    pub(crate) mfa: Option<String>,
    pub(crate) password: Option<String>,
    /// The key log beside the capture, where it is not in it.
    pub(crate) keylog: Option<String>,
    pub(crate) story: String,
    pub(crate) producer: String,
    pub(crate) origin: String,
    pub(crate) expect: Vec<String>,
    pub(crate) forbid: Vec<String>,
    pub(crate) covers: Vec<(String, String)>,
}

/// All rows of the manifest.
pub(crate) fn manifest() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("captures/manifest.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let rows = table.get("capture").unwrap().as_array().unwrap();
    rows.iter()
        .map(|row| {
            let text = |key: &str| row.get(key).and_then(|value| value.as_str()).map(str::to_owned);
            let list = |key: &str| {
                row.get(key)
                    .and_then(|value| value.as_array())
                    .map(|all| {
                        all.iter().filter_map(|one| one.as_str()).map(str::to_owned).collect()
                    })
                    .unwrap_or_default()
            };
            Row {
                path: text("path").unwrap(),
                sha256: text("sha256").unwrap(),
                outcome: text("outcome").unwrap(),
                side: text("side").unwrap(),
                host: text("host"),
                mfa: text("mfa"),
                password: text("password"),
                keylog: text("keylog"),
                story: text("story").unwrap_or_default(),
                producer: text("producer").unwrap_or_default(),
                origin: text("origin").unwrap_or_default(),
                expect: list("expect"),
                forbid: list("forbid"),
                covers: row
                    .get("covers")
                    .and_then(|value| value.as_table())
                    .map(|all| {
                        all.iter()
                            .map(|(rule, role)| (rule.clone(), role.as_str().unwrap().to_owned()))
                            .collect()
                    })
                    .unwrap_or_default(),
            }
        })
        .collect()
}

/// The rows for tests that do much with each capture: of those of packets, which are many and long, one
/// in twelve.
pub(crate) fn sample() -> Vec<Row> {
    let is_packets = |row: &Row| {
        row.path.starts_with("lab/")
            || row.path.starts_with("packets/")
            || (row.path.starts_with("keyed/") && row.producer.starts_with("tcpdump"))
    };
    let (packets, others): (Vec<Row>, Vec<Row>) = manifest().into_iter().partition(is_packets);
    others.into_iter().chain(packets.into_iter().step_by(12)).collect()
}

/// Analyses files as one case.
pub(crate) fn run(paths: &[PathBuf], passwords: &[String]) -> Analysis {
    run_with_keys(paths, passwords, &[])
}

/// Analyses files as one case, with key logs.
pub(crate) fn run_with_keys(
    paths: &[PathBuf],
    passwords: &[String],
    key_logs: &[PathBuf],
) -> Analysis {
    let cancel = AtomicBool::new(false);
    let options = AnalyzeOptions {
        limits: Limits::default(),
        hash: false,
        passwords,
        key_logs,
        selection: Selection::default(),
        cancel: &cancel,
    };
    let inputs: Vec<CaseInput> = paths.iter().cloned().map(CaseInput::File).collect();
    analyze(&inputs, &options)
}

/// Analyses one capture of the corpus.
pub(crate) fn run_row(row: &Row) -> Analysis {
    let passwords: Vec<String> = row.password.iter().cloned().collect();
    let captures = root().join("captures");
    let key_logs: Vec<PathBuf> = row.keylog.iter().map(|path| captures.join(path)).collect();
    run_with_keys(&[captures.join(&row.path)], &passwords, &key_logs)
}

/// The folder of public captures; `None` with the reason printed, or a failure where it is required.
pub(crate) fn public(folder: &str) -> Option<PathBuf> {
    let required = std::env::var_os("MFATRACE_REQUIRE").is_some();
    let Some(path) = std::env::var_os("MFATRACE_CAPTURES").map(PathBuf::from) else {
        assert!(!required, "MFATRACE_CAPTURES is not set");
        println!("skipped: MFATRACE_CAPTURES is not set");
        return None;
    };
    let path = path.join(folder);
    if !path.is_dir() {
        assert!(!required, "{} is missing", path.display());
        println!("skipped: {} is missing", path.display());
        return None;
    }
    Some(path)
}
