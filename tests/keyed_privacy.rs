//! No secret inside encrypted packets and no key reaches an output.
//!
//! The HAR of each session in `captures/keyed` holds in clear what its packets hold encrypted: passwords, codes,
//! cookies, tokens, flow state. They and the keys are looked for in every output about the packets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![expect(clippy::string_slice, clippy::format_collect, reason = "texts are short and ASCII")]
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mfatrace::analyze::Analysis;
use mfatrace::evidence::Body;
use serde_json::Value;
use support::Row;
use support::canary::{Canaries, Search};
use support::leaks::{found, none, outputs};

/// Names of what is secret, in forms, JSON, queries and fragments.
const NAMES: &[&str] = &[
    "AdditionalAuthData",
    "Ctx",
    "FlowToken",
    "access_token",
    "accesspass",
    "apiCanary",
    "assertion",
    "canary",
    "client_assertion",
    "client_info",
    "client_secret",
    "code",
    "code_challenge",
    "code_verifier",
    "ctx",
    "device_code",
    "flowToken",
    "id_token",
    "id_token_hint",
    "nonce",
    "originalRequest",
    "otc",
    "passwd",
    "password",
    "refresh_token",
    "request",
    "sCtx",
    "sFT",
    "session_state",
    "state",
    "urlPost",
    "user_code",
    "wresult",
];
/// Characters of the shortest value that is looked for: a code of an app.
const SHORTEST: usize = 6;
/// Characters of a value from which on its pieces are looked for, too.
const LONG: usize = 40;
/// What every made-up token of the corpus holds.
const MARK: &str = "FAKESECRET";

/// Secrets with the places they were found in.
#[derive(Default)]
struct Secrets(BTreeSet<(String, String)>);

impl Secrets {
    fn add(&mut self, place: &str, value: &str) {
        let decoded = url::form_urlencoded::parse(format!("x={value}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned());
        for value in [Some(value.to_owned()), decoded].into_iter().flatten() {
            // A number that counts something is no secret, nor is a word of the protocol.
            let is_word = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if value.len() < SHORTEST || is_word || value.starts_with("http") {
                continue;
            }
            self.0.insert((place.to_owned(), value.clone()));
            if value.len() >= LONG && value.is_ascii() {
                let middle = value.len() / 2;
                for piece in [&value[..24], &value[middle..middle + 16], &value[value.len() - 16..]]
                {
                    self.0.insert((format!("{place}, a piece"), piece.to_owned()));
                }
            }
        }
    }

    /// Fields of a form, a query or a fragment.
    fn form(&mut self, text: &str) {
        for field in text.split(['?', '&', '#']) {
            if let Some((name, value)) =
                field.split_once('=').filter(|(name, _)| NAMES.contains(name))
            {
                // In a page an address ends with its quotes.
                let end = value.find(['"', '\'', '<', ' ', '\\']).unwrap_or(value.len());
                self.add(name, &value[..end]);
            }
        }
    }

    fn json(&mut self, value: &Value) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| self.json(one)),
            Value::Object(all) => {
                for (name, value) in all {
                    if let (true, Some(text)) = (NAMES.contains(&name.as_str()), value.as_str()) {
                        self.add(name, text);
                    }
                    self.json(value);
                }
            }
            Value::String(text) => self.form(text),
            _ => {}
        }
    }

    /// Any word with the mark, in whatever text.
    fn marked(&mut self, text: &str) {
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "-_.!".contains(character);
        for word in text.split(|character| !is_part(character)).filter(|word| word.contains(MARK)) {
            self.add("marked text", word);
        }
    }

    fn body(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(value) => self.json(&value),
            Err(_) => self.form(text),
        }
        self.marked(text);
    }

    fn headers(&mut self, headers: &Value) {
        for field in headers.as_array().unwrap() {
            let (name, value) = (field["name"].as_str().unwrap(), field["value"].as_str().unwrap());
            match name.to_ascii_lowercase().as_str() {
                "authorization" | "proxy-authorization" => {
                    for token in value.split(' ').skip(1) {
                        self.add("authorization", token);
                    }
                }
                "cookie" => {
                    for (_, value) in value.split("; ").filter_map(|one| one.split_once('=')) {
                        self.add("cookie", value);
                    }
                }
                "set-cookie" => {
                    let pair = value.split(';').next().and_then(|one| one.split_once('='));
                    if let Some((_, value)) = pair {
                        self.add("cookie that is set", value);
                    }
                }
                "x-ms-ctx" | "x-ms-flowtoken" | "x-ms-sessionid" => self.add("flow state", value),
                "location" | "referer" => self.form(value),
                _ => {}
            }
            self.marked(value);
        }
    }

    /// Those of a HAR.
    fn of_har(path: &Path) -> Self {
        let har: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut secrets = Self::default();
        for entry in har["log"]["entries"].as_array().unwrap() {
            let (request, response) = (&entry["request"], &entry["response"]);
            secrets.form(request["url"].as_str().unwrap());
            secrets.headers(&request["headers"]);
            secrets.headers(&response["headers"]);
            for text in [&request["postData"]["text"], &response["content"]["text"]] {
                secrets.body(text.as_str().unwrap_or_default());
            }
        }
        secrets
    }
}

fn has_ending(row: &Row, ending: &str) -> bool {
    Path::new(&row.path).extension().is_some_and(|known| known == ending)
}

/// The packets of the sessions.
fn rows() -> Vec<Row> {
    let is_packets = |row: &Row| row.path.starts_with("keyed/") && !has_ending(row, "har");
    let rows: Vec<Row> = support::manifest().into_iter().filter(is_packets).collect();
    assert!(rows.len() >= 40, "{}", rows.len());
    rows
}

fn captures() -> PathBuf {
    support::root().join("captures")
}

/// The text of the keys of a capture: beside it, in its archive, or inside of it.
fn keys(row: &Row) -> String {
    let path = captures().join(&row.path);
    let bytes = match &row.keylog {
        Some(beside) => std::fs::read(captures().join(beside)).unwrap(),
        None if has_ending(row, "zip") => {
            let members = support::archive::unzip(&std::fs::read(path).unwrap());
            let text = |(_, bytes): &(String, Vec<u8>)| {
                String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes))
                    .contains("_TRAFFIC_SECRET")
                    || bytes.starts_with(b"CLIENT_RANDOM")
            };
            let logs: Vec<Vec<u8>> =
                members.into_iter().filter(text).map(|(_, bytes)| bytes).collect();
            logs.concat()
        }
        None => support::tshark::secrets(&path),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Notes the numbers of each line, which are all random: 16 bytes of each are enough.
fn note_keys(canaries: &mut Canaries, text: &str) {
    for word in text.split_whitespace().filter(|word| word.len() >= 16) {
        if let Ok(bytes) = data_encoding::HEXLOWER_PERMISSIVE.decode(word.as_bytes()) {
            canaries.note_bytes("number of a key log", &bytes);
        }
    }
}

/// What was read of the packets and is held, which is what an output could show.
#[expect(clippy::disallowed_methods, reason = "it is shown to nobody")]
fn held(analysis: &Analysis) -> Vec<u8> {
    let mut all = Vec::new();
    let mut body = |body: &Body| {
        if let Body::Kept { bytes, .. } = body {
            all.extend_from_slice(bytes.expose());
            all.push(b'\n');
        }
    };
    for one in &analysis.evidence.exchanges {
        body(&one.request.body);
        one.response.iter().for_each(|response| body(&response.body));
    }
    for one in &analysis.evidence.exchanges {
        let answers = one.response.iter().flat_map(|response| response.headers.iter());
        for (_, value) in one.request.headers.iter().chain(answers) {
            all.extend(value.expose().bytes());
        }
        if let Some(query) = &one.request.url.query {
            all.extend(query.expose().bytes());
        }
    }
    all
}

#[test]
fn no_secret_of_encrypted_packets_is_shown() {
    let (mut all, mut count, mut within) = (Vec::new(), 0, 0);
    for row in rows() {
        let path = captures().join(&row.path);
        let secrets = Secrets::of_har(&path.with_extension("har"));
        let mut canaries = Canaries::default();
        for (place, value) in &secrets.0 {
            canaries.note(place, value);
        }
        let search = canaries.search();
        let analysis = support::run_row(&row);
        // That nothing is found means something only if it is there to be found: the packets were
        // opened, and hold what the HAR holds.
        let there = search.found("what is held", held(&analysis)).len();
        let is_opened = row.outcome != "undetermined" && !row.path.contains("missing");
        assert!(there > 0 || !is_opened, "{}: nothing was opened", row.path);
        within += there;
        count += canaries.len();
        let mut keys_of = Canaries::default();
        note_keys(&mut keys_of, &keys(&row));
        assert!(keys_of.len() >= 2, "{}: no keys", row.path);
        let keys_of = keys_of.search();
        for (name, how, text) in outputs(&analysis, false) {
            let name = format!("{name} of {}", row.path);
            all.extend(found(&search, &name, how, &text));
            all.extend(keys_of.found(&name, &text));
        }
    }
    println!("{count} secrets and pieces of them, {within} of them held of the packets");
    assert!(count > 1_000 && within > 500, "{count} looked for, {within} held");
    none(all);
}

/// What the program wrote on both streams.
fn program(arguments: &[&str], keylog: &Path, capture: &Path) -> [Vec<u8>; 2] {
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .arg(capture)
        .arg("--keylog")
        .arg(keylog)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{output:?}");
    assert!(output.stdout.len() > 100, "{output:?}");
    [output.stdout, output.stderr]
}

const ARGUMENTS: [&[&str]; 3] =
    [&["-v"], &["--format", "json", "--evidence", "-v", "--redact", "none"], &["-q"]];

/// Runs the program with a file for a key log, and gives what is shown of what is searched for.
fn shown(search: &Search, name: &str, keylog: &Path, capture: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for arguments in ARGUMENTS {
        for stream in program(arguments, keylog, capture) {
            all.extend(search.found(&format!("program {arguments:?} with {name}"), &stream));
        }
    }
    all
}

#[test]
fn no_key_of_a_damaged_key_log_is_shown() {
    let row =
        rows().into_iter().find(|row| row.path.ends_with("device-code-tls13-h2.pcap")).unwrap();
    let capture = captures().join(&row.path);
    let text = keys(&row);
    let mut canaries = Canaries::default();
    note_keys(&mut canaries, &text);
    for (place, value) in &Secrets::of_har(&capture.with_extension("har")).0 {
        canaries.note(place, value);
    }
    let search = canaries.search();
    let folder = tempfile::tempdir().unwrap();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let line = text.lines().next().unwrap();
    let end = text.find(line).unwrap() + line.len();
    let damaged: Vec<(&str, Vec<u8>)> = vec![
        ("the whole", text.clone().into_bytes()),
        ("a cut secret", text.as_bytes()[..end - 7].to_vec()),
        ("a cut name", text.as_bytes()[..40].to_vec()),
        ("its second half", text.as_bytes()[text.len() / 2 + 3..].to_vec()),
        ("digits that are none", text.replace('a', "g").into_bytes()),
        ("labels that are none", text.replace("CLIENT_", "MY ").into_bytes()),
        ("secrets as labels", text.replace("CLIENT_TRAFFIC_SECRET_0 ", "").into_bytes()),
        ("one line", text.replace('\n', " ").into_bytes()),
        ("no ends of lines", text.replace('\n', "").into_bytes()),
        ("as JSON", format!("{{\"keys\":\"{}\"", text.replace('\n', "\\n")).into_bytes()),
        ("two bytes a character", wide.clone()),
        ("two bytes, cut", wide[1..].to_vec()),
        ("packed", support::archive::gzip(text.as_bytes())),
        (
            "zipped",
            support::archive::zip(&[("keys.txt".to_owned(), text.clone().into_bytes())], ""),
        ),
        ("in base64", data_encoding::BASE64.encode(text.as_bytes()).into_bytes()),
    ];
    let mut all = Vec::new();
    for (index, (name, bytes)) in damaged.iter().enumerate() {
        let path = folder.path().join(format!("{index}.txt"));
        std::fs::write(&path, bytes).unwrap();
        all.extend(shown(&search, name, &path, &capture));
        // The key log as the capture, and the capture as the key log.
        all.extend(shown(&search, name, &capture, &path));
    }
    none(all);
}

#[test]
fn a_file_given_by_mistake_is_not_shown() {
    let capture = captures().join("keyed/device-code-tls13-h2.pcap");
    let mut canaries = Canaries::default();
    let mut plant = |place: &str| canaries.plant(place, 24);
    let list: String = (0..50).map(|_| format!("{}\n", plant("password of a list"))).collect();
    let pairs: String = (0..50)
        .map(|_| format!("CLIENT_RANDOM {} {}\n", plant("user"), plant("password")))
        .collect();
    let fields: String = (0..20)
        .map(|_| format!("RSA Session-ID:{} Master-Key:{}\n", plant("id"), plant("key")))
        .collect();
    let number = format!("CLIENT_TRAFFIC_SECRET_{} {} 00\n", plant("number"), "00".repeat(32));
    let comments = format!("# {}\n#{}\n", plant("comment"), plant("comment"));
    let long = plant("long line").repeat(400);
    let mut binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    binary.extend(plant("inside of a binary").bytes());
    binary.extend([0xff, 0, 0xfe]);
    let private = format!("-----BEGIN PRIVATE KEY-----\n{}\n", plant("private key"));
    let har = std::fs::read(captures().join("keyed/device-code-tls13-h2.har")).unwrap();
    for (place, value) in &Secrets::of_har(&captures().join("keyed/device-code-tls13-h2.har")).0 {
        canaries.note(place, value);
    }
    let search = canaries.search();
    let folder = tempfile::tempdir().unwrap();
    let mistakes: Vec<(&str, Vec<u8>)> = vec![
        ("a password list", list.into_bytes()),
        ("pairs in the form of a key log", pairs.into_bytes()),
        ("sessions in the form of a key log", fields.into_bytes()),
        ("a number that is none", number.into_bytes()),
        ("comments", comments.into_bytes()),
        ("a long line", long.into_bytes()),
        ("a binary", binary),
        ("a private key", private.into_bytes()),
        ("a HAR", har.clone()),
        ("half a HAR", har[har.len() / 2..].to_vec()),
        ("a zip with a HAR", support::archive::zip(&[("session.har".to_owned(), har)], "")),
        ("nothing", Vec::new()),
    ];
    let mut all = Vec::new();
    for (index, (name, bytes)) in mistakes.iter().enumerate() {
        let path = folder.path().join(format!("{index}.bin"));
        std::fs::write(&path, bytes).unwrap();
        all.extend(shown(&search, name, &path, &capture));
    }
    all.extend(shown(&search, "a file that is missing", &folder.path().join("none"), &capture));
    all.extend(shown(&search, "a folder", folder.path(), &capture));
    none(all);
}

/// The searches find what they are to find: in the HAR, in the key log, and in outputs to which a secret is
/// added in any of its forms.
#[test]
fn what_is_planted_is_found() {
    let row =
        rows().into_iter().find(|row| row.path.ends_with("device-code-tls13-h2.pcap")).unwrap();
    let capture = captures().join(&row.path);
    let har = std::fs::read(capture.with_extension("har")).unwrap();
    let secrets = Secrets::of_har(&capture.with_extension("har"));
    let mut canaries = Canaries::default();
    for (place, value) in &secrets.0 {
        canaries.note(place, value);
    }
    let found = canaries.search().found("the HAR", &har).len();
    assert!(found * 10 >= canaries.len() * 9, "{found} of {} are found", canaries.len());
    for kind in ["device_code", "user_code"] {
        assert!(secrets.0.iter().any(|(place, _)| place == kind), "no {kind}");
    }
    let text = keys(&row);
    let mut canaries = Canaries::default();
    note_keys(&mut canaries, &text);
    let search = canaries.search();
    assert!(search.found("the key log", &text).len() >= canaries.len());
    let secret = text.split_whitespace().nth(2).unwrap();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(secret.as_bytes()).unwrap();
    let analysis = support::run_row(&row);
    for (name, _, output) in outputs(&analysis, false) {
        for form in [
            secret.to_owned(),
            secret.to_uppercase(),
            data_encoding::BASE64.encode(&bytes),
            format!("{bytes:?}"),
            data_encoding::BASE64.encode(secret.as_bytes()),
        ] {
            assert!(!search.found(&name, format!("{output} {form}")).is_empty(), "{name}: {form}");
        }
        assert!(!search.found(&name, [output.as_bytes(), &bytes].concat()).is_empty(), "{name}");
    }
}

/// All kinds of secrets are among those that are looked for.
#[test]
fn every_kind_of_secret_is_in_the_sessions() {
    let mut kinds = BTreeSet::new();
    for row in rows() {
        let har = captures().join(&row.path).with_extension("har");
        kinds.extend(Secrets::of_har(&har).0.into_iter().map(|(place, _)| place));
    }
    println!("{kinds:?}");
    for kind in [
        "AdditionalAuthData",
        "access_token",
        "canary",
        "code",
        "cookie that is set",
        "ctx",
        "device_code",
        "flowToken",
        "id_token",
        "passwd",
        "password",
        "refresh_token",
        "user_code",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
}
