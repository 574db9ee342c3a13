//! Places as they stand in HTML: in words, and as what the other tool takes.
//!
//! Fiddler takes numbers of sessions, Wireshark a display filter. It must not open either.
//!
//! Invariant: what is copied stands for no more than what the words name.

use std::collections::BTreeMap;

use crate::evidence::{EvidenceRef, Locator};
use crate::report::model::{ReportInput, display_filter, places, several};

/// Places that one filter asks for.
const FILTERED: usize = 6;

/// Places in words, with what can be copied of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) words: String,
    pub(super) copies: Vec<Copied>,
}

/// What a button copies.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    /// What stands on the button.
    pub(super) label: &'static str,
    /// What it is called where it cannot be seen.
    pub(super) name: String,
    /// What it copies.
    pub(super) text: String,
    /// Whether it is a filter.
    pub(super) is_filter: bool,
}

impl Places {
    /// The places of a statement; `most` are named.
    pub(super) fn of(
        report: &ReportInput<'_>,
        refs: impl IntoIterator<Item = EvidenceRef>,
        most: usize,
    ) -> Self {
        let refs: Vec<EvidenceRef> = refs.into_iter().collect();
        let mut by_input: BTreeMap<u32, Vec<Locator>> = BTreeMap::new();
        for reference in &refs {
            by_input.entry(reference.input.0).or_default().push(reference.at);
        }
        let is_several = several(report);
        let copies = by_input.into_iter().filter_map(|(input, all)| {
            let of = if is_several { format!(" of input {input}") } else { String::new() };
            copied(&all, &of)
        });
        Self { words: places(refs.iter().copied(), is_several, most), copies: copies.collect() }
    }
}

fn copied(all: &[Locator], of: &str) -> Option<Copied> {
    let sessions: Vec<String> = all
        .iter()
        .filter_map(|at| match at {
            Locator::SazSession(number) => Some(number.to_string()),
            _ => None,
        })
        .take(200)
        .collect();
    if !sessions.is_empty() {
        let text = sessions.join(", ");
        let many = if sessions.len() == 1 { "number" } else { "numbers" };
        return Some(Copied {
            label: "Copy session",
            name: format!("Copy Fiddler session {many}{of}: {}", short(&text)),
            text,
            is_filter: false,
        });
    }
    let filters: Vec<String> =
        all.iter().filter_map(|at| display_filter(*at)).take(FILTERED).collect();
    let text = match filters.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" || "),
    };
    Some(Copied {
        label: "Copy filter",
        name: format!("Copy Wireshark filter{of}: {}", short(&text)),
        text,
        is_filter: true,
    })
}

/// The beginning of a text.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push_str(" ...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;
    use crate::evidence::InputId;

    #[test]
    fn sessions_and_frames_can_be_copied() {
        let case = samples::denied();
        let session = |number| EvidenceRef { input: InputId(0), at: Locator::SazSession(number) };
        let places = Places::of(&case.report(), [session(3), session(4)], 9);
        assert_eq!(places.words, "sessions 3, 4");
        assert_eq!(places.copies[0].text, "3, 4");
        let frame = |number: u64| EvidenceRef {
            input: InputId(0),
            at: Locator::Frames {
                first: number.try_into().unwrap(),
                last: number.try_into().unwrap(),
                stream: None,
            },
        };
        let places = Places::of(&case.report(), [frame(7), frame(9)], 9);
        assert_eq!(places.copies[0].text, "(frame.number == 7) || (frame.number == 9)");
    }
}
