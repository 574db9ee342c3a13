//! The ladder as a Mermaid sequence diagram.
//!
//! Names and arrows are ours; messages are words of the ladder, in the few characters that a diagram cannot
//! take for its own. It must not hold more steps than can be looked at.
//!
//! Invariant: each line of the diagram is one statement.

use std::fmt::Write as _;

use super::escape::message;
use crate::report::ladder::{Ladder, Lane, Mood, Reach, Rung};

/// Steps drawn at the beginning and at the end.
const SHOWN: usize = 20;

/// The diagram without its fence.
pub(super) fn diagram(ladder: &Ladder) -> String {
    let mut out = "sequenceDiagram\n".to_owned();
    for lane in Lane::ALL {
        let is_used = ladder.all().any(|rung| match lane {
            Lane::Client => true,
            Lane::Proxy => rung.by_proxy,
            lane => rung.lane == lane,
        });
        if is_used {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "    participant {} as {}", name(lane), lane.words());
        }
    }
    let all: Vec<&Rung> = ladder.all().collect();
    let left_out = all.len().saturating_sub(2 * SHOWN);
    if ladder.begins_here {
        out.push_str("    Note over C: the capture begins here\n");
    }
    for (index, rung) in all.iter().enumerate() {
        if left_out > 0 && index == SHOWN {
            let _ = writeln!(out, "    Note over C: {left_out} steps are left out here");
        }
        let inside = index >= SHOWN && index < SHOWN.saturating_add(left_out);
        if !inside || rung.marked {
            step(&mut out, rung);
        }
    }
    if ladder.ends_here {
        out.push_str("    Note over C: the capture ends here\n");
    }
    out
}

const fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Application => "A",
        Lane::Client => "C",
        Lane::IdentityProvider => "I",
        Lane::Mfa => "M",
        Lane::Proxy => "P",
        Lane::Service => "S",
    }
}

fn step(out: &mut String, rung: &Rung) {
    let at = if rung.at.is_empty() { String::new() } else { format!("{} s, ", rung.at) };
    let words = message(&format!("{at}{}, {}", rung.result, rung.words));
    let there = if rung.reach == Reach::Proxy { Lane::Proxy } else { rung.lane };
    let (from, arrow, to) = match rung.mood {
        Mood::Bad if rung.reach == Reach::Unanswered => (Lane::Client, "--x", there),
        Mood::Bad => (Lane::Client, "-x", there),
        Mood::Doubt if rung.result != "pending" => (there, "-->>", Lane::Client),
        _ => (Lane::Client, "->>", there),
    };
    let indent = if rung.marked { "        " } else { "    " };
    if rung.marked {
        out.push_str("    rect rgba(220, 60, 50, 0.15)\n");
    }
    let _ = writeln!(out, "{indent}{}{arrow}{}: {words}", name(from), name(to));
    if rung.marked {
        out.push_str("        Note over C: broke here\n    end\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn a_diagram_has_its_break() {
        let case = samples::denied();
        let report = case.report();
        let ladder = Ladder::of(&report, report.attempt().unwrap(), false).unwrap();
        let text = diagram(&ladder);
        assert!(text.starts_with("sequenceDiagram\n    participant C as client\n"), "{text}");
        assert_eq!(text.matches("broke here").count(), 1);
        assert!(text.contains("C-xM: +"), "{text}");
        assert!(text.lines().all(|line| !line.contains(['<', '`'])), "{text}");
    }
}
