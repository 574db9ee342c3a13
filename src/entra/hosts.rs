//! Which hosts a sign-in talks to, and what each of them is for.
//!
//! It knows nothing of captures and does not judge: whether a host was needed is decided per
//! flow, elsewhere. `listed_required` only repeats what the vendor's endpoint list says.
//!
//! The most specific row wins: the exact name, then the longest wildcard. `*.x` stands for any
//! depth below `x` and never for `x` itself. Names are compared without case and without a
//! trailing dot.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use hashbrown::HashMap;

use super::table::{self, vocabulary};

const HOSTS: &str = include_str!("hosts.tsv");
const ALTERNATIVES: &str = include_str!("alternatives.tsv");

static TABLE: LazyLock<Hosts> = LazyLock::new(Hosts::load);
static STAND_INS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    table::rows(ALTERNATIVES)
        .map(|[host, others, _source]| (host, others.split(',').collect()))
        .collect()
});

vocabulary! {
    /// What a host is for.
    HostRole {
        /// An operating system's test for a working network.
        ConnectivityCheck = "connectivity-check",
        /// Certificate status and issuer certificates.
        CrlOcsp = "crl-ocsp",
        /// Asks for a device or user certificate; must never be TLS inspected.
        DeviceCert = "device-cert",
        /// A federated identity provider or an external MFA provider.
        Federation = "federation",
        /// Directory interfaces.
        Graph = "graph",
        /// Used by on-premises MFA parts.
        MfaOnprem = "mfa-onprem",
        /// The phone's side of MFA; never in a capture of the computer.
        MfaPush = "mfa-push",
        /// Pages where a user registers MFA methods.
        MfaRegistration = "mfa-registration",
        /// Personal accounts.
        Msa = "msa",
        /// Tunnels for a passkey on another device.
        Passkey = "passkey",
        /// An application.
        Resource = "resource",
        /// Kerberos sign-in of joined computers.
        SeamlessSso = "seamless-sso",
        /// Scripts and pictures of the sign-in pages.
        SigninCdn = "signin-cdn",
        /// Self-service password reset.
        Sspr = "sspr",
        /// The sign-in service.
        Sts = "sts",
        /// Another name of the sign-in service.
        StsAlias = "sts-alias",
        /// Telemetry; a failure here does no harm.
        Telemetry = "telemetry",
    }
}

vocabulary! {
    /// Who talks to a host.
    Actor {
        /// The browser or the client application.
        Browser = "browser",
        /// The user's phone.
        Phone = "phone",
        /// A server of the organisation.
        Server = "server",
    }
}

vocabulary! {
    /// What the vendor's endpoint list says about a host.
    Listed {
        /// Not listed.
        No = "no",
        /// Listed as optional, or needed for some features only.
        Optional = "optional",
        /// Listed as required.
        Yes = "yes",
    }
}

vocabulary! {
    /// What a host of a wider role serves in particular.
    Serves {
        /// Certificate sign-in on a host of the sign-in service.
        Certificate = "certificate",
        /// Tells whether a certificate is revoked.
        CertificateStatus = "certificate_status",
        /// Tests for human users; not an answer of the sign-in service itself.
        HumanCheck = "human_check",
        /// Pictures of the pages; cosmetic.
        Image = "image",
        /// Scripts without which a page stays blank.
        Script = "script",
    }
}

/// A row of the host table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// A host name, `*.` and a parent, or `*` and a path.
    pub pattern: &'static str,
    /// The clouds it belongs to; `any` is a host of no cloud.
    pub clouds: Vec<&'static str>,
    /// What it is for.
    pub role: HostRole,
    /// Who talks to it.
    pub needed_by: Actor,
    /// What the vendor's endpoint list says.
    pub listed_required: Listed,
    /// What it serves in particular.
    pub serves: Option<Serves>,
    /// Number of the endpoint set in the Microsoft 365 list.
    pub endpoint_set: Option<u16>,
    /// Public source.
    pub source: &'static str,
    /// Remark.
    pub note: &'static str,
}

impl HostRow {
    fn parse(row: [&'static str; 9]) -> Option<Self> {
        let [pattern, clouds, role, needed_by, listed, serves, set, source, note] = row;
        Some(Self {
            pattern,
            clouds: clouds.split(',').collect(),
            role: HostRole::parse(role)?,
            needed_by: Actor::parse(needed_by)?,
            listed_required: Listed::parse(listed)?,
            serves: table::optional(serves, Serves::parse).ok()?,
            endpoint_set: table::optional(set, |text| text.parse().ok()).ok()?,
            source,
            note,
        })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }

    /// Whether the row names a path on a host of the customer.
    pub fn is_path(&self) -> bool {
        self.pattern.starts_with("*/")
    }
}

/// The row for a host name.
pub fn host(name: &str) -> Option<&'static HostRow> {
    let name = normal(name);
    if let Some(row) = TABLE.exact.get(name.as_ref()) {
        return TABLE.rows.get(*row);
    }
    let row = memchr::memchr_iter(b'.', name.as_bytes())
        .find_map(|dot| TABLE.below.get(name.get(dot.saturating_add(1)..)?))?;
    TABLE.rows.get(*row)
}

/// The row for a path on a host of the customer, such as that of AD FS.
pub fn path(path: &str) -> Option<&'static HostRow> {
    let path = path.to_ascii_lowercase();
    TABLE
        .rows
        .iter()
        .filter(|row| row.is_path())
        .filter(|row| path.starts_with(row.pattern.trim_matches('*')))
        .max_by_key(|row| row.pattern.len())
}

/// The addresses of version 4 of the sign-in service (Microsoft 365 URLs and IP address ranges, id 56).
pub const SIGN_IN_RANGES: [&str; 2] = ["20.190.128.0/18", "40.126.0.0/18"];

/// Whether an address is one of the sign-in service, by its published ranges of version 4.
pub fn is_sign_in_address(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address.to_canonical() else { return false };
    SIGN_IN_RANGES.iter().any(|range| {
        let Some((start, bits)) = range.split_once('/') else { return false };
        let (Ok(start), Ok(bits)) = (start.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
            return false;
        };
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
        u32::from(address) & mask == u32::from(start) & mask
    })
}

/// Whether the sign-in service itself answers under this name.
pub fn is_sign_in_service(name: &str) -> bool {
    host(name).is_some_and(|row| {
        matches!(row.role, HostRole::Sts | HostRole::StsAlias)
            && row.serves != Some(Serves::HumanCheck)
    })
}

/// Whether this host shows the page of passkeys (`fido/get`) beside what else it does; the host table has
/// the source.
pub fn has_passkey_page(name: &str) -> bool {
    name == "login.microsoft.com"
}

/// Whether sign-in pages load their scripts from this host.
pub fn is_script_cdn(name: &str) -> bool {
    host(name).is_some_and(|row| row.serves == Some(Serves::Script))
}

/// Whether sign-in pages load only pictures from this host.
pub fn is_image_cdn(name: &str) -> bool {
    host(name).is_some_and(|row| row.serves == Some(Serves::Image))
}

/// Whether a failure of this host does no harm because it only takes telemetry.
pub fn is_telemetry(name: &str) -> bool {
    host(name).is_some_and(|row| row.role == HostRole::Telemetry)
}

/// Whether this host asks for client certificates, so that TLS inspection breaks it.
pub fn is_certificate_host(name: &str) -> bool {
    host(name).is_some_and(|row| {
        row.role == HostRole::DeviceCert || row.serves == Some(Serves::Certificate)
    })
}

/// Where the lists of revoked certificates of Microsoft's own authorities stand on a host that serves
/// other things as well. The authorities' own certificates stand beside them, and which of both was
/// asked for is not kept of a path.
const STATUS_LISTS: &str = "/pkiops/";

/// Whether a client asks here whether a certificate of the service is revoked (RFC 5280 section
/// 4.2.1.13, RFC 6960); without a path only where the host serves nothing else.
pub fn tells_certificate_status(name: &str, path: Option<&str>) -> bool {
    host(name).filter(|row| row.role == HostRole::CrlOcsp).is_some_and(|row| {
        row.serves == Some(Serves::CertificateStatus)
            || path.is_some_and(|path| path.to_ascii_lowercase().starts_with(STATUS_LISTS))
    })
}

/// Whether this host is a known federated identity provider or external MFA provider.
pub fn is_federation(name: &str) -> bool {
    host(name).is_some_and(|row| row.role == HostRole::Federation)
}

/// The cloud of a host; the first one if a host serves two.
pub fn cloud(name: &str) -> Option<&'static str> {
    host(name)?.clouds.first().copied().filter(|cloud| *cloud != "any")
}

/// Hosts that can stand in for this one: if one of them answers, nothing is missing.
pub fn alternatives(name: &str) -> &'static [&'static str] {
    STAND_INS.get(normal(name).as_ref()).map_or(&[], Vec::as_slice)
}

/// Every row of the table, in its order.
pub fn patterns() -> impl Iterator<Item = &'static HostRow> {
    TABLE.rows.iter()
}

/// `exact` and `below` hold positions in `rows`; a path pattern is in neither.
struct Hosts {
    rows: Vec<HostRow>,
    exact: HashMap<&'static str, usize>,
    below: HashMap<&'static str, usize>,
}

impl Hosts {
    fn load() -> Self {
        let rows: Vec<HostRow> = table::rows(HOSTS).filter_map(HostRow::parse).collect();
        let mut exact = HashMap::new();
        let mut below = HashMap::new();
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_path()) {
            match row.pattern.strip_prefix("*.") {
                Some(parent) => below.insert(parent, at),
                None => exact.insert(row.pattern, at),
            };
        }
        Self { rows, exact, below }
    }
}

fn normal(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_service_are_known() {
        let known = |text: &str| is_sign_in_address(text.parse().unwrap());
        assert!(known("20.190.159.4") && known("40.126.63.255") && known("::ffff:40.126.0.1"));
        assert!(!known("20.190.192.0") && !known("40.127.0.1") && !known("2603:1006:2000::1"));
    }
    use crate::entra::table::check;

    fn role(name: &str) -> Option<HostRole> {
        host(name).map(|row| row.role)
    }

    #[test]
    fn the_tables_are_sorted_unique_and_sourced() {
        check::shape(HOSTS, 9);
        check::complete(HOSTS, TABLE.rows.len());
        check::rising(patterns().map(|row| row.pattern));
        assert!(patterns().all(|row| !row.source.is_empty() && !row.clouds.is_empty()));
        assert!(patterns().all(|row| row.pattern == row.pattern.to_ascii_lowercase()));
        check::shape(ALTERNATIVES, 3);
        check::rising(table::rows(ALTERNATIVES).map(|[host, _, _]| host));
        for [name, others, source] in table::rows(ALTERNATIVES) {
            assert!(host(name).is_some() && !source.is_empty());
            for other in others.split(',') {
                assert!(alternatives(other).contains(&name), "{name} and {other}");
            }
        }
    }

    #[test]
    fn every_role_has_a_host() {
        for role in HostRole::ALL {
            assert!(patterns().any(|row| row.role == *role), "{role}");
        }
    }

    #[test]
    fn script_and_image_hosts_are_told_apart() {
        assert!(is_script_cdn("aadcdn.msauth.net"));
        assert!(is_script_cdn("other.msftauth.net"));
        assert!(is_script_cdn("secure.aadcdn.microsoftonline-p.com"));
        assert!(!is_script_cdn("aadcdn.msftauthimages.net"));
        assert!(is_image_cdn("aadcdn.msftauthimages.net"));
        assert!(!is_image_cdn("msftauthimages.net"));
        for row in patterns().filter(|row| row.serves == Some(Serves::Script)) {
            assert_eq!(row.role, HostRole::SigninCdn);
        }
    }

    #[test]
    fn the_most_specific_row_wins() {
        assert_eq!(role("nexus.microsoftonline-p.com"), Some(HostRole::Telemetry));
        assert_eq!(role("something.microsoftonline.com"), Some(HostRole::Sts));
        assert_eq!(role("a.b.certauth.login.microsoftonline.com"), Some(HostRole::DeviceCert));
        assert_eq!(
            role("t0f0f0f0f-1111-2222-3333-444444444444.certauth.login.microsoftonline.com"),
            Some(HostRole::DeviceCert)
        );
        assert_eq!(host("okta.com"), None);
        assert!(is_federation("contoso.okta.com"));
    }

    #[test]
    fn look_alike_names_are_not_the_service() {
        assert!(is_sign_in_service("LOGIN.MICROSOFTONLINE.COM."));
        assert!(is_sign_in_service("login.partner.microsoftonline.cn"));
        assert!(is_sign_in_service("contoso.b2clogin.com"));
        assert!(!is_sign_in_service("login.microsoftonline.com.evil.example"));
        assert!(!is_sign_in_service("xlogin.microsoftonline.com.example"));
        assert!(!is_sign_in_service("notmicrosoftonline.com"));
        assert!(!is_sign_in_service("login.live.com"));
        assert!(!is_sign_in_service("eu.hip.live.com"));
        assert!(!is_sign_in_service("device.login.microsoftonline.com"));
        assert!(!is_sign_in_service(""));
        assert!(!is_sign_in_service("."));
    }

    #[test]
    fn certificate_hosts_are_known() {
        for name in [
            "device.login.microsoftonline.com",
            "enterpriseregistration.windows.net",
            "logincert.microsoftonline.com",
            "certauth.login.microsoftonline.us",
        ] {
            assert!(is_certificate_host(name), "{name}");
        }
        assert!(!is_certificate_host("login.microsoftonline.com"));
    }

    #[test]
    fn where_the_status_of_certificates_is_told() {
        let tells = tells_certificate_status;
        assert!(tells("OCSP.digicert.com", None) && tells("crl.microsoft.com", Some("/x.crl")));
        assert!(tells("www.microsoft.com", Some("/PkiOps/crl/Microsoft%20CA.crl")));
        for path in [None, Some("/"), Some("/en-us/pkiops/")] {
            assert!(!tells("www.microsoft.com", path), "{path:?}");
        }
        assert!(!tells("cacerts.digicert.com", Some("/x.crt")));
        for row in patterns().filter(|row| row.serves == Some(Serves::CertificateStatus)) {
            assert!(row.role == HostRole::CrlOcsp && row.is_verified(), "{}", row.pattern);
        }
    }

    #[test]
    fn clouds_and_endpoint_sets_are_read() {
        assert_eq!(cloud("login.microsoftonline.us"), Some("usgov"));
        assert_eq!(cloud("contoso.okta.com"), None);
        assert_eq!(cloud("www.example.org"), None);
        assert_eq!(host("login.microsoftonline.com").unwrap().endpoint_set, Some(56));
        assert!(!host("sts.windows.net").unwrap().is_verified());
        assert!(is_telemetry("browser.events.data.microsoft.com"));
    }

    #[test]
    fn federation_paths_are_known() {
        assert_eq!(path("/adfs/LS/?wa=wsignin1.0").unwrap().pattern, "*/adfs/ls*");
        assert_eq!(
            path("/adfs/services/trust/13/usernamemixed").unwrap().role,
            HostRole::Federation
        );
        assert_eq!(path("/common/adfs/ls"), None);
    }

    #[test]
    fn stand_ins_go_both_ways() {
        assert_eq!(alternatives("AADCDN.msauth.net"), ["aadcdn.msftauth.net"]);
        assert!(alternatives("login.microsoftonline.com").is_empty());
    }
}
