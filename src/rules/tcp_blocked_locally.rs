//! TCP005: the computer itself refuses the connection.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The operating system refused to open a connection to a sign-in host:
    /// `ERR_NETWORK_ACCESS_DENIED`, or `AccessDenied` and its like in the text that Fiddler writes
    /// for a failed connection. In packets: the system's own log of packets (pktmon) marks those of
    /// the connection as dropped on the computer.
    ///
    /// ## Why it breaks sign-in
    /// The packet never left the computer, so nothing on the network can help. Host firewalls and
    /// agents of security products stop single programs or single addresses in this way.
    ///
    /// ## Evidence it needs
    /// A failed request with such a fault. It is an error only where an attempt could not go on; a
    /// failure that a later try or another host made good is information. From packets: a capture
    /// of pktmon that was turned into pcapng, in which the verdict on a packet of the connection is
    /// "drop", and no answer came.
    ///
    /// ## What looks like it
    /// A program that may not use the network on purpose, such as a browser under test; a proxy
    /// that refuses (then the answer of the proxy is there). A packet that one component of the
    /// system drops and another one sent all the same, in a connection that then stands.
    ///
    /// ## What to do
    /// Read the log of the host firewall and of the security agent at the time of the finding;
    /// `netsh wfp show netevents` lists what the filtering platform of Windows dropped.
    ///
    /// ## References
    /// Windows Sockets error codes (WSAEACCES, 10013); Chromium `net_error_list.h`; messages of
    /// Fiddler for a failed connection.
    pub(crate) struct TcpBlockedLocally {
        id: "TCP005", name: "tcp-blocked-locally", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Look at the firewall and the security software of this computer for a rule that stops the program or the host.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TcpBlockedLocally {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::LocalFirewall | Fault::AccessDenied))
        });
        report_failed_hosts(self.meta(), case, failed, " was refused by the computer itself", out);
    }
}
