//! Facts about a TLS handshake, whoever saw it.

use crate::time::Timestamp;

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

/// One alert of the protocol, by its registered number (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub from: super::Peer,
    /// The registered number, for example 48 for `unknown_ca`.
    pub description: u8,
    /// Whether it ended the connection.
    pub fatal: bool,
}

/// What was seen of a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Whether the capture tool itself was the client of this handshake, as Fiddler is when it
    /// decrypts: then the certificate is the one behind the tool.
    pub by_capture_tool: bool,
}
