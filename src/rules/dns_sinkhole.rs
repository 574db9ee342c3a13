//! DNS004: a name leads to the address of a filter.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Case, Meta, Rule, is_sign_in_host};
use crate::entra::{GuideCause, Side, vendors};
use crate::evidence::HostName;
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Severity, Text};

rule! {
    /// ## What it finds
    /// The name of a sign-in host led to an address that belongs to a filter, to 0.0.0.0 or to the
    /// computer itself, and the request failed there. In packets the answer of the name server
    /// itself holds that address.
    ///
    /// ## Why it breaks sign-in
    /// A DNS filter answers with an address of its own. There a block page, a wrong certificate or
    /// nothing at all waits in place of the service.
    ///
    /// ## Evidence it needs
    /// A failed request whose server address is in the table of filter addresses (high confidence),
    /// or is unspecified or loopback (medium). It is an error only where an attempt could not go
    /// on. From packets: a lookup all of whose addresses are such ones.
    ///
    /// ## What looks like it
    /// A local proxy or VPN client, which answers for all hosts on a loopback address and passes
    /// the requests on; a private address of the company's own gateway.
    ///
    /// ## What to do
    /// Compare `nslookup login.microsoftonline.com` with the same against a public name server.
    /// Look into the hosts file. The product is named where the address gives it away.
    ///
    /// ## References
    /// Public lists of filter addresses (ooni/blocking-fingerprints), in the table of this program;
    /// RFC 6890.
    pub(crate) struct DnsSinkhole {
        id: "DNS004", name: "dns-sinkhole", family: Dns, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Look the name up on the same computer and against a public name server; release the name in the DNS filter or remove it from the hosts file.",
        masks: ["MFA001", "MFA003", "MFA006", "MFA007", "PRX004", "TCP001", "TCP002", "TCP003", "TCP004", "TLS001", "TLS002", "TLS003", "TLS005", "TLS007"],
    }
}

impl Rule for DnsSinkhole {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut found: BTreeMap<(&HostName, IpAddr), Led> = BTreeMap::new();
        for (id, exchange) in case.evidence.numbered() {
            let stopped = case.stopped_by(id);
            let Some(address) = exchange.server.filter(|address| vendors::is_sink(*address)) else {
                continue;
            };
            // Whatever passes requests on is no sink.
            let works = case.failure(id).is_none() || !is_sign_in_host(exchange.host().as_str());
            if case.spares(works && stopped.is_none()) {
                continue;
            }
            let led = found.entry((exchange.host(), address)).or_insert_with(|| Led {
                refs: Refs::one(exchange.at),
                attempt: None,
                hurt: false,
            });
            led.refs.add(exchange.at);
            led.attempt = led.attempt.or(stopped);
            let counts = stopped.is_some_and(|index| !case.is_overridden(index));
            led.hurt |= !case.spares(!counts);
        }
        for ((host, address), led) in found {
            let vendor = vendors::answer_address(address).filter(|row| row.is_usable());
            let text =
                Text::default().with(host).with(" led to ").with(Piece::Own(address.to_string()));
            let text = match vendor {
                Some(row) => text
                    .with(", an address of a DNS filter (")
                    .with(Piece::Literal(row.name))
                    .with(")"),
                None => text.with(", where no service can be"),
            };
            out.push(Finding {
                meta: self.meta(),
                severity: if led.hurt { self.meta().severity } else { Severity::Info },
                confidence: if vendor.is_some() { Confidence::High } else { Confidence::Medium },
                host: Some(host.clone()),
                summary: text,
                advice: None,
                refs: led.refs,
                attempt: led.attempt,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Requests of one host to one such address.
struct Led {
    refs: Refs,
    attempt: Option<usize>,
    hurt: bool,
}
