//! Stories of sign-ins, told once and written in many formats, with labels that were written beside them.
//!
//! Nothing here imports the crate, and no label is computed from it. From below: [`teller`] (the
//! timeline of a story), [`pages`] and [`flows`] (what browser and service say), [`har`], [`saz`] and
//! [`wire`] (the formats), [`damage`] (what happens to a capture), [`label`] (what is right in which view),
//! and the stories, by the side that they stand for.

pub(crate) mod damage;
pub(crate) mod flows;
pub(crate) mod har;
pub(crate) mod label;
pub(crate) mod pages;
pub(crate) mod saz;
pub(crate) mod stories_access;
pub(crate) mod stories_blind;
pub(crate) mod stories_healthy;
pub(crate) mod stories_mixed;
pub(crate) mod stories_network;
pub(crate) mod stories_path;
pub(crate) mod stories_program;
pub(crate) mod stories_unclear;
pub(crate) mod stories_user;
pub(crate) mod teller;
pub(crate) mod wire;

use label::Story;

/// Labels, and rules for damages, that were changed after a run, with the reason.
pub(crate) fn changed() -> Vec<(&'static str, &'static str)> {
    [
        label::CHANGED,
        stories_healthy::CHANGED,
        stories_user::CHANGED,
        stories_access::CHANGED,
        stories_program::CHANGED,
        stories_network::CHANGED,
        stories_path::CHANGED,
        stories_unclear::CHANGED,
        stories_mixed::CHANGED,
        stories_blind::CHANGED,
    ]
    .concat()
}

/// All stories.
pub(crate) fn stories() -> Vec<Story> {
    [
        stories_healthy::stories(),
        stories_user::stories(),
        stories_access::stories(),
        stories_program::stories(),
        stories_network::stories(),
        stories_path::stories(),
        stories_unclear::stories(),
        stories_mixed::stories(),
        stories_blind::stories(),
    ]
    .concat()
}
