//! Speed of the packet path, beside tshark and tcpdump on the same file in the same run.
//!
//! `cargo bench --bench packets -- SIZE_MB [CONNECTIONS [OPEN]] [alone]`, or `-- --write FILE SIZE_MB
//! [CONNECTIONS [OPEN]]` to make the file only; OPEN is how many are open at once. A ratio counts if both told the same facts.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mfatrace::analyze::{Analysis, AnalyzeOptions, CaseInput, Selection, analyze};
use mfatrace::evidence::{Answer, NamedBy, Opened};
use mfatrace::limits::Limits;

#[path = "../tests/support/traffic.rs"]
mod traffic;

use traffic::{Facts, Plan, Traffic};

/// Runs of which the best counts.
const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let size = numbers.first().copied().unwrap_or(300);
    // By default every connection has some 26 frames.
    let connections = numbers.get(1).copied().unwrap_or(size * 50);
    let plan = Plan::new(size * 1_000_000, u32::try_from(connections).unwrap());
    let open = numbers.get(2).map_or(plan.open, |open| u32::try_from(*open).unwrap());
    let plan = Plan { open, ..plan };
    let after = |word: &str| {
        let place = arguments.iter().position(|one| one == word)?;
        arguments.get(place + 1).map(PathBuf::from)
    };
    if let Some(path) = after("--write") {
        println!("{} frames", write(&path, plan).frames);
    } else if let Some(path) = after("--read") {
        // A process of its own, so that its memory is that of the analysis alone.
        let analysis = read(&path, false);
        println!("{} {}", peak(), analysis.evidence.inputs.first().unwrap().records);
    } else {
        compare(plan, arguments.iter().any(|one| one == "alone"));
    }
}

fn write(path: &Path, plan: Plan) -> Facts {
    let mut traffic = Traffic::new(plan);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    std::io::copy(&mut traffic, &mut file).unwrap();
    file.flush().unwrap();
    traffic.told()
}

fn compare(plan: Plan, alone: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.pcap");
    let want = write(&path, plan);
    let size = std::fs::metadata(&path).unwrap().len();
    println!(
        "{} MB, {} frames of {} bytes, {} connections, {} open at once",
        size / 1_000_000,
        want.frames,
        size / want.frames.max(1),
        want.streams,
        plan.open
    );
    let mut analysis = None;
    let ours = best(RUNS, || analysis = Some(read(&path, false)));
    show("mfatrace, no hash", size, ours);
    let found = told(&analysis.take().unwrap(), &want);
    let is_right = found == want;
    println!("    facts as they were made: {is_right}");
    if !is_right {
        differences(&found, &want);
    }
    show("mfatrace, with hash", size, best(RUNS, || drop(read(&path, true))));
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program).arg("--read").arg(&path).output().unwrap();
    println!("    peak memory: {} MiB", first_number(&child.stdout) >> 10);
    if alone {
        return;
    }
    let tcpdump = ["tcpdump", "-r", &path.to_string_lossy(), "-w", "/dev/null"].map(str::to_owned);
    if run(&tcpdump).is_some() {
        let theirs = best(RUNS, || assert!(run(&tcpdump).is_some()));
        show("tcpdump -w /dev/null", size, theirs);
        println!(
            "    mfatrace takes {:.2} times as long",
            ours.as_secs_f64() / theirs.as_secs_f64()
        );
    } else {
        println!("  tcpdump: not installed, not compared");
    }
    let command = tshark(&path);
    let mut output = None;
    let theirs = best(1, || output = run(&command));
    let Some(output) = output else {
        println!("  tshark: not installed, not compared");
        return;
    };
    show("tshark -2, the same facts", size, theirs);
    let same = is_right && by_tshark(&output, &want) == want;
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let void = if same { "facts equal" } else { "void, the facts differ" };
    println!("    mfatrace is {ratio:.1} times as fast ({void})");
}

/// Says which kinds of facts differ, so that a void ratio is not a riddle.
fn differences(found: &Facts, want: &Facts) {
    let kinds = [
        ("frames", found.frames == want.frames),
        ("streams", found.streams == want.streams),
        ("names", found.names == want.names),
        ("unanswered", found.unanswered == want.unanswered),
        ("alerts", found.alerts == want.alerts),
        ("lookups", found.lookups == want.lookups),
        ("requests", found.requests == want.requests),
        ("all names", found.all_names == want.all_names),
    ];
    for (kind, _) in kinds.iter().filter(|(_, is_equal)| !is_equal) {
        println!("    {kind} differ");
    }
    println!(
        "    streams {}/{}, names {}/{}, unanswered {}/{}, alerts {}/{}",
        found.streams,
        want.streams,
        found.names.len(),
        want.names.len(),
        found.unanswered.len(),
        want.unanswered.len(),
        found.alerts.len(),
        want.alerts.len()
    );
    println!("    lookups {:?}\n       made {:?}", found.lookups, want.lookups);
}

fn show(name: &str, size: u64, took: Duration) {
    let megabytes = u32::try_from(size / 1_000_000).unwrap();
    let seconds = took.as_secs_f64();
    println!("  {name}: {seconds:.2} s, {:.0} MB/s", f64::from(megabytes) / seconds);
}

#[expect(clippy::disallowed_methods, reason = "a bench looks at a clock")]
fn best(runs: usize, mut f: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        f();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap()
}

fn run(command: &[String]) -> Option<Vec<u8>> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    Some(output.stdout)
}

fn first_number(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    first_number(line.as_bytes())
}

fn read(path: &Path, hash: bool) -> Analysis {
    let cancel = AtomicBool::new(false);
    let options = AnalyzeOptions {
        limits: Limits::default(),
        hash,
        passwords: &[],
        key_logs: &[],
        selection: Selection::default(),
        cancel: &cancel,
    };
    analyze(&[CaseInput::File(path.to_owned())], &options)
}

/// What the library told, of that which is compared; `want` gives what it has no list of.
fn told(analysis: &Analysis, want: &Facts) -> Facts {
    let evidence = &analysis.evidence;
    let wire = evidence.coverage.inputs.first().and_then(|one| one.wire.as_ref());
    let mut facts = Facts {
        frames: evidence.inputs.first().unwrap().records,
        streams: u32::try_from(wire.map_or(0, |wire| wire.opened)).unwrap(),
        all_names: want.all_names,
        ..Facts::default()
    };
    for one in evidence.connections.iter().filter(|one| one.in_scope) {
        let (Some(stream), Some(name)) = (one.stream, &one.server_name) else { continue };
        if one.named_by == Some(NamedBy::ServerName) {
            facts.names.push((stream.0, name.as_str().to_owned()));
        }
        let alerts = one.tls.iter().flat_map(|tls| &tls.alerts);
        facts.alerts.extend(alerts.map(|alert| (stream.0, alert.description)));
    }
    for one in evidence.connections.iter().filter(|one| one.in_scope) {
        if matches!(one.opened, Opened::Unanswered { .. } | Opened::Refused) {
            facts.unanswered.extend(one.stream.map(|stream| stream.0));
        }
    }
    for one in evidence.lookups.iter().filter(|one| one.in_scope) {
        let code = match one.answer {
            Answer::Addresses(_) | Answer::Cut | Answer::Empty => 0,
            Answer::Failed(code) => code,
            Answer::None => continue,
        };
        *facts.lookups.entry((one.name.as_str().to_owned(), code)).or_default() += 1;
    }
    for one in evidence.exchanges.iter().filter(|one| one.in_scope && !one.is_hidden()) {
        *facts.requests.entry(one.host().as_str().to_owned()).or_default() += 1;
    }
    facts.unanswered.sort_unstable();
    facts.names.sort();
    facts.alerts.sort_unstable();
    facts
}

/// The fields of tshark that tell the facts.
const FIELDS: [&str; 11] = [
    "tcp.stream",
    "tcp.flags.syn",
    "tcp.flags.ack",
    "tls.handshake.type",
    "tls.handshake.extensions_server_name",
    "tls.alert_message.desc",
    "dns.qry.name",
    "dns.flags.response",
    "dns.flags.rcode",
    "http.request.method",
    "http.host",
];

fn tshark(path: &Path) -> Vec<String> {
    let filter = "tcp.flags.syn==1 || tls.handshake.type==1 || tls.alert_message || \
                  dns.flags.response==1 || http.request";
    let mut command: Vec<String> =
        ["tshark", "-2", "-n", "-r", &path.to_string_lossy(), "-Y", filter, "-T", "fields"]
            .map(str::to_owned)
            .into();
    for field in FIELDS {
        command.extend(["-e".to_owned(), field.to_owned()]);
    }
    command
}

/// What tshark told.
fn by_tshark(output: &[u8], want: &Facts) -> Facts {
    let text = String::from_utf8_lossy(output);
    let mut facts = Facts { frames: want.frames, ..Facts::default() };
    let mut open: BTreeMap<u32, bool> = BTreeMap::new();
    let is_sign_in = |name: &str| want.names.iter().any(|(_, known)| known == name);
    for line in text.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let [stream, syn, ack, _, sni, alert, query, response, code, method, host] = parts[..]
        else {
            continue;
        };
        let stream = stream.parse::<u32>().ok();
        if let Some(stream) = stream.filter(|_| syn == "1") {
            *open.entry(stream).or_default() |= ack == "1";
        }
        if let Some(stream) = stream.filter(|_| !sni.is_empty()) {
            facts.all_names += 1;
            if is_sign_in(sni) {
                facts.names.push((stream, sni.to_owned()));
            }
        }
        if let (Some(stream), Ok(alert)) = (stream, alert.parse()) {
            facts.alerts.push((stream, alert));
        }
        if response == "1" && is_sign_in(query) {
            let key = (query.to_owned(), code.parse().unwrap());
            *facts.lookups.entry(key).or_default() += 1;
        }
        if !method.is_empty() && is_sign_in(host) {
            *facts.requests.entry(host.to_owned()).or_default() += 1;
        }
    }
    facts.streams = u32::try_from(open.len()).unwrap();
    let kept: std::collections::BTreeSet<u32> = facts.names.iter().map(|(one, _)| *one).collect();
    facts.alerts.retain(|(stream, _)| kept.contains(stream));
    facts.unanswered =
        open.iter().filter(|(_, answered)| !**answered).map(|(one, _)| *one).collect();
    facts.unanswered.retain(|stream| want.unanswered.binary_search(stream).is_ok());
    facts.names.sort();
    facts.alerts.sort_unstable();
    facts
}
