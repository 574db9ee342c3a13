//! A packet capture of people who browse and sign in over TLS, with the keys of it: HTTP/1.1 and HTTP/2
//! under four suites, many connections side by side. It imports nothing of the crate, and remembers
//! what it made.
#![allow(dead_code, reason = "each user needs a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![allow(clippy::format_collect, reason = "no text is long")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write as _};

use super::sealed::{CLIENT, DATA, LONGEST, SERVER, Suite, Talk, Tls};
use super::traffic::{End, HEAD, Numbers, Plan, Writer, flag};

/// Hosts, the first of which are those of a sign-in.
const HOSTS: [&str; 12] = [
    "login.microsoftonline.com",
    "aadcdn.msauth.net",
    "login.live.com",
    "portal.fabrikam.example",
    "mail.fabrikam.example",
    "www.contoso.example",
    "cdn.contoso.example",
    "img.contoso.example",
    "video.contoso.example",
    "api.adatum.example",
    "static.adatum.example",
    "news.proseware.example",
];
const SIGN_IN: u32 = 3;
/// One connection in so many is to a host of a sign-in.
const RARELY: u32 = 10;
/// Bytes of an exchange, about: what the bodies below have on average, and heads.
const MEAN: u64 = 61_000;
/// Bytes of the content of a frame of HTTP/2.
const FRAME: usize = 8 << 10;

/// A request and its status: stream of TCP, method, host, path.
pub(crate) type Fact = (u32, String, String, String, u16);
/// What was made, with how often.
pub(crate) type Facts = BTreeMap<Fact, u64>;

/// A body that is sent now and then.
struct Body {
    kind: &'static str,
    is_packed: bool,
    bytes: Vec<u8>,
}

/// One connection.
struct Visit {
    talk: Talk,
    stream: u32,
    host: &'static str,
    encoders: Option<[fluke_hpack::Encoder<'static>; 2]>,
    /// The next stream of HTTP/2.
    next: u32,
    /// Exchanges to come.
    left: u32,
    /// Records on their way.
    pending: VecDeque<(usize, Vec<u8>)>,
}

/// The capture.
pub(crate) struct Browsing {
    plan: Plan,
    writer: Writer,
    at: usize,
    numbers: Numbers,
    bodies: Vec<Body>,
    open: Vec<Visit>,
    next: u32,
    pub(crate) facts: Facts,
}

/// The suite of a connection.
fn suite(number: u32) -> Suite {
    Suite::ALL[usize::try_from(number % 4).unwrap()]
}

/// The key log of so many connections; those of another `run` fit no packet of this one.
pub(crate) fn key_log(connections: u32, run: u64) -> String {
    let tls = |number| Tls::new(u64::from(number) + (run << 32), suite(number));
    (0..connections).map(|number| tls(number).key_log()).collect()
}

/// Text that is packed to about a quarter.
fn text(numbers: &mut Numbers, length: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "function",
        "return",
        "const",
        "this.state",
        "(e,t,n)",
        "{",
        "}",
        "=>",
        "&&",
        "||",
        "!==",
        "null",
        "document",
        ".push(",
        "\"value\":",
        ";\n",
    ];
    let mut out = Vec::with_capacity(length + 16);
    while out.len() < length {
        out.extend(WORDS[usize::try_from(numbers.below(16)).unwrap()].bytes());
        out.extend(format!(" {:x} ", numbers.below(4096)).into_bytes());
    }
    out.truncate(length);
    out
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bodies(numbers: &mut Numbers) -> Vec<Body> {
    let mut all = Vec::new();
    let kinds = [
        ("application/json", [700, 1_500, 4_000], false),
        ("text/html; charset=utf-8", [30_000, 60_000, 120_000], true),
        ("application/x-javascript", [100_000, 300_000, 700_000], true),
        ("text/javascript", [20_000, 60_000, 140_000], false),
        ("image/png", [5_000, 40_000, 120_000], false),
    ];
    for (kind, sizes, is_packed) in kinds {
        for size in sizes {
            let mut bytes = text(numbers, size);
            if kind.starts_with("text/html") {
                let start = b"<html><head><title>Sign in</title></head><body><script>$Config={\"pgid\":\"ConvergedSignIn\",\"x\":\"\"};</script><pre>";
                bytes = [&start[..], &bytes, b"</pre></body></html>"].concat();
            } else if kind.starts_with("image") {
                bytes = (0..size).map(|_| numbers.next().to_le_bytes()[1]).collect();
            } else if kind.ends_with("json") {
                let words: String = (0..size / 20)
                    .map(|_| format!("\"item{:05}\",", numbers.below(10_000)))
                    .collect();
                bytes = format!("{{\"items\":[{words}0]}}").into_bytes();
            }
            let bytes = if is_packed { packed(&bytes) } else { bytes };
            all.push(Body { kind, is_packed, bytes });
        }
    }
    all
}

/// What one exchange says: fields of both heads, in the order of HTTP/2, and the body of the request.
struct Words {
    request: Vec<(&'static str, String)>,
    form: Vec<u8>,
    response: Vec<(&'static str, String)>,
}

impl Browsing {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut numbers = Numbers::new(11);
        let bodies = bodies(&mut numbers);
        let mut writer = Writer::new();
        writer.out.extend_from_slice(HEAD);
        let facts = Facts::new();
        Self { plan, writer, at: 0, numbers, bodies, open: Vec::new(), next: 0, facts }
    }

    /// Frames that were made.
    pub(crate) const fn frames(&self) -> u64 {
        self.writer.frames
    }

    fn begin(&mut self) {
        let number = self.next;
        self.next += 1;
        let byte = |number: u32| u8::try_from(number % 256).unwrap();
        let client = [10, 1, byte(number % 500 / 250), byte(number % 250 + 1)];
        let client = End::new(client, u16::try_from(1024 + (number / 500) % 60_000).unwrap());
        let others = u32::try_from(HOSTS.len()).unwrap() - SIGN_IN;
        let host = if self.numbers.below(RARELY) == 0 {
            self.numbers.below(SIGN_IN)
        } else {
            SIGN_IN + self.numbers.below(others)
        };
        let server = End::new([40, 0, 0, byte(host + 1)], 443);
        let host = HOSTS[usize::try_from(host).unwrap()];
        // Each suite with each protocol.
        let is_new = (number / 4).is_multiple_of(2);
        let tls = Tls::new(u64::from(number), suite(number));
        let mut talk = Talk::new(client, server, tls);
        talk.shake(&mut self.writer, host, if is_new { "h2" } else { "http/1.1" });
        let mean = self.plan.bytes / u64::from(self.plan.connections.max(1)) / MEAN;
        let left = 1 + self.numbers.below(u32::try_from(mean * 2).unwrap());
        let mut visit = Visit {
            talk,
            stream: number,
            host,
            encoders: is_new.then(|| [fluke_hpack::Encoder::new(), fluke_hpack::Encoder::new()]),
            next: 1,
            left,
            pending: VecDeque::new(),
        };
        if is_new {
            let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x0c\x04\0\0\0\0\0\0\x02\0\0\0\0\0\x04\0\x60\0\0";
            visit.queue(CLIENT, start);
            visit.queue(SERVER, b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\0\x04\x01\0\0\0\0");
            visit.queue(CLIENT, b"\0\0\0\x04\x01\0\0\0\0");
        }
        self.open.push(visit);
    }

    /// Makes the next frames; `false` when nothing is left.
    fn make(&mut self) -> bool {
        self.writer.clock += u64::from(self.numbers.below(400)) + 1;
        let open = usize::try_from(self.plan.open).unwrap();
        while self.open.len() < open && self.next < self.plan.connections {
            self.begin();
        }
        let Ok(count @ 1..) = u32::try_from(self.open.len()) else { return false };
        let place = usize::try_from(self.numbers.below(count)).unwrap();
        if self.open[place].pending.is_empty() {
            if self.open[place].left == 0 {
                let mut visit = self.open.swap_remove(place);
                visit.talk.close(&mut self.writer);
                return true;
            }
            self.exchange(place);
        }
        let visit = &mut self.open[place];
        let Some((side, record)) = visit.pending.pop_front() else { return true };
        for (index, piece) in record.chunks(1460).enumerate() {
            visit.talk.put(&mut self.writer, side, flag::PSH | flag::ACK, piece);
            if index % 2 == 1 {
                visit.talk.put(&mut self.writer, 1 - side, flag::ACK, b"");
            }
        }
        true
    }

    /// Makes the next exchanges of a connection: of HTTP/2 some at once.
    fn exchange(&mut self, place: usize) {
        let most = if self.open[place].encoders.is_some() { 1 + self.numbers.below(4) } else { 1 };
        let count = most.min(self.open[place].left);
        self.open[place].left -= count;
        let mut answers = Vec::new();
        for _ in 0..count {
            let body = usize::try_from(self.numbers.below(15)).unwrap();
            let words = self.words(place, body);
            let visit = &mut self.open[place];
            let id = visit.next;
            visit.next += 2;
            visit.ask(id, &words);
            answers.push((id, words.response, body));
        }
        let visit = &mut self.open[place];
        for (id, fields, body) in &answers {
            visit.answer(*id, fields, &self.bodies[*body].bytes);
        }
        // The contents of streams take turns.
        if visit.encoders.is_some() {
            let longest = answers.iter().map(|(.., body)| self.bodies[*body].bytes.len()).max();
            for from in (0..longest.unwrap_or(0)).step_by(FRAME) {
                for (id, _, body) in &answers {
                    let bytes = &self.bodies[*body].bytes;
                    let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) else {
                        continue;
                    };
                    let ends = rest.len() <= FRAME;
                    let piece = &rest[..rest.len().min(FRAME)];
                    visit.queue(SERVER, &frame(0, u8::from(ends), *id, piece));
                }
            }
        }
    }

    /// What the next exchange says, which is noted.
    fn words(&mut self, place: usize, body: usize) -> Words {
        let (stream, host) = (self.open[place].stream, self.open[place].host);
        let is_post = self.numbers.below(4) == 0;
        let method = if is_post { "POST" } else { "GET" };
        let number = self.numbers.below(1000);
        // Of other hosts no more than the first word of a path is told.
        let words = ["account", "assets", "inbox", "items", "news", "search", "static", "video"];
        let path = match number % 3 {
            _ if !HOSTS[..3].contains(&host) => {
                format!("/{}", words[usize::try_from(number % 8).unwrap()])
            }
            0 => "/common/oauth2/v2.0/authorize".to_owned(),
            1 => format!("/common/SAS/{number}"),
            _ => format!("/api/v1/item/{number}"),
        };
        let status = if self.numbers.below(20) == 0 { 404 } else { 200 };
        let fact = (stream, method.to_owned(), host.to_owned(), path.clone(), status);
        *self.facts.entry(fact).or_default() += 1;
        let cookie: String = (0..40).map(|_| format!("{:08x}", self.numbers.next())).collect();
        let target = format!("{path}?state={:08x}{:08x}", self.numbers.next(), self.numbers.next());
        let form =
            if is_post { format!("canary={cookie}&type=11").into_bytes() } else { Vec::new() };
        let mut request = vec![
            (":method", method.to_owned()),
            (":scheme", "https".to_owned()),
            (":authority", host.to_owned()),
            (":path", target),
            ("user-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36".to_owned()),
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
            ("accept-encoding", "gzip, deflate, br".to_owned()),
            ("accept-language", "en-US,en;q=0.9".to_owned()),
            ("cookie", format!("session={cookie}")),
        ];
        if is_post {
            request.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
            request.push(("content-length", form.len().to_string()));
        }
        let Body { kind, is_packed, bytes } = &self.bodies[body];
        let mut response = vec![
            (":status", status.to_string()),
            ("date", "Tue, 01 Jan 2030 00:00:00 GMT".to_owned()),
            ("content-type", (*kind).to_owned()),
            ("content-length", bytes.len().to_string()),
            ("cache-control", "no-store, no-cache".to_owned()),
            ("strict-transport-security", "max-age=31536000; includeSubDomains".to_owned()),
            ("x-ms-request-id", format!("{:08x}-0000-4000-8000-000000000000", self.numbers.next())),
        ];
        if *is_packed {
            response.push(("content-encoding", "gzip".to_owned()));
        }
        Words { request, form, response }
    }
}

impl Visit {
    /// Seals text and lets it wait for its turn.
    fn queue(&mut self, side: usize, text: &[u8]) {
        for piece in text.chunks(LONGEST) {
            let mut record = Vec::new();
            self.talk.tls.seal(side, DATA, piece, &mut record);
            self.pending.push_back((side, record));
        }
    }

    fn ask(&mut self, id: u32, words: &Words) {
        let Words { request, form, .. } = words;
        if let Some([encoder, _]) = &mut self.encoders {
            let head = frame(1, 4 | u8::from(form.is_empty()), id, &block(encoder, request));
            let body = if form.is_empty() { Vec::new() } else { frame(0, 1, id, form) };
            return self.queue(CLIENT, &[head, body].concat());
        }
        let value = |name| &request.iter().find(|(known, _)| *known == name).unwrap().1;
        let line = format!("{} {} HTTP/1.1", value(":method"), value(":path"));
        let host = ("host", value(":authority").clone());
        let fields = [&[host], &request[4..]].concat();
        self.queue(CLIENT, &[head(&line, &fields), form.clone()].concat());
    }

    /// The head of an answer; of HTTP/1 the body as well.
    fn answer(&mut self, id: u32, fields: &[(&'static str, String)], body: &[u8]) {
        if let Some([_, encoder]) = &mut self.encoders {
            let head = frame(1, 4, id, &block(encoder, fields));
            return self.queue(SERVER, &head);
        }
        let line = format!("HTTP/1.1 {} OK", fields[0].1);
        self.queue(SERVER, &[head(&line, &fields[1..]), body.to_vec()].concat());
    }
}

fn head(line: &str, fields: &[(&'static str, String)]) -> Vec<u8> {
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line}\r\n{lines}\r\n").into_bytes()
}

fn block(
    encoder: &mut fluke_hpack::Encoder<'static>,
    fields: &[(&'static str, String)],
) -> Vec<u8> {
    encoder.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

/// A frame of HTTP/2.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, high, mid, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[high, mid, low, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

impl Read for Browsing {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.writer.out.len() {
            self.writer.out.clear();
            self.at = 0;
        }
        while self.writer.out.len() < 64 << 10 && self.make() {}
        let rest = &self.writer.out[self.at..];
        let length = rest.len().min(space.len());
        space[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}
