//! A heap of attachments as years of tickets leave it, made from the corpus: marked, renamed, packed, damaged,
//! with what is no capture among it and what is meant to do harm.
//!
//! The story of each file is known before the program sees it: the row of the manifest that it was made from,
//! or that it is damaged, foreign or hostile.
#![expect(clippy::indexing_slicing, reason = "test support")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::archive::{gzip, tar, unzip, zip};
use super::random::Random;
use super::{Row, manifest, root};

/// What a file of the heap is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Captures, each with the outcome and side of its story.
    Captures(Vec<(String, String)>),
    /// A capture that was cut or has other bytes in it.
    Damaged,
    /// No capture.
    Foreign,
    /// Made to do harm.
    Hostile,
}

/// Larger captures of the corpus are left out, so that a heap is many files and not much data.
const LARGEST: u64 = 200 << 10;
/// Files made to do harm.
pub(crate) const HOSTILE: usize = 13;

/// Writes a heap of so many files and tells what each is, by its path below the folder.
pub(crate) fn write(folder: &Path, count: usize) -> BTreeMap<String, Kind> {
    let bases = bases();
    let mut random = Random::new(20_000);
    let mut told = BTreeMap::new();
    let mut hostile = hostile(if count > 10_000 { 8 } else { 1 });
    let stride = count / HOSTILE;
    for number in 0..count {
        // A ticket of its own: what lies beside each other in time could be one case.
        let ticket = format!("{:03}/{number:05}", number / 10);
        let (name, bytes, kind) = if number % stride == stride / 2 && !hostile.is_empty() {
            let (name, bytes) = hostile.remove(0);
            (name.to_owned(), bytes, Kind::Hostile)
        } else {
            file(number, &bases, &mut random)
        };
        let path = format!("{ticket}/{number:05}-{name}");
        fs::create_dir_all(folder.join(&ticket)).unwrap();
        fs::write(folder.join(&path), bytes).unwrap();
        told.insert(path, kind);
    }
    assert!(hostile.is_empty());
    told
}

/// The captures that a heap is made from, by their formats.
fn bases() -> BTreeMap<&'static str, Vec<(Row, Vec<u8>)>> {
    let mut bases: BTreeMap<&'static str, Vec<(Row, Vec<u8>)>> = BTreeMap::new();
    for row in manifest() {
        let path = root().join("captures").join(&row.path);
        let format = ["har", "saz", "pcap", "pcapng"]
            .into_iter()
            .find(|format| path.extension().is_some_and(|ending| ending == *format));
        let is_small = fs::metadata(&path).unwrap().len() <= LARGEST;
        if let Some(format) = format
            && is_small
            && row.password.is_none()
            && row.keylog.is_none()
        {
            let bytes = fs::read(&path).unwrap();
            bases.entry(format).or_default().push((row, bytes));
        }
    }
    assert_eq!(bases.len(), 4, "all formats");
    bases
}

fn file(
    number: usize,
    bases: &BTreeMap<&'static str, Vec<(Row, Vec<u8>)>>,
    random: &mut Random,
) -> (String, Vec<u8>, Kind) {
    let mut capture = || {
        let formats: Vec<&str> = bases.keys().copied().collect();
        let format = formats[random.below(formats.len())];
        let (row, bytes) = &bases[format][random.below(bases[format].len())];
        (format, marked(format, bytes, number), (row.outcome.clone(), row.side.clone()))
    };
    let (format, bytes, story) = capture();
    match number % 100 {
        // One of a hundred is damaged.
        99 => (format!("cut.{format}"), damaged(bytes, random), Kind::Damaged),
        0 => ("picture.png".into(), b"\x89PNG\r\n\x1a\n0000".to_vec(), Kind::Foreign),
        20 => {
            ("mail.eml".into(), b"From: a\r\nTo: b\r\nSubject: c\r\n\r\nx".to_vec(), Kind::Foreign)
        }
        40 => ("trace.har".into(), Vec::new(), Kind::Foreign),
        60 => ("notes.txt".into(), b"see the picture".to_vec(), Kind::Foreign),
        1..=10 => (format!("t.{format}.gz"), gzip(&bytes), Kind::Captures(vec![story])),
        11..=16 => {
            // Two with packets in one archive could open each other: secrets inside one are those of the case.
            let is_packets = |format: &str| format.starts_with("pcap");
            let (other, more, second) = loop {
                let one = capture();
                if !(is_packets(format) && is_packets(one.0)) {
                    break one;
                }
            };
            let members = [(format!("one/a.{format}"), bytes), (format!("two/b.{other}"), more)];
            let packed = if number.is_multiple_of(2) { zip(&members, "") } else { tar(&members) };
            (format!("both-{number}"), packed, Kind::Captures(vec![story, second]))
        }
        _ => (format!("trace.{format}"), bytes, Kind::Captures(vec![story])),
    }
}

/// The same capture in other bytes, in a place that tells nothing: no two files of a heap are equal.
fn marked(format: &str, bytes: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mark = u32::try_from(number).unwrap();
    match format {
        "har" => {
            if let Some(at) = bytes.windows(9).position(|window| window == b"\"entries\"") {
                let field = format!("\"_ticket\":{number},");
                bytes.splice(at..at, field.into_bytes());
            }
        }
        // The accuracy of time stamps, which all writers leave at zero.
        "pcap" => bytes[12..16].copy_from_slice(&mark.to_le_bytes()),
        "saz" => bytes = zip(&unzip(&bytes), &format!("ticket {number}")),
        // A custom block without data (pcapng, section 4.7), private enterprise number 32473 (RFC 5612).
        _ => {
            for word in [0x0bad_u32, 20, 32_473, mark, 20] {
                bytes.extend(word.to_le_bytes());
            }
        }
    }
    bytes
}

fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    if random.below(2) == 0 {
        bytes.truncate(random.below(bytes.len()));
    } else {
        for _ in 0..20 {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    }
    bytes
}

fn zeros(count: usize) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let piece = vec![0; 1 << 20];
    for _ in 0..count >> 20 {
        packed.write_all(&piece).unwrap();
    }
    packed.finish().unwrap()
}

/// A block of pcapng with its length in front and behind.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

fn section(options: &[u8]) -> Vec<u8> {
    let head = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &[head.as_slice(), options].concat())
}

/// A zip of one empty member that stands in the directory so many times.
fn claims(count: usize) -> Vec<u8> {
    let mut bytes = zip(&[("a".to_owned(), Vec::new())], "");
    let start = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = bytes.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    let entry = bytes[start..end].to_vec();
    let mut record = bytes.split_off(end);
    bytes.truncate(start);
    bytes.extend(entry.repeat(count));
    // Number of entries, twice, and the length of the directory (APPNOTE 4.3.16).
    record[8..12].copy_from_slice(&[0xfe, 0xff, 0xfe, 0xff]);
    let length = u32::try_from(entry.len() * count).unwrap();
    record[12..16].copy_from_slice(&length.to_le_bytes());
    [bytes, record].concat()
}

/// What is meant to do harm: bombs, options without end, deep JSON, lengths that lie. So many times as large.
fn hostile(times: usize) -> Vec<(&'static str, Vec<u8>)> {
    let log =
        |entries: &str| format!("{{\"log\":{{\"version\":\"1.2\",\"entries\":[{entries}]}}}}");
    let entry = "{\"startedDateTime\":\"2030-01-01T00:00:00Z\",\"request\":{\"method\":\"GET\",\
                 \"url\":\"https://login.microsoftonline.com/common/oauth2/authorize\"},\"response\":{}}";
    let many = |count: usize| vec![entry; count].join(",");
    let bomb = zeros(times * (32 << 20));
    let members: Vec<(String, Vec<u8>)> =
        (0..times * 1_500).map(|n| (format!("{n}.har"), log("").into_bytes())).collect();
    let session = |text: Vec<u8>| {
        let get = b"GET https://login.microsoftonline.com/ HTTP/1.1\r\n\r\n".to_vec();
        zip(&[("raw/1_c.txt".to_owned(), get), ("raw/1_s.txt".to_owned(), text)], "")
    };
    let mut lies = zip(&[("a.har".to_owned(), log(entry).into_bytes())], "");
    // The sizes in the local header (APPNOTE 4.3.7).
    lies[18..26].copy_from_slice(&[0xff; 8]);
    let mut huge_tar = tar(&[("a.har".to_owned(), log(entry).into_bytes())]);
    huge_tar[124..135].copy_from_slice(b"77777777777");
    let sum: u32 = (0..512)
        .map(|at| if (148..156).contains(&at) { 32 } else { u32::from(huge_tar[at]) })
        .sum();
    huge_tar[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    let mut record = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend([0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0]);
    record.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]);
    vec![
        ("bomb.har.gz", bomb.clone()),
        ("bomb-in-bomb.gz", gzip(&bomb)),
        ("bomb.saz", session(vec![b'a'; times * (8 << 20)])),
        ("crowd.zip", zip(&members, "")),
        ("options.pcapng", section(&[1, 0, 0, 0].repeat(times * (1 << 18)))),
        ("block.pcapng", [section(&[]), vec![6, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff]].concat()),
        (
            "deep.har",
            format!("{{\"log\":{{\"entries\":{}", "[".repeat(times * (1 << 19))).into_bytes(),
        ),
        ("wide.har", log(&many(times * 6_000)).into_bytes()),
        ("long.har", log(&entry.replace("GET", &"G".repeat(times * (5 << 20)))).into_bytes()),
        ("lies.zip", lies),
        ("claims.zip", claims(times * 70_000)),
        ("huge.tar", huge_tar),
        ("record.pcap", record),
    ]
}
