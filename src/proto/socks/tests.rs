//! Tests of the SOCKS negotiation.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::proto::Probe;
use crate::time::Timestamp;

fn mark(frame: u64) -> Mark {
    Mark { frame: NonZeroU64::new(frame).unwrap(), at: Timestamp::from_nanoseconds(0) }
}

#[test]
fn placeholder() {
    assert_eq!(probe(b"", 1080), Probe::Unsure);
    let _ = mark(1);
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz_socks(&bytes);
    }
}
