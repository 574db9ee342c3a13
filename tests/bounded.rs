//! A capture of any size is read in bounded memory.
//!
//! 96 MiB in every run, 2 GiB with `MFATRACE_BIG=1`: the unoptimised build reads some 20 MiB/s, and
//! judges the hostile twins slower than it reads them, so they are judged in the big run only.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![expect(clippy::print_stdout, reason = "the figures are worth reading")]

#[path = "support/ceiling.rs"]
mod ceiling;
mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mfatrace::analyze::{Selection, conclude};
use mfatrace::capture::Source;

use ceiling::{GLOBAL, MOST_PACKETS, SLOW, alone, is_big, live, run_traffic};
use support::exchange::{clock, get, post, post_json};
use support::traffic::{End, Flood, Plan, Traffic, Writer, client_hello, dns, end, flag};

/// SPEC section 8: HAR and SAZ.
const MOST: usize = 160 << 20;

fn size() -> u64 {
    if is_big() { 2 << 30 } else { 96 << 20 }
}

/// A HAR that is written while it is read.
struct Generated<F> {
    entry: F,
    number: u64,
    made: u64,
    until: u64,
    chunk: Vec<u8>,
    at: usize,
    peak: Arc<AtomicUsize>,
}

impl<F: FnMut(u64) -> String> Read for Generated<F> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        self.peak.fetch_max(live(), Ordering::Relaxed);
        if self.at == self.chunk.len() {
            (self.at, self.chunk) = (0, Vec::new());
            if self.number == 0 {
                self.chunk.extend(b"{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"WebInspector\",\"version\":\"537.36\"},\"entries\":[");
            } else if self.made < self.until {
                self.chunk.extend(if self.number > 1 { &b","[..] } else { b"" });
                self.chunk.extend((self.entry)(self.number).into_bytes());
            } else if self.until > 0 {
                self.until = 0;
                self.chunk.extend(b"]}}");
            }
            self.number += 1;
            self.made += self.chunk.len() as u64;
        }
        let rest = &self.chunk[self.at..];
        let length = rest.len().min(space.len());
        space[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// Reads a generated HAR, judges it where asked to, and gives how many records it has and the most
/// bytes that were in use above what was before.
fn run(entry: impl FnMut(u64) -> String + Send + 'static, judge: bool) -> (u64, usize) {
    let peak = Arc::new(AtomicUsize::new(0));
    let until = size();
    let generated = Generated {
        entry,
        number: 0,
        made: 0,
        until,
        chunk: Vec::new(),
        at: 0,
        peak: Arc::clone(&peak),
    };
    let before = live();
    let source = Source::stream(Box::new(generated));
    let evidence = support::memory::read("capture", source, &[]);
    let records = evidence.inputs[0].records;
    peak.fetch_max(live(), Ordering::Relaxed);
    if judge || is_big() {
        let analysis = conclude(evidence, &Selection::default());
        peak.fetch_max(live(), Ordering::Relaxed);
        drop(analysis);
    }
    let peak = peak.load(Ordering::Relaxed).saturating_sub(before);
    println!("{} MiB at most for {} MiB in {records} records", peak >> 20, until >> 20);
    (records, peak)
}

/// Times that fit a day, whatever the number.
fn at(number: u64) -> f64 {
    f64::from(u32::try_from(number % 80_000).unwrap())
}

fn told(number: u64, entry: &serde_json::Value) -> String {
    let mut entry = entry.clone();
    entry["startedDateTime"] = clock(at(number)).into();
    entry.to_string()
}

/// A packet capture that is written while it is read: a beginning, then one piece over and over.
struct Repeated {
    start: Vec<u8>,
    piece: Vec<u8>,
    at: usize,
    left: usize,
    peak: Arc<AtomicUsize>,
}

impl Read for Repeated {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        self.peak.fetch_max(live(), Ordering::Relaxed);
        let length = self.start.len();
        let rest = match self.at.checked_sub(length) {
            None => &self.start[self.at..],
            Some(at) => &self.piece[at % self.piece.len()..],
        };
        let count = rest.len().min(space.len()).min(self.left);
        space[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        self.left -= count;
        Ok(count)
    }
}

/// Reads a packet capture; gives its frames, the most bytes in use above what was before, and how
/// often memory was asked for.
fn run_packets(start: &[u8], piece: &[u8], size: usize) -> (u64, usize, usize) {
    let peak = Arc::new(AtomicUsize::new(0));
    let (start, piece) = (start.to_vec(), piece.to_vec());
    let repeated = Repeated { start, piece, at: 0, left: size, peak: Arc::clone(&peak) };
    let (before, asked) = (live(), GLOBAL.stats().allocations);
    let evidence = support::memory::read("capture", Source::stream(Box::new(repeated)), &[]);
    let asked = GLOBAL.stats().allocations - asked;
    let peak = peak.load(Ordering::Relaxed).max(live()).saturating_sub(before);
    let frames = evidence.inputs[0].records;
    println!("{} MiB at most for {} MiB in {frames} frames", peak >> 20, size >> 20);
    (frames, peak, asked)
}

/// A block of pcapng, least significant byte first.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// A frame of pcapng with options.
fn enhanced(length: u32, options: &[u8]) -> Vec<u8> {
    let head = [0, 0x0005_f000, 7, length, length].map(u32::to_le_bytes).concat();
    block(6, &[&head[..], &vec![7; usize::try_from(length).unwrap()], options].concat())
}

#[test]
fn packets_take_no_memory_of_their_own() {
    let _alone = alone();
    let size = if is_big() { 8 << 30 } else { 256 << 20 };
    let mut pcap = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0".to_vec();
    let frame = [1_700_000_000, 7, 800, 800].map(u32::to_le_bytes).concat();
    let frame = [&frame[..], &[7; 800]].concat();
    let section = b"\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    let section = block(0x0a0d_0d0a, section);
    let interface = block(1, &[1, 0, 0, 0, 0, 0, 0, 0]);
    let pcapng = [&section[..], &interface].concat();
    let options = b"\x02\0\x04\0\x01\0\0\0\x01\0\x08\0PID=1234\0\0\0\0";
    let garbage: Vec<u8> =
        (0_u32..100_003).map(|n| (n.wrapping_mul(n) % 251).to_le_bytes()[0]).collect();
    let zeroes = vec![0; 1 << 20];
    let long = enhanced((16 << 20) - 64, b"");
    let lying = [&enhanced(40, b"")[..], &[6, 0, 0, 0, 0, 0, 0x0f, 0, 1, 2]].concat();
    pcap.extend(&frame);
    let cases = [
        ("pcap", &pcap, &frame[..], size, true),
        ("pcapng", &pcapng, &enhanced(800, b"")[..], size, true),
        ("pcapng with options", &pcapng, &enhanced(800, options)[..], size, true),
        ("only interfaces", &section, &interface, 16 << 20, false),
        ("frames of 16 MiB", &pcapng, &long, size, true),
        ("garbage", &pcap, &garbage, 32 << 20, false),
        ("zeroes", &pcapng, &zeroes, 32 << 20, false),
        ("lengths that lie", &pcapng, &lying, 4 << 20, false),
    ];
    for (name, start, piece, size, is_plain) in cases {
        let (frames, peak, asked) = run_packets(start, piece, size);
        assert!(peak < 64 << 20, "{name}: {} MiB", peak >> 20);
        if is_plain {
            let want = u64::try_from(size / piece.len()).unwrap();
            assert!(frames.abs_diff(want) <= 1, "{name}: {frames} frames of {want}");
            assert!(asked < 1_000, "{name}: memory was asked for {asked} times");
        }
    }
}

#[test]
fn traffic_stays_below_the_ceiling() {
    let _alone = alone();
    // Also what is long and made of many connections: 2 million of them in 8 GiB.
    let (size, connections) = if is_big() { (8 << 30, 2_000_000) } else { (256 << 20, 12_000) };
    let (frames, peak, _) =
        run_traffic("usual traffic", Traffic::new(Plan::new(size, connections)));
    let most = if is_big() { MOST_PACKETS } else { MOST_PACKETS / 2 };
    assert!(frames > 300_000 && peak < most, "{} MiB", peak >> 20);
    let plan = Plan { open: 40_000, ..Plan::new(size / 8, 60_000) };
    let (_, peak, _) = run_traffic("more open at once than are followed", Traffic::new(plan));
    assert!(peak < MOST_PACKETS, "{} MiB", peak >> 20);
}

/// A capture that somebody made in order to harm: its frames by their number.
type Attack = (&'static str, u64, Box<dyn FnMut(u64, &mut Writer) + Send>);

const SERVER: End = End::new([40, 0, 0, 1], 443);
const PROXY: End = End::new([40, 0, 0, 1], 80);
const NAMES: End = End::new([40, 0, 0, 1], 53);

/// Opens a connection, or sends the next piece on it.
fn on(writer: &mut Writer, (flow, turn): (u64, u64), to: End, piece: &[u8]) {
    let from = end(flow, 1024);
    if turn == 0 {
        writer.tcp(from, to, (0, 0), flag::SYN, b"");
        return writer.tcp(to, from, (0, 1), flag::SYN | flag::ACK, b"");
    }
    let length = u32::try_from(piece.len()).unwrap();
    let sequence = u32::try_from(turn - 1).unwrap() * length + 1;
    writer.tcp(from, to, (sequence, 1), flag::ACK, piece);
}

/// A ClientHello that announces more than ever comes.
fn endless_hello() -> Vec<u8> {
    let mut out = b"\x16\x03\x01\x40\x00\x01\x00\xf0\x00\x03\x03".to_vec();
    out.resize(1400, 7);
    out
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn attacks() -> Vec<Attack> {
    let many = if is_big() { 2_000_000 } else { 40_000 };
    let hello = client_hello("login.microsoftonline.com", false, &[5; 1300]);
    let half = hello[..300].to_vec();
    let endless = endless_hello();
    let (full, long) = (hello, [7; 1400]);
    let head =
        [b"GET / HTTP/1.1\r\nHost: login.microsoftonline.com\r\nX: ".as_slice(), &[b'a'; 1300]]
            .concat();
    let lookup = |n: u64| format!("h{n}.login.microsoftonline.com");
    let id = |n: u64| u16::try_from(n % 65_536).unwrap();
    // So many flows at once, each of which gets its next piece in turn.
    let turn = |n: u64, flows: u64| (n % flows, n / flows);
    vec![
        (
            "only first packets",
            many,
            Box::new(|n, w| w.tcp(end(n, 99), SERVER, (7, 0), flag::SYN, b"")),
        ),
        (
            "only data in the middle",
            many,
            Box::new(move |n, w| {
                w.tcp(end(n, 99), SERVER, (7, 1), flag::ACK, b"\x17\x03\x03\x01\x00abc");
            }),
        ),
        (
            "only holes",
            many,
            Box::new(move |n, w| {
                let (flow, turn) = turn(n, 3000);
                let sequence = u32::try_from(turn).unwrap() * 3000 + u32::from(turn > 0);
                let flags = if turn == 0 { flag::SYN } else { flag::ACK };
                w.tcp(
                    end(flow, 1),
                    SERVER,
                    (sequence, 1),
                    flags,
                    if turn == 0 { b"" } else { &long },
                );
            }),
        ),
        (
            "only halves of handshakes",
            many,
            Box::new(move |n, w| {
                on(w, (n / 2, n % 2), SERVER, &half);
            }),
        ),
        (
            "hellos without end",
            many,
            Box::new(move |n, w| {
                let (flow, turn) = turn(n, 6000);
                on(w, (flow, turn), SERVER, if turn < 2 { &endless } else { &long });
            }),
        ),
        (
            "handshakes of one sign-in host",
            many,
            Box::new(move |n, w| on(w, (n / 2, n % 2), SERVER, &full)),
        ),
        (
            "heads without end",
            many,
            Box::new(move |n, w| {
                let (flow, turn) = turn(n, 6000);
                on(w, (flow, turn), PROXY, if turn < 2 { &head } else { &[b'a'; 1300] });
            }),
        ),
        (
            "lookups without end over TCP",
            many,
            Box::new(move |n, w| {
                on(w, turn(n, 6000), NAMES, &[0xf0; 1400]);
            }),
        ),
        (
            "only first fragments",
            many,
            Box::new(|n, w| {
                w.ip(17, end(n, 0).address, SERVER.address, 0x2000, [&[1; 1400], b"", b""]);
            }),
        ),
        (
            "only questions",
            many,
            Box::new(move |n, w| {
                w.udp(end(n, 5000), NAMES, &dns(id(n), &lookup(n), None));
            }),
        ),
        (
            "only answers",
            many,
            Box::new(move |n, w| {
                let answer = dns(id(n), &lookup(n), Some((0, &[end(n, 0).address])));
                w.udp(NAMES, end(n, 5000), &answer);
            }),
        ),
        ("only errors of ICMP", many, Box::new(|n, w| w.unreachable(3, end(n, 7), SERVER, 9))),
        ("only datagrams", many, Box::new(|n, w| w.udp(end(n, 7), SERVER, &[0x41; 40]))),
        (
            "one address, used again and again",
            many,
            Box::new(|n, w| {
                w.tcp(
                    end(1, 7),
                    SERVER,
                    (u32::try_from(n * 7919 % 4_000_000_007).unwrap(), 0),
                    flag::SYN,
                    b"",
                );
            }),
        ),
    ]
}

#[test]
fn attacks_stay_below_the_ceiling() {
    let _alone = alone();
    let mut bad = Vec::new();
    for (name, count, make) in attacks() {
        let (frames, peak, took) = run_traffic(name, Flood::new(count, make));
        assert!(frames >= count, "{name}: {frames} frames");
        if peak > MOST_PACKETS || took > SLOW && !is_big() {
            bad.push(format!("{name}: {} MiB, {} s", peak >> 20, took.as_secs()));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn memory_stays_below_the_ceiling() {
    let _alone = alone();
    let mut high = Vec::new();
    let mut check = |name: &str, (records, peak): (u64, usize)| {
        assert!(records > 2, "{name}");
        if peak > MOST {
            high.push(format!("{name}: {} MiB", peak >> 20));
        }
    };

    let script = "x".repeat(40_000);
    let usual = [
        get("https://portal.fabrikam.example/app.js").answer("text/javascript", &script).entry(0.0),
        get("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x")
            .by_service()
            .answer("text/html", &script)
            .entry(0.0),
        get("https://images.contoso.example/a.png").answer("image/png", &script).entry(0.0),
        post_json("https://login.microsoftonline.com/common/SAS/BeginAuth", "{}")
            .by_service()
            .answer("application/json", "{\"Success\":true,\"ResultValue\":\"Success\"}")
            .entry(0.0),
    ];
    check("usual", run(move |n| told(n, &usual[usize::try_from(n % 4).unwrap()]), true));

    let body = format!("$Config={{\"pgid\":\"ConvergedTFA\",\"x\":\"{}\"}};", "y".repeat(2_000));
    let hostile = move |n: u64| {
        let url = format!("https://login.microsoftonline.com/common/login?x={n}&state={n}");
        let form = format!("login=user{n}%40contoso.example&ctx=c{n}&flowToken=t{n}");
        let told = post(&url, &form).asking("client-request-id", &guid(n)).by_service();
        told.answer("text/html", &body).entry(at(n)).to_string()
    };
    check("sign-in pages of many users", run(hostile, false));

    let failing = |n: u64| {
        let url = format!("https://login.microsoftonline.com/common/SAS/EndAuth?pollCount={n}");
        let told =
            get(&url).asking("x-ms-ctx", &format!("c{n}")).failing("net::ERR_CONNECTION_RESET");
        told.asking("client-request-id", &guid(n)).entry(at(n)).to_string()
    };
    check("nothing but failures", run(failing, false));

    let hosts = |n: u64| get(&format!("https://h{n}.contoso.example/")).entry(at(n)).to_string();
    check("many hosts", run(hosts, false));

    let aliases = |n: u64| {
        let url = format!("https://h{n}.b2clogin.com/{}", "p/".repeat(400));
        get(&url).failing(&format!("net::ERR_{n}")).entry(at(n)).to_string()
    };
    check("many sign-in hosts with long paths", run(aliases, false));

    let fields = |n: u64| {
        let mut told = get("https://login.microsoftonline.com/common/login");
        for index in 0..500 {
            told = told.field(&format!("x-{n}-{index}"), &"v".repeat(60));
        }
        told.entry(at(n)).to_string()
    };
    check("many fields", run(fields, false));

    let tiny = |n: u64| format!("{{\"time\":{n}}}");
    check("tiny entries", run(tiny, false));

    let huge = |n: u64| {
        let url = "https://login.microsoftonline.com/common/login";
        get(url).answer("text/html", &"z".repeat(24 << 20)).entry(at(n)).to_string()
    };
    check("huge bodies", run(huge, false));

    assert!(high.is_empty(), "{}", high.join("\n"));
}

fn guid(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-{number:012x}")
}
