//! CAP017: the traffic travels inside something else.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::Veil;

rule! {
    /// ## What it finds
    /// A VPN, the client of a zero-trust service, or a proxy on the computer itself carries
    /// traffic, and no connection to the sign-in service that came through is seen beside it.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing by itself. What travels inside is not seen: the sign-in may be in there,
    /// and what stopped it as well. That no sign-in host is in the capture then means nothing.
    ///
    /// ## Evidence it needs
    /// Packets of a VPN by its protocol or port, connections to the hosts of a zero-trust service,
    /// or requests to a proxy at a loopback address.
    ///
    /// ## What looks like it
    /// A VPN that carries only the company's own networks while the sign-in goes its own way, where
    /// the capture sees it come through: there the rule is silent.
    ///
    /// ## What to do
    /// Capture on the inner side: on the adapter of the VPN or of the client, or a HAR in the
    /// browser. Read the log of that program at the time of the failure, and try once without it
    /// where that is allowed.
    ///
    /// ## References
    /// Public lists of the hosts of these services, in the table of this program; RFC 4303 (ESP),
    /// RFC 3948 (UDP port 4500); `WireGuard` protocol.
    pub(crate) struct CapTrafficHidden {
        id: "CAP017", name: "cap-traffic-hidden", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Capture inside the tunnel (on the adapter of the VPN or client) or in the browser, and once without that program.",
        doubts: [Dns, Tcp, Prx, Tls],
    }
}

impl Rule for CapTrafficHidden {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        // What came through beside it did not travel inside.
        let beside = case.evidence.numbered().any(|(id, exchange)| {
            super::is_sign_in_host(exchange.host().as_str())
                && exchange.is_answered()
                && case.failure(id).is_none()
        });
        if case.spares(beside) {
            return;
        }
        for (veil, at) in &case.signin.veils {
            let text = match veil {
                Veil::LoopbackProxy => {
                    Text::of("a proxy on the computer itself takes the requests")
                }
                Veil::Vpn(None) => Text::of("a VPN carries traffic"),
                Veil::Vpn(Some(name)) => {
                    Text::of("a VPN carries traffic (").with(Piece::Literal(name)).with(")")
                }
                Veil::ZeroTrust(name) => Text::of("a zero-trust client carries traffic (")
                    .with(Piece::Literal(name))
                    .with(")"),
                Veil::Begun
                | Veil::MidStream
                | Veil::OneSided
                | Veil::Proxy
                | Veil::Reports
                | Veil::Returned
                | Veil::SentOn
                | Veil::Underway => {
                    continue;
                }
            };
            let text = text.with("; what travels inside is not seen");
            out.push(about_capture(self.meta(), Refs::one(*at), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_zero_trust_client_hides_the_sign_in() {
        let mut capture = Capture::new();
        capture.wired("gateway.zscaler.net", |_| {});
        let found = capture.found("CAP017");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert!(found[0].summary.contains("Zscaler"), "{}", found[0].summary);
        capture.wired("login.microsoftonline.com", |_| {});
        assert!(capture.found("CAP017").is_empty());
    }
}
