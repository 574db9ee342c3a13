//! What is inside the records of TLS, where there are keys for them.
//!
//! The plain text is read like any other connection: it may be HTTP of either version, or a proxy
//! with a tunnel in which there is TLS again. It must not know a host.
//!
//! Invariant: what keys do not open costs no more than the headers of its records.

use super::context::{Context, Cover};
use super::inside::Inside;
use crate::evidence::Protocol;
use crate::proto::tls::{Access, Opened, TlsOpener, TlsStream};
use crate::proto::{Mark, Peer};

/// The inside of one connection of TLS.
pub(super) struct Opening {
    opener: TlsOpener,
    inside: Inside,
    cover: Cover,
    /// Whether an exchange was read.
    has_told: bool,
    /// Whether data were opened: a key log may hold the secrets of handshakes alone.
    has_data: bool,
}

impl Opening {
    /// One that lies behind so many proxies; its connection may have been there before the capture.
    pub(super) fn new(depth: usize, is_mid_stream: bool) -> Self {
        let mut opener = TlsOpener::new();
        if is_mid_stream {
            opener.start_mid_stream();
        }
        Self {
            opener,
            inside: Inside::new(depth),
            cover: Cover::default(),
            has_told: false,
            has_data: false,
        }
    }

    /// Whether nothing more can be opened.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.opener.is_hopeless()
    }

    /// Bytes that are held, and those that it takes itself: one may be inside of the other.
    pub(super) fn held(&mut self) -> usize {
        let locks = if self.opener.is_hopeless() { 0 } else { LOCKS };
        let own = size_of::<Self>().saturating_add(locks).saturating_add(self.inside.own());
        own.saturating_add(self.opener.held()).saturating_add(self.inside.held())
    }

    /// Takes bytes of a side; `facts` take up what the records tell of the handshake.
    pub(super) fn data(
        &mut self,
        peer: Peer,
        bytes: &[u8],
        mark: Mark,
        cover: Cover,
        facts: &mut TlsStream,
        context: &mut Context<'_>,
    ) {
        if self.opener.is_hopeless() {
            return;
        }
        self.cover = cover;
        let keys = context.keys;
        let Self { opener, inside, cover, has_told, has_data } = self;
        *has_told |= under(cover, context, |context| {
            opener.data(peer, bytes, mark, keys, &mut |event| {
                *has_data |= matches!(event, Opened::Data { .. });
                take(inside, &event, facts, context);
            });
        });
    }

    /// Takes note of bytes that the capture does not hold.
    pub(super) fn gap(
        &mut self,
        peer: Peer,
        length: u64,
        mark: Mark,
        facts: &mut TlsStream,
        context: &mut Context<'_>,
    ) {
        let keys = context.keys;
        let Self { opener, inside, cover, has_told, has_data } = self;
        *has_told |= under(cover, context, |context| {
            opener.gap(peer, length, mark, keys, &mut |event| {
                *has_data |= matches!(event, Opened::Data { .. });
                take(inside, &event, facts, context);
            });
        });
    }

    /// A side ended its stream.
    pub(super) fn end(&mut self, peer: Peer, mark: Mark, context: &mut Context<'_>) {
        let Self { inside, cover, has_told, .. } = self;
        *has_told |= under(cover, context, |context| inside.end(peer, mark, context));
    }

    /// Ends it: what keys made of the connection, bytes that stayed closed, and whether HTTP was read.
    pub(super) fn finish(self, context: &mut Context<'_>) -> (Access, u64, bool) {
        let Self { opener, mut inside, cover, has_told, has_data } = self;
        let mut is_http = false;
        let told_last = under(&cover, context, |context| {
            is_http = inside.finish(context).protocol == Protocol::Http;
        });
        let dark = opener.dark();
        let dark = dark.client.saturating_add(dark.server);
        let access = match opener.access() {
            Access::Open if !has_data && dark > 0 => opener.why_dark(context.keys),
            access => access,
        };
        (access, dark, is_http && (has_told || told_last))
    }
}

/// Does something with what was opened, while the context says what stands around it; whether an
/// exchange was read.
fn under(cover: &Cover, context: &mut Context<'_>, act: impl FnOnce(&mut Context<'_>)) -> bool {
    let before = std::mem::replace(&mut context.cover, cover.clone());
    act(context);
    let after = std::mem::replace(&mut context.cover, before);
    context.cover.has_told |= after.has_told;
    after.has_told
}

fn take(inside: &mut Inside, event: &Opened<'_>, facts: &mut TlsStream, context: &mut Context<'_>) {
    facts.opened(event);
    match *event {
        Opened::Data { from, bytes, mark } => {
            if inside.is_lost() && is_http2(facts) {
                inside.expect_http2(context);
            }
            inside.data(from, bytes, mark, context);
        }
        Opened::Gap { from, mark } => inside.lost(from, mark, context),
        Opened::Alert { .. } | Opened::Handshake { .. } => {}
    }
}

/// Whether the handshake agreed on HTTP/2 (RFC 9113 section 3.2).
fn is_http2(facts: &TlsStream) -> bool {
    facts.facts().agreed().and_then(|hello| hello.alpn.as_deref()) == Some("h2")
}

/// Bytes of what opens the records of both sides, round keys included.
const LOCKS: usize = 2 << 10;
