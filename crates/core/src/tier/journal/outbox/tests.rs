use super::*;
use crate::entry::Stamp;
use crate::epoch::NamePattern;
use proptest::prelude::*;

fn coverages() -> impl Strategy<Value = Coverage> {
    let stamps = proptest::collection::vec(any::<u64>().prop_map(Stamp), 0..40);
    prop_oneof![
        1 => Just(Coverage::All),
        3 => "/[a-z*]{0,9}".prop_map(|text| Coverage::Names(NamePattern::parse(&text).unwrap())),
        9 => stamps.prop_map(Coverage::Stamps),
    ]
}

fn epochs() -> impl Strategy<Value = Epoch> {
    (1..3u64, 0..50u64).prop_map(|(log, position)| Epoch { log, position })
}

pub(in crate::tier::journal) fn records(
    most: usize,
) -> impl Strategy<Value = Vec<(Epoch, Invalidation, Option<Cursor>, u16)>> {
    let cursor = (1..3u64, 0..50u64).prop_map(|(log, position)| Cursor {
        log,
        position,
        check: 1,
    });
    let modes = proptest::sample::select(Mode::ALL);
    let invalidation =
        (coverages(), modes).prop_map(|(coverage, mode)| Invalidation { coverage, mode });
    let durable = proptest::option::of(cursor);
    proptest::collection::vec((epochs(), invalidation, durable, 0..2u16), 0..most)
}

#[test]
fn the_form_is_frozen() {
    let invalidation = Invalidation {
        coverage: Coverage::Stamps(vec![Stamp(0x33)]),
        mode: Mode::Soft,
    };
    let before = Epoch {
        log: 4,
        position: 5,
    };
    let mut outbox = Outbox::fresh(InstanceId(0x11));
    let label = Label::new("tag", "a");
    assert_eq!(outbox.push(before, &invalidation, Some(&label)), 1);
    outbox.sent = 9;
    let record = &mut outbox.records[0];
    record.intended = 0;
    record.durable = Some(Cursor {
        log: 6,
        position: 7,
        check: 8,
    });
    let golden = b"LFU1\x11\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x01\0\
        \x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\
        \0\0\x01\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x08\0\0\0\
        \x03s\x01\0\x33\0\0\0\0\0\0\0\x03tag\x01\0a";
    let golden = [&golden[..], &checksum(golden).to_le_bytes()].concat();
    assert_eq!(outbox.encode(), golden);
    assert_eq!(Outbox::decode(&golden), Ok(outbox));
    for cut in 0..golden.len() {
        assert_eq!(Outbox::decode(&golden[..cut]), Err(Corrupt), "{cut}");
    }
}

#[test]
fn what_has_not_been_posted_becomes_one_and_is_named_once() {
    let of = |stamps: &[u64], mode| Invalidation {
        coverage: Coverage::Stamps(stamps.iter().map(|stamp| Stamp(*stamp)).collect()),
        mode,
    };
    let at = |position| Epoch { log: 1, position };
    let mut outbox = Outbox::fresh(InstanceId(1));
    assert_eq!(outbox.push(at(5), &of(&[1, 2], Mode::Invalid), None), 1);
    assert_eq!(outbox.push(at(4), &of(&[2, 3], Mode::Invalid), None), 2);
    assert_eq!(outbox.push(at(6), &of(&[1], Mode::Hard), None), 3);
    let [one, other] = &outbox.records[..] else {
        panic!("{outbox:?}");
    };
    assert_eq!(one.invalidation, of(&[1, 2, 3], Mode::Invalid));
    assert_eq!(
        (one.first, one.seq, one.before, one.intended),
        (1, 2, at(4), 2)
    );
    assert_eq!((other.first, other.seq), (3, 3));
    assert_eq!(
        [1, 2, 3, 4].map(|seq| one.has(seq)),
        [true, true, false, false]
    );
    // What is on its way stays as it is; what people have named keeps its name.
    outbox.sent = 3;
    outbox.push(at(7), &of(&[1], Mode::Hard), Some(&Label::new("tag", "a")));
    outbox.push(at(8), &of(&[1], Mode::Hard), None);
    let numbers = outbox
        .records
        .iter()
        .map(|record| (record.first, record.seq));
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [(1, 2), (3, 3), (4, 4), (5, 5)]
    );
}

proptest! {
    #![proptest_config(crate::property::cases())]

    #[test]
    fn any_bytes_are_an_outbox_or_none(rest in proptest::collection::vec(prop_oneof![Just(0u8), 0..4u8, Just(b'a'), Just(b's')], 0..120)) {
        let mut value = [&TAG[..], &rest].concat();
        let sum = checksum(&value);
        value.extend_from_slice(&sum.to_le_bytes());
        if let Ok(outbox) = Outbox::decode(&value) {
            prop_assert_eq!(outbox.encode(), value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_outbox_written_is_an_outbox_read(records in records(20)) {
        let mut outbox = Outbox::fresh(InstanceId(1));
        for (before, invalidation, durable, intended) in records {
            outbox.push(before, &invalidation, None);
            let last = outbox.records.last_mut().unwrap();
            (last.durable, last.intended) = (durable, intended);
        }
        prop_assert_eq!(Outbox::decode(&outbox.encode()), Ok(outbox));
    }
}
