//! What stays and who comes in, over the whole tier.

use std::cell::Cell as Count;

use proptest::prelude::*;

use super::super::outcome::{Candidate, Lookup, Stored, UNCONCERNED, WhyNot};
use super::super::random::Random;
use super::super::{
    ByteGauge, Cas, Cell, Geometry, KvError, MemoryGauge, MemoryKv, SetError, SharedKv, SharedTier,
};
use super::audit::audit;
use super::{at, key, payload};

/// One worker's cache and the requests it gets: what is not found is fetched and stored.
struct Shop {
    kv: MemoryKv,
    gauge: MemoryGauge,
    tier: SharedTier,
    now: u64,
}

impl Shop {
    fn new(slots: u32, max_bytes: u64) -> Self {
        Self {
            kv: MemoryKv::new(),
            gauge: MemoryGauge::new(),
            tier: SharedTier::new(Geometry::new(slots).unwrap(), max_bytes, 1),
            now: 1,
        }
    }

    fn is_stored(&mut self, name: &str) -> bool {
        let found = self.tier.lookup(&self.kv, &key(name), at(self.now));
        matches!(found, Lookup::Found(_))
    }

    fn store(&mut self, name: &str, len: usize) -> Stored {
        let candidate = Candidate {
            key: &key(name),
            started: at(self.now),
            expires: at(self.now + 1_000_000),
            payload: &payload(name, self.now, len),
            currency: UNCONCERNED,
        };
        self.tier
            .store(&self.kv, &self.gauge, candidate, at(self.now))
    }

    /// Asks for it, and stores it if it was not there.
    fn ask(&mut self, name: &str) -> Option<Stored> {
        (!self.is_stored(name)).then(|| self.store(name, 200))
    }

    /// Asks for each of so many popular things in turn, so often.
    fn ask_for_the_popular(&mut self, count: usize, times: usize) {
        for _ in 0..times {
            for n in 0..count {
                self.ask(&format!("popular {n}"));
            }
        }
    }
}

/// Two caches of about a thousand entries: one is short of slots, one of bytes.
fn shops() -> [(&'static str, Shop); 2] {
    [
        ("slots", Shop::new(1_024, u64::MAX / 4)),
        ("bytes", Shop::new(8_192, 1_024 * 360)),
    ]
}

#[test]
fn a_scan_of_ten_times_the_cache_leaves_the_popular_alone() {
    for (name, mut shop) in shops() {
        shop.ask_for_the_popular(600, 10);
        let mut turned_away = 0;
        for n in 0..10_240 {
            let stored = shop.ask(&format!("scanned {n}"));
            turned_away += usize::from(stored == Some(Stored::Skipped(WhyNot::NotAdmitted)));
            if n % 100 == 0 {
                shop.ask(&format!("popular {}", n / 100));
            }
        }
        assert!(turned_away > 5_000, "{name}: {turned_away} turned away");
        let kept = (0..600).filter(|n| shop.is_stored(&format!("popular {n}")));
        let kept = kept.count();
        assert!(kept > 570, "{name}: {kept} of 600 are left");
        assert_eq!(audit(&shop.kv).complaints, [""; 0], "{name}");
    }
}

#[test]
fn while_there_is_room_everything_is_stored_at_once() {
    for (name, mut shop) in shops() {
        for n in 0..600 {
            let stored = shop.ask(&n.to_string());
            assert_eq!(stored, Some(Stored::Published), "{name}: {n}");
        }
    }
}

#[test]
fn who_is_turned_away_comes_in_when_asked_for_more_often() {
    for (name, mut shop) in shops() {
        // A loop of more than there is room for: those that are in stay.
        shop.ask_for_the_popular(1_500, 4);
        let mut asked = 1;
        while shop.ask("new") == Some(Stored::Skipped(WhyNot::NotAdmitted)) {
            asked += 1;
        }
        assert!((2..=8).contains(&asked), "{name}: {asked} times");
        assert!(shop.is_stored("new"), "{name}");
    }
}

#[test]
fn another_version_of_what_is_stored_always_comes_in() {
    for (name, mut shop) in shops() {
        shop.ask_for_the_popular(1_500, 4);
        let stored = (0..1_500).map(|n| format!("popular {n}"));
        let stored: Vec<String> = stored.filter(|popular| shop.is_stored(popular)).collect();
        assert!(stored.len() > 800, "{name}: {}", stored.len());
        shop.now += 1;
        for popular in &stored {
            assert_eq!(shop.store(popular, 200), Stored::Published, "{name}");
        }
    }
}

#[test]
fn what_becomes_popular_later_takes_the_place_of_what_was() {
    for (name, mut shop) in shops() {
        shop.ask_for_the_popular(1_500, 10);
        for _ in 0..40 {
            for n in 0..500 {
                shop.ask(&format!("later {n}"));
            }
        }
        let there = (0..500).filter(|n| shop.is_stored(&format!("later {n}")));
        let there = there.count();
        assert!(there > 450, "{name}: {there} of 500");
    }
}

#[test]
fn a_lowered_bound_is_kept_to_whoever_comes() {
    let mut shop = Shop::new(8_192, 1_024 * 360);
    shop.ask_for_the_popular(1_000, 5);
    let geometry = Geometry::new(8_192).unwrap();
    shop.tier.configure(geometry, 512 * 360);
    for n in 0..100 {
        shop.ask(&format!("once {n}"));
    }
    assert!(shop.gauge.read() <= 512 * 360, "{}", shop.gauge.read());
}

/// Counts what is written.
#[derive(Debug, Default)]
struct Counting {
    kv: MemoryKv,
    sets: Count<usize>,
}

impl SharedKv for Counting {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.sets.set(self.sets.get() + 1);
        self.kv.set(name, value, expected)
    }
}

#[test]
fn neither_a_hit_nor_being_turned_away_writes() {
    let (kv, gauge) = (Counting::default(), MemoryGauge::new());
    let mut tier = SharedTier::new(Geometry::new(8).unwrap(), 1 << 20, 1);
    let mut ask = |name: &str| {
        let before = kv.sets.get();
        let found = tier.lookup(&kv, &key(name), at(1));
        assert_eq!(kv.sets.get(), before, "looking up {name} writes");
        if matches!(found, Lookup::Found(_)) {
            return None;
        }
        let candidate = Candidate {
            key: &key(name),
            started: at(1),
            expires: at(100),
            payload: b"!",
            currency: UNCONCERNED,
        };
        let stored = tier.store(&kv, &gauge, candidate, at(1));
        Some((stored, kv.sets.get() - before))
    };
    let mut turned_away = 0;
    for n in 0..1_000 {
        if let Some((Stored::Skipped(why), writes)) = ask(&(n % 11).to_string()) {
            assert_eq!((why, writes), (WhyNot::NotAdmitted, 0));
            turned_away += 1;
        }
    }
    assert!(turned_away > 100, "{turned_away}");
}

proptest! {
    #![proptest_config(crate::property::cases())]

    /// Whatever is asked for, however large: one worker keeps to the budget, for it is the only one that stores.
    #[test]
    fn the_bytes_never_exceed_the_budget(
        seed: u64,
        max_bytes in 2_000u64..20_000,
        names in 10u32..300,
        largest in 100u32..6_000,
        scans: bool,
    ) {
        let mut shop = Shop::new(64, max_bytes);
        let mut random = Random::new(seed.into());
        for n in 0..60u32 {
            let name = match n % 3 {
                0 if scans => format!("scanned {n}"),
                _ => random.below(names).min(random.below(names)).to_string(),
            };
            if !shop.is_stored(&name) {
                shop.store(&name, random.below(largest) as usize);
            }
            prop_assert!(ByteGauge::read(&shop.gauge) <= max_bytes);
        }
        let audit = audit(&shop.kv);
        prop_assert_eq!(audit.complaints, [""; 0]);
        prop_assert!(audit.charged <= max_bytes);
    }
}
