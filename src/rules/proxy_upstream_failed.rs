//! PRX003: a proxy cannot reach a sign-in host.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A proxy or gateway answered 502, 503 or 504 in place of a sign-in host.
    ///
    /// ## Why it breaks sign-in
    /// The client did reach the proxy, but the proxy did not reach the service: its own name
    /// resolution, its firewall or its line is at fault.
    ///
    /// ## Evidence it needs
    /// An answer with one of these codes to a CONNECT request, or one that bears no mark of the
    /// sign-in service. It is an error only where an attempt could not go on; a failure that a
    /// later try or another host made good is information. From packets: the answer between the
    /// client and the proxy.
    ///
    /// ## What looks like it
    /// The service's own 503, which carries the service's headers (STS003); a 503 with a page of a
    /// filter in answer to another request than CONNECT (PRX004); a single 502 that the next try
    /// made good.
    ///
    /// ## What to do
    /// Test from the proxy machine (`curl -v` to the host), look at its DNS and at the firewall
    /// behind it, and try a client without the proxy.
    ///
    /// ## References
    /// RFC 9110 sections 15.6.3 to 15.6.5; Microsoft 365 URLs and IP address ranges, ids 56 and
    /// 59.
    pub(crate) struct ProxyUpstreamFailed {
        id: "PRX003", name: "proxy-upstream-failed", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Check from the proxy itself whether it can resolve and reach the host on port 443.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyUpstreamFailed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| match failure.kind {
            FailureKind::ProxyUpstream => true,
            // The service's own status is not a gateway's.
            FailureKind::Service { status } => !case.spares(true) && (502..=504).contains(&status),
            _ => false,
        });
        report_failed_hosts(self.meta(), case, failed, " could not be reached by the proxy", out);
    }
}
