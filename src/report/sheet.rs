//! A text that is pasted elsewhere as a whole, as lines of a few kinds.
//!
//! The block for another team and the mail that asks for the next capture are made of these, once, and
//! each report sets them in its own way. It must not know a width, a mark-up or a colour.
//!
//! Invariant: what is to be copied is a line of code, whole; nothing of it stands in another line.

use super::model::{ReportInput, sentence};
use crate::signin::Side;
use crate::verdict::{CaptureKind, NextCapture};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Room between two parts.
    Blank,
    /// A command, an address, a line of a query; it is never broken.
    Code {
        /// How deep it stands.
        depth: usize,
        /// What it says.
        text: String,
    },
    /// A value with what it is; of several values the first has the label.
    Fact {
        /// What it is.
        label: &'static str,
        /// The value.
        text: String,
    },
    /// The name of what follows.
    Head(String),
    /// One of a list.
    Item {
        /// Its number, or a dash.
        mark: String,
        /// What it says.
        text: String,
    },
    /// What belongs to the code before it.
    Note(String),
    /// Words.
    Text {
        /// How deep they stand.
        depth: usize,
        /// What they say.
        text: String,
    },
}

/// A text of such lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    lines: Vec<Line>,
}

impl Sheet {
    /// Its lines in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Room, but never twice and never at the top.
    pub(super) fn blank(&mut self) {
        if !matches!(self.lines.last(), None | Some(Line::Blank)) {
            self.lines.push(Line::Blank);
        }
    }

    pub(super) fn code(&mut self, depth: usize, text: &str) {
        self.lines.push(Line::Code { depth, text: text.to_owned() });
    }

    pub(super) fn fact(&mut self, label: &'static str, text: &str) {
        self.lines.push(Line::Fact { label, text: text.to_owned() });
    }

    pub(super) fn head(&mut self, text: &str) {
        self.lines.push(Line::Head(text.to_owned()));
    }

    pub(super) fn item(&mut self, mark: &str, text: &str) {
        self.lines.push(Line::Item { mark: mark.to_owned(), text: text.to_owned() });
    }

    pub(super) fn note(&mut self, text: &str) {
        self.lines.push(Line::Note(text.to_owned()));
    }

    pub(super) fn text(&mut self, depth: usize, text: &str) {
        self.lines.push(Line::Text { depth, text: text.to_owned() });
    }

    /// The mail that asks for the next capture.
    pub fn mail(report: &ReportInput<'_>, next: &NextCapture) -> Self {
        let mut sheet = Self::default();
        sheet.text(0, "Hello,");
        sheet.blank();
        sheet.text(0, intro(report.verdict.side, next.kind));
        sheet.blank();
        sheet.missing(report, next);
        sheet.wanted(next);
        sheet
    }

    /// What is missing.
    pub(super) fn missing(&mut self, report: &ReportInput<'_>, next: &NextCapture) {
        self.fact("Missing:", &sentence(&next.missing, report.redaction));
    }

    /// How to take it.
    pub(super) fn wanted(&mut self, next: &NextCapture) {
        let sheet = self;
        let password = next.kind == CaptureKind::Password;
        if !password {
            sheet.fact("System:", &system(next));
            sheet.fact("Tool:", next.tool);
            sheet.fact("Start:", next.start);
            sheet.fact("Stop:", next.stop);
        }
        sheet.blank();
        for (number, step) in (1_usize..).zip(&next.steps) {
            let mut lines = step.lines();
            sheet.item(&format!("{number}."), lines.next().unwrap_or_default());
            for command in lines {
                sheet.code(6, command);
            }
        }
        if !next.reminder.is_empty() {
            sheet.blank();
            sheet.text(0, next.reminder);
        }
    }
}

const fn intro(side: Side, kind: CaptureKind) -> &'static str {
    match (kind, side) {
        (CaptureKind::Password, _) => {
            "the archive we have is protected by a password, and without it nothing can be read."
        }
        (_, Side::CannotTell) => {
            "the recording we have does not show why the sign-in did not get through multifactor \
             authentication. Please take one more."
        }
        _ => {
            "the recording we have does not prove why the sign-in did not get through multifactor \
             authentication. Please take one more."
        }
    }
}

fn system(next: &NextCapture) -> String {
    match (next.browser, next.is_assumed) {
        (_, true) => "Windows (not named in the recording; please tell us if it is another)".into(),
        (Some(browser), false) => format!("{}, {}", next.system.name(), browser.name()),
        (None, false) => next.system.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_mail_asks_for_one_thing() {
        let case = samples::undetermined();
        let next = case.verdict.next_capture.as_ref().unwrap();
        let mail = Sheet::mail(&case.report(), next);
        let items = mail.lines().iter().filter(|line| matches!(line, Line::Item { .. })).count();
        assert_eq!(items, next.steps.len());
        assert_eq!(mail.lines().first(), Some(&Line::Text { depth: 0, text: "Hello,".into() }));
    }
}
