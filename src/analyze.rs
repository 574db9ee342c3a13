//! The pipeline: bytes, evidence, sign-in, findings, verdict.

use std::sync::atomic::AtomicBool;

use crate::evidence::Evidence;
use crate::finding::Finding;
use crate::limits::Limits;
use crate::signin::SignIn;
use crate::time::Timestamp;
use crate::verdict::Verdict;

/// Which attempt the verdict is to follow, where the usual choice is not wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only attempts of this user.
    pub user: Option<String>,
    /// This attempt, by its number.
    pub attempt: Option<u32>,
    /// Only attempts that were alive at or after this time.
    pub since: Option<Timestamp>,
    /// Only attempts that were alive at or before this time.
    pub until: Option<Timestamp>,
}

/// How to analyse.
#[derive(Debug)]
pub struct AnalyzeOptions<'a> {
    /// The bounds.
    pub limits: Limits,
    /// Whether to hash the inputs.
    pub hash: bool,
    /// Passwords to try on protected archives.
    pub passwords: &'a [String],
    /// Which attempt to follow.
    pub selection: Selection,
    /// Set from outside to stop early.
    pub cancel: &'a AtomicBool,
}

/// Everything that an analysis gives.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The facts.
    pub evidence: Evidence,
    /// The attempts.
    pub signin: SignIn,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// The verdict.
    pub verdict: Verdict,
}
