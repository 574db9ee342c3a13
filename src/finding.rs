//! What a rule says: one thing found, with its citation.
//!
//! A finding never stands without a reference into the evidence; a finding without one does not
//! compile ([`Refs`] cannot be empty). Its words are [`Text`]: our own literals and typed values, so
//! that each report escapes each value for its medium.
//!
//! This module knows no rule and no verdict.

use std::fmt;

use crate::entra::{GuideCause, Side};
use crate::evidence::{EvidenceRef, HostName, Identity, Redaction};
use crate::time::Timestamp;

/// The stable id of a rule, for example `TLS004`: it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub &'static str);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl serde::Serialize for RuleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// The families of rules, in the order of the chain from the capture to the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Quality of the capture; never a cause.
    Cap,
    /// Names.
    Dns,
    /// Connections.
    Tcp,
    /// Proxies.
    Prx,
    /// TLS.
    Tls,
    /// What lives in the client.
    Net,
    /// What the sign-in service says.
    Sts,
    /// What became of the challenge.
    Mfa,
}

/// The effect on this sign-in, not how alarming it sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// May have hurt.
    Warning,
    /// Hurt.
    Error,
}

impl Severity {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How well a statement is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// "may have".
    Low,
    /// "most likely".
    Medium,
    /// "did".
    High,
}

impl Confidence {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Medium => "medium",
        }
    }
}

/// What a rule is, apart from its check.
#[derive(Debug)]
pub struct RuleMeta {
    /// Its id.
    pub id: RuleId,
    /// Its name: the condition in kebab case.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// The usual effect of what it finds.
    pub severity: Severity,
    /// The side that what it finds stands for, when it is the cause; `None` when it never is.
    pub side: Option<Side>,
    /// The cause of the troubleshooting guide that it supports.
    pub guide: Option<GuideCause>,
    /// What to do about it, one sentence.
    pub advice: &'static str,
    /// The documentation: Markdown with the fixed headings.
    pub docs: &'static str,
    /// Rules whose findings about the same attempt are consequences of this one.
    pub masks: &'static [RuleId],
    /// Families whose findings this one puts in doubt, as what is between the capture and the network
    /// does.
    pub doubts: &'static [Family],
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// An AADSTS code.
    Code(u32),
    /// A word of the capture that has the form of an identifier: a page id, a result value.
    Captured(String),
    /// A host.
    Host(HostName),
    /// The issuer of a certificate in no list, by the name it gives itself; that may be a person's.
    Issuer(String),
    /// Words of ours.
    Literal(&'static str),
    /// Words of ours that were put together from tables.
    Own(String),
    /// A number.
    Number(u64),
    /// A time.
    Time(Timestamp),
    /// A user.
    User(Identity),
}

/// A sentence made of literals and typed values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Piece>);

impl Text {
    /// A text of literal words.
    pub fn of(words: &'static str) -> Self {
        Self(vec![Piece::Literal(words)])
    }

    /// Adds a piece.
    #[must_use]
    pub fn with(mut self, piece: impl Into<Piece>) -> Self {
        self.0.push(piece.into());
        self
    }

    /// Adds the pieces of another text.
    #[must_use]
    pub fn with_text(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// The text with user names in the form that `redaction` allows; control bytes are gone.
    pub fn shown(&self, redaction: Redaction) -> String {
        use fmt::Write as _;
        let mut shown = String::new();
        for piece in &self.0 {
            // Writing to a string cannot fail.
            let _ = match piece {
                Piece::Captured(word) => {
                    let word = crate::evidence::shown(word, 80);
                    write!(shown, "{}", crate::evidence::named(&word, redaction))
                }
                Piece::Code(code) => write!(shown, "AADSTS{code}"),
                Piece::Host(host) => write!(shown, "{host}"),
                Piece::Issuer(_) if redaction == Redaction::Strict => {
                    write!(shown, "name withheld")
                }
                Piece::Issuer(name) => {
                    let name = crate::evidence::shown(name, 60);
                    write!(shown, "{}", crate::evidence::named(&name, redaction))
                }
                Piece::Literal(words) => write!(shown, "{words}"),
                Piece::Number(number) => write!(shown, "{number}"),
                Piece::Own(words) => write!(shown, "{words}"),
                Piece::Time(at) => write!(shown, "{at}"),
                Piece::User(user) => write!(shown, "{}", user.shown(redaction)),
            };
        }
        shown
    }
}

impl From<&'static str> for Piece {
    fn from(words: &'static str) -> Self {
        Self::Literal(words)
    }
}

impl From<HostName> for Piece {
    fn from(host: HostName) -> Self {
        Self::Host(host)
    }
}

impl From<&HostName> for Piece {
    fn from(host: &HostName) -> Self {
        Self::Host(host.clone())
    }
}

impl From<u64> for Piece {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Piece {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<&Identity> for Piece {
    fn from(user: &Identity) -> Self {
        Self::User(user.clone())
    }
}

/// References into the evidence; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refs {
    first: EvidenceRef,
    rest: Vec<EvidenceRef>,
    /// The greatest of them: what comes in order need not be looked for.
    greatest: EvidenceRef,
}

impl Refs {
    /// One reference.
    pub const fn one(first: EvidenceRef) -> Self {
        Self { first, rest: Vec::new(), greatest: first }
    }

    /// All of them in order without repeats; `None` when there is none.
    pub fn all(refs: impl IntoIterator<Item = EvidenceRef>) -> Option<Self> {
        let mut refs = refs.into_iter();
        let mut all = Self::one(refs.next()?);
        for one in refs {
            all.add(one);
        }
        Some(all)
    }

    /// Adds one that is not there yet.
    pub fn add(&mut self, one: EvidenceRef) {
        if one > self.greatest {
            self.greatest = one;
            self.rest.push(one);
        } else if !self.contains(one) {
            self.rest.push(one);
        }
    }

    /// Whether it is among them.
    pub fn contains(&self, one: EvidenceRef) -> bool {
        self.first == one || self.rest.contains(&one)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = EvidenceRef> {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    /// The first.
    pub const fn first(&self) -> EvidenceRef {
        self.first
    }
}

/// One thing found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub meta: &'static RuleMeta,
    /// The effect on this sign-in.
    pub severity: Severity,
    /// How well it is founded.
    pub confidence: Confidence,
    /// The host it is about.
    pub host: Option<HostName>,
    /// What was found.
    pub summary: Text,
    /// What to do, where the rule knows better than its usual advice.
    pub advice: Option<Text>,
    /// Where it stands.
    pub refs: Refs,
    /// The attempt it belongs to, by its index.
    pub attempt: Option<usize>,
    /// Whether it is a reason for the outcome; only the verdict says so.
    pub decisive: bool,
    /// The rule whose finding has this one as its consequence; only the verdict says so.
    pub masked_by: Option<RuleId>,
}

/// Collects findings.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// All of them in order.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        sort(&mut self.0);
        self.0
    }
}

/// Puts findings in the order of their severity, then of the families, then of the evidence.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.meta.id, finding.refs.first()));
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.meta.family));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{InputId, Locator};

    #[test]
    fn references_do_not_repeat() {
        let at = |index| EvidenceRef { input: InputId(0), at: Locator::HarEntry(index) };
        let refs = Refs::all([at(1), at(2), at(1)]).unwrap();
        assert_eq!(refs.iter().collect::<Vec<_>>(), [at(1), at(2)]);
        assert!(Refs::all([]).is_none());
    }

    #[test]
    fn a_text_hides_users_and_control_bytes() {
        let text = Text::of("user ")
            .with(&Identity::new("alice@contoso.com", 1))
            .with(" saw ")
            .with(Piece::Captured("Bad\u{1b}[31mPage".into()));
        assert_eq!(text.shown(Redaction::Secrets), "user a***e@contoso.com saw Bad[31mPage");
        assert_eq!(text.shown(Redaction::Strict), "user user-1 saw Bad[31mPage");
    }
}
