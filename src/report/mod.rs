//! What an analysis says, in the forms people and programs read.
//!
//! A report is written from the evidence, the sign-in, the findings and the verdict; it adds words
//! and order, and nothing else. It must not know how a capture is stored or how a rule decides, and
//! it opens no file and looks at no clock.
//!
//! Invariants: equal input gives equal bytes; no secret can be written because none of the types
//! that hold one prints it; whatever stems from a capture is made harmless for the medium.

pub mod comparison;
pub mod csv;
pub mod explain;
#[cfg(test)]
mod forms;
pub mod handover;
pub mod html;
pub mod inline;
pub mod json;
pub mod ladder;
pub mod markdown;
pub mod model;
pub mod ndjson;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
pub mod sarif;
pub mod schema;
pub mod sheet;
pub mod sign_in_log;
pub mod story;
#[cfg(any(feature = "cli", feature = "web"))]
pub mod text;
pub mod triage;

pub use model::ReportInput;
