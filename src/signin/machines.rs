//! Whether a capture of packets holds sign-ins of several computers, and which of them a request is of.
//!
//! A capture of a router or mirror port has them side by side, and what one computer got is no answer
//! to what another one lacked. A single computer has several addresses too: one of each version, one
//! of each network that it moves to, one on each side of a proxy of its own. So two addresses are two
//! computers only where they took turns at the sign-in service, and not where one gave way to the
//! other.
//!
//! Invariant: an address that nothing tells apart belongs to every computer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::entra::{HostRole, hosts};
use crate::evidence::{Connection, Evidence, EvidenceRef, Exchange, HostName, NameLookup};
use crate::time::Timestamp;

/// Computers told apart; a capture of more is one of a whole network, of which no single sign-in is
/// the one that is asked about.
const MOST: usize = 8;
/// Turns that two addresses of one network must have taken between them.
const TURNS: usize = 3;
/// The same where they are of two networks: a computer that moves tries the old one once more.
const TURNS_APART: usize = 6;
/// Addresses told of.
const SHOWN: usize = 64;
/// Connections looked at of one address.
const LOOKED_AT: usize = 1_000;

/// An address that sign-in hosts were asked from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Computer {
    /// The address.
    pub address: IpAddr,
    /// Whether it stands for a computer of its own, beside others.
    pub is_apart: bool,
    /// Its first connection to one of the hosts.
    pub at: EvidenceRef,
}

/// The computers of a case.
#[derive(Debug, Default)]
pub(super) struct Machines {
    apart: BTreeSet<IpAddr>,
    pub seen: Vec<Computer>,
}

impl Machines {
    /// Finds the addresses that stand for computers of their own.
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut times: BTreeMap<IpAddr, Vec<Timestamp>> = BTreeMap::new();
        let mut first: BTreeMap<IpAddr, EvidenceRef> = BTreeMap::new();
        let mut servers: BTreeSet<IpAddr> = BTreeSet::new();
        for connection in evidence.connections.iter().filter(|one| one.wire.is_some()) {
            servers.extend(connection.server.map(|server| server.ip()));
            let (Some(client), Some(span)) = (connection.client, connection.span) else { continue };
            if client.is_ipv4() && is_of_sign_in(connection) {
                first.entry(client.ip()).or_insert(connection.at);
                let all = times.entry(client.ip()).or_default();
                if all.len() < LOOKED_AT {
                    all.push(span.first());
                }
            }
        }
        // Who is called by others in the same capture, as a proxy is, asks for them.
        times.retain(|address, _| !servers.contains(address) && !address.is_loopback());
        for all in times.values_mut() {
            all.sort_unstable();
        }
        let mut apart: BTreeSet<IpAddr> = BTreeSet::new();
        let addresses: Vec<_> = times.iter().take(MOST.saturating_add(1)).collect();
        for (index, (one, mine)) in addresses.iter().enumerate() {
            for (other, theirs) in addresses.iter().skip(index.saturating_add(1)) {
                let enough = if is_one_network(**one, **other) { TURNS } else { TURNS_APART };
                if turns(mine, theirs) >= enough {
                    apart.extend([**one, **other]);
                }
            }
        }
        if times.len() > MOST {
            apart.clear();
        }
        let seen = times.keys().filter_map(|address| {
            let (at, is_apart) = (*first.get(address)?, apart.contains(address));
            Some(Computer { address: *address, is_apart, at })
        });
        Self { seen: seen.take(SHOWN).collect(), apart }
    }

    /// Their addresses, in order; fewer than two are none.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.apart.iter().copied()
    }

    /// The computer that made a request, where that is told apart from others.
    pub(super) fn of_exchange(&self, evidence: &Evidence, exchange: &Exchange) -> Option<IpAddr> {
        if self.apart.is_empty() {
            return None;
        }
        let lookup = exchange.lookup.and_then(|id| evidence.lookup(id));
        match (lookup, exchange.connection) {
            (Some(lookup), _) => self.of_lookup(lookup),
            (None, Some(id)) => evidence.connection(id).and_then(|one| self.of_connection(one)),
            (None, None) => None,
        }
    }

    /// The computer that opened a connection.
    pub(super) fn of_connection(&self, connection: &Connection) -> Option<IpAddr> {
        self.known(connection.client?.ip())
    }

    /// The computer that asked for a name.
    pub(super) fn of_lookup(&self, lookup: &NameLookup) -> Option<IpAddr> {
        self.known(lookup.client?.ip())
    }

    fn known(&self, address: IpAddr) -> Option<IpAddr> {
        self.apart.contains(&address).then_some(address)
    }
}

/// Whether two requests may be of one computer, as far as their computers are known.
pub(super) fn may_be_one(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Whether two addresses are of one network, as small networks are made.
fn is_one_network(one: IpAddr, other: IpAddr) -> bool {
    let network = |address| match address {
        IpAddr::V4(address) => Some(address.to_bits() >> 8),
        IpAddr::V6(_) => None,
    };
    network(one) == network(other)
}

/// How many turns two addresses took: runs of connections of one without one of the other.
fn turns(one: &[Timestamp], other: &[Timestamp]) -> usize {
    let mut all: Vec<(Timestamp, bool)> = one.iter().map(|at| (*at, true)).collect();
    all.extend(other.iter().map(|at| (*at, false)));
    all.sort_unstable();
    all.chunk_by(|one, other| one.1 == other.1).count()
}

/// Whether a connection goes to a host that only a sign-in asks.
fn is_of_sign_in(connection: &Connection) -> bool {
    let name = connection.server_name.as_ref().map(HostName::as_str);
    let role = name.and_then(hosts::host).map(|row| row.role);
    matches!(role, Some(HostRole::Sts | HostRole::StsAlias | HostRole::SigninCdn))
        || connection.server.is_some_and(|server| hosts::is_sign_in_address(server.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|at| Timestamp::from_nanoseconds(at * 1_000_000_000)).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_gives_way_to_another_is_no_second_computer() {
        assert!(turns(&at(&[1, 2, 3]), &at(&[4, 5, 6])) < TURNS);
        // The last try over the old network, when the new one is in use.
        assert!(turns(&at(&[1, 2, 5]), &at(&[4, 6, 7])) < TURNS_APART);
        assert!(!is_one_network(address("192.168.1.5"), address("192.168.43.5")));
    }

    #[test]
    fn addresses_that_take_turns_are_computers() {
        assert!(turns(&at(&[1, 30]), &at(&[10, 11])) >= TURNS);
        assert!(is_one_network(address("192.168.1.5"), address("192.168.1.77")));
        assert!(turns(&at(&[1, 3, 5]), &at(&[2, 4, 6])) >= TURNS_APART);
    }
}
