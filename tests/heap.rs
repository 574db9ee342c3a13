//! A heap of attachments: each file has its record, within the memory that is stated, in the same bytes for
//! one job and for two, also when the run is killed on its way.
//!
//! `MFATRACE_BIG=1` makes it 20,000 files, and has it say how much faster two jobs are.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test support, and a measurement"
)]
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::support::heap::{self, Kind};

/// Bytes that a run may take besides its workers.
const OWN: u64 = 128 << 20;

/// Bytes of memory that a process had at its most (proc(5), `VmHWM`), and its parent.
fn peak(process: &str) -> Option<(u64, u32)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((field("VmHWM:")? << 10, u32::try_from(field("PPid:")?).unwrap()))
}

/// The peaks of a process and of its children.
fn look(own: &mut u64, worker: &mut u64, process: u32) {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match peak(&name) {
            Some((bytes, _)) if name == process.to_string() => *own = bytes.max(*own),
            Some((bytes, parent)) if parent == process => *worker = bytes.max(*worker),
            _ => {}
        }
    }
}

/// Runs triage; `kill` ends it when so many bytes of results are there. Gives the time that it took.
fn run(folder: &Path, results: &Path, more: &[&str], kill: Option<u64>) -> Duration {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(["triage", folder.to_str().unwrap(), "--format", "ndjson", "--quiet", "-o"])
        .arg(results)
        .args(more)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (mut own, mut worker) = (0, 0);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            if kill.is_none() {
                assert!(matches!(status.code(), Some(0 | 4)), "{status}");
            }
            break;
        }
        look(&mut own, &mut worker, child.id());
        let size = fs::metadata(results).map_or(0, |file| file.len());
        if kill.is_some_and(|limit| size > limit) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{more:?}: {} MiB, workers up to {} MiB each", own >> 20, worker >> 20);
    assert!(own < OWN, "{own}");
    assert!(worker < mfatrace::limits::TRIAGE_WORKER, "{worker}");
    start.elapsed()
}

fn records(results: &Path) -> Vec<Value> {
    let text = fs::read_to_string(results).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether the records are those that the heap calls for.
fn check(records: &[Value], told: &BTreeMap<String, Kind>) {
    let mut by_file: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for record in records {
        by_file.entry(record["tree_path"].as_str().unwrap()).or_default().push(record);
        assert!(record["beside"].as_array().unwrap().is_empty(), "{}", record["tree_path"]);
        assert_ne!(record["code"], "worker-lost", "{}", record["tree_path"]);
        assert_ne!(record["code"], "internal-error", "{}", record["tree_path"]);
    }
    assert_eq!(by_file.len(), told.len(), "every file has its record");
    for (path, kind) in told {
        let records = &by_file[path.as_str()];
        for (index, record) in records.iter().enumerate() {
            assert_eq!(record["part"], index + 1, "{path}");
            assert_eq!(record["parts"], records.len(), "{path}");
        }
        match kind {
            Kind::Captures(stories) => {
                let text = |record: &Value, name: &str| {
                    record["verdict"][name].as_str().unwrap_or_default().to_owned()
                };
                let got: Vec<(String, String)> =
                    records.iter().map(|one| (text(one, "outcome"), text(one, "side"))).collect();
                assert_eq!(&got, stories, "{path}");
            }
            Kind::Foreign => assert_eq!(records[0]["code"], "not-a-capture", "{path}"),
            Kind::Damaged => assert_eq!(records.len(), 1, "{path}"),
            Kind::Hostile => {}
        }
    }
}

#[test]
fn a_heap_is_recorded_whole() {
    let big = std::env::var_os("MFATRACE_BIG").is_some();
    let count = if big { 20_000 } else { 600 };
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let told = heap::write(folder.path(), count);
    assert_eq!(told.len(), count);
    let place = |name: &str| elsewhere.path().join(name);
    let (one, two, cut) = (place("one"), place("two"), place("cut"));
    let took = run(folder.path(), &two, &["--jobs", "2"], None);
    check(&records(&two), &told);
    let alone = run(folder.path(), &one, &["--jobs", "1"], None);
    let whole = fs::read(&one).unwrap();
    assert!(whole == fs::read(&two).unwrap(), "one job and two give the same bytes");
    println!("{count} files: one job {alone:?}, two jobs {took:?}");

    let half = u64::try_from(whole.len() / 2).unwrap();
    run(folder.path(), &cut, &["--jobs", "2"], Some(half));
    let there = fs::read(&cut).unwrap();
    assert!(there.len() < whole.len() && whole.starts_with(&there), "killed on its way");
    let resumed = ["--jobs", "2", "--resume", cut.to_str().unwrap()];
    run(folder.path(), &cut, &resumed, None);
    assert!(
        fs::read(&cut).unwrap() == whole,
        "resumed, nothing is missing and nothing is there twice"
    );
}
