//! One row of a table, or one rule, as an entry.
//!
//! Texts that a row does not have itself come from the notes on its class. It must not look anything
//! up by what a user wrote.
//!
//! Invariant: what no public source confirms stands for no side.

use std::fmt::Write as _;

use super::{Books, Detail, Entry, Kind};
use crate::entra::failures::Producer;
use crate::entra::policy_pages::PolicyText;
use crate::entra::{
    self, AlertRow, AlertStatus, ErrorRow, FailureRow, Fault, GuideCause, MethodRow, MethodShape,
    Nature, NoteRow, NoteSubject, PageRow, PolicyPageRow, ResultClass, ResultRow, StepKind,
    endpoints, note,
};
use crate::finding::RuleMeta;
use crate::report::model::{guide_words, mfa_words, step_words};
use crate::report::rules::{family, section};
use crate::signin::{Outcome, Side};

/// Most paths named for one step.
const PATHS: usize = 6;

fn detail(label: &'static str, text: impl Into<String>) -> Detail {
    Detail { label, text: text.into() }
}

/// An entry that has no texts yet.
fn blank(kind: Kind, key: impl Into<String>) -> Entry {
    Entry {
        kind,
        key: key.into(),
        name: None,
        meaning: String::new(),
        details: Vec::new(),
        wire_sign: String::new(),
        look_alike: String::new(),
        next_step: String::new(),
        matter: String::new(),
        outcome: None,
        side: None,
        guide: None,
        rules: Vec::new(),
        verified: true,
        source: String::new(),
        signs_source: None,
        as_of: entra::AS_OF,
    }
}

/// The first of two texts that says something.
fn either<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// A text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}

const fn whose(side: Side) -> &'static str {
    match side {
        Side::Application => "the application or the client software",
        Side::CannotTell => "cannot be told from this alone",
        Side::Network => "the network",
        Side::NothingWrong => "nobody: nothing is wrong",
        Side::Policy => "a policy of the organisation",
        Side::Service => "the sign-in service",
        Side::User => "the user or the user's method",
    }
}

/// Whose matter it is, with the names that the reports use.
fn matter(outcome: Option<Outcome>, side: Option<Side>) -> String {
    match (side, outcome) {
        (None, _) => "not told: no public source confirms its meaning".to_owned(),
        (Some(side), None) => format!("{} (side {side})", whose(side)),
        (Some(side), Some(outcome)) => {
            format!("{} (side {side}, outcome {outcome})", whose(side))
        }
    }
}

/// An error code.
pub(super) fn code(row: &'static ErrorRow) -> Entry {
    let number = row.code.to_string();
    let key = format!("{}/{}", row.category, row.nature);
    let kind = note(NoteSubject::Code, &key);
    let (wire, alike, next, signs) = match (entra::code_note(row.code), kind) {
        (Some(own), _) => (own.wire_sign, own.alike, own.next_step, own.source),
        (None, Some(kind)) => (kind.wire_sign, kind.alike, kind.next_step, kind.source),
        (None, None) => ("", "", "", ""),
    };
    let verified = row.is_verified();
    let ends = verified && !row.is_step();
    let outcome = row.outcome.or_else(|| ends.then(|| row.effective_outcome()));
    let side = row.side.or_else(|| ends.then(|| row.effective_side()));
    let words = match row.nature {
        Nature::Challenge => "asks for MFA; what follows decides",
        Nature::Failure => "an end, unless the user tries again",
        Nature::Interrupt => "a step that looks like an error",
        Nature::MfaFailed => "the challenge or second factor was not passed",
        Nature::Registration => "sends the user to register a method",
    };
    let matter = match (row.is_step(), side) {
        (true, Some(_)) => format!("if the sign-in ends here: {}", matter(outcome, side)),
        (true, None) => "decided by what follows; by itself nothing is wrong".to_owned(),
        (false, _) => matter(outcome, side),
    };
    Entry {
        name: (!row.name.is_empty()).then_some(row.name),
        meaning: row.meaning.to_owned(),
        details: vec![detail("Field", format!("{}; {words}", row.category))],
        wire_sign: wire.replace("{code}", &number),
        look_alike: alike.to_owned(),
        next_step: next.to_owned(),
        matter,
        outcome,
        side,
        guide: row.guide,
        verified,
        source: row.source.to_owned(),
        signs_source: Some(signs),
        ..blank(Kind::AadstsCode, format!("AADSTS{}", row.code))
    }
}

/// A result value.
pub(super) fn result(row: &'static ResultRow) -> Entry {
    let kind = note(NoteSubject::Result, row.class.as_str());
    let matter = match row.class {
        ResultClass::Ok => "nobody: nothing is wrong at this call".to_owned(),
        ResultClass::Pending => "nobody yet: the challenge is still open".to_owned(),
        _ => matter(row.outcome, row.side),
    };
    Entry {
        meaning: row.meaning.to_owned(),
        details: vec![
            detail("Class", row.class.as_str()),
            detail("MFA then", mfa_words(row.mfa_state)),
        ],
        wire_sign: kind.map_or("", |kind| kind.wire_sign).to_owned(),
        look_alike: either(row.alike, kind.map_or("", |kind| kind.alike)).to_owned(),
        next_step: row.next_step.to_owned(),
        matter,
        outcome: row.outcome,
        side: row.side,
        guide: row.guide,
        verified: row.is_verified(),
        source: row.source.to_owned(),
        signs_source: kind.map(|kind| kind.source),
        ..blank(Kind::MfaResult, row.value)
    }
}

/// A method.
pub(super) fn method(row: &'static MethodRow) -> Entry {
    let own = note(NoteSubject::Method, row.value);
    let kind = own.or_else(|| note(NoteSubject::Method, row.shape.as_str()));
    let shape = match row.shape {
        MethodShape::Leaves => "the browser goes to another host and comes back",
        MethodShape::Poll => "the page polls until the user has answered",
        MethodShape::Typed => "the user types it into the page",
    };
    Entry {
        meaning: sentence(row.name),
        details: vec![detail("Shape", shape)],
        matter: "nobody: it is the method, and its result decides".to_owned(),
        verified: row.is_verified(),
        source: row.source.to_owned(),
        ..noted(blank(Kind::MfaMethod, row.value), kind)
    }
}

/// A page.
pub(super) fn page(row: &'static PageRow) -> Entry {
    Entry {
        meaning: row.meaning.to_owned(),
        details: vec![detail("Step", step_words(row.step))],
        matter: "decided by the code on the page and by what follows".to_owned(),
        verified: row.is_verified(),
        source: row.source.to_owned(),
        ..noted(blank(Kind::Page, row.pgid), note(NoteSubject::Page, row.pgid))
    }
}

/// How a number of a policy page is written.
pub(super) fn policy_page_key(row: &PolicyPageRow) -> String {
    let field = match row.kind {
        PolicyText::Description => "iErrorDescription",
        PolicyText::Title => "iErrorTitle",
    };
    format!("{field} {}", row.number)
}

/// A number of a policy page.
pub(super) fn policy_page(row: &'static PolicyPageRow) -> Entry {
    let kind = note(NoteSubject::PolicyPage, row.kind.as_str());
    let own = note(NoteSubject::PolicyPage, &format!("{}/{}", row.kind, row.number));
    let bears = if row.bears_on_mfa { "yes, directly" } else { "no" };
    let general = noted(blank(Kind::PolicyPage, policy_page_key(row)), kind);
    let next = own.map_or(general.next_step.as_str(), |own| own.next_step).to_owned();
    let outcome = Outcome::BlockedByPolicy;
    Entry {
        meaning: sentence(row.reading),
        details: vec![detail("Bears on MFA", bears)],
        wire_sign: general.wire_sign.replace("{number}", &row.number.to_string()),
        next_step: next,
        matter: matter(Some(outcome), Some(outcome.default_side())),
        outcome: Some(outcome),
        side: Some(outcome.default_side()),
        guide: row.guide,
        verified: row.is_verified(),
        source: row.source.to_owned(),
        signs_source: None,
        ..general
    }
}

/// A TLS alert.
pub(super) fn alert(row: &'static AlertRow) -> Entry {
    let kind = note(NoteSubject::Alert, row.status.as_str());
    let status = match row.status {
        AlertStatus::Current => "in use",
        AlertStatus::Reserved => "reserved: only versions that have ended sent it",
    };
    let hex = format!("{:02x}", row.number);
    let wire = kind.map_or("", |kind| kind.wire_sign);
    Entry {
        name: Some(row.name),
        meaning: row.meaning.to_owned(),
        details: vec![
            detail("From client", row.from_client),
            detail("From server", row.from_server),
            detail("Status", status),
        ],
        wire_sign: wire.replace("{hex}", &hex).replace("{number}", &row.number.to_string()),
        look_alike: row.alike.to_owned(),
        next_step: row.next_step.to_owned(),
        matter: match row.side {
            Some(Side::NothingWrong) => matter(None, row.side),
            Some(side) => format!("most often {}", matter(None, Some(side))),
            None => "depends on who sent it and why; see above".to_owned(),
        },
        side: row.side,
        verified: row.is_verified(),
        source: row.source.to_owned(),
        ..blank(Kind::TlsAlert, format!("TLS alert {}", row.number))
    }
}

/// A failure text.
pub(super) fn failure(row: &'static FailureRow, books: &Books<'_>) -> Entry {
    let writer = match row.producer {
        Producer::Chromium => "Chrome, Edge and their family",
        Producer::Fiddler => "Fiddler",
        Producer::Firefox => "Firefox",
        Producer::Packets => "this program, for what packets show",
        Producer::Safari => "Safari",
    };
    let kind = note(NoteSubject::Producer, row.producer.as_str());
    let stage = note(NoteSubject::Fault, row.stage.as_str());
    let rules = (books.fed)(row);
    let by_rule = rules.iter().find_map(|id| {
        let meta = books.rules.iter().find(|meta| meta.id == *id)?;
        meta.side
    });
    let unclear = matches!(row.fault, Fault::Aborted | Fault::Failed | Fault::HttpStatus);
    let by_row = match (unclear, row.network) {
        (true, _) => None,
        (false, true) => Some(Side::Network),
        (false, false) => Some(Side::Application),
    };
    let side = if unclear { None } else { by_rule.or(by_row) };
    let matter = match side {
        None => "not told by the text; what stands around the request decides".to_owned(),
        Some(_) => format!("{}, if the sign-in needs the request", matter(None, side)),
    };
    Entry {
        meaning: row.meaning.to_owned(),
        details: vec![
            detail("Written by", writer),
            detail("Fault", format!("{}, at stage {}", row.fault, row.stage)),
        ],
        wire_sign: kind.map_or("", |kind| kind.wire_sign).to_owned(),
        look_alike: either(row.alike, stage.map_or("", |stage| stage.alike)).to_owned(),
        next_step: row.next_step.to_owned(),
        matter,
        side,
        rules,
        verified: row.is_verified(),
        source: row.source.to_owned(),
        signs_source: kind.map(|kind| kind.source),
        ..blank(Kind::FailureText, row.pattern)
    }
}

/// A rule.
pub(super) fn rule(meta: &'static RuleMeta) -> Entry {
    let plain = |heading| section(meta, heading).replace('`', "");
    Entry {
        name: Some(meta.name),
        meaning: plain("What it finds"),
        details: vec![
            detail("Why it breaks", plain("Why it breaks sign-in")),
            detail("Family", family(meta.family)),
            detail("Severity", meta.severity.as_str()),
            detail("In short", meta.advice),
        ],
        wire_sign: plain("Evidence it needs"),
        look_alike: plain("What looks like it"),
        next_step: plain("What to do"),
        matter: match meta.side {
            Some(_) => matter(None, meta.side),
            None => "as the finding says: the rule names no side by itself".to_owned(),
        },
        side: meta.side,
        guide: meta.guide,
        source: plain("References"),
        ..blank(Kind::Rule, meta.id.0)
    }
}

/// An outcome.
pub(super) fn outcome(outcome: Outcome) -> Entry {
    let side = outcome.default_side();
    let found = note(NoteSubject::Outcome, outcome.as_str());
    Entry {
        meaning: outcome.sentence().to_owned(),
        matter: match outcome {
            Outcome::OtherError => "by the field of the code that decided".to_owned(),
            _ => format!("{}, unless a finding proves another side", matter(None, Some(side))),
        },
        outcome: Some(outcome),
        side: (outcome != Outcome::OtherError).then_some(side),
        ..noted(blank(Kind::Outcome, outcome.as_str()), found)
    }
}

/// A side.
pub(super) fn side(side: Side) -> Entry {
    let found = note(NoteSubject::Side, side.as_str());
    Entry {
        meaning: found.map_or("", |found| found.meaning).to_owned(),
        matter: matter(None, Some(side)),
        side: Some(side),
        ..noted(blank(Kind::Side, format!("side {side}")), found)
    }
}

/// A cause of the guide.
pub(super) fn guide(cause: GuideCause) -> Entry {
    let found = note(NoteSubject::Guide, cause.as_str());
    Entry {
        name: Some(guide_words(cause)),
        meaning: found.map_or("", |found| found.meaning).to_owned(),
        matter: "as the finding says that supports it".to_owned(),
        guide: Some(cause),
        ..noted(blank(Kind::GuideCause, format!("guide cause {cause}")), found)
    }
}

/// A diagnostic.
pub(super) fn diagnostic(row: &'static NoteRow) -> Entry {
    Entry {
        meaning: row.meaning.to_owned(),
        matter: "the file: it says nothing about the sign-in".to_owned(),
        ..noted(blank(Kind::Diagnostic, format!("diagnostic {}", row.key)), Some(row))
    }
}

/// A step.
pub(super) fn step(step: StepKind) -> Entry {
    let found = note(NoteSubject::Step, step.as_str());
    let general = noted(blank(Kind::Step, format!("step {step}")), found);
    let wire = either(&general.wire_sign, &paths(step)).to_owned();
    let meaning = found.map_or("", |found| found.meaning);
    Entry {
        meaning: either(meaning, &sentence(step_words(step))).to_owned(),
        wire_sign: wire,
        matter: "nobody: it is a step, and its result decides".to_owned(),
        ..general
    }
}

/// The paths that stand for a step, as one sentence.
fn paths(step: StepKind) -> String {
    let mut told: Vec<String> = Vec::new();
    for row in endpoints::endpoints().filter(|row| row.step == step) {
        let method = if row.method == "*" { "" } else { row.method };
        let mut path = format!("{method} {}", row.path).trim().to_owned();
        if row.path == "/*" {
            let role = row.role.map_or("customer", entra::HostRole::as_str);
            path = format!("any path of hosts with the role {role}");
            if !row.label.is_empty() {
                let _ = write!(path, " ({})", row.label);
            }
        }
        if !told.contains(&path) {
            told.push(path);
        }
    }
    if told.is_empty() {
        return "No path of its own; the page or body says it.".to_owned();
    }
    let more = told.len().saturating_sub(PATHS);
    told.truncate(PATHS);
    let mut sentence = format!("Requests: {}", told.join(", "));
    if more > 0 {
        let _ = write!(sentence, " and {more} more");
    }
    if sentence.contains("{t}") {
        sentence.push_str("; {t} is the tenant");
    }
    sentence.push('.');
    sentence
}

/// An entry with the texts of a note.
fn noted(entry: Entry, found: Option<&'static NoteRow>) -> Entry {
    let Some(found) = found else { return entry };
    Entry {
        wire_sign: found.wire_sign.to_owned(),
        look_alike: found.alike.to_owned(),
        next_step: found.next_step.to_owned(),
        verified: found.is_verified(),
        source: found.source.to_owned(),
        signs_source: Some(found.source),
        ..entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::errors;

    #[test]
    fn what_is_unverified_stands_for_no_side() {
        for entry in errors::errors().map(code).filter(|entry| !entry.verified) {
            assert!(entry.side.is_none() && entry.outcome.is_none(), "{}", entry.key);
            assert!(entry.matter.contains("no public source"), "{}", entry.key);
        }
    }

    #[test]
    fn a_step_does_not_accuse() {
        let challenge = code(entra::error(50074).unwrap());
        assert_eq!((challenge.side, challenge.outcome), (None, None));
        assert!(challenge.matter.starts_with("decided by what follows"));
        let denied = result(entra::result("PhoneAppDenied").unwrap());
        assert_eq!(denied.side, Some(Side::User));
        assert!(denied.matter.contains("mfa_denied"));
    }

    #[test]
    fn sentences_begin_large_and_end_with_a_stop() {
        assert_eq!(sentence("app not approved"), "App not approved.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), ".");
    }
}
