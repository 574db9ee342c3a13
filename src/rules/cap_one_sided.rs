//! CAP015: packets of one direction only.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// The capture, or each of its connections to sign-in hosts, holds packets of one direction
    /// only, although the other side must have answered.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. Nothing can be called unanswered in such a capture: the answers went
    /// where it did not look.
    ///
    /// ## Evidence it needs
    /// Acknowledgements or data of one side that show that the other one sent something, and no
    /// packet of that other side.
    ///
    /// ## What looks like it
    /// A host that does not answer: there the client only asks again, and other connections of the
    /// capture have both directions.
    ///
    /// ## What to do
    /// Capture on the computer itself, or set the mirror port to both directions. Where paths there
    /// and back differ, capture on both.
    ///
    /// ## References
    /// RFC 9293 section 3.4 (acknowledgements); Wireshark wiki, capture set-up for Ethernet
    /// (mirror ports).
    pub(crate) struct CapOneSided {
        id: "CAP015", name: "cap-one-sided", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture both directions: on the computer itself, or with a mirror port for both.",
        doubts: [Dns, Tcp, Prx, Tls],
    }
}

impl Rule for CapOneSided {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (coverage, wire, first) in case.wires() {
            let mut all = true;
            let mut one_sided = Vec::new();
            for (_, connection, facts) in case.sign_in_connections() {
                if connection.at.input != coverage.input {
                    continue;
                }
                let [client, server] = facts.traffic;
                // A host that does not answer sends nothing either.
                let alone = !case.spares(true) && client.segments > 0 && server.segments == 0;
                if facts.is_one_sided || alone {
                    one_sided.push(connection.at);
                } else {
                    all = false;
                }
            }
            let some = !one_sided.is_empty() && (all || !case.spares(true));
            if !wire.is_one_sided && !some {
                continue;
            }
            let words = if wire.is_one_sided {
                "the capture holds packets of one direction only"
            } else {
                "the connections to sign-in hosts have packets of one direction only"
            };
            let refs = Refs::all(one_sided).unwrap_or(first);
            out.push(about_capture(self.meta(), refs, Text::of(words)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn one_direction_is_told() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().is_one_sided = true;
        });
        assert_eq!(capture.found("CAP015").len(), 1);
        capture.wired("login.microsoftonline.com", |_| {});
        assert!(capture.found("CAP015").is_empty());
        capture.wire().is_one_sided = true;
        assert_eq!(
            capture.summaries("CAP015"),
            ["the capture holds packets of one direction only"]
        );
    }
}
