//! TLS004: a client certificate was asked for and could not be used.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side, hosts};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A sign-in host asked the client for a certificate, and none was sent, it was refused, or its
    /// key could not be used. In packets: an alert of the server about the client's certificate, or
    /// a connection that the server closed after it had asked for one. With keys also a host that
    /// refuses HTTP/2 (`HTTP_1_1_REQUIRED`) because it wants to ask for one.
    ///
    /// ## Why it breaks sign-in
    /// Device sign-in and certificate sign-in prove themselves in the TLS handshake. Without the
    /// certificate the device claim is missing, and a policy that wants a managed device refuses.
    ///
    /// ## Evidence it needs
    /// The fault that the browser or Fiddler names. It is an error only where an attempt could not
    /// go on; a failure that a later try or another host made good is information. From packets:
    /// the request for a certificate, which TLS 1.3 hides, and an alert or an end by the server
    /// after it. A refusal of HTTP/2 after which the client came back with HTTP/1.1 is information.
    ///
    /// ## What looks like it
    /// A user who closed the choice of certificates; a server that asks but does not insist; a
    /// capture tool that decrypts, which itself keeps the certificate from being used.
    ///
    /// ## What to do
    /// Take the host out of inspection (a proxy cannot pass on a client certificate), repeat
    /// without a decrypting capture tool, and look at the device with `dsregcmd /status`.
    ///
    /// ## References
    /// RFC 8446 section 4.3.2 (certificate request); RFC 9113 sections 7 and 9.2.1; Microsoft: plan device identity, hosts to be
    /// left out of TLS inspection; Chromium `net_error_list.h`.
    pub(crate) struct TlsClientCertificate {
        id: "TLS004", name: "tls-client-certificate", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Exempt the host from TLS inspection, and check that the computer holds the certificate and its private key.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsClientCertificate {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case
            .failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::ClientCert)));
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " did not get the client certificate it asked for",
            out,
        );
        let mut failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::Http11Required))
        });
        failed.retain(|one| hosts::is_certificate_host(one.host.as_str()));
        let words = " wanted HTTP/1.1 to ask for the client certificate";
        report_failed_hosts(self.meta(), case, failed, words, out);
    }
}
