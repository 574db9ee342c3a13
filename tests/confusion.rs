//! Measured judgement: stories in many formats and states, each against the label that was written beside it.
//!
//! `UPDATE=1 cargo test --test confusion` writes `src/manual/judgement.md` anew. `CONFUSION=<part of a name>`
//! tells only some stories and each error of them; `CONFUSION=developed` leaves out those only measured;
//! `SAVE=<folder>` writes each capture there, and beside it what was said of it.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::duplicate_mod,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::manual_contains,
    clippy::manual_is_multiple_of,
    clippy::match_same_arms,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    clippy::similar_names,
    clippy::string_slice,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wrong_self_convention,
    reason = "test support"
)]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/packets/mod.rs"]
mod packets;
#[path = "support/confusion/mod.rs"]
mod stories;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mfatrace::analyze::Analysis;
use mfatrace::finding::Confidence;

use stories::damage::{Damage, capture};
use stories::label::{Format, Reading, Story};
use support::cuts::claims;
use support::memory::run_bytes;

/// Of the damaged captures of a story and format, how many in a hundred are made.
const SAMPLED: u64 = 100;
/// Most errors in ten thousand of what is said with high confidence.
const MOST_SURE: usize = 5;
/// Most wrong sides in ten thousand of all captures.
const MOST_SIDES: usize = 10;

/// What was said of one capture.
#[derive(Clone, Debug)]
struct Judged {
    story: usize,
    format: Format,
    damage: Damage,
    right: Vec<Reading>,
    outcome: String,
    side: String,
    host: Option<String>,
    mfa: Option<String>,
    cause: Option<String>,
    confidence: Confidence,
    /// What a cut claims and should not.
    claims: Vec<String>,
}

impl Judged {
    fn is_right(&self) -> bool {
        self.right.iter().any(|right| *right == (self.outcome.as_str(), self.side.as_str()))
    }

    fn is_side_right(&self) -> bool {
        self.right.iter().any(|right| right.1 == self.side)
    }

    /// The label that counts: of several the one that was met.
    fn wanted(&self) -> Reading {
        let met = self.right.iter().find(|right| **right == (&self.outcome, &self.side));
        let side = self.right.iter().find(|right| right.1 == self.side);
        *met.or(side).unwrap_or(&self.right[0])
    }
}

fn judge(
    story: &Story,
    number: usize,
    format: Format,
    damage: Damage,
) -> Option<(Judged, Analysis)> {
    let made = capture(story, format, damage)?;
    let analysis = run_bytes(made.bytes.clone());
    let verdict = &analysis.verdict;
    let attempt = verdict.attempt.and_then(|id| analysis.signin.attempt(id));
    let judged = Judged {
        story: number,
        format,
        damage,
        right: story.right(format, damage, made.decided),
        outcome: verdict.outcome.to_string(),
        side: verdict.side.as_str().to_owned(),
        host: verdict.host.as_ref().map(ToString::to_string),
        mfa: attempt.map(|attempt| attempt.mfa.to_string()),
        cause: verdict.cause.map(|rule| rule.to_string()),
        confidence: verdict.confidence,
        claims: Vec::new(),
    };
    if let Some(folder) = std::env::var_os("SAVE").map(std::path::PathBuf::from) {
        let name = format!("{} {format:?} {damage:?}", story.name);
        let said = format!("{}/{} {}", judged.outcome, judged.side, judged.confidence.as_str());
        std::fs::write(folder.join(&name), &made.bytes).unwrap();
        std::fs::write(folder.join(format!("{name}.said")), said).unwrap();
    }
    Some((judged, analysis))
}

/// All captures of a story in a format.
fn judge_all(story: &Story, number: usize, format: Format, share: u64) -> Vec<Judged> {
    let (whole, analysis) = judge(story, number, format, Damage::None).unwrap();
    let mut all = vec![whole];
    for damage in Damage::ALL {
        let name = format!("{} {format:?} {damage:?}", story.name);
        let sum = name
            .bytes()
            .fold(7_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        if damage == Damage::None || !damage.meets(format) || (sum >> 20) % 100 >= share {
            continue;
        }
        let Some((mut judged, damaged)) = judge(story, number, format, damage) else { continue };
        if damage.is_cut() {
            judged.claims = claims(&analysis, &damaged);
        }
        all.push(judged);
    }
    all
}

fn run(stories: &[Story], chosen: &[usize], share: u64) -> Vec<Judged> {
    let jobs: Vec<(usize, Format)> = chosen
        .iter()
        .flat_map(|number| stories[*number].formats().into_iter().map(|format| (*number, format)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, format)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = judge_all(&stories[*number], *number, *format, share);
                    done.lock().unwrap().extend(judged);
                }
            });
        }
    });
    let mut all = done.into_inner().unwrap();
    all.sort_by_key(|one| (one.story, one.format, one.damage));
    all
}

fn share(part: usize, whole: usize) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole.max(1) as f64)
}

/// A table of what was wanted, by row, and what was said, by column.
fn matrix(judged: &[&Judged], title: &str, key: impl Fn(&str, &str) -> String) -> String {
    let mut cells: BTreeMap<(String, String), usize> = BTreeMap::new();
    for one in judged {
        let (outcome, side) = one.wanted();
        *cells.entry((key(outcome, side), key(&one.outcome, &one.side))).or_default() += 1;
    }
    let names: BTreeSet<String> =
        cells.keys().flat_map(|(wanted, said)| [wanted.clone(), said.clone()]).collect();
    let mut out = format!("| {title} |");
    for index in 1..=names.len() {
        write!(out, " {index} |").unwrap();
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(names.len()));
    out.push('\n');
    for (index, wanted) in names.iter().enumerate() {
        write!(out, "| {} `{wanted}` |", index + 1).unwrap();
        for said in &names {
            match cells.get(&(wanted.clone(), said.clone())) {
                Some(count) => write!(out, " {count} |").unwrap(),
                None => out.push_str(" |"),
            }
        }
        out.push('\n');
    }
    out
}

/// How often what was said with a confidence is wrong.
fn sureness(judged: &[&Judged]) -> String {
    let mut out =
        "| confidence | captures | wrong outcome or side | wrong side |\n|---|---|---|---|\n"
            .to_owned();
    let mut row = |name: &str, some: &[&&Judged]| {
        let wrong = some.iter().filter(|one| !one.is_right()).count();
        let side = some.iter().filter(|one| !one.is_side_right()).count();
        writeln!(
            out,
            "| {name} | {} | {wrong} ({}) | {side} ({}) |",
            some.len(),
            share(wrong, some.len()),
            share(side, some.len())
        )
        .unwrap();
    };
    for confidence in [Confidence::High, Confidence::Medium, Confidence::Low] {
        let some: Vec<&&Judged> =
            judged.iter().filter(|one| one.confidence == confidence).collect();
        row(confidence.as_str(), &some);
    }
    row("all", &judged.iter().collect::<Vec<_>>());
    out
}

/// One error as a line.
fn line(stories: &[Story], one: &Judged) -> String {
    let story = &stories[one.story];
    let right: Vec<String> =
        one.right.iter().map(|(outcome, side)| format!("{outcome}/{side}")).collect();
    format!(
        "{} {:?} {:?}: {}/{} {} ({}), wanted {}",
        story.name,
        one.format,
        one.damage,
        one.outcome,
        one.side,
        one.confidence.as_str(),
        one.cause.as_deref().unwrap_or("no cause"),
        right.join(" or ")
    )
}

/// What is right besides, where the whole is right: the host and how far MFA came.
fn besides(stories: &[Story], one: &Judged) -> Vec<String> {
    let story = &stories[one.story];
    let mut wrong = Vec::new();
    if one.damage != Damage::None
        || one.format.is_dark()
        || !one.is_right()
        || one.wanted() != story.want
    {
        return wrong;
    }
    if story.host.is_some() && one.host.as_deref() != story.host {
        wrong.push(format!(
            "{} {:?}: host {:?}, wanted {:?}",
            story.name, one.format, one.host, story.host
        ));
    }
    if story.mfa.is_some() && one.mfa.as_deref() != story.mfa {
        wrong.push(format!(
            "{} {:?}: mfa {:?}, wanted {:?}",
            story.name, one.format, one.mfa, story.mfa
        ));
    }
    wrong
}

fn report(stories: &[Story], all: &[Judged]) -> String {
    let used: BTreeSet<usize> = all.iter().map(|one| one.story).collect();
    let mut out = HEAD.to_owned();
    let counts = |is_measured: bool| {
        used.iter().filter(|number| stories[**number].is_measured == is_measured).count()
    };
    writeln!(
        out,
        "{} captures: {} stories, {} of them developed on and {} only measured, in {} formats, whole and with {} kinds of damage.\n",
        all.len(),
        used.len(),
        counts(false),
        counts(true),
        Format::ALL.len(),
        Damage::ALL.len() - 1
    )
    .unwrap();
    for (title, is_measured) in [("Developed", false), ("Measured", true)] {
        let some: Vec<&Judged> =
            all.iter().filter(|one| stories[one.story].is_measured == is_measured).collect();
        if some.is_empty() {
            continue;
        }
        writeln!(out, "## {title}\n\n{}", sureness(&some)).unwrap();
        writeln!(out, "{}", matrix(&some, "side", |_, side| side.to_owned())).unwrap();
        writeln!(out, "{}", matrix(&some, "outcome", |outcome, _| outcome.to_owned())).unwrap();
    }
    out.push_str("## What was wrong\n\nStory, format, damage, what was said, what is right.\n\n");
    let wrong: Vec<String> =
        all.iter().filter(|one| !one.is_right()).map(|one| line(stories, one)).collect();
    for one in &wrong {
        writeln!(out, "- `{one}`").unwrap();
    }
    if wrong.is_empty() {
        out.push_str("Nothing.\n");
    }
    out.push_str(
        "\n## Labels that were changed after a run\n\n| of | now right, and why |\n|---|---|\n",
    );
    for (of, why) in stories::changed() {
        writeln!(out, "| {of} | {why} |").unwrap();
    }
    out.push_str("\n## The stories\n\n| story | label | what happened |\n|---|---|---|\n");
    for number in &used {
        let story = &stories[*number];
        let name =
            if story.is_measured { format!("*{}*", story.name) } else { story.name.to_owned() };
        writeln!(out, "| {name} | `{}`, {} | {} |", story.want.0, story.want.1, story.told)
            .unwrap();
    }
    out.push_str("\nStories in italics are only measured.\n");
    out
}

const HEAD: &str = "# Measured judgement

What is said of captures whose story is known, by `tests/confusion.rs`. A row is what is right, a column what was said;
the numbers of the columns are those of the rows. Where a label allows two readings, the one that was met counts.

**These are generated captures.** The stories were written from the specification and from what is known of the protocol,
the labels before the first run, by who did not read the code that judges; the generator shares nothing with the crate.
That shows that the judgement does what was meant, and that damage does not make it claim more. It does not show how often
it is right with captures of real sign-ins: no tenant, proxy or browser took part, the mix of stories is ours and not that
of a help desk, and what the author did not know of is in none of them.

In the first run 52 of 1,473 sure verdicts were wrong, of a third of the captures of the stories developed on, and 42 of 3,052
of those only measured. Much of what was wrong has been mended since, in stories of either kind, so those that were only
measured are a test like the others from now on. Two labels of cuts were widened before they were run, by analogy.

33 stories came later (`stories_mixed.rs`), from the mix that the first ones left out, by who had read the code; their labels
were fixed before they were run, after all that the others had shown was mended. In their first run 11 of 2,378 captures were
wrong (0.46 %): 2 of 1,346 sure verdicts (0.15 %) and 5 sides (0.21 %), of which one blamed the network, at medium confidence.
12 more were told when that was mended: in their first run 7 of 835 captures were wrong (0.84 %), all of them in the side, and
1 of 488 sure verdicts (0.20 %), which blamed the network.

31 more came last (`stories_blind.rs`), from what a help desk sees, by somebody who had read none of the code that judges, only
the specification, the protocol, the generator and this page. In their first run 72 of 2,269 captures were wrong (3.17 %): 31 of
1,262 sure verdicts (2.46 %) and 49 sides (2.16 %), 8 of these sure. They lie in 7 of the 31 stories: two tabs, a hidden frame
beside the window, another user who was stopped, a second try that is cut off, a program at its federation server. None blamed
a healthy network; where the network was to blame, 16 did not say so. One cut was surer than the whole. This run is the best
estimate here of what new stories would meet: a few in a hundred, most of them where sign-ins overlap. What it showed is mended,
but for 2 captures whose label was widened (a clock that jumps, below), so that the tables below say next to nothing.

";

/// The label tables and their changes are data; nothing of the generator knows the crate.
#[test]
fn the_generator_imports_nothing_of_the_crate() {
    let folder = support::root().join("tests/support");
    let mut files: Vec<_> =
        ["archive.rs", "random.rs", "sealed.rs", "traffic.rs"].map(|name| folder.join(name)).into();
    for part in ["confusion", "packets"] {
        files.extend(
            std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()),
        );
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        assert!(!code.join("\n").contains("mfatrace::"), "{} imports the crate", file.display());
    }
}

#[test]
fn judgement() {
    let stories = stories::stories();
    let names: BTreeSet<&str> = stories.iter().map(|story| story.name).collect();
    assert_eq!(names.len(), stories.len(), "names are unique");
    let only = std::env::var("CONFUSION").ok();
    let chosen: Vec<usize> = (0..stories.len())
        .filter(|number| match only.as_deref() {
            None => true,
            Some("developed") => !stories[*number].is_measured,
            Some(part) => stories[*number].name.contains(part),
        })
        .collect();
    let is_part = only.as_deref().is_some_and(|only| only != "developed");
    let all = run(&stories, &chosen, if is_part { 100 } else { SAMPLED });
    let text = report(&stories, &all);
    println!("{text}");
    let besides: Vec<String> = all.iter().flat_map(|one| besides(&stories, one)).collect();
    println!(
        "{} hosts or states of MFA are others than labelled:\n{}",
        besides.len(),
        besides.join("\n")
    );

    let claimed: Vec<String> = all
        .iter()
        .flat_map(|one| one.claims.iter().map(|claim| format!("{claim}: {}", line(&stories, one))))
        .collect();
    let blamed: Vec<String> = all
        .iter()
        .filter(|one| stories[one.story].is_healthy && one.side == "network")
        .map(|one| line(&stories, one))
        .collect();
    println!("{} claims of cuts:\n{}", claimed.len(), claimed.join("\n"));
    println!("{} network verdicts of healthy networks:\n{}", blamed.len(), blamed.join("\n"));
    if only.is_some() {
        return;
    }
    assert!(blamed.is_empty(), "a healthy network is blamed:\n{}", blamed.join("\n"));
    assert!(claimed.is_empty(), "cuts claim more than the whole:\n{}", claimed.join("\n"));
    let sure: Vec<&Judged> = all.iter().filter(|one| one.confidence == Confidence::High).collect();
    let wrong = sure.iter().filter(|one| !one.is_right()).count();
    assert!(
        wrong * 10_000 <= sure.len() * MOST_SURE,
        "{wrong} of {} sure verdicts are wrong",
        sure.len()
    );
    let sides = all.iter().filter(|one| !one.is_side_right()).count();
    assert!(sides * 10_000 <= all.len() * MOST_SIDES, "{sides} of {} sides are wrong", all.len());
    let accused: Vec<String> = all
        .iter()
        .filter(|one| one.side == "network" && one.confidence > Confidence::Low)
        .filter(|one| !one.is_right())
        .map(|one| line(&stories, one))
        .collect();
    assert!(accused.is_empty(), "the network is wrongly accused:\n{}", accused.join("\n"));
    assert!(all.len() >= 1000 && stories.len() >= 60, "{} captures", all.len());

    let path = support::root().join("src/manual/judgement.md");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == text, "src/manual/judgement.md is out of date; run this test with UPDATE=1");
}
