//! What a request asks for: the options of the command line, by their names.
//!
//! They stand in the query or in fields of a form. It must not read the capture.
//!
//! Invariant: an option that is not known, or whose value is not understood, is refused with words that do
//! not repeat it.

use super::form::Form;
use super::problem::Problem;
use crate::analyze::Selection;
use crate::evidence::Redaction;
use crate::time::Timestamp;

/// What to do with an upload.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) form: Form,
    pub(super) redaction: Redaction,
    pub(super) facts: bool,
    pub(super) selection: Selection,
    /// The name of a capture that comes without one.
    pub(super) name: Option<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            form: Form::Json,
            redaction: Redaction::Secrets,
            facts: false,
            selection: Selection::default(),
            name: None,
        }
    }
}

impl Ask {
    /// The options of a query.
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, Problem> {
        let mut ask = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            ask.set(&name, &value)?;
        }
        Ok(ask)
    }

    /// Sets one option.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "format" => self.form = Form::parse(value).ok_or(FORMAT)?,
            "redact" => {
                self.redaction = match value {
                    "secrets" => Redaction::Secrets,
                    "strict" => Redaction::Strict,
                    "none" => Redaction::None,
                    _ => return Err(Problem::wrong("redact is secrets, strict or none")),
                };
            }
            "evidence" => {
                self.facts = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Problem::wrong("evidence is true or false")),
                };
            }
            "user" => self.selection.user = Some(value.to_owned()),
            "attempt" => {
                self.selection.attempt =
                    Some(value.parse().map_err(|_| Problem::wrong("attempt is a number"))?);
            }
            "since" => self.selection.since = Some(time(value)?),
            "until" => self.selection.until = Some(time(value)?),
            "name" => self.name = Some(value.to_owned()),
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }
}

const FORMAT: Problem =
    Problem::wrong("format is json, html, text, markdown, ndjson, csv or sarif");
const UNKNOWN: Problem = Problem::wrong(
    "an option is not known; those are format, redact, evidence, user, attempt, since, until and name",
);

fn time(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text)
        .map(|(at, _)| at)
        .ok_or(Problem::wrong("since and until look like 2030-01-01T10:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_names_of_the_command_line() {
        let ask =
            Ask::of_query(Some("format=csv&redact=strict&attempt=2&evidence=true&name=a%20b"));
        let ask = ask.unwrap();
        assert_eq!((ask.form, ask.redaction, ask.facts), (Form::Csv, Redaction::Strict, true));
        assert_eq!((ask.selection.attempt, ask.name.as_deref()), (Some(2), Some("a b")));
        assert_eq!(Ask::of_query(None).unwrap().form, Form::Json);
        for wrong in ["format=pdf", "redact=", "attempt=x", "since=now", "hunter2=1", "evidence"] {
            assert!(Ask::of_query(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
