//! Messages in clear: what is kept of a request and its response.
//!
//! A head is taken over from [`http1`] with every part cut at its bound; HTTP/2 makes the same values
//! of its own heads. Nothing here knows what a field or a body means.
//!
//! Invariants: what `Debug` prints holds no target, value or content, only lengths; a body is at most
//! as long as the caller allowed (`limits::STREAM_BODY`), whatever `body_length` says.

use std::fmt;

use crate::limits;
use crate::proto::http1::{self, Fields};
use crate::proto::{Mark, Peer};

/// The frames of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The frame of its first byte.
    pub first: Mark,
    /// The frame in which its head was complete.
    pub head: Mark,
    /// The frame of its last byte as far as it was captured: the one tshark shows it at.
    pub last: Mark,
}

/// A request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearExchange {
    /// The request; `None` when it was not captured.
    pub request: Option<ClearRequest>,
    /// The response; `None` when none was captured, or none that could be read.
    pub response: Option<ClearResponse>,
    /// Where a response stands that came, but whose status could not be read: it was in what the
    /// capture lost, or names what was sent before. Nobody may say then that no answer came.
    pub unread: Option<Extent>,
    /// How one side gave it up; `None` when no side did, and always in HTTP/1.
    pub broken: Option<Broken>,
}

/// An exchange that one side gave up (RFC 9113 sections 5.4 and 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Who gave it up.
    pub by: Peer,
    /// Why: an error code of RFC 9113 section 7.
    pub code: u32,
    /// Whether the connection was given up (`GOAWAY`) and not the stream alone (`RST_STREAM`).
    pub is_connection: bool,
    /// The frame that says so.
    pub mark: Mark,
}

/// A request in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct ClearRequest {
    /// The method; `?` when it could not be read.
    pub method: String,
    /// The target as it was sent, cut at `limits::STREAM_TARGET`; `?` when it could not be read.
    pub target: String,
    /// The value of the field `Host`, or of `:authority` in HTTP/2.
    pub host: Option<String>,
    /// The fields in the order they came.
    pub headers: Vec<(String, String)>,
    /// Where it stands.
    pub extent: Extent,
    /// The content, kept of forms, and of more where the caller said so.
    pub body: Vec<u8>,
    /// Bytes of content, those lost included.
    pub body_length: u64,
    /// Bytes of content that the capture lost, at least.
    pub lost: u64,
    /// Fields that could not be read: in HTTP/2 they may name what was sent before the capture.
    pub unread: u32,
    /// Whether its end was seen.
    pub complete: bool,
}

/// A response in clear; interim ones are not told.
#[derive(Clone, PartialEq, Eq)]
pub struct ClearResponse {
    /// The status code.
    pub status: u16,
    /// The reason phrase; empty when there is none.
    pub reason: String,
    /// The fields in the order they came.
    pub headers: Vec<(String, String)>,
    /// Where it stands.
    pub extent: Extent,
    /// The content without its chunks, still under its content coding; kept of text and scripts of
    /// proxies, and of more where the caller said so. It ends at the first byte that the capture lost.
    pub body: Vec<u8>,
    /// Bytes of content, those lost included.
    pub body_length: u64,
    /// Bytes of content that the capture lost, at least.
    pub lost: u64,
    /// Fields that could not be read: in HTTP/2 they may name what was sent before the capture.
    pub unread: u32,
    /// Whether its end was seen.
    pub complete: bool,
}

impl ClearRequest {
    /// The first value of a field, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// From a head that ends with the frame of `extent.head`.
    pub(super) fn new(head: &http1::RequestHead<'_>, extent: Extent) -> Self {
        Self {
            method: cut(&head.method, limits::STREAM_FIELD_NAME),
            target: cut(&head.target, limits::STREAM_TARGET),
            host: head.fields.first("host").map(|host| cut(host, limits::STREAM_FIELD_NAME)),
            headers: headers(&head.fields),
            extent,
            body: Vec::new(),
            body_length: 0,
            lost: 0,
            unread: 0,
            complete: false,
        }
    }

    /// Bytes held by it.
    pub(in crate::proto) fn held(&self) -> usize {
        let text = self.method.len().saturating_add(self.target.len());
        text.saturating_add(self.body.len()).saturating_add(held(&self.headers))
    }
}

impl ClearResponse {
    /// The first value of a field, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(super) fn new(status: u16, head: &http1::ResponseHead<'_>, extent: Extent) -> Self {
        Self {
            status,
            reason: cut(&head.reason, limits::STREAM_FIELD_NAME),
            headers: headers(&head.fields),
            extent,
            body: Vec::new(),
            body_length: 0,
            lost: 0,
            unread: 0,
            complete: false,
        }
    }

    /// Bytes held by it.
    pub(in crate::proto) fn held(&self) -> usize {
        self.body.len().saturating_add(held(&self.headers))
    }
}

/// Whether a content type is that of a question or an answer about the state of a certificate
/// (RFC 6960 appendix A).
pub fn is_ocsp(content_type: &str) -> bool {
    ["application/ocsp-request", "application/ocsp-response"]
        .iter()
        .any(|known| essence(content_type).eq_ignore_ascii_case(known))
}

/// What is kept of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proto) struct Bodies {
    /// Bytes of one body.
    limit: usize,
    /// Whether what programs tell each other is kept too, not only what a portal or a proxy says.
    is_wide: bool,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { limit: limits::STREAM_BODY, is_wide: false }
    }
}

impl Bodies {
    /// Keeps up to so many bytes of all that is text.
    pub(in crate::proto) const fn up_to(limit: usize) -> Self {
        Self { limit, is_wide: true }
    }

    /// Bytes of one body above what is usual.
    pub(in crate::proto) const fn more(self) -> usize {
        self.limit.saturating_sub(limits::STREAM_BODY)
    }

    /// Whether the content of a request is kept: a form of a portal or of a proxy.
    pub(in crate::proto) fn keeps_request(self, kind: Option<&str>) -> bool {
        let kind = essence(kind.unwrap_or_default()).to_ascii_lowercase();
        let form = kind == "application/x-www-form-urlencoded";
        form || self.is_wide && (is_json(&kind) || is_xml(&kind))
    }

    /// Whether the content of a response is kept: what a person or a proxy set-up can read.
    pub(in crate::proto) fn keeps_response(self, kind: Option<&str>) -> bool {
        let lower = essence(kind.unwrap_or_default()).to_ascii_lowercase();
        let wide = self.keeps_request(kind) || is_script(&lower);
        is_json(&lower) || KEPT.contains(&lower.as_str()) || self.is_wide && wide
    }

    /// Adds content to what is kept of it.
    pub(in crate::proto) fn keep(self, body: &mut Vec<u8>, content: &[u8]) {
        let room = self.limit.saturating_sub(body.len());
        body.extend_from_slice(content.get(..room).unwrap_or(content));
    }
}

fn is_json(kind: &str) -> bool {
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// RFC 7303 sections 9 and 4.2; pictures are no text that anybody reads.
fn is_xml(kind: &str) -> bool {
    let xml = kind.ends_with("/xml") || kind.ends_with("+xml");
    xml && !kind.starts_with("image/")
}

/// RFC 9239.
fn is_script(kind: &str) -> bool {
    kind.ends_with("/javascript") || kind.ends_with("/x-javascript")
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

fn headers(fields: &Fields<'_>) -> Vec<(String, String)> {
    let bounded = |(name, value): (&str, &str)| {
        (cut(name, limits::STREAM_FIELD_NAME), cut(value, limits::HEADER_VALUE))
    };
    fields.iter().map(bounded).collect()
}

/// Bytes held of fields.
fn held(headers: &[(String, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum()
}

/// The text, cut at a number of bytes.
pub(in crate::proto) fn cut(text: &str, length: usize) -> String {
    text.get(..text.floor_char_boundary(length)).unwrap_or_default().to_owned()
}

/// Fields as `Debug` shows them: names and lengths of values.
struct Shown<'a>(&'a [(String, String)]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value.len()))).finish()
    }
}

impl fmt::Debug for ClearRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClearRequest")
            .field("method", &self.method)
            .field("target", &self.target.len())
            .field("host", &self.host)
            .field("headers", &Shown(&self.headers))
            .field("extent", &self.extent)
            .field("body", &self.body.len())
            .field("body_length", &self.body_length)
            .field("lost", &self.lost)
            .field("unread", &self.unread)
            .field("complete", &self.complete)
            .finish()
    }
}

impl fmt::Debug for ClearResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClearResponse")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("headers", &Shown(&self.headers))
            .field("extent", &self.extent)
            .field("body", &self.body.len())
            .field("body_length", &self.body_length)
            .field("lost", &self.lost)
            .field("unread", &self.unread)
            .field("complete", &self.complete)
            .finish()
    }
}

/// Media types of responses that are kept, beside JSON.
const KEPT: &[&str] =
    &["", "application/x-ns-proxy-autoconfig", "application/xhtml+xml", "text/html", "text/plain"];
