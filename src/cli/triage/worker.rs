//! The program as a worker: jobs come in on the standard input, records go out on the standard output.
//!
//! It must not know what a job is.
//!
//! Invariants: when its owner is gone the worker ends at once, whatever it does; signals that are meant for the owner do not
//! end it.

use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use crate::cli::analyze::Timer;
use crate::cli::exit::Ending;
use crate::cli::{Interruption, end, on_interruption};
use crate::triage::{Task, work};

/// Runs until the input ends.
pub(in crate::cli) fn worker() -> Ending {
    on_interruption(Interruption::Nothing);
    #[cfg(unix)]
    {
        // Whoever ends the owner may send these to all of its group.
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            let passed_over = Arc::new(AtomicBool::new(false));
            let _ = signal_hook::flag::register(signal, passed_over);
        }
    }
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
        end(0);
    });
    let fault = Ending { internal: true, ..Ending::default() };
    let Some(task) = lines.recv().ok().and_then(|line| Task::new(&line)) else { return fault };
    for line in lines {
        let cancel = Arc::new(AtomicBool::new(false));
        let timer = task.timeout().map(|after| Timer::start(after, Arc::clone(&cancel)));
        let Some(answer) = work(&task, &line, &cancel) else { return fault };
        drop(timer);
        let mut out = io::stdout().lock();
        if out.write_all(answer.as_bytes()).and_then(|()| out.flush()).is_err() {
            return fault;
        }
    }
    Ending::default()
}
