//! Zip archives in memory: Fiddler archives and what hides captures.

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Packs members, with a comment of the archive.
pub(crate) fn zip(members: &[(String, Vec<u8>)], comment: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in members {
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.set_comment(comment.to_owned()).unwrap();
    writer.finish().unwrap().into_inner()
}

/// The same for members of which several may have one name: a packer refuses that, so the names are put
/// in afterwards.
pub(crate) fn zip_of_any_names(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    // A name that stands nowhere else, of the length of the one that is meant.
    let standing_in = |index: usize, name: &str| {
        let mut stand_in = format!("\u{1}{index}\u{1}");
        assert!(stand_in.len() <= name.len(), "{name}");
        stand_in.extend(std::iter::repeat_n('\u{1}', name.len() - stand_in.len()));
        stand_in
    };
    let renamed: Vec<(String, Vec<u8>)> = members
        .iter()
        .enumerate()
        .map(|(index, (name, bytes))| (standing_in(index, name), bytes.clone()))
        .collect();
    let mut bytes = zip(&renamed, "");
    for ((name, _), (stand_in, _)) in members.iter().zip(&renamed) {
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, stand_in).collect();
        for at in places {
            bytes.splice(at..at + name.len(), name.bytes());
        }
    }
    bytes
}

/// The members of an archive that is not protected.
pub(crate) fn unzip(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .filter_map(|index| {
            let mut member = archive.by_index(index).ok()?;
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).ok()?;
            Some((member.name().ok()?.into_owned(), bytes))
        })
        .collect()
}

/// Bytes as gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The members of a Fiddler archive around requests, responses and metadata.
pub(crate) fn saz(sessions: &[(Vec<u8>, Vec<u8>, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    for (index, (request, response, metadata)) in sessions.iter().enumerate() {
        let number = index + 1;
        for (kind, bytes) in [("c.txt", request), ("s.txt", response), ("m.xml", metadata)] {
            members.push((format!("raw/{number:05}_{kind}"), bytes.clone()));
        }
    }
    members
}

/// A tar of members.
pub(crate) fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap());
        header.set_cksum();
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}
