//! Steps that took much longer on one side.
//!
//! Measured is what one request took, from its start to the end of its answer. Where a user thinks,
//! between requests, nothing is measured, and polls wait on purpose. It must not explain a difference.
//!
//! Invariant: below [`SLOWER_TIMES`] and [`SLOWER_BY`] nothing is told.

use std::time::Duration;

use super::party::Beat;
use super::rows::Marked;
use crate::finding::{Piece, Text};
use crate::limits::{SLOWER_BY, SLOWER_TIMES};
use crate::report::comparison::{Area, Difference, Value};
use crate::signin::StepKind;

/// Steps whose requests last as long as a user takes.
const fn is_patient(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::DeviceCode
            | StepKind::ExternalMethod
            | StepKind::MfaCode
            | StepKind::MfaPoll
            | StepKind::Passkey
            | StepKind::PhoneSignIn
            | StepKind::Registration
    )
}

/// Both durations of a step, where it did what it was for on both sides.
fn measured(row: &Marked<'_>) -> Option<(Duration, Duration)> {
    let (one, other) = (row.working?, row.failing?);
    let counts = |beat: &Beat| beat.good && !is_patient(beat.view.kind);
    (counts(one) && counts(other)).then_some(())?;
    Some((one.view.took?, other.view.took?))
}

/// Whether one duration is longer than the other beyond noise.
fn is_slower(one: Duration, other: Duration) -> bool {
    let (short, long) = (one.min(other), one.max(other));
    long.saturating_sub(short) >= SLOWER_BY && long >= short.saturating_mul(SLOWER_TIMES)
}

/// The steps that one side took much longer for.
pub(super) fn differences(rows: &[Marked<'_>]) -> Vec<Difference> {
    rows.iter()
        .filter_map(|row| {
            let (one, other) = measured(row).filter(|(one, other)| is_slower(*one, *other))?;
            let (working, failing) = (row.working?, row.failing?);
            let step = super::words::step(&working.view);
            let value = |beat: &Beat, took: Duration| Value {
                text: Text(vec![Piece::Own(seconds(took))]).with(" for ").with_text(&step),
                refs: beat.view.refs.last().copied().into_iter().collect(),
            };
            Some(Difference {
                area: Area::Timing,
                name: "time taken",
                hosts: vec![working.view.host.clone()],
                working: value(working, one),
                failing: value(failing, other),
            })
        })
        .collect()
}

/// A duration in seconds with one decimal.
fn seconds(took: Duration) -> String {
    format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
}

/// Whether each side has times.
pub(super) fn shown(rows: &[Marked<'_>]) -> [bool; 2] {
    let any = |own: fn(&Marked<'_>) -> bool| rows.iter().any(own);
    [
        any(|row| row.working.is_some_and(|beat| beat.view.took.is_some())),
        any(|row| row.failing.is_some_and(|beat| beat.view.took.is_some())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_is_far_slower() {
        let ms = Duration::from_millis;
        assert!(!is_slower(ms(100), ms(1_500)), "15 times, and not two seconds");
        assert!(!is_slower(ms(4_000), ms(9_000)), "five seconds, and not three times");
        assert!(is_slower(ms(500), ms(2_500)) && is_slower(ms(2_500), ms(500)));
        assert_eq!(seconds(ms(21_340)), "21.3 s");
    }
}
