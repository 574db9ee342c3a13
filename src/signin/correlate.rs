//! Groups what was seen into attempts: ids first, then the state of the flow, then time.
//!
//! It knows nothing of how an attempt ends. Users are kept apart: a group has one.
//!
//! Invariant: groups keep their members in order of time, and at most `GROUPS` are made.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::echo::Echoes;
use super::machines::{Machines, may_be_one};
use super::sighting::{Grant, Sighting};
use super::{Failure, Flow, Guid, clock, wire};
use crate::entra::{HostRole, StepKind, hosts};
use crate::evidence::{Evidence, EvidenceRef, Exchange, ExchangeId, HostName, InputId, Scheme};
use crate::time::Timestamp;

/// Attempts made of one case; more is a loop or an attack on the reader.
const GROUPS: usize = 2_000;
/// Correlation ids kept of one attempt.
const IDS: usize = 64;
/// Groups that are looked through, from the newest, for one that a request without ids belongs to.
const NEWEST: usize = 64;
/// How long an attempt is open for requests that carry no id of it.
const OPEN: Duration = Duration::from_mins(10);
/// The same where the request is a step that something must have come before.
const LEFT_OPEN: Duration = Duration::from_hours(1);
/// How soon a browser sends on what a page of the service holds for the application.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How long before an attempt its discovery may come.
const LEAD: Duration = Duration::from_mins(1);

/// What belongs to one attempt.
#[derive(Debug)]
pub(super) struct Group {
    pub members: Vec<Sighting>,
    pub user: Option<String>,
    pub application: Option<Guid>,
    pub tenant: Option<String>,
    pub resource: Option<String>,
    pub flow: Option<Flow>,
    pub correlation_ids: Vec<Guid>,
    state: HashSet<u64>,
    input: InputId,
    pages: HashSet<u32>,
    /// The program that signs in.
    pub process: Option<Box<str>>,
    /// The computer that signs in, where the capture has several.
    pub client: Option<IpAddr>,
    pub return_host: Option<HostName>,
    script_hosts: Vec<HostName>,
    federation_host: Option<HostName>,
    external_host: Option<HostName>,
    last: Option<Timestamp>,
    ahead: Option<i64>,
    issued: bool,
    arrived: bool,
}

impl Group {
    fn new(first: &Sighting) -> Self {
        Self {
            members: Vec::new(),
            user: None,
            application: None,
            tenant: None,
            resource: None,
            flow: None,
            correlation_ids: Vec::new(),
            state: HashSet::new(),
            input: first.input,
            pages: HashSet::new(),
            process: None,
            client: None,
            return_host: None,
            script_hosts: Vec::new(),
            federation_host: None,
            external_host: None,
            last: None,
            ahead: None,
            issued: false,
            arrived: false,
        }
    }

    /// A group that goes on where another one was left by its user.
    fn continued(&self, first: &Sighting) -> Self {
        Self {
            application: self.application.clone(),
            tenant: self.tenant.clone(),
            resource: self.resource.clone(),
            flow: self.flow,
            return_host: self.return_host.clone(),
            ..Self::new(first)
        }
    }

    fn add(&mut self, mut one: Sighting) {
        for id in &one.correlation_ids {
            if self.correlation_ids.len() < IDS && !self.correlation_ids.contains(id) {
                self.correlation_ids.push(id.clone());
            }
        }
        for host in &one.script_hosts {
            if self.script_hosts.len() < 16 && !self.script_hosts.contains(host) {
                self.script_hosts.push(host.clone());
            }
        }
        self.state.extend(&one.state);
        if self.user.is_none() {
            self.user = one.user.take();
        }
        if self.application.is_none() {
            self.application.clone_from(&one.application);
        }
        let generic = |tenant: &Option<String>| {
            tenant.as_deref().is_none_or(|t| ["common", "organizations", "consumers"].contains(&t))
        };
        if self.tenant.is_none() || (generic(&self.tenant) && !generic(&one.tenant)) {
            self.tenant = one.tenant.take().or(self.tenant.take());
        }
        if self.resource.is_none() {
            self.resource = one.resource.take();
        }
        if self.flow.is_none() {
            self.flow = one.flow;
        }
        self.pages.extend(one.page_number);
        if self.process.is_none() && !one.is_tunnel {
            self.process.clone_from(&one.process);
        }
        self.client = self.client.or(one.client);
        if one.return_host.is_some() {
            self.return_host.clone_from(&one.return_host);
        }
        if one.federation_host.is_some() {
            self.federation_host.clone_from(&one.federation_host);
        }
        if one.kind == StepKind::ExternalMethod
            && !matches!(one.role, Some(HostRole::Sts | HostRole::StsAlias))
        {
            // The provider may send the user on to another host of its own.
            let next = one.next_host.as_ref().filter(|host| {
                hosts::host(host.as_str())
                    .is_none_or(|row| !matches!(row.role, HostRole::Sts | HostRole::StsAlias))
            });
            self.external_host = Some(next.unwrap_or(&one.host).clone());
        }
        if one.external_host.is_some() {
            self.external_host.clone_from(&one.external_host);
        }
        self.issued |= one.grant == Grant::Issued;
        self.arrived |= one.grant == Grant::Arrived;
        if self.issued && one.next_host.is_some() && one.grant == Grant::Issued {
            self.return_host.clone_from(&one.next_host);
        }
        self.last = one.ended.or(one.started).max(self.last);
        self.ahead = one.ahead.or(self.ahead);
        self.members.push(one);
    }

    fn shares_correlation(&self, one: &Sighting) -> bool {
        one.correlation_ids.iter().any(|id| self.correlation_ids.contains(id))
    }

    fn shares_state(&self, one: &Sighting) -> bool {
        one.state.iter().any(|hash| self.state.contains(hash))
    }

    fn allows_user(&self, one: &Sighting) -> bool {
        match (&self.user, &one.user) {
            (Some(mine), Some(theirs)) => mine.trim().eq_ignore_ascii_case(theirs.trim()),
            _ => true,
        }
    }

    fn allows_application(&self, one: &Sighting) -> bool {
        match (&self.application, &one.application) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        }
    }

    /// Whether the same program made the request, as far as the capture names it.
    fn allows_process(&self, one: &Sighting) -> bool {
        match (&self.process, &one.process) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        }
    }

    fn is_open_for(&self, one: &Sighting) -> bool {
        self.is_open_within(one, OPEN)
    }

    fn is_open_within(&self, one: &Sighting, limit: Duration) -> bool {
        let near = match (self.last, one.started) {
            (Some(last), Some(at)) => clock::between((last, self.ahead), (at, one.ahead)) <= limit,
            _ => true,
        };
        self.input == one.input && near && may_be_one(self.client, one.client)
    }

    /// Whether a tunnel to the same host was refused before.
    fn lacks_tunnel(&self, one: &Sighting) -> bool {
        self.input == one.input
            && self.members.iter().any(|member| {
                member.is_tunnel && member.failure.is_some() && member.host == one.host
            })
    }

    /// Whether the last step was one that the service ends with the answer to the application, what it
    /// said is not in the capture, and this is sent from its page right after.
    fn is_about_to_return(&self, one: &Sighting) -> bool {
        let last = self.members.iter().rfind(|member| {
            matches!(member.role, Some(HostRole::Sts | HostRole::StsAlias)) && member.answered
        });
        let awaits = last.is_some_and(|last| {
            last.body_missing
                && matches!(
                    last.kind,
                    StepKind::Authorize
                        | StepKind::Continue
                        | StepKind::FederationReturn
                        | StepKind::KeepSignedIn
                        | StepKind::MfaFinish
                        | StepKind::Password
                )
        });
        let soon = self.last.zip(one.started).is_some_and(|(last, at)| at.since(last) <= AT_ONCE);
        one.from_service && one.grant == Grant::Arrived && !self.issued && awaits && soon
    }

    /// Whether any request of it was answered, or may have been: a hidden frame shows no page.
    fn was_answered(&self) -> bool {
        let pending = |member: &Sighting| member.pending && !self.is_silent();
        self.members.iter().any(|member| member.answered || pending(member))
    }

    fn is_silent(&self) -> bool {
        self.flow.is_some_and(Flow::is_without_prompt)
    }
}

/// The groups of a case.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub list: Vec<Group>,
    /// Requests of attempts past the limit, which are not followed.
    pub dropped: u64,
    /// Where an application gets what the service handed out, of a sign-in that is not there.
    pub returned: Option<EvidenceRef>,
    by_correlation: HashMap<Guid, usize>,
    by_state: HashMap<u64, usize>,
    waiting: Vec<Sighting>,
}

/// Groups everything of a sign-in that the evidence holds.
pub(super) fn group(
    evidence: &Evidence,
    failures: &BTreeMap<ExchangeId, Failure>,
    echoes: &Echoes,
    machines: &Machines,
    below: &BTreeSet<ExchangeId>,
) -> Groups {
    let mut groups = Groups::default();
    // What is encrypted has steps of its own (`sealed`).
    let counts = |id: &ExchangeId, one: &Exchange| !one.is_hidden() || below.contains(id);
    for (id, exchange) in evidence.numbered().filter(|(id, one)| counts(id, one)) {
        if echoes.ids.contains(&id) {
            continue;
        }
        let input = echoes.home(exchange.at.input);
        let failure = failures.get(&id).copied();
        let client = machines.of_exchange(evidence, exchange);
        if let Some(sighting) = wire::sight(id, exchange, failure) {
            groups.place(Sighting { input, client, ..sighting });
        } else if let Some((index, sighting)) =
            expected(&groups.list, id, exchange, (input, client), failure)
        {
            groups.add(index, Sighting { input, client, ..sighting });
        } else {
            groups.sent_away(id, exchange, (input, client), failure);
        }
    }
    // A resource that asked for more, and nobody went on: that is all there is of the attempt.
    for early in std::mem::take(&mut groups.waiting) {
        if early.kind == StepKind::Resource && groups.list.len() < GROUPS {
            let mut group = Group::new(&early);
            group.add(early);
            groups.list.push(group);
        }
    }
    groups
}

impl Groups {
    /// Whether the service of personal accounts is asked in the course of a sign-in that began at the
    /// service for work accounts, which sends such users on.
    fn is_handed_on(&self, one: &Sighting) -> bool {
        one.role == Some(HostRole::Msa)
            && one.kind == StepKind::Authorize
            && latest(&self.list, |group| {
                group.is_open_for(one)
                    && group.allows_user(one)
                    && !group.issued
                    && group.members.iter().any(|known| {
                        matches!(known.role, Some(HostRole::Sts | HostRole::StsAlias))
                            && known.kind == StepKind::Authorize
                    })
            })
            .is_some()
    }

    fn add(&mut self, index: usize, one: Sighting) {
        for id in &one.correlation_ids {
            self.by_correlation.insert(id.clone(), index);
        }
        for hash in &one.state {
            // A constant that an application sends along stays with the request that was answered.
            let kept = self.by_state.entry(*hash).or_insert(index);
            if one.answered || one.failure.is_none() {
                *kept = index;
            }
        }
        if let Some(group) = self.list.get_mut(index) {
            group.add(one);
        }
    }

    /// A program was told which federation server to ask, and could not: that is all there is of the attempt.
    fn sent_away(
        &mut self,
        id: ExchangeId,
        exchange: &Exchange,
        (input, client): (InputId, Option<IpAddr>),
        failure: Option<Failure>,
    ) {
        let told = |early: &Sighting| {
            let near = early.started.zip(exchange.started());
            early.federation_host.as_ref() == Some(exchange.host())
                && early.input == input
                && may_be_one(early.client, client)
                && near.is_none_or(|(early, at)| at.since(early) <= OPEN)
        };
        let Some(place) = self.waiting.iter().position(told).filter(|_| failure.is_some()) else {
            return;
        };
        if self.list.len() >= GROUPS {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let early = self.waiting.remove(place);
        let mut group = Group::new(&early);
        group.add(early);
        let found = expected(std::slice::from_ref(&group), id, exchange, (input, client), failure);
        if let Some((_, sighting)) = found {
            group.add(Sighting { input, client, ..sighting });
            self.list.push(group);
        }
    }

    fn place(&mut self, mut one: Sighting) {
        if self.is_handed_on(&one) {
            one.kind = StepKind::FederationRedirect;
            one.starts = false;
            // There it goes by an id of the service's own.
            one.application = None;
        }
        match self.home(&one) {
            Home::Group(index) => self.add(index, one),
            Home::New { after } => {
                if self.list.len() >= GROUPS {
                    self.dropped = self.dropped.saturating_add(1);
                    return;
                }
                let origin = after.and_then(|index| self.list.get(index));
                let group = origin.map_or_else(|| Group::new(&one), |old| old.continued(&one));
                let index = self.list.len();
                self.list.push(group);
                for early in std::mem::take(&mut self.waiting) {
                    let near = match (early.started, one.started) {
                        (Some(early), Some(at)) => at.since(early) <= LEAD,
                        _ => true,
                    };
                    if near && early.input == one.input {
                        self.add(index, early);
                    }
                }
                self.add(index, one);
            }
            Home::Wait => {
                if self.waiting.len() < 64 {
                    self.waiting.push(one);
                }
            }
            Home::None => {
                let returns = one.kind == StepKind::AppReturn && one.grant == Grant::Arrived;
                if returns && one.from_service {
                    self.returned = self.returned.or(Some(one.reference));
                }
            }
        }
    }
}

enum Home {
    Group(usize),
    New { after: Option<usize> },
    Wait,
    None,
}

/// The newest group that fits, among the newest.
fn latest(groups: &[Group], fits: impl Fn(&Group) -> bool) -> Option<usize> {
    let oldest = groups.len().saturating_sub(NEWEST);
    let newest = groups.get(oldest..)?;
    newest.iter().rposition(fits).and_then(|index| index.checked_add(oldest))
}

impl Groups {
    fn home(&self, one: &Sighting) -> Home {
        let groups = &self.list;
        if one.is_tunnel && one.failure.is_none() {
            return latest(groups, |group| group.lacks_tunnel(one)).map_or(Home::None, Home::Group);
        }
        let restarts = |group: &Group| {
            let silent = one.flow.is_some_and(Flow::is_without_prompt);
            one.starts
                && (silent != group.is_silent() || group.issued && one.kind != StepKind::Token)
        };
        let fits = |index: &usize| {
            self.list
                .get(*index)
                .is_some_and(|group| !restarts(group) && group.allows_application(one))
        };
        let by_correlation = || {
            let found = one.correlation_ids.iter().filter_map(|id| self.by_correlation.get(id));
            found.copied().filter(&fits).max()
        };
        // A new request with ids of its own is a new attempt, whatever constant an application sends
        // along as its state.
        let own_ids = one.starts && !one.correlation_ids.is_empty();
        let by_state = || {
            let found = one.state.iter().filter_map(|hash| self.by_state.get(hash));
            // Nothing comes of a hidden frame that nobody answered.
            let lives = |index: &usize| {
                one.starts
                    || self
                        .list
                        .get(*index)
                        .is_some_and(|group| !group.is_silent() || group.was_answered())
            };
            let newest = found.copied().filter(&fits).filter(lives).max()?;
            let other = own_ids
                && self.list.get(newest).is_some_and(|group| !group.correlation_ids.is_empty());
            (!other).then_some(newest)
        };
        if let Some(index) = by_correlation().or_else(by_state) {
            if groups.get(index).is_none_or(|group| group.allows_user(one)) {
                return Home::Group(index);
            }
            let other = latest(groups, |group| {
                group.user.is_some()
                    && group.allows_user(one)
                    && (group.shares_correlation(one) || group.shares_state(one))
            });
            return other.map_or(Home::New { after: Some(index) }, Home::Group);
        }
        if one.starts {
            return Home::New { after: None };
        }
        by_time(groups, one)
    }
}

fn by_time(groups: &[Group], one: &Sighting) -> Home {
    let open = |group: &Group| {
        group.is_open_for(one)
            && group.allows_user(one)
            && group.allows_application(one)
            // What carries no id of the sign-in may be another program's.
            && (group.allows_process(one) || one.failure.is_none())
    };
    let same_page = |group: &Group| {
        one.page_number.is_some_and(|page| group.pages.contains(&page)) && open(group)
    };
    // A page may stand open for long; what comes of it then has a beginning all the same.
    let late = |group: &Group| {
        !group.issued
            && group.is_open_within(one, LEFT_OPEN)
            && group.allows_user(one)
            && group.allows_application(one)
            && group.allows_process(one)
    };
    let near = latest(groups, |group| same_page(group) && !group.is_silent())
        .or_else(|| latest(groups, |group| open(group) && !group.is_silent()));
    // What is handed in without an id is the result of the polls just before, in whatever window.
    let polled = || {
        let after_poll = |group: &Group| {
            let last = group.members.last().map(|member| member.kind);
            matches!(last, Some(StepKind::MfaCode | StepKind::MfaPoll)) && !group.is_silent()
        };
        (one.kind == StepKind::MfaFinish)
            .then(|| latest(groups, |group| after_poll(group) && open(group)))
            .flatten()
    };
    match one.kind {
        StepKind::AppReturn => {
            let awaited = latest(groups, |group| {
                group.return_host.as_ref() == Some(&one.host)
                    && group.is_open_for(one)
                    && group.was_answered()
            });
            // SAML and WS-Federation need not say in advance where the answer goes.
            let unsaid = || {
                latest(groups, |group| {
                    let federated = matches!(group.flow, Some(Flow::Saml | Flow::WsFed));
                    federated && !group.arrived && group.return_host.is_none() && open(group)
                })
            };
            // The page that sends the answer on is not in the capture.
            let sent = || latest(groups, |group| group.is_about_to_return(one) && open(group));
            match awaited.or_else(unsaid).or_else(sent) {
                Some(index) => Home::Group(index),
                None if one.codes.is_empty() => Home::None,
                None => Home::New { after: None },
            }
        }
        StepKind::Token => {
            let same = latest(groups, |group| {
                one.application.is_some() && group.application == one.application && open(group)
            });
            same.or(near).map_or(Home::New { after: None }, Home::Group)
        }
        StepKind::Discovery | StepKind::HomeRealm if !one.answered && one.failure.is_some() => {
            near.map_or(Home::New { after: None }, Home::Group)
        }
        StepKind::Discovery | StepKind::HomeRealm => near.map_or(Home::Wait, Home::Group),
        StepKind::Telemetry | StepKind::Logout => near.map_or(Home::None, Home::Group),
        StepKind::Resource => Home::Wait,
        _ if is_support(one) => match near.or_else(|| {
            let sent = one.failure.is_some() && is_sent_to(one);
            latest(groups, |group| sent && !group.is_silent() && late(group))
        }) {
            Some(index) => Home::Group(index),
            None if one.failure.is_some() && can_open(one) => Home::New { after: None },
            None => Home::None,
        },
        _ => polled()
            .or(near)
            .or_else(|| latest(groups, |group| !group.is_silent() && late(group)))
            .map_or(Home::New { after: None }, Home::Group),
    }
}

/// Whether the host is one that only the service sends a user to, in the middle of a sign-in.
fn is_sent_to(one: &Sighting) -> bool {
    matches!(one.role, Some(HostRole::DeviceCert | HostRole::MfaRegistration))
        || hosts::has_passkey_page(one.host.as_str())
}

/// Scripts, pictures, tunnels and requests of no known kind: they belong to an attempt and do not
/// make one.
fn is_support(one: &Sighting) -> bool {
    one.kind == StepKind::Other
        || matches!(one.role, Some(HostRole::SigninCdn | HostRole::Passkey | HostRole::SeamlessSso))
}

/// Whether a failure at this host, alone, shows that somebody tried to sign in.
fn can_open(one: &Sighting) -> bool {
    match one.role {
        Some(HostRole::Sts | HostRole::StsAlias) => true,
        Some(HostRole::SigninCdn) => one.is_script,
        _ => false,
    }
}

/// An exchange with a host that an open attempt waits for, or takes its scripts from.
fn expected(
    groups: &[Group],
    id: ExchangeId,
    exchange: &Exchange,
    (input, client): (InputId, Option<IpAddr>),
    failure: Option<Failure>,
) -> Option<(usize, Sighting)> {
    let host = exchange.host();
    let index = latest(groups, |group| {
        let near = match (group.last, exchange.started()) {
            (Some(last), Some(at)) => {
                let over = group.issued || group.script_hosts.contains(host);
                at.since(last) <= if over { OPEN } else { LEFT_OPEN }
            }
            _ => true,
        };
        let hosts = [&group.return_host, &group.federation_host, &group.external_host];
        near && group.input == input
            && may_be_one(group.client, client)
            && (group.script_hosts.contains(host)
                || hosts.into_iter().any(|expected| expected.as_ref() == Some(host)))
    })?;
    let group = groups.get(index)?;
    if group.script_hosts.contains(host) {
        let sighting = wire::script(id, exchange, failure);
        return (sighting.is_script || sighting.failure.is_some()).then_some((index, sighting));
    }
    let tunnel = exchange.request.url.scheme == Scheme::Authority;
    let kind = if group.federation_host.as_ref() == Some(host) {
        StepKind::FederationRedirect
    } else if group.external_host.as_ref() == Some(host) {
        StepKind::ExternalMethod
    } else {
        StepKind::AppReturn
    };
    let mut sighting = wire::expected(id, exchange, failure, kind);
    if tunnel && sighting.failure.is_none() && exchange.response.is_ok() {
        return None;
    }
    if !sighting.is_main {
        return None;
    }
    sighting.is_tunnel = tunnel;
    if kind == StepKind::AppReturn {
        // Only the arrival counts: the application's own traffic is not part of the sign-in.
        if !group.issued || group.arrived {
            return None;
        }
        if exchange.response.is_ok() && sighting.failure.is_none() {
            sighting.grant = Grant::Arrived;
        }
    }
    Some((index, sighting))
}
