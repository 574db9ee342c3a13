//! Archives as packers write them, and as nobody should.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

use super::member::CP437;
use super::*;

fn walked(bytes: &[u8]) -> Vec<Located> {
    walk(&mut Cursor::new(bytes), 100).unwrap().members
}

fn listed(bytes: &[u8]) -> Option<Listing> {
    list(&mut Cursor::new(bytes), limits::ARCHIVE_MEMBERS).unwrap()
}

/// Members as they were written, and as they were streamed.
fn archives(members: &[(&str, &[u8])]) -> [Vec<u8>; 2] {
    let options = SimpleFileOptions::default();
    let mut known = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut streamed = zip::ZipWriter::new_stream(Vec::new());
    for (name, bytes) in members {
        known.start_file(*name, options).unwrap();
        known.write_all(bytes).unwrap();
        streamed.start_file(*name, options).unwrap();
        streamed.write_all(bytes).unwrap();
    }
    [known.finish().unwrap().into_inner(), streamed.finish().unwrap().into_inner()]
}

#[test]
fn members_with_and_without_a_record_behind_them() {
    let text = vec![b'x'; 100_000];
    let [known, streamed] = archives(&[("raw/1_c.txt", &text), ("raw/1_s.txt", &text)]);
    let found = walked(&known);
    assert_eq!(found.len(), 2);
    assert_eq!(&*found[1].name, b"raw/1_s.txt");
    assert!(!found[1].has_descriptor() && found[1].compressed.is_some());
    let again = walked(&streamed);
    assert_eq!(again.len(), 2);
    assert!(again[1].has_descriptor());
    assert_eq!(again[1].compressed, found[1].compressed);
    assert_eq!(walked(b"no archive"), []);
    for cut in 0..streamed.len() {
        walked(&streamed[..cut]);
        listed(&streamed[..cut]);
    }
}

#[test]
fn a_directory_is_found_and_read_as_a_whole() {
    let members: &[(&str, &[u8])] = &[("a", b"12"), ("b/", b""), ("c.txt", b"345")];
    for bytes in archives(members) {
        let plain = listed(&bytes).unwrap();
        assert_eq!(plain.short, None);
        let names: Vec<_> = plain.members.iter().map(Located::shown_name).collect();
        assert_eq!(names, ["a", "b/", "c.txt"]);
        // Bytes in front, and signatures in the comment.
        let mut more = b"something before it".to_vec();
        more.extend(&bytes);
        let comment = b"PK\x05\x06 is no end, and PK\x05\x06 neither: it is too short PK\x05\x06";
        let at = more.len() - 2;
        more[at..].copy_from_slice(&u16::try_from(comment.len()).unwrap().to_le_bytes());
        more.extend(comment);
        let listing = listed(&more).unwrap();
        assert_eq!((listing.members.len(), listing.comment.as_slice()), (3, &comment[..]));
        let mut reader = Bridge::new(Cursor::new(&more));
        for (member, (_, want)) in listing.members.iter().zip(members) {
            let mut text = Vec::new();
            member.open(&mut reader, None).unwrap().read_to_end(&mut text).unwrap();
            assert_eq!(text, *want);
        }
        // A part of a directory is none: members are found by their headers.
        let second = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
        let mut torn = bytes.clone();
        torn[second] = b'x';
        let listing = listed(&torn).unwrap();
        assert_eq!((listing.members.len(), listing.short), (3, Some(Short::NoDirectory)));
    }
    let [empty, _] = archives(&[]);
    assert_eq!(listed(&empty).unwrap(), Listing { members: vec![], comment: vec![], short: None });
    assert_eq!(listed(b""), None);
    // One that claims to be empty behind one that is not.
    let [full, _] = archives(members);
    assert_eq!(listed(&[full, empty].concat()).unwrap().members.len(), 3);
}

/// An entry of a directory, the numbers of which stand in its Zip64 field.
fn wide_entry(name: &[u8], length: usize, header: usize) -> Vec<u8> {
    let mut entry = b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0".to_vec();
    entry.extend([0xff; 8]);
    entry.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    entry.extend(28_u16.to_le_bytes());
    entry.extend([0; 10]);
    entry.extend([0xff; 4]);
    entry.extend(name);
    entry.extend([1, 0, 24, 0]);
    for number in [length, length, header] {
        entry.extend(as_u64(number).to_le_bytes());
    }
    entry
}

/// The records at the end of an archive of Zip64.
fn wide_end(entries: u64, size: usize, start: usize) -> Vec<u8> {
    let mut end = b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
    for number in [entries, entries, as_u64(size), as_u64(start)] {
        end.extend(number.to_le_bytes());
    }
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend(as_u64(start.saturating_add(size)).to_le_bytes());
    end.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    end.extend([0xff; 12]);
    end.extend([0, 0]);
    end
}

#[test]
fn wide_numbers_and_names_that_are_shared() {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let texts: [&[u8]; 3] = [b"first", b"second", b"third"];
    for text in texts {
        directory.extend(wide_entry(b"x", text.len(), bytes.len()));
        bytes.extend(b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\x01\0\0\0");
        bytes.extend([u32::try_from(text.len()).unwrap(); 2].map(u32::to_le_bytes).concat());
        bytes.extend([1, 0, 0, 0, b'x']);
        bytes.extend(text);
    }
    let start = bytes.len();
    bytes.extend(&directory);
    bytes.extend(wide_end(3, directory.len(), start));
    for before in [b"".as_slice(), b"something before it"] {
        let bytes = [before, &bytes].concat();
        let listing = listed(&bytes).unwrap();
        assert_eq!(listing.short, None);
        let found: Vec<&[u8]> = listing
            .members
            .iter()
            .map(|member| {
                let begin = member.data(&mut Cursor::new(&bytes)).unwrap();
                let begin = usize::try_from(begin).unwrap();
                &bytes[begin..][..usize::try_from(member.compressed.unwrap()).unwrap()]
            })
            .collect();
        assert_eq!(found, texts);
    }
}

#[test]
fn what_an_archive_claims_makes_no_room() {
    // As many entries as no memory holds, in a directory that is as long as it says.
    let zeros = vec![0; 1 << 20];
    for entries in [u64::MAX, 1 << 40, as_u64(zeros.len()) / 46] {
        let bytes = [zeros.clone(), wide_end(entries, zeros.len(), 0)].concat();
        assert_eq!(listed(&bytes), None);
    }
    // More of them than are listed, all of one member.
    let member = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let count = limits::ARCHIVE_MEMBERS + 1;
    let directory = wide_entry(b"", 0, 0).repeat(count);
    let end = wide_end(as_u64(count), directory.len(), member.len());
    let listing = listed(&[member.as_slice(), &directory, &end].concat()).unwrap();
    assert_eq!(listing.members.len(), limits::ARCHIVE_MEMBERS);
    assert_eq!(listing.short, Some(Short::Full));
    // And long names.
    let entry = wide_entry(&vec![b'n'; 65_535], 0, 0);
    let directory = entry.repeat(600);
    let end = wide_end(600, directory.len(), member.len());
    let listing = listed(&[member.as_slice(), &directory, &end].concat()).unwrap();
    assert!(listing.members.len() < 520 && listing.short == Some(Short::Full));
}

#[test]
fn what_the_directory_says_of_a_member_counts() {
    let text = b"text of a member, text of a member".as_slice();
    let [known, _] = archives(&[("a", text), ("b", text)]);
    // Of the local header of the first: bits, method, checksum, lengths, and a name that is one byte of a field.
    let changes: [(usize, &[u8]); 5] =
        [(6, &[1, 0]), (8, &[99, 0]), (14, &[0; 12]), (18, &[0xff; 8]), (26, &[0, 0, 1, 0])];
    for (at, bytes) in changes {
        let mut archive = known.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        let listing = listed(&archive).unwrap();
        let mut bridge = Bridge::new(Cursor::new(&archive));
        for member in &listing.members {
            let mut read = Vec::new();
            member.open(&mut bridge, None).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text, "{at}");
        }
    }
}

#[test]
fn an_archive_inside_one_that_broke_off_is_a_member_of_it() {
    let [inner, _] = archives(&[("x", b"1"), ("y", b"2")]);
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("a", b"3".as_slice()), ("in.zip", &inner)] {
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    let whole = writer.finish().unwrap().into_inner();
    let directory = memchr::memmem::rfind(&whole, b"PK\x01\x02").unwrap();
    for cut in [directory, directory + 20, whole.len() - 30, whole.len() - 1] {
        let listing = listed(&whole[..cut]).unwrap();
        let names: Vec<_> = listing.members.iter().map(Located::shown_name).collect();
        assert_eq!(
            (names, listing.short),
            (vec!["a".into(), "in.zip".into()], Some(Short::NoDirectory))
        );
    }
    // Behind each other they are what other programs take them for.
    assert_eq!(listed(&[whole.clone(), inner].concat()).unwrap().members.len(), 2);
    assert_eq!(
        listed(&[b"PK\x07\x08".as_slice(), &whole[..directory]].concat()).unwrap().members.len(),
        2
    );
}

#[test]
fn a_wide_record_behind_a_member_may_lie_anywhere() {
    for length in 65_536 - 30..65_536 + 2 {
        let data = vec![b'x'; length];
        let mut bytes = b"PK\x03\x04\x2d\0\x08\0\0\0\0\0\x21\0".to_vec();
        bytes.extend([0; 12]);
        bytes.extend([1, 0, 0, 0, b'a']);
        bytes.extend(&data);
        bytes.extend(b"PK\x07\x08\0\0\0\0");
        bytes.extend([as_u64(length); 2].map(u64::to_le_bytes).concat());
        let [behind, _] = archives(&[("b", b"1")]);
        bytes.extend(&behind[..behind.len() - 22]);
        assert_eq!(walked(&bytes).len(), 2, "{length}");
    }
}

#[test]
fn places_behind_every_end_are_nowhere() {
    let [known, _] = archives(&[("a", b"1"), ("b", b"2")]);
    let directory = memchr::memmem::find(&known, b"PK\x01\x02").unwrap();
    let end = memchr::memmem::find(&known, b"PK\x05\x06").unwrap();
    // The place of the directory, with and without Zip64, that of the wide record, and lengths of members.
    let mut claimed = known.clone();
    claimed[end + 16..end + 20].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    let mut wide = known[..end].to_vec();
    wide.extend(wide_end(2, end - directory, usize::MAX - end + directory));
    let mut locator = wide.clone();
    locator[end + 56 + 8..end + 56 + 16].copy_from_slice(&[0xff; 8]);
    let mut torn = known[..directory].to_vec();
    torn[18..22].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    for (bytes, members) in [(claimed, 2), (wide, 2), (locator, 2), (torn, 1)] {
        // A file, because only that refuses to be read where nothing can be.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert_eq!(list(&mut file, 100).unwrap().unwrap().members.len(), members);
    }
}

#[test]
fn names_of_other_code_pages_are_read() {
    let named = |name: &[u8], extras: &[u8]| {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend([0; 24]);
        for length in [name.len(), extras.len()] {
            bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
        }
        bytes.extend([0; 14]);
        bytes.extend([name, extras].concat());
        entry(&mut bytes.as_slice(), 0).unwrap().shown_name().into_owned()
    };
    assert_eq!(CP437.chars().count(), 128);
    assert_eq!(named(b"M\x81ller\xff.har", b""), "Müller\u{a0}.har");
    assert_eq!(named("Müller.har".as_bytes(), b""), "Müller.har");
    let mut crc = flate2::Crc::new();
    crc.update(b"M?ller");
    let mut extras = b"\x07\0\x01\0x".to_vec();
    extras.extend(b"\x75\x70\x0c\0\x01");
    extras.extend(crc.sum().to_le_bytes());
    extras.extend("Müller".as_bytes());
    assert_eq!(named(b"M?ller", &extras), "Müller");
    // That of another name is left.
    assert_eq!(named(b"M!ller", &extras), "M!ller");
}
