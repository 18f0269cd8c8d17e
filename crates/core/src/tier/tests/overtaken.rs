//! Fills that an invalidation overtakes.

use std::cell::Cell;

use crate::epoch::Currency;

use super::super::outcome::{AbsentReason, Candidate, Stored, WhyNot};
use super::super::{MemoryGauge, MemoryKv, SharedKv};
use super::{at, key, look, payload, put, tier};

#[test]
fn what_is_over_moves_nothing() {
    let (kv, gauge, mut tier) = (MemoryKv::new(), MemoryGauge::new(), tier(8, 1));
    for name in 0..8 {
        put(&mut tier, (&kv, &gauge), &name.to_string(), 10, 10);
    }
    let before = kv
        .names()
        .iter()
        .map(|name| kv.get(name))
        .collect::<Vec<_>>();
    for (currency, why) in [(Currency::Gone, "gone"), (Currency::Invalidated, "invalid")] {
        let candidate = Candidate {
            key: &key("x"),
            started: at(11),
            expires: at(100),
            payload: &payload("x", 11, 200),
            currency: &|| currency,
        };
        let stored = tier.store(&kv, &gauge, candidate, at(11));
        assert_eq!(stored, Stored::Skipped(WhyNot::Invalidated), "{why}");
    }
    assert_eq!(
        before,
        kv.names()
            .iter()
            .map(|name| kv.get(name))
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_is_over_once_its_place_is_taken_is_not_written() {
    let (kv, gauge, mut tier) = (MemoryKv::new(), MemoryGauge::new(), tier(8, 1));
    put(&mut tier, (&kv, &gauge), "x", 10, 10);
    let asked = Cell::new(0);
    let candidate = Candidate {
        key: &key("x"),
        started: at(11),
        expires: at(100),
        payload: &payload("x", 11, 200),
        currency: &|| match asked.replace(asked.get() + 1) {
            0 => Currency::Current,
            _ => Currency::Gone,
        },
    };
    let stored = tier.store(&kv, &gauge, candidate, at(11));
    assert_eq!(stored, Stored::Skipped(WhyNot::Invalidated));
    assert_eq!(asked.get(), 2);
    assert_eq!(look(&mut tier, &kv, "x", 12), Err(AbsentReason::NoEntry));
    assert_eq!(
        put(&mut tier, (&kv, &gauge), "x", 12, 12),
        Stored::Published
    );
    assert_eq!(look(&mut tier, &kv, "x", 12), Ok(12));
}

#[test]
fn what_is_soft_is_stored() {
    let (kv, gauge, mut tier) = (MemoryKv::new(), MemoryGauge::new(), tier(8, 1));
    let candidate = Candidate {
        key: &key("x"),
        started: at(11),
        expires: at(111),
        payload: &payload("x", 11, 200),
        currency: &|| Currency::Softened { since: None },
    };
    assert_eq!(
        tier.store(&kv, &gauge, candidate, at(11)),
        Stored::Published
    );
    assert_eq!(look(&mut tier, &kv, "x", 12), Ok(11));
}
