//! Readers: bytes in, evidence out, one per format.
//!
//! A reader recognises its format by content, keeps what the [`Scope`] asks for, and records what it
//! could not read. It must not know what a sign-in is: no host, code or rule stands here.
//!
//! Invariants: damage is data (what came before it stays, a diagnostic says what was lost); nothing
//! is written to disk; every byte that decompression produces is charged to one [`Budget`].

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod archive;
mod directory;
pub mod frames;
mod fuzz;
pub mod har;
mod keys;
mod look;
mod open;
pub mod options;
mod packets;
pub mod pcap;
pub mod pcapng;
mod saz;
mod scope;
pub mod source;
mod tally;
mod unpack;

pub use frames::PacketError;
pub use har::{HarError, HarErrorKind, HarReader, fuzz_har};
pub use keys::Keys;
pub use open::{fuzz_keys, fuzz_open, is_container, open, open_each, open_keys, open_members};
pub use pcap::{PcapReader, fuzz_pcap};
pub use pcapng::{PcapngReader, fuzz_pcapng};
pub use saz::{SazError, SazReader, fuzz_saz};
pub use scope::{Scope, Want};
pub use source::{Kept, ReadSeek, Source, StreamError};

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::evidence::{EvidenceBuilder, Format, InputId};
use crate::limits::{Budget, Limits};

/// How sure a reader is that bytes are its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// They are not.
    No,
    /// They may be; ask after the sure ones.
    Unsure,
    /// They are.
    Certain,
}

/// What readers are told.
pub struct ReadOptions<'a> {
    /// What matters.
    pub scope: &'a Scope,
    /// The bounds.
    pub limits: &'a Limits,
    /// Passwords to try on protected archives, in order.
    pub passwords: &'a [String],
    /// The keys of the case; captures and archives add theirs.
    pub keys: &'a Keys,
    /// Set from outside to stop early with what was read by then.
    pub cancel: &'a AtomicBool,
}

impl fmt::Debug for ReadOptions<'_> {
    /// Passwords are counted and not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions")
            .field("limits", self.limits)
            .field("passwords", &self.passwords.len())
            .finish_non_exhaustive()
    }
}

impl ReadOptions<'_> {
    /// Whether to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Reads one format.
pub trait Reader: Sync {
    /// The format.
    fn format(&self) -> Format;

    /// Whether bytes are of the format, by the first of them.
    fn probe(&self, head: &[u8]) -> Probe;

    /// Reads a capture, puts what it finds `into` the evidence of `input`, and charges what it expands.
    ///
    /// An error means that nothing more comes from this input; what was read before it stays.
    fn read(
        &self,
        source: &mut Source,
        options: &ReadOptions<'_>,
        budget: &mut Budget,
        input: InputId,
        into: &mut EvidenceBuilder,
    ) -> Result<(), ReadError>;
}

/// All readers; of two that are equally sure the first is asked.
pub static READERS: &[&dyn Reader] =
    &[&PcapngReader, &PcapReader, &SazReader { folder: None }, &HarReader];

/// Why nothing more came from an input, by the reader that gave up.
///
/// The text of an error is written by us: it never holds a piece of the input.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The HAR reader.
    #[error(transparent)]
    Har(#[from] HarError),
    /// The readers of packet captures.
    #[error(transparent)]
    Packets(#[from] PacketError),
    /// The reader of Fiddler archives.
    #[error(transparent)]
    Saz(#[from] SazError),
}

impl ReadError {
    /// The absolute offset in the input.
    pub const fn offset(&self) -> Option<u64> {
        match self {
            Self::Har(error) => Some(error.offset),
            Self::Packets(error) => Some(error.offset),
            Self::Saz(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_show_no_password() {
        let (scope, limits) = (Scope::default(), Limits::default());
        let passwords = ["hunter2".to_owned()];
        let cancel = AtomicBool::new(false);
        let options = ReadOptions {
            scope: &scope,
            limits: &limits,
            passwords: &passwords,
            keys: &Keys::new(),
            cancel: &cancel,
        };
        let shown = format!("{options:?}");
        assert!(shown.contains("passwords: 1") && !shown.contains("hunter2"), "{shown}");
    }
}
