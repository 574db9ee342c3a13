//! MFA009: an encrypted connection has the shape of a page that waits.

use std::time::Duration;

use super::{Case, Meta, Rule, count};
use crate::evidence::Wire;
use crate::finding::{Confidence, Finding, Findings, Piece, Refs, Text};

rule! {
    /// ## What it finds
    /// Inside an encrypted connection to the sign-in service small requests follow each other about
    /// once a second or once in five seconds, as a page sends them that waits for a second factor.
    ///
    /// ## Why it breaks sign-in
    /// It breaks nothing and accuses nobody. It hints that the page of the challenge was loaded and
    /// its script ran, so that the network let both through.
    ///
    /// ## Evidence it needs
    /// Packets of such a connection with several beats in a row. What is asked and answered is not
    /// seen, so confidence is low, and nothing is decided by it.
    ///
    /// ## What looks like it
    /// Keep-alive messages and telemetry of other services, which beat at their own pace; a page
    /// that loads itself again.
    ///
    /// ## What to do
    /// To see how the challenge went take a HAR in the browser, or give the keys of the connection
    /// (`SSLKEYLOGFILE`).
    ///
    /// ## References
    /// Observed traffic of the MFA page (polls of SAS/EndAuth); NSS key log format.
    pub(crate) struct MfaPollShape {
        id: "MFA009", name: "mfa-poll-shape", family: Mfa, severity: Info,
        side: None, guide: None,
        advice: "Take a HAR in the browser to see what became of the second factor; packets alone do not show it.",
    }
}

impl Rule for MfaPollShape {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        for connection in &case.evidence.connections {
            let Some(host) = &connection.server_name else { continue };
            let Some((beats, between)) = connection
                .wire
                .as_deref()
                .filter(|wire| !wire.is_read)
                .and_then(|wire: &Wire| wire.polls)
            else {
                continue;
            };
            // Other services beat as well.
            let service = crate::entra::hosts::is_sign_in_service(host.as_str());
            let sealed = connection.tls.is_some();
            if case.spares(!service || !sealed || !is_pace(between)) {
                continue;
            }
            let seconds = between.as_millis().saturating_add(500) / 1_000;
            let text = Text::default()
                .with(host)
                .with(" was asked again and again, about every ")
                .with(Piece::Number(u64::try_from(seconds).unwrap_or(u64::MAX)))
                .with(" s (")
                .with(count(usize::try_from(beats).unwrap_or(usize::MAX)))
                .with(" times): this has the shape of a page that waits for a second factor");
            out.push(Finding {
                meta: self.meta(),
                severity: self.meta().severity,
                confidence: Confidence::Low,
                host: Some(host.clone()),
                summary: text,
                advice: None,
                refs: Refs::one(connection.at),
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

/// Whether the page of the challenge polls at this pace: once a second, or once in five.
fn is_pace(between: Duration) -> bool {
    let between = between.as_millis();
    (700..=2_000).contains(&between) || (4_000..=6_500).contains(&between)
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use super::*;

    #[test]
    fn the_pace_of_the_page_is_told_at_low_confidence() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().polls = Some((12, Duration::from_millis(1_100)));
        });
        let found = capture.found("MFA009");
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, "info", "low"));
        assert!(found[0].summary.contains("about every 1 s (12 times)"), "{}", found[0].summary);
    }

    #[test]
    fn other_paces_and_hosts_are_silent() {
        let mut capture = Capture::new();
        capture.wired("login.microsoftonline.com", |connection| {
            connection.wire.as_mut().unwrap().polls = Some((12, Duration::from_secs(3)));
        });
        capture.wired("outlook.office.com", |connection| {
            connection.wire.as_mut().unwrap().polls = Some((12, Duration::from_secs(1)));
        });
        assert_eq!(capture.rules(), NONE);
    }
}
