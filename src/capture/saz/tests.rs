//! Archives made here, read back: layouts, damage, protection, bodies and tunnels.

use std::io::{Cursor, Write};
use std::sync::atomic::AtomicBool;

use flate2::Compression;
use zip::unstable::write::FileOptionsExt;
use zip::write::SimpleFileOptions;

use super::*;
use crate::capture::{Keys, Scope};
use crate::evidence::{
    Author, Body, Evidence, Input, Locator, Missing, NoResponse, Opened, Scheme, Stage, TlsVersion,
    Via,
};
use crate::limits::{self, Limits};

type Member<'a> = (&'a str, &'a [u8]);

const ASK: &[u8] =
    b"GET https://login.example/common/login?a=b HTTP/1.1\r\nHost: login.example\r\n\r\n";
const PAGE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: x\r\n\r\n<html>hello</html>";
const META: &[u8] = b"<?xml version=\"1.0\"?><Session SID=\"1\" BitFlags=\"1\"><SessionTimers \
    ClientBeginRequest=\"2030-01-01T10:00:00.1+02:00\" ServerGotRequest=\"2030-01-01T10:00:00.2+02:00\" \
    ClientDoneResponse=\"2030-01-01T10:00:01.1+02:00\" DNSTime=\"7\" /><SessionFlags>\
    <SessionFlag N=\"x-hostip\" V=\"192.0.2.1\" /><SessionFlag N=\"x-processinfo\" V=\"msedge:9\" />\
    </SessionFlags></Session>";

fn archive(members: &[Member<'_>], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.set_comment("Fiddler (v5.0.1.2) Session Archive. See https://fiddler2.com").unwrap();
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn plain(members: &[Member<'_>]) -> Vec<u8> {
    archive(members, SimpleFileOptions::default())
}

struct Got {
    evidence: Evidence,
    result: Result<(), SazError>,
    left: u64,
}

impl Got {
    fn codes(&self) -> Vec<&'static str> {
        self.evidence.diagnostics.iter().map(|one| one.code.as_str()).collect()
    }

    fn only(&self) -> &crate::evidence::Exchange {
        assert_eq!(self.evidence.exchanges.len(), 1, "{:?}", self.evidence.diagnostics);
        &self.evidence.exchanges[0]
    }
}

fn read_with(bytes: &[u8], passwords: &[&str], expanded: u64) -> Got {
    let scope = Scope::new(
        ["login.example"],
        [],
        ["/adfs/ls"],
        &["id_token=", "SAMLResponse="],
        limits::MIB,
    );
    let passwords: Vec<String> = passwords.iter().map(|&one| one.to_owned()).collect();
    let cancel = AtomicBool::new(false);
    let options = ReadOptions {
        scope: &scope,
        limits: &Limits::default(),
        passwords: &passwords,
        keys: &Keys::new(),
        cancel: &cancel,
    };
    let mut budget = Budget::new(expanded, 1000);
    let mut builder = EvidenceBuilder::new();
    let input = builder.add_input(Input::named("test.saz"));
    let result =
        read_archive(&mut Cursor::new(bytes), None, &options, &mut budget, input, &mut builder);
    Got { evidence: builder.finish(), result, left: budget.left() }
}

fn read(bytes: &[u8]) -> Got {
    read_with(bytes, &[], limits::GIB)
}

#[expect(clippy::disallowed_methods, reason = "the test looks at what it wrote itself")]
fn text(body: &Body) -> Option<(String, bool)> {
    match body {
        Body::Kept { bytes, cut } => {
            Some((String::from_utf8_lossy(bytes.expose()).into_owned(), *cut))
        }
        _ => None,
    }
}

fn kept(body: &Body) -> String {
    text(body).unwrap_or_else(|| panic!("{body:?}")).0
}

#[test]
fn a_session_becomes_an_exchange() {
    let got = read(&plain(&[
        ("raw/", b""),
        ("raw/07_c.txt", ASK),
        ("raw/07_m.xml", META),
        ("raw/07_s.txt", PAGE),
        ("[Content_Types].xml", b"<x/>"),
        ("_index.htm", b"<html/>"),
    ]));
    assert!(got.result.is_ok() && got.codes().is_empty(), "{:?}", got.evidence.diagnostics);
    let exchange = got.only();
    assert_eq!(exchange.at.at, Locator::SazSession(7));
    assert_eq!(exchange.request.url.to_string(), "https://login.example/common/login");
    assert_eq!(exchange.process.as_deref(), Some("msedge"));
    assert_eq!((exchange.via, exchange.in_scope, exchange.from_cache), (Via::Direct, true, false));
    assert_eq!(exchange.server, "192.0.2.1".parse().ok());
    assert_eq!(exchange.started().unwrap().to_string(), "2030-01-01T08:00:00.100Z");
    assert_eq!(exchange.span.unwrap().length().as_millis(), 1000);
    let response = exchange.response.as_ref().unwrap();
    assert_eq!((response.status, response.author), (200, Author::Network));
    assert_eq!(text(&response.body), Some(("<html>hello</html>".to_owned(), false)));
    let input = &got.evidence.inputs[0];
    assert_eq!(input.producer.as_deref(), Some("Fiddler (v5.0.1.2)"));
    assert_eq!((input.records, input.utc_offset), (1, Some(7200)));
    let coverage = &got.evidence.coverage.inputs[0];
    assert_eq!((coverage.vantage, coverage.decrypted), (Vantage::Proxy, 1));
    assert_eq!((coverage.bodies_expected, coverage.bodies_missing), (1, 0));
    assert_eq!(got.evidence.lookups[0].took.unwrap().as_millis(), 7);
}

#[test]
fn names_come_in_many_forms() {
    let got = read(&plain(&[
        ("case/RAW\\10_C.TXT", ASK),
        ("case/RAW\\10_S.TXT", PAGE),
        ("case/raw/2_c.txt", ASK),
        ("case/raw/2_w.txt", b"messages"),
        ("other/raw/3_c.txt", ASK),
        ("case/raw/4x_c.txt", ASK),
    ]));
    let order: Vec<_> = got.evidence.exchanges.iter().map(|one| one.at.at).collect();
    assert_eq!(order, [Locator::SazSession(2), Locator::SazSession(10)]);
    assert_eq!(got.evidence.inputs[0].records, 2);
    let none = read(&plain(&[("a.txt", b"")]));
    assert!(matches!(none.result, Err(SazError::NoSessions { members: 1 })));
    assert!(matches!(read(b"Not a SAZ file").result, Err(SazError::NotAnArchive)));
    assert!(matches!(read(b"").result, Err(SazError::NotAnArchive)));
}

#[test]
fn missing_parts_cost_themselves_only() {
    let sent = String::from_utf8_lossy(META).replace("ClientDone", "ServerDone");
    let aborted = String::from_utf8_lossy(META)
        .replace("<SessionFlags>", "<SessionFlags><SessionFlag N=\"X-ClientPipeError\" V=\"x\"/>");
    let got = read(&plain(&[
        ("raw/1_s.txt", PAGE),
        ("raw/1_m.xml", META),
        ("raw/2_c.txt", ASK),
        ("raw/3_c.txt", ASK),
        ("raw/3_s.txt", b""),
        ("raw/3_m.xml", sent.as_bytes()),
        ("raw/4_c.txt", ASK),
        ("raw/4_s.txt", b"HTTP/1.1 0 -\r\n\r\n"),
        ("raw/4_m.xml", aborted.as_bytes()),
        ("raw/5_c.txt", ASK),
        ("raw/5_s.txt", PAGE),
        ("raw/5_m.xml", b"<Session BitFlags=\"1\"><SessionTimers"),
    ]));
    assert_eq!(got.codes(), ["saz-session", "saz-metadata"]);
    let answers: Vec<_> =
        got.evidence.exchanges.iter().map(|one| one.response.as_ref().map(|r| r.status)).collect();
    assert_eq!(answers.len(), 4);
    let of = |number| {
        let at = Locator::SazSession(number);
        let one = got.evidence.exchanges.iter().find(|one| one.at.at == at).unwrap();
        one.response.as_ref().err().cloned()
    };
    assert_eq!(of(2), Some(NoResponse::NotCaptured));
    let failed = NoResponse::Failed { stage: Stage::Receive, code: "no_response".into() };
    assert_eq!(of(3), Some(failed));
    assert_eq!(of(4), Some(NoResponse::Cancelled));
    assert_eq!(of(5), None);
    assert_eq!(got.evidence.coverage.inputs[0].records_lost, 1);
}

#[test]
fn requests_without_a_scheme() {
    let origin = b"POST /x HTTP/2\r\nHost: app.example\r\nContent-Length: 3\r\n\r\na=b";
    let got = read(&plain(&[
        ("raw/1_c.txt", origin),
        ("raw/1_m.xml", META),
        ("raw/2_c.txt", origin),
        ("raw/3_c.txt", b"GET /nowhere HTTP/1.1\r\n\r\n"),
        ("raw/4_c.txt", b"GET http://netlog/ HTTP/1.1\r\n\r\n"),
    ]));
    assert_eq!(got.evidence.exchanges.len(), 2);
    let url = |number: usize| got.evidence.exchanges[number].request.url.to_string();
    let mut urls = [url(0), url(1)];
    urls.sort();
    assert_eq!(urls, ["http://app.example/x", "https://app.example/x"]);
    assert!(matches!(got.evidence.exchanges[0].request.body, Body::Skipped));
    assert_eq!(got.evidence.exchanges[0].request.body_length, Some(3));
    assert_eq!(got.evidence.inputs[0].records, 4);
    assert_eq!(got.codes(), ["saz-session"]);
}

#[test]
fn bodies_are_unchunked_decoded_and_capped() {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(b"<html>zipped</html>").unwrap();
    let zipped = writer.finish().unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
    let mut chunked = format!(
        "{head}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        zipped.len()
    )
    .into_bytes();
    chunked.extend_from_slice(&zipped);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let decoded =
        format!("{head}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n<p>plain</p>");
    let latin = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\ncaf\xe9";
    let long = format!("{head}\r\n{}", "x".repeat(3 << 20));
    let broken =
        [head.as_bytes(), b"Content-Encoding: br\r\n\r\n\xff\xfe\xfd\xfc\x00\x01\x02"].concat();
    let got = read(&plain(&[
        ("raw/1_c.txt", ASK),
        ("raw/1_s.txt", &chunked),
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", decoded.as_bytes()),
        ("raw/3_c.txt", ASK),
        ("raw/3_s.txt", latin),
        ("raw/4_c.txt", ASK),
        ("raw/4_s.txt", long.as_bytes()),
        ("raw/5_c.txt", ASK),
        ("raw/5_s.txt", &broken),
        ("raw/6_c.txt", ASK),
        ("raw/6_s.txt", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n"),
    ]));
    let body = |number: usize| &got.evidence.exchanges[number].response.as_ref().unwrap().body;
    assert_eq!(text(body(0)), Some(("<html>zipped</html>".to_owned(), false)));
    assert_eq!(text(body(1)), Some(("<p>plain</p>".to_owned(), false)));
    assert_eq!(kept(body(2)), "caf\u{e9}");
    let (long, cut) = text(body(3)).unwrap();
    assert_eq!((long.len(), cut), (1 << 20, true));
    assert!(matches!(body(4), Body::Missing(Missing::Undecodable)));
    assert!(matches!(body(5), Body::Missing(Missing::NotSaved)));
    assert_eq!(got.codes(), ["body-undecodable", "body-cut"]);
    assert!(got.left > limits::GIB - (3 << 20), "a body is inflated no further than its cap");
}

#[test]
fn bodies_out_of_scope_stay_closed_unless_they_tell() {
    let big = "x".repeat(1 << 20);
    let page = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{big}");
    let block = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<h1>blocked</h1>";
    let form = b"POST https://app.example/cb HTTP/1.1\r\nHost: app.example\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\nid_token=secret";
    let get = b"GET https://app.example/ HTTP/1.1\r\nHost: app.example\r\n\r\n";
    let got = read(&plain(&[
        ("raw/1_c.txt", get),
        ("raw/1_s.txt", page.as_bytes()),
        ("raw/2_c.txt", get),
        ("raw/2_s.txt", block),
        ("raw/3_c.txt", form),
        ("raw/3_s.txt", b"HTTP/1.1 302 Found\r\nLocation: /next?code=1\r\n\r\n"),
    ]));
    let of = |number: usize| &got.evidence.exchanges[number];
    assert!(matches!(of(0).response.as_ref().unwrap().body, Body::Skipped));
    assert_eq!(kept(&of(1).response.as_ref().unwrap().body), "<h1>blocked</h1>");
    assert_eq!(kept(&of(2).request.body), "id_token=secret");
    let next = of(2).response.as_ref().unwrap().location.as_ref().unwrap();
    assert_eq!(next.to_string(), "https://app.example/next");
    assert!(got.left > limits::GIB - limits::MIB / 2, "the big page was not inflated");
}

#[test]
fn fiddlers_own_answers() {
    let failed = b"HTTP/1.1 502 Fiddler - DNS Lookup Failed\r\nContent-Type: text/html\r\n\
        FiddlerGateway: proxy.example:8080\r\n\r\n[Fiddler] DNS Lookup for \"app.example\" failed.";
    let get = b"GET https://app.example/x.png HTTP/1.1\r\nHost: app.example\r\n\r\n";
    let dropped = String::from_utf8_lossy(META).replace("BitFlags=\"1\"", "BitFlags=\"124001\"");
    let got = read(&plain(&[
        ("raw/1_c.txt", get),
        ("raw/1_s.txt", failed),
        ("raw/2_c.txt", b"POST https://login.example/a HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
        ("raw/2_s.txt", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
        ("raw/2_m.xml", dropped.as_bytes()),
    ]));
    let of = |number| {
        let at = Locator::SazSession(number);
        got.evidence.exchanges.iter().find(|one| one.at.at == at).unwrap()
    };
    let response = of(1).response.as_ref().unwrap();
    assert_eq!((response.status, response.author), (502, Author::CaptureTool));
    assert!(kept(&response.body).starts_with("[Fiddler] DNS Lookup"));
    assert_eq!(of(1).via, Via::Proxy);
    assert!(of(2).from_cache);
    assert!(matches!(of(2).request.body, Body::Missing(Missing::Dropped)));
    let body = &of(2).response.as_ref().unwrap().body;
    assert!(matches!(body, Body::Missing(Missing::Dropped)));
    assert_eq!(got.evidence.coverage.inputs[0].bodies_missing, 1);
}

const HELLO: &str = "CONNECT 192.0.2.9:443 HTTP/1.1\r\nHost: 192.0.2.9:443\r\n\r\n\
    A SSLv3-compatible ClientHello handshake was found.\r\n\r\nVersion: 3.3 (TLS/1.2)\r\nExtensions: \r\n\
    \tserver_name\tlogin.example\r\n\tsupported_versions\tTls1.3, Tls1.2\r\nCiphers: \r\n\
    \t[1301]\tTLS_AES_128_GCM_SHA256\r\n";
const OPENED: &str = "HTTP/1.1 200 Connection Established\r\nFiddlerGateway: Direct\r\n\r\n";
const CERTIFICATE: &str = "Secure Protocol: Tls12\r\nCipher: Aes256 256bits\r\n\r\n\
    == Server Certificate ==========\r\n[Subject]\r\n  CN=login.example\r\n\r\n[Issuer]\r\n  CN=Proxy CA\r\n";

fn meta(bits: &str) -> Vec<u8> {
    String::from_utf8_lossy(META).replace("BitFlags=\"1\"", &format!("BitFlags=\"{bits}\"")).into()
}

#[test]
fn a_blind_tunnel() {
    let answer = format!(
        "{OPENED}A SSLv3-compatible ServerHello handshake was found.\r\n\r\n\
        Version: 3.3 (TLS/1.2)\r\nCipher:\t\tTLS_AES_256_GCM_SHA384 [0x1302]\r\n"
    );
    let got = read(&plain(&[
        ("raw/1_c.txt", HELLO.as_bytes()),
        ("raw/1_s.txt", answer.as_bytes()),
        ("raw/1_m.xml", &meta("1100")),
        // Fiddler's own request for an update is readable and proves nothing.
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", PAGE),
        ("raw/2_m.xml", &meta("81")),
    ]));
    let exchange = &got.evidence.exchanges[0];
    assert_eq!(exchange.request.url.scheme, Scheme::Authority);
    assert_eq!(exchange.request.url.to_string(), "login.example:443");
    let response = exchange.response.as_ref().unwrap();
    assert_eq!((response.status, response.author), (200, Author::Network));
    assert!(matches!(response.body, Body::Skipped));
    let connection = got.evidence.connection(exchange.connection.unwrap()).unwrap();
    assert_eq!(connection.server, "192.0.2.1:443".parse().ok());
    assert_eq!(connection.server_name.as_ref().unwrap().as_str(), "login.example");
    assert!(matches!(connection.opened, Opened::Established { .. }));
    let tls = connection.tls.as_ref().unwrap();
    assert_eq!((tls.version, tls.offered), (Some(TlsVersion::Tls13), Some(TlsVersion::Tls13)));
    assert_eq!((tls.offered_ciphers, tls.by_capture_tool, tls.completed), (1, false, None));
    let coverage = &got.evidence.coverage.inputs[0];
    assert!(coverage.is_tunnels_only());
    assert_eq!(coverage.blind_tunnels, 1);
}

#[test]
fn a_decrypted_tunnel_and_one_that_failed() {
    let good = format!("{OPENED}{CERTIFICATE}");
    let bad = format!(
        "{OPENED}fiddler.network.https> HTTPS handshake to login.example (for #3) failed. x"
    );
    let got = read(&plain(&[
        ("raw/1_c.txt", HELLO.as_bytes()),
        ("raw/1_s.txt", good.as_bytes()),
        ("raw/1_m.xml", &meta("2100")),
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", PAGE),
        ("raw/3_c.txt", HELLO.as_bytes()),
        ("raw/3_s.txt", bad.as_bytes()),
        ("raw/3_m.xml", &meta("2100")),
    ]));
    let tls = |number: usize| got.evidence.connections[number].tls.as_ref().unwrap();
    assert_eq!((tls(0).by_capture_tool, tls(0).completed), (true, Some(true)));
    assert_eq!(tls(0).certificate.as_ref().unwrap().issuer, "CN=Proxy CA");
    assert_eq!(tls(1).completed, Some(false));
    let at = Locator::SazSession(3);
    let failed = got.evidence.exchanges.iter().find(|one| one.at.at == at).unwrap();
    let response = failed.response.as_ref().unwrap();
    assert!(kept(&response.body).contains("HTTPS handshake to"));
    assert_eq!((response.status, response.author), (200, Author::CaptureTool));
    let coverage = &got.evidence.coverage.inputs[0];
    assert_eq!((coverage.blind_tunnels, coverage.decrypted), (0, 1));
}

const PROTECTED: &[(&str, &str)] = &[
    // One member under ZipCrypto, AES-128 and AES-256, as another program wrote it; password `key`.
    (
        "ZipCrypto",
        "UEsDBBQAAQAAAChVeF16qyRKSQAAAD0AAAALAAAAcmF3LzFfYy50eHQE8VEUMSi4E+E2Hpebflr4CviVy0LLY9fFm6g/+RoGrdOCvtDHXW41E78DXz3EBH5b1XAn2dZLfE+rlI9W7hLLEzL+uDoR1Pu5UEsBAj8DFAABAAAAKFV4XXqrJEpJAAAAPQAAAAsAJAAAAAAAAAAggKSBAAAAAHJhdy8xX2MudHh0CgAgAAAAAAABABgAjB/4VAB83QEAAAAAAAAAAAAAAAAAAAAAUEsFBgAAAAABAAEAXQAAAHIAAAAAAA==",
    ),
    (
        "AES-128",
        "UEsDBDMAAQBjAChVeF0AAAAAUQAAAD0AAAALAAsAcmF3LzFfYy50eHQBmQcAAgBBRQEAAOJSvMskBZWXkyhoSrVXR1Ip5Ft4ieJ1PTktgLOXxBXyW++sEh+CPJXi1g7GhNCw3ghqaPocfrczz8Alx3tWzMIMsB2/1WVCrmV94XGKOmx5gVBLAQI/AzMAAQBjAChVeF0AAAAAUQAAAD0AAAALAC8AAAAAAAAAIICkgQAAAAByYXcvMV9jLnR4dAoAIAAAAAAAAQAYAIwf+FQAfN0BAAAAAAAAAAAAAAAAAAAAAAGZBwACAEFFAQAAUEsFBgAAAAABAAEAaAAAAIUAAAAAAA==",
    ),
    (
        "AES-256",
        "UEsDBDMAAQBjAChVeF0AAAAAWQAAAD0AAAALAAsAcmF3LzFfYy50eHQBmQcAAgBBRQMAAGj7Lwp7fQ+7I1HDQXXL03lLsKVxzFNpODF1+N8k0IltywYweUkIFCExc/erWg2OQHw/ROqZb7Gz+sjYAWM6g/prWhwPXm3nPEeBHS0bwfU3DoAzcqwtsa68UEsBAj8DMwABAGMAKFV4XQAAAABZAAAAPQAAAAsALwAAAAAAAAAggKSBAAAAAHJhdy8xX2MudHh0CgAgAAAAAAABABgAjB/4VAB83QEAAAAAAAAAAAAAAAAAAAAAAZkHAAIAQUUDAABQSwUGAAAAAAEAAQBoAAAAjQAAAAAA",
    ),
];

#[test]
fn protected_archives_of_another_program() {
    for (scheme, coded) in PROTECTED {
        let bytes = data_encoding::BASE64.decode(coded.as_bytes()).unwrap();
        let got = read_with(&bytes, &["no", "key"], limits::GIB);
        assert!(got.result.is_ok(), "{scheme}: {:?}", got.result);
        assert_eq!(got.only().request.url.to_string(), "https://login.example/a");
        for passwords in [&[][..], &["wrong"]] {
            let got = read_with(&bytes, passwords, limits::GIB);
            let tried = !passwords.is_empty();
            assert!(
                matches!(got.result, Err(SazError::Encrypted { sessions: 1, tried: t }) if t == tried)
            );
            assert_eq!(got.codes(), ["encrypted"], "{scheme}");
            assert!(got.evidence.diagnostics[0].text.contains("--password-file"));
        }
    }
}

#[test]
fn fiddlers_reason_is_kept_and_no_one_elses() {
    let tool = b"HTTP/1.1 502 Fiddler - DNS Lookup Failed\r\n\r\n";
    let got = read(&plain(&[
        ("raw/1_c.txt", ASK),
        ("raw/1_s.txt", tool),
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    ]));
    let reason = |index: usize| {
        let response = got.evidence.exchanges[index].response.as_ref().unwrap();
        response.reason.as_deref()
    };
    assert_eq!((reason(0), reason(1)), (Some("Fiddler - DNS Lookup Failed"), None));
}

#[test]
fn a_part_that_expands_too_much_costs_no_other_session() {
    let mut page = PAGE.to_vec();
    page.resize(8 << 20, b' ');
    let scope = Scope::new(["login.example"], [], [], &[], 16 << 20);
    let cancel = AtomicBool::new(false);
    let limits = Limits { ratio: 100, ..Limits::default() };
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &[],
        keys: &Keys::new(),
        cancel: &cancel,
    };
    let mut budget = Budget::new(limits.expanded, limits.ratio);
    let mut builder = EvidenceBuilder::new();
    let input = builder.add_input(Input::named("test.saz"));
    let bytes = plain(&[
        ("raw/1_c.txt", ASK),
        ("raw/1_s.txt", &page),
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", PAGE),
    ]);
    read_archive(&mut Cursor::new(bytes), None, &options, &mut budget, input, &mut builder)
        .unwrap();
    let evidence = builder.finish();
    let codes: Vec<_> = evidence.diagnostics.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["limit-reached", "body-cut"]);
    assert!(evidence.diagnostics[0].text.starts_with("session 1: the response part"));
    let last = evidence.exchanges[1].response.as_ref().unwrap();
    assert_eq!(kept(&last.body), "<html>hello</html>");
}

#[test]
fn a_wrong_password_that_passes_the_weak_check_is_not_believed() {
    let options = SimpleFileOptions::default().with_deprecated_encryption(b"right").unwrap();
    let bytes = archive(&[("raw/1_c.txt", ASK), ("raw/1_s.txt", PAGE)], options);
    let wrong: Vec<String> = (0..2000).map(|number| format!("wrong{number}")).collect();
    let mut all: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let got = read_with(&bytes, &all, limits::GIB);
    assert!(matches!(got.result, Err(SazError::Encrypted { .. })));
    assert!(got.evidence.exchanges.is_empty());
    all.push("right");
    let got = read_with(&bytes, &all, limits::GIB);
    assert!(got.result.is_ok());
    assert_eq!(got.only().status(), Some(200));
}

#[test]
fn a_mixed_archive_gives_its_plain_sessions() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default();
    writer.start_file("raw/1_c.txt", plain).unwrap();
    writer.write_all(ASK).unwrap();
    writer.start_file("raw/2_c.txt", plain.with_aes_encryption(zip::AesMode::Aes256, "k")).unwrap();
    writer.write_all(ASK).unwrap();
    let got = read(&writer.finish().unwrap().into_inner());
    assert_eq!(got.only().at.at, Locator::SazSession(1));
    assert!(matches!(got.result, Err(SazError::Encrypted { sessions: 1, tried: false })));
}

fn three() -> Vec<u8> {
    let mut members: Vec<Member<'_>> = Vec::new();
    for names in [
        ["raw/1_c.txt", "raw/1_m.xml", "raw/1_s.txt"],
        ["raw/2_c.txt", "raw/2_m.xml", "raw/2_s.txt"],
        ["raw/3_c.txt", "raw/3_m.xml", "raw/3_s.txt"],
    ] {
        members.extend([(names[0], ASK), (names[1], META), (names[2], PAGE)]);
    }
    plain(&members)
}

#[test]
fn an_archive_cut_anywhere_gives_what_came_before() {
    let bytes = three();
    let mut last = 0;
    for cut in 0..bytes.len() {
        let got = read(&bytes[..cut]);
        let count = got.evidence.exchanges.len();
        assert!(count >= last, "{cut}");
        last = count;
        if count > 0 {
            assert!(got.codes().contains(&"truncated"), "{cut}");
            assert!(got.evidence.coverage.inputs[0].truncated);
        }
    }
    assert_eq!(last, 3);
}

#[test]
fn flipped_bytes_do_no_harm() {
    let bytes = three();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xa5;
        let got = read(&flipped);
        assert!(got.evidence.exchanges.len() <= 3, "{at}");
    }
}

#[test]
fn a_damaged_member_costs_itself() {
    let mut bytes = plain(&[
        ("raw/1_c.txt", ASK),
        ("raw/1_s.txt", PAGE),
        ("raw/2_c.txt", ASK),
        ("raw/2_s.txt", PAGE),
    ]);
    let at = memchr::memmem::find(&bytes, b"raw/1_s.txt").unwrap() + 11;
    for byte in &mut bytes[at..at + 8] {
        *byte ^= 0xff;
    }
    let got = read(&bytes);
    assert_eq!(got.evidence.exchanges.len(), 2);
    assert!(got.codes().contains(&"archive-member"), "{:?}", got.evidence.diagnostics);
    assert_eq!(got.evidence.exchanges[1].status(), Some(200));
}

#[test]
fn a_spent_budget_stops_once() {
    let got = read_with(&three(), &[], 100);
    assert!(got.result.is_ok());
    assert_eq!(got.codes(), ["limit-reached"]);
    assert!(got.evidence.exchanges.len() < 3);
}

#[test]
fn a_streamed_archive_that_lost_its_end() {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    for names in [["raw/1_c.txt", "raw/1_s.txt"], ["raw/2_c.txt", "raw/2_s.txt"]] {
        let plain = SimpleFileOptions::default();
        writer.start_file(names[0], plain).unwrap();
        writer.write_all(ASK).unwrap();
        writer.start_file(names[1], plain.with_aes_encryption(zip::AesMode::Aes128, "k")).unwrap();
        writer.write_all(PAGE).unwrap();
    }
    let whole = writer.finish().unwrap().into_inner();
    let end = memchr::memmem::find(&whole, b"PK\x01\x02").unwrap();
    let got = read_with(&whole[..end], &["k"], limits::GIB);
    assert!(got.result.is_ok(), "{:?}", got.result);
    let answers: Vec<_> =
        got.evidence.exchanges.iter().map(crate::evidence::Exchange::status).collect();
    assert_eq!(answers, [Some(200), Some(200)]);
    assert_eq!(got.codes(), ["truncated"]);
}

#[test]
fn the_producer_is_named_briefly() {
    let named = |comment: &str| producer(comment);
    let classic = "Fiddler (v5.0.20202.18177) Session Archive. See https://fiddler2.com";
    assert_eq!(named(classic).as_deref(), Some("Fiddler (v5.0.20202.18177)"));
    let other = "Fiddler Everywhere (v5.8.0) Session Archive.";
    assert_eq!(named(other).as_deref(), Some("Fiddler Everywhere (v5.8.0)"));
    assert_eq!(named(""), None);
    assert_eq!(named("not Fiddler at all"), None);
    assert_eq!(named(&format!("Fiddler {} Session Archive", "x".repeat(500))), None);
}
