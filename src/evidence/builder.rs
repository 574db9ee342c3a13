//! The only constructor of evidence.
//!
//! It interns host names, wraps secrets, keeps to the budgets, and puts exchanges in order of time.
//! It knows no format and no meaning.
//!
//! Invariants: `bodies <= limits::BODIES`, `wire <= limits::WIRE`, `held + wire <= limits::EVIDENCE`,
//! and each list is no longer than its limit.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::time::Duration;

use super::url::{APP_HOST, Everything, Relevance, clean_path, head};
use super::weight::Loss;
use super::{
    Body, Connection, ConnectionId, Coverage, Diagnostic, DiagnosticCode, Evidence, Exchange,
    Headers, HostName, HostTraffic, Input, InputCoverage, InputId, Locator, Missing, NameLookup,
    NoResponse, Opened, Scheme, Secret, SecretKind, Url, hidden,
};
use crate::limits;
use crate::time::{Span, Timestamp};

/// Collects what readers find.
#[derive(Debug, Default)]
pub struct EvidenceBuilder {
    inputs: Vec<Input>,
    coverage: Vec<InputCoverage>,
    connections: Vec<Connection>,
    /// Those of them in packets that are no part of a sign-in.
    others: usize,
    lookups: Vec<NameLookup>,
    exchanges: Vec<Exchange>,
    background: BTreeMap<HostName, HostTraffic>,
    diagnostics: Vec<Diagnostic>,
    suppressed: BTreeMap<(Option<InputId>, DiagnosticCode), u64>,
    hosts: hashbrown::HashSet<HostName>,
    labels: HashMap<u64, u32>,
    numbers: BTreeMap<SecretKind, u32>,
    /// Bytes of bodies that were taken in.
    bodies: u64,
    /// Bytes of exchanges, bodies included.
    held: u64,
    /// Bytes of connections and look-ups.
    wire: u64,
    /// Bodies refused since the last exchange came.
    refused: u64,
    losses: BTreeMap<(InputId, Loss), u64>,
    in_scope: usize,
    out_of_scope: usize,
}

/// Whether a connection in packets is no part of a sign-in.
fn is_other(one: &Connection) -> bool {
    !one.in_scope && one.wire.is_some()
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
        if let Some(known) = self.hosts.get(text) {
            return Some(known.clone());
        }
        let name = HostName::parse(text)?;
        if let Some(known) = self.hosts.get(&name) {
            return Some(known.clone());
        }
        if self.hosts.len() < limits::BACKGROUND_HOSTS {
            self.hosts.insert(name.clone());
        }
        Some(name)
    }

    /// A name that was looked up, shared with its equals: a name server may be asked for anything.
    pub fn looked_up(&mut self, text: &str) -> Option<HostName> {
        self.host(text).or_else(|| HostName::looked_up(text))
    }

    /// A URL out of its absolute form, whole; `None` when it has no host.
    pub fn url(&mut self, text: &str) -> Option<Url> {
        self.url_within(text, &Everything).map(|(url, _)| url)
    }

    /// A URL out of its absolute form, and whether it is part of a sign-in. Where it is not, the path
    /// is cut to what cannot name anyone, and query and fragment are kept only where they are needed.
    pub fn url_within(&mut self, text: &str, relevance: &dyn Relevance) -> Option<(Url, bool)> {
        let parsed = ::url::Url::parse(text.trim()).ok()?;
        let host = self.host(parsed.host_str()?)?;
        Some(self.cut(&parsed, host, relevance, false))
    }

    /// The target of a redirect, resolved against the URL that was asked. Query and fragment of it are
    /// kept where the answer is part of a sign-in. A URL of an application's own scheme that has no
    /// host gets [`APP_HOST`] and the path `/`.
    pub fn target(
        &mut self,
        text: &str,
        base: &str,
        relevance: &dyn Relevance,
        in_scope: bool,
    ) -> Option<Url> {
        const LOCAL: &[&str] = &["about", "blob", "data", "file", "javascript"];
        let text = text.trim();
        let base = ::url::Url::parse(base.trim()).ok();
        let parsed = base.and_then(|base| base.join(text).ok());
        let parsed = parsed.or_else(|| ::url::Url::parse(text).ok())?;
        let named = match parsed.host_str() {
            Some(host) if !host.is_empty() => Some(self.host(host)?),
            _ => None,
        };
        if let Some(host) = named {
            return Some(self.cut(&parsed, host, relevance, in_scope).0);
        }
        let answers = parsed.query().is_some() || parsed.fragment().is_some();
        if !answers || LOCAL.contains(&parsed.scheme()) {
            return None;
        }
        let host = self.host(APP_HOST)?;
        let (mut url, _) = self.cut(&parsed, host, relevance, in_scope);
        (url.path, url.user_in_path) = ("/".into(), None);
        Some(url)
    }

    /// A URL with what matters of it, and whether it is part of a sign-in.
    fn cut(
        &mut self,
        parsed: &::url::Url,
        host: HostName,
        relevance: &dyn Relevance,
        whole_query: bool,
    ) -> (Url, bool) {
        let scheme = match parsed.scheme() {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => Scheme::Other,
        };
        let (path, user) = clean_path(parsed.path());
        let covered = relevance.covers(host.as_str(), &path);
        let wanted = |part: &&str| covered || whole_query || relevance.needs(part);
        let query = parsed.query().filter(wanted).map(|part| head(part, limits::QUERY));
        let fragment = parsed.fragment().filter(wanted).map(|part| head(part, limits::QUERY));
        let user_in_path = user.map(|user| self.secret(user.into(), SecretKind::Token));
        let query = query.map(|query| self.secret(query.into(), SecretKind::Query));
        let fragment = fragment.map(|part| self.secret(part.into(), SecretKind::Query));
        let port = parsed.port_or_known_default().unwrap_or(0);
        let mut url = Url { scheme, host, port, path, user_in_path, query, fragment };
        if !covered {
            url.shorten();
        }
        (url, covered)
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
            None if in_scope && headers.fields.len() < 128 => {
                Cow::Owned(name.trim().to_ascii_lowercase())
            }
            None => return,
        };
        let value = head(value, Headers::room(&name, in_scope));
        let value = self.secret(value.into(), SecretKind::Header);
        headers.fields.push((name, value));
    }

    /// Wraps a text that may be a secret; equal values get equal labels.
    pub fn secret(&mut self, value: Box<str>, kind: SecretKind) -> Secret<Box<str>> {
        let number = self.label(kind, value.as_bytes());
        Secret::new(value, kind, number)
    }

    /// Wraps a decoded body, within the budget for bodies; the exchange that is added next is said to
    /// lack one that does not fit.
    pub fn body(&mut self, bytes: Vec<u8>, cut: bool) -> Body {
        let length = bytes.len() as u64;
        if self.bodies.saturating_add(length) > limits::BODIES {
            self.refused = self.refused.saturating_add(1);
            return Body::Missing(Missing::Limit);
        }
        self.bodies = self.bodies.saturating_add(length);
        let number = self.label(SecretKind::Body, &bytes);
        Body::Kept { bytes: Secret::new(bytes.into_boxed_slice(), SecretKind::Body, number), cut }
    }

    /// Wraps a few bytes as they were captured; equal values get equal labels.
    pub fn captured(&mut self, bytes: Vec<u8>) -> Secret<Box<[u8]>> {
        let number = self.label(SecretKind::Body, &bytes);
        Secret::new(bytes.into_boxed_slice(), SecretKind::Body, number)
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

    /// Adds an exchange; past the limits it loses what it holds, or is only counted.
    pub fn add_exchange(&mut self, mut exchange: Exchange) {
        let input = exchange.at.input;
        if let Some(span) = exchange.span {
            self.saw(input, span.first());
            self.saw(input, span.last());
        }
        let refused = std::mem::take(&mut self.refused);
        self.lose(input, Loss::Body, refused);
        if exchange.in_scope {
            self.lose(input, Loss::BodyEnd, exchange.cut_bodies());
        } else {
            exchange.request.url.shorten();
        }
        let (count, limit) = if exchange.in_scope {
            (self.in_scope, limits::EXCHANGES_IN_SCOPE)
        } else {
            (self.out_of_scope, limits::EXCHANGES_OUT_OF_SCOPE)
        };
        if count >= limit || !self.makes_room(&mut exchange) {
            self.bodies = self.bodies.saturating_sub(exchange.bodies());
            count_only(&mut self.background, &exchange);
            let loss = if exchange.in_scope { Loss::Exchange } else { Loss::Other };
            self.lose(input, loss, 1);
            return;
        }
        let count = if exchange.in_scope { &mut self.in_scope } else { &mut self.out_of_scope };
        *count = count.saturating_add(1);
        self.held = self.held.saturating_add(exchange.weight());
        self.exchanges.push(exchange);
    }

    fn lose(&mut self, input: InputId, loss: Loss, count: u64) {
        if count > 0 {
            let known = self.losses.entry((input, loss)).or_insert(0);
            *known = known.saturating_add(count);
        }
    }

    fn fits(&self, exchange: &Exchange, room: u64) -> bool {
        let all = self.held.saturating_add(self.wire).saturating_add(exchange.weight());
        all <= room
    }

    /// Whether there is room for an exchange, after others or its own contents gave way.
    fn makes_room(&mut self, exchange: &mut Exchange) -> bool {
        let room = limits::EVIDENCE.saturating_sub(limits::BARE);
        if self.fits(exchange, room) || !exchange.in_scope {
            return self.fits(exchange, room);
        }
        for telling in [false, true] {
            self.fold(exchange.weight().max(limits::FOLD_STEP), telling);
            if self.fits(exchange, room) {
                return true;
            }
        }
        self.bodies = self.bodies.saturating_sub(exchange.bodies());
        exchange.strip();
        if !self.fits(exchange, limits::EVIDENCE) {
            return false;
        }
        self.lose(exchange.at.input, Loss::Content, 1);
        true
    }

    /// Makes counters of the oldest exchanges that are not in scope, until `need` bytes are free.
    fn fold(&mut self, need: u64, telling: bool) {
        let Self { exchanges, background, losses, held, bodies, out_of_scope, .. } = self;
        let mut freed = 0_u64;
        exchanges.retain(|exchange| {
            if freed >= need || exchange.in_scope || (!telling && exchange.is_telling()) {
                return true;
            }
            freed = freed.saturating_add(exchange.weight());
            *held = held.saturating_sub(exchange.weight());
            *bodies = bodies.saturating_sub(exchange.bodies());
            *out_of_scope = out_of_scope.saturating_sub(1);
            count_only(background, exchange);
            let known = losses.entry((exchange.at.input, Loss::Other)).or_insert(0);
            *known = known.saturating_add(1);
            false
        });
    }

    /// Says of exchanges of an input that they were still under way: of those at `places`, which are
    /// in order, that were last seen at `end` or no longer than `margin` before it.
    pub(crate) fn mark_pending(
        &mut self,
        input: InputId,
        places: &[Locator],
        end: Timestamp,
        margin: Duration,
    ) {
        let own = self.exchanges.iter_mut().filter(|exchange| exchange.at.input == input);
        for exchange in own {
            let late = exchange.ended().is_some_and(|last| last.plus(margin) >= end);
            if late && places.binary_search(&exchange.at.at).is_ok() {
                exchange.response = Err(NoResponse::Pending);
            }
        }
    }

    /// Adds a connection; past the limits it is dropped and `None` comes back.
    pub fn add_connection(&mut self, connection: Connection) -> Option<ConnectionId> {
        if connection.in_scope {
            self.others_give_way(connection.weight());
        }
        let (input, count) = (connection.at.input, self.connections.len());
        if !self.takes_wire(input, count, connection.weight(), connection.in_scope) {
            let failed = !matches!(connection.opened, Opened::Established { .. });
            self.count_host_of(connection.server_name.as_ref(), failed);
            return None;
        }
        let id = ConnectionId(u32::try_from(self.connections.len()).ok()?);
        self.others = self.others.saturating_add(usize::from(is_other(&connection)));
        self.connections.push(connection);
        Some(id)
    }

    /// Makes counters of one half of the connections in packets that are no part of a sign-in, the
    /// oldest, when one that is would find no room.
    fn others_give_way(&mut self, weight: u64) {
        let wire = self.wire.saturating_add(weight);
        let all = wire.saturating_add(self.held);
        let full = self.connections.len() >= limits::CONNECTIONS
            || wire > limits::WIRE
            || all > limits::EVIDENCE;
        if !full || self.others == 0 {
            return;
        }
        let others = self.others;
        let mut left = others.saturating_sub(others / 2);
        self.others = others.saturating_sub(left);
        let mut numbers: Vec<Option<u32>> = Vec::with_capacity(self.connections.len());
        let mut kept: u32 = 0;
        let Self { connections, background, losses, wire, exchanges, .. } = self;
        connections.retain(|one| {
            if left > 0 && is_other(one) {
                left = left.saturating_sub(1);
                *wire = wire.saturating_sub(one.weight());
                if let Some(host) = &one.server_name {
                    let failed = !matches!(one.opened, Opened::Established { .. });
                    count_host(background, host, failed);
                }
                let known = losses.entry((one.at.input, Loss::OtherWire)).or_insert(0);
                *known = known.saturating_add(1);
                numbers.push(None);
                return false;
            }
            numbers.push(Some(kept));
            kept = kept.saturating_add(1);
            true
        });
        for exchange in exchanges {
            if let Some(ConnectionId(old)) = exchange.connection {
                let new = usize::try_from(old).ok().and_then(|old| numbers.get(old).copied());
                exchange.connection = new.flatten().map(ConnectionId);
            }
        }
    }

    /// Whether a connection that is no part of a sign-in would only be counted, so that it need not
    /// be made.
    pub(crate) fn is_full_of_others(&self) -> bool {
        let all = self.wire.saturating_add(self.held);
        let least = u64::try_from(size_of::<Connection>()).unwrap_or(u64::MAX);
        let share = limits::WIRE.saturating_sub(limits::WIRE / 4);
        let most = limits::CONNECTIONS.saturating_sub(limits::CONNECTIONS / 4);
        self.connections.len() >= most
            || self.wire.saturating_add(least) > share
            || all.saturating_add(least) > limits::EVIDENCE
    }

    /// Counts a connection that is no part of a sign-in instead of keeping it.
    pub(crate) fn count_connection(
        &mut self,
        input: InputId,
        host: Option<&HostName>,
        failed: bool,
    ) {
        self.lose(input, Loss::OtherWire, 1);
        self.count_host_of(host, failed);
    }

    fn count_host_of(&mut self, host: Option<&HostName>, failed: bool) {
        if let Some(host) = host {
            count_host(&mut self.background, host, failed);
        }
    }

    /// Adds a name lookup; past the limits it is dropped.
    pub fn add_lookup(&mut self, lookup: NameLookup) {
        let (input, count) = (lookup.at.input, self.lookups.len());
        if self.takes_wire(input, count, lookup.weight(), lookup.in_scope) {
            self.lookups.push(lookup);
        }
    }

    /// Charges a connection or a look-up, `count` of which are there.
    fn takes_wire(&mut self, input: InputId, count: usize, weight: u64, in_scope: bool) -> bool {
        let wire = self.wire.saturating_add(weight);
        let all = wire.saturating_add(self.held);
        // What is no part of a sign-in leaves a quarter to what is.
        let share = |most: u64| if in_scope { most } else { most.saturating_sub(most / 4) };
        let many = u64::try_from(count).unwrap_or(u64::MAX);
        let most = u64::try_from(limits::CONNECTIONS).unwrap_or(u64::MAX);
        if many >= share(most) || wire > share(limits::WIRE) || all > limits::EVIDENCE {
            self.lose(input, if in_scope { Loss::Wire } else { Loss::OtherWire }, 1);
            return false;
        }
        self.wire = wire;
        true
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
        self.order_wire();
        hidden::add(&mut self.exchanges, &self.connections, &self.lookups);
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
        for ((input, loss), count) in std::mem::take(&mut self.losses) {
            self.add_diagnostic(loss.told(input, count));
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

impl EvidenceBuilder {
    /// Puts connections and lookups in the order of their places: a reader of packets adds them when
    /// they end.
    fn order_wire(&mut self) {
        let mut places: Vec<usize> = (0..self.connections.len()).collect();
        places.sort_by_key(|index| self.connections.get(*index).map(|one| one.at));
        let mut numbers: Vec<u32> = vec![0; places.len()];
        for (new, old) in places.iter().enumerate() {
            if let Some(number) = numbers.get_mut(*old) {
                *number = u32::try_from(new).unwrap_or(u32::MAX);
            }
        }
        for exchange in &mut self.exchanges {
            if let Some(ConnectionId(old)) = exchange.connection {
                let new = usize::try_from(old).ok().and_then(|old| numbers.get(old));
                exchange.connection = new.map(|new| ConnectionId(*new));
            }
        }
        arrange(&mut self.connections, places);
        self.lookups.sort_by_key(|one| one.at);
    }
}

/// Counts an exchange for its host instead of keeping it.
fn count_only(background: &mut BTreeMap<HostName, HostTraffic>, exchange: &Exchange) {
    count_host(background, exchange.host(), exchange.response.is_err());
}

fn count_host(background: &mut BTreeMap<HostName, HostTraffic>, host: &HostName, failed: bool) {
    if background.len() >= limits::BACKGROUND_HOSTS && !background.contains_key(host) {
        return;
    }
    let traffic = background.entry(host.clone()).or_default();
    let counter = if failed { &mut traffic.failed } else { &mut traffic.answered };
    *counter = counter.saturating_add(1);
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

    fn exchange(builder: &mut EvidenceBuilder, path: &str, in_scope: bool) -> Exchange {
        use crate::evidence::{EvidenceRef, Request, Via};
        let url = builder.url(&format!("https://login.example/{path}")).unwrap();
        let request = Request {
            method: "GET".into(),
            url,
            headers: Headers::default(),
            body: Body::Empty,
            body_length: None,
        };
        Exchange {
            connection: None,
            lookup: None,
            request,
            response: Err(NoResponse::Pending),
            span: None,
            server: None,
            via: Via::Unknown,
            process: None,
            page: None,
            from_cache: false,
            rerouted: false,
            in_scope,
            at: EvidenceRef { input: InputId(0), at: Locator::HarEntry(0) },
        }
    }

    fn codes(evidence: &Evidence) -> Vec<&'static str> {
        evidence.diagnostics.iter().map(|one| one.code.as_str()).collect()
    }

    #[test]
    fn others_give_way_first_and_then_contents() {
        let mut builder = EvidenceBuilder::new();
        builder.add_input(Input::named("x"));
        let query = format!("a?code={}", "x".repeat(limits::QUERY));
        for _ in 0..6000 {
            let other = exchange(&mut builder, &query, false);
            builder.add_exchange(other);
        }
        let before = builder.exchanges.len();
        assert!(before < 4500 && builder.held <= limits::EVIDENCE);
        let value = "y".repeat(limits::SHORT_HEADER_VALUE);
        for _ in 0..3000 {
            let mut own = exchange(&mut builder, "b", true);
            for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
                builder.header(&mut own.request.headers, name, &value, true);
            }
            builder.add_exchange(own);
            assert!(builder.held <= limits::EVIDENCE);
        }
        let evidence = builder.finish();
        let own: Vec<_> = evidence.exchanges.iter().filter(|one| one.in_scope).collect();
        assert_eq!(own.len(), 3000);
        assert!(own.last().unwrap().request.headers.is_empty());
        assert!(!own.first().unwrap().request.headers.is_empty());
        assert_eq!(evidence.exchanges.iter().filter(|one| !one.in_scope).count(), 0);
        let counted: u64 = evidence.background.values().map(|host| host.failed).sum();
        assert_eq!(counted, 6000);
        assert_eq!(codes(&evidence), ["limit-reached", "counted-only"]);
        assert_eq!(evidence.diagnostics[1].lost, Some(6000));
    }

    #[test]
    fn what_may_tell_stays_longer() {
        let mut builder = EvidenceBuilder::new();
        for path in ["a", "b?code=1", "c"] {
            let other = exchange(&mut builder, path, false);
            builder.add_exchange(other);
        }
        builder.fold(u64::MAX, false);
        assert_eq!(builder.exchanges.len(), 1);
        assert!(builder.exchanges[0].is_telling());
        builder.fold(u64::MAX, true);
        assert_eq!((builder.exchanges.len(), builder.held, builder.out_of_scope), (0, 0, 0));
    }

    #[test]
    fn bodies_past_their_limit_are_said_once() {
        let mut builder = EvidenceBuilder::new();
        builder.add_input(Input::named("x"));
        for _ in 0..30 {
            let mut own = exchange(&mut builder, "a", true);
            own.request.body = builder.body(vec![0; 1 << 20], true);
            builder.add_exchange(own);
        }
        let evidence = builder.finish();
        assert_eq!(codes(&evidence), ["limit-reached", "body-cut"]);
        assert_eq!(
            (evidence.diagnostics[0].lost, evidence.diagnostics[1].lost),
            (Some(6), Some(24))
        );
    }

    #[test]
    fn connections_have_a_share_of_their_own() {
        use crate::evidence::{EvidenceRef, TlsHandshake};
        let mut builder = EvidenceBuilder::new();
        let mut taken = 0;
        for _ in 0..50 {
            let cipher = Some("x".repeat(1 << 20));
            let at = EvidenceRef { input: InputId(0), at: Locator::HarEntry(0) };
            let tls = Some(Box::new(TlsHandshake { cipher, ..TlsHandshake::default() }));
            let connection = Connection { tls, in_scope: true, ..Connection::new(at) };
            let id = builder.add_connection(connection);
            taken += u32::from(id.is_some());
        }
        assert_eq!(taken, 15);
        assert_eq!(codes(&builder.finish()), ["limit-reached"]);
    }

    #[test]
    fn what_is_no_part_of_a_sign_in_gives_way() {
        use crate::evidence::{EvidenceRef, TlsHandshake, Wire};
        let mut builder = EvidenceBuilder::new();
        let at = |frame: u32| EvidenceRef { input: InputId(0), at: Locator::HarEntry(frame) };
        let made = |frame: u32, in_scope: bool| {
            let cipher = Some("x".repeat(1 << 20));
            let tls = Some(Box::new(TlsHandshake { cipher, ..TlsHandshake::default() }));
            let wire = Some(Box::new(Wire::default()));
            Connection { tls, wire, in_scope, ..Connection::new(at(frame)) }
        };
        for frame in 0..20 {
            builder.add_connection(made(frame, false));
        }
        for frame in 20..30 {
            assert!(builder.add_connection(made(frame, true)).is_some(), "{frame}");
        }
        let evidence = builder.finish();
        let kept = evidence.connections.iter().filter(|one| one.in_scope).count();
        assert_eq!(kept, 10);
        assert!(evidence.connections.len() <= 15);
        assert_eq!(codes(&evidence), ["counted-only"]);
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
