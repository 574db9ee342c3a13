//! What handshake messages and alerts in clear add to the facts.
//!
//! It follows RFC 8446 section 2, RFC 5246 section 7.3 (the two shapes of a handshake), and RFC 6101
//! section 5.5. It must not know records: a message comes whole, or as far as it was there.
//!
//! Invariant: of what can come once, the first counts.

use super::handshake::{self, Message, ServerHello};
use super::{
    AlertFact, Carrier, Chain, ClientCertificate, ClientHello, Reading, TlsStream, alert, facts,
};
use crate::limits;
use crate::proto::{Mark, Peer};

impl TlsStream {
    pub(super) fn message_if(&mut self, from: Peer, message: Option<Message<'static>>) {
        if let Some(message) = message {
            self.message(from, &message);
        }
    }

    /// Takes note of a handshake message in clear.
    pub(super) fn message(&mut self, from: Peer, message: &Message<'_>) {
        let seen = message.seen;
        let is_hello = matches!(message.kind, handshake::CLIENT_HELLO | handshake::SERVER_HELLO);
        if is_hello {
            let right = (message.kind == handshake::CLIENT_HELLO) == (from == Peer::Client);
            self.facts.is_reversed |= !right;
        }
        let from = self.facts.true_side(from);
        match message.kind {
            handshake::CLIENT_HELLO => {
                self.client_hello(ClientHello::parse(&message.body, Carrier::Tcp, seen));
            }
            handshake::SERVER_HELLO => self.server_hello(ServerHello::parse(&message.body, seen)),
            handshake::OLD_RETRY_REQUEST if from == Peer::Server => {
                self.server_hello(ServerHello::parse_old_retry(&message.body, seen));
            }
            handshake::CERTIFICATE => self.certificate(from, message),
            handshake::CERTIFICATE_REQUEST if from == Peer::Server => {
                self.is_full = true;
                self.facts.certificate_request.get_or_insert(seen.mark);
            }
            handshake::SERVER_KEY_EXCHANGE if from == Peer::Server => self.is_full = true,
            handshake::SERVER_HELLO_DONE if from == Peer::Server => {
                self.is_full = true;
                self.facts.server_done.get_or_insert(seen.mark);
            }
            _ => {}
        }
    }

    pub(super) fn client_hello(&mut self, hello: Option<ClientHello>) {
        self.facts.client_hellos.extend(hello);
        self.facts.client_hellos.truncate(limits::TLS_HELLOS);
    }

    fn server_hello(&mut self, hello: Option<ServerHello>) {
        let Some(hello) = hello else { return };
        if facts::is_tls13(hello.version) && !hello.is_retry && self.facts.resumed.is_none() {
            self.facts.resumed = Some(hello.psk);
        }
        if self.facts.server_hellos.len() < limits::TLS_HELLOS {
            self.facts.server_hellos.push(hello);
        }
    }

    fn certificate(&mut self, from: Peer, message: &Message<'_>) {
        let mark = message.seen.mark;
        let is_gone = message.body.is_empty() && !message.seen.is_whole;
        match from {
            Peer::Client if self.facts.client_certificate.is_none() && !is_gone => {
                let chain = Chain::parse(&message.body, mark);
                let is_empty = chain.count == 0 && message.seen.is_whole;
                let first = chain.certificates.into_iter().next().map(Box::new);
                self.facts.client_certificate = Some(if is_empty {
                    ClientCertificate::Empty
                } else {
                    ClientCertificate::Given(first)
                });
            }
            Peer::Server if self.facts.certificate_message.is_none() => {
                let chain = Chain::parse(&message.body, mark);
                self.is_full = true;
                self.facts.resumed.get_or_insert(false);
                self.facts.certificate_message = Some(mark);
                self.facts.chain_length = chain.count;
                self.facts.certificates_unread = chain.unread;
                self.facts.certificates = chain.certificates;
            }
            Peer::Client | Peer::Server => {}
        }
    }

    /// The server changed its ciphers: whether it left out what a full handshake has.
    pub(super) fn note_resumption(&mut self, from: Peer) {
        let Some(hello) = self.facts.agreed() else { return };
        if from != Peer::Server || self.facts.resumed.is_some() {
            return;
        }
        let repeated = self.facts.client_hellos.last().is_some_and(|asked| {
            !asked.session_id.is_empty() && asked.session_id == hello.session_id
        });
        let is_seen_whole = self.facts.gaps.server == 0 && !self.facts.is_mid_stream;
        self.facts.resumed = match (self.is_full, is_seen_whole || repeated) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
    }

    /// An alert record is complete.
    pub(super) fn end_alert(&mut self, from: Peer, mark: Mark) {
        let side = self.sides.of(from);
        let unread = AlertFact { from, level: None, description: None, mark };
        let body = side.alert.get(..usize::from(side.length)).unwrap_or_default();
        let pairs = match side.reading {
            // One of this length cannot be encrypted, whatever its level.
            Reading::Clear => match body {
                [level, description] => Some(vec![(*level, *description)]),
                _ => alert::in_clear(body).map(Iterator::collect),
            },
            Reading::Sealed | Reading::Torn => None,
        };
        if side.reading == Reading::Sealed {
            self.facts.encrypted.of_mut(from).get_or_insert(mark);
        }
        let Some(pairs) = pairs else {
            self.facts.push_alert(unread);
            return;
        };
        for (level, description) in pairs {
            let (level, description) = (Some(level), Some(description));
            self.facts.push_alert(AlertFact { level, description, ..unread });
        }
    }
}
