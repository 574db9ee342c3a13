//! The command that sets a sign-in that failed beside one that worked.
//!
//! Analyses both captures one after the other and writes the comparison. It must not know what a
//! difference is.
//!
//! Invariants: a capture that cannot be read is named with its side; the text of a panic is shown
//! nowhere; the two captures are two cases and never joined.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::analyze::{analyze_and_ask, is_nothing_read, is_partial, tell};
use super::args::{CompareArgs, FormatArg};
use super::exit::Ending;
use super::options::Options;
use super::{complain, deliver, shown_path};
use crate::analyze::Analysis;
use crate::compare::{compare, follow_success};
use crate::evidence::named;
use crate::report::{comparison, text};

/// Runs the command.
pub(super) fn run(args: &CompareArgs) -> Ending {
    let sides = resolve(args);
    let (working, failing) = match sides {
        Ok(sides) => sides,
        Err(message) => {
            complain(&message);
            return Ending { usage: true, ..Ending::default() };
        }
    };
    let Some(first) = read(&working, &args.working, "working") else { return internal() };
    let Some(second) = read(&failing, &args.failing, "failing") else { return internal() };
    for (options, read, side) in [(&working, &first, "working"), (&failing, &second, "failing")] {
        if let Some(message) = none_chosen(options, &read.analysis, side) {
            complain(&message);
            return Ending { usage: true, ..Ending::default() };
        }
    }
    let unread = [&first, &second].map(|one| is_nothing_read(&one.analysis.evidence));
    let ending = Ending {
        nothing_read: unread == [true; 2],
        partial: unread != [false; 2]
            || [&first, &second]
                .into_iter()
                .any(|one| one.timed_out || is_partial(&one.analysis.evidence)),
        ..Ending::default()
    };
    if ending.nothing_read && failing.format == FormatArg::Text {
        // Standard error has said it all; a program still gets its document.
        return ending;
    }
    let written =
        catch_unwind(AssertUnwindSafe(|| rendered(first.analysis, &second, &working, &failing)));
    let Ok(report) = written else {
        complain(&format!("internal-error: the comparison stopped at {}", super::fault_place()));
        return internal();
    };
    let kept = deliver(&report, failing.output.as_deref());
    Ending { partial: ending.partial || !kept, ..ending }
}

fn internal() -> Ending {
    Ending { internal: true, ..Ending::default() }
}

/// What is to be done for each side; the error is a message for the user.
fn resolve(args: &CompareArgs) -> Result<(Options, Options), String> {
    let dash = |path: &Path| path.as_os_str() == "-";
    if dash(&args.working) && dash(&args.failing) {
        return Err("the standard input (-) can be read only once; name it once".to_owned());
    }
    let working = Options::resolve(args.side(&args.working, args.working_attempt))?;
    let failing = Options::resolve(args.side(&args.failing, args.failing_attempt))?;
    Ok((working, failing))
}

/// Says that a capture holds attempts, and none that was asked for.
fn none_chosen(options: &Options, analysis: &Analysis, side: &str) -> Option<String> {
    let selection = &options.selection;
    let all = &analysis.signin.attempts;
    if all.is_empty() || all.iter().any(|one| selection.allows(one)) {
        return None;
    }
    let numbers: Vec<String> = all.iter().take(SHOWN).map(|one| one.id.to_string()).collect();
    let numbers = numbers.join(", ");
    Some(match selection.attempt {
        Some(attempt) => {
            format!("the {side} capture holds no attempt {attempt}; its attempts are {numbers}")
        }
        None => format!(
            "the {side} capture holds no attempt of this user; leave --user away, or choose by \
             number: its attempts are {numbers}"
        ),
    })
}

/// Attempts named in a message.
const SHOWN: usize = 20;

/// One side that was read.
struct Read {
    analysis: Analysis,
    timed_out: bool,
}

/// Reads one side and says what went wrong with it.
fn read(options: &Options, path: &Path, side: &str) -> Option<Read> {
    let Some((analysis, timed_out)) = analyze_and_ask(options) else {
        complain(&format!(
            "internal-error: the analysis of {} ({side}) stopped at {}; please report it with the \
             version, and without the capture",
            named(&shown_path(path), options.redaction),
            super::fault_place(),
        ));
        return None;
    };
    tell(&analysis.evidence, options);
    if is_nothing_read(&analysis.evidence) {
        let name = shown_path(path);
        let name = named(&name, options.redaction);
        complain(&format!("{name}: nothing of the {side} side could be read"));
    }
    Some(Read { analysis, timed_out })
}

fn rendered(first: Analysis, second: &Read, working: &Options, failing: &Options) -> String {
    let first = follow_success(first, &working.selection);
    let version = env!("CARGO_PKG_VERSION");
    let comparison = compare(&first, &second.analysis, failing.redaction, version);
    match failing.format {
        FormatArg::Json => comparison::json(&comparison),
        _ => text::comparison::write(&comparison, failing.colour, failing.detail),
    }
}
