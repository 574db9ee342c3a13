//! What encrypted records tell of a handshake, once they were opened.
//!
//! It follows RFC 8446 sections 4.3.2, 4.4.2 and 6. The records are opened elsewhere; here the facts
//! of the connection take up what they held.
//!
//! Invariant: a fact that was read in clear is not replaced, but for an alert that was only inferred.

use super::hello::protocol_text;
use super::{AlertFact, CertificateFacts, Chain, ClientCertificate, Opened, TlsStream};
use crate::proto::Peer;

/// Types of handshake messages.
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;

impl TlsStream {
    /// Takes up what was opened on this connection.
    pub fn opened(&mut self, event: &Opened<'_>) {
        match *event {
            Opened::Alert { from, level, code, mark } => {
                let alert = AlertFact { from, level: Some(level), description: Some(code), mark };
                let inferred = self.facts.alerts.iter_mut().find(|known| {
                    known.from == from && known.description.is_none() && known.mark == mark
                });
                match inferred {
                    Some(known) => *known = alert,
                    None => self.facts.push_alert(alert),
                }
            }
            Opened::Handshake { from, kind, body, mark } => {
                let from = self.facts.true_side(from);
                let facts = &mut self.facts;
                match (kind, from) {
                    (CERTIFICATE, Peer::Server) if facts.certificate_message.is_none() => {
                        let chain = if facts.is_tls13() {
                            Chain::parse_13(body, mark)
                        } else {
                            Chain::parse(body, mark)
                        };
                        facts.certificate_message = Some(mark);
                        facts.chain_length = chain.count;
                        facts.certificates_unread = chain.unread;
                        facts.certificates = chain.certificates;
                    }
                    (CERTIFICATE, Peer::Client) if facts.is_tls13() => {
                        let mut chain = Chain::parse_13(body, mark);
                        let first: Option<CertificateFacts> =
                            (!chain.certificates.is_empty()).then(|| chain.certificates.remove(0));
                        facts.client_certificate = Some(if chain.count == 0 {
                            ClientCertificate::Empty
                        } else {
                            ClientCertificate::Given(first.map(Box::new))
                        });
                    }
                    (CERTIFICATE_REQUEST, Peer::Server) => {
                        facts.certificate_request.get_or_insert(mark);
                    }
                    (ENCRYPTED_EXTENSIONS, Peer::Server) => {
                        if let Some(hello) = facts.server_hellos.last_mut() {
                            hello.alpn = protocol(body).map(protocol_text);
                        }
                    }
                    _ => {}
                }
            }
            Opened::Data { .. } | Opened::Gap { .. } => {}
        }
    }
}

/// The application protocol that the server chose (RFC 7301 section 3.1), out of its extensions.
fn protocol(body: &[u8]) -> Option<&[u8]> {
    const ALPN: u16 = 16;
    let mut rest = body.get(2..)?;
    while let Some(([a, b, c, d], behind)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let value = behind.get(..length)?;
        if u16::from_be_bytes([*a, *b]) == ALPN {
            return value.get(3..);
        }
        rest = behind.get(length..)?;
    }
    None
}
