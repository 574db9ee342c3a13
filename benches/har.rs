//! Speed of the HAR reader, beside jq and Python's json on the same file in the same run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mfatrace::capture::{Keys, ReadOptions, Scope, Source, open};
use mfatrace::evidence::EvidenceBuilder;
use mfatrace::limits::Limits;

/// Runs of which the best counts; `once` makes one, to look at the memory it takes.
const RUNS: usize = 5;

fn main() {
    // `cargo bench --bench har -- 200 without alone`: megabytes, which of the two, no other program.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let megabytes = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(200);
    let runs = if arguments.iter().any(|text| text == "once") { 1 } else { RUNS };
    let is_given = |word: &str| arguments.iter().any(|text| text == word);
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in [("with bodies", true), ("without bodies", false)] {
        if is_given(if body { "without" } else { "with" }) {
            continue;
        }
        let path = folder.path().join("bench.har");
        let entries = generate(&path, megabytes << 20, body);
        let size = std::fs::metadata(&path).unwrap().len();
        println!("{name}: {} MB, {entries} entries", size / 1_000_000);
        let ours = best(runs, || assert_eq!(read(&path, false), entries));
        show("mfatrace, no hash", size, ours);
        if is_given("alone") {
            continue;
        }
        let hashed = best(runs, || assert_eq!(read(&path, true), entries));
        show("mfatrace, with hash", size, hashed);
        let jq = ["jq", ".log.entries|length"];
        let python = "import json,sys; print(len(json.load(open(sys.argv[1]))['log']['entries']))";
        for other in [jq.as_slice(), &["python3", "-c", python]] {
            let Some(program) = other.first() else { continue };
            let Some(answer) = run(other, &path) else {
                println!("  {program}: not installed, not compared");
                continue;
            };
            assert_eq!(answer, entries, "{program} counts otherwise");
            let theirs = best(2, || assert!(run(other, &path).is_some()));
            show(program, size, theirs);
            println!("    {:.1} times as fast", theirs.as_secs_f64() / ours.as_secs_f64());
        }
    }
}

fn show(name: &str, size: u64, took: Duration) {
    let megabytes = u32::try_from(size / 1_000_000).unwrap();
    println!("  {name}: {:.0} MB/s", f64::from(megabytes) / took.as_secs_f64());
}

#[expect(clippy::disallowed_methods, reason = "a bench looks at a clock")]
fn best(runs: usize, mut f: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        f();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap()
}

fn run(command: &[&str], path: &Path) -> Option<u64> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn read(path: &Path, hash: bool) -> u64 {
    let scope = Scope::new(
        ["login.example", "*.sso.example"],
        ["*.cdn.example"],
        ["/adfs/ls"],
        &["id_token=", "SAMLResponse=", "error_description="],
        1 << 20,
    );
    let (limits, cancel) = (Limits::default(), AtomicBool::new(false));
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &[],
        keys: &Keys::new(),
        cancel: &cancel,
    };
    let mut builder = EvidenceBuilder::new();
    open("bench.har", Source::file(path).unwrap(), &options, hash, &mut builder);
    builder.finish().inputs.first().unwrap().records
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn word(&mut self, length: u64) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        let mut letter = || LETTERS.get(usize::try_from(self.below(64)).unwrap());
        (0..length).map(|_| char::from(*letter().unwrap())).collect()
    }
}

/// Writes a HAR as browsers do; with bodies, about 78 percent of it is their text.
fn generate(path: &Path, size: u64, bodies: bool) -> u64 {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let head = "{\n  \"log\": {\n    \"version\": \"1.2\",\n    \"creator\": {\n      \"name\": \"WebInspector\",\n      \"version\": \"537.36\"\n    },\n    \"pages\": [],\n    \"entries\": [\n";
    file.write_all(head.as_bytes()).unwrap();
    let mut numbers = Numbers(7);
    let (mut written, mut entries) = (0_u64, 0_u64);
    while written < size {
        let mut text = String::new();
        if entries > 0 {
            text.push_str(",\n");
        }
        entry(&mut text, &mut numbers, entries, bodies);
        file.write_all(text.as_bytes()).unwrap();
        written += u64::try_from(text.len()).unwrap();
        entries += 1;
    }
    file.write_all(b"\n    ]\n  }\n}\n").unwrap();
    file.flush().unwrap();
    entries
}

fn entry(out: &mut String, numbers: &mut Numbers, index: u64, bodies: bool) {
    let host = match index % 20 {
        0 => "login.example",
        1..=4 => "a.cdn.example",
        5..=9 => "www.app.example",
        _ => "static.other.example",
    };
    let (kind, script) = match index % 5 {
        0 => ("text/html; charset=utf-8", false),
        1 | 2 => ("application/javascript", true),
        3 => ("image/png", false),
        _ => ("application/json", false),
    };
    let (second, path, query) = (index / 10 % 60, numbers.word(24), numbers.word(60));
    let (agent, cookie) = (numbers.word(110), numbers.word(600));
    let _ = write!(
        out,
        "      {{\n        \"startedDateTime\": \"2030-01-01T10:00:{second:02}.123Z\",\n        \"time\": 123.456,\n        \"request\": {{\n          \"method\": \"GET\",\n          \"url\": \"https://{host}/{path}?q={query}\",\n          \"httpVersion\": \"h2\",\n          \"headers\": ["
    );
    headers(
        out,
        &[
            (":authority", host),
            (":method", "GET"),
            ("accept", "*/*"),
            ("accept-encoding", "gzip, deflate, br"),
            ("user-agent", &agent),
            ("cookie", &cookie),
            ("referer", "https://www.app.example/start"),
            ("sec-fetch-mode", "cors"),
            ("sec-ch-ua", "\\\"Chromium\\\";v=\\\"120\\\""),
        ],
    );
    let _ = write!(
        out,
        "],\n          \"queryString\": [\n            {{\n              \"name\": \"q\",\n              \"value\": \"{query}\"\n            }}\n          ],\n          \"cookies\": [\n            {{\n              \"name\": \"session\",\n              \"value\": \"{cookie}\",\n              \"path\": \"/\",\n              \"domain\": \".example\",\n              \"expires\": \"2031-01-01T00:00:00.000Z\",\n              \"httpOnly\": true,\n              \"secure\": true\n            }}\n          ],\n          \"headersSize\": -1,\n          \"bodySize\": 0\n        }},\n        \"response\": {{\n          \"status\": 200,\n          \"statusText\": \"\",\n          \"httpVersion\": \"h2\",\n          \"headers\": ["
    );
    headers(
        out,
        &[
            ("content-type", kind),
            ("cache-control", "max-age=31536000"),
            ("date", "Tue, 01 Jan 2030 10:00:00 GMT"),
            ("server", "nginx"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-request-id", &path),
            ("set-cookie", &query),
        ],
    );
    let _ = write!(
        out,
        "],\n          \"cookies\": [],\n          \"content\": {{\n            \"size\": 20000,\n            \"mimeType\": \"{kind}\""
    );
    if bodies {
        out.push_str(",\n            \"text\": \"");
        body(out, numbers, script);
        out.push('"');
    }
    out.push_str("\n          },\n          \"redirectURL\": \"\",\n          \"headersSize\": -1,\n          \"bodySize\": 5000\n        },\n        \"cache\": {},\n        \"timings\": {\n          \"blocked\": 1.5,\n          \"dns\": -1,\n          \"ssl\": -1,\n          \"connect\": -1,\n          \"send\": 0.2,\n          \"wait\": 50.1,\n          \"receive\": 3.25,\n          \"_blocked_queueing\": 0.9\n        },\n        \"serverIPAddress\": \"192.0.2.7\",\n        \"connection\": \"443\",\n        \"pageref\": \"page_1\"\n      }");
}

fn headers(out: &mut String, fields: &[(&str, &str)]) {
    for (index, (name, value)) in fields.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}\n            {{\n              \"name\": \"{name}\",\n              \"value\": \"{value}\"\n            }}"
        );
    }
    out.push_str("\n          ");
}

fn body(out: &mut String, numbers: &mut Numbers, script: bool) {
    let length = 6_000 + usize::try_from(numbers.below(25_000)).unwrap();
    let end = out.len() + length;
    let base64 = numbers.word(97);
    while out.len() < end {
        if script {
            out.push_str("function f(a,b){var c=\\\"x\\\";return a[b]||c+'\\\\n'}\\n");
        } else {
            out.push_str(&base64);
        }
    }
}
