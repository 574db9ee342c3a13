//! STS003: the sign-in service reports a fault of its own.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule, is_sign_in_host};
use crate::entra::Side;
use crate::evidence::HostName;
use crate::finding::{Confidence, Finding, Findings, Refs, Severity, Text};
use crate::signin::{FailureKind, Outcome};

rule! {
    /// ## What it finds
    /// The sign-in service itself answered with a status of 500 to 599, or with 429 because there
    /// were too many requests.
    ///
    /// ## Why it breaks sign-in
    /// The step was not done. After 429 the same client or user must wait; asking again at once
    /// makes it worse.
    ///
    /// ## Evidence it needs
    /// An answer with such a status that bears the marks of the service. Where the capture keeps
    /// no headers, a proxy may have written it, and confidence is medium. It is an error only
    /// where an attempt ended with it.
    ///
    /// ## What looks like it
    /// 502 to 504 that a proxy wrote (they lack the headers of the service, PRX003); a single
    /// failure that the next try made good.
    ///
    /// ## What to do
    /// For 429 look in the sign-in log for a program that signs in again and again. Otherwise
    /// note the request ids and times and compare with the service health page.
    ///
    /// ## References
    /// RFC 9110 section 15.6; RFC 6585 section 4 (429); Microsoft Entra service limits.
    pub(crate) struct StsServiceFault {
        id: "STS003", name: "sts-service-fault", family: Sts, severity: Error,
        side: Some(Side::Service), guide: None,
        advice: "Try again after some minutes; if it repeats, look at the service health page and open a case with the request ids.",
    }
}

impl Rule for StsServiceFault {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut found: BTreeMap<(&HostName, u16), Fault> = BTreeMap::new();
        for (id, exchange) in case.evidence.numbered() {
            let Some(failure) = case.failure(id) else { continue };
            let FailureKind::Service { status } = failure.kind else { continue };
            let attempt = case.stopped_by(id).or_else(|| {
                case.attempts()
                    .find(|(_, attempt)| {
                        attempt.outcome == Outcome::MfaServiceFailed
                            && attempt.decided_by.contains(&exchange.at)
                    })
                    .map(|(index, _)| index)
            });
            if attempt.is_none() && !is_sign_in_host(exchange.host().as_str()) {
                continue;
            }
            let fault = found.entry((exchange.host(), status)).or_insert_with(|| Fault {
                refs: Refs::one(exchange.at),
                certain: false,
                attempt: None,
                counts: false,
            });
            fault.refs.add(exchange.at);
            fault.certain |= failure.certain;
            // What the next try made good did not hurt.
            let hurt = attempt.is_some_and(|index| !case.is_overridden(index));
            fault.counts |= !case.spares(!hurt);
            fault.attempt = attempt.or(fault.attempt);
        }
        for ((host, status), fault) in found {
            let summary = Text::default().with(host);
            let summary = if status == 429 {
                summary.with(" answered 429: too many requests from this client or user")
            } else {
                summary.with(" answered with a fault of its own: ").with(u64::from(status))
            };
            let advice = (status == 429).then(|| {
                Text::of("Wait before the next try, and find the program that asks so often in the sign-in log.")
            });
            out.push(Finding {
                meta: self.meta(),
                severity: if fault.counts { self.meta().severity } else { Severity::Info },
                confidence: if fault.certain { Confidence::High } else { Confidence::Medium },
                host: Some(host.clone()),
                summary,
                advice,
                refs: fault.refs,
                attempt: fault.attempt,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Answers of one host with one status.
struct Fault {
    refs: Refs,
    certain: bool,
    attempt: Option<usize>,
    counts: bool,
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_fault_counts_only_where_an_attempt_ends_with_it() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.get("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?x=1", 503);
        let found = capture.found("STS003");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        capture.healthy();
        assert_eq!(capture.found("STS003")[0].severity, "info");
        let mut capture = Capture::new();
        capture.authorize();
        capture.get("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?x=1", 429);
        assert!(capture.found("STS003")[0].summary.contains("too many requests"));
    }
}
