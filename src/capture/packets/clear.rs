//! HTTP as exchanges: in clear, or opened with keys.
//!
//! It must not know what a host or a page means: what is kept of a body is for the scope to say.
//!
//! Invariant: whatever may be a secret goes through the builder, which wraps it.

use std::num::NonZeroU64;

use super::context::{Context, Fate};
use crate::capture::Want;
use crate::evidence::{
    Author, Body, EvidenceRef, Exchange, Headers, HostName, Locator, Missing, NoResponse, Request,
    Response, Stage, Stream, Transport, Via,
};
use crate::proto::body;
use crate::proto::http1_stream::{Broken, ClearExchange, ClearRequest, ClearResponse};
use crate::proto::socks::SocksFacts;
use crate::proto::{Peer, http2};
use crate::time::Span;

/// The host of an authority.
pub(super) fn authority(text: &str, context: &mut Context<'_>) -> Option<HostName> {
    context.into.authority(text).map(|url| url.host)
}

/// Adds an exchange, and notes the host that it was with.
pub(super) fn add(exchange: ClearExchange, context: &mut Context<'_>) {
    let Some(asked) = exchange.request else { return };
    let is_opened = context.cover.is_opened;
    if asked.target == UNREAD {
        // HTTP/2 may name what was sent before: nobody may say then what was asked for.
        if let Some(coverage) = context.into.coverage_mut(context.input) {
            coverage.records_lost = coverage.records_lost.saturating_add(1);
        }
        return;
    }
    let is_connect = asked.method.eq_ignore_ascii_case("CONNECT");
    let url = if is_connect {
        context.into.authority(&asked.target)
    } else {
        let address = absolute(&asked, context);
        context.into.url_within(&address, context.scope).map(|(url, _)| url)
    };
    let Some(url) = url else { return };
    let in_scope = context.scope.covers(url.host.as_str(), &url.path);
    let mut headers = Headers::default();
    for (name, value) in &asked.headers {
        context.into.header(&mut headers, name, value, in_scope);
    }
    if asked.unread > 0 {
        headers.lack();
    }
    let (first, mut last) = (asked.extent.first, asked.extent.last);
    if let Some(response) = &exchange.response {
        last = response.extent.last;
    }
    let host = url.host.clone();
    let kept = request_body(&asked, &host, &url.path, context);
    let address = url.to_string();
    // The answer may be in what the capture lacks of the server.
    let is_lacking = context.lacks.is_some_and(|frame| frame > asked.extent.last.frame);
    let response = match exchange.response {
        Some(response) => Ok(answer(&response, &host, &url.path, &address, in_scope, context)),
        None if exchange.unread.is_some() => Err(NoResponse::NotCaptured),
        None => Err(match exchange.broken {
            Some(broken) if broken.by == Peer::Server || !is_lacking => given_up(broken),
            _ if is_lacking => NoResponse::NotCaptured,
            _ => unanswered(context.fate, is_connect, is_opened, asked.complete),
        }),
    };
    let at = place(first.frame, last.frame, context);
    let is_proxied = is_connect || asked.target.contains("://") || context.cover.is_proxied;
    context.cover.has_told = true;
    if !is_proxied {
        context.cover.asked = Some(host);
    }
    context.into.add_exchange(Exchange {
        connection: None,
        lookup: None,
        request: Request {
            method: method(&asked.method),
            url,
            headers,
            body: kept,
            body_length: Some(asked.body_length),
        },
        response,
        span: Some(Span::new(first.at, last.at)),
        server: (!is_proxied).then(|| context.server.ip()),
        via: if is_proxied { Via::Proxy } else { Via::Direct },
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope,
        at,
    });
}

/// What the target of a request is that could not be read.
const UNREAD: &str = "?";

/// Why there is no answer, by the end of the connection.
fn unanswered(fate: Fate, is_connect: bool, is_opened: bool, is_whole: bool) -> NoResponse {
    let failed_at = |stage, code: &str| NoResponse::Failed { stage, code: code.into() };
    // What breaks a connection breaks a request that is still on its way too.
    let is_opened = is_opened && (is_whole || matches!(fate, Fate::Cut | Fate::Reset));
    match fate {
        Fate::Cut | Fate::Reset if is_connect => failed("CONNECTION_CUT"),
        Fate::Silent if is_connect => failed("NO_ANSWER"),
        Fate::Reset if is_opened => failed_at(Stage::Receive, "CONNECTION_RESET"),
        Fate::Cut if is_opened => failed_at(Stage::Receive, "CONNECTION_CUT"),
        Fate::Silent if is_opened => failed_at(Stage::Unknown, "TIMED_OUT"),
        Fate::Left if is_opened => NoResponse::Cancelled,
        Fate::Open if is_opened => NoResponse::Pending,
        Fate::Cut | Fate::Left | Fate::Open | Fate::Reset | Fate::Silent => NoResponse::NotCaptured,
    }
}

/// Why there is no answer where a side gave the exchange up (RFC 9113 section 7).
fn given_up(broken: Broken) -> NoResponse {
    /// A connection that ends in good order; a stream that was not begun; one that is no longer wanted.
    const NO_ERROR: u32 = 0;
    const REFUSED_STREAM: u32 = 7;
    const CANCEL: u32 = 8;
    const HTTP_1_1_REQUIRED: u32 = 13;
    let is_left = match (broken.by, broken.is_connection) {
        (Peer::Client, false) => matches!(broken.code, NO_ERROR | CANCEL),
        // What was not begun is asked for again elsewhere, and nobody notices (section 6.8).
        (Peer::Server, true) => broken.code == NO_ERROR,
        (Peer::Server, false) => broken.code == REFUSED_STREAM,
        (Peer::Client, true) => true,
    };
    if is_left {
        return NoResponse::Cancelled;
    }
    if broken.code == HTTP_1_1_REQUIRED {
        return NoResponse::Failed { stage: Stage::Receive, code: "HTTP_1_1_REQUIRED".into() };
    }
    let name = http2::error_name(broken.code).unwrap_or("UNKNOWN_ERROR");
    let frame = if broken.is_connection { "GOAWAY" } else { "RST_STREAM" };
    NoResponse::Failed { stage: Stage::Receive, code: format!("HTTP2_{frame}:{name}").into() }
}

/// A tunnel that the proxy neither granted nor denied.
fn failed(code: &str) -> NoResponse {
    NoResponse::Failed { stage: Stage::Proxy, code: code.into() }
}

fn place(first: NonZeroU64, last: NonZeroU64, context: &Context<'_>) -> EvidenceRef {
    let stream = context.stream.map(|number| Stream { transport: Transport::Tcp, number });
    let (first, last) = (first.min(last), first.max(last));
    EvidenceRef { input: context.input, at: Locator::Frames { first, last, stream } }
}

/// Letters of the longest registered method (IANA: `UPDATEREDIRECTREF`); a longer word is none.
const METHOD: usize = 17;

fn method(text: &str) -> Box<str> {
    let upper = text.to_ascii_uppercase();
    if (1..=METHOD).contains(&upper.len()) && upper.bytes().all(|byte| byte.is_ascii_uppercase()) {
        upper.into()
    } else {
        "?".into()
    }
}

/// The address that was asked for: as a proxy is asked, or by the host that the request names.
fn absolute(asked: &ClearRequest, context: &Context<'_>) -> String {
    if asked.target.contains("://") {
        return asked.target.clone();
    }
    let target = if asked.target.starts_with('/') { asked.target.as_str() } else { "/" };
    let scheme = if context.cover.is_opened { "https" } else { "http" };
    match (&asked.host, &context.cover.name) {
        (Some(host), _) => format!("{scheme}://{host}{target}"),
        (None, Some(host)) => format!("{scheme}://{host}{target}"),
        (None, None) => format!("{scheme}://{}{target}", context.server),
    }
}

fn request_body(
    asked: &ClearRequest,
    host: &HostName,
    path: &str,
    context: &mut Context<'_>,
) -> Body {
    if asked.body_length == 0 {
        return Body::Empty;
    }
    match context.scope.request_body(host.as_str(), path, &asked.body) {
        Want::Nothing => Body::Skipped,
        Want::UpTo(_) if asked.body.is_empty() => Body::Missing(Missing::Limit),
        Want::UpTo(most) => {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let mut bytes = asked.body.clone();
            let cut = bytes.len() > most || !asked.complete;
            bytes.truncate(most);
            context.into.body(bytes, cut)
        }
    }
}

fn answer(
    given: &ClearResponse,
    host: &HostName,
    path: &str,
    base: &str,
    in_scope: bool,
    context: &mut Context<'_>,
) -> Response {
    let mut headers = Headers::default();
    for (name, value) in &given.headers {
        context.into.header(&mut headers, name, value, in_scope);
    }
    if given.unread > 0 {
        headers.lack();
    }
    let location = given
        .header("location")
        .and_then(|target| context.into.target(target, base, context.scope, in_scope));
    let kind = given.header("content-type");
    let wanted = context.scope.response_body(host.as_str(), path, given.status, kind);
    let body = match wanted {
        _ if given.body_length == 0 => Body::Empty,
        Want::Nothing => Body::Skipped,
        Want::UpTo(_) if given.body.is_empty() => Body::Missing(Missing::Limit),
        Want::UpTo(most) => decoded(given, most, context),
    };
    Response {
        status: given.status,
        headers,
        body,
        location,
        author: Author::Network,
        reason: None,
    }
}

/// The body without its content codings.
fn decoded(given: &ClearResponse, most: u64, context: &mut Context<'_>) -> Body {
    let mut budget = context.budget.share();
    let decoded = match given.header("content-encoding") {
        // The coding may be in a field that could not be read.
        None if given.unread > 0 => body::decode_unnamed(&given.body, most, &mut budget),
        codings => Some(body::decode(&given.body, codings.unwrap_or_default(), most, &mut budget)),
    };
    let Some(decoded) = decoded else { return Body::Missing(Missing::Undecodable) };
    if decoded.damaged && given.complete {
        return Body::Missing(Missing::Undecodable);
    }
    let cut = decoded.cut || !given.complete;
    context.into.body(decoded.bytes, cut)
}

/// Adds the request for a tunnel that a SOCKS proxy did not grant (RFC 1928 section 6).
pub(super) fn socks(facts: &SocksFacts, context: &mut Context<'_>) {
    let Some(target) = &facts.target else { return };
    let code = match (facts.reply, facts.authenticated) {
        (Some(0 | 90), _) => return,
        (Some(2), _) => "SOCKS_NOT_ALLOWED",
        (Some(_), _) => "SOCKS_UPSTREAM",
        (None, Some(false)) => "SOCKS_CREDENTIALS",
        (None, _) => return,
    };
    let Some((first, last)) = facts.first.zip(facts.answer.or(facts.request)) else { return };
    let Some(url) = context.into.authority(&target.to_string()) else { return };
    let in_scope = context.scope.covers(url.host.as_str(), &url.path);
    context.into.add_exchange(Exchange {
        connection: None,
        lookup: None,
        request: Request {
            method: "CONNECT".into(),
            url,
            headers: Headers::default(),
            body: Body::Empty,
            body_length: None,
        },
        response: Err(NoResponse::Failed { stage: Stage::Proxy, code: code.into() }),
        span: Some(Span::new(first.at, last.at)),
        server: None,
        via: Via::Proxy,
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope,
        at: place(first.frame, last.frame, context),
    });
}
