//! The verdict of a case: which attempt counts, whose side it is, and what proves it.
//!
//! This is the only place that ranks. A finding is the cause only if an attempt was stopped by what it
//! cites; among those the earliest in the chain counts: name, connection, proxy, TLS, page, challenge.
//! It knows no rule by name and no report.
//!
//! Invariants: a side of `cannot_tell` comes with the next capture to take; a confidence is never high
//! where something of the deciding step was not seen.

mod argue;
mod choose;
mod confidence;
mod decide;
mod guide;
mod next_capture;
mod summary;

pub use choose::Selection;
pub use decide::decide;

use crate::evidence::HostName;
use crate::finding::{Confidence, Refs, RuleId, Text};
use crate::signin::{AttemptId, Browser, GuideCause, Outcome, Side, System};

/// A statement with its citation, where it has one.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What is said.
    pub text: Text,
    /// Where it stands; a statement about the capture as a whole has none.
    pub refs: Option<Refs>,
}

/// How one cause of the guide is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuideAnswer {
    /// The facts speak against it.
    Contradicted,
    /// The capture does not show it.
    NotVisible,
    /// The facts speak for it.
    Supported,
}

impl GuideAnswer {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contradicted => "contradicted",
            Self::NotVisible => "not_visible",
            Self::Supported => "supported",
        }
    }
}

/// The answer to one cause of the guide.
#[derive(Clone, Debug)]
pub struct CauseAnswer {
    /// The cause.
    pub cause: GuideCause,
    /// The answer.
    pub answer: GuideAnswer,
    /// Why.
    pub text: Text,
    /// Where that stands; an answer that rests on what is not there has none.
    pub refs: Option<Refs>,
    /// What to do next about it.
    pub next: Text,
}

/// What kind of capture is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// One that keeps the bodies.
    Bodies,
    /// One by the browser itself.
    Browser,
    /// One without the encryption.
    Decrypted,
    /// Packets.
    Packets,
    /// None: the one that is there needs its password.
    Password,
    /// One of a program that is no browser.
    Program,
}

impl CaptureKind {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::Browser => "browser",
            Self::Decrypted => "decrypted",
            Self::Packets => "packets",
            Self::Password => "password",
            Self::Program => "program",
        }
    }
}

/// What the capture does not show, and the capture that would.
#[derive(Clone, Debug)]
pub struct NextCapture {
    /// What kind of capture.
    pub kind: CaptureKind,
    /// The fact that is missing.
    pub missing: Text,
    /// The client's system, for which the steps are.
    pub system: System,
    /// Whether the capture does not tell the system.
    pub is_assumed: bool,
    /// The client's browser, where the capture tells it.
    pub browser: Option<Browser>,
    /// The tool to use.
    pub tool: &'static str,
    /// What to do on the client's system, one step each; behind a line break stands a command.
    pub steps: Vec<&'static str>,
    /// When to start.
    pub start: &'static str,
    /// When to stop.
    pub stop: &'static str,
    /// What to know about the file before it is sent; empty where none is to be taken.
    pub reminder: &'static str,
}

/// The verdict.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Whose matter it is.
    pub side: Side,
    /// How the attempt that counts ended.
    pub outcome: Outcome,
    /// The attempt that counts.
    pub attempt: Option<AttemptId>,
    /// The rule that names the cause.
    pub cause: Option<RuleId>,
    /// The host that the cause is about: of several, the one tried first.
    pub host: Option<HostName>,
    /// All of them.
    pub hosts: Vec<HostName>,
    /// How sure it is.
    pub confidence: Confidence,
    /// One sentence that answers the question.
    pub summary: Text,
    /// What speaks for it.
    pub evidence_for: Vec<Statement>,
    /// What speaks against it.
    pub evidence_against: Vec<Statement>,
    /// What was ruled out, and by which fact.
    pub ruled_out: Vec<Statement>,
    /// The five causes of the guide.
    pub guide: [CauseAnswer; 5],
    /// What the capture cannot show.
    pub unseen: Vec<Text>,
    /// The capture to take next; always there when the side is `cannot_tell`.
    pub next_capture: Option<NextCapture>,
}
