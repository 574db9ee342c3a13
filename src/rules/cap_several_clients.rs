//! CAP019: several computers sign in.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Refs, Text};

rule! {
    /// ## What it finds
    /// A capture of packets holds the sign-ins of more than one computer: it was taken at a
    /// router, a mirror port or a server, and not on the computer of the user.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. What one computer got says nothing of what another one lacked, so each
    /// is judged by its own packets. Which of them the ticket is about is not in the capture.
    ///
    /// ## Evidence it needs
    /// Two addresses that took turns in opening connections to hosts of the sign-in: three turns
    /// within one network, six across two. With more than eight addresses none is told apart.
    ///
    /// ## What looks like it
    /// One computer with several addresses: one of each version of IP, a wireless network after a
    /// cable, the inside of a VPN. Then one address gives way to another. A proxy in the capture
    /// is called by the others, and asks for them.
    ///
    /// ## What to do
    /// Ask which address the user's computer had, and cut the capture down to it:
    /// `tshark -r IN -Y "ip.addr == ADDRESS" -w OUT`. Better, capture on that computer.
    ///
    /// ## References
    /// Wireshark: display filter reference of the Internet Protocol (`ip.addr`); manual page of
    /// tshark (`-Y`, `-w`).
    pub(crate) struct CapSeveralClients {
        id: "CAP019", name: "cap-several-clients", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Ask which of the addresses the user's computer had, and cut the capture down to it.",
    }
}

/// Addresses named in the sentence.
const NAMED: usize = 8;

impl Rule for CapSeveralClients {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let computers: Vec<_> =
            case.signin.computers.iter().filter(|one| !case.spares(!one.is_apart)).collect();
        if computers.len() < 2 {
            return;
        }
        let Some(refs) = Refs::all(computers.iter().map(|one| one.at)) else { return };
        let names: Vec<String> =
            computers.iter().take(NAMED).map(|one| one.address.to_string()).collect();
        let text = Text::default()
            .with(Piece::Number(u64::try_from(computers.len()).unwrap_or(u64::MAX)))
            .with(" computers sign in in this capture, each is judged by its own packets: ")
            .with(Piece::Own(names.join(", ")));
        out.push(about_capture(self.meta(), refs, text));
    }
}
