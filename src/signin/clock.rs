//! How far the clock of the capturing computer is off the service's.
//!
//! Each answer of the sign-in service carries the service's time in `Date`; the capture says when it
//! came. It must not know what a difference breaks.
//!
//! Invariant: a reading says whether the service wrote it just then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expose;
use crate::entra::hosts;
use crate::evidence::{Evidence, EvidenceRef, Exchange, InputId};
use crate::time::Timestamp;

/// Answers read of one input.
const READINGS: usize = 4_096;

/// Seconds above which two readings differ by more than their own coarseness.
const COARSE: i64 = 20;

/// One answer of the service with both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Seconds that the computer's clock is ahead of the service's; negative when it is behind.
    pub offset: i64,
    /// Whether the service itself wrote the date just then: no cache, no other host.
    pub fresh: bool,
    /// Where the answer stands.
    pub at: EvidenceRef,
}

/// How long it was from one time to a later one, less what the clock jumped ahead between them.
pub(super) fn between(
    (from, one): (Timestamp, Option<i64>),
    (to, other): (Timestamp, Option<i64>),
) -> Duration {
    let jumped = one.zip(other).map_or(0, |(one, other)| other.saturating_sub(one));
    let jumped = u64::try_from(jumped).ok().filter(|_| jumped > COARSE).unwrap_or_default();
    to.since(from).saturating_sub(Duration::from_secs(jumped))
}

/// The readings of each input, in order of time.
pub(super) fn readings(evidence: &Evidence) -> BTreeMap<InputId, Vec<ClockReading>> {
    let mut found: BTreeMap<InputId, Vec<ClockReading>> = BTreeMap::new();
    for exchange in &evidence.exchanges {
        let service = hosts::is_sign_in_service(exchange.host().as_str());
        if !service && !hosts::is_script_cdn(exchange.host().as_str()) {
            continue;
        }
        let Some((offset, aged)) = offset(exchange) else { continue };
        let fresh = service && !aged;
        let readings = found.entry(exchange.at.input).or_default();
        if readings.len() < READINGS {
            readings.push(ClockReading { offset, fresh, at: exchange.at });
        }
    }
    found
}

/// Seconds that the computer's clock was ahead of the service's at an answer that the service wrote just
/// then.
pub(super) fn ahead(exchange: &Exchange) -> Option<i64> {
    let service = hosts::is_sign_in_service(exchange.host().as_str());
    offset(exchange).filter(|(_, aged)| service && !aged).map(|(seconds, _)| seconds)
}

/// The offset, and whether the answer came out of a cache.
fn offset(exchange: &Exchange) -> Option<(i64, bool)> {
    let response = exchange.response.as_ref().ok()?;
    let aged = exchange.from_cache || response.headers.has("age");
    let date = Timestamp::parse_http_date(expose::header(&response.headers, "date")?)?;
    let (begun, ended) = (exchange.started()?, exchange.ended()?);
    let seconds = |later: Timestamp, earlier: Timestamp| {
        i64::try_from(later.since(earlier).as_secs()).unwrap_or(i64::MAX)
    };
    // The service writes its date between the request and the end of the answer.
    let offset = if date < begun {
        seconds(begun, date)
    } else if date > ended {
        seconds(date, ended).saturating_neg()
    } else {
        0
    };
    Some((offset, aged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_clock_is_no_time_that_passed() {
        let at = |seconds: i64| Timestamp::from_nanoseconds(seconds * 1_000_000_000);
        let length = |from, to| between(from, to).as_secs();
        assert_eq!(length((at(0), Some(2)), (at(1_860), Some(1_802))), 60);
        // Readings have whole seconds, and a clock that is put back takes nothing away.
        assert_eq!(length((at(0), Some(2)), (at(60), Some(3))), 60);
        assert_eq!(length((at(0), Some(1_800)), (at(60), Some(0))), 60);
        assert_eq!(length((at(0), None), (at(1_860), Some(1_800))), 1_860);
    }
}
