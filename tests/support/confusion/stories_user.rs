//! The challenge was posed, and the user or the method did not get through.

use serde_json::json;

use super::damage::Damage;
use super::label::{
    AFTER, BEFORE, DENIED, Format, LEFT, METHOD, NEVER, NOTHING, Reading, Story, UNDETERMINED,
    UNREADABLE, WRONG, story,
};
use super::pages;
use super::stories_healthy::{external_begin, other_app, passkey_page};
use super::teller::{Fault, Teller, get, post};

const SILENT: Reading = ("mfa_no_answer", "user");
const REGISTER: Reading = ("registration_required", "user");
const OTHER: Reading = ("other_error", "user");

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[
    (
        "external-not-returned, ends early",
        "`mfa_abandoned` as well: in packets the client is still seen a minute later, as it closes idle connections, and the provider was not returned from",
    ),
    (
        "challenge-ignored, begins late",
        "`no_sign_in`: nothing of the sign-in is asked after the page",
    ),
    (
        "challenge-ignored and method-list-ignored, in packets with keys, stopped early",
        "`mfa_not_attempted` as well: the client is still seen a minute later, as it closes idle connections, which is what the specification asks for",
    ),
];

pub(crate) fn stories() -> Vec<Story> {
    vec![
        story("push-denied", "The user presses Deny.", DENIED, |t| {
            push_ends(t, 3, "PhoneAppDenied")
        })
        .mfa("failed"),
        story(
            "push-unanswered",
            "Nobody answers the push, the service says so at last.",
            SILENT,
            |t| push_ends(t, 24, "PhoneAppNoResponse"),
        )
        .mfa("failed")
        .measured(),
        story(
            "push-window-used-up",
            "Polls for two minutes without a final answer, then the page gives up.",
            SILENT,
            window_used_up,
        )
        .mfa("begun")
        .early(&[UNDETERMINED, SILENT]),
        story("number-wrong", "The wrong number is typed into the app.", WRONG, |t| {
            push_ends(t, 4, "PhoneAppEntropyIncorrect")
        })
        .mfa("failed")
        .also(&[DENIED])
        .measured(),
        story("fraud-reported", "The user reports the push as fraud.", DENIED, |t| {
            push_ends(t, 2, "PhoneAppFraudReported")
        })
        .mfa("failed"),
        story("sms-wrong", "A wrong code, then the user gives up.", WRONG, sms_wrong)
            .mfa("failed")
            .measured()
            .early(&[UNDETERMINED]),
        story(
            "code-too-often",
            "Three wrong codes, then no more are taken.",
            WRONG,
            code_too_often,
        )
        .mfa("failed")
        .early(&[UNDETERMINED, WRONG]),
        story("voice-unreachable", "The phone rings and nobody picks up.", SILENT, |t| {
            call_ends(t, "UserVoiceAuthFailedPhoneUnreachable")
        })
        .mfa("failed")
        .measured(),
        story("voice-hung-up", "The user hangs up.", DENIED, |t| {
            call_ends(t, "UserVoiceAuthFailedPhoneHungUp")
        })
        .mfa("failed")
        .also(&[SILENT]),
        story("pass-expired", "A Temporary Access Pass that has expired.", METHOD, pass_expired)
            .mfa("failed"),
        story(
            "passkey-cancelled",
            "The user cancels the passkey and goes elsewhere.",
            LEFT,
            passkey_cancelled,
        )
        .mfa("begun")
        .measured()
        .early(&[UNDETERMINED, LEFT]),
        story(
            "external-not-returned",
            "The external method is opened, and never comes back.",
            LEFT,
            external_not_returned,
        )
        .mfa("begun")
        .early(&[UNDETERMINED, LEFT]),
        story("external-error", "The external provider returns an error.", DENIED, external_error)
            .mfa("failed")
            .measured()
            .also(&[LEFT, METHOD, OTHER, ("other_error", "application")]),
        story(
            "left-after-number",
            "A number is shown, some polls, then the user goes elsewhere.",
            LEFT,
            left_after_number,
        )
        .mfa("begun")
        .measured()
        .early(&[UNDETERMINED, LEFT]),
        story(
            "challenge-ignored",
            "Page and scripts are there, nothing is begun, a minute later the user reads news.",
            NEVER,
            challenge_ignored,
        )
        .mfa("asked")
        .early(&[UNDETERMINED])
        .late(&[NOTHING])
        .besides(&[Format::Keyed, Format::KeyedTwo], &[Damage::StopsBefore], &[NEVER]),
        story(
            "method-list-ignored",
            "The page shows a list of methods, and the user never picks one.",
            NEVER,
            method_list_ignored,
        )
        .mfa("asked")
        .measured()
        .early(&[UNDETERMINED])
        .besides(&[Format::Keyed, Format::KeyedTwo], &[Damage::StopsBefore], &[NEVER]),
        story(
            "must-register",
            "No method is registered: 50072 and the page to register.",
            REGISTER,
            must_register,
        )
        .measured()
        .early(&[UNDETERMINED]),
        story(
            "registration-host-dead",
            "No method is registered, and the page to register cannot be reached.",
            ("registration_required", "network"),
            registration_host_dead,
        )
        .host("mysignins.microsoft.com")
        .early(&[UNDETERMINED, REGISTER])
        .dark(&[UNREADABLE])
        .seen(&[Format::Firefox], &[("registration_required", "network"), REGISTER]),
        story("password-wrong", "The password is wrong, twice.", OTHER, password_wrong)
            .mfa("not_asked")
            .early(&[UNDETERMINED, OTHER]),
        story(
            "account-locked",
            "The account is locked after bad passwords.",
            OTHER,
            account_locked,
        )
        .mfa("not_asked")
        .measured()
        .early(&[UNDETERMINED, OTHER]),
        story("method-locked", "The method is locked after too many tries.", METHOD, |t| {
            begin_refused(t, "AuthenticationMethodLocked")
        })
        .mfa("failed")
        .measured(),
        story("app-too-old", "The app on the phone is too old.", METHOD, |t| {
            push_ends(t, 3, "IncompatibleAppVersion")
        })
        .mfa("failed"),
        story(
            "registration-changed",
            "The app was set up anew, its old registration is no good.",
            METHOD,
            |t| push_ends(t, 1, "PhoneAppTokenChanged"),
        )
        .mfa("failed")
        .measured(),
        story(
            "page-too-old",
            "The page stood open for hours: 50089 when the result is handed in.",
            LEFT,
            page_too_old,
        )
        .measured()
        .early(&[UNDETERMINED]),
        story("two-users", "One user passes, then another one denies.", DENIED, two_users)
            .mfa("failed")
            .early(&[UNDETERMINED, ("mfa_completed", "nothing_wrong")]),
        story(
            "no-method-on-page",
            "A challenge page without a single method.",
            REGISTER,
            no_method,
        )
        .also(&[UNDETERMINED, NEVER])
        .measured()
        .early(&[UNDETERMINED, REGISTER]),
        story(
            "denied-and-telemetry-blocked",
            "The user denies; telemetry and pictures are blocked as well.",
            DENIED,
            denied_beside_noise,
        )
        .mfa("failed")
        .dark(&[UNREADABLE]),
        story(
            "denied-then-page-dead",
            "The user denies; when the page is loaded again the sign-in host is cut off.",
            DENIED,
            denied_then_dead,
        )
        .mfa("failed")
        .faulty()
        .also(&[BEFORE, AFTER])
        .dark(&[BEFORE, AFTER, UNREADABLE])
        .measured(),
    ]
}

fn push_ends(t: &mut Teller, polls: u32, result: &str) {
    t.to_challenge(&["PhoneAppNotification", "PhoneAppOTP"]);
    let every = if polls > 20 { 2.6 } else { 1.2 };
    t.polled("PhoneAppNotification", polls, every, result);
    t.elsewhere(9.0);
}

fn window_used_up(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 24, 5.1);
    t.decides();
    t.elsewhere(45.0);
}

fn sms_wrong(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS"]);
    let session = t.begins("OneWaySMS");
    t.decides();
    t.code("OneWaySMS", &session, 1, "SMSAuthFailedWrongCodeEntered", true);
    t.elsewhere(40.0);
}

fn code_too_often(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS"]);
    let session = t.begins("OneWaySMS");
    t.code("OneWaySMS", &session, 1, "SMSAuthFailedWrongCodeEntered", true);
    t.code("OneWaySMS", &session, 2, "SMSAuthFailedWrongCodeEntered", true);
    t.decides();
    t.code("OneWaySMS", &session, 3, "SMSAuthFailedMaxAllowedCodeRetryReached", false);
    t.elsewhere(12.0);
}

fn call_ends(t: &mut Teller, result: &str) {
    t.to_challenge(&["TwoWayVoiceMobile"]);
    t.polled("TwoWayVoiceMobile", 6, 9.0, result);
    t.elsewhere(8.0);
}

fn pass_expired(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    t.wait(9.0);
    let form = pages::form(&[
        ("login", t.user.clone()),
        ("loginfmt", t.user.clone()),
        ("type", "11".to_owned()),
        ("accesspass", t.secret(6)),
        ("canary", t.secret(30)),
        ("ctx", t.secret(80)),
        ("flowToken", t.secret(120)),
    ]);
    t.late();
    t.decides();
    let body = pages::page(
        t,
        "ConvergedSignIn",
        &json!({"sErrorCode": "AccessPassExpired", "arrValErrs": ["130504"], "sErrTxt": "", "sPOST_Username": t.user}),
    );
    t.put(post(t.sts("/common/login"), form).html(body).service());
    t.elsewhere(35.0);
}

fn passkey_cancelled(t: &mut Teller) {
    t.to_challenge(&["FidoKey"]);
    passkey_page(t);
    t.wait(14.0);
    t.decides();
    t.elsewhere(50.0);
}

fn external_not_returned(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "mfa.keysource.example");
    t.wait(30.0);
    t.put(
        get("https://mfa.keysource.example/frame/status")
            .json(&json!({"status": "waiting"}))
            .part(),
    );
    t.decides();
    t.elsewhere(200.0);
}

fn external_error(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "mfa.keysource.example");
    t.wait(12.0);
    let form = pages::form(&[
        ("error", "access_denied".to_owned()),
        ("error_description", "user did not verify".to_owned()),
        ("state", t.secret(80)),
    ]);
    t.decides();
    let item = post(t.sts("/common/federation/externalauthprovider"), form).service();
    t.challenge_in(
        item,
        &["ExternalAuthenticationMethod"],
        &json!({"sErrorCode": "500121", "arrValErrs": ["500121"]}),
    );
    t.elsewhere(40.0);
}

fn left_after_number(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 6, 1.2);
    t.decides();
    t.elsewhere(4.0);
    t.elsewhere(50.0);
}

fn challenge_ignored(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP"]);
    t.decides();
    t.elsewhere(70.0);
}

fn method_list_ignored(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let body =
        pages::challenge(t, &["OneWaySMS", "TwoWayVoiceMobile"], &json!({"fShowMethodList": true}));
    let body = body.replace("\"isDefault\":true", "\"isDefault\":false");
    t.put(item.html(body));
    t.page_parts("ConvergedTFA");
    t.decides();
    t.elsewhere(95.0);
}

/// The page that sends to register.
fn proof_up(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let (token, state) = (t.secret(120), t.secret(40));
    let body = pages::page(
        t,
        "ConvergedProofUpRedirect",
        &json!({
            "sErrorCode": "50072", "iErrorCode": 50072, "arrUserProofs": [], "urlPostRedirect": "https://mysignins.microsoft.com/register?csrf_token=1",
            "urlSkipMfaRegistration": "", "iRemainingDaysToSkipMfaRegistration": 0, "sProofUpToken": token, "sProofUpTokenName": "evo_code", "sProofUpAuthState": state,
        }),
    );
    t.decides();
    t.put(item.html(body));
    t.page_script("ConvergedProofUpRedirect");
    t.wait(4.0);
}

fn must_register(t: &mut Teller) {
    proof_up(t);
    let form = pages::form(&[("evo_code", t.secret(120)), ("state", t.secret(30))]);
    t.put(post("https://mysignins.microsoft.com/register?csrf_token=1", form).html("<!DOCTYPE html><html><head><title>My Sign-Ins | Register</title></head><body>Keep your account secure</body></html>"));
    t.elsewhere(60.0);
}

fn registration_host_dead(t: &mut Teller) {
    proof_up(t);
    let form = pages::form(&[("evo_code", t.secret(120)), ("state", t.secret(30))]);
    t.decides();
    t.put(
        post("https://mysignins.microsoft.com/register?csrf_token=1", form.clone())
            .fails(Fault::NameUnknown)
            .took(0.06),
    );
    t.wait(6.0);
    t.put(
        post("https://mysignins.microsoft.com/register?csrf_token=1", form)
            .fails(Fault::NameUnknown)
            .took(0.05),
    );
}

fn first_factor(t: &mut Teller, code: &str) {
    let item = t.password_post();
    let body = pages::page(
        t,
        "ConvergedSignIn",
        &json!({"sErrorCode": code, "arrValErrs": [code], "sErrTxt": "", "fHasError": true, "sPOST_Username": t.user}),
    );
    t.put(item.html(body));
}

fn password_wrong(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    first_factor(t, "50126");
    t.decides();
    first_factor(t, "50126");
    t.elsewhere(30.0);
}

fn account_locked(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    first_factor(t, "50126");
    t.decides();
    first_factor(t, "50053");
    t.elsewhere(30.0);
}

fn begin_refused(t: &mut Teller, result: &str) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.decides();
    t.begins_with("PhoneAppNotification", result, &json!({}));
    t.elsewhere(40.0);
}

fn page_too_old(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP"]);
    let session = t.begins("PhoneAppOTP");
    t.wait(1500.0);
    t.code("PhoneAppOTP", &session, 1, "Success", false);
    let item = t.finish_post("PhoneAppOTP");
    t.decides();
    let body = pages::error(t, 50089, &json!({}));
    t.put(item.html(body));
    t.elsewhere(15.0);
}

fn two_users(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    t.finishes("PhoneAppNotification");
    t.wait(40.0);
    other_app(t);
    t.user = format!("second.person@{}", t.domain);
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "PhoneAppDenied");
    t.elsewhere(10.0);
}

fn no_method(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.late();
    t.decides();
    t.challenge_in(item, &[], &json!({}));
    t.page_script("ConvergedTFA");
    t.elsewhere(45.0);
}

fn denied_beside_noise(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.beside(
        get("https://aadcdn.msauthimages.net/81d6b03a/logintenantbranding/0/bannerlogo?ts=637")
            .fails(Fault::NameUnknown)
            .took(0.03)
            .part(),
    );
    t.beside(
        post("https://browser.events.data.microsoft.com/OneCollector/1.0/?cors=true", "{}")
            .fails(Fault::BlockedByClient)
            .took(0.01)
            .part(),
    );
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.2, "PhoneAppDenied");
    t.elsewhere(14.0);
}

fn denied_then_dead(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.2, "PhoneAppDenied");
    t.wait(60.0);
    let url = t.authorize_url("");
    t.put(get(url.clone()).fails(Fault::ResetAfterHello).took(0.2));
    t.put(get(url).fails(Fault::ResetAfterHello).took(0.2));
}
