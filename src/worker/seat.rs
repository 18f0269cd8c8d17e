//! Places for streams whose head is held.

use std::rc::Rc;

use larder_core::exchange::{Full, Presence, What};
use larder_core::time::Timestamp;

use super::Worker;

/// A stream's place among those that wait for the first word of their body; it is free again when this is dropped.
pub(crate) struct Seat {
    worker: Rc<Worker>,
    stream: u32,
}

impl Seat {
    /// The stream has something else to do now.
    pub(crate) fn leave(self) -> Presence {
        self.worker.leave(self.stream)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.worker.leave(self.stream); // again, if it has left
    }
}

impl Worker {
    /// A place for a stream whose head is held, until its body begins.
    pub(crate) fn seat(
        self: &Rc<Self>,
        stream: u32,
        what: What,
        now: Timestamp,
    ) -> Result<Seat, Full> {
        let mut waiting = self.waiting.try_borrow_mut().map_err(|_| Full)?;
        waiting.enter(stream, what, now)?;
        Ok(Seat {
            worker: Rc::clone(self),
            stream,
        })
    }

    fn leave(&self, stream: u32) -> Presence {
        match self.waiting.try_borrow_mut() {
            Ok(mut waiting) => waiting.leave(stream),
            Err(_) => Presence::LetGo, // no borrow outlives a call, so this is not taken
        }
    }
}
