//! The display filters of reports: tshark accepts them and shows the frames that are cited.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test support")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Filters asked of one capture at most.
const FILTERS: usize = 6;

/// A place in packets as a report cites it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cited {
    filter: String,
    first: u64,
    last: u64,
    stream: Option<u64>,
}

fn collect(value: &Value, into: &mut BTreeSet<Cited>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, into)),
        Value::Object(fields) => {
            if let (Some(filter), Some(frames)) = (fields.get("filter"), fields.get("frames")) {
                into.insert(Cited {
                    filter: filter.as_str().unwrap().to_owned(),
                    first: frames[0].as_u64().unwrap(),
                    last: frames[1].as_u64().unwrap(),
                    stream: fields.get("stream").and_then(Value::as_u64),
                });
            }
            fields.values().for_each(|one| collect(one, into));
        }
        _ => {}
    }
}

/// The frames that a filter selects; `None` when tshark is not installed.
fn selected(capture: &Path, filter: &str) -> Option<Vec<u64>> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-Y", filter, "-T", "fields", "-e", "frame.number"])
        .output();
    let Ok(output) = output else {
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "tshark is not installed");
        println!("skipped: tshark is not installed");
        return None;
    };
    assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().map(|line| line.trim().parse().unwrap()).collect())
}

#[test]
fn filters_select_the_frames_that_are_cited() {
    let (mut asked, mut captures) = (0, 0);
    let rows = support::manifest();
    let packets = rows.iter().filter(|row| row.path.contains(".pcap"));
    // Behind a SOCKS proxy streams are counted in a way of their own.
    let is_socks = |row: &support::Row| row.path.contains("socks");
    let picked = packets.enumerate().filter(|(index, row)| index % 8 == 0 || is_socks(row));
    for (_, row) in picked {
        let capture = support::root().join("captures").join(&row.path);
        let report = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
            .args(["--format", "json", "--evidence", "--no-hash"])
            .arg(&capture)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        let mut cited = BTreeSet::new();
        collect(&report, &mut cited);
        captures += 1;
        let step = cited.len().div_ceil(FILTERS).max(1);
        for one in cited.iter().step_by(step) {
            let Some(frames) = selected(&capture, &one.filter) else { return };
            asked += 1;
            let name = &row.path;
            assert_eq!(frames.first(), Some(&one.first), "{name}: {one:?}");
            assert_eq!(frames.last(), Some(&one.last), "{name}: {one:?}");
            if one.stream.is_none() {
                let whole = (one.first..=one.last).collect::<Vec<_>>();
                assert_eq!(frames, whole, "{name}: {one:?}");
            }
        }
    }
    println!("{asked} filters of {captures} captures");
    assert!(asked > 100, "{asked}");
}

/// What the buttons of an HTML report copy, each with the name of its button.
fn buttons(document: &str) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for Ok(token) in html5gum::Tokenizer::new(document) {
        let html5gum::Token::StartTag(tag) = token else { continue };
        let text = |name: &[u8]| {
            let (_, value) = tag.attributes.iter().find(|(key, _)| ***key == *name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if let (Some(copied), Some(name)) = (text(b"data-copy"), text(b"aria-label")) {
            all.insert((copied, name));
        }
    }
    all
}

#[test]
fn filters_of_several_places_select_the_first_and_the_last() {
    let mut asked = 0;
    let rows = support::manifest();
    for row in rows.iter().filter(|row| row.path.contains(".pcap")).step_by(40) {
        let capture = support::root().join("captures").join(&row.path);
        let report = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
            .args(["--format", "html", "--no-hash"])
            .arg(&capture)
            .output()
            .unwrap();
        let document = String::from_utf8(report.stdout).unwrap();
        let is_of_several = |(copied, name): &&(String, String)| {
            copied.contains(") || (") && name.starts_with("frames") && !name.contains(" more")
        };
        for (filter, name) in buttons(&document).iter().filter(is_of_several).take(2) {
            let Some(frames) = selected(&capture, filter) else { return };
            let named = name.split(':').next().unwrap().split(|c: char| !c.is_ascii_digit());
            let named: BTreeSet<u64> = named.filter_map(|number| number.parse().ok()).collect();
            assert_eq!(frames.first(), named.first(), "{}: {name}: {filter}", row.path);
            assert_eq!(frames.last(), named.last(), "{}: {name}: {filter}", row.path);
            asked += 1;
        }
    }
    assert!(asked > 3, "{asked}");
}
