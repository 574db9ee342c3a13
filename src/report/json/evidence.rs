//! The facts as JSON, for those who ask for them.
//!
//! Connections, lookups and exchanges with the names of the schema. It must not show more than the
//! types of the evidence do: a URL without its query, no header and no body.
//!
//! Invariant: one element for each fact, in the order of the evidence.

use std::borrow::Cow;

use serde::Serialize;

use super::captured;
use super::reference::RefJson;
use crate::evidence::{
    Answer, CertificateSummary, Connection, Decryption, Evidence, Exchange, HostName, NameLookup,
    NoResponse, Opened, Peer, Redaction, Stage, TlsHandshake,
};
#[cfg(test)]
use crate::report::forms;
use crate::report::model::certificate_name;
use crate::time::{Span, Timestamp};

/// The facts; each element is made when it is written, since there may be very many.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "evidence"))]
pub(super) struct EvidenceJson<'a> {
    /// The connections.
    #[cfg_attr(test, schemars(with = "Vec<ConnectionJson<'a>>"))]
    connections: Each<'a, Connection, ConnectionJson<'a>>,
    /// The lookups of names.
    #[cfg_attr(test, schemars(with = "Vec<LookupJson<'a>>"))]
    lookups: Each<'a, NameLookup, LookupJson<'a>>,
    /// The exchanges of HTTP.
    #[cfg_attr(test, schemars(with = "Vec<ExchangeJson<'a>>"))]
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
pub(in crate::report) fn type_name(kind: u16) -> Cow<'static, str> {
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

/// One connection.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "connection"))]
struct ConnectionJson<'a> {
    /// Its transport.
    #[cfg_attr(test, schemars(with = "forms::Transport"))]
    transport: &'static str,
    /// Its stream as Wireshark numbers it.
    stream: Option<u32>,
    /// Address and port of the client.
    #[cfg_attr(test, schemars(with = "Option<forms::SocketAddress>"))]
    client: Option<String>,
    /// Address and port of the server.
    #[cfg_attr(test, schemars(with = "Option<forms::SocketAddress>"))]
    server: Option<String>,
    /// The name of the server.
    server_name: Option<&'a HostName>,
    /// How it began.
    #[cfg_attr(test, schemars(with = "forms::Opened"))]
    opened: &'static str,
    /// Microseconds from the client's last question for the connection to the server's consent; null where
    /// that is not seen.
    rtt_us: Option<u64>,
    /// How it ended.
    #[cfg_attr(test, schemars(with = "forms::Closed"))]
    closed: &'static str,
    /// When it began.
    first: Option<Timestamp>,
    /// When it ended.
    last: Option<Timestamp>,
    /// Its handshake of TLS.
    tls: Option<TlsJson>,
    /// Its Community ID, version 1, seed 0.
    #[cfg_attr(test, schemars(with = "Option<forms::CommunityId>"))]
    community_id: Option<&'a str>,
    /// The JA4 fingerprint of its client.
    #[cfg_attr(test, schemars(with = "Option<forms::Ja4>"))]
    ja4: Option<&'a str>,
    /// Where it stands.
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

/// A handshake of TLS.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "tls"))]
struct TlsJson {
    /// The version agreed on.
    #[cfg_attr(test, schemars(with = "Option<forms::TlsVersion>"))]
    version: Option<&'static str>,
    /// Alerts in order.
    alerts: Vec<AlertJson>,
    /// The certificate of the server.
    certificate: Option<CertificateJson>,
    /// What keys made of it; left out where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<forms::Decryption>"))]
    decryption: Option<&'static str>,
}

/// An alert of TLS.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "alert"))]
struct AlertJson {
    /// Who sent it.
    #[cfg_attr(test, schemars(with = "forms::Peer"))]
    from: &'static str,
    /// Its number (IANA).
    description: u8,
    /// Whether it ended the connection.
    fatal: bool,
}

/// What a certificate says of itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "certificate"))]
struct CertificateJson {
    /// Name of the subject.
    subject: String,
    /// Name of the issuer.
    issuer: String,
    /// Host names it stands for.
    names: Vec<String>,
    /// Begin of its validity.
    not_before: Option<Timestamp>,
    /// End of its validity.
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

/// One question for a name, repetitions folded.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "lookup"))]
struct LookupJson<'a> {
    /// The name.
    name: &'a HostName,
    /// The type asked for, as `A`, or `TYPE99` (RFC 3597).
    #[cfg_attr(test, schemars(with = "Option<forms::RecordType>"))]
    r#type: Option<Cow<'static, str>>,
    /// The code of the answer (IANA); null where none came.
    rcode: Option<u8>,
    /// The addresses that came.
    #[cfg_attr(test, schemars(with = "Vec<forms::Address>"))]
    answers: Vec<String>,
    /// How it was asked.
    #[cfg_attr(test, schemars(with = "Option<forms::LookupTransport>"))]
    transport: Option<&'static str>,
    /// Where it stands.
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

/// One request and its response, or why there is none.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "exchange"))]
struct ExchangeJson<'a> {
    /// The method.
    method: &'a str,
    /// The URL without its query.
    url: String,
    /// The status of the response.
    status: Option<u16>,
    /// Why there is no response.
    error: Option<NoResponseJson<'a>>,
    /// When the request was sent.
    first: Option<Timestamp>,
    /// When the response had come.
    last: Option<Timestamp>,
    /// Where it stands.
    refs: [RefJson; 1],
}

/// Why there is no response.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "no_response"))]
struct NoResponseJson<'a> {
    /// What happened.
    #[cfg_attr(test, schemars(with = "forms::NoResponse"))]
    kind: &'static str,
    /// The stage in which it failed.
    #[cfg_attr(test, schemars(with = "Option<forms::Stage>"))]
    stage: Option<&'static str>,
    /// The failure as the capture names it.
    code: Option<&'a str>,
}

impl<'a> NoResponseJson<'a> {
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
            error: exchange.response.as_ref().err().map(NoResponseJson::of),
            first: exchange.started(),
            last: exchange.ended(),
            refs: [RefJson::of(exchange.at)],
        }
    }
}
