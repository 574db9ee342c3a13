//! What both sides agreed on in clear, and the secrets that a key log has for it.
//!
//! It follows RFC 8446 section 4.1 and 7, RFC 5246 sections 6.3, 7.4 and 8.1, RFC 2246
//! section 6.3.1 (keys of export suites), RFC 3749 section 2 (compression method), RFC 7366 and RFC 7627
//! (extensions 22 and 23). It must not know records.
//!
//! Invariants: of messages only the ClientHello is held, and only until the ServerHello; a hello
//! that is not whole is as good as none.

use super::Access;
use super::cipher::{CbcParts, Cipher, Form};
use super::lock::{Lock, Stage};
use super::messages::Message;
use super::schedule::{Hash, Master, Transcript, expand, prf};
use super::stream::Stream;
use super::suite::{Bulk, MacKind, Suite};
use crate::proto::Peer;
use crate::proto::tls::handshake::{
    CLIENT_HELLO, CLIENT_KEY_EXCHANGE, RETRY_RANDOM, SERVER_HELLO, is_hello_version,
};
use crate::proto::tls::hello::{EARLY_DATA, SUPPORTED_VERSIONS};
use crate::proto::tls::key_log::{KeyLog, Label};
use crate::proto::tls::reader::{Reader, numbers};

/// The handshake that counts: the first one, or the last that renewed it.
#[derive(Default)]
pub(super) struct Session {
    /// How many of `ServerHello` came.
    pub(super) generation: u32,
    client: Option<[u8; 32]>,
    /// Suites of TLS 1.3 that the client offers, and whether data follow at once.
    offered: Vec<u16>,
    pub(super) is_early: bool,
    server: Option<Agreed>,
    /// How the encrypted premaster secret begins.
    encrypted: Option<[u8; 8]>,
    /// The ClientHello, until the ServerHello tells how to hash it.
    hello: Vec<u8>,
    transcript: Option<Transcript>,
    hash: Option<Vec<u8>>,
}

/// What a ServerHello says.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) version: u16,
    random: [u8; 32],
    session: Vec<u8>,
    pub(super) cipher: u16,
    compression: u8,
    is_mac_last: bool,
    is_extended: bool,
    is_retry: bool,
}

impl Session {
    /// The ServerHello that counts.
    pub(super) const fn agreed(&self) -> Option<&Agreed> {
        self.server.as_ref()
    }

    /// The random bytes of the client.
    pub(super) const fn client(&self) -> Option<[u8; 32]> {
        self.client
    }

    /// Bytes that are held.
    pub(super) const fn held(&self) -> usize {
        self.hello.capacity()
    }

    /// Whether a message of this type matters here.
    pub(super) const fn is_wanted(kind: u8) -> bool {
        matches!(kind, CLIENT_HELLO | SERVER_HELLO | CLIENT_KEY_EXCHANGE)
    }

    /// Takes the random bytes of a hello of SSL 2.0 form.
    pub(super) const fn take_ssl2(&mut self, random: [u8; 32]) {
        self.client = Some(random);
    }

    /// Bytes of a handshake message passed.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.add(bytes);
        }
    }

    /// Bytes of a handshake message are missing.
    pub(super) fn lose(&mut self) {
        self.transcript = None;
        self.hello = Vec::new();
    }

    /// Takes a message; whoever sends a ClientHello is the client.
    pub(super) fn take(&mut self, message: &Message<'_>) {
        match message.kind() {
            CLIENT_HELLO => {
                *self = Self { generation: self.generation, ..Self::default() };
                if self.read_client(&message.body).is_none() {
                    self.client = None;
                    return;
                }
                self.hello = [&message.header, &*message.body].concat();
            }
            SERVER_HELLO => {
                let Some(agreed) = Agreed::read(&message.body) else { return };
                let hello = std::mem::take(&mut self.hello);
                if agreed.is_retry {
                    return;
                }
                self.generation = self.generation.saturating_add(1);
                if agreed.is_extended && agreed.draft().is_none() && !hello.is_empty() {
                    let mut transcript = Transcript::new(agreed.hash());
                    transcript.add(&hello);
                    transcript.add(&message.header);
                    transcript.add(&message.body);
                    self.transcript = Some(transcript);
                }
                self.server = Some(agreed);
            }
            CLIENT_KEY_EXCHANGE => {
                // Behind a length that SSL 3.0 did not have.
                self.encrypted = message.body.get(2..10).and_then(|bytes| bytes.try_into().ok());
                self.hash = self.transcript.take().map(Transcript::end);
            }
            _ => {}
        }
    }

    fn read_client(&mut self, body: &[u8]) -> Option<()> {
        let mut reader = Reader::new(body);
        reader.u16().filter(|version| is_hello_version(*version))?;
        self.client = Some(reader.array()?);
        reader.block8().filter(|id| id.is_whole)?;
        let suites = reader.block16().filter(|suites| suites.is_whole)?;
        let known = numbers(suites.bytes).filter(|suite| Suite::find(*suite, true).is_some());
        self.offered = known.take(MAX_SUITES).collect();
        reader.block8()?;
        let mut extensions = Reader::new(reader.block16().map_or(&[], |block| block.bytes));
        while let (Some(kind), Some(_)) = (extensions.u16(), extensions.block16()) {
            self.is_early |= kind == EARLY_DATA;
        }
        Some(())
    }

    /// Whether data that the client sends before the ServerHello may be opened.
    pub(super) fn has_early(&self, keys: &KeyLog) -> bool {
        self.is_early && self.secret(Peer::Client, Stage::Early, keys).is_some()
    }

    /// What may open data that the client sends early: one for each suite that fits the secret, the
    /// one agreed on when that is known.
    pub(super) fn early_locks(&self, keys: &KeyLog) -> impl Iterator<Item = Lock> {
        let secret = self.secret(Peer::Client, Stage::Early, keys);
        let agreed = self.server.as_ref();
        // A client that sends data early speaks the version that it knows of the server.
        let version = agreed.map_or(FINAL, |agreed| agreed.version);
        let suites = agreed.map_or(&*self.offered, |agreed| std::slice::from_ref(&agreed.cipher));
        suites.iter().filter_map(move |suite| {
            Lock::new(Stage::Early, Suite::find(*suite, true)?, draft(version)?, secret?)
        })
    }

    /// What opens the records of a side of TLS 1.3 from a stage on.
    pub(super) fn lock_13(
        &self,
        side: Peer,
        stage: Stage,
        before: Option<&Lock>,
        keys: &KeyLog,
    ) -> Option<Lock> {
        let agreed = self.server.as_ref()?;
        let suite = Suite::find(agreed.cipher, true)?;
        let draft = agreed.draft()?;
        if let Some(secret) = self.secret(side, stage, keys) {
            return Lock::new(stage, suite, draft, secret);
        }
        before.filter(|_| matches!(stage, Stage::Traffic(1..)))?.renewed(suite, draft)
    }

    /// The secret of a side of TLS 1.3.
    pub(super) fn secret<'a>(
        &self,
        side: Peer,
        stage: Stage,
        keys: &'a KeyLog,
    ) -> Option<&'a [u8]> {
        let label = match (stage, side) {
            (Stage::Early, _) => Label::ClientEarly,
            (Stage::Handshake, Peer::Client) => Label::ClientHandshake,
            (Stage::Handshake, Peer::Server) => Label::ServerHandshake,
            (Stage::Traffic(number), Peer::Client) => Label::ClientTraffic(number),
            (Stage::Traffic(number), Peer::Server) => Label::ServerTraffic(number),
            (Stage::Old(_), _) => return None,
        };
        keys.secret(&self.client?, label)
    }

    /// What opens the records of a side up to TLS 1.2.
    pub(super) fn lock_old(&self, side: Peer, keys: &KeyLog) -> Result<Lock, Access> {
        let agreed = self.server.as_ref().ok_or(Access::MidStream)?;
        let client = self.client.ok_or(Access::MidStream)?;
        let master = self.master(&client, agreed, keys).ok_or(Access::NoSecret)?;
        if !matches!(agreed.version, 0x0301..=0x0303) {
            return Err(Access::Version(agreed.version));
        }
        let suite = Suite::find(agreed.cipher, false).filter(|_| agreed.compression <= DEFLATE);
        let cipher = suite.and_then(|suite| agreed.cipher_of(side, suite, &client, &master));
        let cipher = cipher.ok_or(Access::Suite(agreed.cipher))?;
        Ok(Lock::old(self.generation, cipher, agreed.compression == DEFLATE))
    }

    fn master(&self, client: &[u8; 32], agreed: &Agreed, keys: &KeyLog) -> Option<Master> {
        let known = keys.secret(client, Label::Master);
        let known = known.or_else(|| keys.session(&agreed.session));
        if let Some(known) = known {
            return known.try_into().ok();
        }
        if !keys.has_premasters() {
            return None;
        }
        let premaster = keys.secret(client, Label::Premaster);
        let premaster = premaster.or_else(|| keys.premaster(self.encrypted?))?;
        let mut master = [0; 48];
        if agreed.is_extended {
            let seeds = [b"extended master secret", self.hash.as_deref()?];
            prf(agreed.hash(), premaster, &seeds, &mut master)?;
        } else {
            let seeds: [&[u8]; 3] = [b"master secret", client, &agreed.random];
            prf(agreed.hash(), premaster, &seeds, &mut master)?;
        }
        Some(master)
    }
}

impl Agreed {
    fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16().filter(|version| is_hello_version(*version))?;
        let random = reader.array()?;
        // Drafts of TLS 1.3 before 22 had neither session id nor compression here.
        let is_short = (0x7f00..0x7f16).contains(&version);
        let session = if is_short { None } else { Some(reader.block8()?) };
        let cipher = reader.u16()?;
        let mut agreed = Self {
            version,
            random,
            session: session.map_or(&[][..], |id| id.bytes).to_vec(),
            cipher,
            compression: if is_short { 0 } else { reader.u8()? },
            is_mac_last: false,
            is_extended: false,
            is_retry: random == RETRY_RANDOM,
        };
        let mut extensions = Reader::new(reader.block16().map_or(&[], |block| block.bytes));
        while let (Some(kind), Some(value)) = (extensions.u16(), extensions.block16()) {
            match kind {
                ENCRYPT_THEN_MAC => agreed.is_mac_last = true,
                EXTENDED_MASTER_SECRET => agreed.is_extended = true,
                SUPPORTED_VERSIONS => agreed.version = Reader::new(value.bytes).u16()?,
                _ => {}
            }
        }
        Some(agreed)
    }

    /// The draft of TLS 1.3 that it is, the last of all standing for the standard.
    pub(super) const fn draft(&self) -> Option<u8> {
        draft(self.version)
    }

    fn hash(&self) -> Hash {
        if self.version < 0x0303 {
            return Hash::Both;
        }
        Suite::find(self.cipher, false).map_or(Hash::Sha256, |suite| suite.hash)
    }

    /// The cipher of a side up to TLS 1.2.
    fn cipher_of(
        &self,
        side: Peer,
        suite: Suite,
        client: &[u8; 32],
        master: &Master,
    ) -> Option<Cipher> {
        let bulk = suite.bulk;
        let mac = bulk.mac().map_or(0, MacKind::length);
        let form = if bulk == Bulk::ChaCha20 { Form::Number } else { Form::Written };
        let iv = match (bulk.block(), form) {
            // TLS 1.1 and later write a vector in front of each record.
            (Some(_), _) if self.version > 0x0301 => 0,
            (Some(block), _) => block,
            (None, _) if bulk.mac().is_some() => 0,
            (None, Form::Number) => 12,
            (None, _) => 4,
        };
        let secret = bulk.export().unwrap_or(bulk.key());
        let mut block = vec![0; (mac.saturating_add(secret).saturating_add(iv)).checked_mul(2)?];
        let seeds: [&[u8]; 3] = [b"key expansion", &self.random, client];
        prf(self.hash(), master, &seeds, &mut block)?;
        let (mac, mut key, mut iv) = own(&block, side, [mac, secret, iv])?;
        let (mut final_key, mut final_iv) = ([0; 16], [0; 16]);
        if bulk.export().is_some() {
            // Export suites make the key of the few bytes, and the vectors of nothing secret.
            let label: &[u8] = if side == Peer::Client { CLIENT_KEY } else { SERVER_KEY };
            let seeds: [&[u8]; 3] = [label, client, &self.random];
            let whole = final_key.get_mut(..bulk.key())?;
            prf(self.hash(), key, &seeds, whole)?;
            key = whole;
            let both = final_iv.get_mut(..iv.len().checked_mul(2)?)?;
            prf(self.hash(), &[], &[b"IV block", client, &self.random], both)?;
            (_, _, iv) = own(both, side, [0, 0, iv.len()])?;
        }
        if bulk.block().is_some() {
            let chained = (!iv.is_empty()).then_some(iv);
            let is_mac_last = self.is_mac_last;
            return Cipher::cbc(bulk, &CbcParts { key, mac, chained, is_mac_last });
        }
        if bulk.mac().is_some() {
            return Some(Cipher::Stream(Box::new(Stream::new(bulk, key, mac)?)));
        }
        let mut whole = [0; 12];
        whole.iter_mut().zip(iv).for_each(|(slot, byte)| *slot = *byte);
        Cipher::aead(bulk, key, whole, form)
    }
}

/// A side's own parts of a block that holds three for each side, with these lengths.
fn own(block: &[u8], side: Peer, lengths: [usize; 3]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut reader = Reader::new(block);
    let mut own = |length| {
        let (one, other) = (reader.take(length)?, reader.take(length)?);
        Some(if side == Peer::Client { one } else { other })
    };
    let [first, second, third] = lengths;
    Some((own(first)?, own(second)?, own(third)?))
}

/// The draft of TLS 1.3 that a version is; that of the standard is higher than all.
const fn draft(version: u16) -> Option<u8> {
    let [high, low] = version.to_be_bytes();
    match high {
        0x03 if low == 4 => Some(u8::MAX),
        // Numbers of large sites count like those of the drafts.
        0x7f | 0xfb => Some(low),
        0x7e => Some(23),
        _ => None,
    }
}

/// The prefix of labels, and what records prove, as drafts had it.
pub(super) const fn label_prefix(draft: u8) -> &'static str {
    if draft < 20 { "TLS 1.3, " } else { "tls13 " }
}

/// The form of records of a draft.
pub(super) const fn record_form(draft: u8) -> Form {
    if draft < 25 { Form::Nothing } else { Form::Header }
}

/// The next secret of a side.
pub(super) fn next_secret(hash: Hash, secret: &[u8], draft: u8) -> Option<Vec<u8>> {
    let mut next = vec![0; hash.length()];
    expand(hash, secret, [label_prefix(draft), "traffic upd"], &mut next)?;
    Some(next)
}

/// The version of TLS 1.3.
const FINAL: u16 = 0x0304;
/// Suites of TLS 1.3 that are kept of an offer: there are five.
const MAX_SUITES: usize = 5;
/// Labels of the keys of export suites.
const CLIENT_KEY: &[u8] = b"client write key";
const SERVER_KEY: &[u8] = b"server write key";
/// Extensions that are read.
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
/// The compression method that is known; 0 is none.
const DEFLATE: u8 = 1;
