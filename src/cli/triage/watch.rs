//! How far a long run is, on a terminal.
//!
//! A line on the standard error that appears after a second and is taken back at the end: files done, where they go, how
//! many are left. It must not know how records are made.
//!
//! Invariant: nothing of the line stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::output::{Account, own_streams};
use crate::cli::progress::{Line, style};
use crate::triage::{Finder, Given, Totals};

/// Time from one look at the counts to the next.
const LOOK: Duration = Duration::from_millis(200);

/// Shows the progress until it is dropped.
pub(super) struct Watch {
    bar: ProgressBar,
    _line: Line,
}

impl Watch {
    /// Begins to wait for the first second to be over.
    pub(super) fn start(
        paths: &[PathBuf],
        totals: &Arc<Totals>,
        account: &Arc<Mutex<Account>>,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (paths, totals, account) = (paths.to_vec(), Arc::clone(totals), Arc::clone(account));
        let shown = bar.clone();
        let begin = move || {
            let total = count(paths);
            shown.set_style(style(template(total.is_some())));
            if let Some(total) = total {
                shown.set_length(total);
            }
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown
        };
        let line = Line::start(LOOK, begin, move |bar| {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            bar.set_position(read(&totals.done).saturating_add(read(&totals.skipped)));
            bar.set_message(account.lock().map(|account| account.queues()).unwrap_or_default());
        });
        Self { bar, _line: line }
    }

    /// The line, for whoever writes to the same terminal.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

/// How many files there are; nobody knows how long a list is.
fn count(paths: Vec<PathBuf>) -> Option<u64> {
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return None;
    }
    let units = Finder::new(paths.into_iter().map(Given::Path), false).without(own_streams());
    let files = units.map(|unit| unit.files.len());
    Some(files.fold(0, |sum: u64, one| sum.saturating_add(u64::try_from(one).unwrap_or(0))))
}

const fn template(is_bounded: bool) -> &'static str {
    if is_bounded { "{bar:20} {pos}/{len} files, {eta} left  {msg}" } else { "{pos} files  {msg}" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_line_are_sound() {
        for bounded in [true, false] {
            let bar = ProgressBar::with_draw_target(Some(9), ProgressDrawTarget::hidden());
            bar.set_style(style(template(bounded)));
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
