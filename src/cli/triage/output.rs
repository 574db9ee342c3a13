//! Where records go, and what is counted of them.
//!
//! It must not know how a record was made.
//!
//! Invariants: what is put out at once is written in one piece and flushed; what an earlier run left torn is cut off before
//! more is appended.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;

use super::super::args::{TriageArgs, TriageFormatArg};
use super::super::exit::Ending;
use super::super::values::Condition;
use super::super::{complain, plain, shown_path};
use super::format;
use crate::finding::Severity;
#[cfg(feature = "columnar")]
use crate::report::triage::rows::Rows;
use crate::report::triage::{Code, Record};
#[cfg(feature = "columnar")]
use crate::triage::columnar::Tables;
use crate::triage::{Reported, Sink, Totals};

/// Whether a form needs rows beside the records.
pub(super) fn has_rows(args: &TriageArgs) -> bool {
    match format(args) {
        #[cfg(feature = "columnar")]
        TriageFormatArg::Parquet => true,
        TriageFormatArg::Csv | TriageFormatArg::Ndjson | TriageFormatArg::Table => false,
    }
}

/// Where records go.
pub(super) enum Opened {
    Lines(Box<dyn Write + Send>),
    #[cfg(feature = "columnar")]
    Tables(Option<Box<Tables<File>>>),
}

/// Opens what the records go to; `whole` is how much of earlier results stays where the run goes on in them.
pub(super) fn open(args: &TriageArgs, whole: u64) -> Result<Opened, String> {
    #[cfg(feature = "columnar")]
    if format(args) == TriageFormatArg::Parquet {
        return tables(args);
    }
    let out: Box<dyn Write + Send> = match &args.output {
        Some(path) => Box::new(BufWriter::new(file(path, goes_on(args), whole)?)),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    Ok(Opened::Lines(out))
}

/// Makes the files of the tables in a folder.
#[cfg(feature = "columnar")]
fn tables(args: &TriageArgs) -> Result<Opened, String> {
    let Some(folder) = &args.output else {
        return Err("parquet is four files; name the folder for them with --output".to_owned());
    };
    if goes_on(args) {
        return Err("tables cannot be appended to; give --output another folder".to_owned());
    }
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", shown_path(folder));
    std::fs::create_dir_all(folder).map_err(|error| said(&plain(&error)))?;
    let tables = Tables::new(|name| File::create(folder.join(name)));
    let tables = tables.map_err(|error| said(&error))?;
    Ok(Opened::Tables(Some(Box::new(tables))))
}

/// Whether the records are appended to those of an earlier run.
fn goes_on(args: &TriageArgs) -> bool {
    let place = |path: &Path| std::fs::canonicalize(path).ok();
    let (output, results) = (args.output.as_deref(), args.resume.as_deref());
    output.zip(results).is_some_and(|(output, results)| {
        output == results || place(output).is_some_and(|output| Some(output) == place(results))
    })
}

fn file(path: &Path, goes_on: bool, whole: u64) -> Result<File, String> {
    let opened = if goes_on {
        OpenOptions::new().write(true).open(path).and_then(|mut file| {
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        })
    } else {
        File::create(path)
    };
    opened.map_err(|error| format!("{}: {}", shown_path(path), plain(&error)))
}

/// What is counted while records go by.
pub(super) struct Account {
    conditions: Vec<Condition>,
    holds: bool,
    is_partial: bool,
    /// Whether a file could be read, be it a capture or not.
    is_read: bool,
    records: u64,
    queues: BTreeMap<String, u64>,
}

impl Account {
    pub(super) fn new(conditions: &[Condition]) -> Self {
        Self {
            conditions: conditions.to_vec(),
            holds: false,
            is_partial: false,
            is_read: false,
            records: 0,
            queues: BTreeMap::new(),
        }
    }

    fn add(&mut self, record: &Record) {
        self.records = self.records.saturating_add(1);
        self.holds |= self.conditions.iter().any(|condition| holds(*condition, record));
        match record.code {
            Code::Analysed | Code::NotACapture => self.is_read = true,
            Code::Partial => (self.is_read, self.is_partial) = (true, true),
            Code::InternalError | Code::NotOpened | Code::WorkerLost => self.is_partial = true,
            Code::Encrypted | Code::Unreadable => {}
        }
        let queue = self.queues.entry(record.queue.as_str().to_owned()).or_default();
        *queue = queue.saturating_add(1);
    }

    /// Where the records go, in words.
    pub(super) fn queues(&self) -> String {
        let all: Vec<String> =
            self.queues.iter().map(|(queue, count)| format!("{queue} {count}")).collect();
        all.join(", ")
    }
}

/// Whether a condition holds for a record.
fn holds(condition: Condition, record: &Record) -> bool {
    let answer = record.verdict.as_ref();
    match condition {
        Condition::Outcome(outcome) => answer.is_some_and(|one| one.outcome == outcome.as_str()),
        Condition::Side(side) => answer.is_some_and(|one| one.side == side.as_str()),
        Condition::Severity(severity) => {
            let reaches = |text: &str| {
                [Severity::Info, Severity::Warning, Severity::Error]
                    .into_iter()
                    .any(|one| one.as_str() == text && one >= severity)
            };
            record.findings.iter().any(|one| reaches(&one.severity))
        }
    }
}

/// Counts records and passes them on.
pub(super) struct Collector {
    opened: Opened,
    account: Arc<Mutex<Account>>,
    /// What stands on the terminal that the records go to.
    bar: Option<ProgressBar>,
}

impl Collector {
    pub(super) fn new(
        opened: Opened,
        account: &Arc<Mutex<Account>>,
        bar: Option<ProgressBar>,
    ) -> Self {
        Self { opened, account: Arc::clone(account), bar }
    }

    fn write(&mut self, records: &[Reported]) -> io::Result<()> {
        match &mut self.opened {
            Opened::Lines(out) => {
                let lines: String = records.iter().map(|one| one.record.line()).collect();
                out.write_all(lines.as_bytes())?;
                out.flush()
            }
            #[cfg(feature = "columnar")]
            Opened::Tables(tables) => {
                let none = Rows::default();
                for one in records {
                    if let Some(tables) = tables.as_deref_mut() {
                        let rows = one.rows.as_ref().unwrap_or(&none);
                        tables.add(&one.record, rows).map_err(io::Error::other)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Sink for Collector {
    fn put(&mut self, records: &[Reported]) -> io::Result<()> {
        match self.bar.clone() {
            Some(bar) => bar.suspend(|| self.write(records)),
            None => self.write(records),
        }?;
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        for one in records {
            account.add(&one.record);
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        match &mut self.opened {
            Opened::Lines(out) => out.flush(),
            #[cfg(feature = "columnar")]
            Opened::Tables(tables) => match tables.take() {
                // Without its end a table cannot be read.
                Some(tables) => tables.finish().map(drop).map_err(io::Error::other),
                None => Ok(()),
            },
        }
    }
}

/// Tells how the run went.
pub(super) fn told(args: &TriageArgs, account: &Mutex<Account>, totals: &Totals) -> Ending {
    let account = account.lock().unwrap_or_else(PoisonError::into_inner);
    let skipped = totals.skipped.load(Ordering::Relaxed);
    if totals.files.load(Ordering::Relaxed) == 0 {
        complain("no file was found");
    } else if !args.quiet && skipped > 0 {
        complain(&format!("{skipped} files were recorded already"));
    }
    Ending {
        nothing_read: !account.is_read && skipped == 0,
        partial: account.is_partial,
        condition: account.holds,
        ..Ending::default()
    }
}
