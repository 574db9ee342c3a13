//! Facts read from captures: one model for all inputs.
//!
//! An exchange out of a HAR, a session out of a Fiddler archive and a stream out of a packet capture
//! become the same types here, and each knows where it came from. What the facts mean is decided
//! elsewhere: this module knows no protocol, no vendor and no rule.
//!
//! Invariants: evidence is made by [`EvidenceBuilder`] only; exchanges are in order of time; whatever
//! may be a secret is wrapped in [`Secret`]; nothing here grows past `limits`.

mod builder;
mod connection;
mod coverage;
mod diagnostic;
mod exchange;
mod headers;
mod hidden;
mod host_name;
mod input;
mod locator;
mod lookup;
mod secret;
mod tls;
mod url;
mod weight;

pub use builder::EvidenceBuilder;
pub(crate) use builder::shown;
pub use connection::{
    Closed, Connection, ConnectionId, IcmpKind, IcmpReport, NamedBy, Opened, Peer, Protocol,
    REQUEST_BYTES, ResetReport, StallReport, StreamNumber, Traffic, Transport, Wire,
};
pub use coverage::{
    Absence, Coverage, CoverageProof, InputCoverage, KeyCoverage, Tunnel, Unseen, Vantage,
    WireCoverage,
};
pub use diagnostic::{Diagnostic, DiagnosticCode};
pub use exchange::{
    Author, Body, Exchange, ExchangeId, Missing, NoResponse, Request, Response, Stage, Via,
};
pub use headers::Headers;
pub use host_name::HostName;
pub use input::{Format, Input, Likeness};
pub use locator::{EvidenceRef, InputId, Locator, Stream};
pub use lookup::{Answer, LookupId, LookupTransport, NameLookup};
pub(crate) use secret::named;
pub use secret::{Identity, Redaction, Secret, SecretKind};
pub use tls::{
    Alert, CertificateSummary, Decryption, Hello, PlainText, Spoken, TlsHandshake, TlsVersion,
};
pub(crate) use url::is_guid;
pub use url::{APP_HOST, Relevance, Scheme, Url};

use std::collections::BTreeMap;

/// Traffic of one host that is counted and not kept one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostTraffic {
    /// Exchanges that got an answer.
    pub answered: u64,
    /// Exchanges that failed.
    pub failed: u64,
}

/// Everything that was read, immutable.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The captures.
    pub inputs: Vec<Input>,
    /// Transport connections.
    pub connections: Vec<Connection>,
    /// Name lookups.
    pub lookups: Vec<NameLookup>,
    /// HTTP exchanges, in order of time.
    pub exchanges: Vec<Exchange>,
    /// Counters of the exchanges that are not kept one by one.
    pub background: BTreeMap<HostName, HostTraffic>,
    /// What the captures could see.
    pub coverage: Coverage,
    /// What went wrong while reading.
    pub diagnostics: Vec<Diagnostic>,
}

impl Evidence {
    /// An exchange by its number.
    pub fn exchange(&self, id: ExchangeId) -> Option<&Exchange> {
        self.exchanges.get(usize::try_from(id.0).ok()?)
    }

    /// All exchanges with their numbers, in order of time.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = (ExchangeId, &Exchange)> {
        self.exchanges.iter().enumerate().map(|(index, exchange)| {
            (ExchangeId(u32::try_from(index).unwrap_or(u32::MAX)), exchange)
        })
    }

    /// A lookup by its number.
    pub fn lookup(&self, id: LookupId) -> Option<&NameLookup> {
        self.lookups.get(usize::try_from(id.0).ok()?)
    }

    /// A connection by its number.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(usize::try_from(id.0).ok()?)
    }
}
