//! The page names (`pgid`) of the sign-in service and the step each page stands for.
//!
//! It knows nothing of the fields of a page; a code on the page may say more than its name.
//!
//! A name that is not in the table is reported as it came, never dropped.

use std::sync::LazyLock;

use super::endpoints::StepKind;
use super::table;

const PAGES: &str = include_str!("pages.tsv");

static ROWS: LazyLock<Vec<PageRow>> =
    LazyLock::new(|| table::rows(PAGES).filter_map(PageRow::parse).collect());

/// A row of the table of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRow {
    /// The name that the page gives itself.
    pub pgid: &'static str,
    /// The step it stands for.
    pub step: StepKind,
    /// What it asks or says.
    pub meaning: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl PageRow {
    fn parse([pgid, step, meaning, source]: [&'static str; 4]) -> Option<Self> {
        Some(Self { pgid, step: StepKind::parse(step)?, meaning, source })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The row of a page name; case does not count.
pub fn page(pgid: &str) -> Option<&'static PageRow> {
    ROWS.iter().find(|row| row.pgid.eq_ignore_ascii_case(pgid))
}

/// Every page.
pub fn pages() -> impl Iterator<Item = &'static PageRow> {
    ROWS.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(PAGES, 4);
        check::complete(PAGES, ROWS.len());
        check::rising(pages().map(|row| row.pgid));
        assert!(pages().all(|row| !row.source.is_empty() && row.meaning.ends_with('.')));
    }

    #[test]
    fn pages_name_their_step() {
        assert_eq!(page("ConvergedTFA").unwrap().step, StepKind::MfaPage);
        assert_eq!(page("convergedproofupredirect").unwrap().step, StepKind::Registration);
        assert_eq!(page("ConvergedConditionalAccess").unwrap().step, StepKind::PolicyPage);
        assert_eq!(page("ConvergedSomethingNew"), None);
    }
}
