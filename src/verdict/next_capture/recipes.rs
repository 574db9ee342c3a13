//! How a capture is taken, step by step, on each system and with each tool.
//!
//! Every word of these instructions stands here and nowhere else. It must not know which of them is
//! wanted.
//!
//! Invariants: a step is one thing to do; a line break in it stands before a command that is to be
//! typed on a line of its own.

use crate::signin::{Browser, System};

/// How one kind of capture is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// The tool.
    pub tool: &'static str,
    /// The steps.
    pub steps: &'static [&'static str],
    /// When to start.
    pub start: &'static str,
    /// When to stop.
    pub stop: &'static str,
}

const BEFORE_APPLICATION: &str = "before the address of the application is opened";
const BEFORE_PROGRAM: &str = "before the program is started";
const AFTER_PROMPT: &str = "two minutes after the last prompt or error was shown";
const AFTER_ERROR: &str = "one minute after the error was shown";
const NO_NEW: &str = "no new capture is needed";

const NET_LOG: &str = "Start the browser's own log: edge://net-export or chrome://net-export, \"Start \
                       Logging to Disk\"; in Firefox about:logging, preset Networking.";

pub(super) const PASSWORD: Recipe = Recipe {
    tool: "mfatrace",
    steps: &[
        "Send us the password of the archive, by another way than the archive came, such as by \
         telephone.",
        "Or save the sessions again without a password, and send that file by a protected way.",
    ],
    start: NO_NEW,
    stop: NO_NEW,
};

/// A recording of what a browser asks, by the browser itself.
pub(super) const fn browser(system: System, browser: Browser) -> Recipe {
    match (system, browser) {
        (System::Ios, _) => IOS,
        (System::Android, _) => ANDROID,
        (System::MacOs, Browser::Safari) => SAFARI,
        (System::MacOs, Browser::Firefox) => FIREFOX_MAC,
        (_, Browser::Firefox) => FIREFOX,
        (System::MacOs, _) => CHROMIUM_MAC,
        (System::Linux | System::Windows, _) => CHROMIUM,
    }
}

/// The same with the contents of all answers kept.
pub(super) const fn bodies(system: System, used: Browser) -> Recipe {
    match system {
        System::Windows => FIDDLER_BROWSER,
        System::MacOs => FIREFOX_MAC,
        System::Linux => FIREFOX,
        System::Android | System::Ios => browser(system, used),
    }
}

/// A recording with the encryption taken off.
pub(super) const fn decrypted(system: System, used: Browser) -> Recipe {
    match (system, used) {
        (System::Windows, _) => FIDDLER_DECRYPT,
        (System::MacOs, Browser::Safari) => SAFARI,
        (System::MacOs, _) => KEYS_MAC,
        (System::Linux, _) => KEYS_LINUX,
        (System::Android | System::Ios, _) => browser(system, used),
    }
}

/// A recording of what a program asks that is no browser.
pub(super) const fn program(system: System, by_broker: bool) -> Recipe {
    match (system, by_broker) {
        (System::Windows, true) => BROKER_WINDOWS,
        (System::Windows, false) => PROGRAM_WINDOWS,
        (System::MacOs, _) => PROGRAM_MAC,
        (System::Linux, _) => PROGRAM_LINUX,
        (System::Android | System::Ios, _) => PROGRAM_PHONE,
    }
}

/// A recording of packets.
pub(super) const fn packets(system: System) -> Recipe {
    match system {
        System::Windows => PACKETS_WINDOWS,
        System::MacOs => PACKETS_MAC,
        System::Linux => PACKETS_LINUX,
        System::Ios => PACKETS_IOS,
        System::Android => PACKETS_ANDROID,
    }
}

const CHROMIUM: Recipe = Recipe {
    tool: "Edge or Chrome developer tools (HAR)",
    steps: &[
        "Open a new InPrivate or Incognito window and press F12.",
        "On the Network tab tick \"Preserve log\" and \"Disable cache\".",
        "Press F1 in the developer tools and, if it is offered, tick \"Allow to generate HAR with \
         sensitive data\"; close the settings again.",
        "Open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "Press and hold the download arrow of the Network tab and choose \"Export HAR (with \
         sensitive data)\"; if only \"Export HAR\" is offered, take that.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const CHROMIUM_MAC: Recipe = Recipe {
    tool: "Chrome or Edge developer tools (HAR)",
    steps: &[
        "Open a new Incognito or InPrivate window and press Option+Command+I.",
        "On the Network tab tick \"Preserve log\" and \"Disable cache\".",
        "Press F1 in the developer tools and, if it is offered, tick \"Allow to generate HAR with \
         sensitive data\"; close the settings again.",
        "Open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "Press and hold the download arrow of the Network tab and choose \"Export HAR (with \
         sensitive data)\"; if only \"Export HAR\" is offered, take that.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const FIREFOX: Recipe = Recipe {
    tool: "Firefox developer tools (HAR)",
    steps: &[
        "Open a new private window and press Ctrl+Shift+E.",
        "In the Network tool open the gear menu, tick \"Persist Logs\", and tick \"Disable Cache\".",
        "Open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "Right-click the list of requests and choose \"Save All As HAR\".",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const FIREFOX_MAC: Recipe = Recipe {
    tool: "Firefox developer tools (HAR)",
    steps: &[
        "Open a new private window in Firefox and press Option+Command+E.",
        "In the Network tool open the gear menu, tick \"Persist Logs\", and tick \"Disable Cache\".",
        "Open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "Right-click the list of requests and choose \"Save All As HAR\".",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const SAFARI: Recipe = Recipe {
    tool: "Safari Web Inspector (HAR)",
    steps: &[
        "In Safari: Settings, Advanced, tick \"Show features for web developers\".",
        "Open a new private window; then Develop, Show Web Inspector, Network tab.",
        "In the Network tab tick \"Preserve Log\" and switch the cache off (\"Disable Caches\").",
        "Open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "Choose \"Export\" in the Network tab; the file is a HAR.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const IOS: Recipe = Recipe {
    tool: "Safari Web Inspector on a Mac, with the iPhone on a cable (HAR)",
    steps: &[
        "On the iPhone: Settings, Apps, Safari, Advanced, switch on \"Web Inspector\" (up to iOS \
         17: Settings, Safari, Advanced).",
        "On the Mac: Safari, Settings, Advanced, tick \"Show features for web developers\".",
        "Connect the iPhone with a cable and trust the Mac on it.",
        "On the iPhone open an empty tab in Safari; on the Mac choose it under Develop and the \
         name of the iPhone.",
        "In the Network tab of the inspector tick \"Preserve Log\".",
        "On the iPhone open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "On the Mac choose \"Export\" in the Network tab; the file is a HAR.",
        "Without a Mac: take the recording of the same sign-in in a browser of a computer in the \
         same network, and say so.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const ANDROID: Recipe = Recipe {
    tool: "Edge or Chrome on a computer, with the phone on a cable (HAR)",
    steps: &[
        "On the phone switch on \"USB debugging\" in the developer options.",
        "Connect the phone with a cable and allow the computer on it.",
        "On the computer open chrome://inspect/#devices (in Edge: edge://inspect/#devices).",
        "On the phone open an empty tab in Edge or Chrome; on the computer choose \"inspect\" \
         below it.",
        "On the Network tab tick \"Preserve log\" and \"Disable cache\".",
        "On the phone open the address of the application and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "On the computer choose \"Export HAR (with sensitive data)\".",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const FIDDLER_BROWSER: Recipe = Recipe {
    tool: "Fiddler with HTTPS decryption (SAZ), or Firefox (HAR)",
    steps: &[
        "Start Fiddler; in Tools, Options, HTTPS switch on \"Decrypt HTTPS traffic\" and trust the \
         root.",
        "Open a new InPrivate window and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "File, Save, All Sessions, as a password-protected archive.",
        "Without Fiddler: Firefox, F12, Network, \"Persist Logs\", sign in, \"Save All As HAR\".",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const FIDDLER_DECRYPT: Recipe = Recipe {
    tool: "Fiddler with HTTPS decryption (SAZ), or browser developer tools (HAR)",
    steps: &[
        "In Fiddler: Tools, Options, HTTPS, switch on \"Decrypt HTTPS traffic\" and trust the root.",
        "Restart the browser, open an InPrivate window and sign in until the error or the end.",
        "After the last prompt wait at least two minutes with the page open.",
        "File, Save, All Sessions, as a password-protected archive.",
        "If the sign-in works only without Fiddler, take a HAR with the developer tools instead: \
         F12, Network, \"Preserve log\", sign in, \"Export HAR (with sensitive data)\".",
        "Afterwards switch the decryption off and remove Fiddler's root: Tools, Options, HTTPS, \
         Actions, \"Reset All Certificates\".",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const KEYS_MAC: Recipe = Recipe {
    tool: "browser developer tools (HAR), or tcpdump with a key log (pcap)",
    steps: &[
        "Open a new private window and the developer tools (Option+Command+I), Network tab.",
        "Tick \"Preserve log\", sign in until the error or the end, wait two minutes.",
        "Choose \"Export HAR (with sensitive data)\" or, in Firefox, \"Save All As HAR\".",
        "If that is not possible, quit the browser and start it from a terminal with a key log:\n\
         SSLKEYLOGFILE=/tmp/keys.log open -n -a \"Google Chrome\"",
        "In a second terminal record the packets, sign in, and stop with Ctrl+C:\n\
         sudo tcpdump -i any -s 0 -w /tmp/signin.pcapng",
        "Send the recording and the key log, and delete both afterwards.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const KEYS_LINUX: Recipe = Recipe {
    tool: "browser developer tools (HAR), or tcpdump with a key log (pcap)",
    steps: &[
        "Open a new private window and the developer tools (F12), Network tab.",
        "Tick \"Preserve log\" (Firefox: \"Persist Logs\"), sign in until the error or the end, \
         wait two minutes.",
        "Choose \"Export HAR (with sensitive data)\" or, in Firefox, \"Save All As HAR\".",
        "If that is not possible, close the browser and start it from a terminal with a key log:\n\
         SSLKEYLOGFILE=/tmp/keys.log firefox",
        "In a second terminal record the packets, sign in, and stop with Ctrl+C:\n\
         sudo tcpdump -i any -s 0 -w /tmp/signin.pcap",
        "Send the recording and the key log, and delete both afterwards.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_PROMPT,
};

const PROGRAM_WINDOWS: Recipe = Recipe {
    tool: "Fiddler with HTTPS decryption (SAZ)",
    steps: &[
        "Start Fiddler; in Tools, Options, HTTPS switch on \"Decrypt HTTPS traffic\" \"from all \
         processes\" and trust the root.",
        "Close the program, also in the notification area, and start it again.",
        "Sign in until the error or the end; after the last prompt wait two minutes.",
        "File, Save, All Sessions, as a password-protected archive.",
        "If the program does not show up in Fiddler or fails otherwise than before, record \
         without it, as administrator:\n\
         netsh trace start capture=yes report=disabled tracefile=C:\\Temp\\signin.etl",
        "Then sign in until the error, and stop the trace:\nnetsh trace stop",
    ],
    start: BEFORE_PROGRAM,
    stop: AFTER_PROMPT,
};

const BROKER_WINDOWS: Recipe = Recipe {
    tool: "Fiddler with HTTPS decryption (SAZ)",
    steps: &[
        "Start Fiddler; in Tools, Options, HTTPS switch on \"Decrypt HTTPS traffic\" \"from all \
         processes\" and trust the root.",
        "Windows signs in for the program by its broker: in Fiddler press \"WinConfig\", tick \
         \"Work or school account\" and save, so that the broker can reach Fiddler.",
        "Close the program, also in the notification area, and start it again.",
        "Sign in until the error or the end; after the last prompt wait two minutes.",
        "File, Save, All Sessions, as a password-protected archive.",
        "Send the state of the device with it:\ndsregcmd /status > C:\\Temp\\dsregcmd.txt",
    ],
    start: BEFORE_PROGRAM,
    stop: AFTER_PROMPT,
};

const PROGRAM_MAC: Recipe = Recipe {
    tool: "Fiddler Everywhere with HTTPS decryption (SAZ)",
    steps: &[
        "In Fiddler Everywhere: Settings, HTTPS, \"Capture HTTPS traffic\", and trust the root \
         certificate.",
        "Switch on \"System Proxy\", quit the program and start it again.",
        "Sign in until the error or the end; after the last prompt wait two minutes.",
        "Save all sessions and export them as a password-protected SAZ archive.",
    ],
    start: BEFORE_PROGRAM,
    stop: AFTER_PROMPT,
};

const PROGRAM_LINUX: Recipe = Recipe {
    tool: "mitmproxy (HAR)",
    steps: &[
        "Start the recorder in a terminal:\nmitmdump --set hardump=/tmp/signin.har",
        "Let the program trust ~/.mitmproxy/mitmproxy-ca-cert.pem, for this run only.",
        "Start the program from a second terminal, in place of PROGRAM:\n\
         HTTPS_PROXY=http://127.0.0.1:8080 PROGRAM",
        "Sign in until the error or the end; after the last prompt wait two minutes.",
        "Stop the recorder with Ctrl+C; it then writes the file.",
    ],
    start: BEFORE_PROGRAM,
    stop: AFTER_PROMPT,
};

const PROGRAM_PHONE: Recipe = Recipe {
    tool: "Fiddler Everywhere on a computer in the same Wi-Fi (SAZ)",
    steps: &[
        "On the computer: Fiddler Everywhere, Settings, Connections, \"Allow remote devices to \
         connect\", and Settings, HTTPS, \"Capture HTTPS traffic\".",
        "On the phone set the proxy of the Wi-Fi to the address and port of Fiddler, open \
         http://ipv4.fiddler:8866 and install and trust the certificate.",
        "Close the app on the phone, start it again and sign in until the error or the end.",
        "After the last prompt wait two minutes, then export all sessions as a \
         password-protected SAZ archive.",
        "Take the proxy and the certificate off the phone again.",
        "If the app does not sign in this way, it accepts no other certificate: record the same \
         sign-in in the browser of the phone or of a computer, and say so.",
    ],
    start: "before the app is started",
    stop: AFTER_PROMPT,
};

const PACKETS_WINDOWS: Recipe = Recipe {
    tool: "pktmon (Windows), with the browser's own log beside it",
    steps: &[
        "As administrator, start the recording of packets:\n\
         pktmon start --capture --pkt-size 0 --file-name C:\\Temp\\signin.etl",
        NET_LOG,
        "Sign in until the error is shown, and wait one minute.",
        "Stop the browser's log; then stop the packets:\npktmon stop",
        "Convert the packets, and those that Windows itself dropped:\n\
         pktmon etl2pcap C:\\Temp\\signin.etl --out C:\\Temp\\signin.pcapng\n\
         pktmon etl2pcap C:\\Temp\\signin.etl --drop-only --out C:\\Temp\\drops.pcapng",
        "Send both pcapng files, the browser's log, and a HAR of the same minute; of Edge or Chrome \
         if they are there, because Firefox does not name failures.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_ERROR,
};

const PACKETS_MAC: Recipe = Recipe {
    tool: "tcpdump (macOS), with the browser's own log beside it",
    steps: &[
        "In a terminal start the recording of packets:\n\
         sudo tcpdump -i any -s 0 -w /tmp/signin.pcapng",
        NET_LOG,
        "Sign in until the error is shown, and wait one minute.",
        "Stop the browser's log; then stop the packets with Ctrl+C.",
        "Send the recording, the browser's log, and a HAR of the same minute; of Edge or Chrome \
         if they are there, because Firefox does not name failures.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_ERROR,
};

const PACKETS_LINUX: Recipe = Recipe {
    tool: "tcpdump (Linux), with the browser's own log beside it",
    steps: &[
        "In a terminal start the recording of packets:\n\
         sudo tcpdump -i any -s 0 -w /tmp/signin.pcap",
        NET_LOG,
        "Sign in until the error is shown, and wait one minute.",
        "Stop the browser's log; then stop the packets with Ctrl+C.",
        "Send the recording, the browser's log, and a HAR of the same minute; of Edge or Chrome \
         if they are there, because Firefox does not name failures.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_ERROR,
};

const PACKETS_IOS: Recipe = Recipe {
    tool: "tcpdump on a Mac, with the iPhone on a cable",
    steps: &[
        "Connect the iPhone with a cable and read its UDID in the Finder.",
        "On the Mac make an interface for the iPhone, in place of UDID:\nrvictl -s UDID",
        "Start the recording of packets:\n\
         sudo tcpdump -i rvi0 -s 0 -w /tmp/signin.pcapng",
        "On the iPhone sign in until the error is shown, and wait one minute.",
        "Stop with Ctrl+C, and take the interface away again:\nrvictl -x UDID",
        "Send the recording and say in which network the iPhone was.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_ERROR,
};

const PACKETS_ANDROID: Recipe = Recipe {
    tool: "a computer that shares its network with the phone, with tcpdump or pktmon",
    steps: &[
        "Let a computer in the same network share it as a mobile hotspot and connect the phone \
         to it.",
        "Record on the computer; on Windows, as administrator:\n\
         pktmon start --capture --pkt-size 0 --file-name C:\\Temp\\signin.etl",
        "On the phone sign in until the error is shown, and wait one minute.",
        "Stop and convert the recording:\n\
         pktmon stop\n\
         pktmon etl2pcap C:\\Temp\\signin.etl --out C:\\Temp\\signin.pcapng",
        "Send the recording. If the sign-in works this way, say so: then the network that the \
         phone uses otherwise is the difference.",
    ],
    start: BEFORE_APPLICATION,
    stop: AFTER_ERROR,
};
