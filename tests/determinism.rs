//! The same bytes give the same report, however often and in whatever pieces they are read.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test support")]

mod support;

use std::io::{Cursor, Read};

use mfatrace::analyze::Analysis;
use mfatrace::capture::Source;
use mfatrace::report::{ReportInput, json};

use support::Row;
use support::memory::{run_bytes, run_reader, run_source};
use support::random::Random;

fn report(analysis: &Analysis) -> String {
    json::write(&ReportInput { with_evidence: true, ..analysis.report("0") })
}

fn bytes(row: &Row) -> Vec<u8> {
    std::fs::read(support::root().join("captures").join(&row.path)).unwrap()
}

/// A reader that gives a few bytes at a time.
struct Drops {
    bytes: Cursor<Vec<u8>>,
    random: Random,
    most: usize,
}

impl Read for Drops {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let length = (self.random.below(self.most) + 1).min(space.len());
        self.bytes.read(&mut space[..length])
    }
}

#[test]
fn twice_the_same() {
    for row in support::sample() {
        let (one, two) = (support::run_row(&row), support::run_row(&row));
        assert_eq!(report(&one), report(&two), "{}", row.path);
        assert_eq!(format!("{one:?}"), format!("{two:?}"), "{}", row.path);
    }
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    for (index, row) in support::sample().into_iter().enumerate() {
        let passwords: Vec<String> = row.password.iter().cloned().collect();
        let run = |source| report(&run_source("capture", source, &passwords));
        let whole = run(Source::bytes(bytes(&row)));
        // Single bytes are slow, and one row of a family is as good as the next.
        for most in if index % 4 == 0 { [1, 7] } else { [700, 60_000] } {
            let bytes = Cursor::new(bytes(&row));
            let drops = Drops { bytes, random: Random::new(1), most };
            assert_eq!(run(Source::stream(Box::new(drops))), whole, "{}: {most}", row.path);
        }
    }
}

#[test]
fn a_file_and_a_stream_say_the_same() {
    for row in support::sample().iter().filter(|row| row.password.is_none()) {
        let path = support::root().join("captures").join(&row.path);
        let file = report(&run_source("capture", Source::file(&path).unwrap(), &[]));
        assert_eq!(report(&run_bytes(bytes(row))), file, "{}", row.path);
        assert_eq!(report(&run_reader(Cursor::new(bytes(row)))), file, "{}", row.path);
    }
}

/// What does not stand for the place of an input.
fn verdict(analysis: &Analysis) -> (String, String, Option<String>, usize) {
    let verdict = &analysis.verdict;
    (
        verdict.outcome.to_string(),
        verdict.side.to_string(),
        verdict.host.as_ref().map(ToString::to_string),
        analysis.signin.attempts.len(),
    )
}

/// Inputs of one case, in any order.
#[test]
fn the_order_of_the_inputs_does_not_matter() {
    let rows: Vec<Row> =
        support::sample().into_iter().filter(|row| row.password.is_none()).collect();
    let mut random = Random::new(5);
    for _ in 0..80 {
        let pair = [random.below(rows.len()), random.below(rows.len())];
        let path = |index: usize| support::root().join("captures").join(&rows[index].path);
        if pair[0] == pair[1] {
            continue;
        }
        let one = support::run(&[path(pair[0]), path(pair[1])], &[]);
        let two = support::run(&[path(pair[1]), path(pair[0])], &[]);
        let names = pair.map(|index| rows[index].path.as_str());
        assert_eq!(verdict(&one), verdict(&two), "{names:?}");
    }
}
