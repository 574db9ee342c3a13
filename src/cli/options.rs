//! What the arguments mean together, resolved once.
//!
//! Reads the password file, looks at the terminal and the environment, and refuses what cannot be
//! meant. It must not start the analysis.
//!
//! Invariant: nothing behind this looks at raw arguments, the environment or the terminal again.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Args, ColourArg, FormatArg, LimitArgs, LinesArg};
use super::values::Condition;
use crate::analyze::{CaseInput, Selection};
use crate::evidence::Redaction;
use crate::limits::{Limits, MIB};
use crate::report::text::Detail;

/// Most bytes of a password file: it is a list of passwords, not a word list.
const PASSWORD_FILE: u64 = MIB;

/// Everything a run needs to know.
#[expect(clippy::struct_excessive_bools, reason = "switches that do not exclude one another")]
pub(super) struct Options {
    /// What to analyse.
    pub(super) inputs: Vec<CaseInput>,
    /// The form of the report.
    pub(super) format: FormatArg,
    /// What a line is, where the report has lines of its own.
    pub(super) lines: LinesArg,
    /// Where the report goes; `None` is the standard output.
    pub(super) output: Option<PathBuf>,
    /// Whether the facts belong into the report.
    pub(super) evidence: bool,
    /// How users are shown.
    pub(super) redaction: Redaction,
    /// Which attempt to follow.
    pub(super) selection: Selection,
    /// Whether the report has colours.
    pub(super) colour: bool,
    /// How much a text report says.
    pub(super) detail: Detail,
    /// Whether to hash the inputs.
    pub(super) hash: bool,
    /// The bounds.
    pub(super) limits: Limits,
    /// When to stop.
    pub(super) timeout: Option<Duration>,
    /// Files with secrets of TLS.
    pub(super) key_logs: Vec<PathBuf>,
    /// Passwords to try; no trait prints them.
    pub(super) passwords: Vec<String>,
    /// Whether to ask for a password when one is needed.
    pub(super) prompt: bool,
    /// Whether to show how far the reading is.
    pub(super) progress: bool,
    /// When to exit with 1.
    pub(super) fail_on: Vec<Condition>,
    /// Whether the exit code names the verdict.
    pub(super) exit_by_verdict: bool,
}

impl Options {
    /// Resolves the arguments; the error is a message for the user.
    pub(super) fn resolve(args: Args) -> Result<Self, String> {
        refuse_late_command(&args.captures)?;
        let inputs = inputs(&args.captures)?;
        if let Some(output) = &args.output {
            refuse_input_as_output(output, &args.captures)?;
            refuse_input_as_output(output, &args.keylog)?;
        }
        if args.lines == LinesArg::Findings && args.format != FormatArg::Ndjson {
            return Err("--lines findings goes with --format ndjson; add it".to_owned());
        }
        if let Some((since, until)) = args.since.zip(args.until)
            && since > until
        {
            return Err("--since is later than --until; exchange them".to_owned());
        }
        let passwords = match &args.password_file {
            Some(path) => passwords(path)?,
            None => Vec::new(),
        };
        let limits = limits(&args.limits);
        let from_standard_input = inputs.contains(&CaseInput::Standard);
        Ok(Self {
            prompt: args.password_file.is_none()
                && !from_standard_input
                && std::io::stdin().is_terminal()
                && std::io::stderr().is_terminal(),
            progress: !args.quiet && is_lively(),
            colour: args.format == FormatArg::Text && has_colour(args.color, args.output.is_some()),
            detail: match (args.quiet, args.verbose) {
                (true, _) => Detail::Brief,
                (false, true) => Detail::Full,
                (false, false) => Detail::Normal,
            },
            inputs,
            format: args.format,
            lines: args.lines,
            output: args.output,
            evidence: args.evidence,
            redaction: args.redact.into(),
            selection: Selection {
                user: args.user,
                attempt: args.attempt,
                since: args.since,
                until: args.until,
            },
            hash: !args.no_hash,
            limits,
            timeout: args.timeout,
            key_logs: args.keylog,
            passwords,
            fail_on: args.fail_on,
            exit_by_verdict: args.exit_by_verdict,
        })
    }
}

/// The bounds as the options change them.
pub(super) fn limits(args: &LimitArgs) -> Limits {
    let mut limits = Limits { input: args.max_input, ..Limits::default() };
    if let Some(input) = args.max_input {
        limits.buffered = input;
    }
    if let Some(expanded) = args.max_expanded {
        limits.expanded = expanded;
        limits.expanded_packets = expanded;
    }
    for (given, limit) in [
        (args.max_buffered, &mut limits.buffered),
        (args.max_body, &mut limits.body),
        (args.max_entry, &mut limits.har_entry),
        (args.max_ratio, &mut limits.ratio),
    ] {
        *limit = given.unwrap_or(*limit);
    }
    limits.archive_depth = args.max_depth.unwrap_or(limits.archive_depth);
    limits
}

fn inputs(captures: &[PathBuf]) -> Result<Vec<CaseInput>, String> {
    let inputs: Vec<CaseInput> = captures
        .iter()
        .map(|path| match path.as_os_str() {
            name if name == OsStr::new("-") => CaseInput::Standard,
            _ => CaseInput::File(path.clone()),
        })
        .collect();
    if inputs.iter().filter(|input| **input == CaseInput::Standard).count() > 1 {
        return Err("the standard input (-) can be read only once; name it once".to_owned());
    }
    Ok(inputs)
}

/// A command that stands behind options is taken for a capture; nobody means that.
fn refuse_late_command(captures: &[PathBuf]) -> Result<(), String> {
    let command = captures.first().and_then(|path| path.to_str()).unwrap_or_default();
    if matches!(
        command,
        "compare" | "completions" | "explain" | "man" | "rules" | "schema" | "serve" | "triage"
    ) && !Path::new(command).exists()
    {
        return Err(format!(
            "{command} is a command and comes before its options: mfatrace {command} ... --format"
        ));
    }
    Ok(())
}

/// A slip of the hand must not cost the customer's capture.
pub(super) fn refuse_input_as_output(output: &Path, captures: &[PathBuf]) -> Result<(), String> {
    let Ok(target) = std::fs::canonicalize(output) else { return Ok(()) };
    let is_target = |path: &PathBuf| std::fs::canonicalize(path).is_ok_and(|path| path == target);
    if captures.iter().any(is_target) {
        return Err(format!(
            "{}: is one of the captures and would be overwritten; give --output another name",
            super::shown_path(output)
        ));
    }
    Ok(())
}

pub(super) fn passwords(path: &Path) -> Result<Vec<String>, String> {
    use std::io::Read as _;
    let said = |what: &str| format!("{}: password file: {what}", super::shown_path(path));
    let file = std::fs::File::open(path).map_err(|error| said(&super::plain(&error)))?;
    let mut bytes = Vec::new();
    file.take(PASSWORD_FILE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| said(&super::plain(&error)))?;
    if bytes.len() as u64 > PASSWORD_FILE {
        return Err(said("larger than 1 MiB; put one password on each line"));
    }
    let text = String::from_utf8(bytes).map_err(|_| said("not UTF-8; save it as UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Blanks may belong to a password; line ends of either kind do not.
    Ok(text.lines().filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect())
}

/// Whether the standard error is a terminal that can show a line and take it back, and may.
pub(super) fn is_lively() -> bool {
    std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb()
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether a text gets colours.
pub(super) fn has_colour(when: ColourArg, to_file: bool) -> bool {
    match when {
        ColourArg::Always => true,
        ColourArg::Never => false,
        ColourArg::Auto => {
            // The old console of Windows prints escapes as they are.
            let understands =
                !cfg!(windows) || is_set("WT_SESSION") || is_set("ConEmuANSI") || is_set("TERM");
            !to_file
                && !is_set("NO_COLOR")
                && !is_dumb()
                && understands
                && std::io::stdout().is_terminal()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn resolved(args: &[&str]) -> Result<Options, String> {
        Options::resolve(Args::try_parse_from(std::iter::once(&"mfatrace").chain(args)).unwrap())
    }

    #[test]
    fn standard_input_is_named_once() {
        assert_eq!(resolved(&["-"]).unwrap().inputs, [CaseInput::Standard]);
        assert!(resolved(&["-", "-"]).is_err());
        assert_eq!(resolved(&["./-"]).unwrap().inputs, [CaseInput::File("./-".into())]);
    }

    #[test]
    fn limits_follow_the_options() {
        let options = resolved(&["x", "--max-input", "1MiB", "--max-expanded", "2MiB"]).unwrap();
        assert_eq!(options.limits.input, Some(MIB));
        assert_eq!(options.limits.buffered, MIB);
        assert_eq!(options.limits.expanded, 2 * MIB);
        assert_eq!(resolved(&["x"]).unwrap().limits, Limits::default());
        let all = "x --max-input 1k --max-expanded 2k --max-buffered 3k --max-body 4k \
                   --max-entry 5k --max-ratio 6 --max-depth 7";
        let all: Vec<&str> = all.split_whitespace().collect();
        let want = Limits {
            input: Some(1024),
            expanded: 2048,
            expanded_packets: 2048,
            buffered: 3072,
            body: 4096,
            har_entry: 5120,
            ratio: 6,
            archive_depth: 7,
        };
        assert_eq!(resolved(&all).unwrap().limits, want);
    }

    #[test]
    fn a_capture_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("a.har");
        std::fs::write(&capture, "{}").unwrap();
        let capture = capture.to_str().unwrap();
        assert!(resolved(&[capture, "-o", capture]).unwrap_err_text().contains("overwritten"));
    }

    #[test]
    fn passwords_stand_one_on_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords.txt");
        std::fs::write(&path, "\u{feff}one\r\n two \n\nthree").unwrap();
        assert_eq!(passwords(&path).unwrap(), ["one", " two ", "three"]);
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(passwords(&path).unwrap_err().contains("UTF-8"));
        assert!(passwords(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_command_behind_options_is_told() {
        let refused = resolved(&["--format", "json", "rules"]).unwrap_err_text();
        assert!(refused.contains("before its options"), "{refused}");
        assert!(resolved(&["./rules"]).is_ok() && resolved(&["a.har", "rules"]).is_ok());
    }

    #[test]
    fn times_are_in_order() {
        let late = "2030-01-02T00:00:00Z";
        let early = "2030-01-01T00:00:00Z";
        assert!(resolved(&["x", "--since", late, "--until", early]).is_err());
        assert!(resolved(&["x", "--since", early, "--until", late]).is_ok());
    }

    trait ErrText {
        fn unwrap_err_text(self) -> String;
    }

    impl ErrText for Result<Options, String> {
        fn unwrap_err_text(self) -> String {
            self.err().unwrap()
        }
    }
}
