//! What was said to the sign-in service in connections that keys did not open, beside others that they
//! opened.
//!
//! A step that is missing from what was read may be in what was not. It must not guess which.
//!
//! Invariant: without keys, and where they opened everything, nothing is dark.

use crate::entra::hosts;
use crate::evidence::{Evidence, Exchange, InputId, Opened};
use crate::time::{Span, Timestamp};

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

/// Whether bytes of a connection to the service are missing from an input, in one that was in use at a time
/// or later: an answer may have been in them.
pub(super) fn is_torn(evidence: &Evidence, input: InputId, from: Timestamp) -> bool {
    let lacks = evidence.coverage.of(input).and_then(|one| one.wire.as_ref());
    lacks.is_some_and(|wire| wire.missing > 0)
        && evidence.connections.iter().any(|connection| {
            connection.at.input == input
                && connection
                    .server_name
                    .as_ref()
                    .is_some_and(|name| hosts::is_sign_in_service(name.as_str()))
                && connection.span.is_some_and(|span| span.last() >= from)
                && connection
                    .wire
                    .as_ref()
                    .is_some_and(|wire| wire.traffic.iter().any(|side| side.missing > 0))
        })
}

/// Whether a connection that was open when an input began, and that nothing names, was asked and answered
/// after a time: the service, or the other root of the scripts, may be what answered. At an address of the
/// service it counts whenever that was.
pub(super) fn is_older(evidence: &Evidence, input: InputId, at: Timestamp) -> bool {
    evidence.connections.iter().any(|connection| {
        let facts = connection.wire.as_deref();
        connection.at.input == input
            && connection.opened == Opened::MidStream
            && connection.server_name.is_none()
            && facts.is_some_and(|facts| {
                let answered = facts.payload[1].map(Span::last);
                let asked = facts.last_request.or(facts.payload[0].map(Span::last));
                let service = || {
                    connection.server.is_some_and(|server| hosts::is_sign_in_address(server.ip()))
                };
                asked > Some(at) && answered > Some(at)
                    || asked.is_some() && answered.is_some() && service()
            })
    })
}

/// When the last that may be a request was sent in the connection that a hidden exchange stands for.
fn last_request(evidence: &Evidence, exchange: &Exchange) -> Option<Timestamp> {
    evidence.connection(exchange.connection?)?.wire.as_deref()?.last_request
}
