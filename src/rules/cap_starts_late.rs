//! CAP004: the capture starts inside the sign-in.

use super::{Case, Meta, Rule, about_attempt, about_capture, deciding_refs};
use crate::evidence::{Connection, Opened, Unseen};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};
use crate::signin::{Flow, SignInAttempt, Step, StepKind, Veil};

rule! {
    /// ## What it finds
    /// The first step that the capture has of an attempt is one from its middle: a password, the
    /// MFA page, an MFA call. The request that began the sign-in is not there. In packets: the
    /// connections to sign-in hosts, or encrypted ones that nothing names, were open when the
    /// capture began, and no other was opened in it.
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
    /// Flows that have no authorize request: a token request of a program, a device code, WS-Trust,
    /// a sign-in that begins at the identity provider. Connections that a browser keeps open while
    /// it opens new ones for the sign-in.
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
        if let Some((refs, words)) = open_before(case) {
            out.push(Finding {
                confidence: Confidence::Medium,
                ..about_capture(self.meta(), refs, Text::of(words))
            });
        }
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

/// Connections of packets that were there before the capture, where none to a sign-in host was opened
/// in it: those that are told by name, or failing that those whose name nothing tells.
fn open_before(case: &Case<'_>) -> Option<(Refs, &'static str)> {
    let is_old = |connection: &Connection| connection.opened == Opened::MidStream;
    // Browsers keep connections open: with others that were opened in the capture they say nothing.
    if case.spares(case.sign_in_connections().any(|(_, connection, _)| !is_old(connection))) {
        return None;
    }
    let named = case.sign_in_connections().filter(|(_, connection, _)| is_old(connection));
    let unnamed = || {
        let is_old = |veil: Veil| matches!(veil, Veil::MidStream | Veil::Underway);
        let veils = case.signin.veils.iter().filter(|(veil, _)| is_old(*veil));
        let words =
            "encrypted connections whose hosts nothing names were open before the capture began";
        Some((Refs::all(veils.map(|(_, at)| *at))?, words))
    };
    let words = "the connections to sign-in hosts were open before the capture began";
    Refs::all(named.map(|(_, connection, _)| connection.at))
        .map(|refs| (refs, words))
        .or_else(unnamed)
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

    #[test]
    fn connections_that_were_open_before() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.opened = crate::evidence::Opened::MidStream;
        });
        assert_eq!(capture.found("CAP004").len(), 1);
        capture.wired("login.microsoftonline.com", |_| {});
        assert!(capture.found("CAP004").is_empty());
    }
}
