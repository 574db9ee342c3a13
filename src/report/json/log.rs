//! The queries for the sign-in log in the machine-readable report.
//!
//! It must not make any: they are copied.
//!
//! Invariant: a window has both of its ends.

use serde::Serialize;

use crate::report::sign_in_log::SignInLog;
use crate::signin::Guid;
use crate::time::Timestamp;

/// Ids and ready queries for the sign-in log of the tenant.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "sign_in_log"))]
pub(super) struct SignInLogJson {
    /// Correlation ids, the first seen in front.
    correlation_ids: Vec<Guid>,
    /// Request ids.
    request_ids: Vec<Guid>,
    /// Where in time to look.
    window: Option<WindowJson>,
    /// What to do in the portal, one step each.
    portal: Vec<String>,
    /// The query for Log Analytics.
    kql: Option<String>,
    /// Requests to Microsoft Graph, below its version.
    graph: Vec<String>,
}

/// A stretch of time.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "window"))]
struct WindowJson {
    /// Its beginning.
    from: Timestamp,
    /// Its end.
    to: Timestamp,
}

impl SignInLogJson {
    pub(super) fn of(log: SignInLog) -> Self {
        Self {
            correlation_ids: log.correlation_ids,
            request_ids: log.request_ids,
            window: log.window.map(|span| WindowJson { from: span.first(), to: span.last() }),
            portal: log.portal,
            kql: log.kql,
            graph: log.graph,
        }
    }
}
