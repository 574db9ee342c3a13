//! SOCKS negotiation, version 4, 4a and 5, up to where the tunnel begins.
//!
//! It follows the SOCKS 4 and 4A memos, RFC 1928 (version 5) and RFC 1929 (user name and password).
//! It must not know what is sent through the tunnel.
//!
//! Invariants: user names and passwords are counted off, never kept; all that is held is bounded;
//! the facts do not depend on how the bytes of a frame are split; no byte behind the answer that
//! granted the tunnel is taken.

mod probe;

use std::fmt;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use probe::probe;

use crate::limits;
use crate::proto::early::Early;
use crate::proto::{Mark, Peer};

/// The version spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocksVersion {
    /// Version 4: the client looked the name up.
    V4,
    /// Version 4a: the proxy looks the name up.
    V4a,
    /// Version 5.
    V5,
}

/// The host that a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocksHost {
    /// By its address.
    Address(IpAddr),
    /// By its name, as it was sent.
    Name(String),
}

/// Where a client wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocksTarget {
    /// The host.
    pub host: SocksHost,
    /// The port.
    pub port: u16,
}

/// How far the negotiation came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocksState {
    /// Something else was sent, or a part that is needed was lost.
    Broken,
    /// The tunnel is open; or the client used it where the answer was not captured.
    Granted,
    /// It goes on.
    #[default]
    Negotiating,
    /// It went on in a way that is not followed: GSS-API, a command other than connect.
    Other,
    /// The proxy said no.
    Refused,
}

/// What a negotiation told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocksFacts {
    /// The version.
    pub version: Option<SocksVersion>,
    /// The methods offered (RFC 1928 section 3).
    pub offered: Vec<u8>,
    /// The method chosen; see [`method_name`].
    pub method: Option<u8>,
    /// Whether the proxy took the user name and password.
    pub authenticated: Option<bool>,
    /// The command; 1 is connect.
    pub command: Option<u8>,
    /// Where the client wants to go.
    pub target: Option<SocksTarget>,
    /// The answer to the command; see [`reply_name`].
    pub reply: Option<u8>,
    /// The frame of the first byte of the client.
    pub first: Option<Mark>,
    /// The frame in which the request was complete.
    pub request: Option<Mark>,
    /// The frame of the last message of the proxy.
    pub answer: Option<Mark>,
}

/// A SOCKS negotiation.
#[derive(Default)]
pub struct Socks {
    facts: SocksFacts,
    state: SocksState,
    client: Client,
    server: Server,
    /// The message of the client that is read; never a user name or a password.
    asked: Vec<u8>,
    /// The message of the proxy that is read.
    answered: Vec<u8>,
    /// What the client sent before it was known how to read it.
    early: Early,
    /// Whether the answer to the command was not captured.
    answer_lost: bool,
}

/// What the client sends next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    /// RFC 1929 section 2: the length of the user name or of the password.
    AuthLength {
        password: bool,
    },
    /// The user name or the password, with so many bytes left.
    AuthText {
        left: u8,
        password: bool,
    },
    AuthVersion,
    /// Nothing that can be read before the proxy chose a method.
    AwaitMethod,
    /// What belongs into the tunnel.
    Done,
    /// RFC 1928 section 3.
    Greeting,
    /// RFC 1928 section 4.
    Request,
    #[default]
    Start,
    /// The eight bytes that version 4 begins with.
    V4Head,
    V4Name,
    /// The user of version 4, with so many bytes read.
    V4User(u16),
}

/// What the proxy sends next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    /// RFC 1929 section 2.
    Auth,
    /// RFC 1928 section 3.
    #[default]
    Method,
    /// RFC 1928 section 6, or the reply of version 4.
    Reply,
}

impl Socks {
    /// A negotiation at its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives bytes of one side in stream order, and returns how many were taken.
    ///
    /// Fewer than given were taken when the tunnel was granted there: the rest belongs to what is
    /// inside, behind [`Socks::take_early`].
    pub fn data(&mut self, from: Peer, bytes: &[u8], mark: Mark) -> usize {
        match from {
            Peer::Client => self.client_bytes(bytes, mark),
            Peer::Server => self.server_bytes(bytes, mark),
        }
    }

    /// Passes over bytes of one side that the capture lost.
    pub fn gap(&mut self, from: Peer, length: u64) {
        if self.state != SocksState::Negotiating || length == 0 {
            return;
        }
        match (from, self.client, self.server) {
            (Peer::Client, Client::Done, _) => self.early.lose(length),
            (Peer::Server, Client::Done, Server::Reply) => {
                self.answer_lost = true;
                if !self.early.is_empty() {
                    self.state = SocksState::Granted;
                }
            }
            _ => self.state = SocksState::Broken,
        }
    }

    /// How far it came.
    pub const fn state(&self) -> SocksState {
        self.state
    }

    /// What it told.
    pub const fn facts(&self) -> &SocksFacts {
        &self.facts
    }

    /// What the client sent into the tunnel before it was granted.
    pub fn take_early(&mut self) -> Early {
        if self.state == SocksState::Granted {
            mem::take(&mut self.early)
        } else {
            Early::default()
        }
    }

    fn client_bytes(&mut self, bytes: &[u8], mark: Mark) -> usize {
        self.facts.first.get_or_insert(mark);
        let mut rest = bytes;
        while let [byte, behind @ ..] = rest {
            match (self.state, self.client) {
                (SocksState::Granted, _) => break,
                (SocksState::Negotiating, Client::AwaitMethod) => {
                    let free = limits::SOCKS_HELD.saturating_sub(self.early.held());
                    if self.early.push(rest.get(..free).unwrap_or(rest), mark) < rest.len() {
                        self.state = SocksState::Broken;
                    }
                    return bytes.len();
                }
                (SocksState::Negotiating, Client::Done) => {
                    let taken = self.early.push(rest, mark);
                    // A client that goes on has its answer, whether it was captured or not.
                    if self.answer_lost || taken < rest.len() {
                        self.state = SocksState::Granted;
                    }
                    rest = rest.get(taken..).unwrap_or_default();
                }
                (SocksState::Negotiating, _) => {
                    if self.client_byte(*byte, mark).is_none() {
                        self.state = SocksState::Broken;
                    }
                    rest = behind;
                }
                _ => return bytes.len(),
            }
        }
        bytes.len().saturating_sub(rest.len())
    }

    /// Reads one byte of the client; `None` when it does not fit.
    fn client_byte(&mut self, byte: u8, mark: Mark) -> Option<()> {
        match self.client {
            Client::AuthLength { password } | Client::AuthText { left: 0, password } => {
                self.client = auth_text(byte, password);
            }
            Client::AuthText { left, password } => {
                self.client = auth_text(left.saturating_sub(1), password);
            }
            Client::AuthVersion => {
                (byte == 1).then_some(())?;
                self.client = Client::AuthLength { password: false };
            }
            Client::AwaitMethod | Client::Done => {}
            Client::Greeting => {
                self.asked.push(byte);
                if let Some((count, methods)) = self.asked.split_first()
                    && methods.len() == usize::from(*count)
                {
                    self.facts.offered = methods.to_vec();
                    self.asked.clear();
                    // With one method there is no choice to wait for.
                    self.client = match self.facts.offered.as_slice() {
                        [only] => after_method(*only),
                        _ => Client::AwaitMethod,
                    };
                }
            }
            Client::Request => {
                self.asked.push(byte);
                if let V5Part::Whole { code, target } = v5_message(&self.asked)? {
                    (self.facts.command, self.facts.target) = (Some(code), Some(target));
                    self.requested(mark);
                }
            }
            Client::Start => self.client_start(byte)?,
            Client::V4Head => {
                self.asked.push(byte);
                if let [command, port @ .., a, b, c, d] = self.asked.as_slice()
                    && let [high, low] = port
                {
                    let target = SocksTarget {
                        host: SocksHost::Address(Ipv4Addr::new(*a, *b, *c, *d).into()),
                        port: u16::from_be_bytes([*high, *low]),
                    };
                    self.facts.command = Some(*command);
                    self.facts.target = Some(target);
                    if matches!((*a, *b, *c, *d), (0, 0, 0, 1..)) {
                        self.facts.version = Some(SocksVersion::V4a);
                    }
                    self.asked.clear();
                    self.client = Client::V4User(0);
                }
            }
            Client::V4Name if byte == 0 => {
                let name = String::from_utf8_lossy(&mem::take(&mut self.asked)).into_owned();
                if let Some(target) = &mut self.facts.target {
                    target.host = SocksHost::Name(name);
                }
                self.requested(mark);
            }
            Client::V4Name => {
                self.asked.push(byte);
                (self.asked.len() <= MAX_TEXT).then_some(())?;
            }
            Client::V4User(_) if byte == 0 => {
                if self.facts.version == Some(SocksVersion::V4a) {
                    self.client = Client::V4Name;
                } else {
                    self.requested(mark);
                }
            }
            Client::V4User(read) => {
                (usize::from(read) < MAX_TEXT).then_some(())?;
                self.client = Client::V4User(read.saturating_add(1));
            }
        }
        Some(())
    }

    fn client_start(&mut self, byte: u8) -> Option<()> {
        match byte {
            4 => {
                self.facts.version = Some(SocksVersion::V4);
                self.client = Client::V4Head;
                self.server = Server::Reply;
            }
            5 => {
                self.facts.version = Some(SocksVersion::V5);
                self.client = Client::Greeting;
            }
            _ => return None,
        }
        Some(())
    }

    /// Notes that the request is whole.
    fn requested(&mut self, mark: Mark) {
        self.asked = Vec::new();
        self.facts.request = Some(mark);
        self.client = Client::Done;
    }

    fn server_bytes(&mut self, bytes: &[u8], mark: Mark) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            match self.state {
                SocksState::Granted => return index,
                SocksState::Negotiating if self.answer_lost => {
                    self.state = SocksState::Granted;
                    return index;
                }
                SocksState::Negotiating => {
                    self.answered.push(*byte);
                    if self.server_message(mark).is_none() {
                        self.state = SocksState::Broken;
                    }
                }
                _ => break,
            }
        }
        bytes.len()
    }

    /// Reads the message of the proxy if it is whole; `None` when it does not fit.
    fn server_message(&mut self, mark: Mark) -> Option<()> {
        match (self.server, self.answered.as_slice()) {
            (Server::Auth | Server::Method, [_]) => return Some(()),
            (Server::Auth, [_, code]) => {
                self.facts.authenticated = Some(*code == 0);
                if *code != 0 {
                    self.state = SocksState::Refused;
                }
                self.server = Server::Reply;
            }
            (Server::Method, [5, method]) => {
                let method = *method;
                self.facts.method = Some(method);
                self.choose(method, mark);
            }
            (Server::Reply, answer) if self.facts.version == Some(SocksVersion::V5) => {
                let V5Part::Whole { code, .. } = v5_message(answer)? else { return Some(()) };
                self.facts.reply = Some(code);
                self.conclude(code == 0);
            }
            (Server::Reply, [0 | 4, code, ..]) if self.facts.version.is_some() => {
                if self.answered.len() < V4_REPLY {
                    return Some(());
                }
                let code = *code;
                self.facts.reply = Some(code);
                self.conclude(code == 0x5a);
            }
            (Server::Reply, [0 | 4]) if self.facts.version.is_some() => return Some(()),
            _ => return None,
        }
        self.answered.clear();
        self.facts.answer = Some(mark);
        Some(())
    }

    /// Goes on by the method that the proxy chose.
    fn choose(&mut self, method: u8, mark: Mark) {
        match method {
            0 => self.server = Server::Reply,
            2 => self.server = Server::Auth,
            0xff => self.state = SocksState::Refused,
            _ => self.state = SocksState::Other,
        }
        if self.client == Client::AwaitMethod {
            self.client = after_method(method);
            let early = mem::take(&mut self.early);
            if self.state == SocksState::Negotiating {
                for (bytes, mark) in early.pieces() {
                    self.client_bytes(bytes, mark);
                }
            }
        } else if self.client == Client::Start {
            // The proxy spoke first.
            self.state = SocksState::Broken;
            self.facts.answer = Some(mark);
        }
    }

    fn conclude(&mut self, granted: bool) {
        self.state = match self.facts.command {
            _ if !granted => SocksState::Refused,
            None => SocksState::Broken,
            Some(CONNECT) => SocksState::Granted,
            Some(_) => SocksState::Other,
        };
    }
}

/// As much as came of a request or a reply of version 5; both have one form (RFC 1928 sections 4
/// and 6).
enum V5Part {
    More,
    Whole { code: u8, target: SocksTarget },
}

/// Reads a message of version 5 if it is whole; `None` when it does not fit.
fn v5_message(bytes: &[u8]) -> Option<V5Part> {
    let ([5] | [5, _] | [5, _, _] | [5, _, _, ..]) = bytes else { return None };
    let [_, code, _, kind, rest @ ..] = bytes else { return Some(V5Part::More) };
    let (host, port) = match kind {
        1 => {
            let Some((address, port)) = rest.split_first_chunk::<4>() else {
                return Some(V5Part::More);
            };
            (SocksHost::Address(Ipv4Addr::from(*address).into()), port)
        }
        3 => {
            let Some((length, rest)) = rest.split_first() else { return Some(V5Part::More) };
            let Some((name, port)) = rest.split_at_checked(usize::from(*length)) else {
                return Some(V5Part::More);
            };
            (SocksHost::Name(String::from_utf8_lossy(name).into_owned()), port)
        }
        4 => {
            let Some((address, port)) = rest.split_first_chunk::<16>() else {
                return Some(V5Part::More);
            };
            (SocksHost::Address(Ipv6Addr::from(*address).into()), port)
        }
        _ => return None,
    };
    let [high, low] = port else { return Some(V5Part::More) };
    let port = u16::from_be_bytes([*high, *low]);
    Some(V5Part::Whole { code: *code, target: SocksTarget { host, port } })
}

/// What a client sends after the choice of a method.
const fn after_method(method: u8) -> Client {
    match method {
        0 => Client::Request,
        2 => Client::AuthVersion,
        _ => Client::AwaitMethod,
    }
}

/// What follows with so many bytes of the user name or the password left.
const fn auth_text(left: u8, password: bool) -> Client {
    match (left, password) {
        (0, false) => Client::AuthLength { password: true },
        (0, true) => Client::Request,
        (left, password) => Client::AuthText { left, password },
    }
}

/// The name of a method (RFC 1928 section 3).
pub const fn method_name(method: u8) -> &'static str {
    match method {
        0x00 => "no authentication",
        0x01 => "GSS-API",
        0x02 => "user name and password",
        0x03..=0x7f => "assigned method",
        0x80..=0xfe => "private method",
        0xff => "no acceptable method",
    }
}

/// The name of the answer to a command (RFC 1928 section 6; for version 4 its memo).
pub const fn reply_name(code: u8) -> &'static str {
    match code {
        0x00 => "succeeded",
        0x01 => "general failure",
        0x02 => "not allowed by the rules",
        0x03 => "network unreachable",
        0x04 => "host unreachable",
        0x05 => "connection refused",
        0x06 => "TTL expired",
        0x07 => "command not supported",
        0x08 => "address type not supported",
        0x5a => "granted",
        0x5b => "rejected or failed",
        0x5c => "identd of the client not reachable",
        0x5d => "identd names another user",
        _ => "unassigned code",
    }
}

impl fmt::Display for SocksTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            SocksHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            SocksHost::Address(address) => write!(f, "{address}:{}", self.port),
            SocksHost::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl fmt::Debug for Socks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks")
            .field("facts", &self.facts)
            .field("state", &self.state)
            .field("early", &self.early)
            .finish_non_exhaustive()
    }
}

/// Entry for fuzzing: any bytes as pieces of both sides and holes.
#[doc(hidden)]
pub fn fuzz_socks(bytes: &[u8]) {
    let mut socks = Socks::new();
    let frame = std::num::NonZeroU64::MIN;
    let mark = Mark { frame, at: crate::time::Timestamp::from_nanoseconds(0) };
    let mut rest = bytes;
    while let [kind, length, behind @ ..] = rest {
        let from = if kind & 1 == 0 { Peer::Client } else { Peer::Server };
        let (piece, next) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, &[]));
        if kind & 0xe0 == 0 {
            socks.gap(from, u64::from(*length));
        } else {
            let taken = socks.data(from, piece, mark);
            assert!(taken == piece.len() || socks.state == SocksState::Granted, "all is taken");
        }
        assert!(socks.asked.len() <= 512 && socks.answered.len() <= 512, "messages are bounded");
        rest = next;
    }
    probe(bytes, 1080);
    probe(bytes, 443);
}

/// The command that asks for a tunnel.
const CONNECT: u8 = 1;
/// Bytes of a reply of version 4.
const V4_REPLY: usize = 8;
/// Bytes of a name or a user of version 4.
const MAX_TEXT: usize = 255;

#[cfg(test)]
mod tests;
