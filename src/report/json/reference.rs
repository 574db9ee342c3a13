//! Places in the inputs, as the machine-readable reports name them.
//!
//! It must not know what stands there.
//!
//! Invariant: a reference has exactly one place: an entry, a session, frames or a byte.

use serde::Serialize;

use crate::evidence::{EvidenceRef, Locator};
#[cfg(test)]
use crate::report::forms;
use crate::report::model::{display_filter, place};

/// A place in an input: what it is called, and its number under the name of its kind.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "reference", transform = forms::one_place)
)]
pub(in crate::report) struct RefJson {
    /// The number of the input.
    input: u32,
    /// The place in words; of a HAR a JSON pointer.
    at: String,
    /// Entry of a HAR, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u32>,
    /// Session as Fiddler numbers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u32>,
    /// First and last frame as Wireshark numbers them, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<[u64; 2]>,
    /// The transport of the stream of the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<forms::Transport>"))]
    transport: Option<&'static str>,
    /// The stream of the frames as Wireshark numbers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<u32>,
    /// The filter with which Wireshark shows the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    /// Offset in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u64>,
}

impl RefJson {
    pub(in crate::report) fn of(reference: EvidenceRef) -> Self {
        let mut json = Self {
            input: reference.input.0,
            at: place(reference.at),
            entry: None,
            session: None,
            frames: None,
            transport: None,
            stream: None,
            filter: None,
            byte: None,
        };
        match reference.at {
            Locator::Byte(offset) => json.byte = Some(offset),
            Locator::Frames { first, last, stream } => {
                json.frames = Some([first.get(), last.get()]);
                json.transport = stream.map(|stream| stream.transport.as_str());
                json.stream = stream.map(|stream| stream.number.0);
                json.filter = display_filter(reference.at);
            }
            Locator::HarEntry(index) => json.entry = Some(index),
            Locator::SazSession(number) => json.session = Some(number),
        }
        json
    }

    pub(in crate::report) fn all(refs: impl IntoIterator<Item = EvidenceRef>) -> Vec<Self> {
        refs.into_iter().map(Self::of).collect()
    }
}

/// Writes places of the handover as references.
pub(in crate::report) fn refs<S: serde::Serializer>(
    refs: &[EvidenceRef],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(refs.iter().copied().map(RefJson::of))
}
