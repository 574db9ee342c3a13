//! The Parquet tables, read back by a program that is not ours.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]
#![cfg(feature = "columnar")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use mfatrace::analyze::Analysis;
use mfatrace::report::triage::routing::{Fingerprint, Mail, Queue, Words};
use mfatrace::report::triage::rows::{AttemptRow, ConnectionRow, FindingRow, Rows};
use mfatrace::report::triage::{Attachment, Code, Record, RecordOptions};
use mfatrace::triage::columnar::{FILES, Tables};
use serde_json::{Value, json};
use support::duckdb::{ask, command};

/// Quotes, a NUL, a line end, marks of direction, a character of four bytes, and what SQL and formulas begin with.
const HOSTILE: &str =
    "'; DROP TABLE captures; --\"\0\u{1b}[31m\r\n=1+1,\u{202e}gnp\u{2066}\u{1f512}\u{e9}";

/// Captures of several formats, sides and outcomes.
const CAPTURES: &[&str] = &[
    "browser/push-denied.saz",
    "browser/script-host-reset.saz",
    "packets/login-dropped-by-system.pcapng",
    "policy/blocked-after-mfa.devtools.har",
    "healthy/no-sign-in.saz",
    "cases/recorded-twice.zip",
];

fn described(analysis: &Analysis, name: &str) -> (Record, Rows) {
    let report = analysis.report("0.0.0");
    let attachment = Attachment {
        path: format!("/attachments/{name}"),
        tree_path: name.to_owned(),
        sha256: Some(format!("{:064x}", name.len())),
        bytes: Some(1_234),
        ..Attachment::default()
    };
    let options = RecordOptions {
        redaction: report.redaction,
        options: "00ff",
        words: &Words::builtin(),
        with_report: false,
        version: "0.0.0",
    };
    (Record::of(&report, &attachment, None, options), Rows::of(&report))
}

fn analysed() -> Vec<(Record, Rows)> {
    let rows = support::manifest();
    let of = |path: &&str| {
        let row = rows.iter().find(|row| row.path == **path).unwrap();
        described(&support::run_row(row), path)
    };
    CAPTURES.iter().map(of).collect()
}

/// A record in which everything that may be a text is the hostile one, and everything that may be there is.
fn hostile(model: &Record) -> (Record, Rows) {
    let text = || HOSTILE.to_owned();
    let mut record = model.clone();
    record.path = text();
    record.path_bytes = Some("AAAA".to_owned());
    record.tree_path = text();
    record.member = Some(text());
    (record.part, record.parts) = (2, 2);
    record.code = Code::Partial;
    record.looks_like = Some(text());
    record.producer = Some(text());
    record.records = u64::MAX;
    record.issuer = Some(text());
    record.comment = text();
    record.queue = Queue::IdentityPolicy;
    record.mail = Some(Mail { subject: text(), body: text() });
    record.fingerprint = Some(Fingerprint {
        id: "0123".to_owned(),
        cause: "TCP003".to_owned(),
        host: Some(text()),
        code: Some(50_074),
        issuer: Some(text()),
    });
    let attempt = record.attempt.as_mut().unwrap();
    (attempt.user, attempt.tenant) = (Some(text()), Some(text()));
    attempt.methods = vec![text(), String::new(), "b".to_owned()];
    attempt.codes = vec![50_074, u32::MAX];
    let rows = Rows {
        attempts: vec![AttemptRow {
            id: 1,
            user: Some(text()),
            codes: vec![1, 2, 3],
            methods: vec![text(), text()],
            first_us: Some(-1),
            last_us: Some(i64::from(u32::MAX)),
            ..AttemptRow::default()
        }],
        attempts_left_out: 7,
        findings: vec![FindingRow { summary: text(), attempt: Some(1), ..FindingRow::default() }],
        findings_left_out: 8,
        connections: vec![ConnectionRow {
            certificate_subject: Some(text()),
            alerts: vec!["client 48".to_owned()],
            rtt_us: Some(1),
            tls_completed: Some(false),
            ..ConnectionRow::default()
        }],
        connections_left_out: 9,
    };
    (record, rows)
}

/// A record of a file of which nothing is known.
fn bare() -> (Record, Rows) {
    let attachment = Attachment { path: String::new(), ..Attachment::default() };
    let options = RecordOptions {
        redaction: mfatrace::evidence::Redaction::Secrets,
        options: "",
        words: &Words::builtin(),
        with_report: false,
        version: "",
    };
    let routing =
        mfatrace::report::triage::routing::lost(Code::NotOpened, &attachment, &Words::builtin());
    (Record::without_analysis(&attachment, options, Code::NotOpened, routing), Rows::default())
}

fn all() -> Vec<(Record, Rows)> {
    let mut all = analysed();
    let hostile = hostile(&all[0].0);
    // The same name and hash twice, as a redaction of names may make them.
    all.extend([hostile.clone(), hostile, bare()]);
    all
}

fn write(folder: &Path, all: &[(Record, Rows)]) {
    let mut tables = Tables::new(|name| File::create(folder.join(name))).unwrap();
    for (record, rows) in all {
        tables.add(record, rows).unwrap();
    }
    for file in tables.finish().unwrap() {
        file.sync_all().unwrap();
    }
}

/// The time of a record, as a query below asks for it.
fn shown(at: Option<&String>) -> Value {
    at.map_or(Value::Null, |at| json!(at.trim_end_matches('Z').replace('T', " ")))
}

fn time(column: &str) -> String {
    format!("strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%g') AS {column}")
}

/// The row that a record must be, but for its key.
fn wanted(record: &Record, rows: &Rows) -> BTreeMap<&'static str, Value> {
    let answer = |field: &str| match &record.verdict {
        Some(answer) => serde_json::to_value(answer).unwrap()[field].clone(),
        None => Value::Null,
    };
    let attempt = |field: &str| match &record.attempt {
        Some(attempt) => serde_json::to_value(attempt).unwrap()[field].clone(),
        None => Value::Null,
    };
    let print = |field: &str| match &record.fingerprint {
        Some(fingerprint) => serde_json::to_value(fingerprint).unwrap()[field].clone(),
        None => Value::Null,
    };
    BTreeMap::from([
        ("path", json!(record.path)),
        ("member", json!(record.member)),
        ("tree_path", json!(record.tree_path)),
        ("path_bytes", json!(record.path_bytes)),
        ("part", json!(record.part)),
        ("parts", json!(record.parts)),
        ("sha256", json!(record.sha256)),
        ("bytes", json!(record.bytes)),
        ("schema", json!(record.schema)),
        ("tool_version", json!(record.tool.version)),
        ("options", json!(record.options)),
        ("code", json!(record.code)),
        ("format", json!(record.format)),
        ("looks_like", json!(record.looks_like)),
        ("producer", json!(record.producer)),
        ("records", json!(i64::try_from(record.records).unwrap_or(i64::MAX))),
        ("first", shown(record.first.as_ref())),
        ("last", shown(record.last.as_ref())),
        ("side", answer("side")),
        ("outcome", answer("outcome")),
        ("cause", answer("cause")),
        ("cause_name", answer("cause_name")),
        ("host", answer("host")),
        ("hosts", answer("hosts")),
        ("confidence", answer("confidence")),
        ("summary", answer("summary")),
        ("attempts", json!(record.attempts)),
        ("attempts_left_out", json!(rows.attempts_left_out)),
        ("attempt", attempt("id")),
        ("mfa", attempt("mfa")),
        ("flow", attempt("flow")),
        ("user_name", attempt("user")),
        ("tenant", attempt("tenant")),
        ("application", attempt("application")),
        ("resource", attempt("resource")),
        ("codes", attempt("codes")),
        ("deciding_code", attempt("code")),
        ("methods", attempt("methods")),
        ("correlation_ids", attempt("correlation_ids")),
        ("request_ids", attempt("request_ids")),
        ("attempt_first", shown(record.attempt.as_ref().and_then(|one| one.first.as_ref()))),
        ("attempt_last", shown(record.attempt.as_ref().and_then(|one| one.last.as_ref()))),
        ("findings", record.findings.iter().map(|one| json!(one.rule)).collect()),
        ("findings_left_out", json!(record.findings_left_out)),
        ("finding_rows_left_out", json!(rows.findings_left_out)),
        ("connections_left_out", json!(rows.connections_left_out)),
        ("issuer", json!(record.issuer)),
        ("queue", json!(record.queue)),
        ("fingerprint", print("id")),
        ("fingerprint_cause", print("cause")),
        ("fingerprint_host", print("host")),
        ("fingerprint_code", print("code")),
        ("fingerprint_issuer", print("issuer")),
        ("comment", json!(record.comment)),
        ("mail_subject", json!(record.mail.as_ref().map(|mail| &mail.subject))),
        ("mail_body", json!(record.mail.as_ref().map(|mail| &mail.body))),
        ("beside", record.beside.iter().map(|one| json!(one.tree_path)).collect()),
        ("diagnostics", record.diagnostics.iter().map(|one| json!(one.code)).collect()),
        ("diagnostics_left_out", json!(record.diagnostics_left_out)),
    ])
}

/// What rows of a table must be: the fields of the rows under the names of the columns.
fn expected<T: serde::Serialize>(rows: &[T]) -> Vec<Value> {
    let renamed = [
        ("user", "user_name"),
        ("code", "deciding_code"),
        ("first_us", "first"),
        ("last_us", "last"),
    ];
    let fields = |row: &T| -> Value {
        let fields = serde_json::to_value(row).unwrap();
        let fields = fields.as_object().unwrap().clone();
        let is_attempt = fields.contains_key("flow");
        let rename = |(name, value): (String, Value)| {
            let new = renamed.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
            let new = if is_attempt && name == "id" { Some("attempt") } else { new };
            (new.unwrap_or(&name).to_owned(), value)
        };
        fields.into_iter().map(rename).collect::<serde_json::Map<_, _>>().into()
    };
    rows.iter().map(fields).collect()
}

#[test]
fn rows_are_the_records() {
    let Some(duckdb) = command() else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = all();
    write(folder.path(), &all);
    let times = ["first", "last", "attempt_first", "attempt_last"].map(time).join(", ");
    let query = format!("SELECT * REPLACE ({times}) FROM 'captures.parquet'");
    let captures = ask(&duckdb, folder.path(), &query);
    assert_eq!(captures.len(), all.len());
    let mut ids = Vec::new();
    for (row, (record, rows)) in captures.iter().zip(&all) {
        let mut row = row.as_object().unwrap().clone();
        let id = row.remove("capture_id").unwrap().as_str().unwrap().to_owned();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        ids.push(id);
        let wanted = wanted(record, rows);
        for (name, value) in &wanted {
            assert_eq!(row.get(*name), Some(value), "{}: {name}", record.path);
        }
        assert_eq!(row.len(), wanted.len());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "a key names one capture");

    let select = "SELECT * EXCLUDE (capture_id, path, member) REPLACE \
                  (epoch_us(first) AS first, epoch_us(last) AS last) FROM";
    let of = |table: &str| ask(&duckdb, folder.path(), &format!("{select} '{table}.parquet'"));
    let attempts: Vec<_> = all.iter().flat_map(|(_, rows)| rows.attempts.clone()).collect();
    assert_eq!(of("attempts"), expected(&attempts));
    let connections: Vec<_> = all.iter().flat_map(|(_, rows)| rows.connections.clone()).collect();
    assert!(connections.iter().any(|one| one.tls_version.is_some() && one.first_frame.is_some()));
    assert_eq!(of("connections"), expected(&connections));
    let findings: Vec<_> = all.iter().flat_map(|(_, rows)| rows.findings.clone()).collect();
    let query = "SELECT * EXCLUDE (capture_id, path, member) FROM 'findings.parquet'";
    assert_eq!(ask(&duckdb, folder.path(), query), expected(&findings));
}

#[test]
fn the_tables_join() {
    let Some(duckdb) = command() else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = all();
    write(folder.path(), &all);
    let ask = |query: &str| ask(&duckdb, folder.path(), query);
    for table in ["attempts", "findings", "connections"] {
        let rows = ask(&format!(
            "SELECT count(t.capture_id) AS rows \
             FROM read_parquet('captures.parquet', file_row_number = true) c \
             LEFT JOIN '{table}.parquet' t ON t.capture_id = c.capture_id AND t.path = c.path \
             AND t.member IS NOT DISTINCT FROM c.member \
             GROUP BY c.capture_id, c.file_row_number ORDER BY c.file_row_number"
        ));
        let counts: Vec<_> = rows.iter().map(|row| row["rows"].as_u64().unwrap()).collect();
        let wanted: Vec<_> = all
            .iter()
            .map(|(_, rows)| match table {
                "attempts" => rows.attempts.len() as u64,
                "findings" => rows.findings.len() as u64,
                _ => rows.connections.len() as u64,
            })
            .collect();
        assert_eq!(counts, wanted, "{table}");
    }
    let followed = ask(
        "SELECT count(*) AS n FROM 'captures.parquet' c JOIN 'attempts.parquet' a USING (capture_id, attempt) \
         WHERE a.followed AND a.outcome = c.outcome AND date_trunc('milliseconds', a.first) = c.attempt_first",
    );
    let wanted = all.iter().filter(|(_, rows)| rows.attempts.iter().any(|one| one.followed));
    assert_eq!(followed[0]["n"], wanted.count());
}

/// The columns are published: they may grow, and none changes its name or type.
#[test]
fn columns_have_their_types() {
    let Some(duckdb) = command() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[]);
    let mut shown = String::new();
    for file in FILES {
        shown.push_str(file);
        shown.push('\n');
        let schema = ask(
            &duckdb,
            folder.path(),
            &format!(
                "SELECT d.column_name, d.column_type, s.repetition_type FROM (DESCRIBE FROM '{file}') d \
                 JOIN parquet_schema('{file}') s ON s.name = d.column_name"
            ),
        );
        for row in schema {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            let null = if text("repetition_type") == "OPTIONAL" { ", may be null" } else { "" };
            writeln!(shown, "  {} {}{null}", text("column_name"), text("column_type")).unwrap();
        }
        let count = ask(&duckdb, folder.path(), &format!("SELECT count(*) AS n FROM '{file}'"));
        assert_eq!(count, [json!({"n": 0})], "{file} without rows can be read");
    }
    insta::assert_snapshot!("columns", shown);
}

#[test]
fn many_rows_are_written_in_groups() {
    let Some(duckdb) = command() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (record, _) = bare();
    let connection = |number: u32| ConnectionRow {
        stream: Some(number),
        server_name: (!number.is_multiple_of(3))
            .then(|| format!("host-{}.contoso.example", number % 100)),
        alerts: vec!["server 40".to_owned(); (number % 4) as usize],
        ..ConnectionRow::default()
    };
    let all: Vec<_> = (0..4)
        .map(|part| {
            let mut record = record.clone();
            record.part = part;
            let connections = (0..20_000).map(|number| connection(part * 20_000 + number));
            (record, Rows { connections: connections.collect(), ..Rows::default() })
        })
        .collect();
    write(folder.path(), &all);
    let ask = |query: &str| ask(&duckdb, folder.path(), query);
    let groups =
        ask("SELECT row_group_num_rows AS rows FROM parquet_metadata('connections.parquet') \
                      WHERE path_in_schema = 'stream' ORDER BY row_group_id");
    let rows: Vec<_> = groups.iter().map(|row| row["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows.iter().sum::<u64>(), 80_000);
    assert!(rows.len() > 1, "{rows:?}");
    let counts = ask(
        "SELECT count(*) AS rows, count(DISTINCT stream) AS streams, count(server_name) AS named, \
         sum(len(alerts)) AS alerts, bool_and(contains(server_name, (stream % 100)::VARCHAR)) AS same, \
         count(DISTINCT capture_id) AS captures FROM 'connections.parquet'",
    );
    let named = (0..80_000).filter(|number| number % 3 > 0).count();
    assert_eq!(
        counts[0],
        json!({"rows": 80_000, "streams": 80_000, "named": named, "alerts": 120_000, "same": true,
               "captures": 4})
    );
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let all = all();
    let read = |folder: &Path| FILES.map(|file| std::fs::read(folder.join(file)).unwrap());
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path(), &all);
    write(two.path(), &all);
    assert_eq!(read(one.path()), read(two.path()));
    for bytes in read(one.path()) {
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }
}
