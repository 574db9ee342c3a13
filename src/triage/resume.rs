//! What an earlier run recorded, so that it is not done again.
//!
//! A record is known by its path in the tree, the hash of its file, the version and the options. It must not know how
//! records are made.
//!
//! Invariants: a line that was torn when the run was killed counts as not written; a file counts as recorded only with
//! all of its records.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead};

use super::job::{Reported, short_hash};
use crate::limits;
use crate::report::triage::{Record, SCHEMA};

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
    /// How often each record was written.
    records: HashMap<u128, u32>,
    /// Of each file how many of its records were written, and how many there are.
    files: HashMap<u128, (u32, u32)>,
    /// Paths in the tree, so that no file is hashed for nothing.
    paths: HashMap<u128, u32>,
    /// Records that were read.
    pub count: u64,
    /// Bytes up to the end of the last whole line.
    pub whole: u64,
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
    /// Reads the results of an earlier run, and gives each record to `each`.
    pub fn read(
        mut stream: impl BufRead,
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
            recorded.add(&record);
            each(&record);
            let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
            recorded.whole = recorded.whole.saturating_add(length);
        }
        Ok(recorded)
    }

    fn add(&mut self, record: &Record) {
        self.count = self.count.saturating_add(1);
        add(&mut self.records, key(record));
        let (version, options) = (&record.tool.version, &record.options);
        let mut note = |tree_path: &str, sha256: Option<&str>, parts: u32| {
            add(&mut self.paths, short_hash(&[Some(tree_path)]));
            let seen = self.files.entry(file(tree_path, sha256, version, options)).or_default();
            *seen = (seen.0.saturating_add(1), parts.max(1));
        };
        note(&record.tree_path, record.sha256.as_deref(), record.parts);
        for one in &record.beside {
            // Another capture of the same file is told by the record itself.
            if one.tree_path != record.tree_path {
                note(&one.tree_path, one.sha256.as_deref(), 1);
            }
        }
    }

    /// Whether something was recorded of a path.
    pub(super) fn has_path(&self, tree_path: &str) -> bool {
        self.paths.contains_key(&short_hash(&[Some(tree_path)]))
    }

    /// Takes files out of what was recorded, if all of them are in it with all of their records.
    pub(super) fn take_files(
        &mut self,
        files: &[(String, Option<String>)],
        version: &str,
        options: &str,
    ) -> bool {
        let keys: Vec<u128> = files
            .iter()
            .map(|(tree_path, sha256)| file(tree_path, sha256.as_deref(), version, options))
            .collect();
        let is_whole = |key: &u128| self.files.get(key).is_some_and(|(seen, parts)| seen >= parts);
        if !keys.iter().all(is_whole) {
            return false;
        }
        for key in keys {
            if let Some((seen, parts)) = self.files.get_mut(&key) {
                *seen = seen.saturating_sub(*parts);
            }
        }
        true
    }

    /// Takes a record out of what was recorded, if it is in it.
    pub(super) fn take_record(&mut self, reported: &Reported) -> bool {
        match self.records.get_mut(&key(&reported.record)) {
            Some(count) if *count > 0 => {
                *count = count.saturating_sub(1);
                true
            }
            _ => false,
        }
    }
}

fn add(counts: &mut HashMap<u128, u32>, key: u128) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::triage::{Attachment, Beside, Code, RecordOptions, routing};

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
        let recorded = Recorded::read(text.as_bytes(), |_| count += 1).unwrap();
        assert_eq!(recorded.count, count);
        recorded
    }

    fn file(path: &str, hash: &str) -> (String, Option<String>) {
        (path.to_owned(), Some(hash.to_owned()))
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
    fn what_lies_beside_is_recorded_with_it() {
        let mut recorded = recorded(&line("x", 1, 1, "y"));
        assert!(!recorded.take_files(&[file("x", "a"), file("z", "a")], "1", "o"));
        assert!(recorded.take_files(&[file("x", "a"), file("y", "b")], "1", "o"));
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let wrong = |text: &str| Recorded::read(text.as_bytes(), |_| {}).unwrap_err().to_string();
        assert!(wrong("{}\n").contains("line 1"));
        let other = line("x", 1, 1, "").replace(SCHEMA, "mfatrace/1");
        assert!(wrong(&(line("x", 1, 1, "") + &other)).contains("line 2"));
        assert_eq!(recorded("").count, 0);
    }
}
