//! The findings in the machine-readable reports.
//!
//! It must not know the rules: name and advice come with the finding.
//!
//! Invariant: every finding has at least one place.

use serde::Serialize;

use super::reference::RefJson;
use crate::evidence::HostName;
use crate::finding::{Finding, RuleId};
use crate::report::ReportInput;
#[cfg(test)]
use crate::report::forms;
use crate::signin::AttemptId;

/// One thing that a rule found.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "finding"))]
pub(in crate::report) struct FindingJson<'a> {
    /// The rule.
    rule: RuleId,
    /// The name of the rule.
    #[cfg_attr(test, schemars(with = "forms::RuleName"))]
    name: &'static str,
    /// Its effect on this sign-in.
    #[cfg_attr(test, schemars(with = "forms::Severity"))]
    severity: &'static str,
    /// How well it is founded.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    confidence: &'static str,
    /// The host it is about.
    host: Option<&'a HostName>,
    /// Whether the verdict rests on it.
    decisive: bool,
    /// The rule whose finding has this one as its consequence.
    consequence_of: Option<RuleId>,
    /// The attempt it belongs to.
    attempt: Option<u32>,
    /// What was found.
    summary: String,
    /// What to do about it; empty where nothing is to be done.
    advice: String,
    /// Where it stands.
    #[cfg_attr(test, schemars(length(min = 1)))]
    refs: Vec<RefJson>,
}

impl<'a> FindingJson<'a> {
    pub(in crate::report) fn of(report: &ReportInput<'_>, finding: &'a Finding) -> Self {
        let id = |index: usize| report.signin.attempts.get(index).map(|attempt| attempt.id);
        Self {
            rule: finding.meta.id,
            name: finding.meta.name,
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            host: finding.host.as_ref(),
            decisive: finding.decisive,
            consequence_of: finding.masked_by,
            attempt: finding.attempt.and_then(id).map(|AttemptId(number)| number),
            summary: finding.summary.shown(report.redaction),
            advice: match &finding.advice {
                Some(advice) => advice.shown(report.redaction),
                None => finding.meta.advice.to_owned(),
            },
            refs: RefJson::all(finding.refs.iter()),
        }
    }
}
