//! Every kind of block in both byte orders, damage, and the ends of files.
#![expect(clippy::arithmetic_side_effects, reason = "test support")]

use super::super::frames::record::{Seen, SeenFrame, events, frames, losses};
use super::super::source::as_u64;
use super::*;
use proptest::prelude::*;

const BOTH: [Order; 2] = [Order::Big, Order::Little];

/// Writes blocks.
struct Writer(Order, Vec<u8>);

impl Writer {
    fn new(order: Order) -> Self {
        let mut writer = Self(order, Vec::new());
        writer.section(1, &[]);
        writer
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.0 == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        if self.0 == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u64(&self, value: u64) -> [u8; 8] {
        if self.0 == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(u32::try_from(padded + 12).unwrap());
        let kind = self.u32(kind);
        self.1.extend(kind);
        self.1.extend(length);
        self.1.extend(body);
        self.1.extend(vec![0; padded - body.len()]);
        self.1.extend(length);
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.u16(*code));
            bytes.extend(self.u16(u16::try_from(value.len()).unwrap()));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    fn section(&mut self, version: u16, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(version));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        body.extend(self.options(options));
        self.block(SECTION, &body)
    }

    fn interface(&mut self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = self.u16(link).to_vec();
        body.extend([0; 2]);
        body.extend(self.u32(snap_length));
        body.extend(self.options(options));
        self.block(INTERFACE, &body)
    }

    fn enhanced(
        &mut self,
        interface: u32,
        units: u64,
        data: &[u8],
        options: &[(u16, &[u8])],
    ) -> &mut Self {
        let [high, low] =
            [units >> 32, units & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
        let length = u32::try_from(data.len()).unwrap();
        let mut body: Vec<u8> = [interface, high, low, length, length]
            .into_iter()
            .flat_map(|value| self.u32(value))
            .collect();
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(ENHANCED, &body)
    }

    fn obsolete(
        &mut self,
        interface: u16,
        units: u32,
        data: &[u8],
        options: &[(u16, &[u8])],
    ) -> &mut Self {
        let mut body = [self.u16(interface), self.u16(9)].concat();
        let length = u32::try_from(data.len()).unwrap();
        for value in [0, units, length, length + 1] {
            body.extend(self.u32(value));
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(PACKET, &body)
    }

    fn simple(&mut self, original: u32, data: &[u8]) -> &mut Self {
        let body = [&self.u32(original)[..], data].concat();
        self.block(SIMPLE, &body)
    }
}

fn read(bytes: &[u8]) -> Vec<Seen> {
    events(Format::Pcapng, bytes, None)
}

fn one(seen: &[Seen]) -> SeenFrame {
    let frames = frames(seen);
    assert_eq!(frames.len(), 1, "{seen:?}");
    frames[0].clone()
}

#[test]
fn every_block_is_read_in_both_orders() {
    for order in BOTH {
        let mut file = Writer::new(order);
        let flags = file.u32(1);
        file.interface(1, 0, &[(NAME, b"eth0"), (FILTER, b"\0tcp port 443")]);
        file.enhanced(0, 1_500_000, b"abc", &[]);
        file.enhanced(0, 2_500_000, b"abcd", &[(2, &flags), (1, b"PID=12")]);
        file.simple(6, b"simple");
        file.obsolete(0, 3_500_000, b"old", &[(2, &flags)]);
        file.block(4, &[0, 1, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0]);
        let counts = file.options(&[(5, &file.u64(3)), (7, &file.u64(4))]);
        let statistics = [&file.u32(0)[..], &[0; 8], &counts].concat();
        file.block(STATISTICS, &statistics);
        file.block(JOURNAL, b"MESSAGE=x\n\0\0");
        file.block(CUSTOM[0], &[0, 0, 0x7e, 0xd9, 1, 2, 3, 4]);
        file.block(CUSTOM[1], &[0, 0, 0x7e, 0xd9]);
        let secrets = [&file.u32(0x544c_534b)[..], &file.u32(5), b"C r k\0\0\0"].concat();
        file.block(SECRETS, &secrets);
        file.block(0x7777, b"unknown!");
        file.enhanced(0, 4_500_000, b"", &[]);
        assert_eq!(PcapngReader.probe(&file.1), Probe::Certain);

        let seen = read(&file.1);
        assert!(losses(&seen).is_empty(), "{seen:?}");
        let frames = frames(&seen);
        let numbers: Vec<u64> = frames.iter().map(|frame| frame.number).collect();
        // The journal and the custom blocks have numbers 5 to 7.
        assert_eq!(numbers, [1, 2, 3, 4, 8]);
        let times: Vec<Option<i64>> =
            frames.iter().map(|frame| frame.at.map(|at| at / 1_000_000)).collect();
        assert_eq!(times, [Some(1_500), Some(2_500), None, Some(3_500), Some(4_500)]);
        let data: Vec<&[u8]> = frames.iter().map(|frame| &frame.data[..]).collect();
        assert_eq!(data, [&b"abc"[..], b"abcd", b"simple", b"old", b""]);
        assert!(frames.iter().all(|frame| frame.link == Some(1)));
        assert!(frames[1].facts.contains("Inbound") && frames[1].facts.contains("Some(12)"));
        assert!(frames[3].facts.contains("Inbound") && frames[3].original == 4);
        let others = format!("{seen:?}");
        assert!(others.contains("dropped: 7") && others.contains("Secrets { length: 5, .. }"));
        assert!(others.contains(&format!("{:?}", b"tcp port 443")));
    }
}

#[test]
fn with_and_without_options_a_frame_is_the_same() {
    for order in BOTH {
        for length in 0..9 {
            let frame = |options: &[(u16, &[u8])]| {
                let mut file = Writer::new(order);
                file.interface(1, 0, &[]).enhanced(0, 77, &vec![5; length], options);
                one(&read(&file.1))
            };
            let (bare, told) = (frame(&[]), frame(&[(99, b"x")]));
            assert_eq!((bare.at, &bare.data, bare.original), (told.at, &told.data, told.original));
        }
    }
}

#[test]
fn times_follow_resolution_and_offset() {
    let second = 1_000_000_000_i64;
    let cases: [(&[u8], i64, u64, Option<i64>); 10] = [
        (&[6], 0, 1_500_000, Some(1_500_000_000)),
        (&[9], 0, 1_700_000_000_123_456_789, Some(1_700_000_000_123_456_789)),
        (&[0], 0, 5, Some(5 * second)),
        (&[3], -1, 2_500, Some(1_500_000_000)),
        (&[12], 0, 1_999, Some(1)),
        (&[0x80 | 0x0a], 10, 1_536, Some(11_500_000_000)),
        (&[0xff], 0, u64::MAX, Some(0)),
        (&[0x7f], 0, 1, None),
        (&[6], 0, u64::MAX, None),
        (&[6], i64::MAX, 1, None),
    ];
    for order in BOTH {
        for (resolution, offset, units, want) in cases {
            let mut file = Writer::new(order);
            let offset = file.u64(offset.cast_unsigned());
            file.interface(1, 0, &[(RESOLUTION, resolution), (TIME_OFFSET, &offset)]);
            file.enhanced(0, units, b"x", &[]);
            assert_eq!(one(&read(&file.1)).at, want, "{resolution:?} {units}");
        }
    }
}

#[test]
fn a_section_forgets_the_interfaces_of_the_one_before() {
    let mut bytes = Vec::new();
    for (order, link) in [(Order::Little, 1), (Order::Big, 113), (Order::Little, 101)] {
        let mut file = Writer::new(order);
        file.interface(link, 0, &[]).interface(link + 1, 0, &[]);
        file.enhanced(1, 1, b"x", &[]).enhanced(0, 1, b"y", &[]);
        bytes.extend(file.1);
    }
    let mut last = Writer::new(Order::Little);
    bytes.extend(&last.enhanced(0, 1, b"z", &[]).1);
    let seen = read(&bytes);
    let links: Vec<Option<u32>> = frames(&seen).iter().map(|frame| frame.link).collect();
    let want = [2, 1, 114, 113, 102, 101].map(Some);
    assert_eq!(links[..6], want);
    // No interface: the frame is counted, and neither its time nor its link type is guessed.
    let frames = frames(&seen);
    assert_eq!((frames[6].link, frames[6].at, frames[6].place), (None, None, (3, 0)));
}

#[test]
fn a_section_of_another_version_is_passed_over() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]).enhanced(0, 1, b"x", &[]);
    file.section(2, &[]).interface(1, 0, &[]).enhanced(0, 1, b"y", &[]);
    file.section(1, &[]).interface(1, 0, &[]).enhanced(0, 1, b"z", &[]);
    let seen = read(&file.1);
    assert_eq!(frames(&seen).iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 2]);
    assert!(format!("{seen:?}").contains("Version(2)"));
}

#[test]
fn a_simple_packet_is_as_long_as_captured() {
    for (snap_length, want) in [(0, &b"abcde"[..]), (3, b"abc"), (100, b"abcde")] {
        let mut file = Writer::new(Order::Little);
        file.interface(1, snap_length, &[]).simple(5, b"abcde");
        assert_eq!(one(&read(&file.1)).data, want);
    }
}

#[test]
fn a_length_without_its_padding_is_understood() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]);
    let start = file.1.len();
    file.enhanced(0, 1, b"abc", &[]).enhanced(0, 2, b"next", &[]);
    file.1[start + 4] -= 1;
    file.1[start + 32] -= 1;
    let seen = read(&file.1);
    assert_eq!((frames(&seen).len(), frames(&seen)[0].data.as_slice()), (2, &b"abc"[..]));
}

#[test]
fn lengths_that_lie_cost_their_block() {
    let mut file = Writer::new(Order::Little);
    file.interface(1, 0, &[]).enhanced(0, 1, b"first", &[]);
    let start = file.1.len();
    file.enhanced(0, 2, &[7; 40], &[]);
    let end = file.1.len();
    file.enhanced(0, 3, b"third", &[]);
    for wrong in [0_u32, 8, 13, 60, 1 << 15, 1 << 23, 0xffff_fff0] {
        let mut bytes = file.1.clone();
        bytes[start + 4..start + 8].copy_from_slice(&wrong.to_le_bytes());
        let seen = read(&bytes);
        assert_eq!(frames(&seen).len(), 2, "{wrong}");
        let losses = losses(&seen);
        assert_eq!(
            (losses[0].at, losses[0].resumed),
            (as_u64(start), Some(as_u64(end))),
            "{wrong}"
        );
    }
    // The captured length lies: the block is whole, and what it holds does not fit.
    let mut bytes = file.1.clone();
    bytes[start + 20..start + 24].copy_from_slice(&u32::MAX.to_le_bytes());
    let seen = read(&bytes);
    assert!(losses(&seen).is_empty() && format!("{seen:?}").contains("Passed(Body)"));
    assert_eq!(frames(&seen).len(), 2);
}

#[test]
fn a_file_that_ends_early_gives_the_frames_before_it() {
    let mut file = Writer::new(Order::Big);
    file.interface(1, 0, &[]);
    let mut ends = vec![file.1.len()];
    for data in [&b"abc"[..], b"defgh", b""] {
        file.enhanced(0, 1, data, &[]);
        ends.push(file.1.len());
    }
    for cut in ends[0]..=file.1.len() {
        let seen = read(&file.1[..cut]);
        let want = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(frames(&seen).len(), want, "cut at {cut}");
        assert_eq!(losses(&seen).is_empty(), ends.contains(&cut), "cut at {cut}");
        assert!(losses(&seen).iter().all(|loss| matches!(loss.fault, Fault::Cut { .. })));
    }
}

#[test]
fn interfaces_and_options_without_end_are_bounded() {
    let mut file = Writer::new(Order::Little);
    for _ in 0..limits::INTERFACES + 5 {
        file.interface(1, 0, &[]);
    }
    let last = u32::try_from(limits::INTERFACES).unwrap();
    file.enhanced(last - 1, 1, b"x", &[]).enhanced(last, 1, b"y", &[]);
    let seen = read(&file.1);
    let frames = frames(&seen);
    assert_eq!((frames[0].link, frames[1].link), (Some(1), None));

    let mut file = Writer::new(Order::Little);
    let body =
        [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[9, 0, 0, 0].repeat(limits::BLOCK_OPTIONS / 4)].concat();
    file.block(INTERFACE, &body).enhanced(0, 1, b"x", &[]);
    let seen = read(&file.1);
    assert!(format!("{seen:?}").contains("Passed(Body)"));
    assert_eq!(one(&seen).link, Some(u32::MAX));
}

/// A file with a bit of everything.
fn mixed(order: Order, lengths: &[usize]) -> Vec<u8> {
    let mut file = Writer::new(order);
    file.interface(1, 0, &[(NAME, b"a")]);
    for (index, length) in lengths.iter().enumerate() {
        let data = vec![3; *length];
        match index % 5 {
            0 => file.enhanced(0, as_u64(index), &data, &[(1, b"note")]),
            1 => file.simple(u32::try_from(*length).unwrap(), &data),
            2 => file.obsolete(0, 5, &data, &[]),
            3 => file.block(CUSTOM[0], &[1, 2, 3, 4]),
            _ => file.enhanced(0, as_u64(index), &data, &[]),
        };
    }
    file.1
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        lengths in prop::collection::vec(0_usize..300, 0..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        big in any::<bool>(),
        chunk in 1_usize..400,
    ) {
        let mut bytes = mixed(if big { Order::Big } else { Order::Little }, &lengths);
        for (index, value) in flips {
            let at = 28 + index.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        prop_assert_eq!(read(&bytes), events(Format::Pcapng, &bytes, Some(chunk)));
    }

    #[test]
    fn any_bytes_are_survived(
        body in prop::collection::vec(any::<u8>(), 0..3_000),
        kind in 0_u32..12,
        chunk in 1_usize..200,
    ) {
        for order in BOTH {
            let mut file = Writer::new(order);
            file.interface(1, 0, &[]).block(kind, &body);
            file.1.extend(&body);
            let seen = read(&file.1);
            prop_assert_eq!(&seen, &events(Format::Pcapng, &file.1, Some(chunk)));
        }
    }
}
