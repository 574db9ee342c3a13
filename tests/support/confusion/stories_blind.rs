//! What a help desk sees, told by somebody who had read none of the code that judges.
//!
//! The labels are from the specification and from what is known of the protocol; they were committed before
//! the first run.

use serde_json::json;

use super::damage::Damage;
use super::label::{
    AFTER, BEFORE, BLOCKED, DENIED, Format, LEFT, METHOD, NOTHING, PASSED, PROMPT, Reading, Story,
    UNDETERMINED, UNREADABLE, WITHOUT, WRONG, story,
};
use super::pages;
use super::stories_healthy::{external_begin, passkey_page};
use super::teller::{Extra, Fault, Item, Teller, get, post, post_json};

const LOGIN: &str = "login.microsoftonline.com";
const PASSKEY: &str = "login.microsoft.com";
const DEVICE: &str = "https://device.login.microsoftonline.com/";
const CUT: [Reading; 3] = [BEFORE, AFTER, UNREADABLE];
const NO_ANSWER: Reading = ("mfa_no_answer", "user");

const KEYED: [Format; 2] = [Format::Keyed, Format::KeyedTwo];

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[(
    "vpn-comes-up, in packets with keys whose clock jumps",
    "`sign_in_prevented_by_network` as well: a look-up that fails says for no request, and behind a jump of a quarter of an hour nothing tells that the challenge still stood open; host and cause are the same",
)];

pub(crate) fn stories() -> Vec<Story> {
    let all = [together(), on_the_way(), again(), others(), programs()].concat();
    all.into_iter().map(Story::measured).collect()
}

/// Several users, tabs and frames at once.
fn together() -> Vec<Story> {
    vec![
        story(
            "first-user-cut",
            "The polls of one user are reset to the end; another user passes at the same computer.",
            AFTER,
            first_user_cut,
        )
        .host(LOGIN)
        .mfa("begun")
        .late(&[PASSED, UNDETERMINED])
        .dark(&CUT),
        story(
            "provider-dead-other-user-passed",
            "The federation server of one user does not answer; a user without federation passes.",
            BEFORE,
            provider_dead_other_passed,
        )
        .late(&[PASSED, UNDETERMINED])
        .dark(&[BEFORE, UNREADABLE]),
        story(
            "tab-left-other-tab-passed",
            "The challenge stands in one tab, and is passed in another one.",
            PASSED,
            tab_left,
        )
        .mfa("passed"),
        story(
            "second-tab-duplicate",
            "A second tab is told that a challenge is open already; in the first one it is passed.",
            PASSED,
            tab_duplicate,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, METHOD, LEFT]),
        story(
            "frame-blocked-main-passed",
            "An extension blocks the hidden frame of the application; the main window passes.",
            PASSED,
            frame_blocked,
        )
        .mfa("passed"),
        story(
            "loaded-again-in-polls",
            "The user loads the page again while the push is waited for; the new push is approved.",
            PASSED,
            loaded_in_polls,
        )
        .mfa("passed"),
    ]
}

/// What goes wrong between the computer and the service.
fn on_the_way() -> Vec<Story> {
    vec![
        story(
            "passkey-proxy-407-twice",
            "The proxy wants credentials for the host of the passkey, twice; then the user gives up.",
            AFTER,
            passkey_407,
        )
        .host(PASSKEY)
        .mfa("asked")
        .dark(&CUT),
        story(
            "passkey-sinkhole",
            "The name of the passkey host alone leads to a sinkhole.",
            AFTER,
            passkey_sinkhole,
        )
        .host(PASSKEY)
        .mfa("asked")
        .dark(&CUT),
        story(
            "vpn-comes-up",
            "A VPN comes up while the push is waited for; its name server knows no sign-in host.",
            AFTER,
            vpn_comes_up,
        )
        .host(LOGIN)
        .mfa("begun")
        .dark(&[BEFORE, AFTER, UNREADABLE, UNDETERMINED])
        .besides(&KEYED, &[Damage::ClockJump], &[BEFORE])
        .seen(&KEYED, &[AFTER, UNDETERMINED]),
        story(
            "portal-then-passed",
            "A captive portal answers first; the terms are accepted, and MFA is passed.",
            PASSED,
            portal_then_passed,
        )
        .mfa("passed")
        .faulty()
        .early(&[UNDETERMINED, BEFORE]),
        story(
            "both-families-dead",
            "The sign-in host answers neither over IPv6 nor over IPv4.",
            BEFORE,
            both_dead,
        )
        .host(LOGIN)
        .dark(&[BEFORE])
        .early(&[UNDETERMINED, NOTHING]),
        story(
            "finish-black-hole",
            "The user approves; handing the result in is too large for the way, and is lost.",
            AFTER,
            finish_black_hole,
        )
        .host(LOGIN)
        .mfa("passed")
        .dark(&CUT),
        story(
            "balancer-503",
            "Beginning the challenge is answered 503 by a balancer, without a mark of the service.",
            AFTER,
            balancer_503,
        )
        .mfa("asked")
        .also(&[UNDETERMINED])
        .dark(&[UNREADABLE]),
        story(
            "china-begin-reset",
            "In the cloud of China the request that begins the challenge is reset, each time.",
            AFTER,
            china_begin_reset,
        )
        .host("login.partner.microsoftonline.cn")
        .mfa("asked")
        .dark(&CUT),
    ]
}

/// Several tries, and captures that begin late.
fn again() -> Vec<Story> {
    vec![
        story(
            "password-wrong-then-denied",
            "A wrong password, the right one, then the push is denied.",
            DENIED,
            password_then_denied,
        )
        .mfa("failed"),
        story(
            "number-ignored-then-text",
            "The number is never typed, the page gives up; then the code of a text message is right.",
            PASSED,
            number_then_text,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, NO_ANSWER]),
        story(
            "asked-again-no-answer",
            "MFA is passed; twenty minutes later the session is too old, and nobody answers the push.",
            NO_ANSWER,
            asked_again,
        )
        .mfa("failed")
        .early(&[UNDETERMINED, PASSED]),
        story(
            "blocked-then-passed-by-vpn",
            "Conditional Access blocks the place; through the VPN of the company MFA is passed.",
            PASSED,
            blocked_then_passed,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, BLOCKED]),
        story(
            "registered-then-passed",
            "No method is registered; one is registered, and the challenge that follows is passed.",
            PASSED,
            registered_then_passed,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, ("registration_required", "user")]),
        story(
            "begins-in-polls-passed",
            "The capture begins while the push is waited for; it is approved and handed in.",
            PASSED,
            begins_in_polls_passed,
        )
        .mfa("passed"),
        story(
            "begins-in-polls-denied",
            "The capture begins while the push is waited for; it is denied.",
            DENIED,
            begins_in_polls_denied,
        )
        .mfa("failed"),
        story(
            "report-only-device",
            "A policy that only reports asks for the certificate of the device, which has none; MFA is passed.",
            PASSED,
            report_only,
        )
        .mfa("passed")
        .faulty()
        .early(&[UNDETERMINED]),
        story(
            "inspected-device-blocked",
            "The box that decrypts keeps the certificate of the device back; MFA is passed, and the policy wants a joined device.",
            BLOCKED,
            inspected_device,
        )
        .mfa("passed")
        .faulty()
        .also(&[("blocked_by_policy", "network")])
        .early(&[UNDETERMINED, PASSED]),
    ]
}

/// Other accounts, providers and methods.
fn others() -> Vec<Story> {
    vec![
        story(
            "customers-own-mfa",
            "A tenant for customers with flows of its own and a call of its own, which is answered.",
            PASSED,
            customers_own,
        )
        .also(&[WITHOUT, UNDETERMINED, NOTHING])
        .early(&[UNDETERMINED, NOTHING])
        .dark(&[UNREADABLE, NOTHING]),
        story(
            "personal-passkey",
            "A personal account with a passkey, and back to the application.",
            WITHOUT,
            personal_passkey,
        )
        .also(&[PASSED, UNDETERMINED, NOTHING])
        .early(&[UNDETERMINED, NOTHING])
        .dark(&[UNREADABLE, NOTHING]),
        story(
            "provider-password-then-wrong-code",
            "The federation server refuses the first password and takes the second; the text message's code is wrong.",
            WRONG,
            provider_then_wrong,
        )
        .mfa("failed"),
        story(
            "external-after-four-minutes",
            "The external method comes back after four minutes.",
            PASSED,
            external_late,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, LEFT]),
    ]
}

/// Programs.
fn programs() -> Vec<Story> {
    let early = [UNDETERMINED, NOTHING];
    vec![
        story(
            "second-resource-50076",
            "A program renews its token for one resource; for the next one MFA is asked for.",
            PROMPT,
            second_resource,
        )
        .program()
        .early(&[UNDETERMINED, WITHOUT, NOTHING]),
        story(
            "provider-usernamemixed-unanswered",
            "SOAP with name and password for a federation server that does not answer.",
            BEFORE,
            usernamemixed_dead,
        )
        .program()
        .dark(&[BEFORE, UNREADABLE])
        .early(&early),
        story(
            "broker-prt-50097",
            "The broker of Windows is told to prove its device, and gives up.",
            ("other_error", "policy"),
            broker_50097,
        )
        .program()
        .also(&[BLOCKED])
        .early(&early),
        story(
            "us-government-refresh-504",
            "In the cloud of the US Government the proxy waits in vain as a program renews its token.",
            BEFORE,
            us_refresh_504,
        )
        .program()
        .host("login.microsoftonline.us")
        .dark(&[BEFORE])
        .early(&early),
    ]
}

fn next_user(t: &mut Teller) {
    t.user = format!("colleague@{}", t.domain);
    t.correlation = t.guid();
    t.state = t.secret(40);
}

fn passes(t: &mut Teller) {
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn passes_undecided(t: &mut Teller) {
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    t.finishes("PhoneAppNotification");
}

fn first_user_cut(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.decides();
    for count in 4..9 {
        let item = t.poll_get("PhoneAppNotification", &session, count);
        t.put(item.fails(Fault::Reset).took(0.2));
        t.wait(1.4);
    }
    t.wait(40.0);
    next_user(t);
    t.to_challenge(&["PhoneAppNotification"]);
    passes_undecided(t);
}

fn provider_dead_other_passed(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    t.decides();
    for _ in 0..2 {
        t.put(get(url.clone()).fails(Fault::Unanswered).took(21.0));
        t.wait(4.0);
    }
    t.wait(30.0);
    next_user(t);
    t.user = String::from("visitor@woodgrove.example");
    t.to_challenge(&["PhoneAppNotification"]);
    passes_undecided(t);
}

fn tab_left(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP", "PhoneAppNotification"]);
    t.wait(4.0);
    t.correlation = t.guid();
    t.state = t.secret(40);
    t.from_app();
    let url = t.authorize_url("");
    t.challenge_in(get(url), &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.wait(1.0);
    passes(t);
}

fn tab_duplicate(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    let (correlation, state) = (t.correlation.clone(), t.state.clone());
    t.correlation = t.guid();
    t.state = t.secret(40);
    t.from_app();
    let url = t.authorize_url("");
    t.challenge_in(get(url), &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.wait(0.5);
    t.begins_with("PhoneAppNotification", "UserAuthFailedDuplicateRequest", &json!({}));
    t.correlation = correlation;
    t.state = state;
    t.pends("PhoneAppNotification", &session, 4, 2, 1.2);
    t.decides();
    t.poll("PhoneAppNotification", &session, 6, "Success");
    t.finishes("PhoneAppNotification");
}

fn frame_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 2, 1.2);
    let kept = t.correlation.clone();
    t.correlation = t.guid();
    for _ in 0..3 {
        let url = format!("{}&prompt=none", t.authorize_url(""));
        t.put(get(url).fails(Fault::BlockedByClient).took(0.01).part());
        t.wait(0.4);
    }
    t.correlation = kept;
    t.pends("PhoneAppNotification", &session, 3, 2, 1.2);
    t.decides();
    t.poll("PhoneAppNotification", &session, 5, "Success");
    t.finishes("PhoneAppNotification");
}

fn loaded_in_polls(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 5, 1.2);
    let stray = t.poll_get("PhoneAppNotification", &session, 6);
    t.put(stray.fails(Fault::Cancelled).took(0.05));
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.wait(1.0);
    passes(t);
}

fn passkey_fails(t: &mut Teller, fault: &Fault, took: f64) {
    t.to_challenge(&["FidoKey"]);
    t.decides();
    for _ in 0..2 {
        passkey_page(t);
        let last = t.items.len() - 1;
        t.items[last] = t.items[last].clone().fails(fault.clone()).took(took);
        t.items[last].fields.clear();
        t.wait(7.0);
    }
    t.elsewhere(45.0);
}

fn passkey_407(t: &mut Teller) {
    passkey_fails(t, &Fault::Proxy(407), 0.1);
}

fn passkey_sinkhole(t: &mut Teller) {
    passkey_fails(t, &Fault::Sinkhole("0.0.0.0"), 0.1);
}

fn vpn_comes_up(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 4, 1.2);
    t.extras.push(Extra::Tunnel(4500, t.now, 40.0));
    t.decides();
    let item = t.poll_get("PhoneAppNotification", &session, 5);
    t.put(item.fails(Fault::NetworkChanged).took(0.8));
    t.wait(70.0);
    for count in 6..10 {
        let item = t.poll_get("PhoneAppNotification", &session, count);
        t.put(item.fails(Fault::NameUnknown).took(0.05));
        t.wait(2.0);
    }
    t.elsewhere(15.0);
}

fn portal_then_passed(t: &mut Teller) {
    let portal = "http://portal.cafe.example/start";
    t.put(get("http://www.msftconnecttest.com/connecttest.txt").goes(302, portal));
    t.put(get(portal).html("<html><head><title>Free Wi-Fi</title></head><body><form method=\"post\" action=\"/accept\"><button>Accept the terms</button></form></body></html>"));
    for _ in 0..2 {
        let url = t.authorize_url("");
        t.put(get(url).fails(Fault::Untrusted("CN=portal.cafe.example")).took(0.2));
        t.wait(5.0);
    }
    t.put(
        post("http://portal.cafe.example/accept", "terms=1")
            .goes(302, "http://www.msftconnecttest.com/redirect"),
    );
    t.put(
        get("http://www.msftconnecttest.com/connecttest.txt")
            .body("text/plain", "Microsoft Connect Test"),
    );
    t.wait(6.0);
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
}

fn both_dead(t: &mut Teller) {
    t.extras.push(Extra::DeadSix);
    t.from_app();
    t.decides();
    for _ in 0..2 {
        let url = t.authorize_url("");
        t.put(get(url).fails(Fault::Unanswered).took(21.0));
        t.wait(3.0);
    }
    t.elsewhere(10.0);
}

fn finish_black_hole(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    t.decides();
    for _ in 0..2 {
        let mut item = t.finish_post("PhoneAppNotification");
        let padding = t.secret(3000);
        item.form = item.form.map(|(kind, body)| {
            (kind, body.replace("&flowToken=", &format!("&flowToken={padding}")))
        });
        t.put(item.fails(Fault::BlackHole).took(30.0));
        t.wait(3.0);
    }
    t.elsewhere(20.0);
}

fn balancer_503(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.decides();
    for _ in 0..3 {
        let mut item = t.begin_post("PhoneAppNotification");
        item.is_service = false;
        t.put(item.status(503).field("Connection", "close").html("<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>"));
        t.wait(5.0);
    }
    t.elsewhere(20.0);
}

fn china_begin_reset(t: &mut Teller) {
    t.login = "login.partner.microsoftonline.cn";
    t.to_challenge(&["PhoneAppNotification", "OneWaySMS"]);
    t.decides();
    for method in ["PhoneAppNotification", "PhoneAppNotification", "OneWaySMS"] {
        let item = t.begin_post(method);
        t.put(item.fails(Fault::Reset).took(0.3));
        t.wait(4.0);
    }
    t.elsewhere(20.0);
}

fn password_then_denied(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let body = pages::page(
        t,
        "ConvergedSignIn",
        &json!({"sErrorCode": "50126", "arrValErrs": ["50126"], "sPOST_Username": t.user}),
    );
    t.put(item.html(body));
    t.wait(5.0);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "PhoneAppDenied");
    t.elsewhere(40.0);
}

fn number_then_text(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification", "OneWaySMS"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 40, 3.1);
    t.wait(9.0);
    let session = t.begins("OneWaySMS");
    t.decides();
    t.code("OneWaySMS", &session, 1, "Success", false);
    t.finishes("OneWaySMS");
}

fn asked_again(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    passes_undecided(t);
    t.wait(1200.0);
    t.correlation = t.guid();
    t.state = t.secret(40);
    t.from_app();
    let url = t.authorize_url("&max_age=900");
    t.challenge_in(
        get(url),
        &["PhoneAppNotification"],
        &json!({"sErrorCode": "50078", "arrValErrs": ["50078"]}),
    );
    t.page_script("ConvergedTFA");
    t.wait(1.0);
    t.polled("PhoneAppNotification", 20, 2.7, "PhoneAppNoResponse");
    t.elsewhere(30.0);
}

fn blocked_then_passed(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let body = pages::policy(t, 53003, 5, 16);
    t.put(item.html(body));
    t.wait(90.0);
    t.correlation = t.guid();
    t.state = t.secret(40);
    t.to_challenge(&["PhoneAppNotification"]);
    passes(t);
}

fn registered_then_passed(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let token = t.secret(120);
    let body = pages::page(
        t,
        "ConvergedProofUpRedirect",
        &json!({"sErrorCode": "50072", "arrValErrs": ["50072"], "sProofUpToken": token, "sProofUpTokenName": "evo_code", "urlPost": "https://mysignins.microsoft.com/register?csrf_token=1", "sPOST_Username": t.user}),
    );
    t.put(item.html(body));
    t.wait(2.0);
    let form = pages::form(&[("evo_code", token), ("state", t.secret(30))]);
    t.put(post("https://mysignins.microsoft.com/register?csrf_token=1", form).html("<!DOCTYPE html><html><head><title>My Sign-Ins | Register</title></head><body>Keep your account secure</body></html>"));
    for _ in 0..3 {
        t.wait(12.0);
        t.put(
            post_json("https://mysignins.microsoft.com/api/authenticationmethods/verify", "{}")
                .json(&json!({"VerificationState": 1}))
                .part(),
        );
    }
    t.wait(8.0);
    let context = t.secret(100);
    let url = t.sts(&format!("/{}/resume?ctx={context}", t.tenant));
    t.challenge_in(get(url), &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.wait(1.0);
    passes(t);
}

fn in_polls(t: &mut Teller, result: &str) {
    let session = t.guid();
    t.pends("PhoneAppNotification", &session, 5, 4, 1.2);
    t.decides();
    t.poll("PhoneAppNotification", &session, 9, result);
}

fn begins_in_polls_passed(t: &mut Teller) {
    in_polls(t, "Success");
    t.finishes("PhoneAppNotification");
}

fn begins_in_polls_denied(t: &mut Teller) {
    in_polls(t, "PhoneAppDenied");
    t.elsewhere(15.0);
}

/// The device is asked for a certificate that does not come; the answer to what follows is for the caller.
fn without_certificate(t: &mut Teller) -> Item {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let url = format!("{DEVICE}?request={}", t.secret(90));
    t.put(item.goes(302, url.clone()));
    t.put(get(url).fails(Fault::NoClientCertificate).took(0.4));
    t.wait(2.0);
    let form = pages::form(&[("ctx", t.secret(90)), ("flowtoken", t.secret(120))]);
    post(t.sts("/common/DeviceAuthTls/reprocess"), form).service()
}

fn report_only(t: &mut Teller) {
    let item = without_certificate(t);
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.wait(1.0);
    passes(t);
}

fn inspected_device(t: &mut Teller) {
    let item = without_certificate(t);
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.wait(1.0);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    t.decides();
    let body = pages::policy(t, 53001, 3, 7);
    t.put(item.html(body));
    t.elsewhere(18.0);
}

fn customers_own(t: &mut Teller) {
    t.login = "adventureworks.b2clogin.com";
    let base = "/adventureworks.onmicrosoft.com/B2C_1A_signin_mfa";
    let url = t.sts(&format!(
        "{base}/oauth2/v2.0/authorize?client_id={}&response_type=code&scope=openid&redirect_uri={}&state={}",
        t.client,
        pages::percent(&format!("https://{}{}", t.app, t.app_path)),
        t.state
    ));
    t.put(get(format!("https://{}/", t.app)).goes(302, url.clone()));
    t.put(get(url).html("<!DOCTYPE html><html><head><title>Sign in</title><script>var SETTINGS = {\"api\":\"CombinedSigninAndSignup\",\"csrf\":\"FAKESECRET\",\"transId\":\"StateProperties=FAKESECRET\"};</script></head></html>"));
    t.wait(9.0);
    let tail = "?tx=StateProperties=FAKESECRET&p=B2C_1A_signin_mfa";
    let form = pages::form(&[
        ("request_type", "RESPONSE".to_owned()),
        ("signInName", t.user.clone()),
        ("password", t.secret(8)),
    ]);
    let url = t.sts(&format!("{base}/SelfAsserted{tail}"));
    t.put(post(url, form).json(&json!({"status": "200"})).part());
    let url = t.sts(&format!("{base}/api/CombinedSigninAndSignup/confirmed{tail}"));
    t.put(get(url).html("<!DOCTYPE html><html><head><title>Multi-factor authentication</title><script>var SETTINGS = {\"api\":\"Phonefactor\"};</script></head></html>"));
    t.wait(3.0);
    let url = t.sts(&format!("{base}/Phonefactor/verify{tail}"));
    let form = pages::form(&[
        ("request_type", "VERIFICATION_REQUEST".to_owned()),
        ("auth_type", "twoway".to_owned()),
    ]);
    t.put(post(url, form).json(&json!({"status": "200"})).took(14.0).part());
    let code = t.secret(180);
    let to = format!("https://{}{}?code={code}&state={}", t.app, t.app_path, t.state);
    let url = t.sts(&format!("{base}/api/Phonefactor/confirmed{tail}"));
    t.decides();
    t.put(get(url).goes(302, to.clone()));
    t.put(get(to).html("<html><title>Welcome</title></html>"));
}

fn personal_passkey(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.wait(4.0);
    let url = t.sts("/common/GetCredentialType?mkt=en-US");
    t.put(post_json(url, "{\"username\":\"someone@outlook.example\"}").json(&json!({"IfExistsResult": 5, "EstsProperties": {"DomainType": 2}, "Credentials": {"PrefCredential": 6}})).service().part());
    let context = t.secret(80);
    let live = format!(
        "https://login.live.com/oauth20_authorize.srf?client_id={}&scope=openid&redirect_uri=https%3a%2f%2flogin.microsoftonline.com%2fcommon%2ffederation%2foauth2msa&state={context}",
        t.guid()
    );
    t.put(get(live).html("<!DOCTYPE html><html><head><title>Sign in to your Microsoft account</title><script>var ServerData = {urlPost:'https://login.live.com/ppsecure/post.srf',urlFidoLogin:'https://login.microsoft.com/consumers/fido/get'};</script></head></html>"));
    t.wait(3.0);
    t.put(post("https://login.microsoft.com/consumers/fido/get?uiflavor=Web", "username=someone%40outlook.example").html("<!DOCTYPE html><html><head><title>Face, fingerprint, PIN or security key</title></head></html>"));
    t.wait(6.0);
    let form = pages::form(&[
        ("login", "someone@outlook.example".to_owned()),
        ("type", "23".to_owned()),
        ("assertion", t.secret(200)),
        ("PPFT", t.secret(60)),
    ]);
    let fields = [("code", t.secret(40)), ("state", context)];
    let back = t.sts("/common/federation/oauth2msa");
    t.put(
        post("https://login.live.com/ppsecure/post.srf", form)
            .html(pages::hidden_form(&back, &fields))
            .fleeting(),
    );
    t.decides();
    t.returns(post(back, pages::form(&fields)).service());
}

fn provider_then_wrong(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    let form_page = |said: &str| {
        format!(
            "<!DOCTYPE html><html><head><title>Sign In</title></head><body><form method=\"post\" id=\"loginForm\"><span id=\"errorText\">{said}</span><input name=\"UserName\"/></form></body></html>"
        )
    };
    t.put(get(url.clone()).html(form_page("")));
    t.wait(6.0);
    let form = pages::form(&[("UserName", t.user.clone()), ("Password", t.secret(8))]);
    t.put(post(url.clone(), form).html(form_page("Incorrect user ID or password.")));
    t.wait(8.0);
    let form = pages::form(&[("UserName", t.user.clone()), ("Password", t.secret(8))]);
    let fields =
        [("wa", "wsignin1.0".to_owned()), ("wresult", t.secret(200)), ("wctx", t.secret(60))];
    let to = t.sts("/login.srf");
    t.put(post(url, form).html(pages::hidden_form(&to, &fields)).fleeting());
    let item = t.federated_return();
    t.challenge_in(item, &["OneWaySMS"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.wait(1.0);
    let session = t.begins("OneWaySMS");
    t.decides();
    t.code("OneWaySMS", &session, 1, "SMSAuthFailedWrongCodeEntered", true);
    t.elsewhere(50.0);
}

fn external_late(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "verify.keysource.example");
    for _ in 0..12 {
        t.wait(20.0);
        t.put(
            get("https://verify.keysource.example/frame/status")
                .json(&json!({"status": "waiting"}))
                .part(),
        );
    }
    let form = pages::form(&[("id_token", t.secret(200)), ("state", t.secret(80))]);
    t.decides();
    let item = post(t.sts("/common/federation/externalauthprovider"), form).service();
    t.kept_and_returned(item);
}

fn second_resource(t: &mut Teller) {
    t.process = Some("Teams:9044");
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more);
    let body = pages::tokens(t);
    t.put(item.json(&body));
    t.wait(1.0);
    let form = pages::form(&[
        ("client_id", t.client.clone()),
        ("grant_type", "refresh_token".to_owned()),
        ("scope", "https://vault.azure.net/.default".to_owned()),
        ("refresh_token", t.secret(200)),
    ]);
    let url = t.sts(&format!("/{}/oauth2/v2.0/token", t.tenant));
    let item = post(url, form)
        .asks("client-request-id", t.correlation.clone())
        .asks("x-client-SKU", "MSAL.NetCore")
        .service()
        .part();
    t.decides();
    let more = pages::claims(t);
    let body = pages::refused(t, "invalid_grant", 50076, &more);
    t.put(item.status(400).json(&body));
    t.wait(5.0);
}

fn usernamemixed_dead(t: &mut Teller) {
    t.process = Some("legacy-sync:4410");
    let url = t.sts(&format!("/common/userrealm/{}?api-version=1.0", t.user));
    let active = format!("https://sts.{}/adfs/services/trust/2005/usernamemixed", t.domain);
    let body = json!({"ver": "1.0", "account_type": "Federated", "domain_name": t.domain, "federation_protocol": "WSTrust", "federation_active_auth_url": active, "cloud_instance_name": "microsoftonline.com"});
    t.put(get(url).json(&body).service().part());
    let (user, password) = (t.user.clone(), t.secret(8));
    let asked = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><o:Security xmlns:o=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"><o:UsernameToken><o:Username>{user}</o:Username><o:Password>{password}</o:Password></o:UsernameToken></o:Security></s:Header><s:Body/></s:Envelope>"
    );
    t.decides();
    for _ in 0..3 {
        let mut item = post(active.clone(), asked.clone()).part();
        item.form = item.form.map(|(_, body)| ("application/soap+xml; charset=utf-8", body));
        t.put(item.fails(Fault::Unanswered).took(21.0));
        t.wait(5.0);
    }
}

fn broker_50097(t: &mut Teller) {
    t.process = Some("Microsoft.AAD.BrokerPlugin:7764");
    let url = t.sts("/common/oauth2/token");
    let nonce = t.secret(60);
    t.put(
        post(url.clone(), "grant_type=srv_challenge&windows_api_version=2.0")
            .json(&json!({"Nonce": nonce}))
            .service()
            .part(),
    );
    t.decides();
    for _ in 0..2 {
        let form = pages::form(&[
            ("windows_api_version", "2.2".to_owned()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("request", t.secret(400)),
            ("client_id", t.client.clone()),
        ]);
        let item = post(url.clone(), form)
            .asks("client-request-id", t.correlation.clone())
            .service()
            .part();
        let body = pages::refused(t, "interaction_required", 50097, &json!({}));
        t.put(item.status(400).json(&body));
        t.wait(4.0);
    }
}

fn us_refresh_504(t: &mut Teller) {
    t.login = "login.microsoftonline.us";
    t.process = Some("OUTLOOK:5312");
    for turn in 0..3 {
        let more = [("refresh_token", t.secret(200))];
        let item = t.token_post("refresh_token", &more);
        if turn == 0 {
            t.decides();
        }
        t.put(item.fails(Fault::Proxy(504)).took(20.0));
        t.wait(6.0);
    }
}
