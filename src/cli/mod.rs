//! The command line program.
//!
//! The only part of the crate that prints, looks at a clock or ends the process. It must not know
//! how a capture is read or judged: it resolves options, runs the analysis and writes what the
//! reports say.
//!
//! Invariants: results go to the standard output and everything else to the standard error; no
//! password, secret or panic text is ever printed; the exit code is decided in one place.

mod analyze;
mod args;
mod compare;
mod examples;
mod exit;
mod explain;
mod options;
mod progress;
mod rules;
mod schema;
#[cfg(feature = "web")]
mod serve;
mod shell;
mod triage;
mod values;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser as _;
use clap::error::ErrorKind;

use self::args::Command;
use self::exit::Ending;

/// Where the last fault of ours happened: a source file and a line, never its text.
static FAULT: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    silence_panics();
    catch_interrupt();
    if std::env::args_os().skip(1).eq([triage::WORKER]) {
        return ExitCode::from(triage::worker().code());
    }
    let mut args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let usage = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed pipe is not an error.
            let _ = error.print();
            return ExitCode::from(Ending { usage, ..Ending::default() }.code());
        }
    };
    let ending = match args.command.take() {
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Rules(args)) => rules::run(&args),
        Some(Command::Triage(args)) => triage::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
        #[cfg(feature = "web")]
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Completions(args)) => shell::completions(&args),
        Some(Command::Man(args)) => shell::man(&args),
        None => match options::Options::resolve(args) {
            Ok(options) => analyze::run(&options),
            Err(message) => {
                complain(&message);
                Ending { usage: true, ..Ending::default() }
            }
        },
    };
    ExitCode::from(ending.code())
}

/// Writes a result; `false` when it could not be written.
fn deliver(text: &str, output: Option<&Path>) -> bool {
    let (place, result) = if let Some(path) = output {
        (shown_path(path), std::fs::write(path, text))
    } else {
        let mut out = io::stdout().lock();
        let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        ("standard output".to_owned(), result)
    };
    match result {
        Ok(()) => true,
        // The reader had enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            complain(&format!("{place}: the result could not be written: {}", plain(&error)));
            false
        }
    }
}

/// The text of a panic may quote what was being read; only its place is kept.
fn silence_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|location| {
            let file = Path::new(location.file()).file_name().unwrap_or_default();
            format!("{}:{}", file.to_string_lossy(), location.line())
        });
        if let Ok(mut fault) = FAULT.lock() {
            *fault = place;
        }
    }));
}

/// Where the last panic happened.
fn fault_place() -> String {
    let place = FAULT.lock().ok().and_then(|fault| fault.clone());
    place.unwrap_or_else(|| "an unknown place".to_owned())
}

/// What an interruption from the keyboard does.
enum Interruption {
    /// It ends the program.
    Ends,
    /// It is told once, and the next one ends the program.
    Told(Box<dyn FnOnce() + Send>),
    /// Nothing: another process decides.
    Nothing,
}

static INTERRUPTION: Mutex<Interruption> = Mutex::new(Interruption::Ends);

/// Says what an interruption does from here on.
fn on_interruption(what: Interruption) {
    if let Ok(mut place) = INTERRUPTION.lock() {
        *place = what;
    }
}

/// Ends the process, from a thread that handles a signal.
#[expect(clippy::exit, reason = "a signal is handled on its own thread and must end the process")]
fn end(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// On every system a run that is ended from the keyboard exits with 130.
fn catch_interrupt() {
    let interrupted = || {
        let what = INTERRUPTION.lock().map(|mut place| match &*place {
            Interruption::Nothing => Interruption::Nothing,
            Interruption::Ends | Interruption::Told(_) => {
                std::mem::replace(&mut *place, Interruption::Ends)
            }
        });
        match what {
            Ok(Interruption::Nothing) => {}
            Ok(Interruption::Told(tell)) => tell(),
            Ok(Interruption::Ends) | Err(_) => end(exit::INTERRUPTED),
        }
    };
    // Without a handler the system ends the process, which is as good.
    let _ = ctrlc::set_handler(interrupted);
}

/// One line on the standard error.
fn complain(message: &str) {
    // There is no one left to tell when this fails.
    let _ = writeln!(io::stderr().lock(), "mfatrace: {}", printable(message));
}

/// A path for a message.
fn shown_path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// A text for the terminal: names of files and members of archives may hold anything.
fn printable(text: &str) -> String {
    crate::report::model::harmless(text)
}

/// An error of the system in lower case and without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect::<String>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_leaves_its_place_and_not_its_text() {
        let before = std::panic::take_hook();
        silence_panics();
        let caught = std::panic::catch_unwind(|| panic!("hunter2"));
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let place = fault_place();
        assert!(place.starts_with("mod.rs:") && !place.contains("hunter2"), "{place}");
    }

    #[test]
    fn errors_read_as_ours_do() {
        let error = std::fs::File::open("no/such/file").unwrap_err();
        let text = plain(&error);
        assert!(text.starts_with(|c: char| c.is_lowercase()) && !text.contains("os error"));
    }
}
