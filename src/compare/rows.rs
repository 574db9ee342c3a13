//! Which rows of the aligned steps differ, and whether the difference stops a sign-in.
//!
//! A step that one side lacks counts only where its capture would have shown it, and not where what came
//! before explains it. It must not put anything into sentences but the reason of a gap.
//!
//! Invariant: the mark of a row does not depend on which side is called the working one.

use std::ops::Range;

use super::align::{Pair, align};
use super::party::{Beat, Party, is_bad, is_good};
use crate::evidence::{Absence, Unseen};
use crate::finding::Text;
use crate::limits::COMPARED_SILENCE;
use crate::report::comparison::{Mark, Row};
use crate::signin::{StepKind, StepResult, Traffic, TrafficKind};

/// A row with what it is made of.
pub(super) struct Marked<'a> {
    pub(super) working: Option<&'a Beat>,
    pub(super) failing: Option<&'a Beat>,
    pub(super) mark: Mark,
    pub(super) gap: Option<Gap>,
}

/// Why one side has no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The capture would have shown it.
    Proven,
    /// An earlier step of that side ended the sign-in.
    Ended,
    /// The capture cannot tell.
    Unknown(Unseen),
}

impl Marked<'_> {
    /// The row as it is reported.
    pub(super) fn row(&self) -> Row {
        Row {
            mark: self.mark,
            working: self.working.map(|beat| beat.view.clone()),
            failing: self.failing.map(|beat| beat.view.clone()),
            note: self.gap.and_then(note),
        }
    }

    /// Whether the verdict of either side rests on it.
    pub(super) fn is_decided(&self) -> bool {
        [self.working, self.failing].into_iter().flatten().any(|beat| beat.decided)
    }
}

fn note(gap: Gap) -> Option<Text> {
    match gap {
        Gap::Ended | Gap::Proven => None,
        Gap::Unknown(unseen) => Some(Text::of(why(unseen))),
    }
}

/// Why a capture cannot tell of a step that is not in it.
pub(super) const fn why(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::BodiesMissing => "contents that would tell were not saved",
        Unseen::CaptureEnded => "the capture ends before it would be missed",
        Unseen::CaptureStarted => "the capture begins too late",
        Unseen::Encrypted => "connections of it are encrypted",
        Unseen::NotShown => "the client is not seen long enough behind it",
        Unseen::RecordsLost => "part of the capture could not be read",
        Unseen::Timeless => "the capture has no times",
    }
}

/// Steps that sessions, settings and versions of the pages bring about: alone they stop nothing.
const fn is_minor(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::AccountChoice
            | StepKind::Continue
            | StepKind::CredentialType
            | StepKind::Discovery
            | StepKind::HomeRealm
            | StepKind::KeepSignedIn
            | StepKind::Logout
            | StepKind::Other
            | StepKind::SeamlessSso
    )
}

/// Steps that stand for a stop when one side alone has them.
const fn is_stop(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::ErrorPage
            | StepKind::PolicyPage
            | StepKind::Registration
            | StepKind::ResetPassword
            | StepKind::Telemetry
    )
}

/// Aligns the steps of both sides and marks what differs.
pub(super) fn rows<'a>(working: &'a Party<'_>, failing: &'a Party<'_>) -> Vec<Marked<'a>> {
    let keys = |party: &Party<'_>| party.beats.iter().map(Beat::key).collect::<Vec<_>>();
    let pairs = align(&keys(working), &keys(failing));
    let last_pair = pairs.iter().rposition(|row| row.0.is_some() && row.1.is_some());
    // Whoever comes to a later step, or to the end, was not stopped by what is not there.
    let goes_on = |lacking: &Party<'_>, number: usize| {
        last_pair.is_some_and(|last| last > number) || lacking.worked() == Some(true)
    };
    let mut rows: Vec<Marked<'_>> = pairs
        .iter()
        .enumerate()
        .map(|(number, (one, other))| {
            let one = one.and_then(|at| working.beats.get(at));
            let other = other.and_then(|at| failing.beats.get(at));
            let mut marked = Marked { working: one, failing: other, mark: Mark::Alike, gap: None };
            match (one, other) {
                (Some(one), Some(other)) => {
                    marked.mark = together(one, other);
                    let open = [(one, working), (other, failing)]
                        .map(|(beat, party)| unended(beat, party));
                    let open = open.into_iter().flatten().next();
                    if marked.mark == Mark::Parts
                        && let Some(unseen) = open
                    {
                        marked.mark = Mark::Unknown;
                        marked.gap = Some(Gap::Unknown(unseen));
                    }
                }
                (Some(beat), None) => {
                    let gap = gap(failing, &pairs, number, |row| row.1, beat);
                    marked.mark = alone(beat, working, gap, goes_on(failing, number));
                    marked.gap = Some(gap);
                }
                (None, Some(beat)) => {
                    let gap = gap(working, &pairs, number, |row| row.0, beat);
                    marked.mark = alone(beat, failing, gap, goes_on(working, number));
                    marked.gap = Some(gap);
                }
                (None, None) => {}
            }
            marked
        })
        .collect();
    detours(&mut rows);
    if working.worked() == Some(true) && failing.worked() == Some(true) {
        for row in rows.iter_mut().filter(|row| row.mark == Mark::Parts) {
            row.mark = Mark::OtherWay;
        }
    }
    follow(&mut rows);
    rows
}

/// Why the capture does not show how a step that waits for its answer ended.
fn unended(beat: &Beat, party: &Party<'_>) -> Option<Unseen> {
    let waits = matches!(beat.view.result, StepResult::Pending | StepResult::NoResponse);
    let told = party.attempt?.unseen.first().copied();
    (waits && !beat.good && party.worked().is_none()).then(|| told.unwrap_or(Unseen::NotShown))
}

/// How far in a sign-in a step stands.
const fn rank(kind: StepKind) -> u8 {
    match kind {
        StepKind::Authorize | StepKind::DeviceCode | StepKind::Discovery => 0,
        StepKind::AccountChoice | StepKind::CredentialType | StepKind::HomeRealm => 1,
        StepKind::DeviceCertificate
        | StepKind::FederationRedirect
        | StepKind::FederationReturn
        | StepKind::Passkey
        | StepKind::Password
        | StepKind::PhoneSignIn
        | StepKind::SeamlessSso
        | StepKind::UserCertificate => 2,
        StepKind::MfaPage => 3,
        StepKind::ExternalMethod | StepKind::MfaBegin | StepKind::MfaCode | StepKind::MfaPoll => 4,
        StepKind::MfaFinish => 5,
        StepKind::AppReturn | StepKind::Resource | StepKind::Token => 7,
        _ => 6,
    }
}

/// The step that one side alone has, and whether that is the first side.
const fn lone<'a>(row: &Marked<'a>) -> Option<(bool, &'a Beat)> {
    match (row.working, row.failing) {
        (Some(beat), None) => Some((true, beat)),
        (None, Some(beat)) => Some((false, beat)),
        _ => None,
    }
}

/// Where one side goes on by a step of its own, and the other by another one as far in the sign-in, both
/// took another way and nothing stopped.
fn detours(rows: &mut [Marked<'_>]) {
    let goes = |beat: &Beat| beat.good && !is_stop(beat.view.kind);
    for region in rows.chunk_by_mut(|one, other| lone(one).is_some() && lone(other).is_some()) {
        let ranks = |working: bool, region: &[Marked<'_>]| -> Vec<u8> {
            let all = region.iter().filter_map(lone).filter(|(side, _)| *side == working);
            all.filter(|(_, beat)| goes(beat)).map(|(_, beat)| rank(beat.view.kind)).collect()
        };
        let [one, other] = [ranks(true, region), ranks(false, region)];
        for row in region.iter_mut().filter(|row| row.mark == Mark::Parts) {
            let Some((side, beat)) = lone(row).filter(|(_, beat)| goes(beat)) else { continue };
            let counterpart = if side { &other } else { &one };
            if counterpart.contains(&rank(beat.view.kind)) {
                row.mark = Mark::OtherWay;
            }
        }
    }
}

/// The rows between the same two pairs as this one: they stand side by side, whatever their order.
pub(super) fn around(rows: &[Marked<'_>], at: usize) -> Range<usize> {
    let is_lone = |row: &&Marked<'_>| lone(row).is_some();
    let (before, behind) = rows.split_at(at.min(rows.len()));
    if !behind.first().is_some_and(|row| is_lone(&row)) {
        return at..at.saturating_add(1).min(rows.len());
    }
    let begin = at.saturating_sub(before.iter().rev().take_while(is_lone).count());
    begin..at.saturating_add(behind.iter().take_while(is_lone).count())
}

/// What one side lacks behind the place where it stopped follows from that.
fn follow(rows: &mut [Marked<'_>]) {
    let Some(at) = rows.iter().position(|row| row.mark == Mark::Parts) else { return };
    let around = around(rows, at);
    let (begin, end) = (around.start, around.end);
    let region = rows.get(around).unwrap_or_default();
    let stops = stops(region);
    let pairs_behind = rows
        .get(end..)
        .unwrap_or_default()
        .iter()
        .rposition(|row| lone(row).is_none())
        .map_or(end, |last| end.saturating_add(last));
    let mut parted = [false; 2];
    for (index, row) in rows.iter_mut().enumerate().skip(begin) {
        let Some((first, beat)) = lone(row) else { continue };
        let (own, other) = if first { (0, 1) } else { (1, 0) };
        let ends = is_bad(beat.view.result) || is_stop(beat.view.kind);
        let again = parted.get(own).copied().unwrap_or_default();
        let inside = index < end && again;
        let behind = index >= end && index >= pairs_behind;
        if row.mark == Mark::Parts
            && index < end
            && let Some(parted) = parted.get_mut(own)
        {
            *parted = true;
        }
        if stops.get(other) == Some(&true) && !ends && (inside || behind) {
            row.mark = Mark::Follows;
            row.gap = None;
        }
    }
}

/// Which sides stopped in rows that stand side by side.
fn stops(region: &[Marked<'_>]) -> [bool; 2] {
    if let [row] = region
        && let (Some(one), Some(other)) = (row.working, row.failing)
    {
        return [!one.good, !other.good];
    }
    let parts = || region.iter().filter(|row| row.mark == Mark::Parts).filter_map(lone);
    let ends = |beat: &Beat| is_bad(beat.view.result) || is_stop(beat.view.kind);
    let bad = [true, false].map(|side| parts().any(|(own, beat)| own == side && ends(beat)));
    if bad != [false; 2] {
        return bad;
    }
    // The side that the other one goes on without.
    [false, true].map(|other| parts().any(|(own, _)| own == other))
}

/// The mark of a step that both have.
fn together(one: &Beat, other: &Beat) -> Mark {
    let (a, b) = (one.view.result, other.view.result);
    if a == StepResult::Unknown || b == StepResult::Unknown {
        return if is_good(a) || is_good(b) || a == b { Mark::Alike } else { Mark::Unknown };
    }
    if one.good != other.good {
        return if is_minor(one.view.kind) && !(one.decided || other.decided) {
            Mark::Minor
        } else {
            Mark::Parts
        };
    }
    if !one.good {
        // A browser, a proxy and a wire name one fault of the network in words of their own.
        let elsewhere = one.is_fault && other.is_fault && one.vantage != other.vantage;
        let same = elsewhere || a == b && words(one) == words(other);
        return if same { Mark::Alike } else { Mark::OtherWay };
    }
    let methods = one.method.is_some() && other.method.is_some() && one.method != other.method;
    let page = |beat: &Beat| words(beat).into_iter().find(|word| is_page(word)).map(str::to_owned);
    let pages = page(one).zip(page(other)).is_some_and(|(one, other)| one != other);
    let offered = one.view.kind == StepKind::MfaPage && sorted(one) != sorted(other);
    if methods || pages || offered { Mark::OtherWay } else { Mark::Alike }
}

/// What is said of a step, without codes that differ from one session to the next.
fn words(beat: &Beat) -> Vec<&str> {
    beat.view.detail.split(' ').filter(|word| !word.is_empty()).collect()
}

fn sorted(beat: &Beat) -> Vec<&str> {
    let mut all: Vec<&str> = beat.view.detail.split(", ").collect();
    all.sort_unstable();
    all
}

/// Whether a word is the id of a page.
fn is_page(word: &str) -> bool {
    crate::analyze::is_page(word)
}

/// The mark of a step that one side alone has.
fn alone(beat: &Beat, own: &Party<'_>, gap: Gap, goes_on: bool) -> Mark {
    let again = own
        .beats
        .iter()
        .take_while(|before| !std::ptr::eq(*before, beat))
        .any(|before| before.view.kind == beat.view.kind);
    if is_bad(beat.view.result) && beat.decided || is_stop(beat.view.kind) {
        return Mark::Parts;
    }
    match gap {
        _ if is_minor(beat.view.kind) || again => Mark::Minor,
        Gap::Unknown(_) => Mark::Unknown,
        Gap::Ended | Gap::Proven if is_bad(beat.view.result) || goes_on => Mark::OtherWay,
        Gap::Ended | Gap::Proven => Mark::Parts,
    }
}

/// Why a side has no counterpart of a step of the other.
fn gap(
    lacking: &Party<'_>,
    pairs: &[Pair],
    number: usize,
    own: impl Fn(&Pair) -> Option<usize>,
    missing: &Beat,
) -> Gap {
    // What stands alone on this side between the same neighbours stands in its place.
    let (before, behind) = pairs.split_at(number.min(pairs.len()));
    let own = |row: &Pair| own(row).filter(|_| row.0.is_some() && row.1.is_some());
    let last = before.iter().rev().find_map(own).and_then(|at| lacking.beats.get(at));
    let next = behind.iter().find_map(own).and_then(|at| lacking.beats.get(at));
    let Some(attempt) = lacking.attempt else { return Gap::Unknown(Unseen::Encrypted) };
    // What decided stands before it, or in its place.
    let ends = |beat: &Beat| beat.decided && (is_bad(beat.view.result) || is_stop(beat.view.kind));
    let ended = lacking
        .beats
        .iter()
        .take_while(|beat| next.is_none_or(|next| !std::ptr::eq(*beat, next)))
        .chain(next)
        .any(ends);
    if ended && lacking.worked() == Some(false) {
        return Gap::Ended;
    }
    if let Some(traffic) = kind_of(missing.view.kind)
        && let Some(expected) = attempt.expected.iter().find(|one| one.kind == traffic)
    {
        match expected.traffic {
            Traffic::Absent(_) => return Gap::Proven,
            Traffic::Unknown(unseen) => return Gap::Unknown(unseen),
            Traffic::Failed | Traffic::NotDue | Traffic::Seen => {}
        }
    }
    if lacking.worked().is_none() {
        return Gap::Unknown(attempt.unseen.first().copied().unwrap_or(Unseen::NotShown));
    }
    if !lacking.is_whole() {
        let told = attempt.unseen.first().copied();
        let closed = lacking.evidence().coverage.inputs.iter().any(|one| {
            one.wire.as_ref().and_then(|wire| wire.keys).is_some_and(|keys| keys.closed() > 0)
        });
        let usual = if closed { Unseen::Encrypted } else { Unseen::RecordsLost };
        return Gap::Unknown(told.unwrap_or(usual));
    }
    let Some(from) = last.and_then(|beat| beat.ended) else {
        return if next.is_some() { Gap::Proven } else { Gap::Unknown(Unseen::Timeless) };
    };
    let input = last.and_then(|beat| beat.view.refs.last()).map(|at| at.input);
    let Some(input) = input else { return Gap::Unknown(Unseen::Timeless) };
    let length = match next.and_then(|next| next.at) {
        Some(until) => until.since(from),
        // The sign-in came to its end without it.
        None if lacking.worked() == Some(true) => return Gap::Proven,
        None => COMPARED_SILENCE,
    };
    match lacking.evidence().coverage.absent(input, from, length) {
        Absence::Proven(_) => Gap::Proven,
        Absence::Present => Gap::Unknown(Unseen::NotShown),
        Absence::Unknown(unseen) => Gap::Unknown(unseen),
    }
}

/// The request of the chain behind the MFA page that a step stands for.
const fn kind_of(step: StepKind) -> Option<TrafficKind> {
    Some(match step {
        StepKind::MfaBegin => TrafficKind::Begin,
        StepKind::MfaCode => TrafficKind::Code,
        StepKind::MfaFinish => TrafficKind::Finish,
        StepKind::MfaPoll => TrafficKind::Poll,
        _ => return None,
    })
}
