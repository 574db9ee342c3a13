//! The two formats of files: pcap with microseconds, pcapng with what it can tell beside.

use super::net::Link;

/// A frame as it goes into a file.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) out: bool,
    pub(crate) interface: u32,
    /// Dropped by the system it was captured on.
    pub(crate) dropped: bool,
    /// The same for all copies of one packet.
    pub(crate) id: Option<u64>,
    pub(crate) comment: Option<String>,
}

/// What a file says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) link: Link,
    /// Most bytes kept of a frame; 0 is all.
    pub(crate) snap: u32,
    /// Names of the interfaces (pcapng).
    pub(crate) interfaces: Vec<String>,
    /// The program that captured (pcapng).
    pub(crate) program: String,
    pub(crate) system: String,
    /// Frames that the interface dropped (pcapng).
    pub(crate) drops: Option<u64>,
    /// Whether directions are written (pcapng).
    pub(crate) directions: bool,
}

/// A file of pcap, little-endian, microseconds.
pub(crate) fn pcap(head: &Head, frames: &[Frame]) -> Vec<u8> {
    let snap = if head.snap == 0 { 262_144 } else { head.snap };
    let mut bytes = Vec::new();
    bytes.extend(0xa1b2_c3d4_u32.to_le_bytes());
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(4_u16.to_le_bytes());
    for number in [0, 0, snap, u32::from(head.link.number())] {
        bytes.extend(number.to_le_bytes());
    }
    for frame in frames {
        let kept = kept(head, frame);
        let numbers =
            [(frame.at / 1_000_000) as u32, (frame.at % 1_000_000) as u32, kept.len() as u32];
        for number in numbers {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((frame.bytes.len() as u32).to_le_bytes());
        bytes.extend(kept);
    }
    bytes
}

/// A file of pcapng, little-endian, microseconds.
pub(crate) fn pcapng(head: &Head, frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut body = Vec::new();
    body.extend(0x1a2b_3c4d_u32.to_le_bytes());
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, 3, head.system.as_bytes());
    option(&mut body, 4, head.program.as_bytes());
    option(&mut body, 0, &[]);
    block(&mut bytes, 0x0a0d_0d0a, &body);
    for name in &head.interfaces {
        let mut body = Vec::new();
        body.extend(head.link.number().to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(head.snap.to_le_bytes());
        option(&mut body, 2, name.as_bytes());
        option(&mut body, 9, &[6]);
        option(&mut body, 0, &[]);
        block(&mut bytes, 1, &body);
    }
    for frame in frames {
        let kept = kept(head, frame);
        let mut body = Vec::new();
        let numbers = [
            frame.interface,
            (frame.at >> 32) as u32,
            frame.at as u32,
            kept.len() as u32,
            frame.bytes.len() as u32,
        ];
        for number in numbers {
            body.extend(number.to_le_bytes());
        }
        body.extend(kept);
        body.resize(body.len().next_multiple_of(4), 0);
        let before = body.len();
        if let Some(comment) = &frame.comment {
            option(&mut body, 1, comment.as_bytes());
        }
        if head.directions {
            let flags: u32 = if frame.out { 2 } else { 1 };
            option(&mut body, 2, &flags.to_le_bytes());
        }
        if let Some(id) = frame.id {
            option(&mut body, 5, &id.to_le_bytes());
        }
        if frame.dropped {
            // The kind of traffic control and its TC_ACT_SHOT.
            option(&mut body, 7, &[&[1][..], &2_u64.to_le_bytes()].concat());
        }
        if body.len() > before {
            option(&mut body, 0, &[]);
        }
        block(&mut bytes, 6, &body);
    }
    if let Some(drops) = head.drops {
        let last = frames.last().map_or(0, |frame| frame.at);
        for interface in 0..head.interfaces.len() as u32 {
            let mut body = Vec::new();
            for number in [interface, (last >> 32) as u32, last as u32] {
                body.extend(number.to_le_bytes());
            }
            option(&mut body, 4, &(frames.len() as u64 + drops).to_le_bytes());
            option(&mut body, 5, &drops.to_le_bytes());
            option(&mut body, 0, &[]);
            block(&mut bytes, 5, &body);
        }
    }
    bytes
}

fn kept<'a>(head: &Head, frame: &'a Frame) -> &'a [u8] {
    let most = if head.snap == 0 { usize::MAX } else { head.snap as usize };
    &frame.bytes[..frame.bytes.len().min(most)]
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn block(bytes: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() + 12) as u32;
    bytes.extend(kind.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(body);
    bytes.extend(length.to_le_bytes());
}
