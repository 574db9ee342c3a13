//! Captures whose every text tries to become something else than text in a report.
#![allow(clippy::indexing_slicing, reason = "test support")]

use std::path::Path;

use mfatrace::analyze::Analysis;
use serde_json::Value;

use super::exchange::{Told, get, post, post_json, story};
use super::{json, memory, root};

/// What a hostile text holds: markup, addresses, templates, diagrams, Markdown.
pub(crate) const PAYLOADS: &[&str] = &[
    "<script>globalThis.owned=1</script>",
    "\"><img src=x onerror=globalThis.owned=1>",
    "' onmouseover='globalThis.owned=1' x='",
    "</style></script></title></textarea><svg/onload=globalThis.owned=1>",
    "javascript:globalThis.owned=1",
    "<svg><a xlink:href='javascript:globalThis.owned=1'><text>x</text></a></svg>",
    "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
    "{{ 7*7 }} {% include 'x' %} ${7*7} <%= 7*7 %> #{7*7}",
    "--></details></summary><!-- <base href=https://evil.example/>",
    "```\n</details>\n<script>globalThis.owned=1</script>\n```",
    "[x](javascript:globalThis.owned=1) ![y](https://evil.example/y.png) <https://evil.example>",
    "\n\n# head\n\n- item\n\n> quote\n\n---\n\n| a | b |\n|---|---|\n| c | d |\n\n    code\n",
    "@team #12 :tada: https://evil.example www.evil.example a@evil.example",
    "; end\n    participant X as evil\n    C->>X: <b>x</b> %%{init: {}}%%\n    click C href \"javascript:owned=1\"",
    "\u{202e}gnp.exe\u{200b}\u{0}\u{1b}[31m\u{9b}",
];

/// Payloads as they may stand in an address.
fn in_address(payload: &str) -> String {
    payload.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

/// A sign-in in which words that reports show hold a payload.
fn told(payload: &str) -> Vec<Told> {
    let sts = "https://login.microsoftonline.com";
    let quoted = serde_json::to_string(payload).unwrap();
    let quoted = quoted.trim_matches('"').replace("</", "<\\/");
    let page = |id: &str, more: &str| {
        format!(
            "<html><head><title>{payload}</title><meta name=\"PageID\" content=\"{id}\" /><script>//<![CDATA[\n\
             $Config={{\"pgid\":\"{id}\",\"sErrorCode\":\"50074\",\"strServiceExceptionMessage\":\"{quoted}\",\
             \"correlationId\":\"a839844d-c932-4302-ac17-6d062db9f045\",{more}}};\n//]]></script></head></html>"
        )
    };
    let proofs = format!(
        "\"arrUserProofs\":[{{\"authMethodId\":\"{quoted}\",\"display\":\"{quoted}\",\"isDefault\":true}},\
         {{\"authMethodId\":\"PhoneAppNotification\",\"data\":\"{quoted}\",\"isDefault\":false}}]"
    );
    let address = in_address(payload);
    vec![
        get(&format!("{sts}/{address}/oauth2/v2.0/authorize?client_id={address}&login_hint={address}"))
            .asking("User-Agent", payload)
            .field("Server", payload)
            .by_service()
            .answer("text/html", &page("ConvergedSignIn", "\"x\":1")),
        post(&format!("{sts}/common/login"), &format!("login={address}%40contoso.example"))
            .by_service()
            .answer("text/html", &page("ConvergedTFA", &proofs)),
        get(&format!("https://aadcdn.msauth.net/shared/{address}.js")).failing(payload),
        get("https://aadcdn.msftauth.net/shared/a.js").failing(&format!("net::ERR_{address}")),
        post_json(&format!("{sts}/common/SAS/BeginAuth"), "{\"AuthMethodId\":\"PhoneAppNotification\"}")
            .by_service()
            .answer(
                "application/json",
                &format!(
                    "{{\"Success\":false,\"ResultValue\":\"{quoted}\",\"Message\":\"{quoted}\",\"ErrCode\":500121}}"
                ),
            ),
        get(&format!("https://{}.evil.example/{address}", "a".repeat(20)))
            .status(403)
            .field("Via", payload)
            .answer("text/html", payload),
        get(&format!("{sts}/common/{}", page_path(payload)))
            .by_service()
            .answer("text/html", &page(&quoted, "\"iErrorCode\":53003")),
    ]
}

fn page_path(payload: &str) -> String {
    super::canary::Encoding::Percent.of(&in_address(payload))
}

/// Analyses of hostile captures, each with its payload: stories of our own, and captures of the corpus
/// whose texts all end in the payload.
pub(crate) fn analyses() -> Vec<(String, Analysis)> {
    let mut all = Vec::new();
    for payload in PAYLOADS {
        let mut har = json::har(&story(&told(payload)));
        har["log"]["creator"] = serde_json::json!({"name": payload, "version": payload});
        all.push((payload.to_string(), named(payload, &har)));
    }
    for path in ["browser/script-host-reset.devtools.har", "policy/blocked-after-mfa.devtools.har"]
    {
        for payload in PAYLOADS {
            if let Some(har) = spoiled(&root().join("captures").join(path), payload) {
                all.push((format!("{path}: {payload}"), named(payload, &har)));
            }
        }
    }
    all
}

fn named(name: &str, har: &Value) -> Analysis {
    let source = mfatrace::capture::Source::bytes(har.to_string().into_bytes());
    memory::run_source(name, source, &[])
}

/// A capture whose texts end in the payload, but for those that say when, how and where to.
fn spoiled(path: &Path, payload: &str) -> Option<Value> {
    let mut har = json::parse(&std::fs::read(path).ok()?)?;
    json::without_base64(&mut har);
    json::strings(&mut har, "", &mut |key, text| match key {
        "startedDateTime" | "method" | "encoding" | "version" | "httpVersion" => None,
        "url" | "redirectURL" => Some(format!("{text}{}", in_address(payload))),
        "text" => Some(
            format!("{text}{payload}").replace("PhoneAppNotification", "Phone\\u003cb\\u003eApp"),
        ),
        _ => Some(format!("{text}{payload}")),
    });
    Some(har)
}
