//! The ClientHello, over TCP or in QUIC, and the one of SSL 2.0 form.
//!
//! It follows RFC 8446 section 4.1.2, RFC 6066 section 3 (names), RFC 7301 (protocols), RFC 8701
//! (placeholders), RFC 9849 (encrypted hellos), and RFC 5246 appendix E.2 for the SSL 2.0 form.
//!
//! Invariants: placeholders are never shown; lists and texts are bounded; a hello that was cut is
//! read as far as it goes and has no fingerprint.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::handshake::{Seen, is_hello_version};
use super::ja4::{Carrier, Ja4, Parts, ja4};
use super::reader::{Reader, is_grease, numbers};
use crate::limits;
use crate::proto::Mark;

/// Whether the hello hides another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ech {
    /// The encrypted server name of the years before ECH.
    EncryptedName,
    /// It does not.
    #[default]
    None,
    /// It carries an encrypted hello. Whether that is real or only keeps servers used to it cannot be
    /// told; when it is real, the server name in clear is not the one wanted.
    Outer,
}

/// The id of a session, at most 32 bytes long (RFC 5246 section 7.4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// Invariant: what is behind its length is zero.
    bytes: [u8; 32],
    length: u8,
}

impl SessionId {
    /// That of a hello without one.
    pub(super) const EMPTY: Self = Self { bytes: [0; 32], length: 0 };

    /// `None` when the bytes are too many.
    pub(super) fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, length: u8::try_from(id.len()).ok()? })
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Numbers of a list: usual ones are few, and lie where they stand.
pub(super) type Numbers = SmallVec<[u16; 8]>;

/// A ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one message")]
pub struct ClientHello {
    /// The frame that completed its record, or the message where the record is cut.
    pub mark: Mark,
    /// The frame its first byte came with.
    pub first: Mark,
    /// Segments of TCP it came in.
    pub segments: u32,
    /// Bytes of the message, its header included.
    pub length: u32,
    /// The version of the message itself; TLS 1.3 writes that of TLS 1.2 here.
    pub legacy_version: u16,
    /// The versions of `supported_versions`, in order.
    pub versions: Numbers,
    /// The server name in lower case; `None` when there is none or it is no host name.
    pub sni: Option<String>,
    /// Whether there is a server name, be it a host name or not.
    pub has_sni: bool,
    /// The application protocols, in order.
    pub alpn: SmallVec<[Cow<'static, str>; 2]>,
    /// The groups, in order.
    pub groups: Numbers,
    /// The groups that come with a key share, in order.
    pub shares: Numbers,
    /// How many cipher suites are offered.
    pub ciphers: u32,
    /// How many extensions there are.
    pub extensions: u32,
    /// Whether it hides another hello.
    pub ech: Ech,
    /// Whether it offers a key shared before (TLS 1.3).
    pub has_psk: bool,
    /// Whether data follow at once (TLS 1.3).
    pub has_early_data: bool,
    /// Whether it brings a ticket of an earlier session (TLS 1.2).
    pub has_ticket: bool,
    /// Its session id.
    pub session_id: SessionId,
    /// Its random bytes, by which keys of a key log are found.
    pub random: [u8; 32],
    /// Its JA4 fingerprint; `None` when it was cut or has the SSL 2.0 form.
    pub ja4: Option<Ja4>,
    /// Whether it has the SSL 2.0 form.
    pub is_ssl2: bool,
    /// Whether all of it was there and well formed.
    pub is_whole: bool,
}

impl ClientHello {
    /// Reads the body of the message, without its header of four bytes; `None` when it is none.
    pub fn parse(body: &[u8], carrier: Carrier, seen: Seen) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16().filter(|version| is_hello_version(*version))?;
        let mut hello = Self::empty(version, seen);
        let mut parts = Parts { legacy_version: version, ..Parts::default() };
        let is_read = hello.read(reader, &mut parts).is_some();
        hello.is_whole = is_read && seen.is_whole;
        hello.ja4 = hello.is_whole.then(|| ja4(carrier, parts));
        Some(hello)
    }

    /// Reads a hello of SSL 2.0 form, from its type on.
    pub(super) fn parse_ssl2(message: &[u8], seen: Seen) -> Option<Self> {
        let mut reader = Reader::new(message);
        reader.u8()?;
        let mut hello = Self::empty(reader.u16()?, seen);
        hello.is_ssl2 = true;
        // The header has two bytes here, not four.
        hello.length = seen.length.saturating_sub(2);
        hello.is_whole = hello.read_ssl2(reader).is_some() && seen.is_whole;
        Some(hello)
    }

    /// The highest version offered.
    pub fn highest_version(&self) -> u16 {
        let known = |version: &u16| matches!(version, 0x0300..=0x0304);
        let listed = self.versions.iter().copied().filter(known).max();
        listed.or_else(|| self.versions.iter().copied().max()).unwrap_or(self.legacy_version)
    }

    /// Whether it brings a key share that is safe from quantum computers; such a hello is larger than
    /// one segment.
    pub fn has_post_quantum_share(&self) -> bool {
        self.shares.iter().any(|group| is_post_quantum(*group))
    }

    /// Whether it asks to resume an earlier session. A session id alone says nothing in TLS 1.3.
    pub fn offers_resumption(&self) -> bool {
        let is_old = !self.versions.iter().any(|version| super::facts::is_tls13(*version));
        self.has_psk || self.has_ticket || (is_old && !self.session_id.is_empty())
    }

    fn empty(legacy_version: u16, seen: Seen) -> Self {
        Self {
            mark: seen.mark,
            first: seen.first,
            segments: seen.segments,
            length: seen.length,
            legacy_version,
            versions: Numbers::new(),
            sni: None,
            has_sni: false,
            alpn: SmallVec::new(),
            groups: Numbers::new(),
            shares: Numbers::new(),
            ciphers: 0,
            extensions: 0,
            ech: Ech::None,
            has_psk: false,
            has_early_data: false,
            has_ticket: false,
            session_id: SessionId::EMPTY,
            random: [0; 32],
            ja4: None,
            is_ssl2: false,
            is_whole: false,
        }
    }

    fn read<'a>(&mut self, mut reader: Reader<'a>, parts: &mut Parts<'a>) -> Option<()> {
        self.random = reader.array()?;
        let id = reader.block8().filter(|id| id.is_whole)?;
        self.session_id = SessionId::new(id.bytes)?;
        let ciphers = reader.block16()?;
        parts.ciphers = numbers(ciphers.bytes).collect();
        self.ciphers = count(parts.ciphers.iter().filter(|cipher| !is_grease(**cipher)));
        reader.block8().filter(|methods| methods.is_whole)?;
        if reader.is_empty() {
            return Some(());
        }
        let block = reader.block16()?;
        let mut extensions = Reader::new(block.bytes);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let value = extensions.block16()?;
            parts.extensions.push(kind);
            if !is_grease(kind) {
                self.extensions = self.extensions.saturating_add(1);
            }
            self.extension(kind, value.bytes, value.is_whole, parts);
            if !value.is_whole {
                return None;
            }
        }
        block.is_whole.then_some(())
    }

    fn extension<'a>(&mut self, kind: u16, value: &'a [u8], whole: bool, parts: &mut Parts<'a>) {
        let mut reader = Reader::new(value);
        let list8 = |mut reader: Reader<'a>| reader.block8().map_or(&[][..], |list| list.bytes);
        let list16 = |mut reader: Reader<'a>| reader.block16().map_or(&[][..], |list| list.bytes);
        match kind {
            SERVER_NAME => {
                self.has_sni = true;
                if self.sni.is_none() && whole {
                    self.sni = server_name(list16(reader));
                }
            }
            PROTOCOLS => self.protocols(list16(reader), parts),
            GROUPS => keep(&mut self.groups, numbers(list16(reader))),
            SIGNATURE_ALGORITHMS => {
                parts.signature_algorithms = numbers(list16(reader)).collect();
            }
            SUPPORTED_VERSIONS => {
                let list = list8(reader);
                parts.highest = numbers(list).filter(|version| !is_grease(*version)).max();
                keep(&mut self.versions, numbers(list));
            }
            KEY_SHARE => {
                // Drafts before 23 used another number, with the same content.
                let mut shares = Reader::new(reader.block16().map_or(&[], |list| list.bytes));
                while let Some(group) = shares.u16() {
                    keep(&mut self.shares, [group]);
                    if shares.block16().is_none() {
                        break;
                    }
                }
            }
            TICKET => self.has_ticket = !value.is_empty(),
            PRE_SHARED_KEY => self.has_psk = true,
            EARLY_DATA => self.has_early_data = true,
            ENCRYPTED_HELLO | 0xfe0a..=0xfe0c => self.ech = Ech::Outer,
            ENCRYPTED_NAME if self.ech == Ech::None => self.ech = Ech::EncryptedName,
            _ => {}
        }
    }

    fn protocols<'a>(&mut self, list: &'a [u8], parts: &mut Parts<'a>) {
        let mut reader = Reader::new(list);
        while let Some(name) = reader.block8() {
            parts.protocol.get_or_insert(name.bytes);
            let placeholder = name.bytes.len() == 2 && numbers(name.bytes).any(is_grease);
            if self.alpn.len() < limits::TLS_PROTOCOLS && !placeholder {
                self.alpn.push(protocol_text(name.bytes));
            }
        }
    }

    fn read_ssl2(&mut self, mut reader: Reader<'_>) -> Option<()> {
        let ciphers = usize::from(reader.u16()?);
        let id = usize::from(reader.u16()?);
        let challenge = usize::from(reader.u16()?);
        let ciphers = reader.take(ciphers)?;
        self.ciphers = count(ciphers.as_chunks::<3>().0.iter());
        self.session_id = SessionId::new(reader.take(id)?)?;
        let challenge = reader.take(challenge)?;
        // The challenge is the end of the random bytes, with zeros before it.
        for (to, from) in self.random.iter_mut().rev().zip(challenge.iter().rev()) {
            *to = *from;
        }
        Some(())
    }
}

/// The host name of a list of server names, when it is one.
fn server_name(list: &[u8]) -> Option<String> {
    let mut reader = Reader::new(list);
    let kind = reader.u8()?;
    let name = reader.block16().filter(|name| name.is_whole && kind == 0)?;
    let name = std::str::from_utf8(name.bytes).ok()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let valid = (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    valid.then(|| name.to_ascii_lowercase())
}

/// The name of a protocol; bytes that are not printable are escaped.
pub(super) fn protocol_text(bytes: &[u8]) -> Cow<'static, str> {
    let usual = USUAL_PROTOCOLS.iter().find(|usual| usual.as_bytes() == bytes);
    if let Some(usual) = usual {
        return Cow::Borrowed(usual);
    }
    let bytes = bytes.get(..bytes.len().min(MAX_PROTOCOL)).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| is_plain(*byte)) => text.to_owned().into(),
        _ => bytes.escape_ascii().to_string().into(),
    }
}

/// Whether a byte of a text stands for itself (`escape_ascii`).
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'\'' | b'"')
}

/// Adds numbers that are no placeholders, up to the bound.
fn keep(list: &mut Numbers, numbers: impl IntoIterator<Item = u16>) {
    let room = limits::TLS_OFFERS.saturating_sub(list.len());
    list.extend(numbers.into_iter().filter(|number| !is_grease(*number)).take(room));
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// Groups of ML-KEM alone and with a curve, of Kyber before it, and of CECPQ2.
const fn is_post_quantum(group: u16) -> bool {
    matches!(
        group,
        0x0200..=0x0202 | 0x11eb..=0x11ee | 0x2f39..=0x2f3a | 0x4138 | 0x6399..=0x639a | 0xfe30..=0xfe31
    )
}

/// Extensions that are read.
const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const PROTOCOLS: u16 = 16;
const TICKET: u16 = 35;
pub(super) const PRE_SHARED_KEY: u16 = 41;
pub(super) const EARLY_DATA: u16 = 42;
pub(super) const SUPPORTED_VERSIONS: u16 = 43;
pub(super) const KEY_SHARE: u16 = 51;
const ENCRYPTED_HELLO: u16 = 0xfe0d;
const ENCRYPTED_NAME: u16 = 0xffce;
/// Protocols that nearly every hello names (the registry of ALPN protocol ids).
const USUAL_PROTOCOLS: [&str; 3] = ["h2", "http/1.1", "h3"];
/// Bytes kept of the name of a protocol; registered ones have up to a dozen.
const MAX_PROTOCOL: usize = 64;
