//! MFA006: the challenge was not answered while the page waited.

use super::{Case, Meta, Rule, about_attempt, deciding_refs, is_decided_by_result};
use crate::entra::Side;
use crate::finding::{Confidence, Finding, Findings, Text};
use crate::signin::{Outcome, StepKind, StepResult};

rule! {
    /// ## What it finds
    /// The page asked for the result until its time was used up, and the service answered each
    /// time that it still waits.
    ///
    /// ## Why it breaks sign-in
    /// Nobody confirmed the sign-in. Either the user did not react, or the prompt never reached
    /// the phone.
    ///
    /// ## Evidence it needs
    /// Answers that wait, over the whole time that the page polls. A final result such as
    /// `PhoneAppNoResponse` is told by MFA002. Confidence is medium at most, because the way
    /// between the service and the phone is in no capture of a computer.
    ///
    /// ## What looks like it
    /// A capture that ends (CAP003), or a page that was closed (MFA003), before the time was used
    /// up; polls that failed on the network.
    ///
    /// ## What to do
    /// Let the user open the Authenticator app by hand, check notifications, battery saving and
    /// the data connection of the phone, and try a code from the app, which needs no connection.
    /// An app that is too old can look the same.
    ///
    /// ## References
    /// Captured MFA pages in Versent/saml2aws (`iPollingTimeout`); Microsoft: troubleshooting
    /// Authenticator notifications.
    pub(crate) struct MfaNoAnswer {
        id: "MFA006", name: "mfa-no-answer", family: Mfa, severity: Error,
        side: Some(Side::User), guide: None,
        advice: "Ask the user what the phone showed, check its notifications and data connection, and let the user open the app by hand on the next try.",
    }
}

impl Rule for MfaNoAnswer {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let by_answer = attempt.deciding_code.is_some() || is_decided_by_result(attempt);
            let waited = attempt.outcome == Outcome::MfaNoAnswer && !by_answer;
            // Polls that wait say nothing before the time is used up.
            let waits = attempt
                .steps
                .iter()
                .any(|step| step.kind == StepKind::MfaPoll && step.result == StepResult::Pending);
            if !waited && (!waits || case.spares(true)) {
                continue;
            }
            let Some(refs) = deciding_refs(attempt) else { continue };
            let summary = Text::of("the page waited as long as it does, and no answer came");
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence: Confidence::Medium, ..finding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn polls_until_the_time_is_used_up() {
        let mut capture = Capture::new();
        capture.challenge();
        for _ in 0..13 {
            capture.wait(10);
            capture.poll("AuthenticationPending", true);
        }
        let found = capture.found("MFA006");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "error", "medium"));
    }
}
