//! Lines of at most 80 columns for a terminal, a mail or a ticket.
//!
//! Every character passes through one place, where whatever a terminal would act on is taken out,
//! lines are wrapped by display width, and colours are added last. It must not know what it prints.
//!
//! Invariants: a line is wider than [`WIDTH`] only when it holds a single word that is (an id, a
//! URL, a host); without colour no escape character leaves this module.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::model::{GLUE, harmless, wrapped};

/// Columns of a line.
pub(super) const WIDTH: usize = 80;

/// How a piece of a line is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Bad,
    Doubt,
    Faint,
    Good,
    Plain,
    Strong,
}

impl Tone {
    const fn style(self) -> anstyle::Style {
        use anstyle::AnsiColor::{Green, Red, Yellow};
        let style = anstyle::Style::new();
        match self {
            Self::Bad => style.fg_color(Some(anstyle::Color::Ansi(Red))).bold(),
            Self::Doubt => style.fg_color(Some(anstyle::Color::Ansi(Yellow))).bold(),
            Self::Faint => style.dimmed(),
            Self::Good => style.fg_color(Some(anstyle::Color::Ansi(Green))).bold(),
            Self::Plain => style,
            Self::Strong => style.bold(),
        }
    }
}

/// A report that is being written.
#[derive(Debug)]
pub(super) struct Page {
    out: String,
    colour: bool,
}

impl Page {
    pub(super) const fn new(colour: bool) -> Self {
        Self { out: String::new(), colour }
    }

    /// The text; it ends with one line end.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty line, but never two and never at the top.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// The head of a section, with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.text(0, text, Tone::Strong);
    }

    /// Wrapped text.
    pub(super) fn text(&mut self, indent: usize, text: &str, tone: Tone) {
        self.row(&[], indent, text, tone);
    }

    /// Wrapped text behind cells that stand on its first line; the text begins at column `indent`.
    ///
    /// Cells are padded to `indent` columns together.
    pub(super) fn row(&mut self, cells: &[(&str, Tone)], indent: usize, text: &str, tone: Tone) {
        let lines = wrap(&harmless(text), WIDTH.saturating_sub(indent));
        let mut used = 0_usize;
        for (cell, tone) in cells {
            let cell = harmless(cell);
            used = used.saturating_add(cell.width());
            self.paint(&cell, *tone);
        }
        for (index, line) in lines.iter().enumerate() {
            if !line.is_empty() {
                self.pad(if index == 0 { indent.saturating_sub(used) } else { indent });
                self.paint(line, tone);
            }
            self.end_line();
        }
    }

    /// One line of cells that the caller has padded.
    pub(super) fn cells(&mut self, cells: &[(&str, Tone)]) {
        for (cell, tone) in cells {
            self.paint(&harmless(cell), *tone);
        }
        self.end_line();
    }

    /// One line that is never broken: an id, a URL, a line of a query.
    pub(super) fn whole(&mut self, indent: usize, text: &str) {
        self.pad(indent);
        self.paint(&harmless(text), Tone::Plain);
        self.end_line();
    }

    /// A name that is broken wherever the line ends, behind cells on its first line.
    pub(super) fn name(&mut self, cells: &[(&str, Tone)], indent: usize, text: &str) {
        let text = harmless(text);
        let room = WIDTH.saturating_sub(indent);
        let mut lines = vec![String::new()];
        let mut used = 0_usize;
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if used.saturating_add(width) > room {
                lines.push(String::new());
                used = 0;
            }
            used = used.saturating_add(width);
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
        let mut cells = cells;
        for line in lines {
            let mut before = 0_usize;
            for (cell, tone) in cells {
                before = before.saturating_add(cell.width());
                self.paint(cell, *tone);
            }
            cells = &[];
            self.pad(indent.saturating_sub(before));
            self.paint(&line, Tone::Strong);
            self.end_line();
        }
    }

    fn pad(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn paint(&mut self, text: &str, tone: Tone) {
        let shown = text.replace(GLUE, " ");
        let style = tone.style();
        // Blanks take no colour, so that a line without text stays without escapes.
        if !self.colour || tone == Tone::Plain || shown.trim().is_empty() {
            self.out.push_str(&shown);
            return;
        }
        let _ = write!(self.out, "{style}{shown}{style:#}");
    }

    fn end_line(&mut self) {
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }
}

/// Lines of at most `width` columns, broken at blanks; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    wrapped(text, width, UnicodeWidthStr::width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_by_display_width() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("界界 界界", 4), ["界界", "界界"]);
        assert_eq!(wrap("a verylongword b", 4), ["a", "verylongword", "b"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        let mut page = Page::new(false);
        page.text(0, "a\u{1b}[31mb\u{9b}c\u{202e}d\u{7}e\rf\ng", Tone::Bad);
        assert_eq!(page.finish(), "a?[31mb?c?d?e?f g\n");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let mut page = Page::new(true);
        page.row(&[("  ", Tone::Plain), (">>", Tone::Bad)], 6, "text", Tone::Plain);
        assert_eq!(page.finish(), "  \u{1b}[1m\u{1b}[31m>>\u{1b}[0m  text\n");
    }

    #[test]
    fn glue_keeps_words_together() {
        let mut page = Page::new(false);
        page.text(74, &format!("ab [x{GLUE}1]"), Tone::Plain);
        assert_eq!(page.finish().lines().count(), 2);
    }

    #[test]
    fn a_name_is_broken_anywhere() {
        let mut page = Page::new(false);
        page.name(&[("0", Tone::Faint)], 2, &"x".repeat(100));
        let text = page.finish();
        assert!(text.lines().all(|line| line.width() <= WIDTH));
        assert_eq!(text.matches('x').count(), 100);
    }
}
