//! The registry of rules: whole, in order, documented, shown in the manual as it is, and each with a
//! capture on which it fires, a healthy one, and a look-alike that only its guard keeps it silent on.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod support;

use mfatrace::finding::{Finding, RuleMeta, Severity};
use mfatrace::rules::{self, Case, RETIRED, RULES, find};

/// The headings of every rule, in their order.
const HEADINGS: [&str; 6] = [
    "What it finds",
    "Why it breaks sign-in",
    "Evidence it needs",
    "What looks like it",
    "What to do",
    "References",
];

fn rules() -> impl Iterator<Item = &'static RuleMeta> {
    RULES.iter().map(|rule| rule.meta())
}

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The documentation without the blank that stands before each line of a comment.
fn lines(meta: &RuleMeta) -> impl Iterator<Item = &'static str> {
    meta.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line))
}

fn family(meta: &RuleMeta) -> String {
    format!("{:?}", meta.family).to_uppercase()
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
        assert_eq!(prefix, family(meta), "{}", meta.id);
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

/// Whether a rule speaks up: a rule of information by any word, the others by more than that.
fn fires(meta: &RuleMeta, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        finding.meta.id == meta.id
            && (meta.severity == Severity::Info || finding.severity > Severity::Info)
    })
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
                "negative" => !fires(meta, &guarded) && row.side == "nothing_wrong",
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
    let wanted = manual();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == wanted, "src/manual/rules.md is out of date; run this test with UPDATE=1");
}

/// The text below a heading, as one line.
fn section(meta: &RuleMeta, heading: &str) -> String {
    let below = lines(meta)
        .skip_while(|line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    below.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a rule finds, in its first sentence.
fn first_sentence(meta: &RuleMeta) -> String {
    let text = section(meta, HEADINGS[0]);
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}

/// The page of the manual.
fn manual() -> String {
    let mut page = String::from(
        "Each rule looks for one thing. Its id never changes its meaning. The table and the texts are \
         made\nfrom the rules themselves.\n\n| id | name | family | severity | finds |\n| --- | --- | --- \
         | --- | --- |\n",
    );
    for meta in rules() {
        let severity = meta.severity.as_str();
        let finds = first_sentence(meta).replace('|', "\\|");
        writeln!(page, "| {} | {} | {} | {severity} | {finds} |", meta.id, meta.name, family(meta))
            .unwrap();
    }
    for meta in rules() {
        write!(page, "\n## {} {}\n\n", meta.id, meta.name).unwrap();
        for line in lines(meta) {
            match line.strip_prefix("## ") {
                Some(heading) => writeln!(page, "### {heading}\n").unwrap(),
                None => writeln!(page, "{line}").unwrap(),
            }
        }
        writeln!(page, "\nIn short: {}", meta.advice).unwrap();
    }
    page
}
