//! What a worker is told: once how to work, then one job after the other.
//!
//! A line of JSON each, through a pipe and not in arguments, since passwords are among it. It must not know how a
//! worker is run.
//!
//! Invariant: a path arrives as it was, whatever its encoding.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Together;
use crate::analyze::hash_of;
use crate::evidence::{Format, Redaction};
use crate::limits::Limits;
use crate::report::triage::rows::Rows;
use crate::report::triage::{Attachment, Record};

/// How every job is done.
#[derive(Clone, Serialize, Deserialize)]
pub struct Setup {
    /// The bounds.
    pub limits: Limits,
    /// How users are shown.
    pub shape: Shape,
    /// Passwords to try on protected archives.
    pub passwords: Vec<String>,
    /// Files with secrets of TLS.
    pub(super) key_logs: Vec<OsPath>,
    /// Wording in place of the built-in one, as it stands in its file.
    pub words: Option<String>,
    /// When to stop reading a file, and to judge by what was read.
    pub timeout: Option<Duration>,
    /// Hash of the options that change a record.
    pub options: String,
}

impl fmt::Debug for Setup {
    /// Passwords are counted and not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("shape", &self.shape)
            .field("passwords", &self.passwords.len())
            .field("key_logs", &self.key_logs.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Whether users are shown in full, masked, or as numbers.
    users: Users,
    /// Whether the whole report belongs into it.
    pub with_report: bool,
    /// Whether the rows of tables are made beside it.
    pub with_rows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Users {
    Full,
    Masked,
    Numbered,
}

impl Shape {
    /// A record in a redaction, without anything that has to be asked for.
    pub const fn new(redaction: Redaction) -> Self {
        let users = match redaction {
            Redaction::None => Users::Full,
            Redaction::Secrets => Users::Masked,
            Redaction::Strict => Users::Numbered,
        };
        Self { users, with_report: false, with_rows: false }
    }

    /// How users are shown.
    pub const fn redaction(self) -> Redaction {
        match self.users {
            Users::Full => Redaction::None,
            Users::Masked => Redaction::Secrets,
            Users::Numbered => Redaction::Strict,
        }
    }
}

impl Setup {
    /// The defaults: users masked, no limit of time.
    pub fn new(limits: Limits, shape: Shape) -> Self {
        Self {
            limits,
            shape,
            passwords: Vec::new(),
            key_logs: Vec::new(),
            words: None,
            timeout: None,
            options: String::new(),
        }
    }

    /// Names files with secrets of TLS.
    pub fn set_key_logs(&mut self, paths: &[PathBuf]) {
        self.key_logs = paths.iter().map(|path| OsPath::of(path)).collect();
    }

    /// Sets the hash of everything that changes a record: of two runs with the same one, equal files have equal records.
    /// Passwords are counted only, since a hash of one could be looked up.
    pub fn seal(&mut self, together: Together) {
        let Limits {
            input,
            buffered,
            expanded,
            expanded_packets,
            ratio,
            body,
            har_entry,
            archive_depth,
        } = &self.limits;
        let whole = AtomicBool::new(false);
        let hash = |path: &OsPath| hash_of(&path.path(), &whole);
        let keys: Vec<Option<String>> = self.key_logs.iter().map(hash).collect();
        let words = self.words.as_deref().map(|words| short_hash(&[Some(words)]));
        let all = format!(
            "{together:?} {:?} {:?} {:?} {} {keys:?} {words:?} {input:?} {buffered} {expanded} \
             {expanded_packets} {ratio} {body} {har_entry} {archive_depth}",
            self.shape.users,
            self.shape.with_report,
            self.timeout,
            self.passwords.len(),
        );
        let hash = format!("{:032x}", short_hash(&[Some(&all)]));
        self.options = hash.chars().take(DIGITS).collect();
    }
}

/// Hexadecimal digits of the hash of options.
const DIGITS: usize = 16;

/// A hash by which texts are known again; what is not there differs from an empty text.
pub(super) fn short_hash(parts: &[Option<&str>]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        let length = part.map_or(u64::MAX, |text| u64::try_from(text.len()).unwrap_or(u64::MAX));
        hash.update(length.to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte))
}

/// One thing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) files: Vec<JobFile>,
    pub(super) how: How,
}

/// How the captures of a job become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum How {
    /// Each capture in the only file is a record.
    Each,
    /// The only file is hashed.
    Hash,
    /// All of them are one record.
    Together,
}

/// A file of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobFile {
    pub(super) path: OsPath,
    pub(super) attachment: Attachment,
    /// The captures in it that are meant; all where none are named.
    pub(super) members: Vec<String>,
}

/// What comes back, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The hash that was asked for; none where the file cannot be read to its end in time.
    Hash(Option<String>),
    /// One of the records.
    Record(Box<Reported>),
    /// The job is done.
    Done,
}

/// A record, with the rows of its tables where they were asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reported {
    /// The record.
    pub record: Record,
    /// Its rows.
    pub rows: Option<Rows>,
    /// The path inside the archive as it is there: the record may show less of it.
    pub(super) member: Option<String>,
}

impl Reported {
    /// Whether it is the record of secrets of TLS.
    pub(super) fn is_key_log(&self) -> bool {
        self.record.format.as_deref() == Some(Format::KeyLog.as_str())
    }
}

/// A path as it crosses from one process to another: text where it is text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OsPath {
    Text(String),
    /// Bytes of Unix, or units of 16 bits of Windows.
    Units(Vec<u16>),
}

impl OsPath {
    pub(super) fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Units(units(path)),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Text(text) => text.into(),
            Self::Units(units) => from_units(units),
        }
    }
}

#[cfg(unix)]
fn units(path: &Path) -> Vec<u16> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().iter().map(|byte| u16::from(*byte)).collect()
}

#[cfg(unix)]
fn from_units(units: &[u16]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = units.iter().filter_map(|unit| u8::try_from(*unit).ok()).collect();
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(windows)]
fn units(path: &Path) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt as _;
    path.as_os_str().encode_wide().collect()
}

#[cfg(windows)]
fn from_units(units: &[u16]) -> PathBuf {
    use std::os::windows::ffi::OsStringExt as _;
    std::ffi::OsString::from_wide(units).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn paths_arrive_as_they_were() {
        use std::os::unix::ffi::OsStrExt as _;
        for bytes in [b"a/b.har".as_slice(), b"a\xff\n\0".as_slice()] {
            let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
            let sent = serde_json::to_string(&OsPath::of(path)).unwrap();
            assert!(!sent.contains('\n'));
            let got: OsPath = serde_json::from_str(&sent).unwrap();
            assert_eq!(got.path(), path);
        }
    }

    #[test]
    fn options_that_change_a_record_change_their_hash() {
        let seal = |change: &dyn Fn(&mut Setup)| {
            let mut setup = Setup::new(Limits::default(), Shape::new(Redaction::Secrets));
            change(&mut setup);
            setup.seal(Together::Auto);
            setup.options
        };
        let usual = seal(&|_| {});
        assert_eq!(usual, seal(&|_| {}));
        // Rows stand beside the record and not in it.
        assert_eq!(usual, seal(&|setup| setup.shape.with_rows = true));
        for other in [
            seal(&|setup| setup.shape = Shape::new(Redaction::Strict)),
            seal(&|setup| setup.shape.with_report = true),
            seal(&|setup| setup.timeout = Some(Duration::from_secs(1))),
            seal(&|setup| setup.limits.body = 1),
            seal(&|setup| setup.words = Some("x".into())),
            seal(&|setup| setup.passwords.push("hunter2".into())),
        ] {
            assert_ne!(usual, other);
        }
        let setup = seal(&|setup| setup.passwords.push("other".into()));
        assert_eq!(setup, seal(&|setup| setup.passwords.push("hunter2".into())));
    }

    #[test]
    fn a_setup_shows_no_password() {
        let mut setup = Setup::new(Limits::default(), Shape::new(Redaction::Secrets));
        setup.passwords.push("hunter2".into());
        let shown = format!("{setup:?}");
        assert!(shown.contains("passwords: 1") && !shown.contains("hunter2"), "{shown}");
    }
}
