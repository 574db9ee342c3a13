//! Services that carry the traffic of other programs, so that a capture of packets shows their own
//! connections and not what travels in them.
//!
//! It knows names only; what their absence or presence means is for others to say.

use std::sync::LazyLock;

use super::table::{self, vocabulary};

const CONCEALERS: &str = include_str!("concealers.tsv");

static ROWS: LazyLock<Vec<Concealer>> =
    LazyLock::new(|| table::rows(CONCEALERS).filter_map(Concealer::parse).collect());

vocabulary! {
    /// What a service carries.
    ConcealerKind {
        /// Name lookups, inside HTTPS or TLS.
        EncryptedDns = "encrypted_dns",
        /// All traffic, as a VPN or relay.
        Vpn = "vpn",
        /// All or chosen traffic, through the client of a zero-trust service.
        ZeroTrust = "zero_trust",
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concealer {
    /// The name of the host; a star in front stands for any names before it.
    pub pattern: &'static str,
    /// What it carries.
    pub kind: ConcealerKind,
    /// The service.
    pub name: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl Concealer {
    fn parse(row: [&'static str; 4]) -> Option<Self> {
        let [pattern, kind, name, source] = row;
        Some(Self { pattern, kind: ConcealerKind::parse(kind)?, name, source })
    }

    fn fits(&self, host: &str) -> bool {
        match self.pattern.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => host == self.pattern,
        }
    }
}

/// The service behind a host, in lower case.
pub fn concealer(host: &str) -> Option<&'static Concealer> {
    ROWS.iter().find(|row| row.fits(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(CONCEALERS, 4);
        check::complete(CONCEALERS, ROWS.len());
        check::rising(ROWS.iter().map(|row| row.pattern));
        assert!(ROWS.iter().all(|row| !row.source.is_empty() && !row.name.is_empty()));
    }

    #[test]
    fn hosts_are_found_by_their_ends() {
        let kind = |host: &str| concealer(host).map(|row| row.kind);
        assert_eq!(kind("gateway.zscaler.net"), Some(ConcealerKind::ZeroTrust));
        assert_eq!(kind("dns.google"), Some(ConcealerKind::EncryptedDns));
        assert_eq!(kind("www.dns.google"), None);
    }
}
