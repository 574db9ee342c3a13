//! What was given to be analysed.

use super::InputId;
use crate::time::Timestamp;

/// A format of captures, recognised by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// HTTP archive.
    Har,
    /// Secrets of TLS that open the packets of another input.
    KeyLog,
    /// Packet capture.
    Pcap,
    /// Packet capture of the next generation.
    Pcapng,
    /// Fiddler session archive.
    Saz,
    /// Not a capture that is read.
    Unrecognised,
}

impl Format {
    /// Whether it is a packet capture.
    pub const fn is_packets(self) -> bool {
        matches!(self, Self::Pcap | Self::Pcapng)
    }

    /// Whether it is a capture that is read.
    pub const fn is_capture(self) -> bool {
        !matches!(self, Self::KeyLog | Self::Unrecognised)
    }

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::KeyLog => "key_log",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Saz => "saz",
            Self::Unrecognised => "unrecognised",
        }
    }
}

/// What kind of thing a file without a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// Something packed that is not opened: what is inside has to be given by itself.
    Archive,
    /// A part of something that would be read if it were whole.
    Damaged,
    /// Nothing.
    Empty,
    /// A trace of Windows, which can be converted.
    Etl,
    /// What a browser's own log of its network holds, which is not read.
    NetLog,
    /// Anything else.
    Other,
    /// A packet capture of a kind that is not read and can be converted.
    Packets,
    /// A picture or a film.
    Picture,
}

impl Likeness {
    /// Of two things in one archive the one by which a capture is the nearer.
    #[must_use]
    pub const fn or_nearer(self, other: Self) -> Self {
        if other.distance() < self.distance() { other } else { self }
    }

    /// How far it is from a capture.
    const fn distance(self) -> u8 {
        match self {
            Self::Etl | Self::NetLog | Self::Packets => 0,
            Self::Damaged => 1,
            Self::Archive => 2,
            Self::Other => 3,
            Self::Picture => 4,
            Self::Empty => 5,
        }
    }
}

/// One capture of the case.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its number.
    pub id: InputId,
    /// The name given by the user; a capture inside archives has the path through them behind `!`.
    pub name: String,
    /// The bytes of the name where it was not UTF-8, base64.
    pub name_bytes: Option<String>,
    /// What it was packed in, outermost first: `zip`, `gzip`.
    pub container: Vec<&'static str>,
    /// Hash of the capture itself, lower case hexadecimal, unless switched off.
    pub sha256: Option<String>,
    /// Hash of the file it came in, where that is another one.
    pub container_sha256: Option<String>,
    /// Bytes of the capture itself.
    pub bytes: u64,
    /// Its format.
    pub format: Format,
    /// The program that wrote it, cleaned of control bytes.
    pub producer: Option<String>,
    /// The first time in it.
    pub first: Option<Timestamp>,
    /// The last time in it.
    pub last: Option<Timestamp>,
    /// Offset of the local time that the capture was written in, in seconds east of UTC.
    pub utc_offset: Option<i32>,
    /// Entries, sessions or frames it holds.
    pub records: u64,
    /// What it looks like when it is no capture, and how to convert it.
    pub looks_like: Option<String>,
    /// What kind of thing that is.
    pub likeness: Option<Likeness>,
}

impl Input {
    /// An input of which nothing is known yet but its name.
    pub fn named(name: &str) -> Self {
        Self {
            id: InputId(0),
            name: name.to_owned(),
            name_bytes: None,
            container: Vec::new(),
            sha256: None,
            container_sha256: None,
            bytes: 0,
            format: Format::Unrecognised,
            producer: None,
            first: None,
            last: None,
            utc_offset: None,
            records: 0,
            looks_like: None,
            likeness: None,
        }
    }
}
