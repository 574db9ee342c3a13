//! The entries for fuzzing hold over seeds out of the corpus and over what becomes of them.
//!
//! `tests/fuzz` has a target for each of them, for a fuzzer to go further. Here each is called with pieces of a
//! few captures, and with the same pieces after bytes were turned, cut, moved and repeated; every run does the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use mfatrace::{capture, proto, signin};
use support::archive::{gzip, zip, zip_of_any_names};
use support::random::Random;

/// An entry, and what its bytes are.
struct Entry {
    name: &'static str,
    run: fn(&[u8]),
    seeds: Seeds,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seeds {
    /// Whole files.
    Files,
    /// Frames of a capture, each behind a length of two bytes.
    Frames,
    /// A key log, and three times as many bytes of pieces.
    Keyed,
    /// Pieces, each behind what it is and its length.
    Pieces,
    /// Parts of files.
    Texts,
}

const ENTRIES: &[Entry] = &[
    Entry { name: "answer", run: signin::fuzz_answer, seeds: Seeds::Texts },
    Entry { name: "body", run: proto::body::fuzz_body, seeds: Seeds::Texts },
    Entry { name: "dns", run: proto::dns::fuzz_dns, seeds: Seeds::Pieces },
    Entry { name: "har", run: capture::fuzz_har, seeds: Seeds::Files },
    Entry { name: "hpack", run: proto::http2::fuzz_hpack, seeds: Seeds::Pieces },
    Entry { name: "http1", run: proto::http1::fuzz_http1, seeds: Seeds::Texts },
    Entry {
        name: "http1_stream",
        run: proto::http1_stream::fuzz_http1_stream,
        seeds: Seeds::Pieces,
    },
    Entry { name: "http2", run: proto::http2::fuzz_http2, seeds: Seeds::Pieces },
    Entry { name: "key_log", run: proto::tls::fuzz_key_log, seeds: Seeds::Texts },
    Entry { name: "keys", run: capture::fuzz_keys, seeds: Seeds::Files },
    Entry { name: "layers", run: proto::layers::fuzz_layers, seeds: Seeds::Frames },
    Entry { name: "open", run: capture::fuzz_open, seeds: Seeds::Files },
    Entry { name: "opener", run: proto::tls::fuzz_opener, seeds: Seeds::Keyed },
    Entry { name: "pcap", run: capture::fuzz_pcap, seeds: Seeds::Files },
    Entry { name: "pcapng", run: capture::fuzz_pcapng, seeds: Seeds::Files },
    Entry { name: "quic", run: proto::quic::fuzz_quic, seeds: Seeds::Pieces },
    Entry { name: "saz", run: capture::fuzz_saz, seeds: Seeds::Files },
    Entry { name: "socks", run: proto::socks::fuzz_socks, seeds: Seeds::Pieces },
    Entry { name: "tcp_options", run: proto::tcp_options::fuzz_tcp_options, seeds: Seeds::Pieces },
    Entry { name: "tls", run: proto::tls::fuzz_tls, seeds: Seeds::Pieces },
];

/// Bytes of a file that a seed has at most; larger ones would take most of the time.
const SEED: usize = 48 << 10;
/// What is made of one seed.
const CHANGES: u64 = 100;

/// Captures that differ in format and in what they hold.
const CAPTURES: &[&str] = &[
    "browser/push-denied.saz",
    "application/ropc.devtools.har",
    "application/ws-trust.mitmproxy.har",
    "keyed/push-denied-tls13-h1.pcap",
    "keyed/ropc-tls13-h2.pcapng",
];
const KEYS: &str = "keyed/push-denied-tls13-h1.pcap.keylog";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(support::root().join("captures").join(name)).unwrap()
}

fn seeds(kind: Seeds) -> Vec<Vec<u8>> {
    let keys = file(KEYS);
    let captures = CAPTURES.iter().map(|name| file(name));
    match kind {
        Seeds::Files => {
            let mut files: Vec<Vec<u8>> = captures
                .filter(|bytes| bytes.len() <= 4 * SEED)
                .chain([keys.clone(), gzip(&keys)])
                .collect();
            // Small, so that changes meet headers and directory: names of which there are two, and
            // sessions in a folder.
            let har = b"{\"log\":{\"version\":\"1.2\",\"entries\":[]}}".to_vec();
            let ask = b"GET https://login.example/ HTTP/1.1\r\n\r\n".to_vec();
            let small =
                [("a.har", &har), ("A/raw/1_c.txt", &ask), ("a.har", &har), ("keys", &keys)];
            let small = small.map(|(name, bytes)| (name.to_owned(), bytes.clone()));
            files.push(zip_of_any_names(&small));
            files.push(zip(&[("keys.txt".to_owned(), keys)], ""));
            for (name, length) in [(CAPTURES[3], SEED), (CAPTURES[4], SEED)] {
                let mut cut = file(name);
                cut.truncate(length);
                files.push(cut);
            }
            files
        }
        Seeds::Texts => captures
            .chain([keys])
            .flat_map(|bytes| {
                let far = bytes.len() / 2;
                [
                    bytes[..far.min(SEED)].to_vec(),
                    bytes[far..][..(bytes.len() - far).min(SEED)].to_vec(),
                ]
            })
            .collect(),
        Seeds::Frames => (0..4).map(|choice| frames(&file(CAPTURES[3]), choice)).collect(),
        Seeds::Pieces => payloads().into_iter().collect(),
        Seeds::Keyed => payloads()
            .into_iter()
            .map(|pieces| {
                let length = (pieces.len() / 3).min(keys.len());
                [&keys[..length], &pieces[..3 * length]].concat()
            })
            .collect(),
    }
}

/// The frames of a pcap in the order of bytes that most machines have.
fn each_frame(pcap: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = &pcap[24..];
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(rest.get(8..12)?.try_into().unwrap());
        let (frame, behind) = rest.get(16..)?.split_at_checked(usize::try_from(length).ok()?)?;
        rest = behind;
        Some(frame)
    })
}

fn frames(pcap: &[u8], choice: u8) -> Vec<u8> {
    let mut seed = vec![choice];
    for frame in each_frame(pcap).take_while({
        let mut sum = 0;
        move |frame| {
            sum += frame.len();
            sum < SEED
        }
    }) {
        seed.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
        seed.extend(frame);
    }
    seed
}

/// What frames carry behind 66 bytes of headers, as pieces of both sides, and text as the same.
fn payloads() -> Vec<Vec<u8>> {
    let pcap = file(CAPTURES[3]);
    let carried: Vec<&[u8]> = each_frame(&pcap).filter_map(|frame| frame.get(66..)).collect();
    let text = b"GET /common/oauth2 HTTP/1.1\r\nHost: login.example\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x09\x01\x05\0\0\0\x01\
        \x82\x86\x84\x41\x04host";
    let socks = b"\x05\x01\0\x05\0\x05\x01\0\x03\x0dlogin.example\x01\xbb";
    let fixed: Vec<&[u8]> =
        [&text[..], preface, socks].iter().flat_map(|all| all.chunks(23)).collect();
    let mut seeds = Vec::new();
    for pieces in [&carried[..carried.len().min(120)], &fixed] {
        for order in [0_u8, 0x18, 0x90] {
            let mut seed = Vec::new();
            for (number, piece) in pieces.iter().enumerate() {
                for piece in piece.chunks(240) {
                    let from = u8::try_from(number % 2).unwrap();
                    seed.extend([order | from, u8::try_from(piece.len()).unwrap()]);
                    seed.extend(piece);
                }
            }
            seed.truncate(SEED);
            seeds.push(seed);
        }
    }
    seeds.push(Vec::new());
    seeds
}

/// The same bytes after something happened to them.
fn changed(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        let length = random.below((bytes.len() - at).min(64));
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'{', b'"'][random.below(7)],
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let part = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => bytes[at..at + length].reverse(),
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}

fn run(kind: impl Fn(Seeds) -> bool) {
    let mut wrong = Vec::new();
    for (number, entry) in ENTRIES.iter().enumerate().filter(|(_, entry)| kind(entry.seeds)) {
        let mut random = Random::new(u64::try_from(number).unwrap());
        for (seed, bytes) in seeds(entry.seeds).iter().enumerate() {
            for change in 0..=CHANGES {
                let input = if change == 0 { bytes.clone() } else { changed(bytes, &mut random) };
                if catch_unwind(AssertUnwindSafe(|| (entry.run)(&input))).is_err() {
                    wrong.push(format!("{}: seed {seed}, change {change}", entry.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} fail:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn readers_hold() {
    run(|kind| kind == Seeds::Files);
}

#[test]
fn protocols_hold() {
    run(|kind| kind != Seeds::Files);
}

/// What a fuzzer found, by entry.
const FOUND: &[(&str, &[u8])] = &[
    // UTF-16 that ends within a character.
    ("har", b"\xdc\x00\x20\x00\x3a\x00\x00\x00\xa6"),
];

#[test]
fn what_was_found_holds() {
    for (name, bytes) in FOUND {
        let entry = ENTRIES.iter().find(|entry| entry.name == *name).unwrap();
        (entry.run)(bytes);
    }
}

#[test]
fn every_entry_is_here() {
    let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    let mut targets: Vec<String> = std::fs::read_dir(support::root().join("tests/fuzz/targets"))
        .unwrap()
        .map(|one| one.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, names, "each has a target");
}
