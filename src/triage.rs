//! Triage: many attachments, a record for each.
//!
//! Files are found in a stable order, handed to worker processes of this program one by one, and their records are
//! put out in the order in which the files were found, whatever the number of workers. It must not know what a
//! capture holds: a worker analyses, and what is compared here are the records.
//!
//! Invariants: every file gets its record, also one whose worker was lost; what is held does not grow with the number
//! of files; without a lost worker and without the limit of time, equal files give equal bytes for any number of jobs.

mod beside;
#[cfg(feature = "columnar")]
pub mod columnar;
mod find;
mod job;
mod order;
mod resume;
mod run;
mod work;
mod worker;

pub use self::find::{Finder, Found, Given, Kind, LeftOut, Unit};
pub use self::job::{Reported, Setup, Shape};
pub use self::order::{Output, Sink};
pub use self::resume::{Recorded, ResumeError};
pub use self::run::{Plan, Totals, run};
pub use self::work::{Task, work};
pub use self::worker::{Program, Stop};

/// What belongs together to one case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Together {
    /// The captures of an archive.
    Archive,
    /// Each capture is a case, unless packets lie beside a HTTP trace of the same time.
    #[default]
    Auto,
    /// Each capture is a case.
    Capture,
    /// The files of a folder.
    Folder,
}

impl Together {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Auto => "auto",
            Self::Capture => "file",
            Self::Folder => "folder",
        }
    }
}
