//! TLS008: the first TLS message of the client does not get through.

use super::{Case, FailedHost, Meta, Rule, failed_host};
use crate::entra::{Fault, GuideCause, Side};
use crate::evidence::Hello;
use crate::finding::{Findings, Piece, Text};
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The connection to a sign-in host was made, the client sent its ClientHello, and the message
    /// or a part of it was never acknowledged, however often it was sent.
    ///
    /// ## Why it breaks sign-in
    /// The handshake cannot begin. Browsers offer a post-quantum key share, which makes the
    /// ClientHello longer than one segment; firewalls and filters that expect the host name in the
    /// first segment drop such a message without a word.
    ///
    /// ## Evidence it needs
    /// Packets of both directions in which the client repeats the message at least twice and the
    /// server says nothing in TLS. It is an error only where an attempt could not go on; a host
    /// that another one stood in for, or a failure that the next try made good, is information.
    ///
    /// ## What looks like it
    /// A ClientHello in several segments that is answered; one lost segment that the repetition
    /// made good; a filter that cuts the connection at this place (TLS007), or a server that took
    /// the message and kept silent (TLS009).
    ///
    /// ## What to do
    /// Try once with the post-quantum share switched off (in Chrome and Edge the policy
    /// `PostQuantumKeyAgreementEnabled`) and once from another network. If the short message gets
    /// through, update the firewall or filter that cannot take the long one; if the length of
    /// packets is in question, test the MTU of the way.
    ///
    /// ## References
    /// RFC 8446 section 4.1.2 (ClientHello); RFC 9293 section 3.8.1; public notes on middleboxes
    /// and post-quantum key shares (tldr.fail); Chrome enterprise policy list.
    pub(crate) struct TlsHelloLost {
        id: "TLS008", name: "tls-hello-lost", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Look for a firewall or filter that drops a ClientHello in several segments, and try with the post-quantum key share switched off.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsHelloLost {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case
            .failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::HelloLost)));
        for one in failed {
            let said = describe(longest(case, &one));
            out.push(failed_host(self.meta(), case, one, &said));
        }
        // A message in several segments is nothing unusual.
        if case.spares(true) {
            return;
        }
        for (host, connection, _) in case.sign_in_connections() {
            let hello = connection.tls.as_deref().and_then(|tls| tls.hello);
            if let Some(hello) = hello.filter(|hello| hello.segments > 1) {
                let said = Text::default().with(host).with_text(&describe(Some(hello)));
                let refs = crate::finding::Refs::one(connection.at);
                out.push(super::about_capture(self.meta(), refs, said));
            }
        }
    }
}

/// The longest of the messages that were lost.
fn longest(case: &Case<'_>, failed: &FailedHost<'_>) -> Option<Hello> {
    let hellos = case
        .connections_of(&failed.exchanges)
        .filter_map(|(connection, _)| connection.tls.as_deref()?.hello);
    hellos.max_by_key(|hello| hello.length)
}

fn describe(hello: Option<Hello>) -> Text {
    let text = Text::of(" never got the whole ClientHello, although it was sent again and again");
    let Some(hello) = hello else { return text };
    let text = text
        .with(" (")
        .with(Piece::Number(u64::from(hello.length)))
        .with(" bytes in ")
        .with(Piece::Number(u64::from(hello.segments)))
        .with(if hello.segments == 1 { " segment" } else { " segments" });
    text.with(if hello.is_post_quantum { ", with a post-quantum key share)" } else { ")" })
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::Connection;

    fn large(connection: &mut Connection) {
        let hello = connection.tls.as_mut().unwrap().hello.as_mut().unwrap();
        (hello.length, hello.segments, hello.is_post_quantum) = (1_890, 2, true);
    }

    #[test]
    fn a_large_hello_whose_end_stays_away() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            large(connection);
            stalled(connection, 430, 1_460);
            let tls = connection.tls.as_mut().unwrap();
            (tls.completed, tls.server_hello, tls.application) = (Some(false), None, [0, 0]);
            connection.wire.as_mut().unwrap().payload[1] = None;
        });
        let found = capture.found("TLS008");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(
            found[0].summary.contains("1890 bytes in 2 segments, with a post-quantum"),
            "{}",
            found[0].summary
        );
    }

    #[test]
    fn a_large_hello_that_is_answered() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", large);
        assert_eq!(capture.rules(), NONE);
    }
}
