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

impl SignInLog {
    /// The query for the policies of an attempt: those that its answer named, or those that applied.
    ///
    /// The two tables hold the policies in different types, so each is made alike before the union.
    pub fn policies_kql(&self, attempt: &SignInAttempt) -> Option<String> {
        let ids = quoted(&attempt.correlation_ids)?;
        let other = other_table(attempt.flow);
        let mut lines = vec!["union isfuzzy=true".to_owned()];
        for (table, end) in [("SigninLogs", ","), (other, "")] {
            lines.push(format!("    ({table}"));
            lines.push(format!(
                "    | extend Policies = todynamic(ConditionalAccessPolicies)){end}"
            ));
        }
        push_window(self.window, &mut lines);
        lines.push(format!("| where CorrelationId in ({ids})"));
        lines.push("| mv-expand Policy = Policies".to_owned());
        lines.push(
            "| extend PolicyId = tostring(Policy.id), Result = tostring(Policy.result)".into(),
        );
        lines.push(match quoted(&attempt.policy_ids) {
            Some(policies) => format!("| where PolicyId in ({policies})"),
            None => "| where Result !in (\"notApplied\", \"notEnabled\")".to_owned(),
        });
        lines.push("| project TimeGenerated, ResultType, PolicyId, Result,".to_owned());
        lines.push("    Name = tostring(Policy.displayName),".to_owned());
        lines.push("    Controls = tostring(Policy.enforcedGrantControls)".to_owned());
        lines.push("| order by TimeGenerated asc".to_owned());
        Some(lines.join("\n"))
    }
}

fn push_window(window: Option<Span>, lines: &mut Vec<String>) {
    if let Some(window) = window {
        lines.push(format!("| where TimeGenerated >= datetime({})", window.first()));
        lines.push(format!("| where TimeGenerated <= datetime({})", window.last()));
    }
}

/// The table beside that of interactive sign-ins.
const fn other_table(flow: Flow) -> &'static str {
    match flow {
        Flow::ClientCredentials => "AADServicePrincipalSignInLogs",
        _ => "AADNonInteractiveUserSignInLogs",
    }
}

/// Ids as the list of a query, one on each line where there are several.
fn quoted(ids: &[Guid]) -> Option<String> {
    let all: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    match all.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("\n    {}", several.join(",\n    "))),
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
    let ids = quoted(&attempt.correlation_ids)?;
    let other = other_table(attempt.flow);
    let mut lines = vec![format!("union isfuzzy=true SigninLogs, {other}")];
    push_window(window, &mut lines);
    lines.push(if attempt.correlation_ids.len() == 1 {
        format!("| where CorrelationId == {ids}")
    } else {
        format!("| where CorrelationId in ({ids})")
    });
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
