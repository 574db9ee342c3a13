//! PRX004: something on the way answers in place of a sign-in host.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A page of a proxy or filter came in place of the answer of a sign-in host. Where the page,
    /// its headers or its address give the product away, it is named.
    ///
    /// ## Why it breaks sign-in
    /// The browser asked for a script or for JSON and got a page in HTML. The MFA page then stays
    /// blank, or its poll fails, without any error of the network.
    ///
    /// ## Evidence it needs
    /// An answer that lacks every mark of the sign-in service, or that names a product, or HTML
    /// where a script was asked for. Confidence is high where the product is known. It is an error
    /// only where an attempt could not go on; a failure that a later try or another host made good
    /// is information. From packets: a page in clear, in answer to CONNECT, to plain HTTP, or in
    /// the place of TLS; a page inside TLS is not seen.
    ///
    /// ## What looks like it
    /// An error page of the service itself (it has the service's headers); a 401 challenge; a page
    /// of an identity provider; an export that keeps no headers; a captive portal (PRX006).
    ///
    /// ## What to do
    /// Open the cited answer: such pages usually name the rule and a ticket number. Allow the
    /// host in that product and exempt it from decryption.
    ///
    /// ## References
    /// Public signatures of the products, in the table of this program; Microsoft 365
    /// network connectivity principles.
    pub(crate) struct ProxyBlockPage {
        id: "PRX004", name: "proxy-block-page", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Find the request in the log of the proxy or filter and allow the host; the time and the address are in the evidence.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyBlockPage {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| match failure.kind {
            FailureKind::BlockPage => true,
            // An error page of the service itself has the service's headers.
            FailureKind::Service { .. } => !case.spares(true),
            _ => false,
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " was answered by a page of something on the way",
            out,
        );
    }
}
