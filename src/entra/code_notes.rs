//! How an error code shows in a capture, what it is confused with, and what to do.
//!
//! It adds to the table of error codes and knows nothing of what an attempt came to. A code without
//! a row of its own is told by its field and nature, out of the table of notes.
//!
//! Rows are sorted by number and each code of them is in the table of error codes. The
//! signs, look-alikes and next steps are our reading; a source says where to check it and does not
//! vouch for each sentence.

use std::sync::LazyLock;

use super::table;

const NOTES: &str = include_str!("code-notes.tsv");

static ROWS: LazyLock<Vec<CodeNote>> =
    LazyLock::new(|| table::rows(NOTES).filter_map(CodeNote::parse).collect());

/// A row of the table of notes on error codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeNote {
    /// The number after `AADSTS`.
    pub code: u32,
    /// Where and how it is seen in a capture.
    pub wire_sign: &'static str,
    /// What it is confused with.
    pub alike: &'static str,
    /// What to do.
    pub next_step: &'static str,
    /// Where to check the reading.
    pub source: &'static str,
}

impl CodeNote {
    fn parse([code, wire_sign, alike, next_step, source]: [&'static str; 5]) -> Option<Self> {
        Some(Self { code: code.parse().ok()?, wire_sign, alike, next_step, source })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The note on a code, where it has one of its own.
pub fn code_note(code: u32) -> Option<&'static CodeNote> {
    let at = ROWS.binary_search_by_key(&code, |row| row.code).ok()?;
    ROWS.get(at)
}

/// Every note, by rising code.
pub fn code_notes() -> impl Iterator<Item = &'static CodeNote> {
    ROWS.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::errors::{self, NEIGHBOURS};
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(NOTES, 5);
        check::complete(NOTES, ROWS.len());
        check::rising(code_notes().map(|row| row.code));
        for row in code_notes() {
            for text in [row.wire_sign, row.alike, row.next_step] {
                assert!(text.ends_with('.') && !text.contains('`'), "{}: {text}", row.code);
            }
            assert!(!row.source.is_empty(), "{}", row.code);
        }
    }

    #[test]
    fn every_note_is_on_a_known_code() {
        for row in code_notes() {
            let known = errors::error(row.code).unwrap_or_else(|| panic!("{}", row.code));
            assert!(known.is_verified() || !row.is_verified(), "{} is not verified", row.code);
        }
    }

    #[test]
    fn what_bears_on_mfa_and_its_neighbours_has_a_note() {
        let related = errors::errors().filter(|row| row.mfa_related).map(|row| row.code);
        let missing: Vec<u32> =
            related.chain(NEIGHBOURS).filter(|code| code_note(*code).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(code_notes().count() >= 120);
    }
}
