//! What a comparison of two sign-ins says, and its machine-readable form (`mfatrace-compare/1`).
//!
//! It holds the aligned steps, what differs and what could not be compared, each with the places in
//! both captures. It must not know how two sign-ins are aligned or when a difference counts.
//!
//! Invariants: a place belongs to the side it is kept under; the order of fields is the order of
//! declaration; every field of an object is always there, `null` where nothing is known.

use std::time::Duration;

use serde::Serialize;

use super::ReportInput;
#[cfg(test)]
use super::forms;
use super::json::{self, RefJson, Tool};
use crate::evidence::{EvidenceRef, HostName, Identity, Redaction, named};
use crate::finding::Text;
use crate::signin::{StepKind, StepResult};

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace-compare/1";

/// How two sign-ins relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "relation"))]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Nothing that was compared differs.
    Alike,
    /// One of the captures holds no sign-in, or nothing of it that can be compared.
    NotComparable,
    /// They come to the same end, by other ways or with other settings.
    OtherWay,
    /// One goes on where the other stops.
    Parted,
}

impl Relation {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alike => "alike",
            Self::NotComparable => "not_comparable",
            Self::OtherWay => "other_way",
            Self::Parted => "parted",
        }
    }
}

/// How much of a sign-in a capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "level"))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing of a sign-in.
    Nothing,
    /// Which hosts were reached, and how: what was said is encrypted.
    Connections,
    /// What was asked and answered.
    Requests,
}

/// How the two sides of a row relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mark"))]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The same step with the same end.
    Alike,
    /// One side has stopped before, so that it cannot have it.
    Follows,
    /// A difference that decides nothing: a step that sessions and settings bring about.
    Minor,
    /// Another way: another page, method or step, and both go on.
    OtherWay,
    /// One goes on and the other does not.
    Parts,
    /// One capture does not show it.
    Unknown,
}

/// One stage of one sign-in, repetitions folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepView {
    /// What kind of stage.
    pub kind: StepKind,
    /// How it ended.
    pub result: StepResult,
    /// What is worth saying of it.
    pub detail: String,
    /// The host asked.
    pub host: HostName,
    /// Requests folded into it.
    pub count: u32,
    /// How long the last of them took.
    pub took: Option<Duration>,
    /// Where they stand.
    pub refs: Vec<EvidenceRef>,
}

/// One row of the two sign-ins side by side; at least one side is there.
#[derive(Clone, Debug)]
pub struct Row {
    /// How the sides relate.
    pub mark: Mark,
    /// The stage of the working sign-in.
    pub working: Option<StepView>,
    /// The stage of the failing sign-in.
    pub failing: Option<StepView>,
    /// Why one side is missing, or why that cannot be told.
    pub note: Option<Text>,
}

/// What one side has of something, and where that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// In words.
    pub text: Text,
    /// Its places; a value that rests on what is not there has none.
    pub refs: Vec<EvidenceRef>,
}

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "area"))]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// What was asked of the service: tenant, application, flow.
    Request,
    /// Who asks: browser, system, library.
    Client,
    /// Methods, pages, codes and policies.
    Mfa,
    /// Which hosts were reached.
    Hosts,
    /// The way to them: proxy, addresses, versions, certificates.
    Network,
    /// How long the service took.
    Timing,
}

impl Area {
    /// Its heading for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Client => "Client",
            Self::Hosts => "Hosts",
            Self::Mfa => "MFA and policy",
            Self::Network => "Network",
            Self::Request => "What was asked for",
            Self::Timing => "Timing",
        }
    }
}

/// Something beside the steps in which the sign-ins differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What it is about.
    pub area: Area,
    /// Its name.
    pub name: &'static str,
    /// The hosts that it holds of.
    pub hosts: Vec<HostName>,
    /// What the working side has.
    pub working: Value,
    /// What the failing side has.
    pub failing: Value,
}

/// Where the sign-ins part.
#[derive(Clone, Debug)]
pub struct Parting {
    /// The row, where the steps tell.
    pub row: Option<usize>,
    /// The host, where only connections tell.
    pub host: Option<HostName>,
    /// What the working sign-in had there.
    pub working: Value,
    /// What the failing one had in its place.
    pub failing: Value,
    /// Whether the verdict of the failing side rests on it.
    pub decides: bool,
    /// Whether the failing capture proves it.
    pub is_proven: bool,
    /// How it hangs together with the verdict.
    pub connection: Text,
}

/// One side.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// Its analysis.
    pub report: ReportInput<'a>,
    /// The user, with a number that tells the users of both sides apart.
    pub user: Option<Identity>,
    /// How much of the sign-in it shows.
    pub level: Level,
    /// Whether its sign-in worked; `None` where the capture does not tell.
    pub worked: Option<bool>,
}

/// Two sign-ins side by side.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// The side given as the one that works.
    pub working: Side<'a>,
    /// The side given as the one that fails.
    pub failing: Side<'a>,
    /// What they are called: the working and the failing one only where that is seen.
    pub labels: [&'static str; 2],
    /// How they relate.
    pub relation: Relation,
    /// The answer, fit for a ticket.
    pub headline: Text,
    /// What the reader has to know before relying on it.
    pub notes: Vec<Text>,
    /// Where they part.
    pub parting: Option<Parting>,
    /// The steps, aligned.
    pub rows: Vec<Row>,
    /// What else differs, by area.
    pub differences: Vec<Difference>,
    /// What could not be compared, and why.
    pub not_compared: Vec<Text>,
}

/// The comparison as pretty printed JSON with one line end behind it.
pub fn json(comparison: &Comparison<'_>) -> String {
    json::pretty(&Document::of(comparison))
}

/// Two sign-ins side by side: where they part, and what else differs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-compare/1"))]
pub(super) struct Document<'a> {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// What wrote it.
    tool: Tool<'a>,
    /// How the two relate.
    relation: Relation,
    /// The answer, fit for a ticket.
    headline: String,
    /// What to know before relying on it.
    notes: Vec<String>,
    /// The side given as the one that works.
    working: SideJson<'a>,
    /// The side given as the one that fails.
    failing: SideJson<'a>,
    /// Where they part.
    parting: Option<PartingJson<'a>>,
    /// The steps, aligned.
    steps: Vec<RowJson<'a>>,
    /// What else differs.
    differences: Vec<DifferenceJson<'a>>,
    /// What could not be compared, and why.
    not_compared: Vec<String>,
}

impl<'a> Document<'a> {
    fn of(comparison: &'a Comparison<'a>) -> Self {
        let redaction = comparison.working.report.redaction;
        let say = |text: &Text| text.shown(redaction);
        let value = |value: &Value| ValueJson { text: say(&value.text), refs: refs(&value.refs) };
        Self {
            schema: SCHEMA,
            tool: Tool::new(comparison.working.report.tool_version),
            relation: comparison.relation,
            headline: say(&comparison.headline),
            notes: comparison.notes.iter().map(say).collect(),
            working: SideJson::of(&comparison.working),
            failing: SideJson::of(&comparison.failing),
            parting: comparison.parting.as_ref().map(|one| PartingJson {
                step: one.row,
                host: one.host.as_ref(),
                working: value(&one.working),
                failing: value(&one.failing),
                decides: one.decides,
                proven: one.is_proven,
                connection: say(&one.connection),
            }),
            steps: comparison
                .rows
                .iter()
                .map(|row| RowJson {
                    mark: row.mark,
                    working: row.working.as_ref().map(|one| StepJson::of(one, redaction)),
                    failing: row.failing.as_ref().map(|one| StepJson::of(one, redaction)),
                    note: row.note.as_ref().map(say),
                })
                .collect(),
            differences: comparison
                .differences
                .iter()
                .map(|one| DifferenceJson {
                    area: one.area,
                    name: one.name,
                    hosts: &one.hosts,
                    working: value(&one.working),
                    failing: value(&one.failing),
                })
                .collect(),
            not_compared: comparison.not_compared.iter().map(say).collect(),
        }
    }
}

/// What one side is, in short; its own report says more.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "side_of_comparison"))]
struct SideJson<'a> {
    /// Its inputs.
    inputs: Vec<InputJson<'a>>,
    /// How much of the sign-in it shows.
    level: Level,
    /// Whether its sign-in worked; null where the capture does not tell.
    worked: Option<bool>,
    /// The attempt that was taken.
    attempt: Option<u32>,
    /// How many attempts there are.
    attempts: usize,
    /// The user, as the redaction allows.
    user: Option<String>,
    /// First sign of the attempt.
    #[cfg_attr(test, schemars(with = "Option<crate::time::Timestamp>"))]
    first: Option<String>,
    /// How it ended.
    #[cfg_attr(test, schemars(with = "crate::signin::Outcome"))]
    outcome: &'static str,
    /// Whose matter it is.
    #[cfg_attr(test, schemars(with = "crate::signin::Side"))]
    side: &'static str,
    /// What became of MFA.
    #[cfg_attr(test, schemars(with = "Option<crate::signin::MfaState>"))]
    mfa: Option<&'static str>,
    /// The rule whose finding is the cause.
    #[cfg_attr(test, schemars(with = "Option<crate::finding::RuleId>"))]
    cause: Option<&'static str>,
    /// The host of the cause.
    host: Option<&'a HostName>,
    /// How sure the verdict is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    confidence: &'static str,
    /// The verdict in words.
    summary: String,
}

/// An input of one side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "input_of_side"))]
struct InputJson<'a> {
    /// Its number, which references of this side name.
    id: u32,
    /// Its name.
    name: String,
    /// Its format.
    #[cfg_attr(test, schemars(with = "forms::Format"))]
    format: &'static str,
    /// Its hash.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    sha256: Option<&'a str>,
    /// Its bytes.
    bytes: u64,
}

impl<'a> SideJson<'a> {
    fn of(side: &Side<'a>) -> Self {
        let report = side.report;
        let (verdict, attempt) = (report.verdict, report.attempt());
        Self {
            inputs: report
                .evidence
                .inputs
                .iter()
                .map(|input| InputJson {
                    id: input.id.0,
                    name: named(&input.name, report.redaction).into_owned(),
                    format: input.format.as_str(),
                    sha256: input.sha256.as_deref(),
                    bytes: input.bytes,
                })
                .collect(),
            level: side.level,
            worked: side.worked,
            attempt: verdict.attempt.map(|id| id.0),
            attempts: report.signin.attempts.len(),
            user: side.user.as_ref().map(|user| user.shown(report.redaction)),
            first: attempt.and_then(|one| one.first).map(|at| at.to_string()),
            outcome: verdict.outcome.as_str(),
            side: verdict.side.as_str(),
            mfa: attempt.map(|one| one.mfa.as_str()),
            cause: verdict.cause.map(|rule| rule.0),
            host: verdict.host.as_ref(),
            confidence: verdict.confidence.as_str(),
            summary: verdict.summary.shown(report.redaction),
        }
    }
}

/// Where the two part.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "parting"))]
struct PartingJson<'a> {
    /// The place in `steps`, from 0.
    step: Option<usize>,
    /// The host, where only connections tell.
    host: Option<&'a HostName>,
    /// What the working side has there.
    working: ValueJson,
    /// What the failing side has in its place.
    failing: ValueJson,
    /// Whether the verdict of the failing side rests on it.
    decides: bool,
    /// Whether the failing capture proves it.
    proven: bool,
    /// How it hangs together with the verdict.
    connection: String,
}

/// One stage of both sign-ins.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "row"))]
struct RowJson<'a> {
    /// How the sides relate.
    mark: Mark,
    /// The stage of the working side.
    working: Option<StepJson<'a>>,
    /// The stage of the failing side.
    failing: Option<StepJson<'a>>,
    /// Why one side is missing, or why that cannot be told.
    note: Option<String>,
}

/// One stage of one side, repetitions folded.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "step_of_side"))]
struct StepJson<'a> {
    /// What kind of stage.
    #[cfg_attr(test, schemars(with = "StepKind"))]
    kind: &'static str,
    /// What became of it.
    #[cfg_attr(test, schemars(with = "forms::StepResult"))]
    result: &'static str,
    /// What is worth saying of it.
    detail: String,
    /// The host asked.
    host: &'a HostName,
    /// Requests folded into it.
    count: u32,
    /// How long the last of them took, in milliseconds.
    took_ms: Option<u64>,
    /// Where they stand.
    refs: Vec<RefJson>,
}

impl<'a> StepJson<'a> {
    fn of(step: &'a StepView, redaction: Redaction) -> Self {
        Self {
            kind: step.kind.as_str(),
            result: step.result.as_str(),
            detail: json::captured(&step.detail, redaction),
            host: &step.host,
            count: step.count,
            took_ms: step.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            refs: refs(&step.refs),
        }
    }
}

/// Something beside the steps in which the two differ.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "difference"))]
struct DifferenceJson<'a> {
    /// What it is about.
    area: Area,
    /// Its name.
    name: &'static str,
    /// The hosts that it holds of.
    hosts: &'a [HostName],
    /// What the working side has.
    working: ValueJson,
    /// What the failing side has.
    failing: ValueJson,
}

/// What one side has of something.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "value"))]
struct ValueJson {
    /// In words.
    text: String,
    /// Where it stands.
    refs: Vec<RefJson>,
}

fn refs(all: &[EvidenceRef]) -> Vec<RefJson> {
    all.iter().copied().map(RefJson::of).collect()
}
