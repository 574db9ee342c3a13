//! CAP002: the sign-in is in the capture but encrypted.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule, count, is_sign_in_host};
use crate::evidence::{EvidenceRef, Exchange, InputId, Scheme};
use crate::finding::{Confidence, Finding, Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// The capture tool saw tunnels to the sign-in service and decrypted none of them.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. Pages, codes and the answers of the MFA calls are inside the tunnels,
    /// so the capture can show only whether the hosts were reached.
    ///
    /// ## Evidence it needs
    /// Tunnels (CONNECT) to hosts of the sign-in service in a capture in which no HTTPS exchange
    /// can be read.
    ///
    /// ## What looks like it
    /// A capture that decrypts most traffic and leaves out single hosts on purpose, which
    /// Microsoft advises for the hosts that ask for certificates.
    ///
    /// ## What to do
    /// The simplest way is a HAR of the browser in which the sign-in fails. For programs other
    /// than browsers switch on decryption in Fiddler, and keep in mind that device certificates
    /// do not work then.
    ///
    /// ## References
    /// RFC 9110 section 9.3.6 (CONNECT); Telerik: Fiddler and HTTPS decryption.
    pub(crate) struct CapTunnelsOnly {
        id: "CAP002", name: "cap-tunnels-only", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture again with a HAR of the browser, or with HTTPS decryption switched on in the capture tool.",
    }
}

impl Rule for CapTunnelsOnly {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut found: BTreeMap<InputId, Vec<EvidenceRef>> = BTreeMap::new();
        for (id, exchange) in case.evidence.numbered() {
            // A host left out on purpose beside a sign-in that can be read hides nothing.
            let spared = || case.spares(!case.signin.encrypted.contains(&id));
            if is_open_tunnel(exchange) && !spared() {
                found.entry(exchange.at.input).or_default().push(exchange.at);
            }
        }
        for places in found.into_values() {
            let number = places.len();
            let Some(refs) = Refs::all(places) else { continue };
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::High,
                host: None,
                summary: Text::default().with(count(number)).with(if number == 1 {
                    " tunnel to the sign-in service was not decrypted, so the sign-in cannot be read"
                } else {
                    " tunnels to the sign-in service were not decrypted, so the sign-in cannot be read"
                }),
                advice: None,
                refs,
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Whether an exchange is a tunnel to a host of the sign-in that was opened.
fn is_open_tunnel(exchange: &Exchange) -> bool {
    exchange.request.url.scheme == Scheme::Authority
        && exchange.status().is_some_and(|status| status < 300)
        && is_sign_in_host(exchange.host().as_str())
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn tunnels_that_nobody_opened_are_told_once() {
        let mut capture = Capture::new();
        capture.tunnel("login.microsoftonline.com", 200);
        capture.tunnel("login.microsoftonline.com", 200);
        capture.blind(2);
        assert_eq!(capture.rules(), ["CAP002"]);
    }
}
