//! How the values of the other tables show in a capture, what they are confused with, what to do.
//!
//! One table for the closed lists: classes of result values, shapes of methods, pages, outcomes and
//! so on. It knows nothing of captures. Its rows are asked by the list and the value; a text that
//! depends on a number has a place holder for it.
//!
//! Rows are sorted and unique. A field may be empty where the table of the value itself says it.

use std::sync::LazyLock;

use super::table::{self, vocabulary};

const NOTES: &str = include_str!("notes.tsv");

static ROWS: LazyLock<Vec<NoteRow>> =
    LazyLock::new(|| table::rows(NOTES).filter_map(NoteRow::parse).collect());

vocabulary! {
    /// The list that a note belongs to.
    NoteSubject {
        /// TLS alerts, by status.
        Alert = "alert",
        /// Error codes without a note of their own, by field and nature: `mfa/challenge`.
        Code = "code",
        /// Diagnostics of reading, by code.
        Diagnostic = "diagnostic",
        /// Failure texts, by the stage of the request.
        Fault = "fault",
        /// Causes of the troubleshooting guide.
        Guide = "guide",
        /// MFA methods, by name or else by their shape.
        Method = "method",
        /// Outcomes of an attempt.
        Outcome = "outcome",
        /// Pages, by name.
        Page = "page",
        /// Numbers of policy pages: `title`, or `description/30`.
        PolicyPage = "policy-page",
        /// Failure texts, by who writes them.
        Producer = "producer",
        /// Result values, by class.
        Result = "result",
        /// Sides.
        Side = "side",
        /// Steps of a sign-in.
        Step = "step",
    }
}

/// A row of the table of notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// The list.
    pub subject: NoteSubject,
    /// The value in the list.
    pub key: &'static str,
    /// What the value means; empty where its own table says it.
    pub meaning: &'static str,
    /// Where and how it is seen in a capture.
    pub wire_sign: &'static str,
    /// What it is confused with.
    pub alike: &'static str,
    /// What to do.
    pub next_step: &'static str,
    /// Where to check the reading, or that the value is one of this program.
    pub source: &'static str,
}

impl NoteRow {
    fn parse(row: [&'static str; 7]) -> Option<Self> {
        let [subject, key, meaning, wire_sign, alike, next_step, source] = row;
        let subject = NoteSubject::parse(subject)?;
        Some(Self { subject, key, meaning, wire_sign, alike, next_step, source })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }
}

/// The note on a value of a list.
pub fn note(subject: NoteSubject, key: &str) -> Option<&'static NoteRow> {
    let at = ROWS.binary_search_by(|row| (row.subject, row.key).cmp(&(subject, key))).ok()?;
    ROWS.get(at)
}

/// Every note on a list.
pub fn notes(subject: NoteSubject) -> impl Iterator<Item = &'static NoteRow> {
    ROWS.iter().filter(move |row| row.subject == subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::alerts::AlertStatus;
    use crate::entra::failures::{FailureStage, Producer};
    use crate::entra::methods::MethodShape;
    use crate::entra::policy_pages::PolicyText;
    use crate::entra::table::check;
    use crate::entra::{
        GuideCause, Outcome, ResultClass, Side, StepKind, code_notes, errors, methods, pages,
    };

    fn keys(subject: NoteSubject) -> Vec<&'static str> {
        let mut keys: Vec<_> = notes(subject).map(|row| row.key).collect();
        keys.sort_unstable();
        keys
    }

    fn sorted<T: Copy>(values: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
        let mut names: Vec<_> = values.iter().copied().map(name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(NOTES, 7);
        check::complete(NOTES, ROWS.len());
        check::rising(ROWS.iter().map(|row| (row.subject, row.key)));
        check::rising(NoteSubject::ALL.iter().map(|subject| subject.as_str()));
        for row in ROWS.iter() {
            for text in [row.meaning, row.wire_sign, row.alike, row.next_step] {
                assert!(text.is_empty() || text.ends_with('.'), "{}: {text}", row.key);
                assert!(!text.contains('`'), "{}: {text}", row.key);
            }
            assert!(!row.source.is_empty(), "{}", row.key);
        }
    }

    #[test]
    fn every_value_of_a_closed_list_has_its_note() {
        use NoteSubject as Of;
        assert_eq!(keys(Of::Alert), sorted(AlertStatus::ALL, AlertStatus::as_str));
        assert_eq!(keys(Of::Fault), sorted(FailureStage::ALL, FailureStage::as_str));
        assert_eq!(keys(Of::Guide), sorted(GuideCause::ALL, GuideCause::as_str));
        let of_methods = sorted(MethodShape::ALL, MethodShape::as_str);
        assert!(of_methods.iter().all(|shape| note(Of::Method, shape).is_some()));
        let known = |key: &str| of_methods.contains(&key) || methods::method(key).is_some();
        assert!(keys(Of::Method).into_iter().all(known));
        assert_eq!(keys(Of::Outcome), sorted(Outcome::ALL, Outcome::as_str));
        assert_eq!(keys(Of::Producer), sorted(Producer::ALL, Producer::as_str));
        assert_eq!(keys(Of::Result), sorted(ResultClass::ALL, ResultClass::as_str));
        assert_eq!(keys(Of::Side), sorted(Side::ALL, Side::as_str));
        assert_eq!(keys(Of::Step), sorted(StepKind::ALL, StepKind::as_str));
        let pages: Vec<_> = pages::pages().map(|row| row.pgid).collect();
        assert_eq!(keys(Of::Page), pages);
        for text in PolicyText::ALL {
            assert!(note(Of::PolicyPage, text.as_str()).is_some(), "{text}");
        }
    }

    #[test]
    fn a_code_without_a_note_of_its_own_is_told_by_its_kind() {
        for row in errors::errors() {
            if code_notes::code_note(row.code).is_some() {
                continue;
            }
            let key = format!("{}/{}", row.category, row.nature);
            let found = note(NoteSubject::Code, &key).unwrap_or_else(|| panic!("{key}"));
            assert!(!found.wire_sign.is_empty() && !found.alike.is_empty(), "{key}");
            assert!(!found.next_step.is_empty(), "{key}");
        }
    }

    #[test]
    fn unknown_values_have_none() {
        assert_eq!(note(NoteSubject::Page, "ConvergedSomethingNew"), None);
        assert_eq!(note(NoteSubject::Side, ""), None);
    }
}
