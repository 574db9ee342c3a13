//! What the entries for fuzzing of readers have in common: an input read within small bounds.
//!
//! It must not know a format. What is asserted here holds for every reader; what holds for one stands
//! beside that one.
//!
//! Invariant: the bounds are far below the usual ones, so that one run is short.

use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use super::{Keys, ReadOptions, Reader, Scope, Source};
use crate::evidence::{Evidence, EvidenceBuilder, Input};
use crate::limits::{self, Budget, Limits};

/// Reads bytes with a reader, from memory and as a stream, and compares both.
pub(super) fn read(reader: &dyn Reader, bytes: &[u8]) {
    let length = super::source::as_u64(bytes.len());
    let [first, second] = sources(bytes).map(|mut source| {
        with_options(|options, into| {
            let input = into.add_input(Input::named("input"));
            let limits = options.limits;
            let mut budget = Budget::new(limits.expanded, limits.ratio);
            let outcome = reader.read(&mut source, options, &mut budget, input, into);
            let offset = outcome.err().and_then(|error| error.offset());
            assert!(offset.is_none_or(|offset| offset <= length), "an error stands in the input");
            assert!(budget.left() <= limits.expanded, "the budget only shrinks");
        })
    });
    same(&first, &second);
}

/// Does something with an input, from memory and as a stream, and compares what comes of it.
pub(super) fn open(
    bytes: &[u8],
    act: impl Fn(Source, &ReadOptions<'_>, &mut EvidenceBuilder),
) -> Evidence {
    let [first, second] =
        sources(bytes).map(|source| with_options(|options, into| act(source, options, into)));
    assert!(!first.inputs.is_empty(), "an input leaves one behind");
    same(&first, &second);
    first
}

fn sources(bytes: &[u8]) -> [Source; 2] {
    let stream = Source::stream(Box::new(Cursor::new(bytes.to_vec())));
    [Source::bytes(bytes.to_vec()), stream]
}

fn with_options(act: impl FnOnce(&ReadOptions<'_>, &mut EvidenceBuilder)) -> Evidence {
    let hosts = ["login.microsoftonline.com", "*.msauth.net"];
    let scope = Scope::new(hosts, ["*.msauth.net"], ["/adfs/"], &["id_token="], limits::MIB);
    let limits = Limits {
        buffered: 16 * limits::MIB,
        expanded: 16 * limits::MIB,
        expanded_packets: 32 * limits::MIB,
        ..Limits::default()
    };
    let (keys, cancel) = (Keys::new(), AtomicBool::new(false));
    let options = ReadOptions {
        scope: &scope,
        limits: &limits,
        passwords: &["secret".to_owned()],
        keys: &keys,
        cancel: &cancel,
    };
    let mut into = EvidenceBuilder::new();
    act(&options, &mut into);
    assert!(keys.log().held() <= limits::KEY_LOG, "keys are bounded");
    into.finish()
}

fn same(first: &Evidence, second: &Evidence) {
    let counts = |evidence: &Evidence| {
        let Evidence { inputs, exchanges, connections, lookups, .. } = evidence;
        [inputs.len(), exchanges.len(), connections.len(), lookups.len()]
    };
    assert_eq!(counts(first), counts(second), "how bytes come does not matter");
    assert_eq!(first.diagnostics, second.diagnostics, "how bytes come does not matter");
}
