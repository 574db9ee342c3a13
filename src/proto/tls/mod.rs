//! What TLS shows in clear on one connection of TCP, both sides, from SSL 2.0's hello to TLS 1.3.
//!
//! It follows RFC 8446 (TLS 1.3), RFC 5246 and RFC 2246 (older versions), RFC 6101 (SSL 3.0), and
//! RFC 5246 appendix E.2 (hellos of SSL 2.0 form). It must not know a host, a product, or what an
//! alert means for anyone. Only `decrypt` decrypts, with secrets of a key log.
//!
//! Invariants: once the handshake is over only headers of records are followed; what is held is one
//! incomplete message per side and bounded; after a gap nothing is read until a record begins again.

mod alert;
mod certificate;
mod decrypt;
mod facts;
mod flight;
mod handshake;
mod hello;
mod ja4;
mod key_log;
mod opened;
mod reader;
mod record;
#[cfg(test)]
mod tests;

pub use super::Probe;
pub use alert::{AlertFact, alert_name};
pub use certificate::{CertificateFacts, Chain, ClientCertificate};
pub use decrypt::{Access, Opened, TlsOpener, fuzz_opener};
pub use facts::{NotTls, RecordSeen, Records, Sides, Tail, TlsFacts};
pub use handshake::{Seen, ServerHello, cipher_name};
pub use hello::{ClientHello, Ech, SessionId};
pub use ja4::{Carrier, Ja4};
pub use key_log::{KeyLog, KeyLogRead, fuzz_key_log};

use self::facts::Filled;
use self::handshake::{Gate, Messages, Moment, Taken};
use self::record::{ALERT, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, Header};
use super::{Mark, Peer};
use crate::limits;

/// The state of TLS on one connection.
#[derive(Debug, Default)]
pub struct TlsStream {
    sides: Sides<Side>,
    facts: TlsFacts,
    /// What came in place of TLS from the first side to do so, until the other side speaks TLS.
    foreign: Option<NotTls>,
    /// Whether the server sent something that only a full handshake has.
    is_full: bool,
}

/// The state of one side.
#[derive(Debug)]
struct Side {
    phase: Phase,
    /// The header of the record that begins; `0 <= have <= 5` bytes of it are there.
    header: [u8; HEADER],
    have: u8,
    kind: u8,
    length: u16,
    /// Bytes of the record's body still to come: `left <= length`, and 0 outside of a body.
    left: u16,
    reading: Reading,
    /// Whether it is unknown if the side has begun to encrypt.
    is_unsure: bool,
    /// Whether the side encrypts, although its `ChangeCipherSpec` was not seen.
    is_sealed: bool,
    /// Where the record begins.
    begun: Option<Moment>,
    /// Segments so far.
    calls: u32,
    last: Option<Mark>,
    /// The body of a short alert record.
    alert: [u8; MAX_ALERT],
    /// What was known before the handshake record.
    before: Option<Filled>,
    messages: Messages,
}

/// Where a side's stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In the body of a record.
    Body,
    /// What comes is no TLS and is not looked at.
    Foreign,
    /// At or in the header of a record.
    Header,
    /// Somewhere; the next segment that begins with a record ends this.
    Lost,
    /// Nothing was seen.
    Start,
}

/// What is made of the body of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Clear,
    Sealed,
    /// Bytes of it are missing, so that the rest means nothing.
    Torn,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            phase: Phase::Start,
            header: [0; HEADER],
            have: 0,
            kind: 0,
            length: 0,
            left: 0,
            reading: Reading::Clear,
            is_unsure: false,
            is_sealed: false,
            begun: None,
            calls: 0,
            last: None,
            alert: [0; MAX_ALERT],
            before: None,
            messages: Messages::new(),
        }
    }
}

impl Side {
    /// Loses the place in the stream.
    fn lose(&mut self) {
        self.phase = Phase::Lost;
        self.have = 0;
        self.left = 0;
        self.is_unsure = true;
        self.messages.reset();
    }

    fn head(&self) -> &[u8] {
        self.header.get(..usize::from(self.have)).unwrap_or_default()
    }

    const fn moment(&self, mark: Mark) -> Moment {
        Moment { mark, call: self.calls }
    }
}

impl TlsStream {
    /// A connection that begins.
    pub fn new() -> Self {
        let mut stream = Self::default();
        // Nearly every connection has one, and a list that grows by itself takes room for four.
        stream.facts.client_hellos.reserve_exact(1);
        stream.facts.server_hellos.reserve_exact(1);
        stream
    }

    /// Whether bytes that begin a side's stream are TLS, or a ClientHello of SSL 2.0 form.
    pub fn probe(bytes: &[u8]) -> Probe {
        record::probe(bytes)
    }

    /// The connection was there before the capture: records are looked for at the start of segments.
    pub fn start_mid_stream(&mut self) {
        self.facts.is_mid_stream = true;
        self.sides.client.lose();
        self.sides.server.lose();
    }

    /// Takes the next bytes of a side, which came in one segment.
    pub fn data(&mut self, from: Peer, bytes: &[u8], mark: Mark) {
        let side = self.sides.of_mut(from);
        if bytes.is_empty() || (side.phase == Phase::Lost && !record::resumes(bytes)) {
            return;
        }
        if side.phase == Phase::Lost {
            side.phase = Phase::Header;
        }
        side.calls = side.calls.saturating_add(1);
        side.last = Some(mark);
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.sides.of(from).phase {
                Phase::Body => self.body(from, rest, mark),
                Phase::Foreign => {
                    self.add_foreign(from, rest);
                    return;
                }
                Phase::Header | Phase::Start => self.header(from, rest, mark),
                Phase::Lost => return,
            };
        }
    }

    /// Takes note of bytes of a side that the capture does not hold: lost, or cut from their frames.
    pub fn gap(&mut self, from: Peer, length: u64, mark: Mark) {
        if length == 0 {
            return;
        }
        let gaps = self.facts.gaps.of_mut(from);
        *gaps = gaps.saturating_add(length);
        let side = self.sides.of_mut(from);
        let now = side.moment(mark);
        match side.phase {
            Phase::Foreign | Phase::Lost => {}
            Phase::Body if u64::from(side.left) >= length && side.kind != SSL2 => {
                side.left = side.left.saturating_sub(u16::try_from(length).unwrap_or(u16::MAX));
                self.torn(from, length, now);
                if self.sides.of(from).left == 0 {
                    self.end_record(from, mark);
                }
            }
            Phase::Body | Phase::Header | Phase::Start => {
                let cut = side.messages.cut(now);
                side.lose();
                self.message_if(from, cut);
            }
        }
    }

    /// The connection is over: what is incomplete is read as far as it goes.
    pub fn end(&mut self) {
        for from in [Peer::Client, Peer::Server] {
            let side = self.sides.of_mut(from);
            if let Some(mark) = side.last {
                let cut = side.messages.cut(side.moment(mark));
                side.messages.reset();
                side.phase =
                    if side.phase == Phase::Foreign { Phase::Foreign } else { Phase::Lost };
                self.message_if(from, cut);
            }
        }
    }

    /// What was seen so far.
    pub const fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// What was seen in all; it [ends](Self::end) the connection.
    pub fn into_facts(mut self) -> TlsFacts {
        self.take_facts()
    }

    /// The same, where the stream is used no more but stays where it is.
    pub fn take_facts(&mut self) -> TlsFacts {
        self.end();
        std::mem::take(&mut self.facts)
    }

    /// Whether the handshake came to its end, see [`TlsFacts::is_handshake_over`].
    pub fn is_handshake_over(&self) -> bool {
        self.facts.is_handshake_over()
    }

    /// Whether the last record of a side is there in part only, and nothing of it was lost.
    pub fn is_torn(&self, from: Peer) -> bool {
        let side = self.sides.of(from);
        let inside = side.phase == Phase::Body && side.left > 0
            || side.phase == Phase::Header && side.have > 0;
        inside && *self.facts.gaps.of(from) == 0
    }

    /// Bytes that are held of incomplete messages.
    pub const fn held(&self) -> usize {
        self.sides.client.messages.held().saturating_add(self.sides.server.messages.held())
    }

    /// Takes what the header of a record needs.
    fn header<'a>(&mut self, from: Peer, rest: &'a [u8], mark: Mark) -> &'a [u8] {
        let side = self.sides.of_mut(from);
        if side.have == 0 {
            side.begun = Some(side.moment(mark));
        }
        let wanted = HEADER.saturating_sub(usize::from(side.have)).min(rest.len());
        let (piece, behind) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
        let empty = side.header.iter_mut().skip(usize::from(side.have));
        empty.zip(piece).for_each(|(slot, byte)| *slot = *byte);
        side.have = side.have.saturating_add(u8::try_from(piece.len()).unwrap_or(u8::MAX));
        let is_start = side.phase == Phase::Start;
        if side.head().len() < HEADER {
            let may_be_ssl2 = side.head().first().is_some_and(|first| first & 0x80 != 0);
            if is_start && !may_be_ssl2 && record::probe(side.head()) == Probe::No {
                self.begin_foreign(from, mark);
            }
            return behind;
        }
        let head = side.header;
        match Header::read(head) {
            Some(header) if header.length > 0 || !is_start => self.begin_record(from, header, mark),
            _ if is_start
                && self.may_be_ssl2(from)
                && record::is_ssl2(head, from == Peer::Client) =>
            {
                self.begin_ssl2(from, mark);
            }
            _ if is_start => self.begin_foreign(from, mark),
            _ => {
                self.sides.of_mut(from).lose();
                self.facts.strayed.of_mut(from).get_or_insert(mark);
                return &[];
            }
        }
        behind
    }

    /// Whether a hello of SSL 2.0 form can stand here: a server answers with one only to its like.
    fn may_be_ssl2(&self, from: Peer) -> bool {
        from == Peer::Client || self.facts.client_hellos.last().is_some_and(|hello| hello.is_ssl2)
    }

    /// The header of a record is complete.
    fn begin_record(&mut self, from: Peer, header: Header, mark: Mark) {
        self.spoke(from, mark);
        let is_old = !self.facts.is_tls13();
        let is_agreed = self.facts.agreed().is_some();
        let changed = self.facts.change_cipher_spec.of(from).is_some();
        let side = self.sides.of_mut(from);
        let sealed = is_old && (changed || side.is_sealed);
        side.have = 0;
        side.kind = header.kind;
        side.length = header.length;
        side.left = header.length;
        side.reading = Reading::Clear;
        side.phase = Phase::Body;
        let length = u32::from(header.length);
        match header.kind {
            HANDSHAKE if sealed && is_agreed => side.reading = Reading::Sealed,
            HANDSHAKE => {
                let gate = match (sealed, side.is_unsure) {
                    (true, _) => Gate::OnlyHello(length),
                    (false, true) => Gate::Plausible,
                    (false, false) => Gate::Open,
                };
                let begun = side.begun.unwrap_or(side.moment(mark));
                if sealed {
                    side.messages.reset();
                }
                side.messages.record(gate, begun);
                side.before = Some(self.facts.filled());
            }
            ALERT if length != alert::CLEAR && (sealed || !alert::can_be_clear(length)) => {
                side.reading = Reading::Sealed;
            }
            APPLICATION => {
                side.is_sealed = true;
                let records = self.facts.application.of_mut(from);
                records.count = records.count.saturating_add(1);
                records.first.get_or_insert(mark);
            }
            _ => {}
        }
        if header.length == 0 {
            self.end_record(from, mark);
        }
    }

    /// Takes what the body of a record needs.
    fn body<'a>(&mut self, from: Peer, rest: &'a [u8], mark: Mark) -> &'a [u8] {
        let side = self.sides.of_mut(from);
        let count = usize::from(side.left).min(rest.len());
        let (piece, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        let done = usize::from(side.length.saturating_sub(side.left));
        side.left = side.left.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
        let ends = side.left == 0;
        match side.kind {
            APPLICATION => {
                let records = self.facts.application.of_mut(from);
                records.bytes = records.bytes.saturating_add(u64::try_from(count).unwrap_or(0));
                records.last = Some(mark);
            }
            HANDSHAKE if side.reading == Reading::Clear => self.handshake(from, piece, mark),
            ALERT => {
                let slots = side.alert.iter_mut().skip(done);
                slots.zip(piece).for_each(|(slot, byte)| *slot = *byte);
            }
            SSL2 => self.ssl2(from, piece, mark),
            _ => {}
        }
        if ends {
            self.end_record(from, mark);
        }
        behind
    }

    /// Bytes inside of a record are missing.
    fn torn(&mut self, from: Peer, length: u64, now: Moment) {
        let side = self.sides.of_mut(from);
        match side.kind {
            APPLICATION => {
                let records = self.facts.application.of_mut(from);
                records.bytes = records.bytes.saturating_add(length);
                records.last = Some(now.mark);
            }
            HANDSHAKE if side.reading == Reading::Clear => {
                let (cut, is_known) = side.messages.skip(length, now);
                if !is_known {
                    side.reading = Reading::Torn;
                    side.is_unsure = true;
                }
                self.message_if(from, cut);
            }
            ALERT if side.reading == Reading::Clear => side.reading = Reading::Torn,
            _ => {}
        }
    }

    /// The body of a record is complete.
    fn end_record(&mut self, from: Peer, mark: Mark) {
        let side = self.sides.of_mut(from);
        side.phase = Phase::Header;
        if side.kind == SSL2 {
            return;
        }
        let seen = RecordSeen { kind: side.kind, length: side.length, mark };
        let (kind, reading, before) = (side.kind, side.reading, side.before.take());
        self.facts.tail.of_mut(from).push(seen);
        match kind {
            CHANGE_CIPHER_SPEC => {
                self.facts.change_cipher_spec.of_mut(from).get_or_insert(mark);
                if !self.facts.is_tls13() {
                    self.sides.of_mut(from).messages.reset();
                    self.note_resumption(from);
                }
            }
            ALERT => self.end_alert(from, mark),
            HANDSHAKE if reading != Reading::Sealed => {
                // Like other tools, the program shows a message where its record is complete.
                if let Some(before) = before {
                    let from = self.facts.true_side(from);
                    self.facts.restamp(from, before, mark);
                }
            }
            HANDSHAKE => {
                self.facts.encrypted.of_mut(from).get_or_insert(mark);
                self.finish(from, seen);
            }
            APPLICATION => {
                self.facts.encrypted.of_mut(from).get_or_insert(mark);
                if self.facts.finished.client.is_some() && self.facts.is_tls13() {
                    self.facts.speak(from, seen);
                }
                let answered = from == Peer::Server || self.facts.encrypted.server.is_some();
                if self.facts.is_tls13() && answered {
                    self.finish(from, seen);
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, from: Peer, record: RecordSeen) {
        let finished = self.facts.finished.of_mut(from);
        if finished.is_none() {
            *finished = Some(record.mark);
            if from == Peer::Client {
                self.facts.client_finished_record = Some(record);
            }
        }
    }

    /// Reads a piece of a handshake record in clear.
    fn handshake(&mut self, from: Peer, piece: &[u8], mark: Mark) {
        let mut rest = piece;
        while !rest.is_empty() {
            let side = self.sides.of_mut(from);
            let now = side.moment(mark);
            match side.messages.take(&mut rest, now) {
                Taken::Message(message) => {
                    side.is_unsure = false;
                    self.message(from, &message);
                }
                Taken::More => break,
                Taken::Sealed => {
                    side.reading = Reading::Sealed;
                    side.is_sealed = true;
                    break;
                }
            }
            let side = self.sides.of_mut(from);
            let oversized = std::mem::take(&mut side.messages.oversized);
            self.facts.oversized = self.facts.oversized.saturating_add(oversized);
        }
    }

    /// The header of a hello of SSL 2.0 form is complete; of what was taken, three bytes belong to
    /// the message.
    fn begin_ssl2(&mut self, from: Peer, mark: Mark) {
        self.spoke(from, mark);
        if from == Peer::Server {
            self.facts.server_hellos.push(ServerHello::ssl2(mark));
            self.sides.client.phase = Phase::Foreign;
            self.sides.server.phase = Phase::Foreign;
            return;
        }
        let side = self.sides.of_mut(from);
        let [_, _, first @ ..] = side.header;
        let length = record::ssl2_length(&side.header);
        let begun = side.begun.unwrap_or(side.moment(mark));
        side.have = 0;
        side.kind = SSL2;
        side.length = u16::try_from(length).unwrap_or(u16::MAX);
        side.left = side.length.saturating_sub(u16::try_from(first.len()).unwrap_or(0));
        side.phase = Phase::Body;
        side.messages.begin_ssl2(length, begun);
        self.ssl2(from, &first, mark);
    }

    fn ssl2(&mut self, from: Peer, piece: &[u8], mark: Mark) {
        let side = self.sides.of_mut(from);
        let now = side.moment(mark);
        let mut rest = piece;
        if let Taken::Message(message) = side.messages.take(&mut rest, now) {
            self.client_hello(ClientHello::parse_ssl2(&message.body, message.seen));
        }
    }

    /// A side speaks TLS: what the other sent in its place belongs to the facts.
    fn spoke(&mut self, from: Peer, mark: Mark) {
        self.facts.spoke.of_mut(from).get_or_insert(mark);
        if self.foreign.as_ref().is_some_and(|foreign| foreign.from != from) {
            self.facts.not_tls = self.foreign.take();
        }
    }

    fn begin_foreign(&mut self, from: Peer, mark: Mark) {
        let side = self.sides.of_mut(from);
        side.phase = Phase::Foreign;
        let mark = side.begun.map_or(mark, |begun| begun.mark);
        let found = NotTls { from, mark, head: side.head().to_vec() };
        if self.facts.spoke.of(from.other()).is_some() {
            self.facts.not_tls = Some(found);
        } else {
            self.foreign.get_or_insert(found);
        }
    }

    fn add_foreign(&mut self, from: Peer, bytes: &[u8]) {
        let known = self.facts.not_tls.as_mut().or(self.foreign.as_mut());
        if let Some(known) = known.filter(|known| known.from == from) {
            let room = limits::TLS_FOREIGN.saturating_sub(known.head.len()).min(bytes.len());
            known.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }
}

/// The type under which a message of SSL 2.0 form is followed; no record has it.
const SSL2: u8 = 0x80;
/// Bytes kept of an alert record.
const MAX_ALERT: usize = 8;

/// Entry for fuzzing: pieces of both sides with gaps between them, and each parser alone.
#[doc(hidden)]
pub fn fuzz_tls(data: &[u8]) {
    let frame = std::num::NonZeroU64::MIN;
    let mark = Mark { frame, at: crate::time::Timestamp::from_nanoseconds(0) };
    let seen = Seen { first: mark, mark, segments: 1, length: 0, is_whole: true };
    let hello = ClientHello::parse(data, Carrier::Quic, seen);
    assert!(hello.and_then(|hello| hello.ja4).is_none_or(|ja4| ja4.as_str().len() == 36));
    let _ = (ServerHello::parse(data, seen), Chain::parse_13(data, mark));
    let chain = Chain::parse(data, mark);
    assert!(chain.certificates.len() <= limits::TLS_CERTIFICATES, "a chain is bounded");
    let mut stream = TlsStream::new();
    let mut rest = data;
    let mut fed = 0_usize;
    while let Some(([order, length], behind)) = rest.split_first_chunk::<2>() {
        let from = if order & 1 == 0 { Peer::Client } else { Peer::Server };
        let count = usize::from(*length).saturating_mul(usize::from(order >> 4)).min(behind.len());
        let (piece, next) = behind.split_at_checked(count).unwrap_or((behind, &[]));
        match order & 0x0e {
            0x0e => stream.gap(from, u64::from(*length), mark),
            0x0c if fed == 0 => stream.start_mid_stream(),
            _ => stream.data(from, piece, mark),
        }
        fed = fed.saturating_add(count);
        rest = next;
        let message = usize::try_from(limits::TLS_MESSAGE).unwrap_or(usize::MAX);
        assert!(stream.held() <= message.saturating_mul(4), "what is held is bounded");
        assert!(stream.held() <= fed.saturating_mul(2).max(64), "only what came is held");
    }
    let facts = stream.into_facts();
    assert!(facts.client_hellos.len() <= limits::TLS_HELLOS, "hellos are bounded");
    assert!(facts.alerts.len() <= limits::TLS_ALERTS, "alerts are bounded");
}
