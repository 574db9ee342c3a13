//! The page of the manual that says what is made of each thing on the wire.
//!
//! Its tables of values, codes, numbers and texts are made here: every row is told as a small sign-in and
//! analysed, and the row holds what came out (`UPDATE=1 cargo test --test protocol` writes them anew). The
//! rows between them are written by hand and checked: what they cite exists, and a capture that they name
//! gives the outcome and the rules that stand in the row.
#![expect(
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use mfatrace::analyze::{Analysis, rule_metas, rules_fed_by};
use mfatrace::entra::errors::errors;
use mfatrace::entra::failures::failures;
use mfatrace::entra::policy_pages::{PolicyText, policy_pages};
use mfatrace::entra::results::results;
use mfatrace::entra::{
    ErrorRow, Nature, Outcome, PolicyPageRow, ResultClass, ResultRow, Side, error,
};
use mfatrace::evidence::Redaction;
use mfatrace::signin::{Flow, SignInAttempt};
use mfatrace::verdict::GuideAnswer;
use serde_json::json;

use support::exchange::{Told, get, post};
use support::memory::run_bytes;
use support::signin::{
    STS, TENANT, answered, authorize, begin, challenge, elsewhere, end, finish, granted, har,
    hidden_form, line, page, passed, password, refusal, refused, script, token,
};

const PAGE: &str = "src/manual/protocol.md";
const PUSH: &str = "PhoneAppNotification";

/// What did not come out as a row of a table says.
static WRONG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn same<T: PartialEq + std::fmt::Debug>(got: &T, wanted: &T, what: &str) {
    if got != wanted {
        WRONG.lock().unwrap().push(format!("{what}: {got:?} and not {wanted:?}"));
    }
}

fn run(told: &[Told]) -> Analysis {
    run_bytes(har(told))
}

/// The attempt that the verdict follows.
fn attempt(analysis: &Analysis) -> &SignInAttempt {
    analysis.verdict.attempt.and_then(|id| analysis.signin.attempt(id)).unwrap()
}

fn verdict(analysis: &Analysis) -> (Outcome, Side) {
    (analysis.verdict.outcome, analysis.verdict.side)
}

/// Outcome, side and rule in a cell of a table.
fn cell(analysis: &Analysis) -> String {
    let (outcome, side) = verdict(analysis);
    let rule = analysis.verdict.cause.map(|rule| format!(", {rule}")).unwrap_or_default();
    format!("`{outcome}`, {}{rule}", side.as_str().replace('_', " "))
}

fn supported(analysis: &Analysis) -> String {
    let all: Vec<String> = analysis
        .verdict
        .guide
        .iter()
        .filter(|one| one.answer == GuideAnswer::Supported)
        .map(|one| one.cause.as_str().replace('_', " "))
        .collect();
    all.join(", ")
}

/// Text of a table's cell.
fn plain(text: &str) -> String {
    text.trim_end_matches('.').replace('|', "\\|").replace('<', "&lt;").replace('_', "\\_")
}

// ---- result values ----

fn with_result(value: &str) -> Vec<Told> {
    let waits = mfatrace::entra::result(value).is_some_and(|row| row.is_pending());
    let mut told =
        vec![authorize(), password(&challenge(&[PUSH])), script(), begin(PUSH, "Success")];
    told.push(end(PUSH, "AuthenticationPending", true));
    told.push(end(PUSH, value, waits));
    if value == "Success" {
        told.push(finish(hidden_form()));
    } else if !waits {
        told.push(elsewhere());
    }
    told
}

fn on_begin(value: &str) -> Vec<Told> {
    vec![authorize(), password(&challenge(&[PUSH])), script(), begin(PUSH, value), elsewhere()]
}

fn result_row(row: &ResultRow) -> String {
    let at_end = run(&with_result(row.value));
    if let (Some(outcome), Some(side)) = (row.outcome, row.side) {
        for analysis in [&at_end, &run(&on_begin(row.value))] {
            same(&verdict(analysis), &(outcome, side), row.value);
            same(&attempt(analysis).mfa, &row.mfa_state, row.value);
            let told = analysis.findings.iter().find(|one| one.meta.id.0 == "MFA002").unwrap();
            let shown = told.summary.shown(Redaction::Secrets);
            same(&(told.decisive, shown.contains(row.value)), &(true, true), &shown);
            let advice = told.advice.as_ref().unwrap().shown(Redaction::Secrets);
            same(&advice.starts_with(row.next_step), &true, &advice);
        }
    } else if row.class != ResultClass::Ok {
        same(&verdict(&at_end), &(Outcome::Undetermined, Side::CannotTell), row.value);
    }
    let open = if row.is_pending() { " (still open)" } else { "" };
    let state = attempt(&at_end).mfa;
    format!(
        "| `{}` | {} | {}{open} | {state} | {} |\n",
        row.value,
        plain(row.meaning),
        cell(&at_end),
        supported(&at_end)
    )
}

fn result_table() -> String {
    let mut text = String::from(
        "| value | what it says | as the last answer of a challenge | MFA | supports |\n| --- | --- | \
         --- | --- | --- |\n",
    );
    for row in results() {
        text.push_str(&result_row(row));
    }
    text
}

// ---- codes ----

/// The page on which a code stands.
fn page_of(row: &ErrorRow) -> String {
    let config = json!({"sErrorCode": row.code.to_string()});
    match row.nature {
        Nature::Registration => page("ConvergedProofUpRedirect", &config),
        Nature::Challenge => challenge(&[PUSH])
            .replace("\"pgid\":", &format!("\"sErrorCode\":\"{}\",\"pgid\":", row.code)),
        Nature::Interrupt => page("ConvergedSignIn", &config),
        Nature::Failure | Nature::MfaFailed => refusal(row.code),
    }
}

fn on_page(row: &ErrorRow) -> Vec<Told> {
    vec![authorize(), password(&page_of(row)), elsewhere()]
}

fn in_token(row: &ErrorRow) -> Vec<Told> {
    let asked = token("grant_type=refresh_token&refresh_token=x");
    vec![refused(asked, "invalid_grant", row.code), elsewhere()]
}

fn after_challenge(row: &ErrorRow) -> Vec<Told> {
    let mut told = passed(&page_of(row));
    told.push(elsewhere());
    told
}

/// Codes that belong together, by what they say about a challenge that was not passed.
const GROUPS: &[(&str, &str, &[u32])] = &[
    (
        "MFA is asked for",
        "A question and not an answer; what follows decides. On a request that cannot show a page the \
         question is the end. 50078 says that the user passed MFA too long ago for the policy; the \
         method is fine. 50158 leads to terms of use or to an external provider.",
        &[50074, 50076, 50078, 50158],
    ),
    (
        "The user has to register a method",
        "50079 also stands where an identity provider of the company signed the user in and did not \
         say that MFA was done. 50203 asks for the Authenticator app, mostly of users who have \
         another method, and the page may let them skip it.",
        &[50072, 50079, 50203],
    ),
    (
        "The challenge was not passed, or MFA itself failed",
        "500121 says only that the challenge failed; the result value says why. 50087 may be tried \
         again. 50088 limits calls and messages of a user.",
        &[50086, 50087, 50088, 500_121],
    ),
    (
        "The page or its session was lost",
        "Open too long, cookies gone, or the back button: a new private window.",
        &[50089, 165_000, 165_004, 165_100],
    ),
    (
        "The device or certificate did not prove itself",
        "50097 is a step where the device answers. Where a host that asks for a certificate is seen \
         to be inspected or out of reach, the side is the network (PRX008, TLS004).",
        &[50097, 50155, 50187, 50192],
    ),
    (
        "The first factor or the account failed",
        "MFA was not reached. 50053 also stands where the address of the client has a bad name.",
        &[50034, 50053, 50055, 50056, 50057, 50125, 50126, 50144],
    ),
    (
        "An app or a device is demanded",
        "Broker, registration, app protection, approved app; the codes that end in 1 say that the \
         browser cannot prove the state of the device. 220450: the browser inside the app is too old.",
        &[50127, 50129, 53000, 53001, 53002, 53009, 220_450, 530_001, 530_011, 530_021],
    ),
    (
        "A policy refuses",
        "MFA cannot help. 530033 is about device codes, 530034 about a delegated administrator, \
         530035 about security defaults. For 530031 see decision 60.",
        &[53003, 530_031, 530_032, 530_033, 530_034, 530_035],
    ),
    (
        "Registration is refused",
        "From this place, with this risk, or with this kind of credential.",
        &[53004, 53010, 53011, 54009, 54010],
    ),
    (
        "The sign-in is too old for the policy",
        "Sign-in frequency: the user has to sign in again, and the method is fine.",
        &[70043, 70044, 70046],
    ),
    (
        "A session or grant ended",
        "Password changed, session revoked, or not used for long.",
        &[50132, 50133, 50173, 70008, 700_082],
    ),
    (
        "Normal steps that look like errors",
        "Found first by who searches a capture, and never the reason while something follows (STS004).",
        &[16000, 16001, 16002, 16003, 50058, 50140, 50168, 50199],
    ),
    (
        "A method is switched off or its key is gone",
        "Authentication methods policy, Temporary Access Pass, Windows Hello and passkeys.",
        &[
            130_004, 130_005, 130_006, 130_007, 130_008, 130_500, 130_502, 130_503, 130_504,
            130_505, 131_010, 135_010, 135_011, 135_016,
        ],
    ),
    (
        "An external MFA provider",
        "50012 has other uses and counts as one of these only after a hand-off to a provider (MFA008).",
        &[50012, 50161, 900_491, 5_001_256],
    ),
    (
        "The application, its consent or the tenant",
        "75011: the application demanded another method than the one used. 90072: the account of \
         another tenant is not known in this one.",
        &[50105, 65001, 75011, 90002, 90072, 90094, 90095, 700_016],
    ),
    (
        "Tenant restrictions and access between tenants",
        "The first four are put on the request by a proxy or a device policy on the way (PRX007).",
        &[50002, 500_021, 500_022, 500_212, 500_213, 5_000_211],
    ),
    (
        "Clocks, revocation lists, old TLS",
        "Compare the clock first (CAP008). 50017 and 220501: the service itself could not get the \
         revocation list of a user's certificate. 1002016: TLS 1.0, 1.1 or 3DES (STS005). 230109: \
         the backup service was asked in a wrong way.",
        &[50017, 80013, 220_501, 230_109, 500_133, 700_024, 1_002_016],
    ),
];

fn code_row(row: &ErrorRow) -> String {
    let (paged, token, after) =
        (run(&on_page(row)), run(&in_token(row)), run(&after_challenge(row)));
    let said = (row.effective_outcome(), row.effective_side());
    if row.is_verified() && matches!(row.nature, Nature::Failure | Nature::MfaFailed) {
        for analysis in [&paged, &token, &after] {
            same(&verdict(analysis), &said, &row.code.to_string());
        }
    }
    // Whatever refuses behind a passed challenge, the user has passed it; unless the service forgot it.
    let lost = [Outcome::MfaAbandoned, Outcome::MfaServiceFailed, Outcome::PreventedByClient];
    if row.nature == Nature::Failure && !lost.contains(&said.0) {
        same(&attempt(&after).mfa.as_str(), &"passed", &row.code.to_string());
    }
    let meaning = plain(row.meaning);
    let known = if row.is_verified() { "" } else { " (no public source)" };
    format!(
        "| {} | {meaning}{known} | {} | {} | {} |\n",
        row.code,
        cell(&paged),
        cell(&token),
        cell(&after)
    )
}

fn code_table() -> String {
    let mut text = String::new();
    let mut group = |title: &str, words: &str, codes: &[u32]| {
        let _ = writeln!(
            text,
            "### {title}\n\n{words}\n\n| code | what it says | on a page | in a token answer | after a \
             passed challenge |\n| --- | --- | --- | --- | --- |"
        );
        for code in codes {
            text.push_str(&code_row(error(*code).unwrap()));
        }
        text.push('\n');
    };
    for (title, words, codes) in GROUPS {
        group(title, words, codes);
    }
    let told: BTreeSet<u32> =
        GROUPS.iter().flat_map(|(_, _, codes)| codes.iter().copied()).collect();
    let rest: Vec<u32> = errors()
        .filter(|row| row.mfa_related && !told.contains(&row.code))
        .map(|row| row.code)
        .collect();
    group("Further codes about MFA", "Told by the code rule (STS002) like any other.", &rest);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

// ---- numbers of policy pages ----

fn policy_row(row: &PolicyPageRow) -> String {
    let key = match row.kind {
        PolicyText::Title => "iErrorTitle",
        PolicyText::Description => "iErrorDescription",
    };
    let told = |more: serde_json::Value| {
        let body = page("ConvergedConditionalAccess", &more);
        run(&[authorize(), password(&body), elsewhere()])
    };
    let alone = told(json!({key: row.number}));
    let coded = told(json!({key: row.number, "sErrorCode": "53003"}));
    let wanted = format!("{} {}: {}", row.kind, row.number, row.reading);
    for analysis in [&alone, &coded] {
        same(&verdict(analysis), &(Outcome::BlockedByPolicy, Side::Policy), &wanted);
        let told = analysis.findings.iter().find(|one| one.meta.id.0 == "STS002").unwrap();
        let shown = told.summary.shown(Redaction::Secrets);
        same(&shown.contains(&wanted), &true, &format!("{wanted}: {shown}"));
        let answers = supported(analysis);
        let guide = row.guide.map_or("", |cause| cause.as_str()).replace('_', " ");
        same(&answers.contains(&guide), &true, &format!("{wanted}: {answers}"));
    }
    let bears = if row.bears_on_mfa { "yes" } else { "" };
    format!(
        "| {} {} | {} | {bears} | {} | {} |\n",
        row.kind,
        row.number,
        plain(row.reading),
        cell(&alone),
        supported(&alone)
    )
}

fn policy_table() -> String {
    let mut text = String::from(
        "| number | reading | bears on MFA | on a page without a code | supports |\n| --- | --- | --- | \
         --- | --- |\n",
    );
    for row in policy_pages() {
        text.push_str(&policy_row(row));
    }
    text
}

// ---- texts of failures ----

fn failure_table() -> String {
    let mut by_rule: BTreeMap<String, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for row in failures() {
        let fed = rules_fed_by(row);
        let mut rules = fed.iter().map(|id| id.0).filter(|id| *id != "CAP003").collect::<Vec<_>>();
        rules.sort_unstable();
        let rules = if rules.is_empty() { "none".to_owned() } else { rules.join(", ") };
        by_rule
            .entry(rules)
            .or_default()
            .entry(row.fault.as_str().to_owned())
            .or_default()
            .push(row.pattern);
    }
    let mut text =
        String::from("| told by | kind of failure | texts, among others |\n| --- | --- | --- |\n");
    for (rules, faults) in by_rule {
        for (fault, patterns) in faults {
            let shown: Vec<String> = patterns
                .iter()
                .take(4)
                .map(|one| format!("`{}`", one.replace('|', "\\|")))
                .collect();
            let more = patterns.len().saturating_sub(4);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = writeln!(
                text,
                "| {rules} | {} | {}{more} |",
                fault.replace('_', " "),
                shown.join(", ")
            );
        }
    }
    text
}

fn source_list() -> String {
    let mut sources: BTreeSet<&str> = BTreeSet::new();
    let all = results()
        .map(|row| row.source)
        .chain(errors().map(|row| row.source))
        .chain(policy_pages().map(|row| row.source))
        .chain(failures().map(|row| row.source));
    for source in all.flat_map(|source| source.split("; ")) {
        if !source.starts_with("unverified") {
            sources.insert(source);
        }
    }
    sources.iter().fold(String::new(), |mut text, source| {
        let _ = writeln!(text, "* {}", plain(source));
        text
    })
}

const TABLES: &[(&str, fn() -> String)] = &[
    ("results", result_table),
    ("codes", code_table),
    ("policy pages", policy_table),
    ("failures", failure_table),
    ("sources", source_list),
];

fn marks(name: &str) -> (String, String) {
    (format!("<!-- made: {name} -->\n"), format!("<!-- end: {name} -->"))
}

#[test]
fn the_tables_of_the_page_say_what_the_program_says() {
    let path = support::root().join(PAGE);
    let known = std::fs::read_to_string(&path).unwrap();
    let mut wanted = known.clone();
    for (name, make) in TABLES {
        let (begins, ends) = marks(name);
        let from = wanted.find(&begins).unwrap_or_else(|| panic!("{name}: no mark")) + begins.len();
        let to = wanted.find(&ends).unwrap_or_else(|| panic!("{name}: no end"));
        wanted.replace_range(from..to, &format!("\n{}\n", make()));
    }
    let wrong = WRONG.lock().unwrap();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(known == wanted, "{PAGE} is out of date; run this test with UPDATE=1");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_value_and_code_is_explained_with_a_next_step() {
    use mfatrace::report::explain::{Books, answers};
    let rules = rule_metas();
    let books = Books { rules: &rules, fed: &rules_fed_by };
    let keys = results()
        .map(|row| row.value.to_owned())
        .chain(errors().map(|row| row.code.to_string()))
        .chain(policy_pages().map(|row| format!("{} {}", row.kind, row.number)));
    let mut bare = Vec::new();
    for key in keys {
        let all = answers(std::slice::from_ref(&key), &books);
        let entries: Vec<_> = all.iter().flat_map(|one| &one.entries).collect();
        let fine = entries.iter().any(|one| {
            let texts = [&one.meaning, &one.wire_sign, &one.look_alike, &one.next_step];
            texts.iter().all(|text| text.len() > 8 && text.ends_with('.'))
        });
        if !fine {
            bare.push(key);
        }
    }
    assert!(bare.is_empty(), "{bare:?}");
}
