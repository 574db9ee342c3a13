//! The drop page and the HTTP API: captures come in as uploads, reports go out.
//!
//! It receives uploads into memory within the limits, runs analyses on threads of their own, and answers with
//! the reports. It must not know how a capture is read or judged, prints nothing, ends nothing, opens no file,
//! and makes no secret: the token is given to it.
//!
//! Invariants: nothing is written to disk; whoever has no token is told only that the server lives; no answer and no
//! metric repeats what a request held; what an upload holds of the common memory is given back when it
//! ends, however it ends.

mod answer;
mod ask;
mod connections;
mod form;
mod guard;
mod metrics;
mod page;
mod problem;
mod results;
mod upload;
mod work;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use self::guard::Hosts;
use self::metrics::Metrics;
use self::results::Results;
use self::upload::Memory;
use self::work::Work;

/// The description of the API, as it is served.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Every path that is answered, with its method.
pub const ROUTES: &[(&str, &str)] = &[
    ("get", "/"),
    ("post", "/api/v1/analyze"),
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("post", "/results"),
    ("get", "/results/{id}/{format}"),
];

/// Where to listen, and what opens the door.
pub struct Settings {
    /// The address and the port; port 0 is a free one.
    pub address: SocketAddr,
    /// What a program sends with each request, and a browser once: random text of letters and digits.
    pub token: String,
    /// What a browser keeps in exchange: another such text.
    pub session: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What all requests share.
struct Shared {
    hosts: Hosts,
    token: String,
    session: String,
    /// Whether the address with the token was used.
    used: AtomicBool,
    memory: Arc<Memory>,
    work: Work,
    results: Arc<Results>,
    metrics: Arc<Metrics>,
}

/// A server that has its port and answers once it runs.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the port.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        let metrics = Arc::new(Metrics::default());
        let shared = Arc::new(Shared {
            hosts: Hosts::of(address),
            token: settings.token,
            session: settings.session,
            used: AtomicBool::new(false),
            memory: Arc::new(Memory::default()),
            work: Work::new(Arc::clone(&metrics)),
            results: Arc::new(Results::default()),
            metrics,
        });
        Ok(Self { listener, address, shared })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` comes; then what runs may end, for a while.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let work = self.shared.work.clone();
        connections::serve(self.listener, router(self.shared), stop).await;
        work.stop();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/api/v1/analyze", post(answer::analyze))
        .route("/healthz", get(answer::health))
        .route("/metrics", get(answer::metrics))
        .route("/openapi.json", get(answer::openapi))
        .route("/results", post(answer::add_result))
        .route("/results/{id}/{format}", get(answer::result))
        .fallback(answer::nothing_here)
        .method_not_allowed_fallback(answer::wrong_method)
        // Uploads are bounded while they come, by limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared)
}
