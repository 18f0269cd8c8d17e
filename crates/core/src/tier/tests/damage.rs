//! Cells of the log that are lost, damaged or out of reach.

use std::cell::RefCell;
use std::fmt;

use crate::entry::Epoch;
use crate::epoch::{Currency, Mode};

use super::super::{Cas, Cell, EpochLog, KvError, MemoryKv, SetError, SharedKv};
use super::NOW;
use super::invalidations::{Entry, Plain, Watched, of_all, of_names, of_stamps, two};

/// Whoever shares the cells may have written it there.
#[test]
fn a_log_that_can_get_no_further_is_begun_anew() {
    let (kv, hint, mut log, _) = two();
    log.append(&kv, &hint, &of_stamps(&[1], Mode::Hard), NOW)
        .unwrap();
    let mut head = kv.get("larder1p").unwrap().unwrap().value;
    head[12..20].fill(0xff); // behind the tag and the log's number
    kv.set("larder1p", &head, Cas::UNCONDITIONAL).unwrap();
    log.doubt();
    let epoch = log.now(&kv, &hint);
    assert_eq!(epoch.position, u64::MAX);
    let entry = Entry::new(epoch, &[1], "/");
    log.append(&kv, &hint, &of_stamps(&[1], Mode::Hard), NOW)
        .unwrap();
    log.now(&kv, &hint);
    assert_eq!(entry.judge(&mut log, &kv), Currency::Gone);
}

#[test]
fn a_pattern_counts_also_when_the_numbers_have_run_out() {
    let (kv, hint, mut log, _) = two();
    let pattern = of_names("/a", Mode::Hard);
    log.append(&kv, &hint, &pattern, NOW).unwrap();
    // The head's count of patterns, and the next number in their cell: behind a tag and six and one numbers.
    for (cell, at) in [("larder1p", 52), ("larder1x", 12)] {
        let mut value = kv.get(cell).unwrap().unwrap().value;
        value[at..at + 8].fill(0xff);
        kv.set(cell, &value, Cas::UNCONDITIONAL).unwrap();
    }
    log.doubt();
    let entry = Entry::new(log.now(&kv, &hint), &[], "/a");
    assert_eq!(entry.judge(&mut log, &kv), Currency::Current);
    log.append(&kv, &hint, &pattern, NOW).unwrap();
    log.now(&kv, &hint);
    assert_eq!(entry.judge(&mut log, &kv), Currency::Gone);
}

#[test]
fn cells_that_are_damaged_invalidate_too_much_and_never_too_little() {
    let damages: [(&str, &[u8]); 5] = [
        ("emptied", b""),
        ("garbage", b"garbage"),
        ("cut", b"LEP3\x01"),
        ("another's", &[0xff; 5000]),
        ("no head", b"LEX2"),
    ];
    for (name, bytes) in damages {
        for cell in ["larder1e", "larder1p", "larder1x", "pages"] {
            let (kv, hint, mut one, mut other) = two();
            let epoch = one.now(&kv, &hint);
            let invalidations = [
                of_stamps(&[1], Mode::Invalid),
                of_names("/a", Mode::Invalid),
            ];
            for invalidation in &invalidations {
                one.append(&kv, &hint, invalidation, NOW).unwrap();
            }
            let later = one.now(&kv, &hint);
            for known in kv.names() {
                let is_page = known.starts_with("larder1e") && known != "larder1e";
                if known == cell || (is_page && cell == "pages") {
                    kv.set(&known, bytes, Cas::UNCONDITIONAL).unwrap();
                }
            }
            for invalidation in &invalidations {
                other.append(&kv, &hint, invalidation, NOW).unwrap();
            }
            one.now(&kv, &hint);
            for entry in [
                Entry::new(epoch, &[1], "/"),
                Entry::new(later, &[1], "/"),
                Entry::new(epoch, &[], "/a"),
                Entry::new(later, &[], "/a"),
            ] {
                let judged = entry.judge(&mut one, &kv);
                assert!(judged <= Currency::Invalidated, "{cell} {name}");
            }
            let entry = Entry::new(one.now(&kv, &hint), &[1], "/a");
            assert_eq!(
                entry.judge(&mut one, &kv),
                Currency::Current,
                "{cell} {name}"
            );
        }
    }
}

#[test]
fn a_damaged_head_is_mended_once() {
    let (kv, hint, mut log, _) = two();
    log.append(&kv, &hint, &of_stamps(&[1], Mode::Hard), NOW)
        .unwrap();
    kv.set("larder1p", b"garbage", Cas::UNCONDITIONAL).unwrap();
    log.doubt();
    let mended = log.now(&kv, &hint);
    // Else every tick of every worker would end what is stored.
    for seed in 2..5 {
        assert_eq!(EpochLog::new(seed, 4096).now(&kv, &hint), mended);
    }
}

#[test]
fn patterns_that_are_lost_end_the_log_once() {
    let (kv, hint, mut one, mut other) = two();
    let entry = Entry::new(one.now(&kv, &hint), &[], "/b");
    one.append(&kv, &hint, &of_names("/a", Mode::Hard), NOW)
        .unwrap();
    kv.set("larder1x", b"garbage", Cas::UNCONDITIONAL).unwrap();
    for log in [&mut one, &mut other] {
        log.now(&kv, &hint);
        assert_eq!(entry.judge(log, &kv), Currency::Gone);
    }
    let fetched = Entry::new(one.now(&kv, &hint), &[], "/a");
    other.now(&kv, &hint);
    assert_eq!(fetched.judge(&mut other, &kv), Currency::Current);
}

#[test]
fn a_host_that_fails_makes_nothing_current() {
    let (kv, hint) = (Watched::default(), Plain::default());
    let mut log = EpochLog::new(1, 4096);
    let epoch = log.now(&kv, &hint);
    log.append(&kv, &hint, &of_stamps(&[1], Mode::Hard), NOW)
        .unwrap();
    log.now(&kv, &hint);
    kv.failing.set(true);
    let old = Entry::new(epoch, &[2], "/");
    assert_eq!(
        old.judge(&mut log, &kv),
        Currency::Gone,
        "its page cannot be read"
    );
    for invalidation in [
        of_stamps(&[1], Mode::Soft),
        of_names("/", Mode::Soft),
        of_all(Mode::Soft),
    ] {
        assert!(log.append(&kv, &hint, &invalidation, NOW).is_err());
    }
    assert_eq!(log.now(&kv, &hint), Epoch::UNKNOWN);
    let nobodys = Entry::new(Epoch::UNKNOWN, &[], "/");
    for entry in [&Entry::new(epoch, &[], "/"), &nobodys] {
        assert_eq!(entry.judge(&mut log, &kv), Currency::Gone);
    }
    kv.failing.set(false);
    log.now(&kv, &hint);
    assert_eq!(nobodys.judge(&mut log, &kv), Currency::Gone);
}

/// Cells at the first reading of one of which something else happens first.
struct Meddled<'a> {
    kv: &'a MemoryKv,
    at: fn(&str) -> bool,
    meddle: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl fmt::Debug for Meddled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("meddled")
    }
}

impl SharedKv for Meddled<'_> {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        if (self.at)(name)
            && let Some(meddle) = self.meddle.take()
        {
            meddle();
        }
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.kv.set(name, value, expected)
    }
}

#[test]
fn who_wrote_for_a_log_that_has_ended_writes_over_nothing_of_the_next() {
    let stamps: Vec<u64> = (0..1_500).collect();
    let is_page = |name: &str| name.starts_with("larder1e") && name != "larder1e";
    for (by, at) in [
        (of_stamps(&stamps, Mode::Hard), is_page as fn(&str) -> bool),
        (of_names("/x", Mode::Hard), |name| name == "larder1x"),
    ] {
        let (kv, hint, mut one, mut other) = two();
        one.append(&kv, &hint, &of_stamps(&[1], Mode::Hard), NOW)
            .unwrap();
        let epoch = std::cell::Cell::new(Epoch::UNKNOWN);
        let meddled = Meddled {
            kv: &kv,
            at,
            meddle: RefCell::new(Some(Box::new(|| {
                kv.wipe();
                other.doubt();
                epoch.set(other.now(&kv, &hint));
                other
                    .append(&kv, &hint, &of_stamps(&stamps, Mode::Hard), NOW)
                    .unwrap();
                other
                    .append(&kv, &hint, &of_names("/a", Mode::Hard), NOW)
                    .unwrap();
            }))),
        };
        one.append(&meddled, &hint, &by, NOW).unwrap();
        assert!(meddled.meddle.borrow().is_none());
        drop(meddled);
        let mut third = EpochLog::new(3, 4096);
        third.now(&kv, &hint);
        for stamp in &stamps {
            let entry = Entry::new(epoch.get(), &[*stamp], "/");
            assert_eq!(entry.judge(&mut third, &kv), Currency::Gone, "{stamp}");
        }
        let entry = Entry::new(epoch.get(), &[], "/a");
        assert_eq!(entry.judge(&mut third, &kv), Currency::Gone);
    }
}
