//! CAP004: the capture starts inside the sign-in.

use super::{Case, Meta, Rule, about_attempt, deciding_refs};
use crate::evidence::Unseen;
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};
use crate::signin::{Flow, SignInAttempt, Step, StepKind};

rule! {
    /// ## What it finds
    /// The first step that the capture has of an attempt is one from its middle: a password, the
    /// MFA page, an MFA call. The request that began the sign-in is not there.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. What was asked for, by which application and in which flow stands in
    /// the first request; causes that lie before the capture cannot be seen.
    ///
    /// ## Evidence it needs
    /// An attempt whose first step comes after the authorize request, or one that was left open
    /// because the capture began too late. Confidence is medium: the steps may also not fit
    /// together by their ids.
    ///
    /// ## What looks like it
    /// Flows that have no authorize request: a token request of a program, a device code,
    /// WS-Trust, a sign-in that begins at the identity provider.
    ///
    /// ## What to do
    /// Begin with a new window, open the tools, switch on "Preserve log" (the browser drops what
    /// came before each navigation otherwise), then open the application.
    ///
    /// ## References
    /// Chrome DevTools reference for the network panel (Preserve log); OpenID Connect Core
    /// section 3.1.2.1.
    pub(crate) struct CapStartsLate {
        id: "CAP004", name: "cap-starts-late", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Start the capture before the application is opened, and in a browser switch on Preserve log.",
    }
}

impl Rule for CapStartsLate {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let middle = first(attempt).filter(|step| is_middle(attempt, step));
            // A sign-in that the organisation's own page began has no request before it.
            let middle = middle.filter(|_| !case.spares(is_begun_elsewhere(attempt)));
            let told = attempt.unseen.contains(&Unseen::CaptureStarted);
            let refs = middle.and_then(|step| Refs::all(step.refs.iter().copied().take(1)));
            let Some(refs) = refs.or_else(|| deciding_refs(attempt).filter(|_| told)) else {
                continue;
            };
            let summary = match middle {
                Some(step) => Text::of("the first step in the capture is ")
                    .with(Piece::Literal(step.kind.as_str()))
                    .with("; the request that began the sign-in is not there"),
                None => Text::of("the capture begins too late to tell how the sign-in ended"),
            };
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence: Confidence::Medium, ..finding });
        }
    }
}

/// The first step that stands in an order.
fn first(attempt: &SignInAttempt) -> Option<&Step> {
    attempt.steps.iter().find(|step| {
        !matches!(
            step.kind,
            StepKind::Discovery
                | StepKind::FederationRedirect
                | StepKind::HomeRealm
                | StepKind::Logout
                | StepKind::Other
                | StepKind::Resource
                | StepKind::SeamlessSso
                | StepKind::Telemetry
        )
    })
}

/// Whether the identity provider's own page comes first in the capture.
fn is_begun_elsewhere(attempt: &SignInAttempt) -> bool {
    let first = attempt.steps.iter().find(|step| {
        matches!(step.kind, StepKind::FederationRedirect | StepKind::FederationReturn)
    });
    first.is_some_and(|step| step.kind == StepKind::FederationRedirect)
}

/// Whether a browser's sign-in never begins with this step.
fn is_middle(attempt: &SignInAttempt, step: &Step) -> bool {
    let without = attempt.flow.is_without_prompt() || attempt.flow == Flow::Broker;
    !without
        && matches!(
            step.kind,
            StepKind::Continue
                | StepKind::CredentialType
                | StepKind::FederationReturn
                | StepKind::KeepSignedIn
                | StepKind::MfaBegin
                | StepKind::MfaCode
                | StepKind::MfaFinish
                | StepKind::MfaPage
                | StepKind::MfaPoll
                | StepKind::Password
                | StepKind::PhoneSignIn
        )
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_sign_in_from_its_middle() {
        let mut capture = Capture::new();
        capture.page("POST", "/common/login", MFA_PAGE);
        let found = capture.found("CAP004");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert!(found[0].summary.contains("password"), "{}", found[0].summary);
        let mut capture = Capture::new();
        capture.healthy();
        assert!(capture.found("CAP004").is_empty());
    }
}
