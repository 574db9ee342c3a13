//! Transport connections: who opened them to whom, and how they began and ended.

use std::net::SocketAddr;
use std::time::Duration;

use super::{EvidenceRef, HostName, TlsHandshake};
use crate::time::Span;

/// The number of a connection in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// The number of a stream as Wireshark counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamNumber(pub u32);

/// A side of a connection: the client opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Who opened the connection.
    Client,
    /// Who was called.
    Server,
}

/// The transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// How a connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was accepted; the round trip of the first packets where it is known.
    Established {
        /// Time from the first packet to its answer.
        rtt: Option<Duration>,
    },
    /// It was there when the capture began.
    MidStream,
    /// The server, or something in its place, refused.
    Refused,
    /// Nothing answered.
    Unanswered {
        /// How often the client asked.
        tries: u8,
    },
    /// The network reported that there is no way.
    Unreachable {
        /// The ICMP code.
        icmp: u8,
    },
}

impl Opened {
    /// Its name in reports (SPEC section 6, closed list).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Established { .. } => "established",
            Self::MidStream => "mid_stream",
            Self::Refused => "refused",
            Self::Unanswered { .. } => "unanswered",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was open when the capture ended, or the capture does not tell.
    CaptureEnd,
    /// We gave up following it for want of memory.
    Evicted,
    /// Both sides said goodbye.
    Fin,
    /// Nothing came for a long time.
    Idle,
    /// One side cut it.
    Reset {
        /// Which.
        by: Peer,
    },
}

impl Closed {
    /// Its name in reports (SPEC section 6, closed list).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaptureEnd => "capture_end",
            Self::Evicted => "evicted",
            Self::Fin => "fin",
            Self::Idle => "idle",
            Self::Reset { by: Peer::Client } => "reset_by_client",
            Self::Reset { by: Peer::Server } => "reset_by_server",
        }
    }
}

/// One transport connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The protocol.
    pub transport: Transport,
    /// The number Wireshark gives it; only packet captures have one.
    pub stream: Option<StreamNumber>,
    /// Address of the client, where the capture tells.
    pub client: Option<SocketAddr>,
    /// Address of the server, where the capture tells.
    pub server: Option<SocketAddr>,
    /// The name the client asked for: SNI, CONNECT authority or host of the request.
    pub server_name: Option<HostName>,
    /// How it began.
    pub opened: Opened,
    /// How it ended.
    pub closed: Closed,
    /// What was seen of TLS.
    pub tls: Option<Box<TlsHandshake>>,
    /// From its first to its last sign of life, where the capture has times.
    pub span: Option<Span>,
    /// Where it stands.
    pub at: EvidenceRef,
}
