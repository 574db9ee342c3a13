//! Analyses bytes in memory, as one capture.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use mfatrace::analyze::{Analysis, Selection, conclude, scope};
use mfatrace::capture::{self, Keys, ReadOptions, Source};
use mfatrace::evidence::{Evidence, EvidenceBuilder};
use mfatrace::limits::Limits;

/// Reads one source.
pub(crate) fn read(name: &str, source: Source, passwords: &[String]) -> Evidence {
    let limits = Limits::default();
    let scope = scope(&limits);
    let cancel = AtomicBool::new(false);
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords,
        keys: &Keys::new(),
        cancel: &cancel,
    };
    let mut builder = EvidenceBuilder::new();
    capture::open(name, source, &options, false, &mut builder);
    builder.finish()
}

/// Reads one source, with a key log.
pub(crate) fn read_keyed(name: &str, source: Source, key_log: Option<Source>) -> Evidence {
    let limits = Limits::default();
    let scope = scope(&limits);
    let (cancel, keys) = (AtomicBool::new(false), Keys::new());
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &[],
        keys: &keys,
        cancel: &cancel,
    };
    let mut builder = EvidenceBuilder::new();
    if let Some(key_log) = key_log {
        capture::open_keys("key log", key_log, &options, &mut builder);
    }
    capture::open(name, source, &options, false, &mut builder);
    builder.finish()
}

/// Analyses one source.
pub(crate) fn run_source(name: &str, source: Source, passwords: &[String]) -> Analysis {
    conclude(read(name, source, passwords), &Selection::default())
}

/// Analyses bytes.
pub(crate) fn run_bytes(bytes: Vec<u8>) -> Analysis {
    run_source("capture", Source::bytes(bytes), &[])
}

/// Analyses what a reader gives.
pub(crate) fn run_reader(reader: impl Read + Send + 'static) -> Analysis {
    run_source("capture", Source::stream(Box::new(reader)), &[])
}
