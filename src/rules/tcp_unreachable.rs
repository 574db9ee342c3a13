//! TCP004: a sign-in host cannot be reached.

use super::{Case, Meta, Rule, report_failed_hosts_by_kind};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The network said that there is no way to the address of a sign-in host, or that the way is
    /// forbidden (ICMP "administratively prohibited" and its like), or the connection could not be
    /// made and the capture does not say in which way.
    ///
    /// ## Why it breaks sign-in
    /// Without a connection there is no page. A VPN that takes all routes and leads nowhere, or a
    /// network that carries only IPv4, does this to every host it does not know.
    ///
    /// ## Evidence it needs
    /// A failed request, or an ICMP error about a connection, with "unreachable" or "connection
    /// failed". The second names no reason, so its confidence is lower. It is an error only where
    /// an attempt could not go on; a failure that a later try or another host made good is
    /// information. From packets: an ICMP or `ICMPv6` message that quotes the segment of the
    /// connection; who sent it is known by its address.
    ///
    /// ## What looks like it
    /// IPv6 without a route while IPv4 works; one dead address of several; a computer that just
    /// woke up or changed its network.
    ///
    /// ## What to do
    /// Look at the routes and the VPN state of the computer (`Test-NetConnection host -Port 443
    /// -InformationLevel Detailed`), then try without the VPN and from another network.
    ///
    /// ## References
    /// RFC 1122 section 3.2.2.1 (destination unreachable); Microsoft 365 URLs and IP address
    /// ranges, ids 56 and 59; Chromium `net_error_list.h`.
    pub(crate) struct TcpUnreachable {
        id: "TCP004", name: "tcp-unreachable", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Check the route and the VPN of the computer, then test port 443 of the host from another network.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TcpUnreachable {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(Fault::ConnectFailed | Fault::Prohibited | Fault::Unreachable)
            )
        });
        let words = |kind| match kind {
            FailureKind::Fault(Fault::Prohibited) => {
                " is forbidden: a filter on the way said so (ICMP)"
            }
            _ => " could not be reached",
        };
        report_failed_hosts_by_kind(self.meta(), case, failed, words, out);
    }
}
