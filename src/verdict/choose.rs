//! Which attempt the verdict follows.

use crate::evidence::Unseen;
use crate::signin::{Outcome, SignIn, SignInAttempt};
use crate::time::Timestamp;

/// Which attempt the verdict is to follow, where the usual choice is not wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only attempts of this user.
    pub user: Option<String>,
    /// This attempt, by its number.
    pub attempt: Option<u32>,
    /// Only attempts that were alive at or after this time.
    pub since: Option<Timestamp>,
    /// Only attempts that were alive at or before this time.
    pub until: Option<Timestamp>,
}

impl Selection {
    /// Whether it leaves this attempt to choose from.
    pub fn allows(&self, attempt: &SignInAttempt) -> bool {
        let user = self
            .user
            .as_deref()
            .is_none_or(|user| attempt.user.as_ref().is_some_and(|known| known.is(user)));
        let since = self.since.is_none_or(|since| attempt.last.is_none_or(|last| last >= since));
        let until = self.until.is_none_or(|until| attempt.first.is_none_or(|first| first <= until));
        user && since && until && self.attempt.is_none_or(|number| attempt.id.0 == number)
    }
}

/// Whether the attempt ended with the user signed in.
pub(super) const fn is_success(attempt: &SignInAttempt) -> bool {
    matches!(attempt.outcome, Outcome::CompletedWithoutMfa | Outcome::MfaCompleted)
}

/// Whether a user was at a page of the service, and what the service said is not in the capture.
fn is_unsaid(attempt: &SignInAttempt) -> bool {
    attempt.unseen.contains(&Unseen::BodiesMissing) && !attempt.flow.is_without_prompt()
}

/// The attempt that counts: the last failed one that no later one made unimportant; failing that, one
/// that MFA was asked in and whose end is not seen; failing that, the last success.
pub(super) fn choose<'a>(signin: &'a SignIn, selection: &Selection) -> Option<&'a SignInAttempt> {
    let mut allowed: Vec<&SignInAttempt> =
        signin.attempts.iter().filter(|attempt| selection.allows(attempt)).collect();
    // Attempts of several inputs may begin at the same time: their order must not be that of the inputs.
    allowed.sort_by_key(|attempt| (attempt.first, attempt.last));
    if selection.attempt.is_some() {
        return allowed.first().copied();
    }
    let standing = || allowed.iter().copied().filter(|attempt| attempt.overridden_by.is_none());
    let any_success = standing().any(is_success);
    let last_success = standing().filter(|attempt| is_success(attempt)).map(|one| one.first).max();
    // A silent look for a session that finds none is how every first visit begins.
    let failed = |looks: bool| {
        standing().rfind(|attempt| {
            let unclear = attempt.outcome == Outcome::Undetermined;
            !is_success(attempt)
                && !unclear
                && (attempt.is_look || attempt.is_other_program) == looks
        })
    };
    let unclear = || {
        standing().rfind(|attempt| {
            let after = last_success.is_none_or(|last| attempt.first > last);
            // What one user got through to says nothing of another one who was stopped.
            let alone = attempt.user.is_some()
                && !standing().any(|one| is_success(one) && one.user == attempt.user);
            attempt.outcome == Outcome::Undetermined
                && (attempt.was_asked()
                    || !any_success
                    || alone && attempt.blockage.is_some()
                    || after && (attempt.blockage.is_some() || is_unsaid(attempt)))
        })
    };
    let success = || standing().rfind(|attempt| is_success(attempt));
    failed(false)
        .or_else(unclear)
        .or_else(success)
        .or_else(|| failed(true))
        .or_else(|| allowed.iter().copied().rfind(|attempt| is_success(attempt)))
        .or_else(|| allowed.last().copied())
}
