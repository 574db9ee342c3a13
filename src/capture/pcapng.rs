//! pcapng: sections of blocks.
//!
//! Blocks are read by `pcap-parser`; what that crate lacks (the obsolete Packet Block, resolutions
//! in powers of two) or does with an allocation (a frame with options) is read here. It must not
//! know what is inside a frame.
//!
//! Reference: PCAP Next Generation Dump File Format (draft-ietf-opsawg-pcapng), sections 3 and 4.
//! Invariants: both lengths of a block agree before anything of it is believed; an interface is
//! known by its number in its section, and a section forgets those of the one before it.

use pcap_parser::{
    Block, PcapNGOption, parse_block_be, parse_block_le, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le,
};

use super::frames::{
    Container, Counter, Fault, Frame, Interface, Item, LinkType, MOST, Order, Resume, Secrets,
    Step, size,
};
use super::options::Options;
use super::source::Source;
use super::{Probe, ReadError, ReadOptions, Reader, tally};
use crate::evidence::{EvidenceBuilder, Format, InputId};
use crate::limits::{self, Budget};
use crate::time::Timestamp;

/// Section Header Block; it reads the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
/// Interface Description Block.
const INTERFACE: u32 = 1;
/// Packet Block, obsolete.
const PACKET: u32 = 2;
/// Simple Packet Block.
const SIMPLE: u32 = 3;
/// Interface Statistics Block.
const STATISTICS: u32 = 5;
/// Enhanced Packet Block.
const ENHANCED: u32 = 6;
/// systemd Journal Export Block.
const JOURNAL: u32 = 9;
/// Decryption Secrets Block.
const SECRETS: u32 = 10;
/// Custom Blocks: those that may be copied, and those that may not.
const CUSTOM: [u32; 2] = [0x0bad, 0x4000_0bad];
/// System call events of sysdig, which have frame numbers too.
const SYSTEM_CALLS: [u32; 6] = [0x0204, 0x0208, 0x0216, 0x0217, 0x0221, 0x0222];

/// Bytes by which a block and the order of its bytes are known.
const HEAD: usize = 12;
/// The least block: its type, and its length at both ends.
const LEAST: u32 = 12;
/// Bytes before the data of a packet in an Enhanced Packet Block and in a Packet Block.
const PACKET_HEAD: usize = 28;
/// Bytes before the secrets.
const SECRETS_HEAD: usize = 16;
/// Bytes of the length at the end of a block.
const TRAILER: usize = 4;
/// The versions that are known: 1.0, and 1.2 which is the same.
const VERSION: u16 = 1;

const NAME: u16 = 2;
const APPLICATION: u16 = 4;
const INTERFACE_DROPPED: u16 = 5;
const SYSTEM_DROPPED: u16 = 7;
const RESOLUTION: u16 = 9;
const FILTER: u16 = 11;
const TIME_OFFSET: u16 = 14;

/// Reads pcapng files.
#[derive(Clone, Copy, Debug, Default)]
pub struct PcapngReader;

impl Reader for PcapngReader {
    fn format(&self) -> Format {
        Format::Pcapng
    }

    fn probe(&self, head: &[u8]) -> Probe {
        let order = head.get(8..).and_then(byte_order);
        let is_one = Order::Little.u32(head, 0) == Some(SECTION)
            && order.and_then(|order| order.u32(head, 4)).is_some_and(|length| length >= LEAST);
        if is_one { Probe::Certain } else { Probe::No }
    }

    fn read(
        &self,
        source: &mut Source,
        options: &ReadOptions<'_>,
        budget: &mut Budget,
        input: InputId,
        into: &mut EvidenceBuilder,
    ) -> Result<(), ReadError> {
        Ok(tally::count(Format::Pcapng, source, options, budget, input, into)?)
    }
}

fn byte_order(bytes: &[u8]) -> Option<Order> {
    match bytes.first_chunk::<4>()? {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        _ => None,
    }
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// So many nanoseconds in a unit.
    Coarse(u64),
    /// So many units in a nanosecond.
    Fine(u64),
    /// Units of a second halved so many times.
    Halved(u32),
    /// No time can be told.
    Unusable,
}

impl Clock {
    /// From `if_tsresol`: a negative power of ten, or of two where the highest bit is set.
    fn of(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Halved(power);
        }
        let (coarse, fine) = (9_u32.checked_sub(power), power.checked_sub(9));
        let by = coarse.or(fine).and_then(|power| 10_u64.checked_pow(power));
        match by {
            Some(by) if coarse.is_some() => Self::Coarse(by),
            Some(by) => Self::Fine(by),
            None => Self::Unusable,
        }
    }

    fn nanoseconds(self, units: u64) -> Option<i64> {
        let nanoseconds = match self {
            Self::Coarse(by) => units.checked_mul(by)?,
            Self::Fine(by) => units.checked_div(by)?,
            Self::Halved(power) => {
                let all = u128::from(units).checked_mul(1_000_000_000)?;
                u64::try_from(all.checked_shr(power)?).ok()?
            }
            Self::Unusable => return None,
        };
        i64::try_from(nanoseconds).ok()
    }
}

/// What is kept of an interface.
#[derive(Clone, Copy, Debug)]
struct Known {
    link: LinkType,
    snap_length: u32,
    clock: Clock,
    /// Nanoseconds to add to each time; `None` where they are out of range.
    offset: Option<i64>,
}

impl Known {
    fn time(self, high: u32, low: u32) -> Option<Timestamp> {
        let units = (u64::from(high) << 32) | u64::from(low);
        let nanoseconds = self.clock.nanoseconds(units)?.checked_add(self.offset?)?;
        Some(Timestamp::from_nanoseconds(nanoseconds))
    }
}

/// The state of reading a pcapng file.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    /// Sections begun.
    sections: u32,
    /// Whether the section has a version that is not known.
    is_foreign: bool,
    interfaces: Vec<Known>,
    /// Interfaces described in the section, also those that are not kept.
    described: u32,
    counter: Counter,
}

impl Container for Pcapng {
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        if bytes.len() < HEAD {
            return Step::Need(HEAD);
        }
        let is_section = Order::Little.u32(bytes, 0) == Some(SECTION);
        let order = if is_section {
            let Some(order) = bytes.get(8..).and_then(byte_order) else {
                return Step::Damaged(Fault::ByteOrder);
            };
            order
        } else {
            self.order
        };
        let (kind, found) = (order.u32(bytes, 0), order.u32(bytes, 4));
        let (kind, found) = (kind.unwrap_or_default(), found.unwrap_or_default());
        if !(LEAST..=MOST).contains(&found) {
            return Step::Damaged(Fault::Length { found, least: LEAST, most: MOST });
        }
        // Some writers do not count the padding.
        let total = size(found).next_multiple_of(4);
        let Some(block) = bytes.get(..total) else { return Step::Need(total) };
        let trailer = order.u32(block, total.saturating_sub(TRAILER)).unwrap_or_default();
        if trailer != found {
            return Step::Damaged(Fault::Trailer { found, trailer });
        }
        if is_section {
            self.order = order;
        } else if self.is_foreign {
            return Step::Record(total, None);
        }
        Step::Record(total, self.item(kind, block))
    }

    fn resume(&self, bytes: &[u8], _: bool) -> Resume {
        let Some(kind) = self.order.u32(bytes, 0) else { return Resume::Need(HEAD) };
        let order = if kind == SECTION {
            if bytes.len() < HEAD {
                return Resume::Need(HEAD);
            }
            let Some(order) = bytes.get(8..).and_then(byte_order) else { return Resume::No };
            order
        } else if is_known(kind) {
            self.order
        } else {
            return Resume::No;
        };
        let Some(found) = order.u32(bytes, 4) else { return Resume::Need(HEAD) };
        // Looking far ahead for each of many lengths that are none would take its time.
        if !(LEAST..=limits::RESUMED_RECORD).contains(&found) || found & 3 != 0 {
            return Resume::No;
        }
        let total = size(found);
        match order.u32(bytes, total.saturating_sub(TRAILER)) {
            Some(trailer) if trailer == found => Resume::Here,
            Some(_) => Resume::No,
            None => Resume::Need(total),
        }
    }
}

fn is_known(kind: u32) -> bool {
    matches!(kind, INTERFACE..=ENHANCED | JOURNAL | SECRETS)
        || CUSTOM.contains(&kind)
        || SYSTEM_CALLS.contains(&kind)
}

impl Pcapng {
    /// What a block holds whose lengths agree.
    fn item<'a>(&mut self, kind: u32, block: &'a [u8]) -> Option<Item<'a>> {
        match kind {
            ENHANCED | PACKET => Some(self.packet(kind, block)),
            SIMPLE => Some(self.simple(block)),
            JOURNAL => Some(Item::Listed(self.counter.next())),
            kind if CUSTOM.contains(&kind) || SYSTEM_CALLS.contains(&kind) => {
                Some(Item::Listed(self.counter.next()))
            }
            SECTION => Some(self.section(block)),
            INTERFACE => Some(self.interface(block)),
            STATISTICS => Some(self.statistics(block)),
            SECRETS => Some(self.secrets(block)),
            // Also the Name Resolution Block: its names come from the machine that saved the file.
            _ => None,
        }
    }

    /// A block by the crate. It makes a list of all options, so they are bounded before.
    fn parsed<'a>(&self, block: &'a [u8], options_from: usize) -> Option<Block<'a>> {
        if block.len().saturating_sub(options_from) > limits::BLOCK_OPTIONS {
            return None;
        }
        let parsed = match self.order {
            Order::Big => parse_block_be(block),
            Order::Little => parse_block_le(block),
        };
        parsed.ok().map(|(_, block)| block)
    }

    fn section<'a>(&mut self, block: &'a [u8]) -> Item<'a> {
        self.sections = self.sections.saturating_add(1);
        self.interfaces.clear();
        self.described = 0;
        self.is_foreign = false;
        let Some(Block::SectionHeader(header)) = self.parsed(block, 0) else {
            return Item::Passed(Fault::Body);
        };
        if header.major_version != VERSION {
            self.is_foreign = true;
            return Item::Passed(Fault::Version(header.major_version));
        }
        Item::Section(value_of(&header.options, APPLICATION))
    }

    fn interface<'a>(&mut self, block: &'a [u8]) -> Item<'a> {
        // It takes its number whatever is wrong with it.
        let number = self.described;
        self.described = self.described.saturating_add(1);
        let is_room = self.interfaces.len() < limits::INTERFACES;
        let Some(Block::InterfaceDescription(about)) = self.parsed(block, 0) else {
            if is_room {
                let clock = Clock::Unusable;
                let link = LinkType(u32::MAX);
                self.interfaces.push(Known { link, snap_length: 0, clock, offset: None });
            }
            return Item::Passed(Fault::Body);
        };
        let options = &about.options;
        // The crate reads the offset in one byte order only.
        let offset = value_of(options, TIME_OFFSET)
            .and_then(|value| self.order.u64(value, 0))
            .map_or(0, u64::cast_signed)
            .checked_mul(1_000_000_000);
        let resolution = value_of(options, RESOLUTION).and_then(|value| value.first().copied());
        let known = Known {
            link: LinkType(about.linktype.0.cast_unsigned()),
            snap_length: about.snaplen,
            clock: Clock::of(resolution.unwrap_or(6)),
            offset,
        };
        if !is_room {
            return Item::Passed(Fault::TooManyInterfaces);
        }
        self.interfaces.push(known);
        Item::Interface(Interface {
            section: self.section_number(),
            number,
            link: known.link,
            snap_length: known.snap_length,
            name: value_of(options, NAME),
            // The first byte tells the language of the filter: 0 is text.
            filter: value_of(options, FILTER)
                .and_then(|value| value.split_first())
                .filter(|(language, _)| **language == 0)
                .map(|(_, text)| text),
        })
    }

    const fn section_number(&self) -> u32 {
        self.sections.saturating_sub(1)
    }

    fn known(&self, interface: u32) -> Option<&Known> {
        self.interfaces.get(size(interface))
    }

    /// A frame with a time.
    fn packet<'a>(&mut self, kind: u32, block: &'a [u8]) -> Item<'a> {
        let Some(head) = self.packet_head(kind, block) else { return Item::Passed(Fault::Body) };
        let number = self.counter.next();
        let known = self.known(head.interface);
        Item::Frame(Frame {
            number,
            at: known.and_then(|known| known.time(head.high, head.low)),
            link: known.map(|known| known.link),
            section: self.section_number(),
            interface: head.interface,
            original: head.original,
            data: head.data,
            options: Options::new(head.options, self.order),
        })
    }

    fn packet_head<'a>(&self, kind: u32, block: &'a [u8]) -> Option<Head<'a>> {
        if kind == ENHANCED && self.has_no_options(block) {
            let parsed = match self.order {
                Order::Big => parse_enhancedpacketblock_be(block),
                Order::Little => parse_enhancedpacketblock_le(block),
            };
            let (_, packet) = parsed.ok()?;
            return Some(Head {
                interface: packet.if_id,
                high: packet.ts_high,
                low: packet.ts_low,
                original: packet.origlen,
                data: packet.data.get(..size(packet.caplen))?,
                options: &[],
            });
        }
        let number = |at| self.order.u32(block, at);
        let captured = size(number(20)?);
        let padded = captured.checked_next_multiple_of(4)?;
        let body = block.get(PACKET_HEAD..block.len().checked_sub(TRAILER)?)?;
        Some(Head {
            interface: match kind {
                ENHANCED => number(8)?,
                _ => u32::from(self.order.u16(block, 8)?),
            },
            high: number(12)?,
            low: number(16)?,
            original: number(24)?,
            data: body.get(..captured)?,
            options: body.get(padded..).unwrap_or_default(),
        })
    }

    /// Whether an Enhanced Packet Block ends behind its data; then the crate allocates nothing.
    fn has_no_options(&self, block: &[u8]) -> bool {
        let captured = self.order.u32(block, 20).map(size);
        let length = captured
            .and_then(|captured| captured.checked_next_multiple_of(4))
            .and_then(|padded| padded.checked_add(PACKET_HEAD.saturating_add(TRAILER)));
        length == Some(block.len()) && self.order.u32(block, 4).map(size) == length
    }

    /// A frame without a time, of the first interface.
    fn simple<'a>(&mut self, block: &'a [u8]) -> Item<'a> {
        let Some(Block::SimplePacket(packet)) = self.parsed(block, block.len()) else {
            return Item::Passed(Fault::Body);
        };
        let number = self.counter.next();
        let known = self.known(0).copied();
        let snap_length = known.map_or(0, |known| known.snap_length);
        let captured = match snap_length {
            0 => packet.origlen,
            most => packet.origlen.min(most),
        };
        Item::Frame(Frame {
            number,
            at: None,
            link: known.map(|known| known.link),
            section: self.section_number(),
            interface: 0,
            original: packet.origlen,
            data: packet.data.get(..size(captured)).unwrap_or(packet.data),
            options: Options::default(),
        })
    }

    fn statistics<'a>(&self, block: &'a [u8]) -> Item<'a> {
        let Some(Block::InterfaceStatistics(statistics)) = self.parsed(block, 0) else {
            return Item::Passed(Fault::Body);
        };
        let count = |code| {
            let value = value_of(&statistics.options, code);
            value.and_then(|value| self.order.u64(value, 0)).unwrap_or(0)
        };
        Item::Statistics {
            section: self.section_number(),
            interface: statistics.if_id,
            dropped: count(INTERFACE_DROPPED).saturating_add(count(SYSTEM_DROPPED)),
        }
    }

    fn secrets<'a>(&self, block: &'a [u8]) -> Item<'a> {
        let length = self.order.u32(block, 12).map_or(0, size);
        let Some(Block::DecryptionSecrets(secrets)) =
            self.parsed(block, SECRETS_HEAD.saturating_add(length))
        else {
            return Item::Passed(Fault::Body);
        };
        let bytes = secrets.data.get(..length).unwrap_or(secrets.data);
        Item::Secrets(Secrets { kind: secrets.secrets_type.0, bytes })
    }
}

/// What stands before the data of a packet.
struct Head<'a> {
    interface: u32,
    high: u32,
    low: u32,
    original: u32,
    data: &'a [u8],
    options: &'a [u8],
}

/// The value of the first option of a kind.
fn value_of<'a>(options: &[PcapNGOption<'a>], code: u16) -> Option<&'a [u8]> {
    let option = options.iter().find(|option| option.code.0 == code)?;
    match option.value {
        std::borrow::Cow::Borrowed(value) => value.get(..usize::from(option.len)),
        std::borrow::Cow::Owned(_) => None,
    }
}

/// Entry for fuzzing: any bytes as a packet capture of the newer form.
#[doc(hidden)]
pub fn fuzz_pcapng(bytes: &[u8]) {
    super::fuzz::read(&PcapngReader, bytes);
}

#[cfg(test)]
mod tests;
