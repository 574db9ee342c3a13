//! Text that stays text: in Markdown, in a table of it, in code, in a Mermaid diagram.
//!
//! What a renderer could take for markup is escaped, with entities where those are safe as HTML too. What
//! sites turn into links, mentions or pictures on their own (`@`, `#`, `://`, `:name:`) stands in code. It
//! must not know where a text is from: all of it is treated alike.
//!
//! Invariants: no line end, no `<` and no unescaped `|` leaves this module; code holds no backtick.

use std::fmt::Write as _;

use crate::report::model::{GLUE, harmless};

/// Characters of one message in a diagram.
const MESSAGE: usize = 90;

/// Words as Markdown.
pub(in crate::report) fn words(text: &str) -> String {
    let text = harmless(text).replace(GLUE, " ");
    let parts = text.split(' ').filter(|word| !word.is_empty()).enumerate();
    let words: Vec<String> = parts.map(|(index, part)| word(part, index == 0)).collect();
    words.join(" ")
}

fn word(word: &str, is_first: bool) -> String {
    if is_acted_on(word) {
        return code(word);
    }
    let mut out = String::with_capacity(word.len() + 8);
    let mut before = None;
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        let is_inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("&#124;"),
            '`' => out.push_str("&#96;"),
            '\\' | '*' | '[' | ']' | '{' | '}' | '~' | '^' => {
                out.push('\\');
                out.push(c);
            }
            // Inside a word it is no mark.
            '_' if !(is_inside(before) && is_inside(after)) => out.push_str("\\_"),
            // At the beginning of a line these make lists, heads and rules.
            '-' | '+' | '=' if is_first && before.is_none() => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if is_first && after.is_none() && is_number(&out) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a site would make more of a word than its letters.
fn is_acted_on(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    word.contains(['@', '#', '$'])
        || ["://", "www.", "mailto:", "xmpp:", "javascript:", "gh-"]
            .iter()
            .any(|start| lower.contains(start))
        || has_picture_name(word)
}

/// Whether a part reads `:name:`, which sites show as a picture.
fn has_picture_name(word: &str) -> bool {
    let mut parts = word.split(':');
    let _before = parts.next();
    let between: Vec<&str> = parts.collect();
    let inner = between.len().saturating_sub(1);
    between.iter().take(inner).any(|name| {
        // The minutes of a time are no name.
        let is_minutes = name.len() == 2 && is_number(name);
        !name.is_empty()
            && !is_minutes
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-'))
    })
}

/// A word as code; what code cannot hold is replaced by what looks like it.
pub(in crate::report) fn code(text: &str) -> String {
    let text: String = harmless(text)
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '|' => '\u{a6}',
            '<' => '\u{2039}',
            '>' => '\u{203a}',
            GLUE => ' ',
            c => c,
        })
        .collect();
    match text.trim() {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

/// Lines as a block of code, fenced by more backticks than they hold.
pub(super) fn fenced(text: &str, language: &str) -> String {
    let mut longest = 0_usize;
    let mut run = 0_usize;
    for c in text.chars() {
        run = if c == '`' { run.saturating_add(1) } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.saturating_add(1).max(3));
    let lines: Vec<String> = text.lines().map(harmless).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// Words as the message of a diagram: letters, digits and a few marks, all else by its number.
pub(super) fn message(text: &str) -> String {
    let text = harmless(text).replace(GLUE, " ");
    let mut out = String::new();
    let mut shown = text.chars();
    for c in shown.by_ref().take(MESSAGE) {
        if c.is_ascii_alphanumeric() || " .,:'()+-/_".contains(c) {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    if shown.next().is_some() {
        out.push_str(" ...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(words("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert_eq!(words("[a](javascript:x)"), "`[a](javascript:x)`");
        assert_eq!(words("**b** _c_ a_b"), "\\*\\*b\\*\\* \\_c\\_ a_b");
        assert_eq!(words("# head\n- item 1. two"), "`#` head - item 1. two");
        assert_eq!(words("- item"), "\\- item");
        assert_eq!(words("1. item"), "1\\. item");
        assert_eq!(words("a|b `c` \\d &lt;"), "a&#124;b &#96;c&#96; \\\\d &amp;lt;");
        assert_eq!(words("see @team, #12, https://x.y"), "see `@team,` `#12,` `https://x.y`");
        assert_eq!(words("a :smile: b 10:14:07 UTC"), "a `:smile:` b 10:14:07 UTC");
        assert_eq!(words("@a<b>`|"), "`@a\u{2039}b\u{203a}'\u{a6}`");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert!(fenced("a\n````\nb", "").starts_with("`````\n"));
        assert_eq!(fenced("x", "kusto"), "```kusto\nx\n```\n");
    }

    #[test]
    fn a_message_holds_no_mark_of_a_diagram() {
        assert_eq!(message("a;b\nend: <x> %%"), "a#59;b end: #60;x#62; #37;#37;");
        assert!(message(&"x".repeat(200)).ends_with(" ..."));
    }
}
