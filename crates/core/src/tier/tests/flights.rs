//! Flights, one call after the other; `grounded` under a host that fails; `traffic` has them at once.

use std::ops::RangeInclusive;

use crate::entry::{Epoch, Stamp};
use crate::epoch::{Currency, Epochs, Stamped};
use crate::exchange::Wake;
use crate::flight::{Alone, Joined, Landing, Purpose, Token, Wish};
use crate::key::Key;
use crate::time::Seconds;

use super::super::flights::{FlightTable, Landed, Member, Reach, Whom, Workers};
use super::super::{Cas, MemoryGauge, MemoryKv, SharedKv};
use super::{at, key, tier};

pub(super) const START: u64 = 1_000_000;

/// So long a flight lasts at most.
pub(super) const WAIT: Seconds = Seconds::clamped(5);

/// Everything before this position is over.
#[derive(Debug)]
struct Before(u64);

impl Epochs for Before {
    fn now(&self) -> Epoch {
        epoch(self.0)
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        match stored.epoch.position < self.0 {
            true => Currency::Invalidated,
            false => Currency::Current,
        }
    }
}

pub(super) fn epoch(position: u64) -> Epoch {
    Epoch { log: 1, position }
}

/// One worker among the flights.
pub(super) struct Pilot {
    pub(super) member: Member,
    pub(super) table: FlightTable,
}

impl Pilot {
    /// One for each seed, with an id.
    pub(super) fn crew(kv: &MemoryKv, seeds: RangeInclusive<u128>) -> Vec<Self> {
        let gauge = MemoryGauge::new();
        let pilot = |seed| Self {
            member: tier(64, seed)
                .member((kv, &gauge), at(START - 1))
                .expect("an id"),
            table: FlightTable::new(0), // the same for all: ids alone must tell them apart
        };
        seeds.map(pilot).collect()
    }

    pub(super) fn join(
        &mut self,
        kv: &dyn SharedKv,
        (key, purpose): (&Key, Purpose),
        position: u64,
        now: u64,
    ) -> Joined {
        let wish = Wish {
            key,
            purpose,
            epoch: epoch(position),
            stamps: &|| vec![Stamp(1)],
        };
        let (terms, reach) = ((WAIT, &Before(position) as &dyn Epochs), Reach::Within);
        self.table
            .join(kv, (&self.member, reach), &wish, terms, at(now))
    }

    pub(super) fn land(
        &self,
        kv: &dyn SharedKv,
        token: &Token,
        landing: Landing,
        now: u64,
    ) -> Option<Landed> {
        self.table
            .land(kv, Some(&self.member), (token, landing), &|| at(now))
    }
}

pub(super) fn lead(joined: Joined) -> Token {
    match joined {
        Joined::Lead(token) => token,
        Joined::Alone(_) | Joined::Behind | Joined::Resting => panic!("{joined:?}"),
    }
}

pub(super) fn two() -> (MemoryKv, Pilot, Pilot) {
    let kv = MemoryKv::new();
    let mut crew = Pilot::crew(&kv, 1..=2).into_iter();
    let (a, b) = (crew.next().unwrap(), crew.next().unwrap());
    (kv, a, b)
}

pub(super) fn these(pilots: &[&Pilot]) -> Whom {
    let mut workers = Workers::NONE;
    for pilot in pilots {
        workers.add(pilot.member.worker());
    }
    Whom::These(workers)
}

pub(super) const STORED: Landing = Landing::Stored;

#[test]
fn one_leads_and_the_others_wait_until_it_lands() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let token = lead(a.join(&kv, fill, 1, START));
    assert_eq!(a.join(&kv, fill, 1, START), Joined::Behind);
    assert_eq!(b.join(&kv, fill, 1, START), Joined::Behind);
    let landed = Landed {
        wake: Wake::Look,
        whom: these(&[&b]),
    };
    assert_eq!(a.land(&kv, &token, STORED, START), Some(landed));
    lead(b.join(&kv, fill, 1, START));
}

#[test]
fn nobody_is_woken_elsewhere_for_whom_nobody_waits() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let token = lead(a.join(&kv, (&key, Purpose::Fill), 1, START));
    assert_eq!(
        a.join(&kv, (&key, Purpose::Follow), 1, START),
        Joined::Behind
    );
    assert_eq!(
        b.join(&kv, (&key, Purpose::Refresh), 1, START),
        Joined::Behind
    );
    let landed = a.land(&kv, &token, STORED, START).unwrap();
    assert_eq!(landed.whom, these(&[]));
}

#[test]
fn who_cannot_be_woken_does_not_wait_and_may_lead() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let wish = Wish {
        key: &key,
        purpose: Purpose::Fill,
        epoch: epoch(1),
        stamps: &Vec::new,
    };
    let join = |pilot: &mut Pilot| {
        let terms = (WAIT, &Before(1) as &dyn Epochs);
        let member = (&pilot.member, Reach::Out);
        pilot.table.join(&kv, member, &wish, terms, at(START))
    };
    lead(join(&mut a));
    assert_eq!(join(&mut b), Joined::Alone(Alone::Unavailable));
}

#[test]
fn what_is_nobody_elses_is_remembered() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let token = lead(a.join(&kv, fill, 1, START));
    let until = at(START + 120);
    let landed = a.land(&kv, &token, Landing::Unshared { until }, START);
    assert_eq!(landed.unwrap().wake, Wake::LetGo);
    for purpose in [Purpose::Fill, Purpose::Follow, Purpose::Refresh] {
        let alone = Joined::Alone(Alone::Unshared);
        assert_eq!(b.join(&kv, (&key, purpose), 1, START + 119), alone);
    }
    lead(b.join(&kv, fill, 1, START + 120));
}

#[test]
fn what_can_be_stored_after_all_is_for_others_again() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let nobodys = Token {
        digest: key.digest(),
        holder: u32::MAX,
        number: 0,
    };
    assert_eq!(
        b.land(&kv, &nobodys, STORED, START),
        None,
        "it is not known"
    );
    let token = lead(a.join(&kv, fill, 1, START));
    let until = at(START + 120);
    a.land(&kv, &token, Landing::Unshared { until }, START);
    assert_eq!(b.land(&kv, &nobodys, STORED, START + 1), None);
    lead(a.join(&kv, fill, 1, START + 1));
    b.join(&kv, fill, 1, START + 1);
    let landed = Landed {
        wake: Wake::Look,
        whom: these(&[&a, &b]),
    };
    assert_eq!(b.land(&kv, &nobodys, STORED, START + 1), Some(landed));
    assert_eq!(
        b.join(&kv, fill, 1, START + 1),
        Joined::Behind,
        "it is another's flight"
    );
}

#[test]
fn a_refresh_that_failed_rests_and_only_that() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let refresh = (&key, Purpose::Refresh);
    let token = lead(a.join(&kv, refresh, 1, START));
    let rest = at(START + 2);
    a.land(&kv, &token, Landing::Failed { rest }, START);
    assert_eq!(b.join(&kv, refresh, 1, START + 1), Joined::Resting);
    let unled = Joined::Alone(Alone::Unled);
    assert_eq!(b.join(&kv, (&key, Purpose::Follow), 1, START + 1), unled);
    let token = lead(b.join(&kv, (&key, Purpose::Fill), 1, START + 1));
    a.land(&kv, &token, Landing::Failed { rest }, START + 1);
    lead(a.join(&kv, refresh, 1, START + 2));
}

#[test]
fn a_refresh_that_takes_long_is_still_the_only_one() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let refresh = (&key, Purpose::Refresh);
    lead(a.join(&kv, refresh, 1, START));
    assert_eq!(b.join(&kv, refresh, 1, START + 39), Joined::Behind);
    lead(b.join(&kv, refresh, 2, START + 39)); // something was invalidated
    lead(a.join(&kv, refresh, 2, START + 79));
    lead(b.join(&kv, (&key, Purpose::Fill), 2, START + 84));
}

#[test]
fn at_its_deadline_a_flight_is_taken_over_with_those_that_follow() {
    let (kv, mut a, mut b) = two();
    let mut c = Pilot::crew(&kv, 3..=3).pop().unwrap();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let slow = lead(a.join(&kv, fill, 1, START));
    assert_eq!(c.join(&kv, fill, 1, START + 4), Joined::Behind);
    let token = lead(b.join(&kv, fill, 1, START + 5));
    let abandoned = a.land(&kv, &slow, Landing::Abandoned, START + 6);
    let all = Landed {
        wake: Wake::Look,
        whom: Whom::Everybody,
    };
    assert_eq!(abandoned, Some(all), "they wait for another by now");
    assert_eq!(a.land(&kv, &slow, STORED, START + 6), Some(all));
    let landed = b.land(&kv, &token, STORED, START + 6).unwrap();
    assert_eq!(landed.whom, these(&[&a, &c]));
}

#[test]
fn what_is_invalidated_meanwhile_is_asked_for_anew() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    lead(a.join(&kv, fill, 1, START));
    lead(b.join(&kv, fill, 2, START));
    assert_eq!(a.join(&kv, fill, 2, START), Joined::Behind);
    assert_eq!(a.join(&kv, fill, 1, START), Joined::Behind, "that will do");
}

#[test]
fn a_clock_that_is_set_back_leaves_no_flight_in_force_for_long() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    lead(a.join(&kv, fill, 1, START));
    assert_eq!(b.join(&kv, fill, 1, START - 1), Joined::Behind);
    lead(b.join(&kv, fill, 1, START - 2));
}

#[test]
fn whose_flight_is_lost_wakes_everybody() {
    let (kv, mut a, mut b) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let cell = |kv: &MemoryKv| {
        let names = kv.names();
        let cell = names.iter().find(|name| name.starts_with("larder1f"));
        cell.unwrap().clone()
    };
    for damage in [&b""[..], b"something else"] {
        let token = lead(a.join(&kv, fill, 1, START));
        assert_eq!(b.join(&kv, fill, 1, START), Joined::Behind);
        kv.set(&cell(&kv), damage, Cas::UNCONDITIONAL).unwrap();
        let landed = a.land(&kv, &token, STORED, START).unwrap();
        assert_eq!(landed.whom, Whom::Everybody);
    }
    let everybody = a.member.everybody(&kv, at(START));
    assert_eq!(Whom::These(everybody), these(&[&a, &b]));
}

#[test]
fn after_a_wipe_the_former_life_takes_no_part() {
    let (kv, mut a, _) = two();
    let key = key("a");
    let fill = (&key, Purpose::Fill);
    let token = lead(a.join(&kv, fill, 1, START));
    kv.wipe();
    let mut b = Pilot::crew(&kv, 4..=4).pop().unwrap();
    let newer = lead(b.join(&kv, fill, 1, START));
    a.join(&kv, fill, 1, START); // wherever that key belonged: elsewhere
    a.land(&kv, &token, STORED, START);
    assert_eq!(b.join(&kv, fill, 1, START), Joined::Behind);
    let landed = b.land(&kv, &newer, STORED, START).unwrap();
    assert_eq!(landed.whom, these(&[]));
    for n in 0..10_000 {
        b.join(&kv, (&super::key(&n.to_string()), Purpose::Fill), 1, START);
    }
    let unavailable = Joined::Alone(Alone::Unavailable);
    assert_eq!(
        a.join(&kv, fill, 1, START),
        unavailable,
        "in each cell there is something of the newer life"
    );
}

#[test]
fn there_are_a_thousand_cells_at_most_and_a_full_one_harms_nobody() {
    let (kv, mut a, mut b) = two();
    let mut led = 0;
    for n in 0..40_000 {
        let key = key(&n.to_string());
        match a.join(&kv, (&key, Purpose::Fill), 1, START) {
            Joined::Lead(_) => led += 1,
            Joined::Alone(Alone::Unavailable) => {}
            other @ (Joined::Alone(_) | Joined::Behind | Joined::Resting) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!(led, 16 * 1024);
    let cells = kv.names().into_iter();
    let cells = cells.filter(|name| name.starts_with("larder1f"));
    assert_eq!(cells.count(), 1024);
    lead(b.join(&kv, (&key("0"), Purpose::Fill), 1, START + 5));
}

#[test]
fn the_workers_of_a_process_share_a_word_that_no_other_process_has() {
    let one = Pilot::crew(&MemoryKv::new(), 1..=2);
    let other = Pilot::crew(&MemoryKv::new(), 3..=3);
    let [a, b, c] = [&one[0], &one[1], &other[0]].map(|pilot| pilot.member.watchword());
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert!(a.iter().all(u8::is_ascii_hexdigit));
}
