//! The default command: captures of one problem in, one report out.
//!
//! Runs the analysis behind a wall that a fault of ours cannot pass, asks for a password where one
//! is needed, and writes the report. It must not know any format of a capture.
//!
//! Invariants: a bad input never stops the others; the text of a panic is shown nowhere, since it
//! could hold a secret; a closed pipe is not an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::args::{FormatArg, LinesArg};
use super::exit::{Ending, holds};
use super::options::Options;
use super::progress::Progress;
use super::{complain, deliver, shown_path};
use crate::analyze::{Analysis, AnalyzeOptions, CaseInput, analyze, analyze_counting};
use crate::evidence::{Diagnostic, DiagnosticCode, Evidence, Format, Input, named};
use crate::report::model::is_unread;
use crate::report::text::Detail;
use crate::report::{ReportInput, csv, html, json, markdown, ndjson, sarif, text};

/// Times a password is asked for.
const PROMPTS: usize = 3;

/// Runs the command.
pub(super) fn run(options: &Options) -> Ending {
    let outcome = analyze_and_ask(options);
    let Some((analysis, timed_out)) = outcome else {
        complain(&format!(
            "internal-error: the analysis of {} stopped at {}; please report it with the version, \
             and without the capture",
            named(&names(&options.inputs), options.redaction),
            super::fault_place(),
        ));
        return Ending { internal: true, ..Ending::default() };
    };
    tell(&analysis.evidence, options);
    let nothing_read = is_nothing_read(&analysis.evidence);
    if nothing_read && options.format == FormatArg::Text {
        // Standard error has said it all; a program still gets its document.
        return Ending { nothing_read, ..Ending::default() };
    }
    let written = catch_unwind(AssertUnwindSafe(|| rendered(&analysis, options)));
    let Ok(report) = written else {
        complain(&format!("internal-error: the report stopped at {}", super::fault_place()));
        return Ending { internal: true, ..Ending::default() };
    };
    let kept = deliver(&report, options.output.as_deref());
    Ending {
        usage: false,
        internal: false,
        nothing_read,
        partial: timed_out || !kept || is_partial(&analysis.evidence),
        condition: holds(&options.fail_on, &analysis.verdict, &analysis.findings),
        by_verdict: options
            .exit_by_verdict
            .then_some((analysis.verdict.side, analysis.verdict.outcome)),
    }
}

/// Analyses; as long as an archive is locked and someone sits at a terminal, asks and tries again.
pub(super) fn analyze_and_ask(options: &Options) -> Option<(Analysis, bool)> {
    let mut passwords = options.passwords.clone();
    let mut result = guarded(options, &passwords)?;
    for _ in 0..PROMPTS {
        let locked = locked(&result.0.evidence);
        if !options.prompt || locked.is_empty() {
            break;
        }
        let prompt = format!("password of {} (empty: go on without): ", locked.join(", "));
        match rpassword::prompt_password(prompt) {
            Ok(password) if !password.is_empty() => passwords.push(password),
            _ => break,
        }
        result = guarded(options, &passwords)?;
    }
    Some(result)
}

/// One analysis, with the timer running; `None` when it panicked.
fn guarded(options: &Options, passwords: &[String]) -> Option<(Analysis, bool)> {
    let cancel = Arc::new(AtomicBool::new(false));
    let timer = options.timeout.map(|after| Timer::start(after, Arc::clone(&cancel)));
    let how = AnalyzeOptions {
        limits: options.limits.clone(),
        hash: options.hash,
        passwords,
        key_logs: &options.key_logs,
        selection: options.selection.clone(),
        cancel: &cancel,
    };
    let progress = options.progress.then(|| Progress::start(&options.inputs));
    let analysis = catch_unwind(AssertUnwindSafe(|| match &progress {
        Some(progress) => analyze_counting(&options.inputs, &how, progress.counter()),
        None => analyze(&options.inputs, &how),
    }));
    drop((timer, progress));
    Some((analysis.ok()?, cancel.load(Ordering::Relaxed)))
}

/// Sets a flag after a while, unless it is dropped first.
pub(super) struct Timer {
    _stop: mpsc::Sender<()>,
}

impl Timer {
    pub(super) fn start(after: Duration, cancel: Arc<AtomicBool>) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if stopped.recv_timeout(after) == Err(mpsc::RecvTimeoutError::Timeout) {
                cancel.store(true, Ordering::Relaxed);
            }
        });
        Self { _stop: stop }
    }
}

fn rendered(analysis: &Analysis, options: &Options) -> String {
    let report = ReportInput {
        redaction: options.redaction,
        with_evidence: options.evidence,
        ..analysis.report(env!("CARGO_PKG_VERSION"))
    };
    match options.format {
        FormatArg::Csv => csv::write(&report),
        FormatArg::Html => html::write(&report),
        FormatArg::Json => json::write(&report),
        FormatArg::Markdown => markdown::write(&report),
        FormatArg::Ndjson if options.lines == LinesArg::Findings => ndjson::findings(&report),
        FormatArg::Ndjson => ndjson::write(&report),
        FormatArg::Sarif => sarif::write(&report),
        FormatArg::Text => text::write(&report, options.colour, options.detail),
    }
}

/// Says on standard error what made the result partial.
pub(super) fn tell(evidence: &Evidence, options: &Options) {
    for diagnostic in &evidence.diagnostics {
        let partial = diagnostic.code.is_partial() && options.detail != Detail::Brief;
        if is_unread(diagnostic.code) || partial {
            complain(&named(&line(evidence, diagnostic), options.redaction));
        }
    }
}

fn line(evidence: &Evidence, diagnostic: &Diagnostic) -> String {
    let input = diagnostic.input.and_then(|id| evidence.inputs.iter().find(|one| one.id == id));
    match input {
        Some(input) if !diagnostic.text.starts_with(&input.name) => {
            format!("{}: {}", input.name, diagnostic.text)
        }
        _ => diagnostic.text.clone(),
    }
}

fn has(evidence: &Evidence, input: &Input, which: impl Fn(DiagnosticCode) -> bool) -> bool {
    evidence.diagnostics.iter().any(|one| one.input == Some(input.id) && which(one.code))
}

/// Whether no input gave anything. A file that was read and is no capture gave its answer.
pub(super) fn is_nothing_read(evidence: &Evidence) -> bool {
    let mut captures = evidence.inputs.iter().filter(|one| one.format != Format::KeyLog).peekable();
    // Keys alone are no failure, and where nothing else was read they do not count.
    let has_captures = captures.peek().is_some() || evidence.inputs.is_empty();
    has_captures && captures.all(|one| one.records == 0 && has(evidence, one, is_unread))
}

pub(super) fn is_partial(evidence: &Evidence) -> bool {
    let lost = |input: &Input| {
        input.format == Format::Unrecognised
            && has(evidence, input, |code| code == DiagnosticCode::ReadFailed)
    };
    evidence.diagnostics.iter().any(|one| one.code.is_partial()) || evidence.inputs.iter().any(lost)
}

/// The names of protected inputs that no password opened.
fn locked(evidence: &Evidence) -> Vec<String> {
    evidence
        .inputs
        .iter()
        .filter(|input| has(evidence, input, |code| code == DiagnosticCode::Encrypted))
        .map(|input| super::printable(&input.name))
        .collect()
}

pub(super) fn names(inputs: &[CaseInput]) -> String {
    let names: Vec<String> = inputs
        .iter()
        .map(|input| match input {
            CaseInput::File(path) | CaseInput::Members { path, .. } => shown_path(path),
            CaseInput::Memory(given) | CaseInput::MemoryKeys(given) => {
                super::printable(&given.name)
            }
            CaseInput::Standard => "standard input".to_owned(),
        })
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::EvidenceBuilder;

    fn evidence(codes: &[Option<DiagnosticCode>]) -> Evidence {
        let mut builder = EvidenceBuilder::new();
        for (index, code) in codes.iter().enumerate() {
            let id = builder.add_input(Input::named(&format!("input-{index}")));
            if let Some(code) = code {
                builder.diagnose(*code, Some(id), "text");
            }
        }
        builder.finish()
    }

    #[test]
    fn nothing_read_means_every_input() {
        let gone = Some(DiagnosticCode::NotOpened);
        assert!(is_nothing_read(&evidence(&[gone, Some(DiagnosticCode::Encrypted)])));
        assert!(!is_nothing_read(&evidence(&[gone, None])));
        assert!(is_partial(&evidence(&[gone, None])));
        let other = evidence(&[Some(DiagnosticCode::NotRecognised)]);
        assert!(!is_nothing_read(&other) && !is_partial(&other));
        assert!(is_partial(&evidence(&[None, Some(DiagnosticCode::Cancelled)])));
    }

    #[test]
    fn locked_inputs_are_named() {
        let evidence = evidence(&[None, Some(DiagnosticCode::Encrypted)]);
        assert_eq!(locked(&evidence), ["input-1"]);
        assert_eq!(line(&evidence, &evidence.diagnostics[0]), "input-1: text");
    }

    #[test]
    fn a_timer_sets_the_flag_unless_dropped() {
        let flag = Arc::new(AtomicBool::new(false));
        drop(Timer::start(Duration::from_hours(1), Arc::clone(&flag)));
        assert!(!flag.load(Ordering::Relaxed));
        let _timer = Timer::start(Duration::from_millis(1), Arc::clone(&flag));
        for _ in 0..1000 {
            if flag.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the timer did not fire");
    }
}
