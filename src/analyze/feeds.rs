//! Which rules a failure text feeds, found out by asking the rules.
//!
//! A capture of one request that failed with the text is analysed, and so is one of the same request
//! without an answer; the rules that speak in the first only are fed by the text. It must not know
//! any rule, so that the answer cannot drift from what the rules do.
//!
//! Invariant: the answer depends on the text alone.

use super::{Selection, conclude};
use crate::entra::FailureRow;
use crate::entra::failures::{Matching, Producer};
use crate::evidence::{
    Author, Body, EvidenceBuilder, EvidenceRef, Exchange, Format, Headers, Input, Locator,
    NoResponse, Request, Response, Stage, Via,
};
use crate::finding::RuleId;
use crate::time::{Span, Timestamp};

/// A request that every sign-in makes.
const REQUEST: &str = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";

/// The ids of the rules that speak of a request that failed with this text, in their order.
pub fn rules_fed_by(row: &FailureRow) -> Vec<RuleId> {
    let silent = speaking(Err(NoResponse::NotCaptured));
    let mut fed = speaking(failed(row));
    fed.retain(|id| !silent.contains(id));
    fed
}

fn failed(row: &FailureRow) -> Result<FiddlerAnswer, NoResponse> {
    if row.producer != Producer::Fiddler {
        return Err(NoResponse::Failed { stage: Stage::Unknown, code: row.pattern.into() });
    }
    Ok(match row.matching {
        Matching::Contains => FiddlerAnswer {
            reason: "Fiddler - Connection Failed",
            body: format!("[Fiddler] {}", row.pattern),
        },
        Matching::InHandshake => FiddlerAnswer {
            reason: "Fiddler - Connection Failed",
            body: format!("[Fiddler] HTTPS handshake to a host failed. {}", row.pattern),
        },
        Matching::Exact | Matching::Prefix => {
            FiddlerAnswer { reason: row.pattern, body: String::new() }
        }
    })
}

/// An answer that the capture tool wrote.
struct FiddlerAnswer {
    reason: &'static str,
    body: String,
}

/// The rules that say something of a capture that holds this one request.
fn speaking(answer: Result<FiddlerAnswer, NoResponse>) -> Vec<RuleId> {
    let mut builder = EvidenceBuilder::new();
    let mut input = Input::named("");
    input.format = Format::Har;
    input.records = 1;
    let id = builder.add_input(input);
    let response = answer.map(|answer| Response {
        status: 502,
        headers: Headers::default(),
        body: builder.body(answer.body.into_bytes(), false),
        location: None,
        author: Author::CaptureTool,
        reason: Response::reason(Author::CaptureTool, answer.reason),
    });
    let at = Timestamp::parse("2030-01-01T10:00:00Z").map(|(at, _)| at);
    let Some((url, at)) = builder.url(REQUEST).zip(at) else { return Vec::new() };
    builder.saw(id, at);
    builder.add_exchange(Exchange {
        connection: None,
        lookup: None,
        request: Request {
            method: "GET".into(),
            url,
            headers: Headers::default(),
            body: Body::Empty,
            body_length: None,
        },
        response,
        span: Some(Span::new(at, at)),
        server: None,
        via: Via::Unknown,
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope: true,
        at: EvidenceRef { input: id, at: Locator::HarEntry(0) },
    });
    let analysis = conclude(builder.finish(), &Selection::default());
    let mut ids: Vec<RuleId> = analysis.findings.iter().map(|finding| finding.meta.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::{Fault, failures};

    fn fed(text: &str) -> Vec<&'static str> {
        let row = failures::browser(text).or_else(|| failures::fiddler(text, "")).unwrap();
        rules_fed_by(row).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_rules_are_asked() {
        assert_eq!(fed("net::ERR_NAME_NOT_RESOLVED"), ["DNS001"]);
        assert_eq!(fed("NS_ERROR_UNKNOWN_HOST"), ["DNS001"]);
        assert_eq!(fed("Fiddler - DNS Lookup Failed"), ["DNS001"]);
        assert_eq!(fed("net::ERR_CONNECTION_RESET"), ["TCP003"]);
        assert_eq!(fed("SEC_ERROR_UNKNOWN_ISSUER"), ["TLS001"]);
        assert!(fed("net::ERR_ABORTED").is_empty());
    }

    #[test]
    fn a_fault_of_the_network_feeds_a_rule_whatever_its_words() {
        for row in failures::failures().filter(|row| row.network) {
            let rules = rules_fed_by(row);
            assert!(!rules.is_empty() || row.fault == Fault::Quic, "{}", row.pattern);
        }
    }
}
