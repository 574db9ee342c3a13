//! Which steps of two sign-ins are the same ones.
//!
//! A longest common subsequence with weights: steps pair only with steps of their kind, in order, and
//! of several ways to pair them the one wins in which hosts and results agree most. It must not know
//! what a step is or what a difference means.
//!
//! Invariants: pairs rise on both sides; each place stands in one row; exchanging the sides exchanges
//! the rows' sides and nothing else.

use std::cmp::Ordering;

use crate::limits::COMPARED_STEPS;

/// What alignment needs to know of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Its kind: only equal ones pair.
    pub(super) kind: u16,
    /// What its host is for.
    pub(super) role: u16,
    /// Whether it did what it was for.
    pub(super) good: bool,
}

/// Weight of a pair, of an equal role and of an equal result: a pair more is worth more than any
/// agreement of others, as far as two of them go.
const PAIR: u32 = 8;
const ROLE: u32 = 2;
const RESULT: u32 = 1;

/// A row: places in the one list and in the other; at least one is there.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// The rows of two lists, in order; of lists longer than [`COMPARED_STEPS`] the beginnings pair.
pub(super) fn align(one: &[Key], other: &[Key]) -> Vec<Pair> {
    // Ties are broken alike whichever list comes first, because they always come in one order.
    match one.cmp(other) {
        Ordering::Less | Ordering::Equal => rows(one, other),
        Ordering::Greater => {
            let turned = rows(other, one).into_iter().map(|(one, other)| (other, one)).collect();
            in_order(turned)
        }
    }
}

/// Between two pairs the steps of the first list come first.
fn in_order(rows: Vec<Pair>) -> Vec<Pair> {
    let mut sorted = Vec::with_capacity(rows.len());
    let mut behind = Vec::new();
    for row in rows {
        match row {
            (Some(_), None) => sorted.push(row),
            (None, _) => behind.push(row),
            (Some(_), Some(_)) => {
                sorted.append(&mut behind);
                sorted.push(row);
            }
        }
    }
    sorted.append(&mut behind);
    sorted
}

fn weight(one: Key, other: Key) -> Option<u32> {
    (one.kind == other.kind).then(|| {
        let role = if one.role == other.role { ROLE } else { 0 };
        let result = if one.good == other.good { RESULT } else { 0 };
        PAIR.saturating_add(role).saturating_add(result)
    })
}

fn rows(one: &[Key], other: &[Key]) -> Vec<Pair> {
    let head = |keys: &[Key]| keys.len().min(COMPARED_STEPS);
    let (height, width) = (head(one), head(other));
    let columns = width.saturating_add(1);
    let mut best = vec![0_u32; columns.saturating_mul(height.saturating_add(1))];
    let cell = |row: usize, column: usize| row.saturating_mul(columns).saturating_add(column);
    let at = |best: &[u32], row, column| best.get(cell(row, column)).copied().unwrap_or(0);
    let pair = |row: usize, column: usize| weight(*one.get(row)?, *other.get(column)?);
    for row in (0..height).rev() {
        for column in (0..width).rev() {
            let below = at(&best, row.saturating_add(1), column);
            let right = at(&best, row, column.saturating_add(1));
            let across = pair(row, column).map_or(0, |weight| {
                at(&best, row.saturating_add(1), column.saturating_add(1)).saturating_add(weight)
            });
            if let Some(slot) = best.get_mut(cell(row, column)) {
                *slot = across.max(below).max(right);
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut out = Vec::with_capacity(one.len().max(other.len()));
    while row < height && column < width {
        let here = at(&best, row, column);
        let (next_row, next_column) = (row.saturating_add(1), column.saturating_add(1));
        let across =
            pair(row, column).map(|weight| at(&best, next_row, next_column).saturating_add(weight));
        if across == Some(here) {
            out.push((Some(row), Some(column)));
            (row, column) = (next_row, next_column);
        } else if at(&best, next_row, column) == here {
            out.push((Some(row), None));
            row = next_row;
        } else {
            out.push((None, Some(column)));
            column = next_column;
        }
    }
    out.extend((row..one.len()).map(|row| (Some(row), None)));
    out.extend((column..other.len()).map(|column| (None, Some(column))));
    in_order(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(kinds: &str) -> Vec<Key> {
        // Capitals are steps that failed.
        kinds
            .bytes()
            .map(|kind| Key {
                kind: u16::from(kind.to_ascii_lowercase()),
                role: 0,
                good: kind.is_ascii_lowercase(),
            })
            .collect()
    }

    fn shown(one: &str, other: &str) -> String {
        let letter =
            |text: &str, at: Option<usize>| at.map_or('-', |at| char::from(text.as_bytes()[at]));
        let rows: Vec<String> = align(&keys(one), &keys(other))
            .into_iter()
            .map(|(a, b)| [letter(one, a), letter(other, b)].iter().collect())
            .collect();
        rows.join(" ")
    }

    #[test]
    fn what_is_missing_leaves_a_gap() {
        assert_eq!(shown("abcd", "abd"), "aa bb c- dd");
        assert_eq!(shown("abd", "abcd"), "aa bb -c dd");
        assert_eq!(shown("abc", "ab"), "aa bb c-");
        assert_eq!(shown("", "ab"), "-a -b");
        assert_eq!(shown("ab", "cd"), "a- b- -c -d");
    }

    #[test]
    fn the_same_end_wins() {
        // Of two tries the one that went through is the counterpart.
        assert_eq!(shown("ab", "aBb"), "aa -B bb");
        assert_eq!(shown("aB", "aBb"), "aa BB -b");
    }

    fn any_keys() -> impl Strategy<Value = Vec<Key>> {
        let key = (0_u16..5, 0_u16..2, any::<bool>());
        prop::collection::vec(key.prop_map(|(kind, role, good)| Key { kind, role, good }), 0..24)
    }

    proptest! {
        #[test]
        fn every_step_stands_in_one_row_in_order(one in any_keys(), other in any_keys()) {
            let rows = align(&one, &other);
            let left: Vec<usize> = rows.iter().filter_map(|row| row.0).collect();
            let right: Vec<usize> = rows.iter().filter_map(|row| row.1).collect();
            prop_assert_eq!(left, (0..one.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..other.len()).collect::<Vec<_>>());
            for row in &rows {
                if let (Some(a), Some(b)) = row {
                    prop_assert_eq!(one[*a].kind, other[*b].kind);
                }
            }
        }

        #[test]
        fn exchanging_the_sides_exchanges_the_rows(one in any_keys(), other in any_keys()) {
            let pairs = |rows: Vec<Pair>| -> Vec<(usize, usize)> {
                rows.into_iter().filter_map(|(a, b)| Some((a?, b?))).collect()
            };
            let turned: Vec<_> =
                pairs(align(&other, &one)).into_iter().map(|(a, b)| (b, a)).collect();
            prop_assert_eq!(pairs(align(&one, &other)), turned);
        }

        #[test]
        fn a_sign_in_is_aligned_with_itself(one in any_keys()) {
            let rows = align(&one, &one);
            prop_assert!(rows.iter().all(|(a, b)| a == b));
        }

        #[test]
        fn a_step_taken_out_leaves_one_gap(one in any_keys(), at in 0_usize..24) {
            prop_assume!(at < one.len());
            let mut other = one.clone();
            other.remove(at);
            let gaps = align(&one, &other).iter().filter(|(a, b)| a.is_none() || b.is_none()).count();
            prop_assert_eq!(gaps, 1);
        }
    }
}
