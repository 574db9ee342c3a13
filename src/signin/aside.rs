//! Which attempts step aside for others of the same case.
//!
//! A success makes the failures of the same user, application and resource unimportant, an interactive
//! sign-in the silent one that called for it or went on beside it, and a second try that got through or
//! further the one that did not. It
//! must not look at the evidence: attempts say enough.
//!
//! Invariant: attempts of different users, applications or computers never make each other step aside.

use std::time::Duration;

use super::machines::may_be_one;
use super::{Flow, MfaState, Outcome, Side, SignInAttempt, Step, StepResult};
use crate::evidence::HostName;

/// How soon a sign-in that came to nothing is tried again.
const AGAIN: Duration = Duration::from_mins(10);

/// Attempts that a later success of the same user, application and resource made unimportant, and
/// silent ones that an interactive one followed or went on around, step aside.
pub(super) fn override_attempts(attempts: &mut [SignInAttempt]) {
    let facts: Vec<_> = attempts
        .iter()
        .map(|one| {
            let success =
                matches!(one.outcome, Outcome::MfaCompleted | Outcome::CompletedWithoutMfa);
            (one.id, one.flow.is_without_prompt(), success, one.first)
        })
        .collect();
    let copies: Vec<SignInAttempt> = attempts.to_vec();
    for (index, one) in attempts.iter_mut().enumerate() {
        let done = matches!(one.outcome, Outcome::MfaCompleted | Outcome::CompletedWithoutMfa);
        if done {
            continue;
        }
        // A grant that is no good any more is what a prompt is for.
        let spent = one.outcome == Outcome::OtherError
            && one.side == Side::Application
            && matches!(one.flow, Flow::Broker | Flow::Refresh | Flow::Silent);
        let silent = one.outcome == Outcome::InteractionRequired || one.is_look || spent;
        for (later, (id, later_silent, success, _)) in facts.iter().enumerate() {
            let Some(other) = copies.get(later).filter(|_| later != index) else { continue };
            let (success, beside) = (*success || is_past_mfa(one, other), is_beside(one, other));
            // A tab that was opened later may have been left before the other one got through.
            if later < index && !beside && (other.last < one.last || !success) {
                continue;
            }
            // Whoever signed in with a device code did so elsewhere, and is not named here.
            let nameless = other.flow == Flow::DeviceCode && one.user != other.user;
            if nameless || !is_same_case(one, other) {
                continue;
            }
            let interactive = silent && !later_silent;
            let further = later > index && is_further(one, other);
            if success || interactive || beside || further || is_reached_again(one, other) {
                one.overridden_by = Some(*id);
                break;
            }
        }
    }
}

/// Whether MFA is passed in the other attempt and not in this one, and the capture ends before the end of it.
fn is_past_mfa(one: &SignInAttempt, other: &SignInAttempt) -> bool {
    let passed = |attempt: &SignInAttempt| attempt.mfa == MfaState::Passed;
    other.outcome == Outcome::Undetermined && passed(other) && !passed(one)
}

/// Whether this is a hidden frame that came and went while the user was at a page of the other attempt.
fn is_beside(one: &SignInAttempt, other: &SignInAttempt) -> bool {
    let times = one.first.zip(one.last).zip(other.first.zip(other.last));
    one.flow == Flow::Silent
        && !other.flow.is_without_prompt()
        && times.is_some_and(|((first, last), (begun, end))| begun < first && last < end)
}

/// Whether a challenge that was let stand in one window was begun in the next.
fn is_further(one: &SignInAttempt, other: &SignInAttempt) -> bool {
    one.outcome == Outcome::MfaNotAttempted
        && matches!(other.mfa, MfaState::Begun | MfaState::Failed | MfaState::Passed)
}

/// Whether an attempt that came to nothing at a host was made again soon, and got through to that host.
fn is_reached_again(one: &SignInAttempt, again: &SignInAttempt) -> bool {
    let Some(blockage) = one.blockage.as_ref() else { return false };
    let soon = one
        .last
        .zip(again.first)
        .is_some_and(|(end, begun)| begun >= end && begun.since(end) <= AGAIN);
    let answered = |step: &Step| {
        let read =
            matches!(step.result, StepResult::Interrupt | StepResult::Ok | StepResult::Pending);
        read || step.is_answered && step.result == StepResult::Unknown
    };
    let reached = |host: &HostName| {
        again
            .steps
            .iter()
            .any(|step| step.host == *host && step.kind == blockage.step && answered(step))
    };
    one.outcome == Outcome::SignInPreventedByNetwork
        && one.application == again.application
        && soon
        && !one.steps.iter().any(answered)
        && blockage.hosts.iter().all(reached)
}

/// Whether two attempts are for the same user, application and resource, as far as they say.
///
/// An application without an id is known by the host that awaits its answer.
fn is_same_case(one: &SignInAttempt, other: &SignInAttempt) -> bool {
    fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.is_none() || other.is_none() || one == other
    }
    let application = match (&one.application, &other.application) {
        (Some(one), Some(other)) => one == other,
        // The capture begins after the request that names the application.
        (Some(_), None) if is_beside(one, other) => {
            agree(one.return_host.as_ref(), other.return_host.as_ref())
        }
        (None, None) => agree(one.return_host.as_ref(), other.return_host.as_ref()),
        _ => one.return_host.is_some() && one.return_host == other.return_host,
    };
    let own_name = |attempt: &SignInAttempt| attempt.flow == Flow::ClientCredentials;
    application
        && own_name(one) == own_name(other)
        && may_be_one(one.client, other.client)
        && agree(one.user.as_ref(), other.user.as_ref())
        && agree(one.resource.as_ref(), other.resource.as_ref())
}
