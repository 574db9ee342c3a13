//! One side of a connection: heads collected from a stream.
//!
//! It follows RFC 9112 sections 2.2 and 3: empty lines before a head are passed over, lines end in a
//! line feed with or without a carriage return before it. It must not know what a head says beyond its
//! first line.
//!
//! Invariants: `scanned <= head.len() <= limits::STREAM_HEAD`; each byte is looked at a bounded number
//! of times however small the pieces are.

use std::borrow::Cow;
use std::mem;

use memchr::memchr;

use super::framing::Body;
use crate::limits;
use crate::proto::{Mark, Peer, Probe};

/// Where the reading of a side stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// In the body of a message.
    Body(Body),
    /// At the start of a message or in its head.
    #[default]
    Head,
    /// Somewhere: a message is looked for where frames begin.
    Lost,
}

/// One side of a connection.
#[derive(Default)]
pub(super) struct Side {
    pub(super) state: State,
    /// Whether it was told that this side sends something else.
    pub(super) told: bool,
    /// Whether the head is a try to find the way again.
    pub(super) resync: bool,
    /// The head as far as it came.
    head: Vec<u8>,
    /// Where the head begins.
    begin: Option<Mark>,
    /// Bytes of the head in which its end is not.
    scanned: usize,
    /// Whether the first line was whole and right.
    line: bool,
    /// The frame that gave bytes last.
    last: Option<Mark>,
    /// The frame in which the body before this head ended.
    pub(super) ended: Option<Mark>,
}

/// What came of the bytes given.
pub(super) enum Collected<'a> {
    /// This is no head; where it begins.
    Garbage(Mark),
    /// A head, and where it begins.
    Head(Cow<'a, [u8]>, Mark),
    /// The start of a head that is too long to be read to its end.
    Long(Vec<u8>, Mark),
    /// The head goes on.
    More,
}

impl Side {
    /// Notes that bytes of a frame came; whether they are its first ones.
    pub(super) fn enter(&mut self, mark: Mark) -> bool {
        self.last.replace(mark).is_none_or(|last| last.frame != mark.frame)
    }

    /// The frame that gave bytes last.
    pub(super) const fn last(&self) -> Option<Mark> {
        self.last
    }

    /// Bytes held of a head.
    pub(super) const fn held(&self) -> usize {
        self.head.len()
    }

    /// Collects a head; the first value is how many of the bytes belong to it, at least one of some.
    pub(super) fn collect<'a>(
        &mut self,
        from: Peer,
        bytes: &'a [u8],
        mark: Mark,
    ) -> (usize, Collected<'a>) {
        if self.head.is_empty() {
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                return (blank, Collected::More);
            }
        }
        let before = self.head.len();
        let begin = *self.begin.get_or_insert(mark);
        let room = limits::STREAM_HEAD.saturating_sub(before);
        let part = bytes.get(..room).unwrap_or(bytes);
        let found = if before == 0 {
            self.scan(from, part, 0)
        } else {
            let mut head = mem::take(&mut self.head);
            head.extend_from_slice(part);
            let found = self.scan(from, &head, before);
            self.head = head;
            found
        };
        match found {
            Scan::End(end) if before == 0 => {
                self.reset();
                (end, Collected::Head(Cow::Borrowed(part.get(..end).unwrap_or(part)), begin))
            }
            Scan::End(end) => {
                let mut head = self.reset();
                head.truncate(end);
                (end.saturating_sub(before), Collected::Head(Cow::Owned(head), begin))
            }
            Scan::Garbage => {
                self.reset();
                (part.len(), Collected::Garbage(begin))
            }
            Scan::More => {
                if before == 0 {
                    self.head.extend_from_slice(part);
                }
                if self.head.len() < limits::STREAM_HEAD {
                    return (part.len(), Collected::More);
                }
                (part.len(), Collected::Long(self.reset(), begin))
            }
        }
    }

    /// Whether a message may begin so; where the way is looked for, and right behind a body, which may
    /// be longer than its head says, only in one of the usual ways.
    fn begins(&self, from: Peer, seen: &[u8]) -> Probe {
        let start = seen.get(..PREFIX).unwrap_or(seen);
        let strict = self.resync || (self.ended.is_some() && self.begin == self.ended);
        match from {
            Peer::Client if strict && !is_known_method(start) => Probe::No,
            Peer::Client => begins_request(start),
            Peer::Server => begins_response(start),
        }
    }

    /// What there is of a head that will not go on, if its first line is whole or nearly so: captures
    /// that keep the start of each packet only cut it there.
    pub(super) fn leftover(&mut self, from: Peer) -> Option<(Vec<u8>, Mark)> {
        let (line, begin) = (self.line, self.begin);
        let head = self.reset();
        let head = match from {
            _ if line => Some(head),
            Peer::Client => whole_request_line(&head),
            Peer::Server => Some(head).filter(|head| is_status_line(head)),
        };
        head.zip(begin)
    }

    /// Begins a new head, and gives what there was of the one before.
    fn reset(&mut self) -> Vec<u8> {
        self.begin = None;
        self.scanned = 0;
        self.line = false;
        mem::take(&mut self.head)
    }

    /// Looks for the end of the head; of `seen` the first `before` bytes were looked at already.
    fn scan(&mut self, from: Peer, seen: &[u8], before: usize) -> Scan {
        if !self.line && before < PREFIX && self.begins(from, seen) == Probe::No {
            return Scan::Garbage;
        }
        while let Some(end) = seen.get(self.scanned..).and_then(|rest| memchr(b'\n', rest)) {
            let end = self.scanned.saturating_add(end);
            let (line, rest) = seen.split_at_checked(end).unwrap_or((seen, &[]));
            if !self.line {
                if !is_start_line(from, line) {
                    return Scan::Garbage;
                }
                self.line = true;
            }
            match rest {
                [_, b'\n', ..] => return Scan::End(end.saturating_add(2)),
                [_, b'\r', b'\n', ..] => return Scan::End(end.saturating_add(3)),
                [_] | [_, b'\r'] => {
                    self.scanned = end;
                    return Scan::More;
                }
                _ => self.scanned = end.saturating_add(1),
            }
        }
        self.scanned = seen.len();
        Scan::More
    }
}

/// What a look for the end of a head found.
enum Scan {
    End(usize),
    Garbage,
    More,
}

/// Whether a request begins: a line of a method, a target and `HTTP/1.` (RFC 9112 section 3).
///
/// A line that is not whole is certain where the method is one of the registered ones.
pub fn probe_request(bytes: &[u8]) -> Probe {
    let bytes = without_blank(bytes);
    if let Some(end) = memchr(b'\n', bytes) {
        let line = bytes.get(..end).unwrap_or(bytes);
        return if is_request_line(line) { Probe::Certain } else { Probe::No };
    }
    match begins_request(bytes) {
        Probe::Unsure if bytes.contains(&b' ') && is_known_method(bytes) => Probe::Certain,
        probe => probe,
    }
}

/// Whether a response begins: `HTTP/1.` (RFC 9112 section 4).
pub fn probe_response(bytes: &[u8]) -> Probe {
    match begins_response(without_blank(bytes)) {
        Probe::Unsure if without_blank(bytes).len() >= VERSION.len() => Probe::Certain,
        probe => probe,
    }
}

fn without_blank(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes.get(blank..).unwrap_or_default()
}

fn is_start_line(from: Peer, line: &[u8]) -> bool {
    match from {
        Peer::Client => is_request_line(line),
        Peer::Server => is_status_line(line),
    }
}

/// Whether a request line may begin so; never certain.
fn begins_request(bytes: &[u8]) -> Probe {
    let token = bytes.iter().take_while(|byte| is_token(**byte)).count();
    match bytes.get(token..) {
        _ if token > MAX_METHOD => Probe::No,
        None | Some([]) => Probe::Unsure,
        Some([b' ' | b'\t', rest @ ..]) if token > 0 => {
            let window = rest.get(..PREFIX).unwrap_or(rest);
            let mut line = window.iter().take_while(|byte| **byte != b'\n');
            let text = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\r');
            if line.all(text) { Probe::Unsure } else { Probe::No }
        }
        Some(_) => Probe::No,
    }
}

fn begins_response(bytes: &[u8]) -> Probe {
    let start = bytes.get(..VERSION.len()).unwrap_or(bytes);
    let known = VERSION.get(..start.len()).unwrap_or(VERSION);
    if start.eq_ignore_ascii_case(known) { Probe::Unsure } else { Probe::No }
}

/// A line without its line feed that a request may begin with. Blanks within a target are wrong, but
/// are sent.
fn is_request_line(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let words = |byte: &u8| matches!(byte, b' ' | b'\t');
    let (Some(first), Some(last)) = (line.iter().position(words), line.iter().rposition(words))
    else {
        return false;
    };
    let method = line.get(..first).unwrap_or_default();
    let target = line.get(first..last).unwrap_or_default().trim_ascii();
    let version = line.get(last.saturating_add(1)..).unwrap_or_default();
    let named = (1..=MAX_METHOD).contains(&method.len()) && method.iter().all(|b| is_token(*b));
    let clean = !target.is_empty() && target.iter().all(|byte| *byte >= b' ' || *byte == b'\t');
    named && clean && is_version(version)
}

/// The request line, if only its version was cut.
fn whole_request_line(line: &[u8]) -> Option<Vec<u8>> {
    let blank = line.iter().rposition(|byte| *byte == b' ')?;
    let (start, version) = line.split_at_checked(blank.saturating_add(1))?;
    let cut = b"HTTP/1.1\r".starts_with(version) && is_known_method(line);
    let whole = [start, b"HTTP/1.1"].concat();
    (cut && is_request_line(&whole)).then_some(whole)
}

/// RFC 9112 section 4: a version and three digits.
fn is_status_line(line: &[u8]) -> bool {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let version = words.next().is_some_and(is_version);
    let code = words.find(|word| !word.is_empty());
    version && code.is_some_and(|code| code.len() == 3 && code.iter().all(u8::is_ascii_digit))
}

fn is_version(bytes: &[u8]) -> bool {
    bytes.split_at_checked(VERSION.len()).is_some_and(|(start, minor)| {
        start.eq_ignore_ascii_case(VERSION) && matches!(minor, [b'0'..=b'9'])
    })
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the bytes begin with a registered method and a blank, or are the start of that.
fn is_known_method(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let shared = bytes.len().min(method.len());
        bytes.get(..shared) == method.as_bytes().get(..shared)
    })
}

/// The version with its minor number left out (RFC 9112 section 2.3).
const VERSION: &[u8] = b"HTTP/1.";
/// Bytes of a method; the longest registered one has 17.
const MAX_METHOD: usize = 24;
/// Bytes of a first line that are looked at before it is whole.
const PREFIX: usize = 64;
/// Methods of RFC 9110 section 9 and RFC 5789, each with the blank behind it.
const METHODS: &[&str] =
    &["CONNECT ", "DELETE ", "GET ", "HEAD ", "OPTIONS ", "PATCH ", "POST ", "PUT ", "TRACE "];
