//! The command that says what a code, a value, an alert, an error text or a rule means.
//!
//! Hands the words of the command line to the explanations and writes what they say. It must not
//! know any of the tables.
//!
//! Invariants: what is known goes to the standard output and each word that is not to the standard
//! error; one unknown word makes the run wrong usage, and the others are explained all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::args::{AnswerFormatArg, ExplainArgs};
use super::exit::Ending;
use super::options::has_colour;
use super::{complain, deliver};
use crate::analyze::{rule_metas, rules_fed_by};
use crate::report::explain::{self, Answer, Books};
use crate::report::text;

/// Runs the command.
pub(super) fn run(args: &ExplainArgs) -> Ending {
    let Ok((answers, shown)) = catch_unwind(AssertUnwindSafe(|| explained(args))) else {
        complain(&format!("internal-error: explain stopped at {}", super::fault_place()));
        return Ending { internal: true, ..Ending::default() };
    };
    let kept = shown.is_empty() || deliver(&shown, None);
    let unknown: Vec<&Answer> = answers.iter().filter(|answer| answer.entries.is_empty()).collect();
    for answer in &unknown {
        complain(&answer.unknown());
    }
    Ending { usage: !unknown.is_empty(), partial: !kept, ..Ending::default() }
}

fn explained(args: &ExplainArgs) -> (Vec<Answer>, String) {
    let rules = rule_metas();
    let answers = explain::answers(&args.what, &Books { rules: &rules, fed: &rules_fed_by });
    let version = env!("CARGO_PKG_VERSION");
    let shown = match args.format {
        AnswerFormatArg::Json => explain::json(&answers, version),
        AnswerFormatArg::Text => {
            text::explain::write(&answers, has_colour(args.color, false), version)
        }
    };
    (answers, shown)
}
