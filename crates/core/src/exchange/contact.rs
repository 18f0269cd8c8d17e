//! What is stored, as far as invalidations in other processes are concerned.
//!
//! Whatever was invalidated anywhere is not served for longer than `admin.max_unsynced_seconds`. As long as the fleet's log is
//! followed, following it sees to that. Out of contact nobody here knows what has been invalidated: what is stored is asked
//! about, whatever it is worth, and not given in place of an answer either.
//!
//! What was asked for less than that time ago is within the bound all the same: if it has been invalidated, then after that.
//! So an outage of the service costs the origin one question for each key in that time, and not one for each request; and who
//! has waited for another's answer may take it.

use super::Surroundings;
use crate::entry::Meta;
use crate::epoch::{Currency, Stamped};
use crate::fleet::{Contact, Fleet};
use crate::policy::Reason;
use crate::policy::reuse::Reuse;
use crate::time::{Seconds, Timestamp};

/// Whether an entry has been met by an invalidation, as far as that can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) currency: Currency,
    /// Whether that is because nobody can know.
    contact: Contact,
}

impl Surroundings {
    /// Judges something with these facts.
    pub(super) fn judge(&self, stored: Stamped<'_>, meta: &Meta, now: Timestamp) -> Judged {
        let currency = self.epochs.judge(stored);
        match self.contact(meta, now) {
            Contact::Lost if currency > Currency::Invalidated => Judged {
                currency: Currency::Invalidated,
                contact: Contact::Lost,
            },
            Contact::Kept | Contact::Lost => Judged {
                currency,
                contact: Contact::Kept,
            },
        }
    }

    /// Whether something with these facts may have been invalidated elsewhere, too long ago.
    pub(super) fn contact(&self, meta: &Meta, now: Timestamp) -> Contact {
        match self.fleet.get() {
            None => Contact::Kept,
            Some(fleet) => self.contact_with(&**fleet, meta.request_time, now),
        }
    }

    fn contact_with(&self, fleet: &dyn Fleet, asked: Timestamp, now: Timestamp) -> Contact {
        let admin = self.config.admin.as_ref();
        let bound = admin.map_or(Seconds::ZERO, |admin| admin.max_unsynced);
        // What is from the future says nothing, because the clock has stepped back.
        match asked <= now && now.since(asked) < bound {
            true => Contact::Kept,
            false => fleet.contact(now),
        }
    }
}

impl Judged {
    /// The same, with the right name for what stands against it.
    pub(super) fn named(self, reuse: Reuse) -> Reuse {
        match (self.contact, reuse) {
            (Contact::Lost, Reuse::Unusable(Reason::Invalidated)) => {
                Reuse::Unusable(Reason::OutOfContact)
            }
            (Contact::Lost, Reuse::Validate(Reason::Invalidated)) => {
                Reuse::Validate(Reason::OutOfContact)
            }
            (Contact::Kept | Contact::Lost, reuse) => reuse,
        }
    }
}
