//! The mail to the customer: what is missing, and how to get it to us.
//!
//! Plain text in short lines, for people who do not work with captures. It must not say what else the analysis
//! found, name anything of this program or blame anybody.
//!
//! Invariants: there is a mail exactly where the customer can send something better; no line is longer than
//! [`WIDTH`], and commands stand on lines of their own.

use super::routing::{Mail, Matter};
use super::words::{Key, Value, Words};
use super::{Attachment, Code};
use crate::evidence::{named, shown};
use crate::report::model::{GLUE, ReportInput, glued, harmless, size, wrapped};
use crate::report::sheet::{Line, Sheet};
use crate::signin::{Outcome, Side};

/// Characters of a line.
const WIDTH: usize = 78;
/// Blanks before a command, where it leaves room for them.
const CODE: usize = 6;
/// Characters of the name of a file.
const NAME: usize = 60;

/// What is to be typed for a trace of Windows.
const ETL: &str = "pktmon etl2pcap TRACE.etl --out TRACE.pcapng";
/// The same for an older trace.
const ETL_NETSH: &str = "etl2pcapng TRACE.etl TRACE.pcapng";

/// The mail, where the customer can send something better.
pub(super) fn mail(
    report: &ReportInput<'_>,
    code: Code,
    matter: Matter,
    attachment: &Attachment,
    member: Option<&str>,
    words: &Words,
) -> Option<Mail> {
    let (subject, why) = match matter {
        Matter::Judged if report.verdict.side != Side::CannotTell => return None,
        // More may be in it than was read.
        Matter::Judged if code == Code::Partial => return None,
        Matter::Judged if report.verdict.outcome == Outcome::NoSignIn => {
            (Key::SubjectRecording, Key::MailNoSignIn)
        }
        Matter::Judged => (Key::SubjectRecording, Key::MailCannotTell),
        Matter::Archive => (Key::SubjectConvert, Key::MailArchive),
        Matter::Damaged => (Key::SubjectAgain, Key::MailDamaged),
        Matter::Empty => (Key::SubjectAgain, Key::MailEmpty),
        Matter::Etl => (Key::SubjectConvert, Key::MailEtl),
        Matter::Keys => (Key::SubjectKeys, Key::MailKeys),
        Matter::NetLog => (Key::SubjectRecording, Key::MailNetLog),
        Matter::Packets => (Key::SubjectConvert, Key::MailPackets),
        Matter::Password => (Key::SubjectPassword, Key::MailPassword),
        Matter::Lost | Matter::NotOpened | Matter::NotOurs => return None,
    };
    let name = file_name(report, attachment, member);
    let bytes = attachment.bytes.or(super::subject(report.evidence).map(|input| input.bytes));
    let size = glued(&size(bytes.unwrap_or_default()));
    let mut sheet = Sheet::default();
    sheet.text(0, words.text(Key::MailHello));
    sheet.blank();
    let thanks = words.filled(Key::MailThanks, &[("name", Value::Words(&name))]).plain();
    let why = words.filled(why, &[("size", Value::Words(&size))]).plain();
    sheet.text(0, &format!("{thanks} {why}"));
    sheet.blank();
    steps(&mut sheet, report, matter, words);
    sheet.blank();
    sheet.text(0, words.text(Key::MailEnd));
    Some(Mail { subject: harmless(words.text(subject)), body: set(&sheet) })
}

/// What is to be done, and what to take care of.
fn steps(sheet: &mut Sheet, report: &ReportInput<'_>, matter: Matter, words: &Words) {
    let plain: &[(Key, &str)] = match matter {
        Matter::Archive => &[(Key::MailArchiveItself, ""), (Key::MailArchiveZip, "")],
        Matter::Damaged => &[(Key::MailCheck, ""), (Key::MailZip, "")],
        Matter::Empty => &[(Key::MailCheckEmpty, ""), (Key::MailZip, "")],
        Matter::Etl => {
            &[(Key::MailEtlConvert, ETL), (Key::MailEtlNetsh, ETL_NETSH), (Key::MailEtlSend, "")]
        }
        Matter::Keys => &[(Key::MailKeysSend, "")],
        Matter::Packets => {
            &[(Key::MailPacketsOpen, ""), (Key::MailPacketsSave, ""), (Key::MailPacketsSend, "")]
        }
        Matter::Judged
        | Matter::Lost
        | Matter::NetLog
        | Matter::NotOpened
        | Matter::NotOurs
        | Matter::Password => &[],
    };
    if plain.is_empty() {
        if let Some(next) = &report.verdict.next_capture {
            if matter != Matter::NetLog {
                sheet.missing(report, next);
            }
            sheet.wanted(next);
        }
        return;
    }
    for (number, (key, command)) in (1_usize..).zip(plain) {
        sheet.item(&format!("{number}."), words.text(*key));
        if !command.is_empty() {
            sheet.code(CODE, command);
        }
    }
    sheet.blank();
    sheet.text(0, words.text(Key::MailCareful));
}

/// The name of the file as its sender knows it.
fn file_name(report: &ReportInput<'_>, attachment: &Attachment, member: Option<&str>) -> String {
    let path = member.unwrap_or(&attachment.tree_path);
    let last = path.rsplit(['/', '\\', '!']).find(|part| !part.is_empty()).unwrap_or(path);
    let name = harmless(&named(&shown(last, NAME), report.redaction));
    // It is one word, which no line tears apart.
    glued(&name)
}

/// The text as lines.
fn set(sheet: &Sheet) -> String {
    let mut out = String::new();
    let mut put = |first: &str, indent: usize, text: &str| {
        let room = WIDTH.saturating_sub(indent);
        let lines = wrapped(&harmless(text), room, |word| word.chars().count());
        for (index, line) in lines.iter().enumerate() {
            let start = if index == 0 { first } else { "" };
            let line = format!("{start:<indent$}{line}");
            out.push_str(line.replace(GLUE, " ").trim_end());
            out.push('\n');
        }
    };
    for line in sheet.lines() {
        match line {
            Line::Blank => put("", 0, ""),
            Line::Code { text, .. } => {
                let room = WIDTH.saturating_sub(text.chars().count());
                put("", room.min(CODE), &glued(text));
            }
            Line::Fact { label, text } => put(label, 10, text),
            Line::Head(text) => put("", 0, text),
            Line::Item { mark, text } => put(&format!("{mark:>3} "), 4, text),
            Line::Note(text) => put("", 6, text),
            Line::Text { depth, text } => put("", *depth, text),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn of(case: &samples::Case, matter: Matter, name: &str) -> Option<Mail> {
        let attachment =
            Attachment { tree_path: name.into(), bytes: Some(12), ..Attachment::default() };
        mail(&case.report(), Code::Analysed, matter, &attachment, None, &Words::builtin())
    }

    #[test]
    fn a_mail_is_fit_to_be_sent() {
        for matter in Matter::ALL {
            let case = samples::undetermined();
            let Some(mail) = of(&case, matter, "tickets/17/trace of monday.har") else { continue };
            assert!(mail.body.starts_with("Hello,\n\nThank you for"), "{}", mail.body);
            assert!(mail.body.ends_with("your help.\n") && !mail.subject.is_empty());
            for line in mail.body.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
                assert!(line == line.trim_end(), "{line:?}");
            }
            assert!(mail.body.contains("trace of monday.har"), "{}", mail.body);
            assert!(mail.body.contains("\n 1. ") || matter == Matter::Password, "{}", mail.body);
            let told = mail.body.to_lowercase();
            for word in ["mfatrace", "tickets/17", "verdict", "your fault", "you failed"] {
                assert!(!told.contains(word), "{word}: {}", mail.body);
            }
        }
    }

    #[test]
    fn only_what_the_customer_can_mend_is_asked_for() {
        let case = samples::undetermined();
        for matter in Matter::ALL {
            let is_ours = matches!(matter, Matter::Lost | Matter::NotOpened | Matter::NotOurs);
            assert_eq!(of(&case, matter, "a").is_none(), is_ours, "{matter:?}");
        }
        for case in [samples::network(), samples::completed(), samples::policy()] {
            assert_eq!(of(&case, Matter::Judged, "a"), None);
        }
    }

    #[test]
    fn commands_are_whole() {
        let body = of(&samples::undetermined(), Matter::Etl, "a.etl").unwrap().body;
        assert!(
            body.contains(&format!("\n      {ETL}\n"))
                && body.contains(&format!("\n      {ETL_NETSH}\n"))
        );
    }

    #[test]
    fn a_name_acts_on_nothing() {
        let name = format!("x/{}\u{202e}\n{}", samples::HOSTILE_NAME, "y".repeat(300));
        let body = of(&samples::undetermined(), Matter::Judged, &name).unwrap().body;
        assert!(!body.contains(|c: char| c != '\n' && crate::report::model::acts(c)), "{body}");
        assert!(body.lines().all(|line| line.chars().count() <= WIDTH), "{body}");
    }
}
