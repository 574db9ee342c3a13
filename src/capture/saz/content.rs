//! Bodies of parts: how far a part must be read, and what stands behind its head.
//!
//! Parts hold messages as they were on the wire, unless the user asked Fiddler to decode them; the
//! fields of the head then may say what is no longer so. What a body says is not looked at.
//!
//! Invariant: what comes back is no longer than what was wanted.

use super::members::Member;
use crate::evidence::{Body, Missing};
use crate::limits::{self, Budget};
use crate::proto::{body, http1};

/// How the body of a message is framed and coded.
#[derive(Clone, Debug, Default)]
pub(super) struct Framing {
    /// Bytes of the head.
    pub(super) head: usize,
    chunked: bool,
    coding: String,
    /// The type as it was sent.
    pub(super) content_type: Option<String>,
    /// The length the head declares.
    pub(super) content_length: Option<u64>,
}

impl Framing {
    pub(super) fn new(fields: &http1::Fields<'_>, head: usize) -> Self {
        Self {
            head,
            chunked: fields.is_chunked(),
            coding: fields.first("content-encoding").unwrap_or_default().to_owned(),
            content_type: fields.first("content-type").map(str::to_owned),
            content_length: fields.content_length(),
        }
    }

    /// Where a part may be left, to have `wanted` bytes of its body after decoding.
    pub(super) fn end(&self, wanted: u64) -> u64 {
        let coded = self.chunked || !self.coding.is_empty();
        let extra = if coded { wanted.saturating_add(64 * limits::KIB) } else { 1 };
        number(self.head).saturating_add(wanted).saturating_add(extra)
    }

    /// Whether the part has bytes behind the head, as far as that is known without reading on.
    pub(super) fn has_body(&self, member: &Member<'_, '_>) -> bool {
        member.bytes.len() > self.head || (!member.ended && member.declared > number(self.head))
    }
}

/// Reads a part until its head is there.
pub(super) fn read_head(member: &mut Member<'_, '_>, budget: &mut Budget) {
    member.read_to(FIRST_READ, budget);
    let ends = |bytes: &[u8], end: &[u8]| memchr::memmem::find(bytes, end).is_some();
    if !ends(&member.bytes, b"\r\n\r\n") && !ends(&member.bytes, b"\n\n") {
        member.read_to(limits::HEAD, budget);
    }
}

/// A body after its framing and codings were undone.
pub(super) struct Undone {
    pub(super) bytes: Vec<u8>,
    /// Whether its end is missing.
    pub(super) cut: bool,
    /// Whether that is because it expands too much.
    pub(super) overblown: bool,
}

/// Undoes chunks and codings of what was read of a body.
pub(super) fn undo(
    member: &Member<'_, '_>,
    framing: &Framing,
    wanted: u64,
    budget: &mut Budget,
) -> Result<Undone, Missing> {
    let raw = member.bytes.get(framing.head..).unwrap_or_default();
    let (joined, whole) = if framing.chunked { http1::dechunk(raw) } else { (raw.into(), true) };
    let decoded = body::decode(&joined, &framing.coding, wanted, budget);
    if decoded.bytes.is_empty() && decoded.cut {
        return Err(Missing::Limit);
    }
    let untouched = decoded.damaged && joined.starts_with(&decoded.bytes);
    if untouched && !is_text(&decoded.bytes) {
        return Err(Missing::Undecodable);
    }
    let broken = decoded.damaged && !untouched;
    let cut = decoded.cut || broken || !whole || !member.ended || member.damaged;
    let bytes = in_utf8(decoded.bytes, framing.content_type.as_deref());
    Ok(Undone { bytes, cut, overblown: decoded.overblown })
}

/// Messages that have no body whatever their fields say (RFC 9112 section 6.3).
pub(super) fn is_bodiless(method: &str, status: u16) -> bool {
    method == "HEAD" || matches!(status, 100..=199 | 204 | 304)
}

/// What to say of a body that is not in its part.
pub(super) fn missing(framing: &Framing, dropped: bool, bodiless: bool) -> Body {
    let announced = framing.content_length.is_some_and(|length| length > 0);
    match () {
        () if bodiless => Body::Empty,
        () if dropped => Body::Missing(Missing::Dropped),
        () if announced => Body::Missing(Missing::NotSaved),
        () => Body::Empty,
    }
}

/// Whether bytes that could not be decoded are text after all; the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let good = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    bytes.len().saturating_sub(good) < 4
}

/// The bytes in UTF-8, where the content type or a mark says that they are text in another set.
fn in_utf8(bytes: Vec<u8>, content_type: Option<&str>) -> Vec<u8> {
    let kind = content_type.unwrap_or_default().to_ascii_lowercase();
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let foreign = kind.contains("charset=") && !kind.contains("utf-8");
    if !marked && !foreign {
        return bytes;
    }
    body::charset(&bytes, &kind).into_owned().into_bytes()
}

pub(super) fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Bytes read of a part at first: most heads fit.
const FIRST_READ: u64 = 4 * limits::KIB;
