//! Header fields of a message, as far as later stages read them.
//!
//! Names are lower case; values are secrets, because a header may carry a cookie, a token or a URL
//! with one. A repeated field stands once for each time it came.

use std::borrow::Cow;
use std::fmt;

use super::Secret;
use crate::limits;

/// The kept header fields of one message, and whether it had more that could not be read.
#[derive(Clone, Default)]
pub struct Headers {
    pub(super) fields: Vec<(Cow<'static, str>, Secret<Box<str>>)>,
    is_partial: bool,
}

/// The fields kept of every exchange, sorted. Of hosts in scope all fields of a response are kept,
/// because products on the path sign themselves with fields of their own.
const KEPT: &[&str] = &[
    "accept",
    "client-request-id",
    "content-length",
    "content-type",
    "date",
    "fiddlergateway",
    "location",
    "origin",
    "proxy-agent",
    "proxy-authenticate",
    "referer",
    "restrict-access-context",
    "restrict-access-to-tenants",
    "retry-after",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-restrict-tenant-access-policy",
    "server",
    "user-agent",
    "via",
    "www-authenticate",
    "x-squid-error",
];

impl fmt::Debug for Headers {
    /// Names that are not among the usual ones may be anything, so they are only counted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = self.fields.iter().filter(|(name, _)| Self::kept(name).is_some());
        let others = self.fields.len().saturating_sub(usual.clone().count());
        f.debug_map().entries(usual.map(|(name, value)| (name, value))).finish()?;
        write!(f, " and {others} more")
    }
}

impl Headers {
    /// The kept spelling of a name, if the field is kept of every exchange.
    pub fn kept(name: &str) -> Option<&'static str> {
        let mut lower = [0; 40];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let index = KEPT.binary_search_by(|kept| kept.as_bytes().cmp(lower)).ok()?;
        KEPT.get(index).copied()
    }

    /// Bytes kept of the value of a field; the name in lower case.
    pub(super) fn room(name: &str, in_scope: bool) -> usize {
        match name {
            // The name of a cookie tells who set it.
            "set-cookie" => limits::COOKIE,
            "location"
            | "www-authenticate"
            | "x-client-last-telemetry"
            | "x-ms-ctx"
            | "x-ms-flowtoken"
                if in_scope =>
            {
                limits::HEADER_VALUE
            }
            _ => limits::SHORT_HEADER_VALUE,
        }
    }

    /// All values of a field; the name in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Secret<Box<str>>> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }

    /// The first value of a field; the name in lower case.
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a Secret<Box<str>>> {
        self.all(name).next()
    }

    /// Whether the field is there; the name in lower case.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Whether no field was kept, which is the case when an exporter leaves them all out.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Notes that the message had fields which could not be read: in HTTP/2 they may name what was sent
    /// in a packet that the capture lacks.
    pub fn lack(&mut self) {
        self.is_partial = true;
    }

    /// Whether a field that is not here may have been there.
    pub const fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// All kept fields in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret<Box<str>>)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_names_are_sorted_for_the_search() {
        assert!(KEPT.is_sorted());
        assert!(KEPT.iter().all(|name| Headers::kept(name) == Some(name)));
        assert_eq!(Headers::kept("Content-Type"), Some("content-type"));
        assert_eq!(Headers::kept("authorization"), None);
    }
}
