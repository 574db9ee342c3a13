//! What is pasted elsewhere, as the blocks that HTML has for it.
//!
//! It must not change a word.
//!
//! Invariant: each line of the sheet is in one block, in its order.

use std::fmt::Write as _;

use crate::report::sheet::{Line, Sheet};

/// Lines of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Code, whole.
    Code(String),
    /// Names with their values.
    Facts(Vec<(&'static str, Vec<String>)>),
    /// The name of what follows.
    Head(String),
    /// A list; its first number, where it is numbered.
    Items(Option<usize>, Vec<String>),
    /// What belongs to the code before.
    Note(String),
    /// Words, and whether they stand deeper.
    Text(bool, String),
}

/// The blocks of a sheet.
pub(super) fn blocks(sheet: &Sheet) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut apart = true;
    for line in sheet.lines() {
        let was_apart = std::mem::replace(&mut apart, false);
        match line {
            Line::Blank => apart = true,
            Line::Code { text, .. } => match blocks.last_mut() {
                Some(Block::Code(code)) if !was_apart => {
                    code.push('\n');
                    code.push_str(text);
                }
                _ => blocks.push(Block::Code(text.clone())),
            },
            Line::Fact { label, text } => match blocks.last_mut() {
                Some(Block::Facts(facts)) => match facts.last_mut().filter(|_| label.is_empty()) {
                    Some((_, values)) => values.push(text.clone()),
                    None => facts.push((label, vec![text.clone()])),
                },
                _ => blocks.push(Block::Facts(vec![(label, vec![text.clone()])])),
            },
            Line::Head(text) => blocks.push(Block::Head(text.clone())),
            Line::Item { mark, text } => match blocks.last_mut() {
                Some(Block::Items(_, items)) if !was_apart => items.push(text.clone()),
                _ => {
                    let number = mark.trim_end_matches('.').parse().ok();
                    blocks.push(Block::Items(number, vec![text.clone()]));
                }
            },
            Line::Note(text) => blocks.push(Block::Note(text.clone())),
            Line::Text { depth, text } => blocks.push(Block::Text(*depth > 0, text.clone())),
        }
    }
    blocks
}

/// The sheet as plain text, for a ticket that takes nothing else.
pub(super) fn plain(sheet: &Sheet) -> String {
    let mut out = String::new();
    for line in sheet.lines() {
        // Writing to a string cannot fail.
        let _ = match line {
            Line::Blank => writeln!(out),
            Line::Code { depth, text } | Line::Text { depth, text } => {
                writeln!(out, "{}{text}", " ".repeat(*depth))
            }
            Line::Fact { label, text } => writeln!(out, "  {label:<12}{text}"),
            Line::Head(text) => writeln!(out, "{text}"),
            Line::Item { mark, text } => writeln!(out, "  {mark} {text}"),
            Line::Note(text) => writeln!(out, "      {text}"),
        };
    }
    out.replace(crate::report::model::GLUE, " ")
}

#[cfg(test)]
mod tests {
    use super::super::super::handover::Handover;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn no_line_is_lost() {
        for case in samples::all() {
            let report = case.report();
            let Some(handover) = Handover::of(&report) else { continue };
            let sheet = handover.sheet(&report);
            let shown = format!("{:?}", blocks(&sheet));
            let plain = plain(&sheet);
            for line in sheet.lines() {
                let text = match line {
                    Line::Blank => continue,
                    Line::Code { text, .. }
                    | Line::Fact { text, .. }
                    | Line::Head(text)
                    | Line::Item { text, .. }
                    | Line::Note(text)
                    | Line::Text { text, .. } => text,
                };
                let quoted = format!("{text:?}");
                assert!(shown.contains(quoted.trim_matches('"')), "{text}");
                assert!(plain.contains(&text.replace('\u{a0}', " ")), "{text}");
            }
        }
    }
}
