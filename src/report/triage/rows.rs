//! The rows of the tables that stand beside a record.

use serde::{Deserialize, Serialize};

use crate::report::model::ReportInput;

/// The rows of one capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Attempts.
    pub attempts: Vec<u8>,
    /// Findings.
    pub findings: Vec<u8>,
    /// Connections.
    pub connections: Vec<u8>,
}

impl Rows {
    /// The rows of a capture.
    pub fn of(_: &ReportInput<'_>) -> Self {
        Self::default()
    }
}
