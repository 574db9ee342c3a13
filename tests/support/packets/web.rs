//! HTTP in clear: requests, proxies with their answers, pages of filters and portals.

use std::net::IpAddr;

use super::browser::{stopped, talk};
use super::bytes::{Put as _, built, noise};
use super::der;
use super::hosts;
use super::play::{Player, moment};
use super::story::Event;
use super::tcp::{Network, Tcp};

/// A tunnel through a proxy, and what is said in it.
pub(crate) fn tunnel(
    player: &mut Player,
    at: u64,
    proxy: &str,
    name: &str,
    port: u16,
    event: &Event,
) -> u64 {
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
    let found = if proxy.is_none() && name.parse::<IpAddr>().is_err() {
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
    match event.fault.as_deref() {
        Some("ignored") => {
            tcp.acked();
            tcp.now += moment(if event.wait == 0.0 { 21.0 } else { event.wait });
            tcp.client_fin();
            tcp.acked();
            return tcp.now;
        }
        Some("reset") => {
            tcp.now += tcp.trip;
            tcp.server_resets();
            return tcp.now;
        }
        _ => {}
    }
    let bytes = page(event, tcp.network);
    tcp.server(&bytes, 3_000);
    tcp.now += 200;
    tcp.server_closes();
    tcp.now
}

/// An answer in clear, from status, head and body of an event.
pub(crate) fn page(event: &Event, network: &mut Network) -> Vec<u8> {
    let status = if event.status == 0 { 200 } else { event.status };
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        307 => "Temporary Redirect",
        304 => "Not Modified",
        403 => "Forbidden",
        404 => "Not Found",
        503 => "Service Unavailable",
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

const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36 Edg/134.0.0.0";
