//! Where an attachment goes, and the words that go with it.
//!
//! The queue, the fingerprint by which duplicates are found, the comment for the ticket and the mail to the
//! customer. The words are in `words.tsv` and nowhere else, so that they can be exchanged and translated.
//! It must not judge: the queue follows from the verdict.
//!
//! Invariant: the same verdict goes to the same queue.

use serde::{Deserialize, Serialize};

use super::{Attachment, Code};
use crate::report::model::ReportInput;
use crate::signin::SignInAttempt;

/// Who should look at an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "queue"))]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Who owns the application.
    Application,
    /// Who runs accounts and policies in Entra ID.
    IdentityPolicy,
    /// Who runs names, proxies, filters and firewalls.
    Network,
    /// The customer: another capture has to be taken.
    NewCaptureNeeded,
    /// Nobody here: no capture, or nothing is wrong in it.
    NotOurs,
    /// The service itself.
    Service,
    /// Who helps the user with the account and its methods.
    User,
}

impl Queue {
    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::IdentityPolicy => "identity_policy",
            Self::Network => "network",
            Self::NewCaptureNeeded => "new_capture_needed",
            Self::NotOurs => "not_ours",
            Self::Service => "service",
            Self::User => "user",
        }
    }
}

/// By what duplicates are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "fingerprint"))]
pub struct Fingerprint {
    /// Hash of the four below.
    pub id: String,
    /// The rule of the cause, or the outcome where no rule names it.
    pub cause: String,
    /// The host that failed.
    pub host: Option<String>,
    /// The AADSTS code that decided.
    pub code: Option<u32>,
    /// Who issued the certificate that came instead of the one that was due.
    pub issuer: Option<String>,
}

/// A mail to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "mail"))]
pub struct Mail {
    /// Its subject.
    pub subject: String,
    /// Its text, in lines that end with a line feed.
    pub body: String,
}

/// Where an attachment goes, and what is said with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Who should look at it.
    pub queue: Queue,
    /// By what duplicates are found.
    pub fingerprint: Option<Fingerprint>,
    /// The comment for the ticket.
    pub comment: String,
    /// The mail to the customer.
    pub mail: Option<Mail>,
}

/// The wording of comments and mails.
#[derive(Clone, Debug, Default)]
pub struct Words;

/// Why a wording cannot be used.
#[derive(Debug)]
pub struct WordsError;

impl std::fmt::Display for WordsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a wording")
    }
}

impl Words {
    /// The wording in English.
    pub fn builtin() -> Self {
        Self
    }

    /// A wording out of a file.
    pub fn parse(_text: &str) -> Result<Self, WordsError> {
        Ok(Self)
    }
}

/// Where the result of an analysis goes.
pub fn route(
    _report: &ReportInput<'_>,
    _code: Code,
    _attachment: &Attachment,
    _member: Option<&str>,
    _words: &Words,
) -> Routing {
    lost(Code::Analysed, &Attachment::default(), &Words)
}

/// Where a file goes of which there is no analysis.
pub fn lost(_code: Code, _attachment: &Attachment, _words: &Words) -> Routing {
    Routing { queue: Queue::NotOurs, fingerprint: None, comment: String::new(), mail: None }
}

/// The code that decided an attempt.
pub fn deciding_code(attempt: &SignInAttempt) -> Option<u32> {
    attempt.errors.last().map(|error| error.code)
}
