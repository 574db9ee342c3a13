//! The walk over a HAR: to `log`, to `entries`, and from one entry to the next.
//!
//! An entry that lies in one piece of the input is read where it lies; one that crosses a border is
//! gathered first, and while it is gathered its long strings are dropped when it grows too large.
//!
//! Invariants: the gathered bytes stay below twice the limit for an entry; both ways of reading an
//! entry give the same result.

use std::borrow::Cow;

use super::entry::{Entry, Program};
use super::feed::{Feed, Returnable};
use super::map::Mapper;
use super::scan::{Edge, ValueScan, first_key, next_entry, repaired};
use super::{HarError, HarErrorKind, program, vantage};
use crate::capture::source::as_u64;
use crate::evidence::{Diagnostic, DiagnosticCode};

/// Strings longer than this are dropped from an entry that is too large.
const LONG_TEXT: usize = 4 << 10;
/// Bytes kept of a key; a longer one is none that is looked for.
const KEY: usize = 64;
/// Bytes kept of `creator` and `browser`.
const SMALL_VALUE: usize = 64 << 10;
/// How often reading is taken up again inside a damaged entry; each may go over the limit's bytes.
const RESUMPTIONS: u32 = 32;
/// Bytes looked at to read entries where they lie: at first and after damage, then more and more.
const FIRST_WINDOW: usize = 4 << 10;
const LAST_WINDOW: usize = 4 << 20;
/// A gathering buffer larger than this is given back after use.
const KEPT_BUFFER: usize = 8 << 20;

/// Goes through one HAR.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about the file")]
pub(super) struct Walk<'a, F> {
    feed: Returnable<F>,
    mapper: Mapper<'a>,
    limit: usize,
    window: usize,
    buffer: Vec<u8>,
    key: Vec<u8>,
    records: u64,
    lost: u64,
    resumptions: u32,
    has_log: bool,
    has_entries: bool,
    is_cut: bool,
    is_odd: bool,
    creator: Option<(String, String)>,
    browser: Option<(String, String)>,
}

/// Which object is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Log,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

impl<'a, F: Feed> Walk<'a, F> {
    pub(super) fn new(feed: F, mapper: Mapper<'a>) -> Self {
        let limit = usize::try_from(mapper.options.limits.har_entry).unwrap_or(usize::MAX);
        Self {
            feed: Returnable::new(feed),
            mapper,
            limit,
            window: FIRST_WINDOW,
            buffer: Vec::new(),
            key: Vec::new(),
            records: 0,
            lost: 0,
            resumptions: 0,
            has_log: false,
            has_entries: false,
            is_cut: false,
            is_odd: false,
            creator: None,
            browser: None,
        }
    }

    /// Reads to the end and notes what was found, whatever happens on the way.
    pub(super) fn run(mut self) -> Result<(), HarError> {
        let outcome = self.start();
        self.conclude(outcome.is_err());
        outcome?;
        let kind = match (self.has_log, self.has_entries) {
            (_, true) => return Ok(()),
            (true, false) => HarErrorKind::NoEntries,
            (false, false) => HarErrorKind::NoLog,
        };
        Err(self.error(kind))
    }

    fn error(&self, kind: HarErrorKind) -> HarError {
        HarError { offset: self.feed.offset(), kind }
    }

    fn fill(&mut self) -> Result<&[u8], HarError> {
        let offset = self.feed.offset();
        self.feed.fill().map_err(|error| HarError { offset, kind: HarErrorKind::Read(error) })
    }

    fn conclude(&mut self, failed: bool) {
        let input = self.mapper.input;
        if self.is_cut {
            self.lost = self.lost.saturating_add(1);
            let offset = self.feed.offset();
            let text =
                format!("the file ends early; the {} entries before it are read", self.records);
            self.diagnose(DiagnosticCode::Truncated, offset, Some(1), text);
        } else if failed && self.has_entries {
            self.lost = self.lost.saturating_add(1);
        }
        let creator = self.creator.take().unwrap_or_default();
        let browser = self.browser.take().unwrap_or_default();
        let names = format!("{} {}", creator.0, browser.0);
        self.mapper.finish(creator.0.eq_ignore_ascii_case("webinspector"));
        if let Some(coverage) = self.mapper.into.coverage_mut(input) {
            coverage.vantage = vantage(&names);
            coverage.truncated |= self.is_cut || (failed && self.has_entries);
            coverage.records_lost = coverage.records_lost.saturating_add(self.lost);
        }
        if let Some(input) = self.mapper.into.input_mut(input) {
            input.records = input.records.saturating_add(self.records);
            let mut producer = program(&creator.0, &creator.1);
            let browser = program(&browser.0, &browser.1);
            if !browser.is_empty() && browser != producer {
                producer = program(&producer, &format!("({browser})"));
            }
            input.producer = Some(producer).filter(|producer| !producer.is_empty());
        }
    }

    fn diagnose(&mut self, code: DiagnosticCode, offset: u64, lost: Option<u64>, text: String) {
        let input = Some(self.mapper.input);
        self.mapper.into.add_diagnostic(Diagnostic {
            code,
            input,
            offset: Some(offset),
            lost,
            text,
        });
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>, HarError> {
        loop {
            let piece = self.fill()?;
            if piece.is_empty() {
                return Ok(None);
            }
            let found = piece.iter().position(|byte| !byte.is_ascii_whitespace());
            let next = found.and_then(|index| piece.get(index).copied());
            let blank = found.unwrap_or(piece.len());
            self.feed.consume(blank);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    fn start(&mut self) -> Result<(), HarError> {
        // A JSONP wrapper is a name and a parenthesis before the object.
        for _ in 0..256 {
            match self.peek()? {
                Some(b'{') => {
                    self.feed.consume(1);
                    self.object(Level::Root)?;
                    return Ok(());
                }
                Some(b'[' | b'"') => return Err(self.error(HarErrorKind::NoObject)),
                Some(_) => self.feed.consume(1),
                None => break,
            }
        }
        Err(self.error(HarErrorKind::NoObject))
    }

    /// Walks the members of an object whose brace was taken.
    fn object(&mut self, level: Level) -> Result<Flow, HarError> {
        loop {
            match self.peek()? {
                None => {
                    self.is_cut = true;
                    return Ok(Flow::Stop);
                }
                Some(b'}') => {
                    self.feed.consume(1);
                    return Ok(Flow::On);
                }
                Some(b',') => self.feed.consume(1),
                Some(b'"') => {
                    if self.member(level)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                Some(_) => {
                    self.note_odd();
                    self.feed.consume(1);
                }
            }
        }
    }

    /// Says once that the file is damaged between its values.
    fn note_odd(&mut self) {
        if !std::mem::replace(&mut self.is_odd, true) {
            let offset = self.feed.offset();
            let text = "this is no JSON; what could not be read was passed over up to the next key";
            self.diagnose(DiagnosticCode::HarShape, offset, None, text.to_owned());
        }
    }

    fn member(&mut self, level: Level) -> Result<Flow, HarError> {
        let Some(key) = self.value(KEY)? else { return Ok(Flow::Stop) };
        match self.peek()? {
            Some(b':') => self.feed.consume(1),
            Some(_) => {
                self.note_odd();
                return Ok(Flow::On);
            }
            None => {
                self.is_cut = true;
                return Ok(Flow::Stop);
            }
        }
        let begin = self.peek()?;
        let key = std::str::from_utf8(&key).unwrap_or_default().trim();
        match (level, key.trim_matches('"'), begin) {
            (Level::Root, "log", Some(b'{')) => {
                self.has_log = true;
                self.feed.consume(1);
                self.object(Level::Log)
            }
            (Level::Log, "entries", Some(b'[')) => {
                self.has_entries = true;
                self.feed.consume(1);
                self.entries()
            }
            (Level::Log, name @ ("creator" | "browser"), Some(b'{')) => {
                let is_creator = name == "creator";
                let Some(value) = self.value(SMALL_VALUE)? else { return Ok(Flow::Stop) };
                let text = String::from_utf8_lossy(&value);
                if let Ok(read) = serde_json::from_str::<Program<'_>>(&text) {
                    let text =
                        |leaf: super::entry::Leaf<'_>| leaf.text().unwrap_or_default().into_owned();
                    let names = Some((text(read.name), text(read.version)));
                    *(if is_creator { &mut self.creator } else { &mut self.browser }) = names;
                }
                Ok(Flow::On)
            }
            _ => Ok(if self.value(0)?.is_some() { Flow::On } else { Flow::Stop }),
        }
    }

    /// Takes one value and gives at most `keep` bytes of it; `None` when the file ends inside it.
    fn value(&mut self, keep: usize) -> Result<Option<Vec<u8>>, HarError> {
        let mut scan = ValueScan::default();
        let mut kept = Vec::new();
        // A key is a value that ends with its string, before the colon.
        let is_text = self.peek()? == Some(b'"');
        let mut is_first = true;
        loop {
            let piece = self.fill()?;
            if piece.is_empty() {
                self.is_cut = true;
                return Ok(None);
            }
            let end =
                if is_text { text_end(&mut scan, piece, &mut is_first) } else { scan.feed(piece) };
            let taken = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            let space = keep.saturating_sub(kept.len());
            kept.extend_from_slice(taken.get(..space).unwrap_or(taken));
            let count = taken.len();
            self.feed.consume(count);
            if end.is_some() {
                return Ok(Some(kept));
            }
        }
    }

    /// Walks the list of entries, whose bracket was taken.
    fn entries(&mut self) -> Result<Flow, HarError> {
        loop {
            match self.peek()? {
                None => {
                    self.is_cut = true;
                    return Ok(Flow::Stop);
                }
                Some(b']') => {
                    self.feed.consume(1);
                    return Ok(Flow::On);
                }
                Some(b',') => self.feed.consume(1),
                // The list was never closed.
                Some(b'}') => {
                    self.note_odd();
                    return Ok(Flow::On);
                }
                Some(b'{') => {
                    if self.mapper.options.is_cancelled() {
                        let offset = self.feed.offset();
                        let text =
                            format!("stopped; the {} entries before it are read", self.records);
                        self.diagnose(DiagnosticCode::Cancelled, offset, None, text);
                        self.lost = self.lost.saturating_add(1);
                        return Ok(Flow::Stop);
                    }
                    if self.entry()? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                Some(_) => {
                    let offset = self.feed.offset();
                    if self.value(0)?.is_none() {
                        return Ok(Flow::Stop);
                    }
                    self.bad_entry(offset, "it is no object");
                }
            }
        }
    }

    fn bad_entry(&mut self, offset: u64, why: &str) {
        let index = self.records;
        self.records = self.records.saturating_add(1);
        self.lost = self.lost.saturating_add(1);
        let text = format!("entry {index} cannot be read: {why}; the others are");
        self.diagnose(DiagnosticCode::HarEntry, offset, Some(1), text);
    }

    /// Reads the entries that lie whole in the piece at hand, or else the next one alone.
    fn entry(&mut self) -> Result<Flow, HarError> {
        if self.direct()? { Ok(Flow::On) } else { self.gather() }
    }

    fn index(&self) -> u32 {
        u32::try_from(self.records).unwrap_or(u32::MAX)
    }

    /// Reads entries where they lie, as long as all of one is there and nothing is wrong with it;
    /// gives whether there was one.
    fn direct(&mut self) -> Result<bool, HarError> {
        let offset = self.feed.offset();
        let piece = self
            .feed
            .fill()
            .map_err(|error| HarError { offset, kind: HarErrorKind::Read(error) })?;
        let piece = piece.get(..self.window).unwrap_or(piece);
        let text = match std::str::from_utf8(piece) {
            Ok(text) => text,
            Err(error) => {
                let valid = piece.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
        };
        let mut taken = 0_usize;
        let mut is_damaged = false;
        loop {
            let rest = text.get(taken..).unwrap_or_default();
            let entry = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            if !entry.starts_with('{') || self.mapper.options.is_cancelled() {
                break;
            }
            let mut stream = serde_json::Deserializer::from_str(entry).into_iter::<Entry<'_>>();
            let found = match stream.next() {
                Some(Ok(found)) if stream.byte_offset() <= self.limit => found,
                Some(Err(error)) => {
                    is_damaged = !error.is_eof();
                    break;
                }
                _ => break,
            };
            let index = u32::try_from(self.records).unwrap_or(u32::MAX);
            self.mapper.entry(index, &found, false);
            self.records = self.records.saturating_add(1);
            // Only inside the entry: what comes after it is looked at when its turn comes.
            let own = entry.as_bytes().get(..stream.byte_offset()).unwrap_or_default();
            if self.key.is_empty()
                && let Some(key) = first_key(own)
            {
                self.key = key.to_vec();
            }
            let blank = rest.len().saturating_sub(entry.len());
            taken = taken.saturating_add(blank).saturating_add(stream.byte_offset());
        }
        let wider = self.window.saturating_mul(4).min(LAST_WINDOW);
        self.window = if is_damaged { FIRST_WINDOW } else { wider };
        self.feed.consume(taken);
        Ok(taken > 0)
    }

    /// Gathers the entry and reads it, or finds out what is wrong with it.
    fn gather(&mut self) -> Result<Flow, HarError> {
        let offset = self.feed.offset();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut gathering =
            Gathering { scan: ValueScan::default(), limit: self.limit, ..Gathering::default() };
        let complete = loop {
            let piece = self.fill()?;
            if piece.is_empty() {
                break false;
            }
            let end = gathering.add(piece, &mut buffer);
            let count = end.unwrap_or(piece.len());
            self.feed.consume(count);
            if end.is_some() {
                break true;
            }
        };
        let flow = self.gathered(&buffer, offset, complete, &gathering);
        if buffer.capacity() <= KEPT_BUFFER {
            self.buffer = buffer;
        }
        Ok(flow)
    }

    fn gathered(
        &mut self,
        bytes: &[u8],
        offset: u64,
        complete: bool,
        gathering: &Gathering,
    ) -> Flow {
        let size = gathering.size;
        if gathering.lean {
            let text = format!(
                "entry {} has {size} bytes, more than the limit of {}; its long texts were left out",
                self.records, self.limit
            );
            self.diagnose(DiagnosticCode::HarEntryTooLarge, offset, None, text);
        }
        if gathering.hopeless {
            if !complete {
                self.is_cut = true;
                return Flow::Stop;
            }
            self.bad_entry(offset, "it is too large even without its long texts");
            return Flow::On;
        }
        let index = self.index();
        if complete && self.learn_and_read(bytes, index, offset, gathering.lean) {
            self.records = self.records.saturating_add(1);
            return Flow::On;
        }
        let error = if complete {
            let fixed = repaired(&String::from_utf8_lossy(bytes));
            match serde_json::from_str::<Entry<'_>>(&fixed) {
                Ok(entry) => {
                    self.mapper.entry(index, &entry, gathering.lean);
                    self.records = self.records.saturating_add(1);
                    return Flow::On;
                }
                Err(error) => Some(error),
            }
        } else {
            None
        };
        // Maybe it is not closed, and another entry begins inside.
        if !gathering.lean
            && !self.key.is_empty()
            && self.resumptions < RESUMPTIONS
            && let Some(next) = bytes.get(1..).and_then(|rest| next_entry(rest, &self.key))
        {
            self.resumptions = self.resumptions.saturating_add(1);
            let next = next.saturating_add(1);
            self.feed.put_back(bytes.get(next..).unwrap_or_default());
            let resumed = offset.saturating_add(as_u64(next));
            self.bad_entry(offset, &format!("it is not closed; resumed at byte {resumed}"));
            return Flow::On;
        }
        let Some(error) = error else {
            self.is_cut = true;
            return Flow::Stop;
        };
        // The text of the error may quote the file: its place and kind may not.
        let kind = match error.classify() {
            serde_json::error::Category::Eof => "it ends early",
            serde_json::error::Category::Syntax => "it is no JSON",
            _ => "a value is not understood",
        };
        let (line, column) = (error.line(), error.column());
        self.bad_entry(offset, &format!("{kind} (line {line}, column {column} of it)"));
        Flow::On
    }

    /// Reads gathered bytes, replacing what is not UTF-8; `false` when they are no JSON.
    fn learn_and_read(&mut self, bytes: &[u8], index: u32, offset: u64, lean: bool) -> bool {
        if self.key.is_empty()
            && let Some(key) = first_key(bytes)
        {
            self.key = key.to_vec();
        }
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            let says = format!("entry {index} holds bytes that are not UTF-8; they were replaced");
            self.diagnose(DiagnosticCode::InvalidText, offset, None, says);
        }
        let Ok(entry) = serde_json::from_str::<Entry<'_>>(&text) else { return false };
        self.mapper.entry(index, &entry, lean);
        true
    }
}

/// The end of a string that begins with the first byte that is fed.
fn text_end(scan: &mut ValueScan, piece: &[u8], is_first: &mut bool) -> Option<usize> {
    let mut at = 0_usize;
    if std::mem::take(is_first) {
        let Edge::Inside(count) = scan.step(piece) else { return None };
        at = count;
    }
    let rest = piece.get(at..).filter(|rest| !rest.is_empty())?;
    let Edge::Inside(count) = scan.step(rest) else { return None };
    (!scan.is_in_text()).then(|| at.saturating_add(count))
}

/// An entry that is put together from pieces.
#[derive(Default)]
struct Gathering {
    scan: ValueScan,
    limit: usize,
    /// Bytes of the entry so far, with those that were dropped.
    size: u64,
    /// Where in the buffer the string begins that is being read.
    text: Option<usize>,
    /// Long strings are dropped.
    lean: bool,
    /// The string that is being read is dropped.
    dropping: bool,
    /// Too large even so: nothing is kept.
    hopeless: bool,
}

impl Gathering {
    /// Takes a piece; gives how many bytes of it belong to the entry when the entry ends in it.
    fn add(&mut self, piece: &[u8], buffer: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            let rest = piece.get(at..).filter(|rest| !rest.is_empty())?;
            let was_text = self.scan.is_in_text();
            let edge = self.scan.step(rest);
            let count = match edge {
                Edge::Inside(count) | Edge::Complete(count) => count,
                Edge::Outside => rest.len(),
            };
            let is_text = self.scan.is_in_text();
            self.keep(rest.get(..count).unwrap_or_default(), was_text, is_text, buffer);
            at = at.saturating_add(count);
            if matches!(edge, Edge::Complete(_)) {
                return Some(at);
            }
        }
    }

    fn keep(&mut self, bytes: &[u8], was_text: bool, is_text: bool, buffer: &mut Vec<u8>) {
        self.size = self.size.saturating_add(as_u64(bytes.len()));
        if self.hopeless {
            return;
        }
        if !self.dropping {
            buffer.extend_from_slice(bytes);
        }
        if is_text && !was_text {
            self.text = Some(buffer.len());
        }
        if self.lean
            && let Some(begin) = self.text
        {
            let length = buffer.len().saturating_sub(begin);
            if length > LONG_TEXT {
                buffer.truncate(begin);
                self.dropping = true;
            }
        }
        if was_text && !is_text {
            if std::mem::take(&mut self.dropping) {
                buffer.push(b'"');
            }
            self.text = None;
        }
        if buffer.len() > self.limit && !self.lean {
            self.lean = true;
            self.shrink(buffer);
        }
        // A string that is not yet long may still be dropped: only what lies before it counts.
        if self.lean && !is_text && buffer.len() > self.limit {
            self.hopeless = true;
            *buffer = Vec::new();
        }
    }

    /// Drops the long strings that were kept so far.
    fn shrink(&mut self, buffer: &mut Vec<u8>) {
        let mut lean = Self { lean: true, limit: usize::MAX, ..Self::default() };
        let mut kept = Vec::new();
        lean.add(buffer, &mut kept);
        (self.text, self.dropping) = (lean.text, lean.dropping);
        *buffer = kept;
    }
}
