//! MFA003: a challenge was begun and then left.

use super::mfa_traffic_missing::is_never_polled;
use super::{Case, Meta, Rule, about_attempt, deciding_refs, is_decided_by_result};
use crate::entra::Side;
use crate::finding::{Confidence, Finding, Findings, Text};
use crate::signin::{MfaState, Outcome, SignInAttempt, StepKind};

rule! {
    /// ## What it finds
    /// A method was begun, and before there was a result the client stopped asking, went on to
    /// something else, or did not come back from the passkey page or the external provider. No
    /// request of the sign-in failed.
    ///
    /// ## Why it breaks sign-in
    /// Without the end of the challenge there is no token. To the service it looks as if nobody
    /// had answered.
    ///
    /// ## Evidence it needs
    /// A begun method without a result, and time in the capture in which the next call would have
    /// been seen. Confidence is medium: why the client stopped is in no capture.
    ///
    /// ## What looks like it
    /// A capture that was stopped too early (CAP003); polls that failed on the network; a poll
    /// window that was used up (MFA006); a passkey that the browser or the device cannot use.
    ///
    /// ## What to do
    /// Ask what was on the screen. For a passkey check Bluetooth and the browser; for an external
    /// provider look at its own log, and note that the state of the sign-in is dropped after some
    /// minutes.
    ///
    /// ## References
    /// Microsoft: external method provider reference; captured MFA pages in Versent/saml2aws.
    pub(crate) struct MfaLeft {
        id: "MFA003", name: "mfa-left", family: Mfa, severity: Error,
        side: Some(Side::User), guide: None,
        advice: "Ask the user whether the window was closed or the prompt cancelled, then repeat the sign-in and wait for the end.",
    }
}

impl Rule for MfaLeft {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let by_answer = attempt.deciding_code.is_some() || is_decided_by_result(attempt);
            // Silence at the end of a capture is no proof that the user left.
            let left = attempt.outcome == Outcome::MfaAbandoned && !by_answer;
            let open = attempt.outcome == Outcome::Undetermined && attempt.mfa == MfaState::Begun;
            if !left && (!open || case.spares(true)) || is_never_polled(attempt) {
                continue;
            }
            let Some(refs) = deciding_refs(attempt) else { continue };
            let summary = Text::of(words(attempt));
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence: Confidence::Medium, ..finding });
        }
    }
}

fn words(attempt: &SignInAttempt) -> &'static str {
    let last = attempt.steps.iter().rev().map(|step| step.kind).find(|kind| {
        matches!(
            kind,
            StepKind::ExternalMethod | StepKind::MfaBegin | StepKind::MfaPoll | StepKind::Passkey
        )
    });
    match last {
        Some(StepKind::ExternalMethod) => {
            "the user was sent to an external provider and did not come back"
        }
        Some(StepKind::Passkey) => "the passkey page was opened and did not come to an end",
        _ => "a method was begun, and the page was left before there was a result",
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn polls_that_stop_while_the_capture_goes_on() {
        let mut capture = Capture::new();
        capture.challenge();
        capture.poll("AuthenticationPending", true);
        capture.wait(60);
        capture.get("https://browser.events.data.microsoft.com/x", 200);
        let found = capture.found("MFA003");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "error", "medium"));
    }
}
