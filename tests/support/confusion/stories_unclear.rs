//! What a capture cannot tell, and what is no sign-in with MFA at all.

use serde_json::json;

use super::label::{Format, NOTHING, Story, UNDETERMINED, UNREADABLE, WITHOUT, story};
use super::pages;
use super::teller::{Extra, Fault, Teller, get, post, post_json};

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[];

pub(crate) fn stories() -> Vec<Story> {
    vec![
        story("no-sign-in", "Somebody reads news and works in the intranet.", NOTHING, no_sign_in)
            .dark(&[NOTHING]),
        story("no-sign-in-broken", "No sign-in, and hosts that fail.", NOTHING, no_sign_in_broken)
            .dark(&[NOTHING])
            .measured(),
        story("tunnel-ipsec", "All traffic is in a tunnel of IPsec.", UNDETERMINED, |t| {
            tunnel(t, 4500)
        })
        .only(&[Format::Dark, Format::Keyed])
        .dark(&[UNDETERMINED]),
        story("tunnel-wireguard", "All traffic is in a tunnel of WireGuard.", UNDETERMINED, |t| {
            tunnel(t, 51820)
        })
        .only(&[Format::Dark, Format::Keyed])
        .dark(&[UNDETERMINED])
        .measured(),
        story(
            "ends-in-window",
            "The capture ends while the push is waited for.",
            UNDETERMINED,
            ends_in_window,
        )
        .mfa("begun"),
        story(
            "ends-at-challenge",
            "The capture ends right after the challenge was shown.",
            UNDETERMINED,
            ends_at_challenge,
        )
        .mfa("asked")
        .measured(),
        story(
            "ends-at-password",
            "The capture ends before the password is sent.",
            UNDETERMINED,
            ends_at_password,
        )
        .mfa("not_asked")
        .also(&[("undetermined", "cannot_tell")]),
        story(
            "personal-account",
            "A personal account: its own sign-in, no challenge.",
            WITHOUT,
            personal,
        )
        .also(&[NOTHING, UNDETERMINED])
        .measured()
        .early(&[UNDETERMINED, NOTHING])
        .dark(&[UNREADABLE, NOTHING]),
        story("customers", "A tenant for customers with flows of its own.", WITHOUT, customers)
            .also(&[NOTHING, UNDETERMINED])
            .early(&[UNDETERMINED, NOTHING])
            .dark(&[UNREADABLE, NOTHING]),
        story(
            "begins-at-return",
            "The capture begins when the application already takes the code.",
            UNDETERMINED,
            begins_at_return,
        )
        .also(&[NOTHING, WITHOUT, ("mfa_completed", "nothing_wrong")])
        .measured()
        .dark(&[NOTHING, UNREADABLE, UNDETERMINED]),
        story(
            "only-script-host",
            "Only a script of the sign-in page is seen, nothing of the service.",
            NOTHING,
            only_script,
        )
        .also(&[UNDETERMINED])
        .dark(&[NOTHING, UNREADABLE, UNDETERMINED])
        .measured(),
    ]
}

fn no_sign_in(t: &mut Teller) {
    t.elsewhere(2.0);
    t.put(
        get("https://intranet.woodgrove.example/")
            .status(401)
            .field("WWW-Authenticate", "Negotiate")
            .html(""),
    );
    t.put(get("https://intranet.woodgrove.example/").html("<html><title>Intranet</title></html>"));
    t.elsewhere(20.0);
    t.elsewhere(30.0);
}

fn no_sign_in_broken(t: &mut Teller) {
    t.elsewhere(2.0);
    t.put(get("https://shop.woodgrove.example/").fails(Fault::Unanswered).took(21.0));
    t.put(get("https://old.woodgrove.example/").fails(Fault::NameUnknown).took(0.1));
    t.put(get("https://ads.woodgrove.example/a.js").fails(Fault::ResetAfterHello).took(0.2).part());
    t.elsewhere(10.0);
}

fn tunnel(t: &mut Teller, port: u16) {
    t.extras.push(Extra::Tunnel(port, 0.5, 60.0));
    t.now = 61.0;
}

fn ends_in_window(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 7, 1.2);
    t.poll("PhoneAppNotification", &session, 8, "AuthenticationPending");
}

fn ends_at_challenge(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
}

fn ends_at_password(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
}

fn personal(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.wait(4.0);
    let context = t.secret(80);
    let live = format!(
        "https://login.live.com/oauth20_authorize.srf?client_id={}&scope=openid&redirect_uri=https%3a%2f%2flogin.microsoftonline.com%2fcommon%2ffederation%2foauth2msa&state={context}",
        t.guid()
    );
    let url = t.sts("/common/GetCredentialType?mkt=en-US");
    t.put(post_json(url, "{\"username\":\"someone@outlook.example\"}").json(&json!({"IfExistsResult": 5, "EstsProperties": {"DomainType": 2}, "Credentials": {"PrefCredential": 6}})).service().part());
    t.put(get(live).html("<!DOCTYPE html><html><head><title>Sign in to your Microsoft account</title><script>var ServerData = {sFTTag:'<input name=\"PPFT\" value=\"FAKESECRET\"/>',urlPost:'https://login.live.com/ppsecure/post.srf'};</script></head></html>"));
    t.wait(6.0);
    let form = pages::form(&[
        ("login", "someone@outlook.example".to_owned()),
        ("passwd", t.secret(8)),
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
    let item = post(back, pages::form(&fields)).service();
    t.returns(item);
}

fn customers(t: &mut Teller) {
    t.login = "woodgrove.b2clogin.com";
    let base = "/woodgrove.onmicrosoft.com/B2C_1_signin";
    let url = t.sts(&format!("{base}/oauth2/v2.0/authorize?client_id={}&response_type=code&scope=openid&redirect_uri={}&state={}", t.client, pages::percent(&format!("https://{}{}", t.app, t.app_path)), t.state));
    t.put(get(format!("https://{}/", t.app)).goes(302, url.clone()));
    t.put(get(url).html("<!DOCTYPE html><html><head><title>Sign in</title><script>var SETTINGS = {\"remoteResource\":\"https://woodgrove.b2clogin.com/static\",\"api\":\"CombinedSigninAndSignup\",\"csrf\":\"FAKESECRET\",\"transId\":\"StateProperties=FAKESECRET\"};</script></head></html>"));
    t.wait(8.0);
    let form = pages::form(&[
        ("request_type", "RESPONSE".to_owned()),
        ("signInName", t.user.clone()),
        ("password", t.secret(8)),
    ]);
    t.put(
        post(
            t.sts(&format!("{base}/SelfAsserted?tx=StateProperties=FAKESECRET&p=B2C_1_signin")),
            form,
        )
        .json(&json!({"status": "200"}))
        .part(),
    );
    let code = t.secret(160);
    let to = format!("https://{}{}?code={code}&state={}", t.app, t.app_path, t.state);
    t.decides();
    let url = t.sts(&format!("{base}/api/CombinedSigninAndSignup/confirmed?rememberMe=false&tx=StateProperties=FAKESECRET&p=B2C_1_signin"));
    t.put(get(url).goes(302, to.clone()));
    t.put(get(to).html("<html><title>Home</title></html>"));
}

fn begins_at_return(t: &mut Teller) {
    let app = format!("https://{}{}", t.app, t.app_path);
    let fields = [
        ("code", t.secret(180)),
        ("id_token", t.secret(220)),
        ("state", t.state.clone()),
        ("session_state", t.guid()),
    ];
    t.taken(&app, &fields);
    t.elsewhere(10.0);
}

fn only_script(t: &mut Teller) {
    t.page_script("ConvergedSignIn");
    t.elsewhere(5.0);
}
