//! CAP020: the inputs of a case disagree.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Meta, Rule, about_capture};
use crate::evidence::{EvidenceRef, InputId};
use crate::finding::{Finding, Findings, Refs, Severity, Text};
use crate::signin::{Disagreement, DisagreementKind, SignInAttempt};

rule! {
    /// ## What it finds
    /// Inputs that were given as one case say different things: a trace in which a host could not
    /// be reached while the packets of the same moment show it reached, or the other way round; two
    /// traces that hold the same answer with another status; inputs that share no moment, or in
    /// which other users sign in.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing, and it makes conclusions from one of them unsafe. Mostly the inputs are of
    /// different computers or days, or the browser takes another way than the packets that were
    /// captured: a proxy, a VPN, a security program on the computer that answers for the network.
    ///
    /// ## Evidence it needs
    /// For packets, clocks that could be brought together by several requests. A failure to connect
    /// at a time at which a connection to the same host worked, and none to it failed; or two
    /// answered requests to a host of which the packets show nothing but failed connections, two at
    /// least. A failure that is contradicted so blames nobody any more.
    ///
    /// ## What looks like it
    /// A client that tries two addresses, of which one is dead: then the packets show the failure as
    /// well. Inputs of one day with some minutes between them.
    ///
    /// ## What to do
    /// Ask where and when each input was taken. Take both anew at the same time and on the computer
    /// on which the sign-in fails: packets and a HAR of one and the same sign-in. If they still
    /// disagree, look for what sits between the browser and the network: a proxy, a VPN or a
    /// security program on that computer.
    ///
    /// ## References
    /// Chromium `net_error_list.h` (what the browser means by a failed connection); RFC 9293
    /// section 3.5 (what packets show of one).
    pub(crate) struct CapInputsDisagree {
        id: "CAP020", name: "cap-inputs-disagree", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Ask where and when each input was taken, and take both again at once on the same computer.",
        doubts: [Dns, Tcp, Prx, Tls],
    }
}

impl Rule for CapInputsDisagree {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut by_kind: BTreeMap<DisagreementKind, Vec<&Disagreement>> = BTreeMap::new();
        for one in &case.signin.disagreements {
            if !case.spares(one.is_explained) {
                by_kind.entry(one.kind).or_default().push(one);
            }
        }
        for (kind, all) in by_kind {
            let Some(refs) = Refs::all(all.iter().flat_map(|one| one.refs)) else { continue };
            let text = match all.iter().find_map(|one| one.host.as_ref()) {
                Some(host) => Text::default().with(host).with(words(kind)),
                None => Text::of(words(kind)),
            };
            let severity = match kind {
                DisagreementKind::NoCommonTime => Severity::Info,
                _ => self.meta().severity,
            };
            out.push(Finding { severity, ..about_capture(self.meta(), refs, text) });
        }
        if let Some(refs) = other_users(&case.signin.attempts) {
            let text = Text::of("the inputs show sign-ins of different users");
            out.push(Finding {
                severity: Severity::Info,
                ..about_capture(self.meta(), refs, text)
            });
        }
    }
}

const fn words(kind: DisagreementKind) -> &'static str {
    match kind {
        DisagreementKind::AnsweredAndUnreachable => {
            " answered requests of one input, and the packets of the other show no way to it"
        }
        DisagreementKind::AnswersDiffer => {
            " gave an answer that two inputs hold with different statuses"
        }
        DisagreementKind::FailedAndReached => {
            " could not be reached in one input, and the packets of the other show it reached at that time"
        }
        DisagreementKind::NoCommonTime => "the inputs share no moment of a sign-in",
    }
}

/// A place of either input, where two inputs name users and none that both name.
fn other_users(attempts: &[SignInAttempt]) -> Option<Refs> {
    let mut users: BTreeMap<InputId, (BTreeSet<u32>, EvidenceRef)> = BTreeMap::new();
    for attempt in attempts {
        let Some(user) = &attempt.user else { continue };
        let Some(at) = attempt.steps.first().and_then(|step| step.refs.first()) else { continue };
        users.entry(at.input).or_insert_with(|| (BTreeSet::new(), *at)).0.insert(user.number());
    }
    let mut rest = users.values();
    while let Some((mine, one)) = rest.next() {
        for (theirs, other) in rest.clone() {
            if mine.is_disjoint(theirs) {
                return Refs::all([*one, *other]);
            }
        }
    }
    None
}
