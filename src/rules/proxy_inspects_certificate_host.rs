//! PRX008: TLS inspection where a client certificate is asked for.

use super::tls_interception::{Who, confidence_in, intercepted, issuer_name};
use super::{Case, Meta, Rule};
use crate::entra::{GuideCause, Side, hosts};
use crate::evidence::{EvidenceRef, HostName};
use crate::finding::{Confidence, Finding, Findings, Piece, Severity, Text};

rule! {
    /// ## What it finds
    /// A host that asks the client for a certificate (`device.login`, `enterpriseregistration`,
    /// `certauth`) is decrypted by something other than the capture tool.
    ///
    /// ## Why it breaks sign-in
    /// A client certificate cannot pass a device that answers TLS in the server's place. The
    /// service gets no proof of the device or user, and policies that want one refuse the sign-in
    /// (50097, 50155, 50187, 50192, 53000, 53001).
    ///
    /// ## Evidence it needs
    /// The issuer of the certificate shown for such a host. It is a warning, and an error where an
    /// attempt ended with one of these codes or could not go on at that host. An issuer that is in
    /// no list has low confidence.
    ///
    /// ## What looks like it
    /// The capture tool itself, which decrypts the host while it runs (CAP005); inspection of hosts
    /// that ask for no certificate (TLS002).
    ///
    /// ## What to do
    /// Add the hosts to the list of exemptions of the named product:
    /// `device.login.microsoftonline.com`, `enterpriseregistration.windows.net`,
    /// `certauth.login.microsoftonline.com` and `*.certauth.login.microsoftonline.com`.
    ///
    /// ## References
    /// Microsoft: tenant restrictions and plan your device identity (hosts to be left out of TLS
    /// inspection); certificate-based authentication.
    pub(crate) struct ProxyInspectsCertificateHost {
        id: "PRX008", name: "proxy-inspects-certificate-host", family: Prx, severity: Warning,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Exempt the hosts that ask for a device or user certificate from TLS inspection, as Microsoft demands.",
        masks: ["MFA001", "STS002"],
    }
}

/// Codes of a device claim that did not arrive or was not enough.
const REFUSED: [u32; 6] = [50_097, 50_155, 50_187, 50_192, 53_000, 53_001];

impl Rule for ProxyInspectsCertificateHost {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let found = intercepted(case, |host| hosts::is_certificate_host(host.as_str()));
        for ((host, who), mut refs) in found {
            let hurt = refused(case, host);
            if let Some((_, places)) = &hurt {
                for at in places {
                    refs.add(*at);
                }
            }
            let text = Text::default().with(host);
            let text = match who {
                Who::Antivirus(name, _) => text
                    .with(" asks for a client certificate and is decrypted on the computer (")
                    .with(Piece::Literal(name))
                    .with(")"),
                Who::Proxy(name, _) => text
                    .with(" asks for a client certificate and is decrypted on the way (")
                    .with(Piece::Literal(name))
                    .with(")"),
                Who::Unknown => {
                    let text = text.with(
                        " asks for a client certificate and showed one whose issuer is not recognised",
                    );
                    match issuer_name(case, &refs) {
                        Some(name) => text.with(" (").with(name).with(")"),
                        None => text,
                    }
                }
            };
            let text = match &hurt {
                Some(_) => text.with(", so no certificate of the device gets through"),
                None => text,
            };
            out.push(Finding {
                meta: self.meta(),
                severity: if hurt.is_some() { Severity::Error } else { self.meta().severity },
                confidence: match who {
                    Who::Antivirus(_, sure) | Who::Proxy(_, sure) => confidence_in(sure),
                    Who::Unknown => Confidence::Low,
                },
                host: Some(host.clone()),
                summary: text,
                advice: None,
                refs,
                attempt: hurt.map(|(index, _)| index),
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// The attempt that an inspection of this host hurt, and where it asked the host.
fn refused(case: &Case<'_>, host: &HostName) -> Option<(usize, Vec<EvidenceRef>)> {
    case.attempts().find_map(|(index, attempt)| {
        let by_code = attempt.deciding_code.is_some_and(|code| REFUSED.contains(&code));
        let stopped = attempt.blockage.as_ref().filter(|known| known.hosts.contains(host));
        if attempt.overridden_by.is_some() || !by_code && stopped.is_none() {
            return None;
        }
        let places = stopped
            .iter()
            .flat_map(|known| &known.exchanges)
            .filter_map(|id| case.evidence.exchange(*id))
            .filter(|exchange| exchange.host() == host)
            .map(|exchange| exchange.at)
            .collect();
        Some((index, places))
    })
}
