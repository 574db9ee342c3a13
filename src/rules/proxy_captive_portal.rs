//! PRX006: the network wants a log-in of its own.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{GuideCause, HostRole, Side, hosts};
use crate::finding::{Confidence, Finding, Findings, Refs, Text};
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The network asked its user to log in: a sign-in host was answered by a redirect to a portal,
    /// or with status 511.
    ///
    /// ## Why it breaks sign-in
    /// Until the log-in is done nothing else gets through. Programs without a window, brokers and
    /// pages in the background only see a failure.
    ///
    /// ## Evidence it needs
    /// Status 511, or a redirect that the service did not write and that leads to a page whose
    /// address speaks of a log-in. Confidence is high for 511 and for an address without TLS. It is
    /// an error only where an attempt could not go on. From packets: the redirect or status 511 in
    /// clear; where the portal answers on port 443 in plain text, TLS005 speaks.
    ///
    /// ## What looks like it
    /// The browser's own test for a portal, which is meant to be redirected, when the sign-in comes
    /// through afterwards; a block page of a filter (PRX004); the sign-in page of an identity
    /// provider, which is a step.
    ///
    /// ## What to do
    /// Open `http://www.msftconnecttest.com/redirect` or another plain address, finish the log-in
    /// of the network, then sign in again. Guest networks ask anew after some hours.
    ///
    /// ## References
    /// RFC 6585 section 6 (511); RFC 8910 and 8952 (captive portals).
    pub(crate) struct ProxyCaptivePortal {
        id: "PRX006", name: "proxy-captive-portal", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Let the user log in to the network (open a plain http address in a browser) and sign in again.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyCaptivePortal {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed =
            case.failed_hosts(|failure| matches!(failure.kind, FailureKind::CaptivePortal));
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " was answered by a network that wants its user to log in first",
            out,
        );
        // A test for a portal that is redirected is how a browser finds one.
        if case.spares(true) {
            return;
        }
        let tests = case.evidence.exchanges.iter().filter(|exchange| {
            let role = hosts::host(exchange.host().as_str()).map(|row| row.role);
            let status = exchange.status().unwrap_or_default();
            role == Some(HostRole::ConnectivityCheck) && (status == 511 || status / 100 == 3)
        });
        if let Some(refs) = Refs::all(tests.map(|exchange| exchange.at)) {
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::Medium,
                host: None,
                summary: Text::of("a test for a captive portal was redirected"),
                advice: None,
                refs,
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}
