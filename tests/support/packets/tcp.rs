//! Connections as seen at the client (RFC 9293), and the network that the frames are gathered in.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::bytes::Put as _;
use super::net::{self, Header};
use super::random::Random;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// A packet on the wire of the client.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Microseconds since the story began.
    pub(crate) at: u64,
    pub(crate) out: bool,
    pub(crate) ip: Vec<u8>,
    /// Dropped by the system of the client before it got out.
    pub(crate) dropped: bool,
}

/// The client, its surroundings, and all that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) packets: Vec<Packet>,
    pub(crate) random: Random,
    pub(crate) client: IpAddr,
    pub(crate) client_six: IpAddr,
    pub(crate) router: IpAddr,
    pub(crate) router_six: IpAddr,
    /// Hops in what the client sends: 128 on Windows, 64 elsewhere.
    pub(crate) hops: u8,
    /// Whether both sides write time stamps, as they do without Windows.
    pub(crate) stamps: bool,
    /// Most bytes of a segment that the server allows.
    pub(crate) most: u16,
    /// Part of the data segments that the network loses.
    pub(crate) loss: f64,
    /// What names were answered with.
    pub(crate) known: BTreeMap<String, Vec<IpAddr>>,
    /// Server names in hellos, names in questions.
    pub(crate) told: (BTreeSet<String>, BTreeSet<String>),
    port: u16,
    id: u16,
}

impl Network {
    /// An empty network; `seed` makes it the network of one story.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let port = 49_152 + random.below(9000) as u16;
        let id = random.number() as u16;
        Self {
            packets: Vec::new(),
            random,
            client: "10.20.30.41".parse().unwrap(),
            client_six: "2001:db8:20:30::41".parse().unwrap(),
            router: "10.20.30.1".parse().unwrap(),
            router_six: "2001:db8:20:30::1".parse().unwrap(),
            hops: 128,
            stamps: false,
            most: 1460,
            loss: 0.0,
            known: BTreeMap::new(),
            told: (BTreeSet::new(), BTreeSet::new()),
            port,
            id,
        }
    }

    /// The client's address that speaks to another.
    pub(crate) fn own(&self, other: IpAddr) -> IpAddr {
        match other {
            _ if other.is_loopback() => other,
            IpAddr::V4(_) => self.client,
            IpAddr::V6(_) => self.client_six,
        }
    }

    /// A port that was not used yet.
    pub(crate) fn port(&mut self) -> u16 {
        self.port += 1 + self.random.below(3) as u16;
        self.port
    }

    /// The next number of a packet of the client.
    pub(crate) fn id(&mut self) -> u16 {
        self.id = self.id.wrapping_add(1);
        self.id
    }

    /// Sends a packet; its bytes come back, because an error may quote them.
    pub(crate) fn send(
        &mut self,
        at: u64,
        out: bool,
        header: &Header,
        protocol: u8,
        body: &[u8],
    ) -> Vec<u8> {
        let ip = net::packet(header, protocol, body);
        self.packets.push(Packet { at, out, ip: ip.clone(), dropped: false });
        ip
    }

    /// A datagram from the client or to it.
    pub(crate) fn datagram(
        &mut self,
        at: u64,
        out: bool,
        hops: u8,
        ends: [(IpAddr, u16); 2],
        data: &[u8],
    ) -> Vec<u8> {
        let [from, to] = ends;
        let id = if out { self.id() } else { self.random.number() as u16 };
        let header = Header { from: from.0, to: to.0, hops, id, whole: false };
        let body = net::datagram(from.0, to.0, (from.1, to.1), data);
        self.send(at, out, &header, net::UDP, &body)
    }

    /// An error from a router about a packet of the client.
    pub(crate) fn error(&mut self, at: u64, kind: (u8, u8), about: &[u8]) {
        let six = about[0] >> 4 == 6;
        let (router, client) =
            if six { (self.router_six, self.client_six) } else { (self.router, self.client) };
        let number = if six { net::ICMP6 } else { net::ICMP };
        let body = net::error(kind.0, kind.1, 0, router, about);
        let header = Header { from: router, to: client, hops: 64, id: 0x0101, whole: false };
        self.send(at, false, &header, number, &body);
    }
}

/// One connection, told in order. `now` is the clock at the client.
#[derive(Debug)]
pub(crate) struct Tcp<'n> {
    pub(crate) network: &'n mut Network,
    pub(crate) now: u64,
    /// There and back.
    pub(crate) trip: u64,
    /// Hops left in what the server sends.
    pub(crate) hops: u8,
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    sent: u32,
    got: u32,
    /// Number of the next packet of the server.
    id: u16,
    stamps: (u32, u32),
    /// What the next acknowledgement says has come behind a hole.
    sacked: Option<(u32, u32)>,
}

impl<'n> Tcp<'n> {
    /// A connection that is not open yet.
    pub(crate) fn new(
        network: &'n mut Network,
        at: u64,
        server: (IpAddr, u16),
        trip: u64,
        hops: u8,
    ) -> Self {
        let client = (network.own(server.0), network.port());
        let sent = network.random.number();
        let got = network.random.number();
        let id = network.random.number() as u16;
        let stamps = (network.random.number() >> 4, network.random.number() >> 4);
        Self { network, now: at, trip, hops, client, server, sent, got, id, stamps, sacked: None }
    }

    /// The most bytes that fit into a segment.
    fn most(&self) -> usize {
        let most = usize::from(self.network.most) - if self.network.stamps { 12 } else { 0 };
        if self.server.0.is_ipv6() { most - 20 } else { most }
    }

    /// Sends the client's first segment; its bytes come back.
    pub(crate) fn syn(&mut self, at: u64) -> Vec<u8> {
        self.segment(at, true, SYN, self.sent, 0, &[])
    }

    /// Opens the connection.
    pub(crate) fn open(&mut self) {
        self.syn(self.now);
        self.opened_by_answer();
    }

    /// The rest of the opening, after a first segment at `now`.
    pub(crate) fn opened_by_answer(&mut self) {
        self.now += self.trip;
        self.sent = self.sent.wrapping_add(1);
        let got = self.got;
        self.segment(self.now, false, SYN | ACK, got, self.sent, &[]);
        self.got = got.wrapping_add(1);
        self.now += 60;
        self.ack();
    }

    /// The client acknowledges what it has.
    pub(crate) fn ack(&mut self) {
        self.segment(self.now, true, ACK, self.sent, self.got, &[]);
        self.now += 40;
    }

    /// The server acknowledges what it has, a trip later.
    pub(crate) fn acked(&mut self) {
        self.now += self.trip;
        self.segment(self.now, false, ACK, self.got, self.sent, &[]);
    }

    /// The client sends data; what the network loses is sent again.
    pub(crate) fn client(&mut self, data: &[u8]) {
        let mut lost = Vec::new();
        for (sequence, part, last) in self.pieces(data, self.sent) {
            self.segment(self.now, true, push(last), sequence, self.got, &part);
            if self.is_lost() {
                lost.push((sequence, part));
            }
            self.now += 14;
        }
        self.sent = self.sent.wrapping_add(data.len() as u32);
        for (sequence, part) in lost {
            self.now += 310_000 + self.trip;
            self.segment(self.now, true, ACK | PSH, sequence, self.got, &part);
        }
    }

    /// The client sends data that has been told before, at another time: a retransmission.
    pub(crate) fn again(&mut self, at: u64, back: usize, data: &[u8]) {
        let sequence = self.sent.wrapping_sub(back as u32);
        self.segment(at, true, ACK | PSH, sequence, self.got, data);
    }

    /// The server's bare acknowledgement of all but the last `missing` bytes, the last `come` of which
    /// it has got all the same.
    pub(crate) fn acked_but(&mut self, at: u64, missing: usize, come: usize) {
        self.sacked = (come > 0).then(|| (self.sent.wrapping_sub(come as u32), self.sent));
        let acked = self.sent.wrapping_sub(missing as u32);
        self.segment(at, false, ACK, self.got, acked, &[]);
    }

    /// The server sends data after a trip and `think`; the client acknowledges it.
    pub(crate) fn server(&mut self, data: &[u8], think: u64) {
        self.now += self.trip + think;
        let end = self.got.wrapping_add(data.len() as u32);
        let mut lost = Vec::new();
        let mut count = 0;
        for (sequence, part, last) in self.pieces(data, self.got) {
            if self.is_lost() {
                lost.push((sequence, part));
                self.now += 90;
                continue;
            }
            self.segment(self.now, false, push(last), sequence, self.sent, &part);
            self.now += 90;
            // What stands behind a hole is acknowledged by saying again what is missing.
            if lost.is_empty() {
                self.got = sequence.wrapping_add(part.len() as u32);
            }
            count += 1;
            if count % 2 == 0 || last || !lost.is_empty() {
                let end = sequence.wrapping_add(part.len() as u32);
                self.sacked = (!lost.is_empty()).then_some((sequence, end));
                self.ack();
            }
        }
        let gaps = lost.len();
        for (index, (sequence, part)) in lost.into_iter().enumerate() {
            self.now += if index == 0 { self.trip.max(220_000) } else { 900 };
            self.segment(self.now, false, ACK | PSH, sequence, self.sent, &part);
            self.now += 45;
            if index + 1 == gaps {
                self.got = end;
                self.ack();
            }
        }
    }

    /// The server begins to send, and the first `skipped` bytes never arrive.
    pub(crate) fn server_without(&mut self, data: &[u8], skipped: usize) {
        self.now += self.trip;
        for (sequence, part, last) in self.pieces(data, self.got) {
            if sequence.wrapping_sub(self.got) >= skipped as u32 {
                self.segment(self.now, false, push(last), sequence, self.sent, &part);
                self.now += 50;
                self.sacked = Some((sequence, sequence.wrapping_add(part.len() as u32)));
                self.ack();
            }
        }
    }

    /// The client closes; the server agrees.
    pub(crate) fn client_closes(&mut self) {
        self.client_fin();
        self.now += self.trip;
        self.segment(self.now, false, FIN | ACK, self.got, self.sent, &[]);
        self.got = self.got.wrapping_add(1);
        self.now += 50;
        self.ack();
    }

    /// The client says that it is done.
    pub(crate) fn client_fin(&mut self) {
        self.segment(self.now, true, FIN | ACK, self.sent, self.got, &[]);
        self.sent = self.sent.wrapping_add(1);
    }

    /// The server closes at `now`; the client agrees.
    pub(crate) fn server_closes(&mut self) {
        self.segment(self.now, false, FIN | ACK, self.got, self.sent, &[]);
        self.got = self.got.wrapping_add(1);
        self.now += 50;
        self.ack();
        self.now += 300;
        self.client_fin();
        self.acked();
    }

    /// The client gives up.
    pub(crate) fn client_resets(&mut self) {
        self.segment(self.now, true, RST | ACK, self.sent, self.got, &[]);
    }

    /// The server gives up, at `now`.
    pub(crate) fn server_resets(&mut self) {
        self.segment(self.now, false, RST | ACK, self.got, self.sent, &[]);
    }

    /// The answer to a first segment where nothing listens.
    pub(crate) fn refused(&mut self, at: u64) {
        let acked = self.sent.wrapping_add(1);
        self.segment(at, false, RST | ACK, 0, acked, &[]);
    }

    /// Something on the way resets the connection in the name of the server.
    pub(crate) fn injected_reset(&mut self, at: u64, hops: u8, id: u16) {
        let (true_hops, true_id) = (self.hops, self.id);
        (self.hops, self.id) = (hops, id.wrapping_sub(1));
        self.segment(at, false, RST | ACK, self.got, self.sent, &[]);
        (self.hops, self.id) = (true_hops, true_id);
    }

    /// The connection is older than the capture: nothing of its opening is told.
    pub(crate) fn older(&mut self) {
        self.sent = self.sent.wrapping_add(40_961);
        self.got = self.got.wrapping_add(220_113);
    }

    /// Asks whether the other side is still there, and it is.
    pub(crate) fn keep_alive(&mut self) {
        let (sent, got) = (self.sent, self.got);
        self.segment(self.now, true, ACK, sent.wrapping_sub(1), got, &[0]);
        self.acked();
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.network.loss;
        loss > 0.0 && f64::from(self.network.random.number()) < loss * 4_294_967_296.0
    }

    fn pieces(&self, data: &[u8], from: u32) -> Vec<(u32, Vec<u8>, bool)> {
        let most = self.most();
        let count = data.len().div_ceil(most);
        data.chunks(most)
            .enumerate()
            .map(|(index, part)| {
                let sequence = from.wrapping_add((index * most) as u32);
                (sequence, part.to_vec(), index + 1 == count)
            })
            .collect()
    }

    fn segment(
        &mut self,
        at: u64,
        out: bool,
        flags: u8,
        sequence: u32,
        acked: u32,
        data: &[u8],
    ) -> Vec<u8> {
        let (from, to) = if out { (self.client, self.server) } else { (self.server, self.client) };
        let options = self.options(at, out, flags);
        let mut bytes = Vec::new();
        bytes.u16(from.1);
        bytes.u16(to.1);
        bytes.u32(sequence);
        bytes.u32(acked);
        bytes.u8((((20 + options.len()) / 4) << 4) as u8);
        bytes.u8(flags);
        bytes.u16(window(out, flags));
        bytes.u32(0);
        bytes.put(&options);
        bytes.put(data);
        net::seal(&mut bytes, 16, from.0, to.0, net::TCP);
        let (hops, id) = if out {
            (self.network.hops, self.network.id())
        } else {
            self.id = self.id.wrapping_add(1);
            (self.hops, self.id)
        };
        let header = Header { from: from.0, to: to.0, hops, id, whole: true };
        self.network.send(at, out, &header, net::TCP, &bytes)
    }

    fn options(&mut self, at: u64, out: bool, flags: u8) -> Vec<u8> {
        let mut options = Vec::new();
        if flags & RST != 0 {
            return options;
        }
        let stamps = self.network.stamps;
        if flags & SYN != 0 {
            let most = if out { 1460 } else { self.network.most };
            let most = if self.server.0.is_ipv6() { most - 20 } else { most };
            options.put(&[2, 4]);
            options.u16(most);
            if stamps {
                options.put(&[4, 2]);
            } else {
                options.put(&[1, 3, 3, 8, 1, 1, 4, 2]);
            }
        }
        if stamps {
            if flags & SYN == 0 {
                options.put(&[1, 1]);
            }
            let milliseconds = (at / 1000) as u32;
            let (mine, other) = if out { self.stamps } else { (self.stamps.1, self.stamps.0) };
            options.put(&[8, 10]);
            options.u32(mine.wrapping_add(milliseconds));
            let first = flags & SYN != 0 && out;
            options.u32(if first { 0 } else { other.wrapping_add(milliseconds) });
            if flags & SYN != 0 {
                options.put(&[1, 3, 3, 7]);
            }
        }
        if let Some((from, to)) = self.sacked.take() {
            options.put(&[1, 1, 5, 10]);
            options.u32(from);
            options.u32(to);
        }
        options
    }
}

fn push(last: bool) -> u8 {
    if last { ACK | PSH } else { ACK }
}

fn window(out: bool, flags: u8) -> u16 {
    match (flags & RST != 0, flags & SYN != 0, out) {
        (true, ..) => 0,
        (_, true, true) => 64_240,
        (_, true, false) => 65_535,
        (_, _, true) => 1026,
        (_, _, false) => 16_386,
    }
}
