//! Small sign-ins, one exchange after the other: what a browser, a program and the service say.
//!
//! Every name and id in them is made up.

use serde_json::{Value, json};

use super::exchange::{Told, get, post, post_json, story};

pub(crate) const STS: &str = "https://login.microsoftonline.com";
pub(crate) const TENANT: &str = "7f9c1d2e-3b4a-4c5d-8e6f-0a1b2c3d4e5f";
const CLIENT: &str = "client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40";
const CORRELATION: &str = "a839844d-c932-4302-ac17-6d062db9f045";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// A HAR of these exchanges.
pub(crate) fn har(told: &[Told]) -> Vec<u8> {
    let creator = json!({"name": "WebInspector", "version": "537.36"});
    json!({"log": {"version": "1.2", "creator": creator, "entries": story(told)}})
        .to_string()
        .into_bytes()
}

/// The line that the service writes of a code.
pub(crate) fn line(code: u32) -> String {
    format!(
        "AADSTS{code}: Something was not as it should be.\r\nTrace ID: \
         0f0f0f0f-1111-4222-8333-444444440100\r\nCorrelation ID: {CORRELATION}\r\nTimestamp: \
         2030-01-15 09:00:00Z"
    )
}

/// A page of the service with its settings.
pub(crate) fn page(id: &str, more: &Value) -> String {
    let mut config = json!({
        "pgid": id, "hpgid": 1104, "hpgact": 1800, "correlationId": CORRELATION,
        "sessionId": "0f0f0f0f-1111-4222-8333-444444440100", "urlPost": "/common/login",
        "sFTName": "flowToken",
    });
    if let (Some(all), Some(more)) = (config.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    format!(
        "<!DOCTYPE html><html><head><title>Sign in</title><meta name=\"PageID\" content=\"{id}\" />\
         <script type=\"text/javascript\">//<![CDATA[\n$Config={config};\n//]]></script></head>\
         <body></body></html>"
    )
}

/// The page that asks for MFA.
pub(crate) fn challenge(methods: &[&str]) -> String {
    let proofs: Vec<Value> = methods
        .iter()
        .map(|method| json!({"authMethodId": method, "data": method, "display": "+XX 12"}))
        .collect();
    page(
        "ConvergedTFA",
        &json!({
            "arrUserProofs": proofs, "urlPost": format!("{STS}/common/SAS/ProcessAuth"),
            "urlBeginAuth": format!("{STS}/common/SAS/BeginAuth"),
            "urlEndAuth": format!("{STS}/common/SAS/EndAuth"), "iPollingTimeout": 120_000,
        }),
    )
}

/// The page that a code ends on.
pub(crate) fn refusal(code: u32) -> String {
    let more = json!({"iErrorCode": code, "strServiceExceptionMessage": line(code)});
    page("ConvergedError", &more)
}

pub(crate) fn answered(told: Told, page: &str) -> Told {
    told.by_service().answer(HTML, page)
}

/// The request that begins a sign-in, and its page.
pub(crate) fn authorize() -> Told {
    let url = format!(
        "{STS}/common/oauth2/v2.0/authorize?{CLIENT}&response_type=code&scope=openid&redirect_uri=\
         https%3A%2F%2Fapp.example%2Fcb&response_mode=form_post"
    );
    answered(get(&url), &page("ConvergedSignIn", &json!({})))
}

/// The script of the pages.
pub(crate) fn script() -> Told {
    get("https://aadcdn.msauth.net/shared/1.0/content/js/ConvergedTFA_PCore_dLZx0k7m.js")
        .answer("application/x-javascript", "!function(){}();")
}

/// The post of the password, and the page that it leads to.
pub(crate) fn password(page: &str) -> Told {
    let form = "login=adele.vance%40contoso.example&passwd=x&type=11";
    answered(post(&format!("{STS}/common/login"), form).later(4.0), page)
}

/// A call of the page about a method, and its answer.
fn call(name: &str, method: &str, value: &str, success: bool, retry: bool) -> Told {
    let asked = json!({"AuthMethodId": method, "Method": name, "Ctx": "x", "FlowToken": "x"});
    let answer = json!({
        "Success": success, "ResultValue": value, "Message": null, "AuthMethodId": method,
        "ErrCode": if success || retry { 0 } else { 500_121 }, "Retry": retry, "FlowToken": "x",
        "Ctx": "x", "SessionId": "11111111-2222-4333-8444-555555555555",
        "CorrelationId": CORRELATION, "Timestamp": "2030-01-15T09:00:00Z", "Entropy": 0,
    });
    post_json(&format!("{STS}/common/SAS/{name}"), &asked.to_string())
        .by_service()
        .answer(JSON, &answer.to_string())
}

/// The call that begins a method, with its result.
pub(crate) fn begin(method: &str, value: &str) -> Told {
    call("BeginAuth", method, value, value == "Success", false)
}

/// A question for the result, with the result.
pub(crate) fn end(method: &str, value: &str, retry: bool) -> Told {
    call("EndAuth", method, value, value == "Success", retry)
}

/// The hand-over of a passed challenge, and the page that it leads to.
pub(crate) fn finish(page: &str) -> Told {
    let form = "type=22&mfaAuthMethod=PhoneAppNotification&login=adele.vance%40contoso.example";
    answered(post(&format!("{STS}/common/SAS/ProcessAuth"), form), page)
}

/// The page by which the service hands a code to the application.
pub(crate) fn hidden_form() -> &'static str {
    "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" \
     action=\"https://app.example/cb\"><input type=\"hidden\" name=\"code\" value=\"x\" />\
     <input type=\"hidden\" name=\"state\" value=\"y\" /></form></body></html>"
}

/// What another page of the browser asks a minute later: the capture went on, and the sign-in did not.
pub(crate) fn elsewhere() -> Told {
    get("https://news.example/today").later(60.0).answer(HTML, "<html><body>News</body></html>")
}

/// A token request of a program, without an answer yet.
pub(crate) fn token(form: &str) -> Told {
    post(&format!("{STS}/{TENANT}/oauth2/v2.0/token"), &format!("{CLIENT}&{form}"))
}

/// The refusal of a token request.
pub(crate) fn refused(told: Told, error: &str, code: u32) -> Told {
    let answer = json!({
        "error": error, "error_description": line(code), "error_codes": [code],
        "timestamp": "2030-01-15 09:00:00Z", "trace_id": "0f0f0f0f-1111-4222-8333-444444440100",
        "correlation_id": CORRELATION,
    });
    told.status(400).by_service().answer(JSON, &answer.to_string())
}

/// Tokens in answer to a token request.
pub(crate) fn granted(told: Told) -> Told {
    let answer = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "x",
        "refresh_token": "x", "id_token": "x"});
    told.by_service().answer(JSON, &answer.to_string())
}

/// Password, push and approval, and the page behind the hand-over.
pub(crate) fn passed(page: &str) -> Vec<Told> {
    let push = "PhoneAppNotification";
    vec![
        authorize(),
        password(&challenge(&[push])),
        script(),
        begin(push, "Success"),
        end(push, "AuthenticationPending", true),
        end(push, "Success", false),
        finish(page),
    ]
}
