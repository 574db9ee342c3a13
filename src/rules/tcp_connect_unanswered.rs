//! TCP001: a sign-in host does not answer.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The client tried to open a connection to a sign-in host, or waited for its answer, until
    /// time ran out: `ERR_CONNECTION_TIMED_OUT`, `ERR_TIMED_OUT`, `NS_ERROR_NET_TIMEOUT`, or
    /// `TimedOut` in Fiddler's words. In packets: SYN segments, mostly repeated, to which nothing
    /// came back.
    ///
    /// ## Why it breaks sign-in
    /// No connection, no page. A firewall that drops packets gives no sign of itself, so the user
    /// sees a page that loads for a long time and then fails.
    ///
    /// ## Evidence it needs
    /// A failed request to a host of the sign-in service, of its scripts, of the device
    /// certificate, of registration or of the identity provider. It is an error only where an
    /// attempt could not go on; a failure that a later try or another host made good is
    /// information. From packets: more than one SYN, or one that was waited for, of a capture that
    /// sees both directions; the name of the host is that of the lookup before it. One try alone
    /// lowers the confidence.
    ///
    /// ## What looks like it
    /// One dead address among several; IPv6 tried first and IPv4 used in the end; a server that
    /// thinks for a long time before it answers; a computer that just woke up.
    ///
    /// ## What to do
    /// Test the port from the same computer (`Test-NetConnection host -Port 443`), then from
    /// another network. Ask for the drop log of the firewall at the time of the finding. Say
    /// "firewall" only when such a log shows it.
    ///
    /// ## References
    /// RFC 9293 section 3.8.3 (connection failures); Microsoft 365 URLs and IP address ranges,
    /// ids 56 and 59; Chromium `net_error_list.h`.
    pub(crate) struct TcpConnectUnanswered {
        id: "TCP001", name: "tcp-connect-unanswered", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Test port 443 of the host from the same computer, and look in the firewall for dropped packets to it.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TcpConnectUnanswered {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::ConnectTimeout | Fault::Timeout))
        });
        report_failed_hosts(self.meta(), case, failed, " did not answer in time", out);
    }
}
