//! From what was asked to everything it can be.
//!
//! Names are compared by their letters and digits alone, so case, blanks, underscores and colons do
//! not count. It must not decide among several meanings: all of them are given.
//!
//! Invariants: entries come in the order of their kinds; a pasted message is looked through only when
//! the text as a whole is no name.

use super::entries;
use super::{Books, Entry, Kind};
use crate::entra::failures::{self, Matching, Producer};
use crate::entra::policy_pages::{self, PolicyText};
use crate::entra::{
    self, AlertRow, FailureRow, GuideCause, NoteSubject, PolicyPageRow, StepKind, alerts, errors,
    methods, notes, pages, results,
};
use crate::signin::{Outcome, Side};

/// Most codes that are taken out of one pasted message.
const PASTED: usize = 10;

/// The letters and digits of a text in lower case.
pub(super) fn squash(text: &str) -> String {
    letters(text).collect()
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// Everything that a text can be.
pub(super) fn find(text: &str, books: &Books<'_>) -> Vec<Entry> {
    let text = text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | ':' | ',' | ';')
    });
    let named = by_name(text, books);
    if named.is_empty() { pasted(text, books) } else { named }
}

/// Everything that several words together can be; numbers alone are never put together.
pub(super) fn phrase(text: &str, books: &Books<'_>) -> Vec<Entry> {
    if squash(text).chars().all(|c| c.is_ascii_digit()) {
        return Vec::new();
    }
    by_name(text, books)
}

fn by_name(text: &str, books: &Books<'_>) -> Vec<Entry> {
    let squashed = squash(text);
    if squashed.is_empty() {
        return Vec::new();
    }
    let asked = Asked { squashed: &squashed, number: number(text) };
    let all: Vec<Entry> = Kind::ALL.iter().flat_map(|kind| of_kind(*kind, &asked, books)).collect();
    if !all.is_empty() {
        return all;
    }
    // A word before the name says what kind it is: `side network`, `rule TCP003`.
    KIND_WORDS
        .iter()
        .filter_map(|(word, kind)| Some((squashed.strip_prefix(word)?, *kind)))
        .filter(|(rest, _)| !rest.is_empty())
        .flat_map(|(rest, kind)| of_kind(kind, &Asked { squashed: rest, number: None }, books))
        .collect()
}

/// Words that may stand before a name.
const KIND_WORDS: &[(&str, Kind)] = &[
    ("alert", Kind::TlsAlert),
    ("authmethodid", Kind::MfaMethod),
    ("cause", Kind::GuideCause),
    ("code", Kind::AadstsCode),
    ("diagnostic", Kind::Diagnostic),
    ("error", Kind::AadstsCode),
    ("error", Kind::FailureText),
    ("guide", Kind::GuideCause),
    ("method", Kind::MfaMethod),
    ("outcome", Kind::Outcome),
    ("page", Kind::Page),
    ("pgid", Kind::Page),
    ("result", Kind::MfaResult),
    ("resultvalue", Kind::MfaResult),
    ("rule", Kind::Rule),
    ("side", Kind::Side),
    ("step", Kind::Step),
    ("tlsalert", Kind::TlsAlert),
];

/// A question, taken apart.
struct Asked<'a> {
    /// Its letters and digits in lower case; never empty.
    squashed: &'a str,
    /// The letters before its number, and the number, when it is of that form.
    number: Option<(String, u32)>,
}

impl Asked<'_> {
    fn is(&self, name: &str) -> bool {
        letters(name).eq(self.squashed.chars())
    }

    /// Whether it is the name of an error of a browser with `net::` before it, or with the other of
    /// the two beginnings of Mozilla's names, which people take for each other.
    fn is_nearly(&self, name: &str) -> bool {
        let is = |rest: &str, name: &str| letters(name).eq(rest.chars());
        let net = self.squashed.strip_prefix("net").is_some_and(|rest| is(rest, name));
        let mozilla = || {
            let asked = self.squashed.strip_prefix("sslerror")?;
            Some(is(asked, name.strip_prefix("SEC_ERROR")?))
        };
        net || mozilla().unwrap_or_default()
    }

    /// The number, when nothing or one of these words stands before it.
    fn number_of(&self, words: &[&str]) -> Option<u32> {
        let (word, number) = self.number.as_ref()?;
        (word.is_empty() || words.contains(&word.as_str())).then_some(*number)
    }
}

/// The letters before the one number of a text, and the number.
fn number(text: &str) -> Option<(String, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let (before, rest) = text.split_at_checked(start)?;
    let digits = rest.trim_end_matches(|c: char| !c.is_alphanumeric());
    let is_number = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().map(|number| (squash(before), number))
}

fn of_kind(kind: Kind, asked: &Asked<'_>, books: &Books<'_>) -> Vec<Entry> {
    match kind {
        Kind::AadstsCode => {
            let number = asked.number_of(&["aadsts", "code", "error", "errorcode"]);
            errors::errors()
                .filter(|row| {
                    Some(row.code) == number || !row.name.is_empty() && asked.is(row.name)
                })
                .map(entries::code)
                .collect()
        }
        Kind::Diagnostic => noted(NoteSubject::Diagnostic, asked, entries::diagnostic),
        Kind::FailureText => failures::failures()
            .filter(|row| asked.is(row.pattern) || asked.is_nearly(row.pattern))
            .map(|row| entries::failure(row, books))
            .collect(),
        Kind::GuideCause => GuideCause::IN_GUIDE_ORDER
            .into_iter()
            .filter(|cause| asked.is(cause.as_str()))
            .map(entries::guide)
            .collect(),
        Kind::MfaMethod => {
            methods::methods().filter(|row| asked.is(row.value)).map(entries::method).collect()
        }
        Kind::MfaResult => {
            results::results().filter(|row| asked.is(row.value)).map(entries::result).collect()
        }
        Kind::Outcome => Outcome::ALL
            .iter()
            .filter(|outcome| asked.is(outcome.as_str()))
            .map(|outcome| entries::outcome(*outcome))
            .collect(),
        Kind::Page => pages::pages().filter(|row| asked.is(row.pgid)).map(entries::page).collect(),
        Kind::PolicyPage => policy_page(asked),
        Kind::Rule => books
            .rules
            .iter()
            .filter(|meta| asked.is(meta.id.0) || asked.is(meta.name))
            .map(|meta| entries::rule(meta))
            .collect(),
        Kind::Side => Side::ALL
            .iter()
            .filter(|side| asked.is(side.as_str()))
            .map(|side| entries::side(*side))
            .collect(),
        Kind::Step => StepKind::ALL
            .iter()
            .filter(|step| asked.is(step.as_str()))
            .map(|step| entries::step(*step))
            .collect(),
        Kind::TlsAlert => {
            alerts::alerts().filter(|row| is_alert(row, asked)).map(entries::alert).collect()
        }
    }
}

fn noted(
    subject: NoteSubject,
    asked: &Asked<'_>,
    entry: impl Fn(&'static entra::NoteRow) -> Entry,
) -> Vec<Entry> {
    notes::notes(subject).filter(|row| asked.is(row.key)).map(entry).collect()
}

/// A number alone, a number behind the word, a name, or both as packet analysers print them.
fn is_alert(row: &AlertRow, asked: &Asked<'_>) -> bool {
    const WORDS: &[&str] =
        &["alert", "tls", "tlsalert", "tlsalertmessagedesc", "ssl", "sslalert", "alertdescription"];
    let number = u32::from(row.number);
    let both =
        |(word, asked): &(String, u32)| *asked == number && letters(row.name).eq(word.chars());
    asked.number_of(WORDS) == Some(number)
        || asked.is(row.name)
        || asked.number.as_ref().is_some_and(both)
}

fn policy_page(asked: &Asked<'_>) -> Vec<Entry> {
    let Some((word, number)) = &asked.number else { return Vec::new() };
    let wanted: &[PolicyText] = match word.as_str() {
        "policypage" | "policypagenumber" => PolicyText::ALL,
        "ierrordescription" | "policydescription" | "policypagedescription" | "description" => {
            &[PolicyText::Description]
        }
        "ierrortitle" | "policytitle" | "policypagetitle" | "title" => &[PolicyText::Title],
        _ => &[],
    };
    let asked = |row: &&PolicyPageRow| wanted.contains(&row.kind) && row.number == *number;
    policy_pages::policy_pages().filter(asked).map(entries::policy_page).collect()
}

/// What stands in a message: its codes, or else the failure text that it begins with.
fn pasted(text: &str, books: &Books<'_>) -> Vec<Entry> {
    let mut codes: Vec<u32> = Vec::new();
    for (at, _) in text.match_indices("AADSTS").take(PASTED) {
        let rest = text.get(at..).unwrap_or_default().trim_start_matches("AADSTS");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
        if let Ok(code) = digits.parse()
            && !codes.contains(&code)
        {
            codes.push(code);
        }
    }
    let found: Vec<Entry> = codes.into_iter().filter_map(entra::error).map(entries::code).collect();
    if !found.is_empty() {
        return found;
    }
    let failure = text.find("net::ERR_").and_then(|at| text.get(at..)).unwrap_or(text);
    let row: Option<&'static FailureRow> = failures::browser(failure)
        .or_else(|| failures::fiddler(text, text))
        .filter(|row| row.producer != Producer::Fiddler || row.matching != Matching::Exact);
    row.map(|row| entries::failure(row, books)).into_iter().collect()
}

/// Every name that can be asked for, as it is written, in the order of the kinds.
pub fn everything(books: &Books<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in errors::errors() {
        names.push(format!("AADSTS{}", row.code));
        if !row.name.is_empty() {
            names.push(row.name.to_owned());
        }
    }
    names.extend(results::results().map(|row| row.value.to_owned()));
    names.extend(methods::methods().map(|row| row.value.to_owned()));
    names.extend(pages::pages().map(|row| row.pgid.to_owned()));
    names.extend(policy_pages::policy_pages().map(entries::policy_page_key));
    for row in alerts::alerts() {
        names.push(format!("TLS alert {}", row.number));
        names.push(row.name.to_owned());
    }
    names.extend(failures::failures().map(|row| row.pattern.to_owned()));
    for meta in books.rules {
        names.push(meta.id.0.to_owned());
        names.push(meta.name.to_owned());
    }
    names.extend(Outcome::ALL.iter().map(|outcome| outcome.as_str().to_owned()));
    names.extend(Side::ALL.iter().map(|side| side.as_str().to_owned()));
    names.extend(GuideCause::ALL.iter().map(|cause| cause.as_str().to_owned()));
    names.extend(notes::notes(NoteSubject::Diagnostic).map(|row| row.key.to_owned()));
    names.extend(StepKind::ALL.iter().map(|step| step.as_str().to_owned()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let books = Books { rules: &[], fed: &|_| Vec::new() };
        find(text, &books).into_iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn codes_are_read_in_every_form() {
        for text in [
            "50074",
            "AADSTS50074",
            "aadsts50074:",
            " AADSTS 50074 ",
            "AADSTS50074: Strong Authentication is required.\r\nTrace ID: 0f0f",
            "error=interaction_required&error_description=AADSTS50074%3a+Strong",
            "UserStrongAuthClientAuthNRequiredInterrupt",
            "userstrongauthclientauthnrequiredinterrupt",
            "code 50074",
        ] {
            assert_eq!(keys(text), ["AADSTS50074"], "{text}");
        }
        assert_eq!(keys("InvalidRequest"), ["AADSTS90023", "AADSTS9002313"]);
        assert_eq!(keys("AADSTS50076: x AADSTS53003: y"), ["AADSTS50076", "AADSTS53003"]);
    }

    #[test]
    fn alerts_are_read_in_every_form() {
        for text in [
            "48",
            "tls alert 48",
            "alert: 48",
            "unknown_ca",
            "Unknown CA",
            "Unknown CA (48)",
            "tls.alert_message.desc == 48",
            "alert unknown_ca",
        ] {
            assert_eq!(keys(text), ["TLS alert 48"], "{text}");
        }
    }

    #[test]
    fn failure_texts_are_read_in_every_form() {
        for text in [
            "net::ERR_CONNECTION_RESET",
            "ERR_CONNECTION_RESET",
            "err_connection_reset",
            "NET::err_connection_reset",
            "net::ERR_CONNECTION_RESET at https://a.example/",
            "GET https://a.example/ net::ERR_CONNECTION_RESET",
        ] {
            assert_eq!(keys(text), ["ERR_CONNECTION_RESET"], "{text}");
        }
        assert_eq!(keys("502 Fiddler - DNS Lookup Failed"), ["Fiddler - DNS Lookup Failed"]);
        assert_eq!(keys("ns_error_unknown_host"), ["NS_ERROR_UNKNOWN_HOST"]);
        assert_eq!(keys("SSL_ERROR_UNKNOWN_ISSUER"), ["SEC_ERROR_UNKNOWN_ISSUER"]);
    }

    #[test]
    fn policy_pages_are_read_in_every_form() {
        for text in ["iErrorDescription 30", "ierrordescription=30", "\"iErrorDescription\":30,"] {
            assert_eq!(keys(text), ["iErrorDescription 30"], "{text}");
        }
        assert_eq!(keys("policy-page 12"), ["iErrorDescription 12", "iErrorTitle 12"]);
        assert_eq!(keys("policy page 30"), ["iErrorDescription 30"]);
        assert!(keys("policy-page 99").is_empty());
    }

    #[test]
    fn a_name_of_several_things_gives_all_of_them() {
        assert_eq!(keys("AccessPassExpired"), ["AADSTS130504", "AccessPassExpired"]);
        assert_eq!(keys("network"), ["side network", "guide cause network"]);
        assert_eq!(keys("side network"), ["side network"]);
        assert_eq!(keys("mfa-denied"), ["mfa_denied"]);
    }

    #[test]
    fn what_is_no_name_gives_nothing() {
        for text in ["", " ", "::", "AADSTS", "4294967296", "256", "\u{1b}[31m", "http"] {
            assert!(keys(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn every_diagnostic_of_reading_is_explained() {
        let source = include_str!("../../evidence/diagnostic.rs");
        let names = source.lines().filter_map(|line| {
            let (variant, name) = line.trim().split_once(" => \"")?;
            variant.starts_with("Self::").then(|| name.trim_end_matches("\",").to_owned())
        });
        let names: Vec<String> = names.collect();
        assert!(names.len() > 15);
        for name in names {
            let key = format!("diagnostic {name}");
            assert!(keys(&name).contains(&key), "add {name} to notes.tsv");
        }
    }
}
