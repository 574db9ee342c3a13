//! Explanations for people: one block for each meaning, in the look of the report.
//!
//! It lays out what the entries say and adds no statement of its own. It must not look anything up.
//!
//! Invariant: a line is wider than the page only where it holds a URL.

use unicode_width::UnicodeWidthStr;

use super::page::{Page, Tone, WIDTH};
use super::{LABEL, fact};
use crate::report::explain::{Answer, Entry};
use crate::report::model::guide_words;

/// Writes the answers that have an entry; the others are for the standard error.
pub fn write(answers: &[Answer], colour: bool, tool_version: &str) -> String {
    let mut page = Page::new(colour);
    let mut entries = answers.iter().flat_map(|answer| &answer.entries).peekable();
    if entries.peek().is_none() {
        return page.finish();
    }
    for entry in entries {
        one(&mut page, entry);
    }
    page.blank();
    let words =
        format!("mfatrace {tool_version}. Signs, look-alikes and next steps are our reading.");
    page.text(0, &words, Tone::Faint);
    page.finish()
}

fn one(page: &mut Page, entry: &Entry) {
    let title = match entry.name {
        Some(name) => format!("{}: {name}", entry.key),
        None => entry.key.clone(),
    };
    page.heading(&title);
    page.blank();
    fact(page, "Kind", entry.kind.words());
    fact(page, "Meaning", &folded(&entry.meaning));
    for detail in &entry.details {
        fact(page, detail.label, &folded(&detail.text));
    }
    fact(page, "Wire sign", &folded(&entry.wire_sign));
    fact(page, "Look-alike", &folded(&entry.look_alike));
    fact(page, "Next step", &folded(&entry.next_step));
    fact(page, "Matter of", &entry.matter);
    if let Some(guide) = entry.guide {
        fact(page, "Guide cause", guide_words(guide));
    }
    if !entry.rules.is_empty() {
        let ids: Vec<&str> = entry.rules.iter().map(|id| id.0).collect();
        fact(page, "Feeds rule", &ids.join(", "));
    }
    let source = if entry.verified {
        folded(&entry.source)
    } else {
        let remark = entry.source.trim_start_matches("unverified").trim();
        format!("unverified: no public source confirms this {remark}")
    };
    fact(page, "Source", source.trim_end());
    // What the first source has already is not named again.
    let signs = entry.signs_source.map(|signs| {
        signs
            .strip_prefix(entry.source.as_str())
            .map_or(signs, |rest| rest.trim_matches([';', ' ']))
    });
    let signs = signs.filter(|signs| !signs.is_empty());
    if let Some(signs) = signs.filter(|signs| entry.verified || !signs.starts_with("unverified")) {
        fact(page, "Signs from", &folded(signs));
    }
    fact(page, "As of", entry.as_of);
}

/// A text whose over-long words, paths as a rule, can be broken behind a slash or a sign like it.
///
/// A URL is never broken.
fn folded(text: &str) -> String {
    let room = WIDTH.saturating_sub(LABEL);
    let words: Vec<String> = text
        .split(' ')
        .map(|word| {
            if word.width() > room && !word.contains("://") {
                broken(word, room)
            } else {
                word.to_owned()
            }
        })
        .collect();
    words.join(" ")
}

/// A word in pieces that fit, each as long as can be, so that two never stand on one line.
fn broken(word: &str, room: usize) -> String {
    let mut pieces: Vec<String> = Vec::new();
    let mut rest = word;
    while rest.width() > room {
        let fits = rest
            .char_indices()
            .map(|(at, c)| at.saturating_add(c.len_utf8()))
            .take_while(|end| rest.get(..*end).is_some_and(|piece| piece.width() <= room));
        let last = fits.clone().last().unwrap_or_default();
        let at = fits
            .filter(|end| rest.get(..*end).is_some_and(|piece| piece.ends_with(['/', '_', '-'])))
            .last()
            .unwrap_or(last);
        let Some((piece, later)) = rest.split_at_checked(at).filter(|(piece, _)| !piece.is_empty())
        else {
            break;
        };
        pieces.push(piece.to_owned());
        rest = later;
    }
    pieces.push(rest.to_owned());
    pieces.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain::{Books, answers, everything};

    const BOOKS: Books<'static> = Books { rules: &[], fed: &|_| Vec::new() };

    #[test]
    fn every_line_of_every_entry_fits() {
        let all: Vec<Answer> = everything(&BOOKS)
            .into_iter()
            .flat_map(|name| answers(std::slice::from_ref(&name), &BOOKS))
            .collect();
        let text = write(&all, false, "0.1.0");
        for line in text.lines() {
            assert!(line.width() <= WIDTH || line.contains("://"), "{line}");
            assert_eq!(line, line.trim_end());
        }
        assert!(text.ends_with('\n') && !text.contains("\n\n\n"));
    }

    #[test]
    fn colour_adds_escapes_and_nothing_else() {
        let asked = ["50074".to_owned(), "unknown_ca".to_owned()];
        let all = answers(&asked, &BOOKS);
        let coloured = write(&all, true, "0.1.0");
        let plain = write(&all, false, "0.1.0");
        assert!(coloured.contains("\u{1b}[1m") && !plain.contains('\u{1b}'));
        let stripped: String = coloured
            .split("\u{1b}[")
            .enumerate()
            .map(|(index, piece)| match index {
                0 => piece,
                _ => piece.split_once('m').unwrap().1,
            })
            .collect();
        assert_eq!(stripped, plain);
    }

    #[test]
    fn nothing_known_is_nothing_written() {
        assert_eq!(write(&answers(&["nonsense".to_owned()], &BOOKS), false, "0.1.0"), "");
    }

    #[test]
    fn long_words_are_broken_where_it_reads_well() {
        assert_eq!(broken("docs/identity/file.md", 10), "docs/ identity/ file.md");
        assert_eq!(broken("abcdefghij", 4), "abcd efgh ij");
        let url = format!("see https://a.example/{}", "x".repeat(90));
        assert_eq!(folded(&url), url);
    }
}
