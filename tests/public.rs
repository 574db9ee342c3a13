//! Real captures that nobody here made: all of them are read, and none of them gives a false alarm.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use mfatrace::capture::Source;
use mfatrace::capture::frames::{Item, Loss, Sink, walk};
use mfatrace::finding::{Family, Severity};
use mfatrace::time::Timestamp;

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

/// Entries as jq counts them; `None` when jq cannot read the file or it has none.
fn counted_by_jq(path: &Path) -> Option<u64> {
    let output = Command::new("jq").args(["-e", ".log.entries|length"]).arg(path).output();
    let Ok(output) = output else {
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "jq is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().parse().ok()).flatten()
}

/// Distinct session numbers, found in the bytes of the central directory without any reader.
fn counted_sessions(bytes: &[u8]) -> u64 {
    let mut found = BTreeSet::new();
    for at in memchr::memmem::find_iter(bytes, b"PK\x01\x02") {
        let Some(header) = bytes.get(at..at + 46) else { continue };
        let length = usize::from(u16::from_le_bytes([header[28], header[29]]));
        let Some(name) = bytes.get(at + 46..at + 46 + length) else { continue };
        let name = String::from_utf8_lossy(name).to_lowercase().replace('\\', "/");
        let number = name.strip_prefix("raw/").and_then(|name| name.strip_suffix("_c.txt"));
        found.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    u64::try_from(found.len()).unwrap()
}

/// Token requests of applications in their own name, with the code that answered.
const OWN_NAME: &[(&str, Option<u32>)] = &[
    ("graph-azure__authenticate-invalid", Some(7_000_215)),
    ("graph-azure__validateInvocationWithInvalidDirectoryId", Some(90_002)),
    ("graph-microsoft-365__fetchOrganizationInaccessible", None),
    ("graph-microsoft-365__verifyAuthenticationInvalidDirectory", Some(90_002)),
    ("graph-microsoft-endpoint-defender__inaccessible", Some(7_000_215)),
];

#[test]
fn every_entry_of_a_har_is_read() {
    let Some(folder) = support::public("har") else { return };
    let mut compared = 0;
    for path in files(&folder, "") {
        let analysis = support::run(std::slice::from_ref(&path), &[]);
        let records = analysis.evidence.inputs.iter().map(|input| input.records).sum::<u64>();
        if let Some(want) = counted_by_jq(&path) {
            assert_eq!(records, want, "{}", path.display());
            compared += 1;
        }
    }
    println!("{compared} files compared with jq");
}

#[test]
fn every_session_of_an_archive_is_read() {
    let Some(folder) = support::public("saz") else { return };
    for path in files(&folder, ".saz") {
        let analysis = support::run(std::slice::from_ref(&path), &[]);
        let records = analysis.evidence.inputs.iter().map(|input| input.records).sum::<u64>();
        assert_eq!(records, counted_sessions(&std::fs::read(&path).unwrap()), "{}", path.display());
    }
}

#[test]
fn public_captures_raise_no_false_alarm() {
    for folder in ["har", "saz"] {
        let Some(folder) = support::public(folder) else { return };
        for path in files(&folder, "") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let analysis = support::run(std::slice::from_ref(&path), &[]);
            let verdict = &analysis.verdict;
            assert_ne!(verdict.side.as_str(), "network", "{name}");
            let own = OWN_NAME.iter().find(|(start, _)| name.starts_with(start));
            if let Some((_, code)) = own {
                let attempt = analysis.signin.attempts.last().unwrap();
                assert_eq!(attempt.flow.as_str(), "client_credentials", "{name}");
                match code {
                    Some(code) => {
                        assert_eq!(verdict.outcome.as_str(), "other_error", "{name}");
                        assert_eq!(attempt.deciding_code, Some(*code), "{name}");
                    }
                    None => assert_eq!(verdict.outcome.as_str(), "completed_without_mfa", "{name}"),
                }
                continue;
            }
            assert!(
                matches!(verdict.outcome.as_str(), "no_sign_in" | "undetermined"),
                "{name}: {}",
                verdict.outcome
            );
            let capture = analysis
                .evidence
                .inputs
                .iter()
                .any(|input| input.format != mfatrace::evidence::Format::Unrecognised);
            if capture {
                assert_eq!(verdict.outcome.as_str(), "no_sign_in", "{name}");
            }
            for finding in &analysis.findings {
                let alarm =
                    finding.severity == Severity::Error && finding.meta.family != Family::Cap;
                assert!(!alarm, "{name}: {}", finding.meta.id);
            }
        }
    }
}

/// Packet captures of which we tell another number of frames than tshark 4.0, and why.
const OTHER_COUNT: &[(&str, u64)] = &[
    // tshark gives up at a section of version 2; the section behind it is read here.
    ("gopacket__test901.pcapng", 2),
    // tshark gives up at a frame of 4 MB; what follows the damage is found here.
    ("suricata-verify__tls_DER-incomplete-header.pcap", 13),
];

/// Packet captures whose first or last time is another one than tshark's first or last frame has, and
/// what we tell, in nanoseconds: the earliest and the latest, as capinfos does.
const OTHER_TIMES: &[(&str, i64, i64)] = &[
    // Frames are not in the order of their times.
    ("arkime__y2038-bgp.pcap", 1_259_261_324_435_140_000, 2_164_247_948_451_127_000),
    ("pcapplusplus__nanosecs.pcap", 1_000_001_234, 1_000_002_000),
    ("wireshark__grpc_web.pcapng.gz", 1_645_283_684_443_842_000, 1_645_321_711_921_148_000),
    ("wireshark__many_interfaces.pcapng.1", 1_439_753_725_701_568_000, 1_439_753_728_292_345_000),
    // 157 frames have times beyond the year 500000, which are no times here; frame 2 is of 2061.
    ("pcapplusplus__pcapng-example.pcapng", 1_422_527_998_578_402_281, 2_894_531_997_938_836_488),
    // The second frame is of 1994, and frames behind the damage are the last.
    (
        "suricata-verify__tls_DER-incomplete-header.pcap",
        761_195_582_033_594_000,
        1_429_518_026_031_227_000,
    ),
    // Fractions above a second: tshark shows 1418145370.1000000000 and -1418145370.2147483648.
    ("tcpdump__timestamp_invalid_nano.pcap", 1_418_145_369_999_999_999, 1_418_145_372_147_483_648),
];

/// Seconds with nine decimals as nanoseconds.
fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, part) = text.split_once('.')?;
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(part.parse().ok()?)
}

/// Counts packets only, as capinfos does.
#[derive(Default)]
struct Packets(u64);

impl Sink for Packets {
    fn item(&mut self, _: u64, item: &Item<'_>) {
        if let Item::Frame(_) = item {
            self.0 += 1;
        }
    }

    fn lost(&mut self, _: Loss) {}
}

/// Packets as capinfos counts them; `None` when it cannot read the file.
fn counted_by_capinfos(path: &Path) -> Option<u64> {
    let output = Command::new("capinfos").args(["-T", "-r", "-c", "-M"]).arg(path).output();
    let Ok(output) = output else {
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "capinfos is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().rsplit('\t').next()?.parse().ok()).flatten()
}

#[test]
fn every_frame_of_a_packet_capture_is_counted() {
    let (Some(folder), Some(truth)) = (support::public("pcap"), support::public("truth")) else {
        return;
    };
    let (mut compared, mut wrong) = (0, Vec::new());
    for path in files(&folder, "") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(".pcap") || name.ends_with(".keylog") {
            continue;
        }
        let told = std::fs::read(truth.join(format!("{name}.json"))).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        let analysis = support::run(std::slice::from_ref(&path), &[]);
        let outcome = analysis.verdict.outcome.as_str();
        assert!(
            ["no_sign_in", "undetermined", "unreadable"].contains(&outcome),
            "{name}: {outcome}"
        );
        assert_eq!(analysis.verdict.side.as_str(), "cannot_tell", "{name}");
        for finding in &analysis.findings {
            assert_ne!(finding.severity, Severity::Error, "{name}: {}", finding.meta.id);
        }
        assert!(analysis.verdict.next_capture.is_some(), "{name}");
        let input = &analysis.evidence.inputs[0];
        assert!(input.format.is_packets(), "{name}");
        let other = OTHER_COUNT.iter().find(|(other, _)| *other == name);
        let want = other.map_or_else(|| told["packets"].as_u64().unwrap(), |(_, count)| *count);
        if input.records != want {
            wrong.push(format!("{name}: {} frames, tshark {want}", input.records));
        }
        let time = |key: &str| told[key].as_str().and_then(nanoseconds);
        let want = OTHER_TIMES.iter().find(|(other, ..)| *other == name).map_or_else(
            || (time("first_time"), time("last_time")),
            |(_, one, two)| (Some(*one), Some(*two)),
        );
        let ours = [input.first, input.last].map(|at| at.map(Timestamp::as_nanoseconds));
        if (ours[0], ours[1]) != want {
            wrong.push(format!("{name}: {ours:?}, tshark {want:?}"));
        }
        if other.is_none() && !name.contains(".gz") {
            let mut packets = Packets::default();
            let mut source = Source::file(&path).unwrap();
            walk(input.format, &mut source, &mut packets).unwrap();
            let theirs = counted_by_capinfos(&path);
            if theirs.is_some_and(|theirs| theirs != packets.0) {
                wrong.push(format!("{name}: {} packets, capinfos {theirs:?}", packets.0));
            }
        }
        compared += 1;
    }
    println!("{compared} files compared with tshark and capinfos");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
