//! By what duplicates are found: the cause, the host, the code and the issuer of an answer.
//!
//! Two captures of one fault have the same four, whatever their format and whoever signed in. It must not hold
//! anything of the user, the computer or the time.
//!
//! Invariants: where nothing failed there is none; the id is a hash of the four as they are shown, so that a
//! reader can make it anew.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::routing::{Fingerprint, deciding_code};
use crate::entra::{self, HostRole, hosts, vendors};
use crate::evidence::{Connection, shown};
use crate::finding::Family;
use crate::report::model::{ReportInput, certificate_name};
use crate::signin::{FailureKind, Outcome, Side, interceptor};

/// What the hash begins with, so that another way to make it gives other ids.
const FORM: &str = "mfatrace-fingerprint/1";
/// Bytes of the hash in an id; an id has two digits for each.
const BYTES: usize = 8;
/// Characters of the name of an issuer.
const ISSUER: usize = 80;

impl Fingerprint {
    /// The fingerprint of an answer.
    pub(super) fn of(report: &ReportInput<'_>) -> Option<Self> {
        let verdict = report.verdict;
        if verdict.side == Side::NothingWrong || report.is_without_capture() {
            return None;
        }
        let code = code(report);
        // A challenge alone is in every capture of this kind: by it strangers would look alike.
        let is_fact =
            code.is_some_and(|code| !entra::error(code).is_some_and(entra::ErrorRow::is_step));
        let has_fact = is_fact || verdict.cause.is_some() || verdict.host.is_some();
        if verdict.side == Side::CannotTell && !has_fact {
            return None;
        }
        let cause = verdict
            .cause
            .map_or_else(|| verdict.outcome.as_str().to_owned(), |rule| rule.to_string());
        let host = verdict.host.as_ref().map(ToString::to_string);
        let issuer = issuer(report);
        let id = id(&cause, host.as_deref(), code, issuer.as_deref());
        Some(Self { id, cause, host, code, issuer })
    }
}

/// The code that decided. Where the network did, no code decided, and packets would not show one.
fn code(report: &ReportInput<'_>) -> Option<u32> {
    let attempt = report.attempt()?;
    let by_network = matches!(
        attempt.outcome,
        Outcome::MfaPreventedByNetwork | Outcome::SignInPreventedByNetwork
    );
    deciding_code(attempt).filter(|_| !by_network)
}

/// The first digits of a hash over the four, each with its length in front.
fn id(cause: &str, host: Option<&str>, code: Option<u32>, issuer: Option<&str>) -> String {
    let code = code.map(|code| code.to_string());
    let mut hash = Sha256::new();
    hash.update(FORM);
    for part in [Some(cause), host, code.as_deref(), issuer] {
        match part {
            Some(part) => hash.update(format!("\n{}:{part}", part.len())),
            None => hash.update("\n-"),
        }
    }
    let hash = hash.finalize();
    HEXLOWER.encode(hash.get(..BYTES).unwrap_or_default())
}

/// Who issued the certificate that came instead of the one that was due, where that decided: the cause is one of
/// TLS, or the host is one that asks for a certificate itself.
fn issuer(report: &ReportInput<'_>) -> Option<String> {
    let verdict = report.verdict;
    let host = verdict.host.as_ref()?;
    let cause = report.findings.iter().find(|one| Some(one.meta.id) == verdict.cause);
    let is_tls = cause.is_some_and(|one| one.meta.family == Family::Tls);
    if !is_tls && !hosts::is_certificate_host(host.as_str()) {
        return None;
    }
    let mut connections = report.evidence.connections.iter();
    connections.find_map(|one| {
        let is_there = one.server_name.as_ref() == Some(host);
        is_there.then(|| wrong_issuer(report, one)).flatten()
    })
}

/// The stable name of the issuer of a connection's certificate, where another one was due.
fn wrong_issuer(report: &ReportInput<'_>, connection: &Connection) -> Option<String> {
    if let Some(vendor) = interceptor(connection) {
        return Some(vendor.name.to_owned());
    }
    let issuer = connection.tls.as_ref()?.certificate.as_ref()?.issuer.as_str();
    let known = vendors::issuer(issuer);
    let is_due =
        vendors::is_expected_issuer(issuer) || known.is_some_and(entra::Vendor::is_microsoft);
    if issuer.is_empty() || is_due || known.is_some_and(entra::Vendor::is_capture_tool) {
        return None;
    }
    let host = connection.server_name.as_ref()?.as_str();
    // Others may have any issuer, unless the client refused it.
    let is_of_service = hosts::host(host).is_some_and(|row| row.role != HostRole::Federation);
    if !is_of_service && !is_refused(report, host) {
        return None;
    }
    let name = vendors::issuer_name(issuer);
    Some(certificate_name(&shown(&name, ISSUER), report.redaction)).filter(|name| !name.is_empty())
}

/// Whether the client refused the certificate of a host.
fn is_refused(report: &ReportInput<'_>, host: &str) -> bool {
    let refused =
        |kind: FailureKind| matches!(kind, FailureKind::Fault(fault) if fault.is_certificate());
    report.evidence.numbered().any(|(id, exchange)| {
        exchange.host().as_str() == host
            && report.signin.failures.get(&id).is_some_and(|failure| refused(failure.kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn of(case: &samples::Case) -> Option<Fingerprint> {
        Fingerprint::of(&case.report())
    }

    #[test]
    fn the_id_is_that_of_the_four() {
        let all = [
            id("TLS004", None, None, None),
            id("TLS004", Some("a.b"), None, None),
            id("TLS004", None, None, Some("a.b")),
            id("TLS004", Some("50074"), None, None),
            id("TLS004", None, Some(50_074), None),
            id("TLS004\n3:a.b", None, None, None),
        ];
        let mut ids = all.to_vec();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        assert!(all.iter().all(|id| id.len() == 16));
        // Kept for good: whoever has ids must find them again.
        assert_eq!(all[1], "6641afc4ccd5fd96");
    }

    #[test]
    fn there_is_none_where_nothing_failed() {
        assert_eq!(of(&samples::completed()), None);
        assert_eq!(of(&samples::no_sign_in()), None);
        assert_eq!(of(&samples::unrecognised()), None);
    }

    #[test]
    fn the_network_is_told_without_a_code_and_a_refusal_with_it() {
        let network = of(&samples::network()).unwrap();
        assert_eq!(network.host.as_deref(), Some("aadcdn.msauth.net"));
        assert_eq!(network.code, None);
        let policy = of(&samples::policy()).unwrap();
        assert_eq!(policy.code, Some(53_003));
        assert_ne!(network.id, policy.id);
    }

    #[test]
    fn an_interception_is_told_by_its_product() {
        let inspected = of(&samples::inspected_device()).unwrap();
        assert_eq!(inspected.issuer.as_deref(), Some("Zscaler"));
        assert_eq!(
            inspected.code,
            Some(50_097),
            "a code that a cause of the network brought about"
        );
    }

    #[test]
    fn the_user_and_the_mode_change_nothing() {
        for case in samples::all() {
            let mut other = case.report();
            other.redaction = crate::evidence::Redaction::None;
            assert_eq!(of(&case), Fingerprint::of(&other));
        }
    }
}
