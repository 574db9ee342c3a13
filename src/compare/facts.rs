//! What was asked for, by whom, and what MFA came to: facts of a sign-in beside its steps.
//!
//! A fact is compared where both captures show it. Ids and times that differ by nature are no facts. It
//! must not know the steps.
//!
//! Invariant: what a capture does not show is never told as a difference.

use std::collections::{BTreeMap, BTreeSet};

use super::party::Party;
use crate::analyze::is_question;
use crate::evidence::EvidenceRef;
use crate::finding::{Piece, Text};
use crate::report::comparison::{Area, Difference, Level, Value};
use crate::report::model::flow_words;
use crate::signin::{Asked, Client, Flow, SignInAttempt, StepKind, asked, client};

/// What a capture shows of the client and the request.
pub(super) struct Facts<'a> {
    attempt: Option<&'a SignInAttempt>,
    client: Client,
    asked: Option<Asked>,
    was_asked: Option<bool>,
    /// Where the sign-in begins, and where its MFA page stands, to point at.
    first: Vec<EvidenceRef>,
    page: Vec<EvidenceRef>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(party: &Party<'a>) -> Self {
        let attempt = party.attempt.filter(|_| party.level == Level::Requests);
        Self {
            attempt,
            client: attempt
                .map(|attempt| client(party.evidence(), Some(attempt)))
                .unwrap_or_default(),
            asked: attempt.and_then(|attempt| asked(party.evidence(), attempt)),
            was_asked: party.was_asked().filter(|_| attempt.is_some()),
            first: place(party, |_| true),
            page: place(party, |kind| kind == StepKind::MfaPage),
        }
    }

    fn value(&self, area: Area, text: Text) -> Value {
        let refs = match area {
            Area::Mfa => self.page.clone(),
            _ => self.first.clone(),
        };
        Value { text, refs }
    }

    /// What it shows, by name: what only one of two shows is not compared.
    pub(super) fn shown(&self) -> [(&'static str, bool); 4] {
        [
            ("the browser", self.client.browser.is_some()),
            ("the system of the client", self.client.system.is_some()),
            ("the client library", self.client.library.is_some()),
            ("the program", !self.client.programs.is_empty()),
        ]
    }
}

/// The first place of the first step of a kind.
fn place(party: &Party<'_>, is: impl Fn(StepKind) -> bool) -> Vec<EvidenceRef> {
    let beat = party.beats.iter().find(|beat| is(beat.view.kind));
    beat.and_then(|beat| beat.view.refs.first().copied()).into_iter().collect()
}

fn captured(word: &str) -> Text {
    Text(vec![Piece::Captured(word.to_owned())])
}

fn own(words: String) -> Text {
    Text(vec![Piece::Own(words)])
}

fn listed(words: impl IntoIterator<Item = Text>, none: &'static str) -> Text {
    let mut text = Text::default();
    for word in words {
        if !text.0.is_empty() {
            text = text.with(", ");
        }
        text = text.with_text(&word);
    }
    if text.0.is_empty() { Text::of(none) } else { text }
}

/// What differs of request, client, MFA and policy.
pub(super) fn differences(one: &Facts<'_>, other: &Facts<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |area: Area, name: &'static str, texts: Option<(Text, Text)>| {
        if let Some((working, failing)) = texts.filter(|(working, failing)| working != failing) {
            found.push(Difference {
                area,
                name,
                hosts: Vec::new(),
                working: one.value(area, working),
                failing: other.value(area, failing),
            });
        }
    };
    let (a, b) = (&one.client, &other.client);
    tell(Area::Client, "system", both(a.system, b.system, |one| Text::of(one.name())));
    tell(Area::Client, "browser", both(browser(a), browser(b), own));
    tell(Area::Client, "library", both(library(a), library(b), own));
    tell(Area::Client, "program", programs(a, b));
    if let Some((a, b)) = one.attempt.zip(other.attempt) {
        tell(Area::Request, "application", both(id(a), id(b), captured));
        tell(
            Area::Request,
            "resource",
            both(a.resource.as_deref(), b.resource.as_deref(), captured),
        );
        tell(Area::Request, "tenant", tenants(a, b));
        tell(
            Area::Request,
            "flow",
            both(flow(a), flow(b), |flow| own(flow_words(flow.as_str()).to_owned())),
        );
        tell(Area::Mfa, "methods offered", methods(a, b));
        let (method_a, method_b) = (method(one), method(other));
        tell(Area::Mfa, "method used", both(method_a, method_b, |one| captured(&one)));
        tell(Area::Mfa, "policies named", policies(a, b));
    }
    if let Some((a, b)) = one.asked.as_ref().zip(other.asked.as_ref()) {
        let prompt = |one: &Asked| listed(one.prompt.iter().map(|one| Text::of(one)), "none");
        tell(Area::Request, "prompt", Some((prompt(a), prompt(b))));
        let hint = |one: &Asked| match &one.domain_hint {
            Some(domain) => Text::default().with(domain),
            None => Text::of("none"),
        };
        tell(Area::Request, "domain hint", Some((hint(a), hint(b))));
        let contexts = |one: &Asked| listed(one.contexts.iter().map(|id| captured(id)), "none");
        tell(Area::Request, "authentication context", Some((contexts(a), contexts(b))));
    }
    let mfa = both(one.was_asked, other.was_asked, |asked| {
        Text::of(if asked { "asked for" } else { "never asked for" })
    });
    tell(Area::Mfa, "MFA", mfa);
    found.extend(one.attempt.zip(other.attempt).and_then(|(one, other)| codes(one, other)));
    found
}

fn both<T>(one: Option<T>, other: Option<T>, words: impl Fn(T) -> Text) -> Option<(Text, Text)> {
    let (one, other) = (one?, other?);
    Some((words(one), words(other)))
}

/// Browser and first number of its version: the others change every week.
fn browser(client: &Client) -> Option<String> {
    let version = client.browser_version.as_deref().and_then(|one| one.split('.').next());
    Some(format!("{} {}", client.browser?.name(), version.unwrap_or_default()).trim().to_owned())
}

fn library(client: &Client) -> Option<String> {
    let version = client.library_version.as_deref().unwrap_or_default();
    Some(format!("{} {version}", client.library?).trim().to_owned())
}

/// Programs, where none is on both sides.
fn programs(one: &Client, other: &Client) -> Option<(Text, Text)> {
    let set = |client: &Client| -> BTreeSet<String> {
        let plain = |name: &str| name.trim_end_matches(".exe").to_ascii_lowercase();
        client.programs.iter().map(|name| plain(name)).collect()
    };
    let (a, b) = (set(one), set(other));
    if a.is_empty() || b.is_empty() || !a.is_disjoint(&b) {
        return None;
    }
    let text = |set: &BTreeSet<String>| listed(set.iter().map(|one| captured(one)), "none");
    Some((text(&a), text(&b)))
}

fn id(attempt: &SignInAttempt) -> Option<&str> {
    attempt.application.as_ref().map(crate::signin::Guid::as_str)
}

fn flow(attempt: &SignInAttempt) -> Option<Flow> {
    Some(attempt.flow).filter(|flow| *flow != Flow::Unknown)
}

/// Tenants, where both are given in one way: an id and a name may be the same tenant.
fn tenants(one: &SignInAttempt, other: &SignInAttempt) -> Option<(Text, Text)> {
    let (a, b) = (one.tenant.as_deref()?, other.tenant.as_deref()?);
    let is_id = |text: &str| crate::signin::Guid::parse(text).is_some();
    let is_name = |text: &str| text.contains('.');
    let alike = is_id(a) && is_id(b) || is_name(a) && is_name(b) || !is_id(a) && !is_id(b);
    (alike && !a.eq_ignore_ascii_case(b)).then(|| (captured(a), captured(b)))
}

fn methods(one: &SignInAttempt, other: &SignInAttempt) -> Option<(Text, Text)> {
    let set = |one: &SignInAttempt| -> BTreeSet<String> { one.methods.iter().cloned().collect() };
    let (a, b) = (set(one), set(other));
    if a.is_empty() || b.is_empty() || a == b {
        return None;
    }
    let text = |set: &BTreeSet<String>| listed(set.iter().map(|one| captured(one)), "none");
    Some((text(&a), text(&b)))
}

/// The method that was used last.
fn method(facts: &Facts<'_>) -> Option<String> {
    let attempt = facts.attempt?;
    attempt.steps.iter().rev().find_map(|step| {
        let word = step.detail.split(' ').next()?;
        crate::analyze::is_method(word).then(|| word.to_owned())
    })
}

/// Codes of one side alone that are no questions on the way.
fn codes(one: &SignInAttempt, other: &SignInAttempt) -> Option<Difference> {
    let set = |attempt: &SignInAttempt| -> BTreeMap<u32, EvidenceRef> {
        let told = attempt
            .errors
            .iter()
            .filter(|error| !is_question(error.code) || attempt.deciding_code == Some(error.code));
        // Of a code that comes twice the first place is told.
        told.rev().map(|error| (error.code, error.reference)).collect()
    };
    let (a, b) = (set(one), set(other));
    let value = |set: &BTreeMap<u32, EvidenceRef>| Value {
        text: listed(set.keys().map(|code| Text(vec![Piece::Code(*code)])), "none but questions"),
        refs: set.values().copied().collect(),
    };
    (!a.keys().eq(b.keys())).then(|| Difference {
        area: Area::Mfa,
        name: "codes",
        hosts: Vec::new(),
        working: value(&a),
        failing: value(&b),
    })
}

/// Policies that claims challenges name.
fn policies(one: &SignInAttempt, other: &SignInAttempt) -> Option<(Text, Text)> {
    let set = |attempt: &SignInAttempt| -> BTreeSet<String> {
        attempt.policy_ids.iter().map(ToString::to_string).collect()
    };
    let (a, b) = (set(one), set(other));
    let text = |set: &BTreeSet<String>| listed(set.iter().map(|id| captured(id)), "none");
    (a != b).then(|| (text(&a), text(&b)))
}
