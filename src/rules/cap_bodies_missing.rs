//! CAP001: contents of answers are missing.

use super::{Case, Meta, Rule, count, deciding_refs};
use crate::evidence::{Body, EvidenceRef, InputId, Unseen};
use crate::finding::{Confidence, Finding, Findings, Refs, Severity, Text};
use crate::signin::{Outcome, SignInAttempt};

rule! {
    /// ## What it finds
    /// The capture says that answers of sign-in hosts had contents and does not hold them.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. The reason of a sign-in, and what became of an MFA challenge, stand in
    /// these contents: without them it can only be seen that there was an answer.
    ///
    /// ## Evidence it needs
    /// The count of missing contents that the reader keeps, and the exchanges that lack theirs.
    /// It is a warning where the outcome of an attempt could not be told because of it, otherwise
    /// information.
    ///
    /// ## What looks like it
    /// Redirects and answers without contents (204) have none to miss; scripts and pictures are
    /// not read anyway.
    ///
    /// ## What to do
    /// In Chrome or Edge open the tools before the sign-in, switch on "Preserve log", and export
    /// the HAR with content soon afterwards, because the browser throws old contents away.
    ///
    /// ## References
    /// HAR 1.2 (`content.text`); Chrome DevTools reference for the network panel.
    pub(crate) struct CapBodiesMissing {
        id: "CAP001", name: "cap-bodies-missing", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Capture again with contents saved: in the browser keep the tools open and export with content, in Fiddler save the whole sessions.",
    }
}

impl Rule for CapBodiesMissing {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for coverage in &case.evidence.coverage.inputs {
            let hurt = case.attempts().find(|(_, attempt)| is_hurt(attempt, coverage.input));
            if coverage.bodies_missing == 0 && hurt.is_none() {
                continue;
            }
            let decided = hurt.and_then(|(_, attempt)| deciding_refs(attempt));
            let places = decided.iter().flat_map(Refs::iter).chain(missing(case, coverage.input));
            let Some(refs) = Refs::all(places) else { continue };
            let number = refs.iter().count();
            let counts = !case.spares(hurt.is_none_or(|(index, _)| case.is_overridden(index)));
            out.push(Finding {
                meta: self.meta(),
                severity: if counts { self.meta().severity } else { Severity::Info },
                confidence: Confidence::High,
                host: None,
                summary: Text::of("the contents of ")
                    .with(count(number))
                    .with(if number == 1 { " answer" } else { " answers" })
                    .with(" of sign-in hosts are not in the capture"),
                advice: None,
                refs,
                attempt: hurt.map(|(index, _)| index),
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Whether missing contents of this input left the attempt without an outcome.
fn is_hurt(attempt: &SignInAttempt, input: InputId) -> bool {
    attempt.outcome == Outcome::Undetermined
        && attempt.unseen.contains(&Unseen::BodiesMissing)
        && attempt.decided_by.iter().any(|at| at.input == input)
}

/// The exchanges of an input that lack the contents of their answers.
fn missing<'a>(case: &Case<'a>, input: InputId) -> impl Iterator<Item = EvidenceRef> + use<'a> {
    case.evidence
        .exchanges
        .iter()
        .filter(move |exchange| {
            exchange.at.input == input
                && exchange.in_scope
                && exchange.response.as_ref().is_ok_and(|response| {
                    !(300..400).contains(&response.status)
                        && matches!(response.body, Body::Missing(_))
                })
        })
        .map(|exchange| exchange.at)
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn it_is_a_warning_only_where_an_outcome_is_lost() {
        let mut capture = Capture::new();
        capture.healthy();
        assert!(capture.found("CAP001").is_empty());
        capture.without_body("GET", "/common/oauth2/v2.0/authorize");
        let found = capture.found("CAP001");
        assert_eq!(found.len(), 1);
        let mut capture = Capture::new();
        capture.without_body("POST", "/common/login");
        let found = capture.found("CAP001");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
    }
}
