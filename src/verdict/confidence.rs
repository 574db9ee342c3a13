//! How sure a verdict may be.

use crate::evidence::Evidence;
use crate::finding::{Confidence, Finding};
use crate::signin::{Outcome, Side, SignInAttempt};

/// The confidence that an outcome may have at most, by its nature.
const fn ceiling(outcome: Outcome) -> Confidence {
    match outcome {
        Outcome::MfaAbandoned | Outcome::MfaNoAnswer | Outcome::MfaNotAttempted => {
            Confidence::Medium
        }
        Outcome::Undetermined => Confidence::Low,
        _ => Confidence::High,
    }
}

/// How sure the verdict about an attempt may be.
pub(super) fn confidence(
    evidence: &Evidence,
    attempt: &SignInAttempt,
    cause: Option<&Finding>,
    doubted: bool,
) -> Confidence {
    let mut confidence = ceiling(attempt.outcome);
    // A clear sign that the page was left makes the leaving itself sure.
    if attempt.outcome == Outcome::MfaAbandoned && attempt.decided_by.len() > 1 {
        confidence = Confidence::Medium;
    }
    if let Some(cause) = cause.filter(|_| attempt.side == Side::Network) {
        confidence = confidence.min(cause.confidence);
    }
    let ambiguous = attempt.result_value.as_deref() == Some("AuthenticationMethodFailed");
    if attempt.outcome == Outcome::MfaDenied && ambiguous {
        confidence = confidence.min(Confidence::Medium);
    }
    if doubted || !attempt.doubts.is_empty() || !attempt.unseen.is_empty() {
        confidence = confidence.min(Confidence::Medium);
    }
    let damaged = evidence
        .coverage
        .inputs
        .iter()
        .any(|coverage| coverage.truncated || coverage.records_lost > 0);
    if damaged {
        confidence = confidence.min(Confidence::Medium);
    }
    confidence
}
