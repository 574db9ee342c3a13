//! Where one side of a connection stands: in which record, under which key, and what is missing.
//!
//! It follows RFC 8446 section 5.1. It must not know the other side.
//!
//! Invariant: `left <= length`, and bytes are held only of a record that may be opened.

use super::lock::{Lock, Stage};
use super::messages::Messages;
use crate::proto::tls::record::{APPLICATION, HANDSHAKE, HEADER, Header};

/// The state of one side.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent states of one side")]
pub(super) struct Side {
    pub(super) phase: Phase,
    /// The header of the record; `0 <= have <= 5` bytes of the next one are there.
    pub(super) header: [u8; HEADER],
    pub(super) have: u8,
    /// Bytes of the record's body, and those still to come: `left <= length`.
    pub(super) length: u16,
    pub(super) left: u16,
    pub(super) reading: Reading,
    /// What is held of a record that may be opened.
    pub(super) buffer: Vec<u8>,
    pub(super) messages: Messages,
    pub(super) lock: Option<Box<Lock>>,
    /// Whether the next record has the next key.
    pub(super) is_turning: bool,
    /// Whether the side said that it encrypts from now on.
    pub(super) is_changed: bool,
    /// Whether nothing of the side can be opened any more.
    pub(super) is_closed: bool,
    /// Whether records may be missing in front of the next one, and how many bytes are.
    pub(super) is_unsure: bool,
    pub(super) missing: u64,
    /// Whether the place of the record was guessed.
    pub(super) is_guess: bool,
    /// The last byte of the version that encrypted records wear.
    pub(super) version: Option<u8>,
    /// Whether data were given.
    pub(super) has_data: bool,
    /// Whether data may be missing, and whether that was told.
    pub(super) is_torn: bool,
    pub(super) is_told: bool,
}

/// Where a side's stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the body of a record.
    Body,
    /// At or in the header of a record.
    Header,
    /// Somewhere.
    Lost,
    /// Nothing was seen.
    #[default]
    Start,
}

/// What is made of the body of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading {
    /// Handshake messages in clear.
    Clear,
    /// Encrypted, and not to be opened.
    Dark,
    /// Encrypted, and held.
    Held,
    /// Of no interest.
    #[default]
    Passed,
    /// A hello of SSL 2.0 form.
    Ssl2,
    /// Bytes of it are missing.
    Torn,
}

impl Side {
    /// Loses the place in the stream.
    pub(super) fn lose(&mut self) {
        let here = match self.phase {
            Phase::Body => {
                usize::from(self.length.saturating_sub(self.left)).saturating_add(HEADER)
            }
            _ => usize::from(self.have),
        };
        self.miss(u64::try_from(here).unwrap_or(0));
        self.phase = Phase::Lost;
        self.have = 0;
        self.left = 0;
        self.is_unsure = true;
        self.is_guess = false;
        self.buffer = Vec::new();
        self.messages.reset();
        if let Some(lock) = &mut self.lock {
            lock.lose();
        }
    }

    pub(super) fn miss(&mut self, bytes: u64) {
        self.missing = self.missing.saturating_add(bytes);
    }

    pub(super) const fn kind(&self) -> u8 {
        let [kind, ..] = self.header;
        kind
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.lock.as_ref().map(|lock| lock.stage)
    }

    /// Whether these bytes, as far as they go, may be the header of a record that can be opened.
    pub(super) fn may_begin(&self, bytes: &[u8]) -> bool {
        let is_old = matches!(self.stage(), Some(Stage::Old(_)));
        let kind = |kind: u8| kind == APPLICATION || is_old && matches!(kind, 21 | HANDSHAKE);
        let minor = |minor: u8| self.version.map_or(minor <= 3, |version| version == minor);
        let fits = bytes.first().is_none_or(|byte| kind(*byte))
            && bytes.get(1).is_none_or(|byte| *byte == 3)
            && bytes.get(2).is_none_or(|byte| minor(*byte));
        match bytes.first_chunk::<HEADER>() {
            _ if !fits => false,
            None => true,
            Some(head) => Header::read(*head).is_some_and(|header| {
                let next = usize::from(header.length).saturating_add(HEADER);
                let behind = bytes.get(next..).and_then(|bytes| bytes.first_chunk::<HEADER>());
                header.length >= SHORTEST && behind.is_none_or(|next| Header::read(*next).is_some())
            }),
        }
    }
}

/// Bytes of the shortest record that is looked for where its place is not known: a type and a short tag.
const SHORTEST: u16 = 9;
