//! TLS001: the client refuses the certificate of a sign-in host.

use super::tls_revocation_unreachable::unasked;
use super::{Case, Meta, Rule, failed_host};
use crate::entra::{Fault, GuideCause, Side, vendors};
use crate::evidence::ExchangeId;
use crate::finding::{Findings, Text};
use crate::signin::{Errand, FailureKind, is_refused_unchecked};

rule! {
    /// ## What it finds
    /// The client broke off because it did not accept the certificate it was shown for a sign-in
    /// host: unknown issuer, wrong name, out of date, revoked, weak, not in the public logs, or not
    /// the pinned one. In packets: an alert of the client that names the certificate
    /// (`bad_certificate`, `unknown_ca`, `certificate_expired` and their like), a client that leaves
    /// with an encrypted alert right after the server's part of the handshake, or one that leaves
    /// without a word at that point each time, as Windows does.
    ///
    /// ## Why it breaks sign-in
    /// The real certificates of these hosts are good. A refused one is most often that of a TLS
    /// inspection whose root the client does not trust, or it fails because the computer has a
    /// wrong clock or an old list of roots.
    ///
    /// ## Evidence it needs
    /// The fault that the browser or Fiddler names. It is an error only where an attempt could not
    /// go on; a failure that a later try or another host made good is information. From packets:
    /// the alert in clear, up to TLS 1.2 and from some clients in TLS 1.3. An alert that is
    /// encrypted is told by its length and place only, and a client that leaves without a word
    /// must do so three times with no connection to the host ever used, or twice where the
    /// certificate is in clear and for other names: confidence is medium at most.
    ///
    /// ## What looks like it
    /// A wrong clock makes good certificates look out of date, at every host; a system without
    /// `DigiCert Global Root G2` refuses the real certificate; blocked status servers make a check
    /// of revocation fail: where the capture shows them, they are named. A client that leaves a
    /// connection for which it has no use any more, or that only looks whether the service is there.
    ///
    /// ## What to do
    /// Open the address in the same browser and read the issuer. Inspection: exempt the host, or
    /// install the root of the product on the client. Otherwise check the clock and the root store:
    /// where the refused certificate is the service's own, it lacks `DigiCert Global Root G2`.
    ///
    /// ## References
    /// RFC 5280 section 6 (path validation); Microsoft notices on TLS certificate changes
    /// (`DigiCert Global Root G2`); Chromium `net_error_list.h`.
    pub(crate) struct TlsCertificateRefused {
        id: "TLS001", name: "tls-certificate-refused", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Look at the issuer of the certificate that the client was shown; exempt the host from TLS inspection or install the missing root.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsCertificateRefused {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(
            |failure| matches!(failure.kind, FailureKind::Fault(fault) if fault.is_certificate()),
        );
        let servers = Errand::status(case.evidence, &case.signin.failures);
        for one in failed {
            let kind = one.kind;
            let unchecked = one.exchanges.iter().any(|id| {
                let failure = case.failure(*id);
                failure.is_some_and(|failure| is_refused_unchecked(case.evidence, *id, &failure))
            });
            let unchecked = unchecked && !servers.failed.is_empty() && !servers.answered;
            let own = kind == FailureKind::Fault(Fault::CertRevoked);
            let untrusted = kind == FailureKind::Fault(Fault::CertUntrusted);
            let genuine =
                untrusted && !unchecked && one.exchanges.iter().any(|id| is_genuine(case, *id));
            let said = match (unchecked, own) {
                // The right certificate, and an alert that gives no reason.
                (true, false) => " showed a certificate that the client did not accept",
                _ if genuine => " showed the service's own certificate, and the client refused it",
                _ => words(kind),
            };
            let mut finding = failed_host(self.meta(), case, one, &Text::of(said));
            if unchecked {
                finding.summary = finding
                    .summary
                    .with(if own {
                        "; its status could not be asked for: "
                    } else {
                        "; maybe for want of its status, which could not be asked for: "
                    })
                    .with_text(&unasked(&servers.failed));
                finding.advice = Some(Text::of(UNASKED));
            }
            if genuine {
                finding.advice = Some(Text::of(ROOTS));
            }
            out.push(finding);
        }
    }
}

/// Whether the certificate that was refused is one of the service's own, as far as its issuer tells.
fn is_genuine(case: &Case<'_>, id: ExchangeId) -> bool {
    let connection = case.evidence.exchange(id).and_then(|one| one.connection);
    let connection = connection.and_then(|number| case.evidence.connection(number));
    connection
        .and_then(|one| one.tls.as_deref()?.certificate.as_ref())
        .is_some_and(|certificate| vendors::is_expected_issuer(&certificate.issuer))
}

/// What to do where a client refuses the right certificate.
const ROOTS: &str = "Bring the list of root certificates of the client up to date: the sign-in hosts need DigiCert Global Root G2; if it is there, check the clock and whether the program pins a certificate.";

/// What to do where a client refuses what it cannot ask the status of.
const UNASKED: &str = "Open TCP port 80 to the hosts that tell the status of certificates (endpoint sets 84 and 125), then look at the issuer of the certificate.";

/// What was wrong with the certificate, as far as the client says it.
const fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Fault(Fault::CertDate) => {
            " showed a certificate that is out of date, or the clock of the computer is wrong"
        }
        FailureKind::Fault(Fault::CertName) => " showed a certificate for another name",
        FailureKind::Fault(Fault::CertPinned) => {
            " showed another certificate than those the client expects"
        }
        FailureKind::Fault(Fault::CertRevoked) => {
            " showed a certificate that is revoked, or whose status could not be checked"
        }
        FailureKind::Fault(Fault::CertTransparency) => {
            " showed a certificate that is in no public log"
        }
        FailureKind::Fault(Fault::CertUntrusted) => {
            " showed a certificate whose issuer the client does not trust"
        }
        FailureKind::Fault(Fault::CertWeak) => " showed a certificate with a weak key or signature",
        _ => " showed a certificate that the client did not accept",
    }
}
