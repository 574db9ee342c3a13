//! What the tables know of hosts, addresses, issuers and codes, for those who set two analyses side by
//! side.
//!
//! It turns a value of a capture into its kind, so that two values of one kind count as equal. It must
//! not judge.
//!
//! Invariant: the answer depends on the value alone.

use std::net::IpAddr;

use crate::entra::{self, HostRole, hosts, vendors};
use crate::evidence::HostName;

/// What a host is for; none where no table has it.
pub fn host_role(host: &HostName) -> Option<HostRole> {
    hosts::host(host.as_str()).map(|row| row.role)
}

/// Whether pages have only their pictures from this host.
pub fn is_picture_host(host: &HostName) -> bool {
    hosts::is_image_cdn(host.as_str())
}

/// Hosts that can stand in for this one.
pub fn stand_ins(host: &HostName) -> &'static [&'static str] {
    hosts::alternatives(host.as_str())
}

/// Whether a code is a question of the service on its way, and not a refusal.
pub fn is_question(code: u32) -> bool {
    entra::error(code).is_some_and(entra::ErrorRow::is_step)
}

/// Whether a word is the id of an MFA method.
pub fn is_method(word: &str) -> bool {
    entra::method(word).is_some()
}

/// Whether a word is the id of a page of the sign-in.
pub fn is_page(word: &str) -> bool {
    entra::page(word).is_some()
}

/// The kind of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The computer itself, none, or that of a filter's page: no service can be there.
    Sink,
    /// Of a network without names of its own: private, link-local or shared by a carrier.
    Private,
    /// Public.
    Public,
}

impl Address {
    /// Its name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Private => "a private address",
            Self::Public => "a public address",
            Self::Sink => "an address where no service can be",
        }
    }
}

/// The kind of an address.
pub fn address(address: IpAddr) -> Address {
    let address = address.to_canonical();
    if vendors::is_sink(address) {
        return Address::Sink;
    }
    let private = match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 6598: addresses that a carrier shares out.
            let shared = first == 100 && second & 0xc0 == 64;
            address.is_private() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    };
    if private { Address::Private } else { Address::Public }
}

/// Who issued a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Issuer {
    /// One that hosts of the sign-in are known to have.
    Expected,
    /// The root of a capture tool.
    CaptureTool,
    /// A product, by its name.
    Product(&'static str),
    /// Another one.
    Other,
}

/// Who issued a certificate, by the name of the issuer.
pub fn issuer(name: &str) -> Issuer {
    if vendors::is_expected_issuer(name) {
        return Issuer::Expected;
    }
    match vendors::issuer(name) {
        Some(vendor) if vendor.is_capture_tool() => Issuer::CaptureTool,
        Some(vendor) if vendor.is_microsoft() => Issuer::Expected,
        Some(vendor) if vendor.is_usable() => Issuer::Product(vendor.name),
        Some(_) | None => Issuer::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_kinds() {
        let kind = |text: &str| address(text.parse().unwrap());
        assert_eq!(kind("127.0.0.1"), Address::Sink);
        assert_eq!(kind("0.0.0.0"), Address::Sink);
        assert_eq!(kind("100.64.1.1"), Address::Private);
        assert_eq!(kind("fd00::1"), Address::Private);
        assert_eq!(kind("20.190.128.1"), Address::Public);
        assert_eq!(kind("::ffff:10.1.1.1"), Address::Private);
    }

    #[test]
    fn issuers_have_kinds() {
        let all = "CN=DigiCert SHA2 Secure Server CA, O=DigiCert Inc, C=US";
        assert_eq!(issuer(all), Issuer::Expected);
        assert_eq!(issuer("CN=DO_NOT_TRUST_FiddlerRoot"), Issuer::CaptureTool);
        assert_eq!(issuer("CN=Zscaler Root CA, O=Zscaler Inc."), Issuer::Product("Zscaler"));
        assert_eq!(issuer("CN=Contoso Gateway"), Issuer::Other);
    }
}
