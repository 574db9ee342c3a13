//! STS001: MFA was asked for.

use super::{Case, Meta, Rule, about_attempt};
use crate::entra::{self, Nature};
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::{Carrier, MfaState, SignInAttempt, StsError};

rule! {
    /// ## What it finds
    /// The sign-in service asked for MFA: by AADSTS50074 or a code of the same kind, or by
    /// showing the MFA page, which the service logs as 50074 although the page carries no number.
    ///
    /// ## Why it breaks sign-in
    /// It does not. 50074 is a question and not an answer: it stands in the log of sign-ins that
    /// succeed as well. What became of the challenge is seen in the calls that follow, or in
    /// their absence.
    ///
    /// ## Evidence it needs
    /// A code that asks for MFA in any place where the service puts codes, or a page that offers
    /// MFA methods. One finding for each attempt, always information.
    ///
    /// ## What looks like it
    /// The text of 50074 in the settings of an ordinary page, or in what a client library reports
    /// about an earlier request: neither is a challenge.
    ///
    /// ## What to do
    /// Follow the attempt from the cited place: was a method begun, was it answered, what was the
    /// result? The failed challenge itself is logged as 500121.
    ///
    /// ## References
    /// Microsoft Entra error codes (50074, 50076, 50078); captured pages in Versent/saml2aws.
    pub(crate) struct StsMfaChallenge {
        id: "STS001", name: "sts-mfa-challenge", family: Sts, severity: Info,
        side: None, guide: None,
        advice: "Look at what followed the challenge: the code itself only says that MFA was asked for.",
    }
}

impl Rule for StsMfaChallenge {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let asked = || attempt.errors.iter().filter(|error| asks(case, error));
            // A literal code says more than the page that stands for one.
            let Some(first) = asked().find(|error| !error.equivalent).or_else(|| asked().next())
            else {
                continue;
            };
            let Some(refs) = Refs::all(asked().map(|error| error.reference)) else { continue };
            let summary = if first.equivalent {
                Text::of("the MFA page was shown, which the service logs as ")
                    .with(Piece::Code(first.code))
            } else {
                Text::of("MFA was asked for (").with(Piece::Code(first.code)).with(")")
            };
            let summary = summary.with(sequel(attempt));
            out.push(about_attempt(self.meta(), (index, attempt), refs, summary));
        }
    }
}

/// Whether a code poses the challenge.
fn asks(case: &Case<'_>, error: &StsError) -> bool {
    // What a client library reports of an earlier request is no challenge now.
    !case.spares(error.carrier == Carrier::Telemetry)
        && entra::error(error.code).is_some_and(|row| row.nature == Nature::Challenge)
}

/// What became of the challenge.
fn sequel(attempt: &SignInAttempt) -> &'static str {
    match attempt.mfa {
        MfaState::Passed => ", and it was passed",
        MfaState::Failed => ", and it was not passed",
        MfaState::Begun => "; a method was begun, and no answer is seen",
        _ if attempt.flow.is_without_prompt() => " in a request that cannot show a prompt",
        MfaState::Asked => ", and no method is seen to begin",
        MfaState::NotAsked | MfaState::Unknown => ", and what became of it is not seen",
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_passed_challenge_is_information() {
        let mut capture = Capture::new();
        capture.healthy();
        let found = capture.found("STS001");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert_eq!(
            found[0].summary,
            "the MFA page was shown, which the service logs as AADSTS50074, and it was passed"
        );
    }
}
