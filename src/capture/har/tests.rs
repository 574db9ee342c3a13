//! HAR files of all shapes, whole, damaged and hostile.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::capture::source::as_u64;
use crate::capture::{Keys, Scope};
use crate::evidence::{
    Author, Body, DiagnosticCode, Evidence, Exchange, Missing, NoResponse, Stage, Via,
};
use crate::limits::Limits;

fn scope() -> Scope {
    Scope::new(["login.example", "*.sso.example"], [], ["/adfs/ls"], &["id_token="], 1 << 20)
}

fn read_with(source: Source, limits: &Limits) -> (Evidence, Result<(), ReadError>) {
    let (scope, cancel) = (scope(), AtomicBool::new(false));
    let options =
        ReadOptions { scope: &scope, limits, passwords: &[], keys: &Keys::new(), cancel: &cancel };
    let mut builder = EvidenceBuilder::new();
    let id = builder.add_input(crate::evidence::Input::named("x"));
    let mut budget = Budget::new(limits.expanded, limits.ratio);
    let mut source = source;
    let result = HarReader.read(&mut source, &options, &mut budget, id, &mut builder);
    (builder.finish(), result)
}

fn read(text: impl AsRef<[u8]>) -> Evidence {
    read_with(Source::bytes(text.as_ref().to_vec()), &Limits::default()).0
}

/// A HAR with these entries.
fn har(entries: &[&str]) -> String {
    let entries = entries.join(",\n");
    format!(
        r#"{{"log":{{"version":"1.2","creator":{{"name":"WebInspector","version":"537.36"}},"pages":[{{"id":"p"}}],"entries":[{entries}]}}}}"#
    )
}

/// An entry with members of the request, the response and its own.
fn entry(request: &str, response: &str, own: &str) -> String {
    let comma = |text: &str| if text.is_empty() { String::new() } else { format!(",{text}") };
    format!(
        r#"{{"startedDateTime":"2030-01-01T10:00:00.000+02:00","time":1500,"request":{{"method":"get","url":"https://login.example/a?b=c"{}}},"response":{{"status":200,"content":{{"size":2,"mimeType":"text/html","text":"ok"}}{}}}{}}}"#,
        comma(request),
        comma(response),
        comma(own)
    )
}

fn one(request: &str, response: &str, own: &str) -> Exchange {
    let evidence = read(har(&[&entry(request, response, own)]));
    assert_eq!(evidence.inputs[0].records, 1);
    evidence.exchanges.into_iter().next().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test looks at what was kept")]
fn bytes(body: &Body) -> &[u8] {
    match body {
        Body::Kept { bytes, .. } => bytes.expose(),
        other => panic!("no body: {other:?}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks at what was kept")]
fn fragment(exchange: &Exchange) -> Option<String> {
    let location = exchange.response.as_ref().unwrap().location.as_ref()?;
    location.fragment.as_ref().map(|part| part.expose().to_string())
}

fn codes(evidence: &Evidence) -> Vec<DiagnosticCode> {
    evidence.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn an_entry_becomes_an_exchange() {
    let exchange = one(
        r#""headers":[{"name":"User-Agent","value":"x"},{"name":"X-Own","value":"y"}]"#,
        r#""headers":[{"name":"Content-Type","value":"text/html"}]"#,
        r#""serverIPAddress":"[2001:db8::1%3]","pageref":"page_1","timings":{"_blocked_proxy":2}"#,
    );
    assert_eq!(&*exchange.request.method, "GET");
    assert_eq!(exchange.request.url.to_string(), "https://login.example/a");
    assert!(exchange.in_scope && exchange.request.headers.has("x-own"));
    assert_eq!(exchange.status(), Some(200));
    assert_eq!(bytes(&exchange.response.as_ref().unwrap().body), b"ok");
    assert_eq!(exchange.started().unwrap().to_string(), "2030-01-01T08:00:00.000Z");
    assert_eq!(exchange.ended().unwrap().to_string(), "2030-01-01T08:00:01.500Z");
    assert_eq!(exchange.server.unwrap().to_string(), "2001:db8::1");
    assert_eq!((exchange.page, exchange.via), (Some(0), Via::Proxy));
    assert_eq!(exchange.at.at.to_string(), "entry 0");
}

#[test]
fn the_input_says_who_wrote_it() {
    let evidence = read(har(&[&entry("", "", "")]));
    assert_eq!(evidence.inputs[0].producer.as_deref(), Some("WebInspector 537.36"));
    assert_eq!(evidence.inputs[0].utc_offset, Some(7200));
    assert_eq!(evidence.coverage.inputs[0].vantage, Vantage::Browser);
    assert_eq!(evidence.coverage.inputs[0].decrypted, 1);
    // The creator may stand behind the entries.
    let late = r#"{"log":{"entries":[],"browser":{"name":"Firefox"},"creator":{"name":"Fiddler","version":5}}}"#;
    let evidence = read(late);
    assert_eq!(evidence.inputs[0].producer.as_deref(), Some("Fiddler 5 (Firefox)"));
    assert_eq!(evidence.coverage.inputs[0].vantage, Vantage::Proxy);
    assert_eq!(vantage("my-recorder"), Vantage::Program);
}

#[test]
fn probes_by_content() {
    let probe = |text: &[u8]| HarReader.probe(text);
    assert_eq!(probe(b" {\"log\" : {"), Probe::Certain);
    assert_eq!(probe(b"\xef\xbb\xbf{\"a\":1,\"log\":{"), Probe::Certain);
    assert_eq!(probe(b"cb({\"log\":{"), Probe::Certain);
    assert_eq!(probe(b"{\"log\":[1]}"), Probe::Unsure);
    assert_eq!(probe(b"{}"), Probe::Unsure);
    assert_eq!(probe(b"[{\"log\":{}}]"), Probe::No);
    assert_eq!(probe(b"hello"), Probe::No);
    let wide: Vec<u8> = "{\"log\":{".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(probe(&wide), Probe::Certain);
}

#[test]
fn every_encoding_and_wrapper_gives_the_same() {
    let text = har(&[&entry(r#""comment":"ä \ud83d\ude00""#, "", ""), &entry("", "", "")]);
    let plain = read(&text);
    let wide = |mark: bool, big: bool| -> Vec<u8> {
        let text = if mark { format!("\u{feff}{text}") } else { text.clone() };
        let units = text.encode_utf16();
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let all = [
        format!("\u{feff}{text}").into_bytes(),
        format!("onInputData ({text});").into_bytes(),
        wide(true, true),
        wide(true, false),
        wide(false, true),
        wide(false, false),
    ];
    for bytes in all {
        let other = read(bytes);
        assert_eq!(format!("{:?}", other.exchanges), format!("{:?}", plain.exchanges));
        assert!(other.diagnostics.is_empty());
    }
}

#[test]
fn json_that_is_no_har() {
    let kind = |text: &str| match read_with(Source::bytes(text.into()), &Limits::default()).1 {
        Err(ReadError::Har(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(kind("{}").contains("not a HAR"));
    assert!(kind("{\"log\":{\"version\":1}}").contains("no list of entries"));
    assert!(kind("{\"log\":[1,2]}").contains("not a HAR"));
    assert!(kind("[1]").contains("begins with an object"));
}

#[test]
fn failures_are_kept_as_evidence() {
    let failure = |response: &str, own: &str| one("", response, own).response.unwrap_err();
    let failed = |stage, code: &str| NoResponse::Failed { stage, code: code.into() };
    let none = r#""status":0,"content":{}"#;
    assert_eq!(
        failure(none, r#""_error":"net::ERR_NAME_NOT_RESOLVED""#),
        failed(Stage::Dns, "ERR_NAME_NOT_RESOLVED")
    );
    assert_eq!(
        failure(r#""status":-1,"content":{},"_failureText":"NS_ERROR_NET_RESET""#, ""),
        failed(Stage::Receive, "NS_ERROR_NET_RESET")
    );
    assert_eq!(
        failure(r#""status":-2,"content":{},"statusText":"net::ERR_CERT_AUTHORITY_INVALID""#, ""),
        failed(Stage::Tls, "ERR_CERT_AUTHORITY_INVALID")
    );
    assert_eq!(
        failure(r#""status":null,"content":{},"_error":"net::ERR_ABORTED""#, ""),
        NoResponse::Cancelled
    );
    assert!(matches!(
        failure(r#""status":0,"content":{},"_error":"net::ERR_BLOCKED_BY_CLIENT""#, ""),
        NoResponse::BlockedByClient { .. }
    ));
    // Served, though there is no status.
    assert_eq!(failure(r#""status":0,"content":{"size":5}"#, ""), NoResponse::NotCaptured);
    assert_eq!(
        failure(r#""status":0,"content":{}"#, r#""_fromCache":"disk""#),
        NoResponse::NotCaptured
    );
    // Firefox writes zeros all over when a request failed.
    let zero = r#""timings":{"blocked":0,"dns":0,"connect":0,"send":0,"wait":0,"receive":0}"#;
    assert_eq!(failure(none, zero), failed(Stage::Unknown, "unnamed"));
    // Nothing known, and the last thing in the capture.
    let evidence = read(har(&[&entry("", none, ""), &entry("", "", "")]));
    assert_eq!(evidence.exchanges[0].response.as_ref().unwrap_err(), &NoResponse::Pending);
    assert_eq!(evidence.exchanges[1].response.as_ref().err(), None);
    // A connection that broke while the answer came.
    assert_eq!(
        failure(r#""status":200,"content":{"size":0},"_error":"net::ERR_CONNECTION_RESET""#, ""),
        failed(Stage::Receive, "ERR_CONNECTION_RESET")
    );
}

/// An entry of another URL.
fn to(url: &str, response: &str) -> String {
    entry("", response, "").replacen("https://login.example/a?b=c", url, 1)
}

#[test]
fn of_other_hosts_little_of_the_url_is_kept() {
    let long = "x".repeat(1 << 20);
    let evidence = read(har(&[
        &to(&format!("https://a.example/users/alice.smith/p?q={long}#f"), ""),
        &to(&format!("https://a.example/cb?q={long}&code=1"), ""),
        &to(&format!("https://login.example/users/alice.smith?q={long}"), ""),
    ]));
    let [plain, back, own] = &evidence.exchanges[..] else { panic!("{evidence:?}") };
    assert_eq!(plain.request.url.to_string(), "https://a.example/users/...");
    assert!(plain.request.url.query.is_none() && plain.request.url.fragment.is_none());
    // This scope names no field of a query.
    assert!(back.request.url.query.is_none() && !back.in_scope);
    assert_eq!(own.request.url.to_string(), "https://login.example/users/alice.smith");
    assert_eq!(exposed(own.request.url.query.as_ref()).unwrap().len(), crate::limits::QUERY);
}

#[expect(clippy::disallowed_methods, reason = "a test looks at what was kept")]
fn exposed(secret: Option<&crate::evidence::Secret<Box<str>>>) -> Option<&str> {
    secret.map(|secret| &**secret.expose())
}

#[test]
fn headers_are_kept_as_far_as_they_are_read() {
    let long = "x".repeat(1 << 15);
    let field = |name: &str| format!(r#"{{"name":"{name}","value":"{long}"}}"#);
    let fields = ["Location", "Set-Cookie", "X-Own"].map(field).join(",");
    let exchange = one("", &format!(r#""headers":[{fields}]"#), "");
    let headers = &exchange.response.as_ref().unwrap().headers;
    let length = |name| exposed(headers.first(name)).unwrap().len();
    assert_eq!((length("location"), length("set-cookie"), length("x-own")), (16_384, 256, 2048));
}

#[test]
fn targets_without_a_host_are_kept() {
    for (to, shown, query) in [
        ("urn:ietf:wg:oauth:2.0:oob?code=1", "other://app.invalid/", Some("code=1")),
        ("com.app:/cb?error=x", "other://app.invalid/", Some("error=x")),
        ("msauth.com.app://auth?error=x", "other://auth/", Some("error=x")),
        ("/b?c=d", "https://login.example/b", Some("c=d")),
        ("https://app.example/bob.b/cb?c=d", "https://app.example/...", Some("c=d")),
    ] {
        let exchange = one("", &format!(r#""redirectURL":"{to}""#), "");
        let location = exchange.response.unwrap().location.unwrap();
        assert_eq!(location.to_string(), shown, "{to}");
        assert_eq!(exposed(location.query.as_ref()), query, "{to}");
    }
    for to in ["data:text/plain,x?y", "about:blank#x", "javascript:x?y", "urn:a"] {
        let exchange = one("", &format!(r#""redirectURL":"{to}""#), "");
        assert!(exchange.response.unwrap().location.is_none(), "{to}");
    }
}

#[test]
fn a_body_that_expands_too_much_costs_its_end_only() {
    use std::io::Write as _;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    coder.write_all(&vec![b' '; 16 << 20]).unwrap();
    let bomb = data_encoding::BASE64.encode(&coder.finish().unwrap());
    let content = |text: &str| {
        format!(r#""content":{{"mimeType":"text/html","encoding":"base64","text":"{text}"}}"#)
    };
    let bombed = entry("", &content(&bomb), "");
    let limits = Limits { ratio: 100, body: 16 << 20, ..Limits::default() };
    let scope = Scope::new(["login.example"], [], [], &[], 16 << 20);
    let cancel = AtomicBool::new(false);
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &[],
        keys: &Keys::new(),
        cancel: &cancel,
    };
    let mut builder = EvidenceBuilder::new();
    let id = builder.add_input(crate::evidence::Input::named("x"));
    let mut budget = Budget::new(limits.expanded, limits.ratio);
    let mut source = Source::bytes(har(&[&bombed, &entry("", &content("b2s="), "")]).into_bytes());
    HarReader.read(&mut source, &options, &mut budget, id, &mut builder).unwrap();
    let evidence = builder.finish();
    assert_eq!(bytes(&evidence.exchanges[1].response.as_ref().unwrap().body), b"ok");
    assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached, DiagnosticCode::BodyCut]);
    assert!(evidence.diagnostics[0].text.starts_with("entry 0: "));
}

#[test]
fn the_capture_tool_gives_its_reasons() {
    let exchange = one("", r#""status":502,"statusText":"Fiddler - DNS Lookup Failed""#, "");
    let response = exchange.response.unwrap();
    assert_eq!(response.author, Author::CaptureTool);
    assert_eq!(response.reason.as_deref(), Some("Fiddler - DNS Lookup Failed"));
    let exchange = one("", r#""status":502,"statusText":"Bad Gateway""#, "");
    assert_eq!(exchange.response.unwrap().reason, None);
    let text = r#""content":{"text":"fiddler.network.https> HTTPS handshake to a failed."}"#;
    let tunnel = entry("", text, "").replacen("\"get\"", "\"CONNECT\"", 1);
    let evidence = read(har(&[&tunnel]));
    let response = evidence.exchanges[0].response.as_ref().unwrap();
    assert_eq!((response.status, response.author), (200, Author::CaptureTool));
    assert!(bytes(&response.body).starts_with(b"fiddler.network"));
}

#[test]
fn an_open_end_long_before_the_end_failed() {
    let open = entry("", r#""status":0,"content":{}"#, "");
    let later = entry("", "", r#""startedDateTime":"2030-01-01T10:05:00Z""#);
    let evidence = read(har(&[&open, &later]));
    let failed = NoResponse::Failed { stage: Stage::Unknown, code: "unnamed".into() };
    assert_eq!(evidence.exchanges[0].response.as_ref().unwrap_err(), &failed);
    let missing =
        r#"{"startedDateTime":"2030-01-01T10:00:00Z","request":{"url":"https://login.example/"}}"#;
    let evidence = read(har(&[missing, &later]));
    assert_eq!(evidence.exchanges[0].response.as_ref().unwrap_err(), &NoResponse::NotCaptured);
}

#[test]
fn what_is_no_request_over_http_is_counted_only() {
    let url = |url: &str| entry(&format!(r#""url":"{url}""#), "", "");
    let entries = [
        url("data:text/plain,hello"),
        url("about:blank"),
        url("chrome-extension://abcdef/x.js"),
        url("file:///c:/x"),
        url("::not a url"),
        url(""),
        "{}".to_owned(),
    ];
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let evidence = read(har(&entries));
    assert_eq!((evidence.inputs[0].records, evidence.exchanges.len()), (7, 0));
    assert!(evidence.diagnostics.is_empty());
}

#[test]
fn redirects_keep_their_fragment() {
    let headers = |value: &str| format!(r#""headers":[{{"name":"Location","value":"{value}"}}]"#);
    let with = |header: &str, field: &str| {
        one("", &format!(r#""status":302,{},"redirectURL":"{field}""#, headers(header)), "")
    };
    let both = with("https://app.example/cb#code=1", "https://app.example/cb");
    assert_eq!(fragment(&both).as_deref(), Some("code=1"));
    let relative = with("../x?y#z", "");
    assert_eq!(
        relative.response.as_ref().unwrap().location.as_ref().unwrap().to_string(),
        "https://login.example/x"
    );
    assert_eq!(fragment(&relative).as_deref(), Some("z"));
    assert!(one("", "", "").response.unwrap().location.is_none());
}

#[test]
fn request_bodies() {
    let post = |post: &str| one(&format!(r#""method":"POST",{post}"#), "", "");
    let text = post(r#""postData":{"text":"a=1&b=\u0032","params":[]},"bodySize":7"#);
    assert_eq!(
        (bytes(&text.request.body), text.request.body_length),
        (b"a=1&b=2".as_slice(), Some(7))
    );
    let form = post(r#""postData":{"params":[{"name":"a","value":"x y"}]}"#);
    assert_eq!(bytes(&form.request.body), b"a=x+y");
    let missing = post(r#""bodySize":5"#);
    assert!(matches!(missing.request.body, Body::Missing(Missing::NotSaved)));
    let declared = post(r#""headers":[{"name":"content-length","value":"12"}]"#);
    assert!(matches!(declared.request.body, Body::Missing(Missing::NotSaved)));
    assert_eq!(declared.request.body_length, Some(12));
    assert!(matches!(post(r#""bodySize":-1"#).request.body, Body::Empty));
    let other = r#""url":"https://app.example/cb","postData":{"text":"colour=red"}"#;
    assert!(matches!(post(other).request.body, Body::Skipped));
    let returned = r#""url":"https://app.example/cb","postData":{"text":"id_token=x"}"#;
    assert_eq!(bytes(&post(returned).request.body), b"id_token=x");
}

#[test]
fn response_bodies_and_what_is_missing() {
    let read_one = |response: &str| {
        let evidence = read(har(&[&entry("", response, "")]));
        let coverage = &evidence.coverage.inputs[0];
        (
            evidence.exchanges[0].response.as_ref().unwrap().body.clone(),
            (coverage.bodies_expected, coverage.bodies_missing),
        )
    };
    let (body, counts) = read_one(r#""content":{"size":9,"mimeType":"text/html"}"#);
    assert!(matches!(body, Body::Missing(Missing::NotSaved)));
    assert_eq!(counts, (1, 1));
    let (body, counts) = read_one(r#""content":{"size":0,"mimeType":"text/html","text":""}"#);
    assert!(matches!(body, Body::Empty));
    assert_eq!(counts, (0, 0));
    let (_, counts) = read_one(r#""status":302,"content":{"size":9,"mimeType":"text/html"}"#);
    assert_eq!(counts, (0, 0));
    let (_, counts) = read_one(r#""content":{"size":9,"mimeType":"image/png"}"#);
    assert_eq!(counts, (0, 0));
    let (body, counts) =
        read_one(r#""content":{"size":10,"mimeType":"text/html","text":"[REDACTED]"}"#);
    assert_eq!((bytes(&body), counts), (b"[REDACTED]".as_slice(), (1, 0)));
    let (body, _) = read_one(
        r#""content":{"size":5,"mimeType":"text/html","encoding":"base64","text":"H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA=="}"#,
    );
    assert_eq!(bytes(&body), b"hello");
}

#[test]
fn the_capture_tool_is_the_author_of_its_own_pages() {
    let response = r#""status":502,"statusText":"Fiddler - DNS Lookup Failed","content":{"size":20,"mimeType":"text/html","text":"[Fiddler] DNS Lookup"}"#;
    let exchange = one(r#""url":"https://other.example/x.png""#, response, "");
    let response = exchange.response.unwrap();
    assert_eq!(response.author, Author::CaptureTool);
    assert_eq!(bytes(&response.body), b"[Fiddler] DNS Lookup");
}

#[test]
fn sanitised_exports_are_recognised() {
    let without = [entry("", "", ""), entry("", "", "")];
    let sanitised = |entries: &[String]| {
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        read(har(&entries)).coverage.inputs[0].sanitised
    };
    assert!(sanitised(&without));
    let cookie = |value: &str| {
        let headers = format!(r#""headers":[{{"name":"Cookie","value":"{value}"}}]"#);
        [entry(&headers, "", ""), entry("", "", "")]
    };
    assert!(!sanitised(&cookie("a=b")));
    assert!(sanitised(&cookie("[REDACTED]")));
    assert!(!sanitised(&without[..1]));
}

#[test]
fn tls_details_make_one_connection() {
    let own = r#""connection":"7","_securityDetails":{"protocol":"TLS 1.3","subjectName":"login.example","issuer":"Corp CA","validFrom":1700000000,"validTo":1800000000,"sanList":["login.example"]}"#;
    let evidence = read(har(&[
        &entry("", "", own),
        &entry("", "", own),
        &entry("", "", r#""_securityDetails":{}"#),
    ]));
    assert_eq!(evidence.connections.len(), 1);
    let tls = evidence.connections[0].tls.as_ref().unwrap();
    let certificate = tls.certificate.as_ref().unwrap();
    assert_eq!((certificate.issuer.as_str(), certificate.names.len()), ("Corp CA", 1));
    assert_eq!(certificate.not_before.unwrap().to_string(), "2023-11-14T22:13:20.000Z");
    assert!(evidence.exchanges[1].connection.is_some());
}

#[test]
fn tunnels_without_contents_are_counted() {
    let tunnel = entry(r#""method":"CONNECT","url":"https://login.example:443""#, "", "");
    let evidence = read(har(&[&tunnel]));
    assert_eq!(evidence.exchanges[0].request.url.to_string(), "login.example:443");
    assert_eq!(evidence.coverage.inputs[0].blind_tunnels, 1);
    let evidence = read(har(&[&tunnel, &entry("", "", "")]));
    assert_eq!(evidence.coverage.inputs[0].blind_tunnels, 0);
}

#[test]
fn a_bad_entry_costs_itself_only() {
    let good = entry("", "", "");
    let bad = [
        r#"{"request":}"#,
        r#"{"request":{"url":"x"}"#,
        "12",
        "null",
        r#"{"startedDateTime" "x"}"#,
    ];
    for bad in bad {
        let text = har(&[&good, bad, &good]);
        let evidence = read(&text);
        assert_eq!(evidence.exchanges.len(), 2, "{bad}");
        assert_eq!(evidence.inputs[0].records, 3, "{bad}");
        assert_eq!(codes(&evidence), [DiagnosticCode::HarEntry], "{bad}");
        let offset = u64::try_from(text.find(bad).unwrap()).unwrap();
        assert_eq!(evidence.diagnostics[0].offset, Some(offset), "{bad}");
        assert_eq!(evidence.coverage.inputs[0].records_lost, 1);
    }
}

#[test]
fn what_is_nearly_json_is_read() {
    let good = entry("", "", "");
    let nearly = [
        entry("", "", r#""time":NaN"#),
        entry("", "", r#""time":-Infinity,"x":undefined"#),
        entry("", "", "\"comment\":\"a\tb\nc\\q\""),
        good.replace("\"time\":1500", "\"time\":1500,"),
        entry("", r#""status":"200""#, r#""time":"1500","pageref":7,"cache":null,"timings":[]"#),
    ];
    for nearly in nearly {
        let evidence = read(har(&[&nearly, &good]));
        assert_eq!((evidence.exchanges.len(), codes(&evidence)), (2, vec![]), "{nearly}");
    }
}

#[test]
fn keys_may_repeat_and_lists_may_too() {
    let doubled = one(r#""url":"https://login.example/last""#, "", "");
    assert_eq!(doubled.request.url.to_string(), "https://login.example/last");
    let entry = entry("", "", "");
    let text = format!(r#"{{"log":{{"entries":[{entry}],"entries":[{entry}]}},"log":null}}"#);
    assert_eq!(read(text).inputs[0].records, 2);
}

#[test]
fn invalid_text_is_replaced_and_said() {
    let mut text =
        har(&[&entry(r#""headers":[{"name":"X-A","value":"@@"}]"#, "", "")]).into_bytes();
    let at = text.windows(2).position(|pair| pair == b"@@").unwrap();
    text[at] = 0xe4;
    let evidence = read(text);
    assert_eq!(
        (evidence.exchanges.len(), codes(&evidence)),
        (1, vec![DiagnosticCode::InvalidText])
    );
}

#[test]
fn a_cut_file_gives_the_entries_before_the_cut() {
    let entries =
        [entry("", "", ""), entry(r#""x":"\"}\\""#, "", ""), entry("", "", r#""y":[{}]"#)];
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let text = har(&entries);
    let mut ends: Vec<usize> =
        entries.iter().map(|entry| text.find(entry).unwrap() + entry.len()).collect();
    ends[2] = text.rfind(entries[2]).unwrap() + entries[2].len();
    let begin = text.find("\"entries\"").unwrap();
    let complete = text.len() - 3;
    for cut in 0..text.len() {
        let (evidence, _) =
            read_with(Source::bytes(text.as_bytes()[..cut].to_vec()), &Limits::default());
        let want = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(evidence.exchanges.len(), want, "cut at {cut}");
        assert_eq!(evidence.inputs[0].records, as_u64(want), "cut at {cut}");
        if cut > begin + 11 && cut < complete {
            assert_eq!(codes(&evidence), [DiagnosticCode::Truncated], "cut at {cut}");
            assert_eq!(evidence.diagnostics[0].offset, Some(as_u64(cut)));
            assert!(evidence.coverage.inputs[0].truncated);
        }
    }
}

#[test]
fn an_entry_that_is_not_closed_does_not_swallow_the_next() {
    let good = entry("", "", "");
    let open = good.trim_end_matches('}').to_owned();
    let text = har(&[&good, &open, &good, &good]);
    let evidence = read(&text);
    assert_eq!((evidence.exchanges.len(), evidence.inputs[0].records), (3, 4));
    assert_eq!(codes(&evidence), [DiagnosticCode::HarEntry]);
}

#[test]
fn many_open_entries_end_soon() {
    let text = har(&[&"{\"startedDateTime\":1,".repeat(20_000)]);
    let evidence = read(text);
    assert!(evidence.inputs[0].records <= 40);
}

#[test]
fn an_entry_above_the_limit_loses_its_long_texts() {
    let long = "x".repeat(40 << 20);
    let big = entry(
        &format!(r#""postData":{{"text":"{long}"}}"#),
        r#""headers":[{"name":"Server","value":"s"}]"#,
        "",
    );
    let text = har(&[&big, &entry("", "", "")]);
    drop(big);
    let stream = Source::stream(Box::new(io::Cursor::new(text)));
    let (evidence, _) = read_with(stream, &Limits::default());
    assert_eq!(codes(&evidence), [DiagnosticCode::HarEntryTooLarge]);
    assert_eq!(evidence.exchanges.len(), 2);
    assert!(matches!(evidence.exchanges[0].request.body, Body::Missing(Missing::Limit)));
    assert!(evidence.exchanges[0].response.as_ref().unwrap().headers.has("server"));
    // Too large without any long text: given up, and the next is read.
    let limits = Limits { har_entry: 1000, ..Limits::default() };
    let many = entry("", "", &format!(r#""x":[{}0]"#, "1,".repeat(2000)));
    let source = Source::bytes(har(&[&many, &entry("", "", "")]).into_bytes());
    let (evidence, _) = read_with(source, &limits);
    assert_eq!(codes(&evidence), [DiagnosticCode::HarEntryTooLarge, DiagnosticCode::HarEntry]);
    assert_eq!((evidence.exchanges.len(), evidence.inputs[0].records), (1, 2));
}

#[test]
fn deep_nesting_is_harmless() {
    let deep = format!(r#""x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    let evidence = read(har(&[&entry("", "", &deep)]));
    assert_eq!(evidence.exchanges.len(), 1);
    let evidence = read(format!("{{\"a\":{}", "[".repeat(1_000_000)));
    assert!(evidence.exchanges.is_empty());
}

#[test]
fn damage_between_values_is_passed_over() {
    let entry = entry("", "", "");
    let text = format!(r#"{{"log":{{"creator":{{"name":"x"}} xxx, "entries":[{entry}]}}}}"#);
    let evidence = read(text);
    assert_eq!((evidence.exchanges.len(), codes(&evidence)), (1, vec![DiagnosticCode::HarShape]));
}

#[test]
fn a_stream_that_breaks_keeps_what_came_before() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(StreamError::Damaged.into())
        }
    }
    let text = har(&[&entry("", "", ""), &entry("", "", "")]);
    let half = io::Cursor::new(text.as_bytes()[..text.len() - 20].to_vec());
    let (evidence, result) =
        read_with(Source::stream(Box::new(half.chain(Broken))), &Limits::default());
    assert_eq!(evidence.exchanges.len(), 1);
    assert!(result.unwrap_err().to_string().contains("damaged"));
    assert!(evidence.coverage.inputs[0].truncated);
}

/// Entries of every kind, to be put in any order.
fn kinds() -> Vec<String> {
    let mut kinds = vec![
        entry("", "", ""),
        entry(
            r#""postData":{"text":"\u00e4\"\\"}"#,
            r#""status":0"#,
            r#""_error":"net::ERR_FAILED""#,
        ),
        entry("", "", r#""time":NaN"#),
        entry("", &format!(r#""content":{{"text":"{}"}}"#, "é\\\"".repeat(700)), ""),
        entry("", "", &format!(r#""_x":"{}""#, "z".repeat(9000))),
        "7".to_owned(),
        r#"{"request":}"#.to_owned(),
        r#"{"startedDateTime":"2030","request":{"#.to_owned(),
    ];
    kinds.push(entry("", "", "").replace(',', " ,\r\n\t"));
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_change_nothing(
        order in proptest::collection::vec(0_usize..9, 1..12),
        size in 1_usize..600,
        cut in 0_usize..2000,
        wide in proptest::bool::ANY,
    ) {
        let kinds = kinds();
        let entries: Vec<&str> = order.iter().map(|kind| kinds[*kind].as_str()).collect();
        let mut bytes = har(&entries).into_bytes();
        bytes.truncate(bytes.len().saturating_sub(cut));
        if wide {
            bytes = String::from_utf8_lossy(&bytes).encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        let limits = Limits { har_entry: 6000, ..Limits::default() };
        let whole = read_with(Source::bytes(bytes.clone()), &limits);
        let stream = Source::stream(Box::new(io::Cursor::new(bytes))).with_chunk(size);
        let pieces = read_with(stream, &limits);
        prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\ log1entries".to_vec()), 0..200)) {
        let mut text = br#"{"log":{"entries":["#.to_vec();
        text.extend(&bytes);
        let _ = read_with(Source::bytes(text), &Limits::default());
        let _ = read_with(Source::bytes(bytes), &Limits::default());
    }
}
