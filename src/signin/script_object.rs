//! Reads the object that a sign-in page assigns to `$Config`.
//!
//! The object is JavaScript that is JSON nearly always. Strings may hold braces, `</script>`, the end
//! of a CDATA section or a second `$Config=`, so nothing here looks for the end of the object: it is
//! read value by value. An object that is cut off gives what stood before the cut.
//!
//! Invariants: nesting is bounded by [`DEPTH`]; each step consumes input or stops.

use serde_json::{Map, Number, Value};

/// Objects and arrays inside one another.
const DEPTH: u32 = 64;

/// Places of one name that are looked at.
const PLACES: usize = 8;

/// The names to which pages assign their object.
const NAMES: [&str; 3] = ["$Config", "ServerData", "SETTINGS"];

/// The first object of the page that has one of the keys.
pub(super) fn find(page: &str, keys: &[&str]) -> Option<Map<String, Value>> {
    NAMES.iter().find_map(|name| {
        let places = memchr::memmem::find_iter(page.as_bytes(), name);
        places.take(PLACES).find_map(|start| {
            let after = page.get(start.checked_add(name.len())?..)?;
            let value = after.trim_start().strip_prefix('=')?.trim_start();
            if !value.starts_with('{') {
                return None;
            }
            let mut reader = Reader { rest: value };
            match reader.value(0) {
                Value::Object(map) if keys.iter().any(|key| map.contains_key(*key)) => Some(map),
                _ => None,
            }
        })
    })
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn skip(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let first = characters.next();
        self.rest = characters.as_str();
        first
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.skip();
        }
        found
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.peek() {
            Some('{') if depth < DEPTH => self.object(depth),
            Some('[') if depth < DEPTH => self.array(depth),
            Some('"' | '\'' | '`') => Value::String(self.string()),
            Some(_) => self.word(),
            None => Value::Null,
        }
    }

    fn object(&mut self, depth: u32) -> Value {
        self.skip();
        let mut map = Map::new();
        loop {
            match self.peek() {
                None => break,
                Some('}') => {
                    self.skip();
                    break;
                }
                Some(',') => {
                    self.skip();
                    continue;
                }
                Some(_) => {}
            }
            let key = match self.peek() {
                Some('"' | '\'') => self.string(),
                _ => self.name(),
            };
            if !self.take(':') {
                // Not a pair: what follows is no object of ours any more.
                if self.rest.is_empty() || key.is_empty() {
                    break;
                }
                continue;
            }
            let value = self.value(depth.saturating_add(1));
            map.insert(key, value);
        }
        Value::Object(map)
    }

    fn array(&mut self, depth: u32) -> Value {
        self.skip();
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None | Some('}') => break,
                Some(']') => {
                    self.skip();
                    break;
                }
                Some(',') => {
                    self.skip();
                }
                Some(_) => items.push(self.value(depth.saturating_add(1))),
            }
        }
        Value::Array(items)
    }

    /// An unquoted key; empty when there is none.
    fn name(&mut self) -> String {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        let name = name.to_owned();
        self.rest = rest;
        if name.is_empty() {
            self.skip();
        }
        name
    }

    fn string(&mut self) -> String {
        let quote = self.skip();
        let mut text = String::new();
        while let Some(c) = self.skip() {
            if Some(c) == quote {
                break;
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match self.skip() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{c}'),
                Some('\n') | None => {}
                Some('x') => text.push(self.hexadecimal(2)),
                Some('u') => {
                    let c = self.utf16();
                    text.push(c);
                }
                Some(other) => text.push(other),
            }
        }
        text
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        self.rest = rest;
        Some(number)
    }

    fn hexadecimal(&mut self, count: usize) -> char {
        self.digits(count).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn utf16(&mut self) -> char {
        let Some(first) = self.digits(4) else { return char::REPLACEMENT_CHARACTER };
        if (0xd800..0xdc00).contains(&first)
            && let Some(rest) = self.rest.strip_prefix("\\u")
        {
            let before = self.rest;
            self.rest = rest;
            match self.digits(4) {
                Some(second) if (0xdc00..0xe000).contains(&second) => {
                    let high = first.saturating_sub(0xd800) << 10;
                    let low = second.saturating_sub(0xdc00);
                    let code = high.saturating_add(low).saturating_add(0x1_0000);
                    return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                }
                _ => self.rest = before,
            }
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// A number, `true`, `false`, or an expression that is skipped to its end and reads `null`.
    fn word(&mut self) -> Value {
        let end = self.rest.find([',', '}', ']']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        match word.trim() {
            "true" | "!0" => Value::Bool(true),
            "false" | "!1" => Value::Bool(false),
            word => word
                .parse::<i64>()
                .map(Value::from)
                .ok()
                .or_else(|| word.parse().ok().and_then(Number::from_f64).map(Value::Number))
                .unwrap_or(Value::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Value {
        find(page, &["pgid"]).map_or(Value::Null, Value::Object)
    }

    #[test]
    fn strings_may_hold_what_ends_objects() {
        let page = r#"<script>//<![CDATA[
$Config={"a":"}; </script> ]]> $Config={\"pgid\":\"Wrong\"}","n":[1,-2.5,{"b":null}],"pgid":"ConvergedTFA","u":"\u00e9\ud83d\ude00\/"};
//]]></script>"#;
        let value = read(page);
        assert_eq!(value["pgid"], "ConvergedTFA");
        assert_eq!(value["u"], "é😀/");
        assert_eq!(value["n"][1], -2.5);
        assert_eq!(value["n"][2]["b"], Value::Null);
    }

    #[test]
    fn javascript_that_is_no_json() {
        let value = read("var x; $Config = {pgid: 'A', f: !0, g: window.x(1), h: [1,2,],};");
        assert_eq!(value["pgid"], "A");
        assert_eq!(value["f"], true);
        assert_eq!(value["h"], serde_json::json!([1, 2]));
    }

    #[test]
    fn a_cut_object_gives_what_stood_before() {
        assert_eq!(
            read(r#"$Config={"pgid":"ConvergedTFA","arr":[{"x":"y"#)["pgid"],
            "ConvergedTFA"
        );
        assert_eq!(read("$Config={"), Value::Null);
        assert_eq!(read("$Config"), Value::Null);
    }

    #[test]
    fn an_object_without_the_keys_is_passed_over() {
        assert_eq!(read(r#"$Config={"x":1}; $Config={"pgid":"B"};"#)["pgid"], "B");
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_text_it_ends(text in "[{}\\[\\],:\"'\\\\a-f0-9u$ ]{0,200}") {
            let _ = find(&format!("$Config={{{text}"), &["pgid"]);
        }

        #[test]
        fn any_cut_of_a_page_ends(cut in 0usize..120) {
            let page = r#"$Config={"a":"\u00e9\ud83d\ude00","pgid":"A","b":[[{"c":1}]],"d":true};"#;
            if let Some(part) = page.get(..cut) {
                let _ = find(part, &["pgid"]);
            }
        }
    }

    #[test]
    fn deep_nesting_is_bounded() {
        let page = format!("$Config={{\"pgid\":{}", "[".repeat(100_000));
        assert!(find(&page, &["pgid"]).is_some());
    }
}
