//! What a code, a value, an alert, an error text or a rule means: the answer to `explain`.
//!
//! It puts the tables of the sign-in vocabulary and the documentation of the rules into one form:
//! meaning, wire sign, look-alike, next step, whose matter, source and date. It must not know any
//! capture, and which rules exist is told to it.
//!
//! Invariants: what was asked for is compared and shown, never acted on; every entry has all of its
//! texts; a meaning without a public source says so; equal questions give equal answers.

mod entries;
mod find;
mod nearest;

use serde::Serialize;

use super::json;
use crate::entra::FailureRow;
use crate::finding::{RuleId, RuleMeta};
use crate::signin::{GuideCause, Outcome, Side};

pub use find::everything;

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace-explain/1";

/// Most words of a question that belong together without quotes.
const PHRASE: usize = 10;
/// Most characters of a question that are looked at.
const ASKED: usize = 1000;
/// Most characters of a question that are shown again: a pasted message may hold anything.
const SHOWN: usize = 120;

/// What only the analysis knows.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// The rules.
    pub rules: &'a [&'static RuleMeta],
    /// Which rules a failure text feeds.
    pub fed: &'a dyn Fn(&FailureRow) -> Vec<RuleId>,
}

impl std::fmt::Debug for Books<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// What kind of thing an entry explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "kind"))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An error code of the sign-in service.
    AadstsCode,
    /// A result value of the MFA calls.
    MfaResult,
    /// An MFA method.
    MfaMethod,
    /// A page of the sign-in.
    Page,
    /// A number of a policy page.
    PolicyPage,
    /// A TLS alert.
    TlsAlert,
    /// A failure text of a browser or of Fiddler.
    FailureText,
    /// A rule of this program.
    Rule,
    /// An outcome of an attempt.
    Outcome,
    /// A side.
    Side,
    /// A cause of the troubleshooting guide.
    GuideCause,
    /// A diagnostic of reading.
    Diagnostic,
    /// A step of a sign-in.
    Step,
}

impl Kind {
    /// Every kind, in the order in which entries are shown.
    pub const ALL: [Self; 13] = [
        Self::AadstsCode,
        Self::MfaResult,
        Self::MfaMethod,
        Self::Page,
        Self::PolicyPage,
        Self::TlsAlert,
        Self::FailureText,
        Self::Rule,
        Self::Outcome,
        Self::Side,
        Self::GuideCause,
        Self::Diagnostic,
        Self::Step,
    ];

    /// The kind in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AadstsCode => "error code of the sign-in service",
            Self::Diagnostic => "diagnostic of reading a capture",
            Self::FailureText => "failure text",
            Self::GuideCause => "cause of the AADSTS50074 guide",
            Self::MfaMethod => "MFA method (AuthMethodId)",
            Self::MfaResult => "result of an MFA call (ResultValue)",
            Self::Outcome => "outcome of a sign-in attempt",
            Self::Page => "page of the sign-in (pgid)",
            Self::PolicyPage => "number on a Conditional Access page",
            Self::Rule => "rule of mfatrace",
            Self::Side => "side: whose matter it is",
            Self::Step => "step of a sign-in",
            Self::TlsAlert => "TLS alert",
        }
    }
}

/// A text with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "detail"))]
pub struct Detail {
    /// Its name.
    pub label: &'static str,
    /// The text.
    pub text: String,
}

/// One thing explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "entry"))]
pub struct Entry {
    /// What kind of thing it is.
    pub kind: Kind,
    /// How it is written: `AADSTS50074`, `PhoneAppDenied`, `TLS alert 48`.
    pub key: String,
    /// Its other name, where it has one.
    pub name: Option<&'static str>,
    /// What it means.
    pub meaning: String,
    /// What else belongs to its meaning.
    pub details: Vec<Detail>,
    /// Where and how it is seen in a capture.
    pub wire_sign: String,
    /// What it is confused with.
    pub look_alike: String,
    /// What to do.
    pub next_step: String,
    /// Whose matter it is, in words.
    pub matter: String,
    /// What an attempt that ends with it comes to.
    pub outcome: Option<Outcome>,
    /// The side it stands for.
    pub side: Option<Side>,
    /// The cause of the troubleshooting guide that it supports.
    pub guide: Option<GuideCause>,
    /// The rules of this program that it feeds.
    pub rules: Vec<RuleId>,
    /// Whether a public source confirms the meaning.
    pub verified: bool,
    /// The source of the meaning.
    pub source: String,
    /// The source of the signs, where it is another one.
    pub signs_source: Option<&'static str>,
    /// The day of the data.
    pub as_of: &'static str,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "answer"))]
pub struct Answer {
    /// What was asked for.
    pub what: String,
    /// Everything it can be.
    pub entries: Vec<Entry>,
    /// The names that are nearest, when it is nothing that is known.
    pub nearest: Vec<String>,
}

impl Answer {
    /// One line for a question that has no entry.
    pub fn unknown(&self) -> String {
        let what = head(&self.what, 80);
        let number = self.what.trim().trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let is_code = number.len() >= 5 && number.chars().all(|c| c.is_ascii_digit());
        let mut line = format!("'{what}' is not known");
        if self.nearest.is_empty() {
            line.push_str(
                "; give an AADSTS code, an MFA result value, a TLS alert, an error of a browser or \
                 of Fiddler, or a rule",
            );
        } else {
            line.push_str("; near it: ");
            line.push_str(&self.nearest.join(", "));
        }
        if is_code {
            line.push_str("; the service explains its codes at ");
            line.push_str("https://login.microsoftonline.com/error?code=");
            line.extend(number.chars().take(12));
        }
        line
    }
}

/// Explains words as they stand on a command line: a phrase such as `tls alert 48` needs no quotes.
///
/// Words in a row that are not known are one question, unless they look like names.
pub fn answers(words: &[String], books: &Books<'_>) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    let mut rest = words;
    while let Some((first, later)) = rest.split_first() {
        let (taken, entries) = longest(rest, books)
            .or_else(|| Some((1, find::find(cut(first), books))).filter(|(_, all)| !all.is_empty()))
            .unwrap_or_default();
        if taken == 0 {
            unknown.push(cut(first));
            rest = later;
            continue;
        }
        close(&mut unknown, books, &mut answers);
        let what = rest.iter().take(taken).map(|word| cut(word)).collect::<Vec<_>>().join(" ");
        answers.push(Answer { what: shown(&what), entries, nearest: Vec::new() });
        rest = rest.get(taken..).unwrap_or_default();
    }
    close(&mut unknown, books, &mut answers);
    answers
}

/// The longest phrase of several words that begins here, with how many words it takes.
fn longest(words: &[String], books: &Books<'_>) -> Option<(usize, Vec<Entry>)> {
    (2..=words.len().min(PHRASE)).rev().find_map(|length| {
        let phrase = words.get(..length)?.join(" ");
        let entries = find::phrase(cut(&phrase), books);
        (!entries.is_empty()).then_some((length, entries))
    })
}

/// Makes questions of the unknown words in a row: one of each identifier, one of other words together.
fn close(unknown: &mut Vec<&str>, books: &Books<'_>, answers: &mut Vec<Answer>) {
    let groups = unknown.chunk_by(|one, next| !is_identifier(one) && !is_identifier(next));
    answers.extend(groups.map(|words| {
        let what = words.join(" ");
        let nearest = nearest::nearest(&what, books);
        Answer { what: shown(&what), entries: Vec::new(), nearest }
    }));
    unknown.clear();
}

/// Whether a word looks like a name of a table: digits, underscores, or capitals inside. A short
/// number belongs to the words before it.
fn is_identifier(word: &str) -> bool {
    if word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let inside = |c: char| c.is_ascii_digit() || c == '_' || c.is_ascii_uppercase();
    word.chars().skip(1).any(inside)
}

fn cut(text: &str) -> &str {
    head(text, ASKED)
}

fn shown(text: &str) -> String {
    head(text, SHOWN).to_owned()
}

/// The first characters of a text.
fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// What things mean that stand in captures, in the order in which they were asked for.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-explain/1"))]
pub(super) struct Document<'a> {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// What wrote it.
    tool: json::Tool<'a>,
    /// The answers.
    answers: &'a [Answer],
}

/// The answers as one JSON document.
pub fn json(answers: &[Answer], tool_version: &str) -> String {
    json::pretty(&Document { schema: SCHEMA, tool: json::Tool::new(tool_version), answers })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn books() -> Books<'static> {
        Books { rules: &[], fed: &|_| Vec::new() }
    }

    fn ask(words: &[&str]) -> Vec<(String, Vec<String>)> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        answers(&words, &books())
            .into_iter()
            .map(|one| (one.what, one.entries.into_iter().map(|entry| entry.key).collect()))
            .collect()
    }

    fn of(what: &str, keys: &[&str]) -> (String, Vec<String>) {
        (what.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn words_that_belong_together_need_no_quotes() {
        assert_eq!(
            ask(&["50074", "tls", "alert", "48", "policy-page", "30"]),
            [
                of("50074", &["AADSTS50074"]),
                of("tls alert 48", &["TLS alert 48"]),
                of("policy-page 30", &["iErrorDescription 30"]),
            ]
        );
        assert_eq!(
            ask(&["Fiddler", "-", "DNS", "Lookup", "Failed", "48"]),
            [
                of("Fiddler - DNS Lookup Failed", &["Fiddler - DNS Lookup Failed"]),
                of("48", &["TLS alert 48"]),
            ]
        );
        assert_eq!(ask(&["5007", "x4"]), [of("5007", &[]), of("x4", &[])]);
        assert_eq!(ask(&["5007", "4"])[0].1.len(), 0, "numbers are not put together");
    }

    #[test]
    fn unknown_words_in_a_row_are_one_question() {
        assert_eq!(
            ask(&["50076", "Due", "to", "a", "change", "50079"]),
            [
                of("50076", &["AADSTS50076"]),
                of("Due to a change", &[]),
                of("50079", &["AADSTS50079"])
            ]
        );
        assert_eq!(ask(&["tls", "alert", "200"]), [of("tls alert 200", &[])]);
        assert_eq!(
            ask(&["PhoneAppDenyed", "foo", "bar", "TCP999"]),
            [of("PhoneAppDenyed", &[]), of("foo bar", &[]), of("TCP999", &[])]
        );
        assert!(ask(&[]).is_empty());
    }

    #[test]
    fn a_long_question_is_not_shown_whole() {
        let pasted = format!("AADSTS50076: {}", "x".repeat(5000));
        let all = answers(&[pasted, "y_".repeat(5000)], &books());
        assert_eq!(all[0].entries[0].key, "AADSTS50076");
        assert!(all.iter().all(|one| one.what.chars().count() == SHOWN));
        assert!(all[1].unknown().len() < 300);
    }

    #[test]
    fn an_unknown_question_gets_its_neighbours() {
        let words = ["PhoneAppDenyed".to_owned()];
        let all = answers(&words, &books());
        assert_eq!(all[0].nearest[0], "PhoneAppDenied");
        assert!(all[0].unknown().starts_with("'PhoneAppDenyed' is not known; near it: Phone"));
        let all = answers(&["AADSTS99999".to_owned()], &books());
        assert!(all[0].unknown().ends_with("/error?code=99999"), "{}", all[0].unknown());
    }

    #[test]
    fn the_document_names_its_schema() {
        let all = answers(&["50074".to_owned(), "a\u{1b}\u{202e}".to_owned()], &books());
        let text = json(&all, "9.9.9");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["schema"], SCHEMA);
        assert_eq!(document["answers"][0]["entries"][0]["kind"], "aadsts_code");
        assert_eq!(document["answers"][1]["what"], "a\u{1b}\u{202e}");
    }

    #[test]
    fn everything_that_can_be_asked_is_answered_whole() {
        for name in everything(&books()) {
            let found = find::find(&name, &books());
            assert!(!found.is_empty(), "{name}");
            for entry in found {
                for text in [&entry.meaning, &entry.wire_sign, &entry.look_alike, &entry.next_step]
                {
                    assert!(text.len() > 5 && text.ends_with('.'), "{name}: {text:?}");
                    assert!(!text.contains(['{', '`']) || entry.kind == Kind::Step, "{text}");
                }
                assert!(!entry.source.is_empty() && !entry.matter.is_empty(), "{name}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_question_makes_it_panic(
            one in any::<String>(),
            two in "[ -~]{0,60}",
            three in "(AADSTS|tls alert |policy-page |net::ERR_)?[0-9A-Z_]{0,12}",
        ) {
            let words = [one, two, three];
            let all = answers(&words, &books());
            for answer in &all {
                prop_assert_eq!(answer.entries.is_empty(), !answer.unknown().is_empty()
                    && answer.entries.is_empty());
                prop_assert!(answer.nearest.len() <= 5);
            }
            let _ = json(&all, "0");
        }
    }
}
