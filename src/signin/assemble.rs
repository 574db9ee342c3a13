//! Makes attempts out of groups and what was judged of them: steps, codes, ids, users.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::aside;
use super::below;
use super::clock;
use super::correlate::{self, Group};
use super::dark;
use super::disagree;
use super::echo;
use super::failure;
use super::join;
use super::machines::{Machines, may_be_one};
use super::outcome::{self, Judgement};
use super::sealed::{self, View};
use super::sighting::{FoundCode, Grant, Sighting};
use super::traffic::{self, is_mfa_page};
use super::{
    AttemptId, Blockage, Carrier, Flow, Guid, GuideCause, MfaState, Outcome, Phase, SignIn,
    SignInAttempt, Step, StepKind, StepResult, StsError, Veil,
};
use crate::entra::{self, HostRole, Nature, PolicyNumber, ResultClass, hosts};
use crate::evidence::{
    Evidence, Exchange, ExchangeId, HostName, Identity, InputId, Scheme, Unseen,
};
use crate::time::Timestamp;

/// Error codes kept of one attempt.
const ERRORS: usize = 500;
/// Exchanges looked at for a later answer of a host.
const LATER: usize = 2_000;
/// Request ids kept of one attempt.
const REQUEST_IDS: usize = 64;

/// Rebuilds all sign-ins of a case.
pub fn reconstruct(evidence: &Evidence) -> SignIn {
    let machines = Machines::of(evidence);
    let mut failures = failure::all(evidence, &machines);
    let joined = join::joined(evidence);
    let named = join::name_failures(evidence, &joined, &mut failures);
    let disagreements = disagree::disagreements(evidence, &joined, &named, &mut failures);
    let mut echoes = echo::echoes(evidence, &joined);
    let below = below::failed(evidence, &failures, &joined);
    let correlate::Groups { list: groups, dropped, returned, .. } =
        correlate::group(evidence, &failures, &echoes, &machines, &below);
    let roots = script_roots(evidence, &failures);
    let mut users: BTreeMap<String, u32> = BTreeMap::new();
    let mut attempts: Vec<SignInAttempt> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let later = groups.get(index.saturating_add(1)..).unwrap_or_default();
        if !is_attempt(group)
            || is_lookup_made_good(group, later)
            || is_made_good(group, evidence, &failures, &machines, &roots)
        {
            continue;
        }
        let judgement = outcome::judge(group, evidence);
        let number = u32::try_from(attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        let mut made = attempt(AttemptId(number), group, judgement, &mut users);
        made.is_other_program = is_small(group)
            && groups
                .iter()
                .any(|other| !is_small(other) && other.process.is_some() && programs(group, other));
        made.expected = traffic::expected(&group.members, evidence);
        if disagreements.iter().any(|one| one.takes_away(&made.decided_by)) {
            made.note = Some(disagree::REACHED);
        }
        made.doubts.extend(is_answer_dark(&made, group, evidence).then_some(ANSWER_DARK));
        attempts.push(made);
    }
    if attempts.is_empty() {
        attempts.extend(sealed::attempts(evidence, &failures, &machines));
    } else if !joined.is_empty() {
        for attempt in &mut attempts {
            cite_packets(attempt, &named, evidence);
        }
        let view = View { evidence, failures: &failures, machines: &machines, client: None };
        if let (Some(attempt), Some(found)) = (attempts.last_mut(), sealed::attempt(view)) {
            go_on_in_packets(attempt, found, &joined, evidence);
        }
    }
    aside::override_attempts(&mut attempts);
    let encrypted = encrypted(evidence, &failures);
    let seen = !attempts.is_empty() || !encrypted.is_empty();
    let clocks = clock::readings(evidence);
    let mut veils = sealed::veils(evidence);
    veils.extend(returned.map(|at| (Veil::Returned, at)));
    echoes.ids.extend(named.into_values());
    let echoes = echoes.ids;
    let computers = machines.seen;
    SignIn {
        attempts,
        encrypted,
        veils,
        joined,
        disagreements,
        computers,
        echoes,
        failures,
        clocks,
        seen,
        dropped,
    }
}

/// What is said where the sign-in that a request without a prompt calls for cannot be read.
const ANSWER_DARK: &str =
    "the service was asked more after it, in connections that are not decrypted";
/// How soon a user signs in after a request without a prompt asked for it.
const ANSWERED: Duration = Duration::from_mins(10);

/// Whether the sign-in that a request without a prompt calls for may have followed, and cannot be read.
fn is_answer_dark(made: &SignInAttempt, group: &Group, evidence: &Evidence) -> bool {
    let last = made.last.filter(|_| made.outcome == Outcome::InteractionRequired);
    last.zip(group.members.first()).is_some_and(|(last, first)| {
        dark::is_asked(evidence, first.input, last, last.plus(ANSWERED))
    })
}

/// Adds to what stopped an attempt what packets show of the same requests.
fn cite_packets(
    attempt: &mut SignInAttempt,
    named: &BTreeMap<ExchangeId, ExchangeId>,
    evidence: &Evidence,
) {
    let Some(blockage) = &mut attempt.blockage else { return };
    let others: BTreeSet<ExchangeId> =
        blockage.exchanges.iter().filter_map(|id| named.get(id).copied()).collect();
    for id in others {
        if !blockage.exchanges.contains(&id) {
            blockage.exchanges.push(id);
            attempt.decided_by.extend(evidence.exchange(id).map(|exchange| exchange.at));
        }
    }
}

/// Ends an attempt whose trace tells no end by what packets of the same time show to have failed.
fn go_on_in_packets(
    attempt: &mut SignInAttempt,
    found: SignInAttempt,
    joined: &[join::Joined],
    evidence: &Evidence,
) {
    let open = attempt.outcome == Outcome::Undetermined
        && attempt.unseen.iter().all(|one| matches!(one, Unseen::CaptureEnded | Unseen::NotShown));
    let Some(blockage) = found.blockage.filter(|_| open) else { return };
    let Some(last) = attempt.last else { return };
    let is_later = |id: &ExchangeId| {
        let Some(exchange) = evidence.exchange(*id) else { return false };
        let ahead = joined.iter().find(|one| one.packets == exchange.at.input);
        let shift = ahead.map_or(0, |one| one.ahead.saturating_mul(1_000_000));
        exchange.ended().is_some_and(|at| {
            at.as_nanoseconds().saturating_sub(shift)
                >= last.as_nanoseconds().saturating_sub(5_000_000_000)
        })
    };
    if !blockage.exchanges.iter().all(is_later) {
        return;
    }
    let asked = attempt.was_asked();
    attempt.outcome =
        if asked { Outcome::MfaPreventedByNetwork } else { Outcome::SignInPreventedByNetwork };
    attempt.side = found.side;
    attempt.unseen.clear();
    attempt.decided_by = found.decided_by;
    attempt.doubts.extend(found.doubts);
    attempt.doubts.push("the end of the sign-in is told by the packets alone");
    let phase = if asked { Phase::AfterChallenge } else { Phase::BeforeChallenge };
    attempt.blockage = Some(Blockage { phase, ..blockage });
}

/// A group of nothing but look-ups, scripts and telemetry that worked is no attempt.
fn is_attempt(group: &Group) -> bool {
    group.members.iter().any(|one| {
        one.failure.is_some() && is_essential(one) && !is_overcome_tunnel(group, one)
            || !matches!(
                one.kind,
                StepKind::Other
                    | StepKind::Telemetry
                    | StepKind::Discovery
                    | StepKind::Logout
                    | StepKind::SeamlessSso
            )
    })
}

/// Whether nothing of a group shows more than that somebody tried to reach a host: tunnels, first
/// pages, scripts and look-ups that failed.
fn is_small(group: &Group) -> bool {
    group.members.iter().all(|one| {
        one.is_tunnel
            || matches!(one.kind, StepKind::Discovery | StepKind::HomeRealm | StepKind::Other)
    })
}

/// Whether a group is the doing of another program than that of the other group.
fn programs(group: &Group, other: &Group) -> bool {
    let named = group.members.iter().find_map(|one| one.process.as_ref());
    named.is_some_and(|named| other.process.as_ref().is_some_and(|process| process != named))
}

/// Roots of the scripts that were reached, by input.
fn script_roots<'a>(
    evidence: &'a Evidence,
    failures: &BTreeMap<ExchangeId, super::Failure>,
) -> BTreeSet<(InputId, &'a HostName)> {
    evidence
        .numbered()
        .filter(|(id, exchange)| exchange.response.is_ok() && !failures.contains_key(id))
        .filter(|(_, exchange)| hosts::is_script_cdn(exchange.host().as_str()))
        .map(|(_, exchange)| (exchange.at.input, exchange.host()))
        .collect()
}

/// Whether each host of such a group answered later.
fn is_made_good(
    group: &Group,
    evidence: &Evidence,
    failures: &BTreeMap<ExchangeId, super::Failure>,
    machines: &Machines,
    roots: &BTreeSet<(InputId, &HostName)>,
) -> bool {
    let answers = |one: &Sighting| {
        let from = evidence.exchanges.partition_point(|exchange| {
            exchange.started().is_none_or(|start| one.started.is_some_and(|at| start <= at))
        });
        let later = evidence.exchanges.get(from..).unwrap_or_default();
        later.iter().take(LATER).enumerate().any(|(index, exchange)| {
            let id = u32::try_from(from.saturating_add(index)).map(ExchangeId);
            exchange.at.input == one.input
                && exchange.host() == &one.host
                && may_be_one(one.client, machines.of_exchange(evidence, exchange))
                && exchange.response.is_ok()
                && id.is_ok_and(|id| !failures.contains_key(&id))
        })
    };
    // What one root of the scripts does not give, another one does.
    let stood_in = |one: &Sighting| {
        one.is_tunnel
            && hosts::is_script_cdn(one.host.as_str())
            && roots.iter().any(|(input, host)| *input == one.input && **host != one.host)
    };
    let mut failed = group.members.iter().filter(|one| one.failure.is_some());
    is_small(group) && failed.all(|one| answers(one) || stood_in(one))
}

/// Whether a group is a failed look-up of addresses after which the same client got to the service by
/// another name: what a library asks first it can do without.
fn is_lookup_made_good(group: &Group, later: &[Group]) -> bool {
    let looks = |one: &Sighting| matches!(one.kind, StepKind::Discovery | StepKind::HomeRealm);
    let input = group.members.first().map(|one| one.input);
    group.members.iter().all(looks)
        && later.iter().flat_map(|group| &group.members).any(|one| {
            Some(one.input) == input
                && may_be_one(one.client, group.client)
                && one.answered
                && one.failure.is_none()
                && !one.is_tunnel
                && !looks(one)
                && matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
        })
}

/// Whether a refused tunnel was opened at a later try, as after a proxy's question for credentials.
fn is_overcome_tunnel(group: &Group, one: &Sighting) -> bool {
    one.is_tunnel
        && group.members.iter().any(|later| {
            later.is_tunnel
                && later.answered
                && later.failure.is_none()
                && later.host == one.host
                && later.started >= one.started
        })
}

fn is_essential(one: &Sighting) -> bool {
    match one.role {
        Some(HostRole::Sts | HostRole::StsAlias) => true,
        Some(HostRole::SigninCdn) => one.is_script,
        _ => false,
    }
}

/// Tunnels to sign-in hosts whose contents nobody decrypted: no exchange inside them is in the capture.
fn encrypted(
    evidence: &Evidence,
    failures: &BTreeMap<ExchangeId, super::Failure>,
) -> Vec<ExchangeId> {
    let tunnel = |exchange: &Exchange| exchange.request.url.scheme == Scheme::Authority;
    let readable: BTreeSet<_> = evidence
        .exchanges
        .iter()
        .filter(|exchange| !tunnel(exchange))
        .map(|exchange| (exchange.at.input, exchange.host()))
        .collect();
    evidence
        .numbered()
        .filter(|(id, exchange)| {
            let open = exchange.status().is_some_and(|status| status < 300)
                || exchange.is_hidden() && exchange.is_answered() && !failures.contains_key(id);
            tunnel(exchange)
                && open
                && hosts::is_sign_in_service(exchange.host().as_str())
                && !readable.contains(&(exchange.at.input, exchange.host()))
        })
        .map(|(id, _)| id)
        .collect()
}

fn attempt(
    id: AttemptId,
    group: &Group,
    judgement: Judgement,
    users: &mut BTreeMap<String, u32>,
) -> SignInAttempt {
    let user = group.user.as_deref().map(|name| {
        let next = u32::try_from(users.len()).unwrap_or(u32::MAX).saturating_add(1);
        let number = *users.entry(name.trim().to_lowercase()).or_insert(next);
        Identity::new(name, number)
    });
    let mut request_ids: Vec<Guid> = Vec::new();
    let mut policy_ids: Vec<Guid> = Vec::new();
    for one in &group.members {
        for id in one.request_id.iter().chain(one.codes.iter().filter_map(|c| c.trace_id.as_ref()))
        {
            if request_ids.len() < REQUEST_IDS && !request_ids.contains(id) {
                request_ids.push(id.clone());
            }
        }
        for id in &one.policy_ids {
            if policy_ids.len() < REQUEST_IDS && !policy_ids.contains(id) {
                policy_ids.push(id.clone());
            }
        }
    }
    let code = judgement.deciding_code.and_then(entra::error);
    let value = judgement.result_value.as_deref().and_then(entra::result);
    let value = value.filter(|row| row.outcome.is_some() && judgement.mfa == MfaState::Failed);
    let page = judgement.policy_page.and_then(PolicyNumber::row);
    let mut supports: Vec<GuideCause> = Vec::new();
    let told = code
        .filter(|row| row.is_verified())
        .and_then(|row| row.guide)
        .into_iter()
        .chain(value.filter(|row| row.is_verified()).and_then(|row| row.guide))
        .chain(
            page.filter(|_| judgement.outcome == Outcome::BlockedByPolicy)
                .and_then(|row| row.guide),
        );
    for cause in told {
        if !supports.contains(&cause) {
            supports.push(cause);
        }
    }
    let times = || group.members.iter().filter(|one| one.kind != StepKind::Telemetry);
    SignInAttempt {
        id,
        flow: flow(group),
        user,
        tenant: group.tenant.clone(),
        application: group.application.clone(),
        resource: group.resource.clone(),
        correlation_ids: group.correlation_ids.clone(),
        request_ids,
        policy_ids,
        first: times().filter_map(|one| one.started).min(),
        last: times().filter_map(|one| one.ended.or(one.started)).max(),
        steps: steps(group),
        errors: errors(group),
        outcome: judgement.outcome,
        side: judgement.side,
        // Where only tunnels are seen, what was asked inside the service's own is not.
        mfa: if group.members.iter().all(|one| {
            one.is_tunnel && !matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
        }) {
            MfaState::Unknown
        } else {
            judgement.mfa
        },
        methods: judgement.methods,
        result_value: judgement.result_value,
        deciding_code: judgement.deciding_code,
        policy_page: judgement.policy_page,
        expected: Vec::new(),
        is_other_program: false,
        blockage: judgement.blockage,
        meaning: value.map(|row| row.meaning).or_else(|| code.map(|row| row.meaning)),
        next_step: value.map(|row| row.next_step),
        supports,
        decided_by: judgement.decided_by,
        unseen: judgement.unseen,
        doubts: judgement.doubts,
        is_look: flow(group).is_without_prompt()
            && code.is_some_and(|row| row.nature == Nature::Interrupt),
        note: judgement.note,
        return_host: group.return_host.clone(),
        client: group.client,
        overridden_by: None,
    }
}

/// The flow; one that was guessed from an unreadable token request gives way to a browser's steps.
fn flow(group: &Group) -> Flow {
    let told = group.members.iter().find_map(|one| one.flow.filter(|_| !one.flow_guessed));
    let pages = group.members.iter().any(|one| {
        matches!(
            one.kind,
            StepKind::Authorize | StepKind::Password | StepKind::MfaBegin | StepKind::MfaPoll
        )
    });
    told.or(group.flow.filter(|_| !pages)).unwrap_or(Flow::Unknown)
}

fn errors(group: &Group) -> Vec<StsError> {
    let mut errors: Vec<StsError> = Vec::new();
    for one in &group.members {
        let page = one.page.as_ref().and_then(|page| page.id.clone());
        let make = |found: &FoundCode, equivalent| StsError {
            code: found.code,
            equivalent,
            carrier: found.carrier,
            page: page.clone(),
            step: one.kind,
            trace_id: found.trace_id.clone().or_else(|| one.request_id.clone()),
            correlation_id: found
                .correlation_id
                .clone()
                .or_else(|| one.correlation_ids.first().cloned()),
            at: one.ended.or(one.started),
            reference: one.reference,
        };
        for found in &one.codes {
            if errors.len() >= ERRORS {
                break;
            }
            // A redirect and the request that follows it hold the same error.
            let again = errors.iter().any(|known| {
                known.code == found.code
                    && found.trace_id.is_some()
                    && known.trace_id == found.trace_id
                    && known.carrier != found.carrier
            });
            if !again {
                errors.push(make(found, false));
            }
        }
        let literal = one.codes.iter().any(|found| matches!(found.code, 50_074 | 50_076));
        if is_mfa_page(one) && !literal {
            let found = FoundCode {
                code: 50_074,
                carrier: Carrier::Page,
                trace_id: None,
                correlation_id: None,
            };
            errors.push(make(&found, true));
        }
    }
    errors
}

fn steps(group: &Group) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, one) in group.members.iter().enumerate() {
        let script = one.role == Some(HostRole::SigninCdn);
        let shown = !script && one.kind != StepKind::Other || one.failure.is_some();
        let later = group.members.iter().skip(index.saturating_add(1));
        if !shown || is_asked_again(one, later) {
            continue;
        }
        let step = Step {
            kind: one.kind,
            at: one.started,
            result: result(one),
            is_answered: one.answered && one.failure.is_none(),
            detail: one.detail.clone(),
            host: one.host.clone(),
            count: 1,
            refs: vec![one.reference],
        };
        push(&mut steps, step);
        if let Some(step) = page_step(one) {
            push(&mut steps, step);
        }
    }
    steps
}

/// Whether a poll was given up and asked for once more: a server that closes a connection in good order
/// makes the client do so, and nobody notices.
fn is_asked_again<'a>(one: &Sighting, mut later: impl Iterator<Item = &'a Sighting>) -> bool {
    one.cancelled
        && one.kind == StepKind::MfaPoll
        && later.any(|other| other.kind == one.kind && other.host == one.host)
}

/// Adds a step; one that repeats the step before it is counted there.
fn push(steps: &mut Vec<Step>, step: Step) {
    if let Some(last) = steps.last_mut()
        && last.kind == step.kind
        && last.result == step.result
        && last.detail == step.detail
        && last.host == step.host
    {
        last.count = last.count.saturating_add(1);
        last.refs.extend(step.refs);
        return;
    }
    steps.push(step);
}

/// The page that an answer shows, as a step of its own.
fn page_step(one: &Sighting) -> Option<Step> {
    let page = one.page.as_ref()?;
    let kind =
        if is_mfa_page(one) { StepKind::MfaPage } else { entra::page(page.id.as_deref()?)?.step };
    let own = matches!(
        kind,
        StepKind::MfaPage
            | StepKind::Registration
            | StepKind::KeepSignedIn
            | StepKind::Consent
            | StepKind::PolicyPage
            | StepKind::ErrorPage
    );
    if !own || kind == one.kind {
        return None;
    }
    let at: Option<Timestamp> = one.ended.or(one.started);
    let result = match kind {
        StepKind::PolicyPage | StepKind::ErrorPage => StepResult::Failed,
        StepKind::MfaPage | StepKind::Registration => StepResult::Interrupt,
        _ => StepResult::Ok,
    };
    let detail = match kind {
        StepKind::MfaPage => page.methods.clone().unwrap_or_default().join(", "),
        _ => one.detail.clone(),
    };
    Some(Step {
        kind,
        at,
        result,
        is_answered: true,
        detail,
        host: one.host.clone(),
        count: 1,
        refs: vec![one.reference],
    })
}

fn result(one: &Sighting) -> StepResult {
    if one.failure.is_some() {
        return if one.answered { StepResult::Failed } else { StepResult::NoResponse };
    }
    if one.cancelled {
        return StepResult::NoResponse;
    }
    if !one.answered {
        return if one.pending { StepResult::Unknown } else { StepResult::NoResponse };
    }
    if let Some(state) = one.authorization_state {
        return match state {
            0 => StepResult::Pending,
            1 => StepResult::Failed,
            _ => StepResult::Ok,
        };
    }
    if let Some(answer) = &one.sas {
        let row = answer.value.as_deref().and_then(entra::result);
        let pending = row.is_some_and(|row| row.class == ResultClass::Pending)
            || row.is_none() && answer.retry == Some(true);
        return match (answer.success, pending) {
            (true, _) => StepResult::Ok,
            (false, true) => StepResult::Pending,
            (false, false) => StepResult::Failed,
        };
    }
    if one.body_missing {
        return StepResult::Unknown;
    }
    if one.grant != Grant::None {
        return StepResult::Ok;
    }
    let natures = one
        .codes
        .iter()
        .filter(|found| found.carrier != Carrier::Telemetry)
        .map(|found| entra::error(found.code).map_or(Nature::Failure, |row| row.nature));
    let worst = natures
        .max_by_key(|nature| u8::from(matches!(nature, Nature::Failure | Nature::MfaFailed)));
    match worst {
        Some(Nature::Failure | Nature::MfaFailed) => StepResult::Failed,
        Some(_) => StepResult::Interrupt,
        None if one.oauth_error.as_deref() == Some("authorization_pending") => StepResult::Pending,
        None if one.oauth_error.is_some() => StepResult::Failed,
        None if is_mfa_page(one) => StepResult::Interrupt,
        None => match one.status {
            Some(401) => StepResult::Interrupt,
            Some(400..) => StepResult::Failed,
            _ => StepResult::Ok,
        },
    }
}
