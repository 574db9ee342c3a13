//! Answers the five causes of the troubleshooting guide.
//!
//! Each answer names the fact it rests on and where that stands. What a capture of a computer can
//! never show, such as the phone's own way to the service, is `not_visible`, however likely it is.
//!
//! Invariant: a cause is supported or contradicted by something that is in the capture.

use super::decide::GUIDE;
use super::{CauseAnswer, GuideAnswer};
use crate::evidence::Evidence;
use crate::finding::{Piece, Refs, Text};
use crate::signin::{GuideCause, MfaState, Outcome, Side, SignInAttempt, StepKind, StepResult};

/// One answer for each cause, in the order of the guide.
pub(super) fn answers(evidence: &Evidence, attempt: Option<&SignInAttempt>) -> [CauseAnswer; 5] {
    GUIDE.map(|cause| {
        let said = match attempt {
            Some(attempt) => About { evidence, attempt }.answer(cause),
            None => not_visible("no sign-in can be read in this capture"),
        };
        let next = said.next.unwrap_or_else(|| next(cause, said.answer));
        CauseAnswer {
            cause,
            answer: said.answer,
            text: said.text,
            refs: said.refs,
            next: Text::of(next),
        }
    })
}

/// An answer and the fact it rests on.
struct Said {
    answer: GuideAnswer,
    text: Text,
    refs: Option<Refs>,
    /// What to do, where the fact asks for something else than is usual.
    next: Option<&'static str>,
}

impl Said {
    fn at(mut self, refs: Option<Refs>) -> Self {
        self.refs = refs;
        self
    }

    const fn then(mut self, next: &'static str) -> Self {
        self.next = Some(next);
        self
    }
}

const fn said(answer: GuideAnswer, text: Text) -> Said {
    Said { answer, text, refs: None, next: None }
}

fn supported(text: impl Into<Text>) -> Said {
    said(GuideAnswer::Supported, text.into())
}

fn contradicted(text: impl Into<Text>) -> Said {
    said(GuideAnswer::Contradicted, text.into())
}

fn not_visible(text: impl Into<Text>) -> Said {
    said(GuideAnswer::NotVisible, text.into())
}

impl From<&'static str> for Text {
    fn from(words: &'static str) -> Self {
        Self::of(words)
    }
}

/// Places that an answer cites at most.
const CITED: usize = 100;

/// An attempt and what it was read from.
#[derive(Clone, Copy)]
struct About<'a> {
    evidence: &'a Evidence,
    attempt: &'a SignInAttempt,
}

impl About<'_> {
    fn answer(self, cause: GuideCause) -> Said {
        let attempt = self.attempt;
        if attempt.supports.contains(&cause) && attempt.side != Side::Network {
            return supported(self.told()).at(self.decided());
        }
        match cause {
            GuideCause::NotRegistered => self.not_registered(),
            GuideCause::ExpiredMethod => self.expired_method(),
            GuideCause::Network => self.network(),
            GuideCause::OutdatedDevice => self.outdated_device(),
            GuideCause::SecurityPolicy => self.security_policy(),
        }
    }

    /// The code or value that decided, and what it means.
    fn told(self) -> Text {
        let attempt = self.attempt;
        let text = match (&attempt.result_value, attempt.deciding_code) {
            (_, Some(code)) => Text::of("the service answered ").with(Piece::Code(code)),
            (Some(value), None) => {
                Text::of("the MFA endpoint answered ").with(Piece::Captured(value.clone()))
            }
            (None, None) => return Text::of("the pages and answers of the service say so"),
        };
        match attempt.meaning {
            Some(meaning) => {
                text.with(": ").with(Piece::Own(meaning.trim_end_matches('.').to_owned()))
            }
            None => text,
        }
    }

    fn decided(self) -> Option<Refs> {
        Refs::all(self.attempt.decided_by.iter().copied().take(CITED))
    }

    /// The last step of one of these kinds that ended in one of these ways.
    fn last(self, kinds: &[StepKind], results: &[StepResult]) -> Option<Refs> {
        let step = self
            .attempt
            .steps
            .iter()
            .rfind(|step| kinds.contains(&step.kind) && results.contains(&step.result))?;
        Refs::all(step.refs.last().copied())
    }

    /// What the attempt needed and did not get.
    fn blocked(self) -> Option<Refs> {
        let blockage = self.attempt.blockage.as_ref()?;
        let at = |id| self.evidence.exchange(id).map(|exchange| exchange.at);
        Refs::all(blockage.exchanges.iter().filter_map(|id| at(*id)).take(CITED))
    }

    /// Whether the user's device or app answered the challenge, which shows that it works.
    fn is_answered_by_user(self) -> bool {
        let attempt = self.attempt;
        attempt.mfa == MfaState::Passed
            || matches!(attempt.outcome, Outcome::MfaDenied | Outcome::MfaWrongCode)
                && attempt.supports.is_empty()
                && attempt.result_value.as_deref() != Some("AuthenticationMethodFailed")
    }

    /// Where that answer stands.
    fn answer_of_user(self) -> Option<Refs> {
        if self.attempt.mfa != MfaState::Passed {
            return self.decided();
        }
        let kinds = [StepKind::MfaPoll, StepKind::MfaCode, StepKind::MfaFinish];
        self.last(&kinds, &[StepResult::Ok, StepResult::Failed, StepResult::Interrupt])
    }

    fn not_registered(self) -> Said {
        let attempt = self.attempt;
        let page = [StepKind::MfaPage];
        let shown = [StepResult::Interrupt, StepResult::Ok, StepResult::Failed];
        if attempt.outcome == Outcome::RegistrationRequired {
            return supported("the user was sent to register a method").at(self.decided());
        }
        if !attempt.methods.is_empty() {
            let text = Text::of("the MFA page offered registered methods: ")
                .with(Piece::Captured(attempt.methods.join(", ")));
            return contradicted(text).at(self.last(&page, &shown));
        }
        if matches!(attempt.mfa, MfaState::Begun | MfaState::Passed) {
            let kinds = [StepKind::MfaBegin, StepKind::MfaPoll, StepKind::MfaCode];
            let any = [
                StepResult::Ok,
                StepResult::Pending,
                StepResult::Failed,
                StepResult::Unknown,
                StepResult::NoResponse,
            ];
            return contradicted("a registered method was begun").at(self.last(&kinds, &any));
        }
        if attempt.mfa == MfaState::NotAsked {
            return not_visible("MFA was never asked for, so no page listed the user's methods");
        }
        not_visible("the page with the user's methods is not in the capture")
    }

    fn expired_method(self) -> Said {
        if self.is_answered_by_user() {
            return contradicted("the method was used in this sign-in").at(self.answer_of_user());
        }
        not_visible(
            "no answer says that a method or pass ran out, and none says how old the methods are",
        )
    }

    fn outdated_device(self) -> Said {
        let value = self.attempt.result_value.as_deref().unwrap_or_default();
        if value.starts_with("AppLock") {
            return supported(self.told()).at(self.decided());
        }
        if self.is_answered_by_user() {
            return contradicted("the device answered in this sign-in").at(self.answer_of_user());
        }
        if value == "PhoneAppNoResponse" {
            return not_visible(
                "possible: the app gave no answer (PhoneAppNoResponse), as an outdated one may; \
                 the phone itself is not in the capture",
            )
            .at(self.decided());
        }
        not_visible("a capture of the computer does not show the phone or its app")
    }

    fn security_policy(self) -> Said {
        let attempt = self.attempt;
        if attempt.side == Side::Network && attempt.outcome == Outcome::BlockedByPolicy {
            return not_visible(
                "a policy asked for the device, and the network kept its certificate from the \
                 service; whether the device meets the policy is not seen",
            )
            .at(self.decided());
        }
        if attempt.outcome == Outcome::MfaUserBlocked {
            return supported(self.told())
                .at(self.decided())
                .then("Unblock the user for MFA once it is clear why the block was set.");
        }
        if attempt.side == Side::Policy && attempt.outcome != Outcome::OtherError {
            return supported(self.told()).at(self.decided());
        }
        if let Some((first, rest)) = attempt.policy_ids.split_first() {
            let text = Text::of("Conditional Access asked for more; the answer names policy ")
                .with(Piece::Captured(first.as_str().to_owned()));
            let text = match rest.len() {
                0 => text,
                more => {
                    let more = u64::try_from(more).unwrap_or(u64::MAX);
                    text.with(" and ").with(more).with(" more")
                }
            };
            return supported(text)
                .at(self.decided())
                .then("Open the named policy and check whom and what it is meant for.");
        }
        if matches!(attempt.outcome, Outcome::MfaCompleted | Outcome::CompletedWithoutMfa) {
            return contradicted("the sign-in was completed; no policy refused it")
                .at(self.decided());
        }
        if attempt.was_asked() {
            return not_visible(
                "MFA was asked for, and the answer does not name the policy; the sign-in log does",
            );
        }
        not_visible("no answer in the capture names a policy")
    }

    /// Whether a request to the registration pages failed.
    fn has_failed_registration(self) -> bool {
        self.attempt.steps.iter().any(|step| {
            step.kind == StepKind::Registration
                && matches!(step.result, StepResult::Failed | StepResult::NoResponse)
        })
    }

    fn network(self) -> Said {
        let attempt = self.attempt;
        if attempt.side == Side::Network {
            return supported("traffic that the sign-in needed failed")
                .at(self.blocked().or_else(|| self.decided()));
        }
        match attempt.outcome {
            Outcome::MfaNoAnswer => not_visible(
                "the computer reached the service; whether the phone did is in no capture of the \
                 computer",
            )
            .at(self.decided()),
            Outcome::PreventedByClient => not_visible(
                "the client stopped by itself, before the network could show what it does",
            )
            .at(self.blocked().or_else(|| self.decided())),
            Outcome::MfaNotAttempted => {
                not_visible("the pages came, and no request was made whose way could be judged")
            }
            Outcome::Undetermined if attempt.blockage.is_some() => {
                not_visible("requests failed, and the capture does not say why").at(self.blocked())
            }
            Outcome::Undetermined | Outcome::Unreadable | Outcome::NoSignIn => {
                not_visible("the capture does not show the step that decided")
            }
            Outcome::MfaCompleted | Outcome::CompletedWithoutMfa => {
                contradicted("the sign-in went through to its end").at(self.decided())
            }
            Outcome::RegistrationRequired if self.has_failed_registration() => not_visible(
                "the registration page did not come as it should, and the capture does not say why",
            ),
            _ => {
                contradicted("the service's answers reached the client up to the step that decided")
                    .at(self.decided())
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Redaction;
    use crate::report::samples;

    /// The answer to a cause, its words, and how many places it cites.
    fn answer(from: &samples::Case, cause: GuideCause) -> (GuideAnswer, String, usize) {
        let all = answers(&from.evidence, from.signin.attempts.first());
        let one = all.iter().find(|one| one.cause == cause).unwrap();
        let cited = one.refs.iter().flat_map(Refs::iter).count();
        (one.answer, one.text.shown(Redaction::Secrets), cited)
    }

    fn with(change: impl Fn(&mut SignInAttempt)) -> samples::Case {
        let mut case = samples::denied();
        change(&mut case.signin.attempts[0]);
        case
    }

    #[test]
    fn an_answer_names_its_fact_and_its_place() {
        let case = samples::denied();
        let (said, text, cited) = answer(&case, GuideCause::NotRegistered);
        assert_eq!((said, cited), (GuideAnswer::Contradicted, 1));
        assert!(text.contains("PhoneAppNotification"), "{text}");
        for cause in [GuideCause::ExpiredMethod, GuideCause::OutdatedDevice, GuideCause::Network] {
            assert_eq!(answer(&case, cause).0, GuideAnswer::Contradicted);
            assert_eq!(answer(&case, cause).2, 1);
        }
        let (said, _, cited) = answer(&samples::network(), GuideCause::Network);
        assert_eq!((said, cited), (GuideAnswer::Supported, 3));
    }

    #[test]
    fn no_answer_of_the_phone_leaves_network_and_device_open() {
        let case = with(|one| {
            one.outcome = Outcome::MfaNoAnswer;
            one.result_value = Some("PhoneAppNoResponse".into());
        });
        assert_eq!(answer(&case, GuideCause::Network).0, GuideAnswer::NotVisible);
        let (said, text, cited) = answer(&case, GuideCause::OutdatedDevice);
        assert_eq!((said, cited), (GuideAnswer::NotVisible, 1));
        assert!(text.starts_with("possible"), "{text}");
    }

    #[test]
    fn an_outdated_app_is_told_by_its_values() {
        for value in ["IncompatibleAppVersion", "AppLockRequiredButNotUsed"] {
            let case = with(|one| {
                one.outcome = Outcome::MfaMethodFailed;
                one.result_value = Some(value.into());
                if value.starts_with("Inc") {
                    one.supports = vec![GuideCause::OutdatedDevice];
                }
            });
            let (said, text, _) = answer(&case, GuideCause::OutdatedDevice);
            assert!(said == GuideAnswer::Supported && text.contains(value), "{text}");
        }
    }

    #[test]
    fn policies_are_named_by_their_ids() {
        let case = samples::policy();
        assert_eq!(answer(&case, GuideCause::SecurityPolicy).0, GuideAnswer::Supported);
        let case = with(|one| {
            one.outcome = Outcome::InteractionRequired;
            one.side = Side::Application;
            one.policy_ids =
                vec![crate::signin::Guid::parse("aaaaaaaa-bbbb-4ccc-8ddd-000000000041").unwrap()];
        });
        let (said, text, _) = answer(&case, GuideCause::SecurityPolicy);
        assert!(said == GuideAnswer::Supported && text.contains("000000000041"), "{text}");
        let device = samples::inspected_device();
        let (said, text, _) = answer(&device, GuideCause::SecurityPolicy);
        assert!(said == GuideAnswer::NotVisible && text.contains("certificate"), "{text}");
    }

    #[test]
    fn a_session_that_is_too_old_is_a_policy_and_a_late_code_is_wrong() {
        use crate::entra::{error, result};
        for code in [50_078, 70_043] {
            assert_eq!(error(code).unwrap().guide, Some(GuideCause::SecurityPolicy));
        }
        let late = result("OathCodeOld").unwrap();
        assert_eq!((late.outcome, late.guide), (Some(Outcome::MfaWrongCode), None));
        assert_eq!(error(220_450).unwrap().guide, Some(GuideCause::OutdatedDevice));
    }
}
