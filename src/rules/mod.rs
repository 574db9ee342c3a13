//! Rules: each looks for one thing and explains it.
//!
//! One file per rule, named for the condition; the doc comment is the documentation everywhere. Rules
//! are pure and independent: no order, no shared state, no sight of other findings. They judge nothing
//! as a whole: which finding is the cause is the verdict's.
//!
//! Invariants: ids never change their meaning and are never used again; a finding cites its evidence;
//! that something did not happen is claimed only through [`Case::absent`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::entra::{HostRole, hosts};
use crate::evidence::{Absence, Evidence, EvidenceRef, Exchange, ExchangeId, HostName, InputId};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, RuleMeta, Severity, Text};
use crate::signin::{Failure, FailureKind, SignIn, SignInAttempt, failure_of};
use crate::time::Timestamp;

/// Declares a rule: its documentation, its data and its type.
macro_rules! rule {
    (
        $(#[doc = $doc:literal])+
        pub(crate) struct $type:ident {
            id: $id:literal, name: $name:literal, family: $family:ident, severity: $severity:ident,
            side: $side:expr, guide: $guide:expr, advice: $advice:literal $(,)?
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
                };
                &META
            }
        }
    };
}

mod dns_name_missing;

/// Everything a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The facts.
    pub evidence: &'a Evidence,
    /// The attempts.
    pub signin: &'a SignIn,
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
pub static RULES: &[&dyn Rule] = &[&dns_name_missing::DnsNameMissing];

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
        rule.check(case, &mut findings);
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
    pub first: Option<Timestamp>,
    /// Whether an attempt could not go on for want of one of them.
    pub decisive: bool,
    pub attempt: Option<usize>,
}

impl<'a> Case<'a> {
    /// Whether an input recorded the time from `from` on for at least `length`: the only way to claim
    /// that something did not happen there.
    pub fn absent(&self, input: InputId, from: Timestamp, length: Duration) -> Absence {
        self.evidence.coverage.absent(input, from, length)
    }

    /// Failures at hosts that have to do with signing in, by host and kind, whose kind passes `wanted`.
    ///
    /// Hosts whose failure never matters (telemetry, pictures, certificate lists, the personal
    /// account's session look-up) are left out, unless an attempt was stopped by them.
    pub(crate) fn failed_hosts(&self, wanted: impl Fn(&Failure) -> bool) -> Vec<FailedHost<'a>> {
        let mut found: BTreeMap<(&'a HostName, FailureKind), FailedHost<'a>> = BTreeMap::new();
        for (id, exchange) in self.evidence.numbered() {
            let stopped = self.stopped_by(id);
            if stopped.is_none() && !is_of_interest(exchange) {
                continue;
            }
            let Some(failure) = failure_of(exchange).filter(&wanted) else { continue };
            let host = &exchange.request.url.host;
            let entry = found.entry((host, failure.kind)).or_insert_with(|| FailedHost {
                host,
                kind: failure.kind,
                vendor: failure.vendor,
                certain: failure.certain,
                exchanges: Vec::new(),
                refs: Refs::one(exchange.at),
                first: exchange.started(),
                decisive: false,
                attempt: stopped,
            });
            entry.exchanges.push(id);
            entry.refs.add(exchange.at);
            entry.decisive |= stopped.is_some();
            entry.attempt = entry.attempt.or(stopped);
            entry.vendor = entry.vendor.or(failure.vendor);
        }
        found.into_values().collect()
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

    /// An exchange by its place.
    pub(crate) fn exchange_at(&self, at: EvidenceRef) -> Option<&'a Exchange> {
        self.evidence.exchanges.iter().find(|exchange| exchange.at == at)
    }
}

/// Whether a failure at this host is worth a finding although no attempt was stopped by it.
fn is_of_interest(exchange: &Exchange) -> bool {
    let role = hosts::host(exchange.host().as_str()).map(|row| row.role);
    match role {
        Some(HostRole::SigninCdn) => hosts::is_script_cdn(exchange.host().as_str()),
        Some(
            HostRole::Sts
            | HostRole::StsAlias
            | HostRole::DeviceCert
            | HostRole::MfaRegistration
            | HostRole::Passkey
            | HostRole::Federation,
        ) => true,
        _ => hosts::path(&exchange.request.url.path).is_some(),
    }
}

/// Reports failed hosts the same way for all rules of the network: an error where an attempt was
/// stopped, else worth knowing only.
pub(crate) fn report_failed_hosts(
    meta: &'static RuleMeta,
    failed: Vec<FailedHost<'_>>,
    words: &'static str,
    out: &mut Findings,
) {
    for one in failed {
        let times = one.exchanges.len();
        let mut summary = Text::default().with(one.host).with(words);
        if let Some(vendor) = one.vendor {
            summary = summary.with(" (").with(Piece::Literal(vendor)).with(")");
        }
        if times > 1 {
            summary =
                summary.with(", ").with(u64::try_from(times).unwrap_or(u64::MAX)).with(" requests");
        }
        let confidence = if one.certain { Confidence::High } else { Confidence::Medium };
        out.push(Finding {
            meta,
            severity: if one.decisive { meta.severity } else { Severity::Info },
            confidence,
            host: Some(one.host.clone()),
            summary,
            advice: None,
            refs: one.refs,
            attempt: one.attempt,
            decisive: false,
        });
    }
}
