//! The recipes of the manual: every command in them is run as it stands there.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test support"
)]
#![cfg(all(unix, feature = "cli"))]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A ticket and its attachment: where it is in the corpus, and what it is called there.
const ATTACHMENTS: &[(&str, &str)] = &[
    ("4711/fiddler trace.saz", "browser/script-host-reset.saz"),
    ("4712/blocked.har", "policy/blocked-after-mfa.devtools.har"),
    ("4713/it's \"quoted\" $HOME.saz", "browser/script-host-reset.saz"),
    ("4714/trace.pcapng", "packets/login-dropped-by-system.pcapng"),
];

/// The blocks of the page by their names, which are in their first lines.
fn blocks() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(support::root().join("src/manual/pipeline.md")).unwrap();
    let mut blocks = BTreeMap::new();
    for part in page.split("\n```").skip(1).step_by(2) {
        let (_, block) = part.split_once('\n').unwrap();
        let name = block.lines().next().unwrap().trim_start_matches(['#', '-', ' ']);
        assert!(blocks.insert(name.to_owned(), format!("{block}\n")).is_none(), "{name} twice");
    }
    blocks
}

/// A folder in which the commands of the page run.
struct Place {
    folder: tempfile::TempDir,
    path: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (to, from) in ATTACHMENTS {
            let to = folder.path().join("attachments").join(to);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(support::root().join("captures").join(from), to).unwrap();
        }
        std::fs::create_dir(folder.path().join("attachments/4715")).unwrap();
        std::fs::write(folder.path().join("attachments/4715/note.txt"), "see above\n").unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = env!("CARGO_BIN_EXE_mfatrace");
        std::os::unix::fs::symlink(program, bin.join("mfatrace")).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        for (name, block) in blocks() {
            std::fs::write(folder.path().join(name), block).unwrap();
        }
        Self { folder, path }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn bash(&self, block: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", block]).current_dir(&self.folder).env("PATH", &self.path);
        command
    }

    /// Runs a block of the page, which must succeed.
    fn run(&self, block: &str) -> String {
        done(&self.bash(block).output().unwrap())
    }

    /// The records of a file, by their paths.
    fn records(&self, path: &str) -> BTreeMap<String, Value> {
        let text = self.text(path);
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let by_path: BTreeMap<_, _> =
            records.map(|record| (record["path"].as_str().unwrap().to_owned(), record)).collect();
        assert_eq!(by_path.len(), text.lines().count(), "a record twice");
        by_path
    }
}

fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Whether programs are there: a failure where they are required, and a printed reason elsewhere.
#[expect(clippy::print_stdout, reason = "says why a test did nothing")]
fn has(programs: &[&str]) -> bool {
    let is_there = |program: &&str| {
        let mut found = Command::new("bash");
        found.args(["-c", "command -v -- \"$1\"", "-", program]);
        found.output().is_ok_and(|output| output.status.success())
    };
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "missing: {missing:?}");
    println!("skipped: missing {missing:?}");
    false
}

/// Every block is run by a test below: who adds one to the page adds it here.
#[test]
fn every_block_has_its_test() {
    let names: Vec<_> = blocks().into_keys().collect();
    assert_eq!(
        names,
        [
            "Containerfile",
            "codes.sql",
            "container.sh",
            "duplicates.sql",
            "hosts.sql",
            "image.sh",
            "issuers.sql",
            "once.sh",
            "parallel.sh",
            "resume.sh",
            "slow.sql",
            "split.sh",
            "tables.sh",
            "watch-inotify.sh",
            "watch.sh",
            "webhook.sh",
        ]
    );
}

#[test]
fn a_folder_has_its_records_and_is_resumed() {
    if !has(&["bash", "jq"]) {
        return;
    }
    let place = Place::new();
    let said = place.run("once.sh");
    assert!(said.starts_with("every file has its record\n"), "{said}");
    assert_eq!(said.lines().count(), 2 + ATTACHMENTS.len());
    assert!(said.contains("\tmfa_prevented_by_network\tattachments/4711/"), "{said}");
    assert!(said.contains("\tnot-a-capture\tattachments/4715/note.txt\n"), "{said}");
    let whole = place.text("records.ndjson");

    let torn: String = whole.chars().take(whole.len() / 2).collect();
    assert!(!torn.ends_with('\n'));
    std::fs::write(place.at("records.ndjson"), torn).unwrap();
    place.run("resume.sh");
    assert_eq!(place.records("records.ndjson").len(), 1 + ATTACHMENTS.len());
    std::fs::write(place.at("attachments/4715/new.txt"), "more\n").unwrap();
    place.run("resume.sh");
    assert_eq!(place.records("records.ndjson").len(), 2 + ATTACHMENTS.len());
    std::fs::remove_file(place.at("records.ndjson")).unwrap();
    place.run("resume.sh");
    assert_eq!(place.records("records.ndjson").len(), 2 + ATTACHMENTS.len());
}

fn wait(what: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(what(), "it does not come");
}

#[test]
fn a_folder_is_watched() {
    if !has(&["bash", "inotifywait"]) {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.at("in")).unwrap();
    let deliver = |number: usize, name: &str| {
        let capture = place.at("attachments").join(ATTACHMENTS[number].0);
        std::fs::rename(capture, place.at("in").join(name)).unwrap();
    };
    deliver(0, "-first one.saz");
    let said = place.run("watch.sh");
    assert_eq!(said, "-first one.saz: exit code 0\n");
    assert!(place.at("done/-first one.saz").is_file());
    assert_eq!(place.run("watch.sh"), "");

    let mut command = place.bash("watch-inotify.sh");
    let mut watching =
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    deliver(1, "second.har");
    wait(|| place.at("done/second.har").is_file());
    deliver(2, "third.saz");
    wait(|| place.at("done/third.saz").is_file());
    let group = format!("-{}", watching.id());
    assert!(Command::new("kill").args(["--", &group]).status().unwrap().success());
    watching.wait().unwrap();
    for name in ["-first one.saz", "second.har", "third.saz"] {
        let records = place.records(&format!("records/{name}.ndjson"));
        assert_eq!(records[&format!("work/{name}")]["code"], "analysed");
    }
    assert_eq!(std::fs::read_dir(place.at("work")).unwrap().count(), 0);
}

#[test]
fn processes_and_machines_share_the_work() {
    if !has(&["bash", "jq", "parallel"]) {
        return;
    }
    let place = Place::new();
    place.run("once.sh");
    let whole = place.records("records.ndjson");
    place.run("parallel.sh");
    let parallel = place.records("records.ndjson");
    place.run("split.sh");
    let split = place.records("records.ndjson");
    let list = place.text("list.aa");
    assert!(!list.is_empty() && !place.text("list.ab").is_empty());
    for (path, record) in &whole {
        for (field, value) in record.as_object().unwrap() {
            // What a file is called below what was given is all that differs.
            if !matches!(field.as_str(), "comment" | "tree_path") {
                assert_eq!(&parallel[path][field], value, "{path}: {field}");
                assert_eq!(&split[path][field], value, "{path}: {field}");
            }
        }
    }
    assert_eq!((parallel.len(), split.len()), (whole.len(), whole.len()));
}

/// Receives posts until `count` came: their headers, and their bodies.
fn receive(listener: &TcpListener, count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count)
        .map(|_| {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0);
            }
            let length = head.split("Content-Length: ").nth(1).unwrap();
            let length = length.lines().next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            reader.get_mut().write_all(answer).unwrap();
            (head, body)
        })
        .collect()
}

#[test]
fn comments_are_posted_once() {
    if !has(&["bash", "jq", "curl", "python3", "openssl"]) {
        return;
    }
    let place = Place::new();
    place.run("resume.sh");
    let post = |to: &str| {
        let mut command = place.bash("webhook.sh");
        command.env("WEBHOOK_KEY", "k\u{e9}y").env("WEBHOOK_URL", to).env("no_proxy", "*");
        command.output().unwrap()
    };
    // Nobody listens: nothing counts as posted.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(!post(&format!("http://{closed}/hook")).status.success());
    assert!(!place.at("posted").exists());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}/hook", listener.local_addr().unwrap());
    let count = 1 + ATTACHMENTS.len();
    let receiver = std::thread::spawn(move || (receive(&listener, count), listener));
    done(&post(&to));
    let (posts, listener) = receiver.join().unwrap();
    let records = place.text("records.ndjson");
    for ((head, body), line) in posts.iter().zip(records.lines()) {
        let record: Value = serde_json::from_str(line).unwrap();
        let sent: Value = serde_json::from_slice(body).unwrap();
        let path = record["path"].as_str().unwrap();
        assert_eq!(format!("attachments/{}/{}", text(&sent, "ticket"), text(&sent, "file")), path);
        for field in ["comment", "mail", "member", "queue"] {
            assert_eq!(sent[field], record[field], "{path}: {field}");
        }
        assert_eq!(sent["fingerprint"], record["fingerprint"]["id"], "{path}");
        assert!(head.starts_with("POST /hook ") && head.contains("application/json"), "{head}");
        std::fs::write(place.at("body"), body).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-hmac", "k\u{e9}y", "-r"]).arg(place.at("body"));
        let signature = done(&openssl.output().unwrap());
        let signature = signature.split(' ').next().unwrap();
        assert!(head.contains(&format!("X-Signature-256: sha256={signature}\r\n")), "{head}");
    }
    assert_eq!(place.text("posted"), format!("{count}\n"));

    std::fs::write(place.at("attachments/4715/new.txt"), "more\n").unwrap();
    place.run("resume.sh");
    let receiver = std::thread::spawn(move || receive(&listener, 1));
    done(&post(&to));
    let posts = receiver.join().unwrap();
    assert!(String::from_utf8_lossy(&posts[0].1).contains("\"new.txt\""));
    done(&post(&to));
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// What Podman needs to know where it runs as root in a place with cgroups of the first version and limits that it
/// cannot raise: nothing of it is kept outside of the folder.
fn configured(place: &Place) -> BTreeMap<&'static str, PathBuf> {
    let root = place.at("containers");
    std::fs::create_dir(&root).unwrap();
    let file = |name: &str, text: String| {
        let path = root.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let engine = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
                  [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
    let at = |path: &str| root.join(path).display().to_string();
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\nrunroot = \"{}\"\ngraphroot = \"{}\"\n",
        at("run"),
        at("graph")
    );
    BTreeMap::from([
        ("CONTAINERS_CONF", file("containers.conf", engine.to_owned())),
        ("CONTAINERS_STORAGE_CONF", file("storage.conf", storage)),
        ("HOME", root.clone()),
        ("TMPDIR", root),
    ])
}

/// Whether Podman can build and start anything here: a place may forbid what containers are made of, and then the recipe
/// cannot be tried there. What the recipe does has no part in it.
fn starts_containers(place: &Place, environment: &BTreeMap<&'static str, PathBuf>) -> bool {
    let probe = "set -e\nmkdir -p probe/image\ncp \"$(command -v true)\" probe/image/true\n\
                 ldd probe/image/true | grep -o '/[^ ]*' | grep -v : | \
                 xargs -r cp --dereference --parents --target-directory probe/image\n\
                 printf 'FROM scratch\\nCOPY image/ /\\nENTRYPOINT [\"/true\"]\\n' >probe/Containerfile\n\
                 podman build --quiet --tag probe --file probe/Containerfile probe\n\
                 podman run --rm --network none --read-only --cap-drop all probe\n";
    std::fs::write(place.at("probe.sh"), probe).unwrap();
    let output = place.bash("probe.sh").envs(environment).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("skipped: podman starts no container here: {}", said.trim());
    }
    output.status.success()
}

#[test]
fn a_container_reads_standard_input() {
    if !has(&["bash", "jq", "podman", "ldd"]) {
        return;
    }
    let place = Place::new();
    let environment = configured(&place);
    let attachment = place.at("attachments").join(ATTACHMENTS[0].0);
    std::fs::copy(attachment, place.at("customer.saz")).unwrap();
    if !starts_containers(&place, &environment) {
        return;
    }
    let run = |block: &str| done(&place.bash(block).envs(&environment).output().unwrap());
    run("image.sh");
    let said = run("container.sh");
    let report: Value = serde_json::from_str(&place.text("report.json")).unwrap();
    assert_eq!(said.trim_end(), text(&report["verdict"], "summary"));
    assert_eq!(report["verdict"]["cause"], "TCP003");
    assert_eq!(report["inputs"][0]["sha256"], sha256(&place.at("customer.saz")));
}

fn sha256(path: &Path) -> String {
    let said = done(&Command::new("sha256sum").arg(path).output().unwrap());
    said.split(' ').next().unwrap().to_owned()
}

#[cfg(feature = "columnar")]
#[test]
fn questions_in_sql_have_answers() {
    let Some(duckdb) = support::duckdb::command() else { return };
    let place = Place::new();
    let duckdb = std::fs::canonicalize(&duckdb).unwrap_or(duckdb);
    std::os::unix::fs::symlink(&duckdb, place.at("bin/duckdb")).unwrap();
    let said = place.run("tables.sh");
    assert!(said.contains("queue") && said.contains("captures"), "{said}");
    let ask = |query: &str| support::duckdb::ask(&duckdb, place.folder.path(), &place.text(query));
    let hosts = ask("hosts.sql");
    assert_eq!(hosts[0]["host"], "aadcdn.msauth.net");
    assert_eq!((&hosts[0]["captures"], &hosts[0]["causes"]), (&2.into(), &vec!["TCP003"].into()));
    let codes = ask("codes.sql");
    assert!(codes.iter().any(|row| row["code"] == 50_074 && row["attempts"] == 3), "{codes:?}");
    assert!(codes.iter().any(|row| row["code"] == 53_003 && row["decided"] == 1), "{codes:?}");
    let slow = ask("slow.sql");
    assert!(slow.iter().all(|row| row["median_ms"].is_number()) && !slow.is_empty(), "{slow:?}");
    let issuers = ask("issuers.sql");
    assert!(issuers.iter().all(|row| !text(row, "issuer").is_empty()), "{issuers:?}");
    let duplicates = ask("duplicates.sql");
    assert_eq!(duplicates[0]["captures"], 2, "{duplicates:?}");
    assert_eq!(duplicates[0]["paths"].as_array().unwrap().len(), 2);
    assert!(text(&duplicates[0], "host").starts_with("aadcdn."));
}
