//! Every magic and byte order, damage, and the ends of files.
#![expect(clippy::arithmetic_side_effects, reason = "test support")]

use super::super::frames::record::{Seen, events, frames, losses};
use super::super::source::as_u64;
use super::*;
use proptest::prelude::*;

const MAGICS: [([u8; 4], Order, bool, u32); 6] = [
    ([0xa1, 0xb2, 0xc3, 0xd4], Order::Big, false, 1_000),
    ([0xd4, 0xc3, 0xb2, 0xa1], Order::Little, false, 1_000),
    ([0xa1, 0xb2, 0x3c, 0x4d], Order::Big, false, 1),
    ([0x4d, 0x3c, 0xb2, 0xa1], Order::Little, false, 1),
    ([0xa1, 0xb2, 0xcd, 0x34], Order::Big, true, 1_000),
    ([0x34, 0xcd, 0xb2, 0xa1], Order::Little, true, 1_000),
];

fn number(order: Order, value: u32) -> [u8; 4] {
    match order {
        Order::Big => value.to_be_bytes(),
        Order::Little => value.to_le_bytes(),
    }
}

fn version(order: Order, minor: u16) -> [u8; 4] {
    let halves = match order {
        Order::Big => [2_u16.to_be_bytes(), minor.to_be_bytes()],
        Order::Little => [2_u16.to_le_bytes(), minor.to_le_bytes()],
    };
    [halves[0][0], halves[0][1], halves[1][0], halves[1][1]]
}

fn header(magic: [u8; 4], order: Order, snap_length: u32, link: u32) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(version(order, 4));
    bytes.extend([0; 8]);
    bytes.extend(number(order, snap_length));
    bytes.extend(number(order, link));
    bytes
}

fn frame(order: Order, is_modified: bool, at: (u32, u32), data: &[u8], original: u32) -> Vec<u8> {
    let captured = u32::try_from(data.len()).unwrap();
    let mut bytes: Vec<u8> = [at.0, at.1, captured, original]
        .into_iter()
        .flat_map(|value| number(order, value))
        .collect();
    if is_modified {
        bytes.extend([0; 8]);
    }
    bytes.extend(data);
    bytes
}

/// A usual file with frames of these lengths, a second apart.
fn file(lengths: &[usize]) -> Vec<u8> {
    let mut bytes = header(MAGICS[1].0, Order::Little, 65_535, 1);
    for (index, length) in lengths.iter().enumerate() {
        let seconds = 1_700_000_000 + u32::try_from(index).unwrap();
        let original = u32::try_from(*length).unwrap();
        bytes.extend(frame(Order::Little, false, (seconds, 5), &vec![7; *length], original));
    }
    bytes
}

fn read(bytes: &[u8]) -> Vec<Seen> {
    events(Format::Pcap, bytes, None)
}

#[test]
fn every_magic_is_read() {
    for (magic, order, is_modified, unit) in MAGICS {
        // The upper bits of the link type tell of a checksum behind the frame.
        let mut bytes = header(magic, order, 96, 0x5400_0071);
        assert_eq!(PcapReader.probe(&bytes), Probe::Certain, "{magic:x?}");
        bytes.extend(frame(order, is_modified, (1_700_000_000, 42), b"abc", 3));
        bytes.extend(frame(order, is_modified, (4_000_000_000, 7), b"defg", 1500));
        let seen = read(&bytes);
        let frames = frames(&seen);
        assert_eq!(frames.len(), 2, "{magic:x?}");
        let nanoseconds = 1_700_000_000_000_000_000 + i64::from(42 * unit);
        assert_eq!(frames[0].at, Some(nanoseconds), "{magic:x?}");
        assert_eq!(
            (frames[0].number, frames[0].link, &frames[0].data[..]),
            (1, Some(113), &b"abc"[..])
        );
        // After 2038.
        assert_eq!(frames[1].at.map(|at| at / SECOND), Some(4_000_000_000));
        assert_eq!((frames[1].number, frames[1].original), (2, 1500));
        assert!(losses(&seen).is_empty());
    }
}

#[test]
fn other_files_are_not_taken_for_pcap() {
    let mut old = header(MAGICS[1].0, Order::Little, 0, 1);
    assert_eq!(PcapReader.probe(&old[..23]), Probe::No);
    old[4] = 3;
    assert_eq!(PcapReader.probe(&old), Probe::No);
    for other in
        [&b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a"[..], b"{\"log\":", b"PK\x03\x04", b""]
    {
        assert_eq!(PcapReader.probe(other), Probe::No);
    }
}

#[test]
fn old_files_have_their_lengths_the_other_way_round() {
    for (minor, first, second) in [(2, 100, 3), (3, 100, 3), (3, 3, 100)] {
        let mut bytes = header(MAGICS[1].0, Order::Little, 96, 1);
        bytes[6] = minor;
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, first, 0, 0, 0, second, 0, 0, 0]);
        bytes.extend(b"abc");
        let seen = read(&bytes);
        let frames = frames(&seen);
        assert_eq!((frames[0].data.len(), frames[0].original), (3, 100), "version 2.{minor}");
    }
}

#[test]
fn a_file_that_ends_early_gives_the_frames_before_it() {
    let whole = file(&[60, 70, 80]);
    for cut in 0..whole.len() - HEADER {
        let cut = HEADER + cut;
        let want = if cut >= HEADER + 76 + 86 { 2 } else { usize::from(cut >= HEADER + 76) };
        let seen = read(&whole[..cut]);
        assert_eq!(frames(&seen).len(), want, "cut at {cut}");
        let is_between = [HEADER, HEADER + 76, HEADER + 76 + 86].contains(&cut);
        assert_eq!(losses(&seen).len(), usize::from(!is_between), "cut at {cut}");
        if let Some(loss) = losses(&seen).first() {
            assert!(matches!(loss.fault, Fault::Cut { .. }) && loss.resumed.is_none());
            assert_eq!(loss.at + loss.bytes, as_u64(cut));
        }
    }
}

#[test]
fn damage_costs_what_is_damaged() {
    let lengths = [60; 20];
    let whole = file(&lengths);
    // The length of the fifth frame: far too long, and beyond the end of the file.
    for wrong in [0xffff_ffff_u32, 200_000] {
        let mut bytes = whole.clone();
        let at = HEADER + 4 * 76;
        bytes[at + 8..at + 12].copy_from_slice(&wrong.to_le_bytes());
        let seen = read(&bytes);
        assert_eq!(frames(&seen).len(), 19, "{wrong}");
        let losses = losses(&seen);
        assert_eq!(losses.len(), 1);
        assert_eq!((losses[0].at, losses[0].bytes), (as_u64(at), 76));
        assert_eq!(losses[0].resumed, Some(as_u64(at + 76)));
    }
    // A length that is too short by some: the frame itself is read, what is behind it is passed over.
    let mut bytes = whole.clone();
    bytes[HEADER + 8] = 10;
    let seen = read(&bytes);
    assert_eq!(frames(&seen).len(), 20);
    assert_eq!(losses(&seen)[0].bytes, 50);
    // Bytes that are in no frame.
    let mut bytes = whole[..HEADER + 76].to_vec();
    bytes.extend([0xee; 1_000]);
    bytes.extend(&whole[HEADER + 76..]);
    let seen = read(&bytes);
    assert_eq!((frames(&seen).len(), losses(&seen)[0].bytes), (20, 1_000));
    // Zeroes at the end, as a machine that lost its power leaves them.
    let mut bytes = whole;
    bytes.extend([0; 5_000]);
    let seen = read(&bytes);
    assert_eq!((frames(&seen).len(), losses(&seen)[0].bytes), (20, 5_000));
}

#[test]
fn the_snap_length_bounds_a_frame() {
    let about = |snap_length| {
        About::parse(&header(MAGICS[1].0, Order::Little, snap_length, 1)).unwrap().most()
    };
    assert_eq!(about(0), 256 << 10);
    assert_eq!(about(96), 256 << 10);
    assert_eq!(about(1 << 20), 1 << 20);
    assert_eq!(about(u32::MAX), 256 << 10);
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        lengths in prop::collection::vec(1_usize..400, 0..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        chunk in 1_usize..500,
    ) {
        let mut bytes = file(&lengths);
        for (index, value) in flips {
            let at = HEADER + index.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        prop_assert_eq!(read(&bytes), events(Format::Pcap, &bytes, Some(chunk)));
    }

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..3_000), chunk in 1_usize..200) {
        for (magic, order, ..) in MAGICS {
            let mut bytes = header(magic, order, 65_535, 1);
            bytes.extend(&body);
            let seen = read(&bytes);
            prop_assert_eq!(&seen, &events(Format::Pcap, &bytes, Some(chunk)));
            for loss in losses(&seen) {
                prop_assert!(loss.at + loss.bytes <= as_u64(bytes.len()));
            }
        }
    }
}
