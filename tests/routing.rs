//! Where the captures of the corpus and other attachments go, and what is said with them.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use mfatrace::analyze::Analysis;
use mfatrace::evidence::Redaction;
use mfatrace::report::triage::routing::{Fingerprint, Queue, Words};
use mfatrace::report::triage::{Attachment, Code, Record, RecordOptions};
use pulldown_cmark::{Event, Options, Parser, Tag};

use support::Row;
use support::canary::Canaries;

/// Every capture of the corpus with its record.
static RECORDS: LazyLock<Vec<(Row, Record)>> = LazyLock::new(|| {
    let words = Words::builtin();
    let rows = support::manifest().into_iter();
    rows.map(|row| {
        let record = record(&support::run_row(&row), &format!("17/{}", row.path), &words);
        (row, record)
    })
    .collect()
});

fn record(analysis: &Analysis, path: &str, words: &Words) -> Record {
    let attachment = Attachment {
        path: path.to_owned(),
        tree_path: path.to_owned(),
        sha256: Some("ab".repeat(32)),
        bytes: Some(123_456),
        ..Attachment::default()
    };
    let redaction = Redaction::Secrets;
    let options =
        RecordOptions { redaction, options: "x", words, with_report: false, version: "0.1.0" };
    Record::of(&analysis.report("0.1.0"), &attachment, None, options)
}

#[test]
fn the_queue_follows_the_side_and_a_mail_asks_where_the_capture_cannot_tell() {
    for (row, record) in RECORDS.iter() {
        let queue = match row.side.as_str() {
            "application" => Queue::Application,
            "cannot_tell" => Queue::NewCaptureNeeded,
            "network" => Queue::Network,
            "nothing_wrong" => Queue::NotOurs,
            "policy" => Queue::IdentityPolicy,
            "service" => Queue::Service,
            "user" => Queue::User,
            other => panic!("{other}"),
        };
        assert_eq!(record.queue, queue, "{}", row.path);
        assert_eq!(record.code, Code::Analysed, "{}", row.path);
        assert_eq!(record.mail.is_some(), queue == Queue::NewCaptureNeeded, "{}", row.path);
        let is_failed = !matches!(queue, Queue::NewCaptureNeeded | Queue::NotOurs);
        assert!(!is_failed || record.fingerprint.is_some(), "{}", row.path);
        assert!(queue != Queue::NotOurs || record.fingerprint.is_none(), "{}", row.path);
        let of_fingerprint = record.fingerprint.as_ref().and_then(|one| one.issuer.as_ref());
        assert_eq!(record.issuer.as_ref(), of_fingerprint);
    }
}

#[test]
fn a_comment_is_short_harmless_markdown_without_secrets() {
    let mut canaries = Canaries::default();
    canaries.note("secret of the corpus", "FAKESECRET");
    canaries.note("user", "adele.vance");
    let search = canaries.search();
    for (row, record) in RECORDS.iter() {
        let comment = &record.comment;
        let lines = comment.lines().count();
        assert!((5..=20).contains(&lines), "{}: {comment}", row.path);
        assert!(comment.contains(&format!("`17/{}`", row.path)), "{comment}");
        for event in Parser::new_ext(comment, Options::all()) {
            let is_harmless = match &event {
                Event::Start(tag) => matches!(
                    tag,
                    Tag::Heading { .. }
                        | Tag::Item
                        | Tag::List(None)
                        | Tag::Paragraph
                        | Tag::Strong
                ),
                Event::Code(_) | Event::End(_) | Event::SoftBreak | Event::Text(_) => true,
                _ => false,
            };
            assert!(is_harmless, "{}: {event:?} in {comment}", row.path);
        }
        let mail = record.mail.as_ref().map(|mail| format!("{}\n{}", mail.subject, mail.body));
        for text in [comment, &record.line(), &mail.unwrap_or_default()] {
            assert!(search.found(&row.path, text).is_empty(), "{}: {text}", row.path);
        }
    }
}

#[test]
fn a_mail_has_short_lines_and_steps() {
    let mut bodies = BTreeSet::new();
    for (row, record) in RECORDS.iter() {
        let Some(mail) = &record.mail else { continue };
        for line in mail.body.lines() {
            assert!(line.chars().count() <= 78 && line == line.trim_end(), "{}: {line}", row.path);
        }
        assert!(mail.body.contains("\n 1. ") && mail.body.contains("\nMissing:"), "{}", mail.body);
        let name = row.path.rsplit('/').next().unwrap();
        bodies.insert(mail.body.replace(name, "NAME"));
    }
    assert!(bodies.len() > 10, "what is asked follows from what is missing: {}", bodies.len());
}

/// Captures of one story whose fingerprint is not that of the others, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("browser/offline-while-polling.firefox.har", "Firefox does not name failures"),
    ("browser/offline-while-polling.saz", "Fiddler tells an address that is out of reach only"),
    ("browser/proxy-refuses-tunnel.firefox.har", "Firefox does not name failures"),
    ("browser/script-host-unresolved.firefox.har", "Firefox does not name failures"),
    ("browser/script-host-unresolved.mitmproxy.har", "mitmproxy tells a failed lookup only"),
    ("browser/sign-in-host-refused.firefox.har", "Firefox does not name failures"),
    ("keyed/polls-reset-tls12-h1.har", "the browser tells of its last try, which was refused"),
    ("keyed/polls-reset-tls13-h2.har", "the browser tells of its last try, which was refused"),
    ("keyed/starts-at-polls-tls13-h1.pcapng", "a connection without handshake stays closed"),
    ("network/hello-reset.mitmproxy.har", "mitmproxy does not tell how far TLS was"),
    ("network/script-hosts-handshake-cut.mitmproxy.har", "mitmproxy does not tell how far TLS was"),
    ("network/sign-in-host-timeout.firefox.har", "Firefox does not name failures"),
];

#[test]
fn a_fault_has_one_fingerprint_in_every_format() {
    let mut stories: BTreeMap<(&str, &str), Vec<&(Row, Record)>> = BTreeMap::new();
    for one in RECORDS.iter() {
        let folder = one.0.path.split('/').next().unwrap();
        stories.entry((folder, &one.0.story)).or_default().push(one);
    }
    let mut wrong = Vec::new();
    let mut agreed = 0;
    let is_otherwise = |path: &str| OTHERWISE.iter().any(|(one, _)| *one == path);
    for all in stories.values() {
        let (others, usual): (Vec<_>, Vec<_>) =
            all.iter().copied().partition(|(row, _)| is_otherwise(&row.path));
        let prints: BTreeSet<String> =
            usual.iter().map(|(_, record)| format!("{:?}", record.fingerprint)).collect();
        agreed += usize::from(usual.len() > 1 && !prints.contains("None"));
        if prints.len() > 1 {
            let paths = usual.iter().map(|(row, _)| row.path.as_str());
            wrong.push(format!("{prints:#?} of {:?}", paths.collect::<Vec<_>>()));
        }
        for (row, record) in others {
            let is_one = prints.contains(&format!("{:?}", record.fingerprint));
            assert!(!is_one, "{} is like the others of its story by now", row.path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(agreed > 60, "stories in several formats: {agreed}");
}

#[test]
fn different_faults_have_different_fingerprints() {
    let mut known: BTreeMap<&str, &Fingerprint> = BTreeMap::new();
    for one in RECORDS.iter().filter_map(|(_, record)| record.fingerprint.as_ref()) {
        assert_eq!(*known.entry(&one.id).or_insert(one), one);
        assert!(!format!("{one:?}").contains('@'), "no user is in it: {one:?}");
    }
    assert!(known.len() > 50, "{}", known.len());
}

#[test]
fn the_issuer_is_told_where_a_certificate_decided() {
    let of = |path: &str| {
        let found = RECORDS.iter().find(|(row, _)| row.path == path);
        found.unwrap_or_else(|| panic!("{path}")).1.issuer.as_deref()
    };
    assert_eq!(of("lab/intercepted-untrusted-tls12.pcap"), Some("Zscaler"));
    assert_eq!(of("packets/interception-untrusted-unknown-ca.pcap"), Some("Zscaler"));
    assert_eq!(of("network/device-host-intercepted.saz"), Some("Zscaler"));
    assert_eq!(of("network/device-host-intercepted.playwright.har"), Some("Zscaler"));
    // A page of a filter blocked it; the certificate it came with is beside the matter.
    assert_eq!(of("browser/begin-block-page.playwright.har"), None);
}

#[test]
fn the_code_is_the_one_that_the_sign_in_failed_with() {
    let wanted = [
        ("browser/push-denied.saz", Some(500_121)),
        ("browser/push-approved.saz", None),
        ("browser/script-host-reset.saz", Some(50_074)),
        ("application/ropc.saz", Some(50_076)),
        ("application/consent-after-mfa.devtools.har", Some(65_001)),
        ("browser/sign-in-host-refused.saz", None),
    ];
    for (path, code) in wanted {
        let (_, record) = RECORDS.iter().find(|(row, _)| row.path == path).unwrap();
        assert_eq!(record.attempt.as_ref().and_then(|one| one.code), code, "{path}");
    }
}

fn of_file(path: &Path) -> Record {
    let analysis = support::run(&[path.to_path_buf()], &[]);
    record(&analysis, path.file_name().unwrap().to_str().unwrap(), &Words::builtin())
}

#[test]
fn what_is_no_capture_goes_where_somebody_can_help() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let record = of_file(&path);
        let mail = record.mail.as_ref().map_or("", |mail| mail.subject.as_str()).to_owned();
        (record.queue, record.code, mail)
    };
    let mut etl = 65_536_u32.to_le_bytes().to_vec();
    etl.extend("x@tzres.dll,-331".encode_utf16().flat_map(u16::to_le_bytes));
    let zip =
        |name: &str, bytes: &[u8]| support::archive::zip(&[(name.to_owned(), bytes.to_vec())], "");
    let convert = "Please send the recording in another format";
    let again = "Please send the file once more";
    let recording = "One more recording of the sign-in, please";
    let png = b"\x89PNG\r\n\x1a\n";
    for (name, bytes, subject) in [
        ("a.etl", etl.clone(), convert),
        ("etl.zip", zip("a.etl", &etl), convert),
        ("a.snoop", b"snoop\0\0\0\0\0\0\x02".to_vec(), convert),
        ("a.cap", b"GMBU\0\x02".to_vec(), convert),
        ("a.7z", b"7z\xbc\xaf\x27\x1c".to_vec(), convert),
        ("a.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), convert),
        ("a.har", Vec::new(), again),
        ("a.pcap", b"\xd4\xc3\xb2\xa1\x02\0".to_vec(), again),
        ("log.json", b"{\"constants\":{\"logEventTypes\":{}}}".to_vec(), recording),
    ] {
        let (queue, _, mail) = of(name, &bytes);
        assert_eq!((queue, mail.as_str()), (Queue::NewCaptureNeeded, subject), "{name}");
    }
    for (name, bytes) in [
        ("a.png", png.to_vec()),
        ("png.zip", zip("a.png", png)),
        ("a.pdf", b"%PDF-1.7".to_vec()),
        ("a.txt", b"hello\n".to_vec()),
        ("a.json", b"{\"a\":1}".to_vec()),
    ] {
        let (queue, code, mail) = of(name, &bytes);
        assert_eq!((queue, mail.as_str()), (Queue::NotOurs, ""), "{name}");
        assert_eq!(code, Code::NotACapture, "{name}");
    }
    let captures = support::root().join("captures");
    let protected = of_file(&captures.join("containers/protected-aes256.saz"));
    assert_eq!((protected.code, protected.queue), (Code::Encrypted, Queue::NewCaptureNeeded));
    let mail = protected.mail.unwrap();
    assert!(mail.body.contains("by another way") && !mail.body.contains("Tool:"), "{}", mail.body);
    let keys = of_file(&captures.join("keyed/push-denied-tls13-h1.pcap.keylog"));
    assert_eq!(keys.mail.unwrap().subject, "Please send the recording that belongs to the keys");
    let missing = of_file(&folder.path().join("missing.har"));
    assert_eq!(
        (missing.code, missing.queue, missing.mail),
        (Code::NotOpened, Queue::NotOurs, None)
    );
}

#[test]
fn the_words_can_be_another_language() {
    let table = Words::table().replace("\tHello,\t", "\tGuten Tag,\t");
    let words = Words::parse(&table.replace("\tConfidence\t", "\tSicherheit *\t")).unwrap();
    let row = RECORDS.iter().map(|(row, _)| row).find(|row| row.side == "cannot_tell").unwrap();
    let record = record(&support::run_row(row), "a.har", &words);
    assert!(record.mail.unwrap().body.starts_with("Guten Tag,\n"));
    assert!(record.comment.contains("**Sicherheit \\*:**"), "{}", record.comment);
}
