//! What a client does for a host: it connects, shakes hands, asks, and is kept from it in many ways.

use super::der::Certificate;
use super::hosts::{self, DIGICERT, Host};
use super::play::{Player, moment};
use super::story::Event;
use super::tcp::Tcp;
use super::tls::{self, Client, Session};
use super::web;

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
        return web::tunnel(player, at, &proxy, name, port, event);
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
pub(crate) fn stopped(
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

/// What is said in an open connection.
pub(crate) fn talk(tcp: &mut Tcp<'_>, name: &str, host: &Host, event: &Event) {
    let client = Client::named(event.hello.as_deref().unwrap_or("chrome"));
    let mut session = Session::new(&mut tcp.network.random, client, name);
    session.resumed = event.resumed;
    let newest = event.version.as_deref().unwrap_or("1.3") == "1.3"
        && matches!(client, Client::Chrome | Client::Modern);
    tcp.network.told.0.insert(name.to_owned());
    let hello = session.client_hello(&mut tcp.network.random, None);
    tcp.now += 400;
    if let Some(fault) = event.fault.as_deref()
        && kept_from_handshake(tcp, fault, &session, &hello, newest, host, event)
    {
        return;
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
        tcp.now += 2_600 + moment(event.checks);
        tcp.client(&tls::alert(0x0303, 2, number.parse().unwrap()));
        tcp.now += 120;
        tcp.client_closes();
        return true;
    }
    match fault {
        "block-page" => {
            tcp.client(hello);
            let bytes = web::page(event, tcp.network);
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
        "client-leaves-unused" => leaves_unused(tcp, hello, session, newest, host, event),
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
        "hello-first-lost" | "hello-second-lost" => half_lost(tcp, fault, hello, wait),
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
            let rest = Session::finished_12(&mut tcp.network.random, true);
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

/// The handshake is finished, and the client leaves without a word: Windows looks at the certificate
/// when all else is done.
fn leaves_unused(
    tcp: &mut Tcp<'_>,
    hello: &[u8],
    session: &Session,
    newest: bool,
    host: &Host,
    event: &Event,
) {
    tcp.client(hello);
    let flight = flight(tcp, session, newest, host, event, false);
    tcp.server(&flight, 1_500);
    tcp.now += 2_800;
    if newest {
        let last = Session::finished_13(&mut tcp.network.random);
        tcp.client(&last);
    } else {
        let last = Session::finished_12(&mut tcp.network.random, false);
        tcp.client(&last);
        let end = Session::server_finished_12(&mut tcp.network.random);
        tcp.server(&end, 400);
    }
    tcp.now += 9_000;
    tcp.client_resets();
}

/// One of the two segments of a hello gets lost, each time it is sent.
fn half_lost(tcp: &mut Tcp<'_>, fault: &str, hello: &[u8], wait: u64) {
    let begun = tcp.now;
    let first = hello.len().min(usize::from(tcp.network.most));
    let second = hello.len() - first;
    tcp.client(hello);
    let (missing, come, again) = if fault == "hello-first-lost" {
        (hello.len(), second, &hello[..first])
    } else {
        (second, 0, &hello[first..])
    };
    tcp.acked_but(begun + tcp.trip, missing, come);
    for time in [310_000, 910_000, 2_110_000, 4_510_000, 9_310_000, 18_910_000] {
        if time < wait {
            tcp.again(begun + time, missing, again);
        }
    }
    tcp.now = begun + wait;
    tcp.client_resets();
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
            tcp.acked_but(begun + tcp.trip, data.len(), data.len() % most);
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
        tcp.now += 1_900 + moment(event.checks);
        let rest = Session::finished_13(&mut tcp.network.random);
        tcp.client(&rest);
    } else if event.resumed {
        let flight = session.flight_12_resumed(&mut tcp.network.random);
        tcp.server(&flight, 900);
        tcp.now += 500;
        let rest = Session::server_finished_12(&mut tcp.network.random);
        tcp.client(&rest);
    } else {
        let flight = flight(tcp, session, false, host, event, false);
        tcp.server(&flight, 1_500);
        tcp.now += 2_400 + moment(event.checks);
        let rest = Session::finished_12(&mut tcp.network.random, false);
        tcp.client(&rest);
        let end = Session::server_finished_12(&mut tcp.network.random);
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
