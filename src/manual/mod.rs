//! The manual: pages that are read, not run.
//!
//! The table of rules is made from the rules themselves; a test keeps it current. Nothing here is
//! code, and nothing of the program may use it.

/// All rules: what each looks for, and what to do about it.
pub mod rules {
    #![doc = include_str!("rules.md")]
}
