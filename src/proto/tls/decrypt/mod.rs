//! Decrypts what both sides of a connection say, with secrets of a key log.
//!
//! It follows RFC 8446 (TLS 1.3 and its drafts from 18 on) and RFC 5246, 4346 and 2246 (TLS 1.2 to
//! 1.0) with the extensions that change keys or records. It does its own framing and must not know
//! what the text means. Facts about the handshake are the business of the stream beside it.
//!
//! Invariants: a record is held only when a secret for it is known, at most one of each side; what
//! is given was proven to be what the sender wrote; work done in vain is bounded for a connection.

mod cipher;
mod lock;
mod messages;
mod opening;
mod schedule;
mod session;
mod suite;
#[cfg(test)]
mod tests;

use std::fmt;

use self::cipher::Credit;
use self::lock::{Lock, Stage};
use self::messages::Messages;
use self::session::Session;
use super::facts::Sides;
use super::handshake::Seen;
use super::hello::ClientHello;
use super::key_log::KeyLog;
use super::record::{self, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, Header};
use crate::proto::{Mark, Peer};

/// Where what was opened goes.
type Out<'a> = &'a mut dyn FnMut(Opened<'_>);

/// Opens the records of one connection.
///
/// It runs beside [`TlsStream`](super::TlsStream) and takes the same bytes.
pub struct TlsOpener {
    sides: Sides<Side>,
    session: Session,
    /// The random bytes of the first ClientHello.
    random: Option<[u8; 32]>,
    /// Whether the side that was said to be the server sent the ClientHello.
    is_reversed: bool,
    /// Why nothing can be opened.
    reason: Option<Access>,
    has_failed: bool,
    credit: Credit,
    opened: Sides<u64>,
    dark: Sides<u64>,
    /// Data that the client sent early, until it is known whether the server took them.
    early: Vec<(Mark, Vec<u8>)>,
    is_early_taken: bool,
}

/// A piece of what was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// An alert that was encrypted.
    Alert {
        /// Who sent it.
        from: Peer,
        /// 1 is a warning, 2 is fatal.
        level: u8,
        /// The registered number.
        code: u8,
        /// The frame that completed its record.
        mark: Mark,
    },
    /// Application data.
    Data {
        /// Who sent them.
        from: Peer,
        /// What was sent.
        bytes: &'a [u8],
        /// The frame that completed their record.
        mark: Mark,
    },
    /// Application data of unknown length may be missing here.
    Gap {
        /// Whose they are.
        from: Peer,
        /// The frame that shows that they are missing, or the one behind.
        mark: Mark,
    },
    /// A handshake message that was encrypted.
    Handshake {
        /// Who sent it.
        from: Peer,
        /// The type of the message.
        kind: u8,
        /// The message without its header.
        body: &'a [u8],
        /// The frame that completed its record.
        mark: Mark,
    },
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// There were secrets, and they opened nothing.
    Failed,
    /// The hellos were not both seen, so that secrets cannot be found.
    MidStream,
    /// The key log has no secret for it.
    NoSecret,
    /// Records were opened.
    Open,
    /// This suite is not known, or used with compression.
    Suite(u16),
    /// This version is not known.
    Version(u16),
    /// Nothing encrypted came yet.
    Waiting,
}

/// The state of one side.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent states of one side")]
struct Side {
    phase: Phase,
    /// The header of the record; `0 <= have <= 5` bytes of the next one are there.
    header: [u8; HEADER],
    have: u8,
    /// Bytes of the record's body, and those still to come: `left <= length`.
    length: u16,
    left: u16,
    reading: Reading,
    /// What is held of a record that may be opened.
    buffer: Vec<u8>,
    messages: Messages,
    lock: Option<Box<Lock>>,
    /// Whether the next record has the next key.
    is_turning: bool,
    /// Whether the side said that it encrypts from now on.
    is_changed: bool,
    /// Whether nothing of the side can be opened any more.
    is_closed: bool,
    /// Whether records may be missing in front of the next one, and how many bytes are.
    is_unsure: bool,
    missing: u64,
    /// Whether the place of the record was guessed.
    is_guess: bool,
    /// The last byte of the version that encrypted records wear.
    version: Option<u8>,
    /// Whether data were given.
    has_data: bool,
    /// Whether data may be missing, and whether that was told.
    is_torn: bool,
    is_told: bool,
}

/// Where a side's stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// In the body of a record.
    Body,
    /// At or in the header of a record.
    Header,
    /// Somewhere.
    Lost,
    /// Nothing was seen.
    #[default]
    Start,
}

/// What is made of the body of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    /// Handshake messages in clear.
    Clear,
    /// Encrypted, and not to be opened.
    Dark,
    /// Encrypted, and held.
    Held,
    /// Of no interest.
    #[default]
    Passed,
    /// A hello of SSL 2.0 form.
    Ssl2,
    /// Bytes of it are missing.
    Torn,
}

impl Side {
    /// Loses the place in the stream.
    fn lose(&mut self) {
        let here = match self.phase {
            Phase::Body => {
                usize::from(self.length.saturating_sub(self.left)).saturating_add(HEADER)
            }
            _ => usize::from(self.have),
        };
        self.miss(u64::try_from(here).unwrap_or(0));
        self.phase = Phase::Lost;
        self.have = 0;
        self.left = 0;
        self.is_unsure = true;
        self.is_guess = false;
        self.buffer = Vec::new();
        self.messages.reset();
        if let Some(lock) = &mut self.lock {
            lock.lose();
        }
    }

    fn miss(&mut self, bytes: u64) {
        self.missing = self.missing.saturating_add(bytes);
    }

    const fn kind(&self) -> u8 {
        let [kind, ..] = self.header;
        kind
    }

    fn stage(&self) -> Option<Stage> {
        self.lock.as_ref().map(|lock| lock.stage)
    }

    /// Whether these bytes, as far as they go, may be the header of a record that can be opened.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        let is_old = matches!(self.stage(), Some(Stage::Old(_)));
        let kind = |kind: u8| kind == APPLICATION || is_old && matches!(kind, 21 | HANDSHAKE);
        let minor = |minor: u8| self.version.map_or(minor <= 3, |version| version == minor);
        let fits = bytes.first().is_none_or(|byte| kind(*byte))
            && bytes.get(1).is_none_or(|byte| *byte == 3)
            && bytes.get(2).is_none_or(|byte| minor(*byte));
        match bytes.first_chunk::<HEADER>() {
            _ if !fits => false,
            None => true,
            Some(head) => Header::read(*head).is_some_and(|header| {
                let next = usize::from(header.length).saturating_add(HEADER);
                let behind = bytes.get(next..).and_then(|bytes| bytes.first_chunk::<HEADER>());
                header.length >= SHORTEST && behind.is_none_or(|next| Header::read(*next).is_some())
            }),
        }
    }
}

impl Default for TlsOpener {
    fn default() -> Self {
        Self {
            sides: Sides::default(),
            session: Session::default(),
            random: None,
            is_reversed: false,
            reason: None,
            has_failed: false,
            credit: Credit::new(),
            opened: Sides::default(),
            dark: Sides::default(),
            early: Vec::new(),
            is_early_taken: false,
        }
    }
}

impl fmt::Debug for TlsOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOpener")
            .field("access", &self.access())
            .field("opened", &self.opened)
            .field("dark", &self.dark)
            .finish_non_exhaustive()
    }
}

impl TlsOpener {
    /// A connection that begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connection was there before the capture: records are looked for at the start of segments.
    pub fn start_mid_stream(&mut self) {
        self.sides.client.lose();
        self.sides.server.lose();
    }

    /// Takes the next bytes of a side, which came in one segment.
    pub fn data(&mut self, from: Peer, bytes: &[u8], mark: Mark, keys: &KeyLog, out: Out<'_>) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_hopeless() {
            rest = match self.sides.of(from).phase {
                Phase::Body => self.body(from, rest, mark, keys, out),
                Phase::Header | Phase::Start => self.header(from, rest, mark, keys, out),
                Phase::Lost => self.seek(from, rest, rest.len() == bytes.len(), keys),
            };
        }
        let is_hopeless = self.is_hopeless();
        let side = self.sides.of_mut(from);
        if is_hopeless || side.phase != Phase::Body {
            side.buffer = Vec::new();
        }
    }

    /// Takes note of bytes of a side that the capture does not hold: lost, or cut from their frames.
    pub fn gap(&mut self, from: Peer, length: u64, mark: Mark, keys: &KeyLog, out: Out<'_>) {
        if length == 0 || self.is_hopeless() {
            return;
        }
        let side = self.sides.of_mut(from);
        let inside = u16::try_from(length).ok().filter(|length| *length <= side.left);
        if let Some(inside) = inside.filter(|_| side.phase == Phase::Body && !side.is_guess) {
            side.left = side.left.saturating_sub(inside);
            if side.reading == Reading::Clear {
                side.messages.reset();
                self.session.lose();
            }
            let side = self.sides.of_mut(from);
            if !matches!(side.reading, Reading::Dark | Reading::Passed) {
                side.reading = Reading::Torn;
                side.buffer = Vec::new();
            }
            if side.left == 0 {
                self.end_record(from, mark, keys, out);
            }
            return;
        }
        if side.phase == Phase::Body && side.kind() == APPLICATION {
            let here = u64::from(side.length);
            let dark = self.dark.of_mut(from);
            *dark = dark.saturating_add(here);
        }
        let side = self.sides.of_mut(from);
        let is_sealed = side.lock.is_some() || side.has_data;
        side.lose();
        side.miss(length);
        if !is_sealed {
            self.session.lose();
        }
        self.note_loss(from, mark, out);
    }

    /// What became of the connection.
    pub fn access(&self) -> Access {
        if self.opened.client > 0 || self.opened.server > 0 {
            return Access::Open;
        }
        let failed = self.has_failed.then_some(Access::Failed);
        self.reason.or(failed).unwrap_or(Access::Waiting)
    }

    /// Bytes of records of application data that stayed closed, of each side.
    pub const fn dark(&self) -> Sides<u64> {
        self.dark
    }

    /// Records that were opened, of each side.
    pub const fn opened(&self) -> Sides<u64> {
        self.opened
    }

    /// Whether nothing more can be opened.
    pub const fn is_hopeless(&self) -> bool {
        self.sides.client.is_closed && self.sides.server.is_closed
    }

    /// The random bytes of the first ClientHello, by which its secrets are found.
    pub const fn client_random(&self) -> Option<[u8; 32]> {
        self.random
    }

    /// Bytes that are held of incomplete records and messages.
    pub fn held(&self) -> usize {
        let side = |side: &Side| side.buffer.capacity().saturating_add(side.messages.held());
        let sides = side(&self.sides.client).saturating_add(side(&self.sides.server));
        let early: usize = self.early.iter().map(|(_, bytes)| bytes.capacity()).sum();
        sides.saturating_add(self.session.held()).saturating_add(early)
    }

    /// The side that a side is by what it says.
    const fn role(&self, from: Peer) -> Peer {
        if self.is_reversed { from.other() } else { from }
    }

    /// Looks for the place where a record begins.
    fn seek<'a>(&mut self, from: Peer, rest: &'a [u8], is_first: bool, keys: &KeyLog) -> &'a [u8] {
        let may_scan = self.may_scan(from, keys);
        let side = self.sides.of_mut(from);
        // Where a record can prove that it is one, it may begin anywhere.
        let at = if is_first && record::resumes(rest) {
            Some(0)
        } else if may_scan {
            (0..rest.len()).find(|at| rest.get(*at..).is_some_and(|bytes| side.may_begin(bytes)))
        } else {
            None
        };
        let (passed, behind) =
            rest.split_at_checked(at.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        side.miss(u64::try_from(passed.len()).unwrap_or(0));
        if at.is_some() {
            side.phase = Phase::Header;
            side.is_guess = may_scan;
        }
        behind
    }

    /// Takes what the header of a record needs.
    fn header<'a>(
        &mut self,
        from: Peer,
        rest: &'a [u8],
        mark: Mark,
        keys: &KeyLog,
        out: Out<'_>,
    ) -> &'a [u8] {
        let side = self.sides.of_mut(from);
        let wanted = HEADER.saturating_sub(usize::from(side.have)).min(rest.len());
        let (piece, behind) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
        let empty = side.header.iter_mut().skip(usize::from(side.have));
        empty.zip(piece).for_each(|(slot, byte)| *slot = *byte);
        side.have = side.have.saturating_add(u8::try_from(piece.len()).unwrap_or(u8::MAX));
        if usize::from(side.have) < HEADER {
            return behind;
        }
        let is_start = side.phase == Phase::Start;
        let header = Header::read(side.header);
        let header = header.filter(|_| !side.is_guess || side.may_begin(&side.header));
        if let Some(header) = header {
            side.have = 0;
            side.length = header.length;
            side.left = header.length;
            side.phase = Phase::Body;
            self.begin_record(from, header.kind, keys);
            if header.length == 0 {
                self.end_record(from, mark, keys, out);
            }
        } else if is_start && record::is_ssl2(side.header, from == Peer::Client) {
            side.have = 0;
            side.length = u16::try_from(record::ssl2_length(&side.header)).unwrap_or(0);
            // Three bytes of the message are in what was taken as a header.
            side.left = side.length.saturating_sub(3);
            side.phase = Phase::Body;
            side.reading = Reading::Ssl2;
        } else if is_start {
            side.is_closed = true;
            self.sides.of_mut(from.other()).is_closed = true;
        } else {
            side.lose();
            self.note_loss(from, mark, out);
        }
        behind
    }

    /// The header of a record is complete.
    fn begin_record(&mut self, from: Peer, kind: u8, keys: &KeyLog) {
        let reading = if !self.is_sealed(from, kind) {
            if kind == HANDSHAKE { Reading::Clear } else { Reading::Passed }
        } else if self.unlock(from, keys) {
            Reading::Held
        } else {
            Reading::Dark
        };
        let side = self.sides.of_mut(from);
        side.reading = reading;
        if reading == Reading::Held && !side.is_guess {
            let [_, _, minor, ..] = side.header;
            side.version = Some(minor);
        }
    }

    /// Takes what the body of a record needs.
    fn body<'a>(
        &mut self,
        from: Peer,
        rest: &'a [u8],
        mark: Mark,
        keys: &KeyLog,
        out: Out<'_>,
    ) -> &'a [u8] {
        let side = self.sides.of_mut(from);
        let count = usize::from(side.left).min(rest.len());
        let (piece, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        side.left = side.left.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
        let ends = side.left == 0;
        match side.reading {
            Reading::Clear => self.clear(from, piece),
            Reading::Held | Reading::Ssl2 => {
                if side.buffer.capacity() < usize::from(side.length) {
                    side.buffer.reserve_exact(usize::from(side.length));
                }
                side.buffer.extend_from_slice(piece);
            }
            Reading::Dark | Reading::Passed | Reading::Torn => {}
        }
        if ends {
            self.end_record(from, mark, keys, out);
        }
        behind
    }

    /// Reads a piece of a handshake record in clear.
    fn clear(&mut self, from: Peer, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let before = rest;
            let side = self.sides.of_mut(from);
            let message = side.messages.take(&mut rest, Session::is_wanted);
            let taken = before.len().saturating_sub(rest.len());
            self.session.hear(before.get(..taken).unwrap_or_default());
            if let Some(message) = message {
                self.session.take(&message);
                if self.random.is_none() && self.session.client().is_some() {
                    self.random = self.session.client();
                    self.is_reversed = from == Peer::Server;
                }
            }
        }
    }

    /// The body of a record is complete, or what is missing of it is known to be over.
    fn end_record(&mut self, from: Peer, mark: Mark, keys: &KeyLog, out: Out<'_>) {
        let side = self.sides.of_mut(from);
        side.phase = Phase::Header;
        let (kind, length) = (side.kind(), side.length);
        match side.reading {
            Reading::Clear => {}
            Reading::Dark => self.stay_dark(from, mark, out),
            Reading::Held => self.open_record(from, mark, keys, out),
            Reading::Passed => {
                if kind == CHANGE_CIPHER_SPEC {
                    side.is_changed = true;
                    side.messages.reset();
                }
            }
            Reading::Ssl2 => {
                let message = [side.header.get(2..).unwrap_or_default(), &side.buffer].concat();
                let length = u32::from(length);
                let seen = Seen { first: mark, mark, segments: 1, length, is_whole: true };
                let hello = ClientHello::parse_ssl2(&message, seen).filter(|hello| hello.is_whole);
                if let Some(hello) = hello {
                    self.random = Some(hello.random);
                    self.session.take_ssl2(hello.random);
                }
                side.buffer.clear();
            }
            Reading::Torn => self.miss_record(from, mark, out),
        }
    }
}

/// Bytes of the shortest record that is looked for where its place is not known: a type and a short tag.
const SHORTEST: u16 = 9;
