//! What went over the wire and when, as rows with bars: lookups, connections, exchanges.
//!
//! The time is that of the attempt. Of many rows those are kept that the report cites or that failed, then
//! those of the sign-in; the rest is counted. It must not show more of a URL than its cleaned path.
//!
//! Invariant: rows stand in the order of time; kept and left out are together what the time holds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::places::Places;
use crate::evidence::{
    Answer, Closed, Connection, Evidence, EvidenceRef, Exchange, NameLookup, NoResponse, Opened,
    Scheme,
};
use crate::finding::Refs;
use crate::report::ladder::{Mood, is_by_proxy, relative};
use crate::report::model::{ReportInput, clock, counted};
use crate::signin::SignInAttempt;
use crate::time::{Span, Timestamp};

/// Rows shown.
const ROWS: usize = 160;
/// Characters shown of one path.
const PATH: usize = 90;
/// Lengths below which times are told to the millisecond.
const FINE: Duration = Duration::from_secs(2);
/// Time shown before and behind the attempt.
const AROUND: Duration = Duration::from_secs(2);

/// The picture.
#[derive(Clone, Debug)]
pub(super) struct Waterfall {
    pub(super) note: String,
    /// The times at a quarter, the middle, and so on, with their places in percents.
    pub(super) ticks: Vec<(String, String)>,
    pub(super) rows: Vec<Row>,
    /// What is left out, counted.
    pub(super) left_out: Option<String>,
}

/// One lookup, connection or exchange.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) host: String,
    pub(super) what: String,
    pub(super) result: String,
    pub(super) mood: &'static str,
    pub(super) places: Places,
    pub(super) at: String,
    pub(super) took: String,
    pub(super) x: String,
    pub(super) width: String,
    /// Whether the report rests on it.
    pub(super) is_cited: bool,
}

/// A row before it is known where its bar stands.
struct Fact {
    kind: Kind,
    span: Span,
    host: String,
    what: String,
    result: String,
    mood: Mood,
    at: EvidenceRef,
    in_scope: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Lookup,
    Connection,
    Exchange,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Exchange => "request",
            Self::Lookup => "lookup",
        }
    }

    const fn counted(self) -> (&'static str, &'static str) {
        match self {
            Self::Connection => ("connection", "connections"),
            Self::Exchange => ("exchange", "exchanges"),
            Self::Lookup => ("lookup", "lookups"),
        }
    }
}

impl Waterfall {
    /// The picture of an attempt, or of the whole capture where there is none; none where nothing has a
    /// time.
    pub(super) fn of(report: &ReportInput<'_>, attempt: Option<&SignInAttempt>) -> Option<Self> {
        let cited = cited(report, attempt);
        let window = attempt.and_then(|one| Some(Span::new(one.first?, one.last?)));
        let window =
            window.map(|one| Span::new(one.first().minus(AROUND), one.last().plus(AROUND)));
        let mut all = facts(report.evidence);
        let whole = all.len();
        let inside = |fact: &Fact| {
            window.is_none_or(|window| {
                cited.contains(&fact.at)
                    || fact.span.last() >= window.first() && fact.span.first() <= window.last()
            })
        };
        let mut out: Vec<Kind> = Vec::new();
        all.retain(|fact| {
            let is_inside = inside(fact);
            if !is_inside {
                out.push(fact.kind);
            }
            is_inside
        });
        all.sort_by_key(|fact| (fact.span.first(), fact.kind, fact.at));
        let outside = out.len();
        // The most telling are kept; among equals the first.
        let mut order: Vec<usize> = (0..all.len()).collect();
        let weight = |fact: &Fact| match (cited.contains(&fact.at), fact.mood, fact.in_scope) {
            (true, ..) => 0_u8,
            (_, Mood::Bad, true) => 1,
            (_, _, true) => 2,
            (_, Mood::Bad, _) => 3,
            _ => 4,
        };
        order.sort_by_key(|index| all.get(*index).map_or(u8::MAX, weight));
        let kept: BTreeSet<usize> = order.into_iter().take(ROWS).collect();
        out.extend(
            all.iter()
                .enumerate()
                .filter(|(index, _)| !kept.contains(index))
                .map(|(_, one)| one.kind),
        );
        let shown: Vec<&Fact> = all
            .iter()
            .enumerate()
            .filter(|(index, _)| kept.contains(index))
            .map(|(_, fact)| fact)
            .collect();
        let first = shown.iter().map(|fact| fact.span.first()).min()?;
        let last = shown.iter().map(|fact| fact.span.last()).max()?;
        let start = attempt.and_then(|one| one.first).unwrap_or(first);
        // A connection may be much older than the sign-in: its bar begins at the edge.
        let shown_from = window.map_or(first, |window| first.max(window.first()));
        let shown_to = window.map_or(last, |window| last.min(window.last()).max(shown_from));
        let axis = Axis::new(Span::new(shown_from, shown_to));
        let rows = shown.iter().map(|fact| axis.row(report, fact, start, &cited)).collect();
        Some(Self {
            note: format!("Seconds after {}.", clock(start)),
            ticks: axis.ticks(start),
            rows,
            left_out: left_out(&out, outside, whole),
        })
    }
}

/// What is left out, in words.
fn left_out(out: &[Kind], outside: usize, whole: usize) -> Option<String> {
    if out.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for kind in [Kind::Lookup, Kind::Connection, Kind::Exchange] {
        let number = out.iter().filter(|one| **one == kind).count();
        if number > 0 {
            parts.push(counted(u64::try_from(number).unwrap_or(u64::MAX), kind.counted()));
        }
    }
    let mut words = format!("Left out of {whole}: {}", parts.join(", "));
    if outside > 0 {
        let _ = write!(words, " ({outside} of them before or after this attempt)");
    }
    words.push_str("; all are in the JSON report (--format json --evidence).");
    Some(words)
}

/// The places that the report rests on.
fn cited(report: &ReportInput<'_>, attempt: Option<&SignInAttempt>) -> BTreeSet<EvidenceRef> {
    let mut cited = BTreeSet::new();
    if let Some(attempt) = attempt {
        cited.extend(attempt.decided_by.iter().copied());
        let blocked = attempt.blockage.iter().flat_map(|one| &one.exchanges);
        cited.extend(blocked.filter_map(|id| Some(report.evidence.exchange(*id)?.at)));
    }
    for finding in report.findings.iter().filter(|one| one.decisive) {
        cited.extend(finding.refs.iter());
    }
    let argued = report.verdict.evidence_for.iter().chain(&report.verdict.evidence_against);
    cited.extend(argued.flat_map(|one| one.refs.iter().flat_map(Refs::iter)));
    cited
}

fn facts(evidence: &Evidence) -> Vec<Fact> {
    let lookups = evidence.lookups.iter().filter_map(of_lookup);
    let connections = evidence.connections.iter().filter_map(of_connection);
    // What is hidden in a connection is told as that connection.
    let exchanges = evidence.exchanges.iter().filter(|one| !one.is_hidden());
    lookups
        .chain(connections)
        .chain(exchanges.filter_map(|one| of_exchange(evidence, one)))
        .collect()
}

fn of_lookup(lookup: &NameLookup) -> Option<Fact> {
    let asked = lookup.asked?;
    let end = asked.plus(lookup.took.unwrap_or_default()).max(lookup.asked_last.unwrap_or(asked));
    let (result, mood) = match &lookup.answer {
        Answer::Addresses(all) => {
            let number = u64::try_from(all.len()).unwrap_or(u64::MAX);
            (counted(number, ("address", "addresses")), Mood::Good)
        }
        Answer::Cut => ("answer cut".to_owned(), Mood::Faint),
        Answer::Empty => ("no address".to_owned(), Mood::Faint),
        Answer::Failed(3) => ("no such name".to_owned(), Mood::Bad),
        Answer::Failed(code) => (format!("failed, code {code}"), Mood::Bad),
        Answer::None => ("no answer".to_owned(), Mood::Bad),
    };
    let what = match lookup.kind {
        Some(1) => "address (A)",
        Some(28) => "address (AAAA)",
        Some(65) => "service (HTTPS)",
        _ => "name",
    };
    Some(Fact {
        kind: Kind::Lookup,
        span: Span::new(asked, end),
        host: lookup.name.to_string(),
        what: what.to_owned(),
        result,
        // A type that nobody needs may have no answer.
        mood: if lookup.is_for_address() || mood == Mood::Good { mood } else { Mood::Faint },
        at: lookup.at,
        in_scope: lookup.in_scope,
    })
}

fn of_connection(connection: &Connection) -> Option<Fact> {
    let span = connection.span?;
    let server = connection.server.map(|address| address.to_string());
    let host = connection.server_name.as_ref().map(ToString::to_string);
    let mut what = connection.transport.as_str().to_ascii_uppercase();
    if let Some(server) = server.as_ref().filter(|_| host.is_some()) {
        let _ = write!(what, " to {server}");
    }
    if let Some(stream) = connection.stream {
        let _ = write!(what, ", stream {}", stream.0);
    }
    let (mut result, mut mood) = match connection.opened {
        Opened::Established { .. } => (String::new(), Mood::Good),
        Opened::MidStream => ("open before".to_owned(), Mood::Faint),
        Opened::Refused => ("refused".to_owned(), Mood::Bad),
        Opened::Unanswered { tries } => (format!("no answer to {tries} tries"), Mood::Bad),
        Opened::Unreachable { .. } => ("unreachable".to_owned(), Mood::Bad),
    };
    let end = match connection.closed {
        Closed::CaptureEnd | Closed::Evicted => "open at the end",
        Closed::Fin => "closed",
        Closed::Idle => "fell silent",
        Closed::Reset { by: crate::evidence::Peer::Client } => "reset by the client",
        Closed::Reset { by: crate::evidence::Peer::Server } => "reset by the server",
    };
    if matches!(connection.opened, Opened::Established { .. } | Opened::MidStream) {
        if !result.is_empty() {
            result.push_str(", ");
        }
        result.push_str(end);
        if matches!(connection.closed, Closed::Reset { .. }) {
            mood = Mood::Doubt;
        }
        let mut alerts = connection.tls.iter().flat_map(|tls| &tls.alerts);
        if let Some(alert) = alerts.rfind(|alert| alert.fatal && alert.description != 0) {
            let _ = write!(result, ", TLS alert {}", alert.description);
            mood = Mood::Bad;
        }
    }
    Some(Fact {
        kind: Kind::Connection,
        span,
        host: host.or(server).unwrap_or_else(|| "unknown server".to_owned()),
        what,
        result,
        mood,
        at: connection.at,
        in_scope: connection.in_scope,
    })
}

fn of_exchange(evidence: &Evidence, exchange: &Exchange) -> Option<Fact> {
    let span = exchange.span?;
    let url = &exchange.request.url;
    let shown: String = url.path.chars().take(PATH).collect();
    let path = match url.scheme {
        Scheme::Authority => "for a tunnel".to_owned(),
        _ if shown.len() < url.path.len() => format!("{shown}..."),
        _ => shown,
    };
    let (result, mood) = match &exchange.response {
        Ok(response) => {
            let mood = match response.status {
                400.. => Mood::Bad,
                300..=399 => Mood::Faint,
                _ => Mood::Good,
            };
            (response.status.to_string(), mood)
        }
        Err(reason) => match reason {
            NoResponse::BlockedByClient { .. } => ("blocked by the client".to_owned(), Mood::Bad),
            NoResponse::Cancelled => ("cancelled".to_owned(), Mood::Faint),
            NoResponse::Failed { code, .. } => {
                let code = crate::evidence::shown(code, 60);
                (if code.is_empty() { "failed".to_owned() } else { code }, Mood::Bad)
            }
            NoResponse::Hidden { .. } => ("encrypted".to_owned(), Mood::Faint),
            NoResponse::NotCaptured => ("answer not captured".to_owned(), Mood::Faint),
            NoResponse::Pending => ("no answer yet".to_owned(), Mood::Doubt),
        },
    };
    let by_proxy = if is_by_proxy(evidence, exchange) { ", by proxy" } else { "" };
    let cached = if exchange.from_cache { ", from cache" } else { "" };
    Some(Fact {
        kind: Kind::Exchange,
        span,
        host: exchange.host().to_string(),
        what: format!("{} {path}{by_proxy}{cached}", exchange.request.method),
        result,
        mood,
        at: exchange.at,
        in_scope: exchange.in_scope,
    })
}

/// The time that the width stands for.
struct Axis {
    span: Span,
}

impl Axis {
    const fn new(span: Span) -> Self {
        Self { span }
    }

    /// A time in hundredths of a percent of the width.
    fn place(&self, at: Timestamp) -> u64 {
        let length = self.span.length().as_nanos().max(1);
        let inside = at.since(self.span.first()).as_nanos().min(length);
        u64::try_from(inside.saturating_mul(10_000).checked_div(length).unwrap_or(0)).unwrap_or(0)
    }

    /// A time from the start on: as in the ladder, and finer where all is short.
    fn moment(&self, start: Timestamp, at: Timestamp) -> String {
        if self.span.length() >= FINE {
            return relative(start, at);
        }
        let (sign, length) =
            if at < start { ('-', start.since(at)) } else { ('+', at.since(start)) };
        format!("{sign}{}.{:03}", length.as_secs(), length.subsec_millis())
    }

    fn ticks(&self, start: Timestamp) -> Vec<(String, String)> {
        (0_u32..4)
            .map(|quarter| {
                let part = self.span.length().checked_div(4).unwrap_or_default();
                let at = self.span.first().plus(part.saturating_mul(quarter));
                (self.moment(start, at), percent(u64::from(quarter).saturating_mul(2_500)))
            })
            .collect()
    }

    fn row(
        &self,
        report: &ReportInput<'_>,
        fact: &Fact,
        start: Timestamp,
        cited: &BTreeSet<EvidenceRef>,
    ) -> Row {
        let is_cited = cited.contains(&fact.at);
        // What failed beside the sign-in is no alarm.
        let is_calm = fact.mood == Mood::Bad && !fact.in_scope && !is_cited;
        let (from, to) = (self.place(fact.span.first()), self.place(fact.span.last()));
        Row {
            kind: fact.kind.words(),
            host: fact.host.clone(),
            what: fact.what.clone(),
            result: fact.result.clone(),
            mood: if is_calm { Mood::Faint } else { fact.mood }.as_str(),
            places: Places::of(report, [fact.at], 1),
            at: self.moment(start, fact.span.first()),
            took: took(fact.span.length()),
            x: percent(from.min(9_900)),
            width: percent(to.saturating_sub(from).max(100)),
            is_cited,
        }
    }
}

/// Hundredths of a percent as percents.
fn percent(hundredths: u64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// A length of time: `12 ms`, `1.2 s`, `2 min`.
fn took(length: Duration) -> String {
    match length.as_secs() {
        0 => format!("{} ms", length.as_millis()),
        seconds @ 1..=119 => format!("{seconds}.{} s", length.subsec_millis() / 100),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn lengths_read_well() {
        assert_eq!(took(Duration::from_millis(12)), "12 ms");
        assert_eq!(took(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(took(Duration::from_mins(5)), "5 min");
    }

    #[test]
    fn bars_stay_inside() {
        for case in samples::all() {
            let report = case.report();
            let Some(picture) = Waterfall::of(&report, report.attempt()) else { continue };
            for row in &picture.rows {
                for part in [&row.x, &row.width] {
                    let part: f64 = part.trim_end_matches('%').parse().unwrap();
                    assert!((0.0..=100.0).contains(&part));
                }
            }
        }
    }
}
