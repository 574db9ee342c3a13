//! Finds the keys of a record, opens it, and hands on what it holds.
//!
//! It follows RFC 8446 sections 2.3, 4.4.4, 4.6.3 and 5, RFC 5246 sections 7.1 and 7.3, and RFC 5746
//! (handshakes inside of encrypted connections).
//!
//! Invariant: keys change only where a message that was proven says so, or a record proves it.

use std::ops::Range;

use super::cipher::Sealed;
use super::lock::{Lock, Stage};
use super::session::Session;
use super::side::Phase;
use super::suite::Suite;
use super::{Access, Opened, Out, TlsOpener};
use crate::limits;
use crate::proto::tls::handshake::{ENCRYPTED_EXTENSIONS, END_OF_EARLY_DATA, FINISHED, KEY_UPDATE};
use crate::proto::tls::hello::EARLY_DATA;
use crate::proto::tls::key_log::KeyLog;
use crate::proto::tls::reader::Reader;
use crate::proto::tls::record::{ALERT, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER};
use crate::proto::{Mark, Peer};

impl TlsOpener {
    /// Whether a record of this type that begins now is encrypted.
    pub(super) fn is_sealed(&self, from: Peer, kind: u8) -> bool {
        let side = self.sides.of(from);
        if kind == APPLICATION || matches!(side.stage(), Some(Stage::Old(_))) {
            return true;
        }
        let is_old = self.session.agreed().is_some_and(|agreed| agreed.draft().is_none());
        side.stage().is_none() && is_old && side.is_changed && kind != CHANGE_CIPHER_SPEC
    }

    /// Whether a record may begin anywhere, since it can prove that it is one.
    pub(super) fn may_scan(&mut self, from: Peer, keys: &KeyLog) -> bool {
        let side = self.sides.of(from);
        let Some(agreed) = self.session.agreed() else { return side.lock.is_some() };
        let may_be_sealed = agreed.draft().is_some() || side.is_changed || side.lock.is_some();
        may_be_sealed && self.unlock(from, keys)
    }

    /// Makes what opens the next record of a side; `false` when it cannot be opened.
    pub(super) fn unlock(&mut self, from: Peer, keys: &KeyLog) -> bool {
        let role = self.role(from);
        let side = self.sides.of_mut(from);
        if side.is_closed {
            return false;
        }
        if std::mem::take(&mut side.is_turning) {
            let before = side.lock.take();
            side.messages.reset();
            if matches!(before.as_ref().map(|lock| lock.stage), Some(Stage::Traffic(_))) {
                // Whoever renews keys all the time sends little else.
                self.begin_trial(keys);
                self.credit.pay(KEY_COST);
                keys.tried(self.credit.take_tried(), 0);
                if self.credit.is_spent() {
                    return self.give_up_trying(keys);
                }
            }
            let next = before.and_then(|lock| self.next_locks(role, Some(&lock), keys).next());
            let side = self.sides.of_mut(from);
            side.is_closed = next.is_none();
            side.lock = next.map(Box::new);
            return !side.is_closed;
        }
        if side.lock.is_some() {
            return true;
        }
        let Some(random) = self.session.client() else { return self.give_up(Access::MidStream) };
        let Some(agreed) = self.session.agreed() else {
            return match (role == Peer::Client && self.session.is_early, keys.knows(&random)) {
                (true, true) => self.session.has_early(keys),
                (true, false) => self.give_up(Access::NoSecret),
                (false, _) => self.give_up(Access::MidStream),
            };
        };
        let Some(draft) = agreed.draft() else {
            return match self.session.lock_old(role, keys) {
                Ok(lock) => {
                    let side = self.sides.of_mut(from);
                    // Where the change of ciphers was not seen, records may be missing as well.
                    side.is_unsure |= !side.is_changed;
                    side.lock = Some(Box::new(lock));
                    true
                }
                Err(reason) => self.give_up(reason),
            };
        };
        if !keys.knows(&random) {
            return self.give_up(Access::NoSecret);
        }
        if draft < OLDEST_DRAFT {
            let version = agreed.version;
            return self.give_up(Access::Version(version));
        }
        if Suite::find(agreed.cipher, true).is_none() {
            let cipher = agreed.cipher;
            return self.give_up(Access::Suite(cipher));
        }
        let stages = [Stage::Early, Stage::Handshake, Stage::Traffic(0)];
        let is_early = role == Peer::Client && self.session.is_early;
        let mut stages = stages.iter().filter(|stage| is_early || **stage != Stage::Early);
        if stages.any(|stage| self.session.secret(role, *stage, keys).is_some()) {
            return true;
        }
        self.sides.of_mut(from).is_closed = true;
        self.reason = Some(Access::NoSecret);
        false
    }

    /// Gives all up; it is `false`, as nothing can be opened.
    fn give_up(&mut self, reason: Access) -> bool {
        self.reason.get_or_insert(reason);
        for side in [&mut self.sides.client, &mut self.sides.server] {
            side.is_closed = true;
            side.lock = None;
            side.buffer = Vec::new();
            side.messages.reset();
        }
        self.early = Vec::new();
        self.session.lose();
        false
    }

    /// Gives all up because too much was tried in vain.
    fn give_up_trying(&mut self, keys: &KeyLog) -> bool {
        if self.credit.is_spent_by_others() {
            keys.note_given_up();
        }
        self.give_up(Access::Failed)
    }

    /// What may open the next record when the keys at hand do not.
    fn next_locks(
        &self,
        role: Peer,
        before: Option<&Lock>,
        keys: &KeyLog,
    ) -> impl Iterator<Item = Lock> {
        let is_early = before.is_none() && role == Peer::Client && self.session.is_early;
        let early = is_early.then(|| self.session.early_locks(keys));
        let renewed = match before.map(|lock| lock.stage) {
            Some(Stage::Traffic(number)) => number.checked_add(1).map(Stage::Traffic),
            _ => None,
        };
        let stages = before.map_or(Stage::Early, |lock| lock.stage).following();
        let stages = stages.iter().copied().chain(renewed);
        let later = stages.filter_map(move |stage| self.session.lock_13(role, stage, before, keys));
        early.into_iter().flatten().chain(later)
    }

    /// Opens the record that is held, and hands on what it holds.
    pub(super) fn open_record(&mut self, from: Peer, mark: Mark, keys: &KeyLog, out: Out<'_>) {
        let side = self.sides.of_mut(from);
        let mut body = std::mem::take(&mut side.buffer);
        let (header, kind) = (side.header, side.kind());
        let opened = self.open(from, header, &mut body, keys);
        let text = opened.map(|text| {
            let text = body.get(text).unwrap_or_default();
            self.sides.of_mut(from).lock.as_mut().and_then(|lock| lock.inflate(text))
        });
        if let Some(Some(text)) = text {
            let side = self.sides.of_mut(from);
            side.is_unsure = false;
            side.is_guess = false;
            side.missing = 0;
            let opened = self.opened.of_mut(from);
            *opened = opened.saturating_add(1);
            self.hand_on(from, kind, &text, mark, out);
        } else if text.is_some() {
            // Something is missing of the compressed text, and what comes later depends on it.
            self.has_failed = true;
            self.stay_dark(from, mark, out);
        } else {
            self.fail(from, mark, keys, out);
        }
        body.clear();
        self.sides.of_mut(from).buffer = body;
    }

    /// Makes ready for work that may be in vain.
    fn begin_trial(&mut self, keys: &KeyLog) {
        if keys.is_tired() {
            self.credit.lower();
        }
    }

    /// Opens a record; it gives where the text is.
    fn open(
        &mut self,
        from: Peer,
        header: [u8; HEADER],
        body: &mut [u8],
        keys: &KeyLog,
    ) -> Option<Range<usize>> {
        let role = self.role(from);
        let side = self.sides.of_mut(from);
        let side_is_unsure = side.is_unsure;
        let missing = side_is_unsure.then_some(side.missing);
        let bytes = side.missing;
        let mut lock = side.lock.take();
        let newer = match lock.as_ref().map(|lock| lock.stage) {
            // The change of ciphers may be among what is missing.
            Some(Stage::Old(generation)) => side.is_unsure && self.session.generation > generation,
            _ => false,
        };
        let copy = newer.then(|| body.to_vec());
        self.begin_trial(keys);
        let mut credit = self.credit;
        let mut found = None;
        if let Some(lock) = &mut lock {
            found = lock.open(Sealed { header, body, missing: bytes }, missing, &mut credit);
        }
        let mut adopted = None;
        if found.is_none() {
            let old = copy.and_then(|copy| {
                body.copy_from_slice(&copy);
                self.session.lock_old(role, keys).ok()
            });
            let is_old = matches!(lock.as_ref().map(|lock| lock.stage), Some(Stage::Old(_)));
            let later = (!is_old).then(|| self.next_locks(role, lock.as_deref(), keys));
            let mut furthest = None;
            for mut next in old.into_iter().chain(later.into_iter().flatten()) {
                credit.pay(KEY_COST);
                found = next.open(Sealed { header, body, missing: bytes }, missing, &mut credit);
                if found.is_some() {
                    adopted = Some(next);
                    break;
                }
                furthest = Some(next);
            }
            // What renewed the keys may be missing together with what came before it.
            let renewals = if side_is_unsure { RENEWALS } else { 0 };
            for _ in 0..renewals {
                let Some(before) = furthest.take().filter(|_| found.is_none()) else { break };
                let mut locks = self.next_locks(role, Some(&before), keys);
                let Some(mut next) = locks.next() else { break };
                credit.pay(KEY_COST);
                found = next.open(Sealed { header, body, missing: bytes }, missing, &mut credit);
                if found.is_some() {
                    adopted = Some(next);
                } else {
                    furthest = Some(next);
                }
            }
        }
        keys.tried(credit.take_tried(), found.as_ref().map_or(0, |(_, text)| text.len()));
        self.credit = credit;
        let was_early = matches!(lock.as_ref().map(|lock| lock.stage), Some(Stage::Early));
        let is_new = adopted.is_some();
        let side = self.sides.of_mut(from);
        side.lock = adopted.map(Box::new).or(lock);
        let (number, text) = found?;
        // Nothing but the handshake comes before the first data.
        let first = match side.stage() {
            Some(Stage::Old(_)) => 1,
            _ => 0,
        };
        if number <= first && !side.has_data {
            side.is_torn = false;
            if is_new {
                *self.dark.of_mut(from) = 0;
            }
        }
        if is_new {
            side.messages.reset();
            if was_early {
                self.early = Vec::new();
            }
        }
        Some(text)
    }

    /// Hands on what a record holds.
    fn hand_on(&mut self, from: Peer, kind: u8, text: &[u8], mark: Mark, out: Out<'_>) {
        let side = self.sides.of_mut(from);
        let is_old = matches!(side.stage(), Some(Stage::Old(_)));
        let (kind, text) = if is_old {
            (kind, text)
        } else {
            // The type is behind the text, and zeros may be behind the type.
            let end = text.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            let (text, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
            (rest.first().copied().unwrap_or(0), text)
        };
        match (kind, text) {
            (APPLICATION, _) if side.stage() == Some(Stage::Early) => {
                self.hold_early(from, text, mark, out);
            }
            (APPLICATION, _) => {
                if std::mem::take(&mut side.is_torn) {
                    out(Opened::Gap { from, mark });
                }
                if !text.is_empty() {
                    side.has_data = true;
                    side.is_told = false;
                    out(Opened::Data { from, bytes: text, mark });
                }
            }
            (HANDSHAKE, _) => self.read_messages(from, is_old, text, mark, out),
            (ALERT, [level, code]) => out(Opened::Alert { from, level: *level, code: *code, mark }),
            (CHANGE_CIPHER_SPEC, _)
                if is_old && side.stage() != Some(Stage::Old(self.session.generation)) =>
            {
                side.lock = None;
                side.messages.reset();
            }
            _ => {}
        }
    }

    /// Reads handshake messages that were encrypted.
    fn read_messages(&mut self, from: Peer, is_old: bool, text: &[u8], mark: Mark, out: Out<'_>) {
        let mut rest = text;
        while !rest.is_empty() {
            let before = rest;
            let side = self.sides.of_mut(from);
            let message = side.messages.take(&mut rest, |_| true);
            if is_old {
                let taken = before.len().saturating_sub(rest.len());
                self.session.hear(before.get(..taken).unwrap_or_default());
            }
            let Some(message) = message else { continue };
            let mut ends_early = None;
            match (side.stage(), message.kind()) {
                (Some(Stage::Early), END_OF_EARLY_DATA) => {
                    side.is_turning = true;
                    ends_early = Some(from);
                }
                (Some(Stage::Handshake), ENCRYPTED_EXTENSIONS) => {
                    if is_early_data_taken(&message.body) {
                        ends_early = Some(from.other());
                    } else {
                        self.early = Vec::new();
                    }
                }
                (Some(Stage::Handshake), FINISHED) | (Some(Stage::Traffic(_)), KEY_UPDATE) => {
                    side.is_turning = true;
                }
                (Some(Stage::Old(_)), kind) if Session::is_wanted(kind) => {
                    self.session.take(&message);
                }
                _ => {}
            }
            out(Opened::Handshake { from, kind: message.kind(), body: &message.body, mark });
            if let Some(client) = ends_early {
                self.give_early(client, out);
            }
        }
    }

    /// Keeps data that the client sent early until the server took them; it sends refused ones again.
    fn hold_early(&mut self, from: Peer, text: &[u8], mark: Mark, out: Out<'_>) {
        let held: usize = self.early.iter().map(|(_, bytes)| bytes.len()).sum();
        if held.saturating_add(text.len()) > limits::TLS_EARLY_DATA
            || self.early.len() >= limits::TLS_EARLY_RECORDS
        {
            self.is_early_taken = true;
        }
        self.early.push((mark, text.to_vec()));
        if self.is_early_taken {
            self.give_early(from, out);
        }
    }

    /// The server took the data that the client sent early.
    fn give_early(&mut self, from: Peer, out: Out<'_>) {
        self.is_early_taken = true;
        for (mark, bytes) in std::mem::take(&mut self.early) {
            if !bytes.is_empty() {
                self.sides.of_mut(from).has_data = true;
                out(Opened::Data { from, bytes: &bytes, mark });
            }
        }
    }

    /// A record did not open.
    fn fail(&mut self, from: Peer, mark: Mark, keys: &KeyLog, out: Out<'_>) {
        let may_be_refused = self.role(from) == Peer::Client && self.session.is_early;
        let side = self.sides.of_mut(from);
        let length = u64::from(side.length).saturating_add(5);
        // Without a gap the first record of a key must open; what comes before it is data that the
        // server refused.
        if side.is_unsure || side.lock.as_ref().is_some_and(|lock| lock.number > 0) {
            side.is_unsure = true;
            side.miss(length);
        }
        if side.is_guess {
            side.left = 0;
            side.phase = Phase::Lost;
            side.is_guess = false;
        }
        self.has_failed |= !may_be_refused || side.lock.is_some();
        self.stay_dark(from, mark, out);
        if self.credit.is_spent() {
            self.give_up_trying(keys);
        }
    }

    /// A record stays closed.
    pub(super) fn stay_dark(&mut self, from: Peer, mark: Mark, out: Out<'_>) {
        let side = self.sides.of(from);
        if side.kind() == APPLICATION {
            let dark = self.dark.of_mut(from);
            *dark = dark.saturating_add(u64::from(side.length));
            if side.lock.is_some() {
                self.note_loss(from, mark, out);
            }
        }
    }

    /// Bytes of a record are missing, and where it ends is known.
    pub(super) fn miss_record(&mut self, from: Peer, mark: Mark, out: Out<'_>) {
        let side = self.sides.of_mut(from);
        let length = u64::from(side.length).saturating_add(5);
        let kind = side.kind();
        side.messages.reset();
        match &mut side.lock {
            Some(lock) if !side.is_unsure => lock.miss(side.length),
            _ => {
                side.is_unsure = true;
                side.miss(length);
            }
        }
        if kind == APPLICATION {
            let dark = self.dark.of_mut(from);
            *dark = dark.saturating_add(length.saturating_sub(5));
            self.note_loss(from, mark, out);
        }
    }

    /// Data may be missing; it is told at once where data are known to be under way.
    pub(super) fn note_loss(&mut self, from: Peer, mark: Mark, out: Out<'_>) {
        let side = self.sides.of_mut(from);
        if !side.has_data && !matches!(side.stage(), Some(Stage::Traffic(_))) {
            side.is_torn = true;
        } else if !std::mem::replace(&mut side.is_told, true) {
            out(Opened::Gap { from, mark });
        }
    }
}

/// Whether the server says in its `EncryptedExtensions` that it takes what the client sent early.
fn is_early_data_taken(body: &[u8]) -> bool {
    let mut extensions = Reader::new(Reader::new(body).block16().map_or(&[], |list| list.bytes));
    while let (Some(kind), Some(_)) = (extensions.u16(), extensions.block16()) {
        if kind == EARLY_DATA {
            return true;
        }
    }
    false
}

/// The oldest draft of TLS 1.3 whose keys are made as here.
const OLDEST_DRAFT: u8 = 18;
/// Keys that are tried behind the next ones where it is not known what is missing.
const RENEWALS: usize = 2;
/// What it costs to make keys, in bytes tried in vain.
const KEY_COST: usize = 4096;
