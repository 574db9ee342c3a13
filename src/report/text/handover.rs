//! The block for the other team, as it is pasted into a ticket.
//!
//! Long lists are shortened here; all of them are in the JSON report. It must not add a fact to the
//! block that it is given.
//!
//! Invariant: commands, queries, ids and addresses stand whole on lines of their own.

use std::fmt::Write as _;

use super::closing::RULE;
use super::page::{Page, Tone};
use super::{bracket, glued, several};
use crate::evidence::EvidenceRef;
use crate::report::handover::{
    CodeFact, Handover, HostFacts, IdentityHandover, Listed, NetworkHandover, Seen, Team,
};
use crate::report::model::{ReportInput, clock, flow_words, mfa_words, places};
use crate::signin::Guid;

/// Columns before the values.
const VALUE: usize = 14;
/// Hosts told in full.
const HOSTS: usize = 4;
/// Codes told.
const CODES: usize = 6;
/// Ids of one kind told.
const IDS: usize = 4;
/// Places named behind one statement.
const PLACES: usize = 4;

/// Writes the block for the other team.
pub(super) fn write(page: &mut Page, report: &ReportInput<'_>, handover: &Handover) {
    page.heading(match handover.team {
        Team::Identity => "For the identity team, to paste",
        Team::Network => "For the network team, to paste",
    });
    page.whole(0, RULE);
    let doubt = match handover.confidence {
        "high" => "",
        "medium" => " This is the most likely reason, not a proven one.",
        _ => " This is a possible reason only.",
    };
    page.text(0, &format!("{}{doubt}", handover.request), Tone::Plain);
    page.blank();
    if let Some(network) = &handover.network {
        network_block(page, report, handover, network);
    }
    if let Some(identity) = &handover.identity {
        identity_block(page, report, handover, identity);
    }
    page.whole(0, RULE);
}

/// The writer of one block.
fn value(page: &mut Page, label: &str, text: &str) {
    page.row(&[(&format!("  {label}"), Tone::Plain)], VALUE, text, Tone::Plain);
}

fn cite(report: &ReportInput<'_>, refs: &[EvidenceRef]) -> String {
    bracket(&places(refs.iter().copied(), several(report), PLACES))
}

/// Some of a list, and how many more there are.
fn some<T: ToString>(all: &[T], most: usize) -> String {
    let mut shown: Vec<String> = all.iter().take(most).map(ToString::to_string).collect();
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

fn network_block(
    page: &mut Page,
    report: &ReportInput<'_>,
    handover: &Handover,
    network: &NetworkHandover,
) {
    for (number, host) in (1_usize..).zip(network.hosts.iter().take(HOSTS)) {
        page.text(0, &format!("{number}. {}, TCP {}", host.host, host.port), Tone::Strong);
        one_host(page, report, handover, host);
        page.blank();
    }
    if let Some(more) = network.hosts.len().checked_sub(HOSTS).filter(|more| *more > 0) {
        page.text(0, &format!("And {more} more hosts; they are in the JSON report."), Tone::Plain);
        page.blank();
    }
    allow(page, network);
    if !network.exempt.is_empty() {
        if !network.allow.is_empty() {
            page.blank();
        }
        for (from, words) in [
            ("tls_inspection", "Please leave out of TLS inspection:"),
            ("proxy_authentication", "Please leave out of the sign-in at the proxy:"),
        ] {
            let hosts: Vec<&str> = network
                .exempt
                .iter()
                .filter(|one| one.from.contains(&from))
                .map(|one| one.host.as_str())
                .collect();
            if !hosts.is_empty() {
                page.text(0, words, Tone::Plain);
                page.text(2, &some(&hosts, 10), Tone::Plain);
            }
        }
    }
    checks(page, handover, network);
}

fn one_host(page: &mut Page, report: &ReportInput<'_>, handover: &Handover, host: &HostFacts) {
    if !host.needed_for.is_empty() {
        value(page, "Needed for", &host.needed_for.join("; "));
    }
    if let Some(words) = when(host) {
        value(page, "When", &words);
    }
    let mut from = handover.client.words.clone();
    if !host.clients.is_empty() {
        let word = if from.is_empty() { "" } else { ", " };
        let _ = write!(from, "{word}address {}", some(&host.clients, 4));
    }
    if !from.is_empty() {
        value(page, "From", &from);
    }
    let to = match (host.via, host.proxies.is_empty(), host.servers.is_empty()) {
        ("proxy", false, _) => Some(format!("by proxy {}", some(&host.proxies, 4))),
        ("proxy", true, _) => Some("by a proxy whose address the capture does not hold".into()),
        ("direct", _, false) => Some(format!("{}, no explicit proxy", some(&host.servers, 4))),
        (_, _, false) => Some(some(&host.servers, 4)),
        _ => None,
    };
    value(page, "To", &to.unwrap_or_else(|| "the capture holds no address for them".to_owned()));
    for note in &host.server_notes {
        value(page, "", note);
    }
    let mut label = "Seen";
    for seen in host.seen.iter().take(6) {
        value(page, label, &format!("{}{}", seen_words(seen), cite(report, &seen.refs)));
        label = "";
    }
    if host.seen.is_empty() {
        value(page, "Seen", "no request to it that failed is in the capture");
    }
    let mut label = "Certificate";
    for issuer in host.certificate_issuers.iter().take(3) {
        value(page, label, &format!("issued by {issuer}"));
        label = "";
    }
    value(page, "Expected", &host.expected.join("; "));
    value(page, "Listed", &listed_words(host.listed, handover.list_version()));
    for other in &host.alternatives {
        let words = if other.failed {
            format!("{} would do as well; it failed too", other.host)
        } else {
            format!("{} would do as well; no request to it is seen to fail", other.host)
        };
        value(page, "Instead", &words);
    }
}

fn when(host: &HostFacts) -> Option<String> {
    let (first, last) = host.first.zip(host.last)?;
    let mut words = clock(first);
    if clock(last) != words {
        let _ = write!(words, " to {}", glued(&clock(last)));
    }
    let many = if host.requests == 1 { "request" } else { "requests" };
    let _ = write!(words, ", {}\u{a0}{many}", host.requests);
    Some(words)
}

fn seen_words(seen: &Seen) -> String {
    let mut words = seen.words.clone();
    if let Some(product) = seen.product {
        let _ = write!(words, " ({product})");
    }
    if let Some(status) = seen.status {
        let _ = write!(words, ", status\u{a0}{status}");
    }
    if let Some(error) = &seen.error {
        let _ = write!(words, ", in the capture \"{error}\"");
    }
    if seen.count > 1 {
        let _ = write!(words, ", {}\u{a0}times", seen.count);
    }
    words
}

fn listed_words(listed: Option<Listed>, version: &str) -> String {
    let Some(listed) = listed else {
        return format!("in no endpoint set of the worldwide Microsoft 365 list ({version})");
    };
    let mut words = format!("Microsoft 365 endpoint set {}", listed.endpoint_set);
    if let Some(category) = listed.category {
        let _ = write!(words, ", category {category}");
    }
    match listed.required {
        Some(true) => words.push_str(", Required"),
        Some(false) => words.push_str(", Optional"),
        None => {}
    }
    words
}

fn allow(page: &mut Page, network: &NetworkHandover) {
    if network.allow.is_empty() {
        return;
    }
    page.text(0, "Please allow:", Tone::Plain);
    let mut from_list = false;
    for one in &network.allow {
        let ports: Vec<String> = one.ports.iter().map(ToString::to_string).collect();
        let set = one.listed.map(|listed| {
            from_list = true;
            format!("set {}, ", listed.endpoint_set)
        });
        let head = format!("{}TCP {}", set.unwrap_or_default(), ports.join(" and "));
        page.text(2, &format!("{head}:"), Tone::Plain);
        page.text(4, &some(&one.hosts, 20), Tone::Plain);
        if !one.address_ranges.is_empty() {
            let ranges = one.address_ranges.join(", ");
            page.text(4, &format!("addresses: {ranges}, and IPv6 ranges of the list"), Tone::Plain);
        }
    }
    if from_list {
        let list = network.list;
        let words = format!("Sets: {}, version {}. {}", list.name, list.version, list.note);
        page.text(2, &words, Tone::Plain);
    }
}

fn checks(page: &mut Page, handover: &Handover, network: &NetworkHandover) {
    let Some(system) = network.checks.first().map(|check| check.system) else { return };
    page.blank();
    let on = match system {
        "linux" => "Linux",
        "macos" => "macOS",
        _ => "Windows (PowerShell)",
    };
    let in_browser = network.checks.iter().all(|check| is_address(&check.command));
    let on = if in_browser { "in the browser" } else { on };
    let place = match handover.client.system {
        Some("android" | "ios") => {
            format!("To test, before and after, on a computer in the network of the phone, {on}:")
        }
        Some(_) => format!("To test, before and after, on the client, {on}:"),
        None if in_browser => format!("To test, before and after, on the client, {on}:"),
        None => format!("To test, before and after, on the client, {on} assumed:"),
    };
    page.text(0, &place, Tone::Plain);
    let mut told: Vec<&str> = Vec::new();
    for check in network.checks.iter().filter(|check| !told_once(check.purpose, &mut told)) {
        page.whole(2, &check.command);
        page.text(6, &format!("good: {}", check.expected), Tone::Faint);
    }
    page.text(2, "Before the change they show the fault above.", Tone::Plain);
}

/// Whether a check is an address for the browser and no command.
fn is_address(command: &str) -> bool {
    ["https://", "chrome://"].iter().any(|start| command.starts_with(start))
}

/// Whether a command that is the same for all hosts was told already.
fn told_once<'a>(purpose: &'a str, told: &mut Vec<&'a str>) -> bool {
    if !matches!(purpose, "browser_policy" | "proxy") {
        return false;
    }
    let known = told.contains(&purpose);
    told.push(purpose);
    known
}

fn identity_block(
    page: &mut Page,
    report: &ReportInput<'_>,
    handover: &Handover,
    identity: &IdentityHandover,
) {
    let mut label = "Seen";
    for fact in &identity.seen {
        value(page, label, &format!("{}{}", fact.sentence, cite(report, &fact.refs)));
        label = "";
    }
    codes(page, report, identity);
    if let Some(result) = &identity.result {
        let meaning = result.meaning.map(|text| format!(": {text}")).unwrap_or_default();
        value(page, "Result", &format!("{}{meaning}", result.value));
    }
    value(page, "MFA", mfa_words(identity.mfa));
    if !identity.methods.is_empty() {
        let methods: Vec<String> = identity
            .methods
            .iter()
            .map(|one| match one.meaning {
                Some(name) => format!("{} ({name})", one.value),
                None => one.value.clone(),
            })
            .collect();
        value(page, "Methods", &some(&methods, 6));
    }
    if let Some(policy) = &identity.policy_page {
        let reading = policy.meaning.map(|text| format!(": {text}")).unwrap_or_default();
        value(page, "Policy page", &format!("{}{reading}", policy.value));
    }
    for (label, text) in [
        ("User", &identity.user),
        ("Tenant", &identity.tenant),
        ("Application", &identity.application.as_ref().map(ToString::to_string)),
        ("Resource", &identity.resource),
    ] {
        if let Some(text) = text {
            value(page, label, text);
        }
    }
    value(page, "Flow", flow_words(identity.flow));
    if !handover.client.words.is_empty() {
        value(page, "Client", &handover.client.words);
    }
    if let Some((first, last)) = identity.first.zip(identity.last) {
        let (first, last) = (glued(&clock(first)), glued(&clock(last)));
        let when = if first == last { first } else { format!("{first} to {last}") };
        value(page, "When", &when);
    }
    ids(page, "Policies", &identity.policy_ids);
    ids(page, "Correlation", &identity.correlation_ids);
    request_ids(page, identity);
    page.blank();
    page.text(0, "Asked of you:", Tone::Plain);
    numbered(page, &identity.asks);
    if !identity.support_case.is_empty() {
        page.blank();
        page.text(0, "For a case with Microsoft, send:", Tone::Plain);
        for one in &identity.support_case {
            page.row(&[("  -", Tone::Plain)], 4, one, Tone::Plain);
        }
    }
    look_up(page, identity);
}

fn codes(page: &mut Page, report: &ReportInput<'_>, identity: &IdentityHandover) {
    let mut label = "Codes";
    for code in identity.codes.iter().take(CODES) {
        let mut words = format!("AADSTS{}", code.code);
        if let Some(name) = code.name {
            let _ = write!(words, " {name}");
        }
        if code.equivalent {
            words.push_str(" (the page says it without the number)");
        }
        if let Some(at) = code.at {
            let _ = write!(words, ", {}", glued(&clock(at)));
        }
        words.push_str(&cite(report, &code.refs));
        value(page, label, &words);
        let number = format!("AADSTS{}", code.code);
        let is_told = identity.seen.iter().any(|fact| fact.text.starts_with(&number));
        if let Some(meaning) =
            code.meaning.filter(|_| (code.decided || code.name.is_none()) && !is_told)
        {
            value(page, "", meaning);
        }
        label = "";
    }
    if let Some(more) = identity.codes.len().checked_sub(CODES).filter(|more| *more > 0) {
        value(page, "", &format!("and {more} more (all are in the JSON report)"));
    }
}

fn ids(page: &mut Page, label: &str, ids: &[Guid]) {
    let mut label = label;
    for id in ids.iter().take(IDS) {
        value(page, label, id.as_str());
        label = "";
    }
    if let Some(more) = ids.len().checked_sub(IDS).filter(|more| *more > 0) {
        value(page, "", &format!("and {more} more (all are in the JSON report)"));
    }
}

/// Request ids: those that came with a code first, since the log has them by it.
fn request_ids(page: &mut Page, identity: &IdentityHandover) {
    let coded: Vec<(&Guid, &CodeFact)> = identity
        .codes
        .iter()
        .filter_map(|code| Some((code.request_id.as_ref()?, code)))
        .take(IDS)
        .collect();
    let mut label = "Request";
    for (id, code) in &coded {
        value(page, label, &format!("{id} (AADSTS{})", code.code));
        label = "";
    }
    let room = IDS.saturating_sub(coded.len());
    let others: Vec<&Guid> =
        identity.request_ids.iter().rev().filter(|id| coded.iter().all(|(c, _)| c != id)).collect();
    for id in others.iter().take(room) {
        value(page, label, id.as_str());
        label = "";
    }
    if let Some(more) = others.len().checked_sub(room).filter(|more| *more > 0) {
        value(page, "", &format!("and {more} more (all are in the JSON report)"));
    }
}

fn numbered(page: &mut Page, lines: &[String]) {
    for (number, line) in (1_usize..).zip(lines) {
        page.row(&[(&format!("  {number}."), Tone::Plain)], 5, line, Tone::Plain);
    }
}

fn look_up(page: &mut Page, identity: &IdentityHandover) {
    page.blank();
    page.text(0, "Where to look:", Tone::Plain);
    numbered(page, &identity.portal);
    for (what, query) in [
        ("Log Analytics (KQL), the sign-in:", &identity.kql),
        ("Log Analytics (KQL), its policies:", &identity.policies_kql),
    ] {
        let Some(query) = query else { continue };
        page.blank();
        page.text(2, what, Tone::Plain);
        for line in query.lines() {
            page.whole(4, line);
        }
    }
    // The requests to the log fit their lines without the part that they share.
    for part in ["/auditLogs/", "/"] {
        let log = part.len() > 1;
        let mut requests = identity
            .graph
            .iter()
            .filter(|request| request.starts_with("/auditLogs/") == log)
            .filter_map(|request| request.strip_prefix(part))
            .peekable();
        if requests.peek().is_some() {
            page.blank();
            let below =
                format!("Microsoft Graph, GET below https://{}/v1.0{part}:", identity.graph_host);
            page.text(2, &below, Tone::Plain);
            let mut for_user = false;
            for request in requests {
                page.whole(4, request);
                for_user |= request.contains("/USER/");
            }
            if for_user {
                page.text(2, "USER stands for the name of the user in full.", Tone::Plain);
            }
        }
    }
}
