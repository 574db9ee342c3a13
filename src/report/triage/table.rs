//! Records as a table for a terminal: a line for each.
//!
//! It must not know how many records there are: each line is made by itself, so that it can be shown at once.
//!
//! Invariants: no line is wider than the table; nothing that a terminal acts on gets through; the end of a path and
//! the beginning of an answer stay.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::{Code, Record};
use crate::report::model::{GLUE, harmless};

/// Columns where nothing is known of the terminal.
pub const WIDTH: usize = 80;
/// The least and the most columns that are used.
const LEAST: usize = 60;
const MOST: usize = 160;
/// Columns between two cells.
const GAP: usize = 2;
/// Columns of a queue and of a confidence.
const QUEUE: usize = 11;
const CONFIDENCE: usize = 6;
/// Of ten columns that are left those for the path.
const PATH: usize = 4;
/// What stands for what is left out, at the end of words and inside of a path, which may have dots.
const LEFT_OUT: &str = "...";
const LEFT_OUT_OF_PATH: &str = "~";

/// A table of a width.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    path: usize,
    answer: usize,
}

impl Table {
    /// A table of so many columns.
    pub fn new(width: usize) -> Self {
        let fixed = QUEUE + GAP + CONFIDENCE + GAP + GAP;
        let left = width.clamp(LEAST, MOST).saturating_sub(fixed);
        let path = left.saturating_mul(PATH) / 10;
        Self { path, answer: left.saturating_sub(path) }
    }

    /// The line with the names of the columns.
    pub fn head(self) -> String {
        self.line("QUEUE", "SURE", "FILE", "ANSWER")
    }

    /// The line of a record.
    pub fn row(self, record: &Record) -> String {
        let queue = match record.queue.as_str() {
            // The longest are told in fewer letters.
            "identity_policy" => "identity",
            "new_capture_needed" => "new capture",
            other => other,
        };
        let confidence = record.verdict.as_ref().map_or("-", |one| one.confidence.as_str());
        let path = match &record.member {
            Some(member) => format!("{}!{member}", record.tree_path),
            None => record.tree_path.clone(),
        };
        self.line(&queue.replace('_', " "), confidence, &path, &answer(record))
    }

    fn line(self, queue: &str, confidence: &str, path: &str, answer: &str) -> String {
        let cells = [
            padded(&begun(queue, QUEUE), QUEUE),
            padded(&begun(confidence, CONFIDENCE), CONFIDENCE),
            padded(&ended(path, self.path), self.path),
            begun(answer, self.answer),
        ];
        let line = cells.join(&" ".repeat(GAP));
        format!("{}\n", line.trim_end())
    }
}

/// The answer in a few words.
fn answer(record: &Record) -> String {
    let Some(verdict) = &record.verdict else {
        return match &record.looks_like {
            Some(looks) if record.code == Code::NotACapture => format!("no capture: {looks}"),
            _ => record.code.as_str().to_owned(),
        };
    };
    let mut words = verdict.cause.clone().unwrap_or_else(|| verdict.outcome.clone());
    if let Some(host) = &verdict.host {
        words.push(' ');
        words.push_str(host);
    } else if verdict.cause.is_some() {
        words.push(' ');
        words.push_str(&verdict.outcome);
    }
    let code = record.attempt.as_ref().and_then(|attempt| attempt.code);
    if let Some(code) = code.filter(|_| verdict.host.is_none()) {
        let _ = write!(words, " {code}");
    }
    if record.code == Code::Partial {
        words.push_str(" (read in part)");
    }
    words
}

/// A text without what a terminal acts on, in one line.
fn clean(text: &str) -> String {
    harmless(text).replace(GLUE, " ")
}

/// The beginning of a text, with a sign where it goes on.
fn begun(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text;
    }
    let room = width.saturating_sub(LEFT_OUT.len());
    format!("{}{LEFT_OUT}", taken(text.chars(), room).trim_end())
}

/// A path whose beginning and, above all, end stay.
fn ended(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text;
    }
    let room = width.saturating_sub(LEFT_OUT_OF_PATH.len());
    let begin = taken(text.chars(), room / 3);
    let end = taken(text.chars().rev(), room.saturating_sub(begin.width()));
    let end: String = end.chars().rev().collect();
    format!("{begin}{LEFT_OUT_OF_PATH}{end}")
}

/// As many characters as fit. Some are wider together than each by itself.
fn taken(characters: impl Iterator<Item = char>, room: usize) -> String {
    let mut out = String::new();
    for c in characters {
        out.push(c);
        if out.width() > room {
            out.pop();
            break;
        }
    }
    out
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::report::model::acts;

    #[test]
    fn a_line_fits_and_tells_the_answer() {
        let table = Table::new(WIDTH);
        let rows = [
            table.head(),
            table.row(&samples::network("17/customer trace of the second try.saz")),
            table.row(&samples::denied("18/denied.har")),
            table.row(&samples::picture("19/screen.png")),
            table.row(&samples::worker_lost("20/loop.pcapng")),
        ];
        insta::assert_snapshot!(rows.concat());
        for width in [0, 60, 80, 100, usize::MAX] {
            let row = Table::new(width).row(&samples::network(&"long/".repeat(80)));
            assert!(row.trim_end().width() <= width.clamp(LEAST, MOST), "{row}");
        }
    }

    #[test]
    fn the_end_of_a_path_stays() {
        assert_eq!(ended("tickets/0017/attachments/trace.har", 20), "ticket~nts/trace.har");
        assert_eq!(ended("界界界界界界.har", 12), "界~界界.har");
        assert_eq!(begun("abcdefgh", 6), "abc...");
        assert_eq!(begun("abc", 3), "abc");
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        let name = format!("17/{}\n\u{1b}[2J\u{202e}", crate::report::samples::HOSTILE_NAME);
        let row = Table::new(WIDTH).row(&samples::denied(&name));
        assert_eq!(row.matches('\n').count(), 1);
        assert!(!row.trim_end().contains(acts), "{row:?}");
        // Wide characters take two columns.
        let row = Table::new(WIDTH).row(&samples::denied(&"界".repeat(100)));
        assert!(row.trim_end().width() <= WIDTH, "{row}");
    }
}
