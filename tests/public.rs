//! Real captures that nobody here made: all of them are read, and none of them gives a false alarm.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use mfatrace::finding::{Family, Severity};

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
