//! The page of the manual that says what is made of each thing on the wire.
//!
//! Its tables of values, codes, numbers and texts are made here: every row is told as a small sign-in and
//! analysed, and the row holds what came out (`UPDATE=1 cargo test --test protocol` writes them anew). The
//! rows between them are written by hand and checked: what they cite exists, and a capture that they name
//! gives the outcome and the rules that stand in the row.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use mfatrace::analyze::{Analysis, rule_metas, rules_fed_by};
use mfatrace::entra::errors::errors;
use mfatrace::entra::failures::{Producer, failures};
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
    let waits = mfatrace::entra::result(value).is_some_and(ResultRow::is_pending);
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
        "| {} | `{}` | {} | {}{open} | {state} | {} |\n",
        row.class,
        row.value,
        plain(row.meaning),
        cell(&at_end),
        supported(&at_end)
    )
}

fn result_table() -> String {
    let mut text = String::from(
        "| about | value | what it says | as the last answer of a challenge | MFA | supports |\n| --- | --- \
         | --- | --- | --- | --- |\n",
    );
    let mut rows: Vec<&ResultRow> = results().collect();
    rows.sort_by_key(|row| (row.class, row.value));
    for row in rows {
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
         530035 about security defaults. For 530031 see decision 56.",
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
    let (paged, token, after) = (cell(&paged), cell(&token), cell(&after));
    let ends = match (token == paged, after == paged) {
        (true, true) => paged,
        (false, true) => format!("{paged}; in a token answer {token}"),
        (true, false) => format!("{paged}; after a passed challenge {after}"),
        (false, false) => {
            format!("{paged}; in a token answer {token}; after a passed challenge {after}")
        }
    };
    format!("| {} | {meaning}{known} | {ends} |\n", row.code)
}

fn code_table() -> String {
    let mut text = String::new();
    let mut group = |title: &str, words: &str, codes: &[u32]| {
        let _ = writeln!(
            text,
            "### {title}\n\n{words}\n\n| code | what it says | as the end of an attempt |\n| --- | --- | --- |"
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
    let (reading, supports) = (plain(row.reading), supported(&alone));
    format!("| {} {} | {reading} | {bears} | {supports} |\n", row.kind, row.number)
}

fn policy_table() -> String {
    let mut text =
        String::from("| number | reading | bears on MFA | supports |\n| --- | --- | --- | --- |\n");
    for row in policy_pages() {
        text.push_str(&policy_row(row));
    }
    text
}

// ---- texts of failures ----

fn failure_table() -> String {
    let mut by_rule: BTreeMap<String, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for row in failures().filter(|row| row.producer != Producer::Packets) {
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
    for source in all.filter(|source| !source.starts_with("unverified")) {
        sources.extend(source.split("; "));
    }
    sources.iter().fold(String::new(), |mut text, source| {
        let _ = writeln!(text, "* {}", plain(source));
        text
    })
}

type Make = fn() -> String;

const TABLES: &[(&str, Make)] = &[
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

// ---- rows written by hand ----

/// The page without the tables that are made.
fn by_hand(page: &str) -> String {
    let mut rest = page.to_owned();
    for (name, _) in TABLES {
        let (begins, ends) = marks(name);
        let (from, to) = (rest.find(&begins).unwrap(), rest.find(&ends).unwrap());
        rest.replace_range(from..to, "");
    }
    rest
}

/// The cells of a table's row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split(" | ").map(str::trim).collect())
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Words that look like the id of a rule.
fn rule_ids(text: &str) -> BTreeSet<&str> {
    let families = ["CAP", "DNS", "TCP", "PRX", "TLS", "NET", "STS", "MFA"];
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| {
            word.len() == 6
                && families.iter().any(|family| word.starts_with(family))
                && word.bytes().skip(3).all(|byte| byte.is_ascii_digit())
        })
        .collect()
}

/// The numbers of the decisions that a text names.
fn decisions(text: &str) -> Vec<u32> {
    let digits = |text: &str| {
        text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok()
    };
    text.split("ecision ").skip(1).filter_map(digits).collect()
}

/// Whether a test or story that a row names is there.
fn is_told(name: &str, corpus: &str, rows: &[support::Row]) -> bool {
    if let Some(path) = name.strip_prefix("captures/") {
        return rows.iter().any(|row| row.path == path);
    }
    if let Some((file, test)) = name.split_once(": ") {
        let text = std::fs::read_to_string(support::root().join(file)).unwrap_or_default();
        return text.contains(&format!("fn {test}("));
    }
    corpus.contains(&format!("\"{name}\""))
}

/// The stories of the measured judgement, as text.
fn corpus() -> String {
    let folder = support::root().join("tests/support/confusion");
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("stories_") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// What is wrong with a row: on the wire, what is made of it, where that is shown.
fn row_is_wrong(
    all: &[&str],
    corpus: &str,
    rows: &[support::Row],
    known: &BTreeSet<u32>,
) -> Vec<String> {
    let [_, made, shown] = all else { return vec!["not three cells".to_owned()] };
    let mut wrong = Vec::new();
    let named: Vec<&str> = quoted(shown).collect();
    let told = decisions(made).len() + decisions(shown).len();
    let above = shown.contains("table");
    if named.is_empty() && told == 0 && !above {
        wrong.push("nothing shows it".to_owned());
    }
    for name in &named {
        if !is_told(name, corpus, rows) {
            wrong.push(format!("{name} is not there"));
        }
    }
    for number in decisions(made).into_iter().chain(decisions(shown)) {
        if !known.contains(&number) {
            wrong.push(format!("no decision {number}"));
        }
    }
    let outcomes: Vec<Outcome> = quoted(made).filter_map(Outcome::parse).collect();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let captures: Vec<&str> =
        named.iter().filter_map(|name| name.strip_prefix("captures/")).collect();
    for path in &captures {
        let Some(row) = rows.iter().find(|row| row.path == *path) else { continue };
        let analysis = support::run_row(row);
        found.extend(analysis.findings.iter().map(|finding| finding.meta.id.0));
        let outcome = analysis.verdict.outcome;
        if !outcomes.is_empty() && !outcomes.contains(&outcome) {
            wrong.push(format!("{path} gives {outcome}"));
        }
    }
    if captures.len() == named.len() && !captures.is_empty() {
        let silent: Vec<&str> =
            rule_ids(made).into_iter().filter(|id| !found.contains(id)).collect();
        if !silent.is_empty() {
            wrong.push(format!("{silent:?} not found, but {found:?}"));
        }
    }
    wrong
}

#[test]
fn rows_written_by_hand_hold() {
    let page = std::fs::read_to_string(support::root().join(PAGE)).unwrap();
    let text = std::fs::read_to_string(support::root().join("src/manual/decisions.md")).unwrap();
    let known: BTreeSet<u32> = text
        .lines()
        .filter_map(|line| line.split_once(". **").and_then(|(number, _)| number.parse().ok()))
        .collect();
    let (corpus, manifest) = (corpus(), support::manifest());
    let mut wrong = Vec::new();
    let by_hand = by_hand(&page);
    let mut lines = by_hand.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let is_head = lines.peek().is_some_and(|next| next.starts_with("| --- "));
        let Some(all) = cells(line).filter(|_| !is_head && !line.starts_with("| --- ")) else {
            continue;
        };
        count += 1;
        for problem in row_is_wrong(&all, &corpus, &manifest, &known) {
            wrong.push(format!("{}: {problem}", all[0]));
        }
    }
    assert!(count > 100, "{count} rows");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_page_names_every_rule_and_only_rules() {
    let page = std::fs::read_to_string(support::root().join(PAGE)).unwrap();
    let named = rule_ids(&page);
    let known: BTreeSet<&str> = rule_metas().iter().map(|meta| meta.id.0).collect();
    let unknown: Vec<_> = named.difference(&known).collect();
    let untold: Vec<_> = known.difference(&named).collect();
    assert!(unknown.is_empty() && untold.is_empty(), "unknown {unknown:?}, not named {untold:?}");
}

#[test]
fn the_page_stands_on_its_own() {
    let page = std::fs::read_to_string(support::root().join(PAGE)).unwrap();
    for word in ["SPEC", "signin-protocol"] {
        assert!(!page.contains(word), "{word}");
    }
}

// ---- small sign-ins of their own ----

fn told(analysis: &Analysis) -> String {
    analysis.verdict.summary.shown(Redaction::Secrets)
}

fn finding<'a>(analysis: &'a Analysis, rule: &str) -> Option<&'a mfatrace::finding::Finding> {
    analysis.findings.iter().find(|one| one.meta.id.0 == rule)
}

#[test]
fn a_challenge_posed_again_after_it_was_passed_is_a_lost_session() {
    let mut steps = passed(&challenge(&[PUSH]));
    steps.push(elsewhere());
    let analysis = run(&steps);
    assert_eq!(verdict(&analysis), (Outcome::Undetermined, Side::CannotTell));
    assert_eq!(attempt(&analysis).mfa.as_str(), "failed");
    assert!(told(&analysis).contains("lost cookies"), "{}", told(&analysis));
}

#[test]
fn a_code_of_conditional_access_without_a_source_is_believed_on_its_page() {
    let row = error(530_031).unwrap();
    assert!(!row.is_verified());
    let on = |id: &str| {
        let body = page(id, &json!({"sErrorCode": "530031", "iErrorDescription": 4}));
        run(&[authorize(), password(&body), elsewhere()])
    };
    let policy = on("ConvergedConditionalAccess");
    assert_eq!(verdict(&policy), (Outcome::BlockedByPolicy, Side::Policy));
    assert!(told(&policy).contains("AADSTS530031"), "{}", told(&policy));
    // Elsewhere it is an error of the policies' kind, and no more is said.
    assert_eq!(verdict(&on("ConvergedError")), (Outcome::OtherError, Side::Policy));
    assert_eq!(finding(&on("ConvergedError"), "STS002").unwrap().confidence.as_str(), "medium");
}

#[test]
fn a_policy_page_tells_of_token_protection_and_of_the_device() {
    let on = |more: serde_json::Value| {
        let body = page("ConvergedConditionalAccess", &more);
        let analysis = run(&[authorize(), password(&body), elsewhere()]);
        finding(&analysis, "STS002").unwrap().summary.shown(Redaction::Secrets)
    };
    let bound = on(json!({"sErrorCode": "53003", "iErrorDescription": 29,
        "urlTokenBindingLearnMore": "https://aka.ms/x"}));
    assert!(bound.contains("description 29") && bound.contains("token protection"), "{bound}");
    let unknown = on(json!({"sErrorCode": "53000", "iErrorTitle": 17, "sDeviceId": "",
        "sDeviceState": ""}));
    assert!(unknown.contains("title 17") && unknown.contains("no device claim"), "{unknown}");
    let known = on(json!({"sErrorCode": "53000", "iErrorTitle": 17, "sDeviceId": "x",
        "sDeviceState": "Registered"}));
    assert!(!known.contains("no device claim"), "{known}");
}

#[test]
fn a_registration_that_can_be_skipped_is_told() {
    let on = |days: u32| {
        let more = json!({"sErrorCode": "50203", "iRemainingDaysToSkipMfaRegistration": days,
            "urlSkipMfaRegistration": "/common/SkipMfaRegistration?ctx=x"});
        let body = page("ConvergedProofUpRedirect", &more);
        let analysis = run(&[authorize(), password(&body), elsewhere()]);
        assert_eq!(verdict(&analysis), (Outcome::RegistrationRequired, Side::User));
        finding(&analysis, "MFA004").unwrap().summary.shown(Redaction::Secrets)
    };
    assert!(on(14).contains("Authenticator app") && on(14).contains("skip"), "{}", on(14));
    assert!(!on(0).contains("skip"), "{}", on(0));
}

#[test]
fn a_token_of_an_external_provider_that_is_not_taken() {
    let path = support::root().join("captures/application/external-refused-5001256.devtools.har");
    let text = std::fs::read_to_string(path).unwrap();
    for code in [5_001_256, 50012, 900_491] {
        let analysis = run_bytes(text.replace("5001256", &code.to_string()).into_bytes());
        assert_eq!(verdict(&analysis), (Outcome::OtherError, Side::Application), "{code}");
        assert!(finding(&analysis, "MFA008").is_some_and(|one| one.decisive), "{code}");
        assert_eq!(attempt(&analysis).mfa.as_str(), "failed", "{code}");
    }
}

#[test]
fn a_value_of_no_list_is_printed() {
    let told = |retry: bool, more: Vec<Told>| {
        let mut steps = vec![authorize(), password(&challenge(&[PUSH])), script()];
        steps.extend([begin(PUSH, "Success"), end(PUSH, "PhoneAppSomethingNew", retry)]);
        steps.extend(more);
        run(&steps)
    };
    let last = told(false, vec![elsewhere()]);
    assert_eq!(verdict(&last), (Outcome::Undetermined, Side::CannotTell));
    assert_eq!(attempt(&last).mfa.as_str(), "failed");
    let shown = finding(&last, "MFA002").unwrap().summary.shown(Redaction::Secrets);
    assert!(shown.contains("PhoneAppSomethingNew"), "{shown}");
    let open = told(true, Vec::new());
    assert_eq!(verdict(&open), (Outcome::Undetermined, Side::CannotTell));
    assert_eq!(attempt(&open).mfa.as_str(), "begun");
}

#[test]
fn all_codes_of_an_answer_are_kept() {
    let asked = refused(token("grant_type=refresh_token&refresh_token=x"), "invalid_grant", 70008);
    let (kind, body) = asked.body.clone().unwrap();
    let more = body.replace("[70008]", "[70008,50076]");
    assert_ne!(more, body);
    let analysis = run(&[asked.answer(&kind, &more), elsewhere()]);
    let codes: BTreeSet<u32> = attempt(&analysis).errors.iter().map(|one| one.code).collect();
    assert_eq!(codes, BTreeSet::from([50076, 70008]));
}

#[test]
fn a_clock_beside_a_code_of_clocks_is_a_warning() {
    let behind = |told: Told| told.field("Date", "Tue, 15 Jan 2030 08:48:00 GMT");
    let answers = |code: u32| {
        let asked = || token("grant_type=refresh_token&refresh_token=x");
        let all =
            [refused(asked(), "x", code), refused(asked(), "x", code), refused(asked(), "x", code)];
        run(&all.map(behind))
    };
    for (code, severity) in
        [(500_133, "warning"), (700_024, "warning"), (80013, "warning"), (50126, "info")]
    {
        let analysis = answers(code);
        assert_eq!(finding(&analysis, "CAP008").unwrap().severity.as_str(), severity, "{code}");
    }
}

#[test]
fn a_passkey_page_that_cannot_be_reached_is_the_networks_matter() {
    let passkey = "https://login.microsoft.com/common/fido/get?uiflavor=Web";
    let dead = || post(passkey, "ctx=x").failing("net::ERR_CONNECTION_RESET");
    let steps =
        [authorize(), password(&challenge(&["FidoKey"])), script(), dead(), dead(), elsewhere()];
    let analysis = run(&steps);
    assert_eq!(verdict(&analysis), (Outcome::MfaPreventedByNetwork, Side::Network));
    let host = analysis.verdict.host.as_ref().map(ToString::to_string);
    assert_eq!(host.as_deref(), Some("login.microsoft.com"));
}

#[test]
fn with_a_device_code_nobody_knows_what_was_asked_elsewhere() {
    let begun = || {
        let asked =
            post(&format!("{STS}/{TENANT}/oauth2/v2.0/devicecode"), "client_id=x&scope=openid");
        asked.by_service().answer(
            "application/json",
            "{\"user_code\":\"x\",\"device_code\":\"x\",\"interval\":5}",
        )
    };
    let poll =
        || token("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x");
    let waits = || refused(poll().later(5.0), "authorization_pending", 70016);
    let ends = [
        (granted(poll()), Outcome::CompletedWithoutMfa, "unknown"),
        (refused(poll(), "access_denied", 530_033), Outcome::BlockedByPolicy, "unknown"),
        (refused(poll(), "invalid_grant", 50076), Outcome::InteractionRequired, "asked"),
        (refused(poll(), "expired_token", 70019), Outcome::OtherError, "unknown"),
        (waits(), Outcome::Undetermined, "unknown"),
    ];
    for (end, outcome, mfa) in ends {
        let analysis = run(&[begun(), waits(), waits(), end]);
        assert_eq!(analysis.verdict.outcome, outcome);
        assert_eq!(attempt(&analysis).mfa.as_str(), mfa, "{outcome}");
        assert_eq!(attempt(&analysis).flow, Flow::DeviceCode);
    }
}

fn federated(end: Told) -> Vec<Told> {
    let adfs =
        "https://sts.contoso.example/adfs/ls/?wa=wsignin1.0&wtrealm=urn:federation:MicrosoftOnline";
    let form = "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" \
         action=\"https://login.microsoftonline.com/login.srf\"><input type=\"hidden\" name=\"wa\" \
         value=\"wsignin1.0\" /><input type=\"hidden\" name=\"wresult\" value=\"x\" /></form></body></html>";
    let known = json!({"IfExistsResult": 0, "Credentials": {"PrefCredential": 4,
        "FederationRedirectUrl": adfs}, "EstsProperties": {"DomainType": 4}});
    vec![
        authorize(),
        post(&format!("{STS}/common/GetCredentialType?mkt=en-US"), "{}")
            .by_service()
            .answer("application/json", &known.to_string()),
        get(adfs).answer("text/html", "<html><body>Contoso</body></html>"),
        post(adfs, "UserName=x&Password=x").answer("text/html", form),
        end,
    ]
}

#[test]
fn what_an_identity_provider_asked_is_not_known() {
    let back = || post(&format!("{STS}/login.srf"), "wa=wsignin1.0&wresult=x&wctx=x");
    let analysis = run(&federated(answered(back(), hidden_form())));
    assert_eq!(verdict(&analysis), (Outcome::CompletedWithoutMfa, Side::NothingWrong));
    assert_eq!(attempt(&analysis).mfa.as_str(), "unknown");
    assert!(told(&analysis).contains("identity provider"), "{}", told(&analysis));
    // Without its word on MFA the service asks for registration, or poses a challenge of its own.
    let bare = page("ConvergedProofUpRedirect", &json!({"sErrorCode": "50079"}));
    let mut steps = federated(answered(back(), &bare));
    steps.push(elsewhere());
    assert_eq!(verdict(&run(&steps)), (Outcome::RegistrationRequired, Side::User));
    let mut steps = federated(answered(back(), &challenge(&[PUSH])));
    steps.extend([script(), begin(PUSH, "Success"), end(PUSH, "PhoneAppDenied", false)]);
    assert_eq!(verdict(&run(&steps)), (Outcome::MfaDenied, Side::User));
}

/// Each flow is told apart, and a demand for MFA ends it as its kind of request allows.
#[test]
fn every_flow_is_named_and_judged() {
    let grant = |grant: &str| token(&format!("grant_type={grant}"));
    let jwt = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    let without = [
        (grant("password&username=a%40contoso.example&password=x"), Flow::Ropc),
        (grant("refresh_token&refresh_token=x"), Flow::Refresh),
        (grant("client_credentials&client_secret=x"), Flow::ClientCredentials),
        (grant(&format!("{jwt}&requested_token_use=on_behalf_of&assertion=x")), Flow::OnBehalfOf),
        (grant(&format!("{jwt}&windows_api_version=2.0&request=x")), Flow::Broker),
        (
            post(&format!("{STS}/common/oauth2/token"), "grant_type=refresh_token&resource=x"),
            Flow::Refresh,
        ),
    ];
    for (asked, flow) in without {
        let analysis = run(&[refused(asked, "interaction_required", 50076), elsewhere()]);
        assert_eq!(attempt(&analysis).flow, flow);
        assert_eq!(
            verdict(&analysis),
            (Outcome::InteractionRequired, Side::Application),
            "{flow:?}"
        );
        assert!(finding(&analysis, "MFA005").is_some(), "{flow:?}");
    }
    let fault = format!(
        "<S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\"><S:Body><S:Fault><S:Detail>\
         <psf:error xmlns:psf=\"http://schemas.microsoft.com/Passport/SoapServices/SOAPFault\">\
         <psf:internalerror><psf:text>{}</psf:text></psf:internalerror></psf:error></S:Detail>\
         </S:Fault></S:Body></S:Envelope>",
        line(50079)
    );
    let soap = post(&format!("{STS}/rst2.srf"), "<s:Envelope/>").by_service();
    let analysis = run(&[soap.answer("application/soap+xml", &fault), elsewhere()]);
    assert_eq!(attempt(&analysis).flow, Flow::WsTrust);
    assert_eq!(verdict(&analysis), (Outcome::InteractionRequired, Side::Application));

    let begins =
        |path: &str| answered(get(&format!("{STS}{path}")), &page("ConvergedSignIn", &json!({})));
    let client = "client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40";
    let with = [
        (
            format!("/common/oauth2/authorize?{client}&response_type=code&resource=x"),
            Flow::OauthCode,
        ),
        (
            format!("/common/oauth2/v2.0/authorize?{client}&response_type=token&scope=x"),
            Flow::OauthImplicit,
        ),
        (
            format!("/common/oauth2/v2.0/authorize?{client}&response_type=id_token&scope=openid"),
            Flow::Oidc,
        ),
        (format!("/{TENANT}/saml2?SAMLRequest=x"), Flow::Saml),
        (format!("/{TENANT}/wsfed?wa=wsignin1.0&wtrealm=urn:x"), Flow::WsFed),
    ];
    for (path, flow) in with {
        let mut steps = passed(hidden_form());
        steps[0] = begins(&path);
        let analysis = run(&steps);
        assert_eq!(attempt(&analysis).flow, flow, "{path}");
        assert_eq!(verdict(&analysis), (Outcome::MfaCompleted, Side::NothingWrong), "{path}");
    }
}

#[test]
fn an_unknown_code_is_printed() {
    let body = page(
        "ConvergedError",
        &json!({"iErrorCode": 987_654, "strServiceExceptionMessage": line(987_654)}),
    );
    let analysis = run(&[authorize(), password(&body), elsewhere()]);
    assert_eq!(verdict(&analysis), (Outcome::OtherError, Side::CannotTell));
    assert!(told(&analysis).contains("AADSTS987654"), "{}", told(&analysis));
}

#[test]
fn a_failure_without_a_name_blames_nobody() {
    let mut bare = authorize();
    (bare.status, bare.body, bare.fields) = (0, None, Vec::new());
    let analysis = run(&[bare.clone(), bare, elsewhere()]);
    assert_eq!(verdict(&analysis), (Outcome::Undetermined, Side::CannotTell));
    assert!(analysis.verdict.next_capture.is_some());
    assert!(finding(&analysis, "CAP007").is_some());
}

#[test]
fn entries_of_an_imported_net_log_are_no_sign_in() {
    let one = || get("http://NETLOG/CAPTURE_INFO").answer("text/plain", "{\"clientInfo\": {}}");
    let mut members = Vec::new();
    for (number, told) in [one(), one()].iter().enumerate() {
        let (request, response, metadata) =
            told.session(32_400.0, &[], |body| (body.to_vec(), "Connection: close\r\n"));
        let number = number + 1;
        members.push((format!("raw/{number}_c.txt"), request));
        members.push((format!("raw/{number}_s.txt"), response));
        members.push((format!("raw/{number}_m.xml"), metadata));
    }
    let analysis = run_bytes(support::archive::zip(&members, ""));
    assert_eq!(analysis.verdict.outcome, Outcome::NoSignIn);
}

/// What follows from the cause is told to follow from it.
#[test]
fn what_is_missing_follows_from_the_cause_that_the_verdict_names() {
    let mut told = 0;
    for row in support::manifest().iter().filter(|row| row.expect.iter().any(|id| id == "MFA007")) {
        let analysis = support::run_row(row);
        let masked = finding(&analysis, "MFA007").and_then(|one| one.masked_by);
        if let (Some(cause), Some(reason)) = (analysis.verdict.cause, masked) {
            assert_eq!(cause, reason, "{}", row.path);
            told += 1;
        }
    }
    assert!(told > 10, "{told}");
}

#[test]
fn the_second_factor_of_a_customers_tenant_is_a_step_that_is_not_read() {
    let flow = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin";
    let client = "client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40&response_type=code&scope=openid";
    let fine = |told: Told| told.by_service().answer("application/json", "{\"status\":\"200\"}");
    let steps = || {
        vec![
            answered(
                get(&format!("{flow}/oauth2/v2.0/authorize?{client}")),
                "<html>Sign in</html>",
            ),
            fine(post(&format!("{flow}/SelfAsserted?tx=x"), "signInName=x&password=x")),
            answered(
                get(&format!("{flow}/api/CombinedSigninAndSignup/confirmed")),
                "<html>Phone</html>",
            ),
            fine(post(&format!("{flow}/api/Phonefactor/verify?tx=x"), "auth_type=onewaysms&id=1")),
        ]
    };
    let mut through = steps();
    let url = "https://app.example/cb?code=x&state=y";
    through.push(
        get(&format!("{flow}/api/Phonefactor/confirmed"))
            .status(302)
            .by_service()
            .field("Location", url),
    );
    through.push(get(url));
    assert_eq!(run(&through).verdict.outcome, Outcome::MfaCompleted);
    let mut open = steps();
    open.push(elsewhere());
    let analysis = run(&open);
    assert_eq!(verdict(&analysis), (Outcome::Undetermined, Side::CannotTell));
    // The answer is there: nobody is told to save bodies.
    assert!(finding(&analysis, "CAP001").is_none());
}
