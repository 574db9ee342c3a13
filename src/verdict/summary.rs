//! The one sentence that answers the question.

use super::decide::Seen;
use crate::finding::{Confidence, Family, Finding, Piece, Text};
use crate::signin::{
    MfaState, Outcome, Phase, Side, SignInAttempt, StepKind, Traffic, TrafficKind, Veil,
};

/// The result value that a fraud report and a failed method.
const AMBIGUOUS: &str = "AuthenticationMethodFailed";

/// What was seen, in a few words, where no finding says it.
pub(super) const fn fact(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::CompletedWithoutMfa => "the sign-in went through",
        Outcome::MfaCompleted => "the sign-in went on past MFA",
        Outcome::Undetermined => "the last of the sign-in that the capture shows",
        _ => "what the outcome rests on",
    }
}

/// How a cause may be named at a confidence.
const fn degree(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => " was prevented",
        Confidence::Medium => " was most likely prevented",
        Confidence::Low => " may have been prevented",
    }
}

/// A statement with the code or value that decided, and what that means.
fn told(text: Text, attempt: &SignInAttempt) -> Text {
    let text = match (attempt.deciding_code, &attempt.result_value) {
        (Some(code), _) => text.with(" (").with(Piece::Code(code)).with(")"),
        (None, Some(value)) if attempt.mfa == MfaState::Failed || attempt.meaning.is_some() => {
            text.with(" (").with(Piece::Captured(value.clone())).with(")")
        }
        _ => text,
    };
    match attempt.meaning.or(attempt.note) {
        Some(meaning) => {
            text.with(": ").with(Piece::Own(meaning.trim_end_matches('.').to_owned())).with(".")
        }
        None => text.with("."),
    }
}

/// A statement with the code that decided.
fn coded(text: Text, attempt: &SignInAttempt) -> Text {
    match attempt.deciding_code {
        Some(code) => text.with(" (").with(Piece::Code(code)).with(")"),
        None => text,
    }
}

/// A statement with what was found of the network, and how sure that is.
fn because(text: Text, cause: Option<&Finding>, confidence: Confidence) -> Text {
    let Some(cause) = cause.filter(|cause| cause.meta.family < Family::Sts) else {
        return text.with(".");
    };
    let text = text.with(match confidence {
        Confidence::High => ": ",
        Confidence::Medium => ", most likely: ",
        Confidence::Low => ", maybe: ",
    });
    text.with_text(&cause.summary).with(".")
}

/// The same without the meaning, where the statement itself says it.
fn named(text: Text, attempt: &SignInAttempt) -> Text {
    match (attempt.deciding_code, &attempt.result_value) {
        (Some(code), _) => text.with(" (").with(Piece::Code(code)).with(")."),
        (None, Some(value)) => text.with(" (").with(Piece::Captured(value.clone())).with(")."),
        (None, None) => text.with("."),
    }
}

/// Whether the traffic that failed was the application's and not the sign-in service's.
fn is_at_application(attempt: &SignInAttempt) -> bool {
    attempt
        .blockage
        .as_ref()
        .is_some_and(|blockage| matches!(blockage.step, StepKind::AppReturn | StepKind::Resource))
}

fn network(attempt: &SignInAttempt, cause: Option<&Finding>, confidence: Confidence) -> Text {
    let what = match attempt.blockage.as_ref().map(|blockage| blockage.phase) {
        Some(Phase::BeforeChallenge) => "The sign-in",
        Some(Phase::AfterMfa) => match (attempt.mfa, is_at_application(attempt)) {
            (MfaState::Passed, true) => "MFA was passed, but reaching the application",
            (MfaState::Passed, false) => "MFA was passed, but the last step of the sign-in",
            (_, true) => "The user was signed in, but reaching the application",
            (_, false) => "The password was accepted, but the last step of the sign-in",
        },
        _ => "Completing MFA",
    };
    let text = Text::of(what).with(degree(confidence));
    if let Some(cause) = cause.filter(|cause| cause.meta.family < Family::Sts) {
        let text = text.with(": ").with_text(&cause.summary);
        let mut others = attempt
            .blockage
            .iter()
            .flat_map(|blockage| &blockage.hosts)
            .filter(|host| cause.host.as_ref().is_some_and(|named| named != *host));
        return match others.next() {
            Some(other) => text.with("; ").with(other).with(" did not stand in for it."),
            None => text.with("."),
        };
    }
    let Some(blockage) = &attempt.blockage else { return text.with(".") };
    let mut hosts = blockage.hosts.iter();
    let text = match hosts.next() {
        Some(host) => text.with(": requests to ").with(host),
        None => return text.with("."),
    };
    let text = match hosts.next() {
        Some(other) => text.with(" and ").with(other),
        None => text,
    };
    text.with(" failed and nothing stood in for them.")
}

/// The answer for an attempt.
pub(super) fn summary(
    attempt: &SignInAttempt,
    cause: Option<&Finding>,
    confidence: Confidence,
) -> Text {
    match attempt.outcome {
        Outcome::CompletedWithoutMfa | Outcome::MfaCompleted if attempt.side == Side::Network => {
            network(attempt, cause, confidence)
        }
        Outcome::MfaCompleted => {
            Text::of("MFA was asked for and passed; AADSTS50074 was a normal step here.")
        }
        Outcome::CompletedWithoutMfa => Text::of(without_challenge(attempt)),
        Outcome::MfaPreventedByNetwork | Outcome::SignInPreventedByNetwork => {
            network(attempt, cause, confidence)
        }
        Outcome::RegistrationRequired if attempt.side == Side::Network => because(
            Text::of(
                "The user has to register an MFA method, and the registration page could not be reached",
            ),
            cause,
            confidence,
        ),
        Outcome::RegistrationRequired => {
            told(Text::of("The user was sent to register an MFA method"), attempt)
        }
        Outcome::BlockedByPolicy if attempt.side == Side::Network => because(
            coded(
                Text::of(
                    "A policy refused the sign-in because the device's certificate did not get through",
                ),
                attempt,
            ),
            cause,
            confidence,
        ),
        Outcome::OtherError if attempt.side == Side::Network => because(
            coded(
                Text::of("The sign-in failed because a certificate did not get through"),
                attempt,
            ),
            cause,
            confidence,
        ),
        Outcome::BlockedByPolicy if attempt.mfa == MfaState::Passed => {
            told(Text::of("MFA was passed, and then a policy refused the sign-in"), attempt)
        }
        Outcome::BlockedByPolicy => told(Text::of("A policy refused the sign-in"), attempt),
        Outcome::OtherError if attempt.mfa == MfaState::Failed => {
            told(Text::of("MFA did not come to its end"), attempt)
        }
        Outcome::OtherError => {
            told(Text::of("The sign-in failed for a reason other than MFA"), attempt)
        }
        Outcome::InteractionRequired => named(
            Text::of("The application met an MFA demand on a request that cannot show a prompt"),
            attempt,
        ),
        Outcome::MfaDenied if attempt.result_value.as_deref() == Some(AMBIGUOUS) => named(
            Text::of("A fraud report by the user, or a failed method, ended the MFA request"),
            attempt,
        ),
        Outcome::MfaDenied => named(Text::of("The user refused the MFA request"), attempt),
        Outcome::MfaWrongCode => told(Text::of("The MFA code was not accepted"), attempt),
        Outcome::MfaMethodFailed => {
            told(Text::of("The user's MFA method could not be used"), attempt)
        }
        Outcome::MfaUserBlocked => named(Text::of("The user is blocked for MFA"), attempt),
        Outcome::MfaServiceFailed
            if attempt.deciding_code.is_none() && attempt.meaning.is_none() =>
        {
            let text = Text::of("The sign-in service reported a fault of its own");
            match cause {
                Some(cause) => text.with(": ").with_text(&cause.summary).with("."),
                None => text.with("."),
            }
        }
        Outcome::MfaServiceFailed => {
            told(Text::of("The sign-in service reported a fault of its own"), attempt)
        }
        Outcome::MfaNoAnswer => told(Text::of("The MFA request was not answered"), attempt),
        Outcome::MfaAbandoned if attempt.meaning.is_some() => {
            told(Text::of("The MFA challenge was not finished in time"), attempt)
        }
        Outcome::MfaAbandoned => {
            Text::of("An MFA challenge was begun and then left: ").with(left(attempt))
        }
        Outcome::MfaNotAttempted => {
            Text::of("The MFA page was shown and no challenge was begun: the user did not go on.")
        }
        Outcome::PreventedByClient => {
            let text = Text::of("The browser or the application itself stopped the sign-in");
            let found = cause.filter(|_| attempt.blockage.is_some());
            match found {
                Some(cause) => text.with(": ").with_text(&cause.summary).with("."),
                None => told(text, attempt),
            }
        }
        Outcome::Undetermined | Outcome::Unreadable | Outcome::NoSignIn => undetermined(attempt),
    }
}

/// What is said of a sign-in that went through and was not seen to be asked for MFA.
fn without_challenge(attempt: &SignInAttempt) -> &'static str {
    let by_provider = attempt.steps.iter().any(|step| step.kind == StepKind::FederationReturn);
    match (attempt.mfa, by_provider) {
        (MfaState::Unknown, true) => {
            "The sign-in was completed and the service asked for no MFA; whether the identity provider did is not known."
        }
        (MfaState::Unknown, false) => {
            "The sign-in was completed; whether MFA was asked for is not in the capture."
        }
        _ => "The sign-in was completed and MFA was never asked for.",
    }
}

/// An answer, and what else is to be said at once.
pub(super) fn beside(text: Text, finding: Option<&Finding>) -> Text {
    match finding {
        Some(finding) => text.with(" But ").with_text(&finding.summary).with("."),
        None => text,
    }
}

/// In which way a challenge was left.
fn left(attempt: &SignInAttempt) -> &'static str {
    let absent = |kind| {
        attempt
            .expected
            .iter()
            .any(|one| one.kind == kind && matches!(one.traffic, Traffic::Absent(_)))
    };
    let last = attempt.steps.iter().rev().map(|step| step.kind).find(|kind| {
        matches!(
            kind,
            StepKind::ExternalMethod | StepKind::MfaBegin | StepKind::MfaPoll | StepKind::Passkey
        )
    });
    match last {
        Some(StepKind::ExternalMethod) => "the user did not come back from the external provider.",
        Some(StepKind::Passkey) => "the passkey page did not come to an end.",
        _ if absent(TrafficKind::Code) => "no code was sent.",
        _ if absent(TrafficKind::Poll) => "the page never asked for its result.",
        _ => "the page went away before an answer came.",
    }
}

fn undetermined(attempt: &SignInAttempt) -> Text {
    use crate::evidence::Unseen;
    let asked = attempt.was_asked();
    if let Some(blockage) = &attempt.blockage {
        let text = match blockage.hosts.first() {
            Some(host) => Text::of("Requests to ").with(host).with(" failed"),
            None => Text::of("Requests failed"),
        };
        return match attempt.note {
            Some(note) => text.with(", but ").with(note).with("."),
            None => text.with(", and the capture does not say why."),
        };
    }
    match attempt.unseen.first() {
        Some(Unseen::BodiesMissing) => Text::of(
            "The answers that would show how the sign-in ended were not saved with this capture.",
        ),
        Some(Unseen::Encrypted) => {
            Text::of("What followed was said in connections that are not decrypted.")
        }
        Some(Unseen::NotShown) if attempt.mfa == MfaState::Failed => Text::of(
            "MFA was passed and then asked for again, as after lost cookies or in another tab.",
        ),
        Some(Unseen::NotShown) => Text::of("The capture goes on and shows no end of the sign-in."),
        Some(Unseen::CaptureEnded) if asked => {
            Text::of("The capture ends before the MFA challenge was over.")
        }
        Some(Unseen::CaptureEnded) => Text::of("The capture ends before the sign-in was over."),
        _ if attempt.mfa == MfaState::Failed => {
            named(Text::of("MFA failed, and the capture does not say why"), attempt)
        }
        _ => Text::of("The capture does not show how the sign-in ended."),
    }
}

fn counted(number: u64, one: &'static str, many: &'static str) -> Text {
    Text::default().with(number).with(if number == 1 { one } else { many })
}

/// The answer when there is no attempt.
pub(super) fn without_attempt(seen: Seen) -> Text {
    match seen {
        Seen::NoCapture => Text::of("No capture was found that can be read."),
        Seen::Packets { frames, requests: 0 } => {
            Text::of("None of the connections and lookups in the ")
                .with_text(&counted(frames, " frame", " frames"))
                .with(" of the capture has to do with the sign-in service.")
        }
        Seen::Packets { frames, requests } => Text::of("Neither the ")
            .with_text(&counted(requests, " request", " requests"))
            .with(" nor the ")
            .with_text(&counted(frames, " frame", " frames"))
            .with(" of the packet capture have to do with the sign-in service."),
        Seen::Part => {
            Text::of("The readable part of the capture holds no sign-in; the rest is lost.")
        }
        Seen::Protected => Text::of(
            "The archive is protected: give its password with --password-file to have it read.",
        ),
        Seen::Requests(0) => Text::of("The capture is empty: it holds no request at all."),
        Seen::Requests(1) => {
            Text::of("The one request in the capture did not go to the sign-in service.")
        }
        Seen::Requests(records) => Text::of("None of the ")
            .with(records)
            .with(" requests in the capture went to the sign-in service."),
        Seen::Sealed => Text::of(
            "The sign-in service was reached and the network under it is healthy; what was said is encrypted, so that it cannot be read.",
        ),
        Seen::Veiled(veil) => {
            Text::of("This capture cannot show a sign-in: ").with_text(&self::veil(veil)).with(".")
        }
        Seen::Tunnels => Text::of(
            "A sign-in is in this capture, but its connections were not decrypted, so it cannot be read.",
        ),
    }
}

/// What hides a sign-in.
pub(super) fn veil(veil: Veil) -> Text {
    match veil {
        Veil::Begun => {
            Text::of("the sign-in service was asked for, and nothing tells whether it was reached")
        }
        Veil::LoopbackProxy => Text::of("a proxy on the computer itself takes the requests"),
        Veil::MidStream => Text::of(
            "its encrypted connections were open before it began, so that their hosts have no names",
        ),
        Veil::OneSided => Text::of("it holds packets of one direction only"),
        Veil::Proxy => Text::of("the proxy that the computer uses could not be reached"),
        Veil::Reports => {
            Text::of("a sign-in page reports of itself, and none of the sign-in's steps is in it")
        }
        Veil::Returned => Text::of(
            "an application takes what the sign-in service handed out, and what came before is not in it",
        ),
        Veil::SentOn => Text::of(
            "an application sends the browser to sign in, and what came after that is not in it",
        ),
        Veil::Underway => Text::of(
            "connections to the sign-in service were in use before it began, so that they cannot be read",
        ),
        Veil::Vpn(None) => Text::of("a VPN carries the traffic"),
        Veil::Vpn(Some(name)) => {
            Text::default().with(Piece::Literal(name)).with(" carries the traffic")
        }
        Veil::ZeroTrust(name) => {
            Text::of("the client of ").with(Piece::Literal(name)).with(" carries the traffic")
        }
    }
}
