//! The inputs in the machine-readable report.
//!
//! What each is, where it came from, its hashes, and how much it holds. It must not know what was
//! found in it.
//!
//! Invariant: a name that the redaction changes is not given away by its bytes.

use std::borrow::Cow;

use serde::Serialize;

use super::captured;
use crate::evidence::{EvidenceRef, Input, KeyCoverage, named};
use crate::report::ReportInput;
#[cfg(test)]
use crate::report::forms;
use crate::time::Timestamp;

/// One input of the case.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "input"))]
pub(super) struct InputJson<'a> {
    /// Its number, which references name.
    id: u32,
    /// The name as it was given; members of archives stand behind `!`. What is not UTF-8 is replaced.
    name: Cow<'a, str>,
    /// The bytes of the name in base64, where it was not UTF-8.
    #[cfg_attr(test, schemars(with = "Option<forms::Base64>"))]
    name_bytes: Option<&'a str>,
    /// What it was packed in, outermost first.
    #[cfg_attr(test, schemars(with = "Vec<forms::Container>"))]
    container: &'a [&'static str],
    /// Hash of the capture itself; null with `--no-hash` and where it could not be read to its end.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    sha256: Option<&'a str>,
    /// Hash of the file it came in, where that is another one.
    #[cfg_attr(test, schemars(with = "Option<forms::Sha256>"))]
    container_sha256: Option<&'a str>,
    /// Bytes of the capture itself.
    bytes: u64,
    /// Its format, recognised by content.
    #[cfg_attr(test, schemars(with = "forms::Format"))]
    format: &'static str,
    /// The program that wrote it, as it names itself.
    producer: Option<String>,
    /// The first time in it.
    first: Option<Timestamp>,
    /// The last time in it.
    last: Option<Timestamp>,
    /// The offset of its local times, as `+02:00`.
    #[cfg_attr(test, schemars(with = "Option<forms::UtcOffset>"))]
    utc_offset: Option<String>,
    /// How much it holds.
    counts: Counts,
    /// What a file that is no capture looks like.
    looks_like: Option<String>,
    /// Inputs whose requests are seen in the packets of this one; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    joined: Vec<JoinedJson>,
    /// What keys made of its connections of TLS; left out where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    decryption: Option<DecryptionJson>,
}

/// What keys made of connections of TLS.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "decryption"))]
struct DecryptionJson {
    /// Connections that were opened.
    opened: u64,
    /// Connections whose secret is not there.
    no_secret: u64,
    /// Connections that were open before the capture began.
    mid_stream: u64,
    /// Connections with a cipher suite or a version that is not read.
    unsupported: u64,
    /// Connections whose secret did not fit.
    failed: u64,
    /// Bytes of TLS that stayed unread.
    dark_bytes: u64,
}

impl DecryptionJson {
    const fn new(keys: KeyCoverage) -> Self {
        let KeyCoverage { opened, no_secret, mid_stream, unsupported, failed, dark } = keys;
        Self { opened, no_secret, mid_stream, unsupported, failed, dark_bytes: dark }
    }
}

/// Another input with the same traffic.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "joined"))]
struct JoinedJson {
    /// Its number.
    input: u32,
    /// How far the clock of its requests is ahead of the packets, in milliseconds.
    clock_ahead_ms: i64,
    /// Requests that were found in both.
    pairs: usize,
}

/// How much an input holds.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "counts"))]
struct Counts {
    /// Entries, sessions or frames.
    records: u64,
    /// Exchanges of HTTP.
    exchanges: usize,
    /// Exchanges without a response.
    unanswered: usize,
    /// Connections.
    connections: usize,
    /// Lookups of names.
    lookups: usize,
}

impl<'a> InputJson<'a> {
    pub(super) fn of(report: &ReportInput<'a>, input: &'a Input) -> Self {
        let evidence = report.evidence;
        let own = |at: &EvidenceRef| at.input == input.id;
        let exchanges = || evidence.exchanges.iter().filter(|one| own(&one.at) && !one.is_hidden());
        let name = named(&input.name, report.redaction);
        Self {
            id: input.id.0,
            // The bytes would give away what the name hides.
            name_bytes: input.name_bytes.as_deref().filter(|_| name == input.name),
            name,
            container: &input.container,
            sha256: input.sha256.as_deref(),
            container_sha256: input.container_sha256.as_deref(),
            bytes: input.bytes,
            format: input.format.as_str(),
            producer: input.producer.as_deref().map(|text| captured(text, report.redaction)),
            first: input.first,
            last: input.last,
            utc_offset: input.utc_offset.map(offset),
            counts: Counts {
                records: input.records,
                exchanges: exchanges().count(),
                unanswered: exchanges().filter(|one| one.response.is_err()).count(),
                connections: evidence.connections.iter().filter(|one| own(&one.at)).count(),
                lookups: evidence.lookups.iter().filter(|one| own(&one.at)).count(),
            },
            decryption: report
                .evidence
                .coverage
                .of(input.id)
                .and_then(|one| one.wire.as_ref()?.keys)
                .map(DecryptionJson::new),
            joined: report
                .signin
                .joined
                .iter()
                .filter(|one| one.packets == input.id)
                .map(|one| JoinedJson {
                    input: one.requests.0,
                    clock_ahead_ms: one.ahead,
                    pairs: one.pairs,
                })
                .collect(),
            looks_like: input.looks_like.as_deref().map(|text| captured(text, report.redaction)),
        }
    }
}

/// Seconds east of UTC as `+02:00`.
fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_local_time() {
        assert_eq!(offset(7200), "+02:00");
        assert_eq!(offset(-12_600), "-03:30");
        assert_eq!(offset(0), "+00:00");
    }
}
