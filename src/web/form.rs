//! The forms of a report.
//!
//! It must not know which request asks for one.
//!
//! Invariant: a report is the same, byte for byte, as the command line writes it for the same captures.

use crate::analyze::Analysis;
use crate::evidence::Redaction;
use crate::report::text::Detail;
use crate::report::{ReportInput, csv, html, json, markdown, ndjson, sarif, text};

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Html,
    Json,
    Markdown,
    Ndjson,
    Sarif,
    Text,
}

impl Form {
    pub(super) const ALL: [Self; 7] =
        [Self::Html, Self::Text, Self::Markdown, Self::Json, Self::Ndjson, Self::Csv, Self::Sarif];

    /// The name, as `--format` has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Ndjson => "ndjson",
            Self::Sarif => "sarif",
            Self::Text => "text",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == name)
    }

    /// The media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Sarif => "application/sarif+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// Writes the report.
    pub(super) fn write(self, analysis: &Analysis, redaction: Redaction, facts: bool) -> String {
        let report = analysis.report(env!("CARGO_PKG_VERSION"));
        let report = ReportInput { redaction, with_evidence: facts, ..report };
        match self {
            Self::Csv => csv::write(&report),
            Self::Html => html::write(&report),
            Self::Json => json::write(&report),
            Self::Markdown => markdown::write(&report),
            Self::Ndjson => ndjson::write(&report),
            Self::Sarif => sarif::write(&report),
            Self::Text => text::write(&report, false, Detail::Normal),
        }
    }
}
