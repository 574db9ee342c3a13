//! The most memory that reading a packet capture takes, by what was asked of the allocator.
//!
//! It replaces the allocator, so only the tests of bounds take it in.
#![allow(dead_code, reason = "each user needs a part")]

use std::alloc::System;
use std::io::Read;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mfatrace::analyze::{Selection, conclude};
use mfatrace::capture::Source;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::support::memory;

#[global_allocator]
pub(crate) static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time, so that nothing else allocates beside it.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn live() -> usize {
    let stats = GLOBAL.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

pub(crate) fn is_big() -> bool {
    std::env::var_os("MFATRACE_BIG").is_some()
}

/// SPEC section 8 for packets: 256 MiB in all, of which the program itself is given 32.
pub(crate) const MOST_PACKETS: usize = 224 << 20;
/// No time is quadratic: an unoptimised build takes some tens of microseconds for a frame.
pub(crate) const SLOW: Duration = Duration::from_mins(1);

/// Counts what is in use but for that of the readers that make a capture while it is read.
#[derive(Clone, Default)]
struct Gauge {
    peak: Arc<AtomicUsize>,
    /// What the readers allocated and did not free; it may be less than nothing.
    own: Arc<AtomicIsize>,
}

impl Gauge {
    /// What is in use.
    fn live(&self) -> usize {
        live().saturating_add_signed(self.own.load(Ordering::Relaxed).saturating_neg())
    }

    fn look(&self) {
        self.peak.fetch_max(self.live(), Ordering::Relaxed);
    }

    /// Does something whose memory does not count.
    fn apart<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = live();
        let value = act();
        let more = live().cast_signed() - before.cast_signed();
        self.own.fetch_add(more, Ordering::Relaxed);
        value
    }
}

/// Notes the most memory in use while another reader is read.
struct Watched<R> {
    inner: Option<R>,
    gauge: Gauge,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        self.gauge.look();
        let Self { inner, gauge } = self;
        gauge.apart(|| inner.as_mut().unwrap().read(space))
    }
}

impl<R> Drop for Watched<R> {
    fn drop(&mut self) {
        let Self { inner, gauge } = self;
        gauge.apart(|| drop(inner.take()));
    }
}

/// What reading took.
pub(crate) struct Ran {
    pub(crate) frames: u64,
    /// The most bytes in use.
    pub(crate) peak: usize,
    pub(crate) took: Duration,
    /// Connections that keys opened, or that tried to be opened in vain.
    pub(crate) opened: u64,
    /// Exchanges that were told.
    pub(crate) exchanges: usize,
}

/// Analyses a packet capture as a whole; gives its frames, the most bytes in use, and the time.
pub(crate) fn run_traffic(name: &str, made: impl Read + Send + 'static) -> (u64, usize, Duration) {
    let ran = run_keyed(name, made, None);
    (ran.frames, ran.peak, ran.took)
}

/// The same with a key log.
#[expect(clippy::disallowed_methods, reason = "a test looks at a clock")]
pub(crate) fn run_keyed(
    name: &str,
    made: impl Read + Send + 'static,
    keys: Option<Box<dyn Read + Send>>,
) -> Ran {
    let gauge = Gauge::default();
    let (before, begun) = (live(), Instant::now());
    let watched = |inner| Watched { inner: Some(inner), gauge: gauge.clone() };
    let source = Source::stream(Box::new(Watched { inner: Some(made), gauge: gauge.clone() }));
    let keys = keys.map(|inner| Source::stream(Box::new(watched(inner))));
    let evidence = memory::read_keyed("capture", source, keys);
    gauge.look();
    let frames = evidence.inputs.last().unwrap().records;
    let all = evidence.coverage.inputs.iter().filter_map(|one| one.wire.as_ref()?.keys);
    let opened = all.map(|keys| keys.opened + keys.failed).sum();
    let exchanges = evidence.exchanges.iter().filter(|one| !one.is_hidden()).count();
    let (facts, read) = (gauge.live().saturating_sub(before), begun.elapsed());
    let analysis = conclude(evidence, &Selection::default());
    gauge.look();
    drop(analysis);
    let (peak, took) = (gauge.peak.load(Ordering::Relaxed).saturating_sub(before), begun.elapsed());
    println!(
        "{name}: {} MiB at most, {} MiB of facts, {frames} frames in {:.1} s, {:.1} s in all",
        peak >> 20,
        facts >> 20,
        read.as_secs_f64(),
        took.as_secs_f64()
    );
    Ran { frames, peak, took, opened, exchanges }
}
