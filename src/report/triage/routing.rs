//! Where an attachment goes, and the words that go with it.
//!
//! The queue, the fingerprint by which duplicates are found, the comment for the ticket and the mail to the
//! customer. The words are in `words.tsv` and nowhere else, so that they can be exchanged and translated.
//! It must not judge: the queue follows from the verdict.
//!
//! Invariant: the same verdict goes to the same queue.

use serde::{Deserialize, Serialize};

use super::comment::{self, Comment};
use super::mail;
use super::words::Key;
use super::{Attachment, Code};
use crate::entra::{self, ErrorRow, Nature};
use crate::evidence::{Evidence, Format, Likeness};
use crate::report::model::ReportInput;
use crate::signin::{Side, SignInAttempt};

pub use super::words::{Words, WordsError, WordsErrorKind};

/// Who should look at an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Nobody: it is no capture, nothing is wrong in it, or nothing is known of it (`code` says which).
    NotOurs,
    /// The service itself.
    Service,
    /// Who helps the user with the account and its methods.
    User,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 7] = [
        Self::Application,
        Self::IdentityPolicy,
        Self::Network,
        Self::NewCaptureNeeded,
        Self::NotOurs,
        Self::Service,
        Self::User,
    ];

    /// The queue as records show it.
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

    /// The queue of a side.
    const fn of(side: Side) -> Self {
        match side {
            Side::Application => Self::Application,
            Side::CannotTell => Self::NewCaptureNeeded,
            Side::Network => Self::Network,
            Side::NothingWrong => Self::NotOurs,
            Side::Policy => Self::IdentityPolicy,
            Side::Service => Self::Service,
            Side::User => Self::User,
        }
    }

    /// Who acts on it, in words.
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Application => Key::QueueApplication,
            Self::IdentityPolicy => Key::QueueIdentityPolicy,
            Self::Network => Key::QueueNetwork,
            Self::NewCaptureNeeded => Key::QueueNewCaptureNeeded,
            Self::NotOurs => Key::QueueNotOurs,
            Self::Service => Key::QueueService,
            Self::User => Key::QueueUser,
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

/// What kind of matter an attachment is: what was answered, or why nothing could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    /// It is packed in a way that is not opened.
    Archive,
    /// It cannot be read, or not to an end that tells anything.
    Damaged,
    /// It is empty.
    Empty,
    /// It is a trace of Windows.
    Etl,
    /// There is an answer.
    Judged,
    /// It holds keys and no capture.
    Keys,
    /// The analysis failed, and nothing is known of it.
    Lost,
    /// It is a browser's own log of its network.
    NetLog,
    /// It could not be opened here.
    NotOpened,
    /// It is no capture and does not hold one.
    NotOurs,
    /// It is a packet capture of another kind.
    Packets,
    /// It is protected with a password.
    Password,
}

impl Matter {
    #[cfg(test)]
    pub(super) const ALL: [Self; 12] = [
        Self::Archive,
        Self::Damaged,
        Self::Empty,
        Self::Etl,
        Self::Judged,
        Self::Keys,
        Self::Lost,
        Self::NetLog,
        Self::NotOpened,
        Self::NotOurs,
        Self::Packets,
        Self::Password,
    ];

    /// The matter of what was given to be analysed.
    fn of(code: Code, evidence: &Evidence) -> Self {
        match code {
            Code::Encrypted => return Self::Password,
            Code::InternalError | Code::WorkerLost => return Self::Lost,
            Code::NotOpened => return Self::NotOpened,
            Code::Unreadable => return Self::Damaged,
            Code::Analysed | Code::NotACapture | Code::Partial => {}
        }
        if evidence.inputs.iter().any(|input| input.format.is_capture()) {
            return Self::Judged;
        }
        if evidence.inputs.iter().any(|input| input.format == Format::KeyLog) {
            return Self::Keys;
        }
        let likenesses = evidence.inputs.iter().filter_map(|input| input.likeness);
        match likenesses.reduce(Likeness::or_nearer) {
            Some(Likeness::Archive) => Self::Archive,
            Some(Likeness::Damaged) | None => Self::Damaged,
            Some(Likeness::Empty) => Self::Empty,
            Some(Likeness::Etl) => Self::Etl,
            Some(Likeness::NetLog) => Self::NetLog,
            Some(Likeness::Other | Likeness::Picture) => Self::NotOurs,
            Some(Likeness::Packets) => Self::Packets,
        }
    }

    /// Where it goes; an answer goes where its side says.
    const fn queue(self, side: Side) -> Queue {
        match self {
            Self::Judged => Queue::of(side),
            Self::Archive
            | Self::Damaged
            | Self::Empty
            | Self::Etl
            | Self::Keys
            | Self::NetLog
            | Self::Packets
            | Self::Password => Queue::NewCaptureNeeded,
            // The customer cannot mend a fault of ours, and no team can act on what is not known.
            Self::Lost | Self::NotOpened | Self::NotOurs => Queue::NotOurs,
        }
    }

    /// The texts that say so and what is to be done; an answer speaks for itself.
    pub(super) const fn head(self) -> Option<(Key, Key)> {
        Some(match self {
            Self::Archive => (Key::HeadArchive, Key::AskArchive),
            Self::Damaged => (Key::HeadDamaged, Key::AskDamaged),
            Self::Empty => (Key::HeadEmpty, Key::AskEmpty),
            Self::Etl => (Key::HeadEtl, Key::AskEtl),
            Self::Judged => return None,
            Self::Keys => (Key::HeadKeys, Key::AskKeys),
            Self::Lost => (Key::HeadLost, Key::AskLost),
            Self::NetLog => (Key::HeadNetLog, Key::AskNetLog),
            Self::NotOpened => (Key::HeadNotOpened, Key::AskNotOpened),
            Self::NotOurs => (Key::HeadNotOurs, Key::AskNotOurs),
            Self::Packets => (Key::HeadPackets, Key::AskPackets),
            Self::Password => (Key::HeadPassword, Key::AskPassword),
        })
    }
}

/// Where the result of an analysis goes.
pub fn route(
    report: &ReportInput<'_>,
    code: Code,
    attachment: &Attachment,
    member: Option<&str>,
    words: &Words,
) -> Routing {
    let matter = Matter::of(code, report.evidence);
    let queue = matter.queue(report.verdict.side);
    let fingerprint = if matter == Matter::Judged { Fingerprint::of(report) } else { None };
    let comment = Comment {
        report,
        code,
        matter,
        queue,
        fingerprint: fingerprint.as_ref(),
        attachment,
        member,
        words,
    };
    let comment = comment.write();
    let mail = mail::mail(report, code, matter, attachment, member, words);
    Routing { queue, fingerprint, comment, mail }
}

/// Where a file goes of which there is no analysis: it was not opened, or the analysis itself failed.
pub fn lost(code: Code, attachment: &Attachment, words: &Words) -> Routing {
    let matter = if code == Code::NotOpened { Matter::NotOpened } else { Matter::Lost };
    Routing {
        queue: matter.queue(Side::CannotTell),
        fingerprint: None,
        comment: comment::lost(matter, attachment, words),
        mail: None,
    }
}

/// The code that an attempt failed with: the one that decided, else the last refusal, else the challenge that was
/// posed and not passed. An interrupt on the way is none of these, and where nothing failed there is none.
pub fn deciding_code(attempt: &SignInAttempt) -> Option<u32> {
    if matches!(attempt.side, Side::CannotTell | Side::NothingWrong) {
        return attempt.deciding_code;
    }
    let last = |is_meant: &dyn Fn(Option<&ErrorRow>) -> bool| {
        let mut codes = attempt.errors.iter().rev().map(|one| one.code);
        codes.find(|code| is_meant(entra::error(*code)))
    };
    let is_refusal = |row: Option<&ErrorRow>| row.is_none_or(|row| !row.is_step());
    let is_challenge =
        |row: Option<&ErrorRow>| row.is_some_and(|row| row.nature == Nature::Challenge);
    attempt.deciding_code.or_else(|| last(&is_refusal)).or_else(|| last(&is_challenge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{EvidenceBuilder, Input};
    use crate::report::samples;

    #[test]
    fn the_queue_follows_the_side() {
        let route = |case: &samples::Case| {
            route(&case.report(), Code::Analysed, &Attachment::default(), None, &Words::builtin())
        };
        for (case, queue) in [
            (samples::completed(), Queue::NotOurs),
            (samples::denied(), Queue::User),
            (samples::network(), Queue::Network),
            (samples::no_sign_in(), Queue::NewCaptureNeeded),
            (samples::policy(), Queue::IdentityPolicy),
            (samples::undetermined(), Queue::NewCaptureNeeded),
        ] {
            let routing = route(&case);
            assert_eq!(routing.queue, queue);
            assert_eq!(routing.mail.is_some(), queue == Queue::NewCaptureNeeded);
        }
    }

    #[test]
    fn the_code_is_that_of_the_failure() {
        let denied = samples::denied();
        let error = &denied.signin.attempts[0].errors[0];
        let code = |case: &samples::Case, codes: &[u32]| {
            let mut attempt = case.signin.attempts[0].clone();
            attempt.side = case.verdict.side;
            let with = |code: &u32| crate::signin::StsError { code: *code, ..error.clone() };
            attempt.errors = codes.iter().map(with).collect();
            deciding_code(&attempt)
        };
        assert_eq!(code(&denied, &[50_058, 50_074]), Some(50_074));
        assert_eq!(code(&denied, &[50_074, 500_121, 50_058]), Some(500_121));
        assert_eq!(code(&denied, &[50_058]), None);
        assert_eq!(
            code(&samples::policy(), &[53_003, 50_074]),
            Some(53_003),
            "the one that decided"
        );
        assert_eq!(code(&samples::completed(), &[50_058, 50_074]), None);
        assert_eq!(code(&samples::undetermined(), &[50_074]), None);
    }

    #[test]
    fn a_fault_of_ours_goes_to_nobody_and_asks_for_nothing() {
        for code in [Code::InternalError, Code::WorkerLost, Code::NotOpened] {
            let routing = lost(code, &Attachment::default(), &Words::builtin());
            assert_eq!((routing.queue, routing.mail), (Queue::NotOurs, None));
        }
    }

    #[test]
    fn nothing_is_asked_for_where_a_limit_kept_the_answer_away() {
        let route = |case: &samples::Case| {
            route(&case.report(), Code::Partial, &Attachment::default(), None, &Words::builtin())
        };
        let routing = route(&samples::undetermined());
        assert_eq!((routing.queue, routing.mail), (Queue::NewCaptureNeeded, None));
        assert!(routing.comment.contains("once more with more time"), "{}", routing.comment);
        assert!(!routing.comment.contains("one more capture"), "{}", routing.comment);
        assert_eq!(route(&samples::network()).queue, Queue::Network, "an answer stays one");
    }

    #[test]
    fn what_is_no_capture_is_told_apart_by_its_kind() {
        let of = |likenesses: &[Likeness]| {
            let mut builder = EvidenceBuilder::new();
            for one in likenesses {
                let mut input = Input::named("x");
                input.likeness = Some(*one);
                builder.add_input(input);
            }
            Matter::of(Code::NotACapture, &builder.finish())
        };
        assert_eq!(of(&[Likeness::Picture]), Matter::NotOurs);
        assert_eq!(of(&[Likeness::Picture, Likeness::Etl]), Matter::Etl);
        assert_eq!(of(&[Likeness::Empty]), Matter::Empty);
        assert_eq!(of(&[Likeness::Empty, Likeness::Archive]), Matter::Archive);
        assert_eq!(of(&[]), Matter::Damaged);
    }
}
