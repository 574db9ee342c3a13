//! NET004: the client gave a request up for a reason of its own.

use super::{Case, Meta, Rule, report_failed_hosts_by_kind};
use crate::entra::{Fault, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The client itself gave a request to a sign-in host up and says why: it was sent round in
    /// circles, to an address that it does not go to, or asked for a sign-in by HTTP that it cannot
    /// do; it ran out of memory or sockets; its cache failed; or what came counts as harmful.
    ///
    /// ## Why it breaks sign-in
    /// The page or its script does not come, or a call of the page gets no answer. The network let
    /// the request through, or was never asked.
    ///
    /// ## Evidence it needs
    /// The fault that the browser names. It is an error only where an attempt could not go on; a
    /// failure that a later try or another host made good is information.
    ///
    /// ## What looks like it
    /// An extension or a policy that stops the request (NET001); a failure without a name (CAP007);
    /// a request that the page cancelled because it moved on.
    ///
    /// ## What to do
    /// Circles: delete the cookies of the sign-in hosts and of the application, and see which of the
    /// two sends the user back. Resources: close the browser and look at what uses up memory or
    /// sockets. A request that counts as harmful or unsafe: read the address in the evidence and
    /// look for what changed it on the way. Else try a new profile of a current browser.
    ///
    /// ## References
    /// Chromium `net_error_list.h`; WHATWG Fetch (redirects, port blocking); Mozilla `xpc.msg`.
    pub(crate) struct NetRequestGivenUp {
        id: "NET004", name: "net-request-given-up", family: Net, severity: Error,
        side: Some(Side::Application), guide: None,
        advice: "Repeat the sign-in in a new private window or profile, without old cookies, and read in the evidence what the browser says of the request.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for NetRequestGivenUp {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| words(failure.kind).is_some());
        let said = |kind| words(kind).unwrap_or_default();
        report_failed_hosts_by_kind(self.meta(), case, failed, said, out);
    }
}

/// What the client says of a request that it gave up.
const fn words(kind: FailureKind) -> Option<&'static str> {
    let FailureKind::Fault(fault) = kind else { return None };
    Some(match fault {
        Fault::Auth => " asked for a sign-in by HTTP that the browser could not do",
        Fault::Cache => " was to be answered out of the browser's cache, which failed",
        Fault::InsecureRedirect => " led to an address that the browser does not go to",
        Fault::Redirects => " sent the browser round in circles until it gave up",
        Fault::RequestInvalid => " was not asked, because the client could not send the request",
        Fault::Resources => " was not asked, because the client ran out of memory or sockets",
        Fault::UnsafeContent => " gave an answer that the browser takes for harmful",
        Fault::UnsafePort => " was to be asked at a port that browsers do not use",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn what_the_browser_says_is_told() {
        let mut capture = Capture::new();
        capture.failed("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40", "net::ERR_TOO_MANY_REDIRECTS");
        let found = capture.found("NET004");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(found[0].summary.contains("in circles"), "{}", found[0].summary);
        assert!(capture.found("CAP007").is_empty());
    }
}
