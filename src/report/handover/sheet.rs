//! The block for the other team, as it is pasted into a ticket.
//!
//! Long lists are shortened here; all of them are in the JSON report. It must not add a fact to the
//! block that it is given, and must not know how it is set.
//!
//! Invariant: commands, queries, ids and addresses stand whole on lines of their own.

use std::fmt::Write as _;

use super::{CodeFact, Handover, HostFacts, IdentityHandover, Listed, NetworkHandover, Seen, Team};
use crate::evidence::EvidenceRef;
use crate::report::model::{
    ReportInput, bracket, clock, flow_words, glued, mfa_words, places, several,
};
use crate::report::sheet::Sheet;
use crate::signin::Guid;

/// Hosts told in full.
const HOSTS: usize = 4;
/// Codes told.
const CODES: usize = 6;
/// Ids of one kind told.
const IDS: usize = 4;
/// Places named behind one statement.
const PLACES: usize = 4;

impl Handover {
    /// Whom the block is for.
    pub const fn title(&self) -> &'static str {
        match self.team {
            Team::Identity => "For the identity team, to paste",
            Team::Network => "For the network team, to paste",
        }
    }

    /// What is wanted, and how sure it is.
    pub fn wish(&self) -> String {
        let doubt = match self.confidence {
            "high" => "",
            "medium" => " This is the most likely reason, not a proven one.",
            _ => " This is a possible reason only.",
        };
        format!("{}{doubt}", self.request)
    }

    /// The block as it is pasted.
    pub fn sheet(&self, report: &ReportInput<'_>) -> Sheet {
        let mut sheet = Sheet::default();
        sheet.text(0, &self.wish());
        sheet.blank();
        if let Some(network) = &self.network {
            network_block(&mut sheet, report, self, network);
        }
        if let Some(identity) = &self.identity {
            identity_block(&mut sheet, report, self, identity);
        }
        sheet
    }
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
    sheet: &mut Sheet,
    report: &ReportInput<'_>,
    handover: &Handover,
    network: &NetworkHandover,
) {
    for (number, host) in (1_usize..).zip(network.hosts.iter().take(HOSTS)) {
        sheet.head(&format!("{number}. {}, TCP {}", host.host, host.port));
        one_host(sheet, report, handover, host);
        sheet.blank();
    }
    if let Some(more) = network.hosts.len().checked_sub(HOSTS).filter(|more| *more > 0) {
        sheet.text(0, &format!("And {more} more hosts; they are in the JSON report."));
        sheet.blank();
    }
    allow(sheet, network);
    if !network.exempt.is_empty() {
        if !network.allow.is_empty() {
            sheet.blank();
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
                sheet.text(0, words);
                sheet.text(2, &some(&hosts, 10));
            }
        }
    }
    checks(sheet, handover, network);
}

fn one_host(sheet: &mut Sheet, report: &ReportInput<'_>, handover: &Handover, host: &HostFacts) {
    if !host.needed_for.is_empty() {
        sheet.fact("Needed for", &host.needed_for.join("; "));
    }
    if let Some(words) = when(host) {
        sheet.fact("When", &words);
    }
    let mut from = handover.client.words.clone();
    if !host.clients.is_empty() {
        let word = if from.is_empty() { "" } else { ", " };
        let _ = write!(from, "{word}address {}", some(&host.clients, 4));
    }
    if !from.is_empty() {
        sheet.fact("From", &from);
    }
    let to = match (host.via, host.proxies.is_empty(), host.servers.is_empty()) {
        ("proxy", false, _) => Some(format!("by proxy {}", some(&host.proxies, 4))),
        ("proxy", true, _) => Some("by a proxy whose address the capture does not hold".into()),
        ("direct", _, false) => Some(format!("{}, no explicit proxy", some(&host.servers, 4))),
        (_, _, false) => Some(some(&host.servers, 4)),
        _ => None,
    };
    sheet.fact("To", &to.unwrap_or_else(|| "the capture holds no address for them".to_owned()));
    for note in &host.server_notes {
        sheet.fact("", note);
    }
    let mut label = "Seen";
    for seen in host.seen.iter().take(6) {
        sheet.fact(label, &format!("{}{}", seen_words(seen), cite(report, &seen.refs)));
        label = "";
    }
    if host.seen.is_empty() {
        sheet.fact("Seen", "no request to it that failed is in the capture");
    }
    let mut label = "Certificate";
    for issuer in host.certificate_issuers.iter().take(3) {
        sheet.fact(label, &format!("issued by {issuer}"));
        label = "";
    }
    sheet.fact("Expected", &host.expected.join("; "));
    sheet.fact("Listed", &listed_words(host.listed, handover.list_version()));
    for other in &host.alternatives {
        let words = if other.failed {
            format!("{} would do as well; it failed too", other.host)
        } else {
            format!("{} would do as well; no request to it is seen to fail", other.host)
        };
        sheet.fact("Instead", &words);
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

fn allow(sheet: &mut Sheet, network: &NetworkHandover) {
    if network.allow.is_empty() {
        return;
    }
    sheet.text(0, "Please allow:");
    let mut from_list = false;
    for one in &network.allow {
        let ports: Vec<String> = one.ports.iter().map(ToString::to_string).collect();
        let set = one.listed.map(|listed| {
            from_list = true;
            format!("set {}, ", listed.endpoint_set)
        });
        let head = format!("{}TCP {}", set.unwrap_or_default(), ports.join(" and "));
        sheet.text(2, &format!("{head}:"));
        sheet.text(4, &some(&one.hosts, 20));
        if !one.address_ranges.is_empty() {
            let ranges = one.address_ranges.join(", ");
            sheet.text(4, &format!("addresses: {ranges}, and IPv6 ranges of the list"));
        }
    }
    if from_list {
        let list = network.list;
        let words = format!("Sets: {}, version {}. {}", list.name, list.version, list.note);
        sheet.text(2, &words);
    }
}

fn checks(sheet: &mut Sheet, handover: &Handover, network: &NetworkHandover) {
    let Some(system) = network.checks.first().map(|check| check.system) else { return };
    sheet.blank();
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
    sheet.text(0, &place);
    let mut told: Vec<&str> = Vec::new();
    for check in network.checks.iter().filter(|check| !told_once(check.purpose, &mut told)) {
        sheet.code(2, &check.command);
        sheet.note(&format!("good: {}", check.expected));
    }
    sheet.text(2, "Before the change they show the fault above.");
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
    sheet: &mut Sheet,
    report: &ReportInput<'_>,
    handover: &Handover,
    identity: &IdentityHandover,
) {
    let mut label = "Seen";
    for fact in &identity.seen {
        sheet.fact(label, &format!("{}{}", fact.sentence, cite(report, &fact.refs)));
        label = "";
    }
    codes(sheet, report, identity);
    if let Some(result) = &identity.result {
        let meaning = result.meaning.map(|text| format!(": {text}")).unwrap_or_default();
        sheet.fact("Result", &format!("{}{meaning}", result.value));
    }
    sheet.fact("MFA", mfa_words(identity.mfa));
    if !identity.methods.is_empty() {
        let methods: Vec<String> = identity
            .methods
            .iter()
            .map(|one| match one.meaning {
                Some(name) => format!("{} ({name})", one.value),
                None => one.value.clone(),
            })
            .collect();
        sheet.fact("Methods", &some(&methods, 6));
    }
    if let Some(policy) = &identity.policy_page {
        let reading = policy.meaning.map(|text| format!(": {text}")).unwrap_or_default();
        sheet.fact("Policy page", &format!("{}{reading}", policy.value));
    }
    for (label, text) in [
        ("User", &identity.user),
        ("Tenant", &identity.tenant),
        ("Application", &identity.application.as_ref().map(ToString::to_string)),
        ("Resource", &identity.resource),
    ] {
        if let Some(text) = text {
            sheet.fact(label, text);
        }
    }
    sheet.fact("Flow", flow_words(identity.flow));
    if !handover.client.words.is_empty() {
        sheet.fact("Client", &handover.client.words);
    }
    if let Some((first, last)) = identity.first.zip(identity.last) {
        let (first, last) = (glued(&clock(first)), glued(&clock(last)));
        let when = if first == last { first } else { format!("{first} to {last}") };
        sheet.fact("When", &when);
    }
    ids(sheet, "Policies", &identity.policy_ids);
    ids(sheet, "Correlation", &identity.correlation_ids);
    request_ids(sheet, identity);
    sheet.blank();
    sheet.text(0, "Asked of you:");
    numbered(sheet, &identity.asks);
    if !identity.support_case.is_empty() {
        sheet.blank();
        sheet.text(0, "For a case with Microsoft, send:");
        for one in &identity.support_case {
            sheet.item("-", one);
        }
    }
    look_up(sheet, identity);
}

fn codes(sheet: &mut Sheet, report: &ReportInput<'_>, identity: &IdentityHandover) {
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
        sheet.fact(label, &words);
        let number = format!("AADSTS{}", code.code);
        let is_told = identity.seen.iter().any(|fact| fact.text.starts_with(&number));
        if let Some(meaning) =
            code.meaning.filter(|_| (code.decided || code.name.is_none()) && !is_told)
        {
            sheet.fact("", meaning);
        }
        label = "";
    }
    if let Some(more) = identity.codes.len().checked_sub(CODES).filter(|more| *more > 0) {
        sheet.fact("", &format!("and {more} more (all are in the JSON report)"));
    }
}

fn ids(sheet: &mut Sheet, label: &'static str, ids: &[Guid]) {
    let mut label = label;
    for id in ids.iter().take(IDS) {
        sheet.fact(label, id.as_str());
        label = "";
    }
    if let Some(more) = ids.len().checked_sub(IDS).filter(|more| *more > 0) {
        sheet.fact("", &format!("and {more} more (all are in the JSON report)"));
    }
}

/// Request ids: those that came with a code first, since the log has them by it.
fn request_ids(sheet: &mut Sheet, identity: &IdentityHandover) {
    let coded: Vec<(&Guid, &CodeFact)> = identity
        .codes
        .iter()
        .filter_map(|code| Some((code.request_id.as_ref()?, code)))
        .take(IDS)
        .collect();
    let mut label = "Request";
    for (id, code) in &coded {
        sheet.fact(label, &format!("{id} (AADSTS{})", code.code));
        label = "";
    }
    let room = IDS.saturating_sub(coded.len());
    let others: Vec<&Guid> =
        identity.request_ids.iter().rev().filter(|id| coded.iter().all(|(c, _)| c != id)).collect();
    for id in others.iter().take(room) {
        sheet.fact(label, id.as_str());
        label = "";
    }
    if let Some(more) = others.len().checked_sub(room).filter(|more| *more > 0) {
        sheet.fact("", &format!("and {more} more (all are in the JSON report)"));
    }
}

fn numbered(sheet: &mut Sheet, lines: &[String]) {
    for (number, line) in (1_usize..).zip(lines) {
        sheet.item(&format!("{number}."), line);
    }
}

fn look_up(sheet: &mut Sheet, identity: &IdentityHandover) {
    sheet.blank();
    sheet.text(0, "Where to look:");
    numbered(sheet, &identity.portal);
    for (what, query) in [
        ("Log Analytics (KQL), the sign-in:", &identity.kql),
        ("Log Analytics (KQL), its policies:", &identity.policies_kql),
    ] {
        let Some(query) = query else { continue };
        sheet.blank();
        sheet.text(2, what);
        for line in query.lines() {
            sheet.code(4, line);
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
            sheet.blank();
            let below =
                format!("Microsoft Graph, GET below https://{}/v1.0{part}:", identity.graph_host);
            sheet.text(2, &below);
            let mut for_user = false;
            for request in requests {
                sheet.code(4, request);
                for_user |= request.contains("/USER/");
            }
            if for_user {
                sheet.text(2, "USER stands for the name of the user in full.");
            }
        }
    }
}
