//! Flights under a host that fails, or where other workers are always faster.

use std::cell::Cell as Count;

use crate::flight::{Alone, Joined, Purpose};

use super::super::flights::Whom;
use super::super::{Cas, Cell, KvError, MemoryKv, SetError, SharedKv};
use super::flights::{START, STORED, lead, these, two};
use super::key;

/// A host that does not do what it is asked to, so many times.
#[derive(Debug)]
struct Unwilling {
    kv: MemoryKv,
    times: Count<usize>,
    why: SetError,
}

impl Unwilling {
    fn is_willing(&self) -> bool {
        let times = self.times.get();
        self.times.set(times.saturating_sub(1));
        times == 0
    }
}

impl SharedKv for Unwilling {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        match self.why {
            SetError::Failed if !self.is_willing() => Err(KvError),
            SetError::Failed | SetError::Lost => self.kv.get(name),
        }
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        if !self.is_willing() {
            return Err(self.why);
        }
        self.kv.set(name, value, expected)
    }
}

#[test]
fn where_others_are_always_faster_one_goes_by_itself_and_wakes_everybody() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let (times, why) = (Count::new(0), SetError::Lost);
    let kv = Unwilling { kv, times, why };
    for (times, leads) in [(10, true), (1_000, false)] {
        kv.times.set(times);
        let joined = a.join(&kv, fill, 1, START);
        assert_eq!(matches!(joined, Joined::Lead(_)), leads, "{joined:?}");
        if let Joined::Lead(token) = joined {
            b.join(&kv, fill, 1, START);
            kv.times.set(10);
            let landed = a.land(&kv, &token, STORED, START).unwrap();
            assert_eq!(landed.whom, these(&[&b]));
        }
    }
    kv.times.set(0);
    let token = lead(a.join(&kv, fill, 1, START));
    kv.times.set(1_000);
    let landed = a.land(&kv, &token, STORED, START).unwrap();
    assert_eq!(landed.whom, Whom::Everybody);
}

#[test]
fn where_the_host_fails_one_goes_by_itself_and_wakes_everybody() {
    let (kv, mut a, _) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let (times, why) = (Count::new(1), SetError::Failed);
    let kv = Unwilling { kv, times, why };
    let unavailable = Joined::Alone(Alone::Unavailable);
    assert_eq!(a.join(&kv, fill, 1, START), unavailable);
    let token = lead(a.join(&kv, fill, 1, START));
    kv.times.set(1);
    let landed = a.land(&kv, &token, STORED, START).unwrap();
    assert_eq!(landed.whom, Whom::Everybody);
}
