//! Tells how an attempt ended: the state machine over its steps.
//!
//! An error code is one event among others. The challenge (an MFA page, or a code that asks for MFA)
//! is a question; what became of it is read from what follows, and from what does not follow in a
//! stretch of time that the capture is known to have recorded.
//!
//! Invariants: a later event overrides an earlier one; a failure that later traffic of the same step
//! overcame is no failure; nothing is concluded from silence without a proof that the time was recorded.

use std::time::Duration;

use super::correlate::Group;
use super::sighting::{Grant, Sighting};
use super::{Blockage, Carrier, FailureKind, Flow, MfaState, Outcome, Side};
use crate::entra::{
    self, ErrorCategory, HostRole, MethodShape, Nature, PolicyNumber, ResultClass, StepKind, hosts,
};
use crate::evidence::{Evidence, EvidenceRef, HostName, Unseen};

/// How long a page that polls does so, when it does not say.
const POLL_WINDOW: Duration = Duration::from_mins(2);

/// What the state machine found.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub outcome: Outcome,
    pub side: Side,
    pub mfa: MfaState,
    pub blockage: Option<Blockage>,
    pub decided_by: Vec<EvidenceRef>,
    pub result_value: Option<String>,
    pub deciding_code: Option<u32>,
    pub policy_page: Option<PolicyNumber>,
    pub methods: Vec<String>,
    pub unseen: Vec<Unseen>,
    pub doubts: Vec<&'static str>,
    pub note: Option<&'static str>,
}

/// A code with many uses; after a hand-off it says that the provider's token was not taken.
const REFUSED_ASSERTION: u32 = 50_012;

/// Failed requests remembered of one attempt.
const OBSTACLES: usize = 256;

/// What the attempt waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For the user's code, whose end cannot be seen before it is sent.
    Code { since: usize },
    /// For the return of an external provider or of a passkey page.
    Elsewhere { since: usize },
    /// For the end of MFA at the service, after the method was passed.
    Finish { since: usize },
    /// For nothing.
    Nothing,
    /// For the user to begin, at the MFA page.
    Page { since: usize },
    /// For the result of a method.
    Poll { since: usize, last: usize },
}

/// What the attempt has come to so far.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) outcome: Outcome,
    pub(super) side: Side,
    pub(super) at: usize,
    pub(super) code: Option<u32>,
    /// Stands only if nothing else comes.
    pub(super) weak: bool,
}

/// A failed request that the sign-in needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obstacle {
    pub(super) at: usize,
    pub(super) class: Class,
}

/// What a failed request was needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The application, after the sign-in.
    Application,
    /// The device certificate.
    Device,
    /// The identity provider.
    Federation,
    /// Registration of methods.
    Registration,
    /// The page's script.
    Script,
    /// A step at the sign-in service.
    Service,
}

/// What is known of an attempt while its steps are walked through.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one attempt")]
pub(super) struct Walk<'a> {
    pub(super) members: &'a [Sighting],
    pub(super) flow: Flow,
    pub(super) mfa: MfaState,
    pub(super) challenged: bool,
    pub(super) waiting: Waiting,
    pub(super) candidate: Option<Candidate>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) completed: Option<usize>,
    pub(super) methods: Vec<String>,
    pub(super) has_methods: Option<bool>,
    pub(super) window: Duration,
    pub(super) result_value: Option<String>,
    pub(super) policy_page: Option<PolicyNumber>,
    pub(super) left: Option<usize>,
    pub(super) lost: bool,
    pub(super) note: Option<&'static str>,
    pub(super) script_seen: bool,
    pub(super) script_report: Option<usize>,
    /// The page that is open has shown its script to run.
    pub(super) script_runs: bool,
    /// An external provider sent the user back with an error.
    pub(super) sent_back: Option<usize>,
    pub(super) client_setting: Option<usize>,
    pub(super) body_missing: Option<usize>,
    pub(super) doubts: Vec<&'static str>,
}

/// Judges one group.
pub(super) fn judge(group: &Group, evidence: &Evidence) -> Judgement {
    let flow = group.flow.unwrap_or(Flow::Unknown);
    let mut walk = Walk {
        members: &group.members,
        flow,
        mfa: MfaState::NotAsked,
        challenged: false,
        waiting: Waiting::Nothing,
        candidate: None,
        obstacles: Vec::new(),
        completed: None,
        methods: Vec::new(),
        has_methods: None,
        window: POLL_WINDOW,
        result_value: None,
        policy_page: None,
        left: None,
        lost: false,
        note: None,
        script_seen: false,
        script_report: None,
        script_runs: false,
        sent_back: None,
        client_setting: None,
        body_missing: None,
        doubts: Vec::new(),
    };
    for (index, one) in group.members.iter().enumerate() {
        walk.step(index, one);
    }
    walk.conclude(evidence)
}

impl Walk<'_> {
    fn step(&mut self, index: usize, one: &Sighting) {
        if one.script_report {
            self.script_report = Some(index);
        }
        if one.client_setting {
            self.client_setting = Some(index);
        }
        if one.kind == StepKind::Telemetry {
            return;
        }
        if !one.answered || one.failure.is_some() {
            self.implied(one);
        }
        if one.failure.is_some() {
            self.failed(index, one);
            return;
        }
        if one.cancelled {
            let asked = matches!(one.kind, StepKind::MfaPoll | StepKind::MfaBegin);
            if asked && matches!(self.waiting, Waiting::Poll { .. }) {
                self.left = Some(index);
            }
            return;
        }
        if !one.answered {
            self.handed_on(index, one);
            return;
        }
        self.overcome(index, one);
        if one.role == Some(HostRole::SigninCdn) {
            self.script_seen |= one.is_script;
            return;
        }
        self.script_runs |= is_by_script(one.kind);
        if rank(one.kind) > rank(StepKind::Authorize) {
            // The page's script lives: it made this request.
            self.script_report = None;
        }
        if one.body_missing {
            self.body_missing = Some(index);
        } else if is_progress(one.kind) {
            self.body_missing = None;
        }
        self.page(index, one);
        self.sas(index, one);
        self.codes(index, one);
        self.elsewhere(index, one);
        self.provider(index, one);
        self.granted(index, one);
    }

    /// What a request without an answer shows by itself: only a page that asks for MFA makes these.
    fn implied(&mut self, one: &Sighting) {
        if matches!(
            one.kind,
            StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaFinish | StepKind::MfaPoll
        ) {
            self.challenge();
            if one.kind != StepKind::MfaBegin && self.mfa == MfaState::Asked {
                self.mfa = MfaState::Begun;
            }
        }
    }

    fn failed(&mut self, index: usize, one: &Sighting) {
        let Some(failure) = one.failure else { return };
        if let FailureKind::Service { .. } = failure.kind
            && one.role != Some(HostRole::SigninCdn)
        {
            if is_progress(one.kind) {
                self.set(index, Outcome::MfaServiceFailed, Side::Service, None);
            }
            return;
        }
        if is_by_script(one.kind) {
            // Even a request that fails shows that the page's script runs.
            self.script_runs(one);
        }
        let class = match one.role {
            _ if one.kind == StepKind::Passkey && !self.may_use_passkey() => return,
            Some(HostRole::Federation) if !self.was_sent_to(one) => return,
            Some(HostRole::Sts | HostRole::StsAlias) if self.is_needed(one) => Class::Service,
            Some(HostRole::SigninCdn) if one.is_script => Class::Script,
            // A certificate asked for as second factor is a step like any other.
            Some(HostRole::DeviceCert) if one.kind == StepKind::UserCertificate => Class::Service,
            Some(HostRole::DeviceCert) => Class::Device,
            Some(HostRole::MfaRegistration) if one.is_main => Class::Registration,
            Some(HostRole::Federation) if one.is_main => Class::Federation,
            None if one.kind == StepKind::FederationRedirect => Class::Federation,
            // A program with name and password asks the federation server itself.
            None | Some(HostRole::Federation) if one.kind == StepKind::Token => Class::Federation,
            Some(HostRole::Msa)
                if one.kind == StepKind::FederationRedirect && one.is_main
                    || one.is_tunnel && self.is_personal() =>
            {
                Class::Federation
            }
            None | Some(HostRole::Resource | HostRole::Graph)
                // A program that listens on the computer closes as soon as it has its answer.
                if one.kind == StepKind::AppReturn && !is_loopback(&one.host) =>
            {
                Class::Application
            }
            None if one.kind == StepKind::ExternalMethod => Class::Federation,
            _ => return,
        };
        if one.kind == StepKind::ExternalMethod && self.challenged {
            self.mfa = MfaState::Begun;
        }
        if class == Class::Script && self.script_runs && one.is_tunnel && self.failed_before(one) {
            // The page has its script from another root, and this one is tried still.
            return;
        }
        if class == Class::Application {
            self.handed_on(index, one);
        }
        if self.obstacles.len() < OBSTACLES {
            self.obstacles.push(Obstacle { at: index, class });
        }
    }

    /// Whether a tunnel to the same host failed before.
    fn failed_before(&self, one: &Sighting) -> bool {
        self.members
            .iter()
            .take_while(|member| member.id != one.id)
            .any(|member| member.is_tunnel && member.failure.is_some() && member.host == one.host)
    }

    /// What the service handed out is on its way, whether or not the application takes it.
    fn handed_on(&mut self, index: usize, one: &Sighting) {
        if one.kind == StepKind::AppReturn && one.grant == Grant::Arrived {
            self.granted(index, one);
        }
    }

    /// Whether the user can have chosen a passkey: the challenge is open, or nothing decided yet. A page
    /// need not name the passkey among its methods.
    fn may_use_passkey(&self) -> bool {
        !matches!(self.waiting, Waiting::Nothing) || self.candidate.is_none()
    }

    /// Whether the sign-in has anything to do with this identity provider: a step before sent the user
    /// there, or what it said is not known.
    fn was_sent_to(&self, one: &Sighting) -> bool {
        let mut before =
            self.members.iter().take_while(|member| member.id != one.id).filter(|member| {
                matches!(member.role, Some(HostRole::Sts | HostRole::StsAlias)) && member.answered
            });
        let mut any = false;
        let sent = before.any(|member| {
            any = true;
            member.body_missing
                || [&member.next_host, &member.federation_host, &member.external_host]
                    .into_iter()
                    .any(|host| host.as_ref() == Some(&one.host))
        });
        // The page hands the user to an external provider, whose method has no known name.
        let external = !matches!(self.waiting, Waiting::Nothing)
            && self.methods.iter().any(|method| entra::method(method).is_none());
        sent || !any || external || one.kind == StepKind::ExternalMethod
    }

    /// Whether the service said that the user has a personal account, so that the sign-in goes on there.
    fn is_personal(&self) -> bool {
        self.members.iter().any(|member| {
            member.federation_host.as_ref().is_some_and(|host| {
                hosts::host(host.as_str()).is_some_and(|row| row.role == HostRole::Msa)
            })
        })
    }

    /// A page whose script runs has got it from somewhere.
    fn script_runs(&mut self, one: &Sighting) {
        let members = self.members;
        self.obstacles.retain(|obstacle| {
            obstacle.class != Class::Script
                || members.get(obstacle.at).is_some_and(|failed| one.started < failed.ended)
        });
    }

    /// Whether a request that failed was one the sign-in could not do without.
    fn is_needed(&self, one: &Sighting) -> bool {
        if !hosts::is_sign_in_service(one.host.as_str()) {
            return false;
        }
        if !one.is_tunnel {
            return rank(one.kind) > 0 || one.kind == StepKind::Discovery || one.file.is_empty();
        }
        // The host of the passkey page, while the user may choose one.
        if self.challenged && hosts::has_passkey_page(one.host.as_str()) {
            return matches!(self.waiting, Waiting::Page { .. } | Waiting::Elsewhere { .. });
        }
        // A tunnel hides what it was for: it counts when the sign-in uses this host, or no other.
        let others = self.members.iter().filter(|member| {
            !member.is_tunnel && matches!(member.role, Some(HostRole::Sts | HostRole::StsAlias))
        });
        let mut any = false;
        for member in others {
            any = true;
            if member.host == one.host || member.next_host.as_ref() == Some(&one.host) {
                return true;
            }
        }
        !any
    }

    /// Takes away the failures that this answer shows to be overcome.
    fn overcome(&mut self, index: usize, one: &Sighting) {
        let members = self.members;
        self.obstacles.retain(|obstacle| {
            let Some(failed) = members.get(obstacle.at) else { return false };
            let same_host = failed.host == one.host;
            match obstacle.class {
                Class::Script => {
                    // Any root that the page takes scripts from may serve the same file; which one a
                    // tunnel was for is not known.
                    let later = one.started >= failed.started;
                    let same_file = one.is_script
                        && (one.file == failed.file || failed.is_tunnel && later && !one.is_tunnel);
                    let over = if failed.is_tunnel { failed.started } else { failed.ended };
                    !(same_file || is_by_script(one.kind) && one.started >= over)
                }
                Class::Service => {
                    let at_service = matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias));
                    let further = rank(one.kind) >= rank(failed.kind) && rank(one.kind) > 0;
                    let later = one.started >= failed.started;
                    !(at_service && later && (further || failed.is_tunnel && same_host))
                }
                Class::Federation => {
                    let back = matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
                        && rank(one.kind) >= rank(StepKind::FederationReturn);
                    let through = one.is_main || one.kind == StepKind::Token;
                    !((same_host && through || back) && index > obstacle.at)
                }
                Class::Device | Class::Registration | Class::Application => {
                    !(same_host && index > obstacle.at)
                }
            }
        });
    }

    fn set(&mut self, at: usize, outcome: Outcome, side: Side, code: Option<u32>) {
        self.candidate = Some(Candidate { outcome, side, at, code, weak: false });
    }

    fn challenge(&mut self) {
        self.challenged = true;
        if matches!(self.mfa, MfaState::NotAsked | MfaState::Unknown) {
            self.mfa = MfaState::Asked;
        }
    }

    fn page(&mut self, index: usize, one: &Sighting) {
        let Some(page) = &one.page else { return };
        self.script_runs = false;
        let kind = page.id.as_deref().and_then(entra::page).map(|row| row.step);
        let offers = page.methods.as_ref().is_some_and(|methods| !methods.is_empty());
        if let Some(number) = PolicyNumber::of_page(page.title, page.description) {
            self.policy_page = Some(number);
        }
        if page.token_binding {
            self.note = Some("the page names token protection as the reason");
        } else if page.knows_device == Some(false) && kind == Some(StepKind::PolicyPage) {
            self.note = Some("the page knows no device, so no device claim reached the service");
        } else if page.skippable && kind == Some(StepKind::Registration) {
            self.note = Some("the page let the user skip the registration for now");
        }
        match kind {
            Some(StepKind::MfaPage) => self.mfa_page(index, one),
            None if offers => self.mfa_page(index, one),
            Some(StepKind::Registration) => {
                self.challenge();
                self.set(index, Outcome::RegistrationRequired, Side::User, page.code);
                self.waiting = Waiting::Nothing;
            }
            Some(StepKind::KeepSignedIn | StepKind::Consent) => {
                self.authenticated(index, kind == Some(StepKind::KeepSignedIn));
            }
            Some(StepKind::PolicyPage) => {
                self.set(index, Outcome::BlockedByPolicy, Side::Policy, page.code);
                self.waiting = Waiting::Nothing;
            }
            Some(StepKind::ErrorPage) if page.code.is_none() && page.text.codes.is_empty() => {
                self.set(index, Outcome::OtherError, Side::CannotTell, None);
                self.waiting = Waiting::Nothing;
            }
            _ => {}
        }
    }

    fn mfa_page(&mut self, index: usize, one: &Sighting) {
        self.challenge();
        if let Waiting::Finish { .. } = self.waiting {
            // The result was handed over and the challenge posed again.
            self.doubts
                .push("the service forgot the challenge just passed: cookies or another tab");
            self.mfa = MfaState::Failed;
            self.lost = true;
        }
        self.candidate = None;
        self.completed = None;
        self.waiting = Waiting::Page { since: index };
        self.left = None;
        if let Some(page) = one.page.as_ref().filter(|page| page.is_config) {
            self.has_methods = Some(page.methods.as_ref().is_some_and(|m| !m.is_empty()));
            self.methods = page.methods.clone().unwrap_or_default();
            if let Some(milliseconds) = page.polling_timeout.filter(|ms| *ms >= 1_000) {
                self.window = Duration::from_millis(milliseconds.min(3_600_000));
            }
        }
    }

    /// Past the first factor and past MFA, if that was asked for.
    fn authenticated(&mut self, index: usize, done: bool) {
        if self.challenged {
            self.mfa = MfaState::Passed;
        }
        self.waiting = Waiting::Nothing;
        self.candidate = None;
        if done {
            self.completed = Some(index);
        }
    }

    fn sas(&mut self, index: usize, one: &Sighting) {
        if let Some(state) = one.authorization_state {
            match state {
                0 => {}
                1 => self.set(index, Outcome::MfaDenied, Side::User, None),
                _ => self.candidate = None,
            }
            return;
        }
        match one.kind {
            StepKind::MfaBegin => {
                self.challenge();
                self.left = None;
                match &one.sas {
                    Some(answer) if !answer.success => self.result(index, one),
                    _ => self.begun(index, one),
                }
            }
            StepKind::MfaPoll | StepKind::MfaCode => {
                self.challenge();
                match &one.sas {
                    Some(answer) if answer.success => {
                        let begun = matches!(
                            self.waiting,
                            Waiting::Poll { .. } | Waiting::Code { .. } | Waiting::Elsewhere { .. }
                        );
                        // The older form begins and polls at one address.
                        let begins = one.file.eq_ignore_ascii_case("StrongAuthCheck.srf") && !begun;
                        if begins {
                            self.begun(index, one);
                        } else {
                            self.candidate = None;
                            self.waiting = Waiting::Finish { since: index };
                            self.mfa = MfaState::Passed;
                        }
                        self.result_value.clone_from(&answer.value);
                    }
                    Some(_) => self.result(index, one),
                    None => self.poll(index),
                }
            }
            StepKind::MfaFinish if self.is_finished_by(one) => {
                self.mfa = MfaState::Passed;
                self.waiting = Waiting::Nothing;
                self.candidate = None;
            }
            _ => {}
        }
    }

    /// Whether the answer to the hand-over shows that the service took the result.
    fn is_finished_by(&self, one: &Sighting) -> bool {
        let moved_on = matches!(self.waiting, Waiting::Finish { .. }) || one.next_host.is_some();
        one.grant != Grant::None || one.page.is_none() && moved_on
    }

    fn begun(&mut self, index: usize, one: &Sighting) {
        self.mfa = MfaState::Begun;
        self.lost = false;
        self.candidate = None;
        let method = one.sas.as_ref().and_then(|answer| answer.method.as_deref());
        let shape = method.and_then(entra::method).map(|row| row.shape);
        self.waiting = match shape {
            Some(MethodShape::Typed) => Waiting::Code { since: index },
            Some(MethodShape::Leaves) => Waiting::Elsewhere { since: index },
            _ => Waiting::Poll { since: index, last: index },
        };
        if let Some(answer) = &one.sas {
            self.result_value.clone_from(&answer.value);
        }
    }

    fn poll(&mut self, index: usize) {
        self.mfa = MfaState::Begun;
        self.left = None;
        self.candidate = None;
        self.waiting = match self.waiting {
            Waiting::Poll { since, .. } => Waiting::Poll { since, last: index },
            _ => Waiting::Poll { since: index, last: index },
        };
    }

    fn result(&mut self, index: usize, one: &Sighting) {
        let Some(answer) = &one.sas else { return };
        self.result_value.clone_from(&answer.value);
        let row = answer.value.as_deref().and_then(entra::result);
        let pending = row.is_some_and(|row| row.class == ResultClass::Pending)
            || row.is_none() && answer.retry == Some(true);
        if pending {
            self.poll(index);
            return;
        }
        self.mfa = row.map_or(MfaState::Failed, |row| row.mfa_state);
        self.waiting = Waiting::Nothing;
        let decided = row.and_then(|row| Some((row.outcome?, row.side?)));
        let by_code = answer
            .code
            .and_then(entra::error)
            .filter(|row| row.is_verified())
            .and_then(|row| Some((row.outcome?, row.side?)));
        let (outcome, side) =
            decided.or(by_code).unwrap_or((Outcome::Undetermined, Side::CannotTell));
        if decided.is_none() {
            self.doubts.push("the result value is not one that is known");
        }
        self.set(index, outcome, side, None);
    }

    fn codes(&mut self, index: usize, one: &Sighting) {
        for found in &one.codes {
            if matches!(found.carrier, Carrier::Telemetry | Carrier::SasJson) {
                continue;
            }
            self.code(index, found.code, found.carrier);
        }
        let unnamed = one
            .codes
            .iter()
            .all(|found| found.carrier == Carrier::Telemetry || entra::error(found.code).is_none());
        if let Some(error) = one.oauth_error.as_deref().filter(|_| unnamed) {
            self.oauth_error(index, one, error);
        }
    }

    fn oauth_error(&mut self, index: usize, one: &Sighting, error: &str) {
        match error {
            "authorization_pending" | "slow_down" => {}
            "interaction_required" => {
                self.challenge_for(error);
                self.set(index, Outcome::InteractionRequired, Side::Application, None);
            }
            "authorization_declined" => self.set(index, Outcome::OtherError, Side::User, None),
            _ if one.kind == StepKind::Resource => {}
            _ => self.set(index, Outcome::OtherError, Side::Application, None),
        }
    }

    fn challenge_for(&mut self, error: &str) {
        if error == "interaction_required" && self.mfa == MfaState::NotAsked {
            self.mfa = MfaState::Unknown;
        }
    }

    fn code(&mut self, index: usize, code: u32, carrier: Carrier) {
        let on_page = carrier == Carrier::Page;
        let Some(row) = entra::error(code) else {
            self.set(index, Outcome::OtherError, Side::CannotTell, Some(code));
            self.doubts.push("the code is not one that is known");
            return;
        };
        match row.nature {
            Nature::Challenge | Nature::Registration => {
                let asks_mfa = row.mfa_related;
                if asks_mfa {
                    self.challenge();
                }
                if !on_page || self.flow.is_without_prompt() {
                    if carrier == Carrier::ClaimsChallenge {
                        return;
                    }
                    self.waiting = Waiting::Nothing;
                    self.set(index, Outcome::InteractionRequired, Side::Application, Some(code));
                } else if row.nature == Nature::Registration {
                    self.waiting = Waiting::Nothing;
                    self.set(index, Outcome::RegistrationRequired, Side::User, Some(code));
                }
            }
            Nature::Interrupt => {
                let alone = self.candidate.is_none();
                if !alone {
                    return;
                }
                let outcome = if on_page {
                    match row.outcome {
                        Some(outcome) => (outcome, row.effective_side()),
                        None => return,
                    }
                } else if code == 70_016 {
                    return;
                } else if let Some(outcome) = row.outcome {
                    (outcome, row.effective_side())
                } else {
                    // No session was found, without a word of MFA.
                    (Outcome::OtherError, Side::Application)
                };
                self.candidate = Some(Candidate {
                    outcome: outcome.0,
                    side: outcome.1,
                    at: index,
                    code: Some(code),
                    weak: on_page,
                });
            }
            Nature::MfaFailed => {
                let told = self
                    .candidate
                    .as_ref()
                    .is_some_and(|known| known.code.is_none() && self.mfa == MfaState::Failed);
                self.challenge();
                self.mfa = MfaState::Failed;
                self.waiting = Waiting::Nothing;
                if !told {
                    let outcome = row.effective_outcome();
                    self.set(index, outcome, row.effective_side(), Some(code));
                }
            }
            Nature::Failure => {
                let (outcome, side) = if row.is_verified() {
                    (row.effective_outcome(), row.effective_side())
                } else if self.is_policy_page(index, row.category) {
                    // The page it stands on says what the number alone does not.
                    (Outcome::BlockedByPolicy, Side::Policy)
                } else {
                    (Outcome::OtherError, row.category.side())
                };
                if let Waiting::Finish { .. } = self.waiting {
                    // The method was passed; whether that counted depends on who refused then.
                    let lost = matches!(
                        outcome,
                        Outcome::MfaAbandoned
                            | Outcome::MfaServiceFailed
                            | Outcome::PreventedByClient
                    );
                    self.mfa = if lost { MfaState::Failed } else { MfaState::Passed };
                }
                let away = matches!(self.waiting, Waiting::Elsewhere { .. });
                let side = if away && code == REFUSED_ASSERTION { Side::Application } else { side };
                if away && (row.mfa_related || code == REFUSED_ASSERTION) {
                    // What the provider sent back was not taken.
                    self.mfa = MfaState::Failed;
                }
                self.waiting = Waiting::Nothing;
                self.completed = None;
                self.set(index, outcome, side, Some(code));
            }
        }
    }

    /// Whether a code of Conditional Access stands on the page that Conditional Access shows.
    fn is_policy_page(&self, index: usize, category: ErrorCategory) -> bool {
        category == ErrorCategory::ConditionalAccess
            && self
                .candidate
                .as_ref()
                .is_some_and(|known| known.at == index && known.outcome == Outcome::BlockedByPolicy)
    }

    fn elsewhere(&mut self, index: usize, one: &Sighting) {
        let at_service = matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias));
        match one.kind {
            StepKind::ExternalMethod
                if !at_service || hosts::has_passkey_page(one.host.as_str()) =>
            {
                self.away(index);
            }
            StepKind::Passkey => self.away(index),
            // Known providers of MFA are known as identity providers too.
            StepKind::FederationRedirect if matches!(self.waiting, Waiting::Page { .. }) => {
                self.away(index);
            }
            StepKind::Registration
                if self.completed.is_none()
                    && self.candidate.is_none()
                    && (self.body_missing.is_some() || self.challenged) =>
            {
                // The page that sent the user there is not in the capture, or had no settings.
                self.body_missing = None;
                self.challenge();
                self.waiting = Waiting::Nothing;
                self.set(index, Outcome::RegistrationRequired, Side::User, None);
                self.doubts.push("the page that sent the user to register is not in the capture");
            }
            _ if one.external_host.is_some() && !matches!(self.waiting, Waiting::Page { .. }) => {
                self.challenge();
                self.away(index);
            }
            StepKind::ExternalMethod | StepKind::Continue | StepKind::FederationReturn
                if one.page.is_none()
                    && matches!(
                        self.waiting,
                        Waiting::Elsewhere { .. } | Waiting::Finish { .. }
                    ) =>
            {
                self.waiting = Waiting::Nothing;
            }
            _ => {}
        }
    }

    /// An external provider sent the user back with an error in place of a token. What the service makes of
    /// it is at most that the challenge failed.
    fn provider(&mut self, index: usize, one: &Sighting) {
        let Some(error) = one.provider_error.as_deref() else { return };
        let told = self.candidate.as_ref().is_some_and(|known| {
            known.at == index && !known.weak && known.outcome != Outcome::Undetermined
        });
        if told {
            return;
        }
        let code = self.candidate.as_ref().filter(|known| known.at == index).and_then(|c| c.code);
        let (outcome, side) = match error {
            // RFC 6749 section 4.1.2.1: the user or the provider refused.
            "access_denied" => (Outcome::MfaDenied, Side::User),
            "server_error" | "temporarily_unavailable" => (Outcome::OtherError, Side::Service),
            _ => (Outcome::OtherError, Side::Application),
        };
        self.challenge();
        self.mfa = MfaState::Failed;
        self.waiting = Waiting::Nothing;
        self.set(index, outcome, side, code);
        self.sent_back = Some(index);
    }

    fn away(&mut self, index: usize) {
        if self.challenged {
            self.mfa = MfaState::Begun;
        }
        self.candidate = None;
        if !matches!(self.waiting, Waiting::Elsewhere { .. }) {
            self.waiting = Waiting::Elsewhere { since: index };
        }
    }

    fn granted(&mut self, index: usize, one: &Sighting) {
        if one.grant == Grant::None {
            return;
        }
        let failed = self.candidate.as_ref().is_some_and(|known| known.at == index && !known.weak);
        if failed {
            return;
        }
        self.authenticated(index, true);
        self.obstacles.retain(|obstacle| obstacle.class == Class::Application);
    }
}

/// Whether a host is the computer itself.
fn is_loopback(host: &HostName) -> bool {
    let host = host.as_str().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether only the script of a page makes this request.
const fn is_by_script(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::CredentialType
            | StepKind::KeepSignedIn
            | StepKind::MfaBegin
            | StepKind::MfaCode
            | StepKind::MfaFinish
            | StepKind::MfaPoll
            | StepKind::Password
            | StepKind::PhoneSignIn
    )
}

/// Whether an answer to this step moves the sign-in on.
fn is_progress(kind: StepKind) -> bool {
    rank(kind) > 0
}

/// The order of the steps at the service; 0 is a step of no order.
pub(super) const fn rank(kind: StepKind) -> u8 {
    match kind {
        StepKind::Authorize | StepKind::DeviceCode => 1,
        StepKind::CredentialType | StepKind::HomeRealm | StepKind::AccountChoice => 2,
        StepKind::Password
        | StepKind::PhoneSignIn
        | StepKind::FederationReturn
        | StepKind::UserCertificate => 3,
        StepKind::Continue | StepKind::DeviceCertificate => 4,
        StepKind::MfaBegin | StepKind::Passkey | StepKind::ExternalMethod => 5,
        StepKind::MfaPoll | StepKind::MfaCode => 6,
        StepKind::MfaFinish => 7,
        StepKind::KeepSignedIn | StepKind::Consent => 8,
        StepKind::Token => 9,
        _ => 0,
    }
}
