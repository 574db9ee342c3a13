//! PRX002: a proxy asks for credentials and gets none.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::evidence::{ExchangeId, Scheme};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A proxy answered a request for a sign-in host with 407, and no later request to the host
    /// got through.
    ///
    /// ## Why it breaks sign-in
    /// Many programs, brokers and services cannot sign in at a proxy. For them 407 is the end,
    /// although a browser on the same computer gets through.
    ///
    /// ## Evidence it needs
    /// A 407, or the browser's word for a failed sign-in at the proxy. It is an error only where an
    /// attempt could not go on. From packets: the 407 between the client and the proxy.
    ///
    /// ## What looks like it
    /// A first 407 that is followed by a request with credentials is the normal way to sign in at
    /// a proxy: this rule is silent where the same program got an answer of the host later.
    ///
    /// ## What to do
    /// Exempt the sign-in hosts from authentication at the proxy, as Microsoft recommends;
    /// failing that, see which program sent the request and whether it can use the sign-in of
    /// Windows at the proxy.
    ///
    /// ## References
    /// RFC 9110 section 15.5.8 (407); Microsoft 365 network connectivity principles; Chromium
    /// `net_error_list.h`.
    pub(crate) struct ProxyAuthRequired {
        id: "PRX002", name: "proxy-auth-required", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Let the sign-in hosts pass the proxy without authentication, or give the program the credentials that the proxy asks for.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyAuthRequired {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::ProxyAuthentication | FailureKind::Fault(Fault::ProxyAuth)
            )
        });
        // The usual sign-in at a proxy: asked once, then let through. It is told where a sign-in
        // failed for another reason.
        failed.retain_mut(|one| {
            let tunnels = one.exchanges.iter().all(|id| is_tunnel(case, *id));
            let passed = one.exchanges.last().is_some_and(|last| case.answered_after(*last));
            let usual = passed && (one.attempt.is_none() || tunnels);
            one.decisive &= !case.spares(usual);
            !case.spares(usual) || case.has_failed_attempt()
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " was not let through, because the proxy asks for credentials",
            out,
        );
    }
}

/// Whether an exchange is a CONNECT request.
fn is_tunnel(case: &Case<'_>, id: ExchangeId) -> bool {
    case.evidence.exchange(id).is_some_and(|one| one.request.url.scheme == Scheme::Authority)
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_proxy_that_lets_through_after_asking_is_silent() {
        let mut capture = Capture::new();
        capture.tunnel("login.microsoftonline.com", 407);
        assert_eq!(capture.rules(), ["PRX002"]);
        // What remains to be said is that the tunnel was not decrypted; the question is only noted,
        // because how the sign-in ended is not known.
        capture.tunnel("login.microsoftonline.com", 200);
        assert_eq!(capture.rules(), ["CAP002", "PRX002"]);
        assert_eq!(capture.found("PRX002")[0].severity, "info");
        // After a sign-in that went through there is nothing to say.
        capture.healthy();
        assert!(capture.found("PRX002").is_empty());
    }
}
