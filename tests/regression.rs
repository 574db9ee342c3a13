//! One test for each bug that was found, named for it.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use mfatrace::analyze::Analysis;
use mfatrace::finding::Confidence;
use mfatrace::report::json;
use serde_json::{Value, json};

use support::archive::{unzip, zip};
use support::memory::run_bytes;
use support::traffic::{End, HEAD, Writer, flag};

type Members = Vec<(String, Vec<u8>)>;

fn members(path: &str) -> Members {
    unzip(&std::fs::read(support::root().join("captures").join(path)).unwrap())
}

fn har(path: &str) -> Value {
    let bytes = std::fs::read(support::root().join("captures").join(path)).unwrap();
    support::json::parse(&bytes).unwrap()
}

/// The number of the last session whose request line holds a text.
fn session(members: &Members, wanted: &str) -> String {
    let holds = |bytes: &[u8]| {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).contains(wanted)
    };
    let found = members.iter().rfind(|(name, bytes)| name.ends_with("_c.txt") && holds(bytes));
    found.unwrap().0.replace("_c.txt", "")
}

fn verdict(analysis: &Analysis) -> String {
    format!("{} {}", analysis.verdict.outcome, analysis.verdict.side)
}

/// An entry that failed the way a browser says it.
fn fail(entry: &mut Value, error: &str) {
    entry["response"] = json!({"status": 0, "statusText": "", "headers": [], "cookies": [],
        "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "_error": error});
}

/// SPEC section 3: sessions missing a part. Fiddler's timers say that an answer came.
#[test]
fn an_answer_that_is_not_in_the_archive_is_no_network_fault() {
    let mut without = members("browser/push-denied.saz");
    let poll = session(&without, "/SAS/EndAuth");
    without.retain(|(name, _)| *name != format!("{poll}_s.txt"));
    assert_eq!(verdict(&run_bytes(zip(&without, ""))), "undetermined cannot_tell");

    let mut none = members("browser/push-denied.saz");
    none.retain(|(name, _)| !name.ends_with("_s.txt"));
    assert_eq!(verdict(&run_bytes(zip(&none, ""))), "undetermined cannot_tell");
}

/// SPEC section 4: what the pages need could not be reached, and nothing followed.
#[test]
fn a_page_after_mfa_needs_its_script() {
    let mut har = har("browser/push-approved.devtools.har");
    let entries = support::json::entries(&mut har);
    let script = |entry: &Value| entry["request"]["url"].as_str().unwrap().contains("Kmsi");
    let at = entries.iter().position(script).unwrap();
    fail(&mut entries[at], "net::ERR_NAME_NOT_RESOLVED");
    entries.truncate(at + 1);
    let analysis = run_bytes(har.to_string().into_bytes());
    assert_eq!(analysis.verdict.side.as_str(), "network", "{}", verdict(&analysis));
}

/// SPEC section 5, PRX: a captive portal; protocol 3.7: the service did not write this answer.
#[test]
fn a_captive_portal_stands_before_the_sign_in() {
    use support::exchange::{get, story};
    let authorize = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x";
    let portal = "http://captive.hotel.example/login";
    let story = story(&[
        get(authorize).status(302).field("Location", portal),
        get(portal).answer("text/html", "<html>Welcome to our network</html>"),
        get(portal).answer("text/html", "<html>Welcome to our network</html>").later(60.0),
    ]);
    let analysis = run_bytes(support::json::har(&story).to_string().into_bytes());
    assert_eq!(verdict(&analysis), "sign_in_prevented_by_network network");
}

mod wire {
    //! A sign-in told in few words, for the tests below.

    use super::support::exchange::{Told, get, post, post_json, story};
    use super::{Analysis, run_bytes, support};

    pub(super) const STS: &str = "https://login.microsoftonline.com/common";
    pub(super) const SCRIPT: &str = "https://aadcdn.msauth.net/x/tfa.js";
    pub(super) const OTHER_ROOT: &str = "https://aadcdn.msftauth.net/x/tfa.js";

    /// An authorize request that shows the sign-in page.
    pub(super) fn authorize(application: u8) -> Told {
        let id = format!("3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b{application:02}");
        get(&format!("{STS}/oauth2/v2.0/authorize?client_id={id}&response_type=code"))
            .by_service()
            .answer("text/html", &config(r#""pgid":"ConvergedSignIn","urlPost":"/common/login""#))
    }

    fn config(settings: &str) -> String {
        format!("<html><script>$Config={{{settings}}};</script></html>")
    }

    /// A password that is answered by the MFA page with these methods.
    pub(super) fn challenge(methods: &[&str]) -> Told {
        let proofs: Vec<String> =
            methods.iter().map(|one| format!(r#"{{"authMethodId":"{one}"}}"#)).collect();
        let page = format!(
            r#""pgid":"ConvergedTFA","arrUserProofs":[{}],"urlPost":"/common/SAS/ProcessAuth""#,
            proofs.join(",")
        );
        post(&format!("{STS}/login"), "login=a@contoso.example")
            .by_service()
            .answer("text/html", &config(&page))
    }

    /// A password that is answered by the page that sends the user to register.
    pub(super) fn proof_up() -> Told {
        let page = r#""pgid":"ConvergedProofUpRedirect","sErrorCode":"50072""#;
        post(&format!("{STS}/login"), "login=a@contoso.example")
            .by_service()
            .answer("text/html", &config(page))
    }

    pub(super) fn served(url: &str) -> Told {
        get(url).answer("application/javascript", "1")
    }

    pub(super) fn sas(call: &str, value: &str, success: bool) -> Told {
        let body = format!(
            r#"{{"Success":{success},"ResultValue":"{value}","Retry":{},"AuthMethodId":"PhoneAppNotification"}}"#,
            value == "AuthenticationPending"
        );
        post_json(&format!("{STS}/SAS/{call}"), "{}").by_service().answer("application/json", &body)
    }

    /// The end of a sign-in: the application gets its code.
    pub(super) fn granted() -> Told {
        let location = "https://app.contoso.example/cb?code=FAKESECRET&state=s&session_state=t";
        post(&format!("{STS}/SAS/ProcessAuth"), "type=22")
            .by_service()
            .status(302)
            .field("Location", location)
    }

    /// A page of something else a minute later.
    pub(super) fn a_minute_later() -> Told {
        get("https://news.example.net/")
            .asking("Sec-Fetch-Dest", "document")
            .answer("text/html", "<html>")
            .later(60.0)
    }

    pub(super) fn tell(told: &[Told]) -> Analysis {
        run_bytes(support::json::har(&story(told)).to_string().into_bytes())
    }
}

use wire::{
    OTHER_ROOT, SCRIPT, STS, a_minute_later, authorize, challenge, granted, proof_up, sas, served,
    tell,
};

const DNS: &str = "net::ERR_NAME_NOT_RESOLVED";

/// SPEC section 4: `no_sign_in` holds only where nothing of a sign-in is there.
#[test]
fn what_a_sign_in_leaves_behind_is_no_absence_of_one() {
    use support::exchange::{get, post, post_json};
    let report = post_json(&format!("{STS}/handlers/watson"), r#"{"pn":"ConvergedTFA"}"#)
        .by_service()
        .answer("application/json", "{}");
    assert_eq!(verdict(&tell(&[report, a_minute_later()])), "undetermined cannot_tell");

    let sent = get("https://app.contoso.example/")
        .status(302)
        .field("Location", &format!("{STS}/oauth2/v2.0/authorize?client_id=x&response_type=code"));
    assert_eq!(verdict(&tell(&[sent])), "undetermined cannot_tell");

    let taken = post("https://app.contoso.example/cb", "code=FAKESECRET&state=s&session_state=t")
        .asking("Origin", "https://login.microsoftonline.com")
        .answer("text/html", "<html>");
    assert_eq!(verdict(&tell(&[taken, a_minute_later()])), "undetermined cannot_tell");
}

/// The same where the requests that may have been it cannot be read.
#[test]
fn what_cannot_be_read_is_no_absence_of_a_sign_in() {
    let archive = |sessions: usize, torn: usize| {
        let sessions = (1..=sessions).map(|number| {
            let host = if number <= torn { "" } else { "Host: files.contoso.example\r\n" };
            let ask = if number <= torn { "\u{1}" } else { "GET / HTTP/1.1\r\n" };
            (format!("raw/{number}_c.txt"), format!("{ask}{host}\r\n").into_bytes())
        });
        let analysis = run_bytes(zip(&sessions.collect::<Vec<_>>(), ""));
        (verdict(&analysis), analysis.verdict.confidence)
    };
    let absent = |confidence| ("no_sign_in cannot_tell".to_owned(), confidence);
    assert_eq!(archive(30, 0), absent(Confidence::High));
    assert_eq!(archive(30, 2), absent(Confidence::Low));
    assert_eq!(archive(30, 4).0, "undetermined cannot_tell");
    assert_eq!(archive(3, 3).0, "undetermined cannot_tell");
}

#[test]
fn an_empty_answer_to_the_hand_over_does_not_blame_the_user() {
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        served(SCRIPT),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "AuthenticationPending", false),
        support::exchange::post(&format!("{STS}/SAS/ProcessAuth"), "type=22")
            .by_service()
            .answer("text/html", ""),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "undetermined cannot_tell");
}

/// RFC 6749 section 4.1.2.1, and the reference of external authentication methods.
#[test]
fn an_external_provider_that_sends_an_error_back_ended_it() {
    let returned = |error: &str| {
        let form = format!("error={error}&state=s");
        let back = support::exchange::post(&format!("{STS}/federation/externalauthprovider"), &form)
            .by_service()
            .answer("text/html", r#"<html><script>$Config={"pgid":"ConvergedTFA","sErrorCode":"500121","arrUserProofs":[{"authMethodId":"External"}]};</script></html>"#);
        tell(&[authorize(1), challenge(&["External"]), served(SCRIPT), back, a_minute_later()])
    };
    assert_eq!(verdict(&returned("access_denied")), "mfa_denied user");
    assert_eq!(verdict(&returned("server_error")), "other_error service");
    assert_eq!(verdict(&returned("invalid_request")), "other_error application");
}

#[test]
fn a_code_that_the_application_does_not_take_shows_that_mfa_was_passed() {
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "Success", true),
        support::exchange::post(&format!("{STS}/SAS/ProcessAuth"), "type=22")
            .by_service()
            .answer("text/html", ""),
        support::exchange::post(
            "https://app.contoso.example/cb",
            "code=FAKESECRET&state=s&session_state=t",
        )
        .asking("Origin", "https://login.microsoftonline.com")
        .failing("net::ERR_CONNECTION_TIMED_OUT"),
    ]);
    assert_eq!(verdict(&analysis), "mfa_completed network");
}

#[test]
fn a_look_up_that_another_name_made_good_is_no_attempt() {
    let look = "https://login.windows.net/common/discovery/instance?api-version=1.1";
    let analysis = tell(&[
        support::exchange::get(look).failing(DNS),
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "Success", true),
        granted(),
    ]);
    assert_eq!(verdict(&analysis), "mfa_completed nothing_wrong");
}

#[test]
fn a_passkey_page_that_is_fetched_ahead_does_not_stop_a_registration() {
    let analysis = tell(&[
        authorize(1),
        proof_up(),
        support::exchange::get("https://login.microsoft.com/common/fido/get?uiflavor=Web")
            .failing(DNS),
        served("https://mysignins.microsoft.com/register").later(2.0),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "registration_required user");
}

#[test]
fn an_identity_provider_that_nobody_was_sent_to_stops_nothing() {
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        support::exchange::get(SCRIPT).failing(DNS),
        support::exchange::get(OTHER_ROOT).failing(DNS),
        support::exchange::get("https://fabrikam.okta.com/api/v1/sessions/me").failing(DNS),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "mfa_prevented_by_network network");
    let hosts: Vec<&str> =
        analysis.verdict.hosts.iter().map(mfatrace::evidence::HostName::as_str).collect();
    assert_eq!(hosts, ["aadcdn.msauth.net", "aadcdn.msftauth.net"]);
}

#[test]
fn a_hand_off_that_fails_after_a_method_was_begun_is_no_leaving() {
    let analysis = tell(&[
        authorize(1),
        challenge(&["ExternalAuth", "PhoneAppNotification"]),
        served(SCRIPT),
        sas("BeginAuth", "Success", true),
        support::exchange::post(
            "https://api-1a2b.duosecurity.com/oauth/v1/authorize",
            "scope=openid&id_token_hint=FAKESECRET&client_id=x&redirect_uri=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon%2Ffederation%2Fexternalauthprovider",
        )
        .failing(DNS),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "mfa_prevented_by_network network");
}

#[test]
fn an_answer_of_nobody_to_begin_auth_is_a_block_page() {
    let refused = support::exchange::post_json(&format!("{STS}/SAS/BeginAuth"), "{}")
        .answer("application/json", r#"{"status":"denied"}"#)
        .field("Server", "gateway")
        .field("Cache-Control", "no-cache")
        .field("Connection", "close");
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        served(SCRIPT),
        refused,
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "mfa_prevented_by_network network");
    assert_eq!(analysis.verdict.cause.unwrap().0, "PRX004");
}

#[test]
fn a_block_page_with_status_200_is_seen_at_the_registration_host() {
    let page = "<html><title>x</title>Your organization has selected Zscaler to protect you from internet threats.</html>";
    let blocked = support::exchange::get("https://mysignins.microsoft.com/register")
        .answer("text/html", page)
        .field("Server", "Zscaler/6.2");
    let analysis = tell(&[authorize(1), proof_up(), blocked, a_minute_later()]);
    assert_eq!(verdict(&analysis), "registration_required network");
}

#[test]
fn a_failure_without_a_name_is_followed_behind_an_earlier_success() {
    let nameless = |url: &str| support::exchange::get(url).failing("net::ERR_FAILED");
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "Success", true),
        granted(),
        authorize(2).later(20.0),
        nameless(SCRIPT),
        nameless(OTHER_ROOT),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "undetermined cannot_tell");
}

#[test]
fn a_request_without_an_end_does_not_blame_the_user() {
    let mut har = support::json::har(&support::exchange::story(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        served(SCRIPT),
        sas("BeginAuth", "Success", true),
        support::exchange::get("https://portal.contoso.example/keepalive").later(120.0),
    ]));
    let entries = support::json::entries(&mut har);
    entries[3]["response"] = json!({"status": 0, "statusText": "", "headers": [], "content": {},
        "redirectURL": "", "_error": null});
    let analysis = run_bytes(har.to_string().into_bytes());
    assert_eq!(verdict(&analysis), "undetermined cannot_tell");
}

#[test]
fn a_personal_account_goes_on_at_its_own_service() {
    let known = r#"{"IfExistsResult":5,"Credentials":{"PrefCredential":6}}"#;
    let analysis = tell(&[
        authorize(1),
        support::exchange::post_json(
            &format!("{STS}/GetCredentialType"),
            r#"{"username":"a@outlook.example"}"#,
        )
        .by_service()
        .answer("application/json", known),
        support::exchange::get("https://login.live.com/oauth20_authorize.srf?client_id=x")
            .failing(DNS),
        support::exchange::get("https://login.live.com/oauth20_authorize.srf?client_id=x")
            .failing(DNS),
        a_minute_later(),
    ]);
    assert_eq!(verdict(&analysis), "sign_in_prevented_by_network network");
    assert_eq!(analysis.verdict.host.as_ref().unwrap().as_str(), "login.live.com");
}

/// Adds the parts of a session in front of another one.
fn put(members: &mut Members, number: u32, request: &str, response: &str, flags: &str) {
    let name = |part: &str| format!("raw/{number:02}_{part}");
    let metadata = format!(
        "<?xml version=\"1.0\"?><Session SID=\"{number}\" BitFlags=\"{flags}\"><SessionTimers \
         ClientBeginRequest=\"2030-01-15T09:30:00Z\" ClientDoneResponse=\"2030-01-15T09:30:00Z\"/></Session>"
    );
    for (part, text) in [("c.txt", request), ("s.txt", response), ("m.xml", metadata.as_str())] {
        members.retain(|(known, _)| *known != name(part));
        members.push((name(part), text.as_bytes().to_vec()));
    }
}

/// Fiddler sets its own bit also where it passes on what its gateway said.
#[test]
fn a_tunnel_that_the_gateway_refused_is_the_proxys_doing() {
    let mut refused = Members::new();
    for (number, host) in (1..).zip(["portal.contoso.example", "login.microsoftonline.com"]) {
        let answer = if number == 1 { "200 Connection Established" } else { "403 Forbidden" };
        let request = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
        let response = format!("HTTP/1.1 {answer}\r\nVia: 1.1 gw\r\n\r\n");
        put(&mut refused, number, &request, &response, "1100");
    }
    let analysis = run_bytes(zip(&refused, ""));
    assert_eq!(verdict(&analysis), "sign_in_prevented_by_network network");
    assert_eq!(analysis.verdict.cause.unwrap().0, "PRX001");
}

/// A denied push with more sessions a minute later: request, answer and program.
fn denied_beside(more: &[(&str, &str, &str)]) -> Analysis {
    let mut sessions = members("challenge/denied-among-noise.saz");
    let first = 900;
    for (number, (request, response, program)) in (first..).zip(more) {
        put(&mut sessions, number, request, response, "1");
        let name = format!("raw/{number:02}_m.xml");
        let (_, metadata) = sessions.iter_mut().find(|(known, _)| *known == name).unwrap();
        let text = String::from_utf8(std::mem::take(metadata)).unwrap();
        let text = text.replace("09:30:00Z", "09:31:00Z");
        let flags = format!(
            "<SessionFlags><SessionFlag N=\"x-processinfo\" V=\"{program}:1\"/></SessionFlags></Session>"
        );
        *metadata = text.replace("</Session>", &flags).into_bytes();
    }
    run_bytes(zip(&sessions, ""))
}

/// A program in the background that cannot sign in at the proxy is none of the user's sign-in.
#[test]
fn a_tunnel_of_another_program_decides_nothing() {
    let connect = "CONNECT login.microsoftonline.com:443 HTTP/1.1\r\nHost: login.microsoftonline.com:443\r\n\r\n";
    let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\r\n";
    let analysis = denied_beside(&[(connect, refused, "OneDrive")]);
    assert_eq!(verdict(&analysis), "mfa_denied user");
}

/// A proxy leaves its marks on what it passes on: the application's own error is not its page.
#[test]
fn an_error_of_the_application_behind_a_proxy_is_no_block_page() {
    let error = support::exchange::get("https://app.contoso.example/cb")
        .status(503)
        .answer("text/html", "<html><title>Down for maintenance</title></html>")
        .field("Via", "1.1 gw01 (squid/5.7)")
        .field("Server", "BarracudaHTTP 4.0");
    let analysis = tell(&[
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "Success", true),
        granted(),
        error,
    ]);
    assert_eq!(verdict(&analysis), "mfa_completed nothing_wrong");
}

/// Where the exporter took the service's fields away, their absence proves nothing.
#[test]
fn an_export_without_the_fields_of_the_service_is_no_block_page() {
    let mut told = vec![
        authorize(1),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "PhoneAppDenied", false),
        a_minute_later(),
    ];
    for one in &mut told {
        one.fields.retain(|(name, _)| !name.starts_with("x-ms-"));
        one.fields.extend(
            [
                ("Date", "Tue, 15 Jan 2030 09:00:00 GMT"),
                ("Vary", "x"),
                ("Cache-Control", "no-store"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        if let Some((_, body)) = one.body.as_mut().filter(|(_, body)| body.contains("ResultValue"))
        {
            "{\"redacted\":\"by the exporter\"}".clone_into(body);
        }
    }
    assert_eq!(verdict(&tell(&told)), "undetermined cannot_tell");
}

/// A first try that failed and worked a little later is no end of a sign-in.
#[test]
fn a_host_that_answered_later_was_not_out_of_reach() {
    let analysis = tell(&[
        support::exchange::get("https://login.microsoftonline.com/").failing(DNS),
        authorize(1).later(20.0),
        challenge(&["PhoneAppNotification"]),
        sas("BeginAuth", "Success", true),
        sas("EndAuth", "Success", true),
        granted(),
    ]);
    assert_eq!(verdict(&analysis), "mfa_completed nothing_wrong");
}

/// A page of a consumer tenant has other settings and fields than those of a work account.
#[test]
fn a_page_of_a_consumer_tenant_is_the_services_own() {
    let page = support::exchange::get(
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/authorize?client_id=x",
    )
    .answer("text/html", "<html><title>Sign in</title><script>var SETTINGS={\"x\":\"StateProperties=1\"}</script></html>")
    .field("x-ms-gateway-requestid", "0f0f0f0f-1111-2222-3333-444444440100")
    .field("Cache-Control", "no-store")
    .field("Vary", "x");
    let analysis = tell(&[page, a_minute_later()]);
    assert_ne!(analysis.verdict.side.as_str(), "network", "{}", verdict(&analysis));
}

/// Protocol section 6: polls that fail without a sign of the service are the network's, also where the
/// filter sends hardly any header fields.
#[test]
fn polls_that_a_filter_refuses_are_not_left_by_the_user() {
    let refused = |own: bool| {
        let mut har = har("challenge/left-during-poll.devtools.har");
        let entries = support::json::entries(&mut har);
        for entry in entries.iter_mut() {
            let url = entry["request"]["url"].as_str().unwrap_or_default().to_owned();
            if !url.contains("/SAS/EndAuth") {
                continue;
            }
            let mut headers = json!([{"name": "Content-Type", "value": "text/html"}]);
            if own {
                let id = json!({"name": "x-ms-request-id", "value": "0f0f0f0f-1111-2222-3333-444444440100"});
                headers.as_array_mut().unwrap().push(id);
            }
            entry["response"] = json!({"status": 403, "statusText": "Forbidden", "headers": headers,
                "cookies": [], "content": {"size": 27, "mimeType": "text/html",
                "text": "<html>Not allowed</html>"}, "redirectURL": ""});
        }
        verdict(&run_bytes(har.to_string().into_bytes()))
    };
    assert_eq!(refused(false), "mfa_prevented_by_network network");
    assert_eq!(refused(true), "undetermined cannot_tell");
}

/// A proxy that refuses or fails is named with address, port and name, so that its team is found.
#[test]
fn the_proxy_that_refused_is_named() {
    for capture in ["proxy-connect-403", "proxy-connect-502", "proxy-407-last"] {
        let path = support::root().join(format!("captures/packets/{capture}.pcap"));
        let analysis = run_bytes(std::fs::read(path).unwrap());
        let report = json::write(&analysis.report("0"));
        let report: Value = serde_json::from_str(&report).unwrap();
        let host = &report["handover"]["network"]["hosts"][0];
        assert_eq!(host["via"], "proxy", "{capture}");
        let wanted = json!(["proxy.corp.contoso.example:8080", "10.20.0.80:8080"]);
        assert_eq!(host["proxies"], wanted, "{capture}");
        assert_eq!(host["servers"], json!([]), "{capture}");
    }
}

/// A connection that was given up for want of room, or for its silence, was counted once more when it
/// came back.
#[test]
fn a_connection_that_comes_back_is_counted_once() {
    let server = End::new([192, 0, 2, 10], 443);
    let (quiet, asked) = (End::new([10, 0, 0, 1], 50_001), End::new([10, 0, 0, 1], 50_002));
    let mut writer = Writer::new();
    writer.tcp(quiet, server, (100, 0), flag::SYN, b"");
    writer.tcp(server, quiet, (900, 101), flag::SYN | flag::ACK, b"");
    writer.tcp(asked, server, (100, 0), flag::SYN, b"");
    // So many others that the first are given up, over so long a time that they are silent.
    let others: u32 = 70_000;
    for number in 0..others {
        writer.clock += 6_000;
        let [_, high, middle, low] = number.to_be_bytes();
        let other = End::new([10, 1 + high, middle, low], 40_000);
        writer.tcp(other, server, (1, 0), flag::SYN, b"");
    }
    writer.tcp(quiet, server, (101, 901), flag::ACK | flag::PSH, b"GET / HTTP/1.1\r\n\r\n");
    writer.tcp(asked, server, (100, 0), flag::SYN, b"");
    let analysis = run_bytes([HEAD, &writer.out].concat());
    let wire = analysis.evidence.coverage.inputs[0].wire.as_ref().unwrap();
    assert_eq!((wire.opened, wire.mid_stream), (u64::from(others) + 2, 0));
}
