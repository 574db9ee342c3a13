//! Where in an input a fact stands, so that a reader of the report can open it.

use std::fmt;
use std::num::NonZeroU64;

use super::{StreamNumber, Transport};

/// The number of an input of the case, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub u32);

/// A pointer to one place in one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceRef {
    /// The input.
    pub input: InputId,
    /// The place in it.
    pub at: Locator,
}

/// A stream of packets as Wireshark counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// The protocol, each of which has numbers of its own.
    pub transport: Transport,
    /// The number.
    pub number: StreamNumber,
}

/// A place inside an input, in the terms of the tool that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locator {
    /// A byte offset.
    Byte(u64),
    /// Frames of a packet capture, counted from 1 over the whole file as `frame.number`.
    Frames {
        /// The first frame.
        first: NonZeroU64,
        /// The last frame.
        last: NonZeroU64,
        /// The stream they are part of.
        stream: Option<Stream>,
    },
    /// An entry of a HAR, counted from 0 in file order: `/log/entries/12`.
    HarEntry(u32),
    /// A session of a Fiddler archive, by the number in `raw/12_c.txt`.
    SazSession(u32),
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::Frames { first, last, .. } if first == last => write!(f, "frame {first}"),
            Self::Frames { first, last, .. } => write!(f, "frames {first}-{last}"),
            Self::HarEntry(index) => write!(f, "entry {index}"),
            Self::SazSession(number) => write!(f, "session {number}"),
        }
    }
}
