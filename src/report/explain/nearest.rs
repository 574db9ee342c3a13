//! The names that are nearest to one that is not known.
//!
//! It compares letters and digits alone, by the number of changes between two names, then by how
//! far they begin alike. It must not know what a name stands for.
//!
//! Invariant: the order is by nearness, then by name, so equal questions get equal lists.

use std::cmp::Reverse;

use super::Books;
use super::find::{everything, squash};

/// Most names.
const NAMES: usize = 5;
/// Longest question that is compared, in letters and digits.
const LONGEST: usize = 80;
/// Most words of a question that are compared one by one.
const WORDS: usize = 8;

/// At most five names, nearest first.
pub(super) fn nearest(text: &str, books: &Books<'_>) -> Vec<String> {
    let asked: String = bare(&squash(text)).chars().take(LONGEST).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let names = everything(books);
    // With the right letters only the number is wrong, and nothing else can be meant.
    let mut numbered: Vec<(usize, &String)> =
        names.iter().filter_map(|name| Some((by_number(text, name)?, name))).collect();
    if !numbered.is_empty() {
        numbered.sort();
        return numbered.into_iter().map(|(_, name)| name.clone()).take(NAMES).collect();
    }
    let mut near: Vec<(usize, Reverse<usize>, String)> = names
        .into_iter()
        .filter_map(|name| {
            let squashed = bare(&squash(&name));
            let alike = asked.chars().zip(squashed.chars()).take_while(|(a, b)| a == b).count();
            let near = nearness(&asked, &squashed).or_else(|| by_words(text, &name))?;
            Some((near, Reverse(alike), name))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().map(|(.., name)| name).take(NAMES).collect()
}

/// A name without what everybody writes or leaves out before it.
fn bare(squashed: &str) -> String {
    let without = ["aadsts", "neterr", "err", "nserror", "tlsalert"]
        .iter()
        .find_map(|prefix| squashed.strip_prefix(prefix));
    without.filter(|rest| rest.len() > 2).unwrap_or(squashed).to_owned()
}

/// How near two names are; less is nearer.
fn nearness(asked: &str, name: &str) -> Option<usize> {
    let length = asked.chars().count();
    let allowed = match length {
        0..=3 => 0,
        4..=7 => 1,
        8..=15 => 3,
        _ => length / 4,
    };
    let changes = changes(asked, name);
    if changes <= allowed {
        return Some(changes);
    }
    // A beginning says less than a slip of the hand.
    let begins = length >= 3 && name.starts_with(asked);
    let goes_on = name.len() >= 5 && asked.starts_with(name);
    let holds = length >= 5 && name.contains(asked);
    let step = if begins || goes_on { 10 } else { 20 };
    (begins || goes_on || holds).then(|| name.len().abs_diff(asked.len()).saturating_add(step))
}

/// How near two names are that have the same letters and another number: `TCP999`, `tls alert 200`.
fn by_number(asked: &str, name: &str) -> Option<usize> {
    let (asked, wanted) = lettered(asked)?;
    let (name, number) = lettered(name)?;
    let same = asked == name || asked == "policypage" && name == "ierrordescription";
    same.then(|| wanted.abs_diff(number))
}

/// The letters of a name and the number behind them; error codes are compared by their digits.
fn lettered(name: &str) -> Option<(String, usize)> {
    let squashed = squash(name);
    let letters = squashed.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = squashed.strip_prefix(letters)?.parse().ok()?;
    (!letters.is_empty() && letters != "aadsts").then(|| (letters.to_owned(), number))
}

/// How near a name is whose words begin with the words that were asked, in their order.
fn by_words(asked: &str, name: &str) -> Option<usize> {
    let is_end = |c: char| !c.is_alphanumeric();
    let mut words = name.split(is_end);
    let mut found = 0_usize;
    for asked in asked.split(is_end).filter(|word| !word.is_empty()).take(WORDS) {
        let asked = squash(asked);
        words.find(|word| squash(word).starts_with(&asked))?;
        found = found.saturating_add(1);
    }
    (found >= 2).then(|| name.len().saturating_add(20))
}

/// How many letters must be put in, left out or exchanged to make one name of the other.
fn changes(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, c) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        for (above, wanted) in row.iter_mut().skip(1).zip(&other) {
            let exchange = diagonal.saturating_add(usize::from(c != *wanted));
            diagonal = *above;
            left = exchange.min(left.saturating_add(1)).min(above.saturating_add(1));
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &str) -> Vec<String> {
        nearest(text, &Books { rules: &[], fed: &|_| Vec::new() })
    }

    #[test]
    fn changes_are_counted() {
        assert_eq!(changes("", "abc"), 3);
        assert_eq!(changes("abc", ""), 3);
        assert_eq!(changes("kitten", "sitting"), 3);
        assert_eq!(changes("same", "same"), 0);
        assert_eq!(changes("ab", "ba"), 2);
    }

    #[test]
    fn slips_and_beginnings_are_found() {
        assert_eq!(near("PhoneAppDeneid")[0], "PhoneAppDenied");
        assert_eq!(near("unknown_cas")[0], "unknown_ca");
        assert!(near("50075").contains(&"AADSTS50074".to_owned()), "{:?}", near("50075"));
        assert!(near("PhoneApp").iter().all(|name| name.starts_with("PhoneApp")));
        assert_eq!(near("ERR_CONECTION_RESET")[0], "ERR_CONNECTION_RESET");
        assert!(near("mfa_denyed").contains(&"mfa_denied".to_owned()));
        assert!(near("err_conn_reset").contains(&"ERR_CONNECTION_RESET".to_owned()));
        assert_eq!(near("tls alert 122")[..2], ["TLS alert 121", "TLS alert 120"]);
        assert_eq!(near("policy-page 99")[0], "iErrorDescription 31");
    }

    #[test]
    fn what_is_far_from_everything_has_no_neighbour() {
        assert!(near("the quick brown fox jumps").is_empty());
        assert!(near("\u{202e}\u{1b}").is_empty());
        assert!(near("").is_empty());
        assert!(near(&"9".repeat(10_000)).is_empty());
    }
}
