//! Places as they stand in HTML: in words, and as what the other tool takes.
//!
//! Fiddler takes numbers of sessions, Wireshark a display filter. It must not open either.
//!
//! Invariant: what is copied stands for no more than what the words name.

use std::collections::BTreeMap;

use crate::evidence::{EvidenceRef, InputId, Locator};
use crate::report::model::{ReportInput, display_filter, places, several};

/// Places that one filter asks for.
const FILTERED: usize = 6;
/// Sessions copied at once.
const SESSIONS: usize = 200;

/// Places in words, each group of one input with what can be copied of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) groups: Vec<Group>,
}

/// Places in one input.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) words: String,
    pub(super) copied: Option<Copied>,
}

/// What a button copies.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    /// What the button is called where it cannot be seen.
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
        let mut by_input: BTreeMap<InputId, Vec<EvidenceRef>> = BTreeMap::new();
        for reference in refs {
            by_input.entry(reference.input).or_default().push(reference);
        }
        let is_several = several(report);
        let group = |(_, all): (InputId, Vec<EvidenceRef>)| {
            let words = places(all.iter().copied(), is_several, most);
            Group { copied: copied(&all, &words), words }
        };
        Self { groups: by_input.into_iter().map(group).collect() }
    }
}

fn copied(all: &[EvidenceRef], words: &str) -> Option<Copied> {
    let sessions: Vec<String> = all
        .iter()
        .filter_map(|one| match one.at {
            Locator::SazSession(number) => Some(number.to_string()),
            _ => None,
        })
        .take(SESSIONS)
        .collect();
    if !sessions.is_empty() {
        let many = if sessions.len() == 1 { "number" } else { "numbers" };
        return Some(Copied {
            name: format!("{words}: copy the {many} for Fiddler"),
            text: sessions.join(", "),
            is_filter: false,
        });
    }
    let filters: Vec<String> =
        all.iter().filter_map(|one| display_filter(one.at)).take(FILTERED).collect();
    let text = match filters.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" || "),
    };
    Some(Copied { name: format!("{words}: copy the filter for Wireshark"), text, is_filter: true })
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn sessions_and_frames_can_be_copied() {
        let case = samples::denied();
        let session = |number| EvidenceRef { input: InputId(0), at: Locator::SazSession(number) };
        let places = Places::of(&case.report(), [session(3), session(4)], 9);
        assert_eq!(places.groups[0].words, "sessions 3, 4");
        assert_eq!(places.groups[0].copied.as_ref().unwrap().text, "3, 4");
        let frame = |number: u64| EvidenceRef {
            input: InputId(0),
            at: Locator::Frames {
                first: number.try_into().unwrap(),
                last: number.try_into().unwrap(),
                stream: None,
            },
        };
        let places = Places::of(&case.report(), [frame(7), frame(9)], 9);
        let copied = places.groups[0].copied.as_ref().unwrap();
        assert_eq!(copied.text, "(frame.number == 7) || (frame.number == 9)");
    }
}
