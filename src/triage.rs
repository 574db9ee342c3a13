//! Many captures, each with a record of its own.

#[cfg(feature = "columnar")]
pub mod columnar;
