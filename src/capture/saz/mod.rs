//! Fiddler session archives: a zip with a request, a response and a metadata part per session.
//!
//! Both Fiddler Classic and Fiddler Everywhere write them. Members are read in place; a part that
//! cannot matter is inflated no further than its head, and nothing is written to disk.
//!
//! Invariants: sessions are read in the order of their numbers; a part that is missing or damaged
//! costs that part only and is said; every inflated byte is charged to the budget.

mod content;
mod failure;
mod members;
mod metadata;
mod session;
mod target;
pub(super) mod tunnel;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use self::members::Members;
use self::session::Sessions;
use super::{Probe, ReadError, ReadOptions, Reader, Source};
use crate::evidence::{
    Diagnostic, DiagnosticCode, EvidenceBuilder, Format, InputId, Vantage, shown,
};
use crate::limits::Budget;

/// Why nothing more came from an archive.
#[derive(Debug, thiserror::Error)]
pub enum SazError {
    /// It is protected, and its sessions stayed closed.
    #[error(
        "{sessions} sessions are protected and {}; give the password with --password-file",
        if *.tried { "no password given fits" } else { "no password was given" }
    )]
    Encrypted {
        /// Sessions that stayed closed.
        sessions: u64,
        /// Whether passwords were tried.
        tried: bool,
    },
    /// Reading the input failed.
    #[error("reading the archive failed: {0}")]
    Io(#[source] io::Error),
    /// It is no zip archive, or too little of one.
    #[error(
        "byte 0: no archive that can be read: no directory at its end and no member at its start"
    )]
    NotAnArchive,
    /// It is an archive without sessions.
    #[error("an archive without sessions: no member raw/N_c.txt among {members}")]
    NoSessions {
        /// Members it has.
        members: u64,
    },
}

/// Reads Fiddler session archives.
#[derive(Clone, Copy, Debug, Default)]
pub struct SazReader<'f> {
    /// The folder with the sessions, as one of several that were unpacked and packed again has them; without one it
    /// is the first.
    pub(super) folder: Option<&'f str>,
}

impl Reader for SazReader<'_> {
    fn format(&self) -> Format {
        Format::Saz
    }

    fn probe(&self, head: &[u8]) -> Probe {
        // Any zip may be one; its directory, which is at its end, tells.
        if head.starts_with(b"PK\x03\x04") { Probe::Unsure } else { Probe::No }
    }

    fn read(
        &self,
        source: &mut Source,
        options: &ReadOptions<'_>,
        budget: &mut Budget,
        input: InputId,
        into: &mut EvidenceBuilder,
    ) -> Result<(), ReadError> {
        let mut archive = source.seekable(options.limits.buffered).map_err(SazError::Io)?;
        Ok(read_archive(&mut archive, self.folder, options, budget, input, into)?)
    }
}

/// Reads an archive; what was read stays when an error comes back.
fn read_archive(
    reader: &mut (impl Read + Seek),
    folder: Option<&str>,
    options: &ReadOptions<'_>,
    budget: &mut Budget,
    input: InputId,
    into: &mut EvidenceBuilder,
) -> Result<(), SazError> {
    let members = Members::open(reader, options.passwords).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => SazError::NotAnArchive,
        _ => SazError::Io(error),
    })?;
    let mut members = members.ok_or(SazError::NotAnArchive)?;
    let (sessions, doubled) = list(members.names(), folder);
    let count = sessions.values().filter(|parts| parts.request.is_some()).count();
    if let Some(about) = into.input_mut(input) {
        about.records = count.try_into().unwrap_or(u64::MAX);
        about.producer = producer(&members.comment());
    }
    if let Some(coverage) = into.coverage_mut(input) {
        coverage.vantage = Vantage::Proxy;
        coverage.truncated |= members.short().is_some();
    }
    if let Some(short) = members.short() {
        into.diagnose(short.code(), Some(input), short.text());
    }
    if doubled > 0 {
        let text = format!(
            "{doubled} parts of sessions are in it more than once under one name or number; the \
             first of each is read"
        );
        into.diagnose(DiagnosticCode::ArchiveMember, Some(input), &text);
    }
    if sessions.is_empty() {
        return Err(SazError::NoSessions { members: members.len().try_into().unwrap_or(u64::MAX) });
    }
    let parts: Vec<usize> = sessions.values().flat_map(Parts::indices).collect();
    members.find_password(&parts, budget);
    let mut reading = Sessions::new(options, budget, input, into);
    let total = sessions.len();
    let mut left = u64::try_from(total).unwrap_or(u64::MAX);
    for (number, parts) in sessions {
        reading.read(&mut members, number, parts);
        left = left.saturating_sub(1);
        if let Some(code) = reading.must_stop() {
            reading.stop(code, number, left);
            break;
        }
    }
    let closed = reading.finish();
    if closed == 0 {
        return Ok(());
    }
    let tried = !options.passwords.is_empty();
    let why = if tried { "no password given fits" } else { "no password was given" };
    into.add_diagnostic(Diagnostic {
        code: DiagnosticCode::Encrypted,
        input: Some(input),
        offset: None,
        lost: Some(closed),
        text: format!(
            "{closed} of {total} sessions are protected and {why}; give the password with \
             --password-file, or let the sender save the sessions again without one"
        ),
    });
    Err(SazError::Encrypted { sessions: closed, tried })
}

/// The members that make up one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    request: Option<usize>,
    response: Option<usize>,
    metadata: Option<usize>,
    messages: Option<usize>,
}

impl Parts {
    /// The members that are read.
    fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        [self.request, self.response, self.metadata].into_iter().flatten()
    }
}

/// Sessions by their numbers, out of the names of all members, and how many parts were passed over
/// because there was one of their kind already.
///
/// Archives that were unpacked and packed again may have a folder above `raw`; without one asked for
/// it is the first.
fn list<'n>(
    names: impl Iterator<Item = Cow<'n, str>>,
    folder: Option<&str>,
) -> (BTreeMap<u32, Parts>, usize) {
    let mut sessions: BTreeMap<u32, Parts> = BTreeMap::new();
    let mut folder = folder.map(str::to_owned);
    let mut doubled: usize = 0;
    for (index, name) in names.enumerate() {
        let name = plain_name(&name);
        let Some((above, number, kind)) = part(&name) else { continue };
        if folder.get_or_insert_with(|| above.to_owned()) != above {
            continue;
        }
        let parts = sessions.entry(number).or_default();
        let slot = match kind {
            "c.txt" => &mut parts.request,
            "s.txt" => &mut parts.response,
            "m.xml" => &mut parts.metadata,
            _ => &mut parts.messages,
        };
        doubled = doubled.saturating_add(slot.is_some().into());
        slot.get_or_insert(index);
    }
    (sessions, doubled)
}

/// A name as names are compared here: slashes one way, letters of one case, nothing in front that leads nowhere.
pub(super) fn plain_name(name: &str) -> String {
    let name = name.replace('\\', "/").to_ascii_lowercase();
    name.trim_start_matches("./").to_owned()
}

/// The folder with the sessions, `raw` or one that ends with `/raw`, of which a member is a request.
pub(super) fn folder_of_request(plain_name: &str) -> Option<&str> {
    part(plain_name).filter(|(_, _, kind)| *kind == "c.txt").map(|(folder, _, _)| folder)
}

/// Whether a member belongs to the sessions in this folder, as a part or as what Fiddler puts beside.
pub(super) fn is_of_folder(plain_name: &str, folder: &str) -> bool {
    let above = folder.strip_suffix("raw").unwrap_or_default();
    if [INDEX, TYPES].iter().any(|beside| plain_name.strip_prefix(above) == Some(*beside)) {
        return true;
    }
    let file = plain_name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    file.and_then(|file| file.split_once('_')).is_some_and(|(number, kind)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        // A letter tells what of a session it is, also those that are not read.
        let kind = kind.split_once('.').filter(|(letter, _)| letter.len() == 1);
        digits && kind.is_some_and(|(_, ending)| matches!(ending, "txt" | "xml"))
    })
}

/// Folder, number and kind of a member that is part of a session.
fn part(plain_name: &str) -> Option<(&str, u32, &str)> {
    let (folder, file) = plain_name.rsplit_once('/')?;
    if folder != "raw" && !folder.ends_with("/raw") {
        return None;
    }
    let (number, kind) = file.split_once('_')?;
    let known = ["c.txt", "s.txt", "m.xml", "w.txt"].contains(&kind);
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !known || !digits {
        return None;
    }
    Some((folder, number.parse().ok()?, kind))
}

/// The page with all sessions, for people.
const INDEX: &str = "_index.htm";
/// The types of the parts, as packages of this kind have them.
const TYPES: &str = "[content_types].xml";

/// The program and version out of the comment of the archive.
fn producer(comment: &str) -> Option<String> {
    let (text, _) = comment.split_once(" Session Archive")?;
    let version = text.strip_prefix("Fiddler")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '(' | ')' | '-');
    // A writer signs with its name and version; whatever else stands there is not repeated.
    (version.len() <= 40 && version.chars().all(plain)).then(|| shown(text, 80))
}

/// Entry for fuzzing: any bytes as a Fiddler archive.
#[doc(hidden)]
pub fn fuzz_saz(bytes: &[u8]) {
    super::fuzz::read(&SazReader::default(), bytes);
}

#[cfg(test)]
mod tests;
