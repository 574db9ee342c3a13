//! PRX007: a proxy or device policy restricts the tenants.

use super::{Case, Meta, Rule, about_attempt, deciding_refs};
use crate::entra::{GuideCause, Side};
use crate::evidence::Exchange;
use crate::finding::{Findings, Piece, Refs, Text};

rule! {
    /// ## What it finds
    /// The service refused the tenant because a proxy, a gateway or a device policy added a tenant
    /// restriction to the request (50002, 500021, 500022, 5000211).
    ///
    /// ## Why it breaks sign-in
    /// The organisation whose network or device is used allows only the tenants on its list. MFA is
    /// not reached or does not help.
    ///
    /// ## Evidence it needs
    /// One of the codes as the end of an attempt. Mostly the header is put in behind the computer,
    /// so a capture shows only its effect; where the request holds the header it is told.
    ///
    /// ## What looks like it
    /// The header itself in a sign-in that goes through: then the tenant is on the list. A block by
    /// cross-tenant access settings (500212, 500213), which no proxy adds.
    ///
    /// ## What to do
    /// Add the tenant to the list, or take the user out of the restriction. The list stands in the
    /// policy of the proxy (`Restrict-Access-To-Tenants`) or in the tenant restrictions of the
    /// device's own tenant (`sec-Restrict-Tenant-Access-Policy`). The refusal is logged in the
    /// tenant that was asked for.
    ///
    /// ## References
    /// Microsoft Entra: tenant restrictions v1 and v2; Microsoft Entra error codes.
    pub(crate) struct ProxyTenantRestriction {
        id: "PRX007", name: "proxy-tenant-restriction", family: Prx, severity: Error,
        side: Some(Side::Policy), guide: Some(GuideCause::SecurityPolicy),
        advice: "Ask the team that runs the proxy or the device policy to add the tenant, or sign in from a network without the restriction.",
    }
}

/// The codes by which the service says so.
pub(super) const CODES: [u32; 4] = [50_002, 500_021, 500_022, 5_000_211];
/// The header fields that carry a restriction.
const FIELDS: [&str; 3] =
    ["restrict-access-context", "restrict-access-to-tenants", "sec-restrict-tenant-access-policy"];

impl Rule for ProxyTenantRestriction {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let code = attempt.deciding_code.filter(|code| CODES.contains(code));
            let added = || {
                let steps = attempt.steps.iter().flat_map(|step| &step.refs);
                steps.copied().find(|at| case.exchange_at(*at).is_some_and(is_restricted))
            };
            // A header alone restricts nothing here: the tenant is on the list.
            let refs = match code {
                Some(_) => deciding_refs(attempt),
                None if case.spares(true) => None,
                None => added().map(Refs::one),
            };
            let Some(mut refs) = refs else { continue };
            let text = Text::of("a tenant restriction on the way refused this tenant");
            let text = match code {
                Some(code) => text.with(" (").with(Piece::Code(code)).with(")"),
                None => text,
            };
            let text = match added() {
                Some(at) => {
                    refs.add(at);
                    text.with("; the request holds its header, so it was put in on this computer")
                }
                None => text.with("; its header is put in behind this computer"),
            };
            out.push(about_attempt(self.meta(), (index, attempt), refs, text));
        }
    }
}

fn is_restricted(exchange: &Exchange) -> bool {
    FIELDS.iter().any(|field| exchange.request.headers.has(field))
}
