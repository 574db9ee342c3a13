//! A flow that ended as a connection.
//!
//! Facts only: how it opened and closed, what each side sent, what its handshake showed.

use std::num::NonZeroU64;
use std::time::Duration;

use super::flow::{Beat, Flow, Run, Side};
use super::inside::Told;
use crate::capture::Scope;
use crate::evidence::{
    Alert, CertificateSummary, Closed, Connection, Decryption, EvidenceBuilder, EvidenceRef, Hello,
    IcmpKind, IcmpReport, InputId, Locator, NamedBy, Opened, Peer, ResetReport, Spoken,
    StallReport, Stream, StreamNumber, TlsHandshake, TlsVersion, Traffic, Transport, Wire, shown,
};
use crate::proto::community_id::community_id;
use crate::proto::tls::{Access, CertificateFacts, ClientCertificate, Ech, TlsFacts, cipher_name};
use crate::proto::{self, Mark};
use crate::time::Span;

/// Characters kept of a name in a certificate.
const NAME: usize = 300;
/// Host names kept of a certificate.
const NAMES: usize = 50;
/// Beats of a poll below which there is none.
const BEATS: u32 = 5;
/// The number of TCP among the protocols of IP.
const TCP: u8 = 6;

/// Why a flow is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    CaptureEnd,
    Evicted,
    Idle,
}

/// What keys made of a connection.
pub(super) const fn decryption(access: Access) -> Decryption {
    match access {
        Access::Waiting => Decryption::Untried,
        Access::Failed => Decryption::Failed,
        Access::MidStream => Decryption::MidStream,
        Access::NoSecret => Decryption::NoSecret,
        Access::Open => Decryption::Opened,
        Access::Suite(_) | Access::Version(_) => Decryption::Unsupported,
    }
}

/// What making a connection needs.
pub(super) struct Maker<'a> {
    pub(super) into: &'a mut EvidenceBuilder,
    pub(super) scope: &'a Scope,
    pub(super) input: InputId,
}

/// Where something of a stream stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) input: InputId,
    pub(super) stream: Option<Stream>,
}

impl Place {
    pub(super) const fn at(self, mark: Mark) -> EvidenceRef {
        self.frames(mark.frame, mark.frame)
    }

    pub(super) const fn frames(self, first: NonZeroU64, last: NonZeroU64) -> EvidenceRef {
        let at = Locator::Frames { first, last, stream: self.stream };
        EvidenceRef { input: self.input, at }
    }
}

pub(super) const fn peer(side: proto::Peer) -> Peer {
    match side {
        proto::Peer::Client => Peer::Client,
        proto::Peer::Server => Peer::Server,
    }
}

fn span(run: Run) -> Span {
    Span::new(run.first.at, run.last.at)
}

impl Maker<'_> {
    /// Adds the connection that a flow was; where there is no room for it, it is not even made.
    pub(super) fn add(&mut self, flow: &Flow, told: Told, why: Why) {
        let name = told.name.as_ref().map(|(name, _)| name).or(flow.hinted());
        let in_scope = name.is_some_and(|name| self.scope.covers(name.as_str(), "/"));
        if !in_scope && self.into.is_full_of_others() {
            let failed =
                !matches!(opened(flow, why), Opened::Established { .. }) && why != Why::Evicted;
            self.into.count_connection(self.input, name, failed);
            return;
        }
        let connection = self.connection(flow, told, why, in_scope);
        self.into.add_connection(connection);
    }

    /// The connection that a flow was.
    fn connection(&mut self, flow: &Flow, told: Told, why: Why, in_scope: bool) -> Connection {
        let mut told = told;
        let stream = flow
            .number
            .map(|number| Stream { transport: Transport::Tcp, number: StreamNumber(number) });
        let place = Place { input: self.input, stream };
        let reversed = told.tls.as_ref().is_some_and(|tls| tls.is_reversed) && !flow.has_syn;
        let facts = told.tls.take();
        let mut tls =
            facts.as_deref().map(|facts| Box::new(self.handshake(facts, place, reversed)));
        if let (Some(tls), Some((access, _))) = (&mut tls, told.access) {
            tls.decryption = decryption(access);
        }
        let ja4 = facts.as_deref().and_then(|facts| facts.client_hellos.first());
        let ja4 = ja4.and_then(|hello| hello.ja4.as_ref()).map(|ja4| ja4.as_str().into());
        let (name, named_by) = match told.name {
            Some((name, by)) => (Some(name), Some(by)),
            None => (flow.hinted().cloned(), flow.hinted().map(|_| NamedBy::Lookup)),
        };
        let sides = if reversed { [1, 0] } else { [0, 1] };
        let side = |index: usize| flow.sides.get(index);
        let [one, other] = sides;
        let pick = |place: usize| side(if place == 0 { one } else { other });
        let opened = opened(flow, why);
        let (client, server) =
            if reversed { (flow.server, flow.client) } else { (flow.client, flow.server) };
        let wire = Wire {
            traffic: [0, 1].map(|place| pick(place).map(traffic).unwrap_or_default()),
            tries: flow.tries,
            asked: flow.asked.map(span),
            is_one_sided: is_one_sided(flow),
            icmp: flow.icmp.as_deref().map(|icmp| IcmpReport {
                kind: icmp.kind,
                code: icmp.code,
                from: icmp.from,
                mtu: icmp.mtu,
                at: place.at(icmp.mark),
            }),
            reset: flow.reset.map(|reset| ResetReport {
                by: if reversed { peer(reset.by.other()) } else { peer(reset.by) },
                hop_limit: reset.hop_limit,
                time: reset.mark.at,
                at: place.at(reset.mark),
            }),
            ended: [0, 1].map(|place| pick(place).and_then(|side| side.fin).map(|mark| mark.at)),
            waiting: pick(0).map_or(0, |side| side.since_other),
            last_request: pick(0).and_then(|side| side.last_request).map(|mark| mark.at),
            payload: [0, 1].map(|place| pick(place).and_then(|side| side.payload).map(span)),
            dropped: flow.dropped.as_deref().map(|(count, mark)| (*count, place.at(*mark))),
            stall: [0, 1].map(|place| pick(place).and_then(stall)),
            is_proxied: told.is_proxied,
            torn: [0, 1]
                .map(|place| told.torn.get(if place == 0 { one } else { other }) == Some(&true)),
            is_read: told.is_read,
            protocol: told.protocol,
            polls: polls(flow.beat),
            community_id: community_id(TCP, flow.client, flow.server).into(),
            ja4,
        };
        Connection {
            transport: Transport::Tcp,
            stream: stream.map(|stream| stream.number),
            client: Some(client),
            server: Some(server),
            server_name: name,
            named_by,
            opened,
            closed: closed(flow, why, reversed),
            tls,
            wire: Some(Box::new(wire)),
            in_scope,
            span: Some(span(flow.seen)),
            at: place.frames(flow.seen.first.frame, flow.seen.last.frame),
        }
    }

    pub(super) fn handshake(
        &mut self,
        facts: &TlsFacts,
        place: Place,
        reversed: bool,
    ) -> TlsHandshake {
        let turn = |side: proto::Peer| if reversed { peer(side.other()) } else { peer(side) };
        let first = facts.client_hellos.first();
        let agreed = facts.agreed();
        let is_alert = |alert: &proto::tls::AlertFact| {
            let description = alert.description?;
            Some(Alert {
                from: turn(alert.from),
                description,
                fatal: alert.is_fatal() == Some(true),
                at: Some(place.at(alert.mark)),
            })
        };
        let inferred = facts.alert_instead_of_finished().map(|mark| (Peer::Client, mark));
        let sealed = || {
            [proto::Peer::Client, proto::Peer::Server].into_iter().find_map(|side| {
                let alert = facts
                    .alerts
                    .iter()
                    .find(|one| one.from == side && one.description.is_none())?;
                (!facts.is_handshake_over()).then_some((turn(side), alert.mark))
            })
        };
        let plain = facts.not_tls.as_ref().map(|plain| {
            let text = self.into.captured(plain.head.clone());
            (turn(plain.from), text, place.at(plain.mark))
        });
        let count =
            |records: &proto::tls::Records| u32::try_from(records.count).unwrap_or(u32::MAX);
        let (client, server) = (count(&facts.application.client), count(&facts.application.server));
        TlsHandshake {
            version: agreed.and_then(|hello| version(hello.version)),
            offered: first.and_then(|hello| version(hello.highest_version())),
            cipher: agreed.map(|hello| {
                let name = cipher_name(hello.cipher).map(str::to_owned);
                name.unwrap_or_else(|| format!("0x{:04x}", hello.cipher))
            }),
            offered_ciphers: first.map_or(0, |hello| hello.ciphers),
            certificate: facts.certificates.first().map(summary),
            alerts: facts.alerts.iter().filter_map(is_alert).collect(),
            completed: completed(facts),
            decryption: Decryption::Untried,
            by_capture_tool: false,
            hello: first.map(|hello| Hello {
                length: hello.length,
                segments: hello.segments,
                is_post_quantum: hello.has_post_quantum_share(),
                has_encrypted_hello: hello.ech != Ech::None,
                at: place.frames(hello.first.frame, hello.mark.frame),
            }),
            server_hello: facts.server_hellos.first().map(|hello| place.at(hello.mark)),
            checked: checked(facts),
            was_retried: facts.was_retried(),
            resumed: facts.resumed,
            chain: u8::try_from(facts.chain_length).unwrap_or(u8::MAX),
            certificate_requested: facts.certificate_request.is_some(),
            client_certificate: facts
                .client_certificate
                .as_ref()
                .map(|sent| !matches!(sent, ClientCertificate::Empty)),
            application: if reversed { [server, client] } else { [client, server] },
            spoken: if reversed { [1, 0] } else { [0, 1] }.map(|side| {
                let peer = if side == 0 { proto::Peer::Client } else { proto::Peer::Server };
                let records = facts.spoken.of(peer);
                let (first, last) = records.first.zip(records.last)?;
                Some(Spoken { bytes: records.bytes, span: Span::new(first.at, last.at) })
            }),
            inferred_alert: inferred.or_else(sealed).map(|(by, mark)| (by, place.at(mark))),
            farewell: if reversed { [1, 0] } else { [0, 1] }.map(|side| {
                let peer = if side == 0 { proto::Peer::Client } else { proto::Peer::Server };
                facts.last_is_sealed_alert(peer).is_some()
            }),
            plain_text: plain,
        }
    }
}

/// From the server's part of the handshake to what the client sent next, be it an alert.
fn checked(facts: &TlsFacts) -> Option<Span> {
    let shown =
        if facts.is_tls13() { facts.agreed().map(|hello| hello.mark) } else { facts.server_done }?;
    let alert = facts.alerts.iter().find(|alert| alert.from == proto::Peer::Client);
    // A change of ciphers may come before the certificate was looked at in TLS 1.3.
    let changed = facts.change_cipher_spec.client.filter(|_| !facts.is_tls13());
    let next = [facts.finished.client, changed, alert.map(|alert| alert.mark)]
        .into_iter()
        .flatten()
        .map(|mark| mark.at)
        .filter(|at| *at >= shown.at)
        .min()?;
    Some(Span::new(shown.at, next))
}

/// Whether both sides finished; `None` where the handshake was not seen from its beginning.
fn completed(facts: &TlsFacts) -> Option<bool> {
    if facts.is_handshake_over() && facts.alert_instead_of_finished().is_none() {
        return Some(true);
    }
    (!facts.is_mid_stream).then_some(false)
}

/// The version by its number; drafts of TLS 1.3 are that.
pub(super) fn version(number: u16) -> Option<TlsVersion> {
    match number.to_be_bytes() {
        [0x7e | 0x7f | 0xfb, _] => Some(TlsVersion::Tls13),
        _ => TlsVersion::from_wire(number),
    }
}

fn summary(facts: &CertificateFacts) -> CertificateSummary {
    CertificateSummary {
        subject: shown(&facts.subject, NAME),
        issuer: shown(&facts.issuer, NAME),
        names: facts.names.iter().take(NAMES).map(|name| shown(name, NAME)).collect(),
        not_before: Some(facts.not_before),
        not_after: Some(facts.not_after),
    }
}

fn traffic(side: &Side) -> Traffic {
    let track = &side.track;
    Traffic {
        segments: track.segments,
        with_payload: track.with_payload,
        bytes: track.bytes,
        repeated: track.repeated,
        lost: track.lost,
        reordered: track.reordered,
        copies: track.copies,
        missing: track.missing,
        hop_limit: side.hop_limit,
    }
}

fn stall(side: &Side) -> Option<StallReport> {
    let stall = side.track.stall()?;
    Some(StallReport {
        tries: stall.tries,
        bytes: stall.bytes,
        longest: stall.longest,
        passed: side.track.longest_passed(),
        span: Span::new(stall.since, stall.until),
    })
}

fn polls(beat: Beat) -> Option<(u32, Duration)> {
    let usual = beat.sum.checked_div(u64::from(beat.count))?;
    (beat.count >= BEATS).then_some((beat.count, Duration::from_millis(usual)))
}

/// Whether one side is missing although it must have sent: data or an acknowledgement of the other
/// shows it.
pub(super) fn is_one_sided(flow: &Flow) -> bool {
    let [client, server] = &flow.sides;
    match (client.track.segments, server.track.segments) {
        (0, 0) => false,
        (_, 0) => client.payload.is_some() || client.fin.is_some() && flow.has_syn,
        (0, _) => server.payload.is_some() || flow.agreed.is_some(),
        _ => false,
    }
}

fn opened(flow: &Flow, why: Why) -> Opened {
    if !flow.has_syn {
        return Opened::MidStream;
    }
    if let Some(agreed) = flow.agreed {
        let rtt = flow.asked.map(|asked| agreed.at.since(asked.last.at));
        return Opened::Established { rtt };
    }
    let [client, server] = &flow.sides;
    if server.payload.is_some() || client.payload.is_some() {
        // The answer to its SYN was not captured.
        return Opened::Established { rtt: None };
    }
    if flow.reset.is_some_and(|reset| reset.by == proto::Peer::Server) {
        return Opened::Refused;
    }
    match flow.icmp.as_deref() {
        Some(icmp) if !matches!(icmp.kind, IcmpKind::TooBig) => {
            Opened::Unreachable { icmp: icmp.code }
        }
        // What was not followed to its end, or was taken up again, may have been answered meanwhile.
        _ if why == Why::Evicted || flow.is_again => Opened::MidStream,
        _ => Opened::Unanswered { tries: flow.tries },
    }
}

fn closed(flow: &Flow, why: Why, reversed: bool) -> Closed {
    if let Some(reset) = flow.reset {
        let by = if reversed { reset.by.other() } else { reset.by };
        return Closed::Reset { by: peer(by) };
    }
    if flow.sides.iter().all(|side| side.fin.is_some()) {
        return Closed::Fin;
    }
    match why {
        Why::CaptureEnd => Closed::CaptureEnd,
        Why::Evicted => Closed::Evicted,
        Why::Idle => Closed::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow::{Segment, flag};
    use super::*;
    use crate::proto::tcp::Sequence;
    use crate::time::Timestamp;

    #[test]
    fn what_was_given_up_is_not_unanswered() {
        let mark = Mark { frame: NonZeroU64::MIN, at: Timestamp::from_nanoseconds(0) };
        let asks = Segment {
            source: "192.0.2.1:50000".parse().unwrap(),
            destination: "198.51.100.1:443".parse().unwrap(),
            hop_limit: 64,
            ip_id: Some(1),
            sequence: Sequence(7),
            acknowledgement: Sequence(0),
            flags: flag::SYN,
            window: 64_240,
            payload: &[],
            length: 0,
            is_dropped: false,
            mark,
        };
        let mut flow = Flow::new(&asks, Some(0));
        flow.take(&asks);
        for why in [Why::CaptureEnd, Why::Idle] {
            assert_eq!(opened(&flow, why), Opened::Unanswered { tries: 1 });
        }
        assert_eq!(opened(&flow, Why::Evicted), Opened::MidStream);
        let again = Flow { is_again: true, ..flow };
        assert_eq!(opened(&again, Why::CaptureEnd), Opened::MidStream);
    }
}
