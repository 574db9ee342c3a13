//! Frames built by hand, one for each link type and tunnel.
#![expect(clippy::arithmetic_side_effects, reason = "test support")]

use std::net::IpAddr;
use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::proto::segment::TcpFlags;
use crate::time::Timestamp;

/// What the tests look at of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    source: IpAddr,
    destination: IpAddr,
    missing: u32,
    was_fragmented: bool,
    encapsulation: Encapsulation,
    layer: String,
    ports: Option<(u16, u16)>,
    payload: Vec<u8>,
    payload_length: u32,
    icmp: Option<crate::proto::segment::IcmpError>,
}

fn mark(milliseconds: i64) -> Mark {
    Mark { frame: NonZeroU64::MIN, at: Timestamp::from_milliseconds(milliseconds).unwrap() }
}

fn frame_at(
    layers: &mut Layers,
    link: u32,
    data: &[u8],
    original: usize,
    at: i64,
) -> (Seen, Vec<Told>) {
    let mut told = Vec::new();
    let original = u32::try_from(original).unwrap();
    let seen = layers.frame(link, data, original, mark(at), &mut |segment| {
        assert_eq!(segment.is_cut, segment.missing > 0);
        let (ports, payload, payload_length) = match &segment.layer {
            Transport::Tcp { source_port, destination_port, payload, payload_length, .. }
            | Transport::Udp { source_port, destination_port, payload, payload_length } => {
                (Some((*source_port, *destination_port)), payload.to_vec(), *payload_length)
            }
            _ => (None, Vec::new(), 0),
        };
        let icmp = if let Transport::Icmp(error) = segment.layer { Some(error) } else { None };
        told.push(Told {
            source: segment.source,
            destination: segment.destination,
            missing: segment.missing,
            was_fragmented: segment.was_fragmented,
            encapsulation: segment.encapsulation,
            layer: format!("{:?}", segment.layer).split([' ', '(']).next().unwrap().to_owned(),
            ports,
            payload,
            payload_length,
            icmp,
        });
    });
    (seen, told)
}

fn frame(link: u32, data: &[u8]) -> (Seen, Vec<Told>) {
    frame_at(&mut Layers::new(), link, data, data.len(), 0)
}

/// The one segment of a frame.
fn one(link: u32, data: &[u8]) -> Told {
    let (seen, told) = frame(link, data);
    assert_eq!((seen, told.len()), (Seen::Ip, 1), "{told:?}");
    told.into_iter().next().unwrap()
}

fn be(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_be_bytes()
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn tcp_with(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    join(&[
        &[0xc0, 0x01, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, words << 4, 0x18, 1, 0, 0, 0, 0, 0],
        options,
        payload,
    ])
}

fn tcp(payload: &[u8]) -> Vec<u8> {
    tcp_with(&[], payload)
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    join(&[
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
        &be(payload.len() + 8),
        &[0, 0],
        payload,
    ])
}

fn ip4_fragment(protocol: u8, id: u16, place: u16, payload: &[u8]) -> Vec<u8> {
    join(&[
        &[0x45, 0],
        &be(payload.len() + 20),
        &id.to_be_bytes(),
        &place.to_be_bytes(),
        &[64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        payload,
    ])
}

fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip4_fragment(protocol, 1, 0x4000, payload)
}

fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut source = [0; 16];
    source[0] = 0x20;
    join(&[&[0x60, 0, 0, 0], &be(payload.len()), &[next, 64], &source, &[0xfd; 16], payload])
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2; 12], &kind.to_be_bytes(), payload])
}

/// A packet that every link and tunnel is to carry.
fn inner() -> Vec<u8> {
    ip4(6, &tcp(b"hello"))
}

const SNAP: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0];

/// A data frame of 802.11 without its body.
fn wlan(subtype: u8, flags: u8) -> Vec<u8> {
    let mut head = vec![0; 24];
    head[0] = 0x08 | subtype << 4;
    head[1] = flags;
    if flags & 3 == 3 {
        head.extend([0; 6]);
    }
    if subtype & 8 != 0 {
        head.extend([0; 2]);
    }
    head
}

#[test]
fn every_link_type_leads_to_the_packet() {
    let packet = inner();
    let wlan = join(&[&wlan(8, 2), SNAP, &[8, 0], &packet]);
    let mut padded = wlan.clone();
    padded.splice(26..26, [0, 0]);
    let le = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let cases: Vec<(&str, u32, Vec<u8>)> = vec![
        ("null, little", 0, join(&[&[2, 0, 0, 0], &packet])),
        ("null, big", 0, join(&[&[0, 0, 0, 2], &packet])),
        ("null, ether type", 0, join(&[&[15, 0, 8, 0], &packet])),
        ("ethernet", 1, ethernet(0x0800, &packet)),
        ("802.3", 1, ethernet(0x0035, &join(&[SNAP, &[8, 0], &packet]))),
        ("802.1H", 1, ethernet(0x0035, &join(&[&[0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0], &packet]))),
        ("LLC", 1, ethernet(0x0030, &join(&[&[6, 6, 3], &packet]))),
        ("PPP", 9, join(&[&[0xff, 3, 0, 0x21], &packet])),
        ("PPP, short", 9, join(&[&[0x21], &packet])),
        ("raw of BSD", 12, packet.clone()),
        ("raw of OpenBSD", 14, packet.clone()),
        ("PPP in HDLC", 50, join(&[&[0xff, 3, 0, 0x21], &packet])),
        ("Cisco in PPP's link type", 50, join(&[&[0x0f, 0, 8, 0], &packet])),
        ("PPPoE", 51, join(&[&[0x11, 0, 0, 1, 0, 0x2f, 0, 0x21], &packet])),
        ("raw", 101, packet.clone()),
        ("HDLC of Cisco", 104, join(&[&[0x0f, 0, 8, 0], &packet])),
        ("802.11", 105, wlan.clone()),
        ("loop", 108, join(&[&[0, 0, 0, 2], &packet])),
        ("enc", 109, join(&[&[2, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0], &packet])),
        ("SLL", 113, join(&[&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0], &packet])),
        ("pflog", 117, join(&[&[61], &[0; 63], &packet])),
        ("Prism", 119, join(&[&[0x44, 0, 0, 0], &le(144), &[0; 136], &wlan])),
        ("AVS as Prism", 119, join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &wlan])),
        ("radiotap", 127, join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &wlan])),
        (
            "radiotap, padded",
            127,
            join(&[
                &[0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0],
                &[0; 8],
                &[0x20],
                &padded,
            ]),
        ),
        ("AVS", 163, join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &wlan])),
        ("pppd", 166, join(&[&[1, 3, 0, 0x21], &packet])),
        ("PPI", 192, join(&[&[0, 0, 8, 0], &le(105), &wlan])),
        ("PPI, Ethernet", 192, join(&[&[0, 0, 8, 0], &le(1), &ethernet(0x0800, &packet)])),
        ("PPP with direction", 204, join(&[&[0, 0xff, 3, 0, 0x21], &packet])),
        ("raw IPv4", 228, packet.clone()),
        (
            "NFLOG",
            239,
            join(&[
                &[2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 0, 0, 0, 0, 49, 0, 9, 0],
                &packet,
            ]),
        ),
        ("NFLOG, big", 239, join(&[&[2, 0, 0, 0, 0, 49, 0, 9], &packet])),
        ("pktap", 258, join(&[&le(108), &le(1), &le(1), &[0; 96], &ethernet(0x0800, &packet)])),
        ("SLL2", 276, join(&[&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1], &[0; 10], &packet])),
    ];
    for (name, link, data) in cases {
        let told = one(link, &data);
        assert_eq!(told.ports, Some((0xc001, 443)), "{name}");
        assert_eq!(told.payload, b"hello", "{name}");
        assert_eq!(told.encapsulation, Encapsulation::default(), "{name}");
    }
    let told = one(229, &ip6(6, &tcp(b"six")));
    assert_eq!((told.payload.as_slice(), told.source.is_ipv6()), (b"six".as_slice(), true));
}

#[test]
fn layers_between_ethernet_and_the_packet() {
    let packet = inner();
    let cases: Vec<(&str, Vec<u8>, Option<u16>)> = vec![
        ("VLAN", ethernet(0x8100, &join(&[&[0x20, 5, 8, 0], &packet])), Some(5)),
        ("QinQ", ethernet(0x88a8, &join(&[&[0, 7, 0x81, 0, 0, 5, 8, 0], &packet])), Some(7)),
        (
            "VLAN with 802.3",
            ethernet(0x8100, &join(&[&[0, 5, 0, 0x35], SNAP, &[8, 0], &packet])),
            Some(5),
        ),
        ("MPLS", ethernet(0x8847, &join(&[&[0, 1, 0, 64, 0, 2, 1, 64], &packet])), None),
        (
            "pseudowire",
            ethernet(0x8847, &join(&[&[0, 2, 1, 64, 0, 0, 0, 0], &ethernet(0x0800, &packet)])),
            None,
        ),
        ("PPPoE", ethernet(0x8864, &join(&[&[0x11, 0, 0, 1, 0, 0x2f, 0, 0x21], &packet])), None),
        ("VN-tag", ethernet(0x8926, &join(&[&[0, 0, 0, 0, 8, 0], &packet])), None),
        ("security group", ethernet(0x8909, &join(&[&[1, 1, 0, 1, 0, 9, 8, 0], &packet])), None),
        (
            "provider backbone",
            ethernet(0x88e7, &join(&[&[0, 0, 0, 1], &ethernet(0x0800, &packet)])),
            None,
        ),
    ];
    for (name, data, vlan) in cases {
        let told = one(1, &data);
        assert_eq!(
            (told.payload.as_slice(), told.encapsulation.vlan),
            (&b"hello"[..], vlan),
            "{name}"
        );
    }
}

#[test]
fn tunnels_of_ip() {
    let packet = inner();
    let bridged = ethernet(0x0800, &packet);
    let cases: Vec<(Tunnel, u8, Vec<u8>)> = vec![
        (Tunnel::IpInIp, 4, packet.clone()),
        (Tunnel::SixIn, 41, ip6(6, &tcp(b"hello"))),
        (Tunnel::Gre, 47, join(&[&[0, 0, 8, 0], &packet])),
        // A checksum, a key and a sequence number.
        (Tunnel::Gre, 47, join(&[&[0xb0, 0, 8, 0], &[0; 12], &packet])),
        (Tunnel::Gre, 47, join(&[&[0, 0, 0x65, 0x58], &bridged])),
        // PPTP with a sequence number and an acknowledgment.
        (
            Tunnel::Gre,
            47,
            join(&[&[0x30, 0x81, 0x88, 0x0b], &[0; 12], &[0xff, 3, 0, 0x21], &packet]),
        ),
        (Tunnel::Gre, 47, join(&[&[0, 0, 0x88, 0xbe], &bridged])),
        (Tunnel::Gre, 47, join(&[&[0x10, 0, 0x88, 0xbe], &[0; 12], &bridged])),
        (Tunnel::Gre, 47, join(&[&[0x10, 0, 0x22, 0xeb], &[0; 16], &bridged])),
        (Tunnel::Gre, 47, join(&[&[0x10, 0, 0x22, 0xeb], &[0; 15], &[1], &[0; 8], &bridged])),
        (Tunnel::Gre, 47, join(&[&[0, 0, 0x88, 0x3e], &packet])),
        (Tunnel::Gre, 47, join(&[&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &packet])),
        (Tunnel::EtherIp, 97, join(&[&[0x30, 0], &bridged])),
        (Tunnel::Mpls, 137, join(&[&[0, 2, 1, 64], &packet])),
    ];
    for (tunnel, protocol, data) in cases {
        let told = one(101, &ip4(protocol, &data));
        assert_eq!(told.payload, b"hello", "{tunnel:?} {data:?}");
        let Encapsulation { tunnel: found, depth, .. } = told.encapsulation;
        assert_eq!((found, depth), (Some(tunnel), 1));
    }
    // IPv4 in IPv6, a tunnel that holds nothing to be read, and ARP in one.
    assert_eq!(one(229, &ip6(4, &packet)).payload, b"hello");
    assert_eq!(one(101, &ip4(47, &[0, 0, 0, 0])).layer, "Other");
    assert_eq!(frame(101, &ip4(47, &[0, 0, 8, 6])).0, Seen::Arp);
    assert_eq!(one(101, &ip4(50, &[0; 40])).layer, "Other");
}

#[test]
fn tunnels_of_udp_are_told_with_their_datagram() {
    let packet = inner();
    let bridged = ethernet(0x0800, &packet);
    let six = ip6(6, &tcp(b"hello"));
    let cases: Vec<(Tunnel, u16, Vec<u8>)> = vec![
        (Tunnel::Vxlan, 4789, join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &bridged])),
        (Tunnel::Geneve, 6081, join(&[&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0], &bridged])),
        (Tunnel::Mpls, 6635, join(&[&[0, 2, 1, 64], &packet])),
        (Tunnel::L2tp, 1701, join(&[&[0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21], &packet])),
        (
            Tunnel::L2tp,
            1701,
            join(&[&[0x4a, 2, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0x21], &packet]),
        ),
        (Tunnel::Teredo, 3544, six.clone()),
        (Tunnel::Teredo, 3544, join(&[&[0, 0, 1, 2, 3, 4, 5, 6], &six])),
        (Tunnel::Teredo, 3544, join(&[&[0, 1, 0, 0], &[0; 9], &[0, 0, 1, 2, 3, 4, 5, 6], &six])),
    ];
    for (tunnel, port, data) in cases {
        let (seen, told) = frame(101, &ip4(17, &udp(5000, port, &data)));
        assert_eq!((seen, told.len()), (Seen::Ip, 2), "{tunnel:?} {data:?}");
        assert_eq!(told[0].ports, Some((5000, port)));
        assert_eq!(told[0].encapsulation.tunnel, None);
        assert_eq!(
            (told[1].payload.as_slice(), told[1].encapsulation.tunnel),
            (&b"hello"[..], Some(tunnel))
        );
    }
    let (_, told) = frame(101, &ip4(17, &udp(5000, 3544, b"no packet")));
    assert_eq!(told.len(), 1);
}

#[test]
fn nesting_ends() {
    let mut packet = inner();
    for _ in 0..limits::TUNNELS {
        packet = ip4(4, &packet);
    }
    assert_eq!(one(101, &packet).encapsulation.depth, limits::TUNNELS);
    let told = one(101, &ip4(4, &packet));
    assert_eq!((told.layer.as_str(), told.encapsulation.depth), ("Other", limits::TUNNELS));
    // Layers of the link that hold each other, and a frame of nothing but VLANs.
    let mut bytes = inner();
    for _ in 0..20 {
        bytes = ethernet(0x8847, &join(&[&[0, 2, 1, 64, 0, 0, 0, 0], &bytes]));
    }
    assert_eq!(frame(1, &bytes).0, Seen::Malformed);
    assert_eq!(frame(1, &ethernet(0x8100, &[0x81, 0].repeat(5000))).0, Seen::Malformed);
    let ppi = [0, 0, 8, 0, 192, 0, 0, 0].repeat(1000);
    assert_eq!(frame(192, &ppi).0, Seen::Malformed);
}

#[test]
fn what_is_no_packet_is_told_apart() {
    let seen = |link, data: &[u8]| {
        let (seen, told) = frame(link, data);
        assert!(told.is_empty());
        seen
    };
    assert_eq!(seen(1, &ethernet(0x0806, &[0; 28])), Seen::Arp);
    assert_eq!(seen(1, &ethernet(0x88cc, &[0; 28])), Seen::Other(0x88cc));
    assert_eq!(seen(1, &ethernet(0x0026, &[0x42; 38])), Seen::Control);
    assert_eq!(seen(1, &[0; 13]), Seen::Malformed);
    assert_eq!(seen(1, &ethernet(0x0800, &[])), Seen::Malformed);
    assert_eq!(seen(1, &ethernet(0x0800, &[0; 40])), Seen::Malformed);
    assert_eq!(seen(9, &[0xc0, 0x21, 1]), Seen::Control);
    assert_eq!(seen(105, &[0x80; 40]), Seen::Control);
    assert_eq!(seen(113, &[0, 0, 3, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]), Seen::Control);
    assert_eq!(seen(147, &[0; 40]), Seen::Undecoded);
    assert_eq!(seen(101, &ip4(6, &[0; 10])), Seen::Malformed);
}

#[test]
fn a_protected_frame_is_read_when_it_was_decrypted() {
    let packet = inner();
    for (subtype, flags) in [(0, 0x41), (8, 0x42), (8, 0x43)] {
        let head = wlan(subtype, flags);
        assert_eq!(one(105, &join(&[&head, SNAP, &[8, 0], &packet])).payload, b"hello");
        let with_counter = join(&[&head, &[9; 8], SNAP, &[8, 0], &packet]);
        assert_eq!(one(105, &with_counter).payload, b"hello");
        assert_eq!(frame(105, &join(&[&head, &[9; 80]])).0, Seen::Control);
    }
    // With a control field for high throughput; and a later part of a frame.
    let mut head = join(&[&wlan(8, 0x82), &[0; 4]]);
    assert_eq!(one(105, &join(&[&head, SNAP, &[8, 0], &packet])).payload, b"hello");
    head[22] = 1;
    assert_eq!(frame(105, &join(&[&head, SNAP, &[8, 0], &packet])).0, Seen::Control);
    // No data, although it is a data frame.
    assert_eq!(frame(105, &join(&[&wlan(4, 1), SNAP, &[8, 0], &packet])).0, Seen::Control);
}

#[test]
fn padding_is_no_payload() {
    let told = one(1, &ethernet(0x0800, &join(&[&ip4(6, &tcp(b"")), &[0x55; 6]])));
    assert_eq!((told.payload.len(), told.payload_length, told.missing), (0, 0, 0));
    let told = one(1, &ethernet(0x86dd, &join(&[&ip6(17, &udp(1, 2, b"x")), &[0x55; 6]])));
    assert_eq!((told.payload.as_slice(), told.payload_length), (&b"x"[..], 1));
}

#[test]
fn a_cut_segment_knows_its_length() {
    let data = ethernet(0x0800, &ip4(6, &tcp(&[7; 1000])));
    let (_, told) = frame_at(&mut Layers::new(), 1, &data[..100], data.len(), 0);
    assert_eq!((told[0].payload.len(), told[0].payload_length, told[0].missing), (46, 1000, 954));
    // Cut within the options, and within the header.
    let data = ip4(6, &tcp_with(&[2, 4, 5, 0xb4, 1, 1, 1, 1], &[7; 10]));
    let (_, told) = frame_at(&mut Layers::new(), 101, &data[..44], data.len(), 0);
    assert_eq!((told[0].payload.len(), told[0].payload_length, told[0].missing), (0, 10, 14));
    let (seen, _) = frame_at(&mut Layers::new(), 101, &data[..39], data.len(), 0);
    assert_eq!(seen, Seen::Malformed);
    // A header that claims more than its packet has.
    let mut data = ip4(6, &tcp(b""));
    data[32] = 0xf0;
    assert_eq!(frame(101, &data).0, Seen::Malformed);
}

#[test]
fn lengths_that_say_nothing_leave_it_to_the_capture() {
    for length in [0, 19] {
        let mut data = ethernet(0x0800, &ip4(6, &tcp(&[7; 100])));
        data[16..18].copy_from_slice(&be(length));
        let (_, told) = frame_at(&mut Layers::new(), 1, &data[..94], data.len(), 0);
        assert_eq!((told[0].payload.len(), told[0].payload_length), (40, 100));
    }
    let mut data = ip6(6, &tcp(&[7; 100]));
    data[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(one(101, &data).payload_length, 100);
    // A jumbogram.
    let payload = tcp(&vec![7; 70_000]);
    let length = u32::try_from(payload.len() + 8).unwrap().to_be_bytes();
    let mut data = ip6(0, &[]);
    data.extend(join(&[&[6, 0, 0xc2, 4], &length, &payload, &[0; 3]]));
    assert_eq!(one(101, &data).payload.len(), 70_000);
    data[44..48].copy_from_slice(&[0xff; 4]);
    assert_eq!(one(101, &data).payload_length, 70_003);
    // UDP without a length, and with one beyond its packet.
    for length in [0, 7, 500] {
        let mut data = ip4(17, &udp(1, 2, b"four"));
        data[24..26].copy_from_slice(&be(length));
        assert_eq!(one(101, &data).payload, b"four");
    }
}

#[test]
fn extension_headers_are_passed_over() {
    let end = tcp(b"far");
    let chain = join(&[
        &[43, 0, 0, 0, 0, 0, 0, 0],
        &[60, 0, 0, 0, 0, 0, 0, 0],
        &[51, 0, 0, 0, 0, 0, 0, 0],
        &[44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // A fragment header of a packet that is whole.
        &[6, 0, 0, 0, 0, 0, 0, 1],
        &end,
    ]);
    let told = one(101, &ip6(0, &chain));
    assert_eq!((told.payload.as_slice(), told.was_fragmented), (&b"far"[..], false));
    let told = one(101, &ip4(51, &join(&[&[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &end])));
    assert_eq!(told.payload, b"far");
    assert_eq!(one(101, &ip6(59, &[])).layer, "Other");
}

#[test]
fn errors_quote_packets() {
    let quoted = ip4(6, &tcp(b""));
    let icmp = |kind, code, quote: &[u8]| join(&[&[kind, code, 0, 0, 0, 0, 5, 0xdc], quote]);
    let error = one(101, &ip4(1, &icmp(3, 4, &quoted))).icmp.unwrap();
    assert_eq!((error.kind, error.code, error.mtu, error.is_v6), (3, 4, Some(1500), false));
    assert_eq!((error.quoted.ports, error.quoted.sequence), (Some((0xc001, 443)), Some(7)));
    assert_eq!((error.quoted.protocol, error.quoted_tcp_header), (6, true));
    assert_eq!(error.from, IpAddr::from([10, 0, 0, 1]));
    // Eight bytes, which is all that routers must quote.
    let error = one(101, &ip4(1, &icmp(11, 0, &quoted[..28]))).icmp.unwrap();
    assert_eq!((error.quoted.ports, error.quoted.sequence), (Some((0xc001, 443)), Some(7)));
    assert_eq!((error.mtu, error.quoted_tcp_header), (None, false));
    let told = one(101, &ip4(1, &icmp(3, 3, &ip4(17, &udp(53, 54, b"x")))));
    let quoted_udp = told.icmp.unwrap().quoted;
    assert_eq!((quoted_udp.ports, quoted_udp.sequence), (Some((53, 54)), None));
    // A later fragment has no ports.
    let error = one(101, &ip4(1, &icmp(3, 1, &ip4_fragment(6, 1, 5, &tcp(b""))))).icmp.unwrap();
    assert_eq!((error.quoted.ports, error.quoted.sequence), (None, None));
    // Of version 6, behind options.
    let quote = ip6(0, &join(&[&[6, 0, 0, 0, 0, 0, 0, 0], &tcp(b"")]));
    let error = one(101, &ip6(58, &icmp(2, 0, &quote))).icmp.unwrap();
    assert_eq!(
        (error.is_v6, error.mtu, error.quoted.ports),
        (true, Some(1500), Some((0xc001, 443)))
    );
    // No errors: an echo, an error without a packet, ICMP in the wrong version.
    assert_eq!(one(101, &ip4(1, &icmp(8, 0, &quoted))).layer, "Other");
    assert_eq!(one(101, &ip4(1, &icmp(3, 0, &[]))).layer, "Other");
    assert_eq!(one(101, &ip4(58, &icmp(1, 0, &quoted))).layer, "Other");
}

/// Fragments of a datagram, as packets of IPv4, in order; all but the last of `size` bytes.
fn fragments4(payload: &[u8], size: usize, id: u16) -> Vec<Vec<u8>> {
    let last = payload.len().div_ceil(size) - 1;
    let piece = |(at, bytes): (usize, &[u8])| {
        let more = if at < last { 0x2000 } else { 0 };
        ip4_fragment(17, id, u16::try_from(at * size / 8).unwrap() | more, bytes)
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

fn fragments6(payload: &[u8], size: usize, id: u32) -> Vec<Vec<u8>> {
    let last = payload.len().div_ceil(size) - 1;
    let piece = |(at, bytes): (usize, &[u8])| {
        let place = be((at * size) | usize::from(at < last));
        ip6(44, &join(&[&[17, 0], &place, &id.to_be_bytes(), bytes]))
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

/// What comes of packets that arrive one after the other.
fn all(packets: &[Vec<u8>]) -> Vec<Told> {
    let mut layers = Layers::new();
    packets.iter().flat_map(|data| frame_at(&mut layers, 101, data, data.len(), 0).1).collect()
}

#[test]
fn fragments_make_a_datagram() {
    let payload: Vec<u8> = (0_u8..200).collect();
    let datagram = udp(1, 2, &payload);
    for mut packets in [fragments4(&datagram, 48, 9), fragments6(&datagram, 48, 9)] {
        for _ in 0..2 {
            let told = all(&packets);
            assert_eq!(told.len(), 1);
            assert_eq!((told[0].payload.as_slice(), told[0].was_fragmented), (&payload[..], true));
            packets.reverse();
        }
        let without_one = [&packets[..2], &packets[3..]].concat();
        assert!(all(&without_one).is_empty());
        // Each of them twice.
        let twice: Vec<_> = packets.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        assert_eq!(all(&twice).len(), 1);
    }
}

#[test]
fn datagrams_are_kept_apart() {
    let one = fragments4(&udp(1, 2, &[1; 80]), 48, 1);
    let two = fragments4(&udp(1, 2, &[2; 80]), 48, 2);
    let told = all(&[one[0].clone(), two[0].clone(), two[1].clone(), one[1].clone()]);
    assert_eq!(told[0].payload, [2; 80]);
    assert_eq!(told[1].payload, [1; 80]);
}

#[test]
fn where_fragments_overlap_the_first_copy_wins() {
    let head = udp(1, 2, &[]);
    let mut head = ip4_fragment(17, 1, 0x2000, &head);
    head[24..26].copy_from_slice(&be(40));
    let middle = ip4_fragment(17, 1, 0x2000 | 2, &[2; 8]);
    let over = ip4_fragment(17, 1, 0x2000 | 1, &[3; 24]);
    let end = ip4_fragment(17, 1, 3, &[4; 16]);
    let want = [&[3; 8][..], &[2; 8], &[3; 8], &[4; 8]].concat();
    assert_eq!(all(&[head, middle, over, end])[0].payload, want);
}

#[test]
fn fragments_do_not_wait_for_ever() {
    let packets = fragments4(&udp(1, 2, &[1; 80]), 48, 1);
    let mut layers = Layers::new();
    let mut take = |data: &[u8], at| frame_at(&mut layers, 101, data, data.len(), at).1.len();
    assert_eq!(take(&packets[0], 0), 0);
    assert_eq!(take(&packets[1], 29_000), 1);
    assert_eq!(take(&packets[0], 29_000), 0);
    assert_eq!(take(&packets[1], 60_000), 0);
    assert_eq!(layers.unfinished(), 2);
}

#[test]
fn no_more_datagrams_are_held_than_the_bound() {
    let mut layers = Layers::new();
    for id in 0..200 {
        let packets = fragments4(&udp(1, 2, &[1; 80]), 48, id);
        assert_eq!(frame_at(&mut layers, 101, &packets[0], 68, 0).0, Seen::Fragment);
    }
    assert_eq!(layers.fragments.pending(), limits::DATAGRAMS);
    assert_eq!(layers.unfinished(), 200);
    // A datagram of more fragments than are taken.
    for _ in 0..3 * limits::FRAGMENTS {
        let packet = ip4_fragment(17, 999, 0x2000 | 1, &[0; 8]);
        frame_at(&mut layers, 101, &packet, packet.len(), 0);
    }
    assert!(layers.unfinished() >= 202);
    // Beyond the end of every datagram, and without any bytes.
    assert_eq!(frame(101, &ip4_fragment(17, 1, 0x1fff, &[0; 16])).0, Seen::Malformed);
    assert_eq!(frame(101, &ip4_fragment(17, 1, 0x2000, &[])).0, Seen::Malformed);
}

#[test]
fn of_cut_fragments_the_beginning_is_told() {
    let packets = fragments4(&udp(1, 2, &[1; 80]), 48, 1);
    let mut layers = Layers::new();
    let (seen, told) = frame_at(&mut layers, 101, &packets[0][..40], packets[0].len(), 0);
    assert_eq!(seen, Seen::Ip);
    assert_eq!((told[0].payload.len(), told[0].payload_length), (12, 80));
    assert!(told[0].was_fragmented && told[0].missing > 0);
    let (seen, _) = frame_at(&mut layers, 101, &packets[1][..30], packets[1].len(), 0);
    assert_eq!(seen, Seen::Fragment);
}

#[test]
fn a_fragment_may_hold_a_tunnel_and_a_tunnel_fragments() {
    let inside = fragments4(&udp(1, 2, &[1; 80]), 48, 1);
    let told = all(&[ip4(4, &inside[1]), ip4(4, &inside[0])]);
    assert_eq!((told[0].payload_length, told[0].encapsulation.depth), (80, 1));
    let whole = ip4(17, &udp(1, 2, &[1; 80]));
    let mut outside = fragments4(&whole, 48, 1);
    for packet in &mut outside {
        packet[9] = 4;
    }
    assert_eq!(all(&outside)[0].payload, [1; 80]);
}

#[test]
fn a_segment_is_as_its_header_says() {
    let data = ethernet(0x0800, &ip4(6, &tcp_with(&[1, 1, 1, 1], b"hi")));
    let mut count = 0;
    Layers::new().frame(1, &data, 60, mark(0), &mut |segment| {
        count += 1;
        assert_eq!((segment.ttl, segment.ip_id), (64, Some(1)));
        assert_eq!(
            segment.layer,
            Transport::Tcp {
                source_port: 0xc001,
                destination_port: 443,
                sequence: 7,
                acknowledgement: 9,
                flags: TcpFlags(TcpFlags::PSH | TcpFlags::ACK),
                window: 256,
                options: &[1, 1, 1, 1],
                payload: b"hi",
                payload_length: 2,
            }
        );
        assert!(!format!("{segment:?}").contains("104"), "payload is not shown");
    });
    assert_eq!(count, 1);
    let flags = TcpFlags(TcpFlags::SYN | TcpFlags::ACK);
    assert!(flags.is_syn() && flags.is_ack() && !flags.is_fin() && !flags.is_rst());
}

/// Frames in the form that [`fuzz_layers`] takes.
fn fuzzed(link: usize, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(link).unwrap()];
    for frame in frames {
        bytes.extend(be(frame.len()));
        bytes.extend(frame);
    }
    bytes
}

proptest! {
    #[test]
    fn any_bytes(
        link in 0..FUZZED.len(),
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..4),
    ) {
        fuzz_layers(&fuzzed(link, &frames));
    }

    /// Real headers, a few bytes of which are others, cut anywhere.
    #[test]
    fn any_damage(
        chosen in 0_usize..6,
        flips in proptest::collection::vec((0_usize..120, any::<u8>()), 0..4),
        cut in 0_usize..200,
    ) {
        let packet = ip6(44, &join(&[&[60, 0, 0, 1, 0, 0, 0, 1], &tcp(b"hello")]));
        let gre = ip4(47, &join(&[&[0x10, 0, 0x88, 0xbe], &[0; 12], &ethernet(0x86dd, &packet)]));
        let vxlan =
            ip4(17, &udp(1, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &gre)])));
        let mut data = match chosen {
            0 => packet,
            1 => gre,
            2 => vxlan,
            3 => ip4(1, &join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &packet])),
            4 => ip4_fragment(17, 1, 0x2001, &[0; 64]),
            _ => ip4(6, &tcp_with(&[2, 4, 5, 0xb4], b"hello")),
        };
        for (at, value) in flips {
            if let Some(byte) = data.get_mut(at) {
                *byte = value;
            }
        }
        data.truncate(cut);
        let raw = FUZZED.iter().position(|link| *link == 101).unwrap();
        fuzz_layers(&fuzzed(raw, &[data.clone(), data]));
    }

    #[test]
    fn fragments_in_any_order(
        (payload, order, repeated) in (1_usize..3000).prop_flat_map(|length| {
            let count = (length + 8).div_ceil(64);
            (
                proptest::collection::vec(any::<u8>(), length),
                Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
                proptest::collection::vec(0..count, 0..4),
            )
        }),
        is_v6 in any::<bool>(),
    ) {
        let datagram = udp(1, 2, &payload);
        let packets =
            if is_v6 { fragments6(&datagram, 64, 5) } else { fragments4(&datagram, 64, 5) };
        // Copies come before the last one, and of the others: behind it a datagram begins anew.
        let mut order = order;
        let last = *order.last().unwrap();
        for at in repeated.into_iter().filter(|at| *at != last) {
            order.insert(order.len() - 1, at);
        }
        let arrived: Vec<_> = order.iter().map(|at| packets[*at].clone()).collect();
        let told = all(&arrived);
        prop_assert_eq!(told.len(), 1);
        prop_assert_eq!(&told[0].payload, &payload);
        prop_assert_eq!(told[0].was_fragmented, packets.len() > 1);
    }
}
