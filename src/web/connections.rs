//! Connections: so many at once, each for so long, and an end that lets requests finish.
//!
//! It must not know what is asked or answered.
//!
//! Invariants: who sends the head of a request slowly loses the connection; beyond the number of connections a
//! new one is told so and closed; when this returns, no connection is left.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::limits;

/// What a connection is told that finds no room.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\
                      Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n";
/// How long to wait when the system gives no connection: it has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers connections until `stop` comes.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(limits::WEB_CONNECTIONS));
    let (tell, told) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => {
                tasks.spawn(connection(stream, router.clone(), told.clone(), permit));
            }
            Err(_) => {
                // It fits the buffer of a fresh connection, or is lost.
                let _ = stream.try_write(FULL);
            }
        }
    }
    drop(listener);
    let _ = tell.send(true);
    let _ = timeout(limits::WEB_STOP, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut told: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::WEB_HEAD_TIME)
        .max_buf_size(limits::WEB_HEAD)
        .max_headers(limits::WEB_FIELDS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // How a connection ends tells nothing that could be done about it.
    let _ = timeout(limits::WEB_CONNECTION_TIME, async {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = told.wait_for(|told| *told) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    })
    .await;
}
