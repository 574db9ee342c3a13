//! Many attachments: each has its record, in the same bytes for any number of jobs, whatever happens to
//! the processes.
#![expect(clippy::panic, clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use self::support::archive::zip_of_any_names;
use self::support::{manifest, public, root};

fn mfatrace(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfatrace"));
    command.arg("triage").args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end: the records, and the exit code.
fn triage(arguments: &[&str]) -> (String, i32) {
    let done = mfatrace(arguments).output().unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.code().unwrap())
}

fn records(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

fn paths(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| text(record, "tree_path")).collect()
}

/// All files that records are about, also those beside.
fn covered(records: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for record in records {
        let beside = record["beside"].as_array().unwrap().iter();
        for one in std::iter::once(record).chain(beside) {
            let path = text(one, "tree_path").to_owned();
            if all.last() != Some(&path) {
                all.push(path);
            }
        }
    }
    all
}

fn files(folder: &Path, base: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, base, into);
        } else {
            into.push(path.strip_prefix(base).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

fn all_files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    files(folder, folder, &mut all);
    all.sort();
    all
}

/// A folder with copies of captures of ours under other names.
fn folder(named: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, capture) in named {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(root().join("captures").join(capture), path).unwrap();
    }
    folder
}

const DENIED: &str = "browser/push-denied.saz";
const REFUSED: &str = "network/application-unreachable.devtools.har";

#[test]
fn the_corpus_is_judged_as_its_manifest_says() {
    let captures = root().join("captures");
    let given = captures.to_str().unwrap();
    let (one, code) = triage(&[given, "--jobs", "1"]);
    assert_eq!(code, 0);
    let (two, _) = triage(&[given, "--jobs", "2"]);
    assert!(one == two, "two jobs give what one gives");
    let records = records(&one);
    let mut found = covered(&records);
    found.sort();
    found.dedup();
    assert_eq!(found, all_files(&captures));
    let rows: BTreeMap<String, _> =
        manifest().into_iter().map(|row| (row.path.clone(), row)).collect();
    let mut judged = 0;
    for record in &records {
        let Some(row) = rows.get(text(record, "tree_path")) else { continue };
        if row.password.is_some() {
            assert_eq!(record["code"], "encrypted", "{}", row.path);
            continue;
        }
        // An archive of several cases has a record for each.
        if record["parts"] == 1 {
            let verdict = &record["verdict"];
            assert_eq!(text(verdict, "outcome"), row.outcome, "{}", row.path);
            assert_eq!(text(verdict, "side"), row.side, "{}", row.path);
            judged += 1;
        }
    }
    assert!(judged > 500, "{judged}");
    let joined = records.iter().filter(|one| !one["beside"].as_array().unwrap().is_empty());
    assert!(joined.count() > 20, "packets beside a HAR of the same time are one case with it");
}

#[test]
fn every_public_file_has_its_format() {
    let Some(public) = public("") else { return };
    let (out, code) = triage(&[public.to_str().unwrap()]);
    assert_eq!(code, 0);
    let records = records(&out);
    assert_eq!(paths(&records).len(), all_files(&public).len());
    let table = include_str!("triage/formats.tsv");
    let mut expected: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in table.lines().skip(1) {
        let [file, format, code] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        expected.insert(file, (format, code));
    }
    for record in &records {
        let path = text(record, "tree_path");
        // What tells about the captures is no capture.
        let about = ("unrecognised", "not-a-capture");
        let is_about = path.starts_with("truth/") || path == "MANIFEST.tsv";
        let want = if is_about { Some(about) } else { expected.remove(path) };
        let got = (text(record, "format"), text(record, "code"));
        assert_eq!(Some(got), want, "{path}");
    }
    assert!(expected.is_empty(), "{expected:?}");
}

#[test]
fn whatever_it_is_it_has_a_record() {
    let folder = folder(&[("t1/a.saz", DENIED), ("t2/two.zip", "containers/har-and-saz.zip")]);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("empty.har", b"");
    write("picture.saz", b"\x89PNG\r\n\x1a\n0000");
    write("mail.eml", b"From: a\r\nTo: b\r\nSubject: c\r\nDate: d\r\n\r\n");
    let given = folder.path().to_str().unwrap();
    let missing = folder.path().join("t9.har");
    let (out, code) = triage(&[given, missing.to_str().unwrap()]);
    assert_eq!(code, 4, "a path that does not open");
    let records = records(&out);
    let short: Vec<(&str, &str, &Value, &Value)> = records
        .iter()
        .map(|one| {
            let path = text(one, "tree_path");
            let path = path.strip_prefix(given).map_or(path, |path| path.trim_start_matches('/'));
            (path, text(one, "code"), &one["part"], &one["parts"])
        })
        .collect();
    let one = Value::from(1);
    let two = Value::from(2);
    let want = [
        ("empty.har", "not-a-capture", &one, &one),
        ("mail.eml", "not-a-capture", &one, &one),
        ("picture.saz", "not-a-capture", &one, &one),
        ("t1/a.saz", "analysed", &one, &one),
        ("t2/two.zip", "analysed", &one, &two),
        ("t2/two.zip", "analysed", &two, &two),
        ("t9.har", "not-opened", &one, &one),
    ];
    assert_eq!(short, want);
    assert_eq!(records[4]["member"], "case/denied.har");
    assert_eq!(records[5]["member"], "case/network.saz");
    assert_eq!(records[4]["verdict"]["outcome"], "mfa_denied");
    assert_eq!(records[5]["verdict"]["side"], "network");
    assert_eq!(records[4]["sha256"], records[5]["sha256"], "the hash of the file");
}

#[test]
fn a_case_is_what_was_asked_for() {
    let har = "keyed/push-denied-tls12-h2.har";
    let named = [("t/trace.har", har), ("t/trace.pcapng", "keyed/push-denied-tls12-h2.pcapng")];
    let folder = folder(&[named[0], named[1], ("u/both.zip", "containers/har-and-saz.zip")]);
    let given = folder.path().to_str().unwrap();
    let asked = |case: &str| records(&triage(&[given, "--case", case]).0);
    let auto = asked("auto");
    assert_eq!(paths(&auto), ["t/trace.har", "u/both.zip", "u/both.zip"]);
    assert_eq!(auto[0]["beside"][0]["tree_path"], "t/trace.pcapng");
    let file = asked("file");
    assert_eq!(paths(&file), ["t/trace.har", "t/trace.pcapng", "u/both.zip", "u/both.zip"]);
    let archive = asked("archive");
    assert_eq!(paths(&archive), ["t/trace.har", "t/trace.pcapng", "u/both.zip"]);
    assert_eq!(archive[2]["beside"][0]["member"], "case/network.saz");
    let by_folder = asked("folder");
    assert_eq!(paths(&by_folder), ["t/trace.har", "u/both.zip"]);
    assert_eq!(by_folder[0]["verdict"], auto[0]["verdict"]);
}

#[test]
fn a_key_log_opens_the_packets_beside_it() {
    let row = manifest().into_iter().find(|row| row.keylog.is_some()).unwrap();
    let (capture, keys) = (row.path.as_str(), row.keylog.as_deref().unwrap());
    let alone = folder(&[("t/p.pcapng", capture)]);
    let both = folder(&[("t/keys.txt", keys), ("t/p.pcapng", capture)]);
    let asked = |folder: &Path| records(&triage(&[folder.to_str().unwrap()]).0);
    let opened = asked(both.path());
    assert_eq!(paths(&opened), ["t/keys.txt", "t/p.pcapng"], "each file has its record");
    assert_eq!(text(&opened[0], "format"), "key_log");
    assert_eq!(opened[1]["beside"][0]["tree_path"], "t/keys.txt");
    assert_eq!(text(&opened[1]["verdict"], "outcome"), row.outcome);
    assert_ne!(opened[1]["verdict"]["outcome"], asked(alone.path())[0]["verdict"]["outcome"]);
    let log = both.path().join("t/keys.txt");
    let given = triage(&[alone.path().to_str().unwrap(), "--keylog", log.to_str().unwrap()]);
    assert_eq!(records(&given.0)[0]["verdict"], opened[1]["verdict"]);
}

#[test]
fn lists_come_on_the_standard_input() {
    let folder = folder(&[("a b.saz", DENIED), ("c\nd.saz", DENIED), ("e.har", REFUSED)]);
    let listed = |list: &str| {
        let mut child = mfatrace(&["-"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        records(&String::from_utf8(out.stdout).unwrap())
    };
    assert_eq!(paths(&listed("e.har\r\na b.saz\n")), ["e.har", "a b.saz"]);
    assert_eq!(paths(&listed("c\nd.saz\0e.har\0")), ["c\nd.saz", "e.har"]);
    let glob = mfatrace(&["*.saz"]).current_dir(folder.path()).output().unwrap();
    let found = records(&String::from_utf8(glob.stdout).unwrap());
    assert_eq!(paths(&found), ["a b.saz", "c\nd.saz"]);
}

#[test]
fn what_the_shell_writes_to_is_no_attachment() {
    let folder = folder(&[("a.saz", DENIED), ("b.har", REFUSED)]);
    let place = |name: &str| folder.path().join(name);
    let (want, _) = triage(&[folder.path().to_str().unwrap()]);
    for given in [vec!["."], vec!["a.saz", "b.har", "err.txt", "out.ndjson"]] {
        let out = fs::File::create(place("out.ndjson")).unwrap();
        let err = fs::File::create(place("err.txt")).unwrap();
        let mut run = mfatrace(&given);
        let run = run.current_dir(folder.path()).stdout(out).stderr(err);
        assert_eq!(run.status().unwrap().code(), Some(0));
        let found = fs::read_to_string(place("out.ndjson")).unwrap();
        let trees = |text: &str| paths(&records(text)).join(" ");
        assert_eq!(trees(&found), trees(&want));
    }
    // Without that they are files like any other.
    assert_eq!(records(&triage(&[folder.path().to_str().unwrap()]).0).len(), 4);
}

/// Processes that a process started, where the system tells.
fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold blanks (proc(5)).
        let behind = stat.rsplit(')').next().unwrap_or_default();
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            found.push(id);
        }
    }
    found
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come");
}

/// A folder with a file between two captures that takes a while to be hashed, and costs no room on the disk.
fn with_a_long_one() -> tempfile::TempDir {
    let folder = folder(&[("1/a.saz", DENIED), ("3/c.har", REFUSED)]);
    fs::create_dir(folder.path().join("2")).unwrap();
    let long = fs::File::create(folder.path().join("2/b.bin")).unwrap();
    long.set_len(1 << 30).unwrap();
    folder
}

/// A run that is over its second file.
fn begun(folder: &Path, results: &Path, more: &[&str]) -> Child {
    let child = mfatrace(&[folder.to_str().unwrap(), "--jobs", "1", "--format", "ndjson"])
        .args(["-o", results.to_str().unwrap()])
        .args(more)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first record", || fs::read_to_string(results).is_ok_and(|r| r.contains('\n')));
    child
}

fn results_of(path: &Path) -> Vec<Value> {
    records(&fs::read_to_string(path).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_is_killed_or_hangs_costs_one_record() {
    let folder = with_a_long_one();
    let elsewhere = tempfile::tempdir().unwrap();
    for (how, limit) in [("-KILL", "60s"), ("-STOP", "1s")] {
        let results = elsewhere.path().join(how);
        let mut run = begun(folder.path(), &results, &["--timeout", limit]);
        let workers = children(run.id());
        assert_eq!(workers.len(), 1);
        signal(how, workers[0]);
        let ended = run.wait().unwrap();
        assert_eq!(ended.code(), Some(4), "{how}");
        let records = results_of(&results);
        assert_eq!(paths(&records), ["1/a.saz", "2/b.bin", "3/c.har"], "{how}");
        let codes: Vec<&str> = records.iter().map(|one| text(one, "code")).collect();
        assert_eq!(codes, ["analysed", "worker-lost", "analysed"], "{how}");
        // What was lost can be found again, if there was time to hash it.
        assert!(records[1]["sha256"].is_string() || limit == "1s");
        assert!(records[1]["mail"].is_null(), "the customer has no part in it");
        assert!(!Path::new(&format!("/proc/{}", workers[0])).exists(), "{how}: none is left");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_takes_too_long_is_judged_by_what_was_read() {
    let folder = folder(&[("1/a.saz", DENIED)]);
    let long = fs::File::create(folder.path().join("b.bin")).unwrap();
    long.set_len(1 << 40).unwrap();
    let (out, code) = triage(&[folder.path().to_str().unwrap(), "--timeout", "1s"]);
    assert_eq!(code, 4);
    let records = records(&out);
    assert_eq!(paths(&records), ["b.bin", "1/a.saz"]);
    assert_eq!((text(&records[0], "code"), text(&records[1], "code")), ("partial", "analysed"));
    assert!(records[0]["sha256"].is_null());
}

#[cfg(unix)]
#[test]
fn signals_leave_whole_records() {
    let folder = with_a_long_one();
    let elsewhere = tempfile::tempdir().unwrap();
    for (how, code) in [("-INT", 130), ("-TERM", 143)] {
        let results = elsewhere.path().join(how);
        let mut run = begun(folder.path(), &results, &[]);
        let workers = children(run.id());
        // A terminal and a supervisor send it to all of the group.
        for worker in &workers {
            signal(how, *worker);
        }
        signal(how, run.id());
        assert_eq!(run.wait().unwrap().code(), Some(code), "{how}");
        assert_eq!(paths(&results_of(&results)), ["1/a.saz"], "{how}");
        for worker in workers {
            let place = format!("/proc/{worker}");
            wait_for("the end of the worker", || !Path::new(&place).exists());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_is_resumed() {
    let folder = with_a_long_one();
    let elsewhere = tempfile::tempdir().unwrap();
    let place = |name: &str| elsewhere.path().join(name);
    let whole = place("whole");
    let given = folder.path().to_str().unwrap();
    assert_eq!(triage(&[given, "-o", whole.to_str().unwrap()]).1, 0);
    let results = place("results");
    let mut run = begun(folder.path(), &results, &[]);
    let workers = children(run.id());
    signal("-KILL", run.id());
    run.wait().unwrap();
    for worker in workers {
        let place = format!("/proc/{worker}");
        wait_for("the end of the orphan", || !Path::new(&place).exists());
    }
    assert_eq!(paths(&results_of(&results)), ["1/a.saz"]);
    // What was being written when it was killed is torn.
    let kept = fs::read(&results).unwrap();
    let torn = [kept.as_slice(), &kept[..kept.len() / 2]].concat();
    fs::write(&results, &torn).unwrap();
    let resumed = results.to_str().unwrap();
    // Into another file: what is missing, and nothing twice.
    let (rest, code) = triage(&[given, "--resume", resumed]);
    assert_eq!(code, 0);
    assert_eq!(paths(&records(&rest)), ["2/b.bin", "3/c.har"]);
    // Into the same file: as if it had never been killed.
    assert_eq!(triage(&[given, "--resume", resumed, "-o", resumed]).1, 0);
    assert!(fs::read(&results).unwrap() == fs::read(&whole).unwrap());
    assert_eq!(triage(&[given, "--resume", resumed]), (String::new(), 0), "nothing is left");
    // Other options give other records.
    let (other, _) = triage(&[given, "--resume", resumed, "--redact", "strict"]);
    assert_eq!(records(&other).len(), 3);
}

#[test]
fn a_changed_file_is_done_again_and_a_moved_tree_is_not() {
    let folder = folder(&[("t/a.saz", DENIED), ("u/b.har", REFUSED)]);
    let elsewhere = tempfile::tempdir().unwrap();
    let results = elsewhere.path().join("results");
    let resumed = results.to_str().unwrap();
    assert_eq!(triage(&[folder.path().to_str().unwrap(), "-o", resumed]).1, 0);
    let moved = elsewhere.path().join("moved");
    for name in ["t", "u"] {
        fs::create_dir_all(moved.join(name)).unwrap();
    }
    for name in ["t/a.saz", "u/b.har"] {
        fs::copy(folder.path().join(name), moved.join(name)).unwrap();
    }
    let again = || records(&triage(&[moved.to_str().unwrap(), "--resume", resumed]).0);
    assert!(again().is_empty());
    fs::copy(root().join("captures").join(DENIED), moved.join("u/b.har")).unwrap();
    assert_eq!(paths(&again()), ["u/b.har"]);
}

#[test]
fn files_that_look_alike_are_resumed_one_by_one() {
    // The same path and content below two folders, and two names that a redaction makes one.
    let folder = folder(&[
        ("one/x.saz", DENIED),
        ("two/x.saz", DENIED),
        ("one/alice@contoso.com.saz", DENIED),
        ("one/alone@contoso.com.saz", DENIED),
    ]);
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let results = elsewhere.path().join("results");
    let resumed = results.to_str().unwrap();
    let given = [place("one"), place("two")];
    let whole = triage(&[&given[0], &given[1], "--redact", "strict"]).0;
    assert_eq!(whole.lines().count(), 4);
    for kept in 0..=4 {
        let text: String = whole.split_inclusive('\n').take(kept).collect();
        fs::write(&results, text).unwrap();
        let more = ["--redact", "strict", "--resume", resumed, "-o", resumed];
        let all: Vec<&str> = given.iter().map(String::as_str).chain(more).collect();
        assert_eq!(triage(&all).1, 0);
        assert!(fs::read_to_string(&results).unwrap() == whole, "{kept}");
    }
}

#[test]
fn archives_are_resumed_record_by_record() {
    let folder = folder(&[("two.zip", "containers/har-and-saz.zip")]);
    let given = folder.path().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let results = elsewhere.path().join("results");
    let (whole, _) = triage(&[given]);
    let first = whole.lines().next().unwrap();
    fs::write(&results, format!("{first}\n")).unwrap();
    let (rest, code) = triage(&[given, "--resume", results.to_str().unwrap()]);
    assert_eq!((format!("{first}\n{rest}"), code), (whole, 0));
}

/// Writes a zip with captures of ours under these names.
fn zip_at(path: &Path, members: &[(&str, &str)]) {
    let read = |capture: &str| fs::read(root().join("captures").join(capture)).unwrap();
    let members: Vec<(String, Vec<u8>)> =
        members.iter().map(|(name, capture)| ((*name).to_owned(), read(capture))).collect();
    fs::write(path, zip_of_any_names(&members)).unwrap();
}

#[test]
fn each_capture_in_an_archive_has_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let keyed = ["keyed/push-denied-tls12-h2.har", "keyed/push-denied-tls12-h2.pcapng"];
    zip_at(&folder.path().join("a.zip"), &[("trace.har", REFUSED), ("trace.har", keyed[0])]);
    // Which of two belongs to the packets cannot be said by its name.
    let three = [("trace.har", REFUSED), ("trace.har", keyed[0]), ("p.pcapng", keyed[1])];
    zip_at(&folder.path().join("b.zip"), &three);
    // A Fiddler archive into which something else was put.
    let saz = folder.path().join("c.zip");
    fs::copy(root().join("captures").join(DENIED), &saz).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(&saz).unwrap();
    let mut writer = zip::ZipWriter::new_append(file).unwrap();
    writer.start_file("more/trace.har", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(&fs::read(root().join("captures").join(REFUSED)).unwrap()).unwrap();
    writer.finish().unwrap();
    let given = folder.path().to_str().unwrap();
    let (out, code) = triage(&[given, "--jobs", "1"]);
    assert_eq!((code, &triage(&[given, "--jobs", "2"]).0), (0, &out));
    let all = records(&out);
    let short: Vec<_> = all
        .iter()
        .map(|one| (text(one, "tree_path"), text(one, "member"), text(&one["verdict"], "outcome")))
        .collect();
    let of =
        |capture: &str| manifest().into_iter().find(|row| row.path == capture).unwrap().outcome;
    let [refused, har, packets] = [REFUSED, keyed[0], keyed[1]].map(of);
    let denied = of(DENIED);
    let want = [
        ("a.zip", "trace.har", refused.as_str()),
        ("a.zip", "trace.har", &har),
        ("b.zip", "trace.har", &refused),
        ("b.zip", "trace.har", &har),
        ("b.zip", "p.pcapng", &packets),
        ("c.zip", "", &denied),
        ("c.zip", "more/trace.har", &refused),
    ];
    assert_eq!(short, want);
    // Stopped between two of one name, the rest comes once.
    let elsewhere = tempfile::tempdir().unwrap();
    let results = elsewhere.path().join("results");
    let resumed = results.to_str().unwrap();
    for kept in 0..=all.len() {
        let text: String = out.split_inclusive('\n').take(kept).collect();
        fs::write(&results, text).unwrap();
        assert_eq!(triage(&[given, "--resume", resumed, "-o", resumed]).1, 0);
        assert!(fs::read_to_string(&results).unwrap() == out, "{kept}");
    }
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = folder(&[("a.saz", DENIED)]);
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let given = folder.path().to_str().unwrap();
    let refused: [&[&str]; 3] = [
        &[given, "-o", &place("results.ndjson")],
        &[&place("a.saz"), "-o", &place("a.saz")],
        &[given, "--summary", &place("a.saz")],
    ];
    for arguments in refused {
        assert_eq!(triage(arguments).1, 2, "{arguments:?}");
    }
    // By another name, and out of a list, which is read too late to tell.
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    fs::hard_link(place("a.saz"), &link).unwrap();
    let link = link.to_str().unwrap();
    let list = |arguments: &[&str]| {
        let mut child = mfatrace(arguments).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{link}").unwrap();
        child.wait().unwrap().code()
    };
    assert_eq!(triage(&[given, "-o", link]).1, 2);
    assert_eq!(list(&["-", "-o", link]), Some(2));
    let pattern = elsewhere.path().join("*");
    let among = elsewhere.path().join("new");
    assert_eq!(triage(&[pattern.to_str().unwrap(), "-o", among.to_str().unwrap()]).1, 2);
    let (one, two) = (elsewhere.path().join("one"), elsewhere.path().join("two"));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    assert_eq!(triage(&[given, "-o", one]).1, 0);
    assert_eq!(triage(&[given, "-o", one]).1, 0, "what it wrote itself it writes anew");
    assert_eq!(triage(&[given, "--resume", one, "-o", two, "--summary", one]).1, 2);
    assert_eq!(triage(&[given, "-o", two, "--summary", two]).1, 2);
    fs::hard_link(one, two).unwrap();
    assert_eq!(triage(&[given, "--resume", one, "-o", two]).1, 0);
    assert_eq!(results_of(Path::new(one)).len(), 1, "by its other name it is gone on with");
    assert_eq!(
        fs::read(place("a.saz")).unwrap(),
        fs::read(root().join("captures").join(DENIED)).unwrap()
    );
    assert_eq!(triage(&[given, "--resume", &place("a.saz")]).1, 2, "no results");
}

#[test]
fn exit_codes_tell_what_was_found() {
    let folder = folder(&[("a.saz", DENIED)]);
    let given = folder.path().to_str().unwrap();
    assert_eq!(triage(&[given, "--fail-on", "user"]).1, 1);
    assert_eq!(triage(&[given, "--fail-on", "network"]).1, 0);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(triage(&[empty.path().to_str().unwrap()]), (String::new(), 3));
    assert_eq!(triage(&["no/such/file"]).1, 3);
}

#[cfg(unix)]
#[test]
fn names_of_any_encoding_are_kept() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9\x1b[31m.saz");
    let path: PathBuf = folder.path().join(name);
    fs::copy(root().join("captures").join(DENIED), &path).unwrap();
    let (out, code) = triage(&[folder.path().to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(!out.contains('\u{1b}'));
    let record = &records(&out)[0];
    assert_eq!(record["verdict"]["outcome"], "mfa_denied");
    let bytes = data_encoding::BASE64.decode(text(record, "path_bytes").as_bytes()).unwrap();
    assert_eq!(bytes, path.as_os_str().as_bytes());
}
