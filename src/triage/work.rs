//! What a worker does: a job in, its records out.
//!
//! It must not know who asks, nor end itself: the program around it reads the jobs and keeps the time.
//!
//! Invariants: a fault of ours is a record of the file it happened on; what is held for one job is bounded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::job::{How, Job, JobFile, Reply, Reported, Setup};
use crate::analyze::{
    Analysis, AnalyzeOptions, CaseInput, Each, Selection, analyze, analyze_each, hash_of,
};
use crate::evidence::{Diagnostic, Format, Input, named};
use crate::limits;
use crate::report::ReportInput;
use crate::report::triage::routing::{self, Words};
use crate::report::triage::rows::Rows;
use crate::report::triage::{Attachment, Beside, Code, Record, RecordOptions};

/// A worker that was told how to work.
#[derive(Debug)]
pub struct Task {
    setup: Setup,
    words: Words,
    key_logs: Vec<PathBuf>,
}

impl Task {
    /// Takes the first line: how to work.
    pub fn new(line: &str) -> Option<Self> {
        let setup: Setup = serde_json::from_str(line).ok()?;
        let words = match &setup.words {
            Some(text) => Words::parse(text).ok()?,
            None => Words::builtin(),
        };
        let key_logs = setup.key_logs.iter().map(super::job::OsPath::path).collect();
        Some(Self { setup, words, key_logs })
    }

    /// When to stop reading a file.
    pub const fn timeout(&self) -> Option<std::time::Duration> {
        self.setup.timeout
    }

    fn options(&self) -> RecordOptions<'_> {
        RecordOptions {
            redaction: self.setup.shape.redaction(),
            options: &self.setup.options,
            words: &self.words,
            with_report: self.setup.shape.with_report,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Does a job, given in a line, and gives the lines that are sent back; `cancel` makes it stop reading.
pub fn work(task: &Task, line: &str, cancel: &AtomicBool) -> Option<String> {
    let job: Job = serde_json::from_str(line).ok()?;
    let mut answer = String::new();
    if let (How::Hash, [file]) = (job.how, job.files.as_slice()) {
        push(&mut answer, &Reply::Hash(hash_of(&file.path.path(), cancel)));
        push(&mut answer, &Reply::Done);
        return Some(answer);
    }
    for reported in reported(task, &job, cancel) {
        push(&mut answer, &Reply::Record(Box::new(reported)));
    }
    push(&mut answer, &Reply::Done);
    Some(answer)
}

fn push(answer: &mut String, reply: &Reply) {
    // No type of a reply refuses to be written.
    answer.push_str(&serde_json::to_string(reply).unwrap_or_default());
    answer.push('\n');
}

fn reported(task: &Task, job: &Job, cancel: &AtomicBool) -> Vec<Reported> {
    // The text of a panic could hold a secret and is not looked at.
    let done = catch_unwind(AssertUnwindSafe(|| match (job.how, job.files.as_slice()) {
        (How::Each, [file]) => each(task, file, cancel),
        (_, files) => together(task, files, cancel).into_iter().collect(),
    }));
    done.unwrap_or_else(|_| {
        let faulty = |file: &JobFile| without(task, &file.attachment, Code::InternalError);
        job.files.iter().take(1).map(faulty).collect()
    })
}

fn without(task: &Task, attachment: &Attachment, code: Code) -> Reported {
    let routing = routing::lost(code, attachment, &task.words);
    let record = Record::without_analysis(attachment, task.options(), code, routing);
    Reported { record, rows: None, member: None }
}

/// A record for each capture in a file.
fn each(task: &Task, file: &JobFile, cancel: &AtomicBool) -> Vec<Reported> {
    let options = AnalyzeOptions { cancel, ..task.analyze_options() };
    // The analysis may begin anew, with keys that it found; what was given before counts no more.
    let all = std::cell::RefCell::new((Vec::<Reported>::new(), 0_usize));
    let mut begin = || *all.borrow_mut() = (Vec::new(), 0);
    let mut give = |each: Each| {
        let Each { member, sha256, analysis } = each;
        let attachment = Attachment { sha256, ..file.attachment.clone() };
        let reported = task.reported(&analysis, &attachment, member.as_deref());
        let mut all = all.borrow_mut();
        all.1 = all.1.saturating_add(weight(&reported));
        all.0.push(reported);
        all.0.len() < limits::TRIAGE_CAPTURES && all.1 < limits::TRIAGE_BYTES
    };
    let left = analyze_each(&file.path.path(), &options, &mut begin, &mut give);
    let (mut all, _) = all.into_inner();
    if let Some(last) = all.last_mut() {
        task.tell(&mut last.record, &left);
    }
    let parts = u32::try_from(all.len()).unwrap_or(u32::MAX);
    for (part, one) in (1_u32..).zip(&mut all) {
        (one.record.part, one.record.parts) = (part, parts);
    }
    all
}

/// Bytes that a record takes, about.
pub(super) fn weight(reported: &Reported) -> usize {
    const RECORD: usize = 4 << 10;
    const ROW: usize = 512;
    let report = reported.record.report.as_ref().map_or(0, |report| report.get().len());
    let rows = reported.rows.as_ref().map_or(0, |rows| {
        let all = [rows.attempts.len(), rows.findings.len(), rows.connections.len()];
        all.iter().sum::<usize>().saturating_mul(ROW)
    });
    RECORD.saturating_add(reported.record.comment.len()).saturating_add(report).saturating_add(rows)
}

/// One record for all captures of a job; it is that of its first capture, and names the others.
fn together(task: &Task, files: &[JobFile], cancel: &AtomicBool) -> Option<Reported> {
    let options = AnalyzeOptions { cancel, ..task.analyze_options() };
    let inputs: Vec<CaseInput> = files
        .iter()
        .map(|file| match file.members.as_slice() {
            [] => CaseInput::File(file.path.path()),
            members => CaseInput::Members { path: file.path.path(), members: members.to_vec() },
        })
        .collect();
    let analysis = analyze(&inputs, &options);
    let own: Vec<Attachment> = files
        .iter()
        .map(|file| Attachment {
            sha256: hash_of(&file.path.path(), cancel),
            ..file.attachment.clone()
        })
        .collect();
    // Which file and member each input is, by the name it got; keys that were given apart are neither.
    let place = |input: &Input| {
        let of = |file: &JobFile| {
            let path = file.path.path();
            let path = path.to_string_lossy();
            let rest = input.name.strip_prefix(&*path)?;
            let member = rest.strip_prefix('!').map(ToOwned::to_owned);
            (rest.is_empty() || member.is_some()).then_some((path.len(), member))
        };
        // A name may go on where another one ends: the longest is meant.
        let all = files.iter().enumerate().filter_map(|(index, file)| Some((index, of(file)?)));
        let (index, (_, member)) = all.max_by_key(|(_, (length, _))| *length)?;
        Some((index, member, input.format))
    };
    let places: Vec<(usize, Option<String>, Format)> =
        analysis.evidence.inputs.iter().filter_map(place).collect();
    let first = places.iter().position(|(_, _, format)| format.is_capture()).unwrap_or(0);
    let (index, member) = match places.get(first) {
        Some((index, member, _)) => (*index, member.clone()),
        None => (0, None),
    };
    let mut reported = task.reported(&analysis, own.get(index)?, member.as_deref());
    let shown = |text: &str| named(text, task.setup.shape.redaction()).into_owned();
    let mut told = vec![index];
    for (_, (index, member, format)) in
        places.iter().enumerate().filter(|(place, _)| *place != first)
    {
        // Of many captures in one archive some may be left out, but no file.
        let is_new = !told.contains(index);
        let (Some(attachment), true) =
            (own.get(*index), is_new || told.len() < limits::TRIAGE_CAPTURES)
        else {
            continue;
        };
        told.push(*index);
        reported.record.beside.push(Beside {
            path: shown(&attachment.path),
            tree_path: shown(&attachment.tree_path),
            member: member.as_deref().map(shown),
            sha256: attachment.sha256.clone(),
            bytes: attachment.bytes,
            format: Some(format.as_str().to_owned()),
        });
    }
    Some(reported)
}

impl Task {
    fn analyze_options(&self) -> AnalyzeOptions<'_> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        AnalyzeOptions {
            limits: self.setup.limits.clone(),
            hash: true,
            passwords: &self.setup.passwords,
            key_logs: &self.key_logs,
            selection: Selection::default(),
            cancel: &NEVER,
        }
    }

    fn reported(&self, analysis: &Analysis, of: &Attachment, member: Option<&str>) -> Reported {
        let options = self.options();
        let report =
            ReportInput { redaction: options.redaction, ..analysis.report(options.version) };
        Reported {
            record: Record::of(&report, of, member, options),
            rows: self.setup.shape.with_rows.then(|| Rows::of(&report)),
            member: member.map(ToOwned::to_owned),
        }
    }

    /// Adds what was noted behind the last capture of a file.
    fn tell(&self, record: &mut Record, diagnostics: &[Diagnostic]) {
        record.tell(diagnostics, self.setup.shape.redaction());
        if record.code == Code::Analysed && diagnostics.iter().any(|one| one.code.is_partial()) {
            record.code = Code::Partial;
        }
    }
}
