//! The facts as JSON, for those who ask for them.
//!
//! Connections, lookups and exchanges with the names of the schema. It must not show more than the
//! types of the evidence do: a URL without its query, no header and no body.
//!
//! Invariant: one element for each fact, in the order of the evidence.

use std::borrow::Cow;

use serde::Serialize;

use super::json::{RefJson, captured};
use super::model::certificate_name;
use crate::evidence::{
    Answer, CertificateSummary, Connection, Decryption, Evidence, Exchange, HostName, NameLookup,
    NoResponse, Opened, Peer, Redaction, Stage, TlsHandshake,
};
use crate::time::{Span, Timestamp};

/// The facts; each element is made when it is written, since there may be very many.
#[derive(Serialize)]
pub(super) struct EvidenceJson<'a> {
    connections: Each<'a, Connection, ConnectionJson<'a>>,
    lookups: Each<'a, NameLookup, LookupJson<'a>>,
    exchanges: Each<'a, Exchange, ExchangeJson<'a>>,
}

impl<'a> EvidenceJson<'a> {
    pub(super) fn of(evidence: &'a Evidence, redaction: Redaction) -> Self {
        Self {
            connections: Each::all(&evidence.connections, redaction, ConnectionJson::of),
            lookups: Each::all(&evidence.lookups, redaction, |one, _| LookupJson::of(one)),
            // What is hidden in a connection is told as that connection.
            exchanges: Each(
                evidence.exchanges.iter().filter(|one| !one.is_hidden()).collect(),
                redaction,
                |one, _| ExchangeJson::of(one),
            ),
        }
    }
}

/// The name of a type of records (IANA), or its number as RFC 3597 writes it.
fn type_name(kind: u16) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        other => return Cow::Owned(format!("TYPE{other}")),
    })
}

struct Each<'a, T, J>(Vec<&'a T>, Redaction, fn(&'a T, Redaction) -> J);

impl<'a, T, J> Each<'a, T, J> {
    fn all(items: &'a [T], redaction: Redaction, make: fn(&'a T, Redaction) -> J) -> Self {
        Self(items.iter().collect(), redaction, make)
    }
}

impl<T, J: Serialize> Serialize for Each<'_, T, J> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|one| (self.2)(one, self.1)))
    }
}

#[derive(Serialize)]
struct ConnectionJson<'a> {
    transport: &'static str,
    stream: Option<u32>,
    client: Option<String>,
    server: Option<String>,
    server_name: Option<&'a HostName>,
    opened: &'static str,
    /// Time from the client's last question for the connection to the server's consent; `null` where
    /// that is not seen.
    rtt_us: Option<u64>,
    closed: &'static str,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    tls: Option<TlsJson>,
    community_id: Option<&'a str>,
    ja4: Option<&'a str>,
    refs: [RefJson; 1],
}

impl<'a> ConnectionJson<'a> {
    fn of(connection: &'a Connection, redaction: Redaction) -> Self {
        Self {
            transport: connection.transport.as_str(),
            stream: connection.stream.map(|stream| stream.0),
            client: connection.client.map(|address| address.to_string()),
            server: connection.server.map(|address| address.to_string()),
            server_name: connection.server_name.as_ref(),
            opened: connection.opened.as_str(),
            rtt_us: match connection.opened {
                Opened::Established { rtt: Some(rtt) } => u64::try_from(rtt.as_micros()).ok(),
                _ => None,
            },
            closed: connection.closed.as_str(),
            first: connection.span.map(Span::first),
            last: connection.span.map(Span::last),
            tls: connection.tls.as_deref().map(|tls| TlsJson::of(tls, redaction)),
            community_id: connection.wire.as_ref().map(|wire| &*wire.community_id),
            ja4: connection.wire.as_ref().and_then(|wire| wire.ja4.as_deref()),
            refs: [RefJson::of(connection.at)],
        }
    }
}

#[derive(Serialize)]
struct TlsJson {
    version: Option<&'static str>,
    alerts: Vec<AlertJson>,
    certificate: Option<CertificateJson>,
    /// What keys made of it; left out where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    decryption: Option<&'static str>,
}

#[derive(Serialize)]
struct AlertJson {
    from: &'static str,
    description: u8,
    fatal: bool,
}

#[derive(Serialize)]
struct CertificateJson {
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl TlsJson {
    fn of(tls: &TlsHandshake, redaction: Redaction) -> Self {
        let certificate = |one: &CertificateSummary| CertificateJson {
            subject: certificate_name(&one.subject, redaction),
            issuer: certificate_name(&one.issuer, redaction),
            names: one.names.iter().map(|name| captured(name, redaction)).collect(),
            not_before: one.not_before,
            not_after: one.not_after,
        };
        Self {
            version: tls.version.map(crate::evidence::TlsVersion::as_str),
            alerts: tls
                .alerts
                .iter()
                .map(|alert| AlertJson {
                    from: match alert.from {
                        Peer::Client => "client",
                        Peer::Server => "server",
                    },
                    description: alert.description,
                    fatal: alert.fatal,
                })
                .collect(),
            certificate: tls.certificate.as_ref().map(certificate),
            decryption: Some(tls.decryption)
                .filter(|one| *one != Decryption::Untried)
                .map(Decryption::as_str),
        }
    }
}

#[derive(Serialize)]
struct LookupJson<'a> {
    name: &'a HostName,
    r#type: Option<Cow<'static, str>>,
    rcode: Option<u8>,
    answers: Vec<String>,
    transport: Option<&'static str>,
    refs: [RefJson; 1],
}

impl<'a> LookupJson<'a> {
    fn of(lookup: &'a NameLookup) -> Self {
        let (rcode, answers) = match &lookup.answer {
            Answer::Addresses(all) => (Some(0), all.iter().map(ToString::to_string).collect()),
            Answer::Cut | Answer::Empty => (Some(0), Vec::new()),
            Answer::Failed(code) => (Some(*code), Vec::new()),
            Answer::None => (None, Vec::new()),
        };
        Self {
            name: &lookup.name,
            r#type: lookup.kind.map(type_name),
            rcode,
            answers,
            transport: lookup.transport.as_str(),
            refs: [RefJson::of(lookup.at)],
        }
    }
}

#[derive(Serialize)]
struct ExchangeJson<'a> {
    method: &'a str,
    url: String,
    status: Option<u16>,
    error: Option<ErrorJson<'a>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    refs: [RefJson; 1],
}

/// Why there is no response.
#[derive(Serialize)]
struct ErrorJson<'a> {
    kind: &'static str,
    stage: Option<&'static str>,
    code: Option<&'a str>,
}

impl<'a> ErrorJson<'a> {
    fn of(reason: &'a NoResponse) -> Self {
        let (kind, stage, code) = match reason {
            NoResponse::BlockedByClient { code } => ("blocked_by_client", None, Some(code)),
            NoResponse::Cancelled => ("cancelled", None, None),
            NoResponse::Failed { stage, code } => ("failed", Some(stage_name(*stage)), Some(code)),
            NoResponse::Hidden { .. } => ("hidden", None, None),
            NoResponse::NotCaptured => ("not_captured", None, None),
            NoResponse::Pending => ("pending", None, None),
        };
        Self { kind, stage, code: code.map(|code| &**code) }
    }
}

const fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "connect",
        Stage::Dns => "dns",
        Stage::Proxy => "proxy",
        Stage::Receive => "receive",
        Stage::Send => "send",
        Stage::Tls => "tls",
        Stage::Unknown => "unknown",
    }
}

impl<'a> ExchangeJson<'a> {
    fn of(exchange: &'a Exchange) -> Self {
        Self {
            method: &exchange.request.method,
            url: exchange.request.url.to_string(),
            status: exchange.status(),
            error: exchange.response.as_ref().err().map(ErrorJson::of),
            first: exchange.started(),
            last: exchange.ended(),
            refs: [RefJson::of(exchange.at)],
        }
    }
}
