//! The sign-in host and what its page needs could not be reached.

use super::label::{AFTER, BEFORE, Format, Reading, Story, UNDETERMINED, UNREADABLE, story};
use super::pages;
use super::teller::{Fault, SCRIPT, Teller, get};

const LOGIN: &str = "login.microsoftonline.com";
/// Before anything of a sign-in is seen.
const EARLY: [Reading; 2] = [UNDETERMINED, ("no_sign_in", "cannot_tell")];

/// Labels that were changed after a run, each because the specification says otherwise.
pub(crate) const CHANGED: &[(&str, &str)] = &[];

pub(crate) fn stories() -> Vec<Story> {
    let login = |name, told, tell| {
        story(name, told, BEFORE, tell).host(LOGIN).dark(&[BEFORE]).early(&EARLY)
    };
    vec![
        login("login-no-name", "The sign-in host has no name here.", |t| {
            login_dead(t, &Fault::NameUnknown, 0.05)
        }),
        login("login-sinkhole", "The name of the sign-in host leads to 0.0.0.0.", |t| {
            login_dead(t, &Fault::Sinkhole("0.0.0.0"), 0.5)
        })
        .measured(),
        login("login-name-server-failed", "The name server fails for the sign-in host.", |t| {
            login_dead(t, &Fault::NameServerFailed, 0.2)
        })
        .measured(),
        login("login-name-unanswered", "Nobody answers who the sign-in host is.", |t| {
            login_dead(t, &Fault::NameUnanswered, 12.0)
        }),
        login("login-name-refused", "The name server refuses to tell.", |t| {
            login_dead(t, &Fault::NameRefused, 0.1)
        })
        .measured(),
        login("login-unanswered", "The sign-in host does not answer at all.", |t| {
            login_dead(t, &Fault::Unanswered, 21.0)
        }),
        login("login-refused", "The connection to the sign-in host is refused.", |t| {
            login_dead(t, &Fault::Refused, 1.1)
        })
        .measured(),
        login("login-prohibited", "A router says that the way is prohibited.", |t| {
            login_dead(t, &Fault::IcmpProhibited, 0.1)
        }),
        login("login-reset-at-name", "The connection is reset as soon as the name is seen.", |t| {
            login_dead(t, &Fault::ResetAfterHello, 0.2)
        })
        .measured(),
        login(
            "login-intercepted",
            "The certificate is that of a box that the browser does not trust.",
            |t| {
                login_dead(
                    t,
                    &Fault::Untrusted("C=US, O=Northwind Traders, CN=Northwind Inspection Root"),
                    0.3,
                )
            },
        ),
        login("login-proxy-407", "The proxy wants credentials, and takes none.", |t| {
            login_dead(t, &Fault::Proxy(407), 0.1)
        })
        .measured(),
        login("login-proxy-403", "The proxy refuses the tunnel.", |t| {
            login_dead(t, &Fault::Proxy(403), 0.1)
        }),
        login("login-proxy-502", "The proxy cannot reach the sign-in host.", |t| {
            login_dead(t, &Fault::Proxy(502), 2.1)
        })
        .measured(),
        login("login-proxy-504", "The proxy waits in vain for the sign-in host.", |t| {
            login_dead(t, &Fault::Proxy(504), 30.0)
        }),
        login(
            "login-us-government",
            "The sign-in host of the US Government does not answer.",
            login_us,
        )
        .host("login.microsoftonline.us")
        .measured(),
        login(
            "captive-portal",
            "A captive portal answers everything in clear, and lets nothing else through.",
            captive_portal,
        ),
        login("offline", "The client has no network at all.", offline)
            .dark(&[UNDETERMINED, ("no_sign_in", "cannot_tell"), UNREADABLE])
            .seen(
                &[Format::Saz, Format::Keyed, Format::KeyedTwo],
                &[UNDETERMINED, ("no_sign_in", "cannot_tell")],
            )
            .measured(),
        login(
            "retry-works",
            "The sign-in host is reset once, and then answers; the challenge is passed.",
            retry_works,
        )
        .seen(
            &[
                Format::Devtools,
                Format::Firefox,
                Format::Playwright,
                Format::Saz,
                Format::Keyed,
                Format::KeyedTwo,
            ],
            &[("mfa_completed", "nothing_wrong")],
        )
        .dark(&[UNREADABLE])
        .measured(),
        story("roots-unanswered", "Neither of the script roots answers.", BEFORE, |t| {
            roots_dead(t, &Fault::Unanswered, 21.0)
        })
        .dark(&[BEFORE]),
        story("roots-no-name", "Neither of the script roots has a name.", BEFORE, |t| {
            roots_dead(t, &Fault::NameUnknown, 0.05)
        })
        .dark(&[BEFORE])
        .measured(),
        story("roots-refused-by-proxy", "The proxy refuses both script roots.", BEFORE, |t| {
            roots_dead(t, &Fault::Proxy(403), 0.1)
        })
        .dark(&[BEFORE]),
        story(
            "script-replaced",
            "A filter sends its page in place of the script, from both roots.",
            BEFORE,
            script_replaced,
        )
        .measured()
        .dark(&[UNREADABLE]),
        story(
            "page-replaced",
            "A filter sends its page in place of the sign-in page.",
            BEFORE,
            page_replaced,
        )
        .host(LOGIN)
        .dark(&[UNREADABLE])
        .early(&EARLY),
        story("provider-unanswered", "The federation server does not answer.", BEFORE, |t| {
            provider_dead(t, &Fault::Unanswered, 21.0)
        })
        .dark(&[BEFORE, UNREADABLE]),
        story("provider-reset", "The federation server is reset at its name.", BEFORE, |t| {
            provider_dead(t, &Fault::ResetAfterHello, 0.2)
        })
        .measured()
        .dark(&[BEFORE, UNREADABLE]),
        story(
            "challenge-roots-dead",
            "The page loads, then the script of the challenge cannot be had: the roots fail.",
            AFTER,
            challenge_roots_dead,
        )
        .dark(&[BEFORE, AFTER, UNREADABLE])
        .measured(),
    ]
}

fn login_dead(t: &mut Teller, fault: &Fault, took: f64) {
    let location = t.authorize_url("");
    t.put(get(format!("https://{}/", t.app)).goes(302, location.clone()));
    t.decides();
    t.put(get(location.clone()).fails(fault.clone()).took(took));
    t.wait(5.0);
    t.put(get(location).fails(fault.clone()).took(took));
    t.elsewhere(15.0);
}

fn login_us(t: &mut Teller) {
    t.login = "login.microsoftonline.us";
    login_dead(t, &Fault::Unanswered, 21.0);
}

fn captive_portal(t: &mut Teller) {
    let portal = "<html><head><title>Guest Wi-Fi</title><meta http-equiv=\"refresh\" content=\"0; url=http://portal.guest.example/login\"></head><body>Please accept the terms</body></html>";
    t.put(
        get("http://www.msftconnecttest.com/connecttest.txt")
            .goes(302, "http://portal.guest.example/login?dst=www.msftconnecttest.com"),
    );
    t.put(get("http://portal.guest.example/login?dst=www.msftconnecttest.com").html(portal));
    let location = t.authorize_url("");
    t.decides();
    for _ in 0..3 {
        t.put(get(location.clone()).fails(Fault::Untrusted("CN=portal.guest.example")).took(0.3));
        t.wait(4.0);
    }
}

fn offline(t: &mut Teller) {
    let location = t.authorize_url("");
    t.decides();
    for _ in 0..3 {
        t.put(get(location.clone()).fails(Fault::Offline).took(0.01));
        t.wait(6.0);
    }
}

fn retry_works(t: &mut Teller) {
    let location = t.authorize_url("");
    t.put(get(location).fails(Fault::ResetAfterHello).took(0.2));
    t.wait(1.0);
    t.to_challenge(&["PhoneAppNotification"]);
    t.polled("PhoneAppNotification", 3, 1.2, "Success");
    t.finishes("PhoneAppNotification");
}

fn roots_dead(t: &mut Teller, fault: &Fault, took: f64) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    t.decides();
    for root in [0, 1] {
        let script = t.script(root, "ConvergedSignIn");
        t.put(script.fails(fault.clone()).took(took));
    }
    t.elsewhere(30.0);
}

fn script_replaced(t: &mut Teller) {
    t.from_app();
    let url = t.authorize_url("");
    t.first_page(get(url));
    t.decides();
    let product = t.random.below(3);
    for root in [0, 1] {
        let mut script = t.script(root, "ConvergedSignIn");
        script.fields.clear();
        let blocked = pages::block_page(script, 200, product);
        assert!(blocked.body.as_ref().is_some_and(|(kind, _)| *kind != SCRIPT));
        t.put(blocked);
    }
    t.elsewhere(30.0);
}

fn page_replaced(t: &mut Teller) {
    let location = t.authorize_url("");
    t.put(get(format!("https://{}/", t.app)).goes(302, location.clone()));
    let product = t.random.below(3);
    t.decides();
    t.put(pages::block_page(get(location), 403, product));
    t.elsewhere(20.0);
}

fn provider_dead(t: &mut Teller, fault: &Fault, took: f64) {
    t.from_app();
    t.sign_in_page();
    let url = t.adfs_url();
    t.names(Some(url.clone()));
    t.decides();
    t.put(get(url.clone()).fails(fault.clone()).took(took));
    t.wait(5.0);
    t.put(get(url).fails(fault.clone()).took(took));
    t.elsewhere(15.0);
}

fn challenge_roots_dead(t: &mut Teller) {
    t.from_app();
    t.sign_in_page();
    t.names(None);
    let item = t.password_post();
    t.challenge_in(item, &["PhoneAppNotification"], &serde_json::json!({}));
    t.late();
    t.wait(0.2);
    t.decides();
    for root in [0, 1] {
        let script = t.script(root, "ConvergedTFA");
        t.put(script.fails(Fault::Closed).took(0.6));
        t.wait(0.5);
        let script = t.script(root, "ConvergedTFA");
        t.put(script.fails(Fault::ResetAfterHello).took(0.3));
    }
    t.elsewhere(30.0);
}
