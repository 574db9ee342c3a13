//! Reads the request of one exchange: whose sign-in it is, in which flow, and what ties it to others.
//!
//! It knows nothing of answers but the one question whether a token was a user's, which tells the flow
//! of a request that the capture hides.

use serde_json::Value;

use super::answers::TokenAnswer;
use super::expose::{self, value};
use super::sighting::{FoundCode, Grant, Sighting};
use super::wire::{Pairs, add_correlation, add_state, host_of, read_return};
use super::{Carrier, Flow, Guid, answers, markup};
use crate::entra::{self, StepKind};
use crate::evidence::{Exchange, HostName};

/// Names of fields, headers and keys whose values bind the requests of one sign-in together.
const STATE_FIELDS: [&str; 12] = [
    "ctx",
    "flowToken",
    "request",
    "state",
    "wctx",
    "RelayState",
    "hpgrequestid",
    "code",
    "device_code",
    "originalRequest",
    "SessionId",
    "x-ms-sessionid",
];

pub(super) fn read_request(
    sighting: &mut Sighting,
    exchange: &Exchange,
    query: &Pairs,
    form: &Pairs,
    at_service: bool,
) {
    let headers = &exchange.request.headers;
    let file = sighting.file.to_ascii_lowercase();
    sighting.script_report = at_service && matches!(file.as_str(), "enverror" | "watson");
    sighting.client_setting =
        at_service && matches!(file.as_str(), "jsdisabled" | "cookiesdisabled");
    if sighting.kind == StepKind::MfaPoll {
        refine_mfa(sighting, value(form, "Method"), value(form, "AdditionalAuthData").is_some());
    }
    for pairs in [query, form] {
        for name in STATE_FIELDS {
            if let Some(text) = value(pairs, name) {
                add_state(sighting, text);
            }
        }
        add_correlation(sighting, value(pairs, "client-request-id").and_then(Guid::parse));
        for name in ["login_hint", "username", "login", "loginfmt", "UserName", "LoginHint"] {
            let user = value(pairs, name).filter(|user| user.contains('@'));
            sighting.user = sighting.user.take().or_else(|| user.map(str::to_owned));
        }
        let id = value(pairs, "client_id").and_then(Guid::parse);
        sighting.application = sighting.application.take().or(id);
        if sighting.kind == StepKind::Authorize {
            let mut uris = ["redirect_uri", "wreply", "wtrealm"].into_iter();
            let host = uris.find_map(|name| host_of(value(pairs, name)?));
            sighting.return_host = sighting.return_host.take().or(host);
        }
    }
    for name in ["x-ms-ctx", "x-ms-flowtoken", "x-ms-sessionid", "hpgrequestid"] {
        if let Some(text) = expose::header(headers, name) {
            add_state(sighting, text);
        }
    }
    add_correlation(sighting, expose::header(headers, "client-request-id").and_then(Guid::parse));
    if let Some(user) = &exchange.request.url.user_in_path {
        sighting.user = sighting.user.take().or_else(|| Some(expose::text(user).to_owned()));
    }
    if let Some(body) = expose::body(&exchange.request.body) {
        read_request_body(sighting, &body);
    }
    if at_service {
        sighting.tenant = tenant(&exchange.request.url.path);
    }
    sighting.resource = resource(query).or_else(|| resource(form));
    let (flow, guessed) = flow(sighting.kind, exchange, query, form);
    sighting.flow = flow;
    sighting.flow_guessed = guessed;
    let redeems = matches!(
        value(form, "grant_type"),
        Some("authorization_code" | "urn:ietf:params:oauth:grant-type:device_code")
    );
    sighting.starts = match sighting.kind {
        StepKind::Authorize => true,
        StepKind::DeviceCode => exchange.request.method.as_ref() == "POST",
        StepKind::Token => !redeems,
        _ => false,
    };
    if at_service && sighting.kind == StepKind::ExternalMethod {
        let error = value(form, "error").or_else(|| value(query, "error"));
        sighting.provider_error =
            error.map(|error| answers::oauth_error(error).unwrap_or_else(|| "unnamed".to_owned()));
    }
    if sighting.kind == StepKind::AppReturn {
        for (pairs, carrier) in [(query, Carrier::RedirectQuery), (form, Carrier::FormPost)] {
            read_return(sighting, pairs, carrier, Grant::Arrived);
        }
    }
    let last = expose::header(headers, "x-client-last-telemetry")
        .or_else(|| value(form, "x-client-last-telemetry"))
        .or_else(|| value(query, "x-client-last-telemetry"));
    if let Some(last) = last {
        read_telemetry(sighting, last);
    }
}

/// The poll endpoint also takes typed codes, and the older one begins a method too.
fn refine_mfa(sighting: &mut Sighting, method: Option<&str>, typed: bool) {
    if method.is_some_and(|method| method.eq_ignore_ascii_case("BeginAuth")) {
        sighting.kind = StepKind::MfaBegin;
    } else if typed {
        sighting.kind = StepKind::MfaCode;
    }
}

fn read_request_body(sighting: &mut Sighting, body: &str) {
    if body.trim_start().starts_with('{') {
        let Ok(Value::Object(map)) = serde_json::from_str::<Value>(body) else { return };
        if sighting.kind == StepKind::MfaPoll {
            let typed = map
                .get("AdditionalAuthData")
                .is_some_and(|data| data.as_str().is_some_and(|data| !data.is_empty()));
            refine_mfa(sighting, map.get("Method").and_then(Value::as_str), typed);
        }
        for (key, value) in &map {
            let Some(text) = value.as_str() else { continue };
            if STATE_FIELDS.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                add_state(sighting, text);
            }
            if key.eq_ignore_ascii_case("username") && sighting.user.is_none() {
                sighting.user = Some(text.to_owned());
            }
        }
    } else if body.trim_start().starts_with('<') {
        sighting.user = sighting.user.take().or(markup::xml(body).user);
    }
}

/// What the client library says of earlier failures: `schema|hits|failed requests|errors|..`, where
/// the failed requests are pairs of a number and a correlation id, one for each error.
fn read_telemetry(sighting: &mut Sighting, text: &str) {
    let mut sections = text.split('|').skip(2);
    let (Some(requests), Some(errors)) = (sections.next(), sections.next()) else { return };
    let ids: Vec<Option<Guid>> =
        requests.split(',').skip(1).step_by(2).map(Guid::parse).take(16).collect();
    for (index, word) in errors.split(',').take(16).enumerate() {
        let word = word.trim().trim_start_matches("AADSTS");
        let code = word.parse().ok().filter(|code| entra::error(*code).is_some());
        let Some(code) = code.or_else(|| entra::code_for_name(word)) else { continue };
        sighting.codes.push(FoundCode {
            code,
            carrier: Carrier::Telemetry,
            trace_id: None,
            correlation_id: ids.get(index).cloned().flatten(),
        });
    }
}

/// The tenant a path begins with: a GUID, a domain, or one of the common names.
fn tenant(path: &str) -> Option<String> {
    let first = path.split('/').find(|segment| !segment.is_empty())?;
    let common = ["common", "organizations", "consumers"];
    let domain = first.contains('.')
        && !first.to_ascii_lowercase().ends_with(".srf")
        && HostName::parse(first).is_some();
    let lower = first.to_ascii_lowercase();
    (Guid::parse(first).is_some() || domain || common.contains(&lower.as_str())).then_some(lower)
}

/// The resource a request is for, where it is a plain host or id.
fn resource(pairs: &Pairs) -> Option<String> {
    let plain = |text: &str| {
        let text = text.trim();
        host_of(text).map(|host| host.to_string()).or_else(|| {
            Guid::parse(text.trim_start_matches("api://").get(..36)?).map(|id| id.to_string())
        })
    };
    if let Some(found) = value(pairs, "resource").and_then(plain) {
        return Some(found);
    }
    value(pairs, "scope")?.split_whitespace().filter(|scope| scope.contains("://")).find_map(plain)
}

fn flow(kind: StepKind, exchange: &Exchange, query: &Pairs, form: &Pairs) -> (Option<Flow>, bool) {
    let path = exchange.request.url.path.to_ascii_lowercase();
    let get = |name: &str| value(query, name).or_else(|| value(form, name));
    match kind {
        StepKind::Authorize => (authorize_flow(&path, &get), false),
        StepKind::DeviceCode => (Some(Flow::DeviceCode), false),
        StepKind::Token => {
            let legacy = ["/usernamemixed", "/rst2.srf", "/extsts.srf", "transport", "/trust/"];
            if legacy.iter().any(|part| path.contains(part)) {
                return (Some(Flow::WsTrust), false);
            }
            token_flow(exchange, form)
        }
        _ => (None, false),
    }
}

fn authorize_flow<'a>(path: &str, get: &dyn Fn(&str) -> Option<&'a str>) -> Option<Flow> {
    if path.ends_with("/saml2") {
        return Some(Flow::Saml);
    }
    if path.ends_with("/wsfed") || path.ends_with("/login.srf") {
        return Some(Flow::WsFed);
    }
    if get("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "none")) {
        return Some(Flow::Silent);
    }
    let kinds = get("response_type")?;
    let openid = get("scope").is_some_and(|scope| scope.split_whitespace().any(|s| s == "openid"));
    let has = |word: &str| kinds.split_whitespace().any(|kind| kind == word);
    Some(if has("token") && !has("id_token") && !has("code") {
        Flow::OauthImplicit
    } else if openid || has("id_token") {
        Flow::Oidc
    } else {
        Flow::OauthCode
    })
}

fn token_flow(exchange: &Exchange, form: &Pairs) -> (Option<Flow>, bool) {
    let Some(grant) = value(form, "grant_type") else {
        return guessed_token_flow(exchange);
    };
    let flow = match grant {
        "client_credentials" => Flow::ClientCredentials,
        "password" => Flow::Ropc,
        "refresh_token" => Flow::Refresh,
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => Flow::DeviceCode,
        "srv_challenge" => Flow::Broker,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            if value(form, "requested_token_use") == Some("on_behalf_of") {
                Flow::OnBehalfOf
            } else {
                Flow::Broker
            }
        }
        _ => return (None, false),
    };
    (Some(flow), false)
}

/// The flow of a token request whose body the capture does not hold or hides: an application in its
/// own name sends a short form, no origin, to a tenant of its own, and gets no token of a user.
fn guessed_token_flow(exchange: &Exchange) -> (Option<Flow>, bool) {
    let request = &exchange.request;
    let tenant = tenant(&request.url.path);
    let own_tenant = tenant
        .is_none_or(|tenant| !matches!(tenant.as_str(), "common" | "organizations" | "consumers"));
    let browser = request.headers.has("origin") || request.headers.has("sec-fetch-mode");
    let short = request.body_length.is_none_or(|length| length < 800);
    let for_user = exchange.response.as_ref().ok().is_some_and(|response| {
        expose::body(&response.body)
            .and_then(|body| TokenAnswer::read(&body))
            .is_some_and(|answer| answer.for_user)
    });
    let alone = own_tenant && !browser && short && !for_user;
    (alone.then_some(Flow::ClientCredentials), true)
}
