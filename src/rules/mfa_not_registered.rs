//! MFA004: the user has no usable MFA method.

use super::{Case, Meta, Rule, about_attempt, deciding_refs, is_decided_by_result, unless_doubted};
use crate::entra::{GuideCause, Side};
use crate::finding::{Finding, Findings, Piece, Text};
use crate::signin::{Outcome, StepKind};

rule! {
    /// ## What it finds
    /// The service sent the user to register a method (50072, 50079, 50203 or the registration
    /// page), or showed an MFA page that offers no method at all. Whether the page lets the user go
    /// on without registering is told.
    ///
    /// ## Why it breaks sign-in
    /// The challenge cannot be answered with a method that does not exist. If the registration
    /// pages cannot be reached either, the user is stuck.
    ///
    /// ## Evidence it needs
    /// A code or page that leads to registration, in an attempt that ended there. An MFA page
    /// without a method has medium confidence, because a policy may hide methods. An export that
    /// leaves lists out looks the same.
    ///
    /// ## What looks like it
    /// A nudge to register the app that can be skipped and was; registration in the course of a
    /// sign-in that then succeeded; a request that cannot show a page (MFA005).
    ///
    /// ## What to do
    /// Look at the authentication methods of the user in the portal. 50203 asks for the
    /// Authenticator app of users who may have other methods: register it, skip it where the page
    /// allows that, or take the user out of the registration campaign. Register at the security
    /// info page from a network that a policy allows; check that `mysignins.microsoft.com` and its
    /// like can be reached.
    ///
    /// ## References
    /// Microsoft Entra error codes (50072, 50079, 50203); Microsoft: combined security
    /// information registration.
    pub(crate) struct MfaNotRegistered {
        id: "MFA004", name: "mfa-not-registered", family: Mfa, severity: Error,
        side: Some(Side::User), guide: Some(GuideCause::NotRegistered),
        advice: "Let the user register a method in the security info, or give a Temporary Access Pass to begin with.",
    }
}

/// The code that asks for the app, mostly of users who have another method.
const NUDGE: u32 = 50_203;

impl Rule for MfaNotRegistered {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let told = attempt.outcome == Outcome::RegistrationRequired;
            // A nudge that the user skips, or a registration that is done at once, stops nothing.
            let nudged = attempt.steps.iter().any(|step| step.kind == StepKind::Registration);
            if !told && (!nudged || case.spares(true)) || is_decided_by_result(attempt) {
                continue;
            }
            let Some(mut refs) = deciding_refs(attempt) else { continue };
            let code = attempt.deciding_code;
            let cited = attempt.errors.iter().filter(|error| Some(error.code) == code);
            for error in cited {
                refs.add(error.reference);
            }
            let summary = Text::of(match code {
                // The user may well have other methods.
                Some(NUDGE) => "the user is asked to register the Authenticator app",
                _ => "the user has no usable MFA method and is sent to register one",
            });
            let summary = match code {
                Some(code) => summary.with(" (").with(Piece::Code(code)).with(")"),
                None => summary,
            };
            let summary = match attempt.note {
                Some(note) if told => summary.with("; ").with(note),
                _ => summary,
            };
            let summary = if attempt.side == Side::Network {
                summary.with("; the registration pages could not be reached")
            } else {
                summary
            };
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence: unless_doubted(attempt), ..finding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_registration_page_and_a_page_without_methods() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page(
            "POST",
            "/common/login",
            r#"$Config={"pgid":"ConvergedProofUpRedirect","sErrorCode":"50072","urlPost":"/x"}"#,
        );
        let found = capture.found("MFA004");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "error", "high"));
        let mut capture = Capture::new();
        capture.authorize();
        capture.page(
            "POST",
            "/common/login",
            r#"$Config={"pgid":"ConvergedTFA","arrUserProofs":[],"urlPost":"/x"}"#,
        );
        assert_eq!(capture.found("MFA004")[0].confidence, "medium");
    }
}
