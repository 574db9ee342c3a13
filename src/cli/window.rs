//! A start from Explorer: by a drop of captures on the program, by a double click, by a shortcut.
//!
//! Explorer makes a window that is gone when the program ends. Here is decided what such a start asks
//! for, and the window is kept where something in it has to be read. It must not know a format.
//!
//! Invariants: where anything but Explorer started the program, or a standard stream goes elsewhere, nothing
//! changes and nobody is waited for; nothing is written where the captures lie; the name of a report
//! is ours.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::browser;
use super::exit::{Ending, NOTHING_READ};
use super::{complain, plain, shown_path};

/// The program behind the desktop of Windows, its folders and its start menu.
const EXPLORER: &str = "explorer.exe";
/// The name of the program, as the first argument.
const PROGRAM: &str = "mfatrace";
/// Bytes of the hash in the name of a report.
const HASH: usize = 8;

/// What a start asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// What its arguments say.
    Command,
    /// The same, in a window that is gone at the end.
    CommandInWindow,
    /// A report of what was dropped on the program.
    Drop,
    /// A page to drop captures on.
    Page,
}

/// How a start from Explorer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// The exit code.
    code: u8,
    /// Whether something in the window has to be read.
    hold: bool,
}

/// Runs what the start asks for; `command` is the command line, and the first argument is the program.
pub(super) fn run(arguments: Vec<OsString>, command: fn(Vec<OsString>) -> u8) -> u8 {
    let given = arguments.get(1..).unwrap_or_default();
    let shown = match start(has_window().then(parent).flatten().as_deref(), given) {
        Start::Command => return command(arguments),
        Start::CommandInWindow => Shown { code: guarded(command, arguments), hold: true },
        Start::Drop => {
            let temporary = std::env::temp_dir();
            let named = in_their_folder(given);
            let command = |arguments| guarded(command, arguments);
            let open = |address: &str| {
                // A browser that starts now would keep the folder of the captures from being removed.
                let _ = std::env::set_current_dir(&temporary);
                browser::open(address)
            };
            dropped(given, named.as_deref().unwrap_or(given), &temporary, &command, &open)
        }
        Start::Page => {
            complain("a page opens to drop captures on; it works as long as this window is open");
            let code = guarded(command, page());
            Shown { code, hold: code != 0 }
        }
    };
    if shown.hold {
        wait();
    }
    shown.code
}

/// What a start with these arguments asks for; `parent` is the program behind it.
fn start(parent: Option<&str>, arguments: &[OsString]) -> Start {
    if !parent.is_some_and(|name| name.eq_ignore_ascii_case(EXPLORER)) {
        return Start::Command;
    }
    match arguments {
        [] if cfg!(feature = "web") => Start::Page,
        [_, ..] if arguments.iter().all(|argument| is_full_path(argument)) => Start::Drop,
        _ => Start::CommandInWindow,
    }
}

/// Whether an argument is a path as Explorer writes it: `C:\a.har`, `\\server\share\a.har`. Options, commands
/// and names that someone typed are not.
fn is_full_path(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    match bytes {
        [b'\\', b'\\', _, ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Whether everything that is printed is seen, and someone can answer.
fn has_window() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// The arguments of the page.
fn page() -> Vec<OsString> {
    [PROGRAM, "serve", "--open"].map(OsString::from).to_vec()
}

/// The arguments of a report in a file.
fn report(captures: &[OsString], file: &Path) -> Vec<OsString> {
    let mut arguments = [PROGRAM, "--format", "html", "--output"].map(OsString::from).to_vec();
    arguments.push(file.into());
    // What follows is no option and no command, whatever it is called.
    arguments.push("--".into());
    arguments.extend_from_slice(captures);
    arguments
}

/// The name of the report of these captures: the same for the same ones, so that a second drop replaces the
/// first report, and without any word of theirs, since names of captures may hold names of users.
fn name(captures: &[OsString]) -> String {
    let mut captures: Vec<&[u8]> = captures.iter().map(|one| one.as_encoded_bytes()).collect();
    // Explorer puts the one under the pointer first.
    captures.sort_unstable();
    let mut hash = Sha256::new();
    for capture in captures {
        hash.update(capture);
        // No path holds it.
        hash.update([0]);
    }
    let hash = hash.finalize();
    let short = hash.get(..HASH).unwrap_or_default();
    format!("report-{}.html", data_encoding::HEXLOWER.encode(short))
}

/// Goes where the captures lie and gives their names there, as someone at a shell does: a report that goes
/// into a ticket must not tell the folders of the one who made it. `None` where they have no such names.
fn in_their_folder(captures: &[OsString]) -> Option<Vec<OsString>> {
    let (folder, names) = parted(captures)?;
    // Windows goes into no folder whose path is very long, and finds nothing in some that it went into.
    std::env::set_current_dir(folder).ok()?;
    let mut pairs = names.iter().zip(captures);
    let is_same = |(name, capture)| Path::new(name).exists() == Path::new(capture).exists();
    pairs.all(is_same).then_some(names)
}

/// The folder of captures and their names in it, where they lie in one.
fn parted(captures: &[OsString]) -> Option<(&Path, Vec<OsString>)> {
    let folder = Path::new(captures.first()?).parent()?;
    let names = captures.iter().map(|capture| {
        let capture = Path::new(capture);
        let is_here = capture.parent() == Some(folder);
        // A hyphen alone would be the standard input.
        capture.file_name().filter(|name| is_here && *name != "-").map(OsStr::to_owned)
    });
    Some((folder, names.collect::<Option<_>>()?))
}

/// Writes the report of captures into a folder of ours below `temporary` and opens it. The captures are `named`
/// so in the report.
fn dropped(
    captures: &[OsString],
    named: &[OsString],
    temporary: &Path,
    command: &dyn Fn(Vec<OsString>) -> u8,
    open: &dyn Fn(&str) -> bool,
) -> Shown {
    let folder = temporary.join(PROGRAM);
    let file = folder.join(name(captures));
    if let Err(error) = made_ready(&folder, &file) {
        complain(&format!("{}: no report can be written: {}", shown_path(&file), plain(&error)));
        return Shown { code: Ending { partial: true, ..Ending::default() }.code(), hold: true };
    }
    let code = command(report(named, &file));
    if code == NOTHING_READ {
        // The window says why. A report of nothing would hide it.
        let _ = std::fs::remove_file(&file);
        return Shown { code, hold: true };
    }
    let is_written = file.is_file();
    let is_open = is_written && address(&file).is_some_and(|address| open(&address));
    if is_written && (!is_open || code != 0) {
        let said = if is_open { "this report was opened" } else { "open this report in a browser" };
        complain(&format!("{said}: {}", shown_path(&file)));
    }
    Shown { code, hold: code != 0 || !is_open }
}

/// Makes the folder, and takes away the report of an earlier drop: it must not be shown as the new one.
fn made_ready(folder: &Path, file: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The address of a file, with every character escaped that a program between here and the browser could
/// take for its own.
fn address(file: &Path) -> Option<String> {
    let file: PathBuf = std::path::absolute(file).ok()?;
    url::Url::from_file_path(file).ok().map(String::from)
}

/// Runs the command line; a fault of ours must not take the window with it.
fn guarded(command: fn(Vec<OsString>) -> u8, arguments: Vec<OsString>) -> u8 {
    catch_unwind(AssertUnwindSafe(|| command(arguments))).unwrap_or_else(|_| {
        complain(&format!("internal-error: stopped at {}", super::fault_place()));
        Ending { internal: true, ..Ending::default() }.code()
    })
}

/// Waits for the Enter key.
fn wait() {
    let _ = write!(io::stderr().lock(), "\nPress Enter to close this window. ");
    // Whatever comes, also an end or an error, the window may close.
    let _ = io::stdin().read_line(&mut String::new());
}

/// The name of the program that started this one.
#[cfg(windows)]
fn parent() -> Option<String> {
    parent_of(std::process::id())
}

/// The name of the program that started a process.
#[cfg(windows)]
fn parent_of(process: u32) -> Option<String> {
    use winsafe::{HPROCESSLIST, co};

    let mut list = HPROCESSLIST::CreateToolhelp32Snapshot(co::TH32CS::SNAPPROCESS, None).ok()?;
    // An entry is good until the next one is asked for, so what is needed of it is copied at once.
    let processes: Vec<(u32, u32, String)> = list
        .iter_processes()
        .map_while(Result::ok)
        .map(|one| (one.th32ProcessID, one.th32ParentProcessID, one.szExeFile()))
        .collect();
    let of = |id| processes.iter().find(|(process, ..)| *process == id);
    let (_, parent, _) = of(process)?;
    of(*parent).map(|(.., name)| name.clone())
}

/// Elsewhere the desktop opens no window for a program that prints.
#[cfg(not(windows))]
fn parent() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn given(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn only_explorer_changes_anything() {
        let drop = given(&[r"C:\Users\me\customer.saz"]);
        for parent in [None, Some("cmd.exe"), Some("powershell.exe"), Some("WindowsTerminal.exe")] {
            for arguments in [&drop, &given(&[]), &given(&["--help"])] {
                assert_eq!(start(parent, arguments), Start::Command, "{parent:?}");
            }
        }
        for parent in ["explorer.exe", "Explorer.EXE"] {
            assert_eq!(start(Some(parent), &drop), Start::Drop);
        }
    }

    #[cfg(windows)]
    #[test]
    fn the_parent_of_a_process_is_named() {
        use std::process::{Command, Stdio};
        // Waits for a key that never comes.
        let mut pause = Command::new("cmd");
        pause.args(["/c", "pause"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = pause.spawn().unwrap();
        let name = parent_of(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(name.as_deref(), own.file_name().unwrap().to_str());
        assert!(!parent().is_some_and(|name| name.eq_ignore_ascii_case(EXPLORER)));
    }

    #[test]
    fn what_explorer_passes_is_told_from_what_someone_typed() {
        let ask = |arguments: &[&str]| start(Some(EXPLORER), &given(arguments));
        assert_eq!(ask(&[r"C:\a b\customer.saz", r"\\server\share\trace.pcapng"]), Start::Drop);
        assert_eq!(ask(&[r"\\?\C:\long\customer.saz"]), Start::Drop);
        for typed in [
            &["explain", "50074"][..],
            &["customer.saz"],
            &["--format", "json", r"C:\customer.saz"],
            &[r"C:\customer.saz", "-v"],
            &["C:customer.saz"],
            &["1:\\customer.saz"],
            &["-"],
            &[""],
        ] {
            assert_eq!(ask(typed), Start::CommandInWindow, "{typed:?}");
        }
    }

    #[cfg(feature = "web")]
    #[test]
    fn a_double_click_opens_the_page() {
        use clap::Parser as _;
        assert_eq!(start(Some(EXPLORER), &[]), Start::Page);
        let args = super::super::args::Args::try_parse_from(page()).unwrap();
        let Some(super::super::args::Command::Serve(args)) = args.command else { panic!() };
        assert!(args.open && args.listen.is_none() && args.port == 0);
    }

    #[test]
    fn a_report_has_a_name_of_ours() {
        let one = name(&given(&[r"C:\alice@contoso.com & co.saz", r"C:\b.har"]));
        let other = name(&given(&[r"C:\b.har", r"C:\alice@contoso.com & co.saz"]));
        assert_eq!(one, other, "the order is the pointer's");
        assert_ne!(one, name(&given(&[r"C:\b.har"])));
        assert_ne!(name(&given(&["a", "bc"])), name(&given(&["ab", "c"])));
        let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
        assert!(one.len() == "report-.html".len() + 2 * HASH && !one.contains(odd), "{one}");
    }

    #[test]
    fn the_arguments_of_a_report_are_understood() {
        use clap::Parser as _;
        let captures = given(&["--redact", "serve"]);
        let arguments = report(&captures, Path::new("x y.html"));
        let args = super::super::args::Args::try_parse_from(arguments).unwrap();
        assert!(args.command.is_none() && args.output.as_deref() == Some(Path::new("x y.html")));
        assert!(args.captures.iter().eq(&["--redact", "serve"].map(PathBuf::from)));
        assert_eq!(args.format, super::super::args::FormatArg::Html);
    }

    #[test]
    fn an_address_needs_no_quotes() {
        let folder = tempfile::tempdir().unwrap();
        let address = address(&folder.path().join("A & B^%PATH%\" x").join("report.html")).unwrap();
        assert!(address.starts_with("file:///"), "{address}");
        assert!(!address.contains([' ', '"', '\\']) && address.ends_with("/report.html"));
    }

    #[test]
    fn a_report_names_captures_without_their_folder() {
        let root = if cfg!(windows) { r"C:\Users\me" } else { "/home/me" };
        let path = |name: &str| Path::new(root).join(name).into_os_string();
        let captures = [path("a.saz"), path("-v.har")];
        let (folder, names) = parted(&captures).unwrap();
        assert_eq!((folder, names), (Path::new(root), given(&["a.saz", "-v.har"])));
        assert_eq!(parted(&[path("a.saz"), path("deep/b.saz")]), None);
        assert_eq!(parted(&[path("-")]), None, "it would be the standard input");
        assert_eq!(parted(&[path("..")]), None);
        assert_eq!(parted(&[]), None);
    }

    /// A drop in a folder of its own: what came of it, and the addresses that were opened.
    fn drop_with(
        temporary: &Path,
        command: &dyn Fn(&Path) -> u8,
        opens: bool,
    ) -> (Shown, Vec<String>) {
        let opened = RefCell::new(Vec::new());
        let file = temporary.join(PROGRAM).join(name(&given(&["a.har"])));
        let shown = dropped(
            &given(&["a.har"]),
            &given(&["a.har"]),
            temporary,
            &|_| command(&file),
            &|address| {
                opened.borrow_mut().push(address.to_owned());
                opens
            },
        );
        (shown, opened.into_inner())
    }

    #[test]
    fn a_report_is_opened_and_the_window_goes() {
        let folder = tempfile::tempdir().unwrap();
        let written = |file: &Path| {
            std::fs::write(file, "report").unwrap();
            0
        };
        let (shown, opened) = drop_with(folder.path(), &written, true);
        assert_eq!(shown, Shown { code: 0, hold: false });
        assert!(opened.len() == 1 && opened[0].ends_with("html"), "{opened:?}");
        let (shown, _) = drop_with(folder.path(), &written, false);
        assert!(shown.hold, "no browser opens it, so its place has to be read");
    }

    #[test]
    fn what_goes_wrong_keeps_the_window() {
        let folder = tempfile::tempdir().unwrap();
        let partly = |file: &Path| {
            std::fs::write(file, "report").unwrap();
            4
        };
        let (shown, opened) = drop_with(folder.path(), &partly, true);
        assert_eq!((shown, opened.len()), (Shown { code: 4, hold: true }, 1));
        // The report of before lies there; it is not that of this drop.
        let (shown, opened) = drop_with(folder.path(), &|_| 5, true);
        assert_eq!((shown, opened.len()), (Shown { code: 5, hold: true }, 0));
        let nothing = |file: &Path| {
            std::fs::write(file, "report").unwrap();
            NOTHING_READ
        };
        let (shown, opened) = drop_with(folder.path(), &nothing, true);
        assert_eq!((shown, opened.len()), (Shown { code: NOTHING_READ, hold: true }, 0));
        let left = std::fs::read_dir(folder.path().join(PROGRAM)).unwrap().count();
        assert_eq!(left, 0, "a report of nothing stays nowhere");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PROGRAM), "a file").unwrap();
        let (shown, opened) = drop_with(folder.path(), &|_| panic!("must not run"), true);
        assert_eq!((shown, opened.len()), (Shown { code: 4, hold: true }, 0));
    }

    #[test]
    fn a_fault_keeps_the_window() {
        // Unwinds without a word to the hook, which other tests exchange.
        let code = guarded(|_| std::panic::resume_unwind(Box::new("hunter2")), Vec::new());
        assert_eq!(code, 5);
    }
}
