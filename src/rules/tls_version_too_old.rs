//! TLS006: no common TLS version.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// Client and server found no version of TLS, or no cipher, that both accept:
    /// `ERR_SSL_VERSION_OR_CIPHER_MISMATCH`, `SSL_ERROR_UNSUPPORTED_VERSION`,
    /// `SSL_ERROR_NO_CYPHER_OVERLAP`, `SChannel`'s `common algorithm`. In packets: the alerts
    /// `protocol_version`, `insufficient_security` and `inappropriate_fallback`.
    ///
    /// ## Why it breaks sign-in
    /// The service refuses TLS 1.0 and 1.1 and old ciphers. Old systems, old .NET programs and old
    /// inspection devices offer nothing else.
    ///
    /// ## Evidence it needs
    /// An error that says so in terms. It is an error only where an attempt could not go on; a host
    /// that another one stood in for, or a failure that the next try made good, is information.
    /// From packets: the alert, with the side that sent it.
    ///
    /// ## What looks like it
    /// An inspecting proxy that is the old one of the two while the computer is modern; a handshake
    /// that is cut (TLS007); the service's own word for it, AADSTS1002016 (STS005).
    ///
    /// ## What to do
    /// See in the capture whether other hosts work: if only this one fails, look at a device on the
    /// way. Else enable TLS 1.2 in the system and set `SchUseStrongCrypto` for .NET.
    ///
    /// ## References
    /// Microsoft: enable support for TLS 1.2 in your environment for Microsoft Entra; RFC 8996;
    /// Chromium `net_error_list.h`.
    pub(crate) struct TlsVersionTooOld {
        id: "TLS006", name: "tls-version-too-old", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Enable TLS 1.2 and 1.3 with modern ciphers in the system, in .NET and in the program; the service accepts nothing older.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsVersionTooOld {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case
            .failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::TlsVersion)));
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " and the client share no TLS version or cipher",
            out,
        );
    }
}
