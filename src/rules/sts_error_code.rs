//! STS002: the sign-in service refused with an error.

use super::{Case, Meta, Rule, about_attempt, deciding_refs, is_decided_by_result};
use crate::entra::{self, ErrorCategory, Nature, PolicyNumber};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};
use crate::signin::{Carrier, Outcome, SignInAttempt};

rule! {
    /// ## What it finds
    /// The error with which the sign-in service ended an attempt: its AADSTS number, its name and
    /// what it means. A refusal that carries no number (a policy page, an OAuth error) is told in
    /// its own words. Of a Conditional Access page the number and its reading are told, and whether
    /// token protection is behind the refusal or the service knows no device.
    ///
    /// ## Why it breaks sign-in
    /// The service has decided. Whose matter it is follows from the kind of the code: a user or
    /// password, a policy, an application, a device, the service itself.
    ///
    /// ## Evidence it needs
    /// A code that decided an attempt, in a page, a redirect, a form, JSON, SOAP or SAML.
    /// Confidence is high for a code that is publicly documented, medium for others. It is
    /// information where another attempt made this one unimportant.
    ///
    /// ## What looks like it
    /// Codes that are normal steps (50058, 50140, 50199, 16000 and others, STS004); 50074, which is
    /// a question (STS001); codes in the settings of a page or in the reports of a client library.
    ///
    /// ## What to do
    /// Take the correlation id and the time to the sign-in log: its details name the policy or
    /// the setting. The advice of the finding fits the kind of the code.
    ///
    /// ## References
    /// Microsoft Entra authentication and authorization error codes; `error-codes.tsv` of this
    /// program names the source of each code.
    pub(crate) struct StsErrorCode {
        id: "STS002", name: "sts-error-code", family: Sts, severity: Error,
        side: None, guide: None,
        advice: "Look the code up in the sign-in log with the correlation id and follow the advice for its kind.",
    }
}

impl Rule for StsErrorCode {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            if is_told_elsewhere(attempt) {
                continue;
            }
            let Some((summary, confidence, advice)) = describe(attempt) else {
                // A code that a later step got over is no error.
                if let Some(finding) = overcome(case, self, (index, attempt)) {
                    out.push(finding);
                }
                continue;
            };
            let Some(mut refs) = deciding_refs(attempt) else { continue };
            let cited = attempt.errors.iter().filter(|error| {
                Some(error.code) == attempt.deciding_code && error.carrier != Carrier::Telemetry
            });
            for error in cited {
                refs.add(error.reference);
            }
            let finding = about_attempt(self.meta(), (index, attempt), refs, summary);
            out.push(Finding { confidence, advice: advice.map(Text::of), ..finding });
        }
    }
}

/// Codes that have a rule of their own, because more than the code is to be told.
fn is_told_elsewhere(attempt: &SignInAttempt) -> bool {
    super::mfa_hand_off_broken::is_broken(attempt)
        || attempt.deciding_code.is_some_and(|code| {
            super::proxy_tenant_restriction::CODES.contains(&code)
                || code == super::sts_tls_too_old::CODE
        })
}

/// The first code of a failure that the attempt got over, where the guards are off.
fn overcome(
    case: &Case<'_>,
    rule: &StsErrorCode,
    attempt: (usize, &SignInAttempt),
) -> Option<Finding> {
    let failure = attempt.1.errors.iter().find(|error| {
        error.carrier != Carrier::Telemetry
            && entra::error(error.code).is_some_and(|row| row.nature == Nature::Failure)
    })?;
    let summary = Text::of("the service answered ").with(Piece::Code(failure.code));
    let refs = Refs::one(failure.reference);
    (!case.spares(true)).then(|| about_attempt(rule.meta(), attempt, refs, summary))
}

/// The refusal in words, and what to do about it.
fn describe(attempt: &SignInAttempt) -> Option<(Text, Confidence, Option<&'static str>)> {
    let Some(code) = attempt.deciding_code else { return without_code(attempt) };
    let text = Text::default().with(Piece::Code(code));
    let Some(row) = entra::error(code) else {
        return Some((text.with(": a code that is not known"), Confidence::Medium, None));
    };
    let text = if row.name.is_empty() {
        text
    } else {
        text.with(" (").with(Piece::Literal(row.name)).with(")")
    };
    let text = text
        .with(": ")
        .with(Piece::Literal(row.meaning.trim_end_matches('.')))
        .with("; kind: ")
        .with(Piece::Literal(row.category.as_str()));
    let text = match attempt.policy_page.filter(|_| attempt.outcome == Outcome::BlockedByPolicy) {
        Some(number) => page_number(text.with("; on the page "), number),
        None => text,
    };
    let confidence = if row.is_verified() { Confidence::High } else { Confidence::Medium };
    Some((noted(text, attempt), confidence, Some(advice(row.category))))
}

/// A number of a policy page with its reading.
fn page_number(text: Text, number: PolicyNumber) -> Text {
    let text =
        text.with(Piece::Literal(number.kind.as_str())).with(" ").with(u64::from(number.number));
    match number.row() {
        Some(row) => text.with(": ").with(Piece::Literal(row.reading)),
        None => text,
    }
}

/// What else the page of a refusal says.
fn noted(text: Text, attempt: &SignInAttempt) -> Text {
    match attempt.note.filter(|_| attempt.outcome == Outcome::BlockedByPolicy) {
        Some(note) => text.with("; ").with(Piece::Literal(note)),
        None => text,
    }
}

/// A refusal without a number.
fn without_code(attempt: &SignInAttempt) -> Option<(Text, Confidence, Option<&'static str>)> {
    if is_decided_by_result(attempt) || attempt.blockage.is_some() {
        return None;
    }
    match attempt.outcome {
        Outcome::BlockedByPolicy => {
            let text = Text::of("the service showed a page that a policy refuses the sign-in");
            let text = match attempt.policy_page {
                Some(number) => page_number(text.with(" ("), number).with(")"),
                None => text,
            };
            let text = noted(text, attempt);
            Some((text, Confidence::Medium, Some(advice(ErrorCategory::ConditionalAccess))))
        }
        Outcome::OtherError => Some((
            Text::of("the service refused the sign-in without naming an AADSTS code"),
            Confidence::Medium,
            None,
        )),
        _ => None,
    }
}

/// What to do about an error of this kind.
const fn advice(category: ErrorCategory) -> &'static str {
    match category {
        ErrorCategory::Account => {
            "Look at the account in the directory: does it exist in this tenant, is it enabled, is it a guest?"
        }
        ErrorCategory::AppConfig => {
            "Compare the registration of the application (addresses, ids, assigned users) with the request."
        }
        ErrorCategory::ConditionalAccess => {
            "Open this sign-in in the log and read the Conditional Access tab: it names the policy that refused and the condition that was not met."
        }
        ErrorCategory::Consent => {
            "Let an administrator review and grant the permissions that the application asks for."
        }
        ErrorCategory::Credentials => {
            "Check the first factor of the user (password, lock, certificate); MFA was not reached."
        }
        ErrorCategory::Device => {
            "Check the device with dsregcmd /status and in the device list, and whether TLS inspection keeps its certificate from the service."
        }
        ErrorCategory::Federation => {
            "Check the identity provider and the federation settings of the domain: what it issued was not accepted."
        }
        ErrorCategory::Mfa => {
            "Look at the authentication details of this sign-in in the log and at the security info of the user."
        }
        ErrorCategory::NetworkPolicy => {
            "Look for tenant restrictions, cross-tenant access settings or old TLS on the way between client and service."
        }
        ErrorCategory::Protocol => {
            "Begin again in a new window with cookies allowed; if it repeats, the request of the application does not follow the protocol."
        }
        ErrorCategory::Service => {
            "Try again; if it repeats, look at the service health page and open a case with the ids of the request."
        }
        ErrorCategory::Tenant => {
            "Check the tenant that the application names: its id, its domain and its cloud."
        }
        ErrorCategory::Throttling => {
            "Wait and try again; find the program that asks so often in the sign-in log."
        }
        ErrorCategory::Token => {
            "Let the user sign in again: the token or grant that the application used is no longer good."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn the_deciding_code_is_explained() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page(
            "POST",
            "/common/login",
            r#"$Config={"pgid":"ConvergedError","sErrorCode":"53003","urlPost":"/x"}"#,
        );
        let found = capture.found("STS002");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "error", "high"));
        assert!(found[0].summary.starts_with("AADSTS53003"), "{}", found[0].summary);
        assert!(found[0].advice.as_ref().unwrap().contains("Conditional Access"));
    }

    #[test]
    fn an_attempt_that_stepped_aside_gives_information() {
        let mut capture = Capture::new();
        capture.authorize();
        capture.page(
            "POST",
            "/common/login",
            r#"$Config={"pgid":"ConvergedError","sErrorCode":"53003","urlPost":"/x"}"#,
        );
        capture.wait(60);
        capture.healthy();
        let found = capture.found("STS002");
        assert!(found.iter().all(|one| one.severity == "info"), "{found:?}");
    }
}
