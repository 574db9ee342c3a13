//! What a client tells of itself, and what the capture tool tells of a request, as typed values.
//!
//! Browser, system and client library stand in header fields that may hold anything; the capture
//! tool's name for a failure and the address of its proxy likewise. What leaves this file is a word
//! of ours, a version made of digits, or the name of a host.
//!
//! Invariant: no free text of a capture leaves this module.

use std::collections::BTreeSet;

use super::{Flow, SignInAttempt, expose};
use crate::entra::failures;
use crate::evidence::{
    Author, Body, Evidence, EvidenceRef, Exchange, ExchangeId, HostName, NoResponse, Via,
};

/// The system of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum System {
    /// Android.
    Android,
    /// iOS and iPadOS.
    Ios,
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// Every value.
    pub const ALL: [Self; 5] = [Self::Android, Self::Ios, Self::Linux, Self::MacOs, Self::Windows];

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Linux => "linux",
            Self::MacOs => "macos",
            Self::Windows => "windows",
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Android => "Android",
            Self::Ios => "iOS",
            Self::Linux => "Linux",
            Self::MacOs => "macOS",
            Self::Windows => "Windows",
        }
    }

    /// Whether it is that of a phone or tablet.
    pub const fn is_mobile(self) -> bool {
        matches!(self, Self::Android | Self::Ios)
    }
}

/// The family of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Browser {
    /// Google Chrome and others that do not say more.
    Chrome,
    /// Microsoft Edge, also as the view inside programs.
    Edge,
    /// Mozilla Firefox.
    Firefox,
    /// The engine of Internet Explorer, as old programs embed it.
    InternetExplorer,
    /// Apple Safari, also as the view inside programs.
    Safari,
}

impl Browser {
    /// Every value.
    pub const ALL: [Self; 5] =
        [Self::Chrome, Self::Edge, Self::Firefox, Self::InternetExplorer, Self::Safari];

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Edge => "edge",
            Self::Firefox => "firefox",
            Self::InternetExplorer => "internet_explorer",
            Self::Safari => "safari",
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chrome => "Chrome",
            Self::Edge => "Edge",
            Self::Firefox => "Firefox",
            Self::InternetExplorer => "Internet Explorer",
            Self::Safari => "Safari",
        }
    }
}

/// The client of an attempt, as far as the capture tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its system.
    pub system: Option<System>,
    /// Its browser, or the browser that a program embeds.
    pub browser: Option<Browser>,
    /// The version of the browser.
    pub browser_version: Option<String>,
    /// The processes that sent the requests.
    pub programs: Vec<Box<str>>,
    /// The client library of Microsoft by the name it gives itself.
    pub library: Option<&'static str>,
    /// The version of the library.
    pub library_version: Option<String>,
    /// Whether a program and not a browser signed in.
    pub is_program: bool,
    /// Whether the broker of the system signed in for the program.
    pub is_broker: bool,
}

/// Names that the client libraries give themselves (`x-client-SKU`), lower case and as they write it.
const LIBRARIES: &[(&str, &str)] = &[
    ("id_net472", "ID_NET472"),
    ("id_net6_0", "ID_NET6_0"),
    ("id_net8_0", "ID_NET8_0"),
    ("id_net9_0", "ID_NET9_0"),
    ("id_netstandard2_0", "ID_NETSTANDARD2_0"),
    ("msal.android", "MSAL.Android"),
    ("msal.desktop", "MSAL.Desktop"),
    ("msal.golang", "MSAL.golang"),
    ("msal.go", "MSAL.Go"),
    ("msal.ios", "MSAL.iOS"),
    ("msal.java", "MSAL.Java"),
    ("msal.js", "MSAL.JS"),
    ("msal.js.browser", "msal.js.browser"),
    ("msal.js.common", "msal.js.common"),
    ("msal.js.node", "msal.js.node"),
    ("msal.netcore", "MSAL.NetCore"),
    ("msal.osx", "MSAL.OSX"),
    ("msal.python", "MSAL.Python"),
    ("msal.uap", "MSAL.UAP"),
    ("msal.winrt", "MSAL.WinRT"),
    ("msal.xamarin.android", "MSAL.Xamarin.Android"),
    ("msal.xamarin.ios", "MSAL.Xamarin.iOS"),
    ("msal.xplat.android", "MSAL.xplat.Android"),
    ("msal.xplat.ios", "MSAL.xplat.iOS"),
    ("msal.xplat.linux", "MSAL.xplat.Linux"),
    ("msal.xplat.mac", "MSAL.xplat.Mac"),
    ("msal.xplat.win32", "MSAL.xplat.Win32"),
    ("pcl.android", "PCL.Android"),
    ("pcl.coreclr", "PCL.CoreCLR"),
    ("pcl.desktop", "PCL.Desktop"),
    ("pcl.ios", "PCL.iOS"),
    ("pcl.winrt", "PCL.WinRT"),
];

/// Processes that are browsers, lower case.
const BROWSERS: &[(&str, Browser)] = &[
    ("chrome", Browser::Chrome),
    ("chromium", Browser::Chrome),
    ("firefox", Browser::Firefox),
    ("google chrome", Browser::Chrome),
    ("iexplore", Browser::InternetExplorer),
    ("microsoft edge", Browser::Edge),
    ("msedge", Browser::Edge),
    ("safari", Browser::Safari),
];

/// Processes by which Windows signs in for programs, lower case.
const BROKERS: &[&str] =
    &["backgroundtaskhost", "microsoft.aad.brokerplugin", "msalruntime", "wamhost"];

/// The client of an attempt; without one, of the first requests to the sign-in.
pub fn client(evidence: &Evidence, attempt: Option<&SignInAttempt>) -> Client {
    let own: BTreeSet<EvidenceRef> =
        attempt.iter().flat_map(|one| &one.steps).flat_map(|step| step.refs.clone()).collect();
    let stopped: BTreeSet<ExchangeId> = attempt
        .iter()
        .filter_map(|one| one.blockage.as_ref())
        .flat_map(|blockage| blockage.exchanges.clone())
        .collect();
    let mut client = Client::default();
    for (id, exchange) in evidence.numbered() {
        let wanted = match attempt {
            Some(_) => own.contains(&exchange.at) || stopped.contains(&id),
            None => exchange.in_scope,
        };
        if wanted {
            client.learn(exchange);
        }
    }
    if let Some(attempt) = attempt {
        client.is_broker |= attempt.flow == Flow::Broker;
        // A silent request comes from the page of an application in a browser.
        let by_itself = attempt.flow.is_without_prompt() && attempt.flow != Flow::Silent;
        client.is_program |= client.is_broker || client.browser.is_none() && by_itself;
    }
    client
}

impl Client {
    fn learn(&mut self, exchange: &Exchange) {
        let headers = &exchange.request.headers;
        if let Some(process) = &exchange.process {
            self.process(process);
        }
        if let Some(agent) = expose::header(headers, "user-agent") {
            self.agent(agent);
        }
        if self.system.is_none() {
            self.system = expose::header(headers, "sec-ch-ua-platform").and_then(system);
        }
        if self.library.is_some() && self.system.is_some() {
            return;
        }
        let query = expose::query(&exchange.request.url);
        let form = expose::body(&exchange.request.body)
            .filter(|_| matches!(exchange.request.body, Body::Kept { .. }))
            .filter(|body| body.contains("x-client-"))
            .map(|body| expose::pairs(&body))
            .unwrap_or_default();
        let told = |name: &'static str| {
            expose::header(headers, name)
                .or_else(|| expose::value(&query, name))
                .or_else(|| expose::value(&form, name))
        };
        if self.library.is_none()
            && let Some(library) = told("x-client-sku").and_then(library)
        {
            self.library = Some(library);
            self.library_version = told("x-client-ver").and_then(version);
        }
        if self.system.is_none() {
            self.system = told("x-client-os").and_then(system);
        }
    }

    fn process(&mut self, process: &str) {
        // A name that is not one of a program is not told.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
        if process.len() > 64 || !process.chars().all(plain) {
            return;
        }
        let lower = process.to_ascii_lowercase();
        let lower = lower.trim_end_matches(".exe");
        if BROKERS.contains(&lower) {
            self.is_broker = true;
        } else if !BROWSERS.iter().any(|(name, _)| *name == lower) {
            self.is_program = true;
        }
        if !self.programs.iter().any(|known| **known == *process) && self.programs.len() < 8 {
            self.programs.push(process.into());
        }
    }

    fn agent(&mut self, agent: &str) {
        if self.system.is_none() {
            self.system = system(agent);
        }
        if self.browser.is_none()
            && let Some((browser, found)) = browser(agent)
        {
            self.browser = Some(browser);
            self.browser_version = found;
        }
    }
}

/// The system that a user agent or the name of a system tells.
fn system(text: &str) -> Option<System> {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // Android says Linux too, and an iPhone says that it is like a Mac.
    if has(&["android"]) {
        Some(System::Android)
    } else if has(&["iphone", "ipad", "ipod"]) || text.starts_with("ios") {
        Some(System::Ios)
    } else if has(&["windows"]) {
        Some(System::Windows)
    } else if has(&["macintosh", "mac os x", "macos", "darwin"]) {
        Some(System::MacOs)
    } else if has(&["linux", "x11;"]) {
        Some(System::Linux)
    } else {
        None
    }
}

/// The browser of a user agent; the most particular name counts.
fn browser(agent: &str) -> Option<(Browser, Option<String>)> {
    let behind = |mark: &str| {
        agent.split_once(mark).map(|(_, rest)| {
            version(
                rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default(),
            )
        })
    };
    [
        (Browser::Edge, &["Edg/", "EdgA/", "EdgiOS/", "Edge/"] as &[&str]),
        (Browser::Firefox, &["Firefox/", "FxiOS/"]),
        (Browser::Chrome, &["Chrome/", "CriOS/", "Chromium/"]),
        (Browser::Safari, &["Version/"]),
        (Browser::InternetExplorer, &["MSIE ", "Trident/"]),
    ]
    .into_iter()
    .find_map(|(browser, marks)| {
        let found = marks.iter().find_map(|mark| behind(mark))?;
        (browser != Browser::Safari || agent.contains("Safari")).then_some((browser, found))
    })
}

/// A version as digits and points; anything else is none.
fn version(text: &str) -> Option<String> {
    let text = text.trim();
    let parts: Vec<&str> = text.split('.').collect();
    // A longer run of digits may be a code.
    let plain =
        |part: &&str| (1..=5).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    ((1..=4).contains(&parts.len()) && parts.iter().all(plain)).then(|| text.to_owned())
}

fn library(text: &str) -> Option<&'static str> {
    let lower = text.trim().to_ascii_lowercase();
    LIBRARIES.iter().find(|(known, _)| *known == lower).map(|(_, shown)| *shown)
}

/// The capture's own name for a failure: an identifier of a browser, or the words of a table that
/// the capture tool wrote.
pub fn failure_name(exchange: &Exchange) -> Option<String> {
    match &exchange.response {
        Err(NoResponse::BlockedByClient { code } | NoResponse::Failed { code, .. }) => {
            Some(code.to_string()).filter(|code| !code.is_empty())
        }
        Ok(response) if response.author == Author::CaptureTool => {
            let body = expose::body(&response.body).unwrap_or_default();
            let reason = response.reason.as_deref().unwrap_or_default();
            failures::fiddler(reason, &body).map(|row| row.pattern.to_owned())
        }
        Err(_) | Ok(_) => None,
    }
}

/// The address of the proxy that the capture tool passed a request on to: a host and a port.
pub fn proxy(exchange: &Exchange) -> Option<(HostName, u16)> {
    let response = exchange.response.as_ref().ok().filter(|_| exchange.via == Via::Proxy)?;
    let (host, port) =
        expose::header(&response.headers, "fiddlergateway")?.trim().rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let short = host.split('.').all(|label| (1..=32).contains(&label.len()));
    let host = HostName::parse(host).filter(|_| short || host.starts_with('['))?;
    (host.as_str().contains(['.', ':']) && port > 0).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_systems_are_told() {
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                       Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.3595.53";
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                   like Gecko) Version/18.1 Safari/605.1.15";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 \
                     (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
        let android = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/142.0.0.0 Mobile Safari/537.36";
        let fox = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
        let old = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko";
        for (agent, want_system, want_browser, want_version) in [
            (windows, System::Windows, Browser::Edge, "142.0.3595.53"),
            (mac, System::MacOs, Browser::Safari, "18.1"),
            (phone, System::Ios, Browser::Safari, "18.1"),
            (android, System::Android, Browser::Chrome, "142.0.0.0"),
            (fox, System::Linux, Browser::Firefox, "133.0"),
            (old, System::Windows, Browser::InternetExplorer, "7.0"),
        ] {
            let mut client = Client::default();
            client.agent(agent);
            assert_eq!(client.system, Some(want_system), "{agent}");
            assert_eq!(client.browser, Some(want_browser), "{agent}");
            assert_eq!(client.browser_version.as_deref(), Some(want_version), "{agent}");
        }
        assert_eq!(system("Darwin 24.1.0"), Some(System::MacOs));
        assert_eq!(system("\"Windows\""), Some(System::Windows));
        assert_eq!(system("FabrikamSync/3.1"), None);
    }

    #[test]
    fn no_text_of_a_capture_gets_through() {
        let mut client = Client::default();
        client.agent("Mozilla/5.0 Edg/hunter2 Chrome/123456789");
        client.process("evil\u{1b}[2J");
        client.process(&"x".repeat(65));
        assert_eq!(client.browser, Some(Browser::Edge));
        assert_eq!((client.browser_version, client.programs.len()), (None, 0));
        assert_eq!(
            (library("MSAL.hunter2"), version("123456"), version("1.2.3.4.5")),
            (None, None, None)
        );
        assert_eq!(library("msal.netcore"), Some("MSAL.NetCore"));
    }

    #[test]
    fn programs_and_brokers_are_told_from_browsers() {
        let of = |process: &str| {
            let mut client = Client::default();
            client.process(process);
            (client.is_program, client.is_broker)
        };
        assert_eq!(of("msedge"), (false, false));
        assert_eq!(of("Outlook.exe"), (true, false));
        assert_eq!(of("Microsoft.AAD.BrokerPlugin"), (false, true));
    }

    #[test]
    fn a_flow_without_a_window_is_a_program_unless_a_page_asks_silently() {
        let mut case = crate::report::samples::denied();
        let mut of = |flow| {
            case.signin.attempts[0].flow = flow;
            client(&case.evidence, case.signin.attempts.first())
        };
        assert!(of(Flow::Ropc).is_program && of(Flow::Broker).is_broker);
        assert!(!of(Flow::Oidc).is_program && !of(Flow::Silent).is_program);
    }
}
