//! What a file that is no capture looks like, and how to make a capture of it.
//!
//! The first bytes decide; names never do. It must not know what a sign-in is.
//!
//! Invariant: a description is one line written by us; nothing of the file is in it.

use std::fmt;

use crate::evidence::Likeness::{
    self, Archive, Damaged, Empty, Etl, NetLog, Other, Packets, Picture,
};

/// What a file without a capture looks like.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    /// It in words.
    pub words: String,
    /// What kind of thing it is.
    pub like: Likeness,
}

impl Looks {
    pub(super) fn new(words: &str, like: Likeness) -> Self {
        Self { words: words.to_owned(), like }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

const PACKETS: &str = "the beginning of a packet capture, too short or damaged to be read";
const LATER: &str = "this version reads HAR files, Fiddler archives and packet captures";

/// Magic numbers at fixed places: offset, bytes, kind, description.
const MAGIC: &[(usize, &[u8], Likeness, &str)] = &[
    (0, b"\xa1\xb2\xc3\xd4", Damaged, PACKETS),
    (0, b"\xd4\xc3\xb2\xa1", Damaged, PACKETS),
    (0, b"\xa1\xb2\x3c\x4d", Damaged, PACKETS),
    (0, b"\x4d\x3c\xb2\xa1", Damaged, PACKETS),
    (0, b"\xa1\xb2\xcd\x34", Damaged, PACKETS),
    (0, b"\x34\xcd\xb2\xa1", Damaged, PACKETS),
    (0, b"\x0a\x0d\x0d\x0a", Damaged, PACKETS),
    (0, b"snoop\0\0\0", Packets, "a snoop packet capture: convert it with `editcap -F pcapng`"),
    (0, b"GMBU", Packets, "a Network Monitor capture: convert it with `editcap -F pcapng`"),
    (0, b"RTSS", Packets, "a Network Monitor capture: convert it with `editcap -F pcapng`"),
    (0, b"TRSNIFF data    \x1a", Packets, "a Sniffer capture: convert it with `editcap -F pcapng`"),
    (0, b"ElfFile\0", Other, "a Windows event log (EVTX): it is not read by this version"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Archive,
        "an Outlook message (.msg) or another OLE file: save the attachment and give that",
    ),
    (0, b"7z\xbc\xaf\x27\x1c", Archive, "a 7z archive: unpack it, or pack it again as zip"),
    (
        0,
        b"MSCF\0\0\0\0",
        Archive,
        "a cabinet archive (.cab): unpack it with `expand` and give what is inside",
    ),
    (0, b"Rar!\x1a\x07", Archive, "a RAR archive: unpack it, or pack it again as zip"),
    (0, b"%PDF-", Other, "a PDF document"),
    (0, b"\x89PNG\r\n\x1a\n", Picture, "a PNG image: a picture of a trace holds no trace"),
    (0, b"\xff\xd8\xff", Picture, "a JPEG image: a picture of a trace holds no trace"),
    (0, b"GIF8", Picture, "a GIF image"),
    (0, b"{\\rtf", Other, "a rich text document"),
    (0, b"MZ", Other, "a Windows program"),
    (0, b"\x7fELF", Other, "a program"),
    (0, b"SQLite format 3\0", Other, "an SQLite database"),
    (4, b"ftyp", Picture, "a video: a film of the screen holds no trace"),
    (0, b"\x1a\x45\xdf\xa3", Picture, "a video: a film of the screen holds no trace"),
];

/// Identifiers in the first record of an ETL file, in UTF-16.
const ETL_MARKS: &[&[u8]] = &[b"t\0z\0r\0e\0s\0.\0d\0l\0l\0", b".\0e\0t\0l\0"];

/// What a file with this beginning looks like.
pub(super) fn look(head: &[u8]) -> Looks {
    if head.is_empty() {
        return Looks::new("an empty file", Empty);
    }
    for (offset, magic, like, description) in MAGIC {
        if head.get(*offset..).is_some_and(|rest| rest.starts_with(magic)) {
            return Looks::new(description, *like);
        }
    }
    if is_etl(head) {
        let words = "a Windows trace (ETL): convert it with `etl2pcapng` or `pktmon etl2pcap`";
        return Looks::new(words, Etl);
    }
    let text = String::from_utf8_lossy(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head));
    let start = text.trim_start();
    if start.is_empty() && !head.contains(&0) {
        return Looks::new("a file of white space only", Empty);
    }
    text_kind(start).unwrap_or_else(|| Looks {
        words: format!("no format that is known; {LATER}"),
        like: Other,
    })
}

fn text_kind(start: &str) -> Option<Looks> {
    let (like, words) = if start.starts_with(['{', '[']) {
        if is_net_log(start) {
            (NetLog, "a NetLog of a Chromium browser: it is not read by this version; export a HAR")
        } else if is_sign_in_log(start) {
            (
                Other,
                "a sign-in log in JSON: it is not read by this version; capture the sign-in itself",
            )
        } else {
            (Other, "JSON that is not a HAR")
        }
    } else if start.starts_with('<') {
        let lower: String = start.chars().take(512).collect::<String>().to_ascii_lowercase();
        if lower.contains("<html") || lower.starts_with("<!doctype html") {
            (Other, "an HTML page: export the trace as HAR or Fiddler archive")
        } else {
            (Other, "an XML document")
        }
    } else if is_mail(start) {
        (Archive, "a mail (.eml): save the attachment and give that")
    } else if !start.contains('\0') && start.chars().filter(|c| *c == '\u{fffd}').count() < 3 {
        if start.starts_with("+---") && start.contains("Device State") {
            (Other, "the output of dsregcmd: it is not read by this version")
        } else {
            (Other, "plain text")
        }
    } else {
        return None;
    };
    Some(Looks::new(words, like))
}

/// Whether JSON is a NetLog, which the HAR reader need not go through.
pub(super) fn is_net_log(start: &str) -> bool {
    start.contains("\"constants\"") && start.contains("\"logEventTypes\"")
        || start.contains("\"constants\"") && start.contains("\"activeFieldTrialGroups\"")
}

fn is_sign_in_log(start: &str) -> bool {
    start.contains("\"conditionalAccessStatus\"") || start.contains("\"SignInLogs\"")
}

/// The first buffer of an ETL file begins with its size and holds the names of its session.
fn is_etl(head: &[u8]) -> bool {
    let size = head.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let plausible = size.is_some_and(|size| {
        (4096..=0x0010_0000).contains(&size) && size.checked_rem(512) == Some(0)
    });
    plausible && ETL_MARKS.iter().any(|mark| memchr::memmem::find(head, mark).is_some())
}

fn is_mail(start: &str) -> bool {
    const FIELDS: &[&str] = &[
        "received",
        "return-path",
        "from",
        "date",
        "message-id",
        "mime-version",
        "delivered-to",
        "subject",
    ];
    let mut fields = start.lines().take(40).filter_map(|line| line.split_once(':'));
    let is_field = |name: &str| FIELDS.contains(&name.trim().to_ascii_lowercase().as_str());
    fields.by_ref().filter(|(name, _)| is_field(name)).take(3).count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_sees() {
        let cases: &[(&[u8], Likeness, &str)] = &[
            (b"", Empty, "empty"),
            (b" \r\n", Empty, "white space"),
            (b"\xd4\xc3\xb2\xa1\x02\x00", Damaged, "packet capture"),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0", Damaged, "packet capture"),
            (b"snoop\0\0\0\0\0\0\x02", Packets, "editcap"),
            (b"GMBU\0\x02", Packets, "Network Monitor"),
            (b"ElfFile\0", Other, "EVTX"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Archive, "Outlook"),
            (
                b"Return-Path: <a>\r\nReceived: x\r\n\tby y\r\nFrom: z\r\nSubject: s\r\n",
                Archive,
                "mail",
            ),
            (b"7z\xbc\xaf\x27\x1c", Archive, "7z"),
            (b"%PDF-1.7", Other, "PDF"),
            (b"\x89PNG\r\n\x1a\n", Picture, "PNG"),
            (b"\xff\xd8\xff\xe0", Picture, "JPEG"),
            (b"{\"constants\":{\"logEventTypes\":{", NetLog, "NetLog"),
            (b"[1,2]", Other, "JSON"),
            (b"<!DOCTYPE html><html>", Other, "HTML"),
            (b"<?xml version=\"1.0\"?><a/>", Other, "XML"),
            (b"hello\nworld", Other, "plain text"),
            (b"\x00\x01\x02\xff\xfe\xfd", Other, "no format"),
        ];
        for (head, like, part) in cases {
            let found = look(head);
            assert!(found.words.contains(part), "{part}: {}", found.words);
            assert_eq!(found.like, *like, "{part}");
        }
    }

    #[test]
    fn an_etl_file_is_known() {
        let mut head = 65_536_u32.to_le_bytes().to_vec();
        head.extend("x@tzres.dll,-331".encode_utf16().flat_map(u16::to_le_bytes));
        let found = look(&head);
        assert!(found.words.contains("etl2pcapng"));
        assert_eq!(found.like, Etl);
    }
}
