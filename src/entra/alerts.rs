//! The alerts of TLS: what each means by who sent it, what it is confused with, and what to do.
//!
//! It knows nothing of records or connections. Who sent an alert is for the caller to find out: the
//! same number accuses the server's certificate when the client sends it, and the client's when the
//! server does.
//!
//! The table is the registry of TLS alerts, numbers that are reserved for dead versions included.
//! Which of several certificate alerts a client sends depends on its software, so no reading here is
//! more than a lead.

use std::sync::LazyLock;

use super::outcome::Side;
use super::table::{self, vocabulary};

const ALERTS: &str = include_str!("alerts.tsv");

static ROWS: LazyLock<Vec<AlertRow>> =
    LazyLock::new(|| table::rows(ALERTS).filter_map(AlertRow::parse).collect());

vocabulary! {
    /// Whether an alert is in use.
    AlertStatus {
        /// A current version of TLS or an extension of it sends it.
        Current = "current",
        /// Its number is kept free; only versions that have ended sent it.
        Reserved = "reserved",
    }
}

/// A row of the table of TLS alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// The number in the registry.
    pub number: u8,
    /// The name in the registry.
    pub name: &'static str,
    /// Whether it is in use.
    pub status: AlertStatus,
    /// The side it most often stands for in a sign-in, where there is one.
    pub side: Option<Side>,
    /// What it means.
    pub meaning: &'static str,
    /// What it says when the client sends it.
    pub from_client: &'static str,
    /// What it says when the server, or what answers in its place, sends it.
    pub from_server: &'static str,
    /// What it is confused with.
    pub alike: &'static str,
    /// What to do.
    pub next_step: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl AlertRow {
    fn parse(row: [&'static str; 10]) -> Option<Self> {
        let [
            number,
            name,
            status,
            side,
            meaning,
            from_client,
            from_server,
            alike,
            next_step,
            source,
        ] = row;
        Some(Self {
            number: number.parse().ok()?,
            name,
            status: AlertStatus::parse(status)?,
            side: table::optional(side, Side::parse).ok()?,
            meaning,
            from_client,
            from_server,
            alike,
            next_step,
            source,
        })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The row of an alert by its number.
pub fn alert(number: u8) -> Option<&'static AlertRow> {
    let at = ROWS.binary_search_by_key(&number, |row| row.number).ok()?;
    ROWS.get(at)
}

/// Every alert, by rising number.
pub fn alerts() -> impl Iterator<Item = &'static AlertRow> {
    ROWS.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(ALERTS, 10);
        check::complete(ALERTS, ROWS.len());
        check::rising(alerts().map(|row| row.number));
        let mut names: Vec<_> = alerts().map(|row| row.name).collect();
        names.sort_unstable();
        check::rising(names);
    }

    #[test]
    fn every_alert_is_explained_in_sentences() {
        for row in alerts() {
            let texts = [row.meaning, row.from_client, row.from_server, row.alike, row.next_step];
            for text in texts {
                assert!(text.ends_with('.') && !text.contains('`'), "{}: {text}", row.name);
            }
            assert!(!row.source.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn the_registry_is_whole() {
        let numbers: Vec<u8> = alerts().map(|row| row.number).collect();
        let registered = [
            0, 10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 60, 70, 71,
            80, 86, 90, 100, 109, 110, 111, 112, 113, 114, 115, 116, 117, 120, 121,
        ];
        assert_eq!(numbers, registered);
        let reserved: Vec<u8> = alerts()
            .filter(|row| row.status == AlertStatus::Reserved)
            .map(|row| row.number)
            .collect();
        assert_eq!(reserved, [21, 30, 41, 60, 100, 111, 114]);
        assert_eq!(alert(48).unwrap().name, "unknown_ca");
        assert_eq!(alert(1), None);
    }
}
