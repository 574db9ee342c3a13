//! Containers, formats and damage, opened from bytes.

use std::io::{Cursor, Read as _, Write};
use std::sync::atomic::AtomicBool;

use zip::unstable::write::FileOptionsExt as _;
use zip::write::SimpleFileOptions;

use super::*;
use crate::capture::source::as_u64;
use crate::capture::{Keys, Scope};
use crate::evidence::Evidence;
use crate::limits::Limits;

const HAR: &str = r#"{"log":{"creator":{"name":"Firefox"},"entries":[{"startedDateTime":"2030-01-01T10:00:00Z","request":{"method":"GET","url":"https://login.example/"},"response":{"status":200}}]}}"#;

fn opened_with(bytes: Vec<u8>, limits: &Limits, passwords: &[String]) -> Evidence {
    let scope = Scope::new(["login.example"], [], [], &[], 1 << 20);
    let cancel = AtomicBool::new(false);
    let options =
        ReadOptions { scope: &scope, limits, passwords, keys: &Keys::new(), cancel: &cancel };
    let mut builder = EvidenceBuilder::new();
    open("outer", Source::bytes(bytes), &options, true, &mut builder);
    builder.finish()
}

fn opened(bytes: Vec<u8>) -> Evidence {
    opened_with(bytes, &Limits::default(), &[])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let level = flate2::Compression::default();
    flate2::read::GzEncoder::new(bytes, level).read_to_end(&mut out).unwrap();
    out
}

fn zip_of(members: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_of(members, SimpleFileOptions::default())
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(as_u64(bytes.len()));
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn codes(evidence: &Evidence) -> Vec<DiagnosticCode> {
    evidence.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// The name of an input and what it was packed in.
type Named<'a> = (&'a str, Vec<&'a str>);

fn names(evidence: &Evidence) -> Vec<Named<'_>> {
    evidence.inputs.iter().map(|input| (input.name.as_str(), input.container.clone())).collect()
}

#[test]
fn a_plain_capture_is_one_input() {
    let evidence = opened(HAR.into());
    assert_eq!(names(&evidence), [("outer", vec![])]);
    let input = &evidence.inputs[0];
    assert_eq!((input.format, input.records, input.bytes), (Format::Har, 1, as_u64(HAR.len())));
    assert_eq!(input.sha256.as_ref().unwrap().len(), 64);
    assert_eq!(input.container_sha256, None);
    assert!(evidence.diagnostics.is_empty());
}

#[test]
fn captures_are_found_through_containers() {
    let har = HAR.as_bytes();
    let cases: Vec<(Vec<u8>, Vec<Named<'_>>)> = vec![
        (gzip(har), vec![("outer", vec!["gzip"])]),
        (
            zip(&[("a/b.har", har), ("readme.txt", b"hello"), ("c", har), ("__MACOSX/x", har)]),
            vec![("outer!a/b.har", vec!["zip"]), ("outer!c", vec!["zip"])],
        ),
        (
            gzip(&tar(&[("note", b"x"), ("x.har", har), ("y.har.gz", &gzip(har))])),
            vec![
                ("outer!x.har", vec!["gzip", "tar"]),
                ("outer!y.har.gz", vec!["gzip", "tar", "gzip"]),
            ],
        ),
        (
            zip(&[("in.zip", &zip(&[("z.har", har)]))]),
            vec![("outer!in.zip/z.har", vec!["zip", "zip"])],
        ),
    ];
    let plain = opened(HAR.into()).inputs[0].sha256.clone();
    for (bytes, want) in cases {
        let evidence = opened(bytes);
        assert_eq!(names(&evidence), want);
        for input in &evidence.inputs {
            assert_eq!((input.records, &input.sha256), (1, &plain));
            assert!(input.container_sha256.is_some() && input.container_sha256 != plain);
        }
        assert!(evidence.diagnostics.is_empty(), "{:?}", evidence.diagnostics);
    }
}

#[test]
fn long_names_in_a_tar_are_kept() {
    let name = "d/".repeat(80) + "x.har";
    let evidence = opened(tar(&[(&name, HAR.as_bytes())]));
    assert_eq!(evidence.inputs[0].name, format!("outer!{name}"));
}

#[test]
fn what_is_no_capture_says_what_it_is() {
    let looks = |bytes: &[u8]| {
        let evidence = opened(bytes.to_vec());
        assert_eq!(evidence.inputs.len(), 1);
        assert_eq!(evidence.inputs[0].format, Format::Unrecognised);
        assert_eq!(codes(&evidence), [DiagnosticCode::NotRecognised]);
        evidence.inputs[0].looks_like.clone().unwrap()
    };
    assert!(looks(b"").contains("empty"));
    assert!(looks(b"{\"a\":1}").contains("JSON"));
    assert!(looks(b"[1]").contains("JSON"));
    assert!(looks(b"\xd4\xc3\xb2\xa1").contains("packet"));
    assert!(looks(b"snoop\0\0\0").contains("editcap"));
    assert!(looks(&gzip(b"\x0a\x0d\x0d\x0a")).contains("packet"));
    let archive = looks(&zip(&[("t.pcap", b"\xd4\xc3\xb2\xa1"), ("package.json", b"{}")]));
    assert!(archive.contains("zip") && archive.contains("2 files") && archive.contains("packet"));
    assert!(looks(&zip(&[])).contains("without files"));
    let evidence = opened(b"{\"log\":{\"version\":\"1.2\"}}".to_vec());
    assert_eq!(codes(&evidence), [DiagnosticCode::HarShape]);
    assert_eq!(evidence.inputs[0].format, Format::Har);
}

#[test]
fn protected_members_need_their_password() {
    for options in [
        SimpleFileOptions::default().with_deprecated_encryption(b"right").unwrap(),
        SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "right"),
    ] {
        let bytes = zip_of(&[("x.har", HAR.as_bytes())], options);
        let limits = Limits::default();
        for passwords in [vec![], vec!["wrong".to_owned()]] {
            let evidence = opened_with(bytes.clone(), &limits, &passwords);
            assert!(codes(&evidence).contains(&DiagnosticCode::Encrypted));
            assert!(evidence.diagnostics[0].text.contains("--password-file"));
            assert!(evidence.inputs[0].looks_like.as_ref().unwrap().contains("password"));
        }
        let both = ["wrong".to_owned(), "right".to_owned()];
        let evidence = opened_with(bytes, &limits, &both);
        assert_eq!((evidence.inputs[0].records, codes(&evidence)), (1, vec![]));
    }
}

#[test]
fn nesting_and_expansion_are_bounded() {
    let mut nest = HAR.as_bytes().to_vec();
    for _ in 0..4 {
        nest = gzip(&nest);
    }
    assert_eq!(opened(nest.clone()).inputs[0].records, 1);
    let evidence = opened(gzip(&nest));
    assert!(codes(&evidence).contains(&DiagnosticCode::ArchiveTooDeep));
    assert_eq!(evidence.inputs.len(), 1);

    // A member that expands beyond measure ends the reading of its input, and what came before stays.
    let bomb = format!("{{\"log\":{{\"a\":\"{}\"}}}}", " ".repeat(8 << 20));
    let limits = Limits { expanded: 1 << 20, ratio: 1_000_000, ..Limits::default() };
    let members =
        [("a.har", HAR.as_bytes()), ("b.har", bomb.as_bytes()), ("c.har", HAR.as_bytes())];
    let evidence = opened_with(zip(&members), &limits, &[]);
    assert_eq!(evidence.inputs[0].records, 1);
    assert!(evidence.inputs.len() == 2 && codes(&evidence).contains(&DiagnosticCode::LimitReached));
}

#[test]
fn a_member_that_expands_too_much_costs_itself_only() {
    let bomb = format!("{{\"log\":{{\"a\":\"{}\"}}}}", " ".repeat(8 << 20));
    let limits = Limits { ratio: 100, ..Limits::default() };
    let members = [("bomb.har", bomb.as_bytes()), ("good.har", HAR.as_bytes())];
    let gzipped = [("bomb.har.gz", &*gzip(bomb.as_bytes())), ("good.har", HAR.as_bytes())];
    for bytes in [zip(&members), tar(&gzipped)] {
        let evidence = opened_with(bytes, &limits, &[]);
        assert_eq!(evidence.inputs[1].records, 1);
        assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached]);
        assert_eq!(evidence.diagnostics[0].input, Some(evidence.inputs[0].id));
        assert!(evidence.diagnostics[0].text.contains("--max-ratio"));
    }
}

#[test]
fn what_has_to_be_held_inside_an_archive_is_bounded() {
    // Bytes that do not shrink, one more than may be held.
    let length = usize::try_from(limits::HELD).unwrap();
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let inner = zip_of(&[("x", &vec![0; length])], stored);
    let good = zip(&[("y.har", HAR.as_bytes())]);
    let outer = zip_of(&[("in.zip", &inner), ("good.zip", &good)], stored);
    drop(inner);
    let evidence = opened(outer);
    assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached]);
    let text = &evidence.diagnostics[0].text;
    assert!(text.starts_with("outer!in.zip: ") && text.contains("unpack it first"), "{text}");
    assert_eq!(evidence.inputs[0].name, "outer!good.zip/y.har");

    let options = stored.with_aes_encryption(zip::AesMode::Aes128, "key");
    let outer = zip_of(&[("x.har", &vec![b' '; length + 1]), ("y.har", HAR.as_bytes())], options);
    let evidence = opened_with(outer, &Limits::default(), &["key".to_owned()]);
    assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached]);
    assert!(evidence.diagnostics[0].text.starts_with("outer!x.har: "));
    assert_eq!(evidence.inputs[0].records, 1);
}

#[test]
fn damage_keeps_what_came_before_it() {
    let entry = HAR.split_once('[').unwrap().1.rsplit_once(']').unwrap().0;
    let numbers = (0..20_000).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    let text = format!("{{\"log\":{{\"entries\":[{entry},{{\"x\":\"{numbers}\"}}]}}}}");
    let whole = gzip(text.as_bytes());
    let cut = whole[..whole.len() / 2].to_vec();
    let evidence = opened(cut);
    assert_eq!((evidence.exchanges.len(), codes(&evidence)), (1, vec![DiagnosticCode::Truncated]));
    assert!(evidence.coverage.inputs[0].truncated);
    let mut broken = whole;
    for byte in broken.iter_mut().skip(10_000).take(100) {
        *byte ^= 0x55;
    }
    let evidence = opened(broken);
    let damaged = vec![DiagnosticCode::Undecompressable];
    assert_eq!((evidence.exchanges.len(), codes(&evidence)), (1, damaged));

    let mut archive = zip(&[("x.txt", HAR.as_bytes())]);
    archive.truncate(20);
    let evidence = opened(archive);
    assert!(evidence.inputs[0].looks_like.as_ref().unwrap().contains("damaged"));

    let mut archive = tar(&[("x.har", HAR.as_bytes()), ("y.har", HAR.as_bytes())]);
    archive.truncate(1600);
    let evidence = opened(archive);
    assert_eq!(evidence.inputs[0].records, 1);
    assert!(codes(&evidence).contains(&DiagnosticCode::Truncated));
}

/// An archive in which members have one name, as no usual packer writes it: the names are changed
/// in its bytes.
fn twice(members: &[(&str, &[u8])], options: SimpleFileOptions, streamed: bool) -> Vec<u8> {
    let mut bytes = if streamed {
        let mut writer = zip::ZipWriter::new_stream(Vec::new());
        for (name, bytes) in members {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    } else {
        zip_of(members, options)
    };
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, b"y.har").collect();
    for at in places {
        bytes[at] = b'x';
    }
    bytes
}

#[test]
fn members_that_share_their_name_are_each_read() {
    let other = HAR.replace("Firefox", "Chrome, which is longer");
    let members =
        [("x.har", HAR.as_bytes()), ("note", b"x"), ("y.har", other.as_bytes()), ("z.har", b"{}")];
    let plain = SimpleFileOptions::default();
    let stored = plain.compression_method(zip::CompressionMethod::Stored);
    let aes = plain.with_aes_encryption(zip::AesMode::Aes256, "right");
    let weak = stored.with_deprecated_encryption(b"right").unwrap();
    let hashes = [HAR, &other].map(|text| opened(text.into()).inputs[0].sha256.clone());
    for (options, streamed) in
        [(plain, false), (plain, true), (stored, false), (aes, false), (weak, false)]
    {
        // An archive behind other bytes says where its members are without counting those.
        for before in [vec![], zip(&[("a.har", HAR.as_bytes())])] {
            let bytes = [before, twice(&members, options, streamed)].concat();
            let evidence = opened_with(bytes, &Limits::default(), &["no".into(), "right".into()]);
            let want = vec![("outer!x.har", vec!["zip"]), ("outer!x.har", vec!["zip"])];
            assert_eq!(names(&evidence), want);
            let got: Vec<_> = evidence.inputs.iter().map(|input| input.sha256.clone()).collect();
            assert_eq!(got, hashes);
            assert_eq!(codes(&evidence), []);
        }
    }
    let evidence = opened(twice(&members, aes, false));
    assert!(evidence.diagnostics[0].text.contains("4 members are protected"));
}

#[test]
fn an_archive_without_its_directory_gives_what_is_left() {
    let members = [("x.har", HAR.as_bytes()), ("y.har", HAR.as_bytes())];
    let plain = SimpleFileOptions::default();
    for streamed in [false, true] {
        let bytes = twice(&members, plain, streamed);
        let directory = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
        let evidence = opened(bytes[..directory].to_vec());
        assert_eq!(evidence.inputs.iter().map(|input| input.records).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(codes(&evidence), [DiagnosticCode::Truncated]);
        assert!(evidence.diagnostics[0].text.contains("no directory"));
        assert!(evidence.inputs.iter().all(|input| input.container_sha256.is_some()));
        // The second breaks off inside, and says so for itself.
        let second = memchr::memmem::rfind(&bytes, b"PK\x03\x04").unwrap();
        let evidence = opened(bytes[..second + 120].to_vec());
        assert_eq!(evidence.inputs.len(), 2);
        assert_eq!(evidence.inputs[0].records, 1);
        let truncated: Vec<_> = evidence.diagnostics.iter().map(|one| one.input).collect();
        assert!(truncated.contains(&Some(evidence.inputs[1].id)), "{:?}", evidence.diagnostics);
    }
}

#[test]
fn what_stands_in_a_torn_fiddler_archive_is_not_whole_either() {
    let ask = b"GET https://login.example/ HTTP/1.1\r\nHost: login.example\r\n\r\n".as_slice();
    let bytes = zip(&[("raw/1_c.txt", ask), ("a.har", HAR.as_bytes())]);
    let directory = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    for (bytes, torn) in [(bytes.clone(), false), (bytes[..directory].to_vec(), true)] {
        let evidence = opened(bytes);
        assert_eq!(evidence.inputs.len(), 2);
        assert!(evidence.coverage.inputs.iter().all(|one| one.truncated == torn));
    }
}

#[test]
fn fiddler_archives_are_found_where_they_were_unpacked() {
    let ask = b"GET https://login.example/ HTTP/1.1\r\nHost: login.example\r\n\r\n";
    let tell = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let saz = |folder: &str| {
        ["_index.htm", "raw/1_c.txt", "raw/1_s.txt", "raw/1_m.xml"].map(|name| {
            let bytes: &[u8] = match name.rsplit('.').next() {
                Some("xml") => b"<?xml version=\"1.0\"?><Session SID=\"1\"></Session>",
                _ if name.ends_with("c.txt") => ask,
                _ => tell,
            };
            (format!("{folder}{name}"), bytes)
        })
    };
    // A second session, so that they are told apart.
    let more = |folder: &str| (format!("{folder}raw/2_c.txt"), ask.as_slice());
    let pack = |members: Vec<(String, &[u8])>| {
        let members: Vec<(&str, &[u8])> =
            members.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        zip(&members)
    };
    let har = ("t.har".to_owned(), HAR.as_bytes());
    let cases: Vec<(Vec<u8>, Vec<Named<'_>>)> = vec![
        (pack(saz("").into()), vec![("outer", vec![])]),
        (pack(saz("A/b/").into()), vec![("outer!A/b", vec!["zip"])]),
        (
            pack([saz("A\\").to_vec(), vec![har.clone()], saz("B\\").to_vec()].concat()),
            vec![("outer!A", vec!["zip"]), ("outer!t.har", vec!["zip"]), ("outer!B", vec!["zip"])],
        ),
        (
            pack([vec![har], saz("").to_vec(), saz("B/").to_vec()].concat()),
            vec![("outer", vec![]), ("outer!t.har", vec!["zip"]), ("outer!B", vec!["zip"])],
        ),
        (
            pack([saz("B/").to_vec(), vec![more("B/")], saz("").to_vec()].concat()),
            vec![("outer", vec![]), ("outer!B", vec!["zip"])],
        ),
    ];
    for (bytes, want) in cases {
        let evidence = opened(bytes.clone());
        assert_eq!(names(&evidence), want);
        assert_eq!(codes(&evidence), []);
        let whole = hash(&bytes);
        for input in &evidence.inputs {
            let (packed, unpacked) = (!input.container.is_empty(), input.container.is_empty());
            let is_more = want.len() == 2 && input.name == "outer!B";
            assert_eq!(input.records, if is_more { 2 } else { 1 });
            assert!(input.bytes > 0);
            assert_eq!(input.container_sha256.as_ref() == Some(&whole), packed);
            assert_eq!(input.sha256.as_ref() == Some(&whole), unpacked);
        }
    }
    let many = (0..40).flat_map(|n| saz(&format!("{n}/"))).collect();
    let evidence = opened(pack(many));
    assert_eq!(evidence.inputs.len(), 16);
    assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached]);
    let doubled = [saz("").to_vec(), vec![("raw/01_c.txt".to_owned(), ask.as_slice())]].concat();
    let evidence = opened(pack(doubled));
    assert_eq!(codes(&evidence), [DiagnosticCode::ArchiveMember]);
    assert!(evidence.diagnostics[0].text.contains("1 parts"), "{:?}", evidence.diagnostics);
}

#[test]
fn what_protected_members_expand_to_counts() {
    let zeros = vec![0; 4 << 20];
    let options = SimpleFileOptions::default().with_deprecated_encryption(b"right").unwrap();
    // The same member many times, as hostile archives have it, each with a wrong checksum.
    let once = zip_of(&[("a.bin", &zeros)], options);
    let start = memchr::memmem::rfind(&once, b"PK\x01\x02").unwrap();
    let end = memchr::memmem::rfind(&once, b"PK\x05\x06").unwrap();
    let mut entry = once[start..end].to_vec();
    entry[16] ^= 1;
    let mut archive = once[..start].to_vec();
    archive.extend(entry.repeat(100));
    let mut record = once[end..].to_vec();
    record[8..12].copy_from_slice(&[100, 0, 100, 0]);
    let length = u32::try_from(entry.repeat(100).len()).unwrap();
    record[12..16].copy_from_slice(&length.to_le_bytes());
    archive.extend(record);
    let passwords = ["right".to_owned()];
    let limits = Limits { expanded: 10 << 20, ratio: u64::MAX, ..Limits::default() };
    let evidence = opened_with(archive, &limits, &passwords);
    assert!(codes(&evidence).contains(&DiagnosticCode::LimitReached), "{:?}", evidence.diagnostics);
    // And one that expands too far.
    let bomb = zip_of(&[("a.bin", &zeros)], options);
    let limits = Limits { ratio: 100, ..Limits::default() };
    let evidence = opened_with(bomb, &limits, &passwords);
    assert!(evidence.diagnostics[0].text.contains("--max-ratio"), "{:?}", evidence.diagnostics);
}

#[test]
fn what_only_looks_like_a_part_of_a_session_is_read() {
    let ask = b"GET https://login.example/ HTTP/1.1\r\nHost: login.example\r\n\r\n".as_slice();
    let members = [
        ("./raw/1_c.txt", ask),
        ("./raw/1_w.txt", b"x"),
        ("./raw/1_g.txt", b"x"),
        ("./raw/20300115_capture.har", HAR.as_bytes()),
    ];
    let evidence = opened(zip(&members));
    let want = vec![("outer", vec![]), ("outer!./raw/20300115_capture.har", vec!["zip"])];
    assert_eq!((names(&evidence), codes(&evidence)), (want, vec![]));
}

#[test]
fn only_some_captures_are_read_and_the_hash_is_that_of_the_file() {
    let ask = b"GET https://login.example/ HTTP/1.1\r\nHost: login.example\r\n\r\n".as_slice();
    let bytes = zip(&[("raw/1_c.txt", ask), ("a.har", HAR.as_bytes()), ("b.pcap", PCAP)]);
    let scope = Scope::new(["login.example"], [], [], &[], 1 << 20);
    let (cancel, limits) = (AtomicBool::new(false), Limits::default());
    let keys = Keys::new();
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &[],
        keys: &keys,
        cancel: &cancel,
    };
    for wanted in [vec!["outer!a.har", "outer!b.pcap"], vec!["outer", "outer!b.pcap"]] {
        let mut builder = EvidenceBuilder::new();
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        open_members("outer", Source::bytes(bytes.clone()), &options, &wanted, &mut builder);
        let evidence = builder.finish();
        let found: Vec<&String> = evidence.inputs.iter().map(|input| &input.name).collect();
        assert_eq!(found, wanted.iter().collect::<Vec<_>>());
        let whole = Some(hash(&bytes));
        for input in &evidence.inputs {
            let is_whole = input.name == "outer";
            assert_eq!(if is_whole { &input.sha256 } else { &input.container_sha256 }, &whole);
        }
    }
}

#[test]
fn an_archive_without_captures_has_its_hash() {
    let bytes = zip(&[("note.txt", b"hello")]);
    assert_eq!(opened(bytes.clone()).inputs[0].sha256, Some(hash(&bytes)));
    let bytes = tar(&[("note.txt", b"hello")]);
    assert_eq!(opened(bytes.clone()).inputs[0].sha256, Some(hash(&bytes)));
}

fn hash(bytes: &[u8]) -> String {
    Source::bytes(bytes.to_vec()).with_hash().finish_hash().unwrap()
}

#[test]
fn an_input_may_be_bounded() {
    let limits = Limits { input: Some(100), ..Limits::default() };
    let evidence = opened_with(HAR.into(), &limits, &[]);
    assert!(codes(&evidence).contains(&DiagnosticCode::LimitReached));
    assert_eq!(evidence.inputs[0].sha256, None);
}

/// A header and one frame of three bytes.
const PCAP: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0\
    \0\xf1\x53\x65\x05\0\0\0\x03\0\0\0\x03\0\0\0abc";

/// A section, an interface, and one frame.
const PCAPNG: &[u8] = b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\
    \xff\xff\xff\xff\x1c\0\0\0\x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\
    \x06\0\0\0\x24\0\0\0\0\0\0\0\x24\x0a\x06\x00\x05\x40\x1e\x18\x03\0\0\0\x03\0\0\0abc\0\x24\0\0\0";

#[test]
fn packet_captures_are_read_through_everything() {
    for (bytes, format) in [(PCAP, Format::Pcap), (PCAPNG, Format::Pcapng)] {
        let stream = gzip(&gzip(bytes));
        let inside_tar = gzip(&tar(&[("a/x.bin", bytes)]));
        let inside_zip = zip(&[("readme.txt", b"x"), ("trace.etl", &gzip(bytes))]);
        for packed in [bytes.to_vec(), stream, inside_tar, inside_zip] {
            let evidence = opened(packed);
            let input = &evidence.inputs[0];
            assert_eq!((input.format, input.records), (format, 1));
            assert_eq!(input.first.unwrap().as_nanoseconds() / 1_000_000_000, 1_700_000_000);
            assert_eq!(input.first, input.last);
            assert_eq!(codes(&evidence), []);
            assert_eq!(input.bytes, as_u64(bytes.len()));
        }
    }
}

#[test]
fn a_packet_capture_that_breaks_off_says_so() {
    let cut = &PCAP[..PCAP.len() - 1];
    let evidence = opened(cut.to_vec());
    assert_eq!(
        (evidence.inputs[0].records, codes(&evidence)),
        (0, vec![DiagnosticCode::Truncated])
    );
    assert!(evidence.coverage.inputs[0].truncated);
    // Where the compression breaks off, that is what is said.
    let mut packed = gzip(&[PCAPNG, &PCAPNG[48..]].concat().repeat(50));
    packed.truncate(packed.len() - 20);
    let evidence = opened(packed);
    assert_eq!(codes(&evidence), [DiagnosticCode::Truncated]);
    // A bound on the input is a bound, and no damage.
    let limits = Limits { input: Some(42), ..Limits::default() };
    let evidence = opened_with(PCAP.to_vec(), &limits, &[]);
    assert_eq!(codes(&evidence), [DiagnosticCode::LimitReached]);
    assert!(evidence.coverage.inputs[0].truncated);
}

#[test]
fn packets_may_expand_to_more_than_others() {
    let limits = Limits { expanded: 128 << 10, expanded_packets: 1 << 20, ..Limits::default() };
    let long = [PCAP, &PCAP[24..].repeat(19_999)].concat();
    let evidence = opened_with(gzip(&long), &limits, &[]);
    assert_eq!((evidence.inputs[0].records, codes(&evidence)), (20_000, vec![]));
}

#[test]
fn what_is_worth_knowing_of_a_packet_capture_is_told() {
    let mut bytes = PCAP.to_vec();
    bytes[20] = 107;
    bytes[36] = 90;
    let evidence = opened(bytes);
    assert_eq!(codes(&evidence), [DiagnosticCode::LinkType, DiagnosticCode::FramesCut]);
    assert!(evidence.diagnostics.iter().any(|one| one.text.contains("link type 107")));
    // A frame of an interface that is not there, twice.
    let mut bytes = PCAPNG[..48].to_vec();
    for _ in 0..2 {
        bytes.extend(&PCAPNG[48..]);
        let at = bytes.len() - 28;
        bytes[at] = 7;
    }
    let evidence = opened(bytes);
    assert_eq!(
        (evidence.inputs[0].records, codes(&evidence)),
        (2, vec![DiagnosticCode::PacketRecord])
    );
    assert_eq!(evidence.coverage.inputs[0].records_lost, 2);
    assert!(evidence.diagnostics[0].text.starts_with("2 frames are of interfaces"));
}

fn keys_opened(bytes: Vec<u8>, limits: &Limits, passwords: &[String]) -> (Evidence, usize) {
    let (scope, keys, cancel) = (Scope::default(), Keys::new(), AtomicBool::new(false));
    let options = ReadOptions { scope: &scope, limits, passwords, keys: &keys, cancel: &cancel };
    let mut builder = EvidenceBuilder::new();
    open_keys("keys", Source::bytes(bytes), &options, &mut builder);
    let count = keys.log().len();
    (builder.finish(), count)
}

fn key_log() -> Vec<u8> {
    format!("CLIENT_RANDOM {} {}\r\n", "11".repeat(32), "22".repeat(48)).into_bytes()
}

/// A section, and secrets of TLS in it.
fn blocks(secrets: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len()).unwrap().checked_add(12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &body, &length].concat()
    };
    let section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    let length = u32::try_from(secrets.len()).unwrap().to_le_bytes();
    let about = [&0x544c_534b_u32.to_le_bytes()[..], &length, secrets].concat();
    let secrets = if secrets.is_empty() { Vec::new() } else { block(10, &about) };
    [block(0x0a0d_0d0a, &section), secrets].concat()
}

#[test]
fn keys_are_taken_out_of_whatever_holds_them() {
    let text = String::from_utf8(key_log()).unwrap();
    let wide: Vec<u8> = "\u{feff}"
        .chars()
        .chain(text.chars())
        .flat_map(|c| u16::try_from(u32::from(c)).unwrap().to_le_bytes())
        .collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let damaged = [b"cut off here\n", text.as_bytes()].concat();
    let har = ("x.har", HAR.as_bytes());
    let stored = SimpleFileOptions::default();
    let locked = stored.with_aes_encryption(zip::AesMode::Aes128, "key");
    let forms: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("text", key_log(), &[]),
        ("two bytes a character", wide.clone(), &[]),
        ("a mark", marked, &[]),
        ("damage in front", damaged, &[]),
        ("gzip", gzip(&key_log()), &["gzip"]),
        ("two bytes a character, gzip", gzip(&wide), &["gzip"]),
        ("zip", zip(&[har, ("keys.txt", &key_log())]), &["zip"]),
        (
            "a zip of the form of Fiddler",
            zip(&[("raw/1_c.txt", b"GET / HTTP/1.1"), ("k", &key_log())]),
            &["zip"],
        ),
        ("protected", zip_of(&[("k", &key_log())], locked), &["zip"]),
        ("tar", tar(&[har, ("keys.txt", &key_log())]), &["tar"]),
        ("tar, gzip", gzip(&tar(&[("keys.txt", &wide)])), &["gzip", "tar"]),
        ("blocks", blocks(&key_log()), &[]),
        ("blocks, zip", zip(&[("x.pcapng", &blocks(&key_log()))]), &["zip"]),
    ];
    for (name, bytes, container) in forms {
        let (evidence, count) = keys_opened(bytes, &Limits::default(), &["key".to_owned()]);
        assert_eq!(count, 1, "{name}: {:?}", evidence.diagnostics);
        let [input] = &evidence.inputs[..] else { panic!("{name}: {:?}", evidence.inputs) };
        assert_eq!((input.format, input.records), (Format::KeyLog, 1), "{name}");
        assert_eq!(input.container, container, "{name}");
        assert!(evidence.exchanges.is_empty(), "{name}");
    }
}

#[test]
fn what_holds_no_keys_is_named() {
    let pcap =
        [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 1, 0, 1, 0, 0, 0]].concat();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("a HAR", HAR.into()),
        ("a HAR", gzip(HAR.as_bytes())),
        ("a packet capture without secrets", blocks(b"")),
        ("a packet capture in a form that holds no secrets", pcap),
        ("a zip archive without a key log; it holds 1 files", zip(&[("x.har", HAR.as_bytes())])),
        ("a zip archive without files", zip(&[])),
        ("a zip archive that is damaged", b"PK\x03\x04".to_vec()),
        ("SSLKEYLOGFILE", b"no key".to_vec()),
        ("SSLKEYLOGFILE", Vec::new()),
    ];
    for (looks, bytes) in forms {
        let (evidence, count) = keys_opened(bytes, &Limits::default(), &[]);
        assert_eq!(count, 0);
        let [input] = &evidence.inputs[..] else { panic!("{looks}: {:?}", evidence.inputs) };
        assert_eq!((input.format, input.records), (Format::Unrecognised, 0), "{looks}");
        let [told, ..] = &evidence.diagnostics[..] else { panic!("{looks}: nothing is told") };
        let words = format!("{} {:?}", told.text, input.looks_like);
        assert!(words.contains(looks), "{looks}: {words}");
    }
    let limits = Limits { archive_depth: 0, ..Limits::default() };
    for bytes in [gzip(&key_log()), zip(&[("k", &key_log())]), tar(&[("k", &key_log())])] {
        let (evidence, count) = keys_opened(bytes, &limits, &[]);
        assert_eq!((count, codes(&evidence)[0]), (0, DiagnosticCode::ArchiveTooDeep));
    }
    let limits = Limits { expanded: 10, ..Limits::default() };
    let (evidence, count) = keys_opened(gzip(&key_log()), &limits, &[]);
    assert_eq!((count, codes(&evidence)), (0, vec![DiagnosticCode::LimitReached]));
}
