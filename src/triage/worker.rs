//! A worker as those see it who give it jobs: a process of this program at the other end of two pipes.
//!
//! It must not know what a job is about.
//!
//! Invariants: a worker that crashes, is killed or does not answer in time costs the job that it had and nothing else; no
//! worker outlives its owner.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::job::{Job, Reply, Reported, Setup};
use crate::limits;

/// What is started as a worker.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// The arguments that make a worker of it.
    pub arguments: Vec<OsString>,
}

/// Ends a run from outside: no job is begun, and the workers are killed.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    workers: Mutex<Vec<Weak<Mutex<Child>>>>,
}

impl Stop {
    /// Ends the run.
    pub fn stop(&self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        let workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.iter().filter_map(Weak::upgrade) {
            kill(&worker);
        }
    }

    /// Whether the run was ended.
    pub fn is_stopped(&self) -> bool {
        self.0.is_over.load(Ordering::SeqCst)
    }

    fn note(&self, child: &Arc<Mutex<Child>>) {
        let mut workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|one| one.strong_count() > 0);
        workers.push(Arc::downgrade(child));
        drop(workers);
        // It may have been started while the others were killed.
        if self.is_stopped() {
            kill(child);
        }
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // One that is gone cannot be killed, which is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// Why a job came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The worker was gone before it got the job: another one can do it.
    Before,
    /// The worker was lost over the job.
    Over,
}

/// What a job came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) records: Vec<Reported>,
    pub(super) hash: Option<String>,
}

/// A worker process.
pub(super) struct Worker {
    child: Arc<Mutex<Child>>,
    /// Gone once the worker did not take what it was told.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Worker {
    pub(super) fn start(program: &Program, setup: &Setup, stop: &Stop) -> io::Result<Self> {
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What a crash prints may quote what was being read.
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let child = Arc::new(Mutex::new(child));
        stop.note(&child);
        let Some((stdin, stdout)) = pipes else {
            kill(&child);
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (sender, lines) = channel();
        std::thread::spawn(move || read(stdout, |line| sender.send(line).is_ok()));
        let mut worker = Self { child, stdin: Some(stdin), lines };
        let line = serde_json::to_string(setup).map_err(io::Error::other)?;
        worker.tell(line, Some(limits::TRIAGE_START)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(worker)
    }

    fn tell(&mut self, line: String, limit: Option<Duration>) -> Result<(), Lost> {
        let mut stdin = self.stdin.take().ok_or(Lost::Before)?;
        if line.len() < PIPE {
            write(&mut stdin, &line).map_err(|_| Lost::Before)?;
            self.stdin = Some(stdin);
            return Ok(());
        }
        // A worker that stands still does not take it.
        let (sender, written) = channel();
        std::thread::spawn(move || sender.send(write(&mut stdin, &line).map(|()| stdin)));
        match next(&written, limit) {
            Ok(Ok(stdin)) => self.stdin = Some(stdin),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(Lost::Before),
            Err(RecvTimeoutError::Timeout) => return Err(Lost::Over),
        }
        Ok(())
    }

    /// Has a job done; one that takes longer than `limit` counts as lost.
    pub(super) fn ask(&mut self, job: &Job, limit: Option<Duration>) -> Result<Answer, Lost> {
        self.tell(serde_json::to_string(job).map_err(|_| Lost::Over)?, limit)?;
        let mut answer = Answer::default();
        loop {
            let line = next(&self.lines, limit).map_err(|_| Lost::Over)?;
            match serde_json::from_str(&line) {
                Ok(Reply::Hash(hash)) => answer.hash = hash,
                Ok(Reply::Record(reported)) => answer.records.push(*reported),
                Ok(Reply::Done) => return Ok(answer),
                Err(_) => return Err(Lost::Over),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker that has no more input ends itself; one that does not is ended, and so are the threads that read from it
        // and write to it.
        drop(self.stdin.take());
        kill(&self.child);
    }
}

/// What comes next, within a time where there is one.
fn next<T>(from: &Receiver<T>, limit: Option<Duration>) -> Result<T, RecvTimeoutError> {
    match limit {
        Some(limit) => from.recv_timeout(limit),
        None => from.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// What an empty pipe takes on every system without its reader.
const PIPE: usize = 4 << 10;

fn write(stdin: &mut ChildStdin, line: &str) -> io::Result<()> {
    writeln!(stdin, "{line}")?;
    stdin.flush()
}

/// Reads the lines of a worker until it ends, nobody wants them, or one is too long to be one.
fn read(stdout: ChildStdout, mut send: impl FnMut(String) -> bool) {
    let mut stdout = BufReader::new(stdout);
    let limit = u64::try_from(limits::TRIAGE_LINE).unwrap_or(u64::MAX);
    loop {
        let mut bytes = Vec::new();
        let mut piece = io::Read::take(&mut stdout, limit);
        let ended = !matches!(piece.read_until(b'\n', &mut bytes), Ok(1..));
        let is_whole = bytes.pop() == Some(b'\n');
        let goes_on = !ended && is_whole;
        if !goes_on || !String::from_utf8(bytes).is_ok_and(&mut send) {
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::evidence::Redaction;
    use crate::limits::Limits;
    use crate::report::triage::Attachment;
    use crate::triage::Shape;
    use crate::triage::job::{How, JobFile, OsPath};

    fn job(length: usize) -> Job {
        let path = OsPath::of(&PathBuf::from("x".repeat(length)));
        let file = JobFile { path, attachment: Attachment::default(), members: Vec::new() };
        Job { files: vec![file], how: How::Each }
    }

    /// A program that neither reads nor answers.
    fn still() -> io::Result<Worker> {
        let program = Program { path: "sleep".into(), arguments: vec!["60".into()] };
        let setup = Setup::new(Limits::default(), Shape::new(Redaction::Secrets));
        Worker::start(&program, &setup, &Stop::default())
    }

    #[test]
    fn one_that_stands_still_costs_its_job_and_no_more_time() -> io::Result<()> {
        // The second is more than a pipe holds, so that telling it blocks; its end would be told as another loss.
        for length in [9, 1 << 20] {
            let asked = still()?.ask(&job(length), Some(Duration::from_millis(100)));
            assert_eq!(asked.map(|_| ()), Err(Lost::Over));
        }
        Ok(())
    }

    #[test]
    fn one_that_is_gone_before_it_is_told_costs_nothing() -> io::Result<()> {
        let mut worker = still()?;
        kill(&worker.child);
        assert_eq!(worker.ask(&job(9), None).map(|_| ()), Err(Lost::Before));
        Ok(())
    }
}
