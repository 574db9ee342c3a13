//! Segments: what the layers below hand up, one unit of a transport at a time.
//!
//! Field names are those of RFC 9293 section 3.1 (TCP), RFC 768 (UDP), RFC 792 and RFC 4443 (ICMP). It
//! must not know how a frame came to be one, nor what a payload means.
//!
//! Invariants: a payload is what was captured; `payload_length` is what was on the wire and never
//! less; where they differ, `is_cut` is set.

use std::fmt;
use std::net::IpAddr;

/// One unit of a transport, out of one frame or of the fragments that the frame completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it, by the innermost network layer.
    pub source: IpAddr,
    /// Whom it was sent to.
    pub destination: IpAddr,
    /// The time to live, or the hop limit.
    pub ttl: u8,
    /// The identification of an IPv4 packet.
    pub ip_id: Option<u16>,
    /// Whether its end was not captured.
    pub is_cut: bool,
    /// Bytes of it that were not captured.
    pub missing: u32,
    /// Whether it came in fragments.
    pub was_fragmented: bool,
    /// What it is.
    pub layer: Transport<'a>,
    /// What it was wrapped into.
    pub encapsulation: Encapsulation,
}

/// What a segment is.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A message of ICMP or `ICMPv6` that tells an error and quotes a packet.
    Icmp(IcmpError),
    /// Anything else, by its protocol number.
    Other(u8),
    /// A segment of TCP.
    Tcp {
        /// The port of the sender.
        source_port: u16,
        /// The port of the receiver.
        destination_port: u16,
        /// The sequence number.
        sequence: u32,
        /// The acknowledgment number; it means something with [`TcpFlags::ACK`] only.
        acknowledgement: u32,
        /// The flags.
        flags: TcpFlags,
        /// The window, not scaled.
        window: u16,
        /// The options, for [`TcpOptions`](super::tcp_options::TcpOptions).
        options: &'a [u8],
        /// What was captured of the payload.
        payload: &'a [u8],
        /// Bytes of payload on the wire.
        payload_length: u32,
    },
    /// A datagram of UDP.
    Udp {
        /// The port of the sender.
        source_port: u16,
        /// The port of the receiver.
        destination_port: u16,
        /// What was captured of the payload.
        payload: &'a [u8],
        /// Bytes of payload on the wire.
        payload_length: u32,
    },
}

impl fmt::Debug for Transport<'_> {
    /// Lengths are told and no bytes of payload: one may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Icmp(error) => f.debug_tuple("Icmp").field(error).finish(),
            Self::Other(protocol) => f.debug_tuple("Other").field(protocol).finish(),
            Self::Tcp {
                source_port,
                destination_port,
                sequence,
                acknowledgement,
                flags,
                window,
                options,
                payload,
                payload_length,
            } => f
                .debug_struct("Tcp")
                .field("source_port", source_port)
                .field("destination_port", destination_port)
                .field("sequence", sequence)
                .field("acknowledgement", acknowledgement)
                .field("flags", flags)
                .field("window", window)
                .field("options", options)
                .field("captured", &payload.len())
                .field("payload_length", payload_length)
                .finish(),
            Self::Udp { source_port, destination_port, payload, payload_length } => f
                .debug_struct("Udp")
                .field("source_port", source_port)
                .field("destination_port", destination_port)
                .field("captured", &payload.len())
                .field("payload_length", payload_length)
                .finish(),
        }
    }
}

/// The flags of TCP (RFC 9293 section 3.1, RFC 3168 section 6.1), the four reserved bits above them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u16 = 0x001;
    /// Synchronise sequence numbers.
    pub const SYN: u16 = 0x002;
    /// Reset the connection.
    pub const RST: u16 = 0x004;
    /// Push.
    pub const PSH: u16 = 0x008;
    /// The acknowledgment number means something.
    pub const ACK: u16 = 0x010;
    /// The urgent pointer means something.
    pub const URG: u16 = 0x020;
    /// Congestion was echoed.
    pub const ECE: u16 = 0x040;
    /// The congestion window was reduced.
    pub const CWR: u16 = 0x080;

    /// Whether any of the flags given is set.
    #[must_use]
    pub const fn has(self, flags: u16) -> bool {
        self.0 & flags != 0
    }

    /// Whether FIN is set.
    #[must_use]
    pub const fn is_fin(self) -> bool {
        self.has(Self::FIN)
    }

    /// Whether SYN is set.
    #[must_use]
    pub const fn is_syn(self) -> bool {
        self.has(Self::SYN)
    }

    /// Whether RST is set.
    #[must_use]
    pub const fn is_rst(self) -> bool {
        self.has(Self::RST)
    }

    /// Whether ACK is set.
    #[must_use]
    pub const fn is_ack(self) -> bool {
        self.has(Self::ACK)
    }
}

/// An error of ICMP or `ICMPv6` about a packet that it quotes.
///
/// Types 3, 4, 5, 11 and 12 of ICMP and 1 to 4 of `ICMPv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Whether it is of `ICMPv6`.
    pub is_v6: bool,
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The size that would have fitted, where it tells one.
    pub mtu: Option<u16>,
    /// Who tells it: the host itself, a router or a firewall.
    pub from: IpAddr,
    /// The packet that it is about.
    pub quoted: Quoted,
    /// Whether the quote holds the 20 bytes of a TCP header.
    pub quoted_tcp_header: bool,
}

/// The packet that an error is about, as far as it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Who had sent it.
    pub source: IpAddr,
    /// Whom it was for.
    pub destination: IpAddr,
    /// Its protocol.
    pub protocol: u8,
    /// The ports of the sender and of the receiver; `None` where it has none, or none are quoted.
    pub ports: Option<(u16, u16)>,
    /// The sequence number of TCP.
    pub sequence: Option<u32>,
}

/// What a segment was wrapped into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Encapsulation {
    /// The number of the outermost VLAN.
    pub vlan: Option<u16>,
    /// The innermost tunnel.
    pub tunnel: Option<Tunnel>,
    /// Tunnels in all, one in another.
    pub depth: u8,
}

/// A way to carry a packet inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// Geneve (RFC 8926).
    Geneve,
    /// Generic routing encapsulation (RFC 2784, RFC 2637), ERSPAN included.
    Gre,
    /// IP in IPv4 or IPv6 with the protocol number 4 (RFC 2003).
    IpInIp,
    /// L2TP (RFC 2661).
    L2tp,
    /// MPLS in IP or UDP (RFC 4023, RFC 7510).
    Mpls,
    /// IPv6 with the protocol number 41 (RFC 4213).
    SixIn,
    /// Teredo (RFC 4380).
    Teredo,
    /// VXLAN (RFC 7348).
    Vxlan,
}
