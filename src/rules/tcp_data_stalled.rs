//! TCP006: data is sent again and again and never gets through.

use super::{Case, FailedHost, Meta, Rule, failed_host};
use crate::entra::{Fault, GuideCause, Side};
use crate::evidence::{IcmpKind, StallReport};
use crate::finding::{Finding, Findings, Text};
use crate::signin::FailureKind;

/// A packet with as much payload or less passes everywhere (RFC 8200 section 5).
const SHORT: u32 = 1_200;

rule! {
    /// ## What it finds
    /// A connection to a sign-in host stood, and then one side sent the same data again and again
    /// and got no acknowledgement for it. Where only long segments stay away while short ones
    /// passed, the rule says that it fits a path that does not carry packets of that length.
    ///
    /// ## Why it breaks sign-in
    /// The handshake is short and gets through; the first long message is lost at each try. The
    /// user sees a page that loads without end. VPN and `PPPoE` links with a small MTU behind a
    /// firewall that drops the ICMP message about it do just this.
    ///
    /// ## Evidence it needs
    /// Packets of both directions: at least two repetitions of the same bytes that the other side
    /// never acknowledged. It is an error only where an attempt could not go on.
    ///
    /// ## What looks like it
    /// A few lost segments that a repetition made good; a client that left or slept; a ClientHello
    /// that got lost (TLS008). Where short segments stay away too, the way as a whole is dead, and
    /// its MTU has nothing to do with it.
    ///
    /// ## What to do
    /// On the same computer send packets that must not be split and search the length at which they
    /// stop (`ping -f -l 1372 HOST`, on other systems `ping -M do -s 1372 HOST`). Set the MTU or
    /// the MSS of the tunnel right, and let ICMP "fragmentation needed" and `ICMPv6` "packet too big"
    /// through.
    ///
    /// ## References
    /// RFC 2923 (path MTU discovery and TCP); RFC 1191 and RFC 8201 (path MTU discovery); RFC 8899;
    /// RFC 9293 section 3.8.3.
    pub(crate) struct TcpDataStalled {
        id: "TCP006", name: "tcp-data-stalled", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Find where on the way to the host the data is lost; a capture on both sides of the firewall or VPN shows it.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007", "TLS009"],
    }
}

impl Rule for TcpDataStalled {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed =
            case.failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::Stalled)));
        for one in failed {
            let (said, advice) = describe(shape(case, &one));
            let finding = failed_host(self.meta(), case, one, &said);
            out.push(Finding { advice, ..finding });
        }
        if case.spares(true) {
            return;
        }
        // Lost segments that a repetition made good.
        for (host, connection, wire) in case.sign_in_connections() {
            if wire.traffic.iter().any(|side| side.repeated > 0) {
                let said = Text::default().with(host).with(": segments were sent again");
                let refs = crate::finding::Refs::one(connection.at);
                out.push(super::about_capture(self.meta(), refs, said));
            }
        }
    }
}

/// What kind of data does not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Long segments only; what the network said about their length.
    Long(Option<u32>),
    /// Nothing tells.
    Silent,
}

fn shape(case: &Case<'_>, failed: &FailedHost<'_>) -> Shape {
    let mut long = false;
    let mut all = true;
    for (_, wire) in case.connections_of(&failed.exchanges) {
        let too_big = wire.icmp.filter(|icmp| icmp.kind == IcmpKind::TooBig);
        if let Some(icmp) = too_big {
            return Shape::Long(icmp.mtu);
        }
        let mut stalls = wire.stall.iter().flatten().peekable();
        let some = stalls.peek().is_some();
        let fits = stalls.all(is_long);
        long |= some && fits;
        all &= !some || fits;
    }
    if long && all { Shape::Long(None) } else { Shape::Silent }
}

/// Whether only what is long stays away.
const fn is_long(stall: &StallReport) -> bool {
    stall.longest > SHORT && stall.passed > 0 && stall.passed < stall.longest
}

fn describe(shape: Shape) -> (Text, Option<Text>) {
    match shape {
        Shape::Long(mtu) => {
            let said = Text::of(
                " did not get the long packets of a connection that stood, while short ones \
                 passed: this fits a path that does not carry packets of that length",
            );
            let said = match mtu {
                Some(mtu) => said
                    .with(" (the network said that at most ")
                    .with(u64::from(mtu))
                    .with(" bytes pass)"),
                None => said.with(" (no ICMP message about it came)"),
            };
            let advice = "Lower the MTU or the MSS of the VPN or link, and let ICMP messages about too long \
                          packets through.";
            (said, Some(Text::of(advice)))
        }
        Shape::Silent => (
            Text::of(
                " fell silent on a connection that stood: data was sent again and again and never \
                 acknowledged",
            ),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    fn summary(change: fn(&mut crate::evidence::Connection)) -> String {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", change);
        let found = capture.found("TCP006");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        found[0].summary.clone()
    }

    #[test]
    fn long_packets_that_stay_away_fit_a_small_mtu() {
        let said = summary(|connection| stalled(connection, 1_460, 600));
        assert!(said.contains("does not carry packets of that length"), "{said}");
        assert!(said.contains("no ICMP message"), "{said}");
        let said = summary(|connection| stalled(connection, 400, 1_460));
        assert!(said.contains("fell silent"), "{said}");
    }

    #[test]
    fn what_a_repetition_made_good_is_no_stall() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().traffic[0].repeated = 2;
        });
        assert_eq!(capture.rules(), NONE);
    }
}
