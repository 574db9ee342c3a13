//! The machine-readable report: one document, schema `mfatrace/1`.
//!
//! The names and closed lists are published; within a version they only grow. It must not decide
//! anything: each field is copied from the analysis, users in the form that the redaction allows.
//!
//! Invariants: every field of an object is always there, `null` where nothing is known (a reference
//! alone has exactly one of its places); the order of fields is the order of declaration; characters
//! that a terminal or an editor would act on are written as escapes.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use super::handover::Handover;
use super::json_evidence::EvidenceJson;
use super::model::{ReportInput, acts, display_filter, place};
use super::sign_in_log::SignInLog;
use crate::evidence::{
    EvidenceRef, HostName, Input, KeyCoverage, Locator, Redaction, named, shown,
};
use crate::finding::{Finding, Refs, RuleId, Text};
use crate::signin::{
    AttemptId, Browser, Expected, Guid, GuideCause, MfaState, Outcome, Side, SignInAttempt,
    StepKind, Traffic,
};
use crate::time::Timestamp;
use crate::verdict::{Statement, Verdict};

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace/1";

/// Longest piece of a capture that is copied as it is, in characters.
const CAPTURED: usize = 400;

/// The report as pretty printed JSON with one line end behind it.
pub fn write(report: &ReportInput<'_>) -> String {
    pretty(&Document::of(report))
}

/// A document as pretty printed, harmless JSON with one line end behind it.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let formatter = Harmless(serde_json::ser::PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing to memory cannot fail, and no type of the document refuses to be written.
    let _ = document.serialize(&mut serializer);
    bytes.push(b'\n');
    // Serialisation writes UTF-8 only.
    String::from_utf8(bytes).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    inputs: Vec<InputJson<'a>>,
    verdict: VerdictJson<'a>,
    attempts: Vec<AttemptJson<'a>>,
    findings: Vec<FindingJson<'a>>,
    sign_in_log: SignInLogJson,
    handover: Option<Handover>,
    diagnostics: Vec<DiagnosticJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceJson<'a>>,
}

impl<'a> Document<'a> {
    fn of(report: &ReportInput<'a>) -> Self {
        let evidence = report.evidence;
        Self {
            schema: SCHEMA,
            tool: Tool { name: "mfatrace", version: report.tool_version },
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

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    pub(super) name: &'static str,
    pub(super) version: &'a str,
}

#[derive(Serialize)]
struct InputJson<'a> {
    id: u32,
    name: Cow<'a, str>,
    name_bytes: Option<&'a str>,
    container: &'a [&'static str],
    sha256: Option<&'a str>,
    container_sha256: Option<&'a str>,
    bytes: u64,
    format: &'static str,
    producer: Option<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    utc_offset: Option<String>,
    counts: Counts,
    looks_like: Option<String>,
    /// Inputs whose requests are seen in the packets of this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    joined: Vec<JoinedJson>,
    /// What keys made of its connections of TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    decryption: Option<DecryptionJson>,
}

/// What keys made of connections of TLS.
#[derive(Serialize)]
struct DecryptionJson {
    opened: u64,
    no_secret: u64,
    mid_stream: u64,
    unsupported: u64,
    failed: u64,
    dark_bytes: u64,
}

impl DecryptionJson {
    const fn new(keys: KeyCoverage) -> Self {
        let KeyCoverage { opened, no_secret, mid_stream, unsupported, failed, dark } = keys;
        Self { opened, no_secret, mid_stream, unsupported, failed, dark_bytes: dark }
    }
}

/// Another input with the same traffic.
#[derive(Serialize)]
struct JoinedJson {
    input: u32,
    clock_ahead_ms: i64,
    pairs: usize,
}

#[derive(Serialize)]
struct Counts {
    records: u64,
    exchanges: usize,
    unanswered: usize,
    connections: usize,
    lookups: usize,
}

impl<'a> InputJson<'a> {
    fn of(report: &ReportInput<'a>, input: &'a Input) -> Self {
        let evidence = report.evidence;
        let own = |at: &EvidenceRef| at.input == input.id;
        let exchanges = || evidence.exchanges.iter().filter(|one| own(&one.at) && !one.is_hidden());
        let name = named(&input.name, report.redaction);
        Self {
            id: input.id.0,
            // The bytes would give away what the name hides.
            name_bytes: input.name_bytes.as_deref().filter(|_| name == input.name),
            name,
            container: &input.container,
            sha256: input.sha256.as_deref(),
            container_sha256: input.container_sha256.as_deref(),
            bytes: input.bytes,
            format: input.format.as_str(),
            producer: input.producer.as_deref().map(|text| captured(text, report.redaction)),
            first: input.first,
            last: input.last,
            utc_offset: input.utc_offset.map(offset),
            counts: Counts {
                records: input.records,
                exchanges: exchanges().count(),
                unanswered: exchanges().filter(|one| one.response.is_err()).count(),
                connections: evidence.connections.iter().filter(|one| own(&one.at)).count(),
                lookups: evidence.lookups.iter().filter(|one| own(&one.at)).count(),
            },
            decryption: report
                .evidence
                .coverage
                .of(input.id)
                .and_then(|one| one.wire.as_ref()?.keys)
                .map(DecryptionJson::new),
            joined: report
                .signin
                .joined
                .iter()
                .filter(|one| one.packets == input.id)
                .map(|one| JoinedJson {
                    input: one.requests.0,
                    clock_ahead_ms: one.ahead,
                    pairs: one.pairs,
                })
                .collect(),
            looks_like: input.looks_like.as_deref().map(|text| captured(text, report.redaction)),
        }
    }
}

/// Seconds east of UTC as `+02:00`.
fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A place in an input: what it is called, and its number under the name of its kind.
#[derive(Serialize)]
pub(super) struct RefJson {
    input: u32,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<[u64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u64>,
}

impl RefJson {
    pub(super) fn of(reference: EvidenceRef) -> Self {
        let mut json = Self {
            input: reference.input.0,
            at: place(reference.at),
            entry: None,
            session: None,
            frames: None,
            transport: None,
            stream: None,
            filter: None,
            byte: None,
        };
        match reference.at {
            Locator::Byte(offset) => json.byte = Some(offset),
            Locator::Frames { first, last, stream } => {
                json.frames = Some([first.get(), last.get()]);
                json.transport = stream.map(|stream| stream.transport.as_str());
                json.stream = stream.map(|stream| stream.number.0);
                json.filter = display_filter(reference.at);
            }
            Locator::HarEntry(index) => json.entry = Some(index),
            Locator::SazSession(number) => json.session = Some(number),
        }
        json
    }

    fn all(refs: impl IntoIterator<Item = EvidenceRef>) -> Vec<Self> {
        refs.into_iter().map(Self::of).collect()
    }
}

/// Writes places of the handover as references.
pub(super) fn refs<S: serde::Serializer>(
    refs: &[EvidenceRef],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(refs.iter().copied().map(RefJson::of))
}

#[derive(Serialize)]
struct VerdictJson<'a> {
    side: Side,
    outcome: Outcome,
    attempt: Option<u32>,
    cause: Option<RuleId>,
    host: Option<&'a HostName>,
    hosts: &'a [HostName],
    confidence: &'static str,
    summary: String,
    r#for: Vec<StatementJson>,
    against: Vec<StatementJson>,
    ruled_out: Vec<StatementJson>,
    guide: Vec<GuideJson>,
    unseen: Vec<String>,
    next_capture: Option<NextCaptureJson<'a>>,
}

#[derive(Serialize)]
struct StatementJson {
    text: String,
    refs: Vec<RefJson>,
}

#[derive(Serialize)]
struct GuideJson {
    cause: GuideCause,
    answer: &'static str,
    text: String,
    refs: Vec<RefJson>,
    next: String,
}

#[derive(Serialize)]
struct NextCaptureJson<'a> {
    kind: &'static str,
    system: &'static str,
    system_assumed: bool,
    browser: Option<&'static str>,
    missing: String,
    tool: &'a str,
    steps: &'a [&'static str],
    start: &'a str,
    stop: &'a str,
    reminder: Option<&'a str>,
}

impl<'a> VerdictJson<'a> {
    fn of(report: &ReportInput<'a>, verdict: &'a Verdict) -> Self {
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

#[derive(Serialize)]
struct AttemptJson<'a> {
    id: u32,
    outcome: Outcome,
    side: Side,
    mfa: MfaState,
    flow: &'static str,
    user: Option<String>,
    tenant: Option<String>,
    application: Option<&'a Guid>,
    resource: Option<String>,
    /// Address of the computer, where the capture has several.
    client: Option<String>,
    correlation_ids: &'a [Guid],
    request_ids: &'a [Guid],
    policy_ids: &'a [Guid],
    methods: Vec<String>,
    result_value: Option<String>,
    overridden_by: Option<u32>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    steps: Vec<StepJson<'a>>,
    errors: Vec<ErrorJson<'a>>,
    mfa_traffic: Vec<TrafficJson<'a>>,
}

/// What had to follow the MFA page, and what of it is in the capture.
#[derive(Serialize)]
struct TrafficJson<'a> {
    kind: &'static str,
    state: &'static str,
    host: Option<&'a HostName>,
    /// Until when the capture is known to have recorded, where it proves that nothing came.
    recorded_until: Option<Timestamp>,
    /// Why the capture cannot tell.
    unseen: Option<&'static str>,
    refs: Vec<RefJson>,
}

impl<'a> TrafficJson<'a> {
    fn of(expected: &'a Expected) -> Self {
        Self {
            kind: expected.kind.as_str(),
            state: expected.traffic.as_str(),
            host: expected.host.as_ref(),
            recorded_until: match expected.traffic {
                Traffic::Absent(proof) => Some(proof.window().last()),
                _ => None,
            },
            unseen: match expected.traffic {
                Traffic::Unknown(unseen) => Some(unseen.as_str()),
                _ => None,
            },
            refs: RefJson::all(expected.refs.iter().copied()),
        }
    }
}

#[derive(Serialize)]
struct StepJson<'a> {
    kind: StepKind,
    at: Option<Timestamp>,
    result: &'static str,
    detail: String,
    host: &'a HostName,
    count: u32,
    refs: Vec<RefJson>,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    code: u32,
    equivalent: bool,
    carrier: &'static str,
    page: Option<String>,
    step: StepKind,
    trace_id: Option<&'a Guid>,
    correlation_id: Option<&'a Guid>,
    at: Option<Timestamp>,
    refs: Vec<RefJson>,
}

impl<'a> AttemptJson<'a> {
    fn of(report: &ReportInput<'a>, attempt: &'a SignInAttempt) -> Self {
        let captured = |text: &String| captured(text, report.redaction);
        Self {
            id: attempt.id.0,
            outcome: attempt.outcome,
            side: attempt.side,
            mfa: attempt.mfa,
            flow: attempt.flow.as_str(),
            user: attempt.user.as_ref().map(|user| user.shown(report.redaction)),
            tenant: attempt.tenant.as_ref().map(captured),
            application: attempt.application.as_ref(),
            resource: attempt.resource.as_ref().map(captured),
            client: attempt.client.map(|address| address.to_string()),
            correlation_ids: &attempt.correlation_ids,
            request_ids: &attempt.request_ids,
            policy_ids: &attempt.policy_ids,
            methods: attempt.methods.iter().map(captured).collect(),
            result_value: attempt.result_value.as_ref().map(captured),
            overridden_by: attempt.overridden_by.map(|id| id.0),
            first: attempt.first,
            last: attempt.last,
            steps: attempt
                .steps
                .iter()
                .map(|step| StepJson {
                    kind: step.kind,
                    at: step.at,
                    result: step.result.as_str(),
                    detail: captured(&step.detail),
                    host: &step.host,
                    count: step.count,
                    refs: RefJson::all(step.refs.iter().copied()),
                })
                .collect(),
            errors: attempt
                .errors
                .iter()
                .map(|error| ErrorJson {
                    code: error.code,
                    equivalent: error.equivalent,
                    carrier: error.carrier.as_str(),
                    page: error.page.as_ref().map(captured),
                    step: error.step,
                    trace_id: error.trace_id.as_ref(),
                    correlation_id: error.correlation_id.as_ref(),
                    at: error.at,
                    refs: RefJson::all([error.reference]),
                })
                .collect(),
            mfa_traffic: attempt.expected.iter().map(TrafficJson::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct FindingJson<'a> {
    rule: RuleId,
    name: &'static str,
    severity: &'static str,
    confidence: &'static str,
    host: Option<&'a HostName>,
    decisive: bool,
    /// The rule whose finding has this one as its consequence.
    consequence_of: Option<RuleId>,
    attempt: Option<u32>,
    summary: String,
    advice: String,
    refs: Vec<RefJson>,
}

impl<'a> FindingJson<'a> {
    fn of(report: &ReportInput<'_>, finding: &'a Finding) -> Self {
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

#[derive(Serialize)]
struct SignInLogJson {
    correlation_ids: Vec<Guid>,
    request_ids: Vec<Guid>,
    window: Option<WindowJson>,
    portal: Vec<String>,
    kql: Option<String>,
    graph: Vec<String>,
}

#[derive(Serialize)]
struct WindowJson {
    from: Timestamp,
    to: Timestamp,
}

impl SignInLogJson {
    fn of(log: SignInLog) -> Self {
        Self {
            correlation_ids: log.correlation_ids,
            request_ids: log.request_ids,
            window: log.window.map(|span| WindowJson { from: span.first(), to: span.last() }),
            portal: log.portal,
            kql: log.kql,
            graph: log.graph,
        }
    }
}

#[derive(Serialize)]
struct DiagnosticJson<'a> {
    code: &'static str,
    input: Option<u32>,
    offset: Option<u64>,
    lost: Option<u64>,
    text: Cow<'a, str>,
}

/// A piece of a capture: bounded, without control bytes, and with mail addresses masked.
pub(super) fn captured(text: &str, redaction: Redaction) -> String {
    named(&shown(text, CAPTURED), redaction).into_owned()
}

/// Pretty printing that writes what a terminal or an editor would act on as escapes: control
/// characters of both sets, marks that turn the direction of text, and line separators.
struct Harmless<'a>(serde_json::ser::PrettyFormatter<'a>);

impl serde_json::ser::Formatter for Harmless<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = fragment;
        while let Some((before, c)) = plain
            .char_indices()
            .find(|(_, c)| acts(*c))
            .and_then(|(index, c)| Some((plain.get(..index)?, c)))
        {
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = plain.get(before.len().saturating_add(c.len_utf8())..).unwrap_or_default();
        }
        writer.write_all(plain.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::samples;
    use super::*;

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
    fn offsets_of_local_time() {
        assert_eq!(offset(7200), "+02:00");
        assert_eq!(offset(-12_600), "-03:30");
        assert_eq!(offset(0), "+00:00");
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
