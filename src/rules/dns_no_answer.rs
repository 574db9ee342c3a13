//! DNS002: no name server answers for a sign-in host.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The client asked for the address of a sign-in host, and no name server answered in time:
    /// `ERR_DNS_TIMED_OUT` and its like. In packets: questions to name servers, repeated or waited
    /// for, without an answer.
    /// An answer that was cut and holds no address only says to ask over TCP, and counts as none.
    ///
    /// ## Why it breaks sign-in
    /// Without an address no connection is opened. Unlike a name that does not exist, the fault
    /// lies on the way to the name server and mostly hits every name.
    ///
    /// ## Evidence it needs
    /// A failed request whose error names the time-out of the look-up. It is an error only where an
    /// attempt could not go on; a host that another one stood in for, or a failure that the next
    /// try made good, is information. From packets: no answer within three seconds, or after three
    /// tries, in a capture that sees both directions.
    ///
    /// ## What looks like it
    /// A name that is denied (DNS001); a single look-up that was lost and repeated; a computer that
    /// lost its network for a moment. Lookups that travel encrypted or in a VPN, where none is seen
    /// at all.
    ///
    /// ## What to do
    /// On the same computer run `nslookup login.microsoftonline.com`, then once more with another
    /// server behind it. If only the second answers, the configured server or the way to it is at
    /// fault.
    ///
    /// ## References
    /// RFC 1035 section 4.2; Chromium `net_error_list.h`; Microsoft 365 URLs and IP address ranges.
    pub(crate) struct DnsNoAnswer {
        id: "DNS002", name: "dns-no-answer", family: Dns, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Test the name servers that the computer uses, and whether a firewall or VPN lets port 53 or its encrypted form through.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for DnsNoAnswer {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::NameNoAnswer))
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " could not be resolved (no name server answered in time)",
            out,
        );
    }
}
