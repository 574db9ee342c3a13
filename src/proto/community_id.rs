//! Community ID, the name by which other tools find the same flow again.
//!
//! It follows version 1 of <https://github.com/corelight/community-id-spec> with seed 0, for
//! protocols with ports; messages of ICMP are not covered.
//!
//! Invariant: both directions of a flow have the same name.

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

/// The Community ID of a flow of TCP (6), UDP (17) or SCTP (132) between two ends, in any order.
pub fn community_id(protocol: u8, one: SocketAddr, other: SocketAddr) -> String {
    let (first, second) = if order(one) <= order(other) { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in [first, second] {
        match end.ip() {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
    }
    hash.update([protocol, 0]);
    hash.update(first.port().to_be_bytes());
    hash.update(second.port().to_be_bytes());
    // As long as it will be: this is done for every connection.
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    BASE64.encode_append(&hash.finalize(), &mut text);
    text
}

/// Addresses of one family are ordered as their bytes are.
fn order(end: SocketAddr) -> (IpAddr, u16) {
    (end.ip(), end.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the specification's `baseline/baseline_deflt.json`.
    const BASELINE: [(u8, &str, &str, &str); 4] = [
        (
            6,
            "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
            "[2607:f8b0:400c:c03::1a]:25",
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        (132, "192.168.170.8:7", "192.168.170.56:7", "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (6, "128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, "192.168.1.52:54585", "8.8.8.8:53", "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ];

    #[test]
    fn the_baseline_of_the_specification() {
        for (protocol, one, other, name) in BASELINE {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(community_id(protocol, one, other), name);
            assert_eq!(community_id(protocol, other, one), name);
        }
    }
}
