//! What a client does for a host: it connects, shakes hands, asks, and is kept from it in many ways.

use super::bytes::built;
use super::bytes::{Put as _, noise};
use super::der::{self, Certificate};
use super::hosts::{self, DIGICERT, Host};
use super::play::{Player, moment};
use super::story::Event;
use super::tcp::Tcp;
use super::tls::{self, Client, Session};

/// A connection without anything in it.
pub(crate) fn connect(player: &mut Player, at: u64, name: &str, event: &Event) -> u64 {
    let host = hosts::host(name);
    let port = if event.port == 0 { 443 } else { event.port };
    if stopped(player, at, name, port, &host, event, false) {
        return at;
    }
    let target = player.targets(name, event)[0];
    let mut tcp = Tcp::new(&mut player.network, at, (target, port), host.trip, host.hops);
    tcp.open();
    close(&mut tcp, event, false);
    tcp.now
}

/// A connection with TLS, tried as often as the event says.
pub(crate) fn tls(player: &mut Player, at: u64, name: &str, event: &Event) -> u64 {
    let mut end = at;
    let every = if event.every == 0.0 { 1.5 } else { event.every };
    for turn in 0..u64::from(event.tries.max(1)) {
        let begun = at + turn * moment(every);
        end = end.max(once(player, begun, name, event));
    }
    end
}

fn once(player: &mut Player, at: u64, name: &str, event: &Event) -> u64 {
    let port = if event.port == 0 { 443 } else { event.port };
    if let Some(proxy) = event.proxy.clone().or_else(|| player.computer.proxy.clone()) {
        return tunnel(player, at, &proxy, name, port, event);
    }
    let host = hosts::host(name);
    if stopped(player, at, name, port, &host, event, true) {
        return at;
    }
    let target = player.targets(name, event)[0];
    let mut tcp = Tcp::new(&mut player.network, at, (target, port), host.trip, host.hops);
    for turn in 0..event.syns {
        tcp.syn(at + [0, 1_000_000, 3_000_000, 7_000_000][turn as usize]);
        tcp.now = at + [1_000_000, 3_000_000, 7_000_000, 15_000_000][turn as usize];
    }
    tcp.open();
    talk(&mut tcp, name, &host, event);
    tcp.now
}

/// Faults that let no connection come about. A browser opens a second one beside each that hangs.
fn stopped(
    player: &mut Player,
    at: u64,
    name: &str,
    port: u16,
    host: &Host,
    event: &Event,
    browser: bool,
) -> bool {
    let Some(fault) = event.fault.as_deref() else { return false };
    let error = error_of(fault);
    if !matches!(fault, "dropped-locally" | "refused" | "unanswered") && error.is_none() {
        return false;
    }
    let wait = moment(if event.wait == 0.0 { 21.0 } else { event.wait });
    let mut begun = at;
    for target in player.targets(name, event) {
        let sockets: &[u64] = if browser && fault == "unanswered" { &[0, 250_000] } else { &[0] };
        for later in sockets {
            let mut tcp =
                Tcp::new(&mut player.network, begun + later, (target, port), host.trip, host.hops);
            let times: &[u64] = match fault {
                "refused" => &[0, 520_000, 1_040_000],
                _ if error.is_some() => &[0],
                _ => &[0, 1_000_000, 3_000_000, 7_000_000, 15_000_000],
            };
            for time in times.iter().filter(|time| **time < wait) {
                let sent = begun + later + time;
                let bytes = tcp.syn(sent);
                if fault == "refused" {
                    tcp.refused(sent + host.trip);
                }
                if fault == "dropped-locally" {
                    tcp.network.packets.last_mut().unwrap().dropped = true;
                }
                if let Some(kind) = error {
                    tcp.network.error(sent + 1_900, kind, &bytes);
                }
            }
        }
        begun += match fault {
            "refused" => 1_100_000 + host.trip,
            _ if error.is_some() => 4_000,
            _ => wait,
        };
    }
    true
}

/// Type and code in the name of a fault such as `icmp-3-13`; `icmp6-1-1` for IPv6.
pub(crate) fn error_of(fault: &str) -> Option<(u8, u8)> {
    let rest = fault.strip_prefix("icmp-").or_else(|| fault.strip_prefix("icmp6-"))?;
    let (kind, code) = rest.split_once('-').unwrap();
    Some((kind.parse().unwrap(), code.parse().unwrap()))
}

/// A tunnel through a proxy, and what is said in it.
fn tunnel(player: &mut Player, at: u64, proxy: &str, name: &str, port: u16, event: &Event) -> u64 {
    let (machine, number) = proxy.rsplit_once(':').unwrap();
    let host = hosts::host(machine);
    let target = machine.parse().unwrap_or_else(|_| player.targets(machine, &Event::default())[0]);
    let number: u16 = number.parse().unwrap();
    let trip = if host.addresses.contains(&target) { host.trip } else { 90 };
    let hops = if target.is_loopback() { player.network.hops } else { host.hops };
    let answers: Vec<&str> = if event.proxy_answers.is_empty() {
        vec!["200"]
    } else {
        event.proxy_answers.iter().map(String::as_str).collect()
    };
    let inner = hosts::host(name);
    let mut now = at;
    let mut credentials = None;
    let mut index = 0;
    while index < answers.len() {
        let mut tcp = Tcp::new(&mut player.network, now, (target, number), trip, hops);
        tcp.open();
        loop {
            let answer = answers[index];
            index += 1;
            tcp.client(&request(name, port, credentials));
            let think =
                if matches!(answer, "200" | "502" | "503" | "504") { inner.trip } else { 700 };
            let wait = if index == answers.len() { moment(event.wait) } else { 0 };
            tcp.server(&reply(answer, event), think + wait);
            if answer == "200" {
                tcp.trip = trip + inner.trip;
                talk(&mut tcp, name, &inner, event);
                return tcp.now;
            }
            credentials = match answer {
                "407-ntlm" => Some(1),
                "407-ntlm-challenge" => Some(3),
                "407" | "407-basic" => Some(0),
                _ => None,
            };
            tcp.now += 900;
            if answer.starts_with("407-ntlm") && index < answers.len() {
                continue;
            }
            tcp.server_closes();
            now = tcp.now + 2_000;
            break;
        }
    }
    now
}

/// The request for a tunnel. `credentials`: none, the step of NTLM, or 0 for a password.
fn request(name: &str, port: u16, credentials: Option<u8>) -> Vec<u8> {
    let mut text = format!(
        "CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\nProxy-Connection: keep-alive\r\nUser-Agent: {AGENT}\r\n"
    );
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    match credentials {
        None => {}
        Some(0) => {
            let secret = base64(b"adele:FAKESECRETproxy1");
            text.push_str(&format!("Proxy-Authorization: Basic {secret}\r\n"));
        }
        Some(step) => {
            text.push_str(&format!("Proxy-Authorization: NTLM {}\r\n", base64(&ntlm(step))));
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A message of NTLM: 1 begins, 2 asks, 3 answers.
fn ntlm(step: u8) -> Vec<u8> {
    let words = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    built(|bytes| {
        bytes.put(b"NTLMSSP\0");
        bytes.put(&u32::from(step).to_le_bytes());
        let flags = 0xa208_8207_u32.to_le_bytes();
        match step {
            1 => {
                bytes.put(&flags);
                bytes.put(&[0; 16]);
                bytes.put(&[10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
            }
            2 => {
                let target = words("CONTOSO");
                bytes.put(&(target.len() as u16).to_le_bytes());
                bytes.put(&(target.len() as u16).to_le_bytes());
                bytes.put(&56_u32.to_le_bytes());
                bytes.put(&flags);
                bytes.put(b"\x11\x22\x33\x44\x55\x66\x77\x88");
                bytes.put(&[0; 8]);
                // No information about the target.
                bytes.put(&[0, 0, 0, 0]);
                bytes.put(&(56 + target.len() as u32).to_le_bytes());
                bytes.put(&[10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
                bytes.put(&target);
            }
            _ => {
                let parts = [
                    vec![0; 24],
                    b"FAKESECRETanswerFAKESECR".to_vec(),
                    words("CONTOSO"),
                    words("adele"),
                    words("PC041"),
                    Vec::new(),
                ];
                let mut place = 72_u32;
                for part in &parts {
                    bytes.put(&(part.len() as u16).to_le_bytes());
                    bytes.put(&(part.len() as u16).to_le_bytes());
                    bytes.put(&place.to_le_bytes());
                    place += part.len() as u32;
                }
                bytes.put(&flags);
                bytes.put(&[10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
                bytes.put(&parts.concat());
            }
        }
    })
}

/// What a proxy answers.
fn reply(answer: &str, event: &Event) -> Vec<u8> {
    let (status, mut head) = match answer {
        "200" => return b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec(),
        "407" | "407-basic" => (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Basic realm=\"Contoso web access\"\r\n".to_owned(),
        ),
        "407-negotiate" => (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n".to_owned(),
        ),
        "407-ntlm" => {
            ("407 Proxy Authentication Required", "Proxy-Authenticate: NTLM\r\n".to_owned())
        }
        "407-ntlm-challenge" => {
            let challenge = data_encoding::BASE64.encode(&ntlm(2));
            (
                "407 Proxy Authentication Required",
                format!("Proxy-Authenticate: NTLM {challenge}\r\n"),
            )
        }
        "403" => ("403 Forbidden", String::new()),
        "502" => ("502 Bad Gateway", String::new()),
        "503" => ("503 Service Unavailable", String::new()),
        "504" => ("504 Gateway Timeout", String::new()),
        "302" => ("302 Found", String::new()),
        other => panic!("no answer of a proxy: {other}"),
    };
    for line in &event.head {
        head.push_str(line);
        head.push_str("\r\n");
    }
    let keep = if answer.starts_with("407-ntlm") { "keep-alive" } else { "close" };
    let body = event.body.clone().unwrap_or_else(|| {
        format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\r\n"
        )
    });
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{head}Content-Type: text/html\r\nContent-Length: {length}\r\nProxy-Connection: {keep}\r\nConnection: {keep}\r\n\r\n{body}").into_bytes()
}

/// A request in clear, and its answer.
pub(crate) fn clear(player: &mut Player, at: u64, line: &str, event: &Event) -> u64 {
    let (method, address) = line.split_once(' ').unwrap();
    let rest = address.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = authority
        .split_once(':')
        .map_or((authority, 80), |(name, port)| (name, port.parse().unwrap()));
    let proxy = event.proxy.clone().or_else(|| player.computer.proxy.clone());
    let (machine, number, asked) = match &proxy {
        Some(proxy) => {
            let (machine, number) = proxy.rsplit_once(':').unwrap();
            (machine.to_owned(), number.parse().unwrap(), address.to_owned())
        }
        None => (name.to_owned(), port, format!("/{path}")),
    };
    let host = hosts::host(&machine);
    let found = if proxy.is_none() && name.parse::<std::net::IpAddr>().is_err() {
        player.lookup(at, &machine, &Event::default()) + 900
    } else {
        at
    };
    if stopped(player, found, &machine, number, &host, event, false) {
        return found;
    }
    let target = machine.parse().unwrap_or_else(|_| player.targets(&machine, event)[0]);
    let mut tcp = Tcp::new(&mut player.network, found, (target, number), host.trip, host.hops);
    tcp.open();
    tcp.client(
        format!("{method} {asked} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAccept: */*\r\nUser-Agent: Microsoft NCSI\r\n\r\n")
            .as_bytes(),
    );
    let bytes = page(event, tcp.network);
    tcp.server(&bytes, 3_000);
    tcp.now += 200;
    tcp.server_closes();
    tcp.now
}

/// An answer in clear, from status, head and body of an event.
fn page(event: &Event, network: &mut super::tcp::Network) -> Vec<u8> {
    let status = if event.status == 0 { 200 } else { event.status };
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        307 => "Temporary Redirect",
        403 => "Forbidden",
        511 => "Network Authentication Required",
        _ => "Error",
    };
    let body = match &event.body {
        Some(body) => body.clone().into_bytes(),
        None if event.head.iter().any(|line| line.contains("ocsp")) => {
            der::good(&mut network.random)
        }
        None => noise(&mut network.random, event.size),
    };
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
    for line in &event.head {
        text.push_str(line);
        text.push_str("\r\n");
    }
    if !event.head.iter().any(|line| line.starts_with("Content-Type")) {
        let kind = if event.body.is_some() { "text/html" } else { "application/octet-stream" };
        text.push_str(&format!("Content-Type: {kind}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
    [text.into_bytes(), body].concat()
}

/// What is said in an open connection.
fn talk(tcp: &mut Tcp<'_>, name: &str, host: &Host, event: &Event) {
    let client = Client::named(event.hello.as_deref().unwrap_or("chrome"));
    let mut session = Session::new(&mut tcp.network.random, client, name);
    session.resumed = event.resumed;
    let newest = event.version.as_deref().unwrap_or("1.3") == "1.3"
        && matches!(client, Client::Chrome | Client::Modern);
    tcp.network.told.0.insert(name.to_owned());
    let hello = session.client_hello(&mut tcp.network.random, None);
    tcp.now += 400;
    if let Some(fault) = event.fault.as_deref() {
        if kept_from_handshake(tcp, fault, &session, &hello, newest, host, event) {
            return;
        }
    }
    shake(tcp, &session, &hello, newest, host, event);
    let plan = event.requests.as_deref().unwrap_or("0.02:1150/5200");
    requests(tcp, plan);
    match event.fault.as_deref() {
        Some(fault) => broken_off(tcp, fault, event),
        None => close(tcp, event, newest),
    }
}

/// Faults between hello and handshake; `false` for those that come later.
fn kept_from_handshake(
    tcp: &mut Tcp<'_>,
    fault: &str,
    session: &Session,
    hello: &[u8],
    newest: bool,
    host: &Host,
    event: &Event,
) -> bool {
    let wait = moment(if event.wait == 0.0 { 20.0 } else { event.wait });
    let begun = tcp.now;
    if let Some(number) = fault.strip_prefix("alert-") {
        tcp.client(hello);
        let number = number.parse().unwrap();
        let version = if session.client == Client::Old { 0x0301 } else { 0x0303 };
        tcp.server(&tls::alert(version, 2, number), 300);
        tcp.now += 100;
        tcp.server_closes();
        return true;
    }
    if let Some(number) = fault.strip_prefix("client-alert-") {
        tcp.client(hello);
        let flight = flight(tcp, session, newest, host, event, false);
        tcp.server(&flight, 1_500);
        tcp.now += 2_600;
        tcp.client(&tls::alert(0x0303, 2, number.parse().unwrap()));
        tcp.now += 120;
        tcp.client_closes();
        return true;
    }
    match fault {
        "block-page" => {
            tcp.client(hello);
            let bytes = page(event, tcp.network);
            tcp.server(&bytes, 200);
            tcp.now += 100;
            tcp.server_closes();
        }
        "client-closes-after-hello" => {
            tcp.client(hello);
            tcp.now += 300;
            tcp.client_fin();
            tcp.acked();
            tcp.now += 20;
            tcp.client_resets();
        }
        "client-leaves" => {
            tcp.client(hello);
            let flight = flight(tcp, session, newest, host, event, false);
            tcp.server(&flight, 1_500);
            tcp.now += 2_800;
            let last = tls::sealed_alert(&mut tcp.network.random, newest);
            tcp.client(&last);
            tcp.now += 90;
            tcp.client_closes();
        }
        "close-after-hello" => {
            tcp.client(hello);
            tcp.acked();
            tcp.now += 300;
            tcp.server_closes();
        }
        "flight-lost" => {
            tcp.client(hello);
            let flight = flight(tcp, session, newest, host, event, false);
            tcp.server_without(&flight, flight.len() - flight.len() % 1380);
            tcp.now = begun + wait;
            tcp.client_resets();
        }
        "hello-first-lost" | "hello-second-lost" => {
            let first = hello.len().min(usize::from(tcp.network.most));
            let second = hello.len() - first;
            tcp.client(hello);
            let (missing, again) = if fault == "hello-first-lost" {
                (hello.len(), &hello[..first])
            } else {
                (second, &hello[first..])
            };
            tcp.acked_but(begun + tcp.trip, missing);
            for time in [310_000, 910_000, 2_110_000, 4_510_000, 9_310_000, 18_910_000] {
                if time < wait {
                    tcp.again(begun + time, missing, again);
                }
            }
            tcp.now = begun + wait;
            tcp.client_resets();
        }
        "hello-ignored" => {
            tcp.client(hello);
            tcp.acked();
            tcp.now = begun + wait;
            tcp.client_fin();
            tcp.acked();
        }
        "injected-reset-after-hello" => {
            tcp.client(hello);
            tcp.injected_reset(begun + 1_700, 62, 0xd431);
            tcp.now = begun + 1_800;
        }
        "no-certificate" => {
            tcp.client(hello);
            let flight = flight(tcp, session, false, host, event, true);
            tcp.server(&flight, 1_500);
            tcp.now += 3_000;
            let rest = session.finished_12(&mut tcp.network.random, true);
            tcp.client(&rest);
            tcp.server(&tls::alert(0x0303, 2, 40), 900);
            tcp.now += 100;
            tcp.server_closes();
        }
        "reset-after-hello" => {
            tcp.client(hello);
            tcp.now += tcp.trip;
            tcp.server_resets();
        }
        _ => return false,
    }
    true
}

/// Faults of a connection that was good so far: its last request gets no answer, or half of one.
fn broken_off(tcp: &mut Tcp<'_>, fault: &str, event: &Event) {
    let wait = moment(if event.wait == 0.0 { 30.0 } else { event.wait });
    tcp.now += 700_000;
    let begun = tcp.now;
    match fault {
        "black-hole-mid-stream" => {
            // Two full segments that do not fit through, and a rest that does.
            let data = tls::data(&mut tcp.network.random, 3_300);
            let most = usize::from(tcp.network.most);
            tcp.client(&data);
            tcp.acked_but(begun + tcp.trip, data.len());
            for time in [320_000, 940_000, 2_180_000, 4_660_000, 9_620_000, 19_540_000] {
                if time < wait {
                    tcp.again(begun + time, data.len(), &data[..most]);
                }
            }
            tcp.now = begun + wait;
            tcp.client_resets();
        }
        "reset-mid-stream" => {
            let data = tls::data(&mut tcp.network.random, 2_150);
            tcp.client(&data);
            let half = tls::data(&mut tcp.network.random, 9_000);
            tcp.server(&half[..4_100], 30_000);
            tcp.now += 15_000;
            tcp.server_resets();
        }
        "close-mid-stream" => {
            let data = tls::data(&mut tcp.network.random, 2_150);
            tcp.client(&data);
            tcp.acked();
            tcp.now += 20_000;
            tcp.server_closes();
        }
        "stall-mid-stream" => {
            let data = tls::data(&mut tcp.network.random, 2_150);
            tcp.client(&data);
            tcp.acked();
            tcp.now = begun + wait;
            tcp.client_closes();
        }
        "silence-mid-stream" => {
            // Nothing comes any more, not even an acknowledgement.
            let data = tls::data(&mut tcp.network.random, 1_100);
            tcp.client(&data);
            for time in [320_000, 940_000, 2_180_000, 4_660_000, 9_620_000, 19_540_000] {
                if time < wait {
                    tcp.again(begun + time, data.len(), &data);
                }
            }
            tcp.now = begun + wait;
            tcp.client_resets();
        }
        other => panic!("no fault: {other}"),
    }
}

fn flight(
    tcp: &mut Tcp<'_>,
    session: &Session,
    newest: bool,
    host: &Host,
    event: &Event,
    asks: bool,
) -> Vec<u8> {
    if newest {
        return session.flight_13(&mut tcp.network.random, event.resumed);
    }
    let chain = chain(&session.name, host, event);
    session.flight_12(&mut tcp.network.random, &chain, asks)
}

/// The handshake where nothing goes wrong.
fn shake(
    tcp: &mut Tcp<'_>,
    session: &Session,
    hello: &[u8],
    newest: bool,
    host: &Host,
    event: &Event,
) {
    tcp.client(hello);
    if newest {
        if event.retry {
            let retry = session.retry(&mut tcp.network.random);
            tcp.server(&retry, 400);
            tcp.now += 900;
            let again = session.client_hello(&mut tcp.network.random, Some(tls::P256));
            tcp.client(&again);
        }
        let flight = session.flight_13(&mut tcp.network.random, event.resumed);
        tcp.server(&flight, 1_500);
        tcp.now += 1_900;
        let rest = session.finished_13(&mut tcp.network.random);
        tcp.client(&rest);
    } else if event.resumed {
        let flight = session.flight_12_resumed(&mut tcp.network.random);
        tcp.server(&flight, 900);
        tcp.now += 500;
        let rest = session.server_finished_12(&mut tcp.network.random);
        tcp.client(&rest);
    } else {
        let flight = flight(tcp, session, false, host, event, false);
        tcp.server(&flight, 1_500);
        tcp.now += 2_400;
        let rest = session.finished_12(&mut tcp.network.random, false);
        tcp.client(&rest);
        let end = session.server_finished_12(&mut tcp.network.random);
        tcp.server(&end, 800);
    }
}

/// The certificates of a host as it sends them, or as something on the way does.
fn chain(name: &str, host: &Host, event: &Event) -> Vec<Certificate> {
    let issuer = event.issuer.clone().unwrap_or_else(|| host.issuer.to_owned());
    let own = event.issuer.is_none();
    let (subject, names) = if own && name == "login.microsoftonline.com" {
        let names = [
            "stamp2.login.microsoftonline.com",
            "login.microsoftonline.com",
            "login.microsoftonline-p.com",
            "login.windows.net",
            "login.microsoft.com",
            "loginex.microsoftonline.com",
        ];
        (
            "C=US, ST=Washington, L=Redmond, O=Microsoft Corporation, CN=stamp2.login.microsoftonline.com".to_owned(),
            names.map(str::to_owned).to_vec(),
        )
    } else {
        (format!("CN={name}"), vec![name.to_owned()])
    };
    let days = event.days.as_deref().unwrap_or("2026-01-20/2026-05-01");
    let (from, until) = days.split_once('/').unwrap();
    let root = if issuer == DIGICERT {
        "C=US, O=DigiCert Inc, OU=www.digicert.com, CN=DigiCert Global Root G2".to_owned()
    } else if own {
        "C=US, O=Microsoft Corporation, CN=Microsoft TLS RSA Root G2".to_owned()
    } else {
        issuer.clone()
    };
    vec![
        Certificate {
            subject: event.subject.clone().unwrap_or(subject),
            issuer: issuer.clone(),
            names: if event.names.is_empty() { names } else { event.names.clone() },
            from: from.to_owned(),
            until: until.to_owned(),
            authority: false,
        },
        Certificate {
            subject: issuer,
            issuer: root,
            names: Vec::new(),
            from: "2024-03-01".to_owned(),
            until: "2034-02-28".to_owned(),
            authority: true,
        },
    ]
}

/// Requests and their answers, one after another: `wait:up/down`, or `1x20:up/down`.
pub(crate) fn requests(tcp: &mut Tcp<'_>, plan: &str) {
    for part in plan.split_whitespace() {
        let (wait, sizes) = part.split_once(':').unwrap();
        let (wait, times) =
            wait.split_once('x').map_or((wait, 1), |(wait, times)| (wait, times.parse().unwrap()));
        let (up, down) = sizes.split_once('/').unwrap();
        for _ in 0..times {
            tcp.now += moment(wait.parse().unwrap());
            let data = tls::data(&mut tcp.network.random, up.parse().unwrap());
            tcp.client(&data);
            let data = tls::data(&mut tcp.network.random, down.parse().unwrap());
            tcp.server(&data, 9_000);
        }
    }
}

/// The end of a connection that did its work.
pub(crate) fn close(tcp: &mut Tcp<'_>, event: &Event, newest: bool) {
    let Some(how) = event.close.as_deref() else { return };
    let mut idle = moment(event.idle);
    while idle > 45_000_000 {
        tcp.now += 45_000_000;
        idle -= 45_000_000;
        tcp.keep_alive();
    }
    tcp.now += idle;
    match how {
        "client" => tcp.client_closes(),
        "client-notify" => {
            let last = tls::sealed_alert(&mut tcp.network.random, newest);
            tcp.client(&last);
            tcp.client_closes();
        }
        "client-reset" => tcp.client_resets(),
        "open" => {}
        "server" => tcp.server_closes(),
        "server-notify" => {
            let last = tls::sealed_alert(&mut tcp.network.random, newest);
            tcp.server(&last, 0);
            tcp.server_closes();
        }
        "server-reset" => tcp.server_resets(),
        "user-canceled" => {
            tcp.client(&tls::alert(0x0303, 1, 90));
            tcp.client(&tls::alert(0x0303, 1, 0));
            tcp.client_closes();
        }
        other => panic!("no end: {other}"),
    }
}

const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36 Edg/134.0.0.0";
