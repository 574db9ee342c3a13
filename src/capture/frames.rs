//! Frames: what every container of packets holds, and the loop that takes them out of a stream.
//!
//! A container says what the bytes at hand are, a record at a time; the loop here feeds it, counts
//! offsets, finds the next record after damage, and hands everything to a [`Sink`]. It must not know
//! what is inside a frame.
//!
//! Invariants: what a sink is told does not depend on the pieces in which the stream comes; nothing
//! is allocated for a frame; at most one record and one read are held; every byte is either in a
//! record or in a loss that the sink is told of.

use std::fmt;
use std::io::{self, BufRead};
use std::num::NonZeroU64;

use super::source::{Source, StreamError, as_u64};
use crate::evidence::Format;
use crate::limits;
use crate::time::Timestamp;

use super::options::Options;
use super::pcap::Pcap;
use super::pcapng::Pcapng;

/// Records between two looks at whether to stop.
const TURN: u32 = 1 << 16;

/// What stands before the network layer in a frame: a number of the registry of link types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// `LINKTYPE_ETHERNET`.
    pub const ETHERNET: Self = Self(1);

    /// Link types that lead to the network layer here: null, Ethernet, PPP, raw IP, 802.11 with any
    /// header before it, Linux cooked captures, the logs of packet filters, and the like. They are
    /// those that `proto::layers` decodes.
    const KNOWN: [u32; 25] = [
        0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 109, 113, 117, 119, 127, 163, 166, 192, 204,
        228, 229, 239, 258, 276,
    ];

    /// Whether it is one whose frames can hold a sign-in that this program may read.
    pub fn is_known(self) -> bool {
        Self::KNOWN.contains(&self.0)
    }
}

/// One captured packet.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Its number, counted from 1 over the whole input as `frame.number`.
    pub number: NonZeroU64,
    /// When it was captured; simple packets have no time, and some times are out of all range.
    pub at: Option<Timestamp>,
    /// Its link type; `None` where the interface is not described.
    pub link: Option<LinkType>,
    /// The section it stands in, from 0.
    pub section: u32,
    /// The interface in its section, from 0.
    pub interface: u32,
    /// Its length on the wire as the container tells it.
    pub original: u32,
    /// What was captured of it.
    pub data: &'a [u8],
    /// What the container tells of this frame beside.
    pub options: Options<'a>,
}

impl Frame<'_> {
    /// Whether its end was not captured.
    pub fn is_cut(&self) -> bool {
        as_u64(self.data.len()) < u64::from(self.original)
    }
}

impl fmt::Debug for Frame<'_> {
    /// Lengths are told and no bytes: a frame may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("number", &self.number)
            .field("captured", &self.data.len())
            .field("original", &self.original)
            .finish_non_exhaustive()
    }
}

/// An interface that was captured on.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// The section it stands in, from 0.
    pub section: u32,
    /// Its number in the section, from 0.
    pub number: u32,
    /// The link type of its frames.
    pub link: LinkType,
    /// Bytes captured of a frame at most; 0 is no bound.
    pub snap_length: u32,
    /// Its name, as bytes of the capture.
    pub name: Option<&'a [u8]>,
    /// What was captured of all traffic, as bytes of the capture.
    pub filter: Option<&'a [u8]>,
}

/// Keys that came with a capture. They are never shown.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// What they are for: `0x544c_534b` is a TLS key log.
    pub kind: u32,
    /// The keys.
    pub bytes: &'a [u8],
}

impl fmt::Debug for Secrets<'_> {
    /// The length is told and not the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// What a container holds.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A captured packet.
    Frame(Frame<'a>),
    /// An interface, ahead of its frames.
    Interface(Interface<'a>),
    /// A record that is no packet and has a frame number: a journal entry, a custom block.
    Listed(NonZeroU64),
    /// A whole record that cannot be used.
    Passed(Fault),
    /// Keys for what follows, or for what came before.
    Secrets(Secrets<'a>),
    /// The program that wrote the section, as bytes of the capture.
    Section(Option<&'a [u8]>),
    /// What the capture lost by then: frames that the interface and the system dropped.
    Statistics {
        /// The section, from 0.
        section: u32,
        /// The interface, from 0.
        interface: u32,
        /// Frames dropped since the capture began.
        dropped: u64,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What it holds does not fit into it.
    #[error("a record whose contents do not fit into it")]
    Body,
    /// It tells no byte order.
    #[error("a section without byte order")]
    ByteOrder,
    /// It ends behind the end of the input.
    #[error("a record of which {missing} bytes are missing")]
    Cut {
        /// Bytes that are missing.
        missing: u64,
    },
    /// It has a length that no record has.
    #[error("a record of length {found}, where {least} to {most} is possible")]
    Length {
        /// The length found.
        found: u32,
        /// The least possible.
        least: u32,
        /// The most possible.
        most: u32,
    },
    /// It describes one interface too many.
    #[error("more interfaces than are kept")]
    TooManyInterfaces,
    /// Its length at its end is not the one at its beginning.
    #[error("a record of length {found} that says {trailer} at its end")]
    Trailer {
        /// The length at its beginning.
        found: u32,
        /// The length at its end.
        trailer: u32,
    },
    /// Its section has a version that is not known.
    #[error("a section of version {0}, which is not known")]
    Version(u16),
}

/// A part of the input that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where it begins.
    pub at: u64,
    /// Bytes passed over.
    pub bytes: u64,
    /// What was found there.
    pub fault: Fault,
    /// The offset of the next record; `None` when none came.
    pub resumed: Option<u64>,
}

/// Takes what a container holds.
pub trait Sink {
    /// Something at an offset of the input. What it borrows is gone afterwards.
    fn item(&mut self, offset: u64, item: &Item<'_>);

    /// A part that could not be read.
    fn lost(&mut self, loss: Loss);

    /// Whether to stop; asked now and then.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Why nothing more came out of a packet capture.
#[derive(Debug, thiserror::Error)]
#[error("byte {offset}: reading failed: {}", describe(.error))]
pub struct PacketError {
    /// The absolute offset in the input.
    pub offset: u64,
    /// What failed. What the system says about it is not repeated: it may hold a path.
    pub error: io::Error,
}

/// The words for a failure, without what the system says.
pub(super) fn describe(error: &io::Error) -> String {
    StreamError::of(error).map_or_else(|| error.kind().to_string(), |known| known.to_string())
}

/// Walks through a packet capture of a format; of another one nothing comes.
pub fn walk(format: Format, source: &mut Source, sink: &mut dyn Sink) -> Result<(), PacketError> {
    match format {
        Format::Pcap => run(&mut Pcap::default(), source, sink),
        Format::Pcapng => run(&mut Pcapng::default(), source, sink),
        Format::Har | Format::KeyLog | Format::Saz | Format::Unrecognised => Ok(()),
    }
}

/// What the bytes at hand are.
pub(super) enum Step<'a> {
    /// No record; the next one has to be found.
    Damaged(Fault),
    /// This cannot be told before so many bytes are there.
    Need(usize),
    /// A record of so many bytes, and what it holds.
    Record(usize, Option<Item<'a>>),
}

/// Whether a record begins here; asked after damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// One does.
    Here,
    /// This cannot be told before so many bytes are there.
    Need(usize),
    /// None does.
    No,
}

/// A format that holds frames.
pub(super) trait Container {
    /// What the bytes at hand are; never called without any.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a>;

    /// Whether a record begins with these bytes, judged more strictly than in passing.
    fn resume(&self, bytes: &[u8], at_end: bool) -> Resume;
}

/// Counts frames as they are numbered.
#[derive(Debug, Default)]
pub(super) struct Counter(u64);

impl Counter {
    pub(super) fn next(&mut self) -> NonZeroU64 {
        self.0 = self.0.saturating_add(1);
        NonZeroU64::new(self.0).unwrap_or(NonZeroU64::MIN)
    }
}

/// How a turn over the bytes at hand ended.
enum Turn {
    Damaged(Fault),
    Need(usize),
    Paused,
}

fn run<C: Container>(
    container: &mut C,
    source: &mut Source,
    sink: &mut dyn Sink,
) -> Result<(), PacketError> {
    let mut need = 1;
    while !sink.is_stopped() {
        let base = source.offset();
        let window = source.window(need).map_err(|error| PacketError { offset: base, error })?;
        let at_end = window.len() < need;
        let (used, turn) = turn(container, window, base, sink);
        let left = window.len().saturating_sub(used);
        source.consume(used);
        need = match turn {
            Turn::Need(n) if !at_end => n,
            Turn::Need(_) if left == 0 => return Ok(()),
            // The end may only seem to be missing: a length that is wrong reaches beyond it too.
            Turn::Need(n) => {
                let missing = as_u64(n.saturating_sub(left));
                recover(container, source, sink, Fault::Cut { missing })?;
                1
            }
            Turn::Damaged(fault) => {
                recover(container, source, sink, fault)?;
                1
            }
            Turn::Paused => 1,
        };
    }
    Ok(())
}

/// Takes records from the bytes at hand for as long as they are whole.
fn turn<C: Container>(
    container: &mut C,
    window: &[u8],
    base: u64,
    sink: &mut dyn Sink,
) -> (usize, Turn) {
    let mut at = 0_usize;
    for _ in 0..TURN {
        let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) else {
            return (at, Turn::Need(1));
        };
        match container.step(rest) {
            Step::Damaged(fault) => return (at, Turn::Damaged(fault)),
            Step::Need(n) => return (at, Turn::Need(n)),
            Step::Record(length, item) => {
                if let Some(item) = item {
                    sink.item(base.saturating_add(as_u64(at)), &item);
                }
                at = at.saturating_add(length.max(1)).min(window.len());
            }
        }
    }
    (at, Turn::Paused)
}

/// Passes over what is no record to the next one.
fn recover<C: Container>(
    container: &C,
    source: &mut Source,
    sink: &mut dyn Sink,
    fault: Fault,
) -> Result<(), PacketError> {
    let start = source.offset();
    let loss =
        |end: u64, resumed| Loss { at: start, bytes: end.saturating_sub(start), fault, resumed };
    // The damaged record itself is not tried again.
    let mut skip = 1_usize;
    let mut need = 2_usize;
    loop {
        let base = source.offset();
        let window = match source.window(need) {
            Ok(window) => window,
            Err(error) => {
                sink.lost(loss(base, None));
                return Err(PacketError { offset: base, error });
            }
        };
        let at_end = window.len() < need;
        let mut at = skip;
        let mut wanted = None;
        while let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) {
            match container.resume(rest, at_end) {
                Resume::Here => {
                    source.consume(at);
                    let here = source.offset();
                    sink.lost(loss(here, Some(here)));
                    return Ok(());
                }
                Resume::Need(n) if !at_end && n > rest.len() => {
                    wanted = Some(n);
                    break;
                }
                Resume::Need(_) | Resume::No => at = at.saturating_add(1),
            }
        }
        let at = at.min(window.len());
        source.consume(at);
        if at_end || sink.is_stopped() {
            sink.lost(loss(source.offset(), None));
            return Ok(());
        }
        skip = 0;
        need = wanted.unwrap_or(1);
    }
}

/// The order of the bytes of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// The most significant first.
    Big,
    /// The least significant first.
    #[default]
    Little,
}

impl Order {
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        })
    }

    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk::<8>()?;
        Some(match self {
            Self::Big => u64::from_be_bytes(bytes),
            Self::Little => u64::from_le_bytes(bytes),
        })
    }
}

/// A length of 32 bits as a size in memory.
pub(super) fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The most that one record may take.
pub(super) const MOST: u32 = limits::PACKET_RECORD;

#[cfg(test)]
pub(super) mod record {
    //! Writes down what a sink is told, to compare.

    use std::io::Read;

    use super::*;

    /// A frame with what it holds.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(in crate::capture) struct SeenFrame {
        pub(in crate::capture) offset: u64,
        pub(in crate::capture) number: u64,
        pub(in crate::capture) at: Option<i64>,
        pub(in crate::capture) link: Option<u32>,
        pub(in crate::capture) place: (u32, u32),
        pub(in crate::capture) original: u32,
        pub(in crate::capture) data: Vec<u8>,
        pub(in crate::capture) facts: String,
    }

    /// One thing that a sink is told.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(in crate::capture) enum Seen {
        Frame(SeenFrame),
        Lost(Loss),
        Other(u64, String),
    }

    impl Sink for Vec<Seen> {
        fn item(&mut self, offset: u64, item: &Item<'_>) {
            self.push(match item {
                Item::Frame(frame) => Seen::Frame(SeenFrame {
                    offset,
                    number: frame.number.get(),
                    at: frame.at.map(Timestamp::as_nanoseconds),
                    link: frame.link.map(|link| link.0),
                    place: (frame.section, frame.interface),
                    original: frame.original,
                    data: frame.data.to_vec(),
                    facts: format!("{:?}", frame.options.facts()),
                }),
                other => Seen::Other(offset, format!("{other:?}")),
            });
        }

        fn lost(&mut self, loss: Loss) {
            self.push(Seen::Lost(loss));
        }
    }

    /// A stream that gives few bytes at once.
    struct Pieces(io::Cursor<Vec<u8>>, usize);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    /// What a sink is told of bytes that are all there, or come in pieces.
    pub(in crate::capture) fn events(
        format: Format,
        bytes: &[u8],
        chunk: Option<usize>,
    ) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut source = match chunk {
            None => Source::bytes(bytes.to_vec()),
            Some(size) => {
                let pieces = Pieces(io::Cursor::new(bytes.to_vec()), size);
                Source::stream(Box::new(pieces)).with_chunk(size)
            }
        };
        walk(format, &mut source, &mut seen).unwrap();
        seen
    }

    pub(in crate::capture) fn frames(seen: &[Seen]) -> Vec<&SeenFrame> {
        seen.iter()
            .filter_map(|one| if let Seen::Frame(frame) = one { Some(frame) } else { None })
            .collect()
    }

    pub(in crate::capture) fn losses(seen: &[Seen]) -> Vec<Loss> {
        seen.iter()
            .filter_map(|one| if let Seen::Lost(loss) = one { Some(*loss) } else { None })
            .collect()
    }

    #[test]
    fn the_link_types_known_are_those_decoded() {
        use crate::proto::Mark;
        use crate::proto::layers::{Layers, Seen};

        let mark = Mark { frame: NonZeroU64::MIN, at: Timestamp::from_nanoseconds(0) };
        for link in 0..400 {
            let seen = Layers::new().frame(link, &[0; 64], 64, mark, &mut |_| {});
            assert_eq!(seen != Seen::Undecoded, LinkType(link).is_known(), "{link}: {seen:?}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let secrets = Secrets { kind: 1, bytes: b"CLIENT_RANDOM" };
        let shown = format!("{:?}", Item::Secrets(secrets));
        assert!(shown.contains("13") && !shown.contains("67"), "{shown}");
    }
}
