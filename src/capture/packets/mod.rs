//! The inside of packets: from frames to connections, lookups and requests in clear.
//!
//! Layers are taken off each frame; segments of TCP go to the table of live connections, datagrams to
//! what reads them, ICMP errors to the connection that they quote. It must not know what a host or a
//! message means.
//!
//! Invariants: nothing is allocated for a frame; what is kept is bounded by `limits`; the order of
//! what comes out depends on the frames alone.

mod clear;
mod content;
mod context;
mod datagrams;
mod finish;
mod flow;
mod inside;
mod lookups;
mod opening;
mod slab;
mod stream_number;
mod table;

use std::net::{IpAddr, SocketAddr};

use self::datagrams::{Datagram, Datagrams};
use self::flow::{Icmp, Segment};
use self::lookups::Lookups;
use self::stream_number::Header;
use self::table::{Around, Table};
use super::ReadOptions;
use super::frames::{Frame, LinkType};
use super::source::as_u64;
use crate::evidence::{
    Diagnostic, DiagnosticCode, EvidenceBuilder, EvidenceRef, IcmpKind, InputId, Locator, Tunnel,
    WireCoverage,
};
use crate::limits::{self, Budget};
use crate::proto::Mark;
use crate::proto::layers::{Layers, Seen};
use crate::proto::segment::{self as proto_segment, IcmpError, Transport};
use crate::proto::tcp::Sequence;
use crate::time::Timestamp;

/// Protocols of IP that carry other packets in a sealed form: ESP and AH (RFC 4303, RFC 4302).
const SEALED: [u8; 2] = [50, 51];
/// Packet ids remembered to recognise copies.
const IDS: usize = 64;

/// Reads packets of one input.
pub(super) struct Packets {
    input: InputId,
    layers: Layers,
    table: Table,
    lookups: Lookups,
    datagrams: Datagrams,
    /// The highest time so far.
    clock: Timestamp,
    ids: [Option<(u64, u32)>; IDS],
    next_id: usize,
    coverage: WireCoverage,
    sides: Sides,
    /// What bodies may still expand to.
    budget: Budget,
}

/// Whether the first client that asked for something was sent anything at all.
#[derive(Default)]
struct Sides {
    client: Option<IpAddr>,
    heard: u64,
    /// The stations on an Ethernet that were seen first: where only one of them sends, one side may
    /// have been captured.
    stations: [Option<[u8; 6]>; 2],
}

impl Sides {
    /// Notes who sent a frame on an Ethernet.
    fn station(&mut self, frame: &[u8]) {
        let [first, second] = &mut self.stations;
        if second.is_some() {
            return;
        }
        let Some(sender) = frame.get(6..12).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok())
        else {
            return;
        };
        match first {
            Some(known) if *known == sender => {}
            Some(_) => {
                *second = Some(sender);
                self.heard = self.heard.saturating_add(1);
            }
            None => *first = Some(sender),
        }
    }

    fn see(&mut self, unit: &proto_segment::Segment<'_>) {
        if let Some(client) = self.client {
            if unit.destination == client {
                self.heard = self.heard.saturating_add(1);
            }
            return;
        }
        let asks = match &unit.layer {
            Transport::Tcp { flags, .. } => flags.is_syn() && !flags.is_ack(),
            Transport::Udp { destination_port, .. } => *destination_port == 53,
            _ => false,
        };
        if asks {
            self.client = Some(unit.source);
        }
    }
}

impl Packets {
    pub(super) fn new(input: InputId, budget: Budget) -> Self {
        Self {
            input,
            layers: Layers::new(),
            table: Table::default(),
            lookups: Lookups::default(),
            datagrams: Datagrams::default(),
            clock: Timestamp::from_nanoseconds(0),
            ids: [None; IDS],
            next_id: 0,
            coverage: WireCoverage::default(),
            sides: Sides::default(),
            budget,
        }
    }

    /// Takes a frame.
    pub(super) fn frame(
        &mut self,
        frame: &Frame<'_>,
        options: &ReadOptions<'_>,
        into: &mut EvidenceBuilder,
    ) {
        let Some(link) = frame.link else { return };
        self.clock = frame.at.map_or(self.clock, |at| self.clock.max(at));
        let mark = Mark { frame: frame.number, at: frame.at.unwrap_or(self.clock) };
        let at = EvidenceRef {
            input: self.input,
            at: Locator::Frames { first: mark.frame, last: mark.frame, stream: None },
        };
        self.coverage.first_frame.get_or_insert(at);
        let facts = frame.options.facts();
        let is_dropped = facts.judgement.is_some_and(super::options::Judgement::is_drop);
        let is_copy = facts.packet_id.is_some_and(|id| self.is_copy(id, frame.interface));
        if is_copy {
            self.coverage.copies = self.coverage.copies.saturating_add(1);
        }
        self.coverage.dropped =
            self.coverage.dropped.saturating_add(facts.lost_before.unwrap_or(0));
        if frame.is_cut() {
            self.coverage.cut = self.coverage.cut.saturating_add(1);
            self.coverage.cut_to = self.coverage.cut_to.max(as_u64(frame.data.len()));
        }
        let Self { layers, table, lookups, datagrams, coverage, input, sides, budget, .. } = self;
        if link == LinkType::ETHERNET {
            sides.station(frame.data);
        }
        let keys = options.keys.log();
        let mut around = Around {
            into,
            lookups,
            scope: options.scope,
            input: *input,
            keys: &keys,
            budget,
            bodies: options.limits.body,
        };
        let seen = layers.frame(link.0, frame.data, frame.original, mark, &mut |segment| {
            sides.see(segment);
            let given = Given { segment, mark, at, is_dropped, is_copy };
            given.take(table, datagrams, coverage, &mut around);
        });
        if matches!(seen, Seen::Undecoded | Seen::Malformed) {
            coverage.undecoded = coverage.undecoded.saturating_add(1);
        }
    }

    /// Whether a packet was captured on another interface already.
    fn is_copy(&mut self, id: u64, interface: u32) -> bool {
        let known = self.ids.iter().flatten().find(|(known, _)| *known == id);
        if let Some((_, first)) = known {
            return *first != interface;
        }
        if let Some(slot) = self.ids.get_mut(self.next_id) {
            *slot = Some((id, interface));
        }
        self.next_id = self.next_id.saturating_add(1).checked_rem(IDS).unwrap_or(0);
        false
    }

    /// Ends the capture, and says what it could see.
    pub(super) fn finish(
        mut self,
        options: &ReadOptions<'_>,
        into: &mut EvidenceBuilder,
    ) -> WireCoverage {
        let Self { table, lookups, datagrams, coverage, input, sides, budget, .. } = &mut self;
        let keys = options.keys.log();
        let mut around = Around {
            into,
            lookups,
            scope: options.scope,
            input: *input,
            keys: &keys,
            budget,
            bodies: options.limits.body,
        };
        table.finish(&mut around);
        datagrams.finish(&mut around);
        around.lookups.finish(around.into);
        coverage.opened = table.opened;
        coverage.mid_stream = table.mid_stream;
        coverage.lookups = around.lookups.asked;
        coverage.missing = table.missing;
        coverage.keys = table.opened_by_keys;
        coverage.copies = coverage.copies.saturating_add(table.copies);
        // One connection with both sides shows that the capture could see both.
        let heard = around.lookups.answered > 0 || sides.heard > 0;
        coverage.is_one_sided =
            table.two_sided == 0 && (table.one_sided > 0 || sides.client.is_some() && !heard);
        let given_up = keys.take_given_up();
        if given_up > 0 {
            let text = format!(
                "{given_up} connections stay closed behind what is missing in them: decryption may \
                 try so much in vain for all together; give a key log of this capture alone, or a \
                 capture that lost no packets"
            );
            into.add_diagnostic(Diagnostic {
                code: DiagnosticCode::LimitReached,
                input: Some(*input),
                offset: None,
                lost: Some(given_up),
                text,
            });
        }
        if table.unread > 0 {
            into.diagnose(
                DiagnosticCode::LimitReached,
                Some(*input),
                &format!(
                    "more payload at once than is held: that of {} connections was not read to its end",
                    table.unread
                ),
            );
        }
        if table.evicted > 0 {
            into.diagnose(
                DiagnosticCode::LimitReached,
                Some(*input),
                &format!(
                    "more connections at once than are followed: {} were given up before their end",
                    table.evicted
                ),
            );
        }
        self.coverage
    }
}

/// One transport unit of a frame.
struct Given<'a, 's> {
    segment: &'a proto_segment::Segment<'s>,
    mark: Mark,
    at: EvidenceRef,
    is_dropped: bool,
    is_copy: bool,
}

impl Given<'_, '_> {
    fn take(
        &self,
        table: &mut Table,
        datagrams: &mut Datagrams,
        coverage: &mut WireCoverage,
        around: &mut Around<'_>,
    ) {
        let unit = self.segment;
        let ends = |from: u16, to: u16| {
            (SocketAddr::new(unit.source, from), SocketAddr::new(unit.destination, to))
        };
        match &unit.layer {
            Transport::Tcp {
                source_port,
                destination_port,
                sequence,
                acknowledgement,
                flags,
                window,
                payload,
                payload_length,
                ..
            } => {
                coverage.segments = coverage.segments.saturating_add(1);
                let (source, destination) = ends(*source_port, *destination_port);
                let segment = Segment {
                    source,
                    destination,
                    hop_limit: unit.ttl,
                    ip_id: unit.ip_id,
                    sequence: Sequence(*sequence),
                    acknowledgement: Sequence(*acknowledgement),
                    flags: flags.0,
                    window: *window,
                    payload,
                    length: *payload_length,
                    is_dropped: self.is_dropped,
                    mark: self.mark,
                };
                table.segment(&segment, self.is_copy, around);
                if destination.ip().is_loopback() && *payload_length > 0 {
                    self.hides(Tunnel::LoopbackProxy, coverage);
                }
                if [*source_port, *destination_port].contains(&853) && *payload_length > 0 {
                    self.hides(Tunnel::DnsOverTls, coverage);
                }
            }
            Transport::Udp { source_port, destination_port, payload, payload_length } => {
                coverage.datagrams = coverage.datagrams.saturating_add(1);
                let (source, destination) = ends(*source_port, *destination_port);
                let datagram = Datagram {
                    source,
                    destination,
                    hop_limit: unit.ttl,
                    payload,
                    length: *payload_length,
                    mark: self.mark,
                };
                if let Some(tunnel) = datagrams.take(&datagram, self.is_copy, around) {
                    self.hides(tunnel, coverage);
                }
            }
            Transport::Icmp(error) => self.icmp(error, table, datagrams, around),
            Transport::Other(protocol) => {
                if SEALED.contains(protocol) {
                    self.hides(Tunnel::Vpn, coverage);
                }
            }
        }
    }

    fn icmp(
        &self,
        error: &IcmpError,
        table: &mut Table,
        datagrams: &mut Datagrams,
        around: &mut Around<'_>,
    ) {
        let quoted = &error.quoted;
        let Some((from, to)) = quoted.ports else { return };
        let source = SocketAddr::new(quoted.source, from);
        let destination = SocketAddr::new(quoted.destination, to);
        match (quoted.protocol, quoted.sequence) {
            (6, Some(sequence)) => {
                let icmp = Icmp {
                    kind: kind(error),
                    code: error.code,
                    from: error.from,
                    mtu: error.mtu.map(u32::from),
                    mark: self.mark,
                };
                let header = Header::quoted(source, destination, sequence);
                table.icmp(&header, icmp);
            }
            (17, _) => {
                datagrams.quoted(source, destination);
                around.lookups.unreachable(source, destination);
            }
            _ => {}
        }
    }

    fn hides(&self, tunnel: Tunnel, coverage: &mut WireCoverage) {
        match coverage.tunnels.iter_mut().find(|(known, ..)| *known == tunnel) {
            Some((_, count, _)) => *count = count.saturating_add(1),
            None => coverage.tunnels.push((tunnel, 1, self.at)),
        }
    }
}

/// What an error says (RFC 792, RFC 1812 section 5.2.7, RFC 4443).
fn kind(error: &IcmpError) -> IcmpKind {
    match (error.is_v6, error.kind, error.code) {
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5) => IcmpKind::Prohibited,
        (false, 3, 4) | (true, 2, _) => IcmpKind::TooBig,
        (false, 3, 3) | (true, 1, 4) => IcmpKind::Port,
        (false, 3, _) | (true, 1, _) => IcmpKind::Unreachable,
        (false, 11, _) | (true, 3, _) => IcmpKind::TimeExceeded,
        _ => IcmpKind::Other,
    }
}

const _: () = assert!(limits::LIVE_CONTENTS <= limits::LIVE_FLOWS, "contents belong to flows");

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::capture::{Keys, Scope};
    use crate::evidence::Input;
    use crate::limits::Limits;

    #[test]
    fn connections_given_up_because_of_others_are_told_once() {
        let (scope, limits, keys) = (Scope::default(), Limits::default(), Keys::new());
        let cancel = AtomicBool::new(false);
        let options = ReadOptions {
            scope: &scope,
            limits: &limits,
            passwords: &[],
            keys: &keys,
            cancel: &cancel,
        };
        let mut into = EvidenceBuilder::new();
        for given_up in [0, 2] {
            let input = into.add_input(Input::named("trace.pcapng"));
            (0..given_up).for_each(|_| keys.log().note_given_up());
            Packets::new(input, Budget::new(1, 1)).finish(&options, &mut into);
        }
        let [told] = &into.finish().diagnostics[..] else { panic!("one is told of") };
        assert_eq!((told.code, told.lost), (DiagnosticCode::LimitReached, Some(2)));
        assert!(told.text.starts_with("2 connections stay closed"), "{}", told.text);
    }
}
