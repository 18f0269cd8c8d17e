//! One worker or two, one call after the other.

use std::cell::Cell as Count;

use super::super::incarnation::Incarnation;
use super::super::lease::Lease;
use super::super::name::Name;
use super::super::outcome::{AbsentReason, Candidate, Removed, Stored, UNCONCERNED, WhyNot};
use super::super::slot::{self, Stamp};
use super::super::{
    ByteGauge, Cas, Cell, Geometry, GeometryNotice, KvError, MemoryGauge, MemoryKv, SetError,
    SharedKv, SharedTier,
};
use super::audit::{audit, value};
use super::{at, key, look, put, tier};

const PUBLISHED: Stored = Stored::Published;

fn skipped(why: WhyNot) -> Stored {
    Stored::Skipped(why)
}

#[test]
fn what_one_worker_stores_another_finds_until_it_is_past() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut two) = (tier(64, 1), tier(64, 2));
    assert_eq!(look(&mut two, &kv, "a", 10), Err(AbsentReason::Unfounded));
    assert!(kv.names().is_empty(), "looking up writes nothing");
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 10, 11), PUBLISHED);
    assert_eq!(look(&mut two, &kv, "a", 12), Ok(10));
    assert_eq!(look(&mut two, &kv, "b", 12), Err(AbsentReason::NoEntry));
    assert_eq!(look(&mut two, &kv, "a", 110), Err(AbsentReason::Expired));
    let ids = (one.worker_id(), two.worker_id());
    assert_eq!(ids, (Some(0), None), "only who stores takes an id");
}

#[test]
fn a_fill_replaces_only_what_started_no_later() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut two) = (tier(64, 1), tier(64, 2));
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 10, 20), PUBLISHED);
    assert_eq!(
        put(&mut two, (&kv, &gauge), "a", 9, 21),
        skipped(WhyNot::Newer)
    );
    assert_eq!(look(&mut two, &kv, "a", 22), Ok(10));
    assert_eq!(put(&mut two, (&kv, &gauge), "a", 12, 22), PUBLISHED);
    assert_eq!(look(&mut one, &kv, "a", 23), Ok(12));
    assert_eq!(audit(&kv).published, 1);
    assert_eq!(audit(&kv).charged, gauge.read());
    let old = put(&mut two, (&kv, &gauge), "a", 11, 113);
    assert_eq!(old, skipped(WhyNot::Expired), "what is past is not stored");
    let late = put(&mut two, (&kv, &gauge), "a", 30, 25);
    assert_eq!(
        late, PUBLISHED,
        "another worker's clock reading may be a little ahead"
    );
}

#[test]
fn entries_from_before_the_clock_was_set_back_count_as_past() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = tier(64, 1);
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 5_000, 5_000), PUBLISHED);
    assert_eq!(look(&mut one, &kv, "a", 1_000), Err(AbsentReason::Expired));
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 999, 1_000), PUBLISHED);
    assert_eq!(look(&mut one, &kv, "a", 1_000), Ok(999));
}

#[test]
fn a_slot_with_anything_else_in_it_is_a_miss_and_is_repaired() {
    let stamp = |kv: &MemoryKv, slot: &str| slot::stamp(&value(kv, slot)).unwrap();
    type Spoil = Box<dyn Fn(&MemoryKv, &str) -> Vec<u8>>;
    let table: [(&str, Spoil, AbsentReason, u64); 5] = [
        (
            "emptied",
            Box::new(|_, _| vec![]),
            AbsentReason::Displaced,
            1,
        ),
        (
            "rubbish",
            Box::new(|_, _| vec![7; 300]),
            AbsentReason::CorruptSlot,
            1,
        ),
        (
            "truncated",
            Box::new(|kv, slot| value(kv, slot)[..100].to_vec()),
            AbsentReason::CorruptSlot,
            1,
        ),
        (
            "of another incarnation",
            Box::new(move |kv, slot| {
                let stamp = Stamp {
                    incarnation: 1,
                    ..stamp(kv, slot)
                };
                slot::encode(stamp, &key("a"), b"!").unwrap()
            }),
            AbsentReason::Displaced,
            1,
        ),
        (
            "of another key",
            Box::new(move |kv, slot| slot::encode(stamp(kv, slot), &key("b"), &[0; 200]).unwrap()),
            AbsentReason::OtherKey,
            0,
        ),
    ];
    for (name, spoil, reason, repaired) in table {
        let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
        let mut one = tier(8, 1);
        assert_eq!(put(&mut one, (&kv, &gauge), "a", 10, 10), PUBLISHED);
        let slot = Name::slot(0, 0);
        let bytes = spoil(&kv, slot.as_str());
        kv.set(slot.as_str(), &bytes, Cas::UNCONDITIONAL).unwrap();
        assert_eq!(look(&mut one, &kv, "a", 11), Err(reason), "{name}");
        assert_eq!(one.tick(&kv, &gauge, at(12)).repaired, repaired, "{name}");
        assert_eq!(audit(&kv).complaints, [""; 0], "{name}");
        assert_eq!(audit(&kv).charged, gauge.read(), "{name}");
        assert_eq!(
            put(&mut one, (&kv, &gauge), "a", 12, 12),
            PUBLISHED,
            "{name}"
        );
        assert_eq!(look(&mut one, &kv, "a", 13), Ok(12), "{name}");
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_replaced_and_its_slots_emptied() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = tier(8, 1);
    for name in ["a", "b", "c"] {
        assert_eq!(put(&mut one, (&kv, &gauge), name, 10, 10), PUBLISHED);
    }
    let directory = Name::directory(0);
    kv.set(directory.as_str(), b"rubbish", Cas::UNCONDITIONAL)
        .unwrap();
    let unread = look(&mut one, &kv, "a", 11);
    assert_eq!(unread, Err(AbsentReason::CorruptDirectory));
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 11, 11), PUBLISHED);
    assert_eq!(look(&mut one, &kv, "a", 12), Ok(11));
    one.tick(&kv, &gauge, at(12));
    assert_eq!(audit(&kv).complaints, [""; 0]);
    assert_eq!(
        (audit(&kv).published, audit(&kv).charged),
        (1, gauge.read())
    );
}

#[test]
fn without_a_worker_id_entries_are_found_but_not_stored() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut late) = (tier(8, 1), tier(8, 2));
    assert_eq!(put(&mut one, (&kv, &gauge), "a", 10, 10), PUBLISHED);
    let life = Incarnation::current(&kv).unwrap().unwrap();
    while Lease::take(&kv, &life, at(10)).is_ok() {}
    let stored = put(&mut late, (&kv, &gauge), "b", 10, 10);
    assert_eq!(stored, skipped(WhyNot::NoLease));
    assert_eq!(
        late.tick(&kv, &gauge, at(10)).trouble,
        Some(WhyNot::NoLease)
    );
    assert_eq!(look(&mut late, &kv, "a", 11), Ok(10));
    let later = put(&mut late, (&kv, &gauge), "b", 80, 80);
    assert_eq!(later, PUBLISHED, "the others have been silent for a minute");
}

#[test]
fn the_first_geometry_holds_and_another_is_told() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut two) = (tier(64, 1), tier(128, 2));
    assert_eq!(
        one.tick(&kv, &gauge, at(1)).geometry,
        GeometryNotice::Agreed
    );
    let ignored = GeometryNotice::Ignored {
        configured: Geometry::new(128).unwrap(),
        in_force: Geometry::new(64).unwrap(),
    };
    assert_eq!(two.tick(&kv, &gauge, at(1)).geometry, ignored);
    assert_eq!(put(&mut two, (&kv, &gauge), "a", 1, 1), PUBLISHED);
    assert_eq!(look(&mut one, &kv, "a", 1), Ok(1));
}

#[test]
fn a_sweep_frees_what_is_past_and_counts_the_rest() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut two) = (tier(64, 1), tier(64, 2));
    for n in 0..10 {
        put(&mut one, (&kv, &gauge), &format!("old {n}"), 0, 1);
        put(&mut two, (&kv, &gauge), &format!("new {n}"), 50, 50);
    }
    let held = gauge.read();
    gauge.add(12_345); // a drift
    let report = two.tick(&kv, &gauge, at(120));
    let totals = report.swept.unwrap();
    assert_eq!((report.freed_entries, totals.entries), (10, 10));
    assert_eq!(totals.bytes, held - report.freed_bytes);
    assert_eq!(totals.bytes, gauge.read(), "the drift is gone");
    assert_eq!(audit(&kv).held, gauge.read());
    let idle = one.tick(&kv, &gauge, at(121));
    assert_eq!(
        (idle.swept, one.totals()),
        (None, Some(totals)),
        "one sweeps at a time"
    );
    let next = one.tick(&kv, &gauge, at(160));
    assert!(next.swept.is_some(), "until it has been silent");
}

#[test]
fn a_large_cache_is_swept_in_steps() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = tier(32 * 100, 1);
    for n in 0..300 {
        put(&mut one, (&kv, &gauge), &n.to_string(), 0, 1);
    }
    let swept: Vec<bool> = (2..6)
        .map(|now| one.tick(&kv, &gauge, at(now)).swept.is_some())
        .collect();
    assert_eq!(swept, [false, false, false, true]);
    assert_eq!(one.totals().map(|totals| totals.bytes), Some(gauge.read()));
}

#[test]
fn bytes_that_no_directory_knows_are_found_in_eight_sweeps() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = tier(16, 1);
    put(&mut one, (&kv, &gauge), "a", 1, 1);
    for set in 0..2 {
        for way in 4..8 {
            kv.set(Name::slot(set, way).as_str(), b"lost", Cas::NEVER)
                .unwrap();
        }
    }
    let repaired: u64 = (1..20)
        .map(|now| one.tick(&kv, &gauge, at(now)).repaired)
        .sum();
    assert_eq!(repaired, 8);
    assert_eq!(audit(&kv).complaints, [""; 0]);
    assert_eq!(look(&mut one, &kv, "a", 20), Ok(1));
}

#[test]
fn a_removed_entry_is_gone_for_all() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let (mut one, mut two) = (tier(8, 1), tier(8, 2));
    put(&mut one, (&kv, &gauge), "a", 1, 1);
    assert_eq!(two.remove(&kv, &gauge, &key("a"), at(2)), Removed::Emptied);
    assert_eq!(look(&mut one, &kv, "a", 2), Err(AbsentReason::NoEntry));
    assert_eq!(two.remove(&kv, &gauge, &key("a"), at(2)), Removed::Absent);
    assert_eq!((audit(&kv).held, gauge.read()), (0, 0));
}

#[test]
fn a_full_set_lets_go_of_what_nobody_asked_for() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = tier(8, 1);
    put(&mut one, (&kv, &gauge), "hot", 1, 1);
    for n in 0..50 {
        assert_eq!(look(&mut one, &kv, "hot", 2), Ok(1), "after {n} others");
        put(&mut one, (&kv, &gauge), &format!("once {n}"), 2, 2);
    }
    assert_eq!(audit(&kv).published, 8);
    assert_eq!(audit(&kv).charged, gauge.read());
}

#[test]
fn the_bytes_stay_within_the_budget_and_so_do_the_names() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let geometry = Geometry::new(1_024).unwrap();
    let mut one = SharedTier::new(geometry, 50_000, 1);
    let mut rooms = 0;
    for n in 0..3_000 {
        let len = if n % 50 == 0 { 9_000 } else { 100 + n % 400 };
        let stored = one.store(
            &kv,
            &gauge,
            Candidate {
                key: &key(&n.to_string()),
                started: at(1),
                expires: at(100),
                payload: &vec![1; len],
                currency: UNCONCERNED,
            },
            at(1),
        );
        assert!(gauge.read() <= 50_000, "{n}: {}", gauge.read());
        match stored {
            Stored::Published => {}
            Stored::Skipped(WhyNot::NoRoom) => rooms += 1,
            Stored::Skipped(why) => panic!("{n}: {why:?}"),
        }
    }
    assert!(rooms < 30, "{rooms} found no room");
    let audit = audit(&kv);
    assert_eq!((audit.complaints.len(), audit.charged), (0, gauge.read()));
    assert!(
        audit.charged > 35_000,
        "the budget is used: {}",
        audit.charged
    );
    let huge = Candidate {
        key: &key("x"),
        started: at(1),
        expires: at(9),
        payload: &[0; 50_000],
        currency: UNCONCERNED,
    };
    assert_eq!(
        one.store(&kv, &gauge, huge, at(1)),
        skipped(WhyNot::TooLarge)
    );
}

#[test]
fn a_few_large_entries_among_many_slots_make_room_for_each_other() {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut one = SharedTier::new(Geometry::new(65_536).unwrap(), 1_000_000, 1);
    let body = vec![1; 10_000];
    let stored = (0..300).filter(|n: &i32| {
        let key = key(&n.to_string());
        let candidate = Candidate {
            key: &key,
            started: at(1),
            expires: at(9),
            payload: &body,
            currency: UNCONCERNED,
        };
        one.store(&kv, &gauge, candidate, at(1)) == PUBLISHED
    });
    assert!(stored.count() > 290);
    assert!(gauge.read() <= 1_000_000);
}

#[test]
fn a_gauge_that_cannot_be_right_is_ignored_and_put_right() {
    for drift in [-5_000, i64::MAX, 10 << 20] {
        let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
        let mut one = tier(64, 1);
        assert_eq!(put(&mut one, (&kv, &gauge), "a", 1, 1), PUBLISHED);
        gauge.add(drift);
        for n in 0..20 {
            let stored = put(&mut one, (&kv, &gauge), &n.to_string(), 1, 1);
            assert_eq!(stored, PUBLISHED, "{drift}");
        }
        one.tick(&kv, &gauge, at(2));
        assert_eq!(gauge.read(), audit(&kv).held, "{drift}");
        assert!(gauge.read() > 0);
    }
}

/// Counts host calls.
#[derive(Debug, Default)]
struct Counting {
    kv: MemoryKv,
    calls: Count<usize>,
}

impl SharedKv for Counting {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.calls.set(self.calls.get() + 1);
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.calls.set(self.calls.get() + 1);
        self.kv.set(name, value, expected)
    }
}

#[test]
fn a_hit_costs_two_host_calls_a_miss_one_and_a_store_five() {
    let (kv, gauge) = (Counting::default(), MemoryGauge::new());
    let mut one = tier(8, 1);
    put(&mut one, (&kv, &gauge), "warm up", 1, 1);
    let mut cost = |act: &mut dyn FnMut(&mut SharedTier)| {
        kv.calls.set(0);
        act(&mut one);
        kv.calls.get()
    };
    assert_eq!(cost(&mut |one| _ = put(one, (&kv, &gauge), "a", 1, 1)), 5);
    assert_eq!(cost(&mut |one| _ = look(one, &kv, "a", 1)), 2);
    assert_eq!(cost(&mut |one| _ = look(one, &kv, "b", 1)), 1);
}
