//! Places for values that come and go.
//!
//! Values lie side by side in blocks that never move, so that reaching one costs a single jump, and a
//! value that goes leaves its place to the next one without the allocator.
//!
//! Invariant: memory is that of the most values there were at once, rounded up to a block.

/// Values in one block.
const BLOCK: usize = 32;

/// Numbered places, each with a value or empty.
#[derive(Debug)]
pub(super) struct Slab<T> {
    blocks: Vec<Box<[Option<T>]>>,
    /// Places that were handed out.
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }
}

impl<T> Slab<T> {
    /// Places so far, the empty ones included.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.blocks.get(place / BLOCK)?.get(place % BLOCK)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.blocks.get_mut(place / BLOCK)?.get_mut(place % BLOCK)?.as_mut()
    }

    /// Empties a place.
    pub(super) fn take(&mut self, place: usize) -> Option<T> {
        self.blocks.get_mut(place / BLOCK)?.get_mut(place % BLOCK)?.take()
    }

    /// Fills a place that was handed out before.
    pub(super) fn put(&mut self, place: usize, value: T) {
        let slot =
            self.blocks.get_mut(place / BLOCK).and_then(|block| block.get_mut(place % BLOCK));
        if let Some(slot) = slot {
            *slot = Some(value);
        }
    }

    /// Hands out a new place, with a value.
    pub(super) fn push(&mut self, value: T) -> usize {
        let place = self.len;
        if place.is_multiple_of(BLOCK) {
            self.blocks.push(std::iter::repeat_with(|| None).take(BLOCK).collect());
        }
        self.len = place.saturating_add(1);
        self.put(place, value);
        place
    }

    /// The values with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let places = self.blocks.iter().flat_map(|block| block.iter());
        places.enumerate().filter_map(|(place, value)| Some((place, value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_their_values() {
        let mut slab = Slab::default();
        for value in 0..100 {
            assert_eq!(slab.push(value), value);
        }
        assert_eq!(slab.take(40), Some(40));
        assert_eq!((slab.get(40), slab.get(41), slab.get(100)), (None, Some(&41), None));
        slab.put(40, 7);
        assert_eq!((slab.get_mut(40).copied(), slab.len()), (Some(7), 100));
        assert_eq!(slab.iter().filter(|(place, value)| place == *value).count(), 99);
    }
}
