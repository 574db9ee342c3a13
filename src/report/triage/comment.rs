//! The comment for the ticket, in Markdown: what was attached, the answer, why, and who does what next.
//!
//! It says in a few lines what the report says in full, in the report's own words; what is around them is in
//! `words`. It must not decide anything.
//!
//! Invariants: it has at most 20 lines; whatever stems from a capture, or from a table of words, passes
//! through the escaping of the Markdown report.

use std::fmt::Write as _;

use super::routing::{Fingerprint, Matter, Queue};
use super::words::{Filled, Key, Value, Words};
use super::{Attachment, Code};
use crate::evidence::{Redaction, named};
use crate::report::handover::Handover;
use crate::report::markdown::{cited_statement, escape};
use crate::report::model::{
    ReportInput, clock, confidence_sentence, counted, format_words, mfa_words, record_words, size,
};
use crate::report::story;
use crate::signin::Side;

/// Things to do next.
const NEXT: usize = 4;
/// Statements for the answer, and against it.
const ARGUMENTS: [usize; 2] = [2, 1];
/// Characters of a path.
const PATH: usize = 160;
/// Diagnostics that are told.
const TOLD: usize = 1;
/// Makes the whole report.
const COMMAND: &str = "mfatrace --format html -o report.html FILE";

/// What a comment is written from.
#[derive(Clone, Copy)]
pub(super) struct Comment<'a> {
    pub report: &'a ReportInput<'a>,
    pub code: Code,
    pub matter: Matter,
    pub queue: Queue,
    pub fingerprint: Option<&'a Fingerprint>,
    pub attachment: &'a Attachment,
    pub member: Option<&'a str>,
    pub words: &'a Words,
}

impl Comment<'_> {
    /// The comment.
    pub(super) fn write(self) -> String {
        let mut lines = Lines::new(self.words);
        match self.matter.head() {
            Some((head, ask)) => {
                lines.head(&self.words.filled(head, &[]));
                lines.attachment(self.attachment, self.member, &self.what(), self.report.redaction);
                self.told(&mut lines);
                lines.say(Key::LabelNext, &self.words.filled(ask, &[]));
            }
            None => self.judged(&mut lines),
        }
        lines.out
    }

    fn judged(self, lines: &mut Lines<'_>) {
        let report = self.report;
        let verdict = report.verdict;
        let (answer, summary) = story::answer(report);
        let values = [("answer", Value::Words(answer)), ("summary", Value::Words(&summary))];
        lines.head(&self.words.filled(Key::CommentAnswer, &values));
        lines.attachment(self.attachment, self.member, &self.what(), self.report.redaction);
        if self.code == Code::Partial {
            lines.say(Key::LabelPart, &self.words.filled(Key::CommentPart, &[]));
        }
        let how = confidence_sentence(verdict.side, verdict.outcome, verdict.confidence);
        lines.put(
            Key::LabelConfidence,
            &escape::words(&format!("{}. {how}", verdict.confidence.as_str())),
        );
        if verdict.side != Side::NothingWrong {
            lines.say(Key::LabelCause, &self.cause());
        }
        let [most_for, most_against] = ARGUMENTS;
        for one in verdict.evidence_for.iter().take(most_for) {
            lines.put(Key::LabelEvidence, &cited_statement(report, one));
        }
        for one in verdict.evidence_against.iter().take(most_against) {
            lines.put(Key::LabelAgainst, &cited_statement(report, one));
        }
        let wish = Handover::of(report).map(|handover| handover.wish());
        self.for_whom(lines, wish.as_deref());
        let mut steps = story::next_steps(report);
        // They tell how to take another capture.
        if self.is_cut_short() {
            steps.clear();
        }
        let steps = steps.into_iter().filter(|step| Some(&step.words) != wish.as_ref());
        for step in steps.take(NEXT) {
            lines.put(Key::LabelNext, &escape::words(&format!("{}{}", step.lead, step.words)));
        }
        self.ids(lines);
        if let Some(one) = self.fingerprint {
            let values = [("id", Value::Code(&one.id))];
            lines.say(Key::LabelDuplicates, &self.words.filled(Key::CommentFingerprint, &values));
        }
        let values = [("command", Value::Code(COMMAND))];
        lines.say(Key::LabelReport, &self.words.filled(Key::CommentCommand, &values));
    }

    /// What the attachment is.
    fn what(self) -> String {
        let report = self.report;
        let mut parts = Vec::new();
        let input = super::subject(report.evidence);
        if let Some(input) = input.filter(|input| input.format.is_capture()) {
            parts.push(format_words(input.format).to_owned());
            if let Some(producer) = &input.producer {
                parts.push(named(producer, report.redaction).into_owned());
            }
            parts.push(counted(input.records, record_words(input.format)));
        }
        parts.push(size(
            self.attachment.bytes.or(input.map(|input| input.bytes)).unwrap_or_default(),
        ));
        let times = input.and_then(|input| input.first.zip(input.last));
        parts.extend(times.map(|(first, last)| format!("{} to {}", clock(first), clock(last))));
        parts.join(", ")
    }

    /// What a file that is no capture looks like, or why it was not read.
    fn told(self, lines: &mut Lines<'_>) {
        let report = self.report;
        let looks = super::subject(report.evidence).and_then(|input| input.looks_like.as_ref());
        if let Some(looks) = looks {
            let looks = named(looks, report.redaction).replace('`', "");
            lines.put(Key::LabelLooksLike, &escape::words(&looks));
            return;
        }
        for one in report.evidence.diagnostics.iter().take(TOLD) {
            lines.put(Key::LabelTold, &escape::words(&named(&one.text, report.redaction)));
        }
    }

    fn cause(self) -> Filled {
        let verdict = self.report.verdict;
        let mut outcome = verdict.outcome.as_str().to_owned();
        if let Some(attempt) = self.report.attempt() {
            let _ = write!(outcome, " (MFA {})", mfa_words(attempt.mfa));
            if let Some(code) = super::routing::deciding_code(attempt) {
                let _ = write!(outcome, ", AADSTS{code}");
            }
        }
        let outcome = Value::Words(&outcome);
        let Some(rule) = verdict.cause else {
            return self.words.filled(Key::CommentNoCause, &[("outcome", outcome)]);
        };
        let name = self.report.findings.iter().find(|one| one.meta.id == rule);
        let name = name.map(|one| format!(" ({})", one.meta.name)).unwrap_or_default();
        let cause = format!("{rule}{name}");
        let host = verdict.host.as_ref().map(ToString::to_string).unwrap_or_default();
        let key = if host.is_empty() { Key::CommentCause } else { Key::CommentCauseAt };
        let values =
            [("cause", Value::Words(&cause)), ("host", Value::Words(&host)), ("outcome", outcome)];
        self.words.filled(key, &values)
    }

    /// Whether a limit of ours may have kept the answer away.
    fn is_cut_short(self) -> bool {
        self.code == Code::Partial && self.report.verdict.side == Side::CannotTell
    }

    /// Who should act, and what is asked of them.
    fn for_whom(self, lines: &mut Lines<'_>, wish: Option<&str>) {
        let ask = match (self.report.verdict.side, wish) {
            (Side::CannotTell, _) if self.is_cut_short() => self.words.text(Key::CommentAskPart),
            (Side::CannotTell, _) => self.words.text(Key::CommentAskCapture),
            (Side::NothingWrong, _) => self.words.text(Key::CommentAskNothing),
            (_, wish) => wish.unwrap_or_default(),
        };
        let who = self.words.text(self.queue.key());
        let values = [("who", Value::Words(who)), ("ask", Value::Words(ask))];
        lines.say(Key::LabelForWhom, &self.words.filled(Key::CommentForWhom, &values));
    }

    /// Ids by which the other side finds the sign-in.
    fn ids(self, lines: &mut Lines<'_>) {
        let Some(attempt) = self.report.attempt() else { return };
        let mut parts = Vec::new();
        parts.extend(
            attempt
                .correlation_ids
                .first()
                .map(|id| format!("correlation {}", escape::code(id.as_str()))),
        );
        parts.extend(
            attempt.request_ids.first().map(|id| format!("request {}", escape::code(id.as_str()))),
        );
        parts.extend(attempt.first.map(|at| escape::words(&clock(at))));
        parts.extend(
            attempt.user.as_ref().map(|user| escape::words(&user.shown(self.report.redaction))),
        );
        if !parts.is_empty() {
            lines.put(Key::LabelIds, &parts.join(", "));
        }
    }
}

/// The comment of a file of which nothing is known.
pub(super) fn lost(matter: Matter, attachment: &Attachment, words: &Words) -> String {
    let mut lines = Lines::new(words);
    if let Some((head, ask)) = matter.head() {
        lines.head(&words.filled(head, &[]));
        // How users are to be shown is not known here.
        let what = attachment.bytes.map(size).unwrap_or_default();
        lines.attachment(attachment, None, &what, Redaction::Strict);
        lines.say(Key::LabelNext, &words.filled(ask, &[]));
    }
    lines.out
}

/// Lines of a comment.
struct Lines<'a> {
    out: String,
    words: &'a Words,
}

impl<'a> Lines<'a> {
    const fn new(words: &'a Words) -> Self {
        Self { out: String::new(), words }
    }

    fn head(&mut self, text: &Filled) {
        self.out.push_str("### ");
        self.out.push_str(&text.markdown());
        self.out.push_str("\n\n");
    }

    fn say(&mut self, label: Key, text: &Filled) {
        self.put(label, &text.markdown());
    }

    /// A line of text that is Markdown already.
    fn put(&mut self, label: Key, text: &str) {
        let label = escape::words(self.words.text(label));
        let _ = writeln!(self.out, "- **{label}:** {}", text.trim());
    }

    fn attachment(
        &mut self,
        attachment: &Attachment,
        member: Option<&str>,
        what: &str,
        redaction: Redaction,
    ) {
        let path = match member {
            Some(member) => format!("{}!{member}", attachment.tree_path),
            None => attachment.tree_path.clone(),
        };
        let path = shortened(&named(&path, redaction));
        let what = if what.is_empty() { self.words.text(Key::CommentUnknown) } else { what };
        let hash = attachment.sha256.as_deref();
        let key = hash.map_or(Key::CommentAttachmentUnhashed, |_| Key::CommentAttachment);
        let values = [
            ("name", Value::Code(&path)),
            ("what", Value::Words(what)),
            ("hash", Value::Code(hash.unwrap_or_default())),
        ];
        let text = self.words.filled(key, &values);
        self.say(Key::LabelAttachment, &text);
    }
}

/// A path whose middle is left out where it is long: its end tells most.
fn shortened(path: &str) -> String {
    let length = path.chars().count();
    if length <= PATH {
        return path.to_owned();
    }
    let kept = PATH / 2;
    let begin: String = path.chars().take(kept).collect();
    let end: String = path.chars().skip(length.saturating_sub(kept)).collect();
    format!("{begin}\u{2026}{end}")
}

#[cfg(test)]
mod tests {
    use super::super::routing;
    use super::*;
    use crate::report::samples;

    /// Lines of a comment.
    const MOST: usize = 20;

    fn of(case: &samples::Case, code: Code) -> String {
        let attachment = Attachment {
            tree_path: "17/customer_trace.saz".into(),
            sha256: Some("ab".repeat(32)),
            bytes: Some(1_300_000),
            ..Attachment::default()
        };
        routing::route(&case.report(), code, &attachment, None, &Words::builtin()).comment
    }

    #[test]
    fn a_comment_is_short_and_says_who_does_what() {
        for case in samples::all() {
            let comment = of(&case, Code::Analysed);
            assert!(comment.lines().count() <= MOST, "{comment}");
            assert!(comment.starts_with("### ") && comment.ends_with('\n'), "{comment}");
            assert!(comment.contains("**Attachment:** `17/customer_trace.saz` ("), "{comment}");
            assert!(comment.contains("**Next:**") || comment.contains("nobody"), "{comment}");
            assert!(
                !comment.contains("hunter2") && !comment.contains("alice.example"),
                "{comment}"
            );
        }
    }

    #[test]
    fn the_comments_read_as_they_were_read() {
        insta::assert_snapshot!("network", of(&samples::network(), Code::Analysed));
        insta::assert_snapshot!("policy", of(&samples::policy(), Code::Partial));
        insta::assert_snapshot!("undetermined", of(&samples::undetermined(), Code::Analysed));
        insta::assert_snapshot!("completed", of(&samples::completed(), Code::Analysed));
        insta::assert_snapshot!("mail_of_outlook", of(&samples::unrecognised(), Code::NotACapture));
        let attachment = Attachment { tree_path: "17/loop.pcapng".into(), ..Attachment::default() };
        let lost = routing::lost(Code::WorkerLost, &attachment, &Words::builtin());
        insta::assert_snapshot!("lost", lost.comment);
    }

    #[test]
    fn nothing_of_a_capture_becomes_markup() {
        let comment = of(&samples::hostile(), Code::Analysed);
        assert!(
            !comment.contains(|c: char| c != '\n' && crate::report::model::acts(c)),
            "{comment}"
        );
        let mut attachment =
            Attachment { tree_path: "a`|<b>\n# x ![y](http://z)".into(), ..Attachment::default() };
        attachment.tree_path.push_str(&"/long".repeat(100));
        let comment = routing::lost(Code::InternalError, &attachment, &Words::builtin()).comment;
        let line = comment.lines().find(|line| line.contains("Attachment")).unwrap();
        assert!(
            line.contains("`a'\u{a6}\u{2039}b\u{203a} # x ![y]") && line.contains('\u{2026}'),
            "{line}"
        );
        assert_eq!(line.matches('`').count(), 2, "{line}");
    }
}
