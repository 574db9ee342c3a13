//! What helps at a shell: completions and manual pages, made from the command line itself.
//!
//! It must not know any option.
//!
//! Invariant: the same program gives the same bytes; a page holds no date.

use clap::CommandFactory as _;

use super::args::{Args, CompletionsArgs, ManArgs};
use super::exit::Ending;
use super::{complain, deliver};

/// The name of the program.
const NAME: &str = "mfatrace";
/// What a page is of.
const SOURCE: &str = concat!("mfatrace ", env!("CARGO_PKG_VERSION"));

/// Prints the completions for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), NAME, &mut script);
    printed(&script)
}

/// Prints a manual page.
pub(super) fn man(args: &ManArgs) -> Ending {
    let mut program = Args::command();
    program.build();
    let Some(command) = page(&program, args.page.as_deref()) else {
        let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
        let names: Vec<&str> = shown.map(clap::Command::get_name).collect();
        complain(&format!(
            "'{}' is not a command; the commands are {}, and mfatrace man alone is the program",
            args.page.as_deref().unwrap_or_default(),
            names.join(", ")
        ));
        return Ending { usage: true, ..Ending::default() };
    };
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = clap_mangen::Man::new(command).source(SOURCE).render(&mut page);
    printed(&page)
}

fn page(program: &clap::Command, name: Option<&str>) -> Option<clap::Command> {
    let Some(name) = name else { return Some(program.clone()) };
    // Building gave it its full name.
    let command = program.find_subcommand(name).filter(|command| !command.is_hide_set())?;
    Some(command.clone().version(env!("CARGO_PKG_VERSION")))
}

fn printed(bytes: &[u8]) -> Ending {
    let kept = deliver(&String::from_utf8_lossy(bytes), None);
    Ending { partial: !kept, ..Ending::default() }
}
