//! The answers: reports, results, and what the server says of itself.
//!
//! It must not look at tokens or hosts: what comes here was let through.
//!
//! Invariant: the answer to `analyze` is the report, byte for byte, as the command line writes it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::form::Form;
use super::problem::Problem;
use super::results::Reports;
use super::{OPENAPI, Shared, upload};
use crate::analyze::Analysis;
use crate::evidence::DiagnosticCode;

/// What a report may do when it is shown on the drop page: run its own script, alone. What it may load, its
/// own policy says.
const REPORT_POLICY: &str = "sandbox allow-scripts allow-popups; frame-ancestors 'self'";

/// The report of what is sent.
pub(super) async fn analyze(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let upload = upload::receive(&shared, request).await?;
    let (form, text) = shared
        .work
        .run(upload, |analysis, upload| {
            let ask = &upload.ask;
            (ask.form, ask.form.write(analysis, ask.redaction, ask.facts))
        })
        .await?;
    Ok(report(form, text))
}

/// A result in short, for the drop page.
#[derive(Serialize)]
struct Summary {
    result: String,
    side: &'static str,
    outcome: &'static str,
    /// Whether a password is needed to open one of the files.
    locked: bool,
    /// The forms that the result has.
    formats: Vec<&'static str>,
}

/// Analyses what is sent and keeps the report in every form.
pub(super) async fn add_result(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let upload = upload::receive(&shared, request).await?;
    let (reports, mut summary) = shared
        .work
        .run(upload, |analysis, upload| {
            let ask = &upload.ask;
            let write = |form: Form| (form, form.write(analysis, ask.redaction, ask.facts));
            let reports: Reports = Form::ALL.into_iter().map(write).collect();
            (reports, summary(analysis))
        })
        .await?;
    summary.result = format!("/results/{}", shared.results.add(reports));
    let location = HeaderValue::from_str(&summary.result).map_err(|_| Problem::internal())?;
    let mut response = (StatusCode::CREATED, axum::Json(summary)).into_response();
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn summary(analysis: &Analysis) -> Summary {
    let diagnostics = &analysis.evidence.diagnostics;
    Summary {
        result: String::new(),
        side: analysis.verdict.side.as_str(),
        outcome: analysis.verdict.outcome.as_str(),
        locked: diagnostics.iter().any(|one| one.code == DiagnosticCode::Encrypted),
        formats: Form::ALL.into_iter().map(Form::as_str).collect(),
    }
}

/// A result in one of its forms.
pub(super) async fn result(
    State(shared): State<Arc<Shared>>,
    Path((number, form)): Path<(String, String)>,
) -> Result<Response, Problem> {
    const GONE: Problem = Problem::missing(
        "there is no such result, or it had to make room: analyse the capture again",
    );
    let form = Form::parse(&form).ok_or(GONE)?;
    let number = number.parse().map_err(|_| GONE)?;
    let reports = shared.results.find(number).ok_or(GONE)?;
    let (_, text) = reports.iter().find(|(other, _)| *other == form).ok_or(GONE)?;
    Ok(report(form, text.clone()))
}

fn report(form: Form, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    if form == Form::Html {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    }
    response
}

/// That the server lives.
pub(super) async fn health() -> Response {
    plain("text/plain; charset=utf-8", "ok\n".to_owned())
}

/// What was done, in numbers.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.metrics.text(shared.memory.held());
    plain("text/plain; version=0.0.4; charset=utf-8", text)
}

/// The description of the API.
pub(super) async fn openapi() -> Response {
    plain("application/json", OPENAPI.to_owned())
}

/// A path that has no answer.
pub(super) async fn nothing_here() -> Problem {
    Problem::missing("there is nothing of this name; /openapi.json tells what there is")
}

/// A method that the path does not know.
pub(super) async fn wrong_method() -> Problem {
    Problem::method()
}

fn plain(kind: &'static str, text: String) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
