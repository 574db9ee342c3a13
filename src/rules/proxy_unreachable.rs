//! PRX005: the proxy itself cannot be used.

use super::{Case, Meta, Rule, about_capture, report_failed_hosts_by_kind};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::{Finding, Findings, Refs, Severity, Text};
use crate::signin::{FailureKind, Veil};

rule! {
    /// ## What it finds
    /// The client could not use its proxy: the proxy did not answer, its name was not found, or its
    /// certificate was refused.
    ///
    /// ## Why it breaks sign-in
    /// All traffic that should go through the proxy fails, sign-in included. It often shows after
    /// a move to another network or when a VPN is off.
    ///
    /// ## Evidence it needs
    /// The fault that the browser or Fiddler names. It is an error only where an attempt could not
    /// go on; a failure that a later try or another host made good is information. A capture of
    /// packets shows a proxy that does not answer as a connection that was never made; which host
    /// was wanted behind it is not seen.
    ///
    /// ## What looks like it
    /// A proxy that refuses a single host (PRX001) or asks for credentials (PRX002); a script that
    /// names the proxy and does not come (PRX009); a computer without any network.
    ///
    /// ## What to do
    /// Read the settings that are in force (`netsh winhttp show proxy`, the browser's own page),
    /// and test the port of the proxy.
    ///
    /// ## References
    /// RFC 9110 section 3.7 (intermediaries); Chromium `net_error_list.h`; messages of Fiddler
    /// for a failed gateway.
    pub(crate) struct ProxyUnreachable {
        id: "PRX005", name: "proxy-unreachable", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Check the proxy settings of the computer, and whether the proxy they name can be reached.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for ProxyUnreachable {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::ProxyUnreachable | Fault::ProxyCert))
        });
        report_failed_hosts_by_kind(self.meta(), case, failed, words, out);
        // What was to be asked through it is not seen.
        let hidden = case.signin.veils.iter().filter(|(veil, _)| *veil == Veil::Proxy);
        if let Some(refs) = Refs::all(hidden.map(|(_, at)| *at)) {
            let text = Text::of("the proxy that the computer uses could not be reached");
            let finding = about_capture(self.meta(), refs, text);
            out.push(Finding { severity: Severity::Warning, ..finding });
        }
    }
}

/// Why the proxy was of no use.
const fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Fault(Fault::ProxyCert) => {
            " was not asked, because the certificate of the proxy was refused"
        }
        _ => " was not asked, because the proxy could not be reached",
    }
}
