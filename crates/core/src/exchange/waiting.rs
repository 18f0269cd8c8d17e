//! The streams whose head is held and of whose body nothing has come yet.
//!
//! Whether bodies come while a head is held is a setting of the listener, which nobody in here can see. Where it is not
//! set, a held request would wait for ever. So a stream that is held enters here, leaves with the first word of its body,
//! and is sent on by the next tick after its deadline; a call of the management API, which must not go on, is answered then.
//! Where the room is full, a request is not held.

use crate::time::Timestamp;

/// How long a body may take to begin.
const PATIENCE_NANOS: u64 = 5_000_000_000;

/// How many may wait at once. At [`MOST_AT_ONCE`] a tick the last is let go a few seconds behind the first.
const MOST: usize = 256;

/// How many are let go at once: the host nests the callbacks of those that it lets go (proxy-wasm-cpp-host
/// `include/proxy-wasm/wasm.h`, `doAfterVmCallActions`).
const MOST_AT_ONCE: usize = 16;

/// The streams of a worker that wait, by the host's number.
#[derive(Debug, Default)]
pub struct WaitingRoom {
    waiting: Vec<(u32, Timestamp, What)>,
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A call of the management API.
    Call,
    /// A request whose body is part of its key.
    Request,
}

/// There is no place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Whether a stream waited until it left by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It did.
    Here,
    /// It was let go before.
    LetGo,
}

impl WaitingRoom {
    /// A stream begins to wait.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn enter(&mut self, stream: u32, what: What, now: Timestamp) -> Result<(), Full> {
        if self.waiting.len() >= MOST {
            return Err(Full);
        }
        self.leave(stream);
        self.waiting.push((stream, deadline(now), what));
        Ok(())
    }

    /// A stream has something else to do, or is over.
    pub fn leave(&mut self, stream: u32) -> Presence {
        let place = self.waiting.iter().position(|(one, ..)| *one == stream);
        match place.map(|place| self.waiting.remove(place)) {
            Some(_) => Presence::Here,
            None => Presence::LetGo,
        }
    }

    /// Lets some of those go that have waited too long.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<(u32, What)> {
        // The clock can step: a deadline further off than any that is set now has been missed.
        let is_over = |at: Timestamp| at <= now || at > deadline(now);
        let over = self.waiting.iter().filter(|(_, at, _)| is_over(*at));
        let over = over.map(|(stream, _, what)| (*stream, *what));
        let over: Vec<_> = over.take(MOST_AT_ONCE).collect();
        for (stream, _) in &over {
            self.leave(*stream);
        }
        over
    }
}

fn deadline(now: Timestamp) -> Timestamp {
    Timestamp::from_nanos(now.as_nanos().saturating_add(PATIENCE_NANOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(100);

    fn room(streams: u32) -> WaitingRoom {
        let mut room = WaitingRoom::default();
        for stream in 0..streams {
            room.enter(stream, What::Request, START).unwrap();
        }
        room
    }

    #[test]
    fn who_waits_too_long_is_let_go_once() {
        let mut room = room(2);
        assert_eq!(room.overdue(Timestamp::from_secs(104)), []);
        assert_eq!(room.leave(0), Presence::Here);
        assert_eq!(
            room.overdue(Timestamp::from_secs(105)),
            [(1, What::Request)]
        );
        assert_eq!(room.overdue(Timestamp::from_secs(105)), []);
        assert_eq!(room.leave(1), Presence::LetGo);
    }

    #[test]
    fn there_are_so_many_places_and_they_are_given_again() {
        let mut room = room(256);
        assert_eq!(room.enter(256, What::Call, START), Err(Full));
        assert_eq!(room.leave(7), Presence::Here);
        assert_eq!(room.enter(256, What::Call, START), Ok(()));
    }

    #[test]
    fn they_are_let_go_in_groups() {
        let mut room = room(40);
        let later = Timestamp::from_secs(200);
        let groups = [0; 4].map(|_| room.overdue(later).len());
        assert_eq!(groups, [16, 16, 8, 0]);
    }

    #[test]
    fn a_clock_that_steps_back_keeps_nobody() {
        let mut room = room(1);
        assert_eq!(room.overdue(Timestamp::from_secs(99)), [(0, What::Request)]);
    }
}
