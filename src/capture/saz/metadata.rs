//! The metadata part of a session (`_m.xml`): flags, timers and how it travelled.
//!
//! Fiddler writes one small XML document for each session. Names of flags vary in case between
//! versions, so they are compared in lower case. This file must not know what a session means.
//!
//! Invariants: depth and number of elements are bounded; a document that breaks gives what came
//! before the break and says so.

use std::net::IpAddr;
use std::time::Duration;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::evidence::shown;
use crate::limits;
use crate::time::{Span, Timestamp};

/// The bits of `BitFlags`, a hexadecimal number, as Fiddler documents them.
pub(super) mod bit {
    pub(in crate::capture) const HTTPS: u64 = 0x1;
    pub(in crate::capture) const REQUEST_BY_TOOL: u64 = 0x80;
    pub(in crate::capture) const RESPONSE_BY_TOOL: u64 = 0x100;
    pub(in crate::capture) const SENT_TO_GATEWAY: u64 = 0x800;
    pub(in crate::capture) const BLIND_TUNNEL: u64 = 0x1000;
    pub(in crate::capture) const DECRYPTING_TUNNEL: u64 = 0x2000;
    pub(in crate::capture) const FROM_CACHE: u64 = 0x4000;
    pub(in crate::capture) const RESPONSE_DROPPED: u64 = 0x2_0000;
    pub(in crate::capture) const REQUEST_DROPPED: u64 = 0x10_0000;
}

/// What the part says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    bits: u64,
    forwarded: bool,
    timers: Vec<(String, String)>,
    flags: Vec<(String, String)>,
    /// Whether the document broke, or was none.
    pub(super) malformed: bool,
}

impl Metadata {
    /// Reads a document.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut metadata = Self::default();
        let text = crate::proto::body::charset(bytes, "");
        let mut reader = quick_xml::Reader::from_str(text.trim_start());
        reader.config_mut().check_end_names = false;
        let (mut depth, mut elements) = (0_usize, 0_usize);
        let mut session = false;
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(element) => {
                    depth = depth.saturating_add(1);
                    session |= metadata.element(&element);
                }
                Event::Empty(element) => session |= metadata.element(&element),
                Event::End(_) => depth = depth.saturating_sub(1),
                Event::Eof => {
                    metadata.malformed = !session || depth > 0;
                    return metadata;
                }
                _ => {}
            }
            elements = elements.saturating_add(1);
            if depth > limits::XML_DEPTH || elements > MAX_ELEMENTS {
                break;
            }
        }
        metadata.malformed = true;
        metadata
    }

    fn element(&mut self, element: &BytesStart<'_>) -> bool {
        let mut attributes = Vec::new();
        let mut source = element.attributes();
        for attribute in source.with_checks(false).flatten().take(MAX_ATTRIBUTES) {
            let name = attribute.key.local_name();
            let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else { continue };
            attributes.push((name.as_ref().to_ascii_lowercase(), value.into_owned()));
        }
        match element.local_name().as_ref() {
            "Session" => {
                if let Some(bits) = value_of(&attributes, "bitflags") {
                    self.bits =
                        u64::from_str_radix(bits.trim().trim_start_matches("0x"), 16).unwrap_or(0);
                }
                return true;
            }
            "SessionTimers" => self.timers = attributes,
            "PipeInfo" => {
                self.forwarded = value_of(&attributes, "forwarded")
                    .is_some_and(|value| value.eq_ignore_ascii_case("true"));
            }
            "SessionFlag" => {
                let name = value_of(&attributes, "n").map(str::to_ascii_lowercase);
                let value = value_of(&attributes, "v").map(str::to_owned);
                if let (Some(name), Some(value)) = (name, value) {
                    self.flags.push((name, value));
                }
            }
            _ => {}
        }
        false
    }

    /// Whether a bit of `BitFlags` is set.
    pub(super) const fn has(&self, bit: u64) -> bool {
        self.bits & bit != 0
    }

    /// Whether an upstream proxy got the request.
    pub(super) const fn was_forwarded(&self) -> bool {
        self.forwarded || self.has(bit::SENT_TO_GATEWAY)
    }

    /// The value of a flag, by its name in lower case.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        value_of(&self.flags, name)
    }

    /// Whether a flag says that the client went away.
    pub(super) fn client_left(&self) -> bool {
        self.flags.iter().any(|(name, value)| {
            name.contains("clientpipeerror")
                || name.contains("abort")
                || (name == "ui-customcolumn" && value.to_ascii_lowercase().contains("abort"))
        })
    }

    /// Whether a rule of the tool set where the request went or what answered it.
    pub(super) fn was_rerouted(&self) -> bool {
        self.flags
            .iter()
            .any(|(name, value)| !value.trim().is_empty() && REROUTED.contains(&name.as_str()))
    }

    /// The address of the server.
    pub(super) fn server(&self) -> Option<IpAddr> {
        address(self.flag("x-hostip")?)
    }

    /// The socket of the client.
    pub(super) fn client(&self) -> Option<std::net::SocketAddr> {
        let port = self.flag("x-clientport")?.trim().parse().ok().filter(|port| *port != 0)?;
        Some((address(self.flag("x-clientip")?)?, port).into())
    }

    /// The program that sent the request: `msedge` of `msedge:1234`.
    pub(super) fn process(&self) -> Option<Box<str>> {
        let text = self.flag("x-processinfo")?;
        let name = text.rsplit_once(':').map_or(text, |(name, _)| name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
        let name = shown(name, 64);
        (!name.is_empty() && name.chars().all(plain)).then(|| name.into_boxed_str())
    }

    /// Milliseconds of a timer that holds a length, where it is not zero.
    pub(super) fn length(&self, name: &str) -> Option<Duration> {
        let milliseconds: u64 = value_of(&self.timers, name)?.trim().parse().ok()?;
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    fn time(&self, names: &[&str]) -> Option<(Timestamp, Option<i32>)> {
        names.iter().find_map(|name| Timestamp::parse(value_of(&self.timers, name)?))
    }

    /// From the begin of the request to the end of the response.
    pub(super) fn span(&self) -> Option<Span> {
        let (begin, _) = self.time(BEGIN)?;
        let end = self.time(END).map_or(begin, |(end, _)| end);
        // The clock may have been set back in between: then the begin alone is told.
        Some(Span::new(begin, end.max(begin)))
    }

    /// Whether the server is known to have come to its end.
    pub(super) fn server_is_done(&self) -> bool {
        self.time(&["serverdoneresponse"]).is_some()
    }

    /// Whether the client is known to have come to its end.
    pub(super) fn client_is_done(&self) -> bool {
        self.time(&["clientdoneresponse"]).is_some()
    }

    /// Whether the request went out to the server.
    pub(super) fn was_sent(&self) -> bool {
        self.time(&["servergotrequest", "fiddlerbeginrequest"]).is_some()
    }

    /// The offset of the local time, in seconds east of UTC.
    pub(super) fn utc_offset(&self) -> Option<i32> {
        self.time(BEGIN)?.1
    }
}

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn address(text: &str) -> Option<IpAddr> {
    text.trim().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Flags of a session whose route or answer a rule of the tool set (Telerik: Fiddler session flags).
const REROUTED: &[&str] = &[
    "x-autoresponder",
    "x-overridegateway",
    "x-overridehost",
    "x-overridehostname",
    "x-replywithfile",
    "x-replywithtunnel",
];
/// Timers that tell when a request began, the best one first.
const BEGIN: &[&str] =
    &["clientbeginrequest", "clientconnected", "gotrequestheaders", "fiddlerbeginrequest"];
/// Timers that tell when a response ended, the best one first.
const END: &[&str] = &[
    "clientdoneresponse",
    "serverdoneresponse",
    "clientbeginresponse",
    "gotresponseheaders",
    "serverbeginresponse",
];
/// Elements of one document.
const MAX_ELEMENTS: usize = 4096;
/// Attributes of one element.
const MAX_ATTRIBUTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
        <Session SID=\"4\" BitFlags=\"1901\">\n\
        <SessionTimers ClientConnected=\"2030-01-02T10:00:00.5000000-06:00\" \
        ClientBeginRequest=\"0001-01-01T00:00:00\" DNSTime=\"16\" TCPConnectTime=\"0\" \
        ClientDoneResponse=\"2030-01-02T10:00:01.7500000-06:00\" />\n\
        <PipeInfo Forwarded=\"true\" /><SessionMetrics /><SessionFlags>\n\
        <SessionFlag N=\"X-HostIP\" V=\"192.0.2.7\" /><SessionFlag N=\"x-clientip\" V=\"::1\" />\n\
        <SessionFlag N=\"x-clientport\" V=\"5000\" />\n\
        <SessionFlag N=\"x-processinfo\" V=\"msedge:1234\" />\n\
        <SessionFlag N=\"ui-comments\" V=\"a &amp; b\" /></SessionFlags></Session>";

    #[test]
    fn reads_flags_and_timers() {
        let metadata = Metadata::parse(DOCUMENT.as_bytes());
        assert!(!metadata.malformed);
        assert!(metadata.has(bit::HTTPS) && metadata.has(bit::BLIND_TUNNEL));
        assert!(!metadata.has(bit::DECRYPTING_TUNNEL) && metadata.was_forwarded());
        assert_eq!(metadata.server(), "192.0.2.7".parse().ok());
        assert_eq!(metadata.client(), "[::1]:5000".parse().ok());
        assert_eq!(metadata.process().as_deref(), Some("msedge"));
        assert_eq!(metadata.flag("ui-comments"), Some("a & b"));
        assert_eq!(metadata.length("dnstime"), Some(Duration::from_millis(16)));
        assert_eq!(metadata.length("tcpconnecttime"), None);
        let span = metadata.span().unwrap();
        assert_eq!(span.first().to_string(), "2030-01-02T16:00:00.500Z");
        assert_eq!(span.length(), Duration::from_millis(1250));
        assert_eq!(metadata.utc_offset(), Some(-21_600));
        assert!(metadata.client_is_done() && !metadata.client_left());
    }

    #[test]
    fn a_broken_document_gives_its_beginning() {
        let half = DOCUMENT.split_at(DOCUMENT.find("<PipeInfo").unwrap()).0;
        let metadata = Metadata::parse(half.as_bytes());
        assert!(metadata.malformed && metadata.has(bit::BLIND_TUNNEL) && metadata.span().is_some());
        assert!(Metadata::parse(b"").malformed);
        assert!(Metadata::parse(b"no xml").malformed);
        let deep = "<a>".repeat(10_000);
        assert!(Metadata::parse(deep.as_bytes()).malformed);
        let utf16: Vec<u8> = DOCUMENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Metadata::parse(&utf16), Metadata::parse(DOCUMENT.as_bytes()));
    }

    #[test]
    fn a_process_name_is_an_identifier() {
        let named = |value: &str| {
            let text = format!("<Session><SessionFlag N='x-processinfo' V='{value}'/></Session>");
            Metadata::parse(text.as_bytes()).process().map(String::from)
        };
        assert_eq!(named("Teams.exe:77"), Some("Teams.exe".to_owned()));
        assert_eq!(named("&lt;b&gt;:1"), None);
        assert_eq!(named(":1"), None);
    }
}
