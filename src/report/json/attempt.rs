//! The attempts in the machine-readable report: steps, error codes, and what had to follow.
//!
//! It must not decide anything: each field is copied from the sign-in.
//!
//! Invariant: what stems from a capture is bounded and cleaned, users as the redaction allows.

use serde::Serialize;

use super::captured;
use super::reference::RefJson;
use crate::evidence::HostName;
use crate::report::ReportInput;
#[cfg(test)]
use crate::report::forms;
use crate::signin::{Expected, Guid, MfaState, Outcome, Side, SignInAttempt, StepKind, Traffic};
use crate::time::Timestamp;

/// One attempt to sign in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "attempt"))]
pub(super) struct AttemptJson<'a> {
    /// Its number, from 1.
    id: u32,
    /// How it ended.
    outcome: Outcome,
    /// The side that stands for.
    side: Side,
    /// What became of MFA.
    mfa: MfaState,
    /// The protocol and manner of the sign-in.
    #[cfg_attr(test, schemars(with = "forms::Flow"))]
    flow: &'static str,
    /// The user, as the redaction allows.
    user: Option<String>,
    /// The tenant as the requests name it.
    tenant: Option<String>,
    /// The application.
    application: Option<&'a Guid>,
    /// The resource or scope asked for.
    resource: Option<String>,
    /// Address of the computer, where the capture has several.
    #[cfg_attr(test, schemars(with = "Option<forms::Address>"))]
    client: Option<String>,
    /// Correlation ids, the first seen in front.
    correlation_ids: &'a [Guid],
    /// Request ids.
    request_ids: &'a [Guid],
    /// Ids of policies that a claims challenge names.
    policy_ids: &'a [Guid],
    /// MFA methods that the page offered.
    methods: Vec<String>,
    /// The last result of the MFA calls.
    result_value: Option<String>,
    /// The later attempt that made it good.
    overridden_by: Option<u32>,
    /// First sign of it.
    first: Option<Timestamp>,
    /// Last sign of it.
    last: Option<Timestamp>,
    /// Its stages in order.
    steps: Vec<StepJson<'a>>,
    /// The error codes of the service.
    errors: Vec<ErrorJson<'a>>,
    /// What had to follow the MFA page.
    mfa_traffic: Vec<TrafficJson<'a>>,
}

/// What had to follow the MFA page, and what of it is in the capture.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mfa_traffic"))]
struct TrafficJson<'a> {
    /// What it is.
    #[cfg_attr(test, schemars(with = "forms::TrafficKind"))]
    kind: &'static str,
    /// What the capture has of it.
    #[cfg_attr(test, schemars(with = "forms::TrafficState"))]
    state: &'static str,
    /// The host it goes to.
    host: Option<&'a HostName>,
    /// Until when the capture is known to have recorded, where it proves that nothing came.
    recorded_until: Option<Timestamp>,
    /// Why the capture cannot tell.
    #[cfg_attr(test, schemars(with = "Option<forms::Unseen>"))]
    unseen: Option<&'static str>,
    /// Where it stands.
    refs: Vec<RefJson>,
}

impl<'a> TrafficJson<'a> {
    fn of(expected: &'a Expected) -> Self {
        Self {
            kind: expected.kind.as_str(),
            state: expected.traffic.as_str(),
            host: expected.host.as_ref(),
            recorded_until: match expected.traffic {
                Traffic::Absent(proof) => Some(proof.window().last()),
                _ => None,
            },
            unseen: match expected.traffic {
                Traffic::Unknown(unseen) => Some(unseen.as_str()),
                _ => None,
            },
            refs: RefJson::all(expected.refs.iter().copied()),
        }
    }
}

/// One stage of an attempt, repetitions folded.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "step"))]
struct StepJson<'a> {
    /// What kind of stage.
    kind: StepKind,
    /// When it began.
    at: Option<Timestamp>,
    /// What became of it.
    #[cfg_attr(test, schemars(with = "forms::StepResult"))]
    result: &'static str,
    /// What is worth saying of it; empty where nothing is.
    detail: String,
    /// The host asked.
    host: &'a HostName,
    /// Requests folded into it.
    count: u32,
    /// Where they stand.
    refs: Vec<RefJson>,
}

/// An error code of the service and where it was read.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "error"))]
struct ErrorJson<'a> {
    /// The number.
    code: u32,
    /// Whether the page says the same without the number.
    equivalent: bool,
    /// What carried it.
    #[cfg_attr(test, schemars(with = "forms::Carrier"))]
    carrier: &'static str,
    /// The page it stood in.
    page: Option<String>,
    /// The step it belongs to.
    step: StepKind,
    /// The request id with it.
    trace_id: Option<&'a Guid>,
    /// The correlation id with it.
    correlation_id: Option<&'a Guid>,
    /// When it came.
    at: Option<Timestamp>,
    /// Where it stands.
    refs: Vec<RefJson>,
}

impl<'a> AttemptJson<'a> {
    pub(super) fn of(report: &ReportInput<'a>, attempt: &'a SignInAttempt) -> Self {
        let captured = |text: &String| captured(text, report.redaction);
        Self {
            id: attempt.id.0,
            outcome: attempt.outcome,
            side: attempt.side,
            mfa: attempt.mfa,
            flow: attempt.flow.as_str(),
            user: attempt.user.as_ref().map(|user| user.shown(report.redaction)),
            tenant: attempt.tenant.as_ref().map(captured),
            application: attempt.application.as_ref(),
            resource: attempt.resource.as_ref().map(captured),
            client: attempt.client.map(|address| address.to_string()),
            correlation_ids: &attempt.correlation_ids,
            request_ids: &attempt.request_ids,
            policy_ids: &attempt.policy_ids,
            methods: attempt.methods.iter().map(captured).collect(),
            result_value: attempt.result_value.as_ref().map(captured),
            overridden_by: attempt.overridden_by.map(|id| id.0),
            first: attempt.first,
            last: attempt.last,
            steps: attempt
                .steps
                .iter()
                .map(|step| StepJson {
                    kind: step.kind,
                    at: step.at,
                    result: step.result.as_str(),
                    detail: captured(&step.detail),
                    host: &step.host,
                    count: step.count,
                    refs: RefJson::all(step.refs.iter().copied()),
                })
                .collect(),
            errors: attempt
                .errors
                .iter()
                .map(|error| ErrorJson {
                    code: error.code,
                    equivalent: error.equivalent,
                    carrier: error.carrier.as_str(),
                    page: error.page.as_ref().map(captured),
                    step: error.step,
                    trace_id: error.trace_id.as_ref(),
                    correlation_id: error.correlation_id.as_ref(),
                    at: error.at,
                    refs: RefJson::all([error.reference]),
                })
                .collect(),
            mfa_traffic: attempt.expected.iter().map(TrafficJson::of).collect(),
        }
    }
}
