//! A capture whose connections keys open is read in bounded memory and in time, whatever is inside of it.
//!
//! Each attack is a capture that somebody made in order to harm, and whose keys he gave as well. Twenty times as
//! many connections with `MFATRACE_BIG=1`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![expect(clippy::print_stdout, reason = "the figures are worth reading")]

#[path = "support/ceiling.rs"]
mod ceiling;
mod support;

use std::io::Read;

use ceiling::{MOST_PACKETS, Ran, SLOW, alone, is_big, run_keyed};
use support::archive::gzip;
use support::browsing::{Browsing, frame, key_log};
use support::sealed::{CLIENT, HANDSHAKE, LONGEST, SERVER, Suite, Talk, Tls};
use support::traffic::{End, Flood, Plan, Writer, end, flag};

const HOST: &str = "login.microsoftonline.com";
const ADDRESS: End = End::new([40, 0, 0, 1], 443);
/// What a client says first in HTTP/2, and a server that allows the largest table.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x01\0\x01\0\0";

/// Connections with secrets of their own; a multiple of the number of suites.
const SECRETS: u64 = 1000;

/// What one connection does in its turn.
type Turn = Box<dyn FnMut(u64, &mut Talk, &mut Writer) + Send>;

/// Connections of which each does something in turn; at first they shake hands.
struct Attack {
    name: &'static str,
    flows: u64,
    turns: u64,
    suites: &'static [Suite],
    protocol: &'static str,
    /// Whether data come with the first hello.
    is_early: bool,
    turn: Turn,
}

const TLS13: &[Suite] = &[Suite::Tls13Aes128, Suite::Tls13Aes256];

impl Attack {
    fn new(name: &'static str, (flows, turns): (u64, u64), turn: Turn) -> Self {
        let flows = if is_big() { flows * 20 } else { flows };
        let (suites, protocol) = (&Suite::ALL[..], "http/1.1");
        Self { name, flows, turns, suites, protocol, is_early: false, turn }
    }

    /// With HTTP/2.
    fn h2(self) -> Self {
        Self { protocol: "h2", ..self }
    }

    /// With TLS 1.3 alone.
    fn tls13(self) -> Self {
        Self { suites: TLS13, ..self }
    }

    fn run(self) -> Ran {
        let Self { name, flows, turns, suites, protocol, is_early, mut turn } = self;
        // Whoever makes a capture may have the same secrets as often as he likes.
        let tls = move |flow: u64| {
            let (number, count) = (flow % SECRETS, u64::try_from(suites.len()).unwrap());
            Tls::new(number, suites[usize::try_from(number % count).unwrap()])
        };
        // What makes the capture is there before, and so counts for nothing.
        let mut talks: Vec<Talk> =
            (0..flows).map(|flow| Talk::new(end(flow, 1024), ADDRESS, tls(flow))).collect();
        let flood = Flood::new(flows * (turns + 1), move |number, writer: &mut Writer| {
            let (flow, at) = (usize::try_from(number % flows).unwrap(), number / flows);
            let talk = &mut talks[flow];
            match (at, is_early) {
                (0, false) => talk.shake(writer, HOST, protocol),
                (0, true) => {
                    talk.open(writer);
                    let hello = talk.tls.client_hello(HOST, protocol, true);
                    talk.send(writer, CLIENT, &hello);
                }
                (at, _) => turn(at, talk, writer),
            }
        });
        let make = move |flow| tls(flow).key_log();
        let keys = Lines { next: 0, count: flows.min(SECRETS), make, text: Vec::new() };
        run_keyed(name, flood, Some(Box::new(keys)))
    }
}

/// A key log that is written while it is read.
struct Lines<F> {
    next: u64,
    count: u64,
    make: F,
    text: Vec<u8>,
}

impl<F: FnMut(u64) -> String> Read for Lines<F> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        if self.text.is_empty() && self.next < self.count {
            self.text = (self.make)(self.next).into_bytes();
            self.next += 1;
        }
        let length = self.text.len().min(space.len());
        space[..length].copy_from_slice(&self.text[..length]);
        self.text.drain(..length);
        Ok(length)
    }
}

/// The head of an answer whose body is a page.
fn answer(length: usize, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n{more}\r\n")
        .into_bytes()
}

const ASK: &[u8] = b"GET /common/login HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n";
const POST: &[u8] = b"POST /common/login HTTP/1.1\r\nHost: login.microsoftonline.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999\r\n\r\nlogin=";
/// A request of HTTP/2: `GET https://HOST/`, whose first fields are static ones.
const ASK2: &[u8] = b"\x82\x87\x84\x41\x19login.microsoftonline.com";
/// An answer of HTTP/2: `200`, a page.
const ANSWER2: &[u8] = b"\x88\x5f\x09text/html";

/// A field with a name of one letter that is kept in the table.
fn kept(name: u8, length: usize) -> Vec<u8> {
    let mut out = vec![0x40, 1, name, 0x7f];
    let rest = length - 127;
    out.extend([u8::try_from(rest % 128).unwrap() | 0x80, u8::try_from(rest / 128).unwrap()]);
    out.resize(out.len() + length, b'v');
    out
}

/// The number of a stream of the client.
fn stream(turn: u64) -> u32 {
    u32::try_from(turn).unwrap() * 2 - 1
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn records() -> Vec<Attack> {
    let part = vec![7; 1400];
    let page = vec![b'p'; LONGEST];
    let form = vec![b'f'; LONGEST];
    let piece = vec![0x55; LONGEST - 4];
    let short: Vec<u8> = b"\x17\x03\x03\0\x09123456789".repeat(100);
    let few = short.clone();
    let long = [&b"\x17\x03\x03\x40\x18"[..], &vec![9; LONGEST + 24]].concat();
    let lose = |talk: &mut Talk| talk.at[SERVER] = talk.at[SERVER].wrapping_add(3000);
    vec![
        // A record of 16 KiB that lacks its last bytes.
        Attack::new(
            "records without end",
            (6000, 11),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.send(writer, SERVER, b"\x17\x03\x03\x40\x18");
                }
                talk.send(writer, SERVER, &part);
            }),
        ),
        Attack::new(
            "handshake messages without end",
            (600, 3),
            Box::new(move |turn, talk, writer| {
                let mut out = Vec::new();
                let start = if turn == 1 { &b"\x04\0\xff\0"[..] } else { b"" };
                talk.tls.seal(SERVER, HANDSHAKE, &[start, &piece].concat(), &mut out);
                talk.send(writer, SERVER, &out);
            }),
        ),
        Attack {
            is_early: true,
            ..Attack::new(
                "data before the handshake that nobody takes",
                (1000, 3),
                Box::new(move |_, talk, writer| talk.say(writer, CLIENT, &form[..10_000])),
            )
            .tls13()
        },
        Attack::new(
            "keys that change all the time",
            (50, 50),
            Box::new(|turn, talk, writer| {
                let mut out = Vec::new();
                for _ in 0..50 {
                    talk.tls.renew(usize::try_from(turn % 2).unwrap(), &mut out);
                }
                talk.send(writer, usize::try_from(turn % 2).unwrap(), &out);
            }),
        )
        .tls13(),
        Attack::new(
            "connections inside of connections",
            (300, 8),
            Box::new(|turn, talk, writer| {
                let suite = Suite::ALL[usize::try_from(turn % 4).unwrap()];
                talk.nest(writer, HOST, Tls::new(turn, suite));
            }),
        ),
        Attack::new(
            "some short records behind a gap that do not open",
            (600, 6),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, ASK);
                    lose(talk);
                }
                talk.send(writer, SERVER, &few);
                talk.put(writer, CLIENT, flag::ACK, b"");
            }),
        ),
        Attack::new(
            "many short records behind a gap that do not open",
            (100, 60),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, ASK);
                    lose(talk);
                }
                talk.send(writer, SERVER, &short);
                talk.put(writer, CLIENT, flag::ACK, b"");
            }),
        ),
        Attack::new(
            "long records behind a gap that do not open",
            (100, 10),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, ASK);
                    lose(talk);
                }
                talk.send(writer, SERVER, &long);
                talk.put(writer, CLIENT, flag::ACK, b"");
            }),
        ),
        Attack::new(
            "gaps and records that open",
            (200, 60),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, ASK);
                    talk.say(writer, SERVER, &answer(1 << 24, ""));
                }
                lose(talk);
                talk.say(writer, SERVER, &page[..400]);
                talk.put(writer, CLIENT, flag::ACK, b"");
            }),
        ),
    ]
}

fn contents() -> Vec<Attack> {
    let page = vec![b'p'; LONGEST];
    let (page2, form) = (page.clone(), vec![b'f'; LONGEST]);
    let bomb = gzip(&vec![b' '; 1 << 20]);
    let deep = gzip(&gzip(&gzip(&vec![b' '; 64 << 20])));
    vec![
        Attack::new(
            "bodies without end",
            (30, 65),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, ASK);
                    talk.say(writer, SERVER, &answer(1 << 30, ""));
                } else {
                    talk.say(writer, SERVER, &page);
                }
            }),
        ),
        Attack::new(
            "forms without end",
            (30, 65),
            Box::new(move |turn, talk, writer| {
                let text = if turn == 1 { POST } else { &form };
                talk.say(writer, CLIENT, text);
            }),
        ),
        Attack::new(
            "bodies without end of HTTP/2",
            (30, 65),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, PREFACE);
                    talk.say(writer, SERVER, SETTINGS);
                    for id in 1..9 {
                        talk.say(writer, CLIENT, &frame(1, 5, stream(id), ASK2));
                        talk.say(writer, SERVER, &frame(1, 4, stream(id), ANSWER2));
                    }
                } else {
                    let text = &page2[..LONGEST - 9];
                    talk.say(writer, SERVER, &frame(0, 0, stream(turn % 8 + 1), text));
                }
            }),
        )
        .h2(),
        Attack::new(
            "bodies that expand a thousand times",
            (50, 20),
            Box::new(move |_, talk, writer| {
                talk.say(writer, CLIENT, ASK);
                let head = answer(bomb.len(), "Content-Encoding: gzip\r\n");
                talk.say(writer, SERVER, &[&head[..], &bomb].concat());
            }),
        ),
        Attack::new(
            "bodies that expand again and again",
            (50, 10),
            Box::new(move |_, talk, writer| {
                talk.say(writer, CLIENT, ASK);
                let head = answer(deep.len(), "Content-Encoding: gzip, gzip, gzip\r\n");
                talk.say(writer, SERVER, &[&head[..], &deep].concat());
            }),
        ),
    ]
}

fn heads() -> Vec<Attack> {
    let filler = [&kept(b'a', 4000)[..], &[0x0f, 0x2f, 0x7f, 0x80, 0x7f]].concat();
    let filler = [&filler[..], &vec![b'x'; 16_000 - filler.len()]].concat();
    let table: Vec<u8> = (b'a'..b'p').flat_map(|name| kept(name, 4000)).collect();
    let refer = [ASK2, &[0xbe; 15_000][..]].concat();
    let refer_back = [ANSWER2, &[0xbf; 15_000][..]].concat();
    let small: Vec<u8> = (0..3000).flat_map(|_| [0, 1, b'n', 0]).collect();
    let small = [ASK2, &small].concat();
    vec![
        Attack::new(
            "header blocks without end",
            (250, 6),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, PREFACE);
                    talk.say(writer, SERVER, SETTINGS);
                }
                let kind = if turn == 1 { 1 } else { 9 };
                talk.say(writer, CLIENT, &frame(kind, 0, 1, &filler));
                talk.say(writer, SERVER, &frame(kind, 0, 1, &filler));
            }),
        )
        .h2(),
        Attack::new(
            "fields that stand for long ones",
            (60, 12),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, PREFACE);
                    talk.say(writer, SERVER, SETTINGS);
                    for (side, other) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
                        talk.say(writer, other, &frame(4, 0, 0, b"\0\x01\0\x01\0\0"));
                        let (first, second) = table.split_at(16_000);
                        let second = second.chunks(16_000).map(<[u8]>::to_vec);
                        let rest: Vec<Vec<u8>> = second.collect();
                        talk.say(writer, side, &frame(1, 0, 1, first));
                        for (at, piece) in rest.iter().enumerate() {
                            let flags = if at + 1 == rest.len() { 4 } else { 0 };
                            talk.say(writer, side, &frame(9, flags, 1, piece));
                        }
                    }
                    return;
                }
                talk.say(writer, CLIENT, &frame(1, 4, stream(turn), &refer));
                talk.say(writer, SERVER, &frame(1, 4, stream(turn), &refer_back));
            }),
        )
        .h2(),
        Attack::new(
            "many small fields",
            (80, 12),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, PREFACE);
                    talk.say(writer, SERVER, SETTINGS);
                }
                talk.say(writer, CLIENT, &frame(1, 4, stream(turn), &small));
            }),
        )
        .h2(),
        Attack::new(
            "streams without end",
            (1600, 13),
            Box::new(move |turn, talk, writer| {
                if turn == 1 {
                    talk.say(writer, CLIENT, PREFACE);
                    talk.say(writer, SERVER, SETTINGS);
                }
                let asks = (0..20).flat_map(|at| frame(1, 4, stream(turn * 20 + at), ASK2));
                let asks: Vec<u8> = asks.collect();
                talk.say(writer, CLIENT, &asks);
            }),
        )
        .h2(),
        Attack::new(
            "more open at once than are followed",
            (12_000, 1),
            Box::new(move |_, talk, writer| {
                let text = [PREFACE, &frame(1, 4, 1, ASK2)].concat();
                talk.say(writer, CLIENT, &text);
                talk.say(writer, SERVER, SETTINGS);
            }),
        )
        .h2(),
    ]
}

fn check(attacks: fn() -> Vec<Attack>) {
    let _alone = alone();
    let mut bad = Vec::new();
    for attack in attacks() {
        let (name, flows) = (attack.name, attack.flows);
        let ran = attack.run();
        println!("    {} of {flows} connections opened, {} exchanges", ran.opened, ran.exchanges);
        assert!(ran.opened > flows / 20, "{name}: {} opened", ran.opened);
        if ran.peak > MOST_PACKETS || ran.took > SLOW && !is_big() {
            bad.push(format!("{name}: {} MiB, {} s", ran.peak >> 20, ran.took.as_secs()));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn records_stay_below_the_ceiling() {
    check(records);
}

#[test]
fn contents_stay_below_the_ceiling() {
    check(contents);
}

#[test]
fn heads_stay_below_the_ceiling() {
    check(heads);
}

#[test]
fn usual_traffic_stays_below_the_ceiling() {
    let _alone = alone();
    let (bytes, connections) = if is_big() { (4 << 30, 40_000) } else { (40 << 20, 400) };
    let plan = Plan { bytes, connections, open: connections / 4 };
    // The keys stand at the end of a key log of 100 MB.
    let others = 120_000;
    let make = move |number: u64| {
        if number < others {
            Tls::new(number + (1 << 40), Suite::Tls13Aes128).key_log()
        } else {
            key_log(connections, 0)
        }
    };
    let keys = Lines { next: 0, count: others + 1, make, text: Vec::new() };
    let ran = run_keyed("usual traffic", Browsing::new(plan), Some(Box::new(keys)));
    println!("    {} of {connections} connections opened, {} exchanges", ran.opened, ran.exchanges);
    assert!(ran.peak < MOST_PACKETS, "{} MiB", ran.peak >> 20);
    assert!(ran.opened == u64::from(connections) || is_big(), "{} opened", ran.opened);
    assert!(ran.exchanges > 100, "{}", ran.exchanges);
}
