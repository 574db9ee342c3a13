//! Sign-ins that worked, with what looks like failure beside them.

use serde_json::json;

use super::damage::Damage;
use super::label::{DENIED, Format, PASSED, Story, UNDETERMINED, WITHOUT, WRONG, story};
use super::pages;
use super::teller::{Extra, Fault, Teller, get, post};

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[(
    "application-down, in packets with keys that lack frames",
    "`mfa_completed`, nothing wrong, as well: MFA was passed, and what shows the application to fail may be among the lost frames",
)];

pub(crate) fn stories() -> Vec<Story> {
    vec![
        story("push-approved", "A push with a number, approved after some seconds.", PASSED, push_approved).mfa("passed"),
        story("totp-passed", "A code of an app, right at once.", PASSED, totp_passed).mfa("passed").measured(),
        story("sms-passed", "A code by text message, right at once.", PASSED, sms_passed).mfa("passed"),
        story("voice-passed", "A call that was answered with the hash key.", PASSED, voice_passed).mfa("passed").measured(),
        story("passkey-passed", "A passkey on the page of another host, which posts back.", PASSED, passkey_passed).mfa("passed"),
        story("external-passed", "An external method that returns its token.", PASSED, external_passed).mfa("passed").measured(),
        story("denied-then-approved", "The first push is denied by mistake, the second approved.", PASSED, denied_then_approved).mfa("passed").early(&[UNDETERMINED, DENIED]),
        story("wrong-code-then-right", "A typing error in the code, then the right one.", PASSED, wrong_then_right).mfa("passed").measured().early(&[UNDETERMINED, WRONG]),
        story("quic-blocked", "QUIC is dropped on the way, TCP carries the sign-in.", PASSED, quic_blocked).mfa("passed"),
        story("session-pull-blocked", "The prefetch from the host of personal accounts is refused.", PASSED, session_pull_blocked).mfa("passed").measured(),
        story("telemetry-blocked", "Every telemetry host is blocked by a filter.", PASSED, telemetry_blocked).mfa("passed"),
        story("seamless-401", "Seamless single sign-on answers 401, the password follows.", PASSED, seamless_401).mfa("passed").measured(),
        story("step-up", "A second resource asks for a second challenge.", PASSED, step_up).mfa("passed").early(&[PASSED, UNDETERMINED]).late(&[PASSED]),
        story("federated-passed", "AD FS takes the password, Entra ID poses the challenge.", PASSED, federated_passed).mfa("passed").measured(),
        story("us-government", "The cloud of the US Government, a push.", PASSED, us_government).mfa("passed"),
        story("china", "The cloud that 21Vianet runs, a code of an app.", PASSED, china).mfa("passed").measured(),
        story("guest", "A guest in another tenant: the home tenant asks for nothing, the resource tenant for MFA.", PASSED, guest).mfa("passed"),
        story("saml-app", "An application that speaks SAML.", PASSED, saml_app).mfa("passed").measured(),
        story("ws-federation-app", "An application that speaks WS-Federation.", PASSED, ws_federation_app).mfa("passed"),
        story("silent-then-interactive", "A hidden frame gets 50076, the application goes on with a prompt, which is passed.", PASSED, silent_then_interactive).mfa("passed"),
        story("ipv6-dead", "IPv6 answers nothing, IPv4 carries the sign-in.", PASSED, ipv6_dead).mfa("passed"),
        story("first-root-blocked", "The first of two script roots does not answer, the page takes the second.", PASSED, first_root_blocked).mfa("passed").measured().faulty(),
        story("proxy-asks-once", "The proxy asks for credentials and then lets through.", PASSED, proxy_asks).mfa("passed"),
        story("literal-50074", "The challenge page names 50074, and the challenge is passed.", PASSED, literal_50074).mfa("passed"),
        story("session-known", "A session of before: no password, no challenge.", WITHOUT, session_known).mfa("not_asked").measured(),
        story("application-down", "MFA is passed, then the application cannot be reached.", ("mfa_completed", "network"), application_down).mfa("passed").seen(&[Format::Firefox], &[("mfa_completed", "network"), PASSED]).early(&[PASSED, UNDETERMINED]).besides(&[Format::Keyed, Format::KeyedTwo], &[Damage::FramesLost], &[PASSED]),
        story("cancelled-poll", "The page cancels a poll as it leaves; the challenge is passed.", PASSED, cancelled_poll).mfa("passed"),
        story("method-changed", "The push is given up for a code of an app, which is right.", PASSED, method_changed).mfa("passed").measured(),
        story("kmsi-and-confirm", "Stay signed in, confirm the application, pick an account: all interrupts, no errors.", PASSED, interrupts).mfa("passed"),
        story("poll-once-lost", "One poll is reset, the next one is answered and approved.", PASSED, poll_once_lost).mfa("passed").measured().faulty(),
    ]
}

fn push_approved(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification", "PhoneAppOTP"]);
    t.polled("PhoneAppNotification", 4, 1.1, "Success");
    t.finishes("PhoneAppNotification");
}

fn by_code(t: &mut Teller, method: &str) {
    let session = t.begins(method);
    t.decides();
    t.code(method, &session, 1, "Success", false);
    t.finishes(method);
}

fn totp_passed(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP"]);
    by_code(t, "PhoneAppOTP");
}

fn sms_passed(t: &mut Teller) {
    t.to_challenge(&["OneWaySMS", "TwoWayVoiceMobile"]);
    by_code(t, "OneWaySMS");
}

fn voice_passed(t: &mut Teller) {
    t.to_challenge(&["TwoWayVoiceMobile"]);
    t.polled("TwoWayVoiceMobile", 3, 9.5, "Success");
    t.finishes("TwoWayVoiceMobile");
}

fn passkey_passed(t: &mut Teller) {
    t.to_challenge(&["FidoKey"]);
    passkey_page(t);
    t.wait(7.0);
    let form = pages::form(&[
        ("type", "23".to_owned()),
        ("ps", "23".to_owned()),
        ("assertion", t.secret(200)),
        ("lmcCanary", t.secret(30)),
        ("hpgrequestid", t.guid()),
        ("ctx", t.secret(80)),
        ("canary", t.secret(30)),
        ("flowToken", t.secret(120)),
    ]);
    t.decides();
    let item = post(t.sts("/common/SAS/ProcessAuth"), form).service();
    t.kept_and_returned(item);
}

pub(crate) fn passkey_page(t: &mut Teller) {
    let form = pages::form(&[
        ("allowedIdentities", "2".to_owned()),
        ("canary", t.secret(30)),
        ("ServerChallenge", t.secret(60)),
        ("postBackUrl", t.sts("/common/SAS/ProcessAuth")),
        ("cancelUrl", t.sts("/common/reprocess")),
        ("username", t.user.clone()),
    ]);
    let url = format!("https://login.microsoft.com/{}/fido/get?uiflavor=Web", t.tenant);
    let body = pages::page(
        t,
        "ConvergedFido",
        &json!({"sErrorCode": "", "urlPost": t.sts("/common/SAS/ProcessAuth")}),
    );
    t.put(post(url, form).html(body).service());
}

/// The hand-off to an external method.
pub(crate) fn external_begin(t: &mut Teller, provider: &str) {
    let url = format!("https://{provider}/oauth/v1/authorize");
    let form = pages::form(&[
        ("scope", "openid".to_owned()),
        ("response_mode", "form_post".to_owned()),
        ("response_type", "id_token".to_owned()),
        ("client_id", "entra-eam".to_owned()),
        ("redirect_uri", t.sts("/common/federation/externalauthprovider")),
        (
            "claims",
            "{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[\"possessionorinherence\"]}}}"
                .to_owned(),
        ),
        ("nonce", t.secret(30)),
        ("id_token_hint", t.secret(120)),
        ("client-request-id", t.correlation.clone()),
        ("state", t.secret(80)),
    ]);
    t.put(post(url, form).html("<!DOCTYPE html><html><head><title>Verify it is you</title></head><body>We sent a request to your device</body></html>"));
}

fn external_passed(t: &mut Teller) {
    t.to_challenge(&["ExternalAuthenticationMethod"]);
    external_begin(t, "idp.strongauth.example");
    t.wait(9.0);
    let form = pages::form(&[("id_token", t.secret(200)), ("state", t.secret(80))]);
    t.decides();
    let item = post(t.sts("/common/federation/externalauthprovider"), form).service();
    t.kept_and_returned(item);
}

fn denied_then_approved(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.2, "PhoneAppDenied");
    t.wait(5.0);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn wrong_then_right(t: &mut Teller) {
    t.to_challenge(&["PhoneAppOTP"]);
    let session = t.begins("PhoneAppOTP");
    t.code("PhoneAppOTP", &session, 1, "OathCodeIncorrect", true);
    t.decides();
    t.code("PhoneAppOTP", &session, 2, "Success", false);
    t.finishes("PhoneAppOTP");
}

fn quic_blocked(t: &mut Teller) {
    t.extras.push(Extra::Quic);
    push_approved(t);
}

fn session_pull_blocked(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.beside(get("https://login.live.com/Me.htm?v=3").fails(Fault::Refused).took(1.1).part());
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 5, 1.1, "Success");
    t.finishes("PhoneAppNotification");
}

fn telemetry_blocked(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    for host in [
        "browser.events.data.microsoft.com",
        "eu-mobile.events.data.microsoft.com",
        "browser.pipe.aria.microsoft.com",
    ] {
        t.beside(
            post(format!("https://{host}/OneCollector/1.0/"), "{}")
                .fails(Fault::NameUnknown)
                .took(0.02)
                .part(),
        );
    }
    t.names(None);
    t.challenged(&["OneWaySMS"]);
    by_code(t, "OneWaySMS");
}

fn seamless_401(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    let url = format!(
        "https://autologon.microsoftazuread-sso.com/{}/winauth/sso?client-request-id={}",
        t.domain, t.correlation
    );
    t.put(
        get(url.clone())
            .status(401)
            .field("WWW-Authenticate", "Negotiate")
            .html("")
            .service()
            .part(),
    );
    t.put(get(url).status(401).field("WWW-Authenticate", "Negotiate").html("").service().part());
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.4, "Success");
    t.finishes("PhoneAppNotification");
}

/// Another application of the same organisation.
pub(crate) fn other_app(t: &mut Teller) {
    t.app = format!("payroll.{}", t.domain);
    t.client = t.guid();
    t.correlation = t.guid();
    t.state = t.secret(40);
}

fn step_up(t: &mut Teller) {
    push_approved(t);
    t.wait(20.0);
    other_app(t);
    t.from_app();
    let url = t.authorize_url("&claims=%7b%22id_token%22%3a%7b%22acrs%22%3a%7b%22essential%22%3atrue%2c%22value%22%3a%22c1%22%7d%7d%7d");
    t.challenge_in(get(url).service(), &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.polled("PhoneAppNotification", 2, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn federated_passed(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    federated(t);
    let item = t.federated_return();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    t.page_script("ConvergedTFA");
    t.late();
    t.polled("PhoneAppNotification", 3, 1.3, "Success");
    t.finishes("PhoneAppNotification");
}

/// To the identity provider and through its page.
pub(crate) fn federated(t: &mut Teller) {
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    t.put(get(url.clone()).html("<!DOCTYPE html><html><head><title>Sign In</title></head><body><form method=\"post\" id=\"loginForm\"><input name=\"UserName\"/><input name=\"Password\" type=\"password\"/></form></body></html>"));
    t.wait(7.0);
    let form = pages::form(&[
        ("UserName", t.user.clone()),
        ("Password", t.secret(8)),
        ("AuthMethod", "FormsAuthentication".to_owned()),
    ]);
    let fields = [
        ("wa", "wsignin1.0".to_owned()),
        (
            "wresult",
            format!(
                "<t:RequestSecurityTokenResponse>{}</t:RequestSecurityTokenResponse>",
                t.secret(120)
            ),
        ),
        ("wctx", t.secret(60)),
    ];
    let to = t.sts("/login.srf");
    t.put(post(url, form).html(pages::hidden_form(&to, &fields)).fleeting());
}

impl Teller {
    pub(crate) fn adfs_url(&mut self) -> String {
        let context = self.secret(80);
        format!(
            "https://sts.{}/adfs/ls/?client-request-id={}&username={}&wa=wsignin1.0&wtrealm=urn%3afederation%3aMicrosoftOnline&wctx={context}",
            self.domain,
            self.correlation,
            pages::percent(&self.user)
        )
    }

    pub(crate) fn federated_return(&mut self) -> super::teller::Item {
        let form = pages::form(&[
            ("wa", "wsignin1.0".to_owned()),
            ("wresult", self.secret(200)),
            ("wctx", self.secret(60)),
        ]);
        post(self.sts("/login.srf"), form).service()
    }
}

fn us_government(t: &mut Teller) {
    t.login = "login.microsoftonline.us";
    push_approved(t);
}

fn china(t: &mut Teller) {
    t.login = "login.partner.microsoftonline.cn";
    totp_passed(t);
}

fn guest(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    let home = t.tenant.clone();
    t.tenant = t.guid();
    let context = t.secret(100);
    let to = t.sts(&format!("/{}/reprocess?ctx={context}", t.tenant));
    t.put(item.goes(302, to.clone()));
    t.challenge_in(get(to).service(), &["PhoneAppNotification"], &json!({"sHomeTenant": home}));
    t.page_script("ConvergedTFA");
    t.late();
    t.polled("PhoneAppNotification", 4, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn saml_app(t: &mut Teller) {
    t.app_path = "/saml/acs";
    let request = t.secret(160);
    let url = t.sts(&format!("/{}/saml2?SAMLRequest={request}&RelayState={}", t.tenant, t.state));
    t.put(get(format!("https://{}/", t.app)).goes(302, url.clone()));
    t.first_page(get(url));
    t.page_parts("ConvergedSignIn");
    t.names(None);
    t.challenged(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.1, "Success");
    let item = t.finish_post("PhoneAppNotification");
    let app = format!("https://{}{}", t.app, t.app_path);
    let fields = [("SAMLResponse", t.secret(240)), ("RelayState", t.state.clone())];
    t.put(item.html(pages::hidden_form(&app, &fields)).fleeting());
    t.taken(&app, &fields);
}

fn ws_federation_app(t: &mut Teller) {
    t.app_path = "/_trust/";
    let url = t.sts(&format!(
        "/{}/wsfed?wa=wsignin1.0&wtrealm=https%3a%2f%2f{}%2f&wctx={}&client-request-id={}",
        t.tenant, t.app, t.state, t.correlation
    ));
    t.put(get(format!("https://{}/", t.app)).goes(302, url.clone()));
    t.first_page(get(url));
    t.page_parts("ConvergedSignIn");
    t.names(None);
    t.challenged(&["PhoneAppOTP"]);
    let session = t.begins("PhoneAppOTP");
    t.decides();
    t.code("PhoneAppOTP", &session, 1, "Success", false);
    let item = t.finish_post("PhoneAppOTP");
    let app = format!("https://{}{}", t.app, t.app_path);
    let fields = [
        ("wa", "wsignin1.0".to_owned()),
        (
            "wresult",
            format!(
                "<t:RequestSecurityTokenResponse xmlns:t=\"http://schemas.xmlsoap.org/ws/2005/02/trust\">{}</t:RequestSecurityTokenResponse>",
                t.secret(160)
            ),
        ),
        ("wctx", t.state.clone()),
    ];
    t.put(item.html(pages::hidden_form(&app, &fields)).fleeting());
    t.taken(&app, &fields);
}

fn silent_then_interactive(t: &mut Teller) {
    t.put(
        get(format!("https://{}/", t.app))
            .html("<!DOCTYPE html><html><head><title>App</title></head></html>"),
    );
    t.silent(50076);
    t.wait(1.0);
    push_approved(t);
}

fn ipv6_dead(t: &mut Teller) {
    t.extras.push(Extra::DeadSix);
    push_approved(t);
}

fn first_root_blocked(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    let (first, second) = (t.script(0, "ConvergedSignIn"), t.script(1, "ConvergedSignIn"));
    t.put(first.fails(Fault::Unanswered).took(21.0));
    t.put(second);
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &json!({}));
    let (first, second) = (t.script(0, "ConvergedTFA"), t.script(1, "ConvergedTFA"));
    t.put(first.fails(Fault::Unanswered).took(21.0));
    t.put(second);
    t.late();
    t.polled("PhoneAppNotification", 3, 1.1, "Success");
    t.finishes("PhoneAppNotification");
}

fn proxy_asks(t: &mut Teller) {
    t.extras.push(Extra::ProxyAsks);
    sms_passed(t);
}

fn literal_50074(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.challenge_in(
        item,
        &["PhoneAppNotification"],
        &json!({"sErrorCode": "50074", "arrValErrs": ["50074"]}),
    );
    t.page_script("ConvergedTFA");
    t.late();
    t.polled("PhoneAppNotification", 6, 1.1, "Success");
    t.finishes("PhoneAppNotification");
}

fn session_known(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.decides();
    t.returns(get(url).service());
}

fn application_down(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.1);
    t.poll("PhoneAppNotification", &session, 4, "Success");
    let item = t.finish_post("PhoneAppNotification");
    let app = format!("https://{}{}", t.app, t.app_path);
    let fields = [("code", t.secret(180)), ("state", t.state.clone()), ("session_state", t.guid())];
    t.put(item.html(pages::hidden_form(&app, &fields)).fleeting());
    t.decides();
    t.put(post(app.clone(), pages::form(&fields)).fails(Fault::Reset).took(0.4));
    t.wait(2.0);
    t.put(post(app, pages::form(&fields)).fails(Fault::Unanswered).took(21.0));
}

fn cancelled_poll(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.2);
    let stray = t.poll_get("PhoneAppNotification", &session, 4);
    t.beside(stray.fails(Fault::Cancelled).took(0.9));
    t.decides();
    t.poll("PhoneAppNotification", &session, 5, "Success");
    t.finishes("PhoneAppNotification");
}

fn method_changed(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification", "PhoneAppOTP"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 8, 1.3);
    t.wait(4.0);
    by_code(t, "PhoneAppOTP");
}

fn interrupts(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 2, 1.5, "Success");
    let item = t.finish_post("PhoneAppNotification");
    let body = pages::page(
        t,
        "CmsiInterrupt",
        &json!({"sErrorCode": "50199", "arrValErrs": ["50199"], "urlPost": "/appverify", "sAppName": "Portal"}),
    );
    t.put(item.html(body));
    t.wait(2.0);
    let form = pages::form(&[
        ("ContinueAuth", "true".to_owned()),
        ("ctx", t.secret(80)),
        ("canary", t.secret(30)),
    ]);
    let item = post(t.sts("/appverify"), form).service();
    t.kept_and_returned(item);
}

fn poll_once_lost(t: &mut Teller) {
    t.to_challenge(&["PhoneAppNotification"]);
    let session = t.begins("PhoneAppNotification");
    t.pends("PhoneAppNotification", &session, 1, 3, 1.1);
    let lost = t.poll_get("PhoneAppNotification", &session, 4);
    t.put(lost.fails(Fault::Reset).took(0.3));
    t.wait(1.0);
    t.decides();
    t.poll("PhoneAppNotification", &session, 5, "Success");
    t.finishes("PhoneAppNotification");
}
