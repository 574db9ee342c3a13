//! The public list of hosts: what it says of a host, what to allow of it and what to leave out of
//! inspection.
//!
//! Hosts and sets are those of the host table; category and ranges of a set are those of the public
//! list in the version named here. It must not claim more of today's list.
//!
//! Invariant: only hosts that a sign-in in a browser needs are to be allowed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::network::{HostFacts, Seen, unique};
use crate::entra::hosts::{Actor, Listed as InList, Serves};
use crate::entra::{Fault, HostRole, HostRow, hosts};
#[cfg(test)]
use crate::report::forms;

/// The public list that the endpoint sets are from.
pub(super) const LIST: List = List {
    name: "Microsoft 365 endpoints, worldwide",
    version: "2022072800",
    source: "MicrosoftDocs/microsoft-365-docs, includes/office-365-worldwide-endpoints.md",
    note: "The numbers of the sets are stable; hosts and address ranges grow. Compare with the list \
           of today: https://aka.ms/o365endpoints",
};

/// The sets that bear on a sign-in: number, category, whether required, fixed address ranges.
const SETS: &[Set] = &[
    Set::new(17, "Default", true, &[]),
    Set::new(56, "Allow", true, &hosts::SIGN_IN_RANGES),
    Set::new(59, "Default", true, &[]),
    Set::new(69, "Default", true, &[]),
    Set::new(84, "Default", true, &[]),
    Set::new(89, "Default", true, &[]),
    Set::new(97, "Default", false, &[]),
    Set::new(116, "Default", false, &[]),
    Set::new(125, "Default", true, &[]),
];

/// One set of the list.
struct Set {
    number: u16,
    category: &'static str,
    required: bool,
    /// Fixed address ranges, version 4.
    ranges: &'static [&'static str],
}

impl Set {
    const fn new(
        number: u16,
        category: &'static str,
        required: bool,
        ranges: &'static [&'static str],
    ) -> Self {
        Self { number, category, required, ranges }
    }

    fn of(number: u16) -> Option<&'static Self> {
        SETS.iter().find(|set| set.number == number)
    }
}

/// The public list, with its version.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "list"))]
pub struct List {
    /// Its name.
    pub name: &'static str,
    /// The version that the host table was made from.
    pub version: &'static str,
    /// Where that version is.
    pub source: &'static str,
    /// What to know about its age.
    pub note: &'static str,
}

/// A place in the public list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "listed"))]
pub struct Listed {
    /// Number of the set.
    pub endpoint_set: u16,
    /// Its category, where the notes give it.
    pub category: Option<&'static str>,
    /// Whether the set is required.
    pub required: Option<bool>,
}

impl Listed {
    fn of(endpoint_set: u16) -> Self {
        let set = Set::of(endpoint_set);
        Self {
            endpoint_set,
            category: set.map(|set| set.category),
            required: set.map(|set| set.required),
        }
    }
}

/// What to allow of one endpoint set.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "allow"))]
pub struct Allow {
    /// The set; none for a host that is in no set.
    pub listed: Option<Listed>,
    /// Host names and patterns.
    pub hosts: Vec<String>,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Fixed address ranges of the set.
    pub address_ranges: &'static [&'static str],
}

/// A host to leave out of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "exempt"))]
pub struct Exempt {
    /// Host name or pattern.
    pub host: String,
    /// Out of what: `tls_inspection`, `proxy_authentication`.
    #[cfg_attr(test, schemars(with = "Vec<forms::ExemptFrom>"))]
    pub from: Vec<&'static str>,
    /// Why.
    pub why: &'static str,
}

/// The place of a host in the public list, which is that of the worldwide cloud.
pub(super) fn listed(row: &HostRow) -> Option<Listed> {
    let endpoint_set = row.endpoint_set.filter(|_| row.clouds.contains(&"worldwide"))?;
    Some(Listed::of(endpoint_set))
}

/// The rows of the list that a sign-in in a browser needs.
fn of_sign_in(row: &HostRow) -> bool {
    row.needed_by == Actor::Browser
        && row.listed_required == InList::Yes
        && row.is_verified()
        && !row.is_path()
        && matches!(
            row.role,
            HostRole::CrlOcsp
                | HostRole::DeviceCert
                | HostRole::MfaRegistration
                | HostRole::SigninCdn
                | HostRole::Sts
                | HostRole::StsAlias
        )
}

pub(super) fn allow(facts: &[HostFacts]) -> Vec<Allow> {
    let mut out: Vec<Allow> = Vec::new();
    // What only is inspected gets through already, and no list helps without a network.
    let facts: Vec<&HostFacts> =
        facts.iter().filter(|one| !one.is_inspected_only() && !one.is_offline_only()).collect();
    let mut sets: BTreeSet<u16> =
        facts.iter().filter_map(|one| one.listed).map(|listed| listed.endpoint_set).collect();
    let revoked = |one: &Seen| one.fault == Fault::CertRevoked.as_str();
    if facts.iter().any(|one| one.seen.iter().any(revoked)) {
        sets.extend([84, 125]);
    }
    for number in sets {
        let rows = hosts::patterns()
            .filter(|row| row.endpoint_set == Some(number) && row.clouds.contains(&"worldwide"));
        // The hosts that failed stand in front, also those that the list does not require.
        let failed = facts
            .iter()
            .filter(|one| one.listed.is_some_and(|listed| listed.endpoint_set == number))
            .map(|one| one.host.as_str().to_owned());
        let listed = rows.filter(|row| of_sign_in(row)).map(|row| row.pattern.to_owned());
        let names = unique(failed.chain(listed));
        out.push(Allow {
            listed: Some(Listed::of(number)),
            hosts: names,
            // Sign-in needs TLS alone; lists of revoked certificates come without.
            ports: if matches!(number, 84 | 125) { vec![80, 443] } else { vec![443] },
            address_ranges: Set::of(number).map_or(&[], |set| set.ranges),
        });
    }
    for one in facts.iter().filter(|one| one.listed.is_none()) {
        out.push(Allow {
            listed: None,
            hosts: vec![one.host.as_str().to_owned()],
            ports: vec![one.port],
            address_ranges: &[],
        });
    }
    out
}

/// Whether a fault can come of an inspection of TLS.
fn by_inspection(fault: &str) -> bool {
    let tls = [
        Fault::ClientCert,
        Fault::Ech,
        Fault::HandshakeCut,
        Fault::HandshakeStalled,
        Fault::TlsHandshake,
        Fault::TlsPlainText,
        Fault::TlsProtocol,
        Fault::TlsVersion,
    ];
    matches!(fault, "block_page" | "tls_inspection")
        || Fault::parse(fault).is_some_and(|fault| fault.is_certificate() || tls.contains(&fault))
}

pub(super) fn exempt(facts: &[HostFacts]) -> Vec<Exempt> {
    let mut out: Vec<Exempt> = Vec::new();
    let mut add = |host: String, from: &'static str, why: &'static str| match out
        .iter_mut()
        .find(|one| one.host == host)
    {
        Some(known) if !known.from.contains(&from) => known.from.push(from),
        Some(_) => {}
        None => out.push(Exempt { host, from: vec![from], why }),
    };
    for one in facts {
        let name = one.host.as_str();
        let seen = |test: &dyn Fn(&str) -> bool| one.seen.iter().any(|seen| test(seen.fault));
        let certificates = hosts::is_certificate_host(name);
        if seen(&|fault| matches!(fault, "proxy_authentication" | "proxy_auth")) {
            let why = "failed here because the proxy asks for a sign-in";
            add(name.to_owned(), "proxy_authentication", why);
        }
        if certificates || seen(&by_inspection) {
            let why = if certificates {
                "asks for a client certificate, which no inspection can pass on"
            } else {
                "failed here in a way that an inspection or filter causes"
            };
            add(name.to_owned(), "tls_inspection", why);
            let cloud = hosts::cloud(name).unwrap_or("worldwide");
            let asking = hosts::patterns().filter(|row| {
                row.clouds.contains(&cloud)
                    && row.is_verified()
                    && (row.role == HostRole::DeviceCert || row.serves == Some(Serves::Certificate))
            });
            for row in asking {
                let why = "asks for a client certificate, which no inspection can pass on";
                add(row.pattern.to_owned(), "tls_inspection", why);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_those_of_the_host_table() {
        for set in SETS {
            let known = hosts::patterns().any(|row| row.endpoint_set == Some(set.number));
            assert!(known || set.number == 116, "{}", set.number);
        }
        assert!(SETS.is_sorted_by_key(|set| set.number));
        assert!(hosts::patterns().any(|row| row.source.contains(LIST.version)));
        let of = |name| listed(hosts::host(name).unwrap());
        assert_eq!(of("login.microsoftonline.com").unwrap().category, Some("Allow"));
        assert_eq!(of("aadcdn.msauth.net").unwrap().required, Some(true));
        assert_eq!(of("outlook.office.com").unwrap().category, None);
        assert_eq!(of("login.microsoftonline.us"), None);
    }
}
