//! Which captures tell of the same sign-in: packets beside a HTTP trace of the same time.
//!
//! Decided by the records of the captures: their formats, times and places. It must not read a capture.
//!
//! Invariants: captures are joined only where they lie in one folder, of a disk or of an archive, and either share their
//! name or are few; a capture belongs to one case.

use std::collections::BTreeMap;

use super::find::stem;
use crate::limits;
use crate::report::triage::Record;
use crate::time::Timestamp;

/// What a record is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Http,
    Keys,
    Packets,
}

struct Item {
    index: usize,
    sort: Sort,
    place: String,
    stem: String,
    span: Option<(Timestamp, Timestamp)>,
}

/// The cases of more than one capture among these records, each as their numbers in order.
pub(super) fn cases(records: &[&Record]) -> Vec<Vec<usize>> {
    let items: Vec<Item> = records.iter().enumerate().filter_map(item).collect();
    let mut crowd: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &items {
        let count = crowd.entry(&item.place).or_default();
        *count = count.saturating_add(1);
    }
    let few = |place: &str| crowd.get(place).is_some_and(|count| *count <= limits::TRIAGE_BESIDE);
    // Each item's case is named by its first item.
    let mut case: Vec<usize> = (0..items.len()).collect();
    for (i, one) in items.iter().enumerate() {
        for (j, other) in items.iter().enumerate().skip(i.saturating_add(1)) {
            let is_beside = one.place == other.place && (one.stem == other.stem || few(&one.place));
            if is_beside && belong(one, other) {
                let (kept, gone) = match (case.get(i), case.get(j)) {
                    (Some(a), Some(b)) => (*a.min(b), *a.max(b)),
                    _ => continue,
                };
                for name in case.iter_mut().filter(|name| **name == gone) {
                    *name = kept;
                }
            }
        }
    }
    let mut cases: BTreeMap<usize, Vec<&Item>> = BTreeMap::new();
    for (item, name) in items.iter().zip(&case) {
        cases.entry(*name).or_default().push(item);
    }
    let whole = |case: &Vec<&Item>| {
        let has = |sort| case.iter().any(|item| item.sort == sort);
        has(Sort::Packets)
            && (has(Sort::Http) || has(Sort::Keys))
            && case.len() <= limits::TRIAGE_BESIDE
    };
    cases
        .into_values()
        .filter(whole)
        .map(|case| case.iter().map(|item| item.index).collect())
        .collect()
}

fn item((index, record): (usize, &&Record)) -> Option<Item> {
    let sort = match record.format.as_deref()? {
        "har" | "saz" => Sort::Http,
        "key_log" => Sort::Keys,
        "pcap" | "pcapng" => Sort::Packets,
        _ => return None,
    };
    if sort != Sort::Keys && !record.code.is_judged() {
        return None;
    }
    let time = |text: &Option<String>| Some(Timestamp::parse(text.as_deref()?)?.0);
    let span = time(&record.first).zip(time(&record.last));
    let whole = match &record.member {
        Some(member) => format!("{}!/{member}", record.tree_path),
        None => record.tree_path.clone(),
    };
    let (place, name) = whole.rsplit_once('/').unwrap_or(("", &whole));
    Some(Item { index, sort, place: place.to_owned(), stem: stem(name).to_owned(), span })
}

/// Whether two captures belong to one case: packets and a HTTP trace of a time they share, or packets and keys.
fn belong(one: &Item, other: &Item) -> bool {
    match (one.sort, other.sort) {
        (Sort::Packets, Sort::Http) | (Sort::Http, Sort::Packets) => {
            one.span.zip(other.span).is_some_and(|((a, b), (c, d))| a <= d && c <= b)
        }
        (Sort::Packets, Sort::Keys) | (Sort::Keys, Sort::Packets) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::triage::{Attachment, Code, RecordOptions, routing};

    fn record(tree_path: &str, format: &str, span: &str) -> Record {
        let words = routing::Words::builtin();
        let options = RecordOptions {
            redaction: crate::evidence::Redaction::Secrets,
            options: "",
            words: &words,
            with_report: false,
            version: "0",
        };
        let attachment = Attachment::default();
        let routing = routing::lost(Code::Analysed, &attachment, &words);
        let mut record = Record::without_analysis(&attachment, options, Code::Analysed, routing);
        let (path, member) = match tree_path.split_once('!') {
            Some((path, member)) => (path, Some(member.to_owned())),
            None => (tree_path, None),
        };
        (record.tree_path, record.member) = (path.to_owned(), member);
        record.format = Some(format.to_owned());
        if let Some((first, last)) = span.split_once('-') {
            record.first = Some(format!("2030-01-01T{first}:00Z"));
            record.last = Some(format!("2030-01-01T{last}:00Z"));
        }
        record
    }

    fn joined(records: &[(&str, &str, &str)]) -> Vec<Vec<usize>> {
        let records: Vec<Record> =
            records.iter().map(|(path, format, span)| record(path, format, span)).collect();
        cases(&records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn packets_join_a_http_trace_of_their_time_in_their_folder() {
        let http = ("t/trace.har", "har", "10:00-10:05");
        assert_eq!(joined(&[http, ("t/p.pcapng", "pcapng", "09:59-10:01")]), [[0, 1]]);
        assert!(joined(&[http, ("t/p.pcapng", "pcapng", "10:06-10:07")]).is_empty());
        assert!(joined(&[http, ("u/p.pcapng", "pcapng", "09:59-10:01")]).is_empty());
        assert!(joined(&[http, ("t/p.pcapng", "pcapng", "")]).is_empty());
        assert!(joined(&[http, ("t/p.saz", "saz", "09:59-10:01")]).is_empty());
        assert_eq!(joined(&[("t/p.pcap", "pcap", ""), ("t/k", "key_log", "")]), [[0, 1]]);
        assert!(joined(&[http, ("t/k", "key_log", "")]).is_empty());
    }

    #[test]
    fn members_of_an_archive_are_beside_each_other_there() {
        let inside = ("a.zip!x/trace.saz", "saz", "10:00-10:05");
        assert_eq!(joined(&[inside, ("a.zip!x/p.pcap", "pcap", "10:00-10:01")]), [[0, 1]]);
        assert!(joined(&[inside, ("a.zip!p.pcap", "pcap", "10:00-10:01")]).is_empty());
        assert!(joined(&[inside, ("b.zip!x/p.pcap", "pcap", "10:00-10:01")]).is_empty());
    }

    #[test]
    fn in_a_crowd_only_one_name_joins() {
        let names: Vec<String> = (0..9).map(|n| format!("t/{n}.har")).collect();
        let mut all: Vec<(&str, &str, &str)> =
            names.iter().map(|name| (name.as_str(), "har", "10:00-10:05")).collect();
        all.push(("t/3.pcapng", "pcapng", "10:00-10:05"));
        assert_eq!(joined(&all), [[3, 9]]);
    }

    #[test]
    fn what_was_not_judged_is_not_joined() {
        let mut lost = record("t/p.pcapng", "pcapng", "10:00-10:05");
        lost.code = Code::Unreadable;
        let http = record("t/trace.har", "har", "10:00-10:05");
        assert!(cases(&[&http, &lost]).is_empty());
    }
}
