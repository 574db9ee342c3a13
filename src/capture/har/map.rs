//! From an entry as it is written to an exchange.
//!
//! It decides what a field means whoever wrote it, keeps the bodies that the scope asks for, and
//! counts what the capture lacks. It must not know what a sign-in is.
//!
//! Invariants: an entry that was read makes one exchange or none, and is counted either way; what is
//! only known at the end (whether a request was still under way) is decided in `finish`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::body::{self, Stored};
use super::entry::{Entry, Field, Leaf, List, ResponsePart, Security, Timings};
use super::failure;
use crate::capture::saz::tunnel::is_failure as is_failed_handshake;
use crate::capture::{ReadOptions, Want};
use crate::evidence::{
    Author, Body, CertificateSummary, Connection, ConnectionId, DiagnosticCode, EvidenceBuilder,
    EvidenceRef, Exchange, Headers, HostName, InputId, Locator, Missing, NoResponse, Request,
    Response, Scheme, Stage, TlsHandshake, TlsVersion, Url, Via, shown,
};
use crate::limits::{self, Budget};
use crate::time::{Span, Timestamp};

/// Pages, tunnels, connections and open ends that are remembered.
const REMEMBERED: usize = 10_000;
/// A request that began or was last seen this shortly before the end was still under way.
const LAST_SECONDS: Duration = Duration::from_secs(5);
/// No exchange takes longer; a larger number is a mistake of the writer.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// Characters kept of a name in a certificate.
const NAME: usize = 200;
/// Schemes whose URLs are no requests over a network.
const LOCAL_SCHEMES: &[&str] = &[
    "about",
    "blob",
    "chrome",
    "chrome-extension",
    "data",
    "devtools",
    "edge",
    "extension",
    "file",
    "javascript",
    "moz-extension",
    "ms-browser-extension",
    "resource",
    "safari-extension",
    "safari-web-extension",
    "view-source",
];

/// Makes exchanges out of the entries of one input.
pub(super) struct Mapper<'a> {
    pub(super) into: &'a mut EvidenceBuilder,
    pub(super) options: &'a ReadOptions<'a>,
    pub(super) budget: &'a mut Budget,
    pub(super) input: InputId,
    utc_offset: Option<i32>,
    pages: HashMap<Box<str>, u32>,
    connections: HashMap<Box<str>, ConnectionId>,
    /// Requests without an answer and without a reason: told apart when the end is known.
    open_ends: Vec<Locator>,
    tunnels: BTreeMap<HostName, u32>,
    readable: BTreeSet<HostName>,
    answered: u32,
    answered_in_scope: u32,
    has_credentials: bool,
    has_redaction: bool,
}

/// The request fields that later steps ask for.
struct Place<'a> {
    text: &'a str,
    url: &'a Url,
    method: &'a str,
    in_scope: bool,
    /// Whether large strings of the entry were dropped.
    lean: bool,
    at: EvidenceRef,
}

impl<'a> Mapper<'a> {
    pub(super) fn new(
        into: &'a mut EvidenceBuilder,
        options: &'a ReadOptions<'a>,
        budget: &'a mut Budget,
        input: InputId,
    ) -> Self {
        Self {
            into,
            options,
            budget,
            input,
            utc_offset: None,
            pages: HashMap::new(),
            connections: HashMap::new(),
            open_ends: Vec::new(),
            tunnels: BTreeMap::new(),
            readable: BTreeSet::new(),
            answered: 0,
            answered_in_scope: 0,
            has_credentials: false,
            has_redaction: false,
        }
    }

    /// Takes one entry; `lean` when large strings of it were dropped.
    pub(super) fn entry(&mut self, index: u32, entry: &Entry<'_>, lean: bool) {
        let at = EvidenceRef { input: self.input, at: Locator::HarEntry(index) };
        let span = self.span(entry);
        let Some(text) = entry.request.url.filled() else { return };
        let method = method(entry.request.method);
        let Some((url, in_scope)) = self.url(&text, &method) else { return };
        let place = Place { text: &text, url: &url, method: &method, in_scope, lean, at };
        let request_headers = self.headers(&entry.request.headers, in_scope);
        let response_headers = self.headers(&entry.response.headers, in_scope);
        let (body, body_length) = self.request_body(entry, &place);
        let from_cache = is_cached(entry);
        let (response, open_end) = self.outcome(entry, &place, response_headers, from_cache);
        self.count(&place, response.as_ref().ok());
        let exchange = Exchange {
            connection: self.connection(entry, &url, span, at),
            lookup: None,
            response,
            span,
            server: address(entry.server),
            via: via(&entry.timings),
            process: None,
            page: self.page(entry.page),
            from_cache,
            rerouted: false,
            in_scope,
            at,
            request: Request { method, url, headers: request_headers, body, body_length },
        };
        if open_end && self.open_ends.len() < REMEMBERED {
            self.open_ends.push(at.at);
        }
        self.into.add_exchange(exchange);
    }

    /// Decides what had to wait for the end, and notes what the capture lacks.
    pub(super) fn finish(&mut self, may_sanitise: bool) {
        let input = self.input;
        let end = self.into.coverage_mut(input).and_then(|coverage| coverage.span).map(Span::last);
        if let Some(end) = end {
            self.into.mark_pending(input, &self.open_ends, end, LAST_SECONDS);
        }
        let mut blind = 0_u32;
        for (host, count) in &self.tunnels {
            if !self.readable.contains(host) {
                blind = blind.saturating_add(*count);
            }
        }
        // A site that signs people in sets cookies; a longer capture holds some in any case.
        let enough = self.answered_in_scope >= 2 || self.answered >= 20;
        let sanitised = self.has_redaction || (may_sanitise && enough && !self.has_credentials);
        if let Some(coverage) = self.into.coverage_mut(input) {
            coverage.blind_tunnels = coverage.blind_tunnels.saturating_add(blind);
            coverage.sanitised |= sanitised;
        }
        let utc_offset = self.utc_offset;
        if let Some(input) = self.into.input_mut(input) {
            input.utc_offset = utc_offset;
        }
    }

    fn span(&mut self, entry: &Entry<'_>) -> Option<Span> {
        let (start, offset) = Timestamp::parse(&entry.started.text()?)?;
        self.utc_offset = self.utc_offset.or(offset);
        let took = milliseconds(entry.time).or_else(|| sum(&entry.timings)).unwrap_or_default();
        Some(Span::new(start, start.plus(took)))
    }

    /// The URL, and whether it is part of a sign-in.
    fn url(&mut self, text: &str, method: &str) -> Option<(Url, bool)> {
        if method == "CONNECT" {
            let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let url = self.into.authority(authority)?;
            let in_scope = self.options.scope.covers(url.host.as_str(), &url.path);
            return Some((url, in_scope));
        }
        let scheme = text.trim_start().split(':').next().unwrap_or_default();
        if LOCAL_SCHEMES.iter().any(|local| local.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        self.into.url_within(text, self.options.scope)
    }

    fn headers(&mut self, fields: &List<Field<'_>>, in_scope: bool) -> Headers {
        let mut headers = Headers::default();
        for field in &fields.0 {
            let Some(name) = field.name.text() else { continue };
            self.note_credential(&name, field.value);
            if (in_scope || Headers::kept(&name).is_some())
                && let Some(value) = field.value.text_up_to(limits::HEADER_VALUE)
            {
                self.into.header(&mut headers, &name, &value, in_scope);
            }
        }
        headers
    }

    /// Whether the exporter left the fields in that a careful one removes.
    fn note_credential(&mut self, name: &str, value: Leaf<'_>) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if !matches!(name.len(), 6 | 10 | 13)
            || !(is("cookie") || is("set-cookie") || is("authorization"))
        {
            return;
        }
        let value = value.escaped().unwrap_or_default();
        if value.len() < 64 && value.to_ascii_lowercase().contains("redacted") {
            self.has_redaction = true;
        } else if !value.is_empty() {
            self.has_credentials = true;
        }
    }

    fn request_body(&mut self, entry: &Entry<'_>, place: &Place<'_>) -> (Body, Option<u64>) {
        let request = &entry.request;
        let post = &request.post;
        let text = post.text.escaped().unwrap_or_default();
        let declared = field(&request.headers, "content-length").and_then(Leaf::size);
        let length = request.body_size.size().filter(|size| *size > 0).or(declared);
        let form = if text.is_empty() { body::form(&post.params) } else { String::new() };
        let held = if text.is_empty() { form.as_str() } else { text };
        if held.is_empty() {
            let missing =
                if place.lean && post.present { Missing::Limit } else { Missing::NotSaved };
            let had_one = length.is_some_and(|length| length > 0) || place.lean && post.present;
            return (if had_one { Body::Missing(missing) } else { Body::Empty }, length);
        }
        let length = length.or_else(|| u64::try_from(held.len()).ok());
        let Url { host, path, .. } = place.url;
        let Want::UpTo(cap) = self.options.scope.request_body(host.as_str(), path, held.as_bytes())
        else {
            return (Body::Skipped, length);
        };
        let coding = field(&request.headers, "content-encoding").and_then(Leaf::text);
        let coding = coding.unwrap_or_default();
        let stored = if text.is_empty() {
            Stored::Form(form)
        } else {
            Stored::Text { text: post.text, encoding: post.encoding, coding: &coding }
        };
        (self.keep(stored, cap, place.at), length)
    }

    fn keep(&mut self, stored: Stored<'_, '_>, cap: u64, at: EvidenceRef) -> Body {
        let kept = body::read(stored, cap, self.budget);
        if kept.damaged && kept.bytes.is_empty() {
            return Body::Missing(Missing::Undecodable);
        }
        if kept.overblown {
            let entry = at.at;
            let text =
                format!("{entry}: a body expands too much (--max-ratio); its end is not read");
            self.into.diagnose(DiagnosticCode::LimitReached, Some(at.input), &text);
        }
        self.into.body(kept.bytes, kept.cut)
    }

    /// The response or why there is none, and whether that has to wait for the end.
    fn outcome(
        &mut self,
        entry: &Entry<'_>,
        place: &Place<'_>,
        headers: Headers,
        from_cache: bool,
    ) -> (Result<Response, NoResponse>, bool) {
        let response = &entry.response;
        // Charles puts a page of its own in the place of an answer that never came.
        let failed = response.charles.text_up_to(16).is_some_and(|text| text == "FAILED");
        let status = status(response.status).filter(|_| !failed);
        let texts = [
            entry.error.filled(),
            entry.failure.filled(),
            response.error.filled(),
            response.failure.filled(),
            // The text of a status is only of interest where there is no status.
            entry_status_text(response, status),
        ];
        let texts = texts.each_ref().map(|text| text.as_deref().unwrap_or_default());
        let failure = failure::classify(&texts);
        let Some(status) = status else {
            return match failure {
                Some(failure) => (Err(failure), false),
                None if failed => (Err(failure::failed(Stage::Unknown, failure::UNNAMED)), false),
                None if is_served(response, from_cache) => (Err(NoResponse::NotCaptured), false),
                None if !response.present => (Err(NoResponse::NotCaptured), true),
                None => without_words(entry),
            };
        };
        // A connection that broke after the head of the answer left no answer to read.
        if let Some(NoResponse::Failed { stage: stage @ (Stage::Receive | Stage::Tls), code }) =
            failure
            && (200..300).contains(&status)
            && response.content.text.escaped().unwrap_or_default().is_empty()
        {
            return (Err(NoResponse::Failed { stage, code }), false);
        }
        let author = author(response, place.method);
        let reason = response.status_text.text_up_to(limits::HEADER_VALUE).unwrap_or_default();
        let reason = Response::reason(author, &reason);
        let location = self.location(response, place);
        let body = self.response_body(response, place, status, author);
        (Ok(Response { status, headers, body, location, author, reason }), false)
    }

    fn response_body(
        &mut self,
        response: &ResponsePart<'_>,
        place: &Place<'_>,
        status: u16,
        author: Author,
    ) -> Body {
        let content = &response.content;
        let kind = field(&response.headers, "content-type").and_then(Leaf::filled);
        let kind = kind.or_else(|| content.kind.filled());
        let Url { host, path, .. } = place.url;
        let want = self.options.scope.response_body(host.as_str(), path, status, kind.as_deref());
        let bodiless = place.method == "HEAD" || matches!(status, 204 | 300..=399);
        let text = content.text.escaped().unwrap_or_default();
        let declared = || field(&response.headers, "content-length").and_then(Leaf::size);
        let size = content.size.size().or_else(|| response.body_size.size()).or_else(declared);
        let had_one = !text.is_empty()
            || size.is_some_and(|size| size > 0)
            || response.body_size.size().is_some_and(|size| size > 0)
            || (size.is_none() && !content.text.is_given());
        let counts = place.in_scope && !bodiless && had_one && is_page_or_data(kind.as_deref());
        if let Some(coverage) = self.into.coverage_mut(self.input).filter(|_| counts) {
            coverage.bodies_expected = coverage.bodies_expected.saturating_add(1);
            if text.is_empty() && !place.lean {
                coverage.bodies_missing = coverage.bodies_missing.saturating_add(1);
            }
        }
        if text.is_empty() {
            return match (had_one && !bodiless, place.lean && content.text.is_given(), want) {
                (_, true, _) => Body::Missing(Missing::Limit),
                (true, false, Want::UpTo(_)) => Body::Missing(Missing::NotSaved),
                (true, false, Want::Nothing) => Body::Skipped,
                (false, false, _) => Body::Empty,
            };
        }
        let cap = match (want, author) {
            (Want::UpTo(cap), _) => cap,
            (Want::Nothing, Author::CaptureTool) => limits::FAILURE_PAGE,
            (Want::Nothing, Author::Network) => return Body::Skipped,
        };
        let coding = field(&response.headers, "content-encoding").and_then(Leaf::text);
        let coding = coding.unwrap_or_default();
        self.keep(
            Stored::Text { text: content.text, encoding: content.encoding, coding: &coding },
            cap,
            place.at,
        )
    }

    fn location(&mut self, response: &ResponsePart<'_>, place: &Place<'_>) -> Option<Url> {
        let exporter = response.redirect.filled();
        let header = field(&response.headers, "location").and_then(Leaf::filled);
        let target = match (exporter, header) {
            // Some exporters drop the fragment, which may carry the answer.
            (Some(one), Some(other)) if other.contains('#') && !one.contains('#') => other,
            (Some(one), _) => one,
            (None, other) => other?,
        };
        self.into.target(&target, place.text, self.options.scope, place.in_scope)
    }

    fn connection(
        &mut self,
        entry: &Entry<'_>,
        url: &Url,
        span: Option<Span>,
        at: EvidenceRef,
    ) -> Option<ConnectionId> {
        let security = &entry.security;
        let issuer = security.issuer.filled().map(|name| shown(&name, NAME)).unwrap_or_default();
        let subject = security.subject.filled().map(|name| shown(&name, NAME)).unwrap_or_default();
        if !security.protocol.is_given() && issuer.is_empty() && subject.is_empty() {
            return None;
        }
        let number = entry.connection.text_up_to(64).unwrap_or_default();
        let key = format!("{} {} {} {issuer} {subject}", url.host, url.port, shown(&number, 64));
        if let Some(known) = self.connections.get(key.as_str()) {
            return Some(*known);
        }
        let connection = Connection {
            server: address(entry.server).map(|address| SocketAddr::new(address, url.port)),
            server_name: Some(url.host.clone()),
            tls: Some(Box::new(handshake(security, subject, issuer))),
            span,
            ..Connection::new(at)
        };
        let id = self.into.add_connection(connection)?;
        if self.connections.len() < REMEMBERED {
            self.connections.insert(key.into(), id);
        }
        Some(id)
    }

    fn page(&mut self, page: Leaf<'_>) -> Option<u32> {
        let page = page.filled()?;
        if let Some(number) = self.pages.get(&*page) {
            return Some(*number);
        }
        let number =
            u32::try_from(self.pages.len()).ok().filter(|_| self.pages.len() < REMEMBERED)?;
        self.pages.insert(shown(&page, NAME).into(), number);
        Some(number)
    }

    fn count(&mut self, place: &Place<'_>, response: Option<&Response>) {
        let host = &place.url.host;
        match place.url.scheme {
            Scheme::Authority => {
                let answered =
                    response.is_some_and(|response| (200..300).contains(&response.status));
                if answered && (self.tunnels.len() < REMEMBERED || self.tunnels.contains_key(host))
                {
                    let count = self.tunnels.entry(host.clone()).or_insert(0);
                    *count = count.saturating_add(1);
                }
                return;
            }
            Scheme::Https if self.readable.len() < REMEMBERED && !self.readable.contains(host) => {
                self.readable.insert(host.clone());
            }
            _ => {}
        }
        if response.is_none() {
            return;
        }
        self.answered = self.answered.saturating_add(1);
        if !place.in_scope {
            return;
        }
        self.answered_in_scope = self.answered_in_scope.saturating_add(1);
        if place.url.scheme == Scheme::Https
            && let Some(coverage) = self.into.coverage_mut(self.input)
        {
            coverage.decrypted = coverage.decrypted.saturating_add(1);
        }
    }
}

/// A header field, by a name in lower case.
fn field<'a>(fields: &List<Field<'a>>, wanted: &str) -> Option<Leaf<'a>> {
    let same = |field: &&Field<'a>| {
        field.name.escaped().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
    };
    fields.0.iter().find(same).map(|field| field.value)
}

fn method(leaf: Leaf<'_>) -> Box<str> {
    let text = leaf.text_up_to(64).unwrap_or_default();
    let name = text.trim();
    if name.is_empty() || name.len() > 20 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return "?".into();
    }
    name.to_ascii_uppercase().into()
}

/// A status code; writers put 0, -1 or -2 where there was none.
fn status(leaf: Leaf<'_>) -> Option<u16> {
    leaf.size().and_then(|size| u16::try_from(size).ok()).filter(|code| (100..1000).contains(code))
}

fn entry_status_text<'a>(
    response: &ResponsePart<'a>,
    status: Option<u16>,
) -> Option<std::borrow::Cow<'a, str>> {
    if status.is_some() { None } else { response.status_text.filled() }
}

fn milliseconds(leaf: Leaf<'_>) -> Option<Duration> {
    let number = leaf.number().filter(|number| *number >= 0.0)?;
    Duration::try_from_secs_f64(number / 1000.0).ok().filter(|length| *length <= LONGEST)
}

/// The sum of the timings; `ssl` is a part of `connect`.
fn sum(timings: &Timings<'_>) -> Option<Duration> {
    [timings.blocked, timings.dns, timings.connect, timings.send, timings.wait, timings.receive]
        .into_iter()
        .filter_map(milliseconds)
        .reduce(Duration::saturating_add)
        .filter(|length| *length <= LONGEST)
}

/// Whether all timings that are there are zero: so writes Firefox of a request that failed.
fn has_zero_timings(timings: &Timings<'_>) -> bool {
    let all = [
        timings.blocked,
        timings.dns,
        timings.connect,
        timings.send,
        timings.wait,
        timings.receive,
    ];
    timings.present && all.into_iter().filter_map(milliseconds).all(|length| length.is_zero())
}

/// Why there is no response, where no text says it, and whether that has to wait for the end.
///
/// Firefox never writes an error. A request that it gave up has neither a security state nor a type
/// of content; one that failed has both, and its timings tell how far it came. Chromium writes
/// `_error: null` of a request whose end it did not see.
fn without_words(entry: &Entry<'_>) -> (NoResponseResult, bool) {
    let response = &entry.response;
    if response.error.is_null() {
        return (Err(NoResponse::NotCaptured), false);
    }
    let state = entry.security_state.filled();
    let content = &response.content;
    if state.is_none() && content.encoding.is_given() && content.kind.escaped().is_none() {
        return (Err(NoResponse::Cancelled), false);
    }
    let took = |leaf| milliseconds(leaf).is_some_and(|length| !length.is_zero());
    let timings = &entry.timings;
    let failed = match state.as_deref() {
        Some("broken") => failure::failed(Stage::Tls, "SECURITY_BROKEN"),
        Some(_) if took(timings.connect) && !took(timings.wait) => {
            failure::failed(Stage::Receive, "CLOSED_AFTER_CONNECT")
        }
        _ => failure::failed(Stage::Unknown, failure::UNNAMED),
    };
    let waits = state.is_none() && !has_zero_timings(timings);
    (Err(failed), waits)
}

type NoResponseResult = Result<Response, NoResponse>;

/// Whether fields of the response show that there was one, though it has no status.
fn is_served(response: &ResponsePart<'_>, from_cache: bool) -> bool {
    from_cache
        || !response.headers.0.is_empty()
        || response.content.size.size().is_some_and(|size| size > 0)
        || response.content.text.filled().is_some()
}

fn is_cached(entry: &Entry<'_>) -> bool {
    let stated = [entry.from_cache, entry.served_from_cache, entry.service_worker];
    let before = entry.cache.before;
    stated.into_iter().any(|leaf| leaf.is_given() && leaf.escaped() != Some(""))
        || before.is_given() && !before.is_empty_object()
}

fn is_page_or_data(kind: Option<&str>) -> bool {
    let Some(kind) = kind else { return true };
    let kind = kind.to_ascii_lowercase();
    ["html", "json", "xml"].iter().any(|part| kind.contains(part)) && !kind.starts_with("image/")
}

/// Fiddler writes answers of its own into the capture when a server cannot be reached.
fn author(response: &ResponsePart<'_>, method: &str) -> Author {
    let status = response.status_text.escaped().unwrap_or_default();
    let body = response.content.text.escaped().unwrap_or_default();
    let tunnel_failed = method == "CONNECT" && is_failed_handshake(body);
    if status.starts_with("Fiddler - ") || body.starts_with("[Fiddler]") || tunnel_failed {
        Author::CaptureTool
    } else {
        Author::Network
    }
}

fn address(leaf: Leaf<'_>) -> Option<IpAddr> {
    let text = leaf.text_up_to(64)?;
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.split('%').next().unwrap_or_default();
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

fn via(timings: &Timings<'_>) -> Via {
    if timings.proxy.number().is_some_and(|number| number > 0.0) {
        Via::Proxy
    } else {
        Via::Unknown
    }
}

fn handshake(security: &Security<'_>, subject: String, issuer: String) -> TlsHandshake {
    let time = |leaf: Leaf<'_>| {
        let seconds = i64::try_from(leaf.size()?).ok()?;
        Timestamp::from_milliseconds(seconds.checked_mul(1000)?)
    };
    let names = security.names.0.iter().take(100).filter_map(|name| name.text_up_to(NAME));
    let certificate = CertificateSummary {
        subject,
        issuer,
        names: names.map(|name| shown(&name, NAME)).collect(),
        not_before: time(security.from),
        not_after: time(security.to),
    };
    let protocol = security.protocol.text_up_to(32).unwrap_or_default();
    let version = match protocol.trim() {
        "SSL 3.0" => Some(TlsVersion::Ssl3),
        "TLS 1.0" => Some(TlsVersion::Tls10),
        "TLS 1.1" => Some(TlsVersion::Tls11),
        "TLS 1.2" => Some(TlsVersion::Tls12),
        // QUIC has no other handshake than that of TLS 1.3 (RFC 9001).
        "TLS 1.3" | "QUIC" => Some(TlsVersion::Tls13),
        _ => None,
    };
    TlsHandshake {
        version,
        cipher: security.cipher.filled().map(|name| shown(&name, NAME)),
        certificate: (!certificate.subject.is_empty() || !certificate.issuer.is_empty())
            .then_some(certificate),
        completed: Some(true),
        ..TlsHandshake::default()
    }
}
