//! The drop page.
//!
//! One file with its style and its script in it; it must not load anything from elsewhere.
//!
//! Invariant: the policy names style and script by the hashes of what is sent.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use crate::report::inline;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page.
pub(super) async fn page() -> Result<Response, Problem> {
    let (style, script) = (inline::text(STYLE), inline::text(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; frame-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        inline::source(&style),
        inline::source(&script)
    );
    let text = inline::text(PAGE).replacen("{style}", &style, 1).replacen("{script}", &script, 1);
    let policy = HeaderValue::from_str(&policy).map_err(|_| Problem::internal())?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Ok(response)
}
