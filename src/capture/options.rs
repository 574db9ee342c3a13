//! Options of a frame in pcapng: what its writer knew beside the bytes.
//!
//! They are read when asked for, in place. They must not be trusted: a comment is text of the
//! capture, and a process id in it is a hint.
//!
//! Invariant: reading them allocates nothing and ends after a bounded number of them.

use std::borrow::Cow;
use std::fmt;

use pcap_parser::{PcapError, parse_option_be, parse_option_le};

use super::frames::Order;
use crate::limits;

const END: u16 = 0;
const COMMENT: u16 = 1;
const FLAGS: u16 = 2;
const DROP_COUNT: u16 = 4;
const PACKET_ID: u16 = 5;
const VERDICT: u16 = 7;
/// What stands before the process in a comment.
const PROCESS_MARK: &[u8] = b"PID=";

/// The options of one frame, not yet read.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    bytes: &'a [u8],
    order: Order,
}

/// Which way a frame went, as its writer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound,
    /// It went out.
    Outbound,
}

/// What the system did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// By the hardware, in its own terms.
    Hardware,
    /// By Linux traffic control: a number of `TC_ACT_*`.
    TrafficControl(u64),
    /// By the Linux express data path: a number of `XDP_*`.
    ExpressDataPath(u64),
    /// By something unknown.
    Unknown(u8),
}

impl Judgement {
    /// Whether the frame was dropped: `TC_ACT_SHOT`, `XDP_ABORTED`, `XDP_DROP`.
    pub const fn is_drop(self) -> bool {
        matches!(self, Self::TrafficControl(2) | Self::ExpressDataPath(0 | 1))
    }
}

/// What is told of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Which way it went.
    pub direction: Option<Direction>,
    /// What the system did with it.
    pub judgement: Option<Judgement>,
    /// Equal for copies of one packet.
    pub packet_id: Option<u64>,
    /// Frames lost between the one before it and this one.
    pub lost_before: Option<u64>,
    /// What was noted about it: text of the capture.
    pub comment: Option<&'a [u8]>,
    /// The process in whose context it was seen, out of the comment; a hint, and often a wrong one.
    pub process: Option<u32>,
}

impl fmt::Debug for Options<'_> {
    /// The length is told and not the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl<'a> Options<'a> {
    pub(super) const fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { bytes, order }
    }

    /// What is told; of two options of one kind the first counts.
    pub fn facts(self) -> Facts<'a> {
        let mut facts = Facts::default();
        if self.bytes.is_empty() {
            return facts;
        }
        let order = self.order;
        for (code, value) in self.list() {
            match code {
                COMMENT if facts.comment.is_none() => {
                    facts.comment = Some(value);
                    facts.process = process(value);
                }
                FLAGS if facts.direction.is_none() => {
                    facts.direction = match order.u32(value, 0).map(|flags| flags & 3) {
                        Some(1) => Some(Direction::Inbound),
                        Some(2) => Some(Direction::Outbound),
                        _ => None,
                    };
                }
                DROP_COUNT if facts.lost_before.is_none() => {
                    facts.lost_before = order.u64(value, 0);
                }
                PACKET_ID if facts.packet_id.is_none() => facts.packet_id = order.u64(value, 0),
                VERDICT if facts.judgement.is_none() => {
                    facts.judgement = value.first().and_then(|kind| match kind {
                        0 => Some(Judgement::Hardware),
                        1 => order.u64(value, 1).map(Judgement::TrafficControl),
                        2 => order.u64(value, 1).map(Judgement::ExpressDataPath),
                        other => Some(Judgement::Unknown(*other)),
                    });
                }
                _ => {}
            }
        }
        facts
    }

    /// Number and value of each option, to the end of them or to the first that is malformed.
    fn list(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let parsed = match self.order {
                Order::Big => parse_option_be::<PcapError<&'a [u8]>>(rest),
                Order::Little => parse_option_le::<PcapError<&'a [u8]>>(rest),
            };
            let (left, option) = parsed.ok()?;
            rest = left;
            let Cow::Borrowed(value) = option.value else { return None };
            Some((option.code.0, value.get(..usize::from(option.len))?))
        })
        .take_while(|(code, _)| *code != END)
        .take(limits::FRAME_OPTIONS)
    }
}

/// The number behind `PID=` in a comment, as etl2pcapng writes it.
fn process(comment: &[u8]) -> Option<u32> {
    let at = memchr::memmem::find(comment, PROCESS_MARK)?;
    let digits = comment.get(at..)?.get(PROCESS_MARK.len()..)?;
    let mut number: Option<u32> = None;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let value = u32::from(digit.saturating_sub(b'0'));
        number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(value)?);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap();
        let mut bytes = Vec::new();
        for number in [code, length] {
            bytes.extend(match order {
                Order::Big => number.to_be_bytes(),
                Order::Little => number.to_le_bytes(),
            });
        }
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn what_a_writer_knew_is_told_in_both_orders() {
        for order in [Order::Big, Order::Little] {
            let number = |value: u64| match order {
                Order::Big => value.to_be_bytes(),
                Order::Little => value.to_le_bytes(),
            };
            let flags = match order {
                Order::Big => 0xabcd_0002_u32.to_be_bytes(),
                Order::Little => 0xabcd_0002_u32.to_le_bytes(),
            };
            let verdict = [&[2][..], &number(1)].concat();
            let bytes = [
                option(order, COMMENT, b"PID=4711 ProcessName=x"),
                option(order, FLAGS, &flags),
                option(order, DROP_COUNT, &number(3)),
                option(order, PACKET_ID, &number(77)),
                option(order, VERDICT, &verdict),
                option(order, COMMENT, b"another"),
                option(order, END, b""),
                option(order, PACKET_ID, &number(78)),
            ]
            .concat();
            let facts = Options::new(&bytes, order).facts();
            assert_eq!(facts.direction, Some(Direction::Outbound));
            assert_eq!(facts.judgement, Some(Judgement::ExpressDataPath(1)));
            assert!(facts.judgement.unwrap().is_drop());
            assert_eq!((facts.packet_id, facts.lost_before), (Some(77), Some(3)));
            assert_eq!(facts.process, Some(4711));
            assert_eq!(facts.comment, Some(&b"PID=4711 ProcessName=x"[..]));
        }
    }

    #[test]
    fn malformed_and_endless_options_end() {
        let long = [0x05, 0x00, 0xff, 0xff, 1, 2, 3];
        assert_eq!(Options::new(&long, Order::Little).facts(), Facts::default());
        let endless = option(Order::Little, 99, b"").repeat(limits::FRAME_OPTIONS + 10);
        assert_eq!(Options::new(&endless, Order::Little).list().count(), limits::FRAME_OPTIONS);
        for text in [&b"PID="[..], b"pid=1", b"PID=99999999999", b""] {
            assert_eq!(process(text), None, "{text:?}");
        }
        assert!(!Judgement::TrafficControl(0).is_drop() && Judgement::TrafficControl(2).is_drop());
        assert!(!Judgement::Hardware.is_drop() && !Judgement::Unknown(9).is_drop());
    }
}
