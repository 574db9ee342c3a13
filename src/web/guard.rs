//! Who may ask, and the head that every answer has.
//!
//! The name by which the server is asked must be its own, so that no page of another site can reach it by
//! a name that changes its address; what is sent to it must come from its own page or from a program; and
//! whoever asks must have the token. It must not know what is asked for.
//!
//! Invariants: secrets are compared in a time that does not tell how much of them fits; a request that is
//! refused here has not been read beyond its head.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;

/// The policy of answers that bring none of their own.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The names by which the server may be asked.
pub(super) struct Hosts {
    bound: SocketAddr,
}

impl Hosts {
    pub(super) const fn of(bound: SocketAddr) -> Self {
        Self { bound }
    }

    /// Whether a host with its port names this server. A name other than `localhost` never does: it can be
    /// made to mean any address.
    fn allows(&self, host: &str) -> bool {
        let with_port = |host: &str| -> Option<SocketAddr> {
            host.parse().ok().or_else(|| {
                let ip = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
                Some(SocketAddr::new(ip, 80))
            })
        };
        let ip = self.bound.ip();
        let name = host.to_ascii_lowercase();
        if let Some(rest) = name.strip_prefix("localhost") {
            let port =
                if rest.is_empty() { Some(80) } else { rest.strip_prefix(':').and_then(port) };
            return port == Some(self.bound.port()) && (ip.is_loopback() || ip.is_unspecified());
        }
        with_port(host).is_some_and(|asked| {
            asked.port() == self.bound.port() && (asked.ip() == ip || self.is_any(asked.ip()))
        })
    }

    fn is_any(&self, asked: IpAddr) -> bool {
        self.bound.ip().is_unspecified() && !asked.is_unspecified()
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok()
}

/// Lets a request through or refuses it, and dresses the answer.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&shared, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(entered)) => entered,
        Err(problem) => {
            shared.metrics.refuse();
            problem.into_response()
        }
    };
    dress(response.headers_mut());
    shared.metrics.answer(response.status());
    response
}

/// Whether the request may go on; or the answer to one that enters with the token.
fn admit(shared: &Shared, request: &Request) -> Result<Option<Response>, Problem> {
    let headers = request.headers();
    let host = only(headers, &HOST).ok_or(FOREIGN_HOST)?;
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    if !shared.hosts.allows(host) || !authority.is_none_or(|name| shared.hosts.allows(name)) {
        return Err(FOREIGN_HOST);
    }
    let bearer = has_bearer(headers, &shared.token);
    let session = has_session(headers, shared);
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let own = is_own(headers, host)?;
        // A browser says where a form comes from; a session without that word is no browser's.
        if !own && !bearer && session {
            return Err(FOREIGN_PAGE);
        }
    }
    if request.uri().path() == "/healthz" {
        return Ok(None);
    }
    if request.uri().path() == "/"
        && request.method() == Method::GET
        && let Some(token) = request.uri().query().and_then(token_of)
    {
        return enter(shared, token, session).map(Some);
    }
    if bearer || session { Ok(None) } else { Err(Problem::unknown()) }
}

const FOREIGN_HOST: Problem = Problem::refused(
    "the Host of the request is not this server: use the address that mfatrace serve printed",
);
const FOREIGN_PAGE: Problem =
    Problem::refused("the request comes from the page of another site, or does not say from where");

/// Exchanges the token of an address for a cookie; the address is then used up.
fn enter(shared: &Shared, token: &str, has_session: bool) -> Result<Response, Problem> {
    if !has_session {
        let fits = is_same(token, &shared.token);
        if !fits || shared.used.swap(true, Ordering::AcqRel) {
            return Err(if fits {
                Problem::refused(
                    "this address was used: start mfatrace serve again, or go on in the browser that used it",
                )
            } else {
                Problem::unknown()
            });
        }
    }
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    let (name, session) = (cookie_name(shared), &shared.session);
    let cookie = format!("{name}={session}; HttpOnly; SameSite=Strict; Path=/");
    headers.insert(SET_COOKIE, HeaderValue::from_str(&cookie).map_err(|_| Problem::internal())?);
    Ok(response)
}

/// Browsers keep cookies by host and not by port; two servers must not take each other's.
fn cookie_name(shared: &Shared) -> String {
    format!("mfatrace-{}", shared.hosts.bound.port())
}

fn token_of(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

/// The value of a field that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let value = all.next()?;
    if all.next().is_some() { None } else { value.to_str().ok() }
}

fn has_bearer(headers: &HeaderMap, token: &str) -> bool {
    only(headers, &AUTHORIZATION).and_then(|value| value.split_once(' ')).is_some_and(
        |(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && is_same(given.trim(), token),
    )
}

fn has_session(headers: &HeaderMap, shared: &Shared) -> bool {
    let name = cookie_name(shared);
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).any(|cookies| {
        cookies
            .split(';')
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(key, value)| key == name && is_same(value, &shared.session))
    })
}

/// Whether a browser says that its own page sends this; `Err` where it says that another one does.
fn is_own(headers: &HeaderMap, host: &str) -> Result<bool, Problem> {
    let mut own = false;
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, &ORIGIN).and_then(|origin| origin.strip_prefix("http://"));
        if !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host)) {
            return Err(FOREIGN_PAGE);
        }
        own = true;
    }
    let site = HeaderName::from_static("sec-fetch-site");
    if headers.contains_key(&site) {
        match only(headers, &site) {
            Some("same-origin") => own = true,
            Some("none") => {}
            _ => return Err(FOREIGN_PAGE),
        }
    }
    Ok(own)
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
fn is_same(given: &str, secret: &str) -> bool {
    let differ = given
        .bytes()
        .zip(secret.bytes())
        .fold(u8::from(given.len() != secret.len()), |differ, (one, two)| {
            std::hint::black_box(differ | (one ^ two))
        });
    differ == 0
}

/// Adds the head that keeps an answer where it belongs.
fn dress(headers: &mut HeaderMap) {
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bound: &str) -> Hosts {
        Hosts::of(bound.parse().unwrap())
    }

    #[test]
    fn a_name_that_can_be_rebound_is_no_host() {
        let loopback = hosts("127.0.0.1:8080");
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080"] {
            assert!(loopback.allows(host), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.2:8080",
            "localhost",
            "localhost.:8080",
            "localhost.example:8080",
            "rebind.example:8080",
            "127.0.0.1:8080@x",
        ] {
            assert!(!loopback.allows(host), "{host}");
        }
        let any = hosts("0.0.0.0:9");
        assert!(any.allows("192.0.2.7:9") && any.allows("localhost:9"));
        assert!(!any.allows("server.example:9") && !any.allows("0.0.0.0:8"));
        let one = hosts("192.0.2.7:80");
        assert!(one.allows("192.0.2.7") && one.allows("192.0.2.7:80"));
        assert!(!one.allows("localhost") && !one.allows("192.0.2.8"));
        assert!(hosts("[::1]:81").allows("[::1]:81") && hosts("[::1]:80").allows("[::1]"));
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(is_same("abc", "abc"));
        for other in ["", "ab", "abd", "abcd", "ABC"] {
            assert!(!is_same(other, "abc"), "{other}");
        }
    }

    #[test]
    fn what_a_browser_says_of_another_page_counts() {
        let ask = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            is_own(&headers, "127.0.0.1:9")
        };
        assert_eq!(ask(&[]), Ok(false));
        assert_eq!(ask(&[("origin", "http://127.0.0.1:9")]), Ok(true));
        assert_eq!(ask(&[("sec-fetch-site", "same-origin")]), Ok(true));
        assert_eq!(ask(&[("sec-fetch-site", "none")]), Ok(false));
        for wrong in [
            ("origin", "null"),
            ("origin", "https://127.0.0.1:9"),
            ("origin", "http://127.0.0.1:10"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(ask(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
