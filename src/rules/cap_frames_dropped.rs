//! CAP014: the capture lost frames.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Text};

rule! {
    /// ## What it finds
    /// The capturing system says that it dropped frames, or a receiver acknowledged data that is
    /// not in the capture.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing: what is missing was on the network, and only the capture does not have
    /// it. A packet that is not there may have been sent all the same.
    ///
    /// ## Evidence it needs
    /// The counters of the capturing system, or acknowledgements of bytes that the capture never
    /// saw, on connections that began in it.
    ///
    /// ## What looks like it
    /// Segments that the network lost: they are sent again, and the capture has the repetition;
    /// frames that were cut (CAP013).
    ///
    /// ## What to do
    /// Capture with a filter for the hosts or ports in question and with larger buffers, write to a
    /// fast disk, and do not watch the packets while they are captured.
    ///
    /// ## References
    /// pcapng section 4.6 (`isb_ifdrop`, `isb_osdrop`) and section 4.3 (`epb_dropcount`); RFC 9293
    /// section 3.4 (acknowledgements).
    pub(crate) struct CapFramesDropped {
        id: "CAP014", name: "cap-frames-dropped", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture again with a filter for the sign-in and larger buffers, so that no frame is dropped.",
        doubts: [Dns, Tcp, Tls],
    }
}

impl Rule for CapFramesDropped {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (coverage, wire, refs) in case.wires() {
            // What the network lost came again.
            let lost = || {
                case.evidence.connections.iter().any(|connection| {
                    let sides = connection.wire.as_ref().map(|wire| wire.traffic);
                    connection.at.input == coverage.input
                        && sides.iter().flatten().any(|side| side.lost > 0 || side.repeated > 0)
                })
            };
            if wire.dropped == 0 && wire.missing == 0 && (case.spares(true) || !lost()) {
                continue;
            }
            let text = match (wire.dropped, wire.missing) {
                (0, missing) => Text::of("the capture lacks ")
                    .with(Piece::Number(missing))
                    .with(" bytes that their receivers acknowledged"),
                (dropped, 0) => Text::of("the capturing system dropped ")
                    .with(Piece::Number(dropped))
                    .with(" frames"),
                (dropped, missing) => Text::of("the capturing system dropped ")
                    .with(Piece::Number(dropped))
                    .with(" frames, and ")
                    .with(Piece::Number(missing))
                    .with(" bytes that their receivers acknowledged are missing"),
            };
            out.push(about_capture(self.meta(), refs, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn drops_and_gaps_are_told() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().traffic[0].lost = 1;
        });
        assert_eq!(capture.rules(), NONE);
        capture.wire().missing = 2_920;
        assert!(capture.summaries("CAP014")[0].contains("lacks 2920 bytes"));
        capture.wire().dropped = 7;
        assert!(capture.summaries("CAP014")[0].contains("dropped 7 frames, and 2920"));
    }
}
