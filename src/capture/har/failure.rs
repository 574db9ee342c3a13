//! Why a request failed, out of what exporters write about it.
//!
//! Browsers write identifiers (`net::ERR_NAME_NOT_RESOLVED`, `NS_ERROR_UNKNOWN_HOST`), others a
//! sentence in the language of their user. The identifier is kept, a known sentence becomes an
//! identifier of ours, any other is only known to be there. No vendor or host is known here.
//!
//! Invariant: a code is made of upper case letters, digits and `_`, or reads `unnamed`; it is never
//! free text.

use crate::evidence::{NoResponse, Stage};

/// The code of a failure that has no identifier.
pub(super) const UNNAMED: &str = "unnamed";
/// Characters of an identifier; longer ones are no browser's.
const IDENTIFIER: usize = 64;

/// How the identifiers of browsers and libraries begin.
const PREFIXES: &[&str] = &[
    "CERT_",
    "DEPTH_ZERO_",
    "ERR_",
    "MOZILLA_PKIX_ERROR_",
    "NS_BINDING_",
    "NS_ERROR_",
    "SEC_ERROR_",
    "SELF_SIGNED_CERT",
    "SSL_ERROR_",
    "UNABLE_TO_",
];

/// Identifiers of system calls, as Node and others write them.
const SYSTEM: &[(&str, Stage)] = &[
    ("EAI_AGAIN", Stage::Dns),
    ("ECONNABORTED", Stage::Receive),
    ("ECONNREFUSED", Stage::Connect),
    ("ECONNRESET", Stage::Receive),
    ("EHOSTUNREACH", Stage::Connect),
    ("ENETUNREACH", Stage::Connect),
    ("ENOTFOUND", Stage::Dns),
    ("EPIPE", Stage::Send),
    ("EPROTO", Stage::Tls),
    ("ETIMEDOUT", Stage::Connect),
];

/// English sentences of browsers and libraries, in lower case, and the code that stands for them.
const SENTENCES: &[(&str, &str, Stage)] = &[
    ("temporary failure in name resolution", "LOOKUP_FAILED", Stage::Dns),
    ("hostname could not be found", "HOST_NOT_FOUND", Stage::Dns),
    ("server with the specified hostname", "HOST_NOT_FOUND", Stage::Dns),
    ("name or service not known", "HOST_NOT_FOUND", Stage::Dns),
    ("getaddrinfo", "HOST_NOT_FOUND", Stage::Dns),
    ("could not connect", "COULD_NOT_CONNECT", Stage::Connect),
    ("connection refused", "CONNECTION_REFUSED", Stage::Connect),
    ("nodename nor servname", "HOST_NOT_FOUND", Stage::Dns),
    ("name lookup failed", "HOST_NOT_FOUND", Stage::Dns),
    // Windows: the numbers of Windows Sockets, and those of the system for the same.
    ("[errno 10051]", "UNREACHABLE", Stage::Connect),
    ("[errno 10054]", "CONNECTION_RESET", Stage::Receive),
    ("[errno 10060]", "TIMED_OUT", Stage::Connect),
    ("[errno 10061]", "CONNECTION_REFUSED", Stage::Connect),
    ("[errno 10065]", "UNREACHABLE", Stage::Connect),
    ("[winerror 10054]", "CONNECTION_RESET", Stage::Receive),
    ("[winerror 10060]", "TIMED_OUT", Stage::Connect),
    ("[winerror 10061]", "CONNECTION_REFUSED", Stage::Connect),
    ("[winerror 121]", "TIMED_OUT", Stage::Connect),
    ("[winerror 1225]", "CONNECTION_REFUSED", Stage::Connect),
    ("[winerror 64]", "CONNECTION_RESET", Stage::Receive),
    ("http/2 protocol error", "HTTP2_BROKEN", Stage::Receive),
    ("cannot parse response", "RESPONSE_BROKEN", Stage::Receive),
    ("kcferrordomaincfnetwork error 310", "PROXY_FAILED", Stage::Proxy),
    ("[errno 111]", "CONNECTION_REFUSED", Stage::Connect),
    ("[errno 110]", "TIMED_OUT", Stage::Connect),
    ("[errno 101]", "UNREACHABLE", Stage::Connect),
    ("[errno 113]", "UNREACHABLE", Stage::Connect),
    ("[errno 104]", "CONNECTION_RESET", Stage::Receive),
    ("does not speak tls", "TLS_PLAIN_TEXT", Stage::Tls),
    ("cannot agree on a tls version", "TLS_VERSION", Stage::Tls),
    ("wrong version number", "TLS_PLAIN_TEXT", Stage::Tls),
    ("handshake failed: connection closed", "HANDSHAKE_CUT", Stage::Tls),
    ("certificate", "CERTIFICATE_INVALID", Stage::Tls),
    ("ssl error", "TLS_FAILED", Stage::Tls),
    ("tls error", "TLS_FAILED", Stage::Tls),
    ("secure connection", "TLS_FAILED", Stage::Tls),
    ("handshake", "TLS_FAILED", Stage::Tls),
    ("proxy", "PROXY_FAILED", Stage::Proxy),
    ("network connection was lost", "CONNECTION_LOST", Stage::Receive),
    ("connection reset", "CONNECTION_RESET", Stage::Receive),
    ("connection closed", "CONNECTION_CLOSED", Stage::Receive),
    ("closed connection", "CONNECTION_CLOSED", Stage::Receive),
    ("socket hang up", "CONNECTION_CLOSED", Stage::Receive),
    ("timed out", "TIMED_OUT", Stage::Unknown),
    ("timeout", "TIMED_OUT", Stage::Unknown),
    ("appears to be offline", "OFFLINE", Stage::Unknown),
];

/// What the texts about a failure say; `None` when all of them are empty.
pub(super) fn classify(texts: &[&str]) -> Option<NoResponse> {
    let named = texts.iter().find_map(|text| identifier(text)).map(of_identifier);
    let sentence = || texts.iter().find_map(|text| of_sentence(text));
    let given = || texts.iter().any(|text| !text.trim().is_empty());
    named.or_else(sentence).or_else(|| given().then(|| failed(Stage::Unknown, UNNAMED)))
}

/// The failure with a stage and a code.
pub(super) fn failed(stage: Stage, code: &str) -> NoResponse {
    NoResponse::Failed { stage, code: code.into() }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
}

fn identifier(text: &str) -> Option<&str> {
    words(text).find(|word| {
        word.len() <= IDENTIFIER
            && (PREFIXES.iter().any(|prefix| word.len() > prefix.len() && word.starts_with(prefix))
                || SYSTEM.iter().any(|(name, _)| name == word))
    })
}

fn of_identifier(code: &str) -> NoResponse {
    if matches!(code, "ERR_ABORTED" | "NS_BINDING_ABORTED") {
        return NoResponse::Cancelled;
    }
    if let Some((_, stage)) = SYSTEM.iter().find(|(name, _)| *name == code) {
        return failed(*stage, code);
    }
    let has = |words: &[&str]| code.split('_').any(|word| words.contains(&word));
    if has(&["BLOCKED"]) {
        return NoResponse::BlockedByClient { code: code.into() };
    }
    let stage = if has(&["PROXY", "TUNNEL", "PAC", "SOCKS"]) {
        Stage::Proxy
    } else if code.contains("CERT")
        || has(&["SSL", "TLS", "PKIX", "SEC", "INSECURE", "ISSUER", "LEAF"])
    {
        Stage::Tls
    } else if has(&["NAME", "DNS"]) || code.contains("UNKNOWN_HOST") {
        Stage::Dns
    } else if has(&["REFUSED", "TIMED", "TIMEOUT", "ADDRESS"])
        || code.ends_with("CONNECTION_FAILED")
    {
        Stage::Connect
    } else if has(&["RESET", "CLOSED", "EMPTY", "HTTP2", "QUIC", "SPDY", "ABORTED", "INTERRUPT"])
        || has(&["CHUNKED", "MISMATCH", "DECODING", "PARTIAL"])
    {
        Stage::Receive
    } else {
        Stage::Unknown
    };
    failed(stage, code)
}

fn of_sentence(text: &str) -> Option<NoResponse> {
    // A sentence of a browser is short; whatever is longer is a page.
    if text.len() > 1024 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("content blocker") {
        return Some(NoResponse::BlockedByClient { code: "CONTENT_BLOCKER".into() });
    }
    if lower.contains("cancelled") || lower.contains("canceled") {
        return Some(NoResponse::Cancelled);
    }
    SENTENCES
        .iter()
        .find(|(sentence, _, _)| lower.contains(sentence))
        .map(|(_, code, stage)| failed(*stage, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_stage() {
        let cases = [
            ("net::ERR_NAME_NOT_RESOLVED", Stage::Dns),
            ("NS_ERROR_UNKNOWN_HOST", Stage::Dns),
            ("ERR_CERT_COMMON_NAME_INVALID", Stage::Tls),
            ("SEC_ERROR_UNKNOWN_ISSUER", Stage::Tls),
            ("MOZILLA_PKIX_ERROR_MITM_DETECTED", Stage::Tls),
            ("net::ERR_SSL_PROTOCOL_ERROR", Stage::Tls),
            ("net::ERR_TUNNEL_CONNECTION_FAILED", Stage::Proxy),
            ("net::ERR_PROXY_CONNECTION_FAILED", Stage::Proxy),
            ("NS_ERROR_UNKNOWN_PROXY_HOST", Stage::Proxy),
            ("net::ERR_CONNECTION_REFUSED", Stage::Connect),
            ("net::ERR_CONNECTION_TIMED_OUT", Stage::Connect),
            ("net::ERR_ADDRESS_UNREACHABLE", Stage::Connect),
            ("net::ERR_CONNECTION_RESET", Stage::Receive),
            ("net::ERR_CONNECTION_ABORTED", Stage::Receive),
            ("net::ERR_EMPTY_RESPONSE", Stage::Receive),
            ("net::ERR_HTTP2_PROTOCOL_ERROR", Stage::Receive),
            ("net::ERR_INTERNET_DISCONNECTED", Stage::Unknown),
            ("connect ECONNREFUSED 127.0.0.1:1", Stage::Connect),
            ("CERT_HAS_EXPIRED", Stage::Tls),
        ];
        for (text, want) in cases {
            let found = classify(&[text]);
            assert!(
                matches!(&found, Some(NoResponse::Failed { stage, code })
                    if *stage == want && text.contains(&**code)),
                "{text}: {found:?}"
            );
        }
        assert_eq!(classify(&["net::ERR_ABORTED"]), Some(NoResponse::Cancelled));
        let code = "ERR_BLOCKED_BY_CLIENT".into();
        assert_eq!(
            classify(&["net::ERR_BLOCKED_BY_CLIENT"]),
            Some(NoResponse::BlockedByClient { code })
        );
    }

    #[test]
    fn sentences_become_codes_and_free_text_is_not_kept() {
        let text = "A server with the specified hostname could not be found.";
        assert_eq!(classify(&[text]), Some(failed(Stage::Dns, "HOST_NOT_FOUND")));
        assert_eq!(classify(&["", "cancelled"]), Some(NoResponse::Cancelled));
        let cases = [
            ("[Errno 111] Connect call failed ('192.0.2.1', 443)", Stage::Connect),
            ("[Errno -3] Temporary failure in name resolution", Stage::Dns),
            ("Certificate verify failed: unable to get local issuer certificate", Stage::Tls),
            ("server closed connection", Stage::Receive),
            ("TLS handshake failed: connection closed", Stage::Tls),
        ];
        for (text, want) in cases {
            let found = classify(&[text]);
            assert!(matches!(&found, Some(NoResponse::Failed { stage, .. }) if *stage == want));
        }
        let localised = "Es konnte keine Verbindung hergestellt werden: hunter2";
        assert_eq!(classify(&[localised]), Some(failed(Stage::Unknown, UNNAMED)));
        assert_eq!(classify(&["", " "]), None);
        // The identifier wins, wherever it stands.
        let both = ["something localised", "net::ERR_FAILED"];
        assert_eq!(classify(&both), Some(failed(Stage::Unknown, "ERR_FAILED")));
    }
}
