//! The machine-readable report in lines, for programs that read one record after the other.
//!
//! A line is a whole document, or one finding with the inputs that it cites. It must not say anything
//! that the document does not say.
//!
//! Invariants: every line is JSON of its own and ends with the only line end in it; a line of a
//! document is that document without the blanks.

use std::borrow::Cow;

use serde::Serialize;

#[cfg(test)]
use super::forms;
use super::json::{Document, FindingJson, Tool, line};
use super::model::ReportInput;
use crate::evidence::{Input, named};
use crate::finding::Finding;
use crate::signin::{Outcome, Side};

/// The name of the schema of a finding.
pub const SCHEMA: &str = "mfatrace-finding/1";

/// The report on one line.
pub fn write(report: &ReportInput<'_>) -> String {
    line(&Document::of(report))
}

/// Each finding on one line; a case in which nothing was found has none.
pub fn findings(report: &ReportInput<'_>) -> String {
    report.findings.iter().map(|one| line(&FindingLine::of(report, one))).collect()
}

/// One finding with the inputs in which it stands, and the verdict of its case.
///
/// Within a version fields may be added: a reader passes over those it does not know.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-finding/1"))]
pub(super) struct FindingLine<'a> {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// What wrote it.
    tool: Tool<'a>,
    /// The inputs that its references name.
    #[cfg_attr(test, schemars(length(min = 1)))]
    inputs: Vec<LineInput<'a>>,
    /// The answer of the case.
    verdict: LineVerdict,
    /// The finding.
    finding: FindingJson<'a>,
}

/// An input that a finding stands in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "input"))]
struct LineInput<'a> {
    /// Its number, which references name.
    id: u32,
    /// The name as it was given; members of archives stand behind `!`.
    name: Cow<'a, str>,
    /// Its format, recognised by content.
    #[cfg_attr(test, schemars(with = "forms::Format"))]
    format: &'static str,
    /// Hash of the capture itself.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    sha256: Option<&'a str>,
}

/// The answer of the case in short.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "verdict"))]
struct LineVerdict {
    /// Whose matter it is.
    side: Side,
    /// How the attempt ended.
    outcome: Outcome,
    /// How sure it is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    confidence: &'static str,
}

impl<'a> FindingLine<'a> {
    fn of(report: &ReportInput<'a>, finding: &'a Finding) -> Self {
        let is_cited = |input: &&Input| finding.refs.iter().any(|one| one.input == input.id);
        Self {
            schema: SCHEMA,
            tool: Tool::new(report.tool_version),
            inputs: report
                .evidence
                .inputs
                .iter()
                .filter(is_cited)
                .map(|input| LineInput {
                    id: input.id.0,
                    name: named(&input.name, report.redaction),
                    format: input.format.as_str(),
                    sha256: input.sha256.as_deref(),
                })
                .collect(),
            verdict: LineVerdict {
                side: report.verdict.side,
                outcome: report.verdict.outcome,
                confidence: report.verdict.confidence.as_str(),
            },
            finding: FindingJson::of(report, finding),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::model::acts;
    use crate::report::{json, samples};

    #[test]
    fn a_line_is_the_document() {
        for case in samples::all() {
            let mut report = case.report();
            report.with_evidence = true;
            let text = write(&report);
            assert_eq!(text.matches('\n').count(), 1);
            assert!(text.ends_with('\n') && !text.trim_end().contains(acts), "{text}");
            let document: Value = serde_json::from_str(&json::write(&report)).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
        }
    }

    #[test]
    fn a_finding_names_the_inputs_it_cites() {
        let case = samples::network();
        let text = findings(&case.report());
        assert_eq!(text.lines().count(), case.findings.len());
        let document: Value = serde_json::from_str(&json::write(&case.report())).unwrap();
        for (index, line) in text.lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["schema"], SCHEMA);
            assert_eq!(line["finding"], document["findings"][index]);
            for reference in line["finding"]["refs"].as_array().unwrap() {
                let inputs = line["inputs"].as_array().unwrap();
                assert!(inputs.iter().any(|input| input["id"] == reference["input"]));
            }
        }
    }

    #[test]
    fn nothing_found_is_no_line() {
        assert_eq!(findings(&samples::no_sign_in().report()), "");
    }
}
