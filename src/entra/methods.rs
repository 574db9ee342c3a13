//! The authentication methods that the MFA page offers, in words and by the shape of their traffic.
//!
//! It knows nothing of policies: whether a method was enough is decided elsewhere.
//!
//! A name that is not in the table is still a method; callers print it as it came.

use std::sync::LazyLock;

use super::table::{self, vocabulary};

const METHODS: &str = include_str!("methods.tsv");

static ROWS: LazyLock<Vec<MethodRow>> =
    LazyLock::new(|| table::rows(METHODS).filter_map(MethodRow::parse).collect());

vocabulary! {
    /// What a method looks like on the wire.
    MethodShape {
        /// The browser goes to another host and comes back.
        Leaves = "leaves",
        /// The page asks again and again until the user has answered elsewhere.
        Poll = "poll",
        /// The user types a code into the page.
        Typed = "typed",
    }
}

/// A row of the table of methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodRow {
    /// The `AuthMethodId`.
    pub value: &'static str,
    /// The method in words.
    pub name: &'static str,
    /// What it looks like on the wire.
    pub shape: MethodShape,
    /// Public source.
    pub source: &'static str,
}

impl MethodRow {
    fn parse([value, name, shape, source]: [&'static str; 4]) -> Option<Self> {
        Some(Self { value, name, shape: MethodShape::parse(shape)?, source })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The row of an `AuthMethodId`; case does not count.
pub fn method(id: &str) -> Option<&'static MethodRow> {
    ROWS.iter().find(|row| row.value.eq_ignore_ascii_case(id))
}

/// Every method.
pub fn methods() -> impl Iterator<Item = &'static MethodRow> {
    ROWS.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(METHODS, 4);
        check::complete(METHODS, ROWS.len());
        check::rising(methods().map(|row| row.value.to_ascii_lowercase()));
        assert!(methods().all(|row| !row.source.is_empty() && !row.name.is_empty()));
    }

    #[test]
    fn shapes_follow_the_method() {
        assert_eq!(method("phoneappnotification").unwrap().shape, MethodShape::Poll);
        assert_eq!(method("OneWaySMS").unwrap().shape, MethodShape::Typed);
        assert_eq!(method("FidoKey").unwrap().shape, MethodShape::Leaves);
        assert_eq!(method("CarrierPigeon"), None);
    }
}
