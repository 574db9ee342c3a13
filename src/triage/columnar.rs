//! Records as four Parquet tables: captures, attempts, findings and connections.
//!
//! They are what a warehouse or `duckdb` asks many captures with. Every table begins with `capture_id`, `path` and
//! `member`, so that any two can be joined and each can be read alone. It must not decide anything, and it opens
//! no file: whoever calls gives it something to write into.
//!
//! Invariants: a `capture_id` names one row of `captures`; the same capture at the same place has the same one in every
//! run; memory is bounded by the groups of rows that wait, and eight bytes or so for each capture; the same records in the same order
//! give the same bytes.

mod table;

use std::collections::HashSet;
use std::io::{self, Write};

use data_encoding::HEXLOWER;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use sha2::{Digest, Sha256};

use self::table::{Cell, Column, Key, Kind, Table};
use crate::report::triage::rows::{AttemptRow, ConnectionRow, FindingRow, Rows};
use crate::report::triage::{Answer, Attempt, Record};
use crate::time::Timestamp;

/// The files, in the order in which they are opened and given back.
pub const FILES: [&str; 4] =
    ["captures.parquet", "attempts.parquet", "findings.parquet", "connections.parquet"];

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {source}")]
pub struct TableError {
    /// The file.
    file: &'static str,
    source: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Open(#[from] io::Error),
    #[error(transparent)]
    Write(#[from] ParquetError),
}

/// Says which file a fault is about.
fn in_file<E: Into<Fault>>(file: &'static str) -> impl FnOnce(E) -> TableError {
    move |fault| TableError { file, source: fault.into() }
}

/// The four tables, while they are written.
pub struct Tables<W: Write + Send> {
    captures: Table<W, Rows>,
    attempts: Table<W, AttemptRow>,
    findings: Table<W, FindingRow>,
    connections: Table<W, ConnectionRow>,
    keys: HashSet<[u8; 8]>,
}

impl<W: Write + Send> std::fmt::Debug for Tables<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("captures", &self.keys.len()).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Tables<W> {
    /// Tables without rows in what `open` gives for each of [`FILES`].
    pub fn new(mut open: impl FnMut(&'static str) -> io::Result<W>) -> Result<Self, TableError> {
        let [captures, attempts, findings, connections] = FILES;
        let mut opened = |file| open(file).map_err(in_file(file));
        Ok(Self {
            captures: Table::new("captures", CAPTURES, opened(captures)?)
                .map_err(in_file(captures))?,
            attempts: Table::new("attempts", ATTEMPTS, opened(attempts)?)
                .map_err(in_file(attempts))?,
            findings: Table::new("findings", FINDINGS, opened(findings)?)
                .map_err(in_file(findings))?,
            connections: Table::new("connections", CONNECTIONS, opened(connections)?)
                .map_err(in_file(connections))?,
            keys: HashSet::new(),
        })
    }

    /// Adds a record and what belongs to it.
    pub fn add(&mut self, record: &Record, rows: &Rows) -> Result<(), TableError> {
        let [captures, attempts, findings, connections] = FILES;
        let key = self.key(record);
        self.captures.add(&key, record, rows).map_err(in_file(captures))?;
        for row in &rows.attempts {
            self.attempts.add(&key, record, row).map_err(in_file(attempts))?;
        }
        for row in &rows.findings {
            self.findings.add(&key, record, row).map_err(in_file(findings))?;
        }
        for row in &rows.connections {
            self.connections.add(&key, record, row).map_err(in_file(connections))?;
        }
        Ok(())
    }

    /// Writes the ends of the files, without which they cannot be read, and gives back what was
    /// written into.
    pub fn finish(self) -> Result<[W; 4], TableError> {
        let [captures, attempts, findings, connections] = FILES;
        Ok([
            self.captures.finish().map_err(in_file(captures))?,
            self.attempts.finish().map_err(in_file(attempts))?,
            self.findings.finish().map_err(in_file(findings))?,
            self.connections.finish().map_err(in_file(connections))?,
        ])
    }

    /// The key of a record: a hash of where it was found and of what it was. A redaction may give two captures
    /// the same name, so a hash that is taken is hashed again.
    fn key(&mut self, record: &Record) -> Key {
        let mut hash = Sha256::new();
        for part in [
            &*record.tree_path,
            record.member.as_deref().unwrap_or_default(),
            &record.part.to_string(),
            record.sha256.as_deref().unwrap_or_default(),
        ] {
            hash.update(part);
            hash.update([0]);
        }
        let mut digest = hash.finalize();
        let id = loop {
            let mut id = [0; 8];
            id.iter_mut().zip(&digest).for_each(|(to, from)| *to = *from);
            if self.keys.insert(id) {
                break id;
            }
            digest = Sha256::digest(digest);
        };
        let text = |text: &str| ByteArray::from(text.as_bytes());
        Key {
            capture_id: text(&HEXLOWER.encode(&id)),
            path: text(&record.path),
            member: record.member.as_deref().map(text),
        }
    }
}

/// A time of a record, in microseconds.
fn time(at: Option<&String>) -> Cell<'static> {
    let at = at.and_then(|at| Timestamp::parse(at));
    at.map(|(at, _)| at.as_nanoseconds().div_euclid(1_000)).into()
}

/// A cell of the answer; null where there is none.
fn answer<'a, C: Into<Cell<'a>>>(record: &'a Record, cell: fn(&'a Answer) -> C) -> Cell<'a> {
    record.verdict.as_ref().map_or(Cell::Null, |answer| cell(answer).into())
}

/// A cell of the attempt that the verdict follows; null where there is none.
fn attempt<'a, C: Into<Cell<'a>>>(record: &'a Record, cell: fn(&'a Attempt) -> C) -> Cell<'a> {
    record.attempt.as_ref().map_or(Cell::Null, |attempt| cell(attempt).into())
}

const FLAG: Kind = Kind::FLAG;
const NUMBER: Kind = Kind::NUMBER;
const NUMBER_OR_NULL: Kind = Kind::NUMBER.or_null();
const NUMBERS: Kind = Kind::NUMBERS;
const TEXT: Kind = Kind::TEXT;
const TEXT_OR_NULL: Kind = Kind::TEXT.or_null();
const TEXTS: Kind = Kind::TEXTS;
const TEXTS_OR_NULL: Kind = Kind::TEXTS.or_null();
const TIME_OR_NULL: Kind = Kind::TIME.or_null();

/// A row for each record, with every field of it but the whole report.
const CAPTURES: &[Column<Rows>] = &[
    Column::new("tree_path", TEXT, |record, _| (&record.tree_path).into()),
    Column::new("path_bytes", TEXT_OR_NULL, |record, _| (&record.path_bytes).into()),
    Column::new("part", NUMBER, |record, _| record.part.into()),
    Column::new("parts", NUMBER, |record, _| record.parts.into()),
    Column::new("sha256", TEXT_OR_NULL, |record, _| (&record.sha256).into()),
    Column::new("bytes", NUMBER_OR_NULL, |record, _| record.bytes.into()),
    Column::new("schema", TEXT, |record, _| (&record.schema).into()),
    Column::new("tool_version", TEXT, |record, _| (&record.tool.version).into()),
    Column::new("options", TEXT, |record, _| (&record.options).into()),
    Column::new("code", TEXT, |record, _| record.code.as_str().into()),
    Column::new("format", TEXT_OR_NULL, |record, _| (&record.format).into()),
    Column::new("looks_like", TEXT_OR_NULL, |record, _| (&record.looks_like).into()),
    Column::new("producer", TEXT_OR_NULL, |record, _| (&record.producer).into()),
    Column::new("records", NUMBER, |record, _| record.records.into()),
    Column::new("first", TIME_OR_NULL, |record, _| time(record.first.as_ref())),
    Column::new("last", TIME_OR_NULL, |record, _| time(record.last.as_ref())),
    Column::new("side", TEXT_OR_NULL, |record, _| answer(record, |one| &one.side)),
    Column::new("outcome", TEXT_OR_NULL, |record, _| answer(record, |one| &one.outcome)),
    Column::new("cause", TEXT_OR_NULL, |record, _| answer(record, |one| &one.cause)),
    Column::new("cause_name", TEXT_OR_NULL, |record, _| answer(record, |one| &one.cause_name)),
    Column::new("host", TEXT_OR_NULL, |record, _| answer(record, |one| &one.host)),
    Column::new("hosts", TEXTS_OR_NULL, |record, _| answer(record, |one| &one.hosts)),
    Column::new("confidence", TEXT_OR_NULL, |record, _| answer(record, |one| &one.confidence)),
    Column::new("summary", TEXT_OR_NULL, |record, _| answer(record, |one| &one.summary)),
    Column::new("attempts", NUMBER, |record, _| record.attempts.into()),
    Column::new("attempts_left_out", NUMBER, |_, rows| rows.attempts_left_out.into()),
    Column::new("attempt", NUMBER_OR_NULL, |record, _| attempt(record, |one| one.id)),
    Column::new("mfa", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.mfa)),
    Column::new("flow", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.flow)),
    Column::new("user_name", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.user)),
    Column::new("tenant", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.tenant)),
    Column::new("application", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.application)),
    Column::new("resource", TEXT_OR_NULL, |record, _| attempt(record, |one| &one.resource)),
    Column::new("codes", NUMBERS.or_null(), |record, _| attempt(record, |one| &one.codes)),
    Column::new("deciding_code", NUMBER_OR_NULL, |record, _| attempt(record, |one| one.code)),
    Column::new("methods", TEXTS_OR_NULL, |record, _| attempt(record, |one| &one.methods)),
    Column::new("correlation_ids", TEXTS_OR_NULL, |record, _| {
        attempt(record, |one| &one.correlation_ids)
    }),
    Column::new("request_ids", TEXTS_OR_NULL, |record, _| attempt(record, |one| &one.request_ids)),
    Column::new("attempt_first", TIME_OR_NULL, |record, _| {
        attempt(record, |one| time(one.first.as_ref()))
    }),
    Column::new("attempt_last", TIME_OR_NULL, |record, _| {
        attempt(record, |one| time(one.last.as_ref()))
    }),
    Column::new("findings", TEXTS, |record, _| {
        Cell::Texts(record.findings.iter().map(|one| &*one.rule).collect())
    }),
    Column::new("findings_left_out", NUMBER, |record, _| record.findings_left_out.into()),
    Column::new("finding_rows_left_out", NUMBER, |_, rows| rows.findings_left_out.into()),
    Column::new("connections_left_out", NUMBER, |_, rows| rows.connections_left_out.into()),
    Column::new("issuer", TEXT_OR_NULL, |record, _| (&record.issuer).into()),
    Column::new("queue", TEXT, |record, _| record.queue.as_str().into()),
    Column::new("fingerprint", TEXT_OR_NULL, |record, _| {
        record.fingerprint.as_ref().map(|one| &one.id).into()
    }),
    Column::new("fingerprint_cause", TEXT_OR_NULL, |record, _| {
        record.fingerprint.as_ref().map(|one| &one.cause).into()
    }),
    Column::new("fingerprint_host", TEXT_OR_NULL, |record, _| {
        record.fingerprint.as_ref().and_then(|one| one.host.as_ref()).into()
    }),
    Column::new("fingerprint_code", NUMBER_OR_NULL, |record, _| {
        record.fingerprint.as_ref().and_then(|one| one.code).into()
    }),
    Column::new("fingerprint_issuer", TEXT_OR_NULL, |record, _| {
        record.fingerprint.as_ref().and_then(|one| one.issuer.as_ref()).into()
    }),
    Column::new("comment", TEXT, |record, _| (&record.comment).into()),
    Column::new("mail_subject", TEXT_OR_NULL, |record, _| {
        record.mail.as_ref().map(|mail| &mail.subject).into()
    }),
    Column::new("mail_body", TEXT_OR_NULL, |record, _| {
        record.mail.as_ref().map(|mail| &mail.body).into()
    }),
    Column::new("beside", TEXTS, |record, _| {
        Cell::Texts(record.beside.iter().map(|one| &*one.tree_path).collect())
    }),
    Column::new("diagnostics", TEXTS, |record, _| {
        Cell::Texts(record.diagnostics.iter().map(|one| &*one.code).collect())
    }),
    Column::new("diagnostics_left_out", NUMBER, |record, _| record.diagnostics_left_out.into()),
];

const ATTEMPTS: &[Column<AttemptRow>] = &[
    Column::new("attempt", NUMBER, |_, row| row.id.into()),
    Column::new("followed", FLAG, |_, row| row.followed.into()),
    Column::new("outcome", TEXT, |_, row| (&row.outcome).into()),
    Column::new("side", TEXT, |_, row| (&row.side).into()),
    Column::new("mfa", TEXT, |_, row| (&row.mfa).into()),
    Column::new("flow", TEXT, |_, row| (&row.flow).into()),
    Column::new("user_name", TEXT_OR_NULL, |_, row| (&row.user).into()),
    Column::new("tenant", TEXT_OR_NULL, |_, row| (&row.tenant).into()),
    Column::new("application", TEXT_OR_NULL, |_, row| (&row.application).into()),
    Column::new("resource", TEXT_OR_NULL, |_, row| (&row.resource).into()),
    Column::new("client", TEXT_OR_NULL, |_, row| (&row.client).into()),
    Column::new("codes", NUMBERS, |_, row| (&row.codes).into()),
    Column::new("deciding_code", NUMBER_OR_NULL, |_, row| row.code.into()),
    Column::new("correlation_ids", TEXTS, |_, row| (&row.correlation_ids).into()),
    Column::new("request_ids", TEXTS, |_, row| (&row.request_ids).into()),
    Column::new("policy_ids", TEXTS, |_, row| (&row.policy_ids).into()),
    Column::new("methods", TEXTS, |_, row| (&row.methods).into()),
    Column::new("result_value", TEXT_OR_NULL, |_, row| (&row.result_value).into()),
    Column::new("overridden_by", NUMBER_OR_NULL, |_, row| row.overridden_by.into()),
    Column::new("first", TIME_OR_NULL, |_, row| row.first_us.into()),
    Column::new("last", TIME_OR_NULL, |_, row| row.last_us.into()),
];

const FINDINGS: &[Column<FindingRow>] = &[
    Column::new("rule", TEXT, |_, row| (&row.rule).into()),
    Column::new("name", TEXT, |_, row| (&row.name).into()),
    Column::new("severity", TEXT, |_, row| (&row.severity).into()),
    Column::new("confidence", TEXT, |_, row| (&row.confidence).into()),
    Column::new("host", TEXT_OR_NULL, |_, row| (&row.host).into()),
    Column::new("decisive", FLAG, |_, row| row.decisive.into()),
    Column::new("consequence_of", TEXT_OR_NULL, |_, row| (&row.consequence_of).into()),
    Column::new("attempt", NUMBER_OR_NULL, |_, row| row.attempt.into()),
    Column::new("summary", TEXT, |_, row| (&row.summary).into()),
    Column::new("places", TEXT, |_, row| (&row.places).into()),
];

const CONNECTIONS: &[Column<ConnectionRow>] = &[
    Column::new("input", NUMBER, |_, row| row.input.into()),
    Column::new("transport", TEXT, |_, row| (&row.transport).into()),
    Column::new("stream", NUMBER_OR_NULL, |_, row| row.stream.into()),
    Column::new("client", TEXT_OR_NULL, |_, row| (&row.client).into()),
    Column::new("server_address", TEXT_OR_NULL, |_, row| (&row.server_address).into()),
    Column::new("server_port", NUMBER_OR_NULL, |_, row| row.server_port.into()),
    Column::new("server_name", TEXT_OR_NULL, |_, row| (&row.server_name).into()),
    Column::new("in_scope", FLAG, |_, row| row.in_scope.into()),
    Column::new("opened", TEXT, |_, row| (&row.opened).into()),
    Column::new("closed", TEXT, |_, row| (&row.closed).into()),
    Column::new("rtt_us", NUMBER_OR_NULL, |_, row| row.rtt_us.into()),
    Column::new("first", TIME_OR_NULL, |_, row| row.first_us.into()),
    Column::new("last", TIME_OR_NULL, |_, row| row.last_us.into()),
    Column::new("tls_version", TEXT_OR_NULL, |_, row| (&row.tls_version).into()),
    Column::new("tls_completed", FLAG.or_null(), |_, row| row.tls_completed.into()),
    Column::new("certificate_subject", TEXT_OR_NULL, |_, row| (&row.certificate_subject).into()),
    Column::new("certificate_issuer", TEXT_OR_NULL, |_, row| (&row.certificate_issuer).into()),
    Column::new("alerts", TEXTS, |_, row| (&row.alerts).into()),
    Column::new("client_bytes", NUMBER_OR_NULL, |_, row| row.client_bytes.into()),
    Column::new("server_bytes", NUMBER_OR_NULL, |_, row| row.server_bytes.into()),
    Column::new("community_id", TEXT_OR_NULL, |_, row| (&row.community_id).into()),
    Column::new("ja4", TEXT_OR_NULL, |_, row| (&row.ja4).into()),
    Column::new("first_frame", NUMBER_OR_NULL, |_, row| row.first_frame.into()),
    Column::new("last_frame", NUMBER_OR_NULL, |_, row| row.last_frame.into()),
];
