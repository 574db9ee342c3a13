//! What many records come to: counts, and what fails in many tickets.
//!
//! A ticket is the folder that a file lies in; a file that was given by itself, or lies directly in the folder that
//! was given, is one of its own. A host, an issuer or a fault that fails in many tickets has one reason, which is
//! worth more than any of the tickets. It must not judge a record.
//!
//! Invariants: memory is bounded whatever the records hold: of each kind of name so many are counted by name, the
//! others together; tickets are told apart by a hash, up to a number of them, and from there on only those that
//! follow upon each other. The order in which records come changes nothing up to these bounds.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::routing::Fingerprint;
use super::{Code, Record, Tool};
use crate::report::json;

/// The name of the schema.
pub const SCHEMA: &str = "mfatrace-triage-summary/1";

/// Names of one kind that are counted; each is a few hundred bytes at most.
const NAMES: usize = 10_000;
/// Tickets that are told apart, those of each name and of all: 16 bytes for each.
const TICKETS: usize = 1_000_000;
/// Causes that are counted at one name.
const CAUSES: usize = 20;
/// Tickets in which something stands out.
pub const MANY: u64 = 3;
/// Names of one kind that are listed.
const LISTED: usize = 100;

/// What many records come to.
#[derive(Debug)]
pub struct Summary {
    records: u64,
    files: u64,
    missing: u64,
    mails: u64,
    tickets: Seen,
    /// Tickets that may still be told apart.
    room: usize,
    codes: Names,
    formats: Names,
    outcomes: Names,
    sides: Names,
    queues: Names,
    causes: Names,
    hosts: Names,
    issuers: Names,
    fingerprints: Names,
    prints: BTreeMap<String, Fingerprint>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            records: 0,
            files: 0,
            missing: 0,
            mails: 0,
            tickets: Seen::default(),
            room: TICKETS,
            codes: Names::default(),
            formats: Names::default(),
            outcomes: Names::default(),
            sides: Names::default(),
            queues: Names::default(),
            causes: Names::default(),
            hosts: Names::default(),
            issuers: Names::default(),
            fingerprints: Names::default(),
            prints: BTreeMap::new(),
        }
    }
}

impl Summary {
    /// Counts a record.
    pub fn add(&mut self, record: &Record) {
        let ticket = ticket(record);
        self.records = self.records.saturating_add(1);
        self.files = self.files.saturating_add(u64::from(record.part == 1));
        self.mails = self.mails.saturating_add(u64::from(record.mail.is_some()));
        self.tickets.add(ticket, &mut self.room);
        self.codes.count(record.code.as_str());
        self.queues.count(record.queue.as_str());
        if let Some(format) = &record.format {
            self.formats.count(format);
        }
        if let Some(verdict) = &record.verdict {
            self.outcomes.count(&verdict.outcome);
            self.sides.count(&verdict.side);
        }
        let Some(print) = &record.fingerprint else { return };
        self.causes.count(&print.cause);
        let room = &mut self.room;
        if let Some(host) = &print.host {
            self.hosts.fail(host, &print.cause, ticket, room);
        }
        if let Some(issuer) = &print.issuer {
            self.issuers.fail(issuer, &print.cause, ticket, room);
        }
        if self.fingerprints.fail(&print.id, &print.cause, ticket, room) {
            self.prints.entry(print.id.clone()).or_insert_with(|| print.clone());
        }
    }

    /// Notes files that have no record.
    pub fn miss(&mut self, files: u64) {
        self.missing = self.missing.saturating_add(files);
    }

    /// The summary as one line of JSON.
    pub fn line(&self, version: &str) -> String {
        json::line(&self.document(version))
    }

    /// The summary as pretty printed JSON.
    pub fn json(&self, version: &str) -> String {
        json::pretty(&self.document(version))
    }

    /// The summary as it is written.
    pub fn document(&self, version: &str) -> Document {
        let (fingerprints, other_fingerprints) = self.fingerprints.listed();
        let (causes, other_causes) = self.causes.listed();
        let (hosts, other_hosts) = self.hosts.listed();
        let (issuers, other_issuers) = self.issuers.listed();
        let lost = Code::WorkerLost.as_str();
        Document {
            schema: SCHEMA,
            tool: Tool::new(version),
            records: self.records,
            files: self.files,
            tickets: self.tickets.number(),
            missing: self.missing,
            worker_lost: self.codes.0.get(lost).map_or(0, |one| one.records),
            mails: self.mails,
            codes: self.codes.counts(),
            formats: self.formats.counts(),
            outcomes: self.outcomes.counts(),
            sides: self.sides.counts(),
            queues: self.queues.counts(),
            causes: causes.into_iter().map(|(name, one)| one.count(name)).collect(),
            hosts: hosts.into_iter().map(|(name, one)| one.failing(name)).collect(),
            issuers: issuers.into_iter().map(|(name, one)| one.failing(name)).collect(),
            fingerprints: fingerprints
                .into_iter()
                .filter_map(|(id, one)| {
                    let fingerprint = self.prints.get(id)?.clone();
                    Some(Repeated {
                        fingerprint,
                        records: one.records,
                        tickets: one.tickets.number(),
                    })
                })
                .collect(),
            others: Others {
                causes: other_causes,
                hosts: other_hosts,
                issuers: other_issuers,
                fingerprints: other_fingerprints,
            },
        }
    }
}

/// The ticket of a record.
fn ticket(record: &Record) -> u64 {
    let path = &record.path;
    let is_alone = !record.tree_path.contains('/');
    let folder = path.rfind(['/', '\\']).and_then(|at| path.get(..at));
    let mut hash = DefaultHasher::new();
    folder.filter(|_| !is_alone).unwrap_or(path).hash(&mut hash);
    hash.finish()
}

/// Distinct tickets.
#[derive(Debug, Default)]
struct Seen {
    known: HashSet<u64>,
    last: Option<u64>,
    /// Those that came when there was no room to tell them apart.
    more: u64,
}

impl Seen {
    fn add(&mut self, ticket: u64, room: &mut usize) {
        let is_next = self.last.replace(ticket) != Some(ticket);
        if !is_next || self.known.contains(&ticket) {
            return;
        }
        match room.checked_sub(1) {
            Some(left) => {
                *room = left;
                self.known.insert(ticket);
            }
            None => self.more = self.more.saturating_add(1),
        }
    }

    fn number(&self) -> u64 {
        u64::try_from(self.known.len()).unwrap_or(u64::MAX).saturating_add(self.more)
    }
}

/// What is counted at one name.
#[derive(Debug, Default)]
struct One {
    records: u64,
    tickets: Seen,
    causes: BTreeMap<String, u64>,
}

impl One {
    fn count(&self, name: &str) -> Count {
        Count { name: name.to_owned(), records: self.records }
    }

    fn failing(&self, name: &str) -> Failing {
        let mut causes: Vec<Count> = self
            .causes
            .iter()
            .map(|(cause, records)| Count { name: cause.clone(), records: *records })
            .collect();
        causes.sort_by_key(|one| std::cmp::Reverse(one.records));
        Failing {
            name: name.to_owned(),
            records: self.records,
            tickets: self.tickets.number(),
            causes,
        }
    }
}

/// Names of one kind; those that are too many are counted without their names.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, One>, u64);

impl Names {
    fn one(&mut self, name: &str) -> Option<&mut One> {
        if !self.0.contains_key(name) {
            if self.0.len() >= NAMES {
                self.1 = self.1.saturating_add(1);
                return None;
            }
            self.0.insert(name.to_owned(), One::default());
        }
        let one = self.0.get_mut(name)?;
        one.records = one.records.saturating_add(1);
        Some(one)
    }

    fn count(&mut self, name: &str) {
        self.one(name);
    }

    /// Counts a failure; whether the name is one of those that are counted.
    fn fail(&mut self, name: &str, cause: &str, ticket: u64, room: &mut usize) -> bool {
        let Some(one) = self.one(name) else { return false };
        one.tickets.add(ticket, room);
        if let Some(known) = one.causes.get_mut(cause) {
            *known = known.saturating_add(1);
        } else if one.causes.len() < CAUSES {
            one.causes.insert(cause.to_owned(), 1);
        }
        true
    }

    /// Those in most tickets, then in most records, first; and the records of all others.
    fn listed(&self) -> (Vec<(&str, &One)>, u64) {
        let mut all: Vec<(&str, &One)> =
            self.0.iter().map(|(name, one)| (name.as_str(), one)).collect();
        // The sort keeps the order of the names among equals.
        all.sort_by_key(|(_, one)| std::cmp::Reverse((one.tickets.number(), one.records)));
        let rest = all.split_off(all.len().min(LISTED));
        let rest = rest.iter().fold(0_u64, |sum, (_, one)| sum.saturating_add(one.records));
        (all, self.1.saturating_add(rest))
    }

    fn counts(&self) -> Vec<Count> {
        self.listed().0.into_iter().map(|(name, one)| one.count(name)).collect()
    }
}

/// What many records come to.
///
/// Lists stand in order of their numbers, the largest first. Every field of an object is always there. Within a
/// version fields may be added: a reader passes over those it does not know.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfatrace-triage-summary/1"))]
pub struct Document {
    /// The name of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: &'static str,
    /// What wrote it.
    pub tool: Tool,
    /// Records.
    pub records: u64,
    /// Files that have records.
    pub files: u64,
    /// Tickets: folders that the files lie in.
    pub tickets: u64,
    /// Files without a record.
    pub missing: u64,
    /// Records of files whose process was lost.
    pub worker_lost: u64,
    /// Mails to customers that are ready.
    pub mails: u64,
    /// Records by what became of them.
    pub codes: Vec<Count>,
    /// Records by the format of their captures.
    pub formats: Vec<Count>,
    /// Records by how the attempt ended.
    pub outcomes: Vec<Count>,
    /// Records by whose matter it is.
    pub sides: Vec<Count>,
    /// Records by who should look at them.
    pub queues: Vec<Count>,
    /// Failures by their cause: a rule, or the outcome where no rule names it.
    pub causes: Vec<Count>,
    /// Failures by host.
    pub hosts: Vec<Failing>,
    /// Failures by who issued the certificate that came instead of the one that was due.
    pub issuers: Vec<Failing>,
    /// Failures by fingerprint.
    pub fingerprints: Vec<Repeated>,
    /// Failures with names that are not listed.
    pub others: Others,
}

/// A name and how often it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "count"))]
pub struct Count {
    /// The name.
    pub name: String,
    /// Records that have it.
    pub records: u64,
}

/// Something that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "failing"))]
pub struct Failing {
    /// Its name.
    pub name: String,
    /// Records in which it fails.
    pub records: u64,
    /// Tickets in which it fails.
    pub tickets: u64,
    /// These records by their cause.
    pub causes: Vec<Count>,
}

/// A fault that is there again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "repeated"))]
pub struct Repeated {
    /// What they have in common.
    pub fingerprint: Fingerprint,
    /// Records with it.
    pub records: u64,
    /// Tickets with it.
    pub tickets: u64,
}

/// Failures with names that are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "others"))]
pub struct Others {
    /// Causes.
    pub causes: u64,
    /// Hosts.
    pub hosts: u64,
    /// Issuers.
    pub issuers: u64,
    /// Fingerprints.
    pub fingerprints: u64,
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn summary(records: &[Record]) -> Summary {
        let mut summary = Summary::default();
        for record in records {
            summary.add(record);
        }
        summary
    }

    #[test]
    fn the_same_host_in_many_tickets_stands_out() {
        let mut records: Vec<Record> = (0..6)
            .flat_map(|ticket| {
                [
                    samples::network(&format!("{ticket}/a.saz")),
                    samples::network(&format!("{ticket}/b.har")),
                ]
            })
            .collect();
        records.push(samples::denied("7/a.saz"));
        records.push(samples::picture("7/b.png"));
        records.push(samples::worker_lost("c.pcap"));
        let document = summary(&records).document("0");
        assert_eq!((document.records, document.files, document.tickets), (15, 15, 8));
        assert_eq!((document.worker_lost, document.missing, document.mails), (1, 0, 0));
        let host = &document.hosts[0];
        assert_eq!((host.name.as_str(), host.records, host.tickets), ("aadcdn.msauth.net", 12, 6));
        assert_eq!(host.causes, [Count { name: "TCP003".into(), records: 12 }]);
        let first = &document.fingerprints[0];
        assert_eq!((first.fingerprint.cause.as_str(), first.tickets), ("TCP003", 6));
        assert_eq!(document.queues[0], Count { name: "network".into(), records: 12 });
        assert_eq!(document.sides.len(), 2, "a file without an answer has no side");
    }

    #[test]
    fn the_order_of_records_changes_nothing() {
        let mut records: Vec<Record> = (0..9)
            .map(|at| match at % 3 {
                0 => samples::network(&format!("{at}/x/a.saz")),
                1 => samples::denied(&format!("{}/a.saz", at / 2)),
                _ => samples::network(&format!("{at}.saz")),
            })
            .collect();
        let one = summary(&records).json("0");
        records.reverse();
        records.rotate_left(2);
        assert_eq!(summary(&records).json("0"), one);
    }

    #[test]
    fn a_file_by_itself_is_a_ticket() {
        let of = |all: &[&str]| {
            let records: Vec<Record> = all.iter().map(|path| samples::denied(path)).collect();
            summary(&records).document("0").tickets
        };
        assert_eq!(of(&["a.har", "b.har"]), 2);
        assert_eq!(of(&["a.har", "a.har"]), 1, "parts of one file");
        assert_eq!(of(&["1/a.har", "1/x/c.har", "1/z.har"]), 2);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_counted() {
        let mut summary = Summary { room: 5, ..Summary::default() };
        let mut record = samples::network("x");
        for at in 0..(NAMES + 10) {
            record.path = format!("/t/{at}/a");
            record.tree_path = format!("{at}/a");
            if let Some(print) = &mut record.fingerprint {
                print.host = Some(format!("h{at}.example"));
                print.id = format!("{at:016x}");
            }
            summary.add(&record);
        }
        assert_eq!(summary.hosts.0.len(), NAMES);
        assert_eq!(summary.prints.len(), NAMES);
        assert_eq!(
            summary.tickets.number(),
            u64::try_from(NAMES + 10).unwrap(),
            "they follow upon each other"
        );
        let document = summary.document("0");
        assert_eq!(document.hosts.len(), LISTED);
        let told: u64 = document.hosts.iter().map(|one| one.records).sum();
        assert_eq!(told + document.others.hosts, document.records);
    }
}
