//! What an application asked the sign-in service for, as typed values.
//!
//! The parameters of a sign-in request decide which pages a user sees, so that two sign-ins differ by
//! them before anything went wrong. What leaves this file is a word of a published list, the name of a
//! domain, or the id of an authentication context.
//!
//! Invariant: no free text of a capture leaves this module.

use super::{SignInAttempt, StepKind, expose};
use crate::evidence::{Body, Evidence, EvidenceRef, Exchange, HostName};

/// Values of `prompt` (OpenID Connect Core section 3.1.2.1, and those that the service adds).
const PROMPTS: &[&str] =
    &["admin_consent", "attempt_none", "consent", "create", "login", "none", "select_account"];

/// What a sign-in request asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which pages it wants shown whatever the session is: `prompt`, each known word once.
    pub prompt: Vec<&'static str>,
    /// The domain whose sign-in it wants used (`domain_hint`, `whr`).
    pub domain_hint: Option<HostName>,
    /// The authentication contexts of Conditional Access that it demands (`acrs` in `claims`).
    pub contexts: Vec<String>,
    /// Where the request stands.
    pub at: EvidenceRef,
}

/// What the first sign-in request of an attempt asked for; `None` where the capture has none that can
/// be read.
pub fn asked(evidence: &Evidence, attempt: &SignInAttempt) -> Option<Asked> {
    let first = attempt.steps.iter().find(|step| step.kind == StepKind::Authorize)?;
    let at = *first.refs.first()?;
    let exchange = evidence.exchanges.iter().find(|one| one.at == at && !one.is_hidden())?;
    Some(of(exchange))
}

fn of(exchange: &Exchange) -> Asked {
    let mut pairs = expose::query(&exchange.request.url);
    if let (Body::Kept { .. }, Some(form)) =
        (&exchange.request.body, expose::body(&exchange.request.body))
    {
        pairs.extend(expose::pairs(&form));
    }
    let told = |name: &str| expose::value(&pairs, name).map(str::trim).unwrap_or_default();
    let mut prompt: Vec<&'static str> = told("prompt")
        .split(' ')
        .filter_map(|word| PROMPTS.iter().find(|known| known.eq_ignore_ascii_case(word)))
        .copied()
        .collect();
    prompt.sort_unstable();
    prompt.dedup();
    let domain = [told("domain_hint"), told("whr")];
    let domain_hint = domain.into_iter().filter(|text| is_domain(text)).find_map(HostName::parse);
    Asked { prompt, domain_hint, contexts: contexts(told("claims")), at: exchange.at }
}

/// A domain, or a word that stands for a kind of accounts; a name of a user is neither.
fn is_domain(text: &str) -> bool {
    matches!(text, "consumers" | "organizations") || text.contains('.') && !text.contains('@')
}

/// The ids `c1` to `c99` behind `acrs` in a claims request.
fn contexts(claims: &str) -> Vec<String> {
    let Some((_, rest)) = claims.split_once("\"acrs\"") else { return Vec::new() };
    let mut found: Vec<String> = rest
        .split('"')
        .filter(|word| {
            word.strip_prefix('c').is_some_and(|number| {
                (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_ids_and_nothing_else() {
        let claims = r#"{"id_token":{"acrs":{"essential":true,"values":["c2","c1","hunter2"]}}}"#;
        assert_eq!(contexts(claims), ["c1", "c2"]);
        assert!(contexts(r#"{"access_token":{"capolids":{"values":["c1"]}}}"#).is_empty());
    }

    #[test]
    fn a_user_is_no_domain() {
        assert!(is_domain("contoso.com") && is_domain("organizations"));
        assert!(!is_domain("alice@contoso.com") && !is_domain("alice"));
    }
}
