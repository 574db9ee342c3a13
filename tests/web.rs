//! The server: what it answers, whom it refuses, and that no upload harms another.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test support: a server is also measured by the clock"
)]
#![cfg(all(feature = "cli", feature = "web"))]

#[path = "support/server.rs"]
mod server;

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mfatrace::web::{OPENAPI, ROUTES};
use serde_json::Value;

use self::server::{Answer, Part, Server, capture, form};

const ANALYZE: &str = "/api/v1/analyze";
const SAZ: &str = "browser/push-denied.saz";

/// What the command line writes for captures, asked where they lie so that their names are short.
fn command_line(folder: &str, args: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(folder);
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(!output.stdout.is_empty());
    output.stdout
}

fn same(answer: &Answer, expected: &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.body == expected, "{}\n{}", answer.text(), String::from_utf8_lossy(expected));
}

fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.field("content-type"), "application/problem+json");
}

#[test]
fn reports_are_those_of_the_command_line() {
    let server = Server::start(&[]);
    let saz = capture(SAZ);
    for format in ["json", "html", "text", "markdown", "ndjson", "csv", "sarif"] {
        let expected = command_line("browser", &["push-denied.saz", "--format", format]);
        let path = format!("{ANALYZE}?format={format}");
        same(&server.form(&path, &[Part::file("push-denied.saz", &saz)]), &expected);
        let parts = [Part::file("x/push-denied.saz", &saz), Part::field("format", format)];
        same(&server.form(ANALYZE, &parts), &expected);
        let path = format!("{path}&name=push-denied.saz");
        same(&server.ask("POST", &path, &[], &saz), &expected);
    }
    let options = [
        "push-denied.saz",
        "--format",
        "json",
        "--redact",
        "strict",
        "--evidence",
        "--attempt",
        "1",
    ];
    let parts = [
        Part::field("redact", "strict"),
        Part::field("evidence", "true"),
        Part::field("attempt", "1"),
        Part::file("push-denied.saz", &saz),
    ];
    same(&server.form(ANALYZE, &parts), &command_line("browser", &options));
    let note = server.ask("POST", ANALYZE, &[], b"nothing of a capture\n");
    assert_eq!((note.status, &note.json()["verdict"]["outcome"]), (200, &"undetermined".into()));
}

#[test]
fn several_files_are_one_case_and_keys_open_packets() {
    let server = Server::start(&[]);
    let names = ["code-typed-tls12-h1.har", "code-typed-tls12-h1.pcap"];
    let keys = "code-typed-tls12-h1.pcap.keylog";
    let files: Vec<Vec<u8>> = names.iter().map(|name| capture(&format!("keyed/{name}"))).collect();
    let log = capture(&format!("keyed/{keys}"));
    let expected =
        command_line("keyed", &[names[0], names[1], "--format", "json", "--keylog", keys]);
    let parts =
        [Part::file(names[0], &files[0]), Part::file(names[1], &files[1]), Part::keys(keys, &log)];
    same(&server.form(ANALYZE, &parts), &expected);
    // Keys change what a packet capture says, in whichever order they come.
    let alone = server.form(ANALYZE, &[Part::file(names[1], &files[1])]).json();
    let keyed = [Part::keys(keys, &log), Part::file(names[1], &files[1])];
    let keyed = server.form(ANALYZE, &keyed).json();
    assert_ne!(alone["verdict"]["outcome"], keyed["verdict"]["outcome"]);
    assert_eq!(keyed["inputs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_protected_archive_opens_with_its_password() {
    let server = Server::start(&[]);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .with_aes_encryption(zip::AesMode::Aes256, "hunter2");
    zip.start_file("push.saz", options).unwrap();
    zip.write_all(&capture(SAZ)).unwrap();
    let locked = zip.finish().unwrap().into_inner();
    let file = || Part::file("locked.zip", &locked);
    let without = server.form("/results", &[file()]).json();
    assert_eq!(without["locked"], true);
    let wrong = server.form("/results", &[file(), Part::field("password", "hunter3")]);
    assert_eq!(wrong.json()["locked"], true);
    assert!(!wrong.text().contains("hunter"));
    let right = [Part::field("password", ""), Part::field("password", "hunter2"), file()];
    let right = server.form("/results", &right).json();
    assert_eq!((&right["locked"], &right["outcome"]), (&false.into(), &"mfa_denied".into()));
}

#[test]
fn results_are_kept_for_a_while_and_gone_with_the_next() {
    let server = Server::start(&[]);
    let saz = capture(SAZ);
    let made = server.form("/results", &[Part::file("push-denied.saz", &saz)]);
    assert_eq!(made.status, 201);
    let result = made.json()["result"].as_str().unwrap().to_owned();
    assert_eq!(made.field("location"), result);
    for format in made.json()["formats"].as_array().unwrap() {
        let format = format.as_str().unwrap();
        let expected = command_line("browser", &["push-denied.saz", "--format", format]);
        same(&server.ask("GET", &format!("{result}/{format}"), &[], b""), &expected);
    }
    for gone in [format!("{result}/pdf"), "/results/99/html".into(), "/results/x/html".into()] {
        refused(&server.ask("GET", &gone, &[], b""), 404);
    }
    for _ in 0..8 {
        assert_eq!(server.form("/results", &[Part::file("x", b"no capture")]).status, 201);
    }
    refused(&server.ask("GET", &format!("{result}/json"), &[], b""), 404);
}

#[test]
fn nobody_comes_in_without_the_token() {
    let server = Server::start(&[]);
    assert_eq!(server.send("GET", "/healthz", &[], b"").text(), "ok\n");
    let wrong = "Bearer 0000";
    let almost = format!("Bearer {}", server.token.split_at(server.token.len() - 1).0);
    let basic = format!("Basic {}", server.token);
    for (method, path) in ROUTES {
        if *path == "/healthz" {
            continue;
        }
        let (method, path) = (method.to_ascii_uppercase(), path.replace("{id}/{format}", "1/html"));
        refused(&server.send(&method, &path, &[], b""), 401);
        for field in [wrong, &almost, &basic] {
            refused(&server.send(&method, &path, &[("authorization", field)], b""), 401);
        }
        refused(&server.send(&method, &path, &[("cookie", "mfatrace=1; mfatrace-0=2")], b""), 401);
    }
    refused(&server.send("GET", "/nothing", &[], b""), 401);
    refused(&server.ask("GET", "/nothing", &[], b""), 404);
    refused(&server.ask("DELETE", "/results", &[], b""), 405);
    assert!(server.metric("mfatrace_refused_total") > 20);
}

#[test]
fn the_address_opens_the_door_once() {
    let server = Server::start(&[]);
    let path = format!("/?token={}", server.token);
    refused(&server.send("GET", "/?token=0000", &[], b""), 401);
    let entered = server.send("GET", &path, &[], b"");
    assert_eq!((entered.status, entered.field("location")), (303, "/"));
    let cookie = entered.field("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    assert!(!cookie.contains(&server.token));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    refused(&server.send("GET", &path, &[], b""), 403);
    let own = [("cookie", cookie.as_str())];
    assert_eq!(server.send("GET", &path, &own, b"").status, 303);
    let page = server.send("GET", "/", &own, b"");
    assert_eq!(page.status, 200);
    assert!(page.field("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text().contains(&server.token));
    // A cookie alone does not show that our page sends it.
    let saz = capture(SAZ);
    let kind = ("content-type", "multipart/form-data; boundary=frontier");
    let body = form(&[Part::file("a.saz", &saz)]);
    refused(&server.send("POST", "/results", &[own[0], kind], &body), 403);
    let origin = format!("http://{}", server.address);
    let fields = [own[0], kind, ("origin", &origin), ("sec-fetch-site", "same-origin")];
    assert_eq!(server.send("POST", "/results", &fields, &body).status, 201);
}

#[test]
fn other_names_and_other_pages_are_refused() {
    let server = Server::start(&[]);
    let port = server.address.rsplit(':').next().unwrap();
    let foreign = format!("rebind.example:{port}");
    for host in [&foreign, "127.0.0.1", "localhost:1", "127.0.0.1:1", ""] {
        refused(&server.ask("GET", "/healthz", &[("host", host)], b""), 403);
        refused(&server.ask("POST", ANALYZE, &[("host", host)], b"x"), 403);
    }
    let own = server.address.clone();
    refused(&server.ask("GET", "/healthz", &[("host", &own), ("host", &foreign)], b""), 403);
    refused(&server.ask("GET", &format!("http://{foreign}/healthz"), &[], b""), 403);
    let local = format!("localhost:{port}");
    assert_eq!(server.send("GET", "/healthz", &[("host", &local)], b"").status, 200);
    for field in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        refused(&server.ask("POST", ANALYZE, &[field], &capture(SAZ)), 403);
        refused(&server.ask("POST", "/results", &[field], &capture(SAZ)), 403);
    }
    // Without a Host there is no telling.
    let mut stream = server.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    assert!(matches!(Answer::read(stream).status, 400 | 403));
}

#[test]
fn forms_that_make_no_sense_are_refused() {
    let server = Server::start(&[]);
    let multipart = ("content-type", "multipart/form-data; boundary=frontier");
    let whole = form(&[Part::file("canary-name.saz", b"canary-body")]);
    let mut answers = vec![
        server.ask("POST", ANALYZE, &[("content-type", "multipart/form-data")], &whole),
        server.ask("POST", ANALYZE, &[multipart], b""),
        server.ask("POST", ANALYZE, &[multipart], b"canary without a boundary"),
        server.ask("POST", ANALYZE, &[multipart], &whole[..whole.len() - 20]),
        server.ask("POST", ANALYZE, &[multipart], b"--frontier\r\ncanary\xff: \x00\r\n\r\nx"),
        server.ask("POST", ANALYZE, &[], b""),
        server.form(ANALYZE, &[Part::field("canary", "canary"), Part::file("a", b"x")]),
        server.form(ANALYZE, &[Part::field("format", "canary"), Part::file("a", b"x")]),
        server.form(ANALYZE, &[Part::field("user", &"canary".repeat(5000)), Part::file("a", b"x")]),
        server.form(ANALYZE, &[Part::keys("keys.log", b"canary")]),
        server.form(&format!("{ANALYZE}?canary=1"), &[Part::file("a", b"x")]),
        server.form(ANALYZE, &(0..65).map(|_| Part::file("a", b"canary")).collect::<Vec<_>>()),
        server.ask("POST", ANALYZE, &[multipart], &vec![b'c'; 6 << 20]),
    ];
    for answer in &answers {
        refused(answer, 400);
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain; charset=utf-8"] {
        answers.push(server.ask("POST", ANALYZE, &[("content-type", kind)], b"canary=1"));
        refused(answers.last().unwrap(), 415);
    }
    assert!(answers.iter().all(|answer| !answer.text().contains("canary")));
    assert_eq!(server.metric("mfatrace_upload_bytes_held"), 0);
    let large = format!("{} ", "x".repeat(20_000));
    let mut stream = server.connect();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nx: {large}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(Answer::read(stream).status, 431);
}

/// What a server says to chunks of a body that does not end.
fn stream(server: &Server, path: &str, head: &str, begin: &[u8], most: u64) -> (Answer, u64) {
    let mut connection = server.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n{head}\r\n",
        server.address, server.token
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut sent = 0;
    let chunk =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let _ = connection.write_all(&chunk(begin));
    let block = chunk(&vec![b'x'; 1 << 20]);
    while sent < most && connection.write_all(&block).is_ok() {
        sent += 1 << 20;
    }
    (Answer::read(connection), sent)
}

#[test]
fn what_is_too_large_is_refused_early() {
    let server = Server::start(&[]);
    let head = |length: &str, kind: &str| {
        format!(
            "POST {ANALYZE} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n{kind}\r\n",
            server.address, server.token
        )
    };
    // The first one starts the threads that answer; what they take is no announcement.
    let mut connection = server.connect();
    connection.write_all(head("536870913", "").as_bytes()).unwrap();
    refused(&Answer::read(connection), 413);
    let before = server.memory().1;
    for (length, kind) in [
        ("10000000000", ""),
        ("536870913", ""),
        ("10000000000", "content-type: multipart/form-data; boundary=frontier\r\n"),
    ] {
        let mut connection = server.connect();
        // Nothing of the body is sent: the answer does not wait for it.
        connection.write_all(head(length, kind).as_bytes()).unwrap();
        let answer = Answer::read(connection);
        refused(&answer, 413);
        assert_eq!(answer.field("connection"), "close");
    }
    assert!(server.memory().1 - before < 4 << 10, "an announcement takes memory");
    let form = "content-type: multipart/form-data; boundary=frontier\r\n";
    let part =
        b"--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    for (head, begin) in [("", &b"x"[..]), (form, part)] {
        let (answer, sent) = stream(&server, ANALYZE, head, begin, 10 << 30);
        refused(&answer, 413);
        assert!((500 << 20..600 << 20).contains(&sent), "{sent}");
    }
    let (now, most) = server.memory();
    assert!(most < 700 << 10, "{most} kB at most");
    assert!(now < 100 << 10, "{now} kB are not given back");
    assert_eq!(server.metric("mfatrace_upload_bytes_held"), 0);
}

#[test]
fn slow_ones_block_nobody() {
    let server = Server::start(&[]);
    // Heads that do not end, and bodies that do not either.
    let mut slow: Vec<_> = (0..24).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x").unwrap();
    }
    let mut bodies: Vec<_> = (0..24).map(|_| server.connect()).collect();
    for stream in &mut bodies {
        let head = format!(
            "POST {ANALYZE} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: 500000000\r\n\r\nx",
            server.address, server.token
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    let begin = Instant::now();
    let saz = capture(SAZ);
    for _ in 0..4 {
        assert_eq!(server.form(ANALYZE, &[Part::file("a.saz", &saz)]).status, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // Connections beyond the number are told so.
    let more: Vec<_> = (0..40).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(200));
    assert!(more.into_iter().rev().take(10).all(|stream| Answer::read(stream).status == 503));
    // A head that does not end costs the connection, and its place is free again.
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    assert_eq!(server.form(ANALYZE, &[Part::file("a.saz", &saz)]).status, 200);
    drop(bodies);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.metric("mfatrace_upload_bytes_held"), 0);
}

/// A HAR of the corpus that filler makes as long as is asked for.
fn padded(bytes: usize) -> Vec<u8> {
    let mut har: Value = serde_json::from_slice(&capture("keyed/code-typed-tls12-h1.har")).unwrap();
    let entries = har["log"]["entries"].as_array_mut().unwrap();
    let mut filler = entries[0].clone();
    filler["request"]["url"] = "https://static.example/picture".into();
    filler["response"]["content"]["text"] = "x".repeat(50_000).into();
    let mut length = 0;
    while length < bytes {
        entries.push(filler.clone());
        length += 50_000;
    }
    serde_json::to_vec(&har).unwrap()
}

#[test]
fn many_clients_are_all_served() {
    let (clients, each, megabytes) = (16, 13, 5);
    let server = Server::start(&[]);
    let body = form(&[Part::file("padded.har", &padded(megabytes * 1_000_000))]);
    let first = std::sync::OnceLock::new();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                for _ in 0..each {
                    let fields = [("content-type", "multipart/form-data; boundary=frontier")];
                    let answer = server.ask("POST", ANALYZE, &fields, &body);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(first.get_or_init(|| answer.body.clone()) == &answer.body);
                }
            });
        }
    });
    let (_, most) = server.memory();
    // Two analyses, what sixteen clients send, and the program.
    assert!(most < 400 << 10, "{most} kB at most");
    assert_eq!(server.metric("mfatrace_upload_bytes_held"), 0);
    assert_eq!(server.metric("mfatrace_analyses_running"), 0);
    assert_eq!(server.metric("mfatrace_requests_total{status=\"200\"}"), clients * each + 2);
}

#[cfg(unix)]
#[test]
fn a_stop_lets_requests_finish() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&[]);
        let saz = capture(SAZ);
        let mut connection = server.connect();
        let head = format!(
            "POST {ANALYZE}?name=push-denied.saz HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            server.address,
            server.token,
            saz.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        let (one, two) = saz.split_at(saz.len() / 2);
        connection.write_all(one).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let id = server.id().to_string();
        let kill = || Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(kill().success());
        std::thread::sleep(Duration::from_millis(300));
        assert!(std::net::TcpStream::connect(&server.address).is_err(), "it takes no more");
        assert!(server.is_running());
        connection.write_all(two).unwrap();
        let expected = command_line("browser", &["push-denied.saz", "--format", "json"]);
        same(&Answer::read(connection), &expected);
        assert_eq!(server.wait(), Some(0), "{signal}");
    }
    // What does not finish is ended.
    let mut server = Server::start(&[]);
    let mut connection = server.connect();
    connection.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(server.wait(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(8));
}

#[test]
fn the_description_names_every_path_and_no_other() {
    let description: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut described = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.push((method.as_str(), path.as_str()));
        }
    }
    described.sort_by_key(|(_, path)| *path);
    let mut routes = ROUTES.to_vec();
    routes.sort_by_key(|(_, path)| *path);
    assert_eq!(described, routes);
    let server = Server::start(&[]);
    let told = server.ask("GET", "/openapi.json", &[], b"");
    assert_eq!(told.text(), OPENAPI);
    for (method, path) in ROUTES {
        // A route that is there says something else than that it is not.
        let path = path.replace("{id}/{format}", "1/html");
        let answer = server.ask(&method.to_ascii_uppercase(), &path, &[], b"");
        assert!(answer.status != 405 && !answer.text().contains("/openapi.json tells"), "{path}");
    }
}

#[test]
fn metrics_count_and_name_nothing() {
    let server = Server::start(&[]);
    let saz = capture(SAZ);
    assert_eq!(server.form(ANALYZE, &[Part::file("canary-name.saz", &saz)]).status, 200);
    let text = server.ask("GET", "/metrics", &[], b"").text();
    assert!(text.contains("mfatrace_analyses_total{side=\"user\"} 1\n"), "{text}");
    assert!(text.contains("mfatrace_requests_total{status=\"200\"} 1\n"), "{text}");
    for secret in ["canary", &server.token, "push-denied"] {
        assert!(!text.contains(secret));
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("mfatrace_") && value.parse::<u64>().is_ok(), "{line}");
    }
}

#[test]
fn a_browser_that_cannot_be_opened_is_told() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(["serve", "--open"])
        .env("PATH", "")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines.map(Result::unwrap).find(|line| line.contains("no browser"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.unwrap(), "mfatrace: no browser could be opened; open the address yourself");
}

#[test]
fn listening_elsewhere_needs_the_address() {
    let server = Server::start(&["--listen", "[::1]:0"]);
    assert!(server.address.starts_with("[::1]:"), "{}", server.address);
    assert_eq!(server.send("GET", "/healthz", &[], b"").status, 200);
    refused(&server.send("GET", "/metrics", &[], b""), 401);
    let port = server.address.rsplit(':').next().unwrap();
    refused(&server.send("GET", "/healthz", &[("host", &format!("127.0.0.1:{port}"))], b""), 403);
    // A port that is taken is said, and not waited for.
    let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(["serve", "--listen", &server.address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not listen"));
    let both = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
        .args(["serve", "--listen", "127.0.0.1:0", "--port", "1"])
        .output()
        .unwrap();
    assert_eq!(both.status.code(), Some(2));
}
