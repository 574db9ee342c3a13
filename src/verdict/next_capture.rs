//! The capture to take next, when this one cannot tell or is not sure.
//!
//! What is missing follows from what the attempt left open; how it is taken follows from the
//! client's system and browser, as far as the capture names them. The instructions themselves stand
//! in one table.
//!
//! Invariant: Windows and Edge are assumed where nothing is told, and that is said.

mod keys;
mod recipes;

pub(super) use keys::unfit as unfit_keys;
use recipes::Recipe;

use super::{CaptureKind, NextCapture};
use crate::evidence::{DiagnosticCode, Evidence, Unseen, Vantage};
use crate::finding::{Confidence, Text};
use crate::signin::{
    Browser, Client, DisagreementKind, Outcome, Side, SignIn, SignInAttempt, System, client,
};

/// The capture that is wanted beside a verdict: always where it cannot tell, and where the network
/// is held responsible without proof.
pub(super) fn wanted(
    evidence: &Evidence,
    signin: &SignIn,
    attempt: &SignInAttempt,
    confidence: Confidence,
) -> Option<NextCapture> {
    match attempt.side {
        Side::CannotTell => Some(next_capture(evidence, signin, Some(attempt))),
        Side::Network if confidence < Confidence::High => {
            let client = client(evidence, Some(attempt));
            if is_contradicted(signin) {
                return Some(at_once(&client, evidence));
            }
            let is_there = evidence.inputs.iter().any(|input| input.format.is_packets());
            let (kind, missing) = if is_there {
                (CaptureKind::Browser, "what the browser itself says of the failure")
            } else {
                let missing =
                    "the proof of what failed on the way, which this capture does not hold";
                (CaptureKind::Packets, missing)
            };
            Some(from(kind, missing, &client, evidence))
        }
        _ => None,
    }
}

/// What is missing and how to get it.
pub(super) fn next_capture(
    evidence: &Evidence,
    signin: &SignIn,
    attempt: Option<&SignInAttempt>,
) -> NextCapture {
    let unseen = attempt.and_then(|attempt| attempt.unseen.first().copied());
    let tunnels = !signin.encrypted.is_empty();
    let stopped = attempt.is_some_and(|attempt| attempt.blockage.is_some());
    let closed = evidence.diagnostics.iter().any(|one| one.code == DiagnosticCode::Encrypted);
    let client = client(evidence, attempt);
    let encrypted = || unfit_keys(evidence, signin).map_or(ENCRYPTED, |(_, missing)| missing);
    let usual = if client.is_program { CaptureKind::Program } else { CaptureKind::Browser };
    if is_contradicted(signin) {
        return at_once(&client, evidence);
    }
    let (kind, missing) = if closed && evidence.exchanges.is_empty() {
        (CaptureKind::Password, "the password of the archive")
    } else {
        match unseen {
            Some(Unseen::BodiesMissing) => (
                CaptureKind::Bodies,
                "the bodies of the sign-in pages, which the exporter left out",
            ),
            Some(Unseen::Encrypted) => (CaptureKind::Decrypted, encrypted()),
            _ if attempt.is_none() && tunnels => (CaptureKind::Decrypted, encrypted()),
            _ if stopped && evidence.inputs.iter().any(|input| input.format.is_packets()) => {
                (usual, "what the browser itself says of the failure")
            }
            _ if stopped => (
                CaptureKind::Packets,
                "the reason why the request failed, which this capture does not name",
            ),
            Some(Unseen::CaptureStarted) => {
                (usual, "what came before the first request in this capture")
            }
            Some(_) => (usual, ended(attempt)),
            None if attempt.is_some() => {
                (usual, "the reason, which the service gave in no answer here")
            }
            None if evidence.inputs.iter().all(|input| !input.format.is_capture()) => {
                (usual, "a capture: none of the files is one that can be read")
            }
            None if evidence.inputs.iter().any(|input| input.format.is_packets()) => {
                (usual, unfit_keys(evidence, signin).map_or(NOT_IN_PACKETS, |(_, missing)| missing))
            }
            None => match evidence.coverage.inputs.first().map(|one| one.vantage) {
                Some(Vantage::Program) => {
                    (CaptureKind::Browser, "the browser's part of the sign-in")
                }
                _ => (
                    usual,
                    "the sign-in itself: no request to the sign-in service is in the capture",
                ),
            },
        }
    };
    from(kind, missing, &client, evidence)
}

const ENCRYPTED: &str = "the contents of the encrypted connections to the sign-in service";

const NOT_IN_PACKETS: &str =
    "the requests of the same sign-in, as a HAR or Fiddler trace: the packets do not show them";

/// What is to be said with every new recording.
const REMINDER: &str = "The recording can hold passwords and session cookies. Please send it only the \
                        way we agreed on, never in a plain mail, and sign out and change the password \
                        afterwards if one was typed.";

/// What is missing where a trace and packets say different things of one host.
const AT_ONCE: &str = "one sign-in that the browser and the packets show at the same time: the \
                       inputs given contradict each other";

/// What is done before the other steps then.
const ONE_COMPUTER: &str = "Take everything on the device on which the sign-in fails, in one go: the \
                            packets and the HAR have to show the same sign-in. Note which VPN, proxy \
                            or security program runs on it.";

/// Whether packets and requests of one moment say different things of a host.
fn is_contradicted(signin: &SignIn) -> bool {
    signin.disagreements.iter().any(|one| {
        let kinds = [DisagreementKind::AnsweredAndUnreachable, DisagreementKind::FailedAndReached];
        kinds.contains(&one.kind) && !one.is_explained
    })
}

/// Packets and the browser's own record, both anew: one of the two alone would not tell which is right.
fn at_once(client: &Client, evidence: &Evidence) -> NextCapture {
    let mut wanted = from(CaptureKind::Packets, AT_ONCE, client, evidence);
    wanted.steps.insert(0, ONE_COMPUTER);
    wanted
}

fn ended(attempt: Option<&SignInAttempt>) -> &'static str {
    match attempt.map(|attempt| attempt.outcome) {
        Some(Outcome::Undetermined) => "what followed the last step in this capture",
        _ => "the end of the sign-in",
    }
}

fn from(
    kind: CaptureKind,
    missing: &'static str,
    client: &Client,
    evidence: &Evidence,
) -> NextCapture {
    // Tunnels tell nothing of the client but the process, and Fiddler Classic runs on Windows only.
    let classic = evidence
        .inputs
        .iter()
        .any(|input| input.producer.as_deref().is_some_and(|name| name.starts_with("Fiddler (v5")));
    let system = client.system.or_else(|| classic.then_some(System::Windows));
    let on = system.unwrap_or(System::Windows);
    let with = client.browser.unwrap_or(match on {
        System::Ios | System::MacOs => Browser::Safari,
        System::Android | System::Linux | System::Windows => Browser::Edge,
    });
    let Recipe { tool, steps, start, stop } = match kind {
        CaptureKind::Password => recipes::PASSWORD,
        CaptureKind::Browser => recipes::browser(on, with),
        CaptureKind::Program => recipes::program(on, client.is_broker),
        CaptureKind::Bodies => recipes::bodies(on, with),
        CaptureKind::Decrypted if client.is_program => recipes::program(on, client.is_broker),
        CaptureKind::Decrypted => recipes::decrypted(on, with),
        CaptureKind::Packets => recipes::packets(on),
    };
    let new = kind != CaptureKind::Password;
    NextCapture {
        kind,
        missing: Text::of(missing),
        system: on,
        is_assumed: system.is_none() && new,
        browser: client.browser,
        tool,
        steps: steps.to_vec(),
        start,
        stop,
        reminder: if new { REMINDER } else { "" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::EvidenceBuilder;

    fn of(kind: CaptureKind, client: &Client) -> NextCapture {
        from(kind, "x", client, &EvidenceBuilder::new().finish())
    }

    #[test]
    fn every_client_has_its_steps() {
        let kinds = [
            CaptureKind::Browser,
            CaptureKind::Program,
            CaptureKind::Bodies,
            CaptureKind::Decrypted,
            CaptureKind::Packets,
        ];
        for kind in kinds {
            for system in System::ALL {
                for browser in Browser::ALL {
                    for is_broker in [false, true] {
                        let client = Client {
                            system: Some(system),
                            browser: Some(browser),
                            is_broker,
                            is_program: is_broker,
                            ..Client::default()
                        };
                        let next = of(kind, &client);
                        assert!(next.steps.len() >= 4 && !next.reminder.is_empty());
                        assert!(!next.is_assumed && next.system == system);
                        for step in &next.steps {
                            // What is not a command is a sentence, and a command fits its line.
                            let (words, commands) = step.split_once('\n').unwrap_or((step, ""));
                            assert!(words.ends_with(['.', ':']), "{step}");
                            assert!(commands.lines().all(|line| line.len() <= 76), "{step}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_steps_are_those_of_the_system() {
        let on = |system, browser| Client {
            system: Some(system),
            browser: Some(browser),
            ..Client::default()
        };
        let text = |next: NextCapture| next.steps.join(" ");
        let har = |system, browser| text(of(CaptureKind::Browser, &on(system, browser)));
        assert!(har(System::Windows, Browser::Edge).contains("F12"));
        assert!(har(System::MacOs, Browser::Chrome).contains("Option+Command+I"));
        assert!(har(System::MacOs, Browser::Safari).contains("web developers"));
        assert!(har(System::Linux, Browser::Firefox).contains("Persist Logs"));
        assert!(har(System::Ios, Browser::Edge).contains("Web Inspector"));
        assert!(har(System::Android, Browser::Chrome).contains("chrome://inspect"));
        let packets = |system| text(of(CaptureKind::Packets, &on(system, Browser::Chrome)));
        assert!(packets(System::Windows).contains("pktmon start"));
        assert!(packets(System::MacOs).contains("tcpdump"));
        assert!(packets(System::Linux).contains("tcpdump"));
        let decrypted = |system| text(of(CaptureKind::Decrypted, &on(system, Browser::Chrome)));
        assert!(decrypted(System::Linux).contains("SSLKEYLOGFILE"));
    }

    #[test]
    fn windows_is_assumed_and_said() {
        let next = of(CaptureKind::Browser, &Client::default());
        assert!(next.is_assumed && next.system == System::Windows);
        assert!(!of(CaptureKind::Password, &Client::default()).is_assumed);
    }
}
