//! The rules of this program as a list: for the manual, for programs, and for whoever explains one.
//!
//! The texts come from the documentation of each rule, which arrives as data. It must not know what a
//! rule checks.
//!
//! Invariant: the page of the manual is exactly what [`markdown`] gives.

use std::fmt::Write as _;

use serde::Serialize;

#[cfg(test)]
use super::forms;
use super::json;
use crate::finding::{Family, RuleId, RuleMeta, Severity};
use crate::signin::{GuideCause, Side};

/// The headings of every rule's documentation, in their order.
pub const HEADINGS: [&str; 6] = [
    "What it finds",
    "Why it breaks sign-in",
    "Evidence it needs",
    "What looks like it",
    "What to do",
    "References",
];

/// The name of the schema of the list.
pub const SCHEMA: &str = "mfatrace-rules/1";

/// The documentation line by line, without the blank that stands before each line of a comment.
pub fn lines(meta: &RuleMeta) -> impl Iterator<Item = &'static str> {
    meta.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line))
}

/// The text below a heading, as one line.
pub fn section(meta: &RuleMeta, heading: &str) -> String {
    let below = lines(meta)
        .skip_while(|line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    below.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a rule finds, in its first sentence.
pub fn finds(meta: &RuleMeta) -> String {
    let text = section(meta, "What it finds");
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}

/// A family by the letters that begin the ids of its rules.
pub const fn family(family: Family) -> &'static str {
    match family {
        Family::Cap => "CAP",
        Family::Dns => "DNS",
        Family::Tcp => "TCP",
        Family::Prx => "PRX",
        Family::Tls => "TLS",
        Family::Net => "NET",
        Family::Sts => "STS",
        Family::Mfa => "MFA",
    }
}

/// The page of the manual: a table, then every rule in full.
pub fn markdown(rules: &[&'static RuleMeta]) -> String {
    let mut page = String::from(
        "Each rule looks for one thing. Its id never changes its meaning. The table and the texts are \
         made\nfrom the rules themselves.\n\n| id | name | family | severity | finds |\n| --- | --- | --- \
         | --- | --- |\n",
    );
    // Writing to a string cannot fail.
    for meta in rules {
        let severity = meta.severity.as_str();
        let finds = finds(meta).replace('|', "\\|");
        let family = family(meta.family);
        let _ = writeln!(page, "| {} | {} | {family} | {severity} | {finds} |", meta.id, meta.name);
    }
    for meta in rules {
        let _ = write!(page, "\n## {} {}\n\n", meta.id, meta.name);
        for line in lines(meta) {
            let _ = match line.strip_prefix("## ") {
                Some(heading) => writeln!(page, "### {heading}\n"),
                None => writeln!(page, "{line}"),
            };
        }
        let _ = writeln!(page, "\nIn short: {}", meta.advice);
    }
    page
}

/// What mfatrace looks for: its rules with their documentation.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-rules/1"))]
pub(super) struct Document<'a> {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// What wrote it.
    tool: json::Tool<'a>,
    /// The rules, by families in the order of the chain.
    rules: Vec<RuleJson>,
}

/// One rule.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "rule"))]
struct RuleJson {
    /// Its id, which never changes its meaning.
    id: RuleId,
    /// Its name: the condition it looks for.
    #[cfg_attr(test, schemars(with = "forms::RuleName"))]
    name: &'static str,
    /// Its family.
    #[cfg_attr(test, schemars(with = "forms::Family"))]
    family: &'static str,
    /// The usual effect of what it finds.
    #[cfg_attr(test, schemars(with = "forms::Severity"))]
    severity: Severity,
    /// The side that what it finds stands for, when it is the cause.
    side: Option<Side>,
    /// The cause of the guide that it supports.
    guide: Option<GuideCause>,
    /// What it finds, in one sentence.
    finds: String,
    /// What to do about it.
    advice: &'static str,
    /// Its documentation.
    docs: Vec<SectionJson>,
}

/// A part of the documentation of a rule.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "section"))]
struct SectionJson {
    /// Its heading.
    heading: &'static str,
    /// Its text.
    text: String,
}

/// The list as one JSON document.
pub fn json(rules: &[&'static RuleMeta], tool_version: &str) -> String {
    let rule = |meta: &&'static RuleMeta| RuleJson {
        id: meta.id,
        name: meta.name,
        family: family(meta.family),
        severity: meta.severity,
        side: meta.side,
        guide: meta.guide,
        finds: finds(meta),
        advice: meta.advice,
        docs: HEADINGS
            .map(|heading| SectionJson { heading, text: section(meta, heading) })
            .into_iter()
            .collect(),
    };
    json::pretty(&Document {
        schema: SCHEMA,
        tool: json::Tool::new(tool_version),
        rules: rules.iter().map(rule).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static META: RuleMeta = RuleMeta {
        id: RuleId("TST001"),
        name: "a-test",
        family: Family::Tcp,
        severity: Severity::Error,
        side: Some(Side::Network),
        guide: None,
        advice: "Do this.",
        docs: " ## What it finds\n One thing\n over two lines. Another.\n\n ## Why it breaks sign-in\n It | does.\n",
        masks: &[],
        doubts: &[],
    };

    #[test]
    fn sections_are_read_by_their_headings() {
        assert_eq!(section(&META, "What it finds"), "One thing over two lines. Another.");
        assert_eq!(finds(&META), "One thing over two lines.");
        assert_eq!(section(&META, "References"), "");
    }

    #[test]
    fn the_page_has_the_table_and_the_texts() {
        let page = markdown(&[&META]);
        assert!(page.contains("| TST001 | a-test | TCP | error | One thing over two lines. |"));
        assert!(page.contains("\n## TST001 a-test\n\n### What it finds\n\nOne thing\n"), "{page}");
        assert!(page.ends_with("\nIn short: Do this.\n"));
    }

    #[test]
    fn the_document_names_its_schema() {
        let document: serde_json::Value = serde_json::from_str(&json(&[&META], "9.9.9")).unwrap();
        assert_eq!(document["schema"], SCHEMA);
        assert_eq!(document["rules"][0]["side"], "network");
        assert_eq!(document["rules"][0]["docs"][0]["heading"], "What it finds");
    }
}
