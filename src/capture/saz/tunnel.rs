//! What Fiddler writes into the bodies of a CONNECT session about the TLS handshake inside.
//!
//! The request part lists the ClientHello, the response part either the ServerHello (a tunnel it
//! does not decrypt) or the protocol and certificate of its own connection to the server (one it
//! does). The text is Fiddler's own and is never content of a server; nothing here judges it.
//!
//! Invariants: only lines with a known label are read; what is kept of the text is bounded; a date
//! whose order of day and month cannot be told is left out.

use crate::evidence::{CertificateSummary, HostName, TlsVersion, shown};
use crate::time::Timestamp;

/// What the request part tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientText {
    /// The name asked for.
    pub(super) server_name: Option<HostName>,
    /// The highest version offered.
    pub(super) offered: Option<TlsVersion>,
    /// Number of cipher suites offered, placeholders (GREASE) not counted.
    pub(super) ciphers: u32,
}

/// What the response part tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerText {
    /// The version agreed on.
    pub(super) version: Option<TlsVersion>,
    /// The cipher agreed on.
    pub(super) cipher: Option<String>,
    /// The certificate the server showed to Fiddler.
    pub(super) certificate: Option<CertificateSummary>,
    /// Whether Fiddler itself was the client of the handshake.
    pub(super) decrypted: bool,
    /// Whether the text says that the handshake failed.
    pub(super) failed: bool,
}

/// Reads the text of the request part; `None` when it is no such text.
pub(super) fn client_text(text: &str) -> Option<ClientText> {
    let mut lines = text.lines();
    lines.find(|line| line.contains("ClientHello"))?;
    let mut found = ClientText::default();
    let mut legacy = None;
    for line in lines.take(MAX_LINES) {
        if let Some(version) = line.strip_prefix("Version:") {
            legacy = wire_version(version);
            continue;
        }
        let line = line.trim();
        if let Some(name) = label(line, "server_name") {
            found.server_name = found.server_name.or_else(|| HostName::parse(name));
        } else if let Some(versions) = label(line, "supported_versions") {
            found.offered = versions.split(',').filter_map(named_version).max();
        } else if let Some((code, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && code.len() == 4
            && !is_placeholder(code)
        {
            found.ciphers = found.ciphers.saturating_add(1);
        }
    }
    found.offered = found.offered.or(legacy);
    Some(found)
}

/// Reads the text of the response part. `utc_offset` is that of the times of the session, in which
/// the dates of the certificate are written.
pub(super) fn server_text(text: &str, utc_offset: Option<i32>) -> ServerText {
    let mut found = ServerText { failed: is_failure(text), ..ServerText::default() };
    let mut hello = false;
    let mut legacy = None;
    for line in text.lines().take(MAX_LINES) {
        let trimmed = line.trim();
        hello |= line.contains("ServerHello");
        if trimmed.starts_with("== Server Certificate") {
            break;
        }
        if let Some(protocol) = trimmed.strip_prefix("Secure Protocol:") {
            found.decrypted = true;
            found.version = named_version(protocol);
        } else if let Some(cipher) = trimmed.strip_prefix("Cipher:") {
            let cipher = shown(cipher, 64);
            found.cipher = (!cipher.is_empty() && cipher.is_ascii()).then_some(cipher);
        } else if let Some(version) = trimmed.strip_prefix("Version:")
            && hello
        {
            legacy = wire_version(version);
        } else if let Some(rest) = label(trimmed, "supported_versions")
            && hello
        {
            // Only TLS 1.3 answers with this extension; Fiddler leaves its value out.
            found.version = named_version(rest).or(Some(TlsVersion::Tls13));
        }
    }
    let tls13 = found.cipher.as_deref().is_some_and(|cipher| cipher.contains("[0x13"));
    found.version = found.version.or(if tls13 { Some(TlsVersion::Tls13) } else { None }).or(legacy);
    found.certificate = certificate(text, utc_offset);
    found.decrypted |= found.certificate.is_some();
    found
}

/// Whether the text is Fiddler's account of a handshake that failed.
pub(in crate::capture) fn is_failure(text: &str) -> bool {
    text.contains("Failed to negotiate HTTPS connection")
        || text.contains("fiddler.network.https>")
        || text
            .find("HTTPS handshake to ")
            .and_then(|at| text.get(at..))
            .and_then(|rest| rest.lines().next())
            .is_some_and(|line| line.contains("failed"))
}

/// The value behind a label and blanks: `server_name<TAB>login.example`.
fn label<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with([' ', '\t', ':']))
        .then(|| rest.trim_start_matches([' ', '\t', ':']).trim_end())
}

/// `3.3 (TLS/1.2)` as the record and hello write it.
fn wire_version(text: &str) -> Option<TlsVersion> {
    let (major, rest) = text.trim().split_once('.')?;
    let minor = rest.split([' ', '(']).next()?;
    let (major, minor): (u8, u8) = (major.parse().ok()?, minor.parse().ok()?);
    TlsVersion::from_wire(u16::from_be_bytes([major, minor]))
}

/// `Tls1.3` in an offer, `Tls12` in an answer; `Tls` alone is 1.0.
fn named_version(text: &str) -> Option<TlsVersion> {
    let name: String =
        text.trim().chars().filter(|c| !matches!(c, '.' | ' ' | '_' | 'v')).take(12).collect();
    match name.to_ascii_lowercase().as_str() {
        "ssl3" | "ssl30" => Some(TlsVersion::Ssl3),
        "tls" | "tls10" => Some(TlsVersion::Tls10),
        "tls11" => Some(TlsVersion::Tls11),
        "tls12" => Some(TlsVersion::Tls12),
        "tls13" => Some(TlsVersion::Tls13),
        _ => None,
    }
}

/// Values that a client sends to keep servers tolerant (RFC 8701): `0A0A`, `1A1A` and so on.
fn is_placeholder(code: &str) -> bool {
    let (first, second) = code.split_at_checked(2).unwrap_or((code, ""));
    first.eq_ignore_ascii_case(second) && first.to_ascii_uppercase().ends_with('A')
}

fn certificate(text: &str, utc_offset: Option<i32>) -> Option<CertificateSummary> {
    let text = text.split_once("== Server Certificate")?.1;
    let mut found = CertificateSummary::default();
    let (mut before, mut after) = (None, None);
    let mut section = "";
    for line in text.lines().skip(1).take(MAX_LINES) {
        let line = line.trim();
        if line.starts_with("==") {
            break;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        if line.is_empty() {
            continue;
        }
        match section {
            "Subject" if found.subject.is_empty() => found.subject = shown(line, 512),
            "Issuer" if found.issuer.is_empty() => found.issuer = shown(line, 512),
            "Not Before" => before = before.or(Some(line)),
            "Not After" => after = after.or(Some(line)),
            "SubjectAltNames" => {
                let names = line.split([',', ' ']).filter(|name| name.contains('.'));
                for name in names.take(MAX_NAMES.saturating_sub(found.names.len())) {
                    let name = name.rsplit(['=', ':']).next().unwrap_or(name);
                    found.names.push(shown(name, 253));
                }
            }
            _ => {}
        }
    }
    let order = [before, after].into_iter().flatten().find_map(order_of);
    found.not_before = before.and_then(|text| date(text, order, utc_offset));
    found.not_after = after.and_then(|text| date(text, order, utc_offset));
    (!found.subject.is_empty() || !found.issuer.is_empty()).then_some(found)
}

/// The order in which a date without a leading year is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    DayFirst,
    MonthFirst,
}

/// The three numbers of a date, whether dots part them, and the time behind it.
fn pieces(text: &str) -> Option<([u16; 3], bool, &str)> {
    let text = text.trim();
    let (day, time) = text.split_once([' ', '\u{a0}', '\u{202f}']).unwrap_or((text, ""));
    let mut numbers = day.split(['/', '.', '-']).filter(|piece| !piece.is_empty());
    let mut next = || numbers.next()?.parse().ok();
    let found = [next()?, next()?, next()?];
    Some((found, day.contains('.'), time.trim()))
}

/// The order that one date proves; dates of both ends of a validity are written alike.
fn order_of(text: &str) -> Option<Order> {
    let ([first, second, _], dotted, _) = pieces(text)?;
    match () {
        () if first > 31 => None,
        () if dotted || first > 12 => Some(Order::DayFirst),
        () if second > 12 => Some(Order::MonthFirst),
        () => None,
    }
}

fn date(text: &str, order: Option<Order>, utc_offset: Option<i32>) -> Option<Timestamp> {
    let ([first, second, third], _, time) = pieces(text)?;
    let (year, month, day) = match order {
        _ if first > 31 => (first, second, third),
        Some(Order::DayFirst) => (third, second, first),
        Some(Order::MonthFirst) => (third, first, second),
        None if first == second => (third, first, second),
        None => return None,
    };
    let (clock, half) = time.split_once([' ', '\u{a0}', '\u{202f}']).unwrap_or((time, ""));
    let mut numbers = clock.split([':', '.']);
    let mut next = || numbers.next().and_then(|piece| piece.trim().parse::<u16>().ok());
    let (hour, minute, second) = (next()?, next()?, next().unwrap_or(0));
    let hour = match half.trim().to_ascii_lowercase().as_str() {
        "" => hour,
        "am" => hour.checked_rem(12)?,
        "pm" => hour.checked_rem(12)?.checked_add(12)?,
        _ => return None,
    };
    let offset = utc_offset.unwrap_or(0);
    let minutes = offset.unsigned_abs().checked_div(60)?;
    let sign = if offset < 0 { '-' } else { '+' };
    let (ahead, part) = (minutes.checked_div(60)?, minutes.checked_rem(60)?);
    let text = format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{ahead:02}:{part:02}"
    );
    Timestamp::parse(&text).map(|(at, _)| at)
}

/// Lines read of one text.
const MAX_LINES: usize = 2_000;
/// Names kept of one certificate.
const MAX_NAMES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "A SSLv3-compatible ClientHello handshake was found. Fiddler extracted the \
        parameters below.\r\n\r\nVersion: 3.3 (TLS/1.2)\r\nRandom: 33 84\r\n\"Time\": 1/18/1994 \
        5:52:03 PM\r\nSessionID: B2 33\r\nExtensions: \r\n\tgrease (0x6a6a)\tempty\r\n\
        \tserver_name\tLogin.example\r\n\
        \tsupported_versions\tgrease [0xdada], Tls1.3, Tls1.2\r\nCiphers: \r\n\
        \t[3A3A]\tUnrecognized cipher\r\n\t[1301]\tTLS_AES_128_GCM_SHA256\r\n\
        \t[C02B]\tTLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\r\n\r\nCompression: \r\n\t[00]\tNONE\r\n";

    const DECRYPTED: &str = "Encrypted HTTPS traffic flows through this CONNECT tunnel.\r\n\r\n\
        Secure Protocol: Tls12\r\nCipher: Aes256 256bits\r\nHash Algorithm: Sha384 ?bits\r\n\
        Key Exchange: ECDHE_RSA (0xae06) 255bits\r\n\r\n== Server Certificate ==========\r\n\
        [Subject]\r\n  CN=login.example, O=Example\r\n\r\n[Issuer]\r\n  CN=Inspection CA, \
        O=Contoso\r\n\r\n[Serial Number]\r\n  0A\r\n\r\n[Not Before]\r\n  3/4/2030 2:00:00 AM\r\n\r\n\
        [Not After]\r\n  3/31/2031 2:00:00 PM\r\n\r\n[Thumbprint]\r\n  AB\r\n\r\n\
        [SubjectAltNames]\r\nlogin.example, *.login.example\r\n";

    #[test]
    fn reads_a_client_hello() {
        let hello = client_text(HELLO).unwrap();
        assert_eq!(hello.server_name.unwrap().as_str(), "login.example");
        assert_eq!((hello.offered, hello.ciphers), (Some(TlsVersion::Tls13), 2));
        assert_eq!(client_text("grant_type=password"), None);
        let old = client_text("ClientHello\nVersion: 3.1 (TLS/1.0)\n").unwrap();
        assert_eq!((old.offered, old.server_name), (Some(TlsVersion::Tls10), None));
    }

    #[test]
    fn reads_an_answer_that_was_decrypted() {
        let text = server_text(DECRYPTED, Some(3600));
        assert!(text.decrypted && !text.failed);
        assert_eq!(text.version, Some(TlsVersion::Tls12));
        assert_eq!(text.cipher.as_deref(), Some("Aes256 256bits"));
        let certificate = text.certificate.unwrap();
        assert_eq!(certificate.subject, "CN=login.example, O=Example");
        assert_eq!(certificate.issuer, "CN=Inspection CA, O=Contoso");
        assert_eq!(certificate.names, ["login.example", "*.login.example"]);
        assert_eq!(certificate.not_before.unwrap().to_string(), "2030-03-04T01:00:00.000Z");
        assert_eq!(certificate.not_after.unwrap().to_string(), "2031-03-31T13:00:00.000Z");
    }

    #[test]
    fn reads_an_answer_that_was_not() {
        let text = "This is a CONNECT tunnel, through which encrypted HTTPS traffic flows.\r\n\r\n\
            A SSLv3-compatible ServerHello handshake was found.\r\n\r\nVersion: 3.3 (TLS/1.2)\r\n\
            SessionID:\tB2\r\nCipher:\t\tTLS_AES_256_GCM_SHA384 [0x1302]\r\nExtensions:\r\n\
            \t\tsupported_versions\t\r\n";
        let found = server_text(text, None);
        assert!(!found.decrypted);
        assert_eq!(found.version, Some(TlsVersion::Tls13));
        assert_eq!(found.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384 [0x1302]"));
        let old = server_text("ServerHello\nVersion: 3.3 (TLS/1.2)\nCipher: X [0xC030]\n", None);
        assert_eq!(old.version, Some(TlsVersion::Tls12));
        assert_eq!(server_text("", None), ServerText::default());
    }

    #[test]
    fn tells_a_failed_handshake() {
        assert!(is_failure("fiddler.network.https> HTTPS handshake to a.example (for #3) failed."));
        assert!(is_failure("Failed to negotiate HTTPS connection with server."));
        assert!(is_failure("fiddler.network.https> the server closed the connection"));
        assert!(!is_failure("HTTPS handshake to a.example went well\nanother thing failed"));
    }

    #[test]
    fn dates_are_read_where_their_order_is_known() {
        let read = |text: &str| date(text, order_of(text), None).map(|at| at.to_string());
        let want = Some("2030-03-04T14:00:00.000Z".to_owned());
        assert_eq!(read("04.03.2030 14:00:00"), want);
        assert_eq!(read("2030-03-04 14:00:00"), want);
        assert_eq!(read("2030/3/4 2:00:00 PM"), want);
        assert_eq!(read("3/4/2030 2:00:00 PM"), None);
        assert_eq!(read("13/3/2030 14:00:00").unwrap(), "2030-03-13T14:00:00.000Z");
        assert_eq!(read("3/13/2030 12:00:00 AM").unwrap(), "2030-03-13T00:00:00.000Z");
        assert_eq!(read("5/5/2030 00:00:00").unwrap(), "2030-05-05T00:00:00.000Z");
        assert_eq!(read("99/99/2030 1:1:1"), None);
        assert_eq!(read("yesterday"), None);
    }
}
