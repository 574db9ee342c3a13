//! PRX001: a proxy refuses the tunnel to a sign-in host.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A proxy answered the CONNECT request for a sign-in host with a refusal, such as 403, or
    /// the browser reports that the tunnel failed.
    ///
    /// ## Why it breaks sign-in
    /// All traffic to the host goes through that tunnel. A refused tunnel looks to the user like
    /// a host that is down.
    ///
    /// ## Evidence it needs
    /// The answer to the CONNECT request, or the fault that the browser names. It is an error only
    /// where an attempt could not go on; a failure that a later try or another host made good is
    /// information. From packets: the CONNECT request and its answer, which travel in clear between
    /// the client and the proxy; for a SOCKS proxy its refusal.
    ///
    /// ## What looks like it
    /// A proxy that first asks for credentials (407, PRX002) and then lets through; a proxy that
    /// cannot reach the host (502 to 504, PRX003).
    ///
    /// ## What to do
    /// Find the request in the log of the proxy by its time and host, see which rule refused it,
    /// and allow the required hosts of Microsoft 365 without authentication and without
    /// decryption.
    ///
    /// ## References
    /// RFC 9110 section 9.3.6 (CONNECT); Microsoft 365 URLs and IP address ranges, ids 56 and 59;
    /// Chromium `net_error_list.h`.
    pub(crate) struct ProxyRefusedConnect {
        id: "PRX001", name: "proxy-refused-connect", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Allow CONNECT to the host on the proxy for this user and this computer.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyRefusedConnect {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::ProxyRefused | FailureKind::Fault(Fault::ProxyRefusedConnect)
            )
        });
        report_failed_hosts(self.meta(), case, failed, " was refused by the proxy", out);
    }
}
