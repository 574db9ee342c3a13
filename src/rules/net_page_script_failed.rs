//! NET003: the sign-in page could not run.

use super::{Case, Meta, Rule, about_attempt};
use crate::entra::Side;
use crate::evidence::Exchange;
use crate::finding::{Confidence, Finding, Findings, Refs, Text};
use crate::signin::{Outcome, StepKind};

rule! {
    /// ## What it finds
    /// The sign-in page said that it cannot work in this browser: scripts or cookies are switched
    /// off, or its own script failed.
    ///
    /// ## Why it breaks sign-in
    /// The page starts the MFA challenge by script and keeps its state in cookies. Without
    /// either, the challenge is never begun.
    ///
    /// ## Evidence it needs
    /// A request to the page's own report addresses (`jsdisabled`, `cookiesdisabled`,
    /// `handlers/enverror`, `handlers/watson`), in an attempt that ended there. The first two are
    /// certain; the others only say that something in the page failed, so confidence is medium.
    ///
    /// ## What looks like it
    /// A report about some small fault in an attempt that went on all the same: this rule is silent
    /// then. A script that was blocked on the way is told by the rule for the way in which it
    /// failed, one that was blocked in the browser by NET001.
    ///
    /// ## What to do
    /// Try a private window, another profile and a current browser. If it works there, switch
    /// extensions off one by one; look at site settings for scripts and cookies, and at proxies
    /// that change pages.
    ///
    /// ## References
    /// Captured sign-in pages in Versent/saml2aws (the addresses); Microsoft: supported browsers
    /// for Entra sign-in.
    pub(crate) struct NetPageScriptFailed {
        id: "NET003", name: "net-page-script-failed", family: Net, severity: Error,
        side: Some(Side::Application), guide: None,
        advice: "Repeat the sign-in in a private window of a current browser with scripts and cookies allowed and without extensions.",
    }
}

impl Rule for NetPageScriptFailed {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let stopped =
                attempt.outcome == Outcome::PreventedByClient && attempt.blockage.is_none();
            // A page that reports a fault and goes on has got over it.
            if case.spares(!stopped) {
                continue;
            }
            let reports = attempt
                .steps
                .iter()
                .filter(|step| !stopped && step.kind == StepKind::Telemetry)
                .flat_map(|step| &step.refs);
            let mut told = attempt
                .decided_by
                .iter()
                .filter(|_| stopped)
                .chain(reports)
                .filter_map(|at| Some((*at, case.exchange_at(*at)?)));
            let report = told.find_map(|(at, exchange)| Some((at, exchange, words(exchange)?)));
            let Some((at, exchange, (words, confidence))) = report else { continue };
            let summary = Text::of(words);
            let finding = about_attempt(self.meta(), (index, attempt), Refs::one(at), summary);
            out.push(Finding { confidence, host: Some(exchange.host().clone()), ..finding });
        }
    }
}

/// What a report of the page says, by its address.
fn words(report: &Exchange) -> Option<(&'static str, Confidence)> {
    let file = report.request.url.path.rsplit('/').next()?.to_ascii_lowercase();
    match file.as_str() {
        "jsdisabled" => Some(("scripts are switched off in the browser", Confidence::High)),
        "cookiesdisabled" => Some(("cookies are switched off in the browser", Confidence::High)),
        "enverror" => Some((
            "the sign-in page reported that it cannot work in this browser",
            Confidence::Medium,
        )),
        "watson" => Some(("the sign-in page reported that its script failed", Confidence::Medium)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_page_report_that_ends_an_attempt_is_named() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page("POST", "/common/login", MFA_PAGE);
        capture.get("https://login.microsoftonline.com/common/jsdisabled", 200);
        assert_eq!(capture.summaries("NET003"), ["scripts are switched off in the browser"]);
        capture.begin("Success", true);
        assert_eq!(capture.summaries("NET003"), NONE);
    }
}
