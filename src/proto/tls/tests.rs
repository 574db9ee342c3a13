//! Whole connections, made of bytes by hand.

use std::num::NonZeroU64;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

/// Made for these tests: `login.example`, valid in 2030, issued by [`AUTHORITY`].
const LEAF: &str = "308201f73082019ca003020102020102300a06082a8648ce3d040302303d310b300906035504061302555331\
    163014060355040a0c0d4578616d706c652c20496e632e3116301406035504030c0d496e7370656374696f6e\
    204341301e170d3330303130313030303030305a170d3331303130313030303030305a3025310b3009060355\
    0406130244453116301406035504030c0d6c6f67696e2e6578616d706c653059301306072a8648ce3d020106\
    082a8648ce3d0301070342000414c1454eca46368e432088be5309c113b8e2963bdac7a65320481bfa8d70ba\
    ff822be09f07543d80204539e1e3709924dc72031f246026bb9e418a937a92c978a381a43081a1302f060355\
    1d1104283026820d4c6f67696e2e4578616d706c65820f2a2e6c6f67696e2e6578616d706c658704c0000201\
    301d0603551d0e04160414ae42251c26ec418bf7bd39903cece21b391bb988304f0603551d2304483046a141\
    a43f303d310b300906035504061302555331163014060355040a0c0d4578616d706c652c20496e632e311630\
    1406035504030c0d496e7370656374696f6e204341820101300a06082a8648ce3d0403020349003046022100\
    fbf94136edf10d399c1d83f2aaea30d1c7d4ba9973bed57f8e35fad72afeca86022100aa65ae0db4804a6934\
    084b3c7c41a01b1557cdfb4876ed3cd01dee6b6ae56632";
/// Made for these tests: an authority that calls itself an inspection one, valid to the year 9999.
const AUTHORITY: &str = "308201653082010a020101300a06082a8648ce3d040302303d310b3009060355040613025553311630140603\
    55040a0c0d4578616d706c652c20496e632e3116301406035504030c0d496e7370656374696f6e2043413020\
    170d3330303130313030303030305a180f39393939313233313233353935395a303d310b3009060355040613\
    02555331163014060355040a0c0d4578616d706c652c20496e632e3116301406035504030c0d496e73706563\
    74696f6e2043413059301306072a8648ce3d020106082a8648ce3d030107034200048c2d24e31e383efdc3fe\
    44507ffd4b3a29b549601ba80b34cd4733e0b162409a5d0a61c16fea610aa5053f1c29a65594073ca871c3c8\
    159afa48fe7a7bee2a3c300a06082a8648ce3d0403020349003046022100d8c935e8884e108258efbfcf93f3\
    f335a82dea000b97ef5351c0432afb31ac6a022100933168842ad5251b31023cb7c5c9659e11c455dba4160b\
    07eaa7f63a311a72fa";

fn mark(frame: u64) -> Mark {
    let at = Timestamp::from_milliseconds(i64::try_from(frame).unwrap()).unwrap();
    Mark { frame: NonZeroU64::new(frame).unwrap(), at }
}

fn frame(mark: Option<Mark>) -> Option<u64> {
    mark.map(|mark| mark.frame.get())
}

fn block16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn block24(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], block16(body).as_slice()].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], block24(body).as_slice()].concat()
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), block16(value).as_slice()].concat()
}

fn pairs(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A name in an extension of its own.
fn sni(name: &str) -> Vec<u8> {
    extension(0, &block16(&[&[0], block16(name.as_bytes()).as_slice()].concat()))
}

fn client_hello_body(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([4, 1, 2, 3, 4]);
    body.extend(block16(&pairs(&[0x0a0a, 0x1301, 0xc02f, 0x00ff])));
    body.extend([1, 0]);
    body.extend(block16(&extensions.concat()));
    body
}

fn modern_extensions() -> Vec<Vec<u8>> {
    let share = [&pairs(&[0x11ec])[..], &block16(&[9; 1216])].concat();
    vec![
        extension(0x2a2a, &[]),
        sni("Login.Example"),
        extension(10, &block16(&pairs(&[0x1a1a, 0x11ec, 0x001d]))),
        extension(13, &block16(&pairs(&[0x0403, 0x0804]))),
        extension(16, &block16(b"\x02h2\x08http/1.1")),
        extension(43, &[&[6][..], &pairs(&[0x3a3a, 0x0304, 0x0303])].concat()),
        extension(51, &block16(&[&pairs(&[0x3a3a])[..], &block16(&[0]), &share].concat())),
        extension(0xfe0d, &[0; 40]),
    ]
}

fn client_hello() -> Vec<u8> {
    message(1, &client_hello_body(&modern_extensions()))
}

fn server_hello(version: u16, cipher: u16, id: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([8; 32]);
    body.push(u8::try_from(id.len()).unwrap());
    body.extend(id);
    body.extend(cipher.to_be_bytes());
    body.push(0);
    body.extend(block16(&extensions.concat()));
    message(2, &body)
}

fn certificates(chain: &[&str]) -> Vec<u8> {
    let ders = chain.iter().flat_map(|hex| block24(&HEXLOWER.decode(hex.as_bytes()).unwrap()));
    message(11, &block24(&ders.collect::<Vec<u8>>()))
}

/// A piece of one side.
type Piece = (Peer, Vec<u8>);

/// Each piece is a segment and a frame, counted from 1.
fn read(pieces: &[Piece]) -> TlsFacts {
    let mut stream = TlsStream::new();
    for (number, (from, bytes)) in (1..).zip(pieces) {
        stream.data(*from, bytes, mark(number));
    }
    stream.into_facts()
}

const CHANGE: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// A full handshake of TLS 1.2 in which the client is asked for a certificate and has none.
fn full_12() -> Vec<Piece> {
    let alpn = extension(16, &block16(b"\x02h2"));
    let flight = [
        server_hello(0x0303, 0xc02f, &[5; 32], &[alpn]),
        certificates(&[LEAF, AUTHORITY]),
        message(12, &[1; 70]),
        message(13, &[1, 1, 0, 0, 0, 0]),
        message(14, &[]),
    ]
    .concat();
    let (first, second) = flight.split_at(300);
    vec![
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, record(22, first)),
        (Peer::Server, record(22, second)),
        (
            Peer::Client,
            [
                record(22, &message(11, &[0, 0, 0])),
                record(22, &message(16, &[1; 33])),
                CHANGE.to_vec(),
                record(22, &[0xaa; 40]),
            ]
            .concat(),
        ),
        (Peer::Server, [CHANGE.to_vec(), record(22, &[0xbb; 40])].concat()),
        (Peer::Client, record(23, &[1; 100])),
        (Peer::Server, [record(23, &[2; 50]), record(23, &[2; 60])].concat()),
        (Peer::Client, record(21, &[3; 26])),
    ]
}

fn full_13() -> Vec<Piece> {
    let version = extension(43, &[3, 4]);
    let share = extension(51, &pairs(&[0x11ec, 1, 0]));
    let flight = [
        record(22, &server_hello(0x0303, 0x1301, &[1, 2, 3, 4], &[share, version])),
        CHANGE.to_vec(),
        record(23, &[0; 2000]),
    ];
    vec![
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, flight.concat()),
        (Peer::Client, [CHANGE.to_vec(), record(23, &[0; 53])].concat()),
        (Peer::Client, record(23, &[0; 400])),
        (Peer::Server, record(23, &[0; 600])),
        (Peer::Client, record(23, &[0; 19])),
    ]
}

#[test]
fn a_full_handshake_of_12() {
    let facts = read(&full_12());
    let hello = &facts.server_hellos[0];
    assert_eq!((hello.version, hello.cipher, hello.alpn.as_deref()), (0x303, 0xc02f, Some("h2")));
    assert_eq!(cipher_name(hello.cipher), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
    assert_eq!((hello.mark.frame.get(), frame(facts.certificate_message)), (2, Some(3)));
    assert_eq!((frame(facts.certificate_request), frame(facts.server_done)), (Some(3), Some(3)));
    assert_eq!(facts.client_certificate, Some(ClientCertificate::Empty));
    assert_eq!((facts.resumed, facts.is_handshake_over()), (Some(false), true));
    assert_eq!((frame(facts.finished.client), frame(facts.finished.server)), (Some(4), Some(5)));
    let sent = facts.application.client;
    let answered = facts.application.server;
    assert_eq!((sent.count, sent.bytes, frame(sent.last)), (1, 100, Some(6)));
    assert_eq!((answered.count, answered.bytes, frame(answered.first)), (2, 110, Some(7)));
    let alert = AlertFact { from: Peer::Client, level: None, description: None, mark: mark(8) };
    assert_eq!(facts.alerts, [alert]);
    assert_eq!(frame(facts.last_is_sealed_alert(Peer::Client)), Some(8));
    assert_eq!(facts.last_is_sealed_alert(Peer::Server), None);
    assert_eq!(facts.tail.server.iter().map(|seen| seen.length).collect::<Vec<_>>(), [40, 50, 60]);
}

#[test]
fn certificates_say_who_they_are() {
    let facts = read(&full_12());
    assert_eq!((facts.chain_length, facts.certificates_unread), (2, 0));
    let [leaf, authority] = facts.certificates.as_slice() else { panic!() };
    assert_eq!(leaf.subject, "C=DE, CN=login.example");
    assert_eq!(leaf.issuer, "C=US, O=\"Example, Inc.\", CN=Inspection CA");
    assert_eq!(leaf.issuer_organization.as_deref(), Some("Example, Inc."));
    assert_eq!(leaf.issuer_common_name.as_deref(), Some("Inspection CA"));
    assert_eq!(leaf.names, ["login.example", "*.login.example"]);
    assert_eq!(leaf.not_before.to_string(), "2030-01-01T00:00:00.000Z");
    assert_eq!(leaf.not_after.to_string(), "2031-01-01T00:00:00.000Z");
    assert!(!leaf.is_self_issued && authority.is_self_issued);
    assert_eq!(authority.not_after, Timestamp::from_nanoseconds(i64::MAX));
    let der = HEXLOWER.decode(LEAF.as_bytes()).unwrap();
    let entry = [block24(&der), block16(&[])].concat();
    let body = [&[0][..], &block24(&[entry.clone(), entry].concat())].concat();
    let chain = Chain::parse_13(&body, mark(1));
    assert_eq!((chain.count, chain.unread, chain.certificates.len()), (2, 0, 2));
    let cut = Chain::parse(&block24(&[block24(&der), block24(&der)].concat())[..900], mark(1));
    assert_eq!((cut.count, cut.unread, cut.certificates.len()), (2, 1, 1));
}

#[test]
fn a_hello_in_three_segments() {
    let bytes = record(22, &client_hello());
    let facts = read(&[
        (Peer::Client, bytes[..3].to_vec()),
        (Peer::Client, bytes[3..900].to_vec()),
        (Peer::Client, bytes[900..].to_vec()),
    ]);
    let [hello] = facts.client_hellos.as_slice() else { panic!() };
    assert_eq!((hello.first.frame.get(), hello.mark.frame.get(), hello.segments), (1, 3, 3));
    assert_eq!(usize::try_from(hello.length).unwrap(), client_hello().len());
    assert_eq!((hello.legacy_version, hello.highest_version()), (0x0303, 0x0304));
    assert_eq!(hello.versions[..], [0x0304, 0x0303]);
    assert_eq!(hello.sni.as_deref(), Some("login.example"));
    assert_eq!(hello.alpn[..], ["h2", "http/1.1"]);
    assert_eq!(
        (hello.groups.as_slice(), hello.shares.as_slice()),
        (&[0x11ec, 29][..], &[0x11ec][..])
    );
    assert!(hello.has_post_quantum_share() && hello.is_whole && !hello.has_psk);
    assert_eq!((hello.ciphers, hello.extensions, hello.ech), (3, 7, Ech::Outer));
    assert!(hello.ja4.unwrap().as_str().starts_with("t13d0307h2_"));
}

#[test]
fn a_hello_whose_second_segment_never_comes() {
    let bytes = record(22, &client_hello());
    let facts = read(&[(Peer::Client, bytes[..700].to_vec())]);
    let [hello] = facts.client_hellos.as_slice() else { panic!() };
    assert_eq!((hello.sni.as_deref(), hello.is_whole), (Some("login.example"), false));
    assert_eq!((hello.ja4, hello.segments), (None, 1));
    let mut stream = TlsStream::new();
    stream.data(Peer::Client, &bytes[..60], mark(1));
    stream.gap(Peer::Client, u64::try_from(bytes.len() - 60).unwrap(), mark(1));
    stream.data(Peer::Client, &record(21, &[2, 80]), mark(2));
    let facts = stream.into_facts();
    assert_eq!((facts.client_hellos.len(), facts.client_hellos[0].is_whole), (1, false));
    assert_eq!(facts.alerts[0].description, Some(80));
}

#[test]
fn server_names_that_are_none() {
    let name = |name: &str| {
        let body = client_hello_body(&[sni(name)]);
        let facts = read(&[(Peer::Client, record(22, &message(1, &body)))]);
        (facts.client_hellos[0].sni.clone(), facts.client_hellos[0].has_sni)
    };
    assert_eq!(name("A_b.Example."), (Some("a_b.example".to_owned()), true));
    for odd in ["", ".", "a b", "\u{202e}moc", "x\n", &"a".repeat(300)] {
        assert_eq!(name(odd), (None, true), "{odd:?}");
    }
}

#[test]
fn a_handshake_of_13() {
    let facts = read(&full_13());
    assert_eq!(
        (facts.version(), facts.is_tls13(), facts.resumed),
        (Some(0x304), true, Some(false))
    );
    assert_eq!(facts.server_hellos[0].group, Some(0x11ec));
    assert_eq!((frame(facts.encrypted.server), frame(facts.finished.client)), (Some(2), Some(3)));
    assert!(facts.is_handshake_over() && facts.alerts.is_empty());
    assert_eq!(facts.alert_instead_of_finished(), None);
    assert_eq!(frame(facts.last_is_sealed_alert(Peer::Client)), Some(6));
    assert!(!read(&full_13()[..2]).is_handshake_over());
}

#[test]
fn a_client_of_13_that_rejects_the_server() {
    let mut pieces = full_13();
    pieces.truncate(2);
    pieces.push((Peer::Client, [CHANGE.to_vec(), record(23, &[0; 19])].concat()));
    assert_eq!(frame(read(&pieces).alert_instead_of_finished()), Some(3));
    // Some clients send it in clear, with their ciphers changed for the looks of it.
    pieces.pop();
    pieces.push((Peer::Client, [CHANGE.to_vec(), record(21, &[2, 48])].concat()));
    let facts = read(&pieces);
    assert_eq!((facts.alerts[0].description, facts.alerts[0].is_fatal()), (Some(48), Some(true)));
    assert_eq!(facts.alert_instead_of_finished(), None);
}

#[test]
fn a_retry_and_the_second_hello() {
    let mut retry = server_hello(0x0303, 0x1301, &[1, 2, 3, 4], &[extension(43, &[3, 4])]);
    retry[6..38].copy_from_slice(
        &HEXLOWER
            .decode(b"cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
            .unwrap(),
    );
    let mut pieces = vec![
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, [record(22, &retry), CHANGE.to_vec()].concat()),
        (Peer::Client, [CHANGE.to_vec(), record(22, &client_hello())].concat()),
    ];
    pieces.extend(full_13().into_iter().skip(1));
    let facts = read(&pieces);
    assert_eq!((facts.client_hellos.len(), facts.was_retried()), (2, true));
    let retries: Vec<_> = facts.server_hellos.iter().map(|hello| hello.is_retry).collect();
    assert_eq!((retries.as_slice(), facts.resumed), (&[true, false][..], Some(false)));
    assert_eq!(facts.client_hellos[1].mark.frame.get(), 3);
    // The server's answer is not in the capture: the second hello is believed behind the change.
    let alone = read(&[pieces[0].clone(), pieces[2].clone()]);
    assert_eq!(alone.client_hellos.len(), 2);
}

#[test]
fn resumed_sessions() {
    let end = [CHANGE.to_vec(), record(22, &[0xbb; 40])].concat();
    let hello = record(22, &server_hello(0x0303, 0xc02f, &[1, 2, 3, 4], &[]));
    let ticket = record(22, &message(4, &[0; 180]));
    let pieces = vec![
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, [hello, ticket, end.clone()].concat()),
        (Peer::Client, end.clone()),
    ];
    let facts = read(&pieces);
    assert_eq!((facts.resumed, facts.is_handshake_over()), (Some(true), true));
    let resumed = |id: &[u8]| {
        let mut stream = TlsStream::new();
        stream.data(Peer::Client, &pieces[0].1, mark(1));
        stream.data(Peer::Server, &record(22, &server_hello(0x0303, 0xc02f, id, &[])), mark(2));
        stream.gap(Peer::Server, 500, mark(3));
        stream.data(Peer::Server, &end, mark(3));
        stream.into_facts().resumed
    };
    assert_eq!((resumed(&[9]), resumed(&[1, 2, 3, 4])), (None, Some(true)));
    let psk = [extension(43, &[3, 4]), extension(41, &[0, 0])];
    let hello = record(22, &server_hello(0x0303, 0x1301, &[], &psk));
    assert_eq!(read(&[(Peer::Server, hello)]).resumed, Some(true));
}

#[test]
fn a_draft_and_an_old_version() {
    let draft = server_hello(0x0303, 0x1301, &[], &[extension(43, &[0x7f, 0x1c])]);
    assert!(read(&[(Peer::Server, record(22, &draft))]).is_tls13());
    let mut body = vec![0x7f, 0x12];
    body.extend([8; 32]);
    body.extend([0x13, 0x02, 0, 0]);
    let facts = read(&[(Peer::Server, record(22, &message(2, &body)))]);
    assert_eq!((facts.is_tls13(), facts.server_hellos[0].cipher), (true, 0x1302));
    assert!(facts.server_hellos[0].is_whole);
    let retry = record(22, &message(6, &[0x7f, 0x12, 0x13, 0x01, 0, 0]));
    assert!(read(&[(Peer::Server, retry)]).was_retried());
}

#[test]
fn alerts_in_clear() {
    let facts = read(&[
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, record(21, &[1, 112, 2, 40])),
        (Peer::Server, record(21, &[2, 70])),
        (Peer::Client, record(21, &[9, 250])),
    ]);
    let seen: Vec<_> = facts.alerts.iter().map(|a| (a.from, a.level, a.description)).collect();
    let server = |level, description| (Peer::Server, Some(level), Some(description));
    let client = (Peer::Client, Some(9), Some(250));
    assert_eq!(seen, [server(1, 112), server(2, 40), server(2, 70), client]);
}

#[test]
fn plain_text_where_tls_belongs() {
    let answer = b"HTTP/1.1 403 Forbidden\r\n\r\n".repeat(40);
    let facts = read(&[
        (Peer::Client, record(22, &client_hello())),
        (Peer::Server, answer[..2].to_vec()),
        (Peer::Server, answer[2..].to_vec()),
    ]);
    let found = facts.not_tls.unwrap();
    assert_eq!((found.from, found.mark.frame.get()), (Peer::Server, 2));
    assert_eq!(found.head, answer[..limits::TLS_FOREIGN]);
    let banner = (Peer::Server, b"220 mail.example\r\n".to_vec());
    let facts = read(&[banner.clone(), (Peer::Client, record(22, &client_hello()))]);
    assert_eq!(facts.not_tls.map(|found| found.head), Some(banner.1.clone()));
    assert_eq!(read(&[banner, (Peer::Client, b"EHLO x\r\n".to_vec())]).not_tls, None);
}

#[test]
fn a_stream_that_strays() {
    let mut pieces = full_12();
    pieces.push((Peer::Server, b"HTTP/1.1 503 Gone\r\n\r\n".to_vec()));
    pieces.push((Peer::Server, record(23, &[0; 9])));
    let facts = read(&pieces);
    assert_eq!((frame(facts.strayed.server), frame(facts.strayed.client)), (Some(9), None));
    assert_eq!(facts.application.server.count, 3);
}

#[test]
fn a_hello_of_ssl2_form() {
    let mut hello = vec![0x80, 0x1f, 1, 3, 1, 0, 6, 0, 0, 0, 16, 0, 0, 0x2f, 7, 0, 0xc0];
    hello.extend([5; 16]);
    assert_eq!(TlsStream::probe(&hello), Probe::Certain);
    let mut pieces = vec![
        (Peer::Client, hello[..4].to_vec()),
        (Peer::Client, hello[4..20].to_vec()),
        (Peer::Client, hello[20..].to_vec()),
    ];
    pieces.extend(full_12().into_iter().skip(1));
    let facts = read(&pieces);
    let [first] = facts.client_hellos.as_slice() else { panic!() };
    assert_eq!((first.legacy_version, first.ciphers, first.segments), (0x0301, 2, 3));
    assert_eq!((first.is_ssl2, first.is_whole, first.length), (true, true, 33));
    assert_eq!((first.random[..16].to_vec(), first.random[16]), (vec![0; 16], 5));
    assert_eq!((facts.version(), facts.is_handshake_over()), (Some(0x0303), true));
    let server = [&[0x83, 0xb4, 4, 0, 1, 0, 2][..], &[0; 40]].concat();
    hello[4] = 2;
    hello[3] = 0;
    let facts = read(&[(Peer::Client, hello), (Peer::Server, server)]);
    assert_eq!((facts.version(), facts.not_tls), (Some(2), None));
}

#[test]
fn the_middle_of_a_connection() {
    let mut stream = TlsStream::new();
    stream.start_mid_stream();
    stream.data(Peer::Server, &[9; 700], mark(1));
    stream.data(Peer::Server, &record(23, &[0; 90]), mark(2));
    // Encrypted, although nobody saw the change; its first byte is that of a hello.
    let sealed = [&[1][..], &[0xee; 39]].concat();
    stream.data(Peer::Client, &record(22, &sealed), mark(3));
    stream.data(Peer::Client, &record(21, &[0x1c; 26]), mark(4));
    let facts = stream.into_facts();
    assert!(facts.client_hellos.is_empty() && facts.not_tls.is_none() && facts.is_mid_stream);
    assert_eq!((facts.application.server.count, facts.alerts[0].description), (1, None));
    assert_eq!(frame(facts.finished.client), Some(3));
}

#[test]
fn gaps_inside_and_across_records() {
    let flight = full_12();
    let (client, server) = (&flight[0].1, &flight[1].1);
    let mut stream = TlsStream::new();
    stream.data(Peer::Client, client, mark(1));
    stream.data(Peer::Server, &server[..200], mark(2));
    stream.gap(Peer::Server, 20, mark(3));
    stream.data(Peer::Server, &server[220..], mark(4));
    stream.data(Peer::Server, &flight[2].1, mark(5));
    let facts = stream.facts();
    assert_eq!((facts.server_hellos.len(), facts.gaps.server), (1, 20));
    assert_eq!((facts.certificates.len(), facts.certificates_unread), (0, 1));
    assert_eq!(frame(facts.server_done), Some(5));
    stream.data(Peer::Server, &[23, 3, 3, 0x10, 0, 1, 2, 3], mark(6));
    stream.gap(Peer::Server, 4093, mark(7));
    stream.data(Peer::Server, &record(23, &[0; 30])[..20], mark(8));
    stream.gap(Peer::Server, 100, mark(9));
    stream.data(Peer::Server, &[1; 30], mark(10));
    stream.data(Peer::Server, &record(21, &[2, 20]), mark(11));
    let facts = stream.into_facts();
    let records = facts.application.server;
    assert_eq!((records.count, records.bytes, facts.alerts.len()), (2, 4096 + 15, 1));
    assert_eq!((frame(facts.strayed.server), facts.gaps.server), (None, 4213));
}

#[test]
fn what_is_too_large_is_passed_over() {
    let huge = message(11, &vec![0; 200_000]);
    let mut stream = TlsStream::new();
    stream.data(Peer::Client, &record(22, &client_hello()), mark(1));
    let flight = [server_hello(0x0303, 0x2f, &[], &[]), huge, message(14, &[])].concat();
    for piece in flight.chunks(16_000) {
        stream.data(Peer::Server, &record(22, piece), mark(2));
        assert!(stream.held() <= usize::try_from(limits::TLS_MESSAGE).unwrap());
    }
    assert_eq!(stream.held(), 0);
    let facts = stream.into_facts();
    assert_eq!((facts.oversized, facts.certificates.len()), (1, 0));
    assert_eq!((frame(facts.certificate_message), frame(facts.server_done)), (Some(2), Some(2)));
    let many = record(22, &client_hello()).repeat(50);
    let hellos = read(&[(Peer::Client, many), (Peer::Server, record(21, &[1, 0]).repeat(99))]);
    assert_eq!((hellos.client_hellos.len(), hellos.alerts.len()), (8, 16));
}

#[test]
fn sides_that_are_the_wrong_way_round() {
    let swapped = full_12().into_iter().map(|(from, bytes)| (from.other(), bytes));
    let facts = read(&swapped.collect::<Vec<_>>());
    assert!(facts.is_reversed && facts.client_certificate == Some(ClientCertificate::Empty));
    assert_eq!((facts.certificates.len(), facts.certificates[0].mark.frame.get()), (2, 3));
}

/// The facts without what a split may change.
fn essence(mut facts: TlsFacts) -> TlsFacts {
    for hello in &mut facts.client_hellos {
        hello.segments = 0;
    }
    facts
}

/// The connection with all that belongs together in one piece, each side's turn in one frame.
fn turns(pieces: &[Piece]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for (from, bytes) in pieces {
        match out.last_mut() {
            Some((last, known)) if last == from => known.extend(bytes),
            _ => out.push((*from, bytes.clone())),
        }
    }
    out
}

proptest! {
    #[test]
    fn any_split_gives_the_same_facts(
        cuts in proptest::collection::vec(1_usize..700, 1..60),
        is_13: bool,
    ) {
        let turns = turns(&if is_13 { full_13() } else { full_12() });
        let mut sizes = cuts.iter().cycle();
        let mut stream = TlsStream::new();
        for (number, (from, bytes)) in (1..).zip(&turns) {
            let mark = mark(number);
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                stream.data(*from, piece, mark);
                rest = behind;
            }
        }
        prop_assert_eq!(essence(stream.into_facts()), essence(read(&turns)));
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        fuzz_tls(&bytes);
    }

    #[test]
    fn any_damage_of_a_connection(
        at in 0_usize..5000, value: u8, cut in 0_usize..5000, hole in 0_u64..900, is_13: bool,
    ) {
        let mut stream = TlsStream::new();
        let mut done = 0_usize;
        for (from, mut bytes) in if is_13 { full_13() } else { full_12() } {
            let length = bytes.len();
            if let Some(byte) = at.checked_sub(done).and_then(|at| bytes.get_mut(at)) {
                *byte = value;
            }
            match cut.checked_sub(done).and_then(|cut| bytes.split_at_checked(cut)) {
                Some((head, tail)) => {
                    stream.data(from, head, mark(1));
                    stream.gap(from, hole, mark(1));
                    stream.data(from, tail, mark(2));
                }
                None => stream.data(from, &bytes, mark(3)),
            }
            done = done.saturating_add(length);
        }
        let facts = stream.into_facts();
        prop_assert!(facts.client_hellos.len() <= 3);
    }

    #[test]
    fn any_damage_of_a_message(at in 0_usize..1000, value: u8, cut in 0_usize..1500) {
        for whole in [&client_hello()[4..], &certificates(&[LEAF, AUTHORITY])[4..]] {
            let mut bytes = whole[..cut.min(whole.len())].to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            fuzz_tls(&bytes);
        }
    }
}
