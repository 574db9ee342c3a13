//! Where two sign-ins part ways, step by step and host by host.
//!
//! Both are analysed alone; here their steps are aligned by kind, what both captures show is set side
//! by side, and what differs by nature (times, ids, tokens, users, data centres) is left out. It must
//! not know how a capture is read, and it finds no faults of its own: the verdicts do.
//!
//! Invariants: the two sign-ins in exchange give the same differences with their sides exchanged; a
//! sign-in differs from itself in nothing; that something is missing is told only of a capture that
//! would have shown it.

mod align;
mod facts;
mod hosts;
mod party;
mod rows;
mod timing;
mod words;

use crate::analyze::{Analysis, Selection, conclude};
use crate::evidence::{Identity, Redaction};
use crate::finding::Text;
use crate::report::ReportInput;
use crate::report::comparison::{
    Comparison, Difference, Level, Mark, Parting, Relation, Side as Shown,
};
use crate::signin::{Outcome, Side, SignInAttempt};
use facts::Facts;
use hosts::{Hosts, Sides};
use party::Party;
use rows::Marked;
use words::{Labels, Told};

/// Follows the last attempt that worked, where the capture holds one and no attempt was asked for by
/// its number: that is the one to compare with, whatever failed beside it.
pub fn follow_success(analysis: Analysis, selection: &Selection) -> Analysis {
    if selection.attempt.is_some() || analysis.verdict.side == Side::NothingWrong {
        return analysis;
    }
    let worked = |one: &&SignInAttempt| {
        matches!(one.outcome, Outcome::CompletedWithoutMfa | Outcome::MfaCompleted)
            && one.side == Side::NothingWrong
            && selection.allows(one)
    };
    let last = analysis
        .signin
        .attempts
        .iter()
        .filter(worked)
        .max_by_key(|one| (one.first, one.last, one.id))
        .map(|one| one.id.0);
    match last {
        Some(_) => conclude(analysis.evidence, &Selection { attempt: last, ..selection.clone() }),
        None => analysis,
    }
}

/// Compares the sign-ins that the verdicts of two analyses follow.
pub fn compare<'a>(
    working: &'a Analysis,
    failing: &'a Analysis,
    redaction: Redaction,
    tool_version: &'a str,
) -> Comparison<'a> {
    let parties = [Party::new(working), Party::new(failing)];
    let [one, other] = &parties;
    let worked = [one.worked(), other.worked()];
    let labels = words::labels(worked);
    let readable = one.level == Level::Requests && other.level == Level::Requests;
    let something = one.level > Level::Nothing && other.level > Level::Nothing;
    let marked = if readable { rows::rows(one, other) } else { Vec::new() };
    let all_hosts = [Hosts::of(one), Hosts::of(other)];
    let [one_hosts, other_hosts] = &all_hosts;
    let at = parts_at(&marked, worked);
    let told = match at {
        Some(at) => words::parting(&marked, at, labels),
        None => None,
    };
    let host = (something && !readable).then(|| dead_host(one_hosts, other_hosts)).flatten();
    let told = told.or_else(|| {
        let host = host.as_ref()?;
        let value = |hosts: &Hosts| hosts.reached(host).unwrap_or_else(hosts::not_asked);
        let start = blind(&parties, &all_hosts, labels);
        Some(words::at_host(host, value(one_hosts), value(other_hosts), labels, &start))
    });
    let facts = [Facts::of(one), Facts::of(other)];
    let [one_facts, other_facts] = &facts;
    let mut differences = Vec::new();
    if something {
        differences.extend(facts::differences(one_facts, other_facts));
        differences.extend(hosts::differences(&Sides {
            working: one,
            failing: other,
            working_hosts: one_hosts,
            failing_hosts: other_hosts,
            cut: cut(&marked, at),
        }));
        differences.extend(timing::differences(&marked));
        differences.sort_by(|a, b| (a.area, a.name, &a.hosts).cmp(&(b.area, b.name, &b.hosts)));
    }
    let other_way = !differences.is_empty() || marked.iter().any(|row| row.mark == Mark::OtherWay);
    let relation = match (something, &told) {
        (false, _) => Relation::NotComparable,
        (true, Some(_)) => Relation::Parted,
        (true, None) if other_way || is_opposite(worked) => Relation::OtherWay,
        (true, None) => Relation::Alike,
    };
    let frame = Frame { parties: &parties, worked, labels, relation };
    let headline = frame.headline(told.as_ref(), &differences, &marked);
    let parting = told.map(|told| frame.parting(told, &marked, at, host.as_ref()));
    let mut comparison = Comparison {
        working: shown(one, redaction, tool_version, worked[0]),
        failing: shown(other, redaction, tool_version, worked[1]),
        labels,
        relation,
        headline,
        notes: frame.notes(),
        parting,
        rows: marked.iter().map(Marked::row).collect(),
        differences,
        not_compared: frame.not_compared(&facts, &all_hosts, &marked),
    };
    tell_users_apart(&mut comparison);
    comparison
}

/// Why no steps are compared.
fn blind(parties: &[Party<'_>; 2], hosts: &[Hosts; 2], labels: Labels) -> Text {
    let [one, other] = parties;
    let cut_off = |party: &Party<'_>, hosts: &Hosts| {
        let stopped = party.attempt.is_some_and(|attempt| attempt.blockage.is_some());
        party.level == Level::Connections && stopped && !hosts.has_service()
    };
    let [first, second] = labels;
    match [cut_off(one, &hosts[0]), cut_off(other, &hosts[1])] {
        [false, true] if one.level == Level::Requests => words::none_through(second),
        [true, false] if other.level == Level::Requests => words::none_through(first),
        _ => words::only_connections(labels, [one.level, other.level]),
    }
}

/// Whether the one worked and the other did not.
fn is_opposite(worked: [Option<bool>; 2]) -> bool {
    matches!(worked, [Some(true), Some(false)] | [Some(false), Some(true)])
}

/// The row at which the sign-ins part: the first at which one stops; where the ends differ and none is
/// seen, the first that one of the captures does not show.
fn parts_at(rows: &[Marked<'_>], worked: [Option<bool>; 2]) -> Option<usize> {
    let first = |mark| rows.iter().position(|row: &Marked<'_>| row.mark == mark);
    let ends_differ = worked[0] != worked[1];
    first(Mark::Parts).or_else(|| first(Mark::Unknown).filter(|_| ends_differ))
}

/// The first host that failed to the end on one side alone.
fn dead_host(one: &Hosts, other: &Hosts) -> Option<crate::evidence::HostName> {
    let found = [other.first_dead(one), one.first_dead(other)];
    // The side that fails comes first; of two that fail the choice must not hang on the order.
    match found {
        [Some(a), Some(b)] => Some(a.min(b).clone()),
        [a, b] => a.or(b).cloned(),
    }
}

/// The times up to which the sign-ins go alike, the place where they part included.
fn cut(rows: &[Marked<'_>], at: Option<usize>) -> [Option<crate::time::Timestamp>; 2] {
    let Some(at) = at else { return [None, None] };
    let region = rows::around(rows, at);
    let before = rows.get(..region.start).unwrap_or_default();
    let there = rows.get(region).unwrap_or_default();
    let of = |own: for<'b> fn(&Marked<'b>) -> Option<&'b party::Beat>| {
        let parts = there.iter().filter(|row| row.mark == Mark::Parts).find_map(own);
        let last = parts.or_else(|| before.iter().rev().find_map(own));
        last.and_then(|beat| beat.ended)
    };
    [of(|row| row.working), of(|row| row.failing)]
}

fn shown<'a>(
    party: &Party<'a>,
    redaction: Redaction,
    tool_version: &'a str,
    worked: Option<bool>,
) -> Shown<'a> {
    let analysis = party.analysis;
    Shown {
        report: ReportInput { redaction, ..analysis.report(tool_version) },
        user: party.attempt.and_then(|attempt| attempt.user.clone()),
        level: party.level,
        worked,
    }
}

/// Gives the users of both sides numbers of one count: each capture counts its own from 1.
fn tell_users_apart(comparison: &mut Comparison<'_>) {
    let name = |user: &Option<Identity>| user.as_ref().map(|user| user.shown(Redaction::None));
    let (one, other) = (name(&comparison.working.user), name(&comparison.failing.user));
    let number = if one.is_none() || one == other { 1 } else { 2 };
    comparison.working.user = one.map(|name| Identity::new(&name, 1));
    comparison.failing.user = other.map(|name| Identity::new(&name, number));
}

/// What the sentences are written from.
struct Frame<'a> {
    parties: &'a [Party<'a>; 2],
    worked: [Option<bool>; 2],
    labels: Labels,
    relation: Relation,
}

impl Frame<'_> {
    fn headline(
        &self,
        told: Option<&Told>,
        differences: &[Difference],
        rows: &[Marked<'_>],
    ) -> Text {
        let [one, other] = self.parties;
        let summary = |party: &Party<'_>| words::summary(&party.analysis.verdict);
        if self.relation == Relation::NotComparable {
            let [first, second] = self.parties.each_ref().map(|one| one.level == Level::Nothing);
            let [bare_first, bare_second] = self.parties.each_ref().map(Party::is_unread);
            match (bare_first, bare_second) {
                (true, true) => return Text::of("Neither capture could be read."),
                (true, false) => {
                    return Text::of(
                        "The first capture could not be read, so there is nothing to \
                                     compare the second with. ",
                    )
                    .with_text(&summary(other));
                }
                (false, true) => {
                    return Text::of(
                        "The second capture could not be read, so there is nothing to \
                                     compare the first with. ",
                    )
                    .with_text(&summary(one));
                }
                (false, false) => {}
            }
            let text = match (first, second) {
                (true, true) => "Neither capture holds a sign-in that can be compared. The first: ",
                (true, false) => "The first capture holds no sign-in that can be compared: ",
                (false, _) => "The second capture holds no sign-in that can be compared: ",
            };
            let text = Text::of(text).with_text(&summary(if first { one } else { other }));
            return if first && second {
                text.with(" The second: ").with_text(&summary(other))
            } else {
                text
            };
        }
        // What failed is worth saying; of two that failed, the second.
        let failed = match self.worked {
            [Some(true), Some(true)] => None,
            [_, Some(true)] => Some(one),
            _ => Some(other),
        };
        if let Some(told) = told {
            let text = told.sentence.clone();
            return match failed {
                Some(party) => text.with(" ").with_text(&summary(party)),
                None => text,
            };
        }
        let mut names: Vec<&'static str> = differences.iter().map(|one| one.name).collect();
        names.dedup();
        if names.is_empty() && rows.iter().any(|row| row.mark == Mark::OtherWay) {
            names.push("the steps on the way");
        }
        let blind = one.level == Level::Connections || other.level == Level::Connections;
        let start = match (blind, self.worked) {
            (true, _) => words::only_connections(self.labels, [one.level, other.level]).with(" "),
            (false, [Some(true), Some(true)]) => Text::of("Both sign-ins worked. "),
            (false, [Some(false), Some(false)]) => Text::of("Both sign-ins failed. "),
            (false, [None, None]) => Text::of("Of neither sign-in the end is seen. "),
            (false, [Some(_), Some(_)]) => Text::of("One sign-in worked and the other did not. "),
            (false, [None, _]) => Text::of("The end of the first sign-in is not seen. "),
            (false, [_, None]) => Text::of("The end of the second sign-in is not seen. "),
        };
        let text = if names.is_empty() {
            start.with(match self.relation {
                Relation::Alike => "Nothing that was compared differs.",
                _ => "The captures do not show where they part.",
            })
        } else {
            start.with("They differ in: ").with_text(&words::enumerated(&names)).with(".")
        };
        match failed {
            Some(party) => text.with(" ").with_text(&summary(party)),
            None => text,
        }
    }

    fn parting(
        &self,
        told: Told,
        rows: &[Marked<'_>],
        at: Option<usize>,
        host: Option<&crate::evidence::HostName>,
    ) -> Parting {
        let row = at.and_then(|at| rows.get(at));
        let rests_on = |value: &crate::report::comparison::Value| {
            self.parties.iter().any(|party| {
                party.attempt.is_some_and(|attempt| {
                    party.worked() == Some(false)
                        && value.refs.iter().any(|at| attempt.decided_by.contains(at))
                })
            })
        };
        let dead =
            |host| self.parties.iter().any(|party| party.analysis.verdict.hosts.contains(host));
        let decides = row.is_some_and(Marked::is_decided)
            || rests_on(&told.failing)
            || rests_on(&told.working)
            || host.is_some_and(dead);
        let is_proven =
            row.is_none_or(|row| row.mark == Mark::Parts && words::is_unknown(row.gap).is_none());
        let [_, second] = self.labels;
        let connection = match self.worked[1] {
            Some(true) => Text::of("The second sign-in worked: no verdict speaks of a fault."),
            None => Text::of("How the ").with(second).with(" one ended is not seen."),
            Some(false) if decides => Text::of("The verdict rests on this."),
            Some(false) => {
                Text::of("The verdict rests on something else; its own report says on what.")
            }
        };
        Parting {
            row: at,
            host: host.cloned(),
            working: told.working,
            failing: told.failing,
            decides,
            is_proven,
            connection,
        }
    }

    /// What the reader has to know first.
    fn notes(&self) -> Vec<Text> {
        let mut notes = Vec::new();
        let [one, other] = self.parties;
        let summary = |party: &Party<'_>| words::summary(&party.analysis.verdict);
        match self.worked {
            [Some(false), Some(true)] => notes.push(Text::of(
                "The captures seem to be given the wrong way round: the second sign-in worked and \
                 the first did not. Exchange them.",
            )),
            [_, Some(true)] => notes.push(Text::of(
                "The second capture, given as the one that fails, holds a sign-in that worked.",
            )),
            _ => {}
        }
        match self.worked[0] {
            Some(false) => notes.push(
                Text::of("The first sign-in, given as the one that works, did not: ")
                    .with_text(&summary(one)),
            ),
            None if one.level > Level::Nothing => notes.push(
                Text::of("Whether the first sign-in worked is not seen: ").with_text(&summary(one)),
            ),
            Some(true) | None => {}
        }
        if other.level > Level::Nothing && self.worked[1].is_none() {
            notes.push(Text::of(
                "How the second sign-in ended is not seen, so that what differs may not be the \
                 reason why it failed.",
            ));
        }
        let user = |party: &Party<'_>| {
            let user = party.attempt.and_then(|one| one.user.as_ref());
            user.map(|user| user.shown(Redaction::None))
        };
        if user(one).zip(user(other)).is_some_and(|(one, other)| one != other) {
            notes.push(Text::of(
                "The sign-ins are of two users: methods, policies and devices may differ for that.",
            ));
        }
        notes
    }

    /// What only one capture shows.
    fn not_compared(
        &self,
        facts: &[Facts<'_>; 2],
        hosts: &[Hosts; 2],
        rows: &[Marked<'_>],
    ) -> Vec<Text> {
        if self.relation == Relation::NotComparable {
            return Vec::new();
        }
        let [one, other] = self.parties;
        let [first, second] = self.labels;
        let mut all: Vec<[(&'static str, bool); 2]> = Vec::new();
        let [a, b] = hosts;
        let ways = hosts::shown(a, one).into_iter().zip(hosts::shown(b, other));
        all.extend(ways.map(|(a, b)| [a, b]));
        let read = one.level == Level::Requests && other.level == Level::Requests;
        if read {
            let [a, b] = facts;
            all.extend(a.shown().into_iter().zip(b.shown()).map(|(a, b)| [a, b]));
            let [a, b] = timing::shown(rows);
            all.push([("times", a), ("times", b)]);
        }
        let lacking = |side: usize| -> Vec<&'static str> {
            let lacks = |pair: &&[(&'static str, bool); 2]| {
                let [a, b] = **pair;
                a.1 != b.1 && if side == 0 { b.1 } else { a.1 }
            };
            all.iter().filter(lacks).map(|[a, _]| a.0).collect()
        };
        let mut out = Vec::new();
        if !read {
            let text = blind(self.parties, hosts, self.labels);
            out.push(text.with(" Steps, pages, codes and methods were not compared."));
        }
        for (side, label) in [first, second].into_iter().enumerate() {
            let names = lacking(side);
            if !names.is_empty() {
                let text = Text::of("The ").with(label).with(" capture does not show ");
                out.push(text.with_text(&words::listed(&names)).with("."));
            }
        }
        out
    }
}
