//! The registry of rules: whole, in order, documented, and shown in the manual as it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mfatrace::finding::RuleMeta;
use mfatrace::report::rules::{HEADINGS, family, lines, markdown, section};
use mfatrace::rules::{RETIRED, RULES, find};

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

#[test]
fn advice_is_one_sentence() {
    for meta in rules() {
        let advice = meta.advice;
        assert!(advice.ends_with('.') && !advice.contains(". "), "{}: {advice}", meta.id);
        assert!(advice.starts_with(char::is_uppercase), "{}: {advice}", meta.id);
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
