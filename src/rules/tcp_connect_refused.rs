//! TCP002: a sign-in host refuses the connection.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The connection to a sign-in host was refused at once, or the name led to an address to which
    /// nothing can connect, such as 0.0.0.0. In packets: a RST in answer to the SYN, or ICMP "port
    /// unreachable".
    ///
    /// ## Why it breaks sign-in
    /// The real service does not refuse port 443. A refusal means that the name leads somewhere
    /// else, or that something on the way or on the computer answers in place of the service.
    ///
    /// ## Evidence it needs
    /// A failed request with a refusal or an unusable address. It is an error only where an attempt
    /// could not go on; a failure that a later try or another host made good is information. From
    /// packets: the reset or the ICMP message itself; its TTL tells how far away its sender is.
    ///
    /// ## What looks like it
    /// A local proxy that is not running refuses as well, on an address of the computer itself;
    /// one dead address of several; an identity provider of the company that is down for service.
    ///
    /// ## What to do
    /// See what address the name has on this computer (`Resolve-DnsName`, hosts file). If the
    /// address is right, look at the firewall for a rule that rejects; if it is not, look for the
    /// DNS filter that gave it.
    ///
    /// ## References
    /// RFC 9293 section 3.5.2 (reset generation); Microsoft 365 URLs and IP address ranges, ids
    /// 56 and 59; Chromium `net_error_list.h`.
    pub(crate) struct TcpConnectRefused {
        id: "TCP002", name: "tcp-connect-refused", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Compare the address that the name leads to with the published ranges, and look for what refuses the connection on the way.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TcpConnectRefused {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(Fault::ConnectRefused | Fault::AddressInvalid)
            )
        });
        report_failed_hosts(self.meta(), case, failed, " refused the connection", out);
    }
}
