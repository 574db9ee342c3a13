//! What the sign-in service writes: pages with their configuration, answers in JSON, forms, faults.

use serde_json::{Map, Value, json};

use super::teller::{Item, Teller, clock};

/// `AADSTSnnnnn: ...` with its lines; the sentence in a language of the user.
pub(crate) fn line(t: &mut Teller, code: u32, end: &str) -> String {
    let said = SENTENCES[t.language];
    let (trace, correlation) = (t.guid(), t.correlation.clone());
    format!(
        "AADSTS{code}: {said}{end}Trace ID: {trace}{end}Correlation ID: {correlation}{end}Timestamp: 2026-03-10 {}Z",
        clock(t.now)
    )
}

const SENTENCES: [&str; 4] = [
    "The request could not be completed as sent.",
    "Die Anforderung konnte nicht abgeschlossen werden.",
    "La demande n'a pas pu aboutir.",
    "要求を完了できませんでした。",
];

/// Percent-encoding, as it stands in a query.
pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

/// The page of an id, with more of a configuration.
pub(crate) fn page(t: &mut Teller, id: &str, more: &Value) -> String {
    let (number, action) = match id {
        "ConvergedTFA" => (1114, 2202),
        "ConvergedProofUpRedirect" => (1121, 2000),
        "KmsiInterrupt" => (1115, 2005),
        _ => (1104, 1800),
    };
    let session = t.guid();
    let (seamless, context, flow, canary) =
        (line(t, 50058, "\r\n"), t.secret(180), t.secret(220), t.secret(40));
    let base = json!({
        "fShowPersistentCookiesWarning": false,
        "urlMsaSignUp": "https://signup.live.com/signup",
        "urlGetCredentialType": format!("https://{}/common/GetCredentialType?mkt={}", t.login, LANGUAGES[t.language]),
        "urlPost": "/common/login", "urlLogout": "/common/uxlogout", "urlCdn": format!("https://{}/shared/1.0/", t.roots[0]),
        "urlDssoStatus": "/common/instrumentation/dssostatus",
        "urlReportPageLoad": format!("/common/instrumentation/reportpageload?mkt={}", LANGUAGES[t.language]),
        "desktopSsoConfig": {
            "iwaEndpointUrlFormat": format!("https://autologon.microsoftazuread-sso.com/{{0}}/winauth/sso?client-request-id={}", t.correlation),
            "redirectUri": format!("https://{}{}?error=interaction_required&error_description={}&state=x", t.app, t.app_path, percent(&seamless)),
            "startDesktopSsoOnPageLoad": false,
        },
        "bsso": {"type": "windows", "reason": "Pull suppressed because it was previously attempted"},
        "strServiceExceptionMessage": null, "iMaxPollErrors": 5,
        "loader": {"cdnRoots": [format!("https://{}/", t.roots[0]), format!("https://{}/", t.roots[1])], "logByThrowing": true},
        "serverDetails": {"slc": "ProdSlices", "dc": "WEULR1", "ri": "AM2XXXX", "ver": {"v": [2, 1, 21345, 6]}, "rt": format!("2026-03-10T{}", clock(t.now)), "et": t.random.below(160)},
        "country": COUNTRIES[t.language], "sLocale": LANGUAGES[t.language],
        "correlationId": t.correlation, "sessionId": session, "sCtx": context, "sFT": flow, "sFTName": "flowToken",
        "canary": format!("{canary}=1:1:CANARY:"), "apiCanary": canary, "sCloudInstanceName": t.login.trim_start_matches("login."),
        "hpgid": number, "hpgact": action, "scid": number + 1, "pgid": id,
        "strFooter": "}; a brace, \"a quote\" and // <b>markup</b>",
    });
    let mut all: Map<String, Value> = base.as_object().cloned().unwrap_or_default();
    all.extend(more.as_object().cloned().unwrap_or_default());
    let config = Value::Object(all).to_string().replace("</", "<\\/");
    let script = script(id);
    let root = t.roots[0];
    format!(
        "<!-- Copyright (C) Microsoft Corporation. All rights reserved. -->\r\n<!DOCTYPE html>\r\n<html dir=\"ltr\" class=\"\" lang=\"{}\">\r\n<head>\r\n    <title>{}</title>\r\n    <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\">\r\n    <meta name=\"PageID\" content=\"{id}\" />\r\n    <meta name=\"SiteID\" content=\"\" />\r\n    <meta name=\"ReqLC\" content=\"1033\" />\r\n<script type=\"text/javascript\">//<![CDATA[\r\n$Config={config};\r\n//]]></script>\r\n<script type=\"text/javascript\">//<![CDATA[\r\n!function(){{var e=window,r=e.$Debug=e.$Debug||{{}},n=e.$Config||{{}};}}();\r\n//]]></script>\r\n<script type=\"text/javascript\">ServerData = $Config;</script>\r\n<script crossorigin=\"anonymous\" src=\"https://{root}{script}\" onerror='$Loader.On(this,true)'></script>\r\n</head><body data-bind=\"defineGlobals: ServerData\" style=\"display: none\"></body></html>",
        LANGUAGES[t.language],
        [
            "Sign in to your account",
            "Bei Ihrem Konto anmelden",
            "Connectez-vous",
            "アカウントにサインイン"
        ][t.language],
    )
}

const COUNTRIES: [&str; 4] = ["US", "DE", "FR", "JP"];
const SORRY: [&str; 4] = [
    "Sorry, but we’re having trouble signing you in.",
    "Leider gibt es ein Problem.",
    "Désolé",
    "申し訳ございません",
];
const LANGUAGES: [&str; 4] = ["en-US", "de-DE", "fr-FR", "ja-JP"];

/// The script that a page needs.
pub(crate) const fn script(id: &str) -> &'static str {
    if matches!(id.as_bytes(), b"ConvergedTFA") {
        "/shared/1.0/content/js/ConvergedTFA_PCore_dLZx0k7mDqv3TfQm6nB0Ag2.js"
    } else {
        "/shared/1.0/content/js/ConvergedLogin_PCore_8pWc1yH4GVxZb0r2sNqKtA2.js"
    }
}

/// The page on which a challenge is posed.
pub(crate) fn challenge(t: &mut Teller, methods: &[&str], more: &Value) -> String {
    let proofs: Vec<Value> = methods
        .iter()
        .enumerate()
        .map(|(index, method)| {
            let shown = if method.contains("SMS") || method.contains("Voice") || method.contains("Telephony") {
                "+XX XXXXXXXX42"
            } else {
                method
            };
            json!({"authMethodId": method, "data": shown, "display": shown, "isDefault": index == 0, "isLocationAware": false})
        })
        .collect();
    let mut all = json!({
        "arrUserProofs": proofs, "urlPost": t.sts("/common/SAS/ProcessAuth"), "urlBeginAuth": t.sts("/common/SAS/BeginAuth"),
        "urlEndAuth": t.sts("/common/SAS/EndAuth"), "iMaxPollAttempts": 10, "iPollingInterval": 5000, "iPollingTimeout": 120_000,
        "iPollingBackoffInterval": 1.04, "oPerAuthPollingInterval": {"PhoneAppNotification": 1.0, "TwoWayVoiceMobile": 5.0},
        "sPOST_Username": t.user, "sTenantId": t.tenant, "sCompanyDisplayName": t.company,
        "urlFidoLogin": format!("https://login.microsoft.com/{}/fido/get?uiflavor=Web", t.tenant),
        "sAuthMethodInputFieldName": "mfaAuthMethod", "iRememberMfaDuration": 14,
    });
    merge(&mut all, more);
    page(t, "ConvergedTFA", &all)
}

/// An error page.
pub(crate) fn error(t: &mut Teller, code: u32, more: &Value) -> String {
    let text = line(t, code, "\r\n");
    let mut all = json!({
        "iErrorCode": code, "strServiceExceptionMessage": text,
        "strMainMessage": SORRY[t.language],
    });
    merge(&mut all, more);
    page(t, "ConvergedError", &all)
}

/// A page of Conditional Access.
pub(crate) fn policy(t: &mut Teller, code: u32, title: u32, description: u32) -> String {
    let text = line(t, code, "\r\n");
    let more = json!({
        "iErrorCode": code, "sErrorCode": code.to_string(), "iErrorTitle": title, "iErrorDescription": description,
        "sDeviceId": "", "sDeviceState": "", "strServiceExceptionMessage": text, "sPOST_Username": t.user,
    });
    page(t, "ConvergedConditionalAccess", &more)
}

fn merge(all: &mut Value, more: &Value) {
    if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
}

/// What `BeginAuth` and `EndAuth` answer.
pub(crate) fn sas(
    t: &mut Teller,
    method: &str,
    session: &str,
    result: &str,
    more: &Value,
) -> Value {
    let (flow, context) = (t.secret(160), t.secret(120));
    let is_good = result == "Success";
    let is_pending = result == "AuthenticationPending";
    let message = if is_pending { SENTENCES[t.language] } else { "" };
    let mut all = json!({
        "Success": is_good, "ResultValue": result, "Message": message, "AuthMethodId": method,
        "ErrCode": if is_good || is_pending { 0 } else { 500_121 }, "Retry": is_pending, "FlowToken": flow, "Ctx": context,
        "SessionId": session, "CorrelationId": t.correlation, "Timestamp": format!("2026-03-10T{}Z", clock(t.now)), "Entropy": 0,
    });
    merge(&mut all, more);
    all
}

/// An error of the token endpoint.
pub(crate) fn refused(t: &mut Teller, error: &str, code: u32, more: &Value) -> Value {
    let said = line(t, code, "\r\n");
    let mut all = json!({
        "error": error, "error_description": said, "error_codes": [code], "timestamp": format!("2026-03-10 {}Z", clock(t.now)),
        "trace_id": t.guid(), "correlation_id": t.correlation, "error_uri": format!("https://{}/error?code={code}", t.login),
    });
    merge(&mut all, more);
    all
}

/// The claims of a policy that asks for more.
pub(crate) fn claims(t: &mut Teller) -> Value {
    let policy = t.guid();
    let claims = json!({"access_token": {"capolids": {"essential": true, "values": [policy]}}});
    json!({"claims": claims.to_string(), "suberror": "basic_action"})
}

/// The tokens of a success.
pub(crate) fn tokens(t: &mut Teller) -> Value {
    json!({
        "token_type": "Bearer", "scope": "User.Read", "expires_in": 4210, "ext_expires_in": 4210,
        "access_token": t.secret(300), "refresh_token": t.secret(240), "id_token": t.secret(260), "client_info": "e30",
    })
}

/// A page that posts itself.
pub(crate) fn hidden_form(action: &str, fields: &[(&str, String)]) -> String {
    let inputs: String = fields
        .iter()
        .map(|(name, value)| {
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\" />")
        })
        .collect();
    format!(
        "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" action=\"{action}\">{inputs}<noscript><p>Script is disabled. Click Submit to continue.</p><input type=\"submit\" value=\"Submit\" /></noscript></form><script language=\"javascript\">window.setTimeout('document.forms[0].submit()', 0);</script></body></html>"
    )
}

/// Fields as a form sends them.
pub(crate) fn form(fields: &[(&str, String)]) -> String {
    let parts: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    parts.join("&")
}

/// What a filter writes in place of what was asked for.
pub(crate) fn block_page(item: Item, status: u16, product: usize) -> Item {
    let (server, title, text) = BLOCKS[product % BLOCKS.len()];
    item.status(status).field("Server", server).html(format!(
        "<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    ))
}

const BLOCKS: [(&str, &str, &str); 3] = [
    (
        "squid/5.7",
        "Access Denied",
        "Your organization's policy does not allow this category. Contact the helpdesk.",
    ),
    (
        "Zscaler/6.2",
        "Internet Security by Zscaler",
        "Sorry, you don't have permission to visit this site. Not allowed to browse this category.",
    ),
    (
        "",
        "Web Page Blocked!",
        "Access to the web page you were trying to visit has been blocked in accordance with company policy. FortiGuard Intrusion Prevention",
    ),
];
