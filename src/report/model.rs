//! What every report is made of, and the one place where its words stand.
//!
//! The words of steps, outcomes and places are here and not in the renderers, so that a change or a
//! translation of them touches one file. It must not know the medium: no width, colour or markup.
//!
//! Invariant: each function is total; a value that a later version adds shows its published name.

use std::fmt::Write as _;

use crate::entra;
use crate::evidence::{
    DiagnosticCode, Evidence, EvidenceRef, Format, Input, Locator, Redaction, Stream, Transport,
};
use crate::finding::{Confidence, Finding, Piece, Refs, Text};
use crate::signin::{
    GuideCause, MfaState, Outcome, SCRIPT, Side, SignIn, SignInAttempt, StepKind, StepResult,
};
use crate::time::Timestamp;
use crate::verdict::{GuideAnswer, Verdict};

/// Everything that a report is written from.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The facts.
    pub evidence: &'a Evidence,
    /// The attempts.
    pub signin: &'a SignIn,
    /// What the rules found.
    pub findings: &'a [Finding],
    /// The verdict.
    pub verdict: &'a Verdict,
    /// How user names are shown.
    pub redaction: Redaction,
    /// Whether the facts themselves belong into the report.
    pub with_evidence: bool,
    /// The version of this program.
    pub tool_version: &'a str,
}

impl<'a> ReportInput<'a> {
    /// The attempt that the verdict follows.
    pub fn attempt(&self) -> Option<&'a SignInAttempt> {
        self.verdict.attempt.and_then(|id| self.signin.attempt(id))
    }

    /// An input by its number.
    pub fn input(&self, reference: EvidenceRef) -> Option<&'a Input> {
        self.evidence.inputs.iter().find(|input| input.id == reference.input)
    }

    /// Whether no input holds a capture.
    pub fn is_without_capture(&self) -> bool {
        self.evidence.inputs.iter().all(|input| !input.format.is_capture())
    }
}

/// The word that opens a report: whose matter it is, or that there is no sign-in.
pub const fn headline(side: Side, outcome: Outcome) -> &'static str {
    match side {
        Side::CannotTell if matches!(outcome, Outcome::NoSignIn) => "No sign-in",
        Side::Application => "Application",
        Side::CannotTell => "Cannot tell",
        Side::Network => "Network",
        Side::NothingWrong => "Nothing wrong",
        Side::Policy => "Policy",
        Side::Service => "Service",
        Side::User => "User",
    }
}

/// How sure the verdict is, as a sentence: "prevented", "most likely prevented", "may have prevented".
pub const fn confidence_sentence(
    side: Side,
    outcome: Outcome,
    confidence: Confidence,
) -> &'static str {
    use Confidence::{High, Low, Medium};
    if matches!(outcome, Outcome::NoSignIn) {
        return "This capture was not taken during a sign-in, or not where it would show.";
    }
    match (side, confidence) {
        (Side::Application, High) => "The application prevented the sign-in.",
        (Side::Application, Medium) => "The application most likely prevented the sign-in.",
        (Side::Application, Low) => "The application may have prevented the sign-in.",
        (Side::CannotTell, _) => "The capture does not hold the answer.",
        (Side::Network, High) => "The network prevented the sign-in.",
        (Side::Network, Medium) => "The network most likely prevented the sign-in.",
        (Side::Network, Low) => "The network may have prevented the sign-in.",
        (Side::NothingWrong, High) => "The capture shows a sign-in that went through.",
        (Side::NothingWrong, Medium) => "The sign-in most likely went through.",
        (Side::NothingWrong, Low) => "The sign-in may have gone through.",
        (Side::Policy, High) => "A policy prevented the sign-in.",
        (Side::Policy, Medium) => "A policy most likely prevented the sign-in.",
        (Side::Policy, Low) => "A policy may have prevented the sign-in.",
        (Side::Service, High) => "The sign-in service prevented the sign-in.",
        (Side::Service, Medium) => "The sign-in service most likely prevented the sign-in.",
        (Side::Service, Low) => "The sign-in service may have prevented the sign-in.",
        (Side::User, High) => "The reason is with the user or the user's MFA method.",
        (Side::User, Medium) => "The reason is most likely with the user or the MFA method.",
        (Side::User, Low) => "The reason may be with the user or the MFA method.",
    }
}

/// What became of MFA, in words.
pub fn mfa_words(state: MfaState) -> &'static str {
    match state.as_str() {
        "asked" => "asked for, not begun",
        "begun" => "asked for and begun, end not seen",
        "failed" => "asked for, not passed",
        "not_asked" => "never asked for",
        "passed" => "asked for and passed",
        "unknown" => "not visible in this capture",
        other => other,
    }
}

/// A step in words, and the rest of its detail: a request of no kind of its own that says what it was
/// for is called that.
pub fn titled(kind: StepKind, detail: &str) -> (&'static str, &str) {
    match detail.strip_prefix(SCRIPT).filter(|_| kind == StepKind::Other) {
        Some(rest) => (SCRIPT, rest.trim_start_matches(": ")),
        None => (step_words(kind), detail),
    }
}

/// A step in words.
pub fn step_words(kind: StepKind) -> &'static str {
    match kind.as_str() {
        "account_choice" => "choice of account",
        "app_return" => "return to the application",
        "authorize" => "sign-in request of the application",
        "consent" => "consent page",
        "continue" => "next page of the sign-in",
        "credential_type" => "look-up of the user's sign-in options",
        "device_certificate" => "proof of the device (certificate)",
        "device_code" => "device code",
        "discovery" => "look-up of the service's addresses",
        "error_page" => "error page",
        "external_method" => "external MFA provider",
        "federation_redirect" => "redirect to the organisation's own sign-in",
        "federation_return" => "return from the organisation's own sign-in",
        "home_realm" => "look-up of the user's organisation",
        "keep_signed_in" => "question whether to stay signed in",
        "logout" => "sign-out",
        "mfa_begin" => "start of MFA",
        "mfa_code" => "MFA code",
        "mfa_finish" => "hand-over of the MFA result",
        "mfa_page" => "MFA page",
        "mfa_poll" => "poll for the MFA result",
        "other" => "other request",
        "passkey" => "passkey",
        "password" => "password",
        "phone_sign_in" => "phone sign-in without password",
        "policy_page" => "policy page (Conditional Access)",
        "registration" => "registration of MFA methods",
        "reset_password" => "password reset",
        "resource" => "request to the resource",
        "seamless_sso" => "seamless single sign-on",
        "telemetry" => "telemetry",
        "token" => "token request",
        "user_certificate" => "user certificate",
        other => other,
    }
}

/// The protocol and manner of a sign-in in words.
pub fn flow_words(flow: &str) -> &str {
    match flow {
        "broker" => "broker of the system, with its primary refresh token",
        "client_credentials" => "application in its own name (client credentials)",
        "device_code" => "device code",
        "oauth_code" => "OAuth authorization code, interactive",
        "oauth_implicit" => "OAuth implicit, interactive",
        "oidc" => "OpenID Connect, interactive",
        "on_behalf_of" => "service in the name of its user (on behalf of)",
        "refresh" => "refresh token, without a window",
        "ropc" => "password sent by the application (ROPC)",
        "saml" => "SAML, interactive",
        "silent" => "silent request (prompt=none)",
        "ws_fed" => "WS-Federation, interactive",
        "ws_trust" => "WS-Trust, without a window",
        other => other,
    }
}

/// The result of a step in one or two words.
pub const fn result_words(result: StepResult) -> &'static str {
    match result {
        StepResult::Failed => "FAILED",
        StepResult::Interrupt => "asks more",
        StepResult::NoResponse => "NO ANSWER",
        StepResult::Ok => "ok",
        StepResult::Pending => "pending",
        StepResult::Unknown => "not shown",
    }
}

/// A cause of the troubleshooting guide by the name it has there.
pub fn guide_words(cause: GuideCause) -> &'static str {
    match cause.as_str() {
        "expired_method" => "Expired MFA method",
        "network" => "Network issues",
        "not_registered" => "User not registered for MFA",
        "outdated_device" => "Outdated mobile device",
        "security_policy" => "Security policies",
        other => other,
    }
}

/// The answer to a cause of the guide.
pub const fn answer_words(answer: GuideAnswer) -> &'static str {
    match answer {
        GuideAnswer::Contradicted => "no",
        GuideAnswer::NotVisible => "not visible",
        GuideAnswer::Supported => "YES",
    }
}

/// A format with the name people know it by.
pub const fn format_words(format: Format) -> &'static str {
    match format {
        Format::Har => "HAR",
        Format::KeyLog => "TLS key log",
        Format::Pcap => "packet capture (pcap)",
        Format::Pcapng => "packet capture (pcapng)",
        Format::Saz => "Fiddler archive",
        Format::Unrecognised => "not a capture",
    }
}

/// What the records of a format are called, one and many.
pub const fn record_words(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Har => ("entry", "entries"),
        Format::KeyLog => ("secret", "secrets"),
        Format::Pcap | Format::Pcapng => ("frame", "frames"),
        Format::Saz => ("session", "sessions"),
        Format::Unrecognised => ("record", "records"),
    }
}

/// The place of a reference for a program: a JSON pointer for a HAR, else the words of [`Locator`].
pub fn place(at: Locator) -> String {
    match at {
        Locator::HarEntry(index) => format!("/log/entries/{index}"),
        other => other.to_string(),
    }
}

/// Programs whose names tell nothing of their user.
const PROGRAMS: &[&str] = &[
    "brave",
    "chrome",
    "chromium",
    "code",
    "devenv",
    "edge",
    "excel",
    "explorer",
    "firefox",
    "iexplore",
    "java",
    "lync",
    "microsoft.aad.brokerplugin",
    "ms-teams",
    "msedge",
    "msedgewebview2",
    "node",
    "olk",
    "onedrive",
    "onenote",
    "opera",
    "outlook",
    "powerpnt",
    "powershell",
    "pwsh",
    "python",
    "python3",
    "safari",
    "svchost",
    "teams",
    "vivaldi",
    "winword",
];

/// The name of a program; under strict redaction only one that many people use.
pub fn program(name: &str, redaction: Redaction) -> String {
    let plain = name.trim_end_matches(".exe").to_ascii_lowercase();
    if redaction == Redaction::Strict && !PROGRAMS.contains(&plain.as_str()) {
        return "a program".to_owned();
    }
    crate::evidence::named(&harmless(name), redaction).into_owned()
}

/// A name out of a certificate; under strict redaction only one that a public issuer or a product has.
pub fn certificate_name(name: &str, redaction: Redaction) -> String {
    let public = entra::vendors::is_expected_issuer(name) || entra::vendors::issuer(name).is_some();
    if redaction == Redaction::Strict && !public {
        return "name withheld".to_owned();
    }
    crate::evidence::named(&harmless(name), redaction).into_owned()
}

/// Places in words, runs folded: `sessions 12, 14-18`; with the input where there are several.
///
/// At most `most` numbers or runs are named; how many more there are is said.
pub fn places(
    refs: impl IntoIterator<Item = EvidenceRef>,
    several_inputs: bool,
    most: usize,
) -> String {
    let mut groups: Vec<Group> = Vec::new();
    for reference in refs {
        let (word, first, last) = match reference.at {
            Locator::Byte(offset) => ("byte", offset, offset),
            Locator::Frames { first, last, .. } => ("frame", first.get(), last.get()),
            Locator::HarEntry(index) => ("entry", u64::from(index), u64::from(index)),
            Locator::SazSession(number) => ("session", u64::from(number), u64::from(number)),
        };
        match groups.iter_mut().find(|group| (group.input, group.word) == (reference.input.0, word))
        {
            Some(group) => group.add(first, last),
            None => {
                groups.push(Group { input: reference.input.0, word, runs: vec![(first, last)] });
            }
        }
    }
    let mut left = most;
    let mut shown = Vec::new();
    for group in &groups {
        shown.push(group.shown(several_inputs, &mut left));
    }
    shown.join("; ")
}

/// The filter by which Wireshark shows a place in a packet capture: its stream, where it has one, and
/// always its frames.
pub(super) fn display_filter(at: Locator) -> Option<String> {
    let Locator::Frames { first, last, stream } = at else { return None };
    let frames = if first == last {
        format!("frame.number == {first}")
    } else {
        format!("frame.number >= {first} && frame.number <= {last}")
    };
    Some(match stream {
        Some(Stream { transport: Transport::Tcp, number }) => {
            format!("tcp.stream == {} && {frames}", number.0)
        }
        Some(Stream { transport: Transport::Quic | Transport::Udp, number }) => {
            format!("udp.stream == {} && {frames}", number.0)
        }
        None => frames,
    })
}

struct Group {
    input: u32,
    word: &'static str,
    runs: Vec<(u64, u64)>,
}

impl Group {
    fn add(&mut self, first: u64, last: u64) {
        match self.runs.last_mut() {
            Some(run) if self.word != "byte" && first == run.1.saturating_add(1) => run.1 = last,
            _ => self.runs.push((first, last)),
        }
    }

    fn shown(&self, several_inputs: bool, left: &mut usize) -> String {
        let many = self.runs.len() > 1 || self.runs.iter().any(|(first, last)| first != last);
        let word = match (self.word, many) {
            ("entry", true) => "entries".to_owned(),
            (word, true) => format!("{word}s"),
            (word, false) => word.to_owned(),
        };
        let named: Vec<String> = self
            .runs
            .iter()
            .take(*left)
            .map(|(first, last)| match last.saturating_sub(*first) {
                0 => first.to_string(),
                1 => format!("{first}, {last}"),
                _ => format!("{first}-{last}"),
            })
            .collect();
        let more = self.runs.len().saturating_sub(named.len());
        *left = left.saturating_sub(named.len());
        let mut shown = if several_inputs {
            format!("input {} {word} {}", self.input, named.join(", "))
        } else {
            format!("{word} {}", named.join(", "))
        };
        if more > 0 {
            let _ = write!(shown, " and {more} more");
        }
        shown
    }
}

/// A blank at which no line may be broken.
pub const GLUE: char = '\u{a0}';

/// Words that are not to be torn apart.
pub fn glued(words: &str) -> String {
    words.replace(' ', &GLUE.to_string())
}

/// Places behind a text, in square brackets that are not torn from their first number.
pub fn bracket(places: &str) -> String {
    if places.is_empty() {
        return String::new();
    }
    let glued =
        if places.len() <= 30 { glued(places) } else { places.replacen(' ', &GLUE.to_string(), 1) };
    format!(" [{glued}]")
}

/// Whether a place needs the number of its input.
pub fn several(report: &ReportInput<'_>) -> bool {
    report.evidence.inputs.iter().filter(|input| input.format.is_capture()).count() > 1
}

/// The places of an optional citation.
pub fn cited(refs: Option<&Refs>, several_inputs: bool, most: usize) -> Option<String> {
    refs.map(|refs| places(refs.iter(), several_inputs, most))
}

/// A sentence for people: as the analysis words it, with times as [`clock`] shows them.
pub fn sentence(text: &Text, redaction: Redaction) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Time(at) => clock(*at),
        other => Text(vec![other.clone()]).shown(redaction),
    };
    text.0.iter().map(piece).collect()
}

/// A time for people, to the second: `2030-01-01 10:14:07 UTC`.
pub fn clock(at: Timestamp) -> String {
    let shown = at.to_string();
    let seconds = shown.split_once('.').map_or(shown.as_str(), |(seconds, _)| seconds);
    format!("{} UTC", seconds.replace('T', " "))
}

/// A number of bytes for people: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    const STEPS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in STEPS {
        let whole = bytes >> shift;
        if whole > 0 {
            let rest = bytes.saturating_sub(whole << shift);
            let tenth = rest.saturating_mul(10) >> shift;
            return format!("{whole}.{tenth} {unit}");
        }
    }
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// A number with its unit, one or many.
pub fn counted(number: u64, (one, many): (&str, &str)) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// Whether a diagnostic says that nothing of its input was read.
pub const fn is_unread(code: DiagnosticCode) -> bool {
    matches!(
        code,
        DiagnosticCode::Encrypted | DiagnosticCode::NotOpened | DiagnosticCode::ReadFailed
    )
}

/// Whether a terminal or an editor acts on a character instead of showing it.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text without what a terminal acts on; a question mark stands for each such character.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' => ' ',
            c if acts(c) => '?',
            c => c,
        })
        .collect()
}

/// Lines of at most `width`, broken at blanks; a longer word has a line of its own. How much room a piece takes
/// is for the medium to say.
pub fn wrapped(text: &str, width: usize, room: impl Fn(&str) -> usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0_usize;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let columns = room(word);
        if used > 0 && used.saturating_add(1).saturating_add(columns) > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used = used.saturating_add(1);
        }
        line.push_str(word);
        used = used.saturating_add(columns);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::InputId;

    fn session(number: u32) -> EvidenceRef {
        EvidenceRef { input: InputId(0), at: Locator::SazSession(number) }
    }

    #[test]
    fn places_fold_runs_and_say_what_is_left_out() {
        let refs = [3, 4, 5, 9, 12, 13].map(session);
        assert_eq!(places(refs, false, 9), "sessions 3-5, 9, 12, 13");
        assert_eq!(places(refs, true, 1), "input 0 sessions 3-5 and 2 more");
        assert_eq!(places([session(7)], false, 9), "session 7");
        let entry = EvidenceRef { input: InputId(1), at: Locator::HarEntry(0) };
        assert_eq!(places([session(7), entry], true, 9), "input 0 session 7; input 1 entry 0");
        assert_eq!(places([], false, 9), "");
    }

    #[test]
    fn a_har_place_is_a_json_pointer() {
        assert_eq!(place(Locator::HarEntry(12)), "/log/entries/12");
        assert_eq!(place(Locator::SazSession(12)), "session 12");
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "17179869183.9 GiB");
        let at = Timestamp::parse("2030-01-01T10:14:07.5Z").unwrap().0;
        assert_eq!(clock(at), "2030-01-01 10:14:07 UTC");
    }

    #[test]
    fn every_step_has_words() {
        for kind in StepKind::ALL {
            let words = step_words(*kind);
            assert!(*kind == StepKind::Consent || !words.contains('_'), "{kind}");
        }
    }
}
