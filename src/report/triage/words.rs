//! The wording of comments and mails, as data.
//!
//! Each text has a key and may hold places for values, `{so}`. The texts that come with the program are in
//! `words.tsv`; whoever runs it may give a table of their own, in another language or another tone. It must not
//! know what a text is used for.
//!
//! Invariants: every key has a text; a text has no place that the one with the program has not, so that each
//! place is filled; texts and values alike are escaped for the medium.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::report::markdown::escape;
use crate::report::model::harmless;

const TABLE: &str = include_str!("words.tsv");
/// Bytes of one text that a table may give.
const LONGEST: usize = 2000;

static BUILTIN: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let rows = TABLE.lines().skip(1);
    rows.filter_map(|row| row.split_once('\t'))
        .map(|(key, rest)| (key, rest.split_once('\t').map_or(rest, |(text, _)| text)))
        .collect()
});

macro_rules! keys {
    ($($name:ident = $key:literal,)+) => {
        /// The name of a text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Key { $($name,)+ }

        impl Key {
            const ALL: &[Self] = &[$(Self::$name,)+];

            const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }
        }
    };
}

keys! {
    AskArchive = "ask.archive",
    AskDamaged = "ask.damaged",
    AskEmpty = "ask.empty",
    AskEtl = "ask.etl",
    AskKeys = "ask.keys",
    AskLost = "ask.lost",
    AskNetLog = "ask.net_log",
    AskNotOpened = "ask.not_opened",
    AskNotOurs = "ask.not_ours",
    AskPackets = "ask.packets",
    AskPassword = "ask.password",
    CommentAnswer = "comment.answer",
    CommentAskCapture = "comment.ask_capture",
    CommentAskNothing = "comment.ask_nothing",
    CommentAskPart = "comment.ask_part",
    CommentAttachment = "comment.attachment",
    CommentAttachmentUnhashed = "comment.attachment_unhashed",
    CommentCause = "comment.cause",
    CommentCauseAt = "comment.cause_at",
    CommentCommand = "comment.command",
    CommentFingerprint = "comment.fingerprint",
    CommentForWhom = "comment.for_whom",
    CommentNoCause = "comment.no_cause",
    CommentPart = "comment.part",
    CommentUnknown = "comment.unknown",
    HeadArchive = "head.archive",
    HeadDamaged = "head.damaged",
    HeadEmpty = "head.empty",
    HeadEtl = "head.etl",
    HeadKeys = "head.keys",
    HeadLost = "head.lost",
    HeadNetLog = "head.net_log",
    HeadNotOpened = "head.not_opened",
    HeadNotOurs = "head.not_ours",
    HeadPackets = "head.packets",
    HeadPassword = "head.password",
    LabelAgainst = "label.against",
    LabelAttachment = "label.attachment",
    LabelCause = "label.cause",
    LabelConfidence = "label.confidence",
    LabelDuplicates = "label.duplicates",
    LabelEvidence = "label.evidence",
    LabelForWhom = "label.for_whom",
    LabelIds = "label.ids",
    LabelLooksLike = "label.looks_like",
    LabelNext = "label.next",
    LabelPart = "label.part",
    LabelReport = "label.report",
    LabelTold = "label.told",
    MailArchive = "mail.archive",
    MailArchiveItself = "mail.archive_itself",
    MailArchiveZip = "mail.archive_zip",
    MailCannotTell = "mail.cannot_tell",
    MailCareful = "mail.careful",
    MailCheck = "mail.check",
    MailCheckEmpty = "mail.check_empty",
    MailDamaged = "mail.damaged",
    MailEmpty = "mail.empty",
    MailEnd = "mail.end",
    MailEtl = "mail.etl",
    MailEtlConvert = "mail.etl_convert",
    MailEtlNetsh = "mail.etl_netsh",
    MailEtlSend = "mail.etl_send",
    MailHello = "mail.hello",
    MailKeys = "mail.keys",
    MailKeysSend = "mail.keys_send",
    MailNetLog = "mail.net_log",
    MailNoSignIn = "mail.no_sign_in",
    MailPackets = "mail.packets",
    MailPacketsOpen = "mail.packets_open",
    MailPacketsSave = "mail.packets_save",
    MailPacketsSend = "mail.packets_send",
    MailPassword = "mail.password",
    MailThanks = "mail.thanks",
    MailZip = "mail.zip",
    QueueApplication = "queue.application",
    QueueIdentityPolicy = "queue.identity_policy",
    QueueNetwork = "queue.network",
    QueueNewCaptureNeeded = "queue.new_capture_needed",
    QueueNotOurs = "queue.not_ours",
    QueueService = "queue.service",
    QueueUser = "queue.user",
    SubjectAgain = "subject.again",
    SubjectConvert = "subject.convert",
    SubjectKeys = "subject.keys",
    SubjectPassword = "subject.password",
    SubjectRecording = "subject.recording",
}

/// The wording of comments and mails.
#[derive(Clone, Debug)]
pub struct Words(BTreeMap<Key, String>);

impl Default for Words {
    fn default() -> Self {
        Self::builtin()
    }
}

/// Why a table of texts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{}{kind}", harmless(.key), if .key.is_empty() { "" } else { ": " })]
pub struct WordsError {
    /// The line, from 1; of a text that is missing the one behind the last.
    pub line: usize,
    /// The key; empty where the line has none.
    pub key: String,
    /// What is wrong.
    pub kind: WordsErrorKind,
}

/// What is wrong with a table of texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsErrorKind {
    /// It has a text a second time.
    #[error("a second text of this key")]
    Duplicate,
    /// The text is empty.
    #[error("the text is empty")]
    Empty,
    /// The first line does not name the columns.
    #[error("the first line has to name the columns: key, text and, if there is one, note")]
    Head,
    /// The text is too long.
    #[error("the text is longer than {LONGEST} bytes")]
    Long,
    /// A text is missing.
    #[error("this text is missing")]
    Missing,
    /// A text has a place that is never filled.
    #[error("nothing is known to stand for {{{}}}", harmless(.0))]
    Place(String),
    /// A line has no text.
    #[error("a key, a tab and a text are wanted")]
    Row,
    /// No text has that key.
    #[error("no text has this key")]
    Unknown,
}

impl Words {
    /// The texts that come with the program.
    pub fn builtin() -> Self {
        let text = |key: &Key| BUILTIN.get(key.as_str()).copied().unwrap_or_default();
        Self(Key::ALL.iter().map(|key| (*key, text(key).to_owned())).collect())
    }

    /// The table that comes with the program, for whoever wants to change it.
    pub const fn table() -> &'static str {
        TABLE
    }

    /// The texts of a table: lines of key, text and note, parted by tabs.
    pub fn parse(table: &str) -> Result<Self, WordsError> {
        let mut texts = BTreeMap::new();
        let table = table.strip_prefix('\u{feff}').unwrap_or(table);
        let mut last = 1_usize;
        for (line, row) in (1_usize..).zip(table.lines()) {
            last = line.saturating_add(1);
            let fields: Vec<&str> = row.split('\t').collect();
            let wrong = |key: &str, kind| WordsError { line, key: key.to_owned(), kind };
            if line == 1 {
                match fields.as_slice() {
                    ["key", "text"] | ["key", "text", "note"] => continue,
                    _ => return Err(wrong("", WordsErrorKind::Head)),
                }
            }
            if row.trim().is_empty() {
                continue;
            }
            let (name, text) = match fields.as_slice() {
                [key, text] | [key, text, _] => (*key, *text),
                [key, ..] => return Err(wrong(key, WordsErrorKind::Row)),
                [] => continue,
            };
            let key = Key::ALL.iter().find(|key| key.as_str() == name);
            let Some(key) = key else { return Err(wrong(name, WordsErrorKind::Unknown)) };
            if text.trim().is_empty() {
                return Err(wrong(name, WordsErrorKind::Empty));
            }
            if text.len() > LONGEST {
                return Err(wrong(name, WordsErrorKind::Long));
            }
            let known = BUILTIN.get(name).copied().unwrap_or_default();
            let known: Vec<&str> = places(known).collect();
            if let Some(place) = places(text).find(|place| !known.contains(place)) {
                return Err(wrong(name, WordsErrorKind::Place(place.to_owned())));
            }
            if texts.insert(*key, text.to_owned()).is_some() {
                return Err(wrong(name, WordsErrorKind::Duplicate));
            }
        }
        if last == 1 {
            return Err(WordsError { line: 1, key: String::new(), kind: WordsErrorKind::Head });
        }
        match Key::ALL.iter().find(|key| !texts.contains_key(key)) {
            Some(key) => {
                let key = key.as_str().to_owned();
                Err(WordsError { line: last, key, kind: WordsErrorKind::Missing })
            }
            None => Ok(Self(texts)),
        }
    }

    /// A text without places.
    pub(super) fn text(&self, key: Key) -> &str {
        self.0.get(&key).map_or("", String::as_str)
    }

    /// A text with its places filled; one that is not given stays empty.
    pub(super) fn filled(&self, key: Key, values: &[(&str, Value<'_>)]) -> Filled {
        let mut filled = Filled::default();
        let mut rest = self.text(key);
        while let Some((before, place, after)) = next_place(rest) {
            filled.push(Value::Words(before));
            if let Some((_, value)) = values.iter().find(|(name, _)| *name == place) {
                filled.push(*value);
            }
            rest = after;
        }
        filled.push(Value::Words(rest));
        filled
    }
}

/// What stands for a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// What is copied as it is: a name, a hash, a command.
    Code(&'a str),
    /// Words.
    Words(&'a str),
}

/// A text whose places are filled.
#[derive(Debug, Default)]
pub(super) struct Filled(Vec<(bool, String)>);

impl Filled {
    /// Words that lie side by side are one, so that they are escaped as one.
    fn push(&mut self, value: Value<'_>) {
        let (is_code, text) = match value {
            Value::Code(text) => (true, text),
            Value::Words(text) => (false, text),
        };
        match self.0.last_mut() {
            Some((false, known)) if !is_code => known.push_str(text),
            _ => self.0.push((is_code, text.to_owned())),
        }
    }

    /// It in one line of Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        for (is_code, text) in &self.0 {
            if *is_code {
                out.push_str(&escape::code(text));
                continue;
            }
            // Escaping takes the blanks at both ends.
            let blank = |is_so: bool| if is_so { " " } else { "" };
            out.push_str(blank(text.starts_with(' ') && !out.is_empty()));
            out.push_str(&escape::words(text));
            out.push_str(blank(text.ends_with(' ') && !text.trim().is_empty()));
        }
        out.trim_end().to_owned()
    }

    /// It in one line of plain text.
    pub(super) fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| harmless(text)).collect()
    }
}

/// The names of the places in a text.
fn places(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, place, after) = next_place(rest)?;
        rest = after;
        Some(place)
    })
}

/// The first place of a text, with what stands before and behind it. What is not closed runs to the end.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (place, after) = rest.split_once('}').unwrap_or((rest, ""));
    Some((before, place, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(table: &str) -> WordsError {
        Words::parse(table).unwrap_err()
    }

    #[test]
    fn the_table_is_whole_sorted_and_has_notes() {
        let keys: Vec<&str> =
            TABLE.lines().skip(1).map(|row| row.split('\t').next().unwrap()).collect();
        let want: Vec<&str> = Key::ALL.iter().map(|key| key.as_str()).collect();
        assert_eq!(keys, want);
        assert!(keys.is_sorted());
        for row in TABLE.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            assert!(
                fields.len() == 3 && fields.iter().all(|field| !field.trim().is_empty()),
                "{row}"
            );
            assert!(!fields[1].contains(['`', '<', '*']), "no mark-up: {row}");
        }
        assert_eq!(Words::parse(TABLE).unwrap().0, Words::builtin().0);
    }

    #[test]
    fn every_text_is_used() {
        let sources =
            [include_str!("comment.rs"), include_str!("mail.rs"), include_str!("routing.rs")];
        for key in Key::ALL {
            let name = format!("Key::{key:?}");
            let is_used = |text: &str| {
                text.split(&name).skip(1).any(|rest| !rest.starts_with(char::is_alphanumeric))
            };
            assert!(sources.iter().any(|text| is_used(text)), "{name}");
        }
    }

    #[test]
    fn another_table_is_taken_or_refused_with_its_line() {
        let own = TABLE.replace("\tHello,\t", "\tGuten Tag,\t").replace('\n', "\r\n");
        let words = Words::parse(&format!("\u{feff}{own}")).unwrap();
        assert_eq!(words.text(Key::MailHello), "Guten Tag,");

        let error = wrong(&TABLE.replace("mail.hello", "mail.hullo"));
        assert_eq!((error.key.as_str(), &error.kind), ("mail.hullo", &WordsErrorKind::Unknown));
        let line = TABLE.lines().position(|row| row.starts_with("mail.hello")).unwrap() + 1;
        assert_eq!(error.line, line);
        let shown = error.to_string();
        assert_eq!(shown, format!("line {line}: mail.hullo: no text has this key"));

        let kept = TABLE.lines().filter(|row| !row.starts_with("mail.hello"));
        let without = kept.collect::<Vec<_>>().join("\n");
        let error = wrong(&without);
        assert_eq!((error.key.as_str(), error.kind), ("mail.hello", WordsErrorKind::Missing));

        let error = wrong(&TABLE.replace("\tHello,\t", "\tHello {user},\t"));
        assert_eq!(error.kind, WordsErrorKind::Place("user".to_owned()));
        assert!(error.to_string().ends_with("mail.hello: nothing is known to stand for {user}"));
        let error = wrong(&TABLE.replace("\tHello,\t", "\tHello {,\t"));
        assert_eq!(error.kind, WordsErrorKind::Place(",".to_owned()));
        assert_eq!(wrong(&TABLE.replace("\tHello,\t", "\t \t")).kind, WordsErrorKind::Empty);
        assert_eq!(wrong(&format!("{TABLE}mail.hello\tx\n")).kind, WordsErrorKind::Duplicate);
        assert_eq!(wrong(&format!("{TABLE}mail.hello\n")).kind, WordsErrorKind::Row);
        assert_eq!(wrong("").kind, WordsErrorKind::Head);
        assert_eq!(wrong("mail.hello\tx\n").kind, WordsErrorKind::Head);
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(
            wrong(&TABLE.replace("\tHello,\t", &format!("\t{long}\t"))).kind,
            WordsErrorKind::Long
        );
    }

    #[test]
    fn texts_and_values_are_escaped_alike() {
        let table = TABLE.replace("\tThank you for sending us {name}.\t", "\t<b>{name}</b> *x*\t");
        let words = Words::parse(&table).unwrap();
        let filled = words.filled(Key::MailThanks, &[("name", Value::Words("<i>|[y](z)"))]);
        let shown = filled.markdown();
        assert!(!shown.contains(['<', '|']) && shown.contains("\\*x\\*"), "{shown}");
        let filled = words.filled(Key::MailThanks, &[("name", Value::Code("a`b\u{202e}"))]);
        assert_eq!(filled.markdown(), "&lt;b&gt;`a'b?`&lt;/b&gt; \\*x\\*");
        assert_eq!(filled.plain(), "<b>a`b?</b> *x*");
    }

    #[test]
    fn blanks_around_code_stay() {
        let words = Words::builtin();
        let filled = words.filled(Key::CommentCommand, &[("command", Value::Code("x y"))]);
        assert_eq!(filled.markdown(), "run `x y` on the attachment");
        // A value brings no places of its own.
        let filled = words.filled(Key::CommentCommand, &[("command", Value::Words("{command}"))]);
        assert_eq!(filled.plain(), "run {command} on the attachment");
    }
}
