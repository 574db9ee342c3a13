//! Rules: each looks for one thing and explains it.
//!
//! One file per rule, named for the condition; the doc comment is the documentation everywhere. Rules
//! are pure and independent: no order, no shared state, no sight of other findings. They judge nothing
//! as a whole: which finding is the cause is the verdict's.
//!
//! What looks alike and is harmless passes a guard (`Case::spares`); the tests switch all guards off
//! and must then see each rule fire on its look-alikes, so that a look-alike holds the trigger.
//!
//! Invariants: ids never change their meaning and are never used again; a finding cites its evidence;
//! that something did not happen is claimed only through [`Case::absent`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::entra::{self, HostRole, ResultClass, Side, StepKind, hosts};
use crate::evidence::{
    Absence, Connection, Evidence, EvidenceRef, Exchange, ExchangeId, HostName, InputCoverage,
    InputId, Locator, Wire, WireCoverage,
};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, RuleMeta, Severity, Text};
use crate::signin::{
    Failure, FailureKind, MfaState, Outcome, SignIn, SignInAttempt, StepResult, Traffic,
    TrafficKind,
};
use crate::time::Timestamp;

/// Declares a rule: its documentation, its data and its type.
macro_rules! rule {
    (
        $(#[doc = $doc:literal])+
        pub(crate) struct $type:ident {
            id: $id:literal, name: $name:literal, family: $family:ident, severity: $severity:ident,
            side: $side:expr, guide: $guide:expr, advice: $advice:literal
            $(, masks: [$($masks:literal),+])? $(, doubts: [$($doubts:ident),+])? $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        pub(crate) struct $type;

        impl $crate::rules::Meta for $type {
            fn meta(&self) -> &'static $crate::finding::RuleMeta {
                static META: $crate::finding::RuleMeta = $crate::finding::RuleMeta {
                    id: $crate::finding::RuleId($id),
                    name: $name,
                    family: $crate::finding::Family::$family,
                    severity: $crate::finding::Severity::$severity,
                    side: $side,
                    guide: $guide,
                    advice: $advice,
                    docs: concat!($($doc, "\n"),+),
                    masks: &[$($($crate::finding::RuleId($masks)),+)?],
                    doubts: &[$($($crate::finding::Family::$doubts),+)?],
                };
                &META
            }
        }
    };
}

mod cap_bodies_missing;
mod cap_capture_tool_decrypts;
mod cap_clock_jump;
mod cap_clock_skew;
mod cap_copies;
mod cap_encrypted_dns;
mod cap_ends_early;
mod cap_failure_unnamed;
mod cap_frames_cut;
mod cap_frames_dropped;
mod cap_inputs_disagree;
mod cap_local_proxy;
mod cap_one_sided;
mod cap_route_changed;
mod cap_sanitised;
mod cap_several_clients;
mod cap_starts_late;
mod cap_traffic_hidden;
mod cap_truncated;
mod cap_tunnels_only;
mod dns_answers_differ;
mod dns_name_missing;
mod dns_no_answer;
mod dns_server_failed;
mod dns_sinkhole;
mod mfa_hand_off_broken;
mod mfa_left;
mod mfa_no_answer;
mod mfa_not_begun;
mod mfa_not_registered;
mod mfa_poll_shape;
mod mfa_prompt_impossible;
mod mfa_result;
mod mfa_traffic_missing;
mod net_blocked_by_client;
mod net_offline;
mod net_page_script_failed;
mod net_request_given_up;
mod proxy_auth_required;
mod proxy_block_page;
mod proxy_captive_portal;
mod proxy_inspects_certificate_host;
mod proxy_refused_connect;
mod proxy_script_unavailable;
mod proxy_tenant_restriction;
mod proxy_unreachable;
mod proxy_upstream_failed;
mod sts_error_code;
mod sts_mfa_challenge;
mod sts_normal_interrupt;
mod sts_service_fault;
mod sts_sign_in_loop;
mod sts_tls_too_old;
mod tcp_blocked_locally;
mod tcp_connect_refused;
mod tcp_connect_unanswered;
mod tcp_connection_cut;
mod tcp_data_stalled;
mod tcp_loss;
mod tcp_unreachable;
mod tls_certificate_refused;
mod tls_certificate_wrong;
mod tls_client_certificate;
mod tls_handshake_cut;
mod tls_handshake_failed;
mod tls_handshake_stalled;
mod tls_hello_lost;
mod tls_interception;
mod tls_plain_text;
mod tls_revocation_unreachable;
mod tls_version_too_old;

/// Everything a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The facts.
    pub evidence: &'a Evidence,
    /// The attempts.
    pub signin: &'a SignIn,
    guarded: bool,
}

/// The data of a rule; written by the macro.
pub trait Meta {
    /// The rule's data.
    fn meta(&self) -> &'static RuleMeta;
}

/// A rule.
pub trait Rule: Meta + Sync {
    /// Looks for its condition.
    fn check(&self, case: &Case<'_>, out: &mut Findings);
}

/// All rules, in the order of their families.
pub static RULES: &[&dyn Rule] = &[
    &cap_bodies_missing::CapBodiesMissing,
    &cap_tunnels_only::CapTunnelsOnly,
    &cap_ends_early::CapEndsEarly,
    &cap_starts_late::CapStartsLate,
    &cap_capture_tool_decrypts::CapCaptureToolDecrypts,
    &cap_truncated::CapTruncated,
    &cap_failure_unnamed::CapFailureUnnamed,
    &cap_clock_skew::CapClockSkew,
    &cap_sanitised::CapSanitised,
    &cap_local_proxy::CapLocalProxy,
    &cap_route_changed::CapRouteChanged,
    &cap_clock_jump::CapClockJump,
    &cap_frames_cut::CapFramesCut,
    &cap_frames_dropped::CapFramesDropped,
    &cap_one_sided::CapOneSided,
    &cap_copies::CapCopies,
    &cap_traffic_hidden::CapTrafficHidden,
    &cap_encrypted_dns::CapEncryptedDns,
    &cap_several_clients::CapSeveralClients,
    &cap_inputs_disagree::CapInputsDisagree,
    &dns_name_missing::DnsNameMissing,
    &dns_no_answer::DnsNoAnswer,
    &dns_server_failed::DnsServerFailed,
    &dns_sinkhole::DnsSinkhole,
    &dns_answers_differ::DnsAnswersDiffer,
    &tcp_connect_unanswered::TcpConnectUnanswered,
    &tcp_connect_refused::TcpConnectRefused,
    &tcp_connection_cut::TcpConnectionCut,
    &tcp_unreachable::TcpUnreachable,
    &tcp_blocked_locally::TcpBlockedLocally,
    &tcp_data_stalled::TcpDataStalled,
    &tcp_loss::TcpLoss,
    &proxy_refused_connect::ProxyRefusedConnect,
    &proxy_auth_required::ProxyAuthRequired,
    &proxy_upstream_failed::ProxyUpstreamFailed,
    &proxy_block_page::ProxyBlockPage,
    &proxy_unreachable::ProxyUnreachable,
    &proxy_captive_portal::ProxyCaptivePortal,
    &proxy_tenant_restriction::ProxyTenantRestriction,
    &proxy_inspects_certificate_host::ProxyInspectsCertificateHost,
    &proxy_script_unavailable::ProxyScriptUnavailable,
    &tls_certificate_refused::TlsCertificateRefused,
    &tls_interception::TlsInterception,
    &tls_handshake_failed::TlsHandshakeFailed,
    &tls_client_certificate::TlsClientCertificate,
    &tls_plain_text::TlsPlainText,
    &tls_version_too_old::TlsVersionTooOld,
    &tls_handshake_cut::TlsHandshakeCut,
    &tls_hello_lost::TlsHelloLost,
    &tls_handshake_stalled::TlsHandshakeStalled,
    &tls_certificate_wrong::TlsCertificateWrong,
    &tls_revocation_unreachable::TlsRevocationUnreachable,
    &net_blocked_by_client::NetBlockedByClient,
    &net_offline::NetOffline,
    &net_page_script_failed::NetPageScriptFailed,
    &net_request_given_up::NetRequestGivenUp,
    &sts_mfa_challenge::StsMfaChallenge,
    &sts_error_code::StsErrorCode,
    &sts_service_fault::StsServiceFault,
    &sts_normal_interrupt::StsNormalInterrupt,
    &sts_tls_too_old::StsTlsTooOld,
    &sts_sign_in_loop::StsSignInLoop,
    &mfa_not_begun::MfaNotBegun,
    &mfa_result::MfaResult,
    &mfa_left::MfaLeft,
    &mfa_not_registered::MfaNotRegistered,
    &mfa_prompt_impossible::MfaPromptImpossible,
    &mfa_no_answer::MfaNoAnswer,
    &mfa_traffic_missing::MfaTrafficMissing,
    &mfa_hand_off_broken::MfaHandOffBroken,
    &mfa_poll_shape::MfaPollShape,
];

/// Findings that one rule makes at most: a capture can name as many hosts as it likes.
pub(crate) const FINDINGS: usize = 200;

/// Places cited of one host and kind of failure.
const PLACES: usize = 200;

/// Ids that were used once and must not be used again.
pub const RETIRED: &[&str] = &[];

/// The rule with this id or name.
pub fn find(text: &str) -> Option<&'static RuleMeta> {
    RULES
        .iter()
        .map(|rule| rule.meta())
        .find(|meta| meta.id.0.eq_ignore_ascii_case(text) || meta.name.eq_ignore_ascii_case(text))
}

/// Runs all rules.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    for rule in RULES {
        let mut own = Findings::default();
        rule.check(case, &mut own);
        for finding in own.into_sorted().into_iter().take(FINDINGS) {
            findings.push(finding);
        }
    }
    findings.into_sorted()
}

/// Failed exchanges with one host, all of one kind.
#[derive(Clone, Debug)]
pub(crate) struct FailedHost<'a> {
    pub host: &'a HostName,
    pub kind: FailureKind,
    pub vendor: Option<&'static str>,
    pub certain: bool,
    /// The exchanges, in order of time; never empty.
    pub exchanges: Vec<ExchangeId>,
    pub refs: Refs,
    /// Whether an attempt that still counts could not go on for want of one of them.
    pub decisive: bool,
    /// Whether no step of a sign-in needs the host.
    pub unneeded: bool,
    pub attempt: Option<usize>,
}

impl<'a> Case<'a> {
    /// A case to be looked at.
    pub const fn new(evidence: &'a Evidence, signin: &'a SignIn) -> Self {
        Self { evidence, signin, guarded: true }
    }

    /// The same case without the guards that spare what looks alike; for the tests of the rules.
    #[doc(hidden)]
    #[must_use]
    pub const fn without_guards(self) -> Self {
        Self { guarded: false, ..self }
    }

    /// Whether a rule stays silent because what it sees is a harmless look-alike.
    pub(crate) const fn spares(&self, harmless: bool) -> bool {
        self.guarded && harmless
    }

    /// Whether a sign-in of the case failed, so that a reader looks for a reason and has to be told
    /// which failures are none.
    pub(crate) fn has_failed_attempt(&self) -> bool {
        let hidden = self.signin.attempts.is_empty() && self.signin.seen;
        hidden
            || self.attempts().any(|(_, attempt)| {
                attempt.overridden_by.is_none() && !is_success(attempt) && !attempt.is_look
            })
    }

    /// Whether an input recorded the time from `from` on for at least `length`: the only way to claim
    /// that something did not happen there.
    pub fn absent(&self, input: InputId, from: Timestamp, length: Duration) -> Absence {
        self.evidence.coverage.absent(input, from, length)
    }

    /// Failures at hosts that have to do with signing in, by host and kind, whose kind passes `wanted`.
    ///
    /// Hosts whose failure never matters (telemetry, pictures, certificate lists, the personal
    /// account's session look-up) are told only where a sign-in failed, because there somebody looks
    /// for a reason; unless an attempt was stopped by them.
    pub(crate) fn failed_hosts(&self, wanted: impl Fn(&Failure) -> bool) -> Vec<FailedHost<'a>> {
        let mut found: BTreeMap<(&'a HostName, FailureKind), FailedHost<'a>> = BTreeMap::new();
        let mut echoes: BTreeMap<(&'a HostName, FailureKind), Vec<ExchangeId>> = BTreeMap::new();
        let names_all = self.has_failed_attempt();
        for (id, failure) in &self.signin.failures {
            if !wanted(failure) {
                continue;
            }
            let Some(exchange) = self.evidence.exchange(*id) else { continue };
            let stopped = self.stopped_by(*id);
            let unneeded = stopped.is_none() && !is_of_interest(exchange);
            // A proxy that asks for credentials asks for all hosts alike.
            let known = hosts::host(exchange.host().as_str()).is_some()
                || failure.kind == FailureKind::ProxyAuthentication;
            let named = names_all && known;
            if self.spares(unneeded && !named) {
                continue;
            }
            let host = &exchange.request.url.host;
            let entry = found.entry((host, failure.kind)).or_insert_with(|| FailedHost {
                host,
                kind: failure.kind,
                vendor: failure.vendor,
                certain: failure.certain,
                exchanges: Vec::new(),
                refs: Refs::one(exchange.at),
                decisive: false,
                unneeded,
                attempt: stopped,
            });
            let decisive = stopped.is_some_and(|index| !self.is_overridden(index));
            if self.signin.echoes.contains(id) {
                echoes.entry((host, failure.kind)).or_default().push(*id);
            } else {
                entry.exchanges.push(*id);
            }
            if entry.exchanges.len() <= PLACES {
                entry.refs.add(exchange.at);
            }
            entry.decisive |= !self.spares(!decisive);
            entry.unneeded &= unneeded;
            entry.attempt = entry.attempt.or(stopped);
            entry.vendor = entry.vendor.or(failure.vendor);
        }
        // What two inputs tell of counts once, unless they disagree on what was wrong.
        for (key, ids) in echoes {
            if let Some(entry) = found.get_mut(&key).filter(|entry| entry.exchanges.is_empty()) {
                entry.exchanges = ids;
            }
        }
        let mut found: Vec<FailedHost<'a>> = found.into_values().collect();
        // What decided is never left out; the rest is counted with what failed elsewhere.
        found.sort_by_key(|one| !one.decisive);
        found.truncate(FINDINGS);
        found
    }

    /// What was wrong with an exchange.
    pub(crate) fn failure(&self, id: ExchangeId) -> Option<Failure> {
        self.signin.failures.get(&id).copied()
    }

    /// The attempt that could not go on for want of this exchange.
    pub(crate) fn stopped_by(&self, id: ExchangeId) -> Option<usize> {
        self.signin.attempts.iter().position(|attempt| {
            attempt.blockage.as_ref().is_some_and(|blockage| blockage.exchanges.contains(&id))
        })
    }

    /// All attempts with their indexes.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (usize, &'a SignInAttempt)> {
        self.signin.attempts.iter().enumerate()
    }

    /// Whether another attempt made this one unimportant.
    pub(crate) fn is_overridden(&self, index: usize) -> bool {
        self.signin.attempts.get(index).is_some_and(|attempt| attempt.overridden_by.is_some())
    }

    /// Whether the host of this exchange gave the same program an answer of its own afterwards.
    pub(crate) fn answered_after(&self, id: ExchangeId) -> bool {
        let Some(failed) = self.evidence.exchange(id) else { return false };
        self.evidence.numbered().any(|(later, exchange)| {
            later > id
                && exchange.host() == failed.host()
                && exchange.process == failed.process
                && exchange.is_answered()
                && self.failure(later).is_none()
        })
    }

    /// The connections that exchanges travelled in, where packets show them.
    pub(crate) fn connections_of(
        &self,
        exchanges: &[ExchangeId],
    ) -> impl Iterator<Item = (&'a Connection, &'a Wire)> {
        exchanges.iter().filter_map(|id| {
            let connection = self.evidence.connection(self.evidence.exchange(*id)?.connection?)?;
            Some((connection, connection.wire.as_deref()?))
        })
    }

    /// What each capture of packets could see, with its first frame to point at.
    pub(crate) fn wires(
        &self,
    ) -> impl Iterator<Item = (&'a InputCoverage, &'a WireCoverage, Refs)> {
        self.evidence.coverage.inputs.iter().filter_map(|coverage| {
            let wire = coverage.wire.as_ref()?;
            let start = EvidenceRef { input: coverage.input, at: Locator::Byte(0) };
            Some((coverage, wire, Refs::one(wire.first_frame.unwrap_or(start))))
        })
    }

    /// Connections of one capture of packets to hosts that a step of a sign-in is served from.
    pub(crate) fn sign_in_connections(
        &self,
    ) -> impl Iterator<Item = (&'a HostName, &'a Connection, &'a Wire)> {
        self.evidence.connections.iter().filter_map(|connection| {
            let host = connection.server_name.as_ref()?;
            let wire = connection.wire.as_deref()?;
            is_sign_in_host(host.as_str()).then_some((host, connection, wire))
        })
    }

    /// An exchange by its place.
    pub(crate) fn exchange_at(&self, at: EvidenceRef) -> Option<&'a Exchange> {
        self.evidence.exchanges.iter().find(|exchange| exchange.at == at)
    }
}

/// Whether a failure at this host is worth a finding although no attempt was stopped by it.
fn is_of_interest(exchange: &Exchange) -> bool {
    let host = exchange.host().as_str();
    let pictures = hosts::host(host).is_some_and(|row| row.role == HostRole::SigninCdn);
    is_sign_in_host(host) || !pictures && hosts::path(&exchange.request.url.path).is_some()
}

/// Whether a sign-in page or a step of a sign-in is served from this host.
pub(crate) fn is_sign_in_host(host: &str) -> bool {
    match hosts::host(host).map(|row| row.role) {
        Some(HostRole::SigninCdn) => hosts::is_script_cdn(host),
        Some(
            HostRole::Sts
            | HostRole::StsAlias
            | HostRole::DeviceCert
            | HostRole::MfaRegistration
            | HostRole::Passkey
            | HostRole::Federation,
        ) => true,
        _ => false,
    }
}

/// Reports failed hosts the same way for all rules of the network: an error where an attempt was
/// stopped, else worth knowing only.
pub(crate) fn report_failed_hosts(
    meta: &'static RuleMeta,
    case: &Case<'_>,
    failed: Vec<FailedHost<'_>>,
    words: &'static str,
    out: &mut Findings,
) {
    report_failed_hosts_by_kind(meta, case, failed, |_| words, out);
}

/// The same for a rule of which each kind of failure has words of its own.
pub(crate) fn report_failed_hosts_by_kind(
    meta: &'static RuleMeta,
    case: &Case<'_>,
    failed: Vec<FailedHost<'_>>,
    words: impl Fn(FailureKind) -> &'static str,
    out: &mut Findings,
) {
    for one in failed {
        let said = Text::of(words(one.kind));
        out.push(failed_host(meta, case, one, &said));
    }
}

/// The finding about one failed host, which says what failed and what that meant for the sign-in.
pub(crate) fn failed_host(
    meta: &'static RuleMeta,
    case: &Case<'_>,
    one: FailedHost<'_>,
    said: &Text,
) -> Finding {
    let times = one.exchanges.len();
    let passed = one.exchanges.last().is_some_and(|last| case.answered_after(*last));
    let mut summary = Text::default().with(one.host).with_text(said);
    if let Some(vendor) = one.vendor {
        summary = summary.with(" (").with(Piece::Literal(vendor)).with(")");
    }
    if times > 1 {
        summary = summary.with(", ").with(count(times)).with(" requests");
    }
    if !one.decisive {
        summary = summary.with(if one.unneeded {
            "; no step of a sign-in needs this host"
        } else if passed {
            "; a later request got through"
        } else {
            "; the sign-in did not stop there"
        });
    }
    let confidence = if one.certain { Confidence::High } else { Confidence::Medium };
    let attempt = one.attempt.and_then(|index| case.signin.attempts.get(index));
    let open = attempt.is_some_and(|attempt| attempt.side == Side::CannotTell);
    Finding {
        meta,
        severity: match (one.decisive, open) {
            (true, false) => meta.severity,
            // What cannot be told is no error of the network.
            (true, true) => meta.severity.min(Severity::Warning),
            (false, _) => Severity::Info,
        },
        confidence,
        host: Some(one.host.clone()),
        summary,
        advice: None,
        refs: one.refs,
        attempt: one.attempt,
        decisive: false,
        masked_by: None,
    }
}

/// A finding about an attempt, with the usual severity of its rule; it drops where another attempt
/// made this one unimportant.
pub(crate) fn about_attempt(
    meta: &'static RuleMeta,
    (index, attempt): (usize, &SignInAttempt),
    refs: Refs,
    summary: Text,
) -> Finding {
    let overridden = attempt.overridden_by.is_some();
    Finding {
        meta,
        severity: if overridden { Severity::Info } else { meta.severity },
        confidence: Confidence::High,
        host: None,
        summary,
        advice: None,
        refs,
        attempt: Some(index),
        decisive: false,
        masked_by: None,
    }
}

/// A finding about the capture as a whole, with the usual severity of its rule.
pub(crate) fn about_capture(meta: &'static RuleMeta, refs: Refs, summary: Text) -> Finding {
    Finding {
        meta,
        severity: meta.severity,
        confidence: Confidence::High,
        host: None,
        summary,
        advice: None,
        refs,
        attempt: None,
        decisive: false,
        masked_by: None,
    }
}

/// What decided an attempt, or else its last step; `None` when there is neither.
pub(crate) fn deciding_refs(attempt: &SignInAttempt) -> Option<Refs> {
    let last = attempt.steps.last().map(|step| step.refs.as_slice()).unwrap_or_default();
    let decided = attempt.decided_by.as_slice();
    Refs::all(if decided.is_empty() { last } else { decided }.iter().copied())
}

/// The result value with which a challenge failed, where it is final.
pub(crate) fn failed_result(attempt: &SignInAttempt) -> Option<&str> {
    let value = attempt.result_value.as_deref().filter(|_| attempt.mfa == MfaState::Failed)?;
    let waits = entra::result(value)
        .is_some_and(|row| matches!(row.class, ResultClass::Ok | ResultClass::Pending));
    (!waits).then_some(value)
}

/// Whether the failed result of the challenge is also what the attempt came to.
pub(crate) fn is_decided_by_result(attempt: &SignInAttempt) -> bool {
    let Some(value) = failed_result(attempt) else { return false };
    if attempt.blockage.is_some() || attempt.deciding_code.is_some() {
        return false;
    }
    match entra::result(value).and_then(|row| row.outcome) {
        Some(outcome) => outcome == attempt.outcome,
        None => attempt.steps.iter().any(|step| {
            matches!(step.kind, StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaPoll)
                && step.result == StepResult::Failed
                && step.refs.iter().any(|one| attempt.decided_by.contains(one))
        }),
    }
}

/// Whether the user got in.
pub(crate) const fn is_success(attempt: &SignInAttempt) -> bool {
    matches!(attempt.outcome, Outcome::CompletedWithoutMfa | Outcome::MfaCompleted)
}

/// The text with the end of the time in which a request is proven not to have come, where it is.
pub(crate) fn until_proven(text: Text, attempt: &SignInAttempt, kind: TrafficKind) -> Text {
    let proof = attempt.expected.iter().find_map(|one| match one.traffic {
        Traffic::Absent(proof) if one.kind == kind => Some(proof),
        _ => None,
    });
    match proof {
        Some(proof) => {
            text.with("; the capture recorded until ").with(proof.window().last()).with(" at least")
        }
        None => text,
    }
}

/// How sure a statement about an attempt is that something may speak against.
pub(crate) const fn unless_doubted(attempt: &SignInAttempt) -> Confidence {
    if attempt.doubts.is_empty() { Confidence::High } else { Confidence::Medium }
}

/// A count as a piece of a text.
pub(crate) fn count(number: usize) -> Piece {
    Piece::Number(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use super::support::*;

    #[test]
    fn a_healthy_sign_in_has_nothing_but_information() {
        let mut capture = Capture::new();
        capture.failed("https://browser.events.data.microsoft.com/x", "net::ERR_BLOCKED_BY_CLIENT");
        capture.failed("https://aadcdn.msftauthimages.net/logo", "net::ERR_NAME_NOT_RESOLVED");
        capture.failed("https://login.live.com/Me.htm", "net::ERR_CONNECTION_RESET");
        capture.healthy();
        assert_eq!(capture.rules(), ["STS001"]);
        assert_eq!(capture.found("STS001")[0].severity, "info");
    }

    #[test]
    fn every_fault_has_one_rule() {
        for (code, rule) in [
            ("net::ERR_NAME_NOT_RESOLVED", "DNS001"),
            ("net::ERR_CONNECTION_TIMED_OUT", "TCP001"),
            ("net::ERR_CONNECTION_REFUSED", "TCP002"),
            ("net::ERR_CONNECTION_RESET", "TCP003"),
            ("net::ERR_QUIC_PROTOCOL_ERROR", "TCP003"),
            ("net::ERR_ADDRESS_UNREACHABLE", "TCP004"),
            ("net::ERR_NETWORK_ACCESS_DENIED", "TCP005"),
            ("net::ERR_TUNNEL_CONNECTION_FAILED", "PRX001"),
            ("net::ERR_PROXY_AUTH_UNSUPPORTED", "PRX002"),
            ("net::ERR_PROXY_CONNECTION_FAILED", "PRX005"),
            ("net::ERR_CERT_AUTHORITY_INVALID", "TLS001"),
            ("net::ERR_SSL_PROTOCOL_ERROR", "TLS003"),
            ("net::ERR_BAD_SSL_CLIENT_AUTH_CERT", "TLS004"),
            ("net::ERR_BLOCKED_BY_CLIENT", "NET001"),
            ("net::ERR_INTERNET_DISCONNECTED", "NET002"),
        ] {
            let mut capture = Capture::new();
            capture.failed("https://login.microsoftonline.com/common/oauth2/v2.0/authorize", code);
            assert_eq!(capture.rules(), [rule], "{code}");
            assert_eq!(capture.found(rule)[0].severity, "error", "{code}");
        }
    }

    #[test]
    fn a_fault_that_was_overcome_is_information() {
        let mut capture = Capture::new();
        capture.failed("https://aadcdn.msauth.net/x.js", "net::ERR_CONNECTION_RESET");
        capture.failed(
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "net::ERR_QUIC_PROTOCOL_ERROR",
        );
        capture.healthy();
        assert_eq!(capture.rules(), ["TCP003", "STS001"]);
        assert_eq!(capture.found("TCP003")[0].severity, "info");
    }
}
