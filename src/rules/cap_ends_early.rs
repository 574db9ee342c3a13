//! CAP003: the capture ends before the sign-in does.

use std::time::Duration;

use super::{Case, Meta, Rule, about_attempt, deciding_refs};
use crate::evidence::{Absence, Unseen};
use crate::finding::{Confidence, Finding, Findings, Text};
use crate::signin::Outcome;

/// How long the capture must go on after an attempt for its end not to be the reason.
const GOES_ON: Duration = Duration::from_secs(30);

rule! {
    /// ## What it finds
    /// An attempt has no end in the capture: what would have come next is not there, and the
    /// capture does not go on long enough to say that it never came.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. It leaves open whether the user answered, because the answer would have
    /// come later.
    ///
    /// ## Evidence it needs
    /// An attempt without an outcome whose next step would lie behind the end of the capture.
    /// Confidence is medium where the capture goes on but the steps of this attempt do not.
    ///
    /// ## What looks like it
    /// A user who left the page: then the capture goes on, and MFA003 speaks, or MFA001 where no
    /// method was begun. In packets a connection that was still open at the end says nothing of the
    /// kind.
    ///
    /// ## What to do
    /// Start the capture before the application is opened, sign in, wait until there is a result
    /// or an error, wait two minutes more, then stop.
    ///
    /// ## References
    /// Microsoft: collect a HAR trace of a sign-in; the poll window of the MFA page
    /// (`iPollingTimeout`).
    pub(crate) struct CapEndsEarly {
        id: "CAP003", name: "cap-ends-early", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture again and stop only when the result is on the screen, for MFA at least two minutes after the prompt.",
    }
}

impl Rule for CapEndsEarly {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let ended = attempt.unseen.contains(&Unseen::CaptureEnded);
            // Where the capture goes on long enough, the silence is the user's.
            let open = matches!(
                attempt.outcome,
                Outcome::MfaAbandoned | Outcome::MfaNoAnswer | Outcome::MfaNotAttempted
            );
            if !ended && (!open || case.spares(true)) {
                continue;
            }
            let Some(refs) = deciding_refs(attempt) else { continue };
            let goes_on = attempt.last.is_some_and(|last| {
                matches!(case.absent(refs.first().input, last, GOES_ON), Absence::Proven(_))
            });
            let (words, confidence) = if goes_on {
                ("the next step of the sign-in is not in the capture", Confidence::Medium)
            } else {
                ("the capture ends before the sign-in has an outcome", Confidence::High)
            };
            let finding = about_attempt(self.meta(), (index, attempt), refs, Text::of(words));
            out.push(Finding { confidence, ..finding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn an_open_challenge_at_the_end_of_the_capture() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page("POST", "/common/login", MFA_PAGE);
        let found = capture.found("CAP003");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "warning", "high"));
    }
}
