//! Protocols as bytes tell them: framing and codings, without files, threads or evidence.
//!
//! Each file names its standard and the sections it follows. Nothing here knows a vendor, a host or
//! what a message means, and nothing here reads from disk.
//!
//! Invariants: whatever the bytes, no panic; whatever grows is bounded by a cap the caller gives.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

pub mod body;
pub mod http1;
