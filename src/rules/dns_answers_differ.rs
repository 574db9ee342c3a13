//! DNS005: name servers disagree about a sign-in host.

use std::collections::BTreeMap;

use super::{Case, Meta, Rule, is_sign_in_host};
use crate::entra::{GuideCause, Side, vendors};
use crate::evidence::{Answer, HostName, NameLookup};
use crate::finding::{Confidence, Finding, Findings, Refs, Severity, Text};

rule! {
    /// ## What it finds
    /// For the same sign-in host one lookup gave an address, and another one the answer that there
    /// is no such name, a refusal, or the address of a filter: two name servers disagree, or one
    /// server does over time.
    ///
    /// ## Why it breaks sign-in
    /// Which answer a program gets is left to chance: systems ask several servers, and take the one
    /// that is the fastest. A sign-in then works in one try and fails in the next.
    ///
    /// ## Evidence it needs
    /// Packets of lookups for one name and one type of address with answers that contradict each
    /// other. It is information where the client got through to the host all the same.
    ///
    /// ## What looks like it
    /// An address of version 6 that is refused or missing while that of version 4 is given; a
    /// server that failed once (SERVFAIL) and answered the next time; different addresses of the
    /// same service, which a content network gives to everybody.
    ///
    /// ## What to do
    /// Ask each of the name servers of the computer for the name (`nslookup HOST SERVER`) and put
    /// the one that lies right, or take it out. With a VPN see which server gets which names
    /// (split DNS, `Get-DnsClientNrptPolicy`).
    ///
    /// ## References
    /// RFC 1035 sections 4.1.1 and 7.2; RFC 8499 (split DNS); Microsoft 365 URLs and IP address
    /// ranges.
    pub(crate) struct DnsAnswersDiffer {
        id: "DNS005", name: "dns-answers-differ", family: Dns, severity: Warning,
        side: Some(Side::Network), guide: Some(GuideCause::Network),
        advice: "Ask each name server of the computer for the host, and correct or remove the one that does not give the service's own addresses.",
    }
}

/// What the lookups of one name and type gave.
#[derive(Default)]
struct Asked<'a> {
    good: Vec<&'a NameLookup>,
    bad: Vec<&'a NameLookup>,
}

impl Rule for DnsAnswersDiffer {
    fn check(&self, case: &Case<'_>, out: &mut Findings) {
        let mut asked: BTreeMap<(&HostName, Option<u16>), Asked<'_>> = BTreeMap::new();
        let lookups = case.evidence.lookups.iter().filter(|lookup| {
            lookup.transport.is_server()
                && lookup.is_for_address()
                && is_sign_in_host(lookup.name.as_str())
        });
        for lookup in lookups {
            // A name may have addresses of one version only.
            let kind = lookup.kind.filter(|_| case.spares(true));
            let one = asked.entry((&lookup.name, kind)).or_default();
            match &lookup.answer {
                Answer::Addresses(all) if all.iter().all(|one| vendors::is_sink(*one)) => {
                    one.bad.push(lookup);
                }
                Answer::Addresses(_) => one.good.push(lookup),
                Answer::Failed(3 | 5) => one.bad.push(lookup),
                // It says nothing about the name.
                Answer::Cut | Answer::Failed(_) | Answer::Empty | Answer::None => {
                    if !case.spares(true) {
                        one.bad.push(lookup);
                    }
                }
            }
        }
        let mut told: Vec<&HostName> = Vec::new();
        for ((host, _), one) in asked {
            let (false, Some(bad)) = (one.good.is_empty(), one.bad.last()) else { continue };
            if told.contains(&host) {
                continue;
            }
            told.push(host);
            let through = case.evidence.numbered().any(|(id, exchange)| {
                exchange.host() == host && exchange.is_answered() && case.failure(id).is_none()
            });
            let mut refs = Refs::one(bad.at);
            for lookup in one.bad.iter().chain(&one.good).take(super::FINDINGS) {
                refs.add(lookup.at);
            }
            let others = !one.good.iter().any(|good| good.resolver == bad.resolver);
            let text = Text::default().with(host).with(if others {
                " has an address at one name server, and at another "
            } else {
                " has an address in one answer of the name server, and in another "
            });
            let text = text.with(match &bad.answer {
                Answer::Addresses(_) => "that of a filter",
                Answer::Failed(3) => "does not exist",
                _ => "none is given",
            });
            out.push(Finding {
                meta: self.meta(),
                severity: if case.spares(through) { Severity::Info } else { self.meta().severity },
                confidence: Confidence::High,
                host: Some(host.clone()),
                summary: text,
                advice: None,
                refs,
                attempt: None,
                decisive: false,
                masked_by: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::*;
    use crate::evidence::Answer;

    const HOST: &str = "login.microsoftonline.com";

    fn good() -> Answer {
        Answer::Addresses(vec!["20.190.128.1".parse().unwrap()])
    }

    #[test]
    fn two_servers_that_disagree() {
        let mut capture = Capture::new();
        capture.lookup(HOST, "10.0.0.53", Answer::Failed(3));
        capture.lookup(HOST, "10.0.1.53", good());
        let found = capture.found("DNS005");
        assert_eq!((found.len(), found[0].severity), (1, "warning"));
        assert!(found[0].summary.ends_with("at another does not exist"), "{}", found[0].summary);
        capture.wired(HOST, |_| {});
        assert_eq!(capture.found("DNS005")[0].severity, "info");
    }

    #[test]
    fn a_server_that_failed_once() {
        let mut capture = Capture::new();
        capture.lookup(HOST, "10.0.0.53", Answer::Failed(2));
        capture.lookup(HOST, "10.0.0.53", good());
        assert!(capture.found("DNS005").is_empty());
    }
}
