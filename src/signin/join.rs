//! Joins requests of one input with the connections that another input shows of them.
//!
//! A trace of a proxy or browser names requests and not always why one failed; packets of the same
//! time name the fault and not the request. Their clocks may differ, so that the difference is found
//! first: by the port of the client where the trace has it, else by the hosts and their times.
//!
//! Invariants: a difference is told only where several requests agree on it; a named failure is never
//! replaced, and nothing is joined across hosts.

use std::collections::BTreeMap;

use super::failure::{Failure, FailureKind, FailureSide};
use crate::evidence::{Connection, Evidence, Exchange, ExchangeId, HostName, InputId, Scheme};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// A difference beyond this is none of clocks.
const MOST: i64 = 26 * 3_600 * SECOND;
/// Requests and connections looked at of one host.
const LOOKED_AT: usize = 64;
/// How far two differences may lie apart to count as one.
const CLOSE: i64 = SECOND;
/// Pairs that must agree, where no port tells.
const AGREE: usize = 3;
/// How far a request and its failed connection may lie apart, once the clocks are known.
const NEAR: i64 = 15 * SECOND;

/// Two inputs that show the same traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The input with the requests.
    pub requests: InputId,
    /// The input with the packets.
    pub packets: InputId,
    /// How far the clock of the packets is ahead of that of the requests, in milliseconds.
    pub ahead: i64,
    /// Requests whose connection was found.
    pub pairs: usize,
}

fn start(exchange: &Exchange) -> Option<i64> {
    exchange.started().map(crate::time::Timestamp::as_nanoseconds)
}

fn opened(connection: &Connection) -> Option<i64> {
    connection.span.map(|span| span.first().as_nanoseconds())
}

fn is_encrypted(exchange: &Exchange) -> bool {
    !exchange.is_hidden()
        && matches!(exchange.request.url.scheme, Scheme::Https | Scheme::Authority)
}

/// The inputs that belong together, each pair with the difference of its clocks.
pub(super) fn joined(evidence: &Evidence) -> Vec<Joined> {
    let packets: Vec<InputId> = evidence
        .coverage
        .inputs
        .iter()
        .filter(|coverage| coverage.wire.is_some())
        .map(|coverage| coverage.input)
        .collect();
    let mut all = Vec::new();
    for input in &evidence.inputs {
        if packets.contains(&input.id) {
            continue;
        }
        for wire in &packets {
            all.extend(pair(evidence, input.id, *wire));
        }
    }
    all
}

fn pair(evidence: &Evidence, requests: InputId, packets: InputId) -> Option<Joined> {
    let mut asked: BTreeMap<&HostName, Vec<(i64, Option<u16>)>> = BTreeMap::new();
    let own = evidence.exchanges.iter().filter(|one| one.at.input == requests && is_encrypted(one));
    for exchange in own {
        let port = exchange
            .connection
            .and_then(|id| evidence.connection(id))
            .and_then(|connection| connection.client)
            .map(|client| client.port());
        let times = asked.entry(exchange.host()).or_default();
        if let (Some(at), true) = (start(exchange), times.len() < LOOKED_AT) {
            times.push((at, port));
        }
    }
    let mut by_port: Vec<i64> = Vec::new();
    let mut by_time: Vec<i64> = Vec::new();
    let mut seen: BTreeMap<&HostName, usize> = BTreeMap::new();
    let wires = evidence.connections.iter().filter(|one| one.at.input == packets);
    for connection in wires {
        let Some((name, at)) = connection.server_name.as_ref().zip(opened(connection)) else {
            continue;
        };
        let Some(times) = asked.get(name) else { continue };
        let count = seen.entry(name).or_insert(0);
        if *count >= LOOKED_AT {
            continue;
        }
        *count = count.saturating_add(1);
        let port = connection.client.map(|client| client.port());
        for (asked, own) in times {
            let ahead = at.saturating_sub(*asked);
            if ahead.abs() <= MOST {
                if own.is_some() && *own == port {
                    by_port.push(ahead);
                }
                by_time.push(ahead);
            }
        }
    }
    let (ahead, pairs) = match densest(&mut by_port) {
        Some(found) => found,
        None => densest(&mut by_time).filter(|(_, pairs)| *pairs >= AGREE)?,
    };
    Some(Joined { requests, packets, ahead: ahead.checked_div(1_000_000)?, pairs })
}

/// The middle of the most differences that lie close together, and how many these are.
fn densest(all: &mut [i64]) -> Option<(i64, usize)> {
    all.sort_unstable();
    let mut best: Option<(i64, usize)> = None;
    let mut last = 0_usize;
    for (first, from) in all.iter().enumerate() {
        while all.get(last).is_some_and(|to| to.saturating_sub(*from) <= CLOSE) {
            last = last.saturating_add(1);
        }
        let count = last.saturating_sub(first);
        let middle = first.saturating_add(count / 2);
        if best.is_none_or(|(_, most)| count > most) {
            best = all.get(middle).map(|middle| (*middle, count));
        }
    }
    best
}

/// Names the failures that a trace leaves unnamed by what the packets show of the same host at the same
/// time, and says which hidden requests belong to which others.
pub(super) fn name_failures(
    evidence: &Evidence,
    joined: &[Joined],
    failures: &mut BTreeMap<ExchangeId, Failure>,
) -> BTreeMap<ExchangeId, ExchangeId> {
    let mut named = BTreeMap::new();
    for join in joined {
        let hidden: Vec<(ExchangeId, &Exchange, Failure)> = failures
            .iter()
            .filter_map(|(id, failure)| Some((*id, evidence.exchange(*id)?, *failure)))
            .filter(|(_, exchange, _)| exchange.is_hidden() && exchange.at.input == join.packets)
            .collect();
        if hidden.is_empty() {
            continue;
        }
        let mut better: Vec<(ExchangeId, ExchangeId, Failure)> = Vec::new();
        for (id, failure) in failures.iter() {
            let Some(exchange) = evidence.exchange(*id) else { continue };
            if exchange.at.input != join.requests || exchange.is_hidden() {
                continue;
            }
            let Some(at) = start(exchange) else { continue };
            let wanted = at.saturating_add(join.ahead.saturating_mul(1_000_000));
            let distance = |one: &Exchange| {
                start(one).map_or(i64::MAX, |other| other.saturating_sub(wanted).abs())
            };
            let nearest = hidden
                .iter()
                .filter(|(_, one, _)| one.host() == exchange.host())
                .min_by_key(|(_, one, _)| distance(one));
            if let Some((other, one, found)) = nearest
                && distance(one) <= NEAR
            {
                let open = !failure.certain
                    || failure.kind == FailureKind::Unnamed
                    || failure.side == FailureSide::Unknown;
                better.push((*id, *other, if open { *found } else { *failure }));
            }
        }
        for (id, other, failure) in better {
            failures.insert(id, failure);
            named.insert(id, other);
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_most_agree_on() {
        let mut all = vec![5 * SECOND, 7_200_000_000, 7_100_000_000, 7_150_000_000, -40 * SECOND];
        assert_eq!(densest(&mut all), Some((7_150_000_000, 3)));
        assert_eq!(densest(&mut []), None);
    }
}
