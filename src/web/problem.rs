//! What is said to a request that cannot be answered: problem details (RFC 9457).
//!
//! It must not know which request it was.
//!
//! Invariant: the words are literals of this program, so that none can repeat what a request held.

use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Seconds after which a request that found no room should come again.
const AGAIN: u16 = 5;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: &'static str,
}

impl Problem {
    /// The request makes no sense.
    pub(super) const fn wrong(detail: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail }
    }

    /// The request comes from where none may come from.
    pub(super) const fn refused(detail: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, detail }
    }

    /// The request has no token.
    pub(super) const fn unknown() -> Self {
        let detail = "a token is needed: open the address that mfatrace serve printed, or send its token as \
                      Authorization: Bearer";
        Self { status: StatusCode::UNAUTHORIZED, detail }
    }

    /// There is nothing of this name.
    pub(super) const fn missing(detail: &'static str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail }
    }

    /// There is something of this name, for another method.
    pub(super) const fn method() -> Self {
        let detail = "the method does not fit the path; /openapi.json tells which one does";
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail }
    }

    /// The upload stood still, or took too long.
    pub(super) const fn slow() -> Self {
        let detail = "the upload stood still for 30 seconds or took more than 10 minutes";
        Self { status: StatusCode::REQUEST_TIMEOUT, detail }
    }

    /// The upload is larger than any may be.
    pub(super) const fn large() -> Self {
        let detail = "more than 512 MiB in one file or 1 GiB in one upload; analyse it with the command line, which \
                      has no such bound";
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, detail }
    }

    /// The body is of a kind that is not taken.
    pub(super) const fn kind(detail: &'static str) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, detail }
    }

    /// A fault of ours.
    pub(super) const fn internal() -> Self {
        let detail = "internal-error: the analysis stopped; please report it with the version, and without the capture";
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, detail }
    }

    /// There is no room now.
    pub(super) const fn busy(detail: &'static str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail }
    }
}

#[derive(Serialize)]
struct Details {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = Details {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut body = serde_json::to_string(&details).unwrap_or_default();
        body.push('\n');
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(AGAIN));
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                // What still comes is not read.
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
