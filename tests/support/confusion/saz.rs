//! Archives of Fiddler Classic: decrypted sessions, their tunnels, and the answers that it writes itself.

use std::collections::BTreeMap;

use super::damage::File;
use super::teller::{End, Fault, Item, Teller, clock, stamp};
use crate::packets::hosts;
use crate::support::archive;

struct Session {
    request: Vec<u8>,
    response: Vec<u8>,
    meta: String,
}

/// What Fiddler writes in place of an answer: status, text of its line, body.
fn own(fault: &Fault, host: &str, number: usize) -> Option<(u16, &'static str, String)> {
    let address = hosts::host(host).addresses.first().map(ToString::to_string).unwrap_or_default();
    let lookup = |text: &str| {
        Some((
            502,
            "Fiddler - DNS Lookup Failed",
            format!(
                "[Fiddler] DNS Lookup for \"{host}\" failed. System.Net.Sockets.SocketException {text}"
            ),
        ))
    };
    let connection = |name: &str, text: &str, address: &str| {
        let body = format!(
            "[Fiddler] The connection to '{host}' failed. <br />Error: {name}. <br />System.Net.Sockets.SocketException {text} {address}:443"
        );
        Some((502, "Fiddler - Connection Failed", body))
    };
    let handshake = |text: &str| {
        let body = format!(
            "[Fiddler] The connection to '{host}' failed. <br />System.Security.SecurityException Failed to negotiate HTTPS connection with server.fiddler.network.https&gt; HTTPS handshake to {host} (for #{number}) failed. {text}"
        );
        Some((502, "Fiddler - Connection Failed", body))
    };
    let forced = "An existing connection was forcibly closed by the remote host";
    match fault {
        Fault::NameUnknown | Fault::NameRefused => lookup("No such host is known"),
        Fault::NameServerFailed => lookup("A non-recoverable error occurred during a database lookup"),
        Fault::NameUnanswered => lookup("This is usually a temporary error during hostname resolution and means that the local server did not receive a response from an authoritative server"),
        Fault::Unanswered => connection("TimedOut (0x274c)", "A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond", &address),
        Fault::Refused => connection("ConnectionRefused (0x274d)", "No connection could be made because the target machine actively refused it", &address),
        Fault::Sinkhole(to) => connection("ConnectionRefused (0x274d)", "No connection could be made because the target machine actively refused it", to),
        Fault::IcmpProhibited => connection("HostUnreachable (0x2751)", "A socket operation was attempted to an unreachable host", &address),
        Fault::NetworkChanged => connection("NetworkUnreachable (0x2743)", "A socket operation was attempted to an unreachable network", &address),
        Fault::ResetAfterHello => handshake(&format!("System.IO.IOException Unable to read data from the transport connection: {forced}. &lt; {forced}")),
        Fault::Untrusted(_) => handshake("System.Security.Authentication.AuthenticationException The remote certificate is invalid according to the validation procedure."),
        Fault::NoClientCertificate => handshake("System.Security.Authentication.AuthenticationException A call to SSPI failed, see inner exception. &lt; The credentials supplied to the package were not recognized"),
        Fault::Reset | Fault::Closed | Fault::Silent | Fault::BlackHole => {
            Some((504, "Fiddler - Receive Failure", "[Fiddler] ReadResponse() failed: The server did not return a complete response for this request. Server returned 0 bytes.".to_owned()))
        }
        Fault::Proxy(status) => {
            Some((502, "Fiddler - Gateway Connection Failed", format!("[Fiddler] The connection to the upstream proxy/gateway failed. <br />Upstream Gateway refused requested CONNECT. {status}")))
        }
        Fault::BlockedByClient | Fault::Cancelled | Fault::ContentPolicy | Fault::Offline => None,
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        407 => "Proxy Authentication Required",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}

/// Writes an archive; `decides` is the item that decides.
pub(crate) fn write(items: &[Item], decides: Option<usize>, t: &mut Teller) -> File {
    let mut sessions: Vec<Session> = Vec::new();
    let mut open: BTreeMap<String, u16> = BTreeMap::new();
    let (mut port, mut decides_at, mut decided_at) = (51_200, None, None);
    let process = format!("msedge:{}", 4000 + t.random.below(9000));
    for (index, item) in items.iter().enumerate() {
        if item.is_inside() {
            continue;
        }
        if decides == Some(index) {
            decides_at = Some(sessions.len() + 1);
        }
        let host = item.host().to_owned();
        let process = item.process.unwrap_or(&process);
        if !item.is_clear() && !open.contains_key(&host) {
            port += 3;
            open.insert(host.clone(), port);
            // A tunnel that cannot be opened says so itself, or the request in it does.
            let early = item.fault().filter(|fault| {
                !matches!(
                    fault,
                    Fault::Reset
                        | Fault::Closed
                        | Fault::Silent
                        | Fault::BlackHole
                        | Fault::Cancelled
                        | Fault::Untrusted(_)
                        | Fault::ResetAfterHello
                        | Fault::NoClientCertificate
                )
            });
            if let Some(answer) = early.and_then(|fault| own(fault, &host, sessions.len() + 1)) {
                sessions.push(tunnel(item, &host, port, process, Some(answer)));
                open.remove(&host);
                if decides == Some(index) {
                    decided_at = Some(sessions.len());
                }
                continue;
            }
            sessions.push(tunnel(item, &host, port, process, None));
        }
        let line = open.get(&host).copied().unwrap_or(port);
        let number = sessions.len() + 1;
        sessions.push(exchange(item, &host, line, number, process));
        if decides == Some(index) {
            decided_at = Some(sessions.len());
        }
        if item.fault().is_some() {
            open.remove(&host);
        }
    }
    let parts: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = sessions
        .into_iter()
        .map(|session| (session.request, session.response, session.meta.into_bytes()))
        .collect();
    let mut members = archive::saz(&parts);
    members.push(("_index.htm".to_owned(), b"<html><body><table></table></body></html>".to_vec()));
    members.push(("[Content_Types].xml".to_owned(), b"<?xml version=\"1.0\" encoding=\"utf-8\" ?><Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\" />".to_vec()));
    let bytes = archive::zip(
        &members,
        "Fiddler (v5.0.20245.10105) Session Archive. See https://fiddler2.com",
    );
    let place = |number: usize, what: &str| {
        let name = format!("raw/{number:05}_{what}");
        bytes
            .windows(name.len())
            .position(|window| window == name.as_bytes())
            .map(|at| at.saturating_sub(30))
    };
    let decides_at = decides_at.and_then(|number| place(number, "c.txt"));
    let decided_at = decided_at.and_then(|number| {
        place(number + 1, "c.txt").or_else(|| place(number, "m.xml").map(|at| at + 1200))
    });
    File { bytes, decides_at, decided_at }
}

fn tunnel(
    item: &Item,
    host: &str,
    port: u16,
    process: &str,
    failed: Option<(u16, &'static str, String)>,
) -> Session {
    let request = format!(
        "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\nConnection: keep-alive\r\n\r\nA SSLv3-compatible ClientHello handshake was found. Fiddler extracted the parameters below.\n\nVersion: 3.3 (TLS/1.2)\nExtensions: \n\tserver_name\t{host}\n\tsupported_versions\tTls1.3, Tls1.2\nCiphers: \n\t[1301]\tTLS_AES_128_GCM_SHA256\n"
    );
    let response = if let Some((status, text, body)) = &failed {
        format!(
            "HTTP/1.1 {status} {text}\r\nDate: Tue, 10 Mar 2026 {} GMT\r\nContent-Type: text/html; charset=UTF-8\r\nConnection: close\r\nCache-Control: no-cache, must-revalidate\r\nTimestamp: {}\r\n\r\n{body:<512}",
            clock(item.at),
            clock(item.at)
        )
    } else {
        let issuer = hosts::host(host).issuer;
        let certificate = if matches!(
            item.fault(),
            Some(Fault::Untrusted(_) | Fault::ResetAfterHello)
        ) {
            String::new()
        } else {
            format!(
                "Secure Protocol: Tls12\nCipher: Aes256 256bits\nHash Algorithm: Sha384 ?bits\nKey Exchange: ECDHE_RSA (0xae06) 255bits\n\n== Server Certificate ==========\n[Subject]\n  CN={host}\n\n[Issuer]\n  {issuer}\n\n[Serial Number]\n  0A3F22\n\n[Not Before]\n  2026-01-20 01:00:00\n\n[Not After]\n  2026-07-20 00:59:59\n\n[SubjectAltNames]\n{host}\n"
            )
        };
        format!(
            "HTTP/1.1 200 Connection Established\r\nFiddlerGateway: Direct\r\nStartTime: {}.118\r\nConnection: close\r\n\r\nEncrypted HTTPS traffic flows through this CONNECT tunnel. HTTPS Decryption is enabled in Fiddler, so decrypted sessions running in this tunnel will be shown in the Web Sessions list.\n\n{certificate}",
            clock(item.at)
        )
    };
    let begun = (item.at - 0.02).max(0.0);
    let flags = if failed.is_some() { "100" } else { "2100" };
    let ended = if failed.is_some() { item.at + item.took } else { item.at };
    Session {
        request: request.into_bytes(),
        response: response.into_bytes(),
        meta: meta(item, host, port, process, flags, [begun, ended], failed.is_some()),
    }
}

fn exchange(item: &Item, host: &str, port: u16, number: usize, process: &str) -> Session {
    let mut request = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n",
        item.method,
        item.url.split('#').next().unwrap_or_default()
    );
    for (name, value) in &item.sent {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some((kind, body)) = &item.form {
        request.push_str(&format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    } else {
        request.push_str("\r\n");
    }
    let mut is_own = false;
    let response = match &item.end {
        End::Answer(status) => {
            let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(*status));
            for (name, value) in &item.fields {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let (kind, body) = item.body.clone().unwrap_or(("text/plain", String::new()));
            let mut bytes = body.into_bytes();
            if bytes.len() > 400 && number % 3 == 0 {
                bytes = archive::gzip(&bytes);
                head.push_str("Content-Encoding: gzip\r\n");
            }
            head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", bytes.len()));
            [head.into_bytes(), bytes].concat()
        }
        End::Fault(fault) => own(fault, host, number).map_or_else(Vec::new, |(status, text, body)| {
            is_own = true;
            format!("HTTP/1.1 {status} {text}\r\nDate: Tue, 10 Mar 2026 {} GMT\r\nContent-Type: text/html; charset=UTF-8\r\nConnection: close\r\nCache-Control: no-cache, must-revalidate\r\nTimestamp: {}\r\n\r\n{body:<512}", clock(item.at + item.took), clock(item.at + item.took)).into_bytes()
        }),
        End::None => Vec::new(),
    };
    let is_over = !response.is_empty();
    let flags = if is_own { "101" } else { "19" };
    Session {
        request: request.into_bytes(),
        response,
        meta: meta(
            item,
            host,
            port,
            process,
            flags,
            [item.at, if is_over { item.at + item.took } else { 0.0 }],
            is_own,
        ),
    }
}

fn meta(
    item: &Item,
    host: &str,
    port: u16,
    process: &str,
    flags: &str,
    times: [f64; 2],
    failed: bool,
) -> String {
    let unset = "0001-01-01T00:00:00".to_owned();
    let time = |at: f64| if at == 0.0 { unset.clone() } else { format!("{}+00:00", stamp(at, 7)) };
    let (begun, ended) = (time(times[0]), time(times[1]));
    let server = if failed { unset.clone() } else { ended.clone() };
    let asked = if failed { unset.clone() } else { begun.clone() };
    let address = hosts::host(host).addresses.first().map(ToString::to_string).unwrap_or_default();
    let is_proxied = matches!(item.fault(), Some(Fault::Proxy(_)));
    let at = if is_proxied || failed {
        String::new()
    } else {
        format!("    <SessionFlag N=\"x-hostip\" V=\"{address}\" />\r\n")
    };
    let pipe = if is_proxied { " Forwarded=\"true\"" } else { "" };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Session SID=\"1\" BitFlags=\"{flags}\">\r\n  <SessionTimers ClientConnected=\"{begun}\" ClientBeginRequest=\"{begun}\" GotRequestHeaders=\"{begun}\" ClientDoneRequest=\"{begun}\" GatewayTime=\"0\" DNSTime=\"8\" TCPConnectTime=\"21\" HTTPSHandshakeTime=\"0\" ServerConnected=\"{asked}\" FiddlerBeginRequest=\"{asked}\" ServerGotRequest=\"{asked}\" ServerBeginResponse=\"{server}\" GotResponseHeaders=\"{server}\" ServerDoneResponse=\"{server}\" ClientBeginResponse=\"{ended}\" ClientDoneResponse=\"{ended}\" />\r\n  <PipeInfo{pipe} />\r\n  <SessionFlags>\r\n    <SessionFlag N=\"x-clientip\" V=\"127.0.0.1\" />\r\n    <SessionFlag N=\"x-clientport\" V=\"{port}\" />\r\n    <SessionFlag N=\"x-egressport\" V=\"{}\" />\r\n{at}    <SessionFlag N=\"x-processinfo\" V=\"{process}\" />\r\n  </SessionFlags>\r\n</Session>",
        port + 1
    )
}
