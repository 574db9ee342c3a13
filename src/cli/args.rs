//! The command line as it is written.
//!
//! Raw arguments and their parsers. It must not open, print or decide anything: what the arguments
//! mean together is resolved once, in `options`.
//!
//! Invariant: a value that is not understood is a usage error that says what would be.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};

#[cfg(feature = "web")]
use super::examples::SERVE_EXAMPLES;
use super::examples::{
    COMPARE_EXAMPLES, COMPLETIONS_EXAMPLES, EXAMPLES, EXPLAIN_EXAMPLES, MAN_EXAMPLES,
    RULES_EXAMPLES, SCHEMA_EXAMPLES, TRIAGE_EXAMPLES,
};
use super::values::{Condition, condition, duration, size, time};
use crate::evidence::Redaction;
use crate::report::schema::Published;
use crate::time::Timestamp;
use crate::triage::Together;

/// Says, with evidence, why a Microsoft Entra ID sign-in did not get through multifactor
/// authentication (AADSTS50074): reads Fiddler archives (SAZ), HAR files and packet captures, packed or
/// not.
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
    #[arg(value_name = "CAPTURE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) captures: Vec<PathBuf>,

    /// Form of the report: text for a terminal or a mail, html to look at and to print, markdown for a
    /// ticket, json (schema mfatrace/1) or ndjson (on one line) for programs, csv (a timeline) for
    /// forensic tools, sarif for viewers of findings
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub(super) format: FormatArg,

    /// What a line of ndjson is: the case, or a finding (schema mfatrace-finding/1)
    #[arg(long, value_enum, default_value_t = LinesArg::Cases, value_name = "WHAT")]
    pub(super) lines: LinesArg,

    /// Write the report to a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
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

    #[command(flatten)]
    pub(super) limits: LimitArgs,

    /// Stop reading after this time (30s, 5m) and report what was read
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    /// Passwords of protected archives, one a line; they are never printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) password_file: Option<PathBuf>,

    /// Secrets of TLS that open a packet capture: the file that SSLKEYLOGFILE names, also packed, or a
    /// pcapng that holds them; they are never printed. May be given more than once
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) keylog: Vec<PathBuf>,

    /// Exit with 1 when one of these holds: a side, an outcome, severity:error
    #[arg(long, value_name = "CONDITION", value_delimiter = ',', value_parser = condition)]
    pub(super) fail_on: Vec<Condition>,

    /// Exit with a code that names the verdict
    #[arg(long)]
    pub(super) exit_by_verdict: bool,
}

/// The bounds that an option can change.
#[expect(clippy::struct_field_names, reason = "the options are called so")]
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct LimitArgs {
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
    /// Make a record of each of many attachments: what it is, whose matter, where to send it
    #[command(after_help = TRIAGE_EXAMPLES, max_term_width = 80)]
    Triage(Box<TriageArgs>),
    /// List what mfatrace looks for
    #[command(after_help = RULES_EXAMPLES, max_term_width = 80)]
    Rules(RulesArgs),
    /// Serve a page to drop captures on, and an HTTP API, on this machine alone
    #[cfg(feature = "web")]
    #[command(after_help = SERVE_EXAMPLES, max_term_width = 80)]
    Serve(ServeArgs),
    /// Print the JSON Schema of what programs read
    #[command(after_help = SCHEMA_EXAMPLES, max_term_width = 80)]
    Schema(SchemaArgs),
    /// Print what makes a shell complete the command line
    #[command(after_help = COMPLETIONS_EXAMPLES, max_term_width = 80)]
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command
    #[command(after_help = MAN_EXAMPLES, max_term_width = 80)]
    Man(ManArgs),
}

/// The arguments of `serve`.
#[cfg(feature = "web")]
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The port on 127.0.0.1; 0 is a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(super) port: u16,

    /// Listen elsewhere, so that other machines can reach it (192.0.2.7:8080)
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    pub(super) listen: Option<std::net::SocketAddr>,

    /// Open the page in the browser
    #[arg(long)]
    pub(super) open: bool,
}

/// The arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {
    /// Of which document
    #[arg(long, value_enum, default_value_t = SchemaOfArg::Report, value_name = "DOCUMENT")]
    pub(super) of: SchemaOfArg,
}

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// The arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// A command; without one, the program
    #[arg(value_name = "COMMAND")]
    pub(super) page: Option<String>,
}

/// The arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// The capture of a sign-in that worked
    #[arg(value_name = "WORKING", value_hint = ValueHint::FilePath)]
    pub(super) working: PathBuf,

    /// The capture of a sign-in that did not; - is the standard input
    #[arg(value_name = "FAILING", value_hint = ValueHint::FilePath)]
    pub(super) failing: PathBuf,

    /// Form of the comparison: text for people, json (schema mfatrace-compare/1) for programs
    #[arg(long, value_enum, default_value_t = AnswerFormatArg::Text)]
    pub(super) format: AnswerFormatArg,

    /// Write the comparison to a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
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
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) keylog: Vec<PathBuf>,

    /// Passwords of protected archives, one a line; they are never printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
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
            lines: LinesArg::Cases,
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
            limits: LimitArgs {
                max_input: self.max_input,
                max_expanded: self.max_expanded,
                ..LimitArgs::default()
            },
            timeout: self.timeout,
            password_file: self.password_file.clone(),
            keylog: self.keylog.clone(),
            fail_on: Vec::new(),
            exit_by_verdict: false,
        }
    }
}

/// The arguments of `triage`.
#[derive(Debug, clap::Args)]
pub(super) struct TriageArgs {
    /// Files, folders, archives, patterns; - is a list of paths on the standard input, one a line or
    /// parted by NUL
    #[arg(
        value_name = "PATH",
        required_unless_present = "print_words",
        value_hint = ValueHint::AnyPath
    )]
    pub(super) paths: Vec<PathBuf>,

    /// Form of the records: table for a terminal, ndjson (schema mfatrace-triage/1), csv, parquet (a
    /// folder of four tables); without it, table on a terminal and ndjson elsewhere
    #[arg(long, value_enum)]
    pub(super) format: Option<TriageFormatArg>,

    /// Write the records to a file; with parquet, to files in a folder
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(super) output: Option<PathBuf>,

    /// Skip what an earlier run recorded in this NDJSON; with the same file as --output, go on in it
    #[arg(long, value_name = "RESULTS", value_hint = ValueHint::FilePath)]
    pub(super) resume: Option<PathBuf>,

    /// Write the counts of the whole run to a file (schema mfatrace-triage-summary/1)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) summary: Option<PathBuf>,

    /// What is one case: each capture (file), all of an archive, all of a folder; auto: each capture,
    /// but packets beside a HTTP trace of the same time belong to it
    #[arg(long, value_enum, default_value_t = CaseArg::Auto, value_name = "WHAT")]
    pub(super) case: CaseArg,

    /// Put the whole report (schema mfatrace/1) into each record
    #[arg(long)]
    pub(super) report: bool,

    /// Take the words of comments and mails from a file, for instance in another language
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) words: Option<PathBuf>,

    /// Print the built-in words of comments and mails, to be changed or translated, and do nothing else
    #[arg(long, conflicts_with = "words")]
    pub(super) print_words: bool,

    /// Worker processes at a time; without it, as many as there are processors and memory for
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,

    /// Memory that all workers may need together: it bounds their number (4GiB)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) memory: Option<u64>,

    /// Time to read one file (30s, 5m); then it is judged by what was read
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(super) timeout: Duration,

    /// How users are shown: a***e@contoso.com, as user-1, or (none) in full; secrets never are
    #[arg(long, value_enum, default_value_t = RedactArg::Secrets)]
    pub(super) redact: RedactArg,

    /// Secrets of TLS that open packet captures; they are never printed. May be given more than once
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) keylog: Vec<PathBuf>,

    /// Passwords of protected archives, one a line; they are never printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) password_file: Option<PathBuf>,

    /// Exit with 1 when one of these holds for a record: a side, an outcome, severity:error
    #[arg(long, value_name = "CONDITION", value_delimiter = ',', value_parser = condition)]
    pub(super) fail_on: Vec<Condition>,

    /// Print no summary and no progress
    #[arg(short, long)]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

/// The form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TriageFormatArg {
    Table,
    Ndjson,
    Csv,
    #[cfg(feature = "columnar")]
    Parquet,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CaseArg {
    Auto,
    File,
    Archive,
    Folder,
}

impl From<CaseArg> for Together {
    fn from(arg: CaseArg) -> Self {
        match arg {
            CaseArg::Archive => Self::Archive,
            CaseArg::Auto => Self::Auto,
            CaseArg::File => Self::Capture,
            CaseArg::Folder => Self::Folder,
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
    Html,
    Markdown,
    Ndjson,
    Csv,
    Sarif,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LinesArg {
    Cases,
    Findings,
}

/// What a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOfArg {
    Report,
    Finding,
    Compare,
    Explain,
    Rules,
    Triage,
    TriageSummary,
}

impl From<SchemaOfArg> for Published {
    fn from(arg: SchemaOfArg) -> Self {
        match arg {
            SchemaOfArg::Compare => Self::Compare,
            SchemaOfArg::Explain => Self::Explain,
            SchemaOfArg::Finding => Self::Finding,
            SchemaOfArg::Report => Self::Report,
            SchemaOfArg::Rules => Self::Rules,
            SchemaOfArg::Triage => Self::Triage,
            SchemaOfArg::TriageSummary => Self::TriageSummary,
        }
    }
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn conditions_are_parted_by_commas() {
        let args = Args::try_parse_from(["mfatrace", "x", "--fail-on", "network,mfa_denied"]);
        assert_eq!(args.unwrap().fail_on.len(), 2);
    }
}
