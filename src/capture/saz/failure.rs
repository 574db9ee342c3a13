//! What a session tells about its failure: Fiddler's own answers, and answers that never came.
//!
//! Fiddler reports a failure of the network as a response with a status line and a body of its own.
//! This file says who wrote a response and why there is none; what the text means is decided by
//! later stages.
//!
//! Invariant: a response is Fiddler's own only when its bits or its own wording say so.

use super::metadata::{Metadata, bit};
use crate::evidence::{Author, NoResponse, Stage};

/// Who wrote a response. A tunnel that was opened is reported by Fiddler in the name of whoever
/// opened it, and is no failure.
pub(super) fn author(
    status: u16,
    reason: &str,
    body: &[u8],
    is_tunnel: bool,
    metadata: &Metadata,
) -> Author {
    let failed = status >= 400;
    let worded = reason.starts_with("Fiddler - ") || BEGINNINGS.iter().any(|b| body.starts_with(b));
    let flagged = metadata.has(bit::RESPONSE_BY_TOOL) && (failed || !is_tunnel);
    if flagged || (failed && worded) { Author::CaptureTool } else { Author::Network }
}

/// Why a session has no response.
pub(super) fn no_response(metadata: Option<&Metadata>) -> NoResponse {
    match metadata {
        Some(metadata) if metadata.client_left() => NoResponse::Cancelled,
        Some(metadata) if metadata.was_sent() && metadata.server_is_done() => {
            NoResponse::Failed { stage: Stage::Receive, code: "no_response".into() }
        }
        Some(metadata) if metadata.was_sent() && metadata.client_is_done() => NoResponse::Cancelled,
        Some(metadata) if metadata.span().is_some() && !metadata.client_is_done() => {
            NoResponse::Pending
        }
        _ => NoResponse::NotCaptured,
    }
}

/// How the bodies of Fiddler's own answers begin.
const BEGINNINGS: &[&[u8]] = &[b"[Fiddler] ", b"Fiddler: ", b"ReadResponse() failed"];

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &str) -> Metadata {
        Metadata::parse(format!("<Session {text}</Session>").as_bytes())
    }

    #[test]
    fn fiddlers_own_answers_are_told_by_bits_or_words() {
        let plain = Metadata::default();
        let tool = metadata("BitFlags='100'>");
        let body = b"[Fiddler] DNS Lookup for \"a.example\" failed.";
        let reason = "Fiddler - DNS Lookup Failed";
        assert_eq!(author(502, reason, b"", false, &plain), Author::CaptureTool);
        assert_eq!(author(504, "Gateway Timeout", body, false, &plain), Author::CaptureTool);
        assert_eq!(author(502, "Bad Gateway", b"<html>", false, &plain), Author::Network);
        assert_eq!(author(200, "OK", body, false, &plain), Author::Network);
        assert_eq!(author(502, "Bad Gateway", b"", false, &tool), Author::CaptureTool);
        assert_eq!(author(200, "Connection Established", b"", true, &tool), Author::Network);
        assert_eq!(author(502, "Bad Gateway", b"", true, &tool), Author::CaptureTool);
    }

    #[test]
    fn an_answer_that_never_came() {
        let times = |flags: &str, names: &[&str]| {
            let timers: Vec<String> =
                names.iter().map(|n| format!("{n}='2030-01-01T00:00:00Z'")).collect();
            metadata(&format!("><SessionTimers {}/>{flags}", timers.join(" ")))
        };
        let begin = "ClientBeginRequest";
        let sent = times("", &[begin, "ServerGotRequest", "ServerDoneResponse"]);
        let want = NoResponse::Failed { stage: Stage::Receive, code: "no_response".into() };
        assert_eq!(no_response(Some(&sent)), want);
        let gone = times("", &[begin, "ServerGotRequest", "ClientDoneResponse"]);
        assert_eq!(no_response(Some(&gone)), NoResponse::Cancelled);
        let left = times("<SessionFlag N='X-ClientPipeError' V='x'/>", &[begin]);
        assert_eq!(no_response(Some(&left)), NoResponse::Cancelled);
        assert_eq!(no_response(Some(&times("", &[begin]))), NoResponse::Pending);
        assert_eq!(no_response(None), NoResponse::NotCaptured);
        assert_eq!(no_response(Some(&Metadata::default())), NoResponse::NotCaptured);
    }
}
