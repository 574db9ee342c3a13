//! Bodies of a HAR: text, base64, and text that is still compressed although the file says otherwise.
//!
//! It turns what is written into the bytes that were meant, up to a cap. It must not know what a
//! body is for.
//!
//! Invariant: the result is no longer than the cap, and what decompression makes is charged.

use std::sync::LazyLock;

use data_encoding::{BASE64_NOPAD, Encoding};

use super::entry::{Field, Leaf, List};
use crate::limits::Budget;
use crate::proto::body::{self, Decoded};

/// A body as it is written.
pub(super) enum Stored<'a, 'b> {
    /// A form that was put together from its parameters.
    Form(String),
    /// Text, maybe base64, maybe of coded bytes.
    Text {
        /// The text.
        text: Leaf<'a>,
        /// The exporter's word for how it wrote the bytes as text.
        encoding: Leaf<'a>,
        /// The field `Content-Encoding`.
        coding: &'b str,
    },
}

/// Base64 as writers produce it: either alphabet, padded or not, with line breaks.
static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE64_NOPAD.specification();
    specification.ignore.push_str(" \t\r\n=");
    specification.translate.from.push_str("-_");
    specification.translate.to.push_str("+/");
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE64_NOPAD)
});

/// The bytes that were meant, at most `cap` of them.
pub(super) fn read(stored: Stored<'_, '_>, cap: u64, budget: &mut Budget) -> Decoded {
    let (leaf, encoding, coding) = match stored {
        Stored::Form(form) => return capped(form.into_bytes(), cap),
        Stored::Text { text, encoding, coding } => (text, encoding, coding),
    };
    let base64 = encoding.text().is_some_and(|name| name.trim().eq_ignore_ascii_case("base64"));
    if base64 {
        let text = leaf.text().unwrap_or_default();
        return match LENIENT.decode(text.as_bytes()) {
            Ok(bytes) => decoded(bytes, coding, cap, budget),
            // Some exporters say base64 of what is plain text.
            Err(_) => capped(text.into_owned().into_bytes(), cap),
        };
    }
    let limit = usize::try_from(cap).unwrap_or(usize::MAX).saturating_add(1);
    let looks = leaf.text_up_to(64).unwrap_or_default();
    if looks.starts_with("\u{1f}\u{fffd}") {
        // Compressed bytes that were read as UTF-8: they are lost.
        return Decoded { damaged: true, ..Decoded::default() };
    }
    if looks.starts_with("\u{1f}\u{8b}") {
        let text = leaf.text().unwrap_or_default();
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        if let Some(bytes) = bytes {
            return decoded(bytes, coding, cap, budget);
        }
    }
    capped(leaf.text_up_to(limit).unwrap_or_default().into_owned().into_bytes(), cap)
}

/// Undoes a content coding that the exporter left on.
fn decoded(bytes: Vec<u8>, coding: &str, cap: u64, budget: &mut Budget) -> Decoded {
    let named = |name: &str| coding.to_ascii_lowercase().contains(name);
    let coding = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0x78, ..] if named("deflate") => "deflate",
        // Brotli has no magic number: only what cannot be text is tried.
        _ if named("br") && std::str::from_utf8(&bytes).is_err() => "br",
        _ => return capped(bytes, cap),
    };
    let result = body::decode(&bytes, coding, cap, budget);
    if result.damaged && result.bytes.is_empty() { capped(bytes, cap) } else { result }
}

fn capped(mut bytes: Vec<u8>, cap: u64) -> Decoded {
    let cap = usize::try_from(cap).unwrap_or(usize::MAX);
    let cut = bytes.len() > cap;
    bytes.truncate(cap);
    Decoded { bytes, cut, ..Decoded::default() }
}

/// The form that parameters came from. Exporters write them decoded or not; what is a valid piece of
/// a form already stays as it is.
pub(super) fn form(params: &List<Field<'_>>) -> String {
    let mut form = String::new();
    for param in &params.0 {
        let Some(name) = param.name.filled() else { continue };
        if !form.is_empty() {
            form.push('&');
        }
        push_piece(&mut form, &name);
        form.push('=');
        push_piece(&mut form, &param.value.text().unwrap_or_default());
    }
    form
}

fn push_piece(form: &mut String, piece: &str) {
    if is_encoded(piece) {
        form.push_str(piece);
    } else {
        form.extend(url::form_urlencoded::byte_serialize(piece.as_bytes()));
    }
}

fn is_encoded(piece: &str) -> bool {
    let mut rest = piece.bytes();
    while let Some(byte) = rest.next() {
        let fine = match byte {
            b'%' => {
                [rest.next(), rest.next()]
                    .iter()
                    .flatten()
                    .filter(|b| b.is_ascii_hexdigit())
                    .count()
                    == 2
            }
            b'+' | b'-' | b'_' | b'.' | b'*' | b'~' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fine {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{GIB, MIB};

    fn text(json: &str, encoding: &str, coding: &str) -> Decoded {
        let text = serde_json::from_str(json).unwrap();
        let encoding = serde_json::from_str(encoding).unwrap();
        read(Stored::Text { text, encoding, coding }, MIB, &mut Budget::new(GIB, 1000))
    }

    const ZIPPED: &str = "H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA==";

    #[test]
    fn plain_base64_and_coded() {
        assert_eq!(text(r#""a\n[REDACTED]""#, "null", "gzip").bytes, b"a\n[REDACTED]");
        assert_eq!(text(r#""aGVs\nbG8""#, r#""base64""#, "").bytes, b"hello");
        assert_eq!(text(r#""_-8""#, r#""BASE64""#, "").bytes, [0xff, 0xef]);
        assert_eq!(text(r#""not base64!""#, r#""base64""#, "").bytes, b"not base64!");
        let gzip = data_encoding::BASE64.decode(ZIPPED.as_bytes()).unwrap();
        assert_eq!(gzip.len(), 25);
    }

    #[test]
    fn capped_bodies_say_so() {
        let mut budget = Budget::new(GIB, 1000);
        let text: Leaf<'_> = serde_json::from_str(r#""abc""#).unwrap();
        let stored = Stored::Text { text, encoding: Leaf::default(), coding: "" };
        let cut = read(stored, 2, &mut budget);
        assert_eq!((cut.bytes.as_slice(), cut.cut), (b"ab".as_slice(), true));
    }

    #[test]
    fn a_form_is_put_together() {
        let params = r#"[{"name":"a b","value":"1&2"},{"name":"c","value":"x%20y"},{"name":"d"}]"#;
        let params: List<Field<'_>> = serde_json::from_str(params).unwrap();
        assert_eq!(form(&params), "a+b=1%262&c=x%20y&d=");
    }

    #[test]
    fn bytes_that_were_read_as_text_are_lost() {
        assert!(text(r#""\u001f\ufffd\b""#, "null", "gzip").damaged);
    }
}
