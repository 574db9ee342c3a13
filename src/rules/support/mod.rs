//! Captures made up for the tests of the rules.
//!
//! A capture is told in a few calls: requests, tunnels, connections in packets, lookups. It must not
//! know a rule.
//!
//! Invariant: one second passes with each request, so that what follows is later.

use std::time::Duration;

use super::{Case, check};
use crate::evidence::{
    Author, Body, Connection, EvidenceBuilder, EvidenceRef, Exchange, Headers, Hello, Input,
    InputId, Locator, LookupTransport, Missing, NameLookup, NamedBy, NoResponse, Protocol,
    Redaction, Request, Response, Scheme, Stage, StallReport, TlsHandshake, TlsVersion, Traffic,
    Url, Vantage, Via, Wire, WireCoverage,
};
use crate::signin::reconstruct;
use crate::time::{Span, Timestamp};

pub(super) const NONE: [&str; 0] = [];
pub(super) const AUTHORIZE: &str = "/common/oauth2/v2.0/authorize";
pub(super) const MFA_PAGE: &str = r#"$Config={"pgid":"ConvergedTFA","arrUserProofs":
    [{"authMethodId":"PhoneAppNotification","isDefault":true}],"urlPost":"/common/SAS/ProcessAuth"}"#;
const HOST: &str = "https://login.microsoftonline.com";

/// A finding as plain text.
#[derive(Debug)]
pub(super) struct Found {
    pub severity: &'static str,
    pub confidence: &'static str,
    pub summary: String,
    pub advice: Option<String>,
}

/// A capture in the making; one second passes with each exchange.
#[derive(Default)]
pub(super) struct Capture {
    exchanges: Vec<Made>,
    connections: Vec<(String, String, bool)>,
    now: i64,
    blind: u32,
    lost: u64,
    wired: Vec<Wired>,
    lookups: Vec<(i64, &'static str, &'static str, crate::evidence::Answer)>,
    wire: Option<WireCoverage>,
}

/// A connection of packets in the making.
struct Wired {
    at: i64,
    host: &'static str,
    change: fn(&mut Connection),
}

struct Made {
    at: i64,
    method: &'static str,
    url: String,
    form: Option<String>,
    answer: Answer,
}

enum Answer {
    Status(u16),
    Body(u16, &'static str, String),
    Location(String),
    Without,
    Failed(&'static str),
}

impl Capture {
    pub(super) fn new() -> Self {
        Self { now: 1_700_000_000, ..Self::default() }
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += seconds;
    }

    fn add(&mut self, method: &'static str, url: String, form: Option<&str>, answer: Answer) {
        let form = form.map(str::to_owned);
        self.exchanges.push(Made { at: self.now, method, url, form, answer });
        self.now += 1;
    }

    pub(super) fn get(&mut self, url: &str, status: u16) {
        self.add("GET", url.to_owned(), None, Answer::Status(status));
    }

    pub(super) fn failed(&mut self, url: &str, code: &'static str) {
        self.add("GET", url.to_owned(), None, Answer::Failed(code));
    }

    pub(super) fn tunnel(&mut self, host: &str, status: u16) {
        self.add("CONNECT", format!("{host}:443"), None, Answer::Status(status));
    }

    pub(super) fn page(&mut self, method: &'static str, path: &str, config: &str) {
        let body = format!("<html><script>{config};</script></html>");
        self.add(method, format!("{HOST}{path}"), None, Answer::Body(200, "text/html", body));
    }

    pub(super) fn without_body(&mut self, method: &'static str, path: &str) {
        self.add(method, format!("{HOST}{path}"), None, Answer::Without);
    }

    pub(super) fn authorize(&mut self) {
        self.page(
            "GET",
            AUTHORIZE,
            r#"$Config={"pgid":"ConvergedSignIn","urlPost":"/common/login"}"#,
        );
    }

    fn sas(&mut self, method: &'static str, path: &str, value: &str, success: bool, retry: bool) {
        let body = format!(
            r#"{{"Success":{success},"ResultValue":"{value}","Retry":{retry},"AuthMethodId":"PhoneAppNotification"}}"#
        );
        let answer = Answer::Body(200, "application/json", body);
        self.add(method, format!("{HOST}{path}"), None, answer);
    }

    pub(super) fn begin(&mut self, value: &str, success: bool) {
        self.sas("POST", "/common/SAS/BeginAuth", value, success, false);
    }

    pub(super) fn poll(&mut self, value: &str, retry: bool) {
        self.sas("GET", "/common/SAS/EndAuth", value, value == "Success", retry);
    }

    pub(super) fn challenge(&mut self) {
        self.authorize();
        self.page("POST", "/common/login", MFA_PAGE);
        self.begin("Success", true);
    }

    pub(super) fn grant(&mut self) {
        let location =
            "https://app.example/signin?code=hunter2&state=x1&session_state=y".to_owned();
        let url = format!("{HOST}/common/SAS/ProcessAuth");
        self.add("POST", url, None, Answer::Location(location));
    }

    pub(super) fn healthy(&mut self) {
        self.challenge();
        self.poll("AuthenticationPending", true);
        self.poll("Success", false);
        self.grant();
    }

    pub(super) fn token_error(&mut self, form: &str, body: &str) {
        let url = format!("{HOST}/common/oauth2/v2.0/token");
        let answer = Answer::Body(400, "application/json", body.to_owned());
        self.add("POST", url, Some(form), answer);
    }

    pub(super) fn connection(&mut self, host: &str, issuer: &str, by_tool: bool) {
        self.connections.push((host.to_owned(), issuer.to_owned(), by_tool));
    }

    /// A connection of packets on which all went well, changed as told.
    pub(super) fn wired(&mut self, host: &'static str, change: fn(&mut Connection)) {
        self.wired.push(Wired { at: self.now, host, change });
        self.wire.get_or_insert_default();
        self.now += 10;
    }

    /// A lookup in packets, of an address of version 4.
    pub(super) fn lookup(
        &mut self,
        host: &'static str,
        resolver: &'static str,
        answer: crate::evidence::Answer,
    ) {
        self.lookups.push((self.now, host, resolver, answer));
        self.wire.get_or_insert_default();
        self.now += 1;
    }

    /// What the capture of packets could see.
    pub(super) fn wire(&mut self) -> &mut WireCoverage {
        self.wire.get_or_insert_default()
    }

    pub(super) fn blind(&mut self, tunnels: u32) {
        self.blind = tunnels;
    }

    pub(super) fn cut(&mut self, lost: u64) {
        self.lost = lost;
    }

    fn evidence(&self) -> crate::evidence::Evidence {
        let mut builder = EvidenceBuilder::new();
        let input = builder.add_input(Input::named("made-up.har"));
        let mut missing = 0;
        for (index, made) in self.exchanges.iter().enumerate() {
            let place = Locator::HarEntry(u32::try_from(index).unwrap());
            let at = EvidenceRef { input, at: place };
            missing += u32::from(matches!(made.answer, Answer::Without));
            let exchange = exchange(&mut builder, made, at);
            builder.add_exchange(exchange);
        }
        for (index, (host, issuer, by_tool)) in self.connections.iter().enumerate() {
            let place = Locator::SazSession(u32::try_from(index).unwrap());
            let connection = connection(&mut builder, host, issuer, *by_tool, input, place);
            builder.add_connection(connection);
        }
        let seconds = |at: i64| Timestamp::from_nanoseconds(at * 1_000_000_000);
        for (index, made) in (1..).zip(&self.wired) {
            let at = EvidenceRef { input, at: frames(index * 10, index * 10 + 9) };
            let mut connection = wired(&mut builder, made.host, seconds(made.at), at);
            (made.change)(&mut connection);
            builder.add_connection(connection);
        }
        for (index, (at, host, resolver, answer)) in (1000..).zip(&self.lookups) {
            let place = EvidenceRef { input, at: frames(index, index) };
            let name = builder.host(host).unwrap();
            builder.add_lookup(NameLookup {
                kind: Some(1),
                transport: LookupTransport::Udp,
                resolver: Some(format!("{resolver}:53").parse().unwrap()),
                asked: Some(seconds(*at)),
                asked_last: Some(seconds(*at)),
                took: Some(Duration::from_millis(20)),
                in_scope: true,
                ..NameLookup::new(name, answer.clone(), place)
            });
        }
        let coverage = builder.coverage_mut(input).unwrap();
        coverage.vantage = Vantage::Browser;
        if let Some(wire) = &self.wire {
            coverage.vantage = Vantage::Wire;
            coverage.span = Some(Span::new(seconds(1_700_000_000), seconds(self.now + 60)));
            let at = EvidenceRef { input, at: frames(1, 1) };
            coverage.wire = Some(WireCoverage { first_frame: Some(at), ..wire.clone() });
        }
        coverage.bodies_missing = missing;
        coverage.blind_tunnels = self.blind;
        coverage.records_lost = self.lost;
        coverage.truncated = self.lost > 0;
        builder.finish()
    }

    fn all(&self) -> Vec<(&'static str, Found)> {
        let evidence = self.evidence();
        let signin = reconstruct(&evidence);
        let case = Case::new(&evidence, &signin);
        check(&case)
            .into_iter()
            .map(|finding| {
                let found = Found {
                    severity: finding.severity.as_str(),
                    confidence: finding.confidence.as_str(),
                    summary: finding.summary.shown(Redaction::Strict),
                    advice: finding.advice.map(|text| text.shown(Redaction::Strict)),
                };
                (finding.meta.id.0, found)
            })
            .collect()
    }

    /// The ids of all findings.
    pub(super) fn rules(&self) -> Vec<&'static str> {
        self.all().into_iter().map(|(id, _)| id).collect()
    }

    /// The findings of one rule.
    pub(super) fn found(&self, rule: &str) -> Vec<Found> {
        self.all().into_iter().filter(|(id, _)| *id == rule).map(|(_, found)| found).collect()
    }

    pub(super) fn summaries(&self, rule: &str) -> Vec<String> {
        self.found(rule).into_iter().map(|found| found.summary).collect()
    }
}

fn exchange(builder: &mut EvidenceBuilder, made: &Made, at: EvidenceRef) -> Exchange {
    let url = if made.method == "CONNECT" {
        builder.authority(&made.url).unwrap()
    } else {
        builder.url(&made.url).unwrap()
    };
    let mut headers = Headers::default();
    let body = match &made.form {
        Some(form) => {
            let kind = "application/x-www-form-urlencoded";
            builder.header(&mut headers, "content-type", kind, true);
            builder.body(form.clone().into_bytes(), false)
        }
        None => Body::Empty,
    };
    let start = Timestamp::from_nanoseconds(made.at * 1_000_000_000);
    let response = response(builder, &made.answer, &url);
    Exchange {
        connection: None,
        lookup: None,
        request: Request { method: made.method.into(), url, headers, body, body_length: None },
        response,
        span: Some(Span::new(start, start.plus(Duration::from_millis(200)))),
        server: None,
        via: Via::Unknown,
        process: None,
        page: Some(1),
        from_cache: false,
        rerouted: false,
        in_scope: true,
        at,
    }
}

fn response(
    builder: &mut EvidenceBuilder,
    answer: &Answer,
    url: &Url,
) -> Result<Response, NoResponse> {
    let mut headers = Headers::default();
    if url.scheme != Scheme::Authority && url.host.as_str().ends_with("microsoftonline.com") {
        let id = "0f0f0f0f-1111-2222-3333-444444440100";
        builder.header(&mut headers, "x-ms-request-id", id, true);
    }
    let (status, body, location) = match answer {
        Answer::Failed(code) => {
            return Err(NoResponse::Failed { stage: Stage::Unknown, code: (*code).into() });
        }
        Answer::Status(status) => (*status, Body::Empty, None),
        Answer::Without => (200, Body::Missing(Missing::NotSaved), None),
        Answer::Location(location) => (302, Body::Empty, builder.url(location)),
        Answer::Body(status, kind, body) => {
            builder.header(&mut headers, "content-type", kind, true);
            (*status, builder.body(body.clone().into_bytes(), false), None)
        }
    };
    Ok(Response { status, headers, body, location, author: Author::Network, reason: None })
}

fn frames(first: u64, last: u64) -> Locator {
    let number = |frame| std::num::NonZeroU64::new(frame).unwrap();
    Locator::Frames { first: number(first), last: number(last), stream: None }
}

/// A healthy connection as packets show it: TLS 1.3, and data both ways.
fn wired(
    builder: &mut EvidenceBuilder,
    host: &str,
    start: Timestamp,
    at: EvidenceRef,
) -> Connection {
    let span = Span::new(start, start.plus(Duration::from_secs(5)));
    let side = Traffic { segments: 40, with_payload: 30, bytes: 20_000, ..Traffic::default() };
    let hello =
        Hello { length: 517, segments: 1, is_post_quantum: false, has_encrypted_hello: false, at };
    Connection {
        client: Some("10.0.0.8:50000".parse().unwrap()),
        server: Some("20.190.128.1:443".parse().unwrap()),
        server_name: builder.host(host),
        named_by: Some(NamedBy::ServerName),
        tls: Some(Box::new(TlsHandshake {
            version: Some(TlsVersion::Tls13),
            completed: Some(true),
            hello: Some(hello),
            server_hello: Some(at),
            application: [12, 12],
            ..TlsHandshake::default()
        })),
        wire: Some(Box::new(Wire {
            traffic: [side; 2],
            tries: 1,
            asked: Some(Span::new(start, start)),
            is_one_sided: false,
            icmp: None,
            reset: None,
            ended: [None; 2],
            payload: [Some(span); 2],
            dropped: None,
            stall: [None; 2],
            waiting: 0,
            last_request: None,
            torn: [false; 2],
            is_proxied: false,
            is_read: false,
            protocol: Protocol::Tls,
            polls: None,
            community_id: "1:x".into(),
            ja4: None,
        })),
        in_scope: true,
        span: Some(span),
        ..Connection::new(at)
    }
}

/// A client whose data never gets through after the handshake.
pub(super) fn stalled(connection: &mut Connection, longest: u32, passed: u32) {
    let span = connection.span.unwrap();
    connection.tls.as_mut().unwrap().application = [3, 0];
    let wire = connection.wire.as_mut().unwrap();
    wire.waiting = 4_000;
    wire.stall = [Some(StallReport { tries: 5, bytes: 4_000, longest, passed, span }), None];
}

fn connection(
    builder: &mut EvidenceBuilder,
    host: &str,
    issuer: &str,
    by_capture_tool: bool,
    input: InputId,
    at: Locator,
) -> Connection {
    let certificate =
        crate::evidence::CertificateSummary { issuer: issuer.to_owned(), ..Default::default() };
    Connection {
        server_name: builder.host(host),
        tls: Some(Box::new(TlsHandshake {
            certificate: Some(certificate),
            by_capture_tool,
            ..TlsHandshake::default()
        })),
        ..Connection::new(EvidenceRef { input, at })
    }
}
