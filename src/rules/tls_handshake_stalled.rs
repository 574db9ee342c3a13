//! TLS009: the handshake begins and comes to no end.

use super::{Case, FailedHost, Meta, Rule, failed_host};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::{Findings, Refs, Text};
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The ClientHello reached a sign-in host, and then nothing more came in TLS, or the handshake
    /// stopped in its middle, until the client gave up or the capture went on long enough.
    ///
    /// ## Why it breaks sign-in
    /// No request is sent before the handshake is done. A filter that takes the ClientHello and
    /// drops all that follows, or an inspecting device that cannot reach the server itself, leaves
    /// the client waiting.
    ///
    /// ## Evidence it needs
    /// Packets of both directions: the message of the client was acknowledged, and the silence
    /// lasted for seconds within the capture. It is an error only where an attempt could not go on;
    /// a host that another one stood in for, or a failure that the next try made good, is
    /// information.
    ///
    /// ## What looks like it
    /// A connection that a browser opened in reserve and left; a capture that ends in the middle of
    /// a handshake; a ClientHello that never arrived (TLS008), a reset (TLS007) and an alert
    /// (TLS003).
    ///
    /// ## What to do
    /// On the same computer run `curl -v https://HOST/` and see at which message it waits. Compare
    /// with another network, and read the log of the inspecting device at the time of the finding.
    ///
    /// ## References
    /// RFC 8446 section 4 (handshake protocol); RFC 9293 section 3.8.3.
    pub(crate) struct TlsHandshakeStalled {
        id: "TLS009", name: "tls-handshake-stalled", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Compare with another network, and look on this one for a filter or inspecting proxy that keeps the handshake waiting.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsHandshakeStalled {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::HandshakeStalled))
        });
        for one in failed {
            let said = Text::of(words(case, &one));
            out.push(failed_host(self.meta(), case, one, &said));
        }
        // A handshake that somebody left is not one that was kept waiting.
        if case.spares(true) {
            return;
        }
        for (host, connection, _) in case.sign_in_connections() {
            if connection.tls.as_deref().is_some_and(|tls| tls.completed == Some(false)) {
                let said = Text::default().with(host).with(" did not finish a TLS handshake");
                out.push(super::about_capture(self.meta(), Refs::one(connection.at), said));
            }
        }
    }
}

/// Where the handshake stopped.
fn words(case: &Case<'_>, failed: &FailedHost<'_>) -> &'static str {
    let began = case.connections_of(&failed.exchanges).any(|(connection, _)| {
        connection.tls.as_deref().is_some_and(|tls| tls.server_hello.is_some())
    });
    if began {
        " began the TLS handshake and did not go on with it"
    } else {
        " took the ClientHello and said nothing more"
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::{Closed, Connection, Peer, ResetReport};

    fn silent(connection: &mut Connection) {
        let tls = connection.tls.as_mut().unwrap();
        (tls.completed, tls.server_hello, tls.application) = (Some(false), None, [0, 0]);
        connection.wire.as_mut().unwrap().payload[1] = None;
    }

    #[test]
    fn a_server_that_says_nothing() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", silent);
        let found = capture.found("TLS009");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(found[0].summary.contains("said nothing more"), "{}", found[0].summary);
    }

    #[test]
    fn a_client_that_leaves_at_once_was_not_kept_waiting() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            silent(connection);
            let (by, time, at) = (Peer::Client, connection.span.unwrap().last(), connection.at);
            connection.closed = Closed::Reset { by };
            let wire = connection.wire.as_mut().unwrap();
            wire.reset = Some(ResetReport { by, hop_limit: 128, time, at });
        });
        assert!(capture.found("TLS009").is_empty());
    }
}
