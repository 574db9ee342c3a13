//! CAP011: rules of the capture tool changed the route.

use super::{Case, Meta, Rule, about_capture, is_sign_in_host};
use crate::finding::{Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// Rules of the capture tool sent sign-in requests to another host or proxy, or answered them
    /// from a file.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing by itself. The capture shows what the changed route did and not what the
    /// network of the client does.
    ///
    /// ## Evidence it needs
    /// The flags that Fiddler keeps in a session whose route or answer was set by a rule
    /// (`x-overridehost`, `x-overridegateway`, `x-replywithfile` and their like), on a session with
    /// a sign-in host.
    ///
    /// ## What looks like it
    /// The same on hosts that have nothing to do with the sign-in, as of a developer who tests
    /// something else; the proxy that the system sets, which needs no rule.
    ///
    /// ## What to do
    /// Switch off `AutoResponder`, `FiddlerScript` rules and host remapping, then capture again.
    ///
    /// ## References
    /// Telerik: Fiddler session flags; `AutoResponder`; host remapping.
    pub(crate) struct CapRouteChanged {
        id: "CAP011", name: "cap-route-changed", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Capture again with the rules of the capture tool switched off: what is in this one is not what the client would have met.",
        doubts: [Dns, Tcp, Prx, Tls],
    }
}

impl Rule for CapRouteChanged {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for input in &case.evidence.inputs {
            let changed = case.evidence.exchanges.iter().filter(|exchange| {
                let elsewhere = !is_sign_in_host(exchange.host().as_str());
                exchange.at.input == input.id && exchange.rerouted && !case.spares(elsewhere)
            });
            let Some(refs) = Refs::all(changed.map(|exchange| exchange.at)) else { continue };
            let words =
                "rules of the capture tool changed where sign-in requests went or what answered";
            out.push(about_capture(self.meta(), refs, Text::of(words)));
        }
    }
}
