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
use same_file::Handle;

use super::super::args::{ColourArg, TriageArgs, TriageFormatArg};
use super::super::exit::Ending;
use super::super::options::has_colour;
use super::super::values::Condition;
use super::super::{complain, deliver, plain, shown_path};
use super::format;
use crate::finding::Severity;
use crate::report::text;
#[cfg(feature = "columnar")]
use crate::report::triage::rows::Rows;
use crate::report::triage::summary::Summary;
use crate::report::triage::table::{Table, WIDTH};
use crate::report::triage::{Code, Record, csv};
#[cfg(feature = "columnar")]
use crate::triage::columnar::{FILES, Tables};
use crate::triage::{LeftOut, Reported, Sink, Totals};

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
    Csv(Box<dyn Write + Send>),
    Lines(Box<dyn Write + Send>),
    /// A table, whose first line is still to come.
    Table(Box<dyn Write + Send>, Table),
    #[cfg(feature = "columnar")]
    Tables(Option<Box<Tables<File>>>),
}

/// Opens what the records go to; `whole` is how much of earlier results stays where the run goes on in them.
pub(super) fn open(args: &TriageArgs, whole: u64) -> Result<Opened, String> {
    let format = format(args);
    if let Some(summary) = &args.summary {
        refuse_strangers(summary, &[b"{\n  \"schema\": \"mfatrace-triage-summary/1\""])?;
    }
    #[cfg(feature = "columnar")]
    if format == TriageFormatArg::Parquet {
        return tables(args);
    }
    let head = csv::head();
    let begins: [&[u8]; 3] = [b"{\"schema\":\"mfatrace-triage/1\"", b"QUEUE ", head.as_bytes()];
    if let Some(output) = &args.output {
        refuse_strangers(output, &begins)?;
    }
    if goes_on(args) && format != TriageFormatArg::Ndjson {
        return Err("only ndjson is gone on with; give --output another file".to_owned());
    }
    let mut out: Box<dyn Write + Send> = match &args.output {
        Some(path) => Box::new(BufWriter::new(file(path, goes_on(args), whole)?)),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let said = |error: io::Error| format!("the records could not be written: {}", plain(&error));
    Ok(match format {
        TriageFormatArg::Csv => {
            out.write_all(csv::head().as_bytes()).map_err(said)?;
            Opened::Csv(out)
        }
        TriageFormatArg::Table => {
            let table = Table::new(width());
            out.write_all(table.head().as_bytes()).map_err(said)?;
            Opened::Table(out, table)
        }
        _ => Opened::Lines(out),
    })
}

/// Columns of the terminal.
fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0))
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
    for name in FILES {
        refuse_strangers(&folder.join(name), &[b"PAR1"])?;
    }
    let tables = Tables::new(|name| File::create(folder.join(name)));
    let tables = tables.map_err(|error| said(&error))?;
    Ok(Opened::Tables(Some(Box::new(tables))))
}

/// Whether the records are appended to those of an earlier run.
fn goes_on(args: &TriageArgs) -> bool {
    let (output, results) = (args.output.as_deref(), args.resume.as_deref());
    output.zip(results).is_some_and(|(output, results)| {
        output == results || same_file::is_same_file(output, results).unwrap_or(false)
    })
}

/// Tells the files that a shell has this program write to: standing in a folder that is looked through, they
/// are no attachments. It opens none of them where the system tells files apart without that.
pub(super) fn own_streams() -> LeftOut {
    let is_file = |stream: &Handle| stream.as_file().metadata().is_ok_and(|about| about.is_file());
    let own: Vec<Handle> =
        [Handle::stdout(), Handle::stderr()].into_iter().flatten().filter(is_file).collect();
    Box::new(move |path| own.iter().any(|stream| is_of(path, stream)))
}

#[cfg(unix)]
fn is_of(path: &Path, stream: &Handle) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path)
        .is_ok_and(|about| (about.dev(), about.ino()) == (stream.dev(), stream.ino()))
}

#[cfg(not(unix))]
fn is_of(path: &Path, stream: &Handle) -> bool {
    Handle::from_path(path).is_ok_and(|file| file == *stream)
}

/// Whether a pattern that was given stands for a file that is written.
pub(super) fn is_matched(given: &Path, written: &Path) -> bool {
    let pattern = given.to_str().filter(|_| !given.exists());
    pattern
        .and_then(|pattern| glob::Pattern::new(pattern).ok())
        .is_some_and(|pattern| pattern.matches_path(written))
}

/// Whether a file that is there was written by an earlier run, and may be written anew: what else is there may be
/// somebody's capture, by whatever name.
fn is_ours(path: &Path, begins: &[&[u8]]) -> bool {
    let mut head = Vec::new();
    let longest = begins.iter().map(|begin| begin.len()).max().unwrap_or(0);
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    match File::open(path) {
        Ok(file) => {
            let read = io::Read::read_to_end(&mut io::Read::take(file, limit), &mut head);
            read.is_ok() && (head.is_empty() || begins.iter().any(|begin| head.starts_with(begin)))
        }
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Refuses to write over what is no result of an earlier run.
fn refuse_strangers(path: &Path, begins: &[&[u8]]) -> Result<(), String> {
    // A device or a pipe holds nothing that could be lost.
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    if is_file && !is_ours(path, begins) {
        return Err(format!(
            "{}: is there and was not written by an earlier run; remove it, or give another name",
            shown_path(path)
        ));
    }
    Ok(())
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
    summary: Summary,
    queues: BTreeMap<&'static str, u64>,
}

impl Account {
    pub(super) fn new(conditions: &[Condition]) -> Self {
        Self {
            conditions: conditions.to_vec(),
            holds: false,
            is_partial: false,
            is_read: false,
            summary: Summary::default(),
            queues: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, record: &Record) {
        self.summary.add(record);
        self.holds |= self.conditions.iter().any(|condition| holds(*condition, record));
        match record.code {
            Code::Analysed | Code::NotACapture => self.is_read = true,
            Code::Partial => (self.is_read, self.is_partial) = (true, true),
            Code::InternalError | Code::NotOpened | Code::WorkerLost => self.is_partial = true,
            Code::Encrypted | Code::Unreadable => {}
        }
        let queue = self.queues.entry(record.queue.as_str()).or_default();
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
            Opened::Csv(out) => written(out, records.iter().map(|one| csv::row(&one.record))),
            Opened::Lines(out) => written(out, records.iter().map(|one| one.record.line())),
            Opened::Table(out, table) => {
                written(out, records.iter().map(|one| table.row(&one.record)))
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

/// Writes the lines of one unit at once.
fn written(out: &mut dyn Write, lines: impl Iterator<Item = String>) -> io::Result<()> {
    let lines: String = lines.collect();
    out.write_all(lines.as_bytes())?;
    out.flush()
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
            Opened::Csv(out) | Opened::Lines(out) | Opened::Table(out, _) => out.flush(),
            #[cfg(feature = "columnar")]
            Opened::Tables(tables) => match tables.take() {
                // Without its end a table cannot be read.
                Some(tables) => tables.finish().map(drop).map_err(io::Error::other),
                None => Ok(()),
            },
        }
    }
}

/// Tells how the run went: the summary, and what the exit code is made of.
pub(super) fn told(
    args: &TriageArgs,
    account: &Mutex<Account>,
    totals: &Totals,
    missing: u64,
) -> Ending {
    let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
    account.summary.miss(missing);
    let document = account.summary.document(env!("CARGO_PKG_VERSION"));
    let mut ending = Ending {
        nothing_read: !account.is_read,
        partial: account.is_partial,
        condition: account.holds,
        internal: missing > 0,
        ..Ending::default()
    };
    if totals.files.load(Ordering::Relaxed) == 0 {
        complain("no file was found");
        return ending;
    }
    let skipped = totals.skipped.load(Ordering::Relaxed);
    if skipped > 0 && !args.quiet {
        complain(&format!("{skipped} files were recorded already"));
    }
    if let Some(path) = &args.summary {
        let kept = deliver(&account.summary.json(env!("CARGO_PKG_VERSION")), Some(path));
        ending.partial |= !kept;
    }
    if !args.quiet {
        let is_on_table = format(args) == TriageFormatArg::Table && args.output.is_none();
        if is_on_table {
            let colour = has_colour(ColourArg::Auto, false);
            ending.partial |=
                !deliver(&format!("\n{}", text::triage::write(&document, colour)), None);
        } else {
            // The records may be on the standard output.
            let _ = io::stderr().lock().write_all(text::triage::write(&document, false).as_bytes());
        }
    }
    ending
}
