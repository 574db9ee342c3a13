//! CAP016: packets were captured twice.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Text};

rule! {
    /// ## What it finds
    /// Many packets are in the capture twice or more: a mirror port that copies a packet where it
    /// comes in and where it goes out, or a tool that captures at several places of one computer.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. Tools that do not know it call the copies retransmissions and see a
    /// network that loses much; this program counts them apart.
    ///
    /// ## Evidence it needs
    /// Packets that are the same down to the id of their IP header within a moment, or that the
    /// capturing tool gave one id: ten of them and a twentieth of the packets or more.
    ///
    /// ## What looks like it
    /// Segments that were sent again because the network lost them: they come later and with an id
    /// of their own.
    ///
    /// ## What to do
    /// Nothing, for this program. For others take the copies out (`editcap -d`), or set the mirror
    /// port or the tool to one place (`pktmon start --comp nics`).
    ///
    /// ## References
    /// RFC 6864 (identification of IPv4); man page of editcap (duplicates); Microsoft: pktmon start
    /// (`--comp`).
    pub(crate) struct CapCopies {
        id: "CAP016", name: "cap-copies", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Take no retransmission that another tool counts in this capture for a loss before the copies are out (editcap -d).",
    }
}

/// One of so many packets may be a copy.
const SHARE: u64 = 20;

/// Copies below which nobody is misled.
const COPIES: u64 = 10;

impl Rule for CapCopies {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (coverage, wire, refs) in case.wires() {
            let all = wire.segments.saturating_add(wire.datagrams);
            let many = wire.copies >= COPIES && wire.copies.saturating_mul(SHARE) >= all;
            // What was sent again is no copy.
            let again = || {
                case.evidence.connections.iter().any(|connection| {
                    let sides = connection.wire.as_ref().map(|wire| wire.traffic);
                    connection.at.input == coverage.input
                        && sides.iter().flatten().any(|side| side.repeated > 0)
                })
            };
            if !many && (case.spares(true) || !again()) {
                continue;
            }
            let text = Text::default()
                .with(Piece::Number(wire.copies))
                .with(" packets are copies of others in the capture, and are counted once");
            out.push(about_capture(self.meta(), refs, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn many_copies_are_told() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().traffic[0].repeated = 1;
        });
        capture.wire().segments = 1_000;
        assert_eq!(capture.rules(), NONE);
        capture.wire().copies = 480;
        let found = capture.found("CAP016");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
    }
}
