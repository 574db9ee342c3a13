//! A packet capture with its keys says what the HAR of the same session says, and what tshark reads with them.
//!
//! The sessions in `captures/keyed` were recorded twice at once: as packets with the keys of the client, and as the
//! HAR of its developer tools or of its own report (`tests/lab/keyed.py`). The keys come inside the capture, in one
//! archive with it, or beside it as `NAME.keylog`, which is then given with `--keylog`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![expect(clippy::print_stdout, reason = "what agrees is printed")]
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::archive::{gzip, tar, zip};
use support::tshark::{Request, of_tshark};

/// A session: its packets, and its HAR.
struct Session {
    name: String,
    packets: PathBuf,
    har: PathBuf,
}

/// What the packets of a session cannot show as its HAR does, and why.
struct Lack {
    session: &'static str,
    what: What,
}

enum What {
    /// Requests whose URL begins so are not in the packets: their connection stays closed, or frames are missing.
    Exchanges(&'static [&'static str]),
    /// The outcome of the packets is this: what decides is not in them.
    Outcome(&'static str),
}

const CDN: &str = "https://aadcdn.msauth.net/";
const LOGIN: &str = "https://login.microsoftonline.com/";

/// Sessions from which keys or frames were taken away.
const LACKS: &[Lack] = &[
    // The key log lacks the connection to the script host.
    Lack { session: "script-host-key-missing-tls13-h2", what: What::Exchanges(&[CDN]) },
    // The key log lacks the connections to the application.
    Lack {
        session: "application-key-missing-tls12-h1",
        what: What::Exchanges(&["https://portal.fabrikam.example/"]),
    },
    // The frame of one poll's request is not in the capture: that poll cannot be told whole.
    Lack {
        session: "hole-at-poll-tls12-h1",
        what: What::Exchanges(&["https://login.microsoftonline.com/common/SAS/EndAuth"]),
    },
    // A frame of a script is not in the capture: its bytes are lost, and where the record cannot be found
    // again, so is the rest of what that connection's server said.
    Lack { session: "hole-in-script-tls13-h1", what: What::Exchanges(&[CDN]) },
    // The connection to the sign-in host is in its middle when the capture starts, and cannot be opened.
    Lack {
        session: "starts-at-polls-tls13-h1",
        what: What::Exchanges(&[CDN, LOGIN, "https://portal.fabrikam.example/"]),
    },
    Lack { session: "starts-at-polls-tls13-h1", what: What::Outcome("undetermined") },
    // The first connections are in their middle when the capture starts.
    Lack {
        session: "starts-before-password-tls13-h2",
        what: What::Exchanges(&[
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            CDN,
        ]),
    },
];

fn folder() -> PathBuf {
    support::root().join("captures/keyed")
}

fn sessions() -> Vec<Session> {
    let mut found: Vec<Session> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "har"))
        .map(|har| {
            let packets = ["pcapng", "pcap", "zip"]
                .iter()
                .map(|ending| har.with_extension(ending))
                .find(|path| path.exists())
                .unwrap();
            let name = har.file_stem().unwrap().to_string_lossy().into_owned();
            Session { name, packets, har }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() >= 40, "{} sessions", found.len());
    found
}

/// The key log that lies beside a capture.
fn beside(capture: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(format!("{}.keylog", capture.display()));
    path.exists().then_some(path)
}

fn output(capture: &Path, keylog: Option<&Path>, format: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfatrace"));
    command.stdin(Stdio::null()).args(["--format", format, "--no-hash"]).arg(capture);
    if format == "json" {
        command.arg("--evidence");
    }
    if let Some(keylog) = keylog {
        command.arg("--keylog").arg(keylog);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}: {errors}", capture.display());
    String::from_utf8(output.stdout).unwrap()
}

fn told(capture: &Path) -> Value {
    let keylog = beside(capture);
    serde_json::from_str(&output(capture, keylog.as_deref(), "json")).unwrap()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("-")
}

/// The numbers behind `AADSTS` in a text.
fn codes(text: &str) -> impl Iterator<Item = String> {
    text.split("AADSTS")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
}

/// Kinds of steps whose answer the HAR no longer has: a browser drops bodies when it goes on to the next page.
fn dropped(har: &Value) -> BTreeSet<&str> {
    array(har, "steps")
        .iter()
        .filter(|step| text(step, "result") == "unknown")
        .map(|step| text(step, "kind"))
        .collect()
}

/// What is told of one attempt, line by line, but for steps of the kinds in `without`.
///
/// Of tries without an answer nothing counts: how often a client tried is told differently by its tools
/// and by the wire.
fn attempt(told: &Value, without: &BTreeSet<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    for key in ["flow", "application", "outcome", "side", "mfa", "result_value", "user", "tenant"] {
        if key != "result_value" || without.is_empty() {
            lines.push(format!("{key} {}", text(told, key)));
        }
    }
    lines.push(format!("overridden {}", !told["overridden_by"].is_null()));
    lines.push(format!("methods {}", told["methods"]));
    let mut found = BTreeSet::new();
    let mut answered = 0;
    for step in array(told, "steps") {
        let (kind, result) = (text(step, "kind"), text(step, "result"));
        let (detail, count) = (text(step, "detail"), step["count"].as_u64().unwrap());
        if kind == "mfa_poll" && result != "no_response" {
            answered += count;
        }
        if without.contains(kind) {
            continue;
        }
        found.extend(codes(detail));
        if kind.starts_with("mfa_") && !["no_response", "unknown"].contains(&result) {
            lines.push(format!("{kind} {result} {detail} {count} times"));
        }
    }
    lines.push(format!("codes {found:?}"));
    lines.push(format!("polls answered {answered}"));
    lines
}

fn verdict(told: &Value) -> String {
    let verdict = &told["verdict"];
    format!("{} {} {}", text(verdict, "outcome"), text(verdict, "side"), text(verdict, "host"))
}

/// Answered requests, how often each; a proxy's tunnels are of another layer.
fn exchanges(told: &Value) -> BTreeMap<(String, String, u64), usize> {
    let mut found = BTreeMap::new();
    for one in array(&told["evidence"], "exchanges") {
        let (method, url) = (text(one, "method"), text(one, "url"));
        if let (Some(status), true) = (one["status"].as_u64(), method != "CONNECT") {
            *found.entry((method.to_owned(), url.to_owned(), status)).or_default() += 1;
        }
    }
    found
}

/// Whether a session is known to lack an exchange.
fn lacks(session: &str, url: &str) -> bool {
    LACKS.iter().any(|lack| match lack.what {
        What::Exchanges(starts) => {
            lack.session == session && starts.iter().any(|start| url.starts_with(start))
        }
        What::Outcome(_) => false,
    })
}

fn other_outcome(session: &str) -> Option<&'static str> {
    LACKS.iter().find_map(|lack| match lack.what {
        What::Outcome(outcome) if lack.session == session => Some(outcome),
        _ => None,
    })
}

#[test]
fn packets_say_what_the_har_says() {
    let mut wrong = Vec::new();
    for session in sessions() {
        let (packets, har) = (told(&session.packets), told(&session.har));
        if let Some(outcome) = other_outcome(&session.name) {
            if text(&packets["verdict"], "outcome") != outcome {
                wrong.push(format!("{}: {}", session.name, verdict(&packets)));
            }
            continue;
        }
        if verdict(&packets) != verdict(&har) {
            wrong.push(format!(
                "{}: {} but HAR {}",
                session.name,
                verdict(&packets),
                verdict(&har)
            ));
        }
        // Where requests are known to be missing, so are steps.
        if LACKS.iter().any(|lack| lack.session == session.name) {
            continue;
        }
        let (ours, theirs) = (array(&packets, "attempts"), array(&har, "attempts"));
        if ours.len() != theirs.len() {
            wrong.push(format!("{}: {} attempts, HAR {}", session.name, ours.len(), theirs.len()));
        }
        for (number, (one, other)) in ours.iter().zip(theirs).enumerate() {
            let without = dropped(other);
            let (one, other) = (attempt(one, &without), attempt(other, &without));
            let differ = |a: &[String], b: &[String]| {
                a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>().join("; ")
            };
            let (extra, missing) = (differ(&one, &other), differ(&other, &one));
            if !extra.is_empty() || !missing.is_empty() {
                let at = format!("{}, attempt {}", session.name, number + 1);
                wrong.push(format!("{at}: packets say [{extra}], the HAR [{missing}]"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn packets_and_har_of_one_session_count_once() {
    let mut wrong = Vec::new();
    for session in sessions() {
        let known = |lack: &Lack| lack.session == session.name;
        if LACKS.iter().any(known) {
            continue;
        }
        let alone = told(&session.packets);
        let keylog = beside(&session.packets);
        let (packets, har) = (session.packets.to_str().unwrap(), session.har.to_str().unwrap());
        let keylog = keylog.as_ref().map(|path| path.to_str().unwrap());
        let steps = |told: &Value| -> Vec<Vec<String>> {
            array(told, "attempts").iter().map(|one| attempt(one, &BTreeSet::new())).collect()
        };
        for inputs in [[har, packets], [packets, har]] {
            let mut given = vec!["--format", "json", "--no-hash", inputs[0], inputs[1]];
            given.extend(keylog.iter().flat_map(|path| ["--keylog", *path]));
            let both = run(&given, Stdio::null());
            if verdict(&both) != verdict(&alone) {
                wrong.push(format!(
                    "{}: {}, not {}",
                    session.name,
                    verdict(&both),
                    verdict(&alone)
                ));
            }
            let (together, apart) = (steps(&both), steps(&alone));
            if together != apart {
                wrong.push(format!("{}:\n{together:#?}\n{apart:#?}", session.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is told of what is given, which may come on standard input.
fn run(given: &[&str], stdin: Stdio) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mfatrace"));
    let output = command.stdin(stdin).args(given).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{given:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn secrets_in_front_of_the_packets_are_in_time() {
    let capture = folder().join("ropc-tls13-h2.pcapng");
    let stdin = Stdio::from(std::fs::File::open(capture).unwrap());
    let told = run(&["--format", "json", "--no-hash", "-"], stdin);
    assert_eq!(verdict(&told), "interaction_required application -");
    assert!(array(&told, "diagnostics").is_empty(), "{}", told["diagnostics"]);
}

#[test]
fn a_key_log_may_be_packed() {
    let capture = folder().join("push-denied-tls13-h1.pcap");
    let keys = std::fs::read(beside(&capture).unwrap()).unwrap();
    let wide: Vec<u8> =
        String::from_utf8_lossy(&keys).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let member = |bytes: &[u8]| [("keys.txt".to_owned(), bytes.to_vec())];
    let forms = [
        gzip(&keys),
        gzip(&wide),
        [b"\xff\xfe", &*wide].concat(),
        zip(&member(&keys), ""),
        zip(&member(&gzip(&wide)), ""),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    for form in forms {
        std::fs::write(&path, form).unwrap();
        let told = output(&capture, Some(&path), "json");
        assert!(verdict(&serde_json::from_str(&told).unwrap()).starts_with("mfa_denied user"));
    }
}

#[test]
fn a_packet_capture_may_be_given_for_its_keys() {
    let capture = folder().join("ropc-tls13-h2.pcapng");
    let bare = folder().join("push-denied-tls13-h1.pcap");
    let told: Value = serde_json::from_str(&output(&bare, Some(&capture), "json")).unwrap();
    let inputs = array(&told, "inputs");
    assert_eq!((text(&inputs[0], "format"), inputs.len()), ("key_log", 2), "{inputs:#?}");
    assert!(array(&told["evidence"], "exchanges").is_empty(), "they are not those of the capture");
}

/// What is told of bytes that come on standard input.
fn piped(bytes: &[u8], more: &[&str]) -> Value {
    let packed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(packed.path(), bytes).unwrap();
    let stdin = Stdio::from(std::fs::File::open(packed.path()).unwrap());
    run(&[&["--format", "json"], more, &["-"]].concat(), stdin)
}

/// A pcapng with its blocks of secrets behind all others.
fn secrets_last(pcapng: &[u8]) -> Vec<u8> {
    let (mut rest, mut last, mut out) = (pcapng, Vec::new(), Vec::new());
    while let [kind, _, _, _, a, b, c, d, ..] = *rest {
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap();
        let (block, behind) = rest.split_at(length);
        rest = behind;
        let out = if kind == 0x0a && block[1] == 0 { &mut last } else { &mut out };
        out.extend_from_slice(block);
    }
    assert!(!last.is_empty());
    [out, last].concat()
}

#[test]
fn keys_behind_the_packets_on_standard_input_open_them() {
    let capture = folder().join("push-denied-tls13-h1.pcap");
    let packets = std::fs::read(&capture).unwrap();
    let keys = std::fs::read(beside(&capture).unwrap()).unwrap();
    let members = [("a.pcap".to_owned(), packets), ("b.txt".to_owned(), keys)];
    let pcapng = secrets_last(&std::fs::read(folder().join("ropc-tls13-h2.pcapng")).unwrap());
    let forms = [
        ("zip", "mfa_denied user", 2, zip(&members, "")),
        ("zip in gzip", "mfa_denied user", 2, gzip(&zip(&members, ""))),
        ("tar", "mfa_denied user", 2, tar(&members)),
        ("tar in gzip", "mfa_denied user", 2, gzip(&tar(&members))),
        ("pcapng", "interaction_required application", 1, pcapng.clone()),
        ("pcapng in gzip", "interaction_required application", 1, gzip(&pcapng)),
    ];
    for (form, outcome, inputs, bytes) in forms {
        let told = piped(&bytes, &[]);
        assert!(verdict(&told).starts_with(outcome), "{form}: {}", verdict(&told));
        assert!(array(&told, "diagnostics").is_empty(), "{form}: {}", told["diagnostics"]);
        assert_eq!(array(&told, "inputs").len(), inputs, "{form}");
        // The same as of a file.
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), &bytes).unwrap();
        let name = path.path().to_string_lossy().into_owned();
        let of_file = run(&["--format", "json", &name], Stdio::null()).to_string();
        assert_eq!(told.to_string(), of_file.replace(&name, "standard input"), "{form}");
    }
}

#[test]
fn keys_behind_what_cannot_be_kept_are_told_of() {
    let capture = folder().join("push-denied-tls13-h1.pcap");
    let member = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    let packets = member("a.pcap", std::fs::read(&capture).unwrap());
    let keys = member("c.txt", std::fs::read(beside(&capture).unwrap()).unwrap());
    let most = usize::try_from(mfatrace::limits::KEPT).unwrap();
    let members = [packets, member("b.bin", vec![0; most]), keys];
    let told = piped(&tar(&members), &["--no-hash"]);
    let [late] = array(&told, "diagnostics") else { panic!("{}", told["diagnostics"]) };
    assert_eq!((text(late, "code"), late["lost"].as_u64()), ("key-log", secrets(&capture)));
    assert!(text(late, "text").contains("give the file by its path"), "{late}");
    assert_eq!(verdict(&told), "unreadable cannot_tell -");
    // Packed, it is short.
    let told = piped(&gzip(&tar(&members)), &["--no-hash"]);
    assert!(verdict(&told).starts_with("mfa_denied user"), "{}", verdict(&told));
    assert!(array(&told, "diagnostics").is_empty(), "{}", told["diagnostics"]);
}

/// A pipe that has a name is read twice without being opened twice, which would wait for ever.
#[cfg(unix)]
#[test]
fn keys_behind_the_packets_in_a_named_pipe_open_them() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        return;
    }
    let pcapng = self::folder().join("ropc-tls13-h2.pcapng");
    let pcapng = secrets_last(&std::fs::read(pcapng).unwrap());
    let other = pipe.clone();
    let writer = std::thread::spawn(move || std::fs::write(other, pcapng).unwrap());
    let told = run(&["--format", "json", pipe.to_str().unwrap()], Stdio::null());
    writer.join().unwrap();
    assert_eq!(verdict(&told), "interaction_required application -");
    assert!(array(&told, "diagnostics").is_empty(), "{}", told["diagnostics"]);
}

/// Secrets in the key log beside a capture that open something.
fn secrets(capture: &Path) -> Option<u64> {
    let keys = std::fs::read_to_string(beside(capture)?).ok()?;
    let is_of_use =
        |line: &&str| line.contains("_TRAFFIC_SECRET") || line.starts_with("CLIENT_RANDOM");
    u64::try_from(keys.lines().filter(is_of_use).count()).ok()
}

#[test]
fn keys_that_do_not_fit_are_told_of() {
    let spoiled = |name: &str| {
        let capture = support::root().join("captures/spoiled").join(name);
        output(&capture, None, "text").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let handshakes = spoiled("handshake-keys-only-tls13-h2.pcapng");
    assert!(handshakes.contains("the key log has no secret for them"), "{handshakes}");
    assert!(handshakes.contains("keys opened 0 of 2 TLS connections; 2 without a secret"));
    let poll = spoiled("last-poll-key-missing-tls12-h2.pcapng");
    assert!(poll.contains("What followed was said in connections that are not decrypted."));
    let late = output(&folder().join("starts-at-polls-tls13-h1.pcapng"), None, "text");
    let late = late.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(late.contains("in use before it began") && late.contains("it has to run before the"));
}

/// A capture without the frames whose numbers, from 1, are not wanted.
fn with_frames(capture: &[u8], wants: impl Fn(usize) -> bool) -> Vec<u8> {
    let u32_at = |bytes: &[u8], at: usize| {
        let four = bytes[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(four)).unwrap()
    };
    let is_pcapng = capture.starts_with(&[0x0a, 0x0d]);
    let (mut out, mut rest) =
        if is_pcapng { (Vec::new(), capture) } else { (capture[..24].to_vec(), &capture[24..]) };
    let mut number = 0;
    while !rest.is_empty() {
        let length = if is_pcapng { u32_at(rest, 4) } else { 16 + u32_at(rest, 8) };
        let (block, behind) = rest.split_at(length);
        rest = behind;
        let is_frame = !is_pcapng || u32_at(block, 0) == 6;
        number += usize::from(is_frame);
        if !is_frame || wants(number) {
            out.extend_from_slice(block);
        }
    }
    out
}

/// A pcap whose frames are cut.
fn cut_frames(pcap: &[u8], most: usize) -> Vec<u8> {
    let (mut out, mut rest) = (pcap[..24].to_vec(), &pcap[24..]);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap());
        let (head, behind) = rest.split_at(16);
        let (frame, behind) = behind.split_at(usize::try_from(length).unwrap());
        rest = behind;
        let frame = &frame[..frame.len().min(most)];
        out.extend_from_slice(&head[..8]);
        out.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&head[12..]);
        out.extend_from_slice(frame);
    }
    out
}

/// What a capture lacks the network is not blamed for, and no request gets the answer of another one.
#[test]
fn frames_that_a_capture_lacks_are_no_fault_of_the_network() {
    let (mut tried, mut wrong) = (0, Vec::new());
    let folder = tempfile::tempdir().unwrap();
    for session in sessions() {
        let known = |lack: &Lack| lack.session == session.name;
        let is_zip = session.packets.extension().is_some_and(|ending| ending == "zip");
        if is_zip || LACKS.iter().any(known) {
            continue;
        }
        let whole = told(&session.packets);
        if text(&whole["verdict"], "side") == "network" {
            continue;
        }
        let bytes = std::fs::read(&session.packets).unwrap();
        let count = whole["inputs"].as_array().unwrap().iter();
        let count = count.filter_map(|input| input["counts"]["records"].as_u64()).max();
        let count = usize::try_from(count.unwrap()).unwrap();
        let mut fewer: Vec<(String, Vec<u8>)> = vec![
            ("each 41st missing".to_owned(), with_frames(&bytes, |n| n % 41 != 13)),
            ("each 13th missing".to_owned(), with_frames(&bytes, |n| n % 13 != 5)),
        ];
        for part in 2..7 {
            let from = count * part / 8;
            let hole = with_frames(&bytes, |n| !(from..from + 6).contains(&n));
            fewer.push((format!("hole at {from}"), hole));
        }
        if !bytes.starts_with(&[0x0a, 0x0d]) {
            fewer.extend(
                [900, 400].map(|most| (format!("cut to {most}"), cut_frames(&bytes, most))),
            );
        }
        let all = exchanges(&whole);
        for (what, bytes) in fewer {
            let path = folder.path().join("capture");
            std::fs::write(&path, bytes).unwrap();
            let keys = beside(&session.packets);
            let lacking: Value =
                serde_json::from_str(&output(&path, keys.as_deref(), "json")).unwrap();
            tried += 1;
            let name = format!("{}, {what}", session.name);
            if text(&lacking["verdict"], "side") == "network" {
                wrong.push(format!("{name}: {}", verdict(&lacking)));
            }
            for (key, got) in exchanges(&lacking) {
                if got > all.get(&key).copied().unwrap_or(0) {
                    wrong.push(format!("{name}: {key:?} was not said"));
                }
            }
        }
    }
    assert!(tried > 200, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn packets_give_the_exchanges_of_the_har() {
    let (mut all, mut agree, mut wrong) = (0, 0, Vec::new());
    for session in sessions() {
        let ours = exchanges(&told(&session.packets));
        let theirs = exchanges(&told(&session.har));
        for (key, &want) in &theirs {
            let got = ours.get(key).copied().unwrap_or(0);
            all += want;
            agree += got.min(want);
            if got < want && !lacks(&session.name, &key.1) {
                wrong.push(format!("{}: {got} of {want} {key:?}", session.name));
            }
        }
        // What a browser tries again by itself has no answer the first time, so no answered one is more.
        for (key, &got) in &ours {
            let want = theirs.get(key).copied().unwrap_or(0);
            if got > want {
                wrong.push(format!("{}: {got} times, HAR {want}: {key:?}", session.name));
            }
        }
    }
    println!("{agree} of {all} exchanges of the HARs are in the packets");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn without_keys_nothing_is_read_and_with_them_no_key_is_shown() {
    for session in sessions() {
        let Some(keylog) = beside(&session.packets) else { continue };
        let closed: Value = serde_json::from_str(&output(&session.packets, None, "json")).unwrap();
        let read = exchanges(&closed);
        assert!(read.is_empty(), "{}: {read:?}", session.name);
        let keys = std::fs::read_to_string(&keylog).unwrap();
        for format in ["json", "text"] {
            let output = output(&session.packets, Some(&keylog), format);
            assert!(!output.contains("FAKESECRET"), "{}", session.name);
            for secret in keys.split_whitespace().filter(|word| word.len() >= 32) {
                assert!(!output.contains(secret), "{}: a key is shown", session.name);
            }
        }
    }
}

/// Requests that tshark reads and that are not told as it tells them, by capture and the beginning of the
/// request as it is printed.
const EXPLAINED: &[(&str, &str)] = &[
    // Early data that the server asks anew: it has not read them, and the program sends them again.
    (
        "ropc-early-data-refused-tls13-h1",
        "POST login.microsoftonline.com /organizations/oauth2/v2.0/token None",
    ),
];

/// Compares what is told of one capture with what tshark reads of it.
fn compare(
    name: &str,
    capture: &Path,
    theirs: &[Request],
    counts: &mut [usize; 2],
    open: &mut Vec<String>,
) {
    let mut ours: Vec<Request> = array(&told(capture)["evidence"], "exchanges")
        .iter()
        .filter(|one| text(one, "method") != "CONNECT")
        .map(Request::of_exchange)
        .collect();
    counts[0] += theirs.len();
    let mut left: Vec<&Request> = theirs.iter().collect();
    // Requests that look the same are told apart by their streams, where these have the same numbers.
    for is_any in [false, true] {
        left.retain(|want| {
            let is_same = |one: &Request| is_any || one.stream == want.stream;
            let agrees = |one: &Request| one.agrees(want) && is_same(one);
            let at = ours.iter().position(agrees);
            at.map(|at| ours.swap_remove(at)).is_none()
        });
    }
    counts[1] += theirs.len() - left.len();
    for want in left {
        println!("  {name} - {want}");
        let known =
            |(file, start): &(&str, &str)| *file == name && want.to_string().starts_with(start);
        if !EXPLAINED.iter().any(known) {
            open.push(format!("{name} - {want}"));
        }
    }
}

#[test]
fn requests_of_public_captures_agree_with_tshark() {
    let Some(folder) = support::public("pcap") else { return };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut counts, mut open, mut opened) = ([0, 0], Vec::new(), 0);
    for capture in files {
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        let keylog = beside(&capture);
        if keylog.is_none() && support::tshark::secrets(&capture).is_empty() {
            continue;
        }
        let Some(theirs) = of_tshark(&capture, keylog.as_deref()) else { return };
        opened += 1;
        compare(&name, &capture, &theirs, &mut counts, &mut open);
    }
    println!("{opened} captures, {} of {} requests agree with tshark", counts[1], counts[0]);
    assert!(opened >= 8, "{opened}");
    assert!(open.is_empty(), "{} differ:\n{}", open.len(), open.join("\n"));
}

#[test]
fn requests_of_our_sessions_agree_with_tshark() {
    let (mut counts, mut open) = ([0, 0], Vec::new());
    for session in sessions() {
        // tshark does not look into archives.
        if session.packets.extension().is_some_and(|ending| ending == "zip") {
            continue;
        }
        let keylog = beside(&session.packets);
        let Some(theirs) = of_tshark(&session.packets, keylog.as_deref()) else { return };
        let theirs: Vec<Request> =
            theirs.into_iter().filter(|one| !lacks(&session.name, &one.url())).collect();
        compare(&session.name, &session.packets, &theirs, &mut counts, &mut open);
    }
    println!("{} of {} requests agree with tshark", counts[1], counts[0]);
    assert!(open.is_empty(), "{} differ:\n{}", open.len(), open.join("\n"));
}

#[test]
fn the_packets_of_the_corpus_hold_what_the_har_says() {
    let mut wrong = Vec::new();
    for session in sessions() {
        if session.packets.extension().is_some_and(|ending| ending == "zip") {
            continue;
        }
        let keylog = beside(&session.packets);
        let Some(mut theirs) = of_tshark(&session.packets, keylog.as_deref()) else { return };
        let har: Value = serde_json::from_str(&output(&session.har, None, "json")).unwrap();
        for one in array(&har["evidence"], "exchanges").iter().map(Request::of_exchange) {
            if one.is_unanswered() || lacks(&session.name, &one.url()) {
                continue;
            }
            match theirs.iter().position(|other| one.agrees(other)) {
                Some(at) => drop(theirs.swap_remove(at)),
                None => wrong.push(format!("{}: {one}", session.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
