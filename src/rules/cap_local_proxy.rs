//! CAP010: something on the computer carries the traffic.

use std::net::IpAddr;

use super::{Case, Meta, Rule, about_capture, is_sign_in_host};
use crate::finding::{Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// Sign-in hosts were reached at an address of the computer itself or of a carrier's private
    /// range: a local proxy, a VPN or a zero-trust client stands between the browser and the
    /// network.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing by itself. What the real network did lies behind that program, and a
    /// failure that it met shows in the capture as its own.
    ///
    /// ## Evidence it needs
    /// Answers of the service that came from a loopback address or from 100.64.0.0/10.
    ///
    /// ## What looks like it
    /// The capture tool itself, which listens on the computer: there the address of the client is
    /// local and that of the server is not. A name filter that leads to a local address, where
    /// nothing answers, is told by DNS004.
    ///
    /// ## What to do
    /// Find the program (the process on that port, `netstat -abno`), read its log at the time of
    /// the failure, and compare with a capture without it.
    ///
    /// ## References
    /// RFC 6890 (special-purpose addresses), RFC 6598 (100.64.0.0/10).
    pub(crate) struct CapLocalProxy {
        id: "CAP010", name: "cap-local-proxy", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "If the sign-in fails only with that program running, read its log and try once without it.",
        doubts: [Dns, Tcp, Prx, Tls],
    }
}

impl Rule for CapLocalProxy {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for input in &case.evidence.inputs {
            let served = case.evidence.numbered().filter(|(id, exchange)| {
                exchange.at.input == input.id
                    && is_sign_in_host(exchange.host().as_str())
                    && exchange.response.is_ok()
                    && case.failure(*id).is_none()
                    && exchange.server.is_some_and(is_local)
            });
            let behind = case.evidence.connections.iter().filter(|connection| {
                // The client of a capture tool is local, its server is not.
                !case.spares(true)
                    && connection.at.input == input.id
                    && connection.client.is_some_and(|client| is_local(client.ip()))
            });
            let places = served
                .map(|(_, exchange)| exchange.at)
                .chain(behind.map(|connection| connection.at));
            let Some(refs) = Refs::all(places) else { continue };
            let words = "the sign-in hosts were reached through a program on this computer or a private \
                         network (local proxy, VPN or zero-trust client)";
            out.push(about_capture(self.meta(), refs, Text::of(words)));
        }
    }
}

/// Whether an address is the computer's own or one of a carrier's private range.
fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback() || first == 100 && (64..128).contains(&second)
        }
        IpAddr::V6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses() {
        for (address, local) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("100.64.1.5", true),
            ("100.128.0.1", false),
            ("20.190.128.1", false),
            ("10.0.0.8", false),
        ] {
            assert_eq!(is_local(address.parse().unwrap()), local, "{address}");
        }
    }
}
