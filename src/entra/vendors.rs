//! Signs by which a proxy, a filter, an antivirus product or a capture tool gives itself away.
//!
//! It knows nothing of where a text came from and draws no conclusion: an issuer tells of an
//! inspection and not of a block, and a capture tool is the capture itself.
//!
//! Patterns are compiled once per kind, when that kind is first asked. Of several signs that fit,
//! the most certain one is given. A sign of low confidence, or without a public source, is for a
//! remark and never for a verdict. Issuers are put into one canonical order before they are
//! compared, whatever order and separators they came in.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::table::{self, vocabulary};

const SIGNATURES: &str = include_str!("vendor-signatures.tsv");

/// Attributes of a distinguished name in our order: what patterns name first comes first.
const ATTRIBUTES: [(&str, &[&str]); 7] = [
    ("C", &["c", "countryname"]),
    ("O", &["o", "organizationname"]),
    ("CN", &["cn", "commonname"]),
    ("OU", &["ou", "organizationalunitname"]),
    ("L", &["l", "localityname"]),
    ("ST", &["st", "s", "stateorprovincename"]),
    ("OTHER", &["dc", "e", "emailaddress", "serialnumber", "street", "t", "title"]),
];

static ROWS: LazyLock<Vec<Vendor>> =
    LazyLock::new(|| table::rows(SIGNATURES).filter_map(Vendor::parse).collect());

static ISSUERS: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::CertIssuer));
static BLOCK_PAGES: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::BlockPageText));
static HEADERS: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::ResponseHeader));
static SERVERS: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::ServerHeader));
static COOKIES: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::Cookie));
static HOSTS: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::RedirectHost));
static URLS: LazyLock<Signs> = LazyLock::new(|| Signs::load(SignatureKind::RedirectUrl));
static ADDRESSES: LazyLock<Vec<(Network, Match)>> = LazyLock::new(|| {
    vendors()
        .filter(|row| row.kind == SignatureKind::AnswerAddress)
        .flat_map(|row| row.pattern.split(';').filter_map(move |net| Some((parse(net)?, row))))
        .collect()
});

static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[,;+/\n])\s*((?:OID\.)?[A-Z0-9.]+?)\s*=\s*").ok());

vocabulary! {
    /// Where a sign is found.
    SignatureKind {
        /// An address in a name server's answer; networks separated by `;`.
        AnswerAddress = "answer_address",
        /// Text of a page.
        BlockPageText = "block_page_text",
        /// Issuer of a certificate.
        CertIssuer = "cert_issuer",
        /// Name of a cookie.
        Cookie = "cookie",
        /// Host that an answer redirects to.
        RedirectHost = "redirect_host",
        /// Address that an answer redirects to.
        RedirectUrl = "redirect_url",
        /// Header of an answer, as `name: value`.
        ResponseHeader = "response_header",
        /// Value of the header `Server`.
        ServerHeader = "server_header",
    }
}

vocabulary! {
    /// What kind of product a sign belongs to.
    VendorClass {
        /// Security software on the computer itself.
        Antivirus = "antivirus",
        /// The tool that made the capture.
        CaptureTool = "capture_tool",
        /// The legitimate issuer.
        Microsoft = "microsoft",
        /// A proxy or filter on the network or in the cloud.
        Proxy = "proxy",
    }
}

vocabulary! {
    /// How certain a sign is, from low to high.
    Certainty {
        /// For a remark only.
        Low = "low",
        /// Likely.
        Medium = "medium",
        /// Certain.
        High = "high",
    }
}

/// A row of the table of signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The product or its maker.
    pub name: &'static str,
    /// What kind of product it is.
    pub class: VendorClass,
    /// Where the sign is found.
    pub kind: SignatureKind,
    /// The pattern.
    pub pattern: &'static str,
    /// How certain it is.
    pub confidence: Certainty,
    /// Public source.
    pub source: &'static str,
}

/// A sign that fits.
pub type Match = &'static Vendor;

impl Vendor {
    fn parse(row: [&'static str; 6]) -> Option<Self> {
        let [name, class, kind, pattern, confidence, source] = row;
        Some(Self {
            name,
            class: VendorClass::parse(class)?,
            kind: SignatureKind::parse(kind)?,
            pattern,
            confidence: Certainty::parse(confidence)?,
            source,
        })
    }

    /// Whether the capture itself leaves this sign.
    pub fn is_capture_tool(&self) -> bool {
        self.class == VendorClass::CaptureTool
    }

    /// Whether the sign is that of a legitimate issuer.
    pub fn is_microsoft(&self) -> bool {
        self.class == VendorClass::Microsoft
    }

    /// Whether the product runs on the computer and is no matter of the network.
    pub fn is_antivirus(&self) -> bool {
        self.class == VendorClass::Antivirus
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }

    /// Whether a rule may build on the sign.
    pub fn is_usable(&self) -> bool {
        self.confidence > Certainty::Low
    }
}

/// The sign in the issuer of a certificate, in any order and with any separators.
///
/// A text without attributes is taken as a common name.
pub fn issuer(name: &str) -> Option<Match> {
    ISSUERS.find(&canonical(name))
}

/// Whether the issuer is one that the hosts of the sign-in are known to have.
///
/// The organisation decides. Where a producer gives the common name alone, its beginning does.
pub fn is_expected_issuer(name: &str) -> bool {
    let attributes = attributes(name);
    let mut organisations = attributes.iter().filter(|(kind, _)| *kind == 1).peekable();
    if organisations.peek().is_some() {
        return organisations.all(|(_, value)| {
            ["DigiCert Inc", "DigiCert, Inc.", "Microsoft Corporation"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(value))
        });
    }
    attributes.iter().any(|(kind, value)| {
        *kind == 2
            && ["DigiCert ", "Microsoft Azure ", "Microsoft RSA TLS CA ", "Microsoft TLS "]
                .iter()
                .any(|start| value.starts_with(start))
    })
}

/// Whether the issuer is the root of a capture tool.
pub fn is_capture_tool_issuer(name: &str) -> bool {
    issuer(name).is_some_and(Vendor::is_capture_tool)
}

/// A name by which an issuer is told from others: its common name, or its organisation where that is a mere
/// number, as public issuers give it to each of their certificates.
pub fn issuer_name(name: &str) -> String {
    let found = attributes(name);
    let of = |wanted: &str| {
        let kind = ATTRIBUTES.iter().position(|(kind, _)| *kind == wanted)?;
        let value = found.iter().find(|(one, _)| *one == kind)?.1.trim_matches(['"', ' ']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let common = of("CN");
    let telling = common.clone().filter(|name| name.chars().count() > 3);
    telling.or_else(|| of("O")).or(common).unwrap_or_else(|| name.trim().to_owned())
}

/// The sign in the text of a page.
pub fn block_page(body: &str) -> Option<Match> {
    BLOCK_PAGES.find(body)
}

/// The sign in a header of an answer.
pub fn response_header(name: &str, value: &str) -> Option<Match> {
    HEADERS.find(&format!("{}: {}", name.trim(), value.trim()))
}

/// The sign in the header `Server`.
pub fn server_header(value: &str) -> Option<Match> {
    SERVERS.find(value.trim())
}

/// The sign in the address that an answer redirects to.
pub fn redirect(url: &str) -> Option<Match> {
    let by_host = host_of(url).and_then(|host| HOSTS.find(&host.to_ascii_lowercase()));
    let by_url = URLS.find(url);
    match (by_host, by_url) {
        (Some(host), Some(url)) if url.confidence > host.confidence => Some(url),
        (host, url) => host.or(url),
    }
}

/// The sign in the name of a cookie.
pub fn cookie(name: &str) -> Option<Match> {
    COOKIES.find(&format!("{}=", name.trim()))
}

/// Whether no server of the service can have this address: it is none, it is the computer itself, or
/// that of a page on which a filter says that it blocks.
pub fn is_sink(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_unspecified()
        || address.is_loopback()
        || answer_address(address).is_some_and(Vendor::is_usable)
}

/// The sign in an address that a name led to.
pub fn answer_address(address: IpAddr) -> Option<Match> {
    let address = match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(_) => return None,
    };
    ADDRESSES
        .iter()
        .find(|(net, _)| address & net.mask == net.start & net.mask)
        .map(|(_, row)| *row)
}

/// Every sign.
pub fn vendors() -> impl Iterator<Item = Match> {
    ROWS.iter()
}

/// The patterns of one kind; `set` numbers them as `rows` does.
struct Signs {
    set: RegexSet,
    rows: Vec<Match>,
}

impl Signs {
    fn load(kind: SignatureKind) -> Self {
        let mut rows: Vec<Match> = vendors().filter(|row| row.kind == kind).collect();
        let compile = |rows: &[Match]| RegexSet::new(rows.iter().map(|row| row.pattern));
        let set = compile(&rows).unwrap_or_else(|_| {
            rows.retain(|row| Regex::new(row.pattern).is_ok());
            compile(&rows).unwrap_or_default()
        });
        Self { set, rows }
    }

    /// The most certain sign; the first of the table among equals.
    fn find(&self, text: &str) -> Option<Match> {
        let found = self.set.matches(text);
        found.iter().filter_map(|at| self.rows.get(at).copied()).reduce(|best, row| {
            if (row.confidence, row.is_verified()) > (best.confidence, best.is_verified()) {
                row
            } else {
                best
            }
        })
    }
}

struct Network {
    start: u32,
    mask: u32,
}

/// An IPv4 address or network.
fn parse(text: &str) -> Option<Network> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().ok()?),
        None => (text, 32),
    };
    let start = u32::from(address.trim().parse::<Ipv4Addr>().ok()?);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
    Some(Network { start, mask })
}

/// The host part of an address, without user and port.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("//")?.1;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    host.split(':').next().filter(|host| !host.is_empty())
}

/// A distinguished name in our order, as `C=.., O=.., CN=..`.
fn canonical(name: &str) -> String {
    let mut found = attributes(name);
    found.sort_by_key(|(kind, _)| *kind);
    let parts: Vec<String> = found
        .iter()
        .filter_map(|(kind, value)| Some(format!("{}={value}", ATTRIBUTES.get(*kind)?.0)))
        .collect();
    parts.join(", ")
}

/// The attributes of a distinguished name, each by its place in [`ATTRIBUTES`].
fn attributes(name: &str) -> Vec<(usize, Cow<'_, str>)> {
    let name = unlabelled(name);
    let mut starts = Vec::new();
    for found in ATTRIBUTE.iter().flat_map(|regex| regex.captures_iter(name)) {
        if let (Some(whole), Some(key)) = (found.get(0), found.get(1))
            && let Some(kind) = kind_of(key.as_str())
        {
            starts.push((whole.start(), whole.end(), kind));
        }
    }
    if starts.is_empty() {
        return vec![(2, Cow::Borrowed(name))];
    }
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([name.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|((_, from, kind), to)| Some((*kind, value(name.get(*from..to)?))))
        .collect()
}

fn kind_of(key: &str) -> Option<usize> {
    let key = key.to_ascii_lowercase();
    let key = key.strip_prefix("oid.").unwrap_or(&key);
    ATTRIBUTES.iter().position(|(_, names)| names.contains(&key))
}

/// Without the label that tools print before an issuer.
fn unlabelled(name: &str) -> &str {
    let name = name.trim();
    let starts =
        |label: &str| name.get(..label.len()).is_some_and(|head| head.eq_ignore_ascii_case(label));
    if starts("[issuer]") {
        return name.get(8..).unwrap_or(name).trim_start();
    }
    if starts("issuer") {
        let rest = name.get(6..).unwrap_or(name).trim_start();
        if let Some(rest) = rest.strip_prefix([':', '=']) {
            return rest.trim_start();
        }
    }
    name
}

/// The value without quotes and escapes.
fn value(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if text.contains('\\') { Cow::Owned(text.replace('\\', "")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn an_issuer_has_a_name() {
        let name = "CN=\"Contoso Gateway CA 7\", O=Contoso, C=US";
        assert_eq!(issuer_name(name), "Contoso Gateway CA 7");
        assert_eq!(issuer_name("C=US, O=Let's Encrypt, CN=R11"), "Let's Encrypt");
        assert_eq!(issuer_name("Contoso Root"), "Contoso Root");
        assert_eq!(issuer_name("CN=R1"), "R1");
        assert_eq!(issuer_name("O=Contoso"), "Contoso");
    }

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(SIGNATURES, 6);
        check::complete(SIGNATURES, ROWS.len());
        check::rising(
            table::rows(SIGNATURES)
                .map(|[name, class, kind, pattern, ..]: [&str; 6]| (name, class, kind, pattern)),
        );
        assert!(vendors().all(|row| !row.source.is_empty()));
    }

    #[test]
    fn every_pattern_compiles() {
        for row in vendors() {
            if row.kind == SignatureKind::AnswerAddress {
                assert!(row.pattern.split(';').all(|net| parse(net).is_some()), "{}", row.pattern);
            } else {
                assert!(Regex::new(row.pattern).is_ok(), "{}", row.pattern);
            }
        }
        for signs in [&ISSUERS, &BLOCK_PAGES, &HEADERS, &SERVERS, &COOKIES, &HOSTS, &URLS] {
            assert_eq!(signs.set.len(), signs.rows.len());
            assert!(!signs.rows.is_empty());
        }
    }

    #[test]
    fn issuers_are_read_in_every_form() {
        for text in [
            "CN=Zscaler Root CA, OU=Zscaler Inc., O=Zscaler Inc., L=San Jose, C=US",
            "/C=US/ST=California/O=Zscaler Inc./CN=Zscaler Intermediate Root CA (zscaler.net)",
            "C = US, O = Zscaler Inc., CN = Zscaler Root CA",
            "[Issuer]\n  CN=Zscaler Root CA\n  O=Zscaler Inc.\n  C=US\n",
            "issuer=C = US, O = Zscaler Inc., CN = Zscaler Root CA",
            "commonName=Zscaler Root CA,organizationName=Zscaler Inc.",
            "Zscaler Root CA",
        ] {
            assert_eq!(issuer(text).unwrap().name, "Zscaler", "{text}");
            assert!(!is_expected_issuer(text), "{text}");
        }
    }

    #[test]
    fn expected_issuers_are_read_in_every_form() {
        let want = "C=US, O=DigiCert Inc, CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1";
        for text in [
            want,
            "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc, C=US",
            "/C=US/O=DigiCert Inc/CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1",
            "Issuer: C=US; O=\"DigiCert Inc\"; CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1",
        ] {
            assert_eq!(canonical(text), want);
            assert!(is_expected_issuer(text));
            assert!(issuer(text).unwrap().is_microsoft());
        }
        assert!(is_expected_issuer("CN=x, O=Microsoft Corporation, C=US"));
        assert!(is_expected_issuer("DigiCert Global G2 TLS RSA SHA256 2020 CA1"));
        assert!(is_expected_issuer("O=\"DigiCert, Inc.\", CN=x"));
        assert!(!is_expected_issuer("CN=Microsoft Corporation, O=Contoso"));
        assert!(!is_expected_issuer("O=Microsoft Corporation Ltd"));
        assert!(!is_expected_issuer("CN=Contoso Proxy CA, O=DigiCert Inc, O=Contoso"));
        assert!(!is_expected_issuer("CN=Contoso Root"));
        assert!(!is_expected_issuer(""));
        assert_eq!(issuer("CN=Contoso Root, O=Contoso"), None);
    }

    #[test]
    fn commas_and_escapes_in_values_are_kept() {
        assert_eq!(canonical("CN=a, O=Acme, Inc., C=US"), "C=US, O=Acme, Inc., CN=a");
        assert_eq!(canonical("O=Acme\\, Inc.,CN=a"), "O=Acme, Inc., CN=a");
    }

    #[test]
    fn capture_tools_and_antivirus_are_told_apart() {
        let fiddler =
            "CN=DO_NOT_TRUST_FiddlerRoot, O=DO_NOT_TRUST, OU=Created by http://www.fiddler2.com";
        assert!(is_capture_tool_issuer(fiddler));
        assert!(is_capture_tool_issuer("CN=mitmproxy, O=mitmproxy"));
        assert!(!is_capture_tool_issuer("CN=FortiGate CA, O=Fortinet"));
        let avast = issuer(
            "CN=Avast Web/Mail Shield Root, O=Avast Web/Mail Shield, \
             OU=generated by Avast Antivirus for SSL/TLS scanning",
        )
        .unwrap();
        assert!(avast.is_antivirus() && !avast.is_verified());
    }

    #[test]
    fn answers_of_products_are_known() {
        assert_eq!(block_page("<p>Powered by FortiGuard</p>").unwrap().name, "Fortinet");
        assert_eq!(block_page("<p>Sign in to your account</p>"), None);
        assert_eq!(response_header("X-Squid-Error", "ERR_ACCESS_DENIED 0").unwrap().name, "Squid");
        assert_eq!(response_header("x-ms-request-id", "0f0f"), None);
        assert_eq!(server_header("squid/5.7").unwrap().name, "Squid");
        assert_eq!(cookie("barra_counter_session").unwrap().name, "Barracuda");
        assert!(!cookie("_sm_au_x").unwrap().is_usable());
        assert_eq!(
            redirect("https://gateway.zscalertwo.net:443/auD?origurl=x").unwrap().name,
            "Zscaler"
        );
        assert_eq!(
            redirect("http://10.0.0.1/php/urlblock.php?args=x").unwrap().name,
            "Palo Alto Networks"
        );
        assert_eq!(redirect("https://login.microsoftonline.com/common/login"), None);
    }

    #[test]
    fn block_addresses_are_known() {
        let name = |text: &str| answer_address(text.parse().unwrap()).map(|row| row.name);
        assert_eq!(name("146.112.61.104"), Some("Cisco Umbrella/OpenDNS"));
        assert_eq!(name("::ffff:208.91.112.55"), Some("Fortinet"));
        assert_eq!(name("52.206.227.167"), Some("WatchGuard"));
        assert_eq!(name("20.190.128.1"), None);
        assert_eq!(name("2603:1026::1"), None);
    }
}
