//! Text, Markdown and HTML tell one story, of bounded size, and nothing of a capture becomes markup in them.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use html5gum::{Token, Tokenizer};
use mfatrace::analyze::Analysis;
use mfatrace::report::ladder::{Ladder, due};
use mfatrace::report::model::{harmless, sentence};
use mfatrace::report::text::Detail;
use mfatrace::report::{ReportInput, html, markdown, story, text};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use support::exchange::{get, post, post_json};
use support::memory::run_bytes;

/// Bytes of an HTML report of a long capture.
const MOST: usize = 1_000_000;

fn report(analysis: &Analysis) -> ReportInput<'_> {
    analysis.report("0")
}

/// Words alone, with one blank between two.
fn flat(text: &str) -> String {
    harmless(&text.replace('\u{a0}', " ")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an HTML document shows.
fn shown_by_html(document: &str) -> String {
    let mut shown = String::new();
    for Ok(token) in Tokenizer::new(document) {
        match token {
            Token::String(text) => shown.push_str(&String::from_utf8_lossy(&text)),
            _ => shown.push(' '),
        }
    }
    flat(&shown)
}

fn events(document: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    Parser::new_ext(document, options)
}

/// What a Markdown document shows.
fn shown_by_markdown(document: &str) -> String {
    let mut shown = String::new();
    for event in events(document) {
        match event {
            Event::Text(text) | Event::Code(text) => shown.push_str(&text),
            Event::Start(tag) if is_inline(&tag) => {}
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => {}
            _ => shown.push(' '),
        }
    }
    flat(&shown)
}

const fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Strong | Tag::Emphasis)
}

/// Every statement that each report has to make.
fn statements(report: &ReportInput<'_>) -> Vec<String> {
    let mut all = vec![story::answer(report).1];
    let say = |text| sentence(text, report.redaction);
    for finding in report.findings {
        all.push(finding.meta.id.0.to_owned());
        all.push(say(&finding.summary));
    }
    let found = story::found(report, true);
    for finding in found.decisive.iter().chain(&found.loud) {
        all.push(story::advice(report, finding));
    }
    for argument in story::arguments(report) {
        all.extend(argument.statements.iter().map(|one| say(&one.text)));
    }
    all.extend(story::next_steps(report).into_iter().map(|step| step.words));
    all.extend(story::unseen(report));
    if let Some(attempt) = report.attempt() {
        if let Some(ladder) = Ladder::of(report, attempt, false) {
            all.extend(ladder.all().map(|rung| rung.words.clone()));
        }
        if report.verdict.side.as_str() != "nothing_wrong" {
            let due = due(attempt).map(|(_, all)| all).unwrap_or_default();
            all.extend(due.into_iter().map(|one| one.words));
        }
        for one in story::guide(report) {
            all.extend([one.cause.to_owned(), one.text, one.next]);
        }
    }
    all.extend(story::others(report).iter().map(|one| story::attempt_words(report, one)));
    all
}

#[test]
fn text_markdown_and_html_tell_one_story() {
    let mut missing = Vec::new();
    let mut steps = 0_usize;
    for row in support::sample() {
        let analysis = support::run_row(&row);
        let report = report(&analysis);
        if report.is_without_capture() {
            continue;
        }
        let shown = [
            ("text", flat(&text::write(&report, false, Detail::Full))),
            ("markdown", shown_by_markdown(&markdown::write(&report))),
            ("html", shown_by_html(&html::write(&report))),
        ];
        for statement in statements(&report) {
            steps += 1;
            let wanted = flat(&statement);
            for (form, document) in &shown {
                if !document.contains(&wanted) {
                    missing.push(format!("{}: {form} lacks {wanted}", row.path));
                }
            }
        }
    }
    assert!(steps > 5_000, "{steps}");
    missing.truncate(30);
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn equal_input_gives_equal_bytes() {
    for row in support::sample().iter().step_by(7) {
        let (one, other) = (support::run_row(row), support::run_row(row));
        assert!(html::write(&report(&one)) == html::write(&report(&other)), "{}", row.path);
        assert!(markdown::write(&report(&one)) == markdown::write(&report(&other)), "{}", row.path);
    }
}

#[test]
fn the_top_of_markdown_has_25_lines_at_most() {
    for row in support::sample() {
        let analysis = support::run_row(&row);
        let document = markdown::write(&report(&analysis));
        let top = document.split("<details>").next().unwrap();
        assert!(top.lines().count() <= markdown::TOP, "{}:\n{top}", row.path);
    }
}

/// A sign-in of 5,000 exchanges: polls, failed scripts, pages of other users, and a crowd of others.
fn long_capture() -> Analysis {
    let sts = "https://login.microsoftonline.com";
    let mut told = Vec::new();
    for index in 0..5_000_usize {
        let long = "segment-of-a-path/".repeat(40);
        let one = match index % 10 {
            0 => get(&format!("{sts}/tenant{index}.example/oauth2/v2.0/authorize?client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40"))
                .by_service()
                .answer("text/html", "<html><script>$Config={\"pgid\":\"ConvergedSignIn\",\"sErrorCode\":\"50058\"};</script></html>"),
            1 => post(&format!("{sts}/common/login"), &format!("login=user{index}%40contoso.example")).by_service().answer(
                "text/html",
                "<html><script>$Config={\"pgid\":\"ConvergedTFA\",\"arrUserProofs\":[{\"authMethodId\":\"PhoneAppNotification\"}]};</script></html>",
            ),
            2 => post_json(&format!("{sts}/common/SAS/BeginAuth"), "{}").by_service().answer("application/json", "{\"Success\":true,\"ResultValue\":\"Success\"}"),
            3 => get(&format!("https://aadcdn.msauth.net/{long}{index}.js")).failing("net::ERR_CONNECTION_RESET"),
            4 => get(&format!("{sts}/common/SAS/EndAuth?pollCount={index}")).by_service().status(500 + u16::try_from(index % 4).unwrap()),
            5 => get(&format!("https://host{index}.example/{long}")).failing("net::ERR_NAME_NOT_RESOLVED"),
            _ => get(&format!("https://portal{index}.fabrikam.example/{long}")),
        };
        told.push(one.later(0.5));
    }
    run_bytes(support::json::har(&support::exchange::story(&told)).to_string().into_bytes())
}

/// A sign-in of many users side by side, each with many steps of which no two are alike.
fn many_attempts() -> Analysis {
    let sts = "https://login.microsoftonline.com";
    let mut told = Vec::new();
    for index in 0..5_000_usize {
        let user = index % 25;
        let id = format!("a839844d-c932-4302-ac17-{user:012}");
        let page = match index / 25 % 2 {
            0 => "{\"pgid\":\"ConvergedSignIn\",\"sErrorCode\":\"50126\"",
            _ => {
                "{\"pgid\":\"ConvergedTFA\",\"arrUserProofs\":[{\"authMethodId\":\"PhoneAppOTP\"}]"
            }
        };
        told.push(
            post(
                &format!("{sts}/common/login"),
                &format!("login=user{user}%40contoso.example&x={index}"),
            )
            .by_service()
            .answer(
                "text/html",
                &format!(
                    "<html><script>$Config={page},\"correlationId\":\"{id}\"}};</script></html>"
                ),
            )
            .later(0.2),
        );
    }
    run_bytes(support::json::har(&support::exchange::story(&told)).to_string().into_bytes())
}

/// Rows of the waterfall that are shown, and what is said to be left out and to be there.
fn counted(document: &str) -> (usize, usize, usize) {
    let shown = shown_by_html(document);
    let words = shown.split("Left out of ").nth(1).unwrap();
    let (total, words) = words.split_once(": ").unwrap();
    let left = words.split([';', '(']).next().unwrap().split(',');
    let left = left.map(|part| part.split_whitespace().next().unwrap().parse::<usize>().unwrap());
    let rows = document.matches("<td role=\"cell\" class=\"bars\">").count();
    (rows, left.sum(), total.parse().unwrap())
}

#[test]
fn a_long_capture_gives_a_bounded_report_that_says_what_it_lacks() {
    for analysis in [long_capture(), many_attempts()] {
        assert!(
            analysis.evidence.exchanges.len() >= 4_000,
            "{}",
            analysis.evidence.exchanges.len()
        );
        let report = report(&analysis);
        let document = html::write(&report);
        assert!(document.len() < MOST, "{} bytes", document.len());
        let (rows, left, total) = counted(&document);
        assert_eq!(rows + left, total);
        assert!(shown_by_html(&document).contains("more; all are in the JSON report"));
        let document = markdown::write(&report);
        assert!(document.len() < MOST, "{} bytes", document.len());
    }
}

#[test]
fn the_program_writes_each_form() {
    let capture = support::root().join("captures/browser/push-denied.saz");
    let folder = tempfile::tempdir().unwrap();
    for (format, start) in [("html", "<!DOCTYPE html>\n"), ("markdown", "### User: ")] {
        let out = folder.path().join(format);
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_mfatrace"))
            .arg(&capture)
            .args(["--format", format, "-o"])
            .arg(&out)
            .status();
        assert!(status.unwrap().success());
        assert!(std::fs::read_to_string(out).unwrap().starts_with(start));
    }
}

/// Elements of a document with the names of their attributes, and what must not vary.
fn skeleton(document: &str) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let mut elements: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut odd = Vec::new();
    let (mut scripts, mut styles) = (0, 0);
    for Ok(token) in Tokenizer::new(document) {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                scripts += usize::from(name == "script");
                styles += usize::from(name == "style");
                let known = elements.entry(name.clone()).or_default();
                for (key, value) in &tag.attributes {
                    let key = String::from_utf8_lossy(key).into_owned();
                    let value = String::from_utf8_lossy(value).into_owned();
                    let is_address =
                        matches!(key.as_str(), "href" | "src" | "xlink:href" | "action");
                    if key.starts_with("on") || key == "style" || is_address && value != "#content"
                    {
                        odd.push(format!("{name} {key}={value}"));
                    }
                    known.insert(key);
                }
            }
            Token::Comment(text) => odd.push(format!("{text:?}")),
            Token::Error(error) => odd.push(format!("{error:?}")),
            Token::Doctype(_) | Token::EndTag(_) | Token::String(_) => {}
        }
    }
    if (scripts, styles) != (1, 1) {
        odd.push(format!("{scripts} scripts, {styles} styles"));
    }
    (elements, odd)
}

#[test]
fn a_hostile_capture_stays_text_in_html() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in support::sample().iter().step_by(3) {
        let document = html::write(&report(&support::run_row(row)));
        let (elements, odd) = skeleton(&document);
        assert!(odd.is_empty(), "{}: {odd:?}", row.path);
        for (name, attributes) in elements {
            known.entry(name).or_default().extend(attributes);
        }
    }
    let (mut shown, mut asked) = (0_usize, 0_usize);
    for (payload, analysis) in support::hostile::analyses() {
        let document = html::write(&report(&analysis));
        let (elements, odd) = skeleton(&document);
        assert!(odd.is_empty(), "{payload}: {odd:?}");
        for (name, attributes) in elements {
            let usual = known.get(&name).unwrap_or_else(|| panic!("{payload}: an element {name}"));
            assert!(attributes.is_subset(usual), "{payload}: {name} has {attributes:?}");
        }
        assert!(!document.chars().any(|c| c != '\n' && mfatrace::report::model::acts(c)));
        shown += usize::from(document.contains("&#60;") || document.contains("&lt;"));
        asked += usize::from(analysis.verdict.attempt.is_some());
    }
    // The payloads do get there, and most of the captures still hold a sign-in.
    assert!(shown > 10 && asked > 20, "{shown}, {asked}");
}

#[test]
fn the_policy_names_the_very_style_and_script() {
    use sha2::Digest as _;
    let analysis = support::hostile::analyses().remove(0).1;
    let document = html::write(&report(&analysis));
    let policy = document.split("Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap().replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    for name in ["style", "script"] {
        let text = document.split(&format!("<{name}>")).nth(1).unwrap();
        let text = text.split(&format!("</{name}>")).next().unwrap();
        let hash = data_encoding::BASE64.encode(&sha2::Sha256::digest(text.as_bytes()));
        assert!(policy.contains(&format!("{name}-src 'sha256-{hash}'")), "{policy}");
    }
}

#[test]
fn a_hostile_capture_stays_text_in_markdown() {
    for (payload, analysis) in support::hostile::analyses() {
        let document = markdown::write(&report(&analysis));
        assert!(!document.chars().any(|c| c != '\n' && mfatrace::report::model::acts(c)));
        let mut heads = 0;
        for event in events(&document) {
            match event {
                Event::Html(text) | Event::InlineHtml(text) => {
                    let text = text.trim();
                    let ours = text.is_empty()
                        || text == "</details>"
                        || text.strip_prefix("<details><summary>").is_some_and(|rest| {
                            rest.strip_suffix("</summary>")
                                .is_some_and(|title| !title.contains('<'))
                        });
                    assert!(ours, "{payload}: {text}");
                }
                Event::Start(Tag::Heading { .. }) => heads += 1,
                Event::Start(
                    Tag::Link { .. }
                    | Tag::Image { .. }
                    | Tag::BlockQuote(_)
                    | Tag::FootnoteDefinition(_)
                    | Tag::Strikethrough
                    | Tag::MetadataBlock(_),
                )
                | Event::FootnoteReference(_)
                | Event::TaskListMarker(_)
                | Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::Rule => panic!("{payload}: {event:?}\n{document}"),
                Event::Text(text) => {
                    let bare = ["://", "www."].iter().any(|start| text.contains(start));
                    assert!(!bare || document.contains("```"), "{payload}: {text}");
                }
                _ => {}
            }
        }
        assert_eq!(heads, 1, "{payload}\n{document}");
        for diagram in document.split("```mermaid\n").skip(1) {
            diagram.split("```").next().unwrap().lines().for_each(|line| statement(&payload, line));
        }
    }
}

/// Fails where a line of a diagram is none of those that we write.
fn statement(payload: &str, line: &str) {
    let line = line.trim();
    let fixed = ["sequenceDiagram", "end", "rect rgba(220, 60, 50, 0.15)"].contains(&line);
    let ours = ["participant ", "Note over C: "].iter().any(|start| line.starts_with(start));
    let arrow = ["-->>", "->>", "--x", "-x"].iter().any(|arrow| {
        line.split_once(": ").is_some_and(|(ends, _)| {
            ends.split_once(arrow).is_some_and(|(from, to)| from.len() == 1 && to.len() == 1)
        })
    });
    let words = line.split_once(": ").map_or("", |(_, words)| words);
    let plain = words.chars().all(|c| c.is_ascii_alphanumeric() || " .,:'()+-/_#;".contains(c));
    // A semicolon ends a character that is written by its number, and nothing else.
    let numbers = words.matches(';').count() == words.matches('#').count();
    assert!((fixed || ours || arrow) && plain && numbers, "{payload}: {line}");
}
