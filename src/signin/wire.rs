//! Reads one exchange as part of a sign-in: which step it is, and what it says.
//!
//! All carriers of error codes are read here, each in its own shape; a raw page is never searched,
//! because ordinary pages hold the words of errors in their settings.
//!
//! It knows one exchange at a time: what belongs together is found elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::answers::{CodeText, CredentialAnswer, Page, SasAnswer, TokenAnswer, code_text};
use super::expose::{self, value};
use super::request::read_request;
use super::sighting::{FoundCode, Grant, Sighting};
use super::{Carrier, Failure, FailureKind, Guid, answers, clock, failure, markup};
use crate::entra::{self, HostRole, StepKind, hosts};
use crate::evidence::{Body, Exchange, ExchangeId, HostName, NoResponse, Response, Scheme, Url};

pub(super) type Pairs = Vec<(String, String)>;

/// Fields that hand the result of a sign-in to an application.
const GRANT_FIELDS: [&str; 5] = ["code", "id_token", "access_token", "SAMLResponse", "wresult"];

/// The return address of an external MFA provider.
const EXTERNAL_RETURN: &str = "/federation/externalauthprovider";

/// Reads one exchange; `None` when nothing of a sign-in is in it.
pub(super) fn sight(
    id: ExchangeId,
    exchange: &Exchange,
    failure: Option<Failure>,
) -> Option<Sighting> {
    let role = hosts::host(exchange.host().as_str()).map(|row| row.role);
    let relevant = matches!(
        role,
        Some(
            HostRole::Sts
                | HostRole::StsAlias
                | HostRole::SigninCdn
                | HostRole::DeviceCert
                | HostRole::SeamlessSso
                | HostRole::MfaRegistration
                | HostRole::Passkey
                | HostRole::Msa
                | HostRole::Sspr
                | HostRole::Federation
        )
    );
    if exchange.request.url.scheme == Scheme::Authority {
        return relevant.then(|| tunnel(id, exchange, failure, role));
    }
    let at_service = matches!(role, Some(HostRole::Sts | HostRole::StsAlias));
    let url = &exchange.request.url;
    if is_icon(exchange) {
        return None;
    }
    let row = entra::endpoint(exchange.host().as_str(), &exchange.request.method, &url.path);
    let mut kind = row.map_or(StepKind::Other, |row| row.step);
    let query = expose::query(url);
    let form = form(exchange);
    if !relevant {
        let elsewhere = elsewhere(exchange, role, &query, &form);
        kind = match (elsewhere, row.map(|row| row.step)) {
            (Some(kind), _) => kind,
            (None, Some(StepKind::FederationRedirect | StepKind::Token)) if role.is_none() => kind,
            (None, _) => return None,
        };
    } else if !at_service && (returns(&form) || returns(&query)) {
        kind = StepKind::AppReturn;
    } else if (is_external_handoff(&query) || is_external_handoff(&form))
        && role == Some(HostRole::Federation)
    {
        kind = StepKind::ExternalMethod;
    }
    let mut sighting = blank(id, exchange, failure, kind);
    sighting.role = role;
    sighting.is_script = hosts::is_script_cdn(exchange.host().as_str()) && is_script_file(exchange);
    read_request(&mut sighting, exchange, &query, &form, at_service);
    match &exchange.response {
        Ok(response) => read_response(&mut sighting, exchange, response, at_service),
        Err(_) => describe_failure(&mut sighting),
    }
    if sighting.detail.is_empty() {
        describe(&mut sighting);
    }
    Some(sighting)
}

fn blank(
    id: ExchangeId,
    exchange: &Exchange,
    failure: Option<Failure>,
    kind: StepKind,
) -> Sighting {
    Sighting {
        id,
        reference: exchange.at,
        input: exchange.at.input,
        page_number: exchange.page,
        process: exchange.process.clone(),
        client: None,
        started: exchange.started(),
        ended: exchange.ended(),
        host: exchange.host().clone(),
        kind,
        status: exchange.status(),
        answered: exchange.response.is_ok(),
        cancelled: matches!(exchange.response, Err(NoResponse::Cancelled)),
        pending: matches!(exchange.response, Err(NoResponse::Pending | NoResponse::NotCaptured)),
        failure,
        body_missing: false,
        body_unread: false,
        correlation_ids: Vec::new(),
        request_id: None,
        state: Vec::new(),
        user: None,
        application: None,
        tenant: None,
        resource: None,
        flow: None,
        flow_guessed: false,
        starts: false,
        page: None,
        sas: None,
        credential: None,
        codes: Vec::new(),
        oauth_error: None,
        policy_ids: Vec::new(),
        grant: Grant::None,
        next_host: None,
        return_host: None,
        federation_host: None,
        external_host: None,
        role: None,
        is_script: false,
        is_main: is_main(exchange),
        script_hosts: Vec::new(),
        is_tunnel: false,
        file: exchange.request.url.path.rsplit('/').next().unwrap_or_default().to_owned(),
        script_report: false,
        client_setting: false,
        authorization_state: None,
        provider_error: None,
        ahead: clock::ahead(exchange),
        from_service: is_from_service(exchange),
        detail: String::new(),
    }
}

/// A CONNECT request. A good one matters only after a failed one to the same host: what travels in it
/// is seen in the exchanges inside.
fn tunnel(
    id: ExchangeId,
    exchange: &Exchange,
    failure: Option<Failure>,
    role: Option<HostRole>,
) -> Sighting {
    // A host that does one thing only tells by its name what the tunnel was for.
    let only = entra::endpoint(exchange.host().as_str(), "GET", "/").map(|row| row.step);
    let kind = only.filter(|step| *step == StepKind::UserCertificate).unwrap_or(StepKind::Other);
    let mut sighting = blank(id, exchange, failure, kind);
    sighting.role = role;
    sighting.is_tunnel = true;
    sighting.is_script = hosts::is_script_cdn(exchange.host().as_str());
    describe_failure(&mut sighting);
    sighting
}

/// Endings of files that are parts of a page and not the page.
const PARTS: [&str; 12] =
    ["css", "gif", "ico", "jpeg", "jpg", "js", "map", "png", "svg", "ttf", "woff", "woff2"];

fn extension(exchange: &Exchange) -> Option<String> {
    let (_, file) = exchange.request.url.path.rsplit_once('/')?;
    file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

/// Whether a page of the service made the browser send this.
fn is_from_service(exchange: &Exchange) -> bool {
    ["origin", "referer"]
        .into_iter()
        .filter_map(|name| host_of(expose::header(&exchange.request.headers, name)?))
        .any(|host| hosts::is_sign_in_service(host.as_str()))
}

/// The picture that browsers ask every host for.
fn is_icon(exchange: &Exchange) -> bool {
    exchange.request.url.path.to_ascii_lowercase().ends_with("/favicon.ico")
}

fn is_script_file(exchange: &Exchange) -> bool {
    match expose::header(&exchange.request.headers, "sec-fetch-dest") {
        Some(asked) => asked == "script",
        None => extension(exchange).as_deref() == Some("js"),
    }
}

/// Whether a request is for a page, or posts something.
fn is_main(exchange: &Exchange) -> bool {
    if exchange.request.method.as_ref() == "POST"
        || exchange.request.url.scheme == Scheme::Authority
    {
        return true;
    }
    match expose::header(&exchange.request.headers, "sec-fetch-dest") {
        Some(asked) => matches!(asked, "document" | "iframe" | "empty"),
        None => extension(exchange).is_none_or(|extension| !PARTS.contains(&extension.as_str())),
    }
}

/// Which step an exchange with a host outside the service is; `None` when it is none.
fn elsewhere(
    exchange: &Exchange,
    role: Option<HostRole>,
    query: &Pairs,
    form: &Pairs,
) -> Option<StepKind> {
    if role == Some(HostRole::Telemetry) {
        return None;
    }
    if is_external_handoff(query) || is_external_handoff(form) {
        return Some(StepKind::ExternalMethod);
    }
    if returns(form) || returns(query) {
        return Some(StepKind::AppReturn);
    }
    let challenge = exchange.response.as_ref().ok().and_then(|response| {
        response.headers.all("www-authenticate").map(expose::text).find(|text| {
            text.contains("insufficient_claims") || (text.contains("claims=") && is_ours(text))
        })
    });
    challenge.map(|_| StepKind::Resource)
}

/// Whether the fields are those that go back to an application.
fn returns(pairs: &Pairs) -> bool {
    let has = |name: &str| value(pairs, name).is_some();
    let text = value(pairs, "error_description").unwrap_or_default();
    let oauth = (has("code") || has("id_token") || has("access_token"))
        && (has("session_state") || has("state"));
    oauth || has("SAMLResponse") || has("wresult") || text.contains("AADSTS")
}

fn is_ours(challenge: &str) -> bool {
    challenge.contains("authorization_uri") || challenge.contains("login.")
}

fn is_external_handoff(pairs: &Pairs) -> bool {
    value(pairs, "redirect_uri")
        .is_some_and(|uri| uri.to_ascii_lowercase().contains(EXTERNAL_RETURN))
}

/// The form that a request posts.
fn form(exchange: &Exchange) -> Pairs {
    let Some(body) = expose::body(&exchange.request.body) else { return Vec::new() };
    let kind = expose::header(&exchange.request.headers, "content-type").unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    if kind.contains("json") || kind.contains("xml") || body.trim_start().starts_with(['{', '<']) {
        return Vec::new();
    }
    expose::pairs(&body)
}

pub(super) fn add_state(sighting: &mut Sighting, text: &str) {
    if text.len() < 8 || sighting.state.len() >= 32 {
        return;
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let hash = hasher.finish();
    if !sighting.state.contains(&hash) {
        sighting.state.push(hash);
    }
}

pub(super) fn add_correlation(sighting: &mut Sighting, id: Option<Guid>) {
    if let Some(id) = id.filter(|id| !sighting.correlation_ids.contains(id)) {
        // The nil id is what some pages hold before one is made.
        if id.as_str() != "00000000-0000-0000-0000-000000000000" {
            sighting.correlation_ids.push(id);
        }
    }
}

pub(super) fn host_of(url: &str) -> Option<HostName> {
    let parsed = url::Url::parse(url.trim()).ok()?;
    matches!(parsed.scheme(), "http" | "https")
        .then(|| HostName::parse(parsed.host_str()?))
        .flatten()
}

fn read_response(
    sighting: &mut Sighting,
    exchange: &Exchange,
    response: &Response,
    at_service: bool,
) {
    let headers = &response.headers;
    sighting.request_id = expose::header(headers, "x-ms-request-id").and_then(Guid::parse);
    add_correlation(sighting, expose::header(headers, "client-request-id").and_then(Guid::parse));
    if let Some(location) = &response.location {
        read_location(sighting, location);
    }
    if sighting.kind == StepKind::Resource {
        read_challenge(sighting, response);
    }
    if sighting.failure.is_some() {
        describe_failure(sighting);
        return;
    }
    sighting.body_missing = is_missing(sighting.kind, exchange, response, at_service);
    read_body(sighting, exchange, response, at_service);
    let asked = matches!(sighting.kind, StepKind::MfaBegin | StepKind::MfaPoll | StepKind::MfaCode);
    let final_status = response.status == 200 || response.status >= 400;
    if asked && at_service && final_status && sighting.sas.is_none() {
        // An answer that does not say what these calls always say tells as little as none.
        let silent = sighting.page.is_none() && sighting.codes.is_empty();
        sighting.body_unread = silent
            && expose::body(&response.body).is_some_and(|body| body.trim_start().starts_with('{'));
        sighting.body_missing |= silent;
    }
}

fn read_body(sighting: &mut Sighting, exchange: &Exchange, response: &Response, at_service: bool) {
    let Some(body) = expose::body(&response.body) else { return };
    let own = at_service
        || matches!(
            sighting.kind,
            StepKind::Token
                | StepKind::FederationRedirect
                | StepKind::SeamlessSso
                | StepKind::DeviceCertificate
                | StepKind::UserCertificate
                | StepKind::Authorize
                | StepKind::Password
                | StepKind::ExternalMethod
        );
    if !own {
        return;
    }
    let start = body.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('{') {
        read_json(sighting, start);
    } else if sighting.kind == StepKind::Token && start.starts_with('<') {
        read_soap(sighting, start);
    } else {
        read_page(sighting, exchange, &body);
    }
}

/// Whether a body that would tell how the step went is not in the capture.
fn is_missing(kind: StepKind, exchange: &Exchange, response: &Response, at_service: bool) -> bool {
    let tells = matches!(
        kind,
        StepKind::Authorize
            | StepKind::Password
            | StepKind::MfaBegin
            | StepKind::MfaPoll
            | StepKind::MfaFinish
            | StepKind::Continue
            | StepKind::Token
            | StepKind::FederationReturn
            | StepKind::DeviceCertificate
            | StepKind::KeepSignedIn
            | StepKind::ExternalMethod
    );
    let redirect = (300..400).contains(&response.status) || response.status == 204;
    // The service ends none of these steps with nothing.
    let method = exchange.request.method.as_ref();
    let blank = (response.status == 200 || failure::is_fault_unsaid(response))
        && matches!(method, "GET" | "POST")
        && matches!(response.body, Body::Empty);
    tells && at_service && !redirect && (blank || matches!(response.body, Body::Missing(_)))
}

fn read_location(sighting: &mut Sighting, location: &Url) {
    sighting.next_host = Some(location.host.clone());
    let at_service = hosts::is_sign_in_service(location.host.as_str());
    let query = expose::query(location);
    let row = entra::endpoint(location.host.as_str(), "GET", &location.path);
    let native = row.is_some_and(|row| row.step == StepKind::AppReturn);
    if at_service && !native {
        if let Some(ctx) = value(&query, "ctx") {
            add_state(sighting, ctx);
        }
        add_correlation(sighting, value(&query, "client-request-id").and_then(Guid::parse));
        return;
    }
    if is_external_handoff(&query) {
        sighting.external_host = Some(location.host.clone());
        return;
    }
    let wsfed = value(&query, "wa") == Some("wsignin1.0") || value(&query, "SAMLRequest").is_some();
    if wsfed && sighting.kind != StepKind::AppReturn {
        sighting.federation_host = Some(location.host.clone());
    }
    read_return(sighting, &query, Carrier::RedirectQuery, Grant::Issued);
    read_return(sighting, &expose::fragment(location), Carrier::RedirectFragment, Grant::Issued);
}

/// Reads what goes back to the application: a grant, or an error.
pub(super) fn read_return(sighting: &mut Sighting, pairs: &Pairs, carrier: Carrier, grant: Grant) {
    if pairs.is_empty() {
        return;
    }
    for name in ["state", "code", "RelayState", "wctx"] {
        if let Some(text) = value(pairs, name) {
            add_state(sighting, text);
        }
    }
    if let Some(saml) = value(pairs, "SAMLResponse") {
        read_saml(sighting, saml, carrier, grant);
        return;
    }
    let error = value(pairs, "error");
    if let Some(text) = value(pairs, "error_description") {
        let found = code_text(text);
        add_codes(sighting, &found, carrier);
    }
    if let Some(error) = error {
        sighting.oauth_error = answers::oauth_error(error).or_else(|| Some("unnamed".to_owned()));
        let claims = value(pairs, "claims").map(answers::policy_ids).unwrap_or_default();
        sighting.policy_ids.extend(claims);
        return;
    }
    if GRANT_FIELDS.iter().any(|name| value(pairs, name).is_some()) {
        sighting.grant = grant;
    }
}

fn add_codes(sighting: &mut Sighting, found: &CodeText, carrier: Carrier) {
    for code in &found.codes {
        if sighting.codes.iter().any(|known| known.code == *code) {
            continue;
        }
        sighting.codes.push(FoundCode {
            code: *code,
            carrier,
            trace_id: found.trace_id.clone(),
            correlation_id: found.correlation_id.clone(),
        });
    }
    add_correlation(sighting, found.correlation_id.clone());
}

fn read_saml(sighting: &mut Sighting, encoded: &str, carrier: Carrier, grant: Grant) {
    let compact: String = encoded.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = data_encoding::BASE64.decode(compact.as_bytes()).unwrap_or_default();
    let document = String::from_utf8_lossy(&decoded);
    if !document.trim_start().starts_with('<') {
        // In a query it is compressed: the answer to a sign-out, since assertions are posted. A posted
        // one that cannot be read was handed on all the same.
        let posted = carrier == Carrier::FormPost && sighting.kind != StepKind::Logout;
        if posted {
            sighting.grant = grant;
        }
        return;
    }
    let xml = markup::xml(&document);
    for text in &xml.texts {
        add_codes(sighting, &code_text(text), Carrier::SamlStatus);
    }
    let failed = xml.status.first().is_some_and(|status| !status.ends_with(":Success"));
    if failed {
        let last = xml.status.last().and_then(|status| status.rsplit(':').next());
        sighting.oauth_error = last.and_then(answers::identifier);
    } else if xml.root.as_deref() == Some("Response") {
        sighting.grant = grant;
    }
}

/// A claims challenge of a resource: what it asks for.
fn read_challenge(sighting: &mut Sighting, response: &Response) {
    for text in response.headers.all("www-authenticate").map(expose::text) {
        add_codes(sighting, &code_text(text), Carrier::ClaimsChallenge);
        let Some((_, rest)) = text.split_once("claims=") else { continue };
        let encoded = rest.trim_start_matches('"').split(['"', ',', ' ']).next().unwrap_or("");
        let lenient = encoded.trim_end_matches('=');
        let decoded = data_encoding::BASE64_NOPAD
            .decode(lenient.as_bytes())
            .or_else(|_| data_encoding::BASE64URL_NOPAD.decode(lenient.as_bytes()));
        let Ok(claims) = decoded else { continue };
        let claims = String::from_utf8_lossy(&claims);
        let asked: Vec<&str> = ["nbf", "acrs", "xms_rp_ipaddr"]
            .into_iter()
            .filter(|name| claims.contains(&format!("\"{name}\"")))
            .collect();
        sighting.detail = format!("claims challenge ({})", asked.join(", "));
    }
}

fn read_json(sighting: &mut Sighting, body: &str) {
    match sighting.kind {
        StepKind::MfaBegin | StepKind::MfaPoll | StepKind::MfaCode | StepKind::PhoneSignIn => {
            if sighting.kind == StepKind::PhoneSignIn {
                sighting.authorization_state = serde_json::from_str::<Value>(body)
                    .ok()
                    .and_then(|value| value.get("AuthorizationState")?.as_u64());
            }
            let Some(answer) = SasAnswer::read(body) else { return };
            for text in &answer.state {
                add_state(sighting, text);
            }
            add_correlation(sighting, answer.correlation_id.clone());
            if let Some(code) = answer.code {
                sighting.codes.push(FoundCode {
                    code,
                    carrier: Carrier::SasJson,
                    trace_id: None,
                    correlation_id: answer.correlation_id.clone(),
                });
            }
            sighting.sas = Some(answer);
        }
        StepKind::CredentialType | StepKind::HomeRealm => {
            let answer = CredentialAnswer::read(body);
            sighting.federation_host = answer
                .as_ref()
                .and_then(|answer| host_of(answer.federation.as_deref()?))
                .filter(|host| !hosts::is_sign_in_service(host.as_str()));
            if let Some(user) = answer.as_ref().and_then(|answer| answer.user.clone()) {
                sighting.user = sighting.user.take().or(Some(user));
            }
            sighting.credential = answer;
        }
        StepKind::Discovery => {}
        _ => {
            let Some(answer) = TokenAnswer::read(body) else { return };
            let text = CodeText {
                codes: answer.codes.clone(),
                trace_id: answer.trace_id.clone(),
                correlation_id: answer.correlation_id.clone(),
            };
            add_codes(sighting, &text, Carrier::TokenJson);
            add_correlation(sighting, answer.correlation_id);
            sighting.request_id = sighting.request_id.take().or(answer.trace_id);
            sighting.policy_ids.extend(answer.policies);
            sighting.oauth_error = answer.error;
            if answer.granted {
                sighting.grant = Grant::Issued;
            }
            if answer.device_code {
                let code = serde_json::from_str::<Value>(body)
                    .ok()
                    .and_then(|value| value.get("device_code")?.as_str().map(str::to_owned));
                if let Some(code) = code {
                    add_state(sighting, &code);
                }
            }
        }
    }
}

fn read_soap(sighting: &mut Sighting, body: &str) {
    let xml = markup::xml(body);
    for text in &xml.texts {
        add_codes(sighting, &code_text(text), Carrier::SoapFault);
    }
    if xml.fault {
        sighting.oauth_error = Some("Fault".to_owned());
    } else if xml.token {
        sighting.grant = Grant::Issued;
    }
}

fn read_page(sighting: &mut Sighting, exchange: &Exchange, body: &str) {
    let mut page = Page::read(body);
    let form = body.contains("<form") || body.contains("<FORM");
    if form || page.as_ref().is_none_or(|page| page.id.is_none()) {
        let html = markup::html(body);
        if let Some(id) = html.page_id.as_deref().and_then(answers::identifier) {
            page.get_or_insert_default().id.get_or_insert(id);
        }
        read_hidden_form(sighting, exchange, &html);
    }
    let Some(page) = page else { return };
    add_correlation(sighting, page.correlation_id.clone());
    if let Some(id) = &page.session_id {
        let id = id.as_str().to_owned();
        add_state(sighting, &id);
        sighting.request_id = sighting.request_id.take().or_else(|| page.session_id.clone());
    }
    for text in &page.state {
        add_state(sighting, text);
    }
    sighting.user = sighting.user.take().or_else(|| page.user.clone());
    add_codes(sighting, &page.text, Carrier::Page);
    if let Some(code) = page.code {
        let text = CodeText {
            codes: vec![code],
            trace_id: page.text.trace_id.clone().or_else(|| page.session_id.clone()),
            correlation_id: page.correlation_id.clone(),
        };
        add_codes(sighting, &text, Carrier::Page);
    }
    sighting.federation_host = sighting.federation_host.take().or_else(|| {
        page.federation
            .as_deref()
            .and_then(host_of)
            .filter(|host| !hosts::is_sign_in_service(host.as_str()))
    });
    sighting.external_host = sighting.external_host.take().or_else(|| {
        let mut hosts = page.external.iter().filter_map(|address| host_of(address));
        hosts.find(|host| !hosts::is_sign_in_service(host.as_str()))
    });
    sighting.script_hosts = page.script_roots.iter().filter_map(|root| host_of(root)).collect();
    sighting.page = Some(page);
}

/// The form of a page that only carries fields on to somebody else.
fn read_hidden_form(sighting: &mut Sighting, exchange: &Exchange, html: &markup::Html) {
    if html.fields.is_empty() {
        return;
    }
    let target = html.action.as_deref().and_then(host_of);
    let own = target.as_ref().is_none_or(|host| host == exchange.host());
    if is_external_handoff(&html.fields) {
        sighting.external_host = target;
        return;
    }
    let to_service = target.as_ref().is_some_and(|host| hosts::is_sign_in_service(host.as_str()));
    if own || to_service {
        for name in ["ctx", "wctx"] {
            if let Some(text) = value(&html.fields, name) {
                add_state(sighting, text);
            }
        }
        return;
    }
    sighting.next_host = target;
    read_return(sighting, &html.fields, Carrier::FormPost, Grant::Issued);
}

/// A failure in words of ours.
pub(super) fn failure_words(kind: FailureKind) -> String {
    use super::FailureKind as Kind;
    match kind {
        Kind::CaptivePortal => "the network asks for a log-in of its own".to_owned(),
        Kind::BlockPage => "page of a proxy or filter in place of the answer".to_owned(),
        Kind::Fault(fault) => fault_words(fault),
        Kind::ProxyAuthentication => "the proxy asks for credentials (407)".to_owned(),
        Kind::ProxyRefused => "the proxy refused to connect".to_owned(),
        Kind::ProxyUpstream => "the proxy could not reach the server".to_owned(),
        Kind::Service { status } => format!("status {status} from the service"),
        Kind::Unnamed => "failed, no reason given".to_owned(),
    }
}

fn describe_failure(sighting: &mut Sighting) {
    let Some(failure) = sighting.failure else {
        if sighting.cancelled {
            "cancelled".clone_into(&mut sighting.detail);
        }
        return;
    };
    let words = failure_words(failure.kind);
    let script =
        sighting.role == Some(HostRole::SigninCdn) && hosts::is_script_cdn(sighting.host.as_str());
    let words = if script { format!("{}: {words}", super::SCRIPT) } else { words };
    sighting.detail = match failure.vendor {
        Some(vendor) => format!("{words} ({vendor})"),
        None => words,
    };
}

/// The name of a fault in words.
fn fault_words(fault: entra::Fault) -> String {
    let word = |part| match part {
        "cert" => "certificate",
        "dns" => "DNS",
        "hello" => "ClientHello",
        "http2" => "HTTP/2",
        "pac" => "PAC",
        "quic" => "QUIC",
        "tls" => "TLS",
        other => other,
    };
    fault.as_str().split('_').map(word).collect::<Vec<_>>().join(" ")
}

fn describe(sighting: &mut Sighting) {
    let mut words: Vec<String> = Vec::new();
    if let Some(sas) = &sighting.sas {
        let method = sas.method.clone();
        words.extend(method);
        words.extend(sas.value.clone());
    }
    words.extend(sighting.page.as_ref().and_then(|page| page.id.clone()));
    words.extend(
        sighting
            .codes
            .iter()
            .filter(|found| found.carrier != Carrier::Telemetry)
            .map(|found| format!("AADSTS{}", found.code)),
    );
    if words.is_empty() && sighting.codes.is_empty() {
        words.extend(sighting.oauth_error.clone());
    }
    match sighting.status.filter(|status| *status >= 400) {
        Some(status) if sighting.body_missing => {
            words.push(format!("status {status} without a word of the service"));
        }
        _ if sighting.body_unread => words.push("answered in a form that is not known".to_owned()),
        _ if sighting.body_missing => words.push("body not in the capture".to_owned()),
        _ => {}
    }
    if sighting.cancelled {
        words.push("cancelled".to_owned());
    }
    sighting.detail = words.join(" ");
}

/// An exchange with a host that a page takes its scripts from, although the host is not a known one.
pub(super) fn script(id: ExchangeId, exchange: &Exchange, failure: Option<Failure>) -> Sighting {
    let mut sighting = blank(id, exchange, failure, StepKind::Other);
    sighting.role = Some(HostRole::SigninCdn);
    sighting.is_tunnel = exchange.request.url.scheme == Scheme::Authority;
    sighting.is_script = sighting.is_tunnel || is_script_file(exchange);
    describe_failure(&mut sighting);
    sighting
}

/// An exchange with a host that an attempt expects, although nothing in it is of a known shape.
pub(super) fn expected(
    id: ExchangeId,
    exchange: &Exchange,
    failure: Option<Failure>,
    kind: StepKind,
) -> Sighting {
    let mut sighting = blank(id, exchange, failure, kind);
    sighting.role = hosts::host(exchange.host().as_str()).map(|row| row.role);
    let location = exchange.response.as_ref().ok().and_then(|response| response.location.as_ref());
    sighting.next_host = location.map(|location| location.host.clone());
    describe_failure(&mut sighting);
    sighting
}
