//! Ends the state machine: what decided, and what may be said of an attempt that nothing decided.
//!
//! Silence is the hard case. That no next step came is said only of a stretch of time that the
//! capture is known to have recorded, or when the client is seen to go on to something else.
//!
//! Invariant: an outcome that rests on absence holds a [`CoverageProof`] or a navigation.

use std::time::Duration;

use super::hidden::is_lossy;
use super::outcome::{Class, Judgement, Waiting, Walk, rank};
use super::sighting::{Grant, Sighting};
use super::{Blockage, FailureSide, Flow, MfaState, Outcome, Phase, Side};
use super::{clock, dark};
use crate::entra::{self, HostRole, StepKind, hosts};
use crate::evidence::{
    Absence, CoverageProof, Evidence, Exchange, ExchangeId, HostName, NoResponse, Scheme, Unseen,
};
use crate::time::Timestamp;

/// How long a client must be seen after its last step, for the absence of a next step to count.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a user is given to look for a code and type it.
const TYPING: Duration = Duration::from_mins(1);

/// How long a poll that was given up must stay the last one.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// How soon a page whose script fails asks the other root for it.
const OTHER_ROOT_WAIT: Duration = Duration::from_secs(5);

/// Exchanges looked at for a page that took the sign-in's place.
const LOOK_AHEAD: usize = 2_000;

impl Walk<'_> {
    /// The end of the walk: what decided, or what the attempt still waited for.
    pub(super) fn conclude(mut self, evidence: &Evidence) -> Judgement {
        if self.completed.is_some() && self.candidate.is_none() {
            return self.completed(evidence);
        }
        if let Some(judgement) = self.obstructed(evidence) {
            return judgement;
        }
        if let Some(candidate) = self.candidate.take() {
            let (at, outcome, side, code) =
                (candidate.at, candidate.outcome, candidate.side, candidate.code);
            let (side, blockage) = self.proven_side(evidence, outcome, code, side);
            if self.sent_back == Some(at) {
                self.doubts.push("what the user did at the external provider is not seen");
            }
            if outcome == Outcome::MfaNoAnswer {
                self.doubts.push("the way to the phone is never in a capture");
            }
            let mut judgement = self.finish(outcome, side, &[at], code);
            judgement.blockage = blockage;
            return judgement;
        }
        if let Some(at) = self.client_setting.or(self.script_report) {
            self.note = Some(if self.client_setting.is_some() {
                "scripts or cookies are switched off in it"
            } else {
                "the page reported that its script failed"
            });
            let begun = matches!(self.mfa, MfaState::Begun | MfaState::Passed);
            if !begun {
                return self.finish(Outcome::PreventedByClient, Side::Application, &[at], None);
            }
        }
        self.unfinished(evidence)
    }

    fn completed(mut self, evidence: &Evidence) -> Judgement {
        let at = self.completed.unwrap_or_default();
        if !self.challenged && self.is_second_factor_seen(at) {
            self.challenged = true;
            self.mfa = MfaState::Passed;
            self.doubts.push("the answer that asked for MFA is not in the capture");
        }
        let outcome = if self.challenged || self.mfa == MfaState::Passed {
            Outcome::MfaCompleted
        } else {
            Outcome::CompletedWithoutMfa
        };
        let by_provider = |one: &Sighting| one.kind == StepKind::FederationReturn && one.answered;
        if outcome == Outcome::CompletedWithoutMfa && self.members.iter().any(by_provider) {
            // A provider that signs the user in may ask for a second factor of its own.
            self.mfa = MfaState::Unknown;
        }
        if outcome == Outcome::CompletedWithoutMfa && self.is_partly_dark(at, evidence) {
            self.mfa = MfaState::Unknown;
            self.doubts
                .push("not all answers of the service could be read: one may have asked for MFA");
        }
        let granted = self.members.get(at).is_some_and(|one| one.grant != Grant::None);
        let blocked: Vec<usize> = self
            .obstacles
            .iter()
            .filter(|known| {
                let goes_on = match known.class {
                    Class::Application => true,
                    // Once the application has its answer, only what comes after that can stop it.
                    Class::Script | Class::Federation => !granted && known.at > at,
                    Class::Service => {
                        known.at > at && (!granted || self.is_step_behind(known.at, at))
                    }
                    Class::Device | Class::Registration => false,
                };
                goes_on && self.is_network(known.at)
            })
            .map(|known| known.at)
            .collect();
        let unnamed: Vec<usize> = self
            .obstacles
            .iter()
            .filter(|known| !granted && known.class == Class::Service && known.at > at)
            .filter(|known| self.is_step_behind(known.at, at) && !self.is_network(known.at))
            .map(|known| known.at)
            .collect();
        if blocked.is_empty() && !unnamed.is_empty() {
            // The way back to the application was tried, and nobody says why it failed.
            let mut judgement =
                self.clone_finish(Outcome::Undetermined, Side::CannotTell, &unnamed);
            judgement.doubts.push("the capture does not name the fault exactly");
            judgement.blockage = self.blockage(&unnamed, Phase::AfterMfa);
            return judgement;
        }
        if blocked.is_empty() {
            let arrived = self.members.iter().rfind(|one| one.grant == Grant::Arrived);
            if self.members.get(at).is_some_and(|one| one.grant == Grant::None) {
                self.doubts.push("the return to the application is not in the capture");
            } else if arrived.is_some_and(|one| !one.answered) {
                self.doubts.push("what the application answered is not in the capture");
            }
            return self.finish(outcome, Side::NothingWrong, &[at], None);
        }
        let blockage = self.blockage(&blocked, Phase::AfterMfa);
        let mut judgement = self.finish(outcome, Side::Network, &blocked, None);
        judgement.blockage = blockage;
        judgement
    }

    /// Whether the user came back from a page that only MFA leads to, before the end at a step.
    fn is_second_factor_seen(&self, end: usize) -> bool {
        let steps = self.members.get(..=end).unwrap_or_default();
        steps.iter().any(|one| {
            one.answered
                && one.failure.is_none()
                && matches!(one.kind, StepKind::ExternalMethod | StepKind::Passkey)
        })
    }

    /// Whether answers of the service are missing between the first step and one that ended it: that to
    /// the password, or what was said in connections that keys did not open.
    fn is_partly_dark(&self, end: usize, evidence: &Evidence) -> bool {
        let steps = self.members.get(..end).unwrap_or_default();
        let unseen = |one: &Sighting| one.kind == StepKind::Password && !one.answered;
        let later = |from: usize| {
            steps.iter().skip(from).any(|one| one.kind == StepKind::Password && one.answered)
        };
        if steps.iter().enumerate().any(|(index, one)| unseen(one) && !later(index)) {
            return true;
        }
        let (Some(first), Some(last)) = (steps.first(), self.members.get(end)) else {
            return false;
        };
        first
            .started
            .zip(last.started)
            .is_some_and(|(from, until)| dark::is_asked(evidence, first.input, from, until))
    }

    /// The outcome when traffic that the last step needed failed and nothing overcame it.
    fn obstructed(&self, evidence: &Evidence) -> Option<Judgement> {
        let decided = self.candidate.as_ref().filter(|known| !known.weak).map(|known| known.at);
        let blocking: Vec<usize> = self
            .obstacles
            .iter()
            .filter(|known| match known.class {
                // A script that fails on a page whose end is known stopped nothing.
                Class::Script => decided.is_none(),
                // Behind a decision only a further step of the sign-in can be the obstacle.
                Class::Service => decided
                    .is_none_or(|at| known.at > at && self.is_step_behind(known.at, usize::MAX)),
                Class::Federation => decided.is_none_or(|at| known.at > at),
                Class::Device => decided.is_none() && self.is_next_hop(known.at),
                Class::Application | Class::Registration => false,
            })
            .map(|known| known.at)
            .collect();
        let first = self.members.get(*blocking.first()?)?;
        let failure = first.failure?;
        if decided.is_some() && matches!(failure.side, FailureSide::Service | FailureSide::Unknown)
        {
            // What is known to have ended the attempt counts more than what nobody can explain.
            return None;
        }
        if self.is_page_older(&blocking, evidence) {
            let mut judgement =
                self.clone_finish(Outcome::Undetermined, Side::CannotTell, &blocking);
            judgement.unseen.push(Unseen::CaptureStarted);
            return Some(judgement);
        }
        if self.is_other_root_due(&blocking, evidence) {
            let mut judgement =
                self.clone_finish(Outcome::Undetermined, Side::CannotTell, &blocking);
            judgement.unseen.push(Unseen::CaptureEnded);
            return Some(judgement);
        }
        let after = self.challenged;
        let phase = if after { Phase::AfterChallenge } else { Phase::BeforeChallenge };
        let (outcome, side) = match failure.side {
            FailureSide::Network if after => (Outcome::MfaPreventedByNetwork, Side::Network),
            FailureSide::Network => (Outcome::SignInPreventedByNetwork, Side::Network),
            FailureSide::Client => (Outcome::PreventedByClient, Side::Application),
            FailureSide::Service | FailureSide::Unknown => {
                (Outcome::Undetermined, Side::CannotTell)
            }
        };
        if side == Side::Network && self.is_last_poll(&blocking, evidence) {
            // The page asks again, and the capture is not there any more.
            let mut judgement =
                self.clone_finish(Outcome::Undetermined, Side::CannotTell, &blocking);
            judgement.unseen.push(Unseen::CaptureEnded);
            judgement.doubts.extend(self.doubt_of_retry(&blocking));
            return Some(judgement);
        }
        let mut judgement = self.clone_finish(outcome, side, &blocking);
        if !failure.certain {
            judgement.doubts.push("the capture does not name the fault exactly");
        }
        judgement.doubts.extend(self.doubt_of_retry(&blocking));
        judgement.doubts.extend(self.doubt_of_root(&blocking));
        judgement.blockage = self.blockage(&blocking, phase);
        Some(judgement)
    }

    /// Whether all that failed is scripts, the page that wanted them is older than the capture, and so are
    /// connections in which it may have got them.
    fn is_page_older(&self, blocking: &[usize], evidence: &Evidence) -> bool {
        let mut failed = blocking.iter().filter_map(|index| self.members.get(*index));
        let opened = self.members.iter().any(|one| {
            one.answered && matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
        });
        !opened
            && failed.all(|one| {
                one.is_script
                    && one.started.is_some_and(|at| dark::is_older(evidence, one.input, at))
            })
    }

    /// Whether one root of the scripts failed, the page knows another one, and the capture ends before a
    /// page would have turned to it.
    fn is_other_root_due(&self, blocking: &[usize], evidence: &Evidence) -> bool {
        if self.doubt_of_root(blocking).is_none() {
            return false;
        }
        let last = blocking.iter().filter_map(|index| self.members.get(*index));
        let Some(last) = last.max_by_key(|one| one.ended.or(one.started)) else { return false };
        let Some(at) = last.ended.or(last.started) else { return false };
        matches!(
            evidence.coverage.absent(last.input, at, OTHER_ROOT_WAIT),
            Absence::Unknown(Unseen::CaptureEnded | Unseen::RecordsLost)
        )
    }

    /// Whether the browser was sent to this host and nothing of the sign-in came after it.
    fn is_next_hop(&self, at: usize) -> bool {
        let Some(failed) = self.members.get(at) else { return false };
        let before = self.members.get(..at).unwrap_or_default();
        let sent = before.iter().rev().find(|one| one.answered && one.next_host.is_some());
        let after = self.members.get(at..).unwrap_or_default();
        let goes_on = after.iter().any(|one| {
            one.answered && matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
        });
        sent.and_then(|one| one.next_host.as_ref()) == Some(&failed.host) && !goes_on
    }

    /// Whether a failed request was for a step of the sign-in, and for a later one than that at `done`,
    /// where there is one.
    fn is_step_behind(&self, at: usize, done: usize) -> bool {
        let Some(failed) = self.members.get(at).filter(|one| !one.is_tunnel) else { return false };
        let least = self.members.get(done).map_or(0, |one| rank(one.kind));
        rank(failed.kind) > least
    }

    fn is_network(&self, at: usize) -> bool {
        let failure = self.members.get(at).and_then(|one| one.failure);
        failure.is_some_and(|failure| failure.side == FailureSide::Network)
    }

    /// A failure at the very end of a capture may have been overcome right after it.
    fn doubt_of_retry(&self, blocking: &[usize]) -> Option<&'static str> {
        let last = self.members.get(*blocking.last()?)?;
        let polling = matches!(last.kind, StepKind::MfaPoll) && blocking.len() == 1;
        polling.then_some("one poll failed and the page would have asked again")
    }

    /// Of two roots that a page takes its scripts from, the other one may have served.
    fn doubt_of_root(&self, blocking: &[usize]) -> Option<&'static str> {
        let failed: Vec<&HostName> = blocking
            .iter()
            .filter_map(|index| self.members.get(*index))
            .map(|one| if one.is_script { Some(&one.host) } else { None })
            .collect::<Option<_>>()?;
        let page = self.members.iter().rev().find(|one| !one.script_hosts.is_empty())?;
        page.script_hosts.iter().any(|root| !failed.contains(&root)).then_some(super::OTHER_ROOT)
    }

    /// Whether all that failed is one poll at the end of its capture, before the next was due.
    fn is_last_poll(&self, blocking: &[usize], evidence: &Evidence) -> bool {
        let [only] = blocking else { return false };
        let Some(one) = self.members.get(*only).filter(|one| one.kind == StepKind::MfaPoll) else {
            return false;
        };
        let Some(at) = one.ended.or(one.started) else { return false };
        let due = at.plus(self.interval(0, *only).max(Duration::from_secs(3)));
        let seen = evidence.exchanges.iter().rev().take(LOOK_AHEAD).any(|exchange| {
            exchange.at.input == one.input && exchange.started().is_some_and(|start| start >= due)
        });
        let span = evidence.coverage.of(one.input).and_then(|coverage| coverage.span);
        !seen && span.is_none_or(|span| span.last() < due)
    }

    fn blockage(&self, blocking: &[usize], phase: Phase) -> Option<Blockage> {
        let failed: Vec<&Sighting> =
            blocking.iter().filter_map(|index| self.members.get(*index)).collect();
        let first = failed.first()?;
        let mut by_time = failed.clone();
        by_time.sort_by_key(|one| (one.started, one.id));
        let mut found: Vec<HostName> = Vec::new();
        for one in by_time {
            if !found.contains(&one.host) {
                found.push(one.host.clone());
            }
        }
        let step = if first.kind == StepKind::Other {
            if self.challenged { StepKind::MfaPage } else { StepKind::Authorize }
        } else {
            first.kind
        };
        Some(Blockage {
            step,
            phase,
            hosts: found,
            exchanges: failed.iter().map(|one| one.id).collect(),
        })
    }

    /// The side, where a failed host explains the code or the registration, and that host.
    fn proven_side(
        &self,
        evidence: &Evidence,
        outcome: Outcome,
        code: Option<u32>,
        side: Side,
    ) -> (Side, Option<Blockage>) {
        let class = match (outcome, code) {
            (_, Some(50_097 | 50_155 | 50_187 | 50_192 | 53_000 | 53_001)) => Class::Device,
            (Outcome::RegistrationRequired, _) => Class::Registration,
            _ => return (side, None),
        };
        let blocking: Vec<usize> = self
            .obstacles
            .iter()
            .filter(|known| known.class == class && self.is_network(known.at))
            .map(|known| known.at)
            .collect();
        let phase = if self.challenged { Phase::AfterChallenge } else { Phase::BeforeChallenge };
        if let Some(blockage) = self.blockage(&blocking, phase) {
            return (Side::Network, Some(blockage));
        }
        let intercepted = self.members.iter().enumerate().find(|(_, one)| {
            class == Class::Device
                && one.role == Some(HostRole::DeviceCert)
                && is_intercepted(evidence, &one.host)
        });
        match intercepted {
            // A client certificate does not pass a box that answers TLS itself.
            Some((at, _)) => (Side::Network, self.blockage(&[at], phase)),
            None => (side, None),
        }
    }

    fn clone_finish(&self, outcome: Outcome, side: Side, decided: &[usize]) -> Judgement {
        let refs = decided
            .iter()
            .filter_map(|index| self.members.get(*index))
            .map(|one| one.reference)
            .collect();
        Judgement {
            outcome,
            side,
            mfa: self.mfa_seen(),
            blockage: None,
            decided_by: refs,
            result_value: self.result_value.clone(),
            deciding_code: None,
            policy_page: self.policy_page,
            methods: self.methods.clone(),
            unseen: Vec::new(),
            doubts: self.doubts.clone(),
            note: self.note.filter(|_| outcome != Outcome::Undetermined),
        }
    }

    /// How far MFA got. With a device code the user signs in elsewhere: what was asked there is not seen.
    fn mfa_seen(&self) -> MfaState {
        let elsewhere = self.flow == Flow::DeviceCode
            && !self.members.iter().any(|one| one.kind == StepKind::Password && one.answered);
        match self.mfa {
            MfaState::NotAsked if elsewhere => MfaState::Unknown,
            mfa => mfa,
        }
    }

    fn finish(
        &self,
        outcome: Outcome,
        side: Side,
        decided: &[usize],
        code: Option<u32>,
    ) -> Judgement {
        let mut judgement = self.clone_finish(outcome, side, decided);
        let left = matches!(outcome, Outcome::MfaAbandoned | Outcome::MfaNotAttempted);
        if left && code.is_none() && self.members.iter().any(|one| one.process.is_some()) {
            judgement.doubts.push("another tab of the same browser would look the same");
        }
        judgement.deciding_code = code;
        judgement
    }

    /// The outcome when nothing decided: what the attempt waited for, and for how long.
    fn unfinished(self, evidence: &Evidence) -> Judgement {
        let cannot = |walk: &Self, unseen: Unseen, at: usize| {
            let mut judgement = walk.clone_finish(Outcome::Undetermined, Side::CannotTell, &[at]);
            judgement.unseen.push(unseen);
            judgement
        };
        let last = self.members.len().saturating_sub(1);
        if let Some(at) = self.body_missing {
            if let Some(judgement) = self.left_while_polling(evidence, at) {
                return judgement;
            }
            // An answer that is there and does not say how it went is not one that was not saved.
            let is_there = self.members.get(at).is_some_and(|one| {
                one.body_unread || one.status.is_some_and(|status| status >= 400)
            });
            let unseen = if is_there { Unseen::NotShown } else { Unseen::BodiesMissing };
            return cannot(&self, unseen, at);
        }
        if let Some(unseen) = self.left_open(evidence) {
            return cannot(&self, unseen, last);
        }
        if self.lost {
            let mut judgement = self.clone_finish(Outcome::Undetermined, Side::CannotTell, &[last]);
            judgement.unseen.push(Unseen::NotShown);
            return judgement;
        }
        match self.waiting {
            Waiting::Page { since } => {
                if self.has_methods == Some(false) {
                    let mut judgement =
                        self.finish(Outcome::RegistrationRequired, Side::User, &[since], None);
                    judgement.doubts.push("a policy may hide the user's methods");
                    return judgement;
                }
                match self.silence(evidence, since, SILENCE) {
                    Ok(_) if self.is_provider_in_doubt(evidence, since) => {
                        let mut judgement = cannot(&self, Unseen::NotShown, since);
                        judgement.doubts.push(
                            "a host that may be the external provider's could not be reached",
                        );
                        judgement
                    }
                    Ok(_) => {
                        // A method that was begun and given up was attempted.
                        let later = self.members.iter().skip(since.saturating_add(1));
                        let is_begun = later.into_iter().any(|one| one.kind == StepKind::MfaBegin);
                        let outcome =
                            if is_begun { Outcome::MfaAbandoned } else { Outcome::MfaNotAttempted };
                        let mut judgement = self.finish(outcome, Side::User, &[since], None);
                        if !self.script_seen {
                            judgement.doubts.push("the page's script is not in the capture");
                        }
                        judgement
                    }
                    Err(unseen) => cannot(&self, unseen, since),
                }
            }
            Waiting::Poll { since, last } => self.after_poll(evidence, since, last),
            Waiting::Code { since } => match self.silence(evidence, since, TYPING) {
                Ok(_) => {
                    let mut judgement =
                        self.finish(Outcome::MfaAbandoned, Side::User, &[since], None);
                    judgement.doubts.push("the user may still have been looking for the code");
                    judgement
                }
                Err(unseen) => cannot(&self, unseen, since),
            },
            Waiting::Elsewhere { since } => match self.silence(evidence, last, TYPING) {
                Ok(_) => {
                    let mut judgement =
                        self.finish(Outcome::MfaAbandoned, Side::User, &[since], None);
                    judgement.doubts.push("what the user did on the other page is not seen");
                    judgement
                }
                Err(unseen) => cannot(&self, unseen, since),
            },
            Waiting::Finish { since } => {
                let unseen = match self.silence(evidence, since, SILENCE) {
                    Err(Unseen::Encrypted) => Unseen::Encrypted,
                    _ => Unseen::CaptureEnded,
                };
                cannot(&self, unseen, since)
            }
            Waiting::Nothing => {
                // A capture that goes on did show what there was.
                let unseen = match self.silence(evidence, last, SILENCE) {
                    Ok(_) => Unseen::NotShown,
                    Err(unseen) => unseen,
                };
                cannot(&self, unseen, last)
            }
        }
    }

    /// Whether the page offered an external method, whose host it need not name, and a tunnel to a host that
    /// is nobody's else failed after it.
    fn is_provider_in_doubt(&self, evidence: &Evidence, since: usize) -> bool {
        let Some(page) = self.members.get(since) else { return false };
        let external = self.methods.iter().any(|method| entra::method(method).is_none());
        let Some(at) = page.ended.or(page.started).filter(|_| external) else { return false };
        let first = evidence
            .exchanges
            .partition_point(|exchange| exchange.started().is_none_or(|start| start < at));
        let after = evidence.exchanges.get(first..).unwrap_or_default();
        after.iter().take(LOOK_AHEAD).any(|exchange| {
            exchange.at.input == page.input
                && exchange.request.url.scheme == Scheme::Authority
                && hosts::host(exchange.host().as_str()).is_none()
                && (page.process.is_none() || exchange.process == page.process)
                && exchange.status().map_or(!exchange.is_answered(), |status| status >= 400)
        })
    }

    /// Why nothing follows from the silence after a request of the challenge, or one for the script of
    /// its page, whose end is not in the capture.
    fn left_open(&self, evidence: &Evidence) -> Option<Unseen> {
        let since = match self.waiting {
            Waiting::Code { since }
            | Waiting::Elsewhere { since }
            | Waiting::Finish { since }
            | Waiting::Page { since } => since,
            Waiting::Poll { last, .. } => last,
            Waiting::Nothing => return None,
        };
        let after = self.members.get(since.saturating_add(1)..).unwrap_or_default();
        let open = |one: &&Sighting| !one.answered && !one.cancelled && one.failure.is_none();
        let of_challenge = |one: &Sighting| {
            matches!(
                one.kind,
                StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaFinish | StepKind::MfaPoll
            )
        };
        let script = |one: &&Sighting| one.is_script && one.role == Some(HostRole::SigninCdn);
        let unserved = !after.iter().filter(script).any(|one| one.answered);
        let mut open = after.iter().filter(open);
        // What has an answer that the capture lacks was not given up.
        let is_lacking = |one: &Sighting| {
            let response = evidence.exchange(one.id).map(|exchange| &exchange.response);
            matches!(response, Some(Err(NoResponse::NotCaptured)))
                && evidence.coverage.of(one.input).is_some_and(is_lossy)
        };
        // A browser gives up what it waits for when the user goes elsewhere.
        let given_up = |one: &Sighting| {
            let ended = one.ended.or(one.started);
            ended.filter(|_| !is_lacking(one)).zip(one.started).is_some_and(|(ended, started)| {
                navigates_away(evidence, one, started)
                    .is_some_and(|at| at.since(ended) <= Duration::from_secs(2))
            })
        };
        let first =
            open.find(|one| (of_challenge(one) || unserved && script(one)) && !given_up(one))?;
        let pending = evidence
            .exchange(first.id)
            .is_some_and(|exchange| matches!(exchange.response, Err(NoResponse::Pending)));
        Some(if pending { Unseen::CaptureEnded } else { Unseen::NotShown })
    }

    /// A page that polls and is left loses the body of the last poll: the browser had no page any more
    /// to keep it for.
    fn left_while_polling(&self, evidence: &Evidence, at: usize) -> Option<Judgement> {
        let Waiting::Poll { since, last } = self.waiting else { return None };
        let one = self.members.get(at).filter(|one| one.kind == StepKind::MfaPoll)?;
        let told = self.members.get(since..last).unwrap_or_default();
        let pending = told.iter().any(|one| one.kind == StepKind::MfaPoll && one.sas.is_some());
        let ended = one.ended.or(one.started)?;
        let soon = navigates_away(evidence, one, one.started?)
            .is_some_and(|at| at.since(ended) <= Duration::from_secs(2));
        (last == at && pending && soon).then(|| {
            let mut judgement =
                self.finish(Outcome::MfaAbandoned, Side::User, &[since, last], None);
            judgement.doubts.push("the answer to the last poll is not in the capture");
            judgement
        })
    }

    fn after_poll(&self, evidence: &Evidence, since: usize, last: usize) -> Judgement {
        let begun = self.members.get(since).and_then(|one| Some((one.started?, one.ahead)));
        let polled =
            self.members.get(last).and_then(|one| Some((one.ended.or(one.started)?, one.ahead)));
        let elapsed =
            begun.zip(polled).map_or(Duration::ZERO, |(from, to)| clock::between(from, to));
        // The last poll before the end of the window is up to one interval early.
        let interval = self.interval(since, last);
        if self.left.is_none() && elapsed + interval >= self.window {
            let mut judgement = self.finish(Outcome::MfaNoAnswer, Side::User, &[since, last], None);
            judgement.doubts.push("the way to the phone is never in a capture");
            return judgement;
        }
        let is_dark = |at: usize| {
            self.members.get(at).is_some_and(|one| {
                one.started.is_some_and(|from| {
                    dark::is_asked(evidence, one.input, from, from.plus(SILENCE))
                })
            })
        };
        let over = (interval * 2).max(GIVEN_UP);
        // A page gives a poll up too when it asks again, or goes on.
        let is_seen = |at: usize| {
            !self.silence(evidence, at, over).is_err_and(|unseen| unseen != Unseen::NotShown)
        };
        if let Some(left) = self.left.filter(|left| !is_dark(*left) && is_seen(*left)) {
            return self.finish(Outcome::MfaAbandoned, Side::User, &[since, left], None);
        }
        let quiet = (interval * 3).max(SILENCE);
        match self.silence(evidence, last, quiet) {
            Ok(_) => self.finish(Outcome::MfaAbandoned, Side::User, &[since, last], None),
            Err(unseen) => {
                let mut judgement =
                    self.clone_finish(Outcome::Undetermined, Side::CannotTell, &[last]);
                judgement.unseen.push(unseen);
                judgement
            }
        }
    }

    /// The longest time between two polls.
    fn interval(&self, since: usize, last: usize) -> Duration {
        let polls: Vec<(Timestamp, Option<i64>)> = self
            .members
            .iter()
            .skip(since)
            .take(last.saturating_sub(since).saturating_add(1))
            .filter(|one| matches!(one.kind, StepKind::MfaPoll | StepKind::MfaBegin))
            .filter_map(|one| Some((one.started?, one.ahead)))
            .collect();
        polls
            .iter()
            .zip(polls.iter().skip(1))
            .map(|(one, next)| clock::between(*one, *next))
            .max()
            .unwrap_or(Duration::from_secs(1))
    }

    /// Whether the client went on to something else, or is seen for `length` after this step without
    /// a next one.
    fn silence(
        &self,
        evidence: &Evidence,
        after: usize,
        length: Duration,
    ) -> Result<Option<CoverageProof>, Unseen> {
        let Some(one) = self.members.get(after) else { return Err(Unseen::Timeless) };
        let Some(at) = one.ended.or(one.started) else { return Err(Unseen::Timeless) };
        if dark::is_asked(evidence, one.input, at, at.plus(length)) {
            return Err(Unseen::Encrypted);
        }
        if dark::is_torn(evidence, one.input, at) {
            return Err(Unseen::RecordsLost);
        }
        if navigates_away(evidence, one, at).is_some() {
            return Ok(None);
        }
        match evidence.coverage.absent(one.input, at, length) {
            // A proxy goes on recording when the program that signs in is gone.
            Absence::Proven(_) if !is_client_seen(evidence, one.id, at.plus(length)) => {
                Err(Unseen::NotShown)
            }
            Absence::Proven(proof) => Ok(Some(proof)),
            Absence::Present => Ok(None),
            Absence::Unknown(unseen) => Err(unseen),
        }
    }
}

/// Whether the program that made a request is seen at or after a time; where programs are not named,
/// all are one.
pub(super) fn is_client_seen(evidence: &Evidence, id: ExchangeId, from: Timestamp) -> bool {
    let Some(one) = evidence.exchange(id).filter(|one| one.process.is_some()) else { return true };
    evidence.exchanges.iter().rev().any(|other| {
        other.at.input == one.at.input
            && other.process == one.process
            && other.ended().or(other.started()).is_some_and(|at| at >= from)
    })
}

/// When the same client opens another page after this step: another sign-in, or a document of a host
/// that has no part in signing in.
fn navigates_away(evidence: &Evidence, from: &Sighting, at: Timestamp) -> Option<Timestamp> {
    // Exchanges are in order of time, those without one at their place in their input.
    let first = evidence
        .exchanges
        .partition_point(|exchange| exchange.started().is_none_or(|start| start <= at));
    evidence
        .exchanges
        .get(first..)?
        .iter()
        .filter(|exchange| exchange.at.input == from.input)
        .take(LOOK_AHEAD)
        .find(|exchange| is_navigation(exchange, from))
        .and_then(Exchange::started)
}

/// Whether an exchange is a page of a host that has no part in signing in, opened in place of the
/// sign-in's own.
fn is_navigation(exchange: &Exchange, from: &Sighting) -> bool {
    let role = hosts::host(exchange.host().as_str()).map(|row| row.role);
    let part = matches!(
        role,
        Some(
            HostRole::SigninCdn
                | HostRole::Telemetry
                | HostRole::CrlOcsp
                | HostRole::ConnectivityCheck
                | HostRole::Msa
                | HostRole::MfaPush
        )
    );
    if part || exchange.response.is_err() || exchange.host() == &from.host {
        return false;
    }
    // A proxy sees all programs; of one of them it cannot tell the tabs apart.
    if from.process.is_some() && exchange.process != from.process {
        return false;
    }
    let header = |name| super::expose::header(&exchange.request.headers, name);
    if let Some(asked) = header("sec-fetch-dest") {
        return asked == "document";
    }
    if let Some(accepted) = header("accept") {
        // A navigation asks for HTML first.
        return accepted.trim_start().starts_with("text/html");
    }
    let html = exchange.response.as_ref().ok().is_some_and(|response| {
        super::expose::header(&response.headers, "content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("text/html"))
    });
    html && exchange.request.method.as_ref() == "GET"
        && exchange.page.is_some()
        && exchange.page != from.page_number
}

/// Whether a product on the path answers TLS for this host.
fn is_intercepted(evidence: &Evidence, host: &HostName) -> bool {
    evidence.connections.iter().any(|connection| {
        connection.server_name.as_ref() == Some(host) && super::interceptor(connection).is_some()
    })
}
