//! Reads the capture that a customer attached to a ticket and says, with evidence, why a Microsoft Entra ID
//! sign-in that answered AADSTS50074 did not get through multifactor authentication.
//!
//! The pipeline, one module for each noun:
//!
//! ```text
//! bytes -> capture -> evidence -> signin -> rules -> verdict -> report
//! ```
//!
//! * [`capture`] recognises a format by content and reads it as a stream; what matters is given to it.
//! * [`evidence`] is one model of facts for all inputs; whatever may be a secret is wrapped.
//! * [`signin`] rebuilds attempts to sign in and tells how each ended.
//! * [`rules`] look for one thing each and cite where it stands.
//! * [`verdict`] says which attempt counts, whose side it is, and what proves it.
//! * [`report`] prints it.
//! * [`compare`] sets two analyses side by side.
//! * `triage`, where the feature `cli` is on, makes a record of each of many attachments.
//! * `web`, where the feature of that name is on, is the drop page and the HTTP API.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use mfatrace::analyze::{AnalyzeOptions, CaseInput, Selection, analyze};
//! use mfatrace::limits::Limits;
//!
//! let cancel = AtomicBool::new(false);
//! let options = AnalyzeOptions {
//!     limits: Limits::default(),
//!     hash: false,
//!     passwords: &[],
//!     key_logs: &[],
//!     selection: Selection::default(),
//!     cancel: &cancel,
//! };
//! let analysis = analyze(&[CaseInput::File("captures/browser/push-denied.saz".into())], &options);
//! assert_eq!(analysis.verdict.outcome.as_str(), "mfa_denied");
//! assert_eq!(analysis.verdict.side.as_str(), "user");
//! ```
//!
//! The library looks at no clock and opens no network; the same bytes and options give the same result.
//! Longer texts are in [`manual`].

pub mod analyze;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod entra;
pub mod evidence;
pub mod finding;
pub mod limits;
pub mod manual;
pub mod proto;
pub mod report;
pub mod rules;
pub mod signin;
pub mod time;
#[cfg(feature = "cli")]
pub mod triage;
pub mod verdict;
#[cfg(feature = "web")]
pub mod web;
