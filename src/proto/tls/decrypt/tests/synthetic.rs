//! Records that are written here with the primitives in the other direction, since no peer in use
//! writes them: single DES and the export suites of RFC 2246.

use aes::cipher::{Array, BlockModeEncrypt, KeyIvInit};
use des::Des;
use flate2::{Compress, Compression, FlushCompress};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rc4::{Rc4, StreamCipher};
use sha1::Sha1;

use super::*;
use crate::proto::tls::decrypt::schedule::{Hash, prf};

const MASTER: [u8; 48] = [0x5a; 48];
const CLIENT: [u8; 32] = [0xc1; 32];
const SERVER: [u8; 32] = [0x5e; 32];
const LINES: [&str; 2] = ["hello from the client\n", "a second line of it\n"];

/// What one side writes.
struct Writer {
    version: u8,
    mac: Vec<u8>,
    key: Vec<u8>,
    iv: Vec<u8>,
    stream: Option<Rc4>,
    compress: Option<Compress>,
    number: u64,
}

fn expand(version: u8, secret: &[u8], label: &str, seeds: [&[u8]; 2], length: usize) -> Vec<u8> {
    let hash = if version == 3 { Hash::Sha256 } else { Hash::Both };
    let mut out = vec![0; length];
    prf(hash, secret, &[label.as_bytes(), seeds[0], seeds[1]], &mut out).unwrap();
    out
}

impl Writer {
    fn new(side: Peer, suite: u16, version: u8, is_compressed: bool) -> Self {
        let is_client = side == Peer::Client;
        let is_rc4 = suite == 0x0003;
        let (mac, secret) = (if is_rc4 { 16 } else { 20 }, if suite == 0x0009 { 8 } else { 5 });
        let iv = if is_rc4 { 0 } else { 8 };
        let chained = if version == 1 { iv } else { 0 };
        let block = expand(
            version,
            &MASTER,
            "key expansion",
            [&SERVER, &CLIENT],
            2 * (mac + secret + chained),
        );
        let own = |start: usize, length: usize| {
            let start = if is_client { start } else { start + length };
            block[start..start + length].to_vec()
        };
        let (mac_key, mut key) = (own(0, mac), own(2 * mac, secret));
        let mut first = own(2 * (mac + secret), chained);
        if suite != 0x0009 {
            let label = if is_client { "client write key" } else { "server write key" };
            key = expand(version, &key, label, [&CLIENT, &SERVER], if is_rc4 { 16 } else { 8 });
            let both = expand(version, &[], "IV block", [&CLIENT, &SERVER], 2 * iv);
            if version == 1 {
                first = both[if is_client { 0..iv } else { iv..2 * iv }].to_vec();
            }
        }
        let stream = is_rc4.then(|| Rc4::new_from_slice(&key).unwrap());
        let compress = is_compressed.then(|| Compress::new(Compression::best(), true));
        Self { version, mac: mac_key, key, iv: first, stream, compress, number: 0 }
    }

    fn record(&mut self, kind: u8, text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        if let Some(compress) = &mut self.compress {
            body = Vec::with_capacity(text.len() + 100);
            compress.compress_vec(text, &mut body, FlushCompress::Sync).unwrap();
        }
        let mut head = self.number.to_be_bytes().to_vec();
        head.extend([kind, 3, self.version]);
        head.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        let signed = [head, body.clone()].concat();
        let code = if self.stream.is_some() {
            let mut mac: Hmac<Md5> = KeyInit::new_from_slice(&self.mac).unwrap();
            mac.update(&signed);
            mac.finalize().into_bytes().to_vec()
        } else {
            let mut mac: Hmac<Sha1> = KeyInit::new_from_slice(&self.mac).unwrap();
            mac.update(&signed);
            mac.finalize().into_bytes().to_vec()
        };
        body.extend(code);
        if let Some(stream) = &mut self.stream {
            stream.apply_keystream(&mut body);
        } else {
            body = self.cbc(body);
        }
        self.number += 1;
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, self.version][..], &length, &body].concat()
    }

    fn cbc(&mut self, mut body: Vec<u8>) -> Vec<u8> {
        let padding = 7 - body.len() % 8;
        body.extend(vec![u8::try_from(padding).unwrap(); padding + 1]);
        let written = if self.version == 1 { Vec::new() } else { vec![0x1f; 8] };
        let iv = if self.version == 1 { &self.iv } else { &written };
        let mut mode = cbc::Encryptor::<Des>::new_from_slices(&self.key, iv).unwrap();
        for block in body.chunks_exact_mut(8) {
            let mut whole = Array::try_from(&*block).unwrap();
            mode.encrypt_block(&mut whole);
            block.copy_from_slice(&whole);
        }
        self.iv = body[body.len() - 8..].to_vec();
        [written, body].concat()
    }
}

/// A connection that was written here, one record a piece.
fn written(suite: u16, version: u8, is_compressed: bool) -> Recorded {
    let mut keys = KeyLog::default();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    keys.read(format!("CLIENT_RANDOM {} {}", hex(&CLIENT), hex(&MASTER)).as_bytes());
    let [high, low] = suite.to_be_bytes();
    let method = u8::from(is_compressed);
    let handshake = |kind: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).unwrap();
        [&[22, 3, version, 0, length + 4, kind, 0, 0, length][..], body].concat()
    };
    let client = [&[3, version][..], &CLIENT, &[0, 0, 2, high, low, 2, 1, 0]].concat();
    let server = [&[3, version][..], &SERVER, &[0, high, low, method]].concat();
    let mut pieces =
        vec![(Peer::Client, handshake(1, &client)), (Peer::Server, handshake(2, &server))];
    let mut writers = [Peer::Client, Peer::Server]
        .map(|side| (side, Writer::new(side, suite, version, is_compressed)));
    for (side, writer) in &mut writers {
        pieces.push((*side, vec![20, 3, version, 0, 1, 1]));
        pieces.push((*side, writer.record(22, &[&[20, 0, 0, 12][..], &[9; 12]].concat())));
    }
    for line in LINES {
        let answer = reversed(line);
        for ((side, writer), text) in writers.iter_mut().zip([line, &answer]) {
            pieces.push((*side, writer.record(23, text.as_bytes())));
        }
    }
    Recorded { name: "written", keys, pieces }
}

const SUITES: [u16; 3] = [0x0003, 0x0008, 0x0009];

#[test]
fn single_des_and_export_suites_open() {
    for (suite, version) in SUITES.iter().flat_map(|suite| [1, 2, 3].map(|v| (*suite, v))) {
        for is_compressed in [false, true] {
            let (opener, events) = written(suite, version, is_compressed).run();
            let name = format!("{suite:04x} {version} {is_compressed}");
            assert_eq!(text(&events, Peer::Client), LINES.concat(), "{name}");
            assert_eq!(text(&events, Peer::Server), reversed(&LINES.concat()), "{name}");
            assert_eq!(opener.opened(), Sides { client: 3, server: 3 }, "{name}");
            assert_eq!(opener.held() > 64 << 10, is_compressed, "windows are held: {name}");
        }
    }
}

#[test]
fn a_compressed_side_stays_dark_behind_a_gap() {
    let recorded = written(0x0009, 3, true);
    let mut opener = TlsOpener::new();
    let mut events = Vec::new();
    let mut dark = 0;
    let mut lines = 0;
    for (from, record) in &recorded.pieces {
        let is_line = *from == Peer::Client && record[0] == 23;
        lines += u32::from(is_line);
        let mut out = |opened: Opened<'_>| collect(&mut events, opened);
        if is_line && lines == 1 {
            let length = u64::try_from(record.len()).unwrap();
            opener.gap(*from, length, mark(1), &recorded.keys, &mut out);
            continue;
        }
        dark += if is_line { record.len() - 5 } else { 0 };
        opener.data(*from, record, mark(1), &recorded.keys, &mut out);
    }
    assert_eq!(text(&events, Peer::Client), "");
    assert_eq!(text(&events, Peer::Server), reversed(&LINES.concat()));
    assert_eq!(opener.dark(), Sides { client: u64::try_from(dark).unwrap(), server: 0 });
    assert_eq!(opener.access(), Access::Open);
    let held = opener.held();
    assert!((32 << 10..64 << 10).contains(&held), "one window is let go: {held}");
}

#[test]
fn another_compression_is_not_known() {
    let mut recorded = written(0x0009, 3, true);
    *recorded.pieces[1].1.last_mut().unwrap() = 64;
    let (opener, events) = recorded.run();
    assert_eq!((opener.access(), events), (Access::Suite(0x0009), Vec::new()));
    assert!(opener.is_hopeless());
}

#[test]
fn the_place_in_a_key_stream_is_found_behind_gaps() {
    // One whole gap over two records, one record of which the end is missing, and one that is changed.
    for way in 0..3 {
        let recorded = Recorded::named("10-rc4-md5");
        let mut opener = TlsOpener::new();
        let mut events = Vec::new();
        let mut sealed = 0;
        for (from, mut record) in recorded.records() {
            let mut out = |opened: Opened<'_>| collect(&mut events, opened);
            let keys = &recorded.keys;
            sealed += u32::from(from == Peer::Server && record[0] == 23);
            let is_hit = from == Peer::Server && record[0] == 23 && sealed == 1;
            let length = u64::try_from(record.len()).unwrap();
            match way {
                0 if is_hit => opener.gap(from, length, mark(1), keys, &mut out),
                1 if is_hit => {
                    opener.data(from, &record[..9], mark(1), keys, &mut out);
                    opener.gap(from, length - 9, mark(1), keys, &mut out);
                }
                _ => {
                    *record.last_mut().unwrap() ^= u8::from(is_hit);
                    opener.data(from, &record, mark(1), keys, &mut out);
                }
            }
        }
        assert_eq!(text(&events, Peer::Server), "ti fo enil dnoces a\n", "{way} {events:?}");
        assert!(events.contains(&Event::Gap(Peer::Server)), "{way} {events:?}");
    }
}
