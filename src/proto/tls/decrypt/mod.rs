//! Decrypts what both sides of a connection say, with secrets of a key log.
//!
//! It follows RFC 8446 (TLS 1.3 and its drafts from 18 on) and RFC 5246, 4346 and 2246 (TLS 1.2 to
//! 1.0) with the extensions that change keys or records. It does its own framing and must not know
//! what the text means. Facts about the handshake are the business of the stream beside it.
//!
//! Invariants: a record is held only when a secret for it is known, at most one of each side; what
//! is given was proven to be what the sender wrote; work done in vain is bounded for a connection.

mod cipher;
mod inflate;
mod lock;
mod mac;
mod messages;
mod opening;
mod schedule;
mod seed;
mod session;
mod side;
mod stream;
mod suite;
#[cfg(test)]
mod tests;

use std::fmt;

use self::cipher::Credit;
use self::session::Session;
use self::side::{Phase, Reading, Side};
use super::facts::Sides;
use super::handshake::Seen;
use super::hello::ClientHello;
use super::key_log::{KeyLog, Label};
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
    /// This suite is not known, or used with a compression that is not known.
    Suite(u16),
    /// This version is not known.
    Version(u16),
    /// Nothing encrypted came yet.
    Waiting,
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
            match side.reading {
                Reading::Clear => {
                    // Where the next message begins is not known before the next record.
                    side.reading = Reading::Passed;
                    side.messages.reset();
                    self.session.lose();
                }
                Reading::Held | Reading::Ssl2 => {
                    side.reading = Reading::Torn;
                    side.buffer = Vec::new();
                }
                Reading::Dark | Reading::Passed | Reading::Torn => {}
            }
            let side = self.sides.of_mut(from);
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

    /// Why data stayed closed where records of the handshake were opened.
    pub fn why_dark(&self, keys: &KeyLog) -> Access {
        use Label::{ClientEarly, ClientHandshake, ClientTraffic, ServerHandshake, ServerTraffic};
        let Some(random) = self.random else { return Access::Failed };
        let has = |label| keys.secret(&random, label).is_some();
        let is_dark = |side| *self.dark.of(side) > 0;
        let has_data = is_dark(self.role(Peer::Client)) && has(ClientTraffic(0))
            || is_dark(self.role(Peer::Server)) && has(ServerTraffic(0));
        // Up to TLS 1.2 one secret opens the handshake and the data.
        let is_handshake_alone = [ClientEarly, ClientHandshake, ServerHandshake].map(has);
        if !has_data && is_handshake_alone.contains(&true) {
            Access::NoSecret
        } else {
            Access::Failed
        }
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

    /// Bytes that are held: of incomplete records and messages, and what undoes compression.
    pub fn held(&self) -> usize {
        let side = |side: &Side| {
            let lock = side.lock.as_ref().map_or(0, |lock| lock.held());
            side.buffer.capacity().saturating_add(side.messages.held()).saturating_add(lock)
        };
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

/// Entry for fuzzing: a key log, and pieces of both sides with gaps between them.
#[doc(hidden)]
pub fn fuzz_opener(data: &[u8]) {
    let frame = std::num::NonZeroU64::MIN;
    let mark = Mark { frame, at: crate::time::Timestamp::from_nanoseconds(0) };
    let mut keys = KeyLog::default();
    let (text, mut rest) = data.split_at_checked(data.len() / 4).unwrap_or((data, &[]));
    let read = keys.read(text);
    assert!(read.secrets == 0 || KeyLog::probe(text) != crate::proto::Probe::Unsure);
    assert!(keys.held() <= crate::limits::KEY_LOG, "a key log is bounded");
    let mut opener = TlsOpener::new();
    while let Some(([order, length], behind)) = rest.split_first_chunk::<2>() {
        let from = if order & 1 == 0 { Peer::Client } else { Peer::Server };
        let count = usize::from(*length).saturating_mul(usize::from(order >> 4)).min(behind.len());
        let (piece, next) = behind.split_at_checked(count).unwrap_or((behind, &[]));
        if order & 0x0e == 0x0e {
            opener.gap(from, u64::from(*length), mark, &keys, &mut |_| {});
        } else {
            opener.data(from, piece, mark, &keys, &mut |_| {});
        }
        rest = next;
        assert!(opener.held() <= 1 << 19, "what is held is bounded");
    }
}
