//! What matters of a capture: which hosts, which paths, which bodies.
//!
//! A reader drops what no later stage needs, and it must not know what that is: the scope is a value
//! given from outside. It may only grow between two passes over an input.
//!
//! Invariant: a host that is not in scope never makes a reader keep a body, but for a small page of
//! a failed answer and for a posted form with a field that a sign-in would carry.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;

use crate::evidence::Relevance;
use crate::limits;

/// How much of a message body a later stage needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    Nothing,
    /// Up to this many bytes after decoding.
    UpTo(u64),
}

/// What a reader keeps.
#[derive(Debug, Default)]
pub struct Scope {
    exact: hashbrown::HashSet<Box<str>>,
    /// Names of which those below them are in scope.
    parents: hashbrown::HashSet<Box<str>>,
    scripts: Vec<Box<str>>,
    paths: Vec<Box<str>>,
    markers: Option<AhoCorasick>,
    queries: hashbrown::HashSet<Box<str>>,
    /// Patterns of hosts and parts of paths of which no body is wanted.
    silent: (Vec<Box<str>>, Vec<Box<str>>),
    body: u64,
}

impl Scope {
    /// A scope of host patterns (`login.example` or `*.example`), patterns of hosts that serve
    /// scripts only, parts of paths in lower case, and names of form fields; bodies of hosts in
    /// scope are kept up to `body` bytes.
    pub fn new<'a>(
        hosts: impl IntoIterator<Item = &'a str>,
        scripts: impl IntoIterator<Item = &'a str>,
        paths: impl IntoIterator<Item = &'a str>,
        fields: &[&str],
        body: u64,
    ) -> Self {
        let mut scope = Self { body, ..Self::default() };
        for host in hosts {
            scope.add_host(host);
        }
        scope.scripts.extend(scripts.into_iter().map(|host| host.trim_start_matches('*').into()));
        scope.paths.extend(paths.into_iter().map(Into::into));
        scope.markers = AhoCorasick::new(fields).ok();
        scope
    }

    /// The same scope that keeps queries and fragments with one of these fields, whatever the host.
    #[must_use]
    pub fn with_queries<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.queries.extend(fields.into_iter().map(|field| field.to_ascii_lowercase().into()));
        self
    }

    /// The same scope without the bodies of these hosts (patterns) and of these parts of paths, in
    /// lower case, but for pages of failures.
    #[must_use]
    pub fn without_bodies<'a>(
        mut self,
        hosts: impl IntoIterator<Item = &'a str>,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.silent.0.extend(hosts.into_iter().map(|host| host.trim_start_matches('*').into()));
        self.silent.1.extend(paths.into_iter().map(Into::into));
        self
    }

    fn is_silent(&self, host: &str, path: &str) -> bool {
        let (hosts, paths) = &self.silent;
        let named = |pattern: &str| match pattern.strip_prefix('.') {
            Some(_) => host.ends_with(pattern),
            None => host == pattern,
        };
        if hosts.iter().any(|pattern| named(pattern)) {
            return true;
        }
        if paths.is_empty() {
            return false;
        }
        let path = lower(path);
        paths.iter().any(|part| path.contains(&**part))
    }

    /// Widens the scope by one host pattern.
    pub fn add_host(&mut self, pattern: &str) {
        let (names, name) = match pattern.strip_prefix("*.") {
            Some(parent) => (&mut self.parents, parent),
            None => (&mut self.exact, pattern),
        };
        names.insert(name.to_ascii_lowercase().into());
    }

    /// Whether an exchange with this host and path is part of a sign-in. Host in lower case.
    pub fn covers(&self, host: &str, path: &str) -> bool {
        let mut parents = memchr::memchr_iter(b'.', host.as_bytes())
            .filter_map(|dot| host.get(dot.saturating_add(1)..));
        if self.exact.contains(host) || parents.any(|parent| self.parents.contains(parent)) {
            return true;
        }
        if self.paths.is_empty() || path.len() > limits::PATH {
            return false;
        }
        let path = lower(path);
        self.paths.iter().any(|part| path.contains(&**part))
    }

    /// Whether the host serves scripts and pictures, so that only an answer of another kind (a page
    /// where a script was asked for) is worth keeping.
    fn serves_files(&self, host: &str) -> bool {
        self.scripts.iter().any(|end| host.ends_with(&**end))
    }

    /// How much of a response body is needed. Host in lower case; `content_type` as it was sent.
    pub fn response_body(
        &self,
        host: &str,
        path: &str,
        status: u16,
        content_type: Option<&str>,
    ) -> Want {
        let kind = content_type.unwrap_or_default().to_ascii_lowercase();
        let page = kind.contains("html") || kind.is_empty() || kind.contains("text/plain");
        let binary = ["image/", "font/", "video/", "audio/", "text/css"]
            .iter()
            .any(|prefix| kind.starts_with(prefix));
        if binary {
            return Want::Nothing;
        }
        if self.covers(host, path) && !self.serves_files(host) && !self.is_silent(host, path) {
            let script = kind.contains("javascript") || kind.contains("ecmascript");
            return if script { Want::Nothing } else { Want::UpTo(self.body) };
        }
        if self.serves_files(host) {
            let wanted = page && !kind.is_empty() || status >= 400;
            return if wanted { Want::UpTo(limits::FAILURE_PAGE) } else { Want::Nothing };
        }
        if status >= 400 && page {
            return Want::UpTo(limits::FAILURE_PAGE);
        }
        Want::Nothing
    }

    /// How much of a request body is needed; `text` is the body as the capture holds it, where it is
    /// at hand without decoding.
    pub fn request_body(&self, host: &str, path: &str, text: &[u8]) -> Want {
        if self.covers(host, path) {
            let unwanted = self.serves_files(host) || self.is_silent(host, path);
            return if unwanted { Want::Nothing } else { Want::UpTo(self.body) };
        }
        let small = u64::try_from(text.len()).is_ok_and(|length| length <= limits::MIB);
        match &self.markers {
            Some(markers) if small && markers.is_match(text) => Want::UpTo(self.body),
            _ => Want::Nothing,
        }
    }
}

impl Relevance for Scope {
    fn covers(&self, host: &str, path: &str) -> bool {
        self.covers(host, path)
    }

    fn needs(&self, query: &str) -> bool {
        let mut name = String::new();
        query.split(['&', ';', '?', '#']).any(|pair| {
            let Some((key, _)) = pair.split_once('=').filter(|(key, _)| key.len() <= NAME) else {
                return false;
            };
            name.clear();
            name.push_str(key);
            name.make_ascii_lowercase();
            self.queries.contains(name.as_str())
        })
    }
}

/// Bytes of the longest name of a field that is looked for.
const NAME: usize = 40;

/// A path in lower case; most are.
fn lower(path: &str) -> Cow<'_, str> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        path.to_ascii_lowercase().into()
    } else {
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new(
            ["login.example", "*.cdn.example"],
            ["*.cdn.example"],
            ["/adfs/ls"],
            &["id_token=", "error_description="],
            1000,
        )
    }

    #[test]
    fn hosts_and_paths() {
        let scope = scope();
        assert!(scope.covers("login.example", "/"));
        assert!(scope.covers("a.cdn.example", "/"));
        assert!(!scope.covers("login.example.evil.example", "/"));
        assert!(scope.covers("sts.customer.example", "/ADFS/ls/"));
    }

    #[test]
    fn queries_are_needed_by_the_names_of_their_fields() {
        let scope = scope().with_queries(["code", "SAMLResponse"]);
        for query in ["code=1", "a=b&Code=", "a&samlresponse=x", "/route?code=1"] {
            assert!(scope.needs(query), "{query}");
        }
        for query in ["", "zipcode=1", "code", "a=code=1", "x=SAMLResponse"] {
            assert!(!scope.needs(query), "{query}");
        }
    }

    #[test]
    fn silent_hosts_and_paths_have_no_bodies() {
        let scope = scope().without_bodies(["*.cdn.example"], ["/instrumentation/"]);
        let want =
            |path, status| scope.response_body("login.example", path, status, Some("text/html"));
        assert_eq!(want("/common/Instrumentation/x", 200), Want::Nothing);
        assert_eq!(want("/common/instrumentation/x", 403), Want::UpTo(limits::FAILURE_PAGE));
        assert_eq!(want("/common/login", 200), Want::UpTo(1000));
        let body = |path| scope.request_body("login.example", path, b"x");
        assert_eq!(body("/common/instrumentation/x"), Want::Nothing);
        assert_eq!(body("/common/login"), Want::UpTo(1000));
    }

    #[test]
    fn bodies() {
        let scope = scope();
        let html = Some("text/html; charset=utf-8");
        assert_eq!(scope.response_body("login.example", "/", 200, html), Want::UpTo(1000));
        assert_eq!(
            scope.response_body("login.example", "/", 200, Some("image/png")),
            Want::Nothing
        );
        let script = Some("application/javascript");
        assert_eq!(scope.response_body("a.cdn.example", "/x.js", 200, script), Want::Nothing);
        let page = Want::UpTo(limits::FAILURE_PAGE);
        assert_eq!(scope.response_body("a.cdn.example", "/x.js", 200, html), page);
        assert_eq!(scope.response_body("other.example", "/", 403, html), page);
        assert_eq!(scope.response_body("other.example", "/", 200, html), Want::Nothing);
        assert_eq!(scope.request_body("app.example", "/cb", b"id_token=x"), Want::UpTo(1000));
        assert_eq!(scope.request_body("app.example", "/cb", b"colour=red"), Want::Nothing);
    }
}
