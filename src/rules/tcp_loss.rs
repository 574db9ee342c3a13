//! TCP007: much is lost on the way to a sign-in host.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule, count};
use crate::entra::{GuideCause, Side};
use crate::evidence::{Connection, ConnectionId, HostName, Opened, Wire};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};

rule! {
    /// ## What it finds
    /// More than a tenth of the segments with data on the connections to a sign-in host were lost
    /// and had to be sent again, or connections stood only after many tries.
    ///
    /// ## Why it breaks sign-in
    /// It mostly makes it slow. With so much loss some requests run into their time-outs: scripts
    /// of the page do not come in time, or a poll is missed.
    ///
    /// ## Evidence it needs
    /// Packets of connections that carried data: at least 30 segments with data to and from the
    /// host, of which more than 10 % were repeated or came late, or four tries in vain before
    /// connections that then stood. It is never the reason of a failure by itself; a connection
    /// that failed is left to the rule for its fault (TCP001, TCP006).
    ///
    /// ## What looks like it
    /// A few percent of loss, which every network has; copies that the capture took twice; segments
    /// out of order.
    ///
    /// ## What to do
    /// Compare Wi-Fi with cable, and the VPN with the plain line. Look at the counters of the
    /// interfaces on the way, and capture near the server side of the firewall: segments lost
    /// before the place of the capture and behind it are told apart.
    ///
    /// ## References
    /// RFC 9293 section 3.8 (data communication); RFC 6298 (retransmission timer); RFC 5681.
    pub(crate) struct TcpLoss {
        id: "TCP007", name: "tcp-loss", family: Tcp, severity: Warning,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Look for the lossy part of the way (Wi-Fi, VPN, an overloaded line) and repeat the sign-in without it.",
    }
}

/// Segments with data below which a share says nothing.
const SEGMENTS: u64 = 30;
/// One of so many may be lost.
const SHARE: u64 = 10;
/// Tries in vain that count as many.
const TRIES: u64 = 4;

/// What was counted for one host.
struct Counted {
    sent: u64,
    again: u64,
    in_vain: u64,
    connections: u64,
    refs: Refs,
}

impl Rule for TcpLoss {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut found: BTreeMap<&HostName, Counted> = BTreeMap::new();
        let failed = failed(case);
        for (host, connection, wire) in case.sign_in_connections() {
            let stood = matches!(connection.opened, Opened::Established { .. } | Opened::MidStream);
            // What failed has a rule of its own.
            if !stood || failed.contains(&connection.at) {
                continue;
            }
            let (sent, again, in_vain) = counts(connection, wire);
            let one = found.entry(host).or_insert_with(|| Counted {
                sent: 0,
                again: 0,
                in_vain: 0,
                connections: 0,
                refs: Refs::one(connection.at),
            });
            one.sent = one.sent.saturating_add(sent);
            one.again = one.again.saturating_add(again);
            one.in_vain = one.in_vain.saturating_add(in_vain);
            one.connections = one.connections.saturating_add(1);
            one.refs.add(connection.at);
        }
        for (host, one) in found {
            let lossy = one.sent >= SEGMENTS && one.again.saturating_mul(SHARE) > one.sent;
            let slow = one.in_vain >= TRIES && one.in_vain >= one.connections;
            // Every network loses a little.
            let any = one.again > 0 || one.in_vain > 0;
            if case.spares(!lossy && !slow) || !any {
                continue;
            }
            let percent = one.again.saturating_mul(100).checked_div(one.sent).unwrap_or(0);
            let text = Text::default().with(host).with(": ");
            let text = if slow && !lossy {
                text.with(Piece::Number(one.in_vain))
                    .with(" tries to connect got no answer before ")
                    .with(count(usize::try_from(one.connections).unwrap_or(usize::MAX)))
                    .with(" connections stood")
            } else {
                text.with(Piece::Number(one.again))
                    .with(" of ")
                    .with(Piece::Number(one.sent))
                    .with(" segments with data were lost or sent again (")
                    .with(Piece::Number(percent.min(100)))
                    .with(" %)")
            };
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::Medium,
                host: Some(host.clone()),
                summary: text,
                advice: None,
                refs: one.refs,
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Where the connections stand on which a failure stands.
fn failed(case: &Case<'_>) -> std::collections::BTreeSet<crate::evidence::EvidenceRef> {
    let all = case.signin.failures.keys().filter_map(|id| case.evidence.exchange(*id));
    let numbers = all.filter_map(|exchange| exchange.connection);
    numbers
        .filter_map(|id: ConnectionId| case.evidence.connection(id))
        .map(|connection| connection.at)
        .collect()
}

/// Segments with data, those of them that were lost, and tries to connect in vain.
fn counts(connection: &Connection, wire: &Wire) -> (u64, u64, u64) {
    let mut sent: u64 = 0;
    let mut again: u64 = 0;
    for side in &wire.traffic {
        sent = sent.saturating_add(u64::from(side.with_payload));
        again = again.saturating_add(u64::from(side.repeated.saturating_add(side.lost)));
    }
    let tried = matches!(connection.opened, Opened::Established { .. });
    let in_vain = if tried { u64::from(wire.tries.saturating_sub(1)) } else { 0 };
    (sent, again, in_vain)
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn loss_is_told_from_a_tenth_on() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().traffic[0].repeated = 3;
        });
        assert_eq!(capture.rules(), NONE);
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().traffic[1].lost = 14;
        });
        let found = capture.found("TCP007");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
        assert!(found[0].summary.contains("17 of 120 segments"), "{}", found[0].summary);
    }

    #[test]
    fn connections_that_stand_late() {
        let mut capture = Capture::new();
        capture.wired("aadcdn.msauth.net", |connection| {
            connection.wire.as_mut().unwrap().tries = 5;
        });
        assert!(capture.summaries("TCP007")[0].contains("4 tries to connect"));
    }
}
