//! TLS005: what answers does not speak TLS.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The client sent its ClientHello to a sign-in host, and what came back was no TLS:
    /// `SSL_ERROR_RX_RECORD_TOO_LONG`, or Fiddler's `unexpected packet format`. In packets: the
    /// first bytes of the server are text, mostly HTTP, where a TLS record belongs.
    ///
    /// ## Why it breaks sign-in
    /// The handshake cannot begin. Mostly a proxy, a captive portal or a filter answers with a page
    /// in plain HTTP.
    ///
    /// ## Evidence it needs
    /// An error that says so in terms. It is an error only where an attempt could not go on; a host
    /// that another one stood in for, or a failure that the next try made good, is information.
    /// From packets: these bytes themselves. Where they name a product, PRX004 speaks in its place.
    ///
    /// ## What looks like it
    /// A handshake that breaks a rule of TLS (TLS003); a host whose port 443 serves plain HTTP on
    /// purpose.
    ///
    /// ## What to do
    /// On the same computer run `curl -v http://HOST:443/`: the answer in plain text shows who
    /// speaks. Then take that device out of the way or configure it as a proxy.
    ///
    /// ## References
    /// RFC 8446 section 5.1 (records); Mozilla NSS error codes; .NET texts of `SslStream` failures.
    pub(crate) struct TlsPlainText {
        id: "TLS005", name: "tls-plain-text", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Find the device that answers on port 443 in place of the host: a proxy that wants to be configured, a captive portal or a filter.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsPlainText {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::TlsPlainText))
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " was answered by something that does not speak TLS",
            out,
        );
    }
}
