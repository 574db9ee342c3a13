//! What was said to the sign-in service in connections that keys did not open, beside others that they
//! opened.
//!
//! A step that is missing from what was read may be in what was not. It must not guess which.
//!
//! Invariant: without keys, and where they opened everything, nothing is dark.

use crate::entra::hosts;
use crate::evidence::{Evidence, Exchange, InputId};
use crate::time::Timestamp;

/// Exchanges looked at.
const LOOKED_AT: usize = 2_000;

/// Whether an input holds something that the service was asked between two times and that cannot be
/// read, although keys opened other connections.
pub(super) fn is_asked(
    evidence: &Evidence,
    input: InputId,
    from: Timestamp,
    until: Timestamp,
) -> bool {
    let keys = evidence.coverage.of(input).and_then(|one| one.wire.as_ref()?.keys);
    if !keys.is_some_and(|keys| keys.opened > 0 && keys.closed() > 0) {
        return false;
    }
    // Exchanges are in order of time.
    let end = evidence
        .exchanges
        .partition_point(|exchange| exchange.started().is_none_or(|start| start <= until));
    let all = evidence.exchanges.get(..end).unwrap_or_default();
    all.iter().rev().take(LOOKED_AT).any(|one| {
        one.at.input == input
            && one.is_hidden()
            && one.is_answered()
            && hosts::is_sign_in_service(one.host().as_str())
            && last_request(evidence, one).is_some_and(|at| at >= from)
    })
}

/// When the last that may be a request was sent in the connection that a hidden exchange stands for.
fn last_request(evidence: &Evidence, exchange: &Exchange) -> Option<Timestamp> {
    evidence.connection(exchange.connection?)?.wire.as_deref()?.last_request
}
