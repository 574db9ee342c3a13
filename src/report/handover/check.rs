//! Commands that show, on the client's system, whether a host can be reached.
//!
//! Each is the same before and after the change, and what it shows in either case is said with it.
//! It must not know why a host failed beyond the stage.
//!
//! Invariant: a command is made of words of ours, a checked host name, a port and a path of plain
//! characters, so that nothing of a capture can act in a shell.

use serde::Serialize;

use crate::entra::{HostRole, hosts};
use crate::evidence::HostName;
#[cfg(test)]
use crate::report::forms;
use crate::signin::System;

/// A command and what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "check"))]
pub struct Check {
    /// The system whose command it is.
    #[cfg_attr(test, schemars(with = "forms::System"))]
    pub system: &'static str,
    /// What it tests.
    pub purpose: &'static str,
    /// The command.
    pub command: String,
    /// What it shows when all is well.
    pub expected: &'static str,
}

/// What is to be tested about a host.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent questions about one host")]
pub(super) struct Wanted<'a> {
    /// Whether a connection to it may be the trouble.
    pub connection: bool,
    /// Whether its name was the trouble.
    pub name: bool,
    /// Whether a policy of the browser stopped the requests before they left.
    pub browser_policy: bool,
    /// Whether the way to it leads through a proxy.
    pub proxied: bool,
    /// The address of that proxy.
    pub proxy: Option<&'a str>,
    /// A path that was asked for and did not come.
    pub path: Option<&'a str>,
}

/// What Windows and its browsers use as a proxy for a host, also where a script decides.
const WINDOWS_PROXY: &str =
    "[Net.WebRequest]::GetSystemWebProxy().GetProxy('https://HOST/').Authority";

/// The commands for one host.
pub(super) fn checks(
    system: Option<System>,
    host: &HostName,
    port: u16,
    wanted: Wanted<'_>,
) -> Vec<Check> {
    // A phone has no command line; a computer in the same network is asked in its place.
    let system = system.filter(|system| !system.is_mobile()).unwrap_or(System::Windows);
    let name = host.as_str();
    if !is_plain_name(name) || port == 0 {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut add = |purpose, command: String, expected| {
        out.push(Check { system: system.as_str(), purpose, command, expected });
    };
    if wanted.browser_policy {
        // No other program meets the list of the browser.
        let expected = "URLBlocklist covers the host no more, or URLAllowlist names it (in the \
                        address bar of the browser; edge://policy in Edge)";
        add("browser_policy", "chrome://policy".to_owned(), expected);
        add("answer", url(name, port, wanted.path).0, "it opens in the same browser");
        return out;
    }
    let windows = system == System::Windows;
    if wanted.name && !wanted.proxied {
        let command =
            if windows { format!("Resolve-DnsName {name}") } else { format!("nslookup {name}") };
        add("name", command, "at least one address");
    }
    if wanted.connection && !wanted.proxied {
        let (command, expected) = if windows {
            (format!("Test-NetConnection {name} -Port {port}"), "TcpTestSucceeded : True")
        } else {
            (format!("nc -vz -w 10 {name} {port}"), "succeeded (or: open)")
        };
        add("connection", command, expected);
    } else if wanted.proxied && wanted.proxy.is_none() {
        let command = match system {
            System::MacOs => "scutil --proxy",
            System::Linux => "env | grep -i _proxy",
            _ => WINDOWS_PROXY,
        };
        add(
            "proxy",
            command.replace("HOST", name),
            "the proxy in use, to put for PROXY:PORT below",
        );
    }
    let (url, expected) = url(name, port, wanted.path);
    let curl = if windows { "curl.exe -sv -o NUL" } else { "curl -sv -o /dev/null" };
    let through = match (wanted.proxied, wanted.proxy) {
        (false, _) => String::new(),
        (true, Some(proxy)) => format!(" -x http://{proxy} --proxy-anyauth -U :"),
        (true, None) => " -x http://PROXY:PORT --proxy-anyauth -U :".to_owned(),
    };
    add("answer", format!("{curl}{through} {url}"), expected);
    out
}

/// An address that anybody may ask for, and what comes when it gets through.
fn url(name: &str, port: u16, path: Option<&str>) -> (String, &'static str) {
    let base =
        if port == 443 { format!("https://{name}") } else { format!("https://{name}:{port}") };
    let row = hosts::host(name);
    if hosts::is_sign_in_service(name) && row.is_none_or(|row| row.serves.is_none()) {
        let metadata = "/common/v2.0/.well-known/openid-configuration";
        let expected = "issuer DigiCert Inc or Microsoft Corporation; status 200 with the header \
                        x-ms-request-id";
        return (format!("{base}{metadata}"), expected);
    }
    if hosts::is_certificate_host(name) {
        let expected = "issuer DigiCert Inc or Microsoft Corporation, no other; any status";
        return (format!("{base}/"), expected);
    }
    // Other paths may be cut, and may mean something only with what stood behind them.
    let path = path.filter(|path| is_plain_path(path) && hosts::is_script_cdn(name));
    let path = path.unwrap_or("/");
    let expected = if path != "/" {
        "status 200 with a content type of a script, not text/html"
    } else if row.is_some_and(|row| row.role != HostRole::Federation) {
        "issuer DigiCert Inc or Microsoft Corporation; an answer of the service, no block page"
    } else {
        "an answer of the host itself, no block page"
    };
    (format!("{base}{path}"), expected)
}

/// Whether a name can stand in a command: no sign that a tool takes for an option, no address in
/// brackets.
pub(super) fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// Whether a path is free of everything that a shell or curl acts on.
fn is_plain_path(path: &str) -> bool {
    path.len() <= 120
        && path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(system: System, host: &str, wanted: Wanted<'_>) -> String {
        let host = HostName::parse(host).unwrap();
        let all = checks(Some(system), &host, 443, wanted);
        all.iter().map(|check| check.command.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn commands_are_those_of_the_system() {
        let name = Wanted { name: true, connection: true, ..Wanted::default() };
        let windows = commands(System::Windows, "aadcdn.msauth.net", name);
        assert!(windows.contains("Resolve-DnsName aadcdn.msauth.net"), "{windows}");
        assert!(windows.contains("Test-NetConnection aadcdn.msauth.net -Port 443"));
        assert!(windows.contains("curl.exe -sv -o NUL https://aadcdn.msauth.net/"));
        let linux = commands(System::Linux, "aadcdn.msauth.net", name);
        assert!(linux.contains("nslookup ") && linux.contains("nc -vz"), "{linux}");
        assert_eq!(commands(System::Android, "aadcdn.msauth.net", name), windows);
        let login = commands(System::MacOs, "login.microsoftonline.com", Wanted::default());
        assert!(login.contains("/.well-known/openid-configuration"), "{login}");
    }

    #[test]
    fn a_proxy_is_tested_and_not_gone_around() {
        let wanted = Wanted { proxied: true, proxy: Some("10.0.0.1:8080"), ..Wanted::default() };
        let all = commands(System::Windows, "login.microsoftonline.com", wanted);
        assert!(all.contains("-x http://10.0.0.1:8080 "), "{all}");
        assert!(!all.contains("Test-NetConnection"));
        let wanted = Wanted { proxied: true, ..Wanted::default() };
        let all = commands(System::MacOs, "login.microsoftonline.com", wanted);
        assert!(all.contains("scutil --proxy") && all.contains("PROXY:PORT"), "{all}");
    }

    #[test]
    fn the_list_of_a_browser_is_tested_in_the_browser() {
        let wanted = Wanted { browser_policy: true, connection: true, ..Wanted::default() };
        let all = commands(System::Windows, "aadcdn.msauth.net", wanted);
        assert_eq!(all, "chrome://policy\nhttps://aadcdn.msauth.net/");
    }

    #[test]
    fn nothing_of_a_capture_acts_in_a_shell() {
        for path in ["/a;reboot", "/$(id)", "/`id`", "/a b", "/a&b", "/a'b", "/a\"", "-o", "/a%20"]
        {
            let wanted = Wanted { path: Some(path), ..Wanted::default() };
            let all = commands(System::Linux, "aadcdn.msauth.net", wanted);
            assert!(all.ends_with("https://aadcdn.msauth.net/"), "{all}");
        }
        assert_eq!(commands(System::Linux, "-oproxy.example", Wanted::default()), "");
        assert_eq!(commands(System::Linux, "[::1]", Wanted::default()), "");
        let wanted = Wanted { path: Some("/shared/1.0/js/a_b-c.js"), ..Wanted::default() };
        assert!(commands(System::Linux, "aadcdn.msauth.net", wanted).ends_with("/js/a_b-c.js"));
    }
}
