//! The machine-readable report: one document, schema `mfatrace/1`.
//!
//! The names and closed lists are published; within a version they only grow. It must not decide
//! anything: each field is copied from the analysis, users in the form that the redaction allows.
//!
//! Invariants: every field of an object is always there, `null` where nothing is known (a reference
//! alone has exactly one of its places); the order of fields is the order of declaration; characters
//! that a terminal or an editor would act on are written as escapes.

mod attempt;
mod evidence;
mod finding;
mod harmless;
mod input;
mod log;
mod reference;
mod verdict;

use std::borrow::Cow;

use serde::Serialize;

use self::attempt::AttemptJson;
use self::evidence::EvidenceJson;
use self::input::InputJson;
use self::log::SignInLogJson;
use self::verdict::VerdictJson;
#[cfg(test)]
use super::forms;
use super::handover::Handover;
use super::model::ReportInput;
use super::sign_in_log::SignInLog;
use crate::evidence::{Redaction, named, shown};

pub(super) use self::evidence::type_name;
pub(super) use self::finding::FindingJson;
pub(super) use self::harmless::{line, pretty};
pub(super) use self::reference::{RefJson, refs};

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace/1";

/// Longest piece of a capture that is copied as it is, in characters.
const CAPTURED: usize = 400;

/// The report as pretty printed JSON with one line end behind it.
pub fn write(report: &ReportInput<'_>) -> String {
    pretty(&Document::of(report))
}

/// What one case comes to: the verdict, the attempts to sign in, the findings and what proves them.
///
/// Times are RFC 3339 in UTC. Every field of an object is always there, null where nothing is known,
/// except those that are not required. Within a version fields and values of open lists may be added:
/// a reader passes over those it does not know.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace/1"))]
pub(super) struct Document<'a> {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: &'static str,
    /// What wrote it.
    tool: Tool<'a>,
    /// The inputs of the case.
    inputs: Vec<InputJson<'a>>,
    /// The answer.
    verdict: VerdictJson<'a>,
    /// The attempts to sign in, in order of time.
    attempts: Vec<AttemptJson<'a>>,
    /// What the rules found.
    findings: Vec<FindingJson<'a>>,
    /// Ids and ready queries for the sign-in log.
    sign_in_log: SignInLogJson,
    /// What another team needs to act; null where none can.
    handover: Option<Handover>,
    /// What happened while reading.
    diagnostics: Vec<DiagnosticJson<'a>>,
    /// The facts; left out unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceJson<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn of(report: &ReportInput<'a>) -> Self {
        let evidence = report.evidence;
        Self {
            schema: SCHEMA,
            tool: Tool::new(report.tool_version),
            inputs: evidence.inputs.iter().map(|input| InputJson::of(report, input)).collect(),
            verdict: VerdictJson::of(report, report.verdict),
            attempts: report
                .signin
                .attempts
                .iter()
                .map(|attempt| AttemptJson::of(report, attempt))
                .collect(),
            findings: report.findings.iter().map(|one| FindingJson::of(report, one)).collect(),
            sign_in_log: SignInLogJson::of(SignInLog::of(report)),
            handover: Handover::of(report),
            diagnostics: evidence
                .diagnostics
                .iter()
                .map(|one| DiagnosticJson {
                    code: one.code.as_str(),
                    input: one.input.map(|id| id.0),
                    offset: one.offset,
                    lost: one.lost,
                    text: named(&one.text, report.redaction),
                })
                .collect(),
            evidence: report.with_evidence.then(|| EvidenceJson::of(evidence, report.redaction)),
        }
    }
}

/// The program that wrote a document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "tool"))]
pub(super) struct Tool<'a> {
    /// Its name.
    #[cfg_attr(test, schemars(extend("const" = "mfatrace")))]
    name: &'static str,
    /// Its version.
    version: &'a str,
}

impl<'a> Tool<'a> {
    pub(super) const fn new(version: &'a str) -> Self {
        Self { name: "mfatrace", version }
    }
}

/// Something that happened while reading an input.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "diagnostic"))]
struct DiagnosticJson<'a> {
    /// What happened.
    #[cfg_attr(test, schemars(with = "forms::DiagnosticCode"))]
    code: &'static str,
    /// The number of the input.
    input: Option<u32>,
    /// Where in the input, in bytes.
    offset: Option<u64>,
    /// How many bytes or records were lost.
    lost: Option<u64>,
    /// What it means, in words.
    text: Cow<'a, str>,
}

/// A piece of a capture: bounded, without control bytes, and with mail addresses masked.
pub(super) fn captured(text: &str, redaction: Redaction) -> String {
    named(&shown(text, CAPTURED), redaction).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::evidence::Redaction;
    use crate::report::model::acts;
    use crate::report::samples;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Compares without order: the parser sorts, and the order of writing is tested apart.
    fn has(value: &Value, names: &str) {
        let mut want: Vec<&str> = names.split_whitespace().collect();
        let mut got = keys(value);
        want.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, want);
    }

    fn document(case: &samples::Case, with_evidence: bool) -> (String, Value) {
        let mut report = case.report();
        report.with_evidence = with_evidence;
        let text = write(&report);
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn every_published_name_is_there() {
        let case = samples::network();
        let (_, json) = document(&case, false);
        has(&json, "schema tool inputs verdict attempts findings sign_in_log handover diagnostics");
        assert_eq!(json["schema"], "mfatrace/1");
        has(&json["tool"], "name version");
        has(
            &json["inputs"][0],
            "id name name_bytes container sha256 container_sha256 bytes format producer first last \
             utc_offset counts looks_like",
        );
        has(&json["inputs"][0]["counts"], "records exchanges unanswered connections lookups");
        assert_eq!(json["inputs"][0]["utc_offset"], "+02:00");
        let verdict = &json["verdict"];
        has(
            verdict,
            "side outcome attempt cause host hosts confidence summary for against ruled_out guide \
             unseen next_capture",
        );
        has(&verdict["for"][0], "text refs");
        has(&verdict["guide"][0], "cause answer text refs next");
        assert_eq!(verdict["guide"].as_array().unwrap().len(), 5);
        let attempt = &json["attempts"][0];
        has(
            attempt,
            "id outcome side mfa flow user tenant application resource client correlation_ids \
             request_ids policy_ids methods result_value overridden_by first last steps errors mfa_traffic",
        );
        has(&attempt["steps"][0], "kind at result detail host count refs");
        has(
            &attempt["errors"][0],
            "code equivalent carrier page step trace_id correlation_id at refs",
        );
        assert!(attempt["errors"][0]["code"].is_u64());
        has(
            &json["findings"][0],
            "rule name severity confidence host decisive consequence_of attempt summary advice \
             refs",
        );
        has(&json["sign_in_log"], "correlation_ids request_ids window portal kql graph");
        has(&json["sign_in_log"]["window"], "from to");
        has(&json["diagnostics"][0], "code input offset lost text");
        has(&attempt["steps"][0]["refs"][0], "input at session");
        assert_eq!(attempt["steps"][0]["refs"][0]["at"], "session 3");
        let (_, json) = document(&samples::undetermined(), false);
        has(
            &json["verdict"]["next_capture"],
            "kind system system_assumed browser missing tool steps start stop reminder",
        );
        let reference = &json["attempts"][0]["steps"][0]["refs"][0];
        has(reference, "input at entry");
        assert_eq!(reference["at"], format!("/log/entries/{}", reference["entry"]));
    }

    #[test]
    fn the_block_for_the_other_team_is_typed() {
        let (_, json) = document(&samples::network(), false);
        let handover = &json["handover"];
        has(handover, "team request confidence client network identity");
        assert_eq!((&handover["team"], &handover["identity"]), (&"network".into(), &Value::Null));
        has(
            &handover["client"],
            "system browser browser_version programs library library_version broker",
        );
        let network = &handover["network"];
        has(network, "hosts allow exempt list checks");
        let host = &network["hosts"][0];
        has(
            host,
            "host port servers server_notes via proxies clients programs first last requests steps \
             needed_for seen certificate_issuers expected listed alternatives refs",
        );
        has(&host["seen"][0], "fault words error status product certain count refs");
        has(&host["listed"], "endpoint_set category required");
        has(&host["alternatives"][0], "host failed");
        has(&host["refs"][0], "input at session");
        has(&network["allow"][0], "listed hosts ports address_ranges");
        has(&network["list"], "name version source note");
        has(&network["checks"][0], "system purpose command expected");
        let (_, json) = document(&samples::inspected_device(), false);
        has(&json["handover"]["network"]["exempt"][0], "host from why");

        let (_, json) = document(&samples::policy(), false);
        let handover = &json["handover"];
        assert_eq!((&handover["team"], &handover["network"]), (&"identity".into(), &Value::Null));
        let identity = &handover["identity"];
        has(
            identity,
            "side outcome mfa codes result methods policy_page user tenant application resource flow \
             policy_ids correlation_ids request_ids first last seen asks portal kql policies_kql \
             graph graph_host support_case",
        );
        has(
            &identity["codes"][0],
            "code name meaning equivalent decided at request_id correlation_id refs",
        );
        has(&identity["methods"][0], "value meaning");
        has(&identity["seen"][0], "text refs");
        assert!(document(&samples::completed(), false).1["handover"].is_null());
    }

    #[test]
    fn the_facts_come_only_when_asked_for() {
        let (_, json) = document(&samples::network(), true);
        let evidence = &json["evidence"];
        has(evidence, "connections lookups exchanges");
        has(
            &evidence["connections"][0],
            "transport stream client server server_name opened rtt_us closed first last tls community_id \
             ja4 refs",
        );
        has(&evidence["connections"][0]["tls"], "version alerts certificate");
        has(&evidence["lookups"][0], "name type rcode answers transport refs");
        has(&evidence["exchanges"][0], "method url status error first last refs");
        let failed =
            evidence["exchanges"].as_array().unwrap().iter().find(|e| !e["error"].is_null());
        has(&failed.unwrap()["error"], "kind stage code");
    }

    #[test]
    fn no_secret_and_no_user_in_full() {
        for case in samples::all() {
            let (text, _) = document(&case, true);
            assert!(!text.contains("hunter2"), "{text}");
            assert!(!text.contains("alice.example"), "{text}");
            assert!(text.ends_with("}\n"));
            assert_eq!(text, document(&case, true).0, "same bytes every time");
        }
    }

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_kept() {
        let case = samples::hostile();
        let (text, json) = document(&case, true);
        assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{text}");
        assert_eq!(json["inputs"][0]["name"], samples::HOSTILE_NAME);
        assert!(text.contains("\\u202e"));
    }

    #[test]
    fn addresses_in_names_are_masked() {
        let mut case = samples::network();
        let name = "alice.example@contoso.com.saz";
        let input = &mut case.evidence.inputs[0];
        input.name = name.into();
        input.name_bytes = Some("AAAA".into());
        input.producer = Some("alice.example@contoso.com".into());
        case.evidence.diagnostics[0].text = format!("{name}: x");
        let (text, json) = document(&case, true);
        assert!(!text.contains("alice.example"), "{text}");
        assert_eq!(json["inputs"][0]["name"], "a***e@contoso.com.saz");
        assert!(json["inputs"][0]["name_bytes"].is_null());
        let mut report = case.report();
        let shown = super::super::text::write(&report, false, super::super::text::Detail::Full);
        assert!(!shown.contains("alice.example") && shown.contains("a***e@contoso.com.saz"));
        report.redaction = Redaction::None;
        assert!(write(&report).contains(name));
    }

    #[test]
    fn fields_keep_their_order() {
        let (text, _) = document(&samples::network(), false);
        let places: Vec<_> =
            ["\"schema\"", "\"tool\"", "\"inputs\"", "\"verdict\"", "\"attempts\""]
                .iter()
                .map(|name| text.find(name).unwrap())
                .collect();
        assert!(places.is_sorted());
    }
}
