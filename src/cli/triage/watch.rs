//! How far a long run is, on a terminal.
//!
//! A line on the standard error that appears after a second and is taken back at the end: files done, where they go, how
//! many are left. It must not know how records are made.
//!
//! Invariant: nothing of the line stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Account;
use crate::triage::{Finder, Given, Totals};

/// Work below this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time from one look at the counts to the next.
const LOOK: Duration = Duration::from_millis(200);

/// Shows the progress until it is dropped.
pub(super) struct Watch {
    bar: ProgressBar,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to wait for the first second to be over.
    pub(super) fn start(
        paths: &[PathBuf],
        totals: &Arc<Totals>,
        account: &Arc<Mutex<Account>>,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (stop, stopped) = mpsc::channel();
        let (paths, totals, account) = (paths.to_vec(), Arc::clone(totals), Arc::clone(account));
        let shown = bar.clone();
        let thread = std::thread::spawn(move || show(&shown, paths, &totals, &account, &stopped));
        Self { bar, stop: Some(stop), thread: Some(thread) }
    }

    /// The line, for whoever writes to the same terminal.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The line has to be gone before anything else is printed.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn show(
    bar: &ProgressBar,
    paths: Vec<PathBuf>,
    totals: &Totals,
    account: &Mutex<Account>,
    stopped: &mpsc::Receiver<()>,
) {
    let goes_on = |time| stopped.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
    if !goes_on(PATIENCE) {
        return;
    }
    let total = count(paths);
    bar.set_style(style(total.is_some()));
    if let Some(total) = total {
        bar.set_length(total);
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    loop {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        bar.set_position(read(&totals.done).saturating_add(read(&totals.skipped)));
        let queues = account.lock().map(|account| account.queues()).unwrap_or_default();
        bar.set_message(queues);
        if !goes_on(LOOK) {
            break;
        }
    }
    bar.finish_and_clear();
}

/// How many files there are; nobody knows how long a list is.
fn count(paths: Vec<PathBuf>) -> Option<u64> {
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return None;
    }
    let files = Finder::new(paths.into_iter().map(Given::Path), false).map(|unit| unit.files.len());
    Some(files.fold(0, |sum: u64, one| sum.saturating_add(u64::try_from(one).unwrap_or(0))))
}

fn style(is_bounded: bool) -> ProgressStyle {
    let template = if is_bounded {
        "{bar:20} {pos}/{len} files, {eta} left  {msg}"
    } else {
        "{pos} files  {msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_line_are_sound() {
        for bounded in [true, false] {
            let bar = ProgressBar::with_draw_target(Some(9), ProgressDrawTarget::hidden());
            bar.set_style(style(bounded));
            bar.set_message("network 3");
            bar.set_position(4);
        }
    }

    #[test]
    fn a_list_has_no_known_length() {
        assert_eq!(count(vec!["-".into()]), None);
        assert_eq!(count(vec!["no/such/file".into()]), Some(1));
    }
}
