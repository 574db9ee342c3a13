//! The lexical level: where a JSON value ends, without knowing what it says.
//!
//! A [`ValueScan`] is fed pieces and says when the value is complete; it can also drop long strings
//! on the way. [`repaired`] turns what writers produce by mistake into JSON. Neither knows HAR.
//!
//! Invariants: the state after any pieces equals the state after their concatenation; nothing
//! recurses, so no depth of nesting can exhaust the stack.

use memchr::{memchr2, memmem};

/// Finds the end of one JSON value in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ValueScan {
    depth: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Structure,
    Text,
    Escape,
    Scalar,
}

/// Where a string began or ended in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The string goes on behind this many bytes, or behind the piece.
    Inside(usize),
    /// The value is complete behind this many bytes.
    Complete(usize),
    /// The piece ends outside a string.
    Outside,
}

impl ValueScan {
    /// Whether the next byte is inside a string.
    pub(super) fn is_in_text(self) -> bool {
        matches!(self.state, State::Text | State::Escape)
    }

    /// Takes a piece; gives the number of bytes that belong to the value when it ends in the piece.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            match self.step(rest) {
                Edge::Inside(count) => at = at.saturating_add(count),
                Edge::Complete(count) => return Some(at.saturating_add(count)),
                Edge::Outside => return None,
            }
            if at >= piece.len() {
                return None;
            }
        }
    }

    /// Goes on to the next border of a string, or to the end of the value or the piece.
    pub(super) fn step(&mut self, piece: &[u8]) -> Edge {
        match self.state {
            State::Text | State::Escape => Edge::Inside(self.text(piece)),
            _ => self.structure(piece),
        }
    }

    /// Inside a string: the number of bytes up to and with the closing quote.
    fn text(&mut self, piece: &[u8]) -> usize {
        let mut at = 0_usize;
        if self.state == State::Escape && !piece.is_empty() {
            self.state = State::Text;
            at = 1;
        }
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            // Most strings are short: a call of the vector search costs more than a few steps.
            let near = rest.iter().take(16).position(|byte| matches!(byte, b'"' | b'\\'));
            let found = near.or_else(|| {
                let far = rest.get(16..)?;
                memchr2(b'"', b'\\', far).map(|index| index.saturating_add(16))
            });
            let Some(index) = found else { return piece.len() };
            at = at.saturating_add(index).saturating_add(1);
            if rest.get(index) == Some(&b'"') {
                self.state = if self.depth == 0 { State::Before } else { State::Structure };
                return at;
            }
            if at >= piece.len() {
                self.state = State::Escape;
                return piece.len();
            }
            at = at.saturating_add(1);
        }
    }

    fn structure(&mut self, piece: &[u8]) -> Edge {
        for (index, byte) in piece.iter().enumerate() {
            let next = index.saturating_add(1);
            match byte {
                b'"' => {
                    if self.state == State::Scalar {
                        return Edge::Complete(index);
                    }
                    self.state = State::Text;
                    return Edge::Inside(next);
                }
                b'{' | b'[' => {
                    if self.state == State::Scalar {
                        return Edge::Complete(index);
                    }
                    self.depth = self.depth.saturating_add(1);
                    self.state = State::Structure;
                }
                b'}' | b']' => {
                    if self.depth == 0 {
                        return Edge::Complete(index);
                    }
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Edge::Complete(next);
                    }
                }
                b',' if self.depth == 0 => return Edge::Complete(index),
                b' ' | b'\t' | b'\r' | b'\n' => {
                    if self.state == State::Scalar {
                        return Edge::Complete(index);
                    }
                }
                _ => {
                    if self.depth == 0 {
                        self.state = State::Scalar;
                    }
                }
            }
        }
        Edge::Outside
    }
}

/// Where, in damaged text of one entry, another entry seems to begin: `{` and then the key that the
/// entries of this file begin with. Inside a string the quote of the key would be escaped.
pub(super) fn next_entry(text: &[u8], key: &[u8]) -> Option<usize> {
    memmem::find_iter(text, key).find_map(|at| {
        let before = text.get(..at)?;
        let brace = before.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
        (brace > 0 && before.get(brace) == Some(&b'{')).then_some(brace)
    })
}

/// The first key of an object with its quotes.
pub(super) fn first_key(object: &[u8]) -> Option<&[u8]> {
    let quote = object.iter().position(|byte| *byte == b'"')?;
    let rest = object.get(quote..)?;
    let length = rest.iter().skip(1).take(64).position(|byte| matches!(byte, b'"' | b'\\'))?;
    rest.get(..length.checked_add(2)?).filter(|key| key.last() == Some(&b'"') && key.len() > 3)
}

/// JSON out of text that is nearly JSON: bare words such as `NaN` become `null`, control bytes in
/// strings are escaped, unknown escapes lose their backslash, and commas too many go.
pub(super) fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut comma = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                settle(&mut out, &mut comma, true);
                out.push('"');
                repair_text(&mut out, &mut characters);
            }
            '}' | ']' => {
                settle(&mut out, &mut comma, false);
                out.push(character);
            }
            ',' => comma = true,
            '{' | '[' => {
                settle(&mut out, &mut comma, true);
                out.push(character);
            }
            _ if character.is_whitespace() || character.is_control() => {}
            ':' => out.push(':'),
            _ => {
                settle(&mut out, &mut comma, true);
                let mut word = String::from(character);
                while let Some(next) = characters.next_if(|next| {
                    next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.' | '_')
                }) {
                    word.push(next);
                }
                let valid = serde_json::from_str::<&serde_json::value::RawValue>(&word).is_ok();
                out.push_str(if valid { &word } else { "null" });
            }
        }
    }
    out
}

/// Writes a comma that was held back, unless the list ends here or has just begun.
fn settle(out: &mut String, comma: &mut bool, wanted: bool) {
    if std::mem::take(comma) && wanted && !out.ends_with(['{', '[', ',', ':']) {
        out.push(',');
    }
}

/// Copies a string up to and with its closing quote.
fn repair_text(out: &mut String, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                out.push('"');
                return;
            }
            '\\' => match characters.next() {
                Some(escape @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                    out.push('\\');
                    out.push(escape);
                }
                Some('u') => {
                    let digits: String = characters.clone().take(4).collect();
                    let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    out.push_str(if valid { "\\u" } else { "\\ufffd" });
                }
                Some(other) => out.push(other),
                None => {}
            },
            _ if character < ' ' => match character {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                _ => out.push(' '),
            },
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_each_kind_of_value() {
        let cases: &[(&str, &str)] = &[
            (r#"{"a":"}\"","b":[1,{}]},"#, r#"{"a":"}\"","b":[1,{}]}"#),
            ("[1,2] ", "[1,2]"),
            ("12,", "12"),
            ("null}", "null"),
            (r#""a\\","#, r#""a\\""#),
        ];
        for (text, value) in cases {
            for split in 0..text.len() {
                let (first, second) = text.as_bytes().split_at(split);
                let mut scan = ValueScan::default();
                let end = match scan.feed(first) {
                    Some(end) => end,
                    None => scan.feed(second).unwrap() + split,
                };
                assert_eq!(&text.as_bytes()[..end], value.as_bytes(), "split at {split}");
            }
        }
    }

    #[test]
    fn finds_the_next_entry() {
        let text = br#"{"id":1,"text":"{\"id\":2" , {  "id":3}"#;
        assert_eq!(first_key(text), Some(br#""id""#.as_slice()));
        assert_eq!(next_entry(text, br#""id""#), Some(29));
        assert_eq!(next_entry(br#"{"id":1}"#, br#""id""#), None);
    }

    #[test]
    fn repairs() {
        let cases: &[(&str, &str)] = &[
            (r#"{"time": NaN, "a": -Infinity,}"#, r#"{"time":null,"a":null}"#),
            ("{\"a\": \"x\ny\\qz\", \"b\": [1,,2],}", r#"{"a":"x\nyqz","b":[1,2]}"#),
            (r#"{"a":"\ud8zz"}"#, r#"{"a":"\ufffdd8zz"}"#),
            (r#"{"a":undefined,"b":-1.5e3}"#, r#"{"a":null,"b":-1.5e3}"#),
        ];
        for (text, want) in cases {
            assert_eq!(repaired(text), *want);
        }
    }
}
