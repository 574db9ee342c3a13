//! The error codes of the sign-in service (`AADSTS` and a number): what each says, whether it is a
//! step or an end, and what it stands for if an attempt ends with it.
//!
//! It knows nothing of where a code stood. A code counts together with its page and step: 50058
//! on an ordinary page is noise, and 50074 is a question that the following requests answer. A
//! flow that cannot show a prompt turns 50079 into `interaction_required`; that too is decided
//! elsewhere.
//!
//! A row without a public source carries no outcome and no side. Rows are sorted by number. Some
//! outcomes need a reason: 500121 alone says that the challenge failed and not why, so it is
//! `undetermined` until a result value is found. 50088 limits the telephone methods of a user and
//! not the service, so the method failed. 165000 and 165004 mean that the anti-forgery value of
//! the page no longer fits its cookies (lost, blocked, old page, back button), which lies in the
//! browser; 1002016 means that the client software speaks a TLS version that has ended.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::outcome::{GuideCause, Outcome, Side};
use super::table::{self, vocabulary};

const CODES: &str = include_str!("error-codes.tsv");

static ROWS: LazyLock<Vec<ErrorRow>> =
    LazyLock::new(|| table::rows(CODES).filter_map(ErrorRow::parse).collect());

/// Names in lower case; a name that two codes share is left out.
static NAMES: LazyLock<HashMap<String, u32>> = LazyLock::new(|| {
    let mut found: HashMap<String, Option<u32>> = HashMap::new();
    for row in ROWS.iter().filter(|row| !row.name.is_empty()) {
        found
            .entry(row.name.to_ascii_lowercase())
            .and_modify(|code| *code = None)
            .or_insert(Some(row.code));
    }
    found.into_iter().filter_map(|(name, code)| Some((name, code?))).collect()
});

vocabulary! {
    /// The field an error belongs to.
    ErrorCategory {
        /// The user's account.
        Account = "account",
        /// The set-up of the application.
        AppConfig = "app-config",
        /// Conditional Access.
        ConditionalAccess = "conditional-access",
        /// Consent to an application.
        Consent = "consent",
        /// Passwords, certificates and other first factors.
        Credentials = "credentials",
        /// The state or identity of the device.
        Device = "device",
        /// Federated identity providers.
        Federation = "federation",
        /// Multifactor authentication.
        Mfa = "mfa",
        /// Tenant restrictions, cross-tenant access, TLS demands.
        NetworkPolicy = "network-policy",
        /// A request that does not follow the protocol or has lost its state.
        Protocol = "protocol",
        /// A fault of the service.
        Service = "service",
        /// The tenant, its name or its cloud.
        Tenant = "tenant",
        /// Too many requests.
        Throttling = "throttling",
        /// A token or grant.
        Token = "token",
    }
}

impl ErrorCategory {
    /// The side an error of this category stands for when its row names none.
    pub const fn side(self) -> Side {
        match self {
            Self::Account | Self::Credentials => Side::User,
            Self::ConditionalAccess | Self::Device | Self::NetworkPolicy | Self::Tenant => {
                Side::Policy
            }
            Self::AppConfig | Self::Consent | Self::Federation | Self::Protocol | Self::Token => {
                Side::Application
            }
            Self::Service | Self::Throttling => Side::Service,
            Self::Mfa => Side::CannotTell,
        }
    }
}

vocabulary! {
    /// Whether a code is a step of a sign-in or an end.
    Nature {
        /// Asks for MFA; what follows decides.
        Challenge = "challenge",
        /// An end, unless the user tries again.
        Failure = "failure",
        /// A normal step that looks like an error.
        Interrupt = "interrupt",
        /// A challenge or a second factor was not passed.
        MfaFailed = "mfa_failed",
        /// Sends the user to register a method.
        Registration = "registration",
    }
}

/// A row of the error table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// The number after `AADSTS`.
    pub code: u32,
    /// The symbolic name; empty if none is public.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The field it belongs to.
    pub category: ErrorCategory,
    /// Whether it bears on MFA.
    pub mfa_related: bool,
    /// Step or end.
    pub nature: Nature,
    /// What an attempt that ends with it comes to.
    pub outcome: Option<Outcome>,
    /// The side it stands for then.
    pub side: Option<Side>,
    /// The cause of the troubleshooting guide that it supports.
    pub guide: Option<GuideCause>,
    /// Public source.
    pub source: &'static str,
}

impl ErrorRow {
    fn parse(row: [&'static str; 10]) -> Option<Self> {
        let [code, name, meaning, category, mfa, nature, outcome, side, guide, source] = row;
        Some(Self {
            code: code.parse().ok()?,
            name,
            meaning,
            category: ErrorCategory::parse(category)?,
            mfa_related: table::yes_no(mfa)?,
            nature: Nature::parse(nature)?,
            outcome: table::optional(outcome, Outcome::parse).ok()?,
            side: table::optional(side, Side::parse).ok()?,
            guide: table::optional(guide, GuideCause::parse).ok()?,
            source,
        })
    }

    /// The outcome of the row, or that of any other error.
    pub fn effective_outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::OtherError)
    }

    /// The side of the row, or that of its category.
    pub fn effective_side(&self) -> Side {
        self.side.unwrap_or_else(|| self.category.side())
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }

    /// Whether the code is a normal step, so that only what follows it can decide.
    pub const fn is_step(&self) -> bool {
        matches!(self.nature, Nature::Challenge | Nature::Interrupt)
    }
}

/// The row of a code.
pub fn error(code: u32) -> Option<&'static ErrorRow> {
    let at = ROWS.binary_search_by_key(&code, |row| row.code).ok()?;
    ROWS.get(at)
}

/// The code of a symbolic name, as pages give it in place of a number.
///
/// Case does not count. A name that several codes share gives nothing.
pub fn code_for_name(name: &str) -> Option<u32> {
    NAMES.get(&name.to_ascii_lowercase()).copied()
}

/// Every row, by rising code.
pub fn errors() -> impl Iterator<Item = &'static ErrorRow> {
    ROWS.iter()
}

/// The codes that change a verdict, as the protocol notes list them.
#[cfg(test)]
pub(super) const NEIGHBOURS: [u32; 98] = [
    16000, 16001, 16002, 16003, 50002, 50017, 50034, 50053, 50055, 50056, 50057, 50058, 50072,
    50074, 50076, 50078, 50079, 50086, 50087, 50088, 50089, 50097, 50105, 50125, 50126, 50127,
    50129, 50132, 50133, 50140, 50144, 50155, 50158, 50168, 50173, 50187, 50192, 50199, 50203,
    53000, 53001, 53002, 53003, 53004, 53009, 53010, 53011, 54009, 54010, 65001, 70008, 70043,
    70044, 70046, 75011, 80013, 90002, 90072, 90094, 90095, 130_004, 130_005, 130_006, 130_007,
    130_008, 130_500, 130_502, 130_503, 130_504, 130_505, 131_010, 135_010, 135_011, 135_016,
    165_000, 165_004, 165_100, 220_501, 230_109, 500_021, 500_022, 500_121, 500_133, 500_212,
    500_213, 530_001, 530_011, 530_021, 530_031, 530_032, 530_033, 530_034, 530_035, 700_016,
    700_024, 700_082, 1_002_016, 5_000_211,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(CODES, 10);
        check::complete(CODES, ROWS.len());
        check::rising(errors().map(|row| row.code));
        assert_eq!(ROWS.len(), 420);
        assert!(errors().all(|row| !row.source.is_empty() && !row.meaning.is_empty()));
    }

    #[test]
    fn nothing_unverified_decides() {
        for row in errors() {
            assert_eq!(row.outcome.is_some(), row.side.is_some(), "{}", row.code);
            if !row.is_verified() {
                assert_eq!((row.outcome, row.side, row.guide), (None, None, None), "{}", row.code);
            }
        }
    }

    #[test]
    fn every_neighbour_of_50074_has_its_answer() {
        for code in NEIGHBOURS {
            let row = error(code).unwrap();
            assert!(row.outcome.is_some() || row.is_step() || !row.is_verified(), "{code}");
        }
    }

    #[test]
    fn everything_about_mfa_has_its_answer() {
        for row in errors().filter(|row| row.mfa_related && row.is_verified()) {
            assert!(row.outcome.is_some() || row.is_step(), "{}", row.code);
        }
        for row in errors().filter(|row| row.category == ErrorCategory::Mfa) {
            assert!(row.side.is_some() || row.nature == Nature::Challenge, "{}", row.code);
        }
    }

    #[test]
    fn chosen_rows_say_what_was_decided() {
        let of = |code| {
            let row = error(code).unwrap();
            (row.nature, row.effective_outcome(), row.effective_side(), row.guide)
        };
        assert_eq!(error(50074).unwrap().nature, Nature::Challenge);
        assert_eq!(
            of(50072),
            (
                Nature::Registration,
                Outcome::RegistrationRequired,
                Side::User,
                Some(GuideCause::NotRegistered)
            )
        );
        assert_eq!(
            of(53003),
            (
                Nature::Failure,
                Outcome::BlockedByPolicy,
                Side::Policy,
                Some(GuideCause::SecurityPolicy)
            )
        );
        assert_eq!(of(500_121), (Nature::MfaFailed, Outcome::Undetermined, Side::CannotTell, None));
        assert_eq!(of(50105), (Nature::Failure, Outcome::OtherError, Side::Application, None));
        assert_eq!(of(7_000_215), (Nature::Failure, Outcome::OtherError, Side::Application, None));
        assert!(error(50058).unwrap().is_step());
        assert_eq!(error(1), None);
    }

    #[test]
    fn names_lead_to_codes_when_they_are_unique() {
        assert_eq!(code_for_name("InvalidAccessPass"), Some(130_503));
        assert_eq!(code_for_name("invalidaccesspass"), Some(130_503));
        assert_eq!(code_for_name("InvalidRequest"), None);
        assert_eq!(code_for_name(""), None);
    }

    #[test]
    fn every_name_parses_back() {
        for category in ErrorCategory::ALL {
            assert_eq!(ErrorCategory::parse(category.as_str()), Some(*category));
            assert!(errors().any(|row| row.category == *category));
        }
        for nature in Nature::ALL {
            assert!(errors().any(|row| row.nature == *nature));
        }
    }
}
