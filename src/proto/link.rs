//! What stands before the network layer in a frame.
//!
//! It follows the registry of link types of tcpdump.org, and for what lies below: IEEE 802.3 and
//! 802.1Q (Ethernet, VLAN), IEEE 802.2 and RFC 1042 (LLC and SNAP), RFC 1661 and RFC 1662 (PPP),
//! RFC 2516 (`PPPoE`), RFC 3032 (MPLS). 802.11 is in `wlan`. It must not know what a packet holds.
//!
//! Invariants: what is handed on is a part of what was given; layers are counted down, so nesting
//! ends; nothing is allocated.

use super::layers::Seen;
use super::wlan;

/// A walk down through the layers of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The number of the outermost VLAN passed.
    pub(super) vlan: Option<u16>,
    /// Layers that may still come.
    left: u8,
}

/// The bytes of an IP packet, or what was found in its place.
pub(super) type Found<'a> = Result<&'a [u8], Seen>;

impl Walk {
    pub(super) const fn new(vlan: Option<u16>) -> Self {
        Self { vlan, left: MAX_LAYERS }
    }

    /// Finds the packet in a frame of a link type.
    #[inline]
    pub(super) fn link<'a>(&mut self, link: u32, bytes: &'a [u8]) -> Found<'a> {
        if link == ETHERNET { self.ethernet(bytes) } else { self.other_link(link, bytes) }
    }

    fn other_link<'a>(&mut self, link: u32, bytes: &'a [u8]) -> Found<'a> {
        match link {
            NULL | LOOP => self.loopback(bytes),
            PPP | PPP_HDLC => self.ppp_framed(bytes),
            PPP_ETHER => self.pppoe(bytes),
            RAW | RAW_BSD | RAW_OPENBSD | IPV4 | IPV6 => Ok(bytes),
            C_HDLC => self.cisco_hdlc(bytes),
            IEEE802_11 => wlan::frame(self, bytes, false),
            SLL => self.cooked(bytes),
            SLL2 => self.cooked2(bytes),
            ENC => from(bytes, 12),
            PFLOG => {
                let length = usize::from(*bytes.first().ok_or(Seen::Malformed)?);
                from(bytes, length.next_multiple_of(4))
            }
            IEEE802_11_PRISM => wlan::prism(self, bytes),
            IEEE802_11_RADIOTAP => wlan::radiotap(self, bytes),
            IEEE802_11_AVS => wlan::avs(self, bytes),
            PPP_PPPD => match bytes {
                // The address is overwritten with the direction.
                [0 | 1, 0x03, rest @ ..] => self.ppp(rest),
                _ => self.ppp_framed(bytes),
            },
            PPP_WITH_DIRECTION => self.ppp_framed(from(bytes, 1)?),
            PPI => {
                self.descend()?;
                let length = le16(bytes, 2).ok_or(Seen::Malformed)?;
                let inner = le32(bytes, 4).ok_or(Seen::Malformed)?;
                self.link(inner, from(bytes, length.into())?)
            }
            NFLOG => nflog(bytes),
            PKTAP => {
                self.descend()?;
                let length = size(le32(bytes, 0).ok_or(Seen::Malformed)?);
                let inner = le32(bytes, 8).ok_or(Seen::Malformed)?;
                self.link(inner, from(bytes, length)?)
            }
            _ => Err(Seen::Undecoded),
        }
    }

    /// An Ethernet frame without its preamble.
    #[inline]
    pub(super) fn ethernet<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let Some((&[.., high, low], rest)) = bytes.split_first_chunk::<14>() else {
            return Err(Seen::Malformed);
        };
        match u16::from_be_bytes([high, low]) {
            // What most frames are.
            0x0800 | 0x86dd => Ok(rest),
            kind => self.ether_type_or_length(kind, rest),
        }
    }

    /// What follows a field that is a type, or the length of a frame of IEEE 802.3.
    fn ether_type_or_length<'a>(&mut self, kind: u16, bytes: &'a [u8]) -> Found<'a> {
        if kind >= FIRST_ETHER_TYPE {
            return self.ether_type(kind, bytes);
        }
        let length = usize::from(kind).min(bytes.len());
        self.llc(bytes.get(..length).unwrap_or_default())
    }

    /// What follows an ether type.
    pub(super) fn ether_type<'a>(&mut self, mut kind: u16, mut bytes: &'a [u8]) -> Found<'a> {
        loop {
            match kind {
                0x0800 | 0x86dd => return Ok(bytes),
                0x0806 => return Err(Seen::Arp),
                // IEEE 802.1Q, 802.1ad, and what was there before them.
                0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                    let tag = be16(bytes, 0).ok_or(Seen::Malformed)?;
                    self.vlan = self.vlan.or(Some(tag & 0x0fff));
                    kind = be16(bytes, 2).ok_or(Seen::Malformed)?;
                    bytes = from(bytes, 4)?;
                    if kind < FIRST_ETHER_TYPE {
                        self.descend()?;
                        return self.ether_type_or_length(kind, bytes);
                    }
                }
                // VN-tag (IEEE 802.1BR before it was one).
                0x8926 => {
                    kind = be16(bytes, 4).ok_or(Seen::Malformed)?;
                    bytes = from(bytes, 6)?;
                }
                // Cisco metadata: the security group of the sender.
                0x8909 => {
                    kind = be16(bytes, 6).ok_or(Seen::Malformed)?;
                    bytes = from(bytes, 8)?;
                }
                0x8847 | 0x8848 => return self.mpls(bytes),
                0x8864 => return self.pppoe(bytes),
                0x880b => {
                    self.descend()?;
                    return self.ppp_framed(bytes);
                }
                0x8870 => {
                    self.descend()?;
                    return self.llc(bytes);
                }
                // Bridged Ethernet, and the frame of a customer inside IEEE 802.1ah.
                0x6558 => {
                    self.descend()?;
                    return self.ethernet(bytes);
                }
                0x88e7 => {
                    self.descend()?;
                    return self.ethernet(from(bytes, 4)?);
                }
                other => return Err(Seen::Other(other)),
            }
        }
    }

    /// LLC, with SNAP or without.
    pub(super) fn llc<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        match bytes {
            // The organisation: none, or one of a bridge (IEEE 802.1H).
            &[0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, ref rest @ ..] => {
                self.descend()?;
                self.ether_type(u16::from_be_bytes([high, low]), rest)
            }
            [0x06, 0x06, 0x03, rest @ ..] => Ok(rest),
            _ => Err(Seen::Control),
        }
    }

    /// A stack of MPLS labels. What lies under it is not told: it is guessed as routers do.
    pub(super) fn mpls<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        self.descend()?;
        let mut rest = bytes;
        loop {
            let label = be32(rest, 0).ok_or(Seen::Malformed)?;
            rest = from(rest, 4)?;
            if label & 0x100 != 0 {
                break;
            }
        }
        match rest.first().map(|byte| byte >> 4) {
            Some(4 | 6) => Ok(rest),
            // The control word of a pseudowire (RFC 4448 section 4.6).
            Some(0) => self.ethernet(from(rest, 4)?),
            _ => Err(Seen::Other(0x8847)),
        }
    }

    /// A session of `PPPoE` (RFC 2516 section 4).
    fn pppoe<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        self.descend()?;
        let &[0x11, code, _, _, high, low, ref rest @ ..] = bytes else {
            return Err(Seen::Malformed);
        };
        if code != 0 {
            return Err(Seen::Control);
        }
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        self.ppp(rest.get(..length).unwrap_or_default())
    }

    /// PPP that may begin with its address and control (RFC 1662 section 3.1).
    pub(super) fn ppp_framed<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        match bytes {
            [0xff, 0x03, rest @ ..] => self.ppp(rest),
            [0x0f | 0x8f, 0x00, ..] => self.cisco_hdlc(bytes),
            _ => self.ppp(bytes),
        }
    }

    /// PPP from its protocol on, which may be compressed to one byte (RFC 1661 section 6.5).
    fn ppp<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let (protocol, rest) = match bytes {
            [short, rest @ ..] if short & 1 == 1 => (u16::from(*short), rest),
            &[high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
            _ => return Err(Seen::Malformed),
        };
        match protocol {
            0x0021 | 0x0057 => Ok(rest),
            0x0281 | 0x0283 => self.mpls(rest),
            _ => Err(Seen::Control),
        }
    }

    fn cisco_hdlc<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let kind = be16(bytes, 2).ok_or(Seen::Malformed)?;
        self.ether_type(kind, from(bytes, 4)?)
    }

    /// Loopback of BSD: the family, in the order of the machine that captured.
    fn loopback<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let rest = from(bytes, 4)?;
        let big = be32(bytes, 0).ok_or(Seen::Malformed)?;
        match big.min(big.swap_bytes()) {
            // IPv4; IPv6 as Linux, Windows, NetBSD, FreeBSD and macOS number it.
            2 | 10 | 23 | 24 | 28 | 30 => Ok(rest),
            // Some systems put an ether type there.
            kind => {
                let low = be16(bytes, 2).ok_or(Seen::Malformed)?;
                let kind = u16::try_from(kind).unwrap_or(low);
                if kind < FIRST_ETHER_TYPE {
                    return Err(Seen::Control);
                }
                self.ether_type(kind, rest)
            }
        }
    }

    /// The cooked capture of Linux.
    fn cooked<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let hardware = be16(bytes, 2).ok_or(Seen::Malformed)?;
        let kind = be16(bytes, 14).ok_or(Seen::Malformed)?;
        self.cooked_payload(hardware, kind, from(bytes, 16)?)
    }

    /// The second version of it.
    fn cooked2<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let hardware = be16(bytes, 8).ok_or(Seen::Malformed)?;
        let kind = be16(bytes, 0).ok_or(Seen::Malformed)?;
        self.cooked_payload(hardware, kind, from(bytes, 20)?)
    }

    fn cooked_payload<'a>(&mut self, hardware: u16, kind: u16, bytes: &'a [u8]) -> Found<'a> {
        match (hardware, kind) {
            (ARPHRD_NETLINK, _) => Err(Seen::Control),
            (_, 0x0004) => self.llc(bytes),
            (ARPHRD_RADIOTAP, _) => wlan::radiotap(self, bytes),
            (_, kind) if kind < FIRST_ETHER_TYPE => Err(Seen::Control),
            (_, kind) => self.ether_type(kind, bytes),
        }
    }

    /// Counts a layer; an error when there were too many.
    fn descend(&mut self) -> Result<(), Seen> {
        self.left = self.left.checked_sub(1).ok_or(Seen::Malformed)?;
        Ok(())
    }
}

/// The netfilter log: attributes, one of which is the packet.
fn nflog(bytes: &[u8]) -> Found<'_> {
    let mut rest = from(bytes, 4)?;
    loop {
        // The order of the machine that captured; a length below 4 can only be the other one.
        let (length, kind) = (le16(rest, 0), le16(rest, 2));
        let (Some(length), Some(kind)) = (length, kind) else { return Err(Seen::Control) };
        let (length, kind) = if kind > 0xff || usize::from(length) > rest.len() {
            (length.swap_bytes(), kind.swap_bytes())
        } else {
            (length, kind)
        };
        let length = usize::from(length);
        if length < 4 {
            return Err(Seen::Malformed);
        }
        if kind == NFULA_PAYLOAD {
            let end = length.min(rest.len());
            return rest.get(4..end).ok_or(Seen::Malformed);
        }
        rest = from(rest, length.next_multiple_of(4))?;
    }
}

/// What follows a header.
pub(super) fn from(bytes: &[u8], at: usize) -> Result<&[u8], Seen> {
    bytes.get(at..).ok_or(Seen::Malformed)
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A length as a size in memory.
pub(super) fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Layers between the link and the network, VLANs not counted.
const MAX_LAYERS: u8 = 8;
/// Below it the field is a length (IEEE 802.3 section 3.2.6).
const FIRST_ETHER_TYPE: u16 = 0x0600;
const ARPHRD_RADIOTAP: u16 = 803;
const ARPHRD_NETLINK: u16 = 824;
/// The attribute that holds the packet.
const NFULA_PAYLOAD: u16 = 9;

const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const PPP: u32 = 9;
/// `DLT_RAW` of most systems, where a writer did not translate it.
const RAW_BSD: u32 = 12;
/// The same of OpenBSD.
const RAW_OPENBSD: u32 = 14;
const PPP_HDLC: u32 = 50;
const PPP_ETHER: u32 = 51;
const RAW: u32 = 101;
const C_HDLC: u32 = 104;
const IEEE802_11: u32 = 105;
const LOOP: u32 = 108;
const ENC: u32 = 109;
const SLL: u32 = 113;
const PFLOG: u32 = 117;
const IEEE802_11_PRISM: u32 = 119;
const IEEE802_11_RADIOTAP: u32 = 127;
const IEEE802_11_AVS: u32 = 163;
const PPP_PPPD: u32 = 166;
const PPI: u32 = 192;
const PPP_WITH_DIRECTION: u32 = 204;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const NFLOG: u32 = 239;
const PKTAP: u32 = 258;
const SLL2: u32 = 276;
