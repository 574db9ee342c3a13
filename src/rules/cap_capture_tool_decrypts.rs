//! CAP005: the capture tool itself decrypts the sign-in.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule, is_sign_in_host};
use crate::entra::{hosts, vendors};
use crate::evidence::{Connection, InputCoverage, InputId};
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};
use crate::signin::interceptor;

rule! {
    /// ## What it finds
    /// Connections to sign-in hosts were decrypted by the tool that made the capture, such as
    /// Fiddler with its own root certificate.
    ///
    /// ## Why it breaks sign-in
    /// Microsoft advises against decrypting these hosts. The tool cannot pass on a device or user
    /// certificate, and programs that pin certificates refuse it, so the capture may show a
    /// failure that does not exist without the tool.
    ///
    /// ## Evidence it needs
    /// Connections in which the tool was the client, or whose certificate was issued by the root
    /// of a capture tool.
    ///
    /// ## What looks like it
    /// Decryption by a proxy or an antivirus program, which is there without the capture too
    /// (TLS002, at hosts that ask for a certificate PRX008).
    ///
    /// ## What to do
    /// Ask whether the sign-in fails without the tool. For device sign-in take a HAR, or exclude
    /// `device.login.microsoftonline.com`, `enterpriseregistration.windows.net` and the
    /// `certauth` hosts from decryption.
    ///
    /// ## References
    /// Microsoft: plan device identity, hosts to be left out of TLS inspection; Telerik: Fiddler
    /// and HTTPS decryption.
    pub(crate) struct CapCaptureToolDecrypts {
        id: "CAP005", name: "cap-capture-tool-decrypts", family: Cap, severity: Info,
        side: None, guide: None,
        advice: "If the sign-in fails only while the tool runs, capture with a HAR of the browser or leave the certificate hosts out of decryption.",
    }
}

impl Rule for CapCaptureToolDecrypts {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut found: BTreeMap<InputId, Tool> = BTreeMap::new();
        for connection in &case.evidence.connections {
            let Some(host) = connection.server_name.as_ref() else { continue };
            if !is_sign_in_host(host.as_str()) {
                continue;
            }
            // A product that is there without the capture too has its own rule.
            let other = interceptor(connection).filter(|_| !case.spares(true));
            let tool = decrypting_tool(connection).or(other.map(|row| Some(row.name)));
            let Some(name) = tool else { continue };
            let coverage = case.evidence.coverage.of(connection.at.input);
            if coverage.is_some_and(InputCoverage::is_tunnels_only) {
                continue;
            }
            let tool = found.entry(connection.at.input).or_insert_with(|| Tool {
                name,
                certificates: false,
                refs: Refs::one(connection.at),
            });
            tool.name = tool.name.or(name);
            tool.certificates |= hosts::is_certificate_host(host.as_str());
            tool.refs.add(connection.at);
        }
        for tool in found.into_values() {
            let name = tool.name.unwrap_or("the capture tool");
            let summary = Text::default().with(Piece::Literal(name)).with(if tool.certificates {
                " decrypts the sign-in, also at hosts that ask for a certificate, and can change the result"
            } else {
                " decrypts the sign-in to record it, which can itself change the result"
            });
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::High,
                host: None,
                summary,
                advice: None,
                refs: tool.refs,
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// A capture tool that decrypts.
struct Tool {
    name: Option<&'static str>,
    certificates: bool,
    refs: Refs,
}

/// The tool that decrypted a connection, by its name where the certificate tells it.
#[expect(clippy::option_option, reason = "that a tool decrypts and its name are two questions")]
fn decrypting_tool(connection: &Connection) -> Option<Option<&'static str>> {
    let tls = connection.tls.as_ref()?;
    let issuer = tls.certificate.as_ref().and_then(|certificate| {
        vendors::issuer(&certificate.issuer).filter(|vendor| vendor.is_capture_tool())
    });
    match issuer {
        Some(vendor) => Some(Some(vendor.name)),
        None => tls.by_capture_tool.then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;

    #[test]
    fn a_tool_that_decrypts_is_named_where_the_certificate_tells_it() {
        let right = "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc, C=US";
        let mut capture = Capture::new();
        capture.connection("www.example.org", right, true);
        capture.connection("login.microsoftonline.com", right, false);
        assert_eq!(capture.rules(), NONE);
        capture.connection("login.microsoftonline.com", right, true);
        let found = capture.found("CAP005");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        capture.connection("device.login.microsoftonline.com", "CN=mitmproxy, O=mitmproxy", false);
        let found = capture.found("CAP005");
        assert_eq!((found.len(), found[0].severity), (1, "info"));
        assert!(found[0].summary.contains("also at hosts that ask for a certificate"));
        assert!(found[0].summary.starts_with("mitmproxy"), "{}", found[0].summary);
    }
}
