//! Longer texts: the rules, the decisions and the changes.
//!
//! Nothing here is code. The reference of the rules is generated from their documentation, and a test
//! says when it is out of date.
//!
//! Invariant: what stands here also stands in the repository as Markdown.

/// Why things are as they are, as questions and answers.
#[doc = include_str!("decisions.md")]
pub mod decisions {}

/// How two sign-ins are compared, and what counts as noise.
#[doc = include_str!("comparison.md")]
pub mod comparison {}

/// How what is told of packets agrees with tshark.
#[doc = include_str!("agreement.md")]
pub mod agreement {}

/// How often the verdict is right, measured on generated captures.
#[expect(clippy::doc_markdown, reason = "words of stories, not of code")]
#[doc = include_str!("judgement.md")]
pub mod judgement {}

/// How `mfatrace triage` is put into a pipeline.
#[expect(clippy::doc_markdown, reason = "names of tools, not of code")]
#[doc = include_str!("pipeline.md")]
pub mod pipeline {}

/// What is on the wire, what is made of it, and where that is shown.
#[expect(clippy::doc_markdown, reason = "names of other people's files, not of code")]
#[doc = include_str!("protocol.md")]
pub mod protocol {}

/// How a release is made, and what of it cannot be made everywhere.
#[expect(clippy::doc_markdown, reason = "names of tools, not of code")]
#[doc = include_str!("release.md")]
pub mod release {}

/// The rules, generated from their documentation.
#[doc = include_str!("rules.md")]
pub mod rules {}

/// What changed.
#[doc = include_str!("../../CHANGELOG.md")]
pub mod changes {}
