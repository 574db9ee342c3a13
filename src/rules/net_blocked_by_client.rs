//! NET001: the browser itself stops a request of the sign-in.

use super::{Case, Meta, Rule, report_failed_hosts_by_kind};
use crate::entra::{Fault, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The request never left the client, or its answer was kept from the page: an extension, a
    /// URL list of the administrator, the content policy of the page, or the rules about other
    /// origins stopped it.
    ///
    /// ## Why it breaks sign-in
    /// A sign-in page without its script stays blank, and a stopped call to the MFA endpoints
    /// leaves the page waiting. The network is not involved.
    ///
    /// ## Evidence it needs
    /// The fault that the browser names. It is an error only where an attempt could not go on; a
    /// failure that a later try or another host made good is information.
    ///
    /// ## What looks like it
    /// Blocked telemetry, advertising and pictures, which no sign-in needs (this rule does not look
    /// at them); a block page in place of a script, which the browser also stops because of its
    /// type (PRX004). A request that the client gave up for a reason of its own (NET004).
    ///
    /// ## What to do
    /// Try a private window without extensions or another browser profile. For a block by the
    /// administrator read `edge://policy` or `chrome://policy` (`URLBlocklist`).
    ///
    /// ## References
    /// W3C Content Security Policy Level 3; WHATWG Fetch (CORS, opaque response blocking);
    /// Chromium `net_error_list.h`.
    pub(crate) struct NetBlockedByClient {
        id: "NET001", name: "net-blocked-by-client", family: Net, severity: Error,
        side: Some(Side::Application), guide: None,
        advice: "Repeat the sign-in in a private window without extensions, then look at browser policies and the content policy of the page.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for NetBlockedByClient {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(
                    Fault::BlockedByAdministrator
                        | Fault::BlockedByClient
                        | Fault::BlockedByResponse
                        | Fault::Cors
                        | Fault::Csp
                )
            )
        });
        report_failed_hosts_by_kind(self.meta(), case, failed, words, out);
    }
}

/// What in the client stopped the request.
const fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Fault(Fault::BlockedByAdministrator) => {
            " was blocked by a policy of the organisation for its browsers"
        }
        FailureKind::Fault(Fault::BlockedByResponse) => {
            " gave an answer that the browser kept from the page because of its type or headers"
        }
        FailureKind::Fault(Fault::Cors) => {
            " gave an answer that a page of another origin may not read"
        }
        FailureKind::Fault(Fault::Csp) => " was blocked by the content policy of the page",
        _ => " was blocked inside the browser, as an extension or content blocker does",
    }
}
