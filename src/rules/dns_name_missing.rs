//! DNS001: a name that the sign-in needs cannot be resolved.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The client asked for the address of a sign-in host and was told that there is none, in
    /// whatever words the capture has for it: `ERR_NAME_NOT_RESOLVED`, `NS_ERROR_UNKNOWN_HOST`, or
    /// Fiddler's `DNS Lookup Failed`. In packets it is the answer NXDOMAIN of a name server, or an
    /// answer without any address of either version.
    ///
    /// ## Why it breaks sign-in
    /// Without an address no connection is opened. A missing script host leaves the MFA page blank;
    /// a missing sign-in host ends the sign-in before it begins.
    ///
    /// ## Evidence it needs
    /// A failed request to a host of the sign-in service, of its scripts, of the device
    /// certificate, of registration or of the identity provider. It is an error only where an
    /// attempt could not go on; a host that another one stood in for, or that was found at the next
    /// try, is information. From packets: a lookup of such a host over UDP or TCP that a name
    /// server answered so, with no address found by any other lookup of the name in the minute
    /// before it or after.
    ///
    /// ## What looks like it
    /// A name of a telemetry or advertising host that a filter hides on purpose; a name that only
    /// the company's own resolver knows, asked for from outside; a computer that was offline for a
    /// moment (all names fail at once). An address of version 6 that does not exist while that of
    /// version 4 is given.
    ///
    /// ## What to do
    /// Resolve the name on the same computer (`Resolve-DnsName`) and against another resolver; look
    /// for a DNS filter, a hosts file, or split DNS that lacks the name.
    ///
    /// ## References
    /// RFC 1035 section 4.1.1 (response codes); Microsoft 365 URLs and IP address ranges, ids 56 and
    /// 59; Chromium `net_error_list.h`.
    pub(crate) struct DnsNameMissing {
        id: "DNS001", name: "dns-name-missing", family: Dns, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Resolve the name on the same computer and against another resolver; look for a DNS filter or a hosts file.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for DnsNameMissing {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case
            .failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::NameMissing)));
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " could not be resolved (no such name)",
            out,
        );
    }
}
