//! Reads HTTPS records with `simple-dns` (RFC 9460 sections 2.2 and 7).
//!
//! It must not know a host. Names in these records are never compressed, so one can be read without
//! the message it came in.
//!
//! Invariant: the lists are bounded, whatever the record holds.

use std::net::{Ipv4Addr, Ipv6Addr};

use simple_dns::Packet;
use simple_dns::rdata::{RData, SVCB, SVCParam};

use crate::limits;

use super::Https;
use super::read::Reader;

/// The type of the record.
pub(super) const HTTPS: u16 = 65;

/// Reads the data of a record. One whose parameters are broken keeps its target.
pub(super) fn https(data: &[u8]) -> Option<Https> {
    let mut reader = Reader::new(data);
    let priority = reader.u16().ok()?;
    let target = reader.name_from(PRIORITY).ok()?;
    let mut https = Https { priority, target, ..Https::default() };
    let message = message(data)?;
    if let Ok(packet) = Packet::parse(&message)
        && let Some(RData::HTTPS(record)) = packet.answers.first().map(|record| &record.rdata)
    {
        parameters(record, &mut https);
    }
    Some(https)
}

/// A message with nothing in it but this record: the crate reads only whole messages.
fn message(data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len()).ok()?;
    let mut message = vec![0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.extend_from_slice(&[0, 0, 65, 0, 1, 0, 0, 0, 0]);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(data);
    Some(message)
}

fn parameters(record: &SVCB<'_>, https: &mut Https) {
    const MOST: usize = limits::DNS_PARAMETERS;
    for parameter in record.iter_params() {
        match parameter {
            SVCParam::Alpn(protocols) => {
                let shown = protocols.iter().map(ToString::to_string);
                https.alpn.extend(shown.take(MOST));
            }
            SVCParam::Ech(_) => https.has_ech = true,
            SVCParam::Ipv4Hint(hints) => {
                https.ipv4_hints.extend(hints.iter().map(|&hint| Ipv4Addr::from(hint)).take(MOST));
            }
            SVCParam::Ipv6Hint(hints) => {
                https.ipv6_hints.extend(hints.iter().map(|&hint| Ipv6Addr::from(hint)).take(MOST));
            }
            _ => {}
        }
    }
}

/// Bytes before the target.
const PRIORITY: usize = 2;
