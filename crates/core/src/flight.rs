//! One request to the origin for what many ask for at once.
//!
//! Who asks the origin for a key takes its lead first. Others that ask for the same key meanwhile wait behind it (or are given
//! what is stale), and look again when it has landed. [`Flights`] is the port: who implements it may let somebody go alone who
//! could have waited, and wake somebody too often; it must never let anybody wait for a flight that nobody leads.

use std::fmt;
use std::rc::Rc;

use crate::entry::{Epoch, Stamp};
use crate::key::{Key, KeyDigest};
use crate::time::Timestamp;

/// Why somebody asks for the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The request is answered by what comes; where somebody else leads, it may wait.
    Fill,
    /// The response could not be stored, so that nobody may wait for it; but it waits for what somebody else fetches.
    Follow,
    /// The request is answered already, and what is stored is to be made fresh; it never waits.
    Refresh,
}

/// Somebody wants to ask the origin.
pub struct Wish<'a> {
    /// For what stands under this key.
    pub key: &'a Key,
    /// What for.
    pub purpose: Purpose,
    /// That of the request.
    pub epoch: Epoch,
    /// What an invalidation of this key would name; asked for only where somebody leads already.
    pub stamps: &'a dyn Fn() -> Vec<Stamp>,
}

/// What becomes of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It goes on by itself: nobody waits for it, and it waits for nobody.
    Alone(Alone),
    /// Somebody else leads. A [`Purpose::Fill`] and a [`Purpose::Follow`] will be woken when that lands.
    Behind,
    /// It leads, until it lands.
    Lead(Token),
    /// A refresh failed a moment ago; nobody is to try again yet. Only a [`Purpose::Refresh`] is told so.
    Resting,
}

/// Why somebody goes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Flights are switched off, or cannot be noted: no room, too many at once, shared data that fails.
    Unavailable,
    /// What came under this key a moment ago was nobody else's.
    Unshared,
    /// Nobody leads, and a [`Purpose::Follow`] does not.
    Unled,
}

/// The right to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Of the flight to what stands under the key with this digest.
    pub digest: KeyDigest,
    /// Which worker's, in which of its leases.
    pub holder: u32,
    /// Which of that worker's.
    pub number: u32,
}

impl Token {
    /// Whether it is nobody's, and says only for which key something is stored.
    pub fn is_outside(&self) -> bool {
        self.holder == Self::NOBODY
    }

    const NOBODY: u32 = u32::MAX;
}

/// How a flight ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Its leader is gone, and nothing is known: one of those that wait takes the lead.
    Abandoned,
    /// The origin failed. Whoever waits goes by itself, and until then nobody refreshes.
    Failed {
        /// When the next refresh may be tried.
        rest: Timestamp,
    },
    /// What it came for is there.
    Stored,
    /// What came is nobody else's. Whoever waits goes by itself, and until then nobody waits for this key.
    Unshared {
        /// When somebody may wait again.
        until: Timestamp,
    },
}

/// The flights of a process, as one worker knows them.
pub trait Flights: fmt::Debug {
    /// Takes the lead, or says why not.
    fn join(&self, wish: &Wish<'_>, now: Timestamp) -> Joined;

    /// A flight has ended, and whoever waits for it is woken. A token that is not in force any more wakes all the same.
    fn land(&self, token: &Token, landing: Landing);
}

/// A lead, which ends somehow: where nobody says how, when this is dropped, it is abandoned.
pub struct Flight {
    flights: Rc<dyn Flights>,
    token: Option<Token>,
    role: Role,
}

/// Whose end it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Leader,
    Outsider,
}

impl Flight {
    /// The lead that was given by `flights`.
    pub fn new(flights: Rc<dyn Flights>, token: Token) -> Self {
        Self {
            flights,
            token: Some(token),
            role: Role::Leader,
        }
    }

    /// No lead: what stood under this key was nobody else's ([`Alone::Unshared`]). If what is fetched now is stored all the same,
    /// the flights are told, so that others wait for it again; of any other end nothing is told.
    pub fn outside(flights: Rc<dyn Flights>, digest: KeyDigest) -> Self {
        let token = Token {
            digest,
            holder: Token::NOBODY,
            number: 0,
        };
        Self {
            flights,
            token: Some(token),
            role: Role::Outsider,
        }
    }

    /// It ends like this.
    pub fn land(mut self, landing: Landing) {
        let is_told = match (self.role, landing) {
            (Role::Leader, _) | (Role::Outsider, Landing::Stored) => true,
            (
                Role::Outsider,
                Landing::Abandoned | Landing::Failed { .. } | Landing::Unshared { .. },
            ) => false,
        };
        if let Some(token) = self.token.take().filter(|_| is_told) {
            self.flights.land(&token, landing);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let (Some(token), Role::Leader) = (self.token.take(), self.role) {
            self.flights.land(&token, Landing::Abandoned);
        }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Flight").field(&self.token).finish()
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

impl Eq for Flight {}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Debug, Default)]
    struct Log(RefCell<Vec<Landing>>);

    impl Flights for Log {
        fn join(&self, _: &Wish<'_>, _: Timestamp) -> Joined {
            Joined::Alone(Alone::Unavailable)
        }

        fn land(&self, _: &Token, landing: Landing) {
            self.0.borrow_mut().push(landing);
        }
    }

    #[test]
    fn a_lead_ends_once_and_in_any_case() {
        let log = Rc::new(Log::default());
        let lead = || {
            let token = Token {
                digest: KeyDigest([0; 16]),
                holder: 1,
                number: 2,
            };
            Flight::new(Rc::clone(&log) as Rc<dyn Flights>, token)
        };
        drop(lead());
        lead().land(Landing::Stored);
        assert_eq!(*log.0.borrow(), [Landing::Abandoned, Landing::Stored]);
    }

    #[test]
    fn who_goes_by_itself_tells_only_that_something_is_stored() {
        let log = Rc::new(Log::default());
        let flights = || Rc::clone(&log) as Rc<dyn Flights>;
        let outside = || Flight::outside(flights(), KeyDigest([0; 16]));
        drop(outside());
        let until = Timestamp::from_secs(1);
        outside().land(Landing::Unshared { until });
        outside().land(Landing::Abandoned);
        outside().land(Landing::Stored);
        assert_eq!(*log.0.borrow(), [Landing::Stored]);
    }
}
