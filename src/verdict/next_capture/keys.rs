//! Why the keys that were given did not open the connections to the sign-in service.
//!
//! Who asks for the next capture has to say what was wrong with this one. It must not know how keys
//! open anything.
//!
//! Invariant: where no keys were given nothing is said.

use crate::evidence::{Connection, Decryption, Evidence, KeyCoverage, Opened, WireCoverage};
use crate::signin::SignIn;

/// What is wrong with the keys, and what is missing instead.
type Words = (&'static str, &'static str);

const CUT: Words = (
    "keys open only connections whose handshakes are in the capture, whole and from both sides",
    "the contents of the encrypted connections to the sign-in service: keys open only those whose \
     handshakes are captured whole and from both sides",
);
const FAILED: Words = (
    "the keys that were given do not open them",
    "the contents of the encrypted connections to the sign-in service: the keys that were given do not \
     open them",
);
const LATE: Words = (
    "keys open only connections that begin in the capture",
    "the contents of the encrypted connections to the sign-in service: keys open only those that begin \
     in the capture, so that it has to run before the browser is started",
);
const NO_SECRET: Words = (
    "the keys that were given have no secret for them, as when the browser was running before \
     SSLKEYLOGFILE was set, or the key log is of another session",
    "the contents of the encrypted connections to the sign-in service: the key log has no secret for \
     them, as when the browser was running before SSLKEYLOGFILE was set",
);
const UNSUPPORTED: Words = (
    "their cipher is not opened, whatever the keys",
    "the contents of the encrypted connections to the sign-in service: their cipher is not opened, \
     whatever the keys",
);

/// Why keys opened none of what is encrypted, if keys were given.
pub(in crate::verdict) fn unfit(evidence: &Evidence, signin: &SignIn) -> Option<Words> {
    let hidden = signin.encrypted.iter().filter_map(|id| evidence.exchange(*id)?.connection);
    hidden
        .filter_map(|id| of_connection(evidence.connection(id)?))
        .next_back()
        .or_else(|| evidence.coverage.inputs.iter().find_map(|one| of_all(one.wire.as_ref()?)))
}

fn of_connection(connection: &Connection) -> Option<Words> {
    match connection.tls.as_ref()?.decryption {
        Decryption::Untried | Decryption::Opened => None,
        Decryption::Failed => Some(FAILED),
        Decryption::MidStream if connection.opened == Opened::MidStream => Some(LATE),
        Decryption::MidStream => Some(CUT),
        Decryption::NoSecret => Some(NO_SECRET),
        Decryption::Unsupported => Some(UNSUPPORTED),
    }
}

/// By what is told of all connections together. Of one that began in the capture the name is known: where
/// keys opened others, it is none of the sign-in service's that stayed closed.
fn of_all(wire: &WireCoverage) -> Option<Words> {
    match wire.keys? {
        KeyCoverage { mid_stream: 1.., .. } if wire.mid_stream == 0 => Some(CUT),
        KeyCoverage { mid_stream: 1.., .. } => Some(LATE),
        KeyCoverage { opened: 1.., .. } => None,
        KeyCoverage { no_secret: 1.., .. } => Some(NO_SECRET),
        KeyCoverage { failed: 1.., .. } => Some(FAILED),
        KeyCoverage { unsupported: 1.., .. } => Some(UNSUPPORTED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_opened_other_connections_are_not_at_fault() {
        let words = |keys: KeyCoverage, mid_stream: u64| {
            of_all(&WireCoverage { keys: Some(keys), mid_stream, ..WireCoverage::default() })
        };
        let closed = KeyCoverage { no_secret: 3, ..KeyCoverage::default() };
        assert_eq!(words(closed, 0), Some(NO_SECRET));
        assert_eq!(words(KeyCoverage { opened: 70, ..closed }, 0), None);
        let older = KeyCoverage { opened: 70, mid_stream: 1, ..closed };
        assert_eq!(words(older, 1), Some(LATE));
    }
}
