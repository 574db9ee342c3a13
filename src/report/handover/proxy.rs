//! The address of the proxy that requests were sent to.
//!
//! Fiddler says which proxy it passed a request on to; packets show where the request for a tunnel
//! went, and by which name that address was found. It must not guess: the address of a server is none
//! of a proxy's.
//!
//! Invariant: what is given is an address, or a name of plain characters, with a port where it is known.

use std::net::SocketAddr;

use super::check::is_plain_name;
use super::network::unique;
use crate::evidence::{Answer, Connection, Evidence, Exchange, Locator, Via};
use crate::signin::proxy;

/// The proxies of some requests: by name where that is known, and by address.
pub(super) fn proxies<'a>(
    evidence: &Evidence,
    exchanges: impl Iterator<Item = &'a Exchange>,
) -> Vec<String> {
    let mut all = Vec::new();
    for exchange in exchanges {
        all.extend(proxy(exchange).map(|(host, port)| format!("{host}:{port}")));
        if let Some(server) = asked(evidence, exchange) {
            all.extend(name(evidence, server));
            all.push(server.to_string());
        } else if exchange.via == Via::Proxy {
            all.extend(exchange.server.map(|address| address.to_string()));
        }
    }
    unique(all)
}

/// Where packets show that a request to a proxy went.
fn asked(evidence: &Evidence, exchange: &Exchange) -> Option<SocketAddr> {
    if exchange.via != Via::Proxy {
        return None;
    }
    let known = exchange.connection.and_then(|id| evidence.connection(id));
    let connection =
        known.or_else(|| evidence.connections.iter().find(|one| holds(one, exchange)))?;
    connection.wire.as_ref()?;
    connection.server
}

/// Whether a request stands in the packets of a connection.
fn holds(connection: &Connection, exchange: &Exchange) -> bool {
    let (Locator::Frames { stream: Some(own), .. }, Locator::Frames { stream: Some(other), .. }) =
        (connection.at.at, exchange.at.at)
    else {
        return false;
    };
    connection.at.input == exchange.at.input && own == other
}

/// The name that led to an address, with its port.
fn name(evidence: &Evidence, server: SocketAddr) -> Option<String> {
    let found = evidence.lookups.iter().rev().find(|lookup| {
        lookup.transport.is_server()
            && matches!(&lookup.answer, Answer::Addresses(all) if all.contains(&server.ip()))
    })?;
    let name = found.name.as_str();
    is_plain_name(name).then(|| format!("{name}:{}", server.port()))
}
