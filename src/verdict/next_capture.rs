//! The capture to take next, when this one cannot tell.

use super::NextCapture;
use crate::evidence::{DiagnosticCode, Evidence, Format, Unseen, Vantage};
use crate::finding::Text;
use crate::signin::{Outcome, SignIn, SignInAttempt};

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
    if closed && evidence.exchanges.is_empty() {
        return password();
    }
    match unseen {
        Some(Unseen::BodiesMissing) => bodies(),
        Some(Unseen::Encrypted) => decrypted(),
        _ if attempt.is_none() && tunnels => decrypted(),
        _ if stopped => packets(),
        Some(Unseen::CaptureStarted) => {
            browser("what came before the first request in this capture")
        }
        Some(_) => browser(ended(attempt)),
        None if attempt.is_some() => {
            browser("the reason, which the service gave in no answer here")
        }
        None if evidence.inputs.iter().all(|input| input.format == Format::Unrecognised) => {
            browser("a capture: none of the files is one that can be read")
        }
        None => match evidence.coverage.inputs.first().map(|one| one.vantage) {
            Some(Vantage::Program) => browser("the browser's part of the sign-in"),
            _ => browser("the sign-in itself: no request to the sign-in service is in the capture"),
        },
    }
}

fn password() -> NextCapture {
    NextCapture {
        missing: Text::of("the password of the archive"),
        tool: "mfatrace",
        steps: vec![
            "Ask the sender for the password, by another way than the archive came.",
            "Put it alone on a line of a file and give that with --password-file.",
            "Or let the sender save the sessions again without a password.",
        ],
        start: "no new capture is needed",
        stop: "no new capture is needed",
    }
}

fn ended(attempt: Option<&SignInAttempt>) -> &'static str {
    match attempt.map(|attempt| attempt.outcome) {
        Some(Outcome::Undetermined) => "what followed the last step in this capture",
        _ => "the end of the sign-in",
    }
}

fn browser(missing: &'static str) -> NextCapture {
    NextCapture {
        missing: Text::of(missing),
        tool: "Edge or Chrome developer tools (HAR)",
        steps: vec![
            "Open a new InPrivate or Incognito window and press F12.",
            "On the Network tab tick \"Preserve log\" and \"Disable cache\".",
            "Open the address of the application and sign in until the error or the end.",
            "After the last prompt wait at least two minutes with the page open.",
            "Choose \"Export HAR (with sensitive data)\"; if only \"Export HAR\" is offered, take that.",
            "Send the file by a protected way: it holds passwords and tokens.",
        ],
        start: "before the address of the application is opened",
        stop: "two minutes after the last prompt or error was shown",
    }
}

fn bodies() -> NextCapture {
    NextCapture {
        missing: Text::of("the bodies of the sign-in pages, which the exporter left out"),
        tool: "Fiddler with HTTPS decryption (SAZ), or Firefox (HAR)",
        steps: vec![
            "Start Fiddler; in Tools, Options, HTTPS switch on \"Decrypt HTTPS traffic\".",
            "Open a new InPrivate window and sign in until the error or the end.",
            "After the last prompt wait at least two minutes with the page open.",
            "File, Save, All Sessions, as a password-protected archive.",
            "Without Fiddler: Firefox, F12, Network, \"Persist Logs\", sign in, \"Save All As HAR\".",
        ],
        start: "before the address of the application is opened",
        stop: "two minutes after the last prompt or error was shown",
    }
}

fn decrypted() -> NextCapture {
    NextCapture {
        missing: Text::of("the contents of the encrypted connections to the sign-in service"),
        tool: "Fiddler with HTTPS decryption (SAZ), or browser developer tools (HAR)",
        steps: vec![
            "In Fiddler: Tools, Options, HTTPS, switch on \"Decrypt HTTPS traffic\" and trust the root.",
            "Restart the browser, open an InPrivate window and sign in until the error or the end.",
            "File, Save, All Sessions, as a password-protected archive.",
            "If the sign-in works only without Fiddler, take a HAR with the developer tools instead.",
        ],
        start: "before the address of the application is opened",
        stop: "two minutes after the last prompt or error was shown",
    }
}

fn packets() -> NextCapture {
    NextCapture {
        missing: Text::of("the reason why the request failed, which this capture does not name"),
        tool: "pktmon (Windows), with the browser's own log beside it",
        steps: vec![
            "As administrator: pktmon start --capture --pkt-size 0 --file-name C:\\Temp\\signin.etl",
            "Open edge://net-export (or chrome://net-export) and start logging to disk.",
            "Sign in until the error is shown, and wait one minute.",
            "Stop the browser's log; then: pktmon stop",
            "pktmon etl2pcap C:\\Temp\\signin.etl --out C:\\Temp\\signin.pcapng",
            "Send the pcapng, the browser's log, and a HAR of the same minute.",
        ],
        start: "before the address of the application is opened",
        stop: "one minute after the error was shown",
    }
}
