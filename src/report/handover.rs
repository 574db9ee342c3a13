//! The block for the other team: what the network or the identity team needs to act, fit to be
//! pasted into a ticket as it is.
//!
//! Who is asked follows from the side of the verdict: the network team for the network and for a
//! policy of the browser that stops requests, the identity team for policy, user, application and
//! service, and nobody where nothing was wrong or the capture cannot tell. It must not know how the
//! block looks.
//!
//! Invariants: every value is in the capture or in a table; whatever stems from a capture is bounded
//! and cleaned; no query of a URL and no body is in it.

mod check;
mod identity;
mod list;
mod network;
mod proxy;
mod sheet;
mod wish;

use serde::Serialize;

use super::model::{ReportInput, program};
use crate::entra::Fault;
use crate::evidence::Redaction;
#[cfg(test)]
use crate::report::forms;
use crate::signin::{Client, FailureKind, Outcome, Side, client};

pub use check::Check;
pub use identity::{CodeFact, Fact, IdentityHandover, Named};
pub use list::{Allow, Exempt, List, Listed};
pub use network::{HostFacts, NetworkHandover, Seen, StandIn};

/// What is handed to another team.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "handover"))]
pub struct Handover {
    /// Who is asked.
    pub team: Team,
    /// What is wanted, in one sentence.
    pub request: String,
    /// How sure the verdict behind it is.
    #[cfg_attr(test, schemars(with = "forms::Confidence"))]
    pub confidence: &'static str,
    /// The client of the sign-in.
    pub client: ClientFacts,
    /// For the network team.
    pub network: Option<NetworkHandover>,
    /// For the identity team.
    pub identity: Option<IdentityHandover>,
}

/// A team that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "team"))]
#[serde(rename_all = "snake_case")]
pub enum Team {
    /// Who runs accounts, policies and applications in Entra ID.
    Identity,
    /// Who runs names, proxies, filters and firewalls.
    Network,
}

/// The client as far as the capture tells.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "client"))]
pub struct ClientFacts {
    /// Its system.
    #[cfg_attr(test, schemars(with = "Option<forms::System>"))]
    pub system: Option<&'static str>,
    /// Its browser, or the one that a program embeds.
    #[cfg_attr(test, schemars(with = "Option<forms::Browser>"))]
    pub browser: Option<&'static str>,
    /// The version of the browser.
    pub browser_version: Option<String>,
    /// The processes that sent the requests.
    pub programs: Vec<String>,
    /// The client library.
    pub library: Option<&'static str>,
    /// The version of the library.
    pub library_version: Option<String>,
    /// Whether the system's broker signed in.
    pub broker: bool,
    /// All of it in words; empty where nothing is known.
    #[serde(skip)]
    pub words: String,
}

impl ClientFacts {
    fn of(mut client: Client, redaction: Redaction) -> Self {
        for known in &mut client.programs {
            *known = program(known, redaction).into();
        }
        let words = words(&client);
        Self {
            system: client.system.map(crate::signin::System::as_str),
            browser: client.browser.map(crate::signin::Browser::as_str),
            browser_version: client.browser_version,
            programs: client.programs.iter().map(ToString::to_string).collect(),
            library: client.library,
            library_version: client.library_version,
            broker: client.is_broker,
            words,
        }
    }
}

/// A client in words: `Edge 142.0.0.0 on Windows, process msedge, MSAL.NetCore 4.66.2.0`.
fn words(client: &Client) -> String {
    let versioned = |name: &str, version: Option<&String>| match version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    };
    let mut parts = Vec::new();
    let browser =
        client.browser.map(|browser| versioned(browser.name(), client.browser_version.as_ref()));
    match (browser, client.system) {
        (Some(browser), Some(system)) => parts.push(format!("{browser} on {}", system.name())),
        (Some(browser), None) => parts.push(browser),
        (None, Some(system)) => parts.push(system.name().to_owned()),
        (None, None) => {}
    }
    if !client.programs.is_empty() {
        let word = if client.programs.len() == 1 { "process" } else { "processes" };
        parts.push(format!("{word} {}", client.programs.join(", ")));
    }
    if let Some(library) = client.library {
        let library = versioned(library, client.library_version.as_ref());
        parts.push(format!("client library {library}"));
    }
    if client.is_broker {
        parts.push("signed in by the broker of the system".to_owned());
    }
    parts.join(", ")
}

impl Handover {
    /// The version of the public list of hosts that the block rests on.
    pub fn list_version(&self) -> &'static str {
        self.network.as_ref().map_or("", |network| network.list.version)
    }

    /// The block for a report; none where no other team can act.
    pub fn of(report: &ReportInput<'_>) -> Option<Self> {
        let attempt = report.attempt()?;
        let client = client(report.evidence, Some(attempt));
        let (request, network, identity) = match team(report)? {
            Team::Network => {
                let network = NetworkHandover::of(report, attempt, &client);
                (wish::request(&network, attempt), Some(network), None)
            }
            Team::Identity => {
                let identity = IdentityHandover::of(report, attempt);
                (identity::request(report, attempt), None, Some(identity))
            }
        };
        Some(Self {
            team: if network.is_some() { Team::Network } else { Team::Identity },
            request,
            confidence: report.verdict.confidence.as_str(),
            client: ClientFacts::of(client, report.redaction),
            network,
            identity,
        })
    }
}

fn team(report: &ReportInput<'_>) -> Option<Team> {
    match report.verdict.side {
        Side::CannotTell | Side::NothingWrong => None,
        Side::Network => Some(Team::Network),
        Side::Application if is_by_browser_policy(report) => Some(Team::Network),
        Side::Application | Side::Policy | Side::Service | Side::User => Some(Team::Identity),
    }
}

/// Whether a policy of the organisation for its browsers stopped the requests.
fn is_by_browser_policy(report: &ReportInput<'_>) -> bool {
    let policy = FailureKind::Fault(Fault::BlockedByAdministrator);
    report.verdict.outcome == Outcome::PreventedByClient
        && report.attempt().and_then(|attempt| attempt.blockage.as_ref()).is_some_and(|blockage| {
            blockage
                .exchanges
                .iter()
                .filter_map(|id| report.signin.failures.get(id))
                .any(|failure| failure.kind == policy)
        })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_team_follows_the_side() {
        let team = |case: &samples::Case| Handover::of(&case.report()).map(|one| one.team);
        assert_eq!(team(&samples::network()), Some(Team::Network));
        assert_eq!(team(&samples::denied()), Some(Team::Identity));
        for case in [samples::completed(), samples::undetermined(), samples::no_sign_in()] {
            assert_eq!(team(&case), None);
        }
        assert_eq!(team(&samples::blocked_by_browser_policy()), Some(Team::Network));
    }

    #[test]
    fn a_client_reads_well() {
        let client = Client {
            system: Some(crate::signin::System::Windows),
            browser: Some(crate::signin::Browser::Edge),
            browser_version: Some("142.0".into()),
            programs: vec!["msedge".into()],
            ..Client::default()
        };
        assert_eq!(words(&client), "Edge 142.0 on Windows, process msedge");
        assert_eq!(words(&Client::default()), "");
    }
}
