//! TLS003: the TLS handshake with a sign-in host fails.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The connection was made, and the TLS handshake with a sign-in host did not finish: a message
    /// against the protocol, a refused Encrypted ClientHello, or a failure without a stated reason.
    /// In packets: a fatal alert of either side, such as `handshake_failure` or
    /// `unrecognized_name`.
    ///
    /// ## Why it breaks sign-in
    /// No request is sent before the handshake is done. Devices on the way that cannot read a
    /// modern ClientHello, or that change it, end here.
    ///
    /// ## Evidence it needs
    /// The fault that the browser or Fiddler names. Where no reason is given, confidence is lower.
    /// It is an error only where an attempt could not go on; a failure that a later try or another
    /// host made good is information. From packets: the alert, with the side that sent it.
    ///
    /// ## What looks like it
    /// A handshake that failed once and worked at the next try; a refused certificate (TLS001), a
    /// client certificate that was asked for (TLS004), an answer that is no TLS (TLS005), no common
    /// version (TLS006), and a connection that was cut (TLS007).
    ///
    /// ## What to do
    /// Compare with another network: if it works there, a firewall or proxy on this one breaks the
    /// handshake. Take a packet capture of the attempt: the alert in it names the reason.
    ///
    /// ## References
    /// RFC 8446 sections 4.1 and 6; RFC 9849 (Encrypted ClientHello); Chromium
    /// `net_error_list.h`.
    pub(crate) struct TlsHandshakeFailed {
        id: "TLS003", name: "tls-handshake-failed", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Try from another network to see whether a device on the way breaks the handshake, and take a packet capture that shows the alert.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsHandshakeFailed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(Fault::TlsHandshake | Fault::TlsProtocol | Fault::Ech)
            )
        });
        report_failed_hosts(self.meta(), case, failed, " did not finish the TLS handshake", out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::{Alert, Connection, Peer};

    type Change = fn(&mut Connection);

    /// A handshake that ends with a fatal alert.
    fn alert<const NUMBER: u8, const BY_CLIENT: bool>(connection: &mut Connection) {
        let from = if BY_CLIENT { Peer::Client } else { Peer::Server };
        let at = Some(connection.at);
        let tls = connection.tls.as_mut().unwrap();
        (tls.completed, tls.application) = (Some(false), [0, 0]);
        tls.alerts = vec![Alert { from, description: NUMBER, fatal: true, at }];
    }

    #[test]
    fn alerts_have_their_rules() {
        let cases: [(Change, &str); 25] = [
            (alert::<10, false>, "TLS003"),
            (alert::<40, false>, "TLS003"),
            (alert::<40, true>, "TLS003"),
            (alert::<41, false>, "TLS004"),
            (alert::<42, false>, "TLS004"),
            (alert::<43, false>, "TLS004"),
            (alert::<44, false>, "TLS004"),
            (alert::<45, false>, "TLS004"),
            (alert::<46, false>, "TLS004"),
            (alert::<48, false>, "TLS004"),
            (alert::<116, false>, "TLS004"),
            (alert::<42, true>, "TLS001"),
            (alert::<43, true>, "TLS001"),
            (alert::<44, true>, "TLS001"),
            (alert::<45, true>, "TLS001"),
            (alert::<46, true>, "TLS001"),
            (alert::<48, true>, "TLS001"),
            (alert::<49, false>, "TLS003"),
            (alert::<51, true>, "TLS003"),
            (alert::<70, false>, "TLS006"),
            (alert::<71, false>, "TLS006"),
            (alert::<86, false>, "TLS006"),
            (alert::<80, false>, "TLS003"),
            (alert::<112, false>, "TLS003"),
            (alert::<120, false>, "TLS003"),
        ];
        for (number, (change, rule)) in cases.into_iter().enumerate() {
            let mut capture = Capture::new();
            capture.wired("login.microsoftonline.com", change);
            assert!(!capture.found(rule).is_empty(), "{number}: {:?}", capture.rules());
        }
        for change in [alert::<0, true> as Change, alert::<90, true>] {
            let mut capture = Capture::new();
            capture.wired("login.microsoftonline.com", change);
            assert!(capture.found("TLS003").is_empty(), "{:?}", capture.rules());
        }
    }
}
