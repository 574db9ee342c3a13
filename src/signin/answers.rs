//! What the sign-in service answers, read out of its pages and JSON.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Guid, markup, script_object};
use crate::entra::{self, Nature};

/// `AADSTS` and a number; the layout of the text behind it is the same in all carriers.
static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"AADSTS(\d{5,7})").ok());
static TRACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)Trace ID: *([0-9a-f-]{36})").ok());
static CORRELATION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)Correlation ID: *([0-9a-f-]{36})").ok());

/// Codes read of one answer.
const CODES: usize = 16;

/// A code with the ids that stand beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CodeText {
    /// All codes of the text, in order, without repeats.
    pub codes: Vec<u32>,
    /// The trace id.
    pub trace_id: Option<Guid>,
    /// The correlation id.
    pub correlation_id: Option<Guid>,
}

/// Reads codes and ids out of an error text.
pub(super) fn code_text(text: &str) -> CodeText {
    let first = |pattern: &LazyLock<Option<Regex>>| {
        pattern.as_ref()?.captures(text)?.get(1).and_then(|found| Guid::parse(found.as_str()))
    };
    let mut found = CodeText::default();
    if let Some(pattern) = CODE.as_ref() {
        for captures in pattern.captures_iter(text).take(CODES) {
            let code = captures.get(1).and_then(|code| code.as_str().parse().ok());
            if let Some(code) = code.filter(|code| !found.codes.contains(code)) {
                found.codes.push(code);
            }
        }
    }
    if !found.codes.is_empty() {
        found.trace_id = first(&TRACE);
        found.correlation_id = first(&CORRELATION);
    }
    found
}

/// A word of the capture that is fit to be shown: one of the tables, or one that is made of words. A
/// run of letters that is a token is no word.
pub(super) fn identifier(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = (2..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let known = || {
        entra::page(text).is_some()
            || entra::result(text).is_some()
            || entra::method(text).is_some()
    };
    (fine && (known() || is_made_of_words(text))).then(|| text.to_owned())
}

/// Whether letters read as words: few digits, enough vowels, and no capital at every other letter.
fn is_made_of_words(text: &str) -> bool {
    let count = |fits: fn(&u8) -> bool| text.bytes().filter(fits).count();
    let vowels = count(|byte| b"aeiouyAEIOUY".contains(byte));
    let letters = count(u8::is_ascii_alphabetic);
    let starts = text
        .bytes()
        .zip(text.bytes().skip(1))
        .filter(|(one, next)| one.is_ascii_lowercase() && next.is_ascii_uppercase())
        .count();
    count(u8::is_ascii_digit) <= 2
        && vowels.saturating_mul(4) >= letters
        && letters >= starts.saturating_add(1).saturating_mul(3)
}

/// An error of OAuth (RFC 6749 section 4.1.2.1): lower case words.
pub(super) fn oauth_error(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = (2..=48).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && is_made_of_words(text);
    fine.then(|| text.to_owned())
}

/// The object of a sign-in page, as far as it is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// Whether its settings could be read, not only its name.
    pub is_config: bool,
    /// The page's name.
    pub id: Option<String>,
    /// The error of the page.
    pub code: Option<u32>,
    /// The codes and ids of its error text.
    pub text: CodeText,
    /// Methods that the user may use; `None` when the page has no such list.
    pub methods: Option<Vec<String>>,
    /// How long the page polls, in milliseconds.
    pub polling_timeout: Option<u64>,
    /// The sign-in's id.
    pub correlation_id: Option<Guid>,
    /// The request's id at the service.
    pub session_id: Option<Guid>,
    /// The user.
    pub user: Option<String>,
    /// State that later requests repeat.
    pub state: Vec<String>,
    /// Numbers of a policy page.
    pub title: Option<u32>,
    /// Numbers of a policy page.
    pub description: Option<u32>,
    /// Whether token protection is behind a refusal.
    pub token_binding: bool,
    /// Whether the page knows the device; `None` when it does not say.
    pub knows_device: Option<bool>,
    /// Whether the page lets the user go on without registering a method.
    pub skippable: bool,
    /// Where a federated user is sent.
    pub federation: Option<String>,
    /// Addresses of the roots that the page takes its scripts from.
    pub script_roots: Vec<String>,
    /// Addresses of an external MFA provider that the page hands the user to.
    pub external: Vec<String>,
}

const PAGE_KEYS: &[&str] = &[
    "pgid",
    "sErrorCode",
    "iErrorCode",
    "urlPost",
    "correlationId",
    "sFT",
    "arrUserProofs",
    "strServiceExceptionMessage",
    "hpgid",
    "urlEndAuth",
];

impl Page {
    /// Reads the object of a page; `None` when the page has none.
    pub(super) fn read(body: &str) -> Option<Self> {
        let map = script_object::find(body, PAGE_KEYS)?;
        let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("pgid").and_then(identifier);
        let mut page = Self { is_config: true, id, ..Self::default() };
        page.code = error_code(&map, "sErrorCode").or_else(|| error_code(&map, "iErrorCode"));
        for key in ["strServiceExceptionMessage", "sErrTxt", "strMainMessage"] {
            if page.text.codes.is_empty() {
                page.text = text(key).map(code_text).unwrap_or_default();
            }
        }
        // A page that names no error may still list what was raised on it; most of that is noise.
        let raised = map.get("arrValErrs").and_then(Value::as_array).into_iter().flatten();
        let real =
            |code: &u32| entra::error(*code).is_some_and(|row| row.nature == Nature::Failure);
        page.code = page.code.or_else(|| raised.take(CODES).filter_map(number).find(real));
        page.methods = map.get("arrUserProofs").and_then(Value::as_array).map(|proofs| {
            proofs
                .iter()
                .filter_map(|proof| proof.get("authMethodId")?.as_str().and_then(identifier))
                .collect()
        });
        page.polling_timeout = map
            .get("iPollingTimeout")
            .and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        page.correlation_id =
            text("correlationId").and_then(Guid::parse).or(page.text.correlation_id.clone());
        page.session_id = text("sessionId").and_then(Guid::parse);
        page.user = text("sPOST_Username").map(str::to_owned);
        for key in ["sCtx", "sFT"] {
            page.state.extend(text(key).map(str::to_owned));
        }
        page.title = map.get("iErrorTitle").and_then(number);
        page.description = map.get("iErrorDescription").and_then(number);
        page.token_binding = text("urlTokenBindingLearnMore").is_some();
        let device = ["sDeviceId", "sDeviceState"];
        page.knows_device = device
            .iter()
            .any(|key| map.get(*key).is_some_and(Value::is_string))
            .then(|| device.iter().any(|key| text(key).is_some()));
        let days = map.get("iRemainingDaysToSkipMfaRegistration").and_then(number);
        page.skippable = text("urlSkipMfaRegistration").is_some() && days != Some(0);
        page.federation = map
            .get("oGetCredTypeResult")
            .and_then(|answer| answer.get("Credentials")?.get("FederationRedirectUrl")?.as_str())
            .or_else(|| text("sFederationRedirectUrl"))
            .map(str::to_owned);
        let roots = map.get("loader").and_then(|loader| loader.get("cdnRoots")?.as_array());
        let roots = roots.into_iter().flatten().filter_map(Value::as_str).take(8);
        page.script_roots = roots.chain(text("urlCdn")).map(str::to_owned).collect();
        for value in map.values() {
            external_addresses(value, 0, &mut page.external);
        }
        Some(page)
    }
}

/// Addresses of external MFA providers: those that name the provider's return address in their query,
/// or stand beside it in one object.
fn external_addresses(value: &Value, depth: u32, found: &mut Vec<String>) {
    let next = depth.saturating_add(1);
    match value {
        Value::String(text) if is_address(text) && names_return(value, depth) => {
            found.push(text.clone());
        }
        Value::Array(items) if depth < 6 => {
            for item in items {
                external_addresses(item, next, found);
            }
        }
        Value::Object(map) if depth < 6 => {
            if names_return(value, depth) {
                let beside = map.values().filter_map(Value::as_str).filter(|text| is_address(text));
                found.extend(beside.map(str::to_owned));
            }
            for value in map.values() {
                external_addresses(value, next, found);
            }
        }
        _ => {}
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://")
}

/// Whether the return address of external providers stands in a value.
fn names_return(value: &Value, depth: u32) -> bool {
    let next = depth.saturating_add(1);
    match value {
        Value::String(text) => text.to_ascii_lowercase().contains("externalauthprovider"),
        Value::Array(items) if depth < 6 => items.iter().any(|item| names_return(item, next)),
        Value::Object(map) if depth < 6 => map.values().any(|value| names_return(value, next)),
        _ => false,
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A code that may be a number, digits, or the symbolic name of a code.
fn error_code(map: &Map<String, Value>, key: &str) -> Option<u32> {
    let value = map.get(key)?;
    number(value)
        .or_else(|| entra::code_for_name(value.as_str()?.trim()))
        .filter(|code| *code >= 10_000)
}

/// An answer of the MFA endpoints (BeginAuth and EndAuth have one shape).
#[derive(Clone, Debug, Default)]
pub(super) struct SasAnswer {
    /// Whether it worked: a challenge was started, or was passed.
    pub success: bool,
    /// The result value.
    pub value: Option<String>,
    /// Whether the page may ask again; `None` when the answer does not say.
    pub retry: Option<bool>,
    /// The code beside it.
    pub code: Option<u32>,
    /// The method.
    pub method: Option<String>,
    /// The sign-in's id.
    pub correlation_id: Option<Guid>,
    /// What groups the requests of one challenge.
    pub state: Vec<String>,
}

impl SasAnswer {
    pub(super) fn read(body: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
        let map = value.as_object()?;
        let find = |name: &str| {
            map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        if find("Success").is_none() && find("ResultValue").is_none() {
            return None;
        }
        let text = |name: &str| find(name).and_then(Value::as_str);
        Some(Self {
            success: find("Success").and_then(boolean).unwrap_or_default(),
            value: text("ResultValue").and_then(identifier),
            retry: find("Retry").and_then(boolean),
            code: find("ErrCode").and_then(number).filter(|code| *code >= 10_000),
            method: text("AuthMethodId").and_then(identifier),
            correlation_id: text("CorrelationId").and_then(Guid::parse),
            state: ["Ctx", "SessionId"]
                .iter()
                .filter_map(|key| text(key))
                .map(str::to_owned)
                .collect(),
        })
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// An answer of the token endpoint, or of any endpoint that errs in its shape.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenAnswer {
    /// Whether it holds an access token or a device code.
    pub granted: bool,
    /// Whether a user stands behind the grant: a refresh token or an id token came along.
    pub for_user: bool,
    /// Whether it hands out a device code.
    pub device_code: bool,
    /// The OAuth error.
    pub error: Option<String>,
    /// The codes.
    pub codes: Vec<u32>,
    /// The trace id.
    pub trace_id: Option<Guid>,
    /// The correlation id.
    pub correlation_id: Option<Guid>,
    /// Conditional Access policy ids.
    pub policies: Vec<Guid>,
}

impl TokenAnswer {
    pub(super) fn read(body: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
        let map = value.as_object()?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let mut answer = Self {
            granted: map.contains_key("access_token") || map.contains_key("id_token"),
            for_user: map.contains_key("refresh_token") || map.contains_key("id_token"),
            device_code: map.contains_key("device_code") && map.contains_key("user_code"),
            error: text("error").and_then(oauth_error),
            ..Self::default()
        };
        let described = text("error_description").map(code_text).unwrap_or_default();
        if let Some(codes) = map.get("error_codes").and_then(Value::as_array) {
            answer.codes.extend(codes.iter().take(CODES).filter_map(number));
        }
        for code in described.codes {
            if !answer.codes.contains(&code) {
                answer.codes.push(code);
            }
        }
        answer.trace_id = text("trace_id").and_then(Guid::parse).or(described.trace_id);
        answer.correlation_id =
            text("correlation_id").and_then(Guid::parse).or(described.correlation_id);
        answer.policies = text("claims").map(policy_ids).unwrap_or_default();
        let known = answer.granted || answer.device_code || answer.error.is_some();
        (known || !answer.codes.is_empty()).then_some(answer)
    }
}

/// Policy ids out of a claims request: `capolids`, or `polids` of older answers.
pub(super) fn policy_ids(claims: &str) -> Vec<Guid> {
    fn walk(value: &Value, inside: bool, depth: u32, found: &mut Vec<Guid>) {
        if depth > 16 || found.len() >= 32 {
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let inside = inside || key == "capolids" || key == "polids";
                    walk(value, inside, depth.saturating_add(1), found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(item, inside, depth.saturating_add(1), found);
                }
            }
            Value::String(text) if inside => {
                found.extend(Guid::parse(text).filter(|id| !found.contains(id)));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(claims) {
        walk(&value, false, 0, &mut found);
    }
    found
}

/// What GetCredentialType says.
#[derive(Clone, Debug, Default)]
pub(super) struct CredentialAnswer {
    /// Where a federated user is sent.
    pub federation: Option<String>,
    /// State that later requests repeat.
    pub user: Option<String>,
}

impl CredentialAnswer {
    pub(super) fn read(body: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
        let map = value.as_object()?;
        let federation = map
            .get("Credentials")
            .and_then(|credentials| credentials.get("FederationRedirectUrl")?.as_str())
            .or_else(|| map.get("AuthURL").and_then(Value::as_str))
            .or_else(|| map.get("federation_active_auth_url").and_then(Value::as_str));
        // The user is one of another Microsoft identity provider: the one of personal accounts.
        let personal = (map.get("IfExistsResult").and_then(Value::as_u64) == Some(5))
            .then_some("https://login.live.com/");
        Some(Self {
            federation: federation.filter(|url| !url.is_empty()).or(personal).map(str::to_owned),
            user: map.get("Username").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

/// Entry for fuzzing: any bytes as a page or another answer of the service.
#[doc(hidden)]
pub fn fuzz_answer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let page = Page::read(&text);
    assert!(page.is_none_or(|page| page.is_config), "a page is known by its object");
    let _ = (SasAnswer::read(&text), TokenAnswer::read(&text), CredentialAnswer::read(&text));
    let _ = (code_text(&text), identifier(&text), oauth_error(&text), policy_ids(&text));
    let (html, xml) = (markup::html(&text), markup::xml(&text));
    assert!(html.action.is_none() || !html.fields.is_empty(), "a form is one with fields");
    assert!(xml.texts.iter().map(String::len).sum::<usize>() <= 8 * text.len(), "texts are parts");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mfa_page() {
        let body = r#"<script>$Config={"arrUserProofs":[{"authMethodId":"PhoneAppNotification","isDefault":true,
            "display":"+XX XXXXXXX12"},{"authMethodId":"OneWaySMS"}],"iPollingTimeout":120000,
            "desktopSsoConfig":{"redirectUri":"https://x/?error=interaction_required&error_description=AADSTS50076"},
            "arrValErrs":["50058"],"sErrorCode":"","pgid":"ConvergedTFA","sCtx":"rQQI",
            "correlationId":"AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee"};</script>"#;
        let page = Page::read(body).unwrap();
        assert_eq!(page.id.as_deref(), Some("ConvergedTFA"));
        assert_eq!(page.code, None);
        assert_eq!(page.methods.unwrap(), ["PhoneAppNotification", "OneWaySMS"]);
        assert_eq!(page.correlation_id.unwrap().as_str(), "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
        assert!(page.text.codes.is_empty());
    }

    #[test]
    fn an_error_page_with_a_name_for_a_code() {
        let page =
            Page::read(r#"$Config={"pgid":"ConvergedError","sErrorCode":"InvalidAccessPass"}"#);
        assert_eq!(page.unwrap().code, Some(130_503));
        let body = r#"$Config={"iErrorCode":53003,"strServiceExceptionMessage":"AADSTS53003: x\r\nTrace ID: 0f0f0f0f-1111-2222-3333-444444440100\r\nCorrelation ID: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}"#;
        let page = Page::read(body).unwrap();
        assert_eq!(page.code, Some(53003));
        assert_eq!(page.text.codes, [53003]);
        assert!(page.text.trace_id.is_some() && page.correlation_id.is_some());
    }

    #[test]
    fn answers_of_the_mfa_endpoints() {
        let answer = SasAnswer::read(
            r#"{"Success":false,"ResultValue":"PhoneAppDenied","ErrCode":500121,"Retry":false,"Ctx":"x"}"#,
        )
        .unwrap();
        assert!(!answer.success);
        assert_eq!(answer.value.as_deref(), Some("PhoneAppDenied"));
        assert_eq!((answer.retry, answer.code), (Some(false), Some(500_121)));
        assert!(SasAnswer::read("<html>").is_none());
    }

    #[test]
    fn a_token_error_names_its_policies() {
        let answer = TokenAnswer::read(
            r#"{"error":"interaction_required","error_codes":[50076],"suberror":"basic_action",
            "claims":"{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":[\"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee\"]}}}"}"#,
        )
        .unwrap();
        assert_eq!(answer.codes, [50076]);
        assert_eq!(answer.policies.len(), 1);
        assert_eq!(answer.error.as_deref(), Some("interaction_required"));
    }

    #[test]
    fn identifiers_are_no_tokens() {
        assert!(identifier("ConvergedTFA").is_some());
        assert!(identifier("User2WaySMSAuthFailedNoResponseTimeout").is_some());
        assert!(identifier("493021").is_none());
        assert!(identifier("aB3dE5fG7hJ9").is_none());
        assert!(identifier("a b").is_none());
        assert!(identifier("UXowNTVrUWpwbXZpdVJQSEZSMkRLRURn").is_none());
        assert!(identifier("ConvergedSomethingNew").is_some());
        assert!(identifier("SMSSent").is_some());
        assert!(oauth_error("interaction_required").is_some());
        assert!(oauth_error("UXowNTVrUWpwbXZpdVJQ").is_none());
    }
}
