//! The command that prints the schemas.
//!
//! It must not know what is in them.
//!
//! Invariant: what is printed is the file in the repository.

use super::args::SchemaArgs;
use super::deliver;
use super::exit::Ending;
use crate::report::schema::Published;

/// Runs the command.
pub(super) fn run(args: &SchemaArgs) -> Ending {
    let kept = deliver(Published::from(args.of).text(), None);
    Ending { partial: !kept, ..Ending::default() }
}
