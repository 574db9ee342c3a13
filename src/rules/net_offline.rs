//! NET002: the computer was offline or asleep.

use super::{Case, Meta, Rule, report_failed_hosts_by_kind};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A request to a sign-in host failed because the computer had no network, changed its
    /// network, or slept.
    ///
    /// ## Why it breaks sign-in
    /// Polls of an MFA challenge go on for up to two minutes; a change of Wi-Fi or VPN or a
    /// closed lid in that time ends them.
    ///
    /// ## Evidence it needs
    /// The fault that the browser names. It is an error only where an attempt could not go on; a
    /// failure that a later try or another host made good is information.
    ///
    /// ## What looks like it
    /// A computer that just woke up and tries again a second later; a firewall that drops traffic
    /// (then other hosts work and the browser does not call itself offline).
    ///
    /// ## What to do
    /// Ask what happened on the computer at that time: lid, Wi-Fi, VPN. The WLAN and power
    /// reports of Windows (`netsh wlan show wlanreport`, `powercfg /sleepstudy`) show it.
    ///
    /// ## References
    /// Chromium `net_error_list.h`.
    pub(crate) struct NetOffline {
        id: "NET002", name: "net-offline", family: Net, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Repeat the sign-in with a network that stays up, and keep the computer awake until it is done.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for NetOffline {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(Fault::Offline | Fault::NetworkChanged | Fault::Suspended)
            )
        });
        report_failed_hosts_by_kind(self.meta(), case, failed, words, out);
    }
}

/// What became of the computer's network.
const fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Fault(Fault::NetworkChanged) => {
            " was asked while the computer changed its network"
        }
        FailureKind::Fault(Fault::Suspended) => " was asked while the computer or the page slept",
        _ => " was asked while the computer was offline",
    }
}
