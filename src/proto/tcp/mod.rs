//! TCP: where each side of a connection stands, and its bytes in order.
//!
//! [`Track`] follows the sequence numbers of one side and says what each segment is: new, late,
//! repeated, a copy. [`Reassembly`] puts payload in order and tells holes apart from data. Neither
//! knows addresses, frames of a file, or what the bytes mean.
//!
//! Reference: RFC 9293 (TCP), section 3.4 (sequence numbers).
//! Invariants: numbers wrap and are compared by their distance; nothing grows but what
//! [`Reassembly`] holds, and that is bounded by `limits`.

mod reassembly;
mod track;

pub use reassembly::{Arrival, Piece, Pool, Reassembly};
pub use track::{Kind, Stall, Track, Unit};

/// A sequence number; it wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The number so many bytes later.
    #[must_use]
    pub const fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Bytes from `other` to this one; negative where this one stands before it.
    pub const fn since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The later of two.
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.since(other) >= 0 { self } else { other }
    }
}
