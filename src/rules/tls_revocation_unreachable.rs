//! TLS011: whether certificates are revoked cannot be asked.

use std::time::Duration;

use super::{Case, Meta, Rule, about_capture, is_sign_in_host};
use crate::entra::{GuideCause, Side, hosts};
use crate::evidence::{EvidenceRef, HostName};
use crate::finding::{Confidence, Finding, Findings, Refs, Severity, Text};
use crate::signin::{Errand, FailureKind, Unmet, Why, is_refused_unchecked};

rule! {
    /// ## What it finds
    /// The servers that tell whether a certificate is revoked (OCSP responders and lists of revoked
    /// certificates, most of them on TCP port 80) could not be reached: no address, no answer, a
    /// refused or cut connection, an error, or a page of something else in place of the status.
    ///
    /// ## Why it breaks sign-in
    /// Mostly it does not: browsers go on when they get no status. A client that insists on one
    /// refuses the certificate of the sign-in host, and Windows waits for the status for 15 seconds
    /// and more before it goes on, in which a page or a poll can run into its time-out.
    ///
    /// ## Evidence it needs
    /// Lookups, connections or requests to one of these hosts that failed, and none of them that
    /// told a status. It is a warning only where a client refused a certificate because its status
    /// could not be told (`certificate_revoked`, `certificate_unknown` about one of the service's
    /// own, the errors of browsers and Windows about the check), or waited in the handshake for
    /// seconds while the status was being asked for; else it is information. It never decides: the
    /// refused certificate is told by TLS001, which names this as its reason.
    ///
    /// ## What looks like it
    /// One of these servers that fails while another one answers; a status out of the cache, or
    /// stapled by the server, for which nobody has to be asked; a network in which nothing at all
    /// gets through; an inspecting proxy whose own certificate is refused.
    ///
    /// ## What to do
    /// Open TCP port 80 to the hosts of the endpoint sets 84 and 125, and leave them out of proxy
    /// sign-in and inspection. On Windows `certutil -urlfetch -verify` with the certificate shows
    /// which address fails.
    ///
    /// ## References
    /// RFC 6960 (OCSP) and RFC 5280 section 5 (revocation lists); Microsoft 365 URLs and IP address
    /// ranges, ids 84 and 125; Microsoft: manage network retrieval and path validation (time-outs of
    /// 15 and 20 seconds); MS-ERREF section 2.1.1.
    pub(crate) struct TlsRevocationUnreachable {
        id: "TLS011", name: "tls-revocation-unreachable", family: Tls, severity: Warning,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Open TCP port 80 to the hosts that tell the status of certificates (endpoint sets 84 and 125), without proxy sign-in or inspection.",
    }
}

/// Hosts named in one finding.
const NAMED: usize = 3;
/// A client that takes so long over a certificate waits for something.
const WAITED: Duration = Duration::from_secs(5);

impl Rule for TlsRevocationUnreachable {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let servers = Errand::status(case.evidence, &case.signin.failures);
        let refused = refused(case);
        let waited = waited(case, &servers);
        let harmless = servers.answered || refused.is_none() && is_nothing_through(case);
        let places = servers.failed.iter().flat_map(|one| one.places.iter().copied());
        let Some(mut refs) = Refs::all(places).filter(|_| !case.spares(harmless)) else { return };
        let told = refused.is_some() || waited.is_some() && case.has_failed_attempt();
        let mut text = Text::of("the status of certificates could not be asked for: ")
            .with_text(&unasked(&servers.failed));
        if let Some(host) = refused {
            text = text.with("; the client refused the certificate of ").with(host);
        }
        if let Some((host, length, at)) = waited {
            refs.add(at);
            text = text
                .with("; meanwhile the client waited ")
                .with(length.as_secs())
                .with(" s in the handshake with ")
                .with(host);
        }
        if refused.is_none() && waited.is_none() {
            text = text.with("; most clients go on without it");
        }
        let finding = about_capture(self.meta(), refs, text);
        out.push(Finding {
            severity: if case.spares(!told) { Severity::Info } else { finding.severity },
            confidence: Confidence::Medium,
            host: servers.failed.first().map(|one| one.host.clone()),
            ..finding
        });
    }
}

/// Servers that could not be asked, and what kept them from answering.
pub(super) fn unasked(failed: &[Unmet<'_>]) -> Text {
    let mut text = Text::default();
    for (position, one) in failed.iter().take(NAMED).enumerate() {
        text = text.with(if position == 0 { "" } else { ", " }).with(one.host);
        text = match one.how {
            Why::Status(status) => text.with(" answered with status ").with(u64::from(status)),
            how => text.with(words(how)),
        };
    }
    match failed.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => text.with(" and ").with(super::count(more)).with(" more"),
        None => text,
    }
}

const fn words(how: Why) -> &'static str {
    match how {
        Why::Cut => " closed the connection without an answer",
        Why::Name => " could not be resolved",
        Why::Page => " was answered for by a page of something else",
        Why::Refused => " refused the connection",
        Why::Silent => " did not answer",
        Why::Other | Why::Status(_) => " could not be reached",
    }
}

/// The first sign-in host whose certificate was refused for want of its status.
fn refused<'a>(case: &Case<'a>) -> Option<&'a HostName> {
    case.signin.failures.iter().find_map(|(id, failure)| {
        let host = case.evidence.exchange(*id)?.host();
        let counts =
            is_sign_in_host(host.as_str()) && is_refused_unchecked(case.evidence, *id, failure);
        counts.then_some(host)
    })
}

/// The sign-in host in whose handshake the client waited longest while the status was asked for.
fn waited<'a>(
    case: &Case<'a>,
    servers: &Errand<'_>,
) -> Option<(&'a HostName, Duration, EvidenceRef)> {
    case.sign_in_connections()
        .filter_map(|(host, connection, _)| {
            let checked = connection.tls.as_deref()?.checked?;
            let long = checked.length() >= WAITED && servers.during(checked).next().is_some();
            long.then_some((host, checked.length(), connection.at))
        })
        // What failed is cited by the rule of its fault.
        .filter(|(_, _, at)| {
            let mut failed =
                case.signin.failures.keys().filter_map(|id| case.evidence.exchange(*id));
            !failed.any(|exchange| exchange.at == *at)
        })
        .max_by_key(|(host, length, _)| {
            (length.as_secs(), hosts::is_sign_in_service(host.as_str()))
        })
}

/// Whether the network kept a sign-in host away by other means than its certificate: then these servers
/// tell nothing more.
fn is_nothing_through(case: &Case<'_>) -> bool {
    case.attempts().any(|(_, attempt)| {
        let stopped = attempt.blockage.as_ref().filter(|_| attempt.side == Side::Network);
        stopped.is_some_and(|blockage| {
            let kinds = blockage.exchanges.iter().filter_map(|id| case.failure(*id));
            kinds.into_iter().all(|failure| {
                !matches!(failure.kind, FailureKind::Fault(fault) if fault.is_certificate())
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::{Answer, Connection, Opened, Protocol};
    use crate::time::Span;

    const LOGIN: &str = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";
    const OCSP: &str = "http://ocsp.digicert.com/MFEw";

    fn silent(connection: &mut Connection) {
        connection.opened = Opened::Unanswered { tries: 3 };
        connection.tls = None;
        let wire = connection.wire.as_mut().unwrap();
        (wire.payload, wire.protocol) = ([None; 2], Protocol::Nothing);
    }

    #[test]
    fn a_refused_certificate_makes_it_a_warning() {
        let mut capture = Capture::new();
        capture.get(OCSP, 403);
        capture.failed(LOGIN, "net::ERR_CERT_UNABLE_TO_CHECK_REVOCATION");
        let found = capture.found("TLS011");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
        assert!(found[0].summary.contains("ocsp.digicert.com answered with status 403"));
        let refused = &capture.summaries("TLS001")[0];
        assert!(refused.contains("ocsp.digicert.com answered with status 403"), "{refused}");
        // Where one tells the status, the others are not missed.
        let mut capture = Capture::new();
        capture.get(OCSP, 403);
        capture.get("http://crl3.digicert.com/x.crl", 304);
        capture.healthy();
        assert!(capture.found("TLS011").is_empty());
    }

    #[test]
    fn a_sign_in_that_passes_makes_it_information() {
        let mut capture = Capture::new();
        capture.get(OCSP, 503);
        capture.get("http://www.microsoft.com/en-us/x", 404);
        capture.healthy();
        let found = capture.found("TLS011");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert!(!found[0].summary.contains("www.microsoft.com"), "{}", found[0].summary);
    }

    #[test]
    fn a_wait_in_the_handshake_is_told() {
        let mut capture = Capture::new();
        capture.wired("ocsp.digicert.com", silent);
        capture.wait(-10);
        capture.wired("login.microsoftonline.com", |connection| {
            let start = connection.span.unwrap().first();
            let until = start.plus(std::time::Duration::from_secs(15));
            connection.tls.as_mut().unwrap().checked = Some(Span::new(start, until));
        });
        let found = capture.found("TLS011");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
        assert!(found[0].summary.contains("waited 15 s"), "{}", found[0].summary);
    }

    #[test]
    fn names_without_an_address() {
        let mut capture = Capture::new();
        capture.lookup("ocsp.digicert.com", "10.0.0.53", Answer::Failed(3));
        capture.wired("login.microsoftonline.com", |_| {});
        assert!(capture.summaries("TLS011")[0].contains("could not be resolved"));
        let address = Answer::Addresses(vec!["192.229.221.95".parse().unwrap()]);
        capture.lookup("ocsp.digicert.com", "10.0.0.54", address);
        assert!(capture.found("TLS011").is_empty());
    }
}
