//! The command line as it is written.
//!
//! Raw arguments and their parsers. It must not open, print or decide anything: what the arguments
//! mean together is resolved once, in `options`.
//!
//! Invariant: a value that is not understood is a usage error that says what would be.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::evidence::Redaction;
use crate::finding::Severity;
use crate::limits::{GIB, KIB, MIB};
use crate::signin::{Outcome, Side};
use crate::time::Timestamp;

const EXAMPLES: &str = "\
Examples:
  mfatrace customer.saz                       say why MFA did not complete
  mfatrace customer.har --format json -o customer.json
  mfatrace customer.saz --format html -o customer.html
  mfatrace fiddler.saz browser.har            two captures of one problem
  mfatrace customer.saz --attempt 2           look at another attempt
  mfatrace protected.saz --password-file passwords.txt
  mfatrace - < customer.har                   read the standard input
  mfatrace customer.saz --fail-on network,severity:error
  mfatrace explain 50074 PhoneAppDenied       what these mean and what to do
  mfatrace rules                              what mfatrace looks for
  mfatrace compare working.har failing.saz    where two sign-ins part ways
  mfatrace ./explain                          a capture named like a command

Exit codes:
  0 analysed, whatever was found     1 a --fail-on condition holds
  2 wrong usage                      3 nothing could be read
  4 partly read: a path that does not open, a limit, a timeout
  5 internal error
  With --exit-by-verdict in place of 0 and 1: 10 policy or user, 11 network,
  12 application, 13 cannot tell, 14 no sign-in, 15 nothing wrong, 16 service

Everything runs offline. Passwords, tokens and cookies appear in no output.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  mfatrace explain 50074                      an AADSTS code, by number or name
  mfatrace explain PhoneAppDenied             a ResultValue of the MFA calls
  mfatrace explain PhoneAppNotification       an MFA method (AuthMethodId)
  mfatrace explain ConvergedTFA               a page of the sign-in (pgid)
  mfatrace explain iErrorDescription 30       a number on a policy page
  mfatrace explain tls alert 48               a TLS alert, by number or name
  mfatrace explain net::ERR_CONNECTION_RESET  an error of a browser
  mfatrace explain Fiddler - DNS Lookup Failed
  mfatrace explain TCP003                     a rule of mfatrace, by id or name
  mfatrace explain mfa_denied side network    an outcome and a side
  mfatrace explain 50074 53003 --format json

Case, blanks and punctuation do not count. What can be several things is shown
as all of them.

Exit codes: 0 everything was known, 2 something was not (or wrong usage).";

const COMPARE_EXAMPLES: &str = "\
Examples:
  mfatrace compare working.har failing.saz        where do they part?
  mfatrace compare working.har failing.pcapng --keylog keys.log
  mfatrace compare working.saz failing.saz --format json -o comparison.json
  mfatrace compare both.saz both.saz --working-attempt 1 --failing-attempt 2
  mfatrace compare working.har failing.har --failing-attempt 3

Of WORKING the last sign-in that worked is taken, of FAILING the one that the
verdict follows; mfatrace CAPTURE lists the attempts with their numbers. Steps
are aligned by what they are, not by their numbers; times, ids, users, data
centres and numbers of polls are noise. What one capture does not show is not
called a difference.

Exit codes: 0 compared, whatever was found; 2 wrong usage; 3 neither capture
could be read; 4 one could not, or a result is partial; 5 internal error.";

const RULES_EXAMPLES: &str = "\
Examples:
  mfatrace rules                              a table of 80 columns
  mfatrace rules --format markdown            the whole reference of the rules
  mfatrace rules --format json                for programs (mfatrace-rules/1)
  mfatrace explain TCP003                     one rule";

/// Says, with evidence, why a Microsoft Entra ID sign-in did not get through multifactor
/// authentication (AADSTS50074): reads Fiddler archives (SAZ) and HAR files, packed or not.
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, Parser)]
#[command(
    name = "mfatrace",
    version,
    after_help = EXAMPLES,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// Captures of one problem; - is the standard input
    #[arg(value_name = "CAPTURE", required = true)]
    pub(super) captures: Vec<PathBuf>,

    /// Form of the report: text for a terminal or a mail, json (schema mfatrace/1) for programs, markdown
    /// for a ticket, html to look at and to print
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub(super) format: FormatArg,

    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Add the facts themselves to a JSON report: connections, lookups, exchanges
    #[arg(long)]
    pub(super) evidence: bool,

    /// How users are shown: a***e@contoso.com, as user-1, or (none) in full; secrets never are
    #[arg(long, value_enum, default_value_t = RedactArg::Secrets)]
    pub(super) redact: RedactArg,

    /// Follow an attempt of this user
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// Follow this attempt
    #[arg(long, value_name = "NUMBER")]
    pub(super) attempt: Option<u32>,

    /// Follow an attempt at or after this time (2030-01-01T10:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) since: Option<Timestamp>,

    /// Follow an attempt at or before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) until: Option<Timestamp>,

    /// Colours of a text report; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_enum, default_value_t = ColourArg::Auto, value_name = "WHEN")]
    pub(super) color: ColourArg,

    /// Leave nothing out of a text report
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,

    /// Print the answer alone
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// Do not compute the hashes of the inputs
    #[arg(long)]
    pub(super) no_hash: bool,

    /// Most bytes to read of one input (512MiB, 4GiB)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_input: Option<u64>,

    /// Most bytes that the inputs may expand to
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_expanded: Option<u64>,

    /// Most bytes to hold of an input that cannot be rewound, such as a zip from the standard input
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_buffered: Option<u64>,

    /// Most bytes to keep of one body of a sign-in host
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_body: Option<u64>,

    /// Most bytes to hold of one entry of a HAR; larger bodies are skipped
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_entry: Option<u64>,

    /// Most times that a body or a member may expand
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) max_ratio: Option<u64>,

    /// Most archives inside archives
    #[arg(long, value_name = "NUMBER")]
    pub(super) max_depth: Option<u32>,

    /// Stop reading after this time (30s, 5m) and report what was read
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    /// Passwords of protected archives, one a line; they are never printed
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,

    /// Secrets of TLS that open a packet capture: the file that SSLKEYLOGFILE names, also packed, or a
    /// pcapng that holds them; they are never printed. May be given more than once
    #[arg(long, value_name = "FILE")]
    pub(super) keylog: Vec<PathBuf>,

    /// Exit with 1 when one of these holds: a side, an outcome, severity:error
    #[arg(long, value_name = "CONDITION", value_delimiter = ',', value_parser = condition)]
    pub(super) fail_on: Vec<Condition>,

    /// Exit with a code that names the verdict
    #[arg(long)]
    pub(super) exit_by_verdict: bool,
}

/// What else than looking at captures the program does.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say where a sign-in that failed parts from one that worked
    #[command(after_help = COMPARE_EXAMPLES, max_term_width = 80)]
    Compare(Box<CompareArgs>),
    /// Say what a code, result value, TLS alert, error text or rule means and what to do
    #[command(after_help = EXPLAIN_EXAMPLES, max_term_width = 80)]
    Explain(ExplainArgs),
    /// List what mfatrace looks for
    #[command(after_help = RULES_EXAMPLES, max_term_width = 80)]
    Rules(RulesArgs),
}

/// The arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// The capture of a sign-in that worked
    #[arg(value_name = "WORKING")]
    pub(super) working: PathBuf,

    /// The capture of a sign-in that did not; - is the standard input
    #[arg(value_name = "FAILING")]
    pub(super) failing: PathBuf,

    /// Form of the comparison: text for people, json (schema mfatrace-compare/1) for programs
    #[arg(long, value_enum, default_value_t = AnswerFormatArg::Text)]
    pub(super) format: AnswerFormatArg,

    /// Write the comparison to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Take this attempt of WORKING
    #[arg(long, value_name = "NUMBER")]
    pub(super) working_attempt: Option<u32>,

    /// Take this attempt of FAILING
    #[arg(long, value_name = "NUMBER")]
    pub(super) failing_attempt: Option<u32>,

    /// Take attempts of this user on both sides
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// How users are shown: a***e@contoso.com, as user-1, or (none) in full; secrets never are
    #[arg(long, value_enum, default_value_t = RedactArg::Secrets)]
    pub(super) redact: RedactArg,

    /// Colours of a text; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_enum, default_value_t = ColourArg::Auto, value_name = "WHEN")]
    pub(super) color: ColourArg,

    /// Leave nothing out of a text
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,

    /// Print the answer alone
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// Secrets of TLS that open packet captures, for both sides; they are never printed. May be given
    /// more than once
    #[arg(long, value_name = "FILE")]
    pub(super) keylog: Vec<PathBuf>,

    /// Passwords of protected archives, one a line; they are never printed
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,

    /// Do not compute the hashes of the captures
    #[arg(long)]
    pub(super) no_hash: bool,

    /// Most bytes to read of one capture (512MiB, 4GiB)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_input: Option<u64>,

    /// Most bytes that one capture may expand to
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_expanded: Option<u64>,

    /// Stop reading a capture after this time (30s, 5m) and compare what was read
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
}

impl CompareArgs {
    /// The arguments as they stand for one side.
    pub(super) fn side(&self, capture: &std::path::Path, attempt: Option<u32>) -> Args {
        Args {
            command: None,
            captures: vec![capture.to_owned()],
            format: self.format.into(),
            output: self.output.clone(),
            evidence: false,
            redact: self.redact,
            user: self.user.clone(),
            attempt,
            since: None,
            until: None,
            color: self.color,
            verbose: self.verbose,
            quiet: self.quiet,
            no_hash: self.no_hash,
            max_input: self.max_input,
            max_expanded: self.max_expanded,
            max_buffered: None,
            max_body: None,
            max_entry: None,
            max_ratio: None,
            max_depth: None,
            timeout: self.timeout,
            password_file: self.password_file.clone(),
            keylog: self.keylog.clone(),
            fail_on: Vec::new(),
            exit_by_verdict: false,
        }
    }
}

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// An AADSTS code, a result value, a method, a page, a TLS alert, an error text, a rule
    #[arg(value_name = "WHAT", required = true)]
    pub(super) what: Vec<String>,

    /// Form of the answer: text for people, json (schema mfatrace-explain/1) for programs
    #[arg(long, value_enum, default_value_t = AnswerFormatArg::Text)]
    pub(super) format: AnswerFormatArg,

    /// Colours of a text answer; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_enum, default_value_t = ColourArg::Auto, value_name = "WHEN")]
    pub(super) color: ColourArg,
}

/// The arguments of `rules`.
#[derive(Debug, clap::Args)]
pub(super) struct RulesArgs {
    /// Form of the list: text for people, markdown for a page, json for programs
    #[arg(long, value_enum, default_value_t = RulesFormatArg::Text)]
    pub(super) format: RulesFormatArg,

    /// Colours of a text list; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_enum, default_value_t = ColourArg::Auto, value_name = "WHEN")]
    pub(super) color: ColourArg,
}

/// The form of the list of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RulesFormatArg {
    Text,
    Markdown,
    Json,
}

/// The form of an answer or a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AnswerFormatArg {
    Text,
    Json,
}

impl From<AnswerFormatArg> for FormatArg {
    fn from(arg: AnswerFormatArg) -> Self {
        match arg {
            AnswerFormatArg::Json => Self::Json,
            AnswerFormatArg::Text => Self::Text,
        }
    }
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    Text,
    Json,
    Markdown,
    Html,
}

/// How user names are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RedactArg {
    Secrets,
    Strict,
    None,
}

impl From<RedactArg> for Redaction {
    fn from(arg: RedactArg) -> Self {
        match arg {
            RedactArg::None => Self::None,
            RedactArg::Secrets => Self::Secrets,
            RedactArg::Strict => Self::Strict,
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColourArg {
    Auto,
    Always,
    Never,
}

/// A condition of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The verdict has this outcome.
    Outcome(Outcome),
    /// A finding of this severity or a higher one exists.
    Severity(Severity),
    /// The verdict has this side.
    Side(Side),
}

fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix("severity:") {
        return [Severity::Info, Severity::Warning, Severity::Error]
            .into_iter()
            .find(|severity| severity.as_str() == name)
            .map(Condition::Severity)
            .ok_or_else(|| "a severity is info, warning or error".to_owned());
    }
    let side = Side::ALL.iter().find(|side| side.as_str() == text);
    let outcome = Outcome::ALL.iter().find(|outcome| outcome.as_str() == text);
    side.copied().map(Condition::Side).or(outcome.copied().map(Condition::Outcome)).ok_or_else(
        || {
            let sides: Vec<&str> = Side::ALL.iter().map(|side| side.as_str()).collect();
            format!(
                "neither a side ({}), nor an outcome such as mfa_denied, nor severity:error",
                sides.join(", ")
            )
        },
    )
}

/// A number of bytes: `4096`, `512MiB`, `4 GiB`; `k`, `m` and `g` alone mean the same.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text
        .get(..digits)
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| "a size is a number with KiB, MiB or GiB, for example 512MiB".to_owned())?;
    let unit = match text.get(digits..).unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => KIB,
        "m" | "mib" => MIB,
        "g" | "gib" => GIB,
        _ => return Err("the unit is KiB, MiB or GiB, for example 512MiB".to_owned()),
    };
    match number.checked_mul(unit) {
        Some(0) => Err("a size is more than zero".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("the size is too large".to_owned()),
    }
}

/// A stretch of time: `30`, `30s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: Option<u64> = text.get(..digits).and_then(|number| number.parse().ok());
    let unit = match text.get(digits..).unwrap_or_default().trim() {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .filter(|seconds| (1..=31_536_000).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "a time is a number with s, m or h, for example 30s".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .map(|(at, _)| at)
        .ok_or_else(|| "a time looks like 2030-01-01T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("512MiB"), Ok(512 * MIB));
        assert_eq!(size(" 4 gib "), Ok(4 * GIB));
        assert_eq!(size("2k"), Ok(2048));
        for wrong in ["", "MiB", "-1", "1.5GiB", "1MB", "0", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        for wrong in ["", "0", "s", "5 days", "99999999999999999999"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions() {
        assert_eq!(condition("network"), Ok(Condition::Side(Side::Network)));
        assert_eq!(condition("mfa_denied"), Ok(Condition::Outcome(Outcome::MfaDenied)));
        assert_eq!(condition("severity:error"), Ok(Condition::Severity(Severity::Error)));
        assert!(condition("severity:high").is_err());
        assert!(condition("firewall").unwrap_err().contains("network"));
        let args = Args::try_parse_from(["mfatrace", "x", "--fail-on", "network,mfa_denied"]);
        assert_eq!(args.unwrap().fail_on.len(), 2);
    }

    #[test]
    fn times() {
        assert!(time("2030-01-01T10:00:00Z").is_ok());
        assert!(time("yesterday").is_err());
    }
}
