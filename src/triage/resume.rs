//! What an earlier run recorded, so that it is not done again.
//!
//! A record is known by its path in the tree, the hash of its file, the version and the options. It must not know how
//! records are made.
//!
//! Invariants: a line that was torn when the run was killed counts as not written; a file counts as recorded only with
//! all of its records.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, BufRead};

use super::job::{Reported, short_hash};
use crate::evidence::Format;
use crate::limits;
use crate::report::triage::{Beside, Record, SCHEMA};

/// Why earlier results cannot be used.
#[derive(Debug)]
pub enum ResumeError {
    /// They cannot be read.
    Read(io::Error),
    /// A line, by its number from 1, is no record of triage.
    NoRecord(u64),
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "{}", error.kind()),
            Self::NoRecord(line) => {
                write!(f, "line {line} is no record of triage; give the NDJSON of an earlier run")
            }
        }
    }
}

impl std::error::Error for ResumeError {}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What was written of each file, by its key. What is taken from here is taken once.
    files: HashMap<u128, Vec<Entry>>,
    /// Paths in the tree, so that no file is hashed for nothing.
    paths: HashSet<u128>,
    /// Records that were read.
    pub count: u64,
    /// Bytes up to the end of the last whole line.
    pub whole: u64,
}

/// A record of a file, or one that names the file beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The key of the record.
    key: u128,
    part: u32,
    parts: u32,
    /// Hash of the path at which the file was found.
    path: u128,
    /// Whether that path is among what is looked through again: then no other file has this entry. Of a tree that moved it is
    /// not, and what is the same in the tree is the same.
    is_here: bool,
}

impl Entry {
    fn is_of(&self, path: u128) -> bool {
        self.path == path || !self.is_here
    }
}

/// A file as it is looked for.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) path: String,
    pub(super) tree_path: String,
    pub(super) sha256: Option<String>,
}

/// The key of a file.
fn file(tree_path: &str, sha256: Option<&str>, version: &str, options: &str) -> u128 {
    short_hash(&[Some("file"), Some(tree_path), sha256, Some(version), Some(options)])
}

/// The key of a record.
fn key(record: &Record) -> u128 {
    let part = record.part.to_string();
    let mut parts = vec![
        Some(record.tree_path.as_str()),
        record.member.as_deref(),
        record.sha256.as_deref(),
        Some(&record.tool.version),
        Some(&record.options),
        Some(&part),
    ];
    for one in &record.beside {
        parts.extend([Some(one.tree_path.as_str()), one.member.as_deref(), one.sha256.as_deref()]);
    }
    short_hash(&parts)
}

impl Recorded {
    /// Reads the results of an earlier run, and gives each record to `each`; `is_here` says whether a path is among what is
    /// looked through again.
    pub fn read(
        mut stream: impl BufRead,
        is_here: impl Fn(&str) -> bool,
        mut each: impl FnMut(&Record),
    ) -> Result<Self, ResumeError> {
        let mut recorded = Self::default();
        let limit = u64::try_from(limits::TRIAGE_LINE).unwrap_or(u64::MAX);
        for number in 1_u64.. {
            let mut line = Vec::new();
            let mut piece = io::Read::take(&mut stream, limit);
            piece.read_until(b'\n', &mut line).map_err(ResumeError::Read)?;
            if line.last() != Some(&b'\n') {
                // The end, or what was being written when the run was killed.
                let is_torn = u64::try_from(line.len()).unwrap_or(u64::MAX) < limit;
                return if is_torn { Ok(recorded) } else { Err(ResumeError::NoRecord(number)) };
            }
            let record: Record =
                serde_json::from_slice(&line).map_err(|_| ResumeError::NoRecord(number))?;
            if record.schema != SCHEMA {
                return Err(ResumeError::NoRecord(number));
            }
            recorded.add(&record, &is_here);
            each(&record);
            let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
            recorded.whole = recorded.whole.saturating_add(length);
        }
        Ok(recorded)
    }

    fn add(&mut self, record: &Record, is_here: &impl Fn(&str) -> bool) {
        self.count = self.count.saturating_add(1);
        for (path, tree_path, sha256, mut entry) in entries(record) {
            entry.is_here = is_here(path);
            self.paths.insert(short_hash(&[Some(tree_path)]));
            let key = file(tree_path, sha256, &record.tool.version, &record.options);
            self.files.entry(key).or_default().push(entry);
        }
    }

    /// Whether something was recorded of a path.
    pub(super) fn has_path(&self, tree_path: &str) -> bool {
        self.paths.contains(&short_hash(&[Some(tree_path)]))
    }

    /// Takes files out of what was recorded, if all of them are in it with all of their records.
    pub(super) fn take_files(&mut self, files: &[Sought], version: &str, options: &str) -> bool {
        let mut left: HashMap<u128, Vec<Entry>> = HashMap::new();
        for Sought { path, tree_path, sha256 } in files {
            let path = short_hash(&[Some(path)]);
            let key = file(tree_path, sha256.as_deref(), version, options);
            let known = || self.files.get(&key).cloned().unwrap_or_default();
            // Files that are shown by one name count one by one.
            let entries = left.entry(key).or_insert_with(known);
            let own = entries.iter().find(|one| one.is_of(path));
            let Some(parts) = own.map(|entry| entry.parts) else { return false };
            for part in 1..=parts {
                let is_it = |one: &Entry| (one.part, one.parts) == (part, parts);
                let Some(at) = position(entries, path, is_it) else { return false };
                entries.remove(at);
            }
        }
        self.files.extend(left);
        true
    }

    /// Takes a record out of what was recorded, if it is in it.
    pub(super) fn take_record(&mut self, reported: &Reported) -> bool {
        let record = &reported.record;
        let mut is_there = false;
        for (_, tree_path, sha256, entry) in entries(record) {
            let key = file(tree_path, sha256, &record.tool.version, &record.options);
            let Some(entries) = self.files.get_mut(&key) else { continue };
            let is_it = |one: &Entry| {
                (one.key, one.part, one.parts) == (entry.key, entry.part, entry.parts)
            };
            if let Some(at) = position(entries, entry.path, is_it) {
                entries.remove(at);
                is_there = true;
            }
        }
        is_there
    }
}

/// Where an entry of a path stands: one of that path before one of a tree that moved.
fn position(entries: &[Entry], path: u128, is_it: impl Fn(&Entry) -> bool) -> Option<usize> {
    let own = entries.iter().position(|one| one.path == path && is_it(one));
    own.or_else(|| entries.iter().position(|one| one.is_of(path) && is_it(one)))
}

/// The files that a record is about, with what is known of each by it: its own first.
fn entries(record: &Record) -> Vec<(&str, &str, Option<&str>, Entry)> {
    let key = key(record);
    let entry = |path: &str, part, parts| Entry {
        key,
        part,
        parts,
        path: short_hash(&[Some(path)]),
        is_here: false,
    };
    let own = entry(&record.path, record.part, record.parts.max(1));
    let mut all =
        vec![(record.path.as_str(), record.tree_path.as_str(), record.sha256.as_deref(), own)];
    let is_key_log = |one: &&Beside| one.format.as_deref() == Some(Format::KeyLog.as_str());
    // A key log has its own record.
    for one in record.beside.iter().filter(|one| !is_key_log(one)) {
        // Another capture of a file that is named already is told by the record as well.
        let file = (one.path.as_str(), one.sha256.as_deref());
        if all.iter().all(|(path, _, sha256, _)| (*path, *sha256) != file) {
            all.push((file.0, &one.tree_path, file.1, entry(file.0, 1, 1)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::triage::{Attachment, Code, RecordOptions, routing};

    fn line(tree_path: &str, part: u32, parts: u32, beside: &str) -> String {
        let words = routing::Words::builtin();
        let options = RecordOptions {
            redaction: crate::evidence::Redaction::Secrets,
            options: "o",
            words: &words,
            with_report: false,
            version: "1",
        };
        let attachment = Attachment {
            path: tree_path.to_owned(),
            tree_path: tree_path.to_owned(),
            sha256: Some("a".to_owned()),
            ..Attachment::default()
        };
        let routing = routing::lost(Code::NotOpened, &attachment, &words);
        let mut record = Record::without_analysis(&attachment, options, Code::NotOpened, routing);
        (record.part, record.parts) = (part, parts);
        if !beside.is_empty() {
            record.beside.push(Beside {
                path: beside.to_owned(),
                tree_path: beside.to_owned(),
                member: None,
                sha256: Some("b".to_owned()),
                bytes: None,
                format: None,
            });
        }
        record.line()
    }

    fn recorded(text: &str) -> Recorded {
        let mut count = 0;
        let recorded = Recorded::read(text.as_bytes(), |path| path == "x", |_| count += 1).unwrap();
        assert_eq!(recorded.count, count);
        recorded
    }

    fn file(path: &str, hash: &str) -> Sought {
        let (path, hash) = (path.to_owned(), Some(hash.to_owned()));
        Sought { tree_path: path.clone(), path, sha256: hash }
    }

    #[test]
    fn a_torn_line_was_not_written() {
        let whole = line("x", 1, 1, "");
        let text = format!("{whole}{}", whole.trim_end());
        let mut recorded = recorded(&text);
        assert_eq!((recorded.count, recorded.whole), (1, whole.len() as u64));
        assert!(recorded.has_path("x") && !recorded.has_path("y"));
        assert!(!recorded.take_files(&[file("x", "b")], "1", "o"), "another file");
        assert!(!recorded.take_files(&[file("x", "a")], "2", "o"), "another version");
        assert!(!recorded.take_files(&[file("x", "a")], "1", "p"), "other options");
        assert!(recorded.take_files(&[file("x", "a")], "1", "o"));
        assert!(!recorded.take_files(&[file("x", "a")], "1", "o"), "it was recorded once");
    }

    #[test]
    fn a_file_is_recorded_with_all_of_its_records() {
        let half = line("x", 1, 2, "");
        assert!(!recorded(&half).take_files(&[file("x", "a")], "1", "o"));
        let whole = half + &line("x", 2, 2, "");
        assert!(recorded(&whole).take_files(&[file("x", "a")], "1", "o"));
    }

    #[test]
    fn a_tree_may_move_and_two_trees_are_two() {
        let other = || Sought { path: "other/x".into(), ..file("x", "a") };
        // The recorded path is looked through again: what is elsewhere is another file.
        assert!(!recorded(&line("x", 1, 1, "")).take_files(&[other()], "1", "o"));
        let text = line("x", 1, 1, "");
        let mut moved = Recorded::read(text.as_bytes(), |_| false, |_| {}).unwrap();
        assert!(moved.take_files(&[other()], "1", "o"));
    }

    #[test]
    fn files_of_one_name_count_one_by_one() {
        let one = line("x", 1, 1, "");
        let two = [file("x", "a"), file("x", "a")];
        assert!(!recorded(&one).take_files(&two, "1", "o"));
        assert!(recorded(&one.repeat(2)).take_files(&two, "1", "o"));
        // What one unit took is no more there for another.
        let mut taken = recorded(&one);
        let again =
            Reported { record: serde_json::from_str(&one).unwrap(), rows: None, member: None };
        assert!(taken.take_files(&two[..1], "1", "o") && !taken.take_record(&again));
        let mut taken = recorded(&one);
        assert!(taken.take_record(&again) && !taken.take_files(&two[..1], "1", "o"));
    }

    #[test]
    fn what_lies_beside_is_recorded_with_it() {
        let mut recorded = recorded(&line("x", 1, 1, "y"));
        assert!(!recorded.take_files(&[file("x", "a"), file("z", "a")], "1", "o"));
        assert!(recorded.take_files(&[file("x", "a"), file("y", "b")], "1", "o"));
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let wrong =
            |text: &str| Recorded::read(text.as_bytes(), |_| true, |_| {}).unwrap_err().to_string();
        assert!(wrong("{}\n").contains("line 1"));
        let other = line("x", 1, 1, "").replace(SCHEMA, "mfatrace/1");
        assert!(wrong(&(line("x", 1, 1, "") + &other)).contains("line 2"));
        assert_eq!(recorded("").count, 0);
    }
}
