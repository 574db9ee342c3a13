//! Analyses: so many at a time, the others in a line that has an end.
//!
//! An analysis takes a processor for itself and so runs on a thread where it holds up no request. It must not know what a
//! request is.
//!
//! Invariants: a fault of ours costs its own analysis and no other; an analysis that takes too long, or whose asker
//! is gone, is told to stop; uploads are let go with their analysis and not before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::metrics::Metrics;
use super::problem::Problem;
use super::upload::Upload;
use crate::analyze::{Analysis, AnalyzeOptions, analyze};
use crate::limits::{self, Limits};

const LINE_FULL: Problem = Problem::busy("too many uploads wait for their analysis");
const STUCK: Problem = Problem::busy("the analysis did not stop in time");
const STOPPING: Problem = Problem::busy("the server stops");

/// The places where analyses run.
#[derive(Clone)]
pub(super) struct Work {
    metrics: Arc<Metrics>,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// What tells each analysis that runs to stop.
    running: Arc<Mutex<Vec<Weak<AtomicBool>>>>,
}

impl Work {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let places = Arc::new(Semaphore::new(limits::ANALYSES));
        Self { metrics, places, waiting: Arc::default(), running: Arc::default() }
    }

    /// Analyses an upload, in its turn, and writes what is asked of the analysis.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        upload: Upload,
        write: impl FnOnce(&Analysis, &Upload) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let metrics = Arc::clone(&self.metrics);
        let job = move |cancel: &AtomicBool| {
            let analysis = analysis(&upload, cancel);
            metrics.conclude(analysis.verdict.side);
            write(&analysis, &upload)
        };
        self.take_turn(limits::ANALYSIS_TIME, job).await
    }

    /// Runs a job when it is its turn; it is told to stop after a while, and when nobody waits for it.
    async fn take_turn<T: Send + 'static>(
        &self,
        time: Duration,
        job: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            place
        } else {
            let _waits = Waits::new(&self.waiting).ok_or(LINE_FULL)?;
            Arc::clone(&self.places).acquire_owned().await.map_err(|_| STOPPING)?
        };
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        self.note(&stop.0);
        let cancel = Arc::clone(&stop.0);
        let metrics = Arc::clone(&self.metrics);
        let mut task = tokio::task::spawn_blocking(move || {
            let _held = (place, metrics.run());
            // The text of a panic could hold a secret and is not looked at.
            catch_unwind(AssertUnwindSafe(|| job(&cancel))).ok()
        });
        let ended = if let Ok(ended) = timeout(time, &mut task).await {
            ended
        } else {
            stop.0.store(true, Ordering::Relaxed);
            timeout(limits::ANALYSIS_GRACE, &mut task).await.map_err(|_| STUCK)?
        };
        ended.ok().flatten().ok_or(Problem::internal())
    }

    fn note(&self, cancel: &Arc<AtomicBool>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|one| one.strong_count() > 0);
        running.push(Arc::downgrade(cancel));
    }

    /// Tells all analyses to stop, and starts no more.
    pub(super) fn stop(&self) {
        self.places.close();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for cancel in running.iter().filter_map(Weak::upgrade) {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

fn analysis(upload: &Upload, cancel: &AtomicBool) -> Analysis {
    let options = AnalyzeOptions {
        limits: Limits::default(),
        hash: true,
        passwords: &upload.passwords,
        key_logs: &[],
        selection: upload.ask.selection.clone(),
        cancel,
    };
    analyze(&upload.inputs, &options)
}

/// Tells an analysis to stop when nobody waits for it any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A place in the line.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Option<Self> {
        let add =
            |count: usize| (count < limits::ANALYSES_WAITING).then(|| count.saturating_add(1));
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that goes on until it is told to stop.
    fn endless(cancel: &AtomicBool) -> &'static str {
        while !cancel.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        "partial"
    }

    fn hours() -> Duration {
        Duration::from_hours(1)
    }

    #[tokio::test]
    async fn a_long_job_is_told_to_stop() {
        let work = Work::new(Arc::default());
        assert_eq!(work.take_turn(Duration::from_millis(5), endless).await, Ok("partial"));
    }

    #[tokio::test]
    async fn a_fault_costs_one_answer() {
        let work = Work::new(Arc::default());
        for _ in 0..3 {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            let fault = work.take_turn(hours(), |_| -> () { panic!("hunter2") }).await;
            std::panic::set_hook(before);
            assert_eq!(fault, Err(Problem::internal()));
        }
        assert_eq!(work.take_turn(hours(), |_| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn the_line_has_an_end_and_goes_on() {
        let work = Work::new(Arc::default());
        let start = |job: fn(&AtomicBool) -> &'static str| {
            let work = work.clone();
            tokio::spawn(async move { work.take_turn(hours(), job).await })
        };
        let running: Vec<_> = (0..limits::ANALYSES).map(|_| start(endless)).collect();
        while work.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..limits::ANALYSES_WAITING).map(|_| start(|_| "done")).collect();
        while work.waiting.load(Ordering::Relaxed) < limits::ANALYSES_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.take_turn(hours(), |_| "late").await, Err(LINE_FULL));
        // Those who asked first are gone: their jobs are told so, and the line goes on.
        running.iter().for_each(tokio::task::JoinHandle::abort);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok("done"));
        }
        work.stop();
        assert_eq!(work.take_turn(hours(), |_| "late").await, Err(STOPPING));
    }
}
