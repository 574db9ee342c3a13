//! The command that serves the drop page and the HTTP API.
//!
//! It makes the token, prints the address, opens the browser, and tells the server when to stop. It must
//! not answer requests.
//!
//! Invariants: it listens on the loopback address unless another is given; the token is printed once, as part of the
//! address, and is in no other line; a server that was told to stop ended well.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::args::ServeArgs;
use super::exit::Ending;
use super::{Interruption, complain, deliver, on_interruption, plain};
use crate::limits;
use crate::web::{Server, Settings};

/// Bytes of a token: as many as nobody guesses.
const TOKEN: usize = 24;

/// Runs the command.
pub(super) fn run(args: &ServeArgs) -> Ending {
    let failed = Ending { partial: true, ..Ending::default() };
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
    let address = args.listen.unwrap_or(loopback);
    let (Some(token), Some(session)) = (random(), random()) else {
        complain("the system gave no random numbers, and without them there is no token");
        return failed;
    };
    let runtime = match Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(limits::ANALYSES.saturating_add(2))
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the server could not start: {}", plain(&error)));
            return failed;
        }
    };
    let settings = Settings { address, token: token.clone(), session };
    let server = match runtime.block_on(Server::bind(settings)) {
        Ok(server) => server,
        Err(error) => {
            complain(&format!(
                "{address}: could not listen: {}; give another --port or --listen, or none for a free port",
                plain(&error)
            ));
            return failed;
        }
    };
    let url = format!("http://{}/?token={token}", shown(server.address()));
    if !deliver(&format!("{url}\n"), None) {
        return failed;
    }
    complain(
        "open this address once in a browser; programs send its token as Authorization: Bearer; Ctrl-C stops",
    );
    if !server.address().ip().is_loopback() {
        complain("others can reach this port, and nothing on it is encrypted; --listen was given");
    }
    if args.open {
        // What opens it may run for as long as the browser does.
        std::thread::spawn(move || {
            if !super::browser::open(&url) {
                complain("no browser could be opened; open the address yourself");
            }
        });
    }
    serve(&runtime, server);
    // A thread that does not stop must not keep the program.
    runtime.shutdown_background();
    Ending::default()
}

fn serve(runtime: &Runtime, server: Server) {
    let interrupted = Arc::new(Notify::new());
    let told = Arc::clone(&interrupted);
    on_interruption(Interruption::Told(Box::new(move || told.notify_one())));
    runtime.block_on(server.run(async {
        tokio::select! {
            () = async { interrupted.notified().await } => {}
            () = terminated() => {}
        }
    }));
}

/// Waits for the signal by which a service is ended.
#[cfg(unix)]
fn terminated() -> impl Future<Output = ()> {
    let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    async move {
        match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            // Then the system ends the process as it ends others.
            Err(_) => std::future::pending().await,
        }
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
fn terminated() -> impl Future<Output = ()> {
    std::future::pending()
}

/// An address as a browser on this machine asks it.
fn shown(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}

/// Letters and digits that nobody can guess.
fn random() -> Option<String> {
    let mut bytes = [0; TOKEN];
    getrandom::fill(&mut bytes).ok()?;
    Some(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_need_no_escape() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_ne!(one, two);
        assert!(one.len() == 2 * TOKEN && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn an_address_of_all_is_shown_as_one_that_can_be_asked() {
        assert_eq!(shown("0.0.0.0:9".parse().unwrap()).to_string(), "127.0.0.1:9");
        assert_eq!(shown("192.0.2.7:9".parse().unwrap()).to_string(), "192.0.2.7:9");
    }
}
