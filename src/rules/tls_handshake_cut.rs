//! TLS007: the connection ends inside the handshake.

use super::{Case, Meta, Rule, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side};
use crate::finding::Findings;
use crate::signin::FailureKind;

rule! {
    /// ## What it finds
    /// The connection to a sign-in host was made, and it was reset or closed before the TLS
    /// handshake was done. In packets: a RST or FIN from the side of the server after the
    /// ClientHello and before the end of the handshake.
    ///
    /// ## Why it breaks sign-in
    /// A filter that reads the host name in the ClientHello cuts in this place; so do devices that
    /// cannot take a large ClientHello.
    ///
    /// ## Evidence it needs
    /// An account of the handshake by the capture tool that names a reset or an end. A browser's
    /// HAR does not tell in which phase a reset came; there TCP003 speaks. It is an error only
    /// where an attempt could not go on; a host that another one stood in for, or a failure that
    /// the next try made good, is information. From packets: the reset or the end itself. One whose
    /// TTL differs from that of the server's other packets was sent by something on the way.
    ///
    /// ## What looks like it
    /// A server that refuses the client and closes without an alert; a reset after the handshake
    /// (TCP003); an idle connection that was closed. A client that leaves by itself.
    ///
    /// ## What to do
    /// Compare with another network, and with another host at the same address range: a cut that
    /// follows the name and not the address is a filter.
    ///
    /// ## References
    /// RFC 8446 section 4; public notes on filtering by server name; .NET texts of `SslStream`
    /// failures; Windows Sockets error 10054.
    pub(crate) struct TlsHandshakeCut {
        id: "TLS007", name: "tls-handshake-cut", family: Tls, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Try from another network; if it works there, look for a filter on this one that reads the host name in the ClientHello.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007"],
    }
}

impl Rule for TlsHandshakeCut {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case.failed_hosts(|failure| {
            matches!(failure.kind, FailureKind::Fault(Fault::HandshakeCut))
        });
        report_failed_hosts(
            self.meta(),
            case,
            failed,
            " was cut off in the middle of the TLS handshake",
            out,
        );
    }
}
