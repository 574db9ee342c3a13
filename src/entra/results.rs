//! The result values of the MFA calls: what each means, what to do, what it is confused with.
//!
//! It knows nothing of the order of the calls. `Success` on BeginAuth is the start of a challenge
//! and on EndAuth its end, so its row has no outcome and its state is only `begun`.
//!
//! A value without a public source has no outcome. A value that still waits has none either.
//! Decisions behind the rows: a duplicate request keeps the method from being used for a while,
//! so the method failed; a locked method likewise, while throttling of the service itself has a
//! code of its own; the three values for a missing method are a failed method and support "not
//! registered", because the capture cannot tell removed from never registered.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::outcome::{GuideCause, MfaState, Outcome, Side};
use super::table::{self, vocabulary};

const RESULTS: &str = include_str!("results.tsv");

static ROWS: LazyLock<Vec<ResultRow>> =
    LazyLock::new(|| table::rows(RESULTS).filter_map(ResultRow::parse).collect());

static BY_VALUE: LazyLock<HashMap<String, &'static ResultRow>> =
    LazyLock::new(|| ROWS.iter().map(|row| (row.value.to_ascii_lowercase(), row)).collect());

vocabulary! {
    /// What kind of thing a result value reports.
    ResultClass {
        /// The state of the account.
        Account = "account",
        /// The Authenticator app.
        App = "app",
        /// A typed code.
        Code = "code",
        /// A call, message or notification that did not get through.
        Delivery = "delivery",
        /// The state of the flow.
        Flow = "flow",
        /// A failure of no stated kind.
        Generic = "generic",
        /// The method as registered.
        Method = "method",
        /// Success.
        Ok = "ok",
        /// Still waiting.
        Pending = "pending",
        /// A policy.
        Policy = "policy",
        /// A fault of the service.
        Service = "service",
        /// Too many attempts.
        Throttling = "throttling",
        /// The user.
        User = "user",
    }
}

/// A row of the table of result values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The value as the service writes it.
    pub value: &'static str,
    /// What kind of thing it reports.
    pub class: ResultClass,
    /// What an attempt that ends with it comes to.
    pub outcome: Option<Outcome>,
    /// The side it stands for then.
    pub side: Option<Side>,
    /// How far MFA got, at the least.
    pub mfa_state: MfaState,
    /// The cause of the troubleshooting guide that it supports.
    pub guide: Option<GuideCause>,
    /// What it means.
    pub meaning: &'static str,
    /// What the support engineer or the administrator does.
    pub next_step: &'static str,
    /// What it can be confused with; may be empty.
    pub alike: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl ResultRow {
    fn parse(row: [&'static str; 10]) -> Option<Self> {
        let [value, class, outcome, side, state, guide, meaning, next_step, alike, source] = row;
        Some(Self {
            value,
            class: ResultClass::parse(class)?,
            outcome: table::optional(outcome, Outcome::parse).ok()?,
            side: table::optional(side, Side::parse).ok()?,
            mfa_state: MfaState::parse(state)?,
            guide: table::optional(guide, GuideCause::parse).ok()?,
            meaning,
            next_step,
            alike,
            source,
        })
    }

    /// Whether the service still waits for the user.
    pub fn is_pending(&self) -> bool {
        self.class == ResultClass::Pending
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The row of a result value; case does not count.
pub fn result(value: &str) -> Option<&'static ResultRow> {
    BY_VALUE.get(&value.to_ascii_lowercase()).copied()
}

/// Every row, by value.
pub fn results() -> impl Iterator<Item = &'static ResultRow> {
    ROWS.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    /// Every value that the protocol notes list.
    const LISTED: &str = "Success AuthenticationPending OathCodePending SMSSent PinEntered \
        PhoneAppDenied PhoneAppNoResponse PhoneAppFraudReported PhoneAppFraud FraudCodeEntered \
        PhoneAppEntropyIncorrect PhoneAppInvalidResult PhoneAppTokenChanged \
        PhoneAppNotificationFailed PhoneAppAllDevicesBlocked IncompatibleAppVersion \
        AppLockRequiredButNotUsed OathCodeIncorrect IncorrectOTP OathCodeDuplicate OathCodeOld \
        OathCodeCorrectButDeviceNotAllowed OathCodeFailedMaxAllowedRetryReached \
        SMSAuthFailedWrongCodeEntered User2WaySMSAuthFailedWrongCodeEntered \
        VoiceOTPAuthFailedWrongCodeEntered SMSAuthFailedMaxAllowedCodeRetryReached \
        VoiceOTPAuthFailedMaxAllowedCodeRetryReached SMSAuthFailedNoResponseTimeout \
        User2WaySMSAuthFailedNoResponseTimeout SMSAuthFailedProviderCouldntSendSMS \
        User2WaySMSAuthFailedProviderCouldntSendSMS UserVoiceAuthFailedPhoneUnreachable \
        UserVoiceAuthFailedCallWentToVoicemail UserVoiceAuthFailedPhoneHungUp \
        UserVoiceAuthFailedInvalidPhoneInput UserVoiceAuthFailedInvalidPhoneNumber \
        UserVoiceAuthFailedInvalidExtension InvalidFormat UserVoiceAuthFailedProviderCouldntSendCall \
        UserAuthFailedDuplicateRequest ProofDataNotFound AuthenticationMethodNotConfigured \
        UserNotFound AuthenticationMethodFailed AuthenticationMethodLocked AuthenticationThrottled \
        UserIsBlocked InvalidSession InvalidSessionId FlowTokenExpired AccessPassBlockedByPolicy \
        InvalidAccessPass AccessPassExpired AccessPassAlreadyUsed SASValidationFailed InternalError";

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(RESULTS, 10);
        check::complete(RESULTS, ROWS.len());
        check::rising(results().map(|row| row.value.to_ascii_lowercase()));
        assert!(results().all(|row| !row.source.is_empty()));
    }

    #[test]
    fn every_listed_value_is_explained() {
        for value in LISTED.split_whitespace() {
            let row = result(value).unwrap();
            assert_eq!(row.value, value);
            assert!(row.meaning.ends_with('.') && row.next_step.ends_with('.'), "{value}");
        }
        assert_eq!(LISTED.split_whitespace().count(), ROWS.len());
    }

    #[test]
    fn only_what_is_final_and_verified_decides() {
        for row in results() {
            let waits = matches!(row.class, ResultClass::Ok | ResultClass::Pending);
            assert_eq!(row.outcome.is_some(), row.side.is_some(), "{}", row.value);
            assert_eq!(row.outcome.is_some(), row.is_verified() && !waits, "{}", row.value);
        }
    }

    #[test]
    fn every_class_is_used() {
        for class in ResultClass::ALL {
            assert_eq!(ResultClass::parse(class.as_str()), Some(*class));
            assert!(results().any(|row| row.class == *class), "{class}");
        }
    }

    #[test]
    fn the_public_scenarios_hold() {
        let outcome = |value| result(value).unwrap().outcome;
        assert_eq!(outcome("phoneappdenied"), Some(Outcome::MfaDenied));
        assert_eq!(outcome("UserVoiceAuthFailedPhoneUnreachable"), Some(Outcome::MfaNoAnswer));
        assert_eq!(outcome("AuthenticationMethodFailed"), Some(Outcome::MfaDenied));
        assert_eq!(outcome("UserIsBlocked"), Some(Outcome::MfaUserBlocked));
        assert_eq!(result("UserIsBlocked").unwrap().side, Some(Side::Policy));
        assert!(result("AuthenticationPending").unwrap().is_pending());
        assert_eq!(result("OathCodeOld").unwrap().guide, None);
        assert_eq!(result("NoSuchValue"), None);
    }
}
