//! Protocols as bytes tell them: framing and codings, without files, threads or evidence.
//!
//! Each file names its standard and the sections it follows. Nothing here knows a vendor, a host or
//! what a message means, and nothing here reads from disk.
//!
//! Invariants: whatever the bytes, no panic; whatever grows is bounded by a cap the caller gives.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

pub mod body;
pub mod community_id;
mod defragment;
pub mod dns;
pub mod early;
pub mod http1;
pub mod http1_stream;
pub mod http2;
mod icmp;
mod ip;
pub mod layers;
mod link;
pub mod quic;
pub mod segment;
pub mod socks;
pub mod tcp;
pub mod tcp_options;
pub mod tls;
mod tunnel;
mod wlan;

use std::num::NonZeroU64;

use crate::time::Timestamp;

/// What the first bytes of a stream say about a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It is this protocol.
    Certain,
    /// It may be; more bytes will tell.
    Unsure,
    /// It is not.
    No,
}

/// A side of a conversation: the client opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Who opened it.
    Client,
    /// Who was called.
    Server,
}

impl Peer {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The frame that bytes came with; it travels with every piece of a stream, so that whatever is read
/// from it can be cited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The number of the frame, counted from 1.
    pub frame: NonZeroU64,
    /// When it was captured, by the clock of the capture.
    pub at: Timestamp,
}
