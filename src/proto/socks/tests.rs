//! Tests of the SOCKS negotiation.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::proto::Probe;
use crate::time::Timestamp;
use Peer::{Client, Server};

fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

/// Runs messages, each cut into pieces; what is inside comes back for both sides.
fn run_cut(steps: &[(Peer, &[u8])], size: usize) -> (Socks, [Vec<u8>; 2]) {
    let mut socks = Socks::new();
    let mut inside = [Vec::new(), Vec::new()];
    for (frame, (from, bytes)) in (1_u64..).zip(steps) {
        for piece in bytes.chunks(size) {
            let taken = socks.data(*from, piece, mark(frame));
            for (bytes, _) in socks.take_early().pieces() {
                inside[0].extend_from_slice(bytes);
            }
            inside[usize::from(*from == Server)].extend_from_slice(&piece[taken..]);
        }
    }
    (socks, inside)
}

fn run(steps: &[(Peer, &[u8])]) -> (Socks, [Vec<u8>; 2]) {
    let whole = run_cut(steps, usize::MAX);
    let cut = run_cut(steps, 1);
    assert_eq!(whole.0.facts(), cut.0.facts());
    assert_eq!((whole.0.state(), &whole.1), (cut.0.state(), &cut.1));
    whole
}

fn target(socks: &Socks) -> String {
    socks.facts().target.as_ref().unwrap().to_string()
}

const NAME: &[u8] = b"\x05\x01\0\x03\x09b.example\x01\xbb";
const YES: &[u8] = b"\x05\0\0\x01\x0a\0\0\x01\x04\x38";

#[test]
fn version_5_without_authentication() {
    let more = [YES, b"inside"].concat();
    let (socks, inside) = run(&[
        (Client, b"\x05\x02\0\x02"),
        (Server, b"\x05\0"),
        (Client, NAME),
        (Server, &more),
        (Client, b"\x16\x03"),
    ]);
    assert_eq!(socks.state(), SocksState::Granted);
    assert_eq!(inside, [b"\x16\x03".to_vec(), b"inside".to_vec()]);
    assert_eq!(target(&socks), "b.example:443");
    let facts = socks.facts();
    assert_eq!(
        (facts.version, facts.method, facts.reply),
        (Some(SocksVersion::V5), Some(0), Some(0))
    );
    assert_eq!(facts.offered, [0, 2]);
    let frames = [facts.first, facts.request, facts.answer].map(|mark| mark.unwrap().frame.get());
    assert_eq!(frames, [1, 3, 4]);
}

#[test]
fn addresses_of_version_5() {
    let v6 = b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb";
    for (request, want) in [
        (b"\x05\x01\0\x01\xc0\0\x02\x07\0\x50".as_slice(), "192.0.2.7:80"),
        (v6, "[2001:db8::1]:443"),
        (NAME, "b.example:443"),
    ] {
        let (socks, _) = run(&[(Client, b"\x05\x01\0"), (Server, b"\x05\0"), (Client, request)]);
        assert_eq!((target(&socks).as_str(), socks.state()), (want, SocksState::Negotiating));
    }
}

#[test]
fn passwords_are_not_kept() {
    let login = b"\x01\x04user\x06s3cret";
    for greeting in [b"\x05\x01\x02".as_slice(), b"\x05\x02\0\x02"] {
        let (socks, inside) = run(&[
            (Client, greeting),
            (Server, b"\x05\x02"),
            (Client, login),
            (Server, b"\x01\0"),
            (Client, NAME),
            (Server, YES),
        ]);
        assert_eq!((socks.state(), inside[0].len()), (SocksState::Granted, 0));
        assert_eq!(socks.facts().authenticated, Some(true));
        assert!(socks.asked.is_empty() && socks.early.is_empty());
        // The client sends all at once.
        let all = [greeting, login, NAME].concat();
        let (socks, _) =
            run(&[(Client, &all), (Server, b"\x05\x02"), (Server, b"\x01\0"), (Server, YES)]);
        assert_eq!(socks.state(), SocksState::Granted);
        assert_eq!(target(&socks), "b.example:443");
    }
    let (socks, _) = run(&[
        (Client, b"\x05\x01\x02"),
        (Server, b"\x05\x02"),
        (Client, b"\x01\0\0"),
        (Server, b"\x01\x01"),
    ]);
    assert_eq!((socks.state(), socks.facts().authenticated), (SocksState::Refused, Some(false)));
}

#[test]
fn refusals() {
    let (socks, _) = run(&[(Client, b"\x05\x01\0"), (Server, b"\x05\xff")]);
    assert_eq!((socks.state(), socks.facts().method), (SocksState::Refused, Some(0xff)));
    let no = b"\x05\x05\0\x03\x01x\0\0";
    let (socks, _) =
        run(&[(Client, b"\x05\x01\0"), (Server, b"\x05\0"), (Client, NAME), (Server, no)]);
    assert_eq!((socks.state(), socks.facts().reply), (SocksState::Refused, Some(5)));
    assert_eq!(reply_name(5), "connection refused");
    let (socks, _) =
        run(&[(Client, b"\x05\x01\x01"), (Server, b"\x05\x01"), (Client, b"\x01\x01")]);
    assert_eq!(socks.state(), SocksState::Other);
    let (socks, _) = run(&[(Client, b"\x05\x01\0"), (Server, b"HTTP/1.1 400 Bad")]);
    assert_eq!(socks.state(), SocksState::Broken);
}

#[test]
fn version_4() {
    let yes = b"\0\x5a\0\0\0\0\0\0";
    let (socks, inside) = run(&[
        (Client, b"\x04\x01\x01\xbb\xc0\0\x02\x07user\0"),
        (Client, b"\x16\x03"),
        (Server, yes),
        (Server, b"\x16"),
    ]);
    assert_eq!((socks.state(), target(&socks).as_str()), (SocksState::Granted, "192.0.2.7:443"));
    assert_eq!(socks.facts().version, Some(SocksVersion::V4));
    assert_eq!(inside, [b"\x16\x03".to_vec(), b"\x16".to_vec()]);
    let (socks, _) = run(&[
        (Client, b"\x04\x01\x01\xbb\0\0\0\x01user\0b.example\0"),
        (Server, b"\0\x5b\0\0\0\0\0\0"),
    ]);
    assert_eq!((socks.state(), target(&socks).as_str()), (SocksState::Refused, "b.example:443"));
    assert_eq!(socks.facts().version, Some(SocksVersion::V4a));
    assert!(!format!("{socks:?}").contains("user"));
}

#[test]
fn holes() {
    let begin = |socks: &mut Socks| {
        socks.data(Client, b"\x05\x01\0", mark(1));
        socks.data(Server, b"\x05\0", mark(2));
        socks.data(Client, NAME, mark(3));
    };
    let mut socks = Socks::new();
    begin(&mut socks);
    socks.gap(Server, 10);
    assert_eq!(socks.state(), SocksState::Negotiating);
    assert_eq!(socks.data(Client, b"\x16\x03", mark(4)), 2);
    assert_eq!(socks.state(), SocksState::Granted);
    assert_eq!(socks.take_early().pieces().count(), 1);
    let mut socks = Socks::new();
    begin(&mut socks);
    socks.gap(Server, 10);
    assert_eq!((socks.data(Server, b"\x16\x03", mark(4)), socks.state()), (0, SocksState::Granted));
    let mut socks = Socks::new();
    socks.data(Client, b"\x05\x01", mark(1));
    socks.gap(Client, 1);
    assert_eq!(socks.state(), SocksState::Broken);
}

#[test]
fn probes() {
    for (bytes, port, want) in [
        (b"".as_slice(), 1080, Probe::Unsure),
        (b"\x05", 1080, Probe::Unsure),
        (b"\x05\x02\0", 1080, Probe::Certain),
        (b"\x05\x02\0", 9050, Probe::Unsure),
        (b"\x05\x02\0\x02", 9050, Probe::Certain),
        (b"\x05\0\x0b\x03", 135, Probe::No),
        (b"\x05\x01\x40", 9050, Probe::No),
        (b"\x05\x01\0zz", 9050, Probe::No),
        (b"\x04\x01\x01\xbb", 1080, Probe::Certain),
        (b"\x04\x01\x01\xbb\xc0\0\x02\x07", 9050, Probe::Unsure),
        (b"\x04\x01\x01\xbb\xc0\0\x02\x07me\0", 9050, Probe::Certain),
        (b"\x04\x01\x01\xbb\0\0\0\x07me\0", 9050, Probe::Unsure),
        (b"\x04\x01\x01\xbb\0\0\0\x07me\0b.example\0", 9050, Probe::Certain),
        (b"\x04\x01\0\0\xc0\0\x02\x07me\0", 1080, Probe::No),
        (b"\x04\x07", 1080, Probe::No),
        (b"\x16\x03", 1080, Probe::No),
    ] {
        assert_eq!(probe(bytes, port), want, "{bytes:?} {port}");
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz_socks(&bytes);
    }

    #[test]
    fn any_split_tells_the_same(
        steps in proptest::collection::vec((any::<bool>(), 0_usize..PIECES.len()), 0..12),
        size in 1_usize..12,
    ) {
        let steps: Vec<_> = steps
            .iter()
            .map(|(client, piece)| (if *client { Client } else { Server }, PIECES[*piece]))
            .collect();
        let (whole, cut) = (run_cut(&steps, usize::MAX), run_cut(&steps, size));
        prop_assert_eq!(whole.0.facts(), cut.0.facts());
        prop_assert_eq!(whole.0.state(), cut.0.state());
        prop_assert_eq!(whole.1, cut.1);
    }
}

/// Parts of negotiations.
const PIECES: &[&[u8]] = &[
    b"\x05\x01\0",
    b"\x05\x02\0\x02",
    b"\x05\0",
    b"\x05\x02",
    b"\x01\x04user\x06s3cret",
    b"\x01\0",
    NAME,
    YES,
    b"\x04\x01\x01\xbb\0\0\0\x01user\0b.example\0",
    b"\0\x5a\0\0\0\0\0\0",
    b"\x16\x03",
];
