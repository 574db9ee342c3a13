//! What failed below HTTP in packets that keys open: connections and lookups that came to nothing, so
//! that no request of theirs is there to be read.
//!
//! Beside requests that are read they count as a tunnel does that a proxy did not open: for the step that
//! needed the host. It must not judge which step that was.
//!
//! Invariant: nothing of a host counts that answered later, and nothing of an input in which no request
//! to the service is read, or whose requests another input tells.

use std::collections::{BTreeMap, BTreeSet};

use super::Joined;
use super::failure::{Failure, FailureSide};
use crate::entra::hosts;
use crate::evidence::{Evidence, ExchangeId, HostName, InputId, Scheme};
use crate::time::Timestamp;

/// The hidden exchanges that count.
pub(super) fn failed(
    evidence: &Evidence,
    failures: &BTreeMap<ExchangeId, Failure>,
    joined: &[Joined],
) -> BTreeSet<ExchangeId> {
    let mut read: BTreeSet<InputId> = BTreeSet::new();
    let mut answered: BTreeMap<(InputId, &HostName), Timestamp> = BTreeMap::new();
    for (id, exchange) in evidence.numbered() {
        let input = exchange.at.input;
        let is_tunnel = !exchange.is_hidden() && exchange.request.url.scheme == Scheme::Authority;
        if !exchange.is_hidden()
            && !is_tunnel
            && hosts::is_sign_in_service(exchange.host().as_str())
        {
            read.insert(input);
        }
        if exchange.is_answered()
            && !is_tunnel
            && !failures.contains_key(&id)
            && let Some(at) = exchange.ended().or(exchange.started())
        {
            let last = answered.entry((input, exchange.host())).or_insert(at);
            *last = at.max(*last);
        }
    }
    read.retain(|input| {
        let wire = evidence.coverage.of(*input).and_then(|one| one.wire.as_ref());
        let is_opened = wire.and_then(|wire| wire.keys).is_some_and(|keys| keys.opened > 0);
        is_opened && !joined.iter().any(|join| join.packets == *input)
    });
    let mut by_host: BTreeMap<(InputId, &HostName), Vec<(ExchangeId, bool)>> = BTreeMap::new();
    for (id, failure) in failures {
        let Some(exchange) = evidence.exchange(*id).filter(|one| one.is_hidden()) else { continue };
        let key = (exchange.at.input, exchange.host());
        let later = answered.get(&key).is_some_and(|at| exchange.started() <= Some(*at));
        if failure.side == FailureSide::Network && read.contains(&key.0) && !later {
            by_host.entry(key).or_default().push((*id, failure.certain));
        }
    }
    // One that is not certain must have come twice.
    by_host
        .into_values()
        .filter(|all| all.len() > 1 || all.iter().any(|(_, certain)| *certain))
        .flatten()
        .map(|(id, _)| id)
        .collect()
}
