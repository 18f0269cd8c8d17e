//! The body of a response, kept while it streams past.
//!
//! The client gets every chunk at once; this is a copy. It is worth something only when it is complete, so there is
//! no way from a capture to an entry but through [`Capture::finish`]. What is in capture at once is bounded per
//! worker by a [`CaptureBudget`]; dropping a capture gives its bytes back, whatever the reason.

use std::rc::Rc;

use super::budget::{CaptureBudget, Hold};
use crate::policy::Reason;

/// A body on its way.
#[derive(Debug)]
pub(super) struct Capture {
    hold: Hold,
    body: Vec<u8>,
    promised: Option<usize>,
    max: usize,
}

/// The least a capture without a content-length starts with.
const FIRST_ROOM: usize = 4096;

impl Capture {
    /// Starts a capture of at most `max` bytes. Where the head promises a length, room for it is taken at once, so
    /// that what is begun can be finished.
    pub(super) fn begin(
        budget: &Rc<CaptureBudget>,
        promised: Option<u64>,
        max: usize,
    ) -> Result<Self, Reason> {
        let promised = promised.map(|len| usize::try_from(len).unwrap_or(usize::MAX));
        let mut capture = Self {
            hold: Hold::nothing(budget),
            body: Vec::new(),
            promised,
            max,
        };
        capture.make_room(promised.unwrap_or(0))?;
        Ok(capture)
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Reason> {
        let needed = self.body.len().saturating_add(chunk.len());
        if self.promised.is_some_and(|promised| needed > promised) {
            return Err(Reason::Incomplete); // more came than was promised: the message's framing is not to be trusted
        }
        self.make_room(needed)?;
        self.body.extend_from_slice(chunk);
        Ok(())
    }

    /// How many more bytes can be taken at most.
    pub(super) fn room(&self) -> usize {
        let whole = self
            .promised
            .map_or(self.max, |promised| promised.min(self.max));
        whole.saturating_sub(self.body.len())
    }

    fn make_room(&mut self, needed: usize) -> Result<(), Reason> {
        if needed > self.max {
            return Err(Reason::TooLarge);
        }
        if needed <= self.hold.bytes() {
            return Ok(());
        }
        let room = match self.promised {
            Some(promised) => promised,
            None => needed
                .max(self.hold.bytes().saturating_mul(2))
                .max(FIRST_ROOM)
                .min(self.max),
        };
        self.hold.grow_to(room)?;
        let more = room.saturating_sub(self.body.len());
        self.body.try_reserve_exact(more).map_err(|_| Reason::Busy)
    }

    /// The whole body, if it is whole.
    pub(super) fn finish(self) -> Result<CompleteBody, Reason> {
        if self
            .promised
            .is_some_and(|promised| promised != self.body.len())
        {
            return Err(Reason::Incomplete);
        }
        Ok(CompleteBody(self.body))
    }
}

/// A body that came to its end; only a finished capture makes one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CompleteBody(Vec<u8>);

impl CompleteBody {
    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, to be kept.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(capture: Capture) -> Result<Vec<u8>, Reason> {
        capture.finish().map(|body| body.as_bytes().to_vec())
    }

    #[test]
    fn chunks_become_the_body() {
        let budget = CaptureBudget::new(10_000);
        let mut capture = Capture::begin(&budget, None, 10_000).unwrap();
        capture.push(b"one ").unwrap();
        capture.push(b"").unwrap();
        capture.push(b"two").unwrap();
        assert_eq!(finish(capture), Ok(b"one two".to_vec()));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_body_shorter_or_longer_than_promised_is_incomplete() {
        let budget = CaptureBudget::new(10_000);
        let mut short = Capture::begin(&budget, Some(5), 100).unwrap();
        short.push(b"1234").unwrap();
        assert_eq!(finish(short), Err(Reason::Incomplete));
        let mut long = Capture::begin(&budget, Some(5), 100).unwrap();
        assert_eq!(long.push(b"123456"), Err(Reason::Incomplete));
    }

    #[test]
    fn too_large_is_known_at_the_head_or_at_the_byte_too_many() {
        let budget = CaptureBudget::new(10_000);
        assert_eq!(
            Capture::begin(&budget, Some(101), 100).err(),
            Some(Reason::TooLarge)
        );
        assert_eq!(
            Capture::begin(&budget, Some(u64::MAX), 100).err(),
            Some(Reason::TooLarge)
        );
        let mut unpromised = Capture::begin(&budget, None, 100).unwrap();
        unpromised.push(&[0; 100]).unwrap();
        assert_eq!(unpromised.push(&[0]), Err(Reason::TooLarge));
    }

    #[test]
    fn the_worker_captures_so_much_at_once_and_gets_it_back_on_every_way_out() {
        let budget = CaptureBudget::new(150);
        let first = Capture::begin(&budget, Some(100), 100).unwrap();
        assert_eq!(
            Capture::begin(&budget, Some(100), 100).err(),
            Some(Reason::Busy)
        );
        assert_eq!(budget.held(), 100);
        drop(first);
        assert_eq!(budget.held(), 0);
        let mut growing = Capture::begin(&budget, None, 1_000).unwrap();
        assert_eq!(growing.push(&[0; 151]), Err(Reason::Busy));
        drop(growing);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn small_bodies_of_unknown_length_charge_a_page() {
        let budget = CaptureBudget::new(100_000);
        let mut capture = Capture::begin(&budget, None, 100_000).unwrap();
        capture.push(b"x").unwrap();
        assert_eq!(budget.held(), FIRST_ROOM);
        capture.push(&[0; FIRST_ROOM]).unwrap();
        assert_eq!(budget.held(), 2 * FIRST_ROOM);
    }
}
