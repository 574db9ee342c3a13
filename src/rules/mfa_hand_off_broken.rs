//! MFA008: what the external provider sends back is not accepted.

use super::{Case, Meta, Rule, about_attempt, deciding_refs};
use crate::entra::{self, Side, StepKind};
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::SignInAttempt;

rule! {
    /// ## What it finds
    /// An external MFA provider sent the user back, and the service did not accept what came with
    /// it, or could not send the user there at all (50161, 5001256, 900491, 50012 after the
    /// hand-off).
    ///
    /// ## Why it breaks sign-in
    /// The user has answered and is still not in. Trying again ends in the same place, because the
    /// fault lies in the configuration or the signature of the provider.
    ///
    /// ## Evidence it needs
    /// One of the codes as the end of an attempt; for 50012, which has other uses, a hand-off to a
    /// provider in the same attempt.
    ///
    /// ## What looks like it
    /// A user who did not come back from the provider (MFA003); a first try that the provider
    /// refused and a second that passed; a host of the provider that cannot be reached (told by the
    /// rule for the way in which it failed).
    ///
    /// ## What to do
    /// 50161: correct the discovery address of the provider in the external method of the tenant.
    /// 5001256 and 50012: let the provider correct its token (issuer, key, nonce, time). 900491:
    /// grant the provider's application the consent of an administrator in the tenant.
    ///
    /// ## References
    /// Microsoft Entra: external authentication method provider reference; Microsoft Entra error
    /// codes.
    pub(crate) struct MfaHandOffBroken {
        id: "MFA008", name: "mfa-hand-off-broken", family: Mfa, severity: Error,
        side: Some(Side::Application), guide: None,
        advice: "Give the cited code and the ids to whoever runs the external provider, and compare its registration in the tenant with its metadata.",
    }
}

/// Codes of a hand-off; the last one has other uses too.
const CODES: [u32; 3] = [50_161, 900_491, 5_001_256];
const SHARED: u32 = 50_012;

impl Rule for MfaHandOffBroken {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let refs = if is_broken(attempt) {
                deciding_refs(attempt)
            } else if case.spares(true) {
                // A second hand-off that passes makes the first one good.
                None
            } else {
                let gone =
                    attempt.steps.iter().filter(|step| step.kind == StepKind::ExternalMethod);
                Refs::all(gone.flat_map(|step| step.refs.iter().copied()))
            };
            let Some(refs) = refs else { continue };
            let text = Text::of("the hand-off to the external MFA provider broke");
            let text = match attempt.deciding_code {
                Some(code) => {
                    let text = text.with(" (").with(Piece::Code(code)).with(")");
                    match entra::error(code) {
                        Some(row) => {
                            text.with(": ").with(Piece::Literal(row.meaning.trim_end_matches('.')))
                        }
                        None => text,
                    }
                }
                None => text,
            };
            out.push(about_attempt(self.meta(), (index, attempt), refs, text));
        }
    }
}

/// Whether the attempt ended with a refusal of what a provider sent.
pub(super) fn is_broken(attempt: &SignInAttempt) -> bool {
    let external = || attempt.steps.iter().any(|step| step.kind == StepKind::ExternalMethod);
    attempt.deciding_code.is_some_and(|code| CODES.contains(&code) || code == SHARED && external())
}
