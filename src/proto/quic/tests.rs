//! Packets of the standards, flows of every kind, and any bytes.
#![expect(clippy::arithmetic_side_effects, reason = "test support")]

use std::num::NonZeroU64;

use aes_gcm::{AeadInOut, Aes128Gcm, KeyInit};
use proptest::prelude::*;

use super::header::{VERSION_1, VERSION_2};
use super::*;
use crate::time::Timestamp;

/// The name of the connection in the examples of both standards.
const NAME: &[u8] = &[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
const SERVER_NAME: &[u8] = &[0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5];
/// The client hello of RFC 9001 appendix A.2, which RFC 9369 appendix A.2 has as well.
const CLIENT: &str = "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c\
    00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018\
    00100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171\
    fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d0002010100\
    1c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8\
    f03e51570806048000ffff";
/// The server hello of RFC 9001 appendix A.3.
const SERVER: &str = "020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a12\
    00130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b\
    00020304";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|two| u8::try_from(two[0] * 16 + two[1]).unwrap()).collect()
}

fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

/// Protects a packet whose header ends in the number of the packet, four bytes or less.
fn seal(keys: &initial::SideKeys, header: &[u8], number: u64, payload: &[u8]) -> Vec<u8> {
    let length = usize::from(header[0] & 3) + 1;
    let mut nonce = keys.iv;
    for (byte, number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= number;
    }
    let mut sealed = payload.to_vec();
    let cipher = Aes128Gcm::new(&keys.key.into());
    cipher.encrypt_in_place(&nonce.into(), header, &mut sealed).unwrap();
    let mut packet = [header, sealed.as_slice()].concat();
    let at = header.len() - length;
    let mask = keys.mask(packet[at + 4..].first_chunk().unwrap());
    packet[0] ^= mask[0] & 0x0f;
    for (byte, mask) in packet[at..at + length].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
    }
    packet
}

/// An Initial packet with keys of `name`, and a destination and token of its own.
struct Initial<'a> {
    version: u32,
    from: Peer,
    name: &'a [u8],
    destination: &'a [u8],
    token: &'a [u8],
    number: u8,
}

const PLAIN: Initial<'static> = Initial {
    version: VERSION_1,
    from: Peer::Client,
    name: NAME,
    destination: NAME,
    token: b"",
    number: 0,
};

impl Initial<'_> {
    fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let keys = Keys::derive(self.version, self.name).unwrap();
        let mut header = vec![if self.version == VERSION_2 { 0xd0 } else { 0xc0 }];
        header.extend_from_slice(&self.version.to_be_bytes());
        header.push(u8::try_from(self.destination.len()).unwrap());
        header.extend_from_slice(self.destination);
        header.extend_from_slice(&[0, u8::try_from(self.token.len()).unwrap()]);
        header.extend_from_slice(self.token);
        let length = u16::try_from(payload.len() + 17).unwrap();
        header.extend_from_slice(&(length | 0x4000).to_be_bytes());
        header.push(self.number);
        seal(keys.of(self.from), &header, self.number.into(), payload)
    }
}

fn crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend_from_slice(&(u16::try_from(offset).unwrap() | 0x4000).to_be_bytes());
    frame.extend_from_slice(&(u16::try_from(data.len()).unwrap() | 0x4000).to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

/// A Handshake packet, or in version 2 the same.
fn handshake(version: u32) -> Vec<u8> {
    let mut packet = vec![if version == VERSION_2 { 0xf0 } else { 0xe0 }];
    packet.extend_from_slice(&version.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 20]);
    packet.extend_from_slice(&[7; 20]);
    packet
}

#[test]
fn keys_of_the_standards() {
    let check = |version, peer, key: &str, iv: &str, header: &str| {
        let keys = Keys::derive(version, NAME).unwrap();
        let got = keys.of(peer);
        assert_eq!(got.key, *hex(key));
        assert_eq!(got.iv, *hex(iv));
        assert_eq!(got.header, *hex(header));
    };
    // RFC 9001 appendix A.1.
    check(
        VERSION_1,
        Peer::Client,
        "1f369613dd76d5467730efcbe3b1a22d",
        "fa044b2f42a3fd3b46fb255c",
        "9f50449e04a0e810283a1e9933adedd2",
    );
    check(
        VERSION_1,
        Peer::Server,
        "cf3a5331653c364c88f0f379b6067e37",
        "0ac1493ca1905853b0bba03e",
        "c206b8d9b9f0f37644430b490eeaa314",
    );
    // RFC 9369 appendix A.1.
    check(
        VERSION_2,
        Peer::Client,
        "8b1a0bc121284290a29e0971b5cd045d",
        "91f73e2351d8fa91660e909f",
        "45b95e15235d6f45a6b19cbcb0294ba9",
    );
    check(
        VERSION_2,
        Peer::Server,
        "82db637861d55e1d011f19ea71d5d2a7",
        "dd13c276499c0249d3310652",
        "edf6d05c83121201b436e16877593c3a",
    );
    assert!(Keys::derive(0x0a0a_0a0a, NAME).is_none());
}

/// Appendices A.2 and A.3 of both standards: the packet of the client by its beginning and its proof
/// of the whole, that of the server in full.
fn packets_of_a_standard(version: u32, header: &str, begin: &str, end: &str, server: &str) {
    let mut payload = [hex("060040f1"), hex(CLIENT)].concat();
    payload.resize(1162, 0);
    let keys = Keys::derive(version, NAME).unwrap();
    let client = seal(keys.of(Peer::Client), &hex(header), 2, &payload);
    assert_eq!(client.len(), 1200);
    assert!(client.starts_with(&hex(begin)) && client.ends_with(&hex(end)));
    assert!(probe(&client));

    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Client, &client, mark(1));
    assert_eq!(flow.take_client_hello(), Some((hex(CLIENT), mark(1), mark(1))));
    assert_eq!(flow.take_client_hello(), None);
    let server = hex(server);
    assert!(probe(&server));
    flow.datagram(Peer::Server, &server, mark(2));
    assert_eq!(flow.take_server_hello(), Some((hex(SERVER), mark(2), mark(2))));
    let facts = flow.facts();
    assert_eq!((facts.version, facts.unopened), (Some(version), 0));
    assert_eq!((facts.client.initial, facts.server.initial), (1, 1));
}

#[test]
fn packets_of_version_1() {
    packets_of_a_standard(
        VERSION_1,
        "c300000001088394c8f03e5157080000449e00000002",
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
        "e221af44860018ab0856972e194cd934",
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554\
         780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b\
         562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee",
    );
}

#[test]
fn packets_of_version_2() {
    packets_of_a_standard(
        VERSION_2,
        "d36b3343cf088394c8f03e5157080000449e00000002",
        "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
        "a18b2faa745b6fe189cf772a9f84cbfc",
        "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf\
         87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e4275\
         7507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140",
    );
}

#[test]
fn a_hello_in_several_datagrams_and_frames() {
    let hello = hex(CLIENT);
    let mut flow = QuicFlow::new();
    // The end comes first, in pieces out of order, between frames that say nothing.
    let later = [
        vec![0, 0, 1, 2, 5, 0, 1, 0, 2, 1, 3, 5, 0, 0, 0, 1, 1, 1],
        crypto(200, &hello[200..]),
        vec![1],
        crypto(120, &hello[120..200]),
    ];
    flow.datagram(Peer::Client, &Initial { number: 1, ..PLAIN }.seal(&later.concat()), mark(4));
    assert_eq!(flow.take_client_hello(), None);
    assert!(flow.held() > 0);
    let first = PLAIN.seal(&[crypto(0, &hello[..130]), vec![0; 40]].concat());
    flow.datagram(Peer::Client, &first, mark(5));
    assert_eq!(flow.take_client_hello(), Some((hello, mark(4), mark(5))));
    assert_eq!(flow.held(), 0);
    assert_eq!(flow.facts().client.initial, 2);
}

#[test]
fn packets_of_one_datagram() {
    for version in [VERSION_1, VERSION_2, 0xff00_001d, 0xff00_0022] {
        let mut flow = QuicFlow::new();
        let client = Initial { version, ..PLAIN };
        flow.datagram(Peer::Client, &client.seal(&crypto(0, &hex(CLIENT))), mark(1));
        let server = Initial { from: Peer::Server, destination: b"", ..client };
        let datagram = [
            server.seal(&crypto(0, &hex(SERVER))),
            handshake(version),
            handshake(version),
            vec![0x41; 40],
        ];
        flow.datagram(Peer::Server, &datagram.concat(), mark(2));
        assert!(flow.take_client_hello().is_some() && flow.take_server_hello().is_some());
        let facts = flow.facts();
        assert_eq!(facts.version, Some(version));
        let server = &facts.server;
        assert_eq!((server.initial, server.handshake, server.short), (1, 2, 1));
        assert_eq!((server.handshake_seen, server.one_rtt), (Some(mark(2)), Some(mark(2))));
        assert_eq!((facts.client.packets(), server.packets()), (1, 4));
        // Zeros are padding, whatever else may have the fixed bit clear.
        flow.datagram(Peer::Client, &[handshake(version), vec![0; 1000]].concat(), mark(3));
        assert_eq!((flow.facts().client.handshake, flow.facts().client.short), (1, 0));
        flow.datagram(Peer::Client, &[0x15; 30], mark(4));
        assert_eq!(
            (flow.facts().client.one_rtt, flow.facts().client.last),
            (Some(mark(4)), Some(mark(4)))
        );
        assert!(flow.opening.is_none());
    }
}

#[test]
fn the_server_renames_the_connection() {
    let hello = hex(CLIENT);
    for shown in [true, false] {
        let mut flow = QuicFlow::new();
        flow.datagram(Peer::Client, &PLAIN.seal(&crypto(0, &hello)), mark(1));
        if shown {
            let retry = [&[0xf0, 0, 0, 0, 1, 0, 8], SERVER_NAME, &[9; 40]].concat();
            flow.datagram(Peer::Server, &retry, mark(2));
            assert_eq!(flow.facts().retry, Some(mark(2)));
        }
        let again = Initial {
            name: SERVER_NAME,
            destination: SERVER_NAME,
            token: b"token",
            number: 1,
            ..PLAIN
        };
        flow.datagram(Peer::Client, &again.seal(&crypto(0, &hello)), mark(3));
        let server = Initial { from: Peer::Server, destination: b"", ..again };
        flow.datagram(Peer::Server, &server.seal(&crypto(0, &hex(SERVER))), mark(4));
        assert_eq!(flow.take_client_hello(), Some((hello.clone(), mark(1), mark(1))));
        assert_eq!(flow.take_server_hello().map(|(hello, ..)| hello), Some(hex(SERVER)));
        assert_eq!(flow.facts().unopened, 0);
    }
}

#[test]
fn a_hello_that_began_before_a_retry_begins_anew() {
    let hello = hex(CLIENT);
    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Client, &PLAIN.seal(&crypto(0, &hello[..100])), mark(1));
    let again = Initial { name: SERVER_NAME, destination: SERVER_NAME, number: 1, ..PLAIN };
    flow.datagram(Peer::Client, &again.seal(&crypto(100, &hello[100..])), mark(2));
    assert_eq!(flow.take_client_hello(), None);
    let rest = Initial { number: 2, ..again };
    flow.datagram(Peer::Client, &rest.seal(&crypto(0, &hello[..100])), mark(3));
    assert_eq!(flow.take_client_hello(), Some((hello, mark(2), mark(3))));
}

#[test]
fn the_client_takes_the_name_of_the_server_and_its_version() {
    let hello = hex(CLIENT);
    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Client, &PLAIN.seal(&crypto(0, &hello[..100])), mark(1));
    let server = Initial { version: VERSION_2, from: Peer::Server, destination: b"", ..PLAIN };
    flow.datagram(Peer::Server, &server.seal(&[2, 0, 0, 0, 0]), mark(2));
    let client = Initial { version: VERSION_2, destination: SERVER_NAME, number: 1, ..PLAIN };
    flow.datagram(Peer::Client, &client.seal(&crypto(100, &hello[100..])), mark(3));
    assert_eq!(flow.take_client_hello(), Some((hello, mark(1), mark(3))));
    assert_eq!((flow.facts().version, flow.facts().unopened), (Some(VERSION_2), 0));
}

#[test]
fn version_negotiation() {
    let list = |versions: &[u32]| {
        let mut datagram = vec![0x80, 0, 0, 0, 0, 0, 8];
        datagram.extend_from_slice(NAME);
        datagram.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
        datagram
    };
    assert!(probe(&list(&[0x1a2a_3a4a])) && probe(&list(&[77, 1])));
    assert!(!probe(&list(&[])) && !probe(&list(&[77])) && !probe(&[list(&[1]), vec![0]].concat()));
    let mut flow = QuicFlow::new();
    // A version that is not known, as clients send now and then; the other one they begin anew with.
    let grease = [&[0xc0, 0x5a, 0x5a, 0x5a, 0x5a, 8], NAME, &[0; 200]].concat();
    assert!(!probe(&grease));
    flow.datagram(Peer::Client, &grease, mark(1));
    assert_eq!((flow.facts().version, flow.facts().client.other), (Some(0x5a5a_5a5a), 1));
    flow.datagram(Peer::Server, &list(&[1]), mark(2));
    flow.datagram(Peer::Client, &PLAIN.seal(&crypto(0, &hex(CLIENT))), mark(3));
    assert_eq!(flow.facts().version_negotiation, Some(mark(2)));
    assert_eq!(flow.facts().version, Some(1));
    assert!(flow.take_client_hello().is_some());
}

#[test]
fn the_end_of_a_connection() {
    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Client, &PLAIN.seal(&crypto(0, &hex(CLIENT))), mark(1));
    let server = Initial { from: Peer::Server, ..PLAIN };
    // A TLS alert: 40, handshake failure, and a reason.
    let close = [vec![0x1c, 0x41, 0x28, 6, 2, b'n', b'o'], vec![0; 20]].concat();
    flow.datagram(Peer::Server, &server.seal(&close), mark(2));
    let want =
        ConnectionClose { by: Peer::Server, code: 0x128, is_application: false, mark: mark(2) };
    assert_eq!(flow.facts().connection_close, Some(want));
}

#[test]
fn what_cannot_be_opened_is_counted() {
    let whole = PLAIN.seal(&crypto(0, &hex(CLIENT)));
    let server = Initial { from: Peer::Server, ..PLAIN }.seal(&crypto(0, &hex(SERVER)));
    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Server, &server, mark(1));
    flow.datagram(Peer::Client, &whole[..200], mark(2));
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    flow.datagram(Peer::Client, &damaged, mark(3));
    assert_eq!((flow.facts().unopened, flow.facts().client.initial), (3, 2));
    assert!(flow.opening.is_none());
    flow.datagram(Peer::Client, &whole, mark(4));
    assert!(flow.take_client_hello().is_some());
    // After so many in vain no more are tried.
    let mut flow = QuicFlow::new();
    for _ in 0..limits::QUIC_FAILURES {
        flow.datagram(Peer::Client, &damaged, mark(1));
    }
    flow.datagram(Peer::Client, &whole, mark(2));
    assert_eq!(flow.take_client_hello(), None);
}

#[test]
fn what_is_not_quic() {
    assert!(!probe(b"") && !probe(&[0xc0]) && !probe(&[0x40; 100]) && !probe(&[0xff; 1200]));
    let packet = PLAIN.seal(&crypto(0, &hex(CLIENT)));
    // Without the fixed bit; with an identifier that is too long.
    let mut odd = packet.clone();
    odd[0] &= !0x40;
    assert!(!probe(&odd));
    let mut odd = packet;
    odd[5] = 21;
    assert!(!probe(&odd));
    let mut flow = QuicFlow::new();
    flow.datagram(Peer::Client, b"\0", mark(1));
    flow.datagram(Peer::Client, b"keep alive", mark(2));
    assert_eq!(flow.facts(), &QuicFacts::default());
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        probe(&bytes);
        fuzz_quic(&bytes);
    }

    #[test]
    fn any_damage(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut datagram = [PLAIN.seal(&crypto(0, &hex(CLIENT))), handshake(1), vec![0x41; 40]].concat();
        for (at, byte) in flips {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        let mut flow = QuicFlow::new();
        flow.datagram(Peer::Client, &datagram, mark(1));
        flow.datagram(Peer::Client, &datagram[..cut.index(datagram.len())], mark(2));
        prop_assert!(flow.facts().client.packets() <= 8);
    }

    #[test]
    fn any_payload(payload in proptest::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 20..300)) {
        let mut flow = QuicFlow::new();
        flow.datagram(Peer::Client, &PLAIN.seal(&payload), mark(1));
        prop_assert_eq!(flow.facts().unopened, 0);
        prop_assert!(flow.held() <= 2 * limits::QUIC_CRYPTO);
    }

    #[test]
    fn any_order_of_packets(
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), 1_usize..120), 1..20),
        repeat in any::<bool>(),
    ) {
        let hello = hex(CLIENT);
        let mut frames: Vec<_> = pieces
            .iter()
            .map(|(at, size)| {
                let at = at.index(hello.len());
                crypto(at, &hello[at..at.saturating_add(*size).min(hello.len())])
            })
            .collect();
        let at = pieces[0].0.index(hello.len());
        frames.push(crypto(at, &hello[at..]));
        frames.push(crypto(0, &hello[..at]));
        let mut flow = QuicFlow::new();
        for (frame, number) in frames.iter().zip(0_u8..) {
            let payload = [frame.as_slice(), &[0; 20]].concat();
            let packet = Initial { number, ..PLAIN }.seal(&payload);
            flow.datagram(Peer::Client, &packet, mark(u64::from(number) + 1));
            if repeat {
                flow.datagram(Peer::Client, &packet, mark(u64::from(number) + 1));
            }
        }
        prop_assert_eq!(flow.take_client_hello().map(|(bytes, ..)| bytes), Some(hello));
        prop_assert_eq!(flow.facts().unopened, 0);
    }
}
