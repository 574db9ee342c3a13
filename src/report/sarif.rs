//! The findings in SARIF 2.1.0, the exchange format that viewers and pipelines of findings read.
//!
//! Rules with their documentation, results with their places, the steps of the sign-in as a code flow,
//! diagnostics as notifications, inputs as artifacts with hashes. It must not decide anything; what
//! SARIF has no place for stands in property bags.
//!
//! Invariants: the document is valid under the published schema; a result names a rule of the run and
//! only artifacts of the run; a URI names no more than the input was called, with every other character
//! in percents; texts of captures are no links and no placeholders.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::json::{captured, pretty};
use super::model::{ReportInput, display_filter, harmless, is_unread, place, result_words, titled};
use super::rules::{HEADINGS, finds, section};
use crate::evidence::{Diagnostic, EvidenceRef, Input, InputId, Locator, named};
use crate::finding::{Finding, RuleMeta, Severity};
use crate::signin::{SignInAttempt, Step, StepResult};

/// The published schema (OASIS, SARIF 2.1.0 with errata 01).
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Most places of one result: viewers open each.
const PLACES: usize = 100;

/// The log of a case, pretty printed, with one line end behind it.
pub fn write(report: &ReportInput<'_>) -> String {
    pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [Run::of(report)] })
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Value,
    invocations: [Value; 1],
    artifacts: Vec<Value>,
    results: Vec<Value>,
    properties: Value,
}

impl Run {
    fn of(report: &ReportInput<'_>) -> Self {
        let rules = rules(report);
        let codes = codes(report);
        let bearers = flow_bearers(report);
        let result = |(finding, bears): (&Finding, bool)| result(report, &rules, finding, bears);
        Self {
            tool: json!({
                "driver": {
                    "name": "mfatrace",
                    "version": report.tool_version,
                    "semanticVersion": report.tool_version,
                    "shortDescription": { "text": env!("CARGO_PKG_DESCRIPTION") },
                    "rules": rules.iter().map(|meta| rule(meta)).collect::<Vec<_>>(),
                    "notifications":
                        codes.iter().map(|code| json!({ "id": code })).collect::<Vec<_>>(),
                },
            }),
            invocations: [json!({
                "executionSuccessful": is_read(report),
                "toolExecutionNotifications": report
                    .evidence
                    .diagnostics
                    .iter()
                    .map(|one| notification(report, &codes, one))
                    .collect::<Vec<_>>(),
            })],
            artifacts: report.evidence.inputs.iter().map(|one| artifact(report, one)).collect(),
            results: report.findings.iter().zip(bearers).map(result).collect(),
            properties: verdict(report),
        }
    }
}

/// The rules that found something, in the order of their ids.
fn rules(report: &ReportInput<'_>) -> Vec<&'static RuleMeta> {
    let mut rules: Vec<&'static RuleMeta> = report.findings.iter().map(|one| one.meta).collect();
    rules.sort_by_key(|meta| meta.id);
    rules.dedup_by_key(|meta| meta.id);
    rules
}

/// The codes of diagnostics, each once.
fn codes(report: &ReportInput<'_>) -> Vec<&'static str> {
    let mut codes: Vec<_> =
        report.evidence.diagnostics.iter().map(|one| one.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Whether at least one input gave something.
fn is_read(report: &ReportInput<'_>) -> bool {
    let is_lost = |input: &Input| {
        let about = |one: &&Diagnostic| one.input == Some(input.id) && is_unread(one.code);
        input.records == 0 && report.evidence.diagnostics.iter().any(|one| about(&one))
    };
    report.evidence.inputs.is_empty() || !report.evidence.inputs.iter().all(is_lost)
}

/// The findings whose results carry the steps of the sign-in: those that the verdict rests on, else
/// the first one of the attempt.
fn flow_bearers(report: &ReportInput<'_>) -> Vec<bool> {
    let of_attempt = |one: &Finding| {
        let attempt = one.attempt.and_then(|index| report.signin.attempts.get(index));
        attempt.is_some_and(|attempt| Some(attempt.id) == report.verdict.attempt)
    };
    let is_decided = report.findings.iter().any(|one| one.decisive);
    let first = report.findings.iter().position(of_attempt);
    let bears = |(index, one): (usize, &Finding)| {
        if is_decided { one.decisive } else { first == Some(index) }
    };
    report.findings.iter().enumerate().map(bears).collect()
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Info => "note",
        Severity::Warning => "warning",
    }
}

/// A text that is no link and no placeholder (SARIF 2.1.0 sections 3.11.5 and 3.11.6).
fn plain(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}").replace("](", "] (")
}

fn rule(meta: &RuleMeta) -> Value {
    let mut text = String::new();
    let mut markdown = String::new();
    for heading in HEADINGS {
        let words = section(meta, heading);
        if !words.is_empty() {
            let _ = write!(text, "{heading}: {words}\n\n");
            let _ = write!(markdown, "## {heading}\n\n{words}\n\n");
        }
    }
    let advice = if meta.advice.is_empty() { finds(meta) } else { meta.advice.to_owned() };
    let or_advice = |words: String| if words.trim().is_empty() { advice.clone() } else { words };
    let full = section(meta, "What it finds");
    json!({
        "id": meta.id,
        "name": pascal(meta.name),
        "shortDescription": { "text": plain(&or_name(finds(meta), meta)) },
        "fullDescription": { "text": plain(&or_name(full, meta)) },
        "help": {
            "text": plain(&or_name(or_advice(text.trim_end().to_owned()), meta)),
            "markdown": or_name(or_advice(markdown.trim_end().to_owned()), meta),
        },
        "defaultConfiguration": { "level": level(meta.severity) },
        "properties": {
            "name": meta.name,
            "side": meta.side,
            "guide": meta.guide,
            "tags": [super::rules::family(meta.family)],
        },
    })
}

fn or_name(text: String, meta: &RuleMeta) -> String {
    if text.is_empty() { meta.name.to_owned() } else { text }
}

/// `tcp-connection-cut` as `TcpConnectionCut`, which the names of SARIF rules look like.
fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect::<String>()
        })
    };
    name.split('-').map(word).collect()
}

fn result(
    report: &ReportInput<'_>,
    rules: &[&'static RuleMeta],
    finding: &Finding,
    bears_flow: bool,
) -> Value {
    let attempt = finding.attempt.and_then(|index| report.signin.attempts.get(index));
    let mut message = plain(&finding.summary.shown(report.redaction));
    let advice = finding.advice.as_ref().map(|one| one.shown(report.redaction));
    let advice = advice.unwrap_or_else(|| finding.meta.advice.to_owned());
    if !advice.is_empty() {
        let _ = write!(message, "\n\nTo do: {}", plain(&advice));
    }
    let refs: Vec<EvidenceRef> = finding.refs.iter().collect();
    let mut result = json!({
        "ruleId": finding.meta.id,
        "ruleIndex": rules.iter().position(|meta| meta.id == finding.meta.id),
        "level": level(finding.severity),
        "message": { "text": message },
        "locations": refs
            .iter()
            .take(PLACES)
            .map(|one| location(report, *one, None))
            .collect::<Vec<_>>(),
        "properties": {
            "confidence": finding.confidence.as_str(),
            "decisive": finding.decisive,
            "consequenceOf": finding.masked_by,
            "host": finding.host,
            "attempt": attempt.map(|one| one.id.0),
            "placesLeftOut": refs.len().saturating_sub(PLACES),
        },
    });
    let attempt = report.attempt().filter(|one| !one.steps.is_empty());
    if let Some(attempt) = attempt.filter(|_| bears_flow)
        && let Some(map) = result.as_object_mut()
    {
        map.insert("codeFlows".to_owned(), json!([code_flow(report, attempt)]));
    }
    result
}

/// The steps of an attempt, in their order.
fn code_flow(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Value {
    let mut steps = Vec::with_capacity(attempt.steps.len());
    for (order, step) in attempt.steps.iter().enumerate() {
        steps.push(flow_step(report, order, step));
    }
    json!({
        "message": { "text": format!("The sign-in, attempt {}, step by step.", attempt.id) },
        "threadFlows": [{ "locations": steps }],
    })
}

fn flow_step(report: &ReportInput<'_>, order: usize, step: &Step) -> Value {
    let detail = captured(&step.detail, report.redaction);
    let (title, rest) = titled(step.kind, &detail);
    let colon = if rest.is_empty() { "" } else { ": " };
    let result = result_words(step.result);
    let words = plain(&format!("{title} at {} ({result}){colon}{rest}", step.host));
    let place = match step.refs.first() {
        Some(first) => location(report, *first, Some(&words)),
        None => json!({ "message": { "text": words } }),
    };
    let mut one = json!({
        "executionOrder": order,
        "importance": match step.result {
            StepResult::Failed | StepResult::NoResponse => "essential",
            _ => "important",
        },
        "kinds": [step.kind],
        "location": place,
        "properties": { "result": step.result.as_str(), "count": step.count },
    });
    if let (Some(at), Some(map)) = (step.at, one.as_object_mut()) {
        map.insert("executionTimeUtc".to_owned(), json!(at));
    }
    one
}

/// A place: the input as an artifact, and in it a byte or what the place is called.
fn location(report: &ReportInput<'_>, reference: EvidenceRef, words: Option<&str>) -> Value {
    let mut location = Map::new();
    let mut physical = Map::new();
    if let Some(found) = artifact_location(report, reference.input) {
        physical.insert("artifactLocation".to_owned(), found);
    }
    match reference.at {
        Locator::Byte(offset) => {
            physical.insert("region".to_owned(), json!({ "byteOffset": offset }));
        }
        other => {
            let kind = match other {
                // What a JSON pointer names (SARIF 2.1.0 section 3.33.7).
                Locator::HarEntry(_) => "object",
                Locator::SazSession(_) => "session",
                _ => "frames",
            };
            let name = place(other);
            let logical = json!([{ "fullyQualifiedName": name, "kind": kind }]);
            location.insert("logicalLocations".to_owned(), logical);
        }
    }
    // Without an artifact a region has nothing to stand in.
    if physical.contains_key("artifactLocation") {
        location.insert("physicalLocation".to_owned(), Value::Object(physical));
    }
    if let Some(words) = words {
        location.insert("message".to_owned(), json!({ "text": words }));
    }
    if let Some(filter) = display_filter(reference.at) {
        location.insert("properties".to_owned(), json!({ "filter": filter }));
    }
    Value::Object(location)
}

fn artifact_location(report: &ReportInput<'_>, id: InputId) -> Option<Value> {
    let index = report.evidence.inputs.iter().position(|input| input.id == id)?;
    let input = report.evidence.inputs.get(index)?;
    Some(json!({ "uri": uri(report, input), "index": index }))
}

/// The name of an input as a relative reference (RFC 3986): nothing in it is taken for a scheme, a
/// host, a query or a way upwards that the name does not have.
fn uri(report: &ReportInput<'_>, input: &Input) -> String {
    let name = named(&input.name, report.redaction).replace('\\', "/");
    let mut uri = String::with_capacity(name.len());
    for byte in name.trim_start_matches('/').bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => {
                // Writing to a string cannot fail.
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    if uri.is_empty() { format!("input-{}", input.id.0) } else { uri }
}

fn artifact(report: &ReportInput<'_>, input: &Input) -> Value {
    let mut artifact = json!({
        "location": { "uri": uri(report, input) },
        "length": input.bytes,
        "roles": ["analysisTarget"],
        "description": { "text": plain(&harmless(&named(&input.name, report.redaction))) },
        "properties": {
            "id": input.id.0,
            "format": input.format.as_str(),
            "container": input.container,
            "containerSha256": input.container_sha256,
            "first": input.first,
            "last": input.last,
        },
    });
    if let (Some(hash), Some(map)) = (&input.sha256, artifact.as_object_mut()) {
        map.insert("hashes".to_owned(), json!({ "sha-256": hash }));
    }
    artifact
}

fn notification(report: &ReportInput<'_>, codes: &[&str], diagnostic: &Diagnostic) -> Value {
    let code = diagnostic.code.as_str();
    let level = if is_unread(diagnostic.code) {
        "error"
    } else if diagnostic.code.is_partial() {
        "warning"
    } else {
        "note"
    };
    let text = named(&harmless(&diagnostic.text), report.redaction).into_owned();
    let mut told = json!({
        "descriptor": { "id": code, "index": codes.iter().position(|one| *one == code) },
        "level": level,
        "message": { "text": plain(&text) },
        "properties": { "lost": diagnostic.lost },
    });
    if let Some(found) = diagnostic.input.and_then(|id| artifact_location(report, id))
        && let Some(map) = told.as_object_mut()
    {
        let mut physical = json!({ "artifactLocation": found });
        if let (Some(offset), Some(map)) = (diagnostic.offset, physical.as_object_mut()) {
            map.insert("region".to_owned(), json!({ "byteOffset": offset }));
        }
        map.insert("locations".to_owned(), json!([{ "physicalLocation": physical }]));
    }
    told
}

/// The verdict and whose sign-in it is, for which SARIF has no place.
fn verdict(report: &ReportInput<'_>) -> Value {
    let verdict = report.verdict;
    let attempt = report.attempt();
    let user = attempt.and_then(|one| one.user.as_ref());
    json!({
        "verdict": {
            "side": verdict.side,
            "outcome": verdict.outcome,
            "confidence": verdict.confidence.as_str(),
            "attempt": verdict.attempt.map(|id| id.0),
            "cause": verdict.cause,
            "host": verdict.host,
            "summary": verdict.summary.shown(report.redaction),
            "user": user.map(|user| user.shown(report.redaction)),
            "correlationIds": attempt.map(|one| &one.correlation_ids),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::acts;
    use crate::report::samples;

    fn log(case: &samples::Case) -> Value {
        serde_json::from_str(&write(&case.report())).unwrap()
    }

    #[test]
    fn results_name_rules_and_artifacts_of_the_run() {
        for case in samples::all() {
            let log = log(&case);
            let run = &log["runs"][0];
            let results = run["results"].as_array().unwrap();
            assert_eq!(results.len(), case.findings.len());
            assert_eq!(run["artifacts"].as_array().unwrap().len(), case.evidence.inputs.len());
            for result in results {
                let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
                assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
                let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
                let index = usize::try_from(place["index"].as_u64().unwrap()).unwrap();
                assert_eq!(run["artifacts"][index]["location"]["uri"], place["uri"]);
            }
        }
    }

    #[test]
    fn the_steps_are_a_flow_of_what_decided() {
        let case = samples::network();
        let log = log(&case);
        let results = log["runs"][0]["results"].as_array().unwrap();
        let steps = &case.report().attempt().unwrap().steps;
        let mut flows = 0;
        for result in results {
            let Some(flow) = result.get("codeFlows") else { continue };
            assert_eq!(result["properties"]["decisive"], true);
            let told = flow[0]["threadFlows"][0]["locations"].as_array().unwrap();
            assert_eq!(told.len(), steps.len());
            flows += 1;
        }
        assert!(flows > 0);
    }

    #[test]
    fn names_are_relative_references() {
        let mut case = samples::network();
        for (name, want) in [
            ("C:\\captures\\a b.saz", "C%3A/captures/a%20b.saz"),
            ("/tmp/a.zip!in/b.har", "tmp/a.zip%21in/b.har"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
            ("//host/share/x?y#z.har", "host/share/x%3Fy%23z.har"),
            ("", "input-0"),
        ] {
            case.evidence.inputs[0].name = name.to_owned();
            assert_eq!(uri(&case.report(), &case.evidence.inputs[0]), want);
        }
    }

    #[test]
    fn texts_are_no_links_and_no_placeholders() {
        assert_eq!(plain("[x](http://a) {0}"), "[x] (http://a) {{0}}");
        assert_eq!(pascal("tcp-connection-cut"), "TcpConnectionCut");
    }

    #[test]
    fn nothing_of_a_capture_acts_or_leaks() {
        for case in samples::all() {
            let text = write(&case.report());
            assert!(!text.contains(|c| c != '\n' && acts(c)), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("alice.example"), "{text}");
            assert_eq!(text, write(&case.report()), "same bytes every time");
        }
    }
}
