//! Results that the drop page can still ask for.
//!
//! They are in memory only. It must not know what is in them.
//!
//! Invariant: there are never more than [`limits::RESULTS`], nor more bytes than [`limits::RESULT_BYTES`]
//! unless the newest alone has more; none is older than [`limits::RESULT_AGE`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::form::Form;
use crate::limits;

/// One result: the report in every form.
pub(super) type Reports = Vec<(Form, String)>;

#[derive(Default)]
struct Kept {
    last: u64,
    all: VecDeque<(u64, Arc<Reports>)>,
}

/// The results.
#[derive(Default)]
pub(super) struct Results(Mutex<Kept>);

impl Results {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a result and gives its number; it is forgotten after a while.
    pub(super) fn add(self: &Arc<Self>, reports: Reports) -> u64 {
        let number = {
            let mut kept = self.lock();
            kept.last = kept.last.saturating_add(1);
            let number = kept.last;
            kept.all.push_back((number, Arc::new(reports)));
            while kept.all.len() > 1
                && (kept.all.len() > limits::RESULTS || size(&kept.all) > limits::RESULT_BYTES)
            {
                kept.all.pop_front();
            }
            number
        };
        let results = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(limits::RESULT_AGE).await;
            if let Some(results) = results.upgrade() {
                results.lock().all.retain(|(other, _)| *other != number);
            }
        });
        number
    }

    /// A result by its number.
    pub(super) fn find(&self, number: u64) -> Option<Arc<Reports>> {
        let kept = self.lock();
        kept.all.iter().find(|(other, _)| *other == number).map(|(_, reports)| Arc::clone(reports))
    }
}

fn size(all: &VecDeque<(u64, Arc<Reports>)>) -> usize {
    all.iter().flat_map(|(_, reports)| reports.iter()).map(|(_, text)| text.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let results = Arc::new(Results::default());
        for _ in 0..=limits::RESULTS {
            results.add(vec![(Form::Text, String::new())]);
        }
        assert!(results.find(1).is_none() && results.find(2).is_some());
        results.add(vec![(Form::Text, "x".repeat(limits::RESULT_BYTES + 1))]);
        assert_eq!(results.lock().all.len(), 1);
    }
}
