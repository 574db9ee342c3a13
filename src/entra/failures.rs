//! The words in which browsers and Fiddler say that a request failed, and the fault each stands
//! for.
//!
//! It knows nothing of requests, and a fault here is no finding: a cancelled poll at a navigation
//! is normal, and a rule decides what a fault meant. It must not be asked about bodies that a
//! server wrote.
//!
//! A fault has one name whatever the producer. Texts of Fiddler are only taken when the status
//! line or the body shows that Fiddler wrote the answer; of several phrases in one body the one
//! with the highest rank says most: how the proxy failed before how a connection failed, and that
//! before the sentence in which it stands.

use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::memmem;

use super::table::{self, vocabulary};

const FAILURES: &str = include_str!("failures.tsv");

static ROWS: LazyLock<Vec<FailureRow>> =
    LazyLock::new(|| table::rows(FAILURES).filter_map(FailureRow::parse).collect());

static CODES: LazyLock<HashMap<&'static str, &'static FailureRow>> = LazyLock::new(|| {
    ROWS.iter()
        .filter(|row| row.producer != Producer::Fiddler && row.matching == Matching::Exact)
        .map(|row| (row.pattern, row))
        .collect()
});

vocabulary! {
    /// Who wrote a failure text.
    Producer {
        /// Chrome, Edge and other browsers of the family.
        Chromium = "chromium",
        /// Fiddler.
        Fiddler = "fiddler",
        /// Firefox.
        Firefox = "firefox",
        /// Nobody: a fault that only packets show, by our own name for it.
        Packets = "packets",
        /// Safari.
        Safari = "safari",
    }
}

vocabulary! {
    /// How a pattern is compared.
    Matching {
        /// Anywhere in the body.
        Contains = "contains",
        /// The whole text.
        Exact = "exact",
        /// Anywhere in the body, where the body tells of a TLS handshake that failed.
        InHandshake = "in_handshake",
        /// The beginning of the text.
        Prefix = "prefix",
    }
}

vocabulary! {
    /// Where on its way a request failed.
    FailureStage {
        /// It was cancelled.
        Cancelled = "cancelled",
        /// In the client.
        Client = "client",
        /// Making the connection.
        Connect = "connect",
        /// Looking up the name.
        Dns = "dns",
        /// The computer was offline or asleep.
        Offline = "offline",
        /// A policy of the page.
        PagePolicy = "page_policy",
        /// At the proxy.
        Proxy = "proxy",
        /// Receiving the answer.
        Receive = "receive",
        /// Sending the request.
        Send = "send",
        /// In the TLS handshake.
        Tls = "tls",
    }
}

vocabulary! {
    /// What went wrong, by one name for all producers.
    Fault {
        /// The request was cancelled by the page or the user.
        Aborted = "aborted",
        /// The connection was broken off on the computer or by the network.
        AbortedConnection = "aborted_connection",
        /// The client was denied access to something on the computer.
        AccessDenied = "access_denied",
        /// The address the name led to cannot be used.
        AddressInvalid = "address_invalid",
        /// A sign-in by the web server, such as Kerberos, failed.
        Auth = "auth",
        /// A browser policy of the organisation stopped the request.
        BlockedByAdministrator = "blocked_by_administrator",
        /// The browser, an extension or another program on the computer stopped the request.
        BlockedByClient = "blocked_by_client",
        /// The browser kept the answer from the page because of its headers or type.
        BlockedByResponse = "blocked_by_response",
        /// The cache could not serve the request.
        Cache = "cache",
        /// The certificate is outside its dates.
        CertDate = "cert_date",
        /// The certificate is not well formed, or not fit for its purpose.
        CertInvalid = "cert_invalid",
        /// The certificate is for another name.
        CertName = "cert_name",
        /// The certificate is not one of those the client expects.
        CertPinned = "cert_pinned",
        /// The certificate is revoked, or its status could not be checked.
        CertRevoked = "cert_revoked",
        /// The certificate lacks the public log entries that the browser demands.
        CertTransparency = "cert_transparency",
        /// The issuer of the certificate is not trusted.
        CertUntrusted = "cert_untrusted",
        /// The certificate has a weak key or signature.
        CertWeak = "cert_weak",
        /// A client certificate was asked for and was missing, refused or could not be used.
        ClientCert = "client_cert",
        /// The connection was closed before the answer was complete.
        ClosedWithoutAnswer = "closed_without_answer",
        /// The connection could not be made.
        ConnectFailed = "connect_failed",
        /// The connection was refused.
        ConnectRefused = "connect_refused",
        /// The connection was not answered in time.
        ConnectTimeout = "connect_timeout",
        /// The page may not read an answer of another origin.
        Cors = "cors",
        /// The content policy of the page stopped the request.
        Csp = "csp",
        /// The body could not be decoded.
        Decode = "decode",
        /// Encrypted ClientHello was refused or could not be used.
        Ech = "ech",
        /// The request failed for a reason the browser does not give.
        Failed = "failed",
        /// The connection was closed or reset in the middle of the TLS handshake.
        HandshakeCut = "handshake_cut",
        /// The TLS handshake began and came to no end.
        HandshakeStalled = "handshake_stalled",
        /// The client's first TLS message, or a part of it, never got through.
        HelloLost = "hello_lost",
        /// The server wants HTTP/1.1 for this request: by it, it can ask for a certificate.
        Http11Required = "http_1_1_required",
        /// The HTTP/2 connection or stream broke.
        Http2 = "http2",
        /// The answer had an error status.
        HttpStatus = "http_status",
        /// The body ended before its end.
        Incomplete = "incomplete",
        /// A redirect was not allowed.
        InsecureRedirect = "insecure_redirect",
        /// The answer was not well formed.
        InvalidResponse = "invalid_response",
        /// The operating system refused the connection.
        LocalFirewall = "local_firewall",
        /// The name lookup failed without an answer about the name.
        NameLookupFailed = "name_lookup_failed",
        /// The name could not be found.
        NameMissing = "name_missing",
        /// No name server answered in time.
        NameNoAnswer = "name_no_answer",
        /// The network of the computer changed during the request.
        NetworkChanged = "network_changed",
        /// The computer had no network.
        Offline = "offline",
        /// The proxy script could not be loaded or run.
        PacFailed = "pac_failed",
        /// The proxy asks for a sign-in that did not succeed.
        ProxyAuth = "proxy_auth",
        /// The certificate of the proxy is not valid.
        ProxyCert = "proxy_cert",
        /// The proxy refused the tunnel to the host.
        ProxyRefusedConnect = "proxy_refused_connect",
        /// The proxy could not be reached.
        ProxyUnreachable = "proxy_unreachable",
        /// The network said that the connection is forbidden.
        Prohibited = "prohibited",
        /// QUIC failed; browsers then use TCP.
        Quic = "quic",
        /// There were too many redirects.
        Redirects = "redirects",
        /// The client made a request that cannot be sent.
        RequestInvalid = "request_invalid",
        /// The connection was reset.
        Reset = "reset",
        /// The client ran out of a resource.
        Resources = "resources",
        /// The computer slept, or the page was suspended.
        Suspended = "suspended",
        /// Data that was sent never got through, although the connection stood.
        Stalled = "stalled",
        /// The request took too long.
        Timeout = "timeout",
        /// The TLS handshake failed.
        TlsHandshake = "tls_handshake",
        /// What answered does not speak TLS.
        TlsPlainText = "tls_plain_text",
        /// The TLS handshake broke a rule of the protocol.
        TlsProtocol = "tls_protocol",
        /// Client and server share no TLS version or cipher.
        TlsVersion = "tls_version",
        /// There is no route to the address.
        Unreachable = "unreachable",
        /// The browser judged the address or file to be dangerous.
        UnsafeContent = "unsafe_content",
        /// The browser does not use this port.
        UnsafePort = "unsafe_port",
    }
}

/// A row of the table of failure texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// Who writes it.
    pub producer: Producer,
    /// The text.
    pub pattern: &'static str,
    /// How the text is compared.
    pub matching: Matching,
    /// How much it says beside others in the same body; higher says more.
    pub rank: u8,
    /// Where the request failed.
    pub stage: FailureStage,
    /// What went wrong.
    pub fault: Fault,
    /// Whether it is a fault of the network.
    pub network: bool,
    /// What it means.
    pub meaning: &'static str,
    /// What looks alike; may be empty.
    pub alike: &'static str,
    /// What to do.
    pub next_step: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl FailureRow {
    fn parse(row: [&'static str; 11]) -> Option<Self> {
        let [
            producer,
            pattern,
            matching,
            rank,
            stage,
            fault,
            network,
            meaning,
            alike,
            next_step,
            source,
        ] = row;
        Some(Self {
            producer: Producer::parse(producer)?,
            pattern,
            matching: Matching::parse(matching)?,
            rank: rank.parse().ok()?,
            stage: FailureStage::parse(stage)?,
            fault: Fault::parse(fault)?,
            network: table::yes_no(network)?,
            meaning,
            alike,
            next_step,
            source,
        })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }

    fn fits(&self, text: &str) -> bool {
        match self.matching {
            Matching::Contains | Matching::InHandshake => {
                memmem::find(text.as_bytes(), self.pattern.as_bytes()).is_some()
            }
            Matching::Exact => text == self.pattern,
            Matching::Prefix => text.starts_with(self.pattern),
        }
    }
}

/// The row of a browser's failure text, with or without `net::` before it and words after it.
pub fn browser(code: &str) -> Option<&'static FailureRow> {
    let code = code.trim();
    let code = code.strip_prefix("net::").unwrap_or(code);
    let word = code.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap_or(code);
    CODES.get(word).copied().or_else(|| {
        ROWS.iter().find(|row| {
            row.producer != Producer::Fiddler && row.matching == Matching::Prefix && row.fits(code)
        })
    })
}

/// The row of an answer that Fiddler wrote itself, by its status text and body.
///
/// A status number before the text is passed over.
pub fn fiddler(status_text: &str, body: &str) -> Option<&'static FailureRow> {
    let status_text = status_text
        .trim_start_matches(|c: char| c.is_ascii_digit() || c.is_whitespace())
        .trim_end();
    let rows = || ROWS.iter().filter(|row| row.producer == Producer::Fiddler);
    let by_status = rows()
        .filter(|row| matches!(row.matching, Matching::Exact | Matching::Prefix))
        .find(|row| row.fits(status_text));
    let written_by_fiddler = by_status.is_some()
        || status_text.starts_with("Fiddler")
        || body.trim_start().starts_with("[Fiddler]")
        || memmem::find(body.as_bytes(), b"fiddler.network.").is_some();
    if !written_by_fiddler {
        return None;
    }
    let found = rows()
        .filter(|row| row.matching == Matching::Contains && row.fits(body))
        .max_by_key(|row| row.rank)
        .or(by_status)?;
    if found.fault != Fault::TlsHandshake {
        return Some(found);
    }
    let closer = rows().find(|row| row.matching == Matching::InHandshake && row.fits(body));
    closer.or(Some(found))
}

/// Every row.
pub fn failures() -> impl Iterator<Item = &'static FailureRow> {
    ROWS.iter()
}

impl Fault {
    /// Whether the client refused the certificate of the server.
    pub(crate) const fn is_certificate(self) -> bool {
        matches!(
            self,
            Self::CertDate
                | Self::CertInvalid
                | Self::CertName
                | Self::CertPinned
                | Self::CertRevoked
                | Self::CertTransparency
                | Self::CertUntrusted
                | Self::CertWeak
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(FAILURES, 11);
        check::complete(FAILURES, ROWS.len());
        check::rising(failures().map(|row| (row.producer, row.pattern)));
        for row in failures() {
            assert!(!row.source.is_empty() && row.meaning.ends_with('.'), "{}", row.pattern);
            assert!(row.next_step.ends_with('.'), "{}", row.pattern);
            assert_eq!(
                row.matching == Matching::Contains,
                row.rank > 0,
                "{} needs a rank only in a body",
                row.pattern
            );
        }
    }

    #[test]
    fn every_fault_is_used_and_on_one_side_of_the_wire() {
        for fault in Fault::ALL {
            assert_eq!(Fault::parse(fault.as_str()), Some(*fault));
            let mut rows = failures().filter(|row| row.fault == *fault);
            let first = rows.next().unwrap();
            assert!(rows.all(|row| row.network == first.network), "{fault}");
        }
    }

    #[test]
    fn browser_codes_are_read_with_and_without_prefix() {
        let fault = |code: &str| browser(code).map(|row| row.fault);
        assert_eq!(fault("net::ERR_NAME_NOT_RESOLVED"), Some(Fault::NameMissing));
        assert_eq!(fault("ERR_TUNNEL_CONNECTION_FAILED"), Some(Fault::ProxyRefusedConnect));
        assert_eq!(fault("net::ERR_BLOCKED_BY_CLIENT.Inspector"), Some(Fault::BlockedByClient));
        assert_eq!(fault("net::ERR_ABORTED; maybe frame was detached"), Some(Fault::Aborted));
        assert_eq!(fault("net::ERR_ABORTED at https://a.example/"), Some(Fault::Aborted));
        assert_eq!(fault("SEC_ERROR_UNKNOWN_ISSUER"), Some(Fault::CertUntrusted));
        assert_eq!(fault("The network connection was lost."), Some(Fault::ClosedWithoutAnswer));
        assert_eq!(fault("Fiddler - Receive Failure"), None);
        assert_eq!(fault(""), None);
        assert!(!browser("ERR_ABORTED").unwrap().network);
        assert!(browser("NS_ERROR_UNKNOWN_HOST").unwrap().network);
    }

    #[test]
    fn the_browser_codes_of_the_notes_are_known() {
        for code in "NAME_NOT_RESOLVED NAME_RESOLUTION_FAILED DNS_TIMED_OUT DNS_SERVER_FAILED \
            DNS_MALFORMED_RESPONSE CONNECTION_TIMED_OUT TIMED_OUT CONNECTION_REFUSED \
            ADDRESS_UNREACHABLE ADDRESS_INVALID CONNECTION_RESET CONNECTION_CLOSED EMPTY_RESPONSE \
            TUNNEL_CONNECTION_FAILED PROXY_CONNECTION_FAILED PROXY_AUTH_UNSUPPORTED \
            PAC_SCRIPT_FAILED UNEXPECTED_PROXY_AUTH SOCKS_CONNECTION_FAILED \
            CERT_AUTHORITY_INVALID CERT_COMMON_NAME_INVALID CERT_DATE_INVALID CERT_REVOKED \
            CERTIFICATE_TRANSPARENCY_REQUIRED SSL_PROTOCOL_ERROR SSL_VERSION_OR_CIPHER_MISMATCH \
            ECH_NOT_NEGOTIATED SSL_CLIENT_AUTH_CERT_NEEDED BAD_SSL_CLIENT_AUTH_CERT \
            BLOCKED_BY_CLIENT BLOCKED_BY_ADMINISTRATOR BLOCKED_BY_RESPONSE BLOCKED_BY_CSP \
            BLOCKED_BY_ORB ABORTED FAILED NETWORK_CHANGED INTERNET_DISCONNECTED \
            NETWORK_IO_SUSPENDED HTTP2_PROTOCOL_ERROR QUIC_PROTOCOL_ERROR INVALID_HTTP_RESPONSE \
            INCOMPLETE_CHUNKED_ENCODING CONTENT_LENGTH_MISMATCH TOO_MANY_REDIRECTS \
            INSUFFICIENT_RESOURCES HTTP_RESPONSE_CODE_FAILURE NETWORK_ACCESS_DENIED"
            .split_whitespace()
        {
            let row = browser(&format!("net::ERR_{code}")).unwrap();
            assert_eq!(row.producer, Producer::Chromium, "{code}");
        }
    }

    #[test]
    fn the_phrase_that_says_most_wins() {
        let fault = |status: &str, body: &str| fiddler(status, body).map(|row| row.fault);
        let failed = "[Fiddler] The connection to 'login.microsoftonline.com' failed. <br />";
        assert_eq!(fault("Fiddler - Connection Failed", ""), Some(Fault::ConnectFailed));
        assert_eq!(
            fault("Fiddler - Connection Failed", &format!("{failed}Error: ConnectionRefused (1)")),
            Some(Fault::ConnectRefused)
        );
        assert_eq!(
            fault("", &format!("{failed}Error: AccessDenied (0x271d).")),
            Some(Fault::LocalFirewall)
        );
        assert_eq!(
            fault(
                "Fiddler - Gateway Connection Failed",
                "[Fiddler] The connection to the upstream proxy/gateway failed. Error: TimedOut"
            ),
            Some(Fault::ProxyUnreachable)
        );
        assert_eq!(
            fault(
                "Fiddler - Gateway Connection Failed",
                "[Fiddler] ... Upstream Gateway refused requested CONNECT. 407"
            ),
            Some(Fault::ProxyAuth)
        );
        assert_eq!(
            fault(
                "Connection Established",
                "fiddler.network.https> HTTPS handshake to a.example (for #3) failed."
            ),
            Some(Fault::TlsHandshake)
        );
        let offline = "[Fiddler] The connection to 'a.example' failed. HTTPS handshake to a.example \
                       failed. RemoteCertificateChainErrors (0x80092013)";
        assert_eq!(fault("Fiddler - Connection Failed", offline), Some(Fault::CertRevoked));
        assert_eq!(fault("502 Fiddler - DNS Lookup Failed", ""), Some(Fault::NameMissing));
        assert_eq!(
            fault("", "[Fiddler] DNS Lookup for &quot;a.example&quot; failed."),
            Some(Fault::NameMissing)
        );
    }

    #[test]
    fn answers_of_servers_are_left_alone() {
        assert_eq!(fiddler("OK", "<p>Error: TimedOut while loading the list</p>"), None);
        assert_eq!(fiddler("Bad Gateway", "HTTPS handshake to the backend failed"), None);
    }
}
