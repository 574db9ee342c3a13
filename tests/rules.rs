//! The registry of rules: whole, in order, documented, shown in the manual as it is, and each with a
//! capture on which it fires, a healthy one, and a look-alike that only its guard keeps it silent on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

mod support;

use mfatrace::finding::{Finding, RuleMeta, Severity};
use mfatrace::report::rules::{HEADINGS, family, lines, markdown, section};
use mfatrace::rules::{self, Case, RETIRED, RULES, find};

fn rules() -> impl Iterator<Item = &'static RuleMeta> {
    RULES.iter().map(|rule| rule.meta())
}

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_file_is_a_registered_rule() {
    let files: BTreeSet<String> = std::fs::read_dir(in_crate("src/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // A folder is no rule: what the tests of the rules share stands in one.
        .filter(|path| path.is_file())
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().replace('_', "-"))
        .collect();
    let names: BTreeSet<String> = rules().map(|meta| meta.name.to_owned()).collect();
    assert_eq!(files, names);
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn ids_are_unique_and_never_used_again() {
    let ids: BTreeSet<&str> = rules().map(|meta| meta.id.0).collect();
    assert_eq!(ids.len(), RULES.len());
    for id in ids {
        assert!(!RETIRED.contains(&id), "{id} was used before");
        assert!(find(id).is_some_and(|meta| meta.id.0 == id));
    }
}

#[test]
fn ids_begin_with_their_family_and_stand_in_its_order() {
    for meta in rules() {
        let (prefix, number) = meta.id.0.split_at(3);
        assert_eq!(prefix, family(meta.family), "{}", meta.id);
        assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{}", meta.id);
    }
    let order: Vec<_> = rules().map(|meta| (meta.family, meta.id)).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn every_rule_explains_itself() {
    for meta in rules() {
        let headings: Vec<&str> = lines(meta).filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", meta.id);
        for heading in HEADINGS {
            let text = section(meta, heading);
            assert!(text.len() > 20 && text.ends_with('.'), "{}: {heading}: {text:?}", meta.id);
        }
    }
}

/// A reader is sent to another rule by its id.
#[test]
fn rules_that_a_rule_names_exist() {
    for meta in rules() {
        let words = meta.docs.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| word.len() == 6) {
            let (letters, number) = word.split_at(3);
            let is_id = number.bytes().all(|byte| byte.is_ascii_digit())
                && rules().any(|other| family(other.family) == letters);
            assert!(!is_id || find(word).is_some(), "{} names {word}", meta.id);
        }
        assert!(!meta.docs.contains("own rule"), "{} does not name the rule", meta.id);
    }
}

#[test]
fn advice_is_one_sentence() {
    for meta in rules() {
        let advice = meta.advice;
        assert!(advice.ends_with('.') && !advice.contains(". "), "{}: {advice}", meta.id);
        assert!(advice.starts_with(char::is_uppercase), "{}: {advice}", meta.id);
    }
}

/// Whether a rule speaks up: a rule of information by any word, the others by more than that.
fn fires(meta: &RuleMeta, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        finding.meta.id == meta.id
            && (meta.severity == Severity::Info || finding.severity > Severity::Info)
    })
}

/// Whether nothing is wrong in a capture, as far as it can be read at all.
fn is_healthy(row: &support::Row) -> bool {
    row.side == "nothing_wrong" || row.outcome == "unreadable" && row.path.contains("/healthy-")
}

#[test]
fn every_rule_has_its_three_captures() {
    let rows = support::manifest();
    let mut wrong = Vec::new();
    let mut roles: BTreeSet<(&str, String)> = BTreeSet::new();
    for row in rows.iter().filter(|row| !row.covers.is_empty()) {
        let analysis = support::run_row(row);
        let case = Case::new(&analysis.evidence, &analysis.signin);
        let guarded = rules::check(&case);
        let free = rules::check(&case.without_guards());
        for (id, role) in &row.covers {
            let meta = find(id).unwrap_or_else(|| panic!("{}: no rule {id}", row.path));
            roles.insert((meta.id.0, role.clone()));
            let good = match role.as_str() {
                "positive" => fires(meta, &guarded),
                "negative" => !fires(meta, &guarded) && is_healthy(row),
                // The look-alike holds the trigger: without its guard the rule takes it for real.
                "look-alike" => !fires(meta, &guarded) && fires(meta, &free),
                _ => false,
            };
            if !good {
                wrong.push(format!(
                    "{}: {id} {role}: fires {}, without guards {}",
                    row.path,
                    fires(meta, &guarded),
                    fires(meta, &free)
                ));
            }
        }
    }
    for meta in rules() {
        for role in ["positive", "negative", "look-alike"] {
            if !roles.contains(&(meta.id.0, role.to_owned())) {
                wrong.push(format!("{} has no {role} capture", meta.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_a_rule_masks_and_doubts_exists() {
    for meta in rules() {
        for masked in meta.masks {
            let other = find(masked.0).unwrap_or_else(|| panic!("{}: no rule {masked}", meta.id));
            assert!(other.id != meta.id && !other.masks.contains(&meta.id), "{}", meta.id);
        }
        assert!(meta.doubts.is_empty() || meta.side.is_none(), "{}", meta.id);
    }
}

#[test]
fn the_manual_shows_the_rules_as_they_are() {
    let path = in_crate("src/manual/rules.md");
    let wanted = markdown(&rules().collect::<Vec<_>>());
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == wanted, "src/manual/rules.md is out of date; run this test with UPDATE=1");
}
