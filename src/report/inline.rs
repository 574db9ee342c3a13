//! Style and script that stand inside a document of ours.
//!
//! A policy for content names each by its hash, so that nothing else in the document can be one. It must not
//! know what they do.
//!
//! Invariant: what is hashed is what a browser hashes, byte for byte (Content Security Policy Level 3,
//! section 2.3.1).

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

/// A file of ours as a browser reads it: line ends are one character there, and so in the hash.
pub fn text(file: &str) -> String {
    file.replace("\r\n", "\n")
}

/// Its name in a policy: `sha256-` and the hash in Base64.
pub fn source(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text.as_bytes())))
}
