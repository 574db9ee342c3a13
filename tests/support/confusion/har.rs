//! HAR files as browsers and tools write them.

use serde_json::{Value, json};

use super::damage::File;
use super::label::Format;
use super::teller::{End, Fault, Item, Teller, stamp};
use crate::packets::hosts;
use crate::support::random::Random;

/// Writes a HAR, one entry a line; `decides` is the item that decides.
pub(crate) fn write(
    format: Format,
    items: &[Item],
    decides: Option<usize>,
    t: &mut Teller,
    shuffle: bool,
) -> File {
    let mut random = Random::new(u64::from(t.random.number()));
    let mut entries: Vec<(bool, String)> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let entry = match format {
                Format::Firefox => firefox(item, index),
                Format::Mitmproxy => mitmproxy(item),
                Format::Playwright => playwright(item, &mut random),
                _ => devtools(item, &mut random),
            };
            (decides == Some(index), entry.to_string())
        })
        .collect();
    if shuffle {
        random.shuffle(&mut entries);
    }
    let (creator, browser) = match format {
        Format::Firefox => (
            json!({"name": "Firefox", "version": "140.0"}),
            json!({"name": "Firefox", "version": "140.0"}),
        ),
        Format::Mitmproxy => {
            (json!({"name": "mitmproxy", "version": "11.0.2", "comment": ""}), Value::Null)
        }
        Format::Playwright => (
            json!({"name": "Playwright", "version": "1.55.0"}),
            json!({"name": "chromium", "version": "140.0.7339.16"}),
        ),
        _ => (json!({"name": "WebInspector", "version": "537.36"}), Value::Null),
    };
    let pages = json!([{"startedDateTime": format!("{}Z", stamp(0.3, 3)), "id": "page_1", "title": "https://app/", "pageTimings": {"onContentLoad": 801.2, "onLoad": 1311.9}}]);
    let mut out = format!("{{\n  \"log\": {{\"version\": \"1.2\", \"creator\": {creator},");
    if browser.is_object() {
        out.push_str(&format!(" \"browser\": {browser},"));
    }
    out.push_str(&format!(" \"pages\": {pages}, \"entries\": [\n"));
    let (mut decides_at, mut decided_at) = (None, None);
    for (index, (is_deciding, entry)) in entries.iter().enumerate() {
        if *is_deciding {
            decides_at = Some(out.len());
            decided_at = Some(out.len() + entry.len());
        }
        out.push_str(entry);
        out.push_str(if index + 1 < entries.len() { ",\n" } else { "\n" });
    }
    out.push_str("  ]}\n}\n");
    File { bytes: out.into_bytes(), decides_at, decided_at }
}

fn pairs(fields: &[(String, String)], is_small: bool) -> Vec<Value> {
    fields
        .iter()
        .map(|(name, value)| {
            let name = if is_small { name.to_ascii_lowercase() } else { name.clone() };
            json!({"name": name, "value": value})
        })
        .collect()
}

fn query(url: &str) -> Vec<Value> {
    let query =
        url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            json!({"name": name, "value": value})
        })
        .collect()
}

fn location(item: &Item) -> &str {
    let location = item.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    location.map_or("", |(_, value)| value)
}

fn request(item: &Item, version: &str, is_small: bool) -> Value {
    let mut fields = pairs(&item.sent, is_small);
    let mut all = json!({
        "method": item.method, "url": item.url, "httpVersion": version, "queryString": query(&item.url), "cookies": [],
        "headersSize": -1, "bodySize": item.form.as_ref().map_or(0, |(_, body)| body.len()),
    });
    if let Some((kind, body)) = &item.form {
        fields.push(
            json!({"name": if is_small { "content-type" } else { "Content-Type" }, "value": kind}),
        );
        all["postData"] = json!({"mimeType": kind, "text": body});
    }
    all["headers"] = Value::Array(fields);
    all
}

/// What was answered; `hides` for bodies that the exporter does not have any more.
fn response(item: &Item, version: &str, is_small: bool, hides: bool) -> Value {
    let mut fields = pairs(&item.fields, is_small);
    let mut content = json!({"size": 0, "mimeType": "x-unknown"});
    if let Some((kind, body)) = &item.body {
        fields.push(
            json!({"name": if is_small { "content-type" } else { "Content-Type" }, "value": kind}),
        );
        content = json!({"size": body.len(), "mimeType": kind.split(';').next()});
        if !hides && !body.is_empty() {
            content["text"] = json!(body);
        }
    }
    json!({
        "status": item.status_or_zero(), "statusText": "", "httpVersion": version, "headers": fields, "cookies": [],
        "content": content, "redirectURL": location(item), "headersSize": -1, "bodySize": -1,
    })
}

fn nothing() -> Value {
    json!({"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [], "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1, "bodySize": -1})
}

fn address(item: &Item) -> String {
    hosts::host(item.host()).addresses.first().map(ToString::to_string).unwrap_or_default()
}

fn devtools(item: &Item, random: &mut Random) -> Value {
    let took = item.took * 1000.0;
    // The developer tools lose pages that are left at once, half of the time.
    let hides =
        item.is_fleeting && random.below(2) == 0 || matches!(item.end, End::Answer(301..=308));
    let kind =
        if item.is_part { if item.form.is_some() { "xhr" } else { "script" } } else { "document" };
    let mut all = json!({
        "_initiator": {"type": if item.is_part { "script" } else { "other" }}, "_priority": "High", "_resourceType": kind, "cache": {},
        "pageref": "page_1", "request": request(item, "http/2.0", true), "serverIPAddress": address(item), "connection": "443",
        "startedDateTime": format!("{}Z", stamp(item.at, 3)), "time": took,
        "timings": {"blocked": 1.9, "dns": -1, "ssl": -1, "connect": -1, "send": 0.4, "wait": took - 3.3, "receive": 1.0, "_blocked_queueing": 0.9},
    });
    match &item.end {
        End::Answer(_) => {
            all["response"] = response(item, "http/2.0", true, hides);
            all["response"]["_transferSize"] =
                json!(item.body.as_ref().map_or(0, |(_, body)| body.len()) + 780);
            all["response"]["_error"] = Value::Null;
        }
        End::Fault(fault) => {
            all["response"] = nothing();
            all["response"]["_transferSize"] = json!(0);
            all["response"]["_error"] = json!(chromium(fault));
            all["serverIPAddress"] = json!("");
            all["timings"] = json!({"blocked": took, "dns": -1, "ssl": -1, "connect": -1, "send": 0, "wait": 0, "receive": 0, "_blocked_queueing": 1.2});
        }
        End::None => {
            all["response"] = nothing();
            all["time"] = json!(0);
        }
    }
    all
}

/// What Chromium calls it.
pub(crate) const fn chromium(fault: &Fault) -> &'static str {
    match fault {
        Fault::BlackHole | Fault::Silent => "net::ERR_TIMED_OUT",
        Fault::BlockedByClient => "net::ERR_BLOCKED_BY_CLIENT",
        Fault::Cancelled => "net::ERR_ABORTED",
        Fault::Closed => "net::ERR_CONNECTION_CLOSED",
        Fault::ContentPolicy => "net::ERR_BLOCKED_BY_CSP",
        Fault::IcmpProhibited => "net::ERR_ADDRESS_UNREACHABLE",
        Fault::NoClientCertificate => "net::ERR_BAD_SSL_CLIENT_AUTH_CERT",
        Fault::NameRefused | Fault::NameServerFailed | Fault::NameUnknown => {
            "net::ERR_NAME_NOT_RESOLVED"
        }
        Fault::NameUnanswered => "net::ERR_NAME_RESOLUTION_FAILED",
        Fault::NetworkChanged => "net::ERR_NETWORK_CHANGED",
        Fault::Offline => "net::ERR_INTERNET_DISCONNECTED",
        Fault::Proxy(407) => "net::ERR_PROXY_AUTH_UNSUPPORTED",
        Fault::Proxy(_) => "net::ERR_TUNNEL_CONNECTION_FAILED",
        Fault::Refused | Fault::Sinkhole(_) => "net::ERR_CONNECTION_REFUSED",
        Fault::Reset | Fault::ResetAfterHello => "net::ERR_CONNECTION_RESET",
        Fault::Unanswered => "net::ERR_CONNECTION_TIMED_OUT",
        Fault::Untrusted(_) => "net::ERR_CERT_AUTHORITY_INVALID",
    }
}

fn firefox(item: &Item, index: usize) -> Value {
    let took = (item.took * 1000.0).round();
    let mut all = json!({
        "startedDateTime": format!("{}+00:00", stamp(item.at, 3)), "request": request(item, "HTTP/2", false), "cache": {},
        "timings": {"blocked": 0, "dns": 0, "connect": 0, "ssl": 0, "send": 0, "wait": took, "receive": 0}, "time": took,
        "_securityState": "secure", "serverIPAddress": address(item), "connection": "443", "pageref": "page_1", "_index": index,
    });
    if let End::Answer(_) = item.end {
        all["response"] = response(item, "HTTP/2", false, false);
    } else {
        all["response"] = json!({"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [], "content": {"mimeType": "text/plain", "size": 0, "text": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1});
        all["timings"] = json!({"blocked": 0, "dns": 0, "connect": 0, "ssl": 0, "send": 0, "wait": 0, "receive": 0});
        all["time"] = json!(0);
        if let Some(all) = all.as_object_mut() {
            all.remove("serverIPAddress");
            all.remove("connection");
            all.remove("_securityState");
        }
    }
    all
}

fn playwright(item: &Item, random: &mut Random) -> Value {
    let took = item.took * 1000.0;
    let mut all = json!({
        "pageref": "page_1", "startedDateTime": format!("{}Z", stamp(item.at, 3)), "time": took, "request": request(item, "HTTP/2.0", true),
        "cache": {}, "timings": {"dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": took - 1.0, "receive": 1.0},
    });
    match &item.end {
        End::Answer(_) => {
            all["response"] = response(
                item,
                "HTTP/2.0",
                true,
                item.is_fleeting && random.below(2) == 0 || !location(item).is_empty(),
            );
            all["response"]["_transferSize"] = json!(900);
            all["serverIPAddress"] = json!(address(item));
            all["_serverPort"] = json!(443);
            if !item.is_clear() {
                all["_securityDetails"] = json!({"protocol": "TLS 1.3", "subjectName": item.host(), "issuer": issuer(item.host()), "validFrom": 1_769_817_600, "validTo": 1_785_456_000});
            }
        }
        end => {
            all["response"] = nothing();
            all["response"]["status"] = json!(-1);
            all["response"]["content"]["size"] = json!(-1);
            all["response"]["_transferSize"] = json!(-1);
            if let End::Fault(fault) = end {
                all["response"]["_failureText"] = json!(chromium(fault));
            }
            all["timings"] = json!({"send": -1, "wait": -1, "receive": -1});
        }
    }
    all
}

fn issuer(host: &str) -> &'static str {
    let whole = hosts::host(host).issuer;
    whole.rsplit("CN=").next().unwrap_or_default()
}

fn mitmproxy(item: &Item) -> Value {
    let took = item.took * 1000.0;
    let mut all = json!({
        "startedDateTime": format!("{}+00:00", stamp(item.at, 6)), "time": took, "request": request(item, "HTTP/1.1", false),
        "cache": {}, "timings": {"connect": 14.1, "ssl": 33.0, "send": 0.8, "wait": took, "receive": 0.5}, "serverIPAddress": address(item),
    });
    match &item.end {
        End::Answer(_) => all["response"] = response(item, "HTTP/1.1", false, false),
        end => {
            all["response"] = json!({"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [], "content": {}, "redirectURL": "", "headersSize": -1, "bodySize": -1, "_transferSize": 0, "_error": null});
            if let End::Fault(fault) = end {
                all["response"]["_error"] = json!(python(fault));
            }
        }
    }
    all
}

/// What mitmproxy calls it.
const fn python(fault: &Fault) -> &'static str {
    match fault {
        Fault::NameRefused | Fault::NameUnknown => "[Errno -2] Name or service not known",
        Fault::NameServerFailed | Fault::NameUnanswered => {
            "[Errno -3] Temporary failure in name resolution"
        }
        Fault::Refused | Fault::Sinkhole(_) => "[Errno 111] Connect call failed",
        Fault::Unanswered | Fault::BlackHole => "[Errno 110] Connect call failed",
        Fault::IcmpProhibited => "[Errno 113] No route to host",
        Fault::Untrusted(_) => "Certificate verify failed: unable to get local issuer certificate",
        Fault::ResetAfterHello => "connection closed",
        Fault::Proxy(407) => {
            "Upstream proxy proxy.corp.contoso.example:8080 refused HTTP CONNECT request: 407 Proxy Authentication Required"
        }
        Fault::Proxy(403) => {
            "Upstream proxy proxy.corp.contoso.example:8080 refused HTTP CONNECT request: 403 Forbidden"
        }
        Fault::Proxy(_) => {
            "Upstream proxy proxy.corp.contoso.example:8080 refused HTTP CONNECT request: 502 Bad Gateway"
        }
        Fault::Offline | Fault::NetworkChanged => "[Errno 101] Network is unreachable",
        Fault::Cancelled => "Client disconnected.",
        _ => "server closed connection",
    }
}
