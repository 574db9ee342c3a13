//! What stands around the bytes of a connection while they are read.
//!
//! It holds no bytes and decides nothing.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use super::lookups::Lookups;
use crate::capture::Scope;
use crate::evidence::{EvidenceBuilder, HostName, InputId, StreamNumber};
use crate::limits::Budget;
use crate::proto::tls::KeyLog;

/// What reading a connection needs from around it.
pub(super) struct Context<'a> {
    pub(super) into: &'a mut EvidenceBuilder,
    pub(super) lookups: &'a mut Lookups,
    pub(super) scope: &'a Scope,
    pub(super) input: InputId,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) stream: Option<StreamNumber>,
    pub(super) fate: Fate,
    /// The last frame that showed that the capture lacks bytes of the server.
    pub(super) lacks: Option<NonZeroU64>,
    pub(super) keys: &'a KeyLog,
    /// What bodies may still expand to.
    pub(super) budget: &'a Budget,
    /// Bytes kept of a body of a sign-in host.
    pub(super) bodies: u64,
    /// What stands around what was opened: set while that is read.
    pub(super) cover: Cover,
}

/// What stands around the bytes of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Cover {
    /// Whether they were encrypted.
    pub(super) is_opened: bool,
    /// Whether they travel through a proxy that the client named.
    pub(super) is_proxied: bool,
    /// The name of the server, where the handshake told it.
    pub(super) name: Option<HostName>,
    /// Whether an exchange was read in it.
    pub(super) has_told: bool,
    /// The host of a request that was read last.
    pub(super) asked: Option<HostName>,
}

/// How a connection ended, for what was asked in it and never answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server ended it.
    Cut,
    /// The client went away.
    Left,
    /// It was open, or nothing is known yet.
    #[default]
    Open,
    /// The server cut it with a reset.
    Reset,
    /// The server said nothing for long.
    Silent,
}
