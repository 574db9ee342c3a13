//! Rebuilds sign-ins from evidence: what happened, step by step, and how each attempt ended.
//!
//! It reads the pages, redirects and answers of the sign-in service, groups them into attempts, and
//! runs the state machine that tells an outcome. It must not know how a capture is stored, and it
//! ranks nothing: whose fault it was is the verdict's.
//!
//! Invariants: what leaves this module is typed (codes, ids, names of pages); no secret does; an
//! attempt belongs to one user.

mod answers;
mod aside;
mod asked;
mod assemble;
mod attempt;
mod below;
mod client;
mod clock;
mod conclude;
mod correlate;
mod dark;
mod disagree;
mod echo;
mod errand;
mod expose;
mod failure;
mod hidden;
mod join;
mod machines;
mod markup;
mod outcome;
mod request;
mod script_object;
mod sealed;
mod sighting;
mod traffic;
mod wire;

pub use crate::entra::{GuideCause, MfaState, Outcome, Side, StepKind};
pub use answers::fuzz_answer;
pub use asked::{Asked, asked};
pub use assemble::reconstruct;
use attempt::OTHER_ROOT;
pub use attempt::{
    AttemptId, Blockage, Carrier, Flow, Guid, Phase, SCRIPT, SignIn, SignInAttempt, Step,
    StepResult, StsError, Veil,
};
pub use client::{Browser, Client, System, client, failure_name, proxy};
pub use clock::ClockReading;
pub use disagree::{Disagreement, DisagreementKind};
pub(crate) use errand::is_refused_unchecked;
pub use errand::{Errand, Unmet, Why};
pub use failure::{Failure, FailureKind, FailureSide, interceptor};
pub use join::Joined;
pub use machines::Computer;
pub use traffic::{Expected, Traffic, TrafficKind};
