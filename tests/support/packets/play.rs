//! A story played: its events made into packets, and these into the frames of a capture.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::browser;
use super::bytes::{Put as _, built, noise};
use super::dns::{self, Answer};
use super::file::{self, Frame, Head};
use super::hosts::{self, Host};
use super::net::Link;
use super::scenes;
use super::story::{Capture, Computer, Event, Story};
use super::tcp::{Network, Tcp};
use super::tls;
use super::web;

/// A capture, and what tshark has to find in it.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ending: &'static str,
    /// Names in hellos and names in questions.
    pub(crate) servers: BTreeSet<String>,
    pub(crate) questions: BTreeSet<String>,
    /// Whether all of them are in the capture: nothing was cut off or left out.
    pub(crate) complete: bool,
}

/// Plays a story; the name makes its numbers its own.
pub(crate) fn play(name: &str, story: &Story) -> Played {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut player = Player::new(seed, &story.client);
    for event in &story.events {
        player.event(event);
    }
    let network = player.network;
    let start = BEGINNING + seed % 40_000 * 1_000_000 + seed % 1_000_000;
    let capture = &story.capture;
    let (frames, lost) = frames(start, capture, network.clone());
    let pcapng = capture.format.as_deref() == Some("pcapng");
    let head = head(capture, &story.client, lost);
    Played {
        bytes: if pcapng { file::pcapng(&head, &frames) } else { file::pcap(&head, &frames) },
        ending: if pcapng { "pcapng" } else { "pcap" },
        servers: network.told.0,
        questions: network.told.1,
        complete: capture.snap == 0
            && capture.from.is_none()
            && capture.until.is_none()
            && capture.only.is_none()
            && capture.drops == 0.0,
    }
}

/// Who acts in a story.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    pub(crate) network: Network,
    pub(crate) computer: Computer,
}

impl Player {
    fn new(seed: u64, computer: &Computer) -> Self {
        let mut network = Network::new(seed);
        if let Some(address) = &computer.address {
            network.client = address.parse().unwrap();
        }
        match computer.system.as_deref() {
            Some("linux") => (network.hops, network.stamps) = (64, true),
            None | Some("windows") => {}
            Some(other) => panic!("no system: {other}"),
        }
        network.most = computer.segment.unwrap_or(1460);
        network.loss = computer.loss;
        Self { network, computer: computer.clone() }
    }

    /// Plays one event; the time at which it is over comes back.
    pub(crate) fn event(&mut self, event: &Event) -> u64 {
        if let Some(other) = &event.of {
            let own = std::mem::replace(&mut self.network.client, other.parse().unwrap());
            let known = std::mem::take(&mut self.network.known);
            let end = self.event(&Event { of: None, ..event.clone() });
            (self.network.client, self.network.known) = (own, known);
            return end;
        }
        let at = moment(event.at);
        let kinds = [
            &event.lookup,
            &event.connect,
            &event.tls,
            &event.visit,
            &event.http,
            &event.older,
            &event.quic,
            &event.udp,
            &event.scene,
        ];
        assert_eq!(
            kinds.iter().filter(|kind| kind.is_some()).count(),
            1,
            "one thing at a time: {event:?}"
        );
        if let Some(name) = &event.lookup {
            self.lookup(at, name, event)
        } else if let Some(name) = &event.connect {
            browser::connect(self, at, name, event)
        } else if let Some(name) = &event.tls {
            browser::tls(self, at, name, event)
        } else if let Some(name) = &event.visit {
            let found = self.lookup(at, name, &Event::default());
            browser::tls(self, found + 1100, name, event)
        } else if let Some(line) = &event.http {
            web::clear(self, at, line, event)
        } else if let Some(name) = &event.older {
            self.older(at, name, event)
        } else if let Some(name) = &event.quic {
            self.quic(at, name, event)
        } else if let Some(target) = &event.udp {
            self.udp(at, target, event)
        } else {
            let mut end = at;
            for part in scenes::scene(event) {
                end = end.max(self.event(&part));
            }
            end
        }
    }

    /// Asks for a name; with a proxy or encrypted names nobody does.
    pub(crate) fn lookup(&mut self, at: u64, name: &str, event: &Event) -> u64 {
        let proxied = self.computer.proxy.is_some() && !name.ends_with("corp.contoso.example");
        if self.computer.encrypted_names || proxied {
            return at;
        }
        let host = hosts::host(name);
        let types: Vec<&str> = if event.types.is_empty() {
            vec!["A", "AAAA"]
        } else {
            event.types.iter().map(String::as_str).collect()
        };
        self.network.told.1.insert(name.to_owned());
        let mut end = at;
        for (index, kind) in types.iter().enumerate() {
            let code = match (&event.six, *kind) {
                (Some(code), "AAAA") => Some(code.clone()),
                _ => event.code.clone(),
            };
            let begun = at + index as u64 * 350;
            end = end.max(self.question(begun, name, kind, code.as_deref(), &host, event));
        }
        if event.code.is_none() {
            let addresses = match &event.answers {
                Some(answers) => answers.iter().map(|one| one.parse().unwrap()).collect(),
                None => self.addresses(&host),
            };
            if !addresses.is_empty() {
                self.network.known.insert(name.to_owned(), addresses);
            }
        }
        end
    }

    fn question(
        &mut self,
        at: u64,
        name: &str,
        kind: &str,
        code: Option<&str>,
        host: &Host,
        event: &Event,
    ) -> u64 {
        let servers: Vec<IpAddr> = if event.servers.is_empty() {
            let own = if self.computer.nat64 { SERVERS_SIX } else { SERVERS };
            own.iter().map(|one| one.parse().unwrap()).collect()
        } else {
            event.servers.iter().map(|one| one.parse().unwrap()).collect()
        };
        let id = self.network.random.number() as u16;
        let port = self.network.port();
        let client = self.network.own(servers[0]);
        let asked = dns::question(id, name, dns::kind(kind));
        let silent = code == Some("none");
        let lost = if silent { TIMES.len() } else { event.lost as usize };
        for (index, time) in TIMES.iter().take(lost).enumerate() {
            let server = servers[index % servers.len()];
            let hops = self.network.hops;
            self.network.datagram(at + time, true, hops, [(client, port), (server, 53)], &asked);
        }
        if silent {
            return at + 12_000_000;
        }
        let answer = self.answer(name, kind, code, host, event);
        let mut now = at + TIMES.get(lost).copied().unwrap_or(16_000_000) * u64::from(lost > 0);
        // A server that fails is asked no more; the next one is.
        let times = if matches!(code, Some("REFUSED" | "SERVFAIL")) { servers.len() } else { 1 };
        for turn in 0..times {
            let server = servers[(lost + turn) % servers.len()];
            let hops = self.network.hops;
            let trip = 2_400 + self.network.random.below(9_000) as u64;
            self.network.datagram(now, true, hops, [(client, port), (server, 53)], &asked);
            let told = dns::answer(id, name, dns::kind(kind), &answer);
            now += trip;
            self.network.datagram(now, false, 63, [(server, 53), (client, port)], &told);
            now += 1_000 * u64::from(turn + 1 < times);
        }
        now
    }

    fn answer(
        &self,
        name: &str,
        kind: &str,
        code: Option<&str>,
        host: &Host,
        event: &Event,
    ) -> Answer {
        let mut answer = Answer { seconds: 60, ..Answer::default() };
        if let Some(code) = code {
            answer.code = dns::code(code);
            answer.authority = answer.code == 3;
            if code != "NOERROR" {
                return answer;
            }
        }
        let told = event
            .answers
            .as_ref()
            .map(|all| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>());
        if told.is_none() {
            answer.chain.clone_from(&host.chain);
        }
        answer.addresses = match kind {
            "A" => told
                .unwrap_or_else(|| host.addresses.clone())
                .into_iter()
                .filter(IpAddr::is_ipv4)
                .collect(),
            "AAAA" if self.computer.nat64 => host.addresses.iter().map(mapped).collect(),
            "AAAA" => told
                .unwrap_or_else(|| host.six.clone())
                .into_iter()
                .filter(IpAddr::is_ipv6)
                .collect(),
            _ => Vec::new(),
        };
        answer.authority = answer.addresses.is_empty() && name.contains('.');
        answer
    }

    /// Where a host is reached from here.
    fn addresses(&self, host: &Host) -> Vec<IpAddr> {
        if self.computer.nat64 {
            host.addresses.iter().map(mapped).collect()
        } else if self.computer.six && !host.six.is_empty() {
            host.six.clone()
        } else {
            host.addresses.clone()
        }
    }

    /// The addresses that an event goes to, in order.
    pub(crate) fn targets(&self, name: &str, event: &Event) -> Vec<IpAddr> {
        if event.addresses.is_empty() {
            let known = self.network.known.get(name).cloned();
            return known.unwrap_or_else(|| self.addresses(&hosts::host(name)));
        }
        event.addresses.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn older(&mut self, at: u64, name: &str, event: &Event) -> u64 {
        let host = hosts::host(name);
        let port = if event.port == 0 { 443 } else { event.port };
        let target = self.targets(name, event)[0];
        let mut tcp = Tcp::new(&mut self.network, at, (target, port), host.trip, host.hops);
        tcp.older();
        let plan = event.requests.as_deref().unwrap_or("0.1:310/620 14:290/540");
        browser::requests(&mut tcp, plan);
        browser::close(&mut tcp, event, true);
        tcp.now
    }

    fn quic(&mut self, at: u64, name: &str, event: &Event) -> u64 {
        let host = hosts::host(name);
        let target = self.targets(name, event)[0];
        let port = self.network.port();
        let client = self.network.own(target);
        let mut now = at;
        for time in [0_u64, 300_000, 900_000, 2_100_000] {
            let bytes = tls::initial(&mut self.network.random);
            let hops = self.network.hops;
            let sent = self.network.datagram(
                at + time,
                true,
                hops,
                [(client, port), (target, 443)],
                &bytes,
            );
            now = at + time;
            if let Some(kind) = event.fault.as_deref().and_then(browser::error_of) {
                self.network.error(now + 1_300, kind, &sent);
            }
            if event.answered {
                for part in 1..6_u64 {
                    let bytes = built(|bytes| {
                        bytes.u8(0x5a);
                        bytes.put(&noise(&mut self.network.random, 900));
                    });
                    now += host.trip / part;
                    self.network.datagram(
                        now,
                        part % 2 == 0,
                        host.hops,
                        if part % 2 == 0 {
                            [(client, port), (target, 443)]
                        } else {
                            [(target, 443), (client, port)]
                        },
                        &bytes,
                    );
                }
                break;
            }
        }
        now
    }

    fn udp(&mut self, at: u64, target: &str, event: &Event) -> u64 {
        let (name, number) = target.rsplit_once(':').unwrap();
        let number: u16 = number.parse().unwrap();
        let host = hosts::host(name);
        let address = self.targets(name, event)[0];
        let port = if number == 443 { self.network.port() } else { number };
        let client = self.network.own(address);
        let every = moment(if event.every == 0.0 { 0.5 } else { event.every });
        let size = if event.size == 0 { 640 } else { event.size };
        let mut now = at;
        for index in 0..event.count.max(1) {
            now = at + u64::from(index) * every;
            let hops = self.network.hops;
            let bytes = tunnelled(&mut self.network, number, index, size);
            self.network.datagram(now, true, hops, [(client, port), (address, number)], &bytes);
            if event.answered {
                let bytes = tunnelled(&mut self.network, number, index, size * 2);
                now += host.trip;
                self.network.datagram(
                    now,
                    false,
                    host.hops,
                    [(address, number), (client, port)],
                    &bytes,
                );
            }
        }
        now
    }
}

/// What a VPN sends, as far as it can be seen: ESP in UDP, `WireGuard`, or DTLS.
fn tunnelled(network: &mut Network, port: u16, index: u32, size: usize) -> Vec<u8> {
    let size = size.min(1380).next_multiple_of(16);
    built(|bytes| {
        match port {
            51_820 => {
                bytes.put(&[4, 0, 0, 0]);
                bytes.u32(0x3b9a_c1d0);
                bytes.put(&u64::from(index).to_le_bytes());
            }
            4500 => {
                bytes.u32(0xc3f1_77a2);
                bytes.u32(index + 1);
            }
            _ => {
                bytes.put(&[23, 0xfe, 0xfd, 0, 1, 0, 0]);
                bytes.u32(index);
                bytes.u16(size as u16);
            }
        }
        bytes.put(&noise(&mut network.random, size));
    })
}

/// An IPv4 address as NAT64 maps it.
fn mapped(address: &IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let mut bytes = [0_u8; 16];
            bytes[..4].copy_from_slice(&[0x00, 0x64, 0xff, 0x9b]);
            bytes[12..].copy_from_slice(&four.octets());
            IpAddr::from(bytes)
        }
        six @ IpAddr::V6(_) => *six,
    }
}

/// Seconds of a story in microseconds.
pub(crate) fn moment(seconds: f64) -> u64 {
    (seconds * 1_000_000.0).round() as u64
}

fn head(capture: &Capture, computer: &Computer, lost: u64) -> Head {
    let linux = computer.system.as_deref() == Some("linux");
    let interfaces: Vec<&str> = match capture.copies.as_deref() {
        Some("components") => COMPONENTS.to_vec(),
        _ if linux => vec!["eth0"],
        _ => vec!["\\Device\\NPF_{5B2A7C10-1C0F-4E0B-9E57-6B5B4C1E0A11}"],
    };
    let (program, system) = if capture.copies.as_deref() == Some("components") || capture.processes
    {
        ("etl2pcapng 1.11.0", "Windows 11 Build 26100")
    } else if linux {
        ("Dumpcap (Wireshark) 4.2.2", "Linux 6.8.0-45-generic")
    } else {
        ("Dumpcap (Wireshark) 4.4.1", "64-bit Windows 11 (24H2), build 26100")
    };
    Head {
        link: Link::named(capture.link.as_deref().unwrap_or("ethernet")),
        snap: capture.snap,
        interfaces: interfaces.into_iter().map(str::to_owned).collect(),
        program: program.to_owned(),
        system: system.to_owned(),
        drops: (capture.drops > 0.0).then_some(lost),
        directions: capture.directions || capture.copies.as_deref() == Some("components"),
    }
}

/// The frames of a capture, and how many the interface lost.
fn frames(start: u64, capture: &Capture, mut network: Network) -> (Vec<Frame>, u64) {
    let mut packets = std::mem::take(&mut network.packets);
    packets.sort_by_key(|packet| packet.at);
    if let Some(from) = capture.from {
        packets.retain(|packet| packet.at >= moment(from));
    }
    if let Some(until) = capture.until {
        packets.retain(|packet| packet.at <= moment(until));
    }
    match capture.only.as_deref() {
        Some("client") => packets.retain(|packet| packet.out),
        Some("server") => packets.retain(|packet| !packet.out),
        _ => {}
    }
    let random = &mut network.random;
    let mut chance = |part: f64| part > 0.0 && f64::from(random.number()) < part * 4_294_967_296.0;
    let before = packets.len();
    packets.retain(|_| !chance(capture.drops));
    let lost = (before - packets.len()) as u64;
    for index in 1..packets.len() {
        let (before, here) = (packets[index - 1].at, packets[index].at);
        let near = here - before < 200 && packets[index].out == packets[index - 1].out;
        if near && chance(capture.reordered) {
            packets.swap(index - 1, index);
            (packets[index - 1].at, packets[index].at) = (before, here);
        }
    }
    let link = Link::named(capture.link.as_deref().unwrap_or("ethernet"));
    let components = capture.copies.as_deref() == Some("components");
    let mut frames = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let process = if packet.out { 7412 } else { 0 };
        let frame = Frame {
            at: start + packet.at,
            bytes: link.wrap(packet.out, &packet.ip),
            out: packet.out,
            interface: 0,
            dropped: packet.dropped,
            id: components.then_some(index as u64 + 1),
            comment: (components || capture.processes)
                .then(|| format!("PID={process} ProcessName= TID={}", process + 52)),
        };
        let count = match capture.copies.as_deref() {
            Some("components") if packet.dropped => 1,
            Some("components") => COMPONENTS.len(),
            Some("span") => 2,
            _ if chance(capture.duplicates) => 2,
            _ => 1,
        };
        for copy in 0..count {
            let mut frame = frame.clone();
            frame.at += copy as u64 * 3;
            if components {
                // What goes out passes the components from above, what comes in from below.
                frame.interface = if packet.out { copy } else { count - 1 - copy } as u32;
            }
            frames.push(frame);
        }
    }
    frames.sort_by_key(|frame| frame.at);
    (frames, lost)
}

/// 2026-03-10T06:14:05Z.
const BEGINNING: u64 = 1_773_123_245_000_000;
/// When a question is asked again, as Windows does.
const TIMES: [u64; 5] = [0, 1_000_000, 2_000_000, 4_000_000, 8_000_000];
const SERVERS: [&str; 2] = ["10.20.0.53", "10.20.0.54"];
const SERVERS_SIX: [&str; 2] = ["2001:db8:20:53::53", "2001:db8:20:53::54"];
const COMPONENTS: [&str; 3] = ["wfp:10", "ndis-filter:14", "miniport:9"];
