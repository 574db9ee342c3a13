//! The end of a report in words: the ids, the inputs, what they could show, and what could not be read.
//!
//! It must not repeat the verdict.
//!
//! Invariant: ids, hashes and queries stand apart from words, so that they can be copied.

use std::fmt::Write as _;

use super::Fact;
use crate::evidence::{
    Diagnostic, DiagnosticCode, Format, Input, InputCoverage, KeyCoverage, Redaction, Vantage,
    WireCoverage, named,
};
use crate::report::model::{
    ReportInput, clock, counted, format_words, is_unread, record_words, size,
};
use crate::report::sign_in_log::SignInLog;
use crate::signin::{Guid, Joined};

/// The ids of the attempt for the sign-in log, and the queries with them.
#[derive(Clone, Debug)]
pub struct Ids {
    /// The ids by their kinds.
    pub facts: Vec<Fact>,
    /// The queries.
    pub log: SignInLog,
}

/// The ids of the attempt that the verdict follows; of request ids so many.
pub fn ids(report: &ReportInput<'_>, requests: usize) -> Option<Ids> {
    let attempt = report.attempt()?;
    let log = SignInLog::of(report);
    let one = |value: Option<&str>| value.map(ToOwned::to_owned).into_iter().collect();
    let mut facts = vec![
        ("Correlation", guids(&log.correlation_ids, usize::MAX)),
        ("Request", guids(&log.request_ids, requests)),
        ("Tenant", one(attempt.tenant.as_deref())),
        ("Application", one(attempt.application.as_ref().map(Guid::as_str))),
        ("Resource", one(attempt.resource.as_deref())),
        ("Policy", guids(&attempt.policy_ids, usize::MAX)),
    ];
    facts.retain(|(_, values)| !values.is_empty());
    Some(Ids { facts, log })
}

fn guids(ids: &[Guid], most: usize) -> Vec<String> {
    let mut shown: Vec<String> = ids.iter().take(most).map(ToString::to_string).collect();
    if let Some(more) = ids.len().checked_sub(most).filter(|more| *more > 0) {
        shown.push(format!("and {more} more (all are in the JSON report)"));
    }
    shown
}

/// The line below a report.
pub fn footer(report: &ReportInput<'_>) -> String {
    let users = match report.redaction {
        Redaction::None => "User names are shown in full; no secret is in this report.",
        Redaction::Secrets => "User names are masked; no secret is in this report.",
        Redaction::Strict => "Users have numbers for names; no secret is in this report.",
    };
    format!("mfatrace {}. All times are UTC. {users}", report.tool_version)
}

/// What is said of each input when none is a capture.
pub fn without_capture<'a>(report: &ReportInput<'a>) -> Vec<(&'a Input, String)> {
    let one = |input: &'a Input| {
        let told = report
            .evidence
            .diagnostics
            .iter()
            .find(|one| one.input == Some(input.id) && !says_no_capture(one.code));
        let words = match (&input.looks_like, told) {
            _ if input.format == Format::KeyLog => format!(
                "{}: keys, and no capture that they open. Give the packet capture beside them.",
                input.name
            ),
            (Some(like), _) => format!("{}: not a capture. It looks like {like}", input.name),
            (None, Some(one)) => format!("{}: not read. {}", input.name, about(input, one)),
            (None, None) => format!(
                "{}: not a capture that mfatrace reads (HAR, Fiddler archive, pcap, pcapng).",
                input.name
            ),
        };
        (input, named(&words, report.redaction).into_owned())
    };
    report.evidence.inputs.iter().map(one).collect()
}

/// The text of a diagnostic without the name that stands before it already.
fn about<'a>(input: &Input, diagnostic: &'a Diagnostic) -> &'a str {
    let text = diagnostic.text.as_str();
    text.strip_prefix(input.name.as_str()).map_or(text, |rest| rest.trim_start_matches([':', ' ']))
}

/// Whether a diagnostic repeats what the line of its input says already.
const fn says_no_capture(code: DiagnosticCode) -> bool {
    matches!(code, DiagnosticCode::NotRecognised)
}

/// One input in words.
#[derive(Clone, Debug)]
pub struct InputWords {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// What it is, from when to when, and what keys and other inputs have to do with it.
    pub lines: Vec<String>,
    /// Its hashes, with what each is of.
    pub hashes: Vec<(&'static str, String)>,
}

/// The inputs in words.
pub fn inputs(report: &ReportInput<'_>) -> Vec<InputWords> {
    report.evidence.inputs.iter().map(|input| one_input(report, input)).collect()
}

fn one_input(report: &ReportInput<'_>, input: &Input) -> InputWords {
    let mut lines = vec![described(report, input)];
    if let Some((first, last)) = input.first.zip(input.last) {
        lines.push(format!("{} to {}", clock(first), clock(last)));
    }
    let keys = report.evidence.coverage.of(input.id).and_then(|one| one.wire.as_ref()?.keys);
    lines.extend(keys.map(opened_by));
    lines.extend(
        report.signin.joined.iter().filter(|one| one.packets == input.id).map(same_traffic),
    );
    let hashes =
        [("SHA-256:", &input.sha256), ("SHA-256 of the file it came in:", &input.container_sha256)];
    InputWords {
        number: input.id.0,
        name: named(&input.name, report.redaction).into_owned(),
        lines,
        hashes: hashes
            .into_iter()
            .filter_map(|(label, hash)| Some((label, hash.clone()?)))
            .collect(),
    }
}

/// How many connections keys opened, and why others stayed closed.
fn opened_by(keys: KeyCoverage) -> String {
    let all = keys.opened.saturating_add(keys.closed());
    let mut words = format!("keys opened {} of {all} TLS connections", keys.opened);
    for (count, why) in [
        (keys.no_secret, "without a secret"),
        (keys.mid_stream, "without a whole handshake in the capture"),
        (keys.unsupported, "with a cipher that is not supported"),
        (keys.failed, "with a secret that does not fit"),
    ] {
        if count > 0 {
            let _ = write!(words, "; {count} {why}");
        }
    }
    if keys.dark > 0 {
        let _ = write!(words, "; {} of their data stayed closed", size(keys.dark));
    }
    words
}

/// That the requests of another input are in the packets of this one, and how far the clocks differ.
fn same_traffic(one: &Joined) -> String {
    let ahead = one.ahead.unsigned_abs();
    let by = format!("{}.{:03} s", ahead / 1_000, ahead % 1_000);
    let clock = match one.ahead {
        0 => "both clocks agree".to_owned(),
        1.. => format!("its clock is {by} ahead"),
        _ => format!("its clock is {by} behind"),
    };
    format!(
        "shows the traffic of input {} ({} connections found); {clock}",
        one.requests.0, one.pairs
    )
}

fn described(report: &ReportInput<'_>, input: &Input) -> String {
    let why = |one: &Diagnostic| one.input == Some(input.id) && is_unread(one.code);
    if input.records == 0 && report.evidence.diagnostics.iter().any(why) {
        return "not read; see below why".to_owned();
    }
    let mut words = format_words(input.format).to_owned();
    if let Some(like) = &input.looks_like {
        let _ = write!(words, "; it looks like {like}");
    }
    if let Some(producer) = &input.producer {
        let _ = write!(words, " written by {}", named(producer, report.redaction));
    }
    if input.format != Format::Unrecognised {
        let _ = write!(words, ", {}", counted(input.records, record_words(input.format)));
    }
    let _ = write!(words, ", {}", size(input.bytes));
    if !input.container.is_empty() {
        let _ = write!(words, ", packed as {}", input.container.join(" in "));
    }
    words
}

/// What could not be read.
pub fn diagnostics(report: &ReportInput<'_>) -> Vec<String> {
    report
        .evidence
        .diagnostics
        .iter()
        .filter(|one| !says_no_capture(one.code))
        .map(|one| {
            let mut words = String::new();
            if let Some(input) = one.input {
                let _ = write!(words, "input {}", input.0);
                if let Some(offset) = one.offset {
                    let _ = write!(words, ", byte {offset}");
                }
                words.push_str(": ");
            }
            words.push_str(&named(&one.text, report.redaction));
            let _ = write!(words, " ({})", one.code.as_str());
            words
        })
        .collect()
}

/// What each capture could and could not see, by the number of its input.
pub fn coverage(report: &ReportInput<'_>) -> Vec<(u32, Vec<String>)> {
    let of_captures = report.evidence.coverage.inputs.iter().filter(|one| {
        report
            .evidence
            .inputs
            .iter()
            .any(|input| input.id == one.input && input.format.is_capture())
    });
    of_captures.map(|one| (one.input.0, seen_by(one))).collect()
}

fn seen_by(one: &InputCoverage) -> Vec<String> {
    let mut words = vec![
        match one.vantage {
            Vantage::Browser => "Taken inside a browser: its own requests, with their contents.",
            Vantage::Program => "Taken inside a program: the requests of that program alone.",
            Vantage::Proxy => {
                "Taken by a proxy on the computer: requests of all programs that use it."
            }
            Vantage::Wire => "Taken on the wire: packets of all programs.",
        }
        .to_owned(),
    ];
    let mut add = |is_so: bool, text: String| {
        if is_so {
            words.push(text);
        }
    };
    let (missing, expected) = (one.bodies_missing, one.bodies_expected);
    add(
        missing > 0,
        format!("Of {expected} contents of sign-in pages and answers {missing} were not saved."),
    );
    add(
        missing == 0 && expected > 0,
        format!("All {expected} contents of sign-in pages and answers are there."),
    );
    let tunnels = counted(u64::from(one.blind_tunnels), ("tunnel was", "tunnels were"));
    add(one.blind_tunnels > 0, format!("{tunnels} not decrypted."));
    add(one.sanitised, "The exporter removed cookies and tokens.".to_owned());
    add(one.truncated, "Its end is missing.".to_owned());
    let lost = counted(one.records_lost, ("record", "records"));
    add(one.records_lost > 0, format!("{lost} could not be read."));
    if let Some(wire) = &one.wire {
        on_the_wire(wire, &mut add);
    }
    words
}

fn on_the_wire(wire: &WireCoverage, add: &mut impl FnMut(bool, String)) {
    add(
        wire.is_one_sided,
        "Packets of one direction only: nothing can be called unanswered.".to_owned(),
    );
    let frames = |number| counted(number, ("frame", "frames"));
    add(wire.cut > 0, format!("{} cut to at most {}.", frames(wire.cut), size(wire.cut_to)));
    add(wire.dropped > 0, format!("{} lost by the capturing system.", frames(wire.dropped)));
    add(wire.copies > 0, format!("{} taken twice.", frames(wire.copies)));
    add(wire.missing > 0, format!("{} acknowledged and not captured.", size(wire.missing)));
    add(wire.undecoded > 0, format!("{} of a kind that is not decoded.", frames(wire.undecoded)));
    let connections = |number| counted(number, ("connection", "connections"));
    add(
        wire.mid_stream > 0,
        format!("{} open before the capture began.", connections(wire.mid_stream)),
    );
    add(
        wire.opened.saturating_add(wire.lookups) > 0,
        format!(
            "{} opened and {} asked while it ran.",
            connections(wire.opened),
            counted(wire.lookups, ("name", "names"))
        ),
    );
    for (tunnel, count, _) in &wire.tunnels {
        add(true, format!("Hidden from it: traffic inside {} ({count} seen).", tunnel.as_str()));
    }
    if wire.keys.is_none() {
        add(true, "Contents of TLS connections cannot be read without keys.".to_owned());
    }
}
