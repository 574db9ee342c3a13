//! What a computer does besides, and a sign-in that works: scenes that stories are set in.

use super::story::Event;

/// The events of a scene.
pub(crate) fn scene(event: &Event) -> Vec<Event> {
    let name = event.scene.as_deref().unwrap();
    let mut all = match name {
        "application" => application(event.at),
        "desktop" => desktop(event.at),
        "page" => page(event),
        "sign-in" => sign_in(event),
        other => panic!("no scene: {other}"),
    };
    all.retain(|part| {
        let names = [&part.visit, &part.older, &part.http];
        !event.without.iter().any(|host| {
            names
                .iter()
                .any(|name| name.as_deref().is_some_and(|name| name.contains(host.as_str())))
        })
    });
    all
}

/// A computer at work: mail that was open before, the network check of the system, a browser that starts.
fn desktop(at: f64) -> Vec<Event> {
    vec![
        Event {
            requests: Some("0.2:310/620 14:290/540".to_owned()),
            ..older(at + 0.1, "outlook.office.com")
        },
        Event {
            at: at + 0.4,
            http: Some("GET http://www.msftconnecttest.com/connecttest.txt".to_owned()),
            head: vec!["Content-Type: text/plain".to_owned()],
            body: Some("Microsoft Connect Test".to_owned()),
            ..Event::default()
        },
        Event {
            requests: Some("0.02:700/1900".to_owned()),
            ..visit(at + 0.9, "edge.microsoft.com")
        },
        Event { requests: Some("0.02:1200/1700".to_owned()), ..visit(at + 1.4, "www.office.com") },
        Event {
            requests: Some("0.05:2100/240 4:1700/240".to_owned()),
            ..visit(at + 2.6, "browser.events.data.microsoft.com")
        },
        Event {
            at: at + 2.2,
            http: Some(
                "GET http://ocsp.digicert.com/MFEwTzBNMEswSTAJBgUrDgMCGgUABBTfqhLj".to_owned(),
            ),
            head: vec!["Content-Type: application/ocsp-response".to_owned()],
            ..Event::default()
        },
    ]
}

/// The page of a sign-in: service, scripts, pictures, session of a personal account.
fn page(event: &Event) -> Vec<Event> {
    let at = event.at;
    vec![
        Event {
            requests: Some(
                event.requests.clone().unwrap_or_else(|| "0.02:1900/6200 2.4:1600/1300".to_owned()),
            ),
            ..like(event, visit(at, "login.microsoftonline.com"))
        },
        Event {
            requests: Some("0.01:620/4200 0.02:600/1600".to_owned()),
            ..like(event, visit(at + 0.25, "aadcdn.msftauth.net"))
        },
        Event {
            requests: Some("0.02:520/1900".to_owned()),
            ..like(event, visit(at + 0.6, "aadcdn.msauthimages.net"))
        },
        Event {
            requests: Some("0.02:900/1400".to_owned()),
            ..like(event, visit(at + 0.7, "login.live.com"))
        },
    ]
}

/// A sign-in that works as far as can be seen: the page, a password, a challenge with polls, the application.
fn sign_in(event: &Event) -> Vec<Event> {
    let polls = if event.polls == 0 { 9 } else { event.polls };
    let mut all = page(&Event {
        requests: Some(event.requests.clone().unwrap_or_else(|| {
            format!("0.02:1900/6200 2.4:1600/1300 4.1:2400/4600 1.2:1500/1100 1x{polls}:1150/820 0.3:2900/4100 1.6:1800/1500")
        })),
        ..event.clone()
    });
    let later = event.at + 12.0 + f64::from(polls) * 1.06;
    all.push(Event {
        requests: Some("0.02:3200/1200 0.1:1400/2800".to_owned()),
        ..like(event, visit(later, "www.office.com"))
    });
    all
}

/// The application is opened, and leads to the sign-in.
fn application(at: f64) -> Vec<Event> {
    vec![Event { requests: Some("0.02:1200/1700".to_owned()), ..visit(at, "www.office.com") }]
}

fn visit(at: f64, name: &str) -> Event {
    Event { at, visit: Some(name.to_owned()), ..Event::default() }
}

fn older(at: f64, name: &str) -> Event {
    Event { at, older: Some(name.to_owned()), ..Event::default() }
}

/// What a scene says of all its connections.
fn like(scene: &Event, part: Event) -> Event {
    Event {
        version: scene.version.clone(),
        hello: scene.hello.clone(),
        issuer: scene.issuer.clone(),
        days: scene.days.clone(),
        resumed: scene.resumed,
        retry: scene.retry,
        close: scene.close.clone(),
        idle: scene.idle,
        proxy: scene.proxy.clone(),
        proxy_answers: scene.proxy_answers.clone(),
        syns: scene.syns,
        checks: scene.checks,
        ..part
    }
}
