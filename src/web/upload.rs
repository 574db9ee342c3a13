//! Uploads: what comes is held in memory, within what all uploads may hold together.
//!
//! A body is either one capture or a form (`multipart/form-data`) of captures, key logs, passwords and options. It must
//! not know what a capture is.
//!
//! Invariants: what an upload holds is claimed before it is held and given back when the upload is dropped; an
//! upload that announces or brings too much, stands still or takes too long is refused; of what a request
//! holds only names of files reach anything but the analysis.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::Shared;
use super::ask::Ask;
use super::metrics::Metrics;
use super::problem::Problem;
use crate::analyze::{CaseInput, InMemory};
use crate::limits;

/// What all uploads hold together.
#[derive(Default)]
pub(super) struct Memory {
    held: AtomicU64,
}

impl Memory {
    /// Bytes that are held.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let add = |held: u64| held.checked_add(bytes).filter(|held| *held <= limits::UPLOADS);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

/// The part of it that one upload holds.
pub(super) struct Claim {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Claim {
    const fn new(memory: Arc<Memory>) -> Self {
        Self { memory, bytes: 0 }
    }

    fn grow(&mut self, bytes: u64) -> Result<(), Problem> {
        if self.bytes.saturating_add(bytes) > limits::UPLOADS {
            return Err(Problem::large());
        }
        if !self.memory.take(bytes) {
            return Err(FULL);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

const FULL: Problem = Problem::busy("other uploads take all memory that uploads may take");
const NO_FILE: Problem = Problem::wrong(
    "there is no capture in the request: send it as the body, or as a part named file",
);
const MALFORMED: Problem = Problem::wrong("the form is malformed, or was cut");
const FIELDS: Problem = Problem::wrong("the options are too many or too long, or not UTF-8");
const FILES: Problem =
    Problem::wrong("more than 64 files in one upload; pack them into one archive");

/// What came.
pub(super) struct Upload {
    pub(super) inputs: Vec<CaseInput>,
    pub(super) passwords: Vec<String>,
    pub(super) ask: Ask,
    /// To be held as long as the inputs are.
    pub(super) claim: Claim,
}

/// Receives the body of a request.
pub(super) async fn receive(shared: &Shared, request: Request) -> Result<Upload, Problem> {
    let ask = Ask::of_query(request.uri().query())?;
    let is_form = is_form(request.headers())?;
    refuse_early(shared, request.headers(), is_form)?;
    let meter = Arc::new(Meter::new(Arc::clone(&shared.metrics)));
    let metered = request.map(|body| Body::new(Metered::new(body, Arc::clone(&meter))));
    let mut upload = Upload {
        inputs: Vec::new(),
        passwords: Vec::new(),
        ask,
        claim: Claim::new(Arc::clone(&shared.memory)),
    };
    let received = if is_form {
        form(metered, &meter, &mut upload).await
    } else {
        raw(metered.into_body(), &meter, &mut upload).await
    };
    // Why the body ended early counts for more than what its reader made of that.
    if let Some(problem) = meter.refused() {
        return Err(problem);
    }
    received?;
    if upload.inputs.iter().any(|input| matches!(input, CaseInput::Memory(_))) {
        Ok(upload)
    } else {
        Err(NO_FILE)
    }
}

fn is_form(headers: &HeaderMap) -> Result<bool, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "multipart/form-data" => Ok(true),
        "application/x-www-form-urlencoded" | "text/plain" => Err(Problem::kind(
            "send a capture as application/octet-stream, or a form as multipart/form-data",
        )),
        _ => Ok(false),
    }
}

/// Refuses an upload by the length that it announces.
fn refuse_early(shared: &Shared, headers: &HeaderMap, is_form: bool) -> Result<(), Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let Some(length) = length.and_then(|value| value.parse::<u64>().ok()) else { return Ok(()) };
    let most =
        if is_form { limits::UPLOADS.saturating_add(limits::UPLOAD_AHEAD) } else { limits::UPLOAD };
    if length > most {
        return Err(Problem::large());
    }
    let left = limits::UPLOADS.saturating_sub(shared.memory.held());
    if length > left.saturating_add(limits::UPLOAD_AHEAD) { Err(FULL) } else { Ok(()) }
}

/// One capture.
async fn raw(mut body: Body, meter: &Meter, upload: &mut Upload) -> Result<(), Problem> {
    let mut bytes = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let frame = frame.map_err(|_| MALFORMED)?;
        if let Ok(chunk) = frame.into_data() {
            hold(&mut bytes, &chunk, meter, &mut upload.claim)?;
        }
    }
    if !bytes.is_empty() {
        let name = file_name(upload.ask.name.as_deref());
        upload.inputs.push(CaseInput::Memory(InMemory { name, bytes: Arc::new(bytes) }));
    }
    Ok(())
}

/// A form.
async fn form(request: Request, meter: &Meter, upload: &mut Upload) -> Result<(), Problem> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| MALFORMED)?;
    let mut room = limits::UPLOAD_FIELDS;
    while let Some(mut field) = form.next_field().await.map_err(|_| MALFORMED)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_keys = name == "keylog";
        if is_keys || name == "file" {
            if upload.inputs.len() >= limits::UPLOAD_FILES {
                return Err(FILES);
            }
            let name = file_name(field.file_name());
            let mut bytes = Vec::new();
            while let Some(chunk) = field.chunk().await.map_err(|_| MALFORMED)? {
                hold(&mut bytes, &chunk, meter, &mut upload.claim)?;
            }
            // A browser sends an empty part for a field without a file.
            if bytes.is_empty() && field.file_name().is_none_or(str::is_empty) {
                continue;
            }
            let given = InMemory { name, bytes: Arc::new(bytes) };
            upload.inputs.push(if is_keys {
                CaseInput::MemoryKeys(given)
            } else {
                CaseInput::Memory(given)
            });
            continue;
        }
        let value = text(&mut field, &name, &mut room, meter).await?;
        if name == "password" {
            if !value.is_empty() {
                upload.passwords.push(value);
            }
        } else if !value.is_empty() {
            upload.ask.set(&name, &value)?;
        }
    }
    Ok(())
}

/// The value of a field that is no file.
async fn text(
    field: &mut Field<'_>,
    name: &str,
    room: &mut usize,
    meter: &Meter,
) -> Result<String, Problem> {
    // A field costs something, even without a value.
    *room = room.checked_sub(name.len().saturating_add(16)).ok_or(FIELDS)?;
    let mut value = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|_| MALFORMED)? {
        *room = room.checked_sub(chunk.len()).ok_or(FIELDS)?;
        meter.take(chunk.len());
        value.extend_from_slice(&chunk);
    }
    String::from_utf8(value).map_err(|_| FIELDS)
}

/// Adds bytes to a file; what it takes of the memory is claimed first.
fn hold(
    bytes: &mut Vec<u8>,
    chunk: &[u8],
    meter: &Meter,
    claim: &mut Claim,
) -> Result<(), Problem> {
    meter.take(chunk.len());
    let length = bytes.len().saturating_add(chunk.len());
    if as_u64(length) > limits::UPLOAD {
        return Err(Problem::large());
    }
    if length > bytes.capacity() {
        let capacity = as_u64(bytes.capacity());
        let step = limits::UPLOAD_STEP.max(capacity / 8);
        let wanted = capacity.saturating_add(step).max(as_u64(length));
        claim.grow(wanted.saturating_sub(capacity))?;
        let more = usize::try_from(wanted).unwrap_or(length).saturating_sub(bytes.len());
        bytes.try_reserve_exact(more).map_err(|_| FULL)?;
    }
    bytes.extend_from_slice(chunk);
    Ok(())
}

/// The last part of a name, cut to what a file system allows.
fn file_name(given: Option<&str>) -> String {
    let name = given.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let mut end = name.len().min(limits::UPLOAD_NAME);
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    match name.get(..end) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "upload".to_owned(),
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What came of a body, and why it was refused.
struct Meter {
    metrics: Arc<Metrics>,
    received: AtomicU64,
    taken: AtomicU64,
    refused: Mutex<Option<Problem>>,
}

impl Meter {
    const fn new(metrics: Arc<Metrics>) -> Self {
        let (received, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { metrics, received, taken, refused: Mutex::new(None) }
    }

    /// Bytes found their place.
    fn take(&self, bytes: usize) {
        self.taken.fetch_add(as_u64(bytes), Ordering::Relaxed);
    }

    /// Bytes came; `Err` when too many did, or too many that have no place.
    fn receive(&self, bytes: usize) -> Result<(), Problem> {
        let bytes = as_u64(bytes);
        self.metrics.receive(bytes);
        let received = self.received.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if received > limits::UPLOADS.saturating_add(limits::UPLOAD_AHEAD) {
            return Err(Problem::large());
        }
        let ahead = received.saturating_sub(self.taken.load(Ordering::Relaxed));
        if ahead > limits::UPLOAD_AHEAD { Err(MALFORMED) } else { Ok(()) }
    }

    fn refuse(&self, problem: Problem) -> io::Error {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
        io::ErrorKind::InvalidData.into()
    }

    fn refused(&self) -> Option<Problem> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that ends when it brings too much, stands still or takes too long.
struct Metered {
    inner: Body,
    meter: Arc<Meter>,
    idle: Pin<Box<Sleep>>,
    deadline: Pin<Box<Sleep>>,
}

impl Metered {
    fn new(inner: Body, meter: Arc<Meter>) -> Self {
        let idle = Box::pin(sleep(limits::UPLOAD_IDLE));
        let deadline = Box::pin(sleep(limits::UPLOAD_TIME));
        Self { inner, meter, idle, deadline }
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let is_late = self.deadline.as_mut().poll(context).is_ready();
        if is_late || (polled.is_pending() && self.idle.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Some(Err(self.meter.refuse(Problem::slow()))));
        }
        polled.map(|frame| {
            let Ok(frame) = frame? else { return Some(Err(self.meter.refuse(MALFORMED))) };
            let length = frame.data_ref().map_or(0, Bytes::len);
            if let Err(problem) = self.meter.receive(length) {
                return Some(Err(self.meter.refuse(problem)));
            }
            if length > 0 {
                let next = Instant::now().checked_add(limits::UPLOAD_IDLE);
                let until = next.unwrap_or_else(|| self.deadline.deadline());
                self.idle.as_mut().reset(until);
            }
            Some(Ok(frame))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back() {
        let memory = Arc::new(Memory::default());
        let mut one = Claim::new(Arc::clone(&memory));
        let mut two = Claim::new(Arc::clone(&memory));
        assert!(one.grow(limits::UPLOAD).is_ok() && two.grow(limits::UPLOAD).is_ok());
        assert_eq!(one.grow(1), Err(FULL));
        assert_eq!(one.grow(limits::UPLOADS), Err(Problem::large()));
        drop(two);
        assert!(one.grow(1).is_ok());
        drop(one);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn names_have_no_folders() {
        for (given, name) in [
            (Some("a.saz"), "a.saz"),
            (Some("C:\\x\\a.saz"), "a.saz"),
            (Some("../../a.saz"), "a.saz"),
            (Some("/"), "upload"),
            (None, "upload"),
        ] {
            assert_eq!(file_name(given), name);
        }
        assert_eq!(file_name(Some(&"\u{e4}".repeat(1000))).len(), limits::UPLOAD_NAME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_cut() {
        let meter = Arc::new(Meter::new(Arc::default()));
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let mut body = Metered::new(Body::new(Silent(receiver)), Arc::clone(&meter));
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(frame.is_some_and(|frame| frame.is_err()));
        assert_eq!(meter.refused(), Some(Problem::slow()));
        drop(sender);
    }

    /// A body of which nothing comes.
    struct Silent(tokio::sync::oneshot::Receiver<()>);

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Pin::new(&mut self.0).poll(context).map(|_| None)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_cut_in_the_end() {
        let start = Instant::now();
        let meter = Arc::new(Meter::new(Arc::default()));
        let mut body = Metered::new(Body::new(Dripping(Box::pin(sleep(DRIP)))), Arc::clone(&meter));
        let mut drops = 0_u32;
        while std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context))
            .await
            .is_some_and(|frame| frame.is_ok())
        {
            meter.take(1);
            drops += 1;
        }
        assert_eq!(meter.refused(), Some(Problem::slow()));
        assert_eq!(start.elapsed(), limits::UPLOAD_TIME, "and not before");
        assert!(DRIP < limits::UPLOAD_IDLE && drops >= 29, "{drops}");
    }

    /// Time from one byte to the next: just not standing still.
    const DRIP: std::time::Duration = std::time::Duration::from_secs(20);

    /// A body of single bytes without an end.
    struct Dripping(Pin<Box<Sleep>>);

    impl HttpBody for Dripping {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            std::task::ready!(self.0.as_mut().poll(context));
            self.0.as_mut().reset(Instant::now() + DRIP);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[test]
    fn bytes_without_a_place_are_bounded() {
        let meter = Meter::new(Arc::default());
        let most = usize::try_from(limits::UPLOAD_AHEAD).unwrap();
        assert_eq!(meter.receive(most), Ok(()));
        assert_eq!(meter.receive(1), Err(MALFORMED));
        meter.take(1);
        assert_eq!(meter.receive(0), Ok(()));
    }
}
