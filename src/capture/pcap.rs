//! pcap: one header, then frames.
//!
//! Headers and frames are read by `pcap-parser`; the modified form of A. Kuznetzov, which it reads
//! in one byte order only, is read here in the other. It must not know what is inside a frame.
//!
//! Reference: the pcap capture file format (draft-ietf-opsawg-pcap), sections 4 and 5.
//! Invariant: a frame is at most `limits::PACKET_RECORD` bytes and mostly far below; a longer one
//! is damage.

use pcap_parser::{
    LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

use super::frames::{
    Container, Counter, Fault, Frame, Interface, Item, LinkType, MOST, Order, Resume, Step, size,
};
use super::options::Options;
use super::source::Source;
use super::{Probe, ReadError, ReadOptions, Reader, tally};
use crate::evidence::{EvidenceBuilder, Format, InputId};
use crate::limits::{self, Budget};
use crate::time::Timestamp;

/// Bytes of the header of the file.
const HEADER: usize = 24;
/// Bytes before each frame.
const FRAME_HEADER: usize = 16;
/// Bytes before each frame in the modified form.
const MODIFIED_HEADER: usize = 24;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// The modified form, most significant byte first.
const MODIFIED_BIG: [u8; 4] = [0xa1, 0xb2, 0xcd, 0x34];
/// Bits of the link type that are one; above them stands the length of the checksum.
const LINK_BITS: u32 = 0x03ff_ffff;
/// Seconds that a frame after damage may be away from the last one before it.
const NEAR: u32 = 30 * 86_400;
/// Frames that must follow each other for the next to be found after damage.
const CHAIN: u32 = 3;

/// Reads pcap files.
#[derive(Clone, Copy, Debug, Default)]
pub struct PcapReader;

impl Reader for PcapReader {
    fn format(&self) -> Format {
        Format::Pcap
    }

    fn probe(&self, head: &[u8]) -> Probe {
        match About::parse(head) {
            Some(about) if about.major == 2 => Probe::Certain,
            _ => Probe::No,
        }
    }

    fn read(
        &self,
        source: &mut Source,
        options: &ReadOptions<'_>,
        budget: &mut Budget,
        input: InputId,
        into: &mut EvidenceBuilder,
    ) -> Result<(), ReadError> {
        Ok(tally::count(Format::Pcap, source, options, budget, input, into)?)
    }
}

/// What the header of the file tells.
#[derive(Clone, Copy, Debug)]
struct About {
    order: Order,
    is_modified: bool,
    /// Nanoseconds in a unit of the second number of a time.
    unit: i64,
    major: u16,
    minor: u16,
    snap_length: u32,
    link: LinkType,
}

impl About {
    fn parse(head: &[u8]) -> Option<Self> {
        let head = head.get(..HEADER)?;
        let (order, is_modified, unit, header) = if head.starts_with(&MODIFIED_BIG) {
            // The crate does not know this one: its header is that of a usual file but for a byte.
            let mut usual = <[u8; HEADER]>::try_from(head).ok()?;
            usual[2..4].copy_from_slice(&[0xc3, 0xd4]);
            (Order::Big, true, 1_000, parse_pcap_header(&usual).ok()?.1)
        } else {
            let header = parse_pcap_header(head).ok()?.1;
            let order = if header.is_bigendian() { Order::Big } else { Order::Little };
            let unit = if header.is_nanosecond_precision() { 1 } else { 1_000 };
            (order, header.is_modified_format(), unit, header)
        };
        Some(Self {
            order,
            is_modified,
            unit,
            major: header.version_major,
            minor: header.version_minor,
            snap_length: header.snaplen,
            link: LinkType(header.network.0.cast_unsigned() & LINK_BITS),
        })
    }

    const fn frame_header(&self) -> usize {
        if self.is_modified { MODIFIED_HEADER } else { FRAME_HEADER }
    }

    /// The most that a frame may take: what the header says where that is possible.
    fn most(&self) -> u32 {
        if self.snap_length > MOST {
            limits::FRAME_USUAL
        } else {
            self.snap_length.max(limits::FRAME_USUAL)
        }
    }

    /// Captured and original length: in files before version 2.3 the other way round, and in some of
    /// that version.
    fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        let is_old = self.minor < 3 || (self.minor == 3 && first > second);
        if self.major == 2 && is_old { (second, first) } else { (first, second) }
    }

    /// What a header of a frame tells.
    fn head(&self, bytes: &[u8]) -> Option<Head> {
        let number = |at| self.order.u32(bytes, at);
        let (captured, original) = self.lengths(number(8)?, number(12)?);
        Some(Head { seconds: number(0)?, part: number(4)?, captured, original })
    }

    fn time(&self, seconds: u32, part: u32) -> Option<Timestamp> {
        let whole = i64::from(seconds).checked_mul(SECOND)?;
        let nanoseconds = whole.checked_add(i64::from(part).checked_mul(self.unit)?)?;
        Some(Timestamp::from_nanoseconds(nanoseconds))
    }

    /// The frame by the crate, where it reads the form.
    fn frame<'a>(&self, bytes: &'a [u8]) -> Option<LegacyPcapBlock<'a>> {
        let parsed = match (self.is_modified, self.order) {
            (false, Order::Big) => parse_pcap_frame_be(bytes),
            (false, Order::Little) => parse_pcap_frame(bytes),
            (true, Order::Little) => parse_pcap_frame_modified(bytes),
            (true, Order::Big) => {
                let head = self.head(bytes)?;
                return Some(LegacyPcapBlock {
                    ts_sec: head.seconds,
                    ts_usec: head.part,
                    caplen: head.captured,
                    origlen: head.original,
                    data: bytes.get(MODIFIED_HEADER..)?.get(..size(head.captured))?,
                });
            }
        };
        parsed.ok().map(|(_, block)| block)
    }

    /// Whether a header could stand before a frame near `last`.
    fn is_likely(&self, head: Head, last: Option<u32>) -> bool {
        let parts = SECOND.checked_div(self.unit).unwrap_or(SECOND);
        let is_near = last.map_or(head.seconds > 0, |last| last.abs_diff(head.seconds) <= NEAR);
        head.captured > 0
            && head.captured <= self.most().min(limits::RESUMED_RECORD)
            && head.captured <= head.original
            && head.original <= MOST
            && i64::from(head.part) < parts
            && is_near
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    seconds: u32,
    part: u32,
    captured: u32,
    original: u32,
}

impl Head {
    /// Zeroes, as at the end of a file whose writer was stopped.
    const fn is_blank(self) -> bool {
        self.seconds == 0 && self.part == 0 && self.captured == 0 && self.original == 0
    }
}

/// The state of reading a pcap file.
#[derive(Debug, Default)]
pub(super) struct Pcap {
    about: Option<About>,
    counter: Counter,
    /// Seconds of the last frame.
    last: Option<u32>,
}

impl Container for Pcap {
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let Some(about) = self.about else {
            if bytes.len() < HEADER {
                return Step::Need(HEADER);
            }
            let Some(about) = About::parse(bytes) else { return Step::Damaged(Fault::ByteOrder) };
            self.about = Some(about);
            let interface = Interface {
                section: 0,
                number: 0,
                link: about.link,
                snap_length: about.snap_length,
                name: None,
                filter: None,
            };
            return Step::Record(HEADER, Some(Item::Interface(interface)));
        };
        let header = about.frame_header();
        let Some(head) = about.head(bytes).filter(|_| bytes.len() >= header) else {
            return Step::Need(header);
        };
        let most = about.most();
        if head.captured > most || head.is_blank() {
            let least = u32::from(head.is_blank());
            return Step::Damaged(Fault::Length { found: head.captured, least, most });
        }
        let length = header.saturating_add(size(head.captured));
        if bytes.len() < length {
            return Step::Need(length);
        }
        // Only the captured bytes are handed to the crate, whichever of the lengths it takes.
        let data = bytes.get(header..length).unwrap_or_default();
        let block = about.frame(bytes).filter(|block| block.data.len() == data.len());
        let data = block.map_or(data, |block| block.data);
        self.last = Some(head.seconds);
        let frame = Frame {
            number: self.counter.next(),
            at: about.time(head.seconds, head.part),
            link: Some(about.link),
            section: 0,
            interface: 0,
            original: head.original,
            data,
            options: Options::default(),
        };
        Step::Record(length, Some(Item::Frame(frame)))
    }

    fn resume(&self, bytes: &[u8], at_end: bool) -> Resume {
        let Some(about) = self.about else { return Resume::No };
        let header = about.frame_header();
        let (mut at, mut last) = (0_usize, self.last);
        for _ in 0..CHAIN {
            let rest = bytes.get(at..).unwrap_or_default();
            if at > 0 && rest.is_empty() && at_end {
                return if at == bytes.len() { Resume::Here } else { Resume::No };
            }
            let Some(head) = about.head(rest).filter(|_| rest.len() >= header) else {
                return Resume::Need(at.saturating_add(header));
            };
            if !about.is_likely(head, last) {
                return Resume::No;
            }
            last = Some(head.seconds);
            at = at.saturating_add(header).saturating_add(size(head.captured));
        }
        Resume::Here
    }
}

/// Entry for fuzzing: any bytes as a packet capture.
#[doc(hidden)]
pub fn fuzz_pcap(bytes: &[u8]) {
    super::fuzz::read(&PcapReader, bytes);
}

#[cfg(test)]
mod tests;
