//! The ladder as a picture: for each step an arrow between those who took part.
//!
//! Places are percents of the width, so that the picture fits any screen, and the picture of each step is
//! as tall as its words. It must not hold a word of a capture.
//!
//! Invariant: the first lane is the client's, and each arrow begins or ends there.

use crate::report::ladder::{Ladder, Lane, Mood, Reach, Rung};
use crate::report::model::ReportInput;

use super::places::Places;

/// Steps shown at the beginning and at the end of the attempt that the verdict follows.
pub(super) const FOLLOWED: usize = 60;
/// The same of another one.
pub(super) const BESIDE: usize = 8;
/// Places named behind one step.
const PLACES: usize = 4;

/// The ladder of one attempt.
#[derive(Clone, Debug)]
pub(super) struct LadderView {
    pub(super) note: String,
    pub(super) begins_here: bool,
    pub(super) ends_here: bool,
    pub(super) lanes: Vec<LaneView>,
    pub(super) rungs: Vec<RungView>,
    /// Steps left out, and behind which rung.
    pub(super) left_out: usize,
}

/// One lane.
#[derive(Clone, Debug)]
pub(super) struct LaneView {
    pub(super) words: &'static str,
    /// Whether any step goes there.
    pub(super) is_used: bool,
    pub(super) x: String,
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct RungView {
    pub(super) at: String,
    pub(super) marked: bool,
    pub(super) result: &'static str,
    pub(super) mood: &'static str,
    pub(super) words: String,
    pub(super) places: Places,
    /// What the arrow says.
    pub(super) arrow_words: String,
    pub(super) arrow: Arrow,
    /// Whether steps are left out before it.
    pub(super) after_gap: bool,
}

/// An arrow in percents of the width.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// Where a proxy is passed.
    pub(super) via: Option<String>,
    pub(super) head: Head,
    /// Whether it is drawn with gaps.
    pub(super) is_dashed: bool,
}

/// The end of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// It stops there.
    Cross,
    /// It points back to the client.
    Left,
    /// It points on.
    Right,
}

impl LadderView {
    /// The ladder with so many steps at the beginning and at the end, and the one where it broke.
    pub(super) fn of(report: &ReportInput<'_>, ladder: &Ladder, most: usize) -> Self {
        let lanes: Vec<Lane> = Lane::ALL
            .into_iter()
            .filter(|lane| *lane != Lane::Proxy || ladder.all().any(|rung| rung.by_proxy))
            .collect();
        let all: Vec<&Rung> = ladder.all().collect();
        let left_out = all.len().saturating_sub(most.saturating_mul(2));
        let is_shown = |index: usize, rung: &Rung| {
            rung.marked || index < most || index >= most.saturating_add(left_out)
        };
        let mut rungs = Vec::new();
        let mut skipped = 0_usize;
        let mut pending = false;
        for (index, rung) in all.iter().enumerate() {
            if !is_shown(index, rung) {
                skipped = skipped.saturating_add(1);
                pending = true;
                continue;
            }
            rungs.push(view(report, &lanes, rung, std::mem::take(&mut pending)));
        }
        Self {
            note: ladder.note.clone(),
            begins_here: ladder.begins_here,
            ends_here: ladder.ends_here,
            lanes: lanes
                .iter()
                .map(|lane| LaneView {
                    words: lane.words(),
                    is_used: *lane == Lane::Client
                        || *lane == Lane::Proxy
                        || ladder.all().any(|rung| rung.lane == *lane),
                    x: percent(centre(&lanes, *lane)),
                })
                .collect(),
            rungs,
            left_out: skipped,
        }
    }
}

/// The middle of a lane, in thousandths of the width.
fn centre(lanes: &[Lane], lane: Lane) -> usize {
    let index = lanes.iter().position(|one| *one == lane).unwrap_or_default();
    let twice = lanes.len().max(1).saturating_mul(2);
    (index.saturating_mul(2).saturating_add(1)).saturating_mul(1000).checked_div(twice).unwrap_or(0)
}

/// Thousandths as percents.
fn percent(thousandths: usize) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

fn view(report: &ReportInput<'_>, lanes: &[Lane], rung: &Rung, after_gap: bool) -> RungView {
    let client = centre(lanes, Lane::Client);
    let there = centre(lanes, rung.lane);
    let proxy = rung.by_proxy.then(|| centre(lanes, Lane::Proxy));
    let (from, to, head) = match (rung.mood, proxy) {
        // What got no answer ends on the way.
        (Mood::Bad, Some(proxy)) if rung.reach == Reach::Proxy => (client, proxy, Head::Cross),
        (Mood::Bad, _) if rung.reach == Reach::Unanswered => {
            (client, there.saturating_sub(there.saturating_sub(client) / 4), Head::Cross)
        }
        (Mood::Bad, _) => (client, there, Head::Cross),
        // A question is what comes back.
        (Mood::Doubt, _) if rung.result != "pending" => (there, client, Head::Left),
        _ => (client, there, Head::Right),
    };
    let route = if rung.by_proxy { " through the proxy" } else { "" };
    let far = rung.lane.words();
    let arrow_words = match head {
        Head::Left => format!("from {far} back to the client{route}"),
        Head::Cross if rung.reach == Reach::Proxy => {
            "from the client, stopped at the proxy".to_owned()
        }
        Head::Cross if rung.reach == Reach::Unanswered => {
            format!("from the client towards {far}{route}, without an answer")
        }
        Head::Cross | Head::Right => format!("from the client to {far}{route}"),
    };
    RungView {
        at: rung.at.clone(),
        marked: rung.marked,
        result: rung.result,
        mood: rung.mood.as_str(),
        words: rung.words.clone(),
        places: Places::of(report, rung.refs.iter().copied(), PLACES),
        arrow_words,
        arrow: Arrow {
            from: percent(from),
            to: percent(to),
            via: proxy.filter(|_| rung.reach != Reach::Proxy).map(percent),
            head,
            is_dashed: rung.reach == Reach::Unanswered || rung.result == "pending",
        },
        after_gap,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn lanes_share_the_width() {
        let lanes = [Lane::Client, Lane::Service, Lane::Mfa, Lane::Application];
        assert_eq!(percent(centre(&lanes, Lane::Client)), "12.5%");
        assert_eq!(percent(centre(&lanes, Lane::Application)), "87.5%");
    }

    #[test]
    fn a_long_ladder_is_shortened_and_its_break_kept() {
        let mut case = samples::denied();
        let attempt = &mut case.signin.attempts[0];
        let page = attempt.steps[0].clone();
        let denied = attempt.steps[5].clone();
        attempt.steps = vec![page; 1000];
        attempt.steps[500] = denied;
        let report = case.report();
        let ladder = Ladder::of(&report, report.attempt().unwrap(), false).unwrap();
        let view = LadderView::of(&report, &ladder, FOLLOWED);
        assert_eq!(view.rungs.len(), 2 * FOLLOWED + 1);
        assert_eq!(view.left_out, 1000 - 2 * FOLLOWED - 1);
        assert_eq!(view.rungs.iter().filter(|rung| rung.marked).count(), 1);
    }
}
