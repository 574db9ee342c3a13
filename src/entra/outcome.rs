//! The closed lists in which an analysis speaks: how an attempt ended, whose side it stands for,
//! how far multifactor authentication (MFA) got, and the causes of the troubleshooting guide.
//!
//! It knows nothing of captures, codes or rules; tables name these values, and the sign-in, the
//! rules, the verdict and the reports use the same ones.
//!
//! The names are part of the published output and never change meaning. A new value may be
//! added; none may be renamed.

use super::table::vocabulary;

vocabulary! {
    /// How an attempt to sign in ended.
    Outcome {
        /// Conditional Access or a tenant restriction refused, whatever MFA says.
        BlockedByPolicy = "blocked_by_policy",
        /// Signed in, and MFA was never asked for.
        CompletedWithoutMfa = "completed_without_mfa",
        /// A request without a window was asked for MFA and cannot show the prompt.
        InteractionRequired = "interaction_required",
        /// A challenge was begun and then left.
        MfaAbandoned = "mfa_abandoned",
        /// The challenge was posed and passed.
        MfaCompleted = "mfa_completed",
        /// The user or a fraud report refused the challenge.
        MfaDenied = "mfa_denied",
        /// The method itself is unusable.
        MfaMethodFailed = "mfa_method_failed",
        /// No answer to the challenge in time.
        MfaNoAnswer = "mfa_no_answer",
        /// The page was there, and no challenge was begun.
        MfaNotAttempted = "mfa_not_attempted",
        /// After the challenge was posed, traffic it needs failed.
        MfaPreventedByNetwork = "mfa_prevented_by_network",
        /// The service reports a fault of its own.
        MfaServiceFailed = "mfa_service_failed",
        /// The user is blocked for MFA.
        MfaUserBlocked = "mfa_user_blocked",
        /// The code was rejected, or entered too often.
        MfaWrongCode = "mfa_wrong_code",
        /// Nothing of a sign-in, in a capture that would have shown it.
        NoSignIn = "no_sign_in",
        /// Another error code decided.
        OtherError = "other_error",
        /// Something in the browser or the client software prevented it.
        PreventedByClient = "prevented_by_client",
        /// The user has no usable method and is sent to register.
        RegistrationRequired = "registration_required",
        /// Before the challenge, traffic the sign-in needs failed.
        SignInPreventedByNetwork = "sign_in_prevented_by_network",
        /// The capture does not show how it ended.
        Undetermined = "undetermined",
        /// The sign-in is there but encrypted, and the network under it is healthy.
        Unreadable = "unreadable",
    }
}

impl Outcome {
    /// The side an outcome stands for when nothing more is known.
    ///
    /// The side of [`Outcome::OtherError`] follows the category of its code; without a code it
    /// cannot be told.
    pub const fn default_side(self) -> Side {
        match self {
            Self::CompletedWithoutMfa | Self::MfaCompleted => Side::NothingWrong,
            Self::MfaAbandoned
            | Self::MfaDenied
            | Self::MfaMethodFailed
            | Self::MfaNoAnswer
            | Self::MfaNotAttempted
            | Self::MfaWrongCode
            | Self::RegistrationRequired => Side::User,
            Self::BlockedByPolicy | Self::MfaUserBlocked => Side::Policy,
            Self::InteractionRequired | Self::PreventedByClient => Side::Application,
            Self::MfaServiceFailed => Side::Service,
            Self::MfaPreventedByNetwork | Self::SignInPreventedByNetwork => Side::Network,
            Self::NoSignIn | Self::OtherError | Self::Undetermined | Self::Unreadable => {
                Side::CannotTell
            }
        }
    }

    /// One plain sentence for a support engineer.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BlockedByPolicy => "A policy refused the sign-in; MFA could not have helped.",
            Self::CompletedWithoutMfa => "The user signed in, and MFA was never asked for.",
            Self::InteractionRequired => {
                "The application was asked for MFA on a request that cannot show a prompt."
            }
            Self::MfaAbandoned => "The MFA challenge was begun and then left.",
            Self::MfaCompleted => "MFA was asked for and passed.",
            Self::MfaDenied => "The MFA request was refused or reported as fraud.",
            Self::MfaMethodFailed => "The user's MFA method could not be used.",
            Self::MfaNoAnswer => "The MFA request was not answered in time.",
            Self::MfaNotAttempted => "MFA was asked for, and the user did not begin it.",
            Self::MfaPreventedByNetwork => {
                "MFA was asked for, and the network kept it from being completed."
            }
            Self::MfaServiceFailed => "The MFA service reported a fault of its own.",
            Self::MfaUserBlocked => "The user is blocked for MFA.",
            Self::MfaWrongCode => "The MFA code was wrong, or was entered wrongly too often.",
            Self::NoSignIn => "The capture holds no sign-in.",
            Self::OtherError => "The sign-in failed with an error other than MFA.",
            Self::PreventedByClient => {
                "The browser or the application kept the sign-in from going on."
            }
            Self::RegistrationRequired => {
                "The user has no usable MFA method and was sent to register one."
            }
            Self::SignInPreventedByNetwork => {
                "The network kept the sign-in from reaching the MFA challenge."
            }
            Self::Undetermined => "The capture does not show how the sign-in ended.",
            Self::Unreadable => "The sign-in is in the capture, but encrypted.",
        }
    }
}

vocabulary! {
    /// Whose matter an outcome is.
    Side {
        /// The application or its set-up.
        Application = "application",
        /// The capture cannot tell.
        CannotTell = "cannot_tell",
        /// The network between client and service.
        Network = "network",
        /// Nothing went wrong.
        NothingWrong = "nothing_wrong",
        /// A policy of the organisation.
        Policy = "policy",
        /// The sign-in service.
        Service = "service",
        /// The user or the user's method.
        User = "user",
    }
}

vocabulary! {
    /// A cause of the troubleshooting guide for AADSTS50074.
    GuideCause {
        /// The method is out of date or no longer valid.
        ExpiredMethod = "expired_method",
        /// Network trouble.
        Network = "network",
        /// The user has not registered for MFA.
        NotRegistered = "not_registered",
        /// The device or its app is too old.
        OutdatedDevice = "outdated_device",
        /// A security policy.
        SecurityPolicy = "security_policy",
    }
}

impl GuideCause {
    /// The five causes in the order of the guide.
    pub const IN_GUIDE_ORDER: [Self; 5] = [
        Self::NotRegistered,
        Self::ExpiredMethod,
        Self::Network,
        Self::OutdatedDevice,
        Self::SecurityPolicy,
    ];
}

vocabulary! {
    /// How far MFA got in an attempt.
    MfaState {
        /// The challenge was posed.
        Asked = "asked",
        /// A method was started.
        Begun = "begun",
        /// The challenge was not passed.
        Failed = "failed",
        /// MFA was not asked for.
        NotAsked = "not_asked",
        /// The challenge was passed.
        Passed = "passed",
        /// The capture does not show it.
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert!(outcome.sentence().ends_with('.'), "{outcome}");
        }
        for side in Side::ALL {
            assert_eq!(Side::parse(side.as_str()), Some(*side));
        }
        for cause in GuideCause::ALL {
            assert_eq!(GuideCause::parse(cause.as_str()), Some(*cause));
        }
        for state in MfaState::ALL {
            assert_eq!(MfaState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(Outcome::ALL.len(), 20);
        assert_eq!(Side::ALL.len(), 7);
        assert_eq!(Outcome::parse("mfa"), None);
    }

    #[test]
    fn names_are_sorted() {
        crate::entra::table::check::rising(Outcome::ALL.iter().map(|o| o.as_str()));
        crate::entra::table::check::rising(Side::ALL.iter().map(|s| s.as_str()));
        crate::entra::table::check::rising(GuideCause::ALL.iter().map(|c| c.as_str()));
    }

    #[test]
    fn the_guide_names_each_cause_once() {
        let mut causes = GuideCause::IN_GUIDE_ORDER;
        causes.sort_unstable();
        assert_eq!(causes.as_slice(), GuideCause::ALL);
    }

    #[test]
    fn the_default_sides_are_those_of_the_contract() {
        assert_eq!(Outcome::MfaCompleted.default_side(), Side::NothingWrong);
        assert_eq!(Outcome::MfaUserBlocked.default_side(), Side::Policy);
        assert_eq!(Outcome::InteractionRequired.default_side(), Side::Application);
        assert_eq!(Outcome::Unreadable.default_side(), Side::CannotTell);
        assert_eq!(format!("{:>6}", Side::User), "  user");
    }
}
