//! What goes wrong together: two faults, two users, two applications, other clouds and other kinds of accounts.
//!
//! These were written last, by who had read the code that judges; the labels are from the specification and
//! were fixed before the first run.

use serde_json::json;

use super::damage::Damage;
use super::label::{
    AFTER, APPLICATION, BEFORE, BLOCKED, DENIED, Format, LEFT, NOTHING, PASSED, PROMPT, Reading,
    Story, UNDETERMINED, UNREADABLE, WITHOUT, WRONG, story,
};
use super::pages;
use super::stories_healthy::{external_begin, other_app};
use super::teller::{Extra, Fault, Item, Teller, get, post, post_json};

const LOGIN: &str = "login.microsoftonline.com";
const CUT: [Reading; 3] = [BEFORE, AFTER, UNREADABLE];

const HAR: [Format; 3] = [Format::Devtools, Format::Firefox, Format::Playwright];
const PACKETS: [Format; 4] = [Format::Keyed, Format::KeyedTwo, Format::Dark, Format::DarkProxy];
const KEYED: [Format; 2] = [Format::Keyed, Format::KeyedTwo];

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[(
    "us-government-denied and external-tenant-wrong-code, in packets, begin late",
    "`no_sign_in` as well, which is said with low confidence: all there is of the sign-in is one older connection to an address that no list of the service names, as any computer has them",
)];

pub(crate) fn stories() -> Vec<Story> {
    let all = [users(), ways(), clouds(), programs(), last()].concat();
    all.into_iter().map(Story::measured).collect()
}

/// Several attempts in one capture.
fn users() -> Vec<Story> {
    vec![
        story("silent-then-denied", "A hidden frame is told that MFA is needed; the prompt that follows is denied.", DENIED, silent_then_denied).mfa("failed").early(&[UNDETERMINED, PROMPT]),
        story("second-user-cut", "One user passes; the polls of the next one are reset to the end.", AFTER, second_user_cut).host(LOGIN).mfa("begun").early(&[UNDETERMINED, PASSED]).dark(&CUT),
        story("first-user-denied", "One user denies; another one passes at the same application.", DENIED, first_user_denied)
            .mfa("failed")
            .late(&[PASSED, UNDETERMINED])
            .besides(&HAR, &[Damage::BodiesDropped], &[PASSED])
            .besides(&KEYED, &[Damage::FramesLost], &[PASSED])
            .early(&[UNDETERMINED]),
        story("second-application-blocked", "One application lets in; Conditional Access blocks the next one.", BLOCKED, second_blocked).early(&[PASSED, UNDETERMINED]),
        story("second-sign-in-no-name", "MFA is passed; a quarter of an hour later the sign-in host has no name for another application.", BEFORE, second_no_name).host(LOGIN).early(&[PASSED, UNDETERMINED]).dark(&[BEFORE, UNREADABLE]),
        story("revoked-then-passed", "A refresh token was revoked; the browser signs in anew and MFA is passed.", PASSED, revoked_then_passed).mfa("passed").early(&[UNDETERMINED, ("other_error", "application")]),
        story("loaded-again-and-again", "The user loads the page three times, then passes.", PASSED, loaded_again).mfa("passed"),
        story("blocked-then-host-gone", "MFA is passed, Conditional Access blocks; at the next try the sign-in host has no name.", BLOCKED, blocked_then_gone).faulty().also(&[BEFORE, AFTER]).dark(&CUT).early(&[UNDETERMINED, BLOCKED]),
        story("fell-asleep", "The computer sleeps for ten minutes while the push is waited for; then the page is too old.", LEFT, fell_asleep).mfa("failed").also(&[("mfa_no_answer", "user")]).early(&[UNDETERMINED, ("mfa_no_answer", "user"), LEFT]),
        story("code-right-device-wrong", "The code is right; then a joined device is wanted.", BLOCKED, code_then_device).mfa("passed").early(&[UNDETERMINED, PASSED]),
    ]
}

/// Faults beside others, and faults that pass.
fn ways() -> Vec<Story> {
    vec![
        story("provider-refused-by-proxy", "The proxy refuses the tunnel to the federation server.", BEFORE, provider_refused).dark(&[BEFORE, UNREADABLE]),
        story("idle-time-out-then-passed", "A box on the way closes two polls in the middle; the next ones are answered and MFA is passed.", PASSED, idle_then_passed).mfa("passed").faulty(),
        story("wireless-change-then-passed", "The client changes its wireless network during the polls; the next ones go through.", PASSED, wireless_then_passed).mfa("passed").faulty(),
        story("wireless-change-at-finish", "The user approves; the network is lost as the result is handed in.", AFTER, wireless_at_finish)
            .host(LOGIN)
            .mfa("passed")
            .dark(&CUT)
            .seen(&[Format::Saz, Format::Keyed, Format::KeyedTwo], &[AFTER, UNDETERMINED]),
        story("six-dead-denied", "IPv6 is dead and IPv4 lives; the user denies.", DENIED, six_dead_denied).mfa("failed").faulty(),
        story("denied-beside-dead-root", "The user denies; one script root has no name and telemetry is reset.", DENIED, denied_beside_root).mfa("failed").faulty().dark(&[UNREADABLE]),
        story("passed-beside-reset-root", "One script root is reset at its name, each time; MFA is passed.", PASSED, passed_beside_root).mfa("passed").faulty(),
        story("proxy-asks-denied", "The proxy asks for credentials first; the user denies.", DENIED, proxy_asks_denied).mfa("failed"),
        story("revocation-dead-passed", "The hosts of revocation lists do not answer; MFA is passed.", PASSED, revocation_dead).mfa("passed").faulty(),
        story("external-server-error", "The external provider sends back that it has failed itself.", ("other_error", "service"), external_server_error).mfa("failed").also(&[APPLICATION, ("mfa_method_failed", "user"), LEFT]),
        story("external-left-short", "The external method is opened, and the capture goes on for less than a minute.", UNDETERMINED, external_left_short).mfa("begun").also(&[LEFT]).early(&[UNDETERMINED, LEFT]),
    ]
}

/// Other clouds and other kinds of accounts.
fn clouds() -> Vec<Story> {
    vec![
        story(
            "us-government-denied",
            "In the cloud of the US Government the user denies.",
            DENIED,
            us_denied,
        )
        .besides(&PACKETS, &[Damage::StartsLate], &[NOTHING])
        .mfa("failed"),
        story(
            "us-government-polls-cut",
            "In the cloud of the US Government a proxy closes the polls.",
            AFTER,
            us_polls_cut,
        )
        .host("login.microsoftonline.us")
        .mfa("begun")
        .dark(&CUT),
        story("china-passed", "In the cloud of China a code is right.", PASSED, china_passed)
            .mfa("passed"),
        story(
            "external-tenant-wrong-code",
            "In a tenant for customers with the pages of the service the code is wrong.",
            WRONG,
            external_tenant,
        )
        .besides(&PACKETS, &[Damage::StartsLate], &[NOTHING])
        .mfa("failed")
        .early(&[UNDETERMINED]),
        story(
            "customers-cancelled",
            "In a tenant for customers with flows of its own the user cancels.",
            ("other_error", "user"),
            customers_cancelled,
        )
        .also(&[APPLICATION, UNDETERMINED, NOTHING, LEFT])
        .early(&[UNDETERMINED, NOTHING])
        .dark(&[UNREADABLE, NOTHING]),
        story(
            "personal-account-left",
            "A personal account: the page asks for a code by mail, and the user goes elsewhere.",
            UNDETERMINED,
            personal_left,
        )
        .also(&[NOTHING, LEFT, ("mfa_not_attempted", "user")])
        .early(&[UNDETERMINED, NOTHING])
        .dark(&[UNREADABLE, NOTHING]),
    ]
}

/// Programs.
fn programs() -> Vec<Story> {
    let early = [UNDETERMINED, NOTHING];
    vec![
        story(
            "on-behalf-50079",
            "An API asks on behalf of a user who would have to register.",
            PROMPT,
            on_behalf_50079,
        )
        .program()
        .early(&early),
        story(
            "ws-trust-50079",
            "SOAP with name and password; the user would have to register.",
            PROMPT,
            |t| ws_trust(t, 50079),
        )
        .program()
        .early(&early),
        story(
            "ws-trust-blocked",
            "SOAP with name and password; Conditional Access blocks.",
            BLOCKED,
            |t| ws_trust(t, 53003),
        )
        .program()
        .early(&early),
        story(
            "broker-prt-works",
            "The broker of Windows uses its primary refresh token.",
            WITHOUT,
            broker_works,
        )
        .program()
        .also(&[NOTHING])
        .early(&early),
        story(
            "broker-prt-then-denied",
            "The broker is told that MFA is needed, asks in its own window, and the user denies.",
            DENIED,
            broker_then_denied,
        )
        .program()
        .mfa("failed")
        .early(&[UNDETERMINED, PROMPT]),
        story(
            "refresh-host-reset",
            "A program cannot refresh its token: the sign-in host is reset at its name.",
            BEFORE,
            refresh_reset,
        )
        .program()
        .host(LOGIN)
        .dark(&[BEFORE])
        .early(&early),
    ]
}

/// Written when what the others showed had been mended.
fn last() -> Vec<Story> {
    let early = [UNDETERMINED, NOTHING];
    vec![
        story(
            "six-dead-login-reset",
            "IPv6 is dead, and over IPv4 the sign-in host is reset at its name.",
            BEFORE,
            six_dead_login_reset,
        )
        .host(LOGIN)
        .dark(&[BEFORE])
        .early(&early),
        story(
            "federated-denied",
            "A federated user comes back from their own server, and denies the push.",
            DENIED,
            federated_denied,
        )
        .mfa("failed"),
        story(
            "text-not-sent-then-wrong",
            "The text message cannot be sent; the code of the app is wrong.",
            WRONG,
            text_then_wrong,
        )
        .mfa("failed")
        .early(&[UNDETERMINED, ("mfa_method_failed", "user")]),
        story(
            "frame-no-name-then-passed",
            "A hidden frame cannot look the sign-in host up; the prompt a minute later is passed.",
            PASSED,
            frame_then_passed,
        )
        .mfa("passed")
        .faulty()
        .early(&[UNDETERMINED, BEFORE]),
        story(
            "keep-signed-in-reset",
            "MFA is passed; the answer to whether to stay signed in is reset, each time.",
            AFTER,
            keep_reset,
        )
        .host(LOGIN)
        .also(&[("mfa_completed", "network")])
        .dark(&CUT)
        .early(&[UNDETERMINED, PASSED]),
        story(
            "left-at-once",
            "The challenge is shown, and the user goes elsewhere at once.",
            ("mfa_not_attempted", "user"),
            left_at_once,
        )
        .mfa("asked")
        .late(&[NOTHING])
        .early(&[UNDETERMINED]),
        story(
            "push-unanswered-then-code",
            "Nobody answers the push; then the code of the app is right.",
            PASSED,
            push_then_code,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, ("mfa_no_answer", "user")]),
        story(
            "fraud-then-blocked",
            "A push is reported as fraud; at the next sign-in the user is blocked.",
            ("mfa_user_blocked", "policy"),
            fraud_then_blocked,
        )
        .mfa("failed")
        .early(&[UNDETERMINED, DENIED]),
        story(
            "application-fault",
            "MFA is passed; the application answers with a fault of its own.",
            PASSED,
            application_fault,
        )
        .mfa("passed")
        .also(&[("mfa_completed", "application")]),
        story(
            "daemon-throttled",
            "A daemon is throttled.",
            ("mfa_service_failed", "service"),
            daemon_throttled,
        )
        .program()
        .also(&[("other_error", "service")])
        .early(&early),
        story(
            "ropc-locked",
            "A script sends a password, and the account is locked.",
            ("other_error", "user"),
            ropc_locked,
        )
        .program()
        .early(&early),
        story(
            "device-code-50076",
            "A device code is used; the last poll is told that MFA is needed.",
            PROMPT,
            device_code_50076,
        )
        .program()
        .early(&[UNDETERMINED]),
    ]
}

fn six_dead_login_reset(t: &mut Teller) {
    t.extras.push(Extra::DeadSix);
    t.from_app();
    t.decides();
    for _ in 0..3 {
        let url = t.authorize_url("");
        t.put(get(url).fails(Fault::ResetAfterHello).took(0.4));
        t.wait(4.0);
    }
    t.elsewhere(12.0);
}

fn federated_denied(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    t.put(get(url.clone()).html("<!DOCTYPE html><html><head><title>Sign In</title></head><body><form id=\"loginForm\" method=\"post\"></form></body></html>"));
    t.wait(5.0);
    let form = pages::form(&[("UserName", t.user.clone()), ("Password", t.secret(8))]);
    let back = t.sts("/login.srf");
    let fields =
        [("wa", "wsignin1.0".to_owned()), ("wresult", t.secret(200)), ("wctx", t.secret(60))];
    t.put(post(url, form).html(pages::hidden_form(&back, &fields)).fleeting());
    let item = t.federated_return();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.wait(1.5);
    denies(t);
}

fn text_then_wrong(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS", "PhoneAppOTP"]);
    t.begins_with("OneWaySMS", "SMSAuthFailedProviderCouldntSendSMS", &json!({}));
    t.wait(8.0);
    let session = t.begins("PhoneAppOTP");
    t.decides();
    t.code("PhoneAppOTP", &session, 1, "OathCodeIncorrect", true);
    t.elsewhere(40.0);
}

fn frame_then_passed(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    let url = format!("{}&prompt=none", t.authorize_url(""));
    t.put(get(url).fails(Fault::NameUnknown).took(0.05));
    t.wait(60.0);
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn keep_reset(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    let body = pages::page(
        t,
        "KmsiInterrupt",
        &json!({"sErrorCode": "50140", "arrValErrs": ["50140"], "urlPost": "/kmsi", "sPOST_Username": t.user}),
    );
    t.put(item.html(body));
    t.wait(3.0);
    t.decides();
    for _ in 0..3 {
        let form = pages::form(&[
            ("LoginOptions", "1".to_owned()),
            ("type", "28".to_owned()),
            ("ctx", t.secret(90)),
            ("flowToken", t.secret(120)),
        ]);
        let item = post(t.sts("/kmsi"), form).service();
        t.put(item.fails(Fault::Reset).took(0.3));
        t.wait(4.0);
    }
    t.elsewhere(15.0);
}

fn left_at_once(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP"]);
    t.decides();
    t.elsewhere(3.0);
    t.elsewhere(40.0);
}

fn push_then_code(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification", "PhoneAppOTP"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 20, 2.6);
    t.poll("PhoneAppNotification", &session, 21, "PhoneAppNoResponse");
    t.wait(6.0);
    let session = t.begins("PhoneAppOTP");
    t.decides();
    t.code("PhoneAppOTP", &session, 1, "Success", false);
    t.finishes("PhoneAppOTP");
}

fn fraud_then_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.2, "PhoneAppFraudReported");
    t.wait(40.0);
    t.correlation = t.guid();
    t.state = t.secret(40);
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.wait(1.0);
    t.decides();
    t.poll("PhoneAppNotification", &session, 1, "UserIsBlocked");
    t.elsewhere(20.0);
}

fn application_fault(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.1);
    t.decides();
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    let app = format!("https://{}{}", t.app, t.app_path);
    let fields = [("code", t.secret(180)), ("state", t.state.clone()), ("session_state", t.guid())];
    t.put(item.html(pages::hidden_form(&app, &fields)).fleeting());
    t.put(
        post(app, pages::form(&fields))
            .status(500)
            .html("<html><title>Server Error</title></html>"),
    );
    t.elsewhere(20.0);
}

fn daemon_throttled(t: &mut Teller) {
    t.process = Some("svc-sync:880");
    t.decides();
    for _ in 0..3 {
        let more = [("client_secret", t.secret(24))];
        let item = t.token_post("client_credentials", &more);
        t.put(
            item.status(429)
                .field("Retry-After", "10")
                .json(&json!({"error": "temporarily_unavailable"})),
        );
        t.wait(10.0);
    }
}

fn ropc_locked(t: &mut Teller) {
    t.process = Some("pwsh:7120");
    let more = [("username", t.user.clone()), ("password", t.secret(8))];
    let item = t.token_post("password", &more);
    t.decides();
    let body = pages::refused(t, "invalid_grant", 50053, &json!({}));
    t.put(item.status(400).json(&body));
    t.wait(4.0);
}

fn device_code_50076(t: &mut Teller) {
    t.process = Some("az:2216");
    let url = t.sts(&format!("/{}/oauth2/v2.0/devicecode", t.tenant));
    let form = pages::form(&[("client_id", t.client.clone()), ("scope", "openid".to_owned())]);
    let code = t.secret(160);
    let body = json!({"user_code": "FAKESECRET", "device_code": code, "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 5, "message": "Open the page and enter the code."});
    t.put(post(url, form).json(&body).service().part());
    for turn in 0..4 {
        t.wait(5.0);
        let more = [("device_code", code.clone())];
        let item = t.token_post("urn:ietf:params:oauth:grant-type:device_code", &more);
        let body = if turn < 3 {
            pages::refused(t, "authorization_pending", 70016, &json!({}))
        } else {
            t.decides();
            let more = pages::claims(t);
            pages::refused(t, "interaction_required", 50076, &more)
        };
        t.put(item.status(400).json(&body));
    }
}

fn passes(t: &mut Teller) {
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    t.finishes("PhoneAppNotification");
}

fn denies(t: &mut Teller) {
    t.polled("PhoneAppNotification", 3, 1.2, "PhoneAppDenied");
    t.elsewhere(12.0);
}

fn silent_then_denied(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    t.silent(50076);
    t.wait(1.0);
    t.to_challenge(&["PhoneAppNotification"]);
    denies(t);
}

fn next_user(t: &mut Teller) {
    t.user = format!("next.person@{}", t.domain);
    t.correlation = t.guid();
    t.state = t.secret(40);
}

fn second_user_cut(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
    t.wait(30.0);
    next_user(t);
    t.to_challenge(&["PhoneAppNotification"]);
    polls_fail(t, &Fault::Reset, 0.2, 4);
    t.elsewhere(15.0);
}

/// A push, polled some times, and then polls that fail.
fn polls_fail(t: &mut Teller, fault: &Fault, took: f64, times: u32) {
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.decides();
    for count in 0..times {
        let item = t.poll_get("PhoneAppNotification", &session, 4 + count);
        t.put(item.fails(fault.clone()).took(took));
        t.wait(1.4);
    }
}

fn first_user_denied(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.2, "PhoneAppDenied");
    t.wait(25.0);
    next_user(t);
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
}

fn second_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
    t.wait(25.0);
    other_app(t);
    t.from_app();
    let url = t.authorize_url("");
    t.decides();
    let body = pages::policy(t, 53003, 5, 4);
    t.put(get(url).html(body).service());
    t.elsewhere(12.0);
}

fn second_no_name(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
    t.wait(900.0);
    other_app(t);
    t.from_app();
    let url = t.authorize_url("");
    t.decides();
    t.put(get(url.clone()).fails(Fault::NameUnknown).took(0.06));
    t.wait(5.0);
    t.put(get(url).fails(Fault::NameUnknown).took(0.06));
    t.elsewhere(15.0);
}

fn revoked_then_passed(t: &mut Teller) {
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more).asks("Origin", format!("https://{}", t.app));
    let body = pages::refused(t, "invalid_grant", 50173, &json!({"suberror": "bad_token"}));
    t.put(item.status(400).json(&body));
    t.wait(1.5);
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn loaded_again(t: &mut Teller) {
    t.from_app();
    for _ in 0..2 {
        t.sign_in_page();
        t.wait(6.0);
    }
    t.sign_in_page();
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn blocked_then_gone(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    t.decides();
    let body = pages::policy(t, 53003, 5, 4);
    t.put(item.html(body));
    t.wait(30.0);
    t.correlation = t.guid();
    for _ in 0..2 {
        let url = t.authorize_url("");
        t.put(get(url).fails(Fault::NameUnknown).took(0.05));
        t.wait(4.0);
    }
}

fn fell_asleep(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 4, 1.2);
    t.wait(600.0);
    t.decides();
    t.poll("PhoneAppNotification", &session, 5, "FlowTokenExpired");
    t.elsewhere(15.0);
}

fn code_then_device(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS"]);
    let session = t.begins("OneWaySMS");
    t.code("OneWaySMS", &session, 1, "Success", false);
    let item = t.finish_post("OneWaySMS");
    t.decides();
    let body = pages::policy(t, 53001, 3, 7);
    t.put(item.html(body));
    t.elsewhere(18.0);
}

fn provider_refused(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    t.decides();
    t.put(get(url.clone()).fails(Fault::Proxy(403)).took(0.1));
    t.wait(5.0);
    t.put(get(url).fails(Fault::Proxy(403)).took(0.1));
    t.elsewhere(15.0);
}

/// Polls that fail so often, and go on as if nothing had been.
fn fails_and_passes(t: &mut Teller, faults: &[(Fault, f64)]) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 2, 1.2);
    for (count, (fault, took)) in (3..).zip(faults) {
        let item = t.poll_get("PhoneAppNotification", &session, count);
        t.put(item.fails(fault.clone()).took(*took));
        t.wait(1.6);
    }
    t.pends("PhoneAppNotification", &session, 6, 2, 1.2);
    t.decides();
    t.poll("PhoneAppNotification", &session, 9, "Success");
    t.finishes("PhoneAppNotification");
}

fn idle_then_passed(t: &mut Teller) {
    fails_and_passes(t, &[(Fault::Closed, 9.0), (Fault::Closed, 9.0)]);
}

fn wireless_then_passed(t: &mut Teller) {
    fails_and_passes(t, &[(Fault::NetworkChanged, 2.0)]);
}

fn wireless_at_finish(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    t.decides();
    for fault in [Fault::NetworkChanged, Fault::Offline, Fault::Offline] {
        let item = t.finish_post("PhoneAppNotification");
        t.put(item.fails(fault).took(1.0));
        t.wait(3.0);
    }
}

fn six_dead_denied(t: &mut Teller) {
    t.extras.push(Extra::DeadSix);
    t.to_challenge(&["PhoneAppNotification"]);
    denies(t);
}

fn page_script_from_second(t: &mut Teller, page: &str, fault: &Fault) {
    let (first, second) = (t.script(0, page), t.script(1, page));
    t.put(first.fails(fault.clone()).took(0.1));
    t.put(second);
}

/// A challenge of which one script root is dead all the time.
fn beside_dead_root(t: &mut Teller, fault: &Fault) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    page_script_from_second(t, "ConvergedSignIn", fault);
    t.beside(
        post_json("https://browser.events.data.microsoft.com/OneCollector/1.0/", "{}")
            .fails(Fault::ResetAfterHello)
            .took(0.1)
            .part(),
    );
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    page_script_from_second(t, "ConvergedTFA", fault);
    t.late();
    t.wait(1.0);
}

fn denied_beside_root(t: &mut Teller) {
    beside_dead_root(t, &Fault::NameUnknown);
    denies(t);
}

fn passed_beside_root(t: &mut Teller) {
    beside_dead_root(t, &Fault::ResetAfterHello);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn proxy_asks_denied(t: &mut Teller) {
    t.extras.push(Extra::ProxyAsks);
    t.to_challenge(&["PhoneAppNotification"]);
    denies(t);
}

fn revocation_dead(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    for host in ["crl3.digicert.com", "ocsp.digicert.com"] {
        let list = get(format!("http://{host}/DigiCertGlobalG2TLSRSASHA2562020CA1-1.crl"));
        t.beside(list.fails(Fault::Unanswered).took(10.0).part());
    }
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn external_server_error(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "mfa.keysource.example");
    t.wait(12.0);
    let form = pages::form(&[("error", "server_error".to_owned()), ("state", t.secret(80))]);
    t.decides();
    let item = post(t.sts("/common/federation/externalauthprovider"), form).service();
    t.challenge_in(item, &["ExternalAuthenticationMethod"], &json!({}));
    t.elsewhere(70.0);
}

fn external_left_short(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "mfa.keysource.example");
    t.wait(20.0);
    t.decides();
    t.put(
        get("https://mfa.keysource.example/frame/status")
            .json(&json!({"status": "waiting"}))
            .part(),
    );
    t.wait(15.0);
    t.put(
        get("https://mfa.keysource.example/frame/status")
            .json(&json!({"status": "waiting"}))
            .part(),
    );
}

fn us_denied(t: &mut Teller) {
    t.login = "login.microsoftonline.us";
    t.to_challenge(&["PhoneAppNotification"]);
    denies(t);
}

fn us_polls_cut(t: &mut Teller) {
    t.login = "login.microsoftonline.us";
    t.to_challenge(&["PhoneAppNotification"]);
    polls_fail(t, &Fault::Closed, 10.0, 5);
    t.elsewhere(15.0);
}

fn china_passed(t: &mut Teller) {
    t.login = "login.partner.microsoftonline.cn";
    t.to_challenge(&["PhoneAppOTP"]);
    let session = t.begins("PhoneAppOTP");
    t.decides();
    t.code("PhoneAppOTP", &session, 1, "Success", false);
    t.finishes("PhoneAppOTP");
}

fn external_tenant(t: &mut Teller) {
    t.login = "woodgrove.ciamlogin.com";
    t.to_challenge(&["OneWaySMS"]);
    let session = t.begins("OneWaySMS");
    t.decides();
    t.code("OneWaySMS", &session, 1, "SMSAuthFailedWrongCodeEntered", true);
    t.elsewhere(40.0);
}

fn customers_cancelled(t: &mut Teller) {
    t.login = "woodgrove.b2clogin.com";
    let base = "/woodgrove.onmicrosoft.com/B2C_1_signin";
    let url = t.sts(&format!(
        "{base}/oauth2/v2.0/authorize?client_id={}&response_type=code&scope=openid&redirect_uri={}&state={}",
        t.client,
        pages::percent(&format!("https://{}{}", t.app, t.app_path)),
        t.state
    ));
    t.put(get(format!("https://{}/", t.app)).goes(302, url.clone()));
    t.put(get(url).html("<!DOCTYPE html><html><head><title>Sign in</title><script>var SETTINGS = {\"remoteResource\":\"https://woodgrove.b2clogin.com/static\",\"api\":\"CombinedSigninAndSignup\",\"csrf\":\"FAKESECRET\",\"transId\":\"StateProperties=FAKESECRET\"};</script></head></html>"));
    t.wait(8.0);
    let to = format!(
        "https://{}{}?error=access_denied&error_description=AADB2C90091%3a+The+user+has+cancelled+entering+self-asserted+information.&state={}",
        t.app, t.app_path, t.state
    );
    t.decides();
    let url = t.sts(&format!(
        "{base}/api/CombinedSigninAndSignup/error?code=UserCancelled&tx=StateProperties=FAKESECRET&p=B2C_1_signin"
    ));
    t.put(get(url).goes(302, to.clone()));
    t.put(get(to).html("<html><title>Cancelled</title></html>"));
    t.elsewhere(10.0);
}

fn personal_left(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.wait(4.0);
    let url = t.sts("/common/GetCredentialType?mkt=en-US");
    t.put(post_json(url, "{\"username\":\"someone@outlook.example\"}").json(&json!({"IfExistsResult": 5, "EstsProperties": {"DomainType": 2}, "Credentials": {"PrefCredential": 6}})).service().part());
    let live = format!(
        "https://login.live.com/oauth20_authorize.srf?client_id={}&scope=openid&redirect_uri=https%3a%2f%2flogin.microsoftonline.com%2fcommon%2ffederation%2foauth2msa&state={}",
        t.guid(),
        t.secret(80)
    );
    t.put(get(live).html("<!DOCTYPE html><html><head><title>Sign in to your Microsoft account</title><script>var ServerData = {sFTTag:'<input name=\"PPFT\" value=\"FAKESECRET\"/>',urlPost:'https://login.live.com/ppsecure/post.srf'};</script></head></html>"));
    t.wait(6.0);
    let form = pages::form(&[
        ("login", "someone@outlook.example".to_owned()),
        ("passwd", t.secret(8)),
        ("PPFT", t.secret(60)),
    ]);
    t.decides();
    t.put(post("https://login.live.com/ppsecure/post.srf", form).html("<!DOCTYPE html><html><head><title>Help us protect your account</title><script>var ServerData = {urlPost:'https://login.live.com/ppsecure/post.srf',arrProofs:[{type:1,display:'s*****e@mail.example'}]};</script></head></html>"));
    t.elsewhere(80.0);
}

fn on_behalf_50079(t: &mut Teller) {
    t.process = Some("w3wp:3180");
    let more = [
        ("assertion", t.secret(300)),
        ("requested_token_use", "on_behalf_of".to_owned()),
        ("client_secret", t.secret(20)),
    ];
    let item = t.token_post("urn:ietf:params:oauth:grant-type:jwt-bearer", &more);
    t.decides();
    let more = pages::claims(t);
    let body = pages::refused(t, "interaction_required", 50079, &more);
    t.put(item.status(400).json(&body));
    t.wait(4.0);
}

fn ws_trust(t: &mut Teller, code: u32) {
    t.process = Some("legacy-sync:4410");
    let (user, password) = (t.user.clone(), t.secret(8));
    let asked = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><o:Security xmlns:o=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"><o:UsernameToken><o:Username>{user}</o:Username><o:Password>{password}</o:Password></o:UsernameToken></o:Security></s:Header><s:Body/></s:Envelope>"
    );
    let said = pages::line(t, code, "\r\n");
    let fault = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?><S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:psf=\"http://schemas.microsoft.com/Passport/SoapServices/SOAPFault\"><S:Body><S:Fault><S:Code><S:Value>S:Sender</S:Value></S:Code><S:Reason><S:Text xml:lang=\"en-US\">Authentication Failure</S:Text></S:Reason><S:Detail><psf:error><psf:value>0x80048821</psf:value><psf:internalerror><psf:code>0x80048821</psf:code><psf:text>{said}</psf:text></psf:internalerror></psf:error></S:Detail></S:Fault></S:Body></S:Envelope>"
    );
    t.decides();
    let url = t.sts(&format!("/{}/winauth/trust/2005/usernamemixed", t.tenant));
    let mut item = post(url, asked).status(500).service().part();
    item.form = item.form.map(|(_, body)| ("application/soap+xml; charset=utf-8", body));
    t.put(item.body("application/soap+xml; charset=utf-8", fault));
    t.wait(3.0);
}

/// The broker asks for a nonce and shows its primary refresh token; the answer is for the caller.
fn broker_asks(t: &mut Teller) -> Item {
    t.process = Some("Microsoft.AAD.BrokerPlugin:7764");
    let url = t.sts("/common/oauth2/token");
    let nonce = t.secret(60);
    t.put(
        post(url.clone(), "grant_type=srv_challenge&windows_api_version=2.0")
            .json(&json!({"Nonce": nonce}))
            .service()
            .part(),
    );
    t.wait(0.2);
    let form = pages::form(&[
        ("windows_api_version", "2.2".to_owned()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
        ("request", t.secret(400)),
        ("client_info", "1".to_owned()),
        ("client_id", t.client.clone()),
    ]);
    post(url, form).asks("client-request-id", t.correlation.clone()).service().part()
}

fn broker_works(t: &mut Teller) {
    let item = broker_asks(t);
    t.decides();
    let body = pages::tokens(t);
    t.put(item.json(&body));
    t.wait(3.0);
}

fn broker_then_denied(t: &mut Teller) {
    let item = broker_asks(t);
    let more = pages::claims(t);
    let body = pages::refused(t, "interaction_required", 50076, &more);
    t.put(item.status(400).json(&body));
    t.wait(1.2);
    t.sign_in_page();
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "PhoneAppDenied");
    t.wait(4.0);
}

fn refresh_reset(t: &mut Teller) {
    t.process = Some("OneDrive:5120");
    for turn in 0..3 {
        let more = [("refresh_token", t.secret(200))];
        let item = t.token_post("refresh_token", &more);
        if turn == 0 {
            t.decides();
        }
        t.put(item.fails(Fault::ResetAfterHello).took(0.2));
        t.wait(6.0);
    }
}
