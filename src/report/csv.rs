//! The case as a timeline in CSV, for the tools of forensic examiners.
//!
//! One row for each step, error code, exchange, connection, lookup and finding, with the columns that
//! Timesketch asks for (`message`, `datetime`, `timestamp_desc`) in front, so that Timeline Explorer and
//! spreadsheets show it as well. It must not say anything that the facts and the verdict do not say.
//!
//! Invariants: rows are in order of time, in UTC, those without a time last; every row has every column
//! (RFC 4180, lines end with CR LF); no cell begins like a formula or holds what a terminal acts on.

use std::collections::BTreeMap;

use super::json::{captured, type_name};
use super::model::{ReportInput, display_filter, harmless, place, places, result_words, titled};
use crate::evidence::{
    Answer, Connection, EvidenceRef, Exchange, Locator, NameLookup, NoResponse, Stream, named,
};
use crate::finding::Finding;
use crate::signin::{SignInAttempt, Step, StsError};
use crate::time::{Span, Timestamp};

/// Places named in one cell.
const PLACES: usize = 12;

/// Declares the columns in their order.
macro_rules! columns {
    ($($column:ident $name:literal,)+) => {
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum Column {
            $($column,)+
        }

        /// Every column with its name, in order.
        const COLUMNS: &[(Column, &str)] = &[$((Column::$column, $name),)+];
    };
}

columns! {
    Message "message",
    Datetime "datetime",
    TimestampDesc "timestamp_desc",
    Timestamp "timestamp",
    DataType "data_type",
    Input "input",
    InputName "input_name",
    InputSha256 "input_sha256",
    At "at",
    Entry "entry",
    Session "session",
    FirstFrame "first_frame",
    LastFrame "last_frame",
    Transport "transport",
    Stream "stream",
    Filter "filter",
    Attempt "attempt",
    Kind "kind",
    Result "result",
    Detail "detail",
    Count "count",
    Host "host",
    Client "client",
    Server "server",
    Method "method",
    Url "url",
    Status "status",
    Code "code",
    Rule "rule",
    Severity "severity",
    Confidence "confidence",
    Decisive "decisive",
    User "user",
    CorrelationId "correlation_id",
    RequestId "request_id",
    DurationMs "duration_ms",
    CommunityId "community_id",
    Ja4 "ja4",
}

/// What a row tells, in the order in which rows of one time stand.
#[derive(Clone, Copy)]
enum Item<'a> {
    Lookup(&'a NameLookup),
    Connection(&'a Connection),
    Exchange(&'a Exchange),
    Step(&'a SignInAttempt, &'a Step),
    Error(&'a SignInAttempt, &'a StsError),
    Finding(&'a Finding),
}

impl Item<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Lookup(_) => 0,
            Self::Connection(_) => 1,
            Self::Exchange(_) => 2,
            Self::Step(..) => 3,
            Self::Error(..) => 4,
            Self::Finding(_) => 5,
        }
    }
}

/// The timeline of a case.
pub fn write(report: &ReportInput<'_>) -> String {
    let mut items = items(report);
    // The sort keeps the order of what it cannot tell apart.
    items.sort_by_key(|(at, item)| (at.is_none(), *at, item.rank()));
    let mut out = String::new();
    let names: Vec<&str> = COLUMNS.iter().map(|(_, name)| *name).collect();
    line(&mut out, names);
    for (at, item) in items {
        let row = Row::of(report, at, item);
        line(&mut out, COLUMNS.iter().map(|(column, _)| row.cell(*column)));
    }
    out
}

fn items<'a>(report: &ReportInput<'a>) -> Vec<(Option<Timestamp>, Item<'a>)> {
    let evidence = report.evidence;
    let mut items: Vec<(Option<Timestamp>, Item<'a>)> = Vec::new();
    // A finding has no time of its own: it stands where the first of its places does.
    let mut times: BTreeMap<EvidenceRef, Timestamp> = BTreeMap::new();
    let mut add = |at: Option<Timestamp>, item: Item<'a>, refs: &[EvidenceRef]| {
        for (reference, at) in refs.iter().filter_map(|one| Some((*one, at?))) {
            times.entry(reference).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
        items.push((at, item));
    };
    for one in &evidence.lookups {
        add(one.asked, Item::Lookup(one), &[one.at]);
    }
    for one in &evidence.connections {
        add(one.span.map(Span::first), Item::Connection(one), &[one.at]);
    }
    // What is hidden in a connection is told as that connection.
    for one in evidence.exchanges.iter().filter(|one| !one.is_hidden()) {
        add(one.started(), Item::Exchange(one), &[one.at]);
    }
    for attempt in &report.signin.attempts {
        for step in &attempt.steps {
            let first = step.refs.first();
            add(step.at, Item::Step(attempt, step), first.map_or(&[], std::slice::from_ref));
        }
        for error in &attempt.errors {
            add(error.at, Item::Error(attempt, error), &[error.reference]);
        }
    }
    for finding in report.findings {
        let at = finding.refs.iter().filter_map(|one| times.get(&one).copied()).min();
        let attempt = || report.signin.attempts.get(finding.attempt?)?.first;
        items.push((at.or_else(attempt), Item::Finding(finding)));
    }
    items
}

/// The filled cells of a row.
struct Row(Vec<(Column, String)>);

impl Row {
    fn of(report: &ReportInput<'_>, at: Option<Timestamp>, item: Item<'_>) -> Self {
        let mut row = Self(Vec::with_capacity(COLUMNS.len()));
        if let Some(at) = at {
            let microseconds = at.as_nanoseconds().div_euclid(1000);
            row.set(Column::Timestamp, microseconds.to_string());
            row.set(Column::Datetime, datetime(at));
        }
        match item {
            Item::Connection(one) => row.connection(report, one),
            Item::Error(attempt, one) => row.error(report, attempt, one),
            Item::Exchange(one) => row.exchange(report, one),
            Item::Finding(one) => row.finding(report, one),
            Item::Lookup(one) => row.lookup(report, one),
            Item::Step(attempt, one) => row.step(report, attempt, one),
        }
        row
    }

    fn cell(&self, column: Column) -> &str {
        self.0.iter().find(|(one, _)| *one == column).map_or("", |(_, text)| text)
    }

    fn set(&mut self, column: Column, text: impl Into<String>) {
        self.0.push((column, text.into()));
    }

    fn set_some(&mut self, column: Column, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.set(column, text.to_string());
        }
    }

    fn told(&mut self, kind: &str, desc: &str, message: String) {
        self.set(Column::DataType, format!("mfatrace:{kind}"));
        self.set(Column::TimestampDesc, desc);
        self.set(Column::Message, message);
    }

    /// Where it stands: the first place in columns of its own, all of them in words.
    fn placed(&mut self, report: &ReportInput<'_>, refs: &[EvidenceRef]) {
        let Some(first) = refs.first() else { return };
        self.set(Column::Input, first.input.0.to_string());
        if let Some(input) = report.input(*first) {
            self.set(Column::InputName, named(&input.name, report.redaction));
            self.set_some(Column::InputSha256, input.sha256.as_ref());
        }
        let several = refs.iter().any(|one| one.input != first.input);
        let at = match refs {
            [one] => place(one.at),
            all => places(all.iter().copied(), several, PLACES),
        };
        self.set(Column::At, at);
        match first.at {
            Locator::Byte(_) => {}
            Locator::Frames { first: from, last: to, stream } => {
                self.set(Column::FirstFrame, from.to_string());
                self.set(Column::LastFrame, to.to_string());
                if let Some(Stream { transport, number }) = stream {
                    self.set(Column::Transport, transport.as_str());
                    self.set(Column::Stream, number.0.to_string());
                }
                self.set_some(Column::Filter, display_filter(first.at));
            }
            Locator::HarEntry(index) => self.set(Column::Entry, index.to_string()),
            Locator::SazSession(number) => self.set(Column::Session, number.to_string()),
        }
    }

    fn lasted(&mut self, span: Option<Span>) {
        let length = span.map(|span| span.last().since(span.first()).as_millis());
        self.set_some(Column::DurationMs, length);
    }

    fn of_attempt(&mut self, report: &ReportInput<'_>, attempt: &SignInAttempt) {
        self.set(Column::Attempt, attempt.id.to_string());
        self.set_some(Column::User, attempt.user.as_ref().map(|user| user.shown(report.redaction)));
    }

    fn step(&mut self, report: &ReportInput<'_>, attempt: &SignInAttempt, step: &Step) {
        let detail = captured(&step.detail, report.redaction);
        let (title, rest) = titled(step.kind, &detail);
        let result = result_words(step.result);
        let colon = if rest.is_empty() { "" } else { ": " };
        self.told("step", "Sign-in step", format!("{title} ({result}){colon}{rest}"));
        self.of_attempt(report, attempt);
        self.set(Column::Kind, step.kind.as_str());
        self.set(Column::Result, step.result.as_str());
        self.set(Column::Host, step.host.as_str());
        self.set(Column::Count, step.count.to_string());
        self.placed(report, &step.refs);
        self.set(Column::Detail, detail);
    }

    fn error(&mut self, report: &ReportInput<'_>, attempt: &SignInAttempt, error: &StsError) {
        let page = error.page.as_ref().map(|page| captured(page, report.redaction));
        let mut message = format!("AADSTS{}", error.code);
        if error.equivalent {
            message.push_str(" (the page says it without the number)");
        }
        if let Some(page) = &page {
            message.push_str(" on ");
            message.push_str(page);
        }
        self.told("error", "Error code of the sign-in service", message);
        self.of_attempt(report, attempt);
        self.set(Column::Kind, error.carrier.as_str());
        self.set(Column::Code, error.code.to_string());
        self.set_some(Column::Detail, page);
        self.set_some(Column::CorrelationId, error.correlation_id.as_ref());
        self.set_some(Column::RequestId, error.trace_id.as_ref());
        self.placed(report, &[error.reference]);
    }

    fn exchange(&mut self, report: &ReportInput<'_>, exchange: &Exchange) {
        let url = exchange.request.url.to_string();
        let method = &exchange.request.method;
        let (answer, kind, code) = match &exchange.response {
            Ok(response) => (format!("status {}", response.status), "answered", None),
            Err(NoResponse::BlockedByClient { code }) => {
                (format!("blocked by the client ({code})"), "blocked_by_client", Some(code))
            }
            Err(NoResponse::Cancelled) => ("given up".to_owned(), "cancelled", None),
            Err(NoResponse::Failed { code, .. }) => {
                (format!("failed ({code})"), "failed", Some(code))
            }
            Err(NoResponse::Hidden { .. }) => ("encrypted".to_owned(), "hidden", None),
            Err(NoResponse::NotCaptured) => {
                ("answer not captured".to_owned(), "not_captured", None)
            }
            Err(NoResponse::Pending) => ("no answer yet".to_owned(), "pending", None),
        };
        self.told("exchange", "Request sent", format!("{method} {url}: {answer}"));
        self.set(Column::Result, kind);
        self.set_some(Column::Detail, code);
        self.set_some(Column::Status, exchange.status());
        self.set(Column::Method, &**method);
        self.set(Column::Host, exchange.host().as_str());
        self.set_some(Column::Server, exchange.server);
        self.lasted(exchange.span);
        self.placed(report, &[exchange.at]);
        self.set(Column::Url, url);
    }

    fn connection(&mut self, report: &ReportInput<'_>, connection: &Connection) {
        let transport = connection.transport.as_str();
        let to = match (&connection.server_name, connection.server) {
            (Some(name), Some(server)) => format!("{name} ({server})"),
            (Some(name), None) => name.to_string(),
            (None, Some(server)) => server.to_string(),
            (None, None) => "an unknown server".to_owned(),
        };
        let (opened, closed) = (connection.opened.as_str(), connection.closed.as_str());
        self.told(
            "connection",
            "Connection opened",
            format!("{transport} connection to {to}: {opened}, {closed}"),
        );
        self.set(Column::Kind, opened);
        self.set(Column::Result, closed);
        self.set_some(Column::Host, connection.server_name.as_ref());
        self.set_some(Column::Client, connection.client);
        self.set_some(Column::Server, connection.server);
        let version = connection.tls.as_ref().and_then(|tls| tls.version);
        self.set_some(Column::Detail, version.map(crate::evidence::TlsVersion::as_str));
        let wire = connection.wire.as_ref();
        self.set_some(Column::CommunityId, wire.map(|wire| &wire.community_id));
        self.set_some(Column::Ja4, wire.and_then(|wire| wire.ja4.as_ref()));
        self.lasted(connection.span);
        self.placed(report, &[connection.at]);
    }

    fn lookup(&mut self, report: &ReportInput<'_>, lookup: &NameLookup) {
        let (answer, result) = match &lookup.answer {
            Answer::Addresses(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                (all.join(" "), "answered")
            }
            Answer::Cut => ("an answer that was cut off".to_owned(), "cut"),
            Answer::Empty => ("no address".to_owned(), "empty"),
            Answer::Failed(code) => (format!("failed with code {code}"), "failed"),
            Answer::None => ("no answer".to_owned(), "unanswered"),
        };
        let kind = lookup.kind.map(type_name).unwrap_or_default();
        let of_type = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
        self.told("lookup", "Name asked for", format!("{}{of_type}: {answer}", lookup.name));
        self.set(Column::Kind, kind);
        self.set(Column::Result, result);
        self.set(Column::Host, lookup.name.as_str());
        self.set_some(Column::Client, lookup.client);
        self.set_some(Column::Server, lookup.resolver);
        self.set_some(Column::DurationMs, lookup.took.map(|took| took.as_millis()));
        self.placed(report, &[lookup.at]);
    }

    fn finding(&mut self, report: &ReportInput<'_>, finding: &Finding) {
        let summary = finding.summary.shown(report.redaction);
        self.told(
            "finding",
            "First evidence of a finding",
            format!("{} {}: {summary}", finding.meta.id, finding.meta.name),
        );
        if let Some(attempt) = finding.attempt.and_then(|index| report.signin.attempts.get(index)) {
            self.of_attempt(report, attempt);
        }
        self.set(Column::Kind, finding.meta.name);
        self.set(Column::Rule, finding.meta.id.0);
        self.set(Column::Severity, finding.severity.as_str());
        self.set(Column::Confidence, finding.confidence.as_str());
        self.set(Column::Decisive, if finding.decisive { "yes" } else { "no" });
        self.set_some(Column::Host, finding.host.as_ref());
        let refs: Vec<EvidenceRef> = finding.refs.iter().collect();
        self.placed(report, &refs);
    }
}

/// A time to the microsecond, in the form of ISO 8601 that Timesketch shows: `+00:00` for UTC.
fn datetime(at: Timestamp) -> String {
    let micro = at.as_nanoseconds().div_euclid(1000).rem_euclid(1000);
    let shown = at.to_string();
    format!("{}{micro:03}+00:00", shown.trim_end_matches('Z'))
}

/// Writes one line (RFC 4180).
pub(super) fn line<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let safe = safe(cell);
        if safe.contains([',', '"']) {
            out.push('"');
            out.push_str(&safe.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&safe);
        }
    }
    out.push_str("\r\n");
}

/// A cell that is shown and never calculated: what a spreadsheet takes for the beginning of a formula
/// gets an apostrophe in front, also behind blanks and in its wide forms.
fn safe(cell: &str) -> String {
    let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let is_formula = cell.starts_with(starts) || cell.trim_start().starts_with(starts);
    let shown = harmless(cell);
    if is_formula { format!("'{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::acts;
    use crate::report::samples;

    fn rows(text: &str) -> Vec<Vec<String>> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .records()
            .map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect())
            .collect()
    }

    #[test]
    fn every_fact_has_a_row_in_order_of_time() {
        for case in samples::all() {
            let text = write(&case.report());
            let rows = rows(&text);
            let hidden = case.evidence.exchanges.iter().filter(|one| one.is_hidden()).count();
            let told: usize =
                case.signin.attempts.iter().map(|one| one.steps.len() + one.errors.len()).sum();
            let facts = case.evidence.exchanges.len() - hidden
                + case.evidence.connections.len()
                + case.evidence.lookups.len();
            assert_eq!(rows.len(), 1 + told + facts + case.findings.len());
            assert_eq!(rows[0][..3], ["message", "datetime", "timestamp_desc"]);
            let times: Vec<&String> =
                rows[1..].iter().map(|row| &row[1]).filter(|at| !at.is_empty()).collect();
            assert!(times.is_sorted(), "{times:?}");
            let known = times.len();
            assert!(rows[1..=known].iter().all(|row| !row[1].is_empty()), "without a time: last");
            for row in &rows[1..] {
                assert!(!row[0].is_empty() && !row[2].is_empty(), "{row:?}");
                assert!(!row[5].is_empty() && !row[8].is_empty(), "a row names its place: {row:?}");
            }
            assert_eq!(text, write(&case.report()), "same bytes every time");
        }
    }

    #[test]
    fn times_are_of_iso_8601_in_utc_to_the_microsecond() {
        let at = Timestamp::from_nanoseconds(1_893_492_847_123_456_789);
        assert_eq!(datetime(at), "2030-01-01T10:14:07.123456+00:00");
        assert_eq!(datetime(Timestamp::from_nanoseconds(-1)), "1969-12-31T23:59:59.999999+00:00");
    }

    #[test]
    fn no_cell_is_a_formula() {
        let cells =
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "a=1", "\u{202e}=1", ""];
        let mut text = String::new();
        line(&mut text, cells);
        let want =
            ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "' =1", "'?=1", "' =1", "'＝1", "a=1", "?=1", ""];
        assert_eq!(rows(&text), [want]);
    }

    #[test]
    fn quotes_and_commas_stay_in_their_cell() {
        let mut text = String::new();
        line(&mut text, ["a,b", "say \"hi\"", "two\nlines"]);
        assert_eq!(text, "\"a,b\",\"say \"\"hi\"\"\",two lines\r\n");
        assert_eq!(rows(&text), [["a,b", "say \"hi\"", "two lines"]]);
    }

    #[test]
    fn what_a_terminal_acts_on_is_gone() {
        let text = write(&samples::hostile().report());
        assert!(!text.contains(|c| !matches!(c, '\r' | '\n') && acts(c)), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("alice.example"));
    }
}
