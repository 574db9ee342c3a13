//! Transport connections: who opened them to whom, and how they began and ended.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{EvidenceRef, HostName, TlsHandshake, TlsVersion};
use crate::time::{Span, Timestamp};

/// Most bytes of a client's last words in a handshake of TLS 1.3, goodbye included.
const FINISHED: u64 = 200;

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

/// Where the name of a server was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedBy {
    /// In the answer to a name lookup: the name that the client had asked for last.
    Lookup,
    /// In a request: its `Host`, or the authority of a CONNECT.
    Request,
    /// In the ClientHello.
    ServerName,
}

/// Bytes of payload below which what a client sends inside TLS is no request: it ends the handshake,
/// keeps the connection going or says goodbye (RFC 9113 sections 6.5, 6.7 and 6.9).
pub const REQUEST_BYTES: u32 = 90;

/// What one side of a connection sent, as the capture shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Segments or datagrams, copies left out.
    pub segments: u32,
    /// Segments or datagrams with payload.
    pub with_payload: u32,
    /// Bytes of payload, each counted once.
    pub bytes: u64,
    /// Segments sent again that had been seen: they, or their acknowledgement, were lost behind the
    /// place of the capture.
    pub repeated: u32,
    /// Segments that were lost before they came to the place of the capture, and came later.
    pub lost: u32,
    /// Segments out of order.
    pub reordered: u32,
    /// Segments that the capture took twice.
    pub copies: u32,
    /// Bytes that the other side acknowledged and the capture does not have.
    pub missing: u64,
    /// Hop limit of the first packet.
    pub hop_limit: Option<u8>,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpKind {
    /// Something else.
    Other,
    /// The packet was forbidden by a filter (codes 9, 10 and 13; of version 6 codes 1 and 5).
    Prohibited,
    /// The packet is longer than the way allows.
    TooBig,
    /// The packet went round for too long.
    TimeExceeded,
    /// There is no way to the host or the network.
    Unreachable,
    /// Nobody listens at the port.
    Port,
}

/// An ICMP error about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpReport {
    /// What it says.
    pub kind: IcmpKind,
    /// Its code.
    pub code: u8,
    /// Who sent it.
    pub from: IpAddr,
    /// The longest packet that would have passed.
    pub mtu: Option<u32>,
    /// Where it stands.
    pub at: EvidenceRef,
}

/// A reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetReport {
    /// Who sent it, or seems to have.
    pub by: Peer,
    /// Its hop limit.
    pub hop_limit: u8,
    /// When.
    pub time: Timestamp,
    /// Where it stands.
    pub at: EvidenceRef,
}

/// Bytes that one side sent again and again and that were never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StallReport {
    /// How often they were sent again.
    pub tries: u16,
    /// How many bytes waited.
    pub bytes: u32,
    /// The longest segment of them.
    pub longest: u32,
    /// The longest segment of this side that was acknowledged.
    pub passed: u32,
    /// From the first time they were sent to the last.
    pub span: Span,
}

/// What only packets tell of a connection.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    /// What each side sent: the client, then the server.
    pub traffic: [Traffic; 2],
    /// How often the client asked for the connection; `u8::MAX` is that often or more.
    pub tries: u8,
    /// When it asked first and last.
    pub asked: Option<Span>,
    /// Whether packets of one side only are there although the other must have sent some.
    pub is_one_sided: bool,
    /// The last ICMP error about it that says more than the others.
    pub icmp: Option<IcmpReport>,
    /// The first reset.
    pub reset: Option<ResetReport>,
    /// When each side ended its stream.
    pub ended: [Option<Timestamp>; 2],
    /// Bytes of payload that the client sent after the server's last.
    pub waiting: u32,
    /// When the client last sent a segment that is long enough to hold a request.
    pub last_request: Option<Timestamp>,
    /// When each side sent its first payload, and its last.
    pub payload: [Option<Span>; 2],
    /// Packets of it that the system dropped, and where the first of them stands.
    pub dropped: Option<(u32, EvidenceRef)>,
    /// What each side could not get through.
    pub stall: [Option<StallReport>; 2],
    /// Whether the client reached the server through a proxy that it named: `server` is the proxy's
    /// address then.
    pub is_proxied: bool,
    /// Whether the last record of TLS of each side is there in part only: its end never came.
    pub torn: [bool; 2],
    /// Whether the requests inside of TLS were read, with keys.
    pub is_read: bool,
    /// What travels in it.
    pub protocol: Protocol,
    /// Requests and answers of about equal length at about equal times, as a page that polls has
    /// them: how many, and the usual time between two.
    pub polls: Option<(u32, Duration)>,
    /// The Community ID, version 1.
    pub community_id: Box<str>,
    /// The JA4 fingerprint of the client.
    pub ja4: Option<Box<str>>,
}

/// What travels in a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Name lookups.
    Dns,
    /// HTTP in clear.
    Http,
    /// No payload was seen.
    #[default]
    Nothing,
    /// QUIC.
    Quic,
    /// A SOCKS proxy is asked for something that was not granted.
    Socks,
    /// TLS.
    Tls,
    /// Something else, or something that began before the capture.
    Unknown,
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
    /// Where that name was read, in packets.
    pub named_by: Option<NamedBy>,
    /// How it began.
    pub opened: Opened,
    /// How it ended.
    pub closed: Closed,
    /// What was seen of TLS.
    pub tls: Option<Box<TlsHandshake>>,
    /// What only packets tell.
    pub wire: Option<Box<Wire>>,
    /// Whether the reader's scope counts it as part of a sign-in.
    pub in_scope: bool,
    /// From its first to its last sign of life, where the capture has times.
    pub span: Option<Span>,
    /// Where it stands.
    pub at: EvidenceRef,
}

impl Connection {
    /// Whether the client sent no more inside of TLS than its part of the handshake and a goodbye; false
    /// where that is not seen from its beginning.
    pub fn is_unused(&self) -> bool {
        let (Some(tls), Some(wire)) = (self.tls.as_deref(), self.wire.as_deref()) else {
            return false;
        };
        let Some(hello) = &tls.hello else { return false };
        let hellos = u64::from(hello.length).saturating_mul(if tls.was_retried { 2 } else { 1 });
        match tls.version {
            // What ends the handshake looks like data there.
            Some(TlsVersion::Tls13) => {
                let [client, _] = tls.application;
                client <= 2 && wire.traffic[0].bytes <= hellos.saturating_add(FINISHED)
            }
            _ => tls.application[0] == 0,
        }
    }

    /// A connection of which nothing is known but its place: for readers that see more of requests
    /// than of connections.
    pub const fn new(at: EvidenceRef) -> Self {
        Self {
            transport: Transport::Tcp,
            stream: None,
            client: None,
            server: None,
            server_name: None,
            named_by: None,
            opened: Opened::Established { rtt: None },
            closed: Closed::CaptureEnd,
            tls: None,
            wire: None,
            in_scope: false,
            span: None,
            at,
        }
    }
}
