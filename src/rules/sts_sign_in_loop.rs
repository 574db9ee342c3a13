//! STS006: an application sends the user to sign in again and again.

use std::time::Duration;

use super::{Case, Meta, Rule, about_attempt, deciding_refs, is_success};
use crate::entra::Side;
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::SignInAttempt;

rule! {
    /// ## What it finds
    /// One application sent one user through the sign-in more than five times within five minutes,
    /// and each time the service was done with the user or asked for MFA anew.
    ///
    /// ## Why it breaks sign-in
    /// The sign-in works, and the user never arrives: the application does not keep what it was
    /// handed, or a resource refuses it each time. To the user it looks as if MFA failed.
    ///
    /// ## Evidence it needs
    /// Six sign-ins with a page, of the same application and user, that were completed or came to
    /// the challenge, the sixth at most five minutes after the first.
    ///
    /// ## What looks like it
    /// Silent requests (`prompt=none`) for many resources, of which a page makes a dozen; step-up
    /// for a second resource; a sign-in frequency of an hour, where the same user comes back over
    /// the day.
    ///
    /// ## What to do
    /// Look at the first request of the application after its answer came: cookies that are not
    /// kept (`SameSite`, `Secure`, a host name that changes), a reply address of another host, a
    /// clock that makes the token look old, several servers without a common session. Where a
    /// resource answers 401 with `insufficient_claims` in between, compare the addresses that
    /// service and resource see: a split tunnel or several proxies make them differ.
    ///
    /// ## References
    /// Microsoft: troubleshoot redirect loops and `SameSite` cookies in the Microsoft identity
    /// platform; claims challenges and continuous access evaluation.
    pub(crate) struct StsSignInLoop {
        id: "STS006", name: "sts-sign-in-loop", family: Sts, severity: Warning,
        side: Some(Side::Application), guide: None,
        advice: "Look at what the application does with the answer it gets: cookies that are not kept, or a resource that refuses the token each time.",
    }
}

/// More sign-ins than this are a loop.
const TIMES: usize = 5;
/// Within this time.
const WITHIN: Duration = Duration::from_mins(5);

impl Rule for StsSignInLoop {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let rounds: Vec<(usize, &SignInAttempt)> = case
            .attempts()
            .filter(|(_, attempt)| !attempt.flow.is_without_prompt() && !attempt.is_look)
            .filter(|(_, attempt)| is_success(attempt) || attempt.was_asked())
            .collect();
        for (position, (index, last)) in rounds.iter().enumerate() {
            let Some(end) = last.first else { continue };
            let before = rounds.iter().take(position).map(|(_, one)| *one);
            let mut same: Vec<&SignInAttempt> = before
                .filter(|one| {
                    let near = one.first.is_some_and(|first| end.since(first) <= WITHIN);
                    is_same(one, last) && !case.spares(!near)
                })
                .collect();
            same.push(last);
            let goes_on = rounds.iter().skip(position.saturating_add(1)).any(|(_, later)| {
                is_same(later, last) && later.first.is_some_and(|at| at.since(end) <= WITHIN)
            });
            // Told once, at its end.
            if same.len() <= TIMES || goes_on {
                continue;
            }
            let all = same.iter().filter_map(|one| deciding_refs(one));
            let Some(refs) = Refs::all(all.flat_map(|refs| refs.iter().collect::<Vec<_>>())) else {
                continue;
            };
            let count = u64::try_from(same.len()).unwrap_or(u64::MAX);
            let text = Text::of("the same application sent the user to sign in ")
                .with(Piece::Number(count))
                .with(" times within minutes, although nothing failed in between");
            out.push(about_attempt(self.meta(), (*index, last), refs, text));
        }
    }
}

/// Whether two sign-ins are of one application and user, as far as they are named.
fn is_same(one: &SignInAttempt, other: &SignInAttempt) -> bool {
    let application = match (&one.application, &other.application) {
        (None, None) => one.return_host.is_some() && one.return_host == other.return_host,
        (one, other) => one == other,
    };
    let user = one.user.is_none() || other.user.is_none() || one.user == other.user;
    application && user && one.resource == other.resource && one.client == other.client
}
