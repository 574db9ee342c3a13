//! The forms of single values, for the schemas that are made from the types of the documents.
//!
//! A document writes a closed list as its names and a time as its text; here stands which names there
//! are and how such a text looks. It must not know which document has them.
//!
//! Invariants: a value that a list of the analysis has and this list lacks does not compile; the values
//! of a list stand in the order in which the analysis names them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::evidence::{self, HostName};
use crate::finding::{self, RuleId};
use crate::report::triage::Code;
use crate::report::triage::routing::Queue;
use crate::signin::{self, Guid, GuideCause, MfaState, Outcome, Side, StepKind};
use crate::time::Timestamp;
use crate::verdict;

/// A closed list whose values hold more than their names; a text stands for each pattern.
macro_rules! named {
    ($($(#[doc = $doc:literal])+ $name:ident($title:literal) of $type:ty {
        $($pattern:pat => $value:expr),+ $(,)?
    })+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        const _: fn(&$type) = |value| match value {
            $($pattern => {})+
        };

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "type": "string",
                    "enum": [$($value),+],
                })
            }
        }
    )+};
}

/// A closed list by its values.
macro_rules! closed {
    ($($(#[doc = $doc:literal])+ $name:ident($title:literal) of $module:ident::$list:ident {
        $($variant:ident),+ $(,)?
    })+) => {
        named! {$(
            $(#[doc = $doc])+
            $name($title) of $module::$list {
                $($module::$list::$variant => $module::$list::$variant.as_str()),+
            }
        )+}
    };
}

/// A closed list that can tell all of its values.
macro_rules! listed {
    ($($type:ty: $title:literal, $doc:literal;)+) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let names: Vec<&str> = <$type>::ALL.iter().map(|one| one.as_str()).collect();
                json_schema!({ "description": $doc, "type": "string", "enum": names })
            }
        }
    )+};
}

/// A text that has a form.
macro_rules! text {
    ($($(#[doc = $doc:literal])+ $name:ident($title:literal) $pattern:literal;)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        text!(impl $name, $title, concat!($($doc),+), $pattern);
    )+};
    (impl $type:ty, $title:literal, $doc:expr, $pattern:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "description": $doc.trim(), "type": "string", "pattern": $pattern })
            }
        }
    };
}

pub(crate) use crate::signin::{Browser, System};

listed! {
    GuideCause: "guide_cause", "A cause of the AADSTS50074 troubleshooting guide.";
    MfaState: "mfa_state", "What became of MFA.";
    Outcome: "outcome", "How an attempt ended.";
    Side: "side", "Whose matter it is.";
    StepKind: "step_kind", "What kind of stage of a sign-in.";
    Browser: "browser", "A family of browsers.";
    System: "system", "An operating system.";
    Code: "record_code", "What became of an attachment.";
    Queue: "queue", "Who should look at an attachment.";
}

text! {
    /// An address of version 4 or 6.
    Address("address") "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*)$";
    /// Bytes in base64.
    Base64("base64") "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
    /// A Community ID of version 1.
    CommunityId("community_id") "^1:[A-Za-z0-9+/]{27}=$";
    /// What happened while reading; more may come.
    DiagnosticCode("diagnostic_code") "^[a-z0-9]+(-[a-z0-9]+)*$";
    /// A kind of failure; more may come.
    FaultName("fault_name") "^[a-z0-9]+(_[a-z0-9]+)*$";
    /// A JA4 fingerprint.
    Ja4("ja4") "^[tqd][0-9a-z]{9}_[0-9a-f]{12}_[0-9a-f]{12}$";
    /// A type of records (IANA), or its number (RFC 3597).
    RecordType("record_type") "^[A-Z]+[0-9]*$";
    /// The name of a rule: the condition it looks for.
    RuleName("rule_name") "^[a-z0-9]+(-[a-z0-9]+)*$";
    /// SHA-256 in hexadecimal.
    Sha256("sha256") "^[0-9a-f]{64}$";
    /// An address and a port.
    SocketAddress("socket_address") "^([0-9.]+|\\[[0-9a-fA-F:.%]+\\]):[0-9]+$";
    /// An offset of local time from UTC.
    UtcOffset("utc_offset") "^[+-][0-9]{2}:[0-9]{2}$";
}

text!(
    impl Guid,
    "guid",
    "A GUID in lower case.",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
);
text!(impl HostName, "host_name", "The name of a host, or its address.", "^[^\\s/A-Z]+$");
text!(
    impl RuleId,
    "rule_id",
    "The id of a rule, which never changes its meaning; more may come.",
    "^(CAP|DNS|TCP|PRX|TLS|NET|STS|MFA)[0-9]{3}$"
);

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time of RFC 3339 in UTC, with milliseconds.",
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        })
    }
}

/// A reference names its place in one way, and a stream only with its transport and frames.
pub(crate) fn one_place(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        serde_json::json!([
            { "required": ["entry"] },
            { "required": ["session"] },
            { "required": ["frames", "filter"] },
            { "required": ["byte"] },
        ]),
    );
    schema.insert(
        "dependentRequired".to_owned(),
        serde_json::json!({
            "transport": ["frames", "stream"],
            "stream": ["frames", "transport"],
            "filter": ["frames"],
        }),
    );
}

closed! {
    /// What carried an error code.
    Carrier("carrier") of signin::Carrier { ClaimsChallenge, FormPost, Page, RedirectFragment, RedirectQuery, SamlStatus, SasJson, SoapFault, Telemetry, TokenJson }
    /// A kind of capture to take.
    CaptureKind("capture_kind") of verdict::CaptureKind { Bodies, Browser, Decrypted, Packets, Password, Program }
    /// How sure something is.
    Confidence("confidence") of finding::Confidence { Low, Medium, High }
    /// The protocol and manner of a sign-in.
    Flow("flow") of signin::Flow { Oidc, OauthCode, OauthImplicit, Saml, WsFed, WsTrust, DeviceCode, Ropc, Refresh, Silent, ClientCredentials, OnBehalfOf, Broker, Unknown }
    /// The format of an input.
    Format("format") of evidence::Format { Har, KeyLog, Pcap, Pcapng, Saz, Unrecognised }
    /// The answer to a cause of the guide.
    GuideAnswer("guide_answer") of verdict::GuideAnswer { Supported, Contradicted, NotVisible }
    /// The effect of something on this sign-in.
    Severity("severity") of finding::Severity { Info, Warning, Error }
    /// What became of a step.
    StepResult("step_result") of signin::StepResult { Ok, Pending, Interrupt, Failed, NoResponse, Unknown }
    /// A version of TLS.
    TlsVersion("tls_version") of evidence::TlsVersion { Ssl3, Tls10, Tls11, Tls12, Tls13 }
    /// A request that the MFA page brings about.
    TrafficKind("traffic_kind") of signin::TrafficKind { Script, Begin, Leave, Code, Device, Poll, Registration, Return, Finish }
    /// The transport of a stream.
    Transport("transport") of evidence::Transport { Tcp, Udp, Quic }
    /// Why the capture cannot tell.
    Unseen("unseen") of evidence::Unseen { BodiesMissing, CaptureEnded, CaptureStarted, Encrypted, NotShown, RecordsLost, Timeless }
}

named! {
    /// What keys made of a connection.
    Decryption("decryption_state") of evidence::Decryption {
        evidence::Decryption::Failed => "failed",
        evidence::Decryption::MidStream => "mid_stream",
        evidence::Decryption::NoSecret => "no_secret",
        // An untried one is left out.
        evidence::Decryption::Opened | evidence::Decryption::Untried => "opened",
        evidence::Decryption::Unsupported => "unsupported",
    }
    /// How a connection ended.
    Closed("closed") of evidence::Closed {
        evidence::Closed::Fin => "fin",
        evidence::Closed::Reset { by: evidence::Peer::Client } => "reset_by_client",
        evidence::Closed::Reset { by: evidence::Peer::Server } => "reset_by_server",
        evidence::Closed::Idle => "idle",
        evidence::Closed::CaptureEnd => "capture_end",
        evidence::Closed::Evicted => "evicted",
    }
    /// How a name was asked for.
    LookupTransport("lookup_transport") of evidence::LookupTransport {
        evidence::LookupTransport::Llmnr => "llmnr",
        evidence::LookupTransport::Mdns => "mdns",
        evidence::LookupTransport::Tcp => "tcp",
        // An unknown one is null.
        evidence::LookupTransport::Udp | evidence::LookupTransport::Unknown => "udp",
    }
    /// Why there is no response.
    NoResponse("no_response_kind") of evidence::NoResponse {
        evidence::NoResponse::BlockedByClient { .. } => "blocked_by_client",
        evidence::NoResponse::Cancelled => "cancelled",
        evidence::NoResponse::Failed { .. } => "failed",
        evidence::NoResponse::Hidden { .. } => "hidden",
        evidence::NoResponse::NotCaptured => "not_captured",
        evidence::NoResponse::Pending => "pending",
    }
    /// How a connection began.
    Opened("opened") of evidence::Opened {
        evidence::Opened::Established { .. } => "established",
        evidence::Opened::MidStream => "mid_stream",
        evidence::Opened::Refused => "refused",
        evidence::Opened::Unanswered { .. } => "unanswered",
        evidence::Opened::Unreachable { .. } => "unreachable",
    }
    /// One of the two sides of a connection.
    Peer("peer") of evidence::Peer {
        evidence::Peer::Client => "client",
        evidence::Peer::Server => "server",
    }
    /// The stage in which a request failed.
    Stage("stage") of evidence::Stage {
        evidence::Stage::Dns => "dns",
        evidence::Stage::Connect => "connect",
        evidence::Stage::Proxy => "proxy",
        evidence::Stage::Tls => "tls",
        evidence::Stage::Send => "send",
        evidence::Stage::Receive => "receive",
        evidence::Stage::Unknown => "unknown",
    }
    /// What the capture has of a request that had to come.
    TrafficState("traffic_state") of signin::Traffic {
        signin::Traffic::Absent(_) => "absent",
        signin::Traffic::Failed => "failed",
        signin::Traffic::NotDue => "not_due",
        signin::Traffic::Seen => "seen",
        signin::Traffic::Unknown(_) => "unknown",
    }
    /// How requests went to their host.
    Via("via") of evidence::Via {
        evidence::Via::Direct => "direct",
        evidence::Via::Proxy => "proxy",
        evidence::Via::Unknown => "unknown",
    }
    /// A family of rules.
    Family("family") of finding::Family {
        finding::Family::Cap => "CAP",
        finding::Family::Dns => "DNS",
        finding::Family::Tcp => "TCP",
        finding::Family::Prx => "PRX",
        finding::Family::Tls => "TLS",
        finding::Family::Net => "NET",
        finding::Family::Sts => "STS",
        finding::Family::Mfa => "MFA",
    }
}

/// What a host is to be left out of.
pub(crate) struct ExemptFrom;

impl JsonSchema for ExemptFrom {
    fn schema_name() -> Cow<'static, str> {
        "exempt_from".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a host is to be left out of.",
            "type": "string",
            "enum": ["proxy_authentication", "tls_inspection"],
        })
    }
}

/// What an input was packed in.
pub(crate) struct Container;

impl JsonSchema for Container {
    fn schema_name() -> Cow<'static, str> {
        "container".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What an input was packed in.",
            "type": "string",
            "enum": ["bzip2", "gzip", "tar", "xz", "zip", "zstd"],
        })
    }
}
