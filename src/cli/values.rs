//! The values of arguments: sizes, stretches and points of time, conditions.
//!
//! It must not know which argument has them.
//!
//! Invariant: a value that is not understood is an error that says what would be.

use std::time::Duration;

use crate::finding::Severity;
use crate::limits::{GIB, KIB, MIB};
use crate::signin::{Outcome, Side};
use crate::time::Timestamp;

/// A condition of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The verdict has this outcome.
    Outcome(Outcome),
    /// A finding of this severity or a higher one exists.
    Severity(Severity),
    /// The verdict has this side.
    Side(Side),
}

/// A condition by its name.
pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix("severity:") {
        return [Severity::Info, Severity::Warning, Severity::Error]
            .into_iter()
            .find(|severity| severity.as_str() == name)
            .map(Condition::Severity)
            .ok_or_else(|| "a severity is info, warning or error".to_owned());
    }
    let side = Side::ALL.iter().find(|side| side.as_str() == text);
    let outcome = Outcome::ALL.iter().find(|outcome| outcome.as_str() == text);
    side.copied().map(Condition::Side).or(outcome.copied().map(Condition::Outcome)).ok_or_else(
        || {
            let sides: Vec<&str> = Side::ALL.iter().map(|side| side.as_str()).collect();
            format!(
                "neither a side ({}), nor an outcome such as mfa_denied, nor severity:error",
                sides.join(", ")
            )
        },
    )
}

/// A number of bytes: `4096`, `512MiB`, `4 GiB`; `k`, `m` and `g` alone mean the same.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text
        .get(..digits)
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| "a size is a number with KiB, MiB or GiB, for example 512MiB".to_owned())?;
    let unit = match text.get(digits..).unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => KIB,
        "m" | "mib" => MIB,
        "g" | "gib" => GIB,
        _ => return Err("the unit is KiB, MiB or GiB, for example 512MiB".to_owned()),
    };
    match number.checked_mul(unit) {
        Some(0) => Err("a size is more than zero".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("the size is too large".to_owned()),
    }
}

/// A stretch of time: `30`, `30s`, `5m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: Option<u64> = text.get(..digits).and_then(|number| number.parse().ok());
    let unit = match text.get(digits..).unwrap_or_default().trim() {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .filter(|seconds| (1..=31_536_000).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "a time is a number with s, m or h, for example 30s".to_owned())
}

/// A point in time.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .map(|(at, _)| at)
        .ok_or_else(|| "a time looks like 2030-01-01T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("512MiB"), Ok(512 * MIB));
        assert_eq!(size(" 4 gib "), Ok(4 * GIB));
        assert_eq!(size("2k"), Ok(2048));
        for wrong in ["", "MiB", "-1", "1.5GiB", "1MB", "0", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        for wrong in ["", "0", "s", "5 days", "99999999999999999999"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions() {
        assert_eq!(condition("network"), Ok(Condition::Side(Side::Network)));
        assert_eq!(condition("mfa_denied"), Ok(Condition::Outcome(Outcome::MfaDenied)));
        assert_eq!(condition("severity:error"), Ok(Condition::Severity(Severity::Error)));
        assert!(condition("severity:high").is_err());
        assert!(condition("firewall").unwrap_err().contains("network"));
    }

    #[test]
    fn times() {
        assert!(time("2030-01-01T10:00:00Z").is_ok());
        assert!(time("yesterday").is_err());
    }
}
