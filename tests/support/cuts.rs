//! What a cut capture may not claim: the rules of STYLE, "Tests".

use mfatrace::analyze::Analysis;
use mfatrace::evidence::{DiagnosticCode, NoResponse};
use mfatrace::finding::{Confidence, Family, Severity};

/// Whether anything that the sign-in needs could be taken for a fault of the network.
fn has_fault(analysis: &Analysis) -> bool {
    let network = |family| {
        matches!(family, Family::Dns | Family::Tcp | Family::Prx | Family::Tls | Family::Net)
    };
    let found = analysis
        .findings
        .iter()
        .any(|finding| network(finding.meta.family) && finding.severity > Severity::Info);
    let failed =
        analysis.evidence.exchanges.iter().filter(|one| one.in_scope).any(|one| {
            match &one.response {
                Ok(response) => response.status == 0 || response.status >= 400,
                Err(reason) => !matches!(reason, NoResponse::NotCaptured),
            }
        });
    analysis.verdict.side.as_str() == "network" || found || failed
}

/// The first id of the attempt that the verdict follows.
fn attempt(analysis: &Analysis) -> Option<String> {
    let attempt = analysis.verdict.attempt.and_then(|id| analysis.signin.attempt(id))?;
    attempt.correlation_ids.first().map(ToString::to_string)
}

/// What a cut claims that the whole does not.
pub(crate) fn claims(whole: &Analysis, cut: &Analysis) -> Vec<String> {
    let (was, is) = (&whole.verdict, &cut.verdict);
    let mut claims = Vec::new();
    if is.side.as_str() == "network" && !has_fault(whole) {
        claims.push("a network fault that the whole does not hold".to_owned());
    }
    let removed = !was.evidence_against.is_empty() && is.evidence_against.is_empty();
    let same = is.side == was.side && attempt(cut) == attempt(whole);
    if same && is.confidence > was.confidence && !removed {
        let (was, is) = (was.confidence.as_str(), is.confidence.as_str());
        claims.push(format!("more sure than the whole: {was} became {is}"));
    }
    let is_cut = cut.evidence.diagnostics.iter().any(|one| one.code == DiagnosticCode::Truncated);
    if is_cut && is.confidence > Confidence::Medium {
        claims.push("sure in spite of the cut".to_owned());
    }
    claims
}
