//! Questions and answers of DNS (RFC 1035, RFC 9460).

use std::net::IpAddr;

use super::bytes::Put as _;

/// Types of records.
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;
pub(crate) const HTTPS: u16 = 65;

/// Number of a type by its name.
pub(crate) fn kind(name: &str) -> u16 {
    match name {
        "A" => A,
        "AAAA" => AAAA,
        "HTTPS" => HTTPS,
        other => panic!("no type of record: {other}"),
    }
}

/// Number of a response code by its name.
pub(crate) fn code(name: &str) -> u8 {
    match name {
        "NOERROR" => 0,
        "FORMERR" => 1,
        "SERVFAIL" => 2,
        "NXDOMAIN" => 3,
        "NOTIMP" => 4,
        "REFUSED" => 5,
        other => panic!("no response code: {other}"),
    }
}

/// A question.
pub(crate) fn question(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = header(id, 0x0100, 0, 0);
    ask(&mut bytes, name, kind);
    bytes
}

/// What an answer holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    /// Names on the way, the last one owns the addresses.
    pub(crate) chain: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) seconds: u32,
    /// Whether the zone says who answers for it, as it does with no data and with no name.
    pub(crate) authority: bool,
}

/// An answer to a question.
pub(crate) fn answer(id: u16, name: &str, kind: u16, what: &Answer) -> Vec<u8> {
    let records = what.chain.len() + what.addresses.len();
    let mut bytes =
        header(id, 0x8180 | u16::from(what.code), records as u16, u16::from(what.authority));
    ask(&mut bytes, name, kind);
    // The name of the question stands at byte 12.
    let mut owner = vec![0xc0, 12];
    for next in &what.chain {
        bytes.put(&owner);
        record(&mut bytes, 5, what.seconds, |data| spell(data, next));
        owner.clear();
        spell(&mut owner, next);
    }
    for address in &what.addresses {
        bytes.put(&owner);
        match address {
            IpAddr::V4(four) => {
                record(&mut bytes, A, what.seconds, |data| data.put(&four.octets()));
            }
            IpAddr::V6(six) => {
                record(&mut bytes, AAAA, what.seconds, |data| data.put(&six.octets()));
            }
        }
    }
    if what.authority {
        let last = what.chain.last().map_or(name, String::as_str);
        let zone = last.split_once('.').map_or(last, |(_, zone)| zone);
        spell(&mut bytes, zone);
        record(&mut bytes, 6, 300, |data| {
            spell(data, &format!("ns1.{zone}"));
            spell(data, &format!("hostmaster.{zone}"));
            for number in [2_026_031_001_u32, 3600, 600, 604_800, 300] {
                data.u32(number);
            }
        });
    }
    bytes
}

fn header(id: u16, flags: u16, answers: u16, authorities: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [id, flags, 1, answers, authorities, 0] {
        bytes.u16(number);
    }
    bytes
}

fn ask(bytes: &mut Vec<u8>, name: &str, kind: u16) {
    spell(bytes, name);
    bytes.u16(kind);
    bytes.u16(1);
}

fn record(bytes: &mut Vec<u8>, kind: u16, seconds: u32, data: impl FnOnce(&mut Vec<u8>)) {
    bytes.u16(kind);
    bytes.u16(1);
    bytes.u32(seconds);
    bytes.sized16(data);
}

fn spell(bytes: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        bytes.sized8(|inner| inner.put(label.as_bytes()));
    }
    bytes.u8(0);
}
