//! CAP009: the exporter took secrets out.

use super::{Case, Meta, Rule, about_capture};
use crate::finding::{Findings, Refs, Text};

rule! {
    /// ## What it finds
    /// Cookies, tokens or the header fields that carry them were taken out of the capture, by the
    /// browser's own sanitised export or by a tool for it.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing. Lost cookies and missing tokens cannot be told from those that were taken
    /// out, so nothing is concluded from their absence.
    ///
    /// ## Evidence it needs
    /// Place-holders in the place of values, or a browser's capture of several answered requests to
    /// the sign-in that holds no cookie at all.
    ///
    /// ## What looks like it
    /// A program that uses no cookies; requests to script hosts, which have none, beside others
    /// that have.
    ///
    /// ## What to do
    /// The page bodies stay in the sanitised export of Chrome and Edge, so such a capture is mostly
    /// enough. Mind that it can still hold passwords.
    ///
    /// ## References
    /// Chrome 130 release notes (HAR export without sensitive data); HAR 1.2.
    pub(crate) struct CapSanitised {
        id: "CAP009", name: "cap-sanitised", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "Where cookies or tokens matter, export once more with sensitive data and send the file by a protected way.",
    }
}

impl Rule for CapSanitised {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for coverage in &case.evidence.coverage.inputs {
            let answers = || {
                case.evidence
                    .exchanges
                    .iter()
                    .filter(|one| one.at.input == coverage.input && one.in_scope)
            };
            // Single answers without a cookie are usual; an export without any is not.
            let bare = answers().filter(|one| {
                one.response.as_ref().is_ok_and(|response| !response.headers.has("set-cookie"))
            });
            let told = if coverage.sanitised {
                answers().next()
            } else {
                bare.take(usize::from(!case.spares(true))).next()
            };
            let Some(first) = told else { continue };
            let words =
                "cookies and tokens were taken out of this capture; their absence says nothing";
            out.push(about_capture(self.meta(), Refs::one(first.at), Text::of(words)));
        }
    }
}
