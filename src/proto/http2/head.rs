//! Heads of HTTP/2: what a header block says of a request or a response (RFC 9113 section 8.3).
//!
//! It must not know how blocks come, nor what a field means beyond the pseudo-header fields.
//!
//! Invariants: whatever a block expands to, at most `limits::HTTP2_FIELDS` bytes of it are kept; a part
//! that could not be read is never made up.

use super::frame::Block;
use super::hpack::{Decoder, Field};
use crate::limits;
use crate::proto::http1_stream::{ClearRequest, ClearResponse, Extent, cut};

/// What a header block says.
#[derive(Default)]
pub(super) struct Head {
    authority: Option<String>,
    method: Option<String>,
    path: Option<String>,
    protocol: Option<String>,
    status: Option<String>,
    /// Whether there was any pseudo-header field: trailers have none (RFC 9113 section 8.1).
    has_pseudo: bool,
    fields: Vec<(String, String)>,
    /// What was kept, as RFC 9113 section 6.5.2 counts.
    size: usize,
    /// Fields that were not read.
    unread: u32,
    /// Whether the block was read to its end.
    pub(super) is_whole: bool,
}

impl Head {
    /// Reads a block; the table is no longer known if a part of it is missing.
    pub(super) fn read(decoder: &mut Decoder, block: &Block) -> Self {
        let mut head = Self::default();
        let read = decoder.decode(&block.bytes, &mut |field| head.take(field));
        head.is_whole = read.is_ok() && block.is_whole;
        if !block.is_whole {
            decoder.forget();
        }
        if !head.is_whole {
            head.skip();
        }
        head
    }

    fn take(&mut self, field: Field<'_>) {
        let (Some(name), Some(value)) = (field.name, field.value) else { return self.skip() };
        let size = name.len().saturating_add(value.len()).saturating_add(FIELD);
        let size = self.size.saturating_add(size);
        if size > limits::HTTP2_FIELDS || self.fields.len() >= limits::HEADER_FIELDS {
            return self.skip();
        }
        self.size = size;
        if let Some(pseudo) = name.strip_prefix(':') {
            self.has_pseudo = true;
            let (place, most) = match pseudo {
                "authority" => (&mut self.authority, limits::STREAM_FIELD_NAME),
                "method" => (&mut self.method, limits::STREAM_FIELD_NAME),
                "path" => (&mut self.path, limits::STREAM_TARGET),
                "protocol" => (&mut self.protocol, limits::STREAM_FIELD_NAME),
                "status" => (&mut self.status, limits::STREAM_FIELD_NAME),
                _ => return,
            };
            place.get_or_insert_with(|| cut(value, most));
        } else {
            let name = cut(name, limits::STREAM_FIELD_NAME);
            self.fields.push((name, cut(value, limits::HEADER_VALUE)));
        }
    }

    const fn skip(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether this begins a request, and does not end one.
    pub(super) const fn is_request(&self) -> bool {
        self.has_pseudo && self.status.is_none()
    }

    /// The status, if it could be read.
    pub(super) fn status(&self) -> Option<u16> {
        let status = self.status.as_deref().filter(|status| status.len() == 3)?;
        status.bytes().all(|byte| byte.is_ascii_digit()).then(|| status.parse().ok())?
    }

    /// As a request.
    ///
    /// `CONNECT` has its authority for a target, as in HTTP/1; where it asks for a protocol (RFC 8441)
    /// it has the path, and the pseudo-header field `:protocol` stands among the fields.
    pub(super) fn into_request(self, extent: Extent) -> ClearRequest {
        let host = self.authority.clone().or_else(|| self.first("host").map(host));
        let method = self.method.unwrap_or_else(unknown);
        let target = match self.path {
            None if method == "CONNECT" => self.authority,
            path => path,
        };
        let mut headers = self.fields;
        if let Some(protocol) = self.protocol {
            headers.insert(0, (":protocol".to_owned(), protocol));
        }
        ClearRequest {
            method,
            target: target.unwrap_or_else(unknown),
            host,
            headers,
            extent,
            body: Vec::new(),
            body_length: 0,
            lost: 0,
            unread: self.unread,
            complete: false,
        }
    }

    /// As a response with a status.
    pub(super) fn into_response(self, status: u16, extent: Extent) -> ClearResponse {
        ClearResponse {
            status,
            reason: String::new(),
            headers: self.fields,
            extent,
            body: Vec::new(),
            body_length: 0,
            lost: 0,
            unread: self.unread,
            complete: false,
        }
    }
}

fn host(value: &str) -> String {
    cut(value, limits::STREAM_FIELD_NAME)
}

/// Stands where nobody knows what was sent.
fn unknown() -> String {
    "?".to_owned()
}

/// Bytes that a field counts for beside its text.
const FIELD: usize = 32;
