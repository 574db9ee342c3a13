//! The run: units in, records out, as many jobs at a time as there are workers.
//!
//! It must not know where records go, nor how far a user wants to see it.
//!
//! Invariant: each file of a unit is counted as done, skipped or missing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

use super::Together;
use super::beside::cases;
use super::find::{Found, Kind, Unit};
use super::job::{How, Job, JobFile, OsPath, Reported, Setup};
use super::order::Output;
use super::resume::Recorded;
use super::worker::{Lost, Program, Stop, Worker};
use crate::analyze::hash_of;
use crate::evidence::{Diagnostic, DiagnosticCode, named};
use crate::report::triage::routing::{self, Words};
use crate::report::triage::{Attachment, Code, Record, RecordOptions};

/// How to run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What every worker is told.
    pub setup: &'a Setup,
    /// The wording of the records that are made without a worker.
    pub words: &'a Words,
    /// Workers at a time.
    pub jobs: usize,
    /// What belongs together.
    pub together: Together,
    /// What is started as a worker.
    pub program: &'a Program,
    /// When a worker that does not answer counts as lost.
    pub patience: Option<Duration>,
    /// What an earlier run recorded.
    pub recorded: Option<&'a Mutex<Recorded>>,
    /// What ends the run.
    pub stop: &'a Stop,
}

/// Counts of a run that others may look at while it goes on.
#[derive(Debug, Default)]
pub struct Totals {
    /// Files that were found.
    pub files: AtomicU64,
    /// Files that are done.
    pub done: AtomicU64,
    /// Files that an earlier run recorded.
    pub skipped: AtomicU64,
    /// Records that were made.
    pub records: AtomicU64,
    /// Workers that were lost.
    pub lost: AtomicU64,
}

/// Makes the records of all units and puts them out in order.
///
/// Returns how many files have no record: their worker was killed by [`Stop`], or nothing more could be put out.
pub fn run(
    units: impl Iterator<Item = Unit> + Send,
    plan: &Plan<'_>,
    totals: &Totals,
    output: &Output,
) -> io::Result<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.jobs.max(1)).build();
    let pool = pool.map_err(io::Error::other)?;
    let run = Run { plan, totals, output, idle: Mutex::new(Vec::new()) };
    pool.install(|| {
        let wanted = units.take_while(|_| !run.is_over());
        wanted.enumerate().par_bridge().for_each(|(index, unit)| {
            run.unit(u64::try_from(index).unwrap_or(u64::MAX), &unit);
        });
    });
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let there = count(&totals.done).saturating_add(count(&totals.skipped));
    Ok(count(&totals.files).saturating_sub(there))
}

struct Run<'a> {
    plan: &'a Plan<'a>,
    totals: &'a Totals,
    output: &'a Output,
    /// Workers without a job.
    idle: Mutex<Vec<Worker>>,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.plan.stop.is_stopped() || self.output.is_over()
    }

    fn options(&self) -> RecordOptions<'_> {
        RecordOptions {
            redaction: self.plan.setup.shape.redaction(),
            options: &self.plan.setup.options,
            words: self.plan.words,
            with_report: false,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn unit(&self, index: u64, unit: &Unit) {
        let files = u64::try_from(unit.files.len()).unwrap_or(u64::MAX);
        add(&self.totals.files, files);
        if self.is_recorded(unit) {
            add(&self.totals.skipped, files);
            self.output.give(index, Vec::new());
            return;
        }
        let mut records = self.records(unit);
        // What a killed worker left undone is no record.
        if self.is_over() {
            return;
        }
        if let Some(recorded) = self.plan.recorded {
            let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
            records.retain(|one| !recorded.take_record(one));
        }
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        if self.output.give(index, records) {
            add(&self.totals.records, count);
            add(&self.totals.done, files);
        }
    }

    /// Whether an earlier run recorded all of a unit.
    fn is_recorded(&self, unit: &Unit) -> bool {
        let Some(recorded) = self.plan.recorded else { return false };
        let lock = || recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let redaction = self.plan.setup.shape.redaction();
        let path = |file: &Found| named(&file.attachment().tree_path, redaction).into_owned();
        let paths: Vec<String> = unit.files.iter().map(path).collect();
        let is_known = {
            let recorded = lock();
            paths.iter().all(|path| recorded.has_path(path))
        };
        if !is_known {
            return false;
        }
        let hash = |file: &Found| match file.kind {
            Kind::File(_) => self.hash(&file.path),
            Kind::Other(_) => None,
        };
        let hashes = unit.files.iter().map(hash);
        let files: Vec<(String, Option<String>)> = paths.into_iter().zip(hashes).collect();
        lock().take_files(&files, env!("CARGO_PKG_VERSION"), &self.plan.setup.options)
    }

    fn records(&self, unit: &Unit) -> Vec<Reported> {
        let is_file = |found: &&Found| matches!(found.kind, Kind::File(_));
        if self.plan.together == Together::Folder {
            return self.folder(unit);
        }
        let how = match self.plan.together {
            Together::Archive => How::Together,
            Together::Auto | Together::Capture | Together::Folder => How::Each,
        };
        // The records of each file, with the file.
        let mut all: Vec<(usize, Reported)> = Vec::new();
        for (number, found) in unit.files.iter().enumerate() {
            if self.is_over() {
                return Vec::new();
            }
            if !is_file(&found) {
                all.push((number, self.other(found)));
                continue;
            }
            let file = job_file(found);
            let attachment = file.attachment.clone();
            match self.ask(&Job { files: vec![file], how }) {
                Ok(records) if records.is_empty() => {
                    all.push((number, self.lost(&attachment, Lost::Over)));
                }
                Ok(records) => all.extend(records.into_iter().map(|one| (number, one))),
                Err(lost) => all.push((number, self.lost(&attachment, lost))),
            }
        }
        if self.plan.together == Together::Auto && all.len() > 1 {
            self.join(unit, all)
        } else {
            all.into_iter().map(|(_, one)| one).collect()
        }
    }

    /// One record for all files of a unit; each has its own where that cannot be had.
    fn folder(&self, unit: &Unit) -> Vec<Reported> {
        let (files, others): (Vec<&Found>, Vec<&Found>) =
            unit.files.iter().partition(|found| matches!(found.kind, Kind::File(_)));
        let files: Vec<JobFile> = files.into_iter().map(job_file).collect();
        let mut all = Vec::new();
        if !files.is_empty() {
            let attachments: Vec<Attachment> =
                files.iter().map(|file| file.attachment.clone()).collect();
            match self.ask(&Job { files, how: How::Together }) {
                Ok(records) if !records.is_empty() => all.extend(records),
                Ok(_) => all.extend(attachments.iter().map(|one| self.lost(one, Lost::Over))),
                Err(lost) => all.extend(attachments.iter().map(|one| self.lost(one, lost))),
            }
        }
        all.extend(others.into_iter().map(|found| self.other(found)));
        all
    }

    /// Puts one record in the place of those that tell of the same sign-in.
    fn join(&self, unit: &Unit, all: Vec<(usize, Reported)>) -> Vec<Reported> {
        let cases = cases(&all.iter().map(|(_, one)| &one.record).collect::<Vec<_>>());
        let mut all: Vec<Option<(usize, Reported)>> = all.into_iter().map(Some).collect();
        for case in cases {
            let mut files: Vec<(usize, JobFile)> = Vec::new();
            for index in &case {
                let Some(Some((number, one))) = all.get(*index) else { continue };
                let position = files.iter().position(|(known, _)| known == number);
                let position = position.unwrap_or_else(|| {
                    files.extend(unit.files.get(*number).map(|found| (*number, job_file(found))));
                    files.len().saturating_sub(1)
                });
                if let (Some((_, file)), Some(member)) = (files.get_mut(position), &one.member) {
                    file.members.push(member.clone());
                }
            }
            let files = files.into_iter().map(|(_, file)| file).collect();
            // Where the whole cannot be had, the parts are what there is.
            let Ok(mut joined) = self.ask(&Job { files, how: How::Together }) else { continue };
            let Some(joined) = joined.pop().filter(|one| one.record.code.is_judged()) else {
                continue;
            };
            let mut joined = Some(joined);
            for index in case {
                if let Some(place) = all.get_mut(index) {
                    let number = place.as_ref().map_or(0, |(number, _)| *number);
                    *place = joined.take().map(|joined| (number, joined));
                }
            }
        }
        renumber(all.into_iter().flatten().collect())
    }

    fn ask(&self, job: &Job) -> Result<Vec<Reported>, Lost> {
        for _ in 0..3 {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let plan = self.plan;
            let started = match idle {
                Some(worker) => Ok(worker),
                None => Worker::start(plan.program, plan.setup, plan.stop),
            };
            let Ok(mut worker) = started else { continue };
            match worker.ask(job, plan.patience) {
                Ok(records) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                    return Ok(records);
                }
                // The job itself was not touched.
                Err(Lost::Before) => {}
                Err(Lost::Over) => return Err(Lost::Over),
            }
            if self.is_over() {
                break;
            }
        }
        Err(Lost::Before)
    }

    /// The record of a file whose worker was lost.
    fn lost(&self, attachment: &Attachment, lost: Lost) -> Reported {
        let code = match lost {
            Lost::Before => Code::InternalError,
            Lost::Over => Code::WorkerLost,
        };
        if !self.plan.stop.is_stopped() {
            add(&self.totals.lost, 1);
        }
        self.without(attachment, code)
    }

    /// The record of what is no file.
    fn other(&self, found: &Found) -> Reported {
        let mut reported = self.without(&found.attachment(), Code::NotOpened);
        if let Kind::Other(why) = &found.kind {
            let code = DiagnosticCode::NotOpened;
            let told =
                Diagnostic { code, input: None, offset: None, lost: None, text: why.clone() };
            reported.record.tell(&[told], self.options().redaction);
        }
        reported
    }

    /// The hash of a file, unless the run is ended.
    fn hash(&self, path: &Path) -> Option<String> {
        hash_of(path, self.plan.stop.flag())
    }

    fn without(&self, attachment: &Attachment, code: Code) -> Reported {
        let mut attachment = attachment.clone();
        if matches!(code, Code::InternalError | Code::WorkerLost) {
            // What was lost is known by its hash all the same.
            attachment.sha256 = path_of(&attachment).and_then(|path| self.hash(&path));
        }
        let routing = routing::lost(code, &attachment, self.plan.words);
        let record = Record::without_analysis(&attachment, self.options(), code, routing);
        Reported { record, rows: None, member: None }
    }
}

/// The path of an attachment, where it is text.
fn path_of(attachment: &Attachment) -> Option<PathBuf> {
    attachment.path_bytes.is_none().then(|| attachment.path.clone().into())
}

/// Numbers the records of each file anew.
fn renumber(mut all: Vec<(usize, Reported)>) -> Vec<Reported> {
    let numbers: Vec<usize> = all.iter().map(|(number, _)| *number).collect();
    for (place, (number, one)) in all.iter_mut().enumerate() {
        let count = |of: &[usize]| {
            u32::try_from(of.iter().filter(|other| *other == number).count()).unwrap_or(u32::MAX)
        };
        one.record.part = count(numbers.get(..=place).unwrap_or_default());
        one.record.parts = count(&numbers);
    }
    all.into_iter().map(|(_, one)| one).collect()
}

fn job_file(found: &Found) -> JobFile {
    JobFile { path: OsPath::of(&found.path), attachment: found.attachment(), members: Vec::new() }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
