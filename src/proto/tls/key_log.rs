//! Key logs: the secrets that a client wrote down while it spoke TLS.
//!
//! It follows draft-ietf-tls-keylogfile-05 (the file that `SSLKEYLOGFILE` names, which a Decryption
//! Secrets Block of pcapng repeats), and the older lines for RSA, sessions and premaster secrets that
//! NSS and Wireshark describe. It must not know what a secret opens.
//!
//! Invariants: what is kept is at most [`limits::KEY_LOG`] bytes, the newest; no secret is ever shown.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::limits;
use crate::proto::Probe;

/// Secrets of many connections, by the random bytes of their first ClientHello.
#[derive(Default)]
pub struct KeyLog {
    entries: HashMap<Name, Vec<Secret>>,
    /// Names in the order they came, so that the oldest can go.
    order: VecDeque<Name>,
    /// Names that are random bytes of clients.
    randoms: usize,
    premasters: usize,
    held: usize,
    /// Bytes that were tried with them in vain, less those that they opened.
    tried: Cell<u64>,
    /// Connections that were given up sooner because of that.
    given_up: Cell<u64>,
}

/// What came of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLogRead {
    /// Secrets that can be used; one that was there already counts too.
    pub secrets: u32,
    /// Those of them that were not there, or not the same.
    pub new: u32,
    /// Lines that are neither a comment nor of the form of a key log.
    pub malformed: u32,
    /// Secrets that gave way because there were too many.
    pub dropped: u32,
}

impl KeyLogRead {
    /// Adds what came of another text.
    pub const fn add(&mut self, other: Self) {
        self.secrets = self.secrets.saturating_add(other.secrets);
        self.new = self.new.saturating_add(other.new);
        self.malformed = self.malformed.saturating_add(other.malformed);
        self.dropped = self.dropped.saturating_add(other.dropped);
    }
}

/// What secrets are found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// The first bytes of an encrypted premaster secret.
    Encrypted([u8; 8]),
    /// The random bytes of a ClientHello.
    Random([u8; 32]),
    /// The id of a session.
    Session(Box<[u8]>),
}

/// One secret.
struct Secret {
    label: Label,
    bytes: Box<[u8]>,
}

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    ClientHandshake,
    /// `CLIENT_TRAFFIC_SECRET_N`.
    ClientTraffic(u32),
    /// `CLIENT_RANDOM` and `RSA Session-ID`: the master secret up to TLS 1.2.
    Master,
    /// `PMS_CLIENT_RANDOM` and `RSA`: what the master secret is made of.
    Premaster,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `SERVER_TRAFFIC_SECRET_N`.
    ServerTraffic(u32),
}

/// What a line is.
enum Line {
    /// Nothing: blank, or a comment.
    Blank,
    Malformed,
    /// A secret that is of no use here.
    Other,
    Secret(Name, Secret),
}

impl KeyLog {
    /// Whether text begins like a key log. Blank lines and comments may come first.
    pub fn probe(text: &[u8]) -> Probe {
        let text = narrow(text);
        let mut lines = text.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            let is_cut = lines.peek().is_none();
            match read_line(line) {
                Line::Blank if line.len() <= limits::KEY_LOG_LINE => {}
                Line::Other | Line::Secret(..) => return Probe::Certain,
                Line::Malformed if is_cut && may_begin(line) => return Probe::Unsure,
                Line::Blank | Line::Malformed => return Probe::No,
            }
        }
        Probe::Unsure
    }

    /// Whether text that begins so has two bytes a character.
    pub fn is_wide(start: &[u8]) -> bool {
        matches!(narrow(start.get(..2).unwrap_or(start)), Cow::Owned(_))
    }

    /// Adds the secrets of a text. Of two for the same thing the later one counts.
    pub fn read(&mut self, text: &[u8]) -> KeyLogRead {
        let mut read = KeyLogRead::default();
        for line in narrow(text).split(|byte| *byte == b'\n') {
            match read_line(line) {
                Line::Blank | Line::Other => {}
                Line::Malformed => read.malformed = read.malformed.saturating_add(1),
                Line::Secret(name, secret) => {
                    read.secrets = read.secrets.saturating_add(1);
                    read.new = read.new.saturating_add(u32::from(self.add(name, secret)));
                    read.dropped = read.dropped.saturating_add(self.fit());
                }
            }
        }
        read
    }

    /// Whether it has no secret at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many connections it knows by the random bytes of their client.
    pub const fn len(&self) -> usize {
        self.randoms
    }

    /// Whether it has a secret for the connection that began with these random bytes.
    pub fn knows(&self, client_random: &[u8; 32]) -> bool {
        self.entries.contains_key(&Name::Random(*client_random))
    }

    /// Bytes that are held.
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Notes bytes that were tried in vain, and those that were opened.
    pub(super) fn tried(&self, vain: u64, opened: usize) {
        let opened = u64::try_from(opened).unwrap_or(u64::MAX);
        self.tried.set(self.tried.get().saturating_add(vain).saturating_sub(opened));
    }

    /// Whether so much was tried in vain that each connection may try a little only.
    pub(super) const fn is_tired(&self) -> bool {
        self.tried.get() > limits::TLS_ALL_TRIAL_BYTES
    }

    /// Notes that a connection was given up because others tried much.
    pub fn note_given_up(&self) {
        self.given_up.set(self.given_up.get().saturating_add(1));
    }

    /// Connections that were given up because others tried much, since this was asked.
    pub fn take_given_up(&self) -> u64 {
        self.given_up.take()
    }

    /// Forgets what was tried: the same bytes are read once more.
    pub fn forget_trials(&self) {
        self.tried.take();
        self.given_up.take();
    }

    /// Whether it has what master secrets are made of, for any connection.
    pub(super) const fn has_premasters(&self) -> bool {
        self.premasters > 0
    }

    /// A secret of the connection that began with these random bytes.
    pub(super) fn secret(&self, client_random: &[u8; 32], label: Label) -> Option<&[u8]> {
        self.find(&Name::Random(*client_random), label)
    }

    /// The premaster secret whose encrypted form begins so.
    pub(super) fn premaster(&self, encrypted: [u8; 8]) -> Option<&[u8]> {
        self.find(&Name::Encrypted(encrypted), Label::Premaster)
    }

    /// The master secret of a session.
    pub(super) fn session(&self, id: &[u8]) -> Option<&[u8]> {
        self.find(&Name::Session(id.into()), Label::Master)
    }

    fn find(&self, name: &Name, label: Label) -> Option<&[u8]> {
        let secrets = self.entries.get(name)?;
        secrets.iter().find(|secret| secret.label == label).map(|secret| &*secret.bytes)
    }

    /// Adds a secret; whether it was not known.
    fn add(&mut self, name: Name, secret: Secret) -> bool {
        let is_new = !self.entries.contains_key(&name);
        if is_new {
            self.order.push_back(name.clone());
            self.randoms = self.randoms.saturating_add(usize::from(name.is_random()));
            self.held = self.held.saturating_add(NAME_COST);
        }
        let secrets = self.entries.entry(name).or_default();
        let known = secrets.iter_mut().find(|known| known.label == secret.label);
        let cost = secret.cost();
        if let Some(known) = known {
            let is_new = known.bytes != secret.bytes;
            self.held = self.held.saturating_sub(known.cost()).saturating_add(cost);
            *known = secret;
            is_new
        } else if secrets.len() < limits::KEY_LOG_SECRETS {
            self.held = self.held.saturating_add(cost);
            self.premasters = self.premasters.saturating_add(secret.is_premaster());
            secrets.push(secret);
            true
        } else {
            false
        }
    }

    /// Lets the oldest go until the rest fits; it gives how many secrets went.
    fn fit(&mut self) -> u32 {
        let mut dropped = 0_u32;
        while self.held > limits::KEY_LOG {
            let Some(name) = self.order.pop_front() else { break };
            self.randoms = self.randoms.saturating_sub(usize::from(name.is_random()));
            self.held = self.held.saturating_sub(NAME_COST);
            for secret in self.entries.remove(&name).unwrap_or_default() {
                self.held = self.held.saturating_sub(secret.cost());
                self.premasters = self.premasters.saturating_sub(secret.is_premaster());
                dropped = dropped.saturating_add(1);
            }
        }
        dropped
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("randoms", &self.randoms)
            .field("names", &self.entries.len())
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Name {
    const fn is_random(&self) -> bool {
        matches!(self, Self::Random(_))
    }
}

impl Secret {
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(SECRET_COST)
    }

    fn is_premaster(&self) -> usize {
        usize::from(self.label == Label::Premaster)
    }
}

/// Text of one byte a character. Shells of Windows write two, in either order, with a mark or without.
fn narrow(text: &[u8]) -> Cow<'_, [u8]> {
    let (text, is_little) = match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => (rest, true),
        [0xfe, 0xff, rest @ ..] => (rest, false),
        [first, 0, ..] if *first != 0 => (text, true),
        [0, second, ..] if *second != 0 => (text, false),
        _ => return Cow::Borrowed(text),
    };
    let units = text.as_chunks::<2>().0.iter().map(|unit| match (is_little, *unit) {
        (true, [low, 0]) | (false, [0, low]) => low,
        _ => b'?',
    });
    Cow::Owned(units.collect())
}

/// Reads one line, without its end.
fn read_line(line: &[u8]) -> Line {
    // Blocks of pcapng are filled up with zeros.
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Line::Blank;
    }
    if line.len() > limits::KEY_LOG_LINE {
        return Line::Malformed;
    }
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let (Some(label), Some(name), Some(secret), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Line::Malformed;
    };
    if label == b"RSA" {
        return read_rsa(name, secret).unwrap_or(Line::Malformed);
    }
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (Some(random), Some(bytes), true) = (hex(name), hex(secret), label.iter().all(is_label))
    else {
        return Line::Malformed;
    };
    let Ok(random) = <[u8; 32]>::try_from(&*random) else { return Line::Malformed };
    let Some(label) = read_label(label) else { return Line::Other };
    let fits = match label {
        Label::Master => bytes.len() == MASTER,
        Label::Premaster => true,
        _ => matches!(bytes.len(), 32 | 48),
    };
    if fits { Line::Secret(Name::Random(random), Secret { label, bytes }) } else { Line::Malformed }
}

/// Reads the rest of a line that begins with `RSA`.
fn read_rsa(name: &[u8], secret: &[u8]) -> Option<Line> {
    if let (Some(id), Some(master)) =
        (name.strip_prefix(b"Session-ID:"), secret.strip_prefix(b"Master-Key:"))
    {
        let id = hex(id).filter(|id| id.len() <= 32)?;
        let bytes = hex(master).filter(|bytes| bytes.len() == MASTER)?;
        return Some(Line::Secret(Name::Session(id), Secret { label: Label::Master, bytes }));
    }
    let name = <[u8; 8]>::try_from(&*hex(name)?).ok()?;
    let bytes = hex(secret).filter(|bytes| bytes.len() == MASTER)?;
    Some(Line::Secret(Name::Encrypted(name), Secret { label: Label::Premaster, bytes }))
}

fn read_label(label: &[u8]) -> Option<Label> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u32>().ok();
    Some(match label {
        b"CLIENT_EARLY_TRAFFIC_SECRET" => Label::ClientEarly,
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Label::ClientHandshake,
        b"CLIENT_RANDOM" => Label::Master,
        b"PMS_CLIENT_RANDOM" => Label::Premaster,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Label::ServerHandshake,
        _ => {
            if let Some(digits) = label.strip_prefix(b"CLIENT_TRAFFIC_SECRET_") {
                Label::ClientTraffic(number(digits)?)
            } else {
                Label::ServerTraffic(number(label.strip_prefix(b"SERVER_TRAFFIC_SECRET_")?)?)
            }
        }
    })
}

/// The bytes that digits stand for; there must be one at least.
fn hex(digits: &[u8]) -> Option<Box<[u8]>> {
    let bytes = HEXLOWER_PERMISSIVE.decode(digits).ok()?;
    (!bytes.is_empty()).then(|| bytes.into_boxed_slice())
}

/// Whether a line that is cut may become one of a key log.
fn may_begin(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let is_whole = word.len() < line.len();
    let known = LABELS.iter().any(|label| {
        if is_whole {
            word == label.trim_ascii_end() || label.ends_with(b"_") && word.starts_with(label)
        } else {
            label.starts_with(word) || label.ends_with(b"_") && word.starts_with(label)
        }
    });
    let is_field = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t\r:-_".contains(byte);
    known && line.len() <= limits::KEY_LOG_LINE && line.iter().all(is_field)
}

/// What lines begin with; a number follows where the last character says so.
const LABELS: [&[u8]; 12] = [
    b"CLIENT_EARLY_TRAFFIC_SECRET",
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    b"CLIENT_RANDOM",
    b"CLIENT_TRAFFIC_SECRET_",
    b"EARLY_EXPORTER_",
    b"ECH_",
    b"EXPORTER_SECRET",
    b"PMS_CLIENT_RANDOM",
    b"QUIC_",
    b"RSA",
    b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
    b"SERVER_TRAFFIC_SECRET_",
];
/// Bytes of a master secret, and of a premaster secret that is sent encrypted.
const MASTER: usize = 48;
/// Bytes that a name costs beside its secrets, in both lists.
const NAME_COST: usize = 160;
/// Bytes that a secret costs beside its own.
const SECRET_COST: usize = 48;

/// Entry for fuzzing: any bytes as a key log.
#[doc(hidden)]
pub fn fuzz_key_log(bytes: &[u8]) {
    let mut log = KeyLog::default();
    let read = log.read(bytes);
    assert!(read.secrets == 0 || KeyLog::probe(bytes) != Probe::Unsure, "a secret is a sure sign");
    assert!(log.held() <= limits::KEY_LOG, "a key log is bounded");
    assert!(log.is_empty() || read.secrets > 0, "what is kept was read");
    let (known, held) = (log.len(), log.held());
    let again = log.read(bytes);
    assert_eq!((again.secrets, log.len()), (read.secrets, known), "what is known is not new");
    assert!(again.dropped > 0 || log.held() == held, "and takes no room");
    assert!(read.new <= read.secrets && read.new >= u32::from(!log.is_empty()), "it was new");
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn line(label: &str, length: usize) -> String {
        format!("{label} {RANDOM} {}", "ab".repeat(length))
    }

    fn random() -> [u8; 32] {
        hex(RANDOM.as_bytes()).unwrap().as_ref().try_into().unwrap()
    }

    fn wide(text: &str, is_little: bool, mark: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units
            .flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() })
            .collect()
    }

    #[test]
    fn every_form_of_line_is_read() {
        let text = [
            "# a comment".to_owned(),
            String::new(),
            line("CLIENT_RANDOM", 48),
            line("CLIENT_EARLY_TRAFFIC_SECRET", 32),
            line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 48),
            line("SERVER_TRAFFIC_SECRET_2", 32),
            line("EXPORTER_SECRET", 32),
            line("PMS_CLIENT_RANDOM", 256),
            format!("RSA 0011223344556677 {}", "cd".repeat(48)),
            format!("RSA Session-ID:00aa Master-Key:{}", "ef".repeat(48)),
            line("CLIENT_RANDOM", 47),
            "CLIENT_RANDOM 00".to_owned(),
        ]
        .join("\r\n");
        let forms = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide(&text, true, true),
            wide(&text, false, true),
            wide(&text, true, false),
        ];
        for form in forms {
            assert_eq!(KeyLog::probe(&form), Probe::Certain);
            let mut log = KeyLog::default();
            assert!(log.is_empty());
            let read = log.read(&form);
            assert_eq!(read, KeyLogRead { secrets: 7, new: 7, malformed: 2, dropped: 0 });
            assert_eq!((log.len(), log.read(&form).new), (1, 0));
            assert!(log.knows(&random()) && !log.knows(&[0; 32]));
            assert_eq!(log.secret(&random(), Label::Master).unwrap(), [0xab; 48]);
            assert_eq!(log.secret(&random(), Label::ServerTraffic(2)).unwrap(), [0xab; 32]);
            assert_eq!(log.secret(&random(), Label::Premaster).unwrap().len(), 256);
            assert_eq!(
                log.premaster([0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]).unwrap(),
                [0xcd; 48]
            );
            assert_eq!(log.session(&[0, 0xaa]).unwrap(), [0xef; 48]);
            assert!(!format!("{log:?}").contains("171"), "no secret is shown");
        }
    }

    #[test]
    fn other_text_is_refused() {
        let whole = line("CLIENT_RANDOM", 48);
        for cut in [0, 1, 7, 13, 14, 30, 100] {
            assert_eq!(KeyLog::probe(&whole.as_bytes()[..cut]), Probe::Unsure, "{cut}");
        }
        assert_eq!(KeyLog::probe(b"# nothing but comments\n\n"), Probe::Unsure);
        for other in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"{\"log\":{}}",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0",
            b"PK",
        ] {
            assert_eq!(KeyLog::probe(other), Probe::No, "{other:?}");
        }
        assert_eq!(KeyLog::probe(b"CLIENT_RANDOM 00 11\n"), Probe::No);
    }

    #[test]
    fn the_oldest_give_way() {
        let mut log = KeyLog::default();
        let mut read = KeyLogRead::default();
        let each = NAME_COST + SECRET_COST + 48;
        let count = limits::KEY_LOG / each + 10;
        for number in 0..count {
            let text = format!("CLIENT_RANDOM {number:064x} {}", "ab".repeat(48));
            let one = log.read(text.as_bytes());
            read.dropped += one.dropped;
        }
        assert!(log.held() <= limits::KEY_LOG);
        assert_eq!(usize::try_from(read.dropped).unwrap(), count - log.len());
        assert!(read.dropped >= 10 && !log.knows(&[0; 32]));
    }

    #[test]
    fn what_is_tried_in_vain_tires_it_and_what_opens_does_not() {
        let log = KeyLog::default();
        log.tried(limits::TLS_ALL_TRIAL_BYTES, 0);
        assert!(!log.is_tired());
        log.tried(10, 0);
        assert!(log.is_tired());
        log.tried(0, 20);
        assert!(!log.is_tired());
    }
}
