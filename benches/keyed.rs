//! Speed of reading what keys open, beside tshark with the same key log on the same file in the same
//! run; and what keys cost where they open nothing.
//!
//! `cargo bench --bench keyed -- SIZE_MB [CONNECTIONS] [alone]`, or `-- --write FILE SIZE_MB
//! [CONNECTIONS]` to make the file and its key log only. A ratio counts if both told the same requests.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mfatrace::analyze::{Analysis, AnalyzeOptions, CaseInput, Selection, analyze};
use mfatrace::evidence::Locator;
use mfatrace::limits::Limits;

#[path = "../tests/support/browsing.rs"]
mod browsing;
#[path = "../tests/support/sealed.rs"]
mod sealed;
#[path = "../tests/support/traffic.rs"]
mod traffic;

use browsing::{Browsing, Facts, key_log};
use traffic::Plan;

/// Runs of which the best counts.
const RUNS: usize = 5;
/// The same of tshark, which takes long.
const THEIR_RUNS: usize = 2;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let size = numbers.first().copied().unwrap_or(200);
    // By default every connection has some six requests.
    let connections = numbers.get(1).copied().unwrap_or(size * 4);
    let connections = u32::try_from(connections).unwrap();
    let plan = Plan { bytes: size * 1_000_000, connections, open: (connections / 10).max(8) };
    let after = |word: &str| {
        let place = arguments.iter().position(|one| one == word)?;
        arguments.get(place + 1..).filter(|rest| !rest.is_empty())
    };
    if let Some([path, ..]) = after("--write") {
        let path = PathBuf::from(path);
        println!("{} frames", write(&path, plan).1);
        std::fs::write(format!("{}.keylog", path.display()), key_log(connections, 0)).unwrap();
    } else if let Some([path, keys @ ..]) = after("--read") {
        // A process of its own, so that its memory is that of the analysis alone.
        let keys: Vec<PathBuf> = keys.iter().map(PathBuf::from).collect();
        let analysis = read(Path::new(path), &keys);
        println!("{} {}", peak("self"), analysis.evidence.inputs.last().unwrap().records);
    } else {
        compare(plan, arguments.iter().any(|one| one == "alone"));
    }
}

fn write(path: &Path, plan: Plan) -> (Facts, u64) {
    let mut made = Browsing::new(plan);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    std::io::copy(&mut made, &mut file).unwrap();
    file.flush().unwrap();
    let frames = made.frames();
    (made.facts, frames)
}

fn compare(plan: Plan, alone: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.pcap");
    let (want, frames) = write(&path, plan);
    let file = |name: &str, run| {
        let path = folder.path().join(name);
        std::fs::write(&path, key_log(plan.connections, run)).unwrap();
        path
    };
    let (right, wrong) = (file("right.keylog", 0), file("wrong.keylog", 1));
    let size = std::fs::metadata(&path).unwrap().len();
    println!(
        "{} MB, {frames} frames of {} bytes, {} connections, {} open at once, {} requests",
        size / 1_000_000,
        size / frames.max(1),
        plan.connections,
        plan.open,
        want.values().sum::<u64>()
    );
    // Whatever else the machine does meets all three alike.
    let mut best = [Duration::MAX; 3];
    let mut analysis = None;
    let logs = [Vec::new(), vec![wrong], vec![right.clone()]];
    for _ in 0..RUNS {
        for (best, keys) in best.iter_mut().zip(&logs) {
            let (took, read) = time(|| read(&path, keys));
            *best = took.min(*best);
            analysis = Some(read);
        }
    }
    let [none, other, ours] = best;
    let found = told(&analysis.unwrap());
    let names = ["without keys", "with keys of other connections", "with its keys"];
    for ((name, took), keys) in names.iter().zip(best).zip(&logs) {
        show(&format!("mfatrace {name}"), size, took);
        let program = std::env::current_exe().unwrap();
        let child = Command::new(program).arg("--read").arg(&path).args(keys).output().unwrap();
        println!("    peak memory: {} MiB", first_number(&child.stdout) >> 10);
    }
    let times = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    println!("    keys that open nothing: {:.2} times as long as without", times(other, none));
    println!("    keys that open all: {:.2} times as long as without", times(ours, none));
    let is_right = found == want;
    println!("    requests as they were made: {is_right}");
    if !is_right {
        differences("mfatrace", &found, &want);
    }
    if alone {
        return;
    }
    let command = tshark(&path, &right);
    let mut output = None;
    let mut theirs = Duration::MAX;
    for _ in 0..THEIR_RUNS {
        let (took, told) = time(|| run(&command));
        theirs = theirs.min(took);
        output = told;
    }
    let Some((output, memory)) = output else {
        println!("  tshark: not installed, not compared");
        return;
    };
    show("tshark with its keys, the same requests", size, theirs);
    println!("    peak memory: {} MiB", memory >> 10);
    let by_tshark = by_tshark(&output);
    let is_same = is_right && by_tshark == want;
    let void = if is_same { "requests equal" } else { "void, the requests differ" };
    println!("    mfatrace is {:.1} times as fast ({void})", times(theirs, ours));
    if by_tshark != want {
        differences("tshark", &by_tshark, &want);
    }
}

/// Says what differs, so that a void ratio is not a riddle.
fn differences(name: &str, found: &Facts, want: &Facts) {
    let count = |facts: &Facts| facts.values().sum::<u64>();
    println!("    {name} told {}, made were {}", count(found), count(want));
    let only = |one: &Facts, other: &Facts, what: &str| {
        for (fact, count) in
            one.iter().filter(|(fact, count)| other.get(fact) != Some(count)).take(5)
        {
            println!("    {what} {count} times: {fact:?}");
        }
    };
    only(found, want, "told");
    only(want, found, "made");
}

fn show(name: &str, size: u64, took: Duration) {
    let megabytes = u32::try_from(size / 1_000_000).unwrap();
    let seconds = took.as_secs_f64();
    println!("  {name}: {seconds:.2} s, {:.0} MB/s", f64::from(megabytes) / seconds);
}

#[expect(clippy::disallowed_methods, reason = "a bench looks at a clock")]
fn time<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = f();
    (start.elapsed(), value)
}

/// Runs a program; gives what it wrote, and the most memory that it had, in KiB.
fn run(command: &[String]) -> Option<(Vec<u8>, u64)> {
    let (program, arguments) = command.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let id = child.id().to_string();
    let (mut output, mut buffer, mut most) = (Vec::new(), vec![0; 1 << 16], 0);
    let mut stdout = child.stdout.take()?;
    while let Ok(count @ 1..) = stdout.read(&mut buffer) {
        output.extend_from_slice(buffer.get(..count)?);
        most = peak(&id).max(most);
    }
    child.wait().ok()?;
    Some((output, most))
}

fn first_number(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The most memory that a process had, in KiB.
fn peak(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    first_number(line.as_bytes())
}

fn read(path: &Path, key_logs: &[PathBuf]) -> Analysis {
    let cancel = AtomicBool::new(false);
    let options = AnalyzeOptions {
        limits: Limits::default(),
        hash: false,
        passwords: &[],
        key_logs,
        selection: Selection::default(),
        cancel: &cancel,
    };
    analyze(&[CaseInput::File(path.to_owned())], &options)
}

/// The requests that the library told.
fn told(analysis: &Analysis) -> Facts {
    let mut facts = Facts::new();
    for one in analysis.evidence.exchanges.iter().filter(|one| !one.is_hidden()) {
        let Locator::Frames { stream: Some(stream), .. } = one.at.at else { continue };
        let Ok(response) = &one.response else { continue };
        let (host, path) = (one.host().as_str().to_owned(), one.request.url.path.to_string());
        let fact = (stream.number.0, one.request.method.to_string(), host, path, response.status);
        *facts.entry(fact).or_default() += 1;
    }
    facts
}

/// The fields of tshark that tell requests and their statuses.
const FIELDS: [&str; 11] = [
    "tcp.stream",
    "http.request.method",
    "http.host",
    "http.request.uri",
    "http.response.code",
    "http2.type",
    "http2.streamid",
    "http2.headers.method",
    "http2.headers.authority",
    "http2.headers.path",
    "http2.headers.status",
];

/// One pass is enough where the keys are there before the packets.
fn tshark(path: &Path, keys: &Path) -> Vec<String> {
    let mut command: Vec<String> =
        ["tshark", "-n", "-r", &path.to_string_lossy()].map(str::to_owned).into();
    command.extend(["-o".to_owned(), format!("tls.keylog_file:{}", keys.display())]);
    let rest = "-Y|http.request or http.response or http2.type == 1|-T|fields|-E|occurrence=a|-E|aggregator= ";
    command.extend(rest.split('|').map(str::to_owned));
    for field in FIELDS {
        command.extend(["-e".to_owned(), field.to_owned()]);
    }
    command
}

/// The requests that tshark told: answers of HTTP/1 belong to requests in order, those of HTTP/2 to the
/// request of their stream.
fn by_tshark(output: &[u8]) -> Facts {
    let text = String::from_utf8_lossy(output);
    let mut facts = Facts::new();
    let mut asked: BTreeMap<(u32, u32), [String; 3]> = BTreeMap::new();
    for line in text.lines() {
        let parts: Vec<Vec<&str>> = line
            .split('\t')
            .map(|field| field.split(' ').filter(|one| !one.is_empty()).collect())
            .collect();
        let [stream, method, host, uri, code, kinds, ids, methods, hosts, paths, statuses] =
            &parts[..]
        else {
            continue;
        };
        let Some(stream) = stream.first().and_then(|text| text.parse::<u32>().ok()) else {
            continue;
        };
        let mut ask = |id, method: &str, host: &str, uri: &str| {
            let path = uri.split('?').next().unwrap_or_default();
            asked.insert((stream, id), [method, host, path].map(str::to_owned));
        };
        if let ([method], [host], [uri]) = (&method[..], &host[..], &uri[..]) {
            ask(0, method, host, uri);
        }
        // Of the frames in a packet those of heads have the fields, in their order.
        let heads = kinds.iter().zip(ids).filter(|(kind, _)| **kind == "1");
        let heads: Vec<u32> = heads.filter_map(|(_, id)| id.parse().ok()).collect();
        if methods.len() == heads.len() {
            for (at, id) in heads.iter().enumerate() {
                if let (Some(method), Some(host), Some(path)) =
                    (methods.get(at), hosts.get(at), paths.get(at))
                {
                    ask(*id, method, host, path);
                }
            }
        }
        let answers = code.iter().map(|code| (0, *code));
        let news = heads.iter().copied().zip(statuses.iter().copied());
        for (id, code) in answers.chain(news) {
            let (Some([method, host, path]), Ok(code)) =
                (asked.remove(&(stream, id)), code.parse())
            else {
                continue;
            };
            *facts.entry((stream, method, host, path, code)).or_default() += 1;
        }
    }
    facts
}
