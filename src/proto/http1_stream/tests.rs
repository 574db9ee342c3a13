//! Tests of HTTP/1 on streams: framing, pairing, holes, tunnels.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;
use Peer::{Client, Server};

fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

/// What happens on a connection, one step a frame.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Data(Peer, &'a [u8]),
    End(Peer),
    Gap(Peer, u64),
    Lost(Peer),
}

fn c(text: &str) -> Step<'_> {
    Step::Data(Client, text.as_bytes())
}

fn s(text: &str) -> Step<'_> {
    Step::Data(Server, text.as_bytes())
}

struct Told {
    events: Vec<HttpEvent>,
    /// What was left for the inside: of the client (early bytes first) and of the server.
    inside: [Vec<u8>; 2],
    tunnel: Option<String>,
    upgraded: Option<String>,
}

/// Runs steps, each cut into pieces of at most `size` bytes, and finishes.
fn run_cut(steps: &[Step<'_>], size: usize) -> Told {
    let mut stream = HttpStream::new();
    let mut events = Vec::new();
    let mut inside = [Vec::new(), Vec::new()];
    for (frame, step) in (1_u64..).zip(steps) {
        let mut out = |event| events.push(event);
        match *step {
            Step::Data(from, bytes) => {
                for piece in bytes.chunks(size.max(1)) {
                    let taken = stream.data(from, piece, mark(frame), &mut out);
                    for (bytes, _) in stream.take_early().pieces() {
                        inside[0].extend_from_slice(bytes);
                    }
                    inside[usize::from(from == Server)].extend_from_slice(&piece[taken..]);
                }
            }
            Step::End(from) => stream.end(from, mark(frame), &mut out),
            Step::Gap(from, length) => stream.gap(from, length, mark(frame), &mut out),
            Step::Lost(from) => stream.lost(from, mark(frame), &mut out),
        }
        assert!(stream.held() < BOUND);
    }
    stream.finish(&mut |event| events.push(event));
    for (bytes, _) in stream.take_early().pieces() {
        inside[0].extend_from_slice(bytes);
    }
    let tunnel = stream.tunnel().map(str::to_owned);
    Told { events, inside, tunnel, upgraded: stream.upgraded().map(str::to_owned) }
}

/// Runs steps whole and in the smallest pieces, and sees that both tell the same.
fn run(steps: &[Step<'_>]) -> Told {
    let told = run_cut(steps, usize::MAX);
    for size in [1, 2, 7] {
        let cut = run_cut(steps, size);
        assert_eq!(told.events, cut.events, "in pieces of {size}");
        assert_eq!((&told.tunnel, &told.inside), (&cut.tunnel, &cut.inside));
    }
    told
}

/// Events in short: `METHOD target > status body-length`, with `!` where an end was not seen.
fn gist(steps: &[Step<'_>]) -> Vec<String> {
    run(steps).events.iter().map(short).collect()
}

fn short(event: &HttpEvent) -> String {
    let exchange = match event {
        HttpEvent::Exchange(exchange) => exchange,
        HttpEvent::NotHttp { from, mark } => return format!("not {from:?} {}", mark.frame),
    };
    let cut = |complete: bool| if complete { "" } else { "!" };
    let request = exchange.request.as_ref().map_or("-".to_owned(), |request| {
        format!("{} {}{}", request.method, request.target, cut(request.complete))
    });
    let response = exchange.response.as_ref().map_or("-".to_owned(), |response| {
        format!("{} {}{}", response.status, response.body_length, cut(response.complete))
    });
    format!("{request} > {response}")
}

fn response(told: &Told) -> &ClearResponse {
    let [HttpEvent::Exchange(exchange)] = told.events.as_slice() else { panic!("one exchange") };
    exchange.response.as_ref().unwrap()
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
const CONNECT: &str = "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n";
const HELLO: &[u8] = b"\x16\x03\x01\x00\x05hello";

#[test]
fn an_exchange_has_its_frames() {
    let told = run(&[
        c("GET /a HTTP/1.1\r\nHo"),
        c("st: a.example\r\n\r\n"),
        s("HTTP/1.1 200 OK\r\n"),
        s("Content-Length: 4\r\nContent-Type: text/html; charset=x\r\n\r\nab"),
        s("cd"),
    ]);
    let [HttpEvent::Exchange(exchange)] = told.events.as_slice() else { panic!("one exchange") };
    let request = exchange.request.as_ref().unwrap();
    assert_eq!(request.host.as_deref(), Some("a.example"));
    let frames = |extent: Extent| [extent.first, extent.head, extent.last].map(|m| m.frame.get());
    assert_eq!(frames(request.extent), [1, 2, 2]);
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(frames(response.extent), [3, 4, 5]);
    assert_eq!((response.reason.as_str(), response.body.as_slice()), ("OK", b"abcd".as_slice()));
    assert_eq!(response.header("content-length"), Some("4"));
}

#[test]
fn bodies_end_where_their_heads_say() {
    for (head, tail, want) in [
        ("200 OK\r\nContent-Length: 3\r\n", "abc", "200 3"),
        ("200 OK\r\nContent-Length: 3, 3\r\n", "abc", "200 3"),
        ("200 OK\r\nContent-Length: 0\r\n", "", "200 0"),
        ("204 No Content\r\nContent-Length: 9\r\n", "", "204 0"),
        ("304 Not Modified\r\nContent-Length: 9\r\n", "", "304 0"),
        (
            "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n",
            "3;x=y\r\nabc\r\n0A \r\n0123456789\r\n0\r\nT: u\r\nV: w\r\n\r\n",
            "200 13",
        ),
        ("200 OK\r\nTransfer-Encoding: chunked\r\n", "2\nab\n0\n\n", "200 2"),
    ] {
        let first = format!("HTTP/1.1 {head}\r\n{tail}");
        let both = format!("{first}HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
        let want = format!("GET /a > {want}");
        assert_eq!(gist(&[c(GET), c(GET), s(&both)]), [&want, "GET /a > 404 0"], "{head}");
        assert_eq!(gist(&[c(GET), s(&first)]), [want], "{head}");
    }
    let head = "HEAD / HTTP/1.1\r\n\r\n";
    let answer = "HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\n";
    assert_eq!(gist(&[c(head), s(answer), c(head), s(answer)]), ["HEAD / > 500 0"; 2]);
}

#[test]
fn the_end_of_a_stream_ends_a_body_without_length() {
    let answer = s("HTTP/1.0 403 Forbidden\r\n\r\n<html>blocked");
    assert_eq!(gist(&[c(GET), answer, Step::End(Server)]), ["GET /a > 403 13"]);
    assert_eq!(gist(&[c(GET), answer]), ["GET /a > 403 13!"]);
    let told = run(&[c(GET), answer, s("</html>"), Step::End(Server)]);
    assert_eq!(response(&told).body, b"<html>blocked</html>");
    let short = s("HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\nabc");
    assert_eq!(gist(&[c(GET), short, Step::End(Server)]), ["GET /a > 200 3!"]);
}

#[test]
fn only_what_can_be_read_is_kept() {
    for (kind, kept) in [
        ("text/html", true),
        ("Text/Plain; charset=utf-8", true),
        ("application/problem+json", true),
        ("application/x-ns-proxy-autoconfig", true),
        ("image/png", false),
        ("application/ocsp-response", false),
    ] {
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\nab");
        let told = run(&[c(GET), s(&answer)]);
        assert_eq!(
            (response(&told).body.len(), response(&told).body_length),
            (2 * usize::from(kept), 2)
        );
    }
    let long = "x".repeat(limits::STREAM_BODY + 10);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}", long.len());
    let told = run_cut(&[c(GET), s(&answer)], 1000);
    assert_eq!(response(&told).body.len(), limits::STREAM_BODY);
    assert!(response(&told).complete);
    assert!(is_ocsp("application/OCSP-response; x") && !is_ocsp("text/html"));
}

#[test]
fn forms_are_kept_and_other_bodies_counted() {
    let post = |kind: &str| {
        let text =
            format!("POST /p HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: 3\r\n\r\na=b");
        let told = run(&[c(&text), c(GET)]);
        let HttpEvent::Exchange(exchange) = &told.events[0] else { panic!("an exchange") };
        let request = exchange.request.clone().unwrap();
        (request.body.len(), request.body_length, request.complete)
    };
    assert_eq!(post("application/x-www-form-urlencoded"), (3, 3, true));
    assert_eq!(post("application/octet-stream"), (0, 3, true));
}

#[test]
fn interim_responses_are_passed_over() {
    let post = "POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let both = format!("{early}{answer}");
    assert_eq!(gist(&[c(post), s(interim), c("ab"), s(&both)]), ["POST /p > 200 0"]);
}

#[test]
fn a_request_may_be_answered_before_its_body_was_sent() {
    let post = "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nab";
    let answer = "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n";
    let next = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let rest = format!("cde{GET}");
    assert_eq!(
        gist(&[c(post), s(answer), c(&rest), s(next)]),
        ["POST /p! > 413 0", "GET /a > 200 0"]
    );
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na";
    assert_eq!(gist(&[c(post), s(slow), c("cde"), s("b")]), ["POST /p > 200 2"]);
}

#[test]
fn a_response_without_a_request_is_told() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(gist(&[s(answer), c(GET), s(answer)]), ["- > 200 0", "GET /a > 200 0"]);
    assert_eq!(gist(&[s("the middle of a page"), c(GET), s(answer)]), ["GET /a > 200 0"]);
}

#[test]
fn a_response_out_of_its_order_moves_no_other() {
    let ok = |status: u16| format!("HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n");
    let get = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let told = gist(&[
        c(&get("a")),
        s(&ok(200)),
        // Captured before its request.
        s(&ok(400)),
        c(&get("b")),
        c(&get("c")),
        s(&ok(201)),
        c(&get("d")),
        s(&ok(202)),
    ]);
    let want = ["GET /a > 200 0", "- > 400 0", "GET /b > -", "GET /c > 201 0", "GET /d > 202 0"];
    assert_eq!(told, want);
    // Both a response and the next request are missing.
    let told = gist(&[
        c(&get("a")),
        Step::Gap(Server, 40),
        Step::Gap(Client, 40),
        s(&ok(203)),
        c(&get("c")),
        s(&ok(204)),
    ]);
    assert_eq!(told, ["GET /a > -", "- > 203 0", "GET /c > 204 0"]);
    let told = gist(&[c(&get("a")), Step::Gap(Server, 40), s(&ok(203)), c(&get("c")), s(&ok(204))]);
    assert_eq!(told, ["GET /a > -", "- > 203 0", "GET /c > 204 0"]);
    // Where the capture begins, the request is before it.
    let told = gist(&[s(&ok(200)), c(&get("b")), c(&get("c")), s(&ok(201)), s(&ok(202))]);
    assert_eq!(told, ["- > 200 0", "GET /b > 201 0", "GET /c > 202 0"]);
}

#[test]
fn a_tunnel_begins_behind_its_head() {
    let granted = s("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\nserver");
    let told = run(&[c(CONNECT), granted, Step::Data(Client, HELLO), s("more")]);
    assert_eq!(
        told.events.iter().map(short).collect::<Vec<_>>(),
        ["CONNECT b.example:443 > 200 0"]
    );
    assert_eq!(told.tunnel.as_deref(), Some("b.example:443"));
    assert_eq!(told.inside, [HELLO.to_vec(), b"servermore".to_vec()]);
    // The client did not wait.
    let told = run(&[c(CONNECT), Step::Data(Client, HELLO), granted]);
    assert_eq!(told.inside, [HELLO.to_vec(), b"server".to_vec()]);
    assert_eq!(told.events.len(), 1);
}

#[test]
fn a_proxy_may_ask_for_credentials_first() {
    let asks = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    let again = CONNECT.replace("\r\n\r\n", "\r\nProxy-Authorization: Negotiate abc\r\n\r\n");
    let granted = "HTTP/1.1 200 OK\r\n\r\n";
    let want = ["CONNECT b.example:443 > 407 6", "CONNECT b.example:443 > 200 0"];
    let steps = [c(CONNECT), s(asks), c(&again), s(granted), Step::Data(Client, HELLO)];
    let told = run(&steps);
    assert_eq!(told.events.iter().map(short).collect::<Vec<_>>(), want);
    assert_eq!(told.inside[0], HELLO);
    // The second request was captured before the answer it follows.
    assert_eq!(gist(&[steps[0], steps[2], steps[1], steps[3]]), want);
}

#[test]
fn a_tunnel_that_is_used_was_granted() {
    let want = ["CONNECT b.example:443 > -"];
    let hello = Step::Data(Client, HELLO);
    for steps in [
        vec![c(CONNECT), hello],
        vec![c(CONNECT), Step::Gap(Server, 39), hello, s("\x16\x03\x03")],
        vec![c(CONNECT), hello, Step::Gap(Server, 39), s("\x16\x03\x03")],
        vec![c(CONNECT), hello, s("\x16\x03\x03")],
    ] {
        let told = run(&steps);
        assert_eq!(told.events.iter().map(short).collect::<Vec<_>>(), want);
        assert_eq!(told.tunnel.as_deref(), Some("b.example:443"));
        assert_eq!(told.inside[0], HELLO);
        assert!(told.inside[1].is_empty() || told.inside[1] == b"\x16\x03\x03");
    }
    // Much was sent, and nothing of the server was captured.
    let long = [HELLO, &vec![7; limits::EARLY_BYTES * 2]].concat();
    let told = run_cut(&[c(CONNECT), Step::Data(Client, &long)], 1000);
    assert_eq!((told.inside[0].as_slice(), told.events.len()), (long.as_slice(), 1));
}

#[test]
fn an_upgrade_ends_http() {
    let ask = "GET /w HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let yes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n\0\0\0";
    let told = run(&[c(ask), s(yes), c("PRI * HTTP/2.0\r\n\r\n")]);
    assert_eq!((told.events.len(), told.upgraded.as_deref()), (1, Some("h2c")));
    assert_eq!(told.inside, [b"PRI * HTTP/2.0\r\n\r\n".to_vec(), b"\0\0\0".to_vec()]);
    let no = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let want = ["GET /w > 200 0", "GET /a > 200 0"];
    assert_eq!(gist(&[c(ask), s(no), c(GET), s(no)]), want);
    assert_eq!(gist(&[c(ask), c(GET), s(no), s(no)]), want);
    assert_eq!(gist(&[c(ask), c(GET)]), ["GET /w > -", "GET /a > -"]);
}

#[test]
fn what_is_not_http_is_told_once() {
    for text in
        ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /old\r\n", "\x16\x03\x01\x02", "EHLO a b\r\n"]
    {
        assert_eq!(gist(&[c(text), c("\x01\x02"), c(text)]), ["not Client 1"], "{text:?}");
    }
    let short = "POST /p HTTP/1.1\r\nContent-Length: 1\r\n\r\nabc";
    assert_eq!(gist(&[c(short), c(GET)]), ["POST /p > -", "GET /a > -"]);
    let answer = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(gist(&[c("\x16\x03\x01"), s(answer)]), ["not Client 1", "- > 400 0"]);
    assert_eq!(gist(&[c(GET), s("SSH-2.0-x\r\n")]), ["not Server 2", "GET /a > -"]);
    assert_eq!(gist(&[c(GET), s("HTTP/2 200 OK\r\n\r\n")]), ["not Server 2", "GET /a > -"]);
}

#[test]
fn holes_in_a_body_are_counted() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    let next = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    let steps = [c(GET), s(head), Step::Gap(Server, 5), s("xyz"), c(GET), s(next)];
    let told = run(&steps);
    let HttpEvent::Exchange(exchange) = &told.events[0] else { panic!("an exchange") };
    let response = exchange.response.as_ref().unwrap();
    assert_eq!((response.body_length, response.lost, response.complete), (10, 5, true));
    assert_eq!(response.body, b"ab");
    assert_eq!(short(&told.events[1]), "GET /a > 404 0");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab";
    let steps = [c(GET), s(chunked), Step::Gap(Server, 5), s("x\r\n0\r\n\r\n")];
    assert_eq!(gist(&steps), ["GET /a > 200 8"]);
    let post = "POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(gist(&[c(post), Step::Gap(Client, 9), c(GET)]), ["POST /p > -", "GET /a > -"]);
}

#[test]
fn the_way_is_found_again_behind_a_hole() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    let next = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    let get = GET.replace("/a", "/b");
    // The rest of one response and the whole of another are missing.
    let steps = [c(GET), s(head), Step::Gap(Server, 500), s("junk"), c(GET), c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > 200 10!", "GET /a > -", "GET /b > 404 0"]);
    let steps = [c(GET), Step::Gap(Server, 90), c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > -", "GET /b > 404 0"]);
    let steps = [Step::Gap(Client, 90), s(next), c("junk"), c(&get), s(next)];
    assert_eq!(gist(&steps), ["- > 404 0", "GET /b > 404 0"]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    let steps = [c(GET), s(chunked), Step::Gap(Server, 5), s("xyz"), c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > 200 2!", "GET /b > 404 0"]);
    // The end of a head is missing.
    let steps = [c("GET /a HTTP/1.1\r\nHost: a"), Step::Gap(Client, 5), c(&get), s(next), s(next)];
    assert_eq!(gist(&steps), ["GET /a! > 404 0", "GET /b > 404 0"]);
    let steps = [c(GET), s("HTTP/1.1 502 Bad\r\nVia: x"), Step::Gap(Server, 5), c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > 502 0!", "GET /b > 404 0"]);
}

#[test]
fn the_way_is_found_again_where_nobody_knows_what_is_missing() {
    let gist = |steps: &[Step<'_>]| {
        run_cut(steps, usize::MAX).events.iter().map(short).collect::<Vec<_>>()
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    let next = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    let get = GET.replace("/a", "/b");
    let lost = Step::Lost(Server);
    let steps = [c(GET), s(head), lost, s("junk"), c(GET), c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > 200 10!", "GET /a > -", "GET /b > 404 0"]);
    assert_eq!(gist(&[c(GET), lost, c(&get), s(next)]), ["GET /a > -", "GET /b > 404 0"]);
    let steps = [c(GET), s("HTTP/1.1 502 Bad\r\nVia: x"), lost, c(&get), s(next)];
    assert_eq!(gist(&steps), ["GET /a > 502 0!", "GET /b > 404 0"]);
    // A body up to the end of the stream goes on.
    let open = "HTTP/1.1 200 OK\r\n\r\nab";
    let told = run_cut(&[c(GET), s(open), lost, s("cd"), Step::End(Server)], usize::MAX);
    let answer = response(&told);
    assert_eq!((answer.body.as_slice(), answer.body_length, answer.lost), (&b"ab"[..], 5, 1));
    // What the client sends.
    let lost = Step::Lost(Client);
    assert_eq!(
        gist(&[c("GET /a HTTP/1.1\r\nHost: a"), lost, c(&get)]),
        ["GET /a! > -", "GET /b > -"]
    );
    let post = "POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nab";
    assert_eq!(gist(&[c(post), lost, c("yz"), c(GET)]), ["POST /p! > -", "GET /a > -"]);
    let granted = s("HTTP/1.1 200 OK\r\n\r\n");
    let told = run_cut(&[c(CONNECT), Step::Data(Client, HELLO), lost, granted], usize::MAX);
    assert_eq!((told.tunnel.as_deref(), told.events.len()), (Some("b.example:443"), 1));
    let told = run_cut(&[c(CONNECT), lost, granted], usize::MAX);
    assert_eq!((told.tunnel.as_deref(), told.events.len()), (Some("b.example:443"), 1));
    // Each piece may begin with a message, even in the same frame.
    let mut stream = HttpStream::new();
    let mut events = Vec::new();
    for text in ["junk", GET] {
        stream.data(Client, b"GET /c", mark(1), &mut |event| events.push(event));
        stream.lost(Client, mark(1), &mut |event| events.push(event));
        stream.data(Client, text.as_bytes(), mark(1), &mut |event| events.push(event));
    }
    stream.finish(&mut |event| events.push(event));
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), ["GET /a > -"]);
}

#[test]
fn more_is_kept_where_the_caller_says_so() {
    let long = "x".repeat(limits::STREAM_BODY + 10);
    for (kind, asked, answered, usual) in [
        ("application/json", true, true, true),
        ("application/soap+xml; charset=utf-8", true, true, false),
        ("text/xml", true, true, false),
        ("application/x-www-form-urlencoded", true, true, false),
        ("text/html", false, true, true),
        ("text/javascript", false, true, false),
        ("image/svg+xml", false, false, false),
        ("font/woff2", false, false, false),
    ] {
        let head = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{long}", long.len());
        let (post, answer) =
            (format!("POST /p HTTP/1.1\r\n{head}"), format!("HTTP/1.1 200 OK\r\n{head}"));
        for (stream, most, request, response) in [
            (HttpStream::new().with_bodies(1 << 20), 1 << 20, asked, answered),
            (HttpStream::new(), limits::STREAM_BODY, kind.contains("form"), usual),
        ] {
            let mut stream = stream;
            let mut told = Vec::new();
            let mut out = |event| {
                if let HttpEvent::Exchange(exchange) = event {
                    let lengths = (exchange.request.unwrap(), exchange.response.unwrap());
                    told.push((lengths.0.body.len(), lengths.1.body.len()));
                }
            };
            stream.data(Client, post.as_bytes(), mark(1), &mut out);
            stream.data(Server, answer.as_bytes(), mark(2), &mut out);
            let want = |kept: bool| if kept { long.len().min(most) } else { 0 };
            assert_eq!(told, [(want(request), want(response))], "{kind}");
        }
    }
}

#[test]
fn what_is_pending_comes_out_at_the_end() {
    assert_eq!(gist(&[c(GET)]), ["GET /a > -"]);
    assert_eq!(gist(&[c("GET /a HTTP/1.1\r\nHost: a.exam")]), ["GET /a! > -"]);
    assert_eq!(gist(&[c("GET /a HTT")]), ["GET /a! > -"]);
    assert_eq!(gist(&[c("GET /a"), s("HTTP/1.1 40")]), Vec::<String>::new());
    let cut = c("CONNECT b.example:443 H");
    let steps = [cut, Step::Gap(Client, 90), s("HTTP/1.1 407 Pro"), Step::Gap(Server, 90)];
    assert_eq!(gist(&steps), ["CONNECT b.example:443! > 407 0!"]);
    let granted = s("HTTP/1.1 200 Connection es");
    let told = run(&[cut, Step::Gap(Client, 90), granted, Step::Gap(Server, 90), s("\x16\x03")]);
    assert_eq!((told.tunnel.as_deref(), told.inside[1].len()), (Some("b.example:443"), 2));
    assert_eq!(gist(&[c(GET), s("HTTP/1.1 503 Busy\r\nVia")]), ["GET /a > 503 0!"]);
    assert_eq!(gist(&[c(GET), s("HTTP/1.1 503 Busy\r\n"), Step::End(Server)]), ["GET /a > 503 0!"]);
}

#[test]
fn pipelining_is_bounded() {
    let many = GET.repeat(limits::STREAM_WAITING + 3);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(limits::STREAM_WAITING + 3);
    let told = gist(&[c(&many), s(&answer)]);
    let count = |text: &str| told.iter().filter(|told| *told == text).count();
    assert_eq!((count("GET /a > -"), count("- > 200 0")), (3, 3));
    assert_eq!(count("GET /a > 200 0"), limits::STREAM_WAITING);
}

#[test]
fn odd_lines_are_read() {
    let told = run(&[
        c("\r\n\nGET /a b HTTP/1.1\nHost:h\nno colon\n\n\r\n"),
        s("HTTP/1.1  200\nContent-Length:2\n\nab"),
        s("\r\n"),
        c(GET),
        s("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let told: Vec<_> = told.events.iter().map(short).collect();
    assert_eq!(told, ["GET /a b > 200 2", "GET /a > 200 0"]);
}

#[test]
fn long_heads_are_cut() {
    let long = format!("GET /a HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(limits::STREAM_HEAD));
    let told = run_cut(&[c(&long), c(GET)], 900);
    assert_eq!(told.events.iter().map(short).collect::<Vec<_>>(), ["GET /a! > -", "GET /a > -"]);
    let target = format!("GET /{} HTTP/1.1\r\n\r\n", "é".repeat(limits::STREAM_TARGET));
    let told = run_cut(&[c(&target)], 900);
    let HttpEvent::Exchange(exchange) = &told.events[0] else { panic!("an exchange") };
    assert_eq!(exchange.request.as_ref().unwrap().target.len(), limits::STREAM_TARGET - 1);
}

#[test]
fn probes() {
    for (text, want) in [
        ("", Probe::Unsure),
        ("GE", Probe::Unsure),
        ("GET ", Probe::Certain),
        ("\r\nCONNECT a:443 HTTP/1.1", Probe::Certain),
        ("RPC_IN_DATA /rpc", Probe::Unsure),
        ("RPC_IN_DATA /rpc HTTP/1.1\r\n", Probe::Certain),
        ("GET /old\r\n", Probe::No),
        ("PRI * HTTP/2.0\r\n", Probe::No),
        ("\x16\x03\x01", Probe::No),
        ("SSH-2.0-OpenSSH_9.6 x\r\n", Probe::No),
        ("averyveryverylongfirstword", Probe::No),
    ] {
        assert_eq!(probe_request(text.as_bytes()), want, "{text:?}");
    }
    for (text, want) in [
        ("HTT", Probe::Unsure),
        ("HTTP/1.", Probe::Certain),
        ("HTTP/1.0 200 OK", Probe::Certain),
        ("HTTP/2", Probe::No),
        ("<html>", Probe::No),
    ] {
        assert_eq!(probe_response(text.as_bytes()), want, "{text:?}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let text = "POST /s3cret?s3cret HTTP/1.1\r\nCookie: s3cret\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\ns3cret";
    let mut stream = HttpStream::new();
    stream.data(Client, text.as_bytes(), mark(1), &mut |_| {});
    stream.data(Client, b"GET /s3cret HTTP/1.1\r\nX: s3cret", mark(1), &mut |_| {});
    let printed = format!("{stream:?}");
    assert!(!printed.contains("s3cret"), "{printed}");
    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nContent-Length: 6\r\n\r\ns3cret";
    let printed = format!("{:?}", run(&[c(text), s(answer)]).events);
    assert!(!printed.contains("s3cret") && printed.contains("Set-Cookie"), "{printed}");
}

fn steps() -> impl Strategy<Value = Vec<(u8, usize, u64)>> {
    proptest::collection::vec((0_u8..16, 0_usize..PIECES.len(), 0_u64..60), 0..24)
}

/// Parts of conversations.
const PIECES: &[&str] = &[
    GET,
    CONNECT,
    "POST /p HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=b",
    "GET /w HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabcd",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "HTTP/1.1 407 No\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.0 304 Same\n\n",
    "de\r\n0\r\nA: b\r\n\r\n",
    "HTTP/1.",
    "\x16\x03\x01\0\x02ab",
    "\r\n",
    " /x HTTP/1.1\r\n",
    "efgh",
];

proptest! {
    #[test]
    fn any_split_tells_the_same(steps in steps(), size in 1_usize..40) {
        let steps: Vec<_> = steps.iter().map(|(kind, piece, length)| {
            let from = if kind & 1 == 0 { Client } else { Server };
            match kind >> 1 {
                0 if *length < 20 => Step::End(from),
                1 => Step::Gap(from, *length),
                _ => Step::Data(from, PIECES[*piece].as_bytes()),
            }
        }).collect();
        let (whole, cut) = (run_cut(&steps, usize::MAX), run_cut(&steps, size));
        prop_assert_eq!(whole.events, cut.events);
        prop_assert_eq!(whole.tunnel, cut.tunnel);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_http1_stream(&bytes);
    }

    #[test]
    fn any_conversation(steps in steps()) {
        let mut script = Vec::new();
        for (kind, piece, _) in &steps {
            let piece = PIECES[*piece].as_bytes();
            script.extend([*kind, u8::try_from(piece.len()).unwrap()]);
            if !matches!(kind >> 1 & 7, 0..=3) {
                script.extend_from_slice(piece);
            }
        }
        fuzz_http1_stream(&script);
    }
}
