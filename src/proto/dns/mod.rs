//! Messages of the domain name system, over UDP and TCP, as captures hold them.
//!
//! It follows RFC 1035 section 4 (format), RFC 6891 section 6.1 (EDNS), RFC 8914 (extended errors)
//! and RFC 9460 (HTTPS records). `simple-dns` refuses a message whole for one odd record, and captures
//! hold odd and cut ones; so messages are taken apart here, record by record, and that crate reads
//! the records with parameters. Multicast DNS (RFC 6762) and LLMNR (RFC 4795) have the same format;
//! the caller tells them apart by port. It must not know what a name or an address means.
//!
//! Invariants: a name is followed only backwards, in few steps, and is at most 255 bytes; what was
//! read before the damage stays; every list is bounded.

mod names;
mod read;
mod svcb;
mod tcp;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits;

pub use names::{extended_error_name, rcode_name, type_name};
pub use tcp::DnsOverTcp;

use read::{Frame, Reader, Stop};

/// A message; what it holds beyond the first question and the answers is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the header has as many flags")]
pub struct DnsMessage {
    /// The identifier that an answer has from its query.
    pub id: u16,
    /// Whether it is an answer (QR).
    pub is_response: bool,
    /// What is asked for; 0 is a look-up (OPCODE).
    pub opcode: u8,
    /// The response code, with the upper bits that EDNS adds; 255 stands for all above it.
    pub rcode: u8,
    /// Whether the answer did not fit and is to be asked for again over TCP (TC).
    pub truncated: bool,
    /// Whether the server owns the zone (AA).
    pub authoritative: bool,
    /// Whether the server is asked to find out (RD).
    pub recursion_desired: bool,
    /// Whether the server would find out (RA).
    pub recursion_available: bool,
    /// The first question; multicast answers have none.
    pub question: Option<Question>,
    /// Questions that the header announces.
    pub questions: u16,
    /// The records of the answer section, in their order, at most [`limits::DNS_ANSWERS`].
    pub answers: Vec<Record>,
    /// The extended error (RFC 8914), for example 15 for a blocked name.
    pub extended_error: Option<u16>,
    /// Whether everything the header announces was there and could be read.
    pub complete: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name: lower case, escaped as RFC 4343 section 2.1 has it, no dot at its end; `.` is the root.
    pub name: String,
    /// The type of the records asked for.
    pub qtype: u16,
    /// The class; multicast DNS uses the upper bit of it as a flag.
    pub qclass: u16,
}

/// A record of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The owner is another name for this one.
    Cname(String),
    /// How to reach an HTTPS server.
    Https(Https),
    /// A record of another type or class, or one whose data is broken; its type.
    Other(u16),
}

/// An HTTPS record (RFC 9460 section 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Https {
    /// The smallest is tried first; 0 makes the target an alias.
    pub priority: u16,
    /// The name of the server; `.` is the owner itself.
    pub target: String,
    /// Protocols it speaks, at most [`limits::DNS_PARAMETERS`].
    pub alpn: Vec<String>,
    /// Its IPv4 addresses, at most [`limits::DNS_PARAMETERS`].
    pub ipv4_hints: Vec<Ipv4Addr>,
    /// Its IPv6 addresses, at most [`limits::DNS_PARAMETERS`].
    pub ipv6_hints: Vec<Ipv6Addr>,
    /// Whether it gives a key for Encrypted Client Hello.
    pub has_ech: bool,
}

/// Reads a message as far as it goes; `None` when the bytes are no message ([`looks_like_dns`]).
pub fn parse(message: &[u8]) -> Option<DnsMessage> {
    if !looks_like_dns(message) {
        return None;
    }
    read_message(message)
}

/// Reads a message that came to or from the port of name servers: its first question counts whatever
/// else is wrong with it.
pub fn parse_at_port(message: &[u8]) -> Option<DnsMessage> {
    read_message(message).filter(|parsed| parsed.question.is_some())
}

fn read_message(message: &[u8]) -> Option<DnsMessage> {
    let mut reader = Reader::new(message);
    let header = Header::read(&mut reader).ok()?;
    let mut parsed = DnsMessage {
        id: header.id,
        is_response: header.has(RESPONSE),
        opcode: header.opcode(),
        rcode: header.rcode(),
        truncated: header.has(TRUNCATED),
        authoritative: header.has(AUTHORITATIVE),
        recursion_desired: header.has(RECURSION_DESIRED),
        recursion_available: header.has(RECURSION_AVAILABLE),
        question: None,
        questions: header.questions,
        answers: Vec::new(),
        extended_error: None,
        complete: false,
    };
    parsed.complete = sections(&header, &mut reader, &mut parsed).is_ok();
    Some(parsed)
}

/// Whether bytes are a message at all: what is no DNS may use its ports, too.
///
/// The header must make sense and the first question or record must be one; bytes may be missing at
/// the end.
pub fn looks_like_dns(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let Ok(header) = Header::read(&mut reader) else { return false };
    if !header.is_plausible() {
        return false;
    }
    let first = if header.questions > 0 {
        reader.question().map(|question| question.qtype != 0 && is_class(question.qclass))
    } else if header.records() > 0 {
        reader.frame().map(|frame| frame.is_plausible())
    } else {
        // A server that understood nothing answers with a bare header.
        return header.has(RESPONSE) && reader.is_empty();
    };
    match first {
        Ok(plausible) => plausible,
        Err(Stop::Cut) => looks_like_name(bytes.get(HEADER..).unwrap_or_default()),
        Err(Stop::Malformed) => false,
    }
}

/// Whether the beginning of a name that was cut is that of a host or service.
fn looks_like_name(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first() else { return false };
    let label = rest.get(..usize::from(*length)).unwrap_or(rest);
    !label.is_empty()
        && label.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// RFC 1035 section 3.2.4 and RFC 2136; the upper bit is a flag of multicast DNS (RFC 6762).
fn is_class(class: u16) -> bool {
    matches!(class & !CLASS_FLAG, 1 | 3 | 4 | 254 | 255)
}

/// Reads what follows the header into `parsed`, as far as it goes.
fn sections(header: &Header, reader: &mut Reader<'_>, parsed: &mut DnsMessage) -> Result<(), Stop> {
    if header.questions > 0 {
        parsed.question = Some(reader.question()?);
    }
    for _ in 1..header.questions {
        reader.skip_question()?;
    }
    parsed.answers.reserve_exact(usize::from(header.answers.min(USUAL_ANSWERS)));
    for _ in 0..header.answers {
        let frame = reader.frame()?;
        if parsed.answers.len() < limits::DNS_ANSWERS {
            reader.check_name(frame.owner)?;
            let data = record_data(reader, &frame);
            parsed.answers.push(Record { ttl: frame.ttl, data });
        }
    }
    for _ in 0..header.authorities {
        reader.frame()?;
    }
    for _ in 0..header.additional {
        let frame = reader.frame()?;
        if frame.kind == OPT {
            // RFC 6891 section 6.1.3: the upper eight of twelve bits are the first of the TTL.
            let upper = u16::from(frame.ttl.to_be_bytes()[0]);
            let rcode = upper << 4 | u16::from(header.rcode());
            parsed.rcode = u8::try_from(rcode).unwrap_or(u8::MAX);
            parsed.extended_error = parsed.extended_error.or_else(|| extended_error(frame.data));
        }
    }
    Ok(())
}

/// Records that most answers have at most.
const USUAL_ANSWERS: u16 = 6;

fn record_data(reader: &Reader<'_>, frame: &Frame<'_>) -> RecordData {
    let known = match frame.kind {
        _ if frame.class & !CLASS_FLAG != CLASS_IN => None,
        1 => <[u8; 4]>::try_from(frame.data).ok().map(|bytes| RecordData::A(bytes.into())),
        5 => reader.name_in(frame).map(RecordData::Cname),
        28 => <[u8; 16]>::try_from(frame.data).ok().map(|bytes| RecordData::Aaaa(bytes.into())),
        svcb::HTTPS => svcb::https(frame.data).map(RecordData::Https),
        _ => None,
    };
    known.unwrap_or(RecordData::Other(frame.kind))
}

/// The code of the first extended error among the options of EDNS (RFC 8914 section 2).
fn extended_error(options: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(options);
    loop {
        let code = reader.u16().ok()?;
        let length = reader.u16().ok()?;
        let data = reader.bytes(usize::from(length)).ok()?;
        if code == OPTION_EXTENDED_ERROR {
            return Reader::new(data).u16().ok();
        }
    }
}

/// RFC 1035 section 4.1.1.
struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Stop> {
        Ok(Self {
            id: reader.u16()?,
            flags: reader.u16()?,
            questions: reader.u16()?,
            answers: reader.u16()?,
            authorities: reader.u16()?,
            additional: reader.u16()?,
        })
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    const fn opcode(&self) -> u8 {
        (self.flags.to_be_bytes()[0] >> 3) & 0x0f
    }

    const fn rcode(&self) -> u8 {
        self.flags.to_be_bytes()[1] & 0x0f
    }

    /// Records of all sections.
    fn records(&self) -> u32 {
        [self.answers, self.authorities, self.additional]
            .iter()
            .fold(0, |sum: u32, &count| sum.saturating_add(count.into()))
    }

    fn is_plausible(&self) -> bool {
        let known = matches!(self.opcode(), 0..=2 | 4..=6);
        // What does not fit into the longest message is no number of records.
        let fits = self.records() <= MOST_RECORDS && u32::from(self.questions) <= MOST_RECORDS;
        let asks = self.has(RESPONSE) || self.questions > 0;
        known && fits && asks && !self.has(RESERVED)
    }
}

/// Bytes of the header.
const HEADER: usize = 12;
/// QR.
const RESPONSE: u16 = 0x8000;
/// AA.
const AUTHORITATIVE: u16 = 0x0400;
/// TC.
const TRUNCATED: u16 = 0x0200;
/// RD.
const RECURSION_DESIRED: u16 = 0x0100;
/// RA.
const RECURSION_AVAILABLE: u16 = 0x0080;
/// The bit that must be zero; of the three of RFC 1035 only one is left (RFC 6895 section 2).
const RESERVED: u16 = 0x0040;
/// Records of the shortest kind that fit into the longest message.
const MOST_RECORDS: u32 = 6000;
/// The class of the Internet.
const CLASS_IN: u16 = 1;
/// Cache flush, and "answer to me alone", of multicast DNS (RFC 6762 sections 10.2 and 5.4).
const CLASS_FLAG: u16 = 0x8000;
/// The record that carries EDNS.
const OPT: u16 = 41;
/// RFC 8914 section 2.
const OPTION_EXTENDED_ERROR: u16 = 15;

/// Entry for fuzzing: any bytes as a message, and as a stream of them.
#[doc(hidden)]
pub fn fuzz_dns(bytes: &[u8]) {
    assert_eq!(parse(bytes).is_some(), looks_like_dns(bytes), "one judgement");
    if let Some(message) = parse(bytes) {
        assert!(message.answers.len() <= limits::DNS_ANSWERS, "answers are bounded");
        for name in message.question.iter().map(|question| &question.name) {
            assert!(name.len() <= limits::DNS_NAME, "names are bounded");
        }
    }
    tcp::fuzz_dns_over_tcp(bytes);
}

#[cfg(test)]
mod tests;
