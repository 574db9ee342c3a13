//! After the challenge was posed: it could not be begun, polled or finished. And faults of the service.

use serde_json::json;

use super::damage::Damage;
use super::label::{
    AFTER, BEFORE, Format, NOTHING, Reading, Story, UNDETERMINED, UNREADABLE, story,
};
use super::pages;
use super::stories_healthy::{external_begin, passkey_page};
use super::teller::{Fault, Teller, get, post};

const LOGIN: &str = "login.microsoftonline.com";
const SERVICE: Reading = ("mfa_service_failed", "service");
const CUT: [Reading; 3] = [BEFORE, AFTER, UNREADABLE];

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[
    (
        "external-host-dead, begins late",
        "`no_sign_in` as well: only a host that no table knows is asked for",
    ),
    (
        "external-host-dead, in Fiddler and in packets",
        "`undetermined` as well: no page names the host of the provider and no request to it is seen, only that some unknown host could not be reached; never that the user did not go on",
    ),
    (
        "certificate-host-reset, in Fiddler",
        "`undetermined` as well: a host that asks for the user's certificate ends the handshake of a Fiddler that decrypts in the same way, because Fiddler has none to show",
    ),
    (
        "poll-503-then-passed, ends early",
        "`mfa_service_failed` as well: the last answers are faults of the service",
    ),
];

pub(crate) fn stories() -> Vec<Story> {
    let after = |name, told, tell| story(name, told, AFTER, tell).host(LOGIN).dark(&CUT);
    vec![
        after(
            "begin-blocked",
            "A filter answers the request that begins the challenge.",
            begin_blocked,
        )
        .dark(&[UNREADABLE]),
        after(
            "begin-black-hole",
            "The request that begins the challenge is too large for the way, and is lost.",
            begin_black_hole,
        )
        .measured(),
        after(
            "begin-reset",
            "The request that begins the challenge is reset, each time.",
            begin_reset,
        ),
        after("polls-cut", "Polls are closed by a proxy that is tired of waiting.", polls_cut)
            .mfa("begun"),
        after(
            "polls-network-changed",
            "The client changes its network during the polls, and has none after.",
            polls_network_changed,
        )
        .mfa("begun")
        .measured()
        .seen(&[Format::Saz, Format::Keyed, Format::KeyedTwo], &[AFTER, UNDETERMINED]),
        after("polls-silent", "From some poll on nothing comes back any more.", polls_silent)
            .mfa("begun")
            .measured(),
        after(
            "polls-blocked",
            "A filter learns of the polls, and answers them itself.",
            polls_blocked,
        )
        .dark(&[UNREADABLE]),
        after("finish-reset", "The user approves; handing the result in is reset.", finish_reset)
            .mfa("passed")
            .measured(),
        after(
            "finish-name-gone",
            "The user approves; then the sign-in host has no name any more.",
            finish_name_gone,
        )
        .mfa("passed"),
        after(
            "passkey-page-blocked",
            "The page for the passkey is on another host, which is refused.",
            passkey_page_blocked,
        )
        .host("login.microsoft.com")
        .measured()
        .dark(&[BEFORE, AFTER, UNREADABLE]),
        after("external-host-dead", "The external provider has no name here.", external_dead)
            .host("idp.strongauth.example")
            .dark(&[UNREADABLE, AFTER, BEFORE])
            .late(&[AFTER, BEFORE, UNDETERMINED, NOTHING])
            .besides(
                &[Format::Saz, Format::Keyed, Format::KeyedTwo],
                &Damage::ALL,
                &[UNDETERMINED],
            ),
        after(
            "external-return-cut",
            "The external provider is done, the way back to the service is cut.",
            external_return_cut,
        )
        .measured(),
        after(
            "certificate-host-reset",
            "The host for user certificates is reset at its name.",
            certificate_host,
        )
        .host("certauth.login.microsoftonline.com")
        .dark(&[UNREADABLE, AFTER, BEFORE])
        .besides(&[Format::Saz], &Damage::ALL, &[UNDETERMINED]),
        story("service-503", "The service itself answers 503 to the challenge.", SERVICE, |t| {
            service_says(t, 503)
        }),
        story("service-429", "The service throttles the challenge.", SERVICE, |t| {
            service_says(t, 429)
        })
        .measured(),
        story("service-50087", "The MFA service has a temporary fault.", SERVICE, |t| {
            service_error(t, 50087)
        })
        .mfa("failed"),
        story("service-50086", "The MFA service has failed for good.", SERVICE, |t| {
            service_error(t, 50086)
        })
        .mfa("failed")
        .measured(),
        story("service-internal", "The final poll says InternalError.", SERVICE, |t| {
            service_result(t, "InternalError")
        })
        .mfa("failed"),
        story("service-validation", "The final poll says SASValidationFailed.", SERVICE, |t| {
            service_result(t, "SASValidationFailed")
        })
        .mfa("failed")
        .measured(),
        story(
            "poll-503-then-passed",
            "Two polls answer 503, the next ones are fine, the user approves.",
            ("mfa_completed", "nothing_wrong"),
            poll_503,
        )
        .mfa("passed")
        .early(&[UNDETERMINED, SERVICE]),
    ]
}

fn begin_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let product = t.random.below(3);
    t.decides();
    for _ in 0..2 {
        let mut item = t.begin_post("PhoneAppNotification");
        item.is_service = false;
        t.put(pages::block_page(item, 403, product));
        t.wait(4.0);
    }
    t.elsewhere(20.0);
}

fn begin_black_hole(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.decides();
    for _ in 0..2 {
        let mut item = t.begin_post("PhoneAppNotification");
        let padding = t.secret(3000);
        item.form = item.form.map(|(kind, body)| {
            (kind, body.replace("\"flowToken\":\"", &format!("\"flowToken\":\"{padding}")))
        });
        t.put(item.fails(Fault::BlackHole).took(30.0));
        t.wait(2.0);
    }
}

fn begin_reset(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.decides();
    for _ in 0..3 {
        let item = t.begin_post("PhoneAppNotification");
        t.put(item.fails(Fault::Reset).took(0.2));
        t.wait(2.0);
    }
    t.elsewhere(20.0);
}

/// A push, polled some times, and then polls that fail.
fn polls_fail(t: &mut Teller, fault: &Fault, took: f64, times: u32) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.decides();
    for count in 0..times {
        let item = t.poll_get("PhoneAppNotification", &session, 4 + count);
        t.put(item.fails(fault.clone()).took(took));
        t.wait(1.4);
    }
}

fn polls_cut(t: &mut Teller) {
    polls_fail(t, &Fault::Closed, 10.0, 5);
    t.elsewhere(15.0);
}

fn polls_network_changed(t: &mut Teller) {
    polls_fail(t, &Fault::NetworkChanged, 2.0, 1);
    for count in 0..4 {
        let item =
            t.poll_get("PhoneAppNotification", "11111111-2222-4333-8444-555555555555", 6 + count);
        t.put(item.fails(Fault::Offline).took(0.01));
        t.wait(1.5);
    }
}

fn polls_silent(t: &mut Teller) {
    polls_fail(t, &Fault::Silent, 30.0, 2);
}

fn polls_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 2, 1.2);
    let product = t.random.below(3);
    t.decides();
    for count in 0..5 {
        let mut item = t.poll_get("PhoneAppNotification", &session, 3 + count);
        item.is_service = false;
        t.put(pages::block_page(item, 200, product));
        t.wait(1.2);
    }
    t.elsewhere(20.0);
}

fn approved(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
}

fn finish_reset(t: &mut Teller) {
    approved(t);
    t.decides();
    for _ in 0..2 {
        let item = t.finish_post("PhoneAppNotification");
        t.put(item.fails(Fault::Reset).took(0.3));
        t.wait(3.0);
    }
    t.elsewhere(20.0);
}

fn finish_name_gone(t: &mut Teller) {
    approved(t);
    t.wait(75.0);
    t.decides();
    for _ in 0..2 {
        let item = t.finish_post("PhoneAppNotification");
        t.put(item.fails(Fault::NameUnknown).took(0.05));
        t.wait(6.0);
    }
    t.elsewhere(20.0);
}

fn passkey_page_blocked(t: &mut Teller) {
    t.to_challenge(&["FidoKey"]);
    t.decides();
    passkey_page(t);
    let last = t.items.len() - 1;
    t.items[last] = t.items[last].clone().fails(Fault::Refused);
    t.items[last].fields.clear();
    t.wait(3.0);
    let url = t.items[last].url.clone();
    t.put(post(url, "canary=x").fails(Fault::Refused).took(1.1));
    t.elsewhere(20.0);
}

fn external_dead(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    t.decides();
    for _ in 0..2 {
        external_begin(t, "idp.strongauth.example");
        let last = t.items.len() - 1;
        t.items[last] = t.items[last].clone().fails(Fault::NameUnknown);
        t.items[last].fields.clear();
        t.wait(6.0);
    }
    t.elsewhere(20.0);
}

fn external_return_cut(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "idp.strongauth.example");
    t.wait(9.0);
    t.decides();
    for _ in 0..2 {
        let form = pages::form(&[("id_token", t.secret(200)), ("state", t.secret(80))]);
        let item = post(t.sts("/common/federation/externalauthprovider"), form);
        t.put(item.fails(Fault::Reset).took(0.3));
        t.wait(3.0);
    }
    t.elsewhere(20.0);
}

fn certificate_host(t: &mut Teller) {
    t.to_challenge(&["Certificate"]);
    t.decides();
    for _ in 0..2 {
        let form = pages::form(&[("ctx", t.secret(80)), ("flowToken", t.secret(120))]);
        let url = format!("https://certauth.login.microsoftonline.com/{}/certauth", t.tenant);
        t.put(post(url, form).fails(Fault::ResetAfterHello).took(0.2));
        t.wait(4.0);
    }
    t.elsewhere(20.0);
}

fn service_says(t: &mut Teller, status: u16) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.decides();
    for _ in 0..3 {
        let item = t.begin_post("PhoneAppNotification").status(status).field("Retry-After", "30");
        t.put(item.json(&json!({"error": {"code": if status == 429 { "6004" } else { "6000" }, "message": "busy"}})));
        t.wait(5.0);
    }
    t.elsewhere(20.0);
}

fn service_error(t: &mut Teller, code: u32) {
    approved(t);
    let item = t.finish_post("PhoneAppNotification");
    t.decides();
    let body = pages::error(t, code, &json!({}));
    t.put(item.html(body));
    t.elsewhere(20.0);
}

fn service_result(t: &mut Teller, result: &str) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, result);
    t.elsewhere(20.0);
}

fn poll_503(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 2, 1.2);
    for count in 3..5 {
        let item = t.poll_get("PhoneAppNotification", &session, count).status(503);
        t.put(item.json(&json!({"error": {"code": "6000", "message": "busy"}})));
        t.wait(1.2);
    }
    t.decides();
    t.poll("PhoneAppNotification", &session, 5, "Success");
    t.finishes("PhoneAppNotification");
    t.beside(get("https://www.woodgrove.example/").html("<html></html>"));
}
