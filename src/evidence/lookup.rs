//! Name lookups: what was asked, who answered, and what came back.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{EvidenceRef, HostName};
use crate::time::Timestamp;

/// What a lookup gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, in the order given.
    Addresses(Vec<IpAddr>),
    /// A failure with the response code of the message (RFC 1035 section 4.1.1), for example 3.
    Failed(u8),
    /// An answer whose records were not captured.
    Cut,
    /// An answer without what was asked for.
    Empty,
    /// Nothing came back.
    None,
}

/// How a question travelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupTransport {
    /// To everyone on the link (RFC 4795).
    Llmnr,
    /// To everyone on the link (RFC 6762).
    Mdns,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Not told.
    #[default]
    Unknown,
}

impl LookupTransport {
    /// Its name in reports.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Llmnr => Some("llmnr"),
            Self::Mdns => Some("mdns"),
            Self::Tcp => Some("tcp"),
            Self::Udp => Some("udp"),
            Self::Unknown => None,
        }
    }

    /// Whether a name server was asked, and not the neighbours.
    pub const fn is_server(self) -> bool {
        !matches!(self, Self::Llmnr | Self::Mdns)
    }
}

/// The number of a lookup in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub u32);

/// One question to the name system, retries folded in.
#[derive(Clone, Debug)]
pub struct NameLookup {
    /// The name asked for.
    pub name: HostName,
    /// The type asked for, by its registered number; 1 is A, 28 is AAAA, 65 is HTTPS.
    pub kind: Option<u16>,
    /// What came back.
    pub answer: Answer,
    /// Names that the name led to, in order.
    pub aliases: Vec<HostName>,
    /// How it travelled.
    pub transport: LookupTransport,
    /// Who asked, where the capture tells.
    pub client: Option<SocketAddr>,
    /// Who was asked, where the capture tells.
    pub resolver: Option<SocketAddr>,
    /// How often it was asked; 0 where only the answer is there.
    pub tries: u8,
    /// When it was asked first, or where only the answer is there, answered.
    pub asked: Option<Timestamp>,
    /// When it was asked last.
    pub asked_last: Option<Timestamp>,
    /// Whether the network, or the computer asked, said that nobody answers there (ICMP).
    pub unreachable: bool,
    /// How long it took, where the capture tells.
    pub took: Option<Duration>,
    /// Whether the reader's scope counts the name as part of a sign-in.
    pub in_scope: bool,
    /// Where it stands.
    pub at: EvidenceRef,
}

impl NameLookup {
    /// A lookup of which nothing is known but the name and what came back.
    pub const fn new(name: HostName, answer: Answer, at: EvidenceRef) -> Self {
        Self {
            name,
            kind: None,
            answer,
            aliases: Vec::new(),
            transport: LookupTransport::Unknown,
            client: None,
            resolver: None,
            tries: 1,
            asked: None,
            asked_last: None,
            unreachable: false,
            took: None,
            in_scope: false,
            at,
        }
    }

    /// Whether an address was asked for.
    pub const fn is_for_address(&self) -> bool {
        matches!(self.kind, None | Some(1 | 28))
    }
}
