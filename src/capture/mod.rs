//! Readers: bytes in, evidence out, one per format.
//!
//! A reader recognises its format by content, keeps what the [`Scope`] asks for, and records what it
//! could not read. It must not know what a sign-in is: no host, code or rule stands here.
//!
//! Invariants: damage is data (what came before it stays, a diagnostic says what was lost); nothing
//! is written to disk; every byte that decompression produces is charged to one [`Budget`].

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod scope;

pub use scope::{Scope, Want};

use std::sync::atomic::{AtomicBool, Ordering};

use crate::limits::Limits;

/// How sure a reader is that bytes are its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// They are not.
    No,
    /// They may be; ask after the sure ones.
    Unsure,
    /// They are.
    Certain,
}

/// What readers are told.
#[derive(Debug)]
pub struct ReadOptions<'a> {
    /// What matters.
    pub scope: &'a Scope,
    /// The bounds.
    pub limits: &'a Limits,
    /// Passwords to try on protected archives, in order.
    pub passwords: &'a [String],
    /// Set from outside to stop early with what was read by then.
    pub cancel: &'a AtomicBool,
}

impl ReadOptions<'_> {
    /// Whether to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
