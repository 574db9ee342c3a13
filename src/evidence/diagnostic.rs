//! What went wrong while an input was read, as data.

use super::InputId;

/// What happened, by a stable kebab-case code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiagnosticCode {
    /// A member of an archive could not be read.
    ArchiveMember,
    /// Archives are nested deeper than the limit.
    ArchiveTooDeep,
    /// Bodies were kept without their ends.
    BodyCut,
    /// A body's coding is damaged or unknown.
    BodyUndecodable,
    /// Reading was cancelled or timed out.
    Cancelled,
    /// Exchanges that are no part of a sign-in are counted and not kept.
    CountedOnly,
    /// A protected archive was not opened: no password, or a wrong one.
    Encrypted,
    /// Frames were not captured to their ends.
    FramesCut,
    /// The capturing system dropped packets.
    FramesDropped,
    /// An entry of a HAR is malformed.
    HarEntry,
    /// An entry of a HAR is larger than the limit; its bodies were skipped.
    HarEntryTooLarge,
    /// The file is JSON and no HAR.
    HarShape,
    /// The file holds bytes that are not its encoding; they were replaced.
    InvalidText,
    /// Keys cannot be used, or came too late.
    KeyLog,
    /// A limit was reached.
    LimitReached,
    /// Frames have a link type that is not decoded.
    LinkType,
    /// The input could not be opened.
    NotOpened,
    /// The input is no capture that is read.
    NotRecognised,
    /// A record of a packet capture is malformed.
    PacketRecord,
    /// Reading the input failed.
    ReadFailed,
    /// A session of a Fiddler archive lacks its request.
    SazSession,
    /// A session's metadata is malformed.
    SazMetadata,
    /// The input ends early.
    Truncated,
    /// The decompression of the input failed.
    Undecompressable,
}

impl DiagnosticCode {
    /// The code as reports show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArchiveMember => "archive-member",
            Self::ArchiveTooDeep => "archive-too-deep",
            Self::BodyCut => "body-cut",
            Self::BodyUndecodable => "body-undecodable",
            Self::Cancelled => "cancelled",
            Self::CountedOnly => "counted-only",
            Self::Encrypted => "encrypted",
            Self::FramesCut => "frames-cut",
            Self::FramesDropped => "frames-dropped",
            Self::HarEntry => "har-entry",
            Self::HarEntryTooLarge => "har-entry-too-large",
            Self::HarShape => "har-shape",
            Self::InvalidText => "invalid-text",
            Self::KeyLog => "key-log",
            Self::LimitReached => "limit-reached",
            Self::LinkType => "link-type",
            Self::NotOpened => "not-opened",
            Self::NotRecognised => "not-recognised",
            Self::PacketRecord => "packet-record",
            Self::ReadFailed => "read-failed",
            Self::SazMetadata => "saz-metadata",
            Self::SazSession => "saz-session",
            Self::Truncated => "truncated",
            Self::Undecompressable => "undecompressable",
        }
    }

    /// Whether the result is partial because of it (exit code 4).
    pub const fn is_partial(self) -> bool {
        matches!(self, Self::Cancelled | Self::LimitReached | Self::NotOpened)
    }
}

/// One thing that went wrong while reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What happened.
    pub code: DiagnosticCode,
    /// The input, where one had been opened.
    pub input: Option<InputId>,
    /// The absolute byte offset in the input, where one is known.
    pub offset: Option<u64>,
    /// What was lost, counted in the unit the text names.
    pub lost: Option<u64>,
    /// What, where, what was lost and what to try. Written by us: never a piece of the input.
    pub text: String,
}
