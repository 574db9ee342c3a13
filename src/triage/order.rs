//! What is put out: in the order in which the files were found, however the jobs end.
//!
//! It must not know what a record says.
//!
//! Invariants: what one unit gives is put out in one piece; what waits for its turn is bounded, and the unit whose turn it is
//! never waits.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::Reported;
use super::work::weight;
use crate::limits;

/// Where records go.
pub trait Sink: Send {
    /// Takes the records of one unit.
    fn put(&mut self, records: &[Reported]) -> io::Result<()>;

    /// Writes what is held back, so that what was put out so far is whole.
    fn close(&mut self) -> io::Result<()>;
}

/// Puts units out in order; whoever ends a run from outside closes it.
pub struct Output {
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    sink: Box<dyn Sink>,
    next: u64,
    /// What is done and waits for its turn.
    waiting: BTreeMap<u64, (usize, Vec<Reported>)>,
    /// Bytes of it, about.
    held: usize,
    failed: Option<io::Error>,
    is_closed: bool,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

impl Output {
    /// Puts out into a sink.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        let state = State {
            sink,
            next: 0,
            waiting: BTreeMap::new(),
            held: 0,
            failed: None,
            is_closed: false,
        };
        Self { state: Mutex::new(state), turn: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what a unit came to; waits where too much is held for those before it. `false` when it is not put out.
    pub(super) fn give(&self, index: u64, records: Vec<Reported>) -> bool {
        let size = records.iter().map(weight).fold(0_usize, usize::saturating_add);
        let mut state = self.lock();
        while index != state.next
            && state.held >= limits::TRIAGE_WAITING
            && !state.is_closed
            && state.failed.is_none()
        {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return false;
        }
        state.waiting.insert(index, (size, records));
        state.held = state.held.saturating_add(size);
        state.put_next();
        let is_taken = state.failed.is_none();
        drop(state);
        self.turn.notify_all();
        is_taken
    }

    /// Whether nothing more can be put out.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        state.is_closed || state.failed.is_some()
    }

    /// Puts out all that is done, also what waits for others, and nothing after that.
    pub fn close(&self) -> io::Result<()> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.is_closed, true) {
            return Ok(());
        }
        let waiting = std::mem::take(&mut state.waiting);
        for (_, records) in waiting.into_values() {
            state.put(&records);
        }
        state.held = 0;
        let closed = match state.failed.take() {
            Some(error) => Err(error),
            None => state.sink.close(),
        };
        drop(state);
        self.turn.notify_all();
        closed
    }
}

impl State {
    fn put_next(&mut self) {
        while !self.is_closed
            && let Some((size, records)) = self.waiting.remove(&self.next)
        {
            self.held = self.held.saturating_sub(size);
            self.next = self.next.saturating_add(1);
            self.put(&records);
        }
    }

    fn put(&mut self, records: &[Reported]) {
        if self.failed.is_none()
            && let Err(error) = self.sink.put(records)
        {
            self.failed = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Counts(Arc<Mutex<(usize, bool)>>);

    impl Sink for Counts {
        fn put(&mut self, _: &[Reported]) -> io::Result<()> {
            self.0.lock().unwrap().0 += 1;
            Ok(())
        }

        fn close(&mut self) -> io::Result<()> {
            self.0.lock().unwrap().1 = true;
            Ok(())
        }
    }

    #[test]
    fn units_wait_for_those_before_them() {
        let counts = Counts::default();
        let seen = || *counts.0.lock().unwrap();
        let output = Output::new(Box::new(counts.clone()));
        assert!(output.give(1, Vec::new()) && output.give(2, Vec::new()));
        assert_eq!(seen(), (0, false));
        assert!(output.give(0, Vec::new()));
        assert_eq!(seen(), (3, false));
        assert!(output.give(4, Vec::new()));
        output.close().unwrap();
        assert!(output.is_over());
        assert!(!output.give(3, Vec::new()));
        assert_eq!(seen(), (4, true));
    }

    #[test]
    fn a_full_output_ends_it() {
        struct Full;
        impl Sink for Full {
            fn put(&mut self, _: &[Reported]) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn close(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let output = Output::new(Box::new(Full));
        assert!(!output.give(0, Vec::new()));
        assert!(output.is_over());
        assert!(output.close().is_err());
    }
}
