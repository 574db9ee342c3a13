//! Opens an address in the browser of the user.
//!
//! It starts the program by which the system opens things. It must not know what the address is of.
//!
//! Invariant: no shell sees the address, so that nothing in it can be a command.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Opens an address; `false` when that cannot be.
pub(super) fn open(address: &str) -> bool {
    let (program, arguments) = opener();
    let mut command = Command::new(program);
    command.args(arguments).arg(address);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What opens an address, and what stands before it.
fn opener() -> (PathBuf, &'static [&'static str]) {
    if cfg!(windows) {
        (of_windows(std::env::var_os("SystemRoot")), &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open".into(), &[])
    } else {
        ("xdg-open".into(), &[])
    }
}

/// The opener of Windows by its whole path: by its name alone, a file that lies beside this program in
/// the folder of downloads would be started.
fn of_windows(root: Option<std::ffi::OsString>) -> PathBuf {
    let root = root.map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    root.join("System32").join("rundll32.exe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opener_of_windows_is_the_system_s_own() {
        assert!(of_windows(Some("D:".into())).starts_with("D:"));
        assert!(of_windows(None).starts_with(r"C:\Windows"));
        assert!(of_windows(None).ends_with("rundll32.exe"));
    }

    #[test]
    fn no_shell_opens() {
        let program = opener().0;
        let name = program.file_stem().unwrap().to_string_lossy().to_lowercase();
        assert!(!["cmd", "powershell", "sh", "explorer"].contains(&name.as_str()), "{name}");
    }
}
