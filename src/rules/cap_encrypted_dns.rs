//! CAP018: name lookups are encrypted.

use super::{Case, Meta, Rule, about_capture, is_sign_in_host};
use crate::entra::{self, ConcealerKind};
use crate::evidence::{EvidenceRef, Tunnel};
use crate::finding::{Findings, Piece, Refs, Text};

rule! {
    /// ## What it finds
    /// The computer asks for names inside TLS or HTTPS, and no lookup of a sign-in host is seen in
    /// clear.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. That no lookup is seen proves nothing then, and a name that was refused
    /// inside leaves no trace but a connection that was never made.
    ///
    /// ## Evidence it needs
    /// Traffic to port 853 (DNS over TLS or QUIC), or connections to a public service for DNS over
    /// HTTPS.
    ///
    /// ## What looks like it
    /// A browser that tries its own resolver while the system asks in clear: where lookups of the
    /// sign-in hosts are seen, the rule is silent.
    ///
    /// ## What to do
    /// For a test switch secure DNS off in the browser and in the system, and capture again;
    /// `chrome://net-internals/#dns` shows what the browser asks.
    ///
    /// ## References
    /// RFC 7858 (DNS over TLS), RFC 8484 (DNS over HTTPS), RFC 9250 (DNS over QUIC); Chromium list
    /// of providers.
    pub(crate) struct CapEncryptedDns {
        id: "CAP018", name: "cap-encrypted-dns", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "If a name may be at fault, capture again with encrypted DNS switched off in the browser and in the system.",
    }
}

impl Rule for CapEncryptedDns {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (coverage, wire, _) in case.wires() {
            let clear = case.evidence.lookups.iter().any(|lookup| {
                lookup.at.input == coverage.input
                    && lookup.transport.is_server()
                    && is_sign_in_host(lookup.name.as_str())
            });
            if case.spares(clear) {
                continue;
            }
            let told = wire.tunnels.iter().find_map(|(tunnel, _, at)| {
                matches!(tunnel, Tunnel::DnsOverTls).then_some((tunnel.as_str(), *at))
            });
            let by_name = || -> Option<(&'static str, EvidenceRef)> {
                case.evidence.connections.iter().find_map(|connection| {
                    let name = connection.server_name.as_ref()?;
                    let row = entra::concealer(name.as_str())?;
                    let here = connection.at.input == coverage.input;
                    (here && row.kind == ConcealerKind::EncryptedDns)
                        .then_some((row.name, connection.at))
                })
            };
            let Some((name, at)) = told.or_else(by_name) else { continue };
            let text = Text::of("names are looked up in encrypted form (")
                .with(Piece::Literal(name))
                .with("): that no lookup is seen proves nothing");
            out.push(about_capture(self.meta(), Refs::one(at), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::Answer;

    #[test]
    fn encrypted_lookups_are_told() {
        let mut capture = Capture::new();
        capture.wired("dns.google", |_| {});
        let found = capture.found("CAP018");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        let answer = Answer::Addresses(vec!["20.190.128.1".parse().unwrap()]);
        capture.lookup("login.microsoftonline.com", "10.0.0.53", answer);
        assert!(capture.found("CAP018").is_empty());
    }
}
