//! Packets of a story: lookups, connections, TLS with secrets that are known or not, proxies.

use std::collections::BTreeMap;

use super::damage::{Damage, File};
use super::label::Format;
use super::teller::{EPOCH, End, Extra, Fault, Item};
use crate::packets::file::{self, Frame, Head};
use crate::packets::hosts::{self, Host};
use crate::packets::net::Link;
use crate::packets::play::{Player, moment};
use crate::packets::story::{Computer, Event};
use crate::packets::tcp::{Network, Packet, Tcp};
use crate::packets::tls::{self, Client, Session};
use crate::support::archive;
use crate::support::random::Random;
use crate::support::sealed::{self, CLIENT, SERVER, Suite, Tls};

/// How a story is put on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    seed: u64,
    extras: Vec<Extra>,
    end: f64,
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) damage: Damage,
    pub(crate) shuffle: bool,
}

impl Wire {
    pub(crate) const fn new(seed: u64, extras: Vec<Extra>, end: f64) -> Self {
        Self { seed, extras, end, from: 0.0, until: f64::MAX, damage: Damage::None, shuffle: false }
    }

    fn has(&self, is: fn(&Extra) -> bool) -> bool {
        self.extras.iter().any(is)
    }
}

const PROXY: &str = "proxy.corp.contoso.example:8080";

/// A connection, and what is asked in it.
struct Line<'a> {
    host: String,
    items: Vec<&'a Item>,
    free: f64,
    is_broken: bool,
}

/// Writes a capture; `decides` is the item that decides.
pub(crate) fn write(format: Format, items: &[Item], decides: Option<usize>, wire: &Wire) -> File {
    let mut player = Player {
        network: Network::new(wire.seed),
        computer: Computer {
            proxy: (format == Format::DarkProxy).then(|| PROXY.to_owned()),
            ..Computer::default()
        },
    };
    let mut keys = String::new();
    for extra in &wire.extras {
        if let Extra::Tunnel(port, at, seconds) = extra {
            let count = (seconds / 0.5) as u32;
            player.event(&Event {
                at: *at,
                udp: Some(format!("vpn.contoso.example:{port}")),
                count,
                answered: true,
                ..Event::default()
            });
        }
    }
    let mut known: BTreeMap<String, f64> = BTreeMap::new();
    for (number, line) in lines(items).into_iter().enumerate() {
        let first = line.items[0];
        let is_known = known.get(&line.host).is_some_and(|at| first.at - at < 60.0);
        known.insert(line.host.clone(), first.at);
        if let Some(fault) = first.fault().filter(|fault| keeps_from_handshake(fault)) {
            stopped(&mut player, first, fault, is_known);
            continue;
        }
        play(&mut player, &line, format, wire, number as u64, is_known, &mut keys);
    }
    finish(format, player.network, items, decides, wire, &keys)
}

/// Requests on connections, as a browser shares them out.
fn lines(items: &[Item]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for item in items.iter().filter(|item| !item.is_inside()) {
        let fault = item.fault();
        let own = fault.is_some_and(keeps_from_handshake);
        let place = lines.iter().position(|line| {
            !own && !line.is_broken
                && line.host == item.host()
                && line.free <= item.at
                && item.at - line.free < 70.0
                && line.items[0].is_clear() == item.is_clear()
        });
        let free = item.at + item.took + 0.01;
        if let Some(line) = place.and_then(|place| lines.get_mut(place)) {
            line.items.push(item);
            line.free = free;
            line.is_broken = fault.is_some();
        } else {
            lines.push(Line {
                host: item.host().to_owned(),
                items: vec![item],
                free,
                is_broken: fault.is_some(),
            });
        }
    }
    lines
}

/// Whether a fault lets no connection with TLS come about.
const fn keeps_from_handshake(fault: &Fault) -> bool {
    !matches!(
        fault,
        Fault::BlackHole
            | Fault::Cancelled
            | Fault::Closed
            | Fault::NetworkChanged
            | Fault::Reset
            | Fault::Silent
    )
}

/// A connection that does not come about.
fn stopped(player: &mut Player, item: &Item, fault: &Fault, is_known: bool) {
    let name = item.host();
    if let Some(proxy) = player.computer.proxy.clone() {
        // The proxy meets the fault, and says so in its own words.
        let answer = match fault {
            Fault::Proxy(status) => status.to_string(),
            Fault::NameUnknown
            | Fault::NameRefused
            | Fault::NameServerFailed
            | Fault::NameUnanswered => "503".to_owned(),
            Fault::Refused | Fault::Sinkhole(_) | Fault::IcmpProhibited => "502".to_owned(),
            Fault::Unanswered => "504".to_owned(),
            _ => "200".to_owned(),
        };
        let inside = if answer == "200" { inside_fault(fault) } else { None };
        let event = Event {
            at: item.at,
            tls: Some(name.to_owned()),
            proxy: Some(proxy),
            proxy_answers: vec![answer],
            fault: inside.map(str::to_owned),
            version: inside.and_then(version).map(str::to_owned),
            tries: 2,
            wait: if *fault == Fault::Unanswered { 20.0 } else { 0.0 },
            issuer: issuer(fault),
            ..Event::default()
        };
        player.event(&event);
        return;
    }
    let asked = |code: &str| Event {
        at: item.at,
        lookup: Some(name.to_owned()),
        code: Some(code.to_owned()),
        ..Event::default()
    };
    let mut event = Event {
        at: item.at,
        tries: 2,
        wait: item.took.clamp(9.0, 30.0),
        issuer: issuer(fault),
        ..Event::default()
    };
    if is_known {
        event.tls = Some(name.to_owned());
    } else {
        event.visit = Some(name.to_owned());
    }
    match fault {
        Fault::NameUnknown => {
            player.event(&asked("NXDOMAIN"));
            player.event(&Event { at: item.at + 5.0, ..asked("NXDOMAIN") });
            return;
        }
        Fault::NameRefused => {
            player.event(&asked("REFUSED"));
            return;
        }
        Fault::NameServerFailed => {
            player.event(&asked("SERVFAIL"));
            player.event(&Event { at: item.at + 4.0, ..asked("SERVFAIL") });
            return;
        }
        Fault::NameUnanswered => {
            player.event(&asked("none"));
            return;
        }
        Fault::Sinkhole(address) => {
            player.event(&Event {
                answers: Some(vec![(*address).to_owned()]),
                code: None,
                ..asked("NOERROR")
            });
            event.tls = event.visit.take().or(event.tls);
            event.fault = Some("refused".to_owned());
        }
        Fault::Refused => event.fault = Some("refused".to_owned()),
        Fault::Unanswered => event.fault = Some("unanswered".to_owned()),
        Fault::IcmpProhibited => event.fault = Some("icmp-3-13".to_owned()),
        Fault::Proxy(status) => {
            event.tls = event.visit.take().or(event.tls);
            event.proxy = Some(PROXY.to_owned());
            event.proxy_answers = vec![status.to_string()];
        }
        other => {
            let inside = inside_fault(other);
            event.fault = inside.map(str::to_owned);
            event.version = inside.and_then(version).map(str::to_owned);
        }
    }
    player.event(&event);
}

/// A fault of the handshake, in the words of the player.
const fn inside_fault(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::ResetAfterHello => Some("reset-after-hello"),
        Fault::Untrusted(_) => Some("client-alert-48"),
        Fault::NoClientCertificate => Some("no-certificate"),
        _ => None,
    }
}

/// What speaks so is TLS 1.2.
fn version(fault: &str) -> Option<&'static str> {
    (fault != "reset-after-hello").then_some("1.2")
}

fn issuer(fault: &Fault) -> Option<String> {
    match fault {
        Fault::Untrusted(issuer) => Some((*issuer).to_owned()),
        _ => None,
    }
}

/// What seals a connection.
enum Seal {
    Clear,
    Dark,
    Keys(Box<Tls>, Option<Box<[fluke_hpack::Encoder<'static>; 2]>>, u32),
}

fn play(
    player: &mut Player,
    line: &Line<'_>,
    format: Format,
    wire: &Wire,
    number: u64,
    is_known: bool,
    keys: &mut String,
) {
    let first = line.items[0];
    let host = hosts::host(&line.host);
    let begun = moment((first.at - 0.09).max(0.01));
    let proxied = player.computer.proxy.is_some();
    let port = if first.is_clear() { 80 } else { 443 };
    if !is_known {
        player.lookup(begun, &line.host, &Event::default());
    }
    if wire.has(|extra| matches!(extra, Extra::Quic)) && !proxied && port == 443 {
        player.event(&Event {
            at: first.at - 0.08,
            quic: Some(line.host.clone()),
            ..Event::default()
        });
    }
    if wire.has(|extra| matches!(extra, Extra::DeadSix)) && !proxied && !host.six.is_empty() {
        let addresses = host.six.iter().map(ToString::to_string).collect();
        player.event(&Event {
            at: first.at - 0.085,
            connect: Some(line.host.clone()),
            fault: Some("unanswered".to_owned()),
            addresses,
            wait: 0.2,
            ..Event::default()
        });
    }
    let asks = wire.has(|extra| matches!(extra, Extra::ProxyAsks));
    let (target, trip, hops) = if proxied {
        let machine = hosts::host("proxy.corp.contoso.example");
        ((machine.addresses[0], 8080), machine.trip, machine.hops)
    } else {
        ((host.addresses[0], port), host.trip, host.hops)
    };
    let mut tcp = Tcp::new(&mut player.network, begun + 40_000, target, trip, hops);
    tcp.open();
    if proxied && port == 443 {
        let name = &line.host;
        let ask = |more: &str| {
            format!("CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\nProxy-Connection: keep-alive\r\nUser-Agent: Mozilla/5.0\r\n{more}\r\n").into_bytes()
        };
        tcp.client(&ask(""));
        if asks {
            tcp.server(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\nProxy-Connection: keep-alive\r\n\r\n", 600);
            tcp.client(&ask("Proxy-Authorization: Negotiate RkFLRVNFQ1JFVA==\r\n"));
        }
        tcp.server(b"HTTP/1.1 200 Connection established\r\n\r\n", host.trip);
        tcp.trip += host.trip;
    }
    let mut seal = if port == 80 {
        Seal::Clear
    } else {
        shake(&mut tcp, &line.host, format, wire.seed ^ (number << 17), keys)
    };
    for item in &line.items {
        tcp.now = tcp.now.max(moment(item.at));
        let request = seal.request(&mut tcp, item);
        match &item.end {
            End::Answer(_) => {
                tcp.client(&request);
                tcp.acked();
                let answer = seal.answer(&mut tcp, item);
                let think = moment(item.took).saturating_sub(3 * tcp.trip).max(900);
                tcp.server(&answer, think);
            }
            End::None => {
                tcp.client(&request);
                tcp.acked();
                return;
            }
            End::Fault(fault) => {
                broken(&mut tcp, &request, fault, item, &host);
                return;
            }
        }
    }
    // Idle connections stay open for a while; most captures end before that.
    let idle = tcp.now + 65_000_000;
    if idle < moment(wire.end) {
        tcp.now = idle;
        tcp.client_closes();
    }
}

/// A request that gets no answer on a connection that was good.
fn broken(tcp: &mut Tcp<'_>, request: &[u8], fault: &Fault, item: &Item, host: &Host) {
    let (begun, wait) = (tcp.now, moment(item.took));
    tcp.client(request);
    match fault {
        Fault::Cancelled => {
            tcp.acked();
            tcp.now = begun + wait;
            tcp.client_closes();
        }
        Fault::Closed => {
            tcp.acked();
            tcp.now = (begun + wait).max(tcp.now);
            tcp.server_closes();
        }
        Fault::Reset => {
            tcp.acked();
            tcp.now = (begun + wait).max(tcp.now);
            tcp.server_resets();
        }
        _ => {
            // Nothing is acknowledged any more; of a black hole only what is full.
            if *fault == Fault::BlackHole {
                tcp.acked_but(begun + host.trip, request.len(), 0);
            }
            let head = &request[..request.len().min(1460)];
            for time in [310_000, 920_000, 2_130_000, 4_540_000, 9_360_000, 19_020_000] {
                if time < wait {
                    tcp.again(begun + time, request.len(), head);
                }
            }
            tcp.now = begun + wait;
            if *fault != Fault::NetworkChanged {
                tcp.client_resets();
            }
        }
    }
}

fn shake(tcp: &mut Tcp<'_>, host: &str, format: Format, seed: u64, keys: &mut String) -> Seal {
    if format.is_dark() {
        let session = Session::new(&mut tcp.network.random, Client::Chrome, host);
        let hello = session.client_hello(&mut tcp.network.random, None);
        tcp.client(&hello);
        let flight = session.flight_13(&mut tcp.network.random, false);
        tcp.server(&flight, 1_500);
        let rest = Session::finished_13(&mut tcp.network.random);
        tcp.client(&rest);
        return Seal::Dark;
    }
    let suite = Suite::ALL[(seed % 4) as usize];
    let is_two = format == Format::KeyedTwo;
    let protocol = if is_two { "h2" } else { "http/1.1" };
    let mut inside = Tls::new(seed, suite);
    keys.push_str(&inside.key_log());
    let hello = inside.client_hello(host, protocol, false);
    tcp.client(&hello);
    let flight = inside.server_flight(protocol);
    tcp.server(&flight, 1_500);
    let mut last = inside.client_flight();
    let encoders =
        is_two.then(|| Box::new([fluke_hpack::Encoder::new(), fluke_hpack::Encoder::new()]));
    if is_two {
        // The preface and the settings of the client (RFC 9113 section 3.4).
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
        last.extend(inside.sealed(CLIENT, &preface));
    }
    tcp.client(&last);
    if is_two {
        let settings = inside.sealed(SERVER, &[frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat());
        tcp.server(&settings, 300);
    }
    Seal::Keys(Box::new(inside), encoders, 1)
}

impl Seal {
    fn request(&mut self, tcp: &mut Tcp<'_>, item: &Item) -> Vec<u8> {
        let form = item.form.as_ref().map_or("", |(_, body)| body.as_str());
        let kind =
            item.form.as_ref().map(|(kind, _)| ("Content-Type".to_owned(), (*kind).to_owned()));
        let mut fields: Vec<(String, String)> = item.sent.iter().cloned().chain(kind).collect();
        if item.form.is_some() {
            fields.push(("Content-Length".to_owned(), form.len().to_string()));
        }
        if let Self::Keys(tls, Some(encoders), stream) = self {
            let mut all = vec![
                (":method".to_owned(), item.method.to_owned()),
                (":scheme".to_owned(), "https".to_owned()),
                (":authority".to_owned(), item.host().to_owned()),
                (":path".to_owned(), item.target()),
            ];
            all.extend(fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)));
            let text = message(&mut encoders[CLIENT], *stream, &all, form.as_bytes());
            return tls.sealed(CLIENT, &text);
        }
        let lines: String =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n{form}",
            item.method,
            item.target(),
            item.host()
        );
        self.sealed(tcp, CLIENT, text.into_bytes())
    }

    fn answer(&mut self, tcp: &mut Tcp<'_>, item: &Item) -> Vec<u8> {
        let (kind, body) = item.body.clone().unwrap_or(("text/plain", String::new()));
        let mut body = body.into_bytes();
        let mut fields = item.fields.clone();
        fields.push(("Content-Type".to_owned(), kind.to_owned()));
        if body.len() > 300 {
            body = archive::gzip(&body);
            fields.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
        }
        fields.push(("Content-Length".to_owned(), body.len().to_string()));
        let status = item.status_or_zero();
        if let Self::Keys(tls, Some(encoders), stream) = self {
            let mut all = vec![(":status".to_owned(), status.to_string())];
            all.extend(fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)));
            let text = message(&mut encoders[SERVER], *stream, &all, &body);
            *stream += 2;
            return tls.sealed(SERVER, &text);
        }
        let lines: String =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} Said\r\n{lines}\r\n");
        self.sealed(tcp, SERVER, [head.into_bytes(), body].concat())
    }

    fn sealed(&mut self, tcp: &mut Tcp<'_>, side: usize, text: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Clear => text,
            Self::Dark => tls::data(&mut tcp.network.random, text.len() + 17),
            Self::Keys(tls, ..) => tls.sealed(side, &text),
        }
    }
}

/// A message of HTTP/2: its head, and its body where it has one.
fn message(
    encoder: &mut fluke_hpack::Encoder<'static>,
    stream: u32,
    fields: &[(String, String)],
    body: &[u8],
) -> Vec<u8> {
    let block =
        encoder.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let mut out = frame(1, 4 | u8::from(body.is_empty()), stream, &block);
    for (index, part) in body.chunks(16_000).enumerate() {
        let is_last = (index + 1) * 16_000 >= body.len();
        out.extend(frame(0, u8::from(is_last), stream, part));
    }
    out
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The frames as the capture has them, in their file.
fn finish(
    format: Format,
    network: Network,
    items: &[Item],
    decides: Option<usize>,
    wire: &Wire,
    keys: &str,
) -> File {
    let mut random = Random::new(wire.seed ^ 0x0bad_cafe);
    let mut packets = network.packets;
    packets.sort_by_key(|packet| packet.at);
    packets.retain(|packet| {
        packet.at >= moment(wire.from) && packet.at as f64 <= wire.until * 1_000_000.0
    });
    spoil(&mut packets, wire.damage, &mut random);
    let mut frames = Vec::new();
    for packet in &packets {
        let frame = Frame {
            at: EPOCH + packet.at,
            bytes: Link::Ethernet.wrap(packet.out, &packet.ip),
            out: packet.out,
            interface: 0,
            dropped: packet.dropped,
            id: None,
            comment: None,
        };
        if wire.damage == Damage::Copies {
            frames.push(Frame { at: frame.at + 2, ..frame.clone() });
        }
        frames.push(frame);
    }
    frames.sort_by_key(|frame| frame.at);
    if wire.damage == Damage::ClockJump {
        let (middle, jump) =
            (frames.len() / 2, if random.below(2) == 0 { 900_000_000 } else { 30_000_000 });
        for frame in frames.iter_mut().skip(middle) {
            frame.at += jump;
        }
    }
    let head = Head {
        link: Link::Ethernet,
        snap: if wire.damage == Damage::Snapped { 96 } else { 0 },
        interfaces: vec!["\\Device\\NPF_{A0B1C2D3-1111-4222-8333-944445555666}".to_owned()],
        program: "Dumpcap (Wireshark) 4.4.6".to_owned(),
        system: "64-bit Windows 11 (23H2), build 22631".to_owned(),
        drops: None,
        directions: false,
    };
    let is_new = !format.is_dark() || random.below(2) == 0;
    let bytes_of = |frames: &[Frame]| {
        let bytes = if is_new { file::pcapng(&head, frames) } else { file::pcap(&head, frames) };
        if keys.is_empty() { bytes } else { with_secrets(&bytes, keys) }
    };
    // What lies before a time is a file of its own; its length is the place.
    let place = |at: f64| {
        let until = EPOCH + moment(at);
        let count = frames.iter().filter(|frame| frame.at < until).count();
        (count < frames.len()).then(|| bytes_of(&frames[..count]).len())
    };
    let decides = decides.and_then(|decides| items.get(decides));
    let bytes = bytes_of(&frames);
    let decides_at = decides.and_then(|item| place(item.at));
    let decided_at = decides.map(|item| place(item.at + item.took + 0.3).unwrap_or(bytes.len()));
    File { bytes, decides_at, decided_at }
}

fn spoil(packets: &mut Vec<Packet>, damage: Damage, random: &mut Random) {
    match damage {
        Damage::FramesLost => {
            let most = 15 + random.below(10);
            packets.retain(|_| random.below(1000) >= most);
        }
        Damage::OneDirection => {
            let out = random.below(2) == 0;
            packets.retain(|packet| packet.out == out);
        }
        Damage::Reordered => {
            for index in 1..packets.len() {
                let (one, two) = (packets[index - 1].at, packets[index].at);
                if two - one < 3_000
                    && packets[index].out == packets[index - 1].out
                    && random.below(20) == 0
                {
                    packets.swap(index - 1, index);
                    (packets[index - 1].at, packets[index].at) = (one, two);
                }
            }
        }
        _ => {}
    }
}

/// Secrets go between the head of the section and the frames.
fn with_secrets(bytes: &[u8], keys: &str) -> Vec<u8> {
    let head = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let padded = keys.len().next_multiple_of(4);
    let length = (20 + padded) as u32;
    let mut block = Vec::new();
    for number in [10, length, 0x544c_534b, keys.len() as u32] {
        block.extend(number.to_le_bytes());
    }
    block.extend(keys.as_bytes());
    block.resize(16 + padded, 0);
    block.extend(length.to_le_bytes());
    [&bytes[..head], &block, &bytes[head..]].concat()
}

/// Bytes of the longest record are those of the writer of sealed connections.
const _: () = assert!(sealed::LONGEST == 1 << 14, "records are as long as the protocol allows");
