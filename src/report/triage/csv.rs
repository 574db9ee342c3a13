//! Records as CSV, for spreadsheets and databases: one row for each.
//!
//! It has what people filter and count by; the comment, the mail and the findings in full are in the records. It must
//! not say anything that a record does not say.
//!
//! Invariants: every row has every column (RFC 4180, lines end with CR LF); no cell begins like a formula or holds
//! what a terminal acts on; several values of one cell are parted by blanks.

use std::fmt::Display;

use super::{Answer, Attempt, Record};
use crate::report::csv::line;

/// Declares the columns in their order, each with how its cell is made.
macro_rules! columns {
    ($($name:literal $cell:expr,)+) => {
        /// The names of the columns.
        const NAMES: &[&str] = &[$($name,)+];

        fn cells(record: &Record) -> Vec<String> {
            let made: &[fn(&Record) -> String] = &[$($cell,)+];
            made.iter().map(|make| make(record)).collect()
        }
    };
}

columns! {
    "path" |one| one.path.clone(),
    "tree_path" |one| one.tree_path.clone(),
    "member" |one| some(one.member.as_ref()),
    "part" |one| one.part.to_string(),
    "parts" |one| one.parts.to_string(),
    "sha256" |one| some(one.sha256.as_ref()),
    "bytes" |one| some(one.bytes),
    "code" |one| one.code.as_str().to_owned(),
    "format" |one| some(one.format.as_ref()),
    "looks_like" |one| some(one.looks_like.as_ref()),
    "producer" |one| some(one.producer.as_ref()),
    "records" |one| one.records.to_string(),
    "queue" |one| one.queue.as_str().to_owned(),
    "side" |one| of_answer(one, |it| Some(&it.side)),
    "outcome" |one| of_answer(one, |it| Some(&it.outcome)),
    "cause" |one| of_answer(one, |it| it.cause.as_ref()),
    "cause_name" |one| of_answer(one, |it| it.cause_name.as_ref()),
    "host" |one| of_answer(one, |it| it.host.as_ref()),
    "confidence" |one| of_answer(one, |it| Some(&it.confidence)),
    "summary" |one| of_answer(one, |it| Some(&it.summary)),
    "mfa" |one| of_attempt(one, |it| Some(&it.mfa)),
    "flow" |one| of_attempt(one, |it| Some(&it.flow)),
    "user" |one| of_attempt(one, |it| it.user.as_ref()),
    "tenant" |one| of_attempt(one, |it| it.tenant.as_ref()),
    "application" |one| of_attempt(one, |it| it.application.as_ref()),
    "resource" |one| of_attempt(one, |it| it.resource.as_ref()),
    "error_code" |one| some(one.attempt.as_ref().and_then(|it| it.code)),
    "error_codes" |one| one.attempt.as_ref().map_or_else(String::new, |it| all(&it.codes)),
    "correlation_ids" |one| one.attempt.as_ref().map_or_else(String::new, |it| all(&it.correlation_ids)),
    "request_ids" |one| one.attempt.as_ref().map_or_else(String::new, |it| all(&it.request_ids)),
    "first" |one| some(one.first.as_ref()),
    "last" |one| some(one.last.as_ref()),
    "attempts" |one| one.attempts.to_string(),
    "rules" |one| all(one.findings.iter().map(|it| &it.rule)),
    "issuer" |one| some(one.issuer.as_ref()),
    "fingerprint" |one| some(one.fingerprint.as_ref().map(|it| &it.id)),
    "mail" |one| (if one.mail.is_some() { "yes" } else { "no" }).to_owned(),
    "diagnostics" |one| all(one.diagnostics.iter().map(|it| &it.code)),
}

/// The head of the table.
pub fn head() -> String {
    let mut out = String::new();
    line(&mut out, NAMES.iter().copied());
    out
}

/// The row of a record.
pub fn row(record: &Record) -> String {
    let mut out = String::new();
    let cells = cells(record);
    line(&mut out, cells.iter().map(String::as_str));
    out
}

fn some(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn all(values: impl IntoIterator<Item = impl Display>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

fn of_answer(record: &Record, field: impl Fn(&Answer) -> Option<&String>) -> String {
    some(record.verdict.as_ref().and_then(field))
}

fn of_attempt(record: &Record, field: impl Fn(&Attempt) -> Option<&String>) -> String {
    some(record.attempt.as_ref().and_then(field))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::report::model::acts;

    fn rows(text: &str) -> Vec<Vec<String>> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .records()
            .map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect())
            .collect()
    }

    fn cell(record: &Record, name: &str) -> String {
        let column = NAMES.iter().position(|one| *one == name).unwrap();
        rows(&row(record))[0][column].clone()
    }

    #[test]
    fn a_record_is_a_row() {
        let mut names = NAMES.to_vec();
        assert_eq!(rows(&head()), [names.clone()]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
        let mut record = samples::denied("17/a.saz");
        record.attempt.as_mut().unwrap().codes = vec![50_058, 50_074];
        assert!(row(&record).ends_with("\r\n"));
        assert_eq!(rows(&row(&record))[0].len(), NAMES.len());
        assert_eq!(cell(&record, "tree_path"), "17/a.saz");
        assert_eq!(cell(&record, "outcome"), "mfa_denied");
        assert_eq!(cell(&record, "user"), "a***e@contoso.com");
        assert_eq!(cell(&record, "error_codes"), "50058 50074");
        assert_eq!(cell(&record, "mail"), "no");
        assert_eq!(cell(&samples::picture("b.png"), "outcome"), "");
    }

    #[test]
    fn no_cell_is_a_formula_or_acts() {
        let mut record = samples::denied("=cmd|'/C calc'!A0");
        record.path = "\u{1b}[2J@x,\"y\"\r\n".into();
        record.producer = Some("\t=1".into());
        assert_eq!(cell(&record, "tree_path"), "'=cmd|'/C calc'!A0");
        assert_eq!(cell(&record, "producer"), "' =1");
        let row = row(&record);
        assert!(!row.trim_end().contains(acts), "{row:?}");
        assert_eq!(cell(&record, "path"), "?[2J@x,\"y\"? ");
    }
}
