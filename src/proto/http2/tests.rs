//! Tests of HTTP/2: frames, pairing, holes, hostile streams.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;
use Peer::{Client, Server};

fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

/// What happens on a connection, one step a frame of the capture.
#[derive(Clone, Debug)]
enum Step {
    Data(Peer, Vec<u8>),
    End(Peer),
    Gap(Peer),
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PROMISE: u8 = 5;
const PING: u8 = 6;
const AWAY: u8 = 7;
const WINDOW: u8 = 8;
const MORE: u8 = 9;
/// Flags: the stream ends, the head ends, padding, priority.
const ES: u8 = 1;
const EH: u8 = 4;
const PAD: u8 = 8;
const PRIO: u8 = 0x20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block of literals: names that begin with `+` go into the table.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        let (first, name) = name.strip_prefix('+').map_or((0x10, *name), |name| (0x40, name));
        out.push(first);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 127 => out.push(length),
                _ => {
                    let mut left = text.len().saturating_sub(127);
                    out.push(127);
                    while left >= 128 {
                        out.push(u8::try_from(left % 128).unwrap() | 128);
                        left /= 128;
                    }
                    out.push(u8::try_from(left).unwrap());
                }
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

const A: (&str, &str) = (":authority", "a.example");
const HTTPS: (&str, &str) = (":scheme", "https");

fn get(path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), HTTPS, A, (":path", path)])
}

fn post(path: &str) -> Vec<u8> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    block(&[(":method", "POST"), HTTPS, A, (":path", path), form])
}

fn status(code: &str) -> Vec<u8> {
    block(&[(":status", code), ("content-type", "text/html")])
}

/// The start of a connection, both sides.
fn start() -> Vec<Step> {
    let client =
        [PREFACE, &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 1, 0, 0, 16, 0])].concat();
    let server = [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, 1, 0, &[])].concat();
    vec![Step::Data(Client, client), Step::Data(Server, server)]
}

fn c(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Step {
    Step::Data(Client, frame(kind, flags, stream, payload))
}

fn s(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Step {
    Step::Data(Server, frame(kind, flags, stream, payload))
}

fn run_on(mut stream: Http2Stream, steps: &[Step], size: usize) -> Vec<Http2Event> {
    let mut events = Vec::new();
    for (frame, step) in (1_u64..).zip(steps) {
        let mut out = |event| events.push(event);
        match step {
            Step::Data(from, bytes) => {
                for piece in bytes.chunks(size.max(1)) {
                    stream.data(*from, piece, mark(frame), &mut out);
                }
            }
            Step::End(from) => stream.end(*from, mark(frame), &mut out),
            Step::Gap(from) => stream.gap(*from, mark(frame), &mut out),
        }
        assert!(stream.held() < stream.streams.most().saturating_add(BOUND));
    }
    stream.finish(&mut |event| events.push(event));
    events
}

/// Runs steps on a new connection, whole and in small pieces, and sees that both tell the same.
fn run(steps: &[Step]) -> Vec<Http2Event> {
    let steps = [start(), steps.to_vec()].concat();
    let told = run_on(Http2Stream::new(), &steps, usize::MAX);
    for size in [1, 2, 7, 9, 100] {
        assert_eq!(told, run_on(Http2Stream::new(), &steps, size), "in pieces of {size}");
    }
    told
}

/// Runs steps on a connection that was there before, each whole.
fn run_mid(steps: &[Step]) -> Vec<String> {
    let mut stream = Http2Stream::new();
    stream.start_mid_stream();
    run_on(stream, steps, usize::MAX).iter().map(short).collect()
}

/// As `run`, each step whole only: where holes are, pieces matter.
fn run_holes(steps: &[Step]) -> Vec<String> {
    let steps = [start(), steps.to_vec()].concat();
    run_on(Http2Stream::new(), &steps, usize::MAX).iter().map(short).collect()
}

fn gist(steps: &[Step]) -> Vec<String> {
    run(steps).iter().map(short).collect()
}

/// Events in short: `METHOD target > status body-length`, with `!` where an end was not seen, and how
/// it was given up.
fn short(event: &Http2Event) -> String {
    let exchange = match event {
        Http2Event::Exchange(exchange) => exchange,
        Http2Event::GoAway { from, last_stream, code, .. } => {
            return format!("away {from:?} {last_stream} {code}");
        }
    };
    let cut = |complete: bool| if complete { "" } else { "!" };
    let request = exchange.request.as_ref().map_or("-".to_owned(), |request| {
        format!("{} {}{}", request.method, request.target, cut(request.complete))
    });
    let unread = if exchange.unread.is_some() { "?" } else { "-" };
    let response = exchange.response.as_ref().map_or(unread.to_owned(), |response| {
        format!("{} {}{}", response.status, response.body_length, cut(response.complete))
    });
    let broken = exchange.broken.map_or(String::new(), |broken| {
        let what = if broken.is_connection { "away" } else { "reset" };
        format!(" {what} {:?} {}", broken.by, error_name(broken.code).unwrap_or("?"))
    });
    format!("{request} > {response}{broken}")
}

fn exchange(events: &[Http2Event]) -> &ClearExchange {
    let [Http2Event::Exchange(exchange)] = events else { panic!("one exchange: {events:?}") };
    exchange
}

#[test]
fn an_exchange_has_its_frames() {
    let told = run(&[
        c(HEADERS, EH, 1, &post("/a")),
        c(DATA, 0, 1, b"a="),
        c(DATA, ES, 1, b"b"),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, 0, 1, b"ab"),
        s(DATA, 0, 1, b"cd"),
        s(DATA, ES, 1, b""),
    ]);
    let exchange = exchange(&told);
    let request = exchange.request.as_ref().unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/a"));
    assert_eq!(request.host.as_deref(), Some("a.example"));
    assert_eq!(request.headers.len(), 1, "{:?}", request.headers);
    assert_eq!((request.body.as_slice(), request.complete), (&b"a=b"[..], true));
    let frames = |extent: Extent| [extent.first, extent.head, extent.last].map(|m| m.frame.get());
    assert_eq!(frames(request.extent), [3, 3, 5]);
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(frames(response.extent), [6, 6, 9]);
    assert_eq!((response.body.as_slice(), response.body_length), (&b"abcd"[..], 4));
    assert_eq!((response.complete, exchange.broken), (true, None));
}

#[test]
fn streams_run_beside_each_other() {
    let told = gist(&[
        c(HEADERS, EH | ES, 1, &get("/a")),
        c(HEADERS, EH | ES, 3, &get("/b")),
        s(HEADERS, EH, 3, &status("404")),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, 0, 1, b"abc"),
        s(DATA, ES, 3, b"x"),
        c(HEADERS, EH | ES, 5, &get("/c")),
        s(DATA, ES, 1, b"de"),
    ]);
    assert_eq!(told, ["GET /b > 404 1", "GET /a > 200 5", "GET /c > -"]);
}

#[test]
fn every_kind_of_frame_is_read() {
    let head = get("/a");
    let (one, two) = head.split_at(20);
    let padded = [&[3], one, &[0; 3]].concat();
    let weighted = [&[2, 0x80, 0, 0, 3, 7], one, &[0; 2]].concat();
    let told = gist(&[
        c(WINDOW, 0, 0, &[0, 1, 0, 0]),
        c(PRIORITY, 0, 9, &[0, 0, 0, 0, 1]),
        c(HEADERS, ES | PAD, 1, &padded),
        c(MORE, 0, 1, b""),
        c(MORE, EH, 1, two),
        c(HEADERS, ES | PAD | PRIO, 3, &weighted),
        c(MORE, EH, 3, two),
        c(PING, 0, 0, &[0; 8]),
        s(PING, 1, 0, &[0; 8]),
        s(0x0a, 0, 1, b"an alternative"),
        s(0xfa, 0xff, 7, b"something new"),
        s(SETTINGS, 0, 0, &[0, 5, 0, 1, 0, 0]),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, PAD, 1, b"\x04abcdpad!"),
        s(DATA, 0, 1, b""),
        s(WINDOW, 0, 1, &[0, 1, 0, 0]),
        s(DATA, PAD | ES, 1, b"\x00ef"),
        s(DATA, PAD, 3, b"\x02"),
        s(DATA, PAD, 3, b"\x00x"),
    ]);
    assert_eq!(told, ["GET /a > 200 6", "GET /a > ?"]);
    // Larger than any frame that was allowed.
    let long = vec![b'x'; 100_000];
    let steps = [
        c(HEADERS, EH | ES, 1, &get("/a")),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, ES, 1, &long),
    ];
    let steps = [start(), steps.to_vec()].concat();
    for size in [1000, usize::MAX] {
        let told = run_on(Http2Stream::new(), &steps, size);
        let response = exchange(&told).response.as_ref().unwrap();
        assert_eq!((response.body.len(), response.body_length), (limits::STREAM_BODY, 100_000));
        let told = run_on(Http2Stream::new().with_bodies(90_000), &steps, size);
        assert_eq!(exchange(&told).response.as_ref().unwrap().body.len(), 90_000);
    }
}

#[test]
fn interim_responses_and_trailers_are_passed_over() {
    let trailer = block(&[("grpc-status", "0")]);
    let told = gist(&[
        c(HEADERS, EH, 1, &post("/a")),
        s(HEADERS, EH, 1, &status("100")),
        c(DATA, 0, 1, b"a=b"),
        c(HEADERS, EH | ES, 1, &trailer),
        s(HEADERS, EH, 1, &status("103")),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, 0, 1, b"abc"),
        s(HEADERS, EH | ES, 1, &trailer),
        c(HEADERS, EH | ES, 3, &get("/b")),
        s(HEADERS, EH | ES, 3, &status("204")),
    ]);
    assert_eq!(told, ["POST /a > 200 3", "GET /b > 204 0"]);
}

#[test]
fn a_promise_is_a_request() {
    let promise = [&[0, 0, 0, 2], &get("/style")[..]].concat();
    let padded = [&[1, 0, 0, 0, 4], &get("/script")[..], &[0]].concat();
    let told = gist(&[
        c(HEADERS, EH | ES, 1, &get("/a")),
        s(PROMISE, EH, 1, &promise),
        s(PROMISE, EH | PAD, 1, &padded),
        s(HEADERS, EH | ES, 1, &status("200")),
        s(HEADERS, EH, 2, &status("200")),
        c(RESET, 0, 4, &[0, 0, 0, 8]),
        s(DATA, ES, 2, b"abc"),
    ]);
    let want = ["GET /a > 200 0", "GET /script > - reset Client CANCEL", "GET /style > 200 3"];
    assert_eq!(told, want);
}

#[test]
fn tunnels_are_told_at_their_head() {
    let connect = block(&[(":method", "CONNECT"), (":authority", "b.example:443")]);
    let socket = [(":method", "CONNECT"), (":protocol", "websocket"), HTTPS, (":path", "/w"), A];
    let steps = [
        c(HEADERS, EH, 1, &connect),
        c(HEADERS, EH, 3, &block(&socket)),
        c(HEADERS, EH, 5, &connect),
        s(HEADERS, EH, 1, &status("200")),
        c(DATA, 0, 1, b"\x16\x03\x01"),
        s(DATA, 0, 1, b"\x16\x03\x03"),
        s(HEADERS, EH, 3, &status("200")),
        s(HEADERS, EH | ES, 5, &status("407")),
        c(RESET, 0, 1, &[0, 0, 0, 8]),
    ];
    let told = run(&steps);
    let want =
        ["CONNECT b.example:443! > 200 0", "CONNECT /w! > 200 0", "CONNECT b.example:443! > 407 0"];
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), want);
    let Http2Event::Exchange(socket) = &told[1] else { panic!("an exchange") };
    assert_eq!(socket.request.as_ref().unwrap().header(":protocol"), Some("websocket"));
}

#[test]
fn streams_are_given_up() {
    let code = |code: u8| [0, 0, 0, code];
    let told = gist(&[
        c(HEADERS, EH | ES, 1, &get("/a")),
        s(RESET, 0, 1, &code(13)),
        c(HEADERS, EH | ES, 3, &get("/b")),
        c(RESET, 0, 3, &code(8)),
        // The answer was on its way.
        s(HEADERS, EH | ES, 3, &status("200")),
        // Answered before the request was sent, and the rest of it is not wanted.
        c(HEADERS, EH, 5, &post("/c")),
        s(HEADERS, EH | ES, 5, &status("413")),
        s(RESET, 0, 5, &code(0)),
        c(HEADERS, EH, 7, &post("/d")),
        s(HEADERS, EH | ES, 7, &status("413")),
        c(RESET, 0, 7, &code(8)),
        c(HEADERS, EH | ES, 9, &get("/e")),
        s(HEADERS, EH, 9, &status("200")),
        s(DATA, 0, 9, b"abc"),
        s(RESET, 0, 9, &code(2)),
        s(RESET, 0, 9, &code(2)),
        s(RESET, 0, 11, &code(99)),
    ]);
    let want = [
        "GET /a > - reset Server HTTP_1_1_REQUIRED",
        "GET /b > - reset Client CANCEL",
        "POST /c! > 413 0",
        "POST /d! > 413 0 reset Client CANCEL",
        "GET /e > 200 3! reset Server INTERNAL_ERROR",
    ];
    assert_eq!(told, want);
    assert_eq!((error_name(7), error_name(14)), (Some("REFUSED_STREAM"), None));
}

#[test]
fn a_stream_left_with_all_its_content_is_whole() {
    let four = |stream| {
        let head = block(&[(":status", "200"), ("content-length", "4")]);
        [s(HEADERS, EH, stream, &head), s(DATA, 0, stream, b"ab")]
    };
    let told = gist(&[
        c(HEADERS, EH | ES, 1, &get("/a")),
        c(HEADERS, EH | ES, 3, &get("/b")),
        c(HEADERS, EH | ES, 5, &get("/c")),
        c(HEADERS, EH | ES, 7, &get("/d")),
        four(1)[0].clone(),
        four(1)[1].clone(),
        s(DATA, PAD, 1, b"\x03cd\0\0\0"),
        c(RESET, 0, 1, &[0, 0, 0, 8]),
        four(3)[0].clone(),
        four(3)[1].clone(),
        c(RESET, 0, 3, &[0, 0, 0, 8]),
        four(5)[0].clone(),
        four(5)[1].clone(),
        s(DATA, 0, 5, b"cd"),
        s(RESET, 0, 5, &[0, 0, 0, 2]),
        four(7)[0].clone(),
        four(7)[1].clone(),
        s(DATA, 0, 7, b"cd"),
    ]);
    let want = [
        "GET /a > 200 4 reset Client CANCEL",
        "GET /b > 200 2! reset Client CANCEL",
        "GET /c > 200 4! reset Server INTERNAL_ERROR",
        "GET /d > 200 4",
    ];
    assert_eq!(told, want);
}

#[test]
fn a_connection_is_given_up() {
    let away = |last: u8, code: u8| [0, 0, 0, last, 0, 0, 0, code, b'w', b'h', b'y'];
    let told = run(&[
        c(HEADERS, EH | ES, 1, &get("/a")),
        c(HEADERS, EH | ES, 3, &get("/b")),
        s(AWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        s(AWAY, 0, 0, &away(1, 11)),
        s(AWAY, 0, 0, &away(1, 11)),
        c(HEADERS, EH | ES, 5, &get("/c")),
        s(HEADERS, EH | ES, 1, &status("200")),
        c(AWAY, 0, 0, &away(0, 0)),
    ]);
    let want = [
        "away Server 2147483647 0",
        "away Server 1 11",
        "GET /b > - away Server ENHANCE_YOUR_CALM",
        "GET /c > - away Server ENHANCE_YOUR_CALM",
        "GET /a > 200 0",
        "away Client 0 0",
    ];
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), want);
    let Http2Event::Exchange(exchange) = &told[2] else { panic!("an exchange") };
    assert_eq!(exchange.broken.unwrap().mark.frame.get(), 6);
}

#[test]
fn what_is_pending_comes_out_at_the_end() {
    let head = get("/b");
    let (cut, _) = head.split_at(head.len() - 4);
    let steps = [
        c(HEADERS, EH | ES, 1, &get("/a")),
        s(HEADERS, EH, 1, &status("200")),
        s(DATA, 0, 1, b"ab"),
        c(HEADERS, ES, 3, cut),
    ];
    assert_eq!(gist(&steps), ["GET /a > 200 2!", "GET ?! > -"]);
    assert_eq!(gist(&[&steps[..3], &[Step::End(Server)]].concat()), ["GET /a > 200 2!"]);
}

#[test]
fn a_hole_loses_the_way_and_the_table() {
    let kept = block(&[("+:method", "PUT"), ("+:path", "/a"), HTTPS, A]);
    let told = run_holes(&[
        c(HEADERS, EH | ES, 1, &kept),
        // Both are in the table.
        c(HEADERS, EH | ES, 3, &[&[0xbe, 0xbf][..], &block(&[HTTPS, A])].concat()),
        Step::Gap(Client),
        Step::Data(Client, b"the rest of a frame".to_vec()),
        c(HEADERS, EH | ES, 9, &[&[0xbe, 0xbf][..], &block(&[HTTPS, A])].concat()),
        c(HEADERS, EH | ES, 11, &[&block(&[("+:path", "/d"), HTTPS])[..], &[0x82]].concat()),
        c(HEADERS, EH | ES, 13, &[0x82, 0x87, 0xbe, 0xc8]),
        s(HEADERS, EH | ES, 9, &status("200")),
        s(HEADERS, EH | ES, 5, &status("200")),
    ]);
    let want = ["? ? > 200 0", "- > 200 0", "PUT /a > -", "PUT /a > -", "GET /d > -", "GET /d > -"];
    assert_eq!(told, want);
}

#[test]
fn a_hole_in_a_body_ends_it() {
    let length = |text| block(&[(":status", "200"), ("content-length", text)]);
    let steps = |text| {
        run_on(
            Http2Stream::new(),
            &[
                start(),
                vec![
                    c(HEADERS, EH | ES, 1, &get("/a")),
                    s(HEADERS, EH, 1, &length(text)),
                    s(DATA, 0, 1, b"ab"),
                    Step::Gap(Server),
                    s(DATA, 0, 1, b"yz"),
                    s(DATA, ES, 1, b""),
                ],
            ]
            .concat(),
            usize::MAX,
        )
    };
    for (text, body, length, lost) in [("9", "ab", 9, 5), ("4", "abyz", 4, 0), ("", "ab", 5, 1)] {
        let told = steps(text);
        let response = exchange(&told).response.as_ref().unwrap();
        assert_eq!(response.body, body.as_bytes(), "{text}");
        assert_eq!((response.body_length, response.lost), (length, lost), "{text}");
        assert!(response.complete);
    }
}

#[test]
fn a_connection_is_met_in_the_middle() {
    let told = run_mid(&[
        Step::Data(Server, b"abc".to_vec()),
        s(DATA, ES, 41, b"the end of an answer"),
        s(HEADERS, EH | ES, 43, &[0xc0, 0xc1]),
        s(HEADERS, EH | ES, 45, &[0x89, 0xc1]),
        c(HEADERS, EH | ES, 47, &[0x82, 0x87, 0xc5, 0xc6]),
        c(HEADERS, EH | ES, 49, &[0x83, 0x87, 0x84, 0xc6]),
        c(HEADERS, EH | ES, 51, &[0xc7, 0x87, 0x44, 2, b'/', b'b', 0xc6]),
        s(HEADERS, EH | ES, 47, &[0xc0, 0xc1]),
        s(HEADERS, EH | ES, 49, &[0x88]),
    ]);
    let want = ["- > 204 0", "GET ? > ?", "POST / > 200 0", "? /b > -"];
    assert_eq!(told, want);
    // It began within the capture after all.
    let steps = [start(), vec![c(HEADERS, EH | ES, 1, &get("/a"))]].concat();
    assert_eq!(run_mid(&steps), ["GET /a > -"]);
    // Nobody said so, and there is no preface.
    let steps =
        [c(HEADERS, EH | ES, 1, &[0x82, 0x87, 0xc5]), s(HEADERS, EH | ES, 1, &[0xc0, 0x88])];
    let told = run_on(Http2Stream::new(), &steps, usize::MAX);
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["GET ? > -"]);
}

#[test]
fn a_connection_may_begin_as_http1() {
    let told = run(&[c(HEADERS, EH | ES, 1, &get("/up"))]);
    let request = exchange(&told).request.clone().unwrap();
    let steps = [start(), vec![s(HEADERS, EH, 1, &status("200")), s(DATA, ES, 1, b"abc")]].concat();
    let told = run_on(Http2Stream::new().with_upgraded(request), &steps, 5);
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["GET /up > 200 3"]);
}

#[test]
fn broken_heads_do_not_stop_the_rest() {
    let told = gist(&[
        // Another frame where more of the head had to come; more of a head that is not there.
        c(HEADERS, ES, 1, &get("/a")),
        c(HEADERS, EH | ES, 3, &get("/b")),
        c(MORE, EH, 3, b"abc"),
        // Padding that is longer than its frame, a payload that is too short, a stray index.
        c(HEADERS, EH | ES | PAD, 5, b"\xffabc"),
        c(HEADERS, EH | ES | PRIO, 7, b"abc"),
        c(HEADERS, EH | ES, 9, &[&get("/c")[..], &[0xff, 0xff]].concat()),
        c(RESET, 0, 3, b"ab"),
        c(AWAY, 0, 0, b"ab"),
        c(DATA, PAD | ES, 3, b""),
        s(SETTINGS, 0, 0, b"abcdefg"),
        s(HEADERS, EH | ES, 3, &status("20x")),
        s(HEADERS, EH | ES, 0, &status("200")),
    ]);
    assert_eq!(told, ["GET /b > ?", "- > 200 0", "GET /c! > -"]);
}

#[test]
fn long_heads_are_cut() {
    let long = "y".repeat(limits::STREAM_HEAD);
    let head = block(&[(":method", "GET"), (":path", "/a"), HTTPS, ("x", &long)]);
    let mut steps = start();
    steps.push(c(HEADERS, ES, 1, &head[..16_000]));
    for piece in head[16_000..].chunks(16_000) {
        steps.push(c(MORE, 0, 1, piece));
    }
    steps.push(c(MORE, EH, 1, b""));
    steps.push(c(HEADERS, EH | ES, 3, &[0x82, 0x87, 0x84, 0xc0]));
    for size in [999, usize::MAX] {
        let told = run_on(Http2Stream::new(), &steps, size);
        assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["GET /a! > -", "GET / > -"]);
        let Http2Event::Exchange(exchange) = &told[1] else { panic!("an exchange") };
        assert_eq!(exchange.request.as_ref().unwrap().unread, 1);
    }
}

#[test]
fn a_small_block_does_not_grow_without_bound() {
    let first = block(&[(":method", "GET"), HTTPS, (":path", "/"), ("+x", &"y".repeat(4000))]);
    let mut stream = Http2Stream::new();
    let mut fields = Vec::new();
    let mut out = |event: Http2Event| {
        if let Http2Event::Exchange(exchange) = event {
            let headers = exchange.request.unwrap().headers;
            fields.push(headers.iter().map(|(_, value)| value.len()).sum::<usize>());
        }
    };
    let bomb = [&[0x82, 0x84, 0x87][..], &[0xbe; 16_000]].concat();
    stream.data(Client, PREFACE, mark(1), &mut out);
    for (id, head) in (1_u32..).step_by(2).zip([&first, &bomb, &bomb]) {
        stream.data(Client, &frame(HEADERS, EH | ES, id, head), mark(2), &mut out);
        assert!(stream.held() < BOUND);
    }
    stream.finish(&mut out);
    assert!(fields.iter().all(|sum| *sum <= limits::HTTP2_FIELDS), "{fields:?}");
}

#[test]
fn floods_are_bounded() {
    let away = |n: u32| [n.to_be_bytes(), [0; 4]].concat();
    let big = block(&[(":method", "GET"), (":path", "/"), HTTPS, ("x", &"y".repeat(12_000))]);
    let form = "x".repeat(16_000);
    let mut stream = Http2Stream::new();
    let mut told = [0_u32; 2];
    let mut out = |event: Http2Event| match event {
        Http2Event::Exchange(_) => told[0] += 1,
        Http2Event::GoAway { .. } => told[1] += 1,
    };
    stream.data(Client, PREFACE, mark(1), &mut out);
    let zero = frame(MORE, 0, 1, b"").repeat(1000);
    let settings = frame(SETTINGS, 0, 0, &[0, 1, 0xff, 0xff, 0xff, 0xff].repeat(1000));
    for n in 0..1000_u32 {
        let id = n * 2 + 1;
        let mut client = match n % 3 {
            0 => frame(HEADERS, EH | ES, id, &big),
            1 => [frame(HEADERS, EH, id, &post("/")), frame(DATA, 0, id, form.as_bytes())].concat(),
            _ => [frame(HEADERS, EH, id, &get("/")), frame(RESET, 0, id, &[0; 4])].concat(),
        };
        client.extend(frame(AWAY, 0, 0, &away(n)));
        if n == 500 {
            client.extend([zero.clone(), settings.clone()].concat());
        }
        stream.data(Client, &client, mark(2), &mut out);
        assert!(stream.held() < stream.streams.most().saturating_add(BOUND));
        assert!(stream.streams.held() <= stream.streams.most());
    }
    stream.finish(&mut out);
    assert_eq!(told, [1000, limits::HTTP2_GOAWAYS]);
}

#[test]
fn streams_count_with_what_they_take_themselves() {
    let mut stream = Http2Stream::new();
    stream.data(Client, PREFACE, mark(1), &mut |_| {});
    for id in (1..400).step_by(2) {
        stream.data(Client, &frame(HEADERS, EH | ES, id, &get("/")), mark(2), &mut |_| {});
    }
    assert!(stream.held() > 200 * size_of::<ClearExchange>() / 2);
}

#[test]
fn probes() {
    for length in 0..PREFACE.len() {
        assert_eq!(Http2Stream::probe(&PREFACE[..length]), Probe::Unsure);
    }
    assert_eq!(Http2Stream::probe(PREFACE), Probe::Certain);
    assert_eq!(Http2Stream::probe(&[PREFACE, b"\0\0"].concat()), Probe::Certain);
    assert_eq!(Http2Stream::probe(b"PUT "), Probe::No);
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    for length in 0..9 {
        assert_eq!(Http2Stream::probe_server(&settings[..length]), Probe::Unsure, "{length}");
    }
    assert_eq!(Http2Stream::probe_server(&settings), Probe::Certain);
    assert_eq!(Http2Stream::probe_server(&frame(SETTINGS, 0, 0, &[])), Probe::Certain);
    for bytes in
        [&b"HTTP/1.1"[..], b"\0\0\x05\x04", b"\0\0\0\0", b"\0\0\0\x04\x01", b"\x16\x03\x03"]
    {
        assert_eq!(Http2Stream::probe_server(bytes), Probe::No, "{bytes:?}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let head = block(&[(":method", "GET"), (":path", "/s3cret"), ("+cookie", "s3cret")]);
    let mut stream = Http2Stream::new();
    stream.data(Client, PREFACE, mark(1), &mut |_| {});
    stream.data(Client, &frame(HEADERS, EH, 1, &head), mark(1), &mut |_| {});
    assert!(!format!("{stream:?} {:?}", stream.client.decoder).contains("s3cret"));
    assert!(!format!("{:?}", run(&[c(HEADERS, EH | ES, 1, &head)])).contains("s3cret"));
}

/// Frames of any kind, mostly on a few streams and mostly right.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payload = prop_oneof![
        Just(get("/x")),
        Just(post("/p")),
        Just(status("200")),
        Just(status("103")),
        Just(block(&[("+:path", "/kept"), ("+x", "y")])),
        Just(vec![0x82, 0x87, 0xbe, 0xbf]),
        Just(vec![0x88, 0xc0]),
        Just(vec![0, 0, 0, 8]),
        Just(vec![0, 0, 0, 3, 0, 0, 0, 1]),
        Just(vec![0, 1, 0, 0, 1, 0]),
        Just([&[0, 0, 0, 2], &get("/q")[..]].concat()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let frame_of = |kind, flags, stream, payload: Vec<u8>| frame(kind, flags, stream, &payload);
    let frames =
        (0_u8..11, prop_oneof![Just(4_u8), Just(5), Just(0), any::<u8>()], 0_u32..8, payload)
            .prop_map(move |(kind, flags, stream, payload)| frame_of(kind, flags, stream, payload));
    let step = (any::<bool>(), proptest::collection::vec(frames, 1..4))
        .prop_map(|(side, frames)| Step::Data(if side { Client } else { Server }, frames.concat()));
    proptest::collection::vec(step, 0..12)
}

proptest! {
    #[test]
    fn any_split_tells_the_same(steps in steps(), size in 1_usize..60) {
        let steps = [start(), steps].concat();
        let whole = run_on(Http2Stream::new(), &steps, usize::MAX);
        prop_assert_eq!(whole, run_on(Http2Stream::new(), &steps, size));
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_http2(&bytes);
    }

    #[test]
    fn any_conversation(steps in steps(), holes in proptest::collection::vec(0_u8..40, 12)) {
        let mut script = vec![4_u8, 24];
        script.extend_from_slice(PREFACE);
        for (step, hole) in steps.iter().zip(holes) {
            let Step::Data(from, bytes) = step else { continue };
            let side = u8::from(*from == Server);
            for piece in bytes.chunks(255) {
                script.extend([4 | side, u8::try_from(piece.len()).unwrap()]);
                script.extend_from_slice(piece);
            }
            if hole < 4 {
                script.extend([hole, 0]);
            }
        }
        for first in [4, 0x44, 0x24] {
            script[0] = first;
            fuzz_http2(&script);
        }
    }
}
