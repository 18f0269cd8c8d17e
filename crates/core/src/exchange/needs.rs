//! What an exchange still needs of the outside, as the state it stands in tells: so that the outside need not fetch what does
//! not matter any more.

use super::{Exchange, Passage, State, Stay};

impl Exchange {
    /// Whether the response's head matters; when it does not, the outside need not even read it.
    pub fn wants_response(&self) -> bool {
        match self.state {
            State::Consulting(_)
            | State::Forwarding(_)
            | State::Parked(_)
            | State::Passing(Passage::Annotated(_))
            | State::Relaying(..)
            | State::Shadowing(_)
            | State::Writing(_) => true,
            State::Capturing(_)
            | State::Comparing(_)
            | State::Holding(_)
            | State::Idle
            | State::Looking(_)
            | State::Managed
            | State::Managing(_)
            | State::Passing(Passage::Silent)
            | State::Rescuing(_)
            | State::Serving(_) => false,
        }
    }

    /// Whether the fields of the response's head matter; where only that it comes does, [`Event::Response`] may be told
    /// without any.
    pub fn reads_response(&self) -> bool {
        match self.state {
            State::Forwarding(_)
            | State::Relaying(..)
            | State::Shadowing(_)
            | State::Writing(_) => true,
            State::Capturing(_)
            | State::Comparing(_)
            | State::Consulting(_)
            | State::Holding(_)
            | State::Idle
            | State::Looking(_)
            | State::Managed
            | State::Managing(_)
            | State::Parked(_)
            | State::Passing(_)
            | State::Rescuing(_)
            | State::Serving(_) => false,
        }
    }

    /// Whether the origin is asked for what may be stored; where it is asked for a client alone, a page may be made of its response.
    pub fn asks_to_store(&self) -> bool {
        matches!(self.state, State::Forwarding(_) | State::Shadowing(_))
    }

    /// Whether the next response's head is that of our own reply, whose size matters.
    pub fn expects_own_reply(&self) -> bool {
        match self.state {
            State::Serving(_) => true,
            State::Capturing(_)
            | State::Comparing(_)
            | State::Consulting(_)
            | State::Forwarding(_)
            | State::Holding(_)
            | State::Idle
            | State::Looking(_)
            | State::Managed
            | State::Managing(_)
            | State::Parked(_)
            | State::Passing(_)
            | State::Relaying(..)
            | State::Rescuing(_)
            | State::Shadowing(_)
            | State::Writing(_) => false,
        }
    }

    /// How much of the response's body matters, in bytes from here on; `None` when none does. What comes beyond shows
    /// that it is too much, so one byte of it is enough.
    pub fn wanted_body(&self) -> Option<usize> {
        match &self.state {
            State::Capturing(capturing) => Some(capturing.capture.room().saturating_add(1)),
            State::Comparing(_) => Some(usize::MAX),
            State::Consulting(_)
            | State::Forwarding(_)
            | State::Holding(_)
            | State::Idle
            | State::Looking(_)
            | State::Managed
            | State::Managing(_)
            | State::Parked(_)
            | State::Passing(_)
            | State::Relaying(..)
            | State::Rescuing(_)
            | State::Serving(_)
            | State::Shadowing(_)
            | State::Writing(_) => None,
        }
    }

    /// Whether it matters that the stream ends here.
    pub fn minds_the_end(&self) -> bool {
        matches!(self.state, State::Writing(_)) || self.wanted_body().is_some()
    }

    /// How long the body is for which the request is held, at most; `None` when it is not held.
    pub fn held_request(&self) -> Option<usize> {
        match &self.state {
            State::Holding(holding) => Some(holding.announced()),
            State::Managing(managing) => Some(managing.most()),
            State::Capturing(_)
            | State::Comparing(_)
            | State::Consulting(_)
            | State::Forwarding(_)
            | State::Idle
            | State::Looking(_)
            | State::Managed
            | State::Parked(_)
            | State::Passing(_)
            | State::Relaying(..)
            | State::Rescuing(_)
            | State::Serving(_)
            | State::Shadowing(_)
            | State::Writing(_) => None,
        }
    }

    /// Whether the request must not go on to the origin, whatever fails.
    pub fn stays_here(&self) -> Stay {
        match self.state {
            State::Managed | State::Managing(_) => Stay::Here,
            State::Capturing(_)
            | State::Comparing(_)
            | State::Consulting(_)
            | State::Forwarding(_)
            | State::Holding(_)
            | State::Idle
            | State::Looking(_)
            | State::Parked(_)
            | State::Passing(_)
            | State::Relaying(..)
            | State::Rescuing(_)
            | State::Serving(_)
            | State::Shadowing(_)
            | State::Writing(_) => Stay::Free,
        }
    }
}
