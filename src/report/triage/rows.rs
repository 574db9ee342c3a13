//! The facts of one capture as rows of tables: attempts, findings and connections.
//!
//! A record says what came of a capture; these say it in detail, flat enough to be asked with SQL. They are written
//! by the process that analysed and read by the one that collects, so they are owned. It must not decide
//! anything, and it must not know in which format tables are written.
//!
//! Invariants: rows stand in the order of the report; how many there are is bounded and the others are counted; everything
//! that stems from a capture is bounded, cleaned, and shown as the redaction allows.

use serde::{Deserialize, Serialize};

use super::count;
use crate::evidence::{Connection, Locator, Opened, Peer, Redaction};
use crate::finding::Finding;
use crate::report::json::captured;
use crate::report::model::{ReportInput, certificate_name, places};
use crate::signin::{AttemptId, SignInAttempt};
use crate::time::{Span, Timestamp};

/// Attempts of one capture that become rows: as many sign-ins in one capture is no ticket.
const ATTEMPTS: usize = 2_000;
/// Findings of one capture that become rows; what decided is among them.
const FINDINGS: usize = 2_000;
/// Connections of one capture that become rows, some 10 MB of them.
const CONNECTIONS: usize = 20_000;
/// Ids of one kind in a row.
const IDS: usize = 100;
/// Places named in a row; the others are counted in words.
const PLACES: usize = 12;

/// What one capture adds to the tables beside its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The attempts to sign in.
    pub attempts: Vec<AttemptRow>,
    /// Attempts that have no row.
    pub attempts_left_out: u64,
    /// What the rules found.
    pub findings: Vec<FindingRow>,
    /// Findings that have no row.
    pub findings_left_out: u64,
    /// The connections.
    pub connections: Vec<ConnectionRow>,
    /// Connections that have no row.
    pub connections_left_out: u64,
}

impl Rows {
    /// The rows of an analysis.
    pub fn of(report: &ReportInput<'_>) -> Self {
        let (attempts, attempts_left_out) =
            chosen(&report.signin.attempts, ATTEMPTS, |one| report.verdict.attempt == Some(one.id));
        let (findings, findings_left_out) =
            chosen(report.findings, FINDINGS, |one: &Finding| one.decisive);
        let (connections, connections_left_out) =
            chosen(&report.evidence.connections, CONNECTIONS, matters);
        Self {
            attempts: attempts.into_iter().map(|one| AttemptRow::of(report, one)).collect(),
            attempts_left_out,
            findings: findings.into_iter().map(|one| FindingRow::of(report, one)).collect(),
            findings_left_out,
            connections: connections
                .into_iter()
                .map(|one| ConnectionRow::of(one, report.redaction))
                .collect(),
            connections_left_out,
        }
    }
}

/// At most `most` of them in their order, those that matter first in being chosen; and how many are left out.
fn chosen<T>(all: &[T], most: usize, matters: impl Fn(&T) -> bool) -> (Vec<&T>, u64) {
    let left_out = count(all.len().saturating_sub(most));
    if left_out == 0 {
        return (all.iter().collect(), 0);
    }
    let important = all.iter().filter(|one| matters(one)).count().min(most);
    let (mut first, mut others) = (important, most.saturating_sub(important));
    let take = |room: &mut usize| {
        let has_room = *room > 0;
        *room = room.saturating_sub(1);
        has_room
    };
    let rows = all
        .iter()
        .filter(|one| if matters(one) { take(&mut first) } else { take(&mut others) })
        .collect();
    (rows, left_out)
}

/// Whether a connection belongs to a sign-in, or was not made.
fn matters(connection: &Connection) -> bool {
    connection.in_scope
        || !matches!(connection.opened, Opened::Established { .. } | Opened::MidStream)
}

/// Microseconds since 1970-01-01 UTC.
fn microseconds(at: Timestamp) -> i64 {
    at.as_nanoseconds().div_euclid(1_000)
}

fn some<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().take(IDS).map(ToString::to_string).collect()
}

/// One attempt to sign in; times are microseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Its number in the report.
    pub id: u32,
    /// Whether the verdict follows it.
    pub followed: bool,
    /// How it ended.
    pub outcome: String,
    /// The side that stands for.
    pub side: String,
    /// What became of MFA.
    pub mfa: String,
    /// The protocol and manner of the sign-in.
    pub flow: String,
    /// Who signed in, as the redaction shows users.
    pub user: Option<String>,
    /// The tenant, as the sign-in names it.
    pub tenant: Option<String>,
    /// The id of the application.
    pub application: Option<String>,
    /// What the application wants to use.
    pub resource: Option<String>,
    /// Address of the computer, where the capture has several.
    pub client: Option<String>,
    /// AADSTS codes in it, in the order in which they came, each once.
    pub codes: Vec<u32>,
    /// The code that decided.
    pub code: Option<u32>,
    /// Ids by which the service correlates.
    pub correlation_ids: Vec<String>,
    /// Ids of requests.
    pub request_ids: Vec<String>,
    /// Ids of policies that a claims challenge names.
    pub policy_ids: Vec<String>,
    /// Methods of MFA that were offered.
    pub methods: Vec<String>,
    /// The last result of the MFA calls.
    pub result_value: Option<String>,
    /// The later attempt that made it good.
    pub overridden_by: Option<u32>,
    /// Its first time.
    pub first_us: Option<i64>,
    /// Its last time.
    pub last_us: Option<i64>,
}

impl AttemptRow {
    fn of(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Self {
        let captured = |text: &String| captured(text, report.redaction);
        let mut codes: Vec<u32> = Vec::new();
        for error in &attempt.errors {
            if codes.len() < IDS && !codes.contains(&error.code) {
                codes.push(error.code);
            }
        }
        Self {
            id: attempt.id.0,
            followed: report.verdict.attempt == Some(attempt.id),
            outcome: attempt.outcome.as_str().to_owned(),
            side: attempt.side.as_str().to_owned(),
            mfa: attempt.mfa.as_str().to_owned(),
            flow: attempt.flow.as_str().to_owned(),
            user: attempt.user.as_ref().map(|user| user.shown(report.redaction)),
            tenant: attempt.tenant.as_ref().map(captured),
            application: attempt.application.as_ref().map(ToString::to_string),
            resource: attempt.resource.as_ref().map(captured),
            client: attempt.client.map(|address| address.to_string()),
            codes,
            code: super::routing::deciding_code(attempt),
            correlation_ids: some(&attempt.correlation_ids),
            request_ids: some(&attempt.request_ids),
            policy_ids: some(&attempt.policy_ids),
            methods: attempt.methods.iter().take(IDS).map(captured).collect(),
            result_value: attempt.result_value.as_ref().map(captured),
            overridden_by: attempt.overridden_by.map(|id| id.0),
            first_us: attempt.first.map(microseconds),
            last_us: attempt.last.map(microseconds),
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    /// The rule.
    pub rule: String,
    /// Its name.
    pub name: String,
    /// How bad it is.
    pub severity: String,
    /// How sure it is.
    pub confidence: String,
    /// The host that it is about.
    pub host: Option<String>,
    /// Whether the verdict rests on it.
    pub decisive: bool,
    /// The rule whose finding has this one as its consequence.
    pub consequence_of: Option<String>,
    /// The attempt that it belongs to.
    pub attempt: Option<u32>,
    /// What was found.
    pub summary: String,
    /// Where it stands, in words.
    pub places: String,
}

impl FindingRow {
    fn of(report: &ReportInput<'_>, finding: &Finding) -> Self {
        let id = |index: usize| report.signin.attempts.get(index).map(|attempt| attempt.id);
        Self {
            rule: finding.meta.id.to_string(),
            name: finding.meta.name.to_owned(),
            severity: finding.severity.as_str().to_owned(),
            confidence: finding.confidence.as_str().to_owned(),
            host: finding.host.as_ref().map(ToString::to_string),
            decisive: finding.decisive,
            consequence_of: finding.masked_by.map(|id| id.to_string()),
            attempt: finding.attempt.and_then(id).map(|AttemptId(number)| number),
            summary: finding.summary.shown(report.redaction),
            places: places(finding.refs.iter(), report.evidence.inputs.len() > 1, PLACES),
        }
    }
}

/// One connection; times are microseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// The number of its input in the report.
    pub input: u32,
    /// Its transport.
    pub transport: String,
    /// Its stream as Wireshark numbers it.
    pub stream: Option<u32>,
    /// Address and port of the client.
    pub client: Option<String>,
    /// Address of the server.
    pub server_address: Option<String>,
    /// Port of the server.
    pub server_port: Option<u16>,
    /// The name of the server.
    pub server_name: Option<String>,
    /// Whether it is part of a sign-in.
    pub in_scope: bool,
    /// How it began.
    pub opened: String,
    /// How it ended.
    pub closed: String,
    /// Microseconds from the client's last question for the connection to the server's consent.
    pub rtt_us: Option<u64>,
    /// When it began.
    pub first_us: Option<i64>,
    /// When it ended.
    pub last_us: Option<i64>,
    /// The version of TLS that was agreed on.
    pub tls_version: Option<String>,
    /// Whether both sides finished the handshake.
    pub tls_completed: Option<bool>,
    /// Name of the subject of the server's certificate.
    pub certificate_subject: Option<String>,
    /// Name of its issuer.
    pub certificate_issuer: Option<String>,
    /// Alerts of TLS in order, as `client 48` (who sent it, and the registered number).
    pub alerts: Vec<String>,
    /// Bytes of payload that the client sent, in packets.
    pub client_bytes: Option<u64>,
    /// Bytes of payload that the server sent, in packets.
    pub server_bytes: Option<u64>,
    /// Its Community ID, version 1, seed 0.
    pub community_id: Option<String>,
    /// The JA4 fingerprint of its client.
    pub ja4: Option<String>,
    /// Its first frame, as Wireshark numbers them.
    pub first_frame: Option<u64>,
    /// Its last frame.
    pub last_frame: Option<u64>,
}

impl ConnectionRow {
    fn of(connection: &Connection, redaction: Redaction) -> Self {
        let tls = connection.tls.as_deref();
        let certificate = tls.and_then(|tls| tls.certificate.as_ref());
        let wire = connection.wire.as_deref();
        let frames = match connection.at.at {
            Locator::Frames { first, last, .. } => Some((first.get(), last.get())),
            _ => None,
        };
        let bytes = wire.map(|wire| wire.traffic.each_ref().map(|side| side.bytes));
        Self {
            input: connection.at.input.0,
            transport: connection.transport.as_str().to_owned(),
            stream: connection.stream.map(|stream| stream.0),
            client: connection.client.map(|address| address.to_string()),
            server_address: connection.server.map(|address| address.ip().to_string()),
            server_port: connection.server.map(|address| address.port()),
            server_name: connection.server_name.as_ref().map(ToString::to_string),
            in_scope: connection.in_scope,
            opened: connection.opened.as_str().to_owned(),
            closed: connection.closed.as_str().to_owned(),
            rtt_us: match connection.opened {
                Opened::Established { rtt: Some(rtt) } => u64::try_from(rtt.as_micros()).ok(),
                _ => None,
            },
            first_us: connection.span.map(|span| microseconds(Span::first(span))),
            last_us: connection.span.map(|span| microseconds(Span::last(span))),
            tls_version: tls.and_then(|tls| tls.version).map(|one| one.as_str().to_owned()),
            tls_completed: tls.and_then(|tls| tls.completed),
            certificate_subject: certificate.map(|one| certificate_name(&one.subject, redaction)),
            certificate_issuer: certificate.map(|one| certificate_name(&one.issuer, redaction)),
            alerts: tls.map_or_else(Vec::new, |tls| {
                let who = |from: Peer| match from {
                    Peer::Client => "client",
                    Peer::Server => "server",
                };
                let alerts = tls.alerts.iter().take(IDS);
                alerts.map(|one| format!("{} {}", who(one.from), one.description)).collect()
            }),
            client_bytes: bytes.map(|[client, _]| client),
            server_bytes: bytes.map(|[_, server]| server),
            community_id: wire.map(|wire| wire.community_id.to_string()),
            ja4: wire.and_then(|wire| wire.ja4.as_deref()).map(str::to_owned),
            first_frame: frames.map(|(first, _)| first),
            last_frame: frames.map(|(_, last)| last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn rows_say_what_the_report_says() {
        let case = samples::network();
        let report = case.report();
        let rows = Rows::of(&report);
        assert_eq!(rows.attempts.len(), report.signin.attempts.len());
        assert_eq!(rows.findings.len(), report.findings.len());
        assert_eq!(rows.connections.len(), report.evidence.connections.len());
        assert_eq!(rows.attempts.iter().filter(|one| one.followed).count(), 1);
        assert!(rows.findings.iter().any(|one| one.decisive && one.attempt.is_some()));
        assert!(rows.findings.iter().all(|one| !one.places.is_empty()));
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(serde_json::from_str::<Rows>(&text).unwrap(), rows);
    }

    #[test]
    fn no_secret_no_user_and_no_control_character() {
        for case in samples::all() {
            let text = serde_json::to_string(&Rows::of(&case.report())).unwrap();
            assert!(!text.contains("hunter2") && !text.contains("alice.example"), "{text}");
            assert!(!text.contains("\\u00") && !text.contains('\u{202e}'), "{text}");
        }
    }

    #[test]
    fn what_matters_is_chosen_and_keeps_its_order() {
        let all: Vec<u32> = (0..100).collect();
        let (rows, left_out) = chosen(&all, 10, |one| *one >= 95);
        assert_eq!(rows, [&0, &1, &2, &3, &4, &95, &96, &97, &98, &99]);
        assert_eq!(left_out, 90);
        let (rows, _) = chosen(&all, 3, |one| *one >= 50);
        assert_eq!(rows, [&50, &51, &52]);
        assert_eq!(chosen(&all, 100, |_| false).0.len(), 100);
    }

    #[test]
    fn a_time_before_the_epoch_is_rounded_down() {
        assert_eq!(microseconds(Timestamp::from_nanoseconds(-1)), -1);
        assert_eq!(microseconds(Timestamp::from_nanoseconds(1_999)), 1);
    }
}
