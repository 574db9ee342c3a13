//! Whatever the bytes: no panic, no hang, no claim that the whole capture would not make.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test support"
)]

mod support;

use std::time::Instant;

use mfatrace::analyze::Analysis;
use mfatrace::evidence::{DiagnosticCode, NoResponse};
use mfatrace::finding::{Confidence, Family, Severity};
use serde_json::json;

use support::Row;
use support::archive::{gzip, zip};
use support::memory::{run_bytes, run_reader, run_source};
use support::random::Random;

/// Seconds that one hostile input may take; the unoptimised build on a busy machine is slow.
const PATIENCE: f32 = 20.0;

fn bytes(row: &Row) -> Vec<u8> {
    std::fs::read(support::root().join("captures").join(&row.path)).unwrap()
}

fn rows() -> Vec<Row> {
    support::sample().into_iter().filter(|row| row.password.is_none()).collect()
}

/// Whether anything that the sign-in needs could be taken for a fault of the network.
fn has_fault(analysis: &Analysis) -> bool {
    let network = |family| {
        matches!(family, Family::Dns | Family::Tcp | Family::Prx | Family::Tls | Family::Net)
    };
    let found = analysis
        .findings
        .iter()
        .any(|finding| network(finding.meta.family) && finding.severity > Severity::Info);
    let failed =
        analysis.evidence.exchanges.iter().filter(|one| one.in_scope).any(|one| {
            match &one.response {
                Ok(response) => response.status == 0 || response.status >= 400,
                Err(reason) => !matches!(reason, NoResponse::NotCaptured),
            }
        });
    analysis.verdict.side.as_str() == "network" || found || failed
}

fn is_cut(analysis: &Analysis) -> bool {
    let codes = [DiagnosticCode::Truncated];
    analysis.evidence.diagnostics.iter().any(|one| codes.contains(&one.code))
}

/// The first id of the attempt that the verdict follows.
fn attempt(analysis: &Analysis) -> Option<String> {
    let attempt = analysis.verdict.attempt.and_then(|id| analysis.signin.attempt(id))?;
    attempt.correlation_ids.first().map(ToString::to_string)
}

/// What cuts of some captures claim and should not.
fn cuts(rows: &[Row], seed: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut random = Random::new(seed);
    for row in rows {
        let bytes = bytes(row);
        let whole = run_bytes(bytes.clone());
        let points = if bytes.len() < 10_000 { 40 } else { 14 };
        for point in 0..points {
            let step = bytes.len() / points;
            let at = (point * step + random.below(step)).min(bytes.len() - 1);
            let cut = run_bytes(bytes[..at].to_vec());
            let (was, is) = (&whole.verdict, &cut.verdict);
            let mut say = |what: &str| {
                wrong.push(format!(
                    "{} cut at {at} of {}: {what}: {} {} {} became {} {} {}",
                    row.path,
                    bytes.len(),
                    was.outcome,
                    was.side,
                    was.confidence.as_str(),
                    is.outcome,
                    is.side,
                    is.confidence.as_str()
                ));
            };
            if is.side.as_str() == "network" && !has_fault(&whole) {
                say("a network fault that the whole does not hold");
            }
            let against = !was.evidence_against.is_empty() && is.evidence_against.is_empty();
            // Where there is no attempt, what is compared is the same statement.
            let one = was.attempt.is_some() || is.attempt.is_some() || is.outcome == was.outcome;
            let same = is.side == was.side && attempt(&cut) == attempt(&whole) && one;
            if same && is.confidence > was.confidence && !against {
                say("more sure than the whole");
            }
            if is_cut(&cut) && is.confidence > Confidence::Medium {
                say("sure in spite of the cut");
            }
        }
    }
    wrong
}

#[test]
fn cuts_claim_no_more_than_the_whole() {
    let mut rows = rows();
    rows.retain(|row| !row.path.contains("saz"));
    let wrong = cuts(&rows, 1);
    assert!(wrong.is_empty(), "{} cuts:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn cuts_of_an_archive_claim_no_more_than_the_whole() {
    let mut rows = rows();
    rows.retain(|row| row.path.contains("saz"));
    let wrong = cuts(&rows, 1);
    assert!(wrong.is_empty(), "{} cuts:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn flipped_bytes_are_survived() {
    let mut random = Random::new(2);
    for row in support::sample() {
        let whole = bytes(&row);
        let passwords: Vec<String> = row.password.iter().cloned().collect();
        for _ in 0..10 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(20) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = 0,
                    2 => bytes[at] = 0xff,
                    _ => bytes[at] = b"{}[]\",:\\0\n"[random.below(10)],
                }
            }
            let source = mfatrace::capture::Source::bytes(bytes);
            let analysis = run_source("capture", source, &passwords);
            assert!(
                !analysis.evidence.inputs.is_empty() || !analysis.evidence.diagnostics.is_empty()
            );
        }
    }
}

/// Pieces out of the middle, doubled and swapped pieces.
#[test]
fn moved_pieces_are_survived() {
    let mut random = Random::new(3);
    for row in rows() {
        let whole = bytes(&row);
        for _ in 0..4 {
            let (one, two) = (random.below(whole.len()), random.below(whole.len()));
            let (from, to) = (one.min(two), one.max(two));
            let without = [&whole[..from], &whole[to..]].concat();
            let doubled = [&whole[..to], &whole[from..]].concat();
            run_bytes(without);
            run_bytes(doubled);
        }
    }
}

/// Analyses hostile bytes: in time, and something is said about them.
fn hostile(name: &str, bytes: Vec<u8>) -> Analysis {
    timed(name, || run_bytes(bytes))
}

fn timed(name: &str, run: impl FnOnce() -> Analysis) -> Analysis {
    #[expect(clippy::disallowed_methods, reason = "a test of the time that is taken")]
    let start = Instant::now();
    let analysis = run();
    let took = start.elapsed().as_secs_f32();
    println!("{name}: {took:.2} s, {:?}", codes(&analysis));
    assert!(took < PATIENCE, "{name} took {took} s");
    analysis
}

fn codes(analysis: &Analysis) -> Vec<DiagnosticCode> {
    analysis.evidence.diagnostics.iter().map(|one| one.code).collect()
}

fn said(name: &str, bytes: Vec<u8>) {
    let analysis = hostile(name, bytes);
    assert!(!analysis.evidence.diagnostics.is_empty(), "{name}: nothing is said");
}

fn entries(text: &str) -> Vec<u8> {
    format!("{{\"log\":{{\"version\":\"1.2\",\"entries\":[{text}]}}}}").into_bytes()
}

const LOGIN: &str = "https://login.microsoftonline.com/common/login";

/// An entry of a sign-in host with a body of its answer.
fn answered(kind: &str, body: &str) -> Vec<u8> {
    let told = support::exchange::get(LOGIN).by_service().answer(kind, body);
    entries(&told.entry(32_400.0).to_string())
}

#[test]
fn archives_that_explode() {
    let zeros = vec![0; 1 << 20];
    let mut bomb = gzip(&zeros.repeat(64));
    for _ in 0..3 {
        bomb = gzip(&bomb);
    }
    hostile("gzip in gzip", bomb.clone());
    said("gzip deeper than the limit", gzip(&gzip(&bomb)));

    let leaf = zip(&[("a".to_owned(), zeros.repeat(32))], "");
    let mut nest = leaf;
    for level in 0..4 {
        let members: Vec<_> = (0..8).map(|n| (format!("{level}-{n}.zip"), nest.clone())).collect();
        nest = zip(&members, "");
    }
    said("a nest of archives", nest);

    // A gibibyte of zeros in a megabyte, as a body and as a HAR.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..256 {
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
    }
    let big = encoder.finish().unwrap();
    hostile("zeros as a file", big.clone());
    let response = |body: &[u8]| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n";
        [head.as_bytes(), body].concat()
    };
    let request = format!("GET {LOGIN} HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n");
    let session = (request.into_bytes(), response(&big), b"<Session/>".to_vec());
    let sessions = vec![session; 6];
    hostile("a body of zeros", zip(&support::archive::saz(&sessions), ""));
    let in_gzip = data_encoding::BASE64.encode(&big);
    hostile("zeros in a HAR", answered("text/html", &in_gzip));
}

#[test]
fn archives_of_many_members() {
    let many: Vec<_> = (0..60_000).map(|n| (format!("raw/{n}_c.txt"), Vec::new())).collect();
    said("many empty sessions", zip(&many, ""));
    let many: Vec<_> = (0..60_000).map(|n| (format!("{n}"), b"x".to_vec())).collect();
    said("many strangers", zip(&many, ""));
    let same: Vec<_> =
        ["raw/1_c.txt", "RAW/1_C.TXT", "raw\\1_c.txt", "raw/01_c.txt", "../raw/1_c.txt"]
            .map(|name| (name.to_owned(), b"GET http://a/ HTTP/1.1\r\n\r\n".to_vec()))
            .into();
    hostile("one session under many names", zip(&same, ""));
}

#[test]
fn json_without_end() {
    let deep = 100_000;
    said("arrays", "[".repeat(deep).into_bytes());
    hostile("objects", "{\"log\":".repeat(deep).into_bytes());
    let nest = format!("{}1{}", "[".repeat(deep), "]".repeat(deep));
    said("a deep entry", entries(&nest));
    hostile(
        "a deep key",
        entries(&format!("{{\"x\":{nest},\"request\":{{\"url\":\"{LOGIN}\"}}}}")),
    );
    let object = format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep));
    hostile("a deep body", answered("application/json", &object));
    hostile("a deep body in a list", answered("application/json", &nest));
    let config = |inside: &str| {
        format!("<script>$Config={{\"pgid\":\"ConvergedTFA\",\"a\":{inside}}};</script>")
    };
    hostile("a deep page", answered("text/html", &config(&nest)));
    hostile("a page without end", answered("text/html", &config(&"{\"a\":[".repeat(deep))));
    hostile("many pages in one", answered("text/html", &config("1").repeat(3_000)));
    hostile("deep markup", answered("text/html", &"<form><div><p>".repeat(60_000)));
    hostile("one long tag", answered("text/html", &format!("<form {}", "a=b ".repeat(200_000))));
    hostile(
        "many fields",
        answered("text/html", &format!("<form>{}", "<input name=a value=b>".repeat(40_000))),
    );
}

#[test]
fn long_strings_and_lists() {
    let long = "a".repeat(64 << 20);
    said("a long body", answered("text/html", &long));
    hostile("a long key", entries(&format!("{{\"{long}\":1}}")));
    hostile("a long address", entries(&format!("{{\"request\":{{\"url\":\"{LOGIN}?{long}\"}}}}")));
    hostile("quotes", answered("text/html", &"\"".repeat(8 << 20)));
    hostile("a long blank", [entries("").as_slice(), " ".repeat(32 << 20).as_bytes()].concat());
    hostile(
        "a long creator",
        format!("{{\"log\":{{\"creator\":{{\"name\":\"{long}\"}},\"entries\":[]}}}}").into_bytes(),
    );
    drop(long);
    hostile("numbers", entries(&vec!["7"; 300_000].join(",")));
    hostile("lists", entries(&vec!["[]"; 300_000].join(",")));
    let fields: Vec<_> =
        (0..100_000).map(|n| json!({"name": format!("x-{n}"), "value": "v"})).collect();
    let many = json!({"request": {"url": LOGIN, "headers": fields}, "response": {"status": 200, "headers": fields}});
    hostile("many fields", entries(&many.to_string()));
    let pages: Vec<_> =
        (0..100_000).map(|n| json!({"id": format!("page_{n}"), "title": "x"})).collect();
    let har = json!({"log": {"pages": pages, "entries": []}});
    hostile("many pages", har.to_string().into_bytes());
    let form = "a=b&".repeat(250_000);
    let told = support::exchange::post(LOGIN, &form);
    hostile("a long form", entries(&told.entry(32_400.0).to_string()));
}

#[test]
fn many_beginnings_of_an_object() {
    hostile("many beginnings", answered("text/html", &"$Config={\"a\":".repeat(60_000)));
}

#[test]
fn many_empty_entries() {
    hostile("empty entries", entries(&vec!["{}"; 1_000_000].join(",")));
}

#[test]
fn many_failures_of_one_attempt() {
    let failing: Vec<String> = (0..40_000)
        .map(|n| {
            let url = format!("https://login.microsoftonline.com/common/SAS/EndAuth?pollCount={n}");
            let told = support::exchange::get(&url).failing("net::ERR_FAILED");
            told.entry(f64::from(n)).to_string()
        })
        .collect();
    hostile("failing polls", entries(&failing.join(",")));
}

/// A rule names a bounded number of hosts, however many fail.
#[test]
fn many_hosts_that_fail() {
    let failing: Vec<String> = (0..20_000)
        .map(|n| {
            let told = support::exchange::get(&format!("https://h{n}.msauth.net/x.js"));
            told.failing("net::ERR_NAME_NOT_RESOLVED").entry(f64::from(n)).to_string()
        })
        .collect();
    let analysis = hostile("failing hosts", entries(&failing.join(",")));
    assert!(analysis.findings.len() < 1_000, "{}", analysis.findings.len());
    assert!(analysis.findings.iter().any(|finding| finding.decisive));
}

#[test]
fn keys_that_come_twice() {
    let request = format!("{{\"method\":\"GET\",\"url\":\"{LOGIN}\"}}");
    let entry = format!(
        "{{\"request\":{request},\"request\":7,\"request\":{request},\"response\":{{\"status\":200,\
         \"status\":\"x\",\"content\":{{\"text\":\"a\",\"text\":\"b\"}}}},\"response\":null,\
         \"startedDateTime\":\"x\",\"startedDateTime\":\"2030-01-15T09:00:00Z\"}}"
    );
    hostile("keys twice", entries(&[entry.as_str(); 50].join(",")));
    let twice = format!(
        "{{\"log\":{{\"entries\":[{entry}],\"entries\":[{entry}],\"creator\":1,\"creator\":{{}}}},\"log\":[]}}"
    );
    hostile("logs twice", twice.into_bytes());
}

#[test]
fn numbers_and_times_out_of_range() {
    for number in [
        "1e999",
        "-1e999",
        "99999999999999999999",
        "-0",
        "1e-999",
        "2147483648",
        "null",
        "\"7\"",
        "true",
        "[]",
    ] {
        let entry = format!(
            "{{\"startedDateTime\":{number},\"time\":{number},\"timings\":{{\"dns\":{number},\"wait\":{number}}},\
             \"request\":{{\"method\":\"GET\",\"url\":\"{LOGIN}\",\"bodySize\":{number},\"headers\":{number}}},\
             \"response\":{{\"status\":{number},\"content\":{{\"size\":{number},\"text\":{number}}},\"headers\":[{number}]}}}}"
        );
        hostile(number, entries(&entry));
        let body = format!(
            "{{\"Success\":{number},\"ErrCode\":{number},\"error_codes\":[{number}],\"ResultValue\":{number},\"Retry\":{number},\"iErrorCode\":{number}}}"
        );
        hostile(number, answered("application/json", &body));
        hostile(
            number,
            answered(
                "text/html",
                &format!(
                    "<script>$Config={{\"pgid\":{number},\"arrUserProofs\":{number},\"iPollingTimeout\":{number},\"iMaxPollAttempts\":{number},\"iErrorCode\":{number},\"sErrorCode\":{number}}};</script>"
                ),
            ),
        );
    }
    for time in [
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2030-02-30T00:00:00Z",
        "-9999-01-01T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "2030-01-01T00:00:00+99:99",
        "2030-01-01T24:00:60Z",
        "1",
    ] {
        let told = support::exchange::get(LOGIN).by_service();
        let mut entry = told.entry(0.0);
        entry["startedDateTime"] = json!(time);
        entry["time"] = json!(1e300);
        hostile(time, entries(&entry.to_string()));
    }
    for url in [
        "",
        "/",
        "http://",
        "https://login.microsoftonline.com:99999/",
        "https://[::1",
        "https://\u{0}/",
        "file:///etc/passwd",
        "data:,x",
        "https://%6cogin.microsoftonline.com/common/login",
        "https://login.microsoftonline.com\u{0}.example/",
        "https://xn--a/",
        "javascript:1",
        "https://login.microsoftonline.com\\@example.net/",
        "https://user:pw@login.microsoftonline.com@example.net/",
    ] {
        let mut entry = support::exchange::get(LOGIN).entry(0.0);
        entry["request"]["url"] = json!(url);
        entry["response"]["redirectURL"] = json!(url);
        hostile(url, entries(&entry.to_string()));
    }
}

#[test]
fn markup_that_explodes() {
    let mut bomb = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a0 \"ha\">".to_owned();
    for level in 1..20 {
        let before = format!("&a{};", level - 1).repeat(10);
        bomb = format!("{bomb}<!ENTITY a{level} \"{before}\">");
    }
    bomb += "<!ENTITY f SYSTEM \"file:///etc/passwd\">]>";
    let soap = format!(
        "{bomb}<S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\"><S:Body><S:Fault><S:Reason><S:Text>&a19;&f;</S:Text></S:Reason></S:Fault></S:Body></S:Envelope>"
    );
    let mut har =
        serde_json::from_slice::<serde_json::Value>(&answered("application/soap+xml", &soap))
            .unwrap();
    support::json::entries(&mut har)[0]["request"]["url"] =
        json!("https://login.microsoftonline.com/rst2.srf");
    hostile("entities in SOAP", har.to_string().into_bytes());
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    hostile("deep SOAP", answered("application/soap+xml", &deep));
    let request =
        format!("GET {LOGIN} HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n").into_bytes();
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let flags = format!(
        "<Session><SessionFlags>{}</SessionFlags></Session>",
        "<SessionFlag N=\"a\" V=\"b\"/>".repeat(50_000)
    );
    for (name, metadata) in [
        (
            "entities",
            format!(
                "{bomb}<Session SID=\"1\"><SessionFlags><SessionFlag N=\"ui-comments\" V=\"&a19;&f;\"/></SessionFlags></Session>"
            ),
        ),
        ("deep", deep),
        ("open", "<Session ".repeat(10_000)),
        ("flags", flags),
        ("NUL", "\0".repeat(10_000)),
        ("attributes", format!("<Session {}/>", "a=\"b\" ".repeat(40_000))),
    ] {
        let session = (request.clone(), response.clone(), metadata.into_bytes());
        hostile(name, zip(&support::archive::saz(&[session]), ""));
    }
}

#[test]
fn messages_that_never_end() {
    let request = |more: &str| {
        format!("GET {LOGIN} HTTP/1.1\r\nHost: login.microsoftonline.com\r\n{more}\r\n")
            .into_bytes()
    };
    let response = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}").into_bytes();
    let many = "x-a: b\r\n".repeat(200_000);
    let chunks = format!("Transfer-Encoding: chunked\r\n\r\n{}", "1\r\na\r\n".repeat(200_000));
    for (name, one, two) in [
        ("many fields", request(&many), response(&many)),
        ("many chunks", request(""), response(&chunks)),
        (
            "a huge chunk",
            request(""),
            response("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
        ),
        (
            "a huge length",
            request("Content-Length: 99999999999999999999\r\n"),
            response("Content-Length: -1\r\n\r\nx"),
        ),
        ("no line end", vec![b'A'; 8 << 20], vec![b'B'; 8 << 20]),
        ("NUL", vec![0; 1 << 20], vec![0; 1 << 20]),
        ("only line ends", b"\r\n".repeat(1 << 20), b"\n".repeat(1 << 20)),
        (
            "codings",
            request(""),
            response(&format!("Content-Encoding: {}\r\n\r\nx", "gzip, br, zstd, ".repeat(1000))),
        ),
        ("swapped", response("\r\n"), request("")),
    ] {
        let session = (one, two, b"<Session SID=\"1\"/>".to_vec());
        hostile(name, zip(&support::archive::saz(&[session]), ""));
    }
}

#[test]
fn texts_that_regular_expressions_dread() {
    for text in [
        "AADSTS".repeat(100_000),
        "AADSTS5".repeat(100_000),
        "AADSTS50074: ".repeat(60_000),
        "Trace ID: ".repeat(80_000),
        format!("AADSTS{}", "0".repeat(900_000)),
        "error=".repeat(150_000),
        "&#".repeat(400_000),
        "&amp;".repeat(200_000),
        "%25".repeat(300_000),
        "\\u0041".repeat(150_000),
        "<!--".repeat(200_000),
        "<script>".repeat(100_000),
        "<title>".repeat(100_000),
        "a@b.".repeat(200_000),
    ] {
        let name: String = text.chars().take(12).collect();
        hostile(&name, answered("text/html", &text));
        hostile(&name, answered("application/json", &json!({"error": text, "error_description": text, "Message": text, "ResultValue": text}).to_string()));
        let told = support::exchange::get(LOGIN).status(302).field(
            "Location",
            &format!("https://portal.fabrikam.example/cb?error_description={text}"),
        );
        hostile(&name, entries(&told.entry(0.0).to_string()));
        let told = support::exchange::get("https://graph.microsoft.com/v1.0/me")
            .status(401)
            .field("WWW-Authenticate", &format!("Bearer {text}"));
        hostile(&name, entries(&told.entry(0.0).to_string()));
    }
}

#[test]
fn bytes_of_no_format() {
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("NUL", vec![0; 1 << 20]),
        ("a brace", b"{".to_vec()),
        ("a quote", b"\"".to_vec()),
        ("marks", b"\xff\xfe".to_vec()),
        ("marks of UTF-16 and half a letter", b"\xff\xfe{\0\"\0l".to_vec()),
        ("zip head", b"PK\x03\x04".to_vec()),
        ("zip end", [&b"PK\x05\x06"[..], &[0xff; 18]].concat()),
        ("zip end without members", [&b"PK\x05\x06"[..], &[0; 18]].concat()),
        ("gzip head", b"\x1f\x8b\x08".to_vec()),
        ("zstd head", b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff".to_vec()),
        ("xz head", b"\xfd7zXZ\0\0\x04\xff\xff\xff\xff".to_vec()),
        ("bzip2 head", b"BZh91AY&SY\xff\xff\xff\xff".to_vec()),
        (
            "not UTF-8",
            entries("{\"request\":{\"url\":\"\u{fffd}\"}}")
                .iter()
                .map(|byte| byte | 0x80)
                .collect(),
        ),
    ] {
        let analysis = hostile(name, bytes);
        assert!(!analysis.evidence.inputs.is_empty(), "{name}");
    }
}

/// A stream that breaks, and one that says nothing for a long time.
#[test]
fn readers_that_fail() {
    struct Broken(Vec<u8>, usize);
    impl std::io::Read for Broken {
        fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
            if self.1 >= self.0.len() {
                return Err(std::io::Error::other("the cable was pulled: SECRET"));
            }
            let length = space.len().min(1000).min(self.0.len() - self.1);
            space[..length].copy_from_slice(&self.0[self.1..self.1 + length]);
            self.1 += length;
            Ok(length)
        }
    }
    for row in rows().iter().step_by(9) {
        let bytes = bytes(row);
        for part in [0, 1, 2] {
            let part = bytes[..bytes.len() * part / 3].to_vec();
            let analysis = timed(&row.path, || run_reader(Broken(part, 0)));
            assert!(!analysis.evidence.diagnostics.is_empty(), "{}", row.path);
            assert!(!format!("{analysis:?}").contains("SECRET"), "{}", row.path);
        }
    }
}
