//! Name lookups: what was asked, who answered, and what came back.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{EvidenceRef, HostName};

/// What a lookup gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, in the order given.
    Addresses(Vec<IpAddr>),
    /// A failure with the response code of the message (RFC 1035 section 4.1.1), for example 3.
    Failed(u8),
    /// Nothing came back.
    None,
}

/// One question to the name system, retries folded in.
#[derive(Clone, Debug)]
pub struct NameLookup {
    /// The name asked for.
    pub name: HostName,
    /// What came back.
    pub answer: Answer,
    /// Who was asked, where the capture tells.
    pub resolver: Option<SocketAddr>,
    /// How long it took, where the capture tells.
    pub took: Option<Duration>,
    /// Where it stands.
    pub at: EvidenceRef,
}
