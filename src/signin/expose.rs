//! The one place where secrets of the evidence are read.
//!
//! Bodies, queries and headers are secrets as a whole. The parsers of this module look inside them and
//! hand on codes, ids, names of pages and other typed values; what they read as text stays in this
//! module and its siblings, and never reaches a step, an error or a report.

use std::borrow::Cow;

use crate::evidence::{Body, Headers, Secret, Url};

/// A secret text, for parsing only.
#[expect(clippy::disallowed_methods, reason = "parsed into typed values, never kept or shown")]
pub(super) fn text(secret: &Secret<Box<str>>) -> &str {
    secret.expose()
}

/// The text of a body, for parsing only; `None` when it is not here.
#[expect(clippy::disallowed_methods, reason = "parsed into typed values, never kept or shown")]
pub(super) fn body(body: &Body) -> Option<Cow<'_, str>> {
    match body {
        Body::Kept { bytes, .. } => Some(String::from_utf8_lossy(bytes.expose())),
        Body::Empty | Body::Missing(_) | Body::Skipped => None,
    }
}

/// The text of bytes that were captured, for parsing only.
#[expect(clippy::disallowed_methods, reason = "parsed into typed values, never kept or shown")]
pub(super) fn bytes(secret: &Secret<Box<[u8]>>) -> Cow<'_, str> {
    String::from_utf8_lossy(secret.expose())
}

/// The first value of a header field, for parsing only.
pub(super) fn header<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a str> {
    headers.first(name).map(text)
}

/// The pairs of a query or form, percent-decoded.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .take(PAIRS)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

/// The pairs of the query of a URL.
pub(super) fn query(url: &Url) -> Vec<(String, String)> {
    url.query.as_ref().map(|query| pairs(text(query))).unwrap_or_default()
}

/// The pairs of the fragment of a URL.
pub(super) fn fragment(url: &Url) -> Vec<(String, String)> {
    url.fragment.as_ref().map(|fragment| pairs(text(fragment))).unwrap_or_default()
}

/// Pairs read of one query or form.
const PAIRS: usize = 256;

/// The value of the first pair with this name, without regard to case.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
