//! One exchange seen as part of a sign-in.

use std::net::IpAddr;

use super::answers::{CredentialAnswer, Page, SasAnswer};
use super::{Carrier, Failure, Flow, Guid};
use crate::entra::{HostRole, StepKind};
use crate::evidence::{EvidenceRef, ExchangeId, HostName, InputId};
use crate::time::Timestamp;

/// An error code where it was found.
#[derive(Clone, Debug)]
pub(super) struct FoundCode {
    pub code: u32,
    pub carrier: Carrier,
    pub trace_id: Option<Guid>,
    pub correlation_id: Option<Guid>,
}

/// What the service handed out in an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Grant {
    /// Nothing.
    #[default]
    None,
    /// A code, token or assertion on its way to the application, or an access token.
    Issued,
    /// The same, arriving at the application.
    Arrived,
}

/// One exchange as part of a sign-in.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one exchange")]
pub(super) struct Sighting {
    pub id: ExchangeId,
    pub reference: EvidenceRef,
    pub input: InputId,
    pub page_number: Option<u32>,
    /// The program that made the request, where the capture names it.
    pub process: Option<Box<str>>,
    /// The computer that made it, where the capture has several.
    pub client: Option<IpAddr>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub host: HostName,
    pub kind: StepKind,
    pub status: Option<u16>,
    /// Whether a response came at all.
    pub answered: bool,
    /// Whether the request was given up.
    pub cancelled: bool,
    /// Whether the answer may still have come after the capture.
    pub pending: bool,
    pub failure: Option<Failure>,
    /// Whether the response had a body that would tell more and is not here.
    pub body_missing: bool,
    /// Whether that body is here, in a form that is not known: as of the flows of a customers' tenant.
    pub body_unread: bool,
    pub correlation_ids: Vec<Guid>,
    pub request_id: Option<Guid>,
    /// Values of state that requests of one sign-in repeat, hashed.
    pub state: Vec<u64>,
    pub user: Option<String>,
    pub application: Option<Guid>,
    pub tenant: Option<String>,
    pub resource: Option<String>,
    pub flow: Option<Flow>,
    /// Whether the flow is only a guess because the request cannot be read.
    pub flow_guessed: bool,
    /// Whether it can begin an attempt.
    pub starts: bool,
    pub page: Option<Page>,
    pub sas: Option<SasAnswer>,
    pub credential: Option<CredentialAnswer>,
    pub codes: Vec<FoundCode>,
    pub oauth_error: Option<String>,
    pub policy_ids: Vec<Guid>,
    pub grant: Grant,
    /// Where the answer sends the browser.
    pub next_host: Option<HostName>,
    /// Where the application awaits its answer.
    pub return_host: Option<HostName>,
    /// Where a federated user is sent.
    pub federation_host: Option<HostName>,
    /// The role of the host.
    pub role: Option<HostRole>,
    /// Whether it is a refused tunnel: no request reached the host.
    pub is_tunnel: bool,
    /// The last segment of the path: scripts are compared by it.
    pub file: String,
    /// Whether it is a script that a sign-in page runs on, or a tunnel to the host of one.
    pub is_script: bool,
    /// Whether it is a page or a post, not a picture, font or other part of a page.
    pub is_main: bool,
    /// Hosts from which the page takes its scripts, the first choice in front.
    pub script_hosts: Vec<HostName>,
    /// Whether the page reports that its script or its surroundings failed.
    pub script_report: bool,
    /// Whether the page says that scripts or cookies are switched off.
    pub client_setting: bool,
    /// A phone sign-in: 0 pending, 1 denied, 2 approved.
    pub authorization_state: Option<u64>,
    /// The external MFA provider that a page hands the user to.
    pub external_host: Option<HostName>,
    /// The error that an external MFA provider sent back.
    pub provider_error: Option<String>,
    /// Seconds that the computer's clock was ahead of the service's.
    pub ahead: Option<i64>,
    /// Whether the service's page made the browser send this, as far as the request says.
    pub from_service: bool,
    /// Words for the step.
    pub detail: String,
}
