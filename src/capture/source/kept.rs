//! What came of a stream, kept so that it can be read once more.
//!
//! Keys may come behind the packets that they open, and a stream comes once. It must not know what is
//! in the stream.
//!
//! Invariants: what is kept is all that was read or nothing; it is bounded, unless it is in memory for
//! another reason; nothing is written to disk.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Source;
use crate::limits;

/// The bytes of a stream, to be read once more.
///
/// They are those of the stream as it came, not yet expanded. All that are made of each other share
/// the room of [`limits::KEPT`].
#[derive(Clone, Debug)]
pub struct Kept {
    held: Arc<Mutex<Held>>,
    room: Arc<Mutex<usize>>,
}

/// What is left of a stream that was read.
enum Held {
    /// Not all of it.
    Nothing,
    /// What came, in pieces.
    Pieces(VecDeque<Vec<u8>>),
    /// All of it; it had to be held anyway, and takes none of the room.
    Whole(Arc<Vec<u8>>),
}

impl Kept {
    /// Nothing yet, with all the room.
    pub fn new() -> Self {
        let room = usize::try_from(limits::KEPT).unwrap_or(usize::MAX);
        Self::within(Arc::new(Mutex::new(room)))
    }

    fn within(room: Arc<Mutex<usize>>) -> Self {
        Self { held: Arc::new(Mutex::new(Held::Pieces(VecDeque::new()))), room }
    }

    /// The same for another stream, in the same room.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::within(Arc::clone(&self.room))
    }

    /// Whether all that was read is here.
    pub fn is_whole(&self) -> bool {
        !matches!(*lock(&self.held), Held::Nothing)
    }

    /// A source of what was kept. It gives its memory back while it is read, so that it is to be
    /// asked for once; where something is missing it is at its end.
    pub fn source(&self) -> Source {
        match self.set(Held::Nothing) {
            Held::Nothing => Source::bytes(Vec::new()),
            Held::Pieces(pieces) => Source::stream(Box::new(Pieces { pieces, at: 0 })),
            Held::Whole(bytes) => Source::shared(bytes),
        }
    }

    /// Keeps what came, or all of it no more when the room is full.
    pub(super) fn add(&self, bytes: &[u8]) {
        let mut held = lock(&self.held);
        if let Held::Pieces(pieces) = &mut *held
            && !bytes.is_empty()
        {
            let mut room = lock(&self.room);
            if let Some(left) = room.checked_sub(bytes.len()) {
                *room = left;
                pieces.push_back(bytes.to_vec());
            } else {
                drop(room);
                drop(held);
                self.forget();
            }
        }
    }

    /// Gives up what was kept, and its room to the others.
    pub(super) fn forget(&self) {
        if let Held::Pieces(pieces) = self.set(Held::Nothing) {
            let sum = pieces.iter().map(Vec::len).fold(0_usize, usize::saturating_add);
            let mut room = lock(&self.room);
            *room = room.saturating_add(sum);
        }
    }

    /// Keeps all of it, which is in memory anyway.
    pub(super) fn hold(&self, bytes: &Arc<Vec<u8>>) {
        self.set(Held::Whole(Arc::clone(bytes)));
    }

    fn set(&self, held: Held) -> Held {
        std::mem::replace(&mut *lock(&self.held), held)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Held {
    /// What is held is counted and not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Pieces(pieces) => f.debug_tuple("Pieces").field(&pieces.len()).finish(),
            Self::Whole(bytes) => f.debug_tuple("Whole").field(&bytes.len()).finish(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pieces of a stream, each of which is free when it was read.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    /// What was read of the first.
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.pieces.front() {
            let mut rest = piece.get(self.at..).unwrap_or_default();
            let count = rest.read(buffer)?;
            self.at = self.at.saturating_add(count);
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.pieces.pop_front();
            self.at = 0;
        }
        Ok(0)
    }
}
