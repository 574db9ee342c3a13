//! Analyses made by hand, for the tests of the reports and of the command line.
//!
//! They hold what the reports have to show, with secrets and control characters where a capture may
//! have them. They must not be taken for what the analysis says of such a capture.
//!
//! Invariant: each secret holds `hunter2`, each user is `alice.example@contoso.com`.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use super::ReportInput;
use crate::entra::Fault;
use crate::evidence::{
    Alert, Author, Body, CertificateSummary, Closed, Connection, Diagnostic, DiagnosticCode,
    Evidence, EvidenceBuilder, EvidenceRef, Exchange, ExchangeId, Format, Headers, HostName,
    Identity, Input, InputId, Likeness, Locator, NameLookup, NoResponse, Peer, Redaction, Request,
    Response, SecretKind, Stage, StreamNumber, TlsHandshake, TlsVersion, Unseen, Via,
};
use crate::finding::{Confidence, Family, Finding, Piece, Refs, RuleId, RuleMeta, Severity, Text};
use crate::signin::{
    AttemptId, Blockage, Carrier, FailureKind, FailureSide, Flow, Guid, GuideCause, MfaState,
    Outcome, Phase, Side, SignIn, SignInAttempt, Step, StepKind, StepResult, StsError, System,
};
use crate::time::{Span, Timestamp};
use crate::verdict::{CaptureKind, CauseAnswer, GuideAnswer, NextCapture, Statement, Verdict};

/// A file name that tries to act on a terminal.
pub(crate) const HOSTILE_NAME: &str = "a\u{1b}]0;owned\u{7}\u{202e}zas.exe\u{9b}31m";

const LOGIN: &str = "login.microsoftonline.com";
const SCRIPTS: &str = "aadcdn.msauth.net";
const USER: &str = "alice.example@contoso.com";
const START: &str = "2030-01-01T10:14:07Z";

static TCP003: RuleMeta = RuleMeta {
    id: RuleId("TCP003"),
    name: "connection-reset",
    family: Family::Tcp,
    severity: Severity::Error,
    side: Some(Side::Network),
    guide: Some(GuideCause::Network),
    advice: "Ask the network team which device resets connections to this host, and let it through.",
    docs: "",
    masks: &[],
    doubts: &[],
};
static MFA004: RuleMeta = RuleMeta {
    id: RuleId("MFA004"),
    name: "challenge-denied",
    family: Family::Mfa,
    severity: Severity::Error,
    side: Some(Side::User),
    guide: None,
    advice: "Ask the user whether the prompt was expected; if not, treat it as an attack.",
    docs: "",
    masks: &[],
    doubts: &[],
};
static STS005: RuleMeta = RuleMeta {
    id: RuleId("STS005"),
    name: "expected-interrupt",
    family: Family::Sts,
    severity: Severity::Info,
    side: None,
    guide: None,
    advice: "",
    docs: "",
    masks: &[],
    doubts: &[],
};
static CAP001: RuleMeta = RuleMeta {
    id: RuleId("CAP001"),
    name: "bodies-not-saved",
    family: Family::Cap,
    severity: Severity::Warning,
    side: None,
    guide: None,
    advice: "Save the HAR with content.",
    docs: "",
    masks: &[],
    doubts: &[],
};

/// An analysis.
pub(crate) struct Case {
    pub(crate) evidence: Evidence,
    pub(crate) signin: SignIn,
    pub(crate) findings: Vec<Finding>,
    pub(crate) verdict: Verdict,
}

impl Case {
    pub(crate) fn report(&self) -> ReportInput<'_> {
        ReportInput {
            evidence: &self.evidence,
            signin: &self.signin,
            findings: &self.findings,
            verdict: &self.verdict,
            redaction: Redaction::Secrets,
            with_evidence: false,
            tool_version: "0.1.0",
        }
    }
}

/// Every sample.
pub(crate) fn all() -> Vec<Case> {
    vec![
        completed(),
        denied(),
        network(),
        policy(),
        inspected_device(),
        blocked_by_browser_policy(),
        undetermined(),
        no_sign_in(),
        unrecognised(),
        hostile(),
    ]
}

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

fn time(seconds: u64) -> Timestamp {
    let start = Timestamp::parse(START).unwrap().0;
    start.plus(std::time::Duration::from_secs(seconds))
}

fn session(number: u32) -> EvidenceRef {
    EvidenceRef { input: InputId(0), at: Locator::SazSession(number) }
}

fn entry(index: u32) -> EvidenceRef {
    EvidenceRef { input: InputId(0), at: Locator::HarEntry(index) }
}

fn guid(last: u8) -> Guid {
    Guid::parse(&format!("aaaaaaaa-bbbb-4ccc-8ddd-0000000000{last:02x}")).unwrap()
}

fn step(kind: StepKind, at: u64, result: StepResult, detail: &str, place: EvidenceRef) -> Step {
    Step {
        kind,
        at: Some(time(at)),
        result,
        is_answered: result != StepResult::NoResponse,
        detail: detail.into(),
        host: host(LOGIN),
        count: 1,
        refs: vec![place],
    }
}

fn polls(mut one: Step, count: u32) -> Step {
    let EvidenceRef { input, at } = one.refs[0];
    one.count = count;
    one.refs = (0..count)
        .map(|index| match at {
            Locator::SazSession(number) => Locator::SazSession(number + index),
            Locator::HarEntry(number) => Locator::HarEntry(number + index),
            other => other,
        })
        .map(|at| EvidenceRef { input, at })
        .collect();
    one
}

fn code(code: u32, equivalent: bool, at: u64, reference: EvidenceRef) -> StsError {
    StsError {
        code,
        equivalent,
        carrier: Carrier::Page,
        page: Some("ConvergedTFA".into()),
        step: StepKind::MfaPage,
        trace_id: Some(guid(0x21)),
        correlation_id: Some(guid(1)),
        at: Some(time(at)),
        reference,
    }
}

fn attempt(outcome: Outcome, mfa: MfaState, steps: Vec<Step>) -> SignInAttempt {
    SignInAttempt {
        id: AttemptId(1),
        flow: Flow::Oidc,
        user: Some(Identity::new(USER, 1)),
        tenant: Some("contoso.com".into()),
        application: Some(guid(0x31)),
        resource: None,
        correlation_ids: vec![guid(1)],
        request_ids: vec![guid(0x21), guid(0x22)],
        policy_ids: Vec::new(),
        first: steps.first().and_then(|step| step.at),
        last: steps.last().and_then(|step| step.at),
        steps,
        errors: Vec::new(),
        outcome,
        side: outcome.default_side(),
        mfa,
        methods: vec!["PhoneAppNotification".into()],
        result_value: None,
        deciding_code: None,
        policy_page: None,
        expected: Vec::new(),
        meaning: None,
        next_step: None,
        supports: Vec::new(),
        blockage: None,
        decided_by: Vec::new(),
        unseen: Vec::new(),
        doubts: Vec::new(),
        is_other_program: false,
        is_look: false,
        note: None,
        return_host: None,
        client: None,
        overridden_by: None,
    }
}

fn statement(text: Text, refs: impl IntoIterator<Item = EvidenceRef>) -> Statement {
    Statement { text, refs: Refs::all(refs) }
}

fn answers(supported: Option<GuideCause>) -> [CauseAnswer; 5] {
    GuideCause::IN_GUIDE_ORDER.map(|cause| {
        let (answer, text, next) = if Some(cause) == supported {
            (
                GuideAnswer::Supported,
                "Connections to a host that the MFA page needs were reset.",
                "Have the reset explained by the network team; try another network.",
            )
        } else if cause == GuideCause::NotRegistered {
            (
                GuideAnswer::Contradicted,
                "The MFA page offered a registered method.",
                "Nothing to do.",
            )
        } else {
            (
                GuideAnswer::NotVisible,
                "The capture does not show it.",
                "Look at the record in the sign-in log.",
            )
        };
        let refs = (answer == GuideAnswer::Supported).then(|| Refs::one(session(14)));
        CauseAnswer { cause, answer, text: Text::of(text), refs, next: Text::of(next) }
    })
}

fn verdict(outcome: Outcome, summary: Text) -> Verdict {
    Verdict {
        side: outcome.default_side(),
        outcome,
        attempt: Some(AttemptId(1)),
        cause: None,
        host: None,
        hosts: Vec::new(),
        confidence: Confidence::High,
        summary,
        evidence_for: Vec::new(),
        evidence_against: Vec::new(),
        ruled_out: Vec::new(),
        guide: answers(None),
        unseen: Vec::new(),
        next_capture: None,
    }
}

fn finding(meta: &'static RuleMeta, summary: Text, refs: Refs) -> Finding {
    Finding {
        meta,
        severity: meta.severity,
        confidence: Confidence::High,
        host: None,
        summary,
        advice: None,
        refs,
        attempt: Some(0),
        decisive: false,
        masked_by: None,
    }
}

fn input(name: &str, format: Format) -> Input {
    let mut input = Input::named(name);
    input.format = format;
    input.sha256 = Some("c0ffee00".repeat(8));
    input.bytes = 1_234_567;
    if format != Format::Unrecognised {
        input.producer = Some("Fiddler 5.0".into());
        input.records = 42;
        input.utc_offset = Some(7200);
    }
    input
}

fn exchange(
    builder: &mut EvidenceBuilder,
    url: &str,
    at: (u64, EvidenceRef),
    response: Result<u16, NoResponse>,
) {
    let url = builder.url(url).unwrap();
    let mut headers = Headers::default();
    builder.header(&mut headers, "cookie", "session=hunter2", true);
    let response = response.map(|status| Response {
        status,
        headers: Headers::default(),
        body: Body::Empty,
        location: None,
        author: Author::Network,
        reason: None,
    });
    builder.add_exchange(Exchange {
        connection: None,
        lookup: None,
        request: Request {
            method: "GET".into(),
            url,
            headers,
            body: Body::Empty,
            body_length: None,
        },
        response,
        span: Some(Span::new(time(at.0), time(at.0 + 1))),
        server: None,
        via: Via::Direct,
        process: None,
        page: None,
        from_cache: false,
        rerouted: false,
        in_scope: true,
        at: at.1,
    });
}

fn evidence(input: Input, place: fn(u32) -> EvidenceRef) -> EvidenceBuilder {
    let mut builder = EvidenceBuilder::new();
    builder.add_input(input);
    builder.secret("hunter2".into(), SecretKind::Token);
    let authorize = format!("https://{LOGIN}/common/oauth2/v2.0/authorize?code=hunter2");
    exchange(&mut builder, &authorize, (0, place(3)), Ok(200));
    builder
}

/// MFA was asked for and passed, after a silent attempt that stepped aside.
pub(crate) fn completed() -> Case {
    let mut silent = attempt(Outcome::InteractionRequired, MfaState::Asked, Vec::new());
    silent.flow = Flow::Silent;
    silent.first = Some(time(0));
    silent.overridden_by = Some(AttemptId(2));
    let mut one = attempt(
        Outcome::MfaCompleted,
        MfaState::Passed,
        vec![
            step(StepKind::Authorize, 2, StepResult::Ok, "", session(3)),
            step(StepKind::Password, 9, StepResult::Interrupt, "", session(8)),
            step(StepKind::MfaPage, 9, StepResult::Interrupt, "page ConvergedTFA", session(8)),
            step(StepKind::MfaBegin, 10, StepResult::Ok, "PhoneAppNotification", session(11)),
            polls(step(StepKind::MfaPoll, 11, StepResult::Pending, "", session(12)), 4),
            step(StepKind::MfaPoll, 17, StepResult::Ok, "Success", session(16)),
            step(StepKind::MfaFinish, 17, StepResult::Ok, "", session(17)),
            Step {
                host: host("app.contoso.com"),
                ..step(StepKind::AppReturn, 18, StepResult::Ok, "", session(18))
            },
        ],
    );
    one.id = AttemptId(2);
    one.errors = vec![code(50074, true, 9, session(8))];
    let mut verdict = verdict(
        Outcome::MfaCompleted,
        Text::of("MFA was asked for at ")
            .with(time(9))
            .with(" and passed 8 seconds later; AADSTS50074 was a normal step of this sign-in."),
    );
    verdict.attempt = Some(AttemptId(2));
    verdict.evidence_for = vec![
        statement(
            Text::of("The MFA service answered ").with(Piece::Captured("Success".into())).with("."),
            [session(16)],
        ),
        statement(Text::of("The application received the sign-in."), [session(18)]),
    ];
    let text =
        Text::of("Expected: ").with(Piece::Code(50074)).with(" when the challenge is posed.");
    Case {
        evidence: evidence(input("customer.saz", Format::Saz), session).finish(),
        signin: SignIn {
            attempts: vec![silent, one],
            encrypted: Vec::new(),
            veils: Vec::new(),
            computers: Vec::new(),
            disagreements: Vec::new(),
            joined: Vec::new(),
            echoes: BTreeSet::new(),
            seen: true,
            dropped: 0,
            failures: std::collections::BTreeMap::new(),
            clocks: std::collections::BTreeMap::new(),
        },
        findings: vec![finding(&STS005, text, Refs::one(session(8)))],
        verdict,
    }
}

/// The user refused.
pub(crate) fn denied() -> Case {
    let mut one = attempt(
        Outcome::MfaDenied,
        MfaState::Failed,
        vec![
            step(StepKind::Authorize, 0, StepResult::Ok, "", session(3)),
            step(StepKind::Password, 7, StepResult::Interrupt, "", session(8)),
            step(StepKind::MfaPage, 7, StepResult::Interrupt, "page ConvergedTFA", session(8)),
            step(StepKind::MfaBegin, 9, StepResult::Ok, "PhoneAppNotification", session(11)),
            polls(step(StepKind::MfaPoll, 10, StepResult::Pending, "", session(12)), 9),
            step(StepKind::MfaPoll, 32, StepResult::Failed, "PhoneAppDenied", session(23)),
            step(StepKind::ErrorPage, 33, StepResult::Interrupt, "", session(24)),
        ],
    );
    one.errors = vec![code(50074, true, 7, session(8)), code(500_121, false, 33, session(24))];
    one.decided_by = vec![session(23)];
    one.result_value = Some("PhoneAppDenied".into());
    let mut verdict = verdict(
        Outcome::MfaDenied,
        Text::of(
            "The MFA request was refused in the Authenticator app 23 seconds after it was sent (",
        )
        .with(Piece::Captured("PhoneAppDenied".into()))
        .with(")."),
    );
    verdict.cause = Some(MFA004.id);
    verdict.evidence_for = vec![
        statement(
            Text::of("The service reported ")
                .with(Piece::Captured("PhoneAppDenied".into()))
                .with("."),
            [session(23)],
        ),
        statement(
            Text::of("All polls were answered, so the network carried the challenge."),
            (12..24).map(session),
        ),
    ];
    verdict.ruled_out = vec![statement(
        Text::of("Network: every request that MFA needs was answered."),
        [session(11), session(23)],
    )];
    verdict.unseen = vec![Text::of(
        "What happened on the phone: that traffic is in no capture of the computer.",
    )];
    let mut decisive = finding(
        &MFA004,
        Text::of("The challenge ended with ")
            .with(Piece::Captured("PhoneAppDenied".into()))
            .with("."),
        Refs::one(session(23)),
    );
    decisive.decisive = true;
    let noted = |number| {
        finding(
            &STS005,
            Text::of("Expected: ").with(Piece::Code(50058)).with(" on the first page."),
            Refs::one(session(number)),
        )
    };
    Case {
        evidence: evidence(input("customer.saz", Format::Saz), session).finish(),
        signin: SignIn {
            attempts: vec![one],
            encrypted: Vec::new(),
            veils: Vec::new(),
            computers: Vec::new(),
            disagreements: Vec::new(),
            joined: Vec::new(),
            echoes: BTreeSet::new(),
            seen: true,
            dropped: 0,
            failures: std::collections::BTreeMap::new(),
            clocks: std::collections::BTreeMap::new(),
        },
        findings: vec![decisive, noted(3), noted(4), noted(5)],
        verdict,
    }
}

fn lookup_and_connection(builder: &mut EvidenceBuilder) {
    let frames = Locator::Frames {
        first: NonZeroU64::MIN,
        last: NonZeroU64::MIN.saturating_add(4),
        stream: None,
    };
    let at = EvidenceRef { input: InputId(0), at: frames };
    let answer = crate::evidence::Answer::Addresses(vec!["192.0.2.7".parse().unwrap()]);
    builder.add_lookup(NameLookup::new(host(SCRIPTS), answer, at));
    builder.add_connection(Connection {
        stream: Some(StreamNumber(4)),
        server: Some("192.0.2.7:443".parse().unwrap()),
        server_name: Some(host(SCRIPTS)),
        closed: Closed::Reset { by: Peer::Server },
        tls: Some(Box::new(TlsHandshake {
            version: Some(TlsVersion::Tls12),
            certificate: Some(CertificateSummary {
                issuer: "CN=Contoso\u{202e} Inspection".into(),
                ..CertificateSummary::default()
            }),
            alerts: vec![Alert { from: Peer::Client, description: 48, fatal: true, at: None }],
            ..TlsHandshake::default()
        })),
        span: Some(Span::new(time(3), time(4))),
        ..Connection::new(at)
    });
}

/// The script host was reset, so no challenge could be begun.
pub(crate) fn network() -> Case {
    let mut builder = evidence(input("customer.saz", Format::Saz), session);
    lookup_and_connection(&mut builder);
    let script = format!("https://{SCRIPTS}/shared/1.0/content/js/ConvergedTFA.js?x=hunter2");
    let reset = || NoResponse::Failed { stage: Stage::Receive, code: "ConnectionReset".into() };
    for number in 14..17 {
        exchange(&mut builder, &script, (u64::from(number), session(number)), Err(reset()));
    }
    builder.add_diagnostic(Diagnostic {
        code: DiagnosticCode::SazSession,
        input: Some(InputId(0)),
        offset: Some(4711),
        lost: Some(1),
        text: "session 30 has no request; lost 1 session".into(),
    });
    let mut one = attempt(
        Outcome::MfaPreventedByNetwork,
        MfaState::Asked,
        vec![
            step(StepKind::Authorize, 0, StepResult::Ok, "", session(3)),
            step(StepKind::Password, 7, StepResult::Interrupt, "", session(8)),
            step(StepKind::MfaPage, 7, StepResult::Interrupt, "page ConvergedTFA", session(8)),
        ],
    );
    one.errors = vec![code(50074, true, 7, session(8))];
    one.blockage = Some(Blockage {
        step: StepKind::MfaBegin,
        phase: Phase::AfterChallenge,
        hosts: vec![host(SCRIPTS), host("aadcdn.msftauth.net")],
        exchanges: vec![ExchangeId(1), ExchangeId(2), ExchangeId(3)],
    });
    let mut verdict = verdict(
        Outcome::MfaPreventedByNetwork,
        Text::of("MFA was asked for, but its page could not load its script: ")
            .with(host(SCRIPTS))
            .with(" reset the connection 3 times, so no challenge was begun."),
    );
    verdict.cause = Some(TCP003.id);
    verdict.host = Some(host(SCRIPTS));
    verdict.hosts = vec![host(SCRIPTS), host("aadcdn.msftauth.net")];
    verdict.confidence = Confidence::Medium;
    verdict.guide = answers(Some(GuideCause::Network));
    verdict.evidence_for = vec![
        statement(
            Text::of("3 requests for the script of the MFA page were reset."),
            (14..17).map(session),
        ),
        statement(Text::of("No other host served the script, and no later try got through."), []),
    ];
    verdict.evidence_against =
        vec![statement(Text::of("The capture ends 40 seconds after the last try."), [session(41)])];
    verdict.ruled_out = vec![statement(
        Text::of("User: the page that asks for MFA never came to life."),
        [session(8)],
    )];
    let mut decisive = finding(
        &TCP003,
        Text::of("The connection to ")
            .with(host(SCRIPTS))
            .with(" was reset before an answer came."),
        Refs::all((14..17).map(session)).unwrap(),
    );
    decisive.decisive = true;
    decisive.host = Some(host(SCRIPTS));
    let cap = finding(
        &CAP001,
        Text::of("2 bodies of the sign-in service were not saved."),
        Refs::one(session(9)),
    );
    Case {
        evidence: builder.finish(),
        signin: SignIn {
            attempts: vec![one],
            encrypted: Vec::new(),
            veils: Vec::new(),
            computers: Vec::new(),
            disagreements: Vec::new(),
            joined: Vec::new(),
            echoes: BTreeSet::new(),
            seen: true,
            dropped: 0,
            failures: std::collections::BTreeMap::new(),
            clocks: std::collections::BTreeMap::new(),
        },
        findings: vec![decisive, cap],
        verdict,
    }
}

/// A policy refused a token request, and the answer names it.
pub(crate) fn policy() -> Case {
    let mut case = denied();
    let one = &mut case.signin.attempts[0];
    one.outcome = Outcome::BlockedByPolicy;
    one.side = Side::Policy;
    one.deciding_code = Some(53_003);
    one.result_value = None;
    one.policy_ids = vec![guid(0x41), guid(0x42)];
    one.errors.push(code(53_003, false, 34, session(24)));
    one.decided_by = vec![session(24)];
    case.verdict.side = Side::Policy;
    case.verdict.outcome = Outcome::BlockedByPolicy;
    case
}

/// The host that asks for the device certificate was decrypted on the way.
pub(crate) fn inspected_device() -> Case {
    let mut case = network();
    let device = host("device.login.microsoftonline.com");
    let mut connection = case.evidence.connections[0].clone();
    connection.server_name = Some(device.clone());
    let certificate = CertificateSummary {
        issuer: "CN=Zscaler Root CA, O=Zscaler Inc., C=US".into(),
        ..CertificateSummary::default()
    };
    connection.tls =
        Some(Box::new(TlsHandshake { certificate: Some(certificate), ..TlsHandshake::default() }));
    case.evidence.connections.push(connection);
    let one = &mut case.signin.attempts[0];
    one.outcome = Outcome::BlockedByPolicy;
    one.side = Side::Network;
    one.deciding_code = Some(50_097);
    one.blockage = Some(Blockage {
        step: StepKind::DeviceCertificate,
        phase: Phase::BeforeChallenge,
        hosts: vec![device.clone()],
        exchanges: Vec::new(),
    });
    case.verdict.outcome = Outcome::BlockedByPolicy;
    case.verdict.host = Some(device.clone());
    case.verdict.hosts = vec![device];
    case.findings.clear();
    case
}

/// The organisation's list of blocked addresses stopped the browser.
pub(crate) fn blocked_by_browser_policy() -> Case {
    let mut case = network();
    let failure = crate::signin::Failure {
        kind: FailureKind::Fault(Fault::BlockedByAdministrator),
        side: FailureSide::Client,
        vendor: None,
        certain: true,
    };
    case.signin.failures = (1..4).map(|number| (ExchangeId(number), failure)).collect();
    let one = &mut case.signin.attempts[0];
    one.outcome = Outcome::PreventedByClient;
    one.side = Side::Application;
    case.verdict.outcome = Outcome::PreventedByClient;
    case.verdict.side = Side::Application;
    case
}

/// The capture ended while the poll was under way.
pub(crate) fn undetermined() -> Case {
    let mut one = attempt(
        Outcome::Undetermined,
        MfaState::Begun,
        vec![
            step(StepKind::MfaPage, 0, StepResult::Interrupt, "page ConvergedTFA", entry(12)),
            step(StepKind::MfaBegin, 2, StepResult::Ok, "PhoneAppNotification", entry(19)),
            polls(step(StepKind::MfaPoll, 3, StepResult::Pending, "", entry(20)), 2),
        ],
    );
    one.errors = vec![code(50074, true, 0, entry(12))];
    one.unseen = vec![Unseen::CaptureStarted, Unseen::CaptureEnded];
    let mut verdict = verdict(
        Outcome::Undetermined,
        Text::of(
            "The capture ends 5 seconds after the MFA challenge was begun, before its answer.",
        ),
    );
    verdict.evidence_for =
        vec![statement(Text::of("The last poll was answered \"pending\"."), [entry(21)])];
    verdict.unseen = vec![
        Text::of(
            "How the challenge ended: it may have been answered after the capture was stopped.",
        ),
        Text::of("What happened on the phone."),
    ];
    verdict.next_capture = Some(NextCapture {
        kind: CaptureKind::Browser,
        system: System::Windows,
        is_assumed: true,
        browser: None,
        reminder: "The recording can hold passwords. Send it only the way we agreed on.",
        missing: Text::of("the time from the MFA prompt to the error, or to the open application"),
        tool: "Edge or Chrome, developer tools (F12), tab Network",
        steps: vec![
            "Open a new InPrivate window and press F12.",
            "In the tab Network switch on Preserve log.",
            "Open the application and sign in until the error shows.",
            "Wait two minutes after the MFA prompt, even if nothing seems to happen.",
            "Right-click the list and choose Save all as HAR with content.",
        ],
        start: "before the address of the application is typed",
        stop: "two minutes after the MFA prompt, or when the error shows",
    });
    Case {
        evidence: evidence(input("customer.har", Format::Har), entry).finish(),
        signin: SignIn {
            attempts: vec![one],
            encrypted: Vec::new(),
            veils: Vec::new(),
            computers: Vec::new(),
            disagreements: Vec::new(),
            joined: Vec::new(),
            echoes: BTreeSet::new(),
            seen: true,
            dropped: 0,
            failures: std::collections::BTreeMap::new(),
            clocks: std::collections::BTreeMap::new(),
        },
        findings: Vec::new(),
        verdict,
    }
}

/// A capture of something else.
pub(crate) fn no_sign_in() -> Case {
    let mut verdict = verdict(
        Outcome::NoSignIn,
        Text::of("The capture holds 42 sessions, and none of them goes to the sign-in service."),
    );
    verdict.attempt = None;
    verdict.next_capture = Some(NextCapture {
        kind: CaptureKind::Browser,
        system: System::Windows,
        is_assumed: true,
        browser: None,
        reminder: "The recording can hold passwords. Send it only the way we agreed on.",
        missing: Text::of("the sign-in itself"),
        tool: "Fiddler Classic with HTTPS decryption",
        steps: vec!["Start Fiddler.", "Sign in until the error shows.", "Save all sessions."],
        start: "before the application is opened",
        stop: "when the error shows",
    });
    Case {
        evidence: evidence(input("customer.saz", Format::Saz), session).finish(),
        signin: SignIn::default(),
        findings: Vec::new(),
        verdict,
    }
}

/// No capture at all.
pub(crate) fn unrecognised() -> Case {
    let mut case = no_sign_in();
    let mut input = input("RE: sign-in.msg", Format::Unrecognised);
    input.looks_like =
        Some("an Outlook message; save its attachment to a file and give that file.".into());
    input.likeness = Some(Likeness::Archive);
    let mut builder = EvidenceBuilder::new();
    let id = builder.add_input(input);
    builder.diagnose(DiagnosticCode::NotRecognised, Some(id), "not a capture");
    case.evidence = builder.finish();
    case
}

/// Text of the capture that tries to act on the terminal, at each place that shows some.
pub(crate) fn hostile() -> Case {
    let bad = "x\u{1b}[2J\u{9b}5m\u{202e}y\r\nz";
    let mut case = denied();
    let mut input = input(HOSTILE_NAME, Format::Saz);
    input.producer = Some(bad.into());
    let mut builder = evidence(input, session);
    lookup_and_connection(&mut builder);
    case.evidence = builder.finish();
    case.evidence.diagnostics.push(Diagnostic {
        code: DiagnosticCode::SazMetadata,
        input: Some(InputId(0)),
        offset: None,
        lost: None,
        text: bad.into(),
    });
    for step in &mut case.signin.attempts[0].steps {
        step.detail = bad.into();
    }
    case.signin.attempts[0].tenant = Some(bad.into());
    case.signin.attempts[0].resource = Some(bad.into());
    case.signin.attempts[0].result_value = Some(bad.into());
    case.signin.attempts[0].methods = vec![bad.into()];
    case.signin.attempts[0].errors[0].page = Some(bad.into());
    case.verdict.summary = Text::of("It said ").with(Piece::Captured(bad.into()));
    case.verdict.unseen.push(Text(vec![Piece::Own(bad.into())]));
    case
}
