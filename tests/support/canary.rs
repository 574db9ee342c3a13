//! Secrets that are planted, each in a place of its own, and the search for them in outputs.
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "test support")]

use std::fmt::Write as _;

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use super::random::Random;

/// How a secret may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Base64,
    Base64Url,
    Html,
    Json,
    Percent,
    PercentTwice,
    Raw,
}

impl Encoding {
    pub(crate) const ALL: [Self; 7] = [
        Self::Base64,
        Self::Base64Url,
        Self::Html,
        Self::Json,
        Self::Percent,
        Self::PercentTwice,
        Self::Raw,
    ];

    /// A text in this encoding.
    pub(crate) fn of(self, text: &str) -> String {
        match self {
            Self::Base64 => BASE64.encode(text.as_bytes()),
            Self::Base64Url => BASE64URL_NOPAD.encode(text.as_bytes()),
            Self::Html => each(text, |byte, out| write!(out, "&#{byte};")),
            Self::Json => each(text, |byte, out| write!(out, "\\u{byte:04x}")),
            Self::Percent => each(text, |byte, out| write!(out, "%{byte:02X}")),
            Self::PercentTwice => each(text, |byte, out| write!(out, "%25{byte:02X}")),
            Self::Raw => text.to_owned(),
        }
    }
}

fn each(text: &str, one: impl Fn(u8, &mut String) -> std::fmt::Result) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        one(byte, &mut out).unwrap();
    }
    out
}

/// Planted secrets, and which place each stands for.
#[derive(Default)]
pub(crate) struct Canaries {
    planted: Vec<(String, String)>,
    /// Secrets that are no text.
    bytes: Vec<(String, Vec<u8>)>,
}

impl Canaries {
    /// A secret of its own for a place: letters of both cases and digits, `length` of them, that no
    /// encoding turns into what could be a word.
    pub(crate) fn plant(&mut self, place: &str, length: usize) -> String {
        let mut random = Random::new(u64::try_from(self.planted.len()).unwrap() + 77);
        let value = loop {
            let mut value = format!("Qz{:03}k", self.planted.len());
            while value.len() < length {
                let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
                value.push(char::from(letters[random.below(letters.len())]));
            }
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
            // Short ones have too little room for it.
            let is_long = length >= 24;
            if !is_long || digits(&value) > 4 && digits(&Encoding::Base64.of(&value)) > 4 {
                break value;
            }
        };
        self.planted.push((place.to_owned(), value.clone()));
        value
    }

    /// Notes a secret that is in a capture already.
    pub(crate) fn note(&mut self, place: &str, value: &str) {
        self.planted.push((place.to_owned(), value.to_owned()));
    }

    /// Notes a secret that is no text, such as a key.
    pub(crate) fn note_bytes(&mut self, place: &str, value: &[u8]) {
        self.bytes.push((place.to_owned(), value.to_vec()));
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.planted.len() + self.bytes.len()
    }

    /// What finds any of them in any form.
    pub(crate) fn search(&self) -> Search {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut places = Vec::new();
        for (place, value) in &self.planted {
            for (form, text) in forms(value) {
                patterns.push(text.into_bytes());
                places.push(format!("{place}, written {form}"));
            }
        }
        for (place, value) in &self.bytes {
            for (form, written) in forms_of_bytes(value) {
                patterns.push(written);
                places.push(format!("{place}, written {form}"));
            }
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns);
        Search { automaton: automaton.unwrap(), places }
    }
}

/// The forms in which a secret may turn up.
fn forms(value: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![
        ("raw", value.to_owned()),
        ("in percents", Encoding::Percent.of(value)),
        ("in percents twice", Encoding::PercentTwice.of(value)),
        ("for JSON", Encoding::Json.of(value)),
        ("for HTML", Encoding::Html.of(value)),
        ("in hexadecimal", HEXLOWER.encode(value.as_bytes())),
        ("backwards", value.chars().rev().collect()),
    ];
    forms.extend(in_base64(value.as_bytes()).map(|text| ("in base64", text)));
    forms
}

/// Inside a longer text base64 has one of three alignments.
fn in_base64(value: &[u8]) -> impl Iterator<Item = String> {
    (0..3).map(|before| {
        let padded = [&b"xxx"[..before], value].concat();
        let skip = [0, 2, 3][before];
        let whole = (padded.len() / 3) * 4;
        BASE64_NOPAD.encode(&padded)[skip..whole].to_owned()
    })
}

/// The forms in which bytes may turn up: the first of them are enough.
fn forms_of_bytes(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let part = &value[..value.len().min(12)];
    let each = |one: fn(&u8) -> String, between: &str| {
        part.iter().map(one).collect::<Vec<_>>().join(between).into_bytes()
    };
    let mut forms = vec![
        ("as they are", part.to_vec()),
        ("in hexadecimal", HEXLOWER.encode(part).into_bytes()),
        ("in hexadecimal with colons", each(|byte| format!("{byte:02x}"), ":")),
        ("in hexadecimal with blanks", each(|byte| format!("{byte:02x}"), " ")),
        ("as a list", each(u8::to_string, ", ")),
        ("as a short list", each(u8::to_string, ",")),
        ("escaped", each(|byte| byte.escape_ascii().to_string(), "")),
        ("in percents", each(|byte| format!("%{byte:02X}"), "")),
    ];
    let last = &value[value.len().saturating_sub(12)..];
    forms.push(("in hexadecimal, its end", HEXLOWER.encode(last).into_bytes()));
    for text in in_base64(part) {
        forms.push(("in base64", text.replace('+', "-").replace('/', "_").into_bytes()));
        forms.push(("in base64", text.into_bytes()));
    }
    // Digits may be encoded as text once more.
    forms.extend(
        in_base64(HEXLOWER.encode(part).as_bytes())
            .map(|text| ("in hexadecimal in base64", text.into_bytes())),
    );
    forms
}

/// Finds planted secrets.
pub(crate) struct Search {
    automaton: AhoCorasick,
    places: Vec<String>,
}

impl Search {
    /// The places whose secrets stand in a text, with what is around the first of each.
    pub(crate) fn found(&self, output: &str, text: impl AsRef<[u8]>) -> Vec<String> {
        let text = text.as_ref();
        let mut found: Vec<(usize, String)> = Vec::new();
        for one in self.automaton.find_overlapping_iter(text) {
            let (pattern, at) = (one.pattern().as_usize(), one.start());
            if found.iter().any(|(known, _)| *known == pattern) {
                continue;
            }
            let around = text.get(at.saturating_sub(60)..(at + 60).min(text.len()));
            let place = &self.places[pattern];
            let around = around.unwrap_or_default().escape_ascii();
            found.push((pattern, format!("{place}: shown in {output}: {around}")));
        }
        found.into_iter().map(|(_, text)| text).collect()
    }
}
