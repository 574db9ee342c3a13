//! What is wanted of the network team, in one sentence.
//!
//! The wish follows from the first fault of the first host, and an inspection before all. It must not
//! name who is at fault where the capture does not: a firewall is never named.
//!
//! Invariant: a product is named only where the capture shows its sign.

use super::network::NetworkHandover;
use crate::entra::Fault;
use crate::signin::{Outcome, Phase, SignInAttempt};

/// What is wanted, in one sentence.
pub(super) fn request(handover: &NetworkHandover, attempt: &SignInAttempt) -> String {
    let names: Vec<&str> = handover.hosts.iter().map(|one| one.host.as_str()).collect();
    let hosts = match names.as_slice() {
        [] => "the hosts of the sign-in".to_owned(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    };
    let first = handover.hosts.first().and_then(|one| one.seen.first());
    let product = handover
        .hosts
        .iter()
        .flat_map(|one| &one.seen)
        .find_map(|seen| seen.product)
        .unwrap_or("the proxy or filter");
    let fault = first.map_or("", |seen| seen.fault);
    let inspected =
        handover.hosts.iter().any(|one| one.seen.iter().any(|seen| seen.fault == "tls_inspection"));
    let misled = handover.hosts.first().is_some_and(|one| one.has_odd_address);
    let wish = match (fault, Fault::parse(fault)) {
        _ if inspected => format!("exempt {hosts} from TLS inspection by {product}"),
        _ if misled => {
            format!(
                "make the names {hosts} lead to the service's own addresses, free of any DNS filter"
            )
        }
        ("block_page", _) => format!("allow {hosts} in {product}"),
        ("captive_portal", _) => {
            format!(
                "let {hosts} pass without the log-in of the network, or tell users to log in first"
            )
        }
        ("proxy_authentication", _) | (_, Some(Fault::ProxyAuth)) => {
            format!("let the clients reach {hosts} without a sign-in at the proxy")
        }
        ("proxy_refused" | "proxy_upstream", _) | (_, Some(Fault::ProxyRefusedConnect)) => {
            format!("let the proxy connect to {hosts}")
        }
        (_, Some(Fault::PacFailed)) => {
            format!("make the proxy script (WPAD or PAC) load by which the clients reach {hosts}")
        }
        (_, Some(Fault::ProxyUnreachable | Fault::ProxyCert)) => {
            format!("make the proxy reachable that the clients use for {hosts}")
        }
        (
            _,
            Some(
                Fault::NameMissing
                | Fault::NameLookupFailed
                | Fault::NameNoAnswer
                | Fault::AddressInvalid,
            ),
        ) => {
            format!("make the clients' name servers resolve {hosts}")
        }
        (_, Some(Fault::Offline | Fault::NetworkChanged | Fault::Suspended)) => {
            format!("find out why the computer had no network when it asked for {hosts}")
        }
        (_, Some(Fault::TlsPlainText)) => {
            format!(
                "find out what answers on port 443 in place of {hosts} and let the hosts through"
            )
        }
        (
            _,
            Some(
                Fault::HandshakeCut
                | Fault::HandshakeStalled
                | Fault::TlsHandshake
                | Fault::TlsProtocol
                | Fault::TlsVersion
                | Fault::Ech,
            ),
        ) => {
            format!("find out what breaks the TLS handshake with {hosts} and let it through")
        }
        (_, Some(Fault::ClientCert)) => {
            format!("let the client's certificate through to {hosts}, without TLS inspection")
        }
        (_, Some(Fault::BlockedByAdministrator)) => {
            format!("take {hosts} off the block list that the browsers get by policy")
        }
        (_, Some(Fault::LocalFirewall)) => {
            format!("let the clients' own firewall or security software pass {hosts}")
        }
        (_, Some(fault)) if fault.is_certificate() => format!(
            "check who answers TLS for {hosts} and let the service's own certificate through"
        ),
        (_, Some(Fault::Reset | Fault::ClosedWithoutAnswer | Fault::Incomplete)) => {
            format!("find out what cuts the connections to {hosts} and let them through")
        }
        (_, Some(Fault::ConnectTimeout | Fault::Timeout)) => {
            format!("find out why connections to {hosts} get no answer and let them through")
        }
        (_, Some(Fault::ConnectRefused | Fault::Unreachable | Fault::ConnectFailed)) => {
            format!("find out what refuses connections to {hosts} and let them through")
        }
        (_, fault) => of_packets(fault, &hosts),
    };
    let harm = harm(attempt);
    format!("Please {wish}. {harm}")
}

/// What is wanted where packets show the fault, or where it has no wish of its own.
fn of_packets(fault: Option<Fault>, hosts: &str) -> String {
    match fault {
        Some(Fault::HelloLost) => format!(
            "find out what drops the first TLS message of the clients (ClientHello, mostly in several \
             packets) to {hosts} and let it through"
        ),
        Some(Fault::Prohibited) => format!(
            "find the rule that forbids connections to {hosts} (an ICMP message says so) and change it"
        ),
        Some(Fault::Stalled) => format!(
            "find out where data to {hosts} is lost (MTU of the VPN or link, dropped ICMP messages about \
             too long packets) and let it through"
        ),
        _ => format!("find out why requests to {hosts} fail and let them through"),
    }
}

/// What users cannot do as long as the wish is open.
fn harm(attempt: &SignInAttempt) -> &'static str {
    match (attempt.outcome, attempt.blockage.as_ref().map(|one| one.phase)) {
        (Outcome::BlockedByPolicy, _) => {
            "Until then the service does not see the device, and a policy refuses the sign-in."
        }
        (Outcome::RegistrationRequired, _) => {
            "Until then users cannot register for multifactor authentication."
        }
        (_, Some(Phase::AfterMfa)) => {
            "The sign-in itself works; until then users do not reach the application."
        }
        (_, Some(Phase::AfterChallenge)) => {
            "Until then users cannot complete multifactor authentication in Microsoft Entra ID."
        }
        _ => "Until then users cannot sign in with Microsoft Entra ID.",
    }
}
