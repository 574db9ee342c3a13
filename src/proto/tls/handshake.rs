//! Handshake messages in clear: how they are put together from records, and the ServerHello.
//!
//! It follows RFC 8446 section 4, RFC 5246 section 7.4, and the drafts of TLS 1.3 for hellos that
//! wear their numbers. Names of cipher suites come from the `tls-parser` crate, which is named only
//! here.
//!
//! Invariants: at most one message is held, of at most [`limits::TLS_MESSAGE`] bytes, and only while
//! it is incomplete; messages that nobody reads are never held.

use std::borrow::Cow;

use super::hello::SessionId;
use super::reader::Reader;
use crate::limits;
use crate::proto::Mark;

/// Bytes that a message in several segments is expected to have at most: more are made room for as they
/// come, since what a header announces need not follow.
const USUAL_MESSAGE: usize = 4 << 10;
/// Types of messages.
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
pub(super) const END_OF_EARLY_DATA: u8 = 5;
pub(super) const OLD_RETRY_REQUEST: u8 = 6;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;
const CERTIFICATE_STATUS: u8 = 22;
pub(super) const KEY_UPDATE: u8 = 24;

/// Where and how a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The frame its first byte came with, or the header of its record.
    pub first: Mark,
    /// The frame that completed it.
    pub mark: Mark,
    /// Segments it came in.
    pub segments: u32,
    /// Bytes of the message as it announces itself, its header of four bytes included.
    pub length: u32,
    /// Whether all of it was there.
    pub is_whole: bool,
}

/// A message, or what was there of it.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) seen: Seen,
}

/// What the next record's bytes are to the assembler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// A message continues or begins.
    Open,
    /// Only a ClientHello that fills the record, of this length, is believed.
    OnlyHello(u32),
    /// Only what looks like the header of a message is believed.
    Plausible,
}

/// The place and time of a piece of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) mark: Mark,
    /// Number of the segment.
    pub(super) call: u32,
}

/// What came of a piece.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// A message is complete.
    Message(Message<'a>),
    /// More bytes are needed.
    More,
    /// The record is not a handshake in clear after all.
    Sealed,
}

/// Puts the messages of one side together.
#[derive(Debug)]
pub(super) struct Messages {
    header: [u8; 4],
    /// Bytes of the header that are there: `0 <= have <= 4`.
    have: u8,
    /// Bytes of the message still to come.
    left: u32,
    /// What is held of it: empty unless it is wanted and incomplete.
    held: Vec<u8>,
    /// Whether the rest of the message is passed over.
    discard: bool,
    gate: Gate,
    begun: Option<Moment>,
    /// Messages passed over because of their size.
    pub(super) oversized: u32,
}

impl Messages {
    pub(super) const fn new() -> Self {
        Self {
            header: [0; 4],
            have: 0,
            left: 0,
            held: Vec::new(),
            discard: false,
            gate: Gate::Open,
            begun: None,
            oversized: 0,
        }
    }

    /// Bytes held.
    pub(super) const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// A handshake record begins here. What began before it and is incomplete goes on.
    pub(super) fn record(&mut self, gate: Gate, begun: Moment) {
        if self.have == 0 {
            self.gate = gate;
            self.begun = Some(begun);
        }
    }

    /// Takes what the next message needs of `rest`, which must be all of one record and segment.
    pub(super) fn take<'a>(&mut self, rest: &mut &'a [u8], now: Moment) -> Taken<'a> {
        self.begun.get_or_insert(now);
        while self.have < 4 {
            let Some((byte, behind)) = rest.split_first() else { return Taken::More };
            if let Some(slot) = self.header.get_mut(usize::from(self.have)) {
                *slot = *byte;
            }
            self.have = self.have.saturating_add(1);
            *rest = behind;
            if self.have == 4 && !self.opens() {
                self.reset();
                return Taken::Sealed;
            }
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at_checked(count).unwrap_or((*rest, &[]));
        *rest = behind;
        self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        let done = self.left == 0;
        if !done && !self.discard {
            if self.held.is_empty() {
                let all = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(count);
                self.held.reserve_exact(all.min(USUAL_MESSAGE));
            }
            self.held.extend_from_slice(piece);
        }
        if !done {
            return Taken::More;
        }
        let body = if self.discard {
            Cow::Borrowed([].as_slice())
        } else if self.held.is_empty() {
            Cow::Borrowed(piece)
        } else {
            self.held.extend_from_slice(piece);
            Cow::Owned(std::mem::take(&mut self.held))
        };
        let whole = !(self.discard && is_wanted(self.kind()));
        let message = self.message(body, now, whole);
        self.reset();
        Taken::Message(message)
    }

    /// Passes over bytes that the capture lost. The second value says whether the place of the next
    /// message is still known; the first is what was there of the one that is lost.
    pub(super) fn skip(&mut self, count: u64, now: Moment) -> (Option<Message<'static>>, bool) {
        let cut = self.cut(now);
        let known = self.have == 4 && u64::from(self.left) >= count;
        if known {
            self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            self.discard = true;
        }
        if !known || self.left == 0 {
            self.reset();
        }
        (cut, known)
    }

    /// What is there of a message that will not be completed.
    pub(super) fn cut(&mut self, now: Moment) -> Option<Message<'static>> {
        if self.have < 4 || self.discard || self.left == 0 {
            return None;
        }
        self.discard = true;
        let body = Cow::Owned(std::mem::take(&mut self.held));
        is_wanted(self.kind()).then(|| self.message(body, now, false))
    }

    /// Forgets what is incomplete.
    pub(super) fn reset(&mut self) {
        self.have = 0;
        self.left = 0;
        self.discard = false;
        self.gate = Gate::Open;
        self.begun = None;
        self.held = Vec::new();
    }

    /// Begins the message that an SSL 2.0 header of two bytes announces; `length` bytes follow.
    pub(super) fn begin_ssl2(&mut self, length: u32, begun: Moment) {
        let [_, high, mid, low] = length.to_be_bytes();
        self.header = [CLIENT_HELLO, high, mid, low];
        self.have = 4;
        self.left = length;
        self.begun = Some(begun);
    }

    const fn kind(&self) -> u8 {
        let [kind, ..] = self.header;
        kind
    }

    /// Looks at a header that is complete; `false` when it is none.
    fn opens(&mut self) -> bool {
        let [kind, high, mid, low] = self.header;
        let length = u32::from_be_bytes([0, high, mid, low]);
        let believed = match self.gate {
            Gate::Open => true,
            Gate::OnlyHello(record) => kind == CLIENT_HELLO && length.saturating_add(4) == record,
            Gate::Plausible => is_plausible(kind, length),
        };
        self.gate = Gate::Open;
        self.left = length;
        self.discard = !is_wanted(kind);
        if believed && !self.discard && length > limits::TLS_MESSAGE {
            self.discard = true;
            self.oversized = self.oversized.saturating_add(1);
        }
        believed
    }

    fn message<'a>(&self, body: Cow<'a, [u8]>, now: Moment, is_whole: bool) -> Message<'a> {
        let begun = self.begun.unwrap_or(now);
        let [kind, high, mid, low] = self.header;
        let announced = u32::from_be_bytes([0, high, mid, low]);
        let seen = Seen {
            first: begun.mark,
            mark: now.mark,
            segments: now.call.saturating_sub(begun.call).saturating_add(1),
            length: announced.saturating_add(4),
            is_whole,
        };
        Message { kind, body, seen }
    }
}

/// Messages whose body is read.
const fn is_wanted(kind: u8) -> bool {
    matches!(kind, CLIENT_HELLO | SERVER_HELLO | OLD_RETRY_REQUEST | CERTIFICATE)
}

/// Whether type and length are those of a message in clear; random bytes are so once in thousands.
fn is_plausible(kind: u8, length: u32) -> bool {
    match kind {
        CLIENT_HELLO | SERVER_HELLO => (38..=0x4000).contains(&length),
        CERTIFICATE => (3..=limits::TLS_MESSAGE).contains(&length),
        NEW_SESSION_TICKET | END_OF_EARLY_DATA | OLD_RETRY_REQUEST | ENCRYPTED_EXTENSIONS
        | SERVER_KEY_EXCHANGE | CERTIFICATE_REQUEST | CERTIFICATE_VERIFY | CLIENT_KEY_EXCHANGE
        | CERTIFICATE_STATUS => (1..=0x4000).contains(&length),
        SERVER_HELLO_DONE => length == 0,
        _ => false,
    }
}

/// A ServerHello or a `HelloRetryRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The frame that completed its record, or the message where the record is cut.
    pub mark: Mark,
    /// The version agreed on: that of `supported_versions`, else that of the message.
    pub version: u16,
    /// The cipher suite agreed on, see [`cipher_name`]; 0 where SSL 2.0 leaves the choice open.
    pub cipher: u16,
    /// The application protocol, where it is in clear (up to TLS 1.2).
    pub alpn: Option<Cow<'static, str>>,
    /// The group of the server's key share, or the one it asks for.
    pub group: Option<u16>,
    /// Whether it is a `HelloRetryRequest`.
    pub is_retry: bool,
    /// Whether it accepts a key shared before (TLS 1.3).
    pub psk: bool,
    /// Its random bytes.
    pub random: [u8; 32],
    /// Its session id; up to TLS 1.2 one that repeats the client's resumes that session.
    pub session_id: SessionId,
    /// Whether all of it was there and well formed.
    pub is_whole: bool,
}

impl ServerHello {
    /// Reads the body of the message; `None` when it is none.
    pub fn parse(body: &[u8], seen: Seen) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        if !is_hello_version(version) {
            return None;
        }
        let mut hello = Self {
            mark: seen.mark,
            version,
            cipher: 0,
            alpn: None,
            group: None,
            is_retry: false,
            psk: false,
            random: [0; 32],
            session_id: SessionId::EMPTY,
            is_whole: false,
        };
        hello.is_whole = hello.read(reader).is_some() && seen.is_whole;
        Some(hello)
    }

    /// Reads the `HelloRetryRequest` of drafts before 22: a message of its own.
    pub(super) fn parse_old_retry(body: &[u8], seen: Seen) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16().filter(|version| is_hello_version(*version))?;
        let mut hello = Self::parse(&version.to_be_bytes(), seen)?;
        hello.is_retry = true;
        Some(hello)
    }

    /// The hello of a server that speaks SSL 2.0.
    pub(super) const fn ssl2(mark: Mark) -> Self {
        Self {
            mark,
            version: 2,
            cipher: 0,
            alpn: None,
            group: None,
            is_retry: false,
            psk: false,
            random: [0; 32],
            session_id: SessionId::EMPTY,
            is_whole: true,
        }
    }

    fn read(&mut self, mut reader: Reader<'_>) -> Option<()> {
        self.random = reader.array()?;
        self.is_retry = self.random == RETRY_RANDOM;
        // Drafts before 22 had neither session id nor compression here.
        let is_old_draft = (0x7f00..0x7f16).contains(&self.version);
        if !is_old_draft {
            let id = reader.block8().filter(|id| id.is_whole)?;
            self.session_id = SessionId::new(id.bytes)?;
        }
        self.cipher = reader.u16()?;
        if !is_old_draft {
            reader.u8()?;
        }
        if reader.is_empty() {
            return Some(());
        }
        let block = reader.block16()?;
        let mut extensions = Reader::new(block.bytes);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let value = extensions.block16().filter(|value| value.is_whole)?;
            let mut value = Reader::new(value.bytes);
            match kind {
                super::hello::SUPPORTED_VERSIONS => self.version = value.u16()?,
                super::hello::PROTOCOLS => {
                    let list = value.block16()?;
                    let name = Reader::new(list.bytes).block8()?;
                    self.alpn = Some(super::hello::protocol_text(name.bytes));
                }
                super::hello::KEY_SHARE => self.group = value.u16(),
                super::hello::PRE_SHARED_KEY => self.psk = true,
                _ => {}
            }
        }
        block.is_whole.then_some(())
    }
}

/// Whether a hello may carry this version: SSL 3.0 to TLS 1.2, or a draft.
pub(super) const fn is_hello_version(version: u16) -> bool {
    let [high, low] = version.to_be_bytes();
    (high == 3 && low <= 4) || matches!(high, 0x7e | 0x7f)
}

/// The registered name of a cipher suite.
pub fn cipher_name(cipher: u16) -> Option<&'static str> {
    tls_parser::TlsCipherSuite::from_id(cipher).map(|suite| suite.name)
}

/// The random bytes that mark a `HelloRetryRequest` (RFC 8446 section 4.1.3).
pub(super) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
