//! MFA001: the MFA page was shown and no method was begun.

use super::{Case, Meta, Rule, about_attempt, deciding_refs, unless_doubted, until_proven};
use crate::entra::{self, Side};
use crate::finding::{Finding, Findings, Piece, Text};
use crate::signin::{MfaState, Outcome, TrafficKind};

rule! {
    /// ## What it finds
    /// The MFA page came, and in a stretch of time that the capture is known to have recorded no
    /// method was begun.
    ///
    /// ## Why it breaks sign-in
    /// The challenge stays open and the sign-in never ends. The service logs only 50074, because
    /// nobody answered the question.
    ///
    /// ## Evidence it needs
    /// The MFA page, and no call to begin a method until the client went on to something else or
    /// was seen for thirty seconds more. Confidence is medium where something speaks against it,
    /// such as a script that is not in the capture.
    ///
    /// ## What looks like it
    /// A capture that ends too early; a page whose script was blocked and that stayed blank;
    /// methods in which the code is typed and nothing needs to be begun.
    ///
    /// ## What to do
    /// Ask the user for a picture of the page. A list of methods waits for a choice; a blank page
    /// points to the script hosts; a method that the user no longer has must be replaced in the
    /// security info.
    ///
    /// ## References
    /// Captured MFA pages in Versent/saml2aws (`arrUserProofs`); Microsoft: troubleshooting
    /// AADSTS50074.
    pub(crate) struct MfaNotBegun {
        id: "MFA001", name: "mfa-not-begun", family: Mfa, severity: Error,
        side: Some(Side::User), guide: None,
        advice: "Ask the user what the page showed and let them choose a method; if the page was blank, look for its script.",
    }
}

impl Rule for MfaNotBegun {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            // That no method was begun counts only where the capture would have shown it.
            let asked = attempt.mfa == MfaState::Asked;
            if attempt.outcome != Outcome::MfaNotAttempted && (!asked || case.spares(true)) {
                continue;
            }
            let Some(refs) = deciding_refs(attempt) else { continue };
            let mut summary = Text::of("the MFA page was shown, and no method was begun");
            for (position, id) in attempt.methods.iter().enumerate() {
                let name = match entra::method(id) {
                    Some(row) => Piece::Literal(row.name),
                    None => Piece::Captured(id.clone()),
                };
                summary = summary.with(if position == 0 { "; offered: " } else { ", " }).with(name);
            }
            let summary = until_proven(summary, attempt, TrafficKind::Begin);
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence: unless_doubted(attempt), ..finding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_page_that_nobody_answers() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page("POST", "/common/login", MFA_PAGE);
        capture.wait(60);
        capture.get("https://browser.events.data.microsoft.com/x", 200);
        let found = capture.found("MFA001");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(found[0].summary.contains("offered: "), "{}", found[0].summary);
    }
}
