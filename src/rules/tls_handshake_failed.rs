//! TLS003: the TLS handshake with a sign-in host fails.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The connection was made, and the TLS handshake with a sign-in host did not finish: no
    /// common version or cipher, a message against the protocol, a refused Encrypted ClientHello,
    /// or a failure without a stated reason.
    ///
    /// ## Why it breaks sign-in
    /// No request is sent before the handshake is done. Old systems that offer only TLS 1.0, and
    /// devices that cannot read a modern ClientHello, both end here.
    ///
    /// ## Evidence it needs
    /// The fault that the browser or Fiddler names. Where no reason is given, confidence is
    /// lower. It is an error only where an attempt could not go on; a failure that a later try or
    /// another host made good is information.
    ///
    /// ## What looks like it
    /// A handshake that failed once and worked at the next try; a certificate that was refused
    /// and a client certificate that was asked for (each has its own rule).
    ///
    /// ## What to do
    /// On an old system enable TLS 1.2 for the program and for .NET. Otherwise compare with
    /// another network: if it works there, a firewall or proxy on this one breaks the handshake.
    ///
    /// ## References
    /// RFC 8446 sections 4.1 and 6; Microsoft guidance on TLS 1.2 for Entra ID; Chromium
    /// `net_error_list.h`.
    pub(crate) struct TlsHandshakeFailed {
        id: "TLS003", name: "tls-handshake-failed", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Check that the client can use TLS 1.2 with modern ciphers, and try from another network to see whether a device on the way breaks the handshake.",
    }
}

impl Rule for TlsHandshakeFailed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(
                    Fault::TlsHandshake | Fault::TlsProtocol | Fault::TlsVersion | Fault::Ech
                )
            )
        });
        report_failed_hosts(self.meta(), failed, " did not finish the TLS handshake", out);
    }
}
