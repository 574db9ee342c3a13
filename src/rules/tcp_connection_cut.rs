//! TCP003: a connection to a sign-in host is cut.

use super::{Case, Meta, Rule, report_failed_hosts_by_kind};
use crate::entra::{Fault, GuideCause, Side, hosts};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// A connection to a sign-in host was made and then broke before the whole answer had come:
    /// reset, closed, aborted, cut short, or broken inside HTTP/2 or QUIC; or the answer came in a
    /// form that cannot be unpacked. In packets: a RST from the side of the server while an answer
    /// was due; with keys also a stream of HTTP/2 that was reset, or a connection of it that was
    /// given up with an error.
    ///
    /// ## Why it breaks sign-in
    /// The page or the MFA poll is lost. Filters that go by the name of the host let the
    /// connection open and reset it after the first bytes of the client, which looks just like
    /// this.
    ///
    /// ## Evidence it needs
    /// A failed request with such a fault. It is an error only where an attempt could not go on; a
    /// failure that a later try or another host made good is information. A fault of QUIC is told
    /// only where an attempt was stopped by it, because clients go on over TCP. From packets: a
    /// reset by the server's side after the handshake, soon after a request that got no answer. A
    /// reset by the client after the data came, and the end of an idle connection, are normal and
    /// not told.
    ///
    /// ## What looks like it
    /// An idle connection that closed between two requests and was tried again; a page that was
    /// left while it loaded; QUIC that is blocked while TCP works; a network that changed in
    /// mid-sign-in.
    ///
    /// ## What to do
    /// Try from another network. If it works there, take a packet capture on both sides of the
    /// firewall: who sent the reset is seen in its TTL. Exempt the sign-in hosts from inspection
    /// and data loss rules. An answer that cannot be unpacked was changed on the way: look for a
    /// proxy or scanner that rewrites pages.
    ///
    /// ## References
    /// RFC 9293 section 3.10.7 (segments with RST); RFC 9113 section 5.4 (errors of HTTP/2);
    /// Chromium `net_error_list.h`.
    pub(crate) struct TcpConnectionCut {
        id: "TCP003", name: "tcp-connection-cut", family: Tcp, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Repeat the sign-in from another network and look in the firewall or filter for resets of connections to the host.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TcpConnectionCut {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut failed = case.failed_hosts(|failure| {
            matches!(
                failure.kind,
                FailureKind::Fault(
                    Fault::AbortedConnection
                        | Fault::ClosedWithoutAnswer
                        | Fault::Decode
                        | Fault::Http11Required
                        | Fault::Http2
                        | Fault::Incomplete
                        | Fault::InvalidResponse
                        | Fault::Quic
                        | Fault::Reset
                )
            )
        });
        // A host that asks for certificates does so by HTTP/1.1: that has a rule of its own.
        failed.retain(|one| {
            one.kind != FailureKind::Fault(Fault::Http11Required)
                || !hosts::is_certificate_host(one.host.as_str())
        });
        // Clients go on over TCP where QUIC fails.
        failed.retain(|one| {
            one.decisive || !case.spares(one.kind == FailureKind::Fault(Fault::Quic))
        });
        report_failed_hosts_by_kind(self.meta(), case, failed, words, out);
    }
}

/// What became of the answer.
const fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Fault(Fault::Decode) => " gave an answer that cannot be unpacked",
        _ => " was cut off before its whole answer came",
    }
}
