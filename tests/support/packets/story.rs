//! Stories as text: what a file of `tests/scenarios/` may say.

use serde::Deserialize;

/// A story.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Story {
    /// What happened, in words.
    #[serde(rename = "story")]
    pub(crate) told: String,
    pub(crate) label: Label,
    /// Rules, or families of them, that must speak and that must not.
    #[serde(default)]
    pub(crate) expect: Vec<String>,
    #[serde(default)]
    pub(crate) forbid: Vec<String>,
    #[serde(default)]
    pub(crate) covers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) client: Computer,
    #[serde(default)]
    pub(crate) capture: Capture,
    pub(crate) events: Vec<Event>,
}

/// What the program has to say, written before it could say anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) outcome: String,
    pub(crate) side: String,
    pub(crate) host: Option<String>,
}

/// The computer that is captured on, and the network it sits in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Computer {
    pub(crate) address: Option<String>,
    /// `windows` (the default) or `linux`.
    pub(crate) system: Option<String>,
    /// Most bytes of a segment that servers allow.
    pub(crate) segment: Option<u16>,
    /// Part of the segments with data that is lost on the way.
    pub(crate) loss: f64,
    /// Whether names are looked up in the clear; not so with DNS over HTTPS.
    pub(crate) encrypted_names: bool,
    /// Whether the network carries IPv6 alone and maps IPv4 into `64:ff9b::/96`.
    pub(crate) nat64: bool,
    /// Whether servers are reached over IPv6 where they have it.
    pub(crate) six: bool,
    /// The proxy that all is sent through.
    pub(crate) proxy: Option<String>,
}

/// How it was captured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Capture {
    /// `pcap` (the default) or `pcapng`.
    pub(crate) format: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) snap: u32,
    /// Seconds at which it begins and ends.
    pub(crate) from: Option<f64>,
    pub(crate) until: Option<f64>,
    /// `client`: only what the client sends; `server`: only what it gets.
    pub(crate) only: Option<String>,
    /// `span`: each packet twice; `components`: once at each component of the system, with numbers.
    pub(crate) copies: Option<String>,
    /// Part of the frames that the interface drops; its statistics say how many.
    pub(crate) drops: f64,
    /// Part of the frames that come twice.
    pub(crate) duplicates: f64,
    /// Part of the frames that change places with the next.
    pub(crate) reordered: f64,
    pub(crate) directions: bool,
    /// The process said in a comment.
    pub(crate) processes: bool,
}

/// Something that happens. Exactly one of the first fields says what.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Event {
    /// Seconds since the beginning.
    pub(crate) at: f64,
    /// A name is looked up.
    pub(crate) lookup: Option<String>,
    /// A connection is opened, and nothing more.
    pub(crate) connect: Option<String>,
    /// A connection with TLS.
    pub(crate) tls: Option<String>,
    /// Name, connection with TLS, requests: what a browser does for a host.
    pub(crate) visit: Option<String>,
    /// A request in clear: `GET http://host/path`.
    pub(crate) http: Option<String>,
    /// A connection that is older than the capture.
    pub(crate) older: Option<String>,
    /// QUIC is tried.
    pub(crate) quic: Option<String>,
    /// Datagrams to a host and port, such as those of a VPN.
    pub(crate) udp: Option<String>,
    /// Something that takes several events: `desktop`, `sign-in`, `challenge`.
    pub(crate) scene: Option<String>,

    /// The address of another computer whose doing it is.
    pub(crate) of: Option<String>,
    /// What goes wrong.
    pub(crate) fault: Option<String>,
    /// How often the client tries, and how many seconds lie between the tries.
    pub(crate) tries: u32,
    pub(crate) every: f64,
    /// How long the client waits for what never comes, in seconds.
    pub(crate) wait: f64,

    pub(crate) types: Vec<String>,
    pub(crate) code: Option<String>,
    pub(crate) answers: Option<Vec<String>>,
    /// Code of the answer about IPv6; none is an empty answer.
    pub(crate) six: Option<String>,
    pub(crate) servers: Vec<String>,
    /// Questions of each type that get no answer before one does.
    pub(crate) lost: u32,

    pub(crate) addresses: Vec<String>,
    pub(crate) port: u16,
    /// First segments that are lost before one is answered.
    pub(crate) syns: u32,
    /// Seconds that the client looks at the server's certificate.
    pub(crate) checks: f64,
    pub(crate) version: Option<String>,
    pub(crate) hello: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    /// Names in the certificate.
    pub(crate) names: Vec<String>,
    /// Days of the certificate: `2026-01-20/2026-05-01`.
    pub(crate) days: Option<String>,
    pub(crate) resumed: bool,
    pub(crate) retry: bool,
    /// Requests: `wait:up/down`, seconds and bytes; `1x20:900/800` is twenty times.
    pub(crate) requests: Option<String>,
    /// How it ends: `open`, `client`, `client-notify`, `client-reset`, `server`, `server-notify`, `server-reset`.
    pub(crate) close: Option<String>,
    /// Seconds between the last answer and the end.
    pub(crate) idle: f64,

    pub(crate) proxy: Option<String>,
    /// What the proxy answers, one after another: `407`, `407-negotiate`, `403`, `200` ...
    pub(crate) proxy_answers: Vec<String>,

    pub(crate) status: u16,
    pub(crate) head: Vec<String>,
    pub(crate) body: Option<String>,
    /// Bytes of the body where none is given.
    pub(crate) size: usize,
    pub(crate) count: u32,
    /// Whether the other side answers.
    pub(crate) answered: bool,

    /// Polls of a sign-in, and hosts that its scene leaves out.
    pub(crate) polls: u32,
    pub(crate) without: Vec<String>,
}
