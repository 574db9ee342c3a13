//! MFA005: a request that cannot show a prompt was asked for MFA.

use super::{Case, Meta, Rule, about_attempt, count, deciding_refs};
use crate::entra::Side;
use crate::finding::{Finding, Findings, Piece, Severity, Text};
use crate::signin::{Outcome, SignInAttempt};

rule! {
    /// ## What it finds
    /// A silent request, a refresh token, a password sent by a program, an on-behalf-of or a
    /// daemon request was asked for MFA or another interaction, and no sign-in with a window
    /// followed.
    ///
    /// ## Why it breaks sign-in
    /// Nobody can answer a challenge without a window. The application has to take the claims of
    /// the answer and begin an interactive sign-in with them.
    ///
    /// ## Evidence it needs
    /// A code or an OAuth error that asks for interaction on such a request, in an attempt that
    /// no later one made unimportant. The count of the policies that the claims name is told.
    ///
    /// ## What looks like it
    /// A silent request that fails and is followed by an interactive one of the same user: that
    /// is how libraries work, and this finding is then only information.
    ///
    /// ## What to do
    /// For an own application handle `interaction_required` and pass on `claims`. For scripts and
    /// old clients that send a password, move to a flow that can show a window, or to an identity
    /// of the application itself. The named policies are in the sign-in log.
    ///
    /// ## References
    /// Microsoft: claims challenges and continuous access evaluation; Microsoft Entra error codes
    /// (50076, 50079); RFC 6749 section 5.2.
    pub(crate) struct MfaPromptImpossible {
        id: "MFA005", name: "mfa-prompt-impossible", family: Mfa, severity: Error,
        side: Some(Side::Application), guide: None,
        advice: "Make the application start an interactive sign-in when it gets this answer; a user without a window cannot answer a challenge.",
    }
}

impl Rule for MfaPromptImpossible {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            if attempt.outcome != Outcome::InteractionRequired {
                continue;
            }
            let Some(mut refs) = deciding_refs(attempt) else { continue };
            let code = attempt.deciding_code;
            let cited = attempt.errors.iter().filter(|error| Some(error.code) == code);
            for error in cited {
                refs.add(error.reference);
            }
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary(attempt));
            // A window that follows is how libraries work.
            let followed = attempt.overridden_by.is_some();
            let severity =
                if case.spares(followed) { Severity::Info } else { self.meta().severity };
            out.push(Finding { severity, ..finding });
        }
    }
}

fn summary(attempt: &SignInAttempt) -> Text {
    let asked = attempt.deciding_code.and_then(crate::entra::error);
    let text = if attempt.flow.is_without_prompt() {
        Text::of("a request that cannot show a prompt (")
            .with(Piece::Literal(attempt.flow.as_str()))
            .with(")")
    } else {
        Text::of("a request that the application has to repeat with a window")
    };
    let text = if asked.is_some_and(|row| row.mfa_related) {
        text.with(" was asked for MFA")
    } else {
        text.with(" was told that the user must take part")
    };
    let text = match attempt.deciding_code {
        Some(code) => text.with(": ").with(Piece::Code(code)),
        None => text,
    };
    match attempt.policy_ids.len() {
        0 => text,
        1 => text.with("; the answer names 1 policy"),
        number => text.with("; the answer names ").with(count(number)).with(" policies"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_token_request_that_meets_mfa() {
        let mut capture = Capture::new();
        capture.token_error(
            "grant_type=refresh_token&client_id=aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee&refresh_token=x",
            r#"{"error":"interaction_required","error_codes":[50076],
            "claims":"{\"access_token\":{\"capolids\":{\"values\":[\"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee\"]}}}"}"#,
        );
        let found = capture.found("MFA005");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert_eq!(
            found[0].summary,
            "a request that cannot show a prompt (refresh) was asked for MFA: AADSTS50076; the answer names 1 policy"
        );
    }
}
