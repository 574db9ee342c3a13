//! Where the hosts of the stories live. Addresses lie in the ranges of their owners where those are
//! published; which host has which is made up.

use std::net::IpAddr;

/// A host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) six: Vec<IpAddr>,
    /// Names between the one asked for and the addresses.
    pub(crate) chain: Vec<String>,
    /// There and back, in microseconds.
    pub(crate) trip: u64,
    /// Hops left in what comes from it.
    pub(crate) hops: u8,
    /// Who issued its certificate, and for whom.
    pub(crate) issuer: &'static str,
}

/// The host of a name; a name that is not in the table gets an address made from its letters.
pub(crate) fn host(name: &str) -> Host {
    let row = HOSTS.iter().find(|row| row.0 == name);
    let made = format!(
        "23.{}.{}.{}",
        48 + letters(name) % 16,
        letters(name) / 7 % 250,
        1 + letters(name) / 31 % 250
    );
    let (addresses, six, chain, trip, hops) =
        row.map_or((made.as_str(), "", "", 21, 56), |row| (row.1, row.2, row.3, row.4, row.5));
    let list = |text: &str| text.split_whitespace().map(|one| one.parse().unwrap()).collect();
    Host {
        addresses: list(addresses),
        six: list(six),
        chain: chain.split_whitespace().map(str::to_owned).collect(),
        trip: trip * 1000 + u64::from(letters(name) % 900),
        hops,
        issuer: issuer(name),
    }
}

fn letters(name: &str) -> u32 {
    name.bytes().fold(2_166_136_261, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
        >> 8
}

fn issuer(name: &str) -> &'static str {
    let ends = |end: &str| name.ends_with(end);
    if ends("microsoftonline.com") || ends("live.com") || ends("digicert.com") {
        DIGICERT
    } else if ends(".microsoft.com")
        || ends("auth.net")
        || ends("office.com")
        || ends("windows.net")
        || ends("windowsazure.com")
        || ends("msauthimages.net")
    {
        MICROSOFT
    } else {
        OTHER
    }
}

/// Issuer of the certificates of the sign-in hosts.
pub(crate) const DIGICERT: &str =
    "C=US, O=DigiCert Inc, CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1";
const MICROSOFT: &str = "C=US, O=Microsoft Corporation, CN=Microsoft TLS G2 RSA CA OCSP 04";
const OTHER: &str = "C=US, O=Let's Encrypt, CN=R13";

/// Name, addresses of both families, names on the way, milliseconds there and back, hops left.
type Row = (&'static str, &'static str, &'static str, &'static str, u64, u8);

const LOGIN_CHAIN: &str =
    "login.mso.msidentity.com ak.privatelink.msidentity.com www.tm.ak.prd.aadg.trafficmanager.net";

const HOSTS: &[Row] = &[
    (
        "aadcdn.msauth.net",
        "13.107.213.51 13.107.246.51",
        "2620:1ec:bdf::51",
        "aadcdnoriginwus2.azureedge.net shed.dual-low.part-0023.t-0009.t-msedge.net",
        9,
        118,
    ),
    ("aadcdn.msauthimages.net", "152.199.21.175", "", "aadcdn.ec.azureedge.net", 11, 57),
    (
        "aadcdn.msftauth.net",
        "13.107.246.45 13.107.213.45",
        "2620:1ec:bdf::45",
        "aadcdnoriginneu.azureedge.net shed.dual-low.part-0017.t-0009.t-msedge.net",
        9,
        118,
    ),
    (
        "account.activedirectory.windowsazure.com",
        "20.190.151.68 20.190.151.132",
        "",
        "account.msidentity.com",
        28,
        108,
    ),
    (
        "browser.events.data.microsoft.com",
        "20.42.73.29",
        "",
        "browser.events.data.trafficmanager.net onedscolprdeus14.eastus.cloudapp.azure.com",
        96,
        107,
    ),
    ("chrome.cloudflare-dns.com", "162.159.61.3 172.64.41.3", "", "", 8, 58),
    ("cloudflare-dns.com", "104.16.248.249 104.16.249.249", "", "", 8, 58),
    (
        "contoso.sharepoint.com",
        "13.107.136.10",
        "",
        "20471-ipv4v6e.farm.dprodmgd102.sharepointonline.com",
        14,
        117,
    ),
    (
        "device.login.microsoftonline.com",
        "20.190.160.64 40.126.32.8",
        "",
        "login.mso.msidentity.com",
        24,
        108,
    ),
    ("dns.google", "8.8.8.8 8.8.4.4", "", "", 10, 118),
    (
        "edge.microsoft.com",
        "13.107.21.239 204.79.197.239",
        "",
        "edge-microsoft-com.dual-a-0036.a-msedge.net",
        9,
        118,
    ),
    (
        "enterpriseregistration.windows.net",
        "20.190.159.71 40.126.31.3",
        "",
        "na.privatelink.msidentity.com",
        25,
        108,
    ),
    ("gateway.zscalertwo.net", "165.225.72.38", "", "", 12, 53),
    ("login.live.com", "20.190.159.4 40.126.31.67", "", "login.msa.msidentity.com", 25, 108),
    ("login.microsoft.com", "20.190.160.20 40.126.32.72", "", LOGIN_CHAIN, 25, 108),
    (
        "login.microsoftonline.com",
        "40.126.32.74 20.190.160.17 40.126.32.140",
        "2603:1026:3000:d8::5 2603:1026:3000:d0::4",
        LOGIN_CHAIN,
        25,
        108,
    ),
    ("mysignins.microsoft.com", "13.107.6.158", "", "mysignins.trafficmanager.net", 10, 118),
    (
        "ocsp.digicert.com",
        "192.229.221.95",
        "",
        "ocsp.edge.digicert.com fp2e7a.wpc.phicdn.net",
        11,
        57,
    ),
    ("outlook.office.com", "52.98.207.210 52.98.163.18", "", "ooc-g2.tm-4.office.com", 18, 241),
    ("pagead2.googlesyndication.com", "142.250.185.66", "", "", 12, 118),
    ("proxy.corp.contoso.example", "10.20.0.80", "", "", 1, 63),
    ("sts.contoso.example", "203.0.113.24", "", "", 16, 52),
    ("teams.microsoft.com", "52.113.194.132", "", "teams.office.com", 13, 117),
    ("vpn.contoso.example", "198.51.100.17", "", "", 19, 51),
    (
        "www.msftconnecttest.com",
        "2.16.168.117",
        "",
        "ncsi-geo.trafficmanager.net www.msftncsi.com.edgesuite.net",
        8,
        57,
    ),
    (
        "www.office.com",
        "13.107.6.156",
        "2620:1ec:a92::156",
        "home-office365-com.b-0004.b-msedge.net",
        9,
        118,
    ),
];
