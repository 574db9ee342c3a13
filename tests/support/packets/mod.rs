//! A writer of packet captures: stories of `tests/scenarios/` turned into bytes.
//!
//! It shares nothing with the program under test, so that a mistake of one is not the mistake of both.
//! The layers from below: [`file`] (pcap, pcapng), [`net`] (links, addresses, ICMP), [`tcp`] (connections),
//! [`dns`], [`der`] and [`tls`] (messages), [`hosts`] (who lives where), [`story`] (the text), [`play`],
//! [`browser`] and [`web`] (events made into packets). What comes out depends on the text alone.

pub(crate) mod browser;
pub(crate) mod bytes;
pub(crate) mod der;
pub(crate) mod dns;
pub(crate) mod file;
pub(crate) mod hosts;
pub(crate) mod net;
pub(crate) mod play;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../random.rs"]
pub(crate) mod random;
pub(crate) mod scenes;
pub(crate) mod story;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod web;
