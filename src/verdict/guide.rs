//! Answers the five causes of the troubleshooting guide.

use super::decide::GUIDE;
use super::{CauseAnswer, GuideAnswer};
use crate::finding::{Piece, Text};
use crate::signin::{GuideCause, MfaState, Outcome, Side, SignInAttempt};

/// One answer for each cause, in the order of the guide.
pub(super) fn answers(attempt: Option<&SignInAttempt>) -> [CauseAnswer; 5] {
    GUIDE.map(|cause| {
        let (answer, text) = match attempt {
            Some(attempt) => answer(cause, attempt),
            None => (GuideAnswer::NotVisible, Text::of("no sign-in can be read in this capture")),
        };
        CauseAnswer { cause, answer, text, next: Text::of(next(cause, answer)) }
    })
}

/// Whether the user's device or app answered the challenge, so that it works.
fn answered_by_user(attempt: &SignInAttempt) -> bool {
    attempt.mfa == MfaState::Passed
        || matches!(attempt.outcome, Outcome::MfaDenied | Outcome::MfaWrongCode)
            && attempt.supports.is_empty()
            && attempt.result_value.as_deref() != Some("AuthenticationMethodFailed")
}

fn answer(cause: GuideCause, attempt: &SignInAttempt) -> (GuideAnswer, Text) {
    use GuideAnswer::{Contradicted, NotVisible, Supported};
    let told = || match (&attempt.result_value, attempt.deciding_code) {
        (_, Some(code)) => Text::of("the service answered ").with(Piece::Code(code)),
        (Some(value), None) => {
            Text::of("the MFA endpoint answered ").with(Piece::Captured(value.clone()))
        }
        (None, None) => Text::of("the pages and answers of the service say so"),
    };
    if attempt.supports.contains(&cause) && attempt.side != Side::Network {
        return (Supported, told());
    }
    match cause {
        GuideCause::NotRegistered => {
            if attempt.outcome == Outcome::RegistrationRequired {
                (Supported, Text::of("the user was sent to register a method"))
            } else if !attempt.methods.is_empty() {
                let text = Text::of("the MFA page offered registered methods: ")
                    .with(Piece::Captured(attempt.methods.join(", ")));
                (Contradicted, text)
            } else if matches!(attempt.mfa, MfaState::Begun | MfaState::Passed) {
                (Contradicted, Text::of("a registered method was begun"))
            } else {
                (NotVisible, Text::of("the page with the user's methods is not in the capture"))
            }
        }
        GuideCause::ExpiredMethod => {
            if answered_by_user(attempt) {
                (Contradicted, Text::of("the method was used in this sign-in"))
            } else {
                (NotVisible, Text::of("nothing in the capture says how old the method is"))
            }
        }
        GuideCause::Network => network(attempt),
        GuideCause::OutdatedDevice => {
            if answered_by_user(attempt) {
                (Contradicted, Text::of("the device answered in this sign-in"))
            } else {
                (
                    NotVisible,
                    Text::of("a capture of the computer does not show the phone or its app"),
                )
            }
        }
        GuideCause::SecurityPolicy => {
            if attempt.side == Side::Policy && attempt.outcome != Outcome::OtherError {
                (Supported, told())
            } else if !attempt.policy_ids.is_empty() {
                let text =
                    Text::of("Conditional Access policies asked for MFA; ids in the answer: ")
                        .with(u64::try_from(attempt.policy_ids.len()).unwrap_or(u64::MAX));
                (Supported, text)
            } else if matches!(
                attempt.outcome,
                Outcome::MfaCompleted | Outcome::CompletedWithoutMfa
            ) {
                (Contradicted, Text::of("the sign-in was completed; no policy refused it"))
            } else {
                (NotVisible, Text::of("which policy asked for MFA is in the sign-in log only"))
            }
        }
    }
}

fn network(attempt: &SignInAttempt) -> (GuideAnswer, Text) {
    use GuideAnswer::{Contradicted, NotVisible, Supported};
    if attempt.side == Side::Network {
        return (Supported, Text::of("traffic that the sign-in needed failed"));
    }
    match attempt.outcome {
        Outcome::MfaNoAnswer => (
            NotVisible,
            Text::of(
                "the computer reached the service; whether the phone did is not in the capture",
            ),
        ),
        Outcome::Undetermined
        | Outcome::Unreadable
        | Outcome::NoSignIn
        | Outcome::MfaNotAttempted
        | Outcome::PreventedByClient => {
            (NotVisible, Text::of("the capture does not show the step that failed"))
        }
        _ => (
            Contradicted,
            Text::of("the service's answers reached the client up to the step that decided"),
        ),
    }
}

/// What to do next about a cause.
const fn next(cause: GuideCause, answer: GuideAnswer) -> &'static str {
    match (cause, answer) {
        (_, GuideAnswer::Contradicted) => "Nothing to do for this sign-in.",
        (GuideCause::NotRegistered, GuideAnswer::Supported) => {
            "Let the user register a method at https://aka.ms/mfasetup, then sign in again."
        }
        (GuideCause::NotRegistered, GuideAnswer::NotVisible) => {
            "Look at the user's authentication methods in the Entra admin centre."
        }
        (GuideCause::ExpiredMethod, GuideAnswer::Supported) => {
            "Remove the method, let the user register it again, then sign in again."
        }
        (GuideCause::ExpiredMethod, GuideAnswer::NotVisible) => {
            "Compare the registered phone number and app with what the user holds today."
        }
        (GuideCause::Network, GuideAnswer::Supported) => {
            "Pass the network findings to the team that runs the proxy, filter or firewall."
        }
        (GuideCause::Network, GuideAnswer::NotVisible) => {
            "Try another network for the computer, and another one for the phone."
        }
        (GuideCause::OutdatedDevice, GuideAnswer::Supported) => {
            "Update or reinstall Microsoft Authenticator on the phone, then sign in again."
        }
        (GuideCause::OutdatedDevice, GuideAnswer::NotVisible) => {
            "Check the version of Microsoft Authenticator and of the phone's system."
        }
        (GuideCause::SecurityPolicy, GuideAnswer::Supported) => {
            "Open the sign-in in the log and read its Conditional Access tab."
        }
        (GuideCause::SecurityPolicy, GuideAnswer::NotVisible) => {
            "Find the sign-in by its correlation id and read which policies applied."
        }
    }
}
