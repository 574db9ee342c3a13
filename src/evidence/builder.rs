//! The only constructor of evidence.
//!
//! It interns host names, wraps secrets, keeps to the budgets, and puts exchanges in order of time.
//! It knows no format and no meaning.
//!
//! Invariant: `bodies <= limits::BODIES`, and each list is no longer than its limit.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use super::url::clean_path;
use super::{
    Body, Connection, ConnectionId, Coverage, Diagnostic, DiagnosticCode, Evidence, Exchange,
    Headers, HostName, HostTraffic, Input, InputCoverage, InputId, Missing, NameLookup, Scheme,
    Secret, SecretKind, Url,
};
use crate::limits;
use crate::time::{Span, Timestamp};

/// Collects what readers find.
#[derive(Debug, Default)]
pub struct EvidenceBuilder {
    inputs: Vec<Input>,
    coverage: Vec<InputCoverage>,
    connections: Vec<Connection>,
    lookups: Vec<NameLookup>,
    exchanges: Vec<Exchange>,
    background: BTreeMap<HostName, HostTraffic>,
    diagnostics: Vec<Diagnostic>,
    suppressed: BTreeMap<(Option<InputId>, DiagnosticCode), u64>,
    hosts: HashSet<HostName>,
    labels: HashMap<u64, u32>,
    numbers: BTreeMap<SecretKind, u32>,
    bodies: u64,
    in_scope: usize,
    out_of_scope: usize,
}

/// Labels must not depend on a random key: the same capture gives the same labels.
type FixedState = BuildHasherDefault<DefaultHasher>;

impl EvidenceBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers an input and gives it its number.
    pub fn add_input(&mut self, mut input: Input) -> InputId {
        let id = InputId(u32::try_from(self.inputs.len()).unwrap_or(u32::MAX));
        input.id = id;
        self.inputs.push(input);
        self.coverage.push(InputCoverage::new(id));
        id
    }

    /// An input that was registered.
    pub fn input_mut(&mut self, id: InputId) -> Option<&mut Input> {
        self.inputs.get_mut(usize::try_from(id.0).ok()?)
    }

    /// What a registered input could see.
    pub fn coverage_mut(&mut self, id: InputId) -> Option<&mut InputCoverage> {
        self.coverage.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Notes that the capture was alive at this time.
    pub fn saw(&mut self, id: InputId, at: Timestamp) {
        if let Some(coverage) = self.coverage_mut(id) {
            coverage.span =
                Some(coverage.span.map_or_else(|| Span::new(at, at), |span| span.extended(at)));
        }
    }

    /// A host name, shared with its equals.
    pub fn host(&mut self, text: &str) -> Option<HostName> {
        let name = HostName::parse(text)?;
        if let Some(known) = self.hosts.get(&name) {
            return Some(known.clone());
        }
        if self.hosts.len() < limits::BACKGROUND_HOSTS {
            self.hosts.insert(name.clone());
        }
        Some(name)
    }

    /// A URL out of its absolute form; `None` when it has no host.
    pub fn url(&mut self, text: &str) -> Option<Url> {
        let parsed = ::url::Url::parse(text.trim()).ok()?;
        let scheme = match parsed.scheme() {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => Scheme::Other,
        };
        let host = self.host(parsed.host_str()?)?;
        let (path, user) = clean_path(parsed.path());
        let user_in_path = user.map(|user| self.secret(user.into(), SecretKind::Token));
        let query = parsed.query().map(|query| self.secret(query.into(), SecretKind::Query));
        let fragment = parsed.fragment().map(|part| self.secret(part.into(), SecretKind::Query));
        let port = parsed.port_or_known_default().unwrap_or(0);
        Some(Url { scheme, host, port, path, user_in_path, query, fragment })
    }

    /// The URL of a CONNECT request out of `host:port`.
    pub fn authority(&mut self, text: &str) -> Option<Url> {
        let text = text.trim();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (text, 443),
        };
        let host = self.host(host)?;
        Some(Url {
            scheme: Scheme::Authority,
            host,
            port,
            path: "/".into(),
            user_in_path: None,
            query: None,
            fragment: None,
        })
    }

    /// Adds a header field if it is one that is kept; `in_scope` keeps them all.
    pub fn header(&mut self, headers: &mut Headers, name: &str, value: &str, in_scope: bool) {
        let name = match Headers::kept(name) {
            Some(kept) => Cow::Borrowed(kept),
            None if in_scope && headers.0.len() < 128 => {
                Cow::Owned(name.trim().to_ascii_lowercase())
            }
            None => return,
        };
        let mut end = value.len().min(limits::HEADER_VALUE);
        while !value.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let value = value.get(..end).unwrap_or_default();
        let value = self.secret(value.into(), SecretKind::Header);
        headers.0.push((name, value));
    }

    /// Wraps a text that may be a secret; equal values get equal labels.
    pub fn secret(&mut self, value: Box<str>, kind: SecretKind) -> Secret<Box<str>> {
        let number = self.label(kind, value.as_bytes());
        Secret::new(value, kind, number)
    }

    /// Wraps a decoded body, within the budget for bodies.
    pub fn body(&mut self, bytes: Vec<u8>, cut: bool) -> Body {
        let length = bytes.len() as u64;
        if self.bodies.saturating_add(length) > limits::BODIES {
            return Body::Missing(Missing::Limit);
        }
        self.bodies = self.bodies.saturating_add(length);
        let number = self.label(SecretKind::Body, &bytes);
        Body::Kept { bytes: Secret::new(bytes.into_boxed_slice(), SecretKind::Body, number), cut }
    }

    fn label(&mut self, kind: SecretKind, bytes: &[u8]) -> u32 {
        let mut hasher = FixedState::default().build_hasher();
        kind.hash(&mut hasher);
        bytes.hash(&mut hasher);
        let hash = std::hash::Hasher::finish(&hasher);
        if let Some(number) = self.labels.get(&hash) {
            return *number;
        }
        let number = self.numbers.entry(kind).or_insert(0);
        *number = number.saturating_add(1);
        let number = *number;
        if self.labels.len() < limits::SECRET_LABELS {
            self.labels.insert(hash, number);
        }
        number
    }

    /// Adds an exchange; past the limits it is only counted.
    pub fn add_exchange(&mut self, exchange: Exchange) {
        if let Some(span) = exchange.span {
            self.saw(exchange.at.input, span.first());
            self.saw(exchange.at.input, span.last());
        }
        let (count, limit) = if exchange.in_scope {
            (&mut self.in_scope, limits::EXCHANGES_IN_SCOPE)
        } else {
            (&mut self.out_of_scope, limits::EXCHANGES_OUT_OF_SCOPE)
        };
        if *count < limit {
            *count = count.saturating_add(1);
            self.exchanges.push(exchange);
            return;
        }
        let host = exchange.host().clone();
        let failed = exchange.response.is_err();
        if self.background.len() < limits::BACKGROUND_HOSTS || self.background.contains_key(&host) {
            let traffic = self.background.entry(host).or_default();
            let counter = if failed { &mut traffic.failed } else { &mut traffic.answered };
            *counter = counter.saturating_add(1);
        }
        if exchange.in_scope {
            self.diagnose(
                DiagnosticCode::LimitReached,
                Some(exchange.at.input),
                "more exchanges with sign-in hosts than are kept; the rest are only counted",
            );
        }
    }

    /// Adds a connection; past the limit it is dropped and `None` comes back.
    pub fn add_connection(&mut self, connection: Connection) -> Option<ConnectionId> {
        if self.connections.len() >= limits::CONNECTIONS {
            return None;
        }
        let id = ConnectionId(u32::try_from(self.connections.len()).ok()?);
        self.connections.push(connection);
        Some(id)
    }

    /// Adds a name lookup; past the limit it is dropped.
    pub fn add_lookup(&mut self, lookup: NameLookup) {
        if self.lookups.len() < limits::CONNECTIONS {
            self.lookups.push(lookup);
        }
    }

    /// Adds a diagnostic without offset.
    pub fn diagnose(&mut self, code: DiagnosticCode, input: Option<InputId>, text: &str) {
        let text = text.to_owned();
        self.add_diagnostic(Diagnostic { code, input, offset: None, lost: None, text });
    }

    /// Adds a diagnostic; more of one kind than the limit are counted into one line.
    pub fn add_diagnostic(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.input, diagnostic.code);
        let known =
            self.diagnostics.iter().filter(|known| (known.input, known.code) == key).count();
        if known < limits::DIAGNOSTICS_PER_KIND {
            self.diagnostics.push(diagnostic);
        } else {
            let count = self.suppressed.entry(key).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    /// Puts everything in order and makes it immutable.
    pub fn finish(mut self) -> Evidence {
        // An exchange without a time keeps its place behind the one before it in its input.
        let mut last: BTreeMap<InputId, Option<Timestamp>> = BTreeMap::new();
        let mut order: Vec<(Option<Timestamp>, usize)> = Vec::with_capacity(self.exchanges.len());
        for (index, exchange) in self.exchanges.iter().enumerate() {
            let slot = last.entry(exchange.at.input).or_insert(None);
            *slot = exchange.started().or(*slot);
            order.push((*slot, index));
        }
        order.sort_unstable();
        let places = order.into_iter().map(|(_, index)| index).collect();
        arrange(&mut self.exchanges, places);
        for (input, coverage) in self.inputs.iter_mut().zip(&self.coverage) {
            input.first = coverage.span.map(Span::first);
            input.last = coverage.span.map(Span::last);
        }
        for ((input, code), count) in self.suppressed {
            let text = format!("{count} more of this kind are not listed");
            self.diagnostics.push(Diagnostic {
                code,
                input,
                offset: None,
                lost: Some(count),
                text,
            });
        }
        Evidence {
            inputs: self.inputs,
            connections: self.connections,
            lookups: self.lookups,
            exchanges: self.exchanges,
            background: self.background,
            coverage: Coverage { inputs: self.coverage },
            diagnostics: self.diagnostics,
        }
    }
}

/// Brings the item number `from[place]` to each place, by swaps: a second list would double the memory.
fn arrange<T>(items: &mut [T], mut from: Vec<usize>) {
    for start in 0..items.len() {
        let mut place = start;
        while let Some(next) = from.get_mut(place) {
            let next = std::mem::replace(next, place);
            if next == start || next >= items.len() {
                break;
            }
            items.swap(place, next);
            place = next;
        }
    }
}

/// A name or text of the capture made fit to be shown: no control bytes, at most `length` characters.
pub(crate) fn shown(text: &str, length: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !is_bidirectional_mark(*c))
        .take(length)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Marks that turn the direction of text and can make a line say something else.
const fn is_bidirectional_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_share_a_label_and_names_an_allocation() {
        let mut builder = EvidenceBuilder::new();
        let one = builder.secret("abc".into(), SecretKind::Token);
        let two = builder.secret("def".into(), SecretKind::Token);
        let again = builder.secret("abc".into(), SecretKind::Token);
        assert_eq!(format!("{one} {two} {again}"), "token-1 token-2 token-1");
        let a = builder.host("Login.Example").unwrap();
        let b = builder.host("login.example.").unwrap();
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
    }

    #[test]
    fn items_are_arranged_in_place() {
        let mut items = ['a', 'b', 'c', 'd', 'e'];
        arrange(&mut items, vec![2, 0, 1, 3, 4]);
        assert_eq!(items, ['c', 'a', 'b', 'd', 'e']);
        arrange(&mut items, vec![4, 3, 2, 1, 0]);
        assert_eq!(items, ['e', 'd', 'b', 'a', 'c']);
    }

    #[test]
    fn a_url_shows_no_query() {
        let mut builder = EvidenceBuilder::new();
        let url = builder.url("https://Login.Example:444/a/b?code=hunter2#x=hunter3").unwrap();
        assert_eq!(url.to_string(), "https://login.example:444/a/b");
        assert!(!format!("{url:?}").contains("hunter"));
        let tunnel = builder.authority("login.example:443").unwrap();
        assert_eq!(tunnel.to_string(), "login.example:443");
        assert!(builder.url("data:text/plain,hello").is_none());
    }
}
