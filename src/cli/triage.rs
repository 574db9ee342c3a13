//! The command that makes a record of each of many attachments.
//!
//! Resolves the arguments, starts the run, and tells how it went. It must not analyse anything itself.
//!
//! Invariants: a run that is ended by a signal leaves what was done until then, whole; what is read is never written over;
//! the exit code tells when a record is missing.

mod memory;
mod output;
mod watch;
mod worker;

use std::io::{self, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::output::{Account, Collector, Opened};
use self::watch::Watch;
pub(super) use self::worker::worker;
use super::args::{TriageArgs, TriageFormatArg};
use super::exit::{self, Ending};
use super::options::{is_lively, limits, passwords};
use super::{Interruption, complain, deliver, end, on_interruption, plain, shown_path};
use crate::evidence::named;
use crate::limits::{TRIAGE_GRACE, TRIAGE_WORKER};
use crate::report::triage::routing::Words;
use crate::triage::{
    Finder, Given, Output, Plan, Program, Recorded, Setup, Shape, Stop, Together, Totals,
};

/// Time that whoever reads the records has to take those that are done, when the run is ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a worker is started with; no user has to know it.
pub(super) const WORKER: &str = "--triage-worker";

/// Runs the command.
pub(super) fn run(args: &TriageArgs) -> Ending {
    if args.print_words {
        let kept = deliver(Words::table(), None);
        return Ending { partial: !kept, ..Ending::default() };
    }
    match prepared(args) {
        Ok(prepared) => prepared.run(args),
        Err(message) => {
            complain(&message);
            Ending { usage: true, ..Ending::default() }
        }
    }
}

/// Everything that has to be there before the first file is looked at.
struct Prepared {
    setup: Setup,
    words: Words,
    jobs: usize,
    program: Program,
    recorded: Option<Mutex<Recorded>>,
    account: Account,
    opened: Opened,
}

fn prepared(args: &TriageArgs) -> Result<Prepared, String> {
    refuse_outputs(args)?;
    let mut shape = Shape::new(args.redact.into());
    shape.with_report = args.report;
    shape.with_rows = output::has_rows(args);
    let mut setup = Setup::new(limits(&args.limits), shape);
    setup.set_key_logs(&args.keylog);
    setup.timeout = Some(args.timeout);
    if let Some(path) = &args.password_file {
        setup.passwords = passwords(path)?;
    }
    let words = match &args.words {
        Some(path) => {
            let said = |what: &str| format!("{}: words: {what}", shown_path(path));
            let text = std::fs::read_to_string(path).map_err(|error| said(&plain(&error)))?;
            let words = Words::parse(&text).map_err(|error| said(&error.to_string()))?;
            setup.words = Some(text);
            words
        }
        None => Words::builtin(),
    };
    setup.seal(args.case.into());
    let mut account = Account::new(&args.fail_on);
    let recorded = match &args.resume {
        Some(path) => Some(recorded(path, args, &mut account)?),
        None => None,
    };
    let path = std::env::current_exe()
        .map_err(|error| format!("the program cannot find itself: {}", plain(&error)))?;
    let opened = output::open(args, recorded.as_ref().map_or(0, |recorded| recorded.whole))?;
    Ok(Prepared {
        setup,
        words,
        jobs: jobs(args),
        program: Program { path, arguments: vec![WORKER.into()] },
        recorded: recorded.map(Mutex::new),
        account,
        opened,
    })
}

fn recorded(path: &Path, args: &TriageArgs, account: &mut Account) -> Result<Recorded, String> {
    let said = |what: &str| format!("{}: earlier results: {what}", shown_path(path));
    let file = std::fs::File::open(path).map_err(|error| said(&plain(&error)))?;
    let redaction = args.redact.into();
    let given: Vec<String> = args
        .paths
        .iter()
        .map(|path| named(&path.to_string_lossy(), redaction).replace('\\', "/"))
        .collect();
    let is_here = |path: &str| {
        let path = path.replace('\\', "/");
        given.iter().any(|given| Path::new(&path).starts_with(given))
    };
    let read = Recorded::read(BufReader::new(file), is_here, |record| account.add(record));
    read.map_err(|error| said(&error.to_string()))
}

/// As many workers as were asked for, or as there are processors; never more than there is memory for.
fn jobs(args: &TriageArgs) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = args.jobs.map_or(processors, usize::from);
    let Some(memory) = args.memory.or_else(memory::to_use) else { return wanted };
    let room = usize::try_from(memory / TRIAGE_WORKER).unwrap_or(usize::MAX).max(1);
    if wanted > room && args.jobs.is_some() {
        complain(&format!(
            "{room} jobs instead of {wanted}: each may need {} MiB; --memory tells how much there is",
            TRIAGE_WORKER / crate::limits::MIB
        ));
    }
    wanted.min(room)
}

/// What a worker has beyond the time for a file, to judge and to report.
fn grace(time: Duration) -> Duration {
    let (least, most) = TRIAGE_GRACE;
    (time / 4).clamp(least, most)
}

/// What is written must neither be one of the files that are read nor lie among them.
fn refuse_outputs(args: &TriageArgs) -> Result<(), String> {
    let written = [args.output.as_ref(), args.summary.as_ref()];
    for path in written.into_iter().flatten().chain(args.resume.as_ref()) {
        let place = place_of(path)?;
        let among = |given: &PathBuf| {
            std::fs::canonicalize(given).is_ok_and(|given| place.starts_with(given))
                || output::is_matched(given, path)
        };
        if args.paths.iter().any(among) {
            return Err(format!(
                "{}: stands among the files that are read; put it elsewhere",
                shown_path(path)
            ));
        }
    }
    let same =
        |one: &Path, two: &Path| one == two || same_file::is_same_file(one, two).unwrap_or(false);
    let read = args.keylog.iter().chain(&args.password_file).chain(&args.words);
    let read = read.chain(args.resume.as_ref().filter(|_| args.summary.is_some()));
    for read in read {
        let results = args.resume.as_ref() == Some(read);
        let is_written = |path: &PathBuf| {
            // To go on in earlier results is what they are for.
            let goes_on = results && Some(path) == args.output.as_ref();
            !goes_on && same(path, read)
        };
        if written.into_iter().flatten().any(is_written) {
            return Err(format!(
                "{}: is read and would be overwritten; give the output another name",
                shown_path(read)
            ));
        }
    }
    if let (Some(output), Some(summary)) = (&args.output, &args.summary)
        && (same(output, summary) || place_of(output)? == place_of(summary)?)
    {
        return Err("records and summary cannot be one file; give one another name".to_owned());
    }
    for path in &args.keylog {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(format!(
                "{}: every worker reads the keys, so they have to be a file; save them to one",
                shown_path(path)
            ));
        }
    }
    Ok(())
}

/// Where a file is, or will be.
fn place_of(path: &Path) -> Result<PathBuf, String> {
    if let Ok(place) = std::fs::canonicalize(path) {
        return Ok(place);
    }
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(format!("{}: is a link that leads nowhere", shown_path(path)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = std::fs::canonicalize(folder.unwrap_or(Path::new(".")));
    let folder = folder.map_err(|error| format!("{}: {}", shown_path(path), plain(&error)))?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

impl Prepared {
    fn run(self, args: &TriageArgs) -> Ending {
        let totals = Arc::new(Totals::default());
        let account = Arc::new(Mutex::new(self.account));
        let watch =
            (!args.quiet && is_lively()).then(|| Watch::start(&args.paths, &totals, &account));
        let bar = watch.as_ref().filter(|_| io::stdout().is_terminal()).map(Watch::bar);
        let collector = Collector::new(self.opened, &account, bar);
        let output = Arc::new(Output::new(Box::new(collector)));
        let stop = Stop::default();
        end_with_signals(&stop, &output, &totals);
        let plan = Plan {
            setup: &self.setup,
            words: &self.words,
            jobs: self.jobs,
            together: args.case.into(),
            program: &self.program,
            patience: Some(args.timeout.saturating_add(grace(args.timeout))),
            recorded: self.recorded.as_ref(),
            stop: &stop,
        };
        let given = args.paths.iter().map(|path| {
            if path.as_os_str() == "-" {
                Given::List(Box::new(BufReader::new(io::stdin())))
            } else {
                Given::Path(path.clone())
            }
        });
        let units = Finder::new(given, Together::from(args.case) == Together::Folder)
            .without(output::own_streams());
        let missing = crate::triage::run(units, &plan, &totals, &output);
        let written = output.close();
        on_interruption(Interruption::Ends);
        drop(watch);
        if stop.is_stopped() {
            // The thread that handles the signal ends the process.
            loop {
                std::thread::park();
            }
        }
        let missing = match missing {
            Ok(missing) => missing,
            Err(error) => {
                complain(&format!("the workers cannot be run: {}", plain(&error)));
                u64::MAX
            }
        };
        let mut ending = output::told(args, &account, &totals, missing);
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            complain(&format!("the records could not be written: {}", plain(&error)));
            ending.internal = true;
        }
        if missing > 0 {
            complain(&format!("{missing} files or more have no record"));
        }
        ending
    }
}

/// Makes the signals that end a program write first what was done.
fn end_with_signals(stop: &Stop, output: &Arc<Output>, totals: &Arc<Totals>) {
    let ender = |code: u8| {
        let (stop, output, totals) = (stop.clone(), Arc::clone(output), Arc::clone(totals));
        move || {
            stop.stop();
            // A reader that stands still must not keep the program.
            let (sender, closed) = std::sync::mpsc::channel();
            std::thread::spawn(move || sender.send(output.close()));
            let written = closed.recv_timeout(PATIENCE);
            let records = totals.records.load(std::sync::atomic::Ordering::Relaxed);
            complain(&format!(
                "ended by a signal; {records} records are written{}",
                if matches!(written, Ok(Ok(()))) { "" } else { ", and not all could be" }
            ));
            end(code);
        }
    };
    on_interruption(Interruption::Told(Box::new(ender(exit::INTERRUPTED))));
    #[cfg(unix)]
    for (signal, code) in [
        (signal_hook::consts::SIGTERM, exit::TERMINATED),
        (signal_hook::consts::SIGHUP, exit::HUNG_UP),
    ] {
        if let Ok(mut signals) = signal_hook::iterator::Signals::new([signal]) {
            let end = ender(code);
            std::thread::spawn(move || {
                if signals.forever().next().is_some() {
                    end();
                }
            });
        }
    }
}

/// The form of the records, where none was asked for.
fn format(args: &TriageArgs) -> TriageFormatArg {
    args.format.unwrap_or_else(|| {
        if args.output.is_none() && io::stdout().is_terminal() {
            TriageFormatArg::Table
        } else {
            TriageFormatArg::Ndjson
        }
    })
}
