//! Policies, devices, applications that refuse, and clients that stop themselves.

use serde_json::json;

use super::damage::Damage;
use super::label::{
    AFTER, APPLICATION, BEFORE, BLOCKED, Format, NEVER, NOTHING, PASSED, Reading, Story,
    UNDETERMINED, UNREADABLE, story,
};
use super::pages;
use super::stories_healthy::other_app;
use super::teller::{Fault, Teller, get, post, post_json};

const CLIENT: Reading = ("prevented_by_client", "application");

/// Where requests that never left the browser are not seen at all.
const OUTSIDE: [Format; 3] = [Format::Saz, Format::Keyed, Format::KeyedTwo];
const UNSHOWN: [Format; 5] =
    [Format::Saz, Format::Keyed, Format::KeyedTwo, Format::Dark, Format::DarkProxy];
const UNSEEN: [Reading; 3] = [UNDETERMINED, CLIENT, NEVER];

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[
    (
        "device-host-intercepted and device-certificate-missing, end early",
        "`sign_in_prevented_by_network` as well: the way the sign-in was sent fails, and nothing follows",
    ),
    (
        "content-policy, in Fiddler and in packets",
        "begins late: `no_sign_in` as well, nothing of the sign-in is asked after the page; ends early: `mfa_not_attempted` as well, as of the whole, because what decides never left the browser and is not there to be cut off",
    ),
    (
        "two-faults-before, in packets without keys, ends early",
        "`no_sign_in` as well, as in the stories of a dead sign-in host: before the first request to it the packets hold connections of the application alone",
    ),
];

pub(crate) fn stories() -> Vec<Story> {
    vec![
        story("user-blocked", "The user is blocked for MFA: the first poll says so.", ("mfa_user_blocked", "policy"), user_blocked).mfa("failed"),
        story("policy-after-mfa", "MFA is passed, then Conditional Access blocks.", BLOCKED, policy_after).mfa("passed").measured().early(&[UNDETERMINED, PASSED]),
        story("device-not-compliant", "Conditional Access wants a compliant device.", BLOCKED, device_not_compliant),
        story("tenant-restricted", "Tenant restrictions of version 2 forbid the tenant.", BLOCKED, tenant_restricted).measured(),
        story("device-host-intercepted", "The device is asked for its certificate, a box in between is not trusted: 50097.", ("blocked_by_policy", "network"), device_intercepted).host("device.login.microsoftonline.com").early(&[UNDETERMINED, BEFORE]).dark(&[UNREADABLE]).seen(&[Format::Firefox], &[("blocked_by_policy", "network"), BLOCKED]),
        story("device-certificate-missing", "The device host asks for a certificate and gets none: 50097.", ("blocked_by_policy", "network"), device_without).host("device.login.microsoftonline.com").also(&[BLOCKED]).measured().early(&[UNDETERMINED, BEFORE]).dark(&[UNREADABLE]),
        story("strength-not-met", "The methods that are registered are not strong enough.", BLOCKED, strength_not_met).measured(),
        story("not-assigned", "The user is not assigned to the application, after MFA.", APPLICATION, not_assigned).mfa("passed").measured().early(&[UNDETERMINED, PASSED]),
        story("two-applications", "One application lets in, the other one is not assigned.", APPLICATION, two_applications).early(&[PASSED, UNDETERMINED]),
        story("consent-missing", "A hidden frame is told that consent is missing, and nobody goes on.", APPLICATION, consent_missing).measured().early(&[UNDETERMINED, NOTHING]),
        story("extension-blocks-script", "An extension blocks the script of the sign-in page.", CLIENT, extension_blocks).seen(&OUTSIDE, &UNSEEN).seen(&[Format::Firefox], &[CLIENT, UNDETERMINED]).early(&[UNDETERMINED, CLIENT]),
        story("content-policy", "A content policy forbids the script of the challenge page.", CLIENT, content_policy).measured().seen(&OUTSIDE, &UNSEEN).seen(&[Format::Firefox], &[CLIENT, UNDETERMINED]).early(&[UNDETERMINED]).besides(&UNSHOWN, &[Damage::StartsLate], &[NOTHING]).besides(&OUTSIDE, &Damage::CUTS, &[NEVER]),
        story("cookies-blocked", "The browser takes no cookies.", CLIENT, cookies_blocked),
        story("script-error", "The page script fails and reports it; nothing is begun.", CLIENT, script_error).measured().also(&[UNDETERMINED]).early(&[UNDETERMINED, CLIENT]),
        story("registration-from-elsewhere", "Security information may not be registered from here (53010).", BLOCKED, registration_blocked),
        story("security-block-page", "Guests may not come in by cross-tenant policy (500212).", BLOCKED, cross_tenant).measured(),
        story("external-misconfigured", "The external method is set up wrongly (50161).", APPLICATION, external_misconfigured),
        story("policy-and-dead-telemetry", "Conditional Access blocks; a script root of two is dead and telemetry resets.", BLOCKED, policy_beside_noise).mfa("passed").measured().faulty().early(&[UNDETERMINED, PASSED]).dark(&[UNREADABLE]),
        story("two-faults", "The first script root has no name, and beginning the challenge is answered by a filter.", AFTER, two_faults).host("login.microsoftonline.com").dark(&[UNREADABLE]).early(&[UNDETERMINED]).seen(&[Format::Firefox], &[AFTER]),
        story("two-faults-before", "The sign-in host is reset at its name, and the script roots have no name either.", BEFORE, two_faults_before).host("login.microsoftonline.com").dark(&[BEFORE]).measured().besides(&[Format::Dark, Format::DarkProxy], &Damage::CUTS, &[NOTHING]),
    ]
}

fn user_blocked(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.wait(1.0);
    t.decides();
    t.poll("PhoneAppNotification", &session, 1, "UserIsBlocked");
    t.elsewhere(20.0);
}

/// MFA passed, the page of a policy in the end.
fn passed_but(t: &mut Teller, code: u32, title: u32, description: u32) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    t.decides();
    let body = pages::policy(t, code, title, description);
    t.put(item.html(body));
    t.elsewhere(20.0);
}

fn policy_after(t: &mut Teller) {
    passed_but(t, 53003, 5, 4);
}

/// A password, and the page of a policy.
fn refused(t: &mut Teller, code: u32, title: u32, description: u32) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.late();
    t.decides();
    let body = pages::policy(t, code, title, description);
    t.put(item.html(body));
    t.elsewhere(20.0);
}

fn device_not_compliant(t: &mut Teller) {
    refused(t, 53000, 3, 7);
}

fn strength_not_met(t: &mut Teller) {
    refused(t, 53003, 12, 30);
}

fn registration_blocked(t: &mut Teller) {
    refused(t, 53010, 4, 22);
}

/// A password, and an error page.
fn error_page(t: &mut Teller, code: u32) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.late();
    t.decides();
    let body = pages::error(t, code, &json!({}));
    t.put(item.html(body));
    t.elsewhere(20.0);
}

fn tenant_restricted(t: &mut Teller) {
    error_page(t, 5_000_211);
}

fn cross_tenant(t: &mut Teller) {
    error_page(t, 500_212);
}

fn external_misconfigured(t: &mut Teller) {
    error_page(t, 50161);
}

/// The device is asked for its certificate.
fn device_asked(t: &mut Teller, fault: &Fault) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let context = t.secret(90);
    let url = format!("https://device.login.microsoftonline.com/?request={context}");
    t.put(item.goes(302, url.clone()));
    t.late();
    t.put(get(url).fails(fault.clone()).took(0.4));
    t.wait(2.0);
    let form = pages::form(&[("ctx", t.secret(90)), ("flowtoken", t.secret(120))]);
    t.decides();
    let body = pages::error(t, 50097, &json!({"sErrorCode": "50097"}));
    t.put(post(t.sts("/common/DeviceAuthTls/reprocess"), form).html(body).service());
    t.elsewhere(12.0);
}

fn device_intercepted(t: &mut Teller) {
    device_asked(t, &Fault::Untrusted("C=DE, O=Adatum Werke, CN=Adatum Web Gateway CA"));
}

fn device_without(t: &mut Teller) {
    device_asked(t, &Fault::NoClientCertificate);
}

fn not_assigned(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS"]);
    let session = t.begins("OneWaySMS");
    t.code("OneWaySMS", &session, 1, "Success", false);
    let item = t.finish_post("OneWaySMS");
    t.decides();
    let body = pages::error(t, 50105, &json!({}));
    t.put(item.html(body));
    t.elsewhere(18.0);
}

fn two_applications(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 2, 1.2);
    t.poll("PhoneAppNotification", &session, 3, "Success");
    t.finishes("PhoneAppNotification");
    t.wait(25.0);
    other_app(t);
    t.from_app();
    let url = t.authorize_url("");
    t.decides();
    let body = pages::error(t, 50105, &json!({"sPOST_Username": t.user}));
    t.put(get(url).html(body).service());
    t.elsewhere(12.0);
}

fn consent_missing(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    t.decides();
    t.silent(65001);
    t.elsewhere(60.0);
}

fn extension_blocks(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    t.page_style();
    t.decides();
    for root in [0, 1] {
        let script = t.script(root, "ConvergedSignIn");
        t.put(script.fails(Fault::BlockedByClient).took(0.01));
    }
    t.elsewhere(50.0);
}

fn content_policy(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.late();
    t.decides();
    for root in [0, 1] {
        let script = t.script(root, "ConvergedTFA");
        t.put(script.fails(Fault::ContentPolicy).took(0.01));
    }
    t.elsewhere(50.0);
}

fn cookies_blocked(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let to = t.sts("/cookiesdisabled");
    t.late();
    t.decides();
    t.put(item.goes(302, to.clone()));
    t.put(get(to).html("<!DOCTYPE html><html><head><title>Cookies are disabled</title></head><body>Your browser is currently set to block cookies.</body></html>").service());
    t.elsewhere(20.0);
}

fn script_error(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.decides();
    let url = t.sts("/common/handlers/watson");
    t.put(post_json(url, "{\"ec\":\"7\",\"wec\":\"501\",\"idx\":1,\"pn\":\"ConvergedTFA\",\"sc\":0,\"hpg\":1114,\"msg\":\"TypeError: Cannot read properties of undefined\",\"url\":\"https://login\",\"ln\":1}").status(200).json(&json!({})).service().part());
    t.elsewhere(60.0);
}

fn policy_beside_noise(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    let (first, second) = (t.script(0, "ConvergedSignIn"), t.script(1, "ConvergedSignIn"));
    t.put(first.fails(Fault::NameUnknown).took(0.05));
    t.put(second);
    t.beside(
        post("https://browser.events.data.microsoft.com/OneCollector/1.0/", "{}")
            .fails(Fault::ResetAfterHello)
            .took(0.1)
            .part(),
    );
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    let (first, second) = (t.script(0, "ConvergedTFA"), t.script(1, "ConvergedTFA"));
    t.put(first.fails(Fault::NameUnknown).took(0.05));
    t.put(second);
    t.late();
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    t.decides();
    let body = pages::policy(t, 53003, 5, 16);
    t.put(item.html(body));
    t.elsewhere(15.0);
}

fn two_faults(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    let (first, second) = (t.script(0, "ConvergedSignIn"), t.script(1, "ConvergedSignIn"));
    t.put(first.fails(Fault::NameUnknown).took(0.05));
    t.put(second);
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    let (first, second) = (t.script(0, "ConvergedTFA"), t.script(1, "ConvergedTFA"));
    t.put(first.fails(Fault::NameUnknown).took(0.05));
    t.put(second);
    t.late();
    t.decides();
    for _ in 0..2 {
        let mut item = t.begin_post("PhoneAppNotification");
        item.is_service = false;
        t.put(pages::block_page(item, 403, 0));
        t.wait(3.0);
    }
    t.elsewhere(15.0);
}

fn two_faults_before(t: &mut Teller) {
    let location = t.authorize_url("");
    t.put(get(format!("https://{}/", t.app)).goes(302, location.clone()));
    t.decides();
    t.put(get(location.clone()).fails(Fault::ResetAfterHello).took(0.2));
    t.put(get(location).fails(Fault::ResetAfterHello).took(0.2));
    let script = t.script(0, "ConvergedSignIn");
    t.put(script.fails(Fault::NameUnknown).took(0.05));
    t.elsewhere(9.0);
}
