//! CAP007: a request that the sign-in needed failed, and the capture does not say why.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::Fault;
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A request to a sign-in host got no answer, and the capture has no reason for it: status 0
    /// without an error text, a text in a language that is not known, or one that says only that it
    /// failed (`ERR_FAILED`).
    ///
    /// ## Why it breaks sign-in
    /// The step that the request was for could not go on. Whether the network, an extension or the
    /// user stopped it cannot be told, so nobody should be sent to look for a firewall yet.
    ///
    /// ## Evidence it needs
    /// A failed request whose failure has no name. It is a warning only where an attempt could not
    /// go on.
    ///
    /// ## What looks like it
    /// A request that the page gave up when it moved on, which some browsers export the same way;
    /// an answer out of a cache that was not exported. A failure that the client names is told by
    /// the rule for its kind, or by NET004.
    ///
    /// ## What to do
    /// Take the capture again with a tool that names the failure: the developer tools of Edge or
    /// Chrome, or a packet trace beside the browser's own log.
    ///
    /// ## References
    /// HAR 1.2 specification (no field for errors); Chromium `net_error_list.h`.
    pub(crate) struct CapFailureUnnamed {
        id: "CAP007", name: "cap-failure-unnamed", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Take the capture again with the developer tools of Edge or Chrome, which name the failure.",
    }
}

impl Rule for CapFailureUnnamed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Unnamed | FailureKind::Fault(Fault::Failed))
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " gave no answer, and nothing says why",
            out,
        );
    }
}
