//! Requests that two inputs of a case both hold: a trace of the browser and the packets under it, opened
//! with keys.
//!
//! Each counts once, as the input has it that tells more. They are known by the id that the service gave
//! to its answer; how far the clocks differ follows from those, and finds the others by host, path and
//! time. It must not compare what was said.
//!
//! Invariants: within one input nothing is an echo; a request has one echo at most in each other input.

use std::collections::{BTreeMap, BTreeSet};

use super::{Joined, expose};
use crate::evidence::{Body, Evidence, Exchange, ExchangeId, InputId};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// How far apart two inputs tell of one request, once the clocks are known.
const NEAR: i64 = 2 * SECOND;
/// Requests of one host and path that are compared with each other.
const ALIKE: usize = 256;
/// Inputs that are compared with each other.
const INPUTS: usize = 16;

/// What two tellings of one request have in common.
type Key<'a> = (&'a str, &'a str, &'a str);

/// One request in one input.
#[derive(Clone, Copy)]
struct Told<'a> {
    id: ExchangeId,
    exchange: &'a Exchange,
    at: i64,
    request_id: Option<&'a str>,
}

impl Told<'_> {
    /// How much it tells.
    fn worth(&self) -> (bool, u8) {
        let Ok(response) = &self.exchange.response else { return (false, 0) };
        let body = match &response.body {
            Body::Kept { cut: false, .. } | Body::Empty => 2,
            Body::Kept { cut: true, .. } => 1,
            Body::Missing(_) | Body::Skipped => 0,
        };
        (true, body)
    }

    /// Whether two may be the same, by their answers.
    fn agrees(&self, other: &Self) -> bool {
        let by_id = self.request_id.zip(other.request_id).is_none_or(|(one, two)| one == two);
        let by_status = self.exchange.status().zip(other.exchange.status());
        by_id && by_status.is_none_or(|(one, two)| one == two)
    }
}

/// What is told twice.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// The requests that another input holds too and tells more of, or as much.
    pub ids: BTreeSet<ExchangeId>,
    /// The input that goes first, by one that shows the same by the same clock: what only the other
    /// has belongs to the same sign-ins.
    homes: BTreeMap<InputId, InputId>,
}

impl Echoes {
    /// The input that an exchange counts for.
    pub(super) fn home(&self, input: InputId) -> InputId {
        self.homes.get(&input).copied().unwrap_or(input)
    }

    /// Keeps of each two the one that tells more.
    fn take(&mut self, one: InputId, other: InputId, pairs: Vec<(Told<'_>, Told<'_>)>, ahead: i64) {
        // Requests of two clocks do not stand in one order: then all are taken from the first input.
        let is_one_clock = ahead.abs() <= NEAR;
        let count =
            |by: fn(&(Told<'_>, Told<'_>)) -> bool| pairs.iter().filter(|pair| by(pair)).count();
        let by_first = count(|(one, other)| one.worth() > other.worth());
        let by_other = count(|(one, other)| other.worth() > one.worth());
        let is_other_first = is_one_clock && by_other > by_first;
        if is_one_clock && !pairs.is_empty() {
            let (first, second) = if is_other_first { (other, one) } else { (one, other) };
            let home = self.home(first);
            self.homes.insert(second, home);
            for known in self.homes.values_mut().filter(|known| **known == second) {
                *known = home;
            }
        }
        for (one, other) in pairs {
            let (kept, echo) = if is_other_first { (other, one) } else { (one, other) };
            let is_better = is_one_clock && echo.worth() > kept.worth();
            self.ids.insert(if is_better { kept.id } else { echo.id });
        }
    }
}

/// Finds what is told twice.
pub(super) fn echoes(evidence: &Evidence, joined: &[Joined]) -> Echoes {
    let mut inputs: BTreeMap<InputId, BTreeMap<Key<'_>, Vec<Told<'_>>>> = BTreeMap::new();
    for (id, exchange) in evidence.numbered().filter(|(_, one)| !one.is_hidden()) {
        let Some(at) = exchange.started().map(crate::time::Timestamp::as_nanoseconds) else {
            continue;
        };
        if !inputs.contains_key(&exchange.at.input) && inputs.len() >= INPUTS {
            continue;
        }
        let headers = exchange.response.as_ref().ok().map(|response| &response.headers);
        let request_id = headers.and_then(|headers| expose::header(headers, "x-ms-request-id"));
        let request = &exchange.request;
        let key = (&*request.method, exchange.host().as_str(), &*request.url.path);
        let alike = inputs.entry(exchange.at.input).or_default().entry(key).or_default();
        if alike.len() < ALIKE {
            alike.push(Told { id, exchange, at, request_id });
        }
    }
    let mut echoes = Echoes::default();
    let mut rest = inputs.iter();
    while let Some((one, told)) = rest.next() {
        for (other, again) in rest.clone() {
            let by_join = joined.iter().find_map(|join| match (join.requests, join.packets) {
                (requests, packets) if (requests, packets) == (*one, *other) => Some(join.ahead),
                (requests, packets) if (packets, requests) == (*one, *other) => {
                    Some(join.ahead.saturating_neg())
                }
                _ => None,
            });
            let ahead = ahead(told, again).or_else(|| Some(by_join?.saturating_mul(1_000_000)));
            if let Some(ahead) = ahead {
                let pairs = match_up(told, again, ahead, &echoes.ids);
                echoes.take(*one, *other, pairs, ahead);
            }
        }
    }
    echoes
}

/// How far the clock of the second input is ahead, by requests with the same id; the middle of all.
fn ahead(
    told: &BTreeMap<Key<'_>, Vec<Told<'_>>>,
    again: &BTreeMap<Key<'_>, Vec<Told<'_>>>,
) -> Option<i64> {
    let mut all = Vec::new();
    for (key, one) in told {
        let Some(other) = again.get(key) else { continue };
        let known: BTreeMap<&str, i64> =
            other.iter().filter_map(|one| Some((one.request_id?, one.at))).collect();
        let differences = one.iter().filter_map(|one| Some((*known.get(one.request_id?)?, one.at)));
        all.extend(differences.map(|(other, at)| other.saturating_sub(at)));
    }
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// Finds which requests of two inputs are the same.
fn match_up<'a>(
    told: &BTreeMap<Key<'a>, Vec<Told<'a>>>,
    again: &BTreeMap<Key<'a>, Vec<Told<'a>>>,
    ahead: i64,
    echoes: &BTreeSet<ExchangeId>,
) -> Vec<(Told<'a>, Told<'a>)> {
    let mut pairs: Vec<(Told<'a>, Told<'a>)> = Vec::new();
    for (key, one) in told {
        let Some(other) = again.get(key) else { continue };
        let new = |all: &[Told<'a>]| -> Vec<Told<'a>> {
            all.iter().filter(|one| !echoes.contains(&one.id)).copied().collect()
        };
        let (mut left, mut open) = (new(one), new(other));
        // A client that asks again at once tells of one request, and the wire of two.
        for by_id in [true, false] {
            left.retain(|told| {
                let found = nearest(told, &open, ahead, by_id).map(|index| open.remove(index));
                pairs.extend(found.map(|other| (*told, other)));
                found.is_none()
            });
        }
    }
    pairs
}

/// The place of the telling that is the same: by the id of its answer, or else by what it is and by its
/// time.
fn nearest(told: &Told<'_>, others: &[Told<'_>], ahead: i64, by_id: bool) -> Option<usize> {
    let distance =
        |other: &Told<'_>| other.at.saturating_sub(told.at).saturating_sub(ahead).saturating_abs();
    let is_same = |other: &Told<'_>| {
        if by_id {
            told.request_id.is_some() && told.request_id == other.request_id
        } else {
            distance(other) <= NEAR && told.agrees(other)
        }
    };
    let all = others.iter().enumerate().filter(|(_, other)| is_same(other));
    all.min_by_key(|(_, other)| distance(other)).map(|(index, _)| index)
}
