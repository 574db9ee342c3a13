//! What must follow the MFA page in the flow of the method, and what of it is in the capture.
//!
//! Beside it stands where the service sends a client for more: the host that asks for the certificate of
//! the device, the page of registration.
//!
//! The page needs its script; the script begins the method; a method that is answered elsewhere is
//! polled, one that is typed sends a code, one that leaves the page comes back; in the end the result
//! is handed over. Each is seen, failed, proven absent, not due, or not known. It must not know what
//! an attempt came to otherwise, and it blames nobody.
//!
//! Invariant: absence is claimed only with a [`CoverageProof`]; what a browser may have had in its
//! cache is never called absent.

use std::time::Duration;

use super::conclude::is_client_seen;
use super::dark;
use super::sighting::{Grant, Sighting};
use crate::entra::{self, HostRole, MethodShape, ResultClass, StepKind, hosts};
use crate::evidence::{Absence, CoverageProof, Evidence, EvidenceRef, HostName, Unseen};

/// How long the client must be seen without the next request.
const SILENCE: Duration = Duration::from_secs(30);

/// A kind of request that the MFA page brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficKind {
    /// The script of the page.
    Script,
    /// The call that begins a method (`SAS/BeginAuth`).
    Begin,
    /// The way to a page elsewhere: a passkey page, an external provider, a certificate host.
    Leave,
    /// The call with the typed code (`SAS/EndAuth` as a post).
    Code,
    /// The request to the host that asks for the certificate of the device.
    Device,
    /// The question for the result (`SAS/EndAuth`).
    Poll,
    /// The page where a method is registered.
    Registration,
    /// The way back from elsewhere.
    Return,
    /// The hand-over of the result (`SAS/ProcessAuth`).
    Finish,
}

impl TrafficKind {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Code => "code",
            Self::Device => "device",
            Self::Finish => "finish",
            Self::Leave => "leave",
            Self::Poll => "poll",
            Self::Registration => "registration",
            Self::Return => "return",
            Self::Script => "script",
        }
    }

    /// Whether it belongs to the chain behind the MFA page.
    pub const fn is_of_challenge(self) -> bool {
        !matches!(self, Self::Device | Self::Registration)
    }

    /// What it is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Begin => "the call that begins the method (SAS/BeginAuth)",
            Self::Code => "the call with the user's code (SAS/EndAuth)",
            Self::Device => "the request to the host that asks for the device's certificate",
            Self::Finish => "the hand-over of the result (SAS/ProcessAuth)",
            Self::Leave => "the way to the passkey page, certificate host or external provider",
            Self::Poll => "the polls for the result (SAS/EndAuth)",
            Self::Registration => "the page where a method is registered",
            Self::Return => "the way back to the sign-in service",
            Self::Script => "the script of the page",
        }
    }
}

/// What the capture has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// It did not come, and the capture would have shown it.
    Absent(CoverageProof),
    /// It was tried and failed.
    Failed,
    /// An earlier request of the chain is missing or ended it, so it could not come.
    NotDue,
    /// It is there.
    Seen,
    /// The capture cannot tell.
    Unknown(Unseen),
}

impl Traffic {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent(_) => "absent",
            Self::Failed => "failed",
            Self::NotDue => "not_due",
            Self::Seen => "seen",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// One kind of request that must follow, and what became of it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Which.
    pub kind: TrafficKind,
    /// What the capture has of it.
    pub traffic: Traffic,
    /// The host that was asked, or would have been.
    pub host: Option<HostName>,
    /// Where it stands; for what is missing, where it should have followed.
    pub refs: Vec<EvidenceRef>,
}

/// What had to follow the last MFA page of an attempt, and where the service sent the client besides.
pub(super) fn expected(members: &[Sighting], evidence: &Evidence) -> Vec<Expected> {
    let mut all: Vec<Expected> = sent_to_device(members, evidence).into_iter().collect();
    all.extend(of_challenge(members, evidence));
    all.extend(sent_to_register(members, evidence));
    all
}

/// The request for the device's certificate, where the service sent the client for it.
fn sent_to_device(members: &[Sighting], evidence: &Evidence) -> Option<Expected> {
    let is_device = |host: &HostName| {
        hosts::host(host.as_str()).is_some_and(|row| row.role == HostRole::DeviceCert)
    };
    let at = members.iter().rposition(|one| one.next_host.as_ref().is_some_and(is_device))?;
    let (anchor, after) = split(members, at)?;
    let host = anchor.next_host.clone();
    let asked = |one: &Sighting| one.role == Some(HostRole::DeviceCert) && !is_open_tunnel(one);
    Some(Expected { host, ..of(TrafficKind::Device, asked, anchor, after, evidence) })
}

/// The page of registration, where the service wanted a method registered and the user did not pass that.
fn sent_to_register(members: &[Sighting], evidence: &Evidence) -> Option<Expected> {
    let is_page = |one: &Sighting| {
        let id = one.page.as_ref().and_then(|page| page.id.as_deref());
        id.and_then(entra::page).is_some_and(|row| row.step == StepKind::Registration)
    };
    let at = members.iter().rposition(is_page)?;
    let (anchor, after) = split(members, at)?;
    let asked = |one: &Sighting| {
        one.role == Some(HostRole::MfaRegistration) && one.is_main && !is_open_tunnel(one)
    };
    let passed = after.iter().any(|one| one.grant != Grant::None);
    if passed && !after.iter().any(asked) {
        return None;
    }
    Some(of(TrafficKind::Registration, asked, anchor, after, evidence))
}

fn split(members: &[Sighting], at: usize) -> Option<(&Sighting, &[Sighting])> {
    Some((members.get(at)?, members.get(at.saturating_add(1)..)?))
}

/// A tunnel that was opened and says nothing of what went on in it.
const fn is_open_tunnel(one: &Sighting) -> bool {
    one.is_tunnel && one.failure.is_none()
}

/// What had to follow the last MFA page; empty where none was shown.
fn of_challenge(members: &[Sighting], evidence: &Evidence) -> Vec<Expected> {
    let Some(page_at) = members.iter().rposition(is_mfa_page) else { return Vec::new() };
    let Some(page) = members.get(page_at) else { return Vec::new() };
    let after = members.get(page_at.saturating_add(1)..).unwrap_or_default();
    let mut chain = vec![script(page, after)];
    let shape = shape(page, after);
    let mut anchor = page;
    // A page that has shown its script to run, or may have, goes on.
    let mut due = !matches!(chain.first().map(|one| one.traffic), Some(Traffic::Failed));
    for kind in kinds(shape) {
        let tried = after.iter().any(|one| is_of(*kind, one));
        let next =
            if due || tried { one(*kind, anchor, after, evidence) } else { missing(*kind, anchor) };
        due &= next.traffic == Traffic::Seen;
        if let Some(last) = after.iter().rfind(|one| is_of(*kind, one) && one.answered) {
            anchor = last;
            due &= !is_final_failure(last);
        }
        chain.push(next);
    }
    // What a later request needs has come about, whatever became of its own answer.
    let reached = chain.iter().rposition(|one| one.traffic == Traffic::Seen).unwrap_or_default();
    for one in chain.iter_mut().take(reached) {
        one.traffic = Traffic::Seen;
    }
    chain
}

/// Whether the answer is the page that poses the challenge.
pub(super) fn is_mfa_page(one: &Sighting) -> bool {
    one.page.as_ref().is_some_and(|page| {
        let named = page.id.as_deref().and_then(entra::page).map(|row| row.step);
        named == Some(StepKind::MfaPage)
            || named.is_none() && page.methods.as_ref().is_some_and(|m| !m.is_empty())
    })
}

/// What the method that was begun looks like; else the only one that is offered.
fn shape(page: &Sighting, after: &[Sighting]) -> Option<MethodShape> {
    let begun = after.iter().find_map(|one| one.sas.as_ref()?.method.as_deref());
    let left = after.iter().any(|one| is_of(TrafficKind::Leave, one));
    if left && begun.is_none() {
        return Some(MethodShape::Leaves);
    }
    let offered = page.page.as_ref().and_then(|page| page.methods.as_deref()).unwrap_or_default();
    let only = || offered.first().filter(|_| offered.len() == 1).map(String::as_str);
    begun.or_else(only).and_then(entra::method).map(|row| row.shape)
}

const fn kinds(shape: Option<MethodShape>) -> &'static [TrafficKind] {
    use TrafficKind::{Begin, Code, Finish, Leave, Poll, Return};
    match shape {
        Some(MethodShape::Leaves) => &[Leave, Return],
        Some(MethodShape::Poll) => &[Begin, Poll, Finish],
        Some(MethodShape::Typed) => &[Code, Finish],
        None => &[Begin, Finish],
    }
}

fn is_of(kind: TrafficKind, one: &Sighting) -> bool {
    match kind {
        TrafficKind::Begin => one.kind == StepKind::MfaBegin,
        // Those are told by their hosts.
        TrafficKind::Device | TrafficKind::Registration => false,
        // A typed code and a poll go to one address.
        TrafficKind::Code | TrafficKind::Poll => {
            matches!(one.kind, StepKind::MfaCode | StepKind::MfaPoll)
        }
        TrafficKind::Finish => one.kind == StepKind::MfaFinish,
        TrafficKind::Leave => {
            let at_service = matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias));
            matches!(one.kind, StepKind::Passkey | StepKind::UserCertificate)
                || one.kind == StepKind::ExternalMethod && !at_service
                || one.external_host.is_some()
        }
        TrafficKind::Return => {
            let at_service = matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias));
            at_service
                && matches!(
                    one.kind,
                    StepKind::ExternalMethod
                        | StepKind::Continue
                        | StepKind::MfaFinish
                        | StepKind::Password
                        | StepKind::FederationReturn
                )
        }
        TrafficKind::Script => one.role == Some(HostRole::SigninCdn) && one.is_script,
    }
}

/// Whether the answer ended the challenge without success.
fn is_final_failure(one: &Sighting) -> bool {
    one.sas.as_ref().is_some_and(|answer| {
        let row = answer.value.as_deref().and_then(entra::result);
        let pending = row.is_some_and(|row| row.class == ResultClass::Pending)
            || row.is_none() && answer.retry == Some(true);
        !answer.success && !pending
    })
}

fn script(page: &Sighting, after: &[Sighting]) -> Expected {
    let tries: Vec<&Sighting> =
        after.iter().filter(|one| is_of(TrafficKind::Script, one)).collect();
    let served = tries.iter().find(|one| one.answered && one.failure.is_none());
    let ran = after.iter().find(|one| {
        one.answered
            && matches!(
                one.kind,
                StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaPoll | StepKind::MfaFinish
            )
    });
    let failed = tries.iter().find(|one| one.failure.is_some());
    let (traffic, told) = match (served, ran, failed) {
        (Some(one), ..) => (Traffic::Seen, Some(*one)),
        // The calls that only the script makes show that it came, be it out of a cache.
        (None, Some(one), _) => (Traffic::Seen, Some(one)),
        (None, None, Some(one)) => (Traffic::Failed, Some(*one)),
        (None, None, None) => (Traffic::Unknown(Unseen::NotShown), None),
    };
    let refs = match traffic {
        Traffic::Failed => tries.iter().map(|one| one.reference).collect(),
        _ => vec![told.map_or(page.reference, |one| one.reference)],
    };
    let host =
        tries.first().map(|one| one.host.clone()).or_else(|| page.script_hosts.first().cloned());
    Expected { kind: TrafficKind::Script, traffic, host, refs }
}

/// A request that an earlier one of the chain kept from coming.
fn missing(kind: TrafficKind, anchor: &Sighting) -> Expected {
    Expected { kind, traffic: Traffic::NotDue, host: None, refs: vec![anchor.reference] }
}

fn one(kind: TrafficKind, anchor: &Sighting, after: &[Sighting], evidence: &Evidence) -> Expected {
    of(kind, |one| is_of(kind, one), anchor, after, evidence)
}

/// What became of the requests behind one step that answer to a description.
fn of(
    kind: TrafficKind,
    is_asked: impl Fn(&Sighting) -> bool,
    anchor: &Sighting,
    after: &[Sighting],
    evidence: &Evidence,
) -> Expected {
    let tries: Vec<&Sighting> =
        after.iter().filter(|one| is_asked(one) && one.started >= anchor.started).collect();
    // What was tried again and came through is no failure; what failed to the end is one.
    if let Some(last) = tries.iter().rfind(|one| one.answered || one.failure.is_some()) {
        let traffic = if last.failure.is_none() { Traffic::Seen } else { Traffic::Failed };
        let host = Some(last.host.clone());
        return Expected { kind, traffic, host, refs: vec![last.reference] };
    }
    let traffic = if tries.is_empty() {
        silence(anchor, evidence)
    } else {
        Traffic::Unknown(Unseen::CaptureEnded)
    };
    let host = Some(anchor.host.clone());
    Expected { kind, traffic, host, refs: vec![anchor.reference] }
}

/// What may be said of a request that did not follow.
fn silence(anchor: &Sighting, evidence: &Evidence) -> Traffic {
    let Some(at) = anchor.ended.or(anchor.started) else {
        return Traffic::Unknown(Unseen::Timeless);
    };
    if dark::is_asked(evidence, anchor.input, at, at.plus(SILENCE)) {
        return Traffic::Unknown(Unseen::Encrypted);
    }
    if dark::is_torn(evidence, anchor.input, at) {
        return Traffic::Unknown(Unseen::RecordsLost);
    }
    match evidence.coverage.absent(anchor.input, at, SILENCE) {
        Absence::Proven(_) if !is_client_seen(evidence, anchor.id, at.plus(SILENCE)) => {
            Traffic::Unknown(Unseen::NotShown)
        }
        Absence::Proven(proof) => Traffic::Absent(proof),
        Absence::Present => Traffic::Seen,
        Absence::Unknown(unseen) => Traffic::Unknown(unseen),
    }
}
