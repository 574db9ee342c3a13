//! What was wrong with an exchange, whatever words the capture has for it.
//!
//! A browser's error, an answer that Fiddler wrote, and a page of a proxy in place of the service's
//! become one vocabulary. Whether the failure mattered is not decided here.
//!
//! Invariant: an answer is called foreign only when the capture keeps header fields and none of the
//! service's own is among them, or when the answer's text names a product.

use std::collections::{BTreeMap, BTreeSet};

use super::machines::Machines;
use super::{expose, hidden};
use crate::entra::{self, Fault, HostRole, StepKind, failures, hosts, service, vendors};
use crate::evidence::{
    Author, Body, Connection, Evidence, Exchange, ExchangeId, HostName, InputId, NoResponse,
    Response, Scheme, Stage,
};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// Something on the path answered in place of the server, with a page of its own.
    BlockPage,
    /// The network asks the user to log in to it first.
    CaptivePortal,
    /// A fault that the client or the capture tool names.
    Fault(Fault),
    /// A proxy asks for credentials.
    ProxyAuthentication,
    /// A proxy refused to connect.
    ProxyRefused,
    /// A proxy could not reach the server.
    ProxyUpstream,
    /// The service itself reports a fault, or is throttling.
    Service {
        /// The status.
        status: u16,
    },
    /// The request failed and nothing says why.
    Unnamed,
}

/// Whose matter a failure is by its nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureSide {
    /// The client's.
    Client,
    /// The network's.
    Network,
    /// The service's.
    Service,
    /// Not told.
    Unknown,
}

/// A failure of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whose matter it is.
    pub side: FailureSide,
    /// The product that signed it.
    pub vendor: Option<&'static str>,
    /// Whether the capture names it without room for another reading.
    pub certain: bool,
}

impl Failure {
    const fn new(kind: FailureKind, side: FailureSide, certain: bool) -> Self {
        Self { kind, side, vendor: None, certain }
    }

    /// What went wrong, in words of ours.
    pub fn words(&self) -> String {
        super::wire::failure_words(self.kind)
    }
}

/// What was wrong with each exchange; those with nothing wrong, or merely given up, are not in it.
pub(super) fn all(evidence: &Evidence, machines: &Machines) -> BTreeMap<ExchangeId, Failure> {
    // Where the service's own fields are kept, an answer without them is not the service's.
    let inputs = |which: fn(&Response) -> bool| -> BTreeSet<InputId> {
        evidence
            .exchanges
            .iter()
            .filter(|exchange| hosts::is_sign_in_service(exchange.host().as_str()))
            .filter(|exchange| exchange.response.as_ref().is_ok_and(which))
            .map(|exchange| exchange.at.input)
            .collect()
    };
    let marked = inputs(has_service_marks);
    // Where the service's pages have lost its fields, the exporter took them away.
    let hidden = hidden::Wire::new(evidence, machines);
    // A proxy asks each connection for credentials, and lets those through that give them.
    let through: BTreeSet<(InputId, &HostName)> = evidence
        .exchanges
        .iter()
        .filter(|exchange| exchange.request.url.scheme == Scheme::Authority)
        .filter(|exchange| exchange.status().is_some_and(|status| status / 100 == 2))
        .map(|exchange| (exchange.at.input, exchange.host()))
        .filter(|(id, _)| evidence.coverage.of(*id).is_some_and(|one| one.wire.is_some()))
        .collect();
    let is_first_round = |exchange: &Exchange| {
        exchange.status() == Some(407)
            && through.contains(&(exchange.at.input, exchange.host()))
            && !exchange.request.headers.has("proxy-authorization")
    };
    let stripped = inputs(|response| {
        speaks_for_service(response)
            && !has_service_marks(response)
            && !response.headers.is_partial()
    });
    evidence
        .numbered()
        .filter_map(|(id, exchange)| {
            let input = exchange.at.input;
            if is_first_round(exchange) || is_silence_of_capture(evidence, exchange) {
                return None;
            }
            let fields = match (stripped.contains(&input), marked.contains(&input)) {
                (true, _) => Fields::Stripped,
                (false, true) => Fields::Kept,
                (false, false) => Fields::Unknown,
            };
            let failure = match exchange.response {
                Err(NoResponse::Hidden { .. }) => hidden.failure(exchange)?,
                _ => failure_of(exchange, fields)?,
            };
            Some((id, failure))
        })
        .collect()
}

/// Whether an answer that did not come may be among the packets that the capture is known to lack.
fn is_silence_of_capture(evidence: &Evidence, exchange: &Exchange) -> bool {
    let silent = matches!(&exchange.response,
        Err(NoResponse::Failed { code, .. }) if &**code == "TIMED_OUT");
    let coverage = evidence.coverage.of(exchange.at.input).filter(|_| silent);
    coverage
        .and_then(|one| one.wire.as_ref())
        .is_some_and(|wire| wire.dropped > 0 || wire.missing > 0)
}

/// What an input keeps of the header fields by which the service is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    /// Other answers of it have them.
    Kept,
    /// Answers of the service lack them: the exporter took them away.
    Stripped,
    /// No answer tells.
    Unknown,
}

fn failure_of(exchange: &Exchange, fields: Fields) -> Option<Failure> {
    match &exchange.response {
        Ok(response) => answered(exchange, response, fields),
        Err(
            NoResponse::Cancelled
            | NoResponse::Hidden { .. }
            | NoResponse::NotCaptured
            | NoResponse::Pending,
        ) => None,
        Err(NoResponse::BlockedByClient { code }) => Some(failures::browser(code).map_or_else(
            || Failure::new(FailureKind::Fault(Fault::BlockedByClient), FailureSide::Client, true),
            by_row,
        )),
        Err(NoResponse::Failed { stage, code }) => Some(named(*stage, code)),
    }
}

/// The fault behind a code of the capture; a code of no browser tells by its stage.
fn named(stage: Stage, code: &str) -> Failure {
    if let Some(row) = failures::browser(code) {
        return by_row(row);
    }
    let by_proxy = match (stage, code) {
        (Stage::Proxy, "SOCKS_CREDENTIALS") => Some(FailureKind::ProxyAuthentication),
        (Stage::Proxy, "SOCKS_NOT_ALLOWED") => Some(FailureKind::ProxyRefused),
        (Stage::Proxy, "SOCKS_UPSTREAM") => Some(FailureKind::ProxyUpstream),
        _ => None,
    };
    if let Some(kind) = by_proxy {
        return Failure::new(kind, FailureSide::Network, true);
    }
    let (fault, certain) = match (stage, code) {
        (_, "OFFLINE") => (Fault::Offline, true),
        (Stage::Unknown, "TIMED_OUT") => (Fault::Timeout, false),
        (Stage::Connect, "ECONNREFUSED" | "CONNECTION_REFUSED") => (Fault::ConnectRefused, true),
        (Stage::Connect, "ETIMEDOUT" | "TIMED_OUT") => (Fault::ConnectTimeout, true),
        (Stage::Receive, "ECONNRESET" | "CONNECTION_RESET") => (Fault::Reset, true),
        (Stage::Receive, "HTTP_1_1_REQUIRED") => (Fault::Http11Required, true),
        (Stage::Receive, code) if code.starts_with("HTTP2_") => (Fault::Http2, true),
        (Stage::Receive, "RESPONSE_BROKEN") => (Fault::InvalidResponse, true),
        (Stage::Dns, "EAI_AGAIN" | "LOOKUP_FAILED") => (Fault::NameLookupFailed, true),
        (Stage::Dns, _) => (Fault::NameMissing, true),
        (Stage::Connect, "UNREACHABLE" | "EHOSTUNREACH" | "ENETUNREACH") => {
            (Fault::Unreachable, true)
        }
        (Stage::Connect, _) => (Fault::ConnectFailed, false),
        (Stage::Proxy, _) => (Fault::ProxyUnreachable, false),
        (Stage::Receive, "CLOSED_AFTER_CONNECT") => (Fault::ClosedWithoutAnswer, false),
        (Stage::Tls, "HANDSHAKE_CUT") => (Fault::HandshakeCut, true),
        (Stage::Tls, "TLS_VERSION") => (Fault::TlsVersion, true),
        (Stage::Tls, "TLS_PLAIN_TEXT") => (Fault::TlsPlainText, true),
        (Stage::Tls, "SECURITY_BROKEN") => (Fault::CertUntrusted, false),
        (Stage::Tls, "CERTIFICATE_INVALID") => (Fault::CertInvalid, true),
        (Stage::Tls, _) => (Fault::TlsHandshake, false),
        (Stage::Send | Stage::Receive, _) => (Fault::ClosedWithoutAnswer, true),
        (Stage::Unknown, _) => {
            return Failure::new(FailureKind::Unnamed, FailureSide::Unknown, false);
        }
    };
    Failure::new(FailureKind::Fault(fault), FailureSide::Network, certain)
}

fn by_row(row: &entra::FailureRow) -> Failure {
    let side = match (row.network, row.fault) {
        (_, Fault::Failed | Fault::Aborted | Fault::HttpStatus) => FailureSide::Unknown,
        (true, _) => FailureSide::Network,
        (false, _) => FailureSide::Client,
    };
    if row.fault == Fault::Failed {
        return Failure::new(FailureKind::Unnamed, side, false);
    }
    let unclear = matches!(row.fault, Fault::ConnectFailed | Fault::TlsHandshake | Fault::Timeout);
    Failure::new(FailureKind::Fault(row.fault), side, !unclear)
}

fn answered(exchange: &Exchange, response: &Response, fields: Fields) -> Option<Failure> {
    let status = response.status;
    if response.author == Author::CaptureTool {
        let body = expose::body(&response.body).unwrap_or_default();
        let reason = response.reason.as_deref().unwrap_or_default();
        let known = failures::fiddler(reason, &body).map(by_row).map(|failure| {
            // The tool has no certificate to show where the client's is asked for.
            let own = hosts::is_certificate_host(exchange.host().as_str()) && is_handshake(failure);
            if own {
                Failure { side: FailureSide::Unknown, certain: false, ..failure }
            } else {
                failure
            }
        });
        // An answer that the tool made up on purpose is no failure of anything.
        let unknown = Failure::new(FailureKind::Unnamed, FailureSide::Unknown, false);
        if known.is_none() && exchange.request.url.scheme == Scheme::Authority && status >= 400 {
            // The tool passes on what its own gateway said.
            return Some(tunnel(response));
        }
        return known.or_else(|| (status >= 500).then_some(unknown));
    }
    if exchange.request.url.scheme == Scheme::Authority {
        return (status >= 400).then(|| tunnel(response));
    }
    if status == 407 {
        return Some(Failure::new(FailureKind::ProxyAuthentication, FailureSide::Network, true));
    }
    let role = hosts::host(exchange.host().as_str()).map(|row| row.role);
    match role {
        Some(HostRole::Sts | HostRole::StsAlias) => at_service(exchange, response, fields),
        Some(HostRole::SigninCdn) => at_script_host(exchange, response),
        _ => elsewhere(exchange, response, role),
    }
}

/// Whether a handshake failed for another reason than the server's certificate.
const fn is_handshake(failure: Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Fault(Fault::ClientCert | Fault::HandshakeCut | Fault::TlsHandshake)
    )
}

/// The product that signed an answer, if its sign is one that a rule may build on.
fn vendor(response: &Response) -> Option<&'static str> {
    let mut found = response.headers.iter().filter_map(|(name, value)| {
        let value = expose::text(value);
        match name {
            "server" => vendors::server_header(value),
            "location" => vendors::redirect(value),
            "set-cookie" => vendors::cookie(value.split('=').next().unwrap_or_default()),
            name => vendors::response_header(name, value),
        }
    });
    let by_header = found.find(|vendor| is_product(vendor));
    by_header.map(|vendor| vendor.name).or_else(|| by_text(response))
}

/// The filter that calls itself the server of the answer, with a sign that leaves no doubt.
fn by_server(response: &Response) -> Option<&'static str> {
    let server = expose::header(&response.headers, "server")?;
    vendors::server_header(server)
        .filter(|row| is_product(row) && row.confidence == entra::Certainty::High)
        .map(|row| row.name)
}

/// The product whose block page the body is.
fn by_text(response: &Response) -> Option<&'static str> {
    let body = expose::body(&response.body)?;
    vendors::block_page(&body).filter(|vendor| is_product(vendor)).map(|vendor| vendor.name)
}

fn is_product(vendor: &entra::Vendor) -> bool {
    vendor.is_usable()
        && !vendor.is_microsoft()
        && !vendor.is_capture_tool()
        && !matches!(vendor.name, "Generic proxy" | "Tenant restrictions (any proxy)")
}

fn block(vendor: Option<&'static str>, certain: bool) -> Failure {
    let certain = certain || vendor.is_some();
    Failure { kind: FailureKind::BlockPage, side: FailureSide::Network, vendor, certain }
}

/// A network that wants its user to log in first (RFC 6585 section 6, RFC 8952).
const fn portal(vendor: Option<&'static str>, certain: bool) -> Failure {
    Failure { kind: FailureKind::CaptivePortal, side: FailureSide::Network, vendor, certain }
}

/// A refused CONNECT: whoever refused was not the server, which is not reached yet.
fn tunnel(response: &Response) -> Failure {
    let kind = match response.status {
        407 => FailureKind::ProxyAuthentication,
        511 => FailureKind::CaptivePortal,
        502..=504 => FailureKind::ProxyUpstream,
        // Squid says so of what it cannot reach or resolve.
        500 if response.headers.has("x-squid-error") => FailureKind::ProxyUpstream,
        _ => FailureKind::ProxyRefused,
    };
    Failure { kind, side: FailureSide::Network, vendor: vendor(response), certain: true }
}

pub(super) fn is_page(response: &Response) -> bool {
    let kind = expose::header(&response.headers, "content-type").unwrap_or_default();
    kind.to_ascii_lowercase().contains("html")
        || (kind.is_empty()
            && expose::body(&response.body).is_some_and(|body| {
                let start = body.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
                start.starts_with("<!doctype") || start.starts_with("<html")
            }))
}

/// Whether an answer is data of a kind that no script is sent as.
fn is_data(response: &Response) -> bool {
    let kind = expose::header(&response.headers, "content-type").unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    kind.contains("json") || kind.contains("xml")
}

/// Header fields below which an exporter is taken to have thrown most of them away, unless it kept those
/// of the service elsewhere.
const FEW_HEADERS: usize = 3;

/// Whether the sign-in service wrote the answer; `None` when the capture keeps too few header fields to
/// say so.
fn is_service_answer(response: &Response, fields: Fields) -> Option<bool> {
    let own = has_service_marks(response);
    let least = if fields == Fields::Kept { 1 } else { FEW_HEADERS };
    // Fields that the capture has and nobody can read may be those of the service.
    let enough = fields != Fields::Stripped
        && !response.headers.is_partial()
        && response.headers.iter().count() >= least;
    (own || enough).then_some(own)
}

/// Whether the entrance of the service's own network wrote the answer.
fn is_front_door(response: &Response) -> bool {
    ["x-azure-ref", "x-msedge-ref"].iter().any(|field| response.headers.has(field))
}

/// Whether an answer has a field or cookie that only the service sets.
fn has_service_marks(response: &Response) -> bool {
    response.headers.iter().any(|(name, value)| {
        service::is_service_header(name)
            || name == "set-cookie"
                && service::is_service_cookie(
                    expose::text(value).split('=').next().unwrap_or_default(),
                )
    })
}

/// Whether the body is one that only the service writes: a page with its settings, a form for the
/// application, or an answer with a code.
fn speaks_for_service(response: &Response) -> bool {
    expose::body(&response.body).is_some_and(|body| {
        body.contains("$Config")
            || body.contains("hiddenform")
            || body.contains("AADSTS")
            // Pages of consumer tenants (B2C) have settings of their own.
            || body.contains("var SETTINGS") && body.contains("StateProperties")
    })
}

/// Whether the answer is a fault of SOAP, which comes with 500 whatever it says, and what it says is not in
/// the capture (SOAP 1.2 part 2 section 7.5.2.2).
pub(super) fn is_fault_unsaid(response: &Response) -> bool {
    let kind = expose::header(&response.headers, "content-type").unwrap_or_default();
    response.status == 500
        && kind.to_ascii_lowercase().contains("soap+xml")
        && expose::body(&response.body).is_none_or(|body| body.trim().is_empty())
}

fn at_service(exchange: &Exchange, response: &Response, fields: Fields) -> Option<Failure> {
    let status = response.status;
    let own = is_service_answer(response, fields);
    // What the service says in the body counts more than the status: faults of SOAP come with 500.
    if speaks_for_service(response) {
        return None;
    }
    if own == Some(true) {
        if is_fault_unsaid(response) {
            return None;
        }
        let failed = (500..600).contains(&status) || status == 429;
        return failed
            .then(|| Failure::new(FailureKind::Service { status }, FailureSide::Service, true));
    }
    if status == 429 {
        return Some(Failure::new(FailureKind::Service { status }, FailureSide::Service, false));
    }
    let vendor = vendor(response);
    // What the front door says of the service behind it is the service's.
    let own = own.filter(|_| !is_front_door(response));
    let row = entra::endpoint(
        exchange.host().as_str(),
        &exchange.request.method,
        &exchange.request.url.path,
    );
    let asked_json = matches!(
        row.map(|row| row.step),
        Some(StepKind::MfaBegin | StepKind::MfaPoll | StepKind::CredentialType | StepKind::Token)
    );
    let asked_sas = matches!(row.map(|row| row.step), Some(StepKind::MfaBegin | StepKind::MfaPoll));
    let asked_page = matches!(
        row.map(|row| row.step),
        Some(
            StepKind::Authorize
                | StepKind::Password
                | StepKind::MfaFinish
                | StepKind::KeepSignedIn
                | StepKind::Continue
        )
    );
    let page = is_page(response);
    let foreign = own == Some(false);
    match status {
        500..=510 | 512..=599 if vendor.is_none() && !foreign => {
            Some(Failure::new(FailureKind::Service { status }, FailureSide::Service, false))
        }
        // A gateway says so of a server that it cannot reach (RFC 9110 sections 15.6.3 and 15.6.5);
        // with 503 filters show pages of their own.
        502..=504 if status != 503 || by_text(response).is_none() => Some(Failure {
            kind: FailureKind::ProxyUpstream,
            side: FailureSide::Network,
            vendor,
            certain: vendor.is_some(),
        }),
        511 => Some(portal(vendor, true)),
        403 | 451 | 500..=599 if foreign => Some(block(vendor, false)),
        300..=399 if foreign || own.is_none() && is_plain(response) => {
            is_led_away(response, asked_json || vendor.is_some()).then(|| match vendor {
                None if is_plain(response) && is_portal(response) => {
                    portal(None, is_plain(response))
                }
                vendor => block(vendor, vendor.is_some()),
            })
        }
        // Neither a field of the service nor a word of the answer that was asked for.
        200 if asked_sas
            && fields == Fields::Kept
            && own != Some(true)
            && !has_service_marks(response)
            && !response.headers.is_partial()
            && is_silent(response) =>
        {
            Some(block(vendor, false))
        }
        _ if page && vendor.is_some() => Some(block(vendor, true)),
        _ if page && asked_json && foreign => Some(block(vendor, true)),
        200 if page
            && asked_page
            && foreign
            && fields == Fields::Kept
            && is_whole_page(response) =>
        {
            Some(block(vendor, false))
        }
        _ => None,
    }
}

/// Whether an answer to an MFA call is here and says nothing of what the service always says.
fn is_silent(response: &Response) -> bool {
    match &response.body {
        Body::Kept { cut: false, .. } => expose::body(&response.body).is_some_and(|body| {
            let blanked = body.len() < 12 || body.to_ascii_lowercase().contains("redact");
            !blanked && !body.contains("Success") && !body.contains("ResultValue")
        }),
        Body::Empty | Body::Kept { .. } | Body::Missing(_) | Body::Skipped => false,
    }
}

/// Whether the body is here to its end and is a page for people.
fn is_whole_page(response: &Response) -> bool {
    let whole = matches!(response.body, Body::Kept { cut: false, .. });
    whole
        && expose::body(&response.body).is_some_and(|body| {
            let body = body.to_ascii_lowercase();
            ["</html>", "</body>", "<title>"].iter().any(|mark| body.contains(mark))
        })
}

/// Whether a redirect leads to an address without TLS, as the service never does.
fn is_plain(response: &Response) -> bool {
    response.location.as_ref().is_some_and(|target| target.scheme == Scheme::Http)
}

/// Whether a redirect that the service did not write leads out of the sign-in, as those of captive
/// portals and filters do: to a host of no known role, with nothing of a sign-in in the address.
fn is_led_away(response: &Response, sure: bool) -> bool {
    let Some(target) = &response.location else { return false };
    if hosts::host(target.host.as_str()).is_some() {
        return false;
    }
    let parts = [expose::query(target), expose::fragment(target)];
    let of_sign_in = [
        "RelayState",
        "SAMLRequest",
        "SAMLResponse",
        "access_token",
        "client-request-id",
        "client_id",
        "code",
        "error",
        "id_token",
        "login_hint",
        "redirect_uri",
        "response_type",
        "username",
        "wa",
    ];
    let handed_on = parts
        .iter()
        .any(|pairs| of_sign_in.iter().any(|name| expose::value(pairs, name).is_some()));
    // Without TLS, to a bare address, or with the address that was asked for: so do portals and filters.
    let bare = target.host.as_str().parse::<std::net::IpAddr>().is_ok();
    let carries = parts.iter().flatten().any(|(_, value)| value.contains("microsoftonline"));
    sure || !handed_on && (is_plain(response) || bare || carries)
}

/// Whether a redirect leads to a page whose address says that the network wants a log-in.
fn is_portal(response: &Response) -> bool {
    const WORDS: [&str; 8] =
        ["captive", "guest", "hotspot", "login", "logon", "portal", "splash", "wifi"];
    response.location.as_ref().is_some_and(|target| {
        let address = format!("{}{}", target.host, target.path).to_ascii_lowercase();
        WORDS.iter().any(|word| address.contains(word))
    })
}

fn at_script_host(exchange: &Exchange, response: &Response) -> Option<Failure> {
    let path = exchange.request.url.path.to_ascii_lowercase();
    let asked = expose::header(&exchange.request.headers, "sec-fetch-dest");
    let extension = path.rsplit('/').next().and_then(|name| Some(name.rsplit_once('.')?.1));
    let file = extension.is_some_and(|extension| !matches!(extension, "html" | "htm"));
    let asked_file = asked.map_or(file, |asked| asked != "document" && asked != "iframe");
    let vendor = vendor(response);
    if !file && asked.is_none() {
        return None;
    }
    match response.status {
        503 if by_text(response).is_some() => Some(block(vendor, true)),
        502..=504 => Some(Failure {
            kind: FailureKind::ProxyUpstream,
            side: FailureSide::Network,
            vendor,
            certain: false,
        }),
        511 => Some(portal(vendor, true)),
        403 | 451 if is_page(response) => Some(block(vendor, false)),
        200..=303 | 305..=399 if asked_file && is_page(response) => Some(block(vendor, true)),
        200 if extension == Some("js") && is_data(response) => Some(block(vendor, false)),
        status @ (500 | 501 | 505..=599) => {
            Some(Failure::new(FailureKind::Service { status }, FailureSide::Unknown, false))
        }
        _ => None,
    }
}

/// At a host that is not the service's own, only an answer that shows a page of a product is foreign:
/// a proxy leaves its marks on answers that it passes on, and an application may be such a product.
fn elsewhere(exchange: &Exchange, response: &Response, role: Option<HostRole>) -> Option<Failure> {
    if response.status == 511 {
        return Some(portal(vendor(response), true));
    }
    let at_microsoft = matches!(
        role,
        Some(
            HostRole::DeviceCert
                | HostRole::MfaRegistration
                | HostRole::Passkey
                | HostRole::Telemetry
        )
    );
    if response.headers.has("x-squid-error") && matches!(response.status, 502..=504) {
        let (kind, side) = (FailureKind::ProxyUpstream, FailureSide::Network);
        return Some(Failure { kind, side, vendor: vendor(response), certain: true });
    }
    let found = match response.status {
        401 => None,
        300..=399 => is_sent_to_block_page(exchange, response).then(|| vendor(response))?,
        _ if !is_page(response) => None,
        _ if at_microsoft => {
            let named = by_text(response).or_else(|| by_server(response));
            named.or_else(|| vendor(response).filter(|_| response.status >= 400))
        }
        status => {
            let provider = role.is_some()
                || entra::endpoint(
                    exchange.host().as_str(),
                    &exchange.request.method,
                    &exchange.request.url.path,
                )
                .is_some_and(|row| row.step == StepKind::FederationRedirect);
            by_text(response).filter(|_| provider || status >= 400)
        }
    };
    found.map(|vendor| block(Some(vendor), true))
}

/// Whether a redirect leads to the page on which a product says that it blocks, and not to the product
/// as the application itself.
fn is_sent_to_block_page(exchange: &Exchange, response: &Response) -> bool {
    let Some(target) = &response.location else { return false };
    let domain = |host: &str| {
        let mut labels = host.rsplit('.');
        let last = labels.next().unwrap_or_default().to_owned();
        format!("{}.{last}", labels.next().unwrap_or_default())
    };
    let own = domain(target.host.as_str()) == domain(exchange.host().as_str());
    // A SAML answer is posted to applications that are such products themselves.
    let posted = exchange.request.method.as_ref() == "POST"
        && hosts::host(exchange.host().as_str()).is_none();
    !own && !posted
        && response.headers.iter().any(|(name, value)| {
            name == "location" && vendors::redirect(expose::text(value)).is_some_and(is_product)
        })
}

/// The product that answers TLS in place of a host, by the issuer of the certificate it shows; only
/// products that are no capture tool.
pub fn interceptor(connection: &Connection) -> Option<&'static entra::Vendor> {
    let certificate = connection.tls.as_ref()?.certificate.as_ref()?;
    if vendors::is_expected_issuer(&certificate.issuer) {
        return None;
    }
    vendors::issuer(&certificate.issuer)
        .filter(|vendor| vendor.is_usable() && !vendor.is_capture_tool() && !vendor.is_microsoft())
}
