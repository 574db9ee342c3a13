//! STS004: codes that look like errors and are normal steps.

use super::{Case, Meta, Rule, about_attempt, is_success};
use crate::entra::{self, Nature};
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::{Carrier, SignInAttempt, StsError};

rule! {
    /// ## What it finds
    /// Codes such as 50058 (no session yet), 50140 (stay signed in?), 50199 (confirm the
    /// application) and 16000 (choose an account) in an attempt that another thing decided, or
    /// that succeeded.
    ///
    /// ## Why it breaks sign-in
    /// It does not. The service logs these steps as errors, so they are found first when somebody
    /// searches a capture, and lead away from the cause.
    ///
    /// ## Evidence it needs
    /// Codes whose nature is a normal step and that did not decide the attempt. One finding for
    /// each attempt, always information.
    ///
    /// ## What looks like it
    /// The same code as the end of an attempt, for example 50058 on a silent request that no window
    /// followed: then STS002 speaks.
    ///
    /// ## What to do
    /// Nothing. Go on with the code or the result that decided.
    ///
    /// ## References
    /// Microsoft Entra authentication and authorization error codes; captured pages in
    /// Versent/saml2aws.
    pub(crate) struct StsNormalInterrupt {
        id: "STS004", name: "sts-normal-interrupt", family: Sts, severity: Info,
        side: None, guide: None,
        advice: "Leave these codes alone: they are steps of a sign-in and not the reason why it failed.",
    }
}

impl Rule for StsNormalInterrupt {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let harmless =
                || attempt.errors.iter().filter(|error| is_harmless(case, attempt, error));
            let Some(refs) = Refs::all(harmless().map(|error| error.reference)) else { continue };
            let mut codes: Vec<u32> = harmless().map(|error| error.code).collect();
            codes.sort_unstable();
            codes.dedup();
            let mut summary = Text::default();
            for (position, code) in codes.iter().enumerate() {
                let mark = if position == 0 { "" } else { ", " };
                summary = summary.with(mark).with(Piece::Code(*code));
            }
            let words = if codes.len() == 1 {
                " is a normal step of a sign-in"
            } else {
                " are normal steps of a sign-in"
            };
            out.push(about_attempt(self.meta(), (index, attempt), refs, summary.with(words)));
        }
    }
}

/// Whether a code was a normal step here.
fn is_harmless(case: &Case<'_>, attempt: &SignInAttempt, error: &StsError) -> bool {
    let Some(row) = entra::error(error.code) else { return false };
    error.carrier != Carrier::Telemetry
        && row.nature == Nature::Interrupt
        // The same code as the end of an attempt is no step.
        && !case.spares(Some(error.code) == attempt.deciding_code)
        && (row.outcome.is_none() || is_success(attempt) || !case.spares(true))
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn steps_are_told_once_for_each_attempt() {
        let mut capture = Capture::new();
        capture.page(
            "GET",
            AUTHORIZE,
            r#"$Config={"pgid":"ConvergedSignIn","sErrorCode":"50058","urlPost":"/x"}"#,
        );
        capture.page(
            "POST",
            "/common/login",
            r#"$Config={"pgid":"KmsiInterrupt","sErrorCode":"50140","urlPost":"/x"}"#,
        );
        capture.grant();
        let found = capture.found("STS004");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].summary, "AADSTS50058, AADSTS50140 are normal steps of a sign-in");
        assert!(capture.found("STS002").is_empty());
    }
}
