//! PRX009: the script that names the proxies could not be fetched.

use super::{Case, Meta, Rule, about_capture, report_failed_hosts};
use crate::entra::{Fault, GuideCause, Side, hosts};
use crate::evidence::{EvidenceRef, Via};
use crate::finding::{Confidence, Finding, Findings, Refs, Severity, Text};
use crate::signin::{Errand, FailureKind, SignInAttempt, Unmet, Why};

rule! {
    /// ## What it finds
    /// The client looked for its proxy by a script (WPAD, PAC) and did not get it: the host `wpad` has
    /// an address and does not answer, refuses or closes the connection; `wpad.dat` or a `.pac` file
    /// is answered with an error or with a page; or the browser says that the script could not be
    /// loaded or run.
    ///
    /// ## Why it breaks sign-in
    /// Without the script a client goes without a proxy, or waits. In a network that lets only the
    /// proxy out it then reaches no sign-in host, and often finds no name of one.
    ///
    /// ## Evidence it needs
    /// The fault that the browser names; or a script that failed to come in packets or in Fiddler's
    /// trace, none that came, and a sign-in host that the client could not reach without a proxy
    /// afterwards. Where nothing of a sign-in is seen at all, it is a warning; beside a sign-in that
    /// failed for another reason it is information; where a sign-in host was reached, the rule is
    /// silent.
    ///
    /// ## What looks like it
    /// The name `wpad` that does not exist, which is so in most networks; a script that is missing
    /// where nobody needs a proxy; a script out of the cache; a second address of it that answers.
    ///
    /// ## What to do
    /// Open the address of the script in a browser on the same computer; switch off the automatic
    /// search for a proxy where there is none, or set the proxy by hand to see whether that helps.
    ///
    /// ## References
    /// RFC 3040 section 6.4 (WPAD); Chromium `net_error_list.h` (`PAC_SCRIPT_FAILED`,
    /// `MANDATORY_PROXY_CONFIGURATION_FAILED`); Microsoft: automatic proxy detection in Windows.
    pub(crate) struct ProxyScriptUnavailable {
        id: "PRX009", name: "proxy-script-unavailable", family: Prx, severity: Error,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Open the address of the proxy script (WPAD or PAC) on the same computer, and try a proxy set by hand, or none.",
        masks: ["DNS001", "DNS002", "DNS003", "MFA001", "MFA003", "MFA006", "MFA007", "TCP001", "TCP002", "TCP004"],
    }
}

/// Hosts named in one finding.
const NAMED: usize = 2;

impl Rule for ProxyScriptUnavailable {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let failed = case
            .failed_hosts(|failure| matches!(failure.kind, FailureKind::Fault(Fault::PacFailed)));
        let words = " was not asked, because the proxy script (PAC) could not be loaded or run";
        report_failed_hosts(self.meta(), case, failed, words, out);
        let script = Errand::script(case.evidence, &case.signin.failures);
        let places = script.failed.iter().flat_map(|one| one.places.iter().copied());
        let Some(refs) = Refs::all(places).filter(|_| !case.spares(script.answered)) else {
            return;
        };
        let text = Text::of("the script that names the proxies could not be fetched (")
            .with_text(&unmet(&script.failed))
            .with(")");
        let mut stopped = case.attempts().filter_map(|(index, attempt)| {
            let cited = kept_away(case, &script, attempt)?;
            (attempt.overridden_by.is_none()).then_some((index, attempt, cited))
        });
        let general = about_capture(self.meta(), refs, text);
        if let Some((index, attempt, cited)) = stopped.next() {
            let host = attempt.blockage.as_ref().and_then(|one| one.hosts.first());
            let mut finding = Finding {
                confidence: Confidence::Medium,
                host: host.cloned(),
                attempt: Some(index),
                ..general
            };
            for at in cited {
                finding.refs.add(at);
            }
            if let Some(host) = host {
                finding.summary = finding
                    .summary
                    .with(", and ")
                    .with(host)
                    .with(" could not be reached without a proxy");
            }
            out.push(finding);
        } else if !case.spares(is_reached(case, &script)) {
            out.push(Finding {
                severity: if case.signin.attempts.is_empty() {
                    Severity::Warning
                } else {
                    Severity::Info
                },
                confidence: Confidence::Medium,
                summary: general
                    .summary
                    .with(": clients that need a proxy go without one, or wait"),
                ..general
            });
        }
    }
}

/// Hosts that did not give the script, and why.
fn unmet(failed: &[Unmet<'_>]) -> Text {
    let mut text = Text::default();
    for (position, one) in failed.iter().take(NAMED).enumerate() {
        text = text.with(if position == 0 { "" } else { ", " }).with(one.host);
        text = match one.how {
            Why::Status(status) => text.with(" answered with status ").with(u64::from(status)),
            Why::Cut => text.with(" closed the connection without an answer"),
            Why::Name => text.with(" could not be resolved"),
            Why::Page => text.with(" answered with a page"),
            Why::Refused => text.with(" refused the connection"),
            Why::Silent => text.with(" did not answer"),
            Why::Other => text.with(" could not be reached"),
        };
    }
    text
}

/// Whether a fault is one of a client that does not get out by itself.
const fn is_of_the_way(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ConnectRefused
            | Fault::ConnectTimeout
            | Fault::NameLookupFailed
            | Fault::NameMissing
            | Fault::NameNoAnswer
            | Fault::Prohibited
            | Fault::Timeout
            | Fault::Unreachable
    )
}

/// Where the requests stand that an attempt could not go on without, if all were made without a proxy
/// after the script had failed, and none got out.
fn kept_away(
    case: &Case<'_>,
    script: &Errand<'_>,
    attempt: &SignInAttempt,
) -> Option<Vec<EvidenceRef>> {
    let blockage = attempt.blockage.as_ref().filter(|_| attempt.side == Side::Network)?;
    let failed_at = script.first_failed();
    let mut cited = Vec::new();
    for id in &blockage.exchanges {
        let exchange = case.evidence.exchange(*id)?;
        let FailureKind::Fault(fault) = case.failure(*id)?.kind else { return None };
        let after = exchange.ended() >= failed_at;
        if !is_of_the_way(fault) || exchange.via == Via::Proxy || !after {
            return None;
        }
        cited.push(exchange.at);
    }
    Some(cited)
}

/// Whether a sign-in host was reached after the script had failed, or one was asked for through a proxy.
fn is_reached(case: &Case<'_>, script: &Errand<'_>) -> bool {
    let failed_at = script.first_failed();
    case.evidence.numbered().any(|(id, exchange)| {
        hosts::is_sign_in_service(exchange.host().as_str())
            && (exchange.via == Via::Proxy
                || exchange.is_answered()
                    && exchange.ended() >= failed_at
                    && case.failure(id).is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::{Answer, Connection, Opened, Protocol};

    const LOGIN: &str = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";
    const SCRIPT: &str = "http://wpad.corp.example/wpad.dat";

    fn silent(connection: &mut Connection) {
        connection.opened = Opened::Unanswered { tries: 3 };
        connection.tls = None;
        let wire = connection.wire.as_mut().unwrap();
        (wire.payload, wire.protocol) = ([None; 2], Protocol::Nothing);
        wire.asked = connection.span;
    }

    #[test]
    fn a_client_that_goes_without_its_proxy() {
        let mut capture = Capture::new();
        capture.wired("wpad.corp.example", silent);
        capture.wired("login.microsoftonline.com", silent);
        let found = capture.found("PRX009");
        assert_eq!((found.len(), found[0].severity), (1, "error"));
        assert!(found[0].summary.contains("wpad.corp.example did not answer"), "{found:?}");
        assert!(found[0].summary.contains("login.microsoftonline.com could not be reached"));
    }

    #[test]
    fn what_fails_before_the_script_is_not_its_consequence() {
        let mut capture = Capture::new();
        capture.failed(LOGIN, "net::ERR_CONNECTION_TIMED_OUT");
        capture.wait(30);
        capture.get(SCRIPT, 404);
        assert_eq!(capture.found("PRX009")[0].severity, "info");
        assert_eq!(capture.found("TCP001").len(), 1);
    }

    #[test]
    fn a_name_that_does_not_exist_is_usual() {
        let mut capture = Capture::new();
        capture.lookup("wpad", "10.0.0.53", Answer::Failed(3));
        capture.lookup("wpad.corp.example", "10.0.0.53", Answer::Failed(3));
        capture.wired("login.microsoftonline.com", silent);
        assert_eq!(capture.rules(), ["TCP001"]);
        let mut capture = Capture::new();
        capture.failed(SCRIPT, "net::ERR_NAME_NOT_RESOLVED");
        capture.healthy();
        assert_eq!(capture.rules(), ["STS001"]);
    }

    #[test]
    fn a_script_that_nobody_needs() {
        let mut capture = Capture::new();
        capture.get(SCRIPT, 404);
        capture.healthy();
        assert_eq!(capture.rules(), ["STS001"]);
        // One that came is used, whatever other addresses say.
        let mut capture = Capture::new();
        capture.get(SCRIPT, 404);
        capture.get("http://config.corp.example/proxy.pac", 200);
        capture.failed(LOGIN, "net::ERR_CONNECTION_TIMED_OUT");
        assert_eq!(capture.rules(), ["TCP001"]);
    }

    #[test]
    fn a_browser_that_says_so() {
        for code in ["net::ERR_PAC_SCRIPT_FAILED", "net::ERR_MANDATORY_PROXY_CONFIGURATION_FAILED"]
        {
            let mut capture = Capture::new();
            capture.failed(LOGIN, code);
            assert_eq!(capture.rules(), ["PRX009"], "{code}");
        }
    }
}
