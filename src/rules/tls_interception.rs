//! TLS002: the certificate of a sign-in host is not the service's own.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule};
use crate::entra::{
    Certainty, Fault, GuideCause, HostRole, Side, StepKind, Vendor, hosts, vendors,
};
use crate::evidence::{Connection, EvidenceRef, HostName};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Severity, Text};
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The certificate that came for a sign-in host was issued by neither `DigiCert` nor Microsoft,
    /// so something on the way or on the computer decrypts the traffic. A known product is named; a
    /// proxy of the organisation and an antivirus program on the computer are told apart. Hosts
    /// that ask for a client certificate are told by PRX008.
    ///
    /// ## Why it breaks sign-in
    /// Decryption that the client trusts does not by itself disturb a password or a push. It does
    /// break device and user certificates, because no inspection can pass them on, and then a
    /// policy that wants a managed device refuses the sign-in.
    ///
    /// ## Evidence it needs
    /// The issuer of a certificate, from the connection of a browser or from the text that Fiddler
    /// keeps of the connection behind it. It is information; an error only where an attempt was
    /// stopped at that host by TLS or by a lost connection. An issuer that is in no list has low
    /// confidence. From packets: a certificate in clear, which TLS up to 1.2 has.
    ///
    /// ## What looks like it
    /// The root of the capture tool itself (CAP005). A host of an identity provider may have any
    /// public issuer, so there only known products count. Under TLS 1.3 a packet capture does not
    /// show the certificate at all.
    ///
    /// ## What to do
    /// Read the issuer with the user of the product. Exempt `login.microsoftonline.com`,
    /// `login.microsoft.com`, `login.windows.net`, `device.login.microsoftonline.com`,
    /// `enterpriseregistration.windows.net` and the `certauth` hosts. If the issuer is unknown,
    /// compare with the certificate seen from another network.
    ///
    /// ## References
    /// Microsoft: plan device identity and tenant restrictions (hosts to be left out of TLS
    /// inspection); certificate change notices of the login hosts; public issuer names of the
    /// products, in the table of this program.
    pub(crate) struct TlsInterception {
        id: "TLS002", name: "tls-interception", family: Tls, severity: Info,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Exempt the sign-in hosts from TLS inspection, above all those that ask for a device or user certificate.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsInterception {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let found = intercepted(case, |host| {
            let asked = super::is_sign_in_host(host.as_str()) || is_identity_provider(case, host);
            // Hosts that ask for a client certificate have a rule of their own.
            asked && !hosts::is_certificate_host(host.as_str())
        });
        for ((host, who), mut refs) in found {
            let stopped = stopped_at(case, host);
            let severity = match stopped {
                Some((index, _)) if !case.is_overridden(index) => Severity::Error,
                _ => self.meta().severity,
            };
            if let Some((_, exchanges)) = &stopped {
                for at in exchanges {
                    refs.add(*at);
                }
            }
            let (summary, confidence) = describe(host, who, issuer_name(case, &refs));
            let advice = (who == Who::Unknown).then(|| {
                Text::of(
                    "Read the issuer in the cited place and ask whether the organisation runs it.",
                )
            });
            out.push(Finding {
                meta: self.meta(),
                severity,
                confidence,
                host: Some(host.clone()),
                summary,
                advice,
                refs,
                attempt: stopped.map(|(index, _)| index),
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Hosts whose certificate is not the service's own, with who issued it and where that stands.
pub(super) fn intercepted<'a>(
    case: &Case<'a>,
    wanted: impl Fn(&HostName) -> bool,
) -> BTreeMap<(&'a HostName, Who), Refs> {
    let mut found: BTreeMap<(&HostName, Who), Refs> = BTreeMap::new();
    for connection in &case.evidence.connections {
        let Some(host) = connection.server_name.as_ref().filter(|host| wanted(host)) else {
            continue;
        };
        // The capture tool is there only while it records.
        let tool = is_by_tool(connection).then_some(Who::Unknown);
        let Some(who) = who(connection, host).or(tool.filter(|_| !case.spares(true))) else {
            continue;
        };
        found
            .entry((host, who))
            .and_modify(|refs| refs.add(connection.at))
            .or_insert_with(|| Refs::one(connection.at));
    }
    found
}

/// Who issued a certificate that the service did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Security software on the computer.
    Antivirus(&'static str, Certainty),
    /// A proxy or filter.
    Proxy(&'static str, Certainty),
    /// In no list.
    Unknown,
}

/// Who stands between, if the certificate is not the service's own.
fn who(connection: &Connection, host: &HostName) -> Option<Who> {
    let tls = connection.tls.as_ref()?;
    let issuer = tls.certificate.as_ref()?.issuer.trim();
    let row = hosts::host(host.as_str());
    if issuer.is_empty() {
        return None;
    }
    if vendors::is_expected_issuer(issuer) || vendors::is_capture_tool_issuer(issuer) {
        return None;
    }
    let known = vendors::issuer(issuer).filter(|vendor| vendor.is_usable());
    if known.is_some_and(Vendor::is_microsoft) {
        return None;
    }
    match known {
        Some(vendor) if vendor.is_antivirus() => {
            Some(Who::Antivirus(vendor.name, certainty(vendor)))
        }
        Some(vendor) => Some(Who::Proxy(vendor.name, certainty(vendor))),
        // Other hosts may have any public issuer.
        None => row
            .is_some_and(|row| match row.role {
                HostRole::Sts
                | HostRole::StsAlias
                | HostRole::DeviceCert
                | HostRole::MfaRegistration => true,
                HostRole::SigninCdn => hosts::is_script_cdn(host.as_str()),
                _ => false,
            })
            .then_some(Who::Unknown),
    }
}

/// A sign without a public source is not certain.
fn certainty(vendor: &Vendor) -> Certainty {
    if vendor.is_verified() { vendor.confidence } else { Certainty::Medium }
}

/// Whether a sign-in of the case was handed to this host.
fn is_identity_provider(case: &Case<'_>, host: &HostName) -> bool {
    case.attempts().any(|(_, attempt)| {
        attempt
            .steps
            .iter()
            .any(|step| step.kind == StepKind::FederationRedirect && step.host == *host)
    })
}

/// The name by which the issuer of a certificate calls itself.
pub(super) fn issuer_name(case: &Case<'_>, refs: &Refs) -> Option<Piece> {
    let shown = case
        .evidence
        .connections
        .iter()
        .find(|connection| refs.contains(connection.at))
        .and_then(|connection| connection.tls.as_ref()?.certificate.as_ref())?;
    let part = |name: &str| {
        shown.issuer.split([',', '+', '/', ';', '\n']).find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let name = part("CN")
        .or_else(|| part("O"))
        .or_else(|| (!shown.issuer.contains('=')).then(|| shown.issuer.trim().to_owned()))?;
    (!name.is_empty()).then_some(Piece::Issuer(name))
}

fn describe(host: &HostName, who: Who, issuer: Option<Piece>) -> (Text, Confidence) {
    let text = Text::default().with(host);
    match who {
        Who::Antivirus(name, sure) => (
            text.with(" is decrypted on the computer itself by security software (")
                .with(Piece::Literal(name))
                .with(")"),
            confidence_in(sure),
        ),
        Who::Proxy(name, sure) => (
            text.with(" is decrypted on the way by a proxy or filter (")
                .with(Piece::Literal(name))
                .with(")"),
            confidence_in(sure),
        ),
        Who::Unknown => {
            let text = text.with(" showed a certificate whose issuer is not recognised");
            let text = match issuer {
                Some(name) => text.with(" (").with(name).with(")"),
                None => text,
            };
            (text.with("; please check it"), Confidence::Low)
        }
    }
}

pub(super) const fn confidence_in(sure: Certainty) -> Confidence {
    match sure {
        Certainty::High => Confidence::High,
        Certainty::Low | Certainty::Medium => Confidence::Medium,
    }
}

/// The attempt that was stopped at this host in a way that an inspection can cause.
fn stopped_at(case: &Case<'_>, host: &HostName) -> Option<(usize, Vec<EvidenceRef>)> {
    case.attempts().find_map(|(index, attempt)| {
        let blockage = attempt.blockage.as_ref()?;
        let exchanges: Vec<_> = blockage
            .exchanges
            .iter()
            .filter(|id| case.failure(**id).is_some_and(|failure| is_by_tls(failure.kind)))
            .filter_map(|id| case.evidence.exchange(*id))
            .filter(|exchange| exchange.host() == host)
            .map(|exchange| exchange.at)
            .collect();
        (!exchanges.is_empty()).then_some((index, exchanges))
    })
}

const fn is_by_tls(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Fault(fault) => {
            fault.is_certificate()
                || matches!(
                    fault,
                    Fault::ClientCert
                        | Fault::ClosedWithoutAnswer
                        | Fault::Ech
                        | Fault::Reset
                        | Fault::TlsHandshake
                        | Fault::TlsProtocol
                        | Fault::TlsVersion
                )
        }
        _ => false,
    }
}

/// Whether the capture tool itself answers TLS, by its certificate or by its own word.
fn is_by_tool(connection: &Connection) -> bool {
    connection.tls.as_ref().is_some_and(|tls| {
        let shown = tls.certificate.as_ref();
        tls.by_capture_tool
            || shown.is_some_and(|shown| vendors::is_capture_tool_issuer(&shown.issuer))
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::Found;
    use super::super::support::*;

    const DIGICERT: &str = "CN=DigiCert SHA2 Secure Server CA,O=DigiCert Inc,C=US";
    const ZSCALER: &str = "CN=Zscaler Root CA, O=Zscaler Inc., C=US";

    fn found(host: &str, issuer: &str, by_tool: bool) -> Vec<Found> {
        let mut capture = Capture::new();
        capture.connection(host, issuer, by_tool);
        capture.found("TLS002")
    }

    #[test]
    fn products_are_named_and_told_apart() {
        let one = found("login.microsoftonline.com", ZSCALER, true);
        assert_eq!(one[0].confidence, "high");
        assert_eq!(one[0].severity, "info");
        assert!(one[0].summary.contains("proxy or filter (Zscaler)"), "{}", one[0].summary);
        let one = found("login.microsoftonline.com", "CN=ESET SSL Filter CA, O=ESET", false);
        assert_eq!(one[0].confidence, "medium");
        assert!(one[0].summary.contains("on the computer itself"), "{}", one[0].summary);
        assert!(found("device.login.microsoftonline.com", ZSCALER, false).is_empty());
    }

    #[test]
    fn an_unknown_issuer_counts_at_hosts_of_the_service_only() {
        let one = found("login.microsoftonline.com", "CN=Contoso Root", false);
        assert_eq!((one[0].confidence, one[0].severity), ("low", "info"));
        assert!(found("contoso.okta.com", "CN=Some Public CA, O=Some", false).is_empty());
        assert!(found("www.example.org", ZSCALER, false).is_empty());
    }

    #[test]
    fn the_right_issuer_and_the_capture_tool_are_silent() {
        let right = "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc, C=US";
        assert!(found("login.microsoftonline.com", right, true).is_empty());
        let tool = "CN=DO_NOT_TRUST_FiddlerRoot, O=DO_NOT_TRUST";
        assert!(found("login.microsoftonline.com", tool, false).is_empty());
    }

    fn in_packets(change: fn(&mut crate::evidence::Connection)) -> Vec<Found> {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", change);
        capture.found("TLS002")
    }

    fn issued(connection: &mut crate::evidence::Connection, issuer: &str) {
        let tls = connection.tls.as_mut().unwrap();
        tls.version = Some(crate::evidence::TlsVersion::Tls12);
        let issuer = issuer.to_owned();
        let names = vec!["login.microsoftonline.com".to_owned()];
        tls.certificate =
            Some(crate::evidence::CertificateSummary { issuer, names, ..Default::default() });
    }

    #[test]
    fn certificates_in_packets_are_read_alike() {
        let found = in_packets(|connection| issued(connection, ZSCALER));
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert!(found[0].summary.contains("Zscaler"), "{}", found[0].summary);
        assert!(in_packets(|connection| issued(connection, DIGICERT)).is_empty());
    }
}
