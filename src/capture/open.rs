//! The walk through one input: through compression and archives to the captures inside.
//!
//! What a stream is, is decided by its content at each level anew. A capture becomes an input of its
//! own; what is none is passed over, unless there is nothing else. It must not know what a capture
//! holds.
//!
//! Invariants: no count and no size that an archive declares is trusted; archives are nested no
//! deeper than the limit; every input given leaves at least one [`Input`] behind.

mod key_logs;
#[cfg(test)]
mod tests;

use std::io;

use self::key_logs::no_secret;
use super::archive::is_tar;
use super::frames::describe;
use super::fuzz;
use super::look::{Looks, is_net_log, look};
use super::source::{Source, StreamError};
use super::unpack::{Codec, SharedSource};
use super::{
    HarError, HarErrorKind, PacketError, Probe, READERS, ReadError, ReadOptions, Reader, SazError,
};
use crate::evidence::{
    Diagnostic, DiagnosticCode, EvidenceBuilder, Format, Input, InputId, Likeness, shown,
};
use crate::limits::{self, Budget};
use crate::proto;
use crate::proto::tls::KeyLog;

/// Bytes looked at to recognise a format.
const HEAD: usize = 64 << 10;
/// Characters kept of the name of a member.
const NAME: usize = 200;

/// Opens one input given by the user and reads all captures in it.
///
/// Nothing that goes wrong is lost: it is a diagnostic of an input.
pub fn open(
    name: &str,
    source: Source,
    options: &ReadOptions<'_>,
    hash: bool,
    into: &mut EvidenceBuilder,
) {
    let source = source.with_limit(options.limits.input);
    let source = if hash { source.with_hash() } else { source };
    Walk::new(options, hash, into).visit(&Place::outermost(name), source);
}

/// Opens one input and hands over the evidence of each capture in it as soon as that was read: nobody has
/// to hold all of them.
///
/// What stands in no capture, such as a member that cannot be read, comes with the next one, or stays in the evidence that
/// is returned. The inputs that came out of a container get `container_sha256`. Once `each` answers `false`, what
/// follows is passed over and that is noted.
pub fn open_each(
    name: &str,
    source: Source,
    options: &ReadOptions<'_>,
    container_sha256: Option<String>,
    each: &mut dyn FnMut(EvidenceBuilder) -> bool,
) -> EvidenceBuilder {
    let source = source.with_limit(options.limits.input);
    let source = if container_sha256.is_none() { source.with_hash() } else { source };
    let mut left = EvidenceBuilder::new();
    let mut hand_over = |read| each(read);
    let mut walk = Walk::new(options, true, &mut left);
    walk.container_sha256 = container_sha256;
    walk.each = Some(&mut hand_over);
    walk.visit(&Place::outermost(name), source);
    if walk.is_full && walk.passed > 0 {
        let text = format!(
            "{}: {} captures in it were passed over: the limit for one file",
            shown(name, NAME),
            walk.passed
        );
        left.diagnose(DiagnosticCode::LimitReached, None, &text);
    }
    left
}

/// Opens one input and reads those of the captures in it that have one of these names.
pub fn open_members(
    name: &str,
    source: Source,
    options: &ReadOptions<'_>,
    members: &[String],
    into: &mut EvidenceBuilder,
) {
    let source = source.with_limit(options.limits.input).with_hash();
    let mut walk = Walk::new(options, true, into);
    walk.only = Some(members);
    walk.visit(&Place::outermost(name), source);
}

/// Whether what begins like this is a container: compressed, or an archive that is no capture itself.
///
/// A zip is taken for one, though a Fiddler archive is a zip as well.
pub fn is_container(head: &[u8]) -> bool {
    Codec::of(head).is_some() || is_zip(head) || is_tar(head)
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
        || head.starts_with(b"PK\x05\x06")
        || head.starts_with(b"PK\x07\x08PK\x03\x04")
}

/// Reads the keys that the user gave, as [`open`] reads captures.
pub fn open_keys(
    name: &str,
    source: Source,
    options: &ReadOptions<'_>,
    into: &mut EvidenceBuilder,
) {
    let mut walk = Walk::new(options, false, into);
    walk.sought = Sought::Keys;
    walk.visit(&Place::outermost(name), source);
}

/// What is looked for in what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    Captures,
    /// Secrets of TLS, and nothing else.
    Keys,
}

/// Where in the nest of containers a stream stands.
pub(super) struct Place {
    pub(super) name: String,
    container: Vec<&'static str>,
    pub(super) depth: u32,
    pub(super) is_member: bool,
}

impl Place {
    /// What the user gave.
    fn outermost(name: &str) -> Self {
        Self { name: name.to_owned(), container: Vec::new(), depth: 0, is_member: false }
    }

    fn inside(&self, container: &'static str) -> Self {
        let mut inside = Self {
            name: self.name.clone(),
            container: self.container.clone(),
            depth: self.depth.saturating_add(1),
            is_member: self.is_member,
        };
        inside.container.push(container);
        inside
    }

    pub(super) fn member(&self, container: &'static str, name: &str) -> Self {
        let mut member = self.inside(container);
        let separator = if self.is_member { '/' } else { '!' };
        member.name = format!("{}{separator}{}", self.name, shown(name, NAME));
        member.is_member = true;
        member
    }
}

/// What an archive holds besides captures.
#[derive(Default)]
pub(super) struct Others {
    count: u64,
    first: Option<Looks>,
    /// Members for which no password was right.
    pub(super) protected: u64,
}

impl Others {
    /// Notes a member that is no capture.
    pub(super) fn note(&mut self, looks: Option<Looks>) {
        if let Some(looks) = looks {
            self.count = self.count.saturating_add(1);
            let like = looks.like;
            let first = self.first.get_or_insert(looks);
            first.like = first.like.or_nearer(like);
        }
    }
}

/// The state of opening one input.
pub(super) struct Walk<'a, 'o> {
    pub(super) options: &'a ReadOptions<'o>,
    hash: bool,
    pub(super) budget: Budget,
    pub(super) into: &'a mut EvidenceBuilder,
    pub(super) inputs: Vec<InputId>,
    /// Bytes of nested archives and protected members that are in memory.
    pub(super) held: u64,
    /// Members of the archives that are open.
    pub(super) listed: usize,
    pub(super) sought: Sought,
    /// Whether a packet capture was among what was read.
    has_packets: bool,
    /// Who is handed the evidence of each capture.
    each: Option<&'a mut (dyn FnMut(EvidenceBuilder) -> bool + 'a)>,
    /// Whether no more captures are wanted.
    is_full: bool,
    /// The names of the only captures that are wanted.
    only: Option<&'a [String]>,
    /// Captures that were passed over.
    passed: u64,
    /// Hash of the file as a whole, where it is known before.
    container_sha256: Option<String>,
}

impl<'a, 'o> Walk<'a, 'o> {
    fn new(options: &'a ReadOptions<'o>, hash: bool, into: &'a mut EvidenceBuilder) -> Self {
        let budget = Budget::new(options.limits.expanded, options.limits.ratio);
        let sought = Sought::Captures;
        Self {
            options,
            hash,
            budget,
            into,
            inputs: Vec::new(),
            held: 0,
            listed: 0,
            sought,
            has_packets: false,
            each: None,
            only: None,
            is_full: false,
            passed: 0,
            container_sha256: None,
        }
    }
}

impl Walk<'_, '_> {
    /// Looks at a stream and does what it calls for; gives what it is when it is no capture.
    pub(super) fn visit(&mut self, place: &Place, mut source: Source) -> Option<Looks> {
        let head = match source.peek(HEAD) {
            Ok(head) => head.to_vec(),
            Err(error) => {
                let looks = Looks::new("a stream that cannot be read", Likeness::Damaged);
                let id =
                    (!place.is_member).then(|| self.add_unrecognised(place, &mut source, &looks));
                self.report_stream(id, place, &error);
                return Some(looks);
            }
        };
        if let Some(codec) = Codec::of(&head) {
            return self.expand(place, source, codec);
        }
        if is_zip(&head) {
            return self.zip(place, source);
        }
        if is_tar(&head) {
            return self.tar(place, source);
        }
        if KeyLog::probe(&head) == proto::Probe::Certain {
            self.keys(place, source);
            return None;
        }
        let reader = READERS
            .iter()
            .map(|reader| (reader.probe(&head), *reader))
            .filter(|(probe, _)| *probe != Probe::No)
            .rev()
            .max_by_key(|(probe, _)| *probe);
        if self.sought == Sought::Keys {
            let format = reader.filter(|(probe, _)| *probe == Probe::Certain);
            return self.keys_of(place, source, &head, format.map(|(_, reader)| reader.format()));
        }
        match reader {
            Some((Probe::Certain, reader)) => self.read(place, source, reader),
            // In an archive only what is surely a capture is one: it may hold any JSON.
            Some((_, reader))
                if !place.is_member && !is_net_log(&String::from_utf8_lossy(&head)) =>
            {
                self.read(place, source, reader)
            }
            _ => {
                let looks = look(&head);
                if !place.is_member {
                    self.unrecognised(place, source, &looks);
                }
                Some(looks)
            }
        }
    }

    /// Whether a capture is to be read.
    fn is_wanted(&self, place: &Place) -> bool {
        !self.is_full && self.only.is_none_or(|wanted| wanted.contains(&place.name))
    }

    pub(super) fn read(
        &mut self,
        place: &Place,
        mut source: Source,
        reader: &dyn Reader,
    ) -> Option<Looks> {
        if !self.is_wanted(place) {
            self.passed = self.passed.saturating_add(1);
            return None;
        }
        source = self.hashed(place, source);
        let id = self.add_input(place, reader.format());
        if reader.format().is_packets() {
            self.raise_for_packets();
        }
        let outcome = reader.read(&mut source, self.options, &mut self.budget, id, self.into);
        if let Err(error) = outcome {
            self.report(id, &error);
        }
        if self.budget.is_exhausted() {
            let text = "more was expanded than the limit allows; what follows is not read";
            self.into.diagnose(DiagnosticCode::LimitReached, Some(id), text);
        }
        self.complete(id, source);
        if let Some(each) = &mut self.each {
            self.is_full = !each(std::mem::take(self.into));
        }
        None
    }

    /// Lets more be expanded, since packets are among it.
    pub(super) fn raise_for_packets(&mut self) {
        if !std::mem::replace(&mut self.has_packets, true) {
            let limits = self.options.limits;
            self.budget.raise(limits.expanded_packets.saturating_sub(limits.expanded));
        }
    }

    /// Notes size and hash of an input that was read.
    pub(super) fn complete(&mut self, id: InputId, mut source: Source) {
        let sha256 = source.finish_hash_unless(&|| self.options.is_cancelled());
        let bytes = source.size();
        if source.is_limited() {
            let text = format!("only the first {bytes} bytes were read: the limit for an input");
            self.into.diagnose(DiagnosticCode::LimitReached, Some(id), &text);
        }
        if let Some(input) = self.into.input_mut(id) {
            input.sha256 = sha256;
            input.bytes = bytes;
        }
    }

    pub(super) fn add_input(&mut self, place: &Place, format: Format) -> InputId {
        let mut input = Input::named(&place.name);
        input.container.clone_from(&place.container);
        input.format = format;
        if !input.container.is_empty() {
            input.container_sha256.clone_from(&self.container_sha256);
        }
        let id = self.into.add_input(input);
        self.inputs.push(id);
        id
    }

    pub(super) fn add_unrecognised(
        &mut self,
        place: &Place,
        source: &mut Source,
        looks: &Looks,
    ) -> InputId {
        let id = self.add_input(place, Format::Unrecognised);
        if let Some(input) = self.into.input_mut(id) {
            input.looks_like = Some(looks.words.clone());
            input.likeness = Some(looks.like);
            input.bytes = source.size();
        }
        id
    }

    pub(super) fn unrecognised(&mut self, place: &Place, source: Source, looks: &Looks) {
        let mut source = self.hashed(place, source);
        let id = self.add_unrecognised(place, &mut source, looks);
        let (code, text) = match self.sought {
            Sought::Captures => {
                let text = format!("no capture that is read; it looks like {looks}");
                (DiagnosticCode::NotRecognised, text)
            }
            Sought::Keys => (DiagnosticCode::KeyLog, no_secret(looks)),
        };
        self.into.diagnose(code, Some(id), &text);
        self.complete(id, source);
        if self.options.is_cancelled() {
            let text = "stopped before its end was read, so that it has no hash";
            self.into.diagnose(DiagnosticCode::Cancelled, Some(id), text);
        }
    }

    fn report(&mut self, id: InputId, error: &ReadError) {
        let offset = error.offset();
        let code = match error {
            ReadError::Har(HarError { kind: HarErrorKind::NoEntries, .. }) => {
                DiagnosticCode::HarShape
            }
            ReadError::Har(HarError {
                kind: HarErrorKind::NoLog | HarErrorKind::NoObject, ..
            }) => {
                if let Some(input) = self.into.input_mut(id) {
                    input.format = Format::Unrecognised;
                    input.looks_like = Some("JSON that is not a HAR".to_owned());
                    input.likeness = Some(Likeness::Other);
                }
                DiagnosticCode::NotRecognised
            }
            ReadError::Har(HarError { kind: HarErrorKind::Read(error), .. })
            | ReadError::Packets(PacketError { error, .. })
            | ReadError::Saz(SazError::Io(error)) => stream_code(error),
            ReadError::Saz(SazError::Encrypted { .. }) => DiagnosticCode::Encrypted,
            ReadError::Saz(SazError::NotAnArchive | SazError::NoSessions { .. }) => {
                DiagnosticCode::ArchiveMember
            }
        };
        // The offset stands beside the text.
        let text = match error {
            ReadError::Har(error) => error.kind.to_string(),
            ReadError::Packets(error) => format!("reading failed: {}", describe(&error.error)),
            ReadError::Saz(_) => error.to_string(),
        };
        self.into.add_diagnostic(Diagnostic { code, input: Some(id), offset, lost: None, text });
    }

    pub(super) fn report_stream(&mut self, id: Option<InputId>, place: &Place, error: &io::Error) {
        let what = StreamError::of(error)
            .map_or_else(|| error.kind().to_string(), |known| known.to_string());
        let text = format!("{}: {what}", shown(&place.name, NAME));
        self.into.diagnose(stream_code(error), id, &text);
    }

    /// Says that something inside an archive is too large to be held.
    pub(super) fn report_held(&mut self, id: Option<InputId>, place: &Place) {
        let name = shown(&place.name, NAME);
        let text = format!(
            "{name}: has to be held in memory and is larger than {} MiB; unpack it first and give \
             what is inside",
            limits::HELD / limits::MIB
        );
        self.into.diagnose(DiagnosticCode::LimitReached, id, &text);
    }

    /// Whether the limit of nesting forbids to go into a container.
    pub(super) fn is_too_deep(&mut self, place: &Place) -> bool {
        let limit = self.options.limits.archive_depth;
        let too_deep = place.depth >= limit;
        if too_deep {
            let name = shown(&place.name, NAME);
            let text = format!("{name}: archives are nested deeper than {limit}; not opened");
            self.into.diagnose(DiagnosticCode::ArchiveTooDeep, None, &text);
        }
        too_deep
    }

    /// Gives the hash of the file as a whole to the inputs that came out of it.
    fn hash_container(&mut self, place: &Place, source: &mut Source, first: usize) {
        if place.depth == 0 && self.each.is_none() {
            let hash = source.finish_hash_unless(&|| self.options.is_cancelled());
            self.share_hash(place, first, hash);
        }
    }

    /// The same with a hash that is known.
    pub(super) fn share_hash(&mut self, place: &Place, first: usize, hash: Option<String>) {
        // What was handed over has it.
        let Some(hash) = hash.filter(|_| place.depth == 0 && self.each.is_none()) else { return };
        for id in self.inputs.get(first..).unwrap_or_default() {
            if let Some(input) = self.into.input_mut(*id).filter(|i| !i.container.is_empty()) {
                input.container_sha256 = Some(hash.clone());
            }
        }
    }

    /// Reads a capture that may hold others, and gives its hash.
    pub(super) fn read_hashed(
        &mut self,
        place: &Place,
        mut source: Source,
        reader: &dyn Reader,
    ) -> Option<String> {
        if !self.is_wanted(place) {
            self.passed = self.passed.saturating_add(1);
            return source.finish_hash_unless(&|| self.options.is_cancelled());
        }
        let first = self.inputs.len();
        self.read(place, source, reader);
        let id = self.inputs.get(first).copied()?;
        self.into.input_mut(id)?.sha256.clone()
    }

    /// Notes of the inputs since there were so many that more was to come.
    pub(super) fn mark_truncated(&mut self, first: usize) {
        for id in self.inputs.get(first..).unwrap_or_default() {
            if let Some(coverage) = self.into.coverage_mut(*id) {
                coverage.truncated = true;
            }
        }
    }

    fn expand(&mut self, place: &Place, source: Source, codec: Codec) -> Option<Looks> {
        let words = format!("{} data that is not opened", codec.as_str());
        let looks = Looks { words, like: Likeness::Archive };
        if self.is_too_deep(place) {
            if !place.is_member {
                self.unrecognised(place, source, &looks);
            }
            return Some(looks);
        }
        let first = self.inputs.len();
        let shared = SharedSource::new(source);
        let inside = Source::stream(Box::new(codec.expand(shared.clone(), self.budget.share())));
        let looks = self.visit(&place.inside(codec.as_str()), inside);
        shared.with(|source| self.hash_container(place, source, first));
        looks
    }

    /// The same source, hashed while it is read if it lies in something else: a file is hashed as it was opened.
    ///
    /// Most of what lies in archives is no capture, so it is hashed only once that is known.
    pub(super) fn hashed(&self, place: &Place, source: Source) -> Source {
        if self.hash && !place.container.is_empty() { source.with_hash() } else { source }
    }

    /// Whether an archive, before which there were so many inputs, had a capture in it.
    pub(super) fn has_found(&self, first: usize) -> bool {
        self.inputs.len() > first || self.passed > 0
    }

    /// Ends an archive: the hash of the file, and an input if there was no capture in it.
    pub(super) fn conclude(
        &mut self,
        place: &Place,
        mut source: Source,
        first: usize,
        what: &str,
        others: &Others,
    ) -> Option<Looks> {
        if others.protected > 0 {
            let name = shown(&place.name, NAME);
            let text = format!(
                "{name}: {} members are protected with a password; give it with --password-file",
                others.protected
            );
            self.into.diagnose(DiagnosticCode::Encrypted, None, &text);
        }
        if self.has_found(first) {
            self.hash_container(place, &mut source, first);
            return None;
        }
        let count = others.count;
        let words = match (&others.first, others.protected) {
            (_, 1..) => format!("{what} that is protected with a password"),
            (Some(looks), 0) => format!(
                "{what} without {}; it holds {count} files, the first is {looks}",
                match self.sought {
                    Sought::Captures => "a capture that is read",
                    Sought::Keys => "a key log",
                }
            ),
            (None, 0) => format!("{what} without files"),
        };
        let like = match (&others.first, others.protected) {
            (_, 1..) => Likeness::Archive,
            (Some(looks), 0) => looks.like,
            (None, 0) => Likeness::Empty,
        };
        let looks = Looks { words, like };
        if !place.is_member {
            self.unrecognised(place, source, &looks);
        }
        Some(looks)
    }
}

/// The diagnostic for a stream that failed.
fn stream_code(error: &io::Error) -> DiagnosticCode {
    match StreamError::of(error) {
        Some(StreamError::Damaged) => DiagnosticCode::Undecompressable,
        Some(StreamError::EndsEarly) => DiagnosticCode::Truncated,
        Some(StreamError::Expanded | StreamError::Overblown | StreamError::TooLong) => {
            DiagnosticCode::LimitReached
        }
        None => DiagnosticCode::ReadFailed,
    }
}

/// Entry for fuzzing: any bytes as an input, whatever it is packed in.
#[doc(hidden)]
pub fn fuzz_open(bytes: &[u8]) {
    fuzz::open(bytes, |source, options, into| open("input", source, options, false, into));
}

/// Entry for fuzzing: any bytes as what is given for a key log.
#[doc(hidden)]
pub fn fuzz_keys(bytes: &[u8]) {
    let evidence = fuzz::open(bytes, |source, options, into| {
        open_keys("input", source, options, into);
    });
    assert!(evidence.exchanges.is_empty() && evidence.connections.is_empty(), "keys tell nothing");
}
