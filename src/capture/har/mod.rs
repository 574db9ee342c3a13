//! The HAR reader: HTTP archives 1.1 to 1.3 by whatever program wrote them.
//!
//! A small state machine walks the top level as the bytes come, and each entry is read by itself and
//! dropped: never a tree of the file. It must not know what a sign-in is.
//!
//! Invariants: memory does not grow with the file; the pieces in which it comes change nothing; an
//! entry that cannot be read costs one diagnostic and no other entry.

mod body;
mod entry;
mod failure;
mod feed;
mod map;
mod read;
mod scan;

use std::borrow::Cow;
use std::io;

use self::feed::{TextEncoding, Utf16, encoding};
use self::read::Walk;
use super::source::{Source, StreamError};
use super::{Probe, ReadError, ReadOptions, Reader};
use crate::evidence::{EvidenceBuilder, Format, InputId, Vantage, shown};
use crate::limits::Budget;

/// Bytes of the head that a probe looks at.
const PROBED: usize = 64 << 10;
/// Characters kept of the name of the program that wrote the file.
const PRODUCER: usize = 80;

/// Why nothing more came out of a HAR.
#[derive(Debug, thiserror::Error)]
#[error("byte {offset}: {kind}")]
pub struct HarError {
    /// The absolute offset in the input.
    pub offset: u64,
    /// What was found.
    pub kind: HarErrorKind,
}

/// What made reading a HAR end.
#[derive(Debug, thiserror::Error)]
pub enum HarErrorKind {
    /// There is a log, and it has no list of entries.
    #[error("the log of the HAR has no list of entries")]
    NoEntries,
    /// There is no log: some other JSON.
    #[error("JSON without a log: not a HAR")]
    NoLog,
    /// The first value is no object.
    #[error("a HAR begins with an object")]
    NoObject,
    /// The stream failed. What the system says about it is not repeated: it may hold a path.
    #[error("reading failed: {}", describe(.0))]
    Read(io::Error),
}

fn describe(error: &io::Error) -> String {
    StreamError::of(error).map_or_else(|| error.kind().to_string(), |known| known.to_string())
}

/// Reads HTTP archives.
#[derive(Clone, Copy, Debug, Default)]
pub struct HarReader;

impl Reader for HarReader {
    fn format(&self) -> Format {
        Format::Har
    }

    fn probe(&self, head: &[u8]) -> Probe {
        let head = head.get(..PROBED).unwrap_or(head);
        let text = head_text(head);
        let text = text.trim_start();
        let object = match jsonp(text) {
            Some(inside) => inside,
            None => text,
        };
        if !object.starts_with('{') {
            return Probe::No;
        }
        let mut rest = object;
        while let Some((_, behind)) = rest.split_once("\"log\"") {
            let value = behind.trim_start().strip_prefix(':').map(str::trim_start);
            if value.is_some_and(|value| value.starts_with('{') || value.is_empty()) {
                return Probe::Certain;
            }
            rest = behind;
        }
        Probe::Unsure
    }

    fn read(
        &self,
        source: &mut Source,
        options: &ReadOptions<'_>,
        budget: &mut Budget,
        input: InputId,
        into: &mut EvidenceBuilder,
    ) -> Result<(), ReadError> {
        let start = source.offset();
        let head = source.peek(4).map_err(|error| {
            ReadError::from(HarError { offset: start, kind: HarErrorKind::Read(error) })
        })?;
        let (encoding, mark) = encoding(head);
        io::BufRead::consume(source, mark);
        let mapper = map::Mapper::new(into, options, budget, input);
        match encoding {
            TextEncoding::Utf8 => Walk::new(source, mapper).run(),
            TextEncoding::Utf16Be => Walk::new(Utf16::new(source, true), mapper).run(),
            TextEncoding::Utf16Le => Walk::new(Utf16::new(source, false), mapper).run(),
        }
        .map_err(ReadError::from)
    }
}

/// The head of a file as text, whatever of the three encodings it has.
fn head_text(head: &[u8]) -> Cow<'_, str> {
    let (encoding, mark) = encoding(head);
    let body = head.get(mark..).unwrap_or_default();
    match encoding {
        TextEncoding::Utf8 => String::from_utf8_lossy(body),
        TextEncoding::Utf16Be => encoding_rs::UTF_16BE.decode_without_bom_handling(body).0,
        TextEncoding::Utf16Le => encoding_rs::UTF_16LE.decode_without_bom_handling(body).0,
    }
}

/// What stands inside `callback(...)`.
fn jsonp(text: &str) -> Option<&str> {
    let (name, inside) = text.split_once('(')?;
    let name = name.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    (name.len() <= 128 && name.chars().all(plain)).then(|| inside.trim_start())
}

/// The name of a program with its version, made fit to be shown.
fn program(name: &str, version: &str) -> String {
    shown(&format!("{} {}", name.trim(), version.trim()), PRODUCER)
}

/// Where a capture was taken, by the name of the program that wrote it.
fn vantage(names: &str) -> Vantage {
    const PROXIES: &[&str] =
        &["fiddler", "charles", "mitmproxy", "proxyman", "proxy", "burp", "zap", "http toolkit"];
    const BROWSERS: &[&str] = &[
        "browsertime",
        "chrome",
        "chromium",
        "edge",
        "firebug",
        "firefox",
        "iceweasel",
        "internet explorer",
        "opera",
        "playwright",
        "puppeteer",
        "safari",
        "webinspector",
        "webkit",
        "webpagetest",
    ];
    let names = names.to_lowercase();
    let has = |list: &[&str]| list.iter().any(|name| names.contains(name));
    if has(PROXIES) {
        Vantage::Proxy
    } else if has(BROWSERS) {
        Vantage::Browser
    } else {
        Vantage::Program
    }
}

/// Entry for fuzzing: any bytes as a HAR.
#[doc(hidden)]
pub fn fuzz_har(bytes: &[u8]) {
    super::fuzz::read(&HarReader, bytes);
}

#[cfg(test)]
mod tests;
