//! CAP012: the clock of the computer jumped.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::ClockReading;

rule! {
    /// ## What it finds
    /// The clock of the computer was set, or jumped, in the course of the capture.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing by itself. Times before and after the jump cannot be compared: a wait
    /// seems longer or shorter than it was, and requests can stand in the wrong order.
    ///
    /// ## Evidence it needs
    /// Answers of the service whose `Date` is off the computer's time by one amount before a place
    /// and by another after it, a minute or more apart, with at least two answers on each side.
    ///
    /// ## What looks like it
    /// A single answer with an old date, as from a cache; a clock that is off all the time
    /// (CAP008).
    ///
    /// ## What to do
    /// Look for a time service that corrects the clock, a virtual machine that was paused, or a
    /// computer that slept. Follow the order of the requests and not their times.
    ///
    /// ## References
    /// RFC 9110 section 6.6.1 (Date).
    pub(crate) struct CapClockJump {
        id: "CAP012", name: "cap-clock-jump", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Do not trust times and their order around the jump, and capture again with the clock left alone.",
    }
}

/// Seconds between both sides of a jump.
const JUMP: u64 = 60;
/// Seconds in which the readings of one side may differ: dates have whole seconds, answers take time.
const STEADY: u64 = 10;

impl Rule for CapClockJump {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for readings in case.signin.clocks.values() {
            // The order in the file: the times are what is in question.
            let mut sorted: Vec<&ClockReading> =
                readings.iter().filter(|one| one.fresh || !case.spares(true)).collect();
            sorted.sort_by_key(|reading| reading.at);
            let side = if case.spares(true) { 2 } else { 1 };
            let Some((before, after)) = jump(&sorted, side) else { continue };
            let seconds = after.offset.abs_diff(before.offset);
            let mut refs = Refs::one(before.at);
            refs.add(after.at);
            let text = Text::of("the clock of this computer jumped ")
                .with(if after.offset > before.offset { "ahead" } else { "back" })
                .with(" by about ");
            let text = if seconds >= 120 {
                text.with(Piece::Number(seconds.saturating_add(30) / 60)).with(" minutes")
            } else {
                text.with(Piece::Number(seconds)).with(" seconds")
            };
            out.push(about_capture(self.meta(), refs, text));
        }
    }
}

/// The readings right before and after a jump: steady on both sides, with at least `side` each.
fn jump<'a>(
    readings: &[&'a ClockReading],
    side: usize,
) -> Option<(&'a ClockReading, &'a ClockReading)> {
    let steady = |part: &[&ClockReading]| {
        let offsets = || part.iter().map(|one| one.offset);
        let spread = offsets().max().zip(offsets().min()).map(|(most, least)| most.abs_diff(least));
        part.len() >= side && spread.is_some_and(|spread| spread <= STEADY || side == 1)
    };
    let far = |pair: &[&ClockReading]| match pair {
        [one, other] => one.offset.abs_diff(other.offset) >= JUMP,
        _ => false,
    };
    // One jump splits the capture; more of them are told by the first.
    let at = readings.windows(2).position(far)?.saturating_add(1);
    let (before, after) = readings.split_at_checked(at)?;
    (steady(before) && steady(after)).then_some(())?;
    Some((*before.last()?, *after.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{EvidenceRef, InputId, Locator};

    #[test]
    fn a_jump_has_two_steady_sides() {
        let readings = |offsets: &[i64]| -> Vec<ClockReading> {
            (0..)
                .zip(offsets)
                .map(|(index, offset)| ClockReading {
                    offset: *offset,
                    fresh: true,
                    at: EvidenceRef { input: InputId(0), at: Locator::HarEntry(index) },
                })
                .collect()
        };
        let jumps = |offsets: &[i64]| {
            let readings = readings(offsets);
            let sorted: Vec<&ClockReading> = readings.iter().collect();
            jump(&sorted, 2).map(|(before, after)| (before.offset, after.offset))
        };
        assert_eq!(jumps(&[0, 1, 0, 180, 181]), Some((0, 180)));
        assert_eq!(jumps(&[300, 301, -2, -1]), Some((301, -2)));
        assert_eq!(jumps(&[0, 1, 7200, 0, 1]), None);
        assert_eq!(jumps(&[0, 1, 0, 180]), None);
        assert_eq!(jumps(&[400, 400, 401]), None);
        assert_eq!(jumps(&[]), None);
    }
}
