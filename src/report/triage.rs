//! What triage says of one attachment: a record with the answer in short, and where to send it.
//!
//! A record is written by the process that analysed and read again by the one that collects, which makes
//! tables and counts of it; so it is a type of its own with owned fields. It must not decide anything but
//! where the attachment goes, and that in `routing` alone.
//!
//! Invariants: equal input gives equal bytes; users are shown as the redaction allows; everything that stems from
//! a capture is bounded and cleaned.

mod comment;
pub mod csv;
mod fingerprint;
mod mail;
pub mod routing;
pub mod rows;
#[cfg(test)]
pub(in crate::report) mod samples;
pub mod summary;
#[cfg(any(feature = "cli", feature = "web"))]
pub mod table;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::routing::{Fingerprint, Mail, Queue, Routing, Words};
#[cfg(test)]
use super::forms;
use super::json::{self, captured};
use super::model::{ReportInput, is_unread};
use super::ndjson;
use crate::evidence::{Diagnostic, DiagnosticCode, Evidence, Input, Redaction, named};
use crate::signin::SignInAttempt;

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace-triage/1";

/// Findings named in a record; the others are counted.
const FINDINGS: usize = 50;
/// Diagnostics told in a record; the others are counted.
const DIAGNOSTICS: usize = 20;
/// Ids of one kind in a record.
const IDS: usize = 20;

/// What became of one attachment, or of one capture in it.
///
/// Times are RFC 3339 in UTC. Every field of an object is always there, null where nothing is known,
/// except those that are not required. Within a version fields may be added: a reader passes over those it does not
/// know.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-triage/1"))]
pub struct Record {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: String,
    /// What wrote it.
    pub tool: Tool,
    /// The file as it was found; what is not UTF-8 is replaced.
    pub path: String,
    /// The bytes of the path in base64, where it was not UTF-8.
    #[cfg_attr(test, schemars(with = "Option<forms::Base64>"))]
    pub path_bytes: Option<String>,
    /// The path below the folder that was given, with `/` between its parts, or the path itself where a file was
    /// given: part of the key by which a run is resumed.
    pub tree_path: String,
    /// The path of the capture inside the archive; null where the file is the capture.
    pub member: Option<String>,
    /// Which of the records of its file this is, from 1.
    pub part: u32,
    /// How many records its file has.
    pub parts: u32,
    /// Hash of the file; null where it could not be read to its end.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    pub sha256: Option<String>,
    /// Bytes of the file.
    pub bytes: Option<u64>,
    /// Hash of the options that change a record: the last part of the key.
    pub options: String,
    /// The other files and captures that belong to the same case: no other record has them, but for key logs.
    pub beside: Vec<Beside>,
    /// What became of it.
    pub code: Code,
    /// Its format, recognised by content; null where it was not read.
    #[cfg_attr(test, schemars(with = "Option<forms::Format>"))]
    pub format: Option<String>,
    /// What a file that is no capture looks like.
    pub looks_like: Option<String>,
    /// The program that wrote the capture, as it names itself.
    pub producer: Option<String>,
    /// Entries, sessions or frames in it.
    pub records: u64,
    /// The first time in it.
    #[cfg_attr(test, schemars(with = "Option<crate::time::Timestamp>"))]
    pub first: Option<String>,
    /// The last time in it.
    #[cfg_attr(test, schemars(with = "Option<crate::time::Timestamp>"))]
    pub last: Option<String>,
    /// The answer; null where there is no capture to judge.
    pub verdict: Option<Answer>,
    /// The attempt that the verdict follows; null where there is none.
    pub attempt: Option<Attempt>,
    /// Attempts to sign in.
    pub attempts: u64,
    /// What the rules found, the cause first.
    pub findings: Vec<Found>,
    /// Findings that are not named.
    pub findings_left_out: u64,
    /// Who issued the certificate that came instead of the one that was due.
    pub issuer: Option<String>,
    /// Who should look at it.
    pub queue: Queue,
    /// By what duplicates are found; null where nothing failed.
    pub fingerprint: Option<Fingerprint>,
    /// The comment for the ticket, in Markdown.
    pub comment: String,
    /// A mail to the customer, where another capture is needed; else null.
    pub mail: Option<Mail>,
    /// What happened while reading.
    pub diagnostics: Vec<Told>,
    /// Diagnostics that are not told.
    pub diagnostics_left_out: u64,
    /// The whole report (schema mfatrace/1); left out unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub report: Option<Box<RawValue>>,
}

/// The program that wrote a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "tool"))]
pub struct Tool {
    /// Its name.
    #[cfg_attr(test, schemars(extend("const" = "mfatrace")))]
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// This program in a version.
    pub fn new(version: &str) -> Self {
        Self { name: "mfatrace".to_owned(), version: version.to_owned() }
    }
}

/// Another file or capture of the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "beside"))]
pub struct Beside {
    /// The file as it was found.
    pub path: String,
    /// The path below the folder that was given.
    pub tree_path: String,
    /// The path of the capture inside the archive.
    pub member: Option<String>,
    /// Hash of the file.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    pub sha256: Option<String>,
    /// Bytes of the file.
    pub bytes: Option<u64>,
    /// Its format.
    #[cfg_attr(test, schemars(with = "Option<forms::Format>"))]
    pub format: Option<String>,
}

/// What became of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// It was read and judged.
    Analysed,
    /// It is protected with a password that was not given.
    Encrypted,
    /// A fault of this program; nothing is known of the attachment.
    InternalError,
    /// It is no capture that is read.
    NotACapture,
    /// It could not be opened.
    NotOpened,
    /// A limit or the time was reached: it was judged by what was read until then.
    Partial,
    /// It could be opened and not be read.
    Unreadable,
    /// The process that read it was lost: it crashed, was killed or did not come to an end.
    WorkerLost,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 8] = [
        Self::Analysed,
        Self::Encrypted,
        Self::InternalError,
        Self::NotACapture,
        Self::NotOpened,
        Self::Partial,
        Self::Unreadable,
        Self::WorkerLost,
    ];

    /// The code as records show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Encrypted => "encrypted",
            Self::InternalError => "internal-error",
            Self::NotACapture => "not-a-capture",
            Self::NotOpened => "not-opened",
            Self::Partial => "partial",
            Self::Unreadable => "unreadable",
            Self::WorkerLost => "worker-lost",
        }
    }

    /// Whether a capture was read and judged.
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Analysed | Self::Partial)
    }

    fn of(evidence: &Evidence) -> Self {
        let has = |which: &dyn Fn(DiagnosticCode) -> bool| {
            evidence.diagnostics.iter().any(|one| which(one.code))
        };
        let is_read = evidence.inputs.iter().any(|input| input.format.is_capture());
        let is_empty = evidence.inputs.iter().all(|input| input.records == 0);
        // Sessions that stay closed are counted as well.
        let is_closed = evidence.exchanges.is_empty() && evidence.connections.is_empty();
        if has(&|code| code == DiagnosticCode::Encrypted) && is_closed {
            return Self::Encrypted;
        }
        if has(&|code| code == DiagnosticCode::NotOpened) && is_empty {
            return Self::NotOpened;
        }
        if is_empty && has(&is_unread) {
            return Self::Unreadable;
        }
        match (is_read, has(&DiagnosticCode::is_partial)) {
            (_, true) => Self::Partial,
            (false, false) => Self::NotACapture,
            (true, false) => Self::Analysed,
        }
    }
}

/// The answer in short; the names are those of the report (schema mfatrace/1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "verdict"))]
pub struct Answer {
    /// Whose matter it is.
    #[cfg_attr(test, schemars(with = "crate::signin::Side"))]
    pub side: String,
    /// How the attempt ended.
    #[cfg_attr(test, schemars(with = "crate::signin::Outcome"))]
    pub outcome: String,
    /// The rule that names the cause.
    #[cfg_attr(test, schemars(with = "Option<crate::finding::RuleId>"))]
    pub cause: Option<String>,
    /// The name of that rule.
    #[cfg_attr(test, schemars(with = "Option<forms::RuleName>"))]
    pub cause_name: Option<String>,
    /// The host that the cause is about.
    pub host: Option<String>,
    /// All of them.
    pub hosts: Vec<String>,
    /// How sure it is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    pub confidence: String,
    /// One sentence that answers the question.
    pub summary: String,
}

/// The attempt that the verdict follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "attempt"))]
pub struct Attempt {
    /// Its number in the report.
    pub id: u32,
    /// What became of MFA.
    #[cfg_attr(test, schemars(with = "crate::signin::MfaState"))]
    pub mfa: String,
    /// The protocol and manner of the sign-in.
    #[cfg_attr(test, schemars(with = "forms::Flow"))]
    pub flow: String,
    /// Who signed in, as the redaction shows users.
    pub user: Option<String>,
    /// The tenant, as the sign-in names it.
    pub tenant: Option<String>,
    /// The id of the application.
    pub application: Option<String>,
    /// What the application wants to use.
    pub resource: Option<String>,
    /// AADSTS codes in it, in the order in which they came, each once.
    pub codes: Vec<u32>,
    /// The code that decided; null where none did.
    pub code: Option<u32>,
    /// Methods of MFA that were used or offered.
    pub methods: Vec<String>,
    /// Ids by which the service correlates.
    pub correlation_ids: Vec<String>,
    /// Ids of requests.
    pub request_ids: Vec<String>,
    /// Its first time.
    #[cfg_attr(test, schemars(with = "Option<crate::time::Timestamp>"))]
    pub first: Option<String>,
    /// Its last time.
    #[cfg_attr(test, schemars(with = "Option<crate::time::Timestamp>"))]
    pub last: Option<String>,
}

impl Attempt {
    fn of(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Self {
        let captured = |text: &String| captured(text, report.redaction);
        let some =
            |ids: &[crate::signin::Guid]| ids.iter().take(IDS).map(ToString::to_string).collect();
        let mut codes: Vec<u32> = Vec::new();
        for error in &attempt.errors {
            if !codes.contains(&error.code) && codes.len() < IDS {
                codes.push(error.code);
            }
        }
        Self {
            id: attempt.id.0,
            mfa: attempt.mfa.as_str().to_owned(),
            flow: attempt.flow.as_str().to_owned(),
            user: attempt.user.as_ref().map(|user| user.shown(report.redaction)),
            tenant: attempt.tenant.as_ref().map(captured),
            application: attempt.application.as_ref().map(ToString::to_string),
            resource: attempt.resource.as_ref().map(captured),
            code: routing::deciding_code(attempt),
            codes,
            methods: attempt.methods.iter().take(IDS).map(captured).collect(),
            correlation_ids: some(&attempt.correlation_ids),
            request_ids: some(&attempt.request_ids),
            first: attempt.first.map(|at| at.to_string()),
            last: attempt.last.map(|at| at.to_string()),
        }
    }
}

/// A finding in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "finding"))]
pub struct Found {
    /// The rule.
    #[cfg_attr(test, schemars(with = "crate::finding::RuleId"))]
    pub rule: String,
    /// Its name.
    #[cfg_attr(test, schemars(with = "forms::RuleName"))]
    pub name: String,
    /// How bad it is.
    #[cfg_attr(test, schemars(with = "forms::Severity"))]
    pub severity: String,
    /// How sure it is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    pub confidence: String,
    /// The host that it is about.
    pub host: Option<String>,
    /// Whether it is the cause.
    pub decisive: bool,
}

/// Something that happened while reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "diagnostic"))]
pub struct Told {
    /// What happened.
    #[cfg_attr(test, schemars(with = "forms::DiagnosticCode"))]
    pub code: String,
    /// Where in the input, in bytes.
    pub offset: Option<u64>,
    /// How many bytes or records were lost.
    pub lost: Option<u64>,
    /// What it means, in words.
    pub text: String,
}

impl Told {
    fn of(diagnostic: &Diagnostic, redaction: Redaction) -> Self {
        Self {
            code: diagnostic.code.as_str().to_owned(),
            offset: diagnostic.offset,
            lost: diagnostic.lost,
            text: named(&diagnostic.text, redaction).into_owned(),
        }
    }
}

/// The file that a record is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file as it was found.
    pub path: String,
    /// The bytes of the path in base64, where it was not UTF-8.
    pub path_bytes: Option<String>,
    /// The path below the folder that was given.
    pub tree_path: String,
    /// Hash of the file.
    pub sha256: Option<String>,
    /// Bytes of the file.
    pub bytes: Option<u64>,
}

/// How records are written.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions<'a> {
    /// How users are shown.
    pub redaction: Redaction,
    /// Hash of the options that change a record.
    pub options: &'a str,
    /// The wording of comments and mails.
    pub words: &'a Words,
    /// Whether the whole report belongs into the record.
    pub with_report: bool,
    /// The version of this program.
    pub version: &'a str,
}

impl Record {
    /// The record of a capture, or of a file without one; its number among those of its file is set by whoever knows it.
    pub fn of(
        report: &ReportInput<'_>,
        attachment: &Attachment,
        member: Option<&str>,
        options: RecordOptions<'_>,
    ) -> Self {
        let evidence = report.evidence;
        let code = Code::of(evidence);
        let Routing { queue, fingerprint, comment, mail } =
            routing::route(report, code, attachment, member, options.words);
        let input = subject(evidence);
        let mut record = Self {
            code,
            format: input.map(|input| input.format.as_str().to_owned()),
            looks_like: input
                .and_then(|input| input.looks_like.as_deref())
                .map(|text| captured(text, report.redaction)),
            producer: input
                .and_then(|input| input.producer.as_deref())
                .map(|text| captured(text, report.redaction)),
            records: input.map_or(0, |input| input.records),
            first: evidence
                .inputs
                .iter()
                .filter_map(|one| one.first)
                .min()
                .map(|at| at.to_string()),
            last: evidence.inputs.iter().filter_map(|one| one.last).max().map(|at| at.to_string()),
            verdict: code.is_judged().then(|| Answer::of(report)),
            attempt: report.attempt().map(|attempt| Attempt::of(report, attempt)),
            attempts: count(report.signin.attempts.len()),
            issuer: fingerprint.as_ref().and_then(|one| one.issuer.clone()),
            ..Self::without_analysis(
                attachment,
                options,
                code,
                Routing { queue, fingerprint, comment, mail },
            )
        };
        record.member = member.map(|member| named(member, report.redaction).into_owned());
        record.find(report);
        record.tell(&evidence.diagnostics, report.redaction);
        if options.with_report {
            record.report = RawValue::from_string(ndjson::write(report).trim_end().to_owned()).ok();
        }
        record
    }

    /// The record of a file of which nothing is known but what became of it.
    pub fn without_analysis(
        attachment: &Attachment,
        options: RecordOptions<'_>,
        code: Code,
        routing: Routing,
    ) -> Self {
        let path = named(&attachment.path, options.redaction);
        let shown = |text: &str| named(text, options.redaction).into_owned();
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::new(options.version),
            // The bytes would give away what the name hides.
            path_bytes: attachment.path_bytes.clone().filter(|_| path == attachment.path),
            path: path.into_owned(),
            tree_path: shown(&attachment.tree_path),
            member: None,
            part: 1,
            parts: 1,
            sha256: attachment.sha256.clone(),
            bytes: attachment.bytes,
            options: options.options.to_owned(),
            beside: Vec::new(),
            code,
            format: None,
            looks_like: None,
            producer: None,
            records: 0,
            first: None,
            last: None,
            verdict: None,
            attempt: None,
            attempts: 0,
            findings: Vec::new(),
            findings_left_out: 0,
            issuer: None,
            queue: routing.queue,
            fingerprint: routing.fingerprint,
            comment: routing.comment,
            mail: routing.mail,
            diagnostics: Vec::new(),
            diagnostics_left_out: 0,
            report: None,
        }
    }

    /// Adds what happened while reading.
    pub fn tell(&mut self, diagnostics: &[Diagnostic], redaction: Redaction) {
        for diagnostic in diagnostics {
            if self.diagnostics.len() < DIAGNOSTICS {
                self.diagnostics.push(Told::of(diagnostic, redaction));
            } else {
                self.diagnostics_left_out = self.diagnostics_left_out.saturating_add(1);
            }
        }
    }

    fn find(&mut self, report: &ReportInput<'_>) {
        let decisive = report.findings.iter().filter(|one| one.decisive);
        let others = report.findings.iter().filter(|one| !one.decisive);
        self.findings = decisive
            .chain(others)
            .take(FINDINGS)
            .map(|one| Found {
                rule: one.meta.id.to_string(),
                name: one.meta.name.to_owned(),
                severity: one.severity.as_str().to_owned(),
                confidence: one.confidence.as_str().to_owned(),
                host: one.host.as_ref().map(ToString::to_string),
                decisive: one.decisive,
            })
            .collect();
        self.findings_left_out = count(report.findings.len().saturating_sub(FINDINGS));
    }

    /// The record on one line, with its line end.
    pub fn line(&self) -> String {
        json::line(self)
    }
}

impl Answer {
    fn of(report: &ReportInput<'_>) -> Self {
        let verdict = report.verdict;
        let cause = report.findings.iter().find(|one| Some(one.meta.id) == verdict.cause);
        Self {
            side: verdict.side.as_str().to_owned(),
            outcome: verdict.outcome.as_str().to_owned(),
            cause: verdict.cause.map(|id| id.to_string()),
            cause_name: cause.map(|one| one.meta.name.to_owned()),
            host: verdict.host.as_ref().map(ToString::to_string),
            hosts: verdict.hosts.iter().map(ToString::to_string).collect(),
            confidence: verdict.confidence.as_str().to_owned(),
            summary: verdict.summary.shown(report.redaction),
        }
    }
}

/// The input that a record is about: the first capture, or what there is.
fn subject(evidence: &Evidence) -> Option<&Input> {
    let mut inputs = evidence.inputs.iter();
    inputs.clone().find(|one| one.format.is_capture()).or_else(|| inputs.next())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
