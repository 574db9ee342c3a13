//! What was seen of TLS on one connection.
//!
//! Facts only: whether they are a fault, and whose, is not known here.
//!
//! Invariant: every list is bounded by a constant of [`limits`](crate::limits).

use super::alert::AlertFact;
use super::certificate::{CertificateFacts, ClientCertificate};
use super::handshake::ServerHello;
use super::hello::ClientHello;
use super::record::{ALERT, APPLICATION};
use crate::proto::{Mark, Peer};

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// That of the client.
    pub client: T,
    /// That of the server.
    pub server: T,
}

impl<T> Sides<T> {
    /// That of one side.
    pub const fn of(&self, side: Peer) -> &T {
        match side {
            Peer::Client => &self.client,
            Peer::Server => &self.server,
        }
    }

    /// That of one side, to change it.
    pub const fn of_mut(&mut self, side: Peer) -> &mut T {
        match side {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }
}

/// Records of application data of one side.
///
/// Up to TLS 1.2 they are what they are called. In TLS 1.3 all that is encrypted wears this type:
/// the rest of the handshake, tickets and alerts are among them and cannot be told apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// How many began.
    pub count: u64,
    /// Bytes of their bodies that were sent, those that the capture lost inside a record included.
    pub bytes: u64,
    /// Where the header of the first one was complete.
    pub first: Option<Mark>,
    /// Where the last byte of any of them was.
    pub last: Option<Mark>,
}

/// A record by its outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSeen {
    /// The type as it is registered: 20 for a change of ciphers, 21 for alerts, 22 for the handshake,
    /// 23 for application data.
    pub kind: u8,
    /// Bytes of the body.
    pub length: u16,
    /// The frame that completed it.
    pub mark: Mark,
}

/// The last records of a side, of any type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail([Option<RecordSeen>; 3]);

impl Tail {
    /// The last record that is complete.
    pub const fn last(&self) -> Option<RecordSeen> {
        let [_, _, last] = self.0;
        last
    }

    /// Them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = RecordSeen> {
        self.0.into_iter().flatten()
    }

    pub(super) const fn push(&mut self, record: RecordSeen) {
        let [_, second, third] = self.0;
        self.0 = [second, third, Some(record)];
    }
}

/// What came from a side in place of TLS, while the other side spoke TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTls {
    /// Who sent it.
    pub from: Peer,
    /// The frame its first byte came with.
    pub mark: Mark,
    /// Its first bytes, at most [`limits::TLS_FOREIGN`](crate::limits::TLS_FOREIGN).
    pub head: Vec<u8>,
}

/// All that was seen of TLS on one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// `ClientHellos` in order; a second one follows a `HelloRetryRequest`.
    pub client_hellos: Vec<ClientHello>,
    /// `ServerHellos` in order, `HelloRetryRequests` among them.
    pub server_hellos: Vec<ServerHello>,
    /// Certificates that the server showed in clear, which it does up to TLS 1.2; leaf first.
    pub certificates: Vec<CertificateFacts>,
    /// Certificates in the server's message, those beyond the bound included.
    pub chain_length: u32,
    /// Certificates in it that could not be read.
    pub certificates_unread: u32,
    /// Where the message with the server's certificates was complete.
    pub certificate_message: Option<Mark>,
    /// What the client showed when asked, up to TLS 1.2.
    pub client_certificate: Option<ClientCertificate>,
    /// Where the server asked the client for a certificate, up to TLS 1.2.
    pub certificate_request: Option<Mark>,
    /// Where the server ended its part of the handshake up to TLS 1.2 (`ServerHelloDone`).
    pub server_done: Option<Mark>,
    /// Alerts in order.
    pub alerts: Vec<AlertFact>,
    /// The first `ChangeCipherSpec` of each side. In TLS 1.3 it means nothing.
    pub change_cipher_spec: Sides<Option<Mark>>,
    /// The first encrypted record of each side.
    pub encrypted: Sides<Option<Mark>>,
    /// Where a side finished its handshake: up to TLS 1.2 its first encrypted handshake record, in
    /// TLS 1.3 the client's first encrypted record after one of the server. The server's last
    /// message of TLS 1.3 cannot be told from those before it; its first encrypted record stands
    /// for it. A client that sends data early may seem to finish a little before it does.
    pub finished: Sides<Option<Mark>>,
    /// The record that [`finished`](Self::finished) of the client stands for.
    pub client_finished_record: Option<RecordSeen>,
    /// Records of application data.
    pub application: Sides<Records>,
    /// Of them, those behind the client's last message of the handshake of TLS 1.3, without what looks like
    /// an alert: requests and answers, and the tickets of the server.
    pub spoken: Sides<Records>,
    /// The last records of each side, by which an encrypted alert can be inferred.
    pub tail: Sides<Tail>,
    /// Where the first record header of each side was complete.
    pub spoke: Sides<Option<Mark>>,
    /// What came in place of TLS.
    pub not_tls: Option<NotTls>,
    /// Where a side that spoke TLS stopped doing so, with no gap before it.
    pub strayed: Sides<Option<Mark>>,
    /// Whether an earlier session was resumed; `None` when the capture cannot tell. In TLS 1.3 any
    /// key shared before counts, a resumed session being the usual one.
    pub resumed: Option<bool>,
    /// Bytes that the capture lost, of each side.
    pub gaps: Sides<u64>,
    /// Whether the connection was there before the capture.
    pub is_mid_stream: bool,
    /// Whether a ClientHello came from the side that was said to be the server, or a ServerHello
    /// from the client.
    pub is_reversed: bool,
    /// Handshake messages that were passed over because of their size.
    pub oversized: u32,
}

impl TlsFacts {
    /// The version agreed on.
    pub fn version(&self) -> Option<u16> {
        self.agreed().map(|hello| hello.version)
    }

    /// The ServerHello that counts: the last that is no `HelloRetryRequest`.
    pub fn agreed(&self) -> Option<&ServerHello> {
        self.server_hellos.iter().rev().find(|hello| !hello.is_retry)
    }

    /// Whether the connection is known to use TLS 1.3 or a draft of it.
    pub fn is_tls13(&self) -> bool {
        self.server_hellos.last().is_some_and(|hello| is_tls13(hello.version))
    }

    /// Whether the hellos of a `HelloRetryRequest` were seen.
    pub fn was_retried(&self) -> bool {
        self.server_hellos.iter().any(|hello| hello.is_retry)
    }

    /// Whether the handshake came to its end, as far as the outside of records tells.
    ///
    /// In TLS 1.3 the client's last message looks like an alert that stands in its place, see
    /// [`alert_instead_of_finished`](Self::alert_instead_of_finished).
    pub fn is_handshake_over(&self) -> bool {
        self.finished.client.is_some() && self.finished.server.is_some()
            || self.application.client.count > 0
                && self.application.server.count > 0
                && !self.is_tls13()
    }

    /// Where the client of TLS 1.3 sent an alert instead of finishing the handshake.
    ///
    /// It is inferred from the size of its first encrypted record after the server's: an alert with
    /// a tag of 16 bytes has 19, a Finished message at least 53. Which alert it is cannot be told. A
    /// client that was asked for a certificate, or sent data early, sends nothing as short before it
    /// finishes either.
    pub fn alert_instead_of_finished(&self) -> Option<Mark> {
        let record = self.client_finished_record.filter(|_| self.is_tls13())?;
        (record.kind == APPLICATION && is_sealed_alert_13(record.length)).then_some(record.mark)
    }

    /// Where the last record of a side is that is an encrypted alert, or looks like one.
    ///
    /// Up to TLS 1.2 it is one by its type. In TLS 1.3 the size of 19 bytes (11 with the suites that
    /// have short tags) is all that tells: two bytes of data look the same. It may as well be the
    /// `close_notify` of an orderly end.
    pub fn last_is_sealed_alert(&self, from: Peer) -> Option<Mark> {
        let last = self.tail.of(from).last()?;
        let sealed = match last.kind {
            ALERT => u32::from(last.length) > super::alert::MAX_CLEAR,
            APPLICATION => self.is_tls13() && is_sealed_alert_13(last.length),
            _ => false,
        };
        sealed.then_some(last.mark)
    }

    /// The side that sends what a side sends, should the sides be the wrong way round.
    pub(super) const fn true_side(&self, from: Peer) -> Peer {
        if self.is_reversed { from.other() } else { from }
    }

    /// How much of what handshake messages fill is there.
    pub(super) const fn filled(&self) -> Filled {
        Filled {
            client_hellos: self.client_hellos.len(),
            server_hellos: self.server_hellos.len(),
            certificate_message: self.certificate_message.is_some(),
            client_certificate: self.client_certificate.is_some(),
            certificate_request: self.certificate_request.is_some(),
            server_done: self.server_done.is_some(),
        }
    }

    /// Moves what a side added since to the frame that completed its record.
    pub(super) fn restamp(&mut self, from: Peer, since: Filled, mark: Mark) {
        if from == Peer::Client {
            let hellos = self.client_hellos.iter_mut().skip(since.client_hellos);
            hellos.for_each(|hello| hello.mark = mark);
            if !since.client_certificate
                && let Some(ClientCertificate::Given(Some(first))) = &mut self.client_certificate
            {
                first.mark = mark;
            }
            return;
        }
        let hellos = self.server_hellos.iter_mut().skip(since.server_hellos);
        hellos.for_each(|hello| hello.mark = mark);
        if !since.certificate_message && self.certificate_message.is_some() {
            self.certificate_message = Some(mark);
            self.certificates.iter_mut().for_each(|certificate| certificate.mark = mark);
        }
        if !since.certificate_request && self.certificate_request.is_some() {
            self.certificate_request = Some(mark);
        }
        if !since.server_done && self.server_done.is_some() {
            self.server_done = Some(mark);
        }
    }

    /// Counts a record of TLS 1.3 behind the handshake.
    pub(super) fn speak(&mut self, from: Peer, record: RecordSeen) {
        if is_sealed_alert_13(record.length) {
            return;
        }
        let records = self.spoken.of_mut(from);
        records.count = records.count.saturating_add(1);
        records.bytes = records.bytes.saturating_add(u64::from(record.length));
        records.first.get_or_insert(record.mark);
        records.last = Some(record.mark);
    }

    pub(super) fn push_alert(&mut self, alert: AlertFact) {
        if self.alerts.len() < crate::limits::TLS_ALERTS {
            self.alerts.push(alert);
        }
    }
}

/// A state of what handshake messages fill.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one for each fact")]
pub(super) struct Filled {
    client_hellos: usize,
    server_hellos: usize,
    certificate_message: bool,
    client_certificate: bool,
    certificate_request: bool,
    server_done: bool,
}

/// Whether a version is TLS 1.3: the final one, a draft of the IETF, or one of a large site.
pub(super) const fn is_tls13(version: u16) -> bool {
    let [high, _] = version.to_be_bytes();
    version == 0x0304 || matches!(high, 0x7e | 0x7f | 0xfb)
}

/// Two bytes, the type behind them, and a tag of 16 or 8 bytes (RFC 8446 section 5.2).
const fn is_sealed_alert_13(length: u16) -> bool {
    matches!(length, 19 | 11)
}
