//! Invalidations against requests, in every order of their host calls up to a bound, and in many random ones.
//!
//! What is promised: no request received after an invalidation was acknowledged is answered with what was fetched before
//! the invalidation was received. The origin here is a number that every write raises; an entry is the number that its
//! fetch met.

use std::cell::Cell as Count;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::{Epoch, Stamp, StampList};
use crate::epoch::{Coverage, Currency, Invalidation, Mode, Stamped, Whereabouts};
use crate::key::Key;

use super::super::random::Random;
use super::super::{Cas, Cell, ChangeHint, EpochLog, KvError, MemoryKv, SetError, SharedKv};
use super::baton::{Baton, Part, in_every_order, in_random_order, play};
use super::stage::Stage;

#[derive(Debug, Default)]
struct World {
    stage: Stage,
    hint: AtomicU64,
    origin: AtomicU64,
    acknowledged: AtomicU64,
    entries: Mutex<Vec<(Epoch, StampList, u64)>>,
}

/// One worker's view of the hint: reading and moving it are calls like others.
struct Hint<'a, 'b>(&'a Baton<'b>, &'a AtomicU64);

impl ChangeHint for Hint<'_, '_> {
    fn read(&self) -> Option<u64> {
        self.0.wait();
        Some(self.1.load(Ordering::SeqCst))
    }

    fn advance(&self) {
        self.0.wait();
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

fn stamps(numbers: &[u64]) -> StampList {
    numbers.iter().map(|number| Stamp(*number)).collect()
}

fn invalid(numbers: &[u64]) -> Invalidation {
    Invalidation {
        coverage: Coverage::Stamps(numbers.iter().map(|number| Stamp(*number)).collect()),
        mode: Mode::Invalid,
    }
}

fn judge(log: &mut EpochLog, kv: &dyn SharedKv, epoch: Epoch, stamps: &StampList) -> Currency {
    let stored = Stamped {
        epoch,
        stamps: stamps.as_stamps(),
        key: &Key::from_canonical(Vec::new()),
        whereabouts: Whereabouts::Shared,
    };
    log.judge(kv, stored)
}

impl World {
    /// A write to what the entries are about, from the origin's yes to the client's.
    fn write(&self, log: &mut EpochLog, host: &Baton<'_>) {
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        self.note(log, host, 1);
        self.acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    /// A write to something else.
    fn write_elsewhere(&self, log: &mut EpochLog, host: &Baton<'_>) {
        self.note(log, host, 2);
    }

    fn note(&self, log: &mut EpochLog, host: &Baton<'_>, stamp: u64) {
        let hint = Hint(host, &self.hint);
        log.append(host, &hint, &invalid(&[stamp])).unwrap();
    }

    /// A request that is answered by the origin and stored.
    fn fetch(&self, log: &mut EpochLog, host: &Baton<'_>) {
        let epoch = log.now(host, &Hint(host, &self.hint));
        let version = self.origin.load(Ordering::SeqCst);
        let entry = (epoch, stamps(&[7, 1]), version);
        self.entries.lock().unwrap().push(entry);
    }

    /// A request that is answered by whatever is stored and current.
    fn look(&self, log: &mut EpochLog, host: &Baton<'_>) {
        let least = self.acknowledged.load(Ordering::SeqCst);
        log.now(host, &Hint(host, &self.hint));
        let entries = self.entries.lock().unwrap().clone();
        for (epoch, stamps, version) in entries {
            if judge(log, host, epoch, &stamps) == Currency::Current {
                assert!(version >= least, "{version} was served after {least}");
            }
        }
    }
}

type Act = fn(&World, &mut EpochLog, &Baton<'_>);

/// Plays the acts at once, one worker each, in every order with so many interruptions; gives how many orders.
fn every_order(bound: usize, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let world = World::default();
        let parts = acts.iter().zip(1..).map(|(act, seed)| -> Part<'_> {
            let world = &world;
            Box::new(move |host| act(world, &mut EpochLog::new(seed), host))
        });
        play(&world.stage, parts.collect(), choose);
    })
}

fn write_once(world: &World, log: &mut EpochLog, host: &Baton<'_>) {
    world.write(log, host);
}

fn write_others(world: &World, log: &mut EpochLog, host: &Baton<'_>) {
    world.write_elsewhere(log, host);
    world.write(log, host);
}

fn fetch_and_look(world: &World, log: &mut EpochLog, host: &Baton<'_>) {
    world.fetch(log, host);
    world.look(log, host);
    world.look(log, host);
}

fn wipe(_: &World, _: &mut EpochLog, host: &Baton<'_>) {
    host.wipe();
}

#[test]
fn a_write_while_another_worker_fetches_and_looks() {
    assert!(every_order(3, &[write_once, fetch_and_look]) > 100);
}

#[test]
fn two_writes_at_once() {
    assert!(every_order(2, &[write_once, write_others, fetch_and_look]) > 100);
}

#[test]
fn two_that_fetch_while_one_writes() {
    assert!(every_order(2, &[fetch_and_look, write_once, fetch_and_look]) > 100);
}

#[test]
fn a_wipe_in_between() {
    assert!(every_order(2, &[write_once, fetch_and_look, wipe]) > 100);
}

#[test]
fn eight_workers_at_random() {
    for seed in 0..40u128 {
        let world = World::default();
        let parts = (0..8u128).map(|worker| -> Part<'_> {
            let world = &world;
            Box::new(move |host| {
                let mut random = Random::new(seed * 100 + worker);
                let mut log = EpochLog::new(seed * 1_000 + worker);
                for _ in 0..12 {
                    match random.below(9) {
                        0 => world.write(&mut log, host),
                        1 => world.write_elsewhere(&mut log, host),
                        2..5 => world.fetch(&mut log, host),
                        5 => log.doubt(),
                        6 if worker == 0 => host.wipe(),
                        _ => world.look(&mut log, host),
                    }
                }
            })
        });
        let mut random = Random::new(seed);
        play(
            &world.stage,
            parts.collect(),
            &mut in_random_order(&mut random),
        );
    }
}

/// Cells whose reads are counted, and which may fail.
#[derive(Debug, Default)]
struct Watched {
    kv: MemoryKv,
    reads: Count<usize>,
    failing: Count<bool>,
}

impl SharedKv for Watched {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.reads.set(self.reads.get() + 1);
        if self.failing.get() {
            return Err(KvError);
        }
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        if self.failing.get() {
            return Err(SetError::Failed);
        }
        self.kv.set(name, value, expected)
    }
}

/// A hint without a worker behind it.
#[derive(Default)]
struct Plain(AtomicU64);

impl ChangeHint for Plain {
    fn read(&self) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst))
    }

    fn advance(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_was_not_named_stays_current() {
    let (kv, hint) = (MemoryKv::new(), Plain::default());
    let (mut one, mut other) = (EpochLog::new(1), EpochLog::new(2));
    let epoch = one.now(&kv, &hint);
    other.append(&kv, &hint, &invalid(&[1, 2])).unwrap();
    one.now(&kv, &hint);
    let judged = |log: &mut EpochLog, numbers: &[u64]| judge(log, &kv, epoch, &stamps(numbers));
    assert_eq!(judged(&mut one, &[1]), Currency::Invalidated);
    assert_eq!(judged(&mut one, &[3, 2]), Currency::Invalidated);
    assert_eq!(judged(&mut one, &[3, 4]), Currency::Current);
    let later = one.now(&kv, &hint);
    assert_eq!(
        judge(&mut one, &kv, later, &stamps(&[1])),
        Currency::Current,
        "what is fetched afterwards is good"
    );
}

#[test]
fn the_strongest_that_applies_counts() {
    let of = |mode| {
        let (kv, hint) = (MemoryKv::new(), Plain::default());
        let mut log = EpochLog::new(1);
        let epoch = log.now(&kv, &hint);
        for mode in mode {
            let coverage = Coverage::Stamps(vec![Stamp(1)]);
            let invalidation = Invalidation { coverage, mode };
            log.append(&kv, &hint, &invalidation).unwrap();
        }
        log.now(&kv, &hint);
        judge(&mut log, &kv, epoch, &stamps(&[2, 1]))
    };
    assert_eq!(of(vec![]), Currency::Current);
    assert_eq!(of(vec![Mode::Soft]), Currency::Softened);
    assert_eq!(of(vec![Mode::Invalid, Mode::Soft]), Currency::Invalidated);
    assert_eq!(
        of(vec![Mode::Hard, Mode::Invalid, Mode::Soft]),
        Currency::Gone
    );
}

#[test]
fn a_request_without_news_makes_no_call_and_one_with_news_few() {
    let (kv, hint) = (Watched::default(), Plain::default());
    let mut log = EpochLog::new(1);
    let epoch = log.now(&kv, &hint);
    let reads = kv.reads.get();
    for _ in 0..5 {
        assert_eq!(log.now(&kv, &hint), epoch);
        judge(&mut log, &kv, epoch, &stamps(&[1, 2]));
    }
    assert_eq!(kv.reads.get(), reads, "nothing has been invalidated");
    log.append(&kv, &hint, &invalid(&[3])).unwrap();
    log.now(&kv, &hint);
    let reads = kv.reads.get();
    for _ in 0..5 {
        log.now(&kv, &hint);
        judge(&mut log, &kv, epoch, &stamps(&[3]));
    }
    assert_eq!(kv.reads.get(), reads + 1, "the page is read once");
}

#[test]
fn cells_that_are_damaged_invalidate_too_much_and_never_too_little() {
    let damages: [(&str, &[u8]); 4] = [
        ("emptied", b""),
        ("garbage", b"garbage"),
        ("cut", b"LEP1\x01"),
        ("another's", &[0xff; 5000]),
    ];
    for (name, bytes) in damages {
        for cell in ["larder1e", "larder1p", "pages"] {
            let (kv, hint) = (MemoryKv::new(), Plain::default());
            let (mut one, mut other) = (EpochLog::new(1), EpochLog::new(2));
            let epoch = one.now(&kv, &hint);
            one.append(&kv, &hint, &invalid(&[1])).unwrap();
            let later = one.now(&kv, &hint);
            for known in kv.names() {
                let is_page = known.starts_with("larder1e") && known != "larder1e";
                if known == cell || (is_page && cell == "pages") {
                    kv.set(&known, bytes, Cas::UNCONDITIONAL).unwrap();
                }
            }
            other.append(&kv, &hint, &invalid(&[1])).unwrap();
            one.now(&kv, &hint);
            for epoch in [epoch, later] {
                let judged = judge(&mut one, &kv, epoch, &stamps(&[1]));
                assert!(judged <= Currency::Invalidated, "{cell} {name}");
            }
            let epoch = one.now(&kv, &hint);
            let judged = judge(&mut one, &kv, epoch, &stamps(&[1]));
            assert_eq!(judged, Currency::Current, "{cell} {name}: it goes on");
        }
    }
}

#[test]
fn a_damaged_head_is_mended_once() {
    let (kv, hint) = (MemoryKv::new(), Plain::default());
    let mut log = EpochLog::new(1);
    log.append(&kv, &hint, &invalid(&[1])).unwrap();
    kv.set("larder1p", b"garbage", Cas::UNCONDITIONAL).unwrap();
    log.doubt();
    let mended = log.now(&kv, &hint);
    // Else every tick of every worker would end what is stored.
    for seed in 2..5 {
        assert_eq!(EpochLog::new(seed).now(&kv, &hint), mended);
    }
}

#[test]
fn a_host_that_fails_makes_nothing_current() {
    let (kv, hint) = (Watched::default(), Plain::default());
    let mut log = EpochLog::new(1);
    let epoch = log.now(&kv, &hint);
    kv.failing.set(true);
    assert!(log.append(&kv, &hint, &invalid(&[1])).is_err());
    assert_eq!(log.now(&kv, &hint), Epoch::UNKNOWN);
    let judged = |log: &mut EpochLog, epoch| judge(log, &kv, epoch, &stamps(&[]));
    assert_eq!(judged(&mut log, epoch), Currency::Gone);
    assert_eq!(judged(&mut log, Epoch::UNKNOWN), Currency::Gone);
    kv.failing.set(false);
    log.now(&kv, &hint);
    assert_eq!(judged(&mut log, Epoch::UNKNOWN), Currency::Gone);
}
