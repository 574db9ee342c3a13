//! A packet capture that is written while it is read: what a busy network looks like, or what an
//! attacker makes of it. It imports nothing of the crate, and remembers what it made.
#![allow(dead_code, reason = "each user needs a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

use std::collections::BTreeMap;
use std::io::Read;

/// The head of a pcap file of Ethernet frames with microseconds.
pub(crate) const HEAD: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0";

/// Flags of TCP.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
}

/// Hosts of a sign-in.
const SIGN_IN: [&str; 4] =
    ["login.microsoftonline.com", "login.live.com", "aadcdn.msauth.net", "login.windows.net"];
/// Other hosts.
const OTHERS: usize = 300;
/// The name server.
const RESOLVER: [u8; 4] = [10, 0, 0, 53];

/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32).unwrap()
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from((u64::from(self.next()) * u64::from(bound.max(1))) >> 32).unwrap()
    }

    /// Whether something happens that does so `of` times in a thousand.
    pub(crate) fn happens(&mut self, of: u32) -> bool {
        self.below(1000) < of
    }
}

/// One end of a conversation.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) address: [u8; 4],
    pub(crate) port: u16,
}

impl End {
    pub(crate) const fn new(address: [u8; 4], port: u16) -> Self {
        Self { address, port }
    }
}

/// Writes the records of a pcap file, one frame after the other.
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
    /// Microseconds since 2030.
    pub(crate) clock: u64,
    pub(crate) frames: u64,
    ip_id: u16,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { out: Vec::with_capacity(128 << 10), clock: 0, frames: 0, ip_id: 0 }
    }

    /// A frame with an IPv4 packet; `fragment` is the field of flags and offset.
    pub(crate) fn ip(
        &mut self,
        protocol: u8,
        from: [u8; 4],
        to: [u8; 4],
        fragment: u16,
        parts: [&[u8]; 3],
    ) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let total = u16::try_from(length + 20).unwrap();
        let captured = u32::from(total) + 14;
        let second = 1_893_456_000 + u32::try_from(self.clock / 1_000_000).unwrap();
        let micro = u32::try_from(self.clock % 1_000_000).unwrap();
        for number in [second, micro, captured, captured] {
            self.out.extend(number.to_le_bytes());
        }
        let is_client = from[0] == 10;
        let (one, other) = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02");
        self.out.extend(if is_client { other } else { one });
        self.out.extend(if is_client { one } else { other });
        self.out.extend(b"\x08\0\x45\0");
        self.out.extend(total.to_be_bytes());
        self.ip_id = self.ip_id.wrapping_add(1);
        self.out.extend(self.ip_id.to_be_bytes());
        self.out.extend(fragment.to_be_bytes());
        self.out.extend([if is_client { 128 } else { 55 }, protocol, 0, 0]);
        self.out.extend(from);
        self.out.extend(to);
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.frames += 1;
    }

    pub(crate) fn tcp(
        &mut self,
        from: End,
        to: End,
        (sequence, ack): (u32, u32),
        flags: u8,
        payload: &[u8],
    ) {
        let mut head = [0; 32];
        head[..2].copy_from_slice(&from.port.to_be_bytes());
        head[2..4].copy_from_slice(&to.port.to_be_bytes());
        head[4..8].copy_from_slice(&sequence.to_be_bytes());
        if flags & flag::ACK != 0 {
            head[8..12].copy_from_slice(&ack.to_be_bytes());
        }
        let is_open = flags & flag::SYN != 0;
        let length = if is_open { 32 } else { 20 };
        head[12] = if is_open { 0x80 } else { 0x50 };
        head[13] = flags;
        head[14..16].copy_from_slice(&64_240_u16.to_be_bytes());
        head[20..32].copy_from_slice(b"\x02\x04\x05\xb4\x01\x03\x03\x08\x01\x01\x04\x02");
        self.ip(6, from.address, to.address, 0x4000, [&head[..length], payload, b""]);
    }

    pub(crate) fn udp(&mut self, from: End, to: End, payload: &[u8]) {
        let length = u16::try_from(payload.len() + 8).unwrap();
        let mut head = [0; 8];
        head[..2].copy_from_slice(&from.port.to_be_bytes());
        head[2..4].copy_from_slice(&to.port.to_be_bytes());
        head[4..6].copy_from_slice(&length.to_be_bytes());
        self.ip(17, from.address, to.address, 0, [&head, payload, b""]);
    }

    /// An ICMP error about a segment.
    pub(crate) fn unreachable(&mut self, code: u8, from: End, to: End, sequence: u32) {
        let mut quote = [0; 48];
        quote[..9].copy_from_slice(&[0x45, 0, 0, 40, 0, 1, 0, 0, 64]);
        quote[9] = 6;
        quote[12..16].copy_from_slice(&from.address);
        quote[16..20].copy_from_slice(&to.address);
        quote[20..22].copy_from_slice(&from.port.to_be_bytes());
        quote[22..24].copy_from_slice(&to.port.to_be_bytes());
        quote[24..28].copy_from_slice(&sequence.to_be_bytes());
        quote[32] = 0x50;
        quote[33] = flag::SYN;
        let head = [3, code, 0, 0, 0, 0, 0, 0];
        self.ip(1, [192, 168, 0, 1], from.address, 0, [&head, &quote[..40], b""]);
    }
}

/// A question of DNS, or with addresses or a code its answer.
pub(crate) fn dns(id: u16, name: &str, answer: Option<(u8, &[[u8; 4]])>) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    let (code, addresses) = answer.unwrap_or((0, &[]));
    out.extend(if answer.is_some() { [0x81, 0x80 | code] } else { [0x01, 0x00] });
    let count = u8::try_from(addresses.len()).unwrap();
    let aliases = u8::from(count > 0);
    out.extend([0, 1, 0, count + aliases, 0, 0, 0, 0]);
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.extend([0, 0, 1, 0, 1]);
    if count > 0 {
        out.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x07\x04edge\xc0\x0c");
        let alias = u8::try_from(12 + name.len() + 6 + 12).unwrap();
        for address in addresses {
            out.extend([0xc0, alias, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            out.extend(address);
        }
    }
    out
}

pub(crate) fn field(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(body);
}

/// A ClientHello in its record; a long one has the key share of a post-quantum method.
pub(crate) fn client_hello(host: &str, is_long: bool, random: &[u8]) -> Vec<u8> {
    let mut extensions = Vec::new();
    let length = u16::try_from(host.len()).unwrap();
    let name =
        [&(length + 3).to_be_bytes()[..], &[0], &length.to_be_bytes(), host.as_bytes()].concat();
    field(&mut extensions, 0, &name);
    field(&mut extensions, 0x17, b"");
    field(&mut extensions, 0x0a, b"\0\x08\x11\xec\0\x1d\0\x17\0\x18");
    field(&mut extensions, 0x10, b"\0\x0c\x02h2\x08http/1.1");
    field(
        &mut extensions,
        0x0d,
        b"\0\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01",
    );
    field(&mut extensions, 0x2b, b"\x04\x03\x04\x03\x03");
    field(&mut extensions, 0x2d, b"\x01\x01");
    let mut shares = Vec::new();
    if is_long {
        field(&mut shares, 0x11ec, &random[..1216]);
    }
    field(&mut shares, 0x1d, &random[..32]);
    let shares = [&u16::try_from(shares.len()).unwrap().to_be_bytes()[..], &shares].concat();
    field(&mut extensions, 0x33, &shares);
    field(&mut extensions, 0x15, &[0; 150]);
    let mut body = b"\x03\x03".to_vec();
    body.extend(&random[32..64]);
    body.push(32);
    body.extend(&random[64..96]);
    body.extend(b"\0\x14\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\0\x9c\x01\0");
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    handshake(1, b"\x16\x03\x01", &body)
}

pub(crate) fn handshake(kind: u8, record: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    let mut out = record.to_vec();
    out.extend((length + 4).to_be_bytes());
    out.extend([kind, 0]);
    out.extend(length.to_be_bytes());
    out.extend(body);
    out
}

/// A ServerHello of TLS 1.3 in its record.
fn server_hello(random: &[u8]) -> Vec<u8> {
    let mut extensions = Vec::new();
    field(&mut extensions, 0x2b, b"\x03\x04");
    field(&mut extensions, 0x33, &[b"\0\x1d\0\x20", &random[..32]].concat());
    let mut body = b"\x03\x03".to_vec();
    body.extend(&random[32..64]);
    body.push(32);
    body.extend(&random[64..96]);
    body.extend(b"\x13\x01\0");
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    handshake(2, b"\x16\x03\x03", &body)
}

/// How much is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Connections in it, about.
    pub(crate) connections: u32,
    /// Connections that are open at once.
    pub(crate) open: u32,
}

impl Plan {
    /// So many connections, a twentieth of them open at once.
    pub(crate) fn new(bytes: u64, connections: u32) -> Self {
        Self { bytes, connections, open: (connections / 20).max(8) }
    }
}

/// What was made; lists hold what concerns sign-in hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) frames: u64,
    pub(crate) streams: u32,
    /// Streams and the server names in them.
    pub(crate) names: Vec<(u32, String)>,
    /// Streams with a SYN and without its answer.
    pub(crate) unanswered: Vec<u32>,
    /// Streams in which the server sent an alert, and its number.
    pub(crate) alerts: Vec<(u32, u8)>,
    /// Names that were answered for, and the codes, with how often.
    pub(crate) lookups: BTreeMap<(String, u8), u64>,
    /// Requests in clear by host.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Server names in all.
    pub(crate) all_names: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Story {
    Alert,
    Clear,
    Refused,
    Tls,
    Unanswered,
}

struct Connection {
    client: End,
    server: End,
    host: u16,
    stream: u32,
    story: Story,
    step: u8,
    is_long: bool,
    /// Segments of data to come.
    left: u32,
    /// What is left of the record of the server.
    record: u32,
    sent: u32,
    got: u32,
}

/// The usual traffic.
pub(crate) struct Traffic {
    plan: Plan,
    writer: Writer,
    at: usize,
    made: u64,
    numbers: Numbers,
    noise: Vec<u8>,
    hosts: Vec<String>,
    open: Vec<Connection>,
    next: u32,
    pub(crate) facts: Facts,
}

impl Traffic {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut numbers = Numbers::new(7);
        let noise = (0..(64 << 10)).map(|_| numbers.next().to_le_bytes()[1]).collect();
        let mut hosts: Vec<String> = SIGN_IN.iter().map(|&name| name.to_owned()).collect();
        hosts.extend((0..OTHERS).map(|index| format!("w{index}.contoso.example")));
        let mut writer = Writer::new();
        writer.out.extend_from_slice(HEAD);
        Self {
            plan,
            writer,
            at: 0,
            made: 0,
            numbers,
            noise,
            hosts,
            open: Vec::new(),
            next: 0,
            facts: Facts::default(),
        }
    }

    fn address(host: u16, choice: u32) -> [u8; 4] {
        let [high, low] = host.to_be_bytes();
        [40, high, low, u8::try_from(choice % 4 + 1).unwrap()]
    }

    fn noise(&mut self, length: usize) -> std::ops::Range<usize> {
        let most = u32::try_from(self.noise.len() - length).unwrap();
        let from = usize::try_from(self.numbers.below(most)).unwrap();
        from..from + length
    }

    const fn is_sign_in(host: u16) -> bool {
        host < 4
    }

    /// Begins a connection, with the lookup before it.
    fn begin(&mut self) {
        let id = self.next;
        self.next += 1;
        let byte = |number: u32| u8::try_from(number).unwrap();
        let client = [10, 1, byte(id % 500 / 250), byte(id % 250 + 1)];
        let port = u16::try_from(1024 + (id / 500) % 64_000).unwrap();
        let others = u32::try_from(OTHERS).unwrap();
        let host = if self.numbers.happens(20) {
            self.numbers.below(4)
        } else {
            4 + self.numbers.below(others)
        };
        let host = u16::try_from(host).unwrap();
        let story = match self.numbers.below(100) {
            0 | 1 => Story::Unanswered,
            2 => Story::Refused,
            3 | 4 => Story::Alert,
            5..=8 => Story::Clear,
            _ => Story::Tls,
        };
        let end = End::new(client, 50_000 + port % 10_000);
        // A SYN without answer has the name of a sign-in only by the lookup before it.
        if Self::is_sign_in(host) && matches!(story, Story::Unanswered | Story::Refused) {
            self.look_up(host, end, Some(0));
        } else if self.numbers.happens(500) {
            let code = match self.numbers.below(100) {
                0..=2 => Some(3),
                3 => Some(2),
                4 => None,
                _ => Some(0),
            };
            self.look_up(host, end, code);
        }
        // Of what a connection is to have, the handshake takes about 7 KiB and a segment some 850.
        let mean = self.plan.bytes / u64::from(self.plan.connections.max(1));
        let mean = u32::try_from(mean.saturating_sub(7 << 10) / 850).unwrap_or(u32::MAX >> 1);
        let left = self.numbers.below(mean.saturating_mul(2));
        let choice = self.numbers.next();
        self.open.push(Connection {
            client: End::new(client, port),
            server: End::new(
                Self::address(host, choice),
                if story == Story::Clear { 80 } else { 443 },
            ),
            host,
            stream: 0,
            story,
            step: 0,
            is_long: self.numbers.happens(400),
            left,
            record: 0,
            sent: self.numbers.next(),
            got: self.numbers.next(),
        });
    }

    fn look_up(&mut self, host: u16, client: End, code: Option<u8>) {
        let resolver = End::new(RESOLVER, 53);
        let id = u16::try_from(self.numbers.below(65_536)).unwrap();
        let name = self.hosts[usize::from(host)].clone();
        self.writer.udp(client, resolver, &dns(id, &name, None));
        self.writer.clock += 300;
        if let Some(code) = code {
            let all = [0, 1, 2, 3].map(|choice| Self::address(host, choice));
            let addresses = if code == 0 { &all[..] } else { &[] };
            self.writer.udp(resolver, client, &dns(id, &name, Some((code, addresses))));
            self.writer.clock += 20;
            if Self::is_sign_in(host) {
                *self.facts.lookups.entry((name, code)).or_default() += 1;
            }
        }
    }

    /// Makes the next frames.
    fn make(&mut self) {
        self.writer.clock += u64::from(self.numbers.below(40)) + 1;
        if self.numbers.happens(60) {
            return self.datagram();
        }
        while self.open.len() < usize::try_from(self.plan.open).unwrap() {
            self.begin();
        }
        let count = u32::try_from(self.open.len()).unwrap();
        let place = usize::try_from(self.numbers.below(count)).unwrap();
        if !self.step(place) {
            self.open.swap_remove(place);
        }
    }

    /// A datagram as QUIC has them once it is under way.
    fn datagram(&mut self) {
        let flow = u16::try_from(self.numbers.below(200)).unwrap();
        let client = End::new([10, 2, 0, 1], 60_000 + flow);
        let server = End::new([41, 0, 0, flow.to_be_bytes()[1]], 443);
        let mut payload = [0; 1250];
        let range = self.noise(1250);
        payload.copy_from_slice(&self.noise[range]);
        payload[0] = 0x40 | payload[0] & 0x3f;
        let length = 300 + usize::try_from(self.numbers.below(950)).unwrap();
        let (from, to) =
            if self.numbers.happens(300) { (client, server) } else { (server, client) };
        self.writer.udp(from, to, &payload[..length]);
    }

    /// Goes on with a connection; `false` when it is over.
    fn step(&mut self, place: usize) -> bool {
        use flag::{ACK, FIN, RST, SYN};
        let one = &mut self.open[place];
        let (client, server) = (one.client, one.server);
        let step = one.step;
        one.step += 1;
        match (one.story, step) {
            (_, 0) => {
                one.stream = self.facts.streams;
                self.facts.streams += 1;
                self.writer.tcp(client, server, (one.sent, 0), SYN, b"");
                if matches!(one.story, Story::Unanswered | Story::Refused)
                    && Self::is_sign_in(one.host)
                {
                    self.facts.unanswered.push(one.stream);
                }
            }
            (Story::Unanswered, _) => {
                self.writer.tcp(client, server, (one.sent, 0), SYN, b"");
                return step < 3;
            }
            (Story::Refused, _) => {
                self.writer.tcp(server, client, (0, one.sent.wrapping_add(1)), RST | ACK, b"");
                return false;
            }
            (_, 1) => {
                one.sent = one.sent.wrapping_add(1);
                self.writer.tcp(server, client, (one.got, one.sent), SYN | ACK, b"");
                one.got = one.got.wrapping_add(1);
            }
            (_, 2) => self.writer.tcp(client, server, (one.sent, one.got), ACK, b""),
            (Story::Clear, 3) => {
                let host = &self.hosts[usize::from(one.host)];
                let request = format!(
                    "GET /page{} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
                    one.stream
                );
                if Self::is_sign_in(one.host) {
                    *self.facts.requests.entry(host.clone()).or_default() += 1;
                }
                self.client(place, request.as_bytes());
            }
            (Story::Clear, 4) => {
                let body = "x".repeat(1200);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1200\r\n\r\n{body}"
                );
                self.server(place, answer.as_bytes());
                self.open[place].step = 10;
            }
            (_, 3) => {
                let range = self.noise(1300);
                let one = &self.open[place];
                let host = &self.hosts[usize::from(one.host)];
                let hello = client_hello(host, one.is_long, &self.noise[range]);
                self.facts.all_names += 1;
                if Self::is_sign_in(one.host) {
                    self.facts.names.push((one.stream, host.clone()));
                }
                let cut = hello.len().min(1460);
                self.client(place, &hello[..cut]);
                self.writer.clock += 2;
                if cut < hello.len() {
                    self.client(place, &hello[cut..]);
                }
            }
            (Story::Alert, 4) => {
                if Self::is_sign_in(one.host) {
                    self.facts.alerts.push((one.stream, 40));
                }
                self.server(place, b"\x15\x03\x03\0\x02\x02\x28");
                self.open[place].step = 10;
            }
            (_, 4) => {
                let range = self.noise(3000);
                let mut flight = server_hello(&self.noise[range.clone()]);
                flight.extend(b"\x14\x03\x03\0\x01\x01\x17\x03\x03\x0b\x20");
                flight.extend(&self.noise[range][..2848]);
                for piece in flight.chunks(1460) {
                    self.server(place, piece);
                    self.writer.clock += 2;
                }
            }
            (_, 5) => {
                let range = self.noise(70);
                let mut flight = b"\x14\x03\x03\0\x01\x01\x17\x03\x03\0\x35".to_vec();
                flight.extend(&self.noise[range.clone()][..53]);
                self.client(place, &flight);
                self.writer.clock += 5;
                let mut request = b"\x17\x03\x03\x01\x40".to_vec();
                while request.len() < 325 {
                    request.extend(&self.noise[range.clone()]);
                }
                self.client(place, &request[..325]);
            }
            (_, 6) if one.left > 0 => {
                one.left -= 1;
                one.step = 6;
                self.data(place);
            }
            (_, 6) => {
                // What is left of the last record, so that the stream ends with it.
                one.step = 10;
                let rest = usize::try_from(one.record).unwrap();
                if rest > 0 {
                    one.record = 0;
                    let range = self.noise(rest);
                    let rest = self.noise[range].to_vec();
                    for piece in rest.chunks(1460) {
                        self.server(place, piece);
                    }
                }
            }
            (_, 10) => {
                self.writer.tcp(client, server, (one.sent, one.got), FIN | ACK, b"");
                one.sent = one.sent.wrapping_add(1);
            }
            (_, 11) => {
                self.writer.tcp(server, client, (one.got, one.sent), FIN | ACK, b"");
                one.got = one.got.wrapping_add(1);
            }
            _ => {
                self.writer.tcp(client, server, (one.sent, one.got), ACK, b"");
                return false;
            }
        }
        true
    }

    fn client(&mut self, place: usize, payload: &[u8]) {
        let one = &mut self.open[place];
        self.writer.tcp(
            one.client,
            one.server,
            (one.sent, one.got),
            flag::PSH | flag::ACK,
            payload,
        );
        one.sent = one.sent.wrapping_add(u32::try_from(payload.len()).unwrap());
    }

    fn server(&mut self, place: usize, payload: &[u8]) {
        let one = &mut self.open[place];
        self.writer.tcp(
            one.server,
            one.client,
            (one.got, one.sent),
            flag::PSH | flag::ACK,
            payload,
        );
        one.got = one.got.wrapping_add(u32::try_from(payload.len()).unwrap());
    }

    /// Data under way: most of it from the server, in records that span segments; now and then a
    /// segment is lost, repeated or late.
    fn data(&mut self, place: usize) {
        let chance = self.numbers.below(1000);
        let one = &self.open[place];
        let (client, server, marks) = (one.client, one.server, (one.sent, one.got));
        if chance < 330 {
            return self.writer.tcp(client, server, marks, flag::ACK, b"");
        }
        if chance < 420 {
            let length = 100 + usize::try_from(self.numbers.below(700)).unwrap();
            let mut payload = [0; 805];
            let range = self.noise(805);
            payload.copy_from_slice(&self.noise[range]);
            payload[..3].copy_from_slice(b"\x17\x03\x03");
            payload[3..5].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            return self.client(place, &payload[..length + 5]);
        }
        let first = self.segment(place);
        let from = self.open[place].got;
        let advance = |payload: &[u8]| from.wrapping_add(u32::try_from(payload.len()).unwrap());
        let ack = marks.0;
        let flags = flag::PSH | flag::ACK;
        match chance {
            // The capture lost it; the client did not.
            420..=421 => {}
            422..=423 => {
                self.writer.tcp(server, client, (from, ack), flags, &first);
                self.writer.clock += 250;
                self.writer.tcp(server, client, (from, ack), flags, &first);
            }
            424..=425 => {
                let second = self.segment(place);
                let behind = advance(&first);
                self.writer.tcp(server, client, (behind, ack), flags, &second);
                self.writer.clock += 30;
                self.writer.tcp(server, client, (from, ack), flags, &first);
                let end = behind.wrapping_add(u32::try_from(second.len()).unwrap());
                self.open[place].got = end;
                return;
            }
            _ => self.writer.tcp(server, client, (from, ack), flags, &first),
        }
        self.open[place].got = advance(&first);
    }

    /// The next 1460 bytes that a server sends.
    fn segment(&mut self, place: usize) -> [u8; 1460] {
        let mut payload = [0; 1460];
        let range = self.noise(1460);
        payload.copy_from_slice(&self.noise[range]);
        let mut at = 0;
        loop {
            let record = &mut self.open[place].record;
            let rest = usize::try_from(*record).unwrap();
            if at + rest >= payload.len() {
                *record = u32::try_from(rest - (payload.len() - at)).unwrap();
                return payload;
            }
            at += rest;
            *record = 0;
            assert!(at + 5 <= payload.len(), "no record ends within a head of the end");
            let length = 40 + self.numbers.below(12_000);
            let room = u32::try_from(payload.len() - at - 5).unwrap();
            // A record that would end within a head of the end of a segment ends with it instead.
            let over = length.saturating_sub(room) % 1460;
            let short = room.checked_sub(length).is_some_and(|left| left < 5);
            let length = if short {
                room
            } else if length > room && over > 1455 {
                length + (1460 - over)
            } else {
                length
            };
            payload[at..at + 3].copy_from_slice(b"\x17\x03\x03");
            let told = u16::try_from(length).unwrap().to_be_bytes();
            payload[at + 3..at + 5].copy_from_slice(&told);
            at += 5;
            self.open[place].record = length;
        }
    }

    /// What was made, once all is read.
    pub(crate) fn told(mut self) -> Facts {
        // Connections whose answer was to come are without it now.
        let cut = self.open.iter().filter(|one| {
            one.step == 1 && !matches!(one.story, Story::Unanswered | Story::Refused)
        });
        let cut: Vec<u32> =
            cut.filter(|one| Self::is_sign_in(one.host)).map(|one| one.stream).collect();
        self.facts.unanswered.extend(cut);
        self.facts.unanswered.sort_unstable();
        self.facts.names.sort();
        self.facts.alerts.sort_unstable();
        self.facts.frames = self.writer.frames;
        self.facts
    }
}

impl Read for Traffic {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.writer.out.len() {
            self.writer.out.clear();
            self.at = 0;
        }
        while self.writer.out.len() < 64 << 10 && self.made < self.plan.bytes {
            let before = self.writer.out.len();
            self.make();
            self.made += u64::try_from(self.writer.out.len() - before).unwrap();
        }
        let rest = &self.writer.out[self.at..];
        let length = rest.len().min(space.len());
        space[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// Whatever a function makes of the numbers from 0 on, as a capture.
pub(crate) struct Flood<F> {
    make: F,
    writer: Writer,
    at: usize,
    number: u64,
    count: u64,
}

impl<F: FnMut(u64, &mut Writer)> Flood<F> {
    pub(crate) fn new(count: u64, make: F) -> Self {
        let mut writer = Writer::new();
        writer.out.extend_from_slice(HEAD);
        Self { make, writer, at: 0, number: 0, count }
    }
}

impl<F: FnMut(u64, &mut Writer)> Read for Flood<F> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.writer.out.len() {
            self.writer.out.clear();
            self.at = 0;
        }
        while self.writer.out.len() < 64 << 10 && self.number < self.count {
            self.writer.clock += 10;
            (self.make)(self.number, &mut self.writer);
            self.number += 1;
        }
        let rest = &self.writer.out[self.at..];
        let length = rest.len().min(space.len());
        space[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// Another end for each number.
pub(crate) fn end(number: u64, port: u16) -> End {
    let [.., a, b, c] = number.to_be_bytes();
    End::new([10, a, b, c], port)
}
