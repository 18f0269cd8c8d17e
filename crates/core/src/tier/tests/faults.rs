//! A host that fails, forgets or garbles at any one call: whatever happens, the tier recovers.

use std::cell::Cell as Count;

use super::super::{
    ByteGauge, Cas, Cell, KvError, MemoryGauge, MemoryKv, SetError, SharedKv, SharedTier,
};
use super::audit::audit;
use super::{at, key, look, put, tier};
use crate::tier::{AbsentReason, Stored, WhyNot};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Fail,
    Flip(usize),
    /// The cell is lost, alone.
    Lose,
    Truncate(usize),
    Wipe,
}

/// Commits one fault, at the nth call from now.
#[derive(Debug)]
pub(super) struct Faulty {
    kv: MemoryKv,
    fault: Fault,
    countdown: Count<usize>,
    /// The cells whose calls count; all where none is named.
    cells: &'static [&'static str],
}

impl Faulty {
    /// At the nth call about one of these cells.
    pub(super) fn of_cells(fault: Fault, nth: usize, cells: &'static [&'static str]) -> Self {
        Self {
            kv: MemoryKv::new(),
            fault,
            countdown: Count::new(nth),
            cells,
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.countdown.get() == 0
    }

    /// From now on nothing goes wrong.
    pub(super) fn spend(&self) {
        self.countdown.set(0);
    }

    fn is_due(&self, name: &str) -> bool {
        if !self.cells.is_empty() && !self.cells.contains(&name) {
            return false;
        }
        let left = self.countdown.get();
        self.countdown.set(left.saturating_sub(1));
        left == 1
    }

    /// Does what the fault does to cells; tells whether the call fails.
    fn strike(&self, name: &str) -> bool {
        match self.fault {
            Fault::Fail => return true,
            Fault::Lose => self.kv.forget(name),
            Fault::Flip(at) => self.garble(name, |value| {
                let at = at % value.len().max(1);
                if let Some(byte) = value.get_mut(at) {
                    *byte ^= 0x55;
                }
            }),
            Fault::Truncate(len) => self.garble(name, |value| value.truncate(len)),
            Fault::Wipe => self.kv.wipe(),
        }
        false
    }

    fn garble(&self, name: &str, change: impl Fn(&mut Vec<u8>)) {
        if let Some(mut cell) = self.kv.get(name).unwrap() {
            change(&mut cell.value);
            self.kv.set(name, &cell.value, Cas::UNCONDITIONAL).unwrap();
        }
    }
}

impl SharedKv for Faulty {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        if self.is_due(name) && self.strike(name) {
            return Err(KvError);
        }
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        if self.is_due(name) && self.strike(name) {
            return Err(SetError::Failed);
        }
        self.kv.set(name, value, expected)
    }
}

/// Two workers store, look up, replace, evict and sweep; every found entry is checked.
fn act(one: &mut SharedTier, two: &mut SharedTier, kv: &Faulty, gauge: &dyn ByteGauge) {
    for n in 0..10 {
        put(one, (kv, gauge), &n.to_string(), 1, 2);
        match kv.fault {
            // Memory that changes by itself is not what the tier is for: it must not fall over, no more.
            Fault::Flip(_) => _ = two.lookup(kv, &key(&n.to_string()), at(3)),
            Fault::Fail | Fault::Lose | Fault::Truncate(_) | Fault::Wipe => {
                _ = look(two, kv, &n.to_string(), 3)
            }
        }
    }
    two.tick(kv, gauge, at(4));
    put(two, (kv, gauge), "3", 5, 6);
    two.remove(kv, gauge, &key("4"), at(6));
    one.tick(kv, gauge, at(7));
    put(one, (kv, gauge), "5", 104, 105);
    two.tick(kv, gauge, at(106));
}

fn play(fault: Fault, nth: usize) -> bool {
    let (kv, gauge) = (Faulty::of_cells(fault, nth, &[]), MemoryGauge::new());
    let (mut one, mut two) = (tier(8, 1), tier(8, 2));
    act(&mut one, &mut two, &kv, &gauge);
    let struck = kv.is_spent();
    kv.spend();
    // Long enough for claims and leases to run out and for every slot to be looked into.
    for round in 0..10 {
        one.tick(&kv, &gauge, at(200 + round * 10));
        two.tick(&kv, &gauge, at(205 + round * 10));
    }
    for (tier, name) in [(&mut one, "a"), (&mut two, "b")] {
        let stored = put(tier, (&kv, &gauge), name, 400, 400);
        assert_eq!(stored, Stored::Published, "{fault:?} at {nth}");
    }
    assert_eq!(look(&mut one, &kv, "b", 401), Ok(400), "{fault:?} at {nth}");
    assert_eq!(look(&mut two, &kv, "a", 401), Ok(400), "{fault:?} at {nth}");
    let audit = audit(&kv.kv);
    assert_eq!(audit.complaints, [""; 0], "{fault:?} at {nth}");
    assert_eq!(audit.held, audit.charged, "{fault:?} at {nth}");
    assert_eq!(audit.charged, gauge.read(), "{fault:?} at {nth}");
    struck
}

#[test]
fn a_key_that_is_being_stored_is_left_to_its_claimant_until_that_runs_out_of_time() {
    let (gauge, mut one, mut two) = (MemoryGauge::new(), tier(8, 1), tier(8, 2));
    let kv = Faulty::of_cells(Fault::Fail, 0, &[]);
    put(&mut one, (&kv, &gauge), "a", 1, 1);
    // Directory, claim, slot: the third call fails, and the claim stays.
    kv.countdown.set(3);
    let failed = put(&mut one, (&kv, &gauge), "a", 2, 2);
    assert_eq!(failed, Stored::Skipped(WhyNot::Failed));
    assert_eq!(look(&mut two, &kv, "a", 2), Err(AbsentReason::NoEntry));
    let busy = put(&mut two, (&kv, &gauge), "a", 3, 3);
    assert_eq!(busy, Stored::Skipped(WhyNot::Busy));
    assert_eq!(put(&mut two, (&kv, &gauge), "a", 12, 12), Stored::Published);
    assert_eq!(
        one.tick(&kv, &gauge, at(13)).repaired,
        0,
        "its note is out of date"
    );
    assert_eq!(look(&mut one, &kv, "a", 13), Ok(12));
    assert_eq!(audit(&kv.kv).complaints, [""; 0]);
}

#[test]
fn the_tier_recovers_from_any_one_fault_at_any_call() {
    let flips = [0, 5, 13, 17, 24, 28, 41, 47, 60].map(Fault::Flip);
    let cuts = [0, 11, 50].map(Fault::Truncate);
    for fault in [Fault::Fail, Fault::Lose, Fault::Wipe]
        .into_iter()
        .chain(cuts)
        .chain(flips)
    {
        let calls = (1..1_000).take_while(|&nth| play(fault, nth)).count();
        assert!(calls > 100, "{fault:?} struck {calls} times");
    }
}

/// A host that fails at every call while `fails` says so, and is asked so often.
#[derive(Debug, Default)]
struct Moody {
    kv: MemoryKv,
    fails: Count<bool>,
    calls: Count<usize>,
}

impl Moody {
    fn strike(&self) -> bool {
        self.calls.set(self.calls.get() + 1);
        self.fails.get()
    }
}

impl SharedKv for Moody {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        if self.strike() {
            return Err(KvError);
        }
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        if self.strike() {
            return Err(SetError::Failed);
        }
        self.kv.set(name, value, expected)
    }
}

#[test]
fn a_host_that_only_fails_is_left_alone_and_comes_back() {
    let (kv, gauge, mut tier) = (Moody::default(), MemoryGauge::default(), tier(64, 1));
    assert_eq!(put(&mut tier, (&kv, &gauge), "a", 1, 1), Stored::Published);
    kv.fails.set(true);
    let failed: Vec<_> = (0..20).map(|_| look(&mut tier, &kv, "a", 1)).collect();
    assert_eq!(failed, [Err(AbsentReason::Failed); 20]);
    let before = kv.calls.get();
    for _ in 0..100 {
        assert_eq!(look(&mut tier, &kv, "a", 1), Err(AbsentReason::Distrusted));
        let stored = put(&mut tier, (&kv, &gauge), "b", 1, 1);
        assert_eq!(stored, Stored::Skipped(WhyNot::Failed));
    }
    assert_eq!(kv.calls.get(), before, "nobody asks it");
    kv.fails.set(false);
    assert_eq!(look(&mut tier, &kv, "a", 6), Ok(1));
    assert_eq!(put(&mut tier, (&kv, &gauge), "b", 6, 6), Stored::Published);
}
