//! Connections of TLS whose secrets are known: real records under keys of our own, frame by frame.
//!
//! It follows RFC 8446 sections 5 and 7, RFC 5246 sections 5 and 6.3, and RFC 5288. Sessions are
//! resumed, so that no certificate is needed: by a key of before in TLS 1.3, by their id in TLS 1.2.
//! It imports nothing of the crate.
#![allow(dead_code, reason = "each user needs a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

use std::fmt::Write as _;

use aes_gcm::aead::array::Array;
use aes_gcm::{AeadInOut as _, Aes128Gcm, Aes256Gcm, KeyInit as _};
use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Sha256, Sha384};

use super::traffic::{End, Numbers, Writer, field, flag, handshake};

/// What a connection agrees on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Tls12Aes128,
    Tls12Aes256,
    Tls13Aes128,
    Tls13Aes256,
}

/// A side, as an index.
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;
/// Types of records.
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;
/// Bytes of the longest text of a record.
pub(crate) const LONGEST: usize = 1 << 14;
/// Bytes of a segment.
const SEGMENT: usize = 1460;

impl Suite {
    pub(crate) const ALL: [Self; 4] =
        [Self::Tls12Aes128, Self::Tls12Aes256, Self::Tls13Aes128, Self::Tls13Aes256];

    const fn is_13(self) -> bool {
        matches!(self, Self::Tls13Aes128 | Self::Tls13Aes256)
    }

    const fn is_long(self) -> bool {
        matches!(self, Self::Tls12Aes256 | Self::Tls13Aes256)
    }

    const fn number(self) -> u16 {
        match self {
            Self::Tls12Aes128 => 0xc02f,
            Self::Tls12Aes256 => 0xc030,
            Self::Tls13Aes128 => 0x1301,
            Self::Tls13Aes256 => 0x1302,
        }
    }

    /// HKDF-Expand-Label without a context.
    fn expand(self, secret: &[u8], label: &str, out: &mut [u8]) {
        let mut info = u16::try_from(out.len()).unwrap().to_be_bytes().to_vec();
        info.push(u8::try_from(label.len() + 6).unwrap());
        info.extend(b"tls13 ");
        info.extend(label.as_bytes());
        info.push(0);
        if self.is_long() {
            Hkdf::<Sha384>::from_prk(secret).unwrap().expand(&info, out).unwrap();
        } else {
            Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, out).unwrap();
        }
    }

    fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        if self.is_long() {
            let mut mac = Hmac::<Sha384>::new_from_slice(key).unwrap();
            for part in parts {
                mac.update(part);
            }
            mac.finalize().into_bytes().to_vec()
        } else {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            for part in parts {
                mac.update(part);
            }
            mac.finalize().into_bytes().to_vec()
        }
    }

    /// The keys of both sides of TLS 1.2: keys of the client and the server, then their salts.
    fn key_block(self, master: &[u8], server: &[u8], client: &[u8]) -> Vec<u8> {
        let seed = [b"key expansion", server, client].concat();
        let (mut block, mut round) = (Vec::new(), self.mac(master, &[&seed]));
        while block.len() < 72 {
            block.extend(self.mac(master, &[&round, &seed]));
            round = self.mac(master, &[&round]);
        }
        block
    }
}

enum Cipher {
    Long(Box<Aes256Gcm>),
    Short(Box<Aes128Gcm>),
}

/// What seals the records of a side.
struct Lock {
    cipher: Cipher,
    iv: [u8; 12],
    number: u64,
}

impl Lock {
    fn new(suite: Suite, key: &[u8], iv: &[u8]) -> Self {
        let cipher = if suite.is_long() {
            Cipher::Long(Box::new(Aes256Gcm::new_from_slice(key).unwrap()))
        } else {
            Cipher::Short(Box::new(Aes128Gcm::new_from_slice(key).unwrap()))
        };
        let mut whole = [0; 12];
        whole[..iv.len()].copy_from_slice(iv);
        Self { cipher, iv: whole, number: 0 }
    }

    fn of_secret(suite: Suite, secret: &[u8]) -> Self {
        let mut key = [0; 32];
        let key = &mut key[..if suite.is_long() { 32 } else { 16 }];
        let mut iv = [0; 12];
        suite.expand(secret, "key", key);
        suite.expand(secret, "iv", &mut iv);
        Self::new(suite, key, &iv)
    }

    fn seal(&mut self, suite: Suite, kind: u8, text: &[u8]) -> Vec<u8> {
        let number = self.number.to_be_bytes();
        self.number += 1;
        let start = if suite.is_13() { 5 } else { 13 };
        let more = usize::from(suite.is_13());
        let length = u16::try_from(start - 5 + text.len() + more + 16).unwrap();
        let mut out = Vec::with_capacity(5 + usize::from(length));
        out.extend([if suite.is_13() { DATA } else { kind }, 3, 3]);
        out.extend(length.to_be_bytes());
        let mut nonce = self.iv;
        let mut extra = out.clone();
        if suite.is_13() {
            nonce[4..].iter_mut().zip(number).for_each(|(slot, byte)| *slot ^= byte);
        } else {
            nonce[4..].copy_from_slice(&number);
            out.extend(number);
            let length = u16::try_from(text.len()).unwrap().to_be_bytes();
            extra = [&number[..], &[kind, 3, 3], &length].concat();
        }
        out.extend_from_slice(text);
        if suite.is_13() {
            out.push(kind);
        }
        let buffer = (&mut out[start..]).into();
        let tag = match &self.cipher {
            Cipher::Long(cipher) => cipher.encrypt_inout_detached(&Array(nonce), &extra, buffer),
            Cipher::Short(cipher) => cipher.encrypt_inout_detached(&Array(nonce), &extra, buffer),
        };
        out.extend(tag.unwrap());
        out
    }
}

/// Both sides of a connection, without their transport.
pub(crate) struct Tls {
    suite: Suite,
    random: [u8; 32],
    answer: [u8; 32],
    session: [u8; 32],
    numbers: Numbers,
    secrets: Vec<(&'static str, Vec<u8>)>,
    locks: [Option<Lock>; 2],
}

impl Tls {
    /// The connection of a number, the same in every run.
    pub(crate) fn new(number: u64, suite: Suite) -> Self {
        let mut numbers = Numbers::new(number.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95));
        for _ in 0..4 {
            numbers.next();
        }
        let (random, answer, session) =
            (noise(&mut numbers), noise(&mut numbers), noise(&mut numbers));
        let labels: &[&'static str] = if suite.is_13() { &LABELS } else { &["CLIENT_RANDOM"] };
        let length = if suite.is_13() && !suite.is_long() { 32 } else { 48 };
        let secrets = labels
            .iter()
            .map(|label| {
                let both: [[u8; 32]; 2] = [noise(&mut numbers), noise(&mut numbers)];
                (*label, both.concat()[..length].to_vec())
            })
            .collect();
        Self { suite, random, answer, session, numbers, secrets, locks: [None, None] }
    }

    /// The lines of a key log for it.
    pub(crate) fn key_log(&self) -> String {
        let mut out = String::new();
        let random = HEXLOWER.encode(&self.random);
        for (label, secret) in &self.secrets {
            writeln!(out, "{label} {random} {}", HEXLOWER.encode(secret)).unwrap();
        }
        out
    }

    fn lock(&self, label: &str) -> Lock {
        let (_, secret) = self.secrets.iter().find(|(known, _)| *known == label).unwrap();
        Lock::of_secret(self.suite, secret)
    }

    /// The ClientHello; data may follow it at once in TLS 1.3.
    pub(crate) fn client_hello(&mut self, host: &str, protocol: &str, is_early: bool) -> Vec<u8> {
        let mut extensions = Vec::new();
        let length = u16::try_from(host.len()).unwrap();
        let head = [&(length + 3).to_be_bytes()[..], &[0], &length.to_be_bytes()].concat();
        field(&mut extensions, 0, &[&head, host.as_bytes()].concat());
        field(&mut extensions, 0x17, b"");
        field(&mut extensions, 0x0a, b"\0\x04\0\x1d\0\x17");
        field(&mut extensions, 0x0d, b"\0\x04\x04\x03\x08\x04");
        field(&mut extensions, 0x10, &alpn(protocol));
        if self.suite.is_13() {
            field(&mut extensions, 0x2b, b"\x04\x03\x04\x03\x03");
            field(&mut extensions, 0x2d, b"\x01\x01");
            let share: [u8; 32] = noise(&mut self.numbers);
            field(&mut extensions, 0x33, &[b"\0\x24\0\x1d\0\x20", &share[..]].concat());
            if is_early {
                field(&mut extensions, 0x2a, b"");
                self.locks[CLIENT] = Some(self.lock("CLIENT_EARLY_TRAFFIC_SECRET"));
            }
            // A key of before comes last (RFC 8446 section 4.2.11).
            let (id, binder): ([u8; 32], [u8; 32]) =
                (noise(&mut self.numbers), noise(&mut self.numbers));
            let key = [b"\0\x26\0\x20", &id[..], b"\0\0\0\x01\0\x21\x20", &binder].concat();
            field(&mut extensions, 0x29, &key);
        }
        let mut body = [b"\x03\x03", &self.random[..], &[32], &self.session].concat();
        body.extend(b"\0\x08\x13\x01\x13\x02\xc0\x2f\xc0\x30\x01\0");
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        handshake(1, b"\x16\x03\x01", &body)
    }

    /// What the server answers: its hello, and its last message of the handshake, encrypted.
    pub(crate) fn server_flight(&mut self, protocol: &str) -> Vec<u8> {
        let mut extensions = Vec::new();
        if self.suite.is_13() {
            field(&mut extensions, 0x2b, b"\x03\x04");
            let share: [u8; 32] = noise(&mut self.numbers);
            field(&mut extensions, 0x33, &[b"\0\x1d\0\x20", &share[..]].concat());
            field(&mut extensions, 0x29, b"\0\0");
        } else {
            field(&mut extensions, 0x17, b"");
            field(&mut extensions, 0x10, &alpn(protocol));
        }
        let mut body = [b"\x03\x03", &self.answer[..], &[32], &self.session].concat();
        body.extend(self.suite.number().to_be_bytes());
        body.push(0);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        let mut out = handshake(2, b"\x16\x03\x03", &body);
        out.extend(CHANGE);
        if self.suite.is_13() {
            let mut extensions = Vec::new();
            field(&mut extensions, 0x10, &alpn(protocol));
            if self.locks[CLIENT].is_some() {
                field(&mut extensions, 0x2a, b"");
            }
            let mut inside = Vec::new();
            field(&mut inside, 0, &extensions);
            let messages = [message(8, &inside[2..]), self.finished()].concat();
            self.locks[SERVER] = Some(self.lock("SERVER_HANDSHAKE_TRAFFIC_SECRET"));
            self.seal(SERVER, HANDSHAKE, &messages, &mut out);
            self.locks[SERVER] = Some(self.lock("SERVER_TRAFFIC_SECRET_0"));
        } else {
            let (_, master) = &self.secrets[0];
            let block = self.suite.key_block(master, &self.answer, &self.random);
            let length = if self.suite.is_long() { 32 } else { 16 };
            for side in [CLIENT, SERVER] {
                let key = &block[side * length..][..length];
                let salt = &block[2 * length + side * 4..][..4];
                self.locks[side] = Some(Lock::new(self.suite, key, salt));
            }
            let last = self.finished();
            self.seal(SERVER, HANDSHAKE, &last, &mut out);
        }
        out
    }

    /// The last of the client's handshake.
    pub(crate) fn client_flight(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.locks[CLIENT].is_some() && self.suite.is_13() {
            self.seal(CLIENT, HANDSHAKE, &message(5, b""), &mut out);
        } else {
            out.extend(CHANGE);
        }
        if self.suite.is_13() {
            self.locks[CLIENT] = Some(self.lock("CLIENT_HANDSHAKE_TRAFFIC_SECRET"));
        }
        let last = self.finished();
        self.seal(CLIENT, HANDSHAKE, &last, &mut out);
        if self.suite.is_13() {
            self.locks[CLIENT] = Some(self.lock("CLIENT_TRAFFIC_SECRET_0"));
        }
        out
    }

    /// A change of the keys of a side (RFC 8446 section 4.6.3), which has them from then on.
    pub(crate) fn renew(&mut self, side: usize, out: &mut Vec<u8>) {
        self.seal(side, HANDSHAKE, &message(24, b"\0"), out);
        let suite = self.suite;
        let label = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"][side];
        let (_, secret) = self.secrets.iter_mut().find(|(known, _)| *known == label).unwrap();
        let mut next = vec![0; secret.len()];
        suite.expand(secret, "traffic upd", &mut next);
        *secret = next;
        self.locks[side] = Some(Lock::of_secret(suite, secret));
    }

    /// Adds a record.
    pub(crate) fn seal(&mut self, side: usize, kind: u8, text: &[u8], out: &mut Vec<u8>) {
        let suite = self.suite;
        out.extend(self.locks[side].as_mut().unwrap().seal(suite, kind, text));
    }

    /// Text in as few records as it needs.
    pub(crate) fn sealed(&mut self, side: usize, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in text.chunks(LONGEST) {
            self.seal(side, DATA, piece, &mut out);
        }
        out
    }

    /// A message of the form of `Finished`: nobody who only listens can check it.
    fn finished(&mut self) -> Vec<u8> {
        let both: [[u8; 32]; 2] = [noise(&mut self.numbers), noise(&mut self.numbers)];
        let length = match self.suite {
            Suite::Tls13Aes128 => 32,
            Suite::Tls13Aes256 => 48,
            _ => 12,
        };
        message(20, &both.concat()[..length])
    }
}

fn noise(numbers: &mut Numbers) -> [u8; 32] {
    let mut out = [0; 32];
    for piece in out.chunks_mut(4) {
        piece.copy_from_slice(&numbers.next().to_be_bytes());
    }
    out
}

/// A handshake message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, mid, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, high, mid, low], body].concat()
}

fn alpn(protocol: &str) -> Vec<u8> {
    let length = u8::try_from(protocol.len()).unwrap();
    [&[0, length + 1, length], protocol.as_bytes()].concat()
}

/// A connection with its transport: segments, each side acknowledged by the next of the other.
pub(crate) struct Talk {
    pub(crate) ends: [End; 2],
    /// The next byte of each side.
    pub(crate) at: [u32; 2],
    pub(crate) tls: Tls,
    /// What travels inside of it, one in the other.
    inside: Vec<Tls>,
}

impl Talk {
    pub(crate) const fn new(client: End, server: End, tls: Tls) -> Self {
        Self { ends: [client, server], at: [1000, 2000], tls, inside: Vec::new() }
    }

    /// The three segments that open it.
    pub(crate) fn open(&mut self, writer: &mut Writer) {
        self.put(writer, CLIENT, flag::SYN, b"");
        self.put(writer, SERVER, flag::SYN | flag::ACK, b"");
        self.put(writer, CLIENT, flag::ACK, b"");
    }

    /// Opens it, shakes hands, and is ready for data.
    pub(crate) fn shake(&mut self, writer: &mut Writer, host: &str, protocol: &str) {
        self.open(writer);
        let hello = self.tls.client_hello(host, protocol, false);
        self.send(writer, CLIENT, &hello);
        let flight = self.tls.server_flight(protocol);
        self.send(writer, SERVER, &flight);
        let last = self.tls.client_flight();
        self.send(writer, CLIENT, &last);
    }

    /// Seals text and sends it.
    pub(crate) fn say(&mut self, writer: &mut Writer, side: usize, text: &[u8]) {
        let records = self.tls.sealed(side, text);
        self.send(writer, side, &records);
    }

    /// Asks for a tunnel through whatever there is, and shakes hands inside of it.
    pub(crate) fn nest(&mut self, writer: &mut Writer, host: &str, mut tls: Tls) {
        let ask = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
        self.through(writer, CLIENT, ask.into_bytes());
        self.through(writer, SERVER, b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
        let hello = tls.client_hello(host, "http/1.1", false);
        self.through(writer, CLIENT, hello);
        let flight = tls.server_flight("http/1.1");
        self.through(writer, SERVER, flight);
        let last = tls.client_flight();
        self.through(writer, CLIENT, last);
        self.inside.push(tls);
    }

    /// Seals bytes by whatever there is, the innermost first.
    pub(crate) fn through(&mut self, writer: &mut Writer, side: usize, mut bytes: Vec<u8>) {
        for tls in self.inside.iter_mut().rev() {
            bytes = tls.sealed(side, &bytes);
        }
        self.say(writer, side, &bytes);
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, writer: &mut Writer, side: usize, bytes: &[u8]) {
        for piece in bytes.chunks(SEGMENT) {
            self.put(writer, side, flag::PSH | flag::ACK, piece);
        }
    }

    /// Both sides end it.
    pub(crate) fn close(&mut self, writer: &mut Writer) {
        self.put(writer, CLIENT, flag::FIN | flag::ACK, b"");
        self.put(writer, SERVER, flag::FIN | flag::ACK, b"");
        self.put(writer, CLIENT, flag::ACK, b"");
    }

    /// Sends one segment.
    pub(crate) fn put(&mut self, writer: &mut Writer, side: usize, flags: u8, bytes: &[u8]) {
        let other = 1 - side;
        let marks = (self.at[side], self.at[other]);
        writer.tcp(self.ends[side], self.ends[other], marks, flags, bytes);
        writer.clock += 3;
        let extra = u32::from(flags & (flag::SYN | flag::FIN) != 0);
        self.at[side] =
            self.at[side].wrapping_add(u32::try_from(bytes.len()).unwrap()).wrapping_add(extra);
    }
}

/// A change of ciphers in its record.
const CHANGE: &[u8] = b"\x14\x03\x03\0\x01\x01";
/// What a key log calls the secrets of TLS 1.3.
const LABELS: [&str; 5] = [
    "CLIENT_EARLY_TRAFFIC_SECRET",
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
];
