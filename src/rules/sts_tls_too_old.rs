//! STS005: the service refuses the client's old TLS.

use super::{Case, Meta, Rule, about_attempt, deciding_refs};
use crate::entra::Side;
use crate::finding::{Findings, Piece, Refs, Text};
use crate::signin::Carrier;

rule! {
    /// ## What it finds
    /// The service itself refused the client because it speaks TLS 1.0 or 1.1, or 3DES
    /// (AADSTS1002016).
    ///
    /// ## Why it breaks sign-in
    /// The request was read and answered with an error, so it looks like a matter of the account.
    /// No password or method changes it.
    ///
    /// ## Evidence it needs
    /// The code as the end of an attempt.
    ///
    /// ## What looks like it
    /// A handshake that finds no common version, where no answer comes at all (TLS006); the code in
    /// what a client library reports of an earlier failure.
    ///
    /// ## What to do
    /// Find the program: the code names no program, the capture does (process, user agent,
    /// `x-client-SKU`). For .NET set `SchUseStrongCrypto` and `SystemDefaultTlsVersions`; for
    /// Windows 7 and 8 install the update that enables TLS 1.2. If the client is modern, look for
    /// an old proxy that opens the connection in its place.
    ///
    /// ## References
    /// Microsoft: enable support for TLS 1.2 in your environment for Microsoft Entra TLS 1.1 and
    /// 1.0 deprecation.
    pub(crate) struct StsTlsTooOld {
        id: "STS005", name: "sts-tls-too-old", family: Sts, severity: Error,
        side: Some(Side::Policy), guide: None,
        advice: "Move the program and the system to TLS 1.2 or later with modern ciphers; the code stays as long as the old version is offered alone.",
    }
}

/// The code by which the service says so.
pub(super) const CODE: u32 = 1_002_016;

impl Rule for StsTlsTooOld {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for (index, attempt) in case.attempts() {
            let decided = attempt.deciding_code == Some(CODE);
            // What a library reports of an earlier failure is none of this attempt.
            let reported = attempt
                .errors
                .iter()
                .find(|error| error.code == CODE && error.carrier == Carrier::Telemetry)
                .map(|error| Refs::one(error.reference));
            let refs = if decided {
                deciding_refs(attempt)
            } else {
                reported.filter(|_| !case.spares(true))
            };
            let Some(refs) = refs else { continue };
            let text =
                Text::of("the service refuses a client that speaks TLS 1.0 or 1.1, or 3DES (")
                    .with(Piece::Code(CODE))
                    .with(")");
            out.push(about_attempt(self.meta(), (index, attempt), refs, text));
        }
    }
}
