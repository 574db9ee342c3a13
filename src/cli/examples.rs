//! What `--help` shows below the options: examples and exit codes.
//!
//! Texts alone. It must not parse or print anything.
//!
//! Invariant: no line is longer than 80 columns.

pub(super) const EXAMPLES: &str = "\
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
  mfatrace triage attachments/                a record of each of many files
  mfatrace customer.saz --format csv -o timeline.csv
  mfatrace schema                             the schema of the JSON report
  mfatrace serve --open                       a page to drop captures on
  mfatrace ./explain                          a capture named like a command

Exit codes:
  0 analysed, whatever was found     1 a --fail-on condition holds
  2 wrong usage                      3 nothing could be read
  4 partly read: a path that does not open, a limit, a timeout
  5 internal error
  With --exit-by-verdict in place of 0 and 1: 10 policy or user, 11 network,
  12 application, 13 cannot tell, 14 no sign-in, 15 nothing wrong, 16 service

On Windows captures dropped on mfatrace.exe open as a report in the browser.
Everything runs offline. Passwords, tokens and cookies appear in no output.";

pub(super) const EXPLAIN_EXAMPLES: &str = "\
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

pub(super) const TRIAGE_EXAMPLES: &str = "\
Examples:
  mfatrace triage attachments/                a table, and what stands out
  mfatrace triage attachments/ --format ndjson -o results.ndjson
  mfatrace triage attachments/ --resume results.ndjson -o results.ndjson
  mfatrace triage '*.zip' --format csv -o results.csv
  find . -newer last -print0 | mfatrace triage - > new.ndjson
  mfatrace triage --print-words > words.tsv   to translate, for --words
  mfatrace triage old/ --jobs 8 --memory 4GiB --summary summary.json
  mfatrace triage ticket/ --case folder --report

Whatever a file is, it has a record, or one for each capture in it: with the
answer in short, the queue it should go to, a fingerprint by which duplicates
are found, a comment for the ticket, and a mail where another capture is needed.

Exit codes: 0 every file has its record, 1 a --fail-on condition holds, 2 wrong
usage, 3 nothing could be read, 4 a record says that its file was not opened,
was read in part, or cost a worker, 5 a record is missing, 130 and 143 ended by
a signal: what was done by then is written.";

pub(super) const COMPARE_EXAMPLES: &str = "\
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

pub(super) const RULES_EXAMPLES: &str = "\
Examples:
  mfatrace rules                              a table of 80 columns
  mfatrace rules --format markdown            the whole reference of the rules
  mfatrace rules --format json                for programs (mfatrace-rules/1)
  mfatrace explain TCP003                     one rule";

#[cfg(feature = "web")]
pub(super) const SERVE_EXAMPLES: &str = "\
Examples:
  mfatrace serve --open                       a page on a free port
  mfatrace serve --port 8080                  the same address each time
  mfatrace serve --listen 192.0.2.7:8080      for other machines; see below
  curl -H \"Authorization: Bearer $TOKEN\" --data-binary @customer.saz \\
    -H 'Content-Type: application/octet-stream' \\
    'http://127.0.0.1:8080/api/v1/analyze?name=customer.saz'
  curl -H \"Authorization: Bearer $TOKEN\" -F file=@trace.pcapng \\
    -F keylog=@keys.log -F format=html \\
    http://127.0.0.1:8080/api/v1/analyze -o report.html

The address is printed on the standard output. A browser can open it once; its
token stays good for programs until the server stops. Everything but /healthz
needs the token. Nothing is encrypted: put --listen behind something that is.
/openapi.json describes the API, /metrics counts. Nothing is written to disk:
up to 512 MiB in a file and 1 GiB in all are held in memory, two analyses run at
a time, each for up to 30 seconds.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 wrong usage, 4 could not listen.";

pub(super) const SCHEMA_EXAMPLES: &str = "\
Examples:
  mfatrace schema                             of the report (--format json)
  mfatrace schema --of finding                of a line with --lines findings
  mfatrace schema --of compare                of compare --format json
  mfatrace schema --of triage                 of a record of triage
  mfatrace schema --of triage-summary         of its summary
  mfatrace schema --of report > mfatrace.schema.json

JSON Schema, draft 2020-12. Within a version fields may be added: objects are
left open, and a reader passes over fields that it does not know.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  mfatrace completions bash > ~/.local/share/bash-completion/completions/mfatrace
  mfatrace completions zsh > ~/.zfunc/_mfatrace
  mfatrace completions fish > ~/.config/fish/completions/mfatrace.fish
  mfatrace completions powershell >> $PROFILE";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  mfatrace man > mfatrace.1                   the page of the program
  mfatrace man compare > mfatrace-compare.1   the page of a command
  mfatrace man | man -l -                     read it at once";
