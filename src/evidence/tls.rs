//! Facts about a TLS handshake, whoever saw it.

use super::{EvidenceRef, Peer, Secret};
use crate::time::{Span, Timestamp};

/// A version of the protocol, by the name the trade uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// SSL 3.0.
    Ssl3,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// The version of a record or hello: `0x0303` is TLS 1.2.
    pub const fn from_wire(number: u16) -> Option<Self> {
        match number {
            0x0300 => Some(Self::Ssl3),
            0x0301 => Some(Self::Tls10),
            0x0302 => Some(Self::Tls11),
            0x0303 => Some(Self::Tls12),
            0x0304 => Some(Self::Tls13),
            _ => None,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// What a certificate says about itself; names are distinguished names as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Host names it stands for.
    pub names: Vec<String>,
    /// Begin of validity.
    pub not_before: Option<Timestamp>,
    /// End of validity.
    pub not_after: Option<Timestamp>,
}

impl CertificateSummary {
    /// Whether a certificate stands for a host; the subject is asked only where no names are listed.
    pub fn is_for(&self, host: &str) -> bool {
        if !self.names.is_empty() {
            return self.names.iter().any(|name| covers(name, host));
        }
        let mut parts = self.subject.split([',', '+', '/', ';', '\n']);
        let common = parts.find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.trim().eq_ignore_ascii_case("CN").then(|| value.trim())
        });
        common.is_none_or(|name| covers(name, host))
    }
}

/// Whether a name covers a host: a star stands for one whole label, the first (RFC 6125 section
/// 6.4.3).
fn covers(name: &str, host: &str) -> bool {
    let name = name.trim_end_matches('.');
    let host = host.trim_end_matches('.');
    match name.strip_prefix("*.") {
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(label, parent)| !label.is_empty() && parent.eq_ignore_ascii_case(rest)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// One alert of the protocol, by its registered number (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub from: Peer,
    /// The registered number, for example 48 for `unknown_ca`.
    pub description: u8,
    /// Whether it ended the connection.
    pub fatal: bool,
    /// Where it stands, in packets.
    pub at: Option<EvidenceRef>,
}

/// What the client said first, in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its length in bytes.
    pub length: u32,
    /// In how many segments it came.
    pub segments: u32,
    /// Whether it offers a key share of a size that only post-quantum methods have.
    pub is_post_quantum: bool,
    /// Whether the true name may be hidden in it.
    pub has_encrypted_hello: bool,
    /// Where it stands.
    pub at: EvidenceRef,
}

/// Whole records of data of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the first and the last of them were complete.
    pub span: Span,
}

/// What came in the place of TLS: who sent it, its first bytes, and where they stand.
pub type PlainText = (Peer, Secret<Box<[u8]>>, EvidenceRef);

/// What keys made of the records of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decryption {
    /// There were no keys.
    #[default]
    Untried,
    /// There was a secret for it, and it opened none of its data.
    Failed,
    /// Its handshake was not captured, so that its secret cannot be found.
    MidStream,
    /// There is no secret for it.
    NoSecret,
    /// It was opened.
    Opened,
    /// Its cipher suite or version is not supported.
    Unsupported,
}

impl Decryption {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Failed => "failed",
            Self::MidStream => "mid_stream",
            Self::NoSecret => "no_secret",
            Self::Opened => "opened",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What was seen of a handshake.
#[derive(Clone, Debug, Default)]
pub struct TlsHandshake {
    /// The version agreed on.
    pub version: Option<TlsVersion>,
    /// The highest version the client offered.
    pub offered: Option<TlsVersion>,
    /// The cipher suite agreed on, as the capture spells it.
    pub cipher: Option<String>,
    /// Number of cipher suites the client offered.
    pub offered_ciphers: u32,
    /// The certificate of the server.
    pub certificate: Option<CertificateSummary>,
    /// Alerts in order.
    pub alerts: Vec<Alert>,
    /// Whether both sides finished; `None` when the capture cannot tell.
    pub completed: Option<bool>,
    /// What the client said first, in packets.
    pub hello: Option<Hello>,
    /// Where the server's first words stand, in packets.
    pub server_hello: Option<EvidenceRef>,
    /// From the server's part of the handshake to the client's next word, in packets: as long as the
    /// client looked at the certificate.
    pub checked: Option<Span>,
    /// Whether the server asked for another ClientHello first.
    pub was_retried: bool,
    /// Whether an earlier session was taken up again, so that no certificate was sent.
    pub resumed: Option<bool>,
    /// How many certificates the server sent.
    pub chain: u8,
    /// Whether the server asked for a certificate of the client.
    pub certificate_requested: bool,
    /// Whether the client sent one; `None` when that is not seen.
    pub client_certificate: Option<bool>,
    /// Records of application data that each side sent: the client, then the server. In TLS 1.3 the
    /// rest of the handshake looks the same.
    pub application: [u32; 2],
    /// What each side sent when the client had finished the handshake of TLS 1.3: requests and answers, and
    /// the tickets of the server.
    pub spoken: [Option<Spoken>; 2],
    /// Whether the last record of each side has the length of an encrypted alert, as the one that ends
    /// a connection properly has.
    pub farewell: [bool; 2],
    /// An alert that cannot be read, by its length and place: who sent it, and where.
    pub inferred_alert: Option<(Peer, EvidenceRef)>,
    /// What came in the place of TLS: the first bytes, who sent them, and where.
    pub plain_text: Option<PlainText>,
    /// What keys made of its records, in packets.
    pub decryption: Decryption,
    /// Whether the capture tool itself was the client of this handshake, as Fiddler is when it
    /// decrypts: then the certificate is the one behind the tool.
    pub by_capture_tool: bool,
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_star_stands_for_one_label() {
        for (name, covered) in [
            ("login.microsoftonline.com", true),
            ("LOGIN.microsoftonline.com", true),
            ("*.microsoftonline.com", true),
            ("*.com", false),
            ("microsoftonline.com", false),
            ("*", false),
            ("*.login.microsoftonline.com", false),
        ] {
            assert_eq!(covers(name, "login.microsoftonline.com"), covered, "{name}");
        }
    }
}
