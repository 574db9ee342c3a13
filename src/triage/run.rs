//! The run: units in, records out, as many jobs at a time as there are workers.
//!
//! It must not know where records go, nor how far a user wants to see it.
//!
//! Invariant: each file of a unit is counted as done, skipped or missing.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

use super::Together;
use super::beside::cases;
use super::find::{Found, Kind, Unit};
use super::job::{How, Job, JobFile, OsPath, Reported, Setup};
use super::order::Output;
use super::resume::{Recorded, Sought};
use super::worker::{Answer, Lost, Program, Stop, Worker};
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
    let run = Run {
        plan,
        totals,
        output,
        idle: Mutex::new(Vec::new()),
        is_helpless: AtomicBool::new(false),
    };
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
    /// Whether no worker can be had any more: then no file can get its record.
    is_helpless: AtomicBool,
}

/// Times that a worker is looked for.
const TRIES: usize = 3;

impl Run<'_> {
    fn is_over(&self) -> bool {
        let is_helpless = self.is_helpless.load(Ordering::Relaxed);
        is_helpless || self.plan.stop.is_stopped() || self.output.is_over()
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
        // What a killed worker left undone is no record, and neither is what none could be had for.
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
        let shown = |text: &str| named(text, redaction).into_owned();
        let mut sought: Vec<Sought> = unit
            .files
            .iter()
            .map(Found::attachment)
            .map(|one| Sought {
                path: shown(&one.path),
                tree_path: shown(&one.tree_path),
                sha256: None,
            })
            .collect();
        if !sought.iter().all(|file| lock().has_path(&file.tree_path)) {
            return false;
        }
        for (file, found) in sought.iter_mut().zip(&unit.files) {
            file.sha256 = match found.kind {
                Kind::File(_) => self.hash(&found.path),
                Kind::Other(_) => None,
            };
        }
        lock().take_files(&sought, env!("CARGO_PKG_VERSION"), &self.plan.setup.options)
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
                Ok(records) if !records.is_empty() => {
                    all.extend(records.into_iter().map(|one| (number, one)));
                }
                Ok(_) | Err(_) => all.push((number, self.lost(&attachment, &found.path))),
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
            let job = Job { files, how: How::Together };
            match self.ask(&job) {
                Ok(records) if !records.is_empty() => all.extend(records),
                Ok(_) | Err(_) => all.extend(
                    job.files.iter().map(|file| self.lost(&file.attachment, &file.path.path())),
                ),
            }
        }
        all.extend(others.into_iter().map(|found| self.other(found)));
        all
    }

    /// Puts one record in the place of those that tell of the same sign-in.
    fn join(&self, unit: &Unit, all: Vec<(usize, Reported)>) -> Vec<Reported> {
        let cases = cases(&all.iter().map(|(_, one)| &one.record).collect::<Vec<_>>());
        // Of each record its file and its member, as they are there.
        let places: Vec<(usize, Option<String>)> =
            all.iter().map(|(number, one)| (*number, one.member.clone())).collect();
        let mut all: Vec<Option<(usize, Reported)>> = all.into_iter().map(Some).collect();
        for case in cases {
            let mut files: Vec<(usize, JobFile)> = Vec::new();
            let chosen: Vec<&(usize, Option<String>)> =
                case.iter().filter_map(|index| places.get(*index)).collect();
            // Two members of one name cannot be told apart.
            if chosen.iter().any(|one| places.iter().filter(|other| other == one).count() > 1) {
                continue;
            }
            for (number, member) in chosen {
                let position = files.iter().position(|(known, _)| known == number);
                let position = position.unwrap_or_else(|| {
                    files.extend(unit.files.get(*number).map(|found| (*number, job_file(found))));
                    files.len().saturating_sub(1)
                });
                // A file is given whole, unless there is more in it than is joined.
                let has_members =
                    places.iter().any(|(of, member)| of == number && member.is_some());
                if let Some((_, file)) = files.get_mut(position).filter(|_| has_members) {
                    file.members.push(member.clone().unwrap_or_default());
                }
            }
            let files = files.into_iter().map(|(_, file)| file).collect();
            // Where the whole cannot be had, the parts are what there is.
            let Ok(mut joined) = self.ask(&Job { files, how: How::Together }) else { continue };
            let Some(joined) = joined.pop().filter(|one| one.record.code.is_judged()) else {
                continue;
            };
            let is_own = |index: &&usize| {
                let place = all.get(**index).and_then(Option::as_ref);
                place.is_some_and(|(_, one)| {
                    one.record.tree_path == joined.record.tree_path && one.member == joined.member
                })
            };
            let Some(own) = case.iter().find(is_own).copied() else { continue };
            for index in case {
                if let Some(place) = all.get_mut(index) {
                    // A key log opens what lies beside it, and keeps its own record.
                    place.take_if(|(_, one)| !one.is_key_log());
                }
            }
            if let (Some(place), Some((number, _))) = (all.get_mut(own), places.get(own)) {
                *place = Some((*number, joined));
            }
        }
        renumber(all.into_iter().flatten().collect())
    }

    /// Has a job done by a worker that has none.
    fn ask(&self, job: &Job) -> Result<Vec<Reported>, Lost> {
        self.with_worker(job).map(|answer| answer.records)
    }

    fn with_worker(&self, job: &Job) -> Result<Answer, Lost> {
        for _ in 0..TRIES {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let plan = self.plan;
            let started = match idle {
                Some(worker) => Ok(worker),
                None => Worker::start(plan.program, plan.setup, plan.stop),
            };
            let Ok(mut worker) = started else { continue };
            match worker.ask(job, plan.patience) {
                Ok(answer) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                    return Ok(answer);
                }
                // The job itself was not touched.
                Err(Lost::Before) => {}
                Err(Lost::Over) => return Err(Lost::Over),
            }
            if self.is_over() {
                break;
            }
        }
        self.is_helpless.store(true, Ordering::Relaxed);
        Err(Lost::Before)
    }

    /// The record of a file whose worker was lost. Where no worker can be had at all it is one of none: the unit
    /// is not given then.
    fn lost(&self, attachment: &Attachment, path: &Path) -> Reported {
        if !self.plan.stop.is_stopped() {
            add(&self.totals.lost, 1);
        }
        // What was lost is known by its hash all the same.
        let attachment = Attachment { sha256: self.hash(path), ..attachment.clone() };
        self.without(&attachment, Code::WorkerLost)
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

    /// The hash of a file, made by a worker within the time of a file: reading may block.
    fn hash(&self, path: &Path) -> Option<String> {
        let file = JobFile {
            path: OsPath::of(path),
            attachment: Attachment::default(),
            members: Vec::new(),
        };
        self.with_worker(&Job { files: vec![file], how: How::Hash }).ok()?.hash
    }

    fn without(&self, attachment: &Attachment, code: Code) -> Reported {
        let routing = routing::lost(code, attachment, self.plan.words);
        let record = Record::without_analysis(attachment, self.options(), code, routing);
        Reported { record, rows: None, member: None }
    }
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
