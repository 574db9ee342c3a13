//! The table of rules for people.
//!
//! Two lines or more for each rule: what it is, and what it finds. It must not know what a rule
//! checks.
//!
//! Invariant: the order is the one that is given.

use super::page::{Page, Tone};
use crate::finding::{RuleMeta, Severity};
use crate::report::rules::finds;

/// Column at which the text of a rule begins.
const TEXT: usize = 8;
/// Columns of the longest name and of a severity.
const NAME: usize = 34;
const SEVERITY: usize = 10;

/// Writes the table.
pub fn write(rules: &[&'static RuleMeta], colour: bool) -> String {
    let mut page = Page::new(colour);
    let head = format!("{:<TEXT$}{:<NAME$}{:<SEVERITY$}side", "id", "name", "severity");
    page.cells(&[(&head, Tone::Faint)]);
    for meta in rules {
        let tone = match meta.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Doubt,
            Severity::Info => Tone::Faint,
        };
        let name = format!("{:<NAME$}", meta.name);
        let severity = format!("{:<SEVERITY$}", meta.severity.as_str());
        let side = meta.side.map_or("as found", |side| side.as_str());
        let id = format!("{:<TEXT$}", meta.id.0);
        page.cells(&[
            (&id, Tone::Strong),
            (&name, Tone::Plain),
            (&severity, tone),
            (side, Tone::Plain),
        ]);
        page.text(TEXT, &finds(meta).replace('`', ""), Tone::Plain);
    }
    page.blank();
    page.text(0, "Explain one with: mfatrace explain ID", Tone::Faint);
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Family, RuleId};

    static META: RuleMeta = RuleMeta {
        id: RuleId("TST001"),
        name: "a-test",
        family: Family::Tcp,
        severity: Severity::Error,
        side: None,
        guide: None,
        advice: "Do this.",
        docs: " ## What it finds\n One `thing`. Another.\n",
        masks: &[],
        doubts: &[],
    };

    #[test]
    fn a_rule_has_its_facts_and_its_sentence() {
        let text = write(&[&META], false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("id      name "));
        assert!(
            lines[1].starts_with("TST001  a-test ") && lines[1].ends_with("error     as found")
        );
        assert_eq!(lines[2], "        One thing.");
    }
}
