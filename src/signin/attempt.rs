//! Attempts to sign in and what they consist of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::{ClockReading, Expected, Failure, GuideCause, MfaState, Outcome, Side, StepKind};
use crate::entra::PolicyNumber;
use crate::evidence::{EvidenceRef, ExchangeId, HostName, Identity, InputId, Unseen};
use crate::time::Timestamp;

/// The number of an attempt, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u32);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A GUID in lower case: a correlation, request, tenant, application or policy id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(Box<str>);

impl Guid {
    /// Takes 36 characters in the usual form.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        crate::evidence::is_guid(text).then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepResult {
    /// It did not do what it was for.
    Failed,
    /// The service asks for something more first.
    Interrupt,
    /// Nothing came back.
    NoResponse,
    /// It did what it was for.
    Ok,
    /// The answer is still to come.
    Pending,
    /// The capture does not show it.
    Unknown,
}

impl StepResult {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Interrupt => "interrupt",
            Self::NoResponse => "no_response",
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// The protocol and manner of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// A broker on the device with its primary refresh token.
    Broker,
    /// An application in its own name.
    ClientCredentials,
    /// A device without a browser.
    DeviceCode,
    /// OAuth authorization code without OpenID Connect.
    OauthCode,
    /// OAuth implicit.
    OauthImplicit,
    /// OpenID Connect.
    Oidc,
    /// A service in the name of its user.
    OnBehalfOf,
    /// A refresh token.
    Refresh,
    /// A password sent by the application.
    Ropc,
    /// SAML.
    Saml,
    /// An authorize request that may not show anything (`prompt=none`).
    Silent,
    /// Not told.
    Unknown,
    /// WS-Federation.
    WsFed,
    /// WS-Trust.
    WsTrust,
}

impl Flow {
    /// Its name in reports (SPEC section 6, closed list).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "device_code",
            Self::OauthCode => "oauth_code",
            Self::OauthImplicit => "oauth_implicit",
            Self::Oidc => "oidc",
            Self::OnBehalfOf => "on_behalf_of",
            Self::Refresh => "refresh",
            Self::Ropc => "ropc",
            Self::Saml => "saml",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
            Self::WsFed => "ws_fed",
            Self::WsTrust => "ws_trust",
        }
    }

    /// Whether a request of this flow can never show a prompt.
    pub const fn is_without_prompt(self) -> bool {
        matches!(
            self,
            Self::ClientCredentials
                | Self::DeviceCode
                | Self::OnBehalfOf
                | Self::Refresh
                | Self::Ropc
                | Self::Silent
                | Self::WsTrust
        )
    }
}

/// Where an error code stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// A claims challenge of a resource (`WWW-Authenticate`).
    ClaimsChallenge,
    /// A form that the browser posts to the application, in the page or in the post.
    FormPost,
    /// `$Config` of a page.
    Page,
    /// A redirect's fragment.
    RedirectFragment,
    /// A redirect's query.
    RedirectQuery,
    /// JSON of the MFA endpoints.
    SasJson,
    /// A SAML status.
    SamlStatus,
    /// A SOAP fault.
    SoapFault,
    /// What the client library says of earlier failures.
    Telemetry,
    /// JSON of the token endpoint.
    TokenJson,
}

impl Carrier {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClaimsChallenge => "claims_challenge",
            Self::FormPost => "form_post",
            Self::Page => "page",
            Self::RedirectFragment => "redirect_fragment",
            Self::RedirectQuery => "redirect_query",
            Self::SamlStatus => "saml_status",
            Self::SasJson => "sas_json",
            Self::SoapFault => "soap_fault",
            Self::Telemetry => "telemetry",
            Self::TokenJson => "token_json",
        }
    }
}

/// What is said where one of two roots of the scripts failed and the other one was not asked.
pub(super) const OTHER_ROOT: &str = "the other host that has the same scripts was not asked";

/// How the detail of a request for a script of the page begins.
pub const SCRIPT: &str = "script of the page";

/// One stage of an attempt.
#[derive(Clone, Debug)]
pub struct Step {
    /// What kind of stage.
    pub kind: StepKind,
    /// When it began; none where the capture has no time.
    pub at: Option<Timestamp>,
    /// What became of it.
    pub result: StepResult,
    /// Whether the service answered it, be the answer in the capture or not.
    pub is_answered: bool,
    /// What is worth saying of it, in words of ours and identifiers: a page id, a result value.
    pub detail: String,
    /// The host asked.
    pub host: HostName,
    /// How often it was repeated right after one another with the same result (polls).
    pub count: u32,
    /// Where it stands, in order.
    pub refs: Vec<EvidenceRef>,
}

/// One error code of the service.
#[derive(Clone, Debug)]
pub struct StsError {
    /// The number behind `AADSTS`.
    pub code: u32,
    /// Whether the number itself was not there and the page says the same (an MFA page for 50074).
    pub equivalent: bool,
    /// Where it stood.
    pub carrier: Carrier,
    /// The page it stood in.
    pub page: Option<String>,
    /// The stage it belongs to.
    pub step: StepKind,
    /// The id of the request at the service.
    pub trace_id: Option<Guid>,
    /// The id of the sign-in.
    pub correlation_id: Option<Guid>,
    /// When it came.
    pub at: Option<Timestamp>,
    /// Where it stands.
    pub reference: EvidenceRef,
}

/// Whether something happened before or after the challenge was posed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before.
    BeforeChallenge,
    /// After.
    AfterChallenge,
    /// After MFA was passed: at the application.
    AfterMfa,
}

/// Traffic that the failing step of an attempt needed and that failed, unresolved.
#[derive(Clone, Debug)]
pub struct Blockage {
    /// The step that could not go on.
    pub step: StepKind,
    /// When in the attempt.
    pub phase: Phase,
    /// The hosts that were needed and failed, the one tried first in front.
    pub hosts: Vec<HostName>,
    /// The failed exchanges, in order.
    pub exchanges: Vec<ExchangeId>,
}

/// One try to sign in.
#[derive(Clone, Debug)]
pub struct SignInAttempt {
    /// Its number.
    pub id: AttemptId,
    /// Its flow.
    pub flow: Flow,
    /// The user, where one is named.
    pub user: Option<Identity>,
    /// The tenant: a GUID, a domain, or `common` and its like.
    pub tenant: Option<String>,
    /// The application (client id).
    pub application: Option<Guid>,
    /// The resource or audience, where it is a plain identifier.
    pub resource: Option<String>,
    /// Correlation ids, the first seen in front.
    pub correlation_ids: Vec<Guid>,
    /// Request ids of the service (trace ids), in order.
    pub request_ids: Vec<Guid>,
    /// Conditional Access policy ids that a claims challenge names.
    pub policy_ids: Vec<Guid>,
    /// First sign of it.
    pub first: Option<Timestamp>,
    /// Last sign of it.
    pub last: Option<Timestamp>,
    /// Its stages in order.
    pub steps: Vec<Step>,
    /// Error codes in order.
    pub errors: Vec<StsError>,
    /// How it ended.
    pub outcome: Outcome,
    /// The side that its facts prove where that is not the outcome's own.
    pub side: Side,
    /// What became of MFA.
    pub mfa: MfaState,
    /// Methods that the MFA page offered, by their ids.
    pub methods: Vec<String>,
    /// The last result value of the MFA endpoints.
    pub result_value: Option<String>,
    /// The code that decided, where one did.
    pub deciding_code: Option<u32>,
    /// The number on the policy page that tells the most.
    pub policy_page: Option<PolicyNumber>,
    /// What had to follow the last MFA page, in order, and what of it the capture has.
    pub expected: Vec<Expected>,
    /// What it needed and did not get.
    pub blockage: Option<Blockage>,
    /// What the deciding code or result value means.
    pub meaning: Option<&'static str>,
    /// What is to be done about it.
    pub next_step: Option<&'static str>,
    /// Causes of the troubleshooting guide that its codes and values support.
    pub supports: Vec<GuideCause>,
    /// Where what decided stands.
    pub decided_by: Vec<EvidenceRef>,
    /// Why the capture cannot tell more.
    pub unseen: Vec<Unseen>,
    /// In which way the outcome is less than sure; empty means nothing speaks against it.
    pub doubts: Vec<&'static str>,
    /// Whether it is only that another program than the one that signs in could not reach a host.
    pub is_other_program: bool,
    /// Whether it was a silent look for a session, and none was found.
    pub is_look: bool,
    /// What else there is to say of the outcome, in words of ours.
    pub note: Option<&'static str>,
    /// The host that awaits the answer for the application.
    pub return_host: Option<HostName>,
    /// The computer that signed in, where the capture has those of several.
    pub client: Option<IpAddr>,
    /// A later attempt that makes this one step aside.
    pub overridden_by: Option<AttemptId>,
}

impl SignInAttempt {
    /// Whether MFA was asked for.
    pub const fn was_asked(&self) -> bool {
        !matches!(self.mfa, MfaState::NotAsked | MfaState::Unknown)
    }
}

/// Why encrypted traffic does not tell whether there was a sign-in, or how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Veil {
    /// Lookups or connections of the sign-in service are there, and none came so far that it tells.
    Begun,
    /// A proxy on the computer itself takes the requests.
    LoopbackProxy,
    /// Encrypted connections were open when the capture began, and none names its host.
    MidStream,
    /// Packets of one direction only were captured.
    OneSided,
    /// The proxy that the computer uses could not be reached.
    Proxy,
    /// A page of a sign-in reports of itself, and none of its steps is there.
    Reports,
    /// An application gets what the service handed out, and nothing before that is there.
    Returned,
    /// An application sends the browser to sign in, and nothing after that is there.
    SentOn,
    /// A VPN or relay, by its name where that is known.
    Vpn(Option<&'static str>),
    /// Connections to the sign-in service were in use when the capture began, and cannot be read.
    Underway,
    /// The client of a zero-trust service.
    ZeroTrust(&'static str),
}

/// All attempts of a case.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// In order of time.
    pub attempts: Vec<SignInAttempt>,
    /// Traffic to sign-in hosts that is encrypted and cannot be read.
    pub encrypted: Vec<ExchangeId>,
    /// What hides a sign-in from a capture of packets, and where that stands.
    pub veils: Vec<(Veil, EvidenceRef)>,
    /// Inputs that show the same traffic, and how far their clocks differ.
    pub joined: Vec<super::Joined>,
    /// What the inputs say against each other.
    pub disagreements: Vec<super::Disagreement>,
    /// Addresses of computers that signed in, in captures of packets.
    pub computers: Vec<super::Computer>,
    /// Exchanges that another input tells of too, as far as they do not count of their own.
    pub echoes: BTreeSet<ExchangeId>,
    /// What was wrong with exchanges, for those where something was.
    pub failures: BTreeMap<ExchangeId, Failure>,
    /// How far the computer's clock is off the service's, by input.
    pub clocks: BTreeMap<InputId, Vec<ClockReading>>,
    /// Whether anything of a sign-in was seen at all.
    pub seen: bool,
    /// Requests of further attempts, past the limit, that are not followed.
    pub dropped: u64,
}

impl SignIn {
    /// An attempt by its number.
    pub fn attempt(&self, id: AttemptId) -> Option<&SignInAttempt> {
        self.attempts.iter().find(|attempt| attempt.id == id)
    }
}
