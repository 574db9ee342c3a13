//! How far a long reading is, on a terminal.
//!
//! A line on the standard error that appears after a second and is taken back at the end; `triage` shows its own in
//! the same way. It must not know what is read: the library counts bytes, and this looks at the count.
//!
//! Invariant: what takes less than a second shows nothing, and nothing of the line stays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::analyze::CaseInput;

/// Work below this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time from one look at the count to the next.
const LOOK: Duration = Duration::from_millis(100);

/// A line that is shown and kept up to date on a thread of its own, until this is dropped.
pub(super) struct Line {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// Begins to wait for the first second to be over; only then `begin` makes the line, and `look` brings it up to
    /// date each time that `pause` is over.
    pub(super) fn start<L>(
        pause: Duration,
        begin: impl FnOnce() -> ProgressBar + Send + 'static,
        mut look: L,
    ) -> Self
    where
        L: FnMut(&ProgressBar) + Send + 'static,
    {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let goes_on = |time| stopped.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
            if !goes_on(PATIENCE) {
                return;
            }
            let bar = begin();
            loop {
                look(&bar);
                if !goes_on(pause) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The line has to be gone before anything else is printed.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A form of the line.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Shows the progress until it is dropped.
pub(super) struct Progress {
    counter: Arc<AtomicU64>,
    _line: Line,
}

impl Progress {
    /// Begins to wait for the first second to be over.
    pub(super) fn start(inputs: &[CaseInput]) -> Self {
        let counter = Arc::new(AtomicU64::new(0));
        let (total, count) = (total(inputs), Arc::clone(&counter));
        let begin = move || {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            bar.set_style(style(template(total.is_some())));
            bar
        };
        let line = Line::start(LOOK, begin, move |bar| {
            let read = count.load(Ordering::Relaxed);
            // What is read a second time counts no further.
            bar.set_position(total.map_or(read, |total| read.min(total)));
        });
        Self { counter, _line: line }
    }

    /// Where the bytes are counted.
    pub(super) const fn counter(&self) -> &Arc<AtomicU64> {
        &self.counter
    }
}

/// Bytes of all inputs; none where one is a stream.
fn total(inputs: &[CaseInput]) -> Option<u64> {
    let length = |input: &CaseInput| match input {
        CaseInput::File(path) | CaseInput::Members { path, .. } => {
            std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
        }
        CaseInput::Memory(given) | CaseInput::MemoryKeys(given) => {
            u64::try_from(given.bytes.len()).ok()
        }
        CaseInput::Standard => None,
    };
    inputs.iter().map(length).try_fold(0_u64, |sum, one| Some(sum.saturating_add(one?)))
}

const fn template(is_bounded: bool) -> &'static str {
    if is_bounded { "reading {bar:30} {percent:>3} % of {total_bytes}" } else { "reading {bytes}" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_shows_nothing_and_ends_at_once() {
        let progress = Progress::start(&[CaseInput::Standard]);
        progress.counter().fetch_add(1, Ordering::Relaxed);
        drop(progress);
    }

    #[test]
    fn the_whole_is_known_of_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.har");
        std::fs::write(&path, "12345").unwrap();
        let file = CaseInput::File(path);
        assert_eq!(total(&[file.clone(), file.clone()]), Some(10));
        assert_eq!(total(&[file, CaseInput::Standard]), None);
        assert_eq!(total(&[CaseInput::File("no/such/file".into())]), None);
    }

    #[test]
    fn the_forms_of_the_line_are_sound() {
        for bounded in [true, false] {
            let bar = ProgressBar::with_draw_target(Some(9), ProgressDrawTarget::hidden());
            bar.set_style(style(template(bounded)));
            bar.set_position(4);
        }
    }
}
