//! Connections that openssl 3.0 had with itself over loopback, one for each family of ciphers; those
//! of 3DES, and of AES-256-CCM with a short tag, were made with tlslite-ng 0.8; those that are
//! compressed, and those of Camellia, IDEA, RC4 and of no cipher, with openssl 1.1.1. Nothing in use
//! speaks single DES and export suites any more: `synthetic` writes them.
//!
//! Each text has the lines of the key log and the pieces that each side sent, in order. The server
//! answers each line with the same line reversed, unless a test says otherwise.

#![expect(clippy::arithmetic_side_effects, reason = "test support")]

mod properties;
mod published;
mod synthetic;

use std::num::NonZeroU64;

use super::*;
use crate::proto::tls::key_log::KeyLog;
use crate::time::Timestamp;

/// A recorded connection.
pub(super) struct Recorded {
    pub(super) name: &'static str,
    pub(super) keys: KeyLog,
    pub(super) pieces: Vec<(Peer, Vec<u8>)>,
}

macro_rules! recorded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!($name, ".txt")))),*]
    };
}

const RECORDED: &[(&str, &str)] = recorded![
    "10-3des-etm",
    "10-aes-128-cbc-etm",
    "10-aes-256-cbc-mte",
    "10-idea",
    "10-null-md5",
    "10-rc4-md5",
    "10-rsa",
    "11-aes-128-cbc-deflate",
    "11-aes-128-cbc-etm",
    "11-aes-256-cbc-mte",
    "12-3des-mte",
    "12-aes-128-cbc-sha-etm",
    "12-aes-128-cbc-sha256-mte",
    "12-aes-128-ccm",
    "12-aes-128-ccm-8",
    "12-aes-128-gcm",
    "12-aes-128-gcm-deflate",
    "12-aes-256-cbc-sha384-etm",
    "12-aes-256-cbc-sha384-mte",
    "12-aes-256-ccm",
    "12-aes-256-ccm-8",
    "12-aes-256-gcm",
    "12-camellia-128",
    "12-camellia-256",
    "12-chacha20",
    "12-null-sha256",
    "12-rc4-sha-deflate",
    "12-renegotiated",
    "12-renegotiated-deflate",
    "12-resumed-id",
    "12-resumed-ticket",
    "12-rsa",
    "12-rsa-plain-master",
    "13-aes-128-ccm",
    "13-aes-128-ccm-8",
    "13-aes-128-gcm",
    "13-aes-256-gcm",
    "13-chacha20",
    "13-early",
    "13-early-refused",
    "13-padded",
    "13-renewed",
    "13-resumed",
    "13-retried",
];

/// What came out, without its marks and with data put together between gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Alert(Peer, u8, u8),
    Data(Peer, String),
    Gap(Peer),
    Handshake(Peer, u8, usize),
}

pub(super) fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Recorded {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        RECORDED.iter().map(|(name, text)| Self::read(name, text))
    }

    pub(super) fn named(name: &str) -> Self {
        Self::all().find(|recorded| recorded.name == name).unwrap()
    }

    fn read(name: &'static str, text: &str) -> Self {
        let mut keys = KeyLog::default();
        let mut pieces = Vec::new();
        for line in text.lines() {
            let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
            match line.split_at(2) {
                ("C ", bytes) => pieces.push((Peer::Client, hex(bytes))),
                ("S ", bytes) => pieces.push((Peer::Server, hex(bytes))),
                _ => assert_eq!(keys.read(line.as_bytes()).malformed, 0, "{line}"),
            }
        }
        Self { name, keys, pieces }
    }

    /// The same connection with other lines in its key log.
    pub(super) fn with_lines(&mut self, change: impl Fn(&str) -> Option<String>) {
        let (_, text) = RECORDED.iter().find(|(name, _)| *name == self.name).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("C ") && !line.starts_with("S "));
        let lines: Vec<String> = lines.filter_map(change).collect();
        self.keys = KeyLog::default();
        let read = self.keys.read(lines.join("\n").as_bytes());
        assert_eq!(usize::try_from(read.secrets).unwrap(), lines.len());
    }

    /// Cuts the pieces so that each holds one record.
    pub(super) fn records(&self) -> Vec<(Peer, Vec<u8>)> {
        let mut records = Vec::new();
        let mut open: Sides<Vec<u8>> = Sides::default();
        for (from, piece) in &self.pieces {
            let bytes = open.of_mut(*from);
            bytes.extend_from_slice(piece);
            while bytes.len() >= 5 {
                let length = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
                if bytes.len() < length {
                    break;
                }
                let rest = bytes.split_off(length);
                records.push((*from, std::mem::replace(bytes, rest)));
            }
        }
        records
    }

    /// Bytes that are held to undo compression as long as the connection goes on.
    pub(super) fn windows(&self) -> usize {
        if self.name.ends_with("-deflate") { 2 * crate::limits::TLS_INFLATER } else { 0 }
    }

    pub(super) fn run(&self) -> (TlsOpener, Vec<Event>) {
        run(&self.keys, &self.pieces)
    }
}

pub(super) fn run(keys: &KeyLog, pieces: &[(Peer, Vec<u8>)]) -> (TlsOpener, Vec<Event>) {
    let mut opener = TlsOpener::new();
    let mut events = Vec::new();
    for (frame, (from, bytes)) in (1..).zip(pieces) {
        opener.data(*from, bytes, mark(frame), keys, &mut |opened| collect(&mut events, opened));
    }
    (opener, events)
}

pub(super) fn collect(events: &mut Vec<Event>, opened: Opened<'_>) {
    let event = match opened {
        Opened::Alert { from, level, code, .. } => Event::Alert(from, level, code),
        Opened::Data { from, bytes, .. } => {
            let text = String::from_utf8_lossy(bytes);
            if let Some(Event::Data(last, known)) = events.last_mut()
                && *last == from
            {
                known.push_str(&text);
                return;
            }
            Event::Data(from, text.into_owned())
        }
        Opened::Gap { from, .. } => Event::Gap(from),
        Opened::Handshake { from, kind, body, .. } => Event::Handshake(from, kind, body.len()),
    };
    events.push(event);
}

/// All data of a side.
pub(super) fn text(events: &[Event], side: Peer) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Data(from, text) if *from == side => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Each line reversed.
fn reversed(text: &str) -> String {
    let lines = text.lines().map(|line| line.chars().rev().collect::<String>() + "\n");
    lines.collect()
}

fn said(name: &str) -> [String; 2] {
    let lines = match name {
        "13-renewed" => "hello from the client\na second line of it\na third line\n",
        "13-early" => {
            let client = "early data of the client\nhello from the client\n";
            return [client.to_owned(), "from the server\n".to_owned()];
        }
        _ => "hello from the client\na second line of it\n",
    };
    [lines.to_owned(), reversed(lines)]
}

#[test]
fn every_record_opens() {
    for recorded in Recorded::all() {
        let (opener, events) = recorded.run();
        let name = recorded.name;
        let [client, server] = said(name);
        assert_eq!(text(&events, Peer::Client), client, "{name} {events:?}");
        assert_eq!(text(&events, Peer::Server), server, "{name} {events:?}");
        assert_eq!(opener.access(), Access::Open, "{name}");
        assert!(!opener.is_hopeless() && opener.held() == recorded.windows(), "{name}");
        assert!(!events.iter().any(|event| matches!(event, Event::Gap(_))), "{name} {events:?}");
        assert_eq!(opener.dark(), Sides::default(), "{name}");
        for side in [Peer::Client, Peer::Server] {
            let finished =
                |event: &Event| matches!(event, Event::Handshake(from, 20, _) if *from == side);
            assert!(events.iter().any(finished), "{name} {events:?}");
        }
        let closed = |event: &Event| *event == Event::Alert(Peer::Client, 1, 0);
        assert!(events.iter().any(closed), "{name} {events:?}");
    }
}

#[test]
fn where_much_was_tried_each_connection_gives_up_sooner() {
    let recorded = Recorded::all().into_iter().find(|one| one.name.starts_with("13-")).unwrap();
    let junk = b"\x17\x03\x03\0\x20this is no record of the server.".repeat(40);
    let gives_up = || {
        let mut opener = TlsOpener::new();
        for (from, bytes) in recorded.records() {
            opener.data(from, &bytes, mark(1), &recorded.keys, &mut |_| {});
        }
        opener.gap(Peer::Server, 1000, mark(2), &recorded.keys, &mut |_| {});
        opener.data(Peer::Server, &junk, mark(3), &recorded.keys, &mut |_| {});
        assert_eq!(opener.access(), Access::Open);
        opener.is_hopeless()
    };
    assert!(!gives_up());
    recorded.keys.tried(2 * crate::limits::TLS_ALL_TRIAL_BYTES, 0);
    assert_eq!(recorded.keys.take_given_up(), 0);
    assert!(gives_up() && gives_up());
    assert_eq!((recorded.keys.take_given_up(), recorded.keys.take_given_up()), (2, 0));
    recorded.keys.forget_trials();
    assert!(!gives_up());
}

#[test]
fn data_that_a_secret_does_not_open_are_told_from_data_without_one() {
    for mut recorded in Recorded::all() {
        let mut records = recorded.records();
        let is_13 = recorded.name.starts_with("13-");
        for (_, bytes) in &mut records {
            // In TLS 1.3 the first encrypted records are those of the handshake, and open.
            let is_data = bytes[0] == 23 && (!is_13 || bytes.len() < 100);
            if is_data && let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        }
        let why = |keys: &KeyLog, pieces: &[(Peer, Vec<u8>)]| {
            let (opener, events) = run(keys, pieces);
            let has_data = events.iter().any(|event| matches!(event, Event::Data(..)));
            let is_asked =
                opener.access() == Access::Open && !has_data && opener.dark() != Sides::default();
            is_asked.then(|| opener.why_dark(keys))
        };
        let spoiled = why(&recorded.keys, &records);
        if !is_13 {
            assert_eq!(spoiled, Some(Access::Failed), "{}", recorded.name);
            continue;
        }
        assert!(spoiled.is_none_or(|why| why == Access::Failed), "{}", recorded.name);
        recorded.with_lines(|line| {
            let is_handshake = line.contains("_HANDSHAKE_TRAFFIC_");
            is_handshake.then(|| line.to_owned())
        });
        let alone = why(&recorded.keys, &recorded.records());
        assert_eq!(alone, Some(Access::NoSecret), "{}", recorded.name);
    }
}

#[test]
fn without_keys_nothing_is_held() {
    for recorded in Recorded::all() {
        let keys = KeyLog::default();
        let mut opener = TlsOpener::new();
        let mut sealed = false;
        for (from, bytes) in recorded.records() {
            sealed |= bytes[0] == 23;
            opener.data(from, &bytes, mark(1), &keys, &mut |_| panic!("nothing opens"));
            assert!(!sealed || opener.is_hopeless(), "{}", recorded.name);
        }
        assert_eq!(opener.access(), Access::NoSecret, "{}", recorded.name);
        assert_eq!(opener.held(), 0);
        assert!(opener.client_random().is_some());
    }
}
