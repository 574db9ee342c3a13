//! Programs without a prompt: passwords, refresh tokens, device codes, daemons, SOAP.

use serde_json::json;

use super::label::{
    AFTER, APPLICATION, BEFORE, BLOCKED, Format, NOTHING, PASSED, PROMPT, Story, UNDETERMINED,
    UNREADABLE, WITHOUT, story,
};
use super::pages;
use super::teller::{Fault, Item, Teller, get, post};

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[];

pub(crate) fn stories() -> Vec<Story> {
    let early = [UNDETERMINED, NOTHING];
    vec![
        story("ropc-50076", "A script sends name and password; MFA is asked for.", PROMPT, |t| {
            password_grant(t, 50076)
        })
        .program()
        .early(&early),
        story(
            "ropc-50079",
            "A script sends name and password; the user would have to register.",
            PROMPT,
            |t| password_grant(t, 50079),
        )
        .program()
        .measured()
        .early(&early),
        story(
            "refresh-50076",
            "A refresh token, and MFA is asked for from a new place.",
            PROMPT,
            |t| refresh(t, 50076),
        )
        .program()
        .early(&early),
        story(
            "refresh-50078",
            "A refresh token whose MFA is too old.",
            ("interaction_required", "application"),
            |t| refresh(t, 50078),
        )
        .program()
        .measured()
        .also(&[
            ("other_error", "policy"),
            ("blocked_by_policy", "policy"),
            ("interaction_required", "policy"),
        ])
        .early(&early),
        story(
            "refresh-70043",
            "A refresh token that the sign-in frequency refuses.",
            ("other_error", "policy"),
            |t| refresh(t, 70043),
        )
        .program()
        .early(&early),
        story("refresh-works", "A refresh token that is taken.", WITHOUT, refresh_works)
            .program()
            .measured()
            .also(&[NOTHING])
            .early(&early),
        story(
            "device-code-pending",
            "A device code, polled until the other machine is done.",
            WITHOUT,
            device_code_done,
        )
        .program()
        .also(&[PASSED])
        .early(&[UNDETERMINED]),
        story(
            "device-code-left",
            "A device code that nobody enters while the capture runs.",
            UNDETERMINED,
            device_code_left,
        )
        .program()
        .measured(),
        story(
            "device-code-declined",
            "The user declines on the other machine.",
            ("other_error", "user"),
            device_code_declined,
        )
        .program()
        .also(&[("mfa_denied", "user"), ("mfa_abandoned", "user"), APPLICATION, UNDETERMINED])
        .measured(),
        story(
            "device-code-blocked",
            "Policy forbids the flow with device codes (530033).",
            BLOCKED,
            device_code_blocked,
        )
        .program(),
        story("daemon-secret-wrong", "A daemon with a wrong secret.", APPLICATION, |t| {
            daemon(t, "invalid_client", 7_000_215)
        })
        .program()
        .early(&early),
        story("daemon-unknown", "A daemon that the tenant does not know.", APPLICATION, |t| {
            daemon(t, "unauthorized_client", 700_016)
        })
        .program()
        .measured()
        .early(&early),
        story(
            "on-behalf-50076",
            "An API asks on behalf of a user; MFA is asked for.",
            PROMPT,
            on_behalf,
        )
        .program()
        .early(&early),
        story("ws-trust-50076", "SOAP with name and password; MFA is asked for.", PROMPT, |t| {
            ws_trust(t, 50076)
        })
        .program()
        .measured()
        .early(&early),
        story("ws-trust-password", "SOAP with a wrong password.", ("other_error", "user"), |t| {
            ws_trust(t, 50126)
        })
        .program()
        .early(&early),
        story(
            "silent-no-follow",
            "A hidden frame is told that MFA is needed, and nobody goes on.",
            PROMPT,
            silent_no_follow,
        )
        .early(&early),
        story(
            "silent-no-session",
            "A hidden frame has no session (50058), a prompt follows and is passed.",
            PASSED,
            silent_no_session,
        )
        .mfa("passed")
        .measured(),
        story(
            "broker-refresh-then-prompt",
            "A refresh token is refused with 50076, then the browser asks and the user denies.",
            ("mfa_denied", "user"),
            refresh_then_prompt,
        )
        .mfa("failed")
        .early(&[UNDETERMINED, PROMPT]),
        story("token-host-dead", "A program cannot look the sign-in host up.", BEFORE, |t| {
            token_fails(t, &Fault::NameUnknown)
        })
        .program()
        .host("login.microsoftonline.com")
        .dark(&[BEFORE])
        .measured()
        .early(&early),
        story(
            "token-intercepted",
            "A program does not trust the certificate on the way.",
            BEFORE,
            |t| {
                token_fails(
                    t,
                    &Fault::Untrusted("C=US, O=Litware Health, CN=Litware Inspection CA"),
                )
            },
        )
        .program()
        .host("login.microsoftonline.com")
        .dark(&[BEFORE])
        .early(&early),
        story(
            "device-code-poll-cut",
            "Polls for a device code are cut off, again and again.",
            BEFORE,
            device_code_cut,
        )
        .program()
        .also(&[AFTER, UNDETERMINED])
        .dark(&[BEFORE, AFTER, UNREADABLE])
        .measured()
        .early(&early),
        story(
            "claims-challenge-then-prompt",
            "A resource wants a fresh MFA (claims), a prompt follows and is passed.",
            PASSED,
            claims_challenge,
        )
        .mfa("passed")
        .measured()
        .seen(&[Format::Firefox], &[PASSED]),
    ]
}

fn password_grant(t: &mut Teller, code: u32) {
    t.process = Some("pwsh:7120");
    let more = [("username", t.user.clone()), ("password", t.secret(8))];
    let item = t.token_post("password", &more);
    t.decides();
    refused(t, item, "invalid_grant", code);
    t.wait(4.0);
}

/// An answer of the token endpoint that says no.
fn refused(t: &mut Teller, item: Item, error: &str, code: u32) {
    let more = if code == 50076 { pages::claims(t) } else { json!({"suberror": "basic_action"}) };
    let body = pages::refused(t, error, code, &more);
    t.put(item.status(400).json(&body));
}

fn refresh(t: &mut Teller, code: u32) {
    t.process = Some("OUTLOOK:5312");
    metadata(t);
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more);
    t.decides();
    refused(t, item, if code == 70043 { "invalid_grant" } else { "interaction_required" }, code);
    t.wait(6.0);
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more);
    refused(t, item, if code == 70043 { "invalid_grant" } else { "interaction_required" }, code);
}

/// What a library asks first.
fn metadata(t: &mut Teller) {
    let url = t.sts(&format!("/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3a%2f%2f{}%2fcommon%2foauth2%2fv2.0%2fauthorize", t.login));
    let body = json!({"tenant_discovery_endpoint": t.sts("/common/v2.0/.well-known/openid-configuration"), "api-version": "1.1", "metadata": [{"preferred_network": t.login, "preferred_cache": "login.windows.net", "aliases": [t.login]}]});
    t.put(get(url).json(&body).service().part());
}

fn refresh_works(t: &mut Teller) {
    t.process = Some("Teams:9044");
    metadata(t);
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more);
    t.decides();
    let body = pages::tokens(t);
    t.put(item.json(&body));
    t.wait(3.0);
}

/// A device code is asked for, and polled for some times.
fn device_code(t: &mut Teller, times: u32) {
    t.process = Some("az:2216");
    let url = t.sts(&format!("/{}/oauth2/v2.0/devicecode", t.tenant));
    let form = pages::form(&[
        ("client_id", t.client.clone()),
        ("scope", "openid offline_access".to_owned()),
    ]);
    let body = json!({"user_code": "FAKESECRET", "device_code": t.secret(160), "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 5, "message": "Open the page and enter the code."});
    t.put(post(url, form).json(&body).service().part());
    for _ in 0..times {
        t.wait(5.0);
        let item = device_poll(t);
        let body = pages::refused(t, "authorization_pending", 70016, &json!({}));
        t.put(item.status(400).json(&body));
    }
    t.wait(5.0);
}

fn device_poll(t: &mut Teller) -> Item {
    let more = [("device_code", t.secret(160))];
    t.token_post("urn:ietf:params:oauth:grant-type:device_code", &more)
}

fn device_code_done(t: &mut Teller) {
    device_code(t, 5);
    let item = device_poll(t);
    t.decides();
    let body = pages::tokens(t);
    t.put(item.json(&body));
}

fn device_code_left(t: &mut Teller) {
    device_code(t, 7);
}

fn device_code_declined(t: &mut Teller) {
    device_code(t, 3);
    let item = device_poll(t);
    t.decides();
    let body = json!({"error": "authorization_declined", "error_description": "The end user denied the authorization request.", "trace_id": t.guid(), "correlation_id": t.correlation});
    t.put(item.status(400).json(&body));
}

fn device_code_blocked(t: &mut Teller) {
    device_code(t, 4);
    let item = device_poll(t);
    t.decides();
    let body = pages::refused(t, "access_denied", 530_033, &json!({"suberror": "message_only"}));
    t.put(item.status(400).json(&body));
}

fn daemon(t: &mut Teller, error: &str, code: u32) {
    t.process = Some("svc-sync:880");
    let more = [("client_secret", t.secret(24))];
    let item = t.token_post("client_credentials", &more);
    t.decides();
    let body = pages::refused(t, error, code, &json!({}));
    t.put(item.status(if code == 7_000_215 { 401 } else { 400 }).json(&body));
}

fn on_behalf(t: &mut Teller) {
    t.process = Some("w3wp:3180");
    let more = [
        ("assertion", t.secret(300)),
        ("requested_token_use", "on_behalf_of".to_owned()),
        ("client_secret", t.secret(20)),
    ];
    let item = t.token_post("urn:ietf:params:oauth:grant-type:jwt-bearer", &more);
    t.decides();
    refused(t, item, "interaction_required", 50076);
}

fn ws_trust(t: &mut Teller, code: u32) {
    t.process = Some("legacy-sync:4410");
    let url = t.sts(&format!("/common/userrealm/{}?api-version=1.0", t.user));
    let body = json!({"ver": "1.0", "account_type": "Managed", "domain_name": t.domain, "cloud_instance_name": "microsoftonline.com"});
    t.put(get(url).json(&body).service().part());
    let password = t.secret(8);
    let asked = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><o:Security xmlns:o=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"><o:UsernameToken><o:Username>{}</o:Username><o:Password>{}</o:Password></o:UsernameToken></o:Security></s:Header><s:Body/></s:Envelope>",
        t.user, password
    );
    let said = pages::line(t, code, "\r\n");
    let fault = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?><S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wst=\"http://schemas.xmlsoap.org/ws/2005/02/trust\" xmlns:psf=\"http://schemas.microsoft.com/Passport/SoapServices/SOAPFault\"><S:Body><S:Fault><S:Code><S:Value>S:Sender</S:Value><S:Subcode><S:Value>wst:FailedAuthentication</S:Value></S:Subcode></S:Code><S:Reason><S:Text xml:lang=\"en-US\">Authentication Failure</S:Text></S:Reason><S:Detail><psf:error><psf:value>0x80048821</psf:value><psf:internalerror><psf:code>0x80048821</psf:code><psf:text>{said}</psf:text></psf:internalerror></psf:error></S:Detail></S:Fault></S:Body></S:Envelope>"
    );
    t.decides();
    let mut item = post(t.sts("/rst2.srf"), asked)
        .status(if t.random.below(2) == 0 { 200 } else { 400 })
        .service()
        .part();
    item.form = item.form.map(|(_, body)| ("application/soap+xml; charset=utf-8", body));
    t.put(item.body("application/soap+xml; charset=utf-8", fault));
    t.wait(3.0);
}

fn silent_no_follow(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    t.decides();
    t.silent(50076);
    t.elsewhere(90.0);
}

fn to_passed(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn silent_no_session(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    t.silent(50058);
    t.wait(1.0);
    to_passed(t);
}

fn refresh_then_prompt(t: &mut Teller) {
    let more = [("refresh_token", t.secret(200))];
    let item = t.token_post("refresh_token", &more).asks("Origin", format!("https://{}", t.app));
    refused(t, item, "invalid_grant", 50076);
    t.wait(1.5);
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "PhoneAppDenied");
    t.elsewhere(12.0);
}

fn token_fails(t: &mut Teller, fault: &Fault) {
    t.process = Some("backup:6104");
    for turn in 0..3 {
        let more = [("refresh_token", t.secret(200))];
        let item = t.token_post("refresh_token", &more);
        if turn == 0 {
            t.decides();
        }
        t.put(item.fails(fault.clone()).took(0.3));
        t.wait(8.0);
    }
}

fn device_code_cut(t: &mut Teller) {
    device_code(t, 2);
    t.decides();
    for _ in 0..4 {
        let item = device_poll(t);
        t.put(item.fails(Fault::Reset).took(0.2));
        t.wait(5.0);
    }
}

fn claims_challenge(t: &mut Teller) {
    let url = format!("https://graph.microsoft.com/v1.0/users/{}", t.guid());
    let claims = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19";
    let token = format!("Bearer {}", t.secret(200));
    t.put(get(url).asks("Authorization", token).status(401).field("WWW-Authenticate", format!("Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"{claims}\"")).json(&json!({"error": {"code": "InvalidAuthenticationToken"}})).part());
    t.wait(0.6);
    to_passed(t);
}
