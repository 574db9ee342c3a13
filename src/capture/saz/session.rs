//! One session of the archive becomes one exchange, and a tunnel a connection as well.
//!
//! The parts are read only as far as the scope asks. What Fiddler says about the session (flags,
//! timers, its own texts) is kept apart from what the server said. No host or code is known here.
//!
//! Invariants: a session gives at most one exchange; tunnel text is never handed on as content of a
//! server, except for Fiddler's account of a handshake that failed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Parts;
use super::content::{self, Framing, is_bodiless, missing, number, read_head};
use super::failure;
use super::members::{Member, Members, Unreadable};
use super::metadata::{Metadata, bit};
use super::target::{absolute, method};
use super::tunnel::{self, ClientText, ServerText};
use crate::capture::{ReadOptions, Want};
use crate::evidence::{
    Answer, Author, Body, Connection, Diagnostic, DiagnosticCode, EvidenceBuilder, EvidenceRef,
    Exchange, Headers, HostName, InputId, Locator, Missing, NameLookup, NoResponse, Opened,
    Request, Response, Scheme, TlsHandshake, Url, Via,
};
use crate::limits::{self, Budget};
use crate::proto::http1;

/// Reads sessions one after the other.
pub(super) struct Sessions<'a, 'o> {
    options: &'a ReadOptions<'o>,
    budget: &'a mut Budget,
    input: InputId,
    into: &'a mut EvidenceBuilder,
    /// Sessions that stayed closed for want of a password.
    closed: u64,
    /// Open tunnels that were not said to be decrypted: number, host, whether said to be blind.
    tunnels: Vec<(u32, HostName, bool)>,
    /// The last decrypted session of each host.
    decrypted: BTreeMap<HostName, u32>,
}

/// Where a session stands, and what its metadata says.
pub(super) struct About<'m> {
    pub(super) number: u32,
    pub(super) metadata: Option<&'m Metadata>,
}

impl About<'_> {
    pub(super) fn has(&self, bit: u64) -> bool {
        self.metadata.is_some_and(|metadata| metadata.has(bit))
    }

    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        self.metadata.and_then(|metadata| metadata.flag(name))
    }
}

/// A request, and what it takes to read its response.
struct Asked {
    request: Request,
    in_scope: bool,
    /// The URL as text, to resolve a redirect against.
    base: String,
    hello: Option<ClientText>,
}

impl Asked {
    fn is_tunnel(&self) -> bool {
        self.request.url.scheme == Scheme::Authority
    }
}

/// A response or its absence, and what its text said about TLS.
struct Answered {
    response: Result<Response, NoResponse>,
    gateway: Option<String>,
    tls: ServerText,
}

impl<'a, 'o> Sessions<'a, 'o> {
    pub(super) const fn new(
        options: &'a ReadOptions<'o>,
        budget: &'a mut Budget,
        input: InputId,
        into: &'a mut EvidenceBuilder,
    ) -> Self {
        Self {
            options,
            budget,
            input,
            into,
            closed: 0,
            tunnels: Vec::new(),
            decrypted: BTreeMap::new(),
        }
    }

    /// Why no further session should be read.
    pub(super) fn must_stop(&self) -> Option<DiagnosticCode> {
        if self.options.is_cancelled() {
            return Some(DiagnosticCode::Cancelled);
        }
        self.budget.is_exhausted().then_some(DiagnosticCode::LimitReached)
    }

    /// Notes that the sessions after `number`, `left` of them, are not read.
    pub(super) fn stop(&mut self, code: DiagnosticCode, number: u32, left: u64) {
        let why = if code == DiagnosticCode::Cancelled {
            "reading was cancelled"
        } else {
            "the limit of expanded bytes was reached"
        };
        self.into.add_diagnostic(Diagnostic {
            code,
            input: Some(self.input),
            offset: None,
            lost: Some(left),
            text: match left {
                0 => format!("{why}; session {number}, the last one, may lack its end"),
                _ => format!("{why}; {left} sessions after session {number} are not read"),
            },
        });
        self.lost(left);
    }

    /// Closes the counters; gives the number of sessions that stayed closed.
    pub(super) fn finish(self) -> u64 {
        let blind = self.tunnels.iter().filter(|(number, host, blind)| {
            *blind || self.decrypted.get(host).is_none_or(|last| last < number)
        });
        let blind = u32::try_from(blind.count()).unwrap_or(u32::MAX);
        if let Some(coverage) = self.into.coverage_mut(self.input) {
            coverage.blind_tunnels = coverage.blind_tunnels.saturating_add(blind);
        }
        self.closed
    }

    fn lost(&mut self, count: u64) {
        if let Some(coverage) = self.into.coverage_mut(self.input) {
            coverage.records_lost = coverage.records_lost.saturating_add(count);
        }
    }

    fn diagnose(&mut self, code: DiagnosticCode, text: &str) {
        self.into.diagnose(code, Some(self.input), text);
    }

    /// Reads one session.
    pub(super) fn read(&mut self, members: &mut Members<'_>, number: u32, parts: Parts) {
        let closed = self.closed;
        self.read_parts(members, number, parts);
        // A session with several protected parts is counted once.
        self.closed = self.closed.min(closed.saturating_add(1));
    }

    fn read_parts(&mut self, members: &mut Members<'_>, number: u32, parts: Parts) {
        let Some(request) = parts.request else {
            let text =
                format!("session {number} has no request part; what else it has is left out");
            self.diagnose(DiagnosticCode::SazSession, &text);
            self.lost(1);
            return;
        };
        let metadata = parts.metadata.and_then(|index| self.metadata(members, number, index));
        let about = About { number, metadata: metadata.as_ref() };
        let Ok(mut member) = self.open(members, number, request, "request") else {
            self.lost(1);
            return;
        };
        let Some(asked) = self.request(&mut member, &about) else { return };
        drop(member);
        let answered = self.response(members, &about, &asked, parts.response);
        self.keep(&about, asked, answered);
    }

    fn metadata(
        &mut self,
        members: &mut Members<'_>,
        number: u32,
        index: usize,
    ) -> Option<Metadata> {
        let mut member = self.open(members, number, index, "metadata").ok()?;
        member.read_to(limits::SAZ_METADATA, self.budget);
        self.check(&member, number, "metadata");
        let bytes = std::mem::take(&mut member.bytes);
        drop(member);
        let metadata = Metadata::parse(&bytes);
        if metadata.malformed {
            let text = format!(
                "session {number}: the metadata is malformed; flags and times after the fault are lost"
            );
            self.diagnose(DiagnosticCode::SazMetadata, &text);
        }
        if let Some(input) = self.into.input_mut(self.input)
            && input.utc_offset.is_none()
        {
            input.utc_offset = metadata.utc_offset();
        }
        Some(metadata)
    }

    /// Opens a part, or says why not.
    fn open<'m, 's>(
        &mut self,
        members: &'m mut Members<'s>,
        number: u32,
        index: usize,
        part: &str,
    ) -> Result<Member<'m, 's>, Unreadable> {
        members.member(index).inspect_err(|why| {
            let text = match why {
                Unreadable::Encrypted => {
                    self.closed = self.closed.saturating_add(1);
                    return;
                }
                Unreadable::Damaged => {
                    format!("session {number}: the {part} part is damaged and was not read")
                }
                Unreadable::Method(method) => format!(
                    "session {number}: the {part} part is packed by method {method}, which is not read"
                ),
            };
            self.diagnose(DiagnosticCode::ArchiveMember, &text);
        })
    }

    /// Says that a part broke off or was left.
    fn check(&mut self, member: &Member<'_, '_>, number: u32, part: &str) {
        let read = member.bytes.len();
        if member.overblown {
            let text = format!(
                "session {number}: the {part} part expands too much (--max-ratio); {read} bytes of \
                 it were read"
            );
            self.diagnose(DiagnosticCode::LimitReached, &text);
        }
        if member.damaged {
            let text = format!(
                "session {number}: the {part} part is damaged; {read} bytes of it were read"
            );
            self.diagnose(DiagnosticCode::ArchiveMember, &text);
        }
    }

    fn request(&mut self, member: &mut Member<'_, '_>, about: &About<'_>) -> Option<Asked> {
        read_head(member, self.budget);
        if member.bytes.is_empty() && !member.ended && self.budget.is_exhausted() {
            self.lost(1);
            return None;
        }
        // The beginning of a line that broke off would name a host that was never asked.
        let broken = !member.ended && memchr::memchr(b'\n', &member.bytes).is_none();
        let head = http1::request(&member.bytes).filter(|_| !broken);
        let Some(head) = head else {
            self.check(member, about.number, "request");
            let text = format!("session {}: the request part holds no request", about.number);
            self.diagnose(DiagnosticCode::SazSession, &text);
            self.lost(1);
            return None;
        };
        let framing = Framing::new(&head.fields, head.length);
        let is_tunnel = head.method.eq_ignore_ascii_case("CONNECT");
        let method = method(&head.method);
        let fields = head.fields.clone();
        let base = if is_tunnel {
            Some(head.target.clone().into_owned())
        } else {
            absolute(&head.target, head.fields.first("host"), about)
        };
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let hello = if is_tunnel {
            member.read_to(limits::HEAD, self.budget);
            let text = member.bytes.get(framing.head..).unwrap_or_default();
            tunnel::client_text(&String::from_utf8_lossy(text))
        } else {
            None
        };
        let url = base.as_deref().and_then(|base| {
            if is_tunnel {
                let url = self.tunnel_url(base, hello.as_ref(), about)?;
                let in_scope = self.options.scope.covers(url.host.as_str(), &url.path);
                Some((url, in_scope))
            } else {
                self.url(base)
            }
        });
        let Some((url, in_scope)) = url else {
            let text =
                format!("session {}: the request names no host that can be read", about.number);
            self.diagnose(DiagnosticCode::SazSession, &text);
            self.lost(1);
            return None;
        };
        // Fiddler's import of a browser log adds sessions that never were requests.
        if url.host.as_str() == "netlog" {
            return None;
        }
        let mut headers = Headers::default();
        for (name, value) in &fields {
            self.into.header(&mut headers, name, value, in_scope);
        }
        let body = if is_tunnel {
            if framing.has_body(member) { Body::Skipped } else { Body::Empty }
        } else {
            self.request_body(member, &framing, &url, in_scope, about)
        };
        let counted =
            || member.ended.then(|| number(member.bytes.len().saturating_sub(framing.head)));
        let body_length = framing.content_length.or_else(counted).filter(|_| !is_tunnel);
        self.check(member, about.number, "request");
        let request = Request { method, url, headers, body, body_length };
        Some(Asked { request, in_scope, base: base.unwrap_or_default(), hello })
    }

    /// The URL, and whether it is part of a sign-in.
    fn url(&mut self, text: &str) -> Option<(Url, bool)> {
        let scope = self.options.scope;
        self.into.url_within(text, scope).or_else(|| {
            // A path that no parser takes does not lose the host.
            let (scheme, rest) = text.split_once("://")?;
            let host = rest.split(['/', '?', '#']).next()?;
            self.into.url_within(&format!("{scheme}://{host}/"), scope)
        })
    }

    /// The name in the handshake wins over the one in the request line: that may be an address.
    fn tunnel_url(
        &mut self,
        target: &str,
        hello: Option<&ClientText>,
        about: &About<'_>,
    ) -> Option<Url> {
        let url = self.into.authority(target)?;
        let named = hello
            .and_then(|hello| hello.server_name.clone())
            .or_else(|| HostName::parse(about.flag("https-client-snihostname")?.trim()));
        match named {
            Some(name) if name != url.host => {
                self.into.authority(&format!("{name}:{}", url.port)).or(Some(url))
            }
            _ => Some(url),
        }
    }

    fn request_body(
        &mut self,
        member: &mut Member<'_, '_>,
        framing: &Framing,
        url: &Url,
        in_scope: bool,
        about: &About<'_>,
    ) -> Body {
        if !framing.has_body(member) {
            return missing(framing, about.has(bit::REQUEST_DROPPED), false);
        }
        let kind = framing.content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
        let may_be_form = kind.is_empty() || kind.contains("form-urlencoded");
        // A form is looked into for the fields of a sign-in, whatever the host.
        if !in_scope && may_be_form && member.declared <= framing.end(limits::MIB) {
            member.read_to(framing.end(limits::MIB), self.budget);
        }
        let text = member.bytes.get(framing.head..).unwrap_or_default();
        match self.options.scope.request_body(url.host.as_str(), &url.path, text) {
            Want::Nothing => Body::Skipped,
            Want::UpTo(wanted) => {
                member.read_to(framing.end(wanted), self.budget);
                self.content(member, framing, wanted, about.number)
            }
        }
    }

    /// Undoes chunks and codings of what was read of a body.
    fn content(
        &mut self,
        member: &Member<'_, '_>,
        framing: &Framing,
        wanted: u64,
        session: u32,
    ) -> Body {
        match content::undo(member, framing, wanted, self.budget) {
            Ok(undone) => {
                if undone.overblown {
                    let text = format!(
                        "session {session}: a body expands too much (--max-ratio); its end is not \
                         read"
                    );
                    self.diagnose(DiagnosticCode::LimitReached, &text);
                }
                self.into.body(undone.bytes, undone.cut)
            }
            Err(why) => {
                if why == Missing::Undecodable {
                    let text =
                        format!("session {session}: the coding of a body is damaged or unknown");
                    self.diagnose(DiagnosticCode::BodyUndecodable, &text);
                }
                Body::Missing(why)
            }
        }
    }

    fn response(
        &mut self,
        members: &mut Members<'_>,
        about: &About<'_>,
        asked: &Asked,
        part: Option<usize>,
    ) -> Answered {
        let none = |why| Answered { response: Err(why), gateway: None, tls: ServerText::default() };
        // A part that is not in the archive says nothing; Fiddler writes an empty one for no answer.
        let Some(index) = part else { return none(NoResponse::NotCaptured) };
        let Ok(mut member) = self.open(members, about.number, index, "response") else {
            return none(NoResponse::NotCaptured);
        };
        read_head(&mut member, self.budget);
        // In an archive that broke off, a part without an answer may be one whose bytes are lost.
        let cut = self.into.coverage_mut(self.input).is_some_and(|about| about.truncated);
        let silent =
            || if cut { NoResponse::NotCaptured } else { failure::no_response(about.metadata) };
        if member.bytes.is_empty() && member.ended {
            return none(silent());
        }
        let Some(head) = http1::response(&member.bytes) else {
            self.check(&member, about.number, "response");
            let text = format!("session {}: the response part holds no response", about.number);
            self.diagnose(DiagnosticCode::SazSession, &text);
            return none(NoResponse::NotCaptured);
        };
        let Some(status) = head.status.filter(|status| *status != 0) else {
            return none(silent());
        };
        let framing = Framing::new(&head.fields, head.length);
        let mut headers = Headers::default();
        for (name, value) in head.fields.iter() {
            self.into.header(&mut headers, name, value, asked.in_scope);
        }
        let gateway = head.fields.first("fiddlergateway").map(|value| value.trim().to_owned());
        let location = head
            .fields
            .first("location")
            .and_then(|to| self.into.target(to, &asked.base, self.options.scope, asked.in_scope));
        let start = member.bytes.get(head.length..).unwrap_or_default();
        let plain = Metadata::default();
        let metadata = about.metadata.unwrap_or(&plain);
        let mut author = failure::author(status, &head.reason, start, asked.is_tunnel(), metadata);
        let reason = head.reason.clone().into_owned();
        let mut tls = ServerText::default();
        let body = if !framing.has_body(&member) {
            missing(
                &framing,
                about.has(bit::RESPONSE_DROPPED),
                asked.is_tunnel() || is_bodiless(&asked.request.method, status),
            )
        } else if asked.is_tunnel() && (status < 400 || author == Author::CaptureTool) {
            member.read_to(number(framing.head).saturating_add(limits::HEAD), self.budget);
            let text = member.bytes.get(framing.head..).unwrap_or_default();
            tls = tunnel::server_text(&String::from_utf8_lossy(text), metadata.utc_offset());
            if tls.failed || status >= 400 {
                // Whoever opened the tunnel, it is Fiddler that tells how the handshake ended.
                author = Author::CaptureTool;
                self.content(&member, &framing, limits::FAILURE_PAGE, about.number)
            } else {
                Body::Skipped
            }
        } else {
            self.response_body(&mut member, &framing, status, author, asked, about.number)
        };
        self.check(&member, about.number, "response");
        let reason = Response::reason(author, &reason);
        let response = Response { status, headers, body, location, author, reason };
        self.expect_body(asked, &response, framing.content_type.as_deref());
        Answered { response: Ok(response), gateway, tls }
    }

    fn response_body(
        &mut self,
        member: &mut Member<'_, '_>,
        framing: &Framing,
        status: u16,
        author: Author,
        asked: &Asked,
        session: u32,
    ) -> Body {
        let url = &asked.request.url;
        let kind = framing.content_type.as_deref();
        let scope = self.options.scope;
        let wanted = match scope.response_body(url.host.as_str(), &url.path, status, kind) {
            Want::UpTo(wanted) => wanted,
            Want::Nothing if author == Author::CaptureTool => limits::FAILURE_PAGE,
            Want::Nothing => return Body::Skipped,
        };
        member.read_to(framing.end(wanted), self.budget);
        self.content(member, framing, wanted, session)
    }

    /// Counts bodies of hosts in scope that should be there.
    fn expect_body(&mut self, asked: &Asked, response: &Response, kind: Option<&str>) {
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        let readable = kind.contains("html") || kind.contains("json");
        let redirect = (300..400).contains(&response.status);
        let bodiless = is_bodiless(&asked.request.method, response.status);
        if !asked.in_scope || !readable || redirect || bodiless || asked.is_tunnel() {
            return;
        }
        let absent = u32::from(matches!(response.body, Body::Missing(_)));
        if let Some(coverage) = self.into.coverage_mut(self.input) {
            coverage.bodies_expected = coverage.bodies_expected.saturating_add(1);
            coverage.bodies_missing = coverage.bodies_missing.saturating_add(absent);
        }
    }

    /// Puts the exchange, and what comes with it, into the evidence.
    fn keep(&mut self, about: &About<'_>, asked: Asked, answered: Answered) {
        let at = EvidenceRef { input: self.input, at: Locator::SazSession(about.number) };
        let metadata = about.metadata;
        let server = metadata.and_then(Metadata::server);
        let span = metadata.and_then(Metadata::span);
        let forwarded = metadata.is_some_and(Metadata::was_forwarded);
        let via = match answered.gateway.as_deref() {
            _ if forwarded => Via::Proxy,
            Some(gateway) if gateway.eq_ignore_ascii_case("direct") => Via::Direct,
            Some(_) => Via::Proxy,
            None if server.is_some() => Via::Direct,
            None => Via::Unknown,
        };
        let host = asked.request.url.host.clone();
        let (is_tunnel, scheme) = (asked.is_tunnel(), asked.request.url.scheme);
        if let (Some(took), Some(address), false) =
            (metadata.and_then(|metadata| metadata.length("dnstime")), server, via == Via::Proxy)
        {
            let answer = Answer::Addresses(vec![address]);
            let took = Some(took);
            let name = host.clone();
            self.into.add_lookup(NameLookup { took, ..NameLookup::new(name, answer, at) });
        }
        let opened = answered.response.as_ref().is_ok_and(|r| (200..300).contains(&r.status));
        let mut connection = None;
        if is_tunnel && opened {
            let decrypting = about.has(bit::DECRYPTING_TUNNEL) || answered.tls.decrypted;
            let tls = handshake(asked.hello, answered.tls, about);
            let port = asked.request.url.port;
            let rtt = metadata.and_then(|metadata| metadata.length("tcpconnecttime"));
            connection = self.into.add_connection(Connection {
                client: metadata.and_then(Metadata::client),
                server: server.map(|address| SocketAddr::new(address, port)),
                server_name: Some(host.clone()),
                opened: Opened::Established { rtt },
                tls,
                span,
                ..Connection::new(at)
            });
            if !decrypting || about.has(bit::BLIND_TUNNEL) {
                let blind = about.has(bit::BLIND_TUNNEL);
                self.tunnels.push((about.number, host.clone(), blind));
            }
        }
        // Fiddler's own requests can be read whether or not it decrypts those of others.
        if scheme == Scheme::Https && !about.has(bit::REQUEST_BY_TOOL) {
            self.decrypted.insert(host, about.number);
            if let Some(coverage) = self.into.coverage_mut(self.input) {
                coverage.decrypted = coverage.decrypted.saturating_add(1);
            }
        }
        self.into.add_exchange(Exchange {
            connection,
            lookup: None,
            request: asked.request,
            response: answered.response,
            span,
            server,
            via,
            process: metadata.and_then(Metadata::process),
            page: None,
            from_cache: about.has(bit::FROM_CACHE),
            rerouted: metadata.is_some_and(Metadata::was_rerouted),
            in_scope: asked.in_scope,
            at,
        });
    }
}

fn handshake(
    hello: Option<ClientText>,
    text: ServerText,
    about: &About<'_>,
) -> Option<Box<TlsHandshake>> {
    if hello.is_none() && text == ServerText::default() {
        return None;
    }
    let hello = hello.unwrap_or_default();
    let completed = match () {
        () if text.failed => Some(false),
        () if text.decrypted => Some(true),
        () => None,
    };
    Some(Box::new(TlsHandshake {
        version: text.version,
        offered: hello.offered,
        cipher: text.cipher,
        offered_ciphers: hello.ciphers,
        certificate: text.certificate,
        completed,
        by_capture_tool: text.decrypted || about.has(bit::DECRYPTING_TUNNEL),
        ..TlsHandshake::default()
    }))
}
