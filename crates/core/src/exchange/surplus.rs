//! What a worker has found altered in its own replies, so that it need not look again.
//!
//! A route adds the same lines to every response, so a hit's head is too long by the same amount each time. By how much,
//! and which fields have to be set again, is kept for the entries that were inspected last: a table of fixed size in
//! which one entry takes another's place. Whoever is not found there is inspected once more, and nothing else is lost.
//!
//! Should the route change to another addition of just the same length, the fields that are set again are still just
//! what the entry says of them; the new addition is then in no entry that is older than it.

use std::cell::RefCell;
use std::rc::Rc;

use super::echo::HeadSize;
use crate::time::Timestamp;

const PLACES: u64 = 1024;
const MAX_NAMES: usize = 16;
const MAX_NAME_BYTES: usize = 512;

/// What a worker has found altered in its own replies.
#[derive(Debug, Default)]
pub struct Surpluses {
    places: RefCell<Vec<Option<Known>>>,
}

/// An entry, as far as it must be told from those of the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryId {
    /// Of its key.
    pub(super) digest: u64,
    /// When it was received.
    pub(super) received: Timestamp,
}

/// The names of fields that have to be set again.
pub(super) type Names = Rc<[Box<[u8]>]>;

#[derive(Debug)]
struct Known {
    entry: EntryId,
    surplus: HeadSize,
    names: Names,
}

impl Surpluses {
    /// Nothing found yet.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Which fields have to be set again where this entry's head is too long by so much.
    pub(super) fn recall(&self, entry: EntryId, surplus: HeadSize) -> Option<Names> {
        let places = self.places.try_borrow().ok()?;
        let known = places.get(place(entry))?.as_ref()?;
        let is_same = known.entry == entry && known.surplus == surplus;
        is_same.then(|| Rc::clone(&known.names))
    }

    /// These fields had to be set again.
    pub(super) fn remember<'a>(
        &self,
        entry: EntryId,
        surplus: HeadSize,
        names: impl Iterator<Item = &'a [u8]>,
    ) {
        let names: Vec<Box<[u8]>> = names.map(Into::into).collect();
        let bytes: usize = names.iter().map(|name| name.len()).sum();
        let Ok(mut places) = self.places.try_borrow_mut() else {
            return;
        };
        if names.len() > MAX_NAMES || bytes > MAX_NAME_BYTES || !make_room(&mut places) {
            return;
        }
        if let Some(slot) = places.get_mut(place(entry)) {
            let names = names.into();
            *slot = Some(Known {
                entry,
                surplus,
                names,
            });
        }
    }
}

fn place(entry: EntryId) -> usize {
    usize::try_from(entry.digest % PLACES).unwrap_or_default()
}

/// The table is made when the first surplus is found: most listeners have none.
fn make_room(places: &mut Vec<Option<Known>>) -> bool {
    let length = usize::try_from(PLACES).unwrap_or_default();
    if places.is_empty() && places.try_reserve_exact(length).is_ok() {
        places.resize_with(length, || None);
    }
    !places.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: EntryId = EntryId {
        digest: 7,
        received: Timestamp::from_secs(1),
    };
    const SURPLUS: HeadSize = HeadSize {
        lines: 1,
        bytes: 20,
    };

    fn names(of: Option<Names>) -> Option<Vec<String>> {
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        of.map(|names| names.iter().map(|name| text(name)).collect())
    }

    #[test]
    fn what_was_found_is_known_of_that_entry_and_that_length() {
        let surpluses = Surpluses::new();
        assert_eq!(names(surpluses.recall(ENTRY, SURPLUS)), None);
        surpluses.remember(ENTRY, SURPLUS, [&b"link"[..], b"x-a"].into_iter());
        let found = names(surpluses.recall(ENTRY, SURPLUS));
        assert_eq!(found, Some(vec!["link".to_owned(), "x-a".to_owned()]));
        let newer = EntryId {
            received: Timestamp::from_secs(2),
            ..ENTRY
        };
        assert_eq!(names(surpluses.recall(newer, SURPLUS)), None);
        let longer = HeadSize {
            bytes: 21,
            ..SURPLUS
        };
        assert_eq!(names(surpluses.recall(ENTRY, longer)), None);
    }

    #[test]
    fn one_entry_takes_the_place_of_another() {
        let surpluses = Surpluses::new();
        for turn in 0..5000 {
            let digest = ENTRY.digest + turn;
            let entry = EntryId { digest, ..ENTRY };
            surpluses.remember(entry, SURPLUS, [&b"x-a"[..]].into_iter());
            assert!(surpluses.recall(entry, SURPLUS).is_some());
        }
        assert_eq!(names(surpluses.recall(ENTRY, SURPLUS)), None);
        assert_eq!(surpluses.places.borrow().len(), 1024);
    }

    #[test]
    fn more_than_fits_is_not_kept() {
        let surpluses = Surpluses::new();
        surpluses.remember(ENTRY, SURPLUS, [&b"x"[..]; 17].into_iter());
        surpluses.remember(ENTRY, SURPLUS, [&[b'x'; 513][..]].into_iter());
        assert_eq!(names(surpluses.recall(ENTRY, SURPLUS)), None);
    }
}
