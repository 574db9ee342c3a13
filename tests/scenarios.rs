//! The stories of `tests/scenarios/` are in the corpus as captures, and tshark finds nothing wrong in them.
//!
//! `UPDATE=1 cargo test --test scenarios` writes captures and manifest anew.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "test support"
)]

#[path = "support/packets/mod.rs"]
mod packets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use packets::play::{Played, play};
use packets::story::Story;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All stories by name.
fn stories() -> BTreeMap<String, Story> {
    std::fs::read_dir(root().join("tests/scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let story = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, story)
        })
        .collect()
}

fn path(name: &str, played: &Played) -> String {
    format!("packets/{name}.{}", played.ending)
}

/// The row of a story in the manifest.
fn row(name: &str, story: &Story, played: &Played) -> String {
    use sha2::Digest as _;
    let hash = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&played.bytes));
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let list = |all: &[String]| {
        format!("[{}]", all.iter().map(|one| text(one)).collect::<Vec<_>>().join(", "))
    };
    let covers: Vec<String> =
        story.covers.iter().map(|(rule, role)| format!("{rule} = {}", text(role))).collect();
    let covers =
        if covers.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", covers.join(", ")) };
    let told = story.told.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = vec![
        ("path", text(&path(name, played))),
        ("sha256", text(&hash)),
        ("origin", text(&origin(name))),
        ("producer", text(PRODUCER)),
        ("story", text(&told)),
        ("outcome", text(&story.label.outcome)),
        ("side", text(&story.label.side)),
    ];
    if let Some(host) = &story.label.host {
        lines.push(("host", text(host)));
    }
    lines.push(("expect", list(&story.expect)));
    lines.push(("forbid", list(&story.forbid)));
    lines.push(("covers", covers));
    let lines: Vec<String> =
        lines.iter().map(|(key, value)| format!("{key:<8} = {value}\n")).collect();
    lines.concat()
}

fn origin(name: &str) -> String {
    format!("generated from tests/scenarios/{name}.toml")
}

/// The manifest with our rows as they have to be, and all others as they are.
fn manifest(old: &str, rows: &BTreeMap<String, String>) -> String {
    let mut parts = old.split("[[capture]]\n");
    let head = parts.next().unwrap();
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    for block in parts {
        let of = |key: &str| {
            block.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= "))
        };
        let ours = of("origin")
            .is_some_and(|origin| origin.starts_with("\"generated from tests/scenarios/"));
        if !ours {
            let path = of("path").unwrap().trim_matches('"').to_owned();
            blocks.insert(path, block.trim_end().to_owned() + "\n");
        }
    }
    blocks.extend(rows.clone());
    let blocks: Vec<String> =
        blocks.values().map(|block| format!("[[capture]]\n{block}")).collect();
    format!("{head}{}", blocks.join("\n"))
}

#[test]
fn captures_and_manifest_are_as_told() {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let folder = root().join("captures/packets");
    let mut wrong = Vec::new();
    let mut rows = BTreeMap::new();
    let mut files = BTreeSet::new();
    std::fs::create_dir_all(&folder).unwrap();
    for (name, story) in stories() {
        let played = play(&name, &story);
        let path = path(&name, &played);
        let file = root().join("captures").join(&path);
        if std::fs::read(&file).ok().as_deref() != Some(&played.bytes) {
            if update {
                std::fs::write(&file, &played.bytes).unwrap();
            } else {
                wrong.push(path.clone());
            }
        }
        rows.insert(path, row(&name, &story, &played));
        files.insert(file);
    }
    let there: BTreeSet<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for stray in there.difference(&files) {
        if update {
            std::fs::remove_file(stray).unwrap();
        } else {
            wrong.push(format!("{} has no story", stray.display()));
        }
    }
    let file = root().join("captures/manifest.toml");
    let old = std::fs::read_to_string(&file).unwrap();
    let new = manifest(&old, &rows);
    if update {
        std::fs::write(&file, &new).unwrap();
    } else if old != new {
        wrong.push("captures/manifest.toml".to_owned());
    }
    assert!(wrong.is_empty(), "out of date, run this test with UPDATE=1: {wrong:#?}");
}

#[test]
fn labels_are_of_the_closed_lists() {
    for (name, story) in stories() {
        let label = &story.label;
        let side = match label.outcome.as_str() {
            "sign_in_prevented_by_network" => "network",
            "no_sign_in" | "undetermined" | "unreadable" => "cannot_tell",
            other => panic!("{name}: no outcome of a packet trace without keys: {other}"),
        };
        assert_eq!(label.side, side, "{name}");
        assert!(label.host.is_none() || side == "network", "{name}: a host needs a cause");
        for rule in story.expect.iter().chain(&story.forbid) {
            let family = &rule[..3];
            assert!(FAMILIES.contains(&family), "{name}: no family {family}");
        }
        for (rule, role) in &story.covers {
            let list = if role == "positive" { &story.expect } else { &story.forbid };
            assert!(list.iter().any(|one| rule.starts_with(one.as_str())), "{name}: {rule} {role}");
        }
    }
}

/// What tshark says of one capture: a line a frame.
fn dissected(file: &Path) -> String {
    let checks = [
        "ip.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "tcp.reassemble_out_of_order:TRUE",
        "udp.check_checksum:TRUE",
    ];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-T", "fields", "-E", "occurrence=a"]);
    for check in checks {
        command.args(["-o", check]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is wrong with one capture in the eyes of tshark.
fn objections(folder: &Path, name: &str, story: &Story) -> Vec<String> {
    let mut wrong = Vec::new();
    let played = play(name, story);
    let file = folder.join(name);
    std::fs::write(&file, &played.bytes).unwrap();
    let copied = story.capture.copies.is_some() || story.capture.duplicates > 0.0;
    let mut servers = BTreeSet::new();
    let mut questions = BTreeSet::new();
    for (number, line) in (1..).zip(dissected(&file).lines()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let sums = fields[1..4].iter().all(|field| field.split(',').all(|one| one != "0"));
        // tshark takes copies, and the byte of a keep-alive, for data that came before.
        let again =
            (copied || !fields[6].is_empty()) && fields[0].contains("New fragment overlaps");
        let whole = fields[0].is_empty() || again;
        // Cut frames cannot be whole.
        if story.capture.snap == 0 && !(sums && whole) {
            wrong.push(format!("{name}: frame {number}: {line}"));
        }
        servers.extend(fields[4].split(',').filter(|one| !one.is_empty()).map(str::to_owned));
        questions.extend(fields[5].split(',').filter(|one| !one.is_empty()).map(str::to_owned));
    }
    let agree = |told: &BTreeSet<String>, found: &BTreeSet<String>| {
        if played.complete { told == found } else { found.is_subset(told) }
    };
    if !agree(&played.servers, &servers) {
        wrong.push(format!("{name}: told {:?}, found {servers:?}", played.servers));
    }
    if !agree(&played.questions, &questions) {
        wrong.push(format!("{name}: told {:?}, found {questions:?}", played.questions));
    }
    wrong
}

#[test]
fn tshark_agrees() {
    if Command::new("tshark").arg("--version").output().is_err() {
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "tshark is missing");
        println!("skipped: tshark is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stories: Vec<(String, Story)> = stories().into_iter().collect();
    let half = stories.len().div_ceil(2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = stories
            .chunks(half)
            .map(|part| {
                let folder = folder.path();
                scope.spawn(move || {
                    part.iter()
                        .flat_map(|(name, story)| objections(folder, name, story))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const PRODUCER: &str = "packet writer of tests/support/packets";
const FAMILIES: [&str; 6] = ["CAP", "DNS", "MFA", "PRX", "TCP", "TLS"];
const FIELDS: [&str; 7] = [
    "_ws.malformed",
    "tcp.checksum.status",
    "ip.checksum.status",
    "udp.checksum.status",
    "tls.handshake.extensions_server_name",
    "dns.qry.name",
    "tcp.analysis.keep_alive",
];
