//! What must hold for every connection, however its bytes come and whatever is missing of them.

use proptest::prelude::*;

use super::*;
use crate::proto::tls::key_log::Label;

fn any_recorded() -> impl Strategy<Value = Recorded> {
    (0..RECORDED.len()).prop_map(|at| {
        let (name, text) = RECORDED[at];
        Recorded::read(name, text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pieces_of_any_size_give_the_same(
        recorded in any_recorded(),
        sizes in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let (_, expected) = recorded.run();
        let mut sizes = sizes.into_iter().cycle();
        let mut pieces = Vec::new();
        for (from, bytes) in &recorded.pieces {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                pieces.push((*from, piece.to_vec()));
                rest = behind;
            }
        }
        let (opener, events) = run(&recorded.keys, &pieces);
        prop_assert_eq!(events, expected);
        prop_assert_eq!(opener.held(), recorded.windows());
    }

    #[test]
    fn changed_bytes_never_open(
        mut recorded in any_recorded(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_u8..), 1..6),
    ) {
        for (piece, at, mask) in flips {
            let piece = piece.index(recorded.pieces.len());
            let bytes = &mut recorded.pieces[piece].1;
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        let (opener, events) = recorded.run();
        let [client, server] = said(recorded.name);
        for (side, said) in [(Peer::Client, client), (Peer::Server, server)] {
            for event in &events {
                if let Event::Data(from, text) = event
                    && *from == side
                {
                    prop_assert!(said.contains(text.as_str()), "{} {:?}", recorded.name, events);
                }
            }
        }
        prop_assert!(opener.held() < 1 << 20);
    }

    #[test]
    fn records_after_a_gap_open(recorded in any_recorded(), first in 0_usize..40, count in 1_usize..4) {
        check_gap(&recorded, first, count, 0)?;
    }

    #[test]
    fn records_after_a_cut_one_open(recorded in any_recorded(), first in 0_usize..40, cut in 1_usize..400) {
        check_gap(&recorded, first, 1, cut)?;
    }
}

/// Takes records out of a connection, all of one side, and looks that no other stays closed; of the
/// first one lost, `cut` bytes stay.
fn check_gap(
    recorded: &Recorded,
    first: usize,
    count: usize,
    cut: usize,
) -> Result<(), TestCaseError> {
    let records = recorded.records();
    let hello = |(from, record): &(Peer, Vec<u8>)| *from == Peer::Server && record[5] == 2;
    let sealed = |(_, record): &(Peer, Vec<u8>)| record[0] == 23;
    let last_hello = records.iter().rposition(hello).unwrap();
    let start = (last_hello + 1).max(records.iter().position(sealed).unwrap()) + first;
    let Some((side, _)) = records.get(start) else { return Ok(()) };
    let full = *recorded.run().0.opened().of(*side);
    let mut opener = TlsOpener::new();
    let mut lost = 0;
    for (at, (from, record)) in records.iter().enumerate() {
        let mark = mark(u64::try_from(at).unwrap() + 1);
        if at >= start && lost < count && from == side {
            if recorded.name.starts_with("12-renegotiated") && record[0] != 23 {
                // Who misses the new hellos misses the new keys.
                return Ok(());
            }
            let cut = if lost == 0 { cut.min(record.len() - 1) } else { 0 };
            opener.data(*from, &record[..cut], mark, &recorded.keys, &mut |_| {});
            let length = u64::try_from(record.len() - cut).unwrap();
            opener.gap(*from, length, mark, &recorded.keys, &mut |_| {});
            lost += 1;
        } else {
            opener.data(*from, record, mark, &recorded.keys, &mut |_| {});
        }
    }
    // TLS 1.0 loses the record behind a gap too: its first block needs the one before.
    let is_chained = recorded.name.starts_with("10-");
    // Who misses a part of a compressed text misses the rest, and is told of data in it.
    let is_packed = recorded.name.ends_with("-deflate");
    let may_miss = if is_packed { records.len() } else { lost + usize::from(is_chained) };
    let missed = full - opener.opened().of(*side);
    prop_assert!(
        missed <= u64::try_from(may_miss).unwrap(),
        "{} from {start}: {missed} stay closed {opener:?}",
        recorded.name,
    );
    Ok(())
}

#[test]
fn what_comes_after_each_gap_is_told() {
    // The client's first line is lost.
    let recorded = Recorded::named("12-aes-128-gcm");
    let mut opener = TlsOpener::new();
    let mut events = Vec::new();
    let mut lines = 0;
    for (from, record) in recorded.records() {
        let is_line = from == Peer::Client && record[0] == 23;
        lines += u32::from(is_line);
        let mut out = |opened: Opened<'_>| collect(&mut events, opened);
        if is_line && lines == 1 {
            let length = u64::try_from(record.len()).unwrap();
            opener.gap(from, length, mark(1), &recorded.keys, &mut out);
        } else {
            opener.data(from, &record, mark(1), &recorded.keys, &mut out);
        }
    }
    let client: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::Gap(Peer::Client) | Event::Data(Peer::Client, _)))
        .collect();
    let second = Event::Data(Peer::Client, "a second line of it\n".to_owned());
    assert_eq!(client, [&Event::Gap(Peer::Client), &second]);
}

#[test]
fn premaster_secrets_and_sessions_do_as_well() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    for name in ["12-rsa", "12-rsa-plain-master", "10-rsa"] {
        let mut recorded = Recorded::named(name);
        let random = recorded.run().0.client_random().unwrap();
        let expected = recorded.run().1;
        // Without the master secret, by how the encrypted premaster secret begins.
        recorded.with_lines(|line| line.starts_with("RSA ").then(|| line.to_owned()));
        assert!(!recorded.keys.knows(&random), "{name}");
        assert_eq!(recorded.run().1, expected, "{name}");
        // The same by the random bytes of the client.
        recorded.with_lines(|line| {
            let premaster = line.strip_prefix("RSA ")?.split(' ').nth(1)?;
            Some(format!("PMS_CLIENT_RANDOM {} {premaster}", hex(&random)))
        });
        assert_eq!(recorded.keys.secret(&random, Label::Premaster).unwrap().len(), 48);
        assert_eq!(recorded.run().1, expected, "{name}");
    }
    let mut recorded = Recorded::named("12-resumed-id");
    let expected = recorded.run().1;
    let hello = &recorded.pieces.iter().find(|(from, _)| *from == Peer::Server).unwrap().1;
    let id = hex(&hello[44..44 + usize::from(hello[43])]);
    recorded.with_lines(|line| {
        let master = line.split(' ').nth(2)?;
        Some(format!("RSA Session-ID:{id} Master-Key:{master}"))
    });
    assert_eq!(recorded.run().1, expected);
}

#[test]
fn some_secrets_open_one_side_or_the_data_alone() {
    let mut recorded = Recorded::named("13-aes-128-gcm");
    let [client, server] = said(recorded.name);
    recorded.with_lines(|line| line.contains("TRAFFIC_SECRET_0").then(|| line.to_owned()));
    let (opener, events) = recorded.run();
    assert_eq!(text(&events, Peer::Client), client);
    assert_eq!(text(&events, Peer::Server), server);
    assert_eq!(opener.dark(), Sides::default(), "only the handshake stayed closed");
    recorded.with_lines(|line| line.starts_with("SERVER").then(|| line.to_owned()));
    let (opener, events) = recorded.run();
    assert_eq!(text(&events, Peer::Server), server);
    assert_eq!(text(&events, Peer::Client), "");
    assert!(opener.dark().client > 0 && opener.dark().server == 0);
    assert_eq!(opener.access(), Access::Open);
}

#[test]
fn data_sent_early_stay_dark_without_their_secret() {
    for (name, taken) in [("13-early", "hello from the client\n"), ("13-early-refused", "hello")] {
        let mut recorded = Recorded::named(name);
        recorded.with_lines(|line| (!line.contains("EARLY")).then(|| line.to_owned()));
        let (opener, events) = recorded.run();
        assert!(text(&events, Peer::Client).starts_with(taken), "{name} {events:?}");
        assert_eq!(text(&events, Peer::Server), said(name)[1], "{name}");
        assert_eq!(opener.access(), Access::Open);
    }
}

#[test]
fn wrong_keys_end_in_bounded_time() {
    let mut recorded = Recorded::named("13-aes-128-gcm");
    recorded.with_lines(|line| {
        let (head, secret) = line.rsplit_once(' ')?;
        Some(format!("{head} {}", "00".repeat(secret.len() / 2)))
    });
    let (mut opener, events) = recorded.run();
    assert_eq!((opener.access(), events), (Access::Failed, Vec::new()));
    let mut record = vec![23, 3, 3, 0x40, 0];
    record.resize(5 + 0x4000, 7);
    let mut fed = 0;
    while !opener.is_hopeless() {
        opener.data(Peer::Server, &record, mark(1), &recorded.keys, &mut |_| panic!());
        fed += 1;
        assert!(fed < 1000, "it gives up");
    }
    assert_eq!(opener.held(), 0);
}

#[test]
fn a_secret_may_come_after_the_hellos() {
    let recorded = Recorded::named("13-aes-256-gcm");
    let none = KeyLog::default();
    let mut opener = TlsOpener::new();
    let mut events = Vec::new();
    let mut hellos = 0;
    for (from, record) in recorded.records() {
        let keys = if hellos < 2 { &none } else { &recorded.keys };
        hellos += u32::from(record[0] == 22);
        opener.data(from, &record, mark(1), keys, &mut |opened| collect(&mut events, opened));
    }
    assert_eq!(events, recorded.run().1);
}

#[test]
fn mid_stream_nothing_can_be_opened() {
    let recorded = Recorded::named("12-chacha20");
    let mut opener = TlsOpener::new();
    opener.start_mid_stream();
    for (from, record) in recorded.records() {
        if record[0] == 23 {
            opener.data(from, &record, mark(1), &recorded.keys, &mut |_| panic!());
        }
    }
    assert_eq!(opener.access(), Access::MidStream);
    assert!(opener.is_hopeless());
    // With both hellos it is as if nothing had been missed.
    let mut opener = TlsOpener::new();
    opener.start_mid_stream();
    let mut events = Vec::new();
    for (from, record) in recorded.records() {
        opener.data(from, &record, mark(1), &recorded.keys, &mut |opened| {
            collect(&mut events, opened);
        });
    }
    assert_eq!(text(&events, Peer::Client), said(recorded.name)[0]);
}

#[test]
fn the_sides_may_be_the_wrong_way_round() {
    for name in ["12-aes-128-gcm", "13-early"] {
        let mut recorded = Recorded::named(name);
        recorded.pieces.iter_mut().for_each(|(from, _)| *from = from.other());
        let (_, events) = recorded.run();
        let [client, server] = said(name);
        assert_eq!(text(&events, Peer::Server), client);
        assert_eq!(text(&events, Peer::Client), server);
    }
}

#[test]
fn a_hello_of_ssl_2_form_has_random_bytes_too() {
    let mut recorded = Recorded::named("10-aes-256-cbc-mte");
    let expected = recorded.run().1;
    let random = recorded.run().0.client_random().unwrap();
    let mut hello = vec![0x80, 44, 1, 3, 1, 0, 3, 0, 0, 0, 32, 0, 0, 0x35];
    hello.extend_from_slice(&random);
    recorded.pieces[0].1 = hello;
    assert_eq!(recorded.run().1, expected);
}

proptest! {
    #[test]
    fn anything_is_taken(mut bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        fuzz_opener(&bytes);
        // Headers that are believed lead further.
        for at in (0..bytes.len().saturating_sub(8)).step_by(40) {
            let header = [20 + bytes[at] % 4, 3, 3, 0, bytes[at + 4] % 64];
            bytes[at..at + 5].copy_from_slice(&header);
        }
        fuzz_opener(&bytes);
    }
}
