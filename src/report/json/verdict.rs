//! The verdict in the machine-readable report.
//!
//! It must not decide anything: sentences and places are those of the verdict.
//!
//! Invariant: sentences show users as the redaction allows.

use serde::Serialize;

use super::reference::RefJson;
use crate::evidence::HostName;
use crate::finding::{Refs, RuleId, Text};
use crate::report::ReportInput;
#[cfg(test)]
use crate::report::forms;
use crate::signin::{Browser, GuideCause, Outcome, Side};
use crate::verdict::{Statement, Verdict};

/// The answer: whose side it is, what came of the sign-in, and what proves it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "verdict"))]
pub(super) struct VerdictJson<'a> {
    /// Whose matter it is.
    side: Side,
    /// How the attempt ended.
    outcome: Outcome,
    /// The attempt that it follows.
    attempt: Option<u32>,
    /// The rule whose finding is the cause.
    cause: Option<RuleId>,
    /// The needed host that was tried first.
    host: Option<&'a HostName>,
    /// The other hosts of the cause.
    hosts: &'a [HostName],
    /// How sure it is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    confidence: &'static str,
    /// The answer in one or two sentences.
    summary: String,
    /// What speaks for it.
    r#for: Vec<StatementJson>,
    /// What speaks against it.
    against: Vec<StatementJson>,
    /// What it is not, and by which fact.
    ruled_out: Vec<StatementJson>,
    /// The five causes of the AADSTS50074 guide, each answered.
    guide: Vec<GuideJson>,
    /// What the capture cannot show.
    unseen: Vec<String>,
    /// The capture to take when this one cannot tell.
    next_capture: Option<NextCaptureJson<'a>>,
}

/// A sentence and the places that prove it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "statement"))]
struct StatementJson {
    /// The sentence.
    text: String,
    /// Its places.
    refs: Vec<RefJson>,
}

/// The answer to one cause of the guide.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "guide_answer_to_cause"))]
struct GuideJson {
    /// The cause.
    cause: GuideCause,
    /// The answer.
    #[cfg_attr(test, schemars(with = "forms::GuideAnswer"))]
    answer: &'static str,
    /// Why.
    text: String,
    /// Where that stands.
    refs: Vec<RefJson>,
    /// What to do.
    next: String,
}

/// The capture to take next.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "next_capture"))]
struct NextCaptureJson<'a> {
    /// What kind of capture.
    #[cfg_attr(test, schemars(with = "forms::CaptureKind"))]
    kind: &'static str,
    /// The system of the client.
    #[cfg_attr(test, schemars(with = "forms::System"))]
    system: &'static str,
    /// Whether the capture does not name the system, so that the usual one is taken.
    system_assumed: bool,
    /// The browser of the client.
    #[cfg_attr(test, schemars(with = "Option<forms::Browser>"))]
    browser: Option<&'static str>,
    /// The fact that is missing.
    missing: String,
    /// The tool to take it with.
    tool: &'a str,
    /// What to do, one step each.
    steps: &'a [&'static str],
    /// When to start.
    start: &'a str,
    /// When to stop.
    stop: &'a str,
    /// What to know about its contents.
    reminder: Option<&'a str>,
}

impl<'a> VerdictJson<'a> {
    pub(super) fn of(report: &ReportInput<'a>, verdict: &'a Verdict) -> Self {
        let say = |text: &Text| text.shown(report.redaction);
        let statements = |all: &[Statement]| -> Vec<StatementJson> {
            all.iter()
                .map(|one| StatementJson {
                    text: say(&one.text),
                    refs: RefJson::all(one.refs.iter().flat_map(Refs::iter)),
                })
                .collect()
        };
        Self {
            side: verdict.side,
            outcome: verdict.outcome,
            attempt: verdict.attempt.map(|id| id.0),
            cause: verdict.cause,
            host: verdict.host.as_ref(),
            hosts: &verdict.hosts,
            confidence: verdict.confidence.as_str(),
            summary: say(&verdict.summary),
            r#for: statements(&verdict.evidence_for),
            against: statements(&verdict.evidence_against),
            ruled_out: statements(&verdict.ruled_out),
            guide: verdict
                .guide
                .iter()
                .map(|one| GuideJson {
                    cause: one.cause,
                    answer: one.answer.as_str(),
                    text: say(&one.text),
                    refs: RefJson::all(one.refs.iter().flat_map(Refs::iter)),
                    next: say(&one.next),
                })
                .collect(),
            unseen: verdict.unseen.iter().map(say).collect(),
            next_capture: verdict.next_capture.as_ref().map(|next| NextCaptureJson {
                kind: next.kind.as_str(),
                system: next.system.as_str(),
                system_assumed: next.is_assumed,
                browser: next.browser.map(Browser::as_str),
                missing: say(&next.missing),
                tool: next.tool,
                steps: &next.steps,
                start: next.start,
                stop: next.stop,
                reminder: Some(next.reminder).filter(|words| !words.is_empty()),
            }),
        }
    }
}
