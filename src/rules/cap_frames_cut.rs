//! CAP013: the frames of the capture are cut.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Text};

rule! {
    /// ## What it finds
    /// A large part of the frames was not captured to its end: the capture ran with a snap length.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. What stands behind the cut cannot be read: names in a ClientHello,
    /// certificates, answers of name servers, pages of proxies. What a handshake came to can then
    /// only be told by what is left.
    ///
    /// ## Evidence it needs
    /// Frames that are shorter in the file than they were on the wire, a tenth of those with TCP or
    /// UDP or more.
    ///
    /// ## What looks like it
    /// A few frames that the network card put together to more than the usual longest one, in a
    /// capture that is whole otherwise; a file that ends too early (CAP006).
    ///
    /// ## What to do
    /// Capture whole packets: `pktmon start --capture --pkt-size 0`, `tcpdump -s 0`; in Wireshark
    /// leave "Limit each packet to" switched off.
    ///
    /// ## References
    /// Man page of tcpdump (snaplen); Microsoft: pktmon start (`--pkt-size`); pcapng section 4.2
    /// (`SnapLen`).
    pub(crate) struct CapFramesCut {
        id: "CAP013", name: "cap-frames-cut", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture again with whole packets (pktmon with --pkt-size 0, tcpdump with -s 0).",
        doubts: [Tls],
    }
}

/// One of so many frames may be cut.
const SHARE: u64 = 10;

impl Rule for CapFramesCut {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (_, wire, refs) in case.wires() {
            let all = wire.segments.saturating_add(wire.datagrams);
            let few = wire.cut.saturating_mul(SHARE) < all;
            if wire.cut == 0 || case.spares(few) {
                continue;
            }
            let text = Text::of("frames were cut to ")
                .with(Piece::Number(wire.cut_to))
                .with(" bytes at most: ")
                .with(Piece::Number(wire.cut))
                .with(" frames have no end");
            out.push(about_capture(self.meta(), refs, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn many_cut_frames_are_told() {
        let mut capture = Capture::new();
        let wire = capture.wire();
        (wire.segments, wire.cut, wire.cut_to) = (1_000, 5, 65_535);
        assert_eq!(capture.rules(), NONE);
        (capture.wire().cut, capture.wire().cut_to) = (400, 96);
        let found = capture.found("CAP013");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
        assert!(found[0].summary.contains("96 bytes"), "{}", found[0].summary);
    }
}
