//! The beginning of QUIC connections: the TLS hellos, and how far the handshake came.
//!
//! It follows RFC 9000, RFC 9001, RFC 9369 (version 2) and the last drafts, 29 to 34. Only Initial
//! packets are opened, for which no secret is needed; of all others the kind is known. The bytes of
//! the hellos are given away; it must not know what they say.
//!
//! Invariants: what cannot be opened is counted, never guessed at; what is held of a flow is bounded
//! and goes when both hellos are there or the client speaks with the final keys.

mod assembly;
mod frame;
mod header;
mod initial;

use crate::limits;
use crate::proto::{Mark, Peer};

use assembly::{Assembly, Message, Progress};
use frame::Frame;
use header::{Kind, Long, Packet};
use initial::Keys;

/// Whether a datagram begins or answers a connection: an Initial packet of a known version, or the
/// list of versions that a server knows.
pub fn probe(datagram: &[u8]) -> bool {
    match header::packet(datagram) {
        Some((Packet::Long(long), _)) => long.kind == Kind::Initial && long.has_fixed_bit(),
        Some((Packet::VersionNegotiation, _)) => true,
        _ => false,
    }
}

/// What a flow showed without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuicFacts {
    /// The version: the one that the server uses, before that the last one that the client tried.
    pub version: Option<u32>,
    /// What came from the client.
    pub client: SideFacts,
    /// What came from the server.
    pub server: SideFacts,
    /// The server knows only other versions.
    pub version_negotiation: Option<Mark>,
    /// The server had the client come again with a token.
    pub retry: Option<Mark>,
    /// The end of the connection, when it came in an Initial packet.
    pub connection_close: Option<ConnectionClose>,
    /// Initial packets that could not be opened: cut, damaged, or without the beginning.
    pub unopened: u64,
}

impl QuicFacts {
    /// What came from a side.
    pub const fn side(&self, peer: Peer) -> &SideFacts {
        match peer {
            Peer::Client => &self.client,
            Peer::Server => &self.server,
        }
    }

    const fn side_mut(&mut self, peer: Peer) -> &mut SideFacts {
        match peer {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }
}

/// What came from one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideFacts {
    /// Initial packets.
    pub initial: u64,
    /// Packets with data before the handshake.
    pub zero_rtt: u64,
    /// Handshake packets.
    pub handshake: u64,
    /// Packets with a short header: they carry data.
    pub short: u64,
    /// Packets of versions that are not known.
    pub other: u64,
    /// The first datagram.
    pub first: Option<Mark>,
    /// The last datagram.
    pub last: Option<Mark>,
    /// The first Handshake packet: the side has seen the hello of the other.
    pub handshake_seen: Option<Mark>,
    /// The first packet with a short header: the side has all keys.
    pub one_rtt: Option<Mark>,
}

impl SideFacts {
    /// Packets of all kinds.
    pub const fn packets(&self) -> u64 {
        self.initial
            .saturating_add(self.zero_rtt)
            .saturating_add(self.handshake)
            .saturating_add(self.short)
            .saturating_add(self.other)
    }
}

/// A side ended the connection (RFC 9000 section 19.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionClose {
    /// Who did.
    pub by: Peer,
    /// Why; 0x100 to 0x1ff carry a TLS alert in the lower byte (RFC 9001 section 4.8).
    pub code: u64,
    /// Whether the application, not the transport, gave the code.
    pub is_application: bool,
    /// When.
    pub mark: Mark,
}

/// The QUIC packets between two pairs of address and port.
#[derive(Debug, Default)]
pub struct QuicFlow {
    facts: QuicFacts,
    client_hello: Hello,
    server_hello: Hello,
    /// What Initial packets are read with; only while something is wanted of them.
    opening: Option<Box<Opening>>,
    /// Packets that no keys fitted; at [`limits::QUIC_FAILURES`] no more are tried.
    failures: u32,
}

/// A message that is wanted once.
#[derive(Debug, Default)]
enum Hello {
    #[default]
    Wanted,
    Here(Message),
    Done,
}

/// The handshake as far as Initial packets carry it.
struct Opening {
    version: u32,
    /// What the client called the connection first.
    destination: Vec<u8>,
    keys: Keys,
    client: Side,
    server: Side,
}

/// What is held of one side.
#[derive(Default)]
struct Side {
    /// The largest packet number.
    largest: Option<u64>,
    crypto: Assembly,
}

impl QuicFlow {
    /// A flow of which nothing was seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it showed.
    pub const fn facts(&self) -> &QuicFacts {
        &self.facts
    }

    /// Bytes held for messages that are not whole yet or not taken.
    pub fn held(&self) -> usize {
        let hello = |hello: &Hello| match hello {
            Hello::Here((bytes, ..)) => bytes.len(),
            Hello::Wanted | Hello::Done => 0,
        };
        let opening = self.opening.as_ref().map_or(0, |opening| {
            opening.client.crypto.held().saturating_add(opening.server.crypto.held())
        });
        opening.saturating_add(hello(&self.client_hello)).saturating_add(hello(&self.server_hello))
    }

    /// The client hello with its four bytes of header, and the frames of its first and last piece;
    /// once.
    pub fn take_client_hello(&mut self) -> Option<(Vec<u8>, Mark, Mark)> {
        self.client_hello.take()
    }

    /// The server hello, or the request to try again, in the same form; once.
    pub fn take_server_hello(&mut self) -> Option<(Vec<u8>, Mark, Mark)> {
        self.server_hello.take()
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, from: Peer, bytes: &[u8], mark: Mark) {
        let mut rest = bytes;
        while let Some((packet, after)) = header::packet(rest) {
            let side = self.facts.side_mut(from);
            side.first.get_or_insert(mark);
            side.last = Some(mark);
            match packet {
                Packet::Long(long) => self.long(from, &long, mark),
                Packet::Other(version) => {
                    side.other = side.other.saturating_add(1);
                    self.facts.version.get_or_insert(version);
                }
                Packet::Short => {
                    side.short = side.short.saturating_add(1);
                    side.one_rtt.get_or_insert(mark);
                    if from == Peer::Client {
                        // It has both hellos, so whatever is missing will not come.
                        self.opening = None;
                    }
                }
                Packet::VersionNegotiation => {
                    self.facts.version_negotiation.get_or_insert(mark);
                }
            }
            rest = after;
        }
    }

    fn long(&mut self, from: Peer, long: &Long<'_>, mark: Mark) {
        if from == Peer::Server || self.facts.server.packets() == 0 {
            self.facts.version = Some(long.version);
        }
        let side = self.facts.side_mut(from);
        match long.kind {
            Kind::Initial => {
                side.initial = side.initial.saturating_add(1);
                self.initial(from, long, mark);
            }
            Kind::ZeroRtt => side.zero_rtt = side.zero_rtt.saturating_add(1),
            Kind::Handshake => {
                side.handshake = side.handshake.saturating_add(1);
                side.handshake_seen.get_or_insert(mark);
            }
            Kind::Retry => {
                self.facts.retry.get_or_insert(mark);
            }
        }
    }

    fn initial(&mut self, from: Peer, long: &Long<'_>, mark: Mark) {
        if !self.wants() {
            return;
        }
        let payload = if long.cut || self.failures >= limits::QUIC_FAILURES {
            None
        } else {
            self.open(from, long)
        };
        let Some(payload) = payload else {
            self.facts.unopened = self.facts.unopened.saturating_add(1);
            return;
        };
        for frame in frame::frames(&payload) {
            match frame {
                Frame::Crypto { offset, data } => self.crypto(from, offset, data, mark),
                Frame::ConnectionClose { code, is_application } => {
                    let close = ConnectionClose { by: from, code, is_application, mark };
                    self.facts.connection_close.get_or_insert(close);
                }
                Frame::Silent => {}
            }
        }
    }

    /// Whether Initial packets can still say something new: a hello, or the end.
    const fn wants(&self) -> bool {
        matches!(self.client_hello, Hello::Wanted)
            || matches!(self.server_hello, Hello::Wanted)
            || (self.facts.connection_close.is_none() && self.opening.is_some())
    }

    /// Opens a packet with the keys at hand, or with those that follow from the packet itself.
    fn open(&mut self, from: Peer, long: &Long<'_>) -> Option<Vec<u8>> {
        if let Some(opening) = &mut self.opening
            && let Some(payload) = opening.open(from, long)
        {
            return Some(payload);
        }
        // RFC 9001 section 5.2: after a Retry the keys follow from the name that the server gave; a
        // client that began anew chose another name.
        let renamed = self
            .opening
            .as_ref()
            .is_none_or(|opening| opening.destination.as_slice() != long.destination);
        if from == Peer::Client && renamed {
            let mut opening = Opening::new(long)?;
            if let Some(payload) = opening.open(from, long) {
                self.opening = Some(Box::new(opening));
                return Some(payload);
            }
        }
        if from == Peer::Client || self.opening.is_some() {
            self.failures = self.failures.saturating_add(1);
        }
        None
    }

    fn crypto(&mut self, from: Peer, offset: u64, data: &[u8], mark: Mark) {
        let Some(opening) = &mut self.opening else { return };
        let (side, hello, kind) = match from {
            Peer::Client => (&mut opening.client, &mut self.client_hello, CLIENT_HELLO),
            Peer::Server => (&mut opening.server, &mut self.server_hello, SERVER_HELLO),
        };
        if !matches!(hello, Hello::Wanted) {
            return;
        }
        side.crypto.insert(offset, data, mark);
        match side.crypto.progress(kind) {
            Progress::Missing => return,
            Progress::Wrong => *hello = Hello::Done,
            Progress::Whole => *hello = side.crypto.take().map_or(Hello::Done, Hello::Here),
        }
        side.crypto = Assembly::default();
    }
}

impl Hello {
    fn take(&mut self) -> Option<Message> {
        match std::mem::take(self) {
            Self::Here(message) => {
                *self = Self::Done;
                Some(message)
            }
            Self::Wanted => None,
            Self::Done => {
                *self = Self::Done;
                None
            }
        }
    }
}

impl Opening {
    fn new(long: &Long<'_>) -> Option<Self> {
        Some(Self {
            version: long.version,
            destination: long.destination.to_vec(),
            keys: Keys::derive(long.version, long.destination)?,
            client: Side::default(),
            server: Side::default(),
        })
    }

    fn open(&mut self, from: Peer, long: &Long<'_>) -> Option<Vec<u8>> {
        let side = match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        };
        let (number, payload) = if long.version == self.version {
            self.keys.of(from).open(long, side.largest)?
        } else {
            // RFC 9369 section 4.1: the server may go on in another version, with keys of that
            // version and the name of the first.
            let keys = Keys::derive(long.version, &self.destination)?;
            let opened = keys.of(from).open(long, side.largest)?;
            self.keys = keys;
            self.version = long.version;
            opened
        };
        side.largest = side.largest.max(Some(number));
        Some(payload)
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The type of a client hello (RFC 8446 section 4).
const CLIENT_HELLO: u8 = 1;
/// The type of a server hello.
const SERVER_HELLO: u8 = 2;

/// Entry for fuzzing: datagrams of any bytes, the first of each its sender and length.
#[doc(hidden)]
pub fn fuzz_quic(bytes: &[u8]) {
    let mark =
        Mark { frame: std::num::NonZeroU64::MIN, at: crate::time::Timestamp::from_nanoseconds(0) };
    let mut flow = QuicFlow::new();
    let mut rest = bytes;
    while let Some((&head, after)) = rest.split_first() {
        let length = usize::from(head >> 1).saturating_mul(16);
        let (datagram, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        let from = if head & 1 == 0 { Peer::Client } else { Peer::Server };
        let before = flow.facts.side(from).packets();
        flow.datagram(from, datagram, mark);
        assert!(flow.facts.side(from).packets() >= before, "packets are only added");
        assert!(flow.held() <= 4 * limits::QUIC_CRYPTO, "what is held is bounded");
        rest = after;
    }
    // The same bytes as the payload of a packet that was opened.
    for frame in frame::frames(bytes) {
        if let Frame::Crypto { data, .. } = frame {
            assert!(data.len() < bytes.len(), "a frame is part of its packet");
        }
    }
}

#[cfg(test)]
mod tests;
