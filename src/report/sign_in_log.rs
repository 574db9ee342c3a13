//! Ready queries for the other side of the story: the sign-in log of the tenant.
//!
//! The ids of the attempt become steps for the portal, a KQL query for Log Analytics and requests
//! to Graph. It must not know who runs them: nothing here goes to a network.
//!
//! Invariant: only GUIDs and times enter a query, so nothing of a capture can change its meaning.

use std::time::Duration;

use super::model::{ReportInput, clock};
use crate::entra::hosts;
use crate::signin::{Flow, Guid, SignInAttempt};
use crate::time::{Span, Timestamp};

/// Time before the first sign of an attempt in which its records may stand.
const BEFORE: Duration = Duration::from_mins(10);
/// Time after the last sign: the log gathers the events of one sign-in in one line.
const AFTER: Duration = Duration::from_mins(30);

/// The part of a sign-in log that belongs to the attempt.
#[derive(Clone, Debug, Default)]
pub struct SignInLog {
    /// Correlation ids, the first seen in front.
    pub correlation_ids: Vec<Guid>,
    /// Request ids.
    pub request_ids: Vec<Guid>,
    /// Where in time to look.
    pub window: Option<Span>,
    /// What to do in the portal, one step each.
    pub portal: Vec<String>,
    /// The query for Log Analytics.
    pub kql: Option<String>,
    /// Requests to Microsoft Graph.
    pub graph: Vec<String>,
    /// The host of Microsoft Graph in the cloud of the sign-in.
    pub graph_host: &'static str,
}

/// The addresses of a cloud: the admin centre and Microsoft Graph (Microsoft Entra, national clouds).
fn addresses(attempt: &SignInAttempt) -> (&'static str, &'static str) {
    let cloud = attempt
        .steps
        .iter()
        .filter(|step| hosts::is_sign_in_service(step.host.as_str()))
        .find_map(|step| hosts::cloud(step.host.as_str()))
        .unwrap_or_default();
    if cloud.starts_with("usgov") {
        ("entra.microsoft.us", "graph.microsoft.us")
    } else if cloud.starts_with("china") {
        ("entra.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn")
    } else {
        ("entra.microsoft.com", "graph.microsoft.com")
    }
}

impl SignInLog {
    /// The part for the attempt that the verdict follows; empty when there is none.
    pub fn of(report: &ReportInput<'_>) -> Self {
        let Some(attempt) = report.attempt() else { return Self::default() };
        let window = attempt.first.or(attempt.last).map(|first| {
            Span::new(earlier(first, BEFORE), attempt.last.unwrap_or(first).plus(AFTER))
        });
        let correlation_ids = attempt.correlation_ids.clone();
        let request_ids = attempt.request_ids.clone();
        let (admin_centre, graph_host) = addresses(attempt);
        let portal = portal(admin_centre, &correlation_ids, &request_ids, window);
        let kql = kql(attempt, window);
        let graph = correlation_ids
            .iter()
            .map(|id| format!("/auditLogs/signIns?$filter=correlationId eq '{id}'"))
            .collect();
        Self { correlation_ids, request_ids, window, portal, kql, graph, graph_host }
    }
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanoseconds(at.as_nanoseconds().saturating_sub(by))
}

fn portal(
    admin_centre: &str,
    correlation: &[Guid],
    request: &[Guid],
    window: Option<Span>,
) -> Vec<String> {
    let mut steps = vec![format!(
        "Entra admin center ({admin_centre}), in the customer's tenant: \
         Monitoring & health, Sign-in logs."
    )];
    if let Some(window) = window {
        steps.push(format!(
            "Show dates as UTC; set Date to Custom, from {} to {}.",
            clock(window.first()),
            clock(window.last())
        ));
    }
    if !correlation.is_empty() {
        steps.push("Add filter Correlation ID and paste the id.".to_owned());
    } else if !request.is_empty() {
        steps.push("Add filter Request ID and paste the id.".to_owned());
    } else {
        steps.push("Add filter User and name the user: the capture holds no id.".to_owned());
    }
    steps.push(
        "Look at both User sign-ins tabs, interactive and non-interactive; open the record and read \
         Authentication Details and Conditional Access."
            .to_owned(),
    );
    steps
}

fn kql(attempt: &SignInAttempt, window: Option<Span>) -> Option<String> {
    let (first, rest) = attempt.correlation_ids.split_first()?;
    let tables = if attempt.flow == Flow::ClientCredentials {
        "union isfuzzy=true SigninLogs, AADServicePrincipalSignInLogs"
    } else {
        "union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs"
    };
    let mut lines = vec![tables.to_owned()];
    if let Some(window) = window {
        lines.push(format!("| where TimeGenerated >= datetime({})", window.first()));
        lines.push(format!("| where TimeGenerated <= datetime({})", window.last()));
    }
    if rest.is_empty() {
        lines.push(format!("| where CorrelationId == \"{first}\""));
    } else {
        let ids: Vec<String> =
            attempt.correlation_ids.iter().map(|id| format!("    \"{id}\"")).collect();
        lines.push("| where CorrelationId in (".to_owned());
        lines.push(format!("{})", ids.join(",\n")));
    }
    lines.push("| project TimeGenerated, OriginalRequestId, ResultType,".to_owned());
    lines.push("    ResultDescription, AppDisplayName, ConditionalAccessStatus,".to_owned());
    lines.push("    AuthenticationDetails".to_owned());
    lines.push("| order by TimeGenerated asc".to_owned());
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_ids_of_the_attempt_become_queries() {
        let case = samples::denied();
        let log = SignInLog::of(&case.report());
        assert_eq!(log.graph.len(), log.correlation_ids.len());
        let kql = log.kql.unwrap();
        assert!(kql.contains("SigninLogs, AADNonInteractiveUserSignInLogs"));
        assert!(kql.contains("datetime(2030-01-01T10:04:07.000Z)"), "{kql}");
        assert!(log.portal.iter().any(|step| step.contains("Correlation ID")));
        assert!(SignInLog::of(&samples::no_sign_in().report()).graph.is_empty());
    }
}
