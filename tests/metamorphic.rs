//! What does not matter does not change a verdict: names, order, unknown keys and languages.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

mod support;

use std::collections::BTreeMap;

use mfatrace::analyze::Analysis;
use regex::{Captures, Regex};
use serde_json::{Value, json};

use support::json::{entries, parse, strings, without_base64, write};
use support::memory::run_bytes;
use support::random::Random;

/// Names of customers in the corpus, and what they are called instead.
const NAMES: &[(&str, &str)] = &[
    ("contoso", "tailspin"),
    ("fabrikam", "wingtip"),
    ("duosec", "proseware"),
    ("adele", "megan"),
];

/// What has to stay the same.
#[derive(Debug, PartialEq)]
struct Gist {
    outcome: String,
    side: String,
    host: Option<String>,
    mfa: Option<String>,
    cause: Option<&'static str>,
    attempts: Vec<String>,
}

fn gist(analysis: &Analysis) -> Gist {
    let verdict = &analysis.verdict;
    let attempt = verdict.attempt.and_then(|id| analysis.signin.attempt(id));
    let attempts = &analysis.signin.attempts;
    Gist {
        outcome: verdict.outcome.to_string(),
        side: verdict.side.to_string(),
        host: verdict.host.as_ref().map(ToString::to_string),
        mfa: attempt.map(|attempt| attempt.mfa.as_str().to_owned()),
        cause: verdict.cause.map(|cause| cause.0),
        attempts: attempts
            .iter()
            .map(|attempt| format!("{} {}", attempt.flow.as_str(), attempt.outcome))
            .collect(),
    }
}

/// Every HAR of the corpus that is plain JSON, its bodies as text.
fn corpus() -> Vec<(String, Value)> {
    let all: Vec<_> = support::sample()
        .into_iter()
        .filter_map(|row| {
            let bytes = std::fs::read(support::root().join("captures").join(&row.path)).unwrap();
            let mut har = parse(&bytes)?;
            without_base64(&mut har);
            Some((row.path, har))
        })
        .collect();
    assert!(all.len() > 100, "{} captures", all.len());
    all
}

fn run(har: &Value) -> Gist {
    gist(&run_bytes(har.to_string().into_bytes()))
}

/// Compares each capture with itself after a change.
fn unchanged(mut change: impl FnMut(&mut Value) -> Option<String>, rename: bool) {
    let mut wrong = Vec::new();
    for (path, mut har) in corpus() {
        let mut before = run(&har);
        let text = change(&mut har).unwrap_or_else(|| har.to_string());
        let after = gist(&run_bytes(text.into_bytes()));
        if rename {
            before.host = before.host.map(|host| renamed(&host));
        }
        if before != after {
            wrong.push(format!("{path}\n    was {before:?}\n    is  {after:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} changed:\n{}", wrong.len(), wrong.join("\n"));
}

fn renamed(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
}

/// Ids that a table knows keep their meaning, so they keep their value.
fn known_ids() -> String {
    let folder = std::fs::read_dir(support::root().join("src/entra")).unwrap();
    let tables = folder.map(|entry| entry.unwrap().path());
    let tables = tables.filter(|path| path.extension().is_some_and(|ending| ending == "tsv"));
    tables.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn other_names() {
    let guid = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let known = known_ids();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut random = Random::new(3);
    let mut change = |_: &str, text: &str| {
        let text = guid.replace_all(text, |found: &Captures<'_>| {
            let id = found[0].to_owned();
            if known.contains(&id) || id.starts_with("00000") {
                return id;
            }
            let fresh = || {
                let digit = |c: char, random: &mut Random| match c {
                    '-' => '-',
                    _ => char::from(b"0123456789abcdef"[random.below(16)]),
                };
                id.chars().map(|c| digit(c, &mut random)).collect()
            };
            ids.entry(id.clone()).or_insert_with(fresh).clone()
        });
        Some(renamed(&text))
    };
    unchanged(
        |har| {
            strings(har, "", &mut change);
            None
        },
        true,
    );
}

#[test]
fn another_order_of_entries() {
    for seed in 1..4 {
        let mut random = Random::new(seed);
        unchanged(
            |har| {
                random.shuffle(entries(har));
                None
            },
            false,
        );
    }
}

#[test]
fn another_order_of_keys() {
    for seed in 1..4 {
        let mut random = Random::new(seed);
        unchanged(
            |har| {
                let mut text = String::new();
                write(har, &mut random, &mut text);
                Some(text)
            },
            false,
        );
    }
}

fn add_unknown(value: &mut Value, random: &mut Random) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| add_unknown(one, random)),
        Value::Object(all) => {
            all.values_mut().for_each(|one| add_unknown(one, random));
            let names = ["_new", "aaa", "zz top", "comment2", "é\u{202e}\"\\"];
            let deep = json!({"url": [1, null, {"status": "x", "entries": [{}]}], "log": true});
            all.insert(names[random.below(names.len())].to_owned(), deep);
            all.insert(format!("x{}", random.number()), json!(-1.5e300));
        }
        _ => {}
    }
}

#[test]
fn unknown_keys() {
    let mut random = Random::new(11);
    unchanged(
        |har| {
            add_unknown(har, &mut random);
            None
        },
        false,
    );
}

/// Unknown keys in what the service says, too.
#[test]
fn unknown_keys_in_bodies() {
    let mut random = Random::new(12);
    let config = Regex::new(r"\$Config=\{").unwrap();
    unchanged(
        |har| {
            strings(har, "", &mut |key, text| {
                if key != "text" {
                    return None;
                }
                if let Ok(mut body @ Value::Object(_)) = serde_json::from_str(text) {
                    add_unknown(&mut body, &mut random);
                    return Some(body.to_string());
                }
                let more = "$${1}\"aNew\":[{\"a\":\"};}{\\\"\"},null],\"oNew\":{\"pgid\":\"X\"},";
                let more = more.replace("$${1}", "$$Config={");
                config.is_match(text).then(|| config.replace(text, more.as_str()).into_owned())
            });
            None
        },
        false,
    );
}

const FOREIGN: &str = "このサインインには追加の確認が必要です — Přihlášení, «ещё раз»";
const FOREIGN_IN_URL: &str = "%e3%81%93%e3%81%ae+P%c5%99ihl%c3%a1%c5%a1en%c3%ad";

#[test]
fn another_language() {
    let rules: Vec<(Regex, String)> = [
        // In bodies, JSON and pages: up to the line with the trace id, or the end of the text.
        (r#"(AADSTS\d+: )[^\r\n\\"<&]+"#, format!("${{1}}{FOREIGN}")),
        // In addresses and forms.
        (
            r"(AADSTS\d+(?:%3[aA]|:)(?:\+|%20))(?:[A-Za-z0-9+.,'_-]|%2[0-9cC]|%3[b-fB-F])+",
            format!("${{1}}{FOREIGN_IN_URL}"),
        ),
        (
            r#"("(?:Message|sErrTxt|strMainMessage|strAdditionalMessage|message)":")[^"\\]+""#,
            format!("${{1}}{FOREIGN}\""),
        ),
        (
            r#"(\bstr[A-Z][A-Za-z]*(?:Text|Title|Header|Desc|Description)":")[^"\\]+""#,
            format!("${{1}}{FOREIGN}\""),
        ),
        (r"<title>(?:Sign in[^<]*|Working\.\.\.)</title>", format!("<title>{FOREIGN}</title>")),
        (r#"lang="en""#, "lang=\"ja\"".to_owned()),
    ]
    .map(|(pattern, new)| (Regex::new(pattern).unwrap(), new))
    .into();
    let mut translated = 0;
    unchanged(
        |har| {
            strings(har, "", &mut |_, text| {
                let changed = rules.iter().fold(text.to_owned(), |text, (pattern, new)| {
                    pattern.replace_all(&text, new.as_str()).into_owned()
                });
                translated += usize::from(changed != text);
                (changed != text).then_some(changed)
            });
            None
        },
        false,
    );
    assert!(translated > 100, "{translated} texts translated");
}

/// All of it together.
#[test]
fn noise_around_a_sign_in() {
    let mut random = Random::new(21);
    unchanged(
        |har| {
            let at = entries(har)[0]["startedDateTime"].clone();
            let like = entries(har)[0].clone();
            for number in 0..20 {
                let mut noise = like.clone();
                noise["request"]["url"] = format!("https://ads{number}.example.net/p?x=1").into();
                noise["request"]["headers"] = json!([]);
                noise["response"] = json!({"status": 0, "statusText": "", "headers": [],
                    "cookies": [], "content": {"size": 0, "mimeType": "x-unknown"},
                    "redirectURL": "", "_error": "net::ERR_BLOCKED_BY_CLIENT"});
                noise["startedDateTime"] = at.clone();
                entries(har).push(noise);
            }
            random.shuffle(entries(har));
            None
        },
        false,
    );
}
