//! What was done, in numbers, as Prometheus reads them.
//!
//! It must not know names of files, users or addresses.
//!
//! Invariant: labels are status codes and sides, so the number of lines is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use crate::signin::Side;

/// The counters of a server.
#[derive(Default)]
pub(super) struct Metrics {
    requests: Mutex<BTreeMap<u16, u64>>,
    analyses: Mutex<BTreeMap<&'static str, u64>>,
    bytes: AtomicU64,
    refused: AtomicU64,
    running: AtomicI64,
}

impl Metrics {
    /// A request was answered.
    pub(super) fn answer(&self, status: StatusCode) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry(status.as_u16()).or_default();
        *count = count.saturating_add(1);
    }

    /// A request was not let through.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of an upload came.
    pub(super) fn receive(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An analysis came to its end.
    pub(super) fn conclude(&self, side: Side) {
        let mut analyses = self.analyses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = analyses.entry(side.as_str()).or_default();
        *count = count.saturating_add(1);
    }

    /// An analysis runs, until the answer is dropped.
    pub(super) fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// All of them; `held` is what uploads hold.
    pub(super) fn text(&self, held: u64) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, String)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let one = |value: String| vec![(String::new(), value)];
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<(String, String)> = requests
            .iter()
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), count.to_string()))
            .collect();
        family("mfatrace_requests_total", "counter", "Requests answered, by status.", &lines);
        let analyses = self.analyses.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<(String, String)> = Side::ALL
            .iter()
            .map(|side| {
                let count = analyses.get(side.as_str()).copied().unwrap_or_default();
                (format!("{{side=\"{}\"}}", side.as_str()), count.to_string())
            })
            .collect();
        family("mfatrace_analyses_total", "counter", "Analyses, by side of the verdict.", &lines);
        let bytes = self.bytes.load(Ordering::Relaxed).to_string();
        family("mfatrace_upload_bytes_total", "counter", "Bytes uploaded.", &one(bytes));
        let words = "Requests refused for their host, origin or token.";
        let refused = self.refused.load(Ordering::Relaxed).to_string();
        family("mfatrace_refused_total", "counter", words, &one(refused));
        let running = self.running.load(Ordering::Relaxed).to_string();
        family("mfatrace_analyses_running", "gauge", "Analyses that run now.", &one(running));
        let words = "Bytes of uploads in memory.";
        family("mfatrace_upload_bytes_held", "gauge", words, &one(held.to_string()));
        text
    }
}

/// An analysis that runs.
pub(super) struct Running(Arc<Metrics>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
