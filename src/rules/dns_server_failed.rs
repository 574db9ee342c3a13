//! DNS003: the name server fails or refuses.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The look-up of a sign-in host failed without an answer about the name: the server reported a
    /// failure, refused, or sent something that cannot be read (`ERR_DNS_SERVER_FAILED`,
    /// `ERR_NAME_RESOLUTION_FAILED`, `ERR_DNS_MALFORMED_RESPONSE`, `EAI_AGAIN`). In packets: an
    /// answer with SERVFAIL, REFUSED or another code than NXDOMAIN.
    ///
    /// ## Why it breaks sign-in
    /// Without an address no connection is opened. Resolvers of filters refuse names that they
    /// block, and resolvers behind a broken forwarder fail for all names.
    ///
    /// ## Evidence it needs
    /// A failed request whose error names such a look-up. It is an error only where an attempt
    /// could not go on; a host that another one stood in for, or a failure that the next try made
    /// good, is information. From packets: the response code, with no address found by any other
    /// lookup of the name.
    ///
    /// ## What looks like it
    /// A name that does not exist (DNS001), or no answer at all (DNS002); a secure resolver of the
    /// browser that fails while the one of the system works. An address of version 6 that is
    /// refused while that of version 4 is given.
    ///
    /// ## What to do
    /// Look the name up on the same computer and read the response code: REFUSED points to a policy
    /// of the server, SERVFAIL to what lies behind it. Switch the browser's secure DNS off for a
    /// test.
    ///
    /// ## References
    /// RFC 1035 section 4.1.1 and RFC 8914 (response codes); Chromium `net_error_list.h`.
    pub(crate) struct DnsServerFailed {
        id: "DNS003", name: "dns-server-failed", family: Dns, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Ask the name server that the computer uses why it fails for this name, and compare with another server.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for DnsServerFailed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::NameLookupFailed))
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " could not be resolved (the name server failed or refused)",
            out,
        );
    }
}
