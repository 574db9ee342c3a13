//! What a piece of evidence takes in memory, and what was given up to stay within the bounds.
//!
//! Weights are counted when a piece is added, so that the evidence of a case stays below
//! [`limits::EVIDENCE`]. Nothing here knows what a piece means.
//!
//! Invariant: a weight is no less than what the piece itself allocates; room that a list holds ahead
//! and what an allocator adds are not in it.

use std::mem::size_of;

use super::{
    Body, Connection, Diagnostic, DiagnosticCode, Exchange, Headers, InputId, Missing, NameLookup,
    Secret, Url,
};
use crate::limits;

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// Bodies that are not kept.
    Body,
    /// Bodies of sign-in hosts that are kept without their end.
    BodyEnd,
    /// Connections and look-ups that are not kept.
    Wire,
    /// Connections and look-ups of hosts that are no part of a sign-in.
    OtherWire,
    /// Headers and bodies of exchanges with sign-in hosts.
    Content,
    /// Exchanges with sign-in hosts.
    Exchange,
    /// Exchanges with other hosts.
    Other,
}

impl Loss {
    /// What to say of it.
    pub(super) fn told(self, input: InputId, count: u64) -> Diagnostic {
        let (code, text) = match self {
            Self::Body => (
                DiagnosticCode::LimitReached,
                format!(
                    "bodies that are not kept, since all together are larger than {} MiB: {count}",
                    limits::BODIES / limits::MIB
                ),
            ),
            Self::BodyEnd => (
                DiagnosticCode::BodyCut,
                format!(
                    "bodies of sign-in hosts that are kept without their ends, being longer than \
                     the limit (--max-body) or broken off in the capture: {count}"
                ),
            ),
            Self::Content => (
                DiagnosticCode::LimitReached,
                format!(
                    "exchanges with sign-in hosts that are kept without headers and bodies, since \
                     all together are larger than {} MiB: {count}",
                    limits::EVIDENCE / limits::MIB
                ),
            ),
            Self::Exchange => (
                DiagnosticCode::LimitReached,
                format!(
                    "exchanges with sign-in hosts that are only counted, since there are too many: \
                     {count}"
                ),
            ),
            Self::Other => (
                DiagnosticCode::CountedOnly,
                format!(
                    "exchanges with hosts that are no part of a sign-in and are only counted, since \
                     there are too many to keep: {count}"
                ),
            ),
            Self::OtherWire => (
                DiagnosticCode::CountedOnly,
                format!(
                    "connections and look-ups that are no part of a sign-in and are only counted, \
                     since there are too many to keep: {count}"
                ),
            ),
            Self::Wire => (
                DiagnosticCode::LimitReached,
                format!(
                    "connections and look-ups that are not kept, since there are too many: {count}"
                ),
            ),
        };
        Diagnostic { code, input: Some(input), offset: None, lost: Some(count), text }
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn text(secret: Option<&Secret<Box<str>>>) -> usize {
    secret.map_or(0, Secret::<Box<str>>::length)
}

impl Url {
    fn weight(&self) -> usize {
        let texts = [&self.user_in_path, &self.query, &self.fragment];
        texts.iter().map(|part| text(part.as_ref())).fold(self.path.len(), usize::saturating_add)
    }

    fn strip(&mut self) {
        for part in [&mut self.query, &mut self.fragment] {
            if text(part.as_ref()) > limits::SHORT_HEADER_VALUE {
                *part = None;
            }
        }
    }
}

impl Headers {
    fn weight(&self) -> usize {
        let slots =
            self.fields.capacity().saturating_mul(size_of::<(&str, usize, Secret<Box<str>>)>());
        self.fields.iter().fold(slots, |sum, (name, value)| {
            let owned = matches!(name, std::borrow::Cow::Owned(_));
            let name = if owned { name.len() } else { 0 };
            sum.saturating_add(name).saturating_add(value.length())
        })
    }
}

impl Body {
    /// Bytes kept of it.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Kept { bytes, .. } => wide(bytes.length()),
            Self::Empty | Self::Missing(_) | Self::Skipped => 0,
        }
    }

    /// Whether its end is missing. Failure pages are cut as a rule, and nothing is lost by that.
    fn is_cut(&self) -> bool {
        matches!(self, Self::Kept { cut: true, .. }) && self.weight() != limits::FAILURE_PAGE
    }

    fn give_up(&mut self) {
        if matches!(self, Self::Kept { .. }) {
            *self = Self::Missing(Missing::Limit);
        }
    }
}

impl Exchange {
    /// Bytes that it takes.
    pub(super) fn weight(&self) -> u64 {
        let request = &self.request;
        let host = request.url.host.as_str().len();
        let mut sum = size_of::<Self>()
            .saturating_add(request.method.len())
            .saturating_add(host)
            .saturating_add(request.url.weight())
            .saturating_add(request.headers.weight())
            .saturating_add(self.process.as_ref().map_or(0, |name| name.len()));
        if let Ok(response) = &self.response {
            sum = sum
                .saturating_add(response.headers.weight())
                .saturating_add(response.location.as_ref().map_or(0, Url::weight))
                .saturating_add(response.reason.as_ref().map_or(0, |text| text.len()));
        }
        wide(sum).saturating_add(self.bodies())
    }

    /// Bytes of its bodies.
    pub(super) fn bodies(&self) -> u64 {
        let response = self.response.as_ref().map_or(0, |response| response.body.weight());
        self.request.body.weight().saturating_add(response)
    }

    /// How many of its bodies lack their end.
    pub(super) fn cut_bodies(&self) -> u64 {
        let response = self.response.as_ref().is_ok_and(|response| response.body.is_cut());
        u64::from(self.request.body.is_cut()).saturating_add(u64::from(response))
    }

    /// Whether something in it may be part of a sign-in although its host is not.
    pub(super) fn is_telling(&self) -> bool {
        let url = |url: &Url| url.query.is_some() || url.fragment.is_some();
        let response = self.response.as_ref();
        url(&self.request.url)
            || self.bodies() > 0
            || response.is_ok_and(|response| response.location.as_ref().is_some_and(url))
    }

    /// Lets go of headers, bodies, and queries that are long.
    pub(super) fn strip(&mut self) {
        self.request.url.strip();
        self.request.headers = Headers::default();
        self.request.body.give_up();
        if let Ok(response) = &mut self.response {
            response.headers = Headers::default();
            response.body.give_up();
            if let Some(location) = &mut response.location {
                location.strip();
            }
        }
    }
}

impl Connection {
    /// Bytes that it takes.
    pub(super) fn weight(&self) -> u64 {
        let tls = self.tls.as_ref().map_or(0, |tls| {
            let certificate = tls.certificate.as_ref();
            let names = certificate.map_or(0, |one| {
                let names = one.names.iter().map(|name| name.len().saturating_add(24));
                let own = one.subject.len().saturating_add(one.issuer.len());
                names.fold(own, usize::saturating_add)
            });
            let cipher = tls.cipher.as_ref().map_or(0, String::len);
            let plain = tls.plain_text.as_ref().map_or(0, |(_, bytes, _)| bytes.length());
            let alerts = tls.alerts.capacity().saturating_mul(size_of::<super::Alert>());
            let rest = names.saturating_add(cipher).saturating_add(plain).saturating_add(alerts);
            size_of_val(&**tls).saturating_add(rest)
        });
        let wire = self.wire.as_ref().map_or(0, |wire| {
            let texts = wire.ja4.as_ref().map_or(0, |text| text.len());
            size_of_val(&**wire).saturating_add(wire.community_id.len()).saturating_add(texts)
        });
        let name = self.server_name.as_ref().map_or(0, |name| name.as_str().len());
        wide(size_of::<Self>().saturating_add(tls).saturating_add(wire).saturating_add(name))
    }
}

impl NameLookup {
    /// Bytes that it takes.
    pub(super) fn weight(&self) -> u64 {
        let answers = match &self.answer {
            super::Answer::Addresses(all) => all.len().saturating_mul(32),
            super::Answer::Cut
            | super::Answer::Empty
            | super::Answer::Failed(_)
            | super::Answer::None => 0,
        };
        // A name may be its own only: its text, and the two counters before it.
        let name = |name: &super::HostName| {
            name.as_str()
                .len()
                .saturating_add(2 * size_of::<usize>() + size_of::<super::HostName>())
        };
        let names = self.aliases.iter().map(name).fold(name(&self.name), usize::saturating_add);
        wide(size_of::<Self>().saturating_add(answers).saturating_add(names))
    }
}
