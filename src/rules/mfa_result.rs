//! MFA002: the challenge ended with a result that is not success.

use super::{Case, Meta, Rule, about_attempt, deciding_refs, failed_result, is_decided_by_result};
use crate::entra::{self, ResultClass, ResultRow};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Severity, Text};
use crate::signin::{Outcome, SignInAttempt, StepKind, StepResult};

rule! {
    /// ## What it finds
    /// The final result of the MFA challenge as the service gave it, for example
    /// `PhoneAppDenied`, with what it means and what to do. A value that is in no list is named
    /// as it came.
    ///
    /// ## Why it breaks sign-in
    /// The challenge was not passed, so the service gives no token. The HTTP status of such an
    /// answer is 200; the result stands only in its contents.
    ///
    /// ## Evidence it needs
    /// A final answer of the MFA calls, or a refused phone sign-in. Confidence is high where the
    /// value is publicly documented and leaves no other reading; no answer in time is at most
    /// medium, because the way to the phone is in no capture. It is a warning where another thing
    /// decided in the end.
    ///
    /// ## What looks like it
    /// `AuthenticationPending` and its like, which only wait; `Success` on the first call, which
    /// only says that the challenge was started; a first try that failed and was followed by one
    /// that passed.
    ///
    /// ## What to do
    /// Each result has its own advice, and names what it can be confused with. The log of the
    /// service has the same result under 500121 in the authentication details.
    ///
    /// ## References
    /// Microsoft Graph and Microsoft documents on authentication details; `results.tsv` of this
    /// program names the source of each value.
    pub(crate) struct MfaResult {
        id: "MFA002", name: "mfa-result", family: Mfa, severity: Error,
        side: None, guide: None,
        advice: "Follow the advice for this result and compare it with the authentication details in the sign-in log.",
    }
}

impl Rule for MfaResult {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let Some(value) = failed_result(attempt) else {
                // A try that failed and was followed by one that passed is no result.
                let earlier = failed_steps(attempt).filter(|_| !case.spares(true));
                if let Some(refs) = earlier {
                    let summary = Text::of("one try of the challenge failed");
                    out.push(about_attempt(self.meta(), (index, attempt), refs, summary));
                }
                if let Some(finding) = refused_on_phone(self, (index, attempt)) {
                    out.push(finding);
                }
                continue;
            };
            let decided = is_decided_by_result(attempt);
            let refs = if decided { deciding_refs(attempt) } else { None };
            let Some(refs) = refs.or_else(|| failed_steps(attempt)) else { continue };
            let row = entra::result(value);
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary(value, row));
            let severity =
                if decided { finding.severity } else { finding.severity.min(Severity::Warning) };
            let confidence = confidence(row);
            out.push(Finding { severity, confidence, advice: row.map(advice), ..finding });
        }
    }
}

fn summary(value: &str, row: Option<&ResultRow>) -> Text {
    let text = Text::of("the challenge ended with ").with(Piece::Captured(value.to_owned()));
    match row {
        Some(row) => text.with(": ").with(Piece::Literal(row.meaning.trim_end_matches('.'))),
        None => text.with(", a result that is not known"),
    }
}

fn advice(row: &ResultRow) -> Text {
    let text = Text::default().with(Piece::Literal(row.next_step));
    if row.alike.is_empty() {
        return text;
    }
    text.with(" What looks alike: ").with(Piece::Literal(row.alike))
}

fn confidence(row: Option<&ResultRow>) -> Confidence {
    let Some(row) = row else { return Confidence::Medium };
    let open = row.outcome.is_none_or(|outcome| outcome == Outcome::MfaNoAnswer)
        || row.class == ResultClass::Generic;
    if open || !row.is_verified() { Confidence::Medium } else { Confidence::High }
}

/// Steps of the challenge that failed.
fn failed_steps(attempt: &SignInAttempt) -> Option<Refs> {
    let failed = attempt.steps.iter().filter(|step| {
        matches!(step.kind, StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaPoll)
            && step.result == StepResult::Failed
    });
    Refs::all(failed.flat_map(|step| step.refs.iter().copied()))
}

/// A phone as first factor has no result value.
fn refused_on_phone(rule: &MfaResult, attempt: (usize, &SignInAttempt)) -> Option<Finding> {
    let denied = attempt.1.outcome == Outcome::MfaDenied && attempt.1.deciding_code.is_none();
    let refs = deciding_refs(attempt.1).filter(|_| denied)?;
    let summary = Text::of("the request on the phone was refused");
    Some(about_attempt(rule.meta(), attempt, refs, summary))
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_refusal_is_explained_with_its_own_advice() {
        let mut capture = Capture::new();
        capture.challenge();
        capture.poll("PhoneAppDenied", false);
        let found = capture.found("MFA002");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "error", "high"));
        assert!(found[0].summary.starts_with("the challenge ended with PhoneAppDenied: "));
        assert!(found[0].advice.as_ref().unwrap().contains("looks alike"));
    }

    #[test]
    fn what_the_phone_did_is_never_certain() {
        let mut capture = Capture::new();
        capture.challenge();
        capture.poll("PhoneAppNoResponse", false);
        assert_eq!(capture.found("MFA002")[0].confidence, "medium");
        assert!(capture.found("MFA006").is_empty());
    }

    #[test]
    fn an_unknown_result_is_named_as_it_is() {
        let mut capture = Capture::new();
        capture.challenge();
        capture.poll("CarrierPigeonLost", false);
        let found = capture.found("MFA002");
        assert_eq!(
            found[0].summary,
            "the challenge ended with CarrierPigeonLost, a result that is not known"
        );
    }

    #[test]
    fn waiting_is_no_result() {
        let mut capture = Capture::new();
        capture.challenge();
        capture.poll("AuthenticationPending", true);
        assert!(capture.found("MFA002").is_empty());
    }
}
