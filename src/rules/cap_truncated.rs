//! CAP006: part of the capture is missing or damaged.

use super::{Case, Meta, Rule};
use crate::evidence::{EvidenceRef, InputCoverage, Locator, NoResponse};
use crate::finding::{Confidence, Finding, Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// The end of the file is missing, or records in it could not be read.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. What is missing may be just the request that decided, so nothing is
    /// concluded from what is not there.
    ///
    /// ## Evidence it needs
    /// An end that the format says must be there and is not, or a count of records that could not
    /// be read.
    ///
    /// ## What looks like it
    /// A file that ends where the recording was stopped: it is whole. Frames that were cut or
    /// dropped while they were captured (CAP013, CAP014).
    ///
    /// ## What to do
    /// Wait until the export is finished before the file is copied; send it packed, so that
    /// damage on the way shows. The cited place is where reading stopped.
    ///
    /// ## References
    /// HAR 1.2; PKWARE APPNOTE (ZIP).
    pub(crate) struct CapTruncated {
        id: "CAP006", name: "cap-truncated", family: Cap, severity: Warning,
        side: None, guide: None,
        advice: "Copy the file again from where it was made and compare the sizes; if it is the same, capture again.",
    }
}

impl Rule for CapTruncated {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for coverage in &case.evidence.coverage.inputs {
            // An answer that never came is missing from an archive without any damage.
            let partial = if case.spares(true) { 0 } else { without_answer(case, coverage) };
            let lost = coverage.records_lost.saturating_add(partial);
            let summary = match (coverage.truncated, lost) {
                (false, 0) => continue,
                (true, 0) => Text::of("the end of the capture is missing"),
                (true, lost) => Text::of("the end of the capture is missing, and ")
                    .with(lost)
                    .with(" records could not be read"),
                (false, lost) => {
                    Text::default().with(lost).with(" records of the capture could not be read")
                }
            };
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::High,
                host: None,
                summary,
                advice: None,
                refs: places(case, coverage),
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Records that hold a request and no answer.
fn without_answer(case: &Case<'_>, coverage: &InputCoverage) -> u64 {
    let alone = case.evidence.exchanges.iter().filter(|exchange| {
        exchange.at.input == coverage.input
            && matches!(
                exchange.response,
                Err(NoResponse::Cancelled | NoResponse::NotCaptured | NoResponse::Pending)
            )
    });
    u64::try_from(alone.count()).unwrap_or(u64::MAX)
}

/// Where reading met damage, or else the end of the file.
fn places(case: &Case<'_>, coverage: &InputCoverage) -> Refs {
    let place = |offset| EvidenceRef { input: coverage.input, at: Locator::Byte(offset) };
    let told = case
        .evidence
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.input == Some(coverage.input))
        .filter_map(|diagnostic| diagnostic.offset);
    let length = case
        .evidence
        .inputs
        .iter()
        .find(|input| input.id == coverage.input)
        .map_or(0, |input| input.bytes);
    Refs::all(told.map(place)).unwrap_or_else(|| Refs::one(place(length)))
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_cut_capture_cites_its_end() {
        let mut capture = Capture::new();
        capture.healthy();
        assert!(capture.found("CAP006").is_empty());
        capture.cut(2);
        let found = capture.found("CAP006");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].summary.ends_with("and 2 records could not be read"),
            "{}",
            found[0].summary
        );
    }
}
