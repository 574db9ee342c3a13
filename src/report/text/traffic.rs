//! What had to follow the MFA page, and what of it is in the capture, as lines.
//!
//! One line for each request of the chain. It must not judge: what is missing is said with the proof
//! that the capture would have shown it, or with the reason why it cannot tell.

use super::page::{Page, Tone};
use super::{bracket, several};
use crate::evidence::Unseen;
use crate::report::model::{ReportInput, clock, places};
use crate::signin::{Expected, SignInAttempt, Traffic};

/// Columns before the words of a line.
const INDENT: usize = 14;

/// Writes the chain of one attempt, where a challenge was posed on a page.
pub(super) fn write(page: &mut Page, report: &ReportInput<'_>, attempt: &SignInAttempt) {
    if attempt.expected.is_empty() {
        return;
    }
    let posed = attempt.expected.iter().any(|one| one.kind.is_of_challenge());
    page.heading(if posed { "What had to follow the MFA page" } else { "What had to follow" });
    for one in &attempt.expected {
        let (word, tone) = state(one.traffic);
        let cells = [("  ", Tone::Plain), (word, tone)];
        page.row(&cells, INDENT, &words(report, one), Tone::Plain);
    }
}

const fn state(traffic: Traffic) -> (&'static str, Tone) {
    match traffic {
        Traffic::Absent(_) => ("NEVER CAME", Tone::Bad),
        Traffic::Failed => ("FAILED", Tone::Bad),
        Traffic::NotDue => ("not due", Tone::Faint),
        Traffic::Seen => ("seen", Tone::Good),
        Traffic::Unknown(_) => ("not known", Tone::Doubt),
    }
}

fn words(report: &ReportInput<'_>, one: &Expected) -> String {
    let mut words = one.kind.words().to_owned();
    match one.traffic {
        Traffic::Absent(proof) => {
            words.push_str("; the capture went on until ");
            words.push_str(&clock(proof.window().last()));
            words.push_str(" at least and shows none");
        }
        Traffic::Failed => {
            if let Some(host) = &one.host {
                words.push_str(" at ");
                words.push_str(host.as_str());
            }
        }
        Traffic::NotDue | Traffic::Seen => {}
        Traffic::Unknown(unseen) => words.push_str(why(one, unseen)),
    }
    let cited = match one.traffic {
        Traffic::NotDue => String::new(),
        _ => places(one.refs.iter().copied(), several(report), 4),
    };
    words.push_str(&bracket(&cited));
    words
}

/// Why a capture cannot tell of a request that is not in it.
const fn why(one: &Expected, unseen: Unseen) -> &'static str {
    use crate::signin::TrafficKind::Script;
    match (one.kind, unseen) {
        (Script, Unseen::NotShown) => ": not in the capture; a cache may have served it",
        (_, Unseen::BodiesMissing) => ": the contents that would tell are not in the capture",
        (_, Unseen::CaptureEnded) => ": the capture ends before it would be missed",
        (_, Unseen::CaptureStarted) => ": the capture begins too late",
        (_, Unseen::Encrypted) => ": the connections are encrypted",
        (_, Unseen::NotShown) => ": the client is not seen long enough after it",
        (_, Unseen::RecordsLost) => ": part of the capture could not be read",
        (_, Unseen::Timeless) => ": the capture has no times",
    }
}
