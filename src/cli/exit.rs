//! The exit code of the program, decided in one place.
//!
//! It knows what happened and what was asked for. It must not print or end anything.
//!
//! Invariant: the precedence of SPEC section 2: usage, internal error, nothing read, partly read,
//! then a condition or the verdict.

use super::values::Condition;
use crate::finding::Finding;
use crate::signin::{Outcome, Side};
use crate::verdict::Verdict;

/// Wrong usage.
pub(super) const USAGE: u8 = 2;
/// Nothing could be read.
pub(super) const NOTHING_READ: u8 = 3;
/// Ended from the keyboard.
pub(super) const INTERRUPTED: u8 = 130;
/// Ended by whoever runs it.
#[cfg(unix)]
pub(super) const TERMINATED: u8 = 143;
/// Its terminal is gone.
#[cfg(unix)]
pub(super) const HUNG_UP: u8 = 129;

/// How a run went.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude one another")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// The command line was wrong.
    pub(super) usage: bool,
    /// A fault of this program.
    pub(super) internal: bool,
    /// No input gave anything.
    pub(super) nothing_read: bool,
    /// A path did not open, or a limit or timeout made the result partial.
    pub(super) partial: bool,
    /// A condition of `--fail-on` holds.
    pub(super) condition: bool,
    /// The verdict, when its code was asked for.
    pub(super) by_verdict: Option<(Side, Outcome)>,
}

impl Ending {
    /// The exit code.
    pub(super) const fn code(self) -> u8 {
        if self.usage {
            return USAGE;
        }
        if self.internal {
            return 5;
        }
        if self.nothing_read {
            return NOTHING_READ;
        }
        if self.partial {
            return 4;
        }
        match self.by_verdict {
            Some((side, outcome)) => by_verdict(side, outcome),
            None if self.condition => 1,
            None => 0,
        }
    }
}

const fn by_verdict(side: Side, outcome: Outcome) -> u8 {
    match side {
        Side::Policy | Side::User => 10,
        Side::Network => 11,
        Side::Application => 12,
        Side::CannotTell if matches!(outcome, Outcome::NoSignIn) => 14,
        Side::CannotTell => 13,
        Side::NothingWrong => 15,
        Side::Service => 16,
    }
}

/// Whether one of the conditions holds.
pub(super) fn holds(conditions: &[Condition], verdict: &Verdict, findings: &[Finding]) -> bool {
    conditions.iter().any(|condition| match condition {
        Condition::Outcome(outcome) => verdict.outcome == *outcome,
        Condition::Severity(severity) => findings.iter().any(|one| one.severity >= *severity),
        Condition::Side(side) => verdict.side == *side,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::report::samples;

    #[test]
    fn the_precedence_is_that_of_the_contract() {
        let all = Ending {
            usage: true,
            internal: true,
            nothing_read: true,
            partial: true,
            condition: true,
            by_verdict: None,
        };
        let table = [
            (all, 2),
            (Ending { usage: false, ..all }, 5),
            (Ending { usage: false, internal: false, ..all }, 3),
            (Ending { usage: false, internal: false, nothing_read: false, ..all }, 4),
            (Ending { condition: true, ..Ending::default() }, 1),
            (Ending::default(), 0),
        ];
        for (ending, code) in table {
            assert_eq!(ending.code(), code, "{ending:?}");
        }
    }

    #[test]
    fn the_verdict_replaces_success_and_conditions_only() {
        let table = [
            (Side::Policy, Outcome::BlockedByPolicy, 10),
            (Side::User, Outcome::MfaDenied, 10),
            (Side::Network, Outcome::MfaPreventedByNetwork, 11),
            (Side::Application, Outcome::InteractionRequired, 12),
            (Side::CannotTell, Outcome::Undetermined, 13),
            (Side::CannotTell, Outcome::NoSignIn, 14),
            (Side::NothingWrong, Outcome::MfaCompleted, 15),
            (Side::Service, Outcome::MfaServiceFailed, 16),
        ];
        for (side, outcome, code) in table {
            let ending =
                Ending { condition: true, by_verdict: Some((side, outcome)), ..Ending::default() };
            assert_eq!(ending.code(), code);
            assert_eq!(Ending { partial: true, ..ending }.code(), 4);
        }
    }

    #[test]
    fn conditions_look_at_verdict_and_findings() {
        let case = samples::denied();
        let ask = |condition| holds(&[condition], &case.verdict, &case.findings);
        assert!(ask(Condition::Side(Side::User)));
        assert!(!ask(Condition::Side(Side::Network)));
        assert!(ask(Condition::Outcome(Outcome::MfaDenied)));
        assert!(ask(Condition::Severity(Severity::Warning)), "an error is a warning too");
        assert!(!holds(&[], &case.verdict, &case.findings));
    }
}
