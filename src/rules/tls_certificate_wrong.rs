//! TLS010: the certificate of a sign-in host is for another name or another time.

use super::{Case, Meta, Rule};
use crate::entra::{GuideCause, Side};
use crate::evidence::{
    CertificateSummary, Connection, ConnectionId, ExchangeId, HostName, NamedBy,
};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Severity, Text};
use crate::time::Timestamp;

rule! {
    /// ## What it finds
    /// In the handshake with a sign-in host a certificate came whose names do not cover the host,
    /// or that was not valid yet, or no longer, at the time of the capture.
    ///
    /// ## Why it breaks sign-in
    /// The client refuses such a certificate. The service's own covers its names and is renewed
    /// long before its end, so something else answered: a filter, a captive portal, an inspecting
    /// proxy whose certificates ran out.
    ///
    /// ## Evidence it needs
    /// Packets of a handshake up to TLS 1.2, where the certificate is not encrypted, of a client
    /// that named the host in its ClientHello or its CONNECT. It is an error only where an attempt
    /// was stopped at that connection.
    ///
    /// ## What looks like it
    /// A capture whose own clock is wrong: there the client goes on, and the rule is silent about
    /// the time. A name that was only guessed from a lookup; a host that has nothing to do with
    /// signing in; an untrusted issuer (TLS001) or an inspection (TLS002).
    ///
    /// ## What to do
    /// Look at the subject, the issuer and the dates in the cited frames: they mostly give away who
    /// answered. Compare the clocks of the computer and of the machine that captured.
    ///
    /// ## References
    /// RFC 9525 and RFC 6125 section 6.4 (names of servers); RFC 5280 section 4.1.2.5 (validity).
    pub(crate) struct TlsCertificateWrong {
        id: "TLS010", name: "tls-certificate-wrong", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Read the subject and the issuer of the certificate to see who answers in place of the host, and compare the clock of the computer.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// It is for other names.
    Name,
    /// It is not valid yet.
    Early(Timestamp),
    /// It is valid no longer.
    Late(Timestamp),
}

impl Rule for TlsCertificateWrong {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let exchanges = by_connection(case);
        let mut found: Vec<(&HostName, Wrong, Refs, Option<usize>)> = Vec::new();
        for (number, connection) in (0_u32..).zip(&case.evidence.connections) {
            let Some((host, certificate)) = subject(case, connection) else { continue };
            let exchange = exchanges.get(&ConnectionId(number)).copied();
            let went_on = exchange.is_some_and(|id| {
                let exchange = case.evidence.exchange(id);
                case.failure(id).is_none()
                    && exchange.is_some_and(crate::evidence::Exchange::is_answered)
            });
            let Some(wrong) = wrong(case, connection, host, certificate, went_on) else { continue };
            let stopped = exchange.and_then(|id| case.stopped_by(id));
            let known = found.iter_mut().find(|one| one.0 == host && one.1 == wrong);
            if let Some((_, _, refs, attempt)) = known {
                refs.add(connection.at);
                *attempt = attempt.or(stopped);
            } else {
                found.push((host, wrong, Refs::one(connection.at), stopped));
            }
        }
        for (host, wrong, refs, attempt) in found {
            let hurt = attempt.is_some_and(|index| !case.is_overridden(index));
            let severity =
                if hurt || !case.spares(true) { Severity::Error } else { Severity::Warning };
            out.push(Finding {
                meta: self.meta(),
                severity,
                confidence: Confidence::High,
                host: Some(host.clone()),
                summary: describe(host, wrong),
                advice: None,
                refs,
                attempt,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// The exchanges that connections stand for.
fn by_connection(case: &Case<'_>) -> std::collections::BTreeMap<ConnectionId, ExchangeId> {
    let hidden = case.evidence.numbered().filter(|(_, exchange)| exchange.is_hidden());
    hidden.filter_map(|(id, exchange)| Some((exchange.connection?, id))).collect()
}

/// The host that a client named and the certificate that came, where packets show both.
fn subject<'a>(
    case: &Case<'_>,
    connection: &'a Connection,
) -> Option<(&'a HostName, &'a CertificateSummary)> {
    connection.wire.as_ref()?;
    let host = connection.server_name.as_ref()?;
    let guessed = connection.named_by == Some(NamedBy::Lookup);
    let asked = super::is_sign_in_host(host.as_str()) && !guessed;
    if case.spares(!asked) {
        return None;
    }
    Some((host, connection.tls.as_deref()?.certificate.as_ref()?))
}

fn wrong(
    case: &Case<'_>,
    connection: &Connection,
    host: &HostName,
    certificate: &CertificateSummary,
    went_on: bool,
) -> Option<Wrong> {
    if !certificate.is_for(host.as_str()) {
        return Some(Wrong::Name);
    }
    // The clock that the client goes by is right, and that of the capture is not.
    if case.spares(went_on) {
        return None;
    }
    let at = connection.span?.first();
    let early = certificate.not_before.filter(|begin| at < *begin).map(Wrong::Early);
    early.or_else(|| certificate.not_after.filter(|end| at > *end).map(Wrong::Late))
}

fn describe(host: &HostName, wrong: Wrong) -> Text {
    let text = Text::default().with(host);
    match wrong {
        Wrong::Name => text.with(" was answered with a certificate for other names"),
        Wrong::Early(begin) => text
            .with(" was answered with a certificate that is valid only from ")
            .with(Piece::Time(begin))
            .with(" on"),
        Wrong::Late(end) => {
            text.with(" was answered with a certificate that ran out at ").with(Piece::Time(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use super::*;

    fn certificate(connection: &mut Connection, name: &str, until: i64) {
        let tls = connection.tls.as_mut().unwrap();
        tls.version = Some(crate::evidence::TlsVersion::Tls12);
        tls.certificate = Some(CertificateSummary {
            subject: format!("CN={name}"),
            issuer: "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US".to_owned(),
            names: vec![name.to_owned()],
            not_before: Some(Timestamp::from_nanoseconds(1_600_000_000_000_000_000)),
            not_after: Some(Timestamp::from_nanoseconds(until * 1_000_000_000)),
        });
    }

    #[test]
    fn a_certificate_for_other_names() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            certificate(connection, "*.microsoftonline.com", 1_800_000_000);
        });
        assert_eq!(capture.rules(), NONE);
        capture.wired("login.microsoftonline.com", |connection| {
            certificate(connection, "portal.hotel.example", 1_800_000_000);
        });
        let found = capture.found("TLS010");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
    }

    #[test]
    fn a_clock_that_only_the_capture_has_wrong() {
        let late = |connection: &mut Connection| {
            certificate(connection, "login.microsoftonline.com", 1_650_000_000);
        };
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", late);
        assert_eq!(capture.rules(), NONE);
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            certificate(connection, "login.microsoftonline.com", 1_650_000_000);
            let tls = connection.tls.as_mut().unwrap();
            let (from, at) = (crate::evidence::Peer::Client, Some(connection.at));
            let alert = crate::evidence::Alert { from, description: 45, fatal: true, at };
            (tls.completed, tls.application) = (Some(false), [0, 0]);
            tls.alerts = vec![alert];
        });
        let found = capture.found("TLS010");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(found[0].summary.contains("ran out"), "{}", found[0].summary);
    }
}
