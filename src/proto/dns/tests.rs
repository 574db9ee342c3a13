//! Messages from bytes, against another parser, and in streams.

use std::num::NonZeroU64;

use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Label, Name, Packet, ResourceRecord, TYPE};

use super::*;
use crate::proto::Mark;
use crate::time::Timestamp;

/// A header of one question and `records`, and the question `login.example` A IN.
fn message(flags: u16, records: [u16; 3]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend_from_slice(&flags.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    for count in records {
        bytes.extend_from_slice(&count.to_be_bytes());
    }
    bytes.extend_from_slice(b"\x05Login\x07example\0\0\x01\0\x01");
    bytes
}

/// A record whose owner is the question.
fn record(kind: u16, class: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&class.to_be_bytes());
    bytes.extend_from_slice(&ttl.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn answer(record: &[u8]) -> RecordData {
    let mut bytes = message(0x8180, [1, 0, 0]);
    bytes.extend_from_slice(record);
    let parsed = parse(&bytes).unwrap();
    assert!(parsed.complete);
    parsed.answers[0].data.clone()
}

fn name_of(wire: &[u8]) -> Option<String> {
    let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(wire);
    bytes.extend_from_slice(&[0, 1, 0, 1]);
    parse(&bytes)?.question.map(|question| question.name)
}

const fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

#[test]
fn a_query_and_its_answer() {
    let query = parse(&message(0x0100, [0, 0, 0])).unwrap();
    assert_eq!((query.id, query.is_response, query.opcode), (0x1234, false, 0));
    assert_eq!((query.recursion_desired, query.questions, query.complete), (true, 1, true));
    let question = query.question.unwrap();
    assert_eq!((question.name.as_str(), question.qtype, question.qclass), ("login.example", 1, 1));

    let mut bytes = message(0x8583, [2, 0, 0]);
    bytes.extend_from_slice(&record(5, 1, 60, b"\x01b\xc0\x12"));
    bytes.extend_from_slice(b"\x01b\xc0\x12\0\x01\0\x01\0\0\0\x05\0\x04\xc0\0\x02\x07");
    let reply = parse(&bytes).unwrap();
    assert_eq!((reply.rcode, reply.authoritative, reply.recursion_available), (3, true, true));
    assert_eq!((reply.is_response, reply.truncated, reply.complete), (true, false, true));
    let cname = RecordData::Cname("b.example".to_owned());
    assert_eq!(
        reply.answers,
        [
            Record { ttl: 60, data: cname },
            Record { ttl: 5, data: RecordData::A(Ipv4Addr::new(192, 0, 2, 7)) },
        ]
    );
}

#[test]
fn what_was_read_before_a_cut_stays() {
    let mut bytes = message(0x8380, [3, 0, 0]);
    for last in [1, 2, 3] {
        bytes.extend_from_slice(&record(1, 1, 9, &[192, 0, 2, last]));
    }
    for cut in 12..bytes.len() {
        let parsed = parse(&bytes[..cut]).filter(|parsed| parsed.question.is_some());
        let whole = cut.saturating_sub(31) / 16;
        assert_eq!(parsed.as_ref().is_some(), cut >= 31, "{cut}");
        if let Some(parsed) = parsed {
            assert_eq!(
                (parsed.answers.len(), parsed.complete, parsed.truncated),
                (whole, false, true)
            );
        }
    }
    assert!(parse(&bytes).unwrap().complete);
    assert_eq!(parse(&bytes[..16]).unwrap().question, None);
    assert_eq!(parse(&bytes[..11]), None);
}

#[test]
fn records_of_every_kind() {
    let v6 = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";
    assert_eq!(answer(&record(28, 1, 0, v6)), RecordData::Aaaa("2001:db8::1".parse().unwrap()));
    // Multicast DNS sets the upper bit of the class.
    assert!(matches!(answer(&record(1, 0x8001, 0, &[1, 2, 3, 4])), RecordData::A(_)));
    assert_eq!(answer(&record(1, 3, 0, &[1, 2, 3, 4])), RecordData::Other(1));
    assert_eq!(answer(&record(1, 1, 0, &[1, 2, 3])), RecordData::Other(1));
    assert_eq!(answer(&record(5, 1, 0, b"\x01b\0\0")), RecordData::Other(5));
    assert_eq!(answer(&record(16, 1, 0, b"\x01b")), RecordData::Other(16));
    assert_eq!(answer(&record(1, 1, 0, b"")), RecordData::Other(1));
}

#[test]
fn https_records() {
    let data = b"\0\x01\0\0\x01\0\x06\x02h3\x02h2\0\x04\0\x04\xc0\0\x02\x01\0\x05\0\x04\0\x02ab\
                 \0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";
    let RecordData::Https(https) = answer(&record(65, 1, 0, data)) else {
        panic!("an https record")
    };
    assert_eq!((https.priority, https.target.as_str(), https.has_ech), (1, ".", true));
    assert_eq!(https.alpn, ["h3", "h2"]);
    assert_eq!(https.ipv4_hints, [Ipv4Addr::new(192, 0, 2, 1)]);
    assert_eq!(https.ipv6_hints, ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]);
    // Keys must rise (RFC 9460 section 2.2): the parameters are lost, the target is not.
    let odd = b"\0\x00\x01b\0\0\x04\0\0\0\x01\0\0";
    let RecordData::Https(https) = answer(&record(65, 1, 0, odd)) else {
        panic!("an https record")
    };
    assert_eq!((https.priority, https.target.as_str(), https.alpn.len()), (0, "b", 0));
    assert_eq!(answer(&record(65, 1, 0, b"\0")), RecordData::Other(65));
    let mut many = b"\0\x01\0\0\x01\x04\0".to_vec();
    many.extend_from_slice(&b"\x03abc".repeat(256));
    let RecordData::Https(https) = answer(&record(65, 1, 0, &many)) else {
        panic!("an https record")
    };
    assert_eq!(https.alpn.len(), limits::DNS_PARAMETERS);
}

#[test]
fn extended_codes() {
    let edns = |ttl: u32, options: &[u8]| {
        let mut bytes = message(0x8182, [0, 0, 1]);
        bytes.extend_from_slice(&[0, 0, 41, 4, 208]);
        bytes.extend_from_slice(&ttl.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(options);
        let parsed = parse(&bytes).unwrap();
        (parsed.rcode, parsed.extended_error, parsed.complete)
    };
    assert_eq!(edns(0, b"\0\x0a\0\x02ab\0\x0f\0\x04\0\x0fno"), (2, Some(15), true));
    assert_eq!(edns(0x0100_0000, b""), (18, None, true));
    assert_eq!(edns(0xff00_0000, b"\0\x0f\0\x01\0"), (255, None, true));
    assert_eq!(edns(0, b"\0\x0f\0\x09\0\x0f"), (2, None, true));
}

#[test]
fn names() {
    assert_eq!(name_of(b"\x03WwW\x03a.B\0").as_deref(), Some("www.a\\.b"));
    assert_eq!(name_of(b"\x04 \\\xc3\x00\0").as_deref(), Some("\\040\\\\\u{fffd}\\000"));
    assert_eq!(name_of(b"\0").as_deref(), Some("."));
    // Pointers: to itself, forward, to a pointer behind a label that leads to it again.
    assert_eq!(name_of(b"\xc0\x0c"), None);
    assert_eq!(name_of(b"\xc0\x0e\0"), None);
    assert_eq!(name_of(b"\x01a\xc0\x0c"), None);
    let unknown = "<Unknown extended label>";
    assert_eq!(name_of(b"\x40a\0").as_deref(), Some(unknown));
    let long = |labels: usize| [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(labels);
    assert_eq!(name_of(&[long(4), vec![0]].concat()), None);
    let fits = [long(3), b"\x3d".to_vec(), vec![b'a'; 61], vec![0]].concat();
    assert_eq!(name_of(&fits).map(|name| name.len()), Some(253));
    let escapes = [[b"\x3f".as_slice(), &[0; 63]].concat().repeat(3), vec![0]].concat();
    assert!(name_of(&escapes).is_some_and(|name| name.len() <= limits::DNS_NAME));
}

#[test]
fn a_chain_of_pointers_is_given_up() {
    let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    // The data of the first record is a chain of pointers, the owner of the second is its end.
    bytes.extend_from_slice(b"\x01a\0\0\x10\0\x01\0\0\0\0\0\xc8");
    for step in 0..100_u16 {
        let target = if step == 0 { 12 } else { 25 + 2 * (step - 1) };
        bytes.extend_from_slice(&(0xc000 | target).to_be_bytes());
    }
    let second = |end: u16| {
        let mut bytes = bytes.clone();
        bytes.extend_from_slice(&(0xc000 | end).to_be_bytes());
        bytes.extend_from_slice(b"\0\x01\0\x01\0\0\0\0\0\x04abcd");
        parse(&bytes).unwrap().answers.len()
    };
    assert_eq!(second(25), 2);
    assert_eq!(second(25 + 2 * 99), 1);
}

#[test]
fn what_is_no_message() {
    assert!(!looks_like_dns(b""));
    assert!(!looks_like_dns(&[0; 12]));
    assert!(!looks_like_dns(&[0xff; 64]));
    assert!(!looks_like_dns(b"GET / HTTP/1.1\r\nHost: login.example\r\n\r\n"));
    assert!(!looks_like_dns(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03abcdefghijklmnop"));
    // A bare answer to a query that was not understood; the same with something after it.
    assert!(looks_like_dns(b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0"));
    assert!(!looks_like_dns(b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0a"));
    // A class that is none.
    let mut bytes = message(0x0100, [0, 0, 0]);
    *bytes.last_mut().unwrap() = 77;
    assert!(!looks_like_dns(&bytes));
    // Multicast: an answer without a question.
    assert!(looks_like_dns(
        b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x01a\0\0\x01\x80\x01\0\0\0\x09\0\x04abcd"
    ));
}

#[test]
fn answers_are_bounded() {
    let mut bytes = message(0x8180, [200, 0, 0]);
    for _ in 0..200 {
        bytes.extend_from_slice(&record(1, 1, 9, &[192, 0, 2, 1]));
    }
    let parsed = parse(&bytes).unwrap();
    assert_eq!((parsed.answers.len(), parsed.complete), (limits::DNS_ANSWERS, true));
}

#[test]
fn messages_in_a_stream() {
    let one = message(0x0100, [0, 0, 0]);
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.extend_from_slice(&u16::try_from(one.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&one);
    }
    for size in 1..bytes.len() {
        let mut stream = DnsOverTcp::new();
        let mut seen = Vec::new();
        for (piece, frame) in bytes.chunks(size).zip(1..) {
            stream.data(piece, mark(frame), &mut |message, first, last| {
                assert_eq!(message, one);
                seen.push((first.frame.get(), last.frame.get()));
            });
        }
        let frame = |at: usize| u64::try_from(at / size + 1).unwrap();
        let whole = one.len() + 2;
        let want: Vec<_> = (0..3).map(|n| (frame(n * whole), frame((n + 1) * whole - 1))).collect();
        assert_eq!(seen, want, "pieces of {size}");
        assert!(!stream.is_lost());
    }
}

#[test]
fn a_stream_that_is_none_is_given_up() {
    let mut stream = DnsOverTcp::new();
    let mut out = |_: &[u8], _: Mark, _: Mark| panic!("no message");
    stream.data(b"\0\x03abc\0\x03abc", mark(1), &mut out);
    assert!(stream.is_lost());
    let mut stream = DnsOverTcp::default();
    stream.data(b"\0", mark(1), &mut out);
    stream.gap();
    stream.data(b"\x03abc", mark(2), &mut out);
    assert!(stream.is_lost());
}

#[test]
fn names_of_codes() {
    assert_eq!(
        (rcode_name(3), rcode_name(5), rcode_name(99)),
        (Some("NXDOMAIN"), Some("REFUSED"), None)
    );
    assert_eq!(
        (type_name(65), type_name(28), type_name(9999)),
        (Some("HTTPS"), Some("AAAA"), None)
    );
    assert_eq!((extended_error_name(15), extended_error_name(999)), (Some("Blocked"), None));
}

/// A name as the other parser has it, written as here.
fn written(name: &Name<'_>) -> String {
    let mut text = Vec::new();
    for label in name.as_bytes() {
        let mut shown = String::new();
        for &byte in label {
            match byte {
                b'.' | b'\\' => shown.extend(['\\', char::from(byte)]),
                b'!'..=b'~' => shown.push(char::from(byte.to_ascii_lowercase())),
                b'\t' => shown.push_str("\\t"),
                b'\n' => shown.push_str("\\n"),
                b'\r' => shown.push_str("\\r"),
                0x80.. => shown.push('\u{fffd}'),
                _ => shown.extend(["\\", format!("{byte:03o}").as_str()]),
            }
        }
        text.push(shown);
    }
    let text = text.join(".");
    if text.is_empty() { ".".to_owned() } else { text }
}

/// What the other parser reads must be read here, too.
fn agrees(bytes: &[u8]) {
    let (Ok(theirs), Some(ours)) = (Packet::parse(bytes), parse(bytes)) else { return };
    assert!(ours.complete);
    assert_eq!(theirs.id(), ours.id);
    let question = theirs.questions.first();
    assert_eq!(question.map(|question| written(&question.qname)), ours.question.map(|q| q.name));
    for (theirs, ours) in theirs.answers.iter().zip(&ours.answers) {
        assert_eq!(theirs.ttl, ours.ttl);
        if theirs.class != CLASS::IN {
            continue;
        }
        match (&theirs.rdata, &ours.data) {
            // The other parser passes over what follows an address or a name.
            (_, RecordData::Other(kind)) => assert_eq!(u16::from(theirs.rdata.type_code()), *kind),
            (RData::A(theirs), RecordData::A(ours)) => assert_eq!(theirs.address, u32::from(*ours)),
            (RData::AAAA(theirs), RecordData::Aaaa(ours)) => {
                assert_eq!(theirs.address, u128::from(*ours));
            }
            (RData::CNAME(theirs), RecordData::Cname(ours)) => {
                assert_eq!(written(&theirs.0), *ours);
            }
            (RData::HTTPS(_), RecordData::Https(_)) => {}
            (theirs, ours) => panic!("{theirs:?} is not {ours:?}"),
        }
    }
}

prop_compose! {
    fn any_message()(
        names in proptest::collection::vec(
            proptest::collection::vec("[a-zA-Z0-9._ -]{1,9}", 1..4), 1..4),
        records in proptest::collection::vec((0_usize..4, 0_usize..4, any::<u32>(), 0_u8..3), 0..6),
        questions in 0_u16..2,
    ) -> Vec<u8> {
        let name = |at: usize| -> Name<'static> {
            let labels: Vec<_> = names[at.checked_rem(names.len()).unwrap()]
                .iter()
                .map(|label| Label::new(label.clone().into_bytes()).unwrap())
                .collect();
            Name::new_with_labels(&labels)
        };
        let mut packet = Packet::new_reply(7);
        if questions > 0 {
            packet.questions.push(simple_dns::Question::new(
                name(0), TYPE::A.into(), CLASS::IN.into(), false));
        }
        for (owner, target, number, kind) in records {
            let data = match kind {
                0 => RData::A(A { address: number }),
                1 => RData::AAAA(AAAA { address: u128::from(number) }),
                _ => RData::CNAME(CNAME(name(target))),
            };
            packet.answers.push(ResourceRecord::new(name(owner), CLASS::IN, number, data));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz_dns(&bytes);
    }

    #[test]
    fn both_parsers_agree(bytes in any_message()) {
        prop_assert!(bytes.len() == 12 || parse(&bytes).is_some());
        agrees(&bytes);
    }

    #[test]
    fn both_parsers_agree_on_damage(
        bytes in any_message(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes;
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agrees(&bytes);
        fuzz_dns(&bytes);
        fuzz_dns(&bytes[..cut.index(bytes.len())]);
    }
}
