//! MFA007: traffic that must follow the MFA page is missing.

use super::{Case, Meta, Rule, about_attempt, is_success, until_proven};
use crate::entra::{GuideCause, Side};
use crate::finding::{Confidence, Finding, Findings, Refs, Text};
use crate::signin::{Expected, MfaState, Outcome, SignInAttempt, Traffic, TrafficKind};

rule! {
    /// ## What it finds
    /// The MFA page came, and of the requests that must follow it in the flow of the method one
    /// failed or is missing: the script of the page, the call that begins the method, the polls or
    /// the code, the way to a passkey page or external provider and back, the hand-over of the
    /// result.
    ///
    /// ## Why it breaks sign-in
    /// Each of them needs the one before. A page without its script is blank; a method that is not
    /// begun sends no prompt; a method that is not polled is answered in vain; a result that is not
    /// handed over is forgotten.
    ///
    /// ## Evidence it needs
    /// A failed request, or a stretch of thirty seconds in which the capture is known to have
    /// recorded and shows none. Without that proof nothing is said. A script may have come out of a
    /// cache and is never called missing for want of a request.
    ///
    /// ## What looks like it
    /// A method whose code is typed, where no poll is due; a capture that ends at this place; a
    /// user who did not choose a method (MFA001) or left the page (MFA003); a request that failed
    /// once and was repeated.
    ///
    /// ## What to do
    /// Look at the first missing request. Where it failed, the network finding beside this one says
    /// why. Where it was never sent, the page in the browser stood still: try another browser
    /// without extensions, and keep the console of the developer tools.
    ///
    /// ## References
    /// Captured MFA pages and calls in Versent/saml2aws; Gerenios/AADInternals; Microsoft: how to
    /// use Fiddler trace logs for MFA.
    pub(crate) struct MfaTrafficMissing {
        id: "MFA007", name: "mfa-traffic-missing", family: Mfa, severity: Error,
        side: Some(Side::User), guide: Some(GuideCause::Network),
        advice: "Follow the first missing request: the capture names the host it should have gone to and the place after which it is missing.",
    }
}

impl Rule for MfaTrafficMissing {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let Some((expected, sure)) = first_missing(case, attempt) else { continue };
            let Some(refs) = Refs::all(expected.refs.iter().copied()) else { continue };
            let text = Text::of("of what must follow the MFA page, ")
                .with(expected.kind.words())
                .with(match expected.traffic {
                    Traffic::Failed => " failed",
                    _ => " never came",
                });
            let text = match &expected.host {
                Some(host) if expected.traffic == Traffic::Failed => {
                    text.with(" (").with(host).with(")")
                }
                _ => text,
            };
            let text = until_proven(text, attempt, expected.kind);
            let finding = about_attempt(self.meta(), (index, attempt), refs, text);
            out.push(Finding { confidence: sure, ..finding });
        }
    }
}

/// Whether a method that is polled was begun and not asked about once.
pub(super) fn is_never_polled(attempt: &SignInAttempt) -> bool {
    attempt.mfa == MfaState::Begun
        && attempt
            .expected
            .iter()
            .any(|one| one.kind == TrafficKind::Poll && matches!(one.traffic, Traffic::Absent(_)))
}

/// The first request of the chain that is missing where no other rule tells of it.
fn first_missing<'a>(
    case: &Case<'_>,
    attempt: &'a SignInAttempt,
) -> Option<(&'a Expected, Confidence)> {
    // A code that the user types is waited for without any poll.
    let typed = attempt.expected.iter().find(|one| one.kind == TrafficKind::Code);
    if let Some(one) = typed.filter(|_| !case.spares(true)) {
        return Some((one, Confidence::Medium));
    }
    let chain = || attempt.expected.iter().filter(|one| one.kind.is_of_challenge());
    let first = chain().find(|one| one.traffic != Traffic::Seen)?;
    let stopped = matches!(
        attempt.outcome,
        Outcome::MfaPreventedByNetwork | Outcome::PreventedByClient | Outcome::Undetermined
    );
    match first.traffic {
        // Without a failure the script is not missing; the chain behind it may be.
        Traffic::Unknown(_) if first.kind == TrafficKind::Script => {
            let next = chain().skip(1).find(|one| one.traffic != Traffic::Seen)?;
            told(case, attempt, next)
        }
        Traffic::Failed => (stopped || !case.spares(true)).then_some((first, Confidence::High)),
        _ => told(case, attempt, first),
    }
}

fn told<'a>(
    case: &Case<'_>,
    attempt: &SignInAttempt,
    one: &'a Expected,
) -> Option<(&'a Expected, Confidence)> {
    let absent = matches!(one.traffic, Traffic::Absent(_));
    let polled = one.kind == TrafficKind::Poll && is_never_polled(attempt);
    let handed = one.kind == TrafficKind::Finish && attempt.mfa == MfaState::Passed;
    let own = absent && (polled || handed) && !is_success(attempt);
    // Methods without polls, and captures that end here, lack the same request for good reason.
    (own || !case.spares(true)).then_some((one, Confidence::Medium))
}
