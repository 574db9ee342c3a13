//! What the identity team, or a support case with the service, needs: codes, ids, times, who signed
//! in to what, and what is asked.
//!
//! What to ask stands in tables, by outcome, flow and code; the words of codes and result values are
//! those of their own tables. It must not know where the team works.
//!
//! Invariants: the user is shown as the redaction mode allows; only GUIDs and times enter a query.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::entra::{error, method, result};
use crate::evidence::EvidenceRef;
use crate::finding::{Refs, Text};
#[cfg(test)]
use crate::report::forms;
use crate::report::json::captured;
use crate::report::model::{ReportInput, sentence};
use crate::report::sign_in_log::SignInLog;
use crate::signin::{Flow, Guid, MfaState, Outcome, Side, SignInAttempt};
use crate::time::Timestamp;

/// The block for the identity team.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "identity_handover"))]
pub struct IdentityHandover {
    /// Whose matter it is.
    pub side: Side,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// What became of MFA.
    pub mfa: MfaState,
    /// The codes of the attempt, the one that decided in front.
    pub codes: Vec<CodeFact>,
    /// The result of the MFA method, with what it means, where it was not passed.
    pub result: Option<Named>,
    /// The methods that the page offered, with their names.
    pub methods: Vec<Named>,
    /// What a policy page said, by its number.
    pub policy_page: Option<Named>,
    /// The user, as the redaction mode allows.
    pub user: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The application.
    pub application: Option<Guid>,
    /// The resource.
    pub resource: Option<String>,
    /// The flow.
    #[cfg_attr(test, schemars(with = "forms::Flow"))]
    pub flow: &'static str,
    /// Policy ids that the answer named.
    pub policy_ids: Vec<Guid>,
    /// Correlation ids, the first seen in front.
    pub correlation_ids: Vec<Guid>,
    /// Request ids, in order.
    pub request_ids: Vec<Guid>,
    /// First sign of the attempt.
    pub first: Option<Timestamp>,
    /// Last sign of it.
    pub last: Option<Timestamp>,
    /// What was seen.
    pub seen: Vec<Fact>,
    /// What is asked of the team, one thing each.
    pub asks: Vec<String>,
    /// Steps in the portal.
    pub portal: Vec<String>,
    /// The query for the sign-in.
    pub kql: Option<String>,
    /// The query for the policies of the sign-in, where policies are in question.
    pub policies_kql: Option<String>,
    /// Requests to Microsoft Graph, below its version.
    pub graph: Vec<String>,
    /// The host of Microsoft Graph in the cloud of the sign-in.
    pub graph_host: &'static str,
    /// What to send with a case with the service; empty where none is to be opened.
    pub support_case: Vec<&'static str>,
}

/// One code of the attempt.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "code"))]
pub struct CodeFact {
    /// The number.
    pub code: u32,
    /// Its name.
    pub name: Option<&'static str>,
    /// What it means.
    pub meaning: Option<&'static str>,
    /// Whether the page says the same without the number.
    pub equivalent: bool,
    /// Whether it decided.
    pub decided: bool,
    /// When it came.
    pub at: Option<Timestamp>,
    /// The request id with it.
    pub request_id: Option<Guid>,
    /// The correlation id with it.
    pub correlation_id: Option<Guid>,
    /// Where it stands.
    #[serde(serialize_with = "crate::report::json::refs")]
    #[cfg_attr(test, schemars(with = "Vec<crate::report::json::RefJson>"))]
    pub refs: Vec<EvidenceRef>,
}

/// A value of the service and what it means.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "named_value"))]
pub struct Named {
    /// The value.
    pub value: String,
    /// What it means, where a table tells.
    pub meaning: Option<&'static str>,
}

/// A statement and its place.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "fact"))]
pub struct Fact {
    /// What is said.
    pub text: String,
    /// The same with times as people read them.
    #[serde(skip)]
    pub sentence: String,
    /// Where it stands.
    #[serde(serialize_with = "crate::report::json::refs")]
    #[cfg_attr(test, schemars(with = "Vec<crate::report::json::RefJson>"))]
    pub refs: Vec<EvidenceRef>,
}

impl IdentityHandover {
    pub(super) fn of(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Self {
        let mut log = SignInLog::of(report);
        let clean = |text: &String| captured(text, report.redaction);
        let about_policy = attempt.side == Side::Policy
            && attempt.outcome != Outcome::MfaUserBlocked
            || !attempt.policy_ids.is_empty()
            || attempt.outcome == Outcome::InteractionRequired;
        let policies_kql = about_policy.then(|| log.policies_kql(attempt)).flatten();
        log.graph.extend(
            attempt
                .policy_ids
                .iter()
                .map(|id| format!("/identity/conditionalAccess/policies/{id}")),
        );
        if about_method(attempt.outcome) {
            // Whoever asks knows the name that may be masked here.
            log.graph.push("/users/USER/authentication/methods".to_owned());
        }
        let graph = log.graph;
        Self {
            side: attempt.side,
            outcome: attempt.outcome,
            mfa: attempt.mfa,
            codes: codes(attempt),
            result: attempt.result_value.as_ref().filter(|_| attempt.mfa != MfaState::Passed).map(
                |value| Named {
                    value: clean(value),
                    meaning: result(value).map(|row| row.meaning),
                },
            ),
            methods: attempt
                .methods
                .iter()
                .map(|id| Named { value: clean(id), meaning: method(id).map(|row| row.name) })
                .collect(),
            policy_page: attempt.policy_page.map(|number| Named {
                value: number.to_string(),
                meaning: number.row().map(|row| row.reading),
            }),
            user: attempt.user.as_ref().map(|user| user.shown(report.redaction)),
            tenant: attempt.tenant.as_ref().map(clean),
            application: attempt.application.clone(),
            resource: attempt.resource.as_ref().map(clean),
            flow: attempt.flow.as_str(),
            policy_ids: attempt.policy_ids.clone(),
            correlation_ids: attempt.correlation_ids.clone(),
            request_ids: attempt.request_ids.clone(),
            first: attempt.first,
            last: attempt.last,
            seen: report
                .verdict
                .evidence_for
                .iter()
                .map(|one| Fact {
                    text: one.text.shown(report.redaction),
                    sentence: sentence(&one.text, report.redaction),
                    refs: one.refs.iter().flat_map(Refs::iter).collect(),
                })
                .collect(),
            asks: asks(report, attempt),
            portal: log.portal,
            kql: log.kql,
            policies_kql,
            graph,
            graph_host: log.graph_host,
            support_case: if attempt.side == Side::Service {
                SUPPORT_CASE.to_vec()
            } else {
                Vec::new()
            },
        }
    }
}

/// The codes, the one that decided in front, repeats folded to their last.
fn codes(attempt: &SignInAttempt) -> Vec<CodeFact> {
    let mut out: Vec<CodeFact> = Vec::new();
    let mut known: BTreeMap<u32, usize> = BTreeMap::new();
    for one in &attempt.errors {
        if let Some(fact) = known.get(&one.code).and_then(|index| out.get_mut(*index)) {
            fact.equivalent &= one.equivalent;
            fact.at = one.at;
            if one.trace_id.is_some() {
                fact.request_id.clone_from(&one.trace_id);
            }
            fact.correlation_id.clone_from(&one.correlation_id);
            if fact.refs.last() != Some(&one.reference) {
                fact.refs.push(one.reference);
            }
            continue;
        }
        let row = error(one.code);
        known.insert(one.code, out.len());
        out.push(CodeFact {
            code: one.code,
            name: row.map(|row| row.name).filter(|name| !name.is_empty()),
            meaning: row.map(|row| row.meaning),
            equivalent: one.equivalent,
            decided: attempt.deciding_code == Some(one.code),
            at: one.at,
            request_id: one.trace_id.clone(),
            correlation_id: one.correlation_id.clone(),
            refs: vec![one.reference],
        });
    }
    out.sort_by_key(|one| !one.decided);
    out
}

const fn about_method(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::MfaMethodFailed
            | Outcome::MfaNoAnswer
            | Outcome::MfaWrongCode
            | Outcome::RegistrationRequired
    )
}

/// What a case with the service needs beside what stands in the block.
const SUPPORT_CASE: &[&str] = &[
    "The ids and UTC times of this block: correlation id, request id, code.",
    "The tenant id, and the name of the user in full.",
    "Since when, how often, and for how many users and applications it happens.",
    "Whether it repeats from another network and with another method.",
    "What the service health page said at that time.",
    "This capture, sent by the upload of the case only: it holds secrets.",
];

/// What is asked by outcome, beside what the deciding findings advise.
const ASKS: &[(Outcome, &[&str])] = &[
    (
        Outcome::BlockedByPolicy,
        &["Say which condition or control was not met, and whether the policy is meant for this \
             user, application, device and place."],
    ),
    (
        Outcome::InteractionRequired,
        &["Pass the `claims` of the answer on in that sign-in, so that what was asked for is met."],
    ),
    (
        Outcome::MfaAbandoned,
        &[
            "Ask what the phone, or the page of the provider, showed at that time.",
            "Look in Authentication Details whether the challenge was answered after all.",
        ],
    ),
    (
        Outcome::MfaDenied,
        &["Ask the user whether the sign-in was theirs. If not: reset the password, revoke the \
             sessions and look for other sign-ins of that time."],
    ),
    (
        Outcome::MfaMethodFailed,
        &["Let the user sign in with another method, or issue a Temporary Access Pass meanwhile."],
    ),
    (
        Outcome::MfaNoAnswer,
        &["Check the registered phone number or app, and what Authentication Details says of \
             the delivery: the phone's side is in no capture of the computer."],
    ),
    (Outcome::MfaNotAttempted, &["Check that one of the offered methods is at hand for the user."]),
    (
        Outcome::MfaServiceFailed,
        &["Compare with Service health in the admin center for that time."],
    ),
    (
        Outcome::MfaUserBlocked,
        &["Find out whether a fraud report or an administrator set it: Protection, Multifactor \
             authentication, Block/unblock users."],
    ),
    (
        Outcome::MfaWrongCode,
        &["Check that the code came from the entry of this account, and offer another method."],
    ),
    (
        Outcome::PreventedByClient,
        &["Compare with another browser on the same computer, and have the policies for \
             browsers and extensions checked."],
    ),
    (
        Outcome::RegistrationRequired,
        &["Let the user register at https://aka.ms/mfasetup; where a policy limits from where, \
             issue a Temporary Access Pass."],
    ),
];

/// What is asked because of how the application signs in.
const FLOW_ASKS: &[(Flow, &str)] = &[
    (
        Flow::ClientCredentials,
        "The application signs in with its own identity: check the policies for workload \
         identities.",
    ),
    (
        Flow::DeviceCode,
        "Check whether a policy blocks the device code flow, or let the user sign in on the \
         device itself.",
    ),
    (
        Flow::OnBehalfOf,
        "The middle service has to hand the answer with its claims back to the client, which \
         then signs in again.",
    ),
    (
        Flow::Ropc,
        "The application sends the password itself, and no prompt can be shown: move it to an \
         interactive flow or to an identity of its own.",
    ),
    (
        Flow::WsTrust,
        "The client uses WS-Trust, where no prompt can be shown: move it to modern \
         authentication.",
    ),
];

/// Codes that tell of the device.
const DEVICE_CODES: &[u32] = &[
    50_005, 50_097, 50_129, 50_155, 50_187, 50_192, 53_000, 53_001, 530_001, 530_002, 530_003,
    530_011,
];
/// Codes of tenant restrictions and of access between tenants.
const TENANT_CODES: &[u32] = &[500_021, 500_022, 500_212, 500_213, 5_000_211];

fn asks(report: &ReportInput<'_>, attempt: &SignInAttempt) -> Vec<String> {
    let mut asks: Vec<String> = Vec::new();
    let mut add = |ask: String| {
        let is_told = asks.iter().any(|known| known.contains(ask.trim_end_matches('.')));
        if !ask.is_empty() && !is_told {
            asks.push(ask);
        }
    };
    for finding in report.findings.iter().filter(|one| one.decisive) {
        let advice = finding.advice.as_ref().map(|text: &Text| text.shown(report.redaction));
        add(advice.unwrap_or_else(|| finding.meta.advice.to_owned()));
    }
    if let Some(next) = attempt.next_step {
        add(next.to_owned());
    }
    if !attempt.policy_ids.is_empty() {
        add("Check the policies whose ids stand below: whom and what they include, and whether that \
             is meant."
            .to_owned());
    }
    let code = attempt.deciding_code.unwrap_or_default();
    if DEVICE_CODES.contains(&code) {
        add("Check the device: in the device list (compliant, last sync, enabled) and on it with \
             dsregcmd /status."
            .to_owned());
    }
    if TENANT_CODES.contains(&code) {
        add("Check the tenant restrictions of the network the user was in, and the cross-tenant \
             access settings of both tenants."
            .to_owned());
    }
    for (_, list) in ASKS.iter().filter(|(outcome, _)| *outcome == attempt.outcome) {
        for ask in *list {
            add((*ask).to_owned());
        }
    }
    if attempt.outcome == Outcome::InteractionRequired {
        for (_, ask) in FLOW_ASKS.iter().filter(|(flow, _)| *flow == attempt.flow) {
            add((*ask).to_owned());
        }
    }
    if asks.is_empty() {
        asks.push("Read the record of this sign-in in the log and say what it names.".to_owned());
    }
    asks
}

/// What is wanted, in one sentence.
pub(super) fn request(report: &ReportInput<'_>, attempt: &SignInAttempt) -> String {
    let user = match (&attempt.user, attempt.flow) {
        (Some(user), _) => user.shown(report.redaction),
        (None, Flow::ClientCredentials) => "the application".to_owned(),
        (None, _) => "the user".to_owned(),
    };
    let code = attempt.deciding_code.map(|code| format!(" with AADSTS{code}")).unwrap_or_default();
    match attempt.outcome {
        Outcome::BlockedByPolicy => format!(
            "Please find out which policy refused the sign-in of {user}{code}, and whether that is \
             meant."
        ),
        Outcome::MfaUserBlocked => format!(
            "Please find out why {user} is blocked for MFA, and lift the block if it is not meant."
        ),
        Outcome::InteractionRequired => format!(
            "Please make the application handle the demand for MFA{code}: it came on a request \
             that cannot show a prompt, so the sign-in of {user} could not go on."
        ),
        Outcome::RegistrationRequired => {
            format!("Please have {user} register a usable MFA method, or say why there is none.")
        }
        Outcome::MfaDenied => format!(
            "Please clear up with {user} why the MFA request was refused or reported, and secure \
             the account if it was not theirs."
        ),
        Outcome::MfaNoAnswer => format!(
            "Please check why {user} did not answer the MFA request: the registered method, its \
             delivery, and the phone."
        ),
        Outcome::MfaWrongCode => {
            format!("Please help {user} with the code: the service did not accept what was typed.")
        }
        Outcome::MfaMethodFailed => {
            format!("Please repair or replace the MFA method of {user}: it could not be used.")
        }
        Outcome::MfaAbandoned | Outcome::MfaNotAttempted => format!(
            "Please ask {user} why the MFA prompt was left, and check that a usable method is at \
             hand."
        ),
        Outcome::MfaServiceFailed => {
            "Please check the service health and open a case with Microsoft if this repeats: the \
             service itself reported a fault."
                .to_owned()
        }
        Outcome::PreventedByClient => format!(
            "Please find out what on the client stopped the sign-in of {user}: an extension, a \
             content policy, scripts or cookies that are switched off, or a fault of the page."
        ),
        _ => {
            let matter = match attempt.side {
                Side::Application => "application",
                Side::Policy => "policy",
                Side::Service => "service",
                _ => "account",
            };
            format!(
                "Please clear up why the sign-in of {user} failed{code}: it is a matter of the {matter}."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;
    use crate::report::handover::Handover;

    fn identity(case: &samples::Case) -> (String, IdentityHandover) {
        let handover = Handover::of(&case.report()).unwrap();
        (handover.request, handover.identity.unwrap())
    }

    #[test]
    fn a_refusal_is_handed_over_with_its_ids() {
        let (request, one) = identity(&samples::denied());
        assert!(request.contains("a***e@contoso.com"), "{request}");
        assert_eq!(one.codes.len(), 2);
        assert_eq!(one.codes[0].request_id.as_ref().unwrap(), &one.request_ids[0]);
        assert_eq!(one.result.unwrap().value, "PhoneAppDenied");
        assert!(one.asks.len() >= 2 && one.support_case.is_empty());
        assert!(one.kql.is_some() && one.policies_kql.is_none());
    }

    #[test]
    fn policies_are_asked_for_by_id() {
        let (_, one) = identity(&samples::policy());
        let id = one.policy_ids[0].as_str();
        assert!(one.graph.contains(&format!("/identity/conditionalAccess/policies/{id}")));
        let kql = one.policies_kql.unwrap();
        assert!(kql.contains("ConditionalAccessPolicies") && kql.contains(id), "{kql}");
        assert!(one.asks.iter().any(|ask| ask.contains("ids stand below")));
        assert!(one.codes[0].decided);
    }

    #[test]
    fn a_fault_of_the_service_comes_with_what_a_case_needs() {
        let mut case = samples::denied();
        case.signin.attempts[0].outcome = Outcome::MfaServiceFailed;
        case.signin.attempts[0].side = Side::Service;
        case.verdict.side = Side::Service;
        let (request, one) = identity(&case);
        assert!(request.contains("open a case") && !one.support_case.is_empty());
    }

    #[test]
    fn every_outcome_that_somebody_can_act_on_is_asked_about() {
        for outcome in Outcome::ALL {
            let acts = !matches!(
                outcome.default_side(),
                Side::NothingWrong | Side::CannotTell | Side::Network
            );
            let asked = ASKS.iter().any(|(known, asks)| known == outcome && !asks.is_empty());
            assert_eq!(acts, asked, "{outcome}");
        }
        for code in DEVICE_CODES.iter().chain(TENANT_CODES) {
            assert!(error(*code).is_some(), "{code}");
        }
    }
}
