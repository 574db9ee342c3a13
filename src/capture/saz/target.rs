//! Request targets and methods, as text.
//!
//! A request line names its target in one of four forms (RFC 9112 section 3.2); Fiddler mostly
//! writes the absolute one. What lies behind a target is not known here.
//!
//! Invariant: a target without a host anywhere gives none.

use super::metadata::bit;
use super::session::About;

/// The URL of a request out of its target, its `Host` field and what is known of the scheme.
pub(super) fn absolute(target: &str, host: Option<&str>, about: &About<'_>) -> Option<String> {
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    if lower.contains("://") || lower.starts_with("http:") {
        return Some(target.to_owned());
    }
    let host = host?.trim();
    if host.is_empty() {
        return None;
    }
    let secure = about.has(bit::HTTPS)
        || host.ends_with(":443")
        || about.flag("https-client-snihostname").is_some()
        || about.flag("https-client-sessionid").is_some();
    let scheme = if secure { "https" } else { "http" };
    let path = target.trim_start_matches('*');
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{host}{slash}{path}"))
}

/// The method, if it is one that can be shown.
pub(super) fn method(text: &str) -> Box<str> {
    let text = text.to_ascii_uppercase();
    let plain = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if plain { text.into() } else { "?".into() }
}
