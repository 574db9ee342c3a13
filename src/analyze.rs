//! The pipeline: bytes, evidence, sign-in, findings, verdict.
//!
//! Each arrow is one call. What a reader should keep is told here, out of the table of hosts, so that
//! readers need not know what a sign-in is.

mod feeds;
mod known;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use self::feeds::rules_fed_by;
pub use self::known::{
    Address, Issuer, address, host_role, is_method, is_page, is_picture_host, is_question, issuer,
    stand_ins,
};
use crate::capture::{self, Kept, Keys, ReadOptions, Scope, Source};
pub use crate::entra::HostRole;
use crate::entra::hosts;
use crate::evidence::{
    Diagnostic, DiagnosticCode, Evidence, EvidenceBuilder, Input, InputId, Redaction,
};
use crate::finding::{Finding, RuleMeta};
use crate::limits::{self, Limits};
use crate::report::ReportInput;
use crate::rules;
use crate::signin::{self, SignIn};
pub use crate::verdict::Selection;
use crate::verdict::{self, Verdict};

/// Bytes looked at to see whether a file is a container.
const HEAD: usize = 4 << 10;

/// Something to analyse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseInput {
    /// A file.
    File(PathBuf),
    /// Some of the captures in an archive.
    Members {
        /// The archive.
        path: PathBuf,
        /// Their paths inside it, as [`Each::member`] tells them; an empty one is the archive itself,
        /// which is a capture too.
        members: Vec<String>,
    },
    /// A capture in memory.
    Memory(InMemory),
    /// Secrets of TLS in memory: read before every capture, as those that [`AnalyzeOptions::key_logs`] names.
    MemoryKeys(InMemory),
    /// Standard input.
    Standard,
}

/// A file that is in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct InMemory {
    /// The name that it came with.
    pub name: String,
    /// All of it.
    pub bytes: Arc<Vec<u8>>,
}

impl fmt::Debug for InMemory {
    /// What is in it may be secret; only its size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// How to analyse.
pub struct AnalyzeOptions<'a> {
    /// The bounds.
    pub limits: Limits,
    /// Whether to hash the inputs.
    pub hash: bool,
    /// Passwords to try on protected archives.
    pub passwords: &'a [String],
    /// Files with secrets of TLS, as `SSLKEYLOGFILE` names one, packed or in a pcapng; captures may bring
    /// their own.
    pub key_logs: &'a [PathBuf],
    /// Which attempt to follow.
    pub selection: Selection,
    /// Set from outside to stop early.
    pub cancel: &'a AtomicBool,
}

impl<'a> AnalyzeOptions<'a> {
    /// How a capture is read.
    fn to_read(&'a self, scope: &'a Scope, keys: &'a Keys) -> ReadOptions<'a> {
        let Self { limits, passwords, cancel, .. } = self;
        ReadOptions { scope, limits, passwords, keys, cancel }
    }
}

impl fmt::Debug for AnalyzeOptions<'_> {
    /// Passwords are counted and not shown; whom the selection names stays out as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnalyzeOptions")
            .field("limits", &self.limits)
            .field("hash", &self.hash)
            .field("passwords", &self.passwords.len())
            .field("key_logs", &self.key_logs.len())
            .finish_non_exhaustive()
    }
}

/// Everything that an analysis gives.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The facts.
    pub evidence: Evidence,
    /// The attempts.
    pub signin: SignIn,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// The verdict.
    pub verdict: Verdict,
}

impl Analysis {
    /// What a report is written from: users are masked, and the facts themselves are left out.
    pub fn report<'a>(&'a self, tool_version: &'a str) -> ReportInput<'a> {
        ReportInput {
            evidence: &self.evidence,
            signin: &self.signin,
            findings: &self.findings,
            verdict: &self.verdict,
            redaction: Redaction::Secrets,
            with_evidence: false,
            tool_version,
        }
    }
}

/// Analyses inputs that belong to one case.
pub fn analyze(inputs: &[CaseInput], options: &AnalyzeOptions<'_>) -> Analysis {
    analyze_streams(inputs, options, Streams::default())
}

/// The same, and counts the bytes read of the inputs, for whoever shows how far it is.
pub fn analyze_counting(
    inputs: &[CaseInput],
    options: &AnalyzeOptions<'_>,
    read: &Arc<AtomicU64>,
) -> Analysis {
    let counter = Some(Arc::clone(read));
    analyze_streams(inputs, options, Streams { counter, ..Streams::default() })
}

/// One of the captures in a file.
#[derive(Clone, Debug)]
pub struct Each {
    /// Its path inside the archive; none where the file itself is the capture.
    pub member: Option<String>,
    /// Hash of the file; none where it could not be read to its end.
    pub sha256: Option<String>,
    /// What it gives.
    pub analysis: Analysis,
}

/// Analyses each capture in a file on its own, and gives every one to `each` before the next is read.
///
/// A file without a capture gives one analysis that says so. Where `begin` is called again, keys were found behind
/// the packets that they open: what was given before counts no more. Once `each` answers `false`, the captures that
/// follow are passed over. What was noted behind the last capture is returned.
pub fn analyze_each(
    path: &Path,
    options: &AnalyzeOptions<'_>,
    begin: &mut dyn FnMut(),
    each: &mut dyn FnMut(Each) -> bool,
) -> Vec<Diagnostic> {
    let name = path.to_string_lossy();
    let scope = scope(&options.limits);
    let keys = Keys::new();
    let read = options.to_read(&scope, &keys);
    let mut streams = Streams::default();
    let mut log = EvidenceBuilder::new();
    let mut is_taken = false;
    read_keys(&[], &mut streams, &read, options, &mut log, &mut 0);
    let log = log.finish().diagnostics;
    loop {
        begin();
        let opened = container_hash(path, options.cancel)
            .and_then(|container| Ok((Source::file(path)?, container)));
        let given = Cell::new(0_usize);
        let container = opened.as_ref().ok().and_then(|(_, container)| container.clone());
        let mut sha256 = container.clone();
        let mut give = |mut builder: EvidenceBuilder| {
            given.set(given.get().saturating_add(1));
            keep_names(Some(path), &mut 0, &mut builder);
            let mut evidence = builder.finish();
            evidence.diagnostics.extend(log.iter().cloned());
            for input in evidence.inputs.iter_mut().filter(|one| one.container.is_empty()) {
                // A Fiddler archive is a container and a capture.
                input.sha256 = input.sha256.take().or_else(|| container.clone());
                sha256.clone_from(&input.sha256);
            }
            let captures = evidence.inputs.iter().filter(|one| one.format.is_capture());
            let first = captures.chain(&evidence.inputs).next();
            let member = first.and_then(|one| one.name.strip_prefix(&*name)?.strip_prefix('!'));
            let member = member.map(ToOwned::to_owned);
            each(Each {
                member,
                sha256: sha256.clone(),
                analysis: conclude(evidence, &options.selection),
            })
        };
        let left = match opened {
            Ok((source, container)) => {
                capture::open_each(&name, source, &read, container, &mut give)
            }
            Err(error) => not_opened(&name, &error),
        };
        let left = if given.get() == 0 {
            give(left);
            Vec::new()
        } else {
            left.finish().diagnostics
        };
        let is_late = keys.take_late() > 0 && !read.is_cancelled();
        if std::mem::replace(&mut is_taken, true) || !is_late {
            return left;
        }
    }
}

/// The hash of a file that others come out of; none of one that is read as it is.
fn container_hash(path: &Path, cancel: &AtomicBool) -> io::Result<Option<String>> {
    let mut source = Source::file(path)?;
    // What cannot be read is told by who reads it.
    let is_container = source.peek(HEAD).is_ok_and(capture::is_container);
    Ok(if is_container { hash_of(path, cancel) } else { None })
}

/// The SHA-256 of a file in lower case hexadecimal; none where it cannot be read to its end, or reading was cancelled.
pub fn hash_of(path: &Path, cancel: &AtomicBool) -> Option<String> {
    let is_over = || cancel.load(Ordering::Relaxed);
    Source::file(path).ok()?.with_hash().finish_hash_unless(&is_over)
}

fn analyze_streams(
    inputs: &[CaseInput],
    options: &AnalyzeOptions<'_>,
    mut streams: Streams,
) -> Analysis {
    let scope = scope(&options.limits);
    let keys = Keys::new();
    let read = options.to_read(&scope, &keys);
    let mut builder = read_all(inputs, &mut streams, &read, options);
    let late = keys.take_late();
    // Keys that stand behind the packets that they open do so when those are read once more.
    if late > 0 && !read.is_cancelled() {
        if streams.rewind() {
            // What was read first makes room for what is read now.
            drop(builder);
            builder = read_all(inputs, &mut streams, &read, options);
        } else {
            builder.add_diagnostic(too_late(late));
        }
    }
    drop(streams);
    conclude(builder.finish(), &options.selection)
}

/// Says that keys came too late, in what cannot be read twice.
fn too_late(late: u64) -> Diagnostic {
    let text = format!(
        "{late} secrets came behind the packets that they may open, and of what comes through \
         standard input or a pipe no more than {} MiB can be read twice: connections that began \
         before them stay encrypted; save it to a file and give the file by its path, or give the \
         keys with --keylog",
        limits::KEPT / limits::MIB
    );
    let (code, lost) = (DiagnosticCode::KeyLog, Some(late));
    Diagnostic { code, input: None, offset: None, lost, text }
}

/// What is given that cannot be opened twice: standard input, and pipes that have a name.
#[derive(Default)]
struct Streams {
    /// Which of the inputs are streams, in the order in which they are opened, and what was kept of each.
    kept: Vec<Option<Kept>>,
    room: Kept,
    /// Where the bytes that are read are counted.
    counter: Option<Arc<AtomicU64>>,
    /// The next input, where all are opened once more.
    again: Option<usize>,
}

impl Streams {
    /// Opens the next input, or what was kept of it.
    fn open(&mut self, open: impl FnOnce() -> io::Result<Source>) -> io::Result<Source> {
        if let Some(next) = &mut self.again {
            let kept = self.kept.get(*next).cloned().flatten();
            *next = next.saturating_add(1);
            return kept.map_or_else(open, |kept| Ok(kept.source()));
        }
        let source = open().map(|source| match &self.counter {
            Some(counter) => source.counting(counter),
            None => source,
        });
        let is_once = source.as_ref().is_ok_and(Source::is_once);
        let kept = is_once.then(|| self.room.another());
        self.kept.push(kept.clone());
        Ok(match kept {
            Some(kept) => source?.keeping(&kept),
            None => source?,
        })
    }

    /// Makes ready for opening all inputs once more; `false` when one would not come as it did.
    fn rewind(&mut self) -> bool {
        let is_ready = self.kept.iter().flatten().all(Kept::is_whole);
        self.again = is_ready.then_some(0);
        is_ready
    }
}

/// Reads all inputs: those with keys first.
fn read_all(
    inputs: &[CaseInput],
    streams: &mut Streams,
    read: &ReadOptions<'_>,
    options: &AnalyzeOptions<'_>,
) -> EvidenceBuilder {
    let mut builder = EvidenceBuilder::new();
    let mut is_taken = false;
    let mut known = 0;
    read_keys(inputs, streams, read, options, &mut builder, &mut known);
    for input in inputs {
        let given = match input {
            CaseInput::File(path) => file(path, streams, &mut builder),
            CaseInput::Members { path, members } => {
                if let Some((name, source)) = file(path, streams, &mut builder) {
                    let of = |member: &String| match member.as_str() {
                        "" => name.clone(),
                        member => format!("{name}!{member}"),
                    };
                    let named: Vec<String> = members.iter().map(of).collect();
                    capture::open_members(&name, source, read, &named, &mut builder);
                }
                None
            }
            CaseInput::Memory(given) => memory(given, streams),
            CaseInput::MemoryKeys(_) => None,
            CaseInput::Standard => {
                // It is at its end when it is given twice.
                let at_end = std::mem::replace(&mut is_taken, true);
                let open = || Ok(if at_end { Source::bytes(Vec::new()) } else { Source::stdin() });
                streams.open(open).ok().map(|source| ("standard input".to_owned(), source))
            }
        };
        if let Some((name, source)) = given {
            capture::open(&name, source, read, options.hash, &mut builder);
        }
        let path = match input {
            CaseInput::File(path) | CaseInput::Members { path, .. } => Some(path.as_path()),
            CaseInput::Memory(_) | CaseInput::MemoryKeys(_) | CaseInput::Standard => None,
        };
        keep_names(path, &mut known, &mut builder);
    }
    builder
}

/// Reads the keys that are given apart from the captures.
fn read_keys(
    inputs: &[CaseInput],
    streams: &mut Streams,
    read: &ReadOptions<'_>,
    options: &AnalyzeOptions<'_>,
    builder: &mut EvidenceBuilder,
    known: &mut u32,
) {
    for path in options.key_logs {
        if let Some((name, source)) = file(path, streams, builder) {
            capture::open_keys(&name, source, read, builder);
        }
        keep_names(Some(path), known, builder);
    }
    for input in inputs {
        if let CaseInput::MemoryKeys(keys) = input
            && let Some((name, source)) = memory(keys, streams)
        {
            capture::open_keys(&name, source, read, builder);
            keep_names(None, known, builder);
        }
    }
}

/// Keeps the bytes of a name that is not UTF-8 with each of the inputs that came of its file; `known`
/// is the number of those that were there before.
fn keep_names(path: Option<&Path>, known: &mut u32, builder: &mut EvidenceBuilder) {
    while let Some(input) = builder.input_mut(InputId(*known)) {
        *known = known.saturating_add(1);
        let Some(path) = path else { continue };
        if let Cow::Owned(shown) = path.to_string_lossy()
            && let Some(inside) = input.name.strip_prefix(&shown)
        {
            let bytes = [path.as_os_str().as_encoded_bytes(), inside.as_bytes()].concat();
            input.name_bytes = Some(data_encoding::BASE64.encode(&bytes));
        }
    }
}

/// Opens what is in memory.
fn memory(given: &InMemory, streams: &mut Streams) -> Option<(String, Source)> {
    let open = || Ok(Source::shared(Arc::clone(&given.bytes)));
    streams.open(open).ok().map(|source| (given.name.clone(), source))
}

/// Opens a file; that it cannot be opened is noted.
fn file(
    path: &Path,
    streams: &mut Streams,
    builder: &mut EvidenceBuilder,
) -> Option<(String, Source)> {
    let name = path.to_string_lossy().into_owned();
    match streams.open(|| Source::file(path)) {
        Ok(source) => Some((name, source)),
        Err(error) => {
            note_not_opened(&name, &error, builder);
            None
        }
    }
}

fn note_not_opened(name: &str, error: &io::Error, builder: &mut EvidenceBuilder) {
    let id = builder.add_input(Input::named(name));
    let text = format!("could not be opened: {}", error.kind());
    builder.diagnose(DiagnosticCode::NotOpened, Some(id), &text);
}

/// The evidence of a file that could not be opened.
fn not_opened(name: &str, error: &io::Error) -> EvidenceBuilder {
    let mut builder = EvidenceBuilder::new();
    note_not_opened(name, error, &mut builder);
    builder
}

/// From evidence to the verdict.
pub fn conclude(evidence: Evidence, selection: &Selection) -> Analysis {
    let signin = signin::reconstruct(&evidence);
    let mut findings = rules::check(&rules::Case::new(&evidence, &signin));
    let verdict = verdict::decide(&evidence, &signin, &mut findings, selection);
    Analysis { evidence, signin, findings, verdict }
}

/// What each rule is, in the order of their families: for what explains or lists them.
pub fn rule_metas() -> Vec<&'static RuleMeta> {
    rules::RULES.iter().map(|rule| rule.meta()).collect()
}

/// Form fields that carry the result of a sign-in to an application.
const FIELDS: &[&str] = &[
    "SAMLResponse=",
    "access_token=",
    "code=",
    "error_description=",
    "externalauthprovider",
    "id_token=",
    "id_token_hint=",
    "session_state=",
    "wresult=",
];

/// Fields of queries and fragments that are kept whatever the host: what goes back to an application,
/// and what hands the user to another provider.
const QUERY_FIELDS: &[&str] = &[
    "RelayState",
    "SAMLRequest",
    "SAMLResponse",
    "access_token",
    "client-request-id",
    "code",
    "ctx",
    "device_code",
    "error",
    "error_code",
    "error_description",
    "error_subcode",
    "id_token",
    "id_token_hint",
    "redirect_uri",
    "session_state",
    "state",
    "wa",
    "wctx",
    "wresult",
    "x-client-last-telemetry",
];

/// Where pages of the sign-in report about themselves; that they do is enough.
const REPORTS: &[&str] =
    &["/client/perftrace", "/handlers/enverror", "/handlers/watson", "/instrumentation/"];

/// What readers keep: the hosts of the sign-in and what belongs to it by its path.
pub fn scope(limits: &Limits) -> Scope {
    let wanted = |role: HostRole| {
        !matches!(
            role,
            HostRole::ConnectivityCheck
                | HostRole::CrlOcsp
                | HostRole::Graph
                | HostRole::Resource
                | HostRole::Telemetry
        )
    };
    let rows = || hosts::patterns().filter(|row| wanted(row.role) && !row.is_path());
    Scope::new(
        rows().map(|row| row.pattern),
        rows().filter(|row| row.role == HostRole::SigninCdn).map(|row| row.pattern),
        ["/adfs/", "/federation/externalauthprovider"],
        FIELDS,
        limits.body,
    )
    .with_queries(QUERY_FIELDS.iter().copied())
    .without_bodies(
        hosts::patterns()
            .filter(|row| row.role == HostRole::Telemetry && !row.is_path())
            .map(|row| row.pattern),
        REPORTS.iter().copied(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Want;

    #[test]
    fn options_show_no_password() {
        let passwords = ["hunter2".to_owned()];
        let cancel = AtomicBool::new(false);
        let options = AnalyzeOptions {
            limits: Limits::default(),
            hash: true,
            passwords: &passwords,
            key_logs: &[],
            selection: Selection::default(),
            cancel: &cancel,
        };
        let shown = format!("{options:?}");
        assert!(shown.contains("passwords: 1") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn reports_of_pages_take_no_room() {
        let scope = scope(&Limits::default());
        let host = "login.microsoftonline.com";
        let want = |path| scope.request_body(host, path, b"x");
        assert_eq!(want("/common/instrumentation/dssostatus"), Want::Nothing);
        assert_eq!(want("/common/handlers/watson"), Want::Nothing);
        assert_eq!(want("/common/SAS/BeginAuth"), Want::UpTo(Limits::default().body));
    }
}
