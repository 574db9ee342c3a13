//! HTTP exchanges: one request and its response, or the lack of one.

use std::net::IpAddr;

use super::{ConnectionId, EvidenceRef, Headers, HostName, LookupId, Secret, Url};
use crate::time::{Span, Timestamp};

/// The number of an exchange in the evidence, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

/// The body of a message, as far as it is here.
#[derive(Clone, Debug)]
pub enum Body {
    /// There was none.
    Empty,
    /// Decoded text or bytes, maybe cut.
    Kept {
        /// The bytes after content decoding.
        bytes: Secret<Box<[u8]>>,
        /// Whether the end is missing.
        cut: bool,
    },
    /// There was one, and the capture does not hold it.
    Missing(Missing),
    /// It is in the capture and no stage needs it.
    Skipped,
}

/// Why a body is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// The capture tool threw it away and says so.
    Dropped,
    /// Past a limit of ours.
    Limit,
    /// The exporter left it out.
    NotSaved,
    /// Its coding is damaged or unknown.
    Undecodable,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, upper case ASCII letters; anything else reads `?`.
    pub method: Box<str>,
    /// Where it goes.
    pub url: Url,
    /// Kept header fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// Length of the body as the capture declares it, in bytes.
    pub body_length: Option<u64>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Kept header fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// The target of a redirect with query and fragment, from the header or the exporter's field.
    pub location: Option<Url>,
    /// Who wrote it.
    pub author: Author,
    /// The words behind the status, of answers of the capture tool only: its name for the failure.
    /// Never printed.
    pub reason: Option<Box<str>>,
}

impl Response {
    /// The words behind the status made fit to be kept, where the capture tool wrote them.
    pub(crate) fn reason(author: Author, text: &str) -> Option<Box<str>> {
        let text = super::shown(text, crate::limits::REASON);
        (author == Author::CaptureTool && !text.is_empty()).then(|| text.into())
    }
}

/// Who wrote a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// The capture tool itself, to report a failure.
    CaptureTool,
    /// Whoever the request reached: the server, or something on the path.
    Network,
}

/// The stage in which a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Finding the address.
    Dns,
    /// Opening the connection.
    Connect,
    /// At or through the proxy.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for or reading the response.
    Receive,
    /// Not told.
    Unknown,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoResponse {
    /// An extension, a policy or the page itself stopped it before it left.
    BlockedByClient {
        /// The failure as the capture names it: an identifier of a browser, never free text.
        code: Box<str>,
    },
    /// The user or the page gave it up.
    Cancelled,
    /// It failed.
    Failed {
        /// Where.
        stage: Stage,
        /// The failure as the capture names it: an identifier of a browser or of the capture tool,
        /// never free text.
        code: Box<str>,
    },
    /// The contents are encrypted: of the request no more than its host is known, by the connection or
    /// the lookup that it needed.
    Hidden {
        /// Whether both sides sent data after the handshake.
        answered: bool,
    },
    /// The capture does not hold the answer, and cannot say that there was none.
    NotCaptured,
    /// The capture ended first.
    Pending,
}

/// How a request travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Straight to the server.
    Direct,
    /// Through an upstream proxy.
    Proxy,
    /// The capture does not tell.
    Unknown,
}

/// One HTTP request and its response or lack of one.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The connection it used, where the capture tells.
    pub connection: Option<ConnectionId>,
    /// The lookup that it did not get beyond, where that is all there is of it.
    pub lookup: Option<LookupId>,
    /// The request.
    pub request: Request,
    /// The response, or why there is none.
    pub response: Result<Response, NoResponse>,
    /// From the start of the request to the end of the response; a start alone where nothing came.
    pub span: Option<Span>,
    /// Address of the server.
    pub server: Option<IpAddr>,
    /// How it travelled.
    pub via: Via,
    /// The process that sent it: `msedge`, without its number.
    pub process: Option<Box<str>>,
    /// Which page or tab it belongs to, where the capture tells: equal numbers, one page.
    pub page: Option<u32>,
    /// Whether a cache or service worker answered.
    pub from_cache: bool,
    /// Whether rules of the capture tool changed where it went or what answered.
    pub rerouted: bool,
    /// Whether the reader's scope counts it as part of a sign-in.
    pub in_scope: bool,
    /// Where it stands.
    pub at: EvidenceRef,
}

impl Exchange {
    /// When the request was sent.
    pub fn started(&self) -> Option<Timestamp> {
        self.span.map(Span::first)
    }

    /// When the response ended, or when the request failed.
    pub fn ended(&self) -> Option<Timestamp> {
        self.span.map(Span::last)
    }

    /// Whether the contents are encrypted, so that it stands for all that a connection holds.
    pub const fn is_hidden(&self) -> bool {
        matches!(self.response, Err(NoResponse::Hidden { .. }))
    }

    /// Whether an answer came, be it encrypted.
    pub const fn is_answered(&self) -> bool {
        matches!(self.response, Ok(_) | Err(NoResponse::Hidden { answered: true }))
    }

    /// The host asked.
    pub const fn host(&self) -> &HostName {
        &self.request.url.host
    }

    /// The status of the response.
    pub fn status(&self) -> Option<u16> {
        self.response.as_ref().ok().map(|response| response.status)
    }
}
