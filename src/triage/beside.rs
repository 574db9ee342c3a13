//! Which captures tell of the same sign-in: packets beside a HTTP trace of the same time.
//!
//! Decided by the records of the captures: their formats, times and places. It must not read a capture.
//!
//! Invariants: captures are joined only where they lie in one folder, of a disk or of an archive, and either share their
//! name or are few; a capture belongs to one case.

use std::collections::{BTreeMap, BTreeSet};

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
    is_saz: bool,
    /// The path of it, also inside an archive.
    whole: String,
    place: String,
    stem: String,
    span: Option<(Timestamp, Timestamp)>,
}

/// The cases of more than one capture among these records, each as their numbers in order.
///
/// Keys open every packet capture beside them, and so may be in several cases; any other capture is in one.
pub(super) fn cases(records: &[&Record]) -> Vec<Vec<usize>> {
    let mut items: Vec<Item> = records.iter().enumerate().filter_map(item).collect();
    // What was put into a Fiddler archive, or beside the sessions of an unpacked one, is beside it.
    let places: BTreeSet<String> = items.iter().map(|item| item.place.clone()).collect();
    for item in items.iter_mut().filter(|item| item.is_saz) {
        let inside = [item.whole.clone(), format!("{}!", item.whole)];
        if let Some(place) = inside.into_iter().find(|place| places.contains(place)) {
            item.place = place;
        }
    }
    let mut crowd: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &items {
        let count = crowd.entry(&item.place).or_default();
        *count = count.saturating_add(1);
    }
    let few = |place: &str| crowd.get(place).is_some_and(|count| *count <= limits::TRIAGE_BESIDE);
    let of = |sort: Sort| items.iter().filter(move |item| item.sort == sort);
    let is_beside = |one: &Item, other: &Item| {
        one.place == other.place && (one.stem == other.stem || few(&one.place))
    };
    // The HTTP traces that may be of the time of a packet capture: those of its name before others.
    let traces = |packets: &Item| -> Vec<&Item> {
        let all: Vec<&Item> =
            of(Sort::Http).filter(|one| is_beside(packets, one) && packets.covers(one)).collect();
        let named: Vec<&Item> =
            all.iter().copied().filter(|one| one.stem == packets.stem).collect();
        if named.is_empty() { all } else { named }
    };
    let mut cases = Vec::new();
    for packets in of(Sort::Packets) {
        let http = match traces(packets).as_slice() {
            // Of two traces nobody can tell which it is, and neither where two packet captures claim one.
            [one]
                if of(Sort::Packets)
                    .filter(|other| traces(other).iter().any(|two| two.index == one.index))
                    .count()
                    == 1 =>
            {
                Some(one.index)
            }
            _ => None,
        };
        let keys: Vec<&Item> = of(Sort::Keys).filter(|one| is_beside(packets, one)).collect();
        let named: Vec<&Item> =
            keys.iter().copied().filter(|one| one.stem == packets.stem).collect();
        let keys = if named.is_empty() { keys } else { named };
        let mut case: Vec<usize> = keys.iter().map(|one| one.index).collect();
        case.extend(http);
        if !case.is_empty() && case.len() < limits::TRIAGE_BESIDE {
            case.push(packets.index);
            case.sort_unstable();
            cases.push(case);
        }
    }
    cases
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
    let (place, stem) = (place.to_owned(), stem(name).to_owned());
    let is_saz = record.format.as_deref() == Some("saz");
    Some(Item { index, sort, is_saz, whole, place, stem, span })
}

impl Item {
    /// Whether packets are of a time in which something of a trace was. A stretch of days is that of a damaged time, or of a
    /// capture that nobody took for this sign-in.
    fn covers(&self, trace: &Self) -> bool {
        self.span.zip(trace.span).is_some_and(|((a, b), (c, d))| {
            a <= d && c <= b && b.since(a) <= LONGEST && d.since(c) <= LONGEST
        })
    }
}

/// The longest capture that is joined with another one.
const LONGEST: std::time::Duration = std::time::Duration::from_hours(24);

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
        let other = ("t/other.har", "har", "10:00-10:05");
        let packets = ("t/p.pcapng", "pcapng", "09:59-10:01");
        assert!(joined(&[http, other, packets]).is_empty(), "nobody can tell which");
        let named = ("t/trace.pcapng", "pcapng", "09:59-10:01");
        assert_eq!(joined(&[http, other, named]), [[0, 2]]);
        assert!(joined(&[http, packets, ("t/q.pcap", "pcap", "09:59-10:01")]).is_empty());
        let one = ("t/1.pcap", "pcap", "");
        let two = ("t/2.pcap", "pcap", "");
        assert_eq!(joined(&[one, two, ("t/k", "key_log", "")]), [[0, 2], [1, 2]]);
        let keys = [("t/1.pcap.keylog", "key_log", ""), ("t/2.keys", "key_log", "")];
        assert_eq!(joined(&[one, two, keys[0], keys[1]]), [[0, 2], [1, 3]]);
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
    fn packets_in_a_fiddler_archive_are_beside_its_sessions() {
        let (packets, sessions) = (("a.saz!p.pcap", "pcap"), ("a.saz", "saz"));
        let at = |(path, format)| (path, format, "10:00-10:05");
        assert_eq!(joined(&[at(sessions), at(packets)]), [[0, 1]]);
        assert_eq!(joined(&[at(("b.zip!X", "saz")), at(("b.zip!X/p.pcap", "pcap"))]), [[0, 1]]);
        assert_eq!(joined(&[at(("b.zip!X", "saz")), at(("b.zip!p.pcap", "pcap"))]), [[0, 1]]);
        assert!(joined(&[at(("c.saz", "saz")), at(packets)]).is_empty());
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
