//! CAP008: the clock of the computer is off.

use std::time::Duration;

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Finding, Findings, Piece, Refs, Severity, Text};
use crate::signin::ClockReading;

rule! {
    /// ## What it finds
    /// The clock of the computer that made the capture is more than five minutes off the clock of
    /// the sign-in service.
    ///
    /// ## Why it breaks sign-in
    /// Kerberos (seamless single sign-on) allows five minutes; assertions and tokens that are not
    /// yet or no longer valid are refused (500133, 700024, 80013); certificates seem to be out of
    /// date. It is a warning where such a code ended an attempt, otherwise information, because all
    /// times of the report shift by it.
    ///
    /// ## Evidence it needs
    /// The `Date` of answers of the service beside the time at which the capture says they came.
    /// Of five or more the middle difference counts; fewer, at least two, must agree within a
    /// minute.
    ///
    /// ## What looks like it
    /// A single answer with an old date, as from a cache or a proxy with a wrong clock; a capture
    /// whose tool writes local time without an offset, which is off by whole hours.
    ///
    /// ## What to do
    /// Compare the clock with a time service (`w32tm /stripchart`), and set it. A phone whose clock
    /// is off gives wrong codes and is seen in no capture.
    ///
    /// ## References
    /// RFC 9110 section 6.6.1 (Date); Microsoft: seamless single sign-on, troubleshooting;
    /// Microsoft Entra error codes.
    pub(crate) struct CapClockSkew {
        id: "CAP008", name: "cap-clock-skew", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Set the clock of the computer by a time service, and keep the difference in mind when comparing with the sign-in log.",
    }
}

/// Above it Kerberos and the checks of tokens fail.
const TOLERANCE: Duration = Duration::from_mins(5);
/// Seconds beyond which a difference tells of a wrong date and not of a clock.
const YEARS: u64 = 20 * 366 * 86_400;
/// Answers that must agree.
const ENOUGH: usize = 5;
/// Codes by which the service refuses what a wrong clock has signed or kept.
const BY_CLOCK: [u32; 4] = [76_026, 80_013, 500_133, 700_024];

impl Rule for CapClockSkew {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for readings in case.signin.clocks.values() {
            // One answer with a wrong date, as out of a cache, is none of the clock's.
            // A date that is years away is no clock's.
            let off = |reading: &&ClockReading| {
                let seconds = reading.offset.unsigned_abs();
                seconds > TOLERANCE.as_secs() && seconds < YEARS
            };
            let told = if case.spares(true) { middle(readings) } else { readings.iter().find(off) };
            let Some(told) = told.filter(off) else { continue };
            let Some(refs) = Refs::all(readings.iter().filter(off).map(|one| one.at).take(ENOUGH))
            else {
                continue;
            };
            let seconds = told.offset.unsigned_abs();
            let (number, unit) = match seconds {
                0..7_200 => (seconds.saturating_add(30) / 60, " minutes"),
                7_200..172_800 => (seconds.saturating_add(1_800) / 3_600, " hours"),
                _ => (seconds / 86_400, " days"),
            };
            let summary = Text::of("the clock of this computer is about ")
                .with(Piece::Number(number))
                .with(unit)
                .with(if told.offset > 0 { " ahead of" } else { " behind" })
                .with(" the sign-in service");
            let summary = if is_zone(seconds) {
                summary.with(", or the capture tool wrote local time as if it were UTC")
            } else {
                summary
            };
            let hurt = case.attempts().find(|(_, attempt)| {
                attempt.deciding_code.is_some_and(|code| BY_CLOCK.contains(&code))
            });
            let severity = if hurt.is_some() { Severity::Warning } else { self.meta().severity };
            let finding = about_capture(self.meta(), refs, summary);
            out.push(Finding { severity, attempt: hurt.map(|(index, _)| index), ..finding });
        }
    }
}

/// Whether a difference is that of a time zone: a multiple of a quarter of an hour.
const fn is_zone(seconds: u64) -> bool {
    seconds >= 1_800 && seconds <= 14 * 3_600 && matches!(seconds % 900, 0..=60 | 840..)
}

/// The reading in the middle of enough of them; of fewer, where they agree within a minute.
fn middle(readings: &[ClockReading]) -> Option<&ClockReading> {
    let mut sorted: Vec<&ClockReading> = readings.iter().filter(|one| one.fresh).collect();
    sorted.sort_by_key(|reading| reading.offset);
    let spread = sorted.last()?.offset.abs_diff(sorted.first()?.offset);
    let agree = sorted.len() > 1 && spread <= 60;
    (sorted.len() >= ENOUGH || agree).then(|| sorted.get(sorted.len() / 2).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{EvidenceRef, InputId, Locator};

    #[test]
    fn the_middle_of_five_counts() {
        let reading = |offset| ClockReading {
            offset,
            fresh: true,
            at: EvidenceRef { input: InputId(0), at: Locator::HarEntry(0) },
        };
        let readings: Vec<_> = [0, -900, 1, 2, 400].map(reading).into();
        assert_eq!(middle(&readings).map(|one| one.offset), Some(1));
        assert_eq!(middle(&readings[..4]), None);
        assert_eq!(middle(&readings[2..4]).map(|one| one.offset), Some(2));
        assert_eq!(middle(&readings[2..3]), None);
    }
}
