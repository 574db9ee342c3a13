//! The numbers that a Conditional Access page carries in place of words.
//!
//! It knows nothing of pages; it turns a title or description number into a short reading.
//!
//! Positions in the list may shift with the version of the page, so a reading is always shown
//! together with its number. The two lists are read apart: the same number says something else in
//! each.

use std::fmt;
use std::sync::LazyLock;

use super::outcome::GuideCause;
use super::table::{self, vocabulary};

const READINGS: &str = include_str!("policy-pages.tsv");

static ROWS: LazyLock<Vec<PolicyPageRow>> =
    LazyLock::new(|| table::rows(READINGS).filter_map(PolicyPageRow::parse).collect());

vocabulary! {
    /// Which of its two numbers a page shows.
    PolicyText {
        /// The text below the headline.
        Description = "description",
        /// The headline.
        Title = "title",
    }
}

/// A row of the table of policy page numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPageRow {
    /// Headline or text.
    pub kind: PolicyText,
    /// The number on the page; the first is 1.
    pub number: u32,
    /// Our short reading.
    pub reading: &'static str,
    /// Whether it bears on MFA directly.
    pub bears_on_mfa: bool,
    /// The cause of the troubleshooting guide that it supports.
    pub guide: Option<GuideCause>,
    /// Public source.
    pub source: &'static str,
}

impl PolicyPageRow {
    fn parse([kind, number, reading, mfa, guide, source]: [&'static str; 6]) -> Option<Self> {
        Some(Self {
            kind: PolicyText::parse(kind)?,
            number: number.parse().ok()?,
            reading,
            bears_on_mfa: table::yes_no(mfa)?,
            guide: table::optional(guide, GuideCause::parse).ok()?,
            source,
        })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// A number of a page, and in which of the two lists it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyNumber {
    /// Headline or text.
    pub kind: PolicyText,
    /// The number.
    pub number: u32,
}

impl PolicyNumber {
    /// Of the two numbers of a page the one that tells more: what bears on MFA goes before what does
    /// not, and the text before the headline.
    pub fn of_page(title: Option<u32>, description: Option<u32>) -> Option<Self> {
        let given = |kind, number: Option<u32>| number.map(|number| Self { kind, number });
        let title = given(PolicyText::Title, title);
        let bears = |one: &Self| one.row().is_some_and(|row| row.bears_on_mfa);
        match given(PolicyText::Description, description) {
            Some(text) if bears(&text) => Some(text),
            text => title.filter(bears).or(text).or(title),
        }
    }

    /// Its reading.
    pub fn row(self) -> Option<&'static PolicyPageRow> {
        find(self.kind, self.number)
    }
}

impl fmt::Display for PolicyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.number)
    }
}

/// The reading of `iErrorTitle`.
pub fn policy_title(number: u32) -> Option<&'static PolicyPageRow> {
    find(PolicyText::Title, number)
}

/// The reading of `iErrorDescription`.
pub fn policy_description(number: u32) -> Option<&'static PolicyPageRow> {
    find(PolicyText::Description, number)
}

/// Every number, descriptions first.
pub fn policy_pages() -> impl Iterator<Item = &'static PolicyPageRow> {
    ROWS.iter()
}

fn find(kind: PolicyText, number: u32) -> Option<&'static PolicyPageRow> {
    let at = ROWS.binary_search_by_key(&(kind, number), |row| (row.kind, row.number)).ok()?;
    ROWS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(READINGS, 6);
        check::complete(READINGS, ROWS.len());
        check::rising(ROWS.iter().map(|row| (row.kind, row.number)));
        assert!(ROWS.iter().all(|row| !row.source.is_empty() && !row.reading.is_empty()));
    }

    #[test]
    fn the_lists_have_no_gap() {
        assert!((1..=20).all(|number| policy_title(number).is_some()));
        assert!((1..=31).all(|number| policy_description(number).is_some()));
        assert_eq!(policy_title(0), None);
        assert_eq!(policy_description(32), None);
    }

    #[test]
    fn of_two_numbers_the_telling_one_is_taken_from_its_own_list() {
        let of = |title, description| {
            PolicyNumber::of_page(title, description).map(|one| one.to_string())
        };
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some(12), None).as_deref(), Some("title 12"));
        assert_eq!(of(Some(3), Some(6)).as_deref(), Some("description 6"));
        assert_eq!(of(Some(19), Some(4)).as_deref(), Some("title 19"));
        assert_eq!(of(Some(19), Some(30)).as_deref(), Some("description 30"));
        let headline = PolicyNumber::of_page(Some(19), None).and_then(PolicyNumber::row).unwrap();
        assert_eq!(headline.guide, Some(GuideCause::OutdatedDevice));
        assert_eq!(PolicyNumber::of_page(None, Some(99)).and_then(PolicyNumber::row), None);
    }

    #[test]
    fn the_numbers_that_bear_on_mfa_are_marked() {
        let marked: Vec<_> = ROWS
            .iter()
            .filter(|row| row.bears_on_mfa)
            .map(|row| (row.kind.as_str(), row.number))
            .collect();
        assert_eq!(
            marked,
            [
                ("description", 17),
                ("description", 22),
                ("description", 23),
                ("description", 30),
                ("description", 31),
                ("title", 19)
            ]
        );
    }
}
