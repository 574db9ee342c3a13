//! The command that lists the rules.
//!
//! It writes the list in the form that was asked for. It must not know any rule.
//!
//! Invariant: the Markdown form is the page of the manual.

use super::args::{RulesArgs, RulesFormatArg};
use super::deliver;
use super::exit::Ending;
use super::options::has_colour;
use crate::analyze::rule_metas;
use crate::report::{rules, text};

/// Runs the command.
pub(super) fn run(args: &RulesArgs) -> Ending {
    let all = rule_metas();
    let shown = match args.format {
        RulesFormatArg::Json => rules::json(&all, env!("CARGO_PKG_VERSION")),
        RulesFormatArg::Markdown => rules::markdown(&all),
        RulesFormatArg::Text => text::rules::write(&all, has_colour(args.color, false)),
    };
    Ending { partial: !deliver(&shown, None), ..Ending::default() }
}
