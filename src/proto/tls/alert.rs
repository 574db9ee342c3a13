//! Alerts of TLS, in clear and encrypted.
//!
//! It follows RFC 8446 section 6, RFC 5246 section 7.2, and the registry of alert descriptions of
//! IANA. What an alert means for a sign-in is not known here.
//!
//! Invariant: an alert whose bytes were not read has neither level nor description.

use crate::proto::{Mark, Peer};

/// One alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertFact {
    /// Who sent it.
    pub from: Peer,
    /// 1 is a warning, 2 is fatal; `None` when the alert is encrypted or its bytes are missing.
    pub level: Option<u8>,
    /// The registered number, see [`alert_name`]; `None` when the alert is encrypted or its bytes
    /// are missing.
    pub description: Option<u8>,
    /// The frame that completed it.
    pub mark: Mark,
}

impl AlertFact {
    /// Whether it says so itself that it ended the connection; `None` when it is encrypted.
    ///
    /// TLS 1.3 ignores the level: there all but `close_notify` and `user_canceled` are errors.
    pub fn is_fatal(&self) -> Option<bool> {
        self.level.map(|level| level == FATAL)
    }
}

/// The registered name of an alert description.
pub const fn alert_name(description: u8) -> Option<&'static str> {
    Some(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

/// Whether a record of this length can hold alerts in clear: they are two bytes each, and encryption
/// makes an alert longer than [`CLEAR`] bytes.
pub(super) const fn can_be_clear(length: u32) -> bool {
    length > 0 && length <= MAX_CLEAR && length.is_multiple_of(2)
}

/// The alerts of a record in clear, level and description; `None` when one has no known level.
pub(super) fn in_clear(body: &[u8]) -> Option<impl Iterator<Item = (u8, u8)>> {
    let (pairs, rest) = body.as_chunks::<2>();
    let known = rest.is_empty() && pairs.iter().all(|[level, _]| matches!(*level, WARNING | FATAL));
    known.then(|| pairs.iter().map(|[level, description]| (*level, *description)))
}

/// The levels (RFC 5246 section 7.2).
const WARNING: u8 = 1;
const FATAL: u8 = 2;
/// Bytes of one alert in clear.
pub(super) const CLEAR: u32 = 2;
/// Bytes of a record that is still looked at for several alerts; none that is encrypted is as short.
pub(super) const MAX_CLEAR: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_alerts_in_one_record() {
        let pairs: Vec<_> = in_clear(&[1, 112, 2, 40]).unwrap().collect();
        assert_eq!(pairs, [(1, 112), (2, 40)]);
        assert!(in_clear(&[7, 112, 2, 40]).is_none());
        assert!(in_clear(&[2, 40, 2]).is_none());
        assert!(can_be_clear(2) && can_be_clear(4) && !can_be_clear(3) && !can_be_clear(18));
    }

    #[test]
    fn names() {
        assert_eq!(alert_name(48), Some("unknown_ca"));
        assert_eq!(alert_name(250), None);
    }
}
