//! Requests whose contents are encrypted: one for each connection, or lookup, of a host in scope.
//!
//! A packet capture without keys shows that a host was to be reached and how far that came. What
//! was asked inside is one exchange for those who follow a sign-in, as a tunnel is that a proxy did
//! not open. It must not judge what became of it.
//!
//! Invariants: a connection stands for one exchange at most; a lookup only where no connection of
//! its client to that name came after it.

use std::collections::BTreeMap;

use super::{
    Answer, Body, Connection, ConnectionId, Exchange, Headers, HostName, LookupId, Missing,
    NameLookup, NamedBy, NoResponse, Opened, Protocol, Request, Scheme, Transport, Url, Via, Wire,
};
use crate::limits;
use crate::time::{Span, Timestamp};

/// Adds the hidden exchanges.
pub(super) fn add(
    exchanges: &mut Vec<Exchange>,
    connections: &[Connection],
    lookups: &[NameLookup],
) {
    // Where requests are read, one of them may send the client to any host.
    let any = connections.iter().any(|one| {
        one.in_scope && one.tls.is_some() && one.wire.as_ref().is_some_and(|wire| wire.is_read)
    });
    let numbered =
        connections.iter().enumerate().filter(|(_, one)| one.in_scope || any && is_unserved(one));
    for (index, connection) in numbered.take(limits::EXCHANGES_IN_SCOPE) {
        let Ok(number) = u32::try_from(index) else { break };
        if let Some(exchange) = of_connection(ConnectionId(number), connection) {
            exchanges.push(exchange);
        }
    }
    let mut reached: BTreeMap<&HostName, Vec<Timestamp>> = BTreeMap::new();
    for connection in connections.iter().filter(|one| one.in_scope) {
        if let (Some(name), Some(span)) = (&connection.server_name, connection.span) {
            reached.entry(name).or_default().push(span.last());
        }
    }
    let numbered = lookups.iter().enumerate().filter(|(_, one)| {
        let vain = any && matches!(one.answer, Answer::Failed(_) | Answer::None);
        (one.in_scope || vain) && one.transport.is_server() && one.tries > 0 && one.is_for_address()
    });
    for (index, lookup) in numbered.take(limits::EXCHANGES_IN_SCOPE) {
        let (Ok(number), Some(asked)) = (u32::try_from(index), lookup.asked) else { continue };
        let later = reached.get(&lookup.name).is_some_and(|all| all.iter().any(|at| *at >= asked));
        if !later {
            exchanges.push(of_lookup(LookupId(number), lookup, asked));
        }
    }
}

/// Whether a connection never got as far as an answer.
fn is_unserved(connection: &Connection) -> bool {
    let opened = matches!(connection.opened, Opened::Established { .. });
    match connection.opened {
        Opened::MidStream => false,
        _ if !opened => true,
        _ => connection.tls.as_ref().is_some_and(|tls| tls.application[1] == 0),
    }
}

fn url(host: &HostName, port: u16) -> Url {
    Url {
        scheme: Scheme::Authority,
        host: host.clone(),
        port,
        path: "/".into(),
        user_in_path: None,
        query: None,
        fragment: None,
    }
}

fn request(method: &str, host: &HostName, port: u16) -> Request {
    Request {
        method: method.into(),
        url: url(host, port),
        headers: Headers::default(),
        body: Body::Missing(Missing::Undecodable),
        body_length: None,
    }
}

fn of_connection(id: ConnectionId, connection: &Connection) -> Option<Exchange> {
    let wire = connection.wire.as_deref()?;
    if wire.is_read {
        return None;
    }
    let host = connection.server_name.as_ref()?;
    let server = connection.server?;
    let method = match (connection.transport, wire.protocol) {
        (Transport::Quic, _) => "QUIC",
        (Transport::Tcp, Protocol::Tls | Protocol::Nothing) => "TLS",
        _ => return None,
    };
    // A connection to a proxy that was not granted says nothing of the host behind it.
    let bare = wire.is_proxied && connection.tls.is_none();
    let by_request = connection.named_by == Some(NamedBy::Request) && !wire.is_proxied;
    if bare || by_request {
        return None;
    }
    let established = matches!(connection.opened, Opened::Established { .. } | Opened::MidStream);
    Some(Exchange {
        connection: Some(id),
        lookup: None,
        request: request(method, host, if wire.is_proxied { 443 } else { server.port() }),
        response: Err(NoResponse::Hidden { answered: established && is_answered(connection) }),
        span: span(connection, wire),
        server: Some(server.ip()),
        via: if wire.is_proxied { Via::Proxy } else { Via::Direct },
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope: connection.in_scope,
        at: connection.at,
    })
}

/// From its first sign of life to the last payload of the server, where there is one: that the ends of
/// an idle connection said goodbye says nothing of the way between them.
fn span(connection: &Connection, wire: &Wire) -> Option<Span> {
    let whole = connection.span?;
    let [_, server] = wire.payload;
    Some(server.map_or(whole, |server| Span::new(whole.first(), server.last())))
}

/// Whether both sides sent data after the handshake.
fn is_answered(connection: &Connection) -> bool {
    let Some(tls) = connection.tls.as_deref() else { return false };
    match connection.transport {
        Transport::Quic => tls.completed == Some(true),
        Transport::Tcp | Transport::Udp => {
            let [client, server] = tls.application;
            tls.completed == Some(true) && client > 0 && server > 0 && !connection.is_unused()
        }
    }
}

fn of_lookup(id: LookupId, lookup: &NameLookup, asked: Timestamp) -> Exchange {
    let end = match lookup.took {
        Some(took) => asked.plus(took),
        None => lookup.asked_last.unwrap_or(asked),
    };
    Exchange {
        connection: None,
        lookup: Some(id),
        request: request("DNS", &lookup.name, 443),
        response: Err(NoResponse::Hidden { answered: false }),
        span: Some(Span::new(asked, end)),
        server: match &lookup.answer {
            Answer::Addresses(all) => all.first().copied(),
            Answer::Cut | Answer::Empty | Answer::Failed(_) | Answer::None => None,
        },
        via: Via::Unknown,
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope: lookup.in_scope,
        at: lookup.at,
    }
}
